//! What can go wrong: one list of codes, and the error that carries one.
//!
//! The numbers are the C ABI: they are never renumbered, and a new code is only added. What a code says about delivery
//! follows from its range: down to −19 nothing left this machine; from −20 the transport failed and the report says
//! whether anything had left; from −40 the vendor answered.

use std::borrow::Cow;
use std::ffi::CStr;
use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $value:literal, $name:literal, $text:literal;)+) => {
        /// Why a call did not simply succeed. `Ok` is 0, every other code is negative.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])+ $variant = $value,)+
        }

        impl Code {
            /// Every code, in the order of the header.
            pub const ALL: &'static [Code] = &[$(Code::$variant),+];

            /// The constant's name in the C header, for logs: `RTCMSG_ERR_THROTTLED`.
            pub const fn name(self) -> &'static str {
                utf8(self.c_name())
            }

            /// The same name for C.
            pub const fn c_name(self) -> &'static CStr {
                match self {
                    $(Code::$variant => $name,)+
                }
            }

            /// What the code means, for C: "the vendor's rate limit was exceeded".
            pub(crate) const fn c_text(self) -> &'static CStr {
                match self {
                    $(Code::$variant => $text,)+
                }
            }

            /// What the code means, in a short sentence: "the vendor's rate limit was exceeded".
            pub const fn text(self) -> &'static str {
                utf8(self.c_text())
            }
        }
    };
}

codes! {
    /// Done. For a message: every recipient is accepted or delivered.
    Ok = 0, c"RTCMSG_OK", c"success";
    /// A field, setting or argument is not allowed; the error names it and the limit. Nothing was sent.
    InvalidArgument = -1, c"RTCMSG_ERR_INVALID_ARGUMENT", c"a field, setting or argument has a value that is not allowed";
    /// This version of the library does not know what was asked for. Nothing was sent.
    Unsupported = -2, c"RTCMSG_ERR_UNSUPPORTED", c"a field is set that this version of the library does not support";
    /// The client lacks a setting that this message needs. Nothing was sent.
    NotConfigured = -3, c"RTCMSG_ERR_NOT_CONFIGURED", c"the client lacks a setting that this message needs";
    /// The queue is full: `queue.capacity`, `queue.max_bytes`. The message was not taken in.
    QueueFull = -4, c"RTCMSG_ERR_QUEUE_FULL", c"the queue is full";
    /// The quota has no room within the deadline; the report says when it would have. Nothing was sent.
    RateLimited = -5, c"RTCMSG_ERR_RATE_LIMITED", c"the rate limit would not admit the request before its deadline";
    /// It expired before its first byte. Nothing was sent.
    Expired = -6, c"RTCMSG_ERR_EXPIRED", c"the message expired before any byte was sent";
    /// It was cancelled while it was queued. Nothing was sent.
    Cancelled = -7, c"RTCMSG_ERR_CANCELLED", c"the message was cancelled while it was queued";
    /// The client is closed. If a message was in flight, its report says what became of it.
    Closed = -8, c"RTCMSG_ERR_CLOSED", c"the client is closed";
    /// The client belongs to the parent of this process. Nothing was sent.
    Forked = -9, c"RTCMSG_ERR_FORKED", c"the client was made before a fork";
    /// There is no such message in the queue, or no log line to take.
    NotFound = -10, c"RTCMSG_ERR_NOT_FOUND", c"no queued message has this id, or no log line is buffered";
    /// The caller's room is too small; the needed size was told.
    BufferTooSmall = -11, c"RTCMSG_ERR_BUFFER_TOO_SMALL", c"the buffer is too small";
    /// The system refused a thread, a descriptor or memory that the library needs. Nothing was sent.
    NoResources = -12, c"RTCMSG_ERR_NO_RESOURCES", c"the operating system refused a thread, a file descriptor or memory";
    /// The host name has no address. Nothing was sent.
    Resolve = -20, c"RTCMSG_ERR_RESOLVE", c"the host name could not be resolved";
    /// No connection to the vendor. Nothing was sent.
    Connect = -21, c"RTCMSG_ERR_CONNECT", c"no connection to the vendor could be opened";
    /// The TLS handshake failed: certificate, name or protocol. Nothing was sent.
    Tls = -22, c"RTCMSG_ERR_TLS", c"the TLS handshake failed";
    /// The connection ended before the answer.
    Disconnected = -23, c"RTCMSG_ERR_DISCONNECTED", c"the connection ended before the response was complete";
    /// The deadline passed.
    Timeout = -24, c"RTCMSG_ERR_TIMEOUT", c"the deadline passed";
    /// What came back is no answer of this vendor.
    BadResponse = -25, c"RTCMSG_ERR_BAD_RESPONSE", c"the response cannot be read as a response of this vendor";
    /// The proxy refuses the way to the vendor (401, 403, 407 and every other status but 408, 429 and 5xx), or it is no
    /// HTTP proxy. Nothing was sent.
    Proxy = -26, c"RTCMSG_ERR_PROXY", c"the proxy refused the connection";
    /// The vendor refused the request.
    Rejected = -40, c"RTCMSG_ERR_REJECTED", c"the vendor rejected the request";
    /// The vendor does not accept the credentials or the signature.
    Unauthenticated = -41, c"RTCMSG_ERR_UNAUTHENTICATED", c"the vendor does not accept the credentials or the signature";
    /// The account may not do this.
    Forbidden = -42, c"RTCMSG_ERR_FORBIDDEN", c"the account is not allowed to do this";
    /// The vendor's quota is used up.
    Throttled = -43, c"RTCMSG_ERR_THROTTLED", c"the vendor's rate limit was exceeded";
    /// This machine's clock is too far from the vendor's.
    Clock = -44, c"RTCMSG_ERR_CLOCK", c"this machine's clock differs too much from the vendor's";
    /// The vendor failed.
    VendorFault = -45, c"RTCMSG_ERR_VENDOR_FAULT", c"the vendor's service failed";
    /// Nobody got the message.
    Undelivered = -46, c"RTCMSG_ERR_UNDELIVERED", c"no recipient got the message";
    /// Recipients differ: some got the message or may have, others did not.
    Partial = -47, c"RTCMSG_ERR_PARTIAL", c"some recipients got the message and others did not";
    /// A defect of this library. Please report it.
    Internal = -99, c"RTCMSG_ERR_INTERNAL", c"a defect of this library";
}

/// The literals end in NUL, so that C gets the same bytes.
const fn utf8(text: &'static CStr) -> &'static str {
    match text.to_str() {
        Ok(text) => text,
        Err(_) => unreachable!(),
    }
}

impl Code {
    /// The code of that number, if there is one.
    pub fn from_i32(value: i32) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| *code as i32 == value)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A refusal or failure: the code, the field or setting it is about (empty if none), and a sentence for a person.
/// Neither ever holds a secret or a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub code: Code,
    pub field: Cow<'static, str>,
    pub text: String,
}

impl Error {
    pub fn new(code: Code, field: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Error {
        Error {
            code,
            field: field.into(),
            text: text.into(),
        }
    }

    pub(crate) fn invalid(field: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Error {
        Error::new(Code::InvalidArgument, field, text)
    }

    pub(crate) fn not_configured(field: &'static str, text: impl Into<String>) -> Error {
        Error::new(Code::NotConfigured, field, text)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            write!(f, "{}: {}", self.code, self.text)
        } else {
            write!(f, "{}: {}: {}", self.code, self.field, self.text)
        }
    }
}

impl std::error::Error for Error {}

/// `1187` as `1,187`, the way a person reads a limit.
pub(crate) fn grouped(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().map_or_else(|_| String::new(), |n| n.to_string());
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_number_and_named_once() {
        let mut names = std::collections::HashSet::new();
        for code in Code::ALL {
            assert_eq!(Code::from_i32(*code as i32), Some(*code));
            assert!(names.insert(code.name()), "{} twice", code.name());
            assert!(code.name().starts_with("RTCMSG_"));
        }
        assert_eq!(Code::from_i32(-1000), None);
    }

    #[test]
    fn numbers_are_grouped_for_people() {
        assert_eq!(grouped(0u32), "0");
        assert_eq!(grouped(999usize), "999");
        assert_eq!(grouped(1187usize), "1,187");
        assert_eq!(grouped(1_048_576u64), "1,048,576");
    }
}
