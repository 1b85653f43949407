// Package rtcmsg sends server-side messages to the users of Volcengine RTC, Volcengine IM and ZEGO, and tells for every
// recipient what became of the message.
//
//	client, err := rtcmsg.New(rtcmsg.WithEnvironment())
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer client.Close(context.Background())
//
//	report, err := client.SendCustomCommandToUsers(ctx, rtcmsg.CustomCommandToUsers{
//		RoomID: "lobby", From: "server", To: []string{"alice", "bob"}, Text: "dinner is ready",
//	})
//	switch {
//	case errors.Is(err, rtcmsg.ErrNotSent):        // safe to send again
//	case errors.Is(err, rtcmsg.ErrOutcomeUnknown): // send again only if twice is harmless
//	}
//
// It is a binding of librtcmsg by cgo, which pkg-config finds (rtcmsg.pc); with -tags rtcmsg_static the library is linked
// into the program. Settings are those of docs/CONFIGURATION.md, errors and deliveries those of docs/DELIVERY.md.
//
// # Goroutines and threads
//
// A send waits in Go: ten thousand goroutines that send at once need the library's worker.threads (8) and a few threads for
// the short calls into the library. Completions come by Go's own poller. Only [Client.Call], [Client.Flush] and
// [Client.Close] occupy a thread while they wait.
//
// # Testing
//
// Package rtcmsgtest starts an emulator of both vendors on loopback.
package rtcmsg
