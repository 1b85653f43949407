//! What became of a message: per recipient, per request, and in one word.
//!
//! A report exists for every message taken in, and says for every recipient exactly one [`Delivery`].

use std::fmt::Write;

use crate::error::{Code, Error};
use crate::message::Recipients;

/// What is known of a message's arrival, and with it whether it is safe to send again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Delivery {
    /// No byte of the request can have reached the vendor. Safe to send again.
    NotSent = 1,
    /// The vendor answered that this recipient did not get it. Safe to send again.
    NotDelivered = 2,
    /// The vendor took it and says nothing more of this recipient.
    Accepted = 3,
    /// The vendor says that this recipient got it.
    Delivered = 4,
    /// Request bytes left and no answer settles it. Send again only if twice is harmless.
    Unknown = 5,
}

impl Delivery {
    pub const ALL: [Delivery; 5] = [
        Delivery::NotSent,
        Delivery::NotDelivered,
        Delivery::Accepted,
        Delivery::Delivered,
        Delivery::Unknown,
    ];

    /// A whole is as certain as its least certain part, and that is the lowest of this rank.
    fn certainty(self) -> u8 {
        match self {
            Delivery::Unknown => 0,
            Delivery::NotSent => 1,
            Delivery::NotDelivered => 2,
            Delivery::Accepted => 3,
            Delivery::Delivered => 4,
        }
    }

    pub fn is_success(self) -> bool {
        matches!(self, Delivery::Accepted | Delivery::Delivered)
    }

    /// `not delivered`, for logs.
    pub const fn text(self) -> &'static str {
        match self {
            Delivery::NotSent => "not sent",
            Delivery::NotDelivered => "not delivered",
            Delivery::Accepted => "accepted",
            Delivery::Delivered => "delivered",
            Delivery::Unknown => "unknown",
        }
    }

    /// The name of the constant in the C header.
    pub const fn c_name(self) -> &'static std::ffi::CStr {
        match self {
            Delivery::NotSent => c"RTCMSG_NOT_SENT",
            Delivery::NotDelivered => c"RTCMSG_NOT_DELIVERED",
            Delivery::Accepted => c"RTCMSG_ACCEPTED",
            Delivery::Delivered => c"RTCMSG_DELIVERED",
            Delivery::Unknown => c"RTCMSG_UNKNOWN",
        }
    }
}

/// What a vendor's error code means: its class, and what it says about delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    InvalidRequest,
    Authentication,
    Clock,
    Configuration,
    Permission,
    Throttled,
    /// The room, conversation or user is not there.
    NotDelivered,
    /// The vendor failed before it did anything.
    NotProcessed,
    /// The vendor failed, perhaps after it sent.
    OutcomeUnknown,
    /// Not processed for one recipient, outcome unknown for several or a room (ZEGO 50013).
    UnknownIfSeveral,
}

impl Class {
    pub fn code(self) -> Code {
        match self {
            Class::InvalidRequest | Class::Configuration => Code::Rejected,
            Class::Authentication => Code::Unauthenticated,
            Class::Clock => Code::Clock,
            Class::Permission => Code::Forbidden,
            Class::Throttled => Code::Throttled,
            Class::NotDelivered => Code::Undelivered,
            Class::NotProcessed | Class::OutcomeUnknown | Class::UnknownIfSeveral => Code::VendorFault,
        }
    }

    pub fn delivery(self, recipients: Recipients) -> Delivery {
        match self {
            Class::OutcomeUnknown => Delivery::Unknown,
            Class::UnknownIfSeveral if recipients.len() != 1 => Delivery::Unknown,
            _ => Delivery::NotDelivered,
        }
    }

    /// The class of an error whose code no table knows, by HTTP status. VENDORS.md, Response.
    pub fn by_status(status: u16) -> Class {
        match status {
            401 => Class::Authentication,
            403 => Class::Permission,
            404 | 405 => Class::Configuration,
            429 => Class::Throttled,
            300..=499 => Class::InvalidRequest,
            _ => Class::OutcomeUnknown,
        }
    }
}

/// Who a row is about: Volcengine RTC and ZEGO know users by name, Volcengine IM by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    Name(String),
    Id(i64),
}

impl Recipients<'_> {
    /// Each of them, owned by the report's rows.
    pub(crate) fn users(&self) -> impl Iterator<Item = User> {
        let (names, ids): (&[&str], &[i64]) = match self {
            Recipients::Everybody => (&[], &[]),
            Recipients::One(name) => (std::slice::from_ref(name), &[]),
            Recipients::Names(names) => (names, &[]),
            Recipients::Ids(ids) => (&[], ids),
        };
        names
            .iter()
            .map(|name| User::Name((*name).to_owned()))
            .chain(ids.iter().map(|id| User::Id(*id)))
    }
}

/// One HTTP request, sent or given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The vendor's id of it, for its support; empty if no answer gave one.
    pub request_id: String,
    /// The vendor's error code as text (`FlowLimitExceeded.QPSOverLimit`), empty if none.
    pub vendor_name: String,
    /// The vendor's error code as a number, 0 if none.
    pub vendor_code: i32,
    /// What the vendor says of it.
    pub vendor_text: String,
    pub code: Code,
    pub delivery: Delivery,
    /// 0 if no answer came.
    pub http_status: u16,
    pub attempts: u32,
    /// The vendor's `Retry-After` in milliseconds, 0 if none.
    pub retry_after_ms: u32,
    /// Why it ended like this, in a sentence of ours; empty on success.
    pub text: String,
}

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub user: User,
    pub delivery: Delivery,
    pub code: Code,
    /// The vendor's code for this recipient, 0 if none.
    pub vendor_code: i32,
    /// The vendor's word for this recipient (`NOT_ONLINE`), empty if none.
    pub vendor_text: String,
    /// Which of the report's requests carried it.
    pub request: usize,
    /// One row per device, where the vendor tells (IM).
    pub devices: Vec<Device>,
}

/// One device of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `Android`, `IOS`, `Web`, or `Default` for a user who is offline.
    pub platform: String,
    pub delivery: Delivery,
    pub vendor_text: String,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    action: String,
    code: Code,
    delivery: Delivery,
    requests: Vec<Request>,
    recipients: Vec<Recipient>,
    body: Vec<u8>,
}

impl Request {
    /// A request of which no answer settles anything.
    pub(crate) fn failed(code: Code, delivery: Delivery, http_status: u16, text: String) -> Request {
        Request {
            request_id: String::new(),
            vendor_name: String::new(),
            vendor_code: 0,
            vendor_text: String::new(),
            code,
            delivery,
            http_status,
            attempts: 1,
            retry_after_ms: 0,
            text,
        }
    }

    /// A request with an answer that is none of this vendor's: a gateway's page, nothing, a body cut off. By its status
    /// a 3xx or 4xx was refused; after a 2xx or 5xx nothing is known.
    pub(crate) fn unreadable(http_status: u16, what: &str) -> Request {
        let class = Class::by_status(http_status);
        let code = if class == Class::OutcomeUnknown {
            Code::BadResponse
        } else {
            class.code()
        };
        let text = format!("the answer (HTTP {http_status}) is not readable: {what}");
        Request::failed(code, class.delivery(Recipients::Everybody), http_status, text)
    }

    /// The request's outcome for each recipient, where nothing tells them apart.
    pub(crate) fn for_each(&self, recipients: Recipients) -> Vec<Recipient> {
        recipients
            .users()
            .map(|user| Recipient::new(user, self.delivery, self.code))
            .collect()
    }
}

impl Recipient {
    pub(crate) fn new(user: User, delivery: Delivery, code: Code) -> Recipient {
        Recipient {
            user,
            delivery,
            code,
            vendor_code: 0,
            vendor_text: String::new(),
            request: 0,
            devices: Vec::new(),
        }
    }
}

impl Report {
    /// From one request and the recipients the vendor spoke of. Where it named none, the request speaks for all.
    pub(crate) fn new(action: &str, request: Request, recipients: Vec<Recipient>) -> Report {
        let mut parts: Vec<(Delivery, Code)> = recipients.iter().map(|r| (r.delivery, r.code)).collect();
        // An answer that is not readable in all its rows leaves somebody unknown who has none.
        if recipients.is_empty() || request.code == Code::BadResponse {
            parts.push((request.delivery, request.code));
        }
        let delivery = parts
            .iter()
            .map(|(delivery, _)| *delivery)
            .min_by_key(|delivery| delivery.certainty());
        Report {
            action: action.to_owned(),
            code: overall_code(&parts),
            delivery: delivery.unwrap_or(request.delivery),
            requests: vec![request],
            recipients,
            body: Vec::new(),
        }
    }

    pub(crate) fn with_body(self, body: Vec<u8>) -> Report {
        Report { body, ..self }
    }

    /// The vendor's name of the action.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// `Ok` if every recipient is accepted or delivered; `Undelivered` if none got it; `Partial` if some did; else why not.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The least certain of its parts: unknown, not sent, not delivered, accepted, delivered.
    pub fn delivery(&self) -> Delivery {
        self.delivery
    }

    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// In the caller's order. None for a room. For a whole conversation, those the vendor spoke of, in its order.
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// How many recipients are of that delivery.
    pub fn count(&self, delivery: Delivery) -> usize {
        self.recipients.iter().filter(|r| r.delivery == delivery).count()
    }

    /// The raw answer, kept for [`Client::call`](crate::Client::call) alone.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// One line for a log: no secret, no payload.
    pub fn text(&self) -> String {
        let mut line = format!("{}: ", self.action);
        if self.code == Code::Ok {
            line.push_str(self.delivery.text());
        } else {
            let _ = write!(line, "{}, {}", self.code, self.delivery.text());
        }
        self.write_counts(&mut line);
        for request in &self.requests {
            write_request(&mut line, request);
        }
        line
    }

    fn write_counts(&self, line: &mut String) {
        if self.recipients.len() < 2 {
            return;
        }
        let mut by_certainty = Delivery::ALL;
        by_certainty.sort_by_key(|delivery| std::cmp::Reverse(delivery.certainty()));
        let counts = by_certainty
            .into_iter()
            .map(|delivery| (self.count(delivery), delivery.text()))
            .filter(|(count, _)| *count > 0)
            .map(|(count, text)| format!("{count} {text}"))
            .collect::<Vec<_>>();
        let _ = write!(line, " ({})", counts.join(", "));
    }

    /// The failure as an error, for those who want one; `None` if the code is `Ok`.
    pub fn error(&self) -> Option<Error> {
        (self.code != Code::Ok).then(|| Error::new(self.code, "", self.text()))
    }
}

fn write_request(line: &mut String, request: &Request) {
    if !request.vendor_name.is_empty() {
        let _ = write!(line, "; {}", one_line(&request.vendor_name));
    } else if request.vendor_code != 0 {
        let _ = write!(line, "; code {}", request.vendor_code);
    }
    if request.code != Code::Ok && !request.vendor_text.is_empty() {
        let _ = write!(line, ": {}", one_line(&request.vendor_text));
    }
    if !request.text.is_empty() {
        let _ = write!(line, "; {}", one_line(&request.text));
    }
    if request.http_status != 0 {
        let _ = write!(line, "; HTTP {}", request.http_status);
    }
    if !request.request_id.is_empty() {
        let _ = write!(line, "; request {}", one_line(&request.request_id));
    }
}

/// Vendors' texts may hold anything.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}

fn overall_code(parts: &[(Delivery, Code)]) -> Code {
    if parts.iter().all(|(delivery, _)| delivery.is_success()) {
        return Code::Ok;
    }
    if parts.iter().all(|part| *part == parts[0]) {
        return parts[0].1;
    }
    if parts.iter().all(|(delivery, _)| *delivery == Delivery::NotDelivered) {
        return Code::Undelivered;
    }
    Code::Partial
}

#[cfg(test)]
mod tests;
