//! A long list becomes several messages, each within what the vendor takes, in the caller's order.

use std::ops::Deref;

use crate::message::Message;

/// How many recipients one request may carry, by action.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartSizes {
    pub batch: usize,
    pub p2p: usize,
    pub command: usize,
}

/// Most messages are their own only part, and take no list.
#[derive(Debug)]
pub(super) enum Parts<'a> {
    Whole([Message<'a>; 1]),
    Cut(Vec<Message<'a>>),
}

impl<'a> Deref for Parts<'a> {
    type Target = [Message<'a>];

    fn deref(&self) -> &[Message<'a>] {
        match self {
            Parts::Whole(message) => message,
            Parts::Cut(messages) => messages,
        }
    }
}

/// The parts of a message. A list of those to leave out is never split: each part would reach those that another leaves
/// out.
pub(super) fn parts<'a>(message: &Message<'a>, sizes: &PartSizes) -> Parts<'a> {
    let cut = match *message {
        Message::BatchSendRoomUnicast {
            room_id,
            from,
            to,
            payload,
        } if to.len() > sizes.batch => {
            let part = |to| Message::BatchSendRoomUnicast {
                room_id,
                from,
                to,
                payload,
            };
            to.chunks(sizes.batch).map(part).collect()
        }
        Message::P2PSendMessageToUsers { signal, user_ids } if user_ids.len() > sizes.p2p => {
            let part = |user_ids| Message::P2PSendMessageToUsers { signal, user_ids };
            user_ids.chunks(sizes.p2p).map(part).collect()
        }
        Message::SendCustomCommandToUsers {
            room_id,
            from,
            to,
            content,
        } if to.len() > sizes.command => {
            let part = |to| Message::SendCustomCommandToUsers {
                room_id,
                from,
                to,
                content,
            };
            to.chunks(sizes.command).map(part).collect()
        }
        whole => return Parts::Whole([whole]),
    };
    Parts::Cut(cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Payload, Signal};

    const SIZES: PartSizes = PartSizes {
        batch: 3,
        p2p: 2,
        command: 10,
    };

    #[test]
    fn a_long_list_is_cut_in_the_callers_order_and_nobody_is_lost() {
        let to = ["a", "b", "c", "d"];
        let payload = Payload::Text("hi");
        let batch = |to| Message::BatchSendRoomUnicast {
            room_id: "r",
            from: "s",
            to,
            payload,
        };
        assert_eq!(*parts(&batch(&to), &SIZES), [batch(&to[..3]), batch(&to[3..])]);
        assert_eq!(*parts(&batch(&to[..3]), &SIZES), [batch(&to[..3])]);
        let command = Message::SendCustomCommandToUsers {
            room_id: "r",
            from: "s",
            to: &to,
            content: "hi",
        };
        assert_eq!(*parts(&command, &SIZES), [command]);
    }

    #[test]
    fn those_to_leave_out_stay_together() {
        let signal = Signal {
            conversation_id: 1,
            sender_id: 2,
            msg_type: 3,
            content: "hi",
        };
        let user_ids = [1, 2, 3, 4, 5];
        let except = Message::P2PSendMessageToAllExcept {
            signal,
            user_ids: &user_ids,
        };
        assert_eq!(*parts(&except, &SIZES), [except]);
        let to = Message::P2PSendMessageToUsers {
            signal,
            user_ids: &user_ids,
        };
        assert_eq!(parts(&to, &SIZES).len(), 3);
    }
}
