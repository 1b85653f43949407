//! Makes a [`Message`] of an `rtcmsg_message`. A field that the action does not use must be empty.

use std::cell::Cell;
use std::ffi::c_void;
use std::mem;

use super::constants::*;
use super::input;
use super::rtcmsg_str;
use crate::action::{Action, ActionSpec, Audience, Field, Limits};
use crate::error::Error;
use crate::message::{self, Fields, Message, Payload, Recipients};

/// A message of any action. Start it with `rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);`. Zero means "not
/// given" for every field. A field that the action does not use must not be given. Everything is borrowed until the
/// call returns.
///
/// Ids of Volcengine RTC have 1 to 128 characters: letters, digits, _ @ - and . ; ids of ZEGO are any text without
/// NUL of up to zego.max_id_length bytes; ids of Volcengine IM are numbers from 1 to INT64_MAX. KB is 1,024 bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtcmsg_message {
    /// sizeof(rtcmsg_message), set by RTCMSG_INIT.
    pub struct_size: usize,
    /// One of rtcmsg_action_values. Each value documents the fields it uses.
    pub action: rtcmsg_action,
    /// 0 or RTCMSG_MESSAGE_BINARY.
    pub flags: rtcmsg_message_flags,
    /// Volcengine RTC, ZEGO: the room.
    pub room_id: rtcmsg_str,
    /// Volcengine RTC, ZEGO: the sender that receivers see. It must not be the id of a real user; a fixed one is
    /// advised.
    pub from: rtcmsg_str,
    /// Volcengine RTC, ZEGO: the recipients, each once, up to split.max_recipients. An empty list is an error and
    /// never means all users: that is another action.
    pub to: *const rtcmsg_str,
    /// Number of entries in `to`.
    pub to_count: usize,
    /// Volcengine IM: the conversation.
    pub conversation_id: i64,
    /// Volcengine IM: the sender, a member of the conversation.
    pub sender_id: i64,
    /// Volcengine IM: the receivers, up to split.max_recipients, or the members to leave out, up to
    /// volcengine.p2p_max_users; each once.
    pub user_ids: *const i64,
    /// Number of entries in `user_ids`.
    pub user_id_count: usize,
    /// Volcengine IM: the message type that the app's server and clients agreed on, 1 or more.
    pub msg_type: i32,
    /// Reserved, 0.
    pub reserved: u32,
    /// The content, not empty: UTF-8 text, or any bytes with RTCMSG_MESSAGE_BINARY.
    pub payload: *const c_void,
    /// Length of `payload` in bytes.
    pub payload_len: usize,
}

/// The fields of an `rtcmsg_message`, checked and borrowed from C.
pub(super) struct InputMessage<'a> {
    action: Action,
    flags: u32,
    room_id: &'a str,
    from: &'a str,
    to: Names<'a>,
    conversation_id: i64,
    sender_id: i64,
    user_ids: &'a [i64],
    msg_type: i32,
    payload: &'a [u8],
    max_payload: usize,
}

/// The recipients. Each thread keeps the memory for them, so that a message needs no allocation for them.
struct Names<'a>(Vec<&'a str>);

thread_local! {
    static KEPT: Cell<Vec<&'static str>> = const { Cell::new(Vec::new()) };
}

impl Names<'_> {
    fn new() -> Self {
        Names(emptied(KEPT.try_with(Cell::take).unwrap_or_default()))
    }
}

impl Drop for Names<'_> {
    fn drop(&mut self) {
        const MOST_KEPT: usize = 4096;
        if self.0.capacity() <= MOST_KEPT {
            let names = emptied(mem::take(&mut self.0));
            let _ = KEPT.try_with(|kept| kept.set(names));
        }
    }
}

/// The same memory for borrows of another lifetime: a vector that is collected from its own empty iterator keeps its
/// allocation.
fn emptied<'a>(mut names: Vec<&str>) -> Vec<&'a str> {
    names.clear();
    names.into_iter().map(|_| "").collect()
}

impl<'a> InputMessage<'a> {
    /// # Safety
    /// `message` is NULL or an `rtcmsg_message` whose pointers and lengths hold for the call.
    pub unsafe fn read(message: *const rtcmsg_message, limits: &Limits) -> Result<InputMessage<'a>, Error> {
        // SAFETY: the caller's promise, here and below.
        unsafe {
            let raw = input::versioned(message, "message")?;
            let action = Action::from_u32(raw.action).ok_or_else(|| unknown_action(raw.action))?;
            check_counts(action.spec(), &raw, limits)?;
            let named = |name: &'static str| move || name.to_owned();
            let to = input::list(raw.to, raw.to_count, named("to"))?;
            let mut names = Names::new();
            for (index, id) in to.iter().enumerate() {
                names.0.push(input::text(*id, || format!("to[{index}]"))?);
            }
            let given = InputMessage {
                action,
                flags: raw.flags,
                room_id: input::text(raw.room_id, named("room_id"))?,
                from: input::text(raw.from, named("from"))?,
                to: names,
                conversation_id: raw.conversation_id,
                sender_id: raw.sender_id,
                user_ids: input::list(raw.user_ids, raw.user_id_count, named("user_ids"))?,
                msg_type: raw.msg_type,
                payload: input::list(raw.payload.cast::<u8>(), raw.payload_len, named("payload"))?,
                max_payload: action.spec().payload.max.get(limits),
            };
            if raw.reserved != 0 {
                return Err(Error::invalid("reserved", "must be 0"));
            }
            Ok(given)
        }
    }

    /// The message, if the fields that are given are those of its action.
    pub fn message(&self) -> Result<Message<'_>, Error> {
        let spec = self.action.spec();
        self.check_flags(spec)?;
        self.check_fields(spec)?;
        Ok(Message::of_fields(&Fields {
            action: self.action,
            room_id: self.room_id,
            from: self.from,
            users: self.users(spec)?,
            conversation_id: self.conversation_id,
            sender_id: self.sender_id,
            msg_type: self.msg_type,
            payload: self.payload(spec)?,
        }))
    }

    fn check_flags(&self, spec: &ActionSpec) -> Result<(), Error> {
        MESSAGE_FLAGS.check(self.flags)?;
        if self.flags & RTCMSG_MESSAGE_BINARY != 0 && !spec.payload.accepts_binary {
            return Err(Error::invalid(
                "flags",
                format!("RTCMSG_MESSAGE_BINARY: {} only accepts text", spec.title),
            ));
        }
        Ok(())
    }

    fn check_fields(&self, spec: &ActionSpec) -> Result<(), Error> {
        let given = [
            (Field::RoomId, !self.room_id.is_empty()),
            (Field::From, !self.from.is_empty()),
            (Field::ConversationId, self.conversation_id != 0),
            (Field::SenderId, self.sender_id != 0),
            (Field::MsgType, self.msg_type != 0),
        ];
        match given
            .into_iter()
            .find(|(field, is_given)| *is_given && !spec.uses(*field))
        {
            Some((field, _)) => Err(not_used(spec, field)),
            None => Ok(()),
        }
    }

    fn users(&self, spec: &ActionSpec) -> Result<Recipients<'_>, Error> {
        Ok(match spec.audience {
            Audience::OneUser => match self.to.0[..] {
                [to] => Recipients::One(to),
                _ => {
                    let text = format!("{} recipients; {} needs exactly 1", self.to.0.len(), spec.title);
                    return Err(Error::invalid("to", text));
                }
            },
            Audience::Users { .. } => Recipients::Names(&self.to.0),
            Audience::Members { .. } | Audience::AllMembersExcept { .. } => Recipients::Ids(self.user_ids),
            Audience::Room | Audience::AllMembers => Recipients::All,
        })
    }

    fn payload(&self, spec: &ActionSpec) -> Result<Payload<'a>, Error> {
        if self.flags & RTCMSG_MESSAGE_BINARY != 0 {
            return Ok(Payload::Binary(self.payload));
        }
        // The text is read here to check that it is UTF-8, so its length is checked before. How the vendor counts the length
        // is considered later, and never makes it shorter.
        if self.payload.len() > self.max_payload {
            message::length_within(spec.name, self.payload.len(), self.max_payload)
                .map_err(|text| Error::invalid("payload", text))?;
        }
        std::str::from_utf8(self.payload).map(Payload::Text).map_err(|error| {
            let at = error.valid_up_to();
            Error::invalid(
                "payload",
                format!("is not UTF-8 at byte {at}; to send bytes, set RTCMSG_MESSAGE_BINARY (Volcengine RTC only)"),
            )
        })
    }
}

/// Checks the lengths of the lists before their entries are read: a wrong length may lead out of the caller's memory.
fn check_counts(spec: &ActionSpec, raw: &rtcmsg_message, limits: &Limits) -> Result<(), Error> {
    for (field, count) in [(Field::To, raw.to_count), (Field::UserIds, raw.user_id_count)] {
        if spec.uses(field) {
            message::list_at_most(spec.name, field.name(), count, spec.max_listed(limits))?;
        } else if count > 0 {
            return Err(not_used(spec, field));
        }
    }
    Ok(())
}

fn unknown_action(number: u32) -> Error {
    let text = format!("unknown action {number}; use RTCMSG_ACTION_...");
    Error::invalid("action", text)
}

fn not_used(spec: &ActionSpec, field: Field) -> Error {
    let text = format!("not allowed for {}", spec.title);
    Error::invalid(field.name(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_actions_of_the_header_are_those_of_the_table() {
        use rtcmsg_action_values::*;
        let numbers = [
            RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST,
            RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST,
            RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST,
            RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST,
            RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS,
            RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL,
            RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT,
            RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS,
            RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM,
        ]
        .map(|number| number as u32);
        assert!(Action::ALL.iter().map(|action| *action as u32).eq(numbers));
    }
}
