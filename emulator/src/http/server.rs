//! The accept loop. It numbers connections, serves HTTP/1.1 on each, and lets requests in flight finish when it stops.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};
use tower::ServiceExt;

use super::stream::{Link, Stream, close};
use crate::faults::Fault;
use crate::service::Service;
use crate::state::connection::{Connection, Ending};

/// How long requests in flight may take after the stop signal.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// How long a client may take for its TLS handshake.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

/// The pause after a failed accept. Without file descriptors, the next accept would also fail immediately.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// What all connections share.
#[derive(Clone)]
struct Shared {
    tls: Option<TlsAcceptor>,
    router: Router,
    service: Arc<Service>,
}

/// Serves until `stop` receives a value or its sender is dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    service: Arc<Service>,
    mut stop: oneshot::Receiver<()>,
) {
    let shared = Shared { tls, router, service };
    let graceful = GracefulShutdown::new();
    let mut accepted = 0;
    loop {
        let stream = tokio::select! {
            stream = listener.accept() => stream,
            _ = &mut stop => break,
        };
        let Ok((stream, peer)) = stream else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        accepted += 1;
        let connection = Arc::new(Connection::new(accepted, peer.port(), shared.tls.is_some()));
        shared.service.connections().insert(accepted, Arc::clone(&connection));
        let (shared, watcher) = (shared.clone(), graceful.watcher());
        // The rules are evaluated here and not in the task, so that they see connections in the order of acceptance.
        let fault = shared.service.state().faults.on_accept(shared.tls.is_some());
        tokio::spawn(async move {
            serve_connection(&shared, stream, &connection, fault, watcher).await;
            shared.service.close(&connection);
        });
    }
    drop(listener);
    shared.service.cancel_delayed();
    let _ = tokio::time::timeout(STOP_PATIENCE, graceful.shutdown()).await;
}

async fn serve_connection(
    shared: &Shared,
    stream: TcpStream,
    connection: &Arc<Connection>,
    fault: Option<Fault>,
    watcher: Watcher,
) {
    let Ok(Some(link)) = open_link(stream, shared.tls.as_ref(), fault).await else {
        return;
    };
    let stream = Stream::new(link, Arc::clone(connection), Arc::clone(&shared.service));
    let router = shared.router.clone();
    let connection = Arc::clone(connection);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&connection));
        answer(router.clone(), Arc::clone(&connection), request)
    });
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // An error means that the client closed the connection or did not speak HTTP, or that a fault cut the connection.
    let _ = watcher.watch(serving).await;
}

async fn answer(
    router: Router,
    connection: Arc<Connection>,
    request: hyper::Request<Incoming>,
) -> Result<Response, Infallible> {
    let response = router.oneshot(request.map(axum::body::Body::new)).await;
    let body_bytes = response
        .as_ref()
        .ok()
        .and_then(|response| response.body().size_hint().exact());
    connection.begin_answer(body_bytes);
    response
}

/// Performs the TLS handshake, if any. Returns `None` if a fault ended the connection.
async fn open_link(stream: TcpStream, tls: Option<&TlsAcceptor>, fault: Option<Fault>) -> io::Result<Option<Link>> {
    stream.set_nodelay(true)?;
    let ending = |reset| if reset { Ending::Reset } else { Ending::Fin };
    match (fault, tls) {
        (Some(Fault::CutOnAccept { reset }), _) => {
            close(stream, ending(reset));
            Ok(None)
        }
        (Some(Fault::CutHandshake { reset }), Some(_)) => {
            let hello = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream);
            let hello = tokio::time::timeout(HANDSHAKE_PATIENCE, hello).await??;
            close(hello.io, ending(reset));
            Ok(None)
        }
        (_, Some(tls)) => {
            let stream = tokio::time::timeout(HANDSHAKE_PATIENCE, tls.accept(stream)).await??;
            Ok(Some(Link::Tls(Box::new(stream))))
        }
        (_, None) => Ok(Some(Link::Plain(stream))),
    }
}
