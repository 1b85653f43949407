//! ureq, configured for requests that have side effects. No request is repeated or redirected, everything ends by a deadline,
//! and a failure says whether request bytes may have been sent.

use std::env;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Response;
use rustls::ClientConfig;
use ureq::Body;
use ureq::config::AutoHeaderValue;
use ureq::unversioned::transport::Connector;

use super::connect::Connect;
use super::keep_alive;
use super::pool::{Pool, PooledConnector, Prewarm};
use super::progress::{AttemptGuard, HttpConnection, Progress, SendPermit, Step, StepProbe, TrackedConnector};
use super::proxy::Proxies;
use super::resolver::{CachedResolver, ResolveError};
use super::tls::{self, Tls};
use super::tls_failure;
use super::traffic::Traffic;
use super::tunnel::{ProxyFailure, USER_AGENT};
use crate::config::{self, Config, Endpoint};
use crate::error::{Code, Error};
use crate::log::Logger;
use crate::os;
use crate::report::Request;
use crate::util::deadline::Deadline;
use crate::util::sync::Arc as SharedArc;

/// An answer whose body was read to the end.
pub(crate) type Answer = Response<Vec<u8>>;

/// The longest answer that is read. No vendor sends longer ones.
const MAX_ANSWER: u64 = 1024 * 1024;
/// The size of ureq's buffers. With its default a TLS connection takes half a MiB.
const BUFFER_SIZE: usize = 16 * 1024;

/// The reason why an attempt has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The permit was refused, so nothing was sent. The request says why.
    NotPermitted(Box<Request>),
    Broken(BrokenExchange),
}

#[derive(Debug)]
pub(crate) struct BrokenExchange {
    pub code: Code,
    /// Whether any byte of the request may have been sent.
    pub may_have_left: bool,
    /// The status, if the head of an answer was received and only its body was not.
    pub status: Option<u16>,
    pub text: String,
    /// Whether the proxy refuses the credentials. Then no request is tried again.
    pub proxy_refuses_credentials: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    max_connections: usize,
    max_idle: Duration,
    max_age: Duration,
    dns_ttl: Duration,
    connect_timeout: Duration,
    proxies: Proxies,
    tls: Arc<ClientConfig>,
}

impl Settings {
    /// Reads and checks all settings, the CA file included, so that none of them can make a send to `endpoints` fail later.
    pub fn new(config: &Config, endpoints: &[&Endpoint]) -> Result<Settings, Error> {
        Ok(Settings {
            max_connections: config.integer(&config::HTTP_MAX_IDLE_CONNECTIONS) as usize,
            max_idle: config.millis(&config::HTTP_IDLE_TIMEOUT_MS),
            max_age: config.millis(&config::HTTP_MAX_CONNECTION_AGE_MS),
            dns_ttl: config.millis(&config::HTTP_DNS_TTL_MS),
            connect_timeout: config.millis(&config::HTTP_CONNECT_TIMEOUT_MS),
            proxies: Proxies::new(config.text(&config::HTTP_PROXY), endpoints, &|name| env::var_os(name))?,
            tls: tls::client_config(config.text(&config::TLS_CA_FILE))?,
        })
    }
}

/// A pool of connections, with all that is needed to open them. Any number of threads may use it.
pub(crate) struct Agent {
    agent: ureq::Agent,
    resolver: CachedResolver,
    connect_timeout: Duration,
    pool: Arc<Pool>,
    prewarmer: Box<dyn Prewarm>,
    pub traffic: Arc<Traffic>,
}

impl Agent {
    pub fn new(settings: Settings, logger: Logger) -> Agent {
        let traffic = Arc::<Traffic>::default();
        let proxies = Arc::new(settings.proxies);
        let resolver = CachedResolver::new(proxies.clone(), settings.dns_ttl, logger, traffic.clone());
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // The connector selects the proxy. Without this ureq would read the environment.
            .proxy(None)
            .user_agent(USER_AGENT)
            .accept(AutoHeaderValue::None)
            .accept_encoding("identity")
            .input_buffer_size(BUFFER_SIZE)
            .output_buffer_size(BUFFER_SIZE)
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .timeout_resolve(Some(settings.connect_timeout))
            .timeout_connect(Some(settings.connect_timeout))
            .build();
        let connector = ()
            .chain(StepProbe { step: Step::Connecting })
            .chain(Connect {
                resolver: resolver.clone(),
                proxies,
            })
            .chain(StepProbe {
                step: Step::TlsHandshake,
            })
            .chain(Tls(settings.tls))
            .chain(TrackedConnector {
                max_age: settings.max_age,
                traffic: traffic.clone(),
            });
        let pool = Arc::new(Pool::new(settings.max_idle, settings.max_connections));
        let connector = PooledConnector::new(connector, pool.clone());
        Agent {
            pool,
            prewarmer: Box::new(connector.clone()),
            agent: ureq::Agent::with_parts(config, connector, resolver.clone()),
            resolver,
            connect_timeout: settings.connect_timeout,
            traffic,
        }
    }

    /// Opens a connection to this host, TLS handshake included, and keeps it in the pool for the next request.
    pub fn prewarm(&self, uri: &http::Uri) -> Result<(), String> {
        let opened = self
            .prewarmer
            .open(uri, self.agent.config(), &self.resolver, self.connect_timeout);
        opened.map_err(|error| {
            let what = tls_failure::known_cause(&error).unwrap_or_else(|| error.to_string());
            format!("{}: {what}", authority(uri))
        })
    }

    /// Sends the request once and reads the answer to its end, all before the deadline. A request that has expired before its
    /// first byte is not sent. Other threads can follow the attempt in `progress`, and stop it. The connection is closed unless
    /// the caller calls [`Reusable::keep`].
    pub fn exchange(
        &self,
        request: http::Request<Vec<u8>>,
        deadline: Deadline,
        expires: Deadline,
        progress: &SharedArc<Progress>,
        permit: Option<Arc<dyn SendPermit>>,
    ) -> Result<(Answer, Reusable<'_>), Failure> {
        let uri = request.uri().clone();
        let started = Instant::now();
        let attempt = AttemptGuard::begin(progress, deadline, expires, permit);
        let response = self.agent.run(request).map_err(|error| {
            if let Some(request) = attempt.not_permitted() {
                return Failure::NotPermitted(request);
            }
            let step = attempt.step();
            let failure = failure(&error, &uri, step, None);
            // A lack of descriptors, the deadline of the caller or a refusal of the proxy does not show that the addresses are
            // bad.
            let spares_addresses = matches!(
                failure.code,
                Code::NoResources | Code::Timeout | Code::Expired | Code::Proxy
            );
            if matches!(step, Step::Connecting | Step::TlsHandshake) && !spares_addresses {
                self.resolver.forget(&uri);
            }
            if failure.may_have_left || !expires.has_passed() {
                return Failure::Broken(failure);
            }
            Failure::Broken(BrokenExchange {
                code: Code::Expired,
                text: format!("{}: the request expired while {}", authority(&uri), activity(step)),
                ..failure
            })
        })?;
        let (head, mut body) = response.into_parts();
        let status = head.status.as_u16();
        match read_to_end(&mut body) {
            Ok(body) => {
                let ended = Instant::now();
                self.traffic.wire.record(ended - started);
                let reusable = Reusable {
                    pool: &self.pool,
                    connection: attempt.take_connection(),
                    idle_since: ended,
                    limit: keep_alive::reuse_limit(&head.headers),
                };
                Ok((Response::from_parts(head, body), reusable))
            }
            Err(error) => Err(Failure::Broken(failure(&error, &uri, attempt.step(), Some(status)))),
        }
    }

    /// Closes every connection, also those in use. Every attempt that waits for one, or for a DNS lookup, fails now.
    pub fn shut_down(&self) {
        self.resolver.shut_down();
        self.agent.clone().shutdown();
        self.pool.shut_down();
    }
}

/// The connection of an answer, if both sides keep it open. Dropping this closes the connection.
#[must_use]
pub(crate) struct Reusable<'a> {
    pool: &'a Pool,
    connection: Option<HttpConnection>,
    idle_since: Instant,
    /// The limit that the server announced for this connection.
    limit: Option<Duration>,
}

impl Reusable<'_> {
    /// Returns the connection to the pool. Call it only if the answer belongs to the request.
    pub fn keep(self) {
        if let Some(connection) = self.connection {
            self.pool.put(connection, self.idle_since, self.limit);
        }
    }
}

fn read_to_end(body: &mut Body) -> Result<Vec<u8>, ureq::Error> {
    const USUAL: u64 = 1024;
    let expected = body.content_length().unwrap_or(USUAL).min(MAX_ANSWER);
    // One byte more than expected, since the read that finds the end needs room as well.
    let mut bytes = Vec::with_capacity(expected as usize + 1);
    // ureq refuses the byte at the limit even if it is the last one, so the limit is one byte more.
    let mut reader = body.with_config().limit(MAX_ANSWER + 1).reader();
    reader.read_to_end(&mut bytes).map_err(ureq::Error::from)?;
    Ok(bytes)
}

/// Host and port, without the query: that of ZEGO contains the message.
fn authority(uri: &http::Uri) -> &str {
    uri.authority().map_or("", |authority| authority.as_str())
}

fn failure(error: &ureq::Error, uri: &http::Uri, step: Step, status: Option<u16>) -> BrokenExchange {
    let (code, what) = describe(error, step);
    BrokenExchange {
        code,
        may_have_left: step == Step::RequestWritten,
        status,
        text: format!("{}: {what}", authority(uri)),
        proxy_refuses_credentials: own_error::<ProxyFailure>(error).is_some_and(|failure| failure.refuses_credentials),
    }
}

fn describe(error: &ureq::Error, step: Step) -> (Code, String) {
    if let ureq::Error::Timeout(_) = error {
        return (Code::Timeout, format!("the deadline passed while {}", activity(step)));
    }
    if let Some(failure) = own_error::<ProxyFailure>(error) {
        return (failure.code, failure.text.clone());
    }
    match step {
        Step::Resolving => match own_error::<ResolveError>(error) {
            Some(ResolveError {
                code: Code::NoResources,
                why,
            }) => (Code::NoResources, why.clone()),
            Some(ResolveError { why, .. }) => (Code::Resolve, format!("cannot resolve the host: {why}")),
            None => (Code::Resolve, format!("cannot resolve the host: {error}")),
        },
        Step::Connecting if matches!(error, ureq::Error::Io(error) if os::is_lack_of_resources(error)) => {
            (Code::NoResources, format!("cannot open a socket: {error}"))
        }
        Step::Connecting => (Code::Connect, format!("cannot connect: {error}")),
        Step::TlsHandshake if tls_failure::is_disconnect(error) => (
            Code::Connect,
            format!("the connection ended during the TLS handshake: {error}"),
        ),
        Step::TlsHandshake => (Code::Tls, tls_failure::describe(error)),
        Step::Connected => (
            Code::Connect,
            format!("the connection ended before the request: {error}"),
        ),
        Step::RequestWritten => match error {
            ureq::Error::Io(error) => (
                Code::Disconnected,
                format!("the connection ended before the answer did: {error}"),
            ),
            // ureq reports an end inside the size of a chunk in this way.
            ureq::Error::BodyStalled => (
                Code::Disconnected,
                "the connection ended before the answer did".to_owned(),
            ),
            ureq::Error::BodyExceedsLimit(_) => (
                Code::BadResponse,
                format!("the answer is longer than {MAX_ANSWER} bytes"),
            ),
            ureq::Error::LargeResponseHeader(_, limit) => (
                Code::BadResponse,
                format!("the head of the answer is longer than {limit} bytes"),
            ),
            error => (Code::BadResponse, format!("the answer is not valid HTTP: {error}")),
        },
    }
}

/// The error of our own that ureq has passed on, if it has this type.
fn own_error<E: std::error::Error + 'static>(error: &ureq::Error) -> Option<&E> {
    match error {
        ureq::Error::Other(other) => other.downcast_ref(),
        _ => None,
    }
}

fn activity(step: Step) -> &'static str {
    match step {
        Step::Resolving => "looking up the host",
        Step::Connecting => "connecting",
        Step::TlsHandshake => "in the TLS handshake",
        Step::Connected => "waiting to send",
        Step::RequestWritten => "sending or waiting for the answer",
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Agent")
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests;
