//! The TCP transport below ureq, with as few system calls as possible. Writes are buffered until the next read or a full
//! buffer, so that head and body are sent together. The timeout of the socket is changed only if the deadline requires it.
//! An idle connection is checked with one call.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::unversioned::transport::time::Duration as Wait;
use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};
use ureq::{Error, Timeout};

use super::progress;
use crate::os;

/// The longest wait in one system call. After it the deadline is checked.
const MAX_SOCKET_TIMEOUT: Duration = Duration::from_secs(1);
/// The shortest one, so that a thread does not spin.
const MIN_SOCKET_TIMEOUT: Duration = Duration::from_millis(1);
/// Buffered bytes are written when less room than this is left behind them.
const MIN_OUTPUT_ROOM: usize = 2048;

#[derive(Debug)]
pub(super) struct Connection {
    /// Shared with the handle by which another thread shuts it down.
    stream: Arc<TcpStream>,
    buffers: BatchingBuffers,
    /// The timeouts that are set on the socket.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

/// ureq's buffers. In the output the first `pending` bytes have not been written yet.
#[derive(Debug)]
struct BatchingBuffers {
    inner: LazyBuffers,
    pending: usize,
}

impl Connection {
    pub fn new(stream: Arc<TcpStream>, config: &Config) -> Result<Connection, Error> {
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            buffers: BatchingBuffers {
                inner: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
                pending: 0,
            },
            read_timeout: None,
            write_timeout: None,
        })
    }

    fn flush(&mut self, until: &Until) -> Result<(), Error> {
        let mut written = 0;
        while written < self.buffers.pending {
            let wait = until.socket_timeout(self.write_timeout)?;
            if let Some(wait) = wait {
                self.stream.set_write_timeout(Some(wait))?;
                self.write_timeout = Some(wait);
            }
            let output = &self.buffers.inner.output()[written..self.buffers.pending];
            match (&*self.stream).write(output) {
                Ok(0) => return Err(Error::Io(io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if may_retry(&error) => {}
                Err(error) => return Err(Error::Io(error)),
            }
        }
        self.buffers.pending = 0;
        Ok(())
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.buffers.pending += amount;
        if self.buffers.output().len() < MIN_OUTPUT_ROOM {
            self.flush(&Until::new(timeout))?;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let until = Until::new(timeout);
        self.flush(&until)?;
        loop {
            let wait = until.socket_timeout(self.read_timeout)?;
            if let Some(wait) = wait {
                self.stream.set_read_timeout(Some(wait))?;
                self.read_timeout = Some(wait);
            }
            match (&*self.stream).read(self.buffers.inner.input_append_buf()) {
                Ok(count) => {
                    self.buffers.inner.input_appended(count);
                    return Ok(count > 0);
                }
                Err(error) if may_retry(&error) => {}
                Err(error) => return Err(Error::Io(error)),
            }
        }
    }

    fn is_open(&mut self) -> bool {
        // A handshake may have ended with a write. It fits into the socket's buffer, so the timeout matters only for a thread
        // that is suspended here.
        if self.buffers.pending > 0 && self.flush(&Until::at(Instant::now() + MAX_SOCKET_TIMEOUT)).is_err() {
            return false;
        }
        os::is_quiet(&self.stream)
    }
}

/// Whether the call was interrupted, or waited for as long as the socket's timeout allows.
fn may_retry(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

impl Buffers for BatchingBuffers {
    fn output(&mut self) -> &mut [u8] {
        let pending = self.pending;
        &mut self.inner.output()[pending..]
    }

    fn input(&self) -> &[u8] {
        self.inner.input()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.inner.input_append_buf()
    }

    fn input_appended(&mut self, amount: usize) {
        self.inner.input_appended(amount);
    }

    fn input_consume(&mut self, amount: usize) {
        self.inner.input_consume(amount);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        let pending = self.pending;
        let (tmp, output) = self.inner.tmp_and_output();
        (tmp, &mut output[pending..])
    }

    fn can_use_input(&self) -> bool {
        self.inner.can_use_input()
    }
}

/// The time by which a step must end: ureq's timeout for it, or the deadline of the attempt, whichever is earlier.
pub(super) struct Until {
    pub at: Option<Instant>,
    pub reason: Timeout,
}

impl Until {
    pub fn new(timeout: NextTimeout) -> Until {
        let own = (!timeout.after.is_not_happening())
            .then(|| Instant::now().checked_add(*timeout.after))
            .flatten();
        match (own, progress::step_deadline()) {
            (Some(own), Some(due)) if due < own => Until::at(due),
            (Some(own), _) => Until {
                at: Some(own),
                reason: timeout.reason,
            },
            (None, due) => Until {
                at: due,
                reason: Timeout::Global,
            },
        }
    }

    fn at(at: Instant) -> Until {
        Until {
            at: Some(at),
            reason: Timeout::Global,
        }
    }

    pub fn left(&self) -> Result<Option<Duration>, Error> {
        let Some(at) = self.at else { return Ok(None) };
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::Timeout(self.reason));
        }
        Ok(Some(left))
    }

    /// The remaining time, in the form that a transport takes.
    pub fn timeout(&self) -> Result<NextTimeout, Error> {
        Ok(NextTimeout {
            after: self.left()?.map_or(Wait::NotHappening, Wait::from),
            reason: self.reason,
            per_read: None,
            per_write: None,
        })
    }

    /// The timeout that the socket needs, if it differs from the one that is set. It does not exceed the remaining time.
    fn socket_timeout(&self, set: Option<Duration>) -> Result<Option<Duration>, Error> {
        let longest = self
            .left()?
            .map_or(MAX_SOCKET_TIMEOUT, |left| left.min(MAX_SOCKET_TIMEOUT));
        let fits = set.is_some_and(|set| set <= longest && (set == MAX_SOCKET_TIMEOUT || set * 2 > longest));
        Ok((!fits).then(|| longest.max(MIN_SOCKET_TIMEOUT)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sockets_timeout_changes_only_when_it_has_to() {
        let far = Until::at(Instant::now() + Duration::from_secs(600));
        assert_eq!(far.socket_timeout(None).unwrap(), Some(MAX_SOCKET_TIMEOUT));
        assert_eq!(far.socket_timeout(Some(MAX_SOCKET_TIMEOUT)).unwrap(), None);
        assert_eq!(
            far.socket_timeout(Some(MIN_SOCKET_TIMEOUT)).unwrap(),
            Some(MAX_SOCKET_TIMEOUT),
            "a short one would spin"
        );
        let near = Until::at(Instant::now() + Duration::from_millis(500));
        let timeout = near.socket_timeout(Some(MAX_SOCKET_TIMEOUT)).unwrap().unwrap();
        assert!(timeout <= Duration::from_millis(500), "never past the end");
        let never = Until {
            at: None,
            reason: Timeout::Global,
        };
        assert_eq!(never.socket_timeout(Some(MAX_SOCKET_TIMEOUT)).unwrap(), None);
        let over = Until::at(Instant::now());
        assert!(matches!(
            over.socket_timeout(Some(MAX_SOCKET_TIMEOUT)),
            Err(Error::Timeout(_))
        ));
    }
}
