package rtcmsg

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// grace is how long after a deadline the library's own answer is waited for. Its deadline is the same one, and its
// report says what an abandoned send cannot: whether anything had left.
const grace = 100 * time.Millisecond

// SendUnicast sends to one user of Volcengine RTC who is logged in, outside rooms. It is accepted for a user who is
// absent, too. See [Client.Send].
func (c *Client) SendUnicast(ctx context.Context, message Unicast, options ...SendOption) (*Report, error) {
	return c.Send(ctx, message, options...)
}

// SendRoomUnicast sends to one user in a room of Volcengine RTC. It is accepted for a user who is absent, too. See
// [Client.Send].
func (c *Client) SendRoomUnicast(ctx context.Context, message RoomUnicast, options ...SendOption) (*Report, error) {
	return c.Send(ctx, message, options...)
}

// BatchSendRoomUnicast sends to users in a room of Volcengine RTC. See [Client.Send].
func (c *Client) BatchSendRoomUnicast(ctx context.Context, message BatchRoomUnicast, options ...SendOption) (*Report, error) {
	return c.Send(ctx, message, options...)
}

// SendBroadcast sends to everybody in a room of Volcengine RTC. See [Client.Send].
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

// P2PSendMessageToAllExcept sends to every member of a conversation of Volcengine IM but some. See [Client.Send].
func (c *Client) P2PSendMessageToAllExcept(ctx context.Context, message P2PMessageToAllExcept, options ...SendOption) (*Report, error) {
	return c.Send(ctx, message, options...)
}

// SendCustomCommandToUsers sends to users in a room of ZEGO. See [Client.Send].
func (c *Client) SendCustomCommandToUsers(ctx context.Context, message CustomCommandToUsers, options ...SendOption) (*Report, error) {
	return c.Send(ctx, message, options...)
}

// SendCustomCommandToRoom sends to everybody in a room of ZEGO. See [Client.Send].
func (c *Client) SendCustomCommandToRoom(ctx context.Context, message CustomCommandToRoom, options ...SendOption) (*Report, error) {
	return c.Send(ctx, message, options...)
}

// Send sends a message of any kind and waits for what became of it. The goroutine waits, no thread does.
//
// The report is there if and only if the message was taken in, also when the error is not nil; the error is an [*Error]
// with the same report. It is nil if every recipient is accepted or delivered. Nothing is sent twice by accident: only
// what cannot have arrived is repeated. docs/DELIVERY.md says what can happen when.
//
// What one goroutine sends keeps its order, as each Send waits for its outcome, unless its context ends before. Several
// goroutines do not wait for each other, also not for one destination, unless they ask for it with [Ordered] or
// [OrderKey].
//
// When the context ends while the message is queued, it is cancelled: the error is [ErrCancelled] or [ErrExpired], and
// [ErrNotSent]. When it is in flight, it runs on, and Send returns without a report: the error is [ErrAbandoned] and
// [ErrOutcomeUnknown]. In each case the error is the context's, too.
//
// A deadline of the context is also the message's: no request of it begins later, and it may take no longer, from its
// first attempt on, than the context had left at the call, beside http.timeout_ms or [Timeout]. One that began at once
// thus ends at the deadline; one that had to wait for its turn may go on for as long as it had waited. After a deadline,
// Send waits up to 0.1 s more for the library, which knows whether anything had left: if it is done by then, the error is
// [ErrTimeout] and the context's, and its report says.
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

// Submit takes a message in and returns at once: with [ErrQueueFull] if there is no room. What becomes of it is told by
// the submission. Messages to one destination leave one after another: see [Unordered], [OrderKey].
//
// A context that ends while the message is queued cancels it. One in flight runs on to its report, past a deadline too,
// if it had to wait for its turn: its time is that of [Client.Send].
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

// Post takes a message in and returns at once, like [Client.Submit] and in the same order, for those who will not ask
// what became of it. A deadline of the context is the message's as it is in [Client.Send], but once Post has returned the
// context cannot cancel it.
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

// prepare is for a sender that waits for the outcome, or not: one that waits keeps an order only if it asks for it.
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

// A Submission is a message that was taken in. Any number of goroutines may ask it.
type Submission struct {
	client  *Client // not closed by the collector while a message is out
	ctx     context.Context
	id, key uint64
	then    func()

	done   chan struct{}
	report *Report
	failed error
	cause  error // the context's, if that ended the message
}

// ID is the library's number of the message.
func (s *Submission) ID() uint64 { return s.id }

// Done is closed when it is known what became of the message.
func (s *Submission) Done() <-chan struct{} { return s.done }

// Wait returns what became of the message, as [Client.Send] does. When the context ends before, it returns the context's
// error, and the message goes on: wait again.
func (s *Submission) Wait(ctx context.Context) (*Report, error) {
	if s == nil || s.client == nil {
		return nil, invalid("submission", "is NULL")
	}
	if ctx == nil {
		return nil, invalid("ctx", "is nil")
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

// Cancel takes a message back that is still queued: it is not sent, and its outcome is [ErrCancelled]. It fails with
// [ErrNotFound] if the message is in flight or done: that says nothing of what becomes of it.
func (s *Submission) Cancel() error {
	if s == nil || s.client == nil {
		return invalid("submission", "is NULL")
	}
	return s.client.core.cancel(s.id)
}

// end is called once. Whoever asks, and whenever, hears the same: what the context comes to later is not the message's.
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

// causeOf is the context's error, if a message that has just ended so may have ended by it: time runs out by a deadline
// alone.
func causeOf(code Code, ctx context.Context) error {
	switch code {
	case CodeCancelled:
		return ctx.Err()
	case CodeExpired, CodeTimeout, CodeRateLimited:
		// The library may be quicker than the context's own timer.
		deadline, has := ctx.Deadline()
		if errors.Is(ctx.Err(), context.DeadlineExceeded) || (has && !time.Now().Before(deadline)) {
			return context.DeadlineExceeded
		}
	}
	return nil
}

// waitAfterDeadline waits a moment for the outcome, if it was a deadline that has passed.
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

// notSent is for a context that had ended before the library was asked.
func notSent(cause error) *Error {
	code := CodeCancelled
	if errors.Is(cause, context.DeadlineExceeded) {
		code = CodeExpired
	}
	return &Error{Code: code, Field: "ctx", Message: "had ended already; nothing was sent", cause: cause, refused: true}
}

func abandoned(cause error) *Error {
	return &Error{Code: CodeAbandoned, Message: "the message was in flight; it is not known whether it arrives", cause: cause}
}
