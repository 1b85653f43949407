//! Quotas over a sliding window, with a clock that the test sets: full, still full one nanosecond early, and free again.

mod fixtures;

use std::time::Duration;

use fixtures::{
    Fixture, batch_send_room_unicast, p2p_send_message, send_broadcast, send_room_unicast, send_unicast, with,
};
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);
const ZEGO_COMMAND: &str = "RoomId=room&FromUserId=server&MessageContent=hello";

#[test]
fn the_four_rtc_sends_share_500_in_a_second() {
    let fixture = Fixture::new();
    let sends = [
        ("SendUnicast", send_unicast()),
        ("SendRoomUnicast", send_room_unicast()),
        ("SendBroadcast", send_broadcast()),
        ("BatchSendRoomUnicast", batch_send_room_unicast()),
    ];
    for (action, body) in sends.iter().cycle().take(500) {
        assert_eq!(fixture.volcengine(action, "2020-12-01", body).error().1, "");
    }
    fixture.set_steady(SECOND - NANOSECOND);
    for (action, body) in &sends {
        let old = fixture.volcengine(action, "2020-12-01", body);
        assert_eq!(
            (old.status, old.error()),
            (200, (0, "FlowLimitExceeded.QPSOverLimit")),
            "{action}"
        );
        let new = fixture.volcengine(action, "2023-07-20", body);
        assert_eq!(
            (new.status, new.error()),
            (429, (0, "FlowLimitExceeded.QPSOverLimit")),
            "{action}"
        );
    }
    fixture.set_steady(SECOND);
    assert_eq!(
        fixture
            .volcengine("SendUnicast", "2020-12-01", &send_unicast())
            .error()
            .1,
        ""
    );
}

#[test]
fn the_im_sends_have_100_a_second_each() {
    let fixture = Fixture::new();
    let to_users = json!({ "AppId": 666_675, "MsgType": 1, "Sender": 1, "Receivers": [7], "Content": "x" });
    for (action, body) in [("P2PSendMessage", p2p_send_message()), ("P2PSendUserMessage", to_users)] {
        let throttled =
            |body: &Value| fixture.volcengine(action, "2020-12-01", body).error() == (100_018, "FlowLimitExceeded");
        for _ in 0..100 {
            assert!(!throttled(&body), "{action}");
        }
        assert!(throttled(&body), "{action}");
    }
}

#[test]
fn a_send_to_all_online_users_is_admitted_once_a_second() {
    let fixture = Fixture::new();
    let body = json!({ "AppId": 666_675, "MsgType": 1, "Sender": 1, "ToAllOnlineUsers": true, "Content": "x" });
    let code = || {
        fixture
            .volcengine("P2PSendUserMessage", "2020-12-01", &body)
            .error()
            .1
            .to_owned()
    };
    assert_eq!(code(), "");
    assert_eq!(code(), "FlowLimitExceeded");
    fixture.set_steady(SECOND);
    assert_eq!(code(), "");
}

#[test]
fn sends_to_users_may_have_25_000_receivers_a_minute() {
    let fixture = Fixture::new();
    let body = json!({ "AppId": 666_675, "MsgType": 1, "Sender": 1, "Receivers": vec![7; 500], "Content": "x" });
    let one = with(body.clone(), "Receivers", json!([7]));
    let code = |body: &Value| {
        fixture
            .volcengine("P2PSendUserMessage", "2020-12-01", body)
            .error()
            .1
            .to_owned()
    };
    for _ in 0..50 {
        assert_eq!(code(&body), "");
    }
    fixture.set_steady(60 * SECOND - NANOSECOND);
    assert_eq!(code(&one), "FlowLimitExceeded");
    fixture.set_steady(60 * SECOND);
    assert_eq!(code(&body), "");
}

#[test]
fn zego_admits_100_a_second_over_all_rooms_and_10_with_is_test() {
    let fixture = Fixture::new();
    fixture.control("zego/join", json!({ "room_id": "room", "user_id": "alice" }));
    for _ in 0..100 {
        assert_eq!(fixture.zego("SendCustomCommand", ZEGO_COMMAND).code(), 0);
    }
    fixture.set_steady(SECOND - NANOSECOND);
    assert_eq!(fixture.zego("SendCustomCommand", ZEGO_COMMAND).code(), 7);
    assert_eq!(
        fixture
            .zego(
                "SendBarrageMessage",
                "RoomId=other&UserId=u&MessageCategory=1&MessageContent=x"
            )
            .code(),
        7
    );
    let test = format!("{ZEGO_COMMAND}&IsTest=true");
    for _ in 0..10 {
        assert_eq!(fixture.zego("SendCustomCommand", &test).code(), 0);
    }
    assert_eq!(fixture.zego("SendCustomCommand", &test).code(), 7);
    fixture.set_steady(SECOND);
    assert_eq!(fixture.zego("SendCustomCommand", ZEGO_COMMAND).code(), 0);
    assert_eq!(fixture.zego("SendCustomCommand", &test).code(), 7);
}

#[test]
fn without_quotas_any_number_is_admitted() {
    let fixture = Fixture::with(|options| options.quota = false);
    for _ in 0..150 {
        assert_eq!(fixture.zego("SendCustomCommand", ZEGO_COMMAND).code(), 104);
    }
}
