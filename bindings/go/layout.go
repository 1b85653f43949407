package rtcmsg

// #include "shim.h"
import "C"

// The structs of rtcmsg.h as cgo sees them, for the test that compares them with docs/ABI.md: a test file cannot use cgo.
type (
	strLayout         = C.rtcmsg_str
	errorLayout       = C.rtcmsg_error
	messageLayout     = C.rtcmsg_message
	sendOptionsLayout = C.rtcmsg_send_options
	completionLayout  = C.rtcmsg_completion
	requestLayout     = C.rtcmsg_request
	attemptLayout     = C.rtcmsg_attempt
	recipientLayout   = C.rtcmsg_recipient
	deviceLayout      = C.rtcmsg_device
)

// codeText is rtcmsg_code_text() for the test of the errors' texts.
func codeText(code Code) string { return C.GoString(C.rtcmsg_code_text(C.rtcmsg_code(code))) }
