//! ZEGO: every answer has HTTP status 200, each fault has its own code, and the answer lists the users that were not reached.

mod fixtures;

use fixtures::{Fixture, START, zego_signature};
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const COMMAND: &str = "RoomId=room&FromUserId=server&MessageContent=hello";

/// A room with alice and bob, and carol, who has left it.
fn room() -> Fixture {
    let fixture = Fixture::new();
    for user in ["alice", "bob", "carol"] {
        fixture.control("zego/join", json!({ "room_id": "room", "user_id": user }));
    }
    fixture.control("zego/leave", json!({ "room_id": "room", "user_id": "carol" }));
    fixture
}

fn payloads(fixture: &Fixture, user: &str) -> Vec<Value> {
    fixture
        .inbox("zego", user)
        .iter()
        .map(|message| message["payload"].clone())
        .collect()
}

#[test]
fn each_fault_of_the_common_parameters_has_its_own_code() {
    let nonce = "00000000000000ff";
    let common = |app: &str, nonce: &str, time: &str, secret: &str, version: &str| {
        let signature = zego_signature(app, nonce, secret, time.parse().unwrap_or(0));
        format!("AppId={app}&SignatureNonce={nonce}&Timestamp={time}&Signature={signature}&SignatureVersion={version}")
    };
    let (app, time) = ("1234567890", START.to_string());
    let right = common(app, nonce, &time, SECRET, "2.0");
    let left_out = |name: &str| {
        let parameters = right.split('&').filter(|pair| !pair.starts_with(&format!("{name}=")));
        parameters.collect::<Vec<_>>().join("&")
    };
    let table = [
        (left_out("AppId"), 100_000_001),
        (left_out("SignatureNonce"), 100_000_001),
        (left_out("Timestamp"), 100_000_001),
        (left_out("Signature"), 100_000_001),
        (left_out("SignatureVersion"), 100_000_001),
        (common("x", nonce, &time, SECRET, "2.0"), 100_000_002),
        (common(app, "ff", &time, SECRET, "2.0"), 100_000_002),
        (common(app, nonce, "soon", SECRET, "2.0"), 100_000_002),
        (format!("{right}&IsTest=yes"), 100_000_002),
        (common(app, nonce, &time, SECRET, "1.0"), 100_000_003),
        (
            common(app, nonce, &(START - 601).to_string(), SECRET, "2.0"),
            100_000_004,
        ),
        (common(app, nonce, &time, "other", "2.0"), 100_000_005),
        (common("1234567891", nonce, &time, SECRET, "2.0"), 100_000_010),
        (right.clone(), 0),
        (right.clone(), 100_000_005),
    ];
    let fixture = room();
    for (parameters, code) in table {
        let answer = fixture.run(
            "GET",
            &format!("/?Action=SendCustomCommand&{parameters}&{COMMAND}"),
            &[],
            b"",
        );
        assert_eq!((answer.status, answer.code()), (200, code), "{parameters}");
        assert_eq!(fixture.last_ledger_entry()["code"], json!(code));
    }
    assert_eq!(payloads(&fixture, "alice").len(), 1);
}

#[test]
fn an_unknown_action_and_a_missing_one_have_their_codes() {
    let fixture = room();
    assert_eq!(fixture.zego("SendNothing", COMMAND).code(), 100_000_007);
    assert_eq!(fixture.zego("", COMMAND).code(), 100_000_001);
}

#[test]
fn a_post_is_refused() {
    let fixture = room();
    let target = format!("/?Action=SendCustomCommand&{}&{COMMAND}", fixture.zego_common());
    assert_eq!(fixture.run("POST", &target, &[], b"{}").code(), 100_000_002);
}

#[test]
fn a_signature_is_valid_600_seconds_before_and_after_its_timestamp() {
    let fixture = room();
    for (offset, code) in [(-601, 100_000_004), (-600, 0), (600, 0), (601, 100_000_004)] {
        fixture.set_wall(offset);
        assert_eq!(fixture.zego("SendCustomCommand", COMMAND).code(), code, "{offset} s");
    }
}

#[test]
fn a_reused_nonce_is_accepted_only_if_the_options_allow_it() {
    for (allowed, code) in [(false, 100_000_005), (true, 0)] {
        let fixture = Fixture::with(|options| options.allow_nonce_reuse = allowed);
        fixture.control("zego/join", json!({ "room_id": "room", "user_id": "alice" }));
        let target = format!("/?Action=SendCustomCommand&{}&{COMMAND}", fixture.zego_common());
        assert_eq!(fixture.run("GET", &target, &[], b"").code(), 0);
        assert_eq!(fixture.run("GET", &target, &[], b"").code(), code);
    }
}

#[test]
fn each_fault_of_a_custom_command_has_its_own_code() {
    let (long_id, long_text) = ("x".repeat(129), "x".repeat(1025));
    let users = |count: usize| {
        (0..count)
            .map(|user| format!("&ToUserId[]=u{user}"))
            .collect::<String>()
    };
    let table = [
        ("FromUserId=server&MessageContent=hello".to_owned(), 2),
        ("RoomId=&FromUserId=server&MessageContent=hello".to_owned(), 2),
        ("RoomId=room&MessageContent=hello".to_owned(), 2),
        ("RoomId=room&FromUserId=&MessageContent=hello".to_owned(), 2),
        (format!("RoomId={long_id}&FromUserId=server&MessageContent=hello"), 2),
        (format!("RoomId=room&FromUserId={long_id}&MessageContent=hello"), 2),
        ("RoomId=room&FromUserId=a%00b&MessageContent=hello".to_owned(), 2),
        ("RoomId=room&FromUserId=%FF&MessageContent=hello".to_owned(), 2),
        ("RoomId=room&FromUserId=server".to_owned(), 1008),
        ("RoomId=room&FromUserId=server&MessageContent=".to_owned(), 1008),
        ("RoomId=room&FromUserId=server&MessageContent=%FF".to_owned(), 2),
        (
            format!("RoomId=room&FromUserId=server&MessageContent={long_text}"),
            50_012,
        ),
        (format!("{COMMAND}{}", users(11)), 50_011),
        (format!("{COMMAND}{}", users(10)), 0),
        (format!("{COMMAND}&ToUserId[]="), 2),
        (format!("{COMMAND}&ToUserId[]=alice&ToUserId[]="), 2),
        (format!("{COMMAND}&ToUserId[]={long_id}"), 2),
        (format!("{COMMAND}&ToUserId=alice"), 2),
        (format!("{COMMAND}&ToUserId[0]=alice"), 2),
        ("RoomId=nowhere&FromUserId=server&MessageContent=hello".to_owned(), 104),
    ];
    let fixture = room();
    for (parameters, code) in table {
        let answer = fixture.zego("SendCustomCommand", &parameters);
        assert_eq!((answer.status, answer.code()), (200, code), "{parameters}");
    }
    assert!(payloads(&fixture, "alice").is_empty());
}

#[test]
fn the_limit_of_1024_bytes_is_counted_after_decoding() {
    let fixture = room();
    let content = |characters: usize| {
        format!(
            "RoomId=room&FromUserId=server&MessageContent={}",
            "%E4%BD%A0".repeat(characters)
        )
    };
    assert_eq!(fixture.zego("SendCustomCommand", &content(341)).code(), 0);
    assert_eq!(fixture.zego("SendCustomCommand", &content(342)).code(), 50_012);
}

#[test]
fn the_answer_to_a_command_names_the_users_that_were_not_reached() {
    let fixture = room();
    fixture.control("zego/known", json!({ "user_id": "dave" }));
    let to = "ToUserId[]=alice&ToUserId%5B%5D=carol&ToUserId[]=dave&ToUserId[]=nobody";
    let answer = fixture.zego("SendCustomCommand", &format!("{COMMAND}&{to}"));
    assert_eq!(answer.code(), 0);
    let expected = json!([{ "Uid": "carol", "Code": 50_003 }, { "Uid": "dave", "Code": 50_003 }, { "Uid": "nobody", "Code": 105 }]);
    assert_eq!(answer.body["Data"], json!({ "FailUsers": expected }));
    assert!(answer.body["RequestId"].is_string());
    let expected = json!([
        { "user": "alice", "outcome": "delivered", "code": 0 },
        { "user": "carol", "outcome": "failed", "code": 50_003 },
        { "user": "dave", "outcome": "failed", "code": 50_003 },
        { "user": "nobody", "outcome": "failed", "code": 105 },
    ]);
    assert_eq!(fixture.last_ledger_entry()["recipients"], expected);
    assert_eq!(payloads(&fixture, "alice"), ["hello"]);
    assert!(payloads(&fixture, "bob").is_empty());
}

#[test]
fn a_command_without_users_reaches_the_room_but_not_its_sender() {
    let fixture = room();
    let answer = fixture.zego(
        "SendCustomCommand",
        "RoomId=room&FromUserId=alice&MessageContent=%E4%BD%A0+a%2Bb",
    );
    assert_eq!(answer.body["Data"], json!({ "FailUsers": [] }));
    assert!(payloads(&fixture, "alice").is_empty());
    assert!(payloads(&fixture, "carol").is_empty());
    assert_eq!(payloads(&fixture, "bob"), ["你 a+b"]);
    assert_eq!(fixture.inbox("zego", "bob")[0]["room_id"], "room");
}

#[test]
fn a_sender_among_the_recipients_gets_nothing_and_is_not_a_failure() {
    let fixture = room();
    let answer = fixture.zego(
        "SendCustomCommand",
        "RoomId=room&FromUserId=alice&MessageContent=x&ToUserId[]=alice",
    );
    assert_eq!(answer.body["Data"], json!({ "FailUsers": [] }));
    assert!(payloads(&fixture, "alice").is_empty());
}

#[test]
fn the_room_messages_answer_with_a_message_id() {
    let fixture = room();
    let message = "RoomId=room&UserId=bob&MessageCategory=1&MessageContent=hello";
    let broadcast = fixture.zego("SendBroadcastMessage", message);
    let barrage = fixture.zego("SendBarrageMessage", message);
    assert!(broadcast.body["RequestId"].is_u64());
    assert!(barrage.body["RequestId"].is_string());
    for answer in [broadcast, barrage] {
        assert_eq!(answer.code(), 0);
        assert!(answer.body["Data"]["MessageId"].is_u64());
    }
    assert_eq!(payloads(&fixture, "alice"), ["hello", "hello"]);
    assert!(payloads(&fixture, "bob").is_empty());
}

#[test]
fn each_fault_of_a_room_message_has_its_own_code() {
    let long = "x".repeat(1025);
    let table = [
        ("RoomId=room&MessageCategory=1&MessageContent=x".to_owned(), 2),
        ("RoomId=room&UserId=bob&MessageContent=x".to_owned(), 2),
        (
            "RoomId=room&UserId=bob&MessageCategory=3&MessageContent=x".to_owned(),
            2,
        ),
        (
            "RoomId=room&UserId=bob&MessageCategory=2&MessageContent=".to_owned(),
            1008,
        ),
        (
            format!("RoomId=room&UserId=bob&MessageCategory=2&MessageContent={long}"),
            3,
        ),
        (
            "RoomId=nowhere&UserId=bob&MessageCategory=2&MessageContent=x".to_owned(),
            104,
        ),
    ];
    let fixture = room();
    for (parameters, code) in table {
        assert_eq!(
            fixture.zego("SendBarrageMessage", &parameters).code(),
            code,
            "{parameters}"
        );
    }
}
