package rtcmsg_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/rtcmsg/rtcmsg/bindings/go"
)

func TestEveryActionReachesItsRecipients(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	bytes := []byte{0, 1, 0xfe, 0xff}
	const user, id = "alice", "10001"
	cases := []struct {
		name     string
		send     func(ctx context.Context) (*rtcmsg.Report, error)
		vendor   string
		user     string
		payload  string
		copies   int
		delivery rtcmsg.Delivery
	}{
		{"SendUnicast", func(ctx context.Context) (*rtcmsg.Report, error) {
			return client.SendUnicast(ctx, rtcmsg.Unicast{From: "server", To: user, Text: "unicast"})
		}, "volcengine", user, "unicast", 1, rtcmsg.Accepted},
		{"SendUnicast of bytes", func(ctx context.Context) (*rtcmsg.Report, error) {
			return client.SendUnicast(ctx, rtcmsg.Unicast{From: "server", To: user, Binary: bytes})
		}, "volcengine", user, string(bytes), 1, rtcmsg.Accepted},
		{"SendRoomUnicast", func(ctx context.Context) (*rtcmsg.Report, error) {
			return client.SendRoomUnicast(ctx, rtcmsg.RoomUnicast{RoomID: "lobby", From: "server", To: user, Text: "room unicast"})
		}, "volcengine", user, "room unicast", 1, rtcmsg.Accepted},
		{"BatchSendRoomUnicast", func(ctx context.Context) (*rtcmsg.Report, error) {
			return client.BatchSendRoomUnicast(ctx, rtcmsg.BatchRoomUnicast{RoomID: "lobby", From: "server", To: []string{user, "bob"}, Text: "batch"})
		}, "volcengine", user, "batch", 1, rtcmsg.Accepted},
		{"SendBroadcast", func(ctx context.Context) (*rtcmsg.Report, error) {
			return client.SendBroadcast(ctx, rtcmsg.Broadcast{RoomID: "lobby", From: "server", Text: "broadcast"})
		}, "volcengine", user, "broadcast", 1, rtcmsg.Accepted},
		{"P2PSendMessageToUsers", func(ctx context.Context) (*rtcmsg.Report, error) {
			return client.P2PSendMessageToUsers(ctx, rtcmsg.P2PMessageToUsers{ConversationID: conversation, SenderID: 10008, MsgType: 10013, UserIDs: []int64{10001}, Text: "to users"})
		}, "im", id, "to users", 2, rtcmsg.Delivered},
		{"P2PSendMessageToAll", func(ctx context.Context) (*rtcmsg.Report, error) {
			return client.P2PSendMessageToAll(ctx, rtcmsg.P2PMessageToAll{ConversationID: conversation, SenderID: 10008, MsgType: 10013, Text: "to all"})
		}, "im", id, "to all", 2, rtcmsg.NotDelivered},
		{"P2PSendMessageToAllExcept", func(ctx context.Context) (*rtcmsg.Report, error) {
			return client.P2PSendMessageToAllExcept(ctx, rtcmsg.P2PMessageToAllExcept{ConversationID: conversation, SenderID: 10008, MsgType: 10013, UserIDs: []int64{10002, 10008}, Text: "all but"})
		}, "im", id, "all but", 2, rtcmsg.Accepted},
		{"SendCustomCommandToUsers", func(ctx context.Context) (*rtcmsg.Report, error) {
			return client.SendCustomCommandToUsers(ctx, rtcmsg.CustomCommandToUsers{RoomID: "lobby", From: "server", To: []string{"bob", user}, Text: "命令 a+b"})
		}, "zego", user, "命令 a+b", 1, rtcmsg.Accepted},
		{"SendCustomCommandToRoom", func(ctx context.Context) (*rtcmsg.Report, error) {
			return client.SendCustomCommandToRoom(ctx, rtcmsg.CustomCommandToRoom{RoomID: "lobby", From: "server", Text: "room command"})
		}, "zego", user, "room command", 1, rtcmsg.Accepted},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			report, err := c.send(bounded(t))
			if report == nil {
				t.Fatal(err)
			}
			if (err == nil) != (c.delivery != rtcmsg.NotDelivered) || report.Delivery != c.delivery {
				t.Errorf("%v, %v; %v expected", report.Delivery, err, c.delivery)
			}
			found := 0
			for _, payload := range payloads(t, emulator, c.vendor, c.user) {
				if payload == c.payload {
					found++
				}
			}
			if found != c.copies {
				t.Errorf("the inbox contains it %d times, not %d", found, c.copies)
			}
		})
	}
}

// A buffer of a connection or a ring: a struct that contains the bytes and also a pointer.
type frame struct {
	buffer [64]byte
	next   *frame
}

func TestBytesMayBePartOfAStructWithAPointer(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	f := &frame{next: &frame{}}
	payload := f.buffer[:copy(f.buffer[:], "framed")]
	for _, message := range []rtcmsg.Message{
		rtcmsg.Unicast{From: "server", To: "alice", Binary: payload},
		rtcmsg.RoomUnicast{RoomID: "lobby", From: "server", To: "alice", Binary: payload},
		rtcmsg.BatchRoomUnicast{RoomID: "lobby", From: "server", To: []string{"alice"}, Binary: payload},
		rtcmsg.Broadcast{RoomID: "lobby", From: "server", Binary: payload},
	} {
		if err := client.Check(message); err != nil {
			t.Error(err)
		}
		if _, err := client.Send(bounded(t), message); err != nil {
			t.Error(err)
		}
		if err := client.Post(bounded(t), message); err != nil {
			t.Error(err)
		}
	}
	if err := client.Flush(bounded(t)); err != nil {
		t.Fatal(err)
	}
	found := payloads(t, emulator, "volcengine", "alice")
	for _, payload := range found {
		if payload != "framed" {
			t.Errorf("%q arrived", payload)
		}
	}
	if len(found) != 8 {
		t.Errorf("the inbox contains %q", found)
	}
	runtime.KeepAlive(f)
}

func TestAReportHasAllRowsOfTheLibrary(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	report, err := client.P2PSendMessageToUsers(bounded(t), rtcmsg.P2PMessageToUsers{
		ConversationID: conversation, SenderID: 10008, MsgType: 1, UserIDs: []int64{10001, 10002}, Text: "hi"})
	if !errors.Is(err, rtcmsg.ErrPartial) || asError(t, err).Report != report || asError(t, err).Message != report.Summary {
		t.Fatalf("%v", err)
	}
	if len(report.Requests) != 1 || report.Requests[0].HTTPStatus != 200 || report.Requests[0].RequestID == "" {
		t.Errorf("requests: %+v", report.Requests)
	}
	if attempts := report.Requests[0].Attempts; len(attempts) != 1 || attempts[0].HTTPStatus != 200 || attempts[0].Code != report.Requests[0].Code {
		t.Errorf("attempts: %+v", attempts)
	}
	expected := []rtcmsg.Recipient{
		{UserID: 10001, Delivery: rtcmsg.Delivered, Code: rtcmsg.CodeOK, VendorMessage: "SUCCESS", Devices: []rtcmsg.Device{
			{Platform: "Web", VendorMessage: "SUCCESS", Delivery: rtcmsg.Delivered},
			{Platform: "IOS", VendorMessage: "SUCCESS", Delivery: rtcmsg.Delivered}}},
		{UserID: 10002, Delivery: rtcmsg.NotDelivered, Code: rtcmsg.CodeUndelivered, VendorMessage: "NOT_ONLINE", Devices: []rtcmsg.Device{
			{Platform: "Default", VendorMessage: "NOT_ONLINE", Delivery: rtcmsg.NotDelivered}}},
	}
	if !reflect.DeepEqual(report.Recipients, expected) {
		t.Errorf("recipients: %+v", report.Recipients)
	}
	if report.Count(rtcmsg.Delivered) != 1 || report.Count(rtcmsg.Unknown) != 0 {
		t.Error("the counts differ from the rows")
	}
}

func TestALongListIsOneReport(t *testing.T) {
	_, settings := start(t)
	client := connect(t, settings)
	to := make([]string, 1500)
	for i := range to {
		to[i] = "user-" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
	}
	report, err := client.BatchSendRoomUnicast(bounded(t), rtcmsg.BatchRoomUnicast{RoomID: "lobby", From: "server", To: to, Text: "hi"})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Requests) != 3 || len(report.Recipients) != len(to) {
		t.Fatalf("%d requests, %d recipients", len(report.Requests), len(report.Recipients))
	}
	for i, recipient := range report.Recipients {
		if recipient.User != to[i] || recipient.Request != i/600 {
			t.Fatalf("recipient %d: %+v", i, recipient)
		}
	}
}

func TestCallActionReturnsTheRawResponse(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	report, err := client.CallAction(bounded(t), rtcmsg.ZEGO, "SendBroadcastMessage", "",
		[]byte(`{"RoomId":"lobby","UserId":"server","UserName":"server","MessageCategory":1,"MessageContent":"hi"}`))
	if err != nil {
		t.Fatal(err)
	}
	if report.Delivery != rtcmsg.Accepted || len(report.Body) == 0 || report.Body[0] != '{' {
		t.Errorf("%v, body %q", report.Delivery, report.Body)
	}
	_, err = client.CallAction(bounded(t), rtcmsg.Volcengine, "GetSomethingElse", "2020-12-01", []byte(`{}`))
	if failed := asError(t, err); failed.Report == nil || len(failed.Report.Body) == 0 {
		t.Errorf("%v has no answer", err)
	}
}

func TestCredentialsAreReplacedOnAClientThatRuns(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	secret := settings["volcengine.secret_key"]
	settings["volcengine.secret_key"] = "wrong"
	client := connect(t, settings)
	message := rtcmsg.Unicast{From: "server", To: "alice", Text: "hi"}
	if _, err := client.SendUnicast(bounded(t), message); !errors.Is(err, rtcmsg.ErrUnauthenticated) {
		t.Errorf("%v with a wrong key", err)
	}
	right := rtcmsg.Credentials{KeyID: settings["volcengine.access_key"], Secret: secret}
	if err := client.SetCredentials(rtcmsg.Volcengine, right); err != nil {
		t.Fatal(err)
	}
	if _, err := client.SendUnicast(bounded(t), message); err != nil {
		t.Errorf("%v with the right key", err)
	}
	if err := client.SetCredentials(rtcmsg.Volcengine, rtcmsg.Credentials{}); asError(t, err).Field != "key_id" {
		t.Errorf("%v without any key", err)
	}
}

func TestASubmissionGivesItsResultToEveryCaller(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	submission, err := client.Submit(bounded(t), rtcmsg.Unicast{From: "server", To: "alice", Text: "hi"})
	if err != nil {
		t.Fatal(err)
	}
	if submission.ID() == 0 {
		t.Error("no id")
	}
	<-submission.Done()
	for range 2 {
		if report, err := submission.Wait(bounded(t)); err != nil || report.Delivery != rtcmsg.Accepted {
			t.Errorf("%v, %v", report, err)
		}
	}
	if err := submission.Cancel(); !errors.Is(err, rtcmsg.ErrNotFound) {
		t.Errorf("%v for a message that is done", err)
	}
}

func TestAPostedMessageArrives(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	if err := client.Post(bounded(t), rtcmsg.Unicast{From: "server", To: "alice", Text: "posted"}); err != nil {
		t.Fatal(err)
	}
	if err := client.Flush(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if found := payloads(t, emulator, "volcengine", "alice"); len(found) != 1 || found[0] != "posted" {
		t.Errorf("the inbox contains %q", found)
	}
	if pending := client.Pending(); pending != 0 {
		t.Errorf("%d pending", pending)
	}
}

func TestMessagesOfOneDestinationArriveInOrder(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	var expected []string
	for i := range 50 {
		text := string(rune('0'+i/10)) + string(rune('0'+i%10))
		expected = append(expected, text)
		if _, err := client.Submit(bounded(t), rtcmsg.Unicast{From: "server", To: "alice", Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Flush(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if found := payloads(t, emulator, "volcengine", "alice"); !reflect.DeepEqual(found, expected) {
		t.Errorf("the inbox contains %q", found)
	}
}

func TestSendOptionsAreAccepted(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	message := rtcmsg.Unicast{From: "server", To: "alice", Text: "hi"}
	for _, options := range [][]rtcmsg.SendOption{
		{rtcmsg.Urgent(), rtcmsg.OrderKey(7), rtcmsg.Timeout(safetyNet), rtcmsg.ExpiresIn(safetyNet)},
		{rtcmsg.Unordered()},
		{rtcmsg.Ordered()},
		{rtcmsg.Timeout(rtcmsg.NoTimeout)},
		{rtcmsg.Timeout(0), rtcmsg.ExpiresIn(-1), rtcmsg.Timeout(safetyNet), rtcmsg.ExpiresIn(safetyNet)},
	} {
		if _, err := client.SendUnicast(bounded(t), message, options...); err != nil {
			t.Error(err)
		}
	}
}

func TestBadSendOptionsAreRefused(t *testing.T) {
	_, settings := start(t)
	client := connect(t, settings)
	for _, c := range []struct {
		options     []rtcmsg.SendOption
		field, text string
	}{
		{[]rtcmsg.SendOption{rtcmsg.OrderKey(7), rtcmsg.Unordered()}, "order_key", "must be 0 together with RTCMSG_SUBMIT_UNORDERED"},
		{[]rtcmsg.SendOption{rtcmsg.Unordered(), rtcmsg.Ordered()}, "Ordered", "must not be combined with Unordered"},
		{[]rtcmsg.SendOption{rtcmsg.Timeout(0)}, "Timeout", "is 0s; it must be more than 0, or NoTimeout for no limit"},
		{[]rtcmsg.SendOption{rtcmsg.Timeout(-time.Second)}, "Timeout", "is -1s; it must be more than 0, or NoTimeout for no limit"},
		{[]rtcmsg.SendOption{rtcmsg.ExpiresIn(0)}, "ExpiresIn", "is 0s; it must be more than 0"},
		{[]rtcmsg.SendOption{rtcmsg.ExpiresIn(rtcmsg.NoTimeout)}, "ExpiresIn", "is -1ns; it must be more than 0"},
		{[]rtcmsg.SendOption{rtcmsg.Urgent(), nil}, "options[1]", "must not be nil"},
	} {
		// A context with a deadline gives the same errors.
		for _, ctx := range []context.Context{context.Background(), bounded(t)} {
			_, sendErr := client.Send(ctx, toAlice, c.options...)
			_, submitErr := client.Submit(ctx, toAlice, c.options...)
			for _, err := range []error{sendErr, submitErr, client.Post(ctx, toAlice, c.options...)} {
				failed := asError(t, err)
				if !errors.Is(err, rtcmsg.ErrInvalidArgument) || !errors.Is(err, rtcmsg.ErrNotSent) || failed.Field != c.field || failed.Message != c.text {
					t.Errorf("%v instead of an error of %s", err, c.field)
				}
			}
		}
	}
	for field, option := range map[string]rtcmsg.SendOption{
		"Timeout": rtcmsg.Timeout(0), "ExpiresIn": rtcmsg.ExpiresIn(0), "Ordered": rtcmsg.Ordered(),
		"order_key": rtcmsg.OrderKey(7), "flags": rtcmsg.Unordered(),
	} {
		_, err := client.CallAction(bounded(t), rtcmsg.ZEGO, "Anything", "", []byte(`{}`), option)
		if failed := asError(t, err); !errors.Is(err, rtcmsg.ErrInvalidArgument) || !errors.Is(err, rtcmsg.ErrNotSent) || failed.Field != field {
			t.Errorf("%v instead of an error of %s", err, field)
		}
	}
}

func TestASendDoesNotWaitForOthersToItsDestination(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	control(t, emulator, "faults", map[string]any{"vendor": "volcengine", "stall": true, "processed": true, "count": 1})
	first, err := client.Submit(context.Background(), toAlice)
	if err != nil {
		t.Fatal(err)
	}
	arrived(t, emulator, 1)
	if _, err := client.SendUnicast(bounded(t), toAlice); err != nil {
		t.Error(err)
	}
	select {
	case <-first.Done():
		t.Error("the first message ended before the second")
	default:
	}
	control(t, emulator, "reset", nil)
	<-first.Done()
}

func TestASendWithAnOrderOptionIsOrdered(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	for _, options := range [][]rtcmsg.SendOption{{rtcmsg.Ordered()}, {rtcmsg.OrderKey(0)}, {rtcmsg.OrderKey(7)}} {
		before := len(payloads(t, emulator, "volcengine", "alice"))
		control(t, emulator, "faults", map[string]any{"vendor": "volcengine", "latency_ms": 300, "count": 1})
		first, err := client.Submit(context.Background(), rtcmsg.Unicast{From: "server", To: "alice", Text: "first"}, options...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.SendUnicast(bounded(t), rtcmsg.Unicast{From: "server", To: "alice", Text: "second"}, options...); err != nil {
			t.Fatal(err)
		}
		if _, err := first.Wait(bounded(t)); err != nil {
			t.Error(err)
		}
		if found := payloads(t, emulator, "volcengine", "alice")[before:]; !reflect.DeepEqual(found, []string{"first", "second"}) {
			t.Errorf("the inbox contains %q", found)
		}
	}
}

func TestWarmUpOpensConnections(t *testing.T) {
	_, settings := start(t)
	client := connect(t, settings)
	if err := client.WarmUp(2); err != nil {
		t.Fatal(err)
	}
	if err := client.Flush(bounded(t)); err != nil {
		t.Fatal(err)
	}
	var stats struct {
		HTTP struct {
			Opened int `json:"connections_opened"`
		} `json:"http"`
	}
	text, err := client.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &stats); err != nil || stats.HTTP.Opened != 4 {
		t.Errorf("%v, %s", err, text)
	}
	err = client.WarmUp(-1)
	if failed := asError(t, err); failed.Field != "connections" || failed.Message != "is -1; it must be from 0 to 4,294,967,295" {
		t.Error(err)
	}
}
