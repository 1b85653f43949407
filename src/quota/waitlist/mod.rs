//! The waiters of a bucket and its used permits: plain data under the bucket's lock, which reads no clock.
//!
//! The waiters of one client, room and priority form a list. Only the heads of the lists compete, so the cost of admitting
//! a waiter does not depend on how many wait:
//! - a head whose room has no permit is set aside until the room has one, ordered by that time;
//! - the heads of a client without a free worker are set aside until the client calls `schedule`;
//! - of all other heads, the candidates, the first one is admitted as soon as the account's window allows it. No other
//!   waiter overtakes it.
//!
//! Every change of waiters or permits is followed by [`schedule`](Waitlist::schedule). It admits the waiters that may be
//! admitted now, and chooses the leader: the one waiter that sleeps only until the next admission is due, and calls
//! `schedule` then. All other waiters sleep until they are woken.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc as StdArc;

use super::window::{Limit, Nanos, SlotId, Window};
use crate::util::sync::Condvar;

/// Which waiters are admitted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Priority {
    /// The message was sent before, so it has already waited its turn.
    Retry,
    Urgent,
    Normal,
}

impl Priority {
    const ALL: [Priority; 3] = [Priority::Retry, Priority::Urgent, Priority::Normal];
}

/// What one request needs from a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    pub permits: u64,
    pub limit: Limit,
    /// A room with a limit of its own, of which every request uses one permit.
    pub room: Option<(StdArc<str>, Limit)>,
    pub priority: Priority,
}

/// The place of a waiter in the order of its bucket: by priority, then by arrival. Every place is unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub priority: Priority,
    arrival: u64,
}

/// The permits of an admitted request, in the account's window and in its room's. Its owner must use it or give it back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    id: SlotId,
    room: Option<StdArc<str>>,
}

/// Identifies a waiter to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ticket {
    list: ListId,
    place: Place,
}

/// A queue that waits for many messages without a thread for each. The bucket claims a worker when it admits one of them.
///
/// The functions are called under the bucket's lock and must not call the bucket.
pub(crate) trait QueueWaiter: Send + Sync {
    fn has_free_worker(&self) -> bool;
    /// Claims a free worker. If it returns true, a call of [`admitted`](QueueWaiter::admitted) follows.
    fn claim_worker(&self) -> bool;
    fn admitted(&self, message: u64, slot: Slot, place: Place);
    /// Asks the queue to call [`schedule`](super::bucket::Bucket::schedule) soon, because it is the leader now.
    fn wake(&self);
}

/// How a waiting thread is woken.
pub(super) trait Signal: Send + Sync {
    fn notify(&self);
}

impl Signal for Condvar {
    fn notify(&self) {
        self.notify_one();
    }
}

/// How many urgent waiters are admitted in a row while a normal one waits, so that it does not starve.
pub(crate) const URGENT_IN_A_ROW: u32 = 8;

/// The full limit in thousandths, the unit in which the limit of a throttled account is lowered.
pub(super) const FULL: u64 = 1000;

/// A leader that is later than this is replaced by the next caller of `schedule`.
const LATE: Nanos = 50_000_000;

/// Rooms without recent requests are dropped when there are more rooms than this.
const FEW_ROOMS: usize = 64;

type ListId = u64;

/// The address of a queue, or 0 for all threads together.
type ClientId = usize;
const THREADS: ClientId = 0;

#[derive(Debug)]
struct Waiter {
    permits: u64,
    limit: Limit,
    /// The id of a queue's message; 0 for a thread.
    message: u64,
}

struct WaitingThread {
    signal: StdArc<dyn Signal>,
    /// Set when the thread is admitted.
    slot: Option<Slot>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ListKey {
    client: ClientId,
    priority: Priority,
    room: Option<(StdArc<str>, Limit)>,
}

#[derive(Debug)]
struct List {
    key: ListKey,
    head: Place,
    /// Until when the head is set aside, because its room has no permit.
    set_aside_until: Option<Nanos>,
}

struct ClientHeads {
    /// `None` for threads, which need no worker.
    queue: Option<StdArc<dyn QueueWaiter>>,
    waiting: usize,
    /// The heads that are not set aside for their rooms.
    heads: BTreeMap<Place, ListId>,
    /// The first of `heads` of each priority, which is also in [`Waitlist::candidates`].
    candidates: [Option<Place>; Priority::ALL.len()],
    /// No worker was free when the bucket tried to admit a message.
    is_busy: bool,
    /// The queue cannot be the leader until it calls `schedule`.
    has_stepped_down: bool,
}

#[derive(Debug, Default)]
struct Room {
    window: Window,
    /// The lists that are set aside because this room has no permit.
    set_aside: Vec<ListId>,
}

/// The waiter that wakes up in time for the next admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leader {
    waiter_id: WaiterId,
    wakes_at: Nanos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaiterId {
    Thread(Place),
    Queue(ClientId),
}

impl WaiterId {
    pub fn queue(queue: &StdArc<dyn QueueWaiter>) -> WaiterId {
        WaiterId::Queue(id_of(queue))
    }
}

#[derive(Default)]
pub(super) struct Waitlist {
    window: Window,
    rooms: HashMap<StdArc<str>, Room>,
    /// The number of rooms at which the ones without recent requests are dropped.
    sweep_rooms_at: usize,
    waiters: BTreeMap<(ListId, Place), Waiter>,
    threads: HashMap<Place, WaitingThread>,
    lists: HashMap<ListId, List>,
    list_ids: HashMap<ListKey, ListId>,
    clients: HashMap<ClientId, ClientHeads>,
    /// The first head of each client and priority, except for busy clients.
    candidates: BTreeMap<Place, ListId>,
    /// The heads that are set aside for their rooms, by the time at which the room has a permit.
    set_aside: BTreeMap<(Nanos, Place), ListId>,
    leader: Option<Leader>,
    /// The number of waiters of each priority.
    waiting: [usize; Priority::ALL.len()],
    arrivals: u64,
    slots: SlotId,
    next_list: ListId,
    urgent_in_a_row: u32,
    /// By how many thousandths the limit is lowered, because the vendor throttled a request.
    pub lowered: u64,
    pub lowered_at: Nanos,
}

// The waiters.
impl Waitlist {
    pub fn new_place(&mut self, priority: Priority) -> Place {
        self.arrivals += 1;
        Place {
            priority,
            arrival: self.arrivals,
        }
    }

    pub fn enqueue_thread(&mut self, demand: &Demand, place: Place, signal: StdArc<dyn Signal>) -> Ticket {
        let thread = WaitingThread { signal, slot: None };
        self.threads.insert(place, thread);
        self.enqueue(demand, place, None, 0)
    }

    pub fn enqueue_message(&mut self, demand: &Demand, queue: &StdArc<dyn QueueWaiter>, message: u64) -> Ticket {
        let place = self.new_place(demand.priority);
        self.enqueue(demand, place, Some(queue), message)
    }

    fn enqueue(
        &mut self,
        demand: &Demand,
        place: Place,
        queue: Option<&StdArc<dyn QueueWaiter>>,
        message: u64,
    ) -> Ticket {
        let client = queue.map_or(THREADS, id_of);
        let heads = self.clients.entry(client);
        heads.or_insert_with(|| ClientHeads::new(queue.cloned())).waiting += 1;
        self.waiting[place.priority as usize] += 1;
        let key = ListKey {
            client,
            priority: place.priority,
            room: demand.room.clone(),
        };
        let list = match self.list_ids.get(&key) {
            Some(list) => *list,
            None => self.new_list(key, place),
        };
        let waiter = Waiter {
            permits: demand.permits,
            limit: demand.limit,
            message,
        };
        self.waiters.insert((list, place), waiter);
        if self.lists.get(&list).is_some_and(|known| place < known.head) {
            self.replace_head(list, place);
        }
        Ticket { list, place }
    }

    fn new_list(&mut self, key: ListKey, head: Place) -> ListId {
        self.next_list += 1;
        let id = self.next_list;
        self.list_ids.insert(key.clone(), id);
        let set_aside_until = None;
        self.lists.insert(
            id,
            List {
                key,
                head,
                set_aside_until,
            },
        );
        self.link(id, head);
        id
    }

    /// Removes a waiter. Returns false if it no longer waits.
    pub fn remove(&mut self, ticket: Ticket) -> bool {
        let Ticket { list, place } = ticket;
        if self.waiters.remove(&(list, place)).is_none() {
            return false;
        }
        self.waiting[place.priority as usize] -= 1;
        let Some(known) = self.lists.get(&list) else {
            return true;
        };
        let (client, was_head) = (known.key.client, known.head == place);
        if was_head {
            match self.first_of(list) {
                Some(next) => self.replace_head(list, next),
                None => self.drop_list(list),
            }
        }
        if let Some(heads) = self.clients.get_mut(&client) {
            heads.waiting -= 1;
            if heads.waiting == 0 {
                self.clients.remove(&client);
            }
        }
        true
    }

    /// Removes a thread after its wait. Returns the slot if the thread was admitted.
    pub fn take_thread(&mut self, ticket: Ticket) -> Option<Slot> {
        self.remove(ticket);
        self.threads.remove(&ticket.place)?.slot
    }

    pub fn is_admitted(&self, place: Place) -> bool {
        self.threads.get(&place).is_some_and(|thread| thread.slot.is_some())
    }

    pub fn is_waiting(&self, ticket: Ticket) -> bool {
        self.waiters.contains_key(&(ticket.list, ticket.place))
    }

    pub fn len(&self) -> usize {
        self.waiters.len()
    }

    /// Whether a queue has a candidate above normal priority.
    pub fn has_urgent(&self, queue: &StdArc<dyn QueueWaiter>) -> bool {
        let heads = self.clients.get(&id_of(queue)).map(|client| &client.heads);
        let first = heads.and_then(|heads| heads.first_key_value());
        first.is_some_and(|(place, _)| place.priority < Priority::Normal)
    }

    pub fn wake_threads(&self) {
        for thread in self.threads.values() {
            thread.signal.notify();
        }
    }

    fn first_of(&self, list: ListId) -> Option<Place> {
        let first = (list, Place::FIRST);
        let ((id, place), _) = self.waiters.range(first..).next()?;
        (*id == list).then_some(*place)
    }

    /// A list that is set aside stays set aside, because the time of its room's next permit is unchanged.
    fn replace_head(&mut self, list: ListId, head: Place) {
        let Some(known) = self.lists.get_mut(&list) else { return };
        match known.set_aside_until {
            Some(until) => {
                self.set_aside.remove(&(until, known.head));
                self.set_aside.insert((until, head), list);
                known.head = head;
            }
            None => {
                self.unlink(list);
                self.link(list, head);
            }
        }
    }

    fn drop_list(&mut self, list: ListId) {
        self.unlink(list);
        if let Some(List { key, .. }) = self.lists.remove(&list) {
            self.list_ids.remove(&key);
        }
    }

    /// Makes the head of a list compete.
    fn link(&mut self, list: ListId, head: Place) {
        let Some(known) = self.lists.get_mut(&list) else { return };
        known.head = head;
        known.set_aside_until = None;
        let client = known.key.client;
        if let Some(heads) = self.clients.get_mut(&client) {
            heads.heads.insert(head, list);
            heads.refresh(head.priority, &mut self.candidates);
        }
    }

    fn unlink(&mut self, list: ListId) {
        let Some(known) = self.lists.get_mut(&list) else { return };
        let head = known.head;
        if let Some(until) = known.set_aside_until.take() {
            self.set_aside.remove(&(until, head));
            let room = known.key.room.as_ref().and_then(|(room, _)| self.rooms.get_mut(room));
            if let Some(room) = room {
                room.set_aside.retain(|set_aside| *set_aside != list);
            }
        } else if let Some(heads) = self.clients.get_mut(&known.key.client) {
            heads.heads.remove(&head);
            heads.refresh(head.priority, &mut self.candidates);
        }
    }

    /// Sets a list aside until its room has a permit.
    fn set_aside(&mut self, list: ListId, until: Nanos) {
        self.unlink(list);
        let Some(known) = self.lists.get_mut(&list) else { return };
        known.set_aside_until = Some(until);
        self.set_aside.insert((until, known.head), list);
        let room = known.key.room.as_ref().and_then(|(room, _)| self.rooms.get_mut(room));
        if let Some(room) = room {
            room.set_aside.push(list);
        }
    }

    fn release(&mut self, list: ListId) {
        self.unlink(list);
        if let Some(head) = self.lists.get(&list).map(|known| known.head) {
            self.link(list, head);
        }
    }

    pub fn set_stepped_down(&mut self, queue: &StdArc<dyn QueueWaiter>, has_stepped_down: bool) {
        if let Some(client) = self.clients.get_mut(&id_of(queue)) {
            client.has_stepped_down = has_stepped_down;
        }
    }

    fn set_busy(&mut self, client: ClientId, is_busy: bool) {
        if let Some(heads) = self.clients.get_mut(&client).filter(|heads| heads.is_busy != is_busy) {
            heads.is_busy = is_busy;
            for priority in Priority::ALL {
                heads.refresh(priority, &mut self.candidates);
            }
        }
    }
}

// Admission.
impl Waitlist {
    /// Takes a slot without waiting, if no waiter could be admitted first.
    pub fn try_admit(&mut self, demand: &Demand, priority: Priority, now: Nanos) -> Option<Slot> {
        let room = demand.room.as_ref();
        let is_set_aside = |((due, _), _): (&(Nanos, Place), &ListId)| *due > now;
        let may_be_sent = self.candidates.is_empty()
            && self.set_aside.first_key_value().is_none_or(is_set_aside)
            && self.own_due(demand.limit, demand.permits, now) <= now
            && room.is_none_or(|room| self.room_due(room, now) <= now);
        may_be_sent.then(|| {
            self.count_admission(priority);
            self.take_slot(demand.permits, room, now)
        })
    }

    /// The queue may have a free worker again, so its heads compete.
    pub fn clear_busy(&mut self, queue: &StdArc<dyn QueueWaiter>) {
        self.set_busy(id_of(queue), false);
    }

    /// Admits every waiter that may be admitted now, in order, and chooses the leader. `caller` is the waiter that calls this.
    /// It is not woken, because it calls [`wakes_at`](Waitlist::wakes_at) before it sleeps.
    pub fn schedule(&mut self, now: Nanos, caller: Option<WaiterId>) {
        while let Some((_, list)) = self.set_aside.first_key_value().filter(|((due, _), _)| *due <= now) {
            let list = *list;
            self.release(list);
        }
        let mut account_due = None;
        while let Some((place, list)) = self.candidate() {
            account_due = self.admit(list, place, now).filter(|due| *due > now);
            if account_due.is_some() {
                break;
            }
        }
        let room_due = self.set_aside.first_key_value().map(|((due, _), _)| *due);
        let next = account_due.into_iter().chain(room_due).min();
        self.choose_leader(next, now, caller);
    }

    /// Admits a candidate or sets it aside. If it must wait for the account's permits, returns when these are available.
    fn admit(&mut self, list: ListId, place: Place, now: Nanos) -> Option<Nanos> {
        let waiter = self.waiters.get(&(list, place));
        let key = self.lists.get(&list).map(|known| known.key.clone());
        let Some((waiter, key)) = waiter.zip(key) else {
            debug_assert!(false, "a candidate waits in a list");
            self.candidates.remove(&place);
            return None;
        };
        let (permits, limit, message) = (waiter.permits, waiter.limit, waiter.message);
        let room_due = key.room.as_ref().map_or(now, |room| self.room_due(room, now));
        if room_due > now {
            self.set_aside(list, room_due);
            return None;
        }
        let queue = self.clients.get(&key.client).and_then(|client| client.queue.clone());
        if queue.as_ref().is_some_and(|queue| !queue.has_free_worker()) {
            self.set_busy(key.client, true);
            return None;
        }
        let due = self.own_due(limit, permits, now);
        if due > now {
            return Some(due);
        }
        if queue.as_ref().is_some_and(|queue| !queue.claim_worker()) {
            self.set_busy(key.client, true);
            return None;
        }
        let slot = self.take_slot(permits, key.room.as_ref(), now);
        self.remove(Ticket { list, place });
        self.count_admission(place.priority);
        match queue {
            Some(queue) => queue.admitted(message, slot, place),
            None => {
                if let Some(thread) = self.threads.get_mut(&place) {
                    thread.slot = Some(slot);
                    thread.signal.notify();
                }
            }
        }
        None
    }

    /// The first candidate: by priority, except that a normal one is next after [`URGENT_IN_A_ROW`] urgent ones.
    fn candidate(&self) -> Option<(Place, ListId)> {
        let first_of = |priority: Priority| {
            let all = Place::first(priority)..=Place::last(priority);
            self.candidates.range(all).next()
        };
        let [then, last] = if self.urgent_in_a_row < URGENT_IN_A_ROW {
            [Priority::Urgent, Priority::Normal]
        } else {
            [Priority::Normal, Priority::Urgent]
        };
        let found = first_of(Priority::Retry)
            .or_else(|| first_of(then))
            .or_else(|| first_of(last));
        found.map(|(place, list)| (*place, *list))
    }

    fn count_admission(&mut self, priority: Priority) {
        self.urgent_in_a_row = match priority {
            Priority::Retry => self.urgent_in_a_row,
            Priority::Urgent if self.waiting[Priority::Normal as usize] > 0 => self.urgent_in_a_row + 1,
            Priority::Urgent | Priority::Normal => 0,
        };
    }

    /// The earliest time at which the account and the room have the permits, if no other request uses them before.
    pub fn due(&mut self, demand: &Demand, now: Nanos) -> Nanos {
        let own = self.own_due(demand.limit, demand.permits, now);
        demand
            .room
            .as_ref()
            .map_or(own, |room| own.max(self.room_due(room, now)))
    }

    fn own_due(&mut self, limit: Limit, permits: u64, now: Nanos) -> Nanos {
        let left = limit.permits * (FULL - self.lowered) / FULL;
        let lowered = Limit {
            permits: left.max(1),
            ..limit
        };
        self.window.due(now, lowered, permits)
    }

    fn room_due(&mut self, (room, limit): &(StdArc<str>, Limit), now: Nanos) -> Nanos {
        let known = self.rooms.get_mut(room);
        known.map_or(now, |room| room.window.due(now, *limit, 1))
    }

    /// When the caller must call `schedule` again, if it is the leader.
    pub fn wakes_at(&self, caller: WaiterId) -> Option<Nanos> {
        let leader = self.leader.filter(|leader| leader.waiter_id == caller)?;
        Some(leader.wakes_at)
    }

    /// Keeps the leader as long as it waits, and wakes it only for an earlier time.
    fn choose_leader(&mut self, next: Option<Nanos>, now: Nanos, caller: Option<WaiterId>) {
        let Some(next) = next else {
            self.leader = None;
            return;
        };
        // A late leader is delayed by something else, and another waiter must replace it.
        let can_lead = |leader: &Leader| self.can_lead(leader.waiter_id) && leader.wakes_at.saturating_add(LATE) > now;
        let present = self.leader.filter(can_lead);
        // The caller reads its time again before it sleeps. Any other leader sleeps until the time that it has read.
        let is_in_time = present.is_some_and(|present| present.wakes_at <= next && caller != Some(present.waiter_id));
        if is_in_time {
            return;
        }
        let able = caller.filter(|caller| self.can_lead(*caller));
        let present = present.map(|present| present.waiter_id);
        let Some(waiter_id) = present.or(able).or_else(|| self.next_waiter()) else {
            // All waiters have stepped down. Each of them calls `schedule` when it is ready again.
            self.leader = None;
            return;
        };
        self.leader = Some(Leader {
            waiter_id,
            wakes_at: next,
        });
        if caller != Some(waiter_id) {
            self.wake(waiter_id);
        }
    }

    fn can_lead(&self, waiter_id: WaiterId) -> bool {
        match waiter_id {
            WaiterId::Thread(place) => self.threads.get(&place).is_some_and(|thread| thread.slot.is_none()),
            WaiterId::Queue(client) => self.clients.get(&client).is_some_and(|client| !client.has_stepped_down),
        }
    }

    /// The first waiter that can lead. It is probably admitted next.
    fn next_waiter(&self) -> Option<WaiterId> {
        let candidates = self.candidates.iter().map(|(place, list)| (*place, *list));
        let set_aside = self.set_aside.iter().map(|((_, place), list)| (*place, *list));
        let waiter_id = |(place, list)| match self.lists.get(&list)?.key.client {
            THREADS => Some(WaiterId::Thread(place)),
            client => Some(WaiterId::Queue(client)),
        };
        candidates
            .chain(set_aside)
            .filter_map(waiter_id)
            .find(|waiter_id| self.can_lead(*waiter_id))
    }

    fn wake(&self, waiter_id: WaiterId) {
        match waiter_id {
            WaiterId::Thread(place) => {
                if let Some(thread) = self.threads.get(&place) {
                    thread.signal.notify();
                }
            }
            WaiterId::Queue(client) => {
                if let Some(queue) = self.clients.get(&client).and_then(|client| client.queue.as_ref()) {
                    queue.wake();
                }
            }
        }
    }
}

// Permits.
impl Waitlist {
    fn take_slot(&mut self, permits: u64, room: Option<&(StdArc<str>, Limit)>, now: Nanos) -> Slot {
        self.slots += 1;
        let id = self.slots;
        self.window.insert(now, permits, id);
        if let Some((room, limit)) = room {
            let window = &mut self.room(room, now).window;
            window.extend(*limit);
            window.insert(now, 1, id);
        }
        let room = room.map(|(room, _)| room.clone());
        Slot { id, room }
    }

    /// Moves a slot to the current time, in the account's window and in its room's. Returns false if the slot has expired in
    /// one of them: others may have used its permits, so it is given back.
    pub fn renew(&mut self, slot: &mut Slot, now: Nanos) -> bool {
        self.window.forget(now);
        let in_room = match &slot.room {
            None => true,
            Some(room) => self.rooms.get_mut(room).is_some_and(|room| {
                room.window.forget(now);
                room.window.contains(slot.id)
            }),
        };
        if !in_room || !self.window.contains(slot.id) {
            self.give_back(slot);
            return false;
        }
        let permits = self.remove_slot(slot).unwrap_or(1);
        self.slots += 1;
        slot.id = self.slots;
        self.window.insert(now, permits, slot.id);
        if let Some(room) = slot.room.as_ref().and_then(|room| self.rooms.get_mut(room)) {
            room.window.insert(now, 1, slot.id);
        }
        true
    }

    pub fn renewed(&mut self, mut slot: Slot, now: Nanos) -> Option<Slot> {
        self.renew(&mut slot, now).then_some(slot)
    }

    /// Returns the permits of a request that was not sent.
    pub fn give_back(&mut self, slot: &Slot) {
        self.remove_slot(slot);
        if let Some(room) = slot.room.as_ref().and_then(|room| self.rooms.get_mut(room)) {
            for list in std::mem::take(&mut room.set_aside) {
                self.release(list);
            }
        }
    }

    fn remove_slot(&mut self, slot: &Slot) -> Option<u64> {
        if let Some(room) = slot.room.as_ref().and_then(|room| self.rooms.get_mut(room)) {
            room.window.remove(slot.id);
        }
        self.window.remove(slot.id)
    }

    /// Finds or adds a room. Rooms without recent requests are dropped, so that the rate bounds the memory.
    fn room(&mut self, name: &StdArc<str>, now: Nanos) -> &mut Room {
        if !self.rooms.contains_key(name) && self.rooms.len() >= self.sweep_rooms_at.max(FEW_ROOMS) {
            self.rooms.retain(|_, room| {
                room.window.forget(now);
                !room.window.is_empty() || !room.set_aside.is_empty()
            });
            self.sweep_rooms_at = 2 * self.rooms.len();
        }
        self.rooms.entry(name.clone()).or_default()
    }
}

impl ClientHeads {
    fn new(queue: Option<StdArc<dyn QueueWaiter>>) -> ClientHeads {
        ClientHeads {
            queue,
            waiting: 0,
            heads: BTreeMap::new(),
            candidates: [None; Priority::ALL.len()],
            is_busy: false,
            has_stepped_down: false,
        }
    }

    /// Updates the bucket's candidates with the first of this client's heads.
    fn refresh(&mut self, priority: Priority, candidates: &mut BTreeMap<Place, ListId>) {
        let all = Place::first(priority)..=Place::last(priority);
        let first = self.heads.range(all).next().filter(|_| !self.is_busy);
        let known = &mut self.candidates[priority as usize];
        if *known == first.map(|(place, _)| *place) {
            return;
        }
        if let Some(place) = known.take() {
            candidates.remove(&place);
        }
        if let Some((place, list)) = first {
            candidates.insert(*place, *list);
            *known = Some(*place);
        }
    }
}

impl Place {
    const FIRST: Place = Place::first(Priority::Retry);

    const fn first(priority: Priority) -> Place {
        let arrival = 0;
        Place { priority, arrival }
    }

    const fn last(priority: Priority) -> Place {
        let arrival = u64::MAX;
        Place { priority, arrival }
    }

    /// The place of a retry: by the same arrival, before the messages that have not been sent yet.
    pub fn for_retry(self) -> Place {
        Place {
            priority: Priority::Retry,
            ..self
        }
    }
}

fn id_of(queue: &StdArc<dyn QueueWaiter>) -> ClientId {
    StdArc::as_ptr(queue).cast::<()>() as ClientId
}

#[cfg(all(test, not(feature = "loom")))]
mod tests;
