//! The story of one send, top to bottom: check, split, wait for a turn, sign, exchange, read, perhaps again, merge.
//!
//! The call runs on the caller's thread. Any number of threads may use one client.

mod calls;
mod flight;
mod pace;
mod plan;
mod retry;
mod vendors;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, SystemTime};

use self::calls::Calls;
pub(crate) use self::flight::Flight;
use self::flight::Part;
use self::pace::{Pacing, RatePermit};
use self::plan::PartSizes;
use self::retry::Retries;
use self::vendors::{Errand, Vendors};
use crate::config::{self, Config};
use crate::error::{self, Code, Error};
use crate::http::{Agent, Answer, BrokenExchange, Failure, SendPermit, Settings, Traffic};
use crate::log::{Level, Logger};
use crate::message::{self, Limits, Message, Recipients, Vendor};
use crate::metrics::Counter;
use crate::os;
use crate::quota::{Class, Demand, Load, Place, Priority, SharedBucket, Slot};
use crate::report::{Delivery, Outcome, Report, Request};
use crate::util::deadline::Deadline;
use crate::util::sync::{Mutex, lock};

/// How a call differs from the client's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    pub timeout: CallTimeout,
    /// From the call to the first byte of a request, waiting for quota included: what has not left by then stays. `None`:
    /// it does not expire.
    pub expires: Option<Duration>,
    /// Goes before the others that wait for the same quota.
    pub urgent: bool,
}

/// How a message travels: by when, and before whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendTerms {
    pub priority: Priority,
    pub deadline: Deadline,
    /// After this no attempt begins to write.
    pub expires: Deadline,
}

impl SendTerms {
    /// Until when a request may begin.
    fn by(&self) -> Deadline {
        self.deadline.or_sooner(self.expires)
    }
}

/// What a client has done, counted.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Messages by what their report says, in the order of [`Code::ALL`] and [`Delivery::ALL`].
    pub codes: Vec<Counter>,
    pub deliveries: Vec<Counter>,
    pub retries: Counter,
    /// Requests that had to wait for their turn.
    pub quota_waits: Counter,
}

/// The deadline of one call: quota, DNS, connect, TLS, answer and every retry share it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallTimeout {
    /// `http.timeout_ms`.
    #[default]
    Default,
    After(Duration),
    /// Waits as long as it takes. A vendor that never answers then holds the thread forever.
    Never,
}

/// Sends messages; made from a [`Config`], which it copies.
#[derive(Debug)]
pub struct Client {
    vendors: Vendors,
    limits: Limits,
    part_sizes: PartSizes,
    concurrency: usize,
    timeout: Duration,
    max_connections: usize,
    pacing: Pacing,
    retries: Retries,
    agent: Agent,
    pub(crate) logger: Logger,
    pub(crate) tally: Tally,
    calls: Arc<Calls>,
    made_in: u32,
}

impl Tally {
    fn new() -> Tally {
        Tally {
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

impl Client {
    /// Checks every setting, the CA file too; does no network I/O.
    ///
    /// # Errors
    /// `NotConfigured` if no vendor's credentials are set or they are incomplete; `InvalidArgument` naming the setting.
    pub fn new(config: &Config) -> Result<Client, Error> {
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
                .keeping(level, config.integer(&config::LOG_BUFFER_LINES) as usize),
            None => config.logger.clone(),
        };
        let client = Client {
            limits: limits(config),
            part_sizes: PartSizes {
                batch: message::BATCH_MAX_USERS.min(pacing.largest_batch().unwrap_or(usize::MAX)),
                p2p: config.integer(&config::VOLCENGINE_P2P_MAX_USERS) as usize,
                command: message::COMMAND_MAX_USERS,
            },
            concurrency: config.integer(&config::SPLIT_CONCURRENCY) as usize,
            timeout: config.millis(&config::HTTP_TIMEOUT_MS),
            max_connections: config.integer(&config::HTTP_MAX_IDLE_CONNECTIONS) as usize,
            pacing,
            retries: Retries::new(config),
            agent: Agent::new(Settings::new(config, &vendors.all_endpoints())?, logger.clone()),
            vendors,
            logger,
            tally: Tally::new(),
            calls: Arc::default(),
            made_in: os::fork_generation(),
        };
        client.logger.log(Level::Info, || {
            format!("client made: {}", client.vendors.names().join(" and "))
        });
        client.vendors.warn(&client.logger);
        Ok(client)
    }

    /// What a message may hold by this client's settings.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether [`send`](Client::send) would take this message in. No I/O.
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
    /// As for [`check`](Client::check): the message was not taken in, and nothing was sent. Everything that happens
    /// after that is in the report.
    pub fn send(&self, message: &Message, options: &CallOptions) -> Result<Report, Error> {
        let _call = self.enter()?;
        self.check(message)?;
        let terms = self.terms(options, Deadline::after(options.expires));
        let flight = self.flight(message);
        self.carry(message, &terms, &flight, None);
        let report = self.report(message, Some(&flight), Code::Internal, LOST);
        self.tell(&report);
        Ok(report)
    }

    /// What is needed to look at a message on its way.
    pub(crate) fn flight(&self, message: &Message) -> Flight {
        Flight::new(plan::parts(message, &self.part_sizes).len())
    }

    /// Takes a message that was checked to its end. `admitted` is the slot in the quota that its first request has already.
    pub(crate) fn carry(&self, message: &Message, terms: &SendTerms, flight: &Flight, admitted: Option<(Slot, Place)>) {
        let parts = plan::parts(message, &self.part_sizes);
        self.deliver_all(&parts, terms, flight, admitted);
    }

    /// What became of a message. If it is still on its way it ends here, for that reason: each part with what is known of
    /// it, and whoever carries it sends nothing more. Without a flight nothing of it has begun.
    pub(crate) fn report(&self, message: &Message, flight: Option<&Flight>, why: Code, text: &str) -> Report {
        let report = match flight {
            None => {
                let unsent = unsent(why, text);
                Report::merged(message.action(), [Outcome::of(unsent, message.recipients())])
            }
            Some(flight) => {
                let parts = plan::parts(message, &self.part_sizes);
                let outcomes = parts.iter().zip(flight.parts()).map(|(message, part)| {
                    let outcome = part.outcome(message.recipients(), why, text);
                    outcome.unwrap_or_else(|| lost(message.recipients()))
                });
                Report::merged(message.action(), outcomes)
            }
        };
        let report = report.without_body();
        self.tally.count(&report);
        report
    }

    /// How a message travels that begins now.
    pub(crate) fn terms(&self, options: &CallOptions, expires: Deadline) -> SendTerms {
        SendTerms {
            priority: priority(options),
            deadline: self.deadline(options),
            expires,
        }
    }

    /// The place in the quota that a message needs to begin, if it has to wait for one.
    pub(crate) fn demand(&self, message: &Message, options: &CallOptions) -> Option<(Class, Demand)> {
        self.pacing
            .demand_in_queue(message, priority(options), self.part_sizes.batch)
    }

    pub(crate) fn bucket(&self, class: Class) -> Option<&SharedBucket> {
        self.pacing.bucket(class)
    }

    /// What a class may send in a second, and how it stands; `None` if nothing paces it.
    pub(crate) fn quota(&self, class: Class) -> Option<(u64, Load)> {
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
            "{} connections, http.max_idle_connections is {}",
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
            if let Err(why) = self.agent.open_ahead(&endpoint) {
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
    /// own: they go through [`send`](Client::send), which checks them.
    pub fn call(
        &self,
        vendor: Vendor,
        action: &str,
        version: &str,
        json: &str,
        options: &CallOptions,
    ) -> Result<Report, Error> {
        let _call = self.enter()?;
        let errand = self.vendors.errand(vendor, action, version, json)?;
        let terms = self.terms(options, Deadline::after(options.expires));
        let flight = Flight::new(1);
        let outcomes = flight.parts().iter().map(|part| {
            self.deliver(&errand, &terms, part, None);
            let outcome = part.outcome(errand.recipients(), Code::Internal, LOST);
            outcome.unwrap_or_else(|| lost(errand.recipients()))
        });
        let report = Report::merged(action.to_owned(), outcomes);
        self.tally.count(&report);
        self.tell(&report);
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
        if !self.calls.wait_until_none(Deadline::after(timeout)) {
            self.abandon();
            self.cut();
            self.tell_that_it_was_cut();
        }
    }

    pub(crate) fn end_intake(&self) {
        self.calls.end_intake();
    }

    /// Whether the calls under way have ended, by the deadline.
    pub(crate) fn wait_for_calls(&self, deadline: Deadline) -> bool {
        self.calls.wait_until_none(deadline)
    }

    /// Nobody waits for anything any more, and no attempt begins.
    pub(crate) fn abandon(&self) {
        self.calls.abandon();
        self.pacing.wake();
    }

    /// Cuts every connection, and ends every wait for a name. Nothing that comes after that is logged.
    pub(crate) fn cut(&self) {
        self.agent.shut_down();
    }

    pub(crate) fn tell_that_it_was_cut(&self) {
        self.logger.log(Level::Warn, || {
            "client closed with calls under way; their connections were cut".to_owned()
        });
    }

    /// Whether the process has forked since this client was made: then it belongs to the parent.
    pub(crate) fn is_forked(&self) -> bool {
        self.made_in != os::fork_generation()
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

    fn enter(&self) -> Result<calls::UnderWay<'_>, Error> {
        // The parent's locks may be held by threads that are not here: in a child none is touched.
        self.not_forked()?;
        // Counted before it is checked, so that close, which sets and then counts, misses none.
        let call = self.calls.enter();
        self.usable()?;
        Ok(call)
    }

    fn deadline(&self, options: &CallOptions) -> Deadline {
        Deadline::after(match options.timeout {
            CallTimeout::Default => Some(self.timeout),
            CallTimeout::After(timeout) => Some(timeout),
            CallTimeout::Never => None,
        })
    }

    /// Every part, `split.concurrency` at a time. A refusal that concerns all ends it: the parts not yet begun are not
    /// sent. Everything else concerns its own part, and the rest goes on.
    fn deliver_all(&self, parts: &[Message], terms: &SendTerms, flight: &Flight, admitted: Option<(Slot, Place)>) {
        let admitted = Mutex::new(admitted);
        let next = AtomicUsize::new(0);
        let refused = OnceLock::new();
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some((message, part)) = parts.get(index).zip(flight.parts().get(index)) else {
                    break;
                };
                let admitted = if index == 0 { lock(&admitted).take() } else { None };
                match refused.get() {
                    Some(code) => {
                        given_up(*code, message, part);
                        if let Some((slot, place)) = admitted {
                            self.give_back(message, terms, slot, place);
                        }
                    }
                    None => {
                        if let Some(code) = self.deliver(&Errand::Message(*message), terms, part, admitted) {
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
    fn give_back(&self, message: &Message, terms: &SendTerms, slot: Slot, place: Place) {
        if let Some(permit) = self.pacing.permit(&Errand::Message(*message), terms, &self.calls) {
            permit.adopt(slot, place);
            permit.give_back();
        }
    }

    /// One request to its end: attempts until one settles it, or until another would be unsafe, too late or too much. Gives
    /// the code of a refusal that concerns the other parts, too.
    fn deliver(
        &self,
        errand: &Errand,
        terms: &SendTerms,
        part: &Part,
        admitted: Option<(Slot, Place)>,
    ) -> Option<Code> {
        let permit = self.pacing.permit(errand, terms, &self.calls);
        if let Some((permit, (slot, place))) = permit.as_ref().zip(admitted) {
            permit.adopt(slot, place);
        }
        let gate = permit.clone().map(|permit| -> Arc<dyn SendPermit> { permit });
        let mut clock_was_set = false;
        let mut may_set_the_clock = true;
        let mut tries = 0;
        self.retries.earn();
        loop {
            if let Err(unsent) = self.begin(permit.as_deref(), terms) {
                part.give_up(*unsent, errand.recipients());
                break;
            }
            tries += 1;
            let outcome = self.attempt(errand, terms, part, gate.as_ref(), &mut clock_was_set);
            let request = &outcome.request;
            if let Some(permit) = &permit {
                note_outcome(permit, request);
            }
            let set_the_clock = request.code == Code::Clock
                && std::mem::take(&mut clock_was_set)
                && std::mem::take(&mut may_set_the_clock);
            let is_worth_it = tries < self.retries.max_attempts && (set_the_clock || self.retries.is_safe(request));
            let retry_after_ms = request.retry_after_ms;
            part.settle(outcome);
            if !is_worth_it {
                break;
            }
            // With the clock set right there is nothing to wait for, and no trouble of the vendor's to spare it.
            let pause = if set_the_clock {
                Duration::ZERO
            } else {
                self.retries.pause(tries, retry_after_ms)
            };
            let in_time = terms.by().remaining().is_none_or(|left| pause < left) && pause <= LONGEST_PAUSE;
            if !in_time || !(set_the_clock || self.retries.spend()) || !self.calls.sleep(pause) {
                break;
            }
            self.tally.retries.add(1);
            if let Some(permit) = &permit {
                permit.prepare_retry();
            }
        }
        self.tally
            .quota_waits
            .add(permit.is_some_and(|permit| permit.has_waited()).into());
        part.land()
    }

    /// Waits for the quota; the request that is not sent, if it may not be sent by then.
    fn begin(&self, permit: Option<&RatePermit>, terms: &SendTerms) -> Result<(), Box<Request>> {
        if self.calls.is_abandoned() {
            return Err(unsent(Code::Closed, "the client was closed before it was sent").into());
        }
        if terms.expires.has_passed() {
            return Err(unsent(Code::Expired, "it expired before it was sent").into());
        }
        if terms.deadline.has_passed() {
            return Err(unsent(Code::Timeout, "the deadline passed before it was sent").into());
        }
        permit.map_or(Ok(false), SendPermit::acquire).map(drop)
    }

    /// One try, freshly signed, at one endpoint after another while nothing is sent.
    fn attempt(
        &self,
        errand: &Errand,
        terms: &SendTerms,
        part: &Part,
        permit: Option<&Arc<dyn SendPermit>>,
        clock_was_set: &mut bool,
    ) -> Outcome {
        let mut outcome = None;
        let mut is_withheld = false;
        let mut is_proxy_locked = false;
        for site in self.vendors.sites(errand.vendor()) {
            let tried = match self.vendors.signed(errand, site) {
                Err(text) => Outcome::of(
                    Request::failed(Code::Internal, Delivery::NotSent, 0, text),
                    errand.recipients(),
                ),
                Ok((request, keys)) => {
                    let (deadline, expires) = (terms.deadline, terms.expires);
                    let answered = self
                        .agent
                        .exchange(request, deadline, expires, &part.progress, permit.cloned());
                    let mut outcome = match answered {
                        Ok((answer, connection)) => {
                            let outcome = self.read(errand, answer, clock_was_set);
                            if !outcome.answers_another_request {
                                connection.keep();
                            }
                            outcome
                        }
                        Err(Failure::Withheld(request)) => {
                            is_withheld = true;
                            Outcome::of(*request, errand.recipients())
                        }
                        Err(Failure::Broken(failure)) => {
                            is_proxy_locked = failure.is_proxy_locked;
                            self.unanswered(errand, failure)
                        }
                    };
                    keys.redact(errand, &mut outcome);
                    outcome
                }
            };
            part.note(&tried.request);
            let is_unsent = tried.request.delivery == Delivery::NotSent;
            outcome = Some(tried);
            if !is_unsent {
                self.vendors.remember(errand.vendor(), site);
                break;
            }
            // Another endpoint would be refused its permit, or the proxy's password, too.
            if is_withheld || is_proxy_locked || self.calls.is_abandoned() || terms.by().has_passed() {
                break;
            }
        }
        outcome.unwrap_or_else(|| lost(errand.recipients()))
    }

    fn read(&self, errand: &Errand, answer: Answer, clock_was_set: &mut bool) -> Outcome {
        let status = answer.status().as_u16();
        let mut outcome = match unasked_coding(&answer) {
            None => errand.read(status, answer.body()),
            Some(coding) => {
                let what = format!("it is compressed ({coding}), although it was asked for as it is");
                Outcome::unreadable(errand.recipients(), status, &what)
            }
        };
        outcome.request.retry_after_ms = retry_after_ms(&answer);
        if outcome.request.code == Code::Clock {
            *clock_was_set = self.vendors.learn_clock(errand.vendor(), &answer, &self.logger);
        }
        outcome.body = answer.into_body();
        outcome
    }

    fn unanswered(&self, errand: &Errand, failure: BrokenExchange) -> Outcome {
        let was_cut = self.calls.is_abandoned() && !matches!(failure.code, Code::Timeout | Code::Expired);
        let code = if was_cut { Code::Closed } else { failure.code };
        if let Some(status) = failure.status {
            let outcome = Outcome::unreadable(errand.recipients(), status, &failure.text);
            if outcome.request.delivery != Delivery::Unknown {
                return outcome;
            }
            // The status settles nothing: what is known is why the rest of the answer is missing.
            return Outcome::of(
                Request {
                    code,
                    ..outcome.request
                },
                errand.recipients(),
            );
        }
        let delivery = if failure.may_have_left {
            Delivery::Unknown
        } else {
            Delivery::NotSent
        };
        Outcome::of(Request::failed(code, delivery, 0, failure.text), errand.recipients())
    }

    /// One line for the log.
    pub(crate) fn tell(&self, report: &Report) {
        let level = if report.code() == Code::Ok {
            Level::Debug
        } else {
            Level::Warn
        };
        self.logger.log(level, || report.text());
    }
}

/// Up to which level log lines are kept; `None` is not at all.
fn kept_level(config: &Config) -> Option<Level> {
    match config.text(&config::LOG_BUFFER_LEVEL) {
        "error" => Some(Level::Error),
        "warn" => Some(Level::Warn),
        "info" => Some(Level::Info),
        "debug" => Some(Level::Debug),
        _ => None,
    }
}

fn note_outcome(permit: &RatePermit, request: &Request) {
    permit.give_back();
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

fn priority(options: &CallOptions) -> Priority {
    if options.urgent {
        Priority::Urgent
    } else {
        Priority::Normal
    }
}

/// A part that is not sent because an earlier one was refused for all.
fn given_up(code: Code, message: &Message, part: &Part) {
    let text = "not sent: another part of the message was refused for a reason that concerns all of it";
    part.give_up(unsent(code, text), message.recipients());
    part.land();
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

fn limits(config: &Config) -> Limits {
    Limits {
        binary_counts_as_base64: config.text(&config::VOLCENGINE_PAYLOAD_LIMIT_COUNTS) == "base64",
        p2p_max_content: config.integer(&config::VOLCENGINE_P2P_MAX_CONTENT) as usize,
        p2p_max_users: config.integer(&config::VOLCENGINE_P2P_MAX_USERS) as usize,
        command_counts_as_encoded: config.text(&config::ZEGO_PAYLOAD_LIMIT_COUNTS) == "encoded",
        zego_max_id_length: config.integer(&config::ZEGO_MAX_ID_LENGTH) as usize,
        max_recipients: config.integer(&config::SPLIT_MAX_RECIPIENTS) as usize,
    }
}
