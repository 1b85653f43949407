//! What threads share, from the standard library; under loom from loom, so that models run every interleaving of it.

use crate::util::deadline::Deadline;

#[cfg(not(feature = "loom"))]
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, atomic};
#[cfg(not(feature = "loom"))]
pub(crate) use std::thread;

#[cfg(feature = "loom")]
pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, atomic};
#[cfg(feature = "loom")]
pub(crate) use loom::thread;

/// A list of any length that threads add to and take from without a lock, first in, first out.
#[cfg(not(feature = "loom"))]
pub(crate) use crossbeam_queue::SegQueue;

/// The same for models, which know no other sharing than that of loom's own types.
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

/// Nobody leaves what a lock guards half done, so one that somebody panicked with is as good as any.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    #[cfg(not(feature = "loom"))]
    return mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    #[cfg(feature = "loom")]
    return mutex.lock().unwrap();
}

/// Waits until told, or until the deadline; sooner is allowed.
pub(crate) fn wait_until<'a, T>(told: &Condvar, guard: MutexGuard<'a, T>, deadline: Deadline) -> MutexGuard<'a, T> {
    #[cfg(not(feature = "loom"))]
    return match deadline.remaining() {
        None => told.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner),
        Some(left) => {
            let waited = told.wait_timeout(guard, left);
            waited.unwrap_or_else(std::sync::PoisonError::into_inner).0
        }
    };
    #[cfg(feature = "loom")]
    {
        let _ = deadline;
        return told.wait(guard).unwrap();
    }
}
