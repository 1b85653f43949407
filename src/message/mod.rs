//! What can be sent: one variant per action, holding just that action's fields, and the checks made before any I/O.
//!
//! Everybody is an action of its own (`…ToAll`, `…ToRoom`): an empty list is an error and never means everybody.

use std::cell::Cell;
use std::hash::{BuildHasher, Hash, RandomState};

use crate::error::{Error, grouped};
use crate::util::percent;

/// What a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    Text(&'a str),
    /// Travels as base64; receivers get it on their binary callback.
    Binary(&'a [u8]),
}

/// A message, borrowed from the caller for the length of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// Volcengine RTC, to one user who is logged in, outside rooms. Up to 64 KB.
    SendUnicast {
        from: &'a str,
        to: &'a str,
        payload: Payload<'a>,
    },
    /// Volcengine RTC, to one user in a room. Up to 64 KB.
    SendRoomUnicast {
        room_id: &'a str,
        from: &'a str,
        to: &'a str,
        payload: Payload<'a>,
    },
    /// Volcengine RTC, to users in a room: 600 a request, longer lists are split. Up to 20 KB.
    BatchSendRoomUnicast {
        room_id: &'a str,
        from: &'a str,
        to: &'a [&'a str],
        payload: Payload<'a>,
    },
    /// Volcengine RTC, to everybody in a room. Up to 64 KB.
    SendBroadcast {
        room_id: &'a str,
        from: &'a str,
        payload: Payload<'a>,
    },
    /// Volcengine IM, to some members of a conversation.
    P2PSendMessageToUsers { signal: Signal<'a>, user_ids: &'a [i64] },
    /// Volcengine IM, to every member of a conversation.
    P2PSendMessageToAll { signal: Signal<'a> },
    /// Volcengine IM, to every member but some.
    P2PSendMessageToAllExcept { signal: Signal<'a>, user_ids: &'a [i64] },
    /// ZEGO, to users in a room: 10 a request, longer lists are split. Up to 1,024 bytes.
    SendCustomCommandToUsers {
        room_id: &'a str,
        from: &'a str,
        to: &'a [&'a str],
        content: &'a str,
    },
    /// ZEGO, to everybody in a room but a client whose id is `from`. Up to 1,024 bytes.
    SendCustomCommandToRoom {
        room_id: &'a str,
        from: &'a str,
        content: &'a str,
    },
}

/// What the three P2PSendMessage actions have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal<'a> {
    pub conversation_id: i64,
    pub sender_id: i64,
    /// Agreed between the app's server and its clients, such as 10013.
    pub msg_type: i32,
    pub content: &'a str,
}

/// The vendor an action belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Vendor {
    Volcengine = 1,
    Zego = 2,
}

/// The limits that are settings, because the vendor states none or leaves open what it counts.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub binary_counts_as_base64: bool,
    pub p2p_max_content: usize,
    pub p2p_max_users: usize,
    pub command_counts_as_encoded: bool,
    pub zego_max_id_length: usize,
    pub max_recipients: usize,
}

// VENDORS.md, The messages; KB = 1024.
pub(crate) const UNICAST_MAX_PAYLOAD: usize = 64 * 1024;
pub(crate) const BATCH_MAX_PAYLOAD: usize = 20 * 1024;
pub(crate) const BATCH_MAX_USERS: usize = 600;
const VOLCENGINE_MAX_ID_LENGTH: usize = 128;
// VENDORS.md, SendCustomCommand.
pub(crate) const COMMAND_MAX_CONTENT: usize = 1024;
pub(crate) const COMMAND_MAX_USERS: usize = 10;

impl<'a> Message<'a> {
    /// The vendor's name of the action, as it stands on the wire.
    pub fn action(&self) -> &'static str {
        match self {
            Message::SendUnicast { .. } => "SendUnicast",
            Message::SendRoomUnicast { .. } => "SendRoomUnicast",
            Message::BatchSendRoomUnicast { .. } => "BatchSendRoomUnicast",
            Message::SendBroadcast { .. } => "SendBroadcast",
            Message::P2PSendMessageToUsers { .. }
            | Message::P2PSendMessageToAll { .. }
            | Message::P2PSendMessageToAllExcept { .. } => "P2PSendMessage",
            Message::SendCustomCommandToUsers { .. } | Message::SendCustomCommandToRoom { .. } => "SendCustomCommand",
        }
    }

    pub fn vendor(&self) -> Vendor {
        match self {
            Message::SendCustomCommandToUsers { .. } | Message::SendCustomCommandToRoom { .. } => Vendor::Zego,
            _ => Vendor::Volcengine,
        }
    }

    /// Those the caller named, in the caller's order. Empty when the message goes to a room or a whole conversation.
    pub fn recipients(&self) -> Recipients<'a> {
        match *self {
            Message::SendUnicast { to, .. } | Message::SendRoomUnicast { to, .. } => Recipients::One(to),
            Message::BatchSendRoomUnicast { to, .. } | Message::SendCustomCommandToUsers { to, .. } => {
                Recipients::Names(to)
            }
            Message::P2PSendMessageToUsers { user_ids, .. } => Recipients::Ids(user_ids),
            _ => Recipients::Everybody,
        }
    }

    /// What it carries.
    pub(crate) fn payload(&self) -> &'a [u8] {
        match *self {
            Message::SendUnicast { payload, .. }
            | Message::SendRoomUnicast { payload, .. }
            | Message::BatchSendRoomUnicast { payload, .. }
            | Message::SendBroadcast { payload, .. } => match payload {
                Payload::Text(text) => text.as_bytes(),
                Payload::Binary(bytes) => bytes,
            },
            Message::P2PSendMessageToUsers { signal, .. }
            | Message::P2PSendMessageToAll { signal }
            | Message::P2PSendMessageToAllExcept { signal, .. } => signal.content.as_bytes(),
            Message::SendCustomCommandToUsers { content, .. } | Message::SendCustomCommandToRoom { content, .. } => {
                content.as_bytes()
            }
        }
    }

    /// Holds the message to the vendor's rules. Nothing has been sent when this refuses.
    pub(crate) fn validate(&self, limits: &Limits) -> Result<(), Error> {
        let action = self.action();
        match *self {
            Message::SendUnicast { from, to, payload } => {
                volcengine_id("from", from)?;
                volcengine_id("to", to)?;
                payload_within(action, payload, UNICAST_MAX_PAYLOAD, limits)
            }
            Message::SendRoomUnicast {
                room_id,
                from,
                to,
                payload,
            } => {
                volcengine_id("room_id", room_id)?;
                volcengine_id("from", from)?;
                volcengine_id("to", to)?;
                payload_within(action, payload, UNICAST_MAX_PAYLOAD, limits)
            }
            Message::BatchSendRoomUnicast {
                room_id,
                from,
                to,
                payload,
            } => {
                volcengine_id("room_id", room_id)?;
                volcengine_id("from", from)?;
                list_within(action, "to", to.len(), limits.max_recipients)?;
                each(to, volcengine_id)?;
                payload_within(action, payload, BATCH_MAX_PAYLOAD, limits)
            }
            Message::SendBroadcast { room_id, from, payload } => {
                volcengine_id("room_id", room_id)?;
                volcengine_id("from", from)?;
                payload_within(action, payload, UNICAST_MAX_PAYLOAD, limits)
            }
            Message::P2PSendMessageToUsers { signal, user_ids } => {
                signal.validate(limits)?;
                list_within(action, "user_ids", user_ids.len(), limits.max_recipients)?;
                each_id(user_ids)
            }
            Message::P2PSendMessageToAllExcept { signal, user_ids } => {
                signal.validate(limits)?;
                // Never split: each part would reach those that another leaves out.
                list_within(action, "user_ids", user_ids.len(), limits.p2p_max_users)?;
                each_id(user_ids)
            }
            Message::P2PSendMessageToAll { signal } => signal.validate(limits),
            Message::SendCustomCommandToUsers {
                room_id,
                from,
                to,
                content,
            } => {
                zego_id("room_id", room_id, limits)?;
                zego_id("from", from, limits)?;
                list_within(action, "to", to.len(), limits.max_recipients)?;
                each(to, |field, id| {
                    zego_id(field, id, limits)?;
                    if id == from {
                        let text = "the sender cannot be among the recipients: ZEGO gives no user a command of his own";
                        return Err(Error::invalid(field.to_owned(), text));
                    }
                    Ok(())
                })?;
                command_within(content, limits)
            }
            Message::SendCustomCommandToRoom { room_id, from, content } => {
                zego_id("room_id", room_id, limits)?;
                zego_id("from", from, limits)?;
                command_within(content, limits)
            }
        }
    }
}

#[cfg(any(test, fuzzing))]
impl<'a> Message<'a> {
    /// A message of Volcengine to these: by RTC to names, by IM to ids and to everybody.
    pub(crate) fn any_to(recipients: Recipients<'a>) -> Message<'a> {
        let (room_id, from, payload) = ("lobby", "server", Payload::Text("hi"));
        let signal = Signal {
            conversation_id: 1,
            sender_id: 2,
            msg_type: 3,
            content: "hi",
        };
        match recipients {
            Recipients::One(to) => Message::SendUnicast { from, to, payload },
            Recipients::Names(to) => Message::BatchSendRoomUnicast {
                room_id,
                from,
                to,
                payload,
            },
            Recipients::Ids(user_ids) => Message::P2PSendMessageToUsers { signal, user_ids },
            Recipients::Everybody => Message::P2PSendMessageToAll { signal },
        }
    }
}

impl Signal<'_> {
    fn validate(&self, limits: &Limits) -> Result<(), Error> {
        positive("conversation_id", self.conversation_id)?;
        positive("sender_id", self.sender_id)?;
        positive("msg_type", self.msg_type.into())?;
        let within = length_within("P2PSendMessage", self.content.len(), limits.p2p_max_content);
        within.map_err(|text| Error::invalid("payload", text))
    }
}

/// Those the caller named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipients<'a> {
    Everybody,
    One(&'a str),
    Names(&'a [&'a str]),
    Ids(&'a [i64]),
}

impl Recipients<'_> {
    pub fn len(&self) -> usize {
        match self {
            Recipients::Everybody => 0,
            Recipients::One(_) => 1,
            Recipients::Names(names) => names.len(),
            Recipients::Ids(ids) => ids.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// `[a-zA-Z0-9_@\-.]{1,128}`. VENDORS.md, The messages.
fn volcengine_id(field: &str, id: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '@' | '-' | '.');
    if id.is_empty() {
        return Err(Error::invalid(field.to_owned(), "must not be empty"));
    }
    if let Some(c) = id.chars().find(|c| !allowed(*c)) {
        let text = format!(
            "holds '{}'; Volcengine ids take letters, digits, _ @ - and .",
            c.escape_debug()
        );
        return Err(Error::invalid(field.to_owned(), text));
    }
    if id.len() > VOLCENGINE_MAX_ID_LENGTH {
        let text = format!(
            "is {} characters long, Volcengine ids take {VOLCENGINE_MAX_ID_LENGTH}",
            grouped(id.len())
        );
        return Err(Error::invalid(field.to_owned(), text));
    }
    Ok(())
}

/// Any text without NUL: ZEGO states no character rule here, and Volcengine's does not apply. VENDORS.md, SendCustomCommand.
fn zego_id(field: &str, id: &str, limits: &Limits) -> Result<(), Error> {
    let max = limits.zego_max_id_length;
    if id.is_empty() {
        return Err(Error::invalid(field.to_owned(), "must not be empty"));
    }
    if id.contains('\0') {
        return Err(Error::invalid(field.to_owned(), "contains a NUL character"));
    }
    if id.len() > max {
        let text = format!(
            "is {} bytes long, zego.max_id_length is {}",
            grouped(id.len()),
            grouped(max)
        );
        return Err(Error::invalid(field.to_owned(), text));
    }
    Ok(())
}

fn positive(field: &str, number: i64) -> Result<(), Error> {
    if number > 0 {
        return Ok(());
    }
    Err(Error::invalid(
        field.to_owned(),
        format!("is {number}, it must be 1 or more"),
    ))
}

fn list_within(action: &str, field: &'static str, len: usize, max: usize) -> Result<(), Error> {
    if len == 0 {
        let text = format!(
            "an empty list; {action} takes 1 to {}, and has an action of its own for everybody",
            grouped(max)
        );
        return Err(Error::invalid(field, text));
    }
    list_at_most(action, field, len, max)
}

pub(crate) fn list_at_most(action: &str, field: &'static str, len: usize, max: usize) -> Result<(), Error> {
    if len > max {
        let text = format!("{} recipients, {action} takes {}", grouped(len), grouped(max));
        return Err(Error::invalid(field, text));
    }
    Ok(())
}

/// Checks every name of a list and that none stands in it twice; errors name the place, `to[3]`.
fn each(names: &[&str], check: impl Fn(&str, &str) -> Result<(), Error>) -> Result<(), Error> {
    each_item(names, "to", "this recipient is in the list twice", |name| {
        check("to", name)
    })
}

fn each_id(ids: &[i64]) -> Result<(), Error> {
    each_item(ids, "user_ids", "this user is in the list twice", |id| {
        positive("user_ids", *id)
    })
}

fn each_item<T: Hash + Eq>(
    items: &[T],
    field: &str,
    twice: &'static str,
    check: impl Fn(&T) -> Result<(), Error>,
) -> Result<(), Error> {
    let place = |index: usize| format!("{field}[{index}]");
    let second = second_of_a_kind(items);
    for (index, item) in items.iter().enumerate() {
        check(item).map_err(|error| Error {
            field: place(index).into(),
            ..error
        })?;
        if second == Some(index) {
            return Err(Error::invalid(place(index), twice));
        }
    }
    Ok(())
}

/// The first item that equals one before it. Lists are checked on the way into a queue, so the table is the thread's own,
/// and is not allocated for each.
fn second_of_a_kind<T: Hash + Eq>(items: &[T]) -> Option<usize> {
    thread_local! {
        static TABLE: Cell<Vec<usize>> = const { Cell::new(Vec::new()) };
        static HASHER: RandomState = RandomState::new();
    }
    const FREE: usize = usize::MAX;
    const MOST_KEPT: usize = 1 << 14;
    if items.len() < 2 {
        return None;
    }
    let size = (items.len() * 2).next_power_of_two();
    // A thread past its end has none to keep.
    let mut table = TABLE.try_with(Cell::take).unwrap_or_default();
    table.clear();
    table.resize(size, FREE);
    let second = HASHER.with(|hasher| {
        items.iter().enumerate().position(|(index, item)| {
            let mut at = hasher.hash_one(item) as usize % size;
            while table[at] != FREE {
                if items[table[at]] == *item {
                    return true;
                }
                at = (at + 1) % size;
            }
            table[at] = index;
            false
        })
    });
    if size <= MOST_KEPT {
        let _ = TABLE.try_with(|kept| kept.set(table));
    }
    second
}

fn payload_within(action: &str, payload: Payload, max: usize, limits: &Limits) -> Result<(), Error> {
    let len = match payload {
        Payload::Text(text) => text.len(),
        Payload::Binary(bytes) if limits.binary_counts_as_base64 => bytes.len().div_ceil(3) * 4,
        Payload::Binary(bytes) => bytes.len(),
    };
    length_within(action, len, max).map_err(|text| Error::invalid("payload", text))
}

fn command_within(content: &str, limits: &Limits) -> Result<(), Error> {
    let len = if limits.command_counts_as_encoded {
        percent::encode(content).len()
    } else {
        content.len()
    };
    length_within("SendCustomCommand", len, COMMAND_MAX_CONTENT).map_err(|text| Error::invalid("payload", text))
}

pub(crate) fn length_within(action: &str, len: usize, max: usize) -> Result<(), String> {
    match len {
        0 => Err("an empty message".to_owned()),
        len if len > max => {
            let (len, max) = (grouped(len), grouped(max));
            Err(format!("message too long: {len} bytes, {action} takes {max}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
