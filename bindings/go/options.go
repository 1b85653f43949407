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

// defaultTimeout is that of http.timeout_ms in docs/CONFIGURATION.md; defaults are a part of the ABI.
const defaultTimeout = 10 * time.Second

// An Option sets up a client. Options are applied in their order: a later one replaces what an earlier one set.
type Option func(*config) error

type config struct {
	raw     *C.rtcmsg_config
	logger  *slog.Logger
	timeout time.Duration
}

// WithSetting sets a setting, such as ("zego.app_id", "1234567890"). docs/CONFIGURATION.md lists them. An empty value
// sets the key back to its default.
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

// WithEnvironment takes settings from the environment: RTCMSG_ and the key in capitals with _ for . (RTCMSG_ZEGO_APP_ID),
// and the vendor's own VOLC_ACCESSKEY and VOLC_SECRETKEY, which give way to ours. No other goroutine may change the
// environment meanwhile.
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

// WithLogger sends the library's log lines to logger, as far as it is enabled for their level: a client made or closed
// is Info, a message that failed Warn, every message Debug. They hold no secrets and no payloads. Lines are kept in the
// library and fetched by a goroutine, several times a second: a handler may block, and if it does so for long the oldest
// of more than log.buffer_lines lines are lost.
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) error {
		if logger == nil {
			return invalid("logger", "is nil")
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

// rememberTimeout keeps what the library has just taken: a context can shorten it, and must not lengthen it.
func (c *config) rememberTimeout(value string) {
	c.timeout = defaultTimeout
	if ms, err := strconv.ParseInt(value, 10, 32); err == nil {
		c.timeout = time.Duration(ms) * time.Millisecond
	}
}

// NoTimeout is for [Timeout]: a message then has no deadline but its context's.
const NoTimeout time.Duration = -1

// A SendOption says how one message differs from the client's settings.
type SendOption func(*sendOptions)

type sendOptions struct {
	timeout   *time.Duration
	expiresIn *time.Duration
	priority  C.uint32_t
	orderKey  *uint64
	ordered   bool
	unordered bool
}

// Urgent lets a message go before all that are not, of those that wait for the same quota.
func Urgent() SendOption {
	return func(o *sendOptions) { o.priority = C.RTCMSG_PRIORITY_URGENT }
}

// Timeout is the time from the first attempt on for all attempts and all parts of a long list, in place of
// http.timeout_ms. It is more than 0, or [NoTimeout].
func Timeout(timeout time.Duration) SendOption {
	return func(o *sendOptions) { o.timeout = &timeout }
}

// ExpiresIn is the time from the call to the first byte, waits for quota included: a message that has not left by then
// fails with [ErrExpired]. It is more than 0; without this option there is no limit.
func ExpiresIn(expiry time.Duration) SendOption {
	return func(o *sendOptions) { o.expiresIn = &expiry }
}

// Ordered makes a message wait until those before it to the same destination, which are ordered too, have their outcome:
// the user in the room, the room, the user or the conversation. It is the default of [Client.Submit] and [Client.Post].
func Ordered() SendOption {
	return func(o *sendOptions) { o.ordered = true }
}

// OrderKey makes messages of one key leave one after another. 0 stands for the destination, as [Ordered] does.
func OrderKey(key uint64) SendOption {
	return func(o *sendOptions) { o.orderKey = &key }
}

// Unordered frees a message from the order of its destination: it does not wait for those before it. It is the default
// of [Client.Send] and its like.
func Unordered() SendOption {
	return func(o *sendOptions) { o.unordered = true }
}

// resolvedOptions is how a message goes out, in the library's terms.
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
			return o, invalid(fmt.Sprintf("options[%d]", i), "is nil")
		}
		option(&o)
	}
	switch {
	case o.timeout != nil && *o.timeout <= 0 && *o.timeout != NoTimeout:
		return o, invalid("Timeout", fmt.Sprintf("is %v; it takes more than 0, or NoTimeout", *o.timeout))
	case o.expiresIn != nil && *o.expiresIn <= 0:
		return o, invalid("ExpiresIn", fmt.Sprintf("is %v; it takes more than 0", *o.expiresIn))
	case o.ordered && o.unordered:
		return o, invalid("Ordered", "is given together with Unordered")
	}
	return o, nil
}

// resolve joins the options with the deadline of a context that has not ended: the deadline can only shorten.
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
	if deadline, has := ctx.Deadline(); has {
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

// milliseconds rounds up, and is -1 for NoTimeout. Of a deadline that has passed it is less than 1.
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
