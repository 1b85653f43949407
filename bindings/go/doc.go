// Package rtcmsg sends messages from a server to users of Volcengine RTC, Volcengine IM and ZEGO, and reports the result for
// every recipient.
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
//	case errors.Is(err, rtcmsg.ErrOutcomeUnknown): // send again only if a duplicate is harmless
//	}
//
// The package calls librtcmsg through cgo and finds it with pkg-config (rtcmsg.pc). With -tags rtcmsg_static the library is
// linked into the program. docs/CONFIGURATION.md describes the settings, and docs/DELIVERY.md the errors and deliveries.
//
// # Goroutines and threads
//
// A goroutine that waits for its result does not occupy a thread: ten thousand goroutines that send at the same time need the
// library's workers (worker.threads, 8) and a few threads for the short calls into the library. Go's network poller waits
// for the completions. Only [Client.CallAction], [Client.Flush] and [Client.Close] occupy a thread while they wait.
//
// # Testing
//
// Package rtcmsgtest starts an emulator of both vendors on loopback.
package rtcmsg
