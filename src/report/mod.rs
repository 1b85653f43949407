//! What became of a message: per recipient, per request, and in one word.
//!
//! A report exists for every message taken in, and says for every recipient exactly one [`Delivery`].

mod text;
mod user;

use std::borrow::Cow;

pub use self::user::{Name, User};
use crate::error::{Code, Error};
use crate::message::Recipients;

/// From these lengths, in bytes, what an answer says is cut: a text, a request id or error name, and a word of a row.
const LONGEST_TEXT: usize = 4096;
const LONGEST_NAME: usize = 256;
const LONGEST_WORD: usize = 64;

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
            Delivery::NotSent => c"RTCMSG_DELIVERY_NOT_SENT",
            Delivery::NotDelivered => c"RTCMSG_DELIVERY_NOT_DELIVERED",
            Delivery::Accepted => c"RTCMSG_DELIVERY_ACCEPTED",
            Delivery::Delivered => c"RTCMSG_DELIVERY_DELIVERED",
            Delivery::Unknown => c"RTCMSG_DELIVERY_UNKNOWN",
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

    /// Whether any other request of this client would be refused for the same reason.
    pub fn concerns_all(self) -> bool {
        matches!(
            self,
            Class::Authentication | Class::Clock | Class::Configuration | Class::Permission
        )
    }

    pub fn delivery(self, recipients: Recipients) -> Delivery {
        match self {
            Class::OutcomeUnknown => Delivery::Unknown,
            Class::UnknownIfSeveral if recipients.len() != 1 => Delivery::Unknown,
            _ => Delivery::NotDelivered,
        }
    }

    /// The class of a gateway's answer, and of a vendor's error whose code no table knows, by HTTP status. Most of 3xx and
    /// 4xx refuse the request, but these may also be answered after it was passed on: 408 and 499 when something gave up
    /// waiting, 409 when the same request seems to be on its way already. docs/DELIVERY.md, Answers of a gateway.
    pub fn by_status(status: u16) -> Class {
        match status {
            408 | 409 | 499 => Class::OutcomeUnknown,
            401 => Class::Authentication,
            403 => Class::Permission,
            404 | 405 => Class::Configuration,
            429 => Class::Throttled,
            300..=499 => Class::InvalidRequest,
            _ => Class::OutcomeUnknown,
        }
    }
}

/// One HTTP request, sent or given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The vendor's id of it, for its support; empty if no answer gave one.
    pub request_id: String,
    /// The vendor's error code as text (`FlowLimitExceeded.QPSOverLimit`), empty if none.
    pub vendor_error: String,
    /// The vendor's error code as a number, 0 if none.
    pub vendor_code: i32,
    /// What the vendor says of it.
    pub vendor_message: Cow<'static, str>,
    pub code: Code,
    pub delivery: Delivery,
    /// 0 if no answer came.
    pub http_status: u16,
    /// Each try of it, in order; none if it never came to one.
    pub attempts: Vec<Attempt>,
    /// When it may be tried again, in milliseconds: the vendor's `Retry-After`, or our own pacing's; 0 if nobody says.
    pub retry_after_ms: u32,
    /// Why it ended like this, in a sentence of ours; empty on success.
    pub text: Cow<'static, str>,
}

/// One try of a request, and why it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub code: Code,
    pub delivery: Delivery,
    /// 0 if no answer came.
    pub http_status: u16,
    /// In a sentence; empty on success.
    pub text: Cow<'static, str>,
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
    pub vendor_message: Cow<'static, str>,
    /// Which of the report's requests carried it.
    pub request: usize,
    /// One row per device, where the vendor tells (IM).
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

/// What became of a message.
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
    /// A request of which no answer settles anything.
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
            text: text.into(),
        }
    }

    /// An answer that does not fit what was asked leaves those unknown whom it does not settle. A refusal keeps its code:
    /// it is still known that the vendor is throttling, for example.
    pub(crate) fn left_unknown(mut self, what: &str) -> Request {
        if self.code == Code::Ok {
            self.code = Code::BadResponse;
            self.text = what.to_owned().into();
        } else {
            self.text = format!("{}; {what}", self.text).into();
        }
        self.delivery = Delivery::Unknown;
        self
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
            vendor_message: Cow::Borrowed(""),
            request: 0,
            devices: Vec::new(),
        }
    }
}

/// Why the reader of a vendor's answers cannot say what an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It has no envelope of the vendor: its status is all that is left to judge by.
    NoEnvelope(&'static str),
    /// It has the vendor's envelope, which contradicts itself or can be read in two ways: nothing is known, whatever the
    /// status.
    Unclear(&'static str),
}

/// What one request came to, for those it was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub request: Request,
    /// Those the vendor spoke of, or all that were asked for; none where nobody was named.
    pub recipients: Vec<Recipient>,
    /// The answer as it came.
    pub body: Vec<u8>,
    /// A refusal that the next part of the same message would meet too: a bad key, a missing permission.
    pub concerns_all: bool,
    /// The message also went to users who have no row, such as the other members of a conversation: the request's delivery
    /// is theirs.
    pub has_others: bool,
    /// The answer says that it belongs to a request for another action: what comes next on its connection may also belong
    /// to another request.
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

    /// An answer that is not this vendor's: a gateway's page, nothing, a body cut off. Most of 3xx and 4xx say that it was
    /// refused; after a 2xx or 5xx nothing is known.
    pub fn unreadable(recipients: Recipients, http_status: u16, what: &str) -> Outcome {
        let class = Class::by_status(http_status);
        let code = if class == Class::OutcomeUnknown {
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

    /// An answer that settles nothing, for the reason that its reader gives.
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

    /// After an earlier try of which nothing is known: whoever did not get this one may have got that.
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

    /// The texts that came with the answer, or may repeat it, each with the length from which it is cut. Words that are the
    /// library's own are not among them.
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
            unless_known(&request.text, LONGEST_TEXT),
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

    /// Changes these texts, where `changed` has another for one and the length from which it is cut.
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
        change_unless_known(&mut request.text, LONGEST_TEXT);
        for recipient in &mut self.recipients {
            change_unless_known(&mut recipient.vendor_message, LONGEST_WORD);
            for device in &mut recipient.devices {
                change_unless_known(&mut device.platform, LONGEST_WORD);
                change_unless_known(&mut device.vendor_message, LONGEST_WORD);
            }
        }
    }

    /// The same for all of them.
    pub fn of(request: Request, recipients: Recipients) -> Outcome {
        let rows = request.for_each(recipients);
        Outcome::new(request, rows)
    }
}

impl Report {
    /// The parts of a message become one report: requests in the order of the parts, recipients in the caller's.
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
            // The request counts beside its recipients where it has none, and where there are others without a row.
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
        let (code, delivery) = overall.told();
        Report {
            action: action.into(),
            code,
            delivery,
            requests,
            recipients,
            body,
        }
    }

    /// Of a message whose report a defect of the library has lost.
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

    /// `Ok` if every recipient is accepted or delivered; `Undelivered` if none got it; `Partial` if some did; else why not.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The least certain of its parts: unknown, not sent, not delivered, accepted, delivered. Members of a conversation
    /// without a row count as accepted.
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

    /// The raw answer, kept only for [`Client::call`](crate::Client::call). It is as it came: it may repeat secrets and the
    /// request.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The failure as an error, for those who want one; `None` if the code is `Ok`.
    pub fn error(&self) -> Option<Error> {
        (self.code != Code::Ok).then(|| Error::new(self.code, "", self.text()))
    }
}

/// What the parts of a message come to, as they are added.
#[derive(Default)]
struct Overall {
    least_certain: Option<Delivery>,
    first_code: Option<Code>,
    codes_differ: bool,
    somebody_failed: bool,
    /// Accepted or more, or unknown.
    somebody_may_have_it: bool,
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
        self.somebody_failed |= !delivery.is_success();
        self.somebody_may_have_it |= !matches!(delivery, Delivery::NotDelivered | Delivery::NotSent);
    }

    fn told(&self) -> (Code, Delivery) {
        let Some((delivery, code)) = self.least_certain.zip(self.first_code) else {
            return (Code::Internal, Delivery::NotSent);
        };
        let code = match self {
            Overall {
                somebody_failed: false, ..
            } => Code::Ok,
            Overall {
                codes_differ: false, ..
            } => code,
            Overall {
                somebody_may_have_it: false,
                ..
            } => Code::Undelivered,
            _ => Code::Partial,
        };
        (code, delivery)
    }
}

#[cfg(test)]
mod tests;
