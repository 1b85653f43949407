//! A bucket: the permits of one account and class, and all who wait for them, behind one lock and a clock.
//!
//! A message takes its permits when they are due, not when it asks: a waiter that leaves has used none. Threads and queues
//! wait in the same order: a thread sleeps, and a queue is told by [`QueueWaiter`]. What was admitted has a [`Slot`], which
//! is moved to the moment at which the request's bytes leave ([`renew`](Bucket::renew)), or given back.

use std::fmt;
use std::sync::Arc as StdArc;

use super::clock::{Clock, Steady};
use super::waitlist::{Demand, FULL, Place, QueueWaiter, Slot, Ticket, WaiterId, Waitlist};
use super::window::Nanos;
use crate::util::sync::{Condvar, Mutex, MutexGuard, lock};

/// Why a thread was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not in time; as things are, it would be possible after so many nanoseconds.
    TooLate { possible_in: Nanos },
    /// The caller gave up.
    Aborted,
}

/// What a thread got.
#[derive(Debug)]
pub(crate) struct Admission {
    pub slot: Slot,
    pub place: Place,
    pub has_waited: bool,
}

/// What a bucket is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub waiting: usize,
    /// Thousandths of the limit that are given out now.
    pub thousandths: u64,
}

pub(crate) struct Bucket<C: Clock = Steady> {
    clock: C,
    waitlist: Mutex<Waitlist>,
}

impl Bucket<Steady> {
    pub fn new() -> Bucket {
        Bucket::with(Steady)
    }
}

impl<C: Clock> Bucket<C> {
    pub(super) fn with(clock: C) -> Bucket<C> {
        Bucket {
            clock,
            waitlist: Mutex::default(),
        }
    }

    /// Waits for permits, at most so long; 0 takes them now or not at all. `place` is the one from before, for a message
    /// whose slot is gone. `aborted` is asked after every wake-up, see [`wake`](Bucket::wake).
    pub fn acquire(
        &self,
        demand: &Demand,
        place: Option<Place>,
        wait: Option<Nanos>,
        aborted: impl Fn() -> bool,
    ) -> Result<Admission, Refusal> {
        let mut waitlist = self.lock();
        let mut now = self.clock.now();
        let deadline = wait.map(|wait| now.saturating_add(wait));
        let place = place.unwrap_or_else(|| waitlist.new_place(demand.priority));
        if let Some(slot) = waitlist.try_admit(demand, place.priority, now) {
            waitlist.schedule(now, None);
            let has_waited = false;
            return Ok(Admission {
                slot,
                place,
                has_waited,
            });
        }
        let signal = StdArc::new(Condvar::new());
        let mut ticket = waitlist.enqueue_thread(demand, place, signal.clone());
        let this = WaiterId::Thread(place);
        let mut has_waited = false;
        loop {
            waitlist.schedule(now, Some(this));
            let possible_at = waitlist.due(demand, now);
            let is_too_late = deadline.is_some_and(|deadline| now >= deadline || possible_at > deadline);
            if waitlist.is_admitted(place) {
                // Another thread may have admitted this one some time ago.
                let slot = waitlist.take_thread(ticket);
                if let Some(slot) = slot.and_then(|slot| waitlist.renewed(slot, now)) {
                    waitlist.schedule(now, None);
                    return Ok(Admission {
                        slot,
                        place,
                        has_waited,
                    });
                }
                ticket = waitlist.enqueue_thread(demand, place, signal.clone());
                continue;
            }
            if is_too_late || aborted() {
                waitlist.take_thread(ticket);
                waitlist.schedule(now, None);
                let possible_in = possible_at.saturating_sub(now);
                return Err(if is_too_late {
                    Refusal::TooLate { possible_in }
                } else {
                    Refusal::Aborted
                });
            }
            let until = deadline.into_iter().chain(waitlist.wakes_at(this)).min();
            waitlist = self.clock.wait(&self.waitlist, &signal, waitlist, until);
            has_waited = true;
            now = self.clock.now();
        }
    }

    /// Right before the first byte: moves a slot to this moment. False if it no longer counts; then it is gone, and the
    /// message needs another one.
    pub fn renew(&self, slot: &mut Slot) -> bool {
        let mut waitlist = self.lock();
        let now = self.clock.now();
        waitlist.renew(slot, now)
    }

    /// The permits of a request that was not sent: the next waiter gets them.
    pub fn give_back(&self, slot: &Slot) {
        let mut waitlist = self.lock();
        let now = self.clock.now();
        waitlist.give_back(slot);
        waitlist.schedule(now, None);
    }

    /// Adds a message of a queue, which calls [`schedule`](Bucket::schedule) when it has added all it has.
    pub fn enqueue(&self, demand: &Demand, queue: &StdArc<dyn QueueWaiter>, message: u64) -> Ticket {
        self.lock().enqueue_message(demand, queue, message)
    }

    /// Takes a message of a queue out; false if it was admitted.
    pub fn leave(&self, ticket: Ticket) -> bool {
        let mut waitlist = self.lock();
        let was_waiting = waitlist.remove(ticket);
        if was_waiting {
            let now = self.clock.now();
            waitlist.schedule(now, None);
        }
        was_waiting
    }

    /// Whether a message still waits.
    pub fn is_waiting(&self, ticket: Ticket) -> bool {
        self.lock().is_waiting(ticket)
    }

    /// Admits whoever may be sent now. A queue calls this when it has a free worker, when it was woken, and after the time
    /// that this gives: then it has to be called again.
    pub fn schedule(&self, queue: &StdArc<dyn QueueWaiter>) -> Option<Nanos> {
        let mut waitlist = self.lock();
        let now = self.clock.now();
        let this = WaiterId::queue(queue);
        waitlist.clear_busy(queue);
        waitlist.set_stepped_down(queue, false);
        waitlist.schedule(now, Some(this));
        Some(waitlist.wakes_at(this)?.saturating_sub(now))
    }

    /// A queue does something else before it calls [`schedule`](Bucket::schedule) again: another waiter keeps the time.
    pub fn step_down(&self, queue: &StdArc<dyn QueueWaiter>) {
        let mut waitlist = self.lock();
        let now = self.clock.now();
        waitlist.set_stepped_down(queue, true);
        waitlist.schedule(now, None);
    }

    /// Whether the first message of a queue is more than normal.
    pub fn has_urgent(&self, queue: &StdArc<dyn QueueWaiter>) -> bool {
        self.lock().has_urgent(queue)
    }

    pub fn load(&self) -> Load {
        let waitlist = self.lock();
        Load {
            waiting: waitlist.len(),
            thousandths: FULL - waitlist.lowered,
        }
    }

    /// Wakes all threads that wait, so that they ask whether they are aborted.
    pub fn wake(&self) {
        self.lock().wake_threads();
    }

    /// The vendor throttled us: something else uses its quota. The limit is lowered by a quarter, once a span.
    pub fn throttled(&self, span: Nanos) {
        let mut waitlist = self.lock();
        let now = self.clock.now();
        if waitlist.lowered == 0 || now.saturating_sub(waitlist.lowered_at) >= span {
            waitlist.lowered += (FULL - waitlist.lowered) / 4;
            waitlist.lowered_at = now;
        }
    }

    /// The vendor accepted a request: a lowered limit is restored by a twentieth of it, once a span.
    pub fn succeeded(&self, span: Nanos) {
        let mut waitlist = self.lock();
        let now = self.clock.now();
        if waitlist.lowered > 0 && now.saturating_sub(waitlist.lowered_at) >= span {
            waitlist.lowered = waitlist.lowered.saturating_sub(FULL / 20);
            waitlist.lowered_at = now;
            waitlist.schedule(now, None);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waitlist> {
        lock(&self.waitlist)
    }
}

impl<C: Clock> fmt::Debug for Bucket<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bucket")
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests;

#[cfg(all(test, feature = "loom"))]
mod models;
