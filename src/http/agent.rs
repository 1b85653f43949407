//! ureq, set up for requests with side effects: nothing is ever replayed or redirected, everything ends by a deadline,
//! and a failure says whether request bytes may have left.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use rustls::ClientConfig;
use ureq::config::AutoHeaderValue;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector};
use ureq::{Body, Proxy};

use super::keep_alive;
use super::ledger::{HttpConnection, Ledger, Progress, Reached, Step, UnderWay};
use super::pool::{OpenAhead, Pool, Pooled};
use super::resolver::{CachedResolver, Unresolved};
use super::tcp::Tcp;
use super::tls::{self, Tls};
use super::traffic::Traffic;
use crate::config::{self, Config, Endpoint};
use crate::deadline::Deadline;
use crate::error::{Code, Error};
use crate::log::Logger;
use crate::sync::Arc as SharedArc;

/// An answer, read to its end.
pub(crate) type Answer = Response<Vec<u8>>;

/// Answers longer than this are no answers of these vendors.
const MAX_ANSWER: u64 = 1024 * 1024;
/// ureq's default takes half a MiB per TLS connection.
const BUFFER_SIZE: usize = 16 * 1024;

/// Why an attempt brought no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub code: Code,
    /// Whether any byte of the request may have left.
    pub may_have_left: bool,
    /// The status, if the head of an answer came and only its body failed.
    pub status: Option<u16>,
    pub text: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    max_connections: usize,
    max_idle: Duration,
    max_age: Duration,
    dns_ttl: Duration,
    connect_timeout: Duration,
    proxy: Option<Proxy>,
    tls: Arc<ClientConfig>,
}

impl Settings {
    /// Reads and checks everything now, the CA file too, so that no send can fail for it later.
    pub fn new(config: &Config) -> Result<Settings, Error> {
        Ok(Settings {
            max_connections: config.integer(&config::HTTP_MAX_CONNECTIONS) as usize,
            max_idle: config.millis(&config::HTTP_MAX_IDLE_MS),
            max_age: config.millis(&config::HTTP_MAX_CONNECTION_AGE_MS),
            dns_ttl: config.millis(&config::HTTP_DNS_TTL_MS),
            connect_timeout: config.millis(&config::HTTP_CONNECT_TIMEOUT_MS),
            proxy: proxy(config.text(&config::HTTP_PROXY))?,
            tls: tls::client_config(config.text(&config::TLS_CA_FILE))?,
        })
    }
}

fn proxy(text: &str) -> Result<Option<Proxy>, Error> {
    match text {
        "" => Ok(None),
        "env" => Ok(Proxy::try_from_env()),
        url => named_proxy(url).map(Some),
    }
}

/// The URL may hold a password, so no error repeats it.
fn named_proxy(url: &str) -> Result<Proxy, Error> {
    let refuse = || {
        Error::invalid(
            config::HTTP_PROXY.key,
            "takes http://[user:password@]host[:port] or env",
        )
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(refuse)?;
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    Endpoint::parse(config::HTTP_PROXY.key, &format!("{scheme}://{host}")).map_err(|_| refuse())?;
    Proxy::new(url).map_err(|_| refuse())
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
        let has_proxy = settings.proxy.is_some();
        let traffic = Arc::<Traffic>::default();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(settings.proxy)
            .user_agent(concat!("rtcmsg/", env!("CARGO_PKG_VERSION")))
            .accept(AutoHeaderValue::None)
            .accept_encoding(AutoHeaderValue::None)
            .input_buffer_size(BUFFER_SIZE)
            .output_buffer_size(BUFFER_SIZE)
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .timeout_resolve(Some(settings.connect_timeout))
            .timeout_connect(Some(settings.connect_timeout))
            .build();
        let connector = ()
            .chain(Reached {
                step: Step::Connecting,
                has_proxy,
            })
            .chain(ConnectProxyConnector::default())
            .chain(Tcp)
            .chain(Reached {
                step: Step::TlsHandshake,
                has_proxy,
            })
            .chain(Tls(settings.tls))
            .chain(Ledger {
                max_age: settings.max_age,
                has_proxy,
                traffic: traffic.clone(),
            });
        let resolver = CachedResolver::new(settings.dns_ttl, logger, traffic.clone());
        let pool = Arc::new(Pool::new(settings.max_idle, settings.max_connections));
        let connector = Pooled::new(connector, pool.clone(), has_proxy);
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
        opened.map_err(|error| format!("{}: {error}", authority(uri)))
    }

    /// Sends the request once and reads the answer to its end, all by the deadline; not at all once it has expired.
    /// `progress` says meanwhile how far it has come. The connection is closed unless the caller calls [`Reusable::keep`].
    pub fn exchange(
        &self,
        request: Request<Vec<u8>>,
        deadline: Deadline,
        expires: Deadline,
        progress: &SharedArc<Progress>,
    ) -> Result<(Answer, Reusable<'_>), Failure> {
        let uri = request.uri().clone();
        let started = Instant::now();
        let under_way = UnderWay::begin(progress, deadline, expires);
        let response = self.agent.run(request).map_err(|error| {
            let step = under_way.step();
            if matches!(step, Step::Connecting | Step::TlsHandshake) {
                self.resolver.forget(&uri);
            }
            let failure = failure(&error, &uri, step, None);
            if failure.may_have_left || !expires.has_passed() {
                return failure;
            }
            Failure {
                code: Code::Expired,
                text: format!("{}: it expired while {}", authority(&uri), doing(step)),
                ..failure
            }
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
            Err(error) => Err(failure(&error, &uri, under_way.step(), Some(status))),
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

fn failure(error: &ureq::Error, uri: &http::Uri, step: Step, status: Option<u16>) -> Failure {
    let (code, what) = describe(error, step);
    Failure {
        code,
        may_have_left: step == Step::RequestWritten,
        status,
        text: format!("{}: {what}", authority(uri)),
    }
}

fn describe(error: &ureq::Error, step: Step) -> (Code, String) {
    if let ureq::Error::Timeout(_) = error {
        return (Code::Timeout, format!("the deadline passed while {}", doing(step)));
    }
    match step {
        Step::Resolving => {
            let why = match error {
                ureq::Error::Other(other) => other
                    .downcast_ref::<Unresolved>()
                    .map(|unresolved| unresolved.0.clone()),
                _ => None,
            };
            (
                Code::Resolve,
                format!("no address: {}", why.unwrap_or_else(|| error.to_string())),
            )
        }
        Step::Connecting => (Code::Connect, format!("cannot connect: {error}")),
        Step::TlsHandshake => (Code::Tls, format!("the TLS handshake failed: {error}")),
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
