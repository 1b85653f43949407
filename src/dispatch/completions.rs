//! What has ended and was not polled yet, and who waits for it.
//!
//! Rows come and go without a lock, and nobody makes a system call while another one waits for it. Only threads that wait
//! take the lock.

use std::sync::OnceLock;

use crate::error::{Code, Error};
use crate::os::Event;
use crate::util::deadline::Deadline;
use crate::util::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering, fence};
use crate::util::sync::{Condvar, Mutex, SegQueue, lock, wait_until};

/// Rows in the order in which they came.
#[derive(Debug)]
pub(super) struct Completions<T> {
    rows: SegQueue<T>,
    /// How many rows there are. A row that was pushed and polled already, but is not counted yet, makes it one less.
    count: AtomicIsize,
    /// Readable while there are rows; there once somebody asked for it.
    event: OnceLock<Event>,
    is_closed: AtomicBool,
    /// Threads that wait for a row, and for the idle state: a wake-up for no thread costs a system call, too.
    pollers: AtomicUsize,
    flushers: AtomicUsize,
    lock: Mutex<()>,
    /// There is a row, or there will be none any more.
    arrived: Condvar,
    /// Nothing is in in_flight.
    idle: Condvar,
}

impl<T> Completions<T> {
    pub fn new() -> Completions<T> {
        Completions {
            rows: SegQueue::new(),
            count: AtomicIsize::new(0),
            event: OnceLock::new(),
            is_closed: AtomicBool::new(false),
            pollers: AtomicUsize::new(0),
            flushers: AtomicUsize::new(0),
            lock: Mutex::new(()),
            arrived: Condvar::new(),
            idle: Condvar::new(),
        }
    }

    pub fn push(&self, row: T) {
        self.rows.push(row);
        if self.count.fetch_add(1, Ordering::SeqCst) == 0 {
            self.update_event();
        }
        if are_any(&self.pollers) {
            drop(lock(&self.lock));
            self.arrived.notify_one();
        }
    }

    /// The oldest row, waited for until the deadline, or until there can be none.
    pub fn take(&self, deadline: Deadline, is_more_to_come: impl Fn() -> bool) -> Option<T> {
        let row = self.pop();
        if row.is_some() || deadline.has_passed() {
            return row;
        }
        self.pollers.fetch_add(1, Ordering::SeqCst);
        let row = self.wait_for_row(deadline, is_more_to_come);
        self.pollers.fetch_sub(1, Ordering::SeqCst);
        row
    }

    fn wait_for_row(&self, deadline: Deadline, is_more_to_come: impl Fn() -> bool) -> Option<T> {
        let mut guard = lock(&self.lock);
        loop {
            let is_last_look = self.is_closed.load(Ordering::SeqCst) && !is_more_to_come() || deadline.has_passed();
            let row = self.pop();
            if row.is_some() || is_last_look {
                return row;
            }
            guard = wait_until(&self.arrived, guard, deadline);
        }
    }

    fn pop(&self) -> Option<T> {
        let row = self.rows.pop()?;
        if self.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.update_event();
        }
        Some(row)
    }

    /// Called by everyone who makes the first row come or the last one go. The state is read again after it was written,
    /// so that the last one to write has written what is so.
    fn update_event(&self) {
        // Either this sees the event, or the one who makes the event sees the count.
        fence(Ordering::SeqCst);
        let Some(event) = self.event.get() else { return };
        loop {
            let is_readable = self.len() > 0;
            if is_readable {
                event.set();
            } else {
                event.clear();
            }
            if is_readable == (self.len() > 0) {
                return;
            }
        }
    }

    /// Waits until nothing is in in_flight; false if the deadline passed before.
    pub fn wait_until_idle(&self, deadline: Deadline, is_idle: impl Fn() -> bool) -> bool {
        self.flushers.fetch_add(1, Ordering::SeqCst);
        let mut guard = lock(&self.lock);
        let was_idle = loop {
            if is_idle() {
                break true;
            }
            if deadline.has_passed() {
                break false;
            }
            guard = wait_until(&self.idle, guard, deadline);
        };
        drop(guard);
        self.flushers.fetch_sub(1, Ordering::SeqCst);
        was_idle
    }

    /// Tells those who wait that nothing is in in_flight.
    pub fn notify_idle(&self) {
        if are_any(&self.flushers) {
            self.notify(&self.idle);
        }
        if are_any(&self.pollers) {
            self.notify(&self.arrived);
        }
    }

    /// From here those who wait for a row wait only while something is in in_flight.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.notify(&self.arrived);
    }

    /// The lock orders this with the last look of a thread that is about to wait, so that no wake-up is lost.
    fn notify(&self, waiting: &Condvar) {
        drop(lock(&self.lock));
        waiting.notify_all();
    }

    pub fn len(&self) -> usize {
        self.count.load(Ordering::SeqCst).try_into().unwrap_or(0)
    }

    /// A handle that is readable while there are rows.
    pub fn event_handle(&self) -> Result<isize, Error> {
        let _one_at_a_time = lock(&self.lock);
        if self.event.get().is_none() {
            let event = Event::new().map_err(|error| {
                Error::new(
                    Code::NoResources,
                    "",
                    format!("the system gives no event handle: {error}"),
                )
            })?;
            self.event.get_or_init(|| event);
            self.update_event();
        }
        Ok(self.event.get().map_or(-1, Event::handle))
    }
}

/// Written to, so that a thread that is counted later sees everything that came before this.
fn are_any(waiting: &AtomicUsize) -> bool {
    waiting.fetch_add(0, Ordering::SeqCst) > 0
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_flush_that_saw_the_idle_state_says_so_whatever_comes_after() {
        let completions = Completions::<u8>::new();
        let looks = Cell::new(0);
        let is_idle_once = || looks.replace(looks.get() + 1) == 0;
        assert!(completions.wait_until_idle(Deadline::after(None), is_idle_once));
    }
}

#[cfg(all(test, feature = "loom"))]
mod models {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicUsize, Ordering};
    use loom::thread;

    use super::*;

    fn model() -> loom::model::Builder {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model
    }

    #[test]
    fn each_row_comes_once_and_nobody_sleeps_over_one() {
        model().check(|| {
            let completions = Arc::new(Completions::new());
            let pushing = completions.clone();
            let worker = thread::spawn(move || {
                pushing.push(1);
                pushing.push(2);
            });
            let polling = completions.clone();
            let other = thread::spawn(move || polling.take(Deadline::after(None), || true));
            let mine = completions.take(Deadline::after(None), || true);
            worker.join().unwrap();
            let mut all = [mine, other.join().unwrap()];
            all.sort_unstable();
            assert_eq!(all, [Some(1), Some(2)]);
        });
    }

    #[test]
    fn the_last_row_or_the_close_wakes_whoever_waits_without_limit() {
        model().check(|| {
            let completions = Arc::new(Completions::new());
            let outstanding = Arc::new(AtomicUsize::new(1));
            let (ending, left) = (completions.clone(), outstanding.clone());
            let worker = thread::spawn(move || {
                ending.push(7);
                left.fetch_sub(1, Ordering::SeqCst);
                ending.notify_idle();
            });
            let closing = completions.clone();
            let closer = thread::spawn(move || closing.close());
            let is_more_to_come = || outstanding.load(Ordering::SeqCst) > 0;
            assert_eq!(completions.take(Deadline::after(None), is_more_to_come), Some(7));
            assert_eq!(completions.take(Deadline::after(None), is_more_to_come), None);
            worker.join().unwrap();
            closer.join().unwrap();
        });
    }

    #[test]
    fn a_flush_wakes_when_the_last_has_ended() {
        model().check(|| {
            let completions = Arc::new(Completions::<u8>::new());
            let outstanding = Arc::new(AtomicUsize::new(2));
            let workers: Vec<_> = (0..2)
                .map(|_| {
                    let (completions, outstanding) = (completions.clone(), outstanding.clone());
                    thread::spawn(move || {
                        if outstanding.fetch_sub(1, Ordering::SeqCst) == 1 {
                            completions.notify_idle();
                        }
                    })
                })
                .collect();
            assert!(completions.wait_until_idle(Deadline::after(None), || outstanding.load(Ordering::SeqCst) == 0));
            for worker in workers {
                worker.join().unwrap();
            }
        });
    }
}
