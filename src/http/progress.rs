//! How far an attempt came, and above all: did request bytes leave?
//!
//! An error class alone cannot tell (a reset is a reset), so probes in ureq's connector chain write down each step.
//! ureq works an attempt off on its caller's thread, so the probes find the attempt's record by thread; pooled
//! connections outlive requests and serve many threads. The record itself may be read by another thread, which can also
//! stop the attempt: then nothing of the request is written any more.

use std::cell::{Cell, RefCell};
use std::io;
use std::mem::ManuallyDrop;
use std::sync::Arc as StdArc;
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::http::Uri;
use ureq::http::uri::Authority;
use ureq::unversioned::transport::time::Duration as Wait;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use super::traffic::Traffic;
use crate::report::Request;
use crate::util::deadline::Deadline;
use crate::util::sync::Arc;
use crate::util::sync::atomic::{AtomicU8, Ordering};

/// The steps of an attempt. A pooled connection skips the middle ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Step {
    Resolving,
    Connecting,
    TlsHandshake,
    /// Connected; not a byte of the request was written.
    Connected,
    /// A write of request bytes was attempted: from here they may have left.
    RequestWritten,
}

/// The record of an attempt. Whoever gives it to [`exchange`](super::Agent::exchange) can look and stop from any thread.
#[derive(Debug)]
pub(crate) struct Progress(AtomicU8);

/// Beside the step: nothing more may be written.
const STOPPED: u8 = 0x80;

impl Progress {
    pub fn new() -> Progress {
        Progress(AtomicU8::new(Step::Resolving as u8))
    }

    /// Back to the beginning, for the next attempt.
    pub fn reset(&self) {
        self.advance(Step::Resolving);
    }

    /// Whether request bytes may have left; if not, none will.
    pub fn stop(&self) -> bool {
        let before = self.0.fetch_or(STOPPED, Ordering::SeqCst);
        before & !STOPPED == Step::RequestWritten as u8
    }

    /// False if it was stopped.
    fn advance(&self, step: Step) -> bool {
        let unless_stopped = |now: u8| (now & STOPPED == 0).then_some(step as u8);
        self.0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, unless_stopped)
            .is_ok()
    }
}

/// The permission to send, checked right before the first byte. The client gives it, and `http` knows nothing else of it.
pub(crate) trait SendPermit: Send + Sync {
    /// Called on the thread of the attempt when the request is about to be written. It may wait, and says whether it did;
    /// the error is the request that is not sent.
    fn acquire(&self) -> Result<bool, Box<Request>>;

    /// Called when the first byte is written: from here it counts, whatever happens.
    fn mark_used(&self);

    /// Called when the attempt has to wait for a host name or for a new connection: others may send meanwhile.
    fn release(&self);
}

struct AttemptState {
    /// For others to look at, and to stop.
    progress: Arc<Progress>,
    /// How far this attempt itself has come, whatever others did to the record.
    step: Cell<Step>,
    deadline: Deadline,
    expires: Deadline,
    permit: Option<StdArc<dyn SendPermit>>,
    /// Why the permit was refused.
    not_permitted: Option<Box<Request>>,
    /// The connection, after the answer was read to its end, if both sides keep it open.
    connection: Cell<Option<HttpConnection>>,
}

thread_local! {
    /// Without a destructor, so that it is there until the very end of a thread: `atexit` handlers send, too. What it holds
    /// is dropped with [`AttemptGuard`].
    static ATTEMPT: RefCell<ManuallyDrop<Option<AttemptState>>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

/// The attempt of this thread, from here to the drop of what this gives.
pub(super) struct AttemptGuard;

impl AttemptGuard {
    pub fn begin(
        progress: &Arc<Progress>,
        deadline: Deadline,
        expires: Deadline,
        permit: Option<StdArc<dyn SendPermit>>,
    ) -> AttemptGuard {
        progress.reset();
        let attempt = AttemptState {
            progress: progress.clone(),
            step: Cell::new(Step::Resolving),
            deadline,
            expires,
            permit,
            not_permitted: None,
            connection: Cell::new(None),
        };
        ATTEMPT.with_borrow_mut(|now| **now = Some(attempt));
        AttemptGuard
    }

    pub fn step(&self) -> Step {
        ATTEMPT.with_borrow(|attempt| attempt.as_ref().map_or(Step::Resolving, |attempt| attempt.step.get()))
    }

    /// The request that was not sent because its permit was refused.
    pub fn not_permitted(&self) -> Option<Box<Request>> {
        ATTEMPT.with_borrow_mut(|attempt| attempt.as_mut()?.not_permitted.take())
    }

    /// Returns the connection of an answer that was read to its end, if both sides keep it open.
    pub fn take_connection(&self) -> Option<HttpConnection> {
        ATTEMPT.with_borrow(|attempt| attempt.as_ref()?.connection.take())
    }
}

impl Drop for AttemptGuard {
    fn drop(&mut self) {
        // What it holds is dropped when the record is free again.
        let ended = ATTEMPT.with_borrow_mut(|now| now.take());
        drop(ended);
    }
}

/// Stores a connection in this thread's attempt. Without an attempt it is closed.
fn return_connection(connection: Option<HttpConnection>) {
    ATTEMPT.with_borrow(|attempt| {
        if let Some(attempt) = &**attempt {
            attempt.connection.set(connection);
        }
    });
}

/// By when this thread's attempt has to have come further: until the request is written by its expiry, too.
pub(super) fn step_deadline() -> Option<Instant> {
    ATTEMPT.with_borrow(|attempt| {
        let attempt = attempt.as_ref()?;
        let due = if attempt.step.get() == Step::RequestWritten {
            attempt.deadline
        } else {
            attempt.deadline.or_sooner(attempt.expires)
        };
        due.at()
    })
}

/// Notes that this thread's attempt has come this far.
pub(super) fn record_step(step: Step) {
    ATTEMPT.with_borrow(|attempt| {
        if let Some(attempt) = &**attempt {
            attempt.step.set(step);
            attempt.progress.advance(step);
        }
    });
}

/// This thread's attempt has to wait before it can send.
pub(super) fn release_permit() {
    if let Some(permit) = permit() {
        permit.release();
    }
}

/// Waits until this thread's attempt may send. Whether it had to wait.
fn acquire_permit() -> Result<bool, Error> {
    let Some(permit) = permit() else { return Ok(false) };
    // The lock of the thread's record is not held while it waits.
    permit.acquire().map_err(|request| {
        ATTEMPT.with_borrow_mut(|attempt| {
            if let Some(attempt) = attempt.as_mut() {
                attempt.not_permitted = Some(request);
            }
        });
        not_sent("it may not be sent")
    })
}

fn permit() -> Option<StdArc<dyn SendPermit>> {
    ATTEMPT.with_borrow(|attempt| attempt.as_ref()?.permit.clone())
}

/// Whether bytes of this thread's request may have left.
fn is_written() -> bool {
    ATTEMPT.with_borrow(|attempt| {
        let attempt = attempt.as_ref();
        attempt.is_some_and(|attempt| attempt.step.get() == Step::RequestWritten)
    })
}

/// Before a write of the request, of which the first makes everything uncertain. Whether this is the first.
fn begin_request_write() -> Result<bool, Error> {
    ATTEMPT.with_borrow(|attempt| {
        let Some(attempt) = &**attempt else { return Ok(false) };
        if attempt.step.get() == Step::RequestWritten {
            return Ok(false);
        }
        if attempt.deadline.has_passed() {
            return Err(Error::Timeout(ureq::Timeout::Global));
        }
        if attempt.expires.has_passed() {
            return Err(not_sent("it expired before it was sent"));
        }
        if !attempt.progress.advance(Step::RequestWritten) {
            return Err(not_sent("it was given up before it was sent"));
        }
        attempt.step.set(Step::RequestWritten);
        Ok(true)
    })
}

fn not_sent(what: &'static str) -> Error {
    Error::Io(io::Error::new(io::ErrorKind::ConnectionAborted, what))
}

/// A probe in the chain: notes that the attempt has come this far.
#[derive(Debug)]
pub(super) struct StepProbe {
    pub step: Step,
}

impl<In: Transport> Connector<In> for StepProbe {
    type Out = In;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<In>, Error> {
        record_step(self.step);
        Ok(chained)
    }
}

/// The last of the chain, after TLS: wraps the finished connection.
#[derive(Debug)]
pub(super) struct TrackedConnector {
    pub max_age: Duration,
    pub traffic: StdArc<Traffic>,
}

impl<In: Transport> Connector<In> for TrackedConnector {
    type Out = TrackedTransport;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<TrackedTransport>, Error> {
        let Some(mut transport) = chained else { return Ok(None) };
        record_step(Step::Connected);
        self.traffic.opened.add(1);
        // What the handshake ended with leaves now, and what it read is no answer.
        transport.is_open();
        Ok(Some(TrackedTransport::new(HttpConnection {
            transport: Box::new(transport),
            origin: Origin::of(details.uri),
            is_fresh: true,
            too_old_at: Instant::now().checked_add(self.max_age),
            idle_until: None,
            traffic: self.traffic.clone(),
        })))
    }
}

/// The server of a connection. It is a copy of the text, since the URI of a request may hold the message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    authority: String,
}

impl Origin {
    fn of(uri: &Uri) -> Origin {
        Origin {
            scheme: uri.scheme_str().unwrap_or_default().to_owned(),
            authority: uri.authority().map_or("", Authority::as_str).to_owned(),
        }
    }

    pub fn is_of(&self, uri: &Uri) -> bool {
        uri.scheme_str() == Some(&self.scheme) && uri.authority().map(Authority::as_str) == Some(&self.authority)
    }
}

/// A connection with all its layers. It serves one request after another.
#[derive(Debug)]
pub(super) struct HttpConnection {
    transport: Box<dyn Transport>,
    pub origin: Origin,
    /// No request was written yet.
    is_fresh: bool,
    /// No further request is sent after the first of these times; `None` is never.
    too_old_at: Option<Instant>,
    pub idle_until: Option<Instant>,
    traffic: StdArc<Traffic>,
}

impl HttpConnection {
    #[cfg(test)]
    pub fn for_test(transport: Box<dyn Transport>, uri: &Uri, too_old_at: Option<Instant>) -> HttpConnection {
        HttpConnection {
            transport,
            origin: Origin::of(uri),
            is_fresh: false,
            too_old_at,
            idle_until: None,
            traffic: StdArc::default(),
        }
    }

    pub fn has_expired(&self, now: Instant) -> bool {
        let limits = [self.too_old_at, self.idle_until];
        limits.into_iter().flatten().any(|limit| limit <= now)
    }

    /// Whether another request may be sent on it now.
    pub fn is_usable(&mut self, now: Instant) -> bool {
        !self.has_expired(now) && self.is_quiet()
    }

    /// Whether something was read from the socket that is not part of the answer, or the end of the connection. A read with
    /// a timeout of zero finds only this and makes no system call.
    pub fn has_unread_input(&mut self) -> bool {
        let no_time = NextTimeout {
            after: Wait::from(Duration::ZERO),
            ..NextTimeout::default()
        };
        !matches!(self.transport.await_input(no_time), Err(Error::Timeout(_)))
    }

    /// Whether the peer has neither closed the connection nor sent anything without a request. Such bytes must not be taken
    /// for the answer to the next request.
    fn is_quiet(&mut self) -> bool {
        self.transport.buffers().input().is_empty() && self.transport.is_open()
    }

    /// After the first write of a request its outcome is uncertain, so the connection is examined before it. A connection
    /// from the pool was examined when it was taken.
    fn prepare_request_write(&mut self) -> Result<(), Error> {
        let has_waited = !is_written() && acquire_permit()?;
        if has_waited && self.has_expired(Instant::now()) {
            return Err(not_sent(
                "the time of the connection ended while the request waited for its quota",
            ));
        }
        if (self.is_fresh || has_waited) && !self.is_quiet() {
            return Err(not_sent("the peer hung up or sent something before it was asked"));
        }
        if begin_request_write()? {
            if let Some(permit) = permit() {
                permit.mark_used();
            }
            self.traffic.requests.add(1);
            self.traffic.reused.add(u64::from(!self.is_fresh));
        }
        self.is_fresh = false;
        Ok(())
    }
}

impl Drop for HttpConnection {
    fn drop(&mut self) {
        self.traffic.closed.add(1);
    }
}

/// A connection that ureq uses for one request.
#[derive(Debug)]
pub(super) struct TrackedTransport(Option<HttpConnection>);

impl TrackedTransport {
    pub fn new(connection: HttpConnection) -> TrackedTransport {
        TrackedTransport(Some(connection))
    }

    pub fn into_connection(self) -> Option<HttpConnection> {
        self.0
    }

    fn connection(&mut self) -> &mut HttpConnection {
        self.0.as_mut().expect("ureq uses no connection that is not open")
    }
}

impl Transport for TrackedTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.connection().transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let connection = self.connection();
        if amount > 0 {
            connection.prepare_request_write()?;
        }
        connection.transport.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let transport = &mut self.connection().transport;
        let buffers = transport.buffers();
        if buffers.input_append_buf().is_empty() {
            // Only a head is kept whole; reading on into no room would look like the end of the connection.
            let full = buffers.input().len();
            return Err(Error::LargeResponseHeader(full, full));
        }
        transport.await_input(timeout)
    }

    /// ureq calls this when the answer was read to its end and both sides keep the connection open, to return it to its own
    /// pool. The client decides about that when it has judged the answer, so the connection is taken away from ureq here.
    fn is_open(&mut self) -> bool {
        return_connection(self.0.take());
        false
    }

    fn is_tls(&self) -> bool {
        self.0.as_ref().is_some_and(|connection| connection.transport.is_tls())
    }
}

/// The one step of an attempt that a stop may come before or behind: whether the request was written.
#[cfg(all(test, feature = "loom"))]
pub(crate) fn write_for_model(progress: &Progress) -> bool {
    progress.reset();
    progress.advance(Step::Connected);
    progress.advance(Step::RequestWritten)
}
