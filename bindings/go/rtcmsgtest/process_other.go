//go:build !linux

package rtcmsgtest

import "syscall"

func endsWithUs() *syscall.SysProcAttr { return nil }
