package rtcmsg_test

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rtcmsg/rtcmsg/bindings/go/rtcmsgtest"
)

func TestNothingThatTheLibraryGaveIsKept(t *testing.T) {
	if testing.Short() {
		t.Skip("needs some seconds: not with -short")
	}
	program := build(t, "./testdata/growth")
	emulator := rtcmsgtest.Start(t, "--no-quota")
	run := exec.Command(program)
	run.Env = append(append(run.Environ(), emulator.Environ()...), "RTCMSG_QUOTA_MODE=off")
	output, err := run.Output()
	if err != nil {
		t.Fatal(err)
	}
	grown, err := strconv.Atoi(strings.TrimSpace(string(output)))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("grown by %d bytes", grown)
	// 4,000 reports, of which each takes kilobytes.
	if grown > 1<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}
