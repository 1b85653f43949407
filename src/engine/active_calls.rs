//! The calls under way in a client: whether new ones are let in, and whether those inside are to end.

use std::time::Duration;

use crate::util::deadline::Deadline;
use crate::util::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::util::sync::{Condvar, Mutex, lock, wait_until};

#[derive(Debug, Default)]
pub(super) struct ActiveCalls {
    closed: AtomicBool,
    aborted: AtomicBool,
    active: AtomicUsize,
    lock: Mutex<()>,
    changed: Condvar,
}

/// A call under way, from its first check to its report.
pub(super) struct CallGuard<'a>(&'a ActiveCalls);

impl ActiveCalls {
    pub fn enter(&self) -> CallGuard<'_> {
        self.active.fetch_add(1, Ordering::SeqCst);
        CallGuard(self)
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Whether those inside are to end now.
    pub fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::SeqCst)
    }

    pub fn end_intake(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub fn abort(&self) {
        self.aborted.store(true, Ordering::SeqCst);
        self.notify();
    }

    /// Sleeps; false if it ended early because the call is to end.
    pub fn sleep(&self, time: Duration) -> bool {
        let deadline = Deadline::after(Some(time));
        !self.wait_while(deadline, || !self.is_aborted())
    }

    /// Whether all ended by the deadline.
    pub fn wait_until_idle(&self, deadline: Deadline) -> bool {
        self.wait_while(deadline, || self.active.load(Ordering::SeqCst) > 0)
    }

    /// Whether the condition ended, by the deadline.
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

    /// The lock orders this with the last look of whoever is about to wait, so that no wake-up is lost.
    fn notify(&self) {
        drop(lock(&self.lock));
        self.changed.notify_all();
    }
}

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        if self.0.active.fetch_sub(1, Ordering::SeqCst) == 1 && self.0.is_closed() {
            self.0.notify();
        }
    }
}
