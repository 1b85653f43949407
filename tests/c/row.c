#include "row.h"

#include <stdio.h>

#include "check.h"
#include "control.h"
#include "fixtures.h"

static struct control_stats traffic_before;
static size_t rows;

void *const row_untouched = &rows;

void row_begin(const char *what) {
  check_case(what);
  rows++;
}

void row_check_error(const rtcmsg_error *error, rtcmsg_code actual, rtcmsg_code code, const char *field,
                     const char *text) {
  CHECK_CODE(actual, code);
  CHECK_CODE(error->code, code);
  CHECK_SIZE(error->struct_size, sizeof *error);
  CHECK_SIZE(error->reserved, 0);
  CHECK(memchr(error->field, '\0', sizeof error->field) != NULL);
  CHECK(memchr(error->message, '\0', sizeof error->message) != NULL);
  CHECK_TEXT(error->field, code == RTCMSG_OK ? "" : field);
  if (code == RTCMSG_OK)
    CHECK_TEXT(error->message, "");
  else
    CHECK_CONTAINS(error->message, text);
  CHECK(strpbrk(error->message, "\r\n") == NULL);
}

void row_check_no_traffic(void) {
  struct control_stats now = control_stats();
  CHECK_SIZE(now.connections, traffic_before.connections);
  CHECK_SIZE(now.requests, traffic_before.requests);
}

void row_check_message(rtcmsg_client *client, const rtcmsg_message *message, rtcmsg_code code, const char *field,
                       const char *text) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_report *report = row_untouched;
  row_check_error(&error, rtcmsg_client_check(client, message, &error), code, field, text);
  if (code != RTCMSG_OK) {
    row_check_error(&error, rtcmsg_client_send(client, message, NULL, &report, &error), code, field, text);
    CHECK(report == NULL);
  }
  row_check_no_traffic();
}

void row_begin_group(void) { traffic_before = control_stats(); }

void row_end_group(rtcmsg_client *client) {
  rtcmsg_message good = fixture_unicast();
  check_case("a valid message after invalid ones");
  rtcmsg_report_free(fixture_send(client, &good, RTCMSG_OK));
  row_begin_group();
}

int row_summary(void) {
  printf("rows: %zu\n", rows);
  return check_summary();
}
