//! `rtcmsg_message` into a [`Message`]: a field that the action has no use for must be empty.

use std::cell::Cell;
use std::ffi::c_void;
use std::mem;

use super::constants::*;
use super::input;
use super::rtcmsg_str;
use crate::error::Error;
use crate::message::{self, Limits, Message, Payload, Signal};

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

/// The checked fields, borrowed from C, with what is allocated to borrow from.
pub(super) struct Fields<'a> {
    action: u32,
    uses: Uses,
    flags: u32,
    room_id: &'a str,
    from: &'a str,
    to: Names<'a>,
    conversation_id: i64,
    sender_id: i64,
    user_ids: &'a [i64],
    msg_type: i32,
    payload: &'a [u8],
}

/// The recipients. The room for them is the thread's own, and is not allocated for each message.
struct Names<'a>(Vec<&'a str>);

thread_local! {
    static ROOM: Cell<Vec<&'static str>> = const { Cell::new(Vec::new()) };
}

impl Names<'_> {
    fn new() -> Self {
        Names(emptied(ROOM.try_with(Cell::take).unwrap_or_default()))
    }
}

impl Drop for Names<'_> {
    fn drop(&mut self) {
        const MOST_KEPT: usize = 4096;
        if self.0.capacity() <= MOST_KEPT {
            let room = emptied(mem::take(&mut self.0));
            let _ = ROOM.try_with(|kept| kept.set(room));
        }
    }
}

/// The same room for borrows of another lifetime: a vector collected from its own empty rest keeps its allocation.
fn emptied<'a>(mut names: Vec<&str>) -> Vec<&'a str> {
    names.clear();
    names.into_iter().map(|_| "").collect()
}

/// The fields an action uses, besides the payload that all have.
struct Uses {
    action: &'static str,
    binary: bool,
    room_id: bool,
    from: bool,
    im: bool,
    /// How many entries the list may have; 0 if the action has no use for it.
    to: usize,
    user_ids: usize,
    /// How many bytes the payload may have; how they are counted is looked at later, and never makes fewer of them.
    payload: usize,
}

impl Uses {
    fn of(action: u32, limits: &Limits) -> Result<Uses, Error> {
        let rtc = |action, room_id, to| Uses {
            action,
            binary: true,
            room_id,
            from: true,
            im: false,
            to,
            user_ids: 0,
            payload: message::UNICAST_MAX_PAYLOAD,
        };
        let im = |action, user_ids| Uses {
            action,
            binary: false,
            room_id: false,
            from: false,
            im: true,
            to: 0,
            user_ids,
            payload: limits.p2p_max_content,
        };
        let zego = |action, to| Uses {
            binary: false,
            payload: message::COMMAND_MAX_CONTENT,
            ..rtc(action, true, to)
        };
        let most = limits.max_recipients;
        Ok(match action {
            RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST => rtc("SendUnicast", false, 1),
            RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST => rtc("SendRoomUnicast", true, 1),
            RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST => Uses {
                payload: message::BATCH_MAX_PAYLOAD,
                ..rtc("BatchSendRoomUnicast", true, most)
            },
            RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST => rtc("SendBroadcast", true, 0),
            RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS => im("P2PSendMessage to users", most),
            RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL => im("P2PSendMessage to all", 0),
            RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT => {
                im("P2PSendMessage to all except", limits.p2p_max_users)
            }
            RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS => zego("SendCustomCommand to users", most),
            RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM => zego("SendCustomCommand to the room", 0),
            unknown => return Err(no_action(unknown)),
        })
    }

    /// Looks at the counts alone: a wrong one may lead out of the caller's memory.
    fn check_counts(&self, to: usize, user_ids: usize) -> Result<(), Error> {
        for (field, count, most) in [("to", to, self.to), ("user_ids", user_ids, self.user_ids)] {
            if most == 0 && count > 0 {
                return Err(self.has_no_use_for(field));
            }
            message::list_at_most(self.name_on_the_wire(), field, count, most)?;
        }
        Ok(())
    }

    /// The same for the length of a text, which is read to see whether it is UTF-8.
    fn check_length(&self, len: usize) -> Result<(), Error> {
        if len <= self.payload {
            return Ok(());
        }
        let within = message::length_within(self.name_on_the_wire(), len, self.payload);
        within.map_err(|text| Error::invalid("payload", text))
    }

    /// Without the words that tell this action from another of the same name: `P2PSendMessage`.
    fn name_on_the_wire(&self) -> &'static str {
        self.action.split(' ').next().unwrap_or(self.action)
    }

    fn has_no_use_for(&self, field: &'static str) -> Error {
        Error::invalid(field, format!("is given, but {} has no use for it", self.action))
    }
}

fn no_action(unknown: u32) -> Error {
    let text = format!("{unknown} is no action; take one of RTCMSG_VOLCENGINE_… and RTCMSG_ZEGO_…");
    Error::invalid("action", text)
}

impl<'a> Fields<'a> {
    /// # Safety
    /// `message` is NULL or an `rtcmsg_message` whose pointers and lengths hold for the call.
    pub unsafe fn read(message: *const rtcmsg_message, limits: &Limits) -> Result<Fields<'a>, Error> {
        // SAFETY: the caller's promise, here and below.
        unsafe {
            let raw = input::versioned(message, "message")?;
            let uses = Uses::of(raw.action, limits)?;
            uses.check_counts(raw.to_count, raw.user_id_count)?;
            let named = |name: &'static str| move || name.to_owned();
            let to = input::list(raw.to, raw.to_count, named("to"))?;
            let mut names = Names::new();
            for (index, id) in to.iter().enumerate() {
                names.0.push(input::text(*id, || format!("to[{index}]"))?);
            }
            let fields = Fields {
                action: raw.action,
                uses,
                flags: raw.flags,
                room_id: input::text(raw.room_id, named("room_id"))?,
                from: input::text(raw.from, named("from"))?,
                to: names,
                conversation_id: raw.conversation_id,
                sender_id: raw.sender_id,
                user_ids: input::list(raw.user_ids, raw.user_id_count, named("user_ids"))?,
                msg_type: raw.msg_type,
                payload: input::list(raw.payload.cast::<u8>(), raw.payload_len, named("payload"))?,
            };
            if raw.reserved != 0 {
                return Err(Error::invalid("reserved", "must be 0"));
            }
            Ok(fields)
        }
    }

    /// The message, if the fields are those of its action.
    pub fn message(&self) -> Result<Message<'_>, Error> {
        self.check_use()?;
        let (room_id, from) = (self.room_id, self.from);
        match self.action {
            RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST => Ok(Message::SendUnicast {
                from,
                to: self.only_recipient()?,
                payload: self.payload()?,
            }),
            RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST => Ok(Message::SendRoomUnicast {
                room_id,
                from,
                to: self.only_recipient()?,
                payload: self.payload()?,
            }),
            RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST => Ok(Message::BatchSendRoomUnicast {
                room_id,
                from,
                to: &self.to.0,
                payload: self.payload()?,
            }),
            RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST => Ok(Message::SendBroadcast {
                room_id,
                from,
                payload: self.payload()?,
            }),
            RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS => Ok(Message::P2PSendMessageToUsers {
                signal: self.signal()?,
                user_ids: self.user_ids,
            }),
            RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL => {
                Ok(Message::P2PSendMessageToAll { signal: self.signal()? })
            }
            RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT => Ok(Message::P2PSendMessageToAllExcept {
                signal: self.signal()?,
                user_ids: self.user_ids,
            }),
            RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS => Ok(Message::SendCustomCommandToUsers {
                room_id,
                from,
                to: &self.to.0,
                content: self.text()?,
            }),
            RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM => Ok(Message::SendCustomCommandToRoom {
                room_id,
                from,
                content: self.text()?,
            }),
            unknown => Err(no_action(unknown)),
        }
    }

    fn check_use(&self) -> Result<(), Error> {
        let uses = &self.uses;
        MESSAGE_FLAGS.check(self.flags)?;
        if self.flags & RTCMSG_MESSAGE_BINARY != 0 && !uses.binary {
            return Err(Error::invalid(
                "flags",
                format!("RTCMSG_MESSAGE_BINARY: {} takes text alone", uses.action),
            ));
        }
        let given = [
            ("room_id", uses.room_id, !self.room_id.is_empty()),
            ("from", uses.from, !self.from.is_empty()),
            ("conversation_id", uses.im, self.conversation_id != 0),
            ("sender_id", uses.im, self.sender_id != 0),
            ("msg_type", uses.im, self.msg_type != 0),
        ];
        match given.into_iter().find(|(_, is_used, is_given)| *is_given && !is_used) {
            Some((field, ..)) => Err(uses.has_no_use_for(field)),
            None => Ok(()),
        }
    }

    fn only_recipient(&self) -> Result<&'a str, Error> {
        match self.to.0[..] {
            [to] => Ok(to),
            _ => Err(Error::invalid(
                "to",
                format!("{} recipients, {} takes 1", self.to.0.len(), self.uses.action),
            )),
        }
    }

    fn signal(&self) -> Result<Signal<'a>, Error> {
        Ok(Signal {
            conversation_id: self.conversation_id,
            sender_id: self.sender_id,
            msg_type: self.msg_type,
            content: self.text()?,
        })
    }

    fn payload(&self) -> Result<Payload<'a>, Error> {
        if self.flags & RTCMSG_MESSAGE_BINARY != 0 {
            return Ok(Payload::Binary(self.payload));
        }
        self.text().map(Payload::Text)
    }

    fn text(&self) -> Result<&'a str, Error> {
        self.uses.check_length(self.payload.len())?;
        std::str::from_utf8(self.payload).map_err(|error| {
            let at = error.valid_up_to();
            Error::invalid(
                "payload",
                format!("is not UTF-8 at byte {at}; bytes go with RTCMSG_MESSAGE_BINARY, on Volcengine RTC"),
            )
        })
    }
}
