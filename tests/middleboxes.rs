//! Real nginx and haproxy between client and vendor. They close connections after a number of requests or when idle, and
//! answer instead of a vendor that has failed. Each report is compared with what the emulator received.

mod common;

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{config, send};
use rtcmsg::{Code, Delivery, Dispatcher, Message, Payload, Report};
use rtcmsg_emulator::{Emulator, Options, TlsFiles};
use serde_json::Value;

/// A program that runs for one test, in its own folder.
struct Middlebox {
    process: Child,
    port: u16,
    folder: PathBuf,
}

impl Drop for Middlebox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Middlebox {
    /// Starts the program. It listens on a free port when this returns. `configuration` gets the port and the folder.
    fn start(test: &str, program: &str, configuration: impl Fn(u16, &Path) -> String) -> Middlebox {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        fs::create_dir_all(&folder).expect("a folder");
        // Another program may use the port between its choice and the start.
        let started = (0..5).find_map(|_| {
            let port = free_port();
            fs::write(folder.join("configuration"), configuration(port, &folder)).expect("written");
            let process = command(program, &folder).spawn();
            let process =
                process.unwrap_or_else(|error| panic!("{program}: {error}; `make need-middleboxes` installs it"));
            let mut middlebox = Middlebox {
                process,
                port,
                folder: folder.clone(),
            };
            middlebox.listens().then_some(middlebox)
        });
        let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
        started.unwrap_or_else(|| panic!("{program} does not start: {}", log()))
    }

    fn listens(&mut self) -> bool {
        while self.process.try_wait().expect("a process").is_none() {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }

    fn plain_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// Settings that make nginx run in the foreground, as one process that ends with the test.
fn command(program: &str, folder: &Path) -> Command {
    let installed = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"].map(|place| Path::new(place).join(program));
    let found = installed.iter().find(|path| path.exists());
    let mut command = Command::new(found.map_or(Path::new(program), PathBuf::as_path));
    match program {
        "nginx" => command
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(folder.join("configuration")),
        _ => command.arg("-db").arg("-f").arg(folder.join("configuration")),
    };
    let log = fs::File::create(folder.join("log")).expect("a log");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command
}

/// Starts nginx before a vendor at `behind`, with these lines in its server block.
fn nginx(test: &str, behind: &str, lines: &str, tls: Option<&TlsFiles>) -> Middlebox {
    let behind = behind.replace("http://", "");
    let (ssl, certificate) = match tls {
        None => ("", String::new()),
        Some(files) => {
            let (certificate, key) = (files.certificate.display(), files.key.display());
            (
                " ssl",
                format!("ssl_certificate {certificate}; ssl_certificate_key {key};"),
            )
        }
    };
    Middlebox::start(test, "nginx", |port, folder| {
        let folder = folder.display();
        format!(
            "daemon off; master_process off; pid {folder}/pid; error_log stderr;
             events {{ worker_connections 256; }}
             http {{
               access_log off;
               client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
               uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
               upstream vendor {{ server {behind}; keepalive 4; }}
               server {{
                 listen 127.0.0.1:{port}{ssl}; {certificate}
                 {lines}
                 location / {{
                   proxy_pass http://vendor; proxy_http_version 1.1; proxy_read_timeout 2s;
                   proxy_set_header Connection ''; proxy_set_header Host $http_host;
                 }}
               }}
             }}"
        )
    })
}

/// Starts haproxy before a vendor at `behind`, with these lines in its frontend. It has one thread, so that the timeouts of
/// connections end in the order of the connections.
fn haproxy(test: &str, behind: &str, lines: &str) -> Middlebox {
    let behind = behind.replace("http://", "");
    Middlebox::start(test, "haproxy", |port, _| {
        format!(
            "global\n  nbthread 1\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 2s\n\
             frontend front\n  bind 127.0.0.1:{port}\n  {lines}\n  default_backend vendor\n\
             backend vendor\n  server vendor {behind}\n"
        )
    })
}

fn emulator() -> Emulator {
    let emulator = Emulator::start(Options {
        quota: false,
        ..Options::default()
    })
    .expect("an emulator");
    for vendor in ["volcengine", "zego"] {
        let member = r#"{"room_id":"lobby","user_id":"alice"}"#;
        assert_eq!(emulator.control("POST", &format!("{vendor}/join"), member).0, 200);
    }
    emulator
}

fn sender(url: &str, settings: &[(&str, &str)]) -> Dispatcher {
    let mut config = config(url);
    for (key, value) in settings {
        config.set(key, value).expect(key);
    }
    Dispatcher::new(&config).expect("a client")
}

/// A POST to one vendor and a GET to the other, alternately.
fn message(number: usize, content: &str) -> Message<'_> {
    if number % 2 == 0 {
        Message::SendRoomUnicast {
            room_id: "lobby",
            from: "server",
            to: "alice",
            payload: Payload::Text(content),
        }
    } else {
        Message::SendCustomCommandToRoom {
            room_id: "lobby",
            from: "server",
            content,
        }
    }
}

/// The contents of messages, each with its report.
type Reports = Vec<(String, Report)>;

fn send_all(sender: &Dispatcher, name: &str, count: usize) -> Reports {
    let send_one = |number: usize| {
        let content = format!("{name} {number}");
        let report = send(sender.client(), &message(number, &content));
        (content, report)
    };
    (0..count).map(send_one).collect()
}

/// How often each content arrived.
fn arrived(emulator: &Emulator) -> HashMap<String, usize> {
    let mut times = HashMap::new();
    for vendor in ["volcengine", "zego"] {
        let (status, inbox) = emulator.control("GET", &format!("inbox?vendor={vendor}&user=alice"), "");
        assert_eq!(status, 200, "{inbox}");
        for entry in inbox.as_array().expect("a list") {
            let content = entry["payload"].as_str().expect("a payload").to_owned();
            *times.entry(content).or_insert(0) += 1;
        }
    }
    times
}

/// A message that arrived must not be reported as not sent or not delivered, and one that did not arrive must not be
/// reported as accepted.
fn check_truth(emulator: &Emulator, reports: &Reports) {
    let arrived = arrived(emulator);
    for (content, report) in reports {
        match (report.delivery(), arrived.get(content).copied().unwrap_or(0)) {
            (Delivery::Accepted, 1) | (Delivery::NotSent | Delivery::NotDelivered, 0) | (Delivery::Unknown, 0 | 1) => {}
            (_, times) => panic!("{content} arrived {times} times: {}", report.text()),
        }
    }
}

fn check_all_accepted(emulator: &Emulator, reports: &Reports) {
    for (content, report) in reports {
        assert_eq!(report.code(), Code::Ok, "{content}: {}", report.text());
    }
    check_truth(emulator, reports);
}

fn opened(sender: &Dispatcher) -> u64 {
    let stats: Value = serde_json::from_str(&sender.stats().expect("not forked")).expect("JSON");
    stats["http"]["connections_opened"].as_u64().expect("a figure")
}

#[test]
fn a_server_that_closes_connections_after_one_to_three_requests_loses_no_message() {
    let emulator = emulator();
    let files = common::certificate("middlebox_requests");
    for requests in 1..=3 {
        for tls in [None, Some(&files)] {
            let name = format!("{requests} requests, TLS {}", tls.is_some());
            let nginx = nginx(
                &format!("nginx_requests_{requests}_{}", tls.is_some()),
                emulator.url(),
                &format!("keepalive_requests {requests};"),
                tls,
            );
            let plain = nginx.plain_url();
            let url = if tls.is_some() {
                plain.replace("http://127.0.0.1", "https://localhost")
            } else {
                plain
            };
            let ca_file = tls.map_or(String::new(), |files| files.certificate.display().to_string());
            let sender = sender(&url, &[("tls.ca_file", &ca_file)]);
            let reports: Reports = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4)
                    .map(|thread| {
                        let (sender, name) = (&sender, format!("{name}, thread {thread}"));
                        scope.spawn(move || send_all(sender, &name, 24))
                    })
                    .collect();
                threads
                    .into_iter()
                    .flat_map(|thread| thread.join().expect("sent"))
                    .collect()
            });
            check_all_accepted(&emulator, &reports);
            assert!(
                opened(&sender) >= 96 / requests,
                "{name}: {} connections",
                opened(&sender)
            );
        }
    }
}

#[test]
fn a_server_that_closes_each_connection_loses_no_message() {
    let emulator = emulator();
    let boxes = [
        nginx("nginx_close", emulator.url(), "keepalive_timeout 0;", None),
        haproxy("haproxy_close", emulator.url(), "option httpclose"),
    ];
    for (index, middlebox) in boxes.iter().enumerate() {
        let sender = sender(&middlebox.plain_url(), &[]);
        let reports = send_all(&sender, &format!("close {index}"), 20);
        check_all_accepted(&emulator, &reports);
        assert_eq!(opened(&sender), 20);
    }
}

#[test]
fn a_connection_is_not_reused_in_the_last_second_of_the_announced_idle_limit() {
    let emulator = emulator();
    let announced = |seconds: u32| {
        let lines = format!("keepalive_timeout {seconds}s {seconds}s;");
        let nginx = nginx(&format!("nginx_idle_{seconds}"), emulator.url(), &lines, None);
        let lines = format!(
            "timeout http-keep-alive {seconds}s\n  http-response set-header Keep-Alive 'timeout={seconds}, max=100'"
        );
        [
            nginx,
            haproxy(&format!("haproxy_idle_{seconds}"), emulator.url(), &lines),
        ]
    };
    for (seconds, pause, connections) in [(1, 0, 4), (2, 1, 4), (60, 0, 1)] {
        for (index, middlebox) in announced(seconds).iter().enumerate() {
            let sender = sender(&middlebox.plain_url(), &[]);
            let mut reports = Reports::new();
            for number in 0..4 {
                // The pause ends within the last second of the limit.
                std::thread::sleep(Duration::from_secs(pause));
                reports.extend(send_all(&sender, &format!("idle {seconds}, {index}, {number}"), 1));
            }
            check_all_accepted(&emulator, &reports);
            assert_eq!(
                opened(&sender),
                connections,
                "{}, {seconds} s",
                middlebox.folder.display()
            );
        }
    }
}

#[test]
fn answers_of_nginx_for_a_failed_vendor_are_reported_correctly() {
    let emulator = emulator();
    let nginx = nginx("nginx_failed", emulator.url(), "", None);
    check_failures(&emulator, &nginx);
}

#[test]
fn answers_of_haproxy_for_a_failed_vendor_are_reported_correctly() {
    let emulator = emulator();
    let haproxy = haproxy("haproxy_failed", emulator.url(), "");
    check_failures(&emulator, &haproxy);
}

/// The vendor fails in every way, before and after it has processed the request.
fn check_failures(emulator: &Emulator, middlebox: &Middlebox) {
    let sender = sender(&middlebox.plain_url(), &[]);
    let in_the_body = shortest_answer(emulator) - 10;
    let in_the_body = format!(r#"{{"cut_answer_after":{in_the_body}}}"#);
    let faults = [
        (r#"{"stall":true}"#, false),
        (r#"{"stall":true,"processed":true}"#, true),
        (r#"{"cut_request_after":0}"#, false),
        (r#"{"cut_request_after":40,"reset":true}"#, false),
        (r#"{"cut_answer_after":0}"#, true),
        (r#"{"cut_answer_after":20}"#, true),
        (r#"{"cut_answer_after":0,"reset":true}"#, true),
        (&in_the_body, true),
        (r#"{"status":502,"html":true,"processed":true}"#, true),
        (r#"{"status":504,"html":true,"processed":false}"#, false),
    ];
    for (fault, is_processed) in faults {
        emulator.add_fault(fault.parse().expect("a fault"));
        let reports = send_all(&sender, fault, 2);
        check_truth(emulator, &reports);
        let arrived = arrived(emulator);
        for (content, report) in &reports {
            assert_eq!(report.delivery(), Delivery::Unknown, "{content}: {}", report.text());
            assert_eq!(arrived.contains_key(content), is_processed, "{content}");
        }
        assert_eq!(emulator.control("DELETE", "faults", "").0, 200);
        check_all_accepted(emulator, &send_all(&sender, &format!("after {fault}"), 2));
    }
}

/// The number of bytes of the shortest answer, head and body. It is measured without a middlebox, on connections that have ended,
/// because all bytes on them are counted then.
fn shortest_answer(emulator: &Emulator) -> u64 {
    check_all_accepted(emulator, &send_all(&sender(emulator.url(), &[]), "measured", 2));
    loop {
        let (_, connections) = emulator.control("GET", "connections", "");
        let connections = connections.as_array().expect("a list");
        if connections.iter().all(|connection| connection["open"] == false) {
            let requests = connections
                .iter()
                .flat_map(|connection| connection["requests"].as_array());
            let lengths = requests.flatten().map(|request| request["bytes_out"].as_u64());
            return lengths.flatten().min().expect("a request");
        }
        std::thread::yield_now();
    }
}

#[test]
fn answers_of_a_middlebox_without_a_vendor_are_reported_correctly() {
    let emulator = emulator();
    let unused = format!("http://127.0.0.1:{}", free_port());
    let boxes = [
        nginx("nginx_alone", &unused, "", None),
        haproxy("haproxy_alone", &unused, ""),
    ];
    for middlebox in &boxes {
        let sender = sender(&middlebox.plain_url(), &[]);
        let reports = send_all(&sender, "alone", 4);
        check_truth(&emulator, &reports);
        for (content, report) in &reports {
            assert_eq!(report.delivery(), Delivery::Unknown, "{content}: {}", report.text());
            assert!(
                [502, 503].contains(&report.requests()[0].http_status),
                "{}",
                report.text()
            );
        }
    }
}

/// haproxy sends 408 to a client that connects and sends no request. On a connection that was opened in advance, the client must
/// not treat this as the answer to a message.
#[test]
fn a_408_on_a_connection_opened_in_advance_is_not_the_answer_to_a_message() {
    let emulator = emulator();
    let haproxy = haproxy("haproxy_408", emulator.url(), "timeout http-request 500ms");
    let sender = sender(&haproxy.plain_url(), &[("worker.threads", "2")]);
    sender.warm_up(2).expect("connections");
    sender.flush(None).expect("not forked");
    assert_eq!(opened(&sender), 4);
    // A later connection gets its 408 after the earlier connections got theirs.
    let mut later = TcpStream::connect(("127.0.0.1", haproxy.port)).expect("connected");
    let mut answer = String::new();
    later.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains(" 408 "), "{answer}");
    let reports = send_all(&sender, "ahead", 2);
    check_all_accepted(&emulator, &reports);
    assert!(opened(&sender) > 4, "the connections opened ahead are not used");
}
