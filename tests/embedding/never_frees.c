// modes: plain asan (memcheck reports the memory of a thread that is in a call as possibly lost)

/* A host that frees nothing, exits while a thread is in a send, and sends once more in an exit handler. */
#include <pthread.h>
#include <rtcmsg.h>
#include <stdlib.h>

#include "check.h"
#include "fixtures.h"
#include "listener.h"

/* Static, so that a leak check finds them: they are used until the end. */
static rtcmsg_client *client;
static rtcmsg_client *waiting_client;
static rtcmsg_report *report;

static void *wait_forever(void *argument) {
  rtcmsg_message message = fixture_unicast();
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  (void)argument;
  options.timeout_ms = -1;
  rtcmsg_client_send(waiting_client, &message, &options, &report, NULL);
  abort(); /* the listener never answers */
}

static void send_at_exit(void) {
  rtcmsg_message message = fixture_unicast();
  rtcmsg_report *last = NULL;
  if (rtcmsg_client_send(client, &message, NULL, &last, NULL) != RTCMSG_OK) _Exit(3);
  rtcmsg_report_free(last);
}

int main(void) {
  static struct listener listener;
  pthread_t thread;
  rtcmsg_message message = fixture_unicast();
  REQUIRE(atexit(send_at_exit) == 0);
  listener = listener_open();
  client = fixture_client(NULL);
  waiting_client = fixture_client("volcengine.endpoint", listener.url, NULL);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  REQUIRE(pthread_create(&thread, NULL, wait_forever, NULL) == 0);
  CHECK(listener_read_request(listener_accept(&listener)));
  return check_summary();
}
