//! Wakes the thread that listens for new work. Waking takes no lock and never blocks.
//!
//! Exactly one thread is the listener. The timer thread listens until an idle worker becomes the listener, so that a
//! submit wakes the thread that will do the work, with no thread in between. A wake-up is never lost: if the listener is
//! busy when it arrives, the listener does not park before it has looked for work again. The timer thread can also be
//! woken on its own.

use std::sync::OnceLock;
use std::time::Duration;

use crate::util::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::util::sync::thread::{self, Thread};

/// The timer thread has this number. The workers have the numbers from 1.
pub(super) const TIMER: usize = 0;

/// The listener may be parked: the next wake-up must unpark it.
const PARKED: usize = 1;
/// A wake-up arrived, and the listener has not looked for work since.
const NOTIFIED: usize = 2;

/// Parks the timer thread and the workers, and unparks the one that listens.
#[derive(Debug)]
pub(super) struct ThreadWaker {
    /// Bit 0 is [`PARKED`], bit 1 is [`NOTIFIED`], and the bits from 2 are the number of the listener.
    state: AtomicUsize,
    /// Set by [`wake_timer`](ThreadWaker::wake_timer). The timer thread's unpark token is not enough: the host's log
    /// function, which that thread calls, may consume it.
    timer_notified: AtomicBool,
    threads: Box<[OnceLock<Thread>]>,
}

/// The state in which this thread listens, with neither bit set.
fn with_listener(number: usize) -> usize {
    number << 2
}

fn listener_of(state: usize) -> usize {
    state >> 2
}

impl ThreadWaker {
    pub fn new(workers: usize) -> ThreadWaker {
        ThreadWaker {
            state: AtomicUsize::new(with_listener(TIMER) | PARKED),
            timer_notified: AtomicBool::new(false),
            threads: (0..=workers).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Wakes the listener. Of several threads that call this while it is parked, only the first makes a system call.
    pub fn wake(&self) {
        let before = self.state.fetch_or(NOTIFIED, Ordering::SeqCst);
        if before & (PARKED | NOTIFIED) == PARKED {
            self.unpark(listener_of(before));
        }
    }

    /// Wakes the timer thread, whichever thread is the listener.
    pub fn wake_timer(&self) {
        if !self.timer_notified.swap(true, Ordering::SeqCst) {
            self.unpark(TIMER);
        }
    }

    /// Ends a thread's current sleep, or its next one.
    pub fn unpark(&self, number: usize) {
        if let Some(thread) = self.threads.get(number).and_then(OnceLock::get) {
            thread.unpark();
        }
    }

    /// Gives the current thread this number. A thread calls this before its first [`park`](ThreadWaker::park).
    pub fn register(&self, number: usize) {
        self.threads[number].get_or_init(thread::current);
    }

    pub fn is_listening(&self, number: usize) -> bool {
        listener_of(self.state.load(Ordering::SeqCst)) == number
    }

    /// The listener and the timer thread call this before they look for work, so that a wake-up that arrives during the
    /// search is not lost.
    pub fn clear(&self, number: usize) {
        if number == TIMER {
            self.timer_notified.swap(false, Ordering::SeqCst);
        }
        let cleared = |state: usize| (listener_of(state) == number).then_some(with_listener(number));
        let _ = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, cleared);
    }

    /// Parks the current thread, at most for this time. The listener does not park if it was woken since
    /// [`clear`](ThreadWaker::clear), and the timer thread does not if [`wake_timer`](ThreadWaker::wake_timer) was called
    /// since then.
    /// Spurious wake-ups are possible.
    pub fn park(&self, number: usize, timeout: Option<Duration>) {
        let parked = |state: usize| (state == with_listener(number)).then_some(state | PARKED);
        let before = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, parked);
        let is_notified = before.is_err_and(|state| listener_of(state) == number && state & NOTIFIED != 0);
        let timer_notified = number == TIMER && self.timer_notified.load(Ordering::SeqCst);
        if !is_notified && !timer_notified {
            park(timeout);
        }
    }

    /// Makes a worker the listener if the timer thread listens, its state is `PARKED`, and it was not woken. Returns
    /// whether it did.
    pub fn become_listener(&self, number: usize) -> bool {
        let timer_parked = with_listener(TIMER) | PARKED;
        self.state
            .compare_exchange(timer_parked, with_listener(number), Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Makes another thread the listener. A wake-up since [`clear`](ThreadWaker::clear) is passed on to it.
    ///
    /// `to` is a parked worker, or the timer thread, which may be running. `PARKED` is set also for a running one: the next
    /// wake-up then leaves it an unpark token, and [`park`](ThreadWaker::park) sees `NOTIFIED`.
    pub fn hand_over(&self, number: usize, to: usize) {
        let handed_over =
            |state: usize| (listener_of(state) == number).then_some(with_listener(to) | PARKED | state & NOTIFIED);
        let before = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, handed_over);
        if before.is_ok_and(|state| state & NOTIFIED != 0) {
            self.unpark(to);
        }
    }
}

fn park(timeout: Option<Duration>) {
    match timeout {
        #[cfg(not(feature = "loom"))]
        Some(time) => thread::park_timeout(time),
        _ => thread::park(),
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_wakes_the_timer_thread_may_park() {
        let waker = ThreadWaker::new(1);
        waker.register(1);
        assert!(waker.become_listener(1));
        waker.clear(1);
        waker.wake_timer();
        waker.park(1, Some(Duration::ZERO));
        assert_eq!(waker.state.load(Ordering::SeqCst), with_listener(1) | PARKED);
    }

    #[test]
    fn a_woken_timer_thread_does_not_park_even_if_its_unpark_was_consumed() {
        let waker = ThreadWaker::new(1);
        waker.register(TIMER);
        waker.clear(TIMER);
        waker.wake_timer();
        thread::park();
        waker.park(TIMER, None); // would not return
    }
}

#[cfg(all(test, feature = "loom"))]
mod models {
    use loom::sync::Arc;

    use super::*;

    #[test]
    fn the_listener_never_parks_while_work_from_before_a_wake_up_is_left() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let waker = Arc::new(ThreadWaker::new(0));
            let work = Arc::new(AtomicUsize::new(0));
            let submitters: Vec<_> = (0..2)
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
                waker.park(TIMER, None); // a lost wake-up would be a deadlock, which loom reports
            }
            for submitter in submitters {
                submitter.join().unwrap();
            }
        });
    }
}
