#include "check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t checks;
static size_t failures;
static const char *current_case;

/* Flushes at once, so that the output is complete if the program crashes. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
static void say(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  fflush(stdout);
}

/* Returns whether the check failed. If it did, this prints the beginning of the line, and the caller prints the
 * rest. */
static int failed(const char *file, int line, int holds) {
  checks++;
  if (holds) return 0;
  failures++;
  say("%s:%d: ", file, line);
  if (current_case) say("[%s] ", current_case);
  return 1;
}

void check_case(const char *name) { current_case = name; }

size_t check_failures(void) { return failures; }

int check_summary(void) {
  say("checks: %zu, failures: %zu\n", checks, failures);
  return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

void check_true(const char *file, int line, const char *what, int holds) {
  if (failed(file, line, holds)) say("not true: %s\n", what);
}

void check_require(const char *file, int line, const char *what, int holds) {
  if (!failed(file, line, holds)) return;
  say("not true, and the program cannot continue: %s\n", what);
  exit(check_summary());
}

void check_int(const char *file, int line, const char *what, int64_t actual, int64_t expected) {
  if (failed(file, line, actual == expected)) say("%s is %" PRId64 ", expected %" PRId64 "\n", what, actual, expected);
}

void check_size(const char *file, int line, const char *what, uint64_t actual, uint64_t expected) {
  if (failed(file, line, actual == expected)) say("%s is %" PRIu64 ", expected %" PRIu64 "\n", what, actual, expected);
}

void check_code(const char *file, int line, const char *what, rtcmsg_code actual, rtcmsg_code expected) {
  if (failed(file, line, actual == expected))
    say("%s is %s (%" PRId32 "), expected %s (%" PRId32 ")\n", what, rtcmsg_code_name(actual), actual,
        rtcmsg_code_name(expected), expected);
}

void check_delivery(const char *file, int line, const char *what, uint32_t actual, uint32_t expected) {
  if (failed(file, line, actual == expected))
    say("%s is %s (%" PRIu32 "), expected %s (%" PRIu32 ")\n", what, rtcmsg_delivery_name(actual), actual,
        rtcmsg_delivery_name(expected), expected);
}

static const char *shown(const char *text) { return text ? text : "(NULL)"; }

void check_text(const char *file, int line, const char *what, const char *actual, const char *expected) {
  int equal = actual && expected ? strcmp(actual, expected) == 0 : actual == expected;
  if (failed(file, line, equal)) say("%s is \"%s\", expected \"%s\"\n", what, shown(actual), shown(expected));
}

void check_contains(const char *file, int line, const char *what, const char *actual, const char *part, int wanted) {
  int found = actual && strstr(actual, part) != NULL;
  if (failed(file, line, actual && found == wanted))
    say("%s %s \"%s\": \"%s\"\n", what, wanted ? "lacks" : "holds", part, shown(actual));
}

void check_bytes(const char *file, int line, const char *what, const void *actual, size_t actual_len,
                 const void *expected, size_t expected_len) {
  size_t shorter = actual_len < expected_len ? actual_len : expected_len;
  const unsigned char *a = actual;
  const unsigned char *e = expected;
  size_t at = 0;
  if (shorter > 0 && (!a || !e)) shorter = 0;
  while (at < shorter && a[at] == e[at]) at++;
  if (failed(file, line, actual_len == expected_len && at == actual_len))
    say("%s has %zu bytes, expected %zu; the first difference is at %zu\n", what, actual_len, expected_len, at);
}
