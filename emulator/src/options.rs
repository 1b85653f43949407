//! The options of an emulator: the accounts it knows, how strict it is, and the clocks it reads.
//!
//! The defaults are the demo account that the command line prints at its start. The clocks are options, so that a test can reach
//! the end of a signature's lifetime without waiting for it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::faults::FaultRule;

/// The wall clock. The emulator checks the time of signatures against it and writes it into `Date` headers.
pub type WallClock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// A monotonic clock with any origin. Quotas and the times in the ledger use it.
pub type SteadyClock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The options of an emulator. `Options::default()` is the demo account on a free port of 127.0.0.1, without a request log.
#[derive(Clone)]
pub struct Options {
    /// The address to listen on: a loopback address, unless `allow_remote` is set.
    pub host: IpAddr,
    /// The port to listen on; 0 chooses a free one, see [`Emulator::port`](crate::Emulator::port).
    pub port: u16,
    /// Allows a `host` that other machines can reach. Any client that reaches the emulator can control it.
    pub allow_remote: bool,
    /// Serves HTTPS with this certificate instead of HTTP.
    pub tls: Option<TlsFiles>,
    /// The Volcengine account, for RTC and IM.
    pub volcengine: VolcengineAccount,
    /// The ZEGO project.
    pub zego: ZegoAccount,
    /// Whether the emulator enforces the vendors' limits of requests per second.
    pub quota: bool,
    /// Whether ZEGO accepts a `SignatureNonce` a second time. It is an assumption that ZEGO refuses it: ZEGO documents no code for it.
    pub allow_nonce_reuse: bool,
    /// What Volcengine's size limit counts for a binary message.
    pub binary_limit_counts: BinaryLimitCounts,
    /// Scripted faults from the start. They apply until they are removed or reset.
    pub faults: Vec<FaultRule>,
    /// Writes a line for each vendor request to standard error.
    pub request_log: bool,
    /// The vendors' wall clock.
    pub clock: WallClock,
    /// The clock of quotas and of the ledger's times.
    pub steady_clock: SteadyClock,
}

/// The one Volcengine account that the emulator knows.
#[derive(Clone, Debug)]
pub struct VolcengineAccount {
    /// The access key id.
    pub access_key: String,
    /// The secret key that requests are signed with.
    pub secret_key: Secret,
    /// The STS session token accepted with these keys. A request without a token is also accepted.
    pub session_token: Secret,
    /// The region that signatures must name; `None` accepts any.
    pub region: Option<String>,
    /// The id of the RTC app.
    pub rtc_app_id: String,
    /// The id of the IM app, which is another app and has an integer id.
    pub im_app_id: i64,
}

/// The one ZEGO project that the emulator knows.
#[derive(Clone, Debug)]
pub struct ZegoAccount {
    /// The project's AppId.
    pub app_id: u32,
    /// The project's ServerSecret.
    pub server_secret: Secret,
}

/// Two PEM files: the certificate chain and its private key.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, followed by its intermediates.
    pub certificate: PathBuf,
    /// The private key of the certificate.
    pub key: PathBuf,
}

/// What Volcengine's size limit counts for a binary message. The vendor does not document it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryLimitCounts {
    /// The payload that the receiver gets.
    Decoded,
    /// The base64 text in the request.
    Base64,
}

/// A signing secret or session token: its `Debug` prints `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl Default for Options {
    fn default() -> Self {
        let start = Instant::now();
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            allow_remote: false,
            tls: None,
            volcengine: VolcengineAccount::default(),
            zego: ZegoAccount::default(),
            quota: true,
            allow_nonce_reuse: false,
            binary_limit_counts: BinaryLimitCounts::Decoded,
            faults: Vec::new(),
            request_log: false,
            clock: Arc::new(SystemTime::now),
            steady_clock: Arc::new(move || start.elapsed()),
        }
    }
}

impl Default for VolcengineAccount {
    fn default() -> Self {
        Self {
            access_key: "AKLTdemo".to_owned(),
            secret_key: "demo-secret-key==".into(),
            session_token: "demo-session-token".into(),
            region: Some("cn-north-1".to_owned()),
            rtc_app_id: "661e000000000000000demo1".to_owned(),
            im_app_id: 666_675,
        }
    }
}

impl Default for ZegoAccount {
    fn default() -> Self {
        Self {
            app_id: 1_234_567_890,
            server_secret: "0123456789abcdef0123456789abcdef".into(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Options")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("allow_remote", &self.allow_remote)
            .field("tls", &self.tls)
            .field("volcengine", &self.volcengine)
            .field("zego", &self.zego)
            .field("quota", &self.quota)
            .field("allow_nonce_reuse", &self.allow_nonce_reuse)
            .field("binary_limit_counts", &self.binary_limit_counts)
            .field("faults", &self.faults)
            .field("request_log", &self.request_log)
            .finish_non_exhaustive()
    }
}
