//! Pacing with many threads against the emulator, which checks the rate with its own clock and quota.

mod common;

use std::time::Duration;

use common::{COMMAND, SIGNAL, UNICAST, client_with, emulator, get, outcome, post, send};
use rtcmsg::{Client, Code, Delivery, Message, Payload, SendOptions, SendTimeout, Vendor};
use serde_json::json;

/// A client whose account no other test uses, since clients of one account share its buckets in a process.
fn paced(url: &str, scope: &str, settings: &[(&str, &str)]) -> Client {
    let mut all = vec![
        ("quota.mode", "wait"),
        ("quota.volcengine_scope", scope),
        ("quota.zego_scope", scope),
        ("http.timeout_ms", "600000"),
        // Delays vary this much on a busy machine with new connections.
        ("quota.jitter_ms", "300"),
    ];
    all.extend(settings);
    client_with(url, &all)
}

/// 16 threads send `count` messages. None may be throttled, and no second in the ledger may have more than `limit`.
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
fn no_second_has_more_than_500_of_the_rtc_sends() {
    let emulator = emulator();
    let client = paced(emulator.url(), "rtc", &[]);
    flood(&client, emulator.url(), &UNICAST, 1300, 500);
}

#[test]
fn no_second_has_more_than_100_im_messages() {
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
fn no_second_has_more_than_10_commands_of_a_test_project() {
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
fn a_send_whose_permit_comes_after_the_deadline_is_refused_immediately() {
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
fn a_batch_that_costs_one_permit_per_recipient_is_split_at_the_limit_per_second() {
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
fn close_ends_the_wait_for_a_permit_and_waiting_sends_are_not_sent() {
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
            // A send after the close is refused; a send that waited for its permit is not sent.
            match call.join().unwrap() {
                Ok(report) => assert_eq!(outcome(&report), (Code::Closed, Delivery::NotSent)),
                Err(error) => assert_eq!(error.code, Code::Closed),
            }
        }
    });
    assert_eq!(get(emulator.url(), "stats")["requests"], 1);
}

#[test]
fn quota_mode_off_limits_nothing() {
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

/// The code of a raw call. The emulator does not serve these actions, and its refusal shows that the request was sent.
fn call(client: &Client, vendor: Vendor, action: &str, json: &str) -> Code {
    let version = if vendor == Vendor::Volcengine { "2020-12-01" } else { "" };
    let report = client.call_action(vendor, action, version, json, &SendOptions::default());
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
