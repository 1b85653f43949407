//! The waitlist against a simple model that checks every waiter each time, on a simulated clock: any number of clients,
//! threads and queues; arrivals, expiries, released workers, slots that are given back or moved, and closes, in any order.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;

const SECOND: Nanos = 1_000_000_000;
const SPAN: Nanos = 1_030_000_000;

fn limit(permits: u64) -> Limit {
    Limit { permits, span: SPAN }
}

/// A queue that the test schedules.
#[derive(Default)]
struct Queue {
    free_workers: AtomicUsize,
    is_woken: AtomicBool,
    admitted: Mutex<Vec<(u64, Slot)>>,
}

impl QueueWaiter for Queue {
    fn has_free_worker(&self) -> bool {
        self.free_workers.load(Ordering::SeqCst) > 0
    }

    fn claim_worker(&self) -> bool {
        let one_less = |free: usize| free.checked_sub(1);
        let claimed = self
            .free_workers
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        claimed.is_ok()
    }

    fn admitted(&self, message: u64, slot: Slot, _: Place) {
        self.admitted.lock().unwrap().push((message, slot));
    }

    fn wake(&self) {
        self.is_woken.store(true, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Signal for Flag {
    fn notify(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// One request of a scenario.
#[derive(Clone, Debug)]
struct Arrival {
    gap: Nanos,
    /// `None` for a thread.
    queue: Option<usize>,
    permits: u64,
    room: Option<usize>,
    urgent: bool,
    /// When it expires, after its arrival.
    expires_after: Option<Nanos>,
    then: SlotUse,
}

/// What the owner of a slot does with it, and how long after the admission.
#[derive(Clone, Copy, Debug)]
enum SlotUse {
    Used,
    GivenBack(Nanos),
    Renewed(Nanos),
}

#[derive(Clone, Debug)]
struct Scenario {
    limits: Vec<u64>,
    room_limits: Vec<u64>,
    workers: Vec<usize>,
    /// How long a worker sends a message.
    work: Nanos,
    arrivals: Vec<Arrival>,
    /// A queue that closes, and when.
    close: Option<(usize, Nanos)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Arrived(usize),
    Left(usize),
    WorkerEnded(usize),
    Closed(usize),
    GivenBack(usize),
    Renewed(usize),
    Admitted(usize),
}

struct Thread {
    index: usize,
    ticket: Ticket,
    signal: StdArc<Flag>,
    deadline: Option<Nanos>,
    sleeps_until: Option<Nanos>,
}

/// The waitlist with all its users.
struct Simulation<'a> {
    scenario: &'a Scenario,
    list: Waitlist,
    queues: Vec<StdArc<Queue>>,
    next_call: Vec<Option<Nanos>>,
    threads: Vec<Thread>,
    tickets: HashMap<usize, Ticket>,
    slots: HashMap<usize, Slot>,
    /// Future events, by time.
    coming: BTreeSet<(Nanos, u8, usize)>,
    log: Vec<(Nanos, Event)>,
}

// Events at the same time happen in this order.
const ARRIVE: u8 = 0;
const END_WORK: u8 = 1;
const GIVE_BACK: u8 = 2;
const RENEW: u8 = 3;
const CLOSE: u8 = 4;
const EXPIRE: u8 = 5;

impl Simulation<'_> {
    fn demand(&self, index: usize) -> Demand {
        demand_of(self.scenario, index)
    }

    fn as_waiter(&self, queue: usize) -> StdArc<dyn QueueWaiter> {
        self.queues[queue].clone()
    }

    fn run(mut self) -> Vec<(Nanos, Event)> {
        let mut at = 0;
        for (index, arrival) in self.scenario.arrivals.iter().enumerate() {
            at += arrival.gap;
            self.coming.insert((at, ARRIVE, index));
        }
        if let Some((queue, at)) = self.scenario.close {
            self.coming.insert((at, CLOSE, queue));
        }
        let mut now = 0;
        loop {
            while let Some((_, what, index)) = self.coming.first().copied().filter(|(at, ..)| *at <= now) {
                self.coming.pop_first();
                self.happen(what, index, now);
                self.collect(now);
                self.run_those_awake(now);
            }
            self.run_those_awake(now);
            let sleeping = self.threads.iter().filter_map(|thread| thread.sleeps_until);
            let next_call = self.next_call.iter().filter_map(|next_call| *next_call);
            let coming = self.coming.first().map(|(at, ..)| *at);
            match sleeping.chain(next_call).chain(coming).min() {
                Some(at) => now = at.max(now),
                None => break,
            }
        }
        assert_eq!(self.list.len(), 0, "every waiter has ended");
        assert!(self.list.lists.is_empty() && self.list.clients.is_empty() && self.list.candidates.is_empty());
        assert!(self.list.set_aside.is_empty() && self.list.threads.is_empty() && self.list.leader.is_none());
        self.log
    }

    fn happen(&mut self, what: u8, index: usize, now: Nanos) {
        match what {
            ARRIVE => self.arrive(index, now),
            END_WORK => {
                self.log.push((now, Event::WorkerEnded(index)));
                self.queues[index].free_workers.fetch_add(1, Ordering::SeqCst);
                self.run_queue(index, now);
            }
            GIVE_BACK => {
                self.log.push((now, Event::GivenBack(index)));
                let slot = self.slots.remove(&index).expect("a slot");
                self.list.give_back(&slot);
                self.list.schedule(now, None);
            }
            RENEW => {
                let mut slot = self.slots.remove(&index).expect("a slot");
                if self.list.renew(&mut slot, now) {
                    self.log.push((now, Event::Renewed(index)));
                }
            }
            CLOSE => {
                self.log.push((now, Event::Closed(index)));
                self.queues[index].free_workers.store(0, Ordering::SeqCst);
                let all: Vec<usize> = self.tickets.keys().copied().collect();
                for message in all {
                    if self.scenario.arrivals[message].queue == Some(index) {
                        self.leave(message, now);
                    }
                }
                self.next_call[index] = None;
            }
            _ => self.leave(index, now),
        }
    }

    fn arrive(&mut self, index: usize, now: Nanos) {
        let arrival = &self.scenario.arrivals[index];
        let demand = self.demand(index);
        if arrival.queue.is_some_and(|queue| self.is_closed(queue, now)) {
            return;
        }
        self.log.push((now, Event::Arrived(index)));
        let deadline = arrival.expires_after.map(|expires_after| now + expires_after);
        if let Some(queue) = arrival.queue {
            let waiter = self.as_waiter(queue);
            let ticket = self.list.enqueue_message(&demand, &waiter, index as u64);
            self.tickets.insert(index, ticket);
            if let Some(deadline) = deadline {
                self.coming.insert((deadline, EXPIRE, index));
            }
            self.queues[queue].is_woken.store(true, Ordering::SeqCst);
            return;
        }
        let place = self.list.new_place(demand.priority);
        if let Some(slot) = self.list.try_admit(&demand, demand.priority, now) {
            self.list.schedule(now, None);
            self.admit(index, slot, now);
            return;
        }
        let signal = StdArc::new(Flag(AtomicBool::new(true)));
        let ticket = self.list.enqueue_thread(&demand, place, signal.clone());
        self.threads.push(Thread {
            index,
            ticket,
            signal,
            deadline,
            sleeps_until: None,
        });
    }

    fn is_closed(&self, queue: usize, now: Nanos) -> bool {
        self.scenario
            .close
            .is_some_and(|(closed, at)| closed == queue && at <= now)
    }

    fn leave(&mut self, message: usize, now: Nanos) {
        let Some(ticket) = self.tickets.remove(&message) else {
            return;
        };
        if self.list.remove(ticket) {
            self.log.push((now, Event::Left(message)));
            self.list.schedule(now, None);
        }
    }

    /// Runs the waiters that were woken or are due, until all of them sleep.
    fn run_those_awake(&mut self, now: Nanos) {
        loop {
            let mut is_quiet = true;
            for queue in 0..self.queues.len() {
                let is_due = self.next_call[queue].is_some_and(|at| at <= now);
                if self.queues[queue].is_woken.swap(false, Ordering::SeqCst) || is_due {
                    is_quiet = false;
                    self.run_queue(queue, now);
                    self.collect(now);
                }
            }
            for position in (0..self.threads.len()).rev() {
                let thread = &self.threads[position];
                let is_due = thread.sleeps_until.is_some_and(|at| at <= now);
                if thread.signal.0.swap(false, Ordering::SeqCst) || is_due {
                    is_quiet = false;
                    self.run_thread(position, now);
                    self.collect(now);
                }
            }
            if is_quiet {
                return;
            }
        }
    }

    /// The same as `Bucket::schedule`.
    fn run_queue(&mut self, queue: usize, now: Nanos) {
        let waiter = self.as_waiter(queue);
        self.list.clear_busy(&waiter);
        let this = WaiterId::queue(&waiter);
        self.list.schedule(now, Some(this));
        self.next_call[queue] = self.list.wakes_at(this);
    }

    /// The same as the loop of `Bucket::acquire`.
    fn run_thread(&mut self, position: usize, now: Nanos) {
        let Thread {
            index,
            ticket,
            deadline,
            ..
        } = self.threads[position];
        let this = WaiterId::Thread(ticket.place);
        self.list.schedule(now, Some(this));
        self.collect(now);
        let possible_at = self.list.due(&self.demand(index), now);
        let is_too_late = deadline.is_some_and(|deadline| now >= deadline || possible_at > deadline);
        if self.list.is_admitted(ticket.place) || is_too_late {
            self.threads.remove(position);
            match self.list.take_thread(ticket) {
                Some(slot) => self.admit(index, slot, now),
                None => self.log.push((now, Event::Left(index))),
            }
            self.list.schedule(now, None);
            return;
        }
        self.threads[position].sleeps_until = deadline.into_iter().chain(self.list.wakes_at(this)).min();
    }

    /// Collects the messages that were admitted for the queues.
    fn collect(&mut self, now: Nanos) {
        for queue in 0..self.queues.len() {
            let admitted = std::mem::take(&mut *self.queues[queue].admitted.lock().unwrap());
            for (message, slot) in admitted {
                self.tickets.remove(&(message as usize));
                self.admit(message as usize, slot, now);
                if !self.is_closed(queue, now) {
                    self.coming.insert((now + self.scenario.work, END_WORK, queue));
                }
            }
        }
    }

    fn admit(&mut self, index: usize, slot: Slot, now: Nanos) {
        self.log.push((now, Event::Admitted(index)));
        match self.scenario.arrivals[index].then {
            SlotUse::Used => return,
            SlotUse::GivenBack(after) => self.coming.insert((now + after, GIVE_BACK, index)),
            SlotUse::Renewed(after) => self.coming.insert((now + after, RENEW, index)),
        };
        self.slots.insert(index, slot);
    }
}

fn demand_of(scenario: &Scenario, index: usize) -> Demand {
    let arrival = &scenario.arrivals[index];
    // Threads belong to the client of the first queue.
    let client = arrival.queue.unwrap_or(0);
    Demand {
        permits: arrival.permits,
        limit: limit(scenario.limits[client]),
        room: arrival
            .room
            .map(|room| (format!("room {room}").into(), limit(scenario.room_limits[client]))),
        priority: if arrival.urgent {
            Priority::Urgent
        } else {
            Priority::Normal
        },
    }
}

fn play(scenario: &Scenario) -> Vec<(Nanos, Event)> {
    let queues: Vec<_> = scenario
        .workers
        .iter()
        .map(|workers| {
            StdArc::new(Queue {
                free_workers: (*workers).into(),
                ..Queue::default()
            })
        })
        .collect();
    let world = Simulation {
        scenario,
        list: Waitlist::default(),
        next_call: vec![None; queues.len()],
        queues,
        threads: Vec::new(),
        tickets: HashMap::new(),
        slots: HashMap::new(),
        coming: BTreeSet::new(),
        log: Vec::new(),
    };
    world.run()
}

/// The expected result, from the rules only: it checks every waiter each time.
struct Model<'a> {
    scenario: &'a Scenario,
    /// Time, permits, room, request.
    used: Vec<(Nanos, u64, Option<usize>, usize)>,
    waiting: BTreeSet<usize>,
    free: Vec<usize>,
    is_closed: Vec<bool>,
    urgent_in_a_row: u32,
    admitted: Vec<(Nanos, usize)>,
}

impl Model<'_> {
    fn fits(&self, permits: u64, limit: u64, used: u64) -> bool {
        used + permits.min(limit) <= limit
    }

    fn used(&self, now: Nanos, room: Option<usize>) -> u64 {
        let counts = |entry: &&(Nanos, u64, Option<usize>, usize)| now - entry.0 < SPAN;
        let all = self.used.iter().filter(counts);
        match room {
            None => all.map(|entry| entry.1).sum(),
            Some(_) => all.filter(|entry| entry.2 == room).count() as u64,
        }
    }

    /// Admits every waiter that may be admitted at this time.
    fn admit(&mut self, now: Nanos) {
        loop {
            let arrivals = &self.scenario.arrivals;
            let mut order: Vec<usize> = self.waiting.iter().copied().collect();
            let urgent_first = self.urgent_in_a_row < URGENT_IN_A_ROW;
            order.sort_by_key(|index| (arrivals[*index].urgent != urgent_first, *index));
            let next = order.into_iter().find(|index| {
                let arrival = &arrivals[*index];
                let client = arrival.queue.unwrap_or(0);
                let room = arrival.room;
                let has_room = room.is_none() || self.fits(1, self.scenario.room_limits[client], self.used(now, room));
                has_room && arrival.queue.is_none_or(|queue| self.free[queue] > 0)
            });
            let Some(index) = next else { return };
            let arrival = &arrivals[index];
            let client = arrival.queue.unwrap_or(0);
            if !self.fits(arrival.permits, self.scenario.limits[client], self.used(now, None)) {
                return;
            }
            let is_a_normal_waiting = self
                .waiting
                .iter()
                .any(|other| !arrivals[*other].urgent && *other != index);
            self.urgent_in_a_row = if arrival.urgent && is_a_normal_waiting {
                self.urgent_in_a_row + 1
            } else {
                0
            };
            if let Some(queue) = arrival.queue {
                self.free[queue] -= 1;
            }
            self.waiting.remove(&index);
            self.used.push((now, arrival.permits, arrival.room, index));
            self.admitted.push((now, index));
        }
    }

    /// The times before `until` at which a permit expires.
    fn advance(&mut self, from: Nanos, until: Nanos) {
        let mut now = from;
        loop {
            let returns = self.used.iter().map(|entry| entry.0 + SPAN);
            match returns.filter(|at| *at > now && *at < until).min() {
                Some(at) => now = at,
                None => return,
            }
            self.admit(now);
        }
    }

    fn replay(mut self, log: &[(Nanos, Event)]) -> Vec<(Nanos, usize)> {
        let mut last = 0;
        for (at, what) in log {
            self.advance(last, *at);
            last = *at;
            match *what {
                Event::Admitted(_) => {}
                Event::Arrived(index) => {
                    self.waiting.insert(index);
                }
                Event::Left(index) => {
                    self.admit(*at);
                    self.waiting.remove(&index);
                }
                Event::WorkerEnded(queue) => self.free[queue] += usize::from(!self.is_closed[queue]),
                Event::Closed(queue) => {
                    self.is_closed[queue] = true;
                    self.free[queue] = 0;
                }
                Event::GivenBack(index) => self.used.retain(|entry| entry.3 != index),
                Event::Renewed(index) => {
                    // The rules never admitted it: the two results differ, and the test fails.
                    let entry = self.used.iter_mut().find(|entry| entry.3 == index);
                    entry.into_iter().for_each(|entry| entry.0 = *at);
                }
            }
            self.admit(*at);
        }
        self.admitted
    }
}

fn expected(scenario: &Scenario, log: &[(Nanos, Event)]) -> Vec<(Nanos, usize)> {
    let model = Model {
        scenario,
        used: Vec::new(),
        waiting: BTreeSet::new(),
        free: scenario.workers.clone(),
        is_closed: vec![false; scenario.workers.len()],
        urgent_in_a_row: 0,
        admitted: Vec::new(),
    };
    model.replay(log)
}

fn admissions(log: &[(Nanos, Event)]) -> Vec<(Nanos, usize)> {
    let admitted = log.iter().filter_map(|(at, what)| match what {
        Event::Admitted(index) => Some((*at, *index)),
        _ => None,
    });
    admitted.collect()
}

fn span_of_time(most: Nanos) -> impl Strategy<Value = Nanos> {
    (1..most / 1_000_003).prop_map(|steps| steps * 1_000_003)
}

fn scenario() -> impl Strategy<Value = Scenario> {
    (1..4usize).prop_flat_map(|clients| {
        let then = prop_oneof![
            6 => Just(SlotUse::Used),
            1 => span_of_time(SECOND).prop_map(SlotUse::GivenBack),
            1 => span_of_time(2 * SECOND).prop_map(SlotUse::Renewed),
        ];
        let arrival = (
            prop_oneof![Just(7), 1..40_000_000u64, 1..400_000_000u64],
            prop::option::weighted(0.7, 0..clients),
            1..4u64,
            prop::option::weighted(0.6, 0..3usize),
            prop::bool::weighted(0.3),
            prop::option::weighted(0.3, span_of_time(3 * SECOND)),
            then,
        );
        let arrival = arrival.prop_map(|(gap, queue, permits, room, urgent, expires_after, then)| Arrival {
            gap,
            queue,
            permits,
            room,
            urgent,
            expires_after,
            then,
        });
        (
            prop::collection::vec(1..8u64, clients),
            prop::collection::vec(1..4u64, clients),
            prop::collection::vec(1..4usize, clients),
            span_of_time(SECOND),
            prop::collection::vec(arrival, 1..80),
            prop::option::weighted(0.3, (0..clients, span_of_time(8 * SECOND))),
        )
            .prop_map(|(limits, room_limits, workers, work, arrivals, close)| Scenario {
                limits,
                room_limits,
                workers,
                work,
                arrivals,
                close,
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_waiter_is_admitted_as_early_as_the_windows_allow_and_in_order(scenario in scenario()) {
        let log = play(&scenario);
        let (mut found, mut expected) = (admissions(&log), expected(&scenario, &log));
        // Waiters that are admitted at the same time may wake in any order.
        found.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(found, expected);
    }

    /// Each request has its own network delay, and the delays differ by less than the jitter.
    #[test]
    fn no_second_at_the_vendor_holds_more_than_the_limit(mut scenario in scenario(), seed in any::<u64>()) {
        let limit = scenario.limits[0];
        scenario.limits.fill(limit);
        let log = play(&scenario);
        let mut random = seed | 1;
        let mut sent = HashMap::new();
        for (at, what) in &log {
            match what {
                Event::Admitted(index) | Event::Renewed(index) => {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    sent.insert(*index, at + random % (SPAN - SECOND));
                }
                Event::GivenBack(index) => {
                    sent.remove(index);
                }
                _ => {}
            }
        }
        // Every request is sent when it is admitted: one that is sent later must renew its slot, which other tests cover.
        let mut arrived: Vec<(Nanos, u64)> = sent
            .into_iter()
            .map(|(index, at)| (at, scenario.arrivals[index].permits.min(limit)))
            .collect();
        arrived.sort_unstable();
        for (index, (end, _)) in arrived.iter().enumerate() {
            let within: u64 = arrived[..=index].iter().filter(|(at, _)| end - at < SECOND).map(|(_, n)| n).sum();
            prop_assert!(within <= limit, "{within} within the second up to {end}");
        }
    }
}

fn demand(priority: Priority, room: Option<&str>) -> Demand {
    Demand {
        permits: 1,
        limit: limit(1000),
        room: room.map(|room| (room.into(), limit(1))),
        priority,
    }
}

fn queue(free_workers: usize) -> (StdArc<Queue>, StdArc<dyn QueueWaiter>) {
    let queue = StdArc::new(Queue {
        free_workers: free_workers.into(),
        ..Queue::default()
    });
    (queue.clone(), queue)
}

fn admitted(queue: &Queue) -> Vec<u64> {
    let admitted = std::mem::take(&mut *queue.admitted.lock().unwrap());
    admitted.into_iter().map(|(message, _)| message).collect()
}

#[test]
fn a_new_leader_of_another_client_is_woken_when_the_old_one_is_admitted() {
    let mut list = Waitlist::default();
    let (one, one_waiter) = queue(9);
    let (two, two_waiter) = queue(9);
    let only_one = Demand {
        limit: limit(1),
        ..demand(Priority::Normal, None)
    };
    for (message, waiter) in [(1, &one_waiter), (2, &one_waiter), (3, &two_waiter)] {
        list.enqueue_message(&only_one, waiter, message);
    }
    list.schedule(0, Some(WaiterId::queue(&one_waiter)));
    list.schedule(0, Some(WaiterId::queue(&two_waiter)));
    assert_eq!(list.wakes_at(WaiterId::queue(&one_waiter)), Some(SPAN));
    assert_eq!(list.wakes_at(WaiterId::queue(&two_waiter)), None);
    // The last message of the first client is admitted, so the other client must become the leader.
    list.schedule(SPAN, Some(WaiterId::queue(&one_waiter)));
    assert_eq!(admitted(&one), [1, 2]);
    assert!(two.is_woken.load(Ordering::SeqCst));
    assert_eq!(list.wakes_at(WaiterId::queue(&two_waiter)), Some(2 * SPAN));
    list.schedule(2 * SPAN, Some(WaiterId::queue(&two_waiter)));
    assert_eq!(admitted(&two), [3]);
}

#[test]
fn a_retry_is_admitted_before_all_others() {
    let mut list = Waitlist::default();
    let (queue, waiter) = queue(9);
    let order = [Priority::Normal, Priority::Urgent, Priority::Retry];
    for (message, priority) in (1..).zip(order) {
        list.enqueue_message(&demand(priority, None), &waiter, message);
    }
    list.schedule(0, None);
    assert_eq!(admitted(&queue), [3, 2, 1]);
}

#[test]
fn every_ninth_admission_among_urgent_waiters_is_a_normal_one() {
    let mut list = Waitlist::default();
    let (queue, waiter) = queue(99);
    for message in 0..42 {
        let priority = if message < 2 {
            Priority::Normal
        } else {
            Priority::Urgent
        };
        list.enqueue_message(&demand(priority, None), &waiter, message);
    }
    list.schedule(0, None);
    let order = admitted(&queue);
    assert_eq!((order[8], order[17]), (0, 1));
}

/// The cost of one pass, in visited lists. It does not grow with the number of waiters of a full room or a busy client.
#[test]
fn only_the_heads_of_lists_are_visited() {
    let mut list = Waitlist::default();
    let (busy, busy_waiter) = queue(1);
    let (free, free_waiter) = queue(1_000_000);
    for message in 0..1000 {
        list.enqueue_message(&demand(Priority::Normal, Some("full")), &free_waiter, message);
        let room = format!("room {message}");
        list.enqueue_message(&demand(Priority::Normal, Some(&room)), &busy_waiter, message);
    }
    list.schedule(0, None);
    assert_eq!((admitted(&free).len(), admitted(&busy).len()), (1, 1));
    assert!(list.candidates.is_empty(), "no list is left to visit");
    assert_eq!(list.set_aside.len(), 1, "only one head of the room is set aside");
    assert!(
        list.try_admit(&demand(Priority::Normal, Some("other")), Priority::Normal, 0)
            .is_some()
    );
}

#[test]
fn rooms_without_recent_requests_are_dropped() {
    let mut list = Waitlist::default();
    let visit = |list: &mut Waitlist, room: usize, now| {
        let room = format!("room {room}");
        list.try_admit(&demand(Priority::Normal, Some(&room)), Priority::Normal, now)
            .expect("admitted");
    };
    for room in 0..10 * FEW_ROOMS {
        visit(&mut list, room, room as Nanos * SPAN);
    }
    assert!(list.rooms.len() <= 2 * FEW_ROOMS, "{}", list.rooms.len());
}
