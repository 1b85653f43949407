//! Every message, from the Rust API over a real socket to the inboxes of the emulator.

mod common;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::{COMMAND, SIGNAL, UNICAST, client, client_with, emulator, get, inbox, outcome, post, send};
use rtcmsg::{Code, Delivery, Message, Payload, Report, SendOptions, User, Vendor};
use rtcmsg_emulator::{Emulator, Options};
use serde_json::json;

fn deliveries(report: &Report) -> Vec<Delivery> {
    report.recipients().iter().map(|recipient| recipient.delivery).collect()
}

#[test]
fn the_rtc_sends_reach_present_users_and_are_accepted_for_all() {
    let emulator = emulator();
    let client = client(emulator.url());
    post(
        emulator.url(),
        "volcengine/join",
        json!({"room_id": "lobby", "user_id": "alice"}),
    );
    let (room_id, from) = ("lobby", "server");
    for (message, payload) in [
        (
            Message::SendUnicast {
                from,
                to: "alice",
                payload: Payload::Text("你好 \"a+b\"\n"),
            },
            "你好 \"a+b\"\n",
        ),
        (
            Message::SendRoomUnicast {
                room_id,
                from,
                to: "alice",
                payload: Payload::Text("\u{0}\u{7f}"),
            },
            "\u{0}\u{7f}",
        ),
        (
            Message::BatchSendRoomUnicast {
                room_id,
                from,
                to: &["alice", "ghost"],
                payload: Payload::Binary(&[0, 255]),
            },
            "AP8=",
        ),
        (
            Message::SendBroadcast {
                room_id,
                from,
                payload: Payload::Binary(&[1]),
            },
            "AQ==",
        ),
    ] {
        let report = send(&client, &message);
        assert_eq!(outcome(&report), (Code::Ok, Delivery::Accepted), "{}", report.summary());
        assert!(
            deliveries(&report)
                .iter()
                .all(|delivery| *delivery == Delivery::Accepted)
        );
        let request = &report.requests()[0];
        assert_eq!((request.http_status, request.attempts.len()), (200, 1));
        assert!(!request.request_id.is_empty());
        assert_eq!(
            inbox(emulator.url(), "volcengine", "alice").pop().as_deref(),
            Some(payload)
        );
    }
    assert!(inbox(emulator.url(), "volcengine", "ghost").is_empty());
}

#[test]
fn an_im_message_reports_the_outcome_of_every_user_and_device() {
    let emulator = emulator();
    let client = client(emulator.url());
    for (user_id, devices) in [
        (10008, json!([])),
        (i64::MAX, json!(["Web", "IOS"])),
        (10002, json!([])),
    ] {
        let member = json!({"conversation_id": SIGNAL.conversation_id, "user_id": user_id, "devices": devices});
        post(emulator.url(), "im/join", member);
    }
    let user_ids = [10002, i64::MAX, 10003];
    let report = send(
        &client,
        &Message::P2PSendMessageToUsers {
            signal: SIGNAL,
            user_ids: &user_ids,
        },
    );
    assert_eq!(outcome(&report), (Code::Partial, Delivery::NotDelivered));
    assert_eq!(
        deliveries(&report),
        [Delivery::NotDelivered, Delivery::Delivered, Delivery::Accepted]
    );
    assert_eq!(report.recipients()[1].user, User::Id(i64::MAX));
    let platforms: Vec<_> = report.recipients()[1]
        .devices
        .iter()
        .map(|device| &*device.platform)
        .collect();
    assert_eq!(platforms, ["Web", "IOS"]);

    let report = send(&client, &Message::P2PSendMessageToAll { signal: SIGNAL });
    assert_eq!(report.recipients().len(), 3);
    let report = send(
        &client,
        &Message::P2PSendMessageToAllExcept {
            signal: SIGNAL,
            user_ids: &[10002, 10008],
        },
    );
    // The answer may have no row for some members: the vendor has accepted the message for them.
    assert_eq!(outcome(&report), (Code::Ok, Delivery::Accepted));
    assert_eq!(inbox(emulator.url(), "im", &i64::MAX.to_string()).len(), 6);
}

#[test]
fn a_zego_command_reports_absent_users() {
    let emulator = emulator();
    let client = client(emulator.url());
    for user_id in ["alice", "用户 1&b=c"] {
        post(
            emulator.url(),
            "zego/join",
            json!({"room_id": "lobby", "user_id": user_id}),
        );
    }
    let content = "a+b c&d=%20 你好";
    let to = ["ghost", "用户 1&b=c"];
    let report = send(
        &client,
        &Message::SendCustomCommandToUsers {
            room_id: "lobby",
            from: "server",
            to: &to,
            content,
        },
    );
    assert_eq!(
        outcome(&report),
        (Code::Partial, Delivery::NotDelivered),
        "{}",
        report.summary()
    );
    assert_eq!(deliveries(&report), [Delivery::NotDelivered, Delivery::Accepted]);
    assert_eq!(report.recipients()[0].vendor_code, 105);
    assert_eq!(
        inbox(emulator.url(), "zego", "%E7%94%A8%E6%88%B7%201%26b%3Dc"),
        [content]
    );

    let report = send(&client, &COMMAND);
    assert_eq!(
        (outcome(&report), report.recipients().len()),
        ((Code::Ok, Delivery::Accepted), 0)
    );
    assert_eq!(inbox(emulator.url(), "zego", "alice"), ["hi"]);
}

#[test]
fn a_refused_message_is_not_delivered_and_has_the_vendors_reason() {
    let emulator = emulator();
    let url = emulator.url();
    for (settings, message, code, name) in [
        (
            &[("volcengine.secret_key", "wrong")][..],
            UNICAST,
            Code::Unauthenticated,
            "SignatureDoesNotMatch",
        ),
        (
            &[("volcengine.access_key", "AKLTother")],
            UNICAST,
            Code::Unauthenticated,
            "InvalidAccessKey",
        ),
        (
            &[("volcengine.session_token", "expired")],
            UNICAST,
            Code::Unauthenticated,
            "InvalidSecretToken",
        ),
        (
            &[("volcengine.rtc_app_id", "other")],
            UNICAST,
            Code::Rejected,
            "InvalidParameter.NotExistAppId",
        ),
        (
            &[],
            Message::P2PSendMessageToAll { signal: SIGNAL },
            Code::Undelivered,
            "ConversationNotFound",
        ),
        (&[], COMMAND, Code::Undelivered, ""),
        (
            &[("zego.server_secret", "a-wrong-secret-of-32-characters.")],
            COMMAND,
            Code::Unauthenticated,
            "",
        ),
    ] {
        let report = send(&client_with(url, settings), &message);
        assert_eq!(outcome(&report), (code, Delivery::NotDelivered), "{}", report.summary());
        assert_eq!(report.requests()[0].vendor_error, name);
        assert_eq!(report.error().map(|error| error.code), Some(code));
    }
}

#[test]
fn both_versions_and_session_tokens_are_accepted() {
    let emulator = emulator();
    let url = emulator.url();
    let newer = ("volcengine.rtc_version", "2023-07-20");
    let token = ("volcengine.session_token", "demo-session-token");
    assert_eq!(send(&client_with(url, &[newer, token]), &UNICAST).code(), Code::Ok);
    let wrong_app = ("volcengine.rtc_app_id", "other");
    let old = send(&client_with(url, &[wrong_app]), &UNICAST);
    let new = send(&client_with(url, &[wrong_app, newer]), &UNICAST);
    assert_eq!(outcome(&old), outcome(&new));
    assert_eq!(old.requests()[0].http_status, 200);
    assert!(new.requests()[0].http_status >= 400);
}

#[test]
fn an_exceeded_quota_and_a_wrong_clock_have_their_own_codes() {
    let steady = Options {
        steady_clock: Arc::new(|| Duration::ZERO),
        ..Options::default()
    };
    let emulator = Emulator::start(steady).unwrap();
    let client = client_with(emulator.url(), &[("zego.is_test", "true")]);
    post(
        emulator.url(),
        "zego/join",
        json!({"room_id": "lobby", "user_id": "alice"}),
    );
    for _ in 0..10 {
        assert_eq!(send(&client, &COMMAND).code(), Code::Ok);
    }
    assert_eq!(
        outcome(&send(&client, &COMMAND)),
        (Code::Throttled, Delivery::NotDelivered)
    );

    let tomorrow = || SystemTime::now() + Duration::from_secs(86_400);
    let ahead = Emulator::start(Options {
        clock: Arc::new(tomorrow),
        ..Options::default()
    })
    .unwrap();
    let client = common::client(ahead.url());
    for message in [UNICAST, COMMAND] {
        assert_eq!(outcome(&send(&client, &message)), (Code::Clock, Delivery::NotDelivered));
    }
}

#[test]
fn call_sends_other_actions_and_returns_the_raw_answer() {
    let emulator = emulator();
    let client = client(emulator.url());
    let member = json!({"conversation_id": 1, "user_id": 10001, "devices": ["Web"]});
    post(emulator.url(), "im/join", member);
    post(
        emulator.url(),
        "zego/join",
        json!({"room_id": "lobby", "user_id": "alice"}),
    );
    let options = SendOptions::default();
    let json = r#"{"AppId":666675,"MsgType":1,"Sender":10008,"Receivers":[10001],"Content":"hi"}"#;
    let report = client
        .call_action(Vendor::Volcengine, "P2PSendUserMessage", "2020-12-01", json, &options)
        .unwrap();
    assert_eq!(outcome(&report), (Code::Ok, Delivery::Accepted), "{}", report.summary());
    let body: serde_json::Value = serde_json::from_slice(report.body()).unwrap();
    assert_eq!(body["Result"]["P2PResult"][0]["UserId"], 10001);

    let json = r#"{"RoomId":"lobby","UserId":"server","MessageCategory":1,"MessageContent":"hi"}"#;
    let report = client
        .call_action(Vendor::Zego, "SendBroadcastMessage", "", json, &options)
        .unwrap();
    assert_eq!(report.code(), Code::Ok, "{}", report.summary());
    assert!(!report.requests()[0].request_id.is_empty());

    let report = client
        .call_action(Vendor::Volcengine, "NoSuchAction", "2020-12-01", "{}", &options)
        .unwrap();
    assert_eq!(outcome(&report), (Code::Rejected, Delivery::NotDelivered));
    let sent = get(emulator.url(), "stats")["requests"].clone();
    for (vendor, action, version, json, field) in [
        (Vendor::Volcengine, "P2PSendMessage", "2020-12-01", "{}", "action"),
        (Vendor::Volcengine, "Action&x", "2020-12-01", "{}", "action"),
        (Vendor::Volcengine, "Other", "", "{}", "version"),
        (Vendor::Volcengine, "Other", "2020-12-01", "[]", "json"),
        (Vendor::Zego, "Other", "2020-12-01", "{}", "version"),
        (Vendor::Zego, "Other", "", r#"{"UserId":[]}"#, "json"),
    ] {
        let error = client
            .call_action(vendor, action, version, json, &options)
            .expect_err(action);
        assert_eq!((error.code, error.field.as_ref()), (Code::InvalidArgument, field));
    }
    assert_eq!(get(emulator.url(), "stats")["requests"], sent);
}

#[test]
fn a_client_of_one_vendor_refuses_the_others_messages_and_a_missing_app_by_name() {
    let mut config = rtcmsg::Config::new();
    config.set("zego.app_id", "1").unwrap();
    let error = rtcmsg::Client::new(&config).unwrap_err();
    assert_eq!(
        (error.code, error.field.as_ref()),
        (Code::NotConfigured, "zego.server_secret")
    );
    config
        .set("zego.server_secret", "0123456789abcdef0123456789abcdef")
        .unwrap();
    let zego_only = rtcmsg::Client::new(&config).unwrap();
    let error = zego_only.check(&UNICAST).unwrap_err();
    assert_eq!(
        (error.code, error.field.as_ref()),
        (Code::NotConfigured, "volcengine.access_key")
    );

    let no_apps = client_with(
        "http://127.0.0.1:1",
        &[("volcengine.rtc_app_id", ""), ("volcengine.im_app_id", "")],
    );
    assert_eq!(no_apps.check(&UNICAST).unwrap_err().field, "volcengine.rtc_app_id");
    let error = no_apps
        .check(&Message::P2PSendMessageToAll { signal: SIGNAL })
        .unwrap_err();
    assert_eq!(error.field, "volcengine.im_app_id");
    assert_eq!(
        rtcmsg::Client::new(&rtcmsg::Config::new()).unwrap_err().code,
        Code::NotConfigured
    );
}
