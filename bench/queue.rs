//! What a deep queue costs: a submit, a snapshot and a turn at several depths, and a close. `make bench` prints it. The cost
//! of the first three must not depend on the depth, and that of a close is linear in it.

use std::time::{Duration, Instant};

use rtcmsg::{Config, Dispatcher, Message, Order, Payload, SubmitOptions};
use rtcmsg_emulator::{Emulator, Options};

const DEPTHS: [usize; 3] = [1_000, 10_000, 100_000];
const OTHERS: usize = 400;
const SUBMITS: usize = 2_000;
const SNAPSHOTS: usize = 200;

fn main() {
    let options = Options {
        quota: false,
        ..Options::default()
    };
    let emulator = Emulator::start(options).expect("an emulator");
    emulator.add_fault(r#"{"user": "slow", "stall": true}"#.parse().expect("a fault"));
    let url = emulator.url();
    println!(
        "| queued | submit, p50 | submit, longest | stats, p50 | stats, longest | {OTHERS} to other rooms, behind a full room | behind a busy client |"
    );
    println!("|---|---|---|---|---|---|---|");
    for depth in DEPTHS {
        let full = full_room(url, depth);
        let mut submits = times(SUBMITS, || submit(&full, "full"));
        let mut snapshots = times(SNAPSHOTS, || drop(full.stats().expect("a snapshot")));
        let behind_full = others_end(&full);
        drop(full);
        let (busy, other) = (busy_client(url, depth), client(url, "busy", depth, "8"));
        let behind_busy = others_end(&other);
        drop(busy);
        println!(
            "| {depth} | {} | {} | {} | {} | {} | {} |",
            micros(middle(&mut submits)),
            micros(longest(&submits)),
            micros(middle(&mut snapshots)),
            micros(longest(&snapshots)),
            millis(behind_full),
            millis(behind_busy),
        );
    }
    println!("\n| queued | close(0) | for each | free | for each |");
    println!("|---|---|---|---|---|");
    for depth in [1_000, 10_000, 100_000, 200_000] {
        let queue = full_room(url, depth);
        let begin = Instant::now();
        queue.close(Some(Duration::ZERO));
        let closed = begin.elapsed();
        let begin = Instant::now();
        drop(queue);
        let freed = begin.elapsed();
        let each = |time: Duration| format!("{:.2} µs", time.as_secs_f64() * 1e6 / depth as f64);
        println!(
            "| {depth} | {} | {} | {} | {} |",
            millis(closed),
            each(closed),
            millis(freed),
            each(freed)
        );
    }
    println!("\n| recipients | submit of one list |");
    println!("|---|---|");
    for recipients in [600, 10_000, 100_000] {
        let queue = client(url, "list", 100_000, "1");
        let names: Vec<String> = (0..recipients).map(|index| format!("user-{index}")).collect();
        let to: Vec<&str> = names.iter().map(String::as_str).collect();
        let batch = Message::BatchSendRoomUnicast {
            room_id: "full",
            from: "server",
            to: &to,
            payload: Payload::Text("hi"),
        };
        let mut submits = times(10, || {
            queue.submit(&batch, &SubmitOptions::default()).expect("enqueued");
        });
        println!("| {recipients} | {} |", millis(middle(&mut submits)));
    }
}

/// A client whose queue holds so many messages to one room that takes one a second.
fn full_room(url: &str, depth: usize) -> Dispatcher {
    let queue = client(url, &format!("full-{depth}"), depth, "8");
    (0..depth).for_each(|_| submit(&queue, "full"));
    settle(&queue, depth);
    queue
}

/// A client whose only worker waits for an answer, with so many messages behind.
fn busy_client(url: &str, depth: usize) -> Dispatcher {
    let queue = client(url, "busy", depth, "1");
    let slow = Message::SendUnicast {
        from: "server",
        to: "slow",
        payload: Payload::Text("hi"),
    };
    queue.submit(&slow, &unordered()).expect("enqueued");
    (0..depth - 1).for_each(|room| submit(&queue, &format!("room-{room}")));
    settle(&queue, depth);
    queue
}

/// Until the queue has seen what was submitted: before that it has something else to do.
fn settle(queue: &Dispatcher, depth: usize) {
    let mut before = 0;
    loop {
        std::thread::sleep(Duration::from_millis(50));
        let stats = queue.stats().expect("a snapshot");
        let waiting = stats.split("\"waiting\":").skip(1).filter_map(|rest| {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse::<usize>().ok()
        });
        let waiting = waiting.max().unwrap_or(0);
        if waiting + 20 >= depth || waiting == before && waiting > 0 {
            return;
        }
        before = waiting;
    }
}

fn others_end(queue: &Dispatcher) -> Duration {
    let begin = Instant::now();
    let ids: Vec<u64> = (0..OTHERS)
        .map(|room| {
            queue
                .submit(&broadcast(&format!("other-{room}")), &unordered())
                .expect("enqueued")
        })
        .collect();
    let mut left = OTHERS;
    while left > 0 {
        let done = queue.poll(None).expect("not forked").expect("a completion");
        left -= usize::from(ids.contains(&done.id));
    }
    begin.elapsed()
}

fn submit(queue: &Dispatcher, room: &str) {
    queue.submit(&broadcast(room), &unordered()).expect("enqueued");
}

fn broadcast(room_id: &str) -> Message<'_> {
    Message::SendBroadcast {
        room_id,
        from: "server",
        payload: Payload::Text("hi"),
    }
}

fn unordered() -> SubmitOptions {
    SubmitOptions {
        order: Order::Unordered,
        ..SubmitOptions::default()
    }
}

fn client(url: &str, scope: &str, depth: usize, workers: &str) -> Dispatcher {
    let mut config = Config::new();
    let capacity = (2 * depth).max(10_000).to_string();
    let account = [
        ("volcengine.endpoint", url),
        ("volcengine.access_key", "AKLTdemo"),
        ("volcengine.secret_key", "demo-secret-key=="),
        ("volcengine.rtc_app_id", "661e000000000000000demo1"),
        ("quota.volcengine_scope", scope),
        ("quota.rtc_per_second", "100000"),
        ("quota.room_per_second", "1"),
        ("queue.capacity", &capacity),
        ("queue.max_bytes", "1073741824"),
        ("worker.threads", workers),
        ("http.timeout_ms", "600000"),
    ];
    for (key, value) in account {
        config.set(key, value).expect(key);
    }
    Dispatcher::new(&config).expect("a client")
}

fn times(count: usize, mut work: impl FnMut()) -> Vec<Duration> {
    let time = || {
        let begin = Instant::now();
        work();
        begin.elapsed()
    };
    std::iter::repeat_with(time).take(count).collect()
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn longest(times: &[Duration]) -> Duration {
    times.iter().copied().max().unwrap_or_default()
}

fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
