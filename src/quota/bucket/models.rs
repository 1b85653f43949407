//! loom models of the waiters: every interleaving of a few callers, on a clock that advances when one of them sleeps until
//! a time. A lost wake-up would be a deadlock, which loom reports.

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use super::super::waitlist::Priority;
use super::super::window::Limit;
use super::*;
use crate::util::sync::Arc;

const SPAN: Nanos = 100;

struct ModelClock(Arc<AtomicU64>);

impl Clock for ModelClock {
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

fn bucket() -> (Arc<AtomicU64>, Arc<Bucket<ModelClock>>) {
    let time = Arc::new(AtomicU64::new(0));
    (time.clone(), Arc::new(Bucket::with(ModelClock(time))))
}

fn demand(priority: Priority) -> Demand {
    Demand {
        permits: 1,
        limit: Limit { permits: 1, span: SPAN },
        room: None,
        priority,
    }
}

/// A queue with one message, and the state of the thread that schedules it.
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
    fn serve(self: StdArc<Queue>, bucket: &Bucket<ModelClock>, time: &AtomicU64) -> Slot {
        let waiter: StdArc<dyn QueueWaiter> = self.clone();
        bucket.enqueue(&demand(Priority::Normal), &waiter, 1);
        loop {
            let next_call = bucket.schedule(&waiter);
            let mut state = lock(&self.state);
            if let Some(slot) = state.slot.take() {
                return slot;
            }
            match next_call {
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
fn two_queues_and_a_thread_in_one_bucket_are_all_admitted() {
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
fn a_slot_that_is_given_back_wakes_the_next_waiter() {
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
fn two_threads_are_admitted_one_span_apart_in_any_order_of_arrival() {
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
fn a_leader_that_gives_up_is_replaced_by_another_waiter() {
    loom::model(|| {
        let (_, bucket) = bucket();
        bucket.acquire(&demand(Priority::Normal), None, None, || false).unwrap();
        let other = bucket.clone();
        // Gives up before it can be admitted, perhaps while it is the leader.
        let impatient =
            thread::spawn(move || drop(other.acquire(&demand(Priority::Urgent), None, Some(SPAN / 2), || false)));
        bucket.acquire(&demand(Priority::Normal), None, None, || false).unwrap();
        impatient.join().unwrap();
        assert_eq!(bucket.load().waiting, 0);
    });
}

#[test]
fn a_thread_that_is_aborted_while_it_sleeps_wakes_up_and_gives_up() {
    loom::model(|| {
        let (_, bucket) = bucket();
        bucket.acquire(&demand(Priority::Normal), None, None, || false).unwrap();
        let closed = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let (other, is_aborted) = (bucket.clone(), closed.clone());
        let waiting = thread::spawn(move || {
            drop(other.acquire(&demand(Priority::Normal), None, None, || {
                is_aborted.load(Ordering::SeqCst)
            }));
        });
        closed.store(true, Ordering::SeqCst);
        bucket.wake();
        waiting.join().unwrap();
        assert_eq!(bucket.load().waiting, 0);
    });
}
