// links: static (two shared libraries share no symbols)
// beside: second

/* A host with two static Rust libraries. They share allocator and panic handling, but each handles only its own
 * panics. */
#include <rtcmsg.h>

#include "check.h"
#include "fixtures.h"

void second_count_panics(void);
uint32_t second_panics(void);
uint64_t second_sum(uint64_t n);
uint32_t second_panics_and_catches(void);

int main(void) {
  rtcmsg_message message = fixture_unicast();
  rtcmsg_client *client;
  second_count_panics();
  client = fixture_client(NULL);
  CHECK_SIZE(second_sum(1000), 499500);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  CHECK_SIZE(second_panics_and_catches(), 1);
  /* Our panic hook is now called before the other one, and passes on panics that are not ours. */
  CHECK_SIZE(second_panics(), 1);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  CHECK_SIZE(second_sum(1000), 499500);
  rtcmsg_client_free(client);
  CHECK_SIZE(second_panics(), 1);
  return check_summary();
}
