//! Network failures: the delivery shows whether request bytes can have been sent. The peers are sockets that the test controls.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use common::proxy::ConnectProxy;
use common::{COMMAND, Peer, UNICAST, answer, client, client_with, outcome, read_request, send};
use rtcmsg::{Code, Delivery, Message, Payload, Report, SendOptions, SendTimeout};
use rtcmsg_emulator::{Emulator, Options, TlsFiles};

const SUCCESS: &str = r#"{"ResponseMetadata":{"RequestId":"r1"},"Result":{"Message":"Success"}}"#;

fn http(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// The report of a send whose peer answers with these bytes and closes the connection.
fn answered_with(bytes: String) -> Report {
    let peer = Peer::new(1, move |mut stream| answer(&mut stream, &bytes));
    let report = send(&client(&peer.url), &UNICAST);
    peer.join();
    report
}

#[test]
fn nothing_is_sent_to_an_address_at_which_no_program_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let report = send(&client(&url), &UNICAST);
    assert_eq!(
        outcome(&report),
        (Code::Connect, Delivery::NotSent),
        "{}",
        report.summary()
    );
    assert_eq!(report.recipients()[0].delivery, Delivery::NotSent);
    let request = &report.requests()[0];
    assert_eq!((request.http_status, request.request_id.as_str()), (0, ""));
}

#[test]
fn nothing_is_sent_if_the_host_has_no_address() {
    let report = send(
        &client_with("http://localhost:1", &[("volcengine.endpoint", "https://name.invalid")]),
        &UNICAST,
    );
    assert_eq!(
        outcome(&report),
        (Code::Resolve, Delivery::NotSent),
        "{}",
        report.summary()
    );
}

#[test]
fn a_connection_cut_after_the_request_leaves_the_outcome_unknown() {
    for message in [UNICAST, COMMAND] {
        let peer = Peer::new(1, |mut stream| drop(read_request(&mut stream)));
        let report = send(&client(&peer.url), &message);
        assert_eq!(
            outcome(&report),
            (Code::Disconnected, Delivery::Unknown),
            "{}",
            report.summary()
        );
        peer.join();
    }
}

#[test]
fn a_vendor_that_never_answers_leaves_the_outcome_unknown_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client(&format!("http://{}", listener.local_addr().unwrap()));
    let options = SendOptions {
        timeout: SendTimeout::After(Duration::from_millis(50)),
        ..SendOptions::default()
    };
    let report = client.send(&UNICAST, &options).unwrap();
    assert_eq!(
        outcome(&report),
        (Code::Timeout, Delivery::Unknown),
        "{}",
        report.summary()
    );
}

#[test]
fn a_send_with_a_timeout_of_zero_sends_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client(&format!("http://{}", listener.local_addr().unwrap()));
    let report = client
        .send(
            &UNICAST,
            &SendOptions {
                timeout: SendTimeout::After(Duration::ZERO),
                ..SendOptions::default()
            },
        )
        .unwrap();
    assert_eq!(
        outcome(&report),
        (Code::Timeout, Delivery::NotSent),
        "{}",
        report.summary()
    );
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody connected");
}

#[test]
fn a_large_message_cut_in_the_middle_leaves_the_outcome_unknown() {
    let payload = "x".repeat(64 * 1024);
    let message = Message::SendUnicast {
        from: "server",
        to: "alice",
        payload: Payload::Text(&payload),
    };
    let peer = Peer::new(1, |mut stream| drop(stream.read_exact(&mut [0; 1000])));
    let report = send(&client(&peer.url), &message);
    assert_eq!(report.delivery(), Delivery::Unknown, "{}", report.summary());
    peer.join();
}

#[test]
fn an_answer_that_is_not_the_vendors_is_judged_by_its_status() {
    let html = "<html><h1>Bad Gateway</h1></html>";
    for (status, headers, body, expected) in [
        (
            "502 Bad Gateway",
            "Content-Type: text/html\r\n",
            html,
            (Code::BadResponse, Delivery::Unknown),
        ),
        (
            "404 Not Found",
            "Content-Type: text/html\r\n",
            html,
            (Code::Rejected, Delivery::NotDelivered),
        ),
        (
            "301 Moved",
            "Location: http://127.0.0.1:1/\r\n",
            "",
            (Code::Rejected, Delivery::NotDelivered),
        ),
        ("200 OK", "", "", (Code::BadResponse, Delivery::Unknown)),
        ("200 OK", "", SUCCESS, (Code::Ok, Delivery::Accepted)),
    ] {
        assert_eq!(
            outcome(&answered_with(http(status, headers, body))),
            expected,
            "{status} {body}"
        );
    }
    let too_long = " ".repeat(1024 * 1024 + 1);
    let report = answered_with(http("200 OK", "", &too_long));
    assert_eq!(
        outcome(&report),
        (Code::BadResponse, Delivery::Unknown),
        "{}",
        report.summary()
    );
    let cut = format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{SUCCESS}");
    assert_eq!(answered_with(cut).delivery(), Delivery::Unknown);
    assert_eq!(
        answered_with("SSH-2.0-OpenSSH\r\n\r\n".to_owned()).delivery(),
        Delivery::Unknown
    );
}

#[test]
fn retry_after_is_reported_in_milliseconds() {
    let report = answered_with(http("429 Too Many Requests", "Retry-After: 2\r\n", ""));
    assert_eq!(outcome(&report), (Code::Throttled, Delivery::NotDelivered));
    assert_eq!(report.requests()[0].retry_after_ms, 2000);
}

#[test]
fn a_connection_is_reused_and_one_closed_while_idle_loses_no_message() {
    let (closed, wait_closed) = std::sync::mpsc::channel();
    let peer = Peer::new(2, move |mut stream| {
        answer(&mut stream, &http("200 OK", "", SUCCESS));
        answer(&mut stream, &http("200 OK", "", SUCCESS));
        drop(stream);
        closed.send(()).unwrap();
    });
    let client = client(&peer.url);
    for _ in 0..2 {
        for _ in 0..2 {
            assert_eq!(send(&client, &UNICAST).code(), Code::Ok);
        }
        wait_closed.recv().unwrap();
    }
    peer.join();
}

/// A server that closes a connection at the announced time sometimes does it while the next request is in transit. A connection
/// with an announced time of one second is therefore never reused.
#[test]
fn a_connection_with_an_announced_end_is_not_used_in_its_last_second() {
    for (header, connections) in [
        ("Keep-Alive: timeout=1\r\n", 3),
        ("keep-alive: max=100, Timeout = 1\r\n", 3),
        ("Keep-Alive: timeout=60, max=0\r\n", 3),
        ("Keep-Alive: timeout=60\r\n", 1),
        ("Keep-Alive: timeout=soon\r\n", 1),
        ("", 1),
    ] {
        // For an answer without a body, ureq returns the connection to the pool before the caller sees the head.
        for (status, body) in [("200 OK", SUCCESS), ("429 Too Many Requests", "")] {
            let bytes = http(status, header, body);
            let per_connection = 3 / connections;
            let peer = Peer::new(connections, move |mut stream| {
                for _ in 0..per_connection {
                    answer(&mut stream, &bytes);
                }
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest);
                assert!(rest.is_empty(), "a request in the last second");
            });
            let client = client(&peer.url);
            for _ in 0..3 {
                let report = send(&client, &UNICAST);
                assert_eq!(
                    report.requests()[0].http_status.to_string(),
                    status[..3],
                    "{}",
                    report.summary()
                );
            }
            drop(client);
            peer.join();
        }
    }
}

#[test]
fn requests_have_exactly_these_bytes() {
    let (seen, requests) = std::sync::mpsc::channel();
    let peer = Peer::new(2, move |mut stream| {
        seen.send(read_request(&mut stream)).unwrap();
        stream
            .write_all(http("200 OK", "Connection: close\r\n", "{}").as_bytes())
            .unwrap();
    });
    let client = client_with(&peer.url, &[("volcengine.session_token", "token")]);
    let message = Message::SendRoomUnicast {
        room_id: "r",
        from: "s",
        to: "a",
        payload: Payload::Text("你\""),
    };
    send(&client, &message);
    let request = requests.recv().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let host = peer.url.strip_prefix("http://").unwrap();
    assert_eq!(
        body,
        r#"{"AppId":"661e000000000000000demo1","RoomId":"r","From":"s","To":"a","Binary":false,"Message":"你\""}"#
    );
    assert!(
        head.starts_with("POST /?Action=SendRoomUnicast&Version=2020-12-01 HTTP/1.1\r\n"),
        "{head}"
    );
    for line in [
        &format!("host: {host}"),
        "content-type: application/json",
        "x-security-token: token",
    ] {
        assert_eq!(head.to_ascii_lowercase().matches(line).count(), 1, "{line} in {head}");
    }
    let signed = "SignedHeaders=content-type;host;x-content-sha256;x-date;x-security-token";
    assert!(head.contains(signed), "{head}");
    let encodings = head
        .to_ascii_lowercase()
        .matches("accept-encoding: identity\r\n")
        .count();
    assert_eq!(encodings, 1, "{head}");

    let to = ["a+b", "c d"];
    send(
        &client,
        &Message::SendCustomCommandToUsers {
            room_id: "r",
            from: "s",
            to: &to,
            content: "你 &",
        },
    );
    let request = requests.recv().unwrap();
    assert!(
        request.starts_with("GET /?Action=SendCustomCommand&AppId=1234567890&SignatureNonce="),
        "{request}"
    );
    let tail = "&SignatureVersion=2.0&RoomId=r&FromUserId=s&ToUserId%5B%5D=a%2Bb&ToUserId%5B%5D=c%20d&MessageContent=%E4%BD%A0%20%26 HTTP/1.1\r\n";
    assert!(request.contains(tail), "{request}");
    peer.join();
}

fn https(files: &TlsFiles) -> Emulator {
    Emulator::start(Options {
        tls: Some(files.clone()),
        ..Options::default()
    })
    .unwrap()
}

#[test]
fn over_tls_the_certificate_decides_whether_anything_is_sent() {
    let files = common::certificate("over_tls");
    let ca_file = files.certificate.to_str().unwrap();
    let emulator = https(&files);
    let by_name = emulator.url().replace("127.0.0.1", "localhost");

    let trusting = client_with(&by_name, &[("tls.ca_file", ca_file)]);
    for _ in 0..2 {
        assert_eq!(outcome(&send(&trusting, &UNICAST)), (Code::Ok, Delivery::Accepted));
    }
    let report = send(&client(&by_name), &UNICAST);
    assert_eq!(outcome(&report), (Code::Tls, Delivery::NotSent), "{}", report.summary());
    assert!(report.summary().contains("set tls.ca_file"), "{}", report.summary());
    let report = send(&client_with(emulator.url(), &[("tls.ca_file", ca_file)]), &UNICAST);
    assert_eq!(outcome(&report), (Code::Tls, Delivery::NotSent), "{}", report.summary());
    assert!(report.summary().contains("is for another host"), "{}", report.summary());
}

/// The report of a send over TLS with this certificate, which is the only one that the client trusts.
fn over_tls_with(test: &str, change: impl FnOnce(&mut rcgen::CertificateParams)) -> Report {
    let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    change(&mut parameters);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let files = common::tls_files(test, &certificate.pem(), &key.serialize_pem());
    let emulator = https(&files);
    let url = emulator.url().replace("127.0.0.1", "localhost");
    let ca_file = files.certificate.to_str().unwrap();
    send(&client_with(&url, &[("tls.ca_file", ca_file)]), &UNICAST)
}

#[test]
fn an_unusable_certificate_is_refused_with_a_readable_text() {
    let ca = over_tls_with("ca_as_server", |parameters| {
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    let expired = over_tls_with("expired", |parameters| {
        parameters.not_after = rcgen::date_time_ymd(2001, 1, 1);
    });
    let early = over_tls_with("not_yet_valid", |parameters| {
        parameters.not_before = rcgen::date_time_ymd(4000, 1, 1);
    });
    for (report, sentence) in [
        (ca, "uses a CA certificate as its own"),
        (expired, "has expired, or this machine's clock is wrong"),
        (early, "is not valid yet, or this machine's clock is wrong"),
    ] {
        assert_eq!(outcome(&report), (Code::Tls, Delivery::NotSent), "{}", report.summary());
        assert!(report.summary().contains(sentence), "{}", report.summary());
    }
}

#[test]
fn a_compressed_answer_is_named_and_judged_by_its_status() {
    let gzip = "\x1f\u{8b}\x08 compressed";
    for (status, coding, body, expected, named) in [
        (
            "200 OK",
            "gzip",
            gzip,
            (Code::BadResponse, Delivery::Unknown),
            "compressed (gzip)",
        ),
        (
            "200 OK",
            "BR",
            "\x0b",
            (Code::BadResponse, Delivery::Unknown),
            "compressed (br)",
        ),
        (
            "200 OK",
            "hunter2",
            gzip,
            (Code::BadResponse, Delivery::Unknown),
            "(an unknown coding)",
        ),
        (
            "502 Bad Gateway",
            "gzip",
            gzip,
            (Code::BadResponse, Delivery::Unknown),
            "compressed (gzip)",
        ),
        (
            "404 Not Found",
            "gzip",
            gzip,
            (Code::Rejected, Delivery::NotDelivered),
            "compressed (gzip)",
        ),
        (
            "429 Too Many",
            "gzip",
            gzip,
            (Code::Throttled, Delivery::NotDelivered),
            "compressed (gzip)",
        ),
        (
            "200 OK",
            "identity",
            gzip,
            (Code::BadResponse, Delivery::Unknown),
            "not readable",
        ),
        // The header names gzip, but the body is not compressed.
        ("200 OK", "gzip", SUCCESS, (Code::Ok, Delivery::Accepted), ""),
        ("200 OK", "identity", SUCCESS, (Code::Ok, Delivery::Accepted), ""),
    ] {
        let headers = format!("Content-Encoding: {coding}\r\nRetry-After: 2\r\n");
        let report = answered_with(http(status, &headers, body));
        assert_eq!(outcome(&report), expected, "{status} {coding}: {}", report.summary());
        assert!(
            report.summary().contains(named),
            "{status} {coding}: {}",
            report.summary()
        );
        assert!(!report.summary().contains("hunter2"), "{}", report.summary());
        assert_eq!(report.requests()[0].retry_after_ms, 2000);
    }
}

#[test]
fn a_ca_file_with_byte_order_marks_is_read() {
    let files = common::certificate("byte_order_mark");
    let ours = std::fs::read_to_string(&files.certificate).unwrap();
    let another = rcgen::generate_simple_self_signed(["another".to_owned()]).unwrap();
    let emulator = https(&files);
    let by_name = emulator.url().replace("127.0.0.1", "localhost");
    let ca_file = files.certificate.with_file_name("ca.pem");
    for text in [
        format!("\u{FEFF}{ours}"),
        // The result of `cat` on two files with a byte order mark each.
        format!("\u{FEFF}{}\u{FEFF}{ours}", another.cert.pem()),
    ] {
        std::fs::write(&ca_file, text).unwrap();
        let client = client_with(&by_name, &[("tls.ca_file", ca_file.to_str().unwrap())]);
        let report = send(&client, &UNICAST);
        assert_eq!(outcome(&report), (Code::Ok, Delivery::Accepted), "{}", report.summary());
    }
}

#[test]
fn a_ca_file_in_utf_16_is_refused_by_name() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("utf-16.pem");
    let text = "\u{FEFF}-----BEGIN CERTIFICATE-----";
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&file, bytes).unwrap();
    let mut config = common::config("http://127.0.0.1:1");
    config.set("tls.ca_file", file.to_str().unwrap()).unwrap();
    let error = rtcmsg::Client::new(&config).unwrap_err();
    assert_eq!((error.code, &*error.field), (Code::InvalidArgument, "tls.ca_file"));
    assert!(error.message.contains("UTF-16"), "{error}");
}

#[test]
fn a_peer_without_tls_gets_no_request() {
    let peer = Peer::new(1, |mut stream| {
        let _ = stream.read(&mut [0; 100]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let report = send(&client(&peer.url.replace("http://", "https://")), &UNICAST);
    assert_eq!(outcome(&report), (Code::Tls, Delivery::NotSent), "{}", report.summary());
    assert!(
        report.summary().contains("the peer does not speak TLS"),
        "{}",
        report.summary()
    );
    peer.join();
}

/// Reads one TLS record: type, version, length, content.
fn tls_record(stream: &mut TcpStream) -> Vec<u8> {
    let mut record = vec![0; 5];
    stream.read_exact(&mut record).expect("a record's head");
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(5 + length, 0);
    stream.read_exact(&mut record[5..]).expect("a record");
    record
}

#[test]
fn tls_bytes_after_the_handshake_count_as_sent() {
    let files = common::certificate("tls_bytes");
    let ca_file = files.certificate.to_str().unwrap().to_owned();
    let emulator = https(&files);
    let behind = emulator.address();
    // The peer forwards the handshake and cuts the connection before it forwards the request.
    let peer = Peer::new(1, move |mut stream| {
        let mut vendor = TcpStream::connect(behind).unwrap();
        let mut back = (vendor.try_clone().unwrap(), stream.try_clone().unwrap());
        let answers = std::thread::spawn(move || {
            let mut total = 0;
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = back.0.read(&mut buffer) {
                total += count;
                if back.1.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            total
        });
        // The client's first encrypted record ends its handshake. The second one is its request, which is not forwarded.
        let mut encrypted = 0;
        loop {
            let record = tls_record(&mut stream);
            encrypted += usize::from(record[0] == 23);
            if encrypted == 2 {
                break;
            }
            vendor.write_all(&record).unwrap();
        }
        let _ = vendor.shutdown(std::net::Shutdown::Both);
        let _ = stream.shutdown(std::net::Shutdown::Both);
        answers.join().unwrap();
    });
    let url = peer.url.replace("http://127.0.0.1", "https://localhost");
    let report = send(&client_with(&url, &[("tls.ca_file", &ca_file)]), &UNICAST);
    assert_eq!(report.delivery(), Delivery::Unknown, "{}", report.summary());
    peer.join();
}

#[test]
fn over_tls_a_tunnel_through_a_proxy_serves_one_message_after_another() {
    let files = common::certificate("tunnel");
    let emulator = https(&files);
    let proxy = ConnectProxy::start();
    let url = emulator.url().replace("127.0.0.1", "localhost");
    let ca_file = files.certificate.to_str().unwrap();
    let client = client_with(&url, &[("http.proxy", &proxy.url), ("tls.ca_file", ca_file)]);
    for _ in 0..3 {
        let report = send(&client, &UNICAST);
        assert_eq!(outcome(&report), (Code::Ok, Delivery::Accepted), "{}", report.summary());
    }
    assert_eq!(proxy.requests().len(), 1, "one tunnel serves all");
}

#[test]
fn a_peer_that_never_answers_in_the_handshake_gets_no_request_by_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client(&format!("https://{}", listener.local_addr().unwrap()));
    let options = SendOptions {
        timeout: SendTimeout::After(Duration::from_millis(50)),
        ..SendOptions::default()
    };
    let report = client.send(&UNICAST, &options).unwrap();
    let expected = (Code::Timeout, Delivery::NotSent);
    assert_eq!(outcome(&report), expected, "{}", report.summary());
}

#[test]
fn close_ends_a_handshake_and_nothing_is_sent() {
    let (arrived, wait) = std::sync::mpsc::channel();
    let peer = Peer::new(1, move |mut stream| {
        tls_record(&mut stream);
        arrived.send(()).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty(), "more than the first message of a handshake");
    });
    let client = client(&peer.url.replace("http://", "https://"));
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| send(&client, &UNICAST));
        wait.recv().unwrap();
        client.close(Some(Duration::ZERO));
        let report = sending.join().unwrap();
        assert_eq!(
            outcome(&report),
            (Code::Closed, Delivery::NotSent),
            "{}",
            report.summary()
        );
    });
    peer.join();
}

#[test]
fn close_refuses_new_calls_and_ends_those_in_progress() {
    let (arrived, wait) = std::sync::mpsc::channel();
    let peer = Peer::new(1, move |mut stream| {
        read_request(&mut stream);
        arrived.send(()).unwrap();
        let _ = stream.read(&mut [0; 1]);
    });
    let client = client(&peer.url);
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| send(&client, &UNICAST));
        wait.recv().unwrap();
        client.close(Some(Duration::ZERO));
        let report = sending.join().unwrap();
        assert_eq!(
            outcome(&report),
            (Code::Closed, Delivery::Unknown),
            "{}",
            report.summary()
        );
    });
    assert_eq!(
        client.send(&UNICAST, &SendOptions::default()).unwrap_err().code,
        Code::Closed
    );
    assert_eq!(client.check(&UNICAST).unwrap_err().code, Code::Closed);
    client.close(None);
    peer.join();
}

#[test]
fn a_proxy_that_cannot_be_used_is_refused_where_it_is_set() {
    let refusal = |value: &str| {
        let mut config = rtcmsg::Config::new();
        let error = config.set("http.proxy", value).expect_err(value);
        assert_eq!(
            (error.code, error.field.as_ref()),
            (Code::InvalidArgument, "http.proxy")
        );
        error.message
    };
    for proxy in [
        "socks5://127.0.0.1:1",
        "proxy",
        "http://proxy:99999",
        "http://proxy/path?x",
        "http://:3128",
    ] {
        refusal(proxy);
    }
    assert!(!refusal("ftp://user:hunter2@proxy").contains("hunter2"));
}

#[test]
fn a_plain_endpoint_elsewhere_and_a_bad_ca_file_are_refused_when_the_client_is_made() {
    let refusal = |key: &str, value: &str| {
        let mut config = common::config("http://127.0.0.1:1");
        config.set(key, value).unwrap();
        let error = rtcmsg::Client::new(&config).expect_err(value);
        assert_eq!((error.code, error.field.as_ref()), (Code::InvalidArgument, key));
        error.message
    };
    assert!(refusal("zego.endpoint", "http://example.com").contains("http.allow_plaintext"));
    assert!(refusal("tls.ca_file", "/nonexistent/ca.pem").contains("/nonexistent/ca.pem"));
    assert!(refusal("tls.ca_file", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).contains("no certificate"));
    let hollow = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hollow.pem");
    std::fs::write(
        &hollow,
        "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    assert!(refusal("tls.ca_file", hollow.to_str().unwrap()).contains("not a root certificate"));
    let mut config = common::config("http://127.0.0.1:1");
    config.set("zego.endpoint", "http://example.com").unwrap();
    config.set("http.allow_plaintext", "true").unwrap();
    rtcmsg::Client::new(&config).unwrap();
}
