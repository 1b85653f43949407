//! The public client: sends that wait for their report, and a queue for programs that must not wait.

use std::time::{Duration, Instant};

use crate::action::{Limits, Vendor};
use crate::config::Config;
use crate::dispatch::{Completion, Dispatcher, SubmitOptions};
use crate::engine::{Engine, SendOptions};
use crate::error::{Code, Error};
use crate::log::Logger;
use crate::message::Message;
use crate::report::Report;
use crate::util::deadline::Deadline;

/// Sends messages. Any number of threads may use one client.
///
/// [`send`](Client::send) waits for the report. [`submit`](Client::submit) returns at once, and [`poll`](Client::poll)
/// returns the report later. Dropping the client closes it with a timeout of zero.
#[derive(Debug)]
pub struct Client {
    dispatcher: Dispatcher,
}

impl Client {
    /// Copies the configuration and checks every setting, including the CA file. Does no network I/O and starts no thread.
    ///
    /// # Errors
    /// `NotConfigured` if no vendor's credentials are set or they are incomplete; `InvalidArgument` with the name of the
    /// setting.
    pub fn new(config: &Config) -> Result<Client, Error> {
        let engine = Engine::new(config)?;
        let dispatcher = Dispatcher::new(engine, config);
        Ok(Client { dispatcher })
    }

    /// Checks whether [`send`](Client::send) would accept this message. No I/O.
    ///
    /// # Errors
    /// `InvalidArgument` with the field and the limit; `NotConfigured` if the client lacks what the action needs; `Closed`,
    /// `Forked`.
    pub fn check(&self, message: &Message) -> Result<(), Error> {
        self.engine().check(message)
    }

    /// Sends a message and waits for its report. A list that is longer than the vendor accepts is sent in several requests.
    ///
    /// # Errors
    /// As for [`check`](Client::check): the send was not started, and nothing was sent. Everything that happens after
    /// that is in the report.
    pub fn send(&self, message: &Message, options: &SendOptions) -> Result<Report, Error> {
        self.engine().send(message, options)
    }

    /// Sends any other action of the two APIs, signed. The report has the raw answer as its body and says whether the vendor
    /// accepted the request; the program reads the rest of the answer itself. No rate limit applies to such calls, except
    /// to the actions whose quota is known: P2PSendUserMessage, SendBroadcastMessage and SendBarrageMessage.
    ///
    /// For Volcengine, `json` is the body of the request and is sent unchanged; `version` is the version of the action. For
    /// ZEGO, the members of `json` become query parameters, and `version` is empty.
    ///
    /// # Errors
    /// `InvalidArgument` for an invalid action, version or JSON object, and for the actions that have a [`Message`]:
    /// [`send`](Client::send) checks those.
    pub fn call_action(
        &self,
        vendor: Vendor,
        action: &str,
        version: &str,
        json: &str,
        options: &SendOptions,
    ) -> Result<Report, Error> {
        self.engine().call_action(vendor, action, version, json, options)
    }

    /// Enqueues a copy of the message and returns its id. Never waits for the network, DNS, quota or a thread. Exactly one
    /// completion follows, unless the options say otherwise.
    ///
    /// # Errors
    /// As for [`check`](Client::check); `QueueFull`, `NoResources`. The message was then not enqueued.
    pub fn submit(&self, message: &Message, options: &SubmitOptions) -> Result<u64, Error> {
        let submitted = Instant::now();
        self.engine().check(message)?;
        self.dispatcher.submit(message, options, submitted)
    }

    /// The next completion, on the caller's thread. `None` if there was none before the timeout, or if the client is closed
    /// and no more can follow.
    ///
    /// # Errors
    /// `Forked`.
    pub fn poll(&self, timeout: Option<Duration>) -> Result<Option<Completion>, Error> {
        self.engine().check_not_forked()?;
        Ok(self.dispatcher.poll(timeout))
    }

    /// A handle for event loops, readable exactly while a completion waits. It belongs to this client.
    ///
    /// # Errors
    /// `NoResources` if the system has no handle left; `Forked`, `Closed`.
    pub fn event_handle(&self) -> Result<isize, Error> {
        self.engine().check_usable()?;
        self.dispatcher.event_handle()
    }

    /// Removes a message from the queue. Its completion says `Cancelled`.
    ///
    /// # Errors
    /// `NotFound` if no queued message has this id: it is in flight or completed. `Forked`, `Closed`.
    pub fn cancel(&self, id: u64) -> Result<(), Error> {
        self.engine().check_usable()?;
        if self.dispatcher.cancel(id) {
            return Ok(());
        }
        Err(Error::new(
            Code::NotFound,
            "id",
            format!("no queued message has the id {id}: it is in flight or completed"),
        ))
    }

    /// The number of submitted messages whose completion was not polled. 0 in a forked child.
    pub fn pending(&self) -> usize {
        if self.engine().is_forked() {
            return 0;
        }
        self.dispatcher.pending()
    }

    /// Waits until no submitted message is queued or in flight, and no connection is being opened by
    /// [`warm_up`](Client::warm_up). Completions stay for [`poll`](Client::poll).
    ///
    /// # Errors
    /// `Timeout`; `Forked`, `Closed`.
    pub fn flush(&self, timeout: Option<Duration>) -> Result<(), Error> {
        self.engine().check_usable()?;
        self.dispatcher.flush(timeout)
    }

    /// Opens connections to each vendor in the background, so that the first messages do not wait for them. 0 is one per
    /// worker. Returns at once; [`flush`](Client::flush) waits for the connections.
    ///
    /// # Errors
    /// `InvalidArgument` for more than `http.max_idle_connections`; `NoResources`, `Forked`, `Closed`.
    pub fn warm_up(&self, connections: usize) -> Result<(), Error> {
        self.engine().check_usable()?;
        self.engine().check_connections(connections)?;
        self.dispatcher.warm_up(connections)
    }

    /// The client's statistics as JSON. docs/METRICS.md describes each figure.
    ///
    /// # Errors
    /// `Forked`.
    pub fn stats(&self) -> Result<String, Error> {
        self.engine().check_not_forked()?;
        Ok(self.dispatcher.stats())
    }

    /// Replaces a vendor's credentials: key id, secret and session token together. An attempt that has started keeps the
    /// credentials that it started with. For ZEGO `secret` is the ServerSecret, and the other two are empty.
    ///
    /// # Errors
    /// `InvalidArgument` with the name of what is missing or invalid; `NotConfigured` if this client was created without
    /// the vendor; `Closed`, `Forked`.
    pub fn set_credentials(
        &self,
        vendor: Vendor,
        key_id: &str,
        secret: &str,
        session_token: &str,
    ) -> Result<(), Error> {
        self.engine().set_credentials(vendor, key_id, secret, session_token)
    }

    /// Refuses new messages, waits for the others until the timeout, and then aborts the rest: a queued message
    /// is not sent, and one in flight ends with what is known of it. Completions can still be polled. Any thread may call
    /// this, more than once.
    pub fn close(&self, timeout: Option<Duration>) {
        let engine = self.engine();
        if engine.is_forked() {
            return;
        }
        let deadline = Deadline::after(timeout);
        engine.close();
        let is_drained = self.dispatcher.wait_until_idle(deadline) && engine.wait_for_calls(deadline);
        if !is_drained {
            self.dispatcher.abort();
        }
        self.dispatcher.stop();
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.engine().limits()
    }

    pub(crate) fn logger(&self) -> &Logger {
        self.engine().logger()
    }

    pub(crate) fn is_forked(&self) -> bool {
        self.engine().is_forked()
    }

    pub(crate) fn check_not_forked(&self) -> Result<(), Error> {
        self.engine().check_not_forked()
    }

    fn engine(&self) -> &Engine {
        self.dispatcher.engine()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // In a forked child the threads and the connections belong to the parent.
        if self.is_forked() {
            return;
        }
        self.close(Some(Duration::ZERO));
        self.engine().cut_connections();
        self.dispatcher.join_threads();
    }
}
