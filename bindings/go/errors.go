package rtcmsg

// #include "shim.h"
import "C"

import "errors"

// A Code is the result of a call or of a message: CodeOK, one of the negative codes of rtcmsg.h, or [CodeAbandoned].
type Code int32

// The codes, with the numbers of rtcmsg.h. Each failure has its own error for errors.Is, such as [ErrThrottled].
const (
	CodeOK              Code = C.RTCMSG_OK                   // every recipient is accepted or delivered
	CodeInvalidArgument Code = C.RTCMSG_ERR_INVALID_ARGUMENT // a field, setting or argument is not allowed; nothing was sent
	CodeUnsupported     Code = C.RTCMSG_ERR_UNSUPPORTED      // this version of the library does not support a field that is set; nothing was sent
	CodeNotConfigured   Code = C.RTCMSG_ERR_NOT_CONFIGURED   // the client lacks a setting that this message needs; nothing was sent
	CodeQueueFull       Code = C.RTCMSG_ERR_QUEUE_FULL       // queue.capacity or queue.max_bytes is reached; the message was not accepted
	CodeRateLimited     Code = C.RTCMSG_ERR_RATE_LIMITED     // the rate limit would not admit the request before its deadline; nothing was sent
	CodeExpired         Code = C.RTCMSG_ERR_EXPIRED          // the message expired before any byte was sent
	CodeCancelled       Code = C.RTCMSG_ERR_CANCELLED        // the message was cancelled while it was queued; nothing was sent
	CodeClosed          Code = C.RTCMSG_ERR_CLOSED           // the client is closed
	CodeForked          Code = C.RTCMSG_ERR_FORKED           // the client was created before a fork; nothing was sent
	CodeNotFound        Code = C.RTCMSG_ERR_NOT_FOUND        // no queued message has this id: it is in flight or complete
	CodeBufferTooSmall  Code = C.RTCMSG_ERR_BUFFER_TOO_SMALL // this package never returns it: it provides large enough buffers
	CodeNoResources     Code = C.RTCMSG_ERR_NO_RESOURCES     // the operating system refused a thread, a file descriptor or memory; nothing was sent
	CodeResolve         Code = C.RTCMSG_ERR_RESOLVE          // the vendor's host name could not be resolved; nothing was sent
	CodeConnect         Code = C.RTCMSG_ERR_CONNECT          // no connection to the vendor could be opened; nothing was sent
	CodeTLS             Code = C.RTCMSG_ERR_TLS              // the TLS handshake failed; nothing was sent
	CodeDisconnected    Code = C.RTCMSG_ERR_DISCONNECTED     // the connection ended before the response was complete
	CodeTimeout         Code = C.RTCMSG_ERR_TIMEOUT          // the deadline passed; the delivery says whether any byte had been sent
	CodeBadResponse     Code = C.RTCMSG_ERR_BAD_RESPONSE     // the response cannot be read as a response of this vendor
	CodeProxy           Code = C.RTCMSG_ERR_PROXY            // the proxy refused the connection to the vendor, or is not an HTTP proxy; nothing was sent
	CodeRejected        Code = C.RTCMSG_ERR_REJECTED         // the vendor rejected the request
	CodeUnauthenticated Code = C.RTCMSG_ERR_UNAUTHENTICATED  // the vendor does not accept the credentials or the signature
	CodeForbidden       Code = C.RTCMSG_ERR_FORBIDDEN        // the account is not allowed to do this
	CodeThrottled       Code = C.RTCMSG_ERR_THROTTLED        // the vendor's rate limit was exceeded
	CodeClock           Code = C.RTCMSG_ERR_CLOCK            // the clock of this machine differs too much from the vendor's
	CodeVendorFault     Code = C.RTCMSG_ERR_VENDOR_FAULT     // the vendor's service failed; the delivery says whether the message may have been sent
	CodeUndelivered     Code = C.RTCMSG_ERR_UNDELIVERED      // no recipient got the message
	CodePartial         Code = C.RTCMSG_ERR_PARTIAL          // recipients differ: some got the message or may have got it, others did not
	CodeInternal        Code = C.RTCMSG_ERR_INTERNAL         // a defect of the library

	// CodeAbandoned exists only in this package: the context of a send ended while its message was in flight. The message
	// continues, and its result is unknown here.
	CodeAbandoned Code = 1
)

// String returns the name of the constant in rtcmsg.h, such as RTCMSG_ERR_THROTTLED.
func (c Code) String() string {
	if c == CodeAbandoned {
		return "RTCMSG_ERR_ABANDONED"
	}
	return C.GoString(C.rtcmsg_code_name(C.rtcmsg_code(c)))
}

// A Delivery is what is known about the delivery to one recipient, or about a whole message: then it is the least certain one.
type Delivery uint32

// The deliveries, with the numbers of rtcmsg.h.
const (
	NotSent      Delivery = C.RTCMSG_DELIVERY_NOT_SENT      // no byte of the request can have reached the vendor; safe to send again
	NotDelivered Delivery = C.RTCMSG_DELIVERY_NOT_DELIVERED // the vendor answered that this recipient did not get the message; safe to send again
	Accepted     Delivery = C.RTCMSG_DELIVERY_ACCEPTED      // the vendor accepted the message and reports nothing more about this recipient
	Delivered    Delivery = C.RTCMSG_DELIVERY_DELIVERED     // the vendor reports that this recipient got the message
	Unknown      Delivery = C.RTCMSG_DELIVERY_UNKNOWN       // bytes were sent, but no response settles the result; send again only if a duplicate is harmless
)

// String returns the name of the constant in rtcmsg.h, such as RTCMSG_DELIVERY_DELIVERED.
func (d Delivery) String() string {
	return C.GoString(C.rtcmsg_delivery_name(C.uint32_t(d)))
}

// One error for each code, for errors.Is. Their texts are those of rtcmsg_code_text().
var (
	ErrInvalidArgument = errors.New("rtcmsg: a field, setting or argument has a value that is not allowed")
	ErrUnsupported     = errors.New("rtcmsg: a field is set that this version of the library does not support")
	ErrNotConfigured   = errors.New("rtcmsg: the client lacks a setting that this message needs")
	ErrQueueFull       = errors.New("rtcmsg: the queue is full")
	ErrRateLimited     = errors.New("rtcmsg: the rate limit would not admit the request before its deadline")
	ErrExpired         = errors.New("rtcmsg: the message expired before any byte was sent")
	ErrCancelled       = errors.New("rtcmsg: the message was cancelled while it was queued")
	ErrClosed          = errors.New("rtcmsg: the client is closed")
	ErrForked          = errors.New("rtcmsg: the client was made before a fork")
	ErrNotFound        = errors.New("rtcmsg: no queued message has this id, or no log line is buffered")
	ErrNoResources     = errors.New("rtcmsg: the operating system refused a thread, a file descriptor or memory")
	ErrResolve         = errors.New("rtcmsg: the host name could not be resolved")
	ErrConnect         = errors.New("rtcmsg: no connection to the vendor could be opened")
	ErrTLS             = errors.New("rtcmsg: the TLS handshake failed")
	ErrDisconnected    = errors.New("rtcmsg: the connection ended before the response was complete")
	ErrTimeout         = errors.New("rtcmsg: the deadline passed")
	ErrBadResponse     = errors.New("rtcmsg: the response cannot be read as a response of this vendor")
	ErrProxy           = errors.New("rtcmsg: the proxy refused the connection")
	ErrRejected        = errors.New("rtcmsg: the vendor rejected the request")
	ErrUnauthenticated = errors.New("rtcmsg: the vendor does not accept the credentials or the signature")
	ErrForbidden       = errors.New("rtcmsg: the account is not allowed to do this")
	ErrThrottled       = errors.New("rtcmsg: the vendor's rate limit was exceeded")
	ErrClock           = errors.New("rtcmsg: this machine's clock differs too much from the vendor's")
	ErrVendorFault     = errors.New("rtcmsg: the vendor's service failed")
	ErrUndelivered     = errors.New("rtcmsg: no recipient got the message")
	ErrPartial         = errors.New("rtcmsg: recipients differ: some got the message or may have got it, others did not")
	ErrInternal        = errors.New("rtcmsg: a defect of this library")
	ErrAbandoned       = errors.New("rtcmsg: the context ended while the message was in flight")
)

// Two more errors for errors.Is: they say whether it is safe to send again, for any reason.
var (
	// ErrNotSent matches every error of a message of which no byte can have reached the vendor, for any recipient. It is
	// safe to send the message again. ErrNotSent does not match an error that does not concern a message, such as the
	// ErrNotFound of a late Cancel.
	ErrNotSent = errors.New("rtcmsg: nothing was sent")
	// ErrOutcomeUnknown matches every error after which some recipient may or may not have got the message. Send it again
	// only if a duplicate is harmless.
	ErrOutcomeUnknown = errors.New("rtcmsg: it is unknown whether the message arrived")
)

var sentinels = map[Code]error{
	CodeInvalidArgument: ErrInvalidArgument,
	CodeUnsupported:     ErrUnsupported,
	CodeNotConfigured:   ErrNotConfigured,
	CodeQueueFull:       ErrQueueFull,
	CodeRateLimited:     ErrRateLimited,
	CodeExpired:         ErrExpired,
	CodeCancelled:       ErrCancelled,
	CodeClosed:          ErrClosed,
	CodeForked:          ErrForked,
	CodeNotFound:        ErrNotFound,
	CodeNoResources:     ErrNoResources,
	CodeResolve:         ErrResolve,
	CodeConnect:         ErrConnect,
	CodeTLS:             ErrTLS,
	CodeDisconnected:    ErrDisconnected,
	CodeTimeout:         ErrTimeout,
	CodeBadResponse:     ErrBadResponse,
	CodeProxy:           ErrProxy,
	CodeRejected:        ErrRejected,
	CodeUnauthenticated: ErrUnauthenticated,
	CodeForbidden:       ErrForbidden,
	CodeThrottled:       ErrThrottled,
	CodeClock:           ErrClock,
	CodeVendorFault:     ErrVendorFault,
	CodeUndelivered:     ErrUndelivered,
	CodePartial:         ErrPartial,
	CodeInternal:        ErrInternal,
	CodeAbandoned:       ErrAbandoned,
}

// An Error says why a call failed. It contains no secret and no payload.
type Error struct {
	Code    Code
	Field   string  // the field, argument or setting that is wrong, such as "to[3]" or "zego.app_id"; otherwise empty
	Message string  // a sentence for a person: what is wrong and what is allowed
	Report  *Report // the result of the message; nil if the message was not accepted, and for CodeAbandoned

	cause   error
	refused bool // a message or an action was not accepted
}

// Error returns the code, the field and the message in one line.
func (e *Error) Error() string {
	text := "rtcmsg: " + e.Code.String()
	if e.Field != "" {
		text += ": " + e.Field
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Is returns true for the error of the code, such as [ErrThrottled], and for [ErrNotSent] and [ErrOutcomeUnknown] where they apply.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNotSent:
		return e.refused || (e.Report != nil && e.Report.notSent())
	case ErrOutcomeUnknown:
		return e.Code == CodeAbandoned || (e.Report != nil && e.Report.Delivery == Unknown)
	}
	sentinel, known := sentinels[e.Code]
	return known && target == sentinel
}

// Unwrap returns the context's error, if the context ended the call.
func (e *Error) Unwrap() error { return e.cause }

// asRefusal marks the error of a message that was not accepted. After a defect of the library this is not certain.
func asRefusal(err error) error {
	if e, ok := err.(*Error); ok && e.Code != CodeInternal {
		e.refused = true
	}
	return err
}

func invalid(field, message string) *Error {
	return &Error{Code: CodeInvalidArgument, Field: field, Message: message}
}

// newCError returns an rtcmsg_error for a call to fill.
func newCError() C.rtcmsg_error {
	return C.rtcmsg_error{struct_size: C.sizeof_rtcmsg_error}
}

// failure returns the error of a call, nil for RTCMSG_OK.
func failure(code C.rtcmsg_code, failed *C.rtcmsg_error) error {
	if code == C.RTCMSG_OK {
		return nil
	}
	copied := *failed // C.GoString moves its argument to the heap; without this copy, every call would allocate its error there
	return &Error{Code: Code(code), Field: C.GoString(&copied.field[0]), Message: C.GoString(&copied.message[0])}
}
