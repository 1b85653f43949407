// Growth sends many messages, after some to warm up, and prints by how many bytes the C heap grew.
package main

// #include <malloc.h>
//
// static size_t in_use(void) { return mallinfo2().uordblks; }
import "C"

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rtcmsg/rtcmsg/bindings/go"
)

const senders, warmUp, rounds = 8, 20, 100

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	client, err := rtcmsg.New(rtcmsg.WithEnvironment())
	if err != nil {
		return err
	}
	defer client.Close(context.Background())
	sendMany(client, warmUp)
	before := C.in_use()
	sendMany(client, rounds)
	fmt.Println(int64(C.in_use()) - int64(before))
	return nil
}

// sendMany sends in every way: it waits, submits without waiting, posts, abandons, and sends what is refused, to long lists.
func sendMany(client *rtcmsg.Client, rounds int) {
	to := make([]string, 40)
	for i := range to {
		to[i] = fmt.Sprintf("user-%d", i)
	}
	var done sync.WaitGroup
	for range senders {
		done.Add(1)
		go func() {
			defer done.Done()
			ctx := context.Background()
			message := rtcmsg.BatchRoomUnicast{RoomID: "lobby", From: "server", To: to, Text: "hi"}
			for range rounds {
				client.BatchSendRoomUnicast(ctx, message)
				client.Submit(ctx, message, rtcmsg.Unordered())
				client.Post(ctx, message, rtcmsg.Unordered())
				client.BatchSendRoomUnicast(ctx, rtcmsg.BatchRoomUnicast{})
				client.CallAction(ctx, rtcmsg.Volcengine, "GetNothing", "2020-12-01", []byte(`{}`))
				short, cancel := context.WithTimeout(ctx, time.Millisecond)
				client.BatchSendRoomUnicast(short, message)
				cancel()
			}
		}()
	}
	done.Wait()
	client.Flush(context.Background())
	for client.Pending() > 0 {
		time.Sleep(time.Millisecond)
	}
}
