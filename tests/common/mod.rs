//! The integration tests share this: an emulator in the same process, on a real socket, and clients for it.

// Each test crate uses only a part of it.
#![allow(dead_code)]

pub mod proxy;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread::JoinHandle;

use rtcmsg::{Client, Code, Config, Delivery, Message, Payload, Report, SendOptions, Signal};
use rtcmsg_emulator::{Emulator, Options, TlsFiles};
use serde_json::{Value, json};

pub fn emulator() -> Emulator {
    Emulator::start(Options::default()).expect("an emulator")
}

/// A configuration with the emulator's demo account, at this URL.
pub fn config(url: &str) -> Config {
    let mut config = Config::new();
    for (key, value) in [
        ("volcengine.endpoint", url),
        ("volcengine.access_key", "AKLTdemo"),
        ("volcengine.secret_key", "demo-secret-key=="),
        ("volcengine.rtc_app_id", "661e000000000000000demo1"),
        ("volcengine.im_app_id", "666675"),
        ("zego.endpoint", url),
        ("zego.app_id", "1234567890"),
        ("zego.server_secret", "0123456789abcdef0123456789abcdef"),
        // Tests of retries and pacing turn them on; the others check the outcome of a single attempt.
        ("retry.max_attempts", "1"),
        ("quota.mode", "off"),
    ] {
        config.set(key, value).expect(key);
    }
    config
}

/// A client with the demo account and these settings.
pub fn client_with(url: &str, settings: &[(&str, &str)]) -> Client {
    let mut config = config(url);
    for (key, value) in settings {
        config.set(key, value).expect(key);
    }
    Client::new(&config).expect("a client")
}

pub fn client(url: &str) -> Client {
    client_with(url, &[])
}

pub const UNICAST: Message = Message::SendUnicast {
    from: "server",
    to: "alice",
    payload: Payload::Text("hi"),
};
pub const COMMAND: Message = Message::SendCustomCommandToRoom {
    room_id: "lobby",
    from: "server",
    content: "hi",
};
pub const SIGNAL: Signal = Signal {
    conversation_id: 7221856821303361536,
    sender_id: 10008,
    msg_type: 10013,
    content: "{\"type\":1}",
};

pub fn send(client: &Client, message: &Message) -> Report {
    client
        .send(message, &SendOptions::default())
        .expect("an accepted message")
}

/// The code and delivery of the whole report.
pub fn outcome(report: &Report) -> (Code, Delivery) {
    (report.code(), report.delivery())
}

/// Sends a request to the emulator's control API without an HTTP client.
pub fn control(url: &str, method: &str, path: &str, body: &Value) -> Value {
    let address = url.split("://").nth(1).expect("a URL");
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = format!(
        "{method} /_emulator/{path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).expect("the emulator");
    stream.write_all(request.as_bytes()).expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(body).expect("JSON")
}

pub fn post(url: &str, path: &str, body: Value) {
    control(url, "POST", path, &body);
}

pub fn get(url: &str, path: &str) -> Value {
    control(url, "GET", path, &Value::Null)
}

/// The payloads in a user's inbox, text or base64.
pub fn inbox(url: &str, vendor: &str, user: &str) -> Vec<String> {
    let entries = get(url, &format!("inbox?vendor={vendor}&user={user}"));
    let payload = |entry: &Value| {
        let name = if entry["binary"] == json!(true) {
            "payload_base64"
        } else {
            "payload"
        };
        entry[name].as_str().expect("a payload").to_owned()
    };
    entries.as_array().expect("a list").iter().map(payload).collect()
}

/// A peer that calls `serve` for each connection, in sequence.
pub struct Peer {
    pub url: String,
    thread: JoinHandle<()>,
}

impl Peer {
    pub fn new(connections: usize, mut serve: impl FnMut(TcpStream) + Send + 'static) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let thread = std::thread::spawn(move || {
            for _ in 0..connections {
                serve(listener.accept().expect("a connection").0);
            }
        });
        Peer { url, thread }
    }

    /// Waits until every connection has been served.
    pub fn join(self) {
        self.thread.join().expect("the peer did not panic");
    }
}

/// Reads one request, head and body, unchanged.
pub fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a request");
        request.push(byte[0]);
    }
    let head = String::from_utf8(request).expect("UTF-8");
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")
            .map(str::to_owned)
    });
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().expect("a length"))];
    stream.read_exact(&mut body).expect("a body");
    head + &String::from_utf8(body).expect("UTF-8")
}

/// Reads one request and answers with these bytes.
pub fn answer(stream: &mut TcpStream, bytes: &str) {
    read_request(stream);
    stream.write_all(bytes.as_bytes()).expect("written");
}

/// A self-signed certificate for localhost, in files that only this test uses.
pub fn certificate(test: &str) -> TlsFiles {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    tls_files(test, &made.cert.pem(), &made.signing_key.serialize_pem())
}

/// Writes a certificate and its key to files that only this test uses.
pub fn tls_files(test: &str, certificate: &str, key: &str) -> TlsFiles {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&folder).expect("a folder");
    let files = TlsFiles {
        certificate: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    };
    std::fs::write(&files.certificate, certificate).expect("written");
    std::fs::write(&files.key, key).expect("written");
    files
}
