//! The boundary that every exported function stands in: no panic crosses it, nothing is printed, and every error
//! reaches the caller's `rtcmsg_error`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::ptr;
use std::sync::Once;

use super::constants::{RTCMSG_ERR_INTERNAL, RTCMSG_ERR_INVALID_ARGUMENT, RTCMSG_OK, rtcmsg_code};
use super::error::{self, rtcmsg_error};
use crate::error::{Code, Error};
use crate::log::{Level, Logger};
use crate::os;

/// The body of an exported function. Three shapes, by what the function returns:
/// `boundary!(name(handle), error, { … Ok(()) })`: a code, with the failure in `error`;
/// `boundary!(name(handle), error, out, { … Ok(()) })`: the same for a call that hands out a handle, NULL until it succeeds,
/// and `boundary!(name(handle), error, out = 0, { … Ok(()) })` for one that hands out numbers;
/// `boundary!(name, or DEFAULT, { … })`: a value, which is DEFAULT after a panic.
macro_rules! boundary {
    ($name:ident, or $default:expr, $body:block) => {
        $crate::ffi::boundary::value(stringify!($name), $default, move || $body)
    };
    ($name:ident($handle:ident), $error:ident, $out:ident, $body:block) => {
        boundary!($name($handle), $error, $out = std::ptr::null_mut(), $body)
    };
    ($name:ident($handle:ident), $error:ident, $($out:ident = $initial:expr),+, $body:block) => {{
        $(
            // SAFETY: the header's rules for arguments: NULL, or the caller's to write to.
            if let Some(out) = unsafe { $out.as_mut() } {
                *out = $initial;
            }
        )+
        boundary!($name($handle), $error, $body)
    }};
    ($name:ident($handle:ident), $error:ident, $body:block) => {
        $crate::ffi::boundary::fallible(stringify!($name), $handle, $error, move || $body)
    };
}

/// A handle of C's that has a log.
pub(super) trait HasLog {
    /// `None` in a forked child, where a lock of the log may be held for ever.
    fn logger(&self) -> Option<&Logger>;
}

/// Runs a body that can fail. `error` is set on every path; one that cannot be written to is itself the failure, which
/// only the log of the handle can tell.
pub(super) fn fallible(
    name: &'static str,
    handle: *const impl HasLog,
    error: *mut rtcmsg_error,
    body: impl FnOnce() -> Result<(), Error>,
) -> rtcmsg_code {
    // SAFETY: `error` is NULL or the caller's, by the header's rules; its size is checked before it is written to.
    if let Err(text) = unsafe { error::check(error) } {
        // SAFETY: NULL or a live handle, by the header's rules.
        let logger = unsafe { handle.as_ref() }.and_then(HasLog::logger);
        value(name, (), || {
            if let Some(logger) = logger {
                logger.log(Level::Error, || format!("{name}: error.{text}"));
            }
        });
        return RTCMSG_ERR_INVALID_ARGUMENT;
    }
    let result = caught(name, body).unwrap_or_else(|panic| Err(Error::new(Code::Internal, "", panic)));
    // SAFETY: as above.
    unsafe { error::write(error, result.as_ref().err()) };
    match result {
        Ok(()) => RTCMSG_OK,
        Err(error) => error.code as rtcmsg_code,
    }
}

/// Runs a body that only gives a value.
pub(super) fn value<T>(name: &'static str, default: T, body: impl FnOnce() -> T) -> T {
    caught(name, body).unwrap_or(default)
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static LOGGER: Cell<*const Logger> = const { Cell::new(ptr::null()) };
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// From here to the end of the call, a panic is logged there. The logger's owner outlives the call.
pub(super) fn log_panics_to(logger: &Logger) {
    LOGGER.set(logger);
    #[cfg(feature = "inject-panics")]
    super::inject::panic_if_told();
}

fn caught<T>(name: &'static str, body: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(install_hook);
    DEPTH.set(DEPTH.get() + 1);
    let outer = LOGGER.get();
    #[cfg(feature = "inject-panics")]
    let body = || {
        super::inject::called(name);
        let value = body();
        super::inject::panic_if_told();
        value
    };
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    let logger = LOGGER.replace(outer);
    DEPTH.set(DEPTH.get() - 1);
    result.map_err(|panic| {
        let text = described(name, panic);
        // SAFETY: set by `log_panics_to` during this call, or NULL.
        if let Some(logger) = unsafe { logger.as_ref() } {
            logger.log(Level::Error, || text.clone());
        }
        text
    })
}

fn described(name: &str, panic: Box<dyn Any + Send>) -> String {
    // Dropping a panic's payload may itself panic; there is nothing in it that the hook has not seen.
    std::mem::forget(panic);
    // The thread may be past its end, in a destructor of the host's: then the text is gone.
    let what = LAST_PANIC.try_with(RefCell::take).unwrap_or_default();
    format!("a defect of the library, please report it: {name}: {what}")
}

/// A panic inside the boundary is kept for the log, and one in a thread of the library prints nothing; any other goes to
/// the hook that was there before.
fn install_hook() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info: &PanicHookInfo| {
        if DEPTH.try_with(Cell::get).unwrap_or(0) == 0 && !os::is_library_thread() {
            return before(info);
        }
        let _ = LAST_PANIC.try_with(|last| last.replace(info.to_string().replace('\n', " ")));
    }));
}

const _: () = assert!(RTCMSG_ERR_INTERNAL == Code::Internal as rtcmsg_code);
