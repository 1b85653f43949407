//! One rule: which requests it is for, how often it fires, and the fault. README.md has the table for users.

use std::fmt;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;

use crate::vendor::UserScope;

/// A scripted fault: which requests or connections it is for, how often it fires, and what happens to them.
///
/// Its JSON is the same in [`Options::faults`](crate::Options::faults), in a `--faults` file and in the control API. The README of
/// this package has the table of faults.
///
/// ```
/// let rule: rtcmsg_emulator::FaultRule = r#"{"vendor": "zego", "cut_answer_after": 0, "count": 1}"#.parse()?;
/// # Ok::<(), rtcmsg_emulator::FaultError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FaultRule {
    /// The JSON that the rule was read from.
    pub(crate) source: Value,
    pub(crate) matcher: Matcher,
    pub(crate) probability: f64,
    pub(crate) seed: u64,
    pub(crate) count: Option<u64>,
    pub(crate) skip: u64,
    pub(crate) fault: Fault,
}

/// Why a rule is invalid. The text names the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultError(pub(crate) String);

impl fmt::Display for FaultError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for FaultError {}

/// Which requests a rule is for. `None` matches any.
#[derive(Clone, Debug)]
pub(crate) struct Matcher {
    pub vendor: Option<UserScope>,
    pub action: Option<String>,
    pub user: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Latency(Duration),
    AnswerLatency(Duration),
    Throttle { retry_after: Option<HeaderValue> },
    Status(StatusAnswer),
    Error(ErrorAnswer),
    CutRequest(Cut),
    CutAnswer(Cut),
    CloseIdleAfterAnswer,
    CutOnAccept { reset: bool },
    CutHandshake { reset: bool },
    Stall { processed: bool },
    DeviceCode { code: String, device: Option<String> },
    FailUserCode(i64),
}

/// The end of a connection after a number of bytes, by RST or by FIN.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub after: u64,
    pub reset: bool,
}

/// The end of a connection before any byte of an answer.
pub(crate) const NO_ANSWER: Cut = Cut { after: 0, reset: false };

/// An answer that is not in the vendor's format.
#[derive(Clone, Debug)]
pub(crate) struct StatusAnswer {
    pub status: u16,
    pub body: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub processed: bool,
}

/// An answer in the vendor's format with the code of the rule.
#[derive(Clone, Debug)]
pub(crate) struct ErrorAnswer {
    pub code: ErrorCode,
    pub code_n: Option<u32>,
    pub status: Option<u16>,
    pub message: String,
    pub retry_after: Option<HeaderValue>,
    pub processed: bool,
}

/// A text for Volcengine, a number for ZEGO.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a text for Volcengine, a number for ZEGO")]
pub(crate) enum ErrorCode {
    Number(i64),
    Word(String),
}

impl Fault {
    /// Whether the fault can happen to requests for these users.
    pub fn is_for(&self, vendor: UserScope) -> bool {
        match self {
            Self::DeviceCode { .. } => vendor == UserScope::Im,
            Self::FailUserCode(_) => vendor == UserScope::Zego,
            Self::Error(error) => (vendor == UserScope::Zego) == matches!(error.code, ErrorCode::Number(_)),
            _ => true,
        }
    }
}
