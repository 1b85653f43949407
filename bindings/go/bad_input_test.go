package rtcmsg_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/rtcmsg/rtcmsg/bindings/go"
)

const notUTF8 = "ab\xc3("

func TestABadMessageIsRefusedWithTheLibrarysMessage(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	huge := strings.Repeat("x", 65<<20)
	users := func(users ...string) rtcmsg.Message {
		return rtcmsg.BatchRoomUnicast{RoomID: "lobby", From: "server", To: users, Text: "hi"}
	}
	ids := func(ids ...int64) rtcmsg.Message {
		return rtcmsg.P2PMessageToUsers{ConversationID: 1, SenderID: 2, MsgType: 3, UserIDs: ids, Text: "hi"}
	}
	for _, c := range []struct {
		name        string
		message     rtcmsg.Message
		field, text string
	}{
		{"nil", nil, "message", "must not be nil"},
		{"a nil pointer", (*rtcmsg.Unicast)(nil), "message", "must not be nil"},
		{"nothing", rtcmsg.Unicast{}, "from", "must not be empty"},
		{"a room that is no UTF-8", rtcmsg.Broadcast{RoomID: notUTF8, From: "server", Text: "hi"}, "room_id", "is not UTF-8 at byte 2"},
		{"a sender that is no UTF-8", rtcmsg.Unicast{From: notUTF8, To: "alice", Text: "hi"}, "from", "is not UTF-8 at byte 2"},
		{"a recipient that is no UTF-8", users("alice", notUTF8), "to[1]", "is not UTF-8 at byte 2"},
		{"a text that is no UTF-8", rtcmsg.Unicast{From: "server", To: "alice", Text: notUTF8}, "payload", "is not UTF-8 at byte 2; to send bytes, set RTCMSG_MESSAGE_BINARY (Volcengine RTC only)"},
		{"nobody", users(), "to", "the list is empty; BatchSendRoomUnicast accepts 1 to 100,000 entries, and a separate action sends to all"},
		{"no ids", ids(), "user_ids", "the list is empty; P2PSendMessage accepts 1 to 100,000 entries, and a separate action sends to all"},
		{"too many users", users(make([]string, 1_000_001)...), "to", "1,000,001 recipients; BatchSendRoomUnicast accepts at most 100,000"},
		{"too many ids", ids(make([]int64, 1_000_001)...), "user_ids", "1,000,001 recipients; P2PSendMessage accepts at most 100,000"},
		{"a huge text", rtcmsg.Unicast{From: "server", To: "alice", Text: huge}, "payload", "has a length of 68157440; at most 67108864 is allowed"},
		{"huge bytes", rtcmsg.Unicast{From: "server", To: "alice", Binary: []byte(huge)}, "payload", "has a length of 68157440; at most 67108864 is allowed"},
		{"a huge recipient", users("alice", huge), "to[1]", "has a length of 68157440; at most 67108864 is allowed"},
		{"a text and bytes", rtcmsg.Unicast{From: "server", To: "alice", Text: "hi", Binary: []byte("hi")}, "payload", "must be either Text or Binary, not both"},
		{"no bytes", rtcmsg.Unicast{From: "server", To: "alice", Binary: []byte{}}, "payload", "the message is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, err := client.Send(bounded(t), c.message)
			_, submitErr := client.Submit(bounded(t), c.message)
			for _, err := range []error{err, submitErr, client.Post(bounded(t), c.message), client.Check(c.message)} {
				failed := asError(t, err)
				if report != nil || !errors.Is(err, rtcmsg.ErrInvalidArgument) || !errors.Is(err, rtcmsg.ErrNotSent) || failed.Field != c.field || failed.Message != c.text {
					t.Errorf("%v", err)
				}
			}
		})
	}
	if _, err := client.Send(bounded(t), &toAlice); err != nil {
		t.Errorf("afterwards, by pointer: %v", err)
	}
	if client.Pending() != 0 {
		t.Error("a message was accepted")
	}
}

func TestABadSettingIsRefusedWithTheLibrarysMessage(t *testing.T) {
	_, settings := start(t)
	all := rtcmsg.WithSettings(settings)
	for _, c := range []struct {
		name    string
		options []rtcmsg.Option
		is      error
		field   string
		text    string
	}{
		{"none", nil, rtcmsg.ErrNotConfigured, "", ""},
		{"a nil option", []rtcmsg.Option{all, nil}, rtcmsg.ErrInvalidArgument, "options[1]", "must not be nil"},
		{"a nil logger", []rtcmsg.Option{all, rtcmsg.WithLogger(nil)}, rtcmsg.ErrInvalidArgument, "logger", "must not be nil"},
		{"an unknown key", []rtcmsg.Option{rtcmsg.WithSetting("zego.app", "1")}, rtcmsg.ErrInvalidArgument, "zego.app", ""},
		{"a value out of range", []rtcmsg.Option{rtcmsg.WithSetting("http.timeout_ms", "0")}, rtcmsg.ErrInvalidArgument, "http.timeout_ms", ""},
		{"a value that is no UTF-8", []rtcmsg.Option{rtcmsg.WithSetting("zego.endpoint", notUTF8)}, rtcmsg.ErrInvalidArgument, "value", "is not UTF-8 at byte 2"},
		{"a key with a NUL", []rtcmsg.Option{rtcmsg.WithSetting("zego.app_id\x00", "1")}, rtcmsg.ErrInvalidArgument, "key", "contains a NUL character"},
		{"a value with a NUL", []rtcmsg.Option{rtcmsg.WithSetting("zego.app_id", "1\x002")}, rtcmsg.ErrInvalidArgument, "zego.app_id", "contains a NUL character"},
		{"a huge key", []rtcmsg.Option{rtcmsg.WithSetting(strings.Repeat("k", 1<<20), "1")}, rtcmsg.ErrInvalidArgument, strings.Repeat("k", 47), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := rtcmsg.New(c.options...)
			failed := asError(t, err)
			if client != nil || !errors.Is(err, c.is) || (c.field != "" && failed.Field != c.field) || (c.text != "" && failed.Message != c.text) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAClientThatNewDidNotCreateIsRefused(t *testing.T) {
	for _, client := range []*rtcmsg.Client{nil, {}} {
		_, sendErr := client.SendUnicast(bounded(t), toAlice)
		_, submitErr := client.Submit(bounded(t), toAlice)
		_, callErr := client.CallAction(bounded(t), rtcmsg.ZEGO, "Anything", "", nil)
		_, statsErr := client.Stats()
		for name, err := range map[string]error{
			"Send": sendErr, "Submit": submitErr, "Call": callErr, "Stats": statsErr,
			"Post":           client.Post(bounded(t), toAlice),
			"Check":          client.Check(toAlice),
			"Flush":          client.Flush(bounded(t)),
			"WarmUp":         client.WarmUp(1),
			"Close":          client.Close(bounded(t)),
			"SetCredentials": client.SetCredentials(rtcmsg.ZEGO, rtcmsg.Credentials{}),
		} {
			if failed := asError(t, err); !errors.Is(err, rtcmsg.ErrInvalidArgument) || failed.Field != "client" || failed.Message != "must not be nil, and must come from New" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if client.Pending() != 0 {
			t.Error("it has pending messages")
		}
	}
}

func TestASubmissionThatSubmitDidNotCreateIsRefused(t *testing.T) {
	for _, submission := range []*rtcmsg.Submission{nil, {}} {
		_, err := submission.Wait(bounded(t))
		for _, err := range []error{err, submission.Cancel()} {
			if failed := asError(t, err); failed.Field != "submission" || failed.Message != "must not be nil, and must come from Submit" {
				t.Error(err)
			}
		}
	}
	if (*rtcmsg.Report)(nil).Count(rtcmsg.Accepted) != 0 {
		t.Error("a nil report has recipients")
	}
}

func TestANilContextIsRefused(t *testing.T) {
	_, settings := start(t)
	client := connect(t, settings)
	var none context.Context
	_, sendErr := client.SendUnicast(none, toAlice)
	_, submitErr := client.Submit(none, toAlice)
	_, callErr := client.CallAction(none, rtcmsg.ZEGO, "Anything", "", nil)
	submission, err := client.Submit(bounded(t), toAlice)
	if err != nil {
		t.Fatal(err)
	}
	_, waitErr := submission.Wait(none)
	for name, err := range map[string]error{
		"Send": sendErr, "Submit": submitErr, "Call": callErr, "Wait": waitErr,
		"Post":  client.Post(none, toAlice),
		"Flush": client.Flush(none),
		"Close": client.Close(none),
	} {
		if failed := asError(t, err); !errors.Is(err, rtcmsg.ErrInvalidArgument) || failed.Field != "ctx" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestABadCallActionIsRefused(t *testing.T) {
	_, settings := start(t)
	client := connect(t, settings)
	for _, c := range []struct {
		name            string
		vendor          rtcmsg.Vendor
		action, version string
		body            string
		field           string
	}{
		{"no vendor", 3, "Anything", "", `{}`, "vendor"},
		{"no action", rtcmsg.ZEGO, "", "", `{}`, "action"},
		{"an action with a NUL", rtcmsg.ZEGO, "A\x00b", "", `{}`, "action"},
		{"an action that is no UTF-8", rtcmsg.ZEGO, notUTF8, "", `{}`, "action"},
		{"a version with a NUL", rtcmsg.Volcengine, "Anything", "2020\x00", `{}`, "version"},
		{"no version", rtcmsg.Volcengine, "Anything", "", `{}`, "version"},
		{"no body", rtcmsg.ZEGO, "Anything", "", ``, "json"},
		{"a body that is no object", rtcmsg.ZEGO, "Anything", "", `[]`, "json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, err := client.CallAction(bounded(t), c.vendor, c.action, c.version, []byte(c.body))
			if failed := asError(t, err); report != nil || !errors.Is(err, rtcmsg.ErrInvalidArgument) || !errors.Is(err, rtcmsg.ErrNotSent) || failed.Field != c.field {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestNoSecretIsShown(t *testing.T) {
	var text strings.Builder
	credentials := rtcmsg.Credentials{KeyID: "AKLTkey", Secret: "the-secret", SessionToken: "the-token"}
	slog.New(slog.NewTextHandler(&text, nil)).Info("new keys", "credentials", credentials)
	slog.New(slog.NewJSONHandler(&text, nil)).Info("new keys", "credentials", credentials)
	text.WriteString(strings.Join([]string{credentials.String(), credentials.GoString()}, " "))
	if strings.Contains(text.String(), "the-") || !strings.Contains(text.String(), "AKLTkey") {
		t.Error(text.String())
	}
	_, err := rtcmsg.New(rtcmsg.WithSetting("volcengine.secret_key", "the-\tsecret"))
	if err != nil && strings.Contains(err.Error(), "the-") {
		t.Error(err)
	}
}
