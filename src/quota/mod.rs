//! Rate limiting: in any second a client sends as many requests as the vendor accepts, and no more.
//!
//! There is one bucket per vendor, account scope and class, shared by all clients of the process. A bucket has the permits
//! that were used within the last second ([`window`]), and the threads and queues that wait for more ([`waitlist`]).

mod bucket;
mod clock;
mod registry;
mod waitlist;
mod window;

pub(crate) use bucket::{Admission, Load, Refusal};
pub(crate) use registry::{SharedBucket, bucket_of};
pub(crate) use waitlist::{Demand, Place, Priority, QueueWaiter, Slot, Ticket, URGENT_IN_A_ROW};
pub(crate) use window::Limit;
