// emulator: --no-quota

/* A host name is looked up once, and no send waits for the lookup beyond its deadline. */
#include <rtcmsg.h>
#include <stdio.h>

#include "check.h"
#include "control.h"
#include "interposed_lookup.h"
#include "fixtures.h"
#include "listener.h"
#include "tasks.h"

enum { SENDS = 1000 };

static void a_thousand_sends_to_a_name_make_one_lookup(void) {
  char url[128];
  rtcmsg_message message = fixture_unicast();
  rtcmsg_client *client;
  int before = lookups();
  int good = 0;
  int i;
  check_case("one lookup");
  named_emulator_url(url, sizeof url);
  client = fixture_client("volcengine.endpoint", url, NULL);
  CHECK_INT(lookups(), before);
  for (i = 0; i < SENDS; i++) {
    rtcmsg_report *report = NULL;
    good += rtcmsg_client_send(client, &message, NULL, &report, NULL) == RTCMSG_OK;
    rtcmsg_report_free(report);
  }
  CHECK_INT(good, SENDS);
  CHECK_SIZE(control_stats().requests, SENDS);
  CHECK_INT(lookups() - before, 1);
  rtcmsg_client_free(client);
}

static void an_address_is_not_looked_up(void) {
  rtcmsg_client *client = fixture_client(NULL);
  rtcmsg_message message = fixture_unicast();
  int before = lookups();
  check_case("address");
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  CHECK_INT(lookups(), before);
  rtcmsg_client_free(client);
}

static void a_send_keeps_its_deadline_while_a_lookup_hangs(void) {
  static const int32_t timeouts[] = {1, 50, 1000};
  char url[128];
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_message message = fixture_unicast();
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  struct control_stats before = control_stats();
  rtcmsg_client *client;
  int lookups_before = lookups();
  size_t i;
  check_case("held lookup");
  named_emulator_url(url, sizeof url);
  client = fixture_client("volcengine.endpoint", url, NULL);
  hold_lookups(1);
  for (i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
    rtcmsg_report *report = NULL;
    options.timeout_ms = timeouts[i];
    CHECK_CODE(rtcmsg_client_send(client, &message, &options, &report, &error), RTCMSG_ERR_TIMEOUT);
    REQUIRE(report != NULL);
    fixture_check_agreement(report, &error, RTCMSG_ERR_TIMEOUT);
    CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_NOT_SENT);
    CHECK_DELIVERY(rtcmsg_report_recipient(report, 0)->delivery, RTCMSG_DELIVERY_NOT_SENT);
    rtcmsg_report_free(report);
  }
  wait_for_held_lookup();
  /* The later sends waited for the first one's lookup. */
  CHECK_INT(lookups() - lookups_before, 1);
  /* Close and free do not wait for the lookup either. */
  CHECK_CODE(rtcmsg_client_close(client, -1, &error), RTCMSG_OK);
  rtcmsg_client_free(client);
  CHECK_SIZE(control_stats().connections, before.connections);
  hold_lookups(0);
  tasks_wait_for_end_of("rtcmsg-dns");
}

int main(void) {
  control_post("reset", "%s", "");
  a_thousand_sends_to_a_name_make_one_lookup();
  an_address_is_not_looked_up();
  a_send_keeps_its_deadline_while_a_lookup_hangs();
  return check_summary();
}
