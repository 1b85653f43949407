//! `rtcmsg_config` and the log callback.

use std::ffi::{CString, c_char, c_void};

use super::boundary::{self, HasLog};
use super::constants::{rtcmsg_code, rtcmsg_log_level};
use super::error::rtcmsg_error;
use super::input::{c_text, required_mut};
use crate::config::Config;
use crate::error::Error;
use crate::log::{Level, Logger};

/// A configuration: the settings for a client. One thread at a time.
pub struct rtcmsg_config {
    pub(super) config: Config,
}

impl HasLog for rtcmsg_config {
    fn logger(&self) -> Option<&Logger> {
        Some(&self.config.logger)
    }
}

/// Receives a log line. It is called by the caller's threads and the library's, also by several at once.
///
/// It must return soon. It must not call the client, must not throw or unwind, and must not wait for a lock held by a
/// thread that is in rtcmsg_client_close() or rtcmsg_client_free().
///
/// @param user_data The value from rtcmsg_config_set_log().
/// @param level One of rtcmsg_log_level_values.
/// @param text The line: UTF-8. It contains no line break, no secret and no payload. Valid during the call.
pub type rtcmsg_log_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: rtcmsg_log_level, text: *const c_char)>;

/// Makes an empty configuration.
///
/// @return A configuration, never NULL. The caller frees it with rtcmsg_config_free().
/// @par Thread safety
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn rtcmsg_config_new() -> *mut rtcmsg_config {
    boundary!(rtcmsg_config_new, or std::ptr::null_mut(), {
        Box::into_raw(Box::new(rtcmsg_config { config: Config::new() }))
    })
}

/// Frees a configuration. Clients that were made from it keep their own copy.
///
/// @param config The configuration, or NULL.
/// @par Thread safety
/// No other thread may use the configuration.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_config_free(config: *mut rtcmsg_config) {
    boundary!(rtcmsg_config_free, or(), {
        if !config.is_null() {
            // SAFETY: from `rtcmsg_config_new`, and given up by the caller.
            drop(unsafe { Box::from_raw(config) });
        }
    })
}

/// Sets one setting, for example `rtcmsg_config_set(config, "zego.app_id", "1234567890", &error)`.
/// docs/CONFIGURATION.md lists all settings.
///
/// @param config The configuration.
/// @param key Name of the setting; NUL-terminated, copied.
/// @param value The value as text; NUL-terminated, copied. "" sets the default.
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK
/// - RTCMSG_ERR_INVALID_ARGUMENT: the key is unknown (the error names the nearest one), the value is not allowed, an
///   argument is NULL, or a text is not UTF-8.
/// @par Thread safety
/// One thread at a time for each configuration.
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

/// Reads settings from environment variables. A variable's name is RTCMSG_ and the key in capitals with _ for the dot:
/// RTCMSG_ZEGO_APP_ID sets zego.app_id. VOLC_ACCESSKEY and VOLC_SECRETKEY, the variables of the vendor's own tools, are read
/// where RTCMSG_VOLCENGINE_ACCESS_KEY and RTCMSG_VOLCENGINE_SECRET_KEY are not set. An empty variable counts as not set.
/// The variables that Kubernetes sets for a Service whose name begins with "rtcmsg"
/// (RTCMSG_WORKER_SERVICE_HOST=10.0.0.7) are ignored.
///
/// The variables replace what was set before this call. rtcmsg_config_set() afterwards replaces the variables.
///
/// @param config The configuration.
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK
/// - RTCMSG_ERR_INVALID_ARGUMENT: a value is not allowed, or a variable names an unknown setting. The configuration is
///   unchanged.
/// @par Thread safety
/// One thread at a time for each configuration. No other thread may change the environment meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_config_load_env(config: *mut rtcmsg_config, error: *mut rtcmsg_error) -> rtcmsg_code {
    boundary!(rtcmsg_config_load_env(config), error, {
        // SAFETY: the header's rules for arguments.
        let config = unsafe { required_mut(config, "config")? };
        boundary::log_panics_to(&config.config.logger);
        config.config.load_env()
    })
}

/// Sets the function that receives the log lines of clients made from this configuration. Without it, nothing is logged.
///
/// @param config The configuration.
/// @param fn The function, or NULL to log nothing.
/// @param user_data Passed to `fn`. It must be valid as long as any client made from this configuration.
/// @param max_level The most detailed level to log: RTCMSG_LOG_ERROR to RTCMSG_LOG_DEBUG.
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK
/// - RTCMSG_ERR_INVALID_ARGUMENT: `config` is NULL, or `max_level` is not one of rtcmsg_log_level_values.
/// @par Thread safety
/// One thread at a time for each configuration.
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
