//! The clock of a bucket, and how one waits on it: injected, so that tests hold time in their hands.

use super::window::Nanos;
use crate::util::sync::{Condvar, Mutex, MutexGuard};

/// Time, and waiting for it or for a signal.
pub(crate) trait Clock: Send + Sync {
    fn now(&self) -> Nanos;

    /// Until signalled, or until the time; sooner is allowed. `guard` is of `mutex`.
    fn wait<'a, T>(
        &self,
        mutex: &'a Mutex<T>,
        signal: &Condvar,
        guard: MutexGuard<'a, T>,
        until: Option<Nanos>,
    ) -> MutexGuard<'a, T>;
}

/// The machine's steady clock.
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

/// Under loom nothing runs but models, which bring clocks of their own.
#[cfg(feature = "loom")]
impl Clock for Steady {
    fn now(&self) -> Nanos {
        unreachable!()
    }

    fn wait<'a, T>(&self, _: &'a Mutex<T>, _: &Condvar, _: MutexGuard<'a, T>, _: Option<Nanos>) -> MutexGuard<'a, T> {
        unreachable!()
    }
}
