package rtcmsg_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

func sharedLibraries(t *testing.T, program string) []string {
	t.Helper()
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	needed, err := file.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	return needed
}

func TestTheLibraryIsLinkedInByATag(t *testing.T) {
	if testing.Short() {
		t.Skip("needs some seconds: not with -short")
	}
	for _, c := range []struct {
		name   string
		flags  []string
		shared bool // it needs librtcmsg.so
		libc   bool // it needs libc.so
	}{
		{"shared", nil, true, true},
		{"static", []string{"-tags", "rtcmsg_static"}, false, true},
		{"for a scratch image", []string{"-tags", "rtcmsg_static,netgo,osusergo", "-ldflags", `-extldflags "-static"`}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			program := build(t, "./testdata/greet", c.flags...)
			needed := strings.Join(sharedLibraries(t, program), "\n")
			if strings.Contains(needed, "librtcmsg") != c.shared || strings.Contains(needed, "libc.so") != c.libc {
				t.Errorf("it needs\n%s", needed)
			}
			if !c.libc && needed != "" {
				t.Errorf("it needs\n%s", needed)
			}
			emulator := rtcmsgtest.Start(t)
			join(t, emulator)
			run := exec.Command(program)
			run.Env = append(run.Environ(), emulator.Environ()...)
			if output, err := run.CombinedOutput(); err != nil || string(output) != "alice: RTCMSG_DELIVERY_ACCEPTED\n" {
				t.Errorf("%v\n%s", err, output)
			}
			if found := payloads(t, emulator, "zego", "alice"); len(found) != 1 || found[0] != "hello" {
				t.Errorf("the inbox holds %q", found)
			}
		})
	}
}

func TestAModuleOfOnesOwnGetsThePackageAsTheReadmeSays(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("testdata/greet/main.go")
	if err != nil {
		t.Fatal(err)
	}
	module := t.TempDir()
	if err := os.WriteFile(filepath.Join(module, "main.go"), program, 0o600); err != nil {
		t.Fatal(err)
	}
	commands := [][]string{{"mod", "init", "example.com/greet"}}
	for _, line := range regexp.MustCompile(`(?m)^go (mod .*)$`).FindAllStringSubmatch(string(readme), -1) {
		commands = append(commands, strings.Fields(strings.ReplaceAll(line[1], "/path/to/rtcmsg/bindings/go", here)))
	}
	for _, arguments := range append(commands, []string{"build", "-o", "greet", "."}) {
		command := exec.Command("go", arguments...)
		command.Dir = module
		command.Env = append(command.Environ(), "GOPROXY=off", "GOWORK=off")
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(arguments, " "), err, output)
		}
	}
}
