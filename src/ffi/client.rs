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
use super::message::{Fields, rtcmsg_message};
use super::report::rtcmsg_report;
use super::{input, rtcmsg_str};
use crate::client::{CallOptions, CallTimeout, Client};
use crate::dispatch::Dispatcher;
use crate::error::Error;
use crate::log::Logger;
use crate::message::Vendor;
use crate::report::Report;

/// Sends messages. Any number of threads may use one at the same time.
pub struct rtcmsg_client {
    dispatcher: Dispatcher,
}

impl HasLog for rtcmsg_client {
    fn logger(&self) -> Option<&Logger> {
        let client = self.dispatcher.client();
        (!client.is_forked()).then_some(&client.logger)
    }
}

/// How one call differs from the client's settings; NULL is all defaults, and so is 0 in every field.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtcmsg_send_options {
    /// sizeof(rtcmsg_send_options), set by RTCMSG_INIT.
    pub struct_size: usize,
    /// Deadline in milliseconds, for DNS, connect, TLS, answers, retries and all parts of a long list together, and for
    /// waiting for quota. For submit it begins with the first attempt, after the first turn in the quota. 0:
    /// http.timeout_ms. -1: no limit, a vendor that never answers then holds the thread forever.
    pub timeout_ms: i32,
    /// In milliseconds from the call to the first byte of a request, waiting for quota included: what has not left by then
    /// is not sent, RTCMSG_ERR_EXPIRED. 0: it does not expire.
    pub expires_in_ms: i32,
    /// RTCMSG_PRIORITY_NORMAL or RTCMSG_PRIORITY_URGENT: who goes first of those that wait for the same quota or for a
    /// worker. Normal ones are never starved: at least each ninth turn is theirs.
    pub priority: rtcmsg_priority,
    /// Submit alone: RTCMSG_SUBMIT_UNORDERED, RTCMSG_SUBMIT_NO_COMPLETION, or both.
    pub flags: rtcmsg_submit_flags,
    /// Submit alone: comes back in the completion.
    pub user_data: u64,
    /// Submit alone: messages of one key leave one after another, each when the one before has its report. 0: the
    /// destination, which is room and user, room, user, or conversation.
    pub order_key: u64,
}

/// Makes a client: copies the configuration and checks all of it, the CA file too. No network I/O.
/// `*client` is NULL on failure; rtcmsg_client_free() frees it.
///
/// Logs a warning if an endpoint is known to be overseas (BytePlus, or a Volcengine host such as
/// open-ap-singapore-1.volcengineapi.com) and its region is the default, cn-north-1: the vendor refuses such signatures.
///
/// RTCMSG_ERR_NOT_CONFIGURED: no vendor's credentials are set, or they are incomplete. RTCMSG_ERR_INVALID_ARGUMENT: a setting
/// that cannot be; the error names it. Also if the secret key begins with AKLT or AKTP, as access keys do, and the access
/// key does not: the two look exchanged.
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
        let dispatcher = Dispatcher::new(&config.config)?;
        *client = Box::into_raw(Box::new(rtcmsg_client { dispatcher }));
        Ok(())
    })
}

/// Whether rtcmsg_client_send() would take this message in. No I/O.
///
/// RTCMSG_ERR_INVALID_ARGUMENT, RTCMSG_ERR_UNSUPPORTED, RTCMSG_ERR_NOT_CONFIGURED, RTCMSG_ERR_CLOSED, RTCMSG_ERR_FORKED: the error names the
/// field and the limit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_check(
    client: *mut rtcmsg_client,
    message: *const rtcmsg_message,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_client_check(client), error, {
        // SAFETY: the header's rules for arguments.
        let (client, fields) = unsafe {
            let client = known(client)?.client();
            (client, Fields::read(message, client.limits())?)
        };
        client.check(&fields.message()?)
    })
}

/// Sends a message and waits for what became of it, on the caller's thread (an ordinary stack of 256 KiB or more).
///
/// `*report` is set if and only if the message was taken in, whatever the code; rtcmsg_report_free() frees it. It is NULL
/// for RTCMSG_ERR_INVALID_ARGUMENT, RTCMSG_ERR_UNSUPPORTED, RTCMSG_ERR_NOT_CONFIGURED, RTCMSG_ERR_FORKED, and for RTCMSG_ERR_CLOSED on a
/// client that was closed before: then nothing was sent. `report` itself must not be NULL. RTCMSG_OK: every recipient is
/// accepted or delivered.
///
/// Nothing is sent twice by accident: only what cannot have arrived is repeated (retry.max_attempts), unless
/// retry.on_unknown asks for more. A list longer than
/// the vendor takes goes out in several requests, and comes back as one report. It waits for the vendor's quota
/// (quota.mode). docs/DELIVERY.md says what can happen when.
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
            let client = known(client)?.client();
            let fields = Fields::read(message, client.limits())?;
            (report, client, fields, blocking_options(options)?)
        };
        hand_over(client, client.send(&fields.message()?, &options)?, report)
    })
}

/// Sends any other action of the two APIs, signed, and waits for the answer: `vendor` is RTCMSG_VENDOR_VOLCENGINE or RTCMSG_VENDOR_ZEGO,
/// `action` the vendor's name of it. `json` is an object. For Volcengine it is the request's body and goes out byte for
/// byte, and `version` is the action's date, such as "2020-12-01". For ZEGO its members become query parameters, a list
/// as `Name[]` repeated, and `version` is NULL. P2PSendUserMessage, SendBroadcastMessage and SendBarrageMessage are paced by
/// their quotas; other actions are not paced.
///
/// The report says whether the vendor accepted it, and rtcmsg_report_body() has the raw answer. It is set as by
/// rtcmsg_client_send(). RTCMSG_ERR_INVALID_ARGUMENT also for the actions that have a message of their own, in upper
/// or lower case.
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
            let (report, client) = (input::required_mut(report, "report")?, known(client)?.client());
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

/// Replaces a vendor's credentials on a client that runs: all three change together, and an attempt under way keeps those
/// it began with. For ZEGO `secret` is the ServerSecret; `key_id` and `session_token` are not given. `session_token` is for
/// temporary keys alone. All are copied. Any thread.
///
/// RTCMSG_ERR_INVALID_ARGUMENT: one that is missing or cannot be, named `key_id`, `secret` or `session_token`. A ServerSecret
/// has 32 characters. A Volcengine secret or token that begins with AKLT or AKTP while `key_id` does not is refused.
/// RTCMSG_ERR_NOT_CONFIGURED: the client was not made for this vendor. RTCMSG_ERR_CLOSED, RTCMSG_ERR_FORKED.
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
            let client = known(client)?.client();
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

/// Ends intake, waits up to `timeout_ms` (0: not at all, -1: without limit) for what was taken in, and then ends the rest:
/// messages still queued are not sent; those on their way end as not sent or unknown, with RTCMSG_ERR_CLOSED, and their
/// connections are cut. rtcmsg_client_poll() still gives the completions. Calls under way on other threads return with what
/// is known of theirs.
///
/// Afterwards every call but poll, pending, stats, log, close and free gives RTCMSG_ERR_CLOSED. Any thread, as often as one
/// likes. At the end: stop submitting, flush, close, poll until nothing comes, free.
///
/// RTCMSG_ERR_INVALID_ARGUMENT: `timeout_ms` below -1. RTCMSG_ERR_FORKED.
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
        client.client().not_forked()?;
        client.close(timeout);
        Ok(())
    })
}

/// Closes a client without waiting for what it holds, drops what was not polled, and frees it; no other thread may still be
/// in a call with it, or begin one. It waits for the library's threads to end, which nothing holds up any more, and never
/// for the system's DNS: such a lookup has a thread of its own, "rtcmsg-dns", which ends by itself. NULL is allowed. In a
/// forked child it touches nothing of the parent's client, and leaks its memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_free(client: *mut rtcmsg_client) {
    boundary!(rtcmsg_client_free, or(), {
        // SAFETY: from `rtcmsg_client_new`, and given up by the caller.
        let Some(handle) = (unsafe { client.as_ref() }) else {
            return;
        };
        if handle.dispatcher.client().is_forked() {
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
pub(super) unsafe fn known<'a>(client: *const rtcmsg_client) -> Result<&'a Dispatcher, Error> {
    // SAFETY: the caller's promise.
    let dispatcher = unsafe { &input::required(client, "client")?.dispatcher };
    boundary::log_panics_to(&dispatcher.client().logger);
    Ok(dispatcher)
}

/// The options of a function that waits.
///
/// # Safety
/// `options` is NULL or an `rtcmsg_send_options` of any version.
unsafe fn blocking_options(options: *const rtcmsg_send_options) -> Result<CallOptions, Error> {
    // SAFETY: the caller's promise.
    let Some(options) = (unsafe { read_options(options) })? else {
        return Ok(CallOptions::default());
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

pub(super) fn send_options(options: &rtcmsg_send_options) -> Result<CallOptions, Error> {
    let urgent = match options.priority {
        RTCMSG_PRIORITY_NORMAL => false,
        RTCMSG_PRIORITY_URGENT => true,
        other => {
            let text = format!("unknown priority {other}; use RTCMSG_PRIORITY_NORMAL or RTCMSG_PRIORITY_URGENT");
            return Err(Error::invalid("priority", text));
        }
    };
    let timeout = match options.timeout_ms {
        0 => CallTimeout::Default,
        timeout_ms => input::wait(timeout_ms)?.map_or(CallTimeout::Never, CallTimeout::After),
    };
    let expires = match options.expires_in_ms {
        0 => None,
        millis @ 1.. => Some(Duration::from_millis(millis as u64)),
        other => {
            let text = format!("is {other}; must be 1 or more, or 0 for a message that does not expire");
            return Err(Error::invalid("expires_in_ms", text));
        }
    };
    Ok(CallOptions {
        timeout,
        expires,
        urgent,
    })
}

/// The report goes to the caller, its failure into the code and the error.
fn hand_over(client: &Client, report: Report, out: &mut *mut rtcmsg_report) -> Result<(), Error> {
    let error = report.error();
    *out = Box::into_raw(Box::new(rtcmsg_report::new(report, client.logger.clone())));
    error.map_or(Ok(()), Err)
}
