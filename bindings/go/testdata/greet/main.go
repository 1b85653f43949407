// Greet is a program that the tests link with the shared and with the static library.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/rtcmsg/rtcmsg/bindings/go"
)

func main() {
	client, err := rtcmsg.New(rtcmsg.WithEnvironment())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	report, err := client.SendCustomCommandToUsers(context.Background(),
		rtcmsg.CustomCommandToUsers{RoomID: "lobby", From: "server", To: []string{"alice"}, Text: "hello"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, recipient := range report.Recipients {
		fmt.Printf("%s: %v\n", recipient.User, recipient.Delivery)
	}
	if err := client.Close(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
