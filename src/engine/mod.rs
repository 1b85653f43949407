//! The story of one send, top to bottom: check, split, wait for a turn, sign, exchange, read, perhaps again, merge.
//!
//! The call runs on the caller's thread. Any number of threads may use one client.

mod active_calls;
mod in_flight;
mod pace;
mod plan;
mod retry;
mod vendors;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, SystemTime};

use self::active_calls::ActiveCalls;
pub(crate) use self::in_flight::InFlight;
use self::in_flight::PartState;
use self::pace::{Pacing, RatePermit};
use self::retry::Retries;
use self::vendors::{ApiRequest, Vendors};
use crate::action::{Limits, QuotaClass, Vendor};
use crate::config::{self, Config};
use crate::error::{self, Code, Error};
use crate::http::{Agent, Answer, BrokenExchange, Failure, SendPermit, Settings, Traffic};
use crate::log::{Level, Logger};
use crate::message::{Message, Recipients};
use crate::metrics::Counter;
use crate::os;
use crate::quota::{Demand, Load, Place, Priority, SharedBucket, Slot};
use crate::report::{Delivery, Outcome, Report, Request};
use crate::util::deadline::Deadline;
use crate::util::sync::{Mutex, lock};

/// How a call differs from the client's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendOptions {
    pub timeout: SendTimeout,
    /// From the call to the first byte of a request, waiting for quota included: what has not left by then stays. `None`:
    /// it does not expire.
    pub expires: Option<Duration>,
    /// Goes before the others that wait for the same quota.
    pub urgent: bool,
}

/// How a message travels: by when, and before whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResolvedOptions {
    pub priority: Priority,
    pub deadline: Deadline,
    /// After this no attempt begins to write.
    pub expires: Deadline,
}

impl ResolvedOptions {
    /// Until when a request may begin.
    fn by(&self) -> Deadline {
        self.deadline.or_sooner(self.expires)
    }
}

/// What a client has done, counted.
#[derive(Debug)]
pub(crate) struct Counters {
    /// Messages by what their report says, in the order of [`Code::ALL`] and [`Delivery::ALL`].
    pub codes: Vec<Counter>,
    pub deliveries: Vec<Counter>,
    pub retries: Counter,
    /// Requests that had to wait for their turn.
    pub quota_waits: Counter,
}

/// The deadline of one call: quota, DNS, connect, TLS, answer and every retry share it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SendTimeout {
    /// `http.timeout_ms`.
    #[default]
    Default,
    After(Duration),
    /// Waits as long as it takes. A vendor that never answers then holds the thread forever.
    Never,
}

/// Sends messages; made from a [`Config`], which it copies.
#[derive(Debug)]
pub struct Engine {
    vendors: Vendors,
    limits: Limits,
    concurrency: usize,
    timeout: Duration,
    max_connections: usize,
    pacing: Pacing,
    retries: Retries,
    agent: Agent,
    pub(crate) logger: Logger,
    pub(crate) counters: Counters,
    calls: Arc<ActiveCalls>,
    created_in: u32,
}

impl Counters {
    fn new() -> Counters {
        Counters {
            codes: Code::ALL.iter().map(|_| Counter::default()).collect(),
            deliveries: Delivery::ALL.iter().map(|_| Counter::default()).collect(),
            retries: Counter::default(),
            quota_waits: Counter::default(),
        }
    }

    fn count(&self, report: &Report) {
        let code = Code::ALL.iter().position(|code| *code == report.code());
        let delivery = Delivery::ALL.iter().position(|delivery| *delivery == report.delivery());
        let code = code.and_then(|index| self.codes.get(index));
        let delivery = delivery.and_then(|index| self.deliveries.get(index));
        code.into_iter().chain(delivery).for_each(|counter| counter.add(1));
    }
}

impl Engine {
    /// Checks every setting, the CA file too; does no network I/O.
    ///
    /// # Errors
    /// `NotConfigured` if no vendor's credentials are set or they are incomplete; `InvalidArgument` naming the setting.
    pub fn new(config: &Config) -> Result<Engine, Error> {
        os::watch_forks().map_err(|error| Error::new(Code::NoResources, "", format!("pthread_atfork: {error}")))?;
        let vendors = Vendors::new(config)?;
        let pacing = Pacing::new(
            config,
            vendors.volcengine_account().as_deref(),
            vendors.zego_account().as_deref(),
        );
        let logger = match kept_level(config) {
            Some(level) => config
                .logger
                .keeping(level, config.integer(&config::LOG_CAPACITY) as usize),
            None => config.logger.clone(),
        };
        let engine = Engine {
            limits: limits(config, &pacing),
            concurrency: config.integer(&config::SPLIT_CONCURRENCY) as usize,
            timeout: config.millis(&config::HTTP_TIMEOUT_MS),
            max_connections: config.integer(&config::HTTP_MAX_CONNECTIONS) as usize,
            pacing,
            retries: Retries::new(config),
            agent: Agent::new(Settings::new(config, &vendors.all_endpoints())?, logger.clone()),
            vendors,
            logger,
            counters: Counters::new(),
            calls: Arc::default(),
            created_in: os::fork_generation(),
        };
        engine.logger.log(Level::Info, || {
            format!("client made: {}", engine.vendors.names().join(" and "))
        });
        engine.vendors.warn(&engine.logger);
        Ok(engine)
    }

    /// What a message may hold by this client's settings.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether [`send`](Engine::send) would take this message in. No I/O.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field and the limit; `NotConfigured` if the client lacks what the action needs;
    /// `Closed`, `Forked`.
    pub fn check(&self, message: &Message) -> Result<(), Error> {
        self.usable()?;
        self.vendors.check(message)?;
        message.validate(&self.limits)
    }

    /// Sends a message and waits for what became of it. A list longer than the vendor takes goes out in several
    /// requests.
    ///
    /// # Errors
    /// As for [`check`](Engine::check): the message was not taken in, and nothing was sent. Everything that happens
    /// after that is in the report.
    pub fn send(&self, message: &Message, options: &SendOptions) -> Result<Report, Error> {
        let _call = self.enter()?;
        self.check(message)?;
        let options = self.resolve(options, Deadline::after(options.expires));
        let in_flight = self.in_flight(message);
        self.carry(message, &options, &in_flight, None);
        let report = self.report(message, Some(&in_flight), Code::Internal, LOST);
        self.log_report(&report);
        Ok(report)
    }

    /// What is needed to look at a message on its way.
    pub(crate) fn in_flight(&self, message: &Message) -> InFlight {
        InFlight::new(plan::parts(message, &self.limits).len())
    }

    /// Takes a message that was checked to its end. `admitted` is the slot in the quota that its first request has already.
    pub(crate) fn carry(
        &self,
        message: &Message,
        options: &ResolvedOptions,
        in_flight: &InFlight,
        admitted: Option<(Slot, Place)>,
    ) {
        let parts = plan::parts(message, &self.limits);
        self.send_parts(&parts, options, in_flight, admitted);
    }

    /// What became of a message. If it is still on its way it ends here, for that reason: each part with what is known of
    /// it, and whoever carries it sends nothing more. Without a in_flight nothing of it has begun.
    pub(crate) fn report(&self, message: &Message, in_flight: Option<&InFlight>, why: Code, text: &str) -> Report {
        let report = match in_flight {
            None => {
                let unsent = unsent(why, text);
                Report::merged(message.action().name(), [Outcome::of(unsent, message.recipients())])
            }
            Some(in_flight) => {
                let parts = plan::parts(message, &self.limits);
                let outcomes = parts.iter().zip(in_flight.parts()).map(|(message, part)| {
                    let outcome = part.outcome(message.recipients(), why, text);
                    outcome.unwrap_or_else(|| lost(message.recipients()))
                });
                Report::merged(message.action().name(), outcomes)
            }
        };
        let report = report.without_body();
        self.counters.count(&report);
        report
    }

    /// How a message travels that begins now.
    pub(crate) fn resolve(&self, options: &SendOptions, expires: Deadline) -> ResolvedOptions {
        ResolvedOptions {
            priority: priority(options),
            deadline: self.deadline(options),
            expires,
        }
    }

    /// The place in the quota that a message needs to begin, if it has to wait for one.
    pub(crate) fn demand(&self, message: &Message, options: &SendOptions) -> Option<(QuotaClass, Demand)> {
        self.pacing.demand_in_queue(message, priority(options), &self.limits)
    }

    pub(crate) fn bucket(&self, class: QuotaClass) -> Option<&SharedBucket> {
        self.pacing.bucket(class)
    }

    /// What a class may send in a second, and how it stands; `None` if nothing paces it.
    pub(crate) fn quota(&self, class: QuotaClass) -> Option<(u64, Load)> {
        self.pacing.load(class)
    }

    pub(crate) fn max_connections(&self) -> usize {
        self.max_connections
    }

    pub(crate) fn check_connections(&self, connections: usize) -> Result<(), Error> {
        if connections <= self.max_connections {
            return Ok(());
        }
        let text = format!(
            "{} connections, http.max_connections is {}",
            error::grouped(connections),
            error::grouped(self.max_connections)
        );
        Err(Error::invalid("connections", text))
    }

    pub(crate) fn traffic(&self) -> &Traffic {
        &self.agent.traffic
    }

    /// Opens a connection to the endpoint of each vendor and keeps it for the next request.
    pub(crate) fn open_ahead(&self) {
        for endpoint in self.vendors.endpoints() {
            if let Err(why) = self.agent.prewarm(&endpoint) {
                self.logger.log(Level::Warn, || format!("no connection ahead: {why}"));
            }
        }
    }

    /// Sends any other action of the two APIs, signed. The report has the raw answer as its body and says whether the
    /// vendor accepted it; what is in the answer beyond that is the caller's to read. Such calls are not paced,
    /// except those of actions whose quota is known: P2PSendUserMessage, SendBroadcastMessage and SendBarrageMessage.
    ///
    /// For Volcengine `json` is the request's body and goes out byte for byte; `version` is that of the action. For ZEGO
    /// its members become query parameters, and there is no version.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no action, version or JSON object, and for the actions that have a message of their
    /// own: they go through [`send`](Engine::send), which checks them.
    pub fn call(
        &self,
        vendor: Vendor,
        action: &str,
        version: &str,
        json: &str,
        options: &SendOptions,
    ) -> Result<Report, Error> {
        let _call = self.enter()?;
        let api_request = self.vendors.api_request(vendor, action, version, json)?;
        let options = self.resolve(options, Deadline::after(options.expires));
        let in_flight = InFlight::new(1);
        let outcomes = in_flight.parts().iter().map(|part| {
            self.send_part(&api_request, &options, part, None);
            let outcome = part.outcome(api_request.recipients(), Code::Internal, LOST);
            outcome.unwrap_or_else(|| lost(api_request.recipients()))
        });
        let report = Report::merged(action.to_owned(), outcomes);
        self.counters.count(&report);
        self.log_report(&report);
        Ok(report)
    }

    /// Replaces a vendor's credentials: key id, secret and session token change together. An attempt under way keeps
    /// those it began with. For ZEGO `secret` is the ServerSecret, and the other two are empty.
    ///
    /// # Errors
    /// `InvalidArgument` naming what is missing or cannot be; `NotConfigured` for a vendor this client was not made
    /// for; `Closed`, `Forked`.
    pub fn set_credentials(
        &self,
        vendor: Vendor,
        key_id: &str,
        secret: &str,
        session_token: &str,
    ) -> Result<(), Error> {
        self.usable()?;
        self.vendors.set_credentials(vendor, key_id, secret, session_token)?;
        self.logger
            .log(Level::Info, || format!("credentials replaced: {vendor:?}"));
        Ok(())
    }

    /// Ends intake, waits for the calls under way, and after `timeout` cuts their connections: each then ends with what
    /// is known of it. Any thread, as often as one likes.
    pub fn close(&self, timeout: Option<Duration>) {
        if self.is_forked() {
            return;
        }
        self.end_intake();
        if !self.calls.wait_until_idle(Deadline::after(timeout)) {
            self.abort();
            self.cut();
            self.log_cut_calls();
        }
    }

    pub(crate) fn end_intake(&self) {
        self.calls.end_intake();
    }

    /// Whether the calls under way have ended, by the deadline.
    pub(crate) fn wait_for_calls(&self, deadline: Deadline) -> bool {
        self.calls.wait_until_idle(deadline)
    }

    /// Nobody waits for anything any more, and no attempt begins.
    pub(crate) fn abort(&self) {
        self.calls.abort();
        self.pacing.wake();
    }

    /// Cuts every connection, and ends every wait for a name. Nothing that comes after that is logged.
    pub(crate) fn cut(&self) {
        self.agent.shut_down();
    }

    pub(crate) fn log_cut_calls(&self) {
        self.logger.log(Level::Warn, || {
            "client closed with calls under way; their connections were cut".to_owned()
        });
    }

    /// Whether the process has forked since this client was made: then it belongs to the parent.
    pub(crate) fn is_forked(&self) -> bool {
        self.created_in != os::fork_generation()
    }

    /// Refuses in a forked child, and nowhere else.
    pub(crate) fn not_forked(&self) -> Result<(), Error> {
        if self.is_forked() {
            return Err(Error::new(
                Code::Forked,
                "",
                "this client was made before a fork: make a new one in the child",
            ));
        }
        Ok(())
    }

    pub(crate) fn usable(&self) -> Result<(), Error> {
        self.not_forked()?;
        if self.calls.is_closed() {
            return Err(Error::new(Code::Closed, "", "this client is closed"));
        }
        Ok(())
    }

    fn enter(&self) -> Result<active_calls::CallGuard<'_>, Error> {
        // The parent's locks may be held by threads that are not here: in a child none is touched.
        self.not_forked()?;
        // Counted before it is checked, so that close, which sets and then counts, misses none.
        let call = self.calls.enter();
        self.usable()?;
        Ok(call)
    }

    fn deadline(&self, options: &SendOptions) -> Deadline {
        Deadline::after(match options.timeout {
            SendTimeout::Default => Some(self.timeout),
            SendTimeout::After(timeout) => Some(timeout),
            SendTimeout::Never => None,
        })
    }

    /// Every part, `split.concurrency` at a time. A refusal that concerns all ends it: the parts not yet begun are not
    /// sent. Everything else concerns its own part, and the rest goes on.
    fn send_parts(
        &self,
        parts: &[Message],
        options: &ResolvedOptions,
        in_flight: &InFlight,
        admitted: Option<(Slot, Place)>,
    ) {
        let admitted = Mutex::new(admitted);
        let next = AtomicUsize::new(0);
        let refused = OnceLock::new();
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some((message, part)) = parts.get(index).zip(in_flight.parts().get(index)) else {
                    break;
                };
                let admitted = if index == 0 { lock(&admitted).take() } else { None };
                match refused.get() {
                    Some(code) => {
                        skip_part(*code, message, part);
                        if let Some((slot, place)) = admitted {
                            self.give_back(message, options, slot, place);
                        }
                    }
                    None => {
                        if let Some(code) = self.send_part(&ApiRequest::Message(*message), options, part, admitted) {
                            let _ = refused.set(code);
                        }
                    }
                }
            }
        };
        match self.concurrency.min(parts.len()) {
            0 | 1 => work(),
            several => thread::scope(|scope| {
                for _ in 1..several {
                    // Without another thread the caller's own does it all.
                    let _ = os::spawn_scoped(scope, "rtcmsg-split", work);
                }
                work();
            }),
        }
    }

    /// The slot of a part that is not sent.
    fn give_back(&self, message: &Message, options: &ResolvedOptions, slot: Slot, place: Place) {
        if let Some(permit) = self.pacing.permit(&ApiRequest::Message(*message), options, &self.calls) {
            permit.adopt(slot, place);
            permit.release();
        }
    }

    /// One request to its end: attempts until one settles it, or until another would be unsafe, too late or too much. Gives
    /// the code of a refusal that concerns the other parts, too.
    fn send_part(
        &self,
        api_request: &ApiRequest,
        options: &ResolvedOptions,
        part: &PartState,
        admitted: Option<(Slot, Place)>,
    ) -> Option<Code> {
        let permit = self.pacing.permit(api_request, options, &self.calls);
        if let Some((permit, (slot, place))) = permit.as_ref().zip(admitted) {
            permit.adopt(slot, place);
        }
        let gate = permit.clone().map(|permit| -> Arc<dyn SendPermit> { permit });
        let mut clock_was_set = false;
        let mut may_set_the_clock = true;
        let mut tries = 0;
        self.retries.earn();
        loop {
            if let Err(unsent) = self.begin(permit.as_deref(), options) {
                part.set_unsent(*unsent, api_request.recipients());
                break;
            }
            tries += 1;
            let outcome = self.attempt(api_request, options, part, gate.as_ref(), &mut clock_was_set);
            let request = &outcome.request;
            if let Some(permit) = &permit {
                update_quota(permit, request);
            }
            let set_the_clock = request.code == Code::Clock
                && std::mem::take(&mut clock_was_set)
                && std::mem::take(&mut may_set_the_clock);
            let is_worth_it = tries < self.retries.max_attempts && (set_the_clock || self.retries.is_safe(request));
            let retry_after_ms = request.retry_after_ms;
            part.record_outcome(outcome);
            if !is_worth_it {
                break;
            }
            // With the clock set right there is nothing to wait for, and no trouble of the vendor's to spare it.
            let pause = if set_the_clock {
                Duration::ZERO
            } else {
                self.retries.pause(tries, retry_after_ms)
            };
            let in_time = options.by().remaining().is_none_or(|left| pause < left) && pause <= LONGEST_PAUSE;
            if !in_time || !(set_the_clock || self.retries.spend()) || !self.calls.sleep(pause) {
                break;
            }
            self.counters.retries.add(1);
            if let Some(permit) = &permit {
                permit.prepare_retry();
            }
        }
        self.counters
            .quota_waits
            .add(permit.is_some_and(|permit| permit.has_waited()).into());
        part.finish()
    }

    /// Waits for the quota; the request that is not sent, if it may not be sent by then.
    fn begin(&self, permit: Option<&RatePermit>, options: &ResolvedOptions) -> Result<(), Box<Request>> {
        if self.calls.is_aborted() {
            return Err(unsent(Code::Closed, "the client was closed before it was sent").into());
        }
        if options.expires.has_passed() {
            return Err(unsent(Code::Expired, "it expired before it was sent").into());
        }
        if options.deadline.has_passed() {
            return Err(unsent(Code::Timeout, "the deadline passed before it was sent").into());
        }
        permit.map_or(Ok(false), SendPermit::acquire).map(drop)
    }

    /// One try, freshly signed, at one endpoint after another while nothing is sent.
    fn attempt(
        &self,
        api_request: &ApiRequest,
        options: &ResolvedOptions,
        part: &PartState,
        permit: Option<&Arc<dyn SendPermit>>,
        clock_was_set: &mut bool,
    ) -> Outcome {
        let mut outcome = None;
        let mut is_withheld = false;
        let mut is_proxy_locked = false;
        for site in self.vendors.sites(api_request.vendor()) {
            let tried = match self.vendors.signed(api_request, site) {
                Err(text) => Outcome::of(
                    Request::failed(Code::Internal, Delivery::NotSent, 0, text),
                    api_request.recipients(),
                ),
                Ok((request, keys)) => {
                    let (deadline, expires) = (options.deadline, options.expires);
                    let answered = self
                        .agent
                        .exchange(request, deadline, expires, &part.progress, permit.cloned());
                    let mut outcome = match answered {
                        Ok((answer, connection)) => {
                            let outcome = self.read(api_request, answer, clock_was_set);
                            if !outcome.answers_another_request {
                                connection.keep();
                            }
                            outcome
                        }
                        Err(Failure::NotPermitted(request)) => {
                            is_withheld = true;
                            Outcome::of(*request, api_request.recipients())
                        }
                        Err(Failure::Broken(failure)) => {
                            is_proxy_locked = failure.is_proxy_locked;
                            self.read_failure(api_request, failure)
                        }
                    };
                    keys.redact(api_request, &mut outcome);
                    outcome
                }
            };
            part.record_attempt(&tried.request);
            let is_unsent = tried.request.delivery == Delivery::NotSent;
            outcome = Some(tried);
            if !is_unsent {
                self.vendors.remember(api_request.vendor(), site);
                break;
            }
            // Another endpoint would be refused its permit, or the proxy's password, too.
            if is_withheld || is_proxy_locked || self.calls.is_aborted() || options.by().has_passed() {
                break;
            }
        }
        outcome.unwrap_or_else(|| lost(api_request.recipients()))
    }

    fn read(&self, api_request: &ApiRequest, answer: Answer, clock_was_set: &mut bool) -> Outcome {
        let status = answer.status().as_u16();
        let mut outcome = match unasked_coding(&answer) {
            None => api_request.read(status, answer.body()),
            Some(coding) => {
                let what = format!("it is compressed ({coding}), although it was asked for as it is");
                Outcome::unreadable(api_request.recipients(), status, &what)
            }
        };
        outcome.request.retry_after_ms = retry_after_ms(&answer);
        if outcome.request.code == Code::Clock {
            *clock_was_set = self.vendors.learn_clock(api_request.vendor(), &answer, &self.logger);
        }
        outcome.body = answer.into_body();
        outcome
    }

    fn read_failure(&self, api_request: &ApiRequest, failure: BrokenExchange) -> Outcome {
        let was_cut = self.calls.is_aborted() && !matches!(failure.code, Code::Timeout | Code::Expired);
        let code = if was_cut { Code::Closed } else { failure.code };
        if let Some(status) = failure.status {
            let outcome = Outcome::unreadable(api_request.recipients(), status, &failure.text);
            if outcome.request.delivery != Delivery::Unknown {
                return outcome;
            }
            // The status settles nothing: what is known is why the rest of the answer is missing.
            return Outcome::of(
                Request {
                    code,
                    ..outcome.request
                },
                api_request.recipients(),
            );
        }
        let delivery = if failure.may_have_left {
            Delivery::Unknown
        } else {
            Delivery::NotSent
        };
        Outcome::of(
            Request::failed(code, delivery, 0, failure.text),
            api_request.recipients(),
        )
    }

    /// One line for the log.
    pub(crate) fn log_report(&self, report: &Report) {
        let level = if report.code() == Code::Ok {
            Level::Debug
        } else {
            Level::Warn
        };
        self.logger.log(level, || report.summary());
    }
}

/// Up to which level log lines are kept; `None` is not at all.
fn kept_level(config: &Config) -> Option<Level> {
    match config.text(&config::LOG_KEEP) {
        "error" => Some(Level::Error),
        "warn" => Some(Level::Warn),
        "info" => Some(Level::Info),
        "debug" => Some(Level::Debug),
        _ => None,
    }
}

fn update_quota(permit: &RatePermit, request: &Request) {
    permit.release();
    match request.code {
        Code::Throttled => permit.throttled(),
        Code::Ok => permit.succeeded(),
        _ => {}
    }
}

/// A request of which nothing was sent.
fn unsent(code: Code, text: &str) -> Request {
    Request::failed(code, Delivery::NotSent, 0, text.to_owned())
}

fn priority(options: &SendOptions) -> Priority {
    if options.urgent {
        Priority::Urgent
    } else {
        Priority::Normal
    }
}

/// A part that is not sent because an earlier one was refused for all.
fn skip_part(code: Code, message: &Message, part: &PartState) {
    let text = "not sent: another part of the message was refused for a reason that concerns all of it";
    part.set_unsent(unsent(code, text), message.recipients());
    part.finish();
}

/// A vendor that asks for more is not waited for: the report says how long it asked for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

const LOST: &str = "lost by a defect of the library";

/// A part without an outcome, which cannot be: nothing is known of it.
fn lost(recipients: Recipients) -> Outcome {
    Outcome::of(
        Request::failed(Code::Internal, Delivery::Unknown, 0, LOST.to_owned()),
        recipients,
    )
}

/// What the body is compressed with, although the request forbids it (`Accept-Encoding: identity`). A gateway may name a
/// coding that it did not apply: a body that begins as JSON, be it behind byte order marks, is read as it is.
fn unasked_coding(answer: &Answer) -> Option<&'static str> {
    const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
    let mut body = answer.body().trim_ascii_start();
    while let Some(rest) = body.strip_prefix(BYTE_ORDER_MARK) {
        body = rest.trim_ascii_start();
    }
    if body.is_empty() || body.starts_with(b"{") {
        return None;
    }
    let coding = answer.headers().get(http::header::CONTENT_ENCODING)?.to_str().ok()?;
    match coding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => None,
        "gzip" | "x-gzip" => Some("gzip"),
        "deflate" => Some("deflate"),
        "br" => Some("br"),
        "zstd" => Some("zstd"),
        _ => Some("an unknown coding"),
    }
}

/// `Retry-After` of an answer; 0 if it says nothing.
fn retry_after_ms(answer: &Answer) -> u32 {
    let header = answer.headers().get(http::header::RETRY_AFTER);
    let text = header.and_then(|value| value.to_str().ok());
    text.map_or(0, |text| retry::after_ms(text, SystemTime::now()))
}

fn limits(config: &Config, pacing: &Pacing) -> Limits {
    Limits {
        binary_counts_as_base64: config.text(&config::VOLCENGINE_PAYLOAD_LIMIT_COUNTS) == "base64",
        p2p_max_content: config.integer(&config::VOLCENGINE_P2P_MAX_CONTENT) as usize,
        p2p_max_users: config.integer(&config::VOLCENGINE_P2P_MAX_USERS) as usize,
        command_counts_as_encoded: config.text(&config::ZEGO_PAYLOAD_LIMIT_COUNTS) == "encoded",
        zego_max_id_length: config.integer(&config::ZEGO_MAX_ID_LENGTH) as usize,
        max_recipients: config.integer(&config::SPLIT_MAX_RECIPIENTS) as usize,
        max_permits: pacing.max_permits(),
    }
}
