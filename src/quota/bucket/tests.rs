//! Waiting threads, on a clock that the test sets.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::waitlist::Priority;
use super::super::window::Limit;
use super::*;

const MS: Nanos = 1_000_000;
const SECOND: Nanos = 1000 * MS;
const JITTER: Nanos = 30 * MS;
const SPAN: Nanos = SECOND + JITTER;

fn demand(limit: u64) -> Demand {
    Demand {
        permits: 1,
        limit: Limit {
            permits: limit,
            span: SPAN,
        },
        room: None,
        priority: Priority::Normal,
    }
}

fn in_room(room: &str) -> Demand {
    let one = Limit { permits: 1, span: SPAN };
    Demand {
        room: Some((room.into(), one)),
        ..demand(100)
    }
}

/// A wait sets this clock to the time that it waits for.
#[derive(Default)]
struct ManualClock(AtomicU64);

impl Clock for StdArc<ManualClock> {
    fn now(&self) -> Nanos {
        self.0.load(Ordering::SeqCst)
    }

    fn wait<'a, T>(
        &self,
        _: &'a Mutex<T>,
        _: &Condvar,
        guard: MutexGuard<'a, T>,
        until: Option<Nanos>,
    ) -> MutexGuard<'a, T> {
        self.0
            .fetch_max(until.expect("one waiter must be the leader"), Ordering::SeqCst);
        guard
    }
}

type TestBucket = Bucket<StdArc<ManualClock>>;

fn bucket() -> (StdArc<ManualClock>, TestBucket) {
    let clock = StdArc::new(ManualClock::default());
    (clock.clone(), Bucket::with(clock))
}

fn acquire(bucket: &TestBucket, limit: u64, wait: Option<Nanos>) -> Result<Admission, Refusal> {
    bucket.acquire(&demand(limit), None, wait, || false)
}

#[test]
fn a_request_that_cannot_be_sent_in_time_is_refused_at_once_with_the_earliest_time() {
    let (clock, bucket) = bucket();
    for _ in 0..2 {
        acquire(&bucket, 2, Some(0)).unwrap();
    }
    clock.0.store(400 * MS, Ordering::SeqCst);
    let refusal = Refusal::TooLate {
        possible_in: SPAN - 400 * MS,
    };
    assert_eq!(acquire(&bucket, 2, Some(0)).unwrap_err(), refusal);
    assert_eq!(acquire(&bucket, 2, Some(SPAN - 400 * MS - 1)).unwrap_err(), refusal);
    assert_eq!(clock.now(), 400 * MS, "the thread did not wait in vain");
    assert!(acquire(&bucket, 2, Some(SECOND)).unwrap().has_waited);
    assert_eq!(clock.now(), SPAN);
}

#[test]
fn throttling_lowers_the_limit_once_per_span_and_success_restores_it_step_by_step() {
    let (clock, bucket) = bucket();
    let burst = || {
        clock.0.fetch_add(2 * SPAN, Ordering::SeqCst);
        (0..200).take_while(|_| acquire(&bucket, 100, Some(0)).is_ok()).count()
    };
    assert_eq!(burst(), 100);
    bucket.throttled(SPAN);
    bucket.throttled(SPAN);
    assert_eq!(burst(), 75);
    bucket.throttled(SPAN);
    assert_eq!(burst(), 56);
    let mut restored = Vec::new();
    for _ in 0..10 {
        bucket.succeeded(SPAN);
        bucket.succeeded(SPAN);
        restored.push(burst());
    }
    assert_eq!(restored, [61, 66, 71, 76, 81, 86, 91, 96, 100, 100]);
}

#[test]
fn a_full_room_delays_its_own_messages_and_no_others() {
    let (clock, bucket) = bucket();
    let passes = |room: &str| bucket.acquire(&in_room(room), None, Some(0), || false).is_ok();
    assert!(passes("a") && !passes("a") && passes("b") && passes("c"));
    clock.0.store(SPAN, Ordering::SeqCst);
    assert!(passes("a"));
}

#[test]
fn a_caller_that_gives_up_uses_no_permit() {
    let (clock, bucket) = bucket();
    acquire(&bucket, 1, None).unwrap();
    let refused = bucket.acquire(&demand(1), None, None, || true);
    assert_eq!(refused.unwrap_err(), Refusal::Aborted);
    assert_eq!(bucket.load().waiting, 0);
    clock.0.store(SPAN, Ordering::SeqCst);
    acquire(&bucket, 1, Some(0)).unwrap();
}

/// The process may pause between the admission and the first byte. The slot then counts from the first byte.
#[test]
fn a_slot_is_moved_to_the_time_of_the_first_byte() {
    let (clock, bucket) = bucket();
    let mut late = acquire(&bucket, 2, None).unwrap().slot;
    clock.0.store(900 * MS, Ordering::SeqCst);
    assert!(bucket.renew(&mut late), "it still counts");
    clock.0.store(SPAN + 1, Ordering::SeqCst);
    acquire(&bucket, 2, Some(0)).unwrap();
    let refused = acquire(&bucket, 2, Some(0)).unwrap_err();
    let possible_in = 900 * MS - 1;
    assert_eq!(
        refused,
        Refusal::TooLate { possible_in },
        "the late one counts from its bytes on"
    );
}

#[test]
fn an_expired_slot_is_invalid_and_others_may_use_its_permits() {
    let (clock, bucket) = bucket();
    let mut old: Vec<Slot> = (0..3).map(|_| acquire(&bucket, 3, None).unwrap().slot).collect();
    clock.0.store(SPAN, Ordering::SeqCst);
    for _ in 0..3 {
        acquire(&bucket, 3, Some(0)).unwrap();
    }
    for slot in &mut old {
        assert!(!bucket.renew(slot));
        bucket.give_back(slot);
    }
    assert!(
        acquire(&bucket, 3, Some(0)).is_err(),
        "nothing came back that was not there"
    );
}

#[test]
fn a_slot_moves_in_the_windows_of_the_account_and_of_the_room_together() {
    let (clock, bucket) = bucket();
    let to_room = || bucket.acquire(&in_room("a"), None, Some(0), || false);
    let mut slot = to_room().unwrap().slot;
    clock.0.store(SECOND, Ordering::SeqCst);
    assert!(bucket.renew(&mut slot));
    clock.0.store(SPAN, Ordering::SeqCst);
    let possible_in = SECOND;
    assert_eq!(to_room().unwrap_err(), Refusal::TooLate { possible_in });
    bucket.give_back(&slot);
    to_room().unwrap();
}

#[test]
fn a_message_whose_slot_expired_waits_at_its_own_place_again() {
    let (clock, bucket) = bucket();
    let (queue, waiter) = free_queue();
    let mut first = acquire(&bucket, 1, None).unwrap();
    bucket.enqueue(&demand(1), &waiter, 7);
    assert_eq!(bucket.schedule(&waiter), Some(SPAN));
    clock.0.store(SPAN, Ordering::SeqCst);
    assert!(!bucket.renew(&mut first.slot));
    // Its place is before that of the queue's message, which arrived later.
    bucket.acquire(&demand(1), Some(first.place), None, || false).unwrap();
    assert!(queue.0.lock().unwrap().is_empty());
    clock.0.store(2 * SPAN, Ordering::SeqCst);
    bucket.schedule(&waiter);
    assert_eq!(*queue.0.lock().unwrap(), [7]);
}

#[test]
fn permits_that_are_given_back_admit_the_next_waiter_at_once() {
    let (_, bucket) = bucket();
    let (queue, waiter) = free_queue();
    let slot = acquire(&bucket, 1, None).unwrap().slot;
    bucket.enqueue(&demand(1), &waiter, 7);
    bucket.schedule(&waiter);
    assert!(queue.0.lock().unwrap().is_empty());
    bucket.give_back(&slot);
    assert_eq!(*queue.0.lock().unwrap(), [7]);
}

/// A clock on which a thread oversleeps: it is admitted while it sleeps, and its slot has expired when it wakes up.
struct Oversleeping {
    now: AtomicU64,
    bucket: std::sync::OnceLock<std::sync::Weak<Bucket<StdArc<Oversleeping>>>>,
    sleeps: AtomicU64,
}

impl Clock for StdArc<Oversleeping> {
    fn now(&self) -> Nanos {
        self.now.load(Ordering::SeqCst)
    }

    fn wait<'a, T>(
        &self,
        mutex: &'a Mutex<T>,
        _: &Condvar,
        guard: MutexGuard<'a, T>,
        until: Option<Nanos>,
    ) -> MutexGuard<'a, T> {
        drop(guard);
        self.now.fetch_max(until.expect("it is the leader"), Ordering::SeqCst);
        if self.sleeps.fetch_add(1, Ordering::SeqCst) == 0 {
            let bucket = self.bucket.get().and_then(std::sync::Weak::upgrade).expect("a bucket");
            bucket.schedule(&free_queue().1);
            self.now.fetch_add(2 * SPAN, Ordering::SeqCst);
        }
        lock(mutex)
    }
}

#[test]
fn a_thread_that_wakes_up_late_gets_a_slot_of_the_current_time() {
    let clock = StdArc::new(Oversleeping {
        now: AtomicU64::new(0),
        bucket: std::sync::OnceLock::new(),
        sleeps: AtomicU64::new(0),
    });
    let bucket = StdArc::new(Bucket::with(clock.clone()));
    clock.bucket.set(StdArc::downgrade(&bucket)).expect("once");
    bucket.acquire(&demand(1), None, None, || false).unwrap();
    let mut late = bucket.acquire(&demand(1), None, None, || false).unwrap();
    assert!(clock.now() >= 3 * SPAN);
    assert!(bucket.renew(&mut late.slot), "it counts now");
    assert!(
        bucket.acquire(&demand(1), None, Some(0), || false).is_err(),
        "and no other one fits beside it"
    );
}

#[test]
fn a_queue_that_stepped_down_is_not_the_leader() {
    let (clock, bucket) = bucket();
    let (busy, other) = (free_queue(), free_queue());
    acquire(&bucket, 1, None).unwrap();
    bucket.enqueue(&demand(1), &busy.1, 1);
    bucket.enqueue(&demand(1), &other.1, 2);
    assert_eq!(bucket.schedule(&busy.1), Some(SPAN));
    assert_eq!(bucket.schedule(&other.1), None, "the first is the leader");
    bucket.step_down(&busy.1);
    assert_eq!(*other.0.1.0.lock().unwrap(), 1);
    assert_eq!(bucket.schedule(&other.1), Some(SPAN));
    clock.0.store(SPAN, Ordering::SeqCst);
    bucket.schedule(&other.1);
    assert_eq!(*busy.0.0.lock().unwrap(), [1], "its messages are admitted all the same");
}

#[test]
fn a_late_leader_is_replaced() {
    let (clock, bucket) = bucket();
    let (late, other) = (free_queue(), free_queue());
    acquire(&bucket, 1, None).unwrap();
    for (message, queue) in [(1, &late), (2, &late), (3, &other)] {
        bucket.enqueue(&demand(1), &queue.1, message);
    }
    assert_eq!(bucket.schedule(&late.1), Some(SPAN));
    clock.0.store(SPAN + 200 * MS, Ordering::SeqCst);
    assert_eq!(bucket.schedule(&other.1), Some(SPAN));
}

/// A queue that always has a free worker.
#[derive(Default)]
struct FreeQueue(std::sync::Mutex<Vec<u64>>, Wakes);

#[derive(Default)]
struct Wakes(std::sync::Mutex<u64>);

impl QueueWaiter for FreeQueue {
    fn has_free_worker(&self) -> bool {
        true
    }

    fn claim_worker(&self) -> bool {
        true
    }

    fn admitted(&self, message: u64, _: Slot, _: Place) {
        self.0.lock().unwrap().push(message);
    }

    fn wake(&self) {
        *self.1.0.lock().unwrap() += 1;
    }
}

fn free_queue() -> (StdArc<FreeQueue>, StdArc<dyn QueueWaiter>) {
    let queue = StdArc::new(FreeQueue::default());
    (queue.clone(), queue)
}
