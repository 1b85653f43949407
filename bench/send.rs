//! A subject of the bench: rtcmsg through Rust, `send CASE URL THREADS COUNT`. With `submit` before them it submits: one
//! thread keeps THREADS messages under way. The other end and the other subjects are bench/run.py's; what is printed and
//! why is said in bench/c/harness.h.

use std::sync::Barrier;
use std::time::Instant;

use rtcmsg::{Client, Code, Config, Message, Order, Payload, SendOptions, SubmitOptions};

/// Sends of each thread, not measured.
const WARM_UP: usize = 50;

fn main() {
    let mut arguments: Vec<String> = std::env::args().filter(|argument| argument != "--bench").collect();
    let submits = arguments.get(1).is_some_and(|first| first == "submit");
    if submits {
        arguments.remove(1);
    }
    let [_, case, url, threads, count] = &arguments[..] else {
        // `cargo bench` runs every target by itself; this one is half of a measurement.
        eprintln!("takes CASE URL THREADS COUNT; `make bench` gives them");
        return;
    };
    let threads: usize = threads.parse().expect("a number of threads");
    let count: usize = count.parse().expect("a number of sends");
    let users: Vec<String> = (1..=600).map(|n| format!("user-{n:04}")).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let length = if case == "unicast-60k" { 60 * 1024 } else { 100 };
    let text = "0123456789".repeat(length / 10);
    let message = message(case, &users, &text);
    let config = config(url, threads);
    let (samples, wall, cpu) = if submits {
        submit_all(&Client::new(&config).expect("a client"), &message, threads, count)
    } else {
        send_all(&Client::new(&config).expect("a client"), &message, threads, count)
    };
    print(samples, wall, cpu);
}

/// What each send took, and all together in wall and CPU time; nanoseconds.
type Figures = (Vec<u64>, u64, u64);

fn send_all(client: &Client, message: &Message, threads: usize, count: usize) -> Figures {
    let each = count / threads;
    let gate = Barrier::new(threads + 1);
    let sender = || {
        for _ in 0..WARM_UP {
            send(client, message);
        }
        gate.wait();
        gate.wait();
        let mut samples = Vec::with_capacity(each);
        for _ in 0..each {
            let start = Instant::now();
            send(client, message);
            samples.push(nanoseconds(start));
        }
        gate.wait();
        samples
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(sender)).collect();
        gate.wait();
        let (start, cpu) = (Instant::now(), cpu_ns());
        gate.wait();
        gate.wait();
        let (wall, cpu) = (nanoseconds(start), cpu_ns() - cpu);
        let samples = handles.into_iter().flat_map(|handle| handle.join().expect("a sender"));
        (samples.collect(), wall, cpu)
    })
}

fn submit_all(client: &Client, message: &Message, window: usize, count: usize) -> Figures {
    submitted(client, message, window, window * WARM_UP);
    let (start, cpu) = (Instant::now(), cpu_ns());
    let samples = submitted(client, message, window, count);
    (samples, nanoseconds(start), cpu_ns() - cpu)
}

fn submitted(client: &Client, message: &Message, window: usize, count: usize) -> Vec<u64> {
    let mut started = Vec::with_capacity(count);
    let mut samples = Vec::with_capacity(count);
    while samples.len() < count {
        while started.len() < count && started.len() - samples.len() < window {
            let options = SubmitOptions {
                user_data: started.len() as u64,
                // One destination for all: in order, one would wait for the other.
                order: Order::Unordered,
                ..SubmitOptions::default()
            };
            started.push(Instant::now());
            client.submit(message, &options).expect("taken in");
        }
        let completion = client.poll(None).expect("open").expect("a completion");
        samples.push(nanoseconds(started[completion.user_data as usize]));
        assert_eq!(completion.report.code(), Code::Ok, "{}", completion.report.summary());
    }
    samples
}

fn nanoseconds(since: Instant) -> u64 {
    since.elapsed().as_nanos() as u64
}

fn print(mut samples: Vec<u64>, wall: u64, cpu: u64) {
    let peak_kb = peak_kb();
    samples.sort_unstable();
    let at = |share: f64| samples[(share * (samples.len() - 1) as f64 + 0.5) as usize];
    let sends = samples.len() as f64;
    println!(
        "{{\"p50_ns\": {}, \"p99_ns\": {}, \"wall_ns\": {:.1}, \"cpu_ns\": {:.1}, \"peak_kb\": {peak_kb}, \"sends\": {sends}}}",
        at(0.5),
        at(0.99),
        wall as f64 / sends,
        cpu as f64 / sends,
    );
}

fn send(client: &Client, message: &Message) {
    let report = client.send(message, &SendOptions::default()).expect("taken in");
    assert_eq!(report.code(), Code::Ok, "{}", report.summary());
}

fn message<'a>(case: &str, users: &'a [&'a str], text: &'a str) -> Message<'a> {
    let from = "server";
    match case {
        "batch-600" => Message::BatchSendRoomUnicast {
            room_id: "lobby",
            from,
            to: users,
            payload: Payload::Text(text),
        },
        "command-10" => Message::SendCustomCommandToUsers {
            room_id: "lobby",
            from,
            to: &users[..10],
            content: text,
        },
        _ => Message::SendUnicast {
            from,
            to: users[0],
            payload: Payload::Text(text),
        },
    }
}

fn config(url: &str, threads: usize) -> Config {
    let ca = std::env::var("BENCH_CA").unwrap_or_default();
    let settings = [
        ("volcengine.endpoint", url),
        ("volcengine.access_key", "AKLTdemo"),
        ("volcengine.secret_key", "demo-secret-key=="),
        ("volcengine.rtc_app_id", "661e000000000000000demo1"),
        ("zego.endpoint", url),
        ("zego.app_id", "1234567890"),
        ("zego.server_secret", "0123456789abcdef0123456789abcdef"),
        ("quota.mode", "off"),
        ("worker.threads", &threads.to_string()),
        ("tls.ca_file", if url.starts_with("https") { &ca } else { "" }),
    ];
    let mut config = Config::new();
    for (key, value) in settings {
        config.set(key, value).expect(key);
    }
    config
}

fn cpu_ns() -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the struct that it is given, and zeros are a valid one.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let of = |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000;
    of(usage.ru_utime) + of(usage.ru_stime)
}

fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
