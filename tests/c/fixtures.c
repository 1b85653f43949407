#include "fixtures.h"

#include <stdarg.h>
#include <stdio.h>

#include "check.h"

rtcmsg_config *fixture_config(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  if (rtcmsg_config_load_env(config, &error) != RTCMSG_OK) printf("%s: %s\n", error.field, error.message);
  REQUIRE(error.code == RTCMSG_OK);
  return config;
}

rtcmsg_client *fixture_client_of(rtcmsg_config *config) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_client *client = NULL;
  if (rtcmsg_client_new(config, &client, &error) != RTCMSG_OK) printf("%s: %s\n", error.field, error.message);
  REQUIRE(client != NULL);
  fixture_check_no_error(&error);
  rtcmsg_config_free(config);
  return client;
}

rtcmsg_client *fixture_client(const char *key, ...) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = fixture_config();
  va_list pairs;
  va_start(pairs, key);
  for (; key; key = va_arg(pairs, const char *)) {
    const char *value = va_arg(pairs, const char *);
    if (rtcmsg_config_set(config, key, value, &error) != RTCMSG_OK) printf("%s: %s\n", error.field, error.message);
    REQUIRE(error.code == RTCMSG_OK);
  }
  va_end(pairs);
  return fixture_client_of(config);
}

void fixture_check_no_error(const rtcmsg_error *error) {
  CHECK_CODE(error->code, RTCMSG_OK);
  CHECK_TEXT(error->field, "");
  CHECK_TEXT(error->message, "");
}

void fixture_check_agreement(const rtcmsg_report *report, const rtcmsg_error *error, rtcmsg_code code) {
  const rtcmsg_request *request = rtcmsg_report_request(report, 0);
  CHECK_CODE(error->code, code);
  CHECK_CODE(rtcmsg_report_code(report), code);
  CHECK_TEXT(error->field, "");
  if (code == RTCMSG_OK)
    CHECK_TEXT(error->message, "");
  else
    CHECK(error->message[0] != '\0' &&
          strncmp(rtcmsg_report_summary(report), error->message, sizeof error->message - 4) == 0);
  CHECK(rtcmsg_report_summary(report)[0] != '\0');
  CHECK(strpbrk(rtcmsg_report_summary(report), "\r\n") == NULL);
  CHECK_SIZE(rtcmsg_report_request_count(report), 1);
  CHECK(rtcmsg_report_request(report, 1) == NULL);
  REQUIRE(request != NULL);
  CHECK(request->request_id && request->vendor_error && request->vendor_message && request->error_message);
  CHECK_INT(request->error_message[0] == '\0', request->code == RTCMSG_OK);
  CHECK_SIZE(request->attempt_count, 1);
}

rtcmsg_report *fixture_send(rtcmsg_client *client, const rtcmsg_message *message, rtcmsg_code expected) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_report *report = NULL;
  rtcmsg_code code = rtcmsg_client_send(client, message, NULL, &report, &error);
  CHECK_CODE(code, expected);
  if (code != expected) printf("  %s: %s\n", error.field, error.message);
  REQUIRE(report != NULL);
  fixture_check_agreement(report, &error, code);
  CHECK(rtcmsg_report_body(report, NULL) == NULL);
  return report;
}

rtcmsg_report *fixture_call(rtcmsg_client *client, uint32_t vendor, const char *action, const char *version,
                            const char *json, rtcmsg_code expected) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_report *report = NULL;
  rtcmsg_code code =
      rtcmsg_client_call_action(client, vendor, action, version, rtcmsg_str_from(json), NULL, &report, &error);
  CHECK_CODE(code, expected);
  if (code != expected) printf("  %s: %s\n", error.field, error.message);
  REQUIRE(report != NULL);
  fixture_check_agreement(report, &error, code);
  return report;
}

rtcmsg_message fixture_unicast(void) {
  static const rtcmsg_str alice = {"alice", 5};
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  message.action = RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST;
  message.from = rtcmsg_str_from("server");
  message.to = &alice;
  message.to_count = 1;
  fixture_set_payload(&message, "good");
  return message;
}

void fixture_set_payload(rtcmsg_message *message, const char *text) {
  message->payload = text;
  message->payload_len = strlen(text);
}
