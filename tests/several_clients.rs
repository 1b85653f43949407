//! Several clients of one account in one process: they share its quota, and every message of each client gets its report.

mod common;

use std::time::Duration;

use common::{config, get};
use rtcmsg::{CallOptions, Client, Code, Config, Dispatcher, Message, Payload, SubmitOptions};
use rtcmsg_emulator::{Emulator, Options};

/// The time limit of a wait. It is longer than any correct wait here, so that a test that hangs fails.
const NET: Option<Duration> = Some(Duration::from_secs(120));

fn emulator() -> Emulator {
    let options = Options {
        quota: false,
        ..Options::default()
    };
    Emulator::start(options).expect("an emulator")
}

fn shared(url: &str, scope: &str, settings: &[(&str, &str)]) -> Config {
    let mut config = config(url);
    let account = [
        ("quota.mode", "wait"),
        ("quota.volcengine_scope", scope),
        ("http.timeout_ms", "120000"),
        ("worker.threads", "2"),
    ];
    for (key, value) in account.iter().chain(settings) {
        config.set(key, value).expect(key);
    }
    config
}

fn broadcast(room_id: &str) -> Message<'_> {
    Message::SendBroadcast {
        room_id,
        from: "server",
        payload: Payload::Text("hi"),
    }
}

/// `clients` clients submit `each` messages each, and `threads` threads send `each` more. Each message gets exactly one report.
fn all_end(scope: &str, clients: usize, threads: usize, each: usize, settings: &[(&str, &str)]) {
    let emulator = emulator();
    let config = shared(emulator.url(), scope, settings);
    let queues: Vec<Dispatcher> = (0..clients)
        .map(|_| Dispatcher::new(&config).expect("a client"))
        .collect();
    let client = Client::new(&config).expect("a client");
    for (number, queue) in queues.iter().enumerate() {
        for message in 0..each {
            let room = format!("room-{number}-{message}");
            queue
                .submit(&broadcast(&room), &SubmitOptions::default())
                .expect("enqueued");
        }
    }
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let client = &client;
            scope.spawn(move || {
                for message in 0..each {
                    let room = format!("thread-{thread}-{message}");
                    let report = client.send(&broadcast(&room), &CallOptions::default()).expect("sent");
                    assert_eq!(report.code(), Code::Ok, "{}", report.text());
                }
            });
        }
    });
    for queue in &queues {
        for _ in 0..each {
            let done = queue.poll(NET).expect("not forked").expect("a completion");
            assert_eq!(done.report.code(), Code::Ok, "{}", done.report.text());
        }
        assert!(queue.poll(Some(Duration::ZERO)).expect("not forked").is_none());
    }
    assert_eq!(get(emulator.url(), "stats")["requests"], (clients + threads) * each);
}

#[test]
fn two_queues_of_one_account_complete_all_messages() {
    all_end("two", 2, 0, 8, &[("quota.rtc_per_second", "5")]);
}

#[test]
fn three_queues_and_two_threads_complete_all_messages() {
    all_end("three", 3, 2, 60, &[("quota.rtc_per_second", "100")]);
}

#[test]
fn twenty_queues_with_full_rooms_and_threads_complete_all_messages() {
    let settings = [("quota.rtc_per_second", "200"), ("quota.room_per_second", "1")];
    all_end("twenty", 20, 5, 30, &settings);
}

#[test]
fn six_hundred_queues_complete_all_messages() {
    all_end(
        "many",
        600,
        3,
        3,
        &[("quota.rtc_per_second", "600"), ("worker.threads", "1")],
    );
}

#[test]
fn a_client_that_closes_does_not_stop_the_other_clients() {
    let emulator = emulator();
    let config = shared(emulator.url(), "leaving", &[("quota.rtc_per_second", "5")]);
    let leaving = Dispatcher::new(&config).expect("a client");
    let staying = Dispatcher::new(&config).expect("a client");
    // The client that closes is first in the quota's list, so its thread is the one that waits for the next permit.
    for queue in [&leaving, &staying] {
        for message in 0..8 {
            let room = format!("room-{message}");
            queue
                .submit(&broadcast(&room), &SubmitOptions::default())
                .expect("enqueued");
        }
    }
    leaving.close(Some(Duration::ZERO));
    drop(leaving);
    for _ in 0..8 {
        let done = staying.poll(NET).expect("not forked").expect("a completion");
        assert_eq!(done.report.code(), Code::Ok, "{}", done.report.text());
    }
}

/// Messages that wait for a full room or a busy client do not delay messages to other rooms or of other clients.
#[test]
fn a_full_room_and_a_busy_client_delay_no_others() {
    let emulator = emulator();
    emulator.add_fault(r#"{"user": "slow", "stall": true}"#.parse().expect("a fault"));
    let settings = [
        ("quota.rtc_per_second", "100000"),
        ("quota.room_per_second", "1"),
        ("queue.capacity", "20000"),
        ("worker.threads", "1"),
    ];
    let config = shared(emulator.url(), "backlog", &settings);
    let full = Dispatcher::new(&config).expect("a client");
    let busy = Dispatcher::new(&config).expect("a client");
    let unordered = SubmitOptions {
        order: rtcmsg::Order::Unordered,
        ..SubmitOptions::default()
    };
    let slow = Message::SendUnicast {
        from: "server",
        to: "slow",
        payload: Payload::Text("hi"),
    };
    busy.submit(&slow, &unordered).expect("enqueued");
    for message in 0..3000 {
        full.submit(&broadcast("full"), &unordered).expect("enqueued");
        busy.submit(&broadcast(&format!("room-{message}")), &unordered)
            .expect("enqueued");
    }
    let others: Vec<u64> = (0..20)
        .map(|room| {
            full.submit(&broadcast(&format!("other-{room}")), &unordered)
                .expect("enqueued")
        })
        .collect();
    // The limit of the full room is one message per second.
    let mut left = others.len();
    let mut of_the_room = 0;
    while left > 0 {
        let done = full.poll(NET).expect("not forked").expect("a completion");
        if others.contains(&done.id) {
            left -= 1;
        } else {
            of_the_room += 1;
        }
    }
    assert!(
        of_the_room < 20,
        "{of_the_room} of the full room came before the others"
    );
}
