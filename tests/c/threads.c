// modes: plain asan (memcheck does not show the signal masks of its threads)

/* The threads of a process that uses the library: the callers, and the library's own, which have names and block the
 * host's signals. */
#include <rtcmsg.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#include "check.h"
#include "interposed_lookup.h"
#include "fixtures.h"
#include "listener.h"
#include "tasks.h"

enum { MOST = 64, CALLERS = 4 };

struct caller {
  rtcmsg_client *client;
  rtcmsg_code code;
  pthread_t thread;
};

static void *send_one(void *argument) {
  struct caller *caller = argument;
  rtcmsg_message message = fixture_unicast();
  rtcmsg_report *report = NULL;
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  options.timeout_ms = -1;
  caller->code = rtcmsg_client_send(caller->client, &message, &options, &report, NULL);
  rtcmsg_report_free(report);
  return NULL;
}

static int is_ours(const struct task *task) { return strncmp(task->name, "rtcmsg-", 7) == 0; }

/* Checks that the callers still have the program's name, which they inherit. Returns the number of library threads. */
static size_t check_names(size_t callers) {
  struct task list[MOST];
  size_t count = tasks(list, MOST);
  size_t ours = 0;
  size_t others = 0;
  size_t i;
  REQUIRE(count > 0);
  for (i = 0; i < count; i++) {
    if (is_ours(&list[i]))
      ours++;
    else
      others++;
  }
  CHECK_SIZE(others, callers);
  return ours;
}

static void sends_to_an_address_start_no_thread(void) {
  rtcmsg_client *client;
  rtcmsg_message message = fixture_unicast();
  int i;
  check_case("no thread");
  client = fixture_client(NULL);
  for (i = 0; i < 20; i++) rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  CHECK_SIZE(check_names(1), 0);
  rtcmsg_client_free(client);
}

static int must_stay_unblocked(int signal) {
  static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF};
  size_t i;
  for (i = 0; i < sizeof open / sizeof *open; i++)
    if (open[i] == signal) return 1;
  return 0;
}

static void check_mask(const struct task *task) {
  int number;
  for (number = 1; number <= 64; number++) {
    char name[32];
    /* Two signals cannot be blocked, and the C library reserves two. */
    if (number == SIGKILL || number == SIGSTOP || number == 32 || number == 33) continue;
    snprintf(name, sizeof name, "signal %d", number);
    check_case(name);
    CHECK_INT(task->blocked >> (number - 1) & 1, !must_stay_unblocked(number));
  }
}

static void library_threads_are_named_and_block_the_hosts_signals(void) {
  char url[128];
  struct task list[MOST];
  struct caller callers[CALLERS];
  rtcmsg_client *client;
  sigset_t before;
  sigset_t after;
  size_t count;
  size_t i;
  size_t signal;
  check_case("held lookup");
  named_emulator_url(url, sizeof url);
  client = fixture_client("volcengine.endpoint", url, NULL);
  hold_lookups(1);
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  for (i = 0; i < CALLERS; i++) {
    callers[i].client = client;
    REQUIRE(pthread_create(&callers[i].thread, NULL, send_one, &callers[i]) == 0);
  }
  wait_for_held_lookup();
  CHECK_SIZE(check_names(1 + CALLERS), 1);
  CHECK_SIZE(tasks_named("rtcmsg-dns"), 1);
  count = tasks(list, MOST);
  for (i = 0; i < count; i++) {
    if (is_ours(&list[i])) check_mask(&list[i]);
  }
  check_case("afterwards");
  hold_lookups(0);
  for (i = 0; i < CALLERS; i++) {
    CHECK(pthread_join(callers[i].thread, NULL) == 0);
    CHECK_CODE(callers[i].code, RTCMSG_OK);
  }
  CHECK_INT(lookups(), 1);
  tasks_wait_for_end_of("rtcmsg-dns");
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  for (signal = 1; signal <= 31; signal++)
    CHECK_INT(sigismember(&before, (int)signal), sigismember(&after, (int)signal));
  rtcmsg_client_free(client);
  /* The kernel may list a thread for a moment after it was joined. */
  while (tasks(list, MOST) > 1) sched_yield();
  CHECK_SIZE(check_names(1), 0);
}

/* The caller that starts a lookup has the same mask after it. */
static void the_signal_mask_of_a_caller_is_unchanged(void) {
  char url[128];
  rtcmsg_message message = fixture_unicast();
  rtcmsg_client *client;
  sigset_t blocked;
  sigset_t after;
  int number;
  check_case("the caller's mask");
  named_emulator_url(url, sizeof url);
  client = fixture_client("volcengine.endpoint", url, NULL);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigaddset(&blocked, SIGPROF);
  pthread_sigmask(SIG_SETMASK, &blocked, NULL);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  for (number = 1; number <= 31; number++)
    CHECK_INT(sigismember(&after, number), number == SIGUSR1 || number == SIGPROF);
  CHECK_INT(lookups(), 2);
  tasks_wait_for_end_of("rtcmsg-dns");
  rtcmsg_client_free(client);
}

enum { SMALL_STACK = 256 * 1024 };

static void a_send_needs_no_more_stack_than_the_header_says(void) {
  pthread_attr_t attributes;
  struct caller caller = {NULL, RTCMSG_ERR_INTERNAL, 0};
  check_case("stack");
  /* AddressSanitizer needs additional stack around every variable. */
  if (strcmp(getenv("TEST_MODE"), "plain") != 0) return;
  caller.client = fixture_client(NULL);
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, SMALL_STACK) == 0);
  REQUIRE(pthread_create(&caller.thread, &attributes, send_one, &caller) == 0);
  CHECK(pthread_join(caller.thread, NULL) == 0);
  CHECK_CODE(caller.code, RTCMSG_OK);
  /* A TLS handshake, up to the first response, which is invalid. */
  {
    struct listener listener = listener_open();
    struct listener_service service;
    char url[80];
    struct caller secured = {NULL, RTCMSG_ERR_INTERNAL, 0};
    snprintf(url, sizeof url, "https%s", listener.url + strlen("http"));
    secured.client = fixture_client("volcengine.endpoint", url, NULL);
    listener_greet_once(&service, &listener, "this is no TLS\r\n\r\n");
    REQUIRE(pthread_create(&secured.thread, &attributes, send_one, &secured) == 0);
    CHECK(pthread_join(secured.thread, NULL) == 0);
    CHECK_CODE(secured.code, RTCMSG_ERR_TLS);
    listener_join(&service);
    listener_close(&listener);
    rtcmsg_client_free(secured.client);
  }
  pthread_attr_destroy(&attributes);
  rtcmsg_client_free(caller.client);
}

int main(void) {
  sends_to_an_address_start_no_thread();
  library_threads_are_named_and_block_the_hosts_signals();
  the_signal_mask_of_a_caller_is_unchanged();
  a_send_needs_no_more_stack_than_the_header_says();
  return check_summary();
}
