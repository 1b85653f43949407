//! The control API: an error names the invalid field, and a reset forgets everything.

mod fixtures;

use fixtures::{Fixture, send_unicast};
use serde_json::json;

#[test]
fn an_error_names_the_invalid_field() {
    let table = [
        ("volcengine/login", "", "JSON object"),
        ("volcengine/login", "[\"alice\"]", "JSON object"),
        ("volcengine/login", "{\"user_id\":\"alice\"} more", "trailing"),
        ("volcengine/login", "{}", "user_id"),
        ("volcengine/login", "{\"user_id\":5}", "user_id"),
        ("volcengine/logout", "{\"user_id\":\"a b\"}", "user_id"),
        ("volcengine/join", "{\"user_id\":\"alice\"}", "room_id"),
        (
            "volcengine/join",
            "{\"room_id\":\"a/b\",\"user_id\":\"alice\"}",
            "room_id",
        ),
        (
            "volcengine/leave",
            "{\"room_id\":\"room\",\"user_id\":\"alice\",\"device\":1}",
            "device",
        ),
        (
            "im/join",
            "{\"conversation_id\":\"1\",\"user_id\":1,\"devices\":[]}",
            "conversation_id",
        ),
        (
            "im/join",
            "{\"conversation_id\":1,\"user_id\":0,\"devices\":[]}",
            "user_id",
        ),
        ("im/join", "{\"conversation_id\":1,\"user_id\":1}", "devices"),
        (
            "im/join",
            "{\"conversation_id\":1,\"user_id\":1,\"devices\":[5]}",
            "devices",
        ),
        (
            "im/join",
            "{\"conversation_id\":1,\"user_id\":1,\"devices\":[\"\"]}",
            "devices",
        ),
        ("im/leave", "{\"conversation_id\":1}", "user_id"),
        ("zego/join", "{\"room_id\":\"\",\"user_id\":\"alice\"}", "room_id"),
        ("zego/leave", "{\"room_id\":\"room\",\"user_id\":null}", "user_id"),
        ("zego/known", "{\"user_id\":\"\"}", "user_id"),
    ];
    let fixture = Fixture::new();
    for (path, body, named) in table {
        let answer = fixture.run("POST", &format!("/_emulator/{path}"), &[], body.as_bytes());
        let error = answer.body["error"].as_str().unwrap_or_default();
        assert!(
            answer.status == 400 && error.contains(named),
            "{path} {body}: {} {error}",
            answer.status
        );
    }
}

#[test]
fn an_inbox_needs_a_vendor_and_a_user() {
    let fixture = Fixture::new();
    for (query, named) in [
        ("", "vendor"),
        ("vendor=rtc&user=u", "vendor"),
        ("vendor=im", "user"),
        ("vendor=im&user=", "user"),
    ] {
        let answer = fixture.run("GET", &format!("/_emulator/inbox?{query}"), &[], b"");
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.body["error"].as_str().unwrap().contains(named), "{query}");
    }
}

#[test]
fn a_reset_forgets_everything_but_the_counters() {
    let fixture = Fixture::new();
    fixture.control("volcengine/login", json!({ "user_id": "alice" }));
    fixture.volcengine("SendUnicast", "2020-12-01", &send_unicast());
    assert_eq!(fixture.inbox("volcengine", "alice").len(), 1);
    fixture.control("reset", json!({}));
    assert!(fixture.inbox("volcengine", "alice").is_empty());
    assert_eq!(fixture.get("ledger"), json!([]));
    assert_eq!(fixture.get("requests"), json!([]));
    fixture.volcengine("SendUnicast", "2020-12-01", &send_unicast());
    assert!(fixture.inbox("volcengine", "alice").is_empty());
    assert_eq!(fixture.last_ledger_entry()["sequence"], 2);
}

#[test]
fn a_reset_frees_nonces_and_quotas() {
    let fixture = Fixture::new();
    let join = || fixture.control("zego/join", json!({ "room_id": "room", "user_id": "alice" }));
    join();
    let command = "RoomId=room&FromUserId=server&MessageContent=hello";
    let target = format!("/?Action=SendCustomCommand&{}&{command}", fixture.zego_common());
    assert_eq!(fixture.run("GET", &target, &[], b"").code(), 0);
    for _ in 0..99 {
        fixture.zego("SendCustomCommand", command);
    }
    assert_eq!(fixture.zego("SendCustomCommand", command).code(), 7);
    fixture.control("reset", json!({}));
    join();
    assert_eq!(fixture.run("GET", &target, &[], b"").code(), 0);
}

#[test]
fn a_request_for_neither_vendor_is_not_found() {
    let fixture = Fixture::new();
    for target in [
        "/",
        "/?Action=SendUnicast",
        "/other?Action=SendUnicast&Version=2020-12-01",
        "/_emulator/nothing",
    ] {
        let answer = fixture.run("GET", target, &[], b"");
        assert_eq!(answer.status, 404, "{target}");
        assert!(answer.body["error"].is_string(), "{target}");
    }
    assert_eq!(fixture.run("GET", "/_emulator/reset", &[], b"").status, 405);
    assert_eq!(fixture.get("ledger"), json!([]));
    assert_eq!(fixture.get("stats")["requests"], 0);
}

#[test]
fn the_health_check_answers_ok() {
    let health = Fixture::new().get("health");
    assert_eq!(health["status"], "ok");
}
