/* Invalid arguments are refused: NULL for every argument, structs of other sizes, handles of closed clients. */
#include <rtcmsg.h>

#include "check.h"
#include "fixtures.h"
#include "row.h"

#define INVALID RTCMSG_ERR_INVALID_ARGUMENT
#define UNSUPPORTED RTCMSG_ERR_UNSUPPORTED
#define ACTION "P2PSendUserMessage"
#define ZEGO_ACTION "SendBroadcastMessage"
#define VERSION "2020-12-01"

static rtcmsg_client *client;
static rtcmsg_config *config;
static rtcmsg_message good;
static rtcmsg_error error;

/* The out-params of the calls. */
static rtcmsg_client *made;
static rtcmsg_report *report;

static void begin(const char *what) {
  static const rtcmsg_error initial = RTCMSG_INIT(rtcmsg_error);
  error = initial;
  made = row_untouched;
  report = row_untouched;
  row_begin(what);
}

/* A row: its name, the call and the expected error. */
#define EXPECT(what, call, code, field, text)                 \
  do {                                                        \
    begin(what);                                              \
    row_check_error(&error, (call), (code), (field), (text)); \
    row_check_no_traffic();                                   \
  } while (0)

/* The same for a call with an out-param, which must be set to NULL. */
#define EXPECT_NO_REPORT(what, call, code, field, text) \
  do {                                                  \
    EXPECT(what, call, code, field, text);              \
    CHECK(report == NULL);                              \
  } while (0)

#define EXPECT_NO_CLIENT(what, call, code, field, text) \
  do {                                                  \
    EXPECT(what, call, code, field, text);              \
    CHECK(made == NULL);                                \
  } while (0)

/* The same for a call that writes no error. */
#define EXPECT_CODE(what, call, code) \
  do {                                \
    begin(what);                      \
    CHECK_CODE((call), (code));       \
    row_check_no_traffic();           \
  } while (0)

static rtcmsg_str json_of(const char *data, size_t len) {
  rtcmsg_str json;
  json.data = data;
  json.len = len;
  return json;
}

static rtcmsg_code call_volcengine(const char *action, const char *version, rtcmsg_str json) {
  return rtcmsg_client_call_action(client, RTCMSG_VENDOR_VOLCENGINE, action, version, json, NULL, &report, &error);
}

static rtcmsg_code call_zego(const char *action, const char *version, rtcmsg_str json) {
  return rtcmsg_client_call_action(client, RTCMSG_VENDOR_ZEGO, action, version, json, NULL, &report, &error);
}

static void null_for_every_argument(void) {
  rtcmsg_str json = rtcmsg_str_from("{}");
  EXPECT("config_set: config", rtcmsg_config_set(NULL, "zego.app_id", "1", &error), INVALID, "config", "is NULL");
  EXPECT("config_set: key", rtcmsg_config_set(config, NULL, "1", &error), INVALID, "key", "is NULL");
  EXPECT("config_set: value", rtcmsg_config_set(config, "zego.app_id", NULL, &error), INVALID, "value", "is NULL");
  EXPECT("load_env: config", rtcmsg_config_load_env(NULL, &error), INVALID, "config", "is NULL");
  EXPECT("set_log: config", rtcmsg_config_set_log(NULL, NULL, NULL, RTCMSG_LOG_DEBUG, &error), INVALID, "config",
         "is NULL");
  EXPECT("set_log: fn", rtcmsg_config_set_log(config, NULL, NULL, RTCMSG_LOG_DEBUG, &error), RTCMSG_OK, "", "");
  EXPECT_NO_CLIENT("client_new: config", rtcmsg_client_new(NULL, &made, &error), INVALID, "config", "is NULL");
  EXPECT("client_new: client", rtcmsg_client_new(config, NULL, &error), INVALID, "client", "is NULL");
  EXPECT("client_new: both", rtcmsg_client_new(NULL, NULL, &error), INVALID, "client", "is NULL");
  EXPECT("check: client", rtcmsg_client_check(NULL, &good, &error), INVALID, "client", "is NULL");
  EXPECT("check: message", rtcmsg_client_check(client, NULL, &error), INVALID, "message", "is NULL");
  EXPECT_NO_REPORT("send: client", rtcmsg_client_send(NULL, &good, NULL, &report, &error), INVALID, "client",
                   "is NULL");
  EXPECT_NO_REPORT("send: message", rtcmsg_client_send(client, NULL, NULL, &report, &error), INVALID, "message",
                   "is NULL");
  EXPECT("send: report", rtcmsg_client_send(client, &good, NULL, NULL, &error), INVALID, "report", "is NULL");
  EXPECT_NO_REPORT("call: client",
                   rtcmsg_client_call_action(NULL, RTCMSG_VENDOR_ZEGO, ZEGO_ACTION, NULL, json, NULL, &report, &error),
                   INVALID, "client", "is NULL");
  EXPECT_NO_REPORT("call: action", call_volcengine(NULL, VERSION, json), INVALID, "action", "is NULL");
  EXPECT_NO_REPORT("call: version", call_volcengine(ACTION, NULL, json), INVALID, "version", "2020-12-01");
  EXPECT_NO_REPORT("call: json", call_volcengine(ACTION, VERSION, rtcmsg_str_from(NULL)), INVALID, "json", "JSON");
  EXPECT_NO_REPORT("call: json of 2", call_volcengine(ACTION, VERSION, json_of(NULL, 2)), INVALID, "json",
                   "NULL with a length of 2");
  EXPECT("call: report",
         rtcmsg_client_call_action(client, RTCMSG_VENDOR_ZEGO, ZEGO_ACTION, NULL, json, NULL, NULL, &error), INVALID,
         "report", "is NULL");
  EXPECT("close: client", rtcmsg_client_close(NULL, 0, &error), INVALID, "client", "is NULL");
  row_end_group(client);
}

static void null_for_the_error(void) {
  rtcmsg_str json = rtcmsg_str_from("[]");
  EXPECT_CODE("config_set", rtcmsg_config_set(config, "no such key", "1", NULL), INVALID);
  EXPECT_CODE("config_set, valid", rtcmsg_config_set(config, "zego.app_id", "1", NULL), RTCMSG_OK);
  EXPECT_CODE("config_set, all NULL", rtcmsg_config_set(NULL, NULL, NULL, NULL), INVALID);
  EXPECT_CODE("load_env", rtcmsg_config_load_env(NULL, NULL), INVALID);
  EXPECT_CODE("load_env, valid", rtcmsg_config_load_env(config, NULL), RTCMSG_OK);
  EXPECT_CODE("set_log", rtcmsg_config_set_log(NULL, NULL, NULL, 0, NULL), INVALID);
  EXPECT_CODE("set_log, valid", rtcmsg_config_set_log(config, NULL, NULL, 0, NULL), RTCMSG_OK);
  EXPECT_CODE("client_new", rtcmsg_client_new(NULL, NULL, NULL), INVALID);
  EXPECT_CODE("check", rtcmsg_client_check(client, NULL, NULL), INVALID);
  EXPECT_CODE("check, valid", rtcmsg_client_check(client, &good, NULL), RTCMSG_OK);
  EXPECT_CODE("send", rtcmsg_client_send(NULL, NULL, NULL, NULL, NULL), INVALID);
  EXPECT_CODE("call",
              rtcmsg_client_call_action(client, RTCMSG_VENDOR_ZEGO, ZEGO_ACTION, NULL, json, NULL, &report, NULL),
              INVALID);
  CHECK(report == NULL);
  EXPECT_CODE("call, all NULL", rtcmsg_client_call_action(NULL, 0, NULL, NULL, rtcmsg_str_from(NULL), NULL, NULL, NULL),
              INVALID);
  EXPECT_CODE("close", rtcmsg_client_close(NULL, 0, NULL), INVALID);
  row_end_group(client);
}

static void null_handles_can_be_freed_and_read(void) {
  size_t len = 1;
  begin("free");
  rtcmsg_config_free(NULL);
  rtcmsg_client_free(NULL);
  rtcmsg_report_free(NULL);
  begin("report accessors");
  CHECK_CODE(rtcmsg_report_code(NULL), INVALID);
  CHECK_SIZE(rtcmsg_report_delivery(NULL), 0);
  CHECK_TEXT(rtcmsg_report_summary(NULL), "");
  CHECK_SIZE(rtcmsg_report_recipient_count(NULL), 0);
  CHECK_SIZE(rtcmsg_report_request_count(NULL), 0);
  CHECK(rtcmsg_report_request(NULL, 0) == NULL);
  CHECK(rtcmsg_report_recipient(NULL, 0) == NULL);
  CHECK(rtcmsg_report_device(NULL, 0) == NULL);
  CHECK(rtcmsg_report_body(NULL, NULL) == NULL);
  CHECK(rtcmsg_report_body(NULL, &len) == NULL);
  CHECK_SIZE(len, 0);
  row_check_no_traffic();
}

static void indexes_past_the_end_of_a_report(void) {
  rtcmsg_report *sent = fixture_send(client, &good, RTCMSG_OK);
  row_begin_group();
  begin("past the end");
  CHECK(rtcmsg_report_request(sent, 1) == NULL);
  CHECK(rtcmsg_report_request(sent, SIZE_MAX) == NULL);
  CHECK(rtcmsg_report_recipient(sent, 1) == NULL);
  CHECK(rtcmsg_report_recipient(sent, SIZE_MAX) == NULL);
  CHECK(rtcmsg_report_device(sent, 0) == NULL);
  CHECK(rtcmsg_report_device(sent, SIZE_MAX) == NULL);
  CHECK_SIZE(rtcmsg_report_count_by_delivery(sent, 6), 0);
  CHECK_SIZE(rtcmsg_report_count_by_delivery(sent, UINT32_MAX), 0);
  row_check_no_traffic();
  rtcmsg_report_free(sent);
}

/* An error struct as a newer header may define it, filled with bytes that must not change. */
struct newer_error {
  rtcmsg_error known;
  unsigned char tail[64];
};

static struct newer_error error_of(size_t struct_size) {
  struct newer_error newer;
  memset(&newer, 'x', sizeof newer);
  newer.known.struct_size = struct_size;
  return newer;
}

static void check_untouched(const struct newer_error *actual, size_t struct_size) {
  struct newer_error expected = error_of(struct_size);
  CHECK_BYTES(actual, sizeof *actual, &expected, sizeof expected);
}

static void errors_of_other_sizes(void) {
  static const size_t wrong[] = {0, 1, 16, sizeof(rtcmsg_error) - 1, 4097, (size_t)-1 / 2, SIZE_MAX};
  struct newer_error newer = error_of(sizeof newer);
  unsigned char tail[sizeof newer.tail];
  size_t i;
  memset(tail, 'x', sizeof tail);
  EXPECT_CODE("a larger error", rtcmsg_config_set(config, "no such key", "1", &newer.known), INVALID);
  CHECK_TEXT(newer.known.field, "no such key");
  CHECK_SIZE(newer.known.struct_size, sizeof newer);
  CHECK_BYTES(newer.tail, sizeof newer.tail, tail, sizeof tail);
  EXPECT_CODE("a larger error, valid", rtcmsg_config_set(config, "zego.app_id", "1", &newer.known), RTCMSG_OK);
  CHECK_CODE(newer.known.code, RTCMSG_OK);
  CHECK_TEXT(newer.known.field, "");
  CHECK_TEXT(newer.known.message, "");
  CHECK_BYTES(newer.tail, sizeof newer.tail, tail, sizeof tail);

  for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    rtcmsg_str json = rtcmsg_str_from("{}");
    struct newer_error bad = error_of(wrong[i]);
    rtcmsg_error *given = &bad.known;
    EXPECT_CODE("an error of a wrong size: config_set", rtcmsg_config_set(config, "zego.app_id", "1", given), INVALID);
    EXPECT_CODE("an error of a wrong size: load_env", rtcmsg_config_load_env(config, given), INVALID);
    EXPECT_CODE("an error of a wrong size: set_log", rtcmsg_config_set_log(config, NULL, NULL, 0, given), INVALID);
    EXPECT_CODE("an error of a wrong size: client_new", rtcmsg_client_new(config, &made, given), INVALID);
    CHECK(made == NULL);
    EXPECT_CODE("an error of a wrong size: check", rtcmsg_client_check(client, &good, given), INVALID);
    EXPECT_CODE("an error of a wrong size: send", rtcmsg_client_send(client, &good, NULL, &report, given), INVALID);
    CHECK(report == NULL);
    EXPECT_CODE("an error of a wrong size: call",
                rtcmsg_client_call_action(client, RTCMSG_VENDOR_ZEGO, ZEGO_ACTION, NULL, json, NULL, &report, given),
                INVALID);
    CHECK(report == NULL);
    EXPECT_CODE("an error of a wrong size: close", rtcmsg_client_close(client, 0, given), INVALID);
    check_untouched(&bad, wrong[i]);
  }
  row_end_group(client);
}

static char logged[200];

static void keep_line(void *user_data, int32_t level, const char *text) {
  (void)user_data;
  CHECK_INT(level, RTCMSG_LOG_ERROR);
  CHECK(strlen(text) < sizeof logged);
  strncpy(logged, text, sizeof logged - 1);
}

/* The library cannot write to such an error, so it logs the reason. */
static void an_error_without_struct_size_is_logged(void) {
  rtcmsg_error zero;
  rtcmsg_config *logging = rtcmsg_config_new();
  rtcmsg_client *other = NULL;
  memset(&zero, 0, sizeof zero);
  CHECK_CODE(rtcmsg_config_load_env(logging, NULL), RTCMSG_OK);
  CHECK_CODE(rtcmsg_config_set_log(logging, keep_line, NULL, RTCMSG_LOG_ERROR, NULL), RTCMSG_OK);
  EXPECT_CODE("config_set", rtcmsg_config_set(logging, "zego.app_id", "1", &zero), INVALID);
  CHECK_TEXT(
      logged,
      "rtcmsg_config_set: error.struct_size is 0, but must be at least 512: initialize the struct with RTCMSG_INIT");
  EXPECT_CODE("client_new", rtcmsg_client_new(logging, &made, &zero), INVALID);
  CHECK_CONTAINS(logged, "rtcmsg_client_new: error.struct_size is 0");
  CHECK_CODE(rtcmsg_client_new(logging, &other, NULL), RTCMSG_OK);
  EXPECT_CODE("send", rtcmsg_client_send(other, &good, NULL, &report, &zero), INVALID);
  CHECK_CONTAINS(logged, "rtcmsg_client_send: error.struct_size is 0");
  zero.struct_size = SIZE_MAX;
  EXPECT_CODE("flush", rtcmsg_client_flush(other, 0, &zero), INVALID);
  CHECK_CONTAINS(logged, "rtcmsg_client_flush: error.struct_size is 18446744073709551615, but must be at most 4096");
  EXPECT_CODE("no client", rtcmsg_client_flush(NULL, 0, &zero), INVALID);
  rtcmsg_client_free(other);
  rtcmsg_config_free(logging);
  row_end_group(client);
}

struct newer_message {
  rtcmsg_message known;
  unsigned char tail[64];
};

static struct newer_message message_with(size_t at, unsigned char set) {
  struct newer_message newer;
  memset(&newer, 0, sizeof newer);
  newer.known = good;
  newer.known.struct_size = sizeof newer;
  newer.tail[at] = set;
  return newer;
}

static void messages_of_a_newer_header(void) {
  static const size_t places[] = {0, 7, 63};
  struct newer_message newer = message_with(0, 0);
  size_t i;
  EXPECT("a zero tail", rtcmsg_client_check(client, &newer.known, &error), RTCMSG_OK, "", "");
  for (i = 0; i < sizeof places / sizeof *places; i++) {
    newer = message_with(places[i], 0x80);
    EXPECT("a set tail: check", rtcmsg_client_check(client, &newer.known, &error), UNSUPPORTED, "message",
           "after byte 120");
    EXPECT_NO_REPORT("a set tail: send", rtcmsg_client_send(client, &newer.known, NULL, &report, &error), UNSUPPORTED,
                     "message", "after byte 120");
  }
  newer = message_with(0, 0);
  check_case("a zero tail is sent");
  rtcmsg_report_free(fixture_send(client, &newer.known, RTCMSG_OK));
  row_end_group(client);
}

/* Calls rtcmsg_client_send() or rtcmsg_client_call_action() with these options. */
static rtcmsg_code send_or_call_with(int by_call, const rtcmsg_send_options *options) {
  if (!by_call) return rtcmsg_client_send(client, &good, options, &report, &error);
  return rtcmsg_client_call_action(client, RTCMSG_VENDOR_VOLCENGINE, ACTION, VERSION, rtcmsg_str_from("{}"), options,
                                   &report, &error);
}

static rtcmsg_code send_or_call(int by_call, size_t struct_size, int32_t timeout_ms, uint32_t priority) {
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  options.struct_size = struct_size;
  options.timeout_ms = timeout_ms;
  options.priority = priority;
  return send_or_call_with(by_call, &options);
}

static void invalid_send_options(void) {
  struct newer_call {
    rtcmsg_send_options known;
    unsigned char tail[64];
  } newer;
  const size_t size = sizeof(rtcmsg_send_options);
  int by_call;
  memset(&newer, 0, sizeof newer);
  newer.known.struct_size = sizeof newer;
  for (by_call = 0; by_call < 2; by_call++) {
    EXPECT_NO_REPORT("size 0", send_or_call(by_call, 0, 0, 0), INVALID, "struct_size", "options: struct_size is 0");
    EXPECT_NO_REPORT("a byte too few", send_or_call(by_call, size - 1, 0, 0), INVALID, "struct_size", "at least 40");
    EXPECT_NO_REPORT("SIZE_MAX", send_or_call(by_call, SIZE_MAX, 0, 0), INVALID, "struct_size", "at most 4096");
    EXPECT_NO_REPORT("timeout -2", send_or_call(by_call, size, -2, 0), INVALID, "timeout_ms",
                     "is -2; must be 0 or more");
    EXPECT_NO_REPORT("INT32_MIN", send_or_call(by_call, size, INT32_MIN, 0), INVALID, "timeout_ms", "-1 for no limit");
    EXPECT_NO_REPORT("priority", send_or_call(by_call, size, 0, 2), INVALID, "priority", "unknown priority 2");
    newer.tail[0] = 1;
    EXPECT_NO_REPORT("tail begins", send_or_call_with(by_call, &newer.known), UNSUPPORTED, "options", "after byte 40");
    newer.tail[0] = 0;
    newer.tail[63] = 1;
    EXPECT_NO_REPORT("tail ends", send_or_call_with(by_call, &newer.known), UNSUPPORTED, "options", "after byte 40");
    newer.tail[63] = 0;
  }
  check_case("a zero tail");
  CHECK_CODE(send_or_call_with(0, &newer.known), RTCMSG_OK);
  rtcmsg_report_free(report);
  row_end_group(client);
}

static void log_nothing(void *user_data, int32_t level, const char *text) {
  (void)user_data;
  (void)level;
  (void)text;
}

static void levels_and_timeouts_out_of_range(void) {
  static const int32_t levels[] = {0, -1, 5, INT32_MAX, INT32_MIN};
  size_t i;
  for (i = 0; i < sizeof levels / sizeof *levels; i++) {
    EXPECT("set_log: max_level", rtcmsg_config_set_log(config, log_nothing, NULL, levels[i], &error), INVALID,
           "max_level", "RTCMSG_LOG_ERROR (1) to RTCMSG_LOG_DEBUG (4)");
  }
  EXPECT("close: -2", rtcmsg_client_close(client, -2, &error), INVALID, "timeout_ms", "is -2; must be 0 or more");
  EXPECT("close: INT32_MIN", rtcmsg_client_close(client, INT32_MIN, &error), INVALID, "timeout_ms", "-1 for no limit");
  row_end_group(client);
}

static void calls_of_unknown_vendors(void) {
  static const uint32_t vendors[] = {0, 3, UINT32_MAX};
  size_t i;
  for (i = 0; i < sizeof vendors / sizeof *vendors; i++)
    EXPECT_NO_REPORT(
        "vendor",
        rtcmsg_client_call_action(client, vendors[i], ACTION, VERSION, rtcmsg_str_from("{}"), NULL, &report, &error),
        INVALID, "vendor", "RTCMSG_VENDOR_VOLCENGINE or RTCMSG_VENDOR_ZEGO");
  row_end_group(client);
}

static void invalid_actions(void) {
  static const char *const invalid[] = {
      "",      " ",         "Send User",   "Send&Version=1",
      "Send#", "Send/../x", "S\xC3\xA9nd", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
  static const char *const own[] = {"SendUnicast",   "SendRoomUnicast", "BatchSendRoomUnicast",
                                    "SendBroadcast", "P2PSendMessage",  "SendCustomCommand"};
  rtcmsg_str json = rtcmsg_str_from("{}");
  size_t i;
  for (i = 0; i < sizeof invalid / sizeof *invalid; i++) {
    EXPECT_NO_REPORT("not an action name", call_volcengine(invalid[i], VERSION, json), INVALID, "action",
                     "1 to 64 letters");
    EXPECT_NO_REPORT("not an action name", call_zego(invalid[i], NULL, json), INVALID, "action", "1 to 64 letters");
  }
  for (i = 0; i < sizeof own / sizeof *own; i++) {
    EXPECT_NO_REPORT(own[i], call_volcengine(own[i], VERSION, json), INVALID, "action", "use a message for");
    EXPECT_NO_REPORT(own[i], call_zego(own[i], NULL, json), INVALID, "action", "use a message for");
  }
  EXPECT_NO_REPORT("not UTF-8", call_zego("Send\xFF", NULL, json), INVALID, "action", "not UTF-8 at byte 4");
  row_end_group(client);
}

static void invalid_versions(void) {
  static const char *const invalid[] = {"",           "2020-12-1",      "2020/12/01", "20201201",
                                        "2020-12-0x", "2020-12-01&X=1", " 2020-12-01"};
  rtcmsg_str json = rtcmsg_str_from("{}");
  size_t i;
  for (i = 0; i < sizeof invalid / sizeof *invalid; i++)
    EXPECT_NO_REPORT(invalid[i], call_volcengine(ACTION, invalid[i], json), INVALID, "version", "as 2020-12-01");
  EXPECT_NO_REPORT("not UTF-8", call_volcengine(ACTION, "2020-12-0\xFF", json), INVALID, "version",
                   "not UTF-8 at byte 9");
  EXPECT_NO_REPORT("for ZEGO", call_zego(ZEGO_ACTION, VERSION, json), INVALID, "version", "must be empty for ZEGO");
  row_end_group(client);
}

static void json_that_is_not_an_object(void) {
  static const char *const invalid[] = {"",
                                        " ",
                                        "[]",
                                        "1",
                                        "\"{}\"",
                                        "null",
                                        "{",
                                        "{\"a\":",
                                        "{\"a\":1,}",
                                        "{} {}",
                                        "{\"a\":NaN}",
                                        "{'a':1}",
                                        "{a:1}",
                                        "{\"a\":01}",
                                        "{\"a\":\"\n\"}",
                                        "\xEF\xBB\xBF{}",
                                        "{\"a\":1,\"\\u0061\":2}"};
  size_t i;
  for (i = 0; i < sizeof invalid / sizeof *invalid; i++) {
    EXPECT_NO_REPORT(invalid[i], call_volcengine(ACTION, VERSION, rtcmsg_str_from(invalid[i])), INVALID, "json",
                     "JSON");
    EXPECT_NO_REPORT(invalid[i], call_zego(ZEGO_ACTION, NULL, rtcmsg_str_from(invalid[i])), INVALID, "json", "JSON");
  }
  EXPECT_NO_REPORT("not UTF-8", call_volcengine(ACTION, VERSION, rtcmsg_str_from("{\"a\":\"\xFF\"}")), INVALID, "json",
                   "not UTF-8 at byte 6");
  EXPECT_NO_REPORT("NUL after the object", call_volcengine(ACTION, VERSION, json_of("{}", 3)), INVALID, "json", "JSON");
  EXPECT_NO_REPORT("SIZE_MAX", call_volcengine(ACTION, VERSION, json_of("{}", SIZE_MAX)), INVALID, "json",
                   "18446744073709551615");
  row_end_group(client);
}

static void json_that_cannot_become_a_query(void) {
  static const char *const invalid[][2] = {
      {"{\"UserId\":[]}", "which ZEGO would send to all users"},
      {"{\"UserId[]\":[]}", "which ZEGO would send to all users"},
      {"{\"UserId\":null}", "\"UserId\" must be text"},
      {"{\"UserId\":{}}", "\"UserId\" must be text"},
      {"{\"UserId\":[[\"a\"]]}", "\"UserId\" contains an item"},
      {"{\"UserId\":[\"a\",null]}", "\"UserId\" contains an item"},
      {"{\"UserId\":\"\\ud800\"}", "\"UserId\" must be text"},
      {"{\"Action\":\"SendCustomCommand\"}", "\"Action\" is set by the library"},
      {"{\"AppId\":1}", "\"AppId\" is set by the library"},
      {"{\"Signature\":\"\"}", "\"Signature\" is set by the library"},
      {"{\"SignatureNonce\":\"\"}", "\"SignatureNonce\" is set by the library"},
      {"{\"SignatureVersion\":\"\"}", "\"SignatureVersion\" is set by the library"},
      {"{\"Timestamp\":1}", "\"Timestamp\" is set by the library"},
      {"{\"IsTest\":true}", "\"IsTest\" is set by the library"},
      {"{\"Action[]\":[\"x\"]}", "is set by the library"},
  };
  size_t i;
  for (i = 0; i < sizeof invalid / sizeof *invalid; i++)
    EXPECT_NO_REPORT(invalid[i][0], call_zego(ZEGO_ACTION, NULL, rtcmsg_str_from(invalid[i][0])), INVALID, "json",
                     invalid[i][1]);
  row_end_group(client);
}

static rtcmsg_code credentials(rtcmsg_client *of, uint32_t vendor, const char *key_id, const char *secret,
                               const char *token) {
  return rtcmsg_client_set_credentials(of, vendor, rtcmsg_str_from(key_id), rtcmsg_str_from(secret),
                                       rtcmsg_str_from(token), &error);
}

static void invalid_credentials(void) {
  const rtcmsg_str nowhere = {NULL, 7};
  const rtcmsg_str key = rtcmsg_str_from("AKLT");
  const rtcmsg_str none = rtcmsg_str_from(NULL);
  const uint32_t volcengine = RTCMSG_VENDOR_VOLCENGINE;
  EXPECT("client", credentials(NULL, volcengine, "AKLT", "secret", NULL), INVALID, "client", "is NULL");
  EXPECT("vendor 0", credentials(client, 0, "AKLT", "secret", NULL), INVALID, "vendor", "unknown vendor 0");
  EXPECT("no key", credentials(client, volcengine, NULL, "secret", NULL), INVALID, "key_id", "must not be empty");
  EXPECT("no secret", credentials(client, volcengine, "AKLT", NULL, NULL), INVALID, "secret", "must not be empty");
  EXPECT("line feed", credentials(client, volcengine, "AK\nLT", "s", NULL), INVALID, "key_id", "control character");
  EXPECT("not ASCII", credentials(client, volcengine, "AKLT", "s\xc3\xa9", NULL), INVALID, "secret", "ASCII");
  EXPECT("token", credentials(client, volcengine, "AKLT", "s", "a\r\nb"), INVALID, "session_token",
         "control character");
  EXPECT("ZEGO with a key", credentials(client, RTCMSG_VENDOR_ZEGO, "1", "s", NULL), INVALID, "key_id",
         "must be empty");
  EXPECT("ZEGO's secret too short", credentials(client, RTCMSG_VENDOR_ZEGO, NULL, "s", NULL), INVALID, "secret",
         "1 characters, but it must have 32");
  EXPECT("exchanged", credentials(client, volcengine, "WkR0b2tlbg==", "AKLTYWJj", NULL), INVALID, "secret",
         "seem to be exchanged");
  CHECK_LACKS(error.message, "YWJj");
  EXPECT("exchanged temporary keys", credentials(client, volcengine, "WkR0b2tlbg==", "AKTPYWJj", "STS2"), INVALID,
         "secret", "seem to be exchanged");
  EXPECT("ZEGO with a token", credentials(client, RTCMSG_VENDOR_ZEGO, NULL, "s", "t"), INVALID, "session_token",
         "must be empty");
  EXPECT("NULL with a length", rtcmsg_client_set_credentials(client, volcengine, key, nowhere, none, &error), INVALID,
         "secret", "is NULL with a length of 7");
  EXPECT("not UTF-8", credentials(client, volcengine, "AKLT", "s\xff", NULL), INVALID, "secret", "not UTF-8");
  CHECK_LACKS(error.message, "AKLT");
  row_end_group(client);
}

static void a_closed_client(void) {
  rtcmsg_client *closed = fixture_client(NULL);
  rtcmsg_str json = rtcmsg_str_from("{}");
  CHECK_CODE(rtcmsg_client_close(closed, 0, NULL), RTCMSG_OK);
  EXPECT("check", rtcmsg_client_check(closed, &good, &error), RTCMSG_ERR_CLOSED, "", "closed");
  EXPECT_NO_REPORT("send", rtcmsg_client_send(closed, &good, NULL, &report, &error), RTCMSG_ERR_CLOSED, "", "closed");
  EXPECT_NO_REPORT(
      "call of Volcengine",
      rtcmsg_client_call_action(closed, RTCMSG_VENDOR_VOLCENGINE, ACTION, VERSION, json, NULL, &report, &error),
      RTCMSG_ERR_CLOSED, "", "closed");
  EXPECT_NO_REPORT(
      "call of ZEGO",
      rtcmsg_client_call_action(closed, RTCMSG_VENDOR_ZEGO, ZEGO_ACTION, NULL, json, NULL, &report, &error),
      RTCMSG_ERR_CLOSED, "", "closed");
  EXPECT("set_credentials", credentials(closed, RTCMSG_VENDOR_VOLCENGINE, "AKLT", "secret", NULL), RTCMSG_ERR_CLOSED,
         "", "closed");
  EXPECT("close", rtcmsg_client_close(closed, 0, &error), RTCMSG_OK, "", "");
  EXPECT("close without limit", rtcmsg_client_close(closed, -1, &error), RTCMSG_OK, "", "");
  EXPECT("close: -2", rtcmsg_client_close(closed, -2, &error), INVALID, "timeout_ms", "is -2");
  rtcmsg_client_free(closed);
  row_end_group(client);
}

int main(void) {
  client = fixture_client(NULL);
  config = rtcmsg_config_new();
  good = fixture_unicast();
  row_begin_group();
  null_for_every_argument();
  null_for_the_error();
  null_handles_can_be_freed_and_read();
  indexes_past_the_end_of_a_report();
  errors_of_other_sizes();
  an_error_without_struct_size_is_logged();
  messages_of_a_newer_header();
  invalid_send_options();
  levels_and_timeouts_out_of_range();
  calls_of_unknown_vendors();
  invalid_actions();
  invalid_versions();
  json_that_is_not_an_object();
  json_that_cannot_become_a_query();
  invalid_credentials();
  a_closed_client();
  rtcmsg_config_free(config);
  rtcmsg_client_free(client);
  return row_summary();
}
