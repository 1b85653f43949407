//! The queue beside the synchronous core, for callers with a tick, an event loop or many coroutines: submit never waits,
//! poll gives one completion for each message.
//!
//! A fixed number of workers run the same `client` that the synchronous calls use. A worker without a message listens for
//! submitted ones, enqueues them and sends one. While all workers are busy the dispatcher's thread does that. It also keeps
//! the time: it ends messages that have expired, calls the host's log function for them, and schedules those that wait for
//! their quota. It sends a message itself only if the system gives no thread for a worker. Submit and completions use no
//! lock; everything else of the queue is behind one lock, which no thread holds across I/O or a wait.

mod completions;
mod doorbell;
mod parcel;
mod queue;
mod stats;
mod tray;
mod work;

use std::hash::RandomState;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::completions::Completions;
use self::parcel::Parcel;
use self::queue::{Ended, Gauges, Job, Key, Queue, Stage};
use self::tray::Tray;
use self::work::{ClassWaiter, Work};
use crate::client::{CallOptions, Client};
use crate::config::{self, Config};
use crate::error::{Code, Error, grouped};
use crate::message::Message;
use crate::metrics::{Counter, Histogram};
use crate::quota::{Class, QueueWaiter};
use crate::report::Report;
use crate::util::deadline::Deadline;
use crate::util::sync::{Mutex, MutexGuard, SegQueue, lock};

/// How a submitted message differs from the client's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubmitOptions {
    /// The timeout runs from the first attempt, the expiry from the submit.
    pub call: CallOptions,
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
    client: Client,
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
    on_the_way: AtomicUsize,
    /// Submitted, and not enqueued yet. `capacity` bounds it.
    inbox: SegQueue<Arc<Job>>,
    queue: Mutex<Queue>,
    gauges: Arc<Gauges>,
    /// How the buckets of the quota reach this queue, by class.
    waiters: [Arc<dyn QueueWaiter>; Class::ALL.len()],
    /// Each with what it takes of `queue.max_bytes` until it is polled.
    completions: Completions<(Completion, u64)>,
    starting: Mutex<()>,
    is_running: AtomicBool,
    /// Workers that are not at work; some of them may have no thread yet.
    free_workers: AtomicUsize,
    threads: AtomicUsize,
    /// The last number of a worker.
    numbers: AtomicUsize,
    handles: Mutex<Vec<JoinHandle<()>>>,
    tray: Tray<Work>,
    /// Nothing new begins any more.
    is_abandoned: AtomicBool,
    has_left: AtomicBool,
    submitted: Counter,
    refused: Counter,
    /// From submit to completion.
    latency: Histogram,
}

/// So many messages are looked at while the queue's lock is held; then others get it.
const STEP: usize = 64;
/// Longer than the last steps of a message take.
const LAST_STEPS: Duration = Duration::from_secs(1);
/// What a message takes beside its texts.
const OVERHEAD: u64 = 256;

impl Dispatcher {
    /// As [`Client::new`]; the threads are started by the first submit.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn new(config: &Config) -> Result<Dispatcher, Error> {
        let client = Client::new(config)?;
        let workers = config.integer(&config::WORKER_THREADS) as usize;
        let queue = Queue::default();
        let gauges = queue.gauges();
        let shared = Arc::new_cyclic(|shared| Shared {
            client,
            capacity: config.integer(&config::QUEUE_CAPACITY) as usize,
            max_bytes: config.integer(&config::QUEUE_MAX_BYTES),
            workers,
            stack_bytes: config.integer(&config::WORKER_STACK_BYTES) as usize,
            hasher: RandomState::new(),
            next_id: AtomicU64::new(1),
            pending: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            on_the_way: AtomicUsize::new(0),
            inbox: SegQueue::new(),
            queue: Mutex::new(queue),
            gauges,
            waiters: Class::ALL.map(|class| ClassWaiter::of(shared, class)),
            completions: Completions::new(),
            starting: Mutex::new(()),
            is_running: AtomicBool::new(false),
            free_workers: AtomicUsize::new(workers),
            threads: AtomicUsize::new(0),
            numbers: AtomicUsize::new(0),
            handles: Mutex::new(Vec::new()),
            tray: Tray::new(workers),
            is_abandoned: AtomicBool::new(false),
            has_left: AtomicBool::new(false),
            submitted: Counter::default(),
            refused: Counter::default(),
            latency: Histogram::default(),
        });
        Ok(Dispatcher { shared })
    }

    /// The client beneath, for sends that wait.
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// Takes a message in and returns its id. Waits for nothing: no network, no quota, no worker.
    ///
    /// # Errors
    /// As [`Client::check`]; `QueueFull`, `NoResources`. Nothing was taken in then; otherwise exactly one completion follows.
    pub fn submit(&self, message: &Message, options: &SubmitOptions) -> Result<u64, Error> {
        let shared = &*self.shared;
        let submitted = Instant::now();
        shared.client.check(message)?;
        let parcel = Parcel::pack(message);
        let len = parcel.len() as u64 + OVERHEAD;
        shared.reserve(len)?;
        // Counted before the last look at whether it is closed, so that a close that sees nothing on the way misses none.
        if let Err(error) = shared.client.usable().and_then(|()| self.start()) {
            shared.release(len);
            shared.pending.fetch_sub(1, Ordering::SeqCst);
            shared.left();
            return Err(error);
        }
        let id = shared.next_id.fetch_add(1, Ordering::Relaxed);
        let job = Job {
            id,
            user_data: options.user_data,
            parcel,
            options: options.call,
            demand: shared.client.demand(message, &options.call),
            expires: Deadline::after_from(submitted, options.call.expires),
            key: match options.order {
                Order::Destination => Some(Key::Destination(parcel::destination(message, &shared.hasher))),
                Order::Key(key) => Some(Key::Given(key)),
                Order::Unordered => None,
            },
            wants_completion: !options.without_completion,
            submitted,
        };
        shared.submitted.add(1);
        shared.inbox.push(Arc::new(job));
        if shared.is_abandoned.load(Ordering::SeqCst) {
            shared.end_all(); // closed meanwhile: nobody else would find it
        } else {
            shared.tray.ring();
        }
        Ok(id)
    }

    /// The next completion, on the caller's thread. `None` if there was none in time, or if the client is closed and there
    /// will be none.
    ///
    /// # Errors
    /// `Forked`.
    pub fn poll(&self, timeout: Option<Duration>) -> Result<Option<Completion>, Error> {
        self.shared.client.not_forked()?;
        let shared = &*self.shared;
        let is_more_to_come = || shared.on_the_way.load(Ordering::SeqCst) > 0;
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
        self.shared.client.usable()?;
        self.shared.completions.event_handle()
    }

    /// Takes a message that is still queued out of the queue; its completion says `Cancelled`.
    ///
    /// # Errors
    /// `NotFound` if it is on its way, or done: then it runs on. `Forked`, `Closed`.
    pub fn cancel(&self, id: u64) -> Result<(), Error> {
        self.shared.client.usable()?;
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
        if self.shared.client.is_forked() {
            return 0;
        }
        self.shared.pending.load(Ordering::SeqCst)
    }

    /// Waits until nothing is queued or on its way. Completions stay for poll.
    ///
    /// # Errors
    /// `Timeout` if something still is; `Forked`, `Closed`.
    pub fn flush(&self, timeout: Option<Duration>) -> Result<(), Error> {
        self.shared.client.usable()?;
        if self.shared.wait_until_idle(Deadline::after(timeout)) {
            return Ok(());
        }
        let left = self.shared.on_the_way.load(Ordering::SeqCst);
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
    /// `InvalidArgument`: more than `http.max_idle_connections`. `NoResources`, `Forked`, `Closed`.
    pub fn warm_up(&self, connections: usize) -> Result<(), Error> {
        let shared = &*self.shared;
        shared.client.usable()?;
        shared.client.check_connections(connections)?;
        let connections = if connections == 0 { shared.workers } else { connections };
        // Counted before the last look at whether it is closed, as a submit is.
        shared.on_the_way.fetch_add(connections, Ordering::SeqCst);
        if let Err(error) = shared.client.usable().and_then(|()| self.start()) {
            (0..connections).for_each(|_| shared.left());
            return Err(error);
        }
        let too_many = {
            let mut queue = shared.queue();
            let all = queue.warm_ups + connections;
            queue.warm_ups = all.min(shared.client.max_connections());
            all - queue.warm_ups
        };
        (0..too_many).for_each(|_| shared.left());
        shared.tray.ring();
        if shared.is_abandoned.load(Ordering::SeqCst) {
            shared.end_all();
        }
        Ok(())
    }

    /// What this dispatcher is doing and has done, as JSON. docs/METRICS.md names each figure.
    ///
    /// # Errors
    /// `Forked`.
    pub fn stats(&self) -> Result<String, Error> {
        self.shared.client.not_forked()?;
        Ok(stats::snapshot(&self.shared))
    }

    /// Ends intake, lets what was taken in go on until `timeout`, and ends the rest: queued messages are not sent, those on
    /// their way not sent or unknown. Poll still gives their completions. Any thread, as often as one likes.
    pub fn close(&self, timeout: Option<Duration>) {
        let shared = &*self.shared;
        if shared.client.is_forked() {
            return;
        }
        let deadline = Deadline::after(timeout);
        shared.client.end_intake();
        let is_drained = shared.wait_until_idle(deadline) && shared.client.wait_for_calls(deadline);
        if !is_drained {
            shared.is_abandoned.store(true, Ordering::SeqCst);
            shared.client.abandon();
            shared.end_all();
            shared.client.cut();
            shared.client.tell_that_it_was_cut();
            // What had just ended may still be on its way to its completion.
            shared.wait_until_idle(Deadline::after(Some(LAST_STEPS)));
        }
        shared.completions.close();
        shared.send_threads_home();
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
        if self.shared.client.is_forked() {
            return;
        }
        self.close(Some(Duration::ZERO));
        self.shared.client.cut();
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
            return full(config::QUEUE_MAX_BYTES.key, text);
        }
        self.on_the_way.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn release(&self, len: u64) {
        self.bytes.fetch_sub(len, Ordering::SeqCst);
    }

    /// One less on the way.
    fn left(&self) {
        if self.on_the_way.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.completions.tell_idle();
        }
    }

    fn wait_until_idle(&self, deadline: Deadline) -> bool {
        let is_idle = || self.on_the_way.load(Ordering::SeqCst) == 0;
        self.completions.wait_until_idle(deadline, is_idle)
    }

    /// Enqueues some of what was submitted, at most so many; gives how many there were.
    fn enqueue(&self, queue: &mut Queue, at_most: usize) -> usize {
        let jobs = std::iter::from_fn(|| self.inbox.pop()).take(at_most);
        jobs.map(|job| queue.take_in(job)).count()
    }

    fn cancel(&self, id: u64) -> bool {
        // What was submitted before this call is in the inbox now, if it is not in the queue.
        let mut submitted = self.inbox.len();
        loop {
            let mut queue = self.queue();
            let ended = self.take_out(&mut queue, id);
            if ended.is_none() && !queue.contains(id) && submitted > 0 {
                let enqueued = self.enqueue(&mut queue, STEP.min(submitted));
                submitted = if enqueued == 0 { 0 } else { submitted - enqueued };
                continue;
            }
            let has_next = queue.has_due();
            drop(queue);
            if has_next {
                self.tray.ring();
            }
            let Some(ended) = ended else { return false };
            self.complete(ended, Code::Cancelled, "it was cancelled before it was sent");
            return true;
        }
    }

    /// Takes a message out that no worker has.
    fn take_out(&self, queue: &mut Queue, id: u64) -> Option<Ended> {
        match queue.stage(id)? {
            Stage::HandedOut | Stage::InFlight(_) => return None,
            Stage::RateLimited(class, ticket) => {
                let bucket = self.client.bucket(*class)?;
                // Once it is admitted a worker is about to have it.
                if !bucket.leave(*ticket) {
                    return None;
                }
            }
            Stage::Behind | Stage::Due | Stage::Ready => {}
        }
        queue.end(id)
    }

    /// Nothing begins any more: whatever is left ends here, with what is known of it. In steps, so that those who need the
    /// queue's lock meanwhile get it.
    fn end_all(&self) {
        loop {
            let mut ended = Vec::new();
            let mut queue = self.queue();
            let mut is_empty = self.enqueue(&mut queue, STEP) == 0;
            while let Some(id) = queue.first_id().filter(|_| ended.len() < STEP) {
                is_empty = false;
                if let Some(Stage::RateLimited(class, ticket)) = queue.stage(id) {
                    if let Some(bucket) = self.client.bucket(*class) {
                        bucket.leave(*ticket);
                    }
                }
                ended.extend(queue.end(id));
            }
            let warm_ups = std::mem::take(&mut queue.warm_ups);
            let overdue = std::mem::take(&mut queue.overdue);
            drop(queue);
            self.complete_expired(overdue);
            ended.into_iter().for_each(|ended| self.complete_closed(ended));
            (0..warm_ups).for_each(|_| self.left());
            if is_empty {
                return;
            }
        }
    }

    fn complete_closed(&self, ended: Ended) {
        let text = match ended.stage {
            Stage::InFlight(_) => "the client was closed while it was on its way",
            _ => "the client was closed before it was sent",
        };
        self.complete(ended, Code::Closed, text);
    }

    /// The one completion of a message that has left the queue. If it is still on its way, it ends for that reason.
    fn complete(&self, ended: Ended, why: Code, text: &str) {
        let Ended { job, stage } = ended;
        let flight = match &stage {
            Stage::InFlight(flight) => Some(&**flight),
            _ => None,
        };
        let report = || {
            job.parcel
                .open(|message| self.client.report(message, flight, why, text))
        };
        let report = self.guarded(report).unwrap_or_else(Report::lost);
        self.tell(&report);
        self.latency.record(job.submitted.elapsed());
        let len = job.parcel.len() as u64 + OVERHEAD;
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
        self.left();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
