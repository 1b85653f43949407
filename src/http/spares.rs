//! Connections opened ahead, for `warm_up`: they wait here, TLS and all, until ureq asks for one.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::time::{Duration as Wait, Instant as Moment};
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout, ShutdownHandle, Transport};

use super::ledger::{self, Step};
use crate::sync::{Mutex, MutexGuard, lock};

/// To read what is there, and not to wait.
const AT_ONCE: Duration = Duration::from_millis(1);

/// What an agent does with spares, whatever their type.
pub(super) trait Spares: Send + Sync {
    /// Opens a connection and keeps it.
    fn open(&self, uri: &Uri, config: &Config, resolver: &dyn Resolver, timeout: Duration) -> Result<(), Error>;

    /// Ends all of them, also those that were handed out.
    fn shut_down(&self);
}

/// The whole chain of connectors, with a shelf of connections before it.
pub(super) struct WithSpares<C: Connector<()>>(Arc<Inner<C>>);

struct Inner<C: Connector<()>> {
    chain: C,
    max_idle: Duration,
    /// For one host.
    most: usize,
    shelf: Mutex<Shelf<C::Out>>,
}

struct Shelf<T> {
    spares: Vec<Spare<T>>,
    /// ureq ends the connections that it has opened; these are ours to end.
    handles: Vec<Weak<dyn ShutdownHandle>>,
    is_closed: bool,
}

struct Spare<T> {
    origin: String,
    transport: T,
    since: Instant,
}

impl<C: Connector<()>> Clone for WithSpares<C> {
    fn clone(&self) -> WithSpares<C> {
        WithSpares(self.0.clone())
    }
}

impl<C: Connector<()>> WithSpares<C> {
    pub fn new(chain: C, max_idle: Duration, most: usize) -> WithSpares<C> {
        let shelf = Mutex::new(Shelf {
            spares: Vec::new(),
            handles: Vec::new(),
            is_closed: false,
        });
        WithSpares(Arc::new(Inner {
            chain,
            max_idle,
            most,
            shelf,
        }))
    }
}

impl<C: Connector<()>> Spares for WithSpares<C> {
    fn open(&self, uri: &Uri, config: &Config, resolver: &dyn Resolver, timeout: Duration) -> Result<(), Error> {
        let timeout = NextTimeout {
            after: Wait::from(timeout),
            reason: ureq::Timeout::Connect,
            per_read: None,
            per_write: None,
        };
        let addrs = resolver.resolve(uri, config, timeout)?;
        let (again, registry) = (self.clone(), self.0.clone());
        let details = ConnectionDetails {
            uri,
            addrs,
            config,
            request_level: false,
            resolver,
            now: Moment::now(),
            timeout,
            current_time: Arc::new(Moment::now),
            run_connector: Arc::new(move |details| {
                let transport = again.0.chain.connect(details, None)?;
                transport.map(Transport::boxed).ok_or(Error::ConnectionFailed)
            }),
            register_shutdown: Arc::new(move |handle| registry.shelf().register(handle)),
        };
        let transport = self.0.chain.connect(&details, None)?.ok_or(Error::ConnectionFailed)?;
        let origin = origin(uri);
        let mut shelf = self.0.shelf();
        shelf.spares.retain_mut(|spare| spare.stands(self.0.max_idle));
        let has_room = shelf.spares.iter().filter(|spare| spare.origin == origin).count() < self.0.most;
        if !shelf.is_closed && has_room {
            shelf.spares.push(Spare {
                origin,
                transport,
                since: Instant::now(),
            });
        }
        Ok(())
    }

    fn shut_down(&self) {
        let (spares, handles) = {
            let mut shelf = self.0.shelf();
            shelf.is_closed = true;
            (std::mem::take(&mut shelf.spares), std::mem::take(&mut shelf.handles))
        };
        drop(spares);
        for handle in handles.iter().filter_map(Weak::upgrade) {
            handle.shutdown();
        }
    }
}

impl<C: Connector<()>> Inner<C> {
    fn shelf(&self) -> MutexGuard<'_, Shelf<C::Out>> {
        lock(&self.shelf)
    }

    /// One that still stands.
    fn take(&self, uri: &Uri) -> Option<C::Out> {
        let mut shelf = self.shelf();
        while !shelf.spares.is_empty() {
            let index = shelf.spares.iter().position(|spare| spare.origin == origin(uri))?;
            let mut spare = shelf.spares.swap_remove(index);
            if spare.stands(self.max_idle) {
                return Some(spare.transport);
            }
        }
        None
    }
}

impl<T: Transport> Spare<T> {
    /// Whether it is still of use. A TLS server may have sent session tickets behind the handshake: they are read, and no
    /// more than they may be there.
    fn stands(&mut self, max_idle: Duration) -> bool {
        if self.since.elapsed() >= max_idle {
            return false;
        }
        if self.transport.is_open() {
            return true;
        }
        let at_once = NextTimeout {
            after: Wait::from(AT_ONCE),
            ..NextTimeout::default()
        };
        let has_only_tickets =
            self.transport.is_tls() && matches!(self.transport.await_input(at_once), Err(Error::Timeout(_)));
        // The first look after a read is none.
        has_only_tickets && self.transport.is_open() && self.transport.is_open()
    }
}

impl<T> Shelf<T> {
    fn register(&mut self, handle: Weak<dyn ShutdownHandle>) -> Result<(), Error> {
        if self.is_closed {
            return Err(Error::ConnectionFailed);
        }
        self.handles.retain(|known| known.strong_count() > 0);
        self.handles.push(handle);
        Ok(())
    }
}

impl<C: Connector<()>> Connector<()> for WithSpares<C> {
    type Out = C::Out;

    fn connect(&self, details: &ConnectionDetails, chained: Option<()>) -> Result<Option<C::Out>, Error> {
        match self.0.take(details.uri) {
            Some(transport) => {
                ledger::reach(Step::Connected);
                Ok(Some(transport))
            }
            None => {
                ledger::give_back_permit();
                self.0.chain.connect(details, chained)
            }
        }
    }
}

impl<C: Connector<()>> std::fmt::Debug for WithSpares<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WithSpares")
    }
}

fn origin(uri: &Uri) -> String {
    format!(
        "{}://{}",
        uri.scheme_str().unwrap_or(""),
        uri.authority().map_or("", |a| a.as_str())
    )
}
