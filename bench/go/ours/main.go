// rtcmsg through Go: goroutines that send and wait, all with one client. `ours submit ...` submits instead: one goroutine
// keeps THREADS messages in flight.
package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	bench "rtcmsg.invalid/bench"

	rtcmsg "github.com/rtcmsg/rtcmsg/bindings/go"
)

func main() {
	submits := len(os.Args) > 1 && os.Args[1] == "submit"
	if submits {
		os.Args = append(os.Args[:1], os.Args[2:]...)
	}
	run := bench.Arguments()
	client := newClient(run)
	message := newMessage(run)
	ctx := context.Background()
	if submits {
		submit(ctx, run, client, message)
	} else {
		bench.Go(run, func() error {
			// All go to one destination: in order, one would wait for the other.
			_, err := client.Send(ctx, message, rtcmsg.Unordered())
			return err
		})
	}
	if err := client.Close(ctx); err != nil {
		bench.Fail(err.Error())
	}
}

func newClient(run bench.Run) *rtcmsg.Client {
	settings := map[string]string{
		"volcengine.endpoint":   run.URL,
		"volcengine.access_key": "AKLTdemo",
		"volcengine.secret_key": "demo-secret-key==",
		"volcengine.rtc_app_id": "661e000000000000000demo1",
		"zego.endpoint":         run.URL,
		"zego.app_id":           "1234567890",
		"zego.server_secret":    "0123456789abcdef0123456789abcdef",
		"quota.mode":            "off",
		"worker.threads":        strconv.Itoa(run.Threads),
	}
	if strings.HasPrefix(run.URL, "https") {
		settings["tls.ca_file"] = os.Getenv("BENCH_CA")
	}
	client, err := rtcmsg.New(rtcmsg.WithSettings(settings))
	if err != nil {
		bench.Fail(err.Error())
	}
	return client
}

func newMessage(run bench.Run) rtcmsg.Message {
	switch run.Case {
	case "batch-600":
		return rtcmsg.BatchRoomUnicast{RoomID: run.Room, From: run.From, To: run.To, Text: run.Text}
	case "command-10":
		return rtcmsg.CustomCommandToUsers{RoomID: run.Room, From: run.From, To: run.To, Text: run.Text}
	default:
		return rtcmsg.Unicast{From: run.From, To: run.To[0], Text: run.Text}
	}
}

type flight struct {
	submission *rtcmsg.Submission
	begun      time.Time
}

func submit(ctx context.Context, run bench.Run, client *rtcmsg.Client, message rtcmsg.Message) {
	begin := func() flight {
		begun := time.Now()
		submission, err := client.Submit(ctx, message, rtcmsg.Unordered())
		if err != nil {
			bench.Fail(err.Error())
		}
		return flight{submission, begun}
	}
	sendAll := func(count int) []int64 {
		samples := make([]int64, 0, count)
		window := make(chan flight, run.Threads)
		begun := 0
		for ; begun < min(run.Threads, count); begun++ {
			window <- begin()
		}
		for len(samples) < count {
			first := <-window
			if _, err := first.submission.Wait(ctx); err != nil {
				bench.Fail(err.Error())
			}
			samples = append(samples, time.Since(first.begun).Nanoseconds())
			if begun < count {
				begun++
				window <- begin()
			}
		}
		return samples
	}
	sendAll(run.Threads * bench.WarmUp)
	wall, cpu := time.Now(), bench.CPUNanoseconds()
	samples := sendAll(run.Count)
	bench.Print(samples, time.Since(wall).Nanoseconds(), bench.CPUNanoseconds()-cpu)
}
