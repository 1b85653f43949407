//! Properties of every text, payload and setting: the canonical request is that of docs/VENDORS.md, of which this file has an
//! independent implementation; a payload arrives unchanged; no setting panics; no secret is shown.
//!
//! The cases are random but the same in every run, because the seed is fixed. A failure needs no regression file.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{SIGNAL, client, config, outcome, send};
use hmac::{Hmac, KeyInit, Mac};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngSeed, TestRunner};
use rtcmsg::sign::volcengine::{RequestPrefix, SigningKey, canonical_query, sha256_hex};
use rtcmsg::{Client, Code, Config, Delivery, Level, Logger, Message, Payload, SETTINGS, Secret, Signal};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Checks a property with `cases` cases.
fn hold<S: Strategy>(cases: u32, strategy: S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_201_201),
        ..ProptestConfig::default()
    };
    if let Err(failure) = TestRunner::new(config).run(&strategy, property) {
        panic!("{failure}");
    }
}

/// A text of at least one character from all of Unicode, with more characters that need escaping than a uniform choice has.
fn text() -> impl Strategy<Value = String> {
    let awkward = select(vec![
        '\0',
        '\n',
        '"',
        '\\',
        '/',
        '%',
        '+',
        '&',
        '=',
        ' ',
        '\u{7f}',
        '\u{2028}',
        '\u{FFFD}',
        '\u{10FFFF}',
    ]);
    vec(
        prop_oneof![any::<char>(), awkward, proptest::char::range(' ', '~')],
        1..60,
    )
    .prop_map(|chars| chars.into_iter().collect())
}

/// VENDORS.md: `A-Za-z0-9-_.~` are unreserved; the UTF-8 bytes of all other characters are escaped.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.as_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(*byte as char),
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(&behind[..2]).expect("two digits");
            decoded.push(u8::from_str_radix(digits, 16).expect("hex"));
            rest = &behind[2..];
        } else {
            assert!(*first != b'+', "a space is %20 and a plus is %2B");
            decoded.push(*first);
            rest = behind;
        }
    }
    decoded
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_canonical_request_and_its_signature_are_those_of_an_independent_formatter() {
    let word = "[A-Za-z0-9_@.=/ -]{0,40}";
    let name = "[a-z][a-z0-9-]{0,20}";
    let request = (
        select(vec!["GET", "POST"]),
        btree_map(text(), text(), 0..6),
        btree_map(name, "[!-~]([ -~]{0,30}[!-~])?", 1..6),
        vec(any::<u8>(), 0..200),
    );
    let scope = ("[0-9]{8}T[0-9]{6}Z", word, word, text());
    hold(
        1000,
        (request, scope),
        |((method, query, headers, body), (x_date, region, service, secret))| {
            // The lines of VENDORS.md, Signature.
            let wire_query: Vec<String> = query
                .iter()
                .map(|(name, value)| format!("{}={}", percent_encoded(name), percent_encoded(value)))
                .collect();
            let mut expected = format!("{method}\n/\n{}\n", wire_query.join("&"));
            for (name, value) in &headers {
                expected += &format!("{}:{}\n", name.to_lowercase(), value.trim());
            }
            let names = headers.keys().cloned().collect::<Vec<_>>().join(";");
            expected += &format!("\n{names}\n{}", hex(&Sha256::digest(&body)));
            let day = &x_date[..8];
            let credential = format!("{day}/{region}/{service}/request");
            let to_sign = format!(
                "HMAC-SHA256\n{x_date}\n{credential}\n{}",
                hex(&Sha256::digest(&expected))
            );
            let signing = keyed(
                &keyed(&keyed(&keyed(secret.as_bytes(), day), &region), &service),
                "request",
            );

            // The order of the caller's pairs must not matter.
            let pairs: Vec<(&str, &str)> = query.iter().rev().map(|(name, value)| (&**name, &**value)).collect();
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
            let body_sha256 = sha256_hex(&body);
            let key = SigningKey::new(&Secret::new(secret), day, &region, &service);
            // The number of headers that are hashed in advance must not matter.
            for known in 0..headers.len() {
                let (known, later) = headers.split_at(known);
                let (later, values): (Vec<_>, Vec<_>) = later.iter().copied().unzip();
                let prefix = RequestPrefix::new(method, "/", &canonical_query(&pairs), known, &later);
                let canonical = prefix.canonical_sha256(&values, &body_sha256);
                prop_assert_eq!(&*canonical, hex(&Sha256::digest(&expected)), "{}", expected);
                prop_assert_eq!(&*key.signature(&x_date, &canonical), hex(&keyed(&signing, &to_sign)));
                prop_assert_eq!(
                    prefix.authorization("AK", &key, &x_date, &values, &body_sha256),
                    format!(
                        "HMAC-SHA256 Credential=AK/{credential}, SignedHeaders={names}, Signature={}",
                        hex(&keyed(&signing, &to_sign))
                    )
                );
            }
            Ok(())
        },
    );
}

/// A peer that accepts every request and returns its target and body to the test.
struct Ear {
    url: String,
    heard: Receiver<(String, Vec<u8>)>,
}

impl Ear {
    fn new() -> Ear {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (hear, heard) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut reader = BufReader::new(stream.expect("a connection"));
                loop {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        if reader.read_until(b'\n', &mut head).expect("a head") == 0 {
                            break;
                        }
                    }
                    if head.is_empty() {
                        break;
                    }
                    // Tokens and keys may be other than ASCII.
                    let head = String::from_utf8(head).expect("UTF-8");
                    let target = head.split(' ').nth(1).expect("a target").to_owned();
                    let length = head.to_ascii_lowercase();
                    let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
                    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
                    reader.read_exact(&mut body).expect("a body");
                    hear.send((target, body)).expect("heard");
                    // Both vendors' clients accept this answer.
                    let answer = r#"{"ResponseMetadata":{"RequestId":"r"},"Code":0}"#;
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
                    reader.get_mut().write_all(answer.as_bytes()).expect("written");
                }
            }
        });
        Ear { url, heard }
    }

    /// Sends a message, which must be accepted, and returns what arrived.
    fn hear(&self, client: &Client, message: &Message) -> (String, Vec<u8>) {
        let report = send(client, message);
        assert_eq!(outcome(&report), (Code::Ok, Delivery::Accepted), "{}", report.summary());
        self.heard.recv().expect("a request")
    }

    fn body(&self, client: &Client, message: &Message) -> Value {
        serde_json::from_slice(&self.hear(client, message).1).expect("JSON")
    }

    fn parameters(&self, client: &Client, message: &Message) -> Vec<(String, String)> {
        let (target, body) = self.hear(client, message);
        assert!(body.is_empty());
        let query = target.strip_prefix("/?").expect("a query").to_owned();
        let decoded = |text: &str| String::from_utf8(percent_decoded(text)).expect("UTF-8");
        let pair = |pair: &str| {
            pair.split_once('=')
                .map(|(name, value)| (decoded(name), decoded(value)))
        };
        query.split('&').map(|part| pair(part).expect("name=value")).collect()
    }
}

fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> &'a str {
    &parameters.iter().find(|parameter| parameter.0 == name).expect(name).1
}

fn unicast(text: &str) -> Message<'_> {
    Message::SendUnicast {
        from: "server",
        to: "alice",
        payload: Payload::Text(text),
    }
}

/// All Unicode scalar values, each once, in texts of at most `bytes` bytes.
fn all_of_unicode(bytes: usize) -> Vec<String> {
    let mut texts = vec![String::new()];
    for char in '\0'..=char::MAX {
        if texts.last().is_some_and(|text| text.len() + char.len_utf8() > bytes) {
            texts.push(String::new());
        }
        texts.last_mut().expect("one").push(char);
    }
    texts
}

#[test]
fn every_character_of_unicode_arrives_unchanged() {
    let ear = Ear::new();
    let client = client(&ear.url);
    let mut count = 0;
    for text in all_of_unicode(64 * 1024) {
        assert_eq!(ear.body(&client, &unicast(&text))["Message"], text.as_str());
        let signal = Signal {
            content: &text,
            ..SIGNAL
        };
        assert_eq!(
            ear.body(&client, &Message::P2PSendMessageToAll { signal })["Content"],
            text.as_str()
        );
        count += text.chars().count();
    }
    assert_eq!(count, 0x11_0000 - 0x800);
    for text in all_of_unicode(1024) {
        let message = Message::SendCustomCommandToRoom {
            room_id: "lobby",
            from: "server",
            content: &text,
        };
        let parameters = ear.parameters(&client, &message);
        assert_eq!(parameter(&parameters, "MessageContent"), text);
    }
}

#[test]
fn texts_and_ids_of_any_kind_arrive_unchanged() {
    let ear = Ear::new();
    let client = client(&ear.url);
    let id = || text().prop_map(|text| text.replace('\0', "0").chars().take(32).collect::<String>());
    let ids = proptest::collection::btree_set(id(), 1..10);
    hold(
        500,
        (text(), id(), id(), ids, any::<i64>()),
        |(text, room_id, from, mut to, number)| {
            let body = ear.body(&client, &unicast(&text));
            prop_assert_eq!(&body["Message"], text.as_str());
            prop_assert_eq!(&body["Binary"], false);

            let user_id = (number & i64::MAX).max(1);
            let signal = Signal {
                content: &text,
                conversation_id: user_id,
                ..SIGNAL
            };
            let body = ear.body(
                &client,
                &Message::P2PSendMessageToAllExcept {
                    signal,
                    user_ids: &[user_id],
                },
            );
            prop_assert_eq!(&body["Content"], text.as_str());
            prop_assert_eq!(body["ConversationShortId"].as_i64(), Some(user_id));
            prop_assert_eq!(body["IgnoreUserIds"][0].as_i64(), Some(user_id));

            to.remove(&from);
            let to: Vec<&str> = to.iter().map(String::as_str).collect();
            if !to.is_empty() {
                let message = Message::SendCustomCommandToUsers {
                    room_id: &room_id,
                    from: &from,
                    to: &to,
                    content: &text,
                };
                let parameters = ear.parameters(&client, &message);
                prop_assert_eq!(parameter(&parameters, "RoomId"), &room_id);
                prop_assert_eq!(parameter(&parameters, "FromUserId"), &from);
                prop_assert_eq!(parameter(&parameters, "MessageContent"), &text);
                let named = parameters
                    .iter()
                    .filter(|(name, _)| name == "ToUserId[]")
                    .map(|(_, value)| value.as_str());
                prop_assert_eq!(named.collect::<Vec<_>>(), to);
            }
            Ok(())
        },
    );
}

#[test]
fn bytes_of_any_kind_arrive_unchanged() {
    let ear = Ear::new();
    let client = client(&ear.url);
    hold(500, vec(any::<u8>(), 1..3000), |bytes| {
        let message = Message::SendBroadcast {
            room_id: "lobby",
            from: "server",
            payload: Payload::Binary(&bytes),
        };
        let body = ear.body(&client, &message);
        prop_assert_eq!(&body["Binary"], true);
        let decoded = STANDARD
            .decode(body["Message"].as_str().expect("base64"))
            .expect("base64");
        prop_assert_eq!(decoded, bytes);
        Ok(())
    });
}

/// A key of the table, a similar key, or an arbitrary text.
fn key() -> impl Strategy<Value = String> {
    let known = (0..SETTINGS.len()).prop_map(|index| SETTINGS[index].key.to_owned());
    prop_oneof![
        6 => known.clone(),
        1 => (known, any::<char>()).prop_map(|(key, char)| format!("{key}{char}")),
        1 => text(),
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        text(),
        any::<i64>().prop_map(|number| number.to_string()),
        select(vec![
            "",
            "true",
            "false",
            "omit",
            "0",
            "1",
            "4294967295",
            "4294967296",
            "9223372036854775808",
            "-1",
            "1.0",
            " 1",
            "2020-12-01",
            "decoded",
            "base64",
            "encoded",
            "env",
            "https://",
            "https://[::1]:8443",
            "http://127.0.0.1:1",
            "https://user:pass@host",
            "https://host:0",
            "https://é.example",
            "/",
            "/dev/null",
            "socks5://127.0.0.1:1",
        ])
        .prop_map(str::to_owned),
        text().prop_map(|text| text.repeat(500)),
        ("https?://", text()).prop_map(|(scheme, host)| scheme.replace('?', "") + &host),
    ]
}

#[test]
fn no_setting_panics_and_every_refusal_names_its_key() {
    hold(1500, vec((key(), value()), 1..8), |settings| {
        let mut config = config("http://127.0.0.1:1");
        for (key, value) in &settings {
            let known = SETTINGS.iter().any(|setting| setting.key == key);
            match config.set(key, value) {
                Ok(()) => prop_assert!(known, "{} is no setting", key),
                Err(error) => {
                    prop_assert_eq!(error.code, Code::InvalidArgument);
                    prop_assert!(!error.message.is_empty());
                    prop_assert!(!known || error.field == key.as_str(), "{} for {}", error.field, key);
                    prop_assert!(!error.to_string().contains(char::is_control), "{:?}", error.to_string());
                }
            }
        }
        let _ = format!("{config:?}");
        if let Err(error) = Client::new(&config) {
            let codes = [Code::InvalidArgument, Code::NotConfigured];
            prop_assert!(codes.contains(&error.code), "{}", error);
            prop_assert!(SETTINGS.iter().any(|setting| setting.key == error.field), "{}", error);
        }
        Ok(())
    });
}

#[test]
fn a_client_can_send_with_every_setting_that_it_was_made_with() {
    let ear = Ear::new();
    let unicode = text().prop_map(|text| text.replace(char::is_control, "").trim().to_owned());
    let printable = prop_oneof![20 => "([!-~]([ -~]{0,30}[!-~])?)?", 1 => unicode];
    let settings = [
        "volcengine.access_key",
        "volcengine.secret_key",
        "volcengine.session_token",
        "volcengine.rtc_app_id",
        "volcengine.region",
        "volcengine.service",
    ];
    let server_secret = "[!-~][ -~]{30}[!-~]";
    hold(
        300,
        (vec(printable, settings.len()), server_secret),
        |(values, secret)| {
            let mut config = config(&ear.url);
            prop_assert!(config.set("zego.server_secret", &secret).is_ok());
            for (key, value) in settings.iter().zip(&values).filter(|(_, value)| !value.is_empty()) {
                match config.set(key, value) {
                    Ok(()) => prop_assert!(value.is_ascii(), "{} = {}", key, value),
                    Err(error) => prop_assert!(!value.is_ascii() && error.field == *key, "{}", error),
                }
            }
            let client = Client::new(&config).expect("what was set can be used");
            ear.hear(&client, &common::UNICAST);
            ear.hear(&client, &common::COMMAND);
            Ok(())
        },
    );
}

#[test]
fn no_error_log_line_or_report_holds_a_secret() {
    let secrets: Vec<&str> = SETTINGS
        .iter()
        .filter(|setting| setting.is_secret())
        .map(|setting| setting.key)
        .collect();
    assert!(secrets.len() >= 4, "{secrets:?}");
    // A secret is long enough that no message contains it by chance. The text around it makes the value invalid.
    let around = || {
        select(vec![
            "",
            " ",
            "\n",
            "\0",
            "@",
            "http://u:",
            "https://",
            "@127.0.0.1:1",
            "@[",
            "é",
            "\u{7f}",
        ])
    };
    let secret = ("[A-Za-z0-9+/=]{16}", around(), around(), any::<bool>());
    hold(300, vec(secret, secrets.len()), |values| {
        let lines: Arc<Mutex<String>> = Arc::default();
        let sink = lines.clone();
        let mut config = config("http://127.0.0.1:1");
        config.set_logger(Logger::new(Level::Debug, move |_, line| {
            sink.lock().expect("no panic").push_str(line);
        }));
        let mut told = String::new();
        for (key, (secret, before, behind, long)) in secrets.iter().zip(&values) {
            let tail = if *long { "x".repeat(4096) } else { String::new() };
            let value = match *key {
                // The secret is the password, because an error may show the host of a proxy.
                "http.proxy" => format!("{before}http://user:{secret}@127.0.0.1:1{behind}{tail}"),
                // The secret is repeated, because the value must have 32 characters.
                "zego.server_secret" => format!("{before}{secret}{secret}{behind}{tail}"),
                _ => format!("{before}{secret}{behind}{tail}"),
            };
            if let Err(error) = config.set(key, &value) {
                told += &format!("{error} {error:?}");
            }
            // A secret as the user of an endpoint must also not be shown.
            if let Err(error) = Config::new().set("zego.endpoint", &format!("https://{secret}@{behind}")) {
                told += &error.to_string();
            }
        }
        told += &format!("{config:?}");
        match Client::new(&config) {
            Ok(client) => {
                told += &format!("{client:?}");
                for message in [common::UNICAST, common::COMMAND] {
                    told += &format!("{:?}", send(&client, &message));
                }
            }
            Err(error) => told += &format!("{error} {error:?}"),
        }
        told += &lines.lock().expect("no panic");
        for (secret, ..) in &values {
            prop_assert!(!told.contains(secret.as_str()), "{} in {}", secret, told);
        }
        Ok(())
    });
}
