package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rtcmsg/rtcmsg/bindings/go/rtcmsgtest"
)

// begin returns an emulator with alice in the lobby, the service's URL, and a function that stops it and waits for its end.
func begin(t *testing.T, settings map[string]string) (*rtcmsgtest.Emulator, string, func() error) {
	t.Helper()
	emulator := rtcmsgtest.Start(t)
	control(t, emulator, "zego/join", map[string]any{"room_id": "lobby", "user_id": "alice"})
	control(t, emulator, "zego/known", map[string]any{"user_id": "bob"})
	for _, variable := range emulator.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	for name, value := range settings {
		t.Setenv(name, value)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener) }()
	stop := func() error {
		cancel()
		return <-ended
	}
	return emulator, "http://" + listener.Addr().String(), stop
}

func control(t *testing.T, emulator *rtcmsgtest.Emulator, path string, body any) {
	t.Helper()
	if err := emulator.Control(path, body, nil); err != nil {
		t.Fatal(err)
	}
}

func post(t *testing.T, url, body string) (int, outcome) {
	t.Helper()
	response, err := http.Post(url+"/notifications", "application/json", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, outcome{}
	}
	defer response.Body.Close()
	var o outcome
	if err := json.NewDecoder(response.Body).Decode(&o); err != nil {
		t.Error(err)
	}
	return response.StatusCode, o
}

func inbox(t *testing.T, emulator *rtcmsgtest.Emulator, user string) []string {
	t.Helper()
	received, err := emulator.Inbox("zego", user)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, message := range received {
		texts = append(texts, message.Payload)
	}
	return texts
}

func TestNotificationsAreForwardedAndAnswered(t *testing.T) {
	emulator, url, stop := begin(t, nil)
	status, o := post(t, url, `{"room": "lobby", "to": ["alice", "bob"], "text": "dinner is ready"}`)
	expected := []recipient{{"alice", "RTCMSG_DELIVERY_ACCEPTED"}, {"bob", "RTCMSG_DELIVERY_NOT_DELIVERED"}}
	if status != http.StatusOK || o.Code != "RTCMSG_ERR_PARTIAL" || !reflect.DeepEqual(o.Recipients, expected) {
		t.Errorf("%d, %+v", status, o)
	}
	status, o = post(t, url, `{"room": "lobby", "everybody": true, "text": "all of you"}`)
	if status != http.StatusOK || o.Code != "RTCMSG_OK" || o.Delivery != "RTCMSG_DELIVERY_ACCEPTED" || o.Recipients != nil {
		t.Errorf("%d, %+v", status, o)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if found := inbox(t, emulator, "alice"); !reflect.DeepEqual(found, []string{"dinner is ready", "all of you"}) {
		t.Errorf("the inbox of alice holds %q", found)
	}
	if found := inbox(t, emulator, "bob"); found != nil {
		t.Errorf("the inbox of bob holds %q", found)
	}
}

func TestTheStatusSaysWhetherToTryAgain(t *testing.T) {
	emulator, url, stop := begin(t, map[string]string{"RTCMSG_RETRY_MAX_ATTEMPTS": "1"})
	const good = `{"room": "lobby", "to": ["alice"], "text": "hi"}`
	for _, c := range []struct {
		name   string
		fault  map[string]any
		body   string
		status int
		code   string
	}{
		{"no JSON", nil, `{`, http.StatusBadRequest, "RTCMSG_ERR_INVALID_ARGUMENT"},
		{"nobody is not everybody", nil, `{"room": "lobby", "text": "hi"}`, http.StatusBadRequest, "RTCMSG_ERR_INVALID_ARGUMENT"},
		{"throttled", map[string]any{"vendor": "zego", "throttle": true}, good, http.StatusServiceUnavailable, "RTCMSG_ERR_THROTTLED"},
		{"cut", map[string]any{"vendor": "zego", "cut_answer_after": 0}, good, http.StatusGatewayTimeout, "RTCMSG_ERR_DISCONNECTED"},
		{"refused", map[string]any{"vendor": "zego", "error": 100000004}, good, http.StatusBadGateway, "RTCMSG_ERR_CLOCK"},
		{"all is well", nil, good, http.StatusOK, "RTCMSG_OK"},
	} {
		if c.fault != nil {
			control(t, emulator, "faults", c.fault)
		}
		if status, o := post(t, url, c.body); status != c.status || o.Code != c.code {
			t.Errorf("%s: %d, %+v", c.name, status, o)
		}
		if err := emulator.RemoveFaults(); err != nil {
			t.Fatal(err)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestTheServiceEndsBySIGTERM(t *testing.T) {
	program := filepath.Join(t.TempDir(), "forwarder")
	if output, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	emulator := rtcmsgtest.Start(t)
	control(t, emulator, "zego/join", map[string]any{"room_id": "lobby", "user_id": "alice"})
	service := exec.Command(program, "-listen", "127.0.0.1:0")
	service.Env = append(service.Environ(), emulator.Environ()...)
	output, err := service.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	defer service.Process.Kill()
	line, err := bufio.NewReader(output).ReadString('\n')
	_, url, is := strings.Cut(strings.TrimSpace(line), " listening on ")
	if err != nil || !is {
		t.Fatalf("%q, %v", line, err)
	}
	if status, o := post(t, url, `{"room": "lobby", "to": ["alice"], "text": "hi"}`); status != http.StatusOK {
		t.Errorf("%d, %+v", status, o)
	}
	if err := service.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := service.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	if found := inbox(t, emulator, "alice"); !reflect.DeepEqual(found, []string{"hi"}) {
		t.Errorf("the inbox of alice holds %q", found)
	}
}

func TestARequestUnderWayIsAnsweredBeforeTheEnd(t *testing.T) {
	emulator, url, stop := begin(t, nil)
	control(t, emulator, "faults", map[string]any{"vendor": "zego", "answer_latency_ms": 300})
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if status, o := post(t, url, `{"room": "lobby", "to": ["alice"], "text": "the last one"}`); status != http.StatusOK {
			t.Errorf("%d, %+v", status, o)
		}
	}()
	for until := time.Now().Add(time.Minute); inbox(t, emulator, "alice") == nil; {
		if time.Now().After(until) {
			t.Fatal("nothing arrives")
		}
		time.Sleep(time.Millisecond)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	<-answered
	if _, err := http.Get(url); err == nil {
		t.Error("it still listens")
	}
}
