package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/rtcmsg/rtcmsg/bindings/go/rtcmsgtest"
)

const conversation = 7221856821303361536

var presence = []struct {
	path string
	body map[string]any
}{
	{"volcengine/join", map[string]any{"room_id": "lobby", "user_id": "alice"}},
	{"volcengine/join", map[string]any{"room_id": "lobby", "user_id": "bob"}},
	{"volcengine/leave", map[string]any{"room_id": "lobby", "user_id": "bob"}},
	{"volcengine/logout", map[string]any{"user_id": "bob"}},
	{"im/join", map[string]any{"conversation_id": conversation, "user_id": 10008, "devices": []string{}}},
	{"im/join", map[string]any{"conversation_id": conversation, "user_id": 10001, "devices": []string{"Web"}}},
	{"im/join", map[string]any{"conversation_id": conversation, "user_id": 10002, "devices": []string{}}},
	{"zego/join", map[string]any{"room_id": "lobby", "user_id": "alice"}},
	{"zego/join", map[string]any{"room_id": "lobby", "user_id": "bob"}},
	{"zego/leave", map[string]any{"room_id": "lobby", "user_id": "bob"}},
}

// Volcengine RTC also accepts a message for an absent user.
var rows = []string{
	"SendUnicast alice RTCMSG_DELIVERY_ACCEPTED",
	"SendRoomUnicast alice RTCMSG_DELIVERY_ACCEPTED",
	"BatchSendRoomUnicast alice RTCMSG_DELIVERY_ACCEPTED",
	"BatchSendRoomUnicast bob RTCMSG_DELIVERY_ACCEPTED",
	"BatchSendRoomUnicast ghost RTCMSG_DELIVERY_ACCEPTED",
	"SendBroadcast (room lobby) RTCMSG_DELIVERY_ACCEPTED",
	"P2PSendMessage 10001 RTCMSG_DELIVERY_DELIVERED SUCCESS",
	"P2PSendMessage 10002 RTCMSG_DELIVERY_NOT_DELIVERED NOT_ONLINE",
	"P2PSendMessage 10003 RTCMSG_DELIVERY_ACCEPTED",
	"P2PSendMessage to all 10001 RTCMSG_DELIVERY_DELIVERED SUCCESS",
	"P2PSendMessage to all 10002 RTCMSG_DELIVERY_NOT_DELIVERED NOT_ONLINE",
	"P2PSendMessage to all 10008 RTCMSG_DELIVERY_NOT_DELIVERED NOT_ONLINE",
	"P2PSendMessage to all except 10001 RTCMSG_DELIVERY_DELIVERED SUCCESS",
	"P2PSendMessage to all except 10008 RTCMSG_DELIVERY_NOT_DELIVERED NOT_ONLINE",
	"SendCustomCommand alice RTCMSG_DELIVERY_ACCEPTED",
	"SendCustomCommand bob RTCMSG_DELIVERY_NOT_DELIVERED",
	"SendCustomCommand ghost RTCMSG_DELIVERY_NOT_DELIVERED",
	"SendCustomCommand to room (room lobby) RTCMSG_DELIVERY_ACCEPTED",
}

var inboxes = map[string][]string{
	"volcengine alice": {"unicast: you have mail", "room unicast: your turn", "\x00\x01\xfe\xff", "broadcast: round 2 begins"},
	"volcengine bob":   nil,
	"im 10001":         {`{"type":1000}`, `{"type":1001}`, `{"type":1002}`},
	"im 10002":         nil,
	"zego alice":       {"命令: 你好 a+b", "command: everybody up"},
	"zego bob":         nil,
}

func TestTheQuickstartTellsWhatTheInboxesHold(t *testing.T) {
	emulator := rtcmsgtest.Start(t)
	for _, p := range presence {
		if err := emulator.Control(p.path, p.body, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, variable := range emulator.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	var out strings.Builder
	if err := run(&out); err != nil {
		t.Fatal(err)
	}
	var printed []string
	for line := range strings.Lines(out.String()) {
		printed = append(printed, strings.Join(strings.Fields(line), " "))
	}
	if !slices.Equal(printed, rows) {
		t.Errorf("it prints\n%s", out.String())
	}
	for inbox, expected := range inboxes {
		vendor, user, _ := strings.Cut(inbox, " ")
		received, err := emulator.Inbox(vendor, user)
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, message := range received {
			found = append(found, message.Payload)
		}
		if !slices.Equal(found, expected) {
			t.Errorf("the inbox of %s holds %q, not %q", inbox, found, expected)
		}
	}
}

func TestWithoutSettingsItSaysWhatIsMissing(t *testing.T) {
	if err := run(new(strings.Builder)); err == nil || !strings.Contains(err.Error(), "RTCMSG_ERR_NOT_CONFIGURED") {
		t.Error(err)
	}
}
