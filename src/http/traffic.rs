//! What the network was used for, counted.

use crate::metrics::{Counter, Histogram};

#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Connections to vendors, TLS and all.
    pub opened: Counter,
    pub closed: Counter,
    /// Requests of which at least a byte was written.
    pub requests: Counter,
    /// The part of them that went over a connection that had served before.
    pub reused: Counter,
    pub dns_lookups: Counter,
    /// From the start of an attempt, its connect included, to the end of the answer, where one came.
    pub wire: Histogram,
}
