//! The accept loop: it numbers connections, serves HTTP/1.1 on each, and stops without dropping requests in flight.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::connection::{Connection, Stream};

/// How long requests in flight may take after the stop.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// How long a client may take for its TLS handshake.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

/// A pause after a failed accept: out of file descriptors, the next one would fail at once, too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Serves until `stop` is told, or its other end is gone.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    mut stop: oneshot::Receiver<()>,
) {
    let graceful = GracefulShutdown::new();
    let mut accepted = 0;
    loop {
        let stream = tokio::select! {
            stream = listener.accept() => stream,
            _ = &mut stop => break,
        };
        let Ok((stream, _)) = stream else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        accepted += 1;
        let connection = Arc::new(Connection::new(accepted));
        tokio::spawn(serve_connection(
            stream,
            tls.clone(),
            router.clone(),
            connection,
            graceful.watcher(),
        ));
    }
    drop(listener);
    let _ = tokio::time::timeout(STOP_PATIENCE, graceful.shutdown()).await;
}

async fn serve_connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    connection: Arc<Connection>,
    watcher: Watcher,
) {
    let Ok(stream) = opened(stream, tls).await else {
        return;
    };
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&connection));
        answer(router.clone(), request)
    });
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // An error here is a client that went away or spoke no HTTP: its own affair.
    let _ = watcher.watch(serving).await;
}

async fn answer(router: Router, request: hyper::Request<Incoming>) -> Result<Response, Infallible> {
    router.oneshot(request.map(axum::body::Body::new)).await
}

async fn opened(stream: TcpStream, tls: Option<TlsAcceptor>) -> io::Result<Stream> {
    stream.set_nodelay(true)?;
    let Some(tls) = tls else {
        return Ok(Stream::Plain(stream));
    };
    let stream = tokio::time::timeout(HANDSHAKE_PATIENCE, tls.accept(stream)).await??;
    Ok(Stream::Tls(Box::new(stream)))
}
