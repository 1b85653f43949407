//! Work that is given out, and the workers who wait for it. One of those who sleep listens for the bell, so that who rings
//! wakes the one who does the work, and no thread between them.

use std::collections::VecDeque;
use std::time::Duration;

use super::doorbell::{Doorbell, KEEPER};
use crate::util::sync::{Mutex, MutexGuard, lock};

#[derive(Debug)]
pub(super) struct Tray<T> {
    bell: Doorbell,
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

impl<T> Tray<T> {
    /// The workers have the numbers from 1 on.
    pub fn new(workers: usize) -> Tray<T> {
        Tray {
            bell: Doorbell::new(workers),
            held: Mutex::new(Held {
                work: VecDeque::new(),
                asleep: VecDeque::new(),
                is_expected: false,
            }),
        }
    }

    pub fn put(&self, work: T) {
        let mut held = self.held();
        held.work.push_back(work);
        let is_enough_awake = held.is_expected && held.work.len() == 1;
        let sleeper = if is_enough_awake { None } else { held.asleep.pop_back() };
        drop(held);
        if let Some(sleeper) = sleeper {
            self.bell.wake(sleeper);
        }
    }

    /// Somebody looks after what there is, soon and once for all who ring until then. It takes no lock.
    pub fn ring(&self) {
        self.bell.ring();
    }

    /// The keeper looks again, whoever listens: for an earlier time, a defect, the end.
    pub fn call_keeper(&self) {
        self.bell.call_keeper();
    }

    /// The keeper's part: looks when it is called, when it said it would, and when it rings and nobody else listens, until it
    /// is over.
    pub fn keep(&self, mut look: impl FnMut() -> Option<Duration>, is_over: impl Fn() -> bool) {
        self.bell.enter(KEEPER);
        loop {
            self.bell.answer(KEEPER);
            if is_over() {
                return;
            }
            let at_most = look();
            self.bell.sleep(KEEPER, at_most);
        }
    }

    /// A worker's part: looks after what there is, which may put something here and must not panic, and waits for the oldest
    /// piece.
    pub fn next(&self, number: usize, mut look: impl FnMut()) -> T {
        self.bell.enter(number);
        let mut has_looked = false;
        loop {
            let listens = self.bell.is_listening(number) || self.bell.take_over(number);
            if listens {
                self.held().is_expected = true;
                self.bell.answer(number);
            }
            if listens || !has_looked {
                look();
                has_looked = true;
            }
            if let Some(work) = self.take_or_lie_down(number, listens) {
                return work;
            }
            self.bell.sleep(number, None);
            if let Some(work) = self.rise(number) {
                return work;
            }
        }
    }

    /// What is there, if a thread to do it cannot be had.
    pub fn try_take(&self) -> Option<T> {
        self.held().work.pop_front()
    }

    fn take_or_lie_down(&self, number: usize, listens: bool) -> Option<T> {
        let mut held = self.held();
        let work = held.work.pop_front();
        if listens {
            held.is_expected = false;
        }
        match (&work, listens) {
            (Some(_), true) => self.pass_on(&mut held, number),
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
        if work.is_some() && self.bell.is_listening(number) {
            self.pass_on(&mut held, number);
        }
        work
    }

    /// Another worker who sleeps listens now, or else the keeper.
    fn pass_on(&self, held: &mut Held<T>, number: usize) {
        let heir = held.asleep.pop_back();
        if let Some(heir) = heir {
            held.asleep.push_front(heir);
        }
        self.bell.pass_on(number, heir.unwrap_or(KEEPER));
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

    const GO_HOME: usize = 0;

    /// A tray with an inbox, into which goes what is submitted.
    struct House {
        tray: Tray<usize>,
        inbox: AtomicUsize,
        begun: AtomicUsize,
        done: AtomicUsize,
        is_over: AtomicBool,
    }

    impl House {
        fn look(&self) {
            for _ in 0..self.inbox.swap(0, Ordering::SeqCst) {
                self.tray.put(1);
            }
        }

        fn submit(&self) {
            self.inbox.fetch_add(1, Ordering::SeqCst);
            self.tray.ring();
        }

        /// No piece is done before so many are begun.
        fn work(&self, number: usize, all: usize, at_once: usize, calls: bool) {
            loop {
                let look = || {
                    self.look();
                    if calls {
                        self.tray.call_keeper();
                    }
                };
                let piece = self.tray.next(number, look);
                if piece == GO_HOME {
                    break;
                }
                self.begun.fetch_add(piece, Ordering::SeqCst);
                while self.begun.load(Ordering::SeqCst) < at_once {
                    thread::yield_now();
                }
                if self.done.fetch_add(piece, Ordering::SeqCst) + piece == all {
                    self.is_over.store(true, Ordering::SeqCst);
                    self.tray.put(GO_HOME);
                    self.tray.put(GO_HOME);
                    self.tray.call_keeper();
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
                tray: Tray::new(workers),
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
                (0..put).for_each(|_| own.tray.put(1));
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
                house.tray.keep(look, || house.is_over.load(Ordering::SeqCst));
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
