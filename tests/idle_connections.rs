//! Connections that end between two messages, many times: if a connection ends while it is idle, no message is lost, and if it
//! ends at the moment of a send, no message arrives twice.

mod common;

use std::collections::HashMap;

use common::{client_with, outcome, send};
use rtcmsg::{Client, Code, Delivery, Message};
use rtcmsg_emulator::{Emulator, Options};
use serde_json::Value;

fn control(emulator: &Emulator, method: &str, path: &str, body: &str) -> Value {
    let (status, answer) = emulator.control(method, path, body);
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// An emulator that closes every connection after its answer without announcing it; with TLS, it has its own certificate.
fn setup(test: &str, tls: bool) -> (Emulator, Client) {
    let files = tls.then(|| common::certificate(test));
    let ca_file = files
        .as_ref()
        .map_or(String::new(), |files| files.certificate.to_str().unwrap().to_owned());
    let emulator = Emulator::start(Options {
        quota: false,
        tls: files,
        ..Options::default()
    })
    .unwrap();
    emulator.add_fault(r#"{"close_idle_after_answer":true}"#.parse().unwrap());
    control(
        &emulator,
        "POST",
        "zego/join",
        r#"{"room_id":"lobby","user_id":"alice"}"#,
    );
    let url = emulator.url().replace("https://127.0.0.1", "https://localhost");
    let client = client_with(&url, &[("tls.ca_file", &ca_file)]);
    (emulator, client)
}

fn command(content: &str) -> Message<'_> {
    Message::SendCustomCommandToRoom {
        room_id: "lobby",
        from: "server",
        content,
    }
}

/// How often each content is in the inbox of alice.
fn received(emulator: &Emulator) -> HashMap<String, usize> {
    let mut times = HashMap::new();
    for entry in control(emulator, "GET", "inbox?vendor=zego&user=alice", "")
        .as_array()
        .unwrap()
    {
        *times.entry(entry["payload"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    times
}

fn all_ended(emulator: &Emulator) -> bool {
    control(emulator, "GET", "connections", "")
        .as_array()
        .unwrap()
        .iter()
        .all(|connection| connection["open"] == false)
}

#[test]
fn a_connection_closed_while_idle_loses_no_message() {
    for tls in [false, true] {
        let (emulator, client) = setup("closed_while_idle", tls);
        for number in 0..200 {
            let content = number.to_string();
            let report = send(&client, &command(&content));
            assert_eq!(
                outcome(&report),
                (Code::Ok, Delivery::Accepted),
                "{number}: {}",
                report.text()
            );
            while !all_ended(&emulator) {
                std::thread::yield_now();
            }
        }
        let received = received(&emulator);
        assert!(
            received.len() == 200 && received.values().all(|times| *times == 1),
            "{received:?}"
        );
    }
}

#[test]
fn a_connection_closed_at_the_moment_of_the_send_never_doubles_a_message() {
    for tls in [false, true] {
        let (emulator, client) = setup("closed_at_the_send", tls);
        let mut told = HashMap::new();
        for number in 0..300 {
            let content = number.to_string();
            told.insert(content.clone(), send(&client, &command(&content)).delivery());
        }
        let received = received(&emulator);
        for (content, delivery) in told {
            match (delivery, received.get(&content).copied().unwrap_or(0)) {
                (Delivery::Accepted, 1) | (Delivery::NotSent, 0) | (Delivery::Unknown, 0 | 1) => {}
                wrong => panic!("{content}: {wrong:?}"),
            }
        }
    }
}

/// The client's CA file has the certificate, but the certificate has expired.
#[test]
fn nothing_is_sent_to_a_server_with_an_expired_certificate() {
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    let files = common::tls_files("expired", &made.pem(), &key.serialize_pem());
    let emulator = Emulator::start(Options {
        tls: Some(files.clone()),
        ..Options::default()
    })
    .unwrap();
    let url = emulator.url().replace("https://127.0.0.1", "https://localhost");
    let client = client_with(&url, &[("tls.ca_file", files.certificate.to_str().unwrap())]);
    let report = send(&client, &command("hi"));
    assert_eq!(outcome(&report), (Code::Tls, Delivery::NotSent), "{}", report.text());
    assert!(report.text().contains("xpired"), "{}", report.text());
}
