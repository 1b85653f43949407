package rtcmsg_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/rtcmsg/rtcmsg/bindings/go"
	"github.com/rtcmsg/rtcmsg/bindings/go/rtcmsgtest"
)

// emulated returns a client of an emulator in which alice is in the lobby and bob is not, and a function that stops both.
func emulated() (*rtcmsg.Client, func()) {
	emulator, err := rtcmsgtest.New()
	if err != nil {
		log.Fatal(err)
	}
	for path, body := range map[string]any{
		"volcengine/join": map[string]any{"room_id": "lobby", "user_id": "alice"},
		"zego/join":       map[string]any{"room_id": "lobby", "user_id": "alice"},
		"zego/known":      map[string]any{"user_id": "bob"},
		"im/join":         map[string]any{"conversation_id": 1, "user_id": 10001, "devices": []string{"Web"}},
	} {
		if err := emulator.Control(path, body, nil); err != nil {
			log.Fatal(err)
		}
	}
	client, err := rtcmsg.New(rtcmsg.WithSettings(emulator.Settings()))
	if err != nil {
		log.Fatal(err)
	}
	return client, func() {
		if err := client.Close(context.Background()); err != nil {
			log.Fatal(err)
		}
		emulator.Stop()
	}
}

func ExampleNew() {
	client, err := rtcmsg.New(
		rtcmsg.WithSetting("zego.app_id", "1234567890"),
		rtcmsg.WithSetting("zego.server_secret", "0123456789abcdef0123456789abcdef"),
		rtcmsg.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close(context.Background())

	_, err = client.SendCustomCommandToUsers(context.Background(),
		rtcmsg.CustomCommandToUsers{RoomID: "lobby", From: "server", Text: "dinner is ready"})
	fmt.Println(err)
	// Output: rtcmsg: RTCMSG_ERR_INVALID_ARGUMENT: to: the list is empty; SendCustomCommand accepts 1 to 100,000 entries, and a separate action sends to all
}

func ExampleClient_SendUnicast() {
	client, stop := emulated()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	report, err := client.SendUnicast(ctx, rtcmsg.Unicast{From: "server", To: "alice", Text: "you have mail"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Delivery)
	// Output: RTCMSG_DELIVERY_ACCEPTED
}

func ExampleClient_SendRoomUnicast() {
	client, stop := emulated()
	defer stop()

	report, err := client.SendRoomUnicast(context.Background(),
		rtcmsg.RoomUnicast{RoomID: "lobby", From: "server", To: "alice", Binary: []byte{0, 1, 0xfe, 0xff}})
	fmt.Println(report.Delivery, err)
	// Output: RTCMSG_DELIVERY_ACCEPTED <nil>
}

func ExampleClient_BatchSendRoomUnicast() {
	client, stop := emulated()
	defer stop()

	report, err := client.BatchSendRoomUnicast(context.Background(),
		rtcmsg.BatchRoomUnicast{RoomID: "lobby", From: "server", To: []string{"alice", "bob"}, Text: "round 2 begins"})
	fmt.Println(report.Count(rtcmsg.Accepted), err)
	// Output: 2 <nil>
}

func ExampleClient_SendBroadcast() {
	client, stop := emulated()
	defer stop()

	report, err := client.SendBroadcast(context.Background(),
		rtcmsg.Broadcast{RoomID: "lobby", From: "server", Text: "round 2 begins"}, rtcmsg.Urgent())
	fmt.Println(report.Delivery, err)
	// Output: RTCMSG_DELIVERY_ACCEPTED <nil>
}

func ExampleClient_P2PSendMessageToUsers() {
	client, stop := emulated()
	defer stop()

	report, err := client.P2PSendMessageToUsers(context.Background(), rtcmsg.P2PMessageToUsers{
		ConversationID: 1, SenderID: 10001, MsgType: 10013, UserIDs: []int64{10001}, Text: `{"type":1000}`})
	if err != nil {
		log.Fatal(err)
	}
	for _, recipient := range report.Recipients {
		fmt.Println(recipient.UserID, recipient.Delivery, recipient.Devices)
	}
	// Output: 10001 RTCMSG_DELIVERY_DELIVERED [{Web SUCCESS RTCMSG_DELIVERY_DELIVERED}]
}

func ExampleClient_SendCustomCommandToUsers() {
	client, stop := emulated()
	defer stop()

	report, err := client.SendCustomCommandToUsers(context.Background(),
		rtcmsg.CustomCommandToUsers{RoomID: "lobby", From: "server", To: []string{"alice", "bob"}, Text: "dinner is ready"})
	if errors.Is(err, rtcmsg.ErrPartial) {
		for _, recipient := range report.Recipients {
			fmt.Println(recipient.User, recipient.Delivery)
		}
	}
	// Output:
	// alice RTCMSG_DELIVERY_ACCEPTED
	// bob RTCMSG_DELIVERY_NOT_DELIVERED
}

// A submission lets a program continue and wait for the result later.
func ExampleClient_Submit() {
	client, stop := emulated()
	defer stop()
	ctx := context.Background()

	var submissions []*rtcmsg.Submission
	for _, text := range []string{"ready", "steady", "go"} {
		submission, err := client.Submit(ctx, rtcmsg.Unicast{From: "server", To: "alice", Text: text})
		if err != nil {
			log.Fatal(err)
		}
		submissions = append(submissions, submission)
	}
	for _, submission := range submissions {
		report, err := submission.Wait(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(report.Delivery)
	}
	// Output:
	// RTCMSG_DELIVERY_ACCEPTED
	// RTCMSG_DELIVERY_ACCEPTED
	// RTCMSG_DELIVERY_ACCEPTED
}

// An error says whether it is safe to send again.
func ExampleError() {
	client, stop := emulated()
	defer stop()

	_, err := client.SendUnicast(context.Background(), rtcmsg.Unicast{From: "the server", To: "alice", Text: "hi"})
	switch {
	case err == nil:
	case errors.Is(err, rtcmsg.ErrOutcomeUnknown):
		fmt.Println("send again only if a duplicate is harmless")
	case errors.Is(err, rtcmsg.ErrInvalidArgument):
		var failed *rtcmsg.Error
		errors.As(err, &failed)
		fmt.Printf("fix %s: %s\n", failed.Field, failed.Message)
	case errors.Is(err, rtcmsg.ErrNotSent):
		fmt.Println("send again")
	}
	// Output: fix from: contains ' '; Volcengine ids consist of letters, digits, _ @ - and .
}
