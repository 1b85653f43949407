//! The C function by which a test asks for a panic: see [`panic_injection`].

use std::ffi::{CStr, c_char};

use crate::panic_injection;

/// From now on, the next call of the function of this name panics; NULL ends it.
///
/// cbindgen:ignore
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_test_panic_in(name: *const c_char) {
    let name = if name.is_null() {
        c""
    } else {
        unsafe { CStr::from_ptr(name) }
    };
    panic_injection::set_target(name.to_string_lossy().into_owned());
}
