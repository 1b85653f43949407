/* Invalid arguments of submit, poll and the other functions of the queue are refused, and out-params are set on every
 * path. */
#include <rtcmsg.h>

#include "check.h"
#include "fixtures.h"
#include "row.h"
#include "tasks.h"

#define INVALID RTCMSG_ERR_INVALID_ARGUMENT
#define UNTOUCHED_ID UINT64_C(0xABCDEF)
#define ROW_SIZE sizeof(rtcmsg_completion)

static rtcmsg_client *client;
static rtcmsg_message good;
static rtcmsg_error error;

/* The out-params of the calls. */
static uint64_t id;
static size_t count;
static size_t needed;
static ptrdiff_t handle;
static int32_t level;
static rtcmsg_completion rows[4];
static rtcmsg_completion untouched[4];
static char text[8192];

static void begin(const char *what) {
  static const rtcmsg_error initial = RTCMSG_INIT(rtcmsg_error);
  error = initial;
  id = UNTOUCHED_ID;
  count = needed = 77;
  handle = 77;
  level = 77;
  memset(rows, 'x', sizeof rows);
  memset(untouched, 'x', sizeof untouched);
  memset(text, 'x', sizeof text);
  row_begin(what);
}

/* A row: its name, the call and the expected error. A call that fails writes nothing to `rows`. */
#define EXPECT(what, call, code, field, contains)                 \
  do {                                                            \
    begin(what);                                                  \
    row_check_error(&error, (call), (code), (field), (contains)); \
    CHECK_BYTES(rows, sizeof rows, untouched, sizeof untouched);  \
    row_check_no_traffic();                                       \
  } while (0)

#define EXPECT_NO_ID(what, call, code, field, contains) \
  do {                                                  \
    EXPECT(what, call, code, field, contains);          \
    CHECK_SIZE(id, 0);                                  \
  } while (0)

#define EXPECT_NO_ROWS(what, call, code, field, contains) \
  do {                                                    \
    EXPECT(what, call, code, field, contains);            \
    CHECK_SIZE(count, 0);                                 \
  } while (0)

#define EXPECT_NO_HANDLE(what, call, code, field, contains) \
  do {                                                      \
    EXPECT(what, call, code, field, contains);              \
    CHECK_INT(handle, -1);                                  \
  } while (0)

#define EXPECT_NO_TEXT(what, call, code, field, contains, size) \
  do {                                                          \
    EXPECT(what, call, code, field, contains);                  \
    CHECK_SIZE(needed, size);                                   \
    CHECK_SIZE((unsigned char)text[0], 'x');                    \
  } while (0)

static void null_for_every_argument(void) {
  check_case("NULL");
  EXPECT_NO_ID("submit: client", rtcmsg_client_submit(NULL, &good, NULL, &id, &error), INVALID, "client", "is NULL");
  EXPECT_NO_ID("submit: message", rtcmsg_client_submit(client, NULL, NULL, &id, &error), INVALID, "message", "is NULL");
  EXPECT("submit: id", rtcmsg_client_submit(client, &good, NULL, NULL, &error), INVALID, "id", "is NULL");
  EXPECT_NO_ROWS("poll: client", rtcmsg_client_poll(NULL, 0, rows, ROW_SIZE, 4, &count, &error), INVALID, "client",
                 "is NULL");
  EXPECT_NO_ROWS("poll: rows", rtcmsg_client_poll(client, 0, NULL, ROW_SIZE, 4, &count, &error), INVALID, "rows",
                 "is NULL");
  EXPECT("poll: count", rtcmsg_client_poll(client, 0, rows, ROW_SIZE, 4, NULL, &error), INVALID, "count", "is NULL");
  EXPECT_NO_HANDLE("event_handle: client", rtcmsg_client_event_handle(NULL, &handle, &error), INVALID, "client",
                   "is NULL");
  EXPECT("event_handle: handle", rtcmsg_client_event_handle(client, NULL, &error), INVALID, "handle", "is NULL");
  EXPECT("cancel: client", rtcmsg_client_cancel(NULL, 1, &error), INVALID, "client", "is NULL");
  EXPECT("flush: client", rtcmsg_client_flush(NULL, 0, &error), INVALID, "client", "is NULL");
  EXPECT("warm_up: client", rtcmsg_client_warm_up(NULL, 1, &error), INVALID, "client", "is NULL");
  EXPECT_NO_TEXT("stats: client", rtcmsg_client_stats(NULL, text, sizeof text, &needed, &error), INVALID, "client",
                 "is NULL", 0);
  EXPECT("stats: needed", rtcmsg_client_stats(client, text, sizeof text, NULL, &error), INVALID, "needed", "is NULL");
  EXPECT("stats: json", rtcmsg_client_stats(client, NULL, sizeof text, &needed, &error), INVALID, "json", "is NULL");
  CHECK(needed > 1 && needed <= 4096);
  EXPECT_NO_TEXT("log: client", rtcmsg_client_next_log_line(NULL, &level, text, sizeof text, &needed, &error), INVALID,
                 "client", "is NULL", 0);
  CHECK_INT(level, 0);
  EXPECT("log: level", rtcmsg_client_next_log_line(client, NULL, text, sizeof text, &needed, &error), INVALID, "level",
         "is NULL");
  EXPECT("log: needed", rtcmsg_client_next_log_line(client, &level, text, sizeof text, NULL, &error), INVALID, "needed",
         "is NULL");
  begin("pending");
  CHECK_SIZE(rtcmsg_client_pending(NULL), 0);
  row_end_group(client);
}

/* Every function accepts NULL for the error. */
static void null_for_the_error(void) {
  begin("NULL for the error");
  CHECK_CODE(rtcmsg_client_submit(NULL, NULL, NULL, NULL, NULL), INVALID);
  CHECK_CODE(rtcmsg_client_submit(client, NULL, NULL, &id, NULL), INVALID);
  CHECK_SIZE(id, 0);
  CHECK_CODE(rtcmsg_client_poll(NULL, 0, NULL, 0, 0, NULL, NULL), INVALID);
  CHECK_CODE(rtcmsg_client_poll(client, 0, rows, ROW_SIZE, 4, &count, NULL), RTCMSG_OK);
  CHECK_SIZE(count, 0);
  CHECK_CODE(rtcmsg_client_event_handle(NULL, NULL, NULL), INVALID);
  CHECK_CODE(rtcmsg_client_cancel(NULL, 0, NULL), INVALID);
  CHECK_CODE(rtcmsg_client_cancel(client, 0, NULL), RTCMSG_ERR_NOT_FOUND);
  CHECK_CODE(rtcmsg_client_flush(NULL, -1, NULL), INVALID);
  CHECK_CODE(rtcmsg_client_flush(client, 0, NULL), RTCMSG_OK);
  CHECK_CODE(rtcmsg_client_warm_up(NULL, 0, NULL), INVALID);
  CHECK_CODE(rtcmsg_client_stats(NULL, NULL, 0, NULL, NULL), INVALID);
  CHECK_CODE(rtcmsg_client_next_log_line(NULL, NULL, NULL, 0, NULL, NULL), INVALID);
  CHECK_CODE(rtcmsg_client_next_log_line(client, &level, text, sizeof text, &needed, NULL), RTCMSG_ERR_NOT_FOUND);
  row_check_no_traffic();
  row_end_group(client);
}

/* An error struct as a newer header may define it. */
struct newer_error {
  rtcmsg_error known;
  unsigned char tail[64];
};

static void errors_that_are_too_small(void) {
  struct newer_error small;
  rtcmsg_error *given = &small.known;
  begin("an error that is too small");
  memset(&small, 'x', sizeof small);
  given->struct_size = 16;
  CHECK_CODE(rtcmsg_client_submit(client, &good, NULL, &id, given), INVALID);
  CHECK_CODE(rtcmsg_client_poll(client, 0, rows, ROW_SIZE, 4, &count, given), INVALID);
  CHECK_CODE(rtcmsg_client_event_handle(client, &handle, given), INVALID);
  CHECK_CODE(rtcmsg_client_cancel(client, 1, given), INVALID);
  CHECK_CODE(rtcmsg_client_flush(client, 0, given), INVALID);
  CHECK_CODE(rtcmsg_client_warm_up(client, 1, given), INVALID);
  CHECK_CODE(rtcmsg_client_stats(client, text, sizeof text, &needed, given), INVALID);
  CHECK_CODE(rtcmsg_client_next_log_line(client, &level, text, sizeof text, &needed, given), INVALID);
  CHECK_SIZE(id, 0);
  CHECK_SIZE(count, 0);
  CHECK_INT(handle, -1);
  CHECK_SIZE(needed, 0);
  CHECK_INT(level, 0);
  CHECK_SIZE(given->struct_size, 16);
  CHECK_INT(given->field[0], 'x');
  CHECK_SIZE(rtcmsg_client_pending(client), 0);
  row_check_no_traffic();
  row_end_group(client);
}

static rtcmsg_code submit_with(rtcmsg_send_options options) {
  return rtcmsg_client_submit(client, &good, &options, &id, &error);
}

static rtcmsg_code send_with(rtcmsg_send_options options, rtcmsg_report **report) {
  return rtcmsg_client_send(client, &good, &options, report, &error);
}

static rtcmsg_code call_with(rtcmsg_send_options options, rtcmsg_report **report) {
  return rtcmsg_client_call_action(client, RTCMSG_VENDOR_ZEGO, "SendBroadcastMessage", NULL, rtcmsg_str_from("{}"),
                                   &options, report, &error);
}

#define MESSAGE_FLAG_IN_OPTIONS "RTCMSG_MESSAGE_BINARY is a flag of rtcmsg_message, not of rtcmsg_send_options"

static void invalid_options(void) {
  static const rtcmsg_send_options initial = RTCMSG_INIT(rtcmsg_send_options);
  struct newer_call {
    rtcmsg_send_options known;
    unsigned char tail[64];
  } newer;
  rtcmsg_send_options options = initial;
  options.struct_size = 0;
  EXPECT_NO_ID("size 0", submit_with(options), INVALID, "struct_size", "options: struct_size is 0");
  options.struct_size = sizeof options - 1;
  EXPECT_NO_ID("a byte too few", submit_with(options), INVALID, "struct_size", "at least 40");
  options.struct_size = SIZE_MAX;
  EXPECT_NO_ID("SIZE_MAX", submit_with(options), INVALID, "struct_size", "at most 4096");
  memset(&newer, 0, sizeof newer);
  newer.known.struct_size = sizeof newer;
  newer.tail[63] = 1;
  EXPECT_NO_ID("a set tail", rtcmsg_client_submit(client, &good, &newer.known, &id, &error), RTCMSG_ERR_UNSUPPORTED,
               "options", "after byte 40");
  options = initial;
  options.timeout_ms = -2;
  EXPECT_NO_ID("timeout -2", submit_with(options), INVALID, "timeout_ms", "is -2; must be 0 or more");
  options = initial;
  options.expires_in_ms = -1;
  EXPECT_NO_ID("expires -1", submit_with(options), INVALID, "expires_in_ms", "is -1; must be 1 or more");
  options.expires_in_ms = INT32_MIN;
  EXPECT_NO_ID("expires INT32_MIN", submit_with(options), INVALID, "expires_in_ms", "must be 1 or more");
  options = initial;
  options.priority = 2;
  EXPECT_NO_ID("priority", submit_with(options), INVALID, "priority", "unknown priority 2");
  options = initial;
  options.flags = 4;
  EXPECT_NO_ID("flag 4", submit_with(options), INVALID, "flags", "unknown flag");
  options.flags = UINT32_MAX;
  EXPECT_NO_ID("all flags", submit_with(options), INVALID, "flags", MESSAGE_FLAG_IN_OPTIONS);
  options.flags = RTCMSG_SUBMIT_UNORDERED | RTCMSG_MESSAGE_BINARY;
  EXPECT_NO_ID("a flag of the message", submit_with(options), INVALID, "flags", MESSAGE_FLAG_IN_OPTIONS);
  options.flags = RTCMSG_SUBMIT_UNORDERED;
  options.order_key = 1;
  EXPECT_NO_ID("a key for an unordered message", submit_with(options), INVALID, "order_key", "RTCMSG_SUBMIT_UNORDERED");
  row_end_group(client);
}

/* The other functions refuse the options that only submit uses, because they would have no effect. */
static void options_of_submit_are_refused_by_other_functions(void) {
  static const rtcmsg_send_options initial = RTCMSG_INIT(rtcmsg_send_options);
  rtcmsg_send_options given[4];
  static const char *const field[] = {"flags", "flags", "user_data", "order_key"};
  rtcmsg_report *report;
  size_t i;
  for (i = 0; i < 4; i++) given[i] = initial;
  given[0].flags = RTCMSG_SUBMIT_UNORDERED;
  given[1].flags = RTCMSG_SUBMIT_NO_COMPLETION;
  given[2].user_data = 1;
  given[3].order_key = 1;
  for (i = 0; i < 4; i++) {
    report = row_untouched;
    EXPECT("send", send_with(given[i], &report), INVALID, field[i], "only rtcmsg_client_submit");
    CHECK(report == NULL);
    report = row_untouched;
    EXPECT("call", call_with(given[i], &report), INVALID, field[i], "only rtcmsg_client_submit");
    CHECK(report == NULL);
  }
  given[0] = initial;
  given[0].flags = RTCMSG_MESSAGE_BINARY;
  report = row_untouched;
  EXPECT("send: a flag of the message", send_with(given[0], &report), INVALID, "flags", MESSAGE_FLAG_IN_OPTIONS);
  CHECK(report == NULL);
  report = row_untouched;
  EXPECT("call: a flag of the message", call_with(given[0], &report), INVALID, "flags", MESSAGE_FLAG_IN_OPTIONS);
  CHECK(report == NULL);
  given[0] = initial;
  given[0].expires_in_ms = -1;
  report = row_untouched;
  EXPECT("send: expires -1", send_with(given[0], &report), INVALID, "expires_in_ms", "must be 1 or more");
  CHECK(report == NULL);
  row_end_group(client);
}

static void invalid_messages(void) {
  rtcmsg_message bad = good;
  bad.action = 0;
  EXPECT_NO_ID("no action", rtcmsg_client_submit(client, &bad, NULL, &id, &error), INVALID, "action", "");
  bad = good;
  bad.struct_size = 8;
  EXPECT_NO_ID("size 8", rtcmsg_client_submit(client, &bad, NULL, &id, &error), INVALID, "struct_size", "message");
  bad = good;
  bad.to_count = 0;
  EXPECT_NO_ID("no recipient", rtcmsg_client_submit(client, &bad, NULL, &id, &error), INVALID, "to", "");
  bad = good;
  bad.payload_len = 0;
  EXPECT_NO_ID("empty payload", rtcmsg_client_submit(client, &bad, NULL, &id, &error), INVALID, "payload", "");
  begin("no message was accepted");
  CHECK_SIZE(rtcmsg_client_pending(client), 0);
  row_end_group(client);
}

static void invalid_polls(void) {
  static const size_t sizes[] = {0, 1, sizeof(rtcmsg_completion) - 1, sizeof(rtcmsg_completion) + 1, 4104, SIZE_MAX};
  size_t i;
  for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
    EXPECT_NO_ROWS("row_size", rtcmsg_client_poll(client, 0, rows, sizes[i], 1, &count, &error), INVALID, "row_size",
                   "sizeof(rtcmsg_completion)");
  EXPECT_NO_ROWS("capacity 0", rtcmsg_client_poll(client, 0, rows, ROW_SIZE, 0, &count, &error), INVALID, "capacity",
                 "is 0");
  EXPECT_NO_ROWS("timeout -2", rtcmsg_client_poll(client, -2, rows, ROW_SIZE, 1, &count, &error), INVALID, "timeout_ms",
                 "is -2");
  EXPECT_NO_ROWS("INT32_MIN", rtcmsg_client_poll(client, INT32_MIN, rows, ROW_SIZE, 1, &count, &error), INVALID,
                 "timeout_ms", "-1 for no limit");
  EXPECT_NO_ROWS("no completion, timeout 0", rtcmsg_client_poll(client, 0, rows, ROW_SIZE, 4, &count, &error),
                 RTCMSG_OK, "", "");
  EXPECT_NO_ROWS("no completion, timeout 1", rtcmsg_client_poll(client, 1, rows, ROW_SIZE, 4, &count, &error),
                 RTCMSG_OK, "", "");
  row_end_group(client);
}

/* The rows of a newer header are larger: the fields after the known ones are zero, and each row is at its own
 * position. */
static void rows_of_a_newer_header(void) {
  struct newer_row {
    rtcmsg_completion known;
    unsigned char tail[64];
  } newer[3];
  static const unsigned char zeros[64] = {0};
  uint64_t first;
  uint64_t second;
  size_t got = 0;
  begin("larger rows");
  memset(newer, 'x', sizeof newer);
  CHECK_CODE(rtcmsg_client_submit(client, &good, NULL, &first, &error), RTCMSG_OK);
  CHECK_CODE(rtcmsg_client_submit(client, &good, NULL, &second, &error), RTCMSG_OK);
  CHECK_CODE(rtcmsg_client_flush(client, -1, &error), RTCMSG_OK);
  CHECK_CODE(rtcmsg_client_poll(client, 0, &newer[0].known, sizeof *newer, 3, &got, &error), RTCMSG_OK);
  REQUIRE(got == 2);
  CHECK_SIZE(newer[0].known.id, first);
  CHECK_SIZE(newer[1].known.id, second);
  CHECK_BYTES(newer[1].tail, sizeof zeros, zeros, sizeof zeros);
  CHECK_INT(newer[2].tail[0], 'x');
  rtcmsg_report_free(newer[0].known.report);
  rtcmsg_report_free(newer[1].known.report);
  row_begin_group();
}

static void other_invalid_arguments(void) {
  EXPECT("flush: -2", rtcmsg_client_flush(client, -2, &error), INVALID, "timeout_ms", "is -2");
  EXPECT("flush: INT32_MIN", rtcmsg_client_flush(client, INT32_MIN, &error), INVALID, "timeout_ms", "-1 for no limit");
  EXPECT("warm_up: too many", rtcmsg_client_warm_up(client, 65, &error), INVALID, "connections", "65 connections");
  EXPECT("warm_up: UINT32_MAX", rtcmsg_client_warm_up(client, UINT32_MAX, &error), INVALID, "connections",
         "http.max_idle_connections is 64");
  EXPECT("cancel: 0", rtcmsg_client_cancel(client, 0, &error), RTCMSG_ERR_NOT_FOUND, "id",
         "no queued message has the id");
  EXPECT("cancel: UINT64_MAX", rtcmsg_client_cancel(client, UINT64_MAX, &error), RTCMSG_ERR_NOT_FOUND, "id",
         "18446744073709551615");
  row_end_group(client);
}

static void buffers_that_are_too_small(void) {
  size_t size;
  check_case("stats");
  CHECK_CODE(rtcmsg_client_stats(client, NULL, 0, &size, &error), RTCMSG_ERR_BUFFER_TOO_SMALL);
  CHECK(size > 500 && size <= 4096);
  EXPECT("stats: no buffer", rtcmsg_client_stats(client, NULL, 0, &needed, &error), RTCMSG_ERR_BUFFER_TOO_SMALL, "json",
         "its capacity is 0 bytes");
  EXPECT("stats: one byte", rtcmsg_client_stats(client, text, 1, &needed, &error), RTCMSG_ERR_BUFFER_TOO_SMALL, "json",
         "its capacity is 1 bytes");
  CHECK_INT(text[0], 'x');
  begin("stats: large enough");
  CHECK_CODE(rtcmsg_client_stats(client, text, sizeof text, &needed, &error), RTCMSG_OK);
  CHECK_SIZE(strlen(text) + 1, needed);
  CHECK_INT(text[0], '{');
  CHECK_INT(text[needed], 'x');
  row_end_group(client);
}

static void log_lines_that_do_not_fit(void) {
  rtcmsg_client *logging = fixture_client("log.buffer_level", "info", NULL);
  size_t line;
  begin("log: no buffer");
  CHECK_CODE(rtcmsg_client_next_log_line(logging, &level, NULL, 0, &needed, &error), RTCMSG_ERR_BUFFER_TOO_SMALL);
  CHECK_TEXT(error.field, "text");
  CHECK(needed > 1);
  line = needed;
  begin("log: a byte too few");
  CHECK_CODE(rtcmsg_client_next_log_line(logging, &level, text, line - 1, &needed, &error),
             RTCMSG_ERR_BUFFER_TOO_SMALL);
  CHECK_SIZE(needed, line);
  CHECK_INT(text[0], 'x');
  begin("log: NULL with room");
  CHECK_CODE(rtcmsg_client_next_log_line(logging, &level, NULL, line, &needed, &error), INVALID);
  CHECK_TEXT(error.field, "text");
  begin("log: the line is still buffered, and fits");
  CHECK_CODE(rtcmsg_client_next_log_line(logging, &level, text, line, &needed, &error), RTCMSG_OK);
  CHECK_INT(level, RTCMSG_LOG_INFO);
  CHECK_SIZE(strlen(text) + 1, line);
  CHECK_CONTAINS(text, "client made");
  begin("log: no other line");
  CHECK_CODE(rtcmsg_client_next_log_line(logging, &level, text, sizeof text, &needed, &error), RTCMSG_ERR_NOT_FOUND);
  CHECK_INT(level, 0);
  CHECK_SIZE(needed, 0);
  CHECK_INT(text[0], 'x');
  rtcmsg_client_free(logging);
  row_end_group(client);
}

static void a_closed_client(void) {
  rtcmsg_client *closed = fixture_client(NULL);
  CHECK_CODE(rtcmsg_client_close(closed, 0, &error), RTCMSG_OK);
  row_begin_group();
  EXPECT_NO_ID("submit", rtcmsg_client_submit(closed, &good, NULL, &id, &error), RTCMSG_ERR_CLOSED, "", "closed");
  EXPECT_NO_HANDLE("event_handle", rtcmsg_client_event_handle(closed, &handle, &error), RTCMSG_ERR_CLOSED, "",
                   "closed");
  EXPECT("cancel", rtcmsg_client_cancel(closed, 1, &error), RTCMSG_ERR_CLOSED, "", "closed");
  EXPECT("flush", rtcmsg_client_flush(closed, -1, &error), RTCMSG_ERR_CLOSED, "", "closed");
  EXPECT("warm_up", rtcmsg_client_warm_up(closed, 1, &error), RTCMSG_ERR_CLOSED, "", "closed");
  EXPECT_NO_ROWS("poll without limit", rtcmsg_client_poll(closed, -1, rows, ROW_SIZE, 4, &count, &error), RTCMSG_OK, "",
                 "");
  EXPECT_NO_ROWS("poll: capacity 0", rtcmsg_client_poll(closed, -1, rows, ROW_SIZE, 0, &count, &error), INVALID,
                 "capacity", "is 0");
  begin("functions that still work");
  CHECK_CODE(rtcmsg_client_stats(closed, text, sizeof text, &needed, &error), RTCMSG_OK);
  CHECK_CODE(rtcmsg_client_next_log_line(closed, &level, text, sizeof text, &needed, &error), RTCMSG_ERR_NOT_FOUND);
  CHECK_SIZE(rtcmsg_client_pending(closed), 0);
  rtcmsg_client_free(closed);
  row_end_group(client);
}

/* After all the errors a valid submit is accepted and completed. */
static void a_valid_submit_still_succeeds(void) {
  begin("a valid submit");
  CHECK_CODE(rtcmsg_client_submit(client, &good, NULL, &id, &error), RTCMSG_OK);
  CHECK(id >= 1 && id != UNTOUCHED_ID);
  CHECK_CODE(rtcmsg_client_poll(client, -1, rows, ROW_SIZE, 4, &count, &error), RTCMSG_OK);
  fixture_check_no_error(&error);
  REQUIRE(count == 1);
  CHECK_SIZE(rows[0].id, id);
  CHECK_CODE(rows[0].code, RTCMSG_OK);
  rtcmsg_report_free(rows[0].report);
  CHECK_BYTES(&rows[1], sizeof rows[1], &untouched[1], sizeof untouched[1]);
}

int main(void) {
  client = fixture_client(NULL);
  good = fixture_unicast();
  row_begin_group();
  null_for_every_argument();
  null_for_the_error();
  errors_that_are_too_small();
  invalid_options();
  options_of_submit_are_refused_by_other_functions();
  invalid_messages();
  invalid_polls();
  rows_of_a_newer_header();
  other_invalid_arguments();
  buffers_that_are_too_small();
  log_lines_that_do_not_fit();
  a_closed_client();
  a_valid_submit_still_succeeds();
  rtcmsg_client_free(client);
  tasks_wait_for_end_of("rtcmsg-");
  return row_summary();
}
