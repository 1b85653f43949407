#include "shim.h"

#include <stdio.h>
#include <stdlib.h>

/* Most messages have few recipients, which need no allocation. */
#define FEW 16

typedef struct recipients {
  rtcmsg_str few[FEW];
  rtcmsg_str *list;
} recipients;

static rtcmsg_code gather(recipients *to, const char *text, const size_t *lens, size_t count, rtcmsg_error *error) {
  to->list = to->few;
  if (count > FEW) to->list = count <= SIZE_MAX / sizeof(rtcmsg_str) ? malloc(count * sizeof(rtcmsg_str)) : NULL;
  if (to->list == NULL) {
    error->code = RTCMSG_ERR_INTERNAL;
    snprintf(error->field, sizeof error->field, "to");
    snprintf(error->message, sizeof error->message, "no memory for %zu recipients", count);
    return RTCMSG_ERR_INTERNAL;
  }
  for (size_t i = 0; i < count; i++) {
    to->list[i].data = text;
    to->list[i].len = lens[i];
    text += lens[i];
  }
  return RTCMSG_OK;
}

static void drop(recipients *to) {
  if (to->list != to->few) free(to->list);
}

static rtcmsg_str str(const char *data, size_t len) {
  rtcmsg_str text = {data, len};
  return text;
}

#define FILL(message)                           \
  message.action = action;                      \
  message.flags = flags;                        \
  message.room_id = str(room_id, room_id_len);  \
  message.from = str(from, from_len);           \
  message.to = to_count ? gathered.list : NULL; \
  message.to_count = to_count;                  \
  message.conversation_id = conversation_id;    \
  message.sender_id = sender_id;                \
  message.user_ids = user_ids;                  \
  message.user_id_count = user_id_count;        \
  message.msg_type = msg_type;                  \
  message.payload = payload;                    \
  message.payload_len = payload_len

rtcmsg_code rtcmsgo_check(rtcmsg_client *client, RTCMSGO_MESSAGE, rtcmsg_error *error) {
  recipients gathered;
  rtcmsg_code code = gather(&gathered, to, to_lens, to_count, error);
  if (code != RTCMSG_OK) return code;
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  FILL(message);
  code = rtcmsg_client_check(client, &message, error);
  drop(&gathered);
  return code;
}

rtcmsg_code rtcmsgo_submit(rtcmsg_client *client, RTCMSGO_MESSAGE, int32_t timeout_ms, int32_t expires_in_ms,
                           uint32_t priority, uint32_t submit_flags, uint64_t user_data, uint64_t order_key,
                           uint64_t *id, rtcmsg_error *error) {
  *id = 0;
  recipients gathered;
  rtcmsg_code code = gather(&gathered, to, to_lens, to_count, error);
  if (code != RTCMSG_OK) return code;
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  FILL(message);
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  options.timeout_ms = timeout_ms;
  options.expires_in_ms = expires_in_ms;
  options.priority = priority;
  options.flags = submit_flags;
  options.user_data = user_data;
  options.order_key = order_key;
  code = rtcmsg_client_submit(client, &message, &options, id, error);
  drop(&gathered);
  return code;
}

rtcmsg_code rtcmsgo_call_action(rtcmsg_client *client, uint32_t vendor, const char *action, const char *version,
                                const char *json, size_t json_len, int32_t timeout_ms, int32_t expires_in_ms,
                                uint32_t priority, uint32_t submit_flags, uint64_t order_key, rtcmsg_report **report,
                                rtcmsg_error *error) {
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  options.timeout_ms = timeout_ms;
  options.expires_in_ms = expires_in_ms;
  options.priority = priority;
  options.flags = submit_flags;
  options.order_key = order_key;
  return rtcmsg_client_call_action(client, vendor, action, version, str(json, json_len), &options, report, error);
}

rtcmsg_code rtcmsgo_set_credentials(rtcmsg_client *client, uint32_t vendor, const char *key_id, size_t key_id_len,
                                    const char *secret, size_t secret_len, const char *session_token,
                                    size_t session_token_len, rtcmsg_error *error) {
  return rtcmsg_client_set_credentials(client, vendor, str(key_id, key_id_len), str(secret, secret_len),
                                       str(session_token, session_token_len), error);
}

void rtcmsgo_summarize(const rtcmsg_report *report, rtcmsgo_summary *summary) {
  summary->text = rtcmsg_report_summary(report);
  summary->body = rtcmsg_report_body(report, &summary->body_len);
  summary->request_count = rtcmsg_report_request_count(report);
  summary->recipient_count = rtcmsg_report_recipient_count(report);
  summary->code = rtcmsg_report_code(report);
  summary->delivery = rtcmsg_report_delivery(report);
}

void rtcmsgo_requests(const rtcmsg_report *report, size_t first, size_t count, const rtcmsg_request **rows) {
  for (size_t i = 0; i < count; i++) rows[i] = rtcmsg_report_request(report, first + i);
}

void rtcmsgo_attempts(const rtcmsg_report *report, size_t first, size_t count, const rtcmsg_attempt **rows) {
  for (size_t i = 0; i < count; i++) rows[i] = rtcmsg_report_attempt(report, first + i);
}

void rtcmsgo_recipients(const rtcmsg_report *report, size_t first, size_t count, const rtcmsg_recipient **rows) {
  for (size_t i = 0; i < count; i++) rows[i] = rtcmsg_report_recipient(report, first + i);
}

void rtcmsgo_devices(const rtcmsg_report *report, size_t first, size_t count, const rtcmsg_device **rows) {
  for (size_t i = 0; i < count; i++) rows[i] = rtcmsg_report_device(report, first + i);
}
