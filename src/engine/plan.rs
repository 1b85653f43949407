//! A long list becomes several messages, each within what the vendor takes, in the caller's order.

use std::ops::Deref;

use crate::action::Limits;
use crate::message::{Fields, Message, Recipients};

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

/// The parts of a message, each with as many recipients as one request of its action may have.
pub(super) fn parts<'a>(message: &Message<'a>, limits: &Limits) -> Parts<'a> {
    let size = message.action().spec().recipients_per_request(limits);
    let fields = message.fields();
    let part = |users| Message::of_fields(&Fields { users, ..fields });
    match fields.users {
        Recipients::Names(names) if names.len() > size => {
            Parts::Cut(names.chunks(size).map(|names| part(Recipients::Names(names))).collect())
        }
        Recipients::Ids(ids) if ids.len() > size => {
            Parts::Cut(ids.chunks(size).map(|ids| part(Recipients::Ids(ids))).collect())
        }
        Recipients::Everybody | Recipients::One(_) | Recipients::Names(_) | Recipients::Ids(_) => {
            Parts::Whole([*message])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Payload, Signal};

    fn limits() -> Limits {
        Limits {
            p2p_max_users: 2,
            max_permits: 3,
            ..Limits::for_tests()
        }
    }

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
        assert_eq!(*parts(&batch(&to), &limits()), [batch(&to[..3]), batch(&to[3..])]);
        assert_eq!(*parts(&batch(&to[..3]), &limits()), [batch(&to[..3])]);
        let command = Message::SendCustomCommandToUsers {
            room_id: "r",
            from: "s",
            to: &to,
            content: "hi",
        };
        assert_eq!(*parts(&command, &limits()), [command]);
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
        assert_eq!(*parts(&except, &limits()), [except]);
        let to = Message::P2PSendMessageToUsers {
            signal,
            user_ids: &user_ids,
        };
        assert_eq!(parts(&to, &limits()).len(), 3);
    }
}
