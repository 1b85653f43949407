//! The progress of an attempt. The most important question is whether request bytes may have been sent.
//!
//! The class of an error does not answer it: a connection can be reset before and after the request is written. So probes
//! in ureq's chain of connectors record each step. ureq runs an attempt on the thread of its caller, so the probes find the
//! state of the attempt in a thread-local variable. Connections cannot hold it, since a pooled connection serves many
//! requests and threads. Another thread can read the progress and stop the attempt. After that the attempt writes nothing.

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

/// The steps of an attempt. An attempt on a pooled connection skips the steps from `Resolving` to `TlsHandshake`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Step {
    Resolving,
    Connecting,
    TlsHandshake,
    /// The connection is ready. No byte of the request was written.
    Connected,
    /// A write of request bytes was attempted, so they may have been sent.
    RequestWritten,
}

/// The progress of an attempt, which its caller passes to [`exchange`](super::Agent::exchange). Any thread can read it, and
/// stop the attempt.
#[derive(Debug)]
pub(crate) struct Progress(AtomicU8);

/// This bit is set beside the step when the attempt was stopped.
const STOPPED: u8 = 0x80;

impl Progress {
    pub fn new() -> Progress {
        Progress(AtomicU8::new(Step::Resolving as u8))
    }

    /// Begins the next attempt. A stop stays in force.
    pub fn reset(&self) {
        self.advance(Step::Resolving);
    }

    /// Stops the attempt. Returns whether request bytes may have been sent; if not, none will be.
    pub fn stop(&self) -> bool {
        let before = self.0.fetch_or(STOPPED, Ordering::SeqCst);
        before & !STOPPED == Step::RequestWritten as u8
    }

    /// Returns false if the attempt was stopped.
    fn advance(&self, step: Step) -> bool {
        let unless_stopped = |now: u8| (now & STOPPED == 0).then_some(step as u8);
        self.0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, unless_stopped)
            .is_ok()
    }
}

/// The permission to send, which an attempt acquires right before the first byte. This is all that `http` knows of quotas.
pub(crate) trait SendPermit: Send + Sync {
    /// Called on the thread of the attempt right before the request is written. It may block, and returns whether it did.
    ///
    /// # Errors
    /// The request must not be sent. The error describes it in the report.
    fn acquire(&self) -> Result<bool, Box<Request>>;

    /// Called right before the first byte is written. From here the request counts, whatever its outcome is.
    fn mark_used(&self);

    /// Called when the attempt has to wait for a DNS lookup or a new connection, so that other requests can use the permit.
    fn release(&self);
}

struct AttemptState {
    /// Shared with other threads, which may stop the attempt.
    progress: Arc<Progress>,
    /// The step of this attempt, also after a stop.
    step: Cell<Step>,
    deadline: Deadline,
    expires: Deadline,
    permit: Option<StdArc<dyn SendPermit>>,
    /// The request that was not sent because its permit was refused.
    not_permitted: Option<Box<Request>>,
    /// The connection after its answer was read to the end, if both sides keep it open.
    connection: Cell<Option<HttpConnection>>,
}

thread_local! {
    /// It has no destructor, so that it exists until the very end of a thread: an `atexit` handler may send as well. Its
    /// value is dropped with [`AttemptGuard`].
    static ATTEMPT: RefCell<ManuallyDrop<Option<AttemptState>>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

/// The attempt of this thread, which ends when this is dropped.
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
        // The drop of a connection may run code of its own, so the cell is no longer borrowed then.
        let ended = ATTEMPT.with_borrow_mut(|now| now.take());
        drop(ended);
    }
}

/// Stores a connection in the attempt of this thread. If there is no attempt, the connection is closed.
fn return_connection(connection: Option<HttpConnection>) {
    ATTEMPT.with_borrow(|attempt| {
        if let Some(attempt) = &**attempt {
            attempt.connection.set(connection);
        }
    });
}

/// The time by which the current step of this thread's attempt must end. Until the request is written, the expiry of the
/// message counts as well as the deadline.
pub(super) fn step_deadline() -> Option<Instant> {
    ATTEMPT.with_borrow(|attempt| {
        let attempt = attempt.as_ref()?;
        let deadline = if attempt.step.get() == Step::RequestWritten {
            attempt.deadline
        } else {
            attempt.deadline.or_sooner(attempt.expires)
        };
        deadline.at()
    })
}

/// Records that the attempt of this thread has reached `step`.
pub(super) fn record_step(step: Step) {
    ATTEMPT.with_borrow(|attempt| {
        if let Some(attempt) = &**attempt {
            attempt.step.set(step);
            attempt.progress.advance(step);
        }
    });
}

/// Releases the permit of this thread's attempt, which has to wait for something else before it can send.
pub(super) fn release_permit() {
    if let Some(permit) = permit() {
        permit.release();
    }
}

/// Waits until this thread's attempt may send, and returns whether it had to wait.
fn acquire_permit() -> Result<bool, Error> {
    let Some(permit) = permit() else { return Ok(false) };
    // The thread's state is not borrowed while the permit waits.
    permit.acquire().map_err(|request| {
        ATTEMPT.with_borrow_mut(|attempt| {
            if let Some(attempt) = attempt.as_mut() {
                attempt.not_permitted = Some(request);
            }
        });
        not_sent("the request may not be sent")
    })
}

fn permit() -> Option<StdArc<dyn SendPermit>> {
    ATTEMPT.with_borrow(|attempt| attempt.as_ref()?.permit.clone())
}

/// Whether bytes of this thread's request may have been sent.
fn is_written() -> bool {
    ATTEMPT.with_borrow(|attempt| {
        let attempt = attempt.as_ref();
        attempt.is_some_and(|attempt| attempt.step.get() == Step::RequestWritten)
    })
}

/// Checks before a write of the request that the request may still be sent, since its outcome is uncertain after the first
/// write. Returns whether this is the first write.
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
            return Err(not_sent("the request expired before it was sent"));
        }
        if !attempt.progress.advance(Step::RequestWritten) {
            return Err(not_sent("the request was stopped before it was sent"));
        }
        attempt.step.set(Step::RequestWritten);
        Ok(true)
    })
}

fn not_sent(what: &'static str) -> Error {
    Error::Io(io::Error::new(io::ErrorKind::ConnectionAborted, what))
}

/// A probe in the chain of connectors. It records that the attempt has reached a step.
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

/// The last connector of the chain, after TLS. It wraps the finished connection.
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
        // This sends the last bytes of the handshake. What the handshake has read is not part of an answer.
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

/// The server of a connection. The text is copied, since the URI of a request may contain the message.
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
    /// No request was written on it yet.
    is_fresh: bool,
    /// No further request is sent after the earlier one of these times; `None` is never.
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

    /// Whether more than the answer was read from the socket: other bytes, or the end of the connection. A read with a timeout
    /// of zero finds this without a system call.
    pub fn has_unread_input(&mut self) -> bool {
        let no_time = NextTimeout {
            after: Wait::from(Duration::ZERO),
            ..NextTimeout::default()
        };
        !matches!(self.transport.await_input(no_time), Err(Error::Timeout(_)))
    }

    /// Whether the peer has neither closed the connection nor sent bytes without a request. Such bytes must not be read as the
    /// answer to the next request.
    fn is_quiet(&mut self) -> bool {
        self.transport.buffers().input().is_empty() && self.transport.is_open()
    }

    /// Checks the connection before the first write of a request, since its outcome is uncertain after that. A connection
    /// from the pool was checked when it was taken, so it is checked again only after a wait.
    fn prepare_request_write(&mut self) -> Result<(), Error> {
        let has_waited = !is_written() && acquire_permit()?;
        if has_waited && self.has_expired(Instant::now()) {
            return Err(not_sent(
                "the connection expired while the request waited for its quota",
            ));
        }
        if (self.is_fresh || has_waited) && !self.is_quiet() {
            return Err(not_sent(
                "the peer closed the connection, or sent data before the request",
            ));
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
        self.0.as_mut().expect("ureq uses only connections that are open")
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
            // Only the head of an answer has to fit into the buffer. A read without room would look like the end of the
            // connection.
            let full = buffers.input().len();
            return Err(Error::LargeResponseHeader(full, full));
        }
        transport.await_input(timeout)
    }

    /// ureq calls this after it has read an answer to its end, if both sides keep the connection open, to return it to a pool
    /// of its own. The client reuses a connection only after it has checked the answer, so it takes the connection from ureq
    /// here.
    fn is_open(&mut self) -> bool {
        return_connection(self.0.take());
        false
    }

    fn is_tls(&self) -> bool {
        self.0.as_ref().is_some_and(|connection| connection.transport.is_tls())
    }
}

/// The step of an attempt that races with a stop. Returns whether the request was written.
#[cfg(all(test, feature = "loom"))]
pub(crate) fn write_for_model(progress: &Progress) -> bool {
    progress.reset();
    progress.advance(Step::Connected);
    progress.advance(Step::RequestWritten)
}
