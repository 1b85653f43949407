#define _DEFAULT_SOURCE

/* A count or length above the limit of the action is refused before anything is read: here every byte is unreadable. */
#include <rtcmsg.h>

#include <sys/mman.h>

#include "check.h"
#include "fixtures.h"

static rtcmsg_client *client;
static const void *unreadable;

static rtcmsg_message message_of(uint32_t action) {
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  message.action = action;
  message.payload = "hello";
  message.payload_len = 5;
  message.to = unreadable;
  message.user_ids = unreadable;
  return message;
}

/* Checks that check, send and submit refuse the message with the same error. */
static void expect_refusal(const rtcmsg_message *message, const char *field, const char *text) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_report *report = NULL;
  uint64_t id = 7;
  CHECK_CODE(rtcmsg_client_check(client, message, &error), RTCMSG_ERR_INVALID_ARGUMENT);
  CHECK_TEXT(error.field, field);
  CHECK_CONTAINS(error.message, text);
  CHECK_CODE(rtcmsg_client_send(client, message, NULL, &report, &error), RTCMSG_ERR_INVALID_ARGUMENT);
  CHECK_CONTAINS(error.message, text);
  CHECK(report == NULL);
  CHECK_CODE(rtcmsg_client_submit(client, message, NULL, &id, &error), RTCMSG_ERR_INVALID_ARGUMENT);
  CHECK_CONTAINS(error.message, text);
  CHECK_SIZE(id, 0);
}

static void expect_refused_names(uint32_t action, size_t count, const char *text) {
  rtcmsg_message message = message_of(action);
  message.from = rtcmsg_str_from("server");
  message.to_count = count;
  if (action != RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST) message.room_id = rtcmsg_str_from("room");
  expect_refusal(&message, "to", text);
}

static void expect_refused_ids(uint32_t action, size_t count, const char *text) {
  rtcmsg_message message = message_of(action);
  message.conversation_id = 7;
  message.sender_id = 10008;
  message.msg_type = 1;
  message.user_id_count = count;
  expect_refusal(&message, "user_ids", text);
}

static void expect_refused_payload(uint32_t action, size_t len, const char *text) {
  const rtcmsg_str alice = rtcmsg_str_from("alice");
  const int64_t user = 10001;
  rtcmsg_message message = message_of(action);
  message.payload = unreadable;
  message.payload_len = len;
  message.to = &alice;
  message.user_ids = &user;
  if (action == RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS) {
    message.conversation_id = 7;
    message.sender_id = 10008;
    message.msg_type = 1;
    message.user_id_count = 1;
  } else {
    message.room_id = rtcmsg_str_from("room");
    message.from = rtcmsg_str_from("server");
    message.to_count = action != RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST;
  }
  expect_refusal(&message, "payload", text);
}

int main(void) {
  const size_t size = (size_t)1 << 26;
  client = fixture_client("split.max_recipients", "20", "volcengine.p2p_max_users", "5", NULL);
  unreadable = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(unreadable != MAP_FAILED);
  expect_refused_names(RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST, 2, "2 recipients; SendUnicast accepts at most 1");
  expect_refused_names(RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST, 1000000,
                       "1,000,000 recipients; SendRoomUnicast accepts at most 1");
  expect_refused_names(RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST, 21,
                       "21 recipients; BatchSendRoomUnicast accepts at most 20");
  expect_refused_names(RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST, 1, "not allowed for");
  expect_refused_names(RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS, 1000000, "accepts at most 20");
  expect_refused_names(RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM, 1000000, "not allowed for");
  expect_refused_ids(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS, 21, "accepts at most 20");
  expect_refused_ids(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL, 1, "not allowed for");
  expect_refused_ids(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT, 6, "accepts at most 5");
  expect_refused_payload(RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST, 65537,
                         "65,537 bytes; SendBroadcast accepts at most 65,536");
  expect_refused_payload(RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST, 20481, "accepts at most 20,480");
  expect_refused_payload(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS, size,
                         "P2PSendMessage accepts at most 65,536");
  expect_refused_payload(RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS, 1025,
                         "SendCustomCommand accepts at most 1,024");
  munmap((void *)(uintptr_t)unreadable, size);
  rtcmsg_client_free(client);
  return check_summary();
}
