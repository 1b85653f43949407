//! The threads: the dispatcher, which gives out work and keeps the time, and the workers, which do it.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::queue::{Job, Queue, Removed};
use super::{PER_LOCK, Shared};
use crate::action::QuotaClass;
use crate::engine::InFlight;
use crate::error::Code;
use crate::log::Level;
use crate::os;
use crate::quota::{Place, QueueWaiter, Slot, Ticket};
use crate::report::Report;
use crate::util::sync::{Arc as SharedArc, MutexGuard, lock};

const DEFECT: &str = "a defect of the library ended it; please report what the log says";

/// The dispatcher looks again by itself after a panic of its own.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// What a worker is given; it was claimed before.
#[derive(Debug)]
pub(super) enum Work {
    /// With the slot that it was admitted with, where a quota admitted it.
    Message(u64, Option<Admitted>),
    WarmUp,
    Exit,
}

#[derive(Debug)]
pub(super) struct Admitted {
    class: QuotaClass,
    slot: Slot,
    place: Place,
}

/// A queue, for the bucket of one class.
pub(super) struct ClassWaiter {
    shared: Weak<Shared>,
    class: QuotaClass,
}

impl ClassWaiter {
    pub fn of(shared: &Weak<Shared>, class: QuotaClass) -> Arc<dyn QueueWaiter> {
        let shared = shared.clone();
        Arc::new(ClassWaiter { shared, class })
    }
}

impl QueueWaiter for ClassWaiter {
    fn has_free_worker(&self) -> bool {
        self.shared.upgrade().is_some_and(|shared| shared.has_free_worker())
    }

    fn claim_worker(&self) -> bool {
        self.shared.upgrade().is_some_and(|shared| shared.claim_worker())
    }

    fn admitted(&self, message: u64, slot: Slot, place: Place) {
        let Some(shared) = self.shared.upgrade() else { return };
        let class = self.class;
        let admitted = Admitted { class, slot, place };
        shared.work_queue.push(Work::Message(message, Some(admitted)));
        if shared.lacks_threads() {
            shared.work_queue.wake();
        }
    }

    fn wake_timer(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.work_queue.wake();
        }
    }
}

impl Shared {
    pub(super) fn start_dispatcher(shared: &Arc<Shared>) -> io::Result<()> {
        let own = shared.clone();
        let thread = os::spawn("rtcmsg-dispatch", move || {
            let look = || {
                let next = own
                    .catch_panic(|| own.schedule(true))
                    .unwrap_or_else(|| own.wake_up_after_defect());
                next.map(|at| at.saturating_duration_since(Instant::now()))
            };
            own.work_queue
                .run_timer_thread(look, || own.is_stopping.load(Ordering::SeqCst));
            own.discard_work();
        })?;
        shared.handles().push(thread);
        Ok(())
    }

    /// What was given out when no worker could be started any more.
    fn discard_work(&self) {
        if self.threads.load(Ordering::SeqCst) > 0 {
            return;
        }
        while let Some(work) = self.work_queue.try_pop() {
            match work {
                Work::WarmUp => self.finish_one(),
                Work::Message(_, admitted) => self.give_back(admitted),
                Work::Exit => {}
            }
        }
    }

    fn give_back(&self, admitted: Option<Admitted>) {
        if let Some((bucket, admitted)) = admitted.and_then(|a| Some((self.engine.bucket(a.class)?, a))) {
            bucket.give_back(&admitted.slot);
        }
    }

    fn handles(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        lock(&self.handles)
    }

    /// After the close nothing holds a thread: connections are cut, whoever waits is woken, and lookups of names have
    /// threads of their own.
    pub(super) fn wait_for_threads(&self) {
        // The last one gone may be a thread of ours.
        if os::is_library_thread() {
            return;
        }
        // Whoever starts a thread has noted it before it ends itself.
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

    /// Everybody goes home when the work at hand is done; the dispatcher at once.
    pub(super) fn stop_threads(&self) {
        if self.is_stopping.swap(true, Ordering::SeqCst) {
            return;
        }
        for _ in 0..self.threads.load(Ordering::SeqCst) {
            self.work_queue.push(Work::Exit);
        }
        self.work_queue.wake_timer();
    }

    fn has_free_worker(&self) -> bool {
        !self.is_aborted.load(Ordering::SeqCst) && self.free_workers.load(Ordering::SeqCst) > 0
    }

    fn claim_worker(&self) -> bool {
        let one_less = |free: usize| free.checked_sub(1);
        !self.is_aborted.load(Ordering::SeqCst)
            && self
                .free_workers
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
                .is_ok()
    }

    /// Puts everything where it belongs, and gives what can go to free workers. When there is something to do again, if
    /// nobody rings before.
    fn schedule(self: &Arc<Shared>, is_dispatcher: bool) -> Option<Instant> {
        self.enqueue_submitted();
        self.remove_expired();
        let placed = self.place_unscheduled();
        let mut queue = self.queue();
        while queue.has_ready() && self.claim_worker() {
            if let Some(id) = queue.assign() {
                self.work_queue.push(Work::Message(id, None));
            }
        }
        let mut next = queue.next_expiry();
        for class in self.class_order(&mut queue) {
            let Some(bucket) = self.engine.bucket(class).filter(|_| queue.is_rate_limited(class)) else {
                continue;
            };
            let alarm = bucket.schedule(&self.waiters[class as usize]);
            let alarm = alarm.map(|wait| Instant::now() + Duration::from_nanos(wait));
            next = next.into_iter().chain(alarm).min();
        }
        // Messages go before connections that nobody waits for yet, and keep a worker.
        let spare = self.workers.min(2);
        while queue.warm_ups > 0 && self.free_workers.load(Ordering::SeqCst) >= spare && self.claim_worker() {
            queue.warm_ups -= 1;
            self.work_queue.push(Work::WarmUp);
        }
        // An earlier look that is no longer needed stays: to take it back, and to ask for it again with each message, costs more.
        let planned = queue.next_wakeup.filter(|at| *at > Instant::now());
        next = next.into_iter().chain(planned).min();
        queue.next_wakeup = next;
        let expired = if is_dispatcher {
            std::mem::take(&mut queue.expired)
        } else {
            Vec::new()
        };
        let is_dispatcher_wanted = !is_dispatcher && (next != planned || !queue.expired.is_empty());
        drop(queue);
        if is_dispatcher_wanted {
            self.work_queue.wake_timer();
        }
        self.count_quota_waits(&placed);
        self.start_workers();
        if expired.is_empty() {
            return next;
        }
        // The host's log function may take its time, and this thread keeps no other's meanwhile.
        self.step_down();
        self.complete_expired(expired);
        Some(Instant::now())
    }

    fn step_down(&self) {
        for class in QuotaClass::ALL {
            if let Some(bucket) = self.engine.bucket(class) {
                bucket.step_down(&self.waiters[class as usize]);
            }
        }
    }

    /// Everything that was submitted before this call.
    fn enqueue_submitted(&self) {
        let mut left = self.inbox.len();
        while left > 0 {
            match self.enqueue(&mut self.queue(), PER_LOCK.min(left)) {
                0 => return,
                enqueued => left -= enqueued,
            }
        }
    }

    fn remove_expired(&self) {
        let now = Instant::now();
        let mut is_more = true;
        while is_more {
            let mut queue = self.queue();
            for _ in 0..PER_LOCK {
                let Some(id) = queue.next_expired(now) else {
                    is_more = false;
                    break;
                };
                match self.remove_if_queued(&mut queue, id) {
                    Some(ended) => queue.expired.push(ended),
                    // A worker has it, and looks at the time before it sends.
                    None => queue.forget_expiry(id),
                }
            }
        }
    }

    /// Every message that may be sent waits for its quota now, or for a worker alone. Gives those that wait for a quota.
    fn place_unscheduled(&self) -> Vec<(QuotaClass, Ticket)> {
        let mut placed = Vec::new();
        let mut is_more = true;
        while is_more {
            let mut queue = self.queue();
            for _ in 0..PER_LOCK {
                let Some(job) = queue.next_unscheduled() else {
                    is_more = false;
                    break;
                };
                let demand = job.demand.as_ref();
                match demand.and_then(|(class, demand)| Some((*class, demand, self.engine.bucket(*class)?))) {
                    Some((class, demand, bucket)) => {
                        let ticket = bucket.enqueue(demand, &self.waiters[class as usize], job.id);
                        queue.set_rate_limited(job.id, class, ticket);
                        placed.push((class, ticket));
                    }
                    None => queue.set_ready(&job),
                }
            }
        }
        placed
    }

    /// Those that were not admitted at once wait for their quota, unless it is a worker that they wait for.
    fn count_quota_waits(&self, placed: &[(QuotaClass, Ticket)]) {
        if self.has_free_worker() {
            let waits = |(class, ticket): &&(QuotaClass, Ticket)| {
                let bucket = self.engine.bucket(*class);
                bucket.is_some_and(|bucket| bucket.is_waiting(*ticket))
            };
            self.engine
                .counters
                .quota_waits
                .add(placed.iter().filter(waits).count() as u64);
        }
    }

    /// Each class is asked first in its turn, so that none takes every worker; those with urgent messages before the others,
    /// but for each ninth time.
    fn class_order(&self, queue: &mut Queue) -> [QuotaClass; QuotaClass::ALL.len()] {
        let (mut classes, is_everybodys_turn) = queue.classes();
        if !is_everybodys_turn {
            classes.sort_by_key(|class| {
                let bucket = self.engine.bucket(*class).filter(|_| queue.is_rate_limited(*class));
                !bucket.is_some_and(|bucket| bucket.has_urgent(&self.waiters[*class as usize]))
            });
        }
        classes
    }

    pub(super) fn complete_expired(&self, expired: Vec<Removed>) {
        for ended in expired {
            self.complete(ended, Code::Expired, "it expired in the queue");
        }
    }

    fn wake_up_after_defect(&self) -> Option<Instant> {
        let soon = Some(Instant::now() + RESTART_DELAY);
        self.queue().next_wakeup = soon;
        soon
    }

    fn lacks_threads(&self) -> bool {
        let at_work = self.workers - self.free_workers.load(Ordering::SeqCst).min(self.workers);
        self.threads.load(Ordering::SeqCst) < at_work
    }

    /// As many threads as there is work at hand for.
    fn start_workers(self: &Arc<Shared>) {
        while self.lacks_threads() {
            let is_one_too_many = self.threads.fetch_add(1, Ordering::SeqCst) >= self.workers;
            // Looked at after the thread is counted: whoever sends all home counts it, or it is not started.
            if is_one_too_many || self.is_stopping.load(Ordering::SeqCst) {
                self.threads.fetch_sub(1, Ordering::SeqCst);
                return;
            }
            let own = self.clone();
            let started = os::spawn_with_stack("rtcmsg-worker", self.stack_bytes, move || own.work());
            let started = started.map(|thread| self.handles().push(thread));
            if let Err(error) = started {
                let threads = self.threads.fetch_sub(1, Ordering::SeqCst) - 1;
                self.engine
                    .logger
                    .log(Level::Error, || format!("no thread for a worker: {error}"));
                if threads == 0 {
                    // Without a worker whoever is here does the work at hand, and then looks for more.
                    self.step_down();
                    while let Some(work) = self.work_queue.try_pop() {
                        self.do_work(work);
                    }
                    self.work_queue.wake();
                }
                return;
            }
        }
    }

    fn work(self: Arc<Shared>) {
        let number = self.last_worker_number.fetch_add(1, Ordering::SeqCst) + 1;
        while self.do_work(self.work_queue.next_job(number, || self.run_scheduler())) {}
        self.threads.fetch_sub(1, Ordering::SeqCst);
    }

    fn run_scheduler(self: &Arc<Shared>) {
        if self.catch_panic(|| self.schedule(false)).is_none() {
            self.work_queue.wake_timer();
        }
    }

    /// Whether to go on.
    fn do_work(&self, work: Work) -> bool {
        match work {
            Work::Exit => return false,
            Work::WarmUp => {
                self.catch_panic(|| self.engine.open_ahead());
                self.finish_one();
            }
            Work::Message(id, admitted) => {
                self.catch_panic(|| self.carry(id, admitted));
            }
        }
        self.free_workers.fetch_add(1, Ordering::SeqCst);
        true
    }

    fn carry(&self, id: u64, admitted: Option<Admitted>) {
        let Some((job, in_flight)) = self.begin(id) else {
            return self.give_back(admitted);
        };
        let options = self.engine.resolve(&job.options, job.expires);
        let admitted = admitted.map(|admitted| (admitted.slot, admitted.place));
        let carried = self.catch_panic(|| {
            job.parcel
                .with_message(|message| self.engine.carry(message, &options, &in_flight, admitted));
        });
        let text = match carried {
            Some(()) => "lost by a defect of the library",
            None => DEFECT,
        };
        self.finish(id, text);
    }

    /// `None` if it has ended.
    fn begin(&self, id: u64) -> Option<(Arc<Job>, SharedArc<InFlight>)> {
        let job = self.queue().job(id)?;
        let in_flight =
            self.catch_panic(|| SharedArc::new(job.parcel.with_message(|message| self.engine.in_flight(message))));
        let Some(in_flight) = in_flight else {
            self.finish(id, DEFECT);
            return None;
        };
        let has_begun = self.queue().begin(id, &in_flight);
        has_begun.then_some((job, in_flight))
    }

    /// Whoever takes it out of the queue completes it, and that happens once.
    fn finish(&self, id: u64, text: &str) {
        let ended = self.queue().remove(id);
        if let Some(ended) = ended {
            self.complete(ended, Code::Internal, text);
        }
    }

    pub(super) fn log_report(&self, report: &Report) {
        self.catch_panic(|| self.engine.log_report(report));
    }

    /// A panic ends what was begun, and not the thread.
    pub(super) fn catch_panic<T>(&self, body: impl FnOnce() -> T) -> Option<T> {
        match panic::catch_unwind(AssertUnwindSafe(body)) {
            Ok(value) => Some(value),
            Err(panic) => {
                let what = panic_message(&*panic);
                // Dropping what was thrown may itself panic.
                std::mem::forget(panic);
                let line = || format!("a defect of the library, please report it: {what}");
                // The logger may be what panicked.
                let logged = panic::catch_unwind(AssertUnwindSafe(|| self.engine.logger.log(Level::Error, line)));
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
