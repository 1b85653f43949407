/* A client that is closed, freed, used after a fork, and shared by threads. */
#include <pthread.h>
#include <rtcmsg.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "control.h"
#include "fixtures.h"
#include "listener.h"

#define GENEROUS_MS 120000

static const char success[] =
    "HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n{\"ResponseMetadata\":{\"RequestId\":\"id-1\"}}";

/* Checks that the functions that check and send return this code and no report. */
static void check_returns(rtcmsg_client *client, rtcmsg_code expected) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_message message = fixture_unicast();
  rtcmsg_report *report = (rtcmsg_report *)&error;
  CHECK_CODE(rtcmsg_client_check(client, &message, &error), expected);
  CHECK_CODE(error.code, expected);
  CHECK_TEXT(error.field, "");
  CHECK(error.message[0] != '\0');
  CHECK_CODE(rtcmsg_client_send(client, &message, NULL, &report, &error), expected);
  CHECK_CODE(error.code, expected);
  CHECK(error.message[0] != '\0');
  CHECK(report == NULL);
  report = (rtcmsg_report *)&error;
  CHECK_CODE(rtcmsg_client_call_action(client, RTCMSG_VENDOR_VOLCENGINE, "P2PSendUserMessage", "2020-12-01",
                                       rtcmsg_str_from("{}"), NULL, &report, &error),
             expected);
  CHECK_CODE(error.code, expected);
  CHECK(report == NULL);
}

static void a_closed_client_returns_closed_and_can_be_closed_again(void) {
  static const int32_t timeouts[] = {0, -1, 1, INT32_MAX};
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_client *client = fixture_client(NULL);
  rtcmsg_message message = fixture_unicast();
  struct control_stats before;
  struct control_stats after;
  size_t i;
  check_case("closed");
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  before = control_stats();
  for (i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
    CHECK_CODE(rtcmsg_client_close(client, timeouts[i], &error), RTCMSG_OK);
    fixture_check_no_error(&error);
    check_returns(client, RTCMSG_ERR_CLOSED);
  }
  CHECK_CODE(rtcmsg_client_close(client, 0, NULL), RTCMSG_OK);
  after = control_stats();
  CHECK_SIZE(after.requests, before.requests);
  CHECK_SIZE(after.connections, before.connections);
  rtcmsg_client_free(client);
}

static void a_report_outlives_its_client(void) {
  rtcmsg_client *client = fixture_client(NULL);
  rtcmsg_message message = fixture_unicast();
  rtcmsg_report *report = fixture_send(client, &message, RTCMSG_OK);
  check_case("report after free");
  rtcmsg_client_free(client);
  CHECK_TEXT(rtcmsg_report_recipient(report, 0)->user, "alice");
  CHECK_CONTAINS(rtcmsg_report_summary(report), "SendUnicast");
  rtcmsg_report_free(report);
}

static void null_can_be_freed_and_read(void) {
  size_t len = 1;
  check_case("NULL");
  rtcmsg_config_free(NULL);
  rtcmsg_client_free(NULL);
  rtcmsg_report_free(NULL);
  CHECK_CODE(rtcmsg_report_code(NULL), RTCMSG_ERR_INVALID_ARGUMENT);
  CHECK_SIZE(rtcmsg_report_delivery(NULL), 0);
  CHECK_TEXT(rtcmsg_report_summary(NULL), "");
  CHECK_SIZE(rtcmsg_report_recipient_count(NULL), 0);
  CHECK_SIZE(rtcmsg_report_count_by_delivery(NULL, RTCMSG_DELIVERY_DELIVERED), 0);
  CHECK_SIZE(rtcmsg_report_request_count(NULL), 0);
  CHECK(rtcmsg_report_request(NULL, 0) == NULL);
  CHECK(rtcmsg_report_recipient(NULL, 0) == NULL);
  CHECK(rtcmsg_report_device(NULL, 0) == NULL);
  CHECK(rtcmsg_report_body(NULL, &len) == NULL);
  CHECK_SIZE(len, 0);
  CHECK(rtcmsg_report_body(NULL, NULL) == NULL);
}

/* A send on a thread of its own. */
struct send {
  rtcmsg_client *client;
  rtcmsg_code code;
  rtcmsg_report *report;
  pthread_t thread;
};

static void *send_on_thread(void *argument) {
  struct send *send = argument;
  rtcmsg_message message = fixture_unicast();
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  options.timeout_ms = GENEROUS_MS;
  send->code = rtcmsg_client_send(send->client, &message, &options, &send->report, NULL);
  return NULL;
}

/* Starts a send and waits until its request has arrived at the listener. Returns the connection, on which it waits for
 * an answer. */
static int begin_send(struct send *send, const struct listener *listener) {
  int connection;
  REQUIRE(pthread_create(&send->thread, NULL, send_on_thread, send) == 0);
  connection = listener_accept(listener);
  CHECK(listener_read_request(connection));
  return connection;
}

static void close_aborts_a_send_that_waits_for_its_answer(void) {
  struct listener listener = listener_open();
  struct send send = {NULL, RTCMSG_OK, NULL, 0};
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  int connection;
  check_case("close during a send");
  send.client = fixture_client("volcengine.endpoint", listener.url, NULL);
  connection = begin_send(&send, &listener);
  CHECK_CODE(rtcmsg_client_close(send.client, 0, &error), RTCMSG_OK);
  CHECK(pthread_join(send.thread, NULL) == 0);
  CHECK_CODE(send.code, RTCMSG_ERR_CLOSED);
  REQUIRE(send.report != NULL);
  CHECK_CODE(rtcmsg_report_code(send.report), RTCMSG_ERR_CLOSED);
  CHECK_DELIVERY(rtcmsg_report_delivery(send.report), RTCMSG_DELIVERY_UNKNOWN);
  rtcmsg_report_free(send.report);
  check_returns(send.client, RTCMSG_ERR_CLOSED);
  rtcmsg_client_free(send.client);
  close(connection);
  listener_close(&listener);
}

static void *close_without_timeout(void *argument) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  struct send *send = argument;
  send->code = rtcmsg_client_close(send->client, -1, &error);
  return NULL;
}

static void close_without_timeout_waits_for_a_send(void) {
  struct listener listener = listener_open();
  struct send send = {NULL, RTCMSG_ERR_INTERNAL, NULL, 0};
  struct send closing = {NULL, RTCMSG_ERR_INTERNAL, NULL, 0};
  rtcmsg_message message = fixture_unicast();
  int connection;
  check_case("close that waits");
  closing.client = send.client = fixture_client("volcengine.endpoint", listener.url, NULL);
  connection = begin_send(&send, &listener);
  REQUIRE(pthread_create(&closing.thread, NULL, close_without_timeout, &closing) == 0);
  /* When the client accepts no more messages, the close is waiting. Only then the answer is sent. */
  while (rtcmsg_client_check(send.client, &message, NULL) != RTCMSG_ERR_CLOSED) sched_yield();
  listener_write(connection, success);
  CHECK(pthread_join(send.thread, NULL) == 0);
  CHECK(pthread_join(closing.thread, NULL) == 0);
  CHECK_CODE(closing.code, RTCMSG_OK);
  CHECK_CODE(send.code, RTCMSG_OK);
  CHECK_CODE(rtcmsg_report_code(send.report), RTCMSG_OK);
  rtcmsg_report_free(send.report);
  rtcmsg_client_free(send.client);
  close(connection);
  listener_close(&listener);
}

/* Runs the checks of the child. Returns whether they passed. */
static int child_passes(rtcmsg_client *parents) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  size_t failures_before = check_failures();
  rtcmsg_message message = fixture_unicast();
  rtcmsg_client *own;
  check_returns(parents, RTCMSG_ERR_FORKED);
  CHECK_CODE(rtcmsg_client_close(parents, 0, &error), RTCMSG_ERR_FORKED);
  CHECK_CODE(error.code, RTCMSG_ERR_FORKED);
  CHECK_CODE(rtcmsg_client_close(parents, -1, NULL), RTCMSG_ERR_FORKED);
  rtcmsg_client_free(parents);
  own = fixture_client(NULL);
  rtcmsg_report_free(fixture_send(own, &message, RTCMSG_OK));
  CHECK_CODE(rtcmsg_client_close(own, -1, &error), RTCMSG_OK);
  rtcmsg_client_free(own);
  return check_failures() == failures_before;
}

static void run_child(rtcmsg_client *parents) {
  int status = -1;
  pid_t child;
  fflush(stdout);
  child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    int passed = child_passes(parents);
    fflush(stdout);
    /* Ends the child as another program, without the parent's exit handlers and without a leak check: memory of the
     * parent's other threads has no owner in the child. */
    if (passed) execlp("true", "true", (char *)NULL);
    _exit(1);
  }
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_forked_child_needs_a_client_of_its_own(void) {
  rtcmsg_client *client = fixture_client(NULL);
  rtcmsg_message message = fixture_unicast();
  check_case("fork");
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  run_child(client);
  /* The parent can still use its connection. */
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  run_child(client);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  rtcmsg_client_free(client);
}

static void a_fork_during_a_send_affects_neither_process(void) {
  struct listener listener = listener_open();
  struct send send = {NULL, RTCMSG_ERR_INTERNAL, NULL, 0};
  int connection;
  check_case("fork during a send");
  send.client = fixture_client("volcengine.endpoint", listener.url, NULL);
  connection = begin_send(&send, &listener);
  run_child(send.client);
  listener_write(connection, success);
  CHECK(pthread_join(send.thread, NULL) == 0);
  CHECK_CODE(send.code, RTCMSG_OK);
  rtcmsg_report_free(send.report);
  rtcmsg_client_free(send.client);
  close(connection);
  listener_close(&listener);
}

enum { THREADS = 8, SENDS = 50 };

struct sender {
  rtcmsg_client *client;
  int number;
  int good;
  rtcmsg_code first_failure;
  pthread_t thread;
};

static void *send_many(void *argument) {
  struct sender *sender = argument;
  char payload[] = "0:00";
  int i;
  payload[0] = (char)('0' + sender->number);
  for (i = 0; i < SENDS; i++) {
    rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
    rtcmsg_message message = fixture_unicast();
    rtcmsg_report *report = NULL;
    rtcmsg_code code;
    payload[2] = (char)('0' + i / 10);
    payload[3] = (char)('0' + i % 10);
    fixture_set_payload(&message, payload);
    code = rtcmsg_client_send(sender->client, &message, NULL, &report, &error);
    if (code == RTCMSG_OK && rtcmsg_report_count_by_delivery(report, RTCMSG_DELIVERY_ACCEPTED) == 1)
      sender->good++;
    else if (sender->first_failure == RTCMSG_OK)
      sender->first_failure = code;
    rtcmsg_report_free(report);
  }
  return NULL;
}

static void eight_threads_share_a_client(void) {
  struct sender senders[THREADS];
  int arrived[THREADS][SENDS] = {{0}};
  struct control_inbox inbox;
  rtcmsg_client *client;
  size_t k;
  int i;
  int j;
  check_case("threads");
  control_post("reset", "%s", "");
  control_post("volcengine/login", "{\"user_id\":\"alice\"}");
  client = fixture_client(NULL);
  for (i = 0; i < THREADS; i++) {
    senders[i].client = client;
    senders[i].number = i;
    senders[i].good = 0;
    senders[i].first_failure = RTCMSG_OK;
    REQUIRE(pthread_create(&senders[i].thread, NULL, send_many, &senders[i]) == 0);
  }
  for (i = 0; i < THREADS; i++) {
    CHECK(pthread_join(senders[i].thread, NULL) == 0);
    CHECK_INT(senders[i].good, SENDS);
    CHECK_CODE(senders[i].first_failure, RTCMSG_OK);
  }
  inbox = control_inbox("volcengine", "alice");
  CHECK_SIZE(inbox.count, THREADS * SENDS);
  for (k = 0; k < inbox.count; k++) {
    const unsigned char *payload = inbox.arrivals[k].payload;
    int thread = payload[0] - '0';
    int send = (payload[2] - '0') * 10 + payload[3] - '0';
    REQUIRE(inbox.arrivals[k].payload_len == 4 && thread >= 0 && thread < THREADS && send >= 0 && send < SENDS);
    arrived[thread][send]++;
  }
  for (i = 0; i < THREADS; i++)
    for (j = 0; j < SENDS; j++) CHECK_INT(arrived[i][j], 1);
  control_inbox_free(&inbox);
  rtcmsg_client_free(client);
}

int main(void) {
  a_closed_client_returns_closed_and_can_be_closed_again();
  a_report_outlives_its_client();
  null_can_be_freed_and_read();
  close_aborts_a_send_that_waits_for_its_answer();
  close_without_timeout_waits_for_a_send();
  a_forked_child_needs_a_client_of_its_own();
  a_fork_during_a_send_affects_neither_process();
  eight_threads_share_a_client();
  return check_summary();
}
