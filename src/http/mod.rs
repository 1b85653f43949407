//! The only I/O: one HTTP exchange, and whether any of the request can have left this machine.

mod agent;
mod connect;
mod keep_alive;
mod ledger;
mod pool;
mod proxy;
mod resolver;
mod tcp;
mod tls;
mod tls_failure;
mod traffic;
mod tunnel;

pub(crate) use agent::{Agent, Answer, BrokenExchange, Failure, Settings};
#[cfg(all(test, feature = "loom"))]
pub(crate) use ledger::model_of_a_write;
pub(crate) use ledger::{Progress, SendPermit};
pub(crate) use traffic::Traffic;
