/* Only rtcmsg_client_submit(): `submit_alone MODE URL COUNT` prints the time of a call.
 *
 *   idle  one message at a time, its completion polled before the next
 *   tick  64 at a time, as a game loop does, all completions polled before the next
 *   load  in sequence, while the workers send the previous ones
 *   dead  in sequence, to a peer that accepts connections and never answers; URL is not used */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static char *dead_url(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, len) != 0 || listen(listener, 64) != 0)
    bench_fail("dead", "no listener");
  getsockname(listener, (struct sockaddr *)&address, &len);
  char *url = bench_alloc(64);
  snprintf(url, 64, "http://127.0.0.1:%d", ntohs(address.sin_port));
  return url;
}

enum { TICK = 64 };

static void take_one(rtcmsg_client *client) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_completion row;
  size_t found;
  if (rtcmsg_client_poll(client, -1, &row, sizeof row, 1, &found, &error) != RTCMSG_OK || found != 1)
    bench_fail("poll", error.message);
  if (row.code != RTCMSG_OK) bench_fail("completion", rtcmsg_report_summary(row.report));
  rtcmsg_report_free(row.report);
}

int main(int argc, char **argv) {
  if (argc != 4) bench_fail(argv[0], "takes MODE URL COUNT");
  int is_idle = strcmp(argv[1], "idle") == 0, is_tick = strcmp(argv[1], "tick") == 0,
      is_dead = strcmp(argv[1], "dead") == 0;
  size_t count = (size_t)atoi(argv[3]);
  struct bench bench = {.name = "unicast-100", .url = is_dead ? dead_url() : argv[2]};
  const char *settings[] = {"queue.capacity", "1000000", NULL};
  rtcmsg_client *client = client_for(&bench, settings);
  rtcmsg_message message = client_message(bench.name);
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  options.flags = RTCMSG_SUBMIT_UNORDERED | (is_idle || is_tick ? 0 : RTCMSG_SUBMIT_NO_COMPLETION);
  uint64_t *samples = bench_alloc(count * sizeof *samples);
  /* The first thousand start the workers and touch the memory. */
  for (size_t i = 0; i < count + 1000; i++) {
    rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
    uint64_t id, start = bench_now_ns();
    if (rtcmsg_client_submit(client, &message, &options, &id, &error) != RTCMSG_OK) bench_fail("submit", error.message);
    if (i >= 1000) samples[i - 1000] = bench_now_ns() - start;
    if (is_idle) take_one(client);
    if (is_tick && i % TICK == TICK - 1) {
      for (int j = 0; j < TICK; j++) take_one(client);
    }
  }
  bench_sort(samples, count);
  printf("{\"p50_ns\": %llu, \"p99_ns\": %llu, \"p999_ns\": %llu}\n",
         (unsigned long long)bench_quantile(samples, count, 0.5),
         (unsigned long long)bench_quantile(samples, count, 0.99),
         (unsigned long long)bench_quantile(samples, count, 0.999));
  fflush(stdout);
  _Exit(0); /* the queued messages are not needed */
}
