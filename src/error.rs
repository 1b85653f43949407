//! What can go wrong: one list of codes, and the error that carries one.
//!
//! The numbers are the C ABI: they are never renumbered, and a new code is only added. What a code says about delivery
//! follows from its range: down to −19 nothing left this machine; from −20 the transport failed and the report says
//! whether anything had left; from −40 the vendor answered.

use std::borrow::Cow;
use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $value:literal, $name:literal;)+) => {
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

            /// The constant's name in the C header, for logs: `RTCMSG_THROTTLED`.
            pub const fn name(self) -> &'static str {
                // The literal ends in NUL so that C gets the same bytes.
                let bytes = self.c_name().to_bytes();
                match std::str::from_utf8(bytes) {
                    Ok(name) => name,
                    Err(_) => unreachable!(),
                }
            }

            /// The same name for C.
            pub const fn c_name(self) -> &'static std::ffi::CStr {
                match self {
                    $(Code::$variant => $name,)+
                }
            }
        }
    };
}

codes! {
    /// Done. For a message: every recipient is accepted or delivered.
    Ok = 0, c"RTCMSG_OK";
    /// A field, setting or argument is not allowed; the error names it and the limit. Nothing was sent.
    InvalidArgument = -1, c"RTCMSG_INVALID_ARGUMENT";
    /// This version of the library does not know what was asked for. Nothing was sent.
    Unsupported = -2, c"RTCMSG_UNSUPPORTED";
    /// The client lacks a setting that this message needs. Nothing was sent.
    NotConfigured = -3, c"RTCMSG_NOT_CONFIGURED";
    /// The queue is full: `queue.capacity`, `queue.bytes`. The message was not taken in.
    QueueFull = -4, c"RTCMSG_QUEUE_FULL";
    /// The quota has no room within the deadline; the report says when it would have. Nothing was sent.
    RateLimited = -5, c"RTCMSG_RATE_LIMITED";
    /// It expired before its first byte. Nothing was sent.
    Expired = -6, c"RTCMSG_EXPIRED";
    /// It was cancelled while it was queued. Nothing was sent.
    Cancelled = -7, c"RTCMSG_CANCELLED";
    /// The client is closed. If a message was in flight, its report says what became of it.
    Closed = -8, c"RTCMSG_CLOSED";
    /// The client belongs to the parent of this process. Nothing was sent.
    Forked = -9, c"RTCMSG_FORKED";
    /// There is no such message in the queue, or no log line to take.
    NotFound = -10, c"RTCMSG_NOT_FOUND";
    /// The caller's room is too small; the needed size was told.
    BufferTooSmall = -11, c"RTCMSG_BUFFER_TOO_SMALL";
    /// The system refused a thread, a descriptor or memory that the library needs. Nothing was sent.
    NoResources = -12, c"RTCMSG_NO_RESOURCES";
    /// The host name has no address. Nothing was sent.
    Resolve = -20, c"RTCMSG_RESOLVE";
    /// No connection to the vendor. Nothing was sent.
    Connect = -21, c"RTCMSG_CONNECT";
    /// The TLS handshake failed: certificate, name or protocol. Nothing was sent.
    Tls = -22, c"RTCMSG_TLS";
    /// The connection ended before the answer.
    Disconnected = -23, c"RTCMSG_DISCONNECTED";
    /// The deadline passed.
    Timeout = -24, c"RTCMSG_TIMEOUT";
    /// What came back is no answer of this vendor.
    BadResponse = -25, c"RTCMSG_BAD_RESPONSE";
    /// The proxy refuses the way to the vendor (401, 403, 407 and every other status but 408, 429 and 5xx), or it is no
    /// HTTP proxy. Nothing was sent.
    Proxy = -26, c"RTCMSG_PROXY";
    /// The vendor refused the request.
    Rejected = -40, c"RTCMSG_REJECTED";
    /// The vendor does not accept the credentials or the signature.
    Unauthenticated = -41, c"RTCMSG_UNAUTHENTICATED";
    /// The account may not do this.
    Forbidden = -42, c"RTCMSG_FORBIDDEN";
    /// The vendor's quota is used up.
    Throttled = -43, c"RTCMSG_THROTTLED";
    /// This machine's clock is too far from the vendor's.
    Clock = -44, c"RTCMSG_CLOCK";
    /// The vendor failed.
    VendorFault = -45, c"RTCMSG_VENDOR_FAULT";
    /// Nobody got the message.
    Undelivered = -46, c"RTCMSG_UNDELIVERED";
    /// Recipients differ: some got the message or may have, others did not.
    Partial = -47, c"RTCMSG_PARTIAL";
    /// A defect of this library. Please report it.
    Internal = -99, c"RTCMSG_INTERNAL";
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
