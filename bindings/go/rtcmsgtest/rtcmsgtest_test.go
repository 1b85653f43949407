package rtcmsgtest_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/rtcmsg/rtcmsg/bindings/go"
	"github.com/rtcmsg/rtcmsg/bindings/go/rtcmsgtest"
)

func TestWhatIsSentIsInTheInbox(t *testing.T) {
	emulator := rtcmsgtest.Start(t)
	if err := emulator.Control("volcengine/join", map[string]any{"room_id": "lobby", "user_id": "爱 丽丝"}, nil); err == nil {
		t.Error("an id with a space was accepted")
	}
	if err := emulator.Control("zego/join", map[string]any{"room_id": "大厅", "user_id": "爱 丽丝"}, nil); err != nil {
		t.Fatal(err)
	}
	client, err := rtcmsg.New(rtcmsg.WithSettings(emulator.Settings()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(t.Context())
	if _, err := client.SendCustomCommandToRoom(t.Context(), rtcmsg.CustomCommandToRoom{RoomID: "大厅", From: "server", Text: "你好"}); err != nil {
		t.Fatal(err)
	}
	received, err := emulator.Inbox("zego", "爱 丽丝")
	if err != nil || len(received) != 1 || received[0].RequestID == "" {
		t.Fatalf("%+v, %v", received, err)
	}
	received[0].RequestID = ""
	expected := rtcmsgtest.Received{Sequence: 1, Action: "SendCustomCommand", RoomID: "大厅", From: "server", Payload: "你好"}
	if received[0] != expected {
		t.Errorf("%+v", received[0])
	}
}

func TestFaultsApplyUntilTheyAreRemoved(t *testing.T) {
	emulator := rtcmsgtest.Start(t)
	for name, value := range map[string]string{"retry.max_attempts": "1"} {
		settings := emulator.Settings()
		settings[name] = value
		client, err := rtcmsg.New(rtcmsg.WithSettings(settings))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close(t.Context())
		var added struct{ ID int }
		if err := emulator.Control("faults", map[string]any{"vendor": "volcengine", "throttle": true}, &added); err != nil || added.ID == 0 {
			t.Fatal(added, err)
		}
		message := rtcmsg.Unicast{From: "server", To: "alice", Text: "hi"}
		if report, _ := client.SendUnicast(t.Context(), message); report == nil || report.Code != rtcmsg.CodeThrottled {
			t.Errorf("%+v with a fault", report)
		}
		if err := emulator.RemoveFaults(); err != nil {
			t.Fatal(err)
		}
		if _, err := client.SendUnicast(t.Context(), message); err != nil {
			t.Errorf("%v without", err)
		}
	}
}

func TestBadControlIsAnError(t *testing.T) {
	emulator := rtcmsgtest.Start(t)
	for path, body := range map[string]any{
		"volcengine/join": map[string]any{"room": "lobby"},
		"nothing":         nil,
		"faults":          make(chan int),
	} {
		if err := emulator.Control(path, body, nil); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := emulator.Control("health", nil, new(int)); err == nil {
		t.Error("a response of another type was accepted")
	}
	if _, err := emulator.Inbox("nobody", "alice"); err == nil {
		t.Error("an unknown vendor was accepted")
	}
	if err := emulator.Control("reset", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestEnvironAndSettingsAreTheSameAccount(t *testing.T) {
	emulator := rtcmsgtest.Start(t, "--rtc-app-id", "an.app-id")
	settings := emulator.Settings()
	if settings["volcengine.rtc_app_id"] != "an.app-id" || settings["zego.endpoint"] != emulator.URL() {
		t.Errorf("%v", settings)
	}
	found := make(map[string]string)
	for _, variable := range emulator.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
		found[name] = value
	}
	if len(found) != len(settings) || found["RTCMSG_ZEGO_APP_ID"] != settings["zego.app_id"] {
		t.Errorf("%v", found)
	}
	client, err := rtcmsg.New(rtcmsg.WithEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Close(t.Context()); err != nil {
		t.Error(err)
	}
	settings["zego.endpoint"] = "changed"
	if reflect.DeepEqual(settings, emulator.Settings()) {
		t.Error("the settings are shared")
	}
}

func TestAStoppedEmulatorDoesNotAnswer(t *testing.T) {
	emulator, err := rtcmsgtest.New()
	if err != nil {
		t.Fatal(err)
	}
	emulator.Stop()
	emulator.Stop()
	if response, err := http.Get(emulator.URL()); err == nil {
		response.Body.Close()
		t.Error("it still answers")
	}
}

func TestTheErrorOfAMissingEmulatorNamesThePlaces(t *testing.T) {
	t.Setenv("RTCMSG_EMULATOR", "")
	t.Setenv("PATH", t.TempDir())
	if _, err := rtcmsgtest.New(); err == nil || !strings.Contains(err.Error(), "RTCMSG_EMULATOR") {
		t.Error(err)
	}
	t.Setenv("RTCMSG_EMULATOR", "/nothing/here")
	if _, err := rtcmsgtest.New(); err == nil || !strings.Contains(err.Error(), "/nothing/here") {
		t.Error(err)
	}
	t.Setenv("RTCMSG_EMULATOR", "/bin/true")
	if _, err := rtcmsgtest.New(); err == nil || !strings.Contains(err.Error(), "account") {
		t.Error(err)
	}
	if _, err := rtcmsgtest.New("--no-such-option"); err == nil {
		t.Error("an unknown option was accepted")
	}
}
