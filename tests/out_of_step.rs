//! Answers out of step: bytes that nobody asked for, answers without end, answers by the byte, ends without farewell.

mod common;
#[path = "common/vendors.rs"]
mod vendors;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use common::{Peer, client, client_with, outcome, read_request, send};
use rtcmsg::{CallOptions, CallTimeout, Code, Delivery};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use vendors::{CUT, TAKEN, UNREADABLE, VENDORS, chunk, chunked, fresh, stale, told_by};

#[test]
fn bytes_behind_an_answer_are_never_the_answer_to_the_next_request() {
    for vendor in VENDORS {
        for extra in [
            stale(&vendor),
            "x".to_owned(),
            "\r\n".to_owned(),
            stale(&vendor).repeat(500),
        ] {
            // In one write with the answer, and once the client has had its answer.
            for at_once in [true, false] {
                let (go, wait): (Sender<()>, Receiver<()>) = channel();
                let (done, written) = channel();
                let (first, behind, second) = (fresh(&vendor), extra.clone(), fresh(&vendor));
                let mut is_first = true;
                let peer = Peer::new(2, move |mut stream| {
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
                    assert_eq!(told_by(&report), (TAKEN, "fresh"), "{}: {}", vendor.name, report.text());
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
fn bytes_that_wait_on_a_fresh_connection_are_no_answer_and_nothing_is_sent() {
    for vendor in VENDORS {
        // A tunnel is the one place where a test can be sure that the bytes are there first: they come with its word.
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
        assert_eq!(outcome(&report), expected, "{}: {}", vendor.name, report.text());
        drop(client);
        peer.join();
    }
}

/// An answer without end: whatever repeats, the call ends, by the deadline at the latest.
#[test]
fn an_answer_without_end_ends_by_the_deadline() {
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
                Code::Timeout => CallTimeout::After(Duration::from_millis(500)),
                _ => CallTimeout::Default,
            };
            let report = client
                .send(
                    &vendor.message,
                    &CallOptions {
                        timeout: options,
                        ..CallOptions::default()
                    },
                )
                .expect("taken in");
            if outcome(&report) != expected {
                wrongs.push(format!("{}, {name}: {}", vendor.name, report.text()));
            }
            let report = send(&client, &vendor.message);
            assert_eq!(told_by(&report), (TAKEN, "fresh"), "after {name}: {}", report.text());
            drop(client);
            peer.join();
        }
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}

#[test]
fn an_answer_that_drips_byte_by_byte_is_read_like_any_other() {
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
                // The hand-over makes a byte wait until the one before it is in the socket.
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
            assert_eq!(told_by(&report), (TAKEN, "fresh"), "{}: {}", vendor.name, report.text());
        }
        peer.join();
    }
}

/// A peer's side of TLS, and the file with which a client trusts it.
fn tls(test: &str) -> (Arc<ServerConfig>, String) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&folder).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = folder.join("cert.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    let chain = vec![CertificateDer::from(made.cert.der().to_vec())];
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .unwrap();
    (Arc::new(config), file.to_str().unwrap().to_owned())
}

/// The head of a request, read to its end with its body, over TLS.
fn read_over_tls(stream: &mut StreamOwned<ServerConnection, TcpStream>) {
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

#[test]
fn over_tls_an_end_without_farewell_is_judged_by_what_came() {
    let (config, ca_file) = tls("no_farewell");
    let mut count = 0;
    for vendor in VENDORS {
        let ok = (vendor.success)("fresh");
        let half = &ok[..ok.len() / 2];
        #[rustfmt::skip]
        let rows = [
            ("a whole answer", fresh(&vendor), TAKEN),
            ("a whole answer ended by the end", format!("HTTP/1.1 200 OK\r\n\r\n{ok}"), TAKEN),
            ("half an answer ended by the end", format!("HTTP/1.1 200 OK\r\n\r\n{half}"), UNREADABLE),
            ("a cut answer", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{half}", ok.len()), CUT),
            ("a cut head", "HTTP/1.1 200 OK\r\nContent".to_owned(), CUT),
            ("no answer", String::new(), CUT),
            ("more than the answer", fresh(&vendor) + &stale(&vendor), TAKEN),
            ("far more than the answer", fresh(&vendor) + &stale(&vendor).repeat(100), TAKEN),
        ];
        for (name, answer, expected) in rows {
            count += 1;
            for farewell in [true, false] {
                let (config, mut answers) = (config.clone(), vec![fresh(&vendor), answer.clone()]);
                let (ended, wait_ended) = channel();
                let peer = Peer::new(2, move |stream| {
                    let connection = ServerConnection::new(config.clone()).expect("a connection");
                    let mut stream = StreamOwned::new(connection, stream);
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
                let url = peer.url.replace("http://127.0.0.1", "https://localhost");
                let client = client_with(&url, &[("tls.ca_file", &ca_file)]);
                let report = send(&client, &vendor.message);
                assert_eq!(outcome(&report), expected, "{}, {name}: {}", vendor.name, report.text());
                wait_ended.recv().expect("the peer");
                let report = send(&client, &vendor.message);
                assert_eq!(told_by(&report), (TAKEN, "fresh"), "after {name}: {}", report.text());
                drop(client);
                peer.join();
            }
        }
    }
    println!("TLS: {} rows", count * 2);
}
