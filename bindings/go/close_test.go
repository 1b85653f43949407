package rtcmsg_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/rtcmsg/rtcmsg/bindings/go"
)

func TestCloseWaitsForAcceptedMessages(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	control(t, emulator, "faults", map[string]any{"vendor": "volcengine", "latency_ms": 50})
	var submissions []*rtcmsg.Submission
	for range 5 {
		submission, err := client.Submit(context.Background(), toAlice)
		if err != nil {
			t.Fatal(err)
		}
		submissions = append(submissions, submission)
	}
	if err := client.Close(bounded(t)); err != nil {
		t.Fatal(err)
	}
	for _, submission := range submissions {
		select {
		case <-submission.Done():
		default:
			t.Error("close returned before a completion was handed out")
		}
		if _, err := submission.Wait(bounded(t)); err != nil {
			t.Error(err)
		}
	}
	if found := payloads(t, emulator, "volcengine", "alice"); len(found) != 5 {
		t.Errorf("the inbox contains %q", found)
	}
}

func TestACloseWhoseContextEndsGivesEverySenderAReport(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	stall(t, emulator)
	inFlight, err := client.Submit(context.Background(), toAlice)
	if err != nil {
		t.Fatal(err)
	}
	arrived(t, emulator, 1)
	queued, err := client.Submit(context.Background(), toAlice)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := client.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("close: %v", err)
	}
	if report, err := queued.Wait(bounded(t)); report == nil || report.Delivery != rtcmsg.NotSent || !errors.Is(err, rtcmsg.ErrClosed) {
		t.Errorf("queued: %+v, %v", report, err)
	}
	if report, err := inFlight.Wait(bounded(t)); report == nil || report.Delivery != rtcmsg.Unknown || !errors.Is(err, rtcmsg.ErrClosed) {
		t.Errorf("in flight: %+v, %v", report, err)
	}
}

func TestErrorsOfCancelAndFlushDoNotMatchErrNotSent(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	stall(t, emulator)
	inFlight, err := client.Submit(context.Background(), toAlice)
	if err != nil {
		t.Fatal(err)
	}
	arrived(t, emulator, 1)
	if err := inFlight.Cancel(); !errors.Is(err, rtcmsg.ErrNotFound) || errors.Is(err, rtcmsg.ErrNotSent) {
		t.Errorf("cancel in flight: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := client.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("close: %v", err)
	}
	for name, err := range map[string]error{"cancel": inFlight.Cancel(), "flush": client.Flush(bounded(t))} {
		if !errors.Is(err, rtcmsg.ErrClosed) || errors.Is(err, rtcmsg.ErrNotSent) {
			t.Errorf("%s while it closes: %v", name, err)
		}
	}
	if _, err := inFlight.Wait(bounded(t)); !errors.Is(err, rtcmsg.ErrOutcomeUnknown) {
		t.Errorf("in flight: %v", err)
	}
}

func TestAClosedClientRefusesEveryCallWithTheLibrarysMessage(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	if _, err := client.SendUnicast(bounded(t), toAlice); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := client.Close(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	_, sendErr := client.SendUnicast(bounded(t), toAlice)
	_, submitErr := client.Submit(bounded(t), toAlice)
	_, callErr := client.CallAction(bounded(t), rtcmsg.ZEGO, "Anything", "", []byte(`{}`))
	ofMessages := map[string]bool{"Send": true, "Submit": true, "Call": true, "Post": true, "Check": true}
	for name, err := range map[string]error{
		"Send": sendErr, "Submit": submitErr, "Call": callErr,
		"Post":           client.Post(bounded(t), toAlice),
		"Check":          client.Check(toAlice),
		"Flush":          client.Flush(bounded(t)),
		"WarmUp":         client.WarmUp(1),
		"SetCredentials": client.SetCredentials(rtcmsg.ZEGO, rtcmsg.Credentials{Secret: "secret"}),
	} {
		if failed := asError(t, err); !errors.Is(err, rtcmsg.ErrClosed) || failed.Message != "this client is closed" {
			t.Errorf("%s: %v", name, err)
		}
		if errors.Is(err, rtcmsg.ErrNotSent) != ofMessages[name] {
			t.Errorf("%s: ErrNotSent must match exactly if the call concerns a message", name)
		}
	}
	if client.Pending() != 0 {
		t.Error("a closed client has something pending")
	}
	if stats, err := client.Stats(); err != nil || len(stats) == 0 {
		t.Errorf("stats: %s, %v", stats, err)
	}
}

func TestClosingDuringSendsLosesNoResult(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	for range 10 {
		client := connect(t, settings)
		begun := make(chan struct{}, 1)
		var senders sync.WaitGroup
		for range 16 {
			senders.Add(1)
			go func() {
				defer senders.Done()
				for {
					report, err := client.SendUnicast(context.Background(), toAlice)
					if err == nil {
						select {
						case begun <- struct{}{}:
						default:
						}
						continue
					}
					if !errors.Is(err, rtcmsg.ErrClosed) || (report == nil) != (asError(t, err).Report == nil) {
						t.Errorf("%+v, %v", report, err)
					}
					return
				}
			}()
		}
		<-begun
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		if err := client.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
		senders.Wait()
	}
}

func TestAnUnreachableClientIsClosed(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	threads := func() int { return runtime.NumGoroutine() }
	before := threads()
	for range 5 {
		client, err := rtcmsg.New(rtcmsg.WithSettings(settings))
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Post(context.Background(), toAlice); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the clients' goroutines end", func() bool {
		runtime.GC()
		return threads() <= before
	})
	if found := payloads(t, emulator, "volcengine", "alice"); len(found) != 5 {
		t.Errorf("the inbox contains %d messages", len(found))
	}
}
