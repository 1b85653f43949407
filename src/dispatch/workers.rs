//! The workers: how many are free, how many have a thread, and the jobs that wait for one.
//!
//! This is the only part of the queue that the buckets of the quota know. They use it under their own lock, so nothing here
//! waits or takes the queue's lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::work_queue::WorkQueue;
use crate::action::QuotaClass;
use crate::quota::{Place, QueueWaiter, Slot};

#[derive(Debug)]
pub(super) struct Workers {
    /// `worker.threads`.
    pub limit: usize,
    /// Workers without a job. Some of them may not have a thread yet.
    free: AtomicUsize,
    pub threads: AtomicUsize,
    /// No job may start any more.
    is_aborted: AtomicBool,
    pub jobs: WorkQueue<Job>,
}

/// What a worker is asked to do. A free worker was [claimed](Workers::claim) for it, except for `Exit`.
#[derive(Debug)]
pub(super) enum Job {
    /// Send the message with this id. If it has a rate limit, it comes with the slot that it was admitted with.
    Send(u64, Option<Admitted>),
    /// Open a connection to each vendor.
    WarmUp,
    /// End the thread.
    Exit,
}

/// The slot of a message that its rate limit has admitted.
#[derive(Debug)]
pub(super) struct Admitted {
    pub class: QuotaClass,
    pub slot: Slot,
    pub place: Place,
}

impl Workers {
    pub fn new(limit: usize) -> Workers {
        Workers {
            limit,
            free: AtomicUsize::new(limit),
            threads: AtomicUsize::new(0),
            is_aborted: AtomicBool::new(false),
            jobs: WorkQueue::new(limit),
        }
    }

    pub fn free(&self) -> usize {
        self.free.load(Ordering::SeqCst).min(self.limit)
    }

    pub fn has_free(&self) -> bool {
        !self.is_aborted() && self.free.load(Ordering::SeqCst) > 0
    }

    /// Claims a free worker for one job. Returns false if there is none.
    pub fn claim(&self) -> bool {
        let one_less = |free: usize| free.checked_sub(1);
        !self.is_aborted()
            && self
                .free
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
                .is_ok()
    }

    /// Frees the worker of a job that has ended.
    pub fn release(&self) {
        self.free.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether fewer threads than claimed workers exist.
    pub fn lacks_threads(&self) -> bool {
        self.threads.load(Ordering::SeqCst) < self.limit - self.free()
    }

    pub fn abort(&self) {
        self.is_aborted.store(true, Ordering::SeqCst);
    }

    pub fn is_aborted(&self) -> bool {
        self.is_aborted.load(Ordering::SeqCst)
    }
}

/// The queue as a waiter in the bucket of one class.
struct ClassWaiter {
    workers: Arc<Workers>,
    class: QuotaClass,
}

pub(super) fn class_waiter(workers: &Arc<Workers>, class: QuotaClass) -> Arc<dyn QueueWaiter> {
    let workers = workers.clone();
    Arc::new(ClassWaiter { workers, class })
}

impl QueueWaiter for ClassWaiter {
    fn has_free_worker(&self) -> bool {
        self.workers.has_free()
    }

    fn claim_worker(&self) -> bool {
        self.workers.claim()
    }

    fn admitted(&self, message: u64, slot: Slot, place: Place) {
        let class = self.class;
        let admitted = Admitted { class, slot, place };
        self.workers.jobs.push(Job::Send(message, Some(admitted)));
        if self.workers.lacks_threads() {
            self.workers.jobs.wake();
        }
    }

    fn wake(&self) {
        self.workers.jobs.wake();
    }
}
