//! Pacing for real: many threads against the emulator, whose own clock and quota are the judge.

mod common;

use std::time::Duration;

use common::{COMMAND, SIGNAL, UNICAST, client_with, emulator, get, outcome, post, send};
use rtcmsg::{Client, Code, Delivery, Message, Payload, SendOptions, SendTimeout, Vendor};
use serde_json::json;

/// Each test has an account of its own in the process's buckets.
fn paced(url: &str, scope: &str, settings: &[(&str, &str)]) -> Client {
    let mut all = vec![
        ("quota.mode", "wait"),
        ("quota.volcengine_scope", scope),
        ("quota.zego_scope", scope),
        ("http.timeout_ms", "600000"),
        // What delays may differ by where the machine has other work and the connections are new.
        ("quota.jitter_ms", "300"),
    ];
    all.extend(settings);
    client_with(url, &all)
}

/// 16 threads send until `count` messages went out; none may be throttled, and the ledger holds no second above `limit`.
fn flood(client: &Client, url: &str, message: &Message, count: usize, limit: usize) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                while next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < count {
                    let report = send(client, message);
                    assert_eq!(report.code(), Code::Ok, "{}", report.summary());
                }
            });
        }
    });
    let ledger = get(url, "ledger");
    let mut times: Vec<u64> = ledger
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry["received_at_ns"].as_u64().expect("a time"))
        .collect();
    times.sort_unstable();
    assert_eq!(times.len(), count);
    for pair in times.windows(limit + 1) {
        let apart = pair[limit] - pair[0];
        assert!(apart >= 1_000_000_000, "{} within {apart} ns", limit + 1);
    }
}

#[test]
fn no_second_holds_more_than_500_of_the_rtc_sends() {
    let emulator = emulator();
    let client = paced(emulator.url(), "rtc", &[]);
    flood(&client, emulator.url(), &UNICAST, 1300, 500);
}

#[test]
fn no_second_holds_more_than_100_im_messages() {
    let emulator = emulator();
    let member = json!({"conversation_id": SIGNAL.conversation_id, "user_id": SIGNAL.sender_id, "devices": ["Web"]});
    post(emulator.url(), "im/join", member);
    let client = paced(emulator.url(), "im", &[]);
    flood(
        &client,
        emulator.url(),
        &Message::P2PSendMessageToAll { signal: SIGNAL },
        250,
        100,
    );
}

#[test]
fn no_second_holds_more_than_10_commands_of_a_test_project() {
    let emulator = emulator();
    post(
        emulator.url(),
        "zego/join",
        json!({"room_id": "lobby", "user_id": "alice"}),
    );
    let client = paced(emulator.url(), "zego", &[("zego.is_test", "true")]);
    flood(&client, emulator.url(), &COMMAND, 25, 10);
}

#[test]
fn clients_of_one_account_share_its_quota_and_other_accounts_do_not() {
    let emulator = emulator();
    let failing = [
        ("quota.mode", "fail"),
        ("quota.rtc_per_second", "3"),
        ("quota.jitter_ms", "10000"),
    ];
    let one = paced(emulator.url(), "shared", &failing);
    let two = paced(emulator.url(), "shared", &failing);
    let other = paced(emulator.url(), "not-shared", &failing);
    for client in [&one, &two, &one] {
        assert_eq!(send(client, &UNICAST).code(), Code::Ok);
    }
    let report = send(&two, &UNICAST);
    assert_eq!(
        outcome(&report),
        (Code::RateLimited, Delivery::NotSent),
        "{}",
        report.summary()
    );
    let request = &report.requests()[0];
    assert!((1..=11_000).contains(&request.retry_after_ms), "{}", report.summary());
    assert!(request.attempts.is_empty());
    assert_eq!(send(&other, &UNICAST).code(), Code::Ok);
    assert_eq!(get(emulator.url(), "stats")["requests"], 4);
}

#[test]
fn a_turn_after_the_deadline_is_refused_at_once() {
    let emulator = emulator();
    let client = paced(
        emulator.url(),
        "deadline",
        &[("quota.rtc_per_second", "1"), ("quota.jitter_ms", "10000")],
    );
    assert_eq!(send(&client, &UNICAST).code(), Code::Ok);
    let options = SendOptions {
        timeout: SendTimeout::After(Duration::from_secs(5)),
        ..SendOptions::default()
    };
    let report = client.send(&UNICAST, &options).unwrap();
    assert_eq!(outcome(&report), (Code::RateLimited, Delivery::NotSent));
}

#[test]
fn a_batch_that_weighs_its_recipients_is_cut_to_what_a_second_allows() {
    let emulator = emulator();
    let settings = [
        ("quota.batch_cost", "recipient"),
        ("quota.rtc_per_second", "4"),
        ("quota.mode", "fail"),
        ("quota.jitter_ms", "10000"),
        ("split.concurrency", "1"),
    ];
    let client = paced(emulator.url(), "weights", &settings);
    let to = ["a", "b", "c", "d", "e", "f"];
    let batch = Message::BatchSendRoomUnicast {
        room_id: "r",
        from: "s",
        to: &to,
        payload: Payload::Text("hi"),
    };
    let report = send(&client, &batch);
    let parts: Vec<_> = report.requests().iter().map(|r| (r.code, r.delivery)).collect();
    assert_eq!(
        parts,
        [(Code::Ok, Delivery::Accepted), (Code::RateLimited, Delivery::NotSent)]
    );
    let accepted = report
        .recipients()
        .iter()
        .filter(|r| r.delivery == Delivery::Accepted)
        .count();
    assert_eq!(accepted, 4);
}

#[test]
fn close_ends_the_wait_for_a_turn_and_what_waited_is_not_sent() {
    let emulator = emulator();
    let client = paced(
        emulator.url(),
        "closing",
        &[("quota.rtc_per_second", "1"), ("quota.jitter_ms", "10000")],
    );
    assert_eq!(send(&client, &UNICAST).code(), Code::Ok);
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| client.send(&UNICAST, &SendOptions::default())))
            .collect();
        client.close(Some(Duration::ZERO));
        for call in waiting {
            // Whoever came after the close was not taken in; whoever was inside is not sent.
            match call.join().unwrap() {
                Ok(report) => assert_eq!(outcome(&report), (Code::Closed, Delivery::NotSent)),
                Err(error) => assert_eq!(error.code, Code::Closed),
            }
        }
    });
    assert_eq!(get(emulator.url(), "stats")["requests"], 1);
}

#[test]
fn off_means_off() {
    let emulator = emulator();
    let client = paced(
        emulator.url(),
        "off",
        &[("quota.mode", "off"), ("quota.rtc_per_second", "1")],
    );
    for _ in 0..20 {
        assert_eq!(send(&client, &UNICAST).code(), Code::Ok);
    }
}

/// What a raw call comes to; the emulator knows none of these actions, and its refusal is an answer.
fn call(client: &Client, vendor: Vendor, action: &str, json: &str) -> Code {
    let version = if vendor == Vendor::Volcengine { "2020-12-01" } else { "" };
    let report = client.call(vendor, action, version, json, &SendOptions::default());
    report.expect("sent").code()
}

#[test]
fn raw_calls_of_actions_whose_quota_is_known_are_paced() {
    let emulator = emulator();
    let settings = [
        ("quota.mode", "fail"),
        ("quota.jitter_ms", "10000"),
        ("quota.im_user_receivers_per_minute", "5"),
        ("quota.zego_per_second", "1"),
    ];
    let client = paced(emulator.url(), "raw", &settings);
    let im = |json: &str| call(&client, Vendor::Volcengine, "P2PSendUserMessage", json);
    assert_ne!(im(r#"{"Receivers":[1,2,3]}"#), Code::RateLimited);
    assert_eq!(im(r#"{"Receivers":[4,5,6]}"#), Code::RateLimited);
    assert_ne!(im(r#"{"Receivers":[4,5]}"#), Code::RateLimited);
    assert_ne!(im(r#"{"ToAllOnlineUsers":true}"#), Code::RateLimited);
    let again = call(
        &client,
        Vendor::Volcengine,
        "p2pSendUserMessage",
        r#"{"ToAllOnlineUsers":true}"#,
    );
    assert_eq!(again, Code::RateLimited, "one a second to all, however it is spelled");

    let zego = |action: &str| call(&client, Vendor::Zego, action, r#"{"RoomId":"lobby"}"#);
    assert_ne!(zego("SendBarrageMessage"), Code::RateLimited);
    assert_eq!(zego("SendBroadcastMessage"), Code::RateLimited);
    assert_eq!(
        send(&client, &COMMAND).code(),
        Code::RateLimited,
        "one quota for all three"
    );
    for _ in 0..20 {
        assert_ne!(zego("DescribeUserNum"), Code::RateLimited);
    }
    let stats = get(emulator.url(), "stats");
    assert_eq!(stats["requests"], 24, "what was refused was not sent");
}
