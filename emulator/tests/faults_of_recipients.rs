//! Scripted outcomes of single recipients, with codes that a client may not know.

mod fixtures;

use fixtures::{Fixture, p2p_send_message};
use serde_json::json;

fn add(fixture: &Fixture, rule: &serde_json::Value) {
    fixture.emulator.add_fault(rule.to_string().parse().unwrap());
}

#[test]
fn a_device_gets_the_code_of_a_rule_and_not_the_message() {
    let fixture = Fixture::new();
    for (user, devices) in [(10_008, vec![]), (7, vec!["IOS", "Web"]), (8, vec!["Web"])] {
        let member = json!({ "conversation_id": 7_221_856_821_303_361_536_i64, "user_id": user, "devices": devices });
        fixture.control("im/join", member);
    }
    add(
        &fixture,
        &json!({ "user": 7, "device": "Web", "device_code": "PUSH_FAILED" }),
    );
    add(
        &fixture,
        &json!({ "user": "8", "device_code": "PUSH_FAILED", "count": 1 }),
    );
    add(&fixture, &json!({ "user": 8, "device_code": "Success" }));
    let send = || {
        fixture
            .volcengine("P2PSendMessage", "2020-12-01", &p2p_send_message())
            .body["Result"]["P2PResult"]
            .clone()
    };
    let row = |user: i64, code: &str, device: &str| json!({ "UserId": user, "Code": code, "DevicePlatform": device });
    let first = json!([
        row(7, "SUCCESS", "IOS"),
        row(7, "PUSH_FAILED", "Web"),
        row(8, "PUSH_FAILED", "Web"),
        row(10_008, "NOT_ONLINE", "Default"),
    ]);
    assert_eq!(send(), first);
    assert_eq!(fixture.inbox("im", "7").len(), 1);
    assert_eq!(fixture.inbox("im", "7")[0]["device"], "IOS");
    assert!(fixture.inbox("im", "8").is_empty());
    let recipients = json!([
        { "user": "7", "outcome": "delivered", "code": "SUCCESS" },
        { "user": "8", "outcome": "failed", "code": "PUSH_FAILED" },
        { "user": "10008", "outcome": "absent", "code": "NOT_ONLINE" },
    ]);
    assert_eq!(fixture.last_ledger_entry()["recipients"], recipients);
    assert_eq!(send()[2], row(8, "Success", "Web"));
    assert_eq!(fixture.inbox("im", "8").len(), 1);
}

#[test]
fn a_named_user_fails_with_the_code_of_a_rule() {
    let fixture = Fixture::new();
    for user in ["alice", "bob"] {
        fixture.control("zego/join", json!({ "room_id": "room", "user_id": user }));
    }
    add(&fixture, &json!({ "user": "alice", "fail_user_code": 50_013 }));
    let to_both = "RoomId=room&FromUserId=server&MessageContent=hello&ToUserId[]=alice&ToUserId[]=bob";
    let answer = fixture.zego("SendCustomCommand", to_both);
    assert_eq!(answer.code(), 0);
    assert_eq!(
        answer.body["Data"]["FailUsers"],
        json!([{ "Uid": "alice", "Code": 50_013 }])
    );
    assert!(fixture.inbox("zego", "alice").is_empty());
    assert_eq!(fixture.inbox("zego", "bob").len(), 1);
    assert_eq!(
        fixture.last_ledger_entry()["recipients"][0],
        json!({ "user": "alice", "outcome": "failed", "code": 50_013 })
    );
}
