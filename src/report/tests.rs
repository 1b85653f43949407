use super::*;

fn accepted() -> Request {
    Request::failed(Code::Ok, Delivery::Accepted, 200, String::new())
}

fn report(rows: &[(Delivery, Code)]) -> Report {
    let row = |(index, (delivery, code)): (usize, &(Delivery, Code))| {
        Recipient::new(User::Name(format!("u{index}").as_str().into()), *delivery, *code)
    };
    let rows = rows.iter().enumerate().map(row).collect();
    Report::merged("SendCustomCommand", vec![Outcome::new(accepted(), rows)])
}

const OK: (Delivery, Code) = (Delivery::Accepted, Code::Ok);
const HAS_IT: (Delivery, Code) = (Delivery::Delivered, Code::Ok);
const OFFLINE: (Delivery, Code) = (Delivery::NotDelivered, Code::Undelivered);
const UNCLEAR: (Delivery, Code) = (Delivery::Unknown, Code::BadResponse);
const UNSENT: (Delivery, Code) = (Delivery::NotSent, Code::Connect);

#[test]
fn the_whole_is_as_certain_as_its_least_certain_part() {
    for (rows, delivery, code) in [
        (&[][..], Delivery::Accepted, Code::Ok),
        (&[HAS_IT, HAS_IT], Delivery::Delivered, Code::Ok),
        (&[HAS_IT, OK], Delivery::Accepted, Code::Ok),
        (&[HAS_IT, OFFLINE], Delivery::NotDelivered, Code::Partial),
        (&[OFFLINE, OFFLINE], Delivery::NotDelivered, Code::Undelivered),
        (&[OFFLINE, UNSENT], Delivery::NotSent, Code::Undelivered),
        (&[OFFLINE, UNCLEAR, OK], Delivery::Unknown, Code::Partial),
        (&[UNSENT, UNSENT], Delivery::NotSent, Code::Connect),
        (&[UNCLEAR], Delivery::Unknown, Code::BadResponse),
    ] {
        let report = report(rows);
        assert_eq!((report.delivery(), report.code()), (delivery, code), "{rows:?}");
        assert_eq!(report.error().is_some(), code != Code::Ok);
    }
}

#[test]
fn the_text_is_one_line_with_the_counts_and_the_vendors_words() {
    let mut request = accepted();
    request.request_id = "r1".to_owned();
    let rows = vec![
        Recipient::new(User::Name("a".into()), OK.0, OK.1),
        Recipient::new(User::Name("b".into()), OFFLINE.0, OFFLINE.1),
    ];
    let text = Report::merged("SendCustomCommand", vec![Outcome::new(request, rows)]).text();
    let expected =
        "SendCustomCommand: RTCMSG_ERR_PARTIAL, not delivered (1 accepted, 1 not delivered); HTTP 200; request r1";
    assert_eq!(text, expected);

    let mut refused = Request::failed(
        Code::Throttled,
        Delivery::NotDelivered,
        429,
        "Volcengine refused".to_owned(),
    );
    refused.vendor_error = "FlowLimitExceeded.QPSOverLimit".to_owned();
    refused.vendor_message = "too many\nrequests".into();
    let text = Report::merged("SendUnicast", vec![Outcome::new(refused, Vec::new())]).text();
    assert!(
        text.contains("FlowLimitExceeded.QPSOverLimit: too many requests"),
        "{text}"
    );
    assert!(!text.contains('\n'));
}

#[test]
fn parts_become_one_report_in_their_order() {
    let row = |name: &str, (delivery, code)| Recipient::new(User::Name(name.into()), delivery, code);
    let first = Outcome::new(accepted(), vec![row("a", OK), row("b", OFFLINE)]);
    let unsent = Request::failed(Code::Connect, Delivery::NotSent, 0, "nobody listens".to_owned());
    let second = Outcome::new(unsent, vec![row("c", UNSENT)]);
    let report = Report::merged("SendCustomCommand", vec![first, second]);
    assert_eq!((report.code(), report.delivery()), (Code::Partial, Delivery::NotSent));
    let requests: Vec<_> = report.recipients().iter().map(|recipient| recipient.request).collect();
    assert_eq!((requests, report.requests().len()), (vec![0, 0, 1], 2));
    let text = report.text();
    assert!(text.contains("2 requests, 1 of them failed; nobody listens"), "{text}");
}

#[test]
fn counts_are_by_delivery() {
    let report = report(&[OK, OK, OFFLINE]);
    assert_eq!(
        (report.count(Delivery::Accepted), report.count(Delivery::NotDelivered)),
        (2, 1)
    );
    assert_eq!(report.count(Delivery::Delivered), 0);
}

#[test]
fn the_text_stays_one_line_whatever_the_vendor_says() {
    let mut refused = Request::failed(Code::Rejected, Delivery::NotDelivered, 400, "refused: a\nb".to_owned());
    refused.request_id = "r\nINFO forged\u{1b}[2J".to_owned();
    refused.vendor_error = "Never\r\nSeen\u{85}".to_owned();
    refused.vendor_message = "a\nb".into();
    let text = Report::merged("SendUnicast", vec![Outcome::new(refused, Vec::new())]).text();
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(text.ends_with("request r INFO forged [2J"), "{text}");
}

#[test]
fn those_without_a_row_count_as_the_request_says() {
    let to_all = |request: Request, rows: &[(Delivery, Code)]| {
        let rows = rows.iter().enumerate();
        let rows = rows.map(|(index, (delivery, code))| Recipient::new(User::Id(index as i64), *delivery, *code));
        let outcome = Outcome {
            has_others: true,
            ..Outcome::new(request, rows.collect())
        };
        let report = Report::merged("P2PSendMessage", [outcome]);
        (report.code(), report.delivery())
    };
    let unclear = || Request::failed(Code::BadResponse, Delivery::Unknown, 200, String::new());
    for (request, rows, expected) in [
        (accepted(), &[][..], (Code::Ok, Delivery::Accepted)),
        (accepted(), &[HAS_IT], (Code::Ok, Delivery::Accepted)),
        (accepted(), &[OFFLINE, OFFLINE], (Code::Partial, Delivery::NotDelivered)),
        (accepted(), &[HAS_IT, OFFLINE], (Code::Partial, Delivery::NotDelivered)),
        (accepted(), &[UNCLEAR, OFFLINE], (Code::Partial, Delivery::Unknown)),
        (unclear(), &[HAS_IT], (Code::Partial, Delivery::Unknown)),
        (unclear(), &[UNCLEAR], (Code::BadResponse, Delivery::Unknown)),
    ] {
        assert_eq!(to_all(request, rows), expected, "{rows:?}");
    }
}
