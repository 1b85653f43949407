//! The threads: the dispatcher, which gives out work and keeps the time, and the workers, which do it.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::queue::{Ended, Job, Queue};
use super::{STEP, Shared};
use crate::client::Flight;
use crate::error::Code;
use crate::log::Level;
use crate::os;
use crate::quota::{Class, Place, QueueWaiter, Slot, Ticket};
use crate::report::Report;
use crate::util::sync::{Arc as SharedArc, MutexGuard, lock};

const DEFECT: &str = "a defect of the library ended it; please report what the log says";

/// The dispatcher looks again by itself after a panic of its own.
const AFTER_A_DEFECT: Duration = Duration::from_secs(1);

/// What a worker is given; it was claimed before.
#[derive(Debug)]
pub(super) enum Work {
    /// With the slot that it was admitted with, where a quota admitted it.
    Message(u64, Option<Admitted>),
    WarmUp,
    GoHome,
}

#[derive(Debug)]
pub(super) struct Admitted {
    class: Class,
    slot: Slot,
    place: Place,
}

/// A queue, for the bucket of one class.
pub(super) struct ClassWaiter {
    shared: Weak<Shared>,
    class: Class,
}

impl ClassWaiter {
    pub fn of(shared: &Weak<Shared>, class: Class) -> Arc<dyn QueueWaiter> {
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
        shared.tray.put(Work::Message(message, Some(admitted)));
        if shared.lacks_threads() {
            shared.tray.ring();
        }
    }

    fn wake_timer(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.tray.ring();
        }
    }
}

impl Shared {
    pub(super) fn start_dispatcher(shared: &Arc<Shared>) -> io::Result<()> {
        let own = shared.clone();
        let thread = os::spawn("rtcmsg-dispatch", move || {
            let look = || {
                let next = own
                    .guarded(|| own.tend(true))
                    .unwrap_or_else(|| own.looks_again_after_a_defect());
                next.map(|at| at.saturating_duration_since(Instant::now()))
            };
            own.tray.keep(look, || own.has_left.load(Ordering::SeqCst));
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
        while let Some(work) = self.tray.try_take() {
            match work {
                Work::WarmUp => self.left(),
                Work::Message(_, admitted) => self.give_back(admitted),
                Work::GoHome => {}
            }
        }
    }

    fn give_back(&self, admitted: Option<Admitted>) {
        if let Some((bucket, admitted)) = admitted.and_then(|a| Some((self.client.bucket(a.class)?, a))) {
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
    pub(super) fn send_threads_home(&self) {
        if self.has_left.swap(true, Ordering::SeqCst) {
            return;
        }
        for _ in 0..self.threads.load(Ordering::SeqCst) {
            self.tray.put(Work::GoHome);
        }
        self.tray.call_keeper();
    }

    fn has_free_worker(&self) -> bool {
        !self.is_abandoned.load(Ordering::SeqCst) && self.free_workers.load(Ordering::SeqCst) > 0
    }

    fn claim_worker(&self) -> bool {
        let one_less = |free: usize| free.checked_sub(1);
        !self.is_abandoned.load(Ordering::SeqCst)
            && self
                .free_workers
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
                .is_ok()
    }

    /// Puts everything where it belongs, and gives what can go to free workers. When there is something to do again, if
    /// nobody rings before.
    fn tend(self: &Arc<Shared>, is_dispatcher: bool) -> Option<Instant> {
        self.enqueue_submitted();
        self.take_expired();
        let placed = self.place_due();
        let mut queue = self.queue();
        while queue.has_ready() && self.claim_worker() {
            if let Some(id) = queue.hand_out() {
                self.tray.put(Work::Message(id, None));
            }
        }
        let mut next = queue.next_expiry();
        for class in self.classes_in_order(&mut queue) {
            let Some(bucket) = self.client.bucket(class).filter(|_| queue.is_rate_limited(class)) else {
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
            self.tray.put(Work::WarmUp);
        }
        // An earlier look that is no longer needed stays: to take it back, and to ask for it again with each message, costs more.
        let planned = queue.looks_again_at.filter(|at| *at > Instant::now());
        next = next.into_iter().chain(planned).min();
        queue.looks_again_at = next;
        let overdue = if is_dispatcher {
            std::mem::take(&mut queue.overdue)
        } else {
            Vec::new()
        };
        let is_dispatcher_wanted = !is_dispatcher && (next != planned || !queue.overdue.is_empty());
        drop(queue);
        if is_dispatcher_wanted {
            self.tray.call_keeper();
        }
        self.count_quota_waits(&placed);
        self.start_workers();
        if overdue.is_empty() {
            return next;
        }
        // The host's log function may take its time, and this thread keeps no other's meanwhile.
        self.stop_keeping_time();
        self.complete_expired(overdue);
        Some(Instant::now())
    }

    fn stop_keeping_time(&self) {
        for class in Class::ALL {
            if let Some(bucket) = self.client.bucket(class) {
                bucket.stop_keeping_time(&self.waiters[class as usize]);
            }
        }
    }

    /// Everything that was submitted before this call.
    fn enqueue_submitted(&self) {
        let mut left = self.inbox.len();
        while left > 0 {
            match self.enqueue(&mut self.queue(), STEP.min(left)) {
                0 => return,
                enqueued => left -= enqueued,
            }
        }
    }

    fn take_expired(&self) {
        let now = Instant::now();
        let mut is_more = true;
        while is_more {
            let mut queue = self.queue();
            for _ in 0..STEP {
                let Some(id) = queue.next_expired(now) else {
                    is_more = false;
                    break;
                };
                match self.take_out(&mut queue, id) {
                    Some(ended) => queue.overdue.push(ended),
                    // A worker has it, and looks at the time before it sends.
                    None => queue.forget_expiry(id),
                }
            }
        }
    }

    /// Every message that may be sent waits for its quota now, or for a worker alone. Gives those that wait for a quota.
    fn place_due(&self) -> Vec<(Class, Ticket)> {
        let mut placed = Vec::new();
        let mut is_more = true;
        while is_more {
            let mut queue = self.queue();
            for _ in 0..STEP {
                let Some(job) = queue.next_due() else {
                    is_more = false;
                    break;
                };
                let demand = job.demand.as_ref();
                match demand.and_then(|(class, demand)| Some((*class, demand, self.client.bucket(*class)?))) {
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
    fn count_quota_waits(&self, placed: &[(Class, Ticket)]) {
        if self.has_free_worker() {
            let waits = |(class, ticket): &&(Class, Ticket)| {
                let bucket = self.client.bucket(*class);
                bucket.is_some_and(|bucket| bucket.is_waiting(*ticket))
            };
            self.client
                .tally
                .quota_waits
                .add(placed.iter().filter(waits).count() as u64);
        }
    }

    /// Each class is asked first in its turn, so that none takes every worker; those with urgent messages before the others,
    /// but for each ninth time.
    fn classes_in_order(&self, queue: &mut Queue) -> [Class; Class::ALL.len()] {
        let (mut classes, is_everybodys_turn) = queue.classes();
        if !is_everybodys_turn {
            classes.sort_by_key(|class| {
                let bucket = self.client.bucket(*class).filter(|_| queue.is_rate_limited(*class));
                !bucket.is_some_and(|bucket| bucket.has_urgent(&self.waiters[*class as usize]))
            });
        }
        classes
    }

    pub(super) fn complete_expired(&self, overdue: Vec<Ended>) {
        for ended in overdue {
            self.complete(ended, Code::Expired, "it expired in the queue");
        }
    }

    fn looks_again_after_a_defect(&self) -> Option<Instant> {
        let soon = Some(Instant::now() + AFTER_A_DEFECT);
        self.queue().looks_again_at = soon;
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
            if is_one_too_many || self.has_left.load(Ordering::SeqCst) {
                self.threads.fetch_sub(1, Ordering::SeqCst);
                return;
            }
            let own = self.clone();
            let started = os::spawn_with_stack("rtcmsg-worker", self.stack_bytes, move || own.work());
            let started = started.map(|thread| self.handles().push(thread));
            if let Err(error) = started {
                let threads = self.threads.fetch_sub(1, Ordering::SeqCst) - 1;
                self.client
                    .logger
                    .log(Level::Error, || format!("no thread for a worker: {error}"));
                if threads == 0 {
                    // Without a worker whoever is here does the work at hand, and then looks for more.
                    self.stop_keeping_time();
                    while let Some(work) = self.tray.try_take() {
                        self.do_work(work);
                    }
                    self.tray.ring();
                }
                return;
            }
        }
    }

    fn work(self: Arc<Shared>) {
        let number = self.numbers.fetch_add(1, Ordering::SeqCst) + 1;
        while self.do_work(self.tray.next(number, || self.look_after_the_queue())) {}
        self.threads.fetch_sub(1, Ordering::SeqCst);
    }

    fn look_after_the_queue(self: &Arc<Shared>) {
        if self.guarded(|| self.tend(false)).is_none() {
            self.tray.call_keeper();
        }
    }

    /// Whether to go on.
    fn do_work(&self, work: Work) -> bool {
        match work {
            Work::GoHome => return false,
            Work::WarmUp => {
                self.guarded(|| self.client.open_ahead());
                self.left();
            }
            Work::Message(id, admitted) => {
                self.guarded(|| self.carry(id, admitted));
            }
        }
        self.free_workers.fetch_add(1, Ordering::SeqCst);
        true
    }

    fn carry(&self, id: u64, admitted: Option<Admitted>) {
        let Some((job, flight)) = self.begin(id) else {
            return self.give_back(admitted);
        };
        let terms = self.client.terms(&job.options, job.expires);
        let admitted = admitted.map(|admitted| (admitted.slot, admitted.place));
        let carried = self.guarded(|| {
            job.parcel
                .open(|message| self.client.carry(message, &terms, &flight, admitted));
        });
        let text = match carried {
            Some(()) => "lost by a defect of the library",
            None => DEFECT,
        };
        self.finish(id, text);
    }

    /// `None` if it has ended.
    fn begin(&self, id: u64) -> Option<(Arc<Job>, SharedArc<Flight>)> {
        let job = self.queue().job(id)?;
        let flight = self.guarded(|| SharedArc::new(job.parcel.open(|message| self.client.flight(message))));
        let Some(flight) = flight else {
            self.finish(id, DEFECT);
            return None;
        };
        let has_begun = self.queue().begin(id, &flight);
        has_begun.then_some((job, flight))
    }

    /// Whoever takes it out of the queue completes it, and that happens once.
    fn finish(&self, id: u64, text: &str) {
        let ended = self.queue().end(id);
        if let Some(ended) = ended {
            self.complete(ended, Code::Internal, text);
        }
    }

    pub(super) fn tell(&self, report: &Report) {
        self.guarded(|| self.client.tell(report));
    }

    /// A panic ends what was begun, and not the thread.
    pub(super) fn guarded<T>(&self, body: impl FnOnce() -> T) -> Option<T> {
        match panic::catch_unwind(AssertUnwindSafe(body)) {
            Ok(value) => Some(value),
            Err(panic) => {
                let what = described(&*panic);
                // Dropping what was thrown may itself panic.
                std::mem::forget(panic);
                let line = || format!("a defect of the library, please report it: {what}");
                // The logger may be what panicked.
                let logged = panic::catch_unwind(AssertUnwindSafe(|| self.client.logger.log(Level::Error, line)));
                if let Err(panic) = logged {
                    std::mem::forget(panic);
                }
                None
            }
        }
    }
}

fn described(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}
