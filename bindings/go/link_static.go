//go:build rtcmsg_static

// The archive stands first and settles every symbol, so that of the -lrtcmsg of rtcmsg.pc nothing is needed.

package rtcmsg

// #cgo LDFLAGS: -l:librtcmsg.a -Wl,--as-needed
// #cgo pkg-config: --static rtcmsg
import "C"
