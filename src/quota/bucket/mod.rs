//! A bucket: the permits of one account and class, and the threads and queues that wait for them, behind one lock.
//!
//! Permits are used when a request is admitted, not when it starts to wait, so a waiter that gives up has used none. Threads
//! and queues wait in one common order. A waiting thread sleeps; a queue is notified through [`QueueWaiter`]. An admitted
//! request has a [`Slot`], which is moved to the time of its first byte ([`renew`](Bucket::renew)) or given back.

use std::fmt;
use std::sync::Arc as StdArc;

use super::clock::{Clock, Steady};
use super::waitlist::{Demand, FULL, Place, QueueWaiter, Slot, Ticket, WaiterId, Waitlist};
use super::window::Nanos;
use crate::util::sync::{Condvar, Mutex, MutexGuard, lock};

/// Why a thread was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The request cannot be admitted before its deadline. `possible_in` is the earliest time from now.
    TooLate { possible_in: Nanos },
    /// The caller's client was aborted.
    Aborted,
}

/// The result of a successful [`acquire`](Bucket::acquire).
#[derive(Debug)]
pub(crate) struct Admission {
    pub slot: Slot,
    pub place: Place,
    pub has_waited: bool,
}

/// The current load of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub waiting: usize,
    /// The share of the limit that applies now, in thousandths. It is lower after the vendor has throttled a request.
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

    /// Waits for permits, at most for `wait`; with 0 it takes them now or fails. `place` is the request's earlier place in the
    /// order, if its first slot expired. `aborted` is called after every wake-up, see [`wake`](Bucket::wake).
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
                // Another thread admitted this one, perhaps long ago, so the slot must still be valid.
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

    /// Moves a slot to the current time, right before the first byte. Returns false if the slot has expired: it is then
    /// invalid, and the request needs another one.
    pub fn renew(&self, slot: &mut Slot) -> bool {
        let mut waitlist = self.lock();
        let now = self.clock.now();
        waitlist.renew(slot, now)
    }

    /// Returns the permits of a request that was not sent, so that the next waiter gets them.
    pub fn give_back(&self, slot: &Slot) {
        let mut waitlist = self.lock();
        let now = self.clock.now();
        waitlist.give_back(slot);
        waitlist.schedule(now, None);
    }

    /// Adds a message of a queue. The queue calls [`schedule`](Bucket::schedule) after it has added all its messages.
    pub fn enqueue(&self, demand: &Demand, queue: &StdArc<dyn QueueWaiter>, message: u64) -> Ticket {
        self.lock().enqueue_message(demand, queue, message)
    }

    /// Removes a message of a queue. Returns false if it was admitted.
    pub fn leave(&self, ticket: Ticket) -> bool {
        let mut waitlist = self.lock();
        let was_waiting = waitlist.remove(ticket);
        if was_waiting {
            let now = self.clock.now();
            waitlist.schedule(now, None);
        }
        was_waiting
    }

    /// Whether a message of a queue still waits.
    pub fn is_waiting(&self, ticket: Ticket) -> bool {
        self.lock().is_waiting(ticket)
    }

    /// Admits every waiter that may be sent now. A queue calls this when it has a free worker, when it was woken, and when
    /// the returned time has passed. `None` means that the queue is not the leader and need not call again by itself.
    pub fn schedule(&self, queue: &StdArc<dyn QueueWaiter>) -> Option<Nanos> {
        let mut waitlist = self.lock();
        let now = self.clock.now();
        let this = WaiterId::queue(queue);
        waitlist.clear_busy(queue);
        waitlist.set_stepped_down(queue, false);
        waitlist.schedule(now, Some(this));
        Some(waitlist.wakes_at(this)?.saturating_sub(now))
    }

    /// The queue cannot be the leader until it calls [`schedule`](Bucket::schedule) again. Another waiter becomes the leader.
    pub fn step_down(&self, queue: &StdArc<dyn QueueWaiter>) {
        let mut waitlist = self.lock();
        let now = self.clock.now();
        waitlist.set_stepped_down(queue, true);
        waitlist.schedule(now, None);
    }

    /// Whether a queue has a waiting message above normal priority.
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

    /// Wakes all waiting threads, so that those of an aborted client give up.
    pub fn wake(&self) {
        self.lock().wake_threads();
    }

    /// The vendor throttled a request, so another program uses the same quota. Lowers the limit by a quarter, once per span.
    pub fn throttled(&self, span: Nanos) {
        let mut waitlist = self.lock();
        let now = self.clock.now();
        if waitlist.lowered == 0 || now.saturating_sub(waitlist.lowered_at) >= span {
            waitlist.lowered += (FULL - waitlist.lowered) / 4;
            waitlist.lowered_at = now;
        }
    }

    /// The vendor accepted a request. Raises a lowered limit by a twentieth of the full limit, once per span.
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
