//go:build !rtcmsg_static

package rtcmsg

// #cgo pkg-config: rtcmsg
import "C"
