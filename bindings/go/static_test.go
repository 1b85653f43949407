package rtcmsg_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rtcmsg/rtcmsg/bindings/go/rtcmsgtest"
)

// build compiles a program of testdata.
func build(t *testing.T, source string, flags ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	arguments := append(append([]string{"build", "-o", program}, flags...), source)
	if output, err := exec.Command("go", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return program
}

func TestTheLibraryIsLinkedInByATag(t *testing.T) {
	for _, c := range []struct {
		name   string
		flags  []string
		shared bool
	}{
		{"shared", nil, true},
		{"static", []string{"-tags", "rtcmsg_static"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			program := build(t, "./testdata/greet", c.flags...)
			needed, err := exec.Command("ldd", program).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, needed)
			}
			if strings.Contains(string(needed), "librtcmsg") != c.shared {
				t.Errorf("it needs\n%s", needed)
			}
			emulator := rtcmsgtest.Start(t)
			join(t, emulator)
			run := exec.Command(program)
			run.Env = append(run.Environ(), emulator.Environ()...)
			if output, err := run.CombinedOutput(); err != nil || string(output) != "alice: RTCMSG_ACCEPTED\n" {
				t.Errorf("%v\n%s", err, output)
			}
			if found := payloads(t, emulator, "zego", "alice"); len(found) != 1 || found[0] != "hello" {
				t.Errorf("the inbox holds %q", found)
			}
		})
	}
}
