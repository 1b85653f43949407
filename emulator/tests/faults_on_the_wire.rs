//! Faults that cut connections: where and how a connection ends, and whether the message is delivered, with and without TLS.

mod fixtures;

use fixtures::wire::{End, WireFixture};
use fixtures::{VolcengineRequest, send_unicast};
use serde_json::{Value, json};

fn both() -> [WireFixture; 2] {
    [WireFixture::plain(), WireFixture::tls()]
}

fn unicast(fixture: &WireFixture) -> Vec<u8> {
    VolcengineRequest::new("SendUnicast", "2020-12-01", &send_unicast()).bytes(&fixture.fixture)
}

#[test]
fn a_request_cut_at_any_byte_is_not_processed() {
    for fixture in both() {
        for reset in [false, true] {
            let end = if reset { End::Reset } else { fixture.fin() };
            for make in [WireFixture::command, unicast] {
                let whole = make(&fixture).len();
                for after in 0..=whole + 1 {
                    let request = make(&fixture);
                    let rule = json!({ "cut_request_after": after, "reset": reset, "count": 1 });
                    fixture.fault(&rule.to_string());
                    let mut wire = fixture.connect();
                    wire.send(&request);
                    let (rest, seen) = wire.rest();
                    assert!(rest.is_empty(), "{rule}");
                    // A cut beyond the end happens at the missing answer, by FIN or by a reset.
                    assert_eq!(seen, end, "{rule}");
                    // The rows of all connections are checked below, in one request.
                    if after % 50 == 0 || after >= whole {
                        let row = fixture.closed_row(&wire);
                        let complete = after > whole;
                        let request = json!([{
                            "bytes_in": after.min(whole), "bytes_out": 0, "complete": complete, "processed": false,
                        }]);
                        assert_eq!(row["requests"], request, "{rule}");
                        assert_eq!(row["bytes_in"], after.min(whole), "{rule}");
                    }
                }
            }
        }
        assert_eq!(fixture.get("ledger"), json!([]));
    }
}

#[test]
fn a_message_is_delivered_although_its_answer_is_cut_at_any_byte() {
    for fixture in both() {
        for reset in [false, true] {
            let end = if reset { End::Reset } else { fixture.fin() };
            for make in [WireFixture::command, unicast] {
                let mut wire = fixture.connect();
                wire.send(&make(&fixture));
                let whole = wire.answer().len();
                for after in 0..=whole + 1 {
                    let request = make(&fixture);
                    let rule = json!({ "cut_answer_after": after, "reset": reset, "count": 1 });
                    let id = fixture.fault(&rule.to_string());
                    let mut wire = fixture.connect();
                    wire.send(&request);
                    let (rest, seen) = wire.rest();
                    assert_eq!((rest.len(), seen), (after.min(whole), end), "{rule}");
                    let entry = &fixture.ledger_of(&wire)[0];
                    assert_eq!(
                        (&entry["accepted"], &entry["faults"]),
                        (&json!(true), &json!([id])),
                        "{rule}"
                    );
                    if after % 50 == 0 || after >= whole {
                        let row = fixture.closed_row(&wire);
                        let request = json!([{
                            "sequence": entry["sequence"], "bytes_in": request.len(), "bytes_out": after.min(whole),
                            "complete": true, "processed": true,
                        }]);
                        assert_eq!(row["requests"], request, "{rule}");
                        assert_eq!(row["connection"], entry["connection"], "{rule}");
                    }
                    fixture.control("reset", "");
                    fixture.control("zego/join", r#"{"room_id":"room","user_id":"alice"}"#);
                }
            }
        }
    }
}

#[test]
fn a_request_cut_matches_by_vendor_and_action() {
    for fixture in both() {
        fixture.fault(r#"{"vendor": "volcengine", "cut_request_after": 40}"#);
        fixture.fault(r#"{"vendor": "zego", "action": "SendBarrageMessage", "cut_request_after": 40}"#);
        let mut wire = fixture.connect();
        wire.send(&fixture.command());
        assert!(wire.answer().starts_with("HTTP/1.1 200"));
        wire.send(&unicast(&fixture));
        assert_eq!(wire.rest(), (Vec::new(), fixture.fin()));
        let row = fixture.closed_row(&wire);
        assert_eq!(row["requests"][0]["processed"], true);
        assert_eq!(
            (&row["requests"][1]["processed"], &row["requests"][1]["bytes_in"]),
            (&json!(false), &json!(40))
        );
    }
}

#[test]
fn a_request_that_arrives_in_pieces_is_cut_at_the_right_byte() {
    for fixture in both() {
        fixture.fault(r#"{"cut_request_after": 60, "count": 1}"#);
        let mut wire = fixture.connect();
        let request = fixture.command();
        wire.send(&request[..10]);
        fixture.row_when(&wire, |row| row["bytes_in"] == 10);
        wire.send(&request[10..]);
        assert_eq!(wire.rest(), (Vec::new(), fixture.fin()));
        assert_eq!(fixture.closed_row(&wire)["bytes_in"], 60);
    }
}

#[test]
fn control_requests_are_never_cut_and_never_listed() {
    for fixture in both() {
        fixture.fault(r#"{"cut_request_after": 0}"#);
        fixture.fault(r#"{"cut_answer_after": 0}"#);
        for _ in 0..3 {
            assert_eq!(fixture.get("health")["status"], "ok");
        }
        assert_eq!(fixture.connections(), Vec::<Value>::new());
        assert_eq!(fixture.get("faults")[0]["matched"], 0);
    }
}

#[test]
fn a_connection_dropped_at_accept_is_listed_without_bytes() {
    for fixture in both() {
        for (rule, end) in [
            (r#"{"drop_on_accept": true, "count": 1}"#, fixture.fin()),
            (r#"{"reset_on_accept": true, "count": 1}"#, End::Reset),
        ] {
            fixture.fault(rule);
            let before = fixture.connections().len();
            match fixture.try_connect() {
                Ok(mut wire) => assert_eq!(wire.rest(), (Vec::new(), end), "{rule}"),
                // The handshake fails, because the emulator does not answer it.
                Err(_) => assert_ne!(fixture.fin(), End::Closed, "{rule}"),
            }
            let rows = fixture.connections();
            assert_eq!(rows.len(), before + 1, "{rule}");
            let port = rows[before]["peer_port"].as_u64().unwrap();
            let row = fixture.row_of_port_when(u16::try_from(port).unwrap(), |row| row["open"] == false);
            assert_eq!((&row["bytes_in"], &row["requests"]), (&json!(0), &json!([])), "{rule}");
        }
        let mut wire = fixture.connect();
        wire.send(&fixture.command());
        assert!(wire.answer().starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn a_handshake_is_cut_after_the_client_hello() {
    let fixture = WireFixture::tls();
    for (reset, kind) in [
        (false, std::io::ErrorKind::UnexpectedEof),
        (true, std::io::ErrorKind::ConnectionReset),
    ] {
        fixture.fault(&json!({ "cut_handshake": true, "reset": reset, "count": 1 }).to_string());
        let error = fixture.try_connect().err().expect("no handshake");
        assert_eq!(error.kind(), kind);
    }
    fixture.connect();
}

#[test]
fn without_tls_there_is_no_handshake_to_cut() {
    let fixture = WireFixture::plain();
    fixture.fault(r#"{"cut_handshake": true}"#);
    let mut wire = fixture.connect();
    wire.send(&fixture.command());
    assert!(wire.answer().starts_with("HTTP/1.1 200"));
    assert_eq!(fixture.get("faults")[0]["matched"], 0);
}

#[test]
fn an_idle_close_follows_a_whole_answer_without_connection_close() {
    for fixture in both() {
        fixture.fault(r#"{"close_idle_after_answer": true, "skip": 1, "count": 1}"#);
        let mut wire = fixture.connect();
        wire.send(&fixture.command());
        let usual = wire.answer();
        wire.send(&fixture.command());
        let (answer, end) = wire.rest();
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(end, End::Closed);
        assert_eq!(answer.len(), usual.len());
        assert!(!answer.to_ascii_lowercase().contains("connection:"), "{answer}");
        assert_eq!(fixture.closed_row(&wire)["requests"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn a_stalled_request_gets_no_answer_and_its_connection_stays_open() {
    for fixture in both() {
        for processed in [false, true] {
            fixture.fault(&json!({ "stall": true, "processed": processed, "count": 1 }).to_string());
            let mut wire = fixture.connect();
            wire.send(&fixture.command());
            let row = fixture.row_when(&wire, |row| {
                let request = &row["requests"][0];
                request["complete"] == true && request["processed"] == processed
            });
            assert_eq!((&row["open"], &row["bytes_out"]), (&json!(true), &json!(0)));
            assert_eq!(fixture.ledger_of(&wire).len(), usize::from(processed));
            let port = wire.port;
            drop(wire);
            fixture.row_of_port_when(port, |row| row["open"] == false);
        }
    }
}

#[test]
fn a_stalled_connection_is_closed_when_the_emulator_stops() {
    let fixture = WireFixture::plain();
    fixture.fault(r#"{"stall": true}"#);
    let mut wire = fixture.connect();
    wire.send(&fixture.command());
    fixture.row_when(&wire, |row| row["requests"][0]["complete"] == true);
    drop(fixture);
    assert_eq!(wire.rest(), (Vec::new(), End::Closed));
}

#[test]
fn a_latency_delays_one_request_and_not_the_others() {
    for fixture in both() {
        fixture.control("zego/join", r#"{"room_id":"room","user_id":"bob"}"#);
        fixture.fault(r#"{"user": "alice", "latency_ms": 86400000}"#);
        let mut held = fixture.connect();
        held.send(&fixture.command_to("alice"));
        fixture.row_when(&held, |row| row["requests"][0]["complete"] == true);
        let mut passing = fixture.connect();
        passing.send(&fixture.command_to("bob"));
        assert!(passing.answer().starts_with("HTTP/1.1 200"));
        assert!(fixture.ledger_of(&held).is_empty());
        assert_eq!(fixture.ledger_of(&passing).len(), 1);
    }
}

#[test]
fn a_delayed_message_is_delivered_although_its_client_has_closed_the_connection() {
    let fixture = WireFixture::plain();
    fixture.fault(r#"{"latency_ms": 300}"#);
    let mut wire = fixture.connect();
    wire.send(&fixture.command());
    fixture.row_when(&wire, |row| row["requests"][0]["complete"] == true);
    let port = wire.port;
    drop(wire);
    fixture.row_of_port_when(port, |row| row["requests"][0]["processed"] == true);
    assert_eq!(fixture.get("ledger")[0]["accepted"], true);
}

#[test]
fn a_reset_drops_delayed_requests() {
    let fixture = WireFixture::plain();
    fixture.fault(r#"{"latency_ms": 86400000}"#);
    let mut wire = fixture.connect();
    wire.send(&fixture.command());
    fixture.row_when(&wire, |row| row["requests"][0]["complete"] == true);
    fixture.control("reset", "");
    assert_eq!(wire.rest(), (Vec::new(), End::Closed));
    assert_eq!(fixture.get("ledger"), json!([]));
}

#[test]
fn a_message_is_delivered_before_its_answers_latency() {
    for fixture in both() {
        fixture.fault(r#"{"answer_latency_ms": 86400000}"#);
        let mut wire = fixture.connect();
        wire.send(&fixture.command());
        let row = fixture.row_when(&wire, |row| row["requests"][0]["processed"] == true);
        assert_eq!(row["bytes_out"], 0);
        assert_eq!(fixture.ledger_of(&wire)[0]["accepted"], true);
    }
}

#[test]
fn a_connection_without_a_byte_is_listed() {
    let fixture = WireFixture::plain();
    let wire = fixture.connect();
    let row = fixture.row_when(&wire, |_| true);
    assert_eq!(
        row,
        json!({
            "connection": row["connection"], "peer_port": wire.port, "tls": false, "open": true,
            "bytes_in": 0, "bytes_out": 0, "requests": [],
        })
    );
}

#[test]
fn a_connection_lists_the_bytes_of_each_request() {
    for fixture in both() {
        let mut wire = fixture.connect();
        let (first, second) = (fixture.command(), unicast(&fixture));
        wire.send(&first);
        let first_answer = wire.answer();
        wire.send(&second);
        let second_answer = wire.answer();
        wire.send(b"GET /_emulator/health HTTP/1.1\r\nHost: h\r\n\r\n");
        wire.answer();
        let row = fixture.row_when(&wire, |_| true);
        assert_eq!(row["bytes_in"], first.len() + second.len());
        assert_eq!(row["bytes_out"], first_answer.len() + second_answer.len());
        assert_eq!(
            row["requests"],
            json!([
                { "sequence": 1, "bytes_in": first.len(), "bytes_out": first_answer.len(), "complete": true, "processed": true },
                { "sequence": 2, "bytes_in": second.len(), "bytes_out": second_answer.len(), "complete": true, "processed": true },
            ])
        );
    }
}

#[test]
fn a_reset_forgets_closed_connections_and_keeps_the_open_ones() {
    let fixture = WireFixture::plain();
    let (mut closed, mut open) = (fixture.connect(), fixture.connect());
    for wire in [&mut closed, &mut open] {
        wire.send(&fixture.command());
        wire.answer();
    }
    let port = closed.port;
    drop(closed);
    fixture.row_of_port_when(port, |row| row["open"] == false);
    fixture.control("reset", "");
    let rows = fixture.connections();
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["peer_port"], &rows[0]["bytes_in"]),
        (&json!(open.port), &json!(0))
    );
    assert_eq!(rows[0]["requests"], json!([]));
}
