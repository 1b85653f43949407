/* A user's program, built against the installed files: it sends a command to alice and prints the delivery. */
#include <rtcmsg.h>
#include <stdio.h>

int main(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  rtcmsg_client *client = NULL;
  rtcmsg_report *report = NULL;
  rtcmsg_str alice = rtcmsg_str_from("alice");
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  if (rtcmsg_config_load_env(config, &error) != RTCMSG_OK || rtcmsg_client_new(config, &client, &error) != RTCMSG_OK) {
    fprintf(stderr, "%s: %s\n", error.field, error.message);
    return 1;
  }
  rtcmsg_config_free(config);
  message.action = RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS;
  message.room_id = rtcmsg_str_from("lobby");
  message.from = rtcmsg_str_from("server");
  message.to = &alice;
  message.to_count = 1;
  message.payload = "from C";
  message.payload_len = strlen("from C");
  rtcmsg_client_send(client, &message, NULL, &report, &error);
  printf("%06x %s\n", (unsigned)rtcmsg_version(), rtcmsg_delivery_name(rtcmsg_report_delivery(report)));
  rtcmsg_report_free(report);
  rtcmsg_client_free(client);
  return 0;
}
