//! `rtcmsg_report`: a [`Report`], laid out as C rows when the first of them is asked for. They live until it is freed.

use std::cell::OnceCell;
use std::ffi::{CStr, CString, c_char};
use std::ptr;

use super::boundary;
use super::constants::{RTCMSG_ERR_INVALID_ARGUMENT, delivery_of, rtcmsg_code, rtcmsg_delivery};
use crate::log::Logger;
use crate::report::{Attempt, Device, Recipient, Report, Request, User};

/// The result of a message. One thread at a time. Its rows and texts are valid until it is freed.
pub struct rtcmsg_report {
    report: Report,
    /// Where a panic behind one of this report's functions is told.
    logger: Logger,
    summary: OnceCell<CString>,
    rows: OnceCell<Rows>,
}

/// Laid out for C.
#[derive(Default)]
struct Rows {
    requests: Vec<rtcmsg_request>,
    attempts: Vec<rtcmsg_attempt>,
    recipients: Vec<rtcmsg_recipient>,
    devices: Vec<rtcmsg_device>,
    /// What the rows point to.
    texts: Texts,
}

/// C texts, one behind the other in memory that is never moved.
#[derive(Default)]
struct Texts {
    together: Vec<u8>,
    /// Those with a NUL in them, or without room.
    odd: Vec<CString>,
}

/// One request: the part of the message that one HTTP request carries, with its attempts, whether it was sent or not. Strings are never NULL. Valid until the report is freed.
#[repr(C)]
pub struct rtcmsg_request {
    /// The vendor's id of the request, for its support; empty if no response gave one.
    pub request_id: *const c_char,
    /// The vendor's error code as text, such as "FlowLimitExceeded.QPSOverLimit"; empty if not given.
    pub vendor_error: *const c_char,
    /// The vendor's message; empty if not given.
    pub vendor_message: *const c_char,
    /// Why the request failed, in one sentence; empty on success.
    pub error_message: *const c_char,
    /// The vendor's error code as a number, 0 if not given.
    pub vendor_code: i32,
    /// Code of the request.
    pub code: rtcmsg_code,
    /// Delivery of the request.
    pub delivery: rtcmsg_delivery,
    /// HTTP status of the last response, 0 if no response was received.
    pub http_status: u32,
    /// Earliest time to retry, in milliseconds from the end of the request: the vendor's Retry-After, or the time at
    /// which the rate limit would admit it. 0 if unknown.
    pub retry_after_ms: u32,
    /// Index of the first attempt.
    pub first_attempt: u32,
    /// Number of attempts; 0 if the request was not attempted.
    pub attempt_count: u32,
    /// Reserved, 0.
    pub reserved: u32,
}

/// One attempt of a request. Valid until the report is freed.
#[repr(C)]
pub struct rtcmsg_attempt {
    /// Why the attempt failed, in one sentence; empty on success, never NULL.
    pub error_message: *const c_char,
    /// Code of the attempt.
    pub code: rtcmsg_code,
    /// Delivery of the attempt.
    pub delivery: rtcmsg_delivery,
    /// HTTP status, 0 if no response was received.
    pub http_status: u32,
    /// Reserved, 0.
    pub reserved: u32,
}

/// One recipient. Use the pointer that rtcmsg_report_recipient() returns, and never step by sizeof: the struct may grow at its end. Valid until the report is freed.
#[repr(C)]
pub struct rtcmsg_recipient {
    /// Volcengine RTC, ZEGO: the user; NULL for Volcengine IM.
    pub user: *const c_char,
    /// Volcengine IM: the user; 0 for the others.
    pub user_id: i64,
    /// Delivery to this recipient.
    pub delivery: rtcmsg_delivery,
    /// Code of this recipient.
    pub code: rtcmsg_code,
    /// The vendor's code for this recipient, 0 if not given.
    pub vendor_code: i32,
    /// Index of the request that contained this recipient.
    pub request: u32,
    /// Volcengine IM: index of the first device.
    pub first_device: u32,
    /// Volcengine IM: number of devices.
    pub device_count: u32,
    /// The vendor's message about this recipient, such as "NOT_ONLINE"; never NULL, empty if not given.
    pub vendor_message: *const c_char,
}

/// One device of a recipient (Volcengine IM). Valid until the report is freed.
#[repr(C)]
pub struct rtcmsg_device {
    /// "Android", "IOS", "Web", or "Default" for a user who is offline.
    pub platform: *const c_char,
    /// The vendor's message about this device, such as "SUCCESS".
    pub vendor_message: *const c_char,
    /// Delivery to this device.
    pub delivery: rtcmsg_delivery,
    /// Reserved, 0.
    pub reserved: u32,
}

const EMPTY: &CStr = c"";

impl rtcmsg_report {
    pub(crate) fn new(report: Report, logger: Logger) -> rtcmsg_report {
        rtcmsg_report {
            report,
            logger,
            summary: OnceCell::new(),
            rows: OnceCell::new(),
        }
    }

    fn summary(&self) -> &CStr {
        self.summary.get_or_init(|| c_string(&self.report.summary()))
    }

    fn rows(&self) -> &Rows {
        self.rows.get_or_init(|| Rows::of(&self.report))
    }
}

impl Rows {
    fn of(report: &Report) -> Rows {
        let mut rows = Rows {
            requests: Vec::with_capacity(report.requests().len()),
            attempts: Vec::with_capacity(report.requests().iter().map(|request| request.attempts.len()).sum()),
            recipients: Vec::with_capacity(report.recipients().len()),
            devices: Vec::with_capacity(report.recipients().iter().map(|row| row.devices.len()).sum()),
            texts: Texts::with_room_for(report),
        };
        report.requests().iter().for_each(|request| rows.add_request(request));
        report
            .recipients()
            .iter()
            .for_each(|recipient| rows.add_recipient(recipient));
        rows
    }

    fn add_request(&mut self, request: &Request) {
        let Rows { attempts, texts, .. } = self;
        let first_attempt = attempts.len() as u32;
        attempts.extend(request.attempts.iter().map(|attempt| attempt_row(attempt, texts)));
        self.requests.push(rtcmsg_request {
            request_id: texts.keep(&request.request_id),
            vendor_error: texts.keep(&request.vendor_error),
            vendor_message: texts.keep(&request.vendor_message),
            error_message: texts.keep(&request.error_message),
            vendor_code: request.vendor_code,
            code: request.code as rtcmsg_code,
            delivery: request.delivery as u32,
            http_status: request.http_status.into(),
            first_attempt,
            attempt_count: request.attempts.len() as u32,
            reserved: 0,
            retry_after_ms: request.retry_after_ms,
        });
    }

    fn add_recipient(&mut self, recipient: &Recipient) {
        let Rows { devices, texts, .. } = self;
        let (user, user_id) = match &recipient.user {
            User::Name(name) => (texts.keep(name), 0),
            User::Id(id) => (ptr::null(), *id),
        };
        let first_device = devices.len() as u32;
        devices.extend(recipient.devices.iter().map(|device| device_row(device, texts)));
        self.recipients.push(rtcmsg_recipient {
            user,
            user_id,
            delivery: recipient.delivery as u32,
            code: recipient.code as rtcmsg_code,
            vendor_code: recipient.vendor_code,
            request: recipient.request as u32,
            first_device,
            device_count: recipient.devices.len() as u32,
            vendor_message: texts.keep(&recipient.vendor_message),
        });
    }
}

fn attempt_row(attempt: &Attempt, texts: &mut Texts) -> rtcmsg_attempt {
    rtcmsg_attempt {
        error_message: texts.keep(&attempt.error_message),
        code: attempt.code as rtcmsg_code,
        delivery: attempt.delivery as u32,
        http_status: attempt.http_status.into(),
        reserved: 0,
    }
}

fn device_row(device: &Device, texts: &mut Texts) -> rtcmsg_device {
    rtcmsg_device {
        platform: texts.keep(&device.platform),
        vendor_message: texts.keep(&device.vendor_message),
        delivery: device.delivery as u32,
        reserved: 0,
    }
}

impl Texts {
    fn with_room_for(report: &Report) -> Texts {
        let size = |text: &str| if text.is_empty() { 0 } else { text.len() + 1 };
        let of_request = |request: &Request| {
            let attempts = request.attempts.iter().map(|attempt| size(&attempt.error_message));
            size(&request.request_id)
                + size(&request.vendor_error)
                + size(&request.vendor_message)
                + size(&request.error_message)
                + attempts.sum::<usize>()
        };
        let of_recipient = |recipient: &Recipient| {
            let user = match &recipient.user {
                User::Name(name) => size(name),
                User::Id(_) => 0,
            };
            let devices = recipient.devices.iter();
            user + size(&recipient.vendor_message)
                + devices
                    .map(|device| size(&device.platform) + size(&device.vendor_message))
                    .sum::<usize>()
        };
        let requests = report.requests().iter().map(of_request).sum::<usize>();
        let recipients = report.recipients().iter().map(of_recipient).sum::<usize>();
        Texts {
            together: Vec::with_capacity(requests + recipients),
            odd: Vec::new(),
        }
    }

    /// A C text that lives as long as these.
    fn keep(&mut self, text: &str) -> *const c_char {
        if text.is_empty() {
            return EMPTY.as_ptr();
        }
        let start = self.together.len();
        let has_room = text.len() < self.together.capacity() - start;
        if !has_room || text.contains('\0') {
            let text = c_string(text);
            let pointer = text.as_ptr();
            self.odd.push(text);
            return pointer;
        }
        self.together.extend_from_slice(text.as_bytes());
        self.together.push(0);
        self.together.as_ptr().wrapping_add(start).cast()
    }
}

/// NUL is no part of a C text; the answers' readers have replaced it already.
fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| CString::new(text.replace('\0', "\u{FFFD}")).unwrap_or_default())
}

/// The report behind a handle.
///
/// # Safety
/// `report` is NULL or a live report.
unsafe fn live<'a>(report: *const rtcmsg_report) -> Option<&'a rtcmsg_report> {
    // SAFETY: the caller's promise.
    let report = unsafe { report.as_ref() }?;
    boundary::log_panics_to(&report.logger);
    Some(report)
}

/// # Safety
/// `report` is NULL or a live report.
unsafe fn row<'a, T: 'a>(report: *const rtcmsg_report, index: usize, of_kind: fn(&'a Rows) -> &'a [T]) -> *const T {
    // SAFETY: the caller's promise.
    let found = unsafe { live(report) }.and_then(|report| of_kind(report.rows()).get(index));
    found.map_or(ptr::null(), ptr::from_ref)
}

/// Returns the code of the whole message, the one that rtcmsg_client_send() returned or the completion has. If all recipients failed for one reason, it is that reason; otherwise RTCMSG_ERR_UNDELIVERED, or RTCMSG_ERR_PARTIAL if some got the message or may have got it.
///
/// @param report The report, or NULL.
/// @return The code; RTCMSG_ERR_INVALID_ARGUMENT for NULL.
/// @par Thread safety
/// One thread at a time for each report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_report_code(report: *const rtcmsg_report) -> rtcmsg_code {
    boundary!(rtcmsg_report_code, or RTCMSG_ERR_INVALID_ARGUMENT, {
        // SAFETY: NULL or a live report, here and below.
        unsafe { live(report) }.map_or(RTCMSG_ERR_INVALID_ARGUMENT, |report| report.report.code() as rtcmsg_code)
    })
}

/// Returns the overall delivery: the worst one of all recipients, in the order unknown, not sent, not delivered, accepted, delivered. Members of a conversation that the response does not mention count as accepted.
///
/// Do not send a message with several recipients again by this value: one recipient that is not sent makes it not sent,
/// even if all others got the message. Use the deliveries of the recipients. For a message to a whole room there are no
/// recipients, and this value is the result.
///
/// @param report The report, or NULL.
/// @return One of rtcmsg_delivery_values; 0 for NULL.
/// @par Thread safety
/// One thread at a time for each report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_report_delivery(report: *const rtcmsg_report) -> rtcmsg_delivery {
    boundary!(rtcmsg_report_delivery, or 0, {
        unsafe { live(report) }.map_or(0, |report| report.report.delivery() as u32)
    })
}

/// Returns one line for a log. It holds no secret and no payload, also where the vendor's response repeats them
/// (docs/DELIVERY.md, "Vendors' texts").
///
/// @param report The report, or NULL.
/// @return The text, never NULL; empty for NULL. Valid until the report is freed.
/// @par Thread safety
/// One thread at a time for each report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_report_summary(report: *const rtcmsg_report) -> *const c_char {
    boundary!(rtcmsg_report_summary, or EMPTY.as_ptr(), {
        unsafe { live(report) }.map_or(EMPTY.as_ptr(), |report| report.summary().as_ptr())
    })
}

/// Returns the number of recipients in the report.
///
/// @param report The report, or NULL.
/// @return The number; 0 for NULL.
/// @par Thread safety
/// One thread at a time for each report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_report_recipient_count(report: *const rtcmsg_report) -> usize {
    boundary!(rtcmsg_report_recipient_count, or 0, {
        unsafe { live(report) }.map_or(0, |report| report.report.recipients().len())
    })
}

/// Returns the number of recipients with a given delivery.
///
/// @param report The report, or NULL.
/// @param delivery One of rtcmsg_delivery_values.
/// @return The number; 0 for NULL or an unknown delivery.
/// @par Thread safety
/// One thread at a time for each report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_report_count_by_delivery(
    report: *const rtcmsg_report,
    delivery: rtcmsg_delivery,
) -> usize {
    boundary!(rtcmsg_report_count_by_delivery, or 0, {
        let Some(report) = (unsafe { live(report) }) else { return 0 };
        delivery_of(delivery).map_or(0, |delivery| report.report.count(delivery))
    })
}

/// Returns the number of requests that the message was split into. Retries are attempts of a request.
///
/// @param report The report, or NULL.
/// @return The number; 0 for NULL.
/// @par Thread safety
/// One thread at a time for each report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_report_request_count(report: *const rtcmsg_report) -> usize {
    boundary!(rtcmsg_report_request_count, or 0, {
        unsafe { live(report) }.map_or(0, |report| report.report.requests().len())
    })
}

/// Returns a request.
///
/// @param report The report, or NULL.
/// @param index 0 to rtcmsg_report_request_count() - 1.
/// @return The request, or NULL if `index` is out of range. Valid until the report is freed.
/// @par Thread safety
/// One thread at a time for each report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_report_request(report: *const rtcmsg_report, index: usize) -> *const rtcmsg_request {
    boundary!(rtcmsg_report_request, or ptr::null(), { unsafe { row(report, index, |rows| &rows.requests) } })
}

/// Returns an attempt of a request. rtcmsg_request.first_attempt and rtcmsg_request.attempt_count give the range of a request.
///
/// @param report The report, or NULL.
/// @param index Index of the attempt, counted over all requests.
/// @return The attempt, or NULL if `index` is out of range. Valid until the report is freed.
/// @par Thread safety
/// One thread at a time for each report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_report_attempt(report: *const rtcmsg_report, index: usize) -> *const rtcmsg_attempt {
    boundary!(rtcmsg_report_attempt, or ptr::null(), { unsafe { row(report, index, |rows| &rows.attempts) } })
}

/// Returns a recipient. The order is that of the message's list. A message to a whole room has no recipients here: use rtcmsg_report_delivery(). For an IM
/// message to all members, or to all but some, the recipients are those that the response mentions, in its order.
///
/// @param report The report, or NULL.
/// @param index 0 to rtcmsg_report_recipient_count() - 1.
/// @return The recipient, or NULL if `index` is out of range. Valid until the report is freed.
/// @par Thread safety
/// One thread at a time for each report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_report_recipient(
    report: *const rtcmsg_report,
    index: usize,
) -> *const rtcmsg_recipient {
    boundary!(rtcmsg_report_recipient, or ptr::null(), { unsafe { row(report, index, |rows| &rows.recipients) } })
}

/// Returns a device. rtcmsg_recipient.first_device and rtcmsg_recipient.device_count give the range of a recipient.
///
/// @param report The report, or NULL.
/// @param index Index of the device, counted over all recipients.
/// @return The device, or NULL if `index` is out of range. Valid until the report is freed.
/// @par Thread safety
/// One thread at a time for each report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_report_device(report: *const rtcmsg_report, index: usize) -> *const rtcmsg_device {
    boundary!(rtcmsg_report_device, or ptr::null(), { unsafe { row(report, index, |rows| &rows.devices) } })
}

/// Returns the raw response to rtcmsg_client_call_action(). Unlike every other text of a report it is not cleaned: it may
/// repeat secrets and the request.
///
/// @param report The report, or NULL.
/// @param len Receives the length in bytes. May be NULL.
/// @return The bytes, not NUL-terminated; NULL if there are none. Valid until the report is freed.
/// @par Thread safety
/// One thread at a time for each report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_report_body(report: *const rtcmsg_report, len: *mut usize) -> *const c_char {
    boundary!(rtcmsg_report_body, or ptr::null(), {
        let body = unsafe { live(report) }.map_or(&[][..], |report| report.report.body());
        if let Some(len) = unsafe { len.as_mut() } {
            *len = body.len();
        }
        if body.is_empty() { ptr::null() } else { body.as_ptr().cast() }
    })
}

/// Frees a report with its rows and texts.
///
/// @param report The report, or NULL.
/// @par Thread safety
/// No other thread may use the report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtcmsg_report_free(report: *mut rtcmsg_report) {
    boundary!(rtcmsg_report_free, or(), {
        if !report.is_null() {
            // SAFETY: from this library, and given up by the caller.
            drop(unsafe { Box::from_raw(report) });
        }
    })
}
