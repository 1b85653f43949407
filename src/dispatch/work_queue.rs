//! Jobs for the workers, and the workers that are parked because no job waits.
//!
//! One idle worker is the listener ([`ThreadWaker`]): a submit wakes it, it schedules what was submitted, and it runs the
//! first job itself. Before it does so it hands the role over to another parked worker, or to the timer thread.

use std::collections::VecDeque;
use std::time::Duration;

use super::waker::{TIMER, ThreadWaker};
use crate::util::sync::{Mutex, MutexGuard, lock};

#[derive(Debug)]
pub(super) struct WorkQueue<T> {
    waker: ThreadWaker,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    jobs: VecDeque<T>,
    /// The numbers of the parked workers. The last one is unparked first, because its caches are warm. The listener is at
    /// the front.
    parked: VecDeque<usize>,
    /// The listener is scheduling, and pops a job before it parks. One job may be pushed without unparking a worker for it.
    listener_will_pop: bool,
}

impl<T> WorkQueue<T> {
    /// The workers have the numbers from 1.
    pub fn new(workers: usize) -> WorkQueue<T> {
        WorkQueue {
            waker: ThreadWaker::new(workers),
            state: Mutex::new(State {
                jobs: VecDeque::new(),
                parked: VecDeque::new(),
                listener_will_pop: false,
            }),
        }
    }

    /// Adds a job and unparks a worker for it.
    pub fn push(&self, job: T) {
        let mut state = self.state();
        state.jobs.push_back(job);
        let listener_pops_it = state.listener_will_pop && state.jobs.len() == 1;
        let worker = if listener_pops_it {
            None
        } else {
            state.parked.pop_back()
        };
        drop(state);
        if let Some(worker) = worker {
            self.waker.unpark(worker);
        }
    }

    /// Makes the listener schedule, soon, and once for all calls until then. Takes no lock.
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// Makes the timer thread schedule, even if a worker is the listener.
    pub fn wake_timer(&self) {
        self.waker.wake_timer();
    }

    /// The loop of the timer thread. It calls `schedule` when it is woken and after the time that the last call returned,
    /// until `is_over`.
    pub fn run_timer_thread(&self, mut schedule: impl FnMut() -> Option<Duration>, is_over: impl Fn() -> bool) {
        self.waker.register(TIMER);
        loop {
            self.waker.clear(TIMER);
            if is_over() {
                return;
            }
            let timeout = schedule();
            self.waker.park(TIMER, timeout);
        }
    }

    /// Waits for the next job of a worker. It calls `schedule`, which may push jobs here and must not panic: at first,
    /// because the worker has just become free and a message may have waited only for that; and after every wake-up while
    /// this worker is the listener.
    pub fn next_job(&self, number: usize, mut schedule: impl FnMut()) -> T {
        self.waker.register(number);
        let mut has_scheduled = false;
        loop {
            let is_listener = self.waker.is_listening(number) || self.waker.become_listener(number);
            if is_listener {
                self.state().listener_will_pop = true;
                self.waker.clear(number);
            }
            if is_listener || !has_scheduled {
                schedule();
                has_scheduled = true;
            }
            if let Some(job) = self.pop_or_park(number, is_listener) {
                return job;
            }
            self.waker.park(number, None);
            if let Some(job) = self.on_unpark(number) {
                return job;
            }
        }
    }

    /// Takes a job without waiting.
    pub fn try_pop(&self) -> Option<T> {
        self.state().jobs.pop_front()
    }

    /// Takes a job, or adds the worker to the parked ones.
    fn pop_or_park(&self, number: usize, is_listener: bool) -> Option<T> {
        let mut state = self.state();
        let job = state.jobs.pop_front();
        if is_listener {
            state.listener_will_pop = false;
        }
        match (&job, is_listener) {
            (Some(_), true) => self.hand_over(&mut state, number),
            (Some(_), false) => {}
            (None, true) => state.parked.push_front(number),
            (None, false) => state.parked.push_back(number),
        }
        job
    }

    /// Removes the worker from the parked ones, so that no other worker hands the listener's role over to it.
    fn on_unpark(&self, number: usize) -> Option<T> {
        let mut state = self.state();
        state.parked.retain(|other| *other != number);
        let job = state.jobs.pop_front();
        if job.is_some() && self.waker.is_listening(number) {
            self.hand_over(&mut state, number);
        }
        job
    }

    /// Makes another parked worker the listener, or the timer thread if no other is parked.
    fn hand_over(&self, state: &mut State<T>, number: usize) {
        let successor = state.parked.pop_back();
        if let Some(successor) = successor {
            state.parked.push_front(successor);
        }
        self.waker.hand_over(number, successor.unwrap_or(TIMER));
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }
}

#[cfg(all(test, feature = "loom"))]
mod models {
    use loom::sync::Arc;

    use super::*;
    use crate::util::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use crate::util::sync::thread;

    const EXIT: usize = 0;

    /// A work queue, and an inbox from which `schedule` pushes jobs to it.
    struct Model {
        queue: WorkQueue<usize>,
        inbox: AtomicUsize,
        started: AtomicUsize,
        done: AtomicUsize,
        is_over: AtomicBool,
    }

    impl Model {
        fn schedule(&self) {
            for _ in 0..self.inbox.swap(0, Ordering::SeqCst) {
                self.queue.push(1);
            }
        }

        fn submit(&self) {
            self.inbox.fetch_add(1, Ordering::SeqCst);
            self.queue.wake();
        }

        /// Runs a worker. No job ends before `at_once` jobs have started.
        fn work(&self, number: usize, all: usize, at_once: usize, wakes_timer: bool) {
            loop {
                let schedule = || {
                    self.schedule();
                    if wakes_timer {
                        self.queue.wake_timer();
                    }
                };
                let job = self.queue.next_job(number, schedule);
                if job == EXIT {
                    break;
                }
                self.started.fetch_add(job, Ordering::SeqCst);
                while self.started.load(Ordering::SeqCst) < at_once {
                    thread::yield_now();
                }
                if self.done.fetch_add(job, Ordering::SeqCst) + job == all {
                    self.is_over.store(true, Ordering::SeqCst);
                    self.queue.push(EXIT);
                    self.queue.push(EXIT);
                    self.queue.wake_timer();
                }
            }
        }
    }

    #[derive(Clone, Copy)]
    struct Case {
        workers: usize,
        /// Jobs that go through the inbox, so that a thread must schedule them.
        submitted: usize,
        /// Jobs that are pushed directly, as a bucket does.
        pushed: usize,
        /// No job ends before this many have started.
        at_once: usize,
    }

    /// A job for which no thread wakes up would be a deadlock or an endless wait. loom reports both.
    fn check(case: Case) {
        let Case {
            workers,
            submitted,
            pushed,
            at_once,
        } = case;
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(2);
        model.check(move || {
            let model = Arc::new(Model {
                queue: WorkQueue::new(workers),
                inbox: AtomicUsize::new(0),
                started: AtomicUsize::new(0),
                done: AtomicUsize::new(0),
                is_over: AtomicBool::new(false),
            });
            // With two workers, a thread can be unparked while it waits for a lock. loom takes such an unpark for the
            // lock's wake-up, and reports an error that the program does not have. `wake_timer` is therefore only in the
            // model with one worker.
            let wakes_timer = workers == 1;
            let own = model.clone();
            let submitter = thread::spawn(move || {
                (0..submitted).for_each(|_| own.submit());
                (0..pushed).for_each(|_| own.queue.push(1));
            });
            // The timer thread starts the workers and returns their handles, and only then are they joined. A thread must
            // not be unparked while it waits in `join`: loom would take the unpark for the end of the joined thread.
            let timer = thread::spawn(move || {
                let mut started = Vec::new();
                let schedule = || {
                    for number in started.len() + 1..=workers {
                        let own = model.clone();
                        started.push(thread::spawn(move || {
                            own.work(number, submitted + pushed, at_once, wakes_timer);
                        }));
                    }
                    model.schedule();
                    None
                };
                model
                    .queue
                    .run_timer_thread(schedule, || model.is_over.load(Ordering::SeqCst));
                started
            });
            submitter.join().unwrap();
            for worker in timer.join().unwrap() {
                worker.join().unwrap();
            }
        });
    }

    #[test]
    fn the_timer_thread_and_a_worker_never_park_while_a_submitted_job_waits() {
        check(Case {
            workers: 1,
            submitted: 2,
            pushed: 0,
            at_once: 0,
        });
    }

    #[test]
    fn two_workers_never_park_while_a_submitted_or_pushed_job_waits() {
        check(Case {
            workers: 2,
            submitted: 1,
            pushed: 1,
            at_once: 0,
        });
    }

    #[test]
    fn no_worker_is_parked_while_another_one_is_busy_and_a_job_waits() {
        check(Case {
            workers: 2,
            submitted: 2,
            pushed: 0,
            at_once: 2,
        });
    }
}
