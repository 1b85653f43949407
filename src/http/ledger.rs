//! How far an attempt came, and above all: did request bytes leave?
//!
//! An error class alone cannot tell (a reset is a reset), so probes in ureq's connector chain write down each step.
//! ureq works an attempt off on its caller's thread, so the record is the thread's; pooled connections outlive requests
//! and serve many threads. [`begin`] clears it before each attempt.

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// The steps of an attempt. A pooled connection skips the middle ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Resolving,
    Connecting,
    TlsHandshake,
    /// Connected; not a byte of the request was written.
    Connected,
    /// A write of request bytes was attempted: from here they may have left.
    RequestWritten,
}

thread_local! {
    static STEP: Cell<Step> = const { Cell::new(Step::Resolving) };
}

/// Starts the record of this thread's next attempt.
pub(super) fn begin() {
    STEP.set(Step::Resolving);
}

/// How far this thread's last attempt came.
pub(super) fn step() -> Step {
    STEP.get()
}

/// A probe in the chain: notes that the attempt has come this far.
#[derive(Debug)]
pub(super) struct Reached {
    pub step: Step,
    pub has_proxy: bool,
}

impl<In: Transport> Connector<In> for Reached {
    type Out = In;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<In>, Error> {
        if !is_way_to_proxy(details, self.has_proxy) {
            STEP.set(self.step);
        }
        Ok(chained)
    }
}

/// The last of the chain, after proxy and TLS: wraps the finished connection.
#[derive(Debug)]
pub(super) struct Ledger {
    pub max_age: Duration,
    pub has_proxy: bool,
}

impl<In: Transport> Connector<In> for Ledger {
    type Out = Recorded<In>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Recorded<In>>, Error> {
        // What is said to the proxy itself is no request.
        let is_request = !is_way_to_proxy(details, self.has_proxy);
        if is_request {
            STEP.set(Step::Connected);
        }
        let too_old_at = Instant::now().checked_add(self.max_age);
        Ok(chained.map(|transport| Recorded {
            transport,
            is_request,
            is_fresh: true,
            too_old_at,
        }))
    }
}

/// ureq runs the whole chain a second time for the connection to a CONNECT proxy itself, then without a proxy in its
/// config.
fn is_way_to_proxy(details: &ConnectionDetails, has_proxy: bool) -> bool {
    has_proxy && details.config.proxy().is_none()
}

/// A connection that writes down the first attempt to write request bytes, and ends its life at a certain age.
#[derive(Debug)]
pub(super) struct Recorded<T> {
    transport: T,
    is_request: bool,
    /// Nothing was written yet. ureq looks after the others: it does not pool a connection on which something waits.
    is_fresh: bool,
    too_old_at: Option<Instant>,
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
        if self.is_request && amount > 0 {
            if std::mem::take(&mut self.is_fresh) && self.is_out_of_step() {
                let what = "the peer hung up or sent something before it was asked";
                return Err(Error::Io(io::Error::new(io::ErrorKind::ConnectionAborted, what)));
            }
            STEP.set(Step::RequestWritten);
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
