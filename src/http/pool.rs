//! The pool of idle connections. A connection enters it when its answer was read to the end, or when `warm_up` opened it.
//! ureq's own pool is not used, since ureq returns a connection to it before the client has checked the answer.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::time::{Duration as Wait, Instant as Moment};
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout, ShutdownHandle, Transport};

use super::progress::{self, HttpConnection, Step, TrackedTransport};
use crate::util::sync::{Mutex, MutexGuard, lock};

pub(super) struct Pool {
    max_idle: Duration,
    max_per_origin: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In the order of their last use.
    idle: Vec<HttpConnection>,
    /// The handles of prewarmed connections. ureq shuts down only the connections that it has opened itself.
    handles: Vec<Weak<dyn ShutdownHandle>>,
    is_closed: bool,
}

impl Pool {
    pub fn new(max_idle: Duration, max_per_origin: usize) -> Pool {
        Pool {
            max_idle,
            max_per_origin,
            state: Mutex::default(),
        }
    }

    /// Keeps a connection that has been idle since `idle_since`, for at most `limit` if its server has set one. If the pool
    /// is full for this origin, the connection that has been idle longest is closed. A connection with unread input is not
    /// kept.
    pub fn put(&self, mut connection: HttpConnection, idle_since: Instant, limit: Option<Duration>) {
        let limit = limit.map_or(self.max_idle, |limit| limit.min(self.max_idle));
        connection.idle_until = idle_since.checked_add(limit);
        if connection.has_expired(idle_since) || connection.has_unread_input() {
            return;
        }
        // These connections are closed after the lock is released.
        let mut surplus = Vec::new();
        let mut state = self.state();
        while let Some(index) = state.idle.iter().position(|idle| idle.has_expired(idle_since)) {
            surplus.push(state.idle.remove(index));
        }
        if state.is_closed {
            surplus.push(connection);
            return;
        }
        let is_alike = |idle: &HttpConnection| idle.origin == connection.origin;
        if state.idle.iter().filter(|idle| is_alike(idle)).count() >= self.max_per_origin {
            let longest = state.idle.iter().position(is_alike);
            surplus.extend(longest.map(|index| state.idle.remove(index)));
        }
        state.idle.push(connection);
    }

    /// Returns the usable connection to this origin that was used last. Connections that are no longer usable are closed.
    pub fn take(&self, uri: &Uri, now: Instant) -> Option<HttpConnection> {
        loop {
            let mut connection = {
                let mut state = self.state();
                let index = state.idle.iter().rposition(|idle| idle.origin.is_of(uri))?;
                state.idle.remove(index)
            };
            if connection.is_usable(now) {
                return Some(connection);
            }
        }
    }

    /// Closes all idle connections, and prewarmed ones even if they are in use. After that no connection is kept.
    pub fn shut_down(&self) {
        let (idle, handles) = {
            let mut state = self.state();
            state.is_closed = true;
            (std::mem::take(&mut state.idle), std::mem::take(&mut state.handles))
        };
        drop(idle);
        for handle in handles.iter().filter_map(Weak::upgrade) {
            handle.shutdown();
        }
    }

    fn register(&self, handle: Weak<dyn ShutdownHandle>) -> Result<(), Error> {
        let mut state = self.state();
        if state.is_closed {
            return Err(Error::ConnectionFailed);
        }
        state.handles.retain(|known| known.strong_count() > 0);
        state.handles.push(handle);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// A connector that takes a connection from the pool, or opens one with the chain of connectors.
pub(super) struct PooledConnector<C>(Arc<Inner<C>>);

struct Inner<C> {
    chain: C,
    pool: Arc<Pool>,
}

impl<C> Clone for PooledConnector<C> {
    fn clone(&self) -> PooledConnector<C> {
        PooledConnector(self.0.clone())
    }
}

impl<C> PooledConnector<C> {
    pub fn new(chain: C, pool: Arc<Pool>) -> PooledConnector<C> {
        PooledConnector(Arc::new(Inner { chain, pool }))
    }
}

impl<C: Connector<(), Out = TrackedTransport>> Connector<()> for PooledConnector<C> {
    type Out = TrackedTransport;

    fn connect(&self, details: &ConnectionDetails, chained: Option<()>) -> Result<Option<TrackedTransport>, Error> {
        match self.0.pool.take(details.uri, Instant::now()) {
            Some(connection) => {
                progress::record_step(Step::Connected);
                Ok(Some(TrackedTransport::new(connection)))
            }
            None => {
                progress::release_permit();
                self.0.chain.connect(details, chained)
            }
        }
    }
}

/// Opens connections before a request needs them. The trait hides the type of the chain of connectors.
pub(super) trait Prewarm: Send + Sync {
    fn open(&self, uri: &Uri, config: &Config, resolver: &dyn Resolver, timeout: Duration) -> Result<(), Error>;
}

impl<C: Connector<(), Out = TrackedTransport>> Prewarm for PooledConnector<C> {
    fn open(&self, uri: &Uri, config: &Config, resolver: &dyn Resolver, timeout: Duration) -> Result<(), Error> {
        let timeout = NextTimeout {
            after: Wait::from(timeout),
            reason: ureq::Timeout::Connect,
            per_read: None,
            per_write: None,
        };
        let (again, registry) = (self.clone(), self.0.pool.clone());
        let details = ConnectionDetails {
            uri,
            addrs: resolver.empty(),
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
            register_shutdown: Arc::new(move |handle| registry.register(handle)),
        };
        let opened = self.0.chain.connect(&details, None)?;
        let connection = opened.and_then(TrackedTransport::into_connection);
        self.0
            .pool
            .put(connection.ok_or(Error::ConnectionFailed)?, Instant::now(), None);
        Ok(())
    }
}

impl<C> std::fmt::Debug for PooledConnector<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PooledConnector")
    }
}

#[cfg(test)]
mod tests {
    use ureq::unversioned::transport::{Buffers, LazyBuffers};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const HALF_A_MINUTE: Duration = Duration::from_secs(30);

    /// A transport that holds one reference to `_name` until it is closed.
    #[derive(Debug)]
    struct Named {
        _name: Arc<()>,
        is_open: bool,
        /// What a read that does not wait finds: bytes (true), or the end of the connection (false).
        unread: Option<bool>,
        buffers: LazyBuffers,
    }

    impl Transport for Named {
        fn buffers(&mut self) -> &mut dyn Buffers {
            &mut self.buffers
        }

        fn transmit_output(&mut self, _: usize, _: NextTimeout) -> Result<(), Error> {
            Ok(())
        }

        fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
            assert!(timeout.after.is_zero(), "a read of an idle connection must not wait");
            self.unread.take().ok_or(Error::Timeout(timeout.reason))
        }

        fn is_open(&mut self) -> bool {
            self.is_open
        }
    }

    fn uri(text: &'static str) -> Uri {
        Uri::from_static(text)
    }

    const VENDOR: &str = "https://vendor.example/path?Message=hi";

    /// A connection, and a count that is two until it is closed.
    fn connection(to: &'static str) -> (HttpConnection, Arc<()>) {
        with(to, None, |_| ())
    }

    fn with(to: &'static str, too_old_at: Option<Instant>, change: impl Fn(&mut Named)) -> (HttpConnection, Arc<()>) {
        let name = Arc::new(());
        let mut transport = Named {
            _name: name.clone(),
            is_open: true,
            unread: None,
            buffers: LazyBuffers::new(16, 16),
        };
        change(&mut transport);
        (
            HttpConnection::for_test(Box::new(transport), &uri(to), too_old_at),
            name,
        )
    }

    fn is_open(name: &Arc<()>) -> bool {
        Arc::strong_count(name) == 2
    }

    #[test]
    fn a_connection_is_used_until_the_sooner_of_three_times() {
        let start = Instant::now();
        for (announced, too_old_after, usable_for) in [
            (None, None, 30),
            (Some(4), None, 4),
            (Some(40), None, 30),
            (Some(4), Some(2), 2),
            (None, Some(100), 30),
            (Some(u64::MAX - 1), None, 30),
        ] {
            for (after, is_usable) in [
                (Duration::from_secs(usable_for) - Duration::from_nanos(1), true),
                (Duration::from_secs(usable_for), false),
            ] {
                let pool = Pool::new(HALF_A_MINUTE, 2);
                let too_old_at = too_old_after.map(|seconds| start + Duration::from_secs(seconds));
                let (connection, name) = with(VENDOR, too_old_at, |_| ());
                pool.put(connection, start, announced.map(Duration::from_secs));
                let taken = pool.take(&uri(VENDOR), start + after);
                assert_eq!(
                    taken.is_some(),
                    is_usable,
                    "{announced:?}, {too_old_after:?}, after {after:?}"
                );
                assert_eq!(is_open(&name), is_usable);
            }
        }
    }

    #[test]
    fn a_connection_that_may_not_be_idle_is_closed_at_once() {
        for (max_idle, limit) in [(HALF_A_MINUTE, Some(Duration::ZERO)), (Duration::ZERO, None)] {
            let pool = Pool::new(max_idle, 2);
            let (connection, name) = connection(VENDOR);
            pool.put(connection, Instant::now(), limit);
            assert!(!is_open(&name));
        }
    }

    #[test]
    fn expired_connections_are_closed_when_another_one_is_returned() {
        let (pool, start) = (Pool::new(HALF_A_MINUTE, 8), Instant::now());
        let (first, first_name) = connection(VENDOR);
        let (second, second_name) = connection("http://other.example");
        pool.put(first, start, Some(SECOND));
        pool.put(second, start + SECOND, None);
        assert!(!is_open(&first_name) && is_open(&second_name));
    }

    #[test]
    fn the_connection_used_last_serves_first_and_the_one_idle_longest_is_closed() {
        let (pool, now) = (Pool::new(HALF_A_MINUTE, 2), Instant::now());
        let (other, other_name) = connection("https://vendor.example:8443");
        pool.put(other, now, None);
        let names = [(); 3].map(|()| {
            let (connection, name) = connection(VENDOR);
            pool.put(connection, now, None);
            name
        });
        assert_eq!(names.each_ref().map(is_open), [false, true, true]);
        for expected in [[false, true, false], [false; 3]] {
            drop(
                pool.take(&uri("https://vendor.example/other"), now)
                    .expect("an idle one"),
            );
            assert_eq!(names.each_ref().map(is_open), expected);
        }
        for to in [VENDOR, "http://vendor.example:8443", "https://vendor.example:844"] {
            assert!(pool.take(&uri(to), now).is_none(), "{to}");
        }
        assert!(is_open(&other_name));
    }

    #[test]
    fn a_connection_with_unread_input_is_closed_and_another_serves() {
        let (pool, now) = (Pool::new(HALF_A_MINUTE, 4), Instant::now());
        let (good, good_name) = connection(VENDOR);
        let (waiting, waiting_name) = with(VENDOR, None, |transport| transport.is_open = false);
        let (unread, unread_name) = with(VENDOR, None, |transport| {
            transport.buffers.input_append_buf();
            transport.buffers.input_appended(1);
        });
        for connection in [good, waiting, unread] {
            pool.put(connection, now, None);
        }
        let taken = pool.take(&uri(VENDOR), now);
        assert!(taken.is_some() && is_open(&good_name));
        assert!(!is_open(&waiting_name) && !is_open(&unread_name));
    }

    #[test]
    fn a_connection_with_unread_input_or_at_its_end_is_not_kept() {
        for unread in [true, false] {
            let pool = Pool::new(HALF_A_MINUTE, 4);
            let (connection, name) = with(VENDOR, None, |transport| transport.unread = Some(unread));
            pool.put(connection, Instant::now(), None);
            assert!(!is_open(&name));
        }
    }

    #[test]
    fn nothing_is_kept_or_opened_once_it_is_shut_down() {
        let (pool, now) = (Pool::new(HALF_A_MINUTE, 4), Instant::now());
        let (before, before_name) = connection(VENDOR);
        let (after, after_name) = connection(VENDOR);
        pool.put(before, now, None);
        pool.shut_down();
        pool.put(after, now, None);
        assert!(!is_open(&before_name) && !is_open(&after_name));
        let handle: Arc<dyn ShutdownHandle> = Arc::new(NoSocket);
        assert!(pool.register(Arc::downgrade(&handle)).is_err());
    }

    #[derive(Debug)]
    struct NoSocket;

    impl ShutdownHandle for NoSocket {
        fn shutdown(&self) {}
    }
}
