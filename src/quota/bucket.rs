//! A bucket: its windows, and the list of those who wait for their turn, by priority and then by arrival.
//!
//! A message is bound when its turn falls due, not when it asked: who leaves the list has spent nothing. Whoever stands
//! first sleeps until the turn falls due and then lets everybody pass who may; the others sleep until they are let pass
//! or stand first. Threads and queues stand in the same list: a queue holds a [`Seat`] instead of sleeping, and passes
//! only when it has somebody to send with.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::Arc as StdArc;

use super::clock::{Clock, Steady};
use super::window::{Limit, Nanos, Window};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, lock};

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    /// Tries again: it has had its turn among the others.
    Begun,
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

/// One who waits without a thread: a queue, whose messages stand in the list by their tickets.
///
/// Its functions are called under the bucket's lock, and must not come back to it.
pub(crate) trait Seat: Send + Sync {
    /// Whether a request can begin this moment. True takes what that needs; [`passed`](Seat::passed) follows.
    fn claim(&self) -> bool;
    fn passed(&self, ticket: u64);
    /// It stands first now, and has to keep the time by [`tend`](Bucket::tend).
    fn look(&self);
}

/// How many urgent ones go before a normal one that waits: it is never starved.
pub(crate) const URGENT_IN_A_ROW: u32 = 8;

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
    seats: Vec<(StdArc<dyn Seat>, usize)>,
    arrivals: u64,
    urgent_in_a_row: u32,
    /// Until when the first sleeps; `None` is without limit.
    alarm: Option<Nanos>,
    /// Thousandths of the limit that are taken from it, after the vendor throttled us.
    lowered: u64,
    changed_at: Nanos,
}

/// By priority, then by arrival.
pub(crate) type Place = (Priority, u64);

struct Waiter {
    demand: Demand,
    who: Who,
}

enum Who {
    Thread {
        signal: Condvar,
        /// Read and written under the bucket's lock alone; atomic only because it is shared.
        passed: std::sync::atomic::AtomicBool,
    },
    Queue {
        seat: StdArc<dyn Seat>,
        ticket: u64,
    },
}

/// What a bucket is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub waiting: usize,
    /// Thousandths of the limit that are given out now.
    pub thousandths: u64,
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

    /// Waits for a turn, at most so long; 0 passes now or not at all. Gives whether it had to wait. `abandoned` is asked at every waking, see
    /// [`wake`](Bucket::wake).
    pub fn pass(&self, demand: Demand, wait: Option<Nanos>, abandoned: impl Fn() -> bool) -> Result<bool, Refusal> {
        let mut state = self.lock();
        let deadline = wait.map(|wait| self.clock.now().saturating_add(wait));
        let (place, waiter) = state.arrive(demand, Who::thread());
        let Who::Thread { signal, .. } = &waiter.who else {
            return Err(Refusal::Abandoned);
        };
        let mut has_waited = false;
        loop {
            let now = self.clock.now();
            let next = state.let_pass(now);
            if waiter.has_passed() {
                state.wake_first();
                return Ok(has_waited);
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
            state = self.clock.wait(&self.state, signal, state, until);
            has_waited = true;
        }
    }

    /// Puts a queue's message into the list. [`tend`](Bucket::tend) then lets it pass when its turn comes.
    pub fn join(&self, demand: Demand, seat: &StdArc<dyn Seat>, ticket: u64) -> Place {
        let who = Who::Queue {
            seat: seat.clone(),
            ticket,
        };
        self.lock().arrive(demand, who).0
    }

    /// Takes a queue's message out of the list; false if it has passed.
    pub fn leave(&self, place: Place) -> bool {
        let mut state = self.lock();
        let stood_there = state.waiting.contains_key(&place);
        if stood_there {
            state.leave(place);
        }
        stood_there
    }

    /// Whether somebody still stands at that place.
    pub fn holds(&self, place: Place) -> bool {
        self.lock().waiting.contains_key(&place)
    }

    /// Lets everybody pass who may; says after how long the seat has to look again, if it has to.
    pub fn tend(&self, seat: &StdArc<dyn Seat>) -> Option<Nanos> {
        let mut state = self.lock();
        let now = self.clock.now();
        let next = state.let_pass(now);
        let is_first = match state.waiting.first_key_value().map(|(_, first)| &first.who) {
            Some(Who::Queue { seat: first, .. }) => StdArc::ptr_eq(first, seat),
            _ => false,
        };
        if is_first {
            state.alarm = next;
            return next.map(|next| next.saturating_sub(now));
        }
        if earlier(next, state.alarm) != state.alarm {
            state.wake_first();
        }
        None
    }

    /// Whether the first in line is more than normal.
    pub fn is_pressing(&self) -> bool {
        let state = self.lock();
        let first = state.waiting.first_key_value();
        first.is_some_and(|((priority, _), _)| *priority < Priority::Normal)
    }

    pub fn load(&self) -> Load {
        let state = self.lock();
        Load {
            waiting: state.waiting.len(),
            thousandths: FULL - state.lowered,
        }
    }

    /// Wakes all who wait, so that they ask whether they are abandoned.
    pub fn wake(&self) {
        for waiter in self.lock().waiting.values() {
            if let Who::Thread { signal, .. } = &waiter.who {
                signal.notify_one();
            }
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
        lock(&self.state)
    }
}

impl State {
    fn arrive(&mut self, demand: Demand, who: Who) -> (Place, Arc<Waiter>) {
        if let Who::Queue { seat, .. } = &who {
            count_up(&mut self.seats, seat);
        }
        let waiter = Arc::new(Waiter { demand, who });
        let place = (waiter.demand.priority, self.arrivals);
        self.arrivals += 1;
        self.waiting.insert(place, waiter.clone());
        (place, waiter)
    }

    /// Without having passed, and so without having spent.
    fn leave(&mut self, place: Place) {
        self.remove(place);
        self.wake_first();
    }

    fn remove(&mut self, place: Place) {
        let Some(waiter) = self.waiting.remove(&place) else {
            return;
        };
        if let Who::Queue { seat, .. } = &waiter.who {
            if let Some(index) = self.seats.iter().position(|(known, _)| StdArc::ptr_eq(known, seat)) {
                self.seats[index].1 -= 1;
                if self.seats[index].1 == 0 {
                    self.seats.swap_remove(index);
                }
            }
        }
    }

    /// Lets everybody pass who may, in order; gives the time of the next turn. Nobody overtakes one whom the bucket's own
    /// limit holds; who is held by his room alone, or has nobody to send with, holds up nobody else.
    fn let_pass(&mut self, now: Nanos) -> Option<Nanos> {
        let mut next = None;
        let mut busy: Vec<StdArc<dyn Seat>> = Vec::new();
        // How many messages of a queue were looked at, and are held by their rooms.
        let mut held: Vec<(StdArc<dyn Seat>, usize)> = Vec::new();
        let mut not_busy = self.waiting.len();
        // How far the list was looked through, by priority.
        let mut seen = [Bound::Unbounded; 3];
        while not_busy > 0 {
            let Some((place, waiter)) = self.first_after(&seen) else {
                break;
            };
            seen[place.0 as usize] = Bound::Excluded(place);
            let seat = match &waiter.who {
                Who::Queue { seat, .. } => Some(seat),
                Who::Thread { .. } => None,
            };
            if seat.is_some_and(|seat| busy.iter().any(|busy| StdArc::ptr_eq(busy, seat))) {
                continue;
            }
            let own = self.own_due(&waiter.demand, now);
            if own > now {
                // Those behind may be able to pass then, even if this one's room is still full.
                next = earlier(next, Some(own));
                break;
            }
            let due = self.room_due(&waiter.demand, now);
            if due > now {
                next = earlier(next, Some(due));
                not_busy -= 1;
                if let Some(seat) = seat {
                    count_up(&mut held, seat);
                }
                continue;
            }
            if let Some(seat) = seat.filter(|seat| !seat.claim()) {
                not_busy -= count_of(&self.seats, seat) - count_of(&held, seat);
                busy.push(seat.clone());
                continue;
            }
            self.depart(&waiter.demand, now);
            self.remove(place);
            not_busy -= 1;
            match &waiter.who {
                Who::Queue { seat, ticket } => seat.passed(*ticket),
                Who::Thread { signal, passed } => {
                    passed.store(true, std::sync::atomic::Ordering::Relaxed);
                    signal.notify_one();
                }
            }
        }
        next
    }

    /// The next in line behind those looked at: by priority, but for a normal one's turn after so many urgent ones.
    fn first_after(&self, seen: &[Bound<Place>; 3]) -> Option<(Place, Arc<Waiter>)> {
        let first_of = |priority: Priority| {
            let from = match seen[priority as usize] {
                Bound::Unbounded => Bound::Included((priority, 0)),
                bound => bound,
            };
            let to = Bound::Included((priority, u64::MAX));
            self.waiting.range((from, to)).next()
        };
        let [then, last] = if self.urgent_in_a_row < URGENT_IN_A_ROW {
            [Priority::Urgent, Priority::Normal]
        } else {
            [Priority::Normal, Priority::Urgent]
        };
        let found = first_of(Priority::Begun)
            .or_else(|| first_of(then))
            .or_else(|| first_of(last));
        found.map(|(place, waiter)| (*place, waiter.clone()))
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
        self.urgent_in_a_row = match demand.priority {
            Priority::Begun => self.urgent_in_a_row,
            Priority::Urgent if self.is_a_normal_waiting() => self.urgent_in_a_row + 1,
            Priority::Urgent | Priority::Normal => 0,
        };
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

    fn is_a_normal_waiting(&self) -> bool {
        matches!(self.waiting.last_key_value(), Some(((Priority::Normal, _), _)))
    }

    /// Whoever stands first now has to know: the first keeps the time.
    fn wake_first(&self) {
        match self.waiting.first_key_value().map(|(_, first)| &first.who) {
            Some(Who::Thread { signal, .. }) => signal.notify_one(),
            Some(Who::Queue { seat, .. }) => seat.look(),
            None => {}
        }
    }
}

impl Who {
    fn thread() -> Who {
        Who::Thread {
            signal: Condvar::new(),
            passed: false.into(),
        }
    }
}

impl Waiter {
    fn has_passed(&self) -> bool {
        match &self.who {
            Who::Thread { passed, .. } => passed.load(std::sync::atomic::Ordering::Relaxed),
            Who::Queue { .. } => false,
        }
    }
}

fn count_up(counts: &mut Vec<(StdArc<dyn Seat>, usize)>, seat: &StdArc<dyn Seat>) {
    match counts.iter_mut().find(|(known, _)| StdArc::ptr_eq(known, seat)) {
        Some((_, count)) => *count += 1,
        None => counts.push((seat.clone(), 1)),
    }
}

fn count_of(counts: &[(StdArc<dyn Seat>, usize)], seat: &StdArc<dyn Seat>) -> usize {
    let found = counts.iter().find(|(known, _)| StdArc::ptr_eq(known, seat));
    found.map_or(0, |(_, count)| *count)
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
