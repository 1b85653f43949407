//! Faults with an answer: what the client sees, whether the message is delivered, and for which requests a rule fires.

mod fixtures;

use fixtures::{Answer, Fixture, p2p_send_message, send_room_unicast, send_unicast, with};
use rtcmsg_emulator::FaultRule;
use serde_json::{Value, json};

const COMMAND: &str = "RoomId=room&FromUserId=server&MessageContent=hello";

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.control("volcengine/join", json!({ "room_id": "room", "user_id": "alice" }));
    fixture.control("zego/join", json!({ "room_id": "room", "user_id": "alice" }));
    let members = json!({ "conversation_id": 7_221_856_821_303_361_536_i64, "user_id": 10_008, "devices": [] });
    fixture.control("im/join", members);
    fixture
}

fn add(fixture: &Fixture, rule: &Value) -> u64 {
    let answer = fixture.run("POST", "/_emulator/faults", &[], rule.to_string().as_bytes());
    answer.body["id"]
        .as_u64()
        .unwrap_or_else(|| panic!("{rule}: {}", answer.body))
}

fn unicast(fixture: &Fixture, version: &str) -> Answer {
    fixture.volcengine("SendUnicast", version, &send_unicast())
}

#[test]
fn a_throttle_is_the_vendors_own_answer() {
    let fixture = fixture();
    add(&fixture, &json!({ "throttle": true, "retry_after_s": 3 }));
    let table = [
        (
            unicast(&fixture, "2020-12-01"),
            200,
            (0, "FlowLimitExceeded.QPSOverLimit"),
        ),
        (
            unicast(&fixture, "2023-07-20"),
            429,
            (0, "FlowLimitExceeded.QPSOverLimit"),
        ),
        (
            fixture.volcengine("P2PSendMessage", "2020-12-01", &p2p_send_message()),
            200,
            (100_018, "FlowLimitExceeded"),
        ),
    ];
    for (answer, status, error) in table {
        assert_eq!((answer.status, answer.error()), (status, error));
        assert_eq!(answer.headers["retry-after"], "3");
    }
    let answer = fixture.zego("SendCustomCommand", COMMAND);
    assert_eq!((answer.status, answer.code()), (200, 7));
    assert_eq!(answer.headers["retry-after"], "3");
    assert!(fixture.inbox("volcengine", "alice").is_empty() && fixture.inbox("zego", "alice").is_empty());
    let ledger = fixture.get("ledger");
    assert!(
        ledger
            .as_array()
            .unwrap()
            .iter()
            .all(|entry| entry["accepted"] == false && entry["faults"] == json!([1]))
    );
}

#[test]
fn a_status_fault_has_its_body_and_headers() {
    let fixture = fixture();
    let rule =
        json!({ "status": 503, "body": "busy", "retry_after_s": 1, "headers": { "X-Seen": "yes", "Date": "then" } });
    add(&fixture, &rule);
    let answer = unicast(&fixture, "2020-12-01");
    assert_eq!((answer.status, answer.body), (503, json!("busy")));
    assert_eq!(
        (answer.date.as_str(), &answer.headers["x-seen"]),
        ("then", &"yes".parse().unwrap())
    );
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    let entry = fixture.last_ledger_entry();
    assert_eq!(
        (&entry["status"], &entry["code"], &entry["action"]),
        (&json!(503), &Value::Null, &json!("SendUnicast"))
    );
    assert_eq!((&entry["accepted"], &entry["recipients"]), (&json!(false), &json!([])));
}

#[test]
fn a_status_fault_with_html_is_an_error_page() {
    let fixture = fixture();
    add(&fixture, &json!({ "status": 502, "html": true }));
    let answer = fixture.zego("SendCustomCommand", COMMAND);
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (502, &"text/html".parse().unwrap())
    );
    assert!(
        answer.body.as_str().unwrap().contains("<h1>502 Bad Gateway</h1>"),
        "{}",
        answer.body
    );
}

#[test]
fn a_processed_message_is_delivered_although_the_answer_is_an_error() {
    for rule in [
        json!({ "status": 504, "processed": true }),
        json!({ "error": "InternalServiceTimeout", "processed": true }),
    ] {
        let fixture = fixture();
        add(&fixture, &rule);
        assert_eq!(unicast(&fixture, "2020-12-01").status, 504);
        assert_eq!(fixture.inbox("volcengine", "alice").len(), 1, "{rule}");
        let entry = fixture.last_ledger_entry();
        assert_eq!((&entry["accepted"], &entry["status"]), (&json!(true), &json!(504)));
        assert_eq!(entry["recipients"][0]["outcome"], "delivered");
    }
}

#[test]
fn an_error_fault_has_volcengines_envelope() {
    let table = [
        (
            json!({ "error": "ServiceUnavailableTemp" }),
            503,
            (100_019, "ServiceUnavailableTemp"),
        ),
        (json!({ "error": "InternalError" }), 500, (100_014, "InternalError")),
        (
            json!({ "error": "InvalidTimestamp" }),
            400,
            (100_006, "InvalidTimestamp"),
        ),
        (json!({ "error": "InternalError.Some" }), 200, (0, "InternalError.Some")),
        (json!({ "error": "New", "code_n": 5, "status": 418 }), 418, (5, "New")),
    ];
    for (rule, status, error) in table {
        let fixture = fixture();
        add(&fixture, &rule);
        let answer = unicast(&fixture, "2020-12-01");
        assert_eq!((answer.status, answer.error()), (status, error), "{rule}");
        assert_eq!(answer.body["ResponseMetadata"]["Action"], "SendUnicast");
        assert!(fixture.inbox("volcengine", "alice").is_empty());
        assert_eq!(
            fixture.zego("SendCustomCommand", COMMAND).code(),
            0,
            "a word is not for ZEGO"
        );
    }
}

#[test]
fn an_error_fault_has_zegos_envelope() {
    for (processed, arrived) in [(false, 0), (true, 1)] {
        let fixture = fixture();
        add(
            &fixture,
            &json!({ "error": 50_013, "message": "try again", "processed": processed }),
        );
        let answer = fixture.zego("SendCustomCommand", COMMAND);
        assert_eq!((answer.status, answer.code()), (200, 50_013));
        assert_eq!(answer.body["Message"], "try again");
        assert_eq!(fixture.inbox("zego", "alice").len(), arrived);
        assert_eq!(
            unicast(&fixture, "2020-12-01").error(),
            (0, ""),
            "a number is not for Volcengine"
        );
    }
}

#[test]
fn a_rule_matches_by_vendor_action_and_user() {
    type Request<'a> = (&'a str, &'a dyn Fn(&Fixture) -> Answer);
    let requests: [Request<'_>; 4] = [
        ("unicast", &|fixture| unicast(fixture, "2020-12-01")),
        ("room", &|fixture| {
            fixture.volcengine(
                "SendRoomUnicast",
                "2020-12-01",
                &with(send_room_unicast(), "To", json!("bob")),
            )
        }),
        ("im", &|fixture| {
            let body = with(p2p_send_message(), "ReceiverUserId", json!([8, 7]));
            fixture.volcengine("P2PSendMessage", "2020-12-01", &body)
        }),
        ("zego", &|fixture| {
            fixture.zego(
                "SendCustomCommand",
                &format!("{COMMAND}&ToUserId[]=bob&ToUserId[]=alice"),
            )
        }),
    ];
    let table: [(Value, &[&str]); 7] = [
        (json!({}), &["unicast", "room", "im", "zego"]),
        (json!({ "vendor": "volcengine" }), &["unicast", "room"]),
        (json!({ "vendor": "im" }), &["im"]),
        (json!({ "vendor": "zego" }), &["zego"]),
        (json!({ "action": "SendRoomUnicast" }), &["room"]),
        (json!({ "user": "alice" }), &["unicast", "zego"]),
        (json!({ "user": 7 }), &["im"]),
    ];
    for (rule, hit) in table {
        let fixture = fixture();
        add(&fixture, &with(rule.clone(), "status", json!(599)));
        for (name, send) in requests {
            assert_eq!(send(&fixture).status == 599, hit.contains(&name), "{rule} {name}");
        }
    }
}

#[test]
fn a_rule_skips_requests_then_fires_count_times_and_is_spent() {
    let fixture = fixture();
    let rule = json!({ "status": 500, "skip": 2, "count": 3 });
    let id = add(&fixture, &rule);
    let statuses: Vec<_> = (0..7).map(|_| unicast(&fixture, "2020-12-01").status).collect();
    assert_eq!(statuses, [200, 200, 500, 500, 500, 200, 200]);
    let listed = json!([{ "id": id, "matched": 5, "fired": 3, "spent": true, "rule": rule }]);
    assert_eq!(fixture.get("faults"), listed);
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let run = |seed: u64| {
        let fixture = fixture();
        add(&fixture, &json!({ "status": 500, "probability": 0.5, "seed": seed }));
        (0..64)
            .map(|_| unicast(&fixture, "2020-12-01").status)
            .collect::<Vec<_>>()
    };
    let first = run(1);
    assert_eq!(first, run(1));
    assert_ne!(first, run(2));
    assert!(first.contains(&200) && first.contains(&500));
}

#[test]
fn only_the_first_of_several_matching_rules_fires() {
    let fixture = fixture();
    add(&fixture, &json!({ "status": 500, "count": 1 }));
    add(&fixture, &json!({ "status": 501, "count": 1 }));
    add(&fixture, &json!({ "latency_ms": 1, "count": 1 }));
    let statuses: Vec<_> = (0..3).map(|_| unicast(&fixture, "2020-12-01").status).collect();
    assert_eq!(statuses, [500, 501, 200]);
    assert_eq!(fixture.get("ledger")[0]["faults"], json!([1, 3]));
}

#[test]
fn rules_are_removed_by_id_all_at_once_or_by_a_reset() {
    let fixture = fixture();
    let rule = json!({ "status": 500 });
    let ids: Vec<_> = (0..3).map(|_| add(&fixture, &rule)).collect();
    assert_eq!(ids, [1, 2, 3]);
    let remove = |path: &str| fixture.run("DELETE", &format!("/_emulator/{path}"), &[], b"").status;
    assert_eq!(
        (remove("faults/2"), remove("faults/2"), remove("faults/x")),
        (200, 404, 404)
    );
    let left = fixture.get("faults");
    assert_eq!(
        left.as_array()
            .unwrap()
            .iter()
            .map(|rule| &rule["id"])
            .collect::<Vec<_>>(),
        [1, 3]
    );
    assert_eq!(remove("faults"), 200);
    assert_eq!(fixture.get("faults"), json!([]));
    assert_eq!(add(&fixture, &rule), 4);
    fixture.control("reset", json!({}));
    assert_eq!(fixture.get("faults"), json!([]));
    assert_eq!(add(&fixture, &rule), 5);
}

#[test]
fn faults_can_be_set_at_the_start() {
    let fixture =
        Fixture::with(|options| options.faults = FaultRule::list(r#"[{"status": 500, "count": 1}]"#).unwrap());
    assert_eq!(unicast(&fixture, "2020-12-01").status, 500);
    fixture.emulator.add_fault(r#"{"status": 501}"#.parse().unwrap());
    assert_eq!(unicast(&fixture, "2020-12-01").status, 501);
    fixture.emulator.remove_faults();
    assert_eq!(unicast(&fixture, "2020-12-01").status, 200);
}

#[test]
fn an_invalid_rule_is_refused_by_an_error_that_names_the_field() {
    let table = [
        ("[]", "JSON object"),
        ("{}", "needs a fault"),
        (r#"{"vendor":"zego"}"#, "needs a fault"),
        (r#"{"status":500,"stall":true}"#, "status and stall"),
        (r#"{"status":500,"vendor":"rtc"}"#, "vendor"),
        (r#"{"status":100}"#, "status"),
        (r#"{"status":500,"probability":1.5}"#, "probability"),
        (r#"{"status":500,"seed":1}"#, "seed"),
        (r#"{"status":500,"typo":1}"#, "typo"),
        (r#"{"status":500,"headers":{"a b":"c"}}"#, "headers"),
        (r#"{"status":500,"headers":{"content-length":"1"}}"#, "content-length"),
        (r#"{"status":500,"reset":true}"#, "reset"),
        (r#"{"throttle":false}"#, "throttle"),
        (r#"{"throttle":true,"processed":true}"#, "processed"),
        (r#"{"cut_answer_after":-1}"#, "cut_answer_after"),
        (r#"{"cut_request_after":1,"user":"alice"}"#, "user"),
        (r#"{"drop_on_accept":true,"vendor":"zego"}"#, "vendor"),
        (r#"{"reset_on_accept":true,"action":"a"}"#, "action"),
        (r#"{"error":5,"vendor":"im"}"#, "error"),
        (r#"{"error":"Word","vendor":"zego"}"#, "error"),
        (r#"{"error":0}"#, "error"),
        (r#"{"error":""}"#, "error"),
        (r#"{"device_code":"X","vendor":"zego"}"#, "device_code"),
        (r#"{"fail_user_code":0}"#, "fail_user_code"),
    ];
    let fixture = Fixture::new();
    for (rule, named) in table {
        let answer = fixture.run("POST", "/_emulator/faults", &[], rule.as_bytes());
        let error = answer.body["error"].as_str().unwrap_or_default();
        assert!(
            answer.status == 400 && error.contains(named),
            "{rule}: {} {error}",
            answer.status
        );
    }
    let error = FaultRule::list(r#"[{"status": 500}, {"status": 5}]"#).unwrap_err();
    assert_eq!(error.to_string(), "rule 2: status must be from 200 to 599, not 5");
}

#[test]
fn a_test_can_shift_the_vendors_clock() {
    let fixture = fixture();
    fixture.control("clock", json!({ "offset_s": 901 }));
    let answer = unicast(&fixture, "2020-12-01");
    assert_eq!(
        (answer.error().1, answer.date.as_str()),
        ("InvalidTimestamp", "Fri, 02 Jan 2026 03:19:06 GMT")
    );
    assert_eq!(fixture.zego("SendCustomCommand", COMMAND).code(), 100_000_004);
    fixture.control("clock", json!({ "offset_s": -900 }));
    let answer = unicast(&fixture, "2020-12-01");
    assert_eq!(
        (answer.error().1, answer.date.as_str()),
        ("", "Fri, 02 Jan 2026 02:49:05 GMT")
    );
    fixture.control("reset", json!({}));
    assert_eq!(unicast(&fixture, "2020-12-01").date, "Fri, 02 Jan 2026 03:04:05 GMT");
    for offset in [json!(315_360_001), json!(i64::MIN), json!("1")] {
        let body = json!({ "offset_s": offset }).to_string();
        let answer = fixture.run("POST", "/_emulator/clock", &[], body.as_bytes());
        assert!(answer.status == 400 && answer.body["error"].as_str().unwrap().contains("offset_s"));
    }
}
