//! The record of requests: the ledger, the inboxes of users, and the captures of raw requests.
//!
//! A request has the same sequence number in all three. Sequence numbers start at 1 and are never reused. The ledger and the
//! inboxes grow until a reset; the last 10,000 captures are kept.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::request::Request;
use crate::vendor::{UserScope, Vendor};

const CAPTURES_KEPT: usize = 10_000;

/// The outcome of a message for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Delivered,
    /// The user was not present, and the answer does not report that as a failure.
    Absent,
    /// The answer reports a failure.
    Failed,
}

/// A recipient in a ledger entry. The code is the vendor's: a number for ZEGO, a text for Volcengine.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Recipient {
    pub user: String,
    pub outcome: Outcome,
    pub code: Value,
}

/// The ledger entry of one request.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LedgerEntry {
    pub sequence: u64,
    pub connection: u64,
    pub peer_port: u16,
    pub request_on_connection: u64,
    pub vendor: Vendor,
    pub action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub status: u16,
    pub code: Value,
    pub request_id: String,
    pub from: Option<String>,
    pub room_id: Option<String>,
    #[serde(rename = "payload_base64", serialize_with = "optional_base64")]
    pub payload: Option<Bytes>,
    pub recipients: Vec<Recipient>,
    pub accepted: bool,
    /// The ids of the fault rules that fired for the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<u64>,
    #[serde(rename = "received_at_ns", serialize_with = "nanoseconds")]
    pub received_at: Duration,
}

/// A message in the inbox of a user.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Delivery {
    pub sequence: u64,
    pub action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<i64>,
    pub from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(flatten)]
    pub content: Content,
    pub request_id: String,
}

/// The payload of a message, as its receiver sees it.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub binary: bool,
    pub payload: Bytes,
}

impl Content {
    pub fn text(text: &str) -> Self {
        Self {
            binary: false,
            payload: Bytes::copy_from_slice(text.as_bytes()),
        }
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            binary: bool,
            payload: Option<&'a str>,
            payload_base64: String,
        }
        Fields {
            binary: self.binary,
            payload: std::str::from_utf8(&self.payload).ok().filter(|_| !self.binary),
            payload_base64: STANDARD.encode(&self.payload),
        }
        .serialize(serializer)
    }
}

/// A captured request.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    pub sequence: u64,
    pub connection: u64,
    pub request: Request,
}

impl Serialize for Capture {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            sequence: u64,
            connection: u64,
            method: &'a str,
            target: String,
            headers: Vec<(&'a str, String)>,
            body_base64: String,
        }
        let Request {
            method,
            path,
            raw_query,
            headers,
            body,
        } = &self.request;
        let text = |value: &Bytes| String::from_utf8_lossy(value).into_owned();
        Fields {
            sequence: self.sequence,
            connection: self.connection,
            method,
            target: format!("{path}?{raw_query}"),
            headers: headers
                .iter()
                .map(|(name, value)| (name.as_str(), text(value)))
                .collect(),
            body_base64: STANDARD.encode(body),
        }
        .serialize(serializer)
    }
}

/// The ledger, the inboxes and the captures.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub ledger: Vec<LedgerEntry>,
    pub captures: VecDeque<Capture>,
    inboxes: HashMap<(UserScope, String), Vec<Delivery>>,
}

impl Record {
    pub fn capture(&mut self, capture: Capture) {
        if self.captures.len() == CAPTURES_KEPT {
            self.captures.pop_front();
        }
        self.captures.push_back(capture);
    }

    pub fn deliver(&mut self, scope: UserScope, user: &str, delivery: Delivery) {
        self.inboxes.entry((scope, user.to_owned())).or_default().push(delivery);
    }

    pub fn inbox(&self, scope: UserScope, user: &str) -> &[Delivery] {
        self.inboxes.get(&(scope, user.to_owned())).map_or(&[], Vec::as_slice)
    }
}

fn optional_base64<S: Serializer>(bytes: &Option<Bytes>, serializer: S) -> Result<S::Ok, S::Error> {
    bytes.as_ref().map(|bytes| STANDARD.encode(bytes)).serialize(serializer)
}

fn nanoseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    u64::try_from(duration.as_nanos())
        .unwrap_or(u64::MAX)
        .serialize(serializer)
}
