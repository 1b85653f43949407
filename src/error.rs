//! The codes of the library, and the error that carries one.
//!
//! The numbers are the C ABI: they are never changed, and a new code is only added. The range of a code says what is known
//! about delivery. Codes down to −19: no byte was sent, except that a message may be in flight when its client is
//! closed. Codes from −20: the transport failed, and the report says whether any byte was sent. Codes from −40: the vendor
//! answered.

use std::borrow::Cow;
use std::ffi::CStr;
use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $value:literal, $name:literal, $text:literal;)+) => {
        /// The result of a call. `Ok` is 0, every other code is negative.
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

            /// The constant's name in the C header, for C.
            pub const fn c_name(self) -> &'static CStr {
                match self {
                    $(Code::$variant => $name,)+
                }
            }

            /// The meaning of the code in a short sentence, for C.
            pub(crate) const fn c_text(self) -> &'static CStr {
                match self {
                    $(Code::$variant => $text,)+
                }
            }

            /// The meaning of the code in a short sentence: `the vendor's rate limit was exceeded`.
            pub const fn text(self) -> &'static str {
                utf8(self.c_text())
            }
        }
    };
}

// Names and texts are C strings, so that C gets them without a copy.
codes! {
    /// The call succeeded. For a message: every recipient is accepted or delivered.
    Ok = 0, c"RTCMSG_OK", c"success";
    /// A field, a setting or an argument is not allowed; the error names it and the limit. Nothing was sent.
    InvalidArgument = -1, c"RTCMSG_ERR_INVALID_ARGUMENT", c"a field, setting or argument has a value that is not allowed";
    /// A field is set that this version of the library does not support: the program was built against a newer header.
    /// Nothing was sent.
    Unsupported = -2, c"RTCMSG_ERR_UNSUPPORTED", c"a field is set that this version of the library does not support";
    /// The client lacks a setting that this message needs; the error names it. Nothing was sent.
    NotConfigured = -3, c"RTCMSG_ERR_NOT_CONFIGURED", c"the client lacks a setting that this message needs";
    /// The queue is full: `queue.capacity`, `queue.max_bytes`. The message was not enqueued.
    QueueFull = -4, c"RTCMSG_ERR_QUEUE_FULL", c"the queue is full";
    /// The rate limit does not admit the request before its deadline; the report's `retry_after_ms` is the earliest time to
    /// send it. Nothing was sent.
    RateLimited = -5, c"RTCMSG_ERR_RATE_LIMITED", c"the rate limit would not admit the request before its deadline";
    /// The message expired before any byte was sent.
    Expired = -6, c"RTCMSG_ERR_EXPIRED", c"the message expired before any byte was sent";
    /// The message was cancelled while it was queued. Nothing was sent.
    Cancelled = -7, c"RTCMSG_ERR_CANCELLED", c"the message was cancelled while it was queued";
    /// The client is closed. The report of a message that was in flight says what is known of its delivery.
    Closed = -8, c"RTCMSG_ERR_CLOSED", c"the client is closed";
    /// The client was made before a fork: make a new one in the child process. Nothing was sent.
    Forked = -9, c"RTCMSG_ERR_FORKED", c"the client was made before a fork";
    /// No queued message has this id, because it is in flight or completed. For log lines: no line is buffered.
    NotFound = -10, c"RTCMSG_ERR_NOT_FOUND", c"no queued message has this id, or no log line is buffered";
    /// The caller's buffer is too small; the required size was stored.
    BufferTooSmall = -11, c"RTCMSG_ERR_BUFFER_TOO_SMALL", c"the buffer is too small";
    /// The operating system refused a thread, a file descriptor or memory that the library needs. Nothing was sent.
    NoResources = -12, c"RTCMSG_ERR_NO_RESOURCES", c"the operating system refused a thread, a file descriptor or memory";
    /// The host name could not be resolved to an address. Nothing was sent.
    Resolve = -20, c"RTCMSG_ERR_RESOLVE", c"the host name could not be resolved";
    /// No connection to the vendor could be opened. Nothing was sent.
    Connect = -21, c"RTCMSG_ERR_CONNECT", c"no connection to the vendor could be opened";
    /// The TLS handshake failed: certificate, host name or protocol. Nothing was sent.
    Tls = -22, c"RTCMSG_ERR_TLS", c"the TLS handshake failed";
    /// The connection ended before the answer was complete.
    Disconnected = -23, c"RTCMSG_ERR_DISCONNECTED", c"the connection ended before the response was complete";
    /// The deadline passed. The delivery says whether any byte had been sent.
    Timeout = -24, c"RTCMSG_ERR_TIMEOUT", c"the deadline passed";
    /// The answer is not one of this vendor, or it contradicts itself.
    BadResponse = -25, c"RTCMSG_ERR_BAD_RESPONSE", c"the response cannot be read as a response of this vendor";
    /// The proxy refused the connection to the vendor (401, 403, 407 and every other status except 408, 429 and 5xx), or it is
    /// not an HTTP proxy. Nothing was sent.
    Proxy = -26, c"RTCMSG_ERR_PROXY", c"the proxy refused the connection";
    /// The vendor rejected the request.
    Rejected = -40, c"RTCMSG_ERR_REJECTED", c"the vendor rejected the request";
    /// The vendor did not accept the credentials or the signature.
    Unauthenticated = -41, c"RTCMSG_ERR_UNAUTHENTICATED", c"the vendor does not accept the credentials or the signature";
    /// The account is not permitted to do this.
    Forbidden = -42, c"RTCMSG_ERR_FORBIDDEN", c"the account is not allowed to do this";
    /// The vendor's rate limit was exceeded.
    Throttled = -43, c"RTCMSG_ERR_THROTTLED", c"the vendor's rate limit was exceeded";
    /// This machine's clock differs too much from the vendor's clock.
    Clock = -44, c"RTCMSG_ERR_CLOCK", c"this machine's clock differs too much from the vendor's";
    /// The vendor failed to process the request. The delivery says whether it may have sent the message before it failed.
    VendorFault = -45, c"RTCMSG_ERR_VENDOR_FAULT", c"the vendor's service failed";
    /// No recipient got the message.
    Undelivered = -46, c"RTCMSG_ERR_UNDELIVERED", c"no recipient got the message";
    /// Some recipients got the message or may have got it, and the others did not. Never send the whole message again: send it
    /// only to the recipients that are not sent or not delivered.
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

/// A refusal or failure: the code, the field or setting that it concerns (empty if none), and a sentence for a person. The
/// field and the sentence never contain a secret or a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub code: Code,
    pub field: Cow<'static, str>,
    pub message: String,
}

impl Error {
    pub fn new(code: Code, field: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Error {
        Error {
            code,
            field: field.into(),
            message: message.into(),
        }
    }

    pub(crate) fn invalid(field: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Error {
        Error::new(Code::InvalidArgument, field, message)
    }

    pub(crate) fn not_configured(field: &'static str, message: impl Into<String>) -> Error {
        Error::new(Code::NotConfigured, field, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            write!(f, "{}: {}", self.code, self.message)
        } else {
            write!(f, "{}: {}: {}", self.code, self.field, self.message)
        }
    }
}

impl std::error::Error for Error {}

/// `1187` as `1,187`, for a person who reads a limit.
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
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_is_found_by_its_number_and_has_its_own_name_and_text() {
        let (mut names, mut texts) = (HashSet::new(), HashSet::new());
        for code in Code::ALL {
            assert_eq!(Code::from_i32(*code as i32), Some(*code));
            assert!(names.insert(code.name()), "{} twice", code.name());
            assert!(code.name().starts_with("RTCMSG_"));
            assert!(texts.insert(code.text()), "{} twice", code.text());
            assert!(!code.text().is_empty() && !code.text().ends_with('.'));
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
