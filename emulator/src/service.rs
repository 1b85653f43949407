//! The main path: from a whole vendor request to its answer, with the scripted faults.
//!
//! [`Service::handle`] plans the faults, waits their latencies, lets the vendor process the request under the state's lock, and
//! records the request in the ledger before any byte of the answer is sent.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use crate::context::{Observed, RequestContext};
use crate::faults::{Fault, FaultPlan, Subject};
use crate::moment::Moment;
use crate::options::Options;
use crate::reply::Reply;
use crate::request::Request;
use crate::state::State;
use crate::state::connection::Connection;
use crate::state::record::{Capture, LedgerEntry};
use crate::vendor::{UserScope, Vendor};
use crate::{request_log, volcengine, zego};

/// Everything that the connections of an emulator share.
pub(crate) struct Service {
    options: Options,
    state: Mutex<State>,
    started: Duration,
    /// Makes the request ids of two runs differ.
    seed: u32,
    sequence: AtomicU64,
    pub vendor_connections: AtomicU64,
    /// The connections that were accepted since the last reset or were open at that time, by number.
    connections: Mutex<BTreeMap<u64, Arc<Connection>>>,
    /// The seconds that a test has added to the vendors' clock.
    clock_offset_seconds: AtomicI64,
    cancel_signal: watch::Sender<()>,
}

/// Ends the delays of a request on a reset or when the emulator stops.
#[derive(Clone, Debug)]
pub(crate) struct Cancellation(watch::Receiver<()>);

impl Cancellation {
    /// Sleeps, and returns `None` if the request was cancelled meanwhile.
    pub async fn sleep(&mut self, span: Duration) -> Option<()> {
        if span.is_zero() {
            return Some(());
        }
        tokio::select! {
            () = tokio::time::sleep(span) => Some(()),
            _ = self.0.changed() => None,
        }
    }

    /// Waits until the request is cancelled.
    pub async fn cancelled(&mut self) {
        let _ = self.0.changed().await;
    }

    fn is_cancelled(&self) -> bool {
        self.0.has_changed().unwrap_or(true)
    }
}

/// The connection of a request, and the request's number on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    pub connection: &'a Connection,
    pub request_on_connection: u64,
}

impl Service {
    pub fn new(options: Options) -> Self {
        let started = (options.steady_clock)();
        let seed = Moment::new((options.clock)(), started);
        let seed = seed
            .unix_seconds
            .wrapping_mul(1000)
            .wrapping_add(i64::from(seed.milliseconds));
        let mut state = State::default();
        for rule in &options.faults {
            state.faults.add(rule.clone());
        }
        Self {
            state: Mutex::new(state),
            started,
            seed: u32::try_from(seed & 0xFFFF_FFFF).unwrap_or_default(),
            sequence: AtomicU64::new(0),
            vendor_connections: AtomicU64::new(0),
            connections: Mutex::default(),
            clock_offset_seconds: AtomicI64::new(0),
            cancel_signal: watch::Sender::new(()),
            options,
        }
    }

    /// The present time by the clocks of the options. The offset that a test has set is added to the wall clock.
    pub fn now(&self) -> Moment {
        let steady = (self.options.steady_clock)().saturating_sub(self.started);
        let offset = self.clock_offset_seconds.load(Ordering::Relaxed);
        Moment::new((self.options.clock)(), steady).shifted(offset)
    }

    pub fn set_clock_offset(&self, seconds: i64) {
        self.clock_offset_seconds.store(seconds, Ordering::Relaxed);
    }

    /// Resets everything except the counters of requests, connections and rules.
    pub fn reset(&self) {
        let mut state = self.state();
        state.reset();
        self.cancel_delayed();
        drop(state);
        self.set_clock_offset(0);
        self.connections().retain(|_, connection| connection.reset());
    }

    pub fn connections(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a connection is closed, and forgets it if it had only control requests.
    pub fn close(&self, connection: &Connection) {
        connection.close();
        if connection.is_only_control() {
            self.connections().remove(&connection.number);
        }
    }

    /// Locks the state. A poisoned lock is used anyway, because no handler can panic in the middle of a change.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of vendor requests since the start.
    pub fn requests(&self) -> u64 {
        self.sequence.load(Ordering::Relaxed)
    }

    /// Cancels all delayed requests. They are neither processed nor answered after that.
    pub fn cancel_delayed(&self) {
        self.cancel_signal.send_replace(());
    }

    /// Handles one whole vendor request. `None` means that the request gets no answer and its connection must be closed.
    pub async fn handle(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        vendor: Vendor,
        request_on_connection: u64,
        request: Request,
    ) -> Option<Reply> {
        let (plan, mut cancellation) = self.plan_faults(vendor, &request);
        match plan.fault {
            Some(Fault::CutAnswer(cut)) => connection.cut_answer(cut),
            Some(Fault::CloseIdleAfterAnswer) => connection.close_after_answer(),
            _ => (),
        }
        let answer_latency = plan.answer_latency;
        let is_delayed = !plan.latency.is_zero();
        let stalls = matches!(plan.fault, Some(Fault::Stall { .. }));
        let processing = {
            let (service, connection, mut cancellation) =
                (Arc::clone(self), Arc::clone(connection), cancellation.clone());
            async move {
                cancellation.sleep(plan.latency).await?;
                let arrival = Arrival {
                    connection: &connection,
                    request_on_connection,
                };
                service.process(vendor, arrival, request, &plan, &cancellation)
            }
        };
        // A delayed request gets a task of its own, so that it is processed even if the client closes the connection meanwhile.
        let reply = if is_delayed {
            tokio::spawn(processing).await.ok().flatten()
        } else {
            processing.await
        };
        if stalls {
            cancellation.cancelled().await;
            return None;
        }
        cancellation.sleep(answer_latency).await?;
        reply
    }

    /// The faults for this request, and the cancellation of their delays.
    fn plan_faults(&self, vendor: Vendor, request: &Request) -> (FaultPlan, Cancellation) {
        let query = request.query();
        let action = query.text("Action").unwrap_or_default();
        let mut state = self.state();
        let users = match vendor {
            _ if !state.faults.need_users() => Vec::new(),
            Vendor::Volcengine => volcengine::named_users(request),
            Vendor::Zego => zego::named_users(request),
        };
        let subject = Subject {
            vendor: UserScope::of(vendor, action),
            action,
            users: &users,
        };
        // Subscribed under the lock: a reset cancels all delays under it, so no request with an old plan escapes the reset.
        (
            state.faults.on_request(&subject),
            Cancellation(self.cancel_signal.subscribe()),
        )
    }

    /// Processes one vendor request. Clocks are read, quotas spent and the ledger written under one lock, so that all three agree
    /// on the order of requests. `None` means that the request is not processed: it was cancelled, or stalls unprocessed.
    fn process(
        &self,
        vendor: Vendor,
        arrival: Arrival<'_>,
        request: Request,
        plan: &FaultPlan,
        cancellation: &Cancellation,
    ) -> Option<Reply> {
        let mut state = self.state();
        if cancellation.is_cancelled() || matches!(plan.fault, Some(Fault::Stall { processed: false })) {
            return None;
        }
        let now = self.now();
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let mut context = RequestContext {
            request: &request,
            options: &self.options,
            state: &mut state,
            now,
            sequence,
            request_id: self.request_id(vendor, sequence, now),
            observed: Observed::default(),
        };
        let (reply, processed) = reply(&mut context, vendor, plan.fault.as_ref());
        arrival.connection.record_sequence(sequence, processed);
        let entry = ledger_entry(vendor, arrival, context, &reply, plan);
        if self.options.request_log {
            request_log::log(now, &entry);
        }
        state.record.ledger.push(entry);
        state.record.capture(Capture {
            sequence,
            connection: arrival.connection.number,
            request,
        });
        Some(reply)
    }

    /// A request id in the format of the vendor: time and hex digits (Volcengine), or a decimal number above 2^53 (ZEGO).
    fn request_id(&self, vendor: Vendor, sequence: u64, now: Moment) -> String {
        match vendor {
            Vendor::Volcengine => format!("{}{:08X}{sequence:012X}", now.civil().digits(), self.seed),
            Vendor::Zego => (u64::from(self.seed >> 1 | 1 << 30) << 32 | sequence & 0xFFFF_FFFF).to_string(),
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Service").finish_non_exhaustive()
    }
}

/// The answer of the vendor or of the fault, and whether the vendor processed the request.
fn reply(context: &mut RequestContext<'_>, vendor: Vendor, fault: Option<&Fault>) -> (Reply, bool) {
    let own = |context: &mut RequestContext<'_>| match vendor {
        Vendor::Volcengine => volcengine::answer(context),
        Vendor::Zego => zego::answer(context),
    };
    match fault {
        Some(Fault::Throttle { retry_after }) => {
            let reply = match vendor {
                Vendor::Volcengine => volcengine::throttled(context),
                Vendor::Zego => zego::throttled(context),
            };
            (reply.with_retry_after(retry_after.as_ref()), false)
        }
        Some(Fault::Error(error)) => {
            if error.processed {
                own(context);
            }
            let reply = match vendor {
                Vendor::Volcengine => volcengine::scripted(context, error),
                Vendor::Zego => zego::scripted(context, error),
            };
            (reply.with_retry_after(error.retry_after.as_ref()), error.processed)
        }
        Some(Fault::Status(answer)) => {
            if answer.processed {
                own(context);
            }
            match vendor {
                Vendor::Volcengine => volcengine::record_action(context),
                Vendor::Zego => zego::record_action(context),
            }
            let reply = Reply {
                status: answer.status,
                code: Value::Null,
                body: answer.body.clone().into_bytes(),
                headers: answer.headers.clone(),
            };
            (reply, answer.processed)
        }
        _ => (own(context), true),
    }
}

fn ledger_entry(
    vendor: Vendor,
    arrival: Arrival<'_>,
    context: RequestContext<'_>,
    reply: &Reply,
    plan: &FaultPlan,
) -> LedgerEntry {
    let Observed {
        action,
        version,
        from,
        room_id,
        payload,
        recipients,
        accepted,
    } = context.observed;
    LedgerEntry {
        sequence: context.sequence,
        connection: arrival.connection.number,
        peer_port: arrival.connection.peer_port,
        request_on_connection: arrival.request_on_connection,
        vendor,
        action,
        version,
        status: reply.status,
        code: reply.code.clone(),
        request_id: context.request_id,
        from,
        room_id,
        payload,
        recipients,
        accepted,
        faults: plan.rules.clone(),
        received_at: context.now.steady,
    }
}
