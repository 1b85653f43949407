//! One rule: which requests it is for, how often, and the fault. README.md has the table for users.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;

use super::parse::RuleJson;
use crate::json;
use crate::record::UserScope;

/// A scripted fault: which requests or connections it is for, how often, and what happens to them.
///
/// It is written in JSON, the same in [`Options::faults`](crate::Options::faults), in the file of `--faults` and in the control
/// API. The README of this package has the table of faults.
///
/// ```
/// let rule: rtcmsg_emulator::FaultRule = r#"{"vendor": "zego", "cut_answer_after": 0, "count": 1}"#.parse()?;
/// # Ok::<(), rtcmsg_emulator::FaultError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FaultRule {
    /// As it was written.
    pub(crate) source: Value,
    pub(crate) matcher: Matcher,
    pub(crate) probability: f64,
    pub(crate) seed: u64,
    pub(crate) count: Option<u64>,
    pub(crate) skip: u64,
    pub(crate) fault: Fault,
}

/// What is wrong with a rule: the text names the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultError(String);

impl fmt::Display for FaultError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for FaultError {}

/// Which requests a rule is for; what is `None` is any.
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

/// A connection's end after so many bytes: by RST, or by FIN.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub after: u64,
    pub reset: bool,
}

/// An answer that is none of the vendor's own.
#[derive(Clone, Debug)]
pub(crate) struct StatusAnswer {
    pub status: u16,
    pub body: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub processed: bool,
}

/// The vendor's own envelope around a code of the rule.
#[derive(Clone, Debug)]
pub(crate) struct ErrorAnswer {
    pub code: ErrorCode,
    pub code_n: Option<u32>,
    pub status: Option<u16>,
    pub message: String,
    pub retry_after: Option<HeaderValue>,
    pub processed: bool,
}

/// A word for Volcengine, a number for ZEGO.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a word for Volcengine, a number for ZEGO")]
pub(crate) enum ErrorCode {
    Number(i64),
    Word(String),
}

impl Fault {
    /// Whether the fault has a meaning for a vendor's requests.
    pub fn is_for(&self, vendor: UserScope) -> bool {
        match self {
            Self::DeviceCode { .. } => vendor == UserScope::Im,
            Self::FailUserCode(_) => vendor == UserScope::Zego,
            Self::Error(error) => (vendor == UserScope::Zego) == matches!(error.code, ErrorCode::Number(_)),
            _ => true,
        }
    }
}

impl FaultRule {
    /// Reads a JSON list of rules, as the file of `--faults` holds it.
    ///
    /// # Errors
    /// Text that is no JSON list, or a rule that cannot be used: the error names its place in the list, from 1, and its field.
    pub fn list(text: &str) -> Result<Vec<Self>, FaultError> {
        let rules: Vec<Value> = serde_json::from_str(text).map_err(|error| FaultError(error.to_string()))?;
        let read = |(index, rule)| Self::read(rule).map_err(|fault| FaultError(format!("rule {}: {fault}", index + 1)));
        rules.into_iter().enumerate().map(read).collect()
    }

    pub(crate) fn read(source: Value) -> Result<Self, FaultError> {
        let written: RuleJson = json::read_value(source.clone()).map_err(FaultError)?;
        written.into_rule(source).map_err(FaultError)
    }
}

impl FromStr for FaultRule {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        Self::read(serde_json::from_str(text).map_err(|error| FaultError(error.to_string()))?)
    }
}
