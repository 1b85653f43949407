//! What has ended and was not polled yet, and who waits for it.

use std::collections::VecDeque;

use crate::deadline::Deadline;
use crate::error::{Code, Error};
use crate::os::Event;
use crate::sync::{Condvar, Mutex, lock, wait_until};

/// Rows in the order in which they came.
#[derive(Debug)]
pub(super) struct Completions<T> {
    state: Mutex<State<T>>,
    /// There is a row, or there will be none any more.
    arrived: Condvar,
    /// Nothing is on its way.
    idle: Condvar,
}

#[derive(Debug)]
struct State<T> {
    rows: VecDeque<T>,
    /// Set exactly while there are rows; there once somebody asked for it.
    event: Option<Event>,
    is_closed: bool,
    /// Threads that wait for a row, and for the idle state: to tell nobody costs a system call, too.
    pollers: usize,
    flushers: usize,
}

impl<T> Completions<T> {
    pub fn new() -> Completions<T> {
        Completions {
            state: Mutex::new(State {
                rows: VecDeque::new(),
                event: None,
                is_closed: false,
                pollers: 0,
                flushers: 0,
            }),
            arrived: Condvar::new(),
            idle: Condvar::new(),
        }
    }

    pub fn push(&self, row: T) {
        let mut state = lock(&self.state);
        state.rows.push_back(row);
        if let (Some(event), 1) = (&state.event, state.rows.len()) {
            event.set();
        }
        let is_awaited = state.pollers > 0;
        drop(state);
        if is_awaited {
            self.arrived.notify_one();
        }
    }

    /// The oldest row, waited for until the deadline, or until there can be none.
    pub fn take(&self, deadline: Deadline, is_more_to_come: impl Fn() -> bool) -> Option<T> {
        let mut state = lock(&self.state);
        loop {
            if let Some(row) = state.rows.pop_front() {
                if let (Some(event), true) = (&state.event, state.rows.is_empty()) {
                    event.clear();
                }
                return Some(row);
            }
            if state.is_closed && !is_more_to_come() || deadline.has_passed() {
                return None;
            }
            state.pollers += 1;
            state = wait_until(&self.arrived, state, deadline);
            state.pollers -= 1;
        }
    }

    /// Waits until nothing is on its way; false if the deadline passed before.
    pub fn wait_until_idle(&self, deadline: Deadline, is_idle: impl Fn() -> bool) -> bool {
        let mut state = lock(&self.state);
        while !is_idle() {
            if deadline.has_passed() {
                return false;
            }
            state.flushers += 1;
            state = wait_until(&self.idle, state, deadline);
            state.flushers -= 1;
        }
        true
    }

    /// Tells those who wait that nothing is on its way. The lock orders it with their last look.
    pub fn tell_idle(&self) {
        let state = lock(&self.state);
        let (is_flushed, is_polled_out) = (state.flushers > 0, state.is_closed && state.pollers > 0);
        drop(state);
        if is_flushed {
            self.idle.notify_all();
        }
        if is_polled_out {
            self.arrived.notify_all();
        }
    }

    /// From here those who wait for a row wait only while something is on its way.
    pub fn close(&self) {
        lock(&self.state).is_closed = true;
        self.arrived.notify_all();
    }

    pub fn len(&self) -> usize {
        lock(&self.state).rows.len()
    }

    /// A handle that is readable exactly while there are rows.
    pub fn event_handle(&self) -> Result<isize, Error> {
        let mut state = lock(&self.state);
        if state.event.is_none() {
            let event = Event::new().map_err(|error| {
                Error::new(
                    Code::NoResources,
                    "",
                    format!("the system gives no event handle: {error}"),
                )
            })?;
            if !state.rows.is_empty() {
                event.set();
            }
            state.event = Some(event);
        }
        Ok(state.event.as_ref().map_or(-1, Event::handle))
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
            let on_the_way = Arc::new(AtomicUsize::new(1));
            let (ending, left) = (completions.clone(), on_the_way.clone());
            let worker = thread::spawn(move || {
                ending.push(7);
                left.fetch_sub(1, Ordering::SeqCst);
                ending.tell_idle();
            });
            let closing = completions.clone();
            let closer = thread::spawn(move || closing.close());
            let is_more_to_come = || on_the_way.load(Ordering::SeqCst) > 0;
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
            let on_the_way = Arc::new(AtomicUsize::new(2));
            let workers: Vec<_> = (0..2)
                .map(|_| {
                    let (completions, on_the_way) = (completions.clone(), on_the_way.clone());
                    thread::spawn(move || {
                        if on_the_way.fetch_sub(1, Ordering::SeqCst) == 1 {
                            completions.tell_idle();
                        }
                    })
                })
                .collect();
            assert!(completions.wait_until_idle(Deadline::after(None), || on_the_way.load(Ordering::SeqCst) == 0));
            for worker in workers {
                worker.join().unwrap();
            }
        });
    }
}
