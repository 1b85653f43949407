//! `rtcmsg_error`: the caller's own room for a failure's text.

use std::ffi::c_char;
use std::mem::{offset_of, size_of};
use std::ptr;

use super::constants::{RTCMSG_OK, rtcmsg_code};
use super::input;
use crate::error::Error;

const FIELD_SIZE: usize = 48;
const MESSAGE_SIZE: usize = 448;

/// Why a call failed. It lives on the caller's stack: nothing is freed, and nothing is thread-local. Start it with
/// `rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);` and pass its address to any number of calls, or pass NULL.
///
/// Every call sets it. On success code is 0, and both texts are empty. A struct that was not started with RTCMSG_INIT
/// is not written to, because its size is unknown: the call does nothing except log this, and returns
/// RTCMSG_ERR_INVALID_ARGUMENT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtcmsg_error {
    /// sizeof(rtcmsg_error), set by RTCMSG_INIT.
    pub struct_size: usize,
    /// The code that the call returned.
    pub code: rtcmsg_code,
    /// Reserved, 0.
    pub reserved: u32,
    /// The field, argument or setting that the error is about, such as `to[3]` or `zego.app_id`; empty if there is
    /// none. NUL-terminated.
    pub field: [c_char; 48],
    /// One sentence for a person: what is wrong and what is allowed. It holds no secret and no payload.
    /// NUL-terminated UTF-8, cut at a character if it is too long.
    pub message: [c_char; 448],
}

/// Why nothing may be written to it; `Ok` for NULL.
///
/// # Safety
/// `error` is NULL or points to an `rtcmsg_error` of any version.
pub(super) unsafe fn check(error: *const rtcmsg_error) -> Result<(), String> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: every version begins with its size.
    let struct_size = unsafe { error.cast::<usize>().read_unaligned() };
    input::check_size(struct_size, size_of::<rtcmsg_error>())
}

/// # Safety
/// `error` is NULL or passed [`check`].
pub(super) unsafe fn write(error: *mut rtcmsg_error, failure: Option<&Error>) {
    if error.is_null() {
        return;
    }
    let (code, field, text) = match failure {
        Some(failure) => (
            failure.code as rtcmsg_code,
            failure.field.as_ref(),
            failure.message.as_str(),
        ),
        None => (RTCMSG_OK, "", ""),
    };
    // Field by field: what a newer header has behind our fields stays as it is, and so does its struct_size.
    let base = error.cast::<u8>();
    // SAFETY: all within the size that was checked.
    unsafe {
        base.add(offset_of!(rtcmsg_error, code))
            .cast::<rtcmsg_code>()
            .write_unaligned(code);
        base.add(offset_of!(rtcmsg_error, reserved))
            .cast::<u32>()
            .write_unaligned(0);
        write_text(base.add(offset_of!(rtcmsg_error, field)), FIELD_SIZE, field);
        write_text(base.add(offset_of!(rtcmsg_error, message)), MESSAGE_SIZE, text);
    }
}

/// # Safety
/// `to` has room for `size` bytes.
unsafe fn write_text(to: *mut u8, size: usize, text: &str) {
    let mut end = text.len().min(size - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // SAFETY: `end` is less than `size`.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr(), to, end);
        ptr::write_bytes(to.add(end), 0, size - end);
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;
    use crate::error::Code;

    fn written(failure: &Error) -> (String, String) {
        let mut error = rtcmsg_error {
            struct_size: size_of::<rtcmsg_error>(),
            code: 7,
            reserved: 7,
            field: [b'x' as c_char; FIELD_SIZE],
            message: [b'x' as c_char; MESSAGE_SIZE],
        };
        // SAFETY: a whole struct.
        unsafe { write(&mut error, Some(failure)) };
        assert_eq!((error.code, error.reserved), (failure.code as i32, 0));
        // SAFETY: the writer terminates both.
        let text = |chars: &[c_char]| unsafe { CStr::from_ptr(chars.as_ptr()) }.to_str().unwrap().to_owned();
        (text(&error.field), text(&error.message))
    }

    #[test]
    fn a_long_text_is_cut_on_a_character_and_ends_in_nul() {
        let failure = Error::new(Code::InvalidArgument, "字".repeat(100), "é".repeat(1000));
        let (field, text) = written(&failure);
        assert_eq!(field, "字".repeat(15)); // 45 of 47 bytes
        assert_eq!(text, "é".repeat(223)); // 446 of 447 bytes
    }
}
