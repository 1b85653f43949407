// emulator: --no-quota

/* Two clients of one account in one process share a quota of five messages per second. Every message completes,
 * although nothing else wakes the clients. */
#include <rtcmsg.h>
#include <stdio.h>

#include "check.h"
#include "fixtures.h"

enum { CLIENTS = 2, EACH = 8, WAIT_MS = 60000 };

int main(void) {
  rtcmsg_client *clients[CLIENTS];
  int client;
  int number;
  for (client = 0; client < CLIENTS; client++)
    clients[client] = fixture_client("quota.mode", "wait", "quota.rtc_per_second", "5", NULL);
  for (client = 0; client < CLIENTS; client++) {
    for (number = 0; number < EACH; number++) {
      char room[32];
      uint64_t id;
      rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
      snprintf(room, sizeof room, "room-%d-%d", client, number);
      message.action = RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST;
      message.room_id = rtcmsg_str_from(room);
      message.from = rtcmsg_str_from("server");
      fixture_set_payload(&message, "x");
      CHECK_CODE(rtcmsg_client_submit(clients[client], &message, NULL, &id, NULL), RTCMSG_OK);
    }
  }
  for (client = 0; client < CLIENTS; client++) {
    for (number = 0; number < EACH; number++) {
      rtcmsg_completion row;
      size_t count = 0;
      CHECK_CODE(rtcmsg_client_poll(clients[client], WAIT_MS, &row, sizeof row, 1, &count, NULL), RTCMSG_OK);
      REQUIRE(count == 1);
      CHECK_CODE(row.code, RTCMSG_OK);
      rtcmsg_report_free(row.report);
    }
  }
  for (client = 0; client < CLIENTS; client++) rtcmsg_client_free(clients[client]);
  return check_summary();
}
