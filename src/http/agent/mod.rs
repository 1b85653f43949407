//! ureq, set up for requests with side effects: nothing is ever replayed or redirected, everything ends by a deadline,
//! and a failure says whether request bytes may have left.

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
use super::ledger::{HttpConnection, Ledger, Progress, Reached, SendPermit, Step, UnderWay};
use super::pool::{OpenAhead, Pool, Pooled};
use super::proxy::Proxies;
use super::resolver::{CachedResolver, Unresolved};
use super::tls::{self, Tls};
use super::tls_failure;
use super::traffic::Traffic;
use super::tunnel::ProxyFailure;
use crate::config::{self, Config, Endpoint};
use crate::error::{Code, Error};
use crate::log::Logger;
use crate::os;
use crate::report::Request;
use crate::util::deadline::Deadline;
use crate::util::sync::Arc as SharedArc;

/// An answer, read to its end.
pub(crate) type Answer = Response<Vec<u8>>;

/// Answers longer than this are no answers of these vendors.
const MAX_ANSWER: u64 = 1024 * 1024;
/// ureq's default takes half a MiB per TLS connection.
const BUFFER_SIZE: usize = 16 * 1024;

/// How this library names itself to vendors and proxies.
pub(super) const USER_AGENT: &str = concat!("rtcmsg/", env!("CARGO_PKG_VERSION"));

/// Why an attempt brought no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Its permit was refused: nothing was sent, and the request says why.
    Withheld(Box<Request>),
    Broken(BrokenExchange),
}

#[derive(Debug)]
pub(crate) struct BrokenExchange {
    pub code: Code,
    /// Whether any byte of the request may have left.
    pub may_have_left: bool,
    /// The status, if the head of an answer came and only its body failed.
    pub status: Option<u16>,
    pub text: String,
    /// The proxy wants other credentials than it was given: it is not asked again.
    pub is_proxy_locked: bool,
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
    /// Reads and checks everything now, the CA file too, so that no send to one of `endpoints` can fail for it later.
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

/// A pool of connections and the way to make them; any thread may use it.
pub(crate) struct Agent {
    agent: ureq::Agent,
    resolver: CachedResolver,
    connect_timeout: Duration,
    pool: Arc<Pool>,
    opener: Box<dyn OpenAhead>,
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
            // Which proxy is used is our matter: without this ureq would read the environment.
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
            .chain(Reached { step: Step::Connecting })
            .chain(Connect {
                resolver: resolver.clone(),
                proxies,
            })
            .chain(Reached {
                step: Step::TlsHandshake,
            })
            .chain(Tls(settings.tls))
            .chain(Ledger {
                max_age: settings.max_age,
                traffic: traffic.clone(),
            });
        let pool = Arc::new(Pool::new(settings.max_idle, settings.max_connections));
        let connector = Pooled::new(connector, pool.clone());
        Agent {
            pool,
            opener: Box::new(connector.clone()),
            agent: ureq::Agent::with_parts(config, connector, resolver.clone()),
            resolver,
            connect_timeout: settings.connect_timeout,
            traffic,
        }
    }

    /// Opens a connection and keeps it for the next request to this host.
    pub fn open_ahead(&self, uri: &http::Uri) -> Result<(), String> {
        let opened = self
            .opener
            .open(uri, self.agent.config(), &self.resolver, self.connect_timeout);
        opened.map_err(|error| {
            let what = tls_failure::sentence_of(&error).unwrap_or_else(|| error.to_string());
            format!("{}: {what}", authority(uri))
        })
    }

    /// Sends the request once and reads the answer to its end, all by the deadline; not at all once it has expired.
    /// `progress` says meanwhile how far it has come. The connection is closed unless the caller calls [`Reusable::keep`].
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
        let under_way = UnderWay::begin(progress, deadline, expires, permit);
        let response = self.agent.run(request).map_err(|error| {
            if let Some(request) = under_way.withheld() {
                return Failure::Withheld(request);
            }
            let step = under_way.step();
            let failure = failure(&error, &uri, step, None);
            // A lack of descriptors, the caller's own deadline or a refusal of the proxy says nothing against the addresses.
            let says_nothing = matches!(
                failure.code,
                Code::NoResources | Code::Timeout | Code::Expired | Code::Proxy
            );
            if matches!(step, Step::Connecting | Step::TlsHandshake) && !says_nothing {
                self.resolver.forget(&uri);
            }
            if failure.may_have_left || !expires.has_passed() {
                return Failure::Broken(failure);
            }
            Failure::Broken(BrokenExchange {
                code: Code::Expired,
                text: format!("{}: it expired while {}", authority(&uri), doing(step)),
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
                    connection: under_way.take_returned(),
                    idle_since: ended,
                    limit: keep_alive::reuse_limit(&head.headers),
                };
                Ok((Response::from_parts(head, body), reusable))
            }
            Err(error) => Err(Failure::Broken(failure(&error, &uri, under_way.step(), Some(status)))),
        }
    }

    /// Ends every connection, also those in use: whoever waits on one, or for a name, gets a failure now.
    pub fn shut_down(&self) {
        self.resolver.shut_down();
        self.agent.clone().shutdown();
        self.pool.shut_down();
    }
}

/// The connection of an answer, if both sides keep it open. It is closed when this is dropped.
#[must_use]
pub(crate) struct Reusable<'a> {
    pool: &'a Pool,
    connection: Option<HttpConnection>,
    idle_since: Instant,
    /// The limit that the server has announced.
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
    // A byte more than is expected: the read that finds the end needs room, too.
    let mut bytes = Vec::with_capacity(expected as usize + 1);
    // ureq refuses the byte at the limit even if it is the last: one more, so that the longest answer passes.
    let mut reader = body.with_config().limit(MAX_ANSWER + 1).reader();
    reader.read_to_end(&mut bytes).map_err(ureq::Error::from)?;
    Ok(bytes)
}

/// Host and port alone: ZEGO's query holds the message.
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
        is_proxy_locked: of_type::<ProxyFailure>(error).is_some_and(|failure| failure.wants_credentials),
    }
}

fn describe(error: &ureq::Error, step: Step) -> (Code, String) {
    if let ureq::Error::Timeout(_) = error {
        return (Code::Timeout, format!("the deadline passed while {}", doing(step)));
    }
    if let Some(failure) = of_type::<ProxyFailure>(error) {
        return (failure.code, failure.text.clone());
    }
    match step {
        Step::Resolving => match of_type::<Unresolved>(error) {
            Some(Unresolved {
                code: Code::NoResources,
                why,
            }) => (Code::NoResources, why.clone()),
            Some(Unresolved { why, .. }) => (Code::Resolve, format!("no address: {why}")),
            None => (Code::Resolve, format!("no address: {error}")),
        },
        Step::Connecting if matches!(error, ureq::Error::Io(error) if os::is_lack_of_resources(error)) => {
            (Code::NoResources, format!("the system gives no socket: {error}"))
        }
        Step::Connecting => (Code::Connect, format!("cannot connect: {error}")),
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
            // ureq's word for an end inside a chunk's size.
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
            error => (Code::BadResponse, format!("the answer is no HTTP: {error}")),
        },
    }
}

/// An error of our own that ureq handed on.
fn of_type<E: std::error::Error + 'static>(error: &ureq::Error) -> Option<&E> {
    match error {
        ureq::Error::Other(other) => other.downcast_ref(),
        _ => None,
    }
}

fn doing(step: Step) -> &'static str {
    match step {
        Step::Resolving => "looking up the host",
        Step::Connecting => "connecting",
        Step::TlsHandshake => "in the TLS handshake",
        Step::Connected => "about to send",
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
