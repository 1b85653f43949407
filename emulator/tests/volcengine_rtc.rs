//! The four RTC sends: the codes of refused requests, and who receives an accepted message.

mod fixtures;

use fixtures::{
    Fixture, VolcengineRequest, batch_send_room_unicast, send_broadcast, send_room_unicast, send_unicast, with, without,
};
use rtcmsg_emulator::BinaryLimitCounts;
use serde_json::{Value, json};

const VERSION: &str = "2020-12-01";

#[test]
fn each_fault_of_a_body_has_its_own_code() {
    let long = "x".repeat(129);
    let table: [(&str, Value, &str); 28] = [
        ("SendUnicast", without(send_unicast(), "AppId"), "IllegalAppId"),
        ("SendUnicast", with(send_unicast(), "AppId", json!("")), "IllegalAppId"),
        (
            "SendUnicast",
            with(send_unicast(), "AppId", json!("a b")),
            "IllegalAppId",
        ),
        (
            "SendUnicast",
            with(send_unicast(), "AppId", json!("661e000000000000000other")),
            "NotExistAppId",
        ),
        (
            "SendUnicast",
            with(send_unicast(), "AppId", json!(666_675)),
            "Unmarshal",
        ),
        ("SendUnicast", without(send_unicast(), "From"), "IllegalFrom"),
        ("SendUnicast", with(send_unicast(), "From", json!("a b")), "IllegalFrom"),
        ("SendUnicast", with(send_unicast(), "From", json!(long)), "IllegalFrom"),
        ("SendUnicast", without(send_unicast(), "To"), "IllegalTo"),
        ("SendUnicast", with(send_unicast(), "To", json!("")), "IllegalTo"),
        ("SendUnicast", with(send_unicast(), "To", json!("你")), "IllegalTo"),
        ("SendUnicast", with(send_unicast(), "To", json!(["alice"])), "Unmarshal"),
        ("SendUnicast", with(send_unicast(), "To", json!(7)), "Unmarshal"),
        ("SendUnicast", without(send_unicast(), "Binary"), "Unmarshal"),
        (
            "SendUnicast",
            with(send_unicast(), "Binary", json!("false")),
            "Unmarshal",
        ),
        ("SendUnicast", without(send_unicast(), "Message"), "BodyIsEmpty"),
        ("SendUnicast", with(send_unicast(), "Message", json!("")), "BodyIsEmpty"),
        ("SendUnicast", with(send_unicast(), "Message", json!({})), "Unmarshal"),
        ("SendUnicast", with(send_unicast(), "Binary", json!(true)), "Unmarshal"),
        ("SendUnicast", json!([]), "Unmarshal"),
        (
            "SendRoomUnicast",
            without(send_room_unicast(), "RoomId"),
            "IllegalRoomID",
        ),
        (
            "SendRoomUnicast",
            with(send_room_unicast(), "RoomId", json!("a/b")),
            "IllegalRoomID",
        ),
        (
            "SendBroadcast",
            with(send_broadcast(), "RoomId", json!("")),
            "IllegalRoomID",
        ),
        (
            "BatchSendRoomUnicast",
            without(batch_send_room_unicast(), "To"),
            "IllegalTo",
        ),
        (
            "BatchSendRoomUnicast",
            with(batch_send_room_unicast(), "To", json!([])),
            "IllegalTo",
        ),
        (
            "BatchSendRoomUnicast",
            with(batch_send_room_unicast(), "To", json!(["alice", ""])),
            "IllegalTo",
        ),
        (
            "BatchSendRoomUnicast",
            with(batch_send_room_unicast(), "To", json!("alice")),
            "Unmarshal",
        ),
        (
            "BatchSendRoomUnicast",
            with(batch_send_room_unicast(), "To", json!(vec!["u"; 601])),
            "UserCountOverLimit",
        ),
    ];
    let fixture = Fixture::new();
    for (action, body, code) in table {
        let answer = fixture.volcengine(action, VERSION, &body);
        let code = format!("InvalidParameter.{code}");
        assert_eq!(
            (answer.status, answer.error()),
            (200, (0, code.as_str())),
            "{action} {body}"
        );
    }
}

#[test]
fn a_body_that_is_not_json_has_another_code_than_an_empty_one() {
    let fixture = Fixture::new();
    for (body, code) in [
        ("", "InvalidParameter.BodyIsEmpty"),
        ("{", "InvalidParameter.Unmarshal"),
        ("hello", "InvalidParameter.Unmarshal"),
    ] {
        let request = VolcengineRequest::new("SendUnicast", VERSION, &Value::Null).with_body(body.as_bytes());
        assert_eq!(request.send(&fixture).error().1, code, "{body:?}");
    }
}

#[test]
fn a_text_may_have_64_kib_and_20_kib_in_a_batch() {
    let fixture = Fixture::new();
    let table = [
        ("SendUnicast", send_unicast(), 64 * 1024),
        ("SendRoomUnicast", send_room_unicast(), 64 * 1024),
        ("SendBroadcast", send_broadcast(), 64 * 1024),
        ("BatchSendRoomUnicast", batch_send_room_unicast(), 20 * 1024),
    ];
    for (action, body, limit) in table {
        let of = |bytes: usize| with(body.clone(), "Message", json!("x".repeat(bytes)));
        assert_eq!(
            fixture.volcengine(action, VERSION, &of(limit)).error().1,
            "",
            "{action}"
        );
        assert_eq!(
            fixture.volcengine(action, VERSION, &of(limit + 1)).error().1,
            "InvalidParameter.SizeOverLimit",
            "{action}"
        );
    }
}

#[test]
fn a_binary_message_is_counted_decoded_or_as_base64() {
    let base64_of_zeros = |bytes: usize| "A".repeat(bytes / 3 * 4);
    let body = |bytes: usize| {
        with(
            with(send_unicast(), "Binary", json!(true)),
            "Message",
            json!(base64_of_zeros(bytes)),
        )
    };
    let table = [
        (BinaryLimitCounts::Decoded, 65_535, 65_538),
        (BinaryLimitCounts::Base64, 49_152, 49_155),
    ];
    for (counts, fits, too_long) in table {
        let fixture = Fixture::with(|options| options.binary_limit_counts = counts);
        assert_eq!(
            fixture.volcengine("SendUnicast", VERSION, &body(fits)).error().1,
            "",
            "{counts:?}"
        );
        assert_eq!(
            fixture.volcengine("SendUnicast", VERSION, &body(too_long)).error().1,
            "InvalidParameter.SizeOverLimit",
            "{counts:?}"
        );
    }
}

#[test]
fn a_batch_may_have_600_users() {
    let body = with(batch_send_room_unicast(), "To", json!(vec!["u"; 600]));
    assert_eq!(
        Fixture::new()
            .volcengine("BatchSendRoomUnicast", VERSION, &body)
            .error()
            .1,
        ""
    );
}

#[test]
fn a_unicast_reaches_a_user_who_is_logged_in() {
    let fixture = Fixture::new();
    fixture.volcengine("SendUnicast", VERSION, &send_unicast());
    assert_eq!(
        fixture.last_ledger_entry()["recipients"],
        json!([{ "user": "alice", "outcome": "absent", "code": "" }])
    );
    fixture.control("volcengine/login", json!({ "user_id": "alice" }));
    let answer = fixture.volcengine("SendUnicast", VERSION, &send_unicast());
    fixture.control("volcengine/logout", json!({ "user_id": "alice" }));
    fixture.volcengine("SendUnicast", VERSION, &send_unicast());
    let request_id = &answer.body["ResponseMetadata"]["RequestId"];
    let expected = json!([{
        "sequence": 2, "action": "SendUnicast", "from": "server", "binary": false, "payload": "hello",
        "payload_base64": "aGVsbG8=", "request_id": request_id,
    }]);
    assert_eq!(json!(fixture.inbox("volcengine", "alice")), expected);
}

#[test]
fn a_binary_message_arrives_decoded() {
    let fixture = Fixture::new();
    fixture.control("volcengine/login", json!({ "user_id": "alice" }));
    let body = with(with(send_unicast(), "Binary", json!(true)), "Message", json!("/wAB"));
    fixture.volcengine("SendUnicast", VERSION, &body);
    let message = &fixture.inbox("volcengine", "alice")[0];
    assert_eq!(
        (&message["binary"], &message["payload"], &message["payload_base64"]),
        (&json!(true), &Value::Null, &json!("/wAB"))
    );
    assert_eq!(fixture.last_ledger_entry()["payload_base64"], "/wAB");
}

#[test]
fn the_room_sends_reach_only_users_in_the_room() {
    let fixture = Fixture::new();
    fixture.control("volcengine/join", json!({ "room_id": "room", "user_id": "alice" }));
    fixture.control("volcengine/join", json!({ "room_id": "room", "user_id": "carol" }));
    fixture.control("volcengine/join", json!({ "room_id": "other", "user_id": "bob" }));
    fixture.volcengine("SendRoomUnicast", VERSION, &send_room_unicast());
    fixture.volcengine("BatchSendRoomUnicast", VERSION, &batch_send_room_unicast());
    fixture.control("volcengine/leave", json!({ "room_id": "room", "user_id": "alice" }));
    fixture.volcengine("SendBroadcast", VERSION, &send_broadcast());
    let actions = |user: &str| {
        fixture
            .inbox("volcengine", user)
            .iter()
            .map(|message| message["action"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(actions("alice"), ["SendRoomUnicast", "BatchSendRoomUnicast"]);
    assert_eq!(actions("bob"), Vec::<Value>::new());
    assert_eq!(actions("carol"), ["SendBroadcast"]);
    assert_eq!(fixture.inbox("volcengine", "carol")[0]["room_id"], "room");
}

#[test]
fn the_ledger_has_the_outcome_of_each_recipient() {
    let fixture = Fixture::new();
    fixture.control("volcengine/join", json!({ "room_id": "room", "user_id": "alice" }));
    let answer = fixture.volcengine("BatchSendRoomUnicast", VERSION, &batch_send_room_unicast());
    let entry = fixture.last_ledger_entry();
    let expected = json!([{
        "sequence": 1, "connection": entry["connection"], "peer_port": entry["peer_port"], "request_on_connection": 2, "vendor": "volcengine",
        "action": "BatchSendRoomUnicast", "version": VERSION, "status": 200, "code": "",
        "request_id": answer.body["ResponseMetadata"]["RequestId"], "from": "server", "room_id": "room",
        "payload_base64": "aGVsbG8=", "accepted": true, "received_at_ns": 0,
        "recipients": [
            { "user": "alice", "outcome": "delivered", "code": "" },
            { "user": "bob", "outcome": "absent", "code": "" },
        ],
    }]);
    assert_eq!(fixture.get("ledger"), expected);
}
