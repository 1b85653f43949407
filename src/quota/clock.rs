//! The clock of a bucket, and how a thread waits on it. It is injected, so that tests control the time.

use super::window::Nanos;
use crate::util::sync::{Condvar, Mutex, MutexGuard};

/// A clock, and a way to wait for a time or a signal.
pub(crate) trait Clock: Send + Sync {
    fn now(&self) -> Nanos;

    /// Waits for the signal, at most until the given time. Spurious wake-ups are allowed. `guard` belongs to `mutex`.
    fn wait<'a, T>(
        &self,
        mutex: &'a Mutex<T>,
        signal: &Condvar,
        guard: MutexGuard<'a, T>,
        until: Option<Nanos>,
    ) -> MutexGuard<'a, T>;
}

/// The system's monotonic clock.
#[derive(Debug)]
pub(crate) struct Steady;

#[cfg(not(feature = "loom"))]
impl Clock for Steady {
    fn now(&self) -> Nanos {
        use std::sync::OnceLock;
        use std::time::Instant;
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as Nanos
    }

    fn wait<'a, T>(
        &self,
        _: &'a Mutex<T>,
        signal: &Condvar,
        guard: MutexGuard<'a, T>,
        until: Option<Nanos>,
    ) -> MutexGuard<'a, T> {
        use std::sync::PoisonError;
        use std::time::Duration;
        match until {
            None => signal.wait(guard).unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let left = Duration::from_nanos(until.saturating_sub(self.now()));
                signal
                    .wait_timeout(guard, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        }
    }
}

/// Under loom only models run, and they have clocks of their own.
#[cfg(feature = "loom")]
impl Clock for Steady {
    fn now(&self) -> Nanos {
        unreachable!()
    }

    fn wait<'a, T>(&self, _: &'a Mutex<T>, _: &Condvar, _: MutexGuard<'a, T>, _: Option<Nanos>) -> MutexGuard<'a, T> {
        unreachable!()
    }
}
