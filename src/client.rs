//! The story of one send, top to bottom: check, sign, exchange, read.
//!
//! The call runs on the caller's thread. Any number of threads may use one client.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use http::Request as HttpRequest;
use time::UtcDateTime;

use crate::config::{self, Config, Endpoint};
use crate::deadline::Deadline;
use crate::error::{Code, Error};
use crate::http::{Agent, Answer, Failure, Settings};
use crate::log::{Level, Logger};
use crate::message::{Limits, Message, Recipients, Vendor};
use crate::os;
use crate::report::{Delivery, Recipient, Report, Request};
use crate::secret::Secret;
use crate::{volcengine, zego};

/// How a call differs from the client's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    pub timeout: CallTimeout,
}

/// The deadline of one call.
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
    volcengine: Option<(volcengine::Account, volcengine::Credentials)>,
    zego: Option<(zego::Project, Secret)>,
    limits: Limits,
    timeout: Duration,
    agent: Agent,
    pub(crate) logger: Logger,
    calls: Calls,
    made_in: u32,
}

/// The calls under way, and whether new ones are let in.
#[derive(Debug, Default)]
struct Calls {
    closed: AtomicBool,
    under_way: AtomicUsize,
    lock: Mutex<()>,
    ended: Condvar,
}

impl Client {
    /// Checks every setting, the CA file too; does no network I/O.
    ///
    /// # Errors
    /// `NotConfigured` if no vendor's credentials are set or they are incomplete; `InvalidArgument` naming the setting.
    pub fn new(config: &Config) -> Result<Client, Error> {
        os::watch_forks().map_err(|error| Error::new(Code::Internal, "", format!("pthread_atfork: {error}")))?;
        let volcengine = volcengine::configured(config)?;
        let zego = zego::configured(config)?;
        if volcengine.is_none() && zego.is_none() {
            let text = "no vendor is configured: set volcengine.access_key and volcengine.secret_key, or zego.app_id and zego.server_secret";
            return Err(Error::not_configured("", text));
        }
        let endpoints = [
            (
                &config::VOLCENGINE_ENDPOINT,
                volcengine.as_ref().map(|(account, _)| &account.endpoint),
            ),
            (
                &config::ZEGO_ENDPOINT,
                zego.as_ref().map(|(project, _)| &project.endpoint),
            ),
        ];
        for (setting, endpoint) in endpoints {
            refuse_plaintext(config, setting, endpoint)?;
        }
        let logger = config.logger.clone();
        let client = Client {
            volcengine,
            zego,
            limits: limits(config),
            timeout: config.millis(&config::HTTP_TIMEOUT_MS),
            agent: Agent::new(Settings::new(config)?, logger.clone()),
            logger,
            calls: Calls::default(),
            made_in: os::fork_generation(),
        };
        client.logger.log(Level::Info, || {
            format!("client made: {}", client.vendors().join(" and "))
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
        match message.vendor() {
            Vendor::Volcengine => volcengine::actions::check_app(&self.volcengine()?.0, message)?,
            Vendor::Zego => drop(self.zego()?),
        }
        message.validate(&self.limits)
    }

    /// Sends a message and waits for what became of it.
    ///
    /// # Errors
    /// As for [`check`](Client::check): the message was not taken in, and nothing was sent. Everything that happens
    /// after that is in the report.
    pub fn send(&self, message: &Message, options: &CallOptions) -> Result<Report, Error> {
        let _call = self.enter()?;
        self.check(message)?;
        let request = match message.vendor() {
            Vendor::Volcengine => {
                let (account, credentials) = self.volcengine()?;
                let call = volcengine::actions::call(account, message)?;
                volcengine::request(account, credentials, call, UtcDateTime::now())
            }
            Vendor::Zego => self.zego_request(message.action(), &zego::actions::parameters(message)?)?,
        };
        let (request, rows, _) = self.exchange(message.vendor(), message.recipients(), request, options)?;
        Ok(self.told(Report::new(message.action(), request, rows)))
    }

    /// Sends any other action of the two APIs, signed. The report has the raw answer as its body and says whether the
    /// vendor accepted it; what is in the answer beyond that is the caller's to read.
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
        check_action(action)?;
        let request = match vendor {
            Vendor::Volcengine => {
                let (account, credentials) = self.volcengine()?;
                check_version(version)?;
                crate::json::members(json).map_err(|why| Error::invalid("json", why))?;
                let call = volcengine::Call {
                    action,
                    version,
                    body: json.as_bytes().to_vec(),
                };
                volcengine::request(account, credentials, call, UtcDateTime::now())
            }
            Vendor::Zego if !version.is_empty() => {
                return Err(Error::invalid("version", "ZEGO's actions have none: leave it out"));
            }
            Vendor::Zego => {
                self.zego()?;
                let parameters = zego::actions::parameters_of_json(json)?;
                let borrowed: Vec<_> = parameters.iter().map(|(name, value)| (&**name, &**value)).collect();
                self.zego_request(action, &borrowed)?
            }
        };
        let (request, _, body) = self.exchange(vendor, Recipients::Everybody, request, options)?;
        Ok(self.told(Report::new(action, request, Vec::new()).with_body(body)))
    }

    /// Ends intake, waits for the calls under way, and after `timeout` cuts their connections: each then ends with what
    /// is known of it. Any thread, as often as one likes.
    pub fn close(&self, timeout: Option<Duration>) {
        if self.is_forked() {
            return;
        }
        self.calls.closed.store(true, Ordering::SeqCst);
        if !self.calls.wait_until_none(Deadline::after(timeout)) {
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
        if self.calls.closed.load(Ordering::SeqCst) {
            return Err(Error::new(Code::Closed, "", "this client is closed"));
        }
        Ok(())
    }

    fn enter(&self) -> Result<UnderWay<'_>, Error> {
        // Counted before it is checked, so that close, which sets and then counts, misses none.
        self.calls.under_way.fetch_add(1, Ordering::SeqCst);
        let call = UnderWay(&self.calls);
        self.usable()?;
        Ok(call)
    }

    fn volcengine(&self) -> Result<&(volcengine::Account, volcengine::Credentials), Error> {
        self.volcengine.as_ref().ok_or_else(|| {
            let text = "this client has no Volcengine credentials: set volcengine.access_key and volcengine.secret_key";
            Error::not_configured(config::VOLCENGINE_ACCESS_KEY.key, text)
        })
    }

    fn zego(&self) -> Result<&(zego::Project, Secret), Error> {
        self.zego.as_ref().ok_or_else(|| {
            let text = "this client has no ZEGO credentials: set zego.app_id and zego.server_secret";
            Error::not_configured(config::ZEGO_APP_ID.key, text)
        })
    }

    fn zego_request(&self, action: &str, parameters: &[(&str, &str)]) -> Result<SignedRequest, Error> {
        let (project, server_secret) = self.zego()?;
        let mut random = [0; 8];
        getrandom::getrandom(&mut random)
            .map_err(|error| Error::new(Code::Internal, "", format!("no random bytes for the nonce: {error}")))?;
        let nonce = zego::sign::nonce(random);
        Ok(zego::request(
            project,
            server_secret,
            action,
            parameters,
            UtcDateTime::now(),
            &nonce,
        ))
    }

    /// One attempt: what the vendor's answer says, or what its absence leaves to say.
    fn exchange(
        &self,
        vendor: Vendor,
        recipients: Recipients,
        request: SignedRequest,
        options: &CallOptions,
    ) -> Result<(Request, Vec<Recipient>, Vec<u8>), Error> {
        let request = request.map_err(|error| Error::new(Code::Internal, "", format!("no request: {error}")))?;
        match self.agent.exchange(request, self.deadline(options)) {
            Ok(answer) => {
                let (mut request, rows) = read(vendor, recipients, &answer);
                request.retry_after_ms = retry_after_ms(&answer);
                Ok((request, rows, answer.into_body()))
            }
            Err(failure) => {
                let request = self.unanswered(failure);
                let rows = request.for_each(recipients);
                Ok((request, rows, Vec::new()))
            }
        }
    }

    fn deadline(&self, options: &CallOptions) -> Deadline {
        Deadline::after(match options.timeout {
            CallTimeout::Default => Some(self.timeout),
            CallTimeout::After(timeout) => Some(timeout),
            CallTimeout::Never => None,
        })
    }

    fn unanswered(&self, failure: Failure) -> Request {
        let was_cut = self.calls.closed.load(Ordering::SeqCst) && failure.code != Code::Timeout;
        let code = if was_cut { Code::Closed } else { failure.code };
        match failure.status {
            Some(status) => {
                let request = Request::unreadable(status, &failure.text);
                match request.delivery {
                    // The status settles nothing: what is known is why the rest of the answer is missing.
                    Delivery::Unknown => Request { code, ..request },
                    _ => request,
                }
            }
            None => {
                let delivery = if failure.may_have_left {
                    Delivery::Unknown
                } else {
                    Delivery::NotSent
                };
                Request::failed(code, delivery, 0, failure.text)
            }
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

    fn vendors(&self) -> Vec<&'static str> {
        let volcengine = self.volcengine.as_ref().map(|_| "Volcengine");
        let zego = self.zego.as_ref().map(|_| "ZEGO");
        volcengine.into_iter().chain(zego).collect()
    }
}

type SignedRequest = Result<HttpRequest<Vec<u8>>, http::Error>;

fn read(vendor: Vendor, recipients: Recipients, answer: &Answer) -> (Request, Vec<Recipient>) {
    let (status, body) = (answer.status().as_u16(), answer.body().as_slice());
    match vendor {
        Vendor::Volcengine => volcengine::answer::read(recipients, status, body),
        Vendor::Zego => zego::answer::read(recipients, status, body),
    }
}

/// `Retry-After` in seconds. Its other form, a date, is left alone.
fn retry_after_ms(answer: &Answer) -> u32 {
    let seconds = answer
        .headers()
        .get(http::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok());
    seconds.map_or(0, |seconds: u32| seconds.saturating_mul(1000))
}

fn refuse_plaintext(config: &Config, setting: &config::Setting, endpoint: Option<&Endpoint>) -> Result<(), Error> {
    match endpoint {
        Some(endpoint)
            if endpoint.is_plaintext() && !endpoint.is_loopback() && !config.flag(&config::HTTP_ALLOW_PLAINTEXT) =>
        {
            let text = format!(
                "{} is not encrypted and not on this machine: use https://, or set http.allow_plaintext to true",
                endpoint.origin()
            );
            Err(Error::invalid(setting.key, text))
        }
        _ => Ok(()),
    }
}

fn limits(config: &Config) -> Limits {
    Limits {
        binary_counts_as_base64: config.text(&config::VOLCENGINE_PAYLOAD_LIMIT_COUNTS) == "base64",
        p2p_max_content: config.integer(&config::VOLCENGINE_P2P_MAX_CONTENT) as usize,
        p2p_max_users: config.integer(&config::VOLCENGINE_P2P_MAX_USERS) as usize,
        command_counts_as_encoded: config.text(&config::ZEGO_PAYLOAD_LIMIT_COUNTS) == "encoded",
        zego_max_id_length: config.integer(&config::ZEGO_MAX_ID_LENGTH) as usize,
    }
}

fn check_action(action: &str) -> Result<(), Error> {
    const HAVE_A_MESSAGE: [&str; 6] = [
        "SendUnicast",
        "SendRoomUnicast",
        "BatchSendRoomUnicast",
        "SendBroadcast",
        "P2PSendMessage",
        "SendCustomCommand",
    ];
    if HAVE_A_MESSAGE.contains(&action) {
        return Err(Error::invalid(
            "action",
            format!("{action} has a message of its own: send it with that"),
        ));
    }
    let is_name = (1..=64).contains(&action.len()) && action.bytes().all(|b| b.is_ascii_alphanumeric());
    if !is_name {
        return Err(Error::invalid(
            "action",
            "must be 1 to 64 letters and digits, as the vendor spells it",
        ));
    }
    Ok(())
}

fn check_version(version: &str) -> Result<(), Error> {
    let is_date = version.len() == 10
        && version.bytes().enumerate().all(|(at, b)| {
            if at == 4 || at == 7 {
                b == b'-'
            } else {
                b.is_ascii_digit()
            }
        });
    if !is_date {
        return Err(Error::invalid(
            "version",
            "must be the date that the vendor gives the action's version, as 2020-12-01",
        ));
    }
    Ok(())
}

/// A call under way, from its first check to its report.
struct UnderWay<'a>(&'a Calls);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if self.0.under_way.fetch_sub(1, Ordering::SeqCst) == 1 && self.0.closed.load(Ordering::SeqCst) {
            // The lock orders this with the waiter's last look, so that no wake-up is lost.
            drop(self.0.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.0.ended.notify_all();
        }
    }
}

impl Calls {
    /// Whether all ended by the deadline.
    fn wait_until_none(&self, deadline: Deadline) -> bool {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.under_way.load(Ordering::SeqCst) > 0 {
            guard = match deadline.remaining() {
                None => self.ended.wait(guard).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return false,
                Some(left) => {
                    self.ended
                        .wait_timeout(guard, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_of_another_name_is_taken_and_one_with_a_message_is_not() {
        check_action("P2PSendUserMessage").unwrap();
        for action in [
            "P2PSendMessage",
            "SendCustomCommand",
            "",
            "a b",
            "a&b=c",
            &"a".repeat(65),
        ] {
            assert_eq!(check_action(action).expect_err(action).field, "action");
        }
    }

    #[test]
    fn a_version_is_a_date() {
        check_version("2020-12-01").unwrap();
        for version in ["", "2020-12-1", "2020/12/01", "2020-12-01 ", "2020-12-0x"] {
            check_version(version).expect_err(version);
        }
    }
}
