//! Pacing: no more leaves in any second than the vendor takes, and not less either.
//!
//! One bucket per vendor, account scope and class, shared by all clients of the process. A bucket holds the departures
//! of the last second ([`window`]) and the list of those who wait for their turn ([`bucket`]).

mod bucket;
mod clock;
mod registry;
mod window;

pub(crate) use bucket::{Demand, Load, Place, Priority, Refusal, Seat, URGENT_IN_A_ROW};
pub(crate) use registry::{Class, SharedBucket, bucket_of};
pub(crate) use window::Limit;
