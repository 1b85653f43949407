package rtcmsg

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"time"
	"unsafe"
)

// A Client sends messages. Any number of goroutines may use one at the same time. [Client.Close] ends it.
type Client struct {
	core *core
}

// New makes a client and checks all of its settings. It does no network I/O.
//
//	client, err := rtcmsg.New(rtcmsg.WithEnvironment())
func New(options ...Option) (*Client, error) {
	if err := checkVersions(C.RTCMSG_VERSION, uint32(C.rtcmsg_version())); err != nil {
		return nil, err
	}
	c := &config{raw: C.rtcmsg_config_new(), timeout: defaultTimeout}
	defer C.rtcmsg_config_free(c.raw)
	for i, option := range options {
		if option == nil {
			return nil, invalid(fmt.Sprintf("options[%d]", i), "is nil")
		}
		if err := option(c); err != nil {
			return nil, err
		}
	}
	var handle *C.rtcmsg_client
	failed := newCError()
	if err := failure(C.rtcmsg_client_new(c.raw, &handle, &failed), &failed); err != nil {
		return nil, err
	}
	client := &Client{core: newCore(handle, c.timeout, c.logger)}
	runtime.AddCleanup(client, (*core).close, client.core)
	return client, nil
}

// checkVersions holds the library to the header that this package was compiled with: of the same first two numbers, and
// not older.
func checkVersions(header, library uint32) error {
	if header>>8 == library>>8 && library >= header {
		return nil
	}
	return &Error{
		Code:    CodeUnsupported,
		Message: fmt.Sprintf("the library is of version %s, this program was compiled for %s", version(library), version(header)),
	}
}

// Version is that of the library, such as "0.1.0".
func Version() string { return version(uint32(C.rtcmsg_version())) }

func version(number uint32) string {
	return fmt.Sprintf("%d.%d.%d", number>>16, number>>8&0xff, number&0xff)
}

// validate fails for a nil client, and for one that New has not made.
func (c *Client) validate() error {
	if c == nil || c.core == nil {
		return invalid("client", "is NULL")
	}
	return nil
}

// validateWith fails for a nil context too.
func (c *Client) validateWith(ctx context.Context) error {
	if err := c.validate(); err != nil {
		return err
	}
	if ctx == nil {
		return invalid("ctx", "is nil")
	}
	return nil
}

// Check says whether a send would take this message in. It does no I/O.
func (c *Client) Check(message Message) error {
	if err := c.validate(); err != nil {
		return asRefusal(err)
	}
	defer runtime.KeepAlive(c)
	m, err := flatten(message)
	if err != nil {
		return asRefusal(err)
	}
	return asRefusal(c.core.check(&m))
}

// A Vendor is whose API a call is for.
type Vendor uint32

// The vendors.
const (
	Volcengine Vendor = C.RTCMSG_VENDOR_VOLCENGINE // RTC and IM
	ZEGO       Vendor = C.RTCMSG_VENDOR_ZEGO
)

// CallAction sends any other action of the two APIs, signed, and waits for the answer: action is the vendor's name of it, and
// body a JSON object. For Volcengine it goes out byte for byte, and version is the action's date, such as "2020-12-01".
// For ZEGO its members become query parameters, a list as Name[] repeated, and version is "".
//
// The report says whether the vendor accepted it, and its Body is the raw answer. A call occupies a thread until it is
// answered; up to 32 of a client run at a time, more wait. When the context ends before the answer is there, the call
// fails with [ErrAbandoned] and runs on.
func (c *Client) CallAction(ctx context.Context, vendor Vendor, action, version string, body []byte, options ...SendOption) (*Report, error) {
	if err := c.validateWith(ctx); err != nil {
		return nil, asRefusal(err)
	}
	defer runtime.KeepAlive(c)
	for _, text := range []struct{ field, value string }{{"action", action}, {"version", version}} {
		if strings.ContainsRune(text.value, 0) {
			return nil, asRefusal(invalid(text.field, "contains a NUL character"))
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, notSent(err)
	}
	o, err := collect(options)
	if err != nil {
		return nil, asRefusal(err)
	}
	if o.ordered {
		return nil, asRefusal(invalid("Ordered", "is given, but calls have no order"))
	}
	select {
	case c.core.longCalls <- struct{}{}:
	case <-ctx.Done():
		return nil, notSent(ctx.Err())
	}
	resolved := o.resolve(ctx, c.core.timeout)
	// The caller may change its bytes when an abandoned call still runs.
	s := &Submission{client: c, ctx: ctx, done: make(chan struct{})}
	go c.core.callAction(s, vendor, action, version, bytes.Clone(body), resolved)
	select {
	case <-s.done:
	case <-ctx.Done():
		if !s.waitAfterDeadline(ctx) {
			return nil, abandoned(ctx.Err())
		}
	}
	return s.outcome()
}

func (c *core) callAction(s *Submission, vendor Vendor, action, version string, body []byte, options resolvedOptions) {
	defer func() { <-c.longCalls }()
	if err := c.enter(); err != nil {
		s.end(nil, asRefusal(err))
		return
	}
	defer c.leave()
	cAction := C.CString(action)
	defer C.free(unsafe.Pointer(cAction))
	var cVersion *C.char
	if version != "" {
		cVersion = C.CString(version)
		defer C.free(unsafe.Pointer(cVersion))
	}
	var raw *C.rtcmsg_report
	failed := newCError()
	code := C.rtcmsgo_call_action(c.handle, C.uint32_t(vendor), cAction, cVersion,
		(*C.char)(unsafe.Pointer(unsafe.SliceData(body))), C.size_t(len(body)),
		options.timeoutMs, options.expiresInMs, options.priority, options.flags, options.orderKey, &raw, &failed)
	if raw == nil {
		s.end(nil, asRefusal(failure(code, &failed)))
		return
	}
	s.end(readReport(raw), nil)
}

// Credentials of a vendor. For ZEGO, Secret is the ServerSecret and the others are not given.
type Credentials struct {
	KeyID        string
	Secret       string
	SessionToken string // for temporary keys of Volcengine's STS
}

// String shows no secret.
func (c Credentials) String() string {
	return fmt.Sprintf("{KeyID:%s Secret:*** SessionToken:***}", c.KeyID)
}

// GoString shows no secret.
func (c Credentials) GoString() string { return "rtcmsg.Credentials" + c.String() }

// LogValue shows no secret.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// SetCredentials replaces a vendor's credentials on a client that runs: all change together, and an attempt under way
// keeps those it began with.
func (c *Client) SetCredentials(vendor Vendor, credentials Credentials) error {
	if err := c.validate(); err != nil {
		return err
	}
	defer runtime.KeepAlive(c)
	return c.core.shortCall(func() error {
		failed := newCError()
		code := C.rtcmsgo_set_credentials(c.core.handle, C.uint32_t(vendor),
			chars(credentials.KeyID), C.size_t(len(credentials.KeyID)),
			chars(credentials.Secret), C.size_t(len(credentials.Secret)),
			chars(credentials.SessionToken), C.size_t(len(credentials.SessionToken)), &failed)
		return failure(code, &failed)
	})
}

// WarmUp opens connections ahead, in the background; 0 is as many as there are workers. [Client.Flush] waits for them.
func (c *Client) WarmUp(connections int) error {
	if err := c.validate(); err != nil {
		return err
	}
	defer runtime.KeepAlive(c)
	if connections < 0 || connections > math.MaxUint32 {
		return invalid("connections", fmt.Sprintf("is %d, it must be 0 or more", connections))
	}
	return c.core.shortCall(func() error {
		failed := newCError()
		code := C.rtcmsg_client_warm_up(c.core.handle, C.uint32_t(connections), &failed)
		return failure(code, &failed)
	})
}

// Pending is how many messages are queued, in flight, or done and not yet handed to their goroutine: what
// queue.capacity bounds.
func (c *Client) Pending() int {
	if c.validate() != nil || c.core.enter() != nil {
		return 0
	}
	defer runtime.KeepAlive(c)
	defer c.core.leave()
	return int(C.rtcmsg_client_pending(c.core.handle))
}

// Stats are the figures of docs/METRICS.md, as a JSON object; after Close, the last ones.
func (c *Client) Stats() (json.RawMessage, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(c)
	if c.core.enter() != nil {
		<-c.core.ended
		return bytes.Clone(c.core.stats), nil
	}
	defer c.core.leave()
	return stats(c.core.handle)
}

// flushSlice is how long a flush may overlook that its context has ended.
const flushSlice = 50 * time.Millisecond

// Flush waits until nothing is queued or in flight, or until the context ends.
func (c *Client) Flush(ctx context.Context) error {
	if err := c.validateWith(ctx); err != nil {
		return err
	}
	defer runtime.KeepAlive(c)
	if err := c.core.enter(); err != nil {
		return err
	}
	defer c.core.leave()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		failed := newCError()
		code := C.rtcmsg_client_flush(c.core.handle, milliseconds(flushSlice), &failed)
		if code != C.RTCMSG_ERR_TIMEOUT {
			return failure(code, &failed)
		}
	}
}

// Close stops the intake: every send then fails with [ErrClosed]. It waits until the messages that were taken in are
// done and their senders have them, and frees what the client holds.
//
// When the context ends before, Close cuts the rest short and returns the context's error: what is still queued was not
// sent, and what is in flight ends as it may, each with [ErrClosed] and a report that says which; the senders get these
// even after Close has returned. Any number of goroutines may close, as often as they like.
//
// A client that is no longer used and was not closed is closed in the background, without a limit of time.
func (c *Client) Close(ctx context.Context) error {
	if err := c.validateWith(ctx); err != nil {
		return err
	}
	c.core.close()
	select {
	case <-c.core.ended:
		return nil
	case <-ctx.Done():
		c.core.closeWithin(0)
		return ctx.Err()
	}
}
