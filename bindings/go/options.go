package rtcmsg

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// defaultTimeout is the default of http.timeout_ms in docs/CONFIGURATION.md. Defaults are part of the ABI.
const defaultTimeout = 10 * time.Second

// An Option configures a client. Options are applied in their order, so a later one replaces the value of an earlier one.
type Option func(*config) error

type config struct {
	raw     *C.rtcmsg_config
	logger  *slog.Logger
	timeout time.Duration
}

// WithSetting sets one setting, such as ("zego.app_id", "1234567890"). docs/CONFIGURATION.md lists the settings. An empty
// value restores the default.
func WithSetting(key, value string) Option {
	return func(c *config) error { return c.set(key, value) }
}

// WithSettings sets several settings.
func WithSettings(settings map[string]string) Option {
	settings = maps.Clone(settings)
	return func(c *config) error {
		for _, key := range slices.Sorted(maps.Keys(settings)) {
			if err := c.set(key, settings[key]); err != nil {
				return err
			}
		}
		return nil
	}
}

// WithEnvironment reads settings from the environment variables whose names are RTCMSG_ and the key in capitals, with _ for
// each period (RTCMSG_ZEGO_APP_ID). It also reads the vendor's VOLC_ACCESSKEY and VOLC_SECRETKEY if ours are not set. No
// other goroutine may change the environment at the same time.
func WithEnvironment() Option {
	return func(c *config) error {
		failed := newCError()
		if err := failure(C.rtcmsg_config_load_env(c.raw, &failed), &failed); err != nil {
			return err
		}
		if value := os.Getenv("RTCMSG_HTTP_TIMEOUT_MS"); value != "" {
			c.rememberTimeout(value)
		}
		return nil
	}
}

// WithLogger passes the library's log lines to logger, if it is enabled for their level: Info for a client that is created or
// closed, Warn for a message that failed, Debug for every message. The lines contain no secrets and no payloads. The library
// buffers up to log.buffer_lines lines, and a goroutine fetches them several times a second. A handler may block, but if it
// blocks for a long time, the oldest lines are lost.
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) error {
		if logger == nil {
			return invalid("logger", "must not be nil")
		}
		keep := ""
		for _, level := range []logLevel{logDebug, logInfo, logWarn, logError} {
			if logger.Enabled(context.Background(), level.slog()) {
				keep = level.setting()
				break
			}
		}
		if keep == "" {
			return nil
		}
		c.logger = logger
		return c.set("log.buffer_level", keep)
	}
}

func (c *config) set(key, value string) error {
	if strings.ContainsRune(key, 0) {
		return invalid("key", "contains a NUL character")
	}
	if strings.ContainsRune(value, 0) {
		return invalid(key, "contains a NUL character")
	}
	cKey, cValue := C.CString(key), C.CString(value)
	defer C.free(unsafe.Pointer(cKey))
	defer C.free(unsafe.Pointer(cValue))
	failed := newCError()
	if err := failure(C.rtcmsg_config_set(c.raw, cKey, cValue, &failed), &failed); err != nil {
		return err
	}
	if key == "http.timeout_ms" {
		c.rememberTimeout(value)
	}
	return nil
}

// rememberTimeout stores the value that the library has accepted: the deadline of a context may shorten it, but not extend it.
func (c *config) rememberTimeout(value string) {
	c.timeout = defaultTimeout
	if ms, err := strconv.ParseInt(value, 10, 32); err == nil {
		c.timeout = time.Duration(ms) * time.Millisecond
	}
}

// NoTimeout is a value for [Timeout]: the message then only has the deadline of its context.
const NoTimeout time.Duration = -1

// A SendOption changes how one message is sent.
type SendOption func(*sendOptions)

type sendOptions struct {
	timeout   *time.Duration
	expiresIn *time.Duration
	priority  C.uint32_t
	orderKey  *uint64
	ordered   bool
	unordered bool
}

// Urgent sends a message before the normal ones that wait for the same quota or for a worker. At least one in nine sends is a
// normal message, so normal messages do not starve.
func Urgent() SendOption {
	return func(o *sendOptions) { o.priority = C.RTCMSG_PRIORITY_URGENT }
}

// Timeout sets the time limit for all attempts and all parts of a long list together, counted from the first attempt. It
// replaces http.timeout_ms. It must be more than 0, or [NoTimeout], and is rounded up to milliseconds.
func Timeout(timeout time.Duration) SendOption {
	return func(o *sendOptions) { o.timeout = &timeout }
}

// ExpiresIn sets the maximum time between the call and the first byte sent, including the wait for quota. A message that has
// not started by then fails with [ErrExpired]. It must be more than 0, and is rounded up to milliseconds. Without this
// option a message does not expire.
func ExpiresIn(expiry time.Duration) SendOption {
	return func(o *sendOptions) { o.expiresIn = &expiry }
}

// Ordered makes a message wait until all earlier ordered messages to the same destination have their results. The
// destination is the user in the room, the room, the user or the conversation. Ordered is the default of [Client.Submit]
// and [Client.Post]. It must not be combined with [Unordered].
func Ordered() SendOption {
	return func(o *sendOptions) { o.ordered = true }
}

// OrderKey sends messages with the same key in order: each starts after the previous one has its result. 0 means the
// destination, as with [Ordered]. Another key must not be combined with [Unordered].
func OrderKey(key uint64) SendOption {
	return func(o *sendOptions) { o.orderKey = &key }
}

// Unordered excludes a message from the order of its destination: it does not wait for earlier messages. It is the default of
// [Client.Send] and of the methods for each action.
func Unordered() SendOption {
	return func(o *sendOptions) { o.unordered = true }
}

// resolvedOptions has the values for rtcmsg_send_options.
type resolvedOptions struct {
	timeoutMs, expiresInMs C.int32_t
	priority, flags        C.uint32_t
	orderKey               C.uint64_t
}

// collect fails for options that are not allowed.
func collect(options []SendOption) (sendOptions, error) {
	var o sendOptions
	for i, option := range options {
		if option == nil {
			return o, invalid(fmt.Sprintf("options[%d]", i), "must not be nil")
		}
		option(&o)
	}
	switch {
	case o.timeout != nil && *o.timeout <= 0 && *o.timeout != NoTimeout:
		return o, invalid("Timeout", fmt.Sprintf("is %v; it must be more than 0, or NoTimeout for no limit", *o.timeout))
	case o.expiresIn != nil && *o.expiresIn <= 0:
		return o, invalid("ExpiresIn", fmt.Sprintf("is %v; it must be more than 0", *o.expiresIn))
	case o.ordered && o.unordered:
		return o, invalid("Ordered", "must not be combined with Unordered")
	}
	return o, nil
}

// resolve combines the options with the deadline of a context that has not ended. The deadline can only shorten the times.
func (o sendOptions) resolve(ctx context.Context, clientTimeout time.Duration) resolvedOptions {
	c := resolvedOptions{priority: o.priority}
	if o.timeout != nil {
		c.timeoutMs = milliseconds(*o.timeout)
	}
	if o.expiresIn != nil {
		c.expiresInMs = milliseconds(*o.expiresIn)
	}
	if o.unordered {
		c.flags = C.RTCMSG_SUBMIT_UNORDERED
	}
	if o.orderKey != nil {
		c.orderKey = C.uint64_t(*o.orderKey)
	}
	if deadline, ok := ctx.Deadline(); ok {
		remaining := max(milliseconds(time.Until(deadline)), 1)
		timeout := c.timeoutMs
		if timeout == 0 {
			timeout = milliseconds(clientTimeout)
		}
		if timeout > remaining || timeout == -1 {
			c.timeoutMs = remaining
		}
		if c.expiresInMs == 0 || c.expiresInMs > remaining {
			c.expiresInMs = remaining
		}
	}
	return c
}

// milliseconds rounds up. It returns -1 for NoTimeout, and less than 1 for the time until a deadline that has passed.
func milliseconds(d time.Duration) C.int32_t {
	if d == NoTimeout {
		return -1
	}
	ms := d / time.Millisecond
	if d > 0 && d%time.Millisecond != 0 {
		ms++
	}
	return C.int32_t(max(min(ms, math.MaxInt32), math.MinInt32))
}
