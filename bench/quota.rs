//! How much of the quota is used: 16 threads send as fast as pacing lets them, and the emulator's clock tells how many
//! arrived in each second of a run of ten. `make bench` prints it; nothing may arrive above the limit.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rtcmsg::{Client, Config, Message, Payload, SendOptions, Signal};
use rtcmsg_emulator::{Emulator, Options};

const SECONDS: u64 = 10;
const THREADS: usize = 16;
const SIGNAL: Signal = Signal {
    conversation_id: 1,
    sender_id: 10008,
    msg_type: 1,
    content: "hi",
};

fn main() {
    println!("| class | limit a second | sent in {SECONDS} s | share of the quota | throttled |");
    println!("|---|---|---|---|---|");
    let unicast = Message::SendUnicast {
        from: "server",
        to: "alice",
        payload: Payload::Text("hi"),
    };
    let command = Message::SendCustomCommandToRoom {
        room_id: "lobby",
        from: "server",
        content: "hi",
    };
    measure("Volcengine RTC", 500, &unicast, &[]);
    measure(
        "Volcengine IM",
        100,
        &Message::P2PSendMessageToAll { signal: SIGNAL },
        &[],
    );
    measure("ZEGO, test project", 10, &command, &[("zego.is_test", "true")]);
}

fn measure(class: &str, limit: u64, message: &Message, settings: &[(&str, &str)]) {
    let emulator = Emulator::start(Options::default()).expect("an emulator");
    emulator.control("POST", "zego/join", r#"{"room_id":"lobby","user_id":"alice"}"#);
    emulator.control(
        "POST",
        "im/join",
        r#"{"conversation_id":1,"user_id":10008,"devices":["Web"]}"#,
    );
    let client = client(emulator.url(), class, settings);
    warm_up(&client, message);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // Refused once the client is closed, and then it is done.
                    let _ = client.send(message, &SendOptions::default());
                }
            });
        }
        std::thread::sleep(Duration::from_secs(SECONDS));
        done.store(true, Ordering::Relaxed);
        client.close(Some(Duration::ZERO));
    });
    let (_, ledger) = emulator.control("GET", "ledger", "");
    let entries = || ledger.as_array().into_iter().flatten().skip(THREADS);
    let times: Vec<u64> = entries().filter_map(|entry| entry["received_at_ns"].as_u64()).collect();
    // From the first to the last, so that neither the start nor the end of the run counts.
    let span = times.last().unwrap_or(&1) - times.first().unwrap_or(&0);
    // The burst at the start is the first second's own; what follows is what is sustained.
    let sustained = times.len().saturating_sub(limit as usize) as f64 / (span as f64 / 1e9);
    println!(
        "| {class} | {limit} | {} | {:.1} % | {} |",
        times.len(),
        100.0 * sustained / limit as f64,
        entries().filter(|entry| entry["accepted"] == false).count()
    );
}

/// Opens the connections, and lets the quota that this took come back: pacing is exact on warm connections.
fn warm_up(client: &Client, message: &Message) {
    let together = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                together.wait();
                client.send(message, &SendOptions::default()).expect("taken in");
            });
        }
    });
    std::thread::sleep(Duration::from_millis(1100));
}

fn client(url: &str, scope: &str, settings: &[(&str, &str)]) -> Client {
    let mut config = Config::new();
    let account = [
        ("volcengine.endpoint", url),
        ("volcengine.access_key", "AKLTdemo"),
        ("volcengine.secret_key", "demo-secret-key=="),
        ("volcengine.rtc_app_id", "661e000000000000000demo1"),
        ("volcengine.im_app_id", "666675"),
        ("zego.endpoint", url),
        ("zego.app_id", "1234567890"),
        ("zego.server_secret", "0123456789abcdef0123456789abcdef"),
        ("quota.volcengine_scope", scope),
        ("quota.zego_scope", scope),
    ];
    for (key, value) in account.iter().chain(settings) {
        config.set(key, value).expect(key);
    }
    Client::new(&config).expect("a client")
}
