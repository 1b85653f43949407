//! The tests of bad answers share this: both vendors, their good answers, and names for outcomes.

// Each test crate uses only a part of it.
#![allow(dead_code)]

use rtcmsg::{Code, Delivery, Message, Report};

use crate::common::{COMMAND, UNICAST, outcome};

pub type Outcome = (Code, Delivery);

pub const ACCEPTED: Outcome = (Code::Ok, Delivery::Accepted);
pub const REFUSED: Outcome = (Code::Rejected, Delivery::NotDelivered);
/// The request was sent, and the answer does not show whether the vendor processed it.
pub const UNREADABLE: Outcome = (Code::BadResponse, Delivery::Unknown);
pub const CUT: Outcome = (Code::Disconnected, Delivery::Unknown);

/// A vendor with its answers. Both vendors are checked with the same rows.
#[derive(Clone, Copy)]
pub struct Vendor {
    pub name: &'static str,
    pub message: Message<'static>,
    pub success: fn(request_id: &str) -> String,
    /// An error with a code that the library does not know.
    pub unknown_error: &'static str,
    pub throttled: &'static str,
}

pub const VENDORS: [Vendor; 2] = [
    Vendor {
        name: "Volcengine",
        message: UNICAST,
        success: |id| format!(r#"{{"ResponseMetadata":{{"RequestId":"{id}"}},"Result":{{"Message":"Success"}}}}"#),
        unknown_error: r#"{"ResponseMetadata":{"RequestId":"bad","Error":{"Code":"NeverSeen","Message":"m"}}}"#,
        throttled: r#"{"ResponseMetadata":{"RequestId":"bad","Error":{"CodeN":100018,"Code":"FlowLimitExceeded","Message":"m"}}}"#,
    },
    Vendor {
        name: "ZEGO",
        message: COMMAND,
        success: |id| format!(r#"{{"Code":0,"Message":"success","RequestId":"{id}","Data":{{"FailUsers":[]}}}}"#),
        unknown_error: r#"{"Code":987654,"Message":"m","RequestId":"bad"}"#,
        throttled: r#"{"Code":7,"Message":"m","RequestId":"bad"}"#,
    },
];

pub fn http(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

pub fn chunked(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
}

pub fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// The answer to the present request, recognizable by its request id.
pub fn fresh(vendor: &Vendor) -> String {
    http("200 OK", "", &(vendor.success)("fresh"))
}

/// An answer to no request, recognizable by its request id.
pub fn stale(vendor: &Vendor) -> String {
    http("200 OK", "", &(vendor.success)("stale"))
}

pub fn outcome_and_request_id(report: &Report) -> (Outcome, &str) {
    (outcome(report), &report.requests()[0].request_id)
}
