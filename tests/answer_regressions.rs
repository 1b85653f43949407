//! Answers that an earlier version read wrongly, as data: `answers/regressions.json` has the bytes of each and the expected report.

mod common;

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{COMMAND, Peer, SIGNAL, UNICAST, client_with, read_request, send};
use rtcmsg::{Message, Report};
use serde_json::{Value, json};

/// The message of a case. Fields that the case does not name have the same value in all cases.
fn with_message<T>(case: &Value, then: impl FnOnce(&Message) -> T) -> T {
    let message = &case["message"];
    let list = |name: &str| message[name].as_array().cloned().unwrap_or_default();
    let (ids, names) = (list("user_ids"), list("to"));
    let user_ids: Vec<i64> = ids.iter().map(|id| id.as_i64().expect("an id")).collect();
    let to: Vec<&str> = names.iter().map(|name| name.as_str().expect("a name")).collect();
    let (user_ids, to, signal) = (&*user_ids, &*to, SIGNAL);
    then(&match message["action"].as_str().expect("an action") {
        "SendUnicast" => UNICAST,
        "P2PSendMessageToUsers" => Message::P2PSendMessageToUsers { signal, user_ids },
        "P2PSendMessageToAll" => Message::P2PSendMessageToAll { signal },
        "P2PSendMessageToAllExcept" => Message::P2PSendMessageToAllExcept { signal, user_ids },
        "SendCustomCommandToRoom" => COMMAND,
        "SendCustomCommandToUsers" => Message::SendCustomCommandToUsers {
            room_id: "lobby",
            from: "server",
            to,
            content: "hi",
        },
        other => panic!("{other}"),
    })
}

fn answer(case: &Value) -> Vec<u8> {
    let body = match case["body"].as_str() {
        Some(body) => body.as_bytes().to_vec(),
        None => STANDARD
            .decode(case["body_base64"].as_str().expect("a body"))
            .expect("base64"),
    };
    let mut head = format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\n", case["status"], body.len());
    for (name, value) in case["headers"].as_object().into_iter().flatten() {
        head += &format!("{name}: {}\r\n", value.as_str().expect("a value"));
    }
    [head.as_bytes(), b"\r\n", &body].concat()
}

/// The values of the report that the case names.
fn told(report: &Report) -> Value {
    let c_name = |name: &std::ffi::CStr| name.to_str().expect("ASCII").to_owned();
    let request = &report.requests()[0];
    let rows = report.recipients().iter();
    json!({
        "code": c_name(report.code().c_name()),
        "delivery": c_name(report.delivery().c_name()),
        "recipients": rows.map(|row| c_name(row.delivery.c_name())).collect::<Vec<_>>(),
        "attempts": request.attempts.len(),
        "retry_after_ms": request.retry_after_ms,
    })
}

#[test]
fn each_answer_gives_the_expected_report() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("answers/regressions.json")).expect("JSON");
    let mut wrongs = Vec::new();
    for case in &cases {
        let mut expected = json!({"attempts": 1, "retry_after_ms": 0});
        let more = case["expected"].as_object().expect("an object").clone();
        expected.as_object_mut().expect("an object").extend(more);

        let (bytes, attempts) = (answer(case), expected["attempts"].as_u64().expect("a count"));
        let peer = Peer::new(1, move |mut stream| {
            for _ in 0..attempts {
                read_request(&mut stream);
                stream.write_all(&bytes).expect("written");
            }
        });
        let max_attempts = attempts.to_string();
        let settings = [("retry.max_attempts", max_attempts.as_str()), ("retry.backoff_ms", "1")];
        let client = client_with(&peer.url, &settings);
        let report = with_message(case, |message| send(&client, message));
        peer.join();
        if told(&report) != expected {
            wrongs.push(format!("{case}\n  is {}\n  {}", told(&report), report.text()));
        }
    }
    println!("{} cases", cases.len());
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}
