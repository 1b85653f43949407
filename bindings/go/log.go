package rtcmsg

// #include "shim.h"
import "C"

import (
	"context"
	"log/slog"
	"time"
	"unsafe"
)

// logInterval is the time between two fetches of the lines that are logged without a completion.
const logInterval = 200 * time.Millisecond

type logLevel int32

const (
	logError logLevel = C.RTCMSG_LOG_ERROR
	logWarn  logLevel = C.RTCMSG_LOG_WARN
	logInfo  logLevel = C.RTCMSG_LOG_INFO
	logDebug logLevel = C.RTCMSG_LOG_DEBUG
)

func (l logLevel) slog() slog.Level {
	switch l {
	case logError:
		return slog.LevelError
	case logWarn:
		return slog.LevelWarn
	case logInfo:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

// setting returns the value for log.buffer_level.
func (l logLevel) setting() string {
	switch l {
	case logError:
		return "error"
	case logWarn:
		return "warn"
	case logInfo:
		return "info"
	default:
		return "debug"
	}
}

// A logPump passes the lines that the library buffers to a logger. It has its own goroutine, so that a handler that blocks
// does not delay a completion. A nil logPump does nothing.
type logPump struct {
	handle *C.rtcmsg_client
	logger *slog.Logger
	wakeup chan struct{}
	quit   chan struct{}
	done   chan struct{}
}

func startLogPump(handle *C.rtcmsg_client, logger *slog.Logger) *logPump {
	p := &logPump{
		handle: handle,
		logger: logger,
		wakeup: make(chan struct{}, 1),
		quit:   make(chan struct{}),
		done:   make(chan struct{}),
	}
	go p.run()
	return p
}

func (p *logPump) wake() {
	if p == nil {
		return
	}
	select {
	case p.wakeup <- struct{}{}:
	default:
	}
}

// stop returns after the logger has the last line. The handle may be freed then.
func (p *logPump) stop() {
	if p == nil {
		return
	}
	close(p.quit)
	<-p.done
}

func (p *logPump) run() {
	defer close(p.done)
	ticker := time.NewTicker(logInterval)
	defer ticker.Stop()
	buffer := make([]byte, 1024)
	for {
		buffer = p.drain(buffer)
		select {
		case <-p.wakeup:
		case <-ticker.C:
		case <-p.quit:
			p.drain(buffer)
			return
		}
	}
}

func (p *logPump) drain(buffer []byte) []byte {
	for {
		var level C.int32_t
		var needed C.size_t
		text := (*C.char)(unsafe.Pointer(&buffer[0]))
		switch C.rtcmsg_client_next_log_line(p.handle, &level, text, C.size_t(len(buffer)), &needed, nil) {
		case C.RTCMSG_OK:
			p.logger.Log(context.Background(), logLevel(level).slog(), C.GoString(text))
		case C.RTCMSG_ERR_BUFFER_TOO_SMALL:
			buffer = make([]byte, needed)
		default:
			return buffer
		}
	}
}
