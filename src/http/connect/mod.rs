//! A TCP connection to the first address that answers. The connects race (RFC 8305, "Happy Eyeballs"): each one begins 250 ms
//! after the one before it, or as soon as that one has failed. One thread runs the race with non-blocking sockets.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use ureq::Error;
use ureq::unversioned::transport::{ConnectionDetails, Connector, ShutdownHandle, Transport};

use super::proxy::Proxies;
use super::resolver::CachedResolver;
use super::tcp::{Connection, Until};
use super::tunnel::{self, ProxyFailure};
use crate::config::Proxy;
use crate::os::{self, EndedConnect};

/// The time between the beginnings of two connects: RFC 8305, Connection Attempt Delay.
const STAGGER: Duration = Duration::from_millis(250);

/// Connects to the host of a request, directly or through a proxy.
#[derive(Debug)]
pub(super) struct Connect {
    pub resolver: CachedResolver,
    pub proxies: Arc<Proxies>,
}

impl<In: Transport> Connector<In> for Connect {
    type Out = Connection;

    fn connect(&self, details: &ConnectionDetails, _: Option<In>) -> Result<Option<Connection>, Error> {
        let until = Until::new(details.timeout);
        let proxy = self.proxies.of(details.uri);
        let stream = self.stream(details, &until).map_err(|error| match (proxy, error) {
            (Some(proxy), Error::Io(error)) if !os::is_lack_of_resources(&error) => unreachable_proxy(proxy, &error),
            (_, error) => error,
        })?;
        let mut connection = Connection::new(stream, details.config)?;
        if let Some(proxy) = proxy {
            tunnel::open(&mut connection, proxy, details.uri, &until)?;
        }
        Ok(Some(connection))
    }
}

impl Connect {
    fn stream(&self, details: &ConnectionDetails, until: &Until) -> Result<Arc<TcpStream>, Error> {
        let addresses = self.resolver.addresses(details.uri, until.left()?)?;
        let result = race(&Sockets { details }, &addresses, until.at);
        let winner = result.outcome.as_ref().ok().map(|(address, _)| *address);
        self.resolver.record_race(details.uri, &result.failed, winner);
        match result.outcome {
            Ok((_, stream)) => Ok(stream),
            Err(RaceError::Failed(error)) => Err(error),
            Err(RaceError::TimedOut) => Err(Error::Timeout(until.reason)),
        }
    }
}

fn unreachable_proxy(proxy: &Proxy, error: &io::Error) -> Error {
    ProxyFailure::temporary(proxy, format_args!("cannot be reached: {error}"))
}

/// The result of a race.
struct RaceResult<S> {
    outcome: Result<(SocketAddr, S), RaceError>,
    /// The addresses that failed. An address that has not answered when a later one does, or by the deadline, counts as failed.
    failed: Vec<SocketAddr>,
}

#[derive(Debug)]
enum RaceError {
    Failed(Error),
    TimedOut,
}

/// Why a connect could not be begun.
enum BeginError {
    /// This address cannot be reached.
    Address(io::Error),
    /// No other can be begun either.
    All(Error),
}

/// The network, as a race uses it. Tests have a network and a clock of their own.
trait Network {
    type Socket;

    fn now(&self) -> Instant;

    fn begin(&self, address: SocketAddr) -> Result<Self::Socket, BeginError>;

    /// Waits until one of these connects has ended, and returns how it ended. It returns `None` when `at_most` has passed, or
    /// earlier.
    fn wait(&self, begun: &[(SocketAddr, Self::Socket)], at_most: Option<Duration>)
    -> io::Result<Option<EndedConnect>>;
}

fn race<N: Network>(network: &N, addresses: &[SocketAddr], by: Option<Instant>) -> RaceResult<N::Socket> {
    let stagger = stagger(
        by.map(|by| by.saturating_duration_since(network.now())),
        addresses.len(),
    );
    let mut waiting = addresses.iter();
    let started = network.now();
    let mut next_begins_at = started;
    let mut begun: Vec<(SocketAddr, N::Socket)> = Vec::new();
    let mut failed = Vec::new();
    let mut last_error = Error::HostNotFound;
    loop {
        let now = network.now();
        if by.is_some_and(|by| by <= now) {
            // A shorter race does not show that the addresses are bad.
            if now.duration_since(started) >= STAGGER {
                failed.extend(begun.iter().map(|(address, _)| *address));
            }
            return RaceResult {
                outcome: Err(RaceError::TimedOut),
                failed,
            };
        }
        if next_begins_at <= now || begun.is_empty() {
            if let Some(&address) = waiting.next() {
                match network.begin(address) {
                    Ok(socket) => {
                        begun.push((address, socket));
                        next_begins_at = now + stagger;
                    }
                    Err(BeginError::Address(error)) => {
                        failed.push(address);
                        last_error = Error::Io(error);
                    }
                    Err(BeginError::All(error)) => {
                        waiting = [].iter();
                        last_error = error;
                    }
                }
                continue;
            }
            if begun.is_empty() {
                return RaceResult {
                    outcome: Err(RaceError::Failed(last_error)),
                    failed,
                };
            }
        }
        let next_begins_at_last = (waiting.len() > 0).then_some(next_begins_at);
        let wake_at = next_begins_at_last.into_iter().chain(by).min();
        let at_most = wake_at.map(|at| at.saturating_duration_since(now));
        match network.wait(&begun, at_most) {
            Ok(None) => {}
            Ok(Some((index, Ok(())))) => {
                let winner = begun.swap_remove(index);
                begun.truncate(index);
                failed.extend(begun.iter().map(|(address, _)| *address));
                return RaceResult {
                    outcome: Ok(winner),
                    failed,
                };
            }
            Ok(Some((index, Err(error)))) => {
                failed.push(begun.remove(index).0);
                last_error = Error::Io(error);
                next_begins_at = now;
            }
            Err(error) => {
                return RaceResult {
                    outcome: Err(RaceError::Failed(Error::Io(error))),
                    failed,
                };
            }
        }
    }
}

/// The delay of RFC 8305, or a shorter one, so that the connect to the last address begins in the first half of the time.
fn stagger(left: Option<Duration>, addresses: usize) -> Duration {
    let count = u32::try_from(addresses.max(1)).unwrap_or(u32::MAX);
    let share = left.map(|left| left / 2 / count);
    share.map_or(STAGGER, |share| share.min(STAGGER))
}

/// The network of the system.
struct Sockets<'a> {
    details: &'a ConnectionDetails<'a>,
}

impl Network for Sockets<'_> {
    type Socket = Arc<TcpStream>;

    fn now(&self) -> Instant {
        Instant::now()
    }

    /// The socket is registered before it connects, so that a shutdown of the client ends every connect of the race.
    fn begin(&self, address: SocketAddr) -> Result<Arc<TcpStream>, BeginError> {
        let (socket, begun) = begin_connect(address).map_err(no_socket)?;
        let stream = Arc::new(TcpStream::from(socket));
        let handle: Arc<dyn ShutdownHandle> = stream.clone();
        (self.details.register_shutdown)(Arc::downgrade(&handle)).map_err(BeginError::All)?;
        match begun {
            Err(error) if !is_in_progress(&error) => Err(BeginError::Address(error)),
            _ => Ok(stream),
        }
    }

    fn wait(
        &self,
        begun: &[(SocketAddr, Arc<TcpStream>)],
        at_most: Option<Duration>,
    ) -> io::Result<Option<EndedConnect>> {
        let streams: Vec<&TcpStream> = begun.iter().map(|(_, stream)| &**stream).collect();
        let ended = os::wait_for_connect(&streams, at_most)?;
        Ok(ended.map(|(index, outcome)| (index, outcome.and_then(|()| streams[index].set_nonblocking(false)))))
    }
}

/// The error of a socket that cannot be made. The system may have sockets for the family of another address, unless it lacks
/// resources.
fn no_socket(error: io::Error) -> BeginError {
    if os::is_lack_of_resources(&error) {
        BeginError::All(Error::Io(error))
    } else {
        BeginError::Address(error)
    }
}

/// A non-blocking socket, and the result of its call of `connect`.
fn begin_connect(address: SocketAddr) -> io::Result<(Socket, io::Result<()>)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let begun = socket.connect(&address.into());
    Ok((socket, begun))
}

fn is_in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EINPROGRESS) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests;
