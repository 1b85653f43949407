use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use sha2::{Digest, Sha256};
use time::UtcDateTime;

use super::*;
use crate::error::Code;
use crate::message::{Message, Payload};

const SETTINGS: [(&str, &str); 5] = [
    ("volcengine.access_key", "AKLTdemo"),
    ("volcengine.secret_key", "demo-secret-key=="),
    ("volcengine.rtc_app_id", "app"),
    ("volcengine.im_app_id", "1"),
    (
        "volcengine.endpoint",
        "https://a.example@cn-north-1,http://127.0.0.1:8089@ap-1",
    ),
];

fn account() -> Account {
    let mut config = Config::new();
    for (key, value) in SETTINGS {
        config.set(key, value).unwrap();
    }
    configured(&config, None).unwrap().unwrap().0
}

fn signer(access_key: &str, secret_key: &str, token: &str) -> Signer {
    Signer::new(Credentials::new(access_key, secret_key, token).unwrap())
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The signature step by step as in VENDORS.md, Signature. It stores nothing, and shares no code with the library.
fn plain_authorization(
    credentials: &Credentials,
    host: &str,
    region: &str,
    query: &str,
    x_date: &str,
    body: &[u8],
) -> String {
    let body_sha256 = hex(Sha256::digest(body));
    let mut lines =
        format!("content-type:application/json\nhost:{host}\nx-content-sha256:{body_sha256}\nx-date:{x_date}\n");
    let mut names = "content-type;host;x-content-sha256;x-date".to_owned();
    if !credentials.session_token.is_empty() {
        lines += &format!("x-security-token:{}\n", credentials.session_token.expose());
        names += ";x-security-token";
    }
    let canonical = format!("POST\n/\n{query}\n{lines}\n{names}\n{body_sha256}");
    let day = &x_date[..8];
    let scope = format!("{day}/{region}/rtc/request");
    let to_sign = format!("HMAC-SHA256\n{x_date}\n{scope}\n{}", hex(Sha256::digest(canonical)));
    let of_day = hmac(credentials.secret_key.expose().as_bytes(), day);
    let key = hmac(&hmac(&hmac(&of_day, region), "rtc"), "request");
    let access_key = &credentials.access_key;
    let signature = hex(hmac(&key, &to_sign));
    format!("HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}")
}

/// Times on four days that follow each other, so that each day occurs often, and any other time until the year 9999.
fn times() -> impl Strategy<Value = UtcDateTime> {
    let days = (0..4i64, 0..86_400i64).prop_map(|(day, second)| 1_798_675_200 + day * 86_400 + second);
    prop_oneof![3 => days, 1 => 0..253_402_300_800i64]
        .prop_map(|second| UtcDateTime::from_unix_timestamp(second).unwrap())
}

#[test]
fn a_signature_does_not_depend_on_earlier_requests() {
    let account = account();
    let credentials = ("[!-~]([ -~]{0,80}[!-~])?", "[!-~]{1,150}", "([!-~]{1,1200})?");
    let actions = proptest::sample::select(vec![
        ("SendUnicast", "2020-12-01"),
        ("P2PSendMessage", "2020-12-01"),
        ("SendBroadcast", "2023-07-20"),
        ("AnyOther", "2022-06-01"),
    ]);
    let body = proptest::collection::vec(any::<u8>(), 0..300);
    let calls = proptest::collection::vec((actions, 0..2usize, body, times()), 1..12);
    let config = ProptestConfig {
        cases: 300,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_201_201),
        ..ProptestConfig::default()
    };
    let property = |((access_key, secret_key, token), calls): ((String, String, String), Vec<_>)| {
        let signer = signer(&access_key, &secret_key, &token);
        for ((action, version), site, body, now) in calls {
            let (host, region) = [("a.example", "cn-north-1"), ("127.0.0.1:8089", "ap-1")][site];
            let site = &account.sites[site];
            let call = UnsignedRequest { action, version, body };
            let request = request(&account, site, &signer, call, now).unwrap();
            let query = format!("Action={action}&Version={version}");
            let header = |name: &str| request.headers()[name].to_str().unwrap();
            prop_assert_eq!(
                request.uri().to_string(),
                format!("{}/?{query}", site.endpoint.origin())
            );
            let time = now.to_offset(time::UtcOffset::UTC);
            let time = (time.year(), time.month() as u8, time.day(), time.to_hms());
            let (year, month, day, (hour, minute, second)) = time;
            let x_date = format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z");
            prop_assert_eq!(header("x-date"), &x_date);
            prop_assert_eq!(header("x-content-sha256"), hex(Sha256::digest(request.body())));
            prop_assert_eq!((header("host"), header("content-type")), (host, "application/json"));
            let sent_token = request.headers().get("x-security-token");
            prop_assert_eq!(sent_token.map_or("", |value| value.to_str().unwrap()), &token);
            prop_assert_eq!(
                header("authorization"),
                plain_authorization(signer.credentials(), host, region, &query, &x_date, request.body())
            );
        }
        Ok(())
    };
    if let Err(failure) = TestRunner::new(config).run(&(credentials, calls), property) {
        panic!("{failure}");
    }
}

#[test]
fn signing_keys_are_derived_once_a_day() {
    let signer = signer("AKLTdemo", "secret", "");
    let same = |a: &crate::util::sync::Arc<_>, b: &crate::util::sync::Arc<_>| crate::util::sync::Arc::ptr_eq(a, b);
    let north = signer.key("20260102", "cn-north-1", "rtc");
    let south = signer.key("20260102", "ap-1", "rtc");
    assert!(same(&north, &signer.key("20260102", "cn-north-1", "rtc")));
    assert!(same(&south, &signer.key("20260102", "ap-1", "rtc")));
    let next = signer.key("20260103", "cn-north-1", "rtc");
    assert!(same(&next, &signer.key("20260103", "cn-north-1", "rtc")));
    assert!(!same(&north, &signer.key("20260102", "cn-north-1", "rtc")));
}

#[test]
fn a_signer_prints_no_secret() {
    let signer = signer("AKLTdemo", "demo-secret", "demo-token");
    signer.key("20260102", "cn-north-1", "rtc");
    let printed = format!("{signer:?}");
    assert!(printed.contains("***") && !printed.contains("demo-"), "{printed}");
    assert!(!printed.contains("cn-north-1"), "{printed}");
}

#[test]
fn every_message_has_a_prepared_route() {
    let account = account();
    let site = &account.sites[0];
    let signal = crate::message::Signal {
        conversation_id: 1,
        sender_id: 2,
        msg_type: 3,
        content: "hi",
    };
    let (room_id, from, payload) = ("lobby", "server", Payload::Text("hi"));
    for message in [
        Message::SendUnicast {
            from,
            to: "alice",
            payload,
        },
        Message::SendRoomUnicast {
            room_id,
            from,
            to: "alice",
            payload,
        },
        Message::BatchSendRoomUnicast {
            room_id,
            from,
            to: &["alice"],
            payload,
        },
        Message::SendBroadcast { room_id, from, payload },
        Message::P2PSendMessageToAll { signal },
    ] {
        let call = actions::call(&account, &message).unwrap();
        assert!(site.route(call.action, call.version).is_some(), "{}", call.action);
    }
}

#[test]
fn overseas_hosts_with_the_default_region_are_doubtful() {
    for (endpoint, region, is_doubtful) in [
        ("https://rtc.volcengineapi.com", "", false),
        ("https://open-ap-singapore-1.volcengineapi.com", "", true),
        ("https://OPEN-AP-SINGAPORE-1.volcengineapi.com.", "", true),
        ("https://rtc.ap-southeast-1.volcengineapi.com", "", true),
        ("https://open.byteplusapi.com", "", true),
        ("https://rtc.byteplusapi.com:8443", "", true),
        ("https://byteplusapi.com", "", true),
        ("https://open.byteplusapi.com", "cn-north-1", true),
        ("https://open.byteplusapi.com@cn-north-1", "ap-singapore-1", true),
        ("https://open.byteplusapi.com@ap-singapore-1", "", false),
        ("https://open.byteplusapi.com", "ap-singapore-1", false),
        ("https://notbyteplusapi.com", "", false),
        ("https://byteplusapi.com.example.com", "", false),
        ("https://open-ap-singapore-1.example.com", "", false),
        ("https://map-data.volcengineapi.com", "", false),
    ] {
        let mut config = Config::new();
        config.set("volcengine.endpoint", endpoint).unwrap();
        config.set("volcengine.region", region).unwrap();
        let sites = sites(&config).unwrap();
        assert_eq!(sites[0].has_doubtful_region(), is_doubtful, "{endpoint} {region:?}");
    }
}

#[test]
fn keys_in_each_others_place_are_refused_by_name_and_not_repeated() {
    for (access_key, secret_key, session_token, field) in [
        ("WkR0b2tlbg==", "AKLTYWJj", "", "secret"),
        ("WkR0b2tlbg==", "AKTPYWJj", "STS2token", "secret"),
        ("STS2token", "WkR0b2tlbg==", "AKTPYWJj", "session_token"),
    ] {
        let error = Credentials::new(access_key, secret_key, session_token).unwrap_err();
        assert_eq!((error.code, &*error.field), (Code::InvalidArgument, field));
        for value in [access_key, "AKLTYWJj", "AKTPYWJj"] {
            assert!(!error.message.contains(value), "{error}");
        }
        let mut config = Config::new();
        for (key, value) in [
            ("volcengine.access_key", access_key),
            ("volcengine.secret_key", secret_key),
            ("volcengine.session_token", session_token),
        ] {
            config.set(key, value).unwrap();
        }
        let error = configured(&config, None).unwrap_err();
        let key = if field == "secret" {
            "volcengine.secret_key"
        } else {
            "volcengine.session_token"
        };
        assert_eq!((error.code, &*error.field), (Code::InvalidArgument, key));
    }
}

#[test]
fn exchanged_keys_of_a_file_are_refused_and_not_repeated() {
    for secret_key in ["AKLT1", "AKTP1"] {
        let error = Credentials::from_file(&FileKeys::for_test("hunter2", secret_key)).unwrap_err();
        assert_eq!(error.field, "volcengine.credentials_source");
        assert!(
            error.message.contains("secret key: begins with AKLT or AKTP"),
            "{error}"
        );
        assert!(
            !error.message.contains("hunter2") && !error.message.contains("AKTP1"),
            "{error}"
        );
    }
}

#[test]
fn keys_whose_prefixes_show_no_exchange_are_accepted() {
    for (access_key, secret_key) in [
        ("AKLTYWJj", "WkR0b2tlbg=="),
        ("AKTPYWJj", "WkR0b2tlbg=="),
        ("AKLTYWJj", "AKLTYWJj"),
        ("of-an-emulator", "WkR0b2tlbg=="),
        ("of-an-emulator", "aklt-in-small-letters"),
    ] {
        Credentials::new(access_key, secret_key, "").unwrap();
    }
}
