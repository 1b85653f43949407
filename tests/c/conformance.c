/* Runs every case of tests/conformance.json through rtcmsg_client_send(), and through submit and poll. Both must give
 * the same results. */
#include "conformance_table.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "control.h"
#include "fixtures.h"
#include "tasks.h"

static void set_up_emulator(const struct conformance_case *c) {
  size_t i;
  control_post("reset", "%s", "");
  for (i = 0; i < sizeof conformance_world / sizeof *conformance_world; i++)
    control_post(conformance_world[i].first, "%s", conformance_world[i].second);
  for (i = 0; i < c->fault_count; i++) control_post("faults", "%s", c->faults[i]);
}

static rtcmsg_client *client_of(const struct conformance_case *c) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = fixture_config();
  size_t i;
  for (i = 0; i < c->setting_count; i++)
    CHECK_CODE(rtcmsg_config_set(config, c->settings[i].first, c->settings[i].second, &error), RTCMSG_OK);
  return fixture_client_of(config);
}

static void check_refusal(const struct conformance_case *c, rtcmsg_code code, const rtcmsg_error *error) {
  CHECK_CODE(code, c->code);
  CHECK_CODE(error->code, c->code);
  CHECK_TEXT(error->field, c->error_field);
  CHECK_TEXT(error->message, c->error_message);
}

static void check_recipient(const rtcmsg_report *report, const rtcmsg_recipient *row,
                            const struct conformance_recipient *expected) {
  size_t i;
  CHECK_TEXT(row->user, expected->user);
  CHECK_INT(row->user_id, expected->user_id);
  CHECK_DELIVERY(row->delivery, expected->delivery);
  CHECK_CODE(row->code, expected->code);
  CHECK_INT(row->vendor_code, expected->vendor_code);
  CHECK_TEXT(row->vendor_message, expected->vendor_message);
  CHECK_SIZE(row->device_count, expected->device_count);
  for (i = 0; i < row->device_count && i < expected->device_count; i++) {
    const rtcmsg_device *device = rtcmsg_report_device(report, row->first_device + i);
    REQUIRE(device != NULL);
    CHECK_TEXT(device->platform, expected->devices[i].platform);
    CHECK_TEXT(device->vendor_message, expected->devices[i].vendor_message);
    CHECK_DELIVERY(device->delivery, expected->devices[i].delivery);
  }
}

static void check_report(const struct conformance_case *c, const rtcmsg_report *report) {
  size_t failures = check_failures();
  size_t attempts = 0;
  size_t i;
  CHECK_CODE(rtcmsg_report_code(report), c->code);
  CHECK_DELIVERY(rtcmsg_report_delivery(report), c->delivery);
  CHECK_SIZE(rtcmsg_report_recipient_count(report), c->recipient_count);
  for (i = 0; i < c->recipient_count && rtcmsg_report_recipient(report, i); i++)
    check_recipient(report, rtcmsg_report_recipient(report, i), &c->recipients[i]);
  CHECK_SIZE(rtcmsg_report_request_count(report), c->requests);
  for (i = 0; i < rtcmsg_report_request_count(report); i++) attempts += rtcmsg_report_request(report, i)->attempt_count;
  CHECK_SIZE(attempts, c->attempts);
  if (c->vendor_error) CHECK_TEXT(rtcmsg_report_request(report, 0)->vendor_error, c->vendor_error);
  if (c->vendor_code >= 0) CHECK_INT(rtcmsg_report_request(report, 0)->vendor_code, c->vendor_code);
  if (c->http_status >= 0) CHECK_INT(rtcmsg_report_request(report, 0)->http_status, c->http_status);
  if (check_failures() > failures) printf("  %s\n", rtcmsg_report_summary(report));
}

static void check_arrivals(const struct conformance_case *c) {
  size_t i, k;
  for (i = 0; i < c->arrival_count; i++) {
    struct control_inbox inbox = control_inbox(c->arrivals[i].vendor, c->arrivals[i].user);
    CHECK_SIZE(inbox.count, c->arrivals[i].count);
    for (k = 0; k < inbox.count; k++)
      CHECK_BYTES(inbox.arrivals[k].payload, inbox.arrivals[k].payload_len, c->message.payload, c->message.payload_len);
    control_inbox_free(&inbox);
  }
}

static void check_send(const struct conformance_case *c) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_report *report = NULL;
  rtcmsg_client *client;
  rtcmsg_code code;
  set_up_emulator(c);
  client = client_of(c);
  code = rtcmsg_client_send(client, &c->message, NULL, &report, &error);
  CHECK_CODE(code, c->code);
  if (c->error_message) {
    CHECK(report == NULL);
    check_refusal(c, code, &error);
    check_refusal(c, rtcmsg_client_check(client, &c->message, &error), &error);
  } else {
    REQUIRE(report != NULL);
    check_report(c, report);
    check_arrivals(c);
  }
  rtcmsg_report_free(report);
  rtcmsg_client_free(client);
}

static void check_submit(const struct conformance_case *c) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  rtcmsg_completion row;
  rtcmsg_client *client;
  rtcmsg_code code;
  uint64_t id = 0;
  size_t count = 0;
  set_up_emulator(c);
  client = client_of(c);
  options.user_data = 7;
  code = rtcmsg_client_submit(client, &c->message, &options, &id, &error);
  if (c->error_message) {
    check_refusal(c, code, &error);
  } else {
    CHECK_CODE(code, RTCMSG_OK);
    CHECK_CODE(rtcmsg_client_poll(client, 60000, &row, sizeof row, 1, &count, &error), RTCMSG_OK);
    REQUIRE(count == 1);
    CHECK_INT(row.id, id);
    CHECK_INT(row.user_data, 7);
    CHECK_CODE(row.code, c->code);
    CHECK_DELIVERY(row.delivery, c->delivery);
    check_report(c, row.report);
    check_arrivals(c);
    rtcmsg_report_free(row.report);
  }
  CHECK_SIZE(rtcmsg_client_pending(client), 0);
  rtcmsg_client_free(client);
}

int main(void) {
  char name[256];
  size_t i;
  for (i = 0; i < sizeof conformance_cases / sizeof *conformance_cases; i++) {
    snprintf(name, sizeof name, "%s, sent", conformance_cases[i].name);
    check_case(name);
    check_send(&conformance_cases[i]);
    snprintf(name, sizeof name, "%s, submitted", conformance_cases[i].name);
    check_case(name);
    check_submit(&conformance_cases[i]);
  }
  check_case(NULL);
  printf("rows: %zu\n", sizeof conformance_cases / sizeof *conformance_cases);
  /* Threads of a freed client may still be ending. Memcheck would report them. */
  tasks_wait_for_end_of("rtcmsg-");
  return check_summary();
}
