use super::*;
use crate::message::{Payload, Signal};
use crate::report::Report;

fn read_for(recipients: Recipients, status: u16, body: &str) -> (Request, Vec<Recipient>) {
    let outcome = read(&Message::any_to(recipients), status, body.as_bytes());
    (outcome.request, outcome.recipients)
}

/// Code and delivery of the whole report.
fn overall(message: &Message, body: &str) -> (Code, Delivery) {
    let report = Report::merged("", [read(message, 200, body.as_bytes())]);
    (report.code(), report.delivery())
}

const SIGNAL: Signal = Signal {
    conversation_id: 1,
    sender_id: 2,
    msg_type: 3,
    content: "hi",
};
const BROADCAST: Message = Message::SendBroadcast {
    room_id: "lobby",
    from: "server",
    payload: Payload::Text("hi"),
};

fn with_rows(rows: &str) -> String {
    format!(r#"{{"ResponseMetadata":{{"RequestId":"r"}},"Result":{{"P2PResult":{rows}}}}}"#)
}

/// The request's code and delivery for a send to one user.
fn verdict(status: u16, body: &str) -> (Code, Delivery) {
    let (request, rows) = read_for(Recipients::One("u"), status, body);
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].code, rows[0].delivery),
        (request.code, request.delivery),
        "{body}"
    );
    (request.code, request.delivery)
}

fn error(code: &str) -> String {
    format!(r#"{{"ResponseMetadata":{{"RequestId":"r","Error":{{"Code":"{code}","Message":"m"}}}}}}"#)
}

#[test]
fn the_pages_own_rtc_answers_are_accepted() {
    let (room_id, from, payload) = ("lobby", "server", Payload::Text("hi"));
    let to = "user1";
    for (page, message) in [
        (
            include_str!("../../../tests/answers/volcengine-SendUnicast.json"),
            Message::SendUnicast { from, to, payload },
        ),
        (
            include_str!("../../../tests/answers/volcengine-SendRoomUnicast.json"),
            Message::SendRoomUnicast {
                room_id,
                from,
                to,
                payload,
            },
        ),
        (
            include_str!("../../../tests/answers/volcengine-BatchSendRoomUnicast.json"),
            Message::any_to(Recipients::Names(&["user1", "user2"])),
        ),
    ] {
        let outcome = read(&message, 200, page.as_bytes());
        let (request, rows) = (outcome.request, outcome.recipients);
        assert_eq!((request.code, request.delivery), (Code::Ok, Delivery::Accepted));
        assert_eq!(
            (request.request_id.as_str(), &*request.vendor_message),
            ("Your_RequestId", "Success")
        );
        let users: Vec<User> = rows.iter().map(|row| row.user.clone()).collect();
        assert_eq!(users, message.recipients().users().collect::<Vec<_>>());
        assert!(
            rows.iter()
                .all(|row| row.delivery == Delivery::Accepted && row.code == Code::Ok)
        );
    }
}

#[test]
fn the_pages_own_im_answer_names_every_user_and_device() {
    let page = include_str!("../../../tests/answers/volcengine-P2PSendMessage.json");
    let (request, rows) = read_for(Recipients::Everybody, 200, page);
    assert_eq!(request.request_id, "20240604150611EC00A9D1A0E4F0DF98AB");
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.user.clone(), row.delivery, &*row.vendor_message))
        .collect();
    assert_eq!(
        told,
        [
            (User::Id(10008), Delivery::NotDelivered, "NOT_ONLINE"),
            (User::Id(10001), Delivery::Delivered, "SUCCESS"),
        ]
    );
    assert_eq!((rows[0].code, rows[1].code), (Code::Undelivered, Code::Ok));
    assert_eq!(rows[1].devices[0].platform, "Web");

    let (_, rows) = read_for(Recipients::Ids(&[10001, 999, 10008]), 200, page);
    let told: Vec<_> = rows.iter().map(|row| (row.user.clone(), row.delivery)).collect();
    assert_eq!(
        told,
        [
            (User::Id(10001), Delivery::Delivered),
            (User::Id(999), Delivery::Accepted),
            (User::Id(10008), Delivery::NotDelivered),
        ]
    );
}

#[test]
fn one_device_that_has_it_is_enough_and_an_unknown_word_settles_nothing() {
    let body = r#"{"ResponseMetadata":{"RequestId":"r"},"Result":{"P2PResult":[
        {"UserId":1,"Code":"NOT_ONLINE","DevicePlatform":"Web"},{"UserId":1,"Code":"Success","DevicePlatform":"IOS"},
        {"UserId":2,"Code":"PUSHED?","DevicePlatform":"Web"},{"UserId":2,"Code":"not_online","DevicePlatform":"IOS"},
        {"UserId":"7221856821303361536","Code":"success"}]}}"#;
    let (_, rows) = read_for(Recipients::Ids(&[1, 2, 7221856821303361536]), 200, body);
    let deliveries: Vec<_> = rows.iter().map(|row| row.delivery).collect();
    assert_eq!(
        deliveries,
        [Delivery::Delivered, Delivery::Unknown, Delivery::Delivered]
    );
    assert_eq!(rows[0].devices.len(), 2);
    assert_eq!(rows[1].code, Code::BadResponse);
}

#[test]
fn a_row_without_a_readable_user_leaves_those_not_named_unknown() {
    let body = r#"{"ResponseMetadata":{},"Result":{"P2PResult":[{"UserId":1e30,"Code":"NOT_ONLINE"},{"UserId":1,"Code":"SUCCESS"},7]}}"#;
    let (_, rows) = read_for(Recipients::Ids(&[1, 2]), 200, body);
    assert_eq!(
        (rows[0].delivery, rows[1].delivery),
        (Delivery::Delivered, Delivery::Unknown)
    );
}

#[test]
fn an_error_inside_http_200_is_an_error() {
    for (code, expected) in [
        ("SignatureDoesNotMatch", (Code::Unauthenticated, Delivery::NotDelivered)),
        ("InvalidParameter.IllegalTo", (Code::Rejected, Delivery::NotDelivered)),
        (
            "FlowLimitExceeded.QPSOverLimit",
            (Code::Throttled, Delivery::NotDelivered),
        ),
        (
            "AccessDenied.NoPermissionForApp",
            (Code::Forbidden, Delivery::NotDelivered),
        ),
        ("ConversationNotFound", (Code::Undelivered, Delivery::NotDelivered)),
        ("InvalidTimestamp", (Code::Clock, Delivery::NotDelivered)),
        ("InternalError.Anything", (Code::VendorFault, Delivery::Unknown)),
        ("ServiceUnavailableTemp", (Code::VendorFault, Delivery::NotDelivered)),
        ("NeverSeen", (Code::VendorFault, Delivery::Unknown)),
    ] {
        assert_eq!(verdict(200, &error(code)), expected, "{code}");
    }
    assert_eq!(
        verdict(400, &error("NeverSeen")),
        (Code::Rejected, Delivery::NotDelivered)
    );
    assert_eq!(
        verdict(503, &error("NeverSeen")),
        (Code::VendorFault, Delivery::Unknown)
    );
}

#[test]
fn an_error_keeps_the_vendors_words() {
    let body = r#"{"ResponseMetadata":{"RequestId":20240604,"Error":{"CodeN":"100010","Code":"SignatureDoesNotMatch","Message":"no\u0000match"},"New":[1]}}"#;
    let (request, _) = read_for(Recipients::Everybody, 401, body);
    assert_eq!((request.request_id.as_str(), request.vendor_code), ("20240604", 100010));
    assert_eq!(request.vendor_error, "SignatureDoesNotMatch");
    assert_eq!(request.vendor_message, "no\u{FFFD}match");
    assert_eq!(request.http_status, 401);
}

#[test]
fn what_is_no_answer_of_the_vendor_is_judged_by_its_status() {
    let pages = [
        "",
        "<html>502 Bad Gateway</html>",
        "[]",
        "null",
        "{}",
        r#"{"ResponseMetadata":7}"#,
        "{\"ResponseMetadata\":{",
    ];
    for page in pages {
        for (status, expected) in [
            (200, (Code::BadResponse, Delivery::Unknown)),
            (204, (Code::BadResponse, Delivery::Unknown)),
            (301, (Code::Rejected, Delivery::NotDelivered)),
            (400, (Code::Rejected, Delivery::NotDelivered)),
            (401, (Code::Unauthenticated, Delivery::NotDelivered)),
            (403, (Code::Forbidden, Delivery::NotDelivered)),
            (404, (Code::Rejected, Delivery::NotDelivered)),
            (429, (Code::Throttled, Delivery::NotDelivered)),
            (500, (Code::BadResponse, Delivery::Unknown)),
            (502, (Code::BadResponse, Delivery::Unknown)),
            (504, (Code::BadResponse, Delivery::Unknown)),
        ] {
            assert_eq!(verdict(status, page), expected, "{status} {page}");
        }
    }
    let success = r#"{"ResponseMetadata":{"RequestId":"r"},"Result":{"Message":"Success"}}"#;
    assert_eq!(verdict(500, success), (Code::BadResponse, Delivery::Unknown));
    assert_eq!(
        verdict(200, r#"{"ResponseMetadata":{"Error":"broken"}}"#),
        (Code::BadResponse, Delivery::Unknown)
    );
}

#[test]
fn a_success_with_a_status_that_is_none_settles_nothing() {
    let success = r#"{"ResponseMetadata":{"RequestId":"r"},"Result":{"Message":"Success"}}"#;
    let delivered = with_rows(r#"[{"UserId":1,"Code":"SUCCESS"}]"#);
    for status in (300..=599).chain([199, 600, 999]) {
        for body in [success, &delivered, r#"{"ResponseMetadata":{}}"#] {
            assert_eq!(
                verdict(status, body),
                (Code::BadResponse, Delivery::Unknown),
                "{status} {body}"
            );
        }
        let call = read_call("ListRooms", status, success.as_bytes()).request;
        assert_eq!((call.code, call.delivery), (Code::BadResponse, Delivery::Unknown));
        assert_eq!(call.request_id, "r");
    }
    let refused = read(&BROADCAST, 403, success.as_bytes());
    assert!(!refused.concerns_all, "the client's other messages are not refused");
}

#[test]
fn an_envelope_that_is_unclear_settles_nothing_whatever_the_status() {
    let error = |members: &str| format!(r#"{{"ResponseMetadata":{{"Error":{{{members}}}}}}}"#);
    let bodies = [
        r#"{"ResponseMetadata":{},"ResponseMetadata":{"Error":{"Code":"InvalidParam"}}}"#.to_owned(),
        r#"{"responseMetadata":{"Error":{"Code":"InvalidParam"}}}"#.to_owned(),
        r#"{"ResponseMetadata":{"Error":null,"Error":{"Code":"InvalidParam"}}}"#.to_owned(),
        r#"{"ResponseMetadata":{"error":{"Code":"InvalidParam"}}}"#.to_owned(),
        r#"{"ResponseMetadata":{"Error":"broken"}}"#.to_owned(),
        r#"{"ResponseMetadata":{"Action":"a","Action":"b","Error":{"Code":"InvalidParam"}}}"#.to_owned(),
        error(r#""Code":"InternalError","Code":"x""#),
        error(r#""Code":"x","Code":"InternalError""#),
        error(r#""Code":"InvalidParam","code":"InternalError""#),
        error(r#""code":"InternalError""#),
        error(r#""CodeN":100014,"CodeN":7"#),
        error(r#""Code":"x","codeN":100014"#),
    ];
    for status in [200, 301, 400, 401, 403, 404, 408, 429, 500, 502] {
        for body in &bodies {
            let expected = (Code::BadResponse, Delivery::Unknown);
            assert_eq!(verdict(status, body), expected, "{status} {body}");
        }
    }
    let text_twice = error(r#""Code":"InvalidParam","Message":"a","Message":"b""#);
    assert_eq!(verdict(400, &text_twice), (Code::Rejected, Delivery::NotDelivered));
}

#[test]
fn only_the_metadata_is_needed_to_know_success() {
    for body in [
        r#"{"ResponseMetadata":{}}"#,
        r#"{"ResponseMetadata":{"RequestId":"r","Error":null},"Result":null}"#,
        r#"{"ResponseMetadata":{"RequestId":"r"},"Result":{"Message":"anything"},"Unknown":{"a":[1,2]}}"#,
        r#"{"ResponseMetadata":{"RequestId":"r"},"Result":[]}"#,
    ] {
        assert_eq!(verdict(200, body), (Code::Ok, Delivery::Accepted), "{body}");
    }
}

#[test]
fn a_row_without_a_readable_user_leaves_a_message_to_all_unknown() {
    let with = |rows: &str| format!(r#"{{"ResponseMetadata":{{}},"Result":{{"P2PResult":{rows}}}}}"#);
    for (rows, named) in [
        (
            r#"[{"UserId":1,"Code":"SUCCESS"},{"UserId":1e30,"Code":"NOT_ONLINE"}]"#,
            1,
        ),
        ("[7]", 0),
        ("{}", 0),
        (r#""SUCCESS""#, 0),
    ] {
        let (request, read) = read_for(Recipients::Everybody, 200, &with(rows));
        assert_eq!(
            (request.code, request.delivery),
            (Code::BadResponse, Delivery::Unknown),
            "{rows}"
        );
        assert_eq!(read.len(), named);
    }
    let (_, rows) = read_for(Recipients::Ids(&[1]), 200, &with("{}"));
    assert_eq!(rows[0].delivery, Delivery::Unknown);
    let (request, _) = read_for(Recipients::Everybody, 200, &with("null"));
    assert_eq!((request.code, request.delivery), (Code::Ok, Delivery::Accepted));
}

#[test]
fn rows_of_users_in_an_answer_of_rtc_leave_everybody_unknown_and_replace_nobody() {
    let body = with_rows(r#"[{"UserId":1,"Code":"NOT_ONLINE"}]"#);
    for recipients in [Recipients::One("alice"), Recipients::Names(&["alice", "bob"])] {
        let (request, rows) = read_for(recipients, 200, &body);
        assert_eq!((request.code, request.delivery), (Code::BadResponse, Delivery::Unknown));
        assert!(rows.iter().all(|row| row.delivery == Delivery::Unknown));
        let users: Vec<User> = rows.into_iter().map(|row| row.user).collect();
        assert_eq!(users, recipients.users().collect::<Vec<_>>());
    }
    let outcome = read(&BROADCAST, 200, body.as_bytes());
    assert_eq!(
        (outcome.request.delivery, outcome.recipients.len()),
        (Delivery::Unknown, 0)
    );
    for rows in ["[]", "null"] {
        assert_eq!(
            overall(&BROADCAST, &with_rows(rows)),
            (Code::Ok, Delivery::Accepted),
            "{rows}"
        );
    }
}

#[test]
fn a_row_for_a_user_who_was_not_asked_for_leaves_those_without_a_row_unknown() {
    for (stranger, asked) in [
        ("9007199254740992", [9007199254740993, 10008]),
        ("7221856821303362000", [7221856821303361537, 10008]),
        ("0", [10009, 10008]),
        ("-10009", [10009, 10008]),
        ("5", [10009, 10008]),
    ] {
        let body = with_rows(&format!(
            r#"[{{"UserId":{stranger},"Code":"NOT_ONLINE"}},{{"UserId":10008,"Code":"SUCCESS"}}]"#
        ));
        let (request, rows) = read_for(Recipients::Ids(&asked), 200, &body);
        let told: Vec<_> = rows.iter().map(|row| (row.delivery, row.code)).collect();
        assert_eq!(
            told,
            [(Delivery::Unknown, Code::BadResponse), (Delivery::Delivered, Code::Ok)],
            "{stranger}"
        );
        assert_eq!(request.delivery, Delivery::Unknown);
        // With a row for each that was asked for, nobody is left whom it may mean.
        let (request, rows) = read_for(Recipients::Ids(&asked[1..]), 200, &body);
        assert_eq!(
            (request.code, rows[0].delivery),
            (Code::Ok, Delivery::Delivered),
            "{stranger}"
        );
    }
}

#[test]
fn members_without_a_row_count_as_accepted_and_are_unknown_where_a_row_fits_nobody() {
    let to_all = Message::P2PSendMessageToAll { signal: SIGNAL };
    let except = Message::P2PSendMessageToAllExcept {
        signal: SIGNAL,
        user_ids: &[7, 8],
    };
    for message in [&to_all, &except] {
        for (rows, expected) in [
            ("[]", (Code::Ok, Delivery::Accepted)),
            (r#"[{"UserId":1,"Code":"SUCCESS"}]"#, (Code::Ok, Delivery::Accepted)),
            (
                r#"[{"UserId":1,"Code":"NOT_ONLINE"}]"#,
                (Code::Partial, Delivery::NotDelivered),
            ),
            (
                r#"[{"UserId":1,"Code":"NOT_ONLINE"},{"UserId":2,"Code":"SUCCESS"}]"#,
                (Code::Partial, Delivery::NotDelivered),
            ),
            (r#"[{"UserId":1,"Code":"?"}]"#, (Code::Partial, Delivery::Unknown)),
            (
                r#"[{"UserId":0,"Code":"NOT_ONLINE"}]"#,
                (Code::BadResponse, Delivery::Unknown),
            ),
        ] {
            assert_eq!(overall(message, &with_rows(rows)), expected, "{rows}");
        }
    }
    let left_out = with_rows(r#"[{"UserId":8,"Code":"SUCCESS"}]"#);
    assert_eq!(overall(&except, &left_out), (Code::Partial, Delivery::Unknown));
    assert_eq!(overall(&to_all, &left_out), (Code::Ok, Delivery::Accepted));
}

#[test]
fn rows_that_cannot_all_be_of_one_user_leave_those_without_a_row_unknown() {
    const ROUNDED: i64 = 9007199254740992;
    let told = |rows: &[(&str, &str)], asked: &[i64]| {
        let rows: Vec<String> = rows
            .iter()
            .map(|(word, platform)| format!(r#"{{"UserId":{ROUNDED},"Code":"{word}","DevicePlatform":"{platform}"}}"#))
            .collect();
        let body = with_rows(&format!("[{}]", rows.join(",")));
        let (request, rows) = read_for(Recipients::Ids(asked), 200, &body);
        let deliveries: Vec<_> = rows.iter().map(|row| row.delivery).collect();
        (request.delivery, deliveries)
    };
    for rows in [
        &[("NOT_ONLINE", "Default"), ("SUCCESS", "Web")][..],
        &[("SUCCESS", "Web"), ("NOT_ONLINE", "default")],
        &[("SUCCESS", "Web"), ("NOT_ONLINE", "web")],
        &[("SUCCESS", "Web"), ("SUCCESS", "IOS"), ("SUCCESS", "Web")],
        &[("SUCCESS", ""), ("NOT_ONLINE", "")],
    ] {
        assert_eq!(
            told(rows, &[ROUNDED, ROUNDED + 1]),
            (Delivery::Unknown, vec![Delivery::Delivered, Delivery::Unknown]),
            "{rows:?}"
        );
        // Nobody is left whom one of the rows may mean.
        assert_eq!(
            told(rows, &[ROUNDED]),
            (Delivery::Accepted, vec![Delivery::Delivered]),
            "{rows:?}"
        );
    }
    for rows in [
        &[("NOT_ONLINE", "IOS"), ("SUCCESS", "Web"), ("SUCCESS", "Android")][..],
        &[("SUCCESS", "Web"), ("SUCCESS", "")],
    ] {
        assert_eq!(
            told(rows, &[ROUNDED, ROUNDED + 1]),
            (Delivery::Accepted, vec![Delivery::Delivered, Delivery::Accepted]),
            "{rows:?}"
        );
    }
}

#[test]
fn what_stands_where_rows_may_have_been_meant_leaves_those_without_a_row_unknown() {
    let row = r#"{"UserId":1,"Code":"NOT_ONLINE"}"#;
    let refusal = r#"{"Error":{"Code":"FlowLimitExceeded"}}"#;
    for rest in [
        format!(r#""Result":[{row}]"#),
        r#""Result":"NOT_ONLINE""#.to_owned(),
        format!(r#""Result":{{"P2PResult":{row}}}"#),
        r#""Result":{"P2PResult":"NOT_ONLINE"}"#.to_owned(),
        r#""Result":{"P2PResult":[7]}"#.to_owned(),
        r#""Result":{"P2PResult":[{"UserId":1e30}]}"#.to_owned(),
        format!(r#""Result":{{"p2pResult":[{row}]}}"#),
        format!(r#""Result":{{}},"Result":{{"P2PResult":[{row}]}}"#),
        format!(r#""P2PResult":[{row}]"#),
        format!(r#""Result":{{"Message":"Success"}},"p2pResult":[{row}]"#),
        format!(r#""P2PResult":{row}"#),
    ] {
        let with = |metadata| format!(r#"{{"ResponseMetadata":{metadata},{rest}}}"#);
        assert_eq!(
            verdict(200, &with("{}")),
            (Code::BadResponse, Delivery::Unknown),
            "{rest}"
        );
        assert_eq!(
            verdict(200, &with(refusal)),
            (Code::Throttled, Delivery::Unknown),
            "{rest}"
        );
        let (_, rows) = read_for(Recipients::Ids(&[1]), 200, &with("{}"));
        assert_eq!(rows[0].delivery, Delivery::Unknown, "{rest}");
        let call = read_call("ListRooms", 200, with("{}").as_bytes()).request;
        assert_eq!((call.code, call.delivery), (Code::Ok, Delivery::Accepted), "{rest}");
    }
    for rest in [
        r#""Result":[]"#,
        r#""Result":{"P2PResult":{}}"#,
        r#""Result":{"P2PResult":[]}"#,
        r#""P2PResult":[]"#,
        r#""P2PResult":null"#,
    ] {
        let body = format!(r#"{{"ResponseMetadata":{{}},{rest}}}"#);
        assert_eq!(verdict(200, &body), (Code::Ok, Delivery::Accepted), "{rest}");
    }
}

#[test]
fn a_refusal_that_also_says_what_became_of_users_settles_nothing() {
    let body = r#"{"ResponseMetadata":{"Error":{"Code":"FlowLimitExceeded"}},
        "Result":{"P2PResult":[{"UserId":1,"Code":"SUCCESS"}]}}"#;
    let (request, rows) = read_for(Recipients::Ids(&[1, 2]), 200, body);
    assert_eq!((request.code, request.delivery), (Code::Throttled, Delivery::Unknown));
    assert!(rows.iter().all(|row| row.delivery == Delivery::Unknown));
}

#[test]
fn an_answer_that_names_another_action_settles_nothing() {
    let unicast = Message::any_to(Recipients::One("u"));
    let answer = |action: &str, rest: &str| {
        format!(r#"{{"ResponseMetadata":{{"RequestId":"r","Action":{action}{rest}}},"Result":{{}}}}"#)
    };
    let error = r#","Error":{"Code":"FlowLimitExceeded"}"#;
    for (status, rest) in [(200, ""), (200, error), (429, error)] {
        let body = answer(r#""SendBroadcast""#, rest);
        let outcome = read(&unicast, status, body.as_bytes());
        let request = &outcome.request;
        assert!(outcome.answers_another_request);
        assert_eq!(
            (request.code, request.delivery, request.request_id.as_str()),
            (Code::BadResponse, Delivery::Unknown, "r")
        );
        assert_eq!(
            request.text,
            "the answer belongs to SendBroadcast, but SendUnicast was sent"
        );
        assert_eq!(outcome.recipients[0].delivery, Delivery::Unknown);
    }
    for action in [r#""SendUnicast""#, r#""sendUnicast""#, r#""""#, "null", "[]"] {
        let outcome = read(&unicast, 200, answer(action, "").as_bytes());
        assert!(
            !outcome.answers_another_request && outcome.request.code == Code::Ok,
            "{action}"
        );
    }
    let twice = answer(r#""SendUnicast","Action":"SendBroadcast""#, "");
    assert_eq!(verdict(200, &twice), (Code::BadResponse, Delivery::Unknown));

    let rows = r#"{"ResponseMetadata":{"Action":"P2PSendUserMessage"},"Result":{"P2PResult":[{"UserId":"x"}]}}"#;
    let call = |action| read_call(action, 200, rows.as_bytes());
    assert_eq!(call("p2pSendUserMessage").request.code, Code::Ok);
    assert!(call("P2PSendUserMessage").recipients.is_empty());
    let other = call("ListRooms");
    assert!(other.answers_another_request && other.request.delivery == Delivery::Unknown);
}

#[test]
fn a_name_that_stands_twice_or_is_spelled_otherwise_settles_nothing() {
    for body in [
        r#"{"ResponseMetadata":{},"ResponseMetadata":{"Error":{"Code":"FlowLimitExceeded"}}}"#,
        r#"{"ResponseMetadata":{"Error":{"Code":"FlowLimitExceeded"}},"ResponseMetadata":{}}"#,
        r#"{"ResponseMetadata":{"Error":null,"Error":{"Code":"FlowLimitExceeded"}}}"#,
        r#"{"ResponseMetadata":{"error":{"Code":"FlowLimitExceeded"}}}"#,
        r#"{"ResponseMetadata":{" Error":{"Code":"FlowLimitExceeded"}}}"#,
        r#"{"ResponseMetadata":{"Err\ud800r":{"Code":"FlowLimitExceeded"}}}"#,
        r#"{"responseMetadata":{}}"#,
    ] {
        assert_eq!(verdict(200, body), (Code::BadResponse, Delivery::Unknown), "{body}");
    }
    // Names that nobody reads, and texts that decide nothing.
    for body in [
        r#"{"ResponseMetadata":{"New":1,"New":2,"\ud800":3,"requestId":"r","RequestId":"r"}}"#,
        r#"{"ResponseMetadata":{},"Result":{"Message":"a","message":"b"}}"#,
    ] {
        assert_eq!(verdict(200, body), (Code::Ok, Delivery::Accepted), "{body}");
    }
    let push = r#"[{"UserId":1,"Code":"SUCCESS"}]"#;
    for result in [
        format!(r#""result":{{"P2PResult":{push}}}"#),
        format!(r#""Result":{{"p2pResult":{push}}}"#),
        format!(r#""Result":{{"P2PResult":[],"P2PResult":{push}}}"#),
        format!(r#""Result":{{}},"Result":{{"P2PResult":{push}}}"#),
        r#""Result":[]"#.to_owned(),
    ] {
        let body = format!(r#"{{"ResponseMetadata":{{}},{result}}}"#);
        let (_, rows) = read_for(Recipients::Ids(&[1]), 200, &body);
        assert_eq!(rows[0].delivery, Delivery::Unknown, "{body}");
    }
    for (rows, expected) in [
        (
            r#"[{"UserId":2,"UserId":1,"Code":"SUCCESS"}]"#,
            [Delivery::Unknown, Delivery::Unknown],
        ),
        (
            r#"[{"UserId":1,"Code":"NOT_ONLINE","Code":"SUCCESS"}]"#,
            [Delivery::Unknown, Delivery::Accepted],
        ),
        (
            r#"[{"UserId":1,"code":"SUCCESS"}]"#,
            [Delivery::Unknown, Delivery::Accepted],
        ),
        (
            r#"[{"userId":1,"Code":"SUCCESS"}]"#,
            [Delivery::Unknown, Delivery::Unknown],
        ),
    ] {
        let (_, read) = read_for(Recipients::Ids(&[1, 2]), 200, &with_rows(rows));
        let told: Vec<_> = read.iter().map(|row| row.delivery).collect();
        assert_eq!(told, expected, "{rows}");
    }
}

#[test]
fn the_number_of_an_error_may_stand_where_its_name_belongs() {
    for code in [r#"100018"#, r#""100018""#, r#""100018","CodeN":null"#] {
        let body = format!(r#"{{"ResponseMetadata":{{"Error":{{"Code":{code},"Message":"too fast"}}}}}}"#);
        assert_eq!(verdict(200, &body), (Code::Throttled, Delivery::NotDelivered), "{code}");
        let (request, _) = read_for(Recipients::One("u"), 200, &body);
        assert_eq!((request.vendor_code, request.vendor_error.as_str()), (100018, "100018"));
    }
}

#[test]
fn a_gateway_that_may_have_passed_the_request_on_settles_nothing() {
    for status in 300..500 {
        let expected = match status {
            408 | 409 | 499 => (Code::BadResponse, Delivery::Unknown),
            _ => {
                let class = crate::report::Class::by_status(status);
                (class.code(), Delivery::NotDelivered)
            }
        };
        assert_eq!(verdict(status, "<html>"), expected, "{status}");
    }
    for status in [408, 409, 499] {
        assert_eq!(
            verdict(status, &error("NeverSeen")),
            (Code::VendorFault, Delivery::Unknown)
        );
        let without_code = r#"{"ResponseMetadata":{"Error":{"Message":"m"}}}"#;
        assert_eq!(verdict(status, without_code), (Code::VendorFault, Delivery::Unknown));
        assert_eq!(
            verdict(status, &error("FlowLimitExceeded")),
            (Code::Throttled, Delivery::NotDelivered)
        );
    }
}

#[test]
fn an_ordinary_answer_says_what_it_says_as_a_tree_of_values() {
    let pages = [
        include_str!("../../../tests/answers/volcengine-SendUnicast.json"),
        include_str!("../../../tests/answers/volcengine-P2PSendMessage.json"),
        r#"{"ResponseMetadata":{"RequestId":"r","Error":{"CodeN":100018,"Code":"FlowLimitExceeded.QPSOverLimit","Message":"m"}}}"#,
        r#"{"ResponseMetadata":{"Error":null,"New":{"a":[1.5,true,null]}},"Result":{"P2PResult":[{"UserId":10001},
           {"UserId":10008,"Code":"not_online","DevicePlatform":"\u0057eb"},{"UserId":10008,"Code":"Success"}]}}"#,
    ];
    fn asked_of(to: Recipients) -> Asked {
        Asked::by(&Message::any_to(to))
    }
    let asked = [
        (Recipients::One("alice"), 200),
        (Recipients::Everybody, 200),
        (Recipients::Ids(&[10001, 10008, 7]), 200),
        (Recipients::Names(&["alice", "bob"]), 429),
    ];
    json::tests::hold_readers_together(
        &pages,
        |body| {
            let told = |(to, status)| Some(judged(asked_of(to), status, Ok(json::ordinary(body)?)));
            asked.into_iter().map(told).collect::<Option<Vec<_>>>()
        },
        |body| {
            asked
                .map(|(to, status)| judged(asked_of(to), status, Answer::of_any(body)))
                .to_vec()
        },
    );
}
