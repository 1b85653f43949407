package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rtcmsg/rtcmsg/bindings/go/rtcmsgtest"
)

func TestTheProgramOfTheREADMEPrintsEachDelivery(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"../../../bindings/go/README.md", "../../../README.md"} {
		readme, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(readme), "```go\n"+string(source)+"```\n") {
			t.Errorf("%s shows another program", page)
		}
	}
	emulator := rtcmsgtest.Start(t)
	for path, user := range map[string]map[string]any{
		"zego/join":  {"room_id": "lobby", "user_id": "alice"},
		"zego/known": {"user_id": "bob"},
	} {
		if err := emulator.Control(path, user, nil); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(t.TempDir(), "hello")
	if output, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	run := exec.Command(program)
	run.Env = append(run.Environ(), emulator.Environ()...)
	output, err := run.Output()
	if err != nil || string(output) != "alice: RTCMSG_DELIVERY_ACCEPTED\nbob: RTCMSG_DELIVERY_NOT_DELIVERED\n" {
		t.Errorf("%v\n%s", err, output)
	}
	received, err := emulator.Inbox("zego", "alice")
	if err != nil || len(received) != 1 || received[0].Payload != "dinner is ready" {
		t.Errorf("%+v, %v", received, err)
	}
}
