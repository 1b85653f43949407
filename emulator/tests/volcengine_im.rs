//! The IM sends: exact ids, one row for each user and device, and the codes of refused requests.

mod fixtures;

use fixtures::{Fixture, VolcengineRequest, p2p_send_message, with, without};
use serde_json::{Value, json};

const VERSION: &str = "2020-12-01";
const CONVERSATION: i64 = 7_221_856_821_303_361_536;

/// A conversation with the sender 10008 on one device, 10001 on two, and 10002 offline.
fn conversation() -> Fixture {
    let fixture = Fixture::new();
    for (user, devices) in [
        (10_008, json!(["Web"])),
        (10_001, json!(["Android", "IOS"])),
        (10_002, json!([])),
    ] {
        fixture.control(
            "im/join",
            json!({ "conversation_id": CONVERSATION, "user_id": user, "devices": devices }),
        );
    }
    fixture
}

fn row(user: i64, code: &str, device: &str) -> Value {
    json!({ "UserId": user, "Code": code, "DevicePlatform": device })
}

#[test]
fn each_fault_of_a_body_has_its_own_code() {
    let body = p2p_send_message;
    let table: [(Value, &str); 20] = [
        (with(body(), "AppId", json!("666675")), "JsonParsingError"),
        (with(body(), "Sender", json!(10_008.0)), "JsonParsingError"),
        (
            with(body(), "ConversationShortId", json!("7221856821303361536")),
            "JsonParsingError",
        ),
        (
            with(body(), "ConversationShortId", json!(9_223_372_036_854_775_808_u64)),
            "JsonParsingError",
        ),
        (with(body(), "ReceiverUserId", json!(["1"])), "JsonParsingError"),
        (with(body(), "Content", json!({})), "JsonParsingError"),
        (json!([]), "JsonParsingError"),
        (without(body(), "AppId"), "InvalidParam"),
        (without(body(), "Sender"), "InvalidParam"),
        (without(body(), "ConversationShortId"), "InvalidParam"),
        (without(body(), "MsgType"), "InvalidParam"),
        (without(body(), "Content"), "InvalidParam"),
        (with(body(), "Content", json!("")), "InvalidParam"),
        (with(body(), "Sender", json!(0)), "InvalidParam"),
        (with(body(), "ConversationShortId", json!(-1)), "InvalidParam"),
        (with(body(), "ReceiverUserId", json!([10_001, 0])), "InvalidParam"),
        (with(body(), "IgnoreUserIds", json!([-5])), "InvalidParam"),
        (with(body(), "AppId", json!(666_676)), "AppNotFound"),
        (
            with(body(), "ConversationShortId", json!(CONVERSATION + 1)),
            "ConversationNotFound",
        ),
        (with(body(), "Sender", json!(10_009)), "ParticipantNotInConversation"),
    ];
    let fixture = conversation();
    for (body, code) in table {
        let answer = fixture.volcengine("P2PSendMessage", VERSION, &body);
        assert_eq!((answer.status, answer.error()), (200, (0, code)), "{body}");
    }
    let empty = VolcengineRequest::new("P2PSendMessage", VERSION, &Value::Null).with_body(b"");
    assert_eq!(empty.send(&fixture).error().1, "JsonParsingError");
}

#[test]
fn without_lists_a_message_goes_to_all_members_of_the_conversation() {
    let fixture = conversation();
    let answer = fixture.volcengine("P2PSendMessage", VERSION, &p2p_send_message());
    let expected = json!([
        row(10_001, "SUCCESS", "Android"),
        row(10_001, "SUCCESS", "IOS"),
        row(10_002, "NOT_ONLINE", "Default"),
        row(10_008, "SUCCESS", "Web"),
    ]);
    assert_eq!(answer.body["Result"], json!({ "P2PResult": expected }));
    let metadata = &answer.body["ResponseMetadata"];
    assert_eq!((&metadata["Service"], &metadata["Region"]), (&json!(""), &json!("")));
}

#[test]
fn receivers_override_ignored_users_and_the_answer_omits_users_who_are_not_members() {
    let fixture = conversation();
    let body = with(p2p_send_message(), "ReceiverUserId", json!([10_008, 999, 10_002]));
    let body = with(body, "IgnoreUserIds", json!([10_008]));
    let answer = fixture.volcengine("P2PSendMessage", VERSION, &body);
    let expected = json!([row(10_008, "SUCCESS", "Web"), row(10_002, "NOT_ONLINE", "Default")]);
    assert_eq!(answer.body["Result"]["P2PResult"], expected);
    let expected = json!([
        { "user": "10008", "outcome": "delivered", "code": "SUCCESS" },
        { "user": "999", "outcome": "absent", "code": "" },
        { "user": "10002", "outcome": "absent", "code": "NOT_ONLINE" },
    ]);
    assert_eq!(fixture.last_ledger_entry()["recipients"], expected);
}

#[test]
fn ignored_users_get_nothing() {
    let fixture = conversation();
    let body = with(p2p_send_message(), "IgnoreUserIds", json!([10_001, 10_002]));
    let answer = fixture.volcengine("P2PSendMessage", VERSION, &body);
    assert_eq!(
        answer.body["Result"]["P2PResult"],
        json!([row(10_008, "SUCCESS", "Web")])
    );
    assert!(fixture.inbox("im", "10001").is_empty());
}

#[test]
fn each_device_receives_the_message_with_exact_ids() {
    let fixture = conversation();
    fixture.volcengine("P2PSendMessage", VERSION, &p2p_send_message());
    let inbox = fixture.inbox("im", "10001");
    let devices: Vec<_> = inbox
        .iter()
        .map(|message| message["device"].as_str().unwrap())
        .collect();
    assert_eq!(devices, ["Android", "IOS"]);
    assert_eq!(inbox[0]["conversation_id"].as_i64(), Some(CONVERSATION));
    assert_eq!(
        (&inbox[0]["from"], &inbox[0]["payload"]),
        (&json!("10008"), &json!("hello"))
    );
    assert!(fixture.inbox("im", "10002").is_empty());
}

#[test]
fn a_user_who_left_is_not_a_member() {
    let fixture = conversation();
    fixture.control(
        "im/leave",
        json!({ "conversation_id": CONVERSATION, "user_id": 10_008 }),
    );
    let answer = fixture.volcengine("P2PSendMessage", VERSION, &p2p_send_message());
    assert_eq!(answer.error().1, "ParticipantNotInConversation");
}

fn to_users(receivers: Value) -> Value {
    json!({ "AppId": 666_675, "MsgType": 10_013, "Sender": 1, "Receivers": receivers, "Content": "hello", "Ext": { "k": "v" } })
}

#[test]
fn a_send_to_users_returns_the_count_of_reached_users_as_a_string() {
    let fixture = conversation();
    let answer = fixture.volcengine(
        "P2PSendUserMessage",
        VERSION,
        &to_users(json!([10_008, 10_001, 10_002, 999])),
    );
    let expected = json!([
        row(10_008, "SUCCESS", "Web"),
        row(10_001, "SUCCESS", "Android"),
        row(10_001, "SUCCESS", "IOS"),
        row(10_002, "NOT_ONLINE", "Default"),
        row(999, "NOT_ONLINE", "Default"),
    ]);
    assert_eq!(
        answer.body["Result"],
        json!({ "P2PResult": expected, "SuccessCount": "2" })
    );
}

#[test]
fn a_send_to_users_names_1_to_500_or_all_who_are_online() {
    let fixture = conversation();
    for (receivers, code) in [
        (json!([]), "InvalidParam"),
        (json!(vec![7; 500]), ""),
        (json!(vec![7; 501]), "InvalidParam"),
    ] {
        assert_eq!(
            fixture
                .volcengine("P2PSendUserMessage", VERSION, &to_users(receivers))
                .error()
                .1,
            code
        );
    }
    let body = with(to_users(json!([])), "ToAllOnlineUsers", json!(true));
    let answer = fixture.volcengine("P2PSendUserMessage", VERSION, &body);
    assert_eq!(answer.body["Result"]["SuccessCount"], "2");
}
