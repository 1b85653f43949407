//! Reading vendors' JSON without trusting its types: a number where text belongs, text where a number belongs.
//!
//! Each answer has two readers that fill the same structs. The one for ordinary answers borrows from the body and takes
//! nothing odd: [`ordinary`]. What it does not take goes through a tree of values, which takes everything: [`object`].

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

pub(crate) type Object = Map<String, Value>;

/// The whole body as an object, or why it is none.
pub(crate) fn object(body: &[u8]) -> Result<Object, &'static str> {
    if body.is_empty() {
        return Err("an empty body");
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("JSON, but no object"),
        Err(_) => Err("no JSON"),
    }
}

/// Text, or a whole number or truth value as text; empty for anything else, a number too large to be kept exactly among
/// it: its digits would be others than the vendor's. NUL, which C cannot hold, becomes U+FFFD.
pub(crate) fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.replace('\0', "\u{FFFD}"),
        Some(Value::Number(number)) if number.is_f64() => String::new(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        _ => String::new(),
    }
}

/// An exact whole number, or its decimal digits as text.
pub(crate) fn integer(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(digits) => digits.trim().parse().ok(),
        _ => None,
    }
}

/// The body in one pass, if it is as the vendor's pages have it. `None` says nothing of it: then it is [`object`]'s to read.
pub(crate) fn ordinary<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// Text of an answer, borrowed unless it is written with an escape; empty if it is not there.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Text<'a>(pub Cow<'a, str>);

impl Text<'static> {
    /// As [`text`].
    pub fn of(value: Option<&Value>) -> Text<'static> {
        Text(text(value).into())
    }
}

impl Text<'_> {
    /// To keep; without a copy if it is one of these words.
    pub fn kept(&self, known: &[&'static str]) -> Cow<'static, str> {
        match known.iter().find(|word| **word == self.0) {
            Some(word) => Cow::Borrowed(word),
            None => Cow::Owned(self.0.to_string()),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Plain;
        impl<'de> Visitor<'de> for Plain {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                is_plain(text).then_some(Text(Cow::Borrowed(text))).ok_or_else(odd)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                is_plain(text)
                    .then(|| Text(Cow::Owned(text.to_owned())))
                    .ok_or_else(odd)
            }
        }
        deserializer.deserialize_str(Plain)
    }
}

/// Neither with a NUL, which has to be replaced, nor a name that `serde_json` gives a meaning of its own in a tree of values.
fn is_plain(text: &str) -> bool {
    !text.contains('\0') && !text.starts_with("$serde_json")
}

fn odd<E: de::Error>() -> E {
    E::custom("not ordinary")
}

/// A value that nobody asks for. It is checked as strictly as one that is read: an answer is readable as a whole or not.
pub(crate) struct Passed;

impl<'de> Deserialize<'de> for Passed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Passed;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_unit<E>(self) -> Result<Passed, E> {
                Ok(Passed)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Passed, E> {
                Ok(Passed)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Passed, E> {
                Ok(Passed)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Passed, E> {
                Ok(Passed)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Passed, E> {
                Ok(Passed)
            }

            fn visit_str<E>(self, _: &str) -> Result<Passed, E> {
                Ok(Passed)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Passed, A::Error> {
                while list.next_element::<Passed>()?.is_some() {}
                Ok(Passed)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Passed, A::Error> {
                while map.next_entry::<Text, Passed>()?.is_some() {}
                Ok(Passed)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A struct that is read from an object and nothing else, with the members' names as the vendor spells them: one that is
/// not there is its type's default, one that stands there twice is not ordinary. (A derived reader takes a list, too, and
/// passes over the rest without a check.)
macro_rules! shape {
    ($(#[$about:meta])* $of:ident<$a:lifetime> { $($name:literal => $field:ident: $type:ty,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Default, PartialEq)]
        struct $of<$a> {
            $($field: $type,)+
        }

        impl<'de: $a, $a> serde::de::Deserialize<'de> for $of<$a> {
            fn deserialize<D: serde::de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Members<$a>(std::marker::PhantomData<&$a ()>);
                impl<'de: $a, $a> serde::de::Visitor<'de> for Members<$a> {
                    type Value = $of<$a>;

                    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        $(let mut $field: Option<$type> = None;)+
                        while let Some(name) = map.next_key::<$crate::json::Text>()? {
                            let is_twice = match &*name.0 {
                                $($name => $field.replace(map.next_value()?).is_some(),)+
                                _ => {
                                    map.next_value::<$crate::json::Passed>()?;
                                    false
                                }
                            };
                            if is_twice {
                                return Err(serde::de::Error::custom("a name twice"));
                            }
                        }
                        Ok($of { $($field: $field.unwrap_or_default(),)+ })
                    }
                }
                deserializer.deserialize_map(Members(std::marker::PhantomData))
            }
        }
    };
}
pub(crate) use shape;

/// The members of a JSON object, in order, values as written; a name twice is an error.
pub(crate) fn members(json: &str) -> Result<Vec<(String, &RawValue)>, String> {
    if !json.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(json).is_ok() {
        return Err("is JSON, but no object".to_owned());
    }
    let members: Members = serde_json::from_str(json).map_err(|error| format!("is no JSON object: {error}"))?;
    Ok(members.0)
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &'de RawValue)> = Vec::new();
                let mut names = std::collections::HashSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !names.insert(name.clone()) {
                        return Err(de::Error::custom(format_args!("{name:?} stands in it twice")));
                    }
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
pub(crate) mod tests;
