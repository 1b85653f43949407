use super::*;
use crate::error::Code;

fn limits() -> Limits {
    Limits::for_tests()
}

const SIGNAL: Signal<'static> = Signal {
    conversation_id: 1,
    sender_id: 2,
    msg_type: 3,
    content: "hi",
};

fn unicast<'a>(to: &'a str, payload: Payload<'a>) -> Message<'a> {
    Message::SendUnicast {
        from: "server",
        to,
        payload,
    }
}

fn batch<'a>(to: &'a [&'a str], payload: Payload<'a>) -> Message<'a> {
    Message::BatchSendRoomUnicast {
        room_id: "r",
        from: "server",
        to,
        payload,
    }
}

fn command<'a>(to: &'a [&'a str], content: &'a str) -> Message<'a> {
    Message::SendCustomCommandToUsers {
        room_id: "r",
        from: "server",
        to,
        content,
    }
}

fn refusal(message: Message) -> Error {
    let error = message.validate(&limits()).expect_err("must be refused");
    assert_eq!(error.code, Code::InvalidArgument);
    error
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("user{index}")).collect()
}

fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

#[test]
fn volcengine_ids_follow_its_rule_and_zego_ids_do_not() {
    for id in ["a", "AZaz09_@-.", &"x".repeat(128)] {
        unicast(id, Payload::Text("hi")).validate(&limits()).unwrap();
    }
    for (id, said) in [
        ("", "must not be empty"),
        ("a b", "contains ' '"),
        ("用户", "contains '用'"),
        ("a\0", "contains '\\0'"),
        (
            &"x".repeat(129),
            "is 129 characters long; Volcengine ids have at most 128",
        ),
    ] {
        let error = refusal(unicast(id, Payload::Text("hi")));
        assert_eq!(error.field, "to");
        assert!(error.message.contains(said), "{error}");
    }
    command(&["用户 1"], "hi").validate(&limits()).unwrap();
    assert_eq!(refusal(command(&["a\0"], "hi")).field, "to[0]");
    assert!(
        refusal(command(&[&"用".repeat(43)], "hi"))
            .message
            .contains("is 129 bytes long, zego.max_id_length is 128")
    );
}

#[test]
fn a_payload_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    let long = "x".repeat(64 * 1024 + 1);
    let one = ["u"];
    let passes = |message: Message| message.validate(&limits()).unwrap();
    let too_long = |message: Message, said: &str| {
        let error = refusal(message);
        assert_eq!((error.field.as_ref(), error.message.as_str()), ("payload", said));
    };
    passes(unicast("u", Payload::Text(&long[..65536])));
    too_long(
        unicast("u", Payload::Text(&long)),
        "message too long: 65,537 bytes; SendUnicast accepts at most 65,536",
    );
    passes(unicast("u", Payload::Binary(&long.as_bytes()[..65536])));
    too_long(
        unicast("u", Payload::Binary(long.as_bytes())),
        "message too long: 65,537 bytes; SendUnicast accepts at most 65,536",
    );
    passes(batch(&one, Payload::Text(&long[..20480])));
    too_long(
        batch(&one, Payload::Text(&long[..20481])),
        "message too long: 20,481 bytes; BatchSendRoomUnicast accepts at most 20,480",
    );
    passes(command(&one, &long[..1024]));
    too_long(
        command(&one, &long[..1025]),
        "message too long: 1,025 bytes; SendCustomCommand accepts at most 1,024",
    );
    let signal = |content| Message::P2PSendMessageToAll {
        signal: Signal { content, ..SIGNAL },
    };
    passes(signal(&long[..65536]));
    too_long(
        signal(&long),
        "message too long: 65,537 bytes; P2PSendMessage accepts at most 65,536",
    );
}

#[test]
fn what_a_limit_counts_is_a_setting() {
    let encoded = Limits {
        command_counts_as_encoded: true,
        binary_counts_as_base64: true,
        ..limits()
    };
    command(&["u"], &"x".repeat(1024)).validate(&encoded).unwrap();
    command(&["u"], &"用".repeat(113)).validate(&encoded).unwrap(); // 9 bytes each on the wire
    command(&["u"], &"用".repeat(114)).validate(&encoded).unwrap_err();
    unicast("u", Payload::Binary(&[0; 49152])).validate(&encoded).unwrap(); // 65,536 of base64
    unicast("u", Payload::Binary(&[0; 49153]))
        .validate(&encoded)
        .unwrap_err();
}

#[test]
fn an_empty_message_is_refused() {
    for message in [
        unicast("u", Payload::Text("")),
        unicast("u", Payload::Binary(&[])),
        command(&["u"], ""),
        Message::SendCustomCommandToRoom {
            room_id: "r",
            from: "server",
            content: "",
        },
        Message::SendBroadcast {
            room_id: "r",
            from: "server",
            payload: Payload::Text(""),
        },
        Message::P2PSendMessageToAll {
            signal: Signal { content: "", ..SIGNAL },
        },
    ] {
        let error = refusal(message);
        assert_eq!(
            (error.field.as_ref(), error.message.as_str()),
            ("payload", "the message is empty")
        );
    }
}

#[test]
fn an_empty_list_is_refused_and_never_means_everybody() {
    for (message, field) in [
        (batch(&[], Payload::Text("hi")), "to"),
        (command(&[], "hi"), "to"),
        (
            Message::P2PSendMessageToUsers {
                signal: SIGNAL,
                user_ids: &[],
            },
            "user_ids",
        ),
        (
            Message::P2PSendMessageToAllExcept {
                signal: SIGNAL,
                user_ids: &[],
            },
            "user_ids",
        ),
    ] {
        let error = refusal(message);
        assert_eq!(error.field, field);
        assert!(error.message.starts_with("the list is empty"), "{error}");
    }
}

#[test]
fn a_list_up_to_the_limit_passes_and_one_more_does_not() {
    let users = names(701);
    let users = borrowed(&users);
    batch(&users[..700], Payload::Text("hi")).validate(&limits()).unwrap();
    assert_eq!(
        refusal(batch(&users, Payload::Text("hi"))).message,
        "701 recipients; BatchSendRoomUnicast accepts at most 700"
    );
    command(&users[..700], "hi").validate(&limits()).unwrap();
    assert_eq!(refusal(command(&users, "hi")).field, "to");
    let ids: Vec<i64> = (1..=701).collect();
    Message::P2PSendMessageToUsers {
        signal: SIGNAL,
        user_ids: &ids[..700],
    }
    .validate(&limits())
    .unwrap();
    assert_eq!(
        refusal(Message::P2PSendMessageToUsers {
            signal: SIGNAL,
            user_ids: &ids
        })
        .field,
        "user_ids"
    );
    let except = |user_ids| Message::P2PSendMessageToAllExcept {
        signal: SIGNAL,
        user_ids,
    };
    except(&ids[..500]).validate(&limits()).unwrap();
    assert_eq!(
        refusal(except(&ids[..501])).message,
        "501 recipients; P2PSendMessage accepts at most 500"
    );
}

#[test]
fn a_recipient_twice_is_refused_at_its_second_place() {
    assert_eq!(refusal(batch(&["a", "b", "a"], Payload::Text("hi"))).field, "to[2]");
    assert_eq!(
        refusal(Message::P2PSendMessageToUsers {
            signal: SIGNAL,
            user_ids: &[7, 8, 8]
        })
        .field,
        "user_ids[2]"
    );
}

#[test]
fn zegos_sender_cannot_be_among_its_recipients() {
    let error = refusal(command(&["alice", "server"], "hi"));
    assert_eq!(error.field, "to[1]");
}

#[test]
fn im_ids_are_positive_up_to_the_last() {
    let to = |user_ids| Message::P2PSendMessageToUsers {
        signal: SIGNAL,
        user_ids,
    };
    to(&[i64::MAX, 7221856821303361536]).validate(&limits()).unwrap();
    assert_eq!(refusal(to(&[1, -1])).field, "user_ids[1]");
    assert_eq!(refusal(to(&[0])).field, "user_ids[0]");
    for (signal, field) in [
        (
            Signal {
                conversation_id: 0,
                ..SIGNAL
            },
            "conversation_id",
        ),
        (
            Signal {
                sender_id: -5,
                ..SIGNAL
            },
            "sender_id",
        ),
        (Signal { msg_type: 0, ..SIGNAL }, "msg_type"),
    ] {
        assert_eq!(refusal(Message::P2PSendMessageToAll { signal }).field, field);
    }
}
