//! A bucket: its windows, and the list of those who wait for their turn, by priority and then by arrival.
//!
//! A message is bound when its turn falls due, not when it asked: who leaves the list has spent nothing. Whoever stands
//! first sleeps until the turn falls due and then lets everybody pass who may; the others sleep until they are let pass
//! or stand first.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;

use super::clock::{Arc, Clock, Condvar, Mutex, MutexGuard, Steady};
use super::window::{Limit, Nanos, Window};

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    Urgent,
    Normal,
}

/// What one request asks of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    pub weight: u64,
    pub limit: Limit,
    /// A room that has a limit of its own, in which every request weighs 1.
    pub room: Option<(String, Limit)>,
    pub priority: Priority,
}

/// Why somebody left the list without having passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No turn by then; it would have been possible, as things stand, after so many nanoseconds.
    NoTurn { possible_in: Nanos },
    /// The caller gave up.
    Abandoned,
}

/// A thousandth: how a throttled vendor's limit is lowered.
const FULL: u64 = 1000;

pub(crate) struct Bucket<C: Clock = Steady> {
    clock: C,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    window: Window,
    rooms: HashMap<String, Window>,
    waiting: BTreeMap<Place, Arc<Waiter>>,
    arrivals: u64,
    /// Until when the first sleeps; `None` is without limit.
    alarm: Option<Nanos>,
    /// Thousandths of the limit that are taken from it, after the vendor throttled us.
    lowered: u64,
    changed_at: Nanos,
}

/// By priority, then by arrival.
type Place = (Priority, u64);

struct Waiter {
    demand: Demand,
    signal: Condvar,
    passed: std::sync::atomic::AtomicBool,
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
            state: Mutex::new(State::default()),
        }
    }

    /// Waits for a turn, at most so long; 0 passes now or not at all. `abandoned` is asked at every waking, see
    /// [`wake`](Bucket::wake).
    pub fn pass(&self, demand: Demand, wait: Option<Nanos>, abandoned: impl Fn() -> bool) -> Result<(), Refusal> {
        let mut state = self.lock();
        let deadline = wait.map(|wait| self.clock.now().saturating_add(wait));
        let (place, waiter) = state.arrive(demand);
        loop {
            let now = self.clock.now();
            let next = state.let_pass(now);
            if waiter.has_passed() {
                state.wake_first();
                return Ok(());
            }
            let possible_at = state.due(&waiter.demand, now);
            let too_late = deadline.is_some_and(|deadline| now >= deadline || possible_at > deadline);
            if too_late || abandoned() {
                state.leave(place);
                return Err(if too_late {
                    Refusal::NoTurn {
                        possible_in: possible_at.saturating_sub(now),
                    }
                } else {
                    Refusal::Abandoned
                });
            }
            let is_first = state.waiting.keys().next() == Some(&place);
            if is_first {
                state.alarm = next;
            } else if earlier(next, state.alarm) != state.alarm {
                // The first, held by a full room, sleeps past the turn of one behind it.
                state.wake_first();
            }
            let until = if is_first { earlier(deadline, next) } else { deadline };
            state = self.clock.wait(&self.state, &waiter.signal, state, until);
        }
    }

    /// Wakes all who wait, so that they ask whether they are abandoned.
    pub fn wake(&self) {
        for waiter in self.lock().waiting.values() {
            waiter.signal.notify_one();
        }
    }

    /// The vendor throttled us: something else spends its quota. The limit is lowered by a quarter, once a span.
    pub fn throttled(&self, span: Nanos) {
        let mut state = self.lock();
        let now = self.clock.now();
        if state.lowered == 0 || now.saturating_sub(state.changed_at) >= span {
            state.lowered += (FULL - state.lowered) / 4;
            state.changed_at = now;
        }
    }

    /// The vendor took one: a lowered limit is restored by a twentieth of it, once a span.
    pub fn succeeded(&self, span: Nanos) {
        let mut state = self.lock();
        let now = self.clock.now();
        if state.lowered > 0 && now.saturating_sub(state.changed_at) >= span {
            state.lowered = state.lowered.saturating_sub(FULL / 20);
            state.changed_at = now;
            state.wake_first();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        #[cfg(not(feature = "loom"))]
        return self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        #[cfg(feature = "loom")]
        return self.state.lock().unwrap();
    }
}

impl State {
    fn arrive(&mut self, demand: Demand) -> (Place, Arc<Waiter>) {
        let waiter = Arc::new(Waiter {
            demand,
            signal: Condvar::new(),
            passed: false.into(),
        });
        let place = (waiter.demand.priority, self.arrivals);
        self.arrivals += 1;
        self.waiting.insert(place, waiter.clone());
        (place, waiter)
    }

    /// Without having passed, and so without having spent.
    fn leave(&mut self, place: Place) {
        self.waiting.remove(&place);
        self.wake_first();
    }

    /// Lets everybody pass who may, in order; gives the time of the next turn. Nobody overtakes one whom the bucket's own
    /// limit holds; who is held by his room alone holds up nobody else.
    fn let_pass(&mut self, now: Nanos) -> Option<Nanos> {
        let mut next = None;
        let mut from = Bound::Unbounded;
        while let Some((place, waiter)) = self.waiting.range((from, Bound::Unbounded)).next() {
            let (place, waiter) = (*place, waiter.clone());
            from = Bound::Excluded(place);
            let own = self.own_due(&waiter.demand, now);
            let due = own.max(self.room_due(&waiter.demand, now));
            if due <= now {
                self.depart(&waiter.demand, now);
                waiter.pass();
                self.waiting.remove(&place);
                continue;
            }
            if own > now {
                // Those behind may be able to pass then, even if this one's room is still full.
                next = earlier(next, Some(own));
                break;
            }
            next = earlier(next, Some(due));
        }
        next
    }

    fn due(&mut self, demand: &Demand, now: Nanos) -> Nanos {
        self.own_due(demand, now).max(self.room_due(demand, now))
    }

    fn own_due(&mut self, demand: &Demand, now: Nanos) -> Nanos {
        let left = demand.limit.weight * (FULL - self.lowered) / FULL;
        self.window.due(
            now,
            Limit {
                weight: left.max(1),
                ..demand.limit
            },
            demand.weight,
        )
    }

    fn room_due(&mut self, demand: &Demand, now: Nanos) -> Nanos {
        let Some((room, limit)) = &demand.room else { return now };
        self.rooms
            .get_mut(room)
            .map_or(now, |window| window.due(now, *limit, 1))
    }

    fn depart(&mut self, demand: &Demand, now: Nanos) {
        self.window.depart(now, demand.weight);
        if let Some((room, limit)) = &demand.room {
            // Rooms come and go: those that are quiet are forgotten, so that memory is bounded by the rate.
            if !self.rooms.contains_key(room) {
                self.rooms.retain(|_, window| {
                    window.forget(now, limit.span);
                    !window.is_empty()
                });
            }
            self.rooms.entry(room.clone()).or_default().depart(now, 1);
        }
    }

    /// Whoever stands first now has to know: the first keeps the time.
    fn wake_first(&self) {
        if let Some((_, first)) = self.waiting.first_key_value() {
            first.signal.notify_one();
        }
    }
}

impl Waiter {
    // Read and written under the bucket's lock alone; atomic only because it is shared.
    fn has_passed(&self) -> bool {
        self.passed.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn pass(&self) {
        self.passed.store(true, std::sync::atomic::Ordering::Relaxed);
        self.signal.notify_one();
    }
}

fn earlier(a: Option<Nanos>, b: Option<Nanos>) -> Option<Nanos> {
    a.into_iter().chain(b).min()
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
