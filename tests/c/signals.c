// emulator: --no-quota

/* A process whose system calls are interrupted a thousand times a second, as by a profiler or a game's timer. */
#include <errno.h>
#include <pthread.h>
#include <rtcmsg.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "check.h"
#include "control.h"
#include "fixtures.h"

enum { THREADS = 4 };

/* Memcheck is slow, so its mode sends fewer messages. */
static int sends = 1250;

static volatile sig_atomic_t ticks;

static void tick(int signal) {
  (void)signal;
  ticks++;
}

static void start_timer(int milliseconds) {
  struct itimerval every = {{0, 0}, {0, 0}};
  every.it_interval.tv_usec = every.it_value.tv_usec = milliseconds * 1000;
  REQUIRE(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

struct sender {
  rtcmsg_client *client;
  pthread_t thread;
  int good;
  rtcmsg_error first_failure;
};

static void *send_many(void *argument) {
  struct sender *sender = argument;
  rtcmsg_message message = fixture_unicast();
  int i;
  for (i = 0; i < sends; i++) {
    rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
    rtcmsg_report *report = NULL;
    rtcmsg_code code = rtcmsg_client_send(sender->client, &message, NULL, &report, &error);
    if (code == RTCMSG_OK && rtcmsg_report_count_by_delivery(report, RTCMSG_DELIVERY_ACCEPTED) == 1)
      sender->good++;
    else if (sender->first_failure.code == RTCMSG_OK)
      sender->first_failure = error;
    rtcmsg_report_free(report);
  }
  return NULL;
}

static size_t occurrences(const char *text, const char *part) {
  size_t count = 0;
  for (; (text = strstr(text, part)) != NULL; text++) count++;
  return count;
}

static void a_timer_without_sa_restart_loses_no_message(void) {
  struct sigaction action;
  struct sender senders[THREADS];
  struct control_inbox inbox;
  char *ledger;
  rtcmsg_client *client;
  int i;
  check_case("interval timer");
  control_post("volcengine/login", "{\"user_id\":\"alice\"}");
  client = fixture_client(NULL);
  memset(&action, 0, sizeof action);
  action.sa_handler = tick;
  REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
  memset(senders, 0, sizeof senders);
  start_timer(1);
  for (i = 0; i < THREADS; i++) {
    senders[i].client = client;
    REQUIRE(pthread_create(&senders[i].thread, NULL, send_many, &senders[i]) == 0);
  }
  for (i = 0; i < THREADS; i++) REQUIRE(pthread_join(senders[i].thread, NULL) == 0);
  start_timer(0);
  for (i = 0; i < THREADS; i++) {
    CHECK_INT(senders[i].good, sends);
    CHECK_TEXT(senders[i].first_failure.message, "");
  }
  /* The sends took longer than ten milliseconds, so that signals arrived during them. */
  CHECK(ticks > 10);
  inbox = control_inbox("volcengine", "alice");
  CHECK_SIZE(inbox.count, THREADS * (size_t)sends);
  control_inbox_free(&inbox);
  ledger = control_get("ledger");
  CHECK_SIZE(occurrences(ledger, "{\"sequence\":"), THREADS * (size_t)sends);
  free(ledger);
  rtcmsg_client_free(client);
}

int main(void) {
  if (strcmp(getenv("TEST_MODE"), "memcheck") == 0) sends = 100;
  a_timer_without_sa_restart_loses_no_message();
  return check_summary();
}
