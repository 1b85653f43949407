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

// A Client sends messages. Any number of goroutines may use it at the same time. [Client.Close] ends it.
type Client struct {
	core *core
}

// New creates a client. It applies the options in their order and checks all settings, but does no network I/O. It fails
// with [ErrInvalidArgument] or [ErrNotConfigured], and the error names the setting.
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
			return nil, invalid(fmt.Sprintf("options[%d]", i), "must not be nil")
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

// checkVersions fails unless the library fits the header that this package was compiled with: it must have the same major
// and minor version, and must not be older.
func checkVersions(header, library uint32) error {
	if header>>8 == library>>8 && library >= header {
		return nil
	}
	return &Error{
		Code:    CodeUnsupported,
		Message: fmt.Sprintf("the library has version %s, but this program was compiled for version %s", version(library), version(header)),
	}
}

// Version returns the version of the library, such as "0.1.0".
func Version() string { return version(uint32(C.rtcmsg_version())) }

func version(number uint32) string {
	return fmt.Sprintf("%d.%d.%d", number>>16, number>>8&0xff, number&0xff)
}

// validate fails for a nil client, and for one that New did not create.
func (c *Client) validate() error {
	if c == nil || c.core == nil {
		return invalid("client", "must not be nil, and must come from New")
	}
	return nil
}

// validateWith also fails for a nil context.
func (c *Client) validateWith(ctx context.Context) error {
	if err := c.validate(); err != nil {
		return err
	}
	if ctx == nil {
		return invalid("ctx", "must not be nil")
	}
	return nil
}

// Check returns nil if [Client.Send] would accept this message, and otherwise the error that Send would return. It does no
// I/O and sends nothing.
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

// A Vendor is the provider of an API.
type Vendor uint32

// The vendors.
const (
	Volcengine Vendor = C.RTCMSG_VENDOR_VOLCENGINE // RTC and IM
	ZEGO       Vendor = C.RTCMSG_VENDOR_ZEGO
)

// CallAction sends another action of a vendor's API, signed, and waits for the response. action is the vendor's name for it.
// body is a JSON object. For Volcengine, body is sent byte for byte, and version is the date of the action, such as
// "2020-12-01". For ZEGO, the members of body become query parameters (a list becomes a repeated Name[]), and version is "".
// The actions that have a method of their own are refused. The options are [Timeout], [ExpiresIn] and [Urgent].
//
// The report says whether the vendor accepted the action, and its Body is the raw response. Each call occupies a thread
// until the response is there. A client runs at most 32 calls at a time; more calls wait. If the context ends before the
// response is there, CallAction returns [ErrAbandoned], and the request continues.
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
		return nil, asRefusal(invalid("Ordered", "is not allowed for CallAction"))
	}
	select {
	case c.core.longCalls <- struct{}{}:
	case <-ctx.Done():
		return nil, notSent(ctx.Err())
	}
	resolved := o.resolve(ctx, c.core.timeout)
	// The caller may change body after CallAction has returned, while the request still runs.
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

// Credentials are the keys of a vendor's account. For ZEGO, Secret is the ServerSecret, and the other fields are empty.
type Credentials struct {
	KeyID        string
	Secret       string
	SessionToken string // for the temporary keys of Volcengine's STS; otherwise empty
}

// String returns a text without the secrets.
func (c Credentials) String() string {
	return fmt.Sprintf("{KeyID:%s Secret:*** SessionToken:***}", c.KeyID)
}

// GoString returns a text without the secrets.
func (c Credentials) GoString() string { return "rtcmsg.Credentials" + c.String() }

// LogValue returns a text without the secrets.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// SetCredentials replaces a vendor's credentials while the client is in use. All of them change together. An attempt that
// has already started continues with the previous credentials.
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

// WarmUp opens this number of connections to each vendor in the background, TLS handshake included, and returns immediately.
// 0 means one connection per worker. [Client.Flush] waits for them.
func (c *Client) WarmUp(connections int) error {
	if err := c.validate(); err != nil {
		return err
	}
	defer runtime.KeepAlive(c)
	if connections < 0 || connections > math.MaxUint32 {
		return invalid("connections", fmt.Sprintf("is %d; it must be from 0 to 4,294,967,295", connections))
	}
	return c.core.shortCall(func() error {
		failed := newCError()
		code := C.rtcmsg_client_warm_up(c.core.handle, C.uint32_t(connections), &failed)
		return failure(code, &failed)
	})
}

// Pending returns the number of messages that are queued, in flight, or completed and not yet passed to their goroutine. The
// setting queue.capacity limits it.
func (c *Client) Pending() int {
	if c.validate() != nil || c.core.enter() != nil {
		return 0
	}
	defer runtime.KeepAlive(c)
	defer c.core.leave()
	return int(C.rtcmsg_client_pending(c.core.handle))
}

// Stats returns the statistics of docs/METRICS.md as a JSON object. After [Client.Close] it returns the last ones.
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

// flushSlice is the longest time until a flush notices that its context has ended.
const flushSlice = 50 * time.Millisecond

// Flush waits until no message is queued or in flight. If the context ends first, Flush returns the context's error. It
// occupies a thread while it waits.
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

// Close stops accepting messages: every later send fails with [ErrClosed]. It waits until all accepted messages are complete
// and their senders have the reports, and then frees the client.
//
// If the context ends first, Close aborts the remaining messages and returns the context's error. Each of these messages
// ends with [ErrClosed] and a report: a queued message was not sent, and the result of one in flight may be unknown. The
// senders get these reports even after Close has returned. Any number of goroutines may call Close, any number of times.
//
// A client that is unreachable and was not closed is closed in the background, without a time limit.
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
