//! `rtcmsg_client`: made, asked, sent with, closed, freed. Submit and poll stand in `queue`.

use std::ffi::c_char;
use std::time::Duration;

use super::boundary::{self, HasLog};
use super::config::rtcmsg_config;
use super::constants::{
    RTCMSG_PRIORITY_NORMAL, RTCMSG_PRIORITY_URGENT, RTCMSG_VENDOR_VOLCENGINE, RTCMSG_VENDOR_ZEGO, SUBMIT_FLAGS,
    rtcmsg_code, rtcmsg_priority, rtcmsg_submit_flags, rtcmsg_vendor,
};
use super::error::rtcmsg_error;
use super::message::{InputMessage, rtcmsg_message};
use super::report::rtcmsg_report;
use super::{input, rtcmsg_str};
use crate::action::Vendor;
use crate::client::Client;
use crate::engine::{SendOptions, SendTimeout};
use crate::error::Error;
use crate::log::Logger;
use crate::report::Report;

/// A client: it sends messages. Any number of threads may use it at the same time.
pub struct rtcmsg_client {
    client: Client,
}

impl HasLog for rtcmsg_client {
    fn logger(&self) -> Option<&Logger> {
        (!self.client.is_forked()).then(|| self.client.logger())
    }
}

/// Options of one call. NULL, and 0 in a field, mean the default of that field. Start it with `rtcmsg_send_options
/// options = RTCMSG_INIT(rtcmsg_send_options);`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtcmsg_send_options {
    /// sizeof(rtcmsg_send_options), set by RTCMSG_INIT.
    pub struct_size: usize,
    /// Deadline in milliseconds for DNS, connect, TLS, responses, retries, all parts of a long list together, and the
    /// wait for quota. For rtcmsg_client_submit() it starts with the first attempt, after the queue and the first wait for quota. 0: http.timeout_ms. -1: no limit; a vendor that never responds then blocks the thread forever.
    pub timeout_ms: i32,
    /// Maximum time in milliseconds between this call and the first byte sent, including the wait for quota. A request that has not started by then fails with RTCMSG_ERR_EXPIRED. 0: the message does not expire, and a submitted one waits in the queue without limit. Negative values are refused.
    pub expires_in_ms: i32,
    /// RTCMSG_PRIORITY_NORMAL or RTCMSG_PRIORITY_URGENT. Urgent messages are sent before normal ones that wait for the same quota or for a worker. One in nine of them at least is a normal one, so that normal ones cannot starve. An urgent message does not overtake an earlier message with its order key.
    pub priority: rtcmsg_priority,
    /// rtcmsg_client_submit() only. A combination of rtcmsg_submit_flag_values.
    pub flags: rtcmsg_submit_flags,
    /// rtcmsg_client_submit() only. Returned in the completion.
    pub user_data: u64,
    /// rtcmsg_client_submit() only. Messages with the same key are sent in order: each starts after the previous one has its report. 0: the key is the destination. Must be 0 with RTCMSG_SUBMIT_UNORDERED.
    ///
    /// The destination is the user (SendUnicast); the room and the user (a message to one user of a room); the room (a
    /// message to several users or to all users of a room); the conversation (Volcengine IM). Messages to different
    /// destinations are not ordered, for example one to a user of a room and one to the whole room, and
    /// rtcmsg_client_send() is not ordered with submitted messages.
    pub order_key: u64,
}

/// Makes a client. Copies the configuration and validates all of it, the CA file included. Does no network I/O.
///
/// Logs a warning if an endpoint is known to be outside mainland China (BytePlus, or a Volcengine host such as
/// open-ap-singapore-1.volcengineapi.com) and its region is the default cn-north-1: the vendor rejects such signatures.
///
/// @param config The configuration. It may be freed after the call.
/// @param client Receives the client, or NULL on failure. The caller frees it with rtcmsg_client_free().
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK
/// - RTCMSG_ERR_NOT_CONFIGURED: the credentials of every vendor are missing, or those of one vendor are incomplete.
/// - RTCMSG_ERR_INVALID_ARGUMENT: a setting is not allowed; the error names it. Also if a Volcengine secret key begins with
///   AKLT or AKTP, as access keys do, and the access key does not: the two are probably exchanged.
/// @par Thread safety
/// Any thread, if no other thread changes the configuration meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_new(
    config: *const rtcmsg_config,
    client: *mut *mut rtcmsg_client,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_client_new(config), error, client, {
        // SAFETY: the header's rules for arguments.
        let (client, config) = unsafe {
            (
                input::required_mut(client, "client")?,
                input::required(config, "config")?,
            )
        };
        boundary::log_panics_to(&config.config.logger);
        let made = Client::new(&config.config)?;
        *client = Box::into_raw(Box::new(rtcmsg_client { client: made }));
        Ok(())
    })
}

/// Validates a message as rtcmsg_client_send() and rtcmsg_client_submit() do. Does no I/O.
///
/// @param client The client.
/// @param message The message.
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK: the message would be accepted.
/// - RTCMSG_ERR_INVALID_ARGUMENT: the error names the field and the limit.
/// - RTCMSG_ERR_UNSUPPORTED: a field is set that this version of the library does not support.
/// - RTCMSG_ERR_NOT_CONFIGURED: the client lacks a setting that this message needs.
/// - RTCMSG_ERR_CLOSED, RTCMSG_ERR_FORKED
/// @par Thread safety
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_check(
    client: *mut rtcmsg_client,
    message: *const rtcmsg_message,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_client_check(client), error, {
        // SAFETY: the header's rules for arguments.
        let (client, fields) = unsafe {
            let client = known(client)?;
            (client, InputMessage::read(message, client.limits())?)
        };
        client.check(&fields.message()?)
    })
}

/// Sends a message and waits for the result. The call runs on the caller's thread; a stack of 256 KiB is enough.
///
/// Only what cannot have arrived is retried (retry.max_attempts), unless retry.on_unknown is set. A list longer than the
/// vendor's limit is split into several requests, and their results are merged into one report. The call waits for the rate
/// limit (quota.mode). docs/DELIVERY.md describes each case.
///
/// @param client The client.
/// @param message The message. Borrowed for the call.
/// @param options Options of this call, or NULL for the defaults. `flags`, `user_data` and `order_key` must be 0.
/// @param report Receives the report if the send was started, whatever the returned code; otherwise NULL.
///   Must not be NULL. The caller frees the report with rtcmsg_report_free().
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK: every recipient is accepted or delivered.
/// - Without a report, nothing was sent: RTCMSG_ERR_INVALID_ARGUMENT, RTCMSG_ERR_UNSUPPORTED, RTCMSG_ERR_NOT_CONFIGURED,
///   RTCMSG_ERR_FORKED, and RTCMSG_ERR_CLOSED for a client that was closed before the call.
/// - With a report: RTCMSG_ERR_PARTIAL if recipients differ, RTCMSG_ERR_UNDELIVERED, RTCMSG_ERR_RATE_LIMITED,
///   RTCMSG_ERR_EXPIRED, RTCMSG_ERR_NO_RESOURCES, RTCMSG_ERR_CLOSED, and the codes from RTCMSG_ERR_RESOLVE to
///   RTCMSG_ERR_VENDOR_FAULT. Look at the delivery of each recipient before you send again.
/// @par Thread safety
/// Any thread, any number of calls at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_send(
    client: *mut rtcmsg_client,
    message: *const rtcmsg_message,
    options: *const rtcmsg_send_options,
    report: *mut *mut rtcmsg_report,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_client_send(client), error, report, {
        // SAFETY: the header's rules for arguments.
        let (report, client, fields, options) = unsafe {
            let report = input::required_mut(report, "report")?;
            let client = known(client)?;
            let fields = InputMessage::read(message, client.limits())?;
            (report, client, fields, blocking_options(options)?)
        };
        hand_over(client, client.send(&fields.message()?, &options)?, report)
    })
}

/// Sends any other action of the vendors' APIs, signed, and waits for the response.
///
/// Volcengine's P2PSendUserMessage and ZEGO's SendBroadcastMessage and SendBarrageMessage are paced by the settings quota.*; other actions are not paced. Attempts are retried by the rules of rtcmsg_client_send().
///
/// @param client The client.
/// @param vendor One of rtcmsg_vendor_values.
/// @param action The vendor's name of the action, NUL-terminated.
/// @param version Volcengine: the version of the action, such as "2020-12-01", NUL-terminated. ZEGO: NULL.
/// @param json A JSON object. For Volcengine it is the body of the request and is sent byte for byte. For ZEGO its members
///   become query parameters; a list becomes a repeated parameter `Name[]`.
/// @param options Options of this call, or NULL for the defaults. `flags`, `user_data` and `order_key` must be 0.
/// @param report Receives the report, as for rtcmsg_client_send(). rtcmsg_report_body() returns the raw response.
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return The codes of rtcmsg_client_send(). RTCMSG_ERR_INVALID_ARGUMENT also for an action that rtcmsg_message supports, in any letter case: use rtcmsg_client_send() for it.
/// @par Thread safety
/// Any thread, any number of calls at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_call_action(
    client: *mut rtcmsg_client,
    vendor: rtcmsg_vendor,
    action: *const c_char,
    version: *const c_char,
    json: rtcmsg_str,
    options: *const rtcmsg_send_options,
    report: *mut *mut rtcmsg_report,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_client_call_action(client), error, report, {
        // SAFETY: the header's rules for arguments.
        unsafe {
            let (report, client) = (input::required_mut(report, "report")?, known(client)?);
            let vendor = vendor_of(vendor)?;
            let action = input::c_text(action, "action")?;
            let version = if version.is_null() {
                ""
            } else {
                input::c_text(version, "version")?
            };
            let json = input::text(json, || "json".to_owned())?;
            let answered = client.call(vendor, action, version, json, &blocking_options(options)?)?;
            hand_over(client, answered, report)
        }
    })
}

/// Replaces a vendor's credentials while the client is in use. All of them change together. An attempt in progress keeps the
/// ones it was signed with.
///
/// @param client The client.
/// @param vendor One of rtcmsg_vendor_values.
/// @param key_id Volcengine: the access key. ZEGO: empty. Copied.
/// @param secret Volcengine: the secret key. ZEGO: the ServerSecret, 32 characters. Copied.
/// @param session_token Volcengine: the token of temporary keys, otherwise empty. ZEGO: empty. Copied.
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK
/// - RTCMSG_ERR_INVALID_ARGUMENT: `key_id`, `secret` or `session_token` is missing or not allowed; the error names it. A
///   Volcengine secret or token that begins with AKLT or AKTP is refused if `key_id` does not.
/// - RTCMSG_ERR_NOT_CONFIGURED: the client was not made for this vendor.
/// - RTCMSG_ERR_CLOSED, RTCMSG_ERR_FORKED
/// @par Thread safety
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_set_credentials(
    client: *mut rtcmsg_client,
    vendor: rtcmsg_vendor,
    key_id: rtcmsg_str,
    secret: rtcmsg_str,
    session_token: rtcmsg_str,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_client_set_credentials(client), error, {
        // SAFETY: the header's rules for arguments.
        unsafe {
            let client = known(client)?;
            let text = |text, name: &'static str| input::text(text, || name.to_owned());
            client.set_credentials(
                vendor_of(vendor)?,
                text(key_id, "key_id")?,
                text(secret, "secret")?,
                text(session_token, "session_token")?,
            )
        }
    })
}

/// Refuses new messages, waits up to `timeout_ms` for the others, then aborts the rest. Queued messages that are
/// aborted are not sent. Messages in flight that are aborted end as not sent or unknown, with RTCMSG_ERR_CLOSED, and their
/// connections are closed. Blocking calls on other threads return with what is known about their messages.
///
/// Afterwards every function returns RTCMSG_ERR_CLOSED, except poll, pending, stats, next_log_line, close and free.
/// rtcmsg_client_poll() still returns the completions. A client may be closed several times.
///
/// To end a client: stop submitting, close, poll with a timeout of -1 until it returns 0 completions, free.
///
/// @param client The client.
/// @param timeout_ms How long to wait for messages, in milliseconds. 0: do not wait. -1: no limit. An abort takes up to one second more.
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK: also if messages were aborted; their completions have RTCMSG_ERR_CLOSED.
/// - RTCMSG_ERR_INVALID_ARGUMENT: `timeout_ms` is below -1.
/// - RTCMSG_ERR_FORKED
/// @par Thread safety
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_close(
    client: *mut rtcmsg_client,
    timeout_ms: i32,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_client_close(client), error, {
        // SAFETY: the header's rules for arguments.
        let client = unsafe { known(client)? };
        let timeout = input::wait(timeout_ms)?;
        client.check_not_forked()?;
        client.close(timeout);
        Ok(())
    })
}

/// Closes a client with a timeout of 0, drops the completions that were not polled, and frees it.
///
/// Joins the library's threads; see rtcmsg_client_close() for how long an abort takes. A DNS lookup in progress is not waited for: its detached thread, "rtcmsg-dns", exits on its own, and never calls the log function after this call. In a forked child the function does not touch the parent's client, and its memory is not freed.
///
/// @param client The client, or NULL.
/// @par Thread safety
/// No other thread may be in a call with the client, or begin one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_free(client: *mut rtcmsg_client) {
    boundary!(rtcmsg_client_free, or(), {
        // SAFETY: from `rtcmsg_client_new`, and given up by the caller.
        let Some(handle) = (unsafe { client.as_ref() }) else {
            return;
        };
        if handle.client.is_forked() {
            return;
        }
        // SAFETY: as above; the borrow has ended.
        drop(unsafe { Box::from_raw(client) });
    })
}

fn vendor_of(value: rtcmsg_vendor) -> Result<Vendor, Error> {
    match value {
        RTCMSG_VENDOR_VOLCENGINE => Ok(Vendor::Volcengine),
        RTCMSG_VENDOR_ZEGO => Ok(Vendor::Zego),
        other => {
            let text = format!("unknown vendor {other}; use RTCMSG_VENDOR_VOLCENGINE or RTCMSG_VENDOR_ZEGO");
            Err(Error::invalid("vendor", text))
        }
    }
}

/// The client behind a handle, which also takes the log line of a panic.
///
/// # Safety
/// `client` is NULL or a live handle.
pub(super) unsafe fn known<'a>(client: *const rtcmsg_client) -> Result<&'a Client, Error> {
    // SAFETY: the caller's promise.
    let client = unsafe { &input::required(client, "client")?.client };
    boundary::log_panics_to(client.logger());
    Ok(client)
}

/// The options of a function that waits.
///
/// # Safety
/// `options` is NULL or an `rtcmsg_send_options` of any version.
unsafe fn blocking_options(options: *const rtcmsg_send_options) -> Result<SendOptions, Error> {
    // SAFETY: the caller's promise.
    let Some(options) = (unsafe { read_options(options) })? else {
        return Ok(SendOptions::default());
    };
    SUBMIT_FLAGS.check(options.flags)?;
    let given = [
        ("flags", options.flags != 0),
        ("user_data", options.user_data != 0),
        ("order_key", options.order_key != 0),
    ];
    if let Some((field, _)) = given.into_iter().find(|(_, is_given)| *is_given) {
        return Err(Error::invalid(field, "must be 0: only rtcmsg_client_submit() uses it"));
    }
    send_options(&options)
}

/// # Safety
/// As for [`blocking_options`].
pub(super) unsafe fn read_options(options: *const rtcmsg_send_options) -> Result<Option<rtcmsg_send_options>, Error> {
    if options.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { input::versioned(options, "options") }.map(Some)
}

pub(super) fn send_options(options: &rtcmsg_send_options) -> Result<SendOptions, Error> {
    let urgent = match options.priority {
        RTCMSG_PRIORITY_NORMAL => false,
        RTCMSG_PRIORITY_URGENT => true,
        other => {
            let text = format!("unknown priority {other}; use RTCMSG_PRIORITY_NORMAL or RTCMSG_PRIORITY_URGENT");
            return Err(Error::invalid("priority", text));
        }
    };
    let timeout = match options.timeout_ms {
        0 => SendTimeout::Default,
        timeout_ms => input::wait(timeout_ms)?.map_or(SendTimeout::Never, SendTimeout::After),
    };
    let expires = match options.expires_in_ms {
        0 => None,
        millis @ 1.. => Some(Duration::from_millis(millis as u64)),
        other => {
            let text = format!("is {other}; must be 1 or more, or 0 for a message that does not expire");
            return Err(Error::invalid("expires_in_ms", text));
        }
    };
    Ok(SendOptions {
        timeout,
        expires,
        urgent,
    })
}

/// The report goes to the caller, its failure into the code and the error.
fn hand_over(client: &Client, report: Report, out: &mut *mut rtcmsg_report) -> Result<(), Error> {
    let error = report.error();
    *out = Box::into_raw(Box::new(rtcmsg_report::new(report, client.logger().clone())));
    error.map_or(Ok(()), Err)
}
