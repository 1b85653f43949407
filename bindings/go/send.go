package rtcmsg

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// grace is the time that a send waits for the library's report after the deadline of its context. The library has the same
// deadline, and only its report says whether any byte was sent.
const grace = 100 * time.Millisecond

// SendUnicast sends to one user of Volcengine RTC who is logged in, outside rooms. The vendor also accepts a message for a
// user who is offline. See [Client.Send].
func (c *Client) SendUnicast(ctx context.Context, message Unicast, options ...SendOption) (*Report, error) {
	return c.Send(ctx, message, options...)
}

// SendRoomUnicast sends to one user in a room of Volcengine RTC. The vendor also accepts a message for a user who is not in
// the room. See [Client.Send].
func (c *Client) SendRoomUnicast(ctx context.Context, message RoomUnicast, options ...SendOption) (*Report, error) {
	return c.Send(ctx, message, options...)
}

// BatchSendRoomUnicast sends to users in a room of Volcengine RTC. See [Client.Send].
func (c *Client) BatchSendRoomUnicast(ctx context.Context, message BatchRoomUnicast, options ...SendOption) (*Report, error) {
	return c.Send(ctx, message, options...)
}

// SendBroadcast sends to all users in a room of Volcengine RTC. See [Client.Send].
func (c *Client) SendBroadcast(ctx context.Context, message Broadcast, options ...SendOption) (*Report, error) {
	return c.Send(ctx, message, options...)
}

// P2PSendMessageToUsers sends to some members of a conversation of Volcengine IM. See [Client.Send].
func (c *Client) P2PSendMessageToUsers(ctx context.Context, message P2PMessageToUsers, options ...SendOption) (*Report, error) {
	return c.Send(ctx, message, options...)
}

// P2PSendMessageToAll sends to every member of a conversation of Volcengine IM. See [Client.Send].
func (c *Client) P2PSendMessageToAll(ctx context.Context, message P2PMessageToAll, options ...SendOption) (*Report, error) {
	return c.Send(ctx, message, options...)
}

// P2PSendMessageToAllExcept sends to every member of a conversation of Volcengine IM except some. See [Client.Send].
func (c *Client) P2PSendMessageToAllExcept(ctx context.Context, message P2PMessageToAllExcept, options ...SendOption) (*Report, error) {
	return c.Send(ctx, message, options...)
}

// SendCustomCommandToUsers sends to users in a room of ZEGO. See [Client.Send].
func (c *Client) SendCustomCommandToUsers(ctx context.Context, message CustomCommandToUsers, options ...SendOption) (*Report, error) {
	return c.Send(ctx, message, options...)
}

// SendCustomCommandToRoom sends to all users in a room of ZEGO. See [Client.Send].
func (c *Client) SendCustomCommandToRoom(ctx context.Context, message CustomCommandToRoom, options ...SendOption) (*Report, error) {
	return c.Send(ctx, message, options...)
}

// Send sends a message of any type and waits for its result. It does not occupy a thread while it waits.
//
// The report is not nil if and only if the message was accepted for sending, even if there is an error. The error is nil if
// every recipient is accepted or delivered; otherwise it is an [*Error] with the same report. Send only repeats a request
// that cannot have arrived. docs/DELIVERY.md lists what can happen when.
//
// The messages of one goroutine keep their order, because each Send waits for its result (unless its context ends first).
// The sends of several goroutines do not wait for each other, even to one destination. [Ordered] and [OrderKey] change
// this.
//
// If the context ends while the message is queued, the message is cancelled, and the error matches [ErrNotSent] and
// [ErrCancelled] or [ErrExpired]. If the context ends while the message is in flight, the message continues, and Send
// returns without a report: the error matches [ErrAbandoned] and [ErrOutcomeUnknown]. In each case the error also matches
// the context's error.
//
// A deadline of the context also limits the message. No request of the message starts after the deadline. From the first
// attempt, the message may take no longer than the time that the context had left when Send was called; http.timeout_ms or
// [Timeout] also applies. So a message that started immediately ends at the deadline, and a message that had waited in the
// queue may continue for the time that it had waited. After the deadline Send waits up to 0.1 s for the library's report,
// which says whether any byte was sent. If it arrives in that time, the error matches [ErrTimeout] and the context's error.
func (c *Client) Send(ctx context.Context, message Message, options ...SendOption) (*Report, error) {
	s, err := c.submit(ctx, message, options, true)
	if err != nil {
		return nil, err
	}
	select {
	case <-s.done:
		return s.outcome()
	case <-ctx.Done():
	}
	// A queued message has its completion at once.
	if c.core.cancel(s.id) == nil {
		<-s.done
		return s.outcome()
	}
	if !s.waitAfterDeadline(ctx) && c.core.unregister(s.key) {
		return nil, abandoned(ctx.Err())
	}
	<-s.done
	return s.outcome()
}

// Submit enqueues a message and returns immediately. It fails with [ErrQueueFull] if the queue is full. The submission gives
// the result. Messages to one destination are sent in order; [Unordered] and [OrderKey] change this.
//
// If the context ends while the message is queued, the message is cancelled. A message in flight continues until its report
// is there, as in [Client.Send]: a message that had waited in the queue can outlive the deadline.
func (c *Client) Submit(ctx context.Context, message Message, options ...SendOption) (*Submission, error) {
	s, err := c.submit(ctx, message, options, false)
	if err != nil {
		return nil, err
	}
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { _ = s.Cancel() })
		c.core.whenDone(s, func() { stop() })
	}
	return s, nil
}

// Post enqueues a message and returns immediately, like [Client.Submit] and in the same order, but gives no result; a failure
// is only logged. A deadline of the context limits the message as in [Client.Send], but after Post has returned, the
// context cannot cancel the message.
func (c *Client) Post(ctx context.Context, message Message, options ...SendOption) error {
	m, resolved, err := c.prepare(ctx, message, options, false)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(c)
	resolved.flags |= C.RTCMSG_SUBMIT_NO_COMPLETION
	_, err = c.core.submit(&m, resolved, 0)
	return asRefusal(err)
}

// prepare checks and converts the arguments of a send. With waits, the caller waits for the result, and the message is only
// ordered if an option says so.
func (c *Client) prepare(ctx context.Context, message Message, options []SendOption, waits bool) (flat, resolvedOptions, error) {
	if err := c.validateWith(ctx); err != nil {
		return flat{}, resolvedOptions{}, asRefusal(err)
	}
	m, err := flatten(message)
	if err != nil {
		return flat{}, resolvedOptions{}, asRefusal(err)
	}
	if err := ctx.Err(); err != nil {
		return flat{}, resolvedOptions{}, notSent(err)
	}
	o, err := collect(options)
	if err != nil {
		return flat{}, resolvedOptions{}, asRefusal(err)
	}
	if waits && !o.ordered && o.orderKey == nil {
		o.unordered = true
	}
	return m, o.resolve(ctx, c.core.timeout), nil
}

func (c *Client) submit(ctx context.Context, message Message, options []SendOption, waits bool) (*Submission, error) {
	m, resolved, err := c.prepare(ctx, message, options, waits)
	if err != nil {
		return nil, err
	}
	s := &Submission{client: c, ctx: ctx, done: make(chan struct{})}
	s.key = c.core.register(s)
	s.id, err = c.core.submit(&m, resolved, s.key)
	if err != nil {
		c.core.unregister(s.key)
		return nil, asRefusal(err)
	}
	return s, nil
}

// A Submission is a message that was accepted for sending. Any number of goroutines may use it at the same time.
type Submission struct {
	client  *Client // keeps the client from being closed in the background before the message is complete
	ctx     context.Context
	id, key uint64
	then    func()

	done   chan struct{}
	report *Report
	failed error
	cause  error // the context's error, if the context ended the message
}

// ID returns the number that the library gave to the message.
func (s *Submission) ID() uint64 { return s.id }

// Done returns a channel that is closed when the result of the message is known.
func (s *Submission) Done() <-chan struct{} { return s.done }

// Wait waits for the result of the message and returns it as [Client.Send] does. If ctx ends first, Wait returns the error of
// ctx, and the message continues: Wait can be called again.
func (s *Submission) Wait(ctx context.Context) (*Report, error) {
	if s == nil || s.client == nil {
		return nil, invalid("submission", "must not be nil, and must come from Submit")
	}
	if ctx == nil {
		return nil, invalid("ctx", "must not be nil")
	}
	select {
	case <-s.done:
		return s.outcome()
	default:
	}
	select {
	case <-s.done:
		return s.outcome()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Cancel cancels a message that is queued: it is not sent, and its result is [ErrCancelled]. Cancel fails with [ErrNotFound]
// if the message is in flight or complete; the message then keeps its own result.
func (s *Submission) Cancel() error {
	if s == nil || s.client == nil {
		return invalid("submission", "must not be nil, and must come from Submit")
	}
	return s.client.core.cancel(s.id)
}

// end is called once. It stores the cause, so that a context that ends later does not change the result.
func (s *Submission) end(report *Report, failed error) {
	s.report, s.failed = report, failed
	if report != nil {
		s.cause = causeOf(report.Code, s.ctx)
	}
	close(s.done)
	if s.then != nil {
		s.then()
	}
}

func (s *Submission) outcome() (*Report, error) {
	if s.failed != nil {
		return nil, s.failed
	}
	return s.report, s.report.err(s.cause)
}

// causeOf returns the context's error if the context can be the reason for the code of a message that has just ended. Only a
// deadline, not a cancel, can be the reason that time ran out.
func causeOf(code Code, ctx context.Context) error {
	switch code {
	case CodeCancelled:
		return ctx.Err()
	case CodeExpired, CodeTimeout, CodeRateLimited:
		// The library can be faster than the timer of the context.
		deadline, ok := ctx.Deadline()
		if errors.Is(ctx.Err(), context.DeadlineExceeded) || (ok && !time.Now().Before(deadline)) {
			return context.DeadlineExceeded
		}
	}
	return nil
}

// waitAfterDeadline waits for the result up to grace if the context ended by its deadline. It returns whether the result is there.
func (s *Submission) waitAfterDeadline(ctx context.Context) bool {
	wait := time.Duration(0)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		wait = grace
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-s.done:
		return true
	case <-timer.C:
		return false
	}
}

// notSent returns the error for a context that ended before the library got the message.
func notSent(cause error) *Error {
	code := CodeCancelled
	if errors.Is(cause, context.DeadlineExceeded) {
		code = CodeExpired
	}
	return &Error{Code: code, Field: "ctx", Message: "ended before the message was accepted; nothing was sent", cause: cause, refused: true}
}

func abandoned(cause error) *Error {
	return &Error{Code: CodeAbandoned, Message: "the message was in flight; it is unknown whether it arrives", cause: cause}
}
