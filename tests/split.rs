//! Lists above the vendor's limit: one message becomes several requests and one report with every user.

mod common;

use std::collections::HashMap;

use common::{Peer, SIGNAL, answer, client_with, emulator, get, outcome, post, send};
use rtcmsg::{Code, Delivery, Message, Payload, Report, SendOptions, SendTimeout, User};
use serde_json::{Value, json};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("user-{index}")).collect()
}

fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

fn batch<'a>(to: &'a [&'a str]) -> Message<'a> {
    Message::BatchSendRoomUnicast {
        room_id: "lobby",
        from: "server",
        to,
        payload: Payload::Text("hi"),
    }
}

fn command<'a>(to: &'a [&'a str]) -> Message<'a> {
    Message::SendCustomCommandToUsers {
        room_id: "lobby",
        from: "server",
        to,
        content: "hi",
    }
}

/// The outcome of every recipient in the ledger. No recipient may be there twice.
fn ledger(url: &str) -> HashMap<String, String> {
    let mut told = HashMap::new();
    for entry in get(url, "ledger").as_array().expect("a list") {
        for recipient in entry["recipients"].as_array().expect("recipients") {
            let user = match &recipient["user"] {
                Value::String(user) => user.clone(),
                number => number.to_string(),
            };
            let before = told.insert(user, recipient["outcome"].as_str().expect("an outcome").to_owned());
            assert_eq!(before, None, "{recipient} twice");
        }
    }
    told
}

/// Asserts that the recipients are in the caller's order, each with the request of its part.
fn in_order(report: &Report, names: &[String], part: usize) {
    assert_eq!(report.recipients().len(), names.len());
    for (index, (recipient, name)) in report.recipients().iter().zip(names).enumerate() {
        assert_eq!(recipient.user, User::Name(name.as_str().into()));
        assert_eq!(recipient.request, index / part, "{name}");
    }
}

#[test]
fn six_thousand_and_one_recipients_are_sent_in_eleven_batches() {
    let emulator = emulator();
    let url = emulator.url();
    let names = names(6001);
    for name in names.iter().step_by(7) {
        post(url, "volcengine/join", json!({"room_id": "lobby", "user_id": name}));
    }
    let report = send(&client_with(url, &[]), &batch(&borrowed(&names)));
    assert_eq!(outcome(&report), (Code::Ok, Delivery::Accepted), "{}", report.summary());
    assert_eq!(report.requests().len(), 11);
    in_order(&report, &names, 600);
    let ledger = ledger(url);
    for (index, name) in names.iter().enumerate() {
        let expected = if index % 7 == 0 { "delivered" } else { "absent" };
        assert_eq!(ledger[name], expected, "{name}");
    }
}

#[test]
fn each_of_a_hundred_and_one_recipients_of_a_command_has_its_own_outcome() {
    let emulator = emulator();
    let url = emulator.url();
    let names = names(101);
    for (index, name) in names.iter().enumerate() {
        match index % 5 {
            0 => post(url, "zego/known", json!({"user_id": name})),
            3 => {}
            _ => post(url, "zego/join", json!({"room_id": "lobby", "user_id": name})),
        }
    }
    let report = send(&client_with(url, &[]), &command(&borrowed(&names)));
    assert_eq!(
        (outcome(&report), report.requests().len()),
        ((Code::Partial, Delivery::NotDelivered), 11)
    );
    in_order(&report, &names, 10);
    let ledger = ledger(url);
    for (index, (recipient, name)) in report.recipients().iter().zip(&names).enumerate() {
        let (delivery, vendor_code, outcome) = match index % 5 {
            0 => (Delivery::NotDelivered, 50003, "failed"),
            3 => (Delivery::NotDelivered, 105, "failed"),
            _ => (Delivery::Accepted, 0, "delivered"),
        };
        assert_eq!(
            (recipient.delivery, recipient.vendor_code),
            (delivery, vendor_code),
            "{name}"
        );
        assert_eq!(ledger[name], outcome, "{name}");
    }
}

#[test]
fn im_receivers_are_split_and_ignored_users_are_not() {
    let emulator = emulator();
    let url = emulator.url();
    let ids: Vec<i64> = (1..=7).chain([SIGNAL.sender_id]).collect();
    for id in &ids {
        let devices = if id % 2 == 0 { json!([]) } else { json!(["Web"]) };
        let member = json!({"conversation_id": SIGNAL.conversation_id, "user_id": id, "devices": devices});
        post(url, "im/join", member);
    }
    let client = client_with(url, &[("volcengine.p2p_max_users", "3")]);
    let report = send(
        &client,
        &Message::P2PSendMessageToUsers {
            signal: SIGNAL,
            user_ids: &ids[..7],
        },
    );
    assert_eq!((report.requests().len(), report.code()), (3, Code::Partial));
    let told: Vec<_> = report
        .recipients()
        .iter()
        .map(|r| (r.user.clone(), r.delivery))
        .collect();
    let expected = ids[..7].iter().map(|id| {
        (
            User::Id(*id),
            if id % 2 == 0 {
                Delivery::NotDelivered
            } else {
                Delivery::Delivered
            },
        )
    });
    assert_eq!(told, expected.collect::<Vec<_>>());
    let except = Message::P2PSendMessageToAllExcept {
        signal: SIGNAL,
        user_ids: &ids[..4],
    };
    let error = client.check(&except).unwrap_err();
    assert_eq!((error.code, error.field.as_ref()), (Code::InvalidArgument, "user_ids"));
}

#[test]
fn a_hundred_thousand_recipients_give_one_report() {
    let peer = {
        let body = r#"{"ResponseMetadata":{"RequestId":"r"},"Result":{"Message":"Success"}}"#;
        let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        Peer::new(1, move |mut stream| (0..167).for_each(|_| answer(&mut stream, &bytes)))
    };
    let names = names(100_000);
    let client = client_with(&peer.url, &[("split.concurrency", "1"), ("http.timeout_ms", "600000")]);
    let report = send(&client, &batch(&borrowed(&names)));
    assert_eq!(
        (outcome(&report), report.requests().len()),
        ((Code::Ok, Delivery::Accepted), 167)
    );
    in_order(&report, &names, 600);
    let text = report.summary();
    assert!(text.len() < 300, "one line for a log: {text}");
    peer.join();
    let one_more: Vec<String> = self::names(100_001);
    let error = client.check(&batch(&borrowed(&one_more))).unwrap_err();
    assert_eq!(
        error.message,
        "100,001 recipients; BatchSendRoomUnicast accepts at most 100,000"
    );
}

/// The outcomes of five parts that are sent one at a time to a peer that answers from a script.
fn parts_of(script: Vec<&'static str>, settings: &[(&str, &str)]) -> Vec<(Code, Delivery, usize)> {
    let mut answers = script.into_iter();
    let peer = Peer::new(answers.len(), move |mut stream| {
        let (status, body) = answers
            .next()
            .expect("a line of the script")
            .split_once(' ')
            .expect("status and body");
        let head = format!(
            "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        answer(&mut stream, &(head + body));
    });
    let names = names(41);
    let mut all = vec![("split.concurrency", "1")];
    all.extend(settings);
    let report = send(&client_with(&peer.url, &all), &command(&borrowed(&names)));
    let parts = report
        .requests()
        .iter()
        .map(|r| (r.code, r.delivery, r.attempts.len()))
        .collect();
    in_order(&report, &names, 10);
    for recipient in report.recipients() {
        let request = &report.requests()[recipient.request];
        assert_eq!((recipient.code, recipient.delivery), (request.code, request.delivery));
    }
    peer.join();
    parts
}

const ACCEPTED: (Code, Delivery, usize) = (Code::Ok, Delivery::Accepted, 1);

#[test]
fn a_refusal_of_one_part_does_not_stop_the_others() {
    let parts = parts_of(
        vec![
            r#"200 {"Code":0}"#,
            r#"200 {"Code":104}"#,
            r#"200 {"Code":50012}"#,
            r#"200 {"Code":1}"#,
            r#"200 {"Code":0}"#,
        ],
        &[],
    );
    let expected = [
        ACCEPTED,
        (Code::Undelivered, Delivery::NotDelivered, 1),
        (Code::Rejected, Delivery::NotDelivered, 1),
        (Code::VendorFault, Delivery::Unknown, 1),
        ACCEPTED,
    ];
    assert_eq!(parts, expected);
}

#[test]
fn a_refusal_that_concerns_all_parts_ends_the_message_and_the_other_parts_are_not_sent() {
    for (body, code) in [
        (r#"200 {"Code":100000005}"#, Code::Unauthenticated),
        (r#"200 {"Code":9}"#, Code::Forbidden),
        (r#"200 {"Code":100000007}"#, Code::Rejected),
        (r#"200 {"Code":100000004}"#, Code::Clock),
        ("403 <html>", Code::Forbidden),
    ] {
        let parts = parts_of(vec![r#"200 {"Code":0}"#, body], &[]);
        let unsent = (code, Delivery::NotSent, 0);
        assert_eq!(
            parts,
            [ACCEPTED, (code, Delivery::NotDelivered, 1), unsent, unsent, unsent],
            "{body}"
        );
    }
}

#[test]
fn a_throttled_part_is_retried_and_the_others_continue() {
    let retrying = [("retry.max_attempts", "2"), ("retry.backoff_ms", "0")];
    let parts = parts_of(
        vec![
            r#"200 {"Code":7}"#,
            r#"200 {"Code":7}"#,
            r#"200 {"Code":7}"#,
            r#"200 {"Code":0}"#,
            r#"200 {"Code":0}"#,
            r#"200 {"Code":0}"#,
            r#"200 {"Code":0}"#,
        ],
        &retrying,
    );
    let throttled = (Code::Throttled, Delivery::NotDelivered, 2);
    assert_eq!(
        parts,
        [
            throttled,
            (Code::Ok, Delivery::Accepted, 2),
            ACCEPTED,
            ACCEPTED,
            ACCEPTED
        ]
    );
}

#[test]
fn parts_that_would_start_after_the_deadline_are_not_sent() {
    // The first part gets no answer, and the deadline passes before the others start.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client_with(
        &format!("http://{}", listener.local_addr().unwrap()),
        &[("split.concurrency", "1")],
    );
    let names = names(41);
    let timeout = SendTimeout::After(std::time::Duration::from_millis(50));
    let options = SendOptions {
        timeout,
        ..SendOptions::default()
    };
    let report = client.send(&command(&borrowed(&names)), &options).unwrap();
    let parts: Vec<_> = report.requests().iter().map(|r| (r.code, r.delivery)).collect();
    let late = (Code::Timeout, Delivery::NotSent);
    assert_eq!(parts, [(Code::Timeout, Delivery::Unknown), late, late, late, late]);
    assert_eq!(outcome(&report), (Code::Timeout, Delivery::Unknown));
}
