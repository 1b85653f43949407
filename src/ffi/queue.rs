//! Submit and poll, on the client's handle.

use std::ffi::c_char;
use std::ptr;

use super::client::{known, read_options, rtcmsg_client, rtcmsg_send_options, send_options};
use super::constants::{
    RTCMSG_SUBMIT_NO_COMPLETION, RTCMSG_SUBMIT_UNORDERED, SUBMIT_FLAGS, rtcmsg_code, rtcmsg_delivery, rtcmsg_log_level,
};
use super::error::rtcmsg_error;
use super::input;
use super::message::{Fields, rtcmsg_message};
use super::report::rtcmsg_report;
use crate::dispatch::{Order, SubmitOptions};
use crate::error::{Code, Error};

/// `intptr_t` in the header: cbindgen would make `ptrdiff_t` of it.
type EventHandle = isize;

/// What became of a submitted message.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtcmsg_completion {
    /// As rtcmsg_client_submit() gave it.
    pub id: u64,
    /// As it was in rtcmsg_send_options.
    pub user_data: u64,
    /// That of the report.
    pub code: rtcmsg_code,
    /// That of the report: one of RTCMSG_DELIVERY_NOT_SENT and so on.
    pub delivery: rtcmsg_delivery,
    /// The caller's, to be freed with rtcmsg_report_free(). Never NULL.
    pub report: *mut rtcmsg_report,
}

/// Takes a message in, and returns at once: it waits for no network, no DNS, no quota and no thread of the library.
/// Everything is copied. `*id` is 1 or more, and 0 if the message was not taken in.
///
/// Each message taken in gives exactly one completion, through rtcmsg_client_poll(), whatever happens; none with
/// RTCMSG_SUBMIT_NO_COMPLETION. Messages to one destination leave one after another (rtcmsg_send_options). What has not been polled counts
/// for queue.capacity, too.
///
/// RTCMSG_ERR_QUEUE_FULL: poll, or send less; the error names the setting. RTCMSG_ERR_NO_RESOURCES: the system gives no thread for
/// the queue; a later submit tries again. RTCMSG_ERR_INVALID_ARGUMENT, RTCMSG_ERR_UNSUPPORTED, RTCMSG_ERR_NOT_CONFIGURED as for
/// rtcmsg_client_check(). RTCMSG_ERR_CLOSED, RTCMSG_ERR_FORKED. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_submit(
    client: *mut rtcmsg_client,
    message: *const rtcmsg_message,
    options: *const rtcmsg_send_options,
    id: *mut u64,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_client_submit(client), error, id = 0, {
        // SAFETY: the header's rules for arguments.
        unsafe {
            let id = input::required_mut(id, "id")?;
            let client = known(client)?;
            let fields = Fields::read(message, client.client().limits())?;
            let options = read_options(options)?.as_ref().map(submit_options).transpose()?;
            *id = client.submit(&fields.message()?, &options.unwrap_or_default())?;
            Ok(())
        }
    })
}

/// Fills up to `capacity` rows with completions, in the order in which they came, and `*count` with how many; waits for the
/// first up to `timeout_ms` (0: not at all, as in a tick; -1: without limit). RTCMSG_OK with 0 rows: there was none in time,
/// or the client is closed and there will be none. `row_size` is sizeof(rtcmsg_completion). Each row owns its report.
///
/// RTCMSG_ERR_INVALID_ARGUMENT, RTCMSG_ERR_FORKED. Any thread, several at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_poll(
    client: *mut rtcmsg_client,
    timeout_ms: i32,
    rows: *mut rtcmsg_completion,
    row_size: usize,
    capacity: usize,
    count: *mut usize,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_client_poll(client), error, count = 0, {
        // SAFETY: the header's rules for arguments.
        let (client, count) = unsafe {
            let count = input::required_mut(count, "count")?;
            (known(client)?, count)
        };
        let known_size = size_of::<rtcmsg_completion>();
        if !(known_size..=4096).contains(&row_size) || row_size % align_of::<rtcmsg_completion>() != 0 {
            let text = format!("is {row_size}; it takes sizeof(rtcmsg_completion), here {known_size}");
            return Err(Error::invalid("row_size", text));
        }
        if capacity == 0 {
            return Err(Error::invalid("capacity", "is 0; there must be room for a row"));
        }
        if rows.is_null() {
            return Err(Error::invalid("rows", "is NULL"));
        }
        let mut wait = input::wait(timeout_ms)?;
        while *count < capacity {
            let Some(completion) = client.poll(wait)? else { break };
            wait = Some(std::time::Duration::ZERO);
            let (code, delivery) = (completion.report.code(), completion.report.delivery());
            let report = rtcmsg_report::new(completion.report, client.client().logger.clone());
            let row = rtcmsg_completion {
                id: completion.id,
                user_data: completion.user_data,
                code: code as rtcmsg_code,
                delivery: delivery as u32,
                report: Box::into_raw(Box::new(report)),
            };
            // SAFETY: the caller has room for `capacity` rows of `row_size` bytes; what a newer header has behind ours is zeroed.
            unsafe {
                let at = rows.cast::<u8>().add(*count * row_size);
                ptr::write_bytes(at, 0, row_size);
                at.cast::<rtcmsg_completion>().write_unaligned(row);
            }
            *count += 1;
        }
        Ok(())
    })
}

/// A file descriptor for epoll, kqueue, libuv or asyncio: readable exactly while a completion waits, so level-triggered.
/// The client owns it until it is freed: never read, write or close it. `*handle` is -1 on failure.
///
/// RTCMSG_ERR_NO_RESOURCES: the system gives none. RTCMSG_ERR_CLOSED, RTCMSG_ERR_FORKED. Any thread; always the same one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_event_handle(
    client: *mut rtcmsg_client,
    handle: *mut EventHandle,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_client_event_handle(client), error, handle = -1, {
        // SAFETY: the header's rules for arguments.
        unsafe {
            let handle = input::required_mut(handle, "handle")?;
            *handle = known(client)?.event_handle()?;
            Ok(())
        }
    })
}

/// Takes a message out of the queue. RTCMSG_OK: it had not begun; its completion says RTCMSG_ERR_CANCELLED and not sent.
/// RTCMSG_ERR_NOT_FOUND: it is on its way, or done, or never was; if it is on its way it runs on. RTCMSG_ERR_CLOSED, RTCMSG_ERR_FORKED.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_cancel(
    client: *mut rtcmsg_client,
    id: u64,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_client_cancel(client), error, {
        // SAFETY: the header's rules for arguments.
        unsafe { known(client) }?.cancel(id)
    })
}

/// How many messages were taken in and not polled yet: what queue.capacity bounds. Any thread. 0 for NULL, and in a forked
/// child.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_pending(client: *mut rtcmsg_client) -> usize {
    boundary!(rtcmsg_client_pending, or 0, {
        // SAFETY: NULL or a live handle.
        unsafe { known(client) }.map_or(0, |client| client.pending())
    })
}

/// Waits until nothing is queued or on its way, connections that are opened ahead included; completions stay for poll.
/// RTCMSG_ERR_TIMEOUT: something still is after `timeout_ms` (0: does not wait, -1: without limit). RTCMSG_ERR_INVALID_ARGUMENT,
/// RTCMSG_ERR_CLOSED, RTCMSG_ERR_FORKED. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_flush(
    client: *mut rtcmsg_client,
    timeout_ms: i32,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_client_flush(client), error, {
        // SAFETY: the header's rules for arguments.
        let client = unsafe { known(client) }?;
        client.flush(input::wait(timeout_ms)?)
    })
}

/// Opens so many connections to each vendor in the background, TLS and all, so that the first messages find them; 0 is one
/// for each worker. No request is made. Returns at once; rtcmsg_client_flush() waits for it. What fails is logged.
///
/// RTCMSG_ERR_INVALID_ARGUMENT: more than http.max_idle_connections. RTCMSG_ERR_NO_RESOURCES as for rtcmsg_client_submit(). RTCMSG_ERR_CLOSED,
/// RTCMSG_ERR_FORKED. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_warm_up(
    client: *mut rtcmsg_client,
    connections: u32,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_client_warm_up(client), error, {
        // SAFETY: the header's rules for arguments.
        unsafe { known(client) }?.warm_up(connections as usize)
    })
}

/// What the client is doing and has done, as a JSON object; docs/METRICS.md names each figure. NUL-terminated; `*needed` is
/// its size with the NUL. RTCMSG_ERR_BUFFER_TOO_SMALL if `capacity` is less: then nothing is written (`json` may be NULL), and
/// the next snapshot may be a few bytes longer. 4 KiB are plenty. RTCMSG_ERR_FORKED. Any thread, also after close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_stats(
    client: *mut rtcmsg_client,
    json: *mut c_char,
    capacity: usize,
    needed: *mut usize,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_client_stats(client), error, needed = 0, {
        // SAFETY: the header's rules for arguments.
        unsafe {
            let needed = input::required_mut(needed, "needed")?;
            let text = known(client)?.stats()?;
            write_text(&text, json, capacity, needed, "json")
        }
    })
}

/// Takes the oldest of the log lines that log.buffer_level and log.buffer_lines keep: for callers whose runtime takes no calls from
/// foreign threads. `*level` is RTCMSG_LOG_ERROR and so on. `*needed` is the line's size with its NUL;
/// RTCMSG_ERR_BUFFER_TOO_SMALL if `capacity` is less, and then the line stays. RTCMSG_ERR_NOT_FOUND: there is none. RTCMSG_ERR_FORKED.
/// Any thread, also after close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_next_log_line(
    client: *mut rtcmsg_client,
    level: *mut rtcmsg_log_level,
    text: *mut c_char,
    capacity: usize,
    needed: *mut usize,
    error: *mut rtcmsg_error,
) -> rtcmsg_code {
    boundary!(rtcmsg_client_next_log_line(client), error, level = 0, needed = 0, {
        // SAFETY: the header's rules for arguments.
        let (level, needed, client) = unsafe {
            let level = input::required_mut(level, "level")?;
            let needed = input::required_mut(needed, "needed")?;
            (level, needed, known(client)?)
        };
        client.client().not_forked()?;
        let mut written = Ok(());
        let found = client.client().logger.take_line(|line_level, line| {
            *level = line_level as i32;
            // SAFETY: as above.
            written = unsafe { write_text(line, text, capacity, needed, "text") };
            written.is_ok()
        });
        match found {
            Some(()) => written,
            None => Err(Error::new(Code::NotFound, "", "no log line is kept")),
        }
    })
}

/// # Safety
/// `to` is NULL or has room for `capacity` bytes.
unsafe fn write_text(
    text: &str,
    to: *mut c_char,
    capacity: usize,
    needed: &mut usize,
    name: &'static str,
) -> Result<(), Error> {
    *needed = text.len() + 1;
    if capacity < *needed {
        return Err(Error::new(
            Code::BufferTooSmall,
            name,
            format!("has room for {capacity} bytes, {needed} are needed"),
        ));
    }
    if to.is_null() {
        return Err(Error::invalid(name, "is NULL"));
    }
    // SAFETY: the caller's promise, and the size was checked. NUL is no part of a C text.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr(), to.cast(), text.len());
        *to.add(text.len()) = 0;
    }
    Ok(())
}

fn submit_options(options: &rtcmsg_send_options) -> Result<SubmitOptions, Error> {
    SUBMIT_FLAGS.check(options.flags)?;
    let order = match (options.flags & RTCMSG_SUBMIT_UNORDERED != 0, options.order_key) {
        (true, 0) => Order::Unordered,
        (true, _) => {
            let text = "must be 0 together with RTCMSG_SUBMIT_UNORDERED";
            return Err(Error::invalid("order_key", text));
        }
        (false, 0) => Order::Destination,
        (false, key) => Order::Key(key),
    };
    Ok(SubmitOptions {
        call: send_options(options)?,
        user_data: options.user_data,
        order,
        without_completion: options.flags & RTCMSG_SUBMIT_NO_COMPLETION != 0,
    })
}
