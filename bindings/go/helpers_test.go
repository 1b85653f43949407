package rtcmsg_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rtcmsg/rtcmsg/bindings/go"
	"github.com/rtcmsg/rtcmsg/bindings/go/rtcmsgtest"
)

const (
	conversation = 7221856821303361536
	safetyNet    = 2 * time.Minute
)

// start returns an emulator, and the settings for a client of it that sends once, without a rate limit.
func start(t testing.TB, arguments ...string) (*rtcmsgtest.Emulator, map[string]string) {
	t.Helper()
	emulator := rtcmsgtest.Start(t, append([]string{"--no-quota"}, arguments...)...)
	settings := emulator.Settings()
	settings["retry.max_attempts"] = "1"
	settings["quota.mode"] = "off"
	return emulator, settings
}

// connect returns a client that is closed when the test ends.
func connect(t testing.TB, settings map[string]string, options ...rtcmsg.Option) *rtcmsg.Client {
	t.Helper()
	client, err := rtcmsg.New(append([]rtcmsg.Option{rtcmsg.WithSettings(settings)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(bounded(t)); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return client
}

// bounded returns a context that ends only if something hangs.
func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), safetyNet)
	t.Cleanup(cancel)
	return ctx
}

func control(t testing.TB, emulator *rtcmsgtest.Emulator, path string, body any) {
	t.Helper()
	if err := emulator.Control(path, body, nil); err != nil {
		t.Fatal(err)
	}
}

func payloads(t testing.TB, emulator *rtcmsgtest.Emulator, vendor, user string) []string {
	t.Helper()
	received, err := emulator.Inbox(vendor, user)
	if err != nil {
		t.Fatal(err)
	}
	var payloads []string
	for _, message := range received {
		payloads = append(payloads, message.Payload)
	}
	return payloads
}

// eventually polls until a condition holds, for conditions without an event.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(safetyNet); !holds(); {
		if time.Now().After(until) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// asError returns err as an *rtcmsg.Error, and fails the test if it is another error.
func asError(t testing.TB, err error) *rtcmsg.Error {
	t.Helper()
	var failed *rtcmsg.Error
	if !errors.As(err, &failed) {
		t.Fatalf("%v (%T) is not an *rtcmsg.Error", err, err)
	}
	return failed
}

func join(t testing.TB, emulator *rtcmsgtest.Emulator) {
	t.Helper()
	control(t, emulator, "volcengine/join", map[string]any{"room_id": "lobby", "user_id": "alice"})
	control(t, emulator, "volcengine/join", map[string]any{"room_id": "lobby", "user_id": "bob"})
	control(t, emulator, "im/join", map[string]any{"conversation_id": conversation, "user_id": 10008, "devices": []string{}})
	control(t, emulator, "im/join", map[string]any{"conversation_id": conversation, "user_id": 10001, "devices": []string{"Web", "IOS"}})
	control(t, emulator, "im/join", map[string]any{"conversation_id": conversation, "user_id": 10002, "devices": []string{}})
	control(t, emulator, "zego/join", map[string]any{"room_id": "lobby", "user_id": "alice"})
	control(t, emulator, "zego/join", map[string]any{"room_id": "lobby", "user_id": "bob"})
}
