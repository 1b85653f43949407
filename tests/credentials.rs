//! Credentials replaced while messages are sent: every attempt is signed with one complete set.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use common::{COMMAND, UNICAST, client, emulator, outcome, post, send};
use rtcmsg::{Client, Code, Delivery, Level, Logger, Vendor};
use rtcmsg_emulator::{Emulator, Options};
use serde_json::json;

const SECRET: &str = "demo-secret-key==";
const TOKEN: &str = "demo-session-token";

#[test]
fn rotation_under_load_never_mixes_two_sets_in_a_signature() {
    let emulator = Emulator::start(Options {
        quota: false,
        ..Options::default()
    })
    .unwrap();
    let client = client(emulator.url());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..300 {
                        // A mix of both sets would get another refusal: a correct key with a wrong token, or the reverse.
                        let report = send(&client, &UNICAST);
                        let name = &report.requests()[0].vendor_error;
                        let refused = outcome(&report) == (Code::Unauthenticated, Delivery::NotDelivered);
                        let by_key = refused && name == "InvalidAccessKey";
                        assert!(report.code() == Code::Ok || by_key, "{}", report.summary());
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for (key, secret, token) in [
                    ("AKLTdemo", SECRET, TOKEN),
                    ("AKLTother", "other", "other"),
                    ("AKLTdemo", SECRET, ""),
                ] {
                    client.set_credentials(Vendor::Volcengine, key, secret, token).unwrap();
                }
            }
        });
        let ended: Vec<_> = senders.into_iter().map(|sender| sender.join()).collect();
        done.store(true, Ordering::Relaxed);
        ended.into_iter().for_each(|sender| sender.unwrap());
    });
    assert_eq!(send(&client, &UNICAST).code(), Code::Ok);
}

#[test]
fn sends_succeed_fail_and_succeed_with_right_wrong_and_right_credentials() {
    let emulator = emulator();
    post(
        emulator.url(),
        "zego/join",
        json!({"room_id": "lobby", "user_id": "alice"}),
    );
    let client = client(emulator.url());
    let (right, wrong) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210");
    for (secret, code) in [(right, Code::Ok), (wrong, Code::Unauthenticated), (right, Code::Ok)] {
        client.set_credentials(Vendor::Zego, "", secret, "").unwrap();
        assert_eq!(send(&client, &COMMAND).code(), code);
    }
    for (secret, code) in [(SECRET, Code::Ok), ("wrong", Code::Unauthenticated), (SECRET, Code::Ok)] {
        client
            .set_credentials(Vendor::Volcengine, "AKLTdemo", secret, "")
            .unwrap();
        assert_eq!(send(&client, &UNICAST).code(), code);
    }
}

#[test]
fn invalid_credentials_are_refused_and_the_old_ones_remain() {
    let emulator = emulator();
    let client = client(emulator.url());
    for (vendor, key_id, secret, token, field) in [
        (Vendor::Volcengine, "", SECRET, "", "key_id"),
        (Vendor::Volcengine, "AKLTdemo", "", "", "secret"),
        (Vendor::Volcengine, "AKLT\ndemo", SECRET, "", "key_id"),
        (Vendor::Volcengine, "AKLTdemo", SECRET, "a\r\nb: c", "session_token"),
        (Vendor::Zego, "key", "secret", "", "key_id"),
        (Vendor::Zego, "", "secret", "token", "session_token"),
        (Vendor::Zego, "", "", "", "secret"),
        (Vendor::Zego, "", "a-secret-that-is-too-short", "", "secret"),
        (Vendor::Volcengine, SECRET, "AKLTdemo", "", "secret"),
        (Vendor::Volcengine, SECRET, "AKTPdemo", TOKEN, "secret"),
    ] {
        let error = client.set_credentials(vendor, key_id, secret, token).unwrap_err();
        assert_eq!((error.code, error.field.as_ref()), (Code::InvalidArgument, field));
        assert!(!error.message.contains(SECRET));
    }
    assert_eq!(send(&client, &UNICAST).code(), Code::Ok);
    let mut config = rtcmsg::Config::new();
    config.set("zego.app_id", "1").unwrap();
    config
        .set("zego.server_secret", "0123456789abcdef0123456789abcdef")
        .unwrap();
    let zego_only = rtcmsg::Client::new(&config).unwrap();
    let error = zego_only.set_credentials(Vendor::Volcengine, "a", "b", "").unwrap_err();
    assert_eq!(error.code, Code::NotConfigured);
    client.close(None);
    let error = client.set_credentials(Vendor::Volcengine, "a", "b", "").unwrap_err();
    assert_eq!(error.code, Code::Closed);
}

#[test]
fn an_overseas_host_with_the_default_region_logs_a_warning() {
    for (endpoint, region, warnings) in [
        ("https://open-ap-singapore-1.volcengineapi.com", "", 1),
        ("https://open.byteplusapi.com", "", 1),
        (
            "https://rtc.volcengineapi.com@cn-north-1,https://open.byteplusapi.com@cn-north-1",
            "",
            1,
        ),
        ("https://open.byteplusapi.com", "ap-singapore-1", 0),
        ("https://rtc.volcengineapi.com", "", 0),
    ] {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = lines.clone();
        let mut config = common::config("http://127.0.0.1:1");
        config.set_logger(Logger::new(Level::Warn, move |_, line| {
            sink.lock().unwrap().push(line.to_owned());
        }));
        config.set("volcengine.endpoint", endpoint).unwrap();
        config.set("volcengine.region", region).unwrap();
        Client::new(&config).unwrap();
        let lines = lines.lock().unwrap();
        assert_eq!(lines.len(), warnings, "{endpoint} {region}: {lines:?}");
        assert!(
            lines
                .iter()
                .all(|line| line.contains("cn-north-1") && line.contains("volcengine.region")),
            "{lines:?}"
        );
    }
}
