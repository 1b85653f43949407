//! loom models of the list: every interleaving of a few callers, on a clock that moves when somebody sleeps to a time.
//! A lost wake-up would be a deadlock, which loom reports.

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use super::*;

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
        weight: 1,
        limit: Limit { weight: 1, span: SPAN },
        room: None,
        priority,
    }
}

#[test]
fn all_pass_one_span_apart_whoever_comes_when() {
    loom::model(|| {
        let (time, bucket) = bucket();
        let other = bucket.clone();
        let urgent = thread::spawn(move || other.pass(demand(Priority::Urgent), None, || false));
        bucket.pass(demand(Priority::Normal), None, || false).unwrap();
        urgent.join().unwrap().unwrap();
        assert!(time.load(Ordering::SeqCst) >= SPAN);
    });
}

#[test]
fn whoever_leaves_hands_the_first_place_on() {
    loom::model(|| {
        let (_, bucket) = bucket();
        bucket.pass(demand(Priority::Normal), None, || false).unwrap();
        let other = bucket.clone();
        // Gives up before its turn can come, perhaps while it stands first.
        let impatient = thread::spawn(move || other.pass(demand(Priority::Urgent), Some(SPAN / 2), || false));
        bucket.pass(demand(Priority::Normal), None, || false).unwrap();
        let _ = impatient.join().unwrap();
        assert!(bucket.lock().waiting.is_empty());
    });
}

#[test]
fn who_is_abandoned_while_asleep_wakes_and_leaves() {
    loom::model(|| {
        let (_, bucket) = bucket();
        bucket.pass(demand(Priority::Normal), None, || false).unwrap();
        let closed = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let (other, told) = (bucket.clone(), closed.clone());
        let waiting = thread::spawn(move || other.pass(demand(Priority::Normal), None, || told.load(Ordering::SeqCst)));
        closed.store(true, Ordering::SeqCst);
        bucket.wake();
        let _ = waiting.join().unwrap();
        assert!(bucket.lock().waiting.is_empty());
    });
}
