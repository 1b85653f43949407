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
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use super::traffic::Traffic;
use crate::deadline::Deadline;
use crate::report::Request;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU8, Ordering};

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
        self.reach(Step::Resolving);
    }

    /// Whether request bytes may have left; if not, none will.
    pub fn stop(&self) -> bool {
        let before = self.0.fetch_or(STOPPED, Ordering::SeqCst);
        before & !STOPPED == Step::RequestWritten as u8
    }

    /// False if it was stopped.
    fn reach(&self, step: Step) -> bool {
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

    /// Called when the attempt has to wait for a host name or for a new connection: others may send meanwhile.
    fn give_back(&self);
}

struct Current {
    /// For others to look at, and to stop.
    progress: Arc<Progress>,
    /// How far this attempt itself has come, whatever others did to the record.
    step: Cell<Step>,
    deadline: Deadline,
    expires: Deadline,
    permit: Option<StdArc<dyn SendPermit>>,
    /// Why the permit was refused.
    withheld: Option<Box<Request>>,
}

thread_local! {
    /// Without a destructor, so that it is there until the very end of a thread: `atexit` handlers send, too. What it holds
    /// is dropped with [`UnderWay`].
    static CURRENT: RefCell<ManuallyDrop<Option<Current>>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

/// The attempt of this thread, from here to the drop of what this gives.
pub(super) struct UnderWay;

impl UnderWay {
    pub fn begin(
        progress: &Arc<Progress>,
        deadline: Deadline,
        expires: Deadline,
        permit: Option<StdArc<dyn SendPermit>>,
    ) -> UnderWay {
        progress.reset();
        let current = Current {
            progress: progress.clone(),
            step: Cell::new(Step::Resolving),
            deadline,
            expires,
            permit,
            withheld: None,
        };
        CURRENT.with_borrow_mut(|now| **now = Some(current));
        UnderWay
    }

    pub fn step(&self) -> Step {
        CURRENT.with_borrow(|current| current.as_ref().map_or(Step::Resolving, |current| current.step.get()))
    }

    /// The request that was not sent because its permit was refused.
    pub fn withheld(&self) -> Option<Box<Request>> {
        CURRENT.with_borrow_mut(|current| current.as_mut()?.withheld.take())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|now| **now = None);
    }
}

/// By when this thread's attempt has to have come further: until the request is written by its expiry, too.
pub(super) fn due() -> Option<Instant> {
    CURRENT.with_borrow(|current| {
        let current = current.as_ref()?;
        let due = if current.step.get() == Step::RequestWritten {
            current.deadline
        } else {
            current.deadline.or_sooner(current.expires)
        };
        due.at()
    })
}

/// Notes that this thread's attempt has come this far.
pub(super) fn reach(step: Step) {
    CURRENT.with_borrow(|current| {
        if let Some(current) = &**current {
            current.step.set(step);
            current.progress.reach(step);
        }
    });
}

/// This thread's attempt has to wait before it can send.
pub(super) fn give_back_permit() {
    if let Some(permit) = permit() {
        permit.give_back();
    }
}

/// Waits until this thread's attempt may send. Whether it had to wait.
fn acquire_permit() -> Result<bool, Error> {
    let Some(permit) = permit() else { return Ok(false) };
    // The lock of the thread's record is not held while it waits.
    permit.acquire().map_err(|request| {
        CURRENT.with_borrow_mut(|current| {
            if let Some(current) = current.as_mut() {
                current.withheld = Some(request);
            }
        });
        refused("it may not be sent")
    })
}

fn permit() -> Option<StdArc<dyn SendPermit>> {
    CURRENT.with_borrow(|current| current.as_ref()?.permit.clone())
}

/// Whether bytes of this thread's request may have left.
fn is_written() -> bool {
    CURRENT.with_borrow(|current| {
        let current = current.as_ref();
        current.is_some_and(|current| current.step.get() == Step::RequestWritten)
    })
}

/// Before a write of the request, of which the first makes everything uncertain. Whether this is the first.
fn reach_the_write() -> Result<bool, Error> {
    CURRENT.with_borrow(|current| {
        let Some(current) = &**current else { return Ok(false) };
        if current.step.get() == Step::RequestWritten {
            return Ok(false);
        }
        if current.deadline.has_passed() {
            return Err(Error::Timeout(ureq::Timeout::Global));
        }
        if current.expires.has_passed() {
            return Err(refused("it expired before it was sent"));
        }
        if !current.progress.reach(Step::RequestWritten) {
            return Err(refused("it was given up before it was sent"));
        }
        current.step.set(Step::RequestWritten);
        Ok(true)
    })
}

fn refused(what: &'static str) -> Error {
    Error::Io(io::Error::new(io::ErrorKind::ConnectionAborted, what))
}

/// A probe in the chain: notes that the attempt has come this far.
#[derive(Debug)]
pub(super) struct Reached {
    pub step: Step,
}

impl<In: Transport> Connector<In> for Reached {
    type Out = In;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<In>, Error> {
        reach(self.step);
        Ok(chained)
    }
}

/// The last of the chain, after TLS: wraps the finished connection.
#[derive(Debug)]
pub(super) struct Ledger {
    pub max_age: Duration,
    pub traffic: StdArc<Traffic>,
}

impl<In: Transport> Connector<In> for Ledger {
    type Out = Recorded<In>;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<Recorded<In>>, Error> {
        reach(Step::Connected);
        self.traffic.opened.add(1);
        let too_old_at = Instant::now().checked_add(self.max_age);
        Ok(chained.map(|mut transport| {
            // What the handshake ended with leaves now, and what it read is no answer.
            transport.is_open();
            Recorded {
                transport,
                is_fresh: true,
                too_old_at,
                traffic: self.traffic.clone(),
            }
        }))
    }
}

/// A connection that writes down the first attempt to write request bytes, and ends its life at a certain age.
#[derive(Debug)]
pub(super) struct Recorded<T> {
    transport: T,
    /// Nothing was written yet. ureq looks after the others: it does not pool a connection on which something waits.
    is_fresh: bool,
    too_old_at: Option<Instant>,
    traffic: StdArc<Traffic>,
}

impl<T: Transport> Recorded<T> {
    /// Whether the peer spoke, or hung up, before it was asked: what it said can be no answer to the request. Behind TLS
    /// only what has been decrypted counts, since a session ticket may come at any time.
    fn is_out_of_step(&mut self) -> bool {
        let has_input = !self.transport.buffers().input().is_empty();
        has_input || !self.transport.is_tls() && !self.transport.is_open()
    }
}

impl<T: Transport> Transport for Recorded<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if amount > 0 {
            let has_waited = !is_written() && acquire_permit()?;
            if self.is_fresh && self.is_out_of_step() || has_waited && !self.is_open() {
                return Err(refused("the peer hung up or sent something before it was asked"));
            }
            if reach_the_write()? {
                self.traffic.requests.add(1);
                self.traffic.reused.add(u64::from(!self.is_fresh));
            }
            self.is_fresh = false;
        }
        self.transport.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let buffers = self.transport.buffers();
        if buffers.input_append_buf().is_empty() {
            // Only a head is kept whole; reading on into no room would look like the end of the connection.
            let full = buffers.input().len();
            return Err(Error::LargeResponseHeader(full, full));
        }
        self.transport.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.too_old_at.is_none_or(|at| Instant::now() < at) && self.transport.is_open()
    }

    fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }
}

impl<T> Drop for Recorded<T> {
    fn drop(&mut self) {
        self.traffic.closed.add(1);
    }
}

/// The one step of an attempt that a stop may come before or behind: whether the request was written.
#[cfg(all(test, feature = "loom"))]
pub(crate) fn model_of_a_write(progress: &Progress) -> bool {
    progress.reset();
    progress.reach(Step::Connected);
    progress.reach(Step::RequestWritten)
}
