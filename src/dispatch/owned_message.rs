//! A message that owns its data: everything that the caller's message borrows, copied into one allocation.

use std::hash::{BuildHasher, Hash, Hasher};

use crate::action::{Action, Audience, OrderKey};
use crate::message::{Fields, Message, Payload, Recipients};

/// The buffer holds the room, the sender, the payload and then the users that the message lists: a name as its length and
/// its text, an id as 8 bytes.
#[derive(Debug)]
pub(super) struct OwnedMessage {
    action: Action,
    is_binary: bool,
    room_end: usize,
    from_end: usize,
    payload_end: usize,
    conversation_id: i64,
    sender_id: i64,
    msg_type: i32,
    bytes: Box<[u8]>,
}

impl OwnedMessage {
    pub fn from_message(message: &Message) -> OwnedMessage {
        let Fields {
            action,
            room_id,
            from,
            users,
            conversation_id,
            sender_id,
            msg_type,
            payload,
        } = message.fields();
        let is_binary = matches!(payload, Payload::Binary(_));
        let payload = payload.as_bytes();
        let room_end = room_id.len();
        let from_end = room_end + from.len();
        let payload_end = from_end + payload.len();
        let mut bytes = Vec::with_capacity(payload_end + users_len(users));
        bytes.extend_from_slice(room_id.as_bytes());
        bytes.extend_from_slice(from.as_bytes());
        bytes.extend_from_slice(payload);
        match users {
            Recipients::All => {}
            Recipients::One(name) => push_name(&mut bytes, name),
            Recipients::Names(names) => names.iter().for_each(|name| push_name(&mut bytes, name)),
            Recipients::Ids(ids) => ids.iter().for_each(|id| bytes.extend_from_slice(&id.to_ne_bytes())),
        }
        OwnedMessage {
            action,
            is_binary,
            room_end,
            from_end,
            payload_end,
            conversation_id,
            sender_id,
            msg_type,
            bytes: bytes.into_boxed_slice(),
        }
    }

    /// The size of the buffer, which counts towards the byte limit of the queue.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Rebuilds the message, which borrows from this buffer, and passes it to `reader`.
    pub fn with_message<T>(&self, reader: impl FnOnce(&Message) -> T) -> T {
        let payload = if self.is_binary {
            Payload::Binary(&self.bytes[self.from_end..self.payload_end])
        } else {
            Payload::Text(self.text(self.from_end, self.payload_end))
        };
        let read = |users| {
            reader(&Message::of_fields(&Fields {
                action: self.action,
                room_id: self.text(0, self.room_end),
                from: self.text(self.room_end, self.from_end),
                users,
                conversation_id: self.conversation_id,
                sender_id: self.sender_id,
                msg_type: self.msg_type,
                payload,
            }))
        };
        match self.action.spec().audience {
            Audience::OneUser => read(Recipients::One(self.names().next().unwrap_or_default())),
            Audience::Users { .. } => read(Recipients::Names(&self.names().collect::<Vec<_>>())),
            Audience::Members { .. } | Audience::AllMembersExcept { .. } => read(Recipients::Ids(&self.ids())),
            Audience::Room | Audience::AllMembers => read(Recipients::All),
        }
    }

    // Always valid UTF-8: the range was copied from a `str`.
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

/// Identifies the destination within which messages keep their order: room and user, room, user, or conversation.
pub(super) fn destination_key(message: &Message, hasher: &impl BuildHasher) -> u64 {
    let fields = message.fields();
    let mut state = hasher.build_hasher();
    (fields.action.vendor() as u32).hash(&mut state);
    match fields.action.spec().order_key {
        OrderKey::Conversation => fields.conversation_id.hash(&mut state),
        OrderKey::RoomAndUser => {
            let user = match fields.users {
                Recipients::One(name) | Recipients::Names(&[name]) => name,
                Recipients::All | Recipients::Names(_) | Recipients::Ids(_) => "",
            };
            (fields.room_id, user).hash(&mut state);
        }
    }
    state.finish()
}

fn push_name(bytes: &mut Vec<u8>, name: &str) {
    // The length fits: `Message::validate` allows far shorter ids.
    bytes.extend_from_slice(&(name.len() as u32).to_ne_bytes());
    bytes.extend_from_slice(name.as_bytes());
}

fn users_len(users: Recipients) -> usize {
    match users {
        Recipients::All => 0,
        Recipients::One(name) => 4 + name.len(),
        Recipients::Names(names) => names.iter().map(|name| 4 + name.len()).sum(),
        Recipients::Ids(ids) => 8 * ids.len(),
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasherDefault;

    use super::*;
    use crate::message::Signal;

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
    fn a_rebuilt_message_equals_the_original() {
        for message in messages() {
            OwnedMessage::from_message(&message).with_message(|opened| assert_eq!(*opened, message));
        }
    }

    #[test]
    fn a_destination_is_the_room_and_user_the_room_the_user_or_the_conversation() {
        let hasher = BuildHasherDefault::<std::hash::DefaultHasher>::default();
        let of = |message: &Message| destination_key(message, &hasher);
        let all = messages();
        let keys: Vec<u64> = all.iter().map(of).collect();
        assert_eq!(keys[2], keys[3], "a list in a room has the room as its destination");
        assert!(keys[4] == keys[5] && keys[5] == keys[6], "one conversation");
        let distinct: std::collections::HashSet<u64> = keys.iter().copied().collect();
        assert_eq!(
            distinct.len(),
            6,
            "rooms of different vendors are different destinations"
        );
    }
}
