//! One accepted connection: its number, the requests and bytes that it carried, and how a fault ends it.
//!
//! `Stream` in `http` reads and writes the bytes and counts them here. The lock of a connection may be taken while the state is
//! locked, never the other way round.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Serialize, Serializer};

use crate::faults::Cut;

/// A connection. Connections are numbered from 1 in the order of acceptance.
#[derive(Debug)]
pub(crate) struct Connection {
    pub number: u64,
    pub peer_port: u16,
    tls: bool,
    requests: AtomicU64,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    open: bool,
    /// Whether it carried a control request.
    control: bool,
    /// The vendor requests; control requests are left out.
    exchanges: Vec<Exchange>,
    /// Whether the last of `exchanges` is the present request.
    in_exchange: bool,
    request_cut: Option<Cut>,
    answer: Answer,
}

/// One request and its answer, in bytes above TLS.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Exchange {
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    bytes_in: u64,
    bytes_out: u64,
    complete: bool,
    processed: bool,
}

/// The answer to the present request.
#[derive(Debug, Default)]
struct Answer {
    begun: bool,
    cut: Option<Cut>,
    close_after: bool,
    body_bytes: Option<u64>,
    written: u64,
    head: Head,
}

/// Where the head of an answer ends.
#[derive(Debug)]
enum Head {
    /// The end was not seen yet; this many bytes of the empty line at the end were.
    Open(usize),
    Bytes(u64),
}

impl Default for Head {
    fn default() -> Self {
        Self::Open(0)
    }
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// TCP RST.
    Reset,
    /// TCP FIN, without a close_notify in TLS.
    Fin,
    /// A normal close, with a close_notify in TLS.
    Clean,
}

impl From<Cut> for Ending {
    fn from(cut: Cut) -> Self {
        if cut.reset { Self::Reset } else { Self::Fin }
    }
}

impl Connection {
    pub fn new(number: u64, peer_port: u16, tls: bool) -> Self {
        Self {
            number,
            peer_port,
            tls,
            requests: AtomicU64::new(0),
            progress: Mutex::new(Progress {
                open: true,
                control: false,
                exchanges: Vec::new(),
                in_exchange: false,
                request_cut: None,
                answer: Answer::default(),
            }),
        }
    }

    /// Counts a request, and returns its number on this connection, from 1.
    pub fn count_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether the next received byte begins a request. Without pipelining, it does after the answer to the last one has begun.
    pub fn is_between_requests(&self) -> bool {
        let progress = self.progress();
        progress.answer.begun
    }

    pub fn begin_request(&self) {
        let mut progress = self.progress();
        progress.exchanges.push(Exchange::default());
        progress.in_exchange = true;
        progress.request_cut = None;
        progress.answer = Answer::default();
    }

    pub fn count_in(&self, bytes: usize) {
        if let Some(exchange) = self.progress().exchange() {
            exchange.bytes_in += count(bytes);
        }
    }

    /// Records that the present request is for the control API.
    pub fn mark_control(&self) {
        let mut progress = self.progress();
        progress.control = true;
        if progress.in_exchange {
            progress.exchanges.pop();
            progress.in_exchange = false;
        }
    }

    /// Makes the connection end within the present request, or at its end before it is processed.
    pub fn cut_request(&self, cut: Cut) {
        self.progress().request_cut = Some(cut);
    }

    /// The cut, if the received bytes of this request have reached it. Bytes after the cut are not counted.
    pub fn request_cut_reached(&self) -> Option<Cut> {
        let mut progress = self.progress();
        let cut = progress.request_cut?;
        let exchange = progress.exchange()?;
        if exchange.bytes_in < cut.after {
            return None;
        }
        exchange.bytes_in = cut.after;
        Some(cut)
    }

    /// Records that the whole request has arrived. Returns the cut if it lies beyond the end: the request must not be processed then.
    pub fn complete_request(&self) -> Option<Cut> {
        let mut progress = self.progress();
        if let Some(exchange) = progress.exchange() {
            exchange.complete = true;
        }
        progress.request_cut
    }

    pub fn record_sequence(&self, sequence: u64, processed: bool) {
        if let Some(exchange) = self.progress().exchange() {
            exchange.sequence = Some(sequence);
            exchange.processed = processed;
        }
    }

    pub fn cut_answer(&self, cut: Cut) {
        self.progress().answer.cut = Some(cut);
    }

    pub fn close_after_answer(&self) {
        self.progress().answer.close_after = true;
    }

    /// Records that bytes written from now on belong to the answer. Bytes before can only be a `100 Continue`.
    pub fn begin_answer(&self, body_bytes: Option<u64>) {
        let answer = &mut self.progress().answer;
        answer.begun = true;
        answer.body_bytes = body_bytes;
    }

    /// How many more bytes may be written, or `None` without a limit.
    pub fn write_limit(&self) -> Option<u64> {
        let progress = self.progress();
        let answer = &progress.answer;
        let cut = answer.cut.filter(|_| answer.begun)?;
        Some(cut.after.saturating_sub(answer.written))
    }

    pub fn count_out(&self, bytes: &[u8]) {
        let mut progress = self.progress();
        if let Some(exchange) = progress.exchange() {
            exchange.bytes_out += count(bytes.len());
        }
        if progress.answer.begun {
            progress.answer.count_out(bytes);
        }
    }

    /// How the connection must end now, or `None` if it must not.
    pub fn end_reached(&self) -> Option<Ending> {
        let progress = self.progress();
        let answer = &progress.answer;
        if let Some(cut) = answer.cut.filter(|_| answer.begun) {
            return (answer.written >= cut.after || answer.is_whole()).then(|| cut.into());
        }
        (answer.close_after && answer.is_whole()).then_some(Ending::Clean)
    }

    pub fn close(&self) {
        self.progress().open = false;
    }

    /// Whether the connection carried only control requests, so that it does not count as a connection to the vendors.
    pub fn is_only_control(&self) -> bool {
        let progress = self.progress();
        progress.control && progress.exchanges.is_empty()
    }

    /// Forgets the requests. Returns false if the connection is closed, so that it can also be forgotten.
    pub fn reset(&self) -> bool {
        let mut progress = self.progress();
        progress.exchanges.clear();
        progress.in_exchange = false;
        progress.open
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn exchange(&mut self) -> Option<&mut Exchange> {
        self.exchanges.last_mut().filter(|_| self.in_exchange)
    }
}

impl Answer {
    fn count_out(&mut self, bytes: &[u8]) {
        const END: &[u8] = b"\r\n\r\n";
        for byte in bytes {
            self.written += 1;
            if let Head::Open(matched) = self.head {
                let matched = match *byte {
                    byte if byte == END[matched] => matched + 1,
                    b'\r' => 1,
                    _ => 0,
                };
                self.head = if matched == END.len() {
                    Head::Bytes(self.written)
                } else {
                    Head::Open(matched)
                };
            }
        }
    }

    fn is_whole(&self) -> bool {
        match (&self.head, self.body_bytes) {
            (Head::Bytes(head), Some(body)) => self.written >= head + body,
            _ => false,
        }
    }
}

impl Serialize for Connection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            connection: u64,
            peer_port: u16,
            tls: bool,
            open: bool,
            bytes_in: u64,
            bytes_out: u64,
            requests: &'a [Exchange],
        }
        let progress = self.progress();
        let requests = &progress.exchanges;
        Fields {
            connection: self.number,
            peer_port: self.peer_port,
            tls: self.tls,
            open: progress.open,
            bytes_in: requests.iter().map(|exchange| exchange.bytes_in).sum(),
            bytes_out: requests.iter().map(|exchange| exchange.bytes_out).sum(),
            requests,
        }
        .serialize(serializer)
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
