// flags: -ldl
#define _GNU_SOURCE

/* When the system has no thread or no descriptor left, the error has its own code and nothing is sent. The client works
 * again as soon as there are some. */
#include <rtcmsg.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"
#include "control.h"
#include "interposed_threads.h"
#include "fixtures.h"
#include "tasks.h"

#define ALL INT_MAX

static char named_url[100];

/* A client that must look up the host of its endpoint. */
static rtcmsg_client *named_client(const char *attempts) {
  return fixture_client("volcengine.endpoint", named_url, "retry.max_attempts", attempts, "retry.backoff_ms", "1",
                        NULL);
}

static size_t arrived(void) {
  struct control_inbox inbox = control_inbox("volcengine", "alice");
  size_t count = inbox.count;
  control_inbox_free(&inbox);
  return count;
}

static void begin(const char *name) {
  check_case(name);
  control_post("reset", "%s", "");
  control_post("volcengine/join", "%s", "{\"room_id\":\"lobby\",\"user_id\":\"alice\"}");
}

/* Sends, with any number of attempts and requests. The caller frees the report. */
static rtcmsg_report *sent(rtcmsg_client *client, const rtcmsg_message *message, rtcmsg_code code) {
  rtcmsg_report *report = NULL;
  CHECK_CODE(rtcmsg_client_send(client, message, NULL, &report, NULL), code);
  REQUIRE(report != NULL);
  CHECK_CODE(rtcmsg_report_code(report), code);
  return report;
}

/* Checks that every attempt has this error and that nothing arrived. */
static void check_unsent(rtcmsg_report *report, size_t attempts, const char *text) {
  size_t i;
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_NOT_SENT);
  CHECK_DELIVERY(rtcmsg_report_recipient(report, 0)->delivery, RTCMSG_DELIVERY_NOT_SENT);
  CHECK_SIZE(rtcmsg_report_request(report, 0)->attempt_count, attempts);
  for (i = 0; i < attempts; i++) {
    CHECK_CODE(rtcmsg_report_attempt(report, i)->code, RTCMSG_ERR_NO_RESOURCES);
    CHECK_CONTAINS(rtcmsg_report_attempt(report, i)->error_message, text);
    CHECK_LACKS(rtcmsg_report_attempt(report, i)->error_message, "defect");
  }
  CHECK_SIZE(arrived(), 0);
  rtcmsg_report_free(report);
}

static void check_sends(rtcmsg_client *client) {
  rtcmsg_message message = fixture_unicast();
  rtcmsg_report_free(sent(client, &message, RTCMSG_OK));
}

static void no_thread_for_a_lookup(void) {
  rtcmsg_client *client = named_client("1");
  rtcmsg_message message = fixture_unicast();
  begin("no thread for a lookup");
  refuse_threads(0, ALL);
  check_unsent(sent(client, &message, RTCMSG_ERR_NO_RESOURCES), 1, "cannot start a thread for the DNS lookup");
  refuse_threads(0, 0);
  check_sends(client);
  rtcmsg_client_free(client);
}

static void a_lookup_without_a_thread_is_repeated(void) {
  rtcmsg_client *client = named_client("3");
  rtcmsg_message message = fixture_unicast();
  rtcmsg_report *report;
  begin("a lookup without a thread is repeated");
  refuse_threads(0, ALL);
  check_unsent(sent(client, &message, RTCMSG_ERR_NO_RESOURCES), 3, "cannot start a thread for the DNS lookup");
  refuse_threads(0, 1);
  report = sent(client, &message, RTCMSG_OK);
  CHECK_SIZE(rtcmsg_report_request(report, 0)->attempt_count, 2);
  CHECK_SIZE(arrived(), 1);
  rtcmsg_report_free(report);
  rtcmsg_client_free(client);
}

/* Polls the only completion. The caller frees the report. */
static rtcmsg_report *completed(rtcmsg_client *client, rtcmsg_code code) {
  rtcmsg_completion row;
  size_t count = 0;
  CHECK_CODE(rtcmsg_client_poll(client, -1, &row, sizeof row, 1, &count, NULL), RTCMSG_OK);
  REQUIRE(count == 1);
  CHECK_CODE(row.code, code);
  return row.report;
}

static void no_thread_for_the_queue(void) {
  rtcmsg_client *client = fixture_client(NULL);
  rtcmsg_message message = fixture_unicast();
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  uint64_t id = 7;
  begin("no thread for the queue");
  refuse_threads(0, ALL);
  CHECK_CODE(rtcmsg_client_submit(client, &message, NULL, &id, &error), RTCMSG_ERR_NO_RESOURCES);
  CHECK_CONTAINS(error.message, "no thread for the queue");
  CHECK_LACKS(error.message, "defect");
  CHECK_SIZE(id, 0);
  CHECK_SIZE(rtcmsg_client_pending(client), 0);
  CHECK_CODE(rtcmsg_client_warm_up(client, 1, &error), RTCMSG_ERR_NO_RESOURCES);
  CHECK_CODE(rtcmsg_client_flush(client, 0, &error), RTCMSG_OK);
  CHECK_SIZE(arrived(), 0);
  refuse_threads(0, 0);
  CHECK_CODE(rtcmsg_client_submit(client, &message, NULL, &id, &error), RTCMSG_OK);
  rtcmsg_report_free(completed(client, RTCMSG_OK));
  CHECK_SIZE(arrived(), 1);
  rtcmsg_client_free(client);
}

/* The timer thread sends the messages when no worker can be started. */
static void no_thread_for_a_worker(void) {
  rtcmsg_client *client = fixture_client(NULL);
  rtcmsg_message message = fixture_unicast();
  uint64_t id;
  int i;
  begin("no thread for a worker");
  refuse_threads(1, ALL);
  for (i = 0; i < 3; i++) CHECK_CODE(rtcmsg_client_submit(client, &message, NULL, &id, NULL), RTCMSG_OK);
  for (i = 0; i < 3; i++) rtcmsg_report_free(completed(client, RTCMSG_OK));
  CHECK_SIZE(arrived(), 3);
  refuse_threads(0, 0);
  CHECK_CODE(rtcmsg_client_submit(client, &message, NULL, &id, NULL), RTCMSG_OK);
  rtcmsg_report_free(completed(client, RTCMSG_OK));
  rtcmsg_client_free(client);
}

static void no_thread_for_a_worker_nor_for_its_lookup(void) {
  rtcmsg_client *client = named_client("1");
  rtcmsg_message message = fixture_unicast();
  uint64_t id;
  begin("no thread for a worker, nor for its lookup");
  refuse_threads(1, ALL);
  CHECK_CODE(rtcmsg_client_submit(client, &message, NULL, &id, NULL), RTCMSG_OK);
  check_unsent(completed(client, RTCMSG_ERR_NO_RESOURCES), 1, "cannot start a thread for the DNS lookup");
  refuse_threads(0, 0);
  rtcmsg_client_free(client);
}

static void no_thread_for_the_parts_of_a_list(void) {
  rtcmsg_client *client = fixture_client(NULL);
  rtcmsg_str to[25];
  char names[25][8];
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  rtcmsg_report *report;
  size_t i;
  begin("no thread for the parts of a list");
  for (i = 0; i < 25; i++) {
    snprintf(names[i], sizeof names[i], "u%u", (unsigned)i);
    control_post("zego/join", "{\"room_id\":\"room\",\"user_id\":\"%s\"}", names[i]);
    to[i] = rtcmsg_str_from(names[i]);
  }
  message.action = RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS;
  message.room_id = rtcmsg_str_from("room");
  message.from = rtcmsg_str_from("server");
  message.to = to;
  message.to_count = 25;
  fixture_set_payload(&message, "hello");
  refuse_threads(0, ALL);
  report = sent(client, &message, RTCMSG_OK);
  refuse_threads(0, 0);
  CHECK_SIZE(rtcmsg_report_request_count(report), 3);
  CHECK_SIZE(rtcmsg_report_count_by_delivery(report, RTCMSG_DELIVERY_ACCEPTED), 25);
  rtcmsg_report_free(report);
  rtcmsg_client_free(client);
}

enum { MOST_DESCRIPTORS = 100 };
static int descriptors[MOST_DESCRIPTORS];
static size_t descriptor_count;

/* Opens every descriptor that the limit still allows. */
static void use_up_descriptors(void) {
  int fd;
  while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) {
    REQUIRE(descriptor_count < MOST_DESCRIPTORS);
    descriptors[descriptor_count++] = fd;
  }
  CHECK_INT(errno, EMFILE);
}

static void release_descriptors(void) {
  while (descriptor_count > 0) close(descriptors[--descriptor_count]);
}

static void no_descriptor(void) {
  struct rlimit before;
  struct rlimit low;
  rtcmsg_client *client = fixture_client("retry.max_attempts", "2", "retry.backoff_ms", "1", NULL);
  rtcmsg_message message = fixture_unicast();
  rtcmsg_report *report;
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  intptr_t handle = 7;
  begin("no descriptor");
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  low = before;
  low.rlim_cur = MOST_DESCRIPTORS;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
  use_up_descriptors();
  report = sent(client, &message, RTCMSG_ERR_NO_RESOURCES);
  CHECK_CODE(rtcmsg_client_event_handle(client, &handle, &error), RTCMSG_ERR_NO_RESOURCES);
  CHECK_INT(handle, -1);
  CHECK_CONTAINS(error.message, "no event handle");
  release_descriptors();
  check_unsent(report, 2, "cannot open a socket");
  check_sends(client);
  CHECK_CODE(rtcmsg_client_event_handle(client, &handle, &error), RTCMSG_OK);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  rtcmsg_client_free(client);
}

int main(void) {
  snprintf(named_url, sizeof named_url, "http://localhost%s", strrchr(getenv("EMULATOR_URL"), ':'));
  no_thread_for_a_lookup();
  a_lookup_without_a_thread_is_repeated();
  no_thread_for_the_queue();
  no_thread_for_a_worker();
  no_thread_for_a_worker_nor_for_its_lookup();
  no_thread_for_the_parts_of_a_list();
  no_descriptor();
  tasks_wait_for_end_of("rtcmsg-");
  return check_summary();
}
