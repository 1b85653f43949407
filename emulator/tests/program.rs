//! The program: what it prints, what it refuses, and how it stops.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// The time limit of a wait. It is far longer than any correct wait, and makes a test that hangs fail.
const TIME_LIMIT: Duration = Duration::from_secs(60);

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_rtcmsg-emulator"))
}

fn output(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

/// A running program on a free port. It is killed when the value is dropped.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    host: String,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut command = program();
        command
            .args(["--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let host = first
            .strip_prefix("rtcmsg-emulator listening on http://")
            .expect(&first)
            .to_owned();
        Self { child, lines, host }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(TIME_LIMIT)).unwrap();
        stream
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for the program's end. Returns the exit code, the unread part of standard output, and standard error.
    fn end(mut self) -> (Option<i32>, Vec<String>, String) {
        let rest = self.lines.by_ref().map(Result::unwrap).collect();
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap().code(), rest, errors)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_help_lists_every_option() {
    let help = output(&["--help"]);
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).unwrap();
    let options = [
        "--port",
        "--host",
        "--allow-remote",
        "--tls-cert",
        "--tls-key",
        "--access-key",
        "--secret-key",
        "--session-token",
        "--region",
        "--rtc-app-id",
        "--im-app-id",
        "--zego-app-id",
        "--zego-server-secret",
        "--no-quota",
        "--allow-nonce-reuse",
        "--binary-limit-counts",
        "--faults",
        "--quiet",
        "--version",
    ];
    for option in options {
        assert!(help.contains(option), "{option} is not in the help");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = String::from_utf8(output(&["--version"]).stdout).unwrap();
    assert_eq!(version, format!("rtcmsg-emulator {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_host_that_other_machines_can_reach_must_be_allowed() {
    let refused = output(&["--host", "0.0.0.0", "--port", "0"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("--allow-remote"));
}

#[test]
fn the_credentials_are_printed_as_shell_exports() {
    let running = Running::start(&[]);
    let url = format!("http://{}", running.host);
    running.signal("TERM");
    let (code, rest, _) = running.end();
    let expected = [
        format!("export RTCMSG_VOLCENGINE_ENDPOINT={url}"),
        "export RTCMSG_VOLCENGINE_ACCESS_KEY=AKLTdemo".to_owned(),
        "export RTCMSG_VOLCENGINE_SECRET_KEY=demo-secret-key==".to_owned(),
        "export RTCMSG_VOLCENGINE_REGION=cn-north-1".to_owned(),
        "export RTCMSG_VOLCENGINE_RTC_APP_ID=661e000000000000000demo1".to_owned(),
        "export RTCMSG_VOLCENGINE_IM_APP_ID=666675".to_owned(),
        format!("export RTCMSG_ZEGO_ENDPOINT={url}"),
        "export RTCMSG_ZEGO_APP_ID=1234567890".to_owned(),
        "export RTCMSG_ZEGO_SERVER_SECRET=0123456789abcdef0123456789abcdef".to_owned(),
    ];
    assert_eq!((code, rest), (Some(0), expected.to_vec()));
}

#[test]
fn the_region_is_printed_unless_any_is_accepted() {
    for (arguments, printed) in [
        (["--region", "ap-singapore-1"], Some("ap-singapore-1")),
        (["--region", "any"], None),
    ] {
        let running = Running::start(&arguments);
        running.signal("TERM");
        let (_, rest, _) = running.end();
        let line = rest
            .iter()
            .find_map(|line| line.strip_prefix("export RTCMSG_VOLCENGINE_REGION="));
        assert_eq!(line, printed);
    }
}

#[test]
fn a_region_that_a_signature_cannot_name_is_refused() {
    for region in ["", "cn/north", "cn north", "cn,north"] {
        let refused = output(&["--port", "0", "--region", region]);
        assert_eq!(refused.status.code(), Some(2), "{region:?}");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("--region"), "{region:?}: {said}");
    }
}

#[test]
fn a_secret_that_the_user_set_is_never_printed() {
    let running = Running::start(&[
        "--secret-key",
        "mine-a",
        "--zego-server-secret",
        "mine-b",
        "--session-token",
        "mine-c",
    ]);
    let mut stream = running.connect();
    write!(
        stream,
        "GET /?Action=A&Version=1&AppId=2 HTTP/1.1\r\nAuthorization: HMAC-SHA256\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    running.signal("INT");
    let (code, rest, errors) = running.end();
    assert_eq!(code, Some(0));
    assert!(
        rest.contains(&"# export RTCMSG_VOLCENGINE_SECRET_KEY=<as given>".to_owned()),
        "{rest:?}"
    );
    assert!(
        rest.contains(&"# export RTCMSG_ZEGO_SERVER_SECRET=<as given>".to_owned()),
        "{rest:?}"
    );
    assert!(!format!("{rest:?}{errors}").contains("mine"));
}

#[test]
fn each_request_is_logged_unless_quiet_is_set() {
    for (arguments, lines) in [(&[][..], 1), (&["--quiet"][..], 0)] {
        let running = Running::start(arguments);
        let mut stream = running.connect();
        write!(
            stream,
            "GET /?Action=A%0AB&AppId=1 HTTP/1.1\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        running.signal("TERM");
        let (_, _, errors) = running.end();
        assert_eq!(errors.lines().count(), lines, "{errors}");
        if lines == 1 {
            assert!(
                errors.trim_end().ends_with(r" #1 zego A\nB 200 100000001 refused"),
                "{errors}"
            );
        }
    }
}

#[test]
fn a_request_in_flight_is_answered_after_the_stop_signal() {
    let running = Running::start(&[]);
    let mut stream = running.connect();
    let head =
        "POST /_emulator/volcengine/login HTTP/1.1\r\nHost: e\r\nContent-Length: 19\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // The interim answer proves that the emulator handles the request.
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let mut received = vec![0; interim.len()];
    stream.read_exact(&mut received).unwrap();
    assert_eq!(String::from_utf8(received).unwrap(), interim);
    running.signal("TERM");
    stream.write_all(br#"{"user_id":"alice"}"#).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with(r#"{"ok":true}"#),
        "{answer}"
    );
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn idle_connections_do_not_delay_the_stop() {
    let running = Running::start(&[]);
    let _never_used = running.connect();
    let mut idle = running.connect();
    write!(idle, "GET /_emulator/health HTTP/1.1\r\n\r\n").unwrap();
    assert!(idle.read(&mut [0; 1024]).unwrap() > 0);
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn a_file_of_faults_applies_from_the_start() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults.json");
    for byte_order_mark in ["", "\u{FEFF}"] {
        let rules = format!(r#"{byte_order_mark}[{{"vendor": "zego", "status": 503, "count": 1}}]"#);
        std::fs::write(&file, rules).unwrap();
        let running = Running::start(&["--faults", file.to_str().unwrap()]);
        let mut stream = running.connect();
        write!(stream, "GET /?AppId=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
}

#[test]
fn the_error_names_a_file_of_faults_that_cannot_be_used() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("no_faults.json");
    std::fs::write(&file, r#"[{"status": 503}, {"stall": false}]"#).unwrap();
    for (file, fault) in [
        (file.to_str().unwrap(), "rule 2: stall"),
        ("missing.json", "No such file"),
    ] {
        let refused = output(&["--port", "0", "--faults", file]);
        assert_eq!(refused.status.code(), Some(1));
        let errors = String::from_utf8(refused.stderr).unwrap();
        assert!(errors.contains(file) && errors.contains(fault), "{errors}");
    }
}
