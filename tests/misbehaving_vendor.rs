//! Answers that do not belong to the request: unrequested bytes, endless answers, answers that arrive byte by byte, and
//! connections that end without a TLS close_notify.

mod common;
#[path = "common/vendors.rs"]
mod vendors;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use common::{Peer, UNICAST, answer, client, client_with, outcome, read_request, send};
use rtcmsg::{Code, Delivery, SendOptions, SendTimeout};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, HandshakeKind, ServerConfig, ServerConnection, StreamOwned};
use vendors::{ACCEPTED, CUT, UNREADABLE, VENDORS, Vendor, chunk, chunked, fresh, http, outcome_and_request_id, stale};

#[test]
fn bytes_after_an_answer_are_never_the_answer_to_the_next_request() {
    for vendor in VENDORS {
        for extra in [
            stale(&vendor),
            "x".to_owned(),
            "\r\n".to_owned(),
            stale(&vendor).repeat(500),
        ] {
            // The extra bytes are in one write with the answer, or are written after the client has its answer.
            for at_once in [true, false] {
                let (go, wait): (Sender<()>, Receiver<()>) = channel();
                let (done, written) = channel();
                let (first, behind, second) = (fresh(&vendor), extra.clone(), fresh(&vendor));
                let mut is_first = true;
                let peer = Peer::new(2, move |mut stream| {
                    stream.set_nodelay(true).expect("set");
                    read_request(&mut stream);
                    if !std::mem::take(&mut is_first) {
                        return stream.write_all(second.as_bytes()).expect("written");
                    }
                    if at_once {
                        stream.write_all((first.clone() + &behind).as_bytes()).expect("written");
                        wait.recv().expect("told to go on");
                    } else {
                        stream.write_all(first.as_bytes()).expect("written");
                        wait.recv().expect("told to go on");
                        stream.write_all(behind.as_bytes()).expect("written");
                    }
                    done.send(()).expect("heard");
                    let mut rest = Vec::new();
                    let _ = stream.read_to_end(&mut rest);
                    assert!(rest.is_empty(), "a request on a connection that is out of step");
                });
                let client = client(&peer.url);
                for _ in 0..2 {
                    let report = send(&client, &vendor.message);
                    assert_eq!(
                        outcome_and_request_id(&report),
                        (ACCEPTED, "fresh"),
                        "{}: {}",
                        vendor.name,
                        report.summary()
                    );
                    if go.send(()).is_ok() {
                        let _ = written.recv();
                    }
                }
                drop(client);
                peer.join();
            }
        }
    }
}

#[test]
fn nothing_is_sent_on_a_new_connection_that_already_has_bytes() {
    for vendor in VENDORS {
        // In a tunnel a test can be sure that the bytes arrive first, because they arrive with the proxy's answer to CONNECT.
        let early = format!("HTTP/1.1 200 Connection established\r\n\r\n{}", stale(&vendor));
        let peer = Peer::new(1, move |mut stream| {
            read_request(&mut stream);
            stream.write_all(early.as_bytes()).expect("written");
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
            assert!(rest.is_empty(), "a request behind an answer that was there before");
        });
        let vendor_url = "http://127.0.0.1:1";
        let client = client_with(vendor_url, &[("http.proxy", &peer.url)]);
        let report = send(&client, &vendor.message);
        let expected = (Code::Connect, Delivery::NotSent);
        assert_eq!(outcome(&report), expected, "{}: {}", vendor.name, report.summary());
        drop(client);
        peer.join();
    }
}

/// Whatever part of an endless answer repeats, the call ends at the deadline at the latest.
#[test]
fn a_call_with_an_endless_answer_ends_by_the_deadline() {
    let head = "HTTP/1.1 200 OK\r\n";
    let body = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let late = (Code::Timeout, Delivery::Unknown);
    #[rustfmt::skip]
    let rows = [
        ("100 Continue", "", "HTTP/1.1 100 Continue\r\n\r\n", late),
        ("102 Processing", "", "HTTP/1.1 102 Processing\r\n\r\n", late),
        ("103 Early Hints", "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", late),
        ("empty lines", "", "\r\n", UNREADABLE),
        ("a status line", "HTTP/1.1 200 ", "x", UNREADABLE),
        ("headers", head, "X: y\r\n", UNREADABLE),
        ("one header", "HTTP/1.1 200 OK\r\nX: ", "y", UNREADABLE),
        ("a body", "HTTP/1.1 200 OK\r\n\r\n", "    ", UNREADABLE),
        ("chunks", body, "8\r\n        \r\n", UNREADABLE),
        ("a chunk's size", body, "0", UNREADABLE),
        ("a chunk's extension", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x", UNREADABLE),
        ("trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n", late),
        ("one trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", "y", UNREADABLE),
    ];
    println!("answers without end: {} rows", rows.len() * VENDORS.len());
    let mut wrongs = Vec::new();
    for vendor in VENDORS {
        for (name, begin, repeat, expected) in rows {
            let after = fresh(&vendor);
            let mut endless = true;
            let peer = Peer::new(2, move |mut stream| {
                read_request(&mut stream);
                if !std::mem::take(&mut endless) {
                    return stream.write_all(after.as_bytes()).expect("written");
                }
                let block = repeat.repeat(64);
                let mut written = stream.write_all(begin.as_bytes());
                while written.is_ok() {
                    written = stream.write_all(block.as_bytes());
                }
            });
            let client = client_with(&peer.url, &[("http.timeout_ms", "60000")]);
            let options = match expected.0 {
                Code::Timeout => SendTimeout::After(Duration::from_millis(500)),
                _ => SendTimeout::Default,
            };
            let report = client
                .send(
                    &vendor.message,
                    &SendOptions {
                        timeout: options,
                        ..SendOptions::default()
                    },
                )
                .expect("taken in");
            if outcome(&report) != expected {
                wrongs.push(format!("{}, {name}: {}", vendor.name, report.summary()));
            }
            let report = send(&client, &vendor.message);
            assert_eq!(
                outcome_and_request_id(&report),
                (ACCEPTED, "fresh"),
                "after {name}: {}",
                report.summary()
            );
            drop(client);
            peer.join();
        }
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}

#[test]
fn an_answer_that_arrives_byte_by_byte_is_read_like_any_other() {
    for vendor in VENDORS {
        let ok = (vendor.success)("fresh");
        let answers = [
            fresh(&vendor),
            chunked(&format!("{}{}0\r\n\r\n", chunk(&ok[..10]), chunk(&ok[10..]))),
            format!("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{ok}"),
        ];
        let count = answers.len();
        let peer = Peer::new(1, move |mut stream| {
            stream.set_nodelay(true).expect("set");
            for answer in &answers {
                read_request(&mut stream);
                // The rendezvous channel makes a byte wait until the previous one is written.
                let (drop_in, drops) = std::sync::mpsc::sync_channel(0);
                std::thread::scope(|scope| {
                    scope.spawn(|| answer.bytes().for_each(|byte| drop_in.send(byte).expect("taken")));
                    for _ in 0..answer.len() {
                        stream.write_all(&[drops.recv().expect("a byte")]).expect("written");
                    }
                });
            }
        });
        let client = client(&peer.url);
        for _ in 0..count {
            let report = send(&client, &vendor.message);
            assert_eq!(
                outcome_and_request_id(&report),
                (ACCEPTED, "fresh"),
                "{}: {}",
                vendor.name,
                report.summary()
            );
        }
        peer.join();
    }
}

/// The TLS configuration of a peer, and the CA file with which a client trusts it.
fn tls(test: &str) -> (Arc<ServerConfig>, String) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&folder).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = folder.join("cert.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    let chain = vec![CertificateDer::from(made.cert.der().to_vec())];
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .unwrap();
    // Bytes written before the handshake are sent at its end, so that they arrive before any request.
    config.send_half_rtt_data = true;
    (Arc::new(config), file.to_str().unwrap().to_owned())
}

type TlsStream = StreamOwned<ServerConnection, TcpStream>;

/// A peer with TLS that calls `serve` for each connection. The handshake happens at the first read.
fn tls_peer(
    config: &Arc<ServerConfig>,
    connections: usize,
    mut serve: impl FnMut(TlsStream) + Send + 'static,
) -> (Peer, String) {
    let config = config.clone();
    let peer = Peer::new(connections, move |stream| {
        // Without this, a write could wait for the acknowledgement of the previous one.
        stream.set_nodelay(true).expect("set");
        let connection = ServerConnection::new(config.clone()).expect("a connection");
        serve(StreamOwned::new(connection, stream));
    });
    let url = peer.url.replace("http://127.0.0.1", "https://localhost");
    (peer, url)
}

/// Reads one request, head and body, over TLS.
fn read_over_tls(stream: &mut impl Read) {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a request");
        request.push(byte[0]);
    }
    let head = String::from_utf8(request).expect("UTF-8").to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
    stream.read_exact(&mut body).expect("a body");
}

/// Waits for the end of a connection, and asserts that no further request arrives on it.
fn expect_no_request(stream: &mut impl Read) {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.is_empty(), "a request on a connection that is out of step");
}

#[test]
fn a_tls_connection_that_ends_without_close_notify_is_judged_by_the_bytes_received() {
    let (config, ca_file) = tls("no_farewell");
    let mut count = 0;
    for vendor in VENDORS {
        let ok = (vendor.success)("fresh");
        let half = &ok[..ok.len() / 2];
        #[rustfmt::skip]
        let rows = [
            ("a whole answer", fresh(&vendor), ACCEPTED),
            ("a whole answer ended by the end", format!("HTTP/1.1 200 OK\r\n\r\n{ok}"), ACCEPTED),
            ("half an answer ended by the end", format!("HTTP/1.1 200 OK\r\n\r\n{half}"), UNREADABLE),
            ("a cut answer", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{half}", ok.len()), CUT),
            ("a cut head", "HTTP/1.1 200 OK\r\nContent".to_owned(), CUT),
            ("no answer", String::new(), CUT),
            ("more than the answer", fresh(&vendor) + &stale(&vendor), ACCEPTED),
            ("far more than the answer", fresh(&vendor) + &stale(&vendor).repeat(100), ACCEPTED),
        ];
        for (name, answer, expected) in rows {
            count += 1;
            for farewell in [true, false] {
                let mut answers = vec![fresh(&vendor), answer.clone()];
                let (ended, wait_ended) = channel();
                let (peer, url) = tls_peer(&config, 2, move |mut stream| {
                    read_over_tls(&mut stream);
                    let _ = stream.write_all(answers.pop().expect("two connections").as_bytes());
                    let _ = stream.flush();
                    if farewell {
                        stream.conn.send_close_notify();
                        let _ = stream.flush();
                    }
                    drop(stream);
                    ended.send(()).expect("heard");
                });
                let client = client_with(&url, &[("tls.ca_file", &ca_file)]);
                let report = send(&client, &vendor.message);
                assert_eq!(
                    outcome(&report),
                    expected,
                    "{}, {name}: {}",
                    vendor.name,
                    report.summary()
                );
                wait_ended.recv().expect("the peer");
                let report = send(&client, &vendor.message);
                assert_eq!(
                    outcome_and_request_id(&report),
                    (ACCEPTED, "fresh"),
                    "after {name}: {}",
                    report.summary()
                );
                drop(client);
                peer.join();
            }
        }
    }
    println!("TLS: {} rows", count * 2);
}

/// The size of the client's two read buffers, and of a TLS record.
const BUFFER: usize = 16 * 1024;

/// A good answer of exactly this length, including the head.
fn fresh_of_length(vendor: &Vendor, length: usize) -> String {
    let body = (vendor.success)("fresh");
    let padded = |padding: usize| http("200 OK", "", &format!("{body}{}", " ".repeat(padding)));
    let answer = (0..length).rev().map(padded).find(|answer| answer.len() <= length);
    let answer = answer.expect("room for an answer");
    assert_eq!(answer.len(), length, "no length of the body makes up for its digits");
    answer
}

/// Writes an answer and the bytes after it with one flush, each piece in its own TLS record.
fn write_flight(stream: &mut TlsStream, pieces: &[&str]) {
    for piece in pieces {
        stream.conn.writer().write_all(piece.as_bytes()).expect("room");
    }
    stream.flush().expect("written");
}

#[test]
fn a_second_answer_is_found_at_every_boundary_of_buffers_and_records() {
    let (config, ca_file) = tls("edges");
    let mut count = 0;
    for vendor in VENDORS {
        for length in [
            500,
            BUFFER - 1,
            BUFFER,
            BUFFER + 1,
            2 * BUFFER - 1,
            2 * BUFFER,
            2 * BUFFER + 1,
        ] {
            for (is_tls, in_one_record) in [(false, true), (true, true), (true, false)] {
                count += 1;
                let (first, behind, second) = (fresh_of_length(&vendor, length), stale(&vendor), fresh(&vendor));
                let both = first.clone() + &behind;
                let mut is_first = true;
                let (peer, url) = if is_tls {
                    tls_peer(&config, 2, move |mut stream| {
                        read_over_tls(&mut stream);
                        if !std::mem::take(&mut is_first) {
                            return write_flight(&mut stream, &[&second]);
                        }
                        let pieces = if in_one_record {
                            vec![&both]
                        } else {
                            vec![&first, &behind]
                        };
                        let pieces: Vec<&str> = pieces.into_iter().map(String::as_str).collect();
                        write_flight(&mut stream, &pieces);
                        expect_no_request(&mut stream);
                    })
                } else {
                    let peer = Peer::new(2, move |mut stream| {
                        read_request(&mut stream);
                        if !std::mem::take(&mut is_first) {
                            return stream.write_all(second.as_bytes()).expect("written");
                        }
                        stream.write_all(both.as_bytes()).expect("written");
                        expect_no_request(&mut stream);
                    });
                    let url = peer.url.clone();
                    (peer, url)
                };
                let client = client_with(&url, &[("tls.ca_file", &ca_file)]);
                for number in 0..2 {
                    let report = send(&client, &vendor.message);
                    let row = format!("{}, {length}, TLS {is_tls}, one record {in_one_record}", vendor.name);
                    assert_eq!(
                        outcome_and_request_id(&report),
                        (ACCEPTED, "fresh"),
                        "{row}, message {number}: {}",
                        report.summary()
                    );
                }
                drop(client);
                peer.join();
            }
        }
    }
    println!("answers behind answers: {count} rows");
}

#[test]
fn nothing_is_sent_on_a_tls_connection_that_already_has_bytes() {
    let (config, ca_file) = tls("early");
    for vendor in VENDORS {
        for early in [stale(&vendor), "H".to_owned(), stale(&vendor).repeat(50)] {
            let (peer, url) = tls_peer(&config, 1, move |mut stream| {
                stream.conn.writer().write_all(early.as_bytes()).expect("room");
                expect_no_request(&mut stream);
            });
            let client = client_with(&url, &[("tls.ca_file", &ca_file)]);
            let report = send(&client, &vendor.message);
            let expected = (Code::Connect, Delivery::NotSent);
            assert_eq!(outcome(&report), expected, "{}: {}", vendor.name, report.summary());
            drop(client);
            peer.join();
        }
    }
}

#[test]
fn data_that_arrives_on_an_idle_tls_connection_ends_it_and_other_records_do_not() {
    type Act = fn(&mut TlsStream, &Vendor);
    #[rustfmt::skip]
    let rows: [(&str, bool, Act); 5] = [
        ("a key update", true, |stream, _| stream.conn.refresh_traffic_keys().expect("TLS 1.3")),
        ("three key updates", true, |stream, _| {
            for _ in 0..3 {
                stream.conn.refresh_traffic_keys().expect("TLS 1.3");
            }
        }),
        ("an answer", false, |stream, vendor| write_flight(stream, &[&stale(vendor)])),
        ("a key update and a byte", false, |stream, _| {
            stream.conn.refresh_traffic_keys().expect("TLS 1.3");
            write_flight(stream, &["H"]);
        }),
        ("a close_notify", false, |stream, _| stream.conn.send_close_notify()),
    ];
    let (config, ca_file) = tls("idle");
    for vendor in VENDORS {
        for (name, is_harmless, act) in rows {
            let (go, wait): (Sender<()>, Receiver<()>) = channel();
            let (done, acted) = channel();
            let mut is_first = true;
            let connections = if is_harmless { 1 } else { 2 };
            let (peer, url) = tls_peer(&config, connections, move |mut stream| {
                read_over_tls(&mut stream);
                write_flight(&mut stream, &[&fresh(&vendor)]);
                if !std::mem::take(&mut is_first) {
                    return;
                }
                wait.recv().expect("told to go on");
                act(&mut stream, &vendor);
                stream.flush().expect("written");
                done.send(()).expect("heard");
                if is_harmless {
                    read_over_tls(&mut stream);
                    write_flight(&mut stream, &[&fresh(&vendor)]);
                } else {
                    expect_no_request(&mut stream);
                }
            });
            let client = client_with(&url, &[("tls.ca_file", &ca_file)]);
            for number in 0..2 {
                let report = send(&client, &vendor.message);
                let row = format!("{}, {name}, message {number}", vendor.name);
                assert_eq!(
                    outcome_and_request_id(&report),
                    (ACCEPTED, "fresh"),
                    "{row}: {}",
                    report.summary()
                );
                if number == 0 {
                    go.send(()).expect("the peer waits");
                    acted.recv().expect("the peer acts");
                }
            }
            drop(client);
            peer.join();
        }
    }
}

#[test]
fn a_later_connection_resumes_the_session_of_an_earlier_one() {
    let (config, ca_file) = tls("resumed");
    for vendor in VENDORS {
        let (seen, handshakes) = channel();
        let (peer, url) = tls_peer(&config, 2, move |mut stream| {
            read_over_tls(&mut stream);
            seen.send(stream.conn.handshake_kind()).expect("heard");
            let body = (vendor.success)("fresh");
            write_flight(&mut stream, &[&http("200 OK", "Connection: close\r\n", &body)]);
        });
        let client = client_with(&url, &[("tls.ca_file", &ca_file)]);
        for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let report = send(&client, &vendor.message);
            assert_eq!(
                outcome_and_request_id(&report),
                (ACCEPTED, "fresh"),
                "{}: {}",
                vendor.name,
                report.summary()
            );
            assert_eq!(handshakes.recv(), Ok(Some(expected)));
        }
        drop(client);
        peer.join();
    }
}

#[test]
fn a_server_whose_certificate_is_not_trusted_gets_an_alert_and_no_request() {
    let (config, _) = tls("untrusted");
    for vendor in VENDORS {
        let (peer, url) = tls_peer(&config, 1, |mut stream| {
            let error = stream.read(&mut [0]).expect_err("no handshake");
            let error = error.get_ref().and_then(|error| error.downcast_ref());
            let expected = rustls::Error::AlertReceived(AlertDescription::UnknownCA);
            assert_eq!(error, Some(&expected));
        });
        // Without `tls.ca_file` the client trusts Mozilla's roots.
        let report = send(&client(&url), &vendor.message);
        let expected = (Code::Tls, Delivery::NotSent);
        assert_eq!(outcome(&report), expected, "{}: {}", vendor.name, report.summary());
        peer.join();
    }
}

/// The answer may be that of an earlier request. Every later answer on the connection would then belong to an earlier request.
#[test]
fn a_connection_whose_answer_names_another_action_is_not_reused() {
    let body = |action: &str| {
        format!(r#"{{"ResponseMetadata":{{"RequestId":"r1","Action":"{action}"}},"Result":{{"Message":"Success"}}}}"#)
    };
    let mut bodies = [body("SendBroadcast"), body("SendUnicast")].into_iter();
    let peer = Peer::new(2, move |mut stream| {
        let body = bodies.next().expect("two connections");
        answer(
            &mut stream,
            &format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        );
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("the end");
        assert!(rest.is_empty(), "no second request on this connection");
    });
    {
        let client = client(&peer.url);
        let late = send(&client, &UNICAST);
        assert_eq!(
            outcome(&late),
            (Code::BadResponse, Delivery::Unknown),
            "{}",
            late.summary()
        );
        let next = send(&client, &UNICAST);
        assert_eq!(outcome(&next), (Code::Ok, Delivery::Accepted), "{}", next.summary());
    }
    peer.join();
}
