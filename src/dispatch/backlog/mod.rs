//! The submitted messages that have not ended, and which of them is next: by key, priority and expiry.
//!
//! Plain data, which its owner puts behind one lock. It starts no thread and does no I/O.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::owned_message::OwnedMessage;
use crate::action::QuotaClass;
use crate::engine::{InFlight, SendOptions};
use crate::quota::{Demand, Ticket, URGENT_IN_A_ROW};
use crate::util::deadline::Deadline;

/// The memory that a message counts for in addition to its texts: a round estimate. A [`Submission`] has about this size;
/// the entries in the maps of the backlog and of the bucket, and later the report, are not counted.
const MESSAGE_OVERHEAD: u64 = 256;

/// The scheduler prefers urgent messages, except in one step of this many, so that normal ones do not starve. A step is the
/// assignment of a ready message ([`Backlog::assign`]), or one pass over the classes ([`Backlog::rotate_classes`]). The
/// buckets count their admissions in the same way.
pub(super) const ROUND: u32 = URGENT_IN_A_ROW + 1;

/// A submitted message, until its completion.
#[derive(Debug)]
pub(super) struct Submission {
    pub id: u64,
    pub user_data: u64,
    pub message: OwnedMessage,
    pub options: SendOptions,
    /// The quota that its first request needs.
    pub demand: Option<(QuotaClass, Demand)>,
    pub expires: Deadline,
    /// Messages with the same key are sent in order. `None` is sent in any order.
    pub key: Option<Key>,
    pub wants_completion: bool,
    pub submitted: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Destination(u64),
    Given(u64),
}

impl Submission {
    /// What the message counts towards the byte limit of the queue.
    pub fn bytes(&self) -> u64 {
        self.message.len() as u64 + MESSAGE_OVERHEAD
    }
}

/// How far a message has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// Waits until the message before it with the same key has ended.
    Blocked,
    /// Not blocked, or not any more. The next pass of the scheduler handles it.
    Unscheduled,
    /// Waits only for a worker.
    Ready,
    /// Waits for its quota, with this ticket; or its bucket has admitted it, and its worker has not started it yet.
    WaitsForQuota(QuotaClass, Ticket),
    /// It was ready and has a worker, which has not started it yet.
    Assigned,
    /// A worker sends it.
    InFlight(Arc<InFlight>),
}

/// A message that was removed from the backlog, and the stage that it had.
#[derive(Debug)]
pub(super) struct Removed {
    pub submission: Arc<Submission>,
    pub stage: Stage,
}

#[derive(Debug, Default)]
pub(super) struct Backlog {
    entries: BTreeMap<u64, Entry>,
    groups: HashMap<Key, OrderGroup>,
    unscheduled: VecDeque<u64>,
    /// The ready messages: urgent ones, normal ones.
    ready: [BTreeSet<u64>; 2],
    urgent_in_a_row: u32,
    /// The number of messages of each class in the stage `WaitsForQuota`.
    waiting_for_quota: [usize; QuotaClass::ALL.len()],
    gauges: Arc<Gauges>,
    /// The messages that can still expire in the backlog, soonest first.
    expiries: BTreeSet<(Instant, u64)>,
    /// When the timer thread schedules without being woken. A worker that finds an earlier time stores it here and wakes
    /// the timer thread.
    pub next_wakeup: Option<Instant>,
    /// Expired messages without a completion, in batches. The timer thread completes them, because the host's log function
    /// may be slow.
    pub expired: Vec<Vec<Removed>>,
    /// The number of connections to open that no worker has started.
    pub warm_ups: usize,
    schedule_count: u32,
}

/// Figures of a backlog that can be read without its lock.
#[derive(Debug)]
pub(super) struct Gauges {
    start: Instant,
    messages: AtomicUsize,
    in_flight: AtomicUsize,
    /// When the oldest message was submitted, in microseconds after `start`. [`NONE`] if there is no message.
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
    /// The number of messages that have not ended, including those in flight.
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
    submission: Arc<Submission>,
    stage: Stage,
}

/// The messages with one key. The first one may be sent or is in flight; the others wait for it.
#[derive(Debug, Default)]
struct OrderGroup {
    first: u64,
    blocked: BTreeSet<u64>,
}

impl Backlog {
    pub fn gauges(&self) -> Arc<Gauges> {
        self.gauges.clone()
    }

    pub fn insert(&mut self, submission: Arc<Submission>) {
        let id = submission.id;
        if let Some(at) = submission.expires.at() {
            self.expiries.insert((at, id));
        }
        let mut stage = Stage::Unscheduled;
        if let Some(key) = submission.key {
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
        self.entries.insert(id, Entry { submission, stage });
        self.update_gauges(id);
    }

    /// Updates the gauges after this message was inserted or removed.
    fn update_gauges(&self, id: u64) {
        self.gauges.messages.store(self.entries.len(), Ordering::SeqCst);
        let first = self.entries.first_key_value();
        if first.is_some_and(|(first, _)| *first < id) {
            return;
        }
        let submitted_at = |(_, entry): (&u64, &Entry)| {
            let submitted = entry.submission.submitted;
            submitted.saturating_duration_since(self.gauges.start).as_micros() as u64
        };
        self.gauges
            .oldest
            .store(first.map_or(NONE, submitted_at), Ordering::SeqCst);
    }

    /// Takes an unscheduled message.
    pub fn next_unscheduled(&mut self) -> Option<Arc<Submission>> {
        while let Some(id) = self.unscheduled.pop_front() {
            if let Some(entry) = self.entries.get(&id) {
                return Some(entry.submission.clone());
            }
        }
        None
    }

    pub fn has_unscheduled(&self) -> bool {
        !self.unscheduled.is_empty()
    }

    pub fn set_ready(&mut self, submission: &Submission) {
        if let Some(entry) = self.entries.get_mut(&submission.id) {
            entry.stage = Stage::Ready;
            self.ready[rank(submission)].insert(submission.id);
        }
    }

    pub fn set_waits_for_quota(&mut self, id: u64, class: QuotaClass, ticket: Ticket) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::WaitsForQuota(class, ticket);
            self.waiting_for_quota[class as usize] += 1;
        }
    }

    pub fn any_waits_for_quota(&self, class: QuotaClass) -> bool {
        self.waiting_for_quota[class as usize] > 0
    }

    /// All classes, starting with another one in each call, and whether this call is the one in [`ROUND`] that ignores
    /// urgency.
    pub fn rotate_classes(&mut self) -> ([QuotaClass; QuotaClass::ALL.len()], bool) {
        let mut classes = QuotaClass::ALL;
        self.schedule_count = self.schedule_count.wrapping_add(1);
        classes.rotate_left(self.schedule_count as usize % QuotaClass::ALL.len());
        (classes, self.schedule_count % ROUND == 0)
    }

    pub fn has_ready(&self) -> bool {
        self.ready.iter().any(|ready| !ready.is_empty())
    }

    /// Assigns the next ready message to a worker. Urgent ones come first; but while normal ones wait, at least one of
    /// [`ROUND`] assigned messages is a normal one.
    pub fn assign(&mut self) -> Option<u64> {
        let [urgent, normal] = &self.ready;
        let is_turn_of_normal = self.urgent_in_a_row >= URGENT_IN_A_ROW && !normal.is_empty();
        let rank = usize::from(urgent.is_empty() || is_turn_of_normal);
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

    pub fn submission(&self, id: u64) -> Option<Arc<Submission>> {
        self.entries.get(&id).map(|entry| entry.submission.clone())
    }

    /// Marks a message as in flight. Returns false if it has ended.
    pub fn start(&mut self, id: u64, in_flight: &Arc<InFlight>) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        let before = std::mem::replace(&mut entry.stage, Stage::InFlight(in_flight.clone()));
        if let Some(at) = entry.submission.expires.at() {
            self.expiries.remove(&(at, id));
        }
        self.gauges.in_flight.fetch_add(1, Ordering::SeqCst);
        if let Stage::WaitsForQuota(class, _) = before {
            self.waiting_for_quota[class as usize] -= 1;
        }
        true
    }

    pub fn stage(&self, id: u64) -> Option<&Stage> {
        self.entries.get(&id).map(|entry| &entry.stage)
    }

    /// Removes a message, and unblocks the next one with the same key. Only the first caller gets the message.
    pub fn remove(&mut self, id: u64) -> Option<Removed> {
        let Entry { submission, stage } = self.entries.remove(&id)?;
        if let Some(at) = submission.expires.at() {
            self.expiries.remove(&(at, id));
        }
        match stage {
            Stage::Ready => {
                self.ready[rank(&submission)].remove(&id);
            }
            Stage::WaitsForQuota(class, _) => self.waiting_for_quota[class as usize] -= 1,
            Stage::InFlight(_) => {
                self.gauges.in_flight.fetch_sub(1, Ordering::SeqCst);
            }
            Stage::Blocked | Stage::Unscheduled | Stage::Assigned => {}
        }
        if let Some(key) = submission.key {
            self.leave_group(key, id);
        }
        self.update_gauges(id);
        Some(Removed { submission, stage })
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

    /// The message that expired first, if any has.
    pub fn next_expired(&self, now: Instant) -> Option<u64> {
        let (_, id) = self.expiries.first().filter(|(at, _)| *at <= now)?;
        Some(*id)
    }

    /// The message no longer expires in the backlog: the worker that has it checks the time before it sends.
    pub fn forget_expiry(&mut self, id: u64) {
        if let Some(at) = self.entries.get(&id).and_then(|entry| entry.submission.expires.at()) {
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

fn rank(submission: &Submission) -> usize {
    usize::from(!submission.options.urgent)
}

#[cfg(all(test, not(feature = "loom")))]
mod tests;
