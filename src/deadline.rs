//! A point in time by which a call must have ended, made once at its start, so that DNS, connect, TLS and answer share it.

use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// `None` never passes. So does a wait too long for the clock to express.
    pub fn after(wait: Option<Duration>) -> Deadline {
        Deadline(wait.and_then(|wait| Instant::now().checked_add(wait)))
    }

    /// What is left, zero once it has passed; `None` if there is no limit.
    pub fn remaining(self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(Instant::now()))
    }
}
