//! What is retried, what is not, and what the report shows. The peers answer from a script.

mod common;

use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use common::{COMMAND, Peer, UNICAST, answer, client_with, outcome, read_request, send};
use rtcmsg::{Client, Code, Delivery, Report, SendOptions, SendTimeout};

const SUCCESS: &str = r#"{"ResponseMetadata":{"RequestId":"r"},"Result":{"Message":"Success"}}"#;
const ACCEPTED: &str = r#"{"Code":0,"Message":"success","RequestId":"r"}"#;

fn vendor_error(code: &str) -> String {
    ok(&format!(
        r#"{{"ResponseMetadata":{{"RequestId":"r","Error":{{"Code":"{code}","Message":"m"}}}}}}"#
    ))
}

fn ok(body: &str) -> String {
    status("200 OK", "", body)
}

fn status(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// The peer cuts the connection after it has read the request.
const CUT: &str = "";

/// A peer that answers one request after another from the script, each on its own connection.
fn scripted(script: Vec<String>) -> Peer {
    let mut answers = script.into_iter();
    Peer::new(answers.len(), move |mut stream| {
        match answers.next().expect("a line of the script") {
            cut if cut == CUT => drop(read_request(&mut stream)),
            bytes => answer(&mut stream, &bytes),
        }
    })
}

fn retrying(url: &str, settings: &[(&str, &str)]) -> Client {
    let mut all = vec![
        ("retry.max_attempts", "3"),
        ("retry.backoff_ms", "1"),
        ("retry.backoff_max_ms", "1"),
    ];
    all.extend(settings);
    client_with(url, &all)
}

/// The codes of the attempts of the only request.
fn attempts(report: &Report) -> Vec<(Code, Delivery)> {
    let [request] = report.requests() else {
        panic!("one request: {}", report.summary())
    };
    request
        .attempts
        .iter()
        .map(|attempt| (attempt.code, attempt.delivery))
        .collect()
}

#[test]
fn a_message_that_the_vendor_did_not_process_is_retried_until_it_does() {
    let peer = scripted(vec![
        vendor_error("FlowLimitExceeded.QPSOverLimit"),
        vendor_error("ServiceUnavailableTemp"),
        ok(SUCCESS),
    ]);
    let report = send(&retrying(&peer.url, &[]), &UNICAST);
    assert_eq!(outcome(&report), (Code::Ok, Delivery::Accepted), "{}", report.summary());
    assert_eq!(
        attempts(&report),
        [
            (Code::Throttled, Delivery::NotDelivered),
            (Code::VendorFault, Delivery::NotDelivered),
            (Code::Ok, Delivery::Accepted)
        ]
    );
    assert!(report.summary().contains("3 attempts"));
    peer.join();
}

#[test]
fn every_attempt_has_a_new_signature() {
    let (seen, requests) = std::sync::mpsc::channel();
    let mut answers = [ok(r#"{"Code":7}"#), ok(ACCEPTED)].into_iter();
    let peer = Peer::new(2, move |mut stream| {
        use std::io::Write;
        seen.send(read_request(&mut stream)).unwrap();
        stream.write_all(answers.next().unwrap().as_bytes()).unwrap();
    });
    assert_eq!(send(&retrying(&peer.url, &[]), &COMMAND).code(), Code::Ok);
    let nonce = |request: String| {
        let rest = request.split("SignatureNonce=").nth(1).expect("a nonce").to_owned();
        rest.split('&').next().expect("a nonce").to_owned()
    };
    assert_ne!(nonce(requests.recv().unwrap()), nonce(requests.recv().unwrap()));
    peer.join();
}

#[test]
fn a_refusal_and_an_unknown_outcome_are_not_retried() {
    for (line, expected) in [
        (
            vendor_error("InvalidParameter.IllegalTo"),
            (Code::Rejected, Delivery::NotDelivered),
        ),
        (
            vendor_error("InternalError.Whatever"),
            (Code::VendorFault, Delivery::Unknown),
        ),
        (
            status("502 Bad Gateway", "", "<html>"),
            (Code::BadResponse, Delivery::Unknown),
        ),
        (CUT.to_owned(), (Code::Disconnected, Delivery::Unknown)),
    ] {
        let peer = scripted(vec![line]);
        let report = send(&retrying(&peer.url, &[]), &UNICAST);
        assert_eq!(outcome(&report), expected, "{}", report.summary());
        assert_eq!(attempts(&report), [expected]);
        peer.join();
    }
}

#[test]
fn an_unknown_outcome_is_retried_only_if_configured_and_only_success_settles_it() {
    let bold = [("retry.on_unknown", "true")];
    for (script, expected) in [
        (vec![CUT.to_owned(), ok(SUCCESS)], (Code::Ok, Delivery::Accepted)),
        (
            vec![CUT.to_owned(), vendor_error("InvalidParameter.IllegalTo")],
            (Code::Disconnected, Delivery::Unknown),
        ),
        (
            vec![CUT.to_owned(), CUT.to_owned(), CUT.to_owned()],
            (Code::Disconnected, Delivery::Unknown),
        ),
    ] {
        let peer = scripted(script);
        let report = send(&retrying(&peer.url, &bold), &UNICAST);
        assert_eq!(outcome(&report), expected, "{}", report.summary());
        peer.join();
    }
}

#[test]
fn a_message_that_the_vendor_refused_is_not_reported_as_unsent_if_the_retry_cannot_connect() {
    // The peer accepts one connection and then stops listening.
    let peer = scripted(vec![vendor_error("ServiceUnavailableTemp")]);
    let report = send(&retrying(&peer.url, &[]), &UNICAST);
    assert_eq!(
        outcome(&report),
        (Code::VendorFault, Delivery::NotDelivered),
        "{}",
        report.summary()
    );
    let first = attempts(&report)[0];
    assert_eq!(first, (Code::VendorFault, Delivery::NotDelivered));
    peer.join();
}

#[test]
fn there_are_at_most_as_many_attempts_as_configured() {
    for (most, tries) in [("1", 1), ("3", 3)] {
        let peer = scripted(vec![vendor_error("ServiceUnavailableTemp"); tries]);
        let report = send(&retrying(&peer.url, &[("retry.max_attempts", most)]), &UNICAST);
        assert_eq!(outcome(&report), (Code::VendorFault, Delivery::NotDelivered));
        assert_eq!(attempts(&report).len(), tries);
        peer.join();
    }
}

#[test]
fn a_retry_whose_pause_would_end_after_the_deadline_is_not_made() {
    let asked_to_wait = status("429 Too Many Requests", "Retry-After: 3600\r\n", "");
    let peer = scripted(vec![asked_to_wait]);
    let report = send(&retrying(&peer.url, &[]), &UNICAST);
    assert_eq!(outcome(&report), (Code::Throttled, Delivery::NotDelivered));
    assert_eq!(
        (attempts(&report).len(), report.requests()[0].retry_after_ms),
        (1, 3_600_000)
    );
    peer.join();
}

#[test]
fn a_client_without_retry_budget_makes_no_more_retries() {
    // The budget starts with 20 retries: two for each of the first ten messages, none for the eleventh.
    let peer = scripted(vec![vendor_error("ServiceUnavailableTemp"); 31]);
    let client = retrying(&peer.url, &[("retry.budget_percent", "0")]);
    let tries: Vec<usize> = (0..11).map(|_| attempts(&send(&client, &UNICAST)).len()).collect();
    assert_eq!(tries, [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 1]);
    peer.join();
}

#[test]
fn a_wrong_clock_is_corrected_once_by_the_vendors_date_for_all_later_messages() {
    let ahead = SystemTime::now() + Duration::from_secs(5000);
    let date = format!("Date: {}\r\n", httpdate::fmt_http_date(ahead));
    let refused = r#"{"ResponseMetadata":{"RequestId":"r","Error":{"Code":"InvalidTimestamp","Message":"m"}}}"#;
    let (seen, requests) = std::sync::mpsc::channel();
    let mut answers = [status("400 Bad Request", &date, refused), ok(SUCCESS), ok(SUCCESS)].into_iter();
    let peer = Peer::new(3, move |mut stream| {
        use std::io::Write;
        seen.send(read_request(&mut stream)).unwrap();
        stream.write_all(answers.next().unwrap().as_bytes()).unwrap();
    });
    let client = retrying(&peer.url, &[]);
    let report = send(&client, &UNICAST);
    assert_eq!(outcome(&report), (Code::Ok, Delivery::Accepted), "{}", report.summary());
    assert_eq!(
        attempts(&report),
        [(Code::Clock, Delivery::NotDelivered), (Code::Ok, Delivery::Accepted)]
    );
    assert_eq!(attempts(&send(&client, &UNICAST)).len(), 1);
    let dates: Vec<String> = requests.iter().map(|request| x_date(&request)).collect();
    assert!(dates[1] > dates[0] && dates[2] >= dates[1], "{dates:?}");
    peer.join();
}

fn x_date(request: &str) -> String {
    let line = request
        .lines()
        .find_map(|line| line.strip_prefix("x-date: "))
        .expect("X-Date");
    line.trim().to_owned()
}

#[test]
fn a_vendors_date_that_is_missing_or_more_than_a_day_off_is_not_used() {
    let refused = r#"{"Code":100000004,"Message":"expired"}"#;
    let next_week = SystemTime::now() + Duration::from_secs(7 * 86_400);
    let date = format!("Date: {}\r\n", httpdate::fmt_http_date(next_week));
    for headers in ["", date.as_str()] {
        let peer = scripted(vec![status("200 OK", headers, refused)]);
        let report = send(&retrying(&peer.url, &[]), &COMMAND);
        assert_eq!(
            outcome(&report),
            (Code::Clock, Delivery::NotDelivered),
            "{}",
            report.summary()
        );
        assert_eq!(attempts(&report).len(), 1);
        peer.join();
    }
}

/// An address at which no program listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn the_next_endpoint_is_tried_if_nothing_was_sent_and_the_one_that_works_is_remembered() {
    let peer = scripted(vec![ok(ACCEPTED), ok(ACCEPTED)]);
    let list = format!("{},{}", nobody(), peer.url);
    let client = client_with("http://127.0.0.1:1", &[("zego.endpoint", &list)]);
    let report = send(&client, &COMMAND);
    assert_eq!(
        attempts(&report),
        [(Code::Connect, Delivery::NotSent), (Code::Ok, Delivery::Accepted)]
    );
    assert_eq!(attempts(&send(&client, &COMMAND)), [(Code::Ok, Delivery::Accepted)]);
    peer.join();
}

#[test]
fn the_next_endpoint_is_not_tried_after_anything_was_sent() {
    let cutting = scripted(vec![CUT.to_owned()]);
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    let list = format!("{},http://{}", cutting.url, unused.local_addr().unwrap());
    let report = send(
        &client_with("http://127.0.0.1:1", &[("zego.endpoint", &list)]),
        &COMMAND,
    );
    assert_eq!(outcome(&report), (Code::Disconnected, Delivery::Unknown));
    unused.set_nonblocking(true).unwrap();
    assert!(unused.accept().is_err(), "the second endpoint was left alone");
    cutting.join();
}

#[test]
fn each_volcengine_endpoint_is_signed_for_its_own_region() {
    let (seen, requests) = std::sync::mpsc::channel();
    let peer = Peer::new(1, move |mut stream| {
        use std::io::Write;
        seen.send(read_request(&mut stream)).unwrap();
        stream.write_all(ok(SUCCESS).as_bytes()).unwrap();
    });
    let list = format!("{}@cn-north-1,{}@ap-singapore-1", nobody(), peer.url);
    let report = send(
        &client_with("http://127.0.0.1:1", &[("volcengine.endpoint", &list)]),
        &UNICAST,
    );
    assert_eq!(report.code(), Code::Ok, "{}", report.summary());
    assert!(requests.recv().unwrap().contains("/ap-singapore-1/rtc/request"));
    peer.join();

    let mut config = common::config("http://127.0.0.1:1");
    config
        .set("volcengine.endpoint", "https://a.example@cn-north-1,https://b.example")
        .unwrap();
    let error = Client::new(&config).unwrap_err();
    assert!(error.message.contains("https://b.example"), "{error}");
}

#[test]
fn close_ends_a_pause_between_attempts() {
    let (answered, wait) = std::sync::mpsc::channel();
    let peer = Peer::new(1, move |mut stream| {
        answer(
            &mut stream,
            &status("429 Too Many Requests", "Retry-After: 600\r\n", ""),
        );
        let _ = stream.read(&mut [0; 1]);
        answered.send(()).unwrap();
    });
    let client = retrying(&peer.url, &[]);
    let options = SendOptions {
        timeout: SendTimeout::Never,
        ..SendOptions::default()
    };
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| client.send(&UNICAST, &options).unwrap());
        wait.recv().unwrap();
        client.close(Some(Duration::ZERO));
        let report = sending.join().unwrap();
        assert_eq!(outcome(&report), (Code::Throttled, Delivery::NotDelivered));
    });
    peer.join();
}
