//! The queue: `submit` never waits, and `poll` returns one completion for each message. It is for programs with a tick, an
//! event loop or coroutines.
//!
//! "The queue" is what the program sees, from submit to poll: the whole [`Dispatcher`]. Its parts have names of their own.
//!
//! The path of a message: [`Dispatcher::submit`] copies it ([`owned_message`]) and puts it into an inbox. The [`scheduler`]
//! moves it from there into the [`backlog`], where it waits for earlier messages of its key, for its quota and for a
//! worker. A worker ([`workers`]) gets it as a job ([`work_queue`]), sends it with the same [`Engine`] that the synchronous
//! sends use ([`run`]), and adds its completion ([`completions`]).
//!
//! Threads: up to `worker.threads` workers and one timer thread, started when they are first needed. An idle worker
//! listens for submits ([`waker`]), schedules them and sends the first one itself. The timer thread schedules what is due
//! later, and listens while all workers are busy. It sends messages only if the system has no thread for a worker.
//!
//! Locks: the inbox is lock-free. One lock guards the backlog; no thread holds it during I/O or a wait. Completions are
//! added and taken without a lock if no thread waits for one.
//!
//! Words of the quota ([`quota`](crate::quota)):
//! - class: the requests that count in one limit of the vendor ([`QuotaClass`](crate::action::QuotaClass));
//! - bucket: one class of one account, shared by all clients of the process. It admits requests as the limit allows;
//! - waiter: a thread or a queue that waits in a bucket. One of them is the leader: it wakes up for the next admission;
//! - demand: what a request needs of its bucket;
//! - ticket: identifies a message that waits in a bucket;
//! - slot: the permits of an admitted request, which it uses or gives back;
//! - place: where a request is in the order of its bucket. A retry keeps the place.

mod backlog;
mod completions;
mod owned_message;
mod run;
mod scheduler;
mod shared;
mod stats;
mod waker;
mod work_queue;
mod workers;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use self::backlog::{Key, Submission};
pub use self::completions::Completion;
use self::owned_message::OwnedMessage;
use self::shared::Shared;
use crate::config::Config;
use crate::engine::{Engine, SendOptions};
use crate::error::{Code, Error, grouped};
use crate::message::Message;
use crate::util::deadline::Deadline;
use crate::util::sync::lock;

/// How a submitted message differs from the client's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubmitOptions {
    /// The timeout starts with the first attempt, the expiry with the submit.
    pub send: SendOptions,
    /// Returned in the completion.
    pub user_data: u64,
    pub order: Order,
    /// The message gets no completion.
    pub without_completion: bool,
}

/// Which messages are sent in order: each starts after the previous one has its report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Those with the same destination: room and user, room, user, or conversation.
    #[default]
    Destination,
    /// Those with the same key.
    Key(u64),
    Unordered,
}

/// After an abort, a close waits at most this time for what [`Shared::end_all`] cannot end: messages that another thread
/// has removed from the backlog and is about to complete, and connections that warm-ups are opening.
const COMPLETION_GRACE: Duration = Duration::from_secs(1);

/// The queue of a client, as the program sees it.
///
/// [`Client`](crate::Client) checks that it is neither closed nor used in a forked child before it calls a method.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    shared: Arc<Shared>,
}

impl Dispatcher {
    /// Threads are started by the first submit.
    pub fn new(engine: Engine, config: &Config) -> Dispatcher {
        let shared = Arc::new(Shared::new(engine, config));
        Dispatcher { shared }
    }

    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// Enqueues a copy of a checked message and returns its id. Never waits for the network, the quota or a worker.
    pub fn submit(&self, message: &Message, options: &SubmitOptions, submitted: Instant) -> Result<u64, Error> {
        let shared = &*self.shared;
        let mut submission = Submission {
            id: 0,
            user_data: options.user_data,
            message: OwnedMessage::from_message(message),
            options: options.send,
            demand: None,
            expires: Deadline::after_from(submitted, options.send.expires),
            key: match options.order {
                Order::Destination => Some(Key::Destination(owned_message::destination_key(
                    message,
                    &shared.hasher,
                ))),
                Order::Key(key) => Some(Key::Given(key)),
                Order::Unordered => None,
            },
            wants_completion: !options.without_completion,
            submitted,
        };
        let bytes = submission.bytes();
        shared.reserve_room(bytes)?;
        // Checked again after the message is counted: a close either sees the message, or is seen here.
        if let Err(error) = shared.engine.check_usable().and_then(|()| self.start()) {
            shared.free_room(bytes);
            shared.finish_one();
            return Err(error);
        }
        submission.demand = shared.engine.demand(message, &options.send);
        submission.id = shared.next_id.fetch_add(1, Ordering::Relaxed);
        let id = submission.id;
        shared.submitted.add(1);
        shared.inbox.push(Arc::new(submission));
        if shared.workers.is_aborted() {
            // The client was closed meanwhile, and no scheduler starts the message any more.
            shared.end_all();
        } else {
            shared.workers.jobs.wake();
        }
        Ok(id)
    }

    /// The next completion. `None` if there was none before the timeout, or if the queue is closed and no more can follow.
    pub fn poll(&self, timeout: Option<Duration>) -> Option<Completion> {
        let shared = &*self.shared;
        let taken = shared
            .completions
            .take(Deadline::after(timeout), || shared.has_outstanding());
        taken.map(|(completion, bytes)| {
            shared.free_room(bytes);
            completion
        })
    }

    pub fn event_handle(&self) -> Result<isize, Error> {
        self.shared.completions.event_handle()
    }

    /// Cancels a message that no worker has. Returns false if there is no such message.
    pub fn cancel(&self, id: u64) -> bool {
        self.shared.cancel(id)
    }

    /// The number of messages that were enqueued and not polled.
    pub fn pending(&self) -> usize {
        self.shared.pending.load(Ordering::SeqCst)
    }

    /// Returns whether every message and every warm-up connection ended before the deadline.
    pub fn wait_until_idle(&self, deadline: Deadline) -> bool {
        self.shared.wait_until_idle(deadline)
    }

    pub fn flush(&self, timeout: Option<Duration>) -> Result<(), Error> {
        if self.wait_until_idle(Deadline::after(timeout)) {
            return Ok(());
        }
        let outstanding = self.shared.outstanding.load(Ordering::SeqCst);
        Err(Error::new(
            Code::Timeout,
            "",
            format!(
                "messages and warm-up connections that are still queued or in flight: {}",
                grouped(outstanding)
            ),
        ))
    }

    /// Opens connections on the workers; 0 is one for each worker.
    pub fn warm_up(&self, connections: usize) -> Result<(), Error> {
        let shared = &*self.shared;
        let connections = if connections == 0 {
            shared.workers.limit
        } else {
            connections
        };
        // Counted and checked again as in `submit`.
        shared.outstanding.fetch_add(connections, Ordering::SeqCst);
        if let Err(error) = shared.engine.check_usable().and_then(|()| self.start()) {
            (0..connections).for_each(|_| shared.finish_one());
            return Err(error);
        }
        let too_many = {
            let mut backlog = shared.backlog();
            let all = backlog.warm_ups + connections;
            backlog.warm_ups = all.min(shared.engine.max_connections());
            all - backlog.warm_ups
        };
        (0..too_many).for_each(|_| shared.finish_one());
        shared.workers.jobs.wake();
        if shared.workers.is_aborted() {
            shared.end_all();
        }
        Ok(())
    }

    /// The statistics as JSON.
    pub fn stats(&self) -> String {
        stats::snapshot(&self.shared)
    }

    /// Ends every message with what is known of it: a queued one is not sent, one in flight is not sent or unknown. No job
    /// starts after this. Synchronous sends end as soon as their connections are closed.
    pub fn abort(&self) {
        // This is first, so that a worker that becomes free in the next steps does not start another message.
        self.shared.workers.abort();
        // No attempt starts after this. The next step may take long, because it calls the host's log function. And a send
        // that fails because its connection is closed must report `Closed` and not try again.
        self.shared.engine.abort();
        // The messages end before the connections do. Otherwise a report would depend on whether the worker sees that first.
        self.shared.end_all();
        self.shared.engine.cut_connections();
        // A cut call is a send whose connection was closed while it ran.
        self.shared.engine.log_cut_calls();
        // Now nothing holds the workers up any more.
        self.wait_until_idle(Deadline::after(Some(COMPLETION_GRACE)));
    }

    /// Lets the threads end. Completions that are left can still be polled.
    pub fn stop(&self) {
        self.shared.completions.close();
        self.shared.stop_threads();
    }

    pub fn join_threads(&self) {
        self.shared.join_threads();
    }

    /// Starts the timer thread, once.
    fn start(&self) -> Result<(), Error> {
        let shared = &self.shared;
        if shared.has_timer_thread.load(Ordering::Acquire) {
            return Ok(());
        }
        let _guard = lock(&shared.starting);
        if !shared.has_timer_thread.load(Ordering::Acquire) {
            Shared::start_timer_thread(shared).map_err(|error| {
                let text = format!("the system has no thread for the queue: {error}");
                Error::new(Code::NoResources, "", text)
            })?;
            shared.has_timer_thread.store(true, Ordering::Release);
        }
        Ok(())
    }
}
