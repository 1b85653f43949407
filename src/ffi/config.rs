//! `rtcmsg_config` and the log callback.

use std::ffi::{CString, c_char, c_void};

use super::boundary::{self, HasLog};
use super::constants::{rtcmsg_code, rtcmsg_log_level};
use super::error::rtcmsg_error;
use super::input::{c_text, required_mut};
use crate::config::Config;
use crate::error::Error;
use crate::log::{Level, Logger};

/// Settings on their way to a client. One thread at a time.
pub struct rtcmsg_config {
    pub(super) config: Config,
}

impl HasLog for rtcmsg_config {
    fn logger(&self) -> Option<&Logger> {
        Some(&self.config.logger)
    }
}

/// Takes a log line: `level` is one of RTCMSG_LOG_ERROR and so on, `text` is valid for the call, UTF-8 without line break,
/// without secrets and payloads. Called by the caller's threads and the library's, also by several at once. It must
/// return soon, must not call the client, must not wait for what a thread holds that closes or frees it, and must not throw
/// or unwind.
pub type rtcmsg_log_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: rtcmsg_log_level, text: *const c_char)>;

/// A new, empty configuration; rtcmsg_config_free() frees it. Never NULL, but for want of memory. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn rtcmsg_config_new() -> *mut rtcmsg_config {
    boundary!(rtcmsg_config_new, or std::ptr::null_mut(), {
        Box::into_raw(Box::new(rtcmsg_config { config: Config::new() }))
    })
}

/// Frees a configuration; clients made from it keep what they read. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_config_free(config: *mut rtcmsg_config) {
    boundary!(rtcmsg_config_free, or(), {
        if !config.is_null() {
            // SAFETY: from `rtcmsg_config_new`, and given up by the caller.
            drop(unsafe { Box::from_raw(config) });
        }
    })
}

/// Sets a setting, such as `rtcmsg_config_set(config, "zego.app_id", "1234567890", &error)`. docs/CONFIGURATION.md lists
/// them. An empty value sets the key back to its default. Key and value are copied.
///
/// RTCMSG_ERR_INVALID_ARGUMENT: an unknown key (the error suggests the nearest), a value it does not take, NULL, no UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_config_set(
    config: *mut rtcmsg_config,
    key: *const c_char,
    value: *const c_char,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_config_set(config), error, {
        // SAFETY: the header's rules for arguments.
        let (config, key, value) = unsafe {
            (
                required_mut(config, "config")?,
                c_text(key, "key")?,
                c_text(value, "value")?,
            )
        };
        boundary::log_panics_to(&config.config.logger);
        config.config.set(key, value)
    })
}

/// Takes settings from the environment: RTCMSG_ and the key in capitals with _ for . (RTCMSG_ZEGO_APP_ID), and the
/// vendor's own VOLC_ACCESSKEY and VOLC_SECRETKEY, which give way to ours. An empty variable counts as not set. What is
/// found replaces what was set before; what is set afterwards replaces it. The service links that Kubernetes sets for a
/// Service whose name begins with "rtcmsg" (RTCMSG_WORKER_SERVICE_HOST=10.0.0.7) are ignored.
///
/// RTCMSG_ERR_INVALID_ARGUMENT: a value that its setting does not take, or a variable of ours with an unknown key; then
/// nothing is taken. Reads the environment: no other thread may change it meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_config_load_env(config: *mut rtcmsg_config, error: *mut rtcmsg_error) -> rtcmsg_code {
    boundary!(rtcmsg_config_load_env(config), error, {
        // SAFETY: the header's rules for arguments.
        let config = unsafe { required_mut(config, "config")? };
        boundary::log_panics_to(&config.config.logger);
        config.config.load_env()
    })
}

/// Where log lines go: to `fn`, with `user_data` handed through, up to `max_level`. NULL for `fn` ends logging. Without
/// this the library logs nothing. `user_data` must live as long as every client made from this configuration.
///
/// RTCMSG_ERR_INVALID_ARGUMENT: `max_level` is none of RTCMSG_LOG_ERROR to RTCMSG_LOG_DEBUG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_config_set_log(
    config: *mut rtcmsg_config,
    r#fn: rtcmsg_log_fn,
    user_data: *mut c_void,
    max_level: rtcmsg_log_level,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_config_set_log(config), error, {
        // SAFETY: the header's rules for arguments.
        let config = unsafe { required_mut(config, "config")? };
        boundary::log_panics_to(&config.config.logger);
        let Some(call) = r#fn else {
            config.config.set_logger(Logger::default());
            return Ok(());
        };
        let max_level = Level::from_i32(max_level).ok_or_else(|| {
            Error::invalid(
                "max_level",
                format!("is {max_level}; it takes RTCMSG_LOG_ERROR (1) to RTCMSG_LOG_DEBUG (4)"),
            )
        })?;
        let user_data = HostPointer(user_data);
        config.config.set_logger(Logger::new(max_level, move |level, line| {
            // Whole, not by field: the closure must hold the wrapper that may cross threads.
            let user_data = &user_data;
            let line = CString::new(line.replace(['\0', '\n', '\r'], " ")).unwrap_or_default();
            // SAFETY: the header tells the host what this function must be.
            unsafe { call(user_data.0, level as i32, line.as_ptr()) };
        }));
        Ok(())
    })
}

/// Handed through and never looked at.
struct HostPointer(*mut c_void);

// SAFETY: the library does not dereference it; the header says that the callback gets it on any thread.
unsafe impl Send for HostPointer {}
// SAFETY: as above.
unsafe impl Sync for HostPointer {}
