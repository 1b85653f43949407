//! Reads rules from JSON. A field that has no effect is an error that names it, because a test whose rule never fires would
//! test nothing.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;

use super::rule::{Cut, ErrorAnswer, ErrorCode, Fault, FaultError, FaultRule, Matcher, StatusAnswer};
use crate::json;
use crate::vendor::UserScope;

impl FaultRule {
    /// Reads a JSON list of rules, the content of a `--faults` file.
    ///
    /// # Errors
    /// The text is not a JSON list, or a rule is invalid. The error names its position in the list, from 1, and its field.
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

#[derive(Deserialize)]
#[serde(untagged, expecting = "a user's id")]
enum UserId {
    Number(i64),
    Text(String),
}

/// The JSON of a rule: one flat object with one of the faults and its other fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleJson {
    vendor: Option<UserScope>,
    action: Option<String>,
    user: Option<UserId>,
    probability: Option<f64>,
    seed: Option<u64>,
    count: Option<u64>,
    skip: Option<u64>,

    latency_ms: Option<u64>,
    answer_latency_ms: Option<u64>,
    throttle: Option<bool>,
    status: Option<u16>,
    error: Option<ErrorCode>,
    cut_request_after: Option<u64>,
    cut_answer_after: Option<u64>,
    close_idle_after_answer: Option<bool>,
    drop_on_accept: Option<bool>,
    reset_on_accept: Option<bool>,
    cut_handshake: Option<bool>,
    stall: Option<bool>,
    device_code: Option<String>,
    fail_user_code: Option<i64>,

    body: Option<String>,
    html: Option<bool>,
    headers: Option<BTreeMap<String, String>>,
    retry_after_s: Option<u32>,
    processed: Option<bool>,
    code_n: Option<u32>,
    message: Option<String>,
    reset: Option<bool>,
    device: Option<String>,
}

/// The faults that happen before a request has arrived.
const CONNECTION_FAULTS: [&str; 3] = ["drop_on_accept", "reset_on_accept", "cut_handshake"];

impl RuleJson {
    pub fn into_rule(self, source: Value) -> Result<FaultRule, String> {
        let name = self.fault_name()?;
        self.check_combinations(name)?;
        let probability = self.probability.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&probability) {
            return Err(format!("probability must be from 0 to 1, not {probability}"));
        }
        let fault = self.fault(name)?;
        if let Some(vendor) = self.vendor.filter(|vendor| !fault.is_for(*vendor)) {
            return Err(format!("{name}: this is not for {}", vendor.name()));
        }
        Ok(FaultRule {
            source,
            matcher: Matcher {
                vendor: self.vendor,
                action: self.action,
                user: self.user.map(|user| match user {
                    UserId::Number(number) => number.to_string(),
                    UserId::Text(text) => text,
                }),
            },
            probability,
            seed: self.seed.unwrap_or_default(),
            count: self.count,
            skip: self.skip.unwrap_or_default(),
            fault,
        })
    }

    /// The one fault of the rule.
    fn fault_name(&self) -> Result<&'static str, String> {
        let faults = [
            ("latency_ms", self.latency_ms.is_some()),
            ("answer_latency_ms", self.answer_latency_ms.is_some()),
            ("throttle", self.throttle.is_some()),
            // With an error, it is the status of the answer and not a fault of its own.
            ("status", self.status.is_some() && self.error.is_none()),
            ("error", self.error.is_some()),
            ("cut_request_after", self.cut_request_after.is_some()),
            ("cut_answer_after", self.cut_answer_after.is_some()),
            ("close_idle_after_answer", self.close_idle_after_answer.is_some()),
            ("drop_on_accept", self.drop_on_accept.is_some()),
            ("reset_on_accept", self.reset_on_accept.is_some()),
            ("cut_handshake", self.cut_handshake.is_some()),
            ("stall", self.stall.is_some()),
            ("device_code", self.device_code.is_some()),
            ("fail_user_code", self.fail_user_code.is_some()),
        ];
        let mut given = faults.iter().filter(|(_, given)| *given).map(|(name, _)| *name);
        match (given.next(), given.next()) {
            (Some(name), None) => Ok(name),
            (None, _) => Err(format!(
                "a rule needs a fault: {}",
                faults.map(|(name, _)| name).join(", ")
            )),
            (Some(first), Some(second)) => Err(format!("a rule has one fault, not both {first} and {second}")),
        }
    }

    /// Refuses fields that have no effect with the fault.
    fn check_combinations(&self, fault: &str) -> Result<(), String> {
        let flags = [
            ("throttle", self.throttle),
            ("close_idle_after_answer", self.close_idle_after_answer),
            ("drop_on_accept", self.drop_on_accept),
            ("reset_on_accept", self.reset_on_accept),
            ("cut_handshake", self.cut_handshake),
            ("stall", self.stall),
        ];
        if let Some((name, _)) = flags.iter().find(|(_, flag)| *flag == Some(false)) {
            return Err(format!("{name} must be true, or left out"));
        }
        let cuts = ["cut_request_after", "cut_answer_after", "cut_handshake"];
        let combinations: [(&str, bool, &[&str]); 9] = [
            ("body", self.body.is_some(), &["status"]),
            ("html", self.html.is_some(), &["status"]),
            ("headers", self.headers.is_some(), &["status"]),
            (
                "retry_after_s",
                self.retry_after_s.is_some(),
                &["throttle", "status", "error"],
            ),
            ("processed", self.processed.is_some(), &["status", "error", "stall"]),
            ("code_n", self.code_n.is_some(), &["error"]),
            ("message", self.message.is_some(), &["error"]),
            ("reset", self.reset.is_some(), &cuts),
            ("device", self.device.is_some(), &["device_code"]),
        ];
        for (name, given, faults) in combinations {
            if given && !faults.contains(&fault) {
                return Err(format!("{name} belongs to {}, not to {fault}", faults.join(", ")));
            }
        }
        let before_request = CONNECTION_FAULTS.contains(&fault);
        for (name, given) in [("vendor", self.vendor.is_some()), ("action", self.action.is_some())] {
            if given && before_request {
                return Err(format!("{name}: {fault} happens before a request has arrived"));
            }
        }
        if self.user.is_some() && (before_request || fault == "cut_request_after") {
            return Err(format!("user: {fault} happens before the recipients are known"));
        }
        if self.seed.is_some() && self.probability.is_none() {
            return Err("seed needs a probability".to_owned());
        }
        Ok(())
    }

    fn fault(&self, name: &str) -> Result<Fault, String> {
        let reset = self.reset.unwrap_or(false);
        let processed = self.processed.unwrap_or(false);
        let milliseconds = |value: Option<u64>| Duration::from_millis(value.unwrap_or_default());
        let cut = |after: Option<u64>| Cut {
            after: after.unwrap_or_default(),
            reset,
        };
        Ok(match name {
            "latency_ms" => Fault::Latency(milliseconds(self.latency_ms)),
            "answer_latency_ms" => Fault::AnswerLatency(milliseconds(self.answer_latency_ms)),
            "throttle" => Fault::Throttle {
                retry_after: self.retry_after(),
            },
            "status" => Fault::Status(self.status_answer()?),
            "error" => Fault::Error(self.error_answer()?),
            "cut_request_after" => Fault::CutRequest(cut(self.cut_request_after)),
            "cut_answer_after" => Fault::CutAnswer(cut(self.cut_answer_after)),
            "close_idle_after_answer" => Fault::CloseIdleAfterAnswer,
            "drop_on_accept" => Fault::CutOnAccept { reset: false },
            "reset_on_accept" => Fault::CutOnAccept { reset: true },
            "cut_handshake" => Fault::CutHandshake { reset },
            "stall" => Fault::Stall { processed },
            "device_code" => Fault::DeviceCode {
                code: self.device_code.clone().unwrap_or_default(),
                device: self.device.clone(),
            },
            _ => match self.fail_user_code {
                Some(0) => return Err("fail_user_code must not be 0: that is success".to_owned()),
                code => Fault::FailUserCode(code.unwrap_or_default()),
            },
        })
    }

    fn retry_after(&self) -> Option<HeaderValue> {
        self.retry_after_s.map(HeaderValue::from)
    }

    fn checked_status(&self) -> Result<Option<u16>, String> {
        match self.status {
            Some(status) if !(200..=599).contains(&status) => {
                Err(format!("status must be from 200 to 599, not {status}"))
            }
            status => Ok(status),
        }
    }

    fn status_answer(&self) -> Result<StatusAnswer, String> {
        let status = self.checked_status()?.unwrap_or(500);
        let html = self.html.unwrap_or(false);
        let content_type = if html { "text/html" } else { "text/plain; charset=utf-8" };
        let mut headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
        headers.extend(self.retry_after().map(|value| (header::RETRY_AFTER, value)));
        for (name, value) in self.headers.iter().flatten() {
            let usable = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
            let (name, value) = usable
                .ok_or_else(|| format!("headers: {name:?} is not a valid header name, or its value is not valid"))?;
            if [header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(&name) {
                return Err(format!("headers: {name} is set by the emulator"));
            }
            headers.push((name, value));
        }
        let body = self
            .body
            .clone()
            .unwrap_or_else(|| if html { error_page(status) } else { String::new() });
        Ok(StatusAnswer {
            status,
            body,
            headers,
            processed: self.processed.unwrap_or(false),
        })
    }

    fn error_answer(&self) -> Result<ErrorAnswer, String> {
        let code = self.error.clone().unwrap_or(ErrorCode::Number(1));
        match &code {
            ErrorCode::Word(word) if word.is_empty() => return Err("error must not be empty".to_owned()),
            ErrorCode::Number(0) => return Err("error must not be 0: that is success".to_owned()),
            ErrorCode::Number(_) if self.code_n.is_some() => return Err("code_n is for Volcengine".to_owned()),
            _ => (),
        }
        Ok(ErrorAnswer {
            code,
            code_n: self.code_n,
            status: self.checked_status()?,
            message: self.message.clone().unwrap_or_else(|| "a scripted fault".to_owned()),
            retry_after: self.retry_after(),
            processed: self.processed.unwrap_or(false),
        })
    }
}

/// The error page of a proxy that got no answer.
fn error_page(status: u16) -> String {
    let known = StatusCode::from_u16(status).ok();
    let reason = known.and_then(|status| status.canonical_reason()).unwrap_or("Error");
    format!(
        "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n<center><h1>{status} {reason}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
}
