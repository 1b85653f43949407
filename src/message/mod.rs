//! A message: one variant for each action, with only that action's fields, and the checks before any I/O.
//!
//! An empty list is an error and never means "all": there are separate actions to reach a room or a whole conversation.

use std::cell::Cell;
use std::hash::{BuildHasher, Hash, RandomState};

use crate::action::{Action, ActionSpec, Api, Audience, Field, Limits, PayloadCount, Vendor};
use crate::error::{Error, grouped};
use crate::util::percent;

/// The content of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    Text(&'a str),
    /// Bytes, which are sent as base64. Receivers get them on their binary callback.
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
    /// Volcengine RTC, to a list of users in a room. A list of more than 600 is split into several requests. Up to 20 KB.
    BatchSendRoomUnicast {
        room_id: &'a str,
        from: &'a str,
        to: &'a [&'a str],
        payload: Payload<'a>,
    },
    /// Volcengine RTC, to every user in a room. Up to 64 KB.
    SendBroadcast {
        room_id: &'a str,
        from: &'a str,
        payload: Payload<'a>,
    },
    /// Volcengine IM, to a list of members of a conversation.
    P2PSendMessageToUsers { signal: Signal<'a>, user_ids: &'a [i64] },
    /// Volcengine IM, to every member of a conversation.
    P2PSendMessageToAll { signal: Signal<'a> },
    /// Volcengine IM, to every member of a conversation except those in the list.
    P2PSendMessageToAllExcept { signal: Signal<'a>, user_ids: &'a [i64] },
    /// ZEGO, to a list of users in a room. A list of more than 10 is split into several requests. Up to 1,024 bytes.
    SendCustomCommandToUsers {
        room_id: &'a str,
        from: &'a str,
        to: &'a [&'a str],
        content: &'a str,
    },
    /// ZEGO, to every user in a room except a client whose id is `from`. Up to 1,024 bytes.
    SendCustomCommandToRoom {
        room_id: &'a str,
        from: &'a str,
        content: &'a str,
    },
}

/// The fields that the three P2PSendMessage actions share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal<'a> {
    pub conversation_id: i64,
    pub sender_id: i64,
    /// The type that the app's server and its clients agree on, such as 10013.
    pub msg_type: i32,
    pub content: &'a str,
}

/// Every field that a message may have, whatever its action. A field that the action does not use is empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    pub action: Action,
    pub room_id: &'a str,
    pub from: &'a str,
    /// The users that the message lists, to reach them or to leave them out.
    pub users: Recipients<'a>,
    pub conversation_id: i64,
    pub sender_id: i64,
    pub msg_type: i32,
    pub payload: Payload<'a>,
}

// VENDORS.md, The messages.
const VOLCENGINE_MAX_ID_LENGTH: usize = 128;

impl<'a> Message<'a> {
    /// The action that sends it.
    pub fn action(&self) -> Action {
        match self {
            Message::SendUnicast { .. } => Action::VolcengineSendUnicast,
            Message::SendRoomUnicast { .. } => Action::VolcengineSendRoomUnicast,
            Message::BatchSendRoomUnicast { .. } => Action::VolcengineBatchSendRoomUnicast,
            Message::SendBroadcast { .. } => Action::VolcengineSendBroadcast,
            Message::P2PSendMessageToUsers { .. } => Action::VolcengineP2PSendMessageToUsers,
            Message::P2PSendMessageToAll { .. } => Action::VolcengineP2PSendMessageToAll,
            Message::P2PSendMessageToAllExcept { .. } => Action::VolcengineP2PSendMessageToAllExcept,
            Message::SendCustomCommandToUsers { .. } => Action::ZegoSendCustomCommandToUsers,
            Message::SendCustomCommandToRoom { .. } => Action::ZegoSendCustomCommandToRoom,
        }
    }

    pub fn vendor(&self) -> Vendor {
        self.action().vendor()
    }

    /// The recipients that the caller named, in the caller's order. Empty when the message goes to a room or a whole
    /// conversation.
    pub fn recipients(&self) -> Recipients<'a> {
        match self.action().spec().audience {
            Audience::OneUser | Audience::Users { .. } | Audience::Members { .. } => self.fields().users,
            Audience::Room | Audience::AllMembers | Audience::AllMembersExcept { .. } => Recipients::All,
        }
    }

    /// The members of a conversation that do not get the message.
    pub(crate) fn left_out(&self) -> &'a [i64] {
        match self.action().spec().audience {
            Audience::AllMembersExcept { .. } => self.fields().users.ids(),
            Audience::OneUser
            | Audience::Users { .. }
            | Audience::Room
            | Audience::Members { .. }
            | Audience::AllMembers => &[],
        }
    }

    /// The payload as bytes.
    pub(crate) fn payload(&self) -> &'a [u8] {
        self.fields().payload.as_bytes()
    }

    /// The fields of the message, whatever its action.
    pub(crate) fn fields(&self) -> Fields<'a> {
        let (room_id, from, users, payload) = match *self {
            Message::SendUnicast { from, to, payload } => ("", from, Recipients::One(to), payload),
            Message::SendRoomUnicast {
                room_id,
                from,
                to,
                payload,
            } => (room_id, from, Recipients::One(to), payload),
            Message::BatchSendRoomUnicast {
                room_id,
                from,
                to,
                payload,
            } => (room_id, from, Recipients::Names(to), payload),
            Message::SendBroadcast { room_id, from, payload } => (room_id, from, Recipients::All, payload),
            Message::P2PSendMessageToUsers { signal, user_ids }
            | Message::P2PSendMessageToAllExcept { signal, user_ids } => {
                return signal.fields(self.action(), Recipients::Ids(user_ids));
            }
            Message::P2PSendMessageToAll { signal } => return signal.fields(self.action(), Recipients::All),
            Message::SendCustomCommandToUsers {
                room_id,
                from,
                to,
                content,
            } => (room_id, from, Recipients::Names(to), Payload::Text(content)),
            Message::SendCustomCommandToRoom { room_id, from, content } => {
                (room_id, from, Recipients::All, Payload::Text(content))
            }
        };
        Fields {
            action: self.action(),
            room_id,
            from,
            users,
            conversation_id: 0,
            sender_id: 0,
            msg_type: 0,
            payload,
        }
    }

    /// The message with these fields. Fields that its action does not use are ignored.
    pub(crate) fn of_fields(fields: &Fields<'a>) -> Message<'a> {
        let Fields {
            action,
            room_id,
            from,
            users,
            payload,
            ..
        } = *fields;
        match action {
            Action::VolcengineSendUnicast => Message::SendUnicast {
                from,
                to: users.one(),
                payload,
            },
            Action::VolcengineSendRoomUnicast => Message::SendRoomUnicast {
                room_id,
                from,
                to: users.one(),
                payload,
            },
            Action::VolcengineBatchSendRoomUnicast => Message::BatchSendRoomUnicast {
                room_id,
                from,
                to: users.names(),
                payload,
            },
            Action::VolcengineSendBroadcast => Message::SendBroadcast { room_id, from, payload },
            Action::VolcengineP2PSendMessageToUsers => Message::P2PSendMessageToUsers {
                signal: Signal::of_fields(fields),
                user_ids: users.ids(),
            },
            Action::VolcengineP2PSendMessageToAll => Message::P2PSendMessageToAll {
                signal: Signal::of_fields(fields),
            },
            Action::VolcengineP2PSendMessageToAllExcept => Message::P2PSendMessageToAllExcept {
                signal: Signal::of_fields(fields),
                user_ids: users.ids(),
            },
            Action::ZegoSendCustomCommandToUsers => Message::SendCustomCommandToUsers {
                room_id,
                from,
                to: users.names(),
                content: payload.text(),
            },
            Action::ZegoSendCustomCommandToRoom => Message::SendCustomCommandToRoom {
                room_id,
                from,
                content: payload.text(),
            },
        }
    }

    /// Checks the message against the vendor's rules, in the order of its action's fields. No request is sent for a message
    /// that is refused here.
    pub(crate) fn validate(&self, limits: &Limits) -> Result<(), Error> {
        let fields = self.fields();
        let spec = fields.action.spec();
        for field in spec.fields {
            match field {
                Field::RoomId => text_id(spec.api, "room_id", fields.room_id, limits)?,
                Field::From => text_id(spec.api, "from", fields.from, limits)?,
                Field::To | Field::UserIds => fields.validate_users(spec, limits)?,
                Field::ConversationId => positive("conversation_id", fields.conversation_id)?,
                Field::SenderId => positive("sender_id", fields.sender_id)?,
                Field::MsgType => positive("msg_type", fields.msg_type.into())?,
                Field::Payload => payload_within(spec, fields.payload, limits)?,
            }
        }
        Ok(())
    }
}

impl Fields<'_> {
    fn validate_users(&self, spec: &ActionSpec, limits: &Limits) -> Result<(), Error> {
        let max = spec.max_listed(limits);
        match self.users {
            Recipients::All => Ok(()),
            Recipients::One(to) => text_id(spec.api, "to", to, limits),
            Recipients::Names(to) => {
                list_within(spec.name, "to", to.len(), max)?;
                each(to, |field, id| {
                    text_id(spec.api, field, id, limits)?;
                    if id == self.from && !spec.reaches_sender {
                        let text = format!(
                            "the sender cannot be among the recipients: {} does not deliver to the sender",
                            spec.name
                        );
                        return Err(Error::invalid(field.to_owned(), text));
                    }
                    Ok(())
                })
            }
            Recipients::Ids(user_ids) => {
                list_within(spec.name, "user_ids", user_ids.len(), max)?;
                each_id(user_ids)
            }
        }
    }
}

impl<'a> Payload<'a> {
    pub(crate) fn as_bytes(self) -> &'a [u8] {
        match self {
            Payload::Text(text) => text.as_bytes(),
            Payload::Binary(bytes) => bytes,
        }
    }

    /// The text, empty for bytes: an action whose payload is text refuses bytes before.
    fn text(self) -> &'a str {
        match self {
            Payload::Text(text) => text,
            Payload::Binary(_) => "",
        }
    }
}

#[cfg(any(test, fuzzing))]
impl<'a> Message<'a> {
    /// A message of Volcengine to these recipients: by RTC to names, by IM to ids and to all members.
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
            Recipients::All => Message::P2PSendMessageToAll { signal },
        }
    }
}

impl<'a> Signal<'a> {
    fn fields(self, action: Action, users: Recipients<'a>) -> Fields<'a> {
        Fields {
            action,
            room_id: "",
            from: "",
            users,
            conversation_id: self.conversation_id,
            sender_id: self.sender_id,
            msg_type: self.msg_type,
            payload: Payload::Text(self.content),
        }
    }

    fn of_fields(fields: &Fields<'a>) -> Signal<'a> {
        Signal {
            conversation_id: fields.conversation_id,
            sender_id: fields.sender_id,
            msg_type: fields.msg_type,
            content: fields.payload.text(),
        }
    }
}

/// The users that a message lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipients<'a> {
    /// The message lists no users: it is for all users of a room or a conversation.
    All,
    One(&'a str),
    Names(&'a [&'a str]),
    Ids(&'a [i64]),
}

impl<'a> Recipients<'a> {
    /// The only name, or an empty one, which no action accepts.
    fn one(self) -> &'a str {
        match self {
            Recipients::One(name) | Recipients::Names(&[name]) => name,
            Recipients::All | Recipients::Names(_) | Recipients::Ids(_) => "",
        }
    }

    fn names(self) -> &'a [&'a str] {
        match self {
            Recipients::Names(names) => names,
            Recipients::All | Recipients::One(_) | Recipients::Ids(_) => &[],
        }
    }

    fn ids(self) -> &'a [i64] {
        match self {
            Recipients::Ids(ids) => ids,
            Recipients::All | Recipients::One(_) | Recipients::Names(_) => &[],
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Recipients::All => 0,
            Recipients::One(_) => 1,
            Recipients::Names(names) => names.len(),
            Recipients::Ids(ids) => ids.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn text_id(api: Api, field: &str, id: &str, limits: &Limits) -> Result<(), Error> {
    match api {
        Api::VolcengineRtc | Api::VolcengineIm => volcengine_id(field, id),
        Api::Zego => zego_id(field, id, limits),
    }
}

/// An id must match `[a-zA-Z0-9_@\-.]{1,128}`. VENDORS.md, The messages.
fn volcengine_id(field: &str, id: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '@' | '-' | '.');
    if id.is_empty() {
        return Err(Error::invalid(field.to_owned(), "must not be empty"));
    }
    if let Some(c) = id.chars().find(|c| !allowed(*c)) {
        let text = format!(
            "contains '{}'; Volcengine ids consist of letters, digits, _ @ - and .",
            c.escape_debug()
        );
        return Err(Error::invalid(field.to_owned(), text));
    }
    if id.len() > VOLCENGINE_MAX_ID_LENGTH {
        let text = format!(
            "is {} characters long; Volcengine ids have at most {VOLCENGINE_MAX_ID_LENGTH}",
            grouped(id.len())
        );
        return Err(Error::invalid(field.to_owned(), text));
    }
    Ok(())
}

/// Any text without NUL: ZEGO documents no rule for the characters of an id. VENDORS.md, SendCustomCommand.
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
        format!("is {number}; it must be 1 or more"),
    ))
}

fn list_within(action: &str, field: &'static str, len: usize, max: usize) -> Result<(), Error> {
    if len == 0 {
        let text = format!(
            "the list is empty; {action} accepts 1 to {} entries, and a separate action sends to all",
            grouped(max)
        );
        return Err(Error::invalid(field, text));
    }
    list_at_most(action, field, len, max)
}

pub(crate) fn list_at_most(action: &str, field: &'static str, len: usize, max: usize) -> Result<(), Error> {
    if len > max {
        let text = format!("{} recipients; {action} accepts at most {}", grouped(len), grouped(max));
        return Err(Error::invalid(field, text));
    }
    Ok(())
}

/// Checks every name of a list, and that the list has no name twice. Errors name the position: `to[3]`.
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
    let position = |index: usize| format!("{field}[{index}]");
    let duplicate = first_duplicate(items);
    for (index, item) in items.iter().enumerate() {
        check(item).map_err(|error| Error {
            field: position(index).into(),
            ..error
        })?;
        if duplicate == Some(index) {
            return Err(Error::invalid(position(index), twice));
        }
    }
    Ok(())
}

/// The index of the first item that equals an earlier one. Each thread keeps its table, so that a check allocates nothing.
fn first_duplicate<T: Hash + Eq>(items: &[T]) -> Option<usize> {
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
    // While a thread exits, its table may already be dropped.
    let mut table = TABLE.try_with(Cell::take).unwrap_or_default();
    table.clear();
    table.resize(size, FREE);
    let duplicate = HASHER.with(|hasher| {
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
    duplicate
}

fn payload_within(spec: &ActionSpec, payload: Payload, limits: &Limits) -> Result<(), Error> {
    let bytes = payload.as_bytes();
    let len = match (spec.payload.counts, payload) {
        (PayloadCount::BytesOrBase64, Payload::Binary(bytes)) if limits.binary_counts_as_base64 => {
            bytes.len().div_ceil(3) * 4
        }
        (PayloadCount::BytesOrEncoded, Payload::Text(text)) if limits.command_counts_as_encoded => {
            percent::encode(text).len()
        }
        (PayloadCount::Bytes | PayloadCount::BytesOrBase64 | PayloadCount::BytesOrEncoded, _) => bytes.len(),
    };
    length_within(spec.name, len, spec.payload.max.get(limits)).map_err(|text| Error::invalid("payload", text))
}

pub(crate) fn length_within(action: &str, len: usize, max: usize) -> Result<(), String> {
    match len {
        0 => Err("the message is empty".to_owned()),
        len if len > max => {
            let (len, max) = (grouped(len), grouped(max));
            Err(format!("message too long: {len} bytes; {action} accepts at most {max}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
