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
pub(super) struct Waker {
    /// The number of who listens, with [`PARKED`] and [`NOTIFIED`].
    state: AtomicUsize,
    /// Since the keeper's last [answer](Waker::answer). Beside its unpark, which the host's log function may use up.
    timer_notified: AtomicBool,
    threads: Box<[OnceLock<Thread>]>,
}

/// The others have numbers from 1 on.
pub(super) const TIMER: usize = 0;

/// The first who rings is to unpark the one who listens: it sleeps, or may.
const PARKED: usize = 1;
/// Who listens has not answered yet, and does not sleep before it has.
const NOTIFIED: usize = 2;

fn awake(number: usize) -> usize {
    number << 2
}

fn who(state: usize) -> usize {
    state >> 2
}

impl Waker {
    pub fn new(workers: usize) -> Waker {
        Waker {
            state: AtomicUsize::new(awake(TIMER) | PARKED),
            timer_notified: AtomicBool::new(false),
            threads: (0..=workers).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Any thread. Only the first of those who ring while it sleeps makes a system call.
    pub fn wake(&self) {
        let before = self.state.fetch_or(NOTIFIED, Ordering::SeqCst);
        if before & (PARKED | NOTIFIED) == PARKED {
            self.unpark(who(before));
        }
    }

    /// The keeper looks again, whoever listens. That one is not woken.
    pub fn wake_timer(&self) {
        if !self.timer_notified.swap(true, Ordering::SeqCst) {
            self.unpark(TIMER);
        }
    }

    /// Ends a thread's sleep, or its next one.
    pub fn unpark(&self, number: usize) {
        if let Some(thread) = self.threads.get(number).and_then(OnceLock::get) {
            thread.unpark();
        }
    }

    /// Before a thread of that number sleeps.
    pub fn register(&self, number: usize) {
        self.threads[number].get_or_init(thread::current);
    }

    pub fn is_listening(&self, number: usize) -> bool {
        who(self.state.load(Ordering::SeqCst)) == number
    }

    /// Who listens, and the keeper always, says before it looks at what there is to do that it will have seen it.
    pub fn clear(&self, number: usize) {
        if number == TIMER {
            self.timer_notified.swap(false, Ordering::SeqCst);
        }
        let heard = |state: usize| (who(state) == number).then_some(awake(number));
        let _ = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, heard);
    }

    /// Who listens sleeps until it rings, and not at all if it rang since [`answer`](Waker::answer). The keeper sleeps until
    /// it is called, too, and every other thread until it is woken. So long at most; it may wake for nothing.
    pub fn sleep(&self, number: usize, at_most: Option<Duration>) {
        let lie_down = |state: usize| (state == awake(number)).then_some(state | PARKED);
        let before = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lie_down);
        let is_notified = before.is_err_and(|state| who(state) == number && state & NOTIFIED != 0);
        let timer_notified = number == TIMER && self.timer_notified.load(Ordering::SeqCst);
        if !is_notified && !timer_notified {
            park(at_most);
        }
    }

    /// A worker takes the place of the keeper, if that one sleeps and nobody rang. Whether it did.
    pub fn become_listener(&self, number: usize) -> bool {
        let asleep = awake(TIMER) | PARKED;
        self.state
            .compare_exchange(asleep, awake(number), Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Another one, who sleeps, listens instead, and looks if it rang since the [answer](Waker::answer).
    pub fn hand_over(&self, number: usize, to: usize) {
        let passed = |state: usize| (who(state) == number).then_some(awake(to) | PARKED | state & NOTIFIED);
        let before = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, passed);
        if before.is_ok_and(|state| state & NOTIFIED != 0) {
            self.unpark(to);
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
        let waker = Waker::new(1);
        waker.register(1);
        assert!(waker.become_listener(1));
        waker.clear(1);
        waker.wake_timer();
        waker.sleep(1, Some(Duration::ZERO));
        assert_eq!(waker.state.load(Ordering::SeqCst), awake(1) | PARKED);
    }

    #[test]
    fn a_keeper_that_was_called_does_not_sleep_though_another_used_up_its_unpark() {
        let waker = Waker::new(1);
        waker.register(TIMER);
        waker.clear(TIMER);
        waker.wake_timer();
        thread::park();
        waker.sleep(TIMER, None); // would not end
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
            let waker = Arc::new(Waker::new(0));
            let work = Arc::new(AtomicUsize::new(0));
            let ringers: Vec<_> = (0..2)
                .map(|_| {
                    let (waker, work) = (waker.clone(), work.clone());
                    thread::spawn(move || {
                        work.fetch_add(1, Ordering::SeqCst);
                        waker.wake();
                    })
                })
                .collect();
            waker.register(TIMER);
            loop {
                waker.clear(TIMER);
                if work.load(Ordering::SeqCst) == 2 {
                    break;
                }
                waker.sleep(TIMER, None); // a lost ring would be a deadlock, which loom reports
            }
            for ringer in ringers {
                ringer.join().unwrap();
            }
        });
    }
}
