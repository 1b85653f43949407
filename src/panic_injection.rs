//! Panics on demand behind any exported function, for the test of the boundary. Only builds with the feature `inject-panics`
//! contain this.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

static TARGET: Mutex<String> = Mutex::new(String::new());

thread_local! {
    static CURRENT: Cell<&'static str> = const { Cell::new("") };
}

/// Makes the next call of the function of this name panic. An empty name cancels this.
pub(crate) fn set_target(function: String) {
    *TARGET.lock().unwrap_or_else(PoisonError::into_inner) = function;
}

/// Records the exported function that this thread runs.
pub(crate) fn enter(function: &'static str) {
    CURRENT.set(function);
}

/// Panics, once, if this thread runs the target. It is called where a function has found its logger, and at the end of every
/// function.
pub(crate) fn panic_if_target() {
    let mut target = TARGET.lock().unwrap_or_else(PoisonError::into_inner);
    if *target == CURRENT.get() && !target.is_empty() {
        target.clear();
        drop(target);
        panic!("injected");
    }
}
