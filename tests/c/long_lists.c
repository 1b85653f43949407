/* Through the C interface: lists longer than the vendor's limit, retries, changed credentials, and a used up quota. */
#include <rtcmsg.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "control.h"
#include "fixtures.h"

enum { USERS = 1201 };

static char names[USERS][16];
static rtcmsg_str users[USERS];

static void one_report_for_a_list_in_three_parts(void) {
  rtcmsg_client *client = fixture_client(NULL);
  rtcmsg_message message = fixture_unicast();
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_report *report = NULL;
  size_t i;
  for (i = 0; i < USERS; i++) {
    snprintf(names[i], sizeof names[i], "user-%u", (unsigned)i);
    users[i] = rtcmsg_str_from(names[i]);
  }
  message.action = RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST;
  message.room_id = rtcmsg_str_from("lobby");
  message.to = users;
  message.to_count = USERS;
  CHECK_CODE(rtcmsg_client_send(client, &message, NULL, &report, &error), RTCMSG_OK);
  CHECK_SIZE(rtcmsg_report_request_count(report), 3);
  CHECK_SIZE(rtcmsg_report_count_by_delivery(report, RTCMSG_DELIVERY_ACCEPTED), USERS);
  for (i = 0; i < USERS; i++) {
    const rtcmsg_recipient *recipient = rtcmsg_report_recipient(report, i);
    CHECK_TEXT(recipient->user, names[i]);
    CHECK_SIZE(recipient->request, i / 600);
  }
  for (i = 0; i < 3; i++) {
    const rtcmsg_request *request = rtcmsg_report_request(report, i);
    CHECK_SIZE(request->attempt_count, 1);
    CHECK_CODE(rtcmsg_report_attempt(report, request->first_attempt)->code, RTCMSG_OK);
  }
  CHECK(rtcmsg_report_attempt(report, 3) == NULL);
  rtcmsg_report_free(report);
  rtcmsg_client_free(client);
}

static void every_attempt_reports_its_outcome(void) {
  rtcmsg_client *client = fixture_client("retry.max_attempts", "3", "retry.backoff_ms", "0", NULL);
  rtcmsg_message message = fixture_unicast();
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_report *report = NULL;
  const rtcmsg_request *request;
  control_post("faults", "{\"error\":\"ServiceUnavailableTemp\",\"count\":2}");
  CHECK_CODE(rtcmsg_client_send(client, &message, NULL, &report, &error), RTCMSG_OK);
  request = rtcmsg_report_request(report, 0);
  CHECK_SIZE(request->attempt_count, 3);
  CHECK_CODE(rtcmsg_report_attempt(report, request->first_attempt)->code, RTCMSG_ERR_VENDOR_FAULT);
  CHECK_DELIVERY(rtcmsg_report_attempt(report, request->first_attempt + 1)->delivery, RTCMSG_DELIVERY_NOT_DELIVERED);
  CHECK_CONTAINS(rtcmsg_report_attempt(report, request->first_attempt)->error_message, "ServiceUnavailableTemp");
  CHECK_TEXT(rtcmsg_report_attempt(report, request->first_attempt + 2)->error_message, "");
  rtcmsg_report_free(report);
  rtcmsg_client_free(client);
}

static void new_credentials_apply_to_the_next_send(void) {
  rtcmsg_client *client = fixture_client(NULL);
  rtcmsg_message message = fixture_unicast();
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  const rtcmsg_str none = rtcmsg_str_from(NULL);
  const rtcmsg_str key = rtcmsg_str_from(getenv("RTCMSG_VOLCENGINE_ACCESS_KEY"));
  const rtcmsg_str right = rtcmsg_str_from(getenv("RTCMSG_VOLCENGINE_SECRET_KEY"));
  const rtcmsg_str secrets[] = {right, rtcmsg_str_from("another"), right};
  size_t i;
  for (i = 0; i < 3; i++) {
    CHECK_CODE(rtcmsg_client_set_credentials(client, RTCMSG_VENDOR_VOLCENGINE, key, secrets[i], none, &error),
               RTCMSG_OK);
    rtcmsg_report_free(fixture_send(client, &message, i == 1 ? RTCMSG_ERR_UNAUTHENTICATED : RTCMSG_OK));
  }
  rtcmsg_client_free(client);
}

static void a_used_up_quota_gives_the_time_to_retry(void) {
  rtcmsg_client *client =
      fixture_client("quota.mode", "fail", "quota.rtc_per_second", "1", "quota.jitter_ms", "10000", NULL);
  rtcmsg_message message = fixture_unicast();
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_send_options urgent = RTCMSG_INIT(rtcmsg_send_options);
  rtcmsg_report *report = NULL;
  urgent.priority = RTCMSG_PRIORITY_URGENT;
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  CHECK_CODE(rtcmsg_client_send(client, &message, &urgent, &report, &error), RTCMSG_ERR_RATE_LIMITED);
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_NOT_SENT);
  CHECK_SIZE(rtcmsg_report_request(report, 0)->attempt_count, 0);
  CHECK(rtcmsg_report_request(report, 0)->retry_after_ms > 0);
  CHECK_CONTAINS(error.message, "possible in");
  rtcmsg_report_free(report);
  rtcmsg_client_free(client);
}

int main(void) {
  one_report_for_a_list_in_three_parts();
  every_attempt_reports_its_outcome();
  new_credentials_apply_to_the_next_send();
  a_used_up_quota_gives_the_time_to_retry();
  return check_summary();
}
