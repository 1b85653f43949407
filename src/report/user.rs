//! The user of a row.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::message::Recipients;

/// A user: Volcengine RTC and ZEGO identify users by name, Volcengine IM by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    Name(Name),
    Id(i64),
}

/// A user's name. The names of one request are slices of one shared text, so that a list needs one allocation.
#[derive(Clone)]
pub struct Name {
    all: Arc<str>,
    place: Range<usize>,
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.all[self.place.clone()]
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Name {
        Name {
            all: name.into(),
            place: 0..name.len(),
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        **self == **other
    }
}

impl Eq for Name {}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl Recipients<'_> {
    /// The recipients as users, for the report's rows.
    pub(crate) fn users(&self) -> impl ExactSizeIterator<Item = User> {
        let (names, ids): (&[&str], &[i64]) = match self {
            Recipients::All => (&[], &[]),
            Recipients::One(name) => (std::slice::from_ref(name), &[]),
            Recipients::Names(names) => (names, &[]),
            Recipients::Ids(ids) => (&[], ids),
        };
        let all: Option<Arc<str>> = match names {
            [] => None,
            [name] => Some(Arc::from(*name)),
            names => Some(Arc::from(names.concat())),
        };
        let mut start = 0;
        // Either the names or the ids are empty.
        (0..self.len()).map(move |index| match &all {
            Some(all) => {
                let place = start..start + names[index].len();
                start = place.end;
                User::Name(Name {
                    all: all.clone(),
                    place,
                })
            }
            None => User::Id(ids[index]),
        })
    }
}
