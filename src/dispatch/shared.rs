//! The state that the handle, the timer thread and the workers share.
//!
//! Every enqueued message leaves exactly once, through [`Shared::complete_with`]: the thread that removes it from the
//! backlog completes it, and only one thread can remove it.
//!
//! Three counts of messages:
//! - `pending`: enqueued and not polled. `queue.capacity` limits it.
//! - `outstanding`: enqueued and not completed, and in addition the connections of warm-ups. A flush waits until it is
//!   zero.
//! - in flight ([`Gauges::in_flight`]): a worker sends it.

use std::hash::RandomState;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use super::backlog::{Backlog, Gauges, Removed, Stage, Submission};
use super::completions::{Completion, Completions};
use super::workers::{Admitted, Workers, class_waiter};
use crate::action::QuotaClass;
use crate::config::{self, Config};
use crate::engine::Engine;
use crate::error::{Code, Error, grouped};
use crate::log::Level;
use crate::metrics::{Counter, Histogram};
use crate::quota::QueueWaiter;
use crate::report::Report;
use crate::util::deadline::Deadline;
use crate::util::sync::{Mutex, MutexGuard, SegQueue, lock};

/// How many messages a thread handles before it unlocks the backlog, so that other threads can lock it in between.
pub(super) const PER_LOCK: usize = 64;

pub(super) struct Shared {
    pub engine: Engine,
    pub capacity: usize,
    pub max_bytes: u64,
    pub stack_bytes: usize,
    pub hasher: RandomState,
    pub next_id: AtomicU64,
    /// Messages that were enqueued and not polled; without a completion, those that have not ended.
    pub pending: AtomicUsize,
    /// The bytes of those messages.
    pub bytes: AtomicU64,
    /// Messages and warm-up connections that have not ended.
    pub outstanding: AtomicUsize,
    /// Submitted messages that are not in the backlog yet. `capacity` bounds it. A thread takes them only while it has the
    /// backlog locked, so that a message is always in one of the two, for every thread that has the lock.
    pub inbox: SegQueue<Arc<Submission>>,
    backlog: Mutex<Backlog>,
    pub gauges: Arc<Gauges>,
    pub workers: Arc<Workers>,
    /// This queue as a waiter in the bucket of each class.
    pub waiters: [Arc<dyn QueueWaiter>; QuotaClass::ALL.len()],
    /// Each with its bytes, which count until it is polled.
    pub completions: Completions<(Completion, u64)>,
    /// Locked while the timer thread is started.
    pub starting: Mutex<()>,
    pub has_timer_thread: AtomicBool,
    /// The number of the worker that was started last.
    pub last_worker_number: AtomicUsize,
    pub handles: Mutex<Vec<JoinHandle<()>>>,
    /// The threads end as soon as they have no job.
    pub is_stopping: AtomicBool,
    pub submitted: Counter,
    pub rejected: Counter,
    /// The time from submit to completion.
    pub latency: Histogram,
}

impl Shared {
    pub fn new(engine: Engine, config: &Config) -> Shared {
        let backlog = Backlog::default();
        let gauges = backlog.gauges();
        let workers = Arc::new(Workers::new(config.integer(&config::WORKER_THREADS) as usize));
        Shared {
            engine,
            capacity: config.integer(&config::QUEUE_CAPACITY) as usize,
            max_bytes: config.integer(&config::QUEUE_MAX_BYTES),
            stack_bytes: config.integer(&config::WORKER_STACK_BYTES) as usize,
            hasher: RandomState::new(),
            next_id: AtomicU64::new(1),
            pending: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            outstanding: AtomicUsize::new(0),
            inbox: SegQueue::new(),
            backlog: Mutex::new(backlog),
            gauges,
            waiters: QuotaClass::ALL.map(|class| class_waiter(&workers, class)),
            workers,
            completions: Completions::new(),
            starting: Mutex::new(()),
            has_timer_thread: AtomicBool::new(false),
            last_worker_number: AtomicUsize::new(0),
            handles: Mutex::new(Vec::new()),
            is_stopping: AtomicBool::new(false),
            submitted: Counter::default(),
            rejected: Counter::default(),
            latency: Histogram::default(),
        }
    }

    /// Locks the backlog. No thread holds this lock while it waits or does I/O.
    pub fn backlog(&self) -> MutexGuard<'_, Backlog> {
        lock(&self.backlog)
    }

    /// Counts one more message as pending and outstanding, if the queue has room for it.
    pub fn reserve_room(&self, bytes: u64) -> Result<(), Error> {
        let full = |key: &'static str, text: String| {
            self.rejected.add(1);
            Err(Error::new(Code::QueueFull, key, text))
        };
        let one_more = |pending: usize| (pending < self.capacity).then_some(pending + 1);
        if self
            .pending
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more)
            .is_err()
        {
            let text = format!(
                "the queue holds {} messages, those not polled among them",
                grouped(self.capacity)
            );
            return full(config::QUEUE_CAPACITY.key, text);
        }
        let fits = |sum: u64| Some(sum + bytes).filter(|sum| *sum <= self.max_bytes);
        if self
            .bytes
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fits)
            .is_err()
        {
            self.pending.fetch_sub(1, Ordering::SeqCst);
            let text = format!(
                "the queue holds at most {} bytes, and this message takes {}",
                grouped(self.max_bytes),
                grouped(bytes)
            );
            return full(config::QUEUE_MAX_BYTES.key, text);
        }
        self.outstanding.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Frees what [`reserve_room`](Shared::reserve_room) reserved, for a message that was polled, needs no completion, or
    /// was not enqueued.
    pub fn free_room(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        self.pending.fetch_sub(1, Ordering::SeqCst);
    }

    /// Counts one outstanding message or warm-up connection less, and wakes a flush if it was the last.
    pub fn finish_one(&self) {
        if self.outstanding.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.completions.notify_idle();
        }
    }

    pub fn has_outstanding(&self) -> bool {
        self.outstanding.load(Ordering::SeqCst) > 0
    }

    /// Moves up to `limit` messages from the inbox to the backlog. Returns how many there were.
    pub fn take_from_inbox(&self, backlog: &mut Backlog, limit: usize) -> usize {
        let submissions = std::iter::from_fn(|| self.inbox.pop()).take(limit);
        submissions.map(|submission| backlog.insert(submission)).count()
    }

    /// Cancels a message that no worker has. Returns false if there is no such message.
    pub fn cancel(&self, id: u64) -> bool {
        // A message that was submitted before this call is in the backlog or among these.
        let mut in_inbox = self.inbox.len();
        loop {
            let mut backlog = self.backlog();
            let removed = self.remove_if_queued(&mut backlog, id);
            if removed.is_none() && !backlog.contains(id) && in_inbox > 0 {
                let taken = self.take_from_inbox(&mut backlog, PER_LOCK.min(in_inbox));
                in_inbox = if taken == 0 { 0 } else { in_inbox - taken };
                continue;
            }
            let has_unscheduled = backlog.has_unscheduled();
            drop(backlog);
            if has_unscheduled {
                self.workers.jobs.wake();
            }
            let Some(removed) = removed else { return false };
            self.complete(removed, Code::Cancelled, "it was cancelled before it was sent");
            return true;
        }
    }

    /// Removes a message that no worker has.
    pub fn remove_if_queued(&self, backlog: &mut Backlog, id: u64) -> Option<Removed> {
        match backlog.stage(id)? {
            Stage::Assigned | Stage::InFlight(_) => return None,
            Stage::WaitsForQuota(class, ticket) => {
                let bucket = self.engine.bucket(*class)?;
                // If the bucket has admitted the message, a worker is about to start it.
                if !bucket.leave(*ticket) {
                    return None;
                }
            }
            Stage::Blocked | Stage::Unscheduled | Stage::Ready => {}
        }
        backlog.remove(id)
    }

    /// Ends every message after an abort, with what is known of it.
    pub fn end_all(&self) {
        loop {
            let mut removed = Vec::with_capacity(PER_LOCK);
            let mut backlog = self.backlog();
            let mut is_empty = self.take_from_inbox(&mut backlog, PER_LOCK) == 0;
            while let Some(id) = backlog.first_id().filter(|_| removed.len() < PER_LOCK) {
                is_empty = false;
                if let Some(Stage::WaitsForQuota(class, ticket)) = backlog.stage(id) {
                    if let Some(bucket) = self.engine.bucket(*class) {
                        bucket.leave(*ticket);
                    }
                }
                removed.extend(backlog.remove(id));
            }
            let warm_ups = std::mem::take(&mut backlog.warm_ups);
            let expired = std::mem::take(&mut backlog.expired);
            drop(backlog);
            self.complete_expired(expired);
            removed.into_iter().for_each(|removed| self.complete_closed(removed));
            (0..warm_ups).for_each(|_| self.finish_one());
            if is_empty {
                return;
            }
        }
    }

    pub fn complete_expired(&self, expired: Vec<Vec<Removed>>) {
        for removed in expired.into_iter().flatten() {
            self.complete(removed, Code::Expired, "it expired in the queue");
        }
    }

    fn complete_closed(&self, removed: Removed) {
        let text = match removed.stage {
            Stage::InFlight(_) => "the client was closed while the message was in flight",
            _ => "the client was closed before it was sent",
        };
        self.complete(removed, Code::Closed, text);
    }

    /// Completes a message that was removed from the backlog. A message in flight ends here, for this reason.
    pub fn complete(&self, removed: Removed, why: Code, text: &str) {
        let Removed { submission, stage } = removed;
        let report = || {
            submission.message.with_message(|message| match &stage {
                Stage::InFlight(in_flight) => self.engine.report(&self.engine.plan(message), in_flight, why, text),
                _ => self.engine.report_unsent(message, why, text),
            })
        };
        let report = self.catch_panic(report).unwrap_or_else(Report::lost);
        self.complete_with(&submission, report);
    }

    /// Adds the one completion of a message.
    pub fn complete_with(&self, submission: &Submission, report: Report) {
        self.catch_panic(|| self.engine.log_report(&report));
        self.latency.record(submission.submitted.elapsed());
        let bytes = submission.bytes();
        if submission.wants_completion {
            let completion = Completion {
                id: submission.id,
                user_data: submission.user_data,
                report,
            };
            self.completions.push((completion, bytes));
        } else {
            self.free_room(bytes);
        }
        self.finish_one();
    }

    /// Gives back the slot of a message that is not sent.
    pub fn give_back(&self, admitted: Admitted) {
        if let Some(bucket) = self.engine.bucket(admitted.class) {
            bucket.give_back(&admitted.slot);
        }
    }

    pub fn wait_until_idle(&self, deadline: Deadline) -> bool {
        self.completions.wait_until_idle(deadline, || !self.has_outstanding())
    }

    /// Runs `body`. A panic in it is logged and ends only `body`, not the thread.
    pub fn catch_panic<T>(&self, body: impl FnOnce() -> T) -> Option<T> {
        match panic::catch_unwind(AssertUnwindSafe(body)) {
            Ok(value) => Some(value),
            Err(panic) => {
                let what = panic_message(&*panic);
                // Dropping the panic's value could panic again.
                std::mem::forget(panic);
                let line = || format!("a defect of the library, please report it: {what}");
                // The panic may come from the logger itself.
                let logged = panic::catch_unwind(AssertUnwindSafe(|| self.engine.logger().log(Level::Error, line)));
                if let Err(panic) = logged {
                    std::mem::forget(panic);
                }
                None
            }
        }
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}
