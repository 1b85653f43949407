// Package rtcmsgtest starts the emulator of both vendors on loopback, so that tests of programs that send messages need no
// network and no account:
//
//	func TestGreeting(t *testing.T) {
//		emulator := rtcmsgtest.Start(t)
//		if err := emulator.Control("volcengine/login", map[string]any{"user_id": "alice"}, nil); err != nil {
//			t.Fatal(err)
//		}
//		client, err := rtcmsg.New(rtcmsg.WithSettings(emulator.Settings()))
//		...
//		received, err := emulator.Inbox("volcengine", "alice")
//	}
//
// The emulator is the program rtcmsg-emulator. The environment variable RTCMSG_EMULATOR may contain its path; otherwise it
// must be in PATH.
package rtcmsgtest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout   = 60 * time.Second
	stopTimeout    = 30 * time.Second
	controlTimeout = 60 * time.Second
)

// An Emulator is a running emulator. Any number of goroutines may use it at the same time.
type Emulator struct {
	url      string
	settings map[string]string
	process  *os.Process
	ended    chan struct{}
	stop     sync.Once
	control  *http.Client
}

// Start starts an emulator on a free port, with a demo account, and stops it when the test ends. The arguments are further
// command-line options of the program, such as "--no-quota". If the emulator does not start, the test fails.
func Start(tb testing.TB, arguments ...string) *Emulator {
	tb.Helper()
	emulator, err := New(arguments...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(emulator.Stop)
	return emulator
}

// New starts an emulator outside of a test, for example in a testable example. The emulator runs until [Emulator.Stop] or
// until this process ends. The arguments are those of [Start].
func New(arguments ...string) (*Emulator, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	output, input, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer output.Close()
	command := exec.Command(program, append([]string{"--port", "0", "--quiet"}, arguments...)...)
	command.Stdout = input
	command.Stderr = os.Stderr
	command.SysProcAttr = endsWithUs()
	e := &Emulator{ended: make(chan struct{}), control: &http.Client{Timeout: controlTimeout}}
	started := make(chan error)
	go func() {
		// The kernel ends the child when the thread that started it ends, so this thread must exist as long as the child.
		runtime.LockOSThread()
		err := command.Start()
		input.Close()
		e.process = command.Process
		started <- err
		if err == nil {
			_ = command.Wait()
			close(e.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("rtcmsgtest: cannot start the emulator: %w", err)
	}
	if err := e.readAccount(output); err != nil {
		e.Stop()
		return nil, fmt.Errorf("rtcmsgtest: %s: %w", program, err)
	}
	return e, nil
}

func find() (string, error) {
	if program := os.Getenv("RTCMSG_EMULATOR"); program != "" {
		return program, nil
	}
	program, err := exec.LookPath("rtcmsg-emulator")
	if err != nil {
		return "", errors.New("rtcmsgtest: rtcmsg-emulator was not found: set RTCMSG_EMULATOR to its path, or put it into PATH")
	}
	return program, nil
}

// readAccount reads the emulator's output: a line with the URL, and the settings as export commands of a shell.
func (e *Emulator) readAccount(output *os.File) error {
	if err := output.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		return err
	}
	lines := bufio.NewScanner(output)
	e.settings = make(map[string]string)
	for e.settings["zego.server_secret"] == "" {
		if !lines.Scan() {
			return fmt.Errorf("the program did not print its account: %w", errors.Join(lines.Err(), io.ErrUnexpectedEOF))
		}
		if _, url, ok := strings.Cut(lines.Text(), " listening on "); ok {
			e.url = strings.TrimSpace(url)
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "export RTCMSG_"), "=")
		if vendor, key, found := strings.Cut(strings.ToLower(name), "_"); ok && found {
			e.settings[vendor+"."+key] = strings.Trim(value, `'"`)
		}
	}
	return nil
}

// URL returns the address of the emulator, such as http://127.0.0.1:8089. It serves both vendors.
func (e *Emulator) URL() string { return e.url }

// Settings returns the settings of a client of this emulator, for rtcmsg.WithSettings.
func (e *Emulator) Settings() map[string]string { return maps.Clone(e.settings) }

// Environ returns the same settings as environment variables for a child process, in the form RTCMSG_...=value.
func (e *Emulator) Environ() []string {
	environ := make([]string, 0, len(e.settings))
	for key, value := range e.settings {
		environ = append(environ, "RTCMSG_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))+"="+value)
	}
	return environ
}

// Control sends a request to the control API of the emulator. path is one of the paths below /_emulator/ that the emulator's
// README lists, such as "volcengine/join" or "faults". The request is a POST if there is a body or if path is "reset", and
// otherwise a GET. body is encoded as JSON. The JSON response is decoded into answer, unless answer is nil.
func (e *Emulator) Control(path string, body, answer any) error {
	method, reader := http.MethodGet, io.Reader(nil)
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("rtcmsgtest: %s: %w", path, err)
		}
		method, reader = http.MethodPost, bytes.NewReader(encoded)
	} else if path == "reset" {
		method = http.MethodPost
	}
	return e.ask(method, path, reader, answer)
}

func (e *Emulator) ask(method, path string, body io.Reader, answer any) error {
	request, err := http.NewRequest(method, e.url+"/_emulator/"+path, body)
	if err != nil {
		return fmt.Errorf("rtcmsgtest: %s: %w", path, err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := e.control.Do(request)
	if err != nil {
		return fmt.Errorf("rtcmsgtest: %s: %w", path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("rtcmsgtest: %s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("rtcmsgtest: %s: %s: %s", path, response.Status, text)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("rtcmsgtest: %s: %w", path, err)
	}
	return nil
}

// A Received is a message that a user received.
type Received struct {
	Sequence       int64
	Action         string
	RoomID         string // for messages in a room of Volcengine RTC or ZEGO
	ConversationID int64  // for Volcengine IM
	Device         string // for Volcengine IM
	From           string
	Binary         bool
	Payload        string // the text or the bytes
	RequestID      string
}

// Inbox returns the messages that a user received, in order. vendor is "volcengine", "im" or "zego". For "im" there is one
// entry for each device.
func (e *Emulator) Inbox(vendor, user string) ([]Received, error) {
	var entries []struct {
		Sequence       int64  `json:"sequence"`
		Action         string `json:"action"`
		RoomID         string `json:"room_id"`
		ConversationID int64  `json:"conversation_id"`
		Device         string `json:"device"`
		From           string `json:"from"`
		Binary         bool   `json:"binary"`
		PayloadBase64  string `json:"payload_base64"`
		RequestID      string `json:"request_id"`
	}
	query := url.Values{"vendor": {vendor}, "user": {user}}
	if err := e.ask(http.MethodGet, "inbox?"+query.Encode(), nil, &entries); err != nil {
		return nil, err
	}
	received := make([]Received, len(entries))
	for i, entry := range entries {
		payload, err := base64.StdEncoding.DecodeString(entry.PayloadBase64)
		if err != nil {
			return nil, fmt.Errorf("rtcmsgtest: inbox: %w", err)
		}
		received[i] = Received{
			Sequence:       entry.Sequence,
			Action:         entry.Action,
			RoomID:         entry.RoomID,
			ConversationID: entry.ConversationID,
			Device:         entry.Device,
			From:           entry.From,
			Binary:         entry.Binary,
			Payload:        string(payload),
			RequestID:      entry.RequestID,
		}
	}
	return received, nil
}

// RemoveFaults removes all faults that Control has set.
func (e *Emulator) RemoveFaults() error { return e.ask(http.MethodDelete, "faults", nil, nil) }

// Stop ends the emulator after it has answered the current requests. A second call does nothing.
func (e *Emulator) Stop() {
	e.stop.Do(func() {
		e.control.CloseIdleConnections()
		_ = e.process.Signal(syscall.SIGTERM)
		select {
		case <-e.ended:
		case <-time.After(stopTimeout):
			_ = e.process.Kill()
			<-e.ended
		}
	})
}
