package rtcmsg

// #include "shim.h"
import "C"

import (
	"time"
	"unsafe"
)

// A Report is the result of a message that was accepted for sending.
type Report struct {
	Code Code
	// Delivery is the least certain delivery of all recipients, in the order Unknown, NotSent, NotDelivered, Accepted,
	// Delivered. Members of a conversation who are not among the Recipients count as Accepted.
	Delivery Delivery
	Summary  string // one line for a log, without secrets and payload
	Requests []Request
	// Recipients are in the caller's order. For a message to a room the list is empty. For an IM message to all members,
	// or to all except some, it contains the members that the vendor reports, in the vendor's order.
	Recipients []Recipient
	Body       []byte // the raw response to [Client.CallAction], unchanged; nil for messages
}

// A Request is one HTTP request of a message, whether it was sent or not.
type Request struct {
	Code          Code
	Delivery      Delivery
	ErrorMessage  string        // why the request failed, in one sentence; empty on success
	HTTPStatus    int           // 0 without a response
	RequestID     string        // the vendor's id of the request, for its support; empty if no response gave one
	VendorError   string        // the vendor's error code as text, such as "FlowLimitExceeded.QPSOverLimit"; can be empty
	VendorCode    int           // the vendor's error code as a number, or 0
	VendorMessage string        // the vendor's message; can be empty
	RetryAfter    time.Duration // the earliest time to retry, from the vendor or the rate limit; 0 if unknown
	Attempts      []Attempt     // empty if the request never started
}

// An Attempt is one try of a request.
type Attempt struct {
	Code         Code
	Delivery     Delivery
	ErrorMessage string // why the attempt failed, in one sentence; empty on success
	HTTPStatus   int    // 0 without a response
}

// A Recipient is the result of the message for one user.
type Recipient struct {
	User          string // the user of Volcengine RTC or ZEGO; empty for Volcengine IM
	UserID        int64  // the user of Volcengine IM; 0 for the others
	Delivery      Delivery
	Code          Code
	VendorCode    int      // the vendor's code for this recipient, or 0
	VendorMessage string   // the vendor's message for this recipient, such as "NOT_ONLINE"; can be empty
	Request       int      // index in Report.Requests of the request to this recipient
	Devices       []Device // Volcengine IM only
}

// A Device is one device of a recipient of Volcengine IM.
type Device struct {
	Platform      string // "Android", "IOS", "Web", or "Default" for a user who is offline
	VendorMessage string // the vendor's message, such as "SUCCESS"
	Delivery      Delivery
}

// Count returns the number of recipients with this delivery. It returns 0 for a nil report.
func (r *Report) Count(delivery Delivery) int {
	if r == nil {
		return 0
	}
	count := 0
	for i := range r.Recipients {
		if r.Recipients[i].Delivery == delivery {
			count++
		}
	}
	return count
}

// notSent returns whether no byte can have reached the vendor, for any recipient.
func (r *Report) notSent() bool {
	return r.Delivery == NotSent && r.Count(NotSent) == len(r.Recipients)
}

// err returns nil if every recipient is accepted or delivered.
func (r *Report) err(cause error) error {
	if r.Code == CodeOK {
		return nil
	}
	return &Error{Code: r.Code, Message: r.Summary, Report: r, cause: cause}
}

// readReport copies a report into Go values and frees it.
func readReport(raw *C.rtcmsg_report) *Report {
	defer C.rtcmsg_report_free(raw)
	var summary C.rtcmsgo_summary
	C.rtcmsgo_summarize(raw, &summary)
	report := &Report{
		Code:     Code(summary.code),
		Delivery: Delivery(summary.delivery),
		Summary:  C.GoString(summary.text),
	}
	if summary.body != nil {
		report.Body = []byte(unsafe.String((*byte)(unsafe.Pointer(summary.body)), int(summary.body_len)))
	}
	report.Requests = requests(raw, summary.request_count)
	report.Recipients = recipients(raw, summary.recipient_count)
	return report
}

func requests(raw *C.rtcmsg_report, count C.size_t) []Request {
	if count == 0 {
		return nil
	}
	rows := make([]*C.rtcmsg_request, count)
	C.rtcmsgo_requests(raw, 0, count, &rows[0])
	requests := make([]Request, count)
	for i, row := range rows {
		requests[i] = Request{
			Code:          Code(row.code),
			Delivery:      Delivery(row.delivery),
			ErrorMessage:  C.GoString(row.error_message),
			HTTPStatus:    int(row.http_status),
			RequestID:     C.GoString(row.request_id),
			VendorError:   C.GoString(row.vendor_error),
			VendorCode:    int(row.vendor_code),
			VendorMessage: C.GoString(row.vendor_message),
			RetryAfter:    time.Duration(row.retry_after_ms) * time.Millisecond,
			Attempts:      attempts(raw, C.size_t(row.first_attempt), C.size_t(row.attempt_count)),
		}
	}
	return requests
}

func attempts(raw *C.rtcmsg_report, first, count C.size_t) []Attempt {
	if count == 0 {
		return nil
	}
	rows := make([]*C.rtcmsg_attempt, count)
	C.rtcmsgo_attempts(raw, first, count, &rows[0])
	attempts := make([]Attempt, count)
	for i, row := range rows {
		attempts[i] = Attempt{
			Code:         Code(row.code),
			Delivery:     Delivery(row.delivery),
			ErrorMessage: C.GoString(row.error_message),
			HTTPStatus:   int(row.http_status),
		}
	}
	return attempts
}

func recipients(raw *C.rtcmsg_report, count C.size_t) []Recipient {
	if count == 0 {
		return nil
	}
	rows := make([]*C.rtcmsg_recipient, count)
	C.rtcmsgo_recipients(raw, 0, count, &rows[0])
	recipients := make([]Recipient, count)
	for i, row := range rows {
		recipients[i] = Recipient{
			User:          C.GoString(row.user),
			UserID:        int64(row.user_id),
			Delivery:      Delivery(row.delivery),
			Code:          Code(row.code),
			VendorCode:    int(row.vendor_code),
			VendorMessage: C.GoString(row.vendor_message),
			Request:       int(row.request),
			Devices:       devices(raw, C.size_t(row.first_device), C.size_t(row.device_count)),
		}
	}
	return recipients
}

func devices(raw *C.rtcmsg_report, first, count C.size_t) []Device {
	if count == 0 {
		return nil
	}
	rows := make([]*C.rtcmsg_device, count)
	C.rtcmsgo_devices(raw, first, count, &rows[0])
	devices := make([]Device, count)
	for i, row := range rows {
		devices[i] = Device{
			Platform:      C.GoString(row.platform),
			VendorMessage: C.GoString(row.vendor_message),
			Delivery:      Delivery(row.delivery),
		}
	}
	return devices
}
