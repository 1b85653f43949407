//! The outcome of a message: overall, for each request and for each recipient.
//!
//! Every message that the library accepts for sending gets one report, which has exactly one [`Delivery`] for each recipient.

mod summary;
mod user;

use std::borrow::Cow;

pub use self::user::{Name, User};
use crate::error::{Code, Error};
use crate::message::Recipients;

/// Texts from an answer are cut at these lengths, in bytes: a message, a request id or error name, and a word of a row.
const LONGEST_TEXT: usize = 4096;
const LONGEST_NAME: usize = 256;
const LONGEST_WORD: usize = 64;

/// What is known about the delivery of a message. It determines whether sending the message again is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Delivery {
    /// No byte of the request can have reached the vendor. Safe to send again.
    NotSent = 1,
    /// The vendor answered that this recipient did not get the message. Safe to send again.
    NotDelivered = 2,
    /// The vendor accepted the message and says nothing more about this recipient.
    Accepted = 3,
    /// The vendor says that this recipient got the message.
    Delivered = 4,
    /// Bytes of the request were sent, and no answer shows whether it was delivered. Send it again only if receiving it twice
    /// is harmless.
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

    /// The rank by certainty. A message is as certain as its least certain part, which is the one with the lowest rank.
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
            Delivery::NotSent => c"RTCMSG_DELIVERY_NOT_SENT",
            Delivery::NotDelivered => c"RTCMSG_DELIVERY_NOT_DELIVERED",
            Delivery::Accepted => c"RTCMSG_DELIVERY_ACCEPTED",
            Delivery::Delivered => c"RTCMSG_DELIVERY_DELIVERED",
            Delivery::Unknown => c"RTCMSG_DELIVERY_UNKNOWN",
        }
    }
}

/// The meaning of a vendor's error code, from which the library's code and the delivery follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorClass {
    InvalidRequest,
    Authentication,
    Clock,
    Configuration,
    Permission,
    Throttled,
    /// The room or conversation does not exist, or the user is not in it.
    NotDelivered,
    /// The vendor failed before it processed the request.
    NotProcessed,
    /// The vendor failed, possibly after it sent the message.
    OutcomeUnknown,
    /// With one recipient, the request was not processed. With several or a room, the outcome is unknown (ZEGO 50013).
    UnknownIfSeveral,
}

impl ErrorClass {
    pub fn code(self) -> Code {
        match self {
            ErrorClass::InvalidRequest | ErrorClass::Configuration => Code::Rejected,
            ErrorClass::Authentication => Code::Unauthenticated,
            ErrorClass::Clock => Code::Clock,
            ErrorClass::Permission => Code::Forbidden,
            ErrorClass::Throttled => Code::Throttled,
            ErrorClass::NotDelivered => Code::Undelivered,
            ErrorClass::NotProcessed | ErrorClass::OutcomeUnknown | ErrorClass::UnknownIfSeveral => Code::VendorFault,
        }
    }

    /// Whether the vendor would refuse every other request of this client for the same reason.
    pub fn concerns_all(self) -> bool {
        matches!(
            self,
            ErrorClass::Authentication | ErrorClass::Clock | ErrorClass::Configuration | ErrorClass::Permission
        )
    }

    pub fn delivery(self, recipients: Recipients) -> Delivery {
        match self {
            ErrorClass::OutcomeUnknown => Delivery::Unknown,
            ErrorClass::UnknownIfSeveral if recipients.len() != 1 => Delivery::Unknown,
            ErrorClass::UnknownIfSeveral
            | ErrorClass::InvalidRequest
            | ErrorClass::Authentication
            | ErrorClass::Clock
            | ErrorClass::Configuration
            | ErrorClass::Permission
            | ErrorClass::Throttled
            | ErrorClass::NotDelivered
            | ErrorClass::NotProcessed => Delivery::NotDelivered,
        }
    }

    /// The class by HTTP status, for the answer of a gateway and for an error code that is in no table. Most statuses of 3xx
    /// and 4xx refuse the request, but a gateway may also send these after it forwarded the request: 408 and 499 when it
    /// stopped waiting, 409 when the same request seems to be in progress. docs/DELIVERY.md, Responses of a gateway.
    pub fn by_status(status: u16) -> ErrorClass {
        match status {
            408 | 409 | 499 => ErrorClass::OutcomeUnknown,
            401 => ErrorClass::Authentication,
            403 => ErrorClass::Permission,
            404 | 405 => ErrorClass::Configuration,
            429 => ErrorClass::Throttled,
            300..=499 => ErrorClass::InvalidRequest,
            _ => ErrorClass::OutcomeUnknown,
        }
    }
}

/// One HTTP request of a message, sent or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The vendor's id of the request, for its support; empty if no answer contained one.
    pub request_id: String,
    /// The vendor's error code as text (`FlowLimitExceeded.QPSOverLimit`), or empty.
    pub vendor_error: String,
    /// The vendor's error code as a number, or 0.
    pub vendor_code: i32,
    /// The vendor's message, such as the description of its error.
    pub vendor_message: Cow<'static, str>,
    pub code: Code,
    pub delivery: Delivery,
    /// 0 if no answer came.
    pub http_status: u16,
    /// The attempts, in order; empty if no attempt was made.
    pub attempts: Vec<Attempt>,
    /// The time in milliseconds after which it may be sent again, from the vendor's `Retry-After` or the library's rate limit;
    /// 0 if it is not known.
    pub retry_after_ms: u32,
    /// The library's description of the failure in a sentence; empty on success.
    pub error_message: Cow<'static, str>,
}

/// One attempt of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub code: Code,
    pub delivery: Delivery,
    /// 0 if no answer came.
    pub http_status: u16,
    /// The description of its failure in a sentence; empty on success.
    pub error_message: Cow<'static, str>,
}

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub user: User,
    pub delivery: Delivery,
    pub code: Code,
    /// The vendor's code for this recipient, or 0.
    pub vendor_code: i32,
    /// The vendor's word for this recipient (`NOT_ONLINE`), or empty.
    pub vendor_message: Cow<'static, str>,
    /// The index of the request that was for this recipient.
    pub request: usize,
    /// One row per device, if the vendor lists them (IM).
    pub devices: Vec<Device>,
}

/// One device of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `Android`, `IOS`, `Web`, or `Default` for a user who is offline.
    pub platform: Cow<'static, str>,
    pub delivery: Delivery,
    pub vendor_message: Cow<'static, str>,
}

/// The outcome of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    action: Cow<'static, str>,
    code: Code,
    delivery: Delivery,
    requests: Vec<Request>,
    recipients: Vec<Recipient>,
    body: Vec<u8>,
}

impl Request {
    /// A request that failed without an answer that settles its outcome.
    pub(crate) fn failed(
        code: Code,
        delivery: Delivery,
        http_status: u16,
        text: impl Into<Cow<'static, str>>,
    ) -> Request {
        Request {
            request_id: String::new(),
            vendor_error: String::new(),
            vendor_code: 0,
            vendor_message: Cow::Borrowed(""),
            code,
            delivery,
            http_status,
            attempts: Vec::new(),
            retry_after_ms: 0,
            error_message: text.into(),
        }
    }

    /// The request with an unknown delivery, because its answer does not fit the request. A refusal keeps its code: for
    /// example, it is still known that the vendor throttles.
    pub(crate) fn left_unknown(mut self, what: &str) -> Request {
        if self.code == Code::Ok {
            self.code = Code::BadResponse;
            self.error_message = what.to_owned().into();
        } else {
            self.error_message = format!("{}; {what}", self.error_message).into();
        }
        self.delivery = Delivery::Unknown;
        self
    }

    /// A row for each recipient with the outcome of the request, where the answer does not distinguish them.
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
            vendor_message: Cow::Borrowed(""),
            request: 0,
            devices: Vec::new(),
        }
    }
}

/// The reason why the meaning of an answer is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The answer lacks the vendor's envelope: only its HTTP status can be used.
    NoEnvelope(&'static str),
    /// The answer has the vendor's envelope, but it contradicts itself or is ambiguous. The outcome is unknown, whatever the
    /// status.
    Unclear(&'static str),
}

/// The outcome of one request and of its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub request: Request,
    /// The recipients that the answer lists, or those of the request; empty for a room.
    pub recipients: Vec<Recipient>,
    /// The unchanged body of the answer.
    pub body: Vec<u8>,
    /// Whether the vendor would refuse the other parts of the message for the same reason: a wrong key, a missing permission.
    pub concerns_all: bool,
    /// Whether the message was also for users who have no row, such as the other members of a conversation. The request's
    /// delivery applies to them.
    pub has_others: bool,
    /// Whether the answer says that it belongs to a request for another action. Then the next answer on its connection may
    /// also belong to another request.
    pub answers_another_request: bool,
}

impl Outcome {
    pub fn new(request: Request, recipients: Vec<Recipient>) -> Outcome {
        Outcome {
            request,
            recipients,
            body: Vec::new(),
            concerns_all: false,
            has_others: false,
            answers_another_request: false,
        }
    }

    /// The outcome of an answer that is not one of the vendor: the page of a gateway, an empty or a truncated body. Most
    /// statuses of 3xx and 4xx show that the request was refused. With 2xx or 5xx the outcome is unknown.
    pub fn unreadable(recipients: Recipients, http_status: u16, what: &str) -> Outcome {
        let class = ErrorClass::by_status(http_status);
        let code = if class == ErrorClass::OutcomeUnknown {
            Code::BadResponse
        } else {
            class.code()
        };
        let text = format!("the answer (HTTP {http_status}) is not readable: {what}");
        let request = Request::failed(code, class.delivery(recipients), http_status, text);
        Outcome {
            concerns_all: class.concerns_all(),
            ..Outcome::of(request, recipients)
        }
    }

    /// The outcome of an answer with this flaw.
    pub fn of_flaw(recipients: Recipients, http_status: u16, flaw: Flaw) -> Outcome {
        match flaw {
            Flaw::NoEnvelope(what) => Outcome::unreadable(recipients, http_status, what),
            Flaw::Unclear(what) => {
                let text = format!("the answer (HTTP {http_status}) contradicts itself or is unclear: {what}");
                let request = Request::failed(Code::BadResponse, Delivery::Unknown, http_status, text);
                Outcome::of(request, recipients)
            }
        }
    }

    /// The outcome after an earlier attempt whose outcome is unknown: a recipient that did not get the message from this attempt
    /// may have got it from that one.
    pub fn with_failures_unknown(mut self, why: Code) -> Outcome {
        for recipient in self
            .recipients
            .iter_mut()
            .filter(|recipient| !recipient.delivery.is_success())
        {
            recipient.delivery = Delivery::Unknown;
            recipient.code = why;
        }
        self
    }

    /// The texts that come from the answer, or may repeat parts of it, each with the length at which it is cut. The library's
    /// own texts are not among them.
    pub fn texts(&self) -> impl Iterator<Item = (&str, usize)> + Clone {
        #[allow(clippy::ptr_arg)] // Whether it is borrowed is the question.
        fn unless_known<'a>(text: &'a Cow<'static, str>, longest: usize) -> Option<(&'a str, usize)> {
            match text {
                Cow::Owned(text) => Some((text, longest)),
                Cow::Borrowed(_) => None,
            }
        }
        let request = &self.request;
        let of_request = [
            Some((request.request_id.as_str(), LONGEST_NAME)),
            Some((request.vendor_error.as_str(), LONGEST_NAME)),
            unless_known(&request.vendor_message, LONGEST_TEXT),
            unless_known(&request.error_message, LONGEST_TEXT),
        ];
        let of_rows = self.recipients.iter().flat_map(|recipient| {
            let of_devices = recipient.devices.iter().flat_map(|device| {
                [
                    unless_known(&device.platform, LONGEST_WORD),
                    unless_known(&device.vendor_message, LONGEST_WORD),
                ]
            });
            of_devices.chain([unless_known(&recipient.vendor_message, LONGEST_WORD)])
        });
        of_request.into_iter().chain(of_rows).flatten()
    }

    /// Replaces those of these texts for which `changed`, given the text and its length limit, returns another one.
    pub fn change_texts(&mut self, changed: impl Fn(&str, usize) -> Option<String>) {
        let change = |text: &mut String, longest| {
            if let Some(other) = changed(text, longest) {
                *text = other;
            }
        };
        let change_unless_known = |text: &mut Cow<'static, str>, longest| {
            if let Cow::Owned(text) = text {
                change(text, longest);
            }
        };
        let request = &mut self.request;
        change(&mut request.request_id, LONGEST_NAME);
        change(&mut request.vendor_error, LONGEST_NAME);
        change_unless_known(&mut request.vendor_message, LONGEST_TEXT);
        change_unless_known(&mut request.error_message, LONGEST_TEXT);
        for recipient in &mut self.recipients {
            change_unless_known(&mut recipient.vendor_message, LONGEST_WORD);
            for device in &mut recipient.devices {
                change_unless_known(&mut device.platform, LONGEST_WORD);
                change_unless_known(&mut device.vendor_message, LONGEST_WORD);
            }
        }
    }

    /// The same outcome for all recipients.
    pub fn of(request: Request, recipients: Recipients) -> Outcome {
        let rows = request.for_each(recipients);
        Outcome::new(request, rows)
    }
}

impl Report {
    /// Merges the outcomes of a message's parts: requests in the order of the parts, recipients in the caller's order.
    pub(crate) fn merged(
        action: impl Into<Cow<'static, str>>,
        parts: impl IntoIterator<Item = Outcome, IntoIter: ExactSizeIterator>,
    ) -> Report {
        let parts = parts.into_iter();
        let mut requests = Vec::with_capacity(parts.len());
        let mut recipients = Vec::new();
        let mut body = Vec::new();
        let mut overall = Overall::default();
        for mut part in parts {
            for row in &mut part.recipients {
                row.request = requests.len();
                overall.add(row.delivery, row.code);
            }
            // The request's own delivery counts if it has no rows, and if it was also for users without a row.
            if part.recipients.is_empty() || part.has_others {
                overall.add(part.request.delivery, part.request.code);
            }
            if recipients.is_empty() {
                recipients = part.recipients;
            } else {
                recipients.append(&mut part.recipients);
            }
            requests.push(part.request);
            body = part.body;
        }
        let (code, delivery) = overall.result();
        Report {
            action: action.into(),
            code,
            delivery,
            requests,
            recipients,
            body,
        }
    }

    /// The report of a message whose outcome was lost by a defect of the library.
    pub(crate) fn lost() -> Report {
        let text = "lost by a defect of the library";
        let request = Request::failed(Code::Internal, Delivery::Unknown, 0, text);
        Report::merged("", [Outcome::new(request, Vec::new())])
    }

    pub(crate) fn without_body(self) -> Report {
        Report {
            body: Vec::new(),
            ..self
        }
    }

    /// The vendor's name of the action.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// `Ok` if every recipient is accepted or delivered. The code of the recipients if all of them have the same one. Otherwise
    /// `Undelivered` if no recipient got the message, and `Partial` if some got it or may have got it.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The least certain delivery of all recipients, in this order: unknown, not sent, not delivered, accepted, delivered.
    /// Members of a conversation that have no row count as accepted.
    pub fn delivery(&self) -> Delivery {
        self.delivery
    }

    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// The recipients in the caller's order. Empty for a room. For a whole conversation, the members that the vendor's answer
    /// lists, in its order.
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// The number of recipients with that delivery.
    pub fn count(&self, delivery: Delivery) -> usize {
        self.recipients.iter().filter(|r| r.delivery == delivery).count()
    }

    /// The raw answer, kept only for [`Client::call_action`](crate::Client::call_action). It is unchanged, so it may repeat secrets and the
    /// request.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The failure as an error; `None` if the code is `Ok`.
    pub fn error(&self) -> Option<Error> {
        (self.code != Code::Ok).then(|| Error::new(self.code, "", self.summary()))
    }
}

/// The overall outcome of the rows that were added.
#[derive(Default)]
struct Overall {
    least_certain: Option<Delivery>,
    first_code: Option<Code>,
    codes_differ: bool,
    some_failed: bool,
    /// Whether some row is accepted, delivered or unknown.
    some_may_have_it: bool,
}

impl Overall {
    fn add(&mut self, delivery: Delivery, code: Code) {
        if self
            .least_certain
            .is_none_or(|least| delivery.certainty() < least.certainty())
        {
            self.least_certain = Some(delivery);
        }
        self.codes_differ |= *self.first_code.get_or_insert(code) != code;
        self.some_failed |= !delivery.is_success();
        self.some_may_have_it |= !matches!(delivery, Delivery::NotDelivered | Delivery::NotSent);
    }

    fn result(&self) -> (Code, Delivery) {
        let Some((delivery, code)) = self.least_certain.zip(self.first_code) else {
            return (Code::Internal, Delivery::NotSent);
        };
        let code = match self {
            Overall { some_failed: false, .. } => Code::Ok,
            Overall {
                codes_differ: false, ..
            } => code,
            Overall {
                some_may_have_it: false,
                ..
            } => Code::Undelivered,
            _ => Code::Partial,
        };
        (code, delivery)
    }
}

#[cfg(test)]
mod tests;
