//! The only I/O: one HTTP exchange, and whether any of the request can have left this machine.

mod agent;
mod ledger;
mod resolver;

pub(crate) use agent::{Agent, Answer, Failure, Settings};
