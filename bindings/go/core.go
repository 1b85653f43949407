package rtcmsg

// #include "shim.h"
//
// #cgo noescape rtcmsgo_check
// #cgo nocallback rtcmsgo_check
// #cgo noescape rtcmsgo_submit
// #cgo nocallback rtcmsgo_submit
// #cgo noescape rtcmsg_client_poll
// #cgo nocallback rtcmsg_client_poll
// #cgo noescape rtcmsgo_summarize
// #cgo nocallback rtcmsgo_summarize
// #cgo noescape rtcmsgo_requests
// #cgo nocallback rtcmsgo_requests
// #cgo noescape rtcmsgo_attempts
// #cgo nocallback rtcmsgo_attempts
// #cgo noescape rtcmsgo_recipients
// #cgo nocallback rtcmsgo_recipients
// #cgo noescape rtcmsgo_devices
// #cgo nocallback rtcmsgo_devices
import "C"

import (
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// pollRows is the largest number of completions that one call returns.
const pollRows = 128

// maxLongCalls is the largest number of threads that [Client.CallAction] occupies: the library does not queue these calls.
const maxLongCalls = 32

// core is the state that a client and its goroutines share. It has no pointer to the Client, so that the garbage collector
// can find a Client that was not closed.
type core struct {
	handle  *C.rtcmsg_client
	timeout time.Duration

	// shortCalls is a semaphore. A goroutine in the library occupies a thread, so only as many enter short calls as can
	// run at a time.
	shortCalls chan struct{}
	// longCalls is the semaphore of the calls that wait for a response.
	longCalls chan struct{}

	mu      sync.Mutex
	waiting map[uint64]*Submission
	lastKey uint64
	freed   bool
	closed  *Error
	stats   []byte
	callers sync.WaitGroup

	events  *os.File // readable while a completion waits; nil if the system has no such file
	closing atomic.Bool
	ended   chan struct{}
	logs    *logPump
}

func newCore(handle *C.rtcmsg_client, timeout time.Duration, logger *slog.Logger) *core {
	c := &core{
		handle:     handle,
		timeout:    timeout,
		shortCalls: make(chan struct{}, runtime.GOMAXPROCS(0)),
		longCalls:  make(chan struct{}, maxLongCalls),
		waiting:    make(map[uint64]*Submission),
		events:     watch(handle),
		ended:      make(chan struct{}),
	}
	if logger != nil {
		c.logs = startLogPump(handle, logger)
	}
	go c.poll()
	return c
}

// enter keeps the handle valid until leave. Once the client is freed, it fails with the error that a closed client returns.
func (c *core) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.freed {
		closed := *c.closed
		return &closed
	}
	c.callers.Add(1)
	return nil
}

func (c *core) leave() { c.callers.Done() }

// shortCall runs a call of the library that does not wait. Each such call declares its own rtcmsg_error: passed as an
// argument, it would be allocated on the heap.
func (c *core) shortCall(call func() error) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	c.shortCalls <- struct{}{}
	defer func() { <-c.shortCalls }()
	return call()
}

func (c *core) check(m *flat) error {
	return c.shortCall(func() error {
		failed := newCError()
		code := C.rtcmsgo_check(c.handle, m.action, m.flags,
			chars(m.roomID), C.size_t(len(m.roomID)), chars(m.from), C.size_t(len(m.from)),
			(*C.char)(unsafe.Pointer(unsafe.SliceData(m.toText))), unsafe.SliceData(m.toLens), C.size_t(len(m.toLens)),
			C.int64_t(m.conversationID), C.int64_t(m.senderID),
			(*C.int64_t)(unsafe.Pointer(unsafe.SliceData(m.userIDs))), C.size_t(len(m.userIDs)), C.int32_t(m.msgType),
			m.payload, m.payloadLen, &failed)
		return failure(code, &failed)
	})
}

func (c *core) submit(m *flat, options resolvedOptions, key uint64) (uint64, error) {
	var id C.uint64_t
	err := c.shortCall(func() error {
		failed := newCError()
		code := C.rtcmsgo_submit(c.handle, m.action, m.flags,
			chars(m.roomID), C.size_t(len(m.roomID)), chars(m.from), C.size_t(len(m.from)),
			(*C.char)(unsafe.Pointer(unsafe.SliceData(m.toText))), unsafe.SliceData(m.toLens), C.size_t(len(m.toLens)),
			C.int64_t(m.conversationID), C.int64_t(m.senderID),
			(*C.int64_t)(unsafe.Pointer(unsafe.SliceData(m.userIDs))), C.size_t(len(m.userIDs)), C.int32_t(m.msgType),
			m.payload, m.payloadLen,
			options.timeoutMs, options.expiresInMs, options.priority, options.flags, C.uint64_t(key), options.orderKey, &id, &failed)
		return failure(code, &failed)
	})
	return uint64(id), err
}

// cancel fails with ErrNotFound if the message is in flight or complete.
func (c *core) cancel(id uint64) error {
	return c.shortCall(func() error {
		failed := newCError()
		code := C.rtcmsg_client_cancel(c.handle, C.uint64_t(id), &failed)
		return failure(code, &failed)
	})
}

// register must be called before submit, because the completion may arrive before submit returns.
func (c *core) register(s *Submission) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastKey++
	c.waiting[c.lastKey] = s
	return c.lastKey
}

// unregister returns false if the completion has already arrived or is just being handled.
func (c *core) unregister(key uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, waits := c.waiting[key]
	delete(c.waiting, key)
	return waits
}

// whenDone calls then after the completion of s, which may already have arrived.
func (c *core) whenDone(s *Submission, then func()) {
	c.mu.Lock()
	_, waits := c.waiting[s.key]
	if waits {
		s.then = then
	}
	c.mu.Unlock()
	if !waits {
		then()
	}
}

// watch returns a file that Go's network poller can wait for: it is readable while a completion waits. It returns nil if the
// system has no such file.
func watch(handle *C.rtcmsg_client) *os.File {
	var event C.intptr_t
	if C.rtcmsg_client_event_handle(handle, &event, nil) != C.RTCMSG_OK {
		return nil
	}
	// The library keeps its own descriptor, so this package needs a copy that it can close.
	syscall.ForkLock.RLock()
	own, err := syscall.Dup(int(event))
	if err == nil {
		syscall.CloseOnExec(own)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil
	}
	events := os.NewFile(uintptr(own), "rtcmsg completions")
	if events.SetReadDeadline(time.Time{}) != nil {
		_ = events.Close()
		return nil
	}
	return events
}

// poll passes completions to their submissions until the client is closed and all messages are complete. Then it frees the
// client. While the client is open, poll does not wait inside the library: that would occupy a thread, and a processor of
// Go's scheduler that the woken goroutines need.
func (c *core) poll() {
	rows := new([pollRows]C.rtcmsg_completion)
	count, err := 0, error(nil)
	if c.events != nil {
		if events, failed := c.events.SyscallConn(); failed == nil {
			_ = events.Read(func(uintptr) bool {
				for err == nil && !c.closing.Load() {
					if count, err = c.pollOnce(rows, 0); count < pollRows && err == nil {
						return false
					}
				}
				return true
			})
		}
	}
	// The client closes now, so poll may wait inside the library for the remaining completions.
	for count = 1; err == nil && count > 0; {
		count, err = c.pollOnce(rows, -1)
	}
	if err != nil {
		c.abandonAll(err)
	}
	c.finish()
}

// pollOnce passes the available completions to their submissions and returns their number.
func (c *core) pollOnce(rows *[pollRows]C.rtcmsg_completion, timeoutMs C.int32_t) (int, error) {
	var count C.size_t
	failed := newCError()
	code := C.rtcmsg_client_poll(c.handle, timeoutMs, &rows[0], C.sizeof_rtcmsg_completion, pollRows, &count, &failed)
	for i := range rows[:count] {
		c.complete(&rows[i])
	}
	if count > 0 {
		c.logs.wake()
	}
	return int(count), failure(code, &failed)
}

func (c *core) complete(row *C.rtcmsg_completion) {
	key := uint64(row.user_data)
	c.mu.Lock()
	s := c.waiting[key]
	delete(c.waiting, key)
	c.mu.Unlock()
	if s == nil {
		C.rtcmsg_report_free(row.report)
		return
	}
	s.end(readReport(row.report), nil)
}

// abandonAll ends all submissions when polling fails, so that no goroutine waits forever. Only a defect can cause that.
func (c *core) abandonAll(err error) {
	c.close()
	c.mu.Lock()
	left := c.waiting
	c.waiting = make(map[uint64]*Submission)
	c.mu.Unlock()
	for _, s := range left {
		s.end(nil, abandoned(err))
	}
}

// close stops accepting messages. The library completes the accepted ones, and then poll frees the client.
func (c *core) close() {
	if c.closing.CompareAndSwap(false, true) {
		if c.events != nil {
			_ = c.events.SetReadDeadline(time.Unix(1, 0)) // wakes poll
		}
		go c.closeWithin(-1)
	}
}

// closeWithin may be called while another call of it waits.
func (c *core) closeWithin(timeoutMs C.int32_t) {
	if c.enter() != nil {
		return
	}
	defer c.leave()
	C.rtcmsg_client_close(c.handle, timeoutMs, nil)
}

// finish waits until no goroutine is in a call, and frees the client. It keeps the statistics, and the error that the library
// returns for a closed client, for later calls.
func (c *core) finish() {
	failed := newCError()
	closed := &Error{Code: CodeClosed}
	if err, ok := failure(C.rtcmsg_client_warm_up(c.handle, 1, &failed), &failed).(*Error); ok {
		closed = err
	}
	c.mu.Lock()
	c.freed, c.closed = true, closed
	c.mu.Unlock()
	c.callers.Wait()
	c.logs.stop()
	c.stats, _ = stats(c.handle)
	C.rtcmsg_client_free(c.handle)
	if c.events != nil {
		_ = c.events.Close()
	}
	close(c.ended)
}

// stats returns the statistics as the library's JSON.
func stats(handle *C.rtcmsg_client) ([]byte, error) {
	buffer := make([]byte, 4096)
	for {
		var needed C.size_t
		failed := newCError()
		code := C.rtcmsg_client_stats(handle, (*C.char)(unsafe.Pointer(&buffer[0])), C.size_t(len(buffer)), &needed, &failed)
		if code != C.RTCMSG_ERR_BUFFER_TOO_SMALL {
			return buffer[:max(needed, 1)-1], failure(code, &failed)
		}
		buffer = make([]byte, needed*2)
	}
}
