//! Submit and poll, on the client's handle.

use std::ffi::c_char;
use std::ptr;

use super::client::{known, read_options, rtcmsg_client, rtcmsg_send_options, send_options};
use super::constants::{
    RTCMSG_SUBMIT_NO_COMPLETION, RTCMSG_SUBMIT_UNORDERED, SUBMIT_FLAGS, rtcmsg_code, rtcmsg_delivery, rtcmsg_log_level,
};
use super::error::rtcmsg_error;
use super::input;
use super::message::{InputMessage, rtcmsg_message};
use super::report::rtcmsg_report;
use crate::dispatch::{Order, SubmitOptions};
use crate::error::{Code, Error};

/// `intptr_t` in the header: cbindgen would make `ptrdiff_t` of it.
type EventHandle = isize;

/// The result of a submitted message.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtcmsg_completion {
    /// The id from rtcmsg_client_submit().
    pub id: u64,
    /// The value from rtcmsg_send_options.
    pub user_data: u64,
    /// The code of the report.
    pub code: rtcmsg_code,
    /// The overall delivery of the report: see rtcmsg_report_delivery() before you send again.
    pub delivery: rtcmsg_delivery,
    /// The report, never NULL. The caller frees it with rtcmsg_report_free().
    pub report: *mut rtcmsg_report,
}

/// Enqueues a copy of the message and returns immediately. It never blocks on network, DNS, quota or library threads.
///
/// Each enqueued message yields exactly one completion through rtcmsg_client_poll(), unless RTCMSG_SUBMIT_NO_COMPLETION is set. Messages to the same destination are sent in order, see rtcmsg_send_options. A completion counts against
/// queue.capacity until it is polled.
///
/// @param client The client.
/// @param message The message. Everything is copied.
/// @param options Options of this message, or NULL for the defaults.
/// @param id Receives the id of the message, 1 or more; 0 on failure. Must not be NULL.
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK
/// - RTCMSG_ERR_QUEUE_FULL: poll, or send less; the error names the setting.
/// - RTCMSG_ERR_NO_RESOURCES: the operating system refused a thread for the queue. A later call tries again.
/// - RTCMSG_ERR_INVALID_ARGUMENT, RTCMSG_ERR_UNSUPPORTED, RTCMSG_ERR_NOT_CONFIGURED: as for rtcmsg_client_check().
/// - RTCMSG_ERR_CLOSED, RTCMSG_ERR_FORKED
/// @par Thread safety
/// Any thread.
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
            let fields = InputMessage::read(message, client.limits())?;
            let options = read_options(options)?.as_ref().map(submit_options).transpose()?;
            *id = client.submit(&fields.message()?, &options.unwrap_or_default())?;
            Ok(())
        }
    })
}

/// Takes completions from the client, in the order in which the messages completed.
///
/// @param client The client.
/// @param timeout_ms How long to wait for the first completion, in milliseconds. 0: do not wait, as in a game tick. -1: no
///   limit.
/// @param rows Array that receives up to `capacity` completions. Each owns its report, which the caller frees.
/// @param row_size sizeof(rtcmsg_completion) of the caller's header.
/// @param capacity Number of rows that `rows` can hold, 1 or more.
/// @param count Receives the number of completions. Must not be NULL.
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK: also with 0 completions, if none came in time, or if the client is closed and none will come.
/// - RTCMSG_ERR_INVALID_ARGUMENT, RTCMSG_ERR_FORKED
/// @par Thread safety
/// Any thread, several at once.
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
            let text = format!("is {row_size}; it must be sizeof(rtcmsg_completion), here {known_size}");
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
            let report = rtcmsg_report::new(completion.report, client.logger().clone());
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

/// Returns a file descriptor for epoll, kqueue, libuv or asyncio. It is readable exactly while a completion waits
/// (level-triggered).
///
/// @param client The client.
/// @param handle Receives the file descriptor, the same one for each call; -1 on failure. The client owns it until it is freed, also after rtcmsg_client_close(): never read, write or close it. The type is intptr_t for systems whose handles are not file descriptors.
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK
/// - RTCMSG_ERR_NO_RESOURCES: the operating system refused a file descriptor.
/// - RTCMSG_ERR_INVALID_ARGUMENT, RTCMSG_ERR_CLOSED, RTCMSG_ERR_FORKED
/// @par Thread safety
/// Any thread.
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

/// Removes a message from the queue.
///
/// @param client The client.
/// @param id The id from rtcmsg_client_submit().
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK: the message was still queued. Its completion has RTCMSG_ERR_CANCELLED and RTCMSG_DELIVERY_NOT_SENT.
/// - RTCMSG_ERR_NOT_FOUND: no queued message has this id. A message in flight continues.
/// - RTCMSG_ERR_INVALID_ARGUMENT, RTCMSG_ERR_CLOSED, RTCMSG_ERR_FORKED
/// @par Thread safety
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

/// Returns the number of submitted messages whose completion was not polled yet. This number is limited by queue.capacity.
///
/// @param client The client.
/// @return The number; 0 for NULL and in a forked child.
/// @par Thread safety
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_client_pending(client: *mut rtcmsg_client) -> usize {
    boundary!(rtcmsg_client_pending, or 0, {
        // SAFETY: NULL or a live handle.
        unsafe { known(client) }.map_or(0, |client| client.pending())
    })
}

/// Waits until no message is queued or in flight and rtcmsg_client_warm_up() has ended. The completions stay for rtcmsg_client_poll(). It is not needed before rtcmsg_client_close(), which also waits.
///
/// @param client The client.
/// @param timeout_ms How long to wait, in milliseconds. 0: do not wait. -1: no limit.
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK
/// - RTCMSG_ERR_TIMEOUT: a message is still queued or in flight, or a connection is still being opened, after `timeout_ms`.
/// - RTCMSG_ERR_INVALID_ARGUMENT, RTCMSG_ERR_CLOSED, RTCMSG_ERR_FORKED
/// @par Thread safety
/// Any thread.
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

/// Opens connections to each vendor in the background, TLS handshake included, so that the first messages find an open
/// connection. Sends no request. Returns immediately; rtcmsg_client_flush() waits for the connections. A failure is logged.
///
/// @param client The client.
/// @param connections Number of connections for each vendor; 0: one per worker.
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK
/// - RTCMSG_ERR_INVALID_ARGUMENT: `connections` is more than http.max_idle_connections.
/// - RTCMSG_ERR_NO_RESOURCES: as for rtcmsg_client_submit().
/// - RTCMSG_ERR_CLOSED, RTCMSG_ERR_FORKED
/// @par Thread safety
/// Any thread.
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

/// Writes the client's statistics as a JSON object. docs/METRICS.md names each figure.
///
/// @param client The client.
/// @param json Receives the text, NUL-terminated. May be NULL if `capacity` is 0. 4 KiB are enough.
/// @param capacity Size of `json` in bytes.
/// @param needed Receives the required size in bytes, NUL included. Must not be NULL.
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK
/// - RTCMSG_ERR_BUFFER_TOO_SMALL: nothing was written; the required size is in `*needed`. The next snapshot may be a few bytes
///   longer.
/// - RTCMSG_ERR_INVALID_ARGUMENT, RTCMSG_ERR_FORKED
/// @par Thread safety
/// Any thread, also after rtcmsg_client_close().
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

/// Takes the oldest buffered log line. The settings log.buffer_level and log.buffer_lines turn the buffer on; it is meant for
/// runtimes that cannot be called from foreign threads.
///
/// @param client The client.
/// @param level Receives one of rtcmsg_log_level_values. Must not be NULL.
/// @param text Receives the line, NUL-terminated UTF-8. May be NULL if `capacity` is 0.
/// @param capacity Size of `text` in bytes.
/// @param needed Receives the required size in bytes, NUL included. Must not be NULL.
/// @param error Receives the code, the field and the message; set on every path. May be NULL.
/// @return
/// - RTCMSG_OK
/// - RTCMSG_ERR_NOT_FOUND: no line is buffered.
/// - RTCMSG_ERR_BUFFER_TOO_SMALL: the line stays in the buffer; the required size is in `*needed`.
/// - RTCMSG_ERR_INVALID_ARGUMENT, RTCMSG_ERR_FORKED
/// @par Thread safety
/// Any thread, also after rtcmsg_client_close().
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
        client.check_not_forked()?;
        let mut written = Ok(());
        let found = client.logger().take_line(|line_level, line| {
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
            format!("its capacity is {capacity} bytes; {needed} are needed"),
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
        send: send_options(options)?,
        user_data: options.user_data,
        order,
        without_completion: options.flags & RTCMSG_SUBMIT_NO_COMPLETION != 0,
    })
}
