//! A cache of addresses by host name. Without it ureq would look the name up for every request, on a new thread each time.
//!
//! Nothing can interrupt `getaddrinfo`, so each lookup runs on a thread of its own, at most one per name. An attempt that
//! needs the result waits for it no longer than its deadline. Old addresses are used while they are looked up again, and
//! after a lookup that fails. A failed connect removes them. The cache remembers across lookups which addresses failed, so
//! that the next connection begins with another one.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::progress;
use super::proxy::Proxies;
use super::traffic::Traffic;
use crate::error::Code;
use crate::log::{Level, Logger};
use crate::os;
use crate::util::host::{self, without_brackets};

/// The time for which an address that failed is tried after the others.
const DEMOTION: Duration = Duration::from_secs(600);

type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;
type Now = dyn Fn() -> Instant + Send + Sync;

/// A handle to the cache. Its clones share the cache.
#[derive(Clone)]
pub(super) struct CachedResolver(Arc<Cache>);

struct Cache {
    /// Behind a proxy the name of the proxy is looked up, not that of the host.
    proxies: Arc<Proxies>,
    ttl: Duration,
    logger: Logger,
    lookup: Box<Lookup>,
    now: Box<Now>,
    entries: Mutex<HashMap<(String, u16), Entry>>,
    lookup_done: Condvar,
    /// After this is set no attempt waits for a lookup.
    is_closed: AtomicBool,
    /// Held while the host's log function runs, and during the shutdown, after which that function is not called any more.
    log_lock: Mutex<()>,
    traffic: Arc<Traffic>,
}

#[derive(Default)]
struct Entry {
    /// Empty until a lookup succeeds.
    addresses: Vec<SocketAddr>,
    /// The time at which an address failed. An address that has not answered when a later one does counts as failed.
    failed_at: HashMap<SocketAddr, Instant>,
    looked_up_at: Option<Instant>,
    looking_up: bool,
    /// The number of lookups that have ended, by which a waiting attempt sees that its own has.
    lookups: u64,
    failure: ResolveError,
}

/// Why a name has no address.
#[derive(Clone, Debug)]
pub(super) struct ResolveError {
    /// `Resolve`, or `NoResources` if the system lacked what a lookup needs.
    pub code: Code,
    pub why: String,
}

impl Default for ResolveError {
    fn default() -> ResolveError {
        ResolveError {
            code: Code::Resolve,
            why: String::new(),
        }
    }
}

impl std::fmt::Display for ResolveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for ResolveError {}

impl CachedResolver {
    pub fn new(proxies: Arc<Proxies>, ttl: Duration, logger: Logger, traffic: Arc<Traffic>) -> CachedResolver {
        let lookup = |host: &str, port: u16| Ok((host, port).to_socket_addrs()?.collect());
        CachedResolver::with(proxies, ttl, logger, traffic, Box::new(lookup), Box::new(Instant::now))
    }

    pub(super) fn with(
        proxies: Arc<Proxies>,
        ttl: Duration,
        logger: Logger,
        traffic: Arc<Traffic>,
        lookup: Box<Lookup>,
        now: Box<Now>,
    ) -> CachedResolver {
        CachedResolver(Arc::new(Cache {
            proxies,
            ttl,
            logger,
            lookup,
            now,
            entries: Mutex::default(),
            lookup_done: Condvar::new(),
            is_closed: AtomicBool::new(false),
            log_lock: Mutex::new(()),
            traffic,
        }))
    }

    /// Ends every wait for a lookup with an error. A lookup in progress cannot be interrupted; when it ends, it logs nothing.
    pub fn shut_down(&self) {
        let log_lock = self.0.log_lock.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = self.0.entries();
        self.0.is_closed.store(true, Ordering::SeqCst);
        drop((entries, log_lock));
        self.0.lookup_done.notify_all();
    }

    /// Removes the addresses of the peer for this URI, after a failed connect.
    pub fn forget(&self, uri: &Uri) {
        if let Ok((host, port)) = self.peer(uri) {
            if let Some(entry) = self.0.entries().get_mut(&(host.to_owned(), port)) {
                entry.addresses.clear();
            }
        }
    }

    /// The addresses of the peer for this URI, in the order in which they are tried.
    pub fn addresses(&self, uri: &Uri, timeout: Option<Duration>) -> Result<Vec<SocketAddr>, Error> {
        let (host, port) = self.peer(uri)?;
        if let Some(address) = address_literal(host, port) {
            return Ok(vec![address]);
        }
        let now = (self.0.now)();
        let name = (host.to_owned(), port);
        self.0.clone().with_entry(name, timeout, |entry| entry.ordered(now))
    }

    /// Records which addresses of the peer for this URI failed in a race of connects, and which one won.
    pub fn record_race(&self, uri: &Uri, failed: &[SocketAddr], winner: Option<SocketAddr>) {
        let Ok((host, port)) = self.peer(uri) else { return };
        let now = (self.0.now)();
        let mut entries = self.0.entries();
        let Some(entry) = entries.get_mut(&(host.to_owned(), port)) else {
            return;
        };
        entry
            .failed_at
            .retain(|address, at| Some(*address) != winner && is_recent(now, *at));
        entry.failed_at.extend(failed.iter().map(|address| (*address, now)));
    }

    /// The host and port to which a connection for this URI is opened: those of its proxy, or of the URI itself.
    fn peer<'a>(&'a self, uri: &'a Uri) -> Result<(&'a str, u16), Error> {
        match self.0.proxies.of(uri) {
            Some(proxy) => Ok((proxy.host(), proxy.port())),
            None => host_and_port(uri),
        }
    }
}

/// The address of a host that is written as an address and needs no lookup.
fn address_literal(host: &str, port: u16) -> Option<SocketAddr> {
    Some(SocketAddr::new(without_brackets(host).parse().ok()?, port))
}

fn is_recent(now: Instant, failed_at: Instant) -> bool {
    now.saturating_duration_since(failed_at) < DEMOTION
}

impl Entry {
    /// The addresses in the order of RFC 8305, which alternates between the families. Those that failed recently follow, with
    /// the one that failed longest ago first.
    fn ordered(&self, now: Instant) -> Vec<SocketAddr> {
        let failed_at = |address: &SocketAddr| self.failed_at.get(address).filter(|at| is_recent(now, **at));
        let (mut demoted, good): (Vec<_>, Vec<_>) =
            self.addresses.iter().partition(|address| failed_at(address).is_some());
        demoted.sort_by_key(failed_at);
        let mut order = alternating(&good);
        order.extend(demoted);
        order
    }
}

/// Alternates between the families while both have addresses left. The first address stays the first.
fn alternating(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else {
        return Vec::new();
    };
    let (same, other): (Vec<_>, Vec<_>) = addresses.iter().partition(|a| a.is_ipv4() == first.is_ipv4());
    let mut other = other.into_iter();
    let mut order: Vec<SocketAddr> = same
        .into_iter()
        .flat_map(|a| [Some(a), other.next()])
        .flatten()
        .collect();
    order.extend(other);
    order
}

impl Cache {
    fn entries(&self) -> MutexGuard<'_, HashMap<(String, u16), Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `take` with the entry of this name, once the entry has addresses.
    fn with_entry<T>(
        self: Arc<Cache>,
        name: (String, u16),
        timeout: Option<Duration>,
        take: impl Fn(&Entry) -> T,
    ) -> Result<T, Error> {
        let mut entries = self.entries();
        let entry = entries.entry(name.clone()).or_default();
        let age = entry.looked_up_at.map(|at| (self.now)().saturating_duration_since(at));
        let is_fresh = age.is_some_and(|age| age < self.ttl);
        if is_fresh && !entry.addresses.is_empty() {
            return Ok(take(entry));
        }
        if !entry.looking_up {
            entry.looking_up = true;
            let (cache, name) = (self.clone(), name.clone());
            if let Err(error) = os::spawn("rtcmsg-dns", move || cache.look_up(&name)) {
                entry.looking_up = false;
                if entry.addresses.is_empty() {
                    let why = format!("cannot start a thread for the DNS lookup: {error}");
                    return Err(resolve_error(Code::NoResources, why));
                }
            }
        }
        if !entry.addresses.is_empty() {
            return Ok(take(entry));
        }
        let ended_before = entry.lookups;
        drop(entries);
        progress::release_permit();
        let entries = self.entries();
        let in_flight = |entries: &mut HashMap<_, Entry>| {
            let is_open = !self.is_closed.load(Ordering::SeqCst);
            is_open && entries.get(&name).is_some_and(|e| e.lookups == ended_before)
        };
        let entries = match timeout {
            None => self
                .lookup_done
                .wait_while(entries, in_flight)
                .unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.lookup_done.wait_timeout_while(entries, timeout, in_flight);
                let (entries, result) = waited.unwrap_or_else(PoisonError::into_inner);
                if result.timed_out() {
                    return Err(Error::Timeout(ureq::Timeout::Resolve));
                }
                entries
            }
        };
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(resolve_error(Code::Resolve, "the client was closed".to_owned()));
        }
        match entries.get(&name) {
            Some(entry) if !entry.addresses.is_empty() => Ok(take(entry)),
            Some(entry) => Err(Error::Other(Box::new(entry.failure.clone()))),
            None => Err(Error::HostNotFound),
        }
    }

    fn look_up(&self, name: &(String, u16)) {
        let (host, port) = name;
        self.traffic.dns_lookups.add(1);
        let found = (self.lookup)(without_brackets(host), *port);
        let mut failure = None;
        let mut entries = self.entries();
        let entry = entries.entry(name.clone()).or_default();
        entry.looking_up = false;
        entry.lookups += 1;
        match found {
            Ok(addresses) if !addresses.is_empty() => {
                entry.addresses = addresses;
                entry.looked_up_at = Some((self.now)());
            }
            failed => {
                let error = failed.err();
                let lacks_resources = error.as_ref().is_some_and(os::is_lack_of_resources);
                let why = error.map_or_else(|| "no address".to_owned(), |error| error.to_string());
                entry.failure = ResolveError {
                    code: if lacks_resources {
                        Code::NoResources
                    } else {
                        Code::Resolve
                    },
                    why: format!("{host}: {why}"),
                };
                // The old addresses are used for another time to live before the next lookup.
                entry.looked_up_at = Some((self.now)());
                failure = Some(why);
            }
        }
        drop(entries);
        self.lookup_done.notify_all();
        // The host's log function may be slow, or take locks, so it runs without the lock that attempts wait for.
        if let Some(why) = failure {
            let _log_lock = self.log_lock.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.is_closed.load(Ordering::SeqCst) {
                self.logger
                    .log(Level::Warn, || format!("DNS lookup failed: {host}: {why}"));
            }
        }
    }
}

fn resolve_error(code: Code, why: String) -> Error {
    Error::Other(Box::new(ResolveError { code, why }))
}

fn host_and_port(uri: &Uri) -> Result<(&str, u16), Error> {
    let host = uri.host().ok_or_else(|| Error::BadUri("no host".to_owned()))?;
    Ok((host, host::port(uri)))
}

impl Resolver for CachedResolver {
    /// Looks the name up, so that the wait counts as this step. The result is empty, since ureq has room for only 16
    /// addresses: [`Connect`](super::connect::Connect) takes them from the cache.
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let of_step = (!timeout.after.is_not_happening()).then_some(*timeout.after);
        let of_attempt = progress::step_deadline().map(|due| due.saturating_duration_since(Instant::now()));
        let timeout = of_step.into_iter().chain(of_attempt).min();
        let (host, port) = self.peer(uri)?;
        if address_literal(host, port).is_none() {
            let name = (host.to_owned(), port);
            self.0.clone().with_entry(name, timeout, |_| ())?;
        }
        Ok(self.empty())
    }
}

impl std::fmt::Debug for CachedResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CachedResolver")
    }
}

#[cfg(test)]
mod tests;
