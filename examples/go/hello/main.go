package main

import (
	"context"
	"fmt"
	"log"

	"github.com/rtcmsg/rtcmsg/bindings/go"
)

func main() {
	client, err := rtcmsg.New(rtcmsg.WithEnvironment())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close(context.Background())

	report, err := client.SendCustomCommandToUsers(context.Background(), rtcmsg.CustomCommandToUsers{
		RoomID: "lobby", From: "server", To: []string{"alice", "bob"}, Text: "dinner is ready",
	})
	if err != nil {
		log.Print(err)
	}
	if report != nil {
		for _, recipient := range report.Recipients {
			fmt.Printf("%s: %v\n", recipient.User, recipient.Delivery)
		}
	}
}
