//! The constants of the header, and the functions that name them.

// Most are read by C alone.
#![allow(dead_code)]

use std::ffi::{CStr, c_char};

use crate::error::{Code, Error};
use crate::report::Delivery;

/// Return code of a function: RTCMSG_OK or one of the negative values of rtcmsg_code_values.
pub type rtcmsg_code = i32;

/// What is known about the delivery to a recipient: one of rtcmsg_delivery_values.
pub type rtcmsg_delivery = u32;

/// The kind of a message: one of rtcmsg_action_values.
pub type rtcmsg_action = u32;

/// A vendor: one of rtcmsg_vendor_values.
pub type rtcmsg_vendor = u32;

/// A combination of rtcmsg_message_flag_values.
pub type rtcmsg_message_flags = u32;

/// A combination of rtcmsg_submit_flag_values.
pub type rtcmsg_submit_flags = u32;

/// A priority: one of rtcmsg_priority_values.
pub type rtcmsg_priority = u32;

/// A log level: one of rtcmsg_log_level_values.
pub type rtcmsg_log_level = i32;

/// 0xMMmmpp. The header's RTCMSG_VERSION is written in cbindgen.toml, as a hexadecimal number.
const VERSION: u32 = 0x000100;

const VERSION_TEXT: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(text) => text,
    Err(_) => unreachable!(),
};

/// Codes. 0 is success, and every error is negative. The numbers are never changed.
#[repr(C)]
pub enum rtcmsg_code_values {
    /// Success. For a message: every recipient is accepted or delivered.
    RTCMSG_OK = 0,
    /// A field, setting or argument is not allowed. The error names it and the limit. Nothing was sent.
    RTCMSG_ERR_INVALID_ARGUMENT = -1,
    /// A field is set that this version of the library does not support (the program was built against a newer
    /// header). Nothing was sent.
    RTCMSG_ERR_UNSUPPORTED = -2,
    /// The client lacks a setting that this message needs. The error names it. Nothing was sent.
    RTCMSG_ERR_NOT_CONFIGURED = -3,
    /// The queue is full (queue.capacity, queue.max_bytes). The message was not enqueued.
    RTCMSG_ERR_QUEUE_FULL = -4,
    /// The library's own pacing (quota.mode) had no room for the request before its timeout, or now with quota.mode = fail. rtcmsg_request.retry_after_ms is the earliest time to retry. Nothing was sent. RTCMSG_ERR_THROTTLED is the refusal of the vendor.
    RTCMSG_ERR_RATE_LIMITED = -5,
    /// The message expired (expires_in_ms) before the next attempt of this request began. The delivery is the result of an earlier attempt.
    RTCMSG_ERR_EXPIRED = -6,
    /// The message was cancelled while it was queued. Nothing was sent.
    RTCMSG_ERR_CANCELLED = -7,
    /// The client is closed. The report of a message that was in flight has its delivery.
    RTCMSG_ERR_CLOSED = -8,
    /// The client was made before a fork; make a new one in the child process. Nothing was sent.
    RTCMSG_ERR_FORKED = -9,
    /// No queued message has this id (it is in flight or completed). For rtcmsg_client_next_log_line(): no line is
    /// buffered.
    RTCMSG_ERR_NOT_FOUND = -10,
    /// The buffer is too small. The required size is stored in `*needed`.
    RTCMSG_ERR_BUFFER_TOO_SMALL = -11,
    /// The operating system refused a thread, a file descriptor or the memory for one. Look at the limits of the process and of
    /// its container (pids, RLIMIT_NPROC, RLIMIT_NOFILE). Nothing was sent.
    RTCMSG_ERR_NO_RESOURCES = -12,
    /// The vendor's host name could not be resolved. Nothing was sent.
    RTCMSG_ERR_RESOLVE = -20,
    /// No connection to the vendor could be opened, or it ended during the TLS handshake or before the first byte of the request. Nothing was sent.
    RTCMSG_ERR_CONNECT = -21,
    /// The TLS handshake failed: certificate, host name or protocol. Nothing was sent. A connection that ended meanwhile is RTCMSG_ERR_CONNECT.
    RTCMSG_ERR_TLS = -22,
    /// The connection ended before the response was complete.
    RTCMSG_ERR_DISCONNECTED = -23,
    /// The deadline passed. The delivery shows whether any request bytes had been sent.
    RTCMSG_ERR_TIMEOUT = -24,
    /// The response cannot be read as a response of this vendor.
    RTCMSG_ERR_BAD_RESPONSE = -25,
    /// The proxy refused the connection to the vendor (401, 403, 407 and every other status except 408, 429 and 5xx),
    /// or it is not an HTTP proxy. Nothing was sent.
    RTCMSG_ERR_PROXY = -26,
    /// The vendor rejected the request. Not delivered.
    RTCMSG_ERR_REJECTED = -40,
    /// The vendor does not accept the credentials or the signature. Not delivered.
    RTCMSG_ERR_UNAUTHENTICATED = -41,
    /// The account is not allowed to do this. Not delivered.
    RTCMSG_ERR_FORBIDDEN = -42,
    /// The vendor's rate limit was exceeded, also by the last retry. Not delivered.
    RTCMSG_ERR_THROTTLED = -43,
    /// The clock of this machine differs too much from the vendor's, and the library could not correct for it. Not delivered.
    RTCMSG_ERR_CLOCK = -44,
    /// The vendor's service failed. The delivery shows whether the message may have been sent.
    RTCMSG_ERR_VENDOR_FAULT = -45,
    /// No recipient got the message, for different reasons or because none of them is there. If all failed for one reason, the code is that reason.
    RTCMSG_ERR_UNDELIVERED = -46,
    /// Recipients differ: some got the message or may have got it, others did not. Never send the whole message
    /// again; send only to the recipients that are not sent or not delivered.
    RTCMSG_ERR_PARTIAL = -47,
    /// A defect of this library. Please report it. Every function that can fail may return it.
    RTCMSG_ERR_INTERNAL = -99,
}

/// What is known about the delivery to one recipient.
#[repr(C)]
pub enum rtcmsg_delivery_values {
    /// No byte of the request can have reached the vendor. Safe to send again.
    RTCMSG_DELIVERY_NOT_SENT = 1,
    /// The vendor reported that this recipient did not get the message. Sending again cannot cause a duplicate, and fails again until the reason is gone.
    RTCMSG_DELIVERY_NOT_DELIVERED = 2,
    /// The vendor accepted the message and reports nothing more about this recipient.
    RTCMSG_DELIVERY_ACCEPTED = 3,
    /// The vendor reports that this recipient got the message.
    RTCMSG_DELIVERY_DELIVERED = 4,
    /// Request bytes were sent, and no response settles the result. Send again only if a duplicate is harmless.
    RTCMSG_DELIVERY_UNKNOWN = 5,
}

/// Vendors.
#[repr(C)]
pub enum rtcmsg_vendor_values {
    /// Volcengine RTC and Volcengine IM.
    RTCMSG_VENDOR_VOLCENGINE = 1,
    /// ZEGO.
    RTCMSG_VENDOR_ZEGO = 2,
}

/// Actions. Each value documents the fields of rtcmsg_message that it uses; the other fields must be empty.
#[repr(C)]
pub enum rtcmsg_action_values {
    /// Volcengine RTC SendUnicast: to one user who is logged in, outside rooms. Fields: from, to (1), payload (text
    /// or binary, 64 KB).
    RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST = 101,
    /// Volcengine RTC SendRoomUnicast: to one user in a room. Fields: room_id, from, to (1), payload (text or binary,
    /// 64 KB).
    RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST = 102,
    /// Volcengine RTC BatchSendRoomUnicast: to a list of users in a room. Fields: room_id, from, to (600 for each
    /// request; a longer list is split), payload (text or binary, 20 KB).
    RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST = 103,
    /// Volcengine RTC SendBroadcast: to all users in a room. Fields: room_id, from, payload (text or binary, 64 KB).
    RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST = 104,
    /// Volcengine IM P2PSendMessage: to some members of a conversation. Fields: conversation_id, sender_id, msg_type,
    /// user_ids (volcengine.p2p_max_users for each request; a longer list is split), payload (text,
    /// volcengine.p2p_max_content).
    RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS = 111,
    /// Volcengine IM P2PSendMessage: to all members of a conversation. Fields: conversation_id, sender_id, msg_type,
    /// payload (text, volcengine.p2p_max_content).
    RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL = 112,
    /// Volcengine IM P2PSendMessage: to all members of a conversation except those in user_ids. Fields:
    /// conversation_id, sender_id, msg_type, user_ids (1 to volcengine.p2p_max_users), payload (text,
    /// volcengine.p2p_max_content).
    RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT = 113,
    /// ZEGO SendCustomCommand: to a list of users in a room. Fields: room_id, from, to (must not contain from; 10 for
    /// each request; a longer list is split), payload (text, 1,024 bytes).
    RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS = 201,
    /// ZEGO SendCustomCommand: to all users in a room, except a client whose id is from. Fields: room_id, from,
    /// payload (text, 1,024 bytes).
    RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM = 202,
}

/// Flags of rtcmsg_message. They share no bit with the flags of rtcmsg_send_options, so that a flag in the wrong field is refused.
#[repr(C)]
pub enum rtcmsg_message_flag_values {
    /// The payload is bytes, not text. It is sent as base64 and arrives at the binary callback. Volcengine RTC only.
    RTCMSG_MESSAGE_BINARY = 1 << 0,
}

/// Priorities of rtcmsg_send_options.
#[repr(C)]
pub enum rtcmsg_priority_values {
    /// In the order of arrival.
    RTCMSG_PRIORITY_NORMAL = 0,
    /// Before the normal ones.
    RTCMSG_PRIORITY_URGENT = 1,
}

/// Flags of rtcmsg_send_options, for rtcmsg_client_submit(). They share no bit with the flags of rtcmsg_message, so that a flag in the wrong field is refused.
#[repr(C)]
pub enum rtcmsg_submit_flag_values {
    /// The message is not ordered with other messages to its destination.
    RTCMSG_SUBMIT_UNORDERED = 1 << 8,
    /// The message yields no completion. Its result is only logged, if a log function or a log buffer is set.
    RTCMSG_SUBMIT_NO_COMPLETION = 1 << 9,
}

/// Log levels.
#[repr(C)]
pub enum rtcmsg_log_level_values {
    /// A failure of the library or of the system, for example a thread that could not start.
    RTCMSG_LOG_ERROR = 1,
    /// For example: a message failed, a DNS lookup failed, or a region does not fit its endpoint.
    RTCMSG_LOG_WARN = 2,
    /// For example: a client was made, or credentials were replaced.
    RTCMSG_LOG_INFO = 3,
    /// Every message.
    RTCMSG_LOG_DEBUG = 4,
}

/// The values as numbers of their typedef: what comes from C is compared with these and never becomes an enum.
macro_rules! numbers {
    ($($number:ident: $type:ty = $family:ident;)+) => {
        $(pub(crate) const $number: $type = $family::$number as $type;)+
    };
}

numbers! {
    RTCMSG_OK: rtcmsg_code = rtcmsg_code_values;
    RTCMSG_ERR_INVALID_ARGUMENT: rtcmsg_code = rtcmsg_code_values;
    RTCMSG_ERR_INTERNAL: rtcmsg_code = rtcmsg_code_values;
    RTCMSG_VENDOR_VOLCENGINE: rtcmsg_vendor = rtcmsg_vendor_values;
    RTCMSG_VENDOR_ZEGO: rtcmsg_vendor = rtcmsg_vendor_values;
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

/// Returns the name of a code's constant, such as "RTCMSG_ERR_THROTTLED".
///
/// @param code Any number.
/// @return Static text, never NULL; "RTCMSG_?" for an unknown number.
/// @par Thread safety
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn rtcmsg_code_name(code: rtcmsg_code) -> *const c_char {
    boundary!(rtcmsg_code_name, or c"RTCMSG_?".as_ptr(), {
        Code::from_i32(code).map_or(c"RTCMSG_?", Code::c_name).as_ptr()
    })
}

/// Returns the name of a delivery's constant, such as "RTCMSG_DELIVERY_ACCEPTED".
///
/// @param delivery Any number.
/// @return Static text, never NULL; "RTCMSG_?" for an unknown number.
/// @par Thread safety
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn rtcmsg_delivery_name(delivery: rtcmsg_delivery) -> *const c_char {
    boundary!(rtcmsg_delivery_name, or c"RTCMSG_?".as_ptr(), {
        delivery_of(delivery).map_or(c"RTCMSG_?", Delivery::c_name).as_ptr()
    })
}

/// Returns what a code means, as a short English phrase such as "the vendor's rate limit was exceeded".
///
/// @param code Any number.
/// @return Static text, never NULL; "unknown code" for an unknown number.
/// @par Thread safety
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn rtcmsg_code_text(code: rtcmsg_code) -> *const c_char {
    boundary!(rtcmsg_code_text, or c"unknown code".as_ptr(), {
        Code::from_i32(code).map_or(c"unknown code", Code::c_text).as_ptr()
    })
}

/// Returns the version of the library that the program runs with, in the form of RTCMSG_VERSION.
///
/// @return 0xMMmmpp: major, minor, patch.
/// @par Thread safety
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn rtcmsg_version() -> u32 {
    boundary!(rtcmsg_version, or 0, { VERSION })
}

/// Returns the version of the library that the program runs with, as text such as "0.1.0".
///
/// @return Static text, never NULL.
/// @par Thread safety
/// Any thread.
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
    use crate::action::Vendor;
    use crate::log::Level;

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
