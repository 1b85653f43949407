package rtcmsg_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rtcmsg/rtcmsg/bindings/go"
	"github.com/rtcmsg/rtcmsg/bindings/go/rtcmsgtest"
)

var toAlice = rtcmsg.Unicast{From: "server", To: "alice", Text: "hi"}

// stall makes the vendor process requests and send no response until the emulator is reset.
func stall(t *testing.T, emulator *rtcmsgtest.Emulator) {
	t.Helper()
	control(t, emulator, "faults", map[string]any{"vendor": "volcengine", "stall": true, "processed": true})
	t.Cleanup(func() {
		if err := emulator.Control("reset", nil, nil); err != nil {
			t.Error(err)
		}
	})
}

// arrived waits until the vendor has received count requests.
func arrived(t *testing.T, emulator *rtcmsgtest.Emulator, count int) {
	t.Helper()
	eventually(t, "requests at the vendor", func() bool {
		var ledger []struct{}
		if err := emulator.Control("ledger", nil, &ledger); err != nil {
			t.Fatal(err)
		}
		return len(ledger) >= count
	})
}

func TestAContextThatHasEndedSendsNothing(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	for _, c := range []struct {
		ctx      context.Context
		sentinel error
		cause    error
	}{{cancelled, rtcmsg.ErrCancelled, context.Canceled}, {late, rtcmsg.ErrExpired, context.DeadlineExceeded}} {
		report, err := client.SendUnicast(c.ctx, toAlice)
		_, submitErr := client.Submit(c.ctx, toAlice)
		_, callErr := client.CallAction(c.ctx, rtcmsg.ZEGO, "SendBroadcastMessage", "", []byte(`{}`))
		for _, err := range []error{err, submitErr, client.Post(c.ctx, toAlice), callErr} {
			if report != nil || !errors.Is(err, c.sentinel) || !errors.Is(err, c.cause) || !errors.Is(err, rtcmsg.ErrNotSent) {
				t.Errorf("%v, %v", report, err)
			}
		}
	}
	if found := payloads(t, emulator, "volcengine", "alice"); found != nil {
		t.Errorf("the inbox contains %q", found)
	}
}

func TestACancelledSendThatIsQueuedIsNotSent(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	stall(t, emulator)
	// The second message waits for the first one, because both are to the same user.
	first, err := client.Submit(context.Background(), toAlice)
	if err != nil {
		t.Fatal(err)
	}
	arrived(t, emulator, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		eventually(t, "both messages are accepted", func() bool { return client.Pending() == 2 })
	}()
	report, err := client.SendUnicast(ctx, toAlice, rtcmsg.Ordered())
	if report == nil || report.Delivery != rtcmsg.NotSent || asError(t, err).Code != rtcmsg.CodeCancelled {
		t.Errorf("%+v, %v", report, err)
	}
	for _, target := range []error{rtcmsg.ErrNotSent, rtcmsg.ErrCancelled, context.Canceled} {
		if !errors.Is(err, target) {
			t.Errorf("%v is not %v", err, target)
		}
	}
	if errors.Is(err, rtcmsg.ErrOutcomeUnknown) {
		t.Errorf("%v has an unknown outcome", err)
	}
	if err := emulator.Control("reset", nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Wait(bounded(t)); !errors.Is(err, rtcmsg.ErrOutcomeUnknown) {
		t.Errorf("the first: %v", err)
	}
}

func TestACancelledSendThatIsInFlightIsUnknown(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	stall(t, emulator)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		arrived(t, emulator, 1)
	}()
	report, err := client.SendUnicast(ctx, toAlice)
	if report != nil || asError(t, err).Report != nil {
		t.Errorf("a report: %+v", report)
	}
	for _, target := range []error{rtcmsg.ErrOutcomeUnknown, rtcmsg.ErrAbandoned, context.Canceled} {
		if !errors.Is(err, target) {
			t.Errorf("%v is not %v", err, target)
		}
	}
	if errors.Is(err, rtcmsg.ErrNotSent) || errors.Is(err, rtcmsg.ErrCancelled) {
		t.Errorf("%v says that nothing was sent", err)
	}
	if found := payloads(t, emulator, "volcengine", "alice"); len(found) != 1 {
		t.Errorf("the inbox contains %q", found)
	}
}

func TestADeadlineInFlightEndsWithTheLibrarysReport(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	stall(t, emulator)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := client.SendUnicast(ctx, toAlice)
	if !errors.Is(err, rtcmsg.ErrOutcomeUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	// On a very busy machine the library can be late, and then the send is abandoned.
	if failed := asError(t, err); failed.Code != rtcmsg.CodeTimeout && failed.Code != rtcmsg.CodeAbandoned {
		t.Errorf("%v", err)
	}
}

func TestADeadlineInTheQueueSendsNothing(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	stall(t, emulator)
	if err := client.Post(context.Background(), toAlice); err != nil {
		t.Fatal(err)
	}
	arrived(t, emulator, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	// On a very busy machine the deadline can pass before the message is accepted. Then the send returns without a report.
	report, err := client.SendUnicast(ctx, toAlice, rtcmsg.Ordered())
	if report != nil && report.Delivery != rtcmsg.NotSent {
		t.Errorf("%+v", report)
	}
	if !errors.Is(err, rtcmsg.ErrNotSent) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	expiring, err := client.Submit(context.Background(), toAlice, rtcmsg.ExpiresIn(time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := expiring.Wait(bounded(t)); !errors.Is(err, rtcmsg.ErrExpired) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestAMessageThatWaitedInTheQueueMayOutliveItsDeadline(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	toBob := rtcmsg.Unicast{From: "server", To: "bob", Text: "hi"}
	control(t, emulator, "faults", map[string]any{"vendor": "volcengine", "latency_ms": 500, "count": 2})
	control(t, emulator, "faults", map[string]any{"vendor": "volcengine", "stall": true, "processed": true, "skip": 2})
	for _, first := range []rtcmsg.Message{toAlice, toBob} {
		if err := client.Post(context.Background(), first); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	submission, err := client.Submit(ctx, toAlice)
	if err != nil {
		t.Fatal(err)
	}
	report, err := client.SendUnicast(ctx, toBob, rtcmsg.Ordered())
	if !errors.Is(err, rtcmsg.ErrOutcomeUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("send: %v", err)
	}
	// On a very busy machine the send can notice the deadline later than the library.
	if failed := asError(t, err); (failed.Code != rtcmsg.CodeAbandoned || report != nil) && failed.Code != rtcmsg.CodeTimeout {
		t.Errorf("send: %+v, %v", report, err)
	}
	report, err = submission.Wait(bounded(t))
	if report == nil || report.Delivery != rtcmsg.Unknown || !errors.Is(err, rtcmsg.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("submit: %+v, %v", report, err)
	}
}

func TestAContextThatEndsAfterTheResultIsNotItsCause(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	stall(t, emulator)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	inFlight, err := client.Submit(ctx, toAlice, rtcmsg.Timeout(500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	queued, err := client.Submit(ctx, toAlice)
	if err != nil {
		t.Fatal(err)
	}
	if err := queued.Cancel(); err != nil {
		t.Fatal(err)
	}
	<-queued.Done()
	cancel()
	if _, err := queued.Wait(bounded(t)); !errors.Is(err, rtcmsg.ErrCancelled) || errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	// The context cancelled the message if it had not started.
	_, err = inFlight.Wait(bounded(t))
	if errors.Is(err, rtcmsg.ErrTimeout) == errors.Is(err, context.Canceled) {
		t.Errorf("in flight: %v", err)
	}
}

func TestADeadlineDoesNotExtendTheClientsTimeout(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	settings["http.timeout_ms"] = "200"
	client := connect(t, settings)
	stall(t, emulator)
	_, err := client.SendUnicast(bounded(t), toAlice)
	if !errors.Is(err, rtcmsg.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestASubmissionIsCancelledByItsContextWhileItIsQueued(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	stall(t, emulator)
	ctx, cancel := context.WithCancel(context.Background())
	first, err := client.Submit(ctx, toAlice)
	if err != nil {
		t.Fatal(err)
	}
	arrived(t, emulator, 1)
	second, err := client.Submit(ctx, toAlice)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if report, err := second.Wait(bounded(t)); report == nil || !errors.Is(err, rtcmsg.ErrCancelled) || !errors.Is(err, context.Canceled) {
		t.Errorf("the second: %+v, %v", report, err)
	}
	if _, err := first.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for the first: %v", err)
	}
	if err := emulator.Control("reset", nil, nil); err != nil {
		t.Fatal(err)
	}
	if report, err := first.Wait(bounded(t)); report == nil || report.Delivery != rtcmsg.Unknown || errors.Is(err, context.Canceled) {
		t.Errorf("the first: %+v, %v", report, err)
	}
}

func TestAnAbandonedCallContinuesWithoutItsCaller(t *testing.T) {
	emulator, settings := start(t)
	client := connect(t, settings)
	control(t, emulator, "faults", map[string]any{"vendor": "zego", "stall": true, "processed": true})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		arrived(t, emulator, 1)
	}()
	body := []byte(`{"RoomId":"lobby","UserId":"server","UserName":"server","MessageCategory":1,"MessageContent":"hi"}`)
	_, err := client.CallAction(ctx, rtcmsg.ZEGO, "SendBroadcastMessage", "", body)
	clear(body)
	if !errors.Is(err, rtcmsg.ErrAbandoned) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := emulator.Control("reset", nil, nil); err != nil {
		t.Fatal(err)
	}
}
