//! Submit and poll: each message gets exactly one completion, whatever happens to it, and no call waits longer than it may.

mod common;

use std::collections::HashSet;
use std::time::Duration;

use common::{COMMAND, SIGNAL, UNICAST, config, emulator, get, inbox, post};
use rtcmsg::{
    Client, Code, Completion, Config, Delivery, Error, Logger, Message, Order, Payload, SendOptions, SubmitOptions,
};
use rtcmsg_emulator::{Emulator, Options};
use serde_json::{Value, json};

/// The time limit of a wait. It is longer than any correct wait here, so that a test that hangs fails.
const NET: Option<Duration> = Some(Duration::from_secs(60));

fn client(url: &str, settings: &[(&str, &str)]) -> Client {
    Client::new(&configured(url, settings)).expect("a client")
}

fn configured(url: &str, settings: &[(&str, &str)]) -> Config {
    let mut config = config(url);
    for (key, value) in settings {
        config.set(key, value).expect(key);
    }
    config
}

fn submit(client: &Client, message: &Message) -> u64 {
    client.submit(message, &SubmitOptions::default()).expect("taken in")
}

fn next(client: &Client) -> Completion {
    client.poll(NET).expect("not forked").expect("a completion")
}

/// The next `count` completions, sorted by id.
fn completions(client: &Client, count: usize) -> Vec<Completion> {
    let mut all: Vec<Completion> = (0..count).map(|_| next(client)).collect();
    all.sort_by_key(|completion| completion.id);
    all
}

fn unicast<'a>(to: &'a str, text: &'a str) -> Message<'a> {
    Message::SendUnicast {
        from: "server",
        to,
        payload: Payload::Text(text),
    }
}

fn expiring(millis: u64) -> SubmitOptions {
    SubmitOptions {
        send: SendOptions {
            expires: Some(Duration::from_millis(millis)),
            ..SendOptions::default()
        },
        ..SubmitOptions::default()
    }
}

fn stats(client: &Client) -> Value {
    serde_json::from_str(&client.stats().unwrap()).unwrap()
}

#[test]
fn each_message_gives_one_completion_with_its_report() {
    let emulator = emulator();
    let queue = client(emulator.url(), &[]);
    post(
        emulator.url(),
        "zego/join",
        json!({ "room_id": "lobby", "user_id": "alice" }),
    );
    for member in [10008, 1, 2] {
        let id = SIGNAL.conversation_id;
        post(
            emulator.url(),
            "im/join",
            json!({ "conversation_id": id, "user_id": member, "devices": ["Web"] }),
        );
    }
    let messages = [
        UNICAST,
        Message::SendRoomUnicast {
            room_id: "lobby",
            from: "server",
            to: "alice",
            payload: Payload::Binary(&[1, 255]),
        },
        Message::BatchSendRoomUnicast {
            room_id: "lobby",
            from: "server",
            to: &["alice", "bob"],
            payload: Payload::Text("hi"),
        },
        Message::SendBroadcast {
            room_id: "lobby",
            from: "server",
            payload: Payload::Text("hi"),
        },
        Message::P2PSendMessageToUsers {
            signal: SIGNAL,
            user_ids: &[1, 2],
        },
        Message::P2PSendMessageToAll { signal: SIGNAL },
        Message::P2PSendMessageToAllExcept {
            signal: SIGNAL,
            user_ids: &[1],
        },
        Message::SendCustomCommandToUsers {
            room_id: "lobby",
            from: "server",
            to: &["alice"],
            content: "hi",
        },
        COMMAND,
    ];
    let ids: Vec<u64> = messages
        .iter()
        .enumerate()
        .map(|(index, message)| {
            let options = SubmitOptions {
                user_data: 100 + index as u64,
                ..SubmitOptions::default()
            };
            queue.submit(message, &options).unwrap()
        })
        .collect();
    assert_eq!(ids, (1..=9).collect::<Vec<_>>());
    for (completion, (id, message)) in completions(&queue, 9).iter().zip(ids.iter().zip(&messages)) {
        assert_eq!((completion.id, completion.user_data), (*id, 99 + id));
        assert_eq!(completion.report.action(), message.action().name());
        let sync = queue.send(message, &SendOptions::default()).unwrap();
        assert_eq!(
            (completion.report.code(), completion.report.delivery()),
            (sync.code(), sync.delivery())
        );
        assert_eq!(completion.report.recipients(), sync.recipients());
    }
    assert!(queue.poll(Some(Duration::ZERO)).unwrap().is_none());
    assert_eq!(queue.pending(), 0);
}

#[test]
fn bad_input_is_refused_before_the_message_is_enqueued() {
    let emulator = emulator();
    let queue = client(emulator.url(), &[]);
    let refused = queue.submit(&unicast("", "hi"), &SubmitOptions::default()).unwrap_err();
    assert_eq!((refused.code, &*refused.field), (Code::InvalidArgument, "to"));
    let refused = queue.warm_up(1_000_000).unwrap_err();
    assert_eq!((refused.code, &*refused.field), (Code::InvalidArgument, "connections"));
    assert_eq!(
        (queue.pending(), stats(&queue)["queue"]["submitted"].as_u64()),
        (0, Some(0))
    );
}

/// Makes the vendor delay every request beyond the end of the test.
fn held(emulator: &Emulator) {
    emulator.add_fault(r#"{"latency_ms": 600000}"#.parse().unwrap());
}

/// Waits until the emulator has read a whole request, so that its bytes have certainly been sent.
fn wait_for_request(emulator: &Emulator) {
    let has_arrived = |connection: &Value| {
        let requests = connection["requests"].as_array().unwrap();
        requests.iter().any(|request| request["complete"] == json!(true))
    };
    while !get(emulator.url(), "connections")
        .as_array()
        .unwrap()
        .iter()
        .any(has_arrived)
    {
        std::thread::yield_now();
    }
}

#[test]
fn a_full_queue_refuses_and_counts_what_was_not_polled() {
    let emulator = emulator();
    let queue = client(emulator.url(), &[("queue.capacity", "3")]);
    for _ in 0..3 {
        submit(&queue, &UNICAST);
    }
    queue.flush(NET).unwrap();
    let full = queue.submit(&UNICAST, &SubmitOptions::default()).unwrap_err();
    assert_eq!((full.code, &*full.field), (Code::QueueFull, "queue.capacity"));
    assert_eq!(queue.pending(), 3);
    next(&queue);
    submit(&queue, &UNICAST);
    assert_eq!(stats(&queue)["queue"]["rejected"], 1);
}

#[test]
fn a_queue_is_also_full_by_bytes_until_messages_are_polled() {
    let emulator = emulator();
    let queue = client(emulator.url(), &[("queue.max_bytes", "100000")]);
    let text = "x".repeat(60_000);
    submit(&queue, &unicast("alice", &text));
    let full = queue
        .submit(&unicast("alice", &text), &SubmitOptions::default())
        .unwrap_err();
    assert_eq!((full.code, &*full.field), (Code::QueueFull, "queue.max_bytes"));
    assert_eq!(queue.pending(), 1, "what was refused takes no room");
    next(&queue);
    submit(&queue, &unicast("alice", &text));
    next(&queue);
}

#[test]
fn a_caller_that_never_polls_is_refused_and_the_queue_does_not_grow() {
    let emulator = emulator();
    let queue = client(emulator.url(), &[("queue.capacity", "50")]);
    let refused = (0..5_000)
        .filter(|_| match queue.submit(&UNICAST, &SubmitOptions::default()) {
            Ok(_) => false,
            Err(error) => error.code == Code::QueueFull,
        })
        .count();
    assert_eq!((refused, queue.pending()), (4_950, 50));
    queue.flush(NET).unwrap();
    let stats = stats(&queue);
    assert_eq!(
        (&stats["queue"]["completions"], &stats["queue"]["bytes"]),
        (&json!(50), &json!(50 * (256 + 4 + "serveralicehi".len())))
    );
}

#[test]
fn a_queued_message_can_be_cancelled_and_a_message_in_flight_continues() {
    let emulator = emulator();
    held(&emulator);
    let queue = client(
        emulator.url(),
        &[("worker.threads", "1"), ("http.timeout_ms", "600000")],
    );
    let on_its_way = submit(&queue, &unicast("alice", "one"));
    let behind = submit(&queue, &unicast("alice", "two"));
    let waits_for_a_worker = submit(&queue, &unicast("bob", "three"));
    wait_for_request(&emulator);
    for id in [behind, waits_for_a_worker] {
        queue.cancel(id).unwrap();
        assert_eq!(queue.cancel(id).unwrap_err().code, Code::NotFound, "twice");
    }
    assert_eq!(queue.cancel(on_its_way).unwrap_err().code, Code::NotFound);
    assert_eq!(queue.cancel(12345).unwrap_err().code, Code::NotFound);
    for completion in completions(&queue, 2) {
        assert_eq!(
            (completion.report.code(), completion.report.delivery()),
            (Code::Cancelled, Delivery::NotSent)
        );
        assert_eq!(completion.report.recipients().len(), 1);
    }
    queue.close(Some(Duration::ZERO));
    let last = next(&queue);
    assert_eq!(
        (last.id, last.report.code(), last.report.delivery()),
        (on_its_way, Code::Closed, Delivery::Unknown)
    );
    assert!(queue.poll(None).unwrap().is_none(), "nothing comes any more");
}

#[test]
fn a_message_that_expires_in_the_queue_is_not_sent_and_consumes_no_quota() {
    let emulator = emulator();
    // The first message is sent at once. The others expire before the quota has their next permit.
    let settings = [
        ("quota.mode", "wait"),
        ("quota.rtc_per_second", "1"),
        ("quota.volcengine_scope", "expiry"),
    ];
    let queue = client(emulator.url(), &settings);
    submit(&queue, &unicast("first", "hi"));
    queue.flush(NET).unwrap();
    for to in ["a", "b", "c"] {
        queue.submit(&unicast(to, "stale"), &expiring(20)).unwrap();
    }
    let all = completions(&queue, 4);
    for stale in &all[1..] {
        assert_eq!(
            (stale.report.code(), stale.report.delivery()),
            (Code::Expired, Delivery::NotSent)
        );
    }
    let last = submit(&queue, &unicast("last", "hi"));
    assert_eq!(
        (next(&queue).id, get(emulator.url(), "ledger").as_array().unwrap().len()),
        (last, 2)
    );
}

#[test]
fn a_message_that_expires_during_the_connect_is_not_sent() {
    let emulator = emulator();
    let queue = client("http://127.0.0.1:9", &[("volcengine.endpoint", emulator.url())]);
    // A connect to a listener with a full backlog never completes.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stuck = client(
        &url,
        &[("http.connect_timeout_ms", "50000"), ("retry.max_attempts", "3")],
    );
    let kept = fill_backlog(&listener);
    stuck.submit(&UNICAST, &expiring(100)).unwrap();
    let completion = next(&stuck);
    assert_eq!(
        (completion.report.code(), completion.report.delivery()),
        (Code::Expired, Delivery::NotSent)
    );
    drop((kept, queue));
}

/// Opens connections until the listener accepts no more.
fn fill_backlog(listener: &std::net::TcpListener) -> Vec<std::net::TcpStream> {
    let address = listener.local_addr().unwrap();
    let connect = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300));
    std::iter::from_fn(|| connect().ok()).collect()
}

#[test]
fn an_urgent_message_is_sent_next_among_a_thousand() {
    let emulator = emulator();
    let settings = [
        ("quota.mode", "wait"),
        ("quota.zego_per_second", "10"),
        ("quota.zego_scope", "urgent"),
        ("worker.threads", "1"),
        ("quota.jitter_ms", "4000"),
    ];
    let queue = client(emulator.url(), &settings);
    let rooms: Vec<String> = (0..1000).map(|index| format!("room-{index}")).collect();
    let command = |room_id| Message::SendCustomCommandToRoom {
        room_id,
        from: "server",
        content: "hi",
    };
    for room in &rooms {
        submit(&queue, &command(room));
    }
    for _ in 0..10 {
        next(&queue); // the burst is sent, and the other messages wait for a permit
    }
    let urgent = SubmitOptions {
        send: SendOptions {
            urgent: true,
            ..SendOptions::default()
        },
        ..SubmitOptions::default()
    };
    let id = queue.submit(&command("alarm"), &urgent).unwrap();
    let after: Vec<u64> = (0..3).map(|_| next(&queue).id).collect();
    assert!(
        after.contains(&id),
        "{id} among {after:?}, of which those before it were on their way"
    );
    queue.close(Some(Duration::ZERO));
    let ledger = get(emulator.url(), "ledger");
    let rooms: Vec<&str> = ledger
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["room_id"].as_str().unwrap())
        .collect();
    assert_eq!(rooms[10], "alarm");
}

#[test]
fn synchronous_calls_and_queued_messages_wait_in_the_same_list() {
    let emulator = emulator();
    let settings = [
        ("quota.mode", "wait"),
        ("quota.zego_per_second", "1"),
        ("quota.zego_scope", "shared list"),
        // The permits are so far apart that each is used before the next one, even on a busy machine.
        ("quota.jitter_ms", "1500"),
    ];
    let queue = client(emulator.url(), &settings);
    let rooms: Vec<String> = (0..3).map(|index| format!("room-{index}")).collect();
    for room_id in &rooms {
        submit(
            &queue,
            &Message::SendCustomCommandToRoom {
                room_id,
                from: "server",
                content: "hi",
            },
        );
    }
    // The first one has arrived and the two others wait. On the way there, two may wait before the first one has its permit.
    while get(emulator.url(), "ledger").as_array().unwrap().is_empty() || stats(&queue)["quota"]["zego"]["waiting"] != 2
    {
        std::thread::yield_now();
    }
    let urgent = SendOptions {
        urgent: true,
        ..SendOptions::default()
    };
    queue.send(&COMMAND, &urgent).unwrap();
    queue.flush(NET).unwrap();
    let ledger = get(emulator.url(), "ledger");
    let rooms: Vec<&str> = ledger
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["room_id"].as_str().unwrap())
        .collect();
    assert_eq!(rooms, ["room-0", "lobby", "room-1", "room-2"]);
}

/// With 100 destinations, 8 workers and answers after 0 to 8 ms, the numbers arrive in order at each destination.
fn numbered_messages_arrive_in_order(faults: &[&str], settings: &[(&str, &str)], count: usize) {
    let emulator = Emulator::start(Options {
        quota: false,
        ..Options::default()
    })
    .unwrap();
    for fault in faults {
        emulator.add_fault(fault.parse().unwrap());
    }
    let mut all = vec![("queue.capacity", "20000")];
    all.extend(settings);
    let queue = client(emulator.url(), &all);
    let users: Vec<String> = (0..100).map(|index| format!("user-{index}")).collect();
    for user in &users {
        post(emulator.url(), "volcengine/login", json!({ "user_id": user }));
    }
    for number in 0..count {
        submit(&queue, &unicast(&users[number * 7 % 100], &number.to_string()));
    }
    let mut seen = HashSet::new();
    for _ in 0..count {
        let completion = next(&queue);
        assert_eq!(completion.report.code(), Code::Ok, "{}", completion.report.summary());
        assert!(seen.insert(completion.id));
    }
    for user in &users {
        let numbers: Vec<usize> = inbox(emulator.url(), "volcengine", user)
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        assert_eq!(numbers.len(), count / 100);
        assert!(numbers.is_sorted_by(|a, b| a < b), "{user}: {numbers:?}");
    }
}

#[test]
fn ten_thousand_messages_arrive_in_order_at_each_destination() {
    let faults = [
        r#"{"latency_ms": 1, "probability": 0.3, "seed": 1}"#,
        r#"{"answer_latency_ms": 4, "probability": 0.2, "seed": 2}"#,
        r#"{"answer_latency_ms": 8, "probability": 0.1, "seed": 3}"#,
    ];
    numbered_messages_arrive_in_order(&faults, &[], 10_000);
}

#[test]
fn messages_also_arrive_in_order_with_retries() {
    let faults = [
        r#"{"throttle": true, "probability": 0.1, "seed": 4}"#,
        r#"{"latency_ms": 3, "probability": 0.2, "seed": 5}"#,
    ];
    let settings = [
        ("retry.max_attempts", "20"),
        ("retry.budget_percent", "100"),
        ("retry.backoff_ms", "2"),
        ("retry.backoff_max_ms", "4"),
    ];
    numbered_messages_arrive_in_order(&faults, &settings, 2_000);
}

#[test]
fn a_slow_destination_delays_only_its_own_ordered_messages() {
    let emulator = emulator();
    emulator.add_fault(r#"{"user": "slow", "count": 1, "latency_ms": 600000}"#.parse().unwrap());
    let queue = client(emulator.url(), &[("http.timeout_ms", "600000")]);
    let with = |order| SubmitOptions {
        order,
        ..SubmitOptions::default()
    };
    let first = submit(&queue, &unicast("slow", "one"));
    wait_for_request(&emulator);
    let held = submit(&queue, &unicast("slow", "two"));
    let free = queue
        .submit(&unicast("slow", "three"), &with(Order::Unordered))
        .unwrap();
    let keyed = queue.submit(&unicast("slow", "four"), &with(Order::Key(9))).unwrap();
    let other = submit(&queue, &unicast("quick", "five"));
    let ids: HashSet<u64> = completions(&queue, 3).iter().map(|completion| completion.id).collect();
    assert_eq!(ids, HashSet::from([free, keyed, other]));
    queue.close(Some(Duration::ZERO));
    let left: Vec<(u64, Delivery)> = completions(&queue, 2)
        .iter()
        .map(|completion| (completion.id, completion.report.delivery()))
        .collect();
    assert_eq!(left, [(first, Delivery::Unknown), (held, Delivery::NotSent)]);
}

#[test]
fn messages_without_completion_leave_nothing_in_the_queue() {
    let emulator = emulator();
    let queue = client(emulator.url(), &[("queue.capacity", "2")]);
    let options = SubmitOptions {
        without_completion: true,
        ..SubmitOptions::default()
    };
    for _ in 0..20 {
        while let Err(full) = queue.submit(&UNICAST, &options) {
            assert_eq!(full.code, Code::QueueFull);
            std::thread::yield_now();
        }
    }
    queue.flush(NET).unwrap();
    assert_eq!(queue.pending(), 0);
    assert!(queue.poll(Some(Duration::ZERO)).unwrap().is_none());
    assert_eq!(stats(&queue)["messages"]["ok"], 20);
}

#[test]
fn a_panic_of_a_worker_ends_only_its_message() {
    let emulator = emulator();
    let mut config = configured(emulator.url(), &[("worker.threads", "1")]);
    config.set_logger(Logger::new(rtcmsg::Level::Warn, |_, line| {
        assert!(!line.contains("DNS lookup failed"), "a host's logger that panics");
    }));
    config.set("zego.endpoint", "http://localhost:1").unwrap();
    config.set("http.allow_plaintext", "true").unwrap();
    let queue = Client::new(&config).unwrap();
    // The logger panics at the log line of the report. The message still gets its completion.
    submit(&queue, &COMMAND);
    let completion = next(&queue);
    assert_eq!(completion.report.delivery(), Delivery::NotSent);
    submit(&queue, &UNICAST);
    assert_eq!(next(&queue).report.code(), Code::Ok, "the worker goes on");
}

#[test]
fn close_drains_within_its_timeout_and_refuses_later_messages() {
    let emulator = emulator();
    let queue = client(emulator.url(), &[]);
    for index in 0..200 {
        submit(&queue, &unicast(&format!("user-{index}"), "hi"));
    }
    queue.close(NET);
    let refused = |error: Error| error.code;
    assert_eq!(
        queue.submit(&UNICAST, &SubmitOptions::default()).map_err(refused),
        Err(Code::Closed)
    );
    assert_eq!(queue.flush(NET).map_err(refused), Err(Code::Closed));
    assert_eq!(queue.cancel(1).map_err(refused), Err(Code::Closed));
    assert_eq!(queue.warm_up(1).map_err(refused), Err(Code::Closed));
    assert_eq!(
        queue.send(&UNICAST, &SendOptions::default()).map_err(refused).err(),
        Some(Code::Closed)
    );
    for completion in completions(&queue, 200) {
        assert_eq!(completion.report.code(), Code::Ok);
    }
    assert!(queue.poll(None).unwrap().is_none());
    queue.close(None);
    assert_eq!(stats(&queue)["messages"]["ok"], 200);
}

#[test]
fn warm_up_opens_connections_that_the_first_messages_use() {
    let emulator = emulator();
    let queue = client(emulator.url(), &[("worker.threads", "4")]);
    queue.warm_up(0).unwrap();
    queue.flush(NET).unwrap();
    let opened = |queue: &Client| stats(queue)["http"]["connections_opened"].as_u64().unwrap();
    assert_eq!(opened(&queue), 8, "four for each vendor");
    assert_eq!(get(emulator.url(), "ledger"), json!([]), "no request is made");
    for index in 0..4 {
        submit(&queue, &unicast(&format!("user-{index}"), "hi"));
    }
    assert!(
        completions(&queue, 4)
            .iter()
            .all(|completion| completion.report.code() == Code::Ok)
    );
    assert_eq!(opened(&queue), 8);
}

#[test]
fn warm_up_works_over_tls_where_the_server_sends_tickets_after_the_handshake() {
    let files = common::certificate("warm-up");
    let ca = files.certificate.clone();
    let emulator = Emulator::start(Options {
        tls: Some(files),
        ..Options::default()
    })
    .unwrap();
    let url = emulator.url().replace("https://127.0.0.1", "https://localhost");
    let settings = [("worker.threads", "2"), ("tls.ca_file", ca.to_str().unwrap())];
    let queue = client(&url, &settings);
    queue.warm_up(0).unwrap();
    queue.flush(NET).unwrap();
    // The tickets have arrived before another connection has been opened and used.
    queue.send(&UNICAST, &SendOptions::default()).unwrap();
    let opened = |queue: &Client| stats(queue)["http"]["connections_opened"].as_u64().unwrap();
    assert_eq!(opened(&queue), 4);
    submit(&queue, &COMMAND);
    next(&queue);
    assert_eq!(opened(&queue), 4, "each vendor's first request found one");
}

#[test]
fn repeated_warm_ups_stay_within_the_limit_of_idle_connections() {
    let emulator = emulator();
    let settings = [("http.max_idle_connections", "3"), ("worker.threads", "2")];
    let queue = client(emulator.url(), &settings);
    for _ in 0..10 {
        queue.warm_up(3).unwrap();
        queue.flush(NET).unwrap();
    }
    // Both vendors have the same host here.
    assert_eq!(stats(&queue)["http"]["connections_open"], 3);
}

#[test]
fn messages_of_one_class_do_not_use_every_worker() {
    let emulator = Emulator::start(Options {
        quota: false,
        ..Options::default()
    })
    .unwrap();
    emulator.add_fault(r#"{"vendor": "volcengine", "latency_ms": 20}"#.parse().unwrap());
    let settings = [
        ("quota.mode", "wait"),
        ("quota.volcengine_scope", "many"),
        ("quota.zego_scope", "few"),
        ("worker.threads", "1"),
    ];
    let queue = client(emulator.url(), &settings);
    let users: Vec<String> = (0..200).map(|index| format!("user-{index}")).collect();
    for user in &users {
        submit(&queue, &unicast(user, "hi"));
    }
    let command = submit(&queue, &COMMAND);
    let position = (0..201).position(|_| next(&queue).id == command);
    assert!(position.is_some_and(|position| position < 100), "{position:?} of 201");
}

#[test]
fn the_event_handle_is_readable_exactly_while_a_completion_is_ready() {
    let emulator = emulator();
    let queue = client(emulator.url(), &[]);
    let handle = queue.event_handle().unwrap();
    assert_eq!(queue.event_handle().unwrap(), handle);
    assert!(!is_readable(handle));
    for user in ["a", "b"] {
        submit(&queue, &unicast(user, "hi"));
    }
    queue.flush(NET).unwrap();
    assert!(is_readable(handle));
    next(&queue);
    assert!(is_readable(handle), "one is left");
    next(&queue);
    assert!(!is_readable(handle));
}

fn is_readable(handle: isize) -> bool {
    let mut fd = libc::pollfd {
        fd: handle as i32,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: the array has one entry, and the client keeps its descriptor open.
    unsafe { libc::poll(&mut fd, 1, 0) == 1 }
}

#[test]
fn the_snapshot_counts_what_was_done() {
    let emulator = emulator();
    emulator.add_fault(r#"{"throttle": true, "count": 1}"#.parse().unwrap());
    post(
        emulator.url(),
        "zego/join",
        json!({ "room_id": "lobby", "user_id": "alice" }),
    );
    let queue = client(emulator.url(), &[("retry.max_attempts", "3"), ("quota.mode", "wait")]);
    submit(&queue, &UNICAST);
    submit(&queue, &COMMAND);
    queue.flush(NET).unwrap();
    let stats = stats(&queue);
    assert_eq!(stats["queue"]["submitted"], 2);
    assert_eq!(stats["queue"]["completions"], 2);
    assert_eq!(stats["messages"]["ok"], 2);
    assert_eq!(
        stats["deliveries"]["accepted"].as_u64().unwrap() + stats["deliveries"]["unknown"].as_u64().unwrap(),
        2
    );
    assert_eq!(stats["retries"], 1);
    assert_eq!(stats["quota"]["volcengine_rtc"]["per_second"], 500);
    assert_eq!(stats["http"]["requests"], 3);
    assert_eq!(stats["latency_us"]["submit_to_completion"]["count"], 2);
    assert_eq!(stats["latency_us"]["wire"]["count"], 3);
}
