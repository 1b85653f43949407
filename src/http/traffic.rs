//! Counters of network use.

use crate::metrics::{Counter, Histogram};

#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Connections to vendors that were opened, TLS handshake included.
    pub opened: Counter,
    pub closed: Counter,
    /// Requests of which at least one byte was written.
    pub requests: Counter,
    /// Those of them that were sent on a connection that had served another request.
    pub reused: Counter,
    pub dns_lookups: Counter,
    /// The time from the start of an attempt to the end of its answer, connect included. Attempts without an answer are not in it.
    pub wire: Histogram,
}
