//! Arguments from C, checked and borrowed: handles, texts, lists, and structs of other versions.

use std::ffi::{CStr, c_char};
use std::mem::size_of;
use std::slice;
use std::time::Duration;

use super::rtcmsg_str;
use crate::error::{Code, Error};

/// No struct of any version is larger, so a greater `struct_size` is not initialized.
const MAX_STRUCT_SIZE: usize = 4096;
/// A longer list or text is not read, since no setting allows it.
const MAX_LIST: usize = 1_000_000;
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// A pointer that must not be NULL.
///
/// # Safety
/// `pointer` is NULL or points to a `T` that lives for the call.
pub(super) unsafe fn required<'a, T>(pointer: *const T, name: &'static str) -> Result<&'a T, Error> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// A pointer that must not be NULL, to a value that the call changes.
///
/// # Safety
/// As for [`required`], and no other thread uses the value during the call.
pub(super) unsafe fn required_mut<'a, T>(pointer: *mut T, name: &'static str) -> Result<&'a mut T, Error> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

/// A NUL-terminated text that must be given.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string that lives for the call.
pub(super) unsafe fn c_text<'a>(text: *const c_char, name: &'static str) -> Result<&'a str, Error> {
    if text.is_null() {
        return Err(null(name));
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str()
        .map_err(|error| not_utf8(name.to_owned(), error.valid_up_to()))
}

/// A text by pointer and length; empty if it is not given.
///
/// # Safety
/// `text.data` is NULL or points to `text.len` bytes that live for the call.
pub(super) unsafe fn text<'a>(text: rtcmsg_str, name: impl Fn() -> String) -> Result<&'a str, Error> {
    // SAFETY: the caller's promise.
    let bytes = unsafe { list(text.data.cast::<u8>(), text.len, &name) }?;
    std::str::from_utf8(bytes).map_err(|error| not_utf8(name(), error.valid_up_to()))
}

/// A list by pointer and length; empty if it is not given.
///
/// # Safety
/// `data` is NULL or points to `len` aligned items that live for the call.
pub(super) unsafe fn list<'a, T>(data: *const T, len: usize, name: impl Fn() -> String) -> Result<&'a [T], Error> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Error::invalid(name(), format!("is NULL with a length of {len}")));
    }
    let max = if size_of::<T>() == 1 { MAX_BYTES } else { MAX_LIST };
    if len > max {
        return Err(Error::invalid(
            name(),
            format!("has a length of {len}; at most {max} is allowed"),
        ));
    }
    if !data.is_aligned() {
        return Err(Error::invalid(name(), "is not aligned for its type"));
    }
    // SAFETY: not NULL, aligned, of a size that can be; the rest is the caller's promise.
    Ok(unsafe { slice::from_raw_parts(data, len) })
}

/// Checks a caller's `struct_size` for a struct of which this version of the library knows `known` bytes.
pub(super) fn check_size(struct_size: usize, known: usize) -> Result<(), String> {
    let limit = match struct_size {
        size if size < known => format!("must be at least {known}"),
        size if size > MAX_STRUCT_SIZE => format!("must be at most {MAX_STRUCT_SIZE}"),
        _ => return Ok(()),
    };
    Err(format!(
        "struct_size is {struct_size}, but {limit}: initialize the struct with RTCMSG_INIT"
    ))
}

/// A byte-wise copy of the part of a struct that this version knows. Newer versions add fields at its end.
///
/// # Safety
/// `T` is `repr(C)`, begins with `struct_size: usize` and is valid for every bit pattern. `pointer` is NULL or points to
/// a struct of any version of it, as large as its `struct_size` says.
pub(super) unsafe fn versioned<T: Copy>(pointer: *const T, name: &'static str) -> Result<T, Error> {
    if pointer.is_null() {
        return Err(null(name));
    }
    let known = size_of::<T>();
    // SAFETY: every version begins with its size.
    let struct_size = unsafe { pointer.cast::<usize>().read_unaligned() };
    check_size(struct_size, known).map_err(|text| Error::invalid("struct_size", format!("{name}: {text}")))?;
    // SAFETY: the struct is as large as it says.
    let tail = unsafe { slice::from_raw_parts(pointer.cast::<u8>().add(known), struct_size - known) };
    if tail.iter().any(|byte| *byte != 0) {
        let text =
            format!("{name}: a field after byte {known} is set, which this version of the library does not support");
        return Err(Error::new(Code::Unsupported, name, text));
    }
    // SAFETY: checked above; valid for every bit pattern.
    Ok(unsafe { pointer.read_unaligned() })
}

/// The time to wait: 0 or more milliseconds, or `None` for -1, which is no limit.
pub(super) fn wait(timeout_ms: i32) -> Result<Option<Duration>, Error> {
    match timeout_ms {
        -1 => Ok(None),
        0.. => Ok(Some(Duration::from_millis(timeout_ms as u64))),
        _ => Err(Error::invalid(
            "timeout_ms",
            format!("is {timeout_ms}; must be 0 or more, or -1 for no limit"),
        )),
    }
}

fn null(name: &'static str) -> Error {
    Error::invalid(name, "is NULL")
}

fn not_utf8(name: String, valid_up_to: usize) -> Error {
    Error::invalid(name, format!("is not UTF-8 at byte {valid_up_to}"))
}
