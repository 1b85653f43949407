package rtcmsg

// #include "shim.h"
import "C"

import "errors"

// A Code says what a call or a message came to: CodeOK or one of the negative codes of rtcmsg.h.
type Code int32

// The codes, with the numbers of rtcmsg.h. Each failure has an error of its own for errors.Is.
const (
	CodeOK              Code = C.RTCMSG_OK                   // every recipient is accepted or delivered
	CodeInvalidArgument Code = C.RTCMSG_ERR_INVALID_ARGUMENT // a field, setting or argument is not allowed; nothing was sent
	CodeUnsupported     Code = C.RTCMSG_ERR_UNSUPPORTED      // the library does not know what was asked for; nothing was sent
	CodeNotConfigured   Code = C.RTCMSG_ERR_NOT_CONFIGURED   // the client lacks a setting that this message needs; nothing was sent
	CodeQueueFull       Code = C.RTCMSG_ERR_QUEUE_FULL       // queue.capacity or queue.max_bytes is reached; nothing was taken in
	CodeRateLimited     Code = C.RTCMSG_ERR_RATE_LIMITED     // the quota has no room within the deadline; nothing was sent
	CodeExpired         Code = C.RTCMSG_ERR_EXPIRED          // it expired before the first byte; nothing was sent
	CodeCancelled       Code = C.RTCMSG_ERR_CANCELLED        // cancelled while still queued; nothing was sent
	CodeClosed          Code = C.RTCMSG_ERR_CLOSED           // the client is closed
	CodeForked          Code = C.RTCMSG_ERR_FORKED           // the client was made before a fork
	CodeNotFound        Code = C.RTCMSG_ERR_NOT_FOUND        // in flight or done
	CodeBufferTooSmall  Code = C.RTCMSG_ERR_BUFFER_TOO_SMALL // never seen: this package makes room
	CodeNoResources     Code = C.RTCMSG_ERR_NO_RESOURCES     // the system refused a thread or a descriptor; nothing was sent
	CodeResolve         Code = C.RTCMSG_ERR_RESOLVE          // the vendor's host name has no address; nothing was sent
	CodeConnect         Code = C.RTCMSG_ERR_CONNECT          // no connection to the vendor; nothing was sent
	CodeTLS             Code = C.RTCMSG_ERR_TLS              // the TLS handshake failed; nothing was sent
	CodeDisconnected    Code = C.RTCMSG_ERR_DISCONNECTED     // the connection ended before the answer did
	CodeTimeout         Code = C.RTCMSG_ERR_TIMEOUT          // the deadline passed; the delivery says whether anything had left
	CodeBadResponse     Code = C.RTCMSG_ERR_BAD_RESPONSE     // what came back is no answer of this vendor
	CodeProxy           Code = C.RTCMSG_ERR_PROXY            // the proxy refuses the way to the vendor, or is none; nothing was sent
	CodeRejected        Code = C.RTCMSG_ERR_REJECTED         // the vendor refused the request
	CodeUnauthenticated Code = C.RTCMSG_ERR_UNAUTHENTICATED  // the vendor does not accept the credentials or the signature
	CodeForbidden       Code = C.RTCMSG_ERR_FORBIDDEN        // the account may not do this
	CodeThrottled       Code = C.RTCMSG_ERR_THROTTLED        // the vendor's quota is used up
	CodeClock           Code = C.RTCMSG_ERR_CLOCK            // this machine's clock is too far from the vendor's
	CodeVendorFault     Code = C.RTCMSG_ERR_VENDOR_FAULT     // the vendor failed; the delivery says what may have gone out
	CodeUndelivered     Code = C.RTCMSG_ERR_UNDELIVERED      // nobody got the message
	CodePartial         Code = C.RTCMSG_ERR_PARTIAL          // recipients differ: look at each
	CodeInternal        Code = C.RTCMSG_ERR_INTERNAL         // a defect of the library

	// CodeAbandoned is of this package alone: the context of a send ended while its message was in flight. The message
	// runs on, and its outcome is not known here.
	CodeAbandoned Code = 1
)

// String is the name of the constant in rtcmsg.h, such as RTCMSG_ERR_THROTTLED.
func (c Code) String() string {
	if c == CodeAbandoned {
		return "RTCMSG_ERR_ABANDONED"
	}
	return C.GoString(C.rtcmsg_code_name(C.rtcmsg_code(c)))
}

// A Delivery says what became of a message for one recipient or, as that of the least certain, for all.
type Delivery uint32

// The deliveries, with the numbers of rtcmsg.h.
const (
	NotSent      Delivery = C.RTCMSG_DELIVERY_NOT_SENT      // no byte of the request can have reached the vendor; safe to send again
	NotDelivered Delivery = C.RTCMSG_DELIVERY_NOT_DELIVERED // the vendor answered that this recipient did not get it; safe to send again
	Accepted     Delivery = C.RTCMSG_DELIVERY_ACCEPTED      // the vendor took it and says nothing more of this recipient
	Delivered    Delivery = C.RTCMSG_DELIVERY_DELIVERED     // the vendor says that this recipient got it
	Unknown      Delivery = C.RTCMSG_DELIVERY_UNKNOWN       // bytes left and no answer settles it; send again only if twice is harmless
)

// String is the name of the constant in rtcmsg.h, such as RTCMSG_DELIVERY_DELIVERED.
func (d Delivery) String() string {
	return C.GoString(C.rtcmsg_delivery_name(C.uint32_t(d)))
}

// One error for each code, for errors.Is.
var (
	ErrInvalidArgument = errors.New("rtcmsg: a field, setting or argument is not allowed")
	ErrUnsupported     = errors.New("rtcmsg: the library does not know what was asked for")
	ErrNotConfigured   = errors.New("rtcmsg: the client lacks a setting that this message needs")
	ErrQueueFull       = errors.New("rtcmsg: the queue is full")
	ErrRateLimited     = errors.New("rtcmsg: the quota has no room within the deadline")
	ErrExpired         = errors.New("rtcmsg: the message expired before it was sent")
	ErrCancelled       = errors.New("rtcmsg: the message was cancelled before it was sent")
	ErrClosed          = errors.New("rtcmsg: the client is closed")
	ErrForked          = errors.New("rtcmsg: the client was made before a fork")
	ErrNotFound        = errors.New("rtcmsg: the message is in flight or done")
	ErrNoResources     = errors.New("rtcmsg: the system refused a thread or a descriptor")
	ErrResolve         = errors.New("rtcmsg: the vendor's host name has no address")
	ErrConnect         = errors.New("rtcmsg: no connection to the vendor")
	ErrTLS             = errors.New("rtcmsg: the TLS handshake failed")
	ErrDisconnected    = errors.New("rtcmsg: the connection ended before the answer did")
	ErrTimeout         = errors.New("rtcmsg: the deadline passed")
	ErrBadResponse     = errors.New("rtcmsg: no answer of this vendor")
	ErrProxy           = errors.New("rtcmsg: the proxy refuses the way to the vendor")
	ErrRejected        = errors.New("rtcmsg: the vendor refused the request")
	ErrUnauthenticated = errors.New("rtcmsg: the vendor does not accept the credentials")
	ErrForbidden       = errors.New("rtcmsg: the account may not do this")
	ErrThrottled       = errors.New("rtcmsg: the vendor's quota is used up")
	ErrClock           = errors.New("rtcmsg: the clock is too far from the vendor's")
	ErrVendorFault     = errors.New("rtcmsg: the vendor failed")
	ErrUndelivered     = errors.New("rtcmsg: nobody got the message")
	ErrPartial         = errors.New("rtcmsg: recipients differ")
	ErrInternal        = errors.New("rtcmsg: a defect of the library")
	ErrAbandoned       = errors.New("rtcmsg: the context ended while the message was in flight")
)

// Two more that tell whether it is safe to send again, whatever the reason.
var (
	// ErrNotSent is every error of a message after which no byte of it can have reached the vendor, for no recipient. An
	// error that is about something else, such as that of a Cancel that came too late, is not.
	ErrNotSent = errors.New("rtcmsg: nothing was sent")
	// ErrOutcomeUnknown is every error after which some recipient may or may not have got the message.
	ErrOutcomeUnknown = errors.New("rtcmsg: it is not known whether the message arrived")
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

// An Error is why a call failed. It holds no secret and no payload.
type Error struct {
	Code    Code
	Field   string  // the field, argument or setting it is about, such as "to[3]" or "zego.app_id"; empty if none
	Message string  // a sentence for a person: what is wrong and what is allowed
	Report  *Report // what became of the message; nil if it was not taken in, and for CodeAbandoned

	cause   error
	refused bool // a message, or a call, was refused
}

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

// Is holds for the error of the code, such as [ErrThrottled], and for [ErrNotSent] and [ErrOutcomeUnknown].
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

// Unwrap is the context's error, if the context ended the call.
func (e *Error) Unwrap() error { return e.cause }

// asRefusal marks the error of a message that was not taken in. A defect of the library proves nothing.
func asRefusal(err error) error {
	if e, is := err.(*Error); is && e.Code != CodeInternal {
		e.refused = true
	}
	return err
}

func invalid(field, message string) *Error {
	return &Error{Code: CodeInvalidArgument, Field: field, Message: message}
}

// newCError is an rtcmsg_error ready to be filled.
func newCError() C.rtcmsg_error {
	return C.rtcmsg_error{struct_size: C.sizeof_rtcmsg_error}
}

// failure is nil for RTCMSG_OK.
func failure(code C.rtcmsg_code, failed *C.rtcmsg_error) error {
	if code == C.RTCMSG_OK {
		return nil
	}
	said := *failed // C.GoString moves what it reads to the heap: without a copy, the error of every call
	return &Error{Code: Code(code), Field: C.GoString(&said.field[0]), Message: C.GoString(&said.message[0])}
}
