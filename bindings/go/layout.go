package rtcmsg

// #include "shim.h"
import "C"

// What cgo made of the structs of rtcmsg.h, for the test that holds them to docs/ABI.md: a test file has no cgo.
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
