//! The only I/O: one HTTP exchange, and whether any of the request can have left this machine.

mod agent;
mod keep_alive;
mod ledger;
mod pool;
mod resolver;
mod tcp;
mod tls;
mod traffic;

pub(crate) use agent::{Agent, Answer, Failure, Settings};
pub(crate) use ledger::Progress;
#[cfg(all(test, feature = "loom"))]
pub(crate) use ledger::model_of_a_write;
pub(crate) use traffic::Traffic;
