//! A CONNECT proxy for the tests. It tunnels, records the requests, and fails once where a test configures it.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::read_request;

pub const ESTABLISHED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// A fault of one connection to the proxy.
#[derive(Clone)]
pub enum Fault {
    /// The proxy answers CONNECT with these bytes and closes the connection.
    Answers(String),
    /// The proxy sends its answer in these pieces, each in its own segment, and the tunnel works.
    AnswersInPieces(Vec<String>),
    /// The proxy cuts the tunnel.
    Cuts(Cut),
}

#[derive(Clone)]
pub enum Cut {
    /// Before any byte goes through the tunnel.
    AtOnce,
    /// When the first byte of the request has arrived, which is not forwarded.
    BeforeRequest,
    /// When the request has been forwarded and this function returns. Nothing of the answer is forwarded.
    AfterRequest(Arc<dyn Fn() + Send + Sync>),
}

pub struct ConnectProxy {
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    faults: Mutex<VecDeque<Fault>>,
    requests: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

impl ConnectProxy {
    pub fn start() -> ConnectProxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let shared = Arc::<Shared>::default();
        let of_thread = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.is_over.load(Ordering::SeqCst) {
                    break;
                }
                let of_connection = of_thread.clone();
                thread::spawn(move || of_connection.serve(stream.expect("a connection")));
            }
        });
        ConnectProxy { url, shared }
    }

    /// Gives the next connection this fault.
    pub fn meets(&self, fault: Fault) {
        self.shared.faults.lock().expect("no panic").push_back(fault);
    }

    /// The heads of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().expect("no panic").clone()
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let address = self.url.trim_start_matches("http://");
        drop(TcpStream::connect(address));
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) {
        let request = read_request(&mut client);
        let target = request.split(' ').nth(1).expect("a target").to_owned();
        self.requests.lock().expect("no panic").push(request);
        let fault = self.faults.lock().expect("no panic").pop_front();
        let (pieces, cut) = match fault {
            Some(Fault::Answers(answer)) => return client.write_all(answer.as_bytes()).expect("written"),
            Some(Fault::AnswersInPieces(pieces)) => (pieces, None),
            Some(Fault::Cuts(cut)) => (vec![ESTABLISHED.to_owned()], Some(cut)),
            None => (vec![ESTABLISHED.to_owned()], None),
        };
        client.set_nodelay(true).expect("a socket");
        for piece in pieces {
            // The client may already have closed the connection.
            if client.write_all(piece.as_bytes()).is_err() {
                return;
            }
        }
        if !matches!(cut, Some(Cut::AtOnce)) {
            tunnel(client, TcpStream::connect(target).expect("the vendor"), cut);
        }
    }
}

fn tunnel(mut client: TcpStream, mut vendor: TcpStream, cut: Option<Cut>) {
    let holds_answer = Arc::new(AtomicBool::new(false));
    let back = (
        vendor.try_clone().expect("a socket"),
        client.try_clone().expect("a socket"),
        holds_answer.clone(),
    );
    thread::spawn(move || pass_back(back.0, back.1, &back.2));
    let mut requests = Requests::default();
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let begins = requests.begin_in(&buffer[..count]);
        match &cut {
            Some(Cut::BeforeRequest) if begins => break,
            Some(Cut::AfterRequest(wait)) if begins => {
                holds_answer.store(true, Ordering::SeqCst);
                let ends = (
                    client.try_clone().expect("a socket"),
                    vendor.try_clone().expect("a socket"),
                );
                let wait = wait.clone();
                thread::spawn(move || {
                    wait();
                    end(&ends.0, &ends.1);
                });
            }
            _ => {}
        }
        if vendor.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    end(&client, &vendor);
}

fn end(client: &TcpStream, vendor: &TcpStream) {
    let _ = client.shutdown(Shutdown::Both);
    let _ = vendor.shutdown(Shutdown::Both);
}

fn pass_back(mut vendor: TcpStream, mut client: TcpStream, holds_answer: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = vendor.read(&mut buffer) {
        if !holds_answer.load(Ordering::SeqCst) && client.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    if !holds_answer.load(Ordering::SeqCst) {
        end(&client, &vendor);
    }
}

/// Finds the beginning of the first request: at the first byte, or with TLS in the second encrypted record, since the first one
/// ends the handshake.
#[derive(Default)]
struct Requests {
    bytes: Vec<u8>,
    has_begun: bool,
}

impl Requests {
    /// Whether the first request begins with these bytes.
    fn begin_in(&mut self, bytes: &[u8]) -> bool {
        const HANDSHAKE: u8 = 22;
        const ENCRYPTED: u8 = 23;
        self.bytes.extend(bytes);
        let is_tls = self.bytes[0] == HANDSHAKE;
        let mut encrypted = 0;
        let mut rest = &self.bytes[..];
        while let [kind, _, _, high, low, behind @ ..] = rest {
            encrypted += usize::from(*kind == ENCRYPTED);
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            rest = behind.get(length..).unwrap_or_default();
        }
        let begins = !self.has_begun && (!is_tls || encrypted >= 2);
        self.has_begun |= begins;
        begins
    }
}
