//! A message of the queue's own: everything that the caller's was borrowed from, copied in one allocation.

use std::hash::{BuildHasher, Hash, Hasher};

use crate::message::{Message, Payload, Recipients, Signal};

/// The texts stand one behind the other: room, sender, payload, then the recipients.
#[derive(Debug)]
pub(super) struct Parcel {
    kind: Kind,
    is_binary: bool,
    room_end: usize,
    from_end: usize,
    payload_end: usize,
    conversation_id: i64,
    sender_id: i64,
    msg_type: i32,
    bytes: Box<[u8]>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Unicast,
    RoomUnicast,
    Batch,
    Broadcast,
    P2pToUsers,
    P2pToAll,
    P2pToAllExcept,
    CommandToUsers,
    CommandToRoom,
}

/// What a message is made of, whatever its action.
struct Fields<'a> {
    kind: Kind,
    room_id: &'a str,
    from: &'a str,
    payload: Payload<'a>,
    recipients: Recipients<'a>,
    signal: Option<Signal<'a>>,
}

impl Parcel {
    pub fn pack(message: &Message) -> Parcel {
        let Fields {
            kind,
            room_id,
            from,
            payload,
            recipients,
            signal,
        } = fields(message);
        let (payload, is_binary) = match payload {
            Payload::Text(text) => (text.as_bytes(), false),
            Payload::Binary(bytes) => (bytes, true),
        };
        let room_end = room_id.len();
        let from_end = room_end + from.len();
        let payload_end = from_end + payload.len();
        let mut bytes = Vec::with_capacity(payload_end + recipients_len(recipients));
        bytes.extend_from_slice(room_id.as_bytes());
        bytes.extend_from_slice(from.as_bytes());
        bytes.extend_from_slice(payload);
        match recipients {
            Recipients::Everybody => {}
            Recipients::One(name) => push_name(&mut bytes, name),
            Recipients::Names(names) => names.iter().for_each(|name| push_name(&mut bytes, name)),
            Recipients::Ids(ids) => ids.iter().for_each(|id| bytes.extend_from_slice(&id.to_ne_bytes())),
        }
        Parcel {
            kind,
            is_binary,
            room_end,
            from_end,
            payload_end,
            conversation_id: signal.map_or(0, |signal| signal.conversation_id),
            sender_id: signal.map_or(0, |signal| signal.sender_id),
            msg_type: signal.map_or(0, |signal| signal.msg_type),
            bytes: bytes.into_boxed_slice(),
        }
    }

    /// What it takes of `queue.max_bytes`.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Gives the message to whoever needs it, borrowed from here.
    pub fn open<T>(&self, reader: impl FnOnce(&Message) -> T) -> T {
        let room_id = self.text(0, self.room_end);
        let from = self.text(self.room_end, self.from_end);
        let content = &self.bytes[self.from_end..self.payload_end];
        let payload = if self.is_binary {
            Payload::Binary(content)
        } else {
            Payload::Text(self.text(self.from_end, self.payload_end))
        };
        let content = self.text(
            self.from_end,
            if self.is_binary {
                self.from_end
            } else {
                self.payload_end
            },
        );
        let signal = Signal {
            conversation_id: self.conversation_id,
            sender_id: self.sender_id,
            msg_type: self.msg_type,
            content,
        };
        let one = || self.names().next().unwrap_or_default();
        match self.kind {
            Kind::Unicast => reader(&Message::SendUnicast {
                from,
                to: one(),
                payload,
            }),
            Kind::RoomUnicast => reader(&Message::SendRoomUnicast {
                room_id,
                from,
                to: one(),
                payload,
            }),
            Kind::Batch => reader(&Message::BatchSendRoomUnicast {
                room_id,
                from,
                to: &self.names().collect::<Vec<_>>(),
                payload,
            }),
            Kind::Broadcast => reader(&Message::SendBroadcast { room_id, from, payload }),
            Kind::P2pToUsers => reader(&Message::P2PSendMessageToUsers {
                signal,
                user_ids: &self.ids(),
            }),
            Kind::P2pToAll => reader(&Message::P2PSendMessageToAll { signal }),
            Kind::P2pToAllExcept => reader(&Message::P2PSendMessageToAllExcept {
                signal,
                user_ids: &self.ids(),
            }),
            Kind::CommandToUsers => reader(&Message::SendCustomCommandToUsers {
                room_id,
                from,
                to: &self.names().collect::<Vec<_>>(),
                content,
            }),
            Kind::CommandToRoom => reader(&Message::SendCustomCommandToRoom { room_id, from, content }),
        }
    }

    // Copied from text, so it is text.
    fn text(&self, start: usize, end: usize) -> &str {
        std::str::from_utf8(&self.bytes[start..end]).unwrap_or_default()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let mut at = self.payload_end;
        std::iter::from_fn(move || {
            let len = self.bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)? as usize;
            let name = self.text(at + 4, at + 4 + len);
            at += 4 + len;
            Some(name)
        })
    }

    fn ids(&self) -> Vec<i64> {
        let chunks = self.bytes[self.payload_end..].chunks_exact(8);
        chunks
            .filter_map(|id| Some(i64::from_ne_bytes(id.try_into().ok()?)))
            .collect()
    }
}

/// The messages of one destination keep their order: room and user, room, user, or conversation.
pub(super) fn destination(message: &Message, hasher: &impl BuildHasher) -> u64 {
    let Fields {
        room_id,
        recipients,
        signal,
        ..
    } = fields(message);
    let user = match recipients {
        Recipients::One(name) | Recipients::Names(&[name]) => name,
        _ => "",
    };
    let mut state = hasher.build_hasher();
    (message.vendor() as u32).hash(&mut state);
    match signal {
        Some(signal) => signal.conversation_id.hash(&mut state),
        None => (room_id, user).hash(&mut state),
    }
    state.finish()
}

fn fields<'a>(message: &Message<'a>) -> Fields<'a> {
    let (kind, room_id, from, payload, signal) = match *message {
        Message::SendUnicast { from, payload, .. } => (Kind::Unicast, "", from, payload, None),
        Message::SendRoomUnicast {
            room_id, from, payload, ..
        } => (Kind::RoomUnicast, room_id, from, payload, None),
        Message::BatchSendRoomUnicast {
            room_id, from, payload, ..
        } => (Kind::Batch, room_id, from, payload, None),
        Message::SendBroadcast { room_id, from, payload } => (Kind::Broadcast, room_id, from, payload, None),
        Message::P2PSendMessageToUsers { signal, .. } => {
            (Kind::P2pToUsers, "", "", Payload::Text(signal.content), Some(signal))
        }
        Message::P2PSendMessageToAll { signal } => {
            (Kind::P2pToAll, "", "", Payload::Text(signal.content), Some(signal))
        }
        Message::P2PSendMessageToAllExcept { signal, .. } => (
            Kind::P2pToAllExcept,
            "",
            "",
            Payload::Text(signal.content),
            Some(signal),
        ),
        Message::SendCustomCommandToUsers {
            room_id, from, content, ..
        } => (Kind::CommandToUsers, room_id, from, Payload::Text(content), None),
        Message::SendCustomCommandToRoom { room_id, from, content } => {
            (Kind::CommandToRoom, room_id, from, Payload::Text(content), None)
        }
    };
    let recipients = match *message {
        Message::P2PSendMessageToAllExcept { user_ids, .. } => Recipients::Ids(user_ids),
        _ => message.recipients(),
    };
    Fields {
        kind,
        room_id,
        from,
        payload,
        recipients,
        signal,
    }
}

fn push_name(bytes: &mut Vec<u8>, name: &str) {
    // No id is longer than what fits: `validate` has held it to far less.
    bytes.extend_from_slice(&(name.len() as u32).to_ne_bytes());
    bytes.extend_from_slice(name.as_bytes());
}

fn recipients_len(recipients: Recipients) -> usize {
    match recipients {
        Recipients::Everybody => 0,
        Recipients::One(name) => 4 + name.len(),
        Recipients::Names(names) => names.iter().map(|name| 4 + name.len()).sum(),
        Recipients::Ids(ids) => 8 * ids.len(),
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasherDefault;

    use super::*;

    fn messages() -> Vec<Message<'static>> {
        let payload = Payload::Text("你好");
        let signal = Signal {
            conversation_id: i64::MAX,
            sender_id: 7,
            msg_type: 10013,
            content: "{}",
        };
        let (room_id, from) = ("lobby", "server");
        vec![
            Message::SendUnicast {
                from,
                to: "alice",
                payload,
            },
            Message::SendRoomUnicast {
                room_id,
                from,
                to: "bob",
                payload: Payload::Binary(&[0, 255, 254]),
            },
            Message::BatchSendRoomUnicast {
                room_id,
                from,
                to: &["alice", "b", "查理"],
                payload,
            },
            Message::SendBroadcast { room_id, from, payload },
            Message::P2PSendMessageToUsers {
                signal,
                user_ids: &[1, i64::MAX],
            },
            Message::P2PSendMessageToAll { signal },
            Message::P2PSendMessageToAllExcept { signal, user_ids: &[3] },
            Message::SendCustomCommandToUsers {
                room_id,
                from,
                to: &["alice"],
                content: "c",
            },
            Message::SendCustomCommandToRoom {
                room_id,
                from,
                content: "c",
            },
        ]
    }

    #[test]
    fn what_is_packed_comes_out_as_it_was() {
        for message in messages() {
            Parcel::pack(&message).open(|opened| assert_eq!(*opened, message));
        }
    }

    #[test]
    fn a_destination_is_the_room_and_user_the_room_the_user_or_the_conversation() {
        let hasher = BuildHasherDefault::<std::hash::DefaultHasher>::default();
        let of = |message: &Message| destination(message, &hasher);
        let all = messages();
        let keys: Vec<u64> = all.iter().map(of).collect();
        assert_eq!(keys[2], keys[3], "a list in a room goes to the room");
        assert!(keys[4] == keys[5] && keys[5] == keys[6], "one conversation");
        let distinct: std::collections::HashSet<u64> = keys.iter().copied().collect();
        assert_eq!(distinct.len(), 6, "and the vendors have rooms of their own");
    }
}
