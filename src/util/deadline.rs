//! A point in time by which an operation must have ended. It is computed once, when the operation begins, and all its steps
//! share it.

use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// A deadline of `None` never passes, nor does one that is too far away for the clock.
    pub fn after(wait: Option<Duration>) -> Deadline {
        Deadline::after_from(Instant::now(), wait)
    }

    pub fn after_from(start: Instant, wait: Option<Duration>) -> Deadline {
        Deadline(wait.and_then(|wait| start.checked_add(wait)))
    }

    /// The remaining time, zero after the deadline; `None` if there is no limit.
    pub fn remaining(self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(Instant::now()))
    }

    pub fn has_passed(self) -> bool {
        self.0.is_some_and(|at| at <= Instant::now())
    }

    /// The point in time; `None` if there is no limit.
    pub fn at(self) -> Option<Instant> {
        self.0
    }

    pub fn or_sooner(self, other: Deadline) -> Deadline {
        match (self.0, other.0) {
            (Some(a), Some(b)) => Deadline(Some(a.min(b))),
            (a, b) => Deadline(a.or(b)),
        }
    }
}
