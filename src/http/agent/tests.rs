//! Events between the permit and the first byte: a permit may block, and all conditions are checked again after it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard};
use std::thread;

use super::*;
use crate::config::Config;
use crate::report::Delivery;
use crate::util::sync::Arc as SharedArc;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A server for one connection: it answers each request, and closes the connection when the test says so.
struct Server {
    url: String,
    hang_up: Sender<()>,
    has_hung_up: Receiver<()>,
    requests: Receiver<usize>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        let (hang_up, may_hang_up) = channel();
        let (say, has_hung_up) = channel();
        let (count, requests) = channel();
        thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a connection");
            let reading = stream.try_clone().expect("a second handle");
            let counting = thread::spawn(move || count.send(answer_all(reading)));
            if may_hang_up.recv().is_ok() {
                stream.shutdown(std::net::Shutdown::Both).expect("hung up");
                say.send(()).expect("awaited");
            }
            let _ = counting.join();
        });
        Server {
            url,
            hang_up,
            has_hung_up,
            requests,
        }
    }

    fn hang_up(&self) {
        self.hang_up.send(()).expect("it runs");
        self.has_hung_up.recv().expect("it has hung up");
    }
}

/// Returns the number of requests when the connection ends.
fn answer_all(mut stream: TcpStream) -> usize {
    let (mut requests, mut read) = (0, Vec::new());
    let mut piece = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        read.extend_from_slice(&piece[..count]);
        while let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            read.drain(..end + 4);
            requests += 1;
            stream.write_all(ANSWER).expect("written");
        }
    }
    requests
}

type Step = Box<dyn FnMut() -> Result<bool, Box<Request>> + Send>;

/// A permit whose behaviour the test sets.
struct Permit {
    acquire: Mutex<Step>,
    released: Mutex<usize>,
    used: Mutex<usize>,
}

impl Permit {
    fn that(acquire: impl FnMut() -> Result<bool, Box<Request>> + Send + 'static) -> Arc<Permit> {
        Arc::new(Permit {
            acquire: Mutex::new(Box::new(acquire)),
            released: Mutex::default(),
            used: Mutex::default(),
        })
    }

    fn released(&self) -> MutexGuard<'_, usize> {
        self.released.lock().expect("no panic")
    }
}

impl SendPermit for Permit {
    fn acquire(&self) -> Result<bool, Box<Request>> {
        (self.acquire.lock().expect("no panic"))()
    }

    fn mark_used(&self) {
        *self.used.lock().expect("no panic") += 1;
    }

    fn release(&self) {
        *self.released() += 1;
    }
}

fn agent() -> Agent {
    let settings = Settings::new(&Config::new(), &[]).expect("settings");
    Agent::new(settings, Logger::default())
}

fn get(url: &str) -> http::Request<Vec<u8>> {
    http::Request::get(url).body(Vec::new()).expect("a request")
}

fn never() -> Deadline {
    Deadline::after(None)
}

struct Sent {
    code: Code,
    may_have_left: bool,
}

fn send(agent: &Agent, url: &str, deadline: Deadline, progress: &SharedArc<Progress>, permit: &Arc<Permit>) -> Sent {
    match agent.exchange(get(url), deadline, never(), progress, Some(permit.clone())) {
        Ok((_, connection)) => {
            connection.keep();
            let (code, may_have_left) = (Code::Ok, true);
            Sent { code, may_have_left }
        }
        Err(Failure::NotPermitted(request)) => Sent {
            code: request.code,
            may_have_left: request.delivery != Delivery::NotSent,
        },
        Err(Failure::Broken(failure)) => Sent {
            code: failure.code,
            may_have_left: failure.may_have_left,
        },
    }
}

fn progress() -> SharedArc<Progress> {
    SharedArc::new(Progress::new())
}

#[test]
fn a_permit_is_given_back_for_a_new_connection_and_kept_for_an_idle_one() {
    let (server, agent) = (Server::start(), agent());
    let permit = Permit::that(|| Ok(false));
    for _ in 0..3 {
        assert_eq!(send(&agent, &server.url, never(), &progress(), &permit).code, Code::Ok);
    }
    assert_eq!(*permit.released(), 1);
    assert_eq!(*permit.used.lock().unwrap(), 3, "each counts from its first byte on");
}

#[test]
fn a_refused_permit_sends_nothing_and_is_a_failure_of_its_own_kind() {
    let (server, agent) = (Server::start(), agent());
    let refused = Permit::that(|| {
        let request = Request::failed(Code::RateLimited, Delivery::NotSent, 0, "no slot");
        Err(Box::new(request))
    });
    let sent = send(&agent, &server.url, never(), &progress(), &refused);
    assert_eq!((sent.code, sent.may_have_left), (Code::RateLimited, false));
    assert_eq!(*refused.used.lock().unwrap(), 0);
    drop(agent);
    assert_eq!(server.requests.recv(), Ok(0));
}

#[test]
fn a_connection_that_ends_while_the_permit_waits_gets_no_request() {
    for uses_before in [0, 1] {
        let (server, agent) = (Server::start(), agent());
        let willing = Permit::that(|| Ok(false));
        for _ in 0..uses_before {
            send(&agent, &server.url, never(), &progress(), &willing);
        }
        let url = server.url.clone();
        let Server {
            hang_up,
            has_hung_up,
            requests,
            ..
        } = server;
        let server = Mutex::new((hang_up, has_hung_up));
        let waits = Permit::that(move || {
            let (hang_up, has_hung_up) = &*server.lock().expect("no panic");
            hang_up.send(()).expect("it runs");
            has_hung_up.recv().expect("it has hung up");
            Ok(true)
        });
        let sent = send(&agent, &url, never(), &progress(), &waits);
        assert_eq!((sent.code, sent.may_have_left), (Code::Connect, false));
        assert_eq!(requests.recv(), Ok(uses_before));
    }
}

#[test]
fn a_deadline_that_passes_while_the_permit_waits_is_noticed() {
    let (server, agent) = (Server::start(), agent());
    let willing = Permit::that(|| Ok(false));
    send(&agent, &server.url, never(), &progress(), &willing);
    let deadline = Deadline::after(Some(Duration::from_millis(200)));
    let waits = Permit::that(move || {
        while !deadline.has_passed() {
            thread::yield_now();
        }
        Ok(true)
    });
    let sent = send(&agent, &server.url, deadline, &progress(), &waits);
    assert_eq!((sent.code, sent.may_have_left), (Code::Timeout, false));
    server.hang_up();
    assert_eq!(server.requests.recv(), Ok(1));
}

#[test]
fn a_message_that_is_taken_over_while_the_permit_waits_is_not_sent() {
    let (server, agent) = (Server::start(), agent());
    let progress = progress();
    let closing = progress.clone();
    let waits = Permit::that(move || {
        assert!(!closing.stop(), "nothing has left");
        Ok(true)
    });
    let sent = send(&agent, &server.url, never(), &progress, &waits);
    assert!(!sent.may_have_left);
    drop(agent);
    assert_eq!(server.requests.recv(), Ok(0));
}
