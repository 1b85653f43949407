// Quickstart sends each message of both vendors once and prints the result for every recipient.
//
// Settings come from the environment (docs/CONFIGURATION.md). The test runs it against the emulator, where alice is
// online, bob is offline and ghost does not exist.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"

	"github.com/rtcmsg/rtcmsg/bindings/go"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	client, err := rtcmsg.New(rtcmsg.WithEnvironment())
	if err != nil {
		return err
	}
	defer client.Close(context.Background())
	const conversation, sender, msgType = 7221856821303361536, 10008, 10013
	users := []string{"alice", "bob", "ghost"}
	for _, m := range []struct {
		name, everybody string
		message         rtcmsg.Message
	}{
		{"SendUnicast", "", rtcmsg.Unicast{From: "server", To: "alice", Text: "unicast: you have mail"}},
		{"SendRoomUnicast", "", rtcmsg.RoomUnicast{RoomID: "lobby", From: "server", To: "alice", Text: "room unicast: your turn"}},
		{"BatchSendRoomUnicast", "", rtcmsg.BatchRoomUnicast{RoomID: "lobby", From: "server", To: users, Binary: []byte{0, 1, 0xfe, 0xff}}},
		{"SendBroadcast", "(room lobby)", rtcmsg.Broadcast{RoomID: "lobby", From: "server", Text: "broadcast: round 2 begins"}},
		{"P2PSendMessage", "", rtcmsg.P2PMessageToUsers{ConversationID: conversation, SenderID: sender, MsgType: msgType,
			UserIDs: []int64{10001, 10002, 10003}, Text: `{"type":1000}`}},
		{"P2PSendMessage to all", "(conversation)", rtcmsg.P2PMessageToAll{ConversationID: conversation, SenderID: sender, MsgType: msgType,
			Text: `{"type":1001}`}},
		{"P2PSendMessage to all except", "(conversation)", rtcmsg.P2PMessageToAllExcept{ConversationID: conversation, SenderID: sender, MsgType: msgType,
			UserIDs: []int64{10002}, Text: `{"type":1002}`}},
		{"SendCustomCommand", "", rtcmsg.CustomCommandToUsers{RoomID: "lobby", From: "server", To: users, Text: "命令: 你好 a+b"}},
		{"SendCustomCommand to room", "(room lobby)", rtcmsg.CustomCommandToRoom{RoomID: "lobby", From: "server", Text: "command: everybody up"}},
	} {
		report, err := client.Send(context.Background(), m.message)
		if report == nil {
			return fmt.Errorf("%s was not taken in: %w", m.name, err)
		}
		show(out, m.name, m.everybody, report)
	}
	return nil
}

// show prints a row for each recipient, or one row for the whole room if the vendor names no recipient.
func show(out io.Writer, name, everybody string, report *rtcmsg.Report) {
	if len(report.Recipients) == 0 {
		fmt.Fprintf(out, "%-28s %-14s %-22s \n", name, everybody, report.Delivery)
	}
	for _, r := range report.Recipients {
		user := cmp.Or(r.User, strconv.FormatInt(r.UserID, 10))
		fmt.Fprintf(out, "%-28s %-14s %-22s %s\n", name, user, r.Delivery, r.VendorMessage)
	}
}
