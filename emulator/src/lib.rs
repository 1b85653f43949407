//! An emulator of the server APIs of Volcengine RTC, Volcengine IM and ZEGO, for tests without a network and without an account.
//!
//! The emulator checks what the vendors check (signatures, clocks, ids, sizes, quotas) and answers as they do. A test logs users in
//! and out through the control API at `/_emulator/`, which also shows what arrived. The README of this package describes it.
//!
//! ```
//! use rtcmsg_emulator::{Emulator, Options};
//!
//! let emulator = Emulator::start(Options::default())?;
//! println!("point your client at {}", emulator.url());
//! emulator.stop();
//! # Ok::<(), rtcmsg_emulator::StartError>(())
//! ```
//!
//! # Layers
//! Imports run downwards only; `tools/imports.py` checks it.
//! 1. this file: the public [`Emulator`]
//! 2. `http`: the accept loop, the bytes of each connection, the vendors' endpoint, the control API
//! 3. `service`: the main path of a vendor request
//! 4. `volcengine`, `zego`: what each vendor checks and answers; neither knows the other
//! 5. `context`: one request while a vendor handles it; `request_log`
//! 6. `state`: who is where, what arrived, quotas, nonces, connections; it knows nothing of a vendor's protocol
//! 7. `options`
//! 8. `faults`: the rules, and which of them fire
//! 9. `request`: a received request
//! 10. `error`, `hex`, `json`, `moment`, `reply`, `vendor`

mod context;
mod error;
mod faults;
mod hex;
mod http;
mod json;
mod moment;
mod options;
mod reply;
mod request;
mod request_log;
mod service;
mod state;
mod vendor;
mod volcengine;
mod zego;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use tower::ServiceExt;

pub use self::error::StartError;
pub use self::faults::{FaultError, FaultRule};
use self::http::{control, router, server, tls};
pub use self::options::{
    BinaryLimitCounts, Options, Secret, SteadyClock, TlsFiles, VolcengineAccount, WallClock, ZegoAccount,
};
use self::service::Service;
use self::state::connection::Connection;

/// A running emulator, on a thread of its own. Dropping it stops it.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    url: String,
    service: Arc<Service>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Starts an emulator. When this returns, its port accepts connections.
    ///
    /// # Errors
    /// The host is not a loopback address and `allow_remote` is not set, the port is not free, or a TLS file cannot be used.
    pub fn start(options: Options) -> Result<Self, StartError> {
        if !options.host.is_loopback() && !options.allow_remote {
            return Err(StartError::NotLoopback(options.host.to_string()));
        }
        let tls = options.tls.as_ref().map(tls::acceptor).transpose()?;
        let wanted = SocketAddr::new(options.host, options.port);
        let listen = |fault| StartError::Listen { address: wanted, fault };
        let listener = TcpListener::bind(wanted).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(listen)?
        };

        let scheme = if tls.is_some() { "https" } else { "http" };
        let service = Arc::new(Service::new(options));
        let router = router::router(Arc::clone(&service));
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("rtcmsg-emulator".to_owned())
            .spawn({
                let service = Arc::clone(&service);
                move || runtime.block_on(server::serve(listener, tls, router, service, stopped))
            })
            .map_err(StartError::Thread)?;
        Ok(Self {
            address,
            url: format!("{scheme}://{address}"),
            service,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The endpoint to set for both vendors: `http://127.0.0.1:43211`, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port that the emulator listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address that the emulator listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds a scripted fault and returns its id. It does the same as `POST /_emulator/faults`, but needs no connection, which a
    /// connection fault could hit.
    pub fn add_fault(&self, rule: FaultRule) -> u64 {
        self.service.state().faults.add(rule)
    }

    /// Calls the control API without a connection, for emulators that use TLS or whose connections have faults:
    /// `control("POST", "zego/join", r#"{"room_id":"lobby","user_id":"alice"}"#)`. Returns the status and the body of the answer.
    ///
    /// # Panics
    /// If `method` or `path` is not valid in an HTTP request.
    pub fn control(&self, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
        let request = axum::http::Request::builder()
            .method(method)
            .uri(format!("/{path}"))
            .extension(Arc::new(Connection::new(0, 0, false)))
            .body(axum::body::Body::from(body.to_owned()))
            .expect("a method and a path");
        let answered = async {
            let router = control::router().with_state(Arc::clone(&self.service));
            let Ok(answer) = router.oneshot(request).await;
            let status = answer.status().as_u16();
            let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
            (
                status,
                body.ok()
                    .and_then(|body| serde_json::from_slice(&body).ok())
                    .unwrap_or_default(),
            )
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime without I/O");
        runtime.block_on(answered)
    }

    /// Removes all scripted faults.
    pub fn remove_faults(&self) {
        self.service.state().faults.clear();
    }

    /// Stops the emulator. It accepts no new connections and waits at most 2 s for the requests in flight. Dropping does the same.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
