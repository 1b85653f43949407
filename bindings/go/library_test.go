package rtcmsg

import (
	"bufio"
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var layouts = map[string]reflect.Type{
	"rtcmsg_str":          reflect.TypeFor[strLayout](),
	"rtcmsg_error":        reflect.TypeFor[errorLayout](),
	"rtcmsg_message":      reflect.TypeFor[messageLayout](),
	"rtcmsg_send_options": reflect.TypeFor[sendOptionsLayout](),
	"rtcmsg_completion":   reflect.TypeFor[completionLayout](),
	"rtcmsg_request":      reflect.TypeFor[requestLayout](),
	"rtcmsg_attempt":      reflect.TypeFor[attemptLayout](),
	"rtcmsg_recipient":    reflect.TypeFor[recipientLayout](),
	"rtcmsg_device":       reflect.TypeFor[deviceLayout](),
}

func TestStructsHaveTheLayoutOfTheABI(t *testing.T) {
	file, err := os.Open("../../docs/ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	structRow := regexp.MustCompile(`^\| \*\*(\w+)\*\* \| \| \| \*\*(\d+)\*\* \|$`)
	fieldRow := regexp.MustCompile(`^\| \| (\w+) \| (\d+) \| (\d+) \|$`)
	documented := make(map[string]int)
	var name string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if row := structRow.FindStringSubmatch(lines.Text()); row != nil {
			name = row[1]
			documented[name] = 0
			if known, ok := layouts[name]; !ok || strconv.Itoa(int(known.Size())) != row[2] {
				t.Errorf("%s is not %s bytes long here: %v", name, row[2], known)
			}
		} else if row := fieldRow.FindStringSubmatch(lines.Text()); row != nil {
			documented[name]++
			field, ok := layouts[name].FieldByName(row[1])
			if !ok || strconv.Itoa(int(field.Offset)) != row[2] || strconv.Itoa(int(field.Type.Size())) != row[3] {
				t.Errorf("%s.%s: %+v, documented %v", name, row[1], field, row)
			}
		}
	}
	for name, layout := range layouts {
		if fields, ok := documented[name]; !ok || fields != layout.NumField() {
			t.Errorf("%s has %d fields here, %d documented", name, layout.NumField(), fields)
		}
	}
}

func TestALibraryOfAnotherVersionIsRefused(t *testing.T) {
	for _, c := range []struct {
		header, library uint32
		fits            bool
	}{
		{0x000100, 0x000100, true},
		{0x000100, 0x000107, true},
		{0x000107, 0x000100, false},
		{0x000100, 0x000200, false},
		{0x000200, 0x000100, false},
		{0x000100, 0x010100, false},
	} {
		err := checkVersions(c.header, c.library)
		if (err == nil) != c.fits {
			t.Errorf("%#x with %#x: %v", c.header, c.library, err)
		}
		if err != nil && (!strings.Contains(err.Error(), version(c.header)) || !strings.Contains(err.Error(), version(c.library))) {
			t.Errorf("%v does not contain both versions", err)
		}
	}
	if !regexp.MustCompile(`^0\.1\.\d+$`).MatchString(Version()) {
		t.Errorf("the library is of version %s", Version())
	}
}

func TestAHeaderOfAnotherVersionDoesNotCompile(t *testing.T) {
	header, err := os.ReadFile("../../include/rtcmsg.h")
	if err != nil {
		t.Fatal(err)
	}
	define := regexp.MustCompile(`(?m)^#define RTCMSG_VERSION .*$`)
	for line, compiles := range map[string]bool{
		"#define RTCMSG_VERSION 0x000100u": true,
		"#define RTCMSG_VERSION 0x000107u": true,
		"#define RTCMSG_VERSION 0x000200u": false,
		"#define RTCMSG_VERSION 0x010100u": false,
		"":                                 false,
	} {
		directory := t.TempDir()
		if err := os.WriteFile(directory+"/rtcmsg.h", define.ReplaceAll(header, []byte(line)), 0o600); err != nil {
			t.Fatal(err)
		}
		output, err := exec.Command("cc", "-fsyntax-only", "-I", directory, "shim.c").CombinedOutput()
		if (err == nil) != compiles || (!compiles && !strings.Contains(string(output), "needs rtcmsg.h of version 0.1")) {
			t.Errorf("%q: %v\n%s", line, err, output)
		}
	}
}

func TestTimesAreRoundedUpToMilliseconds(t *testing.T) {
	for d, expected := range map[time.Duration]int32{
		0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, time.Hour: 3_600_000, math.MaxInt64: math.MaxInt32,
		NoTimeout: -1, -2: 0, -time.Second: -1000, math.MinInt64: math.MinInt32,
	} {
		if found := int32(milliseconds(d)); found != expected {
			t.Errorf("%d ns: %d ms, not %d", d, found, expected)
		}
	}
}

func TestADeadlineOnlyShortensTheTimes(t *testing.T) {
	const client = 10 * time.Second
	for _, c := range []struct {
		name               string
		deadline           time.Duration
		options            []SendOption
		timeout, expiresIn time.Duration // 0 is the default of the client
	}{
		{"none", 0, nil, 0, 0},
		{"none, with options", 0, []SendOption{Timeout(time.Hour), ExpiresIn(time.Minute)}, time.Hour, time.Minute},
		{"a short one", time.Second, nil, time.Second, time.Second},
		{"a long one", time.Hour, nil, 0, time.Hour},
		{"longer than the options", time.Hour, []SendOption{Timeout(time.Minute), ExpiresIn(time.Second)}, time.Minute, time.Second},
		{"shorter than the options", time.Minute, []SendOption{Timeout(time.Hour), ExpiresIn(time.Hour)}, time.Minute, time.Minute},
		{"in place of no limit", time.Minute, []SendOption{Timeout(NoTimeout)}, time.Minute, time.Minute},
	} {
		ctx, cancel := context.Background(), context.CancelFunc(func() {})
		if c.deadline != 0 {
			ctx, cancel = context.WithTimeout(ctx, c.deadline)
		}
		o, err := collect(c.options)
		resolved := o.resolve(ctx, client)
		cancel()
		// The remaining time is shorter by the time since the deadline was set.
		near := func(ms, expected int32) bool { return ms <= expected && (ms == expected || ms > expected*9/10) }
		if err != nil || !near(int32(resolved.timeoutMs), int32(milliseconds(c.timeout))) || !near(int32(resolved.expiresInMs), int32(milliseconds(c.expiresIn))) {
			t.Errorf("%s: %+v, %v", c.name, resolved, err)
		}
	}
}

func TestAFlagOfTheOtherStructIsRefusedByName(t *testing.T) {
	client, err := New(WithSettings(map[string]string{"volcengine.access_key": "AKLTtest", "volcengine.secret_key": "secret", "volcengine.rtc_app_id": "app"}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(context.Background())
	for _, c := range []struct {
		set                func(m *flat, options *resolvedOptions)
		name, owner, other string
	}{
		{func(m *flat, _ *resolvedOptions) { m.flags = 1 << 8 }, "RTCMSG_SUBMIT_UNORDERED", "rtcmsg_send_options", "rtcmsg_message"},
		{func(m *flat, _ *resolvedOptions) { m.flags = 1 << 9 }, "RTCMSG_SUBMIT_NO_COMPLETION", "rtcmsg_send_options", "rtcmsg_message"},
		{func(_ *flat, options *resolvedOptions) { options.flags = 1 << 0 }, "RTCMSG_MESSAGE_BINARY", "rtcmsg_message", "rtcmsg_send_options"},
	} {
		m, options, err := client.prepare(context.Background(), Unicast{From: "server", To: "alice", Text: "hi"}, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		c.set(&m, &options)
		id, err := client.core.submit(&m, options, 0)
		var failed *Error
		if !errors.As(err, &failed) || id != 0 || failed.Code != CodeInvalidArgument || failed.Field != "flags" ||
			failed.Message != c.name+" is a flag of "+c.owner+", not of "+c.other {
			t.Errorf("%s in %s: %d, %v", c.name, c.other, id, err)
		}
	}
}

func TestEveryCodeHasItsNameItsErrorAndItsText(t *testing.T) {
	header, err := os.ReadFile("../../include/rtcmsg.h")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`(?m)^  (RTCMSG_ERR_\w+) = (-\d+),$`).FindAllStringSubmatch(string(header), -1)
	if len(codes) < 20 {
		t.Fatalf("%d codes in the header", len(codes))
	}
	seen := make(map[error]bool)
	for _, code := range codes {
		number, err := strconv.Atoi(code[2])
		if err != nil {
			t.Fatal(err)
		}
		failed := &Error{Code: Code(number), Report: &Report{Delivery: NotDelivered}}
		if failed.Code.String() != code[1] {
			t.Errorf("%d is %s, not %s", number, failed.Code, code[1])
		}
		sentinel := sentinels[Code(number)]
		if Code(number) == CodeBufferTooSmall {
			continue
		}
		if text := "rtcmsg: " + codeText(Code(number)); sentinel.Error() != text {
			t.Errorf("%s: %q, not %q", code[1], sentinel, text)
		}
		if sentinel == nil || seen[sentinel] || !failed.Is(sentinel) || failed.Is(ErrNotSent) || failed.Is(ErrOutcomeUnknown) {
			t.Errorf("%s: %v", code[1], sentinel)
		}
		seen[sentinel] = true
	}
	if len(seen)+1 != len(sentinels) || CodeAbandoned.String() != "RTCMSG_ERR_ABANDONED" {
		t.Errorf("%d codes, %d errors", len(seen), len(sentinels))
	}
}

func TestErrorsSayWhetherItIsSafeToSendAgain(t *testing.T) {
	recipients := func(deliveries ...Delivery) *Report {
		report := &Report{Delivery: deliveries[0]}
		for _, delivery := range deliveries[1:] {
			report.Recipients = append(report.Recipients, Recipient{Delivery: delivery})
		}
		return report
	}
	for _, c := range []struct {
		name             string
		err              *Error
		notSent, unknown bool
	}{
		{"not accepted", asRefusal(&Error{Code: CodeQueueFull}).(*Error), true, false},
		{"no thread for the queue", asRefusal(&Error{Code: CodeNoResources}).(*Error), true, false},
		{"no thread for a lookup", &Error{Code: CodeNoResources, Report: recipients(NotSent)}, true, false},
		{"a context that had ended", notSent(context.Canceled), true, false},
		{"refused by a defect", asRefusal(&Error{Code: CodeInternal}).(*Error), false, false},
		{"of a call without a message", &Error{Code: CodeNotFound}, false, false},
		{"of a defect that ended the client", abandoned(&Error{Code: CodeInternal}), false, true},
		{"to a room, not sent", &Error{Code: CodeConnect, Report: recipients(NotSent)}, true, false},
		{"to two, not sent", &Error{Code: CodeConnect, Report: recipients(NotSent, NotSent, NotSent)}, true, false},
		{"to two, one not sent", &Error{Code: CodePartial, Report: recipients(NotSent, Accepted, NotSent)}, false, false},
		{"to two, one unknown", &Error{Code: CodePartial, Report: recipients(Unknown, Accepted, Unknown)}, false, true},
		{"refused", &Error{Code: CodeRejected, Report: recipients(NotDelivered, NotDelivered)}, false, false},
		{"abandoned", abandoned(context.Canceled), false, true},
	} {
		if c.err.Is(ErrNotSent) != c.notSent || c.err.Is(ErrOutcomeUnknown) != c.unknown {
			t.Errorf("%s: not sent %v, unknown %v", c.name, c.err.Is(ErrNotSent), c.err.Is(ErrOutcomeUnknown))
		}
	}
}

func TestTheCauseOfAResultIsTheContextsErrorAtThatTime(t *testing.T) {
	live := func() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) }
	cancelled := func() (context.Context, context.CancelFunc) {
		ctx, cancel := live()
		cancel()
		return ctx, cancel
	}
	late := func() (context.Context, context.CancelFunc) {
		return context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	}
	lateAndCancelled := func() (context.Context, context.CancelFunc) {
		ctx, cancel := cancelled()
		return deadlined{ctx}, cancel
	}
	for _, c := range []struct {
		name  string
		make  func() (context.Context, context.CancelFunc)
		code  Code
		cause error
	}{
		{"cancelled, not by its context", live, CodeCancelled, nil},
		{"cancelled by its context", cancelled, CodeCancelled, context.Canceled},
		{"cancelled by a deadline", late, CodeCancelled, context.DeadlineExceeded},
		{"timed out", live, CodeTimeout, nil},
		{"timed out after a cancel", cancelled, CodeTimeout, nil},
		{"timed out by a deadline", late, CodeTimeout, context.DeadlineExceeded},
		{"timed out by a deadline after a cancel", lateAndCancelled, CodeTimeout, context.DeadlineExceeded},
		{"expired after a cancel", cancelled, CodeExpired, nil},
		{"expired by a deadline", late, CodeExpired, context.DeadlineExceeded},
		{"no quota after a cancel", cancelled, CodeRateLimited, nil},
		{"no quota by a deadline", late, CodeRateLimited, context.DeadlineExceeded},
		{"refused by the vendor", late, CodeRejected, nil},
	} {
		ctx, cancel := c.make()
		s := &Submission{ctx: ctx, done: make(chan struct{})}
		s.end(&Report{Code: c.code}, nil)
		// A context that ends later changes nothing.
		for range 2 {
			_, err := s.outcome()
			if found := errors.Unwrap(err); found != c.cause {
				t.Errorf("%s: %v, not %v", c.name, found, c.cause)
			}
			cancel()
		}
	}
}

// deadlined is a context whose deadline passes after its cancellation.
type deadlined struct{ context.Context }

func (deadlined) Deadline() (time.Time, bool) { return time.Now(), true }
