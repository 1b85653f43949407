//! Addresses by host name, cached. ureq would look a name up for every request, on a new thread each time.
//!
//! A lookup runs on a thread of its own, one per name at a time, because nothing can interrupt `getaddrinfo`: whoever
//! needs the answer waits for it no longer than its deadline. Old addresses serve while they are looked up again, and
//! on when that fails; a failed connect drops them.

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

use super::ledger;
use super::traffic::Traffic;
use crate::error::Code;
use crate::log::{Level, Logger};
use crate::os;

/// ureq keeps no more addresses than this.
const MAX_ADDRESSES: usize = 16;

type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;
type Now = dyn Fn() -> Instant + Send + Sync;

/// A handle on the cache; clones share it.
#[derive(Clone)]
pub(super) struct CachedResolver(Arc<Cache>);

struct Cache {
    ttl: Duration,
    logger: Logger,
    lookup: Box<Lookup>,
    now: Box<Now>,
    entries: Mutex<HashMap<(String, u16), Entry>>,
    settled: Condvar,
    /// Nobody waits any more.
    is_closed: AtomicBool,
    /// Held while the host's log function runs, and to close: after that it is not called any more.
    gate: Mutex<()>,
    traffic: Arc<Traffic>,
}

#[derive(Default)]
struct Entry {
    /// Empty until a lookup succeeds.
    addresses: Vec<SocketAddr>,
    looked_up_at: Option<Instant>,
    looking_up: bool,
    /// How many lookups have ended: a waiter sees by it that its own has.
    lookups: u64,
    failure: Unresolved,
}

/// Why a name has no address.
#[derive(Clone, Debug)]
pub(super) struct Unresolved {
    /// `Resolve`, or `NoResources` if the system lacked what a lookup needs.
    pub code: Code,
    pub why: String,
}

impl Default for Unresolved {
    fn default() -> Unresolved {
        Unresolved {
            code: Code::Resolve,
            why: String::new(),
        }
    }
}

impl std::fmt::Display for Unresolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Unresolved {}

impl CachedResolver {
    pub fn new(ttl: Duration, logger: Logger, traffic: Arc<Traffic>) -> CachedResolver {
        let lookup = |host: &str, port: u16| Ok((host, port).to_socket_addrs()?.collect());
        CachedResolver::with(ttl, logger, traffic, Box::new(lookup), Box::new(Instant::now))
    }

    fn with(
        ttl: Duration,
        logger: Logger,
        traffic: Arc<Traffic>,
        lookup: Box<Lookup>,
        now: Box<Now>,
    ) -> CachedResolver {
        CachedResolver(Arc::new(Cache {
            ttl,
            logger,
            lookup,
            now,
            entries: Mutex::default(),
            settled: Condvar::new(),
            is_closed: AtomicBool::new(false),
            gate: Mutex::new(()),
            traffic,
        }))
    }

    /// Nobody waits for a lookup any more, since nothing can interrupt one; and what still comes back logs nothing.
    pub fn shut_down(&self) {
        let gate = self.0.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = self.0.entries();
        self.0.is_closed.store(true, Ordering::SeqCst);
        drop((entries, gate));
        self.0.settled.notify_all();
    }

    /// After a failed connect the addresses are not to be trusted.
    pub fn forget(&self, uri: &Uri) {
        if let Ok((host, port)) = host_and_port(uri) {
            if let Some(entry) = self.0.entries().get_mut(&(host, port)) {
                entry.addresses.clear();
            }
        }
    }

    fn addresses(&self, host: &str, port: u16, timeout: Option<Duration>) -> Result<Vec<SocketAddr>, Error> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        self.0.clone().of_name((host.to_owned(), port), timeout)
    }
}

impl Cache {
    fn entries(&self) -> MutexGuard<'_, HashMap<(String, u16), Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of_name(self: Arc<Cache>, name: (String, u16), timeout: Option<Duration>) -> Result<Vec<SocketAddr>, Error> {
        let mut entries = self.entries();
        let entry = entries.entry(name.clone()).or_default();
        let age = entry.looked_up_at.map(|at| (self.now)().saturating_duration_since(at));
        let is_fresh = age.is_some_and(|age| age < self.ttl);
        if is_fresh && !entry.addresses.is_empty() {
            return Ok(entry.addresses.clone());
        }
        if !entry.looking_up {
            entry.looking_up = true;
            let (cache, name) = (self.clone(), name.clone());
            if let Err(error) = os::spawn("rtcmsg-dns", move || cache.look_up(&name)) {
                entry.looking_up = false;
                if entry.addresses.is_empty() {
                    let why = format!("the system gives no thread for the DNS lookup: {error}");
                    return Err(unresolved(Code::NoResources, why));
                }
            }
        }
        if !entry.addresses.is_empty() {
            return Ok(entry.addresses.clone());
        }
        let ended_before = entry.lookups;
        drop(entries);
        ledger::give_back_permit();
        let entries = self.entries();
        let in_flight = |entries: &mut HashMap<_, Entry>| {
            let is_open = !self.is_closed.load(Ordering::SeqCst);
            is_open && entries.get(&name).is_some_and(|e| e.lookups == ended_before)
        };
        let entries = match timeout {
            None => self
                .settled
                .wait_while(entries, in_flight)
                .unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.settled.wait_timeout_while(entries, timeout, in_flight);
                let (entries, result) = waited.unwrap_or_else(PoisonError::into_inner);
                if result.timed_out() {
                    return Err(Error::Timeout(ureq::Timeout::Resolve));
                }
                entries
            }
        };
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(unresolved(Code::Resolve, "the client was closed".to_owned()));
        }
        match entries.get(&name) {
            Some(entry) if !entry.addresses.is_empty() => Ok(entry.addresses.clone()),
            Some(entry) => Err(Error::Other(Box::new(entry.failure.clone()))),
            None => Err(Error::HostNotFound),
        }
    }

    fn look_up(&self, name: &(String, u16)) {
        let (host, port) = name;
        self.traffic.dns_lookups.add(1);
        let found = (self.lookup)(host.trim_start_matches('[').trim_end_matches(']'), *port);
        let mut trouble = None;
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
                entry.failure = Unresolved {
                    code: if lacks_resources {
                        Code::NoResources
                    } else {
                        Code::Resolve
                    },
                    why: format!("{host}: {why}"),
                };
                // The old addresses serve for another while before the next try.
                entry.looked_up_at = Some((self.now)());
                trouble = Some(why);
            }
        }
        drop(entries);
        self.settled.notify_all();
        // The host's log function runs without the lock that others wait for: it may take its time, or locks of its own.
        if let Some(why) = trouble {
            let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.is_closed.load(Ordering::SeqCst) {
                self.logger
                    .log(Level::Warn, || format!("DNS lookup failed: {host}: {why}"));
            }
        }
    }
}

fn unresolved(code: Code, why: String) -> Error {
    Error::Other(Box::new(Unresolved { code, why }))
}

fn host_and_port(uri: &Uri) -> Result<(String, u16), Error> {
    let host = uri.host().ok_or_else(|| Error::BadUri("no host".to_owned()))?;
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    Ok((host.to_owned(), uri.port_u16().unwrap_or(default)))
}

impl Resolver for CachedResolver {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let (host, port) = host_and_port(uri)?;
        let steps_own = (!timeout.after.is_not_happening()).then_some(*timeout.after);
        let attempts = ledger::due().map(|due| due.saturating_duration_since(Instant::now()));
        let timeout = steps_own.into_iter().chain(attempts).min();
        let mut resolved = self.empty();
        for address in self.addresses(&host, port, timeout)?.into_iter().take(MAX_ADDRESSES) {
            resolved.push(address);
        }
        Ok(resolved)
    }
}

impl std::fmt::Debug for CachedResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CachedResolver")
    }
}

#[cfg(test)]
mod tests;
