//! Which message is next: order by destination, priority, expiry. A plain value under one lock; it does nothing itself.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::owned_message::OwnedMessage;
use crate::action::QuotaClass;
use crate::engine::{InFlight, SendOptions};
use crate::quota::{Demand, Ticket, URGENT_IN_A_ROW};
use crate::util::deadline::Deadline;
use crate::util::sync::Arc as SharedArc;

/// A message from submit to its completion.
#[derive(Debug)]
pub(super) struct Job {
    pub id: u64,
    pub user_data: u64,
    pub parcel: OwnedMessage,
    pub options: SendOptions,
    /// What its first request needs of its quota.
    pub demand: Option<(QuotaClass, Demand)>,
    pub expires: Deadline,
    /// Those of one key leave one after another; `None` is bound to nobody.
    pub key: Option<Key>,
    pub wants_completion: bool,
    pub submitted: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Destination(u64),
    Given(u64),
}

/// Where a message is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Waits for the one before it of the same key.
    Blocked,
    /// May go, and was not looked at yet.
    Unscheduled,
    /// Waits for a worker alone.
    Ready,
    /// Waits for its quota.
    RateLimited(QuotaClass, Ticket),
    /// Given to a worker.
    Assigned,
    InFlight(SharedArc<InFlight>),
}

/// A message that has left the queue.
#[derive(Debug)]
pub(super) struct Removed {
    pub job: Arc<Job>,
    pub stage: Stage,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: BTreeMap<u64, Entry>,
    groups: HashMap<Key, OrderGroup>,
    unscheduled: VecDeque<u64>,
    /// By priority.
    ready: [BTreeSet<u64>; 2],
    urgent_in_a_row: u32,
    rate_limited: [usize; QuotaClass::ALL.len()],
    gauges: Arc<Gauges>,
    expiries: BTreeSet<(Instant, u64)>,
    /// When the dispatcher looks again by itself. Who knows of an earlier time notes it here, and calls it.
    pub next_wakeup: Option<Instant>,
    /// Expired, and not completed yet. The dispatcher does that: it takes as long as the host's log function.
    pub expired: Vec<Removed>,
    /// Connections to open ahead, not begun yet.
    pub warm_ups: usize,
    times_asked: u32,
}

/// What a queue holds, for readers without its lock.
#[derive(Debug)]
pub(super) struct Gauges {
    start: Instant,
    messages: AtomicUsize,
    in_flight: AtomicUsize,
    /// When the oldest message was submitted, in microseconds after the start; [`NONE`] without a message.
    oldest: AtomicU64,
}

const NONE: u64 = u64::MAX;

impl Default for Gauges {
    fn default() -> Gauges {
        Gauges {
            start: Instant::now(),
            messages: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            oldest: AtomicU64::new(NONE),
        }
    }
}

impl Gauges {
    /// Messages that have not ended, those in in_flight among them.
    pub fn messages(&self) -> usize {
        self.messages.load(Ordering::SeqCst)
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// When the oldest message that has not ended was submitted.
    pub fn oldest(&self) -> Option<Instant> {
        let micros = Some(self.oldest.load(Ordering::SeqCst)).filter(|micros| *micros != NONE)?;
        self.start.checked_add(Duration::from_micros(micros))
    }
}

#[derive(Debug)]
struct Entry {
    job: Arc<Job>,
    stage: Stage,
}

/// The messages of a key: one is on its way or next, the others blocked it.
#[derive(Debug, Default)]
struct OrderGroup {
    first: u64,
    blocked: BTreeSet<u64>,
}

impl Queue {
    pub fn gauges(&self) -> Arc<Gauges> {
        self.gauges.clone()
    }

    pub fn insert(&mut self, job: Arc<Job>) {
        let id = job.id;
        if let Some(at) = job.expires.at() {
            self.expiries.insert((at, id));
        }
        let mut stage = Stage::Unscheduled;
        if let Some(key) = job.key {
            match self.groups.get_mut(&key) {
                Some(group) => {
                    group.blocked.insert(id);
                    stage = Stage::Blocked;
                }
                None => {
                    let blocked = BTreeSet::new();
                    self.groups.insert(key, OrderGroup { first: id, blocked });
                }
            }
        }
        if matches!(stage, Stage::Unscheduled) {
            self.unscheduled.push_back(id);
        }
        self.entries.insert(id, Entry { job, stage });
        self.note_messages(id);
    }

    /// After this message was added or removed.
    fn note_messages(&self, id: u64) {
        self.gauges.messages.store(self.entries.len(), Ordering::SeqCst);
        let first = self.entries.first_key_value();
        if first.is_some_and(|(first, _)| *first < id) {
            return;
        }
        let age = |(_, entry): (&u64, &Entry)| {
            let submitted = entry.job.submitted;
            submitted.saturating_duration_since(self.gauges.start).as_micros() as u64
        };
        self.gauges.oldest.store(first.map_or(NONE, age), Ordering::SeqCst);
    }

    /// One that may go and was not placed yet.
    pub fn next_unscheduled(&mut self) -> Option<Arc<Job>> {
        while let Some(id) = self.unscheduled.pop_front() {
            if let Some(entry) = self.entries.get(&id) {
                return Some(entry.job.clone());
            }
        }
        None
    }

    pub fn has_unscheduled(&self) -> bool {
        !self.unscheduled.is_empty()
    }

    pub fn set_ready(&mut self, job: &Job) {
        if let Some(entry) = self.entries.get_mut(&job.id) {
            entry.stage = Stage::Ready;
            self.ready[rank(job)].insert(job.id);
        }
    }

    pub fn set_rate_limited(&mut self, id: u64, class: QuotaClass, ticket: Ticket) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::RateLimited(class, ticket);
            self.rate_limited[class as usize] += 1;
        }
    }

    pub fn is_rate_limited(&self, class: QuotaClass) -> bool {
        self.rate_limited[class as usize] > 0
    }

    /// All classes, another one first each time; and whether it is a time when urgency does not count.
    pub fn classes(&mut self) -> ([QuotaClass; QuotaClass::ALL.len()], bool) {
        let mut classes = QuotaClass::ALL;
        self.times_asked = self.times_asked.wrapping_add(1);
        classes.rotate_left(self.times_asked as usize % QuotaClass::ALL.len());
        (classes, self.times_asked % (URGENT_IN_A_ROW + 1) == 0)
    }

    pub fn has_ready(&self) -> bool {
        self.ready.iter().any(|ready| !ready.is_empty())
    }

    /// The next of those that wait for a worker alone: urgent ones first, but for a normal one's turn.
    pub fn assign(&mut self) -> Option<u64> {
        let [urgent, normal] = &self.ready;
        let is_normals_turn = self.urgent_in_a_row >= URGENT_IN_A_ROW && !normal.is_empty();
        let rank = usize::from(urgent.is_empty() || is_normals_turn);
        self.urgent_in_a_row = if rank == 0 && !normal.is_empty() {
            self.urgent_in_a_row + 1
        } else {
            0
        };
        let id = self.ready[rank].pop_first()?;
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::Assigned;
        }
        Some(id)
    }

    pub fn job(&self, id: u64) -> Option<Arc<Job>> {
        self.entries.get(&id).map(|entry| entry.job.clone())
    }

    /// A worker has it now. False if it ended before.
    pub fn begin(&mut self, id: u64, in_flight: &SharedArc<InFlight>) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        let before = std::mem::replace(&mut entry.stage, Stage::InFlight(in_flight.clone()));
        if let Some(at) = entry.job.expires.at() {
            self.expiries.remove(&(at, id));
        }
        self.gauges.in_flight.fetch_add(1, Ordering::SeqCst);
        if let Stage::RateLimited(class, _) = before {
            self.rate_limited[class as usize] -= 1;
        }
        true
    }

    pub fn stage(&self, id: u64) -> Option<&Stage> {
        self.entries.get(&id).map(|entry| &entry.stage)
    }

    /// Takes a message out, and lets the next of its key go. Only the first who asks gets it.
    pub fn remove(&mut self, id: u64) -> Option<Removed> {
        let Entry { job, stage } = self.entries.remove(&id)?;
        if let Some(at) = job.expires.at() {
            self.expiries.remove(&(at, id));
        }
        match stage {
            Stage::Ready => {
                self.ready[rank(&job)].remove(&id);
            }
            Stage::RateLimited(class, _) => self.rate_limited[class as usize] -= 1,
            Stage::InFlight(_) => {
                self.gauges.in_flight.fetch_sub(1, Ordering::SeqCst);
            }
            Stage::Blocked | Stage::Unscheduled | Stage::Assigned => {}
        }
        if let Some(key) = job.key {
            self.leave_group(key, id);
        }
        self.note_messages(id);
        Some(Removed { job, stage })
    }

    fn leave_group(&mut self, key: Key, id: u64) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        if group.first != id {
            group.blocked.remove(&id);
            return;
        }
        match group.blocked.pop_first() {
            Some(next) => {
                group.first = next;
                self.unscheduled.push_back(next);
                if let Some(entry) = self.entries.get_mut(&next) {
                    entry.stage = Stage::Unscheduled;
                }
            }
            None => {
                self.groups.remove(&key);
            }
        }
    }

    /// The first of those whose time has come.
    pub fn next_expired(&self, now: Instant) -> Option<u64> {
        let (_, id) = self.expiries.first().filter(|(at, _)| *at <= now)?;
        Some(*id)
    }

    /// No longer expires in the queue: a worker is about to look.
    pub fn forget_expiry(&mut self, id: u64) {
        if let Some(at) = self.entries.get(&id).and_then(|entry| entry.job.expires.at()) {
            self.expiries.remove(&(at, id));
        }
    }

    pub fn next_expiry(&self) -> Option<Instant> {
        self.expiries.first().map(|(at, _)| *at)
    }

    pub fn first_id(&self) -> Option<u64> {
        self.entries.first_key_value().map(|(id, _)| *id)
    }

    pub fn contains(&self, id: u64) -> bool {
        self.entries.contains_key(&id)
    }
}

fn rank(job: &Job) -> usize {
    usize::from(!job.options.urgent)
}

#[cfg(all(test, not(feature = "loom")))]
mod tests;
