//! The sends that are running in a client: whether new ones may start, and whether the running ones must end.

use std::time::Duration;

use crate::util::deadline::Deadline;
use crate::util::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::util::sync::{Condvar, Mutex, lock, wait_until};

#[derive(Debug, Default)]
pub(super) struct ActiveCalls {
    is_closed: AtomicBool,
    is_aborted: AtomicBool,
    count: AtomicUsize,
    lock: Mutex<()>,
    changed: Condvar,
}

/// Counts one call, from its first check until its report.
pub(super) struct CallGuard<'a>(&'a ActiveCalls);

impl ActiveCalls {
    pub fn enter(&self) -> CallGuard<'_> {
        self.count.fetch_add(1, Ordering::SeqCst);
        CallGuard(self)
    }

    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    /// Whether the running calls must end now.
    pub fn is_aborted(&self) -> bool {
        self.is_aborted.load(Ordering::SeqCst)
    }

    /// New calls are refused from here on.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }

    pub fn abort(&self) {
        self.is_aborted.store(true, Ordering::SeqCst);
        self.notify();
    }

    /// Sleeps. Returns false if the sleep ended early, because the call must end.
    pub fn sleep(&self, time: Duration) -> bool {
        let deadline = Deadline::after(Some(time));
        !self.wait_while(deadline, || !self.is_aborted())
    }

    /// Returns whether all calls ended before the deadline.
    pub fn wait_until_idle(&self, deadline: Deadline) -> bool {
        self.wait_while(deadline, || self.count.load(Ordering::SeqCst) > 0)
    }

    /// Returns whether the condition became false before the deadline.
    fn wait_while(&self, deadline: Deadline, condition: impl Fn() -> bool) -> bool {
        let mut guard = lock(&self.lock);
        loop {
            if !condition() {
                return true;
            }
            if deadline.has_passed() {
                return false;
            }
            guard = wait_until(&self.changed, guard, deadline);
        }
    }

    /// Locks first: a thread that has just read the old state is then already waiting, and gets the notification.
    fn notify(&self) {
        drop(lock(&self.lock));
        self.changed.notify_all();
    }
}

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 && self.0.is_closed() {
            self.0.notify();
        }
    }
}
