/* Sends each message of both vendors once and prints the result for every recipient.
 *
 * Settings come from the environment (docs/CONFIGURATION.md). `make demo` runs this against the emulator, where alice
 * is online, bob is offline and ghost does not exist. */
#include <inttypes.h>
#include <rtcmsg.h>
#include <stdio.h>
#include <stdlib.h>

static rtcmsg_client *client_from_environment(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  rtcmsg_client *client = NULL;
  if (rtcmsg_config_load_env(config, &error) != RTCMSG_OK || rtcmsg_client_new(config, &client, &error) != RTCMSG_OK) {
    fprintf(stderr, "%s: %s: %s\n", rtcmsg_code_name(error.code), error.field, error.message);
    exit(1);
  }
  rtcmsg_config_free(config);
  return client;
}

static void print_row(const char *name, const char *recipient, uint32_t delivery, const char *vendor_message) {
  printf("%-28s %-14s %-29s %s\n", name, recipient, rtcmsg_delivery_name(delivery), vendor_message);
}

/* Sends the message and prints a row for each recipient, or one named `everybody` if the vendor names no recipient. */
static void send(rtcmsg_client *client, const char *name, const char *everybody, const rtcmsg_message *message) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_report *report = NULL;
  rtcmsg_code code = rtcmsg_client_send(client, message, NULL, &report, &error);
  if (report == NULL) {
    fprintf(stderr, "%s was not taken in: %s: %s: %s\n", name, rtcmsg_code_name(code), error.field, error.message);
    exit(1);
  }
  size_t count = rtcmsg_report_recipient_count(report);
  if (count == 0) print_row(name, everybody, rtcmsg_report_delivery(report), "");
  for (size_t i = 0; i < count; i++) {
    const rtcmsg_recipient *recipient = rtcmsg_report_recipient(report, i);
    char id[24];
    snprintf(id, sizeof id, "%" PRId64, recipient->user_id);
    print_row(name, recipient->user ? recipient->user : id, recipient->delivery, recipient->vendor_message);
  }
  rtcmsg_report_free(report);
}

static rtcmsg_message text_message(uint32_t action, const char *text) {
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  message.action = action;
  message.payload = text;
  message.payload_len = strlen(text);
  return message;
}

static rtcmsg_message room_message(uint32_t action, const char *text) {
  rtcmsg_message message = text_message(action, text);
  message.room_id = rtcmsg_str_from("lobby");
  message.from = rtcmsg_str_from("server");
  return message;
}

static rtcmsg_message im_message(uint32_t action, const char *text) {
  rtcmsg_message message = text_message(action, text);
  message.conversation_id = 7221856821303361536;
  message.sender_id = 10008;
  message.msg_type = 10013;
  return message;
}

int main(void) {
  rtcmsg_client *client = client_from_environment();
  const rtcmsg_str users[] = {rtcmsg_str_from("alice"), rtcmsg_str_from("bob"), rtcmsg_str_from("ghost")};
  const int64_t user_ids[] = {10001, 10002, 10003};
  rtcmsg_message message;

  message = text_message(RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST, "unicast: you have mail");
  message.from = rtcmsg_str_from("server");
  message.to = &users[0];
  message.to_count = 1;
  send(client, "SendUnicast", "", &message);

  message = room_message(RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST, "room unicast: your turn");
  message.to = &users[0];
  message.to_count = 1;
  send(client, "SendRoomUnicast", "", &message);

  static const unsigned char bytes[] = {0x00, 0x01, 0xfe, 0xff};
  message = room_message(RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST, "");
  message.flags = RTCMSG_MESSAGE_BINARY;
  message.payload = bytes;
  message.payload_len = sizeof bytes;
  message.to = users;
  message.to_count = 3;
  send(client, "BatchSendRoomUnicast", "", &message);

  message = room_message(RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST, "broadcast: round 2 begins");
  send(client, "SendBroadcast", "(room lobby)", &message);

  message = im_message(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS, "{\"type\":1000}");
  message.user_ids = user_ids;
  message.user_id_count = 3;
  send(client, "P2PSendMessage", "", &message);

  message = im_message(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL, "{\"type\":1001}");
  send(client, "P2PSendMessage to all", "(conversation)", &message);

  message = im_message(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT, "{\"type\":1002}");
  message.user_ids = &user_ids[1];
  message.user_id_count = 1;
  send(client, "P2PSendMessage to all except", "(conversation)", &message);

  message = room_message(RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS, "命令: 你好 a+b");
  message.to = users;
  message.to_count = 3;
  send(client, "SendCustomCommand", "", &message);

  message = room_message(RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM, "command: everybody up");
  send(client, "SendCustomCommand to room", "(room lobby)", &message);

  rtcmsg_client_free(client);
  return 0;
}
