//! The bytes of one connection, after TLS. Each byte is counted here, and a fault can end the connection after any of them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::request::RequestLine;
use crate::service::Service;
use crate::state::connection::{Connection, Ending};

/// How long the emulator reads and discards bytes after it has cut a connection by FIN.
const LINGER: Duration = Duration::from_secs(2);

/// More than the HTTP layer accepts as a whole head.
const LINE_LIMIT_BYTES: usize = 1024 * 1024;

pub(crate) struct Stream {
    /// `None` after a fault has cut the connection.
    link: Option<Link>,
    connection: Arc<Connection>,
    service: Arc<Service>,
    /// The part of the present request's first line that has arrived; `None` after the whole line has.
    line: Option<Vec<u8>>,
    fresh: bool,
}

/// The connection to the client, with or without TLS.
pub(crate) enum Link {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

impl Link {
    fn pinned(&mut self) -> Pin<&mut dyn Duplex> {
        match self {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(&mut **stream),
        }
    }

    fn into_tcp(self) -> TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.into_inner().0,
        }
    }
}

impl Stream {
    pub fn new(link: Link, connection: Arc<Connection>, service: Arc<Service>) -> Self {
        Self {
            link: Some(link),
            connection,
            service,
            line: None,
            fresh: true,
        }
    }

    /// Counts received bytes. Returns how the connection ends if a fault cuts it at these bytes; HTTP must not see them then.
    fn on_read(&mut self, bytes: &[u8]) -> Option<Ending> {
        if self.fresh || self.connection.is_between_requests() {
            self.fresh = false;
            self.connection.begin_request();
            self.line = Some(Vec::new());
        }
        self.connection.count_in(bytes.len());
        self.read_line(bytes);
        self.connection.request_cut_reached().map(Ending::from)
    }

    /// Collects the first line, and evaluates the fault rules when it is whole. The HTTP layer cannot act on the request earlier.
    fn read_line(&mut self, bytes: &[u8]) {
        let Some(line) = &mut self.line else { return };
        let end = bytes.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
        if end.is_none() && line.len() < LINE_LIMIT_BYTES {
            return;
        }
        let line = RequestLine::parse(&self.line.take().unwrap_or_default());
        if line.control {
            self.connection.mark_control();
            return;
        }
        let cut = self.service.state().faults.on_request_line(&line);
        if let Some(cut) = cut {
            self.connection.cut_request(cut);
        }
    }

    fn end(&mut self, ending: Ending) -> io::Error {
        if let Some(link) = self.link.take() {
            close(link.into_tcp(), ending);
        }
        ended()
    }

    /// Ends the connection if the answer is written as far as the fault allows, and the system has all of these bytes.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(ending) = self.connection.end_reached() else {
            return Poll::Ready(Ok(()));
        };
        if let (Ending::Clean, Some(link)) = (ending, &mut self.link) {
            ready!(link.pinned().poll_shutdown(context))?;
        }
        Poll::Ready(Err(self.end(ending)))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(link) = &mut this.link else {
            return Poll::Ready(Err(ended()));
        };
        let before = buffer.filled().len();
        ready!(link.pinned().poll_read(context, buffer))?;
        let bytes = &buffer.filled()[before..];
        if bytes.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let Some(ending) = this.on_read(bytes) else {
            return Poll::Ready(Ok(()));
        };
        buffer.set_filled(before);
        Poll::Ready(Err(this.end(ending)))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(link) = &mut this.link else {
            return Poll::Ready(Err(ended()));
        };
        let write_limit = this
            .connection
            .write_limit()
            .and_then(|write_limit| usize::try_from(write_limit).ok());
        let bytes = &bytes[..write_limit.unwrap_or(usize::MAX).min(bytes.len())];
        if write_limit == Some(0) {
            ready!(link.pinned().poll_flush(context))?;
            ready!(this.poll_end(context))?;
            return Poll::Ready(Err(ended()));
        }
        let written = ready!(link.pinned().poll_write(context, bytes))?;
        this.connection.count_out(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(link) = &mut this.link else {
            return Poll::Ready(Err(ended()));
        };
        ready!(link.pinned().poll_flush(context))?;
        this.poll_end(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().link {
            Some(link) => link.pinned().poll_shutdown(context),
            None => Poll::Ready(Ok(())),
        }
    }
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "cut by a scripted fault")
}

/// Closes a connection by RST or by FIN. After a FIN, received bytes are read and discarded: the system would send an RST if it
/// closed a socket that has unread bytes.
pub(crate) fn close(stream: TcpStream, ending: Ending) {
    match ending {
        Ending::Reset => {
            let _ = stream.set_zero_linger();
        }
        Ending::Fin => {
            tokio::spawn(tokio::time::timeout(LINGER, discard(stream)));
        }
        Ending::Clean => (),
    }
}

async fn discard(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut bytes = [0; 4096];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}
