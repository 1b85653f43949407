// emulator: --no-quota

/* A close keeps its deadline whatever the vendor does, and every remaining message gets a completion with its true
 * outcome. A free after the close, or without one, leaves no threads and no memory behind. */
#include <pthread.h>
#include <rtcmsg.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "control.h"
#include "interposed_lookup.h"
#include "fixtures.h"
#include "listener.h"
#include "tasks.h"

enum { WORKERS = 3, MESSAGES = 12, CLOSE_MS = 100, GENEROUS_S = 60 };

#define WORKERS_TEXT "3"
/* With these settings nothing times out during the test. */
#define ENDLESS "http.timeout_ms", "600000", "http.connect_timeout_ms", "600000"

/* The number of messages with each outcome. */
struct outcome {
  size_t not_sent;
  size_t not_delivered;
  size_t unknown;
  size_t done;
  size_t closed; /* their code is RTCMSG_ERR_CLOSED */
};

/* Submits each message to another user, so that all workers are busy. The ids are 1 to MESSAGES. */
static void submit_all(rtcmsg_client *client) {
  rtcmsg_message message = fixture_unicast();
  int i;
  for (i = 0; i < MESSAGES; i++) {
    char user[16];
    rtcmsg_str to;
    uint64_t id;
    snprintf(user, sizeof user, "user-%d", i);
    to = rtcmsg_str_from(user);
    message.to = &to;
    CHECK_CODE(rtcmsg_client_submit(client, &message, NULL, &id, NULL), RTCMSG_OK);
    CHECK_SIZE(id, i + 1);
  }
}

static int stats_contain(rtcmsg_client *client, const char *part) {
  static char json[8192];
  size_t needed;
  CHECK_CODE(rtcmsg_client_stats(client, json, sizeof json, &needed, NULL), RTCMSG_OK);
  return strstr(json, part) != NULL;
}

static void wait_until_all_workers_are_busy(rtcmsg_client *client) {
  while (!stats_contain(client, "\"in_flight\":" WORKERS_TEXT)) sched_yield();
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Polls until nothing is left, and counts the outcomes. Each id must be polled once. */
static struct outcome poll_all(rtcmsg_client *client) {
  struct outcome outcome = {0, 0, 0, 0, 0};
  int seen[MESSAGES + 1] = {0};
  rtcmsg_completion rows[5];
  size_t count;
  size_t i;
  for (;;) {
    CHECK_CODE(rtcmsg_client_poll(client, -1, rows, sizeof *rows, 5, &count, NULL), RTCMSG_OK);
    if (count == 0) break;
    for (i = 0; i < count; i++) {
      REQUIRE(rows[i].id >= 1 && rows[i].id <= MESSAGES);
      CHECK_INT(seen[rows[i].id]++, 0);
      outcome.not_sent += rows[i].delivery == RTCMSG_DELIVERY_NOT_SENT;
      outcome.not_delivered += rows[i].delivery == RTCMSG_DELIVERY_NOT_DELIVERED;
      outcome.unknown += rows[i].delivery == RTCMSG_DELIVERY_UNKNOWN;
      outcome.done += rows[i].delivery == RTCMSG_DELIVERY_ACCEPTED || rows[i].delivery == RTCMSG_DELIVERY_DELIVERED;
      outcome.closed += rows[i].code == RTCMSG_ERR_CLOSED;
      CHECK(rtcmsg_report_summary(rows[i].report)[0] != '\0');
      rtcmsg_report_free(rows[i].report);
    }
  }
  CHECK_SIZE(rtcmsg_client_pending(client), 0);
  return outcome;
}

/* Closes, and returns the outcomes of all messages. */
static struct outcome close_before_deadline(rtcmsg_client *client) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  struct outcome outcome;
  double before = now();
  CHECK_CODE(rtcmsg_client_close(client, CLOSE_MS, &error), RTCMSG_OK);
  CHECK(now() - before < GENEROUS_S);
  fixture_check_no_error(&error);
  outcome = poll_all(client);
  CHECK_SIZE(outcome.not_sent + outcome.not_delivered + outcome.unknown + outcome.done, MESSAGES);
  return outcome;
}

/* The number of times that `part` occurs in a list of the emulator. */
static size_t entries(const char *list, const char *part) {
  char *json = control_get(list);
  const char *at = json;
  size_t count = 0;
  for (; (at = strstr(at, part)) != NULL; at++) count++;
  free(json);
  return count;
}

static void a_close_keeps_its_deadline_while_a_dns_lookup_hangs(void) {
  char url[128];
  rtcmsg_client *client;
  struct outcome outcome;
  check_case("DNS lookup hangs");
  named_emulator_url(url, sizeof url);
  client = fixture_client("volcengine.endpoint", url, "worker.threads", WORKERS_TEXT, ENDLESS, NULL);
  hold_lookups(1);
  submit_all(client);
  wait_for_held_lookup();
  wait_until_all_workers_are_busy(client);
  outcome = close_before_deadline(client);
  CHECK_SIZE(outcome.not_sent, MESSAGES);
  CHECK_SIZE(outcome.closed, MESSAGES);
  rtcmsg_client_free(client);
  /* A DNS lookup cannot be aborted, so its thread is the only one that is left. */
  while (tasks_named("rtcmsg-") > 1) sched_yield();
  CHECK_SIZE(tasks_named("rtcmsg-dns"), 1);
  CHECK_INT(lookups(), 1);
  hold_lookups(0);
  tasks_wait_for_end_of("rtcmsg-");
  CHECK_SIZE(control_stats().connections, 0);
}

static void a_close_keeps_its_deadline_while_connects_hang(void) {
  struct listener listener = listener_open();
  struct listener_backlog backlog = listener_fill_backlog(&listener);
  rtcmsg_client *client;
  struct outcome outcome;
  check_case("connects hang");
  /* A thread ends only when its connect ends, so the connects time out. */
  client = fixture_client("volcengine.endpoint", listener.url, "worker.threads", WORKERS_TEXT, "http.timeout_ms",
                          "600000", "http.connect_timeout_ms", "5000", NULL);
  submit_all(client);
  wait_until_all_workers_are_busy(client);
  outcome = close_before_deadline(client);
  CHECK_SIZE(outcome.not_sent, MESSAGES);
  rtcmsg_client_free(client);
  listener_empty_backlog(&backlog);
  listener_close(&listener);
  tasks_wait_for_end_of("rtcmsg-");
}

static void a_close_keeps_its_deadline_while_no_answer_comes(void) {
  struct listener listener = listener_open();
  int connections[WORKERS];
  rtcmsg_client *client;
  struct outcome outcome;
  int i;
  check_case("no answer");
  client = fixture_client("volcengine.endpoint", listener.url, "worker.threads", WORKERS_TEXT, ENDLESS, NULL);
  submit_all(client);
  for (i = 0; i < WORKERS; i++) {
    connections[i] = listener_accept(&listener);
    CHECK(listener_read_request(connections[i]));
  }
  outcome = close_before_deadline(client);
  CHECK_SIZE(outcome.unknown, WORKERS);
  CHECK_SIZE(outcome.not_sent, MESSAGES - WORKERS);
  CHECK_SIZE(outcome.closed, MESSAGES);
  rtcmsg_client_free(client);
  for (i = 0; i < WORKERS; i++) close(connections[i]);
  listener_close(&listener);
  tasks_wait_for_end_of("rtcmsg-");
}

static void a_close_reports_requests_with_stalled_answers_as_unknown(void) {
  rtcmsg_client *client;
  struct outcome outcome;
  check_case("stalled answers");
  control_post("reset", "%s", "");
  control_post("faults", "{\"stall\":true,\"processed\":true}");
  client = fixture_client("worker.threads", WORKERS_TEXT, ENDLESS, NULL);
  submit_all(client);
  /* The emulator processes every request and answers none. */
  while (entries("ledger", "\"sequence\":") < WORKERS) sched_yield();
  outcome = close_before_deadline(client);
  CHECK_SIZE(entries("ledger", "\"accepted\":true"), WORKERS);
  CHECK_SIZE(outcome.unknown, WORKERS);
  CHECK_SIZE(outcome.not_sent, MESSAGES - WORKERS);
  CHECK_SIZE(outcome.closed, MESSAGES);
  rtcmsg_client_free(client);
  tasks_wait_for_end_of("rtcmsg-");
}

static void a_close_ends_the_wait_before_a_retry(void) {
  rtcmsg_client *client;
  struct outcome outcome;
  size_t refused;
  check_case("throttled");
  control_post("reset", "%s", "");
  control_post("faults", "{\"throttle\":true,\"retry_after_s\":300}");
  client = fixture_client("worker.threads", WORKERS_TEXT, "retry.max_attempts", "3", "retry.backoff_max_ms", "600000",
                          "quota.mode", "wait", "quota.volcengine_scope", "close, throttled", ENDLESS, NULL);
  submit_all(client);
  while (entries("ledger", "\"sequence\":") < 1) sched_yield();
  outcome = close_before_deadline(client);
  refused = entries("ledger", "\"accepted\":false");
  CHECK_SIZE(entries("ledger", "\"sequence\":"), refused);
  /* The client may close a connection while a refusal is in transit. The delivery of that message is unknown. */
  CHECK(outcome.not_delivered >= 1 && outcome.not_delivered + outcome.unknown >= refused);
  CHECK(outcome.not_delivered <= refused);
  CHECK_SIZE(outcome.done, 0);
  rtcmsg_client_free(client);
  tasks_wait_for_end_of("rtcmsg-");
}

static void a_close_ends_the_wait_for_quota(void) {
  rtcmsg_client *client;
  struct outcome outcome;
  check_case("quota used up");
  control_post("reset", "%s", "");
  client = fixture_client("worker.threads", WORKERS_TEXT, "quota.mode", "wait", "quota.rtc_per_second", "1",
                          "quota.jitter_ms", "10000", "quota.volcengine_scope", "close, used up", ENDLESS, NULL);
  submit_all(client);
  while (!stats_contain(client, "\"completions\":1,")) sched_yield();
  outcome = close_before_deadline(client);
  CHECK_SIZE(entries("ledger", "\"accepted\":true"), outcome.done);
  CHECK_SIZE(entries("ledger", "\"sequence\":"), outcome.done);
  CHECK(outcome.done >= 1);
  CHECK_SIZE(outcome.not_sent, MESSAGES - outcome.done);
  CHECK_SIZE(outcome.closed, outcome.not_sent);
  rtcmsg_client_free(client);
  tasks_wait_for_end_of("rtcmsg-");
}

/* A close on a thread of its own. */
struct closer {
  rtcmsg_client *client;
  int32_t timeout_ms;
  rtcmsg_code code;
  pthread_t thread;
};

static void *run_closer(void *argument) {
  struct closer *closer = argument;
  closer->code = rtcmsg_client_close(closer->client, closer->timeout_ms, NULL);
  return NULL;
}

static void of_two_concurrent_closes_the_shorter_timeout_ends_both(void) {
  struct listener listener = listener_open();
  struct closer without_timeout = {NULL, -1, RTCMSG_ERR_INTERNAL, 0};
  struct closer immediate = {NULL, 0, RTCMSG_ERR_INTERNAL, 0};
  rtcmsg_message message = fixture_unicast();
  struct outcome outcome;
  check_case("two concurrent closes");
  without_timeout.client = immediate.client =
      fixture_client("volcengine.endpoint", listener.url, "worker.threads", WORKERS_TEXT, ENDLESS, NULL);
  submit_all(without_timeout.client);
  REQUIRE(pthread_create(&without_timeout.thread, NULL, run_closer, &without_timeout) == 0);
  while (rtcmsg_client_check(without_timeout.client, &message, NULL) != RTCMSG_ERR_CLOSED) sched_yield();
  REQUIRE(pthread_create(&immediate.thread, NULL, run_closer, &immediate) == 0);
  CHECK(pthread_join(immediate.thread, NULL) == 0);
  CHECK(pthread_join(without_timeout.thread, NULL) == 0);
  CHECK_CODE(immediate.code, RTCMSG_OK);
  CHECK_CODE(without_timeout.code, RTCMSG_OK);
  outcome = poll_all(without_timeout.client);
  CHECK_SIZE(outcome.closed, MESSAGES);
  rtcmsg_client_free(without_timeout.client);
  listener_close(&listener);
  tasks_wait_for_end_of("rtcmsg-");
}

struct poller {
  rtcmsg_client *client;
  rtcmsg_code code;
  size_t count;
  int has_begun;
  pthread_t thread;
};

static void *poll_without_limit(void *argument) {
  struct poller *poller = argument;
  rtcmsg_completion row;
  __atomic_store_n(&poller->has_begun, 1, __ATOMIC_SEQ_CST);
  poller->code = rtcmsg_client_poll(poller->client, -1, &row, sizeof row, 1, &poller->count, NULL);
  if (poller->count > 0) rtcmsg_report_free(row.report);
  return NULL;
}

static void a_close_wakes_polls_without_a_timeout(void) {
  struct poller pollers[2];
  rtcmsg_client *client = fixture_client(NULL);
  int i;
  check_case("poll and close");
  for (i = 0; i < 2; i++) {
    pollers[i].client = client;
    pollers[i].code = RTCMSG_ERR_INTERNAL;
    pollers[i].count = 77;
    pollers[i].has_begun = 0;
    REQUIRE(pthread_create(&pollers[i].thread, NULL, poll_without_limit, &pollers[i]) == 0);
  }
  for (i = 0; i < 2; i++)
    while (!__atomic_load_n(&pollers[i].has_begun, __ATOMIC_SEQ_CST)) sched_yield();
  CHECK_CODE(rtcmsg_client_close(client, -1, NULL), RTCMSG_OK);
  for (i = 0; i < 2; i++) {
    CHECK(pthread_join(pollers[i].thread, NULL) == 0);
    CHECK_CODE(pollers[i].code, RTCMSG_OK);
    CHECK_SIZE(pollers[i].count, 0);
  }
  rtcmsg_client_free(client);
  tasks_wait_for_end_of("rtcmsg-");
}

static void a_free_without_a_close_drops_queued_messages_and_completions(void) {
  rtcmsg_client *client;
  size_t arrived;
  check_case("free without close");
  control_post("reset", "%s", "");
  control_post("faults", "{\"stall\":true,\"skip\":5}");
  client = fixture_client("worker.threads", WORKERS_TEXT, ENDLESS, NULL);
  submit_all(client);
  while (!stats_contain(client, "\"completions\":5,") || !stats_contain(client, "\"in_flight\":" WORKERS_TEXT))
    sched_yield();
  CHECK_SIZE(rtcmsg_client_pending(client), MESSAGES);
  rtcmsg_client_free(client);
  tasks_wait_for_end_of("rtcmsg-");
  arrived = entries("ledger", "\"accepted\":true");
  CHECK_SIZE(arrived, 5);
}

static void a_free_drops_completions_that_were_not_polled(void) {
  rtcmsg_client *client = fixture_client(NULL);
  ptrdiff_t handle;
  check_case("free with completions");
  control_post("reset", "%s", "");
  CHECK_CODE(rtcmsg_client_event_handle(client, &handle, NULL), RTCMSG_OK);
  submit_all(client);
  CHECK_CODE(rtcmsg_client_flush(client, -1, NULL), RTCMSG_OK);
  CHECK_SIZE(rtcmsg_client_pending(client), MESSAGES);
  rtcmsg_client_free(client);
  tasks_wait_for_end_of("rtcmsg-");
}

int main(void) {
  a_close_keeps_its_deadline_while_a_dns_lookup_hangs();
  a_close_keeps_its_deadline_while_connects_hang();
  a_close_keeps_its_deadline_while_no_answer_comes();
  a_close_reports_requests_with_stalled_answers_as_unknown();
  a_close_ends_the_wait_before_a_retry();
  a_close_ends_the_wait_for_quota();
  of_two_concurrent_closes_the_shorter_timeout_ends_both();
  a_close_wakes_polls_without_a_timeout();
  a_free_without_a_close_drops_queued_messages_and_completions();
  a_free_drops_completions_that_were_not_polled();
  return check_summary();
}
