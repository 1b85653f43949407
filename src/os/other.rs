//! Systems that are not Unix. The library can be built there, but has no event, and polls where Unix waits.

use std::io;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

pub(super) fn on_fork(_: unsafe extern "C" fn()) -> io::Result<()> {
    Ok(())
}

pub(super) fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    start()
}

pub(crate) fn is_lack_of_resources(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::OutOfMemory
}

/// A connect that has ended: its index among those that were waited for, and how it ended.
pub(crate) type EndedConnect = (usize, io::Result<()>);

pub(crate) fn wait_for_connect(streams: &[&TcpStream], at_most: Option<Duration>) -> io::Result<Option<EndedConnect>> {
    let until = at_most.and_then(|time| Instant::now().checked_add(time));
    loop {
        for (index, stream) in streams.iter().enumerate() {
            if let Some(error) = stream.take_error()? {
                return Ok(Some((index, Err(error))));
            }
            if stream.peer_addr().is_ok() {
                return Ok(Some((index, Ok(()))));
            }
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn is_quiet(stream: &TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return false;
    }
    let peeked = stream.peek(&mut [0]);
    let is_waiting = matches!(&peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
    stream.set_nonblocking(false).is_ok() && is_waiting
}

/// These systems have no event that an event loop can wait for. A client works without it.
#[derive(Debug)]
pub(crate) struct Event(());

impl Event {
    pub fn new() -> io::Result<Event> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn handle(&self) -> isize {
        -1
    }

    pub fn set(&self) {}

    pub fn clear(&self) {}
}
