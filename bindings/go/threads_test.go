package rtcmsg_test

import (
	"context"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rtcmsg/rtcmsg/bindings/go"
)

func threadCount(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

func TestTenThousandGoroutinesNeedFewThreads(t *testing.T) {
	if testing.Short() {
		t.Skip("needs some seconds: not with -short")
	}
	const senders, workers = 10_000, 8
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	if _, err := client.SendUnicast(bounded(t), toAlice); err != nil {
		t.Fatal(err)
	}
	before := threadCount(t)
	// The workers are held up for a while, so that all others queue.
	control(t, emulator, "faults", map[string]any{"vendor": "volcengine", "latency_ms": 1000, "count": workers})
	var done sync.WaitGroup
	var delivered atomic.Int64
	for range senders {
		done.Add(1)
		go func() {
			defer done.Done()
			report, err := client.SendUnicast(context.Background(), toAlice, rtcmsg.Timeout(safetyNet))
			if err == nil && report.Delivery == rtcmsg.Accepted {
				delivered.Add(1)
			} else {
				t.Errorf("%+v, %v", report, err)
			}
		}()
	}
	most, pending := 0, 0
	finished := make(chan struct{})
	go func() {
		done.Wait()
		close(finished)
	}()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for running := true; running; {
		select {
		case <-finished:
			running = false
		case <-look.C:
			most, pending = max(most, threadCount(t)), max(pending, client.Pending())
		}
	}
	// Workers, those of Go that run, those in a short call, and a few of both runtimes' own.
	if bound := before + workers + 2*runtime.GOMAXPROCS(0) + 8; most > bound {
		t.Errorf("%d threads, before %d, at most %d expected", most, before, bound)
	}
	if delivered.Load() != senders {
		t.Errorf("%d of %d accepted", delivered.Load(), senders)
	}
	if pending < senders/2 {
		t.Errorf("never more than %d at once", pending)
	}
	if found := payloads(t, emulator, "volcengine", "alice"); len(found) != senders+1 {
		t.Errorf("%d arrived", len(found))
	}
	t.Logf("%d threads before, %d at most, %d messages pending at most", before, most, pending)
}

func TestCallsOccupyABoundedNumberOfThreads(t *testing.T) {
	const callers, atATime = 200, 32
	emulator, settings := start(t)
	join(t, emulator)
	client := connect(t, settings)
	before := threadCount(t)
	control(t, emulator, "faults", map[string]any{"vendor": "zego", "latency_ms": 200, "count": atATime})
	body := []byte(`{"RoomId":"lobby","UserId":"server","UserName":"server","MessageCategory":1,"MessageContent":"hi"}`)
	var done sync.WaitGroup
	for range callers {
		done.Add(1)
		go func() {
			defer done.Done()
			if _, err := client.CallAction(context.Background(), rtcmsg.ZEGO, "SendBroadcastMessage", "", body, rtcmsg.Timeout(safetyNet)); err != nil {
				t.Error(err)
			}
		}()
	}
	done.Wait()
	if most := threadCount(t); most > before+atATime+2*runtime.GOMAXPROCS(0)+8 {
		t.Errorf("%d threads, before %d", most, before)
	}
}

func TestAFullQueueRefusesAndKeepsWhatItHas(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	settings["queue.capacity"] = "2"
	client := connect(t, settings)
	stall(t, emulator)
	for range 2 {
		if _, err := client.Submit(context.Background(), toAlice); err != nil {
			t.Fatal(err)
		}
	}
	report, err := client.SendUnicast(bounded(t), toAlice)
	if failed := asError(t, err); report != nil || failed.Code != rtcmsg.CodeQueueFull || !strings.Contains(failed.Message+failed.Field, "queue.capacity") {
		t.Errorf("%v, %v", report, err)
	}
}
