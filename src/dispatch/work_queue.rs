//! Work that is given out, and the workers who wait for it. One of those who sleep listens for the waker, so that who rings
//! wakes the one who does the work, and no thread between them.

use std::collections::VecDeque;
use std::time::Duration;

use super::waker::{TIMER, Waker};
use crate::util::sync::{Mutex, MutexGuard, lock};

#[derive(Debug)]
pub(super) struct WorkQueue<T> {
    waker: Waker,
    held: Mutex<Held<T>>,
}

#[derive(Debug)]
struct Held<T> {
    work: VecDeque<T>,
    /// Numbers of workers. The last is woken first: its caches are warm. Who listens is the first.
    asleep: VecDeque<usize>,
    /// Who listens is awake, and looks here before it sleeps: one piece may lie here without anybody being woken for it.
    is_expected: bool,
}

impl<T> WorkQueue<T> {
    /// The workers have the numbers from 1 on.
    pub fn new(workers: usize) -> WorkQueue<T> {
        WorkQueue {
            waker: Waker::new(workers),
            held: Mutex::new(Held {
                work: VecDeque::new(),
                asleep: VecDeque::new(),
                is_expected: false,
            }),
        }
    }

    pub fn push(&self, work: T) {
        let mut held = self.held();
        held.work.push_back(work);
        let is_enough_awake = held.is_expected && held.work.len() == 1;
        let sleeper = if is_enough_awake { None } else { held.asleep.pop_back() };
        drop(held);
        if let Some(sleeper) = sleeper {
            self.waker.unpark(sleeper);
        }
    }

    /// Somebody looks after what there is, soon and once for all who ring until then. It takes no lock.
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// The keeper looks again, whoever listens: for an earlier time, a defect, the end.
    pub fn wake_timer(&self) {
        self.waker.wake_timer();
    }

    /// The keeper's part: looks when it is called, when it said it would, and when it rings and nobody else listens, until it
    /// is over.
    pub fn run_timer_thread(&self, mut look: impl FnMut() -> Option<Duration>, is_over: impl Fn() -> bool) {
        self.waker.register(TIMER);
        loop {
            self.waker.clear(TIMER);
            if is_over() {
                return;
            }
            let at_most = look();
            self.waker.sleep(TIMER, at_most);
        }
    }

    /// A worker's part: looks after what there is, which may put something here and must not panic, and waits for the oldest
    /// piece.
    pub fn next_job(&self, number: usize, mut look: impl FnMut()) -> T {
        self.waker.register(number);
        let mut has_looked = false;
        loop {
            let listens = self.waker.is_listening(number) || self.waker.become_listener(number);
            if listens {
                self.held().is_expected = true;
                self.waker.clear(number);
            }
            if listens || !has_looked {
                look();
                has_looked = true;
            }
            if let Some(work) = self.take_or_lie_down(number, listens) {
                return work;
            }
            self.waker.sleep(number, None);
            if let Some(work) = self.rise(number) {
                return work;
            }
        }
    }

    /// What is there, if a thread to do it cannot be had.
    pub fn try_pop(&self) -> Option<T> {
        self.held().work.pop_front()
    }

    fn take_or_lie_down(&self, number: usize, listens: bool) -> Option<T> {
        let mut held = self.held();
        let work = held.work.pop_front();
        if listens {
            held.is_expected = false;
        }
        match (&work, listens) {
            (Some(_), true) => self.hand_over(&mut held, number),
            (Some(_), false) => {}
            (None, true) => held.asleep.push_front(number),
            (None, false) => held.asleep.push_back(number),
        }
        work
    }

    /// Nobody makes one listen who is not among those who sleep.
    fn rise(&self, number: usize) -> Option<T> {
        let mut held = self.held();
        held.asleep.retain(|other| *other != number);
        let work = held.work.pop_front();
        if work.is_some() && self.waker.is_listening(number) {
            self.hand_over(&mut held, number);
        }
        work
    }

    /// Another worker who sleeps listens now, or else the keeper.
    fn hand_over(&self, held: &mut Held<T>, number: usize) {
        let heir = held.asleep.pop_back();
        if let Some(heir) = heir {
            held.asleep.push_front(heir);
        }
        self.waker.hand_over(number, heir.unwrap_or(TIMER));
    }

    fn held(&self) -> MutexGuard<'_, Held<T>> {
        lock(&self.held)
    }
}

#[cfg(all(test, feature = "loom"))]
mod models {
    use loom::sync::Arc;

    use super::*;
    use crate::util::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use crate::util::sync::thread;

    const EXIT: usize = 0;

    /// A work_queue with an inbox, into which goes what is submitted.
    struct House {
        work_queue: WorkQueue<usize>,
        inbox: AtomicUsize,
        begun: AtomicUsize,
        done: AtomicUsize,
        is_over: AtomicBool,
    }

    impl House {
        fn look(&self) {
            for _ in 0..self.inbox.swap(0, Ordering::SeqCst) {
                self.work_queue.push(1);
            }
        }

        fn submit(&self) {
            self.inbox.fetch_add(1, Ordering::SeqCst);
            self.work_queue.wake();
        }

        /// No piece is done before so many are begun.
        fn work(&self, number: usize, all: usize, at_once: usize, calls: bool) {
            loop {
                let look = || {
                    self.look();
                    if calls {
                        self.work_queue.wake_timer();
                    }
                };
                let piece = self.work_queue.next_job(number, look);
                if piece == EXIT {
                    break;
                }
                self.begun.fetch_add(piece, Ordering::SeqCst);
                while self.begun.load(Ordering::SeqCst) < at_once {
                    thread::yield_now();
                }
                if self.done.fetch_add(piece, Ordering::SeqCst) + piece == all {
                    self.is_over.store(true, Ordering::SeqCst);
                    self.work_queue.push(EXIT);
                    self.work_queue.push(EXIT);
                    self.work_queue.wake_timer();
                }
            }
        }
    }

    /// Work that is slept over would be a deadlock, or wait for ever: loom reports both.
    fn check(workers: usize, submitted: usize, put: usize, at_once: usize, preemptions: usize) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(preemptions);
        model.check(move || {
            let house = Arc::new(House {
                work_queue: WorkQueue::new(workers),
                inbox: AtomicUsize::new(0),
                begun: AtomicUsize::new(0),
                done: AtomicUsize::new(0),
                is_over: AtomicBool::new(false),
            });
            // With more threads somebody waits for a lock while it is unparked: loom takes that for the lock.
            let calls = workers == 1;
            let own = house.clone();
            let submitter = thread::spawn(move || {
                (0..submitted).for_each(|_| own.submit());
                (0..put).for_each(|_| own.work_queue.push(1));
            });
            // Whom loom joins is not unparked: it would take that for the end of the one who is joined.
            let keeper = thread::spawn(move || {
                let mut started = Vec::new();
                let look = || {
                    for number in started.len() + 1..=workers {
                        let own = house.clone();
                        started.push(thread::spawn(move || own.work(number, submitted + put, at_once, calls)));
                    }
                    house.look();
                    None
                };
                house
                    .work_queue
                    .run_timer_thread(look, || house.is_over.load(Ordering::SeqCst));
                started
            });
            submitter.join().unwrap();
            for worker in keeper.join().unwrap() {
                worker.join().unwrap();
            }
        });
    }

    #[test]
    fn nothing_submitted_is_slept_over_by_keeper_and_worker() {
        check(1, 2, 0, 0, 2);
    }

    #[test]
    fn nothing_submitted_or_put_is_slept_over_by_two_workers() {
        check(2, 1, 1, 0, 2);
    }

    #[test]
    fn no_worker_sleeps_while_another_one_is_busy_and_there_is_work() {
        check(2, 2, 0, 2, 2);
    }
}
