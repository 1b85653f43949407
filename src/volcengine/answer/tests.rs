use super::*;

fn read_for(recipients: Recipients, status: u16, body: &str) -> (Request, Vec<Recipient>) {
    let outcome = read(recipients, status, body.as_bytes());
    (outcome.request, outcome.recipients)
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
    for page in [
        include_str!("../../../tests/answers/volcengine-SendUnicast.json"),
        include_str!("../../../tests/answers/volcengine-SendRoomUnicast.json"),
        include_str!("../../../tests/answers/volcengine-BatchSendRoomUnicast.json"),
    ] {
        let (request, rows) = read_for(Recipients::Names(&["user1", "user2"]), 200, page);
        assert_eq!((request.code, request.delivery), (Code::Ok, Delivery::Accepted));
        assert_eq!(
            (request.request_id.as_str(), &*request.vendor_text),
            ("Your_RequestId", "Success")
        );
        assert_eq!(rows.len(), 2);
        assert!(
            rows.iter()
                .all(|row| row.delivery == Delivery::Accepted && row.code == Code::Ok)
        );
        assert_eq!(rows[1].user, User::Name("user2".into()));
    }
}

#[test]
fn the_pages_own_im_answer_names_every_user_and_device() {
    let page = include_str!("../../../tests/answers/volcengine-P2PSendMessage.json");
    let (request, rows) = read_for(Recipients::Everybody, 200, page);
    assert_eq!(request.request_id, "20240604150611EC00A9D1A0E4F0DF98AB");
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.user.clone(), row.delivery, &*row.vendor_text))
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
    assert_eq!(request.vendor_name, "SignatureDoesNotMatch");
    assert_eq!(request.vendor_text, "no\u{FFFD}match");
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
fn rows_by_id_in_an_answer_about_names_replace_nobody() {
    let body = r#"{"ResponseMetadata":{},"Result":{"P2PResult":[{"UserId":1,"Code":"NOT_ONLINE"}]}}"#;
    for recipients in [Recipients::One("alice"), Recipients::Names(&["alice", "bob"])] {
        let (_, rows) = read_for(recipients, 200, body);
        let users: Vec<User> = rows.into_iter().map(|row| row.user).collect();
        assert_eq!(users, recipients.users().collect::<Vec<_>>());
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
    let asked = [
        (Recipients::One("alice"), 200),
        (Recipients::Everybody, 200),
        (Recipients::Ids(&[10001, 10008, 7]), 200),
        (Recipients::Names(&["alice", "bob"]), 429),
    ];
    json::tests::hold_readers_together(
        &pages,
        |body| {
            let told = |(to, status)| Some(judged(to, status, Ok(json::ordinary(body)?)));
            asked.into_iter().map(told).collect::<Option<Vec<_>>>()
        },
        |body| {
            asked
                .map(|(to, status)| judged(to, status, Answer::of_any(body)))
                .to_vec()
        },
    );
}
