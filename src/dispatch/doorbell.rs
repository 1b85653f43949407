//! Wakes the thread that listens, without ever waiting for it: ringing takes no lock. A ring while that thread is busy is
//! not lost; it does not fall asleep then.
//!
//! The keeper of the time listens, until a worker with nothing to do takes its place: then who rings wakes the one who does
//! the work, and no thread between them. The keeper can be called by itself.

use std::sync::OnceLock;
use std::time::Duration;

use crate::util::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::util::sync::thread::{self, Thread};

#[derive(Debug)]
pub(super) struct Doorbell {
    /// The number of who listens, with [`ASLEEP`] and [`RUNG`].
    state: AtomicUsize,
    /// Since the keeper's last [answer](Doorbell::answer). Beside its unpark, which the host's log function may use up.
    is_called: AtomicBool,
    threads: Box<[OnceLock<Thread>]>,
}

/// The others have numbers from 1 on.
pub(super) const KEEPER: usize = 0;

/// The first who rings is to unpark the one who listens: it sleeps, or may.
const ASLEEP: usize = 1;
/// Who listens has not answered yet, and does not sleep before it has.
const RUNG: usize = 2;

fn awake(number: usize) -> usize {
    number << 2
}

fn who(state: usize) -> usize {
    state >> 2
}

impl Doorbell {
    pub fn new(workers: usize) -> Doorbell {
        Doorbell {
            state: AtomicUsize::new(awake(KEEPER) | ASLEEP),
            is_called: AtomicBool::new(false),
            threads: (0..=workers).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Any thread. Only the first of those who ring while it sleeps makes a system call.
    pub fn ring(&self) {
        let before = self.state.fetch_or(RUNG, Ordering::SeqCst);
        if before & (ASLEEP | RUNG) == ASLEEP {
            self.wake(who(before));
        }
    }

    /// The keeper looks again, whoever listens. That one is not woken.
    pub fn call_keeper(&self) {
        if !self.is_called.swap(true, Ordering::SeqCst) {
            self.wake(KEEPER);
        }
    }

    /// Ends a thread's sleep, or its next one.
    pub fn wake(&self, number: usize) {
        if let Some(thread) = self.threads.get(number).and_then(OnceLock::get) {
            thread.unpark();
        }
    }

    /// Before a thread of that number sleeps.
    pub fn enter(&self, number: usize) {
        self.threads[number].get_or_init(thread::current);
    }

    pub fn is_listening(&self, number: usize) -> bool {
        who(self.state.load(Ordering::SeqCst)) == number
    }

    /// Who listens, and the keeper always, says before it looks at what there is to do that it will have seen it.
    pub fn answer(&self, number: usize) {
        if number == KEEPER {
            self.is_called.swap(false, Ordering::SeqCst);
        }
        let heard = |state: usize| (who(state) == number).then_some(awake(number));
        let _ = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, heard);
    }

    /// Who listens sleeps until it rings, and not at all if it rang since [`answer`](Doorbell::answer). The keeper sleeps until
    /// it is called, too, and every other thread until it is woken. So long at most; it may wake for nothing.
    pub fn sleep(&self, number: usize, at_most: Option<Duration>) {
        let lie_down = |state: usize| (state == awake(number)).then_some(state | ASLEEP);
        let before = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lie_down);
        let has_rung = before.is_err_and(|state| who(state) == number && state & RUNG != 0);
        let is_called = number == KEEPER && self.is_called.load(Ordering::SeqCst);
        if !has_rung && !is_called {
            park(at_most);
        }
    }

    /// A worker takes the place of the keeper, if that one sleeps and nobody rang. Whether it did.
    pub fn take_over(&self, number: usize) -> bool {
        let asleep = awake(KEEPER) | ASLEEP;
        self.state
            .compare_exchange(asleep, awake(number), Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Another one, who sleeps, listens instead, and looks if it rang since the [answer](Doorbell::answer).
    pub fn pass_on(&self, number: usize, to: usize) {
        let passed = |state: usize| (who(state) == number).then_some(awake(to) | ASLEEP | state & RUNG);
        let before = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, passed);
        if before.is_ok_and(|state| state & RUNG != 0) {
            self.wake(to);
        }
    }
}

fn park(at_most: Option<Duration>) {
    match at_most {
        #[cfg(not(feature = "loom"))]
        Some(time) => thread::park_timeout(time),
        _ => thread::park(),
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn who_listens_and_calls_the_keeper_may_sleep() {
        let bell = Doorbell::new(1);
        bell.enter(1);
        assert!(bell.take_over(1));
        bell.answer(1);
        bell.call_keeper();
        bell.sleep(1, Some(Duration::ZERO));
        assert_eq!(bell.state.load(Ordering::SeqCst), awake(1) | ASLEEP);
    }

    #[test]
    fn a_keeper_that_was_called_does_not_sleep_though_another_used_up_its_unpark() {
        let bell = Doorbell::new(1);
        bell.enter(KEEPER);
        bell.answer(KEEPER);
        bell.call_keeper();
        thread::park();
        bell.sleep(KEEPER, None); // would not end
    }
}

#[cfg(all(test, feature = "loom"))]
mod models {
    use loom::sync::Arc;

    use super::*;

    #[test]
    fn nothing_that_was_there_before_a_ring_is_slept_over() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let bell = Arc::new(Doorbell::new(0));
            let work = Arc::new(AtomicUsize::new(0));
            let ringers: Vec<_> = (0..2)
                .map(|_| {
                    let (bell, work) = (bell.clone(), work.clone());
                    thread::spawn(move || {
                        work.fetch_add(1, Ordering::SeqCst);
                        bell.ring();
                    })
                })
                .collect();
            bell.enter(KEEPER);
            loop {
                bell.answer(KEEPER);
                if work.load(Ordering::SeqCst) == 2 {
                    break;
                }
                bell.sleep(KEEPER, None); // a lost ring would be a deadlock, which loom reports
            }
            for ringer in ringers {
                ringer.join().unwrap();
            }
        });
    }
}
