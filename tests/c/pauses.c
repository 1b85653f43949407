// emulator: --no-quota
// modes: plain (it measures time, and the other modes are slower)

/* No more requests than the quota arrive in a second, even if something delays requests that already have their
 * permits: a stopped process, a CPU limit, a slow DNS lookup, an endpoint that does not answer. The emulator's clock is
 * used. */
#define _DEFAULT_SOURCE /* nice() */
#include <pthread.h>
#include <rtcmsg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "control.h"
#include "interposed_lookup.h"
#include "fixtures.h"
#include "listener.h"

enum { THREADS = 300, LIMIT = 100, ROUNDS = 10 };
/* STOP_TOLERANCE is for requests that are stopped between the last check of the quota and the write. Each thread has at
 * most one; on a busy machine there can be many, but never all that have a slot. CLOCK_TOLERANCE is for requests that
 * the emulator reads late. The tests in src/quota show with a simulated clock that the quota itself is exact. */
enum { STOP_TOLERANCE = LIMIT * 9 / 10, CLOCK_TOLERANCE = LIMIT / 2 };

/* On a busy machine, and with new connections, delays differ by up to this jitter. */
#define PACED \
  "quota.mode", "wait", "quota.jitter_ms", "500", "http.timeout_ms", "60000", "http.max_idle_connections", "300"

/* On a busy machine the emulator needs some time to accept three hundred connections. */
#define MANY_CONNECTS "quota.jitter_ms", "2000"

struct sender {
  rtcmsg_client *client;
  rtcmsg_message message;
  int sends; /* -1: until the process ends */
  pthread_t thread;
  int good;
};

static void *send_all(void *argument) {
  struct sender *sender = argument;
  while (sender->sends != 0) {
    rtcmsg_report *report = NULL;
    sender->good += rtcmsg_client_send(sender->client, &sender->message, NULL, &report, NULL) == RTCMSG_OK;
    rtcmsg_report_free(report);
    if (sender->sends > 0) sender->sends--;
  }
  return NULL;
}

static void start(struct sender *senders, rtcmsg_client *client, const rtcmsg_message *message, int sends) {
  int i;
  for (i = 0; i < THREADS; i++) {
    senders[i].client = client;
    senders[i].message = *message;
    senders[i].sends = sends;
    senders[i].good = 0;
    REQUIRE(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]) == 0);
  }
}

static int join(struct sender *senders) {
  int good = 0;
  int i;
  for (i = 0; i < THREADS; i++) {
    pthread_join(senders[i].thread, NULL);
    good += senders[i].good;
  }
  return good;
}

static int by_time(const void *left, const void *right) {
  uint64_t a = *(const uint64_t *)left;
  uint64_t b = *(const uint64_t *)right;
  return a < b ? -1 : a > b;
}

/* The largest number of requests within a second, by the times in the emulator's ledger. */
static size_t most_in_a_second(void) {
  static const char key[] = "\"received_at_ns\":";
  char *ledger = control_get("ledger");
  size_t room = 0;
  size_t count = 0;
  size_t most = 0;
  size_t first = 0;
  size_t last;
  uint64_t *times = NULL;
  char *at;
  for (at = ledger; (at = strstr(at, key)); at += sizeof key - 1) {
    if (count == room) {
      room = room ? 2 * room : 1024;
      times = realloc(times, room * sizeof *times);
      REQUIRE(times != NULL);
    }
    times[count++] = strtoull(at + sizeof key - 1, NULL, 10);
  }
  free(ledger);
  if (count) qsort(times, count, sizeof *times, by_time);
  for (last = 0; last < count; last++) {
    while (times[last] - times[first] >= 1000000000) first++;
    if (last - first + 1 > most) most = last - first + 1;
  }
  free(times);
  return most;
}

static void check_rate(const char *what, size_t more) {
  size_t most = most_in_a_second();
  printf("%s: at most %zu of %d in a second\n", what, most, (int)LIMIT);
  CHECK(most <= LIMIT + more);
}

static void wait_for_requests(uint64_t count) {
  struct timespec moment = {0, 1000000};
  while (control_stats().requests < count) nanosleep(&moment, NULL);
}

static void sleep_s(int seconds) {
  struct timespec time = {0, 0};
  time.tv_sec = seconds;
  while (nanosleep(&time, &time) != 0) continue;
}

/* Runs `body` in a child process, which can be stopped. The child has a low priority, because a request that the
 * emulator reads late would count in the wrong second. */
static pid_t in_child(void (*body)(void)) {
  pid_t child;
  fflush(stdout);
  child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    size_t failures_before = check_failures();
    CHECK(nice(15) != -1);
    body();
    fflush(stdout);
    _exit(check_failures() != failures_before);
  }
  return child;
}

static void check_exit_of(pid_t child) {
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void send_until_killed(void) {
  static struct sender senders[THREADS];
  rtcmsg_message message = fixture_unicast();
  rtcmsg_client *client = fixture_client(PACED, "quota.rtc_per_second", "100", NULL);
  start(senders, client, &message, -1);
  join(senders);
}

static void kill_child(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

static void a_process_that_was_stopped_keeps_the_quota_when_it_continues(void) {
  int round;
  check_case("SIGSTOP");
  for (round = 0; round < ROUNDS; round++) {
    struct control_stats before;
    pid_t child;
    control_post("reset", "%s", "");
    before = control_stats();
    child = in_child(send_until_killed);
    /* The process is stopped soon after the first request of a new window. */
    wait_for_requests(before.requests + LIMIT + 1 + (uint64_t)round * 3);
    kill(child, SIGSTOP);
    sleep_s(2);
    kill(child, SIGCONT);
    wait_for_requests(before.requests + 4 * LIMIT);
    kill_child(child);
    check_rate("stopped", STOP_TOLERANCE);
  }
}

/* Returns whether the text was written. */
static int write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  int is_written = file && fputs(text, file) >= 0;
  if (file && fclose(file) != 0) is_written = 0;
  return is_written;
}

static void a_process_with_a_cpu_limit_of_5_percent_keeps_the_quota(void) {
  static const char group[] = "/sys/fs/cgroup/cpu/rtcmsg-pauses";
  char path[128];
  char text[32];
  struct control_stats before = control_stats();
  pid_t child;
  check_case("CPU limit");
  if (mkdir(group, 0755) != 0) {
    printf("CPU limit: not tested, because a cgroup cannot be created here\n");
    return;
  }
  control_post("reset", "%s", "");
  child = in_child(send_until_killed);
  snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", group);
  CHECK(write_file(path, "5000"));
  snprintf(path, sizeof path, "%s/cgroup.procs", group);
  snprintf(text, sizeof text, "%d", (int)child);
  CHECK(write_file(path, text));
  wait_for_requests(before.requests + 5 * LIMIT);
  kill_child(child);
  rmdir(group);
  check_rate("5 % CPU", STOP_TOLERANCE);
}

static void send_through_a_slow_lookup(void) {
  static struct sender senders[THREADS];
  char url[128];
  rtcmsg_message message = fixture_unicast();
  rtcmsg_client *client;
  named_emulator_url(url, sizeof url);
  client = fixture_client(PACED, "quota.rtc_per_second", "100", MANY_CONNECTS, "http.connect_timeout_ms", "30000",
                          "volcengine.endpoint", url, NULL);
  hold_lookups(1);
  start(senders, client, &message, 1);
  wait_for_held_lookup();
  sleep_s(3);
  hold_lookups(0);
  CHECK_INT(join(senders), THREADS);
  CHECK_INT(lookups(), 1);
  rtcmsg_client_free(client);
}

static void sends_that_waited_for_a_slow_lookup_keep_the_quota(void) {
  check_case("slow DNS");
  control_post("reset", "%s", "");
  check_exit_of(in_child(send_through_a_slow_lookup));
  check_rate("DNS of 3 s", CLOCK_TOLERANCE);
}

static void send_with_a_dead_endpoint_first(void) {
  static struct sender senders[THREADS];
  struct listener silent = listener_open();
  struct listener_backlog backlog = listener_fill_backlog(&silent);
  char endpoints[256];
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  rtcmsg_client *client;
  message.action = RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM;
  message.room_id = rtcmsg_str_from("lobby");
  message.from = rtcmsg_str_from("server");
  fixture_set_payload(&message, "hi");
  snprintf(endpoints, sizeof endpoints, "%s,%s", silent.url, getenv("EMULATOR_URL"));
  client = fixture_client(PACED, MANY_CONNECTS, "http.connect_timeout_ms", "3000", "zego.endpoint", endpoints, NULL);
  start(senders, client, &message, 1);
  CHECK_INT(join(senders), THREADS);
  rtcmsg_client_free(client);
  listener_empty_backlog(&backlog);
  listener_close(&silent);
}

static void sends_after_a_failover_keep_the_quota(void) {
  check_case("failover");
  control_post("reset", "%s", "");
  control_post("zego/join", "{\"room_id\":\"lobby\",\"user_id\":\"alice\"}");
  check_exit_of(in_child(send_with_a_dead_endpoint_first));
  check_rate("failover", CLOCK_TOLERANCE);
}

int main(void) {
  a_process_that_was_stopped_keeps_the_quota_when_it_continues();
  a_process_with_a_cpu_limit_of_5_percent_keeps_the_quota();
  sends_that_waited_for_a_slow_lookup_keep_the_quota();
  sends_after_a_failover_keep_the_quota();
  return check_summary();
}
