// modes: plain (memcheck and AddressSanitizer make system calls of their own)
// emulator: --no-quota
// traced: yes

/* A game's tick never blocks: not on DNS, a connect, a vendor, a full queue or a quota. The runner traces the system
 * calls of this thread and checks those between two marks (tools/never_blocks.py). */
#include <fcntl.h>
#include <rtcmsg.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "check.h"
#include "interposed_lookup.h"
#include "fixtures.h"
#include "listener.h"
#include "tasks.h"

enum { MESSAGES = 300, ROWS = 4 };

#define ENDLESS "http.timeout_ms", "600000", "http.connect_timeout_ms", "5000", "worker.threads", "2"

static int dev_null;

/* Marks a place in the trace of system calls. */
static void mark(const char *text) { REQUIRE(write(dev_null, text, strlen(text)) == (ssize_t)strlen(text)); }

static int stats_contain(rtcmsg_client *client, const char *part) {
  char json[8192];
  size_t needed;
  CHECK_CODE(rtcmsg_client_stats(client, json, sizeof json, &needed, NULL), RTCMSG_OK);
  return strstr(json, part) != NULL;
}

/* Submits and polls as a game does in its tick. Returns the number of accepted messages. */
static size_t tick(rtcmsg_client *client, const char *what) {
  rtcmsg_message message = fixture_unicast();
  rtcmsg_completion rows[ROWS];
  size_t submitted = 0;
  size_t others = 0;
  size_t count;
  size_t i;
  char begin[64];
  snprintf(begin, sizeof begin, "begin: %s", what);
  mark(begin);
  for (i = 0; i < MESSAGES; i++) {
    rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
    rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
    char user[16];
    rtcmsg_str to;
    uint64_t id;
    rtcmsg_code code;
    snprintf(user, sizeof user, "user-%zu", i % 50);
    to = rtcmsg_str_from(user);
    message.to = &to;
    options.priority = i % 3 ? RTCMSG_PRIORITY_NORMAL : RTCMSG_PRIORITY_URGENT;
    options.expires_in_ms = i % 5 ? 0 : 600000;
    code = rtcmsg_client_submit(client, &message, &options, &id, &error);
    submitted += code == RTCMSG_OK;
    others += code != RTCMSG_OK && code != RTCMSG_ERR_QUEUE_FULL;
    if (i % 10) continue;
    others += rtcmsg_client_poll(client, 0, rows, sizeof *rows, ROWS, &count, &error) != RTCMSG_OK || count > 0;
    others += rtcmsg_client_pending(client) == 0;
  }
  mark("end");
  CHECK_SIZE(others, 0);
  return submitted;
}

/* Ticks once while the library starts its threads, and once when all of them wait. */
static void tick_twice(rtcmsg_client *client, const char *what, const char *stuck) {
  check_case(what);
  CHECK_SIZE(tick(client, what), MESSAGES);
  while (!stats_contain(client, stuck)) sched_yield();
  CHECK_SIZE(tick(client, what), MESSAGES);
}

/* Closes the client, and checks that each accepted message has a completion. */
static void close_and_poll(rtcmsg_client *client, size_t submitted) {
  rtcmsg_completion rows[ROWS];
  size_t polled = 0;
  size_t count;
  size_t i;
  CHECK_CODE(rtcmsg_client_close(client, 0, NULL), RTCMSG_OK);
  do {
    CHECK_CODE(rtcmsg_client_poll(client, -1, rows, sizeof *rows, ROWS, &count, NULL), RTCMSG_OK);
    for (i = 0; i < count; i++) rtcmsg_report_free(rows[i].report);
    polled += count;
  } while (count > 0);
  CHECK_SIZE(polled, submitted);
  rtcmsg_client_free(client);
}

static void a_tick_does_not_wait_for_dns(void) {
  char url[128];
  rtcmsg_client *client;
  named_emulator_url(url, sizeof url);
  client = fixture_client("volcengine.endpoint", url, ENDLESS, NULL);
  hold_lookups(1);
  tick_twice(client, "stuck DNS", "\"in_flight\":2");
  wait_for_held_lookup();
  CHECK_INT(lookups(), 1);
  close_and_poll(client, 2 * MESSAGES);
  hold_lookups(0);
  tasks_wait_for_end_of("rtcmsg-");
}

static void a_tick_does_not_wait_for_connects(void) {
  struct listener listener = listener_open();
  struct listener_backlog backlog = listener_fill_backlog(&listener);
  rtcmsg_client *client = fixture_client("volcengine.endpoint", listener.url, ENDLESS, NULL);
  tick_twice(client, "full backlog", "\"in_flight\":2");
  close_and_poll(client, 2 * MESSAGES);
  listener_empty_backlog(&backlog);
  listener_close(&listener);
  tasks_wait_for_end_of("rtcmsg-");
}

static void a_tick_does_not_wait_for_answers(void) {
  struct listener listener = listener_open();
  rtcmsg_client *client = fixture_client("volcengine.endpoint", listener.url, ENDLESS, NULL);
  tick_twice(client, "silent vendor", "\"in_flight\":2");
  close_and_poll(client, 2 * MESSAGES);
  listener_close(&listener);
  tasks_wait_for_end_of("rtcmsg-");
}

static void a_tick_does_not_wait_for_room_in_the_queue(void) {
  struct listener listener = listener_open();
  rtcmsg_client *client = fixture_client("volcengine.endpoint", listener.url, "queue.capacity", "50", ENDLESS, NULL);
  check_case("full queue");
  CHECK_SIZE(tick(client, "full queue"), 50);
  while (!stats_contain(client, "\"in_flight\":2")) sched_yield();
  CHECK_SIZE(tick(client, "full queue"), 0);
  close_and_poll(client, 50);
  listener_close(&listener);
  tasks_wait_for_end_of("rtcmsg-");
}

static void a_tick_does_not_wait_for_quota(void) {
  rtcmsg_client *client = fixture_client("quota.mode", "wait", "quota.rtc_per_second", "1", "quota.jitter_ms", "10000",
                                         "quota.volcengine_scope", "never blocks", ENDLESS, NULL);
  rtcmsg_message message = fixture_unicast();
  rtcmsg_report *report = fixture_send(client, &message, RTCMSG_OK);
  rtcmsg_report_free(report);
  tick_twice(client, "used up quota", "\"in_flight\":0");
  close_and_poll(client, 2 * MESSAGES);
  tasks_wait_for_end_of("rtcmsg-");
}

int main(void) {
  dev_null = open("/dev/null", O_WRONLY);
  REQUIRE(dev_null >= 0);
  REQUIRE(prctl(PR_SET_NAME, "tick") == 0);
  a_tick_does_not_wait_for_dns();
  a_tick_does_not_wait_for_connects();
  a_tick_does_not_wait_for_answers();
  a_tick_does_not_wait_for_room_in_the_queue();
  a_tick_does_not_wait_for_quota();
  return check_summary();
}
