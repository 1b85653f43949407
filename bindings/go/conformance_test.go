package rtcmsg_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/rtcmsg/rtcmsg/bindings/go"
	"github.com/rtcmsg/rtcmsg/bindings/go/rtcmsgtest"
)

// The tests of all languages run this table. Its member "about" explains the fields.
const conformanceFile = "../../tests/conformance.json"

type conformanceTable struct {
	About    []string             `json:"about"`
	World    [][2]json.RawMessage `json:"world"`
	Settings map[string]string    `json:"settings"`
	Cases    []conformanceCase    `json:"cases"`
}

type conformanceCase struct {
	Name     string             `json:"name"`
	Settings map[string]string  `json:"settings"`
	Faults   []json.RawMessage  `json:"faults"`
	Message  conformanceMessage `json:"message"`
	Error    *struct {
		Code    string `json:"code"`
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"error"`
	Code       string         `json:"code"`
	Delivery   string         `json:"delivery"`
	Recipients []recipientRow `json:"recipients"`
	Each       *recipientRow  `json:"each"`
	Requests   int            `json:"requests"`
	Attempts   int            `json:"attempts"`
	Request    *requestRow    `json:"request"`
	Arrived    map[string]int `json:"arrived"`
}

type conformanceMessage struct {
	Action         string   `json:"action"`
	RoomID         string   `json:"room_id"`
	From           string   `json:"from"`
	To             []string `json:"to"`
	ToRange        []any    `json:"to_range"`
	ConversationID int64    `json:"conversation_id"`
	SenderID       int64    `json:"sender_id"`
	MsgType        int32    `json:"msg_type"`
	UserIDs        []int64  `json:"user_ids"`
	Text           string   `json:"text"`
	TextRepeat     []any    `json:"text_repeat"`
	Base64         *string  `json:"base64"`
}

type recipientRow struct {
	User          any         `json:"user"`
	Delivery      string      `json:"delivery"`
	Code          string      `json:"code"`
	VendorCode    int         `json:"vendor_code"`
	VendorMessage string      `json:"vendor_message"`
	Devices       []deviceRow `json:"devices"`
}

type deviceRow struct {
	Platform      string `json:"platform"`
	VendorMessage string `json:"vendor_message"`
	Delivery      string `json:"delivery"`
}

type requestRow struct {
	VendorError *string `json:"vendor_error"`
	VendorCode  *int    `json:"vendor_code"`
	HTTPStatus  *int    `json:"http_status"`
}

func TestTheConformanceTableHolds(t *testing.T) {
	file, err := os.Open(conformanceFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// A member that this test does not know would not be tested.
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	var table conformanceTable
	if err := decoder.Decode(&table); err != nil {
		t.Fatal(err)
	}
	if len(table.Cases) == 0 {
		t.Fatal("no cases")
	}
	ways := map[string]func(*rtcmsg.Client, context.Context, rtcmsg.Message) (*rtcmsg.Report, error){
		"send": sendTyped,
		"submit": func(client *rtcmsg.Client, ctx context.Context, message rtcmsg.Message) (*rtcmsg.Report, error) {
			submission, err := client.Submit(ctx, message)
			if err != nil {
				return nil, err
			}
			return submission.Wait(ctx)
		},
	}
	emulator := rtcmsgtest.Start(t, "--no-quota")
	for _, c := range table.Cases {
		for way, send := range ways {
			t.Run(c.Name+"/"+way, func(t *testing.T) {
				prepare(t, emulator, &table, &c)
				settings := emulator.Settings()
				maps.Copy(settings, table.Settings)
				maps.Copy(settings, c.Settings)
				report, err := send(connect(t, settings), bounded(t), c.message(t))
				c.hold(t, report, err)
				for inbox, expected := range c.Arrived {
					vendor, user, _ := strings.Cut(inbox, " ")
					if found := bytes.Count([]byte(strings.Join(payloads(t, emulator, vendor, user), "\x00")+"\x00"), []byte(c.payload(t)+"\x00")); found != expected {
						t.Errorf("the inbox of %s contains it %d times, not %d", inbox, found, expected)
					}
				}
			})
		}
	}
}

func prepare(t *testing.T, emulator *rtcmsgtest.Emulator, table *conformanceTable, c *conformanceCase) {
	t.Helper()
	control(t, emulator, "reset", nil)
	for _, request := range table.World {
		var path string
		if err := json.Unmarshal(request[0], &path); err != nil {
			t.Fatal(err)
		}
		control(t, emulator, path, request[1])
	}
	for _, fault := range c.Faults {
		control(t, emulator, "faults", fault)
	}
}

func sendTyped(client *rtcmsg.Client, ctx context.Context, message rtcmsg.Message) (*rtcmsg.Report, error) {
	switch m := message.(type) {
	case rtcmsg.Unicast:
		return client.SendUnicast(ctx, m)
	case rtcmsg.RoomUnicast:
		return client.SendRoomUnicast(ctx, m)
	case rtcmsg.BatchRoomUnicast:
		return client.BatchSendRoomUnicast(ctx, m)
	case rtcmsg.Broadcast:
		return client.SendBroadcast(ctx, m)
	case rtcmsg.P2PMessageToUsers:
		return client.P2PSendMessageToUsers(ctx, m)
	case rtcmsg.P2PMessageToAll:
		return client.P2PSendMessageToAll(ctx, m)
	case rtcmsg.P2PMessageToAllExcept:
		return client.P2PSendMessageToAllExcept(ctx, m)
	case rtcmsg.CustomCommandToUsers:
		return client.SendCustomCommandToUsers(ctx, m)
	case rtcmsg.CustomCommandToRoom:
		return client.SendCustomCommandToRoom(ctx, m)
	}
	return nil, fmt.Errorf("%T has no method", message)
}

func (c *conformanceCase) binary(t *testing.T) []byte {
	if c.Message.Base64 == nil {
		return nil
	}
	binary, err := base64.StdEncoding.DecodeString(*c.Message.Base64)
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

func (c *conformanceCase) text() string {
	if repeat := c.Message.TextRepeat; repeat != nil {
		return strings.Repeat(repeat[0].(string), int(repeat[1].(float64)))
	}
	return c.Message.Text
}

func (c *conformanceCase) payload(t *testing.T) string {
	return c.text() + string(c.binary(t))
}

func (c *conformanceCase) recipients() []string {
	if c.Message.ToRange == nil {
		return c.Message.To
	}
	users := make([]string, int(c.Message.ToRange[1].(float64)))
	for i := range users {
		users[i] = strings.ReplaceAll(c.Message.ToRange[0].(string), "%d", fmt.Sprint(i+1))
	}
	return users
}

func (c *conformanceCase) message(t *testing.T) rtcmsg.Message {
	t.Helper()
	m, text, to, binary := &c.Message, c.text(), c.recipients(), c.binary(t)
	switch m.Action {
	case "SendUnicast":
		return rtcmsg.Unicast{From: m.From, To: to[0], Text: text, Binary: binary}
	case "SendRoomUnicast":
		return rtcmsg.RoomUnicast{RoomID: m.RoomID, From: m.From, To: to[0], Text: text, Binary: binary}
	case "BatchSendRoomUnicast":
		return rtcmsg.BatchRoomUnicast{RoomID: m.RoomID, From: m.From, To: to, Text: text, Binary: binary}
	case "SendBroadcast":
		return rtcmsg.Broadcast{RoomID: m.RoomID, From: m.From, Text: text, Binary: binary}
	case "P2PSendMessageToUsers":
		return rtcmsg.P2PMessageToUsers{ConversationID: m.ConversationID, SenderID: m.SenderID, MsgType: m.MsgType, UserIDs: m.UserIDs, Text: text}
	case "P2PSendMessageToAll":
		return rtcmsg.P2PMessageToAll{ConversationID: m.ConversationID, SenderID: m.SenderID, MsgType: m.MsgType, Text: text}
	case "P2PSendMessageToAllExcept":
		return rtcmsg.P2PMessageToAllExcept{ConversationID: m.ConversationID, SenderID: m.SenderID, MsgType: m.MsgType, UserIDs: m.UserIDs, Text: text}
	case "SendCustomCommandToUsers":
		return rtcmsg.CustomCommandToUsers{RoomID: m.RoomID, From: m.From, To: to, Text: text}
	case "SendCustomCommandToRoom":
		return rtcmsg.CustomCommandToRoom{RoomID: m.RoomID, From: m.From, Text: text}
	}
	t.Fatalf("no such action: %s", m.Action)
	return nil
}

func (c *conformanceCase) hold(t *testing.T, report *rtcmsg.Report, err error) {
	t.Helper()
	if c.Error != nil {
		failed := asError(t, err)
		if report != nil || failed.Code.String() != c.Error.Code || failed.Field != c.Error.Field || failed.Message != c.Error.Message {
			t.Errorf("%v, %v", report, err)
		}
		return
	}
	if report == nil {
		t.Fatal(err)
	}
	if report.Code.String() != c.Code || report.Delivery.String() != c.Delivery || (err == nil) != (report.Code == rtcmsg.CodeOK) {
		t.Errorf("%v, %v, %v; expected %s, %s", report.Code, report.Delivery, err, c.Code, c.Delivery)
	}
	attempts := 0
	for _, request := range report.Requests {
		attempts += len(request.Attempts)
	}
	if len(report.Requests) != c.Requests || attempts != c.Attempts {
		t.Errorf("%d requests, %d attempts; expected %d, %d", len(report.Requests), attempts, c.Requests, c.Attempts)
	}
	c.holdRecipients(t, report)
	if c.Request != nil {
		first := report.Requests[0]
		holdValue(t, "vendor_error", first.VendorError, c.Request.VendorError)
		holdValue(t, "vendor_code", first.VendorCode, c.Request.VendorCode)
		holdValue(t, "http_status", first.HTTPStatus, c.Request.HTTPStatus)
	}
}

func holdValue[T comparable](t *testing.T, name string, found T, expected *T) {
	t.Helper()
	if expected != nil && found != *expected {
		t.Errorf("%s is %v, not %v", name, found, *expected)
	}
}

func (c *conformanceCase) holdRecipients(t *testing.T, report *rtcmsg.Report) {
	t.Helper()
	expected := c.Recipients
	if c.Each != nil {
		for _, user := range c.recipients() {
			row := *c.Each
			row.User = user
			expected = append(expected, row)
		}
	}
	if len(report.Recipients) != len(expected) {
		t.Fatalf("%d recipients, not %d", len(report.Recipients), len(expected))
	}
	for i, recipient := range report.Recipients {
		row := recipientRow{
			User:          recipient.User,
			Delivery:      recipient.Delivery.String(),
			Code:          recipient.Code.String(),
			VendorCode:    recipient.VendorCode,
			VendorMessage: recipient.VendorMessage,
		}
		if recipient.UserID != 0 {
			row.User = float64(recipient.UserID)
		}
		for _, device := range recipient.Devices {
			row.Devices = append(row.Devices, deviceRow{device.Platform, device.VendorMessage, device.Delivery.String()})
		}
		if found, expected := fmt.Sprintf("%+v", row), fmt.Sprintf("%+v", expected[i]); found != expected {
			t.Errorf("recipient %d is %s, not %s", i, found, expected)
		}
	}
}
