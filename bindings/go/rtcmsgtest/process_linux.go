package rtcmsgtest

import "syscall"

// endsWithUs makes the kernel end the emulator with this process, even if this process is killed.
func endsWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
