//! Every message with every fault, over HTTP and TLS, with and without retries. Each row has the only correct delivery, and the
//! report is also compared with the emulator's ledger and connections.

mod common;

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::proxy::{ConnectProxy, Cut, ESTABLISHED, Fault};
use common::{SIGNAL, client_with, outcome};
use rtcmsg::{Client, Code, Delivery, Message, Payload, Report, SendOptions, SendTimeout, Vendor};
use rtcmsg_emulator::{Emulator, Options, TlsFiles};
use serde_json::Value;

const UNKNOWN: Delivery = Delivery::Unknown;
const NOT_SENT: Delivery = Delivery::NotSent;
const NOT_DELIVERED: Delivery = Delivery::NotDelivered;

/// The messages, each with its delivery without a fault.
const MESSAGES: [(Message, Delivery); 9] = [
    (
        Message::SendUnicast {
            from: "s",
            to: "alice",
            payload: Payload::Text("hi"),
        },
        Delivery::Accepted,
    ),
    (
        Message::SendRoomUnicast {
            room_id: "r",
            from: "s",
            to: "alice",
            payload: Payload::Binary(&[0]),
        },
        Delivery::Accepted,
    ),
    (
        Message::BatchSendRoomUnicast {
            room_id: "r",
            from: "s",
            to: &["alice", "bob"],
            payload: Payload::Text("hi"),
        },
        Delivery::Accepted,
    ),
    (
        Message::SendBroadcast {
            room_id: "r",
            from: "s",
            payload: Payload::Text("hi"),
        },
        Delivery::Accepted,
    ),
    (
        Message::P2PSendMessageToUsers {
            signal: SIGNAL,
            user_ids: &[10001],
        },
        Delivery::Delivered,
    ),
    // The answer may have no row for some members: the vendor has accepted the message for them.
    (Message::P2PSendMessageToAll { signal: SIGNAL }, Delivery::Accepted),
    (
        Message::P2PSendMessageToAllExcept {
            signal: SIGNAL,
            user_ids: &[10008],
        },
        Delivery::Accepted,
    ),
    (
        Message::SendCustomCommandToUsers {
            room_id: "r",
            from: "s",
            to: &["alice"],
            content: "hi",
        },
        Delivery::Accepted,
    ),
    (
        Message::SendCustomCommandToRoom {
            room_id: "r",
            from: "s",
            content: "hi",
        },
        Delivery::Accepted,
    ),
];

/// The expected outcome of a fault.
#[derive(Clone, Copy)]
enum Right {
    /// The same as without a fault.
    Ok,
    Is(Code, Delivery),
    /// With retries the same as without a fault; without retries this.
    OkIfRepeated(Code, Delivery),
    /// The client may see the end of the connection at the connect or after it. Nothing has arrived in either case.
    NotSentOrUnknown,
}

struct Row {
    fault: String,
    right: Right,
    /// Whether the vendor processes the message in spite of the fault.
    processed: bool,
}

fn row(fault: &str, right: Right, processed: bool) -> Row {
    Row {
        fault: fault.to_owned(),
        right,
        processed,
    }
}

fn is_zego(message: &Message) -> bool {
    message.vendor() == Vendor::Zego
}

fn is_to_named(message: &Message) -> bool {
    !matches!(message.recipients(), rtcmsg::Recipients::All)
}

/// The faults that do not depend on a number of bytes.
fn rows(message: &Message, tls: bool) -> Vec<Row> {
    use Code::{BadResponse, Connect, Rejected, Throttled, Timeout, VendorFault};
    use Right::{Is, NotSentOrUnknown, Ok, OkIfRepeated};
    let (unprocessed, unclear) = if is_zego(message) {
        (r#""error":50013"#, r#""error":1"#)
    } else {
        (r#""error":"ServiceUnavailableTemp""#, r#""error":"InternalError""#)
    };
    // 50013 means "not processed" only for a single recipient.
    let repeatable = match message {
        Message::SendCustomCommandToRoom { .. } => Is(VendorFault, UNKNOWN),
        _ => OkIfRepeated(VendorFault, NOT_DELIVERED),
    };
    let mut rows = vec![
        row(r#"{"latency_ms":1}"#, Ok, true),
        row(r#"{"answer_latency_ms":1}"#, Ok, true),
        row(r#"{"close_idle_after_answer":true}"#, Ok, true),
        row(
            r#"{"throttle":true,"count":1}"#,
            OkIfRepeated(Throttled, NOT_DELIVERED),
            false,
        ),
        row(
            r#"{"status":429,"html":true,"count":1}"#,
            OkIfRepeated(Throttled, NOT_DELIVERED),
            false,
        ),
        row(&format!(r#"{{{unprocessed},"count":1}}"#), repeatable, false),
        row(&format!("{{{unclear}}}"), Is(VendorFault, UNKNOWN), false),
        row(
            &format!(r#"{{{unclear},"processed":true}}"#),
            Is(VendorFault, UNKNOWN),
            true,
        ),
        row(r#"{"status":404,"html":true}"#, Is(Rejected, NOT_DELIVERED), false),
        row(
            r#"{"status":302,"headers":{"Location":"http://127.0.0.1:1/"}}"#,
            Is(Rejected, NOT_DELIVERED),
            false,
        ),
        row(r#"{"stall":true}"#, Is(Timeout, UNKNOWN), false),
        row(r#"{"stall":true,"processed":true}"#, Is(Timeout, UNKNOWN), true),
    ];
    for status in [500, 502, 503, 504, 200] {
        for processed in [false, true] {
            let fault = format!(r#"{{"status":{status},"html":true,"processed":{processed}}}"#);
            rows.push(row(&fault, Is(BadResponse, UNKNOWN), processed));
        }
    }
    // Over TLS no request can have been written.
    let not_sent = OkIfRepeated(Connect, NOT_SENT);
    let at_accept = if tls { not_sent } else { NotSentOrUnknown };
    rows.push(row(r#"{"drop_on_accept":true,"count":1}"#, at_accept, false));
    rows.push(row(r#"{"reset_on_accept":true,"count":1}"#, at_accept, false));
    if tls {
        rows.push(row(r#"{"cut_handshake":true,"count":1}"#, not_sent, false));
        rows.push(row(r#"{"cut_handshake":true,"reset":true,"count":1}"#, not_sent, false));
    }
    rows
}

/// One message and one emulator.
struct Setup {
    emulator: Arc<Emulator>,
    /// The proxy that the client uses if `settings` name it.
    proxy: ConnectProxy,
    url: String,
    settings: Vec<(&'static str, String)>,
    message: Message<'static>,
    when_ok: Delivery,
    cases: usize,
    wrong: String,
}

impl Setup {
    fn new(message: Message<'static>, when_ok: Delivery, tls: Option<&TlsFiles>, attempts: &str) -> Setup {
        let options = Options {
            quota: false,
            tls: tls.cloned(),
            ..Options::default()
        };
        let emulator = Arc::new(Emulator::start(options).unwrap());
        let url = emulator.url().replace("https://127.0.0.1", "https://localhost");
        let mut settings = vec![
            ("retry.max_attempts", attempts.to_owned()),
            ("retry.backoff_ms", "0".to_owned()),
        ];
        if let Some(files) = tls {
            settings.push(("tls.ca_file", files.certificate.to_str().unwrap().to_owned()));
        }
        Setup {
            emulator,
            proxy: ConnectProxy::start(),
            url,
            settings,
            message,
            when_ok,
            cases: 0,
            wrong: String::new(),
        }
    }

    fn control(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, answer) = self.emulator.control(method, path, body);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    fn client(&self) -> Client {
        let settings: Vec<_> = self
            .settings
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        client_with(&self.url, &settings)
    }

    /// Resets the emulator and makes all users present.
    fn begin(&self) {
        self.control("POST", "reset", "");
        self.control("POST", "volcengine/join", r#"{"room_id":"r","user_id":"alice"}"#);
        self.control("POST", "zego/join", r#"{"room_id":"r","user_id":"alice"}"#);
        for user in [10008, 10001] {
            let member = format!(
                r#"{{"conversation_id":{},"user_id":{user},"devices":["Web"]}}"#,
                SIGNAL.conversation_id
            );
            self.control("POST", "im/join", &member);
        }
    }

    fn send(&self, client: &Client) -> Report {
        self.send_within(client, 250)
    }

    /// The timeout is long where the emulator answers, and `stall_ms` where it stalls.
    fn send_within(&self, client: &Client, stall_ms: u64) -> Report {
        let timeout = SendTimeout::After(Duration::from_millis(if self.is_stalling() {
            stall_ms
        } else {
            60_000
        }));
        client
            .send(
                &self.message,
                &SendOptions {
                    timeout,
                    ..SendOptions::default()
                },
            )
            .unwrap()
    }

    fn is_stalling(&self) -> bool {
        let rules = self.control("GET", "faults", "");
        rules
            .as_array()
            .unwrap()
            .iter()
            .any(|rule| rule["rule"]["stall"] == true)
    }

    /// The numbers of bytes of this message's request and answer.
    fn lengths(&self) -> (u64, u64) {
        self.begin();
        assert_eq!(self.send(&self.client()).delivery(), self.when_ok);
        // The client is dropped. After its connection has ended, all bytes on it are counted.
        loop {
            let connections = self.connections();
            if connections[0]["open"] == false {
                let request = &connections[0]["requests"][0];
                return (
                    request["bytes_in"].as_u64().unwrap(),
                    request["bytes_out"].as_u64().unwrap(),
                );
            }
            std::thread::yield_now();
        }
    }

    /// The connections on which a byte of a request has arrived since the reset. A connection of an earlier row may still be closing.
    fn connections(&self) -> Vec<Value> {
        let Value::Array(all) = self.control("GET", "connections", "") else {
            panic!("no list")
        };
        all.into_iter()
            .filter(|connection| connection["requests"][0].is_object())
            .collect()
    }

    fn play(&mut self, row: &Row) {
        // On a busy machine the connect alone may take the timeout of a stall. Then the row is played again with a longer one.
        for stall_ms in [250, 2_000, 16_000] {
            self.begin();
            self.emulator.add_fault(row.fault.parse().unwrap());
            let client = self.client();
            let report = self.send_within(&client, stall_ms);
            if (report.code(), report.delivery()) != (Code::Timeout, NOT_SENT) || stall_ms == 16_000 {
                return self.judge_report(row, &report);
            }
        }
    }

    fn send_and_judge(&mut self, row: &Row) {
        let client = self.client();
        let report = self.send(&client);
        self.judge_report(row, &report);
    }

    fn judge_report(&mut self, row: &Row, report: &Report) {
        self.cases += 1;
        let is_repeated = self.settings[0].1 != "1";
        let right: Vec<(Code, Delivery)> = match row.right {
            Right::Ok => vec![(Code::Ok, self.when_ok)],
            Right::Is(code, delivery) => vec![(code, delivery)],
            Right::OkIfRepeated(..) if is_repeated => vec![(Code::Ok, self.when_ok)],
            Right::OkIfRepeated(code, delivery) => vec![(code, delivery)],
            Right::NotSentOrUnknown => {
                // A failure at the connect is retried if retries are allowed.
                let refused = if is_repeated {
                    (Code::Ok, self.when_ok)
                } else {
                    (Code::Connect, NOT_SENT)
                };
                vec![refused, (Code::Disconnected, UNKNOWN)]
            }
        };
        if let Err(why) = self.judge(row, report, &right) {
            let action = self.message.action().name();
            writeln!(
                self.wrong,
                "{action}, {}, {}: {why}: {}",
                self.settings[0].1,
                row.fault,
                report.summary()
            )
            .unwrap();
        }
    }

    /// Checks that the report is the expected one and agrees with the emulator's ledger.
    fn judge(&self, row: &Row, report: &Report, right: &[(Code, Delivery)]) -> Result<(), &'static str> {
        let delivery = report.delivery();
        if !right.contains(&outcome(report)) {
            return Err("not the right delivery");
        }
        // If the whole includes members without a row, the vendor's answer for a member with a row may be more definite.
        let says_more =
            |row: Delivery| !is_to_named(&self.message) && (row, delivery) == (Delivery::Delivered, Delivery::Accepted);
        let mut rows = report.recipients().iter().map(|recipient| recipient.delivery);
        if rows.any(|row| row != delivery && !says_more(row)) {
            return Err("a recipient differs");
        }
        let ledger = self.control("GET", "ledger", "");
        let accepted = ledger
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["accepted"] == true)
            .count();
        if accepted > 1 {
            return Err("in the ledger twice");
        }
        if delivery.is_success() != (accepted == 1) && delivery != UNKNOWN {
            return Err("the ledger disagrees");
        }
        if delivery == UNKNOWN && row.processed != (accepted == 1) {
            return Err("the fault did not do what the row says");
        }
        let connections = self.connections();
        if delivery == NOT_SENT && !connections.is_empty() {
            return Err("not sent, and yet something arrived");
        }
        let processed = |connection: &&Value| {
            connection["requests"]
                .as_array()
                .unwrap()
                .iter()
                .any(|request| request["processed"] == true)
        };
        if connections.iter().filter(processed).count() != accepted {
            return Err("the connections disagree with the ledger");
        }
        let tries: usize = report.requests().iter().map(|request| request.attempts.len()).sum();
        if connections.len() > tries {
            return Err("more connections than attempts");
        }
        Ok(())
    }

    /// The same through a proxy whose first connection has `fault`.
    fn play_behind_proxy(&mut self, fault: Fault, row: &Row) {
        self.begin();
        self.proxy.meets(fault);
        self.send_and_judge(row);
    }

    fn play_all_behind_proxy(&mut self, tls: bool) {
        use Right::{Is, Ok, OkIfRepeated};
        self.settings.push(("http.proxy", self.proxy.url.clone()));
        let refused_for_now = OkIfRepeated(Code::Connect, NOT_SENT);
        for (status, right) in [
            (401, Is(Code::Proxy, NOT_SENT)),
            (403, Is(Code::Proxy, NOT_SENT)),
            (407, Is(Code::Proxy, NOT_SENT)),
            (502, refused_for_now),
        ] {
            let answer = format!("HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n\r\n");
            let row = row(&format!("{status} at CONNECT"), right, false);
            self.play_behind_proxy(Fault::Answers(answer), &row);
        }
        for length in 0..ESTABLISHED.len() {
            let row = row(&format!("{length} bytes of CONNECT's answer"), refused_for_now, false);
            self.play_behind_proxy(Fault::Answers(ESTABLISHED[..length].to_owned()), &row);
        }
        let more = format!("{ESTABLISHED}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{{}}");
        let row_of_more = row("bytes behind CONNECT's answer", refused_for_now, false);
        self.play_behind_proxy(Fault::AnswersInPieces(vec![more]), &row_of_more);
        let pieces = ESTABLISHED.chars().map(String::from).collect();
        let row_of_pieces = row("CONNECT's answer byte by byte", Ok, true);
        self.play_behind_proxy(Fault::AnswersInPieces(pieces), &row_of_pieces);

        let at_once = if tls { refused_for_now } else { Right::NotSentOrUnknown };
        self.play_behind_proxy(Fault::Cuts(Cut::AtOnce), &row("the tunnel cut at once", at_once, false));
        let cut = Is(Code::Disconnected, UNKNOWN);
        let row_before = row("the tunnel cut before the request", cut, false);
        self.play_behind_proxy(Fault::Cuts(Cut::BeforeRequest), &row_before);
        let emulator = self.emulator.clone();
        let wait = Arc::new(move || {
            let is_accepted = |entry: &Value| entry["accepted"] == true;
            while !emulator
                .control("GET", "ledger", "")
                .1
                .as_array()
                .unwrap()
                .iter()
                .any(is_accepted)
            {
                std::thread::yield_now();
            }
        });
        let row_after = row("the tunnel cut after the request", cut, true);
        self.play_behind_proxy(Fault::Cuts(Cut::AfterRequest(wait)), &row_after);
    }

    fn play_all(&mut self, tls: bool) {
        let (request, answer) = self.lengths();
        for row in rows(&self.message, tls) {
            self.play(&row);
        }
        let cut = Right::Is(Code::Disconnected, UNKNOWN);
        for bytes in 0..=request {
            self.play(&row(&format!(r#"{{"cut_request_after":{bytes}}}"#), cut, false));
        }
        for bytes in 0..=answer {
            let right = if bytes < answer { cut } else { Right::Ok };
            self.play(&row(&format!(r#"{{"cut_answer_after":{bytes}}}"#), right, true));
        }
        for bytes in [0, 1, request / 2, request] {
            self.play(&row(
                &format!(r#"{{"cut_request_after":{bytes},"reset":true}}"#),
                cut,
                false,
            ));
        }
        assert_eq!(
            self.lengths(),
            (request, answer),
            "the lengths by which the cuts were chosen still hold"
        );
    }
}

#[test]
fn reports_agree_with_the_ledger() {
    play_for_every_message("fault_matrix", Setup::play_all);
}

#[test]
fn reports_agree_with_the_ledger_behind_a_proxy() {
    play_for_every_message("fault_matrix_proxy", Setup::play_all_behind_proxy);
}

fn play_for_every_message(name: &str, play: impl Fn(&mut Setup, bool) + Sync) {
    let files = common::certificate(name);
    let mut labs = Vec::new();
    for tls in [true, false] {
        for attempts in ["1", "3"] {
            labs.extend(MESSAGES.map(|(message, when_ok)| (message, when_ok, tls, attempts)));
        }
    }
    let next = AtomicUsize::new(0);
    let cases = AtomicUsize::new(0);
    let wrong = Mutex::new(String::new());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((message, when_ok, tls, attempts)) = labs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut setup = Setup::new(*message, *when_ok, tls.then_some(&files), attempts);
                    play(&mut setup, *tls);
                    cases.fetch_add(setup.cases, Ordering::Relaxed);
                    wrong.lock().unwrap().push_str(&setup.wrong);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    // Written directly, because the test runner would hide the number in a successful run.
    let mut output = std::io::stdout();
    writeln!(output, "{name}: {} cases held", cases.load(Ordering::Relaxed)).unwrap();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.lines().count(),
        wrong.lines().take(40).collect::<Vec<_>>().join("\n")
    );
}
