//! The story of one send, top to bottom: check, split, wait for a turn, sign, exchange, read, perhaps again, merge.
//!
//! The call runs on the caller's thread. Any number of threads may use one client.

mod calls;
mod pace;
mod plan;
mod retry;
mod vendors;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use self::calls::Calls;
use self::pace::{Pacing, Turn};
use self::plan::PartSizes;
use self::retry::Retries;
use self::vendors::{Errand, Vendors};
use crate::config::{self, Config};
use crate::deadline::Deadline;
use crate::error::{Code, Error};
use crate::http::{Agent, Answer, Failure, Settings};
use crate::log::{Level, Logger};
use crate::message::{self, Limits, Message, Recipients, Vendor};
use crate::os;
use crate::quota::{Priority, Refusal};
use crate::report::{Attempt, Delivery, Outcome, Report, Request};

/// How a call differs from the client's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    pub timeout: CallTimeout,
    /// Goes before the others that wait for the same quota.
    pub urgent: bool,
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
    pacing: Pacing,
    retries: Retries,
    agent: Agent,
    pub(crate) logger: Logger,
    calls: Calls,
    made_in: u32,
}

impl Client {
    /// Checks every setting, the CA file too; does no network I/O.
    ///
    /// # Errors
    /// `NotConfigured` if no vendor's credentials are set or they are incomplete; `InvalidArgument` naming the setting.
    pub fn new(config: &Config) -> Result<Client, Error> {
        os::watch_forks().map_err(|error| Error::new(Code::Internal, "", format!("pthread_atfork: {error}")))?;
        let vendors = Vendors::new(config)?;
        let pacing = Pacing::new(
            config,
            vendors.volcengine_account().as_deref(),
            vendors.zego_account().as_deref(),
        );
        let logger = config.logger.clone();
        let client = Client {
            limits: limits(config),
            part_sizes: PartSizes {
                batch: message::BATCH_MAX_USERS.min(pacing.largest_batch().unwrap_or(usize::MAX)),
                p2p: config.integer(&config::VOLCENGINE_P2P_MAX_USERS) as usize,
                command: message::COMMAND_MAX_USERS,
            },
            concurrency: config.integer(&config::SPLIT_CONCURRENCY) as usize,
            timeout: config.millis(&config::HTTP_TIMEOUT_MS),
            pacing,
            retries: Retries::new(config),
            agent: Agent::new(Settings::new(config)?, logger.clone()),
            vendors,
            logger,
            calls: Calls::default(),
            made_in: os::fork_generation(),
        };
        client.logger.log(Level::Info, || {
            format!("client made: {}", client.vendors.names().join(" and "))
        });
        Ok(client)
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
        let deadline = self.deadline(options);
        let parts = plan::parts(message, &self.part_sizes);
        let outcomes = self.deliver_all(&parts, options, deadline);
        Ok(self.told(Report::merged(message.action(), outcomes).without_body()))
    }

    /// Sends any other action of the two APIs, signed. The report has the raw answer as its body and says whether the
    /// vendor accepted it; what is in the answer beyond that is the caller's to read. Such calls are not paced.
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
        let outcome = self.deliver(&errand, None, self.deadline(options));
        Ok(self.told(Report::merged(action, vec![outcome])))
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
        self.calls.end_intake();
        if !self.calls.wait_until_none(Deadline::after(timeout)) {
            self.calls.abandon();
            self.pacing.wake();
            self.agent.shut_down();
            self.logger.log(Level::Warn, || {
                "client closed with calls under way; their connections were cut".to_owned()
            });
        }
    }

    /// Whether the process has forked since this client was made: then it belongs to the parent.
    pub(crate) fn is_forked(&self) -> bool {
        self.made_in != os::fork_generation()
    }

    fn usable(&self) -> Result<(), Error> {
        if self.is_forked() {
            return Err(Error::new(
                Code::Forked,
                "",
                "this client was made before a fork: make a new one in the child",
            ));
        }
        if self.calls.is_closed() {
            return Err(Error::new(Code::Closed, "", "this client is closed"));
        }
        Ok(())
    }

    fn enter(&self) -> Result<calls::UnderWay<'_>, Error> {
        // The parent's locks may be held by threads that are not here: in a child none is touched.
        if self.is_forked() {
            self.usable()?;
        }
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
    fn deliver_all(&self, parts: &[Message], options: &CallOptions, deadline: Deadline) -> Vec<Outcome> {
        let priority = if options.urgent {
            Priority::Urgent
        } else {
            Priority::Normal
        };
        let deliver = |message: &Message| self.deliver(&Errand::Message(*message), Some(priority), deadline);
        if let [message] = parts {
            return vec![deliver(message)];
        }
        let next = AtomicUsize::new(0);
        let refused = OnceLock::new();
        let outcomes: Vec<OnceLock<Outcome>> = parts.iter().map(|_| OnceLock::new()).collect();
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(message) = parts.get(index) else { break };
                let outcome = match refused.get() {
                    Some(code) => given_up(*code, message),
                    None => deliver(message),
                };
                if outcome.concerns_all {
                    let _ = refused.set(outcome.request.code);
                }
                let _ = outcomes[index].set(outcome);
            }
        };
        match self.concurrency.min(parts.len()) {
            1 => work(),
            several => thread::scope(|scope| {
                for _ in 1..several {
                    // Without another thread the caller's own does it all.
                    let _ = os::spawn_scoped(scope, "rtcmsg-split", work);
                }
                work();
            }),
        }
        outcomes
            .into_iter()
            .zip(parts)
            .map(|(outcome, part)| outcome.into_inner().unwrap_or_else(|| lost(part.recipients())))
            .collect()
    }

    /// One request to its end: attempts until one settles it, or until another would be unsafe, too late or too much.
    fn deliver(&self, errand: &Errand, priority: Option<Priority>, deadline: Deadline) -> Outcome {
        let turn = priority.and_then(|priority| self.pacing.turn(errand.message()?, priority));
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut settled: Option<Outcome> = None;
        let mut clock_was_set = false;
        let mut may_set_the_clock = true;
        let mut tries = 0;
        self.retries.earn();
        loop {
            if let Some(unsent) = self.wait_for_turn(turn.as_ref(), deadline) {
                settled.get_or_insert_with(|| Outcome::of(unsent, errand.recipients()));
                break;
            }
            tries += 1;
            let outcome = self.attempt(errand, deadline, &mut attempts, &mut clock_was_set);
            self.tell_quota(turn.as_ref(), &outcome);
            let request = &outcome.request;
            let set_the_clock = request.code == Code::Clock
                && std::mem::take(&mut clock_was_set)
                && std::mem::take(&mut may_set_the_clock);
            let is_worth_it = tries < self.retries.max_attempts && (set_the_clock || self.retries.is_safe(request));
            let retry_after_ms = request.retry_after_ms;
            settled = Some(together(settled, outcome));
            if !is_worth_it {
                break;
            }
            // With the clock set right there is nothing to wait for, and no trouble of the vendor's to spare it.
            let pause = if set_the_clock {
                Duration::ZERO
            } else {
                self.retries.pause(tries, retry_after_ms)
            };
            let in_time = deadline.remaining().is_none_or(|left| pause < left);
            if !in_time || !(set_the_clock || self.retries.spend()) || !self.calls.sleep(pause) {
                break;
            }
        }
        let mut outcome = settled.unwrap_or_else(|| lost(errand.recipients()));
        outcome.request.attempts = attempts;
        outcome
    }

    /// Waits for the quota; the request that is not sent, if there is no turn for it.
    fn wait_for_turn(&self, turn: Option<&Turn>, deadline: Deadline) -> Option<Request> {
        let unsent = |code, text: String| Some(Request::failed(code, Delivery::NotSent, 0, text));
        if deadline.remaining().is_some_and(|left| left.is_zero()) {
            return unsent(Code::Timeout, "the deadline passed before it was sent".to_owned());
        }
        match turn.map(|turn| turn.wait(deadline, || self.calls.is_abandoned())) {
            None | Some(Ok(())) => None,
            Some(Err(Refusal::Abandoned)) => {
                unsent(Code::Closed, "the client was closed before it was sent".to_owned())
            }
            Some(Err(Refusal::NoTurn { possible_in })) => {
                let retry_after_ms = u32::try_from(possible_in.div_ceil(1_000_000)).unwrap_or(u32::MAX);
                let text = format!("the quota is used up; possible in {retry_after_ms} ms");
                let request = Request::failed(Code::RateLimited, Delivery::NotSent, 0, text);
                Some(Request {
                    retry_after_ms,
                    ..request
                })
            }
        }
    }

    /// One try, freshly signed, at one endpoint after another while nothing is sent.
    fn attempt(
        &self,
        errand: &Errand,
        deadline: Deadline,
        attempts: &mut Vec<Attempt>,
        clock_was_set: &mut bool,
    ) -> Outcome {
        let mut outcome = None;
        for site in self.vendors.sites(errand.vendor()) {
            let tried = match self.vendors.signed(errand, site) {
                Err(text) => Outcome::of(
                    Request::failed(Code::Internal, Delivery::NotSent, 0, text),
                    errand.recipients(),
                ),
                Ok(request) => match self.agent.exchange(request, deadline) {
                    Ok(answer) => self.read(errand, answer, clock_was_set),
                    Err(failure) => self.unanswered(errand, failure),
                },
            };
            let request = &tried.request;
            attempts.push(Attempt {
                code: request.code,
                delivery: request.delivery,
                http_status: request.http_status,
                text: request.text.clone(),
            });
            let is_unsent = request.delivery == Delivery::NotSent;
            outcome = Some(tried);
            if !is_unsent {
                self.vendors.remember(errand.vendor(), site);
                break;
            }
            if self.calls.is_abandoned() || deadline.remaining().is_some_and(|left| left.is_zero()) {
                break;
            }
        }
        outcome.unwrap_or_else(|| lost(errand.recipients()))
    }

    fn read(&self, errand: &Errand, answer: Answer, clock_was_set: &mut bool) -> Outcome {
        let mut outcome = errand.read(answer.status().as_u16(), answer.body());
        outcome.request.retry_after_ms = retry_after_ms(&answer);
        if outcome.request.code == Code::Clock {
            *clock_was_set = self.vendors.learn_clock(errand.vendor(), &answer, &self.logger);
        }
        outcome.body = answer.into_body();
        outcome
    }

    fn unanswered(&self, errand: &Errand, failure: Failure) -> Outcome {
        let was_cut = self.calls.is_abandoned() && failure.code != Code::Timeout;
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

    fn tell_quota(&self, turn: Option<&Turn>, outcome: &Outcome) {
        match (turn, outcome.request.code) {
            (Some(turn), Code::Throttled) => turn.throttled(),
            (Some(turn), Code::Ok) => turn.succeeded(),
            _ => {}
        }
    }

    fn told(&self, report: Report) -> Report {
        let level = if report.code() == Code::Ok {
            Level::Debug
        } else {
            Level::Warn
        };
        self.logger.log(level, || report.text());
        report
    }
}

/// What two tries come to. The later one counts, but it cannot undo what an earlier one may have done: where that was
/// unknown only success settles it, and where the vendor has answered, "not sent" is no longer true.
fn together(earlier: Option<Outcome>, later: Outcome) -> Outcome {
    let Some(earlier) = earlier else { return later };
    match (earlier.request.delivery, later.request.delivery) {
        (Delivery::Unknown, delivery) if !delivery.is_success() => earlier,
        (Delivery::Unknown, _) => later.with_failures_unknown(earlier.request.code),
        (Delivery::NotDelivered, Delivery::NotSent) => earlier,
        _ => later,
    }
}

/// A part that is not sent because an earlier one was refused for all.
fn given_up(code: Code, message: &Message) -> Outcome {
    let text = "not sent: another part of the message was refused for a reason that concerns all of it".to_owned();
    Outcome::of(Request::failed(code, Delivery::NotSent, 0, text), message.recipients())
}

/// A part without an outcome, which cannot be: nothing is known of it.
fn lost(recipients: Recipients) -> Outcome {
    let text = "lost by a defect of the library".to_owned();
    Outcome::of(Request::failed(Code::Internal, Delivery::Unknown, 0, text), recipients)
}

/// `Retry-After`, in seconds or as a date.
fn retry_after_ms(answer: &Answer) -> u32 {
    let Some(text) = answer
        .headers()
        .get(http::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
    else {
        return 0;
    };
    if let Ok(seconds) = text.trim().parse::<u32>() {
        return seconds.saturating_mul(1000);
    }
    let at = httpdate::parse_http_date(text.trim()).ok();
    let wait = at.and_then(|at| at.duration_since(std::time::SystemTime::now()).ok());
    wait.map_or(0, |wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX))
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
