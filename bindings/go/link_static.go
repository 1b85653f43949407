//go:build rtcmsg_static

// The archive comes first and defines every symbol, so the linker does not need the -lrtcmsg of rtcmsg.pc.

package rtcmsg

// #cgo LDFLAGS: -l:librtcmsg.a -Wl,--as-needed
// #cgo pkg-config: --static rtcmsg
import "C"
