//! Splitting: a list that is longer than the vendor accepts becomes several messages, in the caller's order.

use super::in_flight::InFlight;
use crate::message::Message;

/// How many recipients one request may carry, by action.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartSizes {
    pub batch: usize,
    pub p2p: usize,
    pub command: usize,
}

/// The messages that one message is sent as, one request each. Made once per send.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    action: &'static str,
    parts: Parts<'a>,
}

/// Most messages are sent whole, which needs no allocation.
#[derive(Debug)]
enum Parts<'a> {
    Whole([Message<'a>; 1]),
    Split(Vec<Message<'a>>),
}

impl<'a> Plan<'a> {
    pub(super) fn new(message: &Message<'a>, sizes: &PartSizes) -> Plan<'a> {
        Plan {
            action: message.action(),
            parts: parts(message, sizes),
        }
    }

    /// The state of this message before its first attempt.
    pub fn in_flight(&self) -> InFlight {
        InFlight::new(self.parts().len())
    }

    pub(super) fn action(&self) -> &'static str {
        self.action
    }

    pub(super) fn parts(&self) -> &[Message<'a>] {
        match &self.parts {
            Parts::Whole(message) => message,
            Parts::Split(messages) => messages,
        }
    }
}

/// A list of users to leave out is never split: each part would reach the users that another part leaves out.
fn parts<'a>(message: &Message<'a>, sizes: &PartSizes) -> Parts<'a> {
    let split = match *message {
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
    Parts::Split(split)
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
    fn a_long_list_is_cut_in_the_callers_order_and_no_recipient_is_lost() {
        let to = ["a", "b", "c", "d"];
        let payload = Payload::Text("hi");
        let batch = |to| Message::BatchSendRoomUnicast {
            room_id: "r",
            from: "s",
            to,
            payload,
        };
        assert_eq!(
            Plan::new(&batch(&to), &SIZES).parts(),
            [batch(&to[..3]), batch(&to[3..])]
        );
        assert_eq!(Plan::new(&batch(&to[..3]), &SIZES).parts(), [batch(&to[..3])]);
        let command = Message::SendCustomCommandToUsers {
            room_id: "r",
            from: "s",
            to: &to,
            content: "hi",
        };
        assert_eq!(Plan::new(&command, &SIZES).parts(), [command]);
    }

    #[test]
    fn a_list_of_users_to_leave_out_is_never_split() {
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
        assert_eq!(Plan::new(&except, &SIZES).parts(), [except]);
        let to = Message::P2PSendMessageToUsers {
            signal,
            user_ids: &user_ids,
        };
        assert_eq!(Plan::new(&to, &SIZES).parts().len(), 3);
    }
}
