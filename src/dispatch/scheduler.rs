//! The scheduler: moves submitted messages into the backlog, ends those that have expired, and gives the others to
//! workers as their rate limits and the workers allow.
//!
//! [`Shared::schedule`] does all of this in one pass. The listening worker runs it when a submit wakes it, and every
//! worker runs it when it becomes free. The timer thread runs it when the next message expires or is admitted, and for a
//! submit while all workers are busy. The timer thread also completes expired messages, because that calls the host's log
//! function, which may be slow.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::backlog::{Backlog, Removed};
use super::shared::{PER_LOCK, Shared};
use super::workers::Job;
use crate::action::QuotaClass;
use crate::log::Level;
use crate::os;
use crate::quota::Ticket;
use crate::util::sync::{MutexGuard, lock};

/// After a panic in the scheduler the timer thread schedules again after this time.
const RESTART_DELAY: Duration = Duration::from_secs(1);

impl Shared {
    /// Starts the timer thread. The operating system shows it as `rtcmsg-dispatch`, a documented name that stays the same.
    pub fn start_timer_thread(shared: &Arc<Shared>) -> io::Result<()> {
        let own = shared.clone();
        let thread = os::spawn("rtcmsg-dispatch", move || {
            let schedule = || {
                let next = own
                    .catch_panic(|| own.schedule(true))
                    .unwrap_or_else(|| own.schedule_after_panic());
                next.map(|at| at.saturating_duration_since(Instant::now()))
            };
            own.workers
                .jobs
                .run_timer_thread(schedule, || own.is_stopping.load(Ordering::SeqCst));
            own.discard_jobs();
        })?;
        shared.handles().push(thread);
        Ok(())
    }

    /// Starts one thread for each claimed worker that has none.
    fn start_workers(self: &Arc<Shared>) {
        let workers = &self.workers;
        while workers.lacks_threads() {
            let is_above_limit = workers.threads.fetch_add(1, Ordering::SeqCst) >= workers.limit;
            // Read after the thread is counted: `stop_threads` either counts this thread or prevents its start.
            if is_above_limit || self.is_stopping.load(Ordering::SeqCst) {
                workers.threads.fetch_sub(1, Ordering::SeqCst);
                return;
            }
            let own = self.clone();
            let started = os::spawn_with_stack("rtcmsg-worker", self.stack_bytes, move || own.run_worker());
            let started = started.map(|thread| self.handles().push(thread));
            if let Err(error) = started {
                let threads = workers.threads.fetch_sub(1, Ordering::SeqCst) - 1;
                self.engine
                    .logger()
                    .log(Level::Error, || format!("no thread for a worker: {error}"));
                if threads == 0 {
                    // Without any worker this thread runs the jobs itself, and schedules again after them.
                    self.step_down();
                    while let Some(job) = workers.jobs.try_pop() {
                        self.run_job(job);
                    }
                    workers.jobs.wake();
                }
                return;
            }
        }
    }

    /// The loop of a worker's thread.
    fn run_worker(self: Arc<Shared>) {
        let number = self.last_worker_number.fetch_add(1, Ordering::SeqCst) + 1;
        let schedule = || {
            if self.catch_panic(|| self.schedule(false)).is_none() {
                self.workers.jobs.wake_timer();
            }
        };
        while self.run_job(self.workers.jobs.next_job(number, schedule)) {}
        self.workers.threads.fetch_sub(1, Ordering::SeqCst);
    }

    /// Lets every thread end: the workers after their current job, the timer thread at once.
    pub fn stop_threads(&self) {
        if self.is_stopping.swap(true, Ordering::SeqCst) {
            return;
        }
        for _ in 0..self.workers.threads.load(Ordering::SeqCst) {
            self.workers.jobs.push(Job::Exit);
        }
        self.workers.jobs.wake_timer();
    }

    /// Joins the threads of a closed queue. They end soon: connections are cut, every wait is ended, and a DNS lookup runs
    /// on a detached thread.
    pub fn join_threads(&self) {
        // The last handle may be dropped by one of these threads, which cannot join itself.
        if os::is_library_thread() {
            return;
        }
        // A thread that starts another one stores its handle before it ends itself.
        loop {
            let handles = std::mem::take(&mut *self.handles());
            if handles.is_empty() {
                return;
            }
            for handle in handles {
                let _ = handle.join();
            }
        }
    }

    /// Drops the jobs that are left at the end if no worker could be started.
    fn discard_jobs(&self) {
        if self.workers.threads.load(Ordering::SeqCst) > 0 {
            return;
        }
        while let Some(job) = self.workers.jobs.try_pop() {
            self.discard_job(job);
        }
    }

    fn handles(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        lock(&self.handles)
    }

    /// One pass of the scheduler. Returns when the next pass is due if no wake-up comes first.
    fn schedule(self: &Arc<Shared>, is_timer_thread: bool) -> Option<Instant> {
        self.drain_inbox();
        self.remove_expired();
        let waiting = self.route_unscheduled();
        let mut backlog = self.backlog();
        self.assign_ready(&mut backlog);
        let next_admission = self.admit_waiting(&mut backlog);
        self.assign_warm_ups(&mut backlog);
        // An earlier wake-up that is no longer needed is kept: to cancel it and to set it again costs more than one pass.
        let planned = backlog.next_wakeup.filter(|at| *at > Instant::now());
        let next = [backlog.next_expiry(), next_admission, planned]
            .into_iter()
            .flatten()
            .min();
        backlog.next_wakeup = next;
        let expired = if is_timer_thread {
            std::mem::take(&mut backlog.expired)
        } else {
            Vec::new()
        };
        let needs_timer_thread = !is_timer_thread && (next != planned || !backlog.expired.is_empty());
        drop(backlog);
        if needs_timer_thread {
            self.workers.jobs.wake_timer();
        }
        self.count_quota_waits(&waiting);
        self.start_workers();
        if expired.is_empty() {
            return next;
        }
        // The log function may be slow. Another waiter must be the leader of the buckets meanwhile.
        self.step_down();
        self.complete_expired(expired);
        Some(Instant::now())
    }

    fn schedule_after_panic(&self) -> Option<Instant> {
        let soon = Some(Instant::now() + RESTART_DELAY);
        self.backlog().next_wakeup = soon;
        soon
    }

    /// Moves every message that was submitted before this call from the inbox to the backlog.
    fn drain_inbox(&self) {
        let mut in_inbox = self.inbox.len();
        while in_inbox > 0 {
            match self.take_from_inbox(&mut self.backlog(), PER_LOCK.min(in_inbox)) {
                0 => return,
                taken => in_inbox -= taken,
            }
        }
    }

    /// Removes the messages that have expired. The timer thread completes them.
    fn remove_expired(&self) {
        let now = Instant::now();
        let mut is_more = true;
        while is_more {
            let mut expired: Vec<Removed> = Vec::new();
            let mut backlog = self.backlog();
            for _ in 0..PER_LOCK {
                let Some(id) = backlog.next_expired(now) else {
                    is_more = false;
                    break;
                };
                match self.remove_if_queued(&mut backlog, id) {
                    Some(removed) => expired.push(removed),
                    // A worker has it, and checks the time before it sends.
                    None => backlog.forget_expiry(id),
                }
            }
            if !expired.is_empty() {
                backlog.expired.push(expired);
            }
        }
    }

    /// Puts every unscheduled message into the bucket of its quota, or makes it ready if it need not wait for quota.
    /// Returns the tickets of those in a bucket.
    fn route_unscheduled(&self) -> Vec<(QuotaClass, Ticket)> {
        let mut waiting = Vec::new();
        let mut is_more = true;
        while is_more {
            // Grows here, because growing copies it, and the backlog must not be locked for that.
            if !waiting.is_empty() {
                waiting.reserve(PER_LOCK);
            }
            let mut backlog = self.backlog();
            for _ in 0..PER_LOCK {
                let Some(submission) = backlog.next_unscheduled() else {
                    is_more = false;
                    break;
                };
                let demand = submission.demand.as_ref();
                match demand.and_then(|(class, demand)| Some((*class, demand, self.engine.bucket(*class)?))) {
                    Some((class, demand, bucket)) => {
                        let ticket = bucket.enqueue(demand, &self.waiters[class as usize], submission.id);
                        backlog.set_waits_for_quota(submission.id, class, ticket);
                        waiting.push((class, ticket));
                    }
                    None => backlog.set_ready(&submission),
                }
            }
        }
        waiting
    }

    /// Gives the messages that wait only for a worker to free workers.
    fn assign_ready(&self, backlog: &mut Backlog) {
        while backlog.has_ready() && self.workers.claim() {
            if let Some(id) = backlog.assign() {
                self.workers.jobs.push(Job::Send(id, None));
            }
        }
    }

    /// Lets the buckets give the messages that they admit to free workers. Returns when a bucket must be asked again.
    fn admit_waiting(&self, backlog: &mut Backlog) -> Option<Instant> {
        let mut next = None;
        for class in self.class_order(backlog) {
            let Some(bucket) = self.engine.bucket(class).filter(|_| backlog.any_waits_for_quota(class)) else {
                continue;
            };
            let wait = bucket.schedule(&self.waiters[class as usize]);
            let at = wait.map(|wait| Instant::now() + Duration::from_nanos(wait));
            next = next.into_iter().chain(at).min();
        }
        next
    }

    /// Each pass asks another class first, so that no class gets every worker. Classes with urgent messages come before the
    /// others, except in one pass of [`ROUND`](super::backlog::ROUND).
    fn class_order(&self, backlog: &mut Backlog) -> [QuotaClass; QuotaClass::ALL.len()] {
        let (mut classes, ignores_urgency) = backlog.rotate_classes();
        if !ignores_urgency {
            classes.sort_by_key(|class| {
                let bucket = self
                    .engine
                    .bucket(*class)
                    .filter(|_| backlog.any_waits_for_quota(*class));
                !bucket.is_some_and(|bucket| bucket.has_urgent(&self.waiters[*class as usize]))
            });
        }
        classes
    }

    /// Starts warm-ups after the messages, and only while another worker stays free for a message.
    fn assign_warm_ups(&self, backlog: &mut Backlog) {
        let needed = self.workers.limit.min(2);
        while backlog.warm_ups > 0 && self.workers.free() >= needed && self.workers.claim() {
            backlog.warm_ups -= 1;
            self.workers.jobs.push(Job::WarmUp);
        }
    }

    /// Counts the messages that their buckets did not admit at once, unless they wait for a worker.
    fn count_quota_waits(&self, waiting: &[(QuotaClass, Ticket)]) {
        if self.workers.has_free() {
            let waits = |(class, ticket): &&(QuotaClass, Ticket)| {
                let bucket = self.engine.bucket(*class);
                bucket.is_some_and(|bucket| bucket.is_waiting(*ticket))
            };
            let count = waiting.iter().filter(waits).count();
            self.engine.counters().quota_waits.add(count as u64);
        }
    }

    /// This queue is not the leader of a bucket until the next pass.
    fn step_down(&self) {
        for class in QuotaClass::ALL {
            if let Some(bucket) = self.engine.bucket(class) {
                bucket.step_down(&self.waiters[class as usize]);
            }
        }
    }
}
