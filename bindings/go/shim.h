/* Functions of rtcmsg.h with flat arguments: cgo does not allow C to receive memory that contains Go pointers. Every input
 * is borrowed for the call, as in rtcmsg.h. */
#ifndef RTCMSG_GO_SHIM_H
#define RTCMSG_GO_SHIM_H

#include <rtcmsg.h>

/* RTCMSG_VERSION is 0xMMmmpp. While the version is 0.x, each minor version has its own ABI. */
#if !defined(RTCMSG_VERSION) || (RTCMSG_VERSION >> 8) != 0x0001
#error "this package needs rtcmsg.h of version 0.1: check the output of `pkg-config --cflags rtcmsg`"
#endif

/* `to` is the text of all recipients without separators; to_lens has the length of each. The payload is a char pointer: with
 * a void pointer, cgo would check the whole Go object that contains the bytes, and panic if it has Go pointers. */
#define RTCMSGO_MESSAGE                                                                                        \
  uint32_t action, uint32_t flags, const char *room_id, size_t room_id_len, const char *from, size_t from_len, \
      const char *to, const size_t *to_lens, size_t to_count, int64_t conversation_id, int64_t sender_id,      \
      const int64_t *user_ids, size_t user_id_count, int32_t msg_type, const char *payload, size_t payload_len

rtcmsg_code rtcmsgo_check(rtcmsg_client *client, RTCMSGO_MESSAGE, rtcmsg_error *error);

rtcmsg_code rtcmsgo_submit(rtcmsg_client *client, RTCMSGO_MESSAGE, int32_t timeout_ms, int32_t expires_in_ms,
                           uint32_t priority, uint32_t submit_flags, uint64_t user_data, uint64_t order_key,
                           uint64_t *id, rtcmsg_error *error);

rtcmsg_code rtcmsgo_call_action(rtcmsg_client *client, uint32_t vendor, const char *action, const char *version,
                                const char *json, size_t json_len, int32_t timeout_ms, int32_t expires_in_ms,
                                uint32_t priority, uint32_t submit_flags, uint64_t order_key, rtcmsg_report **report,
                                rtcmsg_error *error);

rtcmsg_code rtcmsgo_set_credentials(rtcmsg_client *client, uint32_t vendor, const char *key_id, size_t key_id_len,
                                    const char *secret, size_t secret_len, const char *session_token,
                                    size_t session_token_len, rtcmsg_error *error);

/* The parts of a report that are not rows. */
typedef struct rtcmsgo_summary {
  const char *text;
  const char *body;
  size_t body_len;
  size_t request_count;
  size_t recipient_count;
  rtcmsg_code code;
  uint32_t delivery;
} rtcmsgo_summary;

void rtcmsgo_summarize(const rtcmsg_report *report, rtcmsgo_summary *summary);

/* Stores `count` rows, starting with the row `first`. The report must have that many. */
void rtcmsgo_requests(const rtcmsg_report *report, size_t first, size_t count, const rtcmsg_request **rows);
void rtcmsgo_attempts(const rtcmsg_report *report, size_t first, size_t count, const rtcmsg_attempt **rows);
void rtcmsgo_recipients(const rtcmsg_report *report, size_t first, size_t count, const rtcmsg_recipient **rows);
void rtcmsgo_devices(const rtcmsg_report *report, size_t first, size_t count, const rtcmsg_device **rows);

#endif
