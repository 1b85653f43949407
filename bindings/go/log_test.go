package rtcmsg_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/rtcmsg/rtcmsg/bindings/go"
)

// journal collects the output of a handler.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: level}))
}

func TestLogLinesGoToSlogByLevel(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	secret := settings["volcengine.secret_key"]
	for _, c := range []struct {
		level    slog.Level
		has, not string
	}{
		{slog.LevelDebug, "level=DEBUG", "no such level"},
		{slog.LevelInfo, "level=INFO", "level=DEBUG"},
		{slog.LevelWarn, "level=WARN", "level=INFO"},
	} {
		var lines journal
		client := connect(t, settings, rtcmsg.WithLogger(lines.logger(c.level)))
		if _, err := client.SendUnicast(bounded(t), rtcmsg.Unicast{From: "server", To: "alice", Text: "the payload"}); err != nil {
			t.Fatal(err)
		}
		if err := client.SetCredentials(rtcmsg.Volcengine, rtcmsg.Credentials{KeyID: "AKLTother", Secret: "other-secret"}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.SendUnicast(bounded(t), toAlice); !errors.Is(err, rtcmsg.ErrUnauthenticated) {
			t.Fatal(err)
		}
		if err := client.Close(bounded(t)); err != nil {
			t.Fatal(err)
		}
		text := lines.String()
		if !strings.Contains(text, c.has) || strings.Contains(text, c.not) {
			t.Errorf("at %v:\n%s", c.level, text)
		}
		for _, private := range []string{"the payload", secret, "other-secret"} {
			if strings.Contains(text, private) {
				t.Errorf("at %v there is %q:\n%s", c.level, private, text)
			}
		}
	}
}

func TestLogLinesComeWhileTheClientRuns(t *testing.T) {
	_, settings := start(t)
	var lines journal
	connect(t, settings, rtcmsg.WithLogger(lines.logger(slog.LevelInfo)))
	eventually(t, "a line", func() bool { return lines.String() != "" })
}

// stuck is a handler that blocks until release is closed.
type stuck struct {
	slog.Handler
	begun, release chan struct{}
	once           *sync.Once
}

func (s stuck) Handle(ctx context.Context, record slog.Record) error {
	s.once.Do(func() { close(s.begun) })
	<-s.release
	return s.Handler.Handle(ctx, record)
}

func TestAHandlerThatBlocksDoesNotDelayASend(t *testing.T) {
	emulator, settings := start(t)
	join(t, emulator)
	var lines journal
	handler := stuck{lines.logger(slog.LevelDebug).Handler(), make(chan struct{}), make(chan struct{}), new(sync.Once)}
	client := connect(t, settings, rtcmsg.WithLogger(slog.New(handler)))
	<-handler.begun
	if _, err := client.SendUnicast(bounded(t), toAlice); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := client.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("close: %v", err)
	}
	close(handler.release)
}

func TestADisabledLoggerIsAccepted(t *testing.T) {
	_, settings := start(t)
	connect(t, settings, rtcmsg.WithLogger(slog.New(slog.DiscardHandler)))
}
