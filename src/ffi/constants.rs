//! The constants of the header, and the functions that name them.

// Most are read by C alone.
#![allow(dead_code)]

use std::ffi::{CStr, c_char};

use crate::error::{Code, Error};
use crate::report::Delivery;

/// Return code of a function: RTCMSG_OK or one of the negative values of `rtcmsg_code_values`.
pub type rtcmsg_code = i32;

/// What is known about the delivery to a recipient: one of `rtcmsg_delivery_values`.
pub type rtcmsg_delivery = u32;

/// The kind of a message: one of `rtcmsg_action_values`.
pub type rtcmsg_action = u32;

/// One of `rtcmsg_vendor_values`.
pub type rtcmsg_vendor = u32;

/// A combination of `rtcmsg_message_flag_values`.
pub type rtcmsg_message_flags = u32;

/// A combination of `rtcmsg_submit_flag_values`.
pub type rtcmsg_submit_flags = u32;

/// One of `rtcmsg_priority_values`.
pub type rtcmsg_priority = u32;

/// One of `rtcmsg_log_level_values`.
pub type rtcmsg_log_level = i32;

/// 0xMMmmpp. The header's RTCMSG_VERSION is written in cbindgen.toml, as a hexadecimal number.
const VERSION: u32 = 0x000100;

const VERSION_TEXT: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(text) => text,
    Err(_) => unreachable!(),
};

/// Codes. 0 is success; every error is negative.
#[repr(C)]
pub enum rtcmsg_code_values {
    /// Done. For a message: every recipient is accepted or delivered.
    RTCMSG_OK = 0,
    /// A field, setting or argument is not allowed; the error names it and the limit. Nothing was sent.
    RTCMSG_ERR_INVALID_ARGUMENT = -1,
    /// This library does not know what was asked for: a newer header's field is set. Nothing was sent.
    RTCMSG_ERR_UNSUPPORTED = -2,
    /// The client lacks a setting that this message needs; the error names it. Nothing was sent.
    RTCMSG_ERR_NOT_CONFIGURED = -3,
    /// The queue is full (queue.capacity, queue.max_bytes). The message was not taken in.
    RTCMSG_ERR_QUEUE_FULL = -4,
    /// The quota has no room within the deadline; the request's retry_after_ms says when it
    /// would have at the earliest. Nothing was sent.
    RTCMSG_ERR_RATE_LIMITED = -5,
    /// It expired before its first byte. Nothing was sent.
    RTCMSG_ERR_EXPIRED = -6,
    /// It was cancelled while it was queued. Nothing was sent.
    RTCMSG_ERR_CANCELLED = -7,
    /// The client is closed. If a message was in flight, its report says what became of it.
    RTCMSG_ERR_CLOSED = -8,
    /// The client was made before a fork: make a new one in the child. Nothing was sent.
    RTCMSG_ERR_FORKED = -9,
    /// There is no such message in the queue: it is on its way, or done. Or no log line to take.
    RTCMSG_ERR_NOT_FOUND = -10,
    /// The caller's room is too small; the needed size is told.
    RTCMSG_ERR_BUFFER_TOO_SMALL = -11,
    /// The operating system refused a thread, a file descriptor or memory: look at the limits of the process and its container
    /// (pids, RLIMIT_NPROC, RLIMIT_NOFILE). Nothing was sent.
    RTCMSG_ERR_NO_RESOURCES = -12,
    /// The vendor's host name has no address. Nothing was sent.
    RTCMSG_ERR_RESOLVE = -20,
    /// No connection to the vendor. Nothing was sent.
    RTCMSG_ERR_CONNECT = -21,
    /// The TLS handshake failed: certificate, name or protocol. Nothing was sent.
    RTCMSG_ERR_TLS = -22,
    /// The connection ended before the answer did.
    RTCMSG_ERR_DISCONNECTED = -23,
    /// The deadline passed; the delivery says whether anything had left.
    RTCMSG_ERR_TIMEOUT = -24,
    /// What came back is no answer of this vendor.
    RTCMSG_ERR_BAD_RESPONSE = -25,
    /// The proxy refuses the way to the vendor (401, 403, 407 and every other status but 408, 429 and 5xx), or it is no
    /// HTTP proxy. Nothing was sent.
    RTCMSG_ERR_PROXY = -26,
    /// The vendor refused the request.
    RTCMSG_ERR_REJECTED = -40,
    /// The vendor does not accept the credentials or the signature.
    RTCMSG_ERR_UNAUTHENTICATED = -41,
    /// The account may not do this.
    RTCMSG_ERR_FORBIDDEN = -42,
    /// The vendor's quota is used up.
    RTCMSG_ERR_THROTTLED = -43,
    /// This machine's clock is too far from the vendor's.
    RTCMSG_ERR_CLOCK = -44,
    /// The vendor failed; the delivery says whether the message may have gone out all the same.
    RTCMSG_ERR_VENDOR_FAULT = -45,
    /// Nobody got the message.
    RTCMSG_ERR_UNDELIVERED = -46,
    /// Recipients differ: some got the message or may have, others did not. Look at each.
    RTCMSG_ERR_PARTIAL = -47,
    /// A defect of this library. Please report it.
    RTCMSG_ERR_INTERNAL = -99,
}

/// Deliveries: what is known about one recipient.
#[repr(C)]
pub enum rtcmsg_delivery_values {
    /// No byte of the request can have reached the vendor. Safe to send again.
    RTCMSG_DELIVERY_NOT_SENT = 1,
    /// The vendor answered that this recipient did not get it. Safe to send again.
    RTCMSG_DELIVERY_NOT_DELIVERED = 2,
    /// The vendor took it and says nothing more of this recipient.
    RTCMSG_DELIVERY_ACCEPTED = 3,
    /// The vendor says that this recipient got it.
    RTCMSG_DELIVERY_DELIVERED = 4,
    /// Request bytes left and no answer settles it. Send again only if twice is harmless.
    RTCMSG_DELIVERY_UNKNOWN = 5,
}

/// Vendors.
#[repr(C)]
pub enum rtcmsg_vendor_values {
    /// Volcengine, RTC and IM.
    RTCMSG_VENDOR_VOLCENGINE = 1,
    /// ZEGO.
    RTCMSG_VENDOR_ZEGO = 2,
}

/// Actions. Each value documents the fields of rtcmsg_message that it uses; the other fields must be empty.
#[repr(C)]
pub enum rtcmsg_action_values {
    /// Volcengine RTC, one user who is logged in, outside rooms. Fields: from, to (1), payload (64 KB).
    RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST = 101,
    /// Volcengine RTC, one user in a room. Fields: room_id, from, to (1), payload (64 KB).
    RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST = 102,
    /// Volcengine RTC, users in a room. Fields: room_id, from, to (600 a request, longer lists are
    /// split), payload (20 KB).
    RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST = 103,
    /// Volcengine RTC, everybody in a room. Fields: room_id, from, payload (64 KB).
    RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST = 104,
    /// Volcengine IM, some members of a conversation. Fields: conversation_id, sender_id, msg_type, user_ids, payload (text).
    RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS = 111,
    /// Volcengine IM, every member of a conversation. Fields: conversation_id, sender_id, msg_type, payload (text).
    RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL = 112,
    /// Volcengine IM, every member but those in user_ids. Fields: conversation_id, sender_id, msg_type, user_ids, payload (text).
    RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT = 113,
    /// ZEGO, users in a room. Fields: room_id, from, to (not from; 10 a request, longer lists are split), payload (text, 1,024
    /// bytes).
    RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS = 201,
    /// ZEGO, everybody in a room but a client whose id is from. Fields: room_id, from, payload (text, 1,024 bytes).
    RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM = 202,
}

/// Flags of rtcmsg_message. No flag of another family has the same bit.
#[repr(C)]
pub enum rtcmsg_message_flag_values {
    /// The payload is bytes, not text. It travels as base64 and reaches the binary callback. Volcengine RTC only.
    RTCMSG_MESSAGE_BINARY = 1 << 0,
}

/// Priorities of rtcmsg_send_options.
#[repr(C)]
pub enum rtcmsg_priority_values {
    /// In the order of arrival.
    RTCMSG_PRIORITY_NORMAL = 0,
    /// Before all that are normal.
    RTCMSG_PRIORITY_URGENT = 1,
}

/// Flags of rtcmsg_send_options, for rtcmsg_client_submit(). No flag of another family has the same bit.
#[repr(C)]
pub enum rtcmsg_submit_flag_values {
    /// The message keeps no order with others to its destination.
    RTCMSG_SUBMIT_UNORDERED = 1 << 8,
    /// Nobody polls for what becomes of it.
    RTCMSG_SUBMIT_NO_COMPLETION = 1 << 9,
}

/// Log levels.
#[repr(C)]
pub enum rtcmsg_log_level_values {
    /// Something is broken.
    RTCMSG_LOG_ERROR = 1,
    /// A message failed, a lookup failed.
    RTCMSG_LOG_WARN = 2,
    /// A client was made or closed.
    RTCMSG_LOG_INFO = 3,
    /// Every message.
    RTCMSG_LOG_DEBUG = 4,
}

/// The values as numbers of their typedef: what comes from C is compared with these and never becomes an enum.
macro_rules! numbers {
    ($($number:ident: $type:ty = $family:ident;)+) => {
        $(pub(super) const $number: $type = $family::$number as $type;)+
    };
}

numbers! {
    RTCMSG_OK: rtcmsg_code = rtcmsg_code_values;
    RTCMSG_ERR_INVALID_ARGUMENT: rtcmsg_code = rtcmsg_code_values;
    RTCMSG_ERR_INTERNAL: rtcmsg_code = rtcmsg_code_values;
    RTCMSG_VENDOR_VOLCENGINE: rtcmsg_vendor = rtcmsg_vendor_values;
    RTCMSG_VENDOR_ZEGO: rtcmsg_vendor = rtcmsg_vendor_values;
    RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST: rtcmsg_action = rtcmsg_action_values;
    RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST: rtcmsg_action = rtcmsg_action_values;
    RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST: rtcmsg_action = rtcmsg_action_values;
    RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST: rtcmsg_action = rtcmsg_action_values;
    RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS: rtcmsg_action = rtcmsg_action_values;
    RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL: rtcmsg_action = rtcmsg_action_values;
    RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT: rtcmsg_action = rtcmsg_action_values;
    RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS: rtcmsg_action = rtcmsg_action_values;
    RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM: rtcmsg_action = rtcmsg_action_values;
    RTCMSG_MESSAGE_BINARY: rtcmsg_message_flags = rtcmsg_message_flag_values;
    RTCMSG_PRIORITY_NORMAL: rtcmsg_priority = rtcmsg_priority_values;
    RTCMSG_PRIORITY_URGENT: rtcmsg_priority = rtcmsg_priority_values;
    RTCMSG_SUBMIT_UNORDERED: rtcmsg_submit_flags = rtcmsg_submit_flag_values;
    RTCMSG_SUBMIT_NO_COMPLETION: rtcmsg_submit_flags = rtcmsg_submit_flag_values;
}

/// The flags that the field `flags` of one struct takes.
pub(super) struct Flags {
    of: &'static str,
    known: &'static [(u32, &'static str)],
}

pub(super) const MESSAGE_FLAGS: Flags = Flags {
    of: "rtcmsg_message",
    known: &[(RTCMSG_MESSAGE_BINARY, "RTCMSG_MESSAGE_BINARY")],
};

pub(super) const SUBMIT_FLAGS: Flags = Flags {
    of: "rtcmsg_send_options",
    known: &[
        (RTCMSG_SUBMIT_UNORDERED, "RTCMSG_SUBMIT_UNORDERED"),
        (RTCMSG_SUBMIT_NO_COMPLETION, "RTCMSG_SUBMIT_NO_COMPLETION"),
    ],
};

impl Flags {
    /// Refuses a flag of the other struct by its name, and any other bit that is not a flag of this one.
    pub fn check(&self, given: u32) -> Result<(), Error> {
        let own = self.known.iter().fold(0, |all, (bit, _)| all | bit);
        let foreign = given & !own;
        if foreign == 0 {
            return Ok(());
        }
        let all = [&MESSAGE_FLAGS, &SUBMIT_FLAGS];
        let named = all
            .iter()
            .flat_map(|flags| flags.known.iter().map(|known| (flags.of, known)));
        let text = match named.into_iter().find(|(_, (bit, _))| foreign & bit != 0) {
            Some((of, (_, name))) => format!("{name} is a flag of {of}, not of {}", self.of),
            None => {
                let names: Vec<&str> = self.known.iter().map(|(_, name)| *name).collect();
                let of = self.of;
                format!("unknown flag {foreign:#x}; {of} takes {}", names.join(" and "))
            }
        };
        Err(Error::invalid("flags", text))
    }
}

/// The name of a code's constant, such as "RTCMSG_ERR_THROTTLED"; "RTCMSG_?" for a number that is none.
/// Static text, never NULL. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn rtcmsg_code_name(code: rtcmsg_code) -> *const c_char {
    boundary!(rtcmsg_code_name, or c"RTCMSG_?".as_ptr(), {
        Code::from_i32(code).map_or(c"RTCMSG_?", Code::c_name).as_ptr()
    })
}

/// The name of a delivery's constant, such as "RTCMSG_DELIVERY_DELIVERED"; "RTCMSG_?" for a number that is none.
/// Static text, never NULL. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn rtcmsg_delivery_name(delivery: rtcmsg_delivery) -> *const c_char {
    boundary!(rtcmsg_delivery_name, or c"RTCMSG_?".as_ptr(), {
        delivery_of(delivery).map_or(c"RTCMSG_?", Delivery::c_name).as_ptr()
    })
}

/// What a code means, in a short sentence such as "the vendor's rate limit was exceeded"; "unknown code" for a number that
/// this library does not know. Static text, never NULL. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn rtcmsg_code_text(code: rtcmsg_code) -> *const c_char {
    boundary!(rtcmsg_code_text, or c"unknown code".as_ptr(), {
        Code::from_i32(code).map_or(c"unknown code", Code::c_text).as_ptr()
    })
}

/// The library's version, as RTCMSG_VERSION was when it was built. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn rtcmsg_version() -> u32 {
    boundary!(rtcmsg_version, or 0, { VERSION })
}

/// The library's version as text, such as "0.1.0". Static text, never NULL. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn rtcmsg_version_string() -> *const c_char {
    boundary!(rtcmsg_version_string, or c"".as_ptr(), { VERSION_TEXT.as_ptr() })
}

pub(super) fn delivery_of(value: rtcmsg_delivery) -> Option<Delivery> {
    Delivery::ALL.into_iter().find(|delivery| *delivery as u32 == value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Level;
    use crate::message::Vendor;

    #[test]
    fn the_constants_of_the_header_are_the_numbers_of_the_library() {
        let source = include_str!("constants.rs");
        for code in Code::ALL {
            let line = format!("    {} = {},", code.name(), *code as i32);
            assert!(source.contains(&line), "{line}");
        }
        for delivery in Delivery::ALL {
            // SAFETY: static text.
            let name = unsafe { CStr::from_ptr(rtcmsg_delivery_name(delivery as u32)) };
            let line = format!("    {} = {},", name.to_str().unwrap(), delivery as u32);
            assert!(source.contains(&line), "{line}");
        }
        assert_eq!(
            (Vendor::Volcengine as u32, Vendor::Zego as u32),
            (RTCMSG_VENDOR_VOLCENGINE, RTCMSG_VENDOR_ZEGO)
        );
        use rtcmsg_log_level_values::*;
        let levels = [RTCMSG_LOG_ERROR, RTCMSG_LOG_WARN, RTCMSG_LOG_INFO, RTCMSG_LOG_DEBUG].map(|level| level as i32);
        assert!(
            levels
                .iter()
                .all(|level| Level::from_i32(*level).is_some_and(|l| l as i32 == *level))
        );
    }

    #[test]
    fn the_version_is_the_packages_and_the_headers() {
        let parts: Vec<u32> = env!("CARGO_PKG_VERSION")
            .split('.')
            .map(|part| part.parse().unwrap())
            .collect();
        assert_eq!(VERSION, parts[0] << 16 | parts[1] << 8 | parts[2]);
        let header = include_str!("../../cbindgen.toml");
        let whole = format!("#define RTCMSG_VERSION {VERSION:#08x}u\n");
        let parts = ["MAJOR", "MINOR", "PATCH"].iter().zip(parts);
        let parts = parts.map(|(name, number)| format!("#define RTCMSG_VERSION_{name} {number}\n"));
        for define in parts.chain([whole]) {
            assert!(header.contains(&define), "{define}");
        }
    }
}
