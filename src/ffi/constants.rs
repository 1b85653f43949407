//! The constants of the header, and the functions that name them.

// Most are read by C alone.
#![allow(dead_code)]

use std::ffi::c_char;

use crate::error::Code;
use crate::report::Delivery;

/// What a function came to: RTCMSG_OK or one of the negative codes.
pub type rtcmsg_code = i32;

/// 0xMMmmpp. The header's RTCMSG_VERSION stands in cbindgen.toml, as a hexadecimal number.
const VERSION: u32 = 0x000100;

/// Done. For a message: every recipient is accepted or delivered.
pub const RTCMSG_OK: i32 = 0;
/// A field, setting or argument is not allowed; the error names it and the limit. Nothing was sent.
pub const RTCMSG_INVALID_ARGUMENT: i32 = -1;
/// This library does not know what was asked for: a newer header's field is set. Nothing was sent.
pub const RTCMSG_UNSUPPORTED: i32 = -2;
/// The client lacks a setting that this message needs; the error names it. Nothing was sent.
pub const RTCMSG_NOT_CONFIGURED: i32 = -3;
/// The queue is full (queue.capacity, queue.bytes). The message was not taken in.
pub const RTCMSG_QUEUE_FULL: i32 = -4;
/// The quota has no room within the deadline; the request's retry_after_ms says when it
/// would have at the earliest. Nothing was sent.
pub const RTCMSG_RATE_LIMITED: i32 = -5;
/// It expired before its first byte. Nothing was sent.
pub const RTCMSG_EXPIRED: i32 = -6;
/// It was cancelled while it was queued. Nothing was sent.
pub const RTCMSG_CANCELLED: i32 = -7;
/// The client is closed. If a message was in flight, its report says what became of it.
pub const RTCMSG_CLOSED: i32 = -8;
/// The client was made before a fork: make a new one in the child. Nothing was sent.
pub const RTCMSG_FORKED: i32 = -9;
/// There is no such message in the queue: it is on its way, or done. Or no log line to take.
pub const RTCMSG_NOT_FOUND: i32 = -10;
/// The caller's room is too small; the needed size is told.
pub const RTCMSG_BUFFER_TOO_SMALL: i32 = -11;
/// The operating system refused a thread, a file descriptor or memory: look at the limits of the process and its container
/// (pids, RLIMIT_NPROC, RLIMIT_NOFILE). Nothing was sent.
pub const RTCMSG_NO_RESOURCES: i32 = -12;
/// The vendor's host name has no address. Nothing was sent.
pub const RTCMSG_RESOLVE: i32 = -20;
/// No connection to the vendor. Nothing was sent.
pub const RTCMSG_CONNECT: i32 = -21;
/// The TLS handshake failed: certificate, name or protocol. Nothing was sent.
pub const RTCMSG_TLS: i32 = -22;
/// The connection ended before the answer did.
pub const RTCMSG_DISCONNECTED: i32 = -23;
/// The deadline passed; the delivery says whether anything had left.
pub const RTCMSG_TIMEOUT: i32 = -24;
/// What came back is no answer of this vendor.
pub const RTCMSG_BAD_RESPONSE: i32 = -25;
/// The proxy refuses the way to the vendor (401, 403, 407 and every other status but 408, 429 and 5xx), or it is no
/// HTTP proxy. Nothing was sent.
pub const RTCMSG_PROXY: i32 = -26;
/// The vendor refused the request.
pub const RTCMSG_REJECTED: i32 = -40;
/// The vendor does not accept the credentials or the signature.
pub const RTCMSG_UNAUTHENTICATED: i32 = -41;
/// The account may not do this.
pub const RTCMSG_FORBIDDEN: i32 = -42;
/// The vendor's quota is used up.
pub const RTCMSG_THROTTLED: i32 = -43;
/// This machine's clock is too far from the vendor's.
pub const RTCMSG_CLOCK: i32 = -44;
/// The vendor failed; the delivery says whether the message may have gone out all the same.
pub const RTCMSG_VENDOR_FAULT: i32 = -45;
/// Nobody got the message.
pub const RTCMSG_UNDELIVERED: i32 = -46;
/// Recipients differ: some got the message or may have, others did not. Look at each.
pub const RTCMSG_PARTIAL: i32 = -47;
/// A defect of this library. Please report it.
pub const RTCMSG_INTERNAL: i32 = -99;

/// Delivery: no byte of the request can have reached the vendor. Safe to send again.
pub const RTCMSG_NOT_SENT: u32 = 1;
/// Delivery: the vendor answered that this recipient did not get it. Safe to send again.
pub const RTCMSG_NOT_DELIVERED: u32 = 2;
/// Delivery: the vendor took it and says nothing more of this recipient.
pub const RTCMSG_ACCEPTED: u32 = 3;
/// Delivery: the vendor says that this recipient got it.
pub const RTCMSG_DELIVERED: u32 = 4;
/// Delivery: request bytes left and no answer settles it. Send again only if twice is harmless.
pub const RTCMSG_UNKNOWN: u32 = 5;

/// Vendor: Volcengine, RTC and IM.
pub const RTCMSG_VOLCENGINE: u32 = 1;
/// Vendor: ZEGO.
pub const RTCMSG_ZEGO: u32 = 2;

/// Volcengine RTC, one user who is logged in, outside rooms. Fields: from, to (1), payload (64 KB).
pub const RTCMSG_VOLCENGINE_SEND_UNICAST: u32 = 101;
/// Volcengine RTC, one user in a room. Fields: room_id, from, to (1), payload (64 KB).
pub const RTCMSG_VOLCENGINE_SEND_ROOM_UNICAST: u32 = 102;
/// Volcengine RTC, users in a room. Fields: room_id, from, to (600 a request, longer lists are
/// split), payload (20 KB).
pub const RTCMSG_VOLCENGINE_BATCH_SEND_ROOM_UNICAST: u32 = 103;
/// Volcengine RTC, everybody in a room. Fields: room_id, from, payload (64 KB).
pub const RTCMSG_VOLCENGINE_SEND_BROADCAST: u32 = 104;
/// Volcengine IM, some members of a conversation. Fields: conversation_id, sender_id, msg_type, user_ids, payload (text).
pub const RTCMSG_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS: u32 = 111;
/// Volcengine IM, every member of a conversation. Fields: conversation_id, sender_id, msg_type, payload (text).
pub const RTCMSG_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL: u32 = 112;
/// Volcengine IM, every member but those in user_ids. Fields: conversation_id, sender_id, msg_type, user_ids, payload (text).
pub const RTCMSG_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT: u32 = 113;
/// ZEGO, users in a room. Fields: room_id, from, to (not from; 10 a request, longer lists are split), payload (text, 1,024
/// bytes).
pub const RTCMSG_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS: u32 = 201;
/// ZEGO, everybody in a room but a client whose id is from. Fields: room_id, from, payload (text, 1,024 bytes).
pub const RTCMSG_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM: u32 = 202;

/// Message flag: the payload is bytes, not text. It travels as base64 and reaches the binary callback. Volcengine RTC only.
pub const RTCMSG_BINARY: u32 = 1;

/// Priority: in the order of arrival.
pub const RTCMSG_PRIORITY_NORMAL: u32 = 0;
/// Priority: before all that are normal.
pub const RTCMSG_PRIORITY_URGENT: u32 = 1;

/// Call flag, for submit: the message keeps no order with others to its destination.
pub const RTCMSG_UNORDERED: u32 = 1;
/// Call flag, for submit: nobody polls for what becomes of it.
pub const RTCMSG_NO_COMPLETION: u32 = 2;

/// Log level: something is broken.
pub const RTCMSG_LOG_ERROR: i32 = 1;
/// Log level: a message failed, a lookup failed.
pub const RTCMSG_LOG_WARN: i32 = 2;
/// Log level: a client was made or closed.
pub const RTCMSG_LOG_INFO: i32 = 3;
/// Log level: every message.
pub const RTCMSG_LOG_DEBUG: i32 = 4;

/// The name of a code's constant, such as "RTCMSG_THROTTLED"; "RTCMSG_?" for a number that is none.
/// Static text, never NULL. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn rtcmsg_code_name(code: rtcmsg_code) -> *const c_char {
    boundary!(rtcmsg_code_name, or c"RTCMSG_?".as_ptr(), {
        Code::from_i32(code).map_or(c"RTCMSG_?", Code::c_name).as_ptr()
    })
}

/// The name of a delivery's constant, such as "RTCMSG_DELIVERED"; "RTCMSG_?" for a number that is none.
/// Static text, never NULL. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn rtcmsg_delivery_name(delivery: u32) -> *const c_char {
    boundary!(rtcmsg_delivery_name, or c"RTCMSG_?".as_ptr(), {
        delivery_of(delivery).map_or(c"RTCMSG_?", Delivery::c_name).as_ptr()
    })
}

/// The library's version, as RTCMSG_VERSION was when it was built. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn rtcmsg_version() -> u32 {
    boundary!(rtcmsg_version, or 0, { VERSION })
}

pub(super) fn delivery_of(value: u32) -> Option<Delivery> {
    Delivery::ALL.into_iter().find(|delivery| *delivery as u32 == value)
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;
    use crate::action::Vendor;
    use crate::log::Level;

    #[test]
    fn the_constants_of_the_header_are_the_numbers_of_the_library() {
        let source = include_str!("constants.rs");
        for code in Code::ALL {
            let line = format!("pub const {}: i32 = {};", code.name(), *code as i32);
            assert!(source.contains(&line), "{line}");
        }
        for delivery in Delivery::ALL {
            // SAFETY: static text.
            let name = unsafe { CStr::from_ptr(rtcmsg_delivery_name(delivery as u32)) };
            let line = format!("pub const {}: u32 = {};", name.to_str().unwrap(), delivery as u32);
            assert!(source.contains(&line), "{line}");
        }
        assert_eq!(
            (Vendor::Volcengine as u32, Vendor::Zego as u32),
            (RTCMSG_VOLCENGINE, RTCMSG_ZEGO)
        );
        let levels = [RTCMSG_LOG_ERROR, RTCMSG_LOG_WARN, RTCMSG_LOG_INFO, RTCMSG_LOG_DEBUG];
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
        let define = format!("#define RTCMSG_VERSION {VERSION:#08x}u\n");
        assert!(include_str!("../../cbindgen.toml").contains(&define), "{define}");
    }
}
