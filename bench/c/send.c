/* rtcmsg through C: every thread sends and waits, and all share one client. */
#include <pthread.h>
#include <stdio.h>

#include "client.h"

static rtcmsg_client *client;
static rtcmsg_message message;

static void *open_nothing(const struct bench *bench) {
  (void)bench;
  return NULL;
}

static int send_message(void *state) {
  (void)state;
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_report *report = NULL;
  rtcmsg_code code = rtcmsg_client_send(client, &message, NULL, &report, &error);
  if (code != RTCMSG_OK) fprintf(stderr, "%s: %s\n", rtcmsg_code_name(code), error.message);
  rtcmsg_report_free(report);
  return code;
}

static void close_nothing(void *state) { (void)state; }

int main(int argc, char **argv) {
  struct bench bench = bench_arguments(argc, argv);
  client = client_for(&bench, NULL);
  message = client_message(bench.name);
  struct bench_subject subject = {open_nothing, send_message, close_nothing};
  int result = bench_run(&bench, &subject);
  rtcmsg_client_free(client);
  return result;
}
