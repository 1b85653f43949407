//! Bad answers: every row has the bytes of an answer on a real socket, and the only correct code and delivery.
//!
//! After its answer each row sends once more with the same client, which must still work. The second report must be that of the
//! second answer, and the peer counts requests, so that a replay or a redirect is found. The row also states whether the
//! client may reuse the connection: if the client does the opposite, the peer waits until the deadline and the row fails.

mod common;
#[path = "common/vendors.rs"]
mod vendors;

use std::io::{Read, Write};
use std::sync::mpsc::channel;

use common::{Peer, client, outcome, read_request, send};
use rtcmsg::{Code, Delivery, Report};
use vendors::{ACCEPTED, CUT, Outcome, REFUSED, UNREADABLE, VENDORS, Vendor, chunk, chunked, http};

const MIB: usize = 1024 * 1024;

/// How the peer treats the connection after the bad answer.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// The peer leaves it open, and the client may reuse it.
    Serve,
    /// The peer leaves it open, and the client must not reuse it.
    Wait,
    /// The peer closes it.
    Close,
}

struct Row {
    name: String,
    answer: Vec<u8>,
    then: Then,
    expected: Outcome,
}

fn row(name: impl Into<String>, answer: impl Into<Vec<u8>>, then: Then, expected: Outcome) -> Row {
    Row {
        name: name.into(),
        answer: answer.into(),
        then,
        expected,
    }
}

/// The success answer, padded with spaces to this length.
fn padded(success: &str, length: usize) -> String {
    format!("{success}{}", " ".repeat(length - success.len()))
}

/// Sends once to get the bad answer, and once more. Returns the differences from the row.
fn wrongs(vendor: &Vendor, row: Row) -> Vec<String> {
    let (seen, requests) = channel();
    let after = http("200 OK", "", &(vendor.success)("after"));
    let (answer, then) = (row.answer, row.then);
    let mut bad = Some(answer);
    let peer = Peer::new(if then == Then::Serve { 1 } else { 2 }, move |mut stream| {
        if let Some(bad) = bad.take() {
            seen.send(read_request(&mut stream)).expect("counted");
            // An error is ignored: the client may have closed the connection before it read all.
            let _ = stream.write_all(&bad);
            match then {
                Then::Serve => {}
                Then::Close => return,
                Then::Wait => {
                    // An error is also an end of the connection: the client closed it with unread bytes.
                    let mut rest = Vec::new();
                    let _ = stream.read_to_end(&mut rest);
                    if !rest.is_empty() {
                        seen.send("a request on the old connection".to_owned())
                            .expect("counted");
                    }
                    return;
                }
            }
        }
        seen.send(read_request(&mut stream)).expect("counted");
        stream.write_all(after.as_bytes()).expect("written");
    });
    let client = client(&peer.url);
    let first = send(&client, &vendor.message);
    let second = send(&client, &vendor.message);
    drop(client);
    if second.code() == Code::Ok {
        peer.join();
    }
    let count = requests.try_iter().count();
    let second_id = second.requests()[0].request_id.as_str();
    [
        (outcome(&first) != row.expected)
            .then(|| format!("{:?} for {:?}: {}", outcome(&first), row.expected, first.summary())),
        (outcome(&second) != ACCEPTED || second_id != "after").then(|| format!("the next send: {}", second.summary())),
        (count != 2).then(|| format!("{count} requests")),
    ]
    .into_iter()
    .flatten()
    .chain(contradictions(&first))
    .map(|wrong| format!("{}, {}: {wrong}", vendor.name, row.name))
    .collect()
}

/// The rules of consistency that a report breaks.
fn contradictions(report: &Report) -> Vec<String> {
    let (request, text) = (&report.requests()[0], report.summary());
    let rules = [
        ("one line", !text.contains(char::is_control)),
        ("one request", report.requests().len() == 1),
        ("one attempt", request.attempts.len() == 1),
        (
            "the code of its delivery",
            (report.code() == Code::Ok) == report.delivery().is_success(),
        ),
        (
            "recipients as the whole",
            report.recipients().iter().all(|r| r.delivery == report.delivery()),
        ),
    ];
    let broken = rules.into_iter().filter(|(_, holds)| !holds);
    broken.map(|(rule, _)| format!("not {rule}: {text:?}")).collect()
}

/// Checks the rows for both vendors, and prints how many there were.
fn hold(what: &str, rows: impl Fn(&Vendor) -> Vec<Row>) {
    let (mut count, mut all_wrongs) = (0, Vec::new());
    for vendor in &VENDORS {
        for row in rows(vendor) {
            all_wrongs.extend(wrongs(vendor, row));
            count += 1;
        }
    }
    println!("{what}: {count} rows");
    assert!(all_wrongs.is_empty(), "{}", all_wrongs.join("\n"));
}

#[test]
fn bodies_of_every_length_and_framing() {
    use Then::{Close, Serve, Wait};
    hold("framing", |vendor| {
        let ok = (vendor.success)("r");
        let half = &ok[..ok.len() / 2];
        let two_chunks = chunk(half) + &chunk(&ok[half.len()..]);
        let mib = padded(&ok, MIB);
        let huge = "9".repeat(40);
        #[rustfmt::skip]
        let rows = vec![
            row("success", http("200 OK", "", &ok), Serve, ACCEPTED),
            row("no body", http("200 OK", "", ""), Serve, UNREADABLE),
            row("1 MiB less one", http("200 OK", "", &padded(&ok, MIB - 1)), Serve, ACCEPTED),
            row("1 MiB", http("200 OK", "", &mib), Serve, ACCEPTED),
            row("1 MiB, ended by close", format!("HTTP/1.1 200 OK\r\n\r\n{mib}"), Close, ACCEPTED),
            row("1 MiB, one chunk", chunked(&(chunk(&mib) + "0\r\n\r\n")), Serve, ACCEPTED),
            row("1 MiB and one", http("200 OK", "", &padded(&ok, MIB + 1)), Wait, UNREADABLE),
            row("2 MiB", http("200 OK", "", &padded(&ok, 2 * MIB)), Wait, UNREADABLE),
            row("2 MiB of a 404", http("404 Not Found", "", &padded("", 2 * MIB)), Wait, REFUSED),
            row("2 MiB of a 500", http("500 Oops", "", &padded("", 2 * MIB)), Wait, UNREADABLE),
            row("2 MiB, ended by close", format!("HTTP/1.1 200 OK\r\n\r\n{}", padded(&ok, 2 * MIB)), Close, UNREADABLE),
            row("2 MiB, chunked", chunked(&(chunk(&padded(&ok, 2 * MIB)) + "0\r\n\r\n")), Wait, UNREADABLE),
            row("no length, ended by close", format!("HTTP/1.1 200 OK\r\n\r\n{ok}"), Close, ACCEPTED),
            row("no length, cut", format!("HTTP/1.1 200 OK\r\n\r\n{half}"), Close, UNREADABLE),
            row("no length, nothing", "HTTP/1.1 200 OK\r\n\r\n", Close, UNREADABLE),
            row("no length, a cut 404", "HTTP/1.1 404 Not Found\r\n\r\n<ht", Close, REFUSED),
            row("HTTP/1.0", format!("HTTP/1.0 200 OK\r\n\r\n{ok}"), Close, ACCEPTED),
            row("HTTP/1.0 with a length, kept", format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{ok}", ok.len()), Wait, ACCEPTED),
            row("Connection: close", http("200 OK", "Connection: close\r\n", &ok), Wait, ACCEPTED),
            row("too short a length", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{ok}", half.len()), Wait, UNREADABLE),
            row("too long a length", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{ok}", ok.len() + 1), Close, CUT),
            row("too long a length of a 400", "HTTP/1.1 400 Bad\r\nContent-Length: 9\r\n\r\n{}", Close, REFUSED),
            row("too long a length of a 500", "HTTP/1.1 500 Bad\r\nContent-Length: 9\r\n\r\n{}", Close, CUT),
            row("a length of nothing, with a body", format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n{ok}"), Wait, UNREADABLE),
            row("a length beyond 64 bits", format!("HTTP/1.1 200 OK\r\nContent-Length: {huge}\r\n\r\n{ok}"), Wait, UNREADABLE),
            row("a negative length", format!("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{ok}"), Wait, UNREADABLE),
            row("a length that is a word", format!("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{ok}"), Wait, UNREADABLE),
            row("chunked", chunked(&(two_chunks.clone() + "0\r\n\r\n")), Serve, ACCEPTED),
            row("chunked by the byte", chunked(&(ok.chars().map(|c| chunk(&c.to_string())).collect::<String>() + "0\r\n\r\n")), Serve, ACCEPTED),
            row("chunked with an extension", chunked(&format!("{:x};a=b\r\n{ok}\r\n0\r\n\r\n", ok.len())), Serve, ACCEPTED),
            row("chunked, nothing in it", chunked("0\r\n\r\n"), Serve, UNREADABLE),
            row("chunked, no last chunk", chunked(&two_chunks), Close, CUT),
            row("chunked, cut in a chunk", chunked(&format!("{:x}\r\n{half}", ok.len())), Close, CUT),
            row("chunked, cut in a size", chunked(&format!("{}1", chunk(half))), Close, CUT),
            row("chunked, a size of no hex", chunked(&format!("zz\r\n{ok}\r\n0\r\n\r\n")), Wait, UNREADABLE),
            row("chunked, a negative size", chunked(&format!("-5\r\n{ok}\r\n0\r\n\r\n")), Wait, UNREADABLE),
            row("chunked, a size beyond 64 bits", chunked(&format!("{}\r\n{ok}\r\n0\r\n\r\n", "f".repeat(20))), Wait, UNREADABLE),
            row("chunked, no size", chunked(&format!("\r\n{ok}\r\n0\r\n\r\n")), Wait, UNREADABLE),
            row("chunked, a chunk longer than its size", chunked(&format!("2\r\n{ok}\r\n0\r\n\r\n")), Wait, UNREADABLE),
            row("cut in the middle", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{half}", ok.len()), Close, CUT),
            row("cut before the body", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", ok.len()), Close, CUT),
            row("cut in the head", "HTTP/1.1 200 OK\r\nContent-Le", Close, CUT),
            row("cut in the status line", "HTTP/1", Close, CUT),
            row("nothing at all", "", Close, CUT),
        ];
        rows
    });
}

#[test]
fn heads_of_every_kind() {
    use Then::{Close, Serve, Wait};
    hold("heads", |vendor| {
        let ok = (vendor.success)("r");
        let good = http("200 OK", "", &ok);
        let with = |headers: &str| http("200 OK", headers, &ok);
        let hundred_kib = "x".repeat(100 * 1024);
        let lines = |count: usize| (0..count).map(|n| format!("X-{n}: y\r\n")).collect::<String>();
        #[rustfmt::skip]
        let mut rows = vec![
            row("100 Continue first", format!("HTTP/1.1 100 Continue\r\n\r\n{good}"), Serve, ACCEPTED),
            row("102 Processing first", format!("HTTP/1.1 102 Processing\r\n\r\n{good}"), Serve, ACCEPTED),
            row("103 Early Hints first", format!("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n{good}"), Serve, ACCEPTED),
            row("all three first", format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n{good}"), Serve, ACCEPTED),
            row("a hundred 102s first", format!("{}{good}", "HTTP/1.1 102 Processing\r\n\r\n".repeat(100)), Serve, ACCEPTED),
            row("a 103 with a length first", format!("HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n{good}"), Serve, ACCEPTED),
            row("100 Continue, then the end", "HTTP/1.1 100 Continue\r\n\r\n", Close, CUT),
            row("103, then the end", "HTTP/1.1 103 Early Hints\r\n\r\n", Close, CUT),
            row("101 Switching Protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", Wait, UNREADABLE),
            row("204", "HTTP/1.1 204 No Content\r\n\r\n", Serve, UNREADABLE),
            row("205", http("205 Reset Content", "", ""), Serve, UNREADABLE),
            row("201 with a success", http("201 Created", "", &ok), Serve, ACCEPTED),
            row("299 with a success", http("299 Whatever", "", &ok), Serve, ACCEPTED),
            row("304", "HTTP/1.1 304 Not Modified\r\n\r\n", Serve, REFUSED),
            row("status 600", http("600 More", "", &ok), Serve, UNREADABLE),
            row("status 999", http("999 Most", "", ""), Serve, UNREADABLE),
            row("status 0", http("000 None", "", &ok), Wait, UNREADABLE),
            row("status of two digits", http("20 OK", "", &ok), Wait, UNREADABLE),
            row("status of four digits", http("2000 OK", "", &ok), Wait, UNREADABLE),
            row("status that is a word", http("OK", "", &ok), Wait, UNREADABLE),
            row("another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", Wait, UNREADABLE),
            row("HTTP/0.9", ok.clone(), Wait, UNREADABLE),
            row("HTTP/2 preface", "HTTP/2 200\r\n\r\n", Wait, UNREADABLE),
            row("an alert of TLS", [0x15, 3, 1, 0, 2, 2, 40].as_slice(), Close, UNREADABLE),
            row("bytes of no text", [0xFF; 200].as_slice(), Wait, UNREADABLE),
            row("a NUL in the head", with("X: a\0b\r\n"), Wait, UNREADABLE),
            row("a header without a colon", with("nonsense\r\n"), Wait, UNREADABLE),
            row("a header of bytes beyond ASCII", with("X: é你\r\n"), Serve, ACCEPTED),
            row("an empty header", with("X:\r\n"), Serve, ACCEPTED),
            row("line feeds alone", format!("HTTP/1.1 200 OK\nContent-Length: {}\n\n{ok}", ok.len()), Serve, ACCEPTED),
            row("60 headers", with(&lines(60)), Serve, ACCEPTED),
            row("5,000 headers", with(&lines(5000)), Wait, UNREADABLE),
            row("a header of 8 KiB", with(&format!("X: {}\r\n", &hundred_kib[..8 * 1024])), Serve, ACCEPTED),
            row("a header of 100 KiB", with(&format!("X: {hundred_kib}\r\n")), Wait, UNREADABLE),
            row("a header of 100 KiB on a 404", http("404 No", &format!("X: {hundred_kib}\r\n"), ""), Wait, UNREADABLE),
            row("a header that never ends", format!("HTTP/1.1 200 OK\r\nX: {hundred_kib}"), Close, UNREADABLE),
            row("a reason of 100 KiB", http(&format!("200 {hundred_kib}"), "", &ok), Wait, UNREADABLE),
            row("an odd Retry-After", http("429 Slow", "Retry-After: -1\r\n", ""), Serve, (Code::Throttled, Delivery::NotDelivered)),
            row("said to be gzip", with("Content-Encoding: gzip\r\n"), Serve, ACCEPTED),
            row("said to be of no charset", with("Content-Type: text/plain; charset=utf-16\r\n"), Serve, ACCEPTED),
            row("a byte order mark", http("200 OK", "", &format!("\u{FEFF}{ok}")), Serve, ACCEPTED),
        ];
        for status in [301, 302, 303, 307, 308] {
            for (what, location) in [("here", "/"), ("elsewhere", "http://127.0.0.1:1/"), ("nowhere", "::")] {
                let head = format!("{status} Moved");
                let location = format!("Location: {location}\r\n");
                rows.push(row(
                    format!("{status} to {what}"),
                    http(&head, &location, ""),
                    Serve,
                    REFUSED,
                ));
                rows.push(row(
                    format!("{status} to {what} with a success"),
                    http(&head, &location, &ok),
                    Serve,
                    UNREADABLE,
                ));
            }
            rows.push(row(
                format!("{status} to nothing"),
                http(&format!("{status} Moved"), "", ""),
                Serve,
                REFUSED,
            ));
        }
        rows
    });
}

/// The expected outcome by HTTP status, for an answer that is not JSON, and for an error with an unknown code (VENDORS.md).
fn by_status(status: u16, of_an_error: bool) -> Outcome {
    match status {
        401 => (Code::Unauthenticated, Delivery::NotDelivered),
        403 => (Code::Forbidden, Delivery::NotDelivered),
        429 => (Code::Throttled, Delivery::NotDelivered),
        // A proxy may have forwarded the request before it answered.
        408 | 409 | 499 if !of_an_error => UNREADABLE,
        408 | 409 | 499 => (Code::VendorFault, Delivery::Unknown),
        400..=499 => REFUSED,
        _ if of_an_error => (Code::VendorFault, Delivery::Unknown),
        _ => UNREADABLE,
    }
}

#[test]
fn every_status_from_400_to_599_with_json_html_and_nothing() {
    let html = "<html><head><title>Error</title></head><body>nginx</body></html>";
    let mut count = 0;
    for vendor in VENDORS {
        let success = (vendor.success)("r");
        let mut rows = Vec::new();
        for status in 400..=599 {
            rows.push((status, vendor.unknown_error, by_status(status, true)));
            rows.push((status, vendor.throttled, (Code::Throttled, Delivery::NotDelivered)));
            rows.push((status, success.as_str(), UNREADABLE));
            for unreadable in [html, "", "{}", "null", "{\"Code\":"] {
                rows.push((status, unreadable, by_status(status, false)));
            }
        }
        count += rows.len();
        let answers: Vec<String> = rows
            .iter()
            .map(|(status, body, _)| http(&format!("{status} No"), "Content-Type: text/html\r\n", body))
            .collect();
        let peer = Peer::new(1, move |mut stream| {
            for answer in &answers {
                read_request(&mut stream);
                stream.write_all(answer.as_bytes()).expect("written");
            }
        });
        let client = client(&peer.url);
        for (status, body, expected) in rows {
            let report = send(&client, &vendor.message);
            assert_eq!(outcome(&report), expected, "{status} {body}: {}", report.summary());
            assert_eq!(report.requests()[0].http_status, status);
            assert_eq!(contradictions(&report), [""; 0], "{status} {body}");
        }
        peer.join();
    }
    println!("statuses: {count} rows");
}
