//! The queue beside the synchronous core, for callers with a tick, an event loop or many coroutines: submit never waits,
//! poll gives one completion for each message.
//!
//! A fixed number of workers run the same `client` that the synchronous calls use. A worker without a message listens for
//! submitted ones, enqueues them and sends one. While all workers are busy the dispatcher's thread does that. It also keeps
//! the time: it ends messages that have expired, calls the host's log function for them, and schedules those that wait for
//! their quota. It sends a message itself only if the system gives no thread for a worker. Submit and completions use no
//! lock; everything else of the queue is blocked one lock, which no thread holds across I/O or a wait.

mod completions;
mod owned_message;
mod queue;
mod scheduler;
mod stats;
mod waker;
mod work_queue;

use std::hash::RandomState;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::completions::Completions;
use self::owned_message::OwnedMessage;
use self::queue::{Gauges, Job, Key, Queue, Removed, Stage};
use self::scheduler::{ClassWaiter, Work};
use self::work_queue::WorkQueue;
use crate::action::QuotaClass;
use crate::config::{self, Config};
use crate::engine::{Engine, SendOptions};
use crate::error::{Code, Error, grouped};
use crate::message::Message;
use crate::metrics::{Counter, Histogram};
use crate::quota::QueueWaiter;
use crate::report::Report;
use crate::util::deadline::Deadline;
use crate::util::sync::{Mutex, MutexGuard, SegQueue, lock};

/// How a submitted message differs from the client's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubmitOptions {
    /// The timeout runs from the first attempt, the expiry from the submit.
    pub call: SendOptions,
    /// Comes back in the completion.
    pub user_data: u64,
    /// Messages of one key leave one after another: the next begins when the one before has its report.
    pub order: Order,
    /// Nobody asks what became of it.
    pub without_completion: bool,
}

/// Which messages a message keeps its order with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Those to the same room and user, room, user, or conversation.
    #[default]
    Destination,
    /// Those with the same key.
    Key(u64),
    Unordered,
}

/// A message that has ended.
#[derive(Debug)]
pub struct Completion {
    pub id: u64,
    pub user_data: u64,
    pub report: Report,
}

/// A [`Client`] with a queue. Any number of threads may use it; the last one gone closes it.
#[derive(Debug)]
pub struct Dispatcher {
    shared: Arc<Shared>,
}

/// What the handle, the dispatcher's thread and the workers share.
struct Shared {
    engine: Engine,
    capacity: usize,
    max_bytes: u64,
    workers: usize,
    stack_bytes: usize,
    hasher: RandomState,
    next_id: AtomicU64,
    /// Accepted and not polled.
    pending: AtomicUsize,
    /// Of the messages accepted and not polled.
    bytes: AtomicU64,
    /// Messages and warm-ups that have not ended.
    outstanding: AtomicUsize,
    /// Submitted, and not enqueued yet. `capacity` bounds it.
    inbox: SegQueue<Arc<Job>>,
    queue: Mutex<Queue>,
    gauges: Arc<Gauges>,
    /// How the buckets of the quota reach this queue, by class.
    waiters: [Arc<dyn QueueWaiter>; QuotaClass::ALL.len()],
    /// Each with what it takes of `queue.bytes` until it is polled.
    completions: Completions<(Completion, u64)>,
    starting: Mutex<()>,
    is_running: AtomicBool,
    /// Workers that are not at work; some of them may have no thread yet.
    free_workers: AtomicUsize,
    threads: AtomicUsize,
    /// The last number of a worker.
    last_worker_number: AtomicUsize,
    handles: Mutex<Vec<JoinHandle<()>>>,
    work_queue: WorkQueue<Work>,
    /// Nothing new begins any more.
    is_aborted: AtomicBool,
    is_stopping: AtomicBool,
    submitted: Counter,
    refused: Counter,
    /// From submit to completion.
    latency: Histogram,
}

/// So many messages are looked at while the queue's lock is held; then others get it.
const PER_LOCK: usize = 64;
/// Longer than the last steps of a message take.
const COMPLETION_GRACE: Duration = Duration::from_secs(1);
/// What a message takes beside its texts.
const MESSAGE_OVERHEAD: u64 = 256;

impl Dispatcher {
    /// As [`Client::new`]; the threads are started by the first submit.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn new(config: &Config) -> Result<Dispatcher, Error> {
        let engine = Engine::new(config)?;
        let workers = config.integer(&config::WORKER_THREADS) as usize;
        let queue = Queue::default();
        let gauges = queue.gauges();
        let shared = Arc::new_cyclic(|shared| Shared {
            engine,
            capacity: config.integer(&config::QUEUE_CAPACITY) as usize,
            max_bytes: config.integer(&config::QUEUE_BYTES),
            workers,
            stack_bytes: config.integer(&config::WORKER_STACK_BYTES) as usize,
            hasher: RandomState::new(),
            next_id: AtomicU64::new(1),
            pending: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            outstanding: AtomicUsize::new(0),
            inbox: SegQueue::new(),
            queue: Mutex::new(queue),
            gauges,
            waiters: QuotaClass::ALL.map(|class| ClassWaiter::of(shared, class)),
            completions: Completions::new(),
            starting: Mutex::new(()),
            is_running: AtomicBool::new(false),
            free_workers: AtomicUsize::new(workers),
            threads: AtomicUsize::new(0),
            last_worker_number: AtomicUsize::new(0),
            handles: Mutex::new(Vec::new()),
            work_queue: WorkQueue::new(workers),
            is_aborted: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            submitted: Counter::default(),
            refused: Counter::default(),
            latency: Histogram::default(),
        });
        Ok(Dispatcher { shared })
    }

    /// The client beneath, for sends that wait.
    pub fn client(&self) -> &Engine {
        &self.shared.engine
    }

    /// Takes a message in and returns its id. Waits for nothing: no network, no quota, no worker.
    ///
    /// # Errors
    /// As [`Client::check`]; `QueueFull`, `NoResources`. Nothing was taken in then; otherwise exactly one completion follows.
    pub fn submit(&self, message: &Message, options: &SubmitOptions) -> Result<u64, Error> {
        let shared = &*self.shared;
        let submitted = Instant::now();
        shared.engine.check(message)?;
        let parcel = OwnedMessage::from_message(message);
        let len = parcel.len() as u64 + MESSAGE_OVERHEAD;
        shared.reserve(len)?;
        // Counted before the last look at whether it is closed, so that a close that sees nothing on the way misses none.
        if let Err(error) = shared.engine.usable().and_then(|()| self.start()) {
            shared.release(len);
            shared.pending.fetch_sub(1, Ordering::SeqCst);
            shared.finish_one();
            return Err(error);
        }
        let id = shared.next_id.fetch_add(1, Ordering::Relaxed);
        let job = Job {
            id,
            user_data: options.user_data,
            parcel,
            options: options.call,
            demand: shared.engine.demand(message, &options.call),
            expires: Deadline::after_from(submitted, options.call.expires),
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
        shared.submitted.add(1);
        shared.inbox.push(Arc::new(job));
        if shared.is_aborted.load(Ordering::SeqCst) {
            shared.end_all(); // closed meanwhile: nobody else would find it
        } else {
            shared.work_queue.wake();
        }
        Ok(id)
    }

    /// The next completion, on the caller's thread. `None` if there was none in time, or if the client is closed and there
    /// will be none.
    ///
    /// # Errors
    /// `Forked`.
    pub fn poll(&self, timeout: Option<Duration>) -> Result<Option<Completion>, Error> {
        self.shared.engine.not_forked()?;
        let shared = &*self.shared;
        let is_more_to_come = || shared.outstanding.load(Ordering::SeqCst) > 0;
        let taken = shared.completions.take(Deadline::after(timeout), is_more_to_come);
        Ok(taken.map(|(completion, len)| {
            shared.release(len);
            shared.pending.fetch_sub(1, Ordering::SeqCst);
            completion
        }))
    }

    /// A handle for event loops: readable exactly while a completion waits. It belongs to this dispatcher.
    ///
    /// # Errors
    /// `NoResources` if the system gives none; `Forked`, `Closed`.
    pub fn event_handle(&self) -> Result<isize, Error> {
        self.shared.engine.usable()?;
        self.shared.completions.event_handle()
    }

    /// Takes a message that is still queued out of the queue; its completion says `Cancelled`.
    ///
    /// # Errors
    /// `NotFound` if it is on its way, or done: then it runs on. `Forked`, `Closed`.
    pub fn cancel(&self, id: u64) -> Result<(), Error> {
        self.shared.engine.usable()?;
        if self.shared.cancel(id) {
            return Ok(());
        }
        Err(Error::new(
            Code::NotFound,
            "id",
            format!("{id} is no message in the queue: it is on its way, or done"),
        ))
    }

    /// How many messages are accepted and not polled.
    pub fn pending(&self) -> usize {
        if self.shared.engine.is_forked() {
            return 0;
        }
        self.shared.pending.load(Ordering::SeqCst)
    }

    /// Waits until nothing is queued or on its way. Completions stay for poll.
    ///
    /// # Errors
    /// `Timeout` if something still is; `Forked`, `Closed`.
    pub fn flush(&self, timeout: Option<Duration>) -> Result<(), Error> {
        self.shared.engine.usable()?;
        if self.shared.wait_until_idle(Deadline::after(timeout)) {
            return Ok(());
        }
        let left = self.shared.outstanding.load(Ordering::SeqCst);
        Err(Error::new(
            Code::Timeout,
            "",
            format!("{} are still queued or on their way", grouped(left)),
        ))
    }

    /// Opens connections in the background, so that the first messages need not: 0 is one for each worker. Waits for
    /// nothing; [`flush`](Dispatcher::flush) does.
    ///
    /// # Errors
    /// `InvalidArgument`: more than `http.max_connections`. `NoResources`, `Forked`, `Closed`.
    pub fn warm_up(&self, connections: usize) -> Result<(), Error> {
        let shared = &*self.shared;
        shared.engine.usable()?;
        shared.engine.check_connections(connections)?;
        let connections = if connections == 0 { shared.workers } else { connections };
        // Counted before the last look at whether it is closed, as a submit is.
        shared.outstanding.fetch_add(connections, Ordering::SeqCst);
        if let Err(error) = shared.engine.usable().and_then(|()| self.start()) {
            (0..connections).for_each(|_| shared.finish_one());
            return Err(error);
        }
        let too_many = {
            let mut queue = shared.queue();
            let all = queue.warm_ups + connections;
            queue.warm_ups = all.min(shared.engine.max_connections());
            all - queue.warm_ups
        };
        (0..too_many).for_each(|_| shared.finish_one());
        shared.work_queue.wake();
        if shared.is_aborted.load(Ordering::SeqCst) {
            shared.end_all();
        }
        Ok(())
    }

    /// What this dispatcher is doing and has done, as JSON. docs/METRICS.md names each figure.
    ///
    /// # Errors
    /// `Forked`.
    pub fn stats(&self) -> Result<String, Error> {
        self.shared.engine.not_forked()?;
        Ok(stats::snapshot(&self.shared))
    }

    /// Ends intake, lets what was taken in go on until `timeout`, and ends the rest: queued messages are not sent, those on
    /// their way not sent or unknown. Poll still gives their completions. Any thread, as often as one likes.
    pub fn close(&self, timeout: Option<Duration>) {
        let shared = &*self.shared;
        if shared.engine.is_forked() {
            return;
        }
        let deadline = Deadline::after(timeout);
        shared.engine.end_intake();
        let is_drained = shared.wait_until_idle(deadline) && shared.engine.wait_for_calls(deadline);
        if !is_drained {
            shared.is_aborted.store(true, Ordering::SeqCst);
            shared.engine.abort();
            shared.end_all();
            shared.engine.cut();
            shared.engine.log_cut_calls();
            // What had just ended may still be on its way to its completion.
            shared.wait_until_idle(Deadline::after(Some(COMPLETION_GRACE)));
        }
        shared.completions.close();
        shared.stop_threads();
    }

    /// The dispatcher's thread, once.
    fn start(&self) -> Result<(), Error> {
        if self.shared.is_running.load(Ordering::Acquire) {
            return Ok(());
        }
        let _one_at_a_time = lock(&self.shared.starting);
        if !self.shared.is_running.load(Ordering::Acquire) {
            Shared::start_dispatcher(&self.shared).map_err(|error| no_thread(&error))?;
            self.shared.is_running.store(true, Ordering::Release);
        }
        Ok(())
    }
}

fn no_thread(error: &io::Error) -> Error {
    let text = format!("the system gives no thread for the queue: {error}");
    Error::new(Code::NoResources, "", text)
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        if self.shared.engine.is_forked() {
            return;
        }
        self.close(Some(Duration::ZERO));
        self.shared.engine.cut();
        self.shared.wait_for_threads();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// Room for one more message.
    fn reserve(&self, len: u64) -> Result<(), Error> {
        let full = |key: &'static str, text: String| {
            self.refused.add(1);
            Err(Error::new(Code::QueueFull, key, text))
        };
        let one_more = |pending: usize| (pending < self.capacity).then_some(pending + 1);
        if self
            .pending
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more)
            .is_err()
        {
            let text = format!(
                "the queue holds {} messages, those not polled among them",
                grouped(self.capacity)
            );
            return full(config::QUEUE_CAPACITY.key, text);
        }
        let fits = |bytes: u64| Some(bytes + len).filter(|sum| *sum <= self.max_bytes);
        if self
            .bytes
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fits)
            .is_err()
        {
            self.pending.fetch_sub(1, Ordering::SeqCst);
            let text = format!(
                "the queue holds at most {} bytes, and this message takes {}",
                grouped(self.max_bytes),
                grouped(len)
            );
            return full(config::QUEUE_BYTES.key, text);
        }
        self.outstanding.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn release(&self, len: u64) {
        self.bytes.fetch_sub(len, Ordering::SeqCst);
    }

    /// One less on the way.
    fn finish_one(&self) {
        if self.outstanding.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.completions.notify_idle();
        }
    }

    fn wait_until_idle(&self, deadline: Deadline) -> bool {
        let is_idle = || self.outstanding.load(Ordering::SeqCst) == 0;
        self.completions.wait_until_idle(deadline, is_idle)
    }

    /// Enqueues some of what was submitted, at most so many; gives how many there were.
    fn enqueue(&self, queue: &mut Queue, at_most: usize) -> usize {
        let jobs = std::iter::from_fn(|| self.inbox.pop()).take(at_most);
        jobs.map(|job| queue.insert(job)).count()
    }

    fn cancel(&self, id: u64) -> bool {
        // What was submitted before this call is in the inbox now, if it is not in the queue.
        let mut submitted = self.inbox.len();
        loop {
            let mut queue = self.queue();
            let ended = self.remove_if_queued(&mut queue, id);
            if ended.is_none() && !queue.contains(id) && submitted > 0 {
                let enqueued = self.enqueue(&mut queue, PER_LOCK.min(submitted));
                submitted = if enqueued == 0 { 0 } else { submitted - enqueued };
                continue;
            }
            let has_next = queue.has_unscheduled();
            drop(queue);
            if has_next {
                self.work_queue.wake();
            }
            let Some(ended) = ended else { return false };
            self.complete(ended, Code::Cancelled, "it was cancelled before it was sent");
            return true;
        }
    }

    /// Takes a message out that no worker has.
    fn remove_if_queued(&self, queue: &mut Queue, id: u64) -> Option<Removed> {
        match queue.stage(id)? {
            Stage::Assigned | Stage::InFlight(_) => return None,
            Stage::RateLimited(class, ticket) => {
                let bucket = self.engine.bucket(*class)?;
                // Once it is admitted a worker is about to have it.
                if !bucket.leave(*ticket) {
                    return None;
                }
            }
            Stage::Blocked | Stage::Unscheduled | Stage::Ready => {}
        }
        queue.remove(id)
    }

    /// Nothing begins any more: whatever is left ends here, with what is known of it. In steps, so that those who need the
    /// queue's lock meanwhile get it.
    fn end_all(&self) {
        loop {
            let mut ended = Vec::new();
            let mut queue = self.queue();
            let mut is_empty = self.enqueue(&mut queue, PER_LOCK) == 0;
            while let Some(id) = queue.first_id().filter(|_| ended.len() < PER_LOCK) {
                is_empty = false;
                if let Some(Stage::RateLimited(class, ticket)) = queue.stage(id) {
                    if let Some(bucket) = self.engine.bucket(*class) {
                        bucket.leave(*ticket);
                    }
                }
                ended.extend(queue.remove(id));
            }
            let warm_ups = std::mem::take(&mut queue.warm_ups);
            let expired = std::mem::take(&mut queue.expired);
            drop(queue);
            self.complete_expired(expired);
            ended.into_iter().for_each(|ended| self.complete_closed(ended));
            (0..warm_ups).for_each(|_| self.finish_one());
            if is_empty {
                return;
            }
        }
    }

    fn complete_closed(&self, ended: Removed) {
        let text = match ended.stage {
            Stage::InFlight(_) => "the client was closed while it was on its way",
            _ => "the client was closed before it was sent",
        };
        self.complete(ended, Code::Closed, text);
    }

    /// The one completion of a message that has left the queue. If it is still on its way, it ends for that reason.
    fn complete(&self, ended: Removed, why: Code, text: &str) {
        let Removed { job, stage } = ended;
        let in_flight = match &stage {
            Stage::InFlight(in_flight) => Some(&**in_flight),
            _ => None,
        };
        let report = || {
            job.parcel
                .with_message(|message| self.engine.report(message, in_flight, why, text))
        };
        let report = self.catch_panic(report).unwrap_or_else(Report::lost);
        self.log_report(&report);
        self.latency.record(job.submitted.elapsed());
        let len = job.parcel.len() as u64 + MESSAGE_OVERHEAD;
        if job.wants_completion {
            let completion = Completion {
                id: job.id,
                user_data: job.user_data,
                report,
            };
            self.completions.push((completion, len));
        } else {
            self.release(len);
            self.pending.fetch_sub(1, Ordering::SeqCst);
        }
        self.finish_one();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}
