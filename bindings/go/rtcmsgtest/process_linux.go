package rtcmsgtest

import "syscall"

// endsWithUs is for tests that are killed: their emulator goes with them.
func endsWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
