//! Proxies: through which proxy a message is sent, and what is reported if the proxy refuses it. The unit tests of
//! src/http/proxy/mod.rs check each rule.

mod common;

use std::io::Read;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use common::proxy::{ConnectProxy, ESTABLISHED, Fault};
use common::{Peer, UNICAST, client_with, emulator, outcome, read_request, send};
use rtcmsg::{Client, Code, Delivery, Report, SendOptions, SendTimeout};
use rtcmsg_emulator::{Emulator, Options};

/// The way of a message to the vendor.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    ThroughA,
    ThroughB,
    Direct,
    /// The client could not be created, with an error that has this text.
    Refused(&'static str),
}

/// Environment variables, an endpoint, and the expected way to it.
type Row<'a> = (&'a [(&'a str, &'a str)], &'a str, Way);

/// Runs in a child process: sends one message to the endpoint `TEST_ENDPOINT` with the environment of the process.
#[test]
#[ignore = "the_environment_selects_the_proxy runs it in a process of its own"]
fn child() {
    let url = std::env::var("TEST_ENDPOINT").unwrap();
    let mut config = common::config(&url);
    config.set("http.proxy", "env").unwrap();
    if let Ok(ca_file) = std::env::var("TEST_CA_FILE") {
        config.set("tls.ca_file", &ca_file).unwrap();
    }
    match Client::new(&config) {
        Err(error) => println!("refused {}: {}", error.field, error.message),
        Ok(client) => println!("sent {:?}", outcome(&send(&client, &UNICAST))),
    }
}

fn send_in_child(endpoint: &str, ca_file: &str, variables: &[(&str, String)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for (name, _) in std::env::vars().filter(|(name, _)| name.to_lowercase().ends_with("_proxy")) {
        command.env_remove(name);
    }
    let output = command
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env("TEST_ENDPOINT", endpoint)
        .env("TEST_CA_FILE", ca_file)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_environment_selects_the_proxy() {
    use Way::{Direct, Refused, ThroughA, ThroughB};
    let files = common::certificate("environment");
    let ca_file = files.certificate.to_str().unwrap().to_owned();
    let options = Options {
        tls: Some(files),
        ..Options::default()
    };
    let https = Emulator::start(options).unwrap();
    let http = emulator();
    // The certificate is for `localhost`.
    let https_url = https.url().replace("127.0.0.1", "localhost");
    let (a, b) = (ConnectProxy::start(), ConnectProxy::start());
    #[rustfmt::skip]
    let rows: &[Row] = &[
        (&[("https_proxy", "A"), ("http_proxy", "A"), ("all_proxy", "socks5://127.0.0.1:1")], &https_url, ThroughA),
        (&[("https_proxy", "A"), ("http_proxy", "A"), ("all_proxy", "socks5://127.0.0.1:1")], http.url(), ThroughA),
        (&[("https_proxy", "A"), ("http_proxy", "A"), ("all_proxy", "socks4://127.0.0.1:1")], &https_url, ThroughA),
        (&[("https_proxy", "A"), ("http_proxy", "A"), ("all_proxy", "socks://127.0.0.1:1")], &https_url, ThroughA),
        (&[("all_proxy", "socks5h://127.0.0.1:1")], &https_url, Refused("all_proxy")),
        (&[("HTTPS_PROXY", "http://u:p@ss word@h:1")], &https_url, Refused("HTTPS_PROXY")),
        (&[("HTTPS_PROXY", "A"), ("ALL_PROXY", "B")], &https_url, ThroughA),
        (&[("HTTPS_PROXY", "A"), ("ALL_PROXY", "B")], http.url(), ThroughA),
        (&[("ALL_PROXY", "B")], &https_url, ThroughB),
        (&[("HTTPS_PROXY", "A"), ("NO_PROXY", "x, localhost")], &https_url, Direct),
        (&[("HTTPS_PROXY", "A"), ("NO_PROXY", "127.0.0.0/8")], http.url(), Direct),
        (&[("HTTPS_PROXY", "A"), ("NO_PROXY", "127.0.0.0/8")], &https_url, ThroughA),
        (&[], &https_url, Direct),
    ];
    for (variables, endpoint, expected) in rows {
        let before = (a.requests().len(), b.requests().len());
        let placed: Vec<(&str, String)> = variables
            .iter()
            .map(|(name, value)| match *value {
                "A" => (*name, a.url.clone()),
                "B" => (*name, b.url.clone()),
                value => (*name, value.to_owned()),
            })
            .collect();
        let said = send_in_child(endpoint, &ca_file, &placed);
        let way = match (a.requests().len() - before.0, b.requests().len() - before.1) {
            (1, 0) => ThroughA,
            (0, 1) => ThroughB,
            (0, 0) if said.contains("refused http.proxy: ") => *expected,
            (0, 0) => Direct,
            both => panic!("{variables:?}: {both:?} requests"),
        };
        assert_eq!(way, *expected, "{variables:?} {endpoint}: {said}");
        match expected {
            Refused(text) => assert!(said.contains(text) && !said.contains("ss word"), "{said}"),
            _ => assert!(said.contains("sent (Ok, Accepted)"), "{variables:?} {endpoint}: {said}"),
        }
    }
}

/// The report of a send through a proxy with one fault, and how often the client asked the proxy for a tunnel.
fn behind(fault: Fault, attempts: &str) -> (Report, usize) {
    let emulator = emulator();
    let proxy = ConnectProxy::start();
    proxy.meets(fault);
    let url = proxy.url.replace("http://", "http://user:hunter2@");
    let settings = [
        ("http.proxy", url.as_str()),
        ("retry.max_attempts", attempts),
        ("retry.backoff_ms", "0"),
    ];
    let client = client_with(emulator.url(), &settings);
    let report = send(&client, &UNICAST);
    (report, proxy.requests().len())
}

#[test]
fn a_refusal_by_the_proxy_is_not_retried_and_a_failure_behind_it_is() {
    for (status, is_final) in [
        (302, true),
        (400, true),
        (401, true),
        (403, true),
        (404, true),
        (405, true),
        (407, true),
        (408, false),
        (429, false),
        (500, false),
        (502, false),
        (503, false),
        (504, false),
    ] {
        let refusal = Fault::Answers(format!("HTTP/1.1 {status} hunter2\r\nContent-Length: 0\r\n\r\n"));
        let (report, connects) = behind(refusal.clone(), "3");
        if is_final {
            assert_eq!(
                outcome(&report),
                (Code::Proxy, Delivery::NotSent),
                "{}",
                report.summary()
            );
        } else {
            assert_eq!(
                outcome(&report),
                (Code::Ok, Delivery::Accepted),
                "{status}: {}",
                report.summary()
            );
        }
        assert_eq!(connects, if is_final { 1 } else { 2 }, "{status}");
        let (report, _) = behind(refusal, "1");
        let code = if is_final { Code::Proxy } else { Code::Connect };
        assert_eq!(outcome(&report), (code, Delivery::NotSent), "{}", report.summary());
        let text = report.summary();
        assert!(text.contains(&format!("status {status}")), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

/// A wrong proxy password is wrong for every endpoint, and some proxies lock an account that repeats it.
#[test]
fn a_proxy_that_wants_credentials_is_not_asked_for_another_endpoint() {
    let emulator = emulator();
    for (status, connects) in [(401, 1), (407, 1), (403, 2)] {
        let proxy = ConnectProxy::start();
        let refusal = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
        for _ in 0..2 {
            proxy.meets(Fault::Answers(refusal.clone()));
        }
        let endpoints = "http://127.0.0.1:1@cn-north-1,http://127.0.0.1:2@cn-north-1";
        let client = client_with(
            emulator.url(),
            &[("volcengine.endpoint", endpoints), ("http.proxy", &proxy.url)],
        );
        let report = send(&client, &UNICAST);
        assert_eq!(
            outcome(&report),
            (Code::Proxy, Delivery::NotSent),
            "{}",
            report.summary()
        );
        assert_eq!(proxy.requests().len(), connects, "{status}");
    }
}

#[test]
fn an_invalid_answer_of_a_proxy_is_refused() {
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(),
        "\x05\x00\r\n\r\n".to_owned(),
        "HTTP/1.1 OK\r\n\r\n".to_owned(),
        "x".repeat(64 * 1024),
    ] {
        let (report, connects) = behind(Fault::AnswersInPieces(vec![answer]), "3");
        assert_eq!(
            outcome(&report),
            (Code::Proxy, Delivery::NotSent),
            "{}",
            report.summary()
        );
        assert_eq!(connects, 1);
    }
}

#[test]
fn an_answer_in_pieces_and_with_many_headers_is_read() {
    let pieces = ESTABLISHED.chars().map(String::from).collect();
    let (report, _) = behind(Fault::AnswersInPieces(pieces), "1");
    assert_eq!(outcome(&report), (Code::Ok, Delivery::Accepted), "{}", report.summary());
    let headers: String = (0..100).map(|number| format!("X-{number}: y\r\n")).collect();
    let answer = format!("HTTP/1.0 204 Fine\r\n{headers}\r\n");
    let (report, _) = behind(Fault::AnswersInPieces(vec![answer]), "1");
    assert_eq!(outcome(&report), (Code::Ok, Delivery::Accepted), "{}", report.summary());
}

#[test]
fn the_proxy_is_asked_for_a_tunnel_once_with_user_and_password() {
    let emulator = emulator();
    let proxy = ConnectProxy::start();
    let url = proxy.url.replace("http://", "http://corpuser:77%2F34%40:x@");
    {
        let client = client_with(emulator.url(), &[("http.proxy", &url)]);
        for _ in 0..3 {
            assert_eq!(send(&client, &UNICAST).code(), Code::Ok);
        }
    }
    let host = emulator.url().trim_start_matches("http://");
    // "corpuser:77/34@:x"
    let authorization = "Proxy-Authorization: Basic Y29ycHVzZXI6NzcvMzRAOng=";
    let agent = format!("User-Agent: rtcmsg/{}", env!("CARGO_PKG_VERSION"));
    let request = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n{agent}\r\n{authorization}\r\n\r\n");
    assert_eq!(proxy.requests(), [request]);
}

#[test]
fn nothing_is_sent_if_no_proxy_listens_and_the_text_names_the_proxy() {
    let emulator = emulator();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://user:hunter2@{address}");
    let report = send(&client_with(emulator.url(), &[("http.proxy", &url)]), &UNICAST);
    assert_eq!(
        outcome(&report),
        (Code::Connect, Delivery::NotSent),
        "{}",
        report.summary()
    );
    assert!(
        report.summary().contains(&format!("the proxy {address}")),
        "{}",
        report.summary()
    );
    assert!(!report.summary().contains("hunter2"), "{}", report.summary());

    let client = client_with(emulator.url(), &[("http.proxy", "http://proxy.invalid:3128")]);
    let report = send(&client, &UNICAST);
    assert_eq!(
        outcome(&report),
        (Code::Resolve, Delivery::NotSent),
        "{}",
        report.summary()
    );
    assert!(report.summary().contains("proxy.invalid"), "{}", report.summary());
}

#[test]
fn a_call_through_a_proxy_that_never_answers_ends_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = client_with("http://127.0.0.1:1", &[("http.proxy", &url)]);
    let options = SendOptions {
        timeout: SendTimeout::After(Duration::from_millis(50)),
        ..SendOptions::default()
    };
    let report = client.send(&UNICAST, &options).unwrap();
    let expected = (Code::Timeout, Delivery::NotSent);
    assert_eq!(outcome(&report), expected, "{}", report.summary());
}

#[test]
fn a_close_ends_the_wait_for_the_answer_of_a_proxy() {
    let (asked, wait) = std::sync::mpsc::channel();
    let peer = Peer::new(1, move |mut stream| {
        read_request(&mut stream);
        asked.send(()).unwrap();
        let _ = stream.read(&mut [0; 1]);
    });
    let settings = [
        ("http.proxy", peer.url.as_str()),
        ("http.timeout_ms", "600000"),
        ("http.connect_timeout_ms", "600000"),
    ];
    let client = client_with("http://127.0.0.1:1", &settings);
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

/// Debian's tinyproxy with a user, a password, and a host that it refuses.
struct Tinyproxy {
    process: Child,
    address: String,
}

impl Tinyproxy {
    fn start() -> Tinyproxy {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tinyproxy");
        std::fs::create_dir_all(&folder).unwrap();
        let (settings, filter) = (folder.join("tinyproxy.conf"), folder.join("filter"));
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        std::fs::write(&filter, "^blocked").unwrap();
        let text = format!(
            "Port {}\nListen 127.0.0.1\nBasicAuth corpuser hunter.2\nFilter \"{}\"\n",
            address.port(),
            filter.display()
        );
        std::fs::write(&settings, text).unwrap();
        let mut command = Command::new("tinyproxy");
        command
            .arg("-d")
            .arg("-c")
            .arg(&settings)
            .stdout(std::process::Stdio::null());
        let mut process = command.spawn().expect("tinyproxy, which `make test-rust` sees to");
        while std::net::TcpStream::connect(address).is_err() {
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "tinyproxy ended: {ended:?}");
            std::thread::yield_now();
        }
        Tinyproxy {
            process,
            address: address.to_string(),
        }
    }

    fn outcome(&self, user_and_password: &str, endpoint: &str) -> (Code, Delivery) {
        let url = format!("http://{user_and_password}@{}", self.address);
        let client = client_with(
            "http://127.0.0.1:1",
            &[("volcengine.endpoint", endpoint), ("http.proxy", &url)],
        );
        let report = send(&client, &UNICAST);
        assert!(!report.summary().contains("hunter"), "{}", report.summary());
        outcome(&report)
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_real_proxy_forwards_what_it_allows() {
    let emulator = emulator();
    let proxy = Tinyproxy::start();
    let sent = (Code::Ok, Delivery::Accepted);
    let refused = (Code::Proxy, Delivery::NotSent);
    let unreachable = (Code::Connect, Delivery::NotSent);
    for (user_and_password, endpoint, expected) in [
        ("corpuser:hunter%2E2", emulator.url(), sent),
        ("corpuser:hunter3", emulator.url(), refused),
        ("", emulator.url(), refused),
        ("corpuser:hunter.2", "https://blocked.test", refused),
        ("corpuser:hunter.2", "http://127.0.0.1:1", unreachable),
        ("corpuser:hunter.2", "https://name.invalid", unreachable),
    ] {
        let found = proxy.outcome(user_and_password, endpoint);
        assert_eq!(found, expected, "{user_and_password} {endpoint}");
    }
}
