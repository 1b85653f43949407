//! The engine: sends one message at a time, on the caller's thread.
//!
//! A send checks the message, plans its parts (one request each), sends them, and combines the outcomes into a report. Any
//! number of threads may use one engine. [`Client`](crate::Client) calls it directly for a synchronous send; the queue's
//! workers call it for submitted messages.

mod active_calls;
mod counters;
mod in_flight;
mod options;
mod pacing;
mod plan;
mod retry;
mod send;
mod vendors;

use std::sync::Arc;
use std::time::Duration;

use self::active_calls::{ActiveCalls, CallGuard};
use self::counters::Counters;
pub(crate) use self::in_flight::{InFlight, LOST};
use self::in_flight::{lost, unsent};
pub(crate) use self::options::ResolvedOptions;
pub use self::options::{SendOptions, SendTimeout};
use self::pacing::Pacing;
pub(crate) use self::plan::Plan;
use self::retry::Retries;
use self::send::Sender;
use self::vendors::Vendors;
use crate::action::{Limits, QuotaClass, Vendor};
use crate::config::{self, Config};
use crate::error::{self, Code, Error};
use crate::http::{Agent, Settings, Traffic};
use crate::log::{Level, Logger};
use crate::message::Message;
use crate::os;
use crate::quota::{Demand, Load, Place, SharedBucket, Slot};
use crate::report::{Outcome, Report};
use crate::util::deadline::Deadline;

#[derive(Debug)]
pub(crate) struct Engine {
    sender: Sender,
    limits: Limits,
    /// `http.timeout_ms`.
    timeout: Duration,
    max_connections: usize,
    /// The [`os::fork_generation`] of the process that created it.
    created_in: u32,
}

impl Engine {
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
                .with_buffer(level, config.integer(&config::LOG_BUFFER_LINES) as usize),
            None => config.logger.clone(),
        };
        let engine = Engine {
            limits: limits(config, &pacing),
            timeout: config.millis(&config::HTTP_TIMEOUT_MS),
            max_connections: config.integer(&config::HTTP_MAX_IDLE_CONNECTIONS) as usize,
            sender: Sender {
                pacing,
                retries: Retries::new(config),
                agent: Agent::new(Settings::new(config, &vendors.all_endpoints())?, logger.clone()),
                vendors,
                calls: Arc::default(),
                counters: Counters::new(),
                logger,
                concurrency: config.integer(&config::SPLIT_CONCURRENCY) as usize,
            },
            created_in: os::fork_generation(),
        };
        engine.logger().log(Level::Info, || {
            format!("client made: {}", engine.vendors().names().join(" and "))
        });
        engine.vendors().log_warnings(engine.logger());
        Ok(engine)
    }

    /// Sends a message and waits for its report.
    pub fn send(&self, message: &Message, options: &SendOptions) -> Result<Report, Error> {
        let _guard = self.enter()?;
        self.check(message)?;
        let options = self.resolve(options, Deadline::after(options.expires));
        let plan = self.plan(message);
        let in_flight = plan.in_flight();
        self.run(&plan, &options, &in_flight, None);
        let report = self.report(&plan, &in_flight, Code::Internal, LOST);
        self.log_report(&report);
        Ok(report)
    }

    /// Sends an action that has no [`Message`], signed, and waits for its report.
    pub fn call_action(
        &self,
        vendor: Vendor,
        action: &str,
        version: &str,
        json: &str,
        options: &SendOptions,
    ) -> Result<Report, Error> {
        let _guard = self.enter()?;
        let api_request = self.vendors().api_request(vendor, action, version, json)?;
        let options = self.resolve(options, Deadline::after(options.expires));
        let in_flight = InFlight::new(1);
        let outcomes = in_flight.parts().iter().map(|part| {
            self.sender.send_part(&api_request, &options, part, None);
            let outcome = part.take_outcome(api_request.recipients(), Code::Internal, LOST);
            outcome.unwrap_or_else(|| lost(api_request.recipients()))
        });
        let report = Report::merged(action.to_owned(), outcomes);
        self.counters().count(&report);
        self.log_report(&report);
        Ok(report)
    }

    /// Checks a message without any I/O.
    pub fn check(&self, message: &Message) -> Result<(), Error> {
        self.check_usable()?;
        self.vendors().check(message)?;
        message.validate(&self.limits)
    }

    /// Divides a message into the requests that it is sent as.
    pub fn plan<'a>(&self, message: &Message<'a>) -> Plan<'a> {
        Plan::new(message, &self.limits)
    }

    /// The options of a send that begins now.
    pub fn resolve(&self, options: &SendOptions, expires: Deadline) -> ResolvedOptions {
        options.resolve(self.timeout, expires)
    }

    /// Sends a planned message, which was checked. `admitted` is the slot in the quota that its first request already has.
    pub fn run(&self, plan: &Plan, options: &ResolvedOptions, in_flight: &InFlight, admitted: Option<(Slot, Place)>) {
        self.sender.send_parts(plan.parts(), options, in_flight, admitted);
    }

    /// The report of a message that has started. A part that still runs ends here, for this reason, with what is known of
    /// it, and its sender writes nothing more to the network.
    pub fn report(&self, plan: &Plan, in_flight: &InFlight, why: Code, text: &str) -> Report {
        let outcomes = plan.parts().iter().zip(in_flight.parts()).map(|(message, part)| {
            let outcome = part.take_outcome(message.recipients(), why, text);
            outcome.unwrap_or_else(|| lost(message.recipients()))
        });
        self.counted(Report::merged(plan.action().name(), outcomes))
    }

    /// The report of a message that has not started.
    pub fn report_unsent(&self, message: &Message, why: Code, text: &str) -> Report {
        let outcome = Outcome::of(unsent(why, text), message.recipients());
        self.counted(Report::merged(message.action().name(), [outcome]))
    }

    fn counted(&self, report: Report) -> Report {
        let report = report.without_body();
        self.counters().count(&report);
        report
    }

    /// Logs a report in one line.
    pub fn log_report(&self, report: &Report) {
        let level = if report.code() == Code::Ok {
            Level::Debug
        } else {
            Level::Warn
        };
        self.logger().log(level, || report.summary());
    }

    /// What a message may contain by this client's settings.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub fn logger(&self) -> &Logger {
        &self.sender.logger
    }

    pub fn counters(&self) -> &Counters {
        &self.sender.counters
    }

    pub fn traffic(&self) -> &Traffic {
        &self.sender.agent.traffic
    }

    fn vendors(&self) -> &Vendors {
        &self.sender.vendors
    }

    fn calls(&self) -> &ActiveCalls {
        &self.sender.calls
    }

    /// The quota that a message's first request needs; `None` if no rate limit applies to it.
    pub fn demand(&self, message: &Message, options: &SendOptions) -> Option<(QuotaClass, Demand)> {
        self.sender
            .pacing
            .demand_in_queue(message, options.priority(), &self.limits)
    }

    pub fn bucket(&self, class: QuotaClass) -> Option<&SharedBucket> {
        self.sender.pacing.bucket(class)
    }

    /// The limit per second of a class and its current load; `None` if no rate limit applies to it.
    pub fn quota(&self, class: QuotaClass) -> Option<(u64, Load)> {
        self.sender.pacing.load(class)
    }

    pub fn max_connections(&self) -> usize {
        self.max_connections
    }

    pub fn check_connections(&self, connections: usize) -> Result<(), Error> {
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

    /// Opens a connection to the current endpoint of each vendor and keeps it for the next request.
    pub fn prewarm(&self) {
        for endpoint in self.vendors().endpoints() {
            if let Err(why) = self.sender.agent.prewarm(&endpoint) {
                self.logger().log(Level::Warn, || {
                    format!("a connection could not be opened in advance: {why}")
                });
            }
        }
    }

    pub fn set_credentials(
        &self,
        vendor: Vendor,
        key_id: &str,
        secret: &str,
        session_token: &str,
    ) -> Result<(), Error> {
        self.check_usable()?;
        self.vendors().set_credentials(vendor, key_id, secret, session_token)?;
        self.logger()
            .log(Level::Info, || format!("credentials replaced: {vendor:?}"));
        Ok(())
    }

    /// Whether the process has forked since the engine was created. The engine then belongs to the parent process.
    pub fn is_forked(&self) -> bool {
        self.created_in != os::fork_generation()
    }

    pub fn check_not_forked(&self) -> Result<(), Error> {
        if self.is_forked() {
            return Err(Error::new(
                Code::Forked,
                "",
                "this client was made before a fork: make a new one in the child",
            ));
        }
        Ok(())
    }

    /// Fails in a forked child and after [`close`](Engine::close).
    pub fn check_usable(&self) -> Result<(), Error> {
        self.check_not_forked()?;
        if self.calls().is_closed() {
            return Err(Error::new(Code::Closed, "", "this client is closed"));
        }
        Ok(())
    }

    fn enter(&self) -> Result<CallGuard<'_>, Error> {
        // In a forked child a lock may be held by a thread that exists only in the parent, so none may be touched.
        self.check_not_forked()?;
        // Counted first and checked then: a close sets its flag before it reads the count, and so misses no call.
        let guard = self.calls().enter();
        self.check_usable()?;
        Ok(guard)
    }

    /// New sends are refused from here on.
    pub fn close(&self) {
        self.calls().close();
    }

    /// Returns whether all synchronous sends ended before the deadline.
    pub fn wait_for_calls(&self, deadline: Deadline) -> bool {
        self.calls().wait_until_idle(deadline)
    }

    /// Ends every wait for quota or for a retry. No attempt starts after this.
    pub fn abort(&self) {
        self.calls().abort();
        self.sender.pacing.wake();
    }

    /// Closes every connection and ends every DNS wait. Transport errors after this are not logged.
    pub fn cut_connections(&self) {
        self.sender.agent.shut_down();
    }

    pub fn log_cut_calls(&self) {
        self.logger().log(Level::Warn, || {
            "the client was closed while calls were in progress; their connections were closed".to_owned()
        });
    }
}

/// The least severe level whose lines are kept for `rtcmsg_client_next_log_line()`; `None` keeps no lines.
fn kept_level(config: &Config) -> Option<Level> {
    match config.text(&config::LOG_BUFFER_LEVEL) {
        "error" => Some(Level::Error),
        "warn" => Some(Level::Warn),
        "info" => Some(Level::Info),
        "debug" => Some(Level::Debug),
        _ => None,
    }
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
