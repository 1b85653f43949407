//! Splitting: a list that is longer than the vendor accepts becomes several messages, in the caller's order.

use super::in_flight::InFlight;
use crate::action::{Action, Limits};
use crate::message::{Fields, Message, Recipients};

/// The messages that one message is sent as, one request each. Made once per send.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    action: Action,
    parts: Parts<'a>,
}

/// Most messages are sent whole, which needs no allocation.
#[derive(Debug)]
enum Parts<'a> {
    Whole([Message<'a>; 1]),
    Split(Vec<Message<'a>>),
}

impl<'a> Plan<'a> {
    pub(super) fn new(message: &Message<'a>, limits: &Limits) -> Plan<'a> {
        Plan {
            action: message.action(),
            parts: parts(message, limits),
        }
    }

    /// The state of this message before its first attempt.
    pub fn in_flight(&self) -> InFlight {
        InFlight::new(self.parts().len())
    }

    pub(super) fn action(&self) -> Action {
        self.action
    }

    pub(super) fn parts(&self) -> &[Message<'a>] {
        match &self.parts {
            Parts::Whole(message) => message,
            Parts::Split(messages) => messages,
        }
    }
}

/// The parts of a message, each with as many recipients as one request of its action may have.
fn parts<'a>(message: &Message<'a>, limits: &Limits) -> Parts<'a> {
    let size = message.action().spec().recipients_per_request(limits);
    let fields = message.fields();
    let part = |users| Message::of_fields(&Fields { users, ..fields });
    match fields.users {
        Recipients::Names(names) if names.len() > size => {
            Parts::Split(names.chunks(size).map(|names| part(Recipients::Names(names))).collect())
        }
        Recipients::Ids(ids) if ids.len() > size => {
            Parts::Split(ids.chunks(size).map(|ids| part(Recipients::Ids(ids))).collect())
        }
        Recipients::All | Recipients::One(_) | Recipients::Names(_) | Recipients::Ids(_) => Parts::Whole([*message]),
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
            Plan::new(&batch(&to), &limits()).parts(),
            [batch(&to[..3]), batch(&to[3..])]
        );
        assert_eq!(Plan::new(&batch(&to[..3]), &limits()).parts(), [batch(&to[..3])]);
        let command = Message::SendCustomCommandToUsers {
            room_id: "r",
            from: "s",
            to: &to,
            content: "hi",
        };
        assert_eq!(Plan::new(&command, &limits()).parts(), [command]);
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
        assert_eq!(Plan::new(&except, &limits()).parts(), [except]);
        let to = Message::P2PSendMessageToUsers {
            signal,
            user_ids: &user_ids,
        };
        assert_eq!(Plan::new(&to, &limits()).parts().len(), 3);
    }
}
