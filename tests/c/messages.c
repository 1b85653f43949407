/* Every action, end to end: the report of the library for each recipient, and the messages that the recipients
 * received. */
#include <rtcmsg.h>
#include <stdlib.h>

#include "check.h"
#include "control.h"
#include "fixtures.h"

#define KB 1024

static const int64_t CONVERSATION = INT64_C(7221856821303361536);
static const int64_t SENDER = INT64_C(7221856821303361537);
static const int64_t TWO_DEVICES = INT64_C(7221856821303361538);
static const int64_t OFFLINE = INT64_C(9007199254740993); /* 2^53 + 1: the first that a double cannot hold */
static const int64_t LARGEST = INT64_MAX;
static const int64_t UNKNOWN_USER = 404;

/* Characters that wrong quoting or escaping would change. */
static const char awkward[] = "\"quotes\" \\ / \n\t\r</b> &amp;+%20%00?#=  é 漢字 \xF0\x9F\x98\x80 \x7F\x01 ";

static rtcmsg_client *client;

static rtcmsg_message message_of(uint32_t action) {
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  message.action = action;
  return message;
}

/* Checks the only request of a message that the vendor accepted. */
static void check_request(const rtcmsg_report *report, const char *action) {
  const rtcmsg_request *request = rtcmsg_report_request(report, 0);
  CHECK_CODE(request->code, RTCMSG_OK);
  CHECK_DELIVERY(request->delivery, RTCMSG_DELIVERY_ACCEPTED);
  CHECK(request->request_id[0] != '\0');
  CHECK_SIZE(request->http_status, 200);
  CHECK_SIZE(request->attempt_count, 1);
  CHECK_INT(request->vendor_code, 0);
  CHECK_TEXT(request->vendor_error, "");
  CHECK_TEXT(request->error_message, "");
  CHECK_SIZE(request->retry_after_ms, 0);
  CHECK_CONTAINS(rtcmsg_report_summary(report), action);
  CHECK_CONTAINS(rtcmsg_report_summary(report), request->request_id);
}

static const rtcmsg_recipient *recipient_at(const rtcmsg_report *report, size_t index) {
  const rtcmsg_recipient *recipient = rtcmsg_report_recipient(report, index);
  REQUIRE(recipient != NULL);
  CHECK_SIZE(recipient->request, 0);
  CHECK(recipient->vendor_message != NULL);
  return recipient;
}

static void check_user(const rtcmsg_report *report, size_t index, const char *user, uint32_t delivery, rtcmsg_code code,
                       int32_t vendor_code) {
  const rtcmsg_recipient *recipient = recipient_at(report, index);
  CHECK_TEXT(recipient->user, user);
  CHECK_INT(recipient->user_id, 0);
  CHECK_DELIVERY(recipient->delivery, delivery);
  CHECK_CODE(recipient->code, code);
  CHECK_INT(recipient->vendor_code, vendor_code);
  CHECK_SIZE(recipient->device_count, 0);
}

static const rtcmsg_recipient *check_member(const rtcmsg_report *report, size_t index, int64_t user_id,
                                            uint32_t delivery, rtcmsg_code code, const char *vendor_message,
                                            uint32_t device_count) {
  const rtcmsg_recipient *recipient = recipient_at(report, index);
  CHECK(recipient->user == NULL);
  CHECK_INT(recipient->user_id, user_id);
  CHECK_DELIVERY(recipient->delivery, delivery);
  CHECK_CODE(recipient->code, code);
  CHECK_INT(recipient->vendor_code, 0);
  CHECK_TEXT(recipient->vendor_message, vendor_message);
  CHECK_SIZE(recipient->device_count, device_count);
  return recipient;
}

static void check_device(const rtcmsg_report *report, size_t index, const char *platform, const char *vendor_message,
                         uint32_t delivery) {
  const rtcmsg_device *device = rtcmsg_report_device(report, index);
  REQUIRE(device != NULL);
  CHECK_TEXT(device->platform, platform);
  CHECK_TEXT(device->vendor_message, vendor_message);
  CHECK_DELIVERY(device->delivery, delivery);
  CHECK_SIZE(device->reserved, 0);
}

/* Checks the counts by delivery. Those that are not arguments must be 0. */
static void check_counts(const rtcmsg_report *report, size_t all, size_t delivered, size_t accepted,
                         size_t not_delivered) {
  CHECK_SIZE(rtcmsg_report_recipient_count(report), all);
  CHECK_SIZE(rtcmsg_report_count_by_delivery(report, RTCMSG_DELIVERY_DELIVERED), delivered);
  CHECK_SIZE(rtcmsg_report_count_by_delivery(report, RTCMSG_DELIVERY_ACCEPTED), accepted);
  CHECK_SIZE(rtcmsg_report_count_by_delivery(report, RTCMSG_DELIVERY_NOT_DELIVERED), not_delivered);
  CHECK_SIZE(rtcmsg_report_count_by_delivery(report, RTCMSG_DELIVERY_NOT_SENT), 0);
  CHECK_SIZE(rtcmsg_report_count_by_delivery(report, RTCMSG_DELIVERY_UNKNOWN), 0);
  CHECK(rtcmsg_report_recipient(report, all) == NULL);
}

/* Checks that the inbox has `count` messages and that this one is the last. */
static void check_arrival(struct control_inbox inbox, size_t count, const char *action, const rtcmsg_report *report,
                          const rtcmsg_message *message) {
  const struct control_arrival *last;
  CHECK_SIZE(inbox.count, count);
  if (inbox.count == 0) return;
  last = &inbox.arrivals[inbox.count - 1];
  CHECK_TEXT(last->action, action);
  CHECK_TEXT(last->request_id, rtcmsg_report_request(report, 0)->request_id);
  CHECK_INT(last->binary, (message->flags & RTCMSG_MESSAGE_BINARY) != 0);
  CHECK_BYTES(last->payload, last->payload_len, message->payload, message->payload_len);
  CHECK_INT(last->conversation_id, message->conversation_id);
  if (message->from.len > 0) CHECK_BYTES(last->from, strlen(last->from), message->from.data, message->from.len);
  CHECK_BYTES(last->room_id, strlen(last->room_id), message->room_id.data, message->room_id.len);
  control_inbox_free(&inbox);
}

static void check_empty(struct control_inbox inbox) {
  CHECK_SIZE(inbox.count, 0);
  control_inbox_free(&inbox);
}

static void a_unicast_reaches_a_user_who_is_logged_in(void) {
  static const char *const payloads[] = {"hello", awkward};
  rtcmsg_str to = rtcmsg_str_from("alice");
  rtcmsg_message message = message_of(RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST);
  size_t i;
  check_case("SendUnicast");
  control_post("volcengine/login", "{\"user_id\":\"alice\"}");
  message.from = rtcmsg_str_from("server");
  message.to = &to;
  message.to_count = 1;
  for (i = 0; i < 2; i++) {
    rtcmsg_report *report;
    fixture_set_payload(&message, payloads[i]);
    report = fixture_send(client, &message, RTCMSG_OK);
    CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_ACCEPTED);
    check_request(report, "SendUnicast");
    check_counts(report, 1, 0, 1, 0);
    check_user(report, 0, "alice", RTCMSG_DELIVERY_ACCEPTED, RTCMSG_OK, 0);
    check_arrival(control_inbox("volcengine", "alice"), i + 1, "SendUnicast", report, &message);
    rtcmsg_report_free(report);
  }
}

static void a_unicast_to_a_user_who_is_offline_or_does_not_exist_is_accepted(void) {
  static const char *const users[] = {"offline", "nobody"};
  size_t i;
  check_case("SendUnicast to users who are offline or unknown");
  control_post("volcengine/login", "{\"user_id\":\"offline\"}");
  control_post("volcengine/logout", "{\"user_id\":\"offline\"}");
  for (i = 0; i < 2; i++) {
    rtcmsg_str to = rtcmsg_str_from(users[i]);
    rtcmsg_message message = fixture_unicast();
    rtcmsg_report *report;
    message.to = &to;
    report = fixture_send(client, &message, RTCMSG_OK);
    check_request(report, "SendUnicast");
    check_user(report, 0, users[i], RTCMSG_DELIVERY_ACCEPTED, RTCMSG_OK, 0);
    check_empty(control_inbox("volcengine", users[i]));
    rtcmsg_report_free(report);
  }
}

static void a_room_unicast_carries_text_and_bytes(void) {
  unsigned char bytes[512];
  rtcmsg_str to = rtcmsg_str_from("bob@example.com");
  rtcmsg_message message = message_of(RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST);
  rtcmsg_report *report;
  size_t i;
  check_case("SendRoomUnicast");
  for (i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)i;
  control_post("volcengine/join", "{\"room_id\":\"room-1\",\"user_id\":\"bob@example.com\"}");
  message.room_id = rtcmsg_str_from("room-1");
  message.from = rtcmsg_str_from("server");
  message.to = &to;
  message.to_count = 1;
  fixture_set_payload(&message, awkward);
  report = fixture_send(client, &message, RTCMSG_OK);
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_ACCEPTED);
  check_request(report, "SendRoomUnicast");
  check_user(report, 0, "bob@example.com", RTCMSG_DELIVERY_ACCEPTED, RTCMSG_OK, 0);
  check_arrival(control_inbox("volcengine", "bob@example.com"), 1, "SendRoomUnicast", report, &message);
  rtcmsg_report_free(report);

  message.flags = RTCMSG_MESSAGE_BINARY;
  message.payload = bytes;
  /* Every length modulo 3, for the padding of base64. */
  for (i = 0; i < 3; i++) {
    message.payload_len = sizeof bytes - i;
    report = fixture_send(client, &message, RTCMSG_OK);
    check_request(report, "SendRoomUnicast");
    check_arrival(control_inbox("volcengine", "bob@example.com"), 2 + i, "SendRoomUnicast", report, &message);
    rtcmsg_report_free(report);
  }
}

static void a_batch_reports_each_user_accepted_and_reaches_the_users_in_the_room(void) {
  rtcmsg_str to[3];
  rtcmsg_message message = message_of(RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST);
  rtcmsg_report *report;
  check_case("BatchSendRoomUnicast");
  control_post("volcengine/join", "{\"room_id\":\"batch\",\"user_id\":\"carol\"}");
  control_post("volcengine/join", "{\"room_id\":\"batch\",\"user_id\":\"dave\"}");
  to[0] = rtcmsg_str_from("carol");
  to[1] = rtcmsg_str_from("nobody");
  to[2] = rtcmsg_str_from("dave");
  message.room_id = rtcmsg_str_from("batch");
  message.from = rtcmsg_str_from("server");
  message.to = to;
  message.to_count = 3;
  fixture_set_payload(&message, "to each of you");
  report = fixture_send(client, &message, RTCMSG_OK);
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_ACCEPTED);
  check_request(report, "BatchSendRoomUnicast");
  check_counts(report, 3, 0, 3, 0);
  check_user(report, 0, "carol", RTCMSG_DELIVERY_ACCEPTED, RTCMSG_OK, 0);
  check_user(report, 1, "nobody", RTCMSG_DELIVERY_ACCEPTED, RTCMSG_OK, 0);
  check_user(report, 2, "dave", RTCMSG_DELIVERY_ACCEPTED, RTCMSG_OK, 0);
  check_arrival(control_inbox("volcengine", "carol"), 1, "BatchSendRoomUnicast", report, &message);
  check_arrival(control_inbox("volcengine", "dave"), 1, "BatchSendRoomUnicast", report, &message);
  check_empty(control_inbox("volcengine", "nobody"));
  rtcmsg_report_free(report);

  message.flags = RTCMSG_MESSAGE_BINARY;
  message.payload = "\0\1\2";
  message.payload_len = 3;
  report = fixture_send(client, &message, RTCMSG_OK);
  check_arrival(control_inbox("volcengine", "dave"), 2, "BatchSendRoomUnicast", report, &message);
  rtcmsg_report_free(report);
}

static void a_batch_accepts_600_users(void) {
  static char names[600][8];
  static rtcmsg_str to[600];
  rtcmsg_message message = message_of(RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST);
  rtcmsg_report *report;
  size_t i;
  check_case("BatchSendRoomUnicast to 600");
  for (i = 0; i < 600; i++) {
    names[i][0] = 'u';
    names[i][1] = (char)('0' + i / 100);
    names[i][2] = (char)('0' + i / 10 % 10);
    names[i][3] = (char)('0' + i % 10);
    to[i] = rtcmsg_str_from(names[i]);
  }
  control_post("volcengine/join", "{\"room_id\":\"crowd\",\"user_id\":\"u599\"}");
  message.room_id = rtcmsg_str_from("crowd");
  message.from = rtcmsg_str_from("server");
  message.to = to;
  message.to_count = 600;
  fixture_set_payload(&message, "all of you");
  report = fixture_send(client, &message, RTCMSG_OK);
  check_counts(report, 600, 0, 600, 0);
  for (i = 0; i < 600; i++) CHECK_TEXT(recipient_at(report, i)->user, names[i]);
  check_arrival(control_inbox("volcengine", "u599"), 1, "BatchSendRoomUnicast", report, &message);
  rtcmsg_report_free(report);
}

static void a_broadcast_reaches_the_room_and_lists_no_recipient(void) {
  rtcmsg_message message = message_of(RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST);
  rtcmsg_report *report;
  check_case("SendBroadcast");
  control_post("volcengine/join", "{\"room_id\":\"hall\",\"user_id\":\"erin\"}");
  control_post("volcengine/join", "{\"room_id\":\"hall\",\"user_id\":\"frank\"}");
  control_post("volcengine/join", "{\"room_id\":\"elsewhere\",\"user_id\":\"grace\"}");
  message.room_id = rtcmsg_str_from("hall");
  message.from = rtcmsg_str_from("server");
  fixture_set_payload(&message, awkward);
  report = fixture_send(client, &message, RTCMSG_OK);
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_ACCEPTED);
  check_request(report, "SendBroadcast");
  check_counts(report, 0, 0, 0, 0);
  check_arrival(control_inbox("volcengine", "erin"), 1, "SendBroadcast", report, &message);
  check_arrival(control_inbox("volcengine", "frank"), 1, "SendBroadcast", report, &message);
  check_empty(control_inbox("volcengine", "grace"));
  rtcmsg_report_free(report);

  message.flags = RTCMSG_MESSAGE_BINARY;
  message.payload = "\xFF\xFE\x00";
  message.payload_len = 3;
  report = fixture_send(client, &message, RTCMSG_OK);
  check_arrival(control_inbox("volcengine", "erin"), 2, "SendBroadcast", report, &message);
  rtcmsg_report_free(report);
}

static void set_up_the_conversation(void) {
  static const char join[] = "{\"conversation_id\":%lld,\"user_id\":%lld,\"devices\":[%s]}";
  control_post("im/join", join, (long long)CONVERSATION, (long long)SENDER, "\"Web\"");
  control_post("im/join", join, (long long)CONVERSATION, (long long)TWO_DEVICES, "\"Android\",\"IOS\"");
  control_post("im/join", join, (long long)CONVERSATION, (long long)OFFLINE, "");
  control_post("im/join", join, (long long)CONVERSATION, (long long)LARGEST, "\"Web\"");
}

static rtcmsg_message signal_of(uint32_t action, const char *text) {
  rtcmsg_message message = message_of(action);
  message.conversation_id = CONVERSATION;
  message.sender_id = SENDER;
  message.msg_type = 10013;
  fixture_set_payload(&message, text);
  return message;
}

static void a_signal_to_users_reports_each_device(void) {
  const int64_t users[] = {OFFLINE, TWO_DEVICES, UNKNOWN_USER, LARGEST};
  rtcmsg_message message = signal_of(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS, awkward);
  const rtcmsg_recipient *recipient;
  rtcmsg_report *report;
  check_case("P2PSendMessage to users");
  message.user_ids = users;
  message.user_id_count = 4;
  report = fixture_send(client, &message, RTCMSG_ERR_PARTIAL);
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_NOT_DELIVERED);
  check_request(report, "P2PSendMessage");
  check_counts(report, 4, 2, 1, 1);

  recipient = check_member(report, 0, OFFLINE, RTCMSG_DELIVERY_NOT_DELIVERED, RTCMSG_ERR_UNDELIVERED, "NOT_ONLINE", 1);
  check_device(report, recipient->first_device, "Default", "NOT_ONLINE", RTCMSG_DELIVERY_NOT_DELIVERED);
  recipient = check_member(report, 1, TWO_DEVICES, RTCMSG_DELIVERY_DELIVERED, RTCMSG_OK, "SUCCESS", 2);
  check_device(report, recipient->first_device, "Android", "SUCCESS", RTCMSG_DELIVERY_DELIVERED);
  check_device(report, recipient->first_device + 1, "IOS", "SUCCESS", RTCMSG_DELIVERY_DELIVERED);
  check_member(report, 2, UNKNOWN_USER, RTCMSG_DELIVERY_ACCEPTED, RTCMSG_OK, "", 0);
  recipient = check_member(report, 3, LARGEST, RTCMSG_DELIVERY_DELIVERED, RTCMSG_OK, "SUCCESS", 1);
  check_device(report, recipient->first_device, "Web", "SUCCESS", RTCMSG_DELIVERY_DELIVERED);
  CHECK(rtcmsg_report_device(report, 4) == NULL);

  check_arrival(control_inbox_of_id(TWO_DEVICES), 2, "P2PSendMessage", report, &message);
  check_arrival(control_inbox_of_id(LARGEST), 1, "P2PSendMessage", report, &message);
  check_empty(control_inbox_of_id(OFFLINE));
  check_empty(control_inbox_of_id(UNKNOWN_USER));
  check_empty(control_inbox_of_id(SENDER));
  rtcmsg_report_free(report);
}

static void a_signal_that_reached_no_user_is_undelivered(void) {
  rtcmsg_message message = signal_of(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS, "anyone?");
  rtcmsg_report *report;
  check_case("P2PSendMessage to offline users");
  message.user_ids = &OFFLINE;
  message.user_id_count = 1;
  report = fixture_send(client, &message, RTCMSG_ERR_UNDELIVERED);
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_NOT_DELIVERED);
  check_request(report, "P2PSendMessage");
  check_counts(report, 1, 0, 0, 1);
  check_member(report, 0, OFFLINE, RTCMSG_DELIVERY_NOT_DELIVERED, RTCMSG_ERR_UNDELIVERED, "NOT_ONLINE", 1);
  rtcmsg_report_free(report);
}

static const rtcmsg_recipient *row_of(const rtcmsg_report *report, int64_t user_id) {
  const rtcmsg_recipient *recipient;
  size_t i;
  for (i = 0; (recipient = rtcmsg_report_recipient(report, i)) != NULL; i++)
    if (recipient->user_id == user_id) return recipient;
  return NULL;
}

static void a_signal_to_all_lists_the_users_of_the_vendors_answer(void) {
  rtcmsg_message message = signal_of(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL, "everybody");
  rtcmsg_report *report = fixture_send(client, &message, RTCMSG_ERR_PARTIAL);
  check_case("P2PSendMessage to all");
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_NOT_DELIVERED);
  check_request(report, "P2PSendMessage");
  check_counts(report, 4, 3, 0, 1);
  REQUIRE(row_of(report, SENDER) && row_of(report, TWO_DEVICES) && row_of(report, OFFLINE) && row_of(report, LARGEST));
  CHECK_DELIVERY(row_of(report, OFFLINE)->delivery, RTCMSG_DELIVERY_NOT_DELIVERED);
  CHECK_DELIVERY(row_of(report, LARGEST)->delivery, RTCMSG_DELIVERY_DELIVERED);
  CHECK_SIZE(row_of(report, TWO_DEVICES)->device_count, 2);
  check_device(report, row_of(report, OFFLINE)->first_device, "Default", "NOT_ONLINE", RTCMSG_DELIVERY_NOT_DELIVERED);
  check_arrival(control_inbox_of_id(TWO_DEVICES), 4, "P2PSendMessage", report, &message);
  check_arrival(control_inbox_of_id(LARGEST), 2, "P2PSendMessage", report, &message);
  check_empty(control_inbox_of_id(OFFLINE));
  rtcmsg_report_free(report);
}

static void a_signal_to_all_except_skips_the_excluded_users(void) {
  const int64_t left_out[] = {OFFLINE, TWO_DEVICES};
  rtcmsg_message message = signal_of(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT, "the others");
  rtcmsg_report *report;
  check_case("P2PSendMessage to all except");
  message.user_ids = left_out;
  message.user_id_count = 2;
  report = fixture_send(client, &message, RTCMSG_OK);
  // A member without a row in the answer counts as accepted.
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_ACCEPTED);
  check_request(report, "P2PSendMessage");
  check_counts(report, 2, 2, 0, 0);
  CHECK(row_of(report, OFFLINE) == NULL);
  CHECK(row_of(report, TWO_DEVICES) == NULL);
  check_arrival(control_inbox_of_id(LARGEST), 3, "P2PSendMessage", report, &message);
  CHECK_SIZE(row_of(report, LARGEST) ? row_of(report, LARGEST)->device_count : 0, 1);
  rtcmsg_report_free(report);
}

static void a_conversation_id_of_int64_max_is_exact(void) {
  rtcmsg_message message = signal_of(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS, "far out");
  rtcmsg_report *report;
  check_case("INT64_MAX");
  control_post("im/join", "{\"conversation_id\":%lld,\"user_id\":%lld,\"devices\":[\"Web\"]}", (long long)INT64_MAX,
               (long long)LARGEST);
  message.conversation_id = INT64_MAX;
  message.sender_id = INT64_MAX;
  message.msg_type = INT32_MAX;
  message.user_ids = &LARGEST;
  message.user_id_count = 1;
  report = fixture_send(client, &message, RTCMSG_OK);
  check_member(report, 0, INT64_MAX, RTCMSG_DELIVERY_DELIVERED, RTCMSG_OK, "SUCCESS", 1);
  check_arrival(control_inbox_of_id(LARGEST), 4, "P2PSendMessage", report, &message);
  rtcmsg_report_free(report);
}

static void set_up_the_lobby(void) {
  control_post("zego/join", "{\"room_id\":\"the lobby/大厅\",\"user_id\":\"al ice?&=+%%\"}");
  control_post("zego/join", "{\"room_id\":\"the lobby/大厅\",\"user_id\":\"小明\"}");
  control_post("zego/join", "{\"room_id\":\"the lobby/大厅\",\"user_id\":\"server\"}");
  control_post("zego/known", "{\"user_id\":\"offline\"}");
}

static void a_command_to_users_reports_the_users_that_failed(void) {
  rtcmsg_str to[4];
  rtcmsg_message message = message_of(RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS);
  rtcmsg_report *report;
  check_case("SendCustomCommand to users");
  to[0] = rtcmsg_str_from("al ice?&=+%");
  to[1] = rtcmsg_str_from("offline");
  to[2] = rtcmsg_str_from("小明");
  to[3] = rtcmsg_str_from("nobody");
  message.room_id = rtcmsg_str_from("the lobby/大厅");
  message.from = rtcmsg_str_from("server");
  message.to = to;
  message.to_count = 4;
  fixture_set_payload(&message, awkward);
  report = fixture_send(client, &message, RTCMSG_ERR_PARTIAL);
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_NOT_DELIVERED);
  check_request(report, "SendCustomCommand");
  check_counts(report, 4, 0, 2, 2);
  check_user(report, 0, "al ice?&=+%", RTCMSG_DELIVERY_ACCEPTED, RTCMSG_OK, 0);
  check_user(report, 1, "offline", RTCMSG_DELIVERY_NOT_DELIVERED, RTCMSG_ERR_UNDELIVERED, 50003);
  check_user(report, 2, "小明", RTCMSG_DELIVERY_ACCEPTED, RTCMSG_OK, 0);
  check_user(report, 3, "nobody", RTCMSG_DELIVERY_NOT_DELIVERED, RTCMSG_ERR_UNDELIVERED, 105);
  check_arrival(control_inbox("zego", "al ice?&=+%"), 1, "SendCustomCommand", report, &message);
  check_arrival(control_inbox("zego", "小明"), 1, "SendCustomCommand", report, &message);
  check_empty(control_inbox("zego", "offline"));
  check_empty(control_inbox("zego", "nobody"));
  rtcmsg_report_free(report);

  message.to = to + 1;
  message.to_count = 1;
  report = fixture_send(client, &message, RTCMSG_ERR_UNDELIVERED);
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_NOT_DELIVERED);
  check_counts(report, 1, 0, 0, 1);
  rtcmsg_report_free(report);
}

static void a_command_to_the_room_reaches_all_but_its_sender(void) {
  rtcmsg_message message = message_of(RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM);
  rtcmsg_report *report;
  check_case("SendCustomCommand to the room");
  message.room_id = rtcmsg_str_from("the lobby/大厅");
  message.from = rtcmsg_str_from("server");
  fixture_set_payload(&message, "all of you");
  report = fixture_send(client, &message, RTCMSG_OK);
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_ACCEPTED);
  check_request(report, "SendCustomCommand");
  check_counts(report, 0, 0, 0, 0);
  check_arrival(control_inbox("zego", "al ice?&=+%"), 2, "SendCustomCommand", report, &message);
  check_arrival(control_inbox("zego", "小明"), 2, "SendCustomCommand", report, &message);
  check_empty(control_inbox("zego", "server"));
  rtcmsg_report_free(report);
}

/* Checks that a payload of `len` bytes arrives complete. The recipient must be online already. */
static void check_arrives_complete(rtcmsg_message message, const char *name, const char *vendor, const char *user,
                                   size_t len) {
  char *payload = malloc(len);
  struct control_inbox before = control_inbox(vendor, user);
  rtcmsg_report *report;
  REQUIRE(payload != NULL);
  memset(payload, 'x', len);
  message.payload = payload;
  message.payload_len = len;
  report = fixture_send(client, &message, RTCMSG_OK);
  check_arrival(control_inbox(vendor, user), before.count + 1, name, report, &message);
  rtcmsg_report_free(report);
  control_inbox_free(&before);
  free(payload);
}

static void the_longest_payloads_arrive_complete(void) {
  rtcmsg_str to = rtcmsg_str_from("erin");
  rtcmsg_str zego_user = rtcmsg_str_from("小明");
  rtcmsg_message message = fixture_unicast();
  check_case("the longest payloads");
  check_arrives_complete(message, "SendUnicast", "volcengine", "alice", 64 * KB);
  message.flags = RTCMSG_MESSAGE_BINARY;
  check_arrives_complete(message, "SendUnicast", "volcengine", "alice", 64 * KB);
  message = message_of(RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST);
  message.room_id = rtcmsg_str_from("hall");
  message.from = rtcmsg_str_from("server");
  message.to = &to;
  message.to_count = 1;
  check_arrives_complete(message, "BatchSendRoomUnicast", "volcengine", "erin", 20 * KB);
  message.flags = RTCMSG_MESSAGE_BINARY;
  check_arrives_complete(message, "BatchSendRoomUnicast", "volcengine", "erin", 20 * KB);
  message = message_of(RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS);
  message.room_id = rtcmsg_str_from("the lobby/大厅");
  message.from = rtcmsg_str_from("server");
  message.to = &zego_user;
  message.to_count = 1;
  check_arrives_complete(message, "SendCustomCommand", "zego", "小明", KB);
}

static void a_nul_within_a_text_arrives(void) {
  static const char text[] = "before\0after";
  rtcmsg_str zego_user = rtcmsg_str_from("小明");
  rtcmsg_message message = fixture_unicast();
  struct control_inbox inbox;
  rtcmsg_report *report;
  check_case("NUL within a text");
  message.payload = text;
  message.payload_len = sizeof text - 1;
  report = fixture_send(client, &message, RTCMSG_OK);
  inbox = control_inbox("volcengine", "alice");
  check_arrival(inbox, inbox.count, "SendUnicast", report, &message);
  rtcmsg_report_free(report);

  message = message_of(RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS);
  message.room_id = rtcmsg_str_from("the lobby/大厅");
  message.from = rtcmsg_str_from("server");
  message.to = &zego_user;
  message.to_count = 1;
  message.payload = text;
  message.payload_len = sizeof text - 1;
  report = fixture_send(client, &message, RTCMSG_OK);
  inbox = control_inbox("zego", "小明");
  check_arrival(inbox, inbox.count, "SendCustomCommand", report, &message);
  rtcmsg_report_free(report);
}

static void the_newer_version_of_the_rtc_sends_gives_the_same_report(void) {
  rtcmsg_client *newer = fixture_client("volcengine.rtc_version", "2023-07-20", NULL);
  rtcmsg_message message = fixture_unicast();
  rtcmsg_report *report = fixture_send(newer, &message, RTCMSG_OK);
  struct control_inbox inbox = control_inbox("volcengine", "alice");
  check_case("version 2023-07-20");
  check_request(report, "SendUnicast");
  check_arrival(inbox, inbox.count, "SendUnicast", report, &message);
  rtcmsg_report_free(report);
  rtcmsg_client_free(newer);
}

int main(void) {
  client = fixture_client(NULL);
  a_unicast_reaches_a_user_who_is_logged_in();
  a_unicast_to_a_user_who_is_offline_or_does_not_exist_is_accepted();
  a_room_unicast_carries_text_and_bytes();
  a_batch_reports_each_user_accepted_and_reaches_the_users_in_the_room();
  a_batch_accepts_600_users();
  a_broadcast_reaches_the_room_and_lists_no_recipient();
  set_up_the_conversation();
  a_signal_to_users_reports_each_device();
  a_signal_that_reached_no_user_is_undelivered();
  a_signal_to_all_lists_the_users_of_the_vendors_answer();
  a_signal_to_all_except_skips_the_excluded_users();
  a_conversation_id_of_int64_max_is_exact();
  set_up_the_lobby();
  a_command_to_users_reports_the_users_that_failed();
  a_command_to_the_room_reaches_all_but_its_sender();
  the_longest_payloads_arrive_complete();
  a_nul_within_a_text_arrives();
  the_newer_version_of_the_rtc_sends_gives_the_same_report();
  rtcmsg_client_free(client);
  return check_summary();
}
