//! Panics on demand behind any exported function, for the test of the boundary. Not in any build but that test's.

use std::cell::Cell;
use std::ffi::{CStr, c_char};
use std::sync::{Mutex, PoisonError};

static TARGET: Mutex<String> = Mutex::new(String::new());

thread_local! {
    static CALLED: Cell<&'static str> = const { Cell::new("") };
}

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
    *TARGET.lock().unwrap_or_else(PoisonError::into_inner) = name.to_string_lossy().into_owned();
}

pub(super) fn called(name: &'static str) {
    CALLED.set(name);
}

/// The place of a panic: once the call knows where to log it, or at its end if it never does.
pub(super) fn panic_if_told() {
    let mut target = TARGET.lock().unwrap_or_else(PoisonError::into_inner);
    if *target == CALLED.get() && !target.is_empty() {
        target.clear();
        drop(target);
        panic!("injected");
    }
}
