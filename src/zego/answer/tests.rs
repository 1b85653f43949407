use super::*;

fn deliveries(rows: &[Recipient]) -> Vec<Delivery> {
    rows.iter().map(|row| row.delivery).collect()
}

/// The request's code and delivery for these recipients.
fn verdict(recipients: Recipients, status: u16, body: &str) -> (Code, Delivery) {
    let request = read(recipients, status, body.as_bytes()).request;
    (request.code, request.delivery)
}

#[test]
fn the_pages_own_answer_names_who_did_not_get_it() {
    let page = include_str!("../../../tests/answers/zego-SendCustomCommand.json");
    let Outcome {
        request,
        recipients: rows,
        ..
    } = read(Recipients::Names(&["user1", "1111"]), 200, page.as_bytes());
    assert_eq!(
        (request.code, request.request_id.as_str()),
        (Code::Ok, "3005402395393320157")
    );
    assert_eq!(request.vendor_message, "success");
    assert_eq!(deliveries(&rows), [Delivery::Accepted, Delivery::NotDelivered]);
    assert_eq!((rows[1].code, rows[1].vendor_code), (Code::Undelivered, 50003));
}

#[test]
fn a_request_id_may_be_a_number_and_a_code_may_be_text() {
    let body = br#"{"Code":"0","RequestId":3005402395393320157,"Data":{"FailUsers":[{"Uid":1111,"Code":"50003"}]}}"#;
    let Outcome {
        request,
        recipients: rows,
        ..
    } = read(Recipients::Names(&["1111"]), 200, body);
    assert_eq!(request.request_id, "3005402395393320157");
    assert_eq!(
        (deliveries(&rows), rows[0].vendor_code),
        (vec![Delivery::NotDelivered], 50003)
    );
}

#[test]
fn a_fail_users_row_that_names_nobody_who_was_asked_for_leaves_the_others_unknown() {
    for list in [
        r#"[{"Code":50003},{"Uid":"a","Code":50003}]"#,
        r#"[{"Uid":"B","Code":50003},{"Uid":"a","Code":50003}]"#,
        r#"{"a":50003}"#,
    ] {
        let body = format!(r#"{{"Code":0,"Data":{{"FailUsers":{list}}}}}"#);
        let rows = read(Recipients::Names(&["a", "b"]), 200, body.as_bytes()).recipients;
        assert_eq!(rows[1].delivery, Delivery::Unknown, "{list}");
        assert_ne!(rows[0].delivery, Delivery::Accepted, "{list}");
    }
}

#[test]
fn a_part_that_fits_nobody_leaves_those_it_does_not_name_unknown() {
    let names = Recipients::Names(&["a", "b"]);
    let unknown = [Delivery::Unknown; 2];
    let a_failed = [Delivery::NotDelivered, Delivery::Unknown];
    for (answer, expected) in [
        (r#""Code":0,"Data":[]"#, unknown),
        (r#""Code":0,"Data":"a""#, unknown),
        (r#""Code":0,"data":{"FailUsers":[{"Uid":"a","Code":1}]}"#, unknown),
        (r#""Code":0,"Data":{},"Data":{}"#, unknown),
        (r#""Code":0,"Data":{"failUsers":[{"Uid":"a","Code":1}]}"#, unknown),
        (r#""Code":0,"Data":{"FailUsers":[],"FailUsers":[{"Uid":"a"}]}"#, unknown),
        (r#""Code":0,"Data":{"FailUsers":[{"uid":"a","Code":1}]}"#, unknown),
        (r#""Code":0,"Data":{"FailUsers":[{"Uid":"b","Uid":"a"}]}"#, unknown),
        (r#""Code":0,"Data":{"FailUsers":[{"Uid":"b","UserId":"a"}]}"#, unknown),
        (r#""Code":0,"Data":{"FailUsers":[{"Uid":"\ud800"}]}"#, unknown),
        (r#""Code":0,"Code":0"#, unknown),
        (r#""Code":0,"code":7"#, unknown),
        (r#""Code":0,"Data":{"FailUsers":[{"Uid":"a"},{"Uid":"B"}]}"#, a_failed),
        (r#""Code":7,"Data":{"FailUsers":[{"Uid":"a"},{"Uid":"B"}]}"#, a_failed),
        // A refusal of all that names some: the others may have got it.
        (r#""Code":7,"Data":{"FailUsers":[{"Uid":"a","Code":50003}]}"#, a_failed),
    ] {
        let outcome = read(names, 200, format!("{{{answer}}}").as_bytes());
        assert_eq!(deliveries(&outcome.recipients), expected, "{answer}");
        assert_eq!(outcome.request.delivery, Delivery::Unknown, "{answer}");
    }
    let throttled = r#"{"Code":7,"Data":{"FailUsers":[{"Uid":"a"},{"Uid":"b"}]}}"#;
    assert_eq!(
        verdict(names, 200, throttled),
        (Code::Throttled, Delivery::NotDelivered)
    );
}

#[test]
fn a_list_of_users_in_the_answer_to_a_room_leaves_the_room_unknown_and_a_raw_call_as_it_is() {
    let with = |code, list| format!(r#"{{"Code":{code},"Data":{{"FailUsers":{list}}}}}"#);
    for list in [r#"[{"Uid":"a","Code":50003}]"#, "{}", "[7]"] {
        for (code, expected) in [(0, Code::BadResponse), (7, Code::Throttled)] {
            let body = with(code, list);
            assert_eq!(
                verdict(Recipients::Everybody, 200, &body),
                (expected, Delivery::Unknown),
                "{body}"
            );
        }
        let call = read_call(200, with(0, list).as_bytes());
        assert_eq!((call.request.code, call.recipients.len()), (Code::Ok, 0), "{list}");
    }
    let empty = verdict(Recipients::Everybody, 200, &with(0, "[]"));
    assert_eq!(empty, (Code::Ok, Delivery::Accepted));
}

#[test]
fn a_failed_user_is_named_by_uid_or_user_id_and_coded_by_number_or_text() {
    for row in [
        r#"{"Uid":"a","Code":50003}"#,
        r#"{"UserId":"a","Code":"50003"}"#,
        r#"{"UserId":"a","Uid":"a","Code":50003,"Message":"\ud800"}"#,
    ] {
        let body = format!(r#"{{"Code":0,"Data":{{"FailUsers":[{row}]}}}}"#);
        let rows = read(Recipients::Names(&["a", "b"]), 200, body.as_bytes()).recipients;
        assert_eq!(deliveries(&rows), [Delivery::NotDelivered, Delivery::Accepted], "{row}");
        assert_eq!(rows[0].vendor_code, 50003, "{row}");
    }
}

#[test]
fn codes_say_what_became_of_the_command() {
    let one = Recipients::Names(&["a"]);
    let two = Recipients::Names(&["a", "b"]);
    for (recipients, code, expected) in [
        (one, 0, (Code::Ok, Delivery::Accepted)),
        (one, 1, (Code::VendorFault, Delivery::Unknown)),
        (one, 104, (Code::Undelivered, Delivery::NotDelivered)),
        (one, 7, (Code::Throttled, Delivery::NotDelivered)),
        (one, 50012, (Code::Rejected, Delivery::NotDelivered)),
        (one, 50013, (Code::VendorFault, Delivery::NotDelivered)),
        (two, 50013, (Code::VendorFault, Delivery::Unknown)),
        (Recipients::Everybody, 50013, (Code::VendorFault, Delivery::Unknown)),
        (one, 100000004, (Code::Clock, Delivery::NotDelivered)),
        (one, 100000005, (Code::Unauthenticated, Delivery::NotDelivered)),
        (one, 424242, (Code::VendorFault, Delivery::Unknown)),
    ] {
        let body = format!(r#"{{"Code":{code},"Message":"m","RequestId":"r"}}"#);
        assert_eq!(verdict(recipients, 200, &body), expected, "{code}");
    }
    assert_eq!(
        verdict(one, 400, r#"{"Code":424242}"#),
        (Code::Rejected, Delivery::NotDelivered)
    );
}

#[test]
fn those_named_in_a_failed_answer_did_not_get_it() {
    let body = br#"{"Code":50013,"Data":{"FailUsers":[{"Uid":"b","Code":50003}]}}"#;
    let rows = read(Recipients::Names(&["a", "b"]), 200, body).recipients;
    assert_eq!(deliveries(&rows), [Delivery::Unknown, Delivery::NotDelivered]);
}

#[test]
fn what_is_no_answer_of_the_vendor_is_judged_by_its_status() {
    for body in [
        "",
        "<html>",
        "{}",
        r#"{"Code":null}"#,
        r#"{"Code":1.5}"#,
        r#"{"Code":99999999999}"#,
    ] {
        assert_eq!(
            verdict(Recipients::Everybody, 200, body),
            (Code::BadResponse, Delivery::Unknown),
            "{body}"
        );
        assert_eq!(
            verdict(Recipients::Everybody, 502, body),
            (Code::BadResponse, Delivery::Unknown),
            "{body}"
        );
        assert_eq!(
            verdict(Recipients::Everybody, 403, body),
            (Code::Forbidden, Delivery::NotDelivered),
            "{body}"
        );
    }
    let ok_in_500 = verdict(Recipients::Everybody, 500, r#"{"Code":0}"#);
    assert_eq!(ok_in_500, (Code::BadResponse, Delivery::Unknown));
}

#[test]
fn a_user_named_by_a_number_too_large_to_be_exact_is_not_taken_for_another() {
    let body = br#"{"Code":0,"Data":{"FailUsers":[{"Uid":99999999999999999999,"Code":50003}]}}"#;
    let rows = read(Recipients::Names(&["99999999999999999999"]), 200, body).recipients;
    assert_eq!(deliveries(&rows), [Delivery::Unknown]);
}

#[test]
fn an_ordinary_answer_says_what_it_says_as_a_tree_of_values() {
    let pages = [
        include_str!("../../../tests/answers/zego-SendCustomCommand.json"),
        r#"{"Code":0,"Message":"success","RequestId":"1","Data":{"FailUsers":[]}}"#,
        r#"{"Code":50013,"Message":"m","Data":{"FailUsers":[{"Uid":"alice","Code":50003},{"Uid":"1111"},{"Code":7}]},"New":[{}]}"#,
        r#"{"Code":7,"Data":null}"#,
    ];
    fn asked_of(recipients: Recipients) -> Asked {
        Asked {
            recipients,
            is_call: false,
        }
    }
    let asked = [
        (Recipients::Names(&["alice", "1111", "bob"]), 200),
        (Recipients::Names(&["alice"]), 200),
        (Recipients::Everybody, 200),
        (Recipients::Names(&["alice", "bob"]), 500),
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

#[test]
fn a_success_with_a_status_that_is_none_and_an_unclear_code_settle_nothing_whatever_the_status() {
    let bodies = [
        r#"{"Code":0,"Message":"success"}"#,
        r#"{"Code":0,"Code":7}"#,
        r#"{"Code":7,"Code":7}"#,
        r#"{"Code":7,"code":1}"#,
        r#"{"code":7}"#,
    ];
    for status in [301, 400, 401, 403, 404, 408, 429, 499, 500, 502, 600] {
        for body in bodies {
            for to in [Recipients::Everybody, Recipients::Names(&["a", "b"])] {
                let outcome = read(to, status, body.as_bytes());
                let request = &outcome.request;
                assert_eq!(
                    (request.code, request.delivery),
                    (Code::BadResponse, Delivery::Unknown),
                    "{status} {body}"
                );
                assert!(outcome.recipients.iter().all(|row| row.delivery == Delivery::Unknown));
                assert!(!outcome.concerns_all);
            }
        }
    }
}

#[test]
fn a_code_that_no_table_knows_is_unknown_with_a_status_that_may_come_after_the_request_was_passed_on() {
    for status in [408, 409, 499] {
        for (code, expected) in [
            (424242, (Code::VendorFault, Delivery::Unknown)),
            (7, (Code::Throttled, Delivery::NotDelivered)),
            (50012, (Code::Rejected, Delivery::NotDelivered)),
        ] {
            let body = format!(r#"{{"Code":{code}}}"#);
            assert_eq!(
                verdict(Recipients::Everybody, status, &body),
                expected,
                "{status} {body}"
            );
        }
    }
}

#[test]
fn fail_users_beside_data_leave_those_without_a_row_unknown() {
    let names = Recipients::Names(&["a", "b"]);
    let row = r#"{"Uid":"a","Code":50003}"#;
    for rows in [
        format!(r#""FailUsers":[{row}]"#),
        format!(r#""failUsers":[{row}]"#),
        format!(r#""FailUsers":{row}"#),
    ] {
        let body = format!(r#"{{"Code":0,{rows}}}"#);
        let told = read(names, 200, body.as_bytes()).recipients;
        assert_eq!(deliveries(&told), [Delivery::Unknown; 2], "{body}");
        let to_room = verdict(Recipients::Everybody, 200, &body);
        assert_eq!(to_room, (Code::BadResponse, Delivery::Unknown), "{body}");
        assert_eq!(read_call(200, body.as_bytes()).request.code, Code::Ok, "{body}");
        let body = format!(r#"{{"Code":0,"Data":{{"FailUsers":[{row}]}},{rows}}}"#);
        let told = read(names, 200, body.as_bytes()).recipients;
        let expected = [Delivery::NotDelivered, Delivery::Unknown];
        assert_eq!(deliveries(&told), expected, "{body}");
    }
    for nothing in ["null", "[]", "{}"] {
        let body = format!(r#"{{"Code":0,"FailUsers":{nothing}}}"#);
        assert_eq!(verdict(names, 200, &body), (Code::Ok, Delivery::Accepted), "{body}");
    }
}
