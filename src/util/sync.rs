//! The synchronization types of the library. They come from the standard library, or from loom in builds for loom, whose models
//! run every interleaving.

use crate::util::deadline::Deadline;

#[cfg(not(feature = "loom"))]
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, atomic};
#[cfg(not(feature = "loom"))]
pub(crate) use std::thread;

#[cfg(feature = "loom")]
pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, atomic};
#[cfg(feature = "loom")]
pub(crate) use loom::thread;

/// A lock-free unbounded queue, first in, first out.
#[cfg(not(feature = "loom"))]
pub(crate) use crossbeam_queue::SegQueue;

/// The same queue for models, since loom follows only its own types.
#[cfg(feature = "loom")]
#[derive(Debug)]
pub(crate) struct SegQueue<T>(Mutex<std::collections::VecDeque<T>>);

#[cfg(feature = "loom")]
impl<T> SegQueue<T> {
    pub fn new() -> SegQueue<T> {
        SegQueue(Mutex::new(std::collections::VecDeque::new()))
    }

    pub fn push(&self, value: T) {
        lock(&self.0).push_back(value);
    }

    pub fn pop(&self) -> Option<T> {
        lock(&self.0).pop_front()
    }

    pub fn len(&self) -> usize {
        lock(&self.0).len()
    }
}

/// Locks a mutex. No code leaves the data behind a lock half changed, so a poisoned mutex is used like any other.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    #[cfg(not(feature = "loom"))]
    return mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    #[cfg(feature = "loom")]
    return mutex.lock().unwrap();
}

/// Waits for a notification until the deadline. It may return earlier.
pub(crate) fn wait_until<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>, deadline: Deadline) -> MutexGuard<'a, T> {
    #[cfg(not(feature = "loom"))]
    return match deadline.remaining() {
        None => condvar.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner),
        Some(left) => {
            let waited = condvar.wait_timeout(guard, left);
            waited.unwrap_or_else(std::sync::PoisonError::into_inner).0
        }
    };
    #[cfg(feature = "loom")]
    {
        let _ = deadline;
        return condvar.wait(guard).unwrap();
    }
}
