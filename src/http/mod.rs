//! One HTTP exchange, which also reports whether bytes of the request may have been sent.

mod agent;
mod connect;
mod keep_alive;
mod pool;
mod progress;
mod proxy;
mod resolver;
mod tcp;
mod tls;
mod tls_failure;
mod traffic;
mod tunnel;

pub(crate) use agent::{Agent, Answer, BrokenExchange, Failure, Settings};
#[cfg(all(test, feature = "loom"))]
pub(crate) use progress::write_for_model;
pub(crate) use progress::{Progress, SendPermit};
pub(crate) use traffic::Traffic;
