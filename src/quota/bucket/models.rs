//! loom models of the waiters: every interleaving of a few callers, on a clock that moves when one of them sleeps to a time.
//! A lost wake-up would be a deadlock, which loom reports.

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use super::super::waitlist::Priority;
use super::super::window::Limit;
use super::*;
use crate::util::sync::Arc;

const SPAN: Nanos = 100;

struct Moved(Arc<AtomicU64>);

impl Clock for Moved {
    fn now(&self) -> Nanos {
        self.0.load(Ordering::SeqCst)
    }

    fn wait<'a, T>(
        &self,
        mutex: &'a Mutex<T>,
        signal: &Condvar,
        guard: MutexGuard<'a, T>,
        until: Option<Nanos>,
    ) -> MutexGuard<'a, T> {
        let Some(until) = until else {
            return signal.wait(guard).unwrap();
        };
        drop(guard);
        self.0.fetch_max(until, Ordering::SeqCst);
        thread::yield_now();
        mutex.lock().unwrap()
    }
}

fn bucket() -> (Arc<AtomicU64>, Arc<Bucket<Moved>>) {
    let time = Arc::new(AtomicU64::new(0));
    (time.clone(), Arc::new(Bucket::with(Moved(time))))
}

fn demand(priority: Priority) -> Demand {
    Demand {
        permits: 1,
        limit: Limit { permits: 1, span: SPAN },
        room: None,
        priority,
    }
}

/// A queue of one message, and the thread that serves it.
#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    woken: Condvar,
}

#[derive(Default)]
struct QueueState {
    is_woken: bool,
    slot: Option<Slot>,
}

impl Queue {
    fn serve(self: StdArc<Queue>, bucket: &Bucket<Moved>, time: &AtomicU64) -> Slot {
        let waiter: StdArc<dyn QueueWaiter> = self.clone();
        bucket.enqueue(&demand(Priority::Normal), &waiter, 1);
        loop {
            let alarm = bucket.schedule(&waiter);
            let mut state = lock(&self.state);
            if let Some(slot) = state.slot.take() {
                return slot;
            }
            match alarm {
                Some(wait) => {
                    drop(state);
                    time.fetch_max(time.load(Ordering::SeqCst) + wait, Ordering::SeqCst);
                    thread::yield_now();
                }
                None => {
                    while !std::mem::take(&mut state.is_woken) {
                        state = self.woken.wait(state).unwrap();
                    }
                }
            }
        }
    }

    fn wake(&self, change: impl FnOnce(&mut QueueState)) {
        let mut state = lock(&self.state);
        change(&mut state);
        state.is_woken = true;
        drop(state);
        self.woken.notify_one();
    }
}

impl QueueWaiter for Queue {
    fn has_free_worker(&self) -> bool {
        true
    }

    fn claim_worker(&self) -> bool {
        true
    }

    fn admitted(&self, _: u64, slot: Slot, _: Place) {
        self.wake(|state| state.slot = Some(slot));
    }

    fn wake(&self) {
        self.wake(|_| {});
    }
}

fn model() -> loom::model::Builder {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model
}

#[test]
fn two_queues_and_a_thread_in_one_bucket_all_end() {
    model().check(|| {
        let (time, bucket) = bucket();
        let queues: Vec<_> = (0..2)
            .map(|_| {
                let (time, bucket) = (time.clone(), bucket.clone());
                thread::spawn(move || drop(StdArc::new(Queue::default()).serve(&bucket, &time)))
            })
            .collect();
        bucket.acquire(&demand(Priority::Normal), None, None, || false).unwrap();
        for queue in queues {
            queue.join().unwrap();
        }
        assert!(time.load(Ordering::SeqCst) >= 2 * SPAN);
        assert_eq!(bucket.load().waiting, 0);
    });
}

#[test]
fn a_slot_that_is_given_back_wakes_the_next_one() {
    model().check(|| {
        let (time, bucket) = bucket();
        let slot = bucket
            .acquire(&demand(Priority::Normal), None, None, || false)
            .unwrap()
            .slot;
        let (queues_time, queues_bucket) = (time.clone(), bucket.clone());
        let queue = thread::spawn(move || drop(StdArc::new(Queue::default()).serve(&queues_bucket, &queues_time)));
        bucket.give_back(&slot);
        queue.join().unwrap();
        assert_eq!(bucket.load().waiting, 0);
    });
}

#[test]
fn all_are_admitted_one_span_apart_whoever_comes_when() {
    loom::model(|| {
        let (time, bucket) = bucket();
        let other = bucket.clone();
        let urgent =
            thread::spawn(move || drop(other.acquire(&demand(Priority::Urgent), None, None, || false).unwrap()));
        bucket.acquire(&demand(Priority::Normal), None, None, || false).unwrap();
        urgent.join().unwrap();
        assert!(time.load(Ordering::SeqCst) >= SPAN);
    });
}

#[test]
fn a_timekeeper_that_leaves_hands_the_time_to_another_waiter() {
    loom::model(|| {
        let (_, bucket) = bucket();
        bucket.acquire(&demand(Priority::Normal), None, None, || false).unwrap();
        let other = bucket.clone();
        // Gives up before its turn can come, perhaps while it keeps the time.
        let impatient =
            thread::spawn(move || drop(other.acquire(&demand(Priority::Urgent), None, Some(SPAN / 2), || false)));
        bucket.acquire(&demand(Priority::Normal), None, None, || false).unwrap();
        impatient.join().unwrap();
        assert_eq!(bucket.load().waiting, 0);
    });
}

#[test]
fn a_thread_that_is_abandoned_while_it_sleeps_wakes_and_leaves() {
    loom::model(|| {
        let (_, bucket) = bucket();
        bucket.acquire(&demand(Priority::Normal), None, None, || false).unwrap();
        let closed = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let (other, told) = (bucket.clone(), closed.clone());
        let waiting = thread::spawn(move || {
            drop(other.acquire(&demand(Priority::Normal), None, None, || told.load(Ordering::SeqCst)));
        });
        closed.store(true, Ordering::SeqCst);
        bucket.wake();
        waiting.join().unwrap();
        assert_eq!(bucket.load().waiting, 0);
    });
}
