//! The C ABI: the home of `unsafe`, and of no logic. `include/rtcmsg.h` is generated from here, so the comments on what
//! is exported are written for C readers.
//!
//! Every exported body stands in [`boundary!`](boundary). What comes in is checked and borrowed by `input`; what goes
//! out is owned by its handle.

// C's names, not Rust's. What the pointers of these functions must be is said once, in the header's rules.
// Their comments are for Doxygen, which reads lists in another way than rustdoc.
#![allow(non_camel_case_types, clippy::missing_safety_doc, clippy::doc_lazy_continuation)]

#[macro_use]
mod boundary;
#[cfg(test)]
mod allocations;
#[cfg(feature = "inject-panics")]
mod inject;
mod input;
#[cfg(test)]
mod layout;

// In the order of the header; the blank lines keep rustfmt from sorting them.
mod constants;

mod error;

mod config;

mod message;

mod client;

mod queue;

mod report;

use std::ffi::c_char;

/// Borrowed text: a pointer and its length in bytes, UTF-8, no NUL needed at the end. `{NULL, 0}` is "not given".
/// Declared by hand in the header, for its inline maker `rtcmsg_str_from`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtcmsg_str {
    pub data: *const c_char,
    pub len: usize,
}
