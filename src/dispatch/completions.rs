//! The completions that have not been polled, and the threads that wait for one.
//!
//! The rows themselves are lock-free. The lock is only for waiting: a thread locks it before it waits, and a thread that
//! wakes another one locks and unlocks it first, so that the notification is not lost. As long as no thread waits and the
//! program uses no event handle, adding and taking a row needs neither the lock nor a system call.

use std::sync::OnceLock;

use crate::error::{Code, Error};
use crate::os::Event;
use crate::report::Report;
use crate::util::deadline::Deadline;
use crate::util::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering, fence};
use crate::util::sync::{Condvar, Mutex, SegQueue, lock, wait_until};

/// The result of a submitted message.
#[derive(Debug)]
pub struct Completion {
    /// As returned by [`Client::submit`](crate::Client::submit).
    pub id: u64,
    /// As given in [`SubmitOptions`](crate::SubmitOptions).
    pub user_data: u64,
    pub report: Report,
}

/// A queue of completions, first in, first out.
#[derive(Debug)]
pub(super) struct Completions<T> {
    rows: SegQueue<T>,
    /// The number of rows. It may be one too small for a moment: a row can be taken before its push has counted it.
    count: AtomicIsize,
    /// Readable while there are rows. Created when the program first asks for the event handle.
    event: OnceLock<Event>,
    is_closed: AtomicBool,
    /// How many threads wait for a row, and how many for the idle state. Without a waiting thread there is no notification,
    /// which would cost a system call.
    pollers: AtomicUsize,
    flushers: AtomicUsize,
    /// Guards no data: it makes "check, then wait" one step for the threads that notify. It also guards the creation of the
    /// event.
    lock: Mutex<()>,
    /// Notified when a row is added, and when no more rows can follow.
    arrived: Condvar,
    /// Notified when no message is outstanding.
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
        if has_waiters(&self.pollers) {
            // As in `notify`.
            drop(lock(&self.lock));
            self.arrived.notify_one();
        }
    }

    /// Takes the oldest row. Waits for one until the deadline, or until no more rows can follow.
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
            let is_last_try = self.is_closed.load(Ordering::SeqCst) && !is_more_to_come() || deadline.has_passed();
            let row = self.pop();
            if row.is_some() || is_last_try {
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

    /// Called after the first row was added or the last one was taken. The count is read again after the event was written,
    /// so that the event is right when the last of several concurrent calls returns.
    fn update_event(&self) {
        // Pairs with `event_handle`: either this thread sees the event, or the thread that creates it sees the count.
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

    /// Waits until no message is outstanding. Returns false if the deadline passed first.
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

    /// Wakes the waiting threads, because no message is outstanding.
    pub fn notify_idle(&self) {
        if has_waiters(&self.flushers) {
            self.notify(&self.idle);
        }
        if has_waiters(&self.pollers) {
            self.notify(&self.arrived);
        }
    }

    /// From here on [`take`](Completions::take) waits only while a message is outstanding.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.notify(&self.arrived);
    }

    /// Locks first: a thread that has just read the old state is then already waiting, and gets the notification.
    fn notify(&self, waiting: &Condvar) {
        drop(lock(&self.lock));
        waiting.notify_all();
    }

    pub fn len(&self) -> usize {
        self.count.load(Ordering::SeqCst).try_into().unwrap_or(0)
    }

    /// A handle for event loops, readable while there are rows.
    pub fn event_handle(&self) -> Result<isize, Error> {
        let _one_at_a_time = lock(&self.lock);
        if self.event.get().is_none() {
            let event = Event::new().map_err(|error| {
                Error::new(
                    Code::NoResources,
                    "",
                    format!("the system has no event handle: {error}"),
                )
            })?;
            self.event.get_or_init(|| event);
            self.update_event();
        }
        Ok(self.event.get().map_or(-1, Event::handle))
    }
}

/// A read-modify-write instead of a load: a thread that counts itself after this sees every write from before it.
fn has_waiters(waiting: &AtomicUsize) -> bool {
    waiting.fetch_add(0, Ordering::SeqCst) > 0
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_flush_that_saw_the_idle_state_succeeds_even_if_a_message_follows() {
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
    fn each_row_is_taken_once_and_no_poller_misses_its_wake_up() {
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
    fn the_last_row_or_the_close_wakes_a_poller_that_waits_without_limit() {
        model().check(|| {
            let completions = Arc::new(Completions::new());
            let outstanding = Arc::new(AtomicUsize::new(1));
            let (ending, counted) = (completions.clone(), outstanding.clone());
            let worker = thread::spawn(move || {
                ending.push(7);
                counted.fetch_sub(1, Ordering::SeqCst);
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
    fn a_flush_wakes_when_the_last_message_has_ended() {
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
