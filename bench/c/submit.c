/* rtcmsg through C, submitted: one thread keeps THREADS messages in flight and polls their completions. */
#include <stdio.h>

#include "client.h"

struct flight {
  rtcmsg_client *client;
  rtcmsg_message message;
  uint64_t *started; /* of the message with this number */
};

static void submit(struct flight *flight, uint64_t number) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  /* All have one destination: without this flag they would be sent one at a time. */
  options.flags = RTCMSG_SUBMIT_UNORDERED;
  options.user_data = number;
  uint64_t id;
  flight->started[number] = bench_now_ns();
  if (rtcmsg_client_submit(flight->client, &flight->message, &options, &id, &error) != RTCMSG_OK)
    bench_fail("submit", error.message);
}

/* Sends `count` messages and stores the time of each in `samples`, in the order of the submits. */
static void send_all(struct flight *flight, uint64_t window, uint64_t count, uint64_t *samples) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  uint64_t begun = 0, done = 0;
  while (begun < window && begun < count) submit(flight, begun++);
  while (done < count) {
    rtcmsg_completion rows[64];
    size_t found;
    if (rtcmsg_client_poll(flight->client, -1, rows, sizeof rows[0], 64, &found, &error) != RTCMSG_OK)
      bench_fail("poll", error.message);
    uint64_t now = bench_now_ns();
    for (size_t i = 0; i < found; i++) {
      if (rows[i].code != RTCMSG_OK) bench_fail(rtcmsg_code_name(rows[i].code), rtcmsg_report_summary(rows[i].report));
      samples[rows[i].user_data] = now - flight->started[rows[i].user_data];
      rtcmsg_report_free(rows[i].report);
      if (begun < count) submit(flight, begun++);
    }
    done += found;
  }
}

int main(int argc, char **argv) {
  struct bench bench = bench_arguments(argc, argv);
  char workers[16];
  snprintf(workers, sizeof workers, "%d", bench.threads);
  const char *settings[] = {"worker.threads", workers, NULL};
  uint64_t window = (uint64_t)bench.threads, count = (uint64_t)bench.count, warm_up = window * BENCH_WARM_UP;
  uint64_t most = count > warm_up ? count : warm_up;
  struct flight flight = {client_for(&bench, settings), client_message(bench.name),
                          bench_alloc(most * sizeof(uint64_t))};
  uint64_t *samples = bench_alloc(most * sizeof *samples);
  send_all(&flight, window, warm_up, samples);
  struct bench_totals start = bench_start();
  send_all(&flight, window, count, samples);
  bench_print(samples, count, bench_since(start));
  rtcmsg_client_free(flight.client);
  return 0;
}
