/* Sends a command to two users in a ZEGO room. Settings come from the environment: RTCMSG_ZEGO_APP_ID and so on. */
#include <rtcmsg.h>
#include <stdio.h>

int main(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  rtcmsg_client *client = NULL;
  if (rtcmsg_config_load_env(config, &error) != RTCMSG_OK || rtcmsg_client_new(config, &client, &error) != RTCMSG_OK) {
    fprintf(stderr, "%s: %s\n", error.field, error.message);
    return 1;
  }
  rtcmsg_config_free(config);

  rtcmsg_str to[] = {rtcmsg_str_from("alice"), rtcmsg_str_from("bob")};
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  message.action = RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS;
  message.room_id = rtcmsg_str_from("lobby");
  message.from = rtcmsg_str_from("server");
  message.to = to;
  message.to_count = 2;
  message.payload = "dinner is ready";
  message.payload_len = strlen("dinner is ready");

  rtcmsg_report *report = NULL;
  if (rtcmsg_client_send(client, &message, NULL, &report, &error) != RTCMSG_OK) fprintf(stderr, "%s\n", error.message);
  for (size_t i = 0; i < rtcmsg_report_recipient_count(report); i++) {
    const rtcmsg_recipient *recipient = rtcmsg_report_recipient(report, i);
    printf("%s: %s\n", recipient->user, rtcmsg_delivery_name(recipient->delivery));
  }
  rtcmsg_report_free(report);
  rtcmsg_client_free(client);
}
