//! Several clients of one account in one process: they share its quota, and every message of each ends.

mod common;

use std::time::Duration;

use common::{config, get};
use rtcmsg::{CallOptions, Client, Code, Config, Dispatcher, Message, Payload, SubmitOptions};
use rtcmsg_emulator::{Emulator, Options};

/// Longer than anything here takes: what runs into it has gone wrong.
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

/// So many clients submit `each` messages and `threads` threads send `each` more; all of them end, once.
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
fn two_queues_of_one_account_end() {
    all_end("two", 2, 0, 8, &[("quota.rtc_per_second", "5")]);
}

#[test]
fn three_queues_and_two_threads_end() {
    all_end("three", 3, 2, 60, &[("quota.rtc_per_second", "100")]);
}

#[test]
fn twenty_queues_with_full_rooms_and_threads_end() {
    let settings = [("quota.rtc_per_second", "200"), ("quota.room_per_second", "1")];
    all_end("twenty", 20, 5, 30, &settings);
}

#[test]
fn six_hundred_queues_end() {
    all_end(
        "many",
        600,
        3,
        3,
        &[("quota.rtc_per_second", "600"), ("worker.threads", "1")],
    );
}

#[test]
fn a_client_that_closes_in_the_middle_leaves_the_others_going() {
    let emulator = emulator();
    let config = shared(emulator.url(), "leaving", &[("quota.rtc_per_second", "5")]);
    let leaving = Dispatcher::new(&config).expect("a client");
    let staying = Dispatcher::new(&config).expect("a client");
    // The first has the first places, and keeps the time.
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

/// Messages to other rooms, and those of other clients, are not delayed by what waits for a full room or a busy client.
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
    // Of the full room one a second may be sent.
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
