//! If a vendor's answer repeats secrets or the payload, no report, error or log line shows them.

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{Peer, SIGNAL, config, read_request};
use rtcmsg::{Client, Code, Level, Logger, Message, Payload, Report, SendOptions, Vendor};
use serde_json::{Value, json};

const PAYLOAD: &str = r#"{"text":"meet at the old bridge","to":"小明"}"#;
const TOKEN: &str = "STS-token/of+this-session==";
const SECRETS: [&str; 4] = [
    "AKLTdemo",
    "demo-secret-key==",
    TOKEN,
    "0123456789abcdef0123456789abcdef",
];

/// The texts that an answer repeats, in several encodings.
fn echoes() -> Vec<String> {
    let json = serde_json::to_string(PAYLOAD).expect("JSON");
    let mut echoes = vec![
        PAYLOAD.to_owned(),
        PAYLOAD[8..24].to_owned(),
        json.clone(),
        serde_json::to_string(&json).expect("JSON"),
        STANDARD.encode(PAYLOAD),
        STANDARD.encode(PAYLOAD)[8..24].to_owned(),
        PAYLOAD.replace('"', "%22").replace('{', "%7B").replace(' ', "+"),
    ];
    echoes.extend(SECRETS.map(str::to_owned));
    echoes.extend(SECRETS.map(|secret| STANDARD.encode(secret)));
    echoes.push(TOKEN.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D"));
    echoes
}

/// Answers that repeat the text in every field that a report shows.
fn answers(vendor: Vendor, echo: &str) -> Vec<Value> {
    match vendor {
        Vendor::Volcengine => vec![
            json!({"ResponseMetadata": {"RequestId": echo, "Error": {"Code": echo, "Message": format!("bad: {echo}.")}}}),
            json!({"ResponseMetadata": {"RequestId": "r", "Action": echo}}),
            json!({"ResponseMetadata": {"RequestId": "r"}, "Result": {"Message": echo, "P2PResult": [
                {"UserId": 10001, "Code": echo, "DevicePlatform": echo}]}}),
        ],
        Vendor::Zego => vec![
            json!({"Code": 0, "Message": echo, "RequestId": echo}),
            json!({"Code": 2, "Message": format!("bad: {echo}."), "RequestId": echo}),
        ],
    }
}

struct Told {
    lines: Arc<Mutex<Vec<String>>>,
    client: Client,
}

fn told(url: &str) -> Told {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let sink = lines.clone();
    let mut config = config(url);
    config.set("volcengine.session_token", TOKEN).expect("a token");
    config.set_logger(Logger::new(Level::Debug, move |_, line| {
        sink.lock().expect("no panic").push(line.to_owned());
    }));
    let client = Client::new(&config).expect("a client");
    Told { lines, client }
}

impl Told {
    /// Asserts that no line, error or report shows the text.
    fn hold(&self, report: &Report, echo: &str) {
        let lines = self.lines.lock().expect("no panic").join("\n");
        let error = report.error().map(|error| error.to_string());
        let request = report.requests();
        let all = format!(
            "{lines} {} {error:?} {request:?} {:?}",
            report.summary(),
            report.recipients()
        );
        let shown = |echo: &str| all.contains(echo) || all.contains(&echo.escape_debug().to_string());
        assert!(!shown(echo), "{echo} is in {all}");
        assert!(all.contains("***"), "{echo}: {all}");
    }
}

fn messages() -> [Message<'static>; 3] {
    [
        Message::SendUnicast {
            from: "server",
            to: "alice",
            payload: Payload::Text(PAYLOAD),
        },
        Message::P2PSendMessageToUsers {
            signal: rtcmsg::Signal {
                content: PAYLOAD,
                ..SIGNAL
            },
            user_ids: &[10001],
        },
        Message::SendCustomCommandToUsers {
            room_id: "lobby",
            from: "server",
            to: &["alice"],
            content: PAYLOAD,
        },
    ]
}

fn is_of(secret_or_payload: &str, vendor: Vendor) -> bool {
    let zego_secret = SECRETS[3];
    let is_zego = secret_or_payload == zego_secret || secret_or_payload == STANDARD.encode(zego_secret);
    let is_volcengine = SECRETS[..3]
        .iter()
        .any(|secret| secret_or_payload == *secret || secret_or_payload == STANDARD.encode(secret))
        || secret_or_payload.starts_with("STS");
    match vendor {
        Vendor::Volcengine => !is_zego,
        Vendor::Zego => !is_volcengine,
    }
}

#[test]
fn no_report_error_or_log_line_shows_what_a_vendor_repeats() {
    for message in messages() {
        let vendor = message.vendor();
        for echo in echoes().into_iter().filter(|echo| is_of(echo, vendor)) {
            for answer in answers(vendor, &echo) {
                let is_rtc_success = message.action().name() == "SendUnicast" && !answer["Result"].is_null();
                let answer = if is_rtc_success {
                    json!({"ResponseMetadata": {"RequestId": "r"}, "Result": {"Message": echo}})
                } else {
                    answer
                };
                let body = answer.to_string();
                let peer = Peer::new(1, move |mut stream| {
                    read_request(&mut stream);
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                    stream.write_all((head + &body).as_bytes()).expect("written");
                });
                let told = told(&peer.url);
                let report = told.client.send(&message, &SendOptions::default()).expect("enqueued");
                peer.join();
                told.hold(&report, &echo);
            }
        }
    }
}

#[test]
fn the_texts_of_a_raw_call_are_also_cleaned_but_not_its_body() {
    let json = json!({"AppId": "a", "Message": PAYLOAD}).to_string();
    for (vendor, version, code) in [
        (Vendor::Volcengine, "2020-12-01", Code::Rejected),
        (Vendor::Zego, "", Code::Rejected),
    ] {
        let answer = match vendor {
            Vendor::Volcengine => {
                json!({"ResponseMetadata": {"RequestId": "r", "Error": {"Code": "InvalidParam", "Message": PAYLOAD}}})
            }
            Vendor::Zego => json!({"Code": 2, "Message": PAYLOAD}),
        };
        let body = answer.to_string();
        let sent = body.clone();
        let peer = Peer::new(1, move |mut stream| {
            read_request(&mut stream);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", sent.len());
            stream.write_all((head + &sent).as_bytes()).expect("written");
        });
        let told = told(&peer.url);
        let json = if vendor == Vendor::Zego {
            json!({"MessageContent": PAYLOAD}).to_string()
        } else {
            json.clone()
        };
        let report = told
            .client
            .call_action(vendor, "SomeAction", version, &json, &SendOptions::default())
            .expect("enqueued");
        peer.join();
        assert_eq!(report.code(), code);
        told.hold(&report, PAYLOAD);
        assert_eq!(report.body(), body.as_bytes());
    }
}

/// The test would not end if the library searched the payload once for each row.
#[test]
fn an_answer_with_many_rows_that_repeat_a_long_payload_is_cleaned_and_its_texts_are_shortened() {
    let numbers: Vec<String> = (0..125_000).map(|number| format!("{number:08}")).collect();
    let payload = numbers.concat();
    let rows: Vec<Value> = (0..20_000)
        .map(|row| json!({"UserId": 1, "Code": payload[row * 50..row * 50 + 16]}))
        .chain([json!({"UserId": 2, "Code": "w".repeat(100)})])
        .collect();
    let body = json!({"ResponseMetadata": {"RequestId": "r"}, "Result": {"P2PResult": rows}}).to_string();
    let peer = Peer::new(1, move |mut stream| {
        read_request(&mut stream);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).expect("written");
    });
    let mut config = config(&peer.url);
    config.set("volcengine.p2p_max_content", "1048576").expect("a length");
    let client = Client::new(&config).expect("a client");
    let message = Message::P2PSendMessageToUsers {
        signal: rtcmsg::Signal {
            content: &payload,
            ..SIGNAL
        },
        user_ids: &[1, 2],
    };
    let report = client.send(&message, &SendOptions::default()).expect("enqueued");
    peer.join();
    let [first, second] = report.recipients() else {
        panic!("{} rows", report.recipients().len())
    };
    assert_eq!((first.vendor_message.as_ref(), first.devices.len()), ("***", 20_000));
    assert!(first.devices.iter().all(|device| device.vendor_message == "***"));
    assert_eq!(second.vendor_message, format!("{}…", "w".repeat(64)));
}

#[test]
fn a_raw_call_with_half_a_surrogate_pair_also_hides_its_texts() {
    let answer =
        json!({"ResponseMetadata": {"RequestId": "r", "Error": {"Code": "InvalidParam", "Message": "got hunter22"}}});
    let body = answer.to_string();
    let peer = Peer::new(1, move |mut stream| {
        read_request(&mut stream);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).expect("written");
    });
    let told = told(&peer.url);
    let json = r#"{"AppId": "\ud800", "Message": "hunter22"}"#;
    let report = told.client.call_action(
        Vendor::Volcengine,
        "SomeAction",
        "2020-12-01",
        json,
        &SendOptions::default(),
    );
    peer.join();
    told.hold(&report.expect("enqueued"), "hunter22");
}
