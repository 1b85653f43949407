/* A fork while messages are completed, in flight and queued: the parent continues unchanged, and the child needs a new
 * client. */
#include <poll.h>
#include <pthread.h>
#include <rtcmsg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fixtures.h"
#include "listener.h"
#include "tasks.h"

enum { DONE = 2, MESSAGES = 8 };

static const char success[] =
    "HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n{\"ResponseMetadata\":{\"RequestId\":\"id-1\"}}";

static void check_forked(rtcmsg_code code, rtcmsg_error *error) {
  CHECK_CODE(code, RTCMSG_ERR_FORKED);
  CHECK_CODE(error->code, RTCMSG_ERR_FORKED);
  CHECK_TEXT(error->field, "");
  CHECK_CONTAINS(error->message, "fork");
}

static void the_parents_client_returns_forked(rtcmsg_client *parents) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_message message = fixture_unicast();
  rtcmsg_completion row;
  char text[64];
  uint64_t id = 77;
  size_t count = 77;
  size_t needed = 77;
  ptrdiff_t handle = 77;
  int32_t level = 77;
  check_forked(rtcmsg_client_submit(parents, &message, NULL, &id, &error), &error);
  CHECK_SIZE(id, 0);
  check_forked(rtcmsg_client_poll(parents, -1, &row, sizeof row, 1, &count, &error), &error);
  CHECK_SIZE(count, 0);
  check_forked(rtcmsg_client_event_handle(parents, &handle, &error), &error);
  CHECK_INT(handle, -1);
  check_forked(rtcmsg_client_cancel(parents, MESSAGES, &error), &error);
  check_forked(rtcmsg_client_flush(parents, -1, &error), &error);
  check_forked(rtcmsg_client_warm_up(parents, 1, &error), &error);
  check_forked(rtcmsg_client_stats(parents, text, sizeof text, &needed, &error), &error);
  CHECK_SIZE(needed, 0);
  needed = 77;
  check_forked(rtcmsg_client_next_log_line(parents, &level, text, sizeof text, &needed, &error), &error);
  CHECK_SIZE(needed, 0);
  CHECK_INT(level, 0);
  check_forked(rtcmsg_client_close(parents, -1, &error), &error);
  CHECK_SIZE(rtcmsg_client_pending(parents), 0);
}

static void a_new_client_submits_and_polls(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_message message = fixture_unicast();
  rtcmsg_client *own = fixture_client(NULL);
  rtcmsg_completion row;
  uint64_t id;
  size_t count;
  CHECK_CODE(rtcmsg_client_submit(own, &message, NULL, &id, &error), RTCMSG_OK);
  CHECK_CODE(rtcmsg_client_poll(own, -1, &row, sizeof row, 1, &count, &error), RTCMSG_OK);
  REQUIRE(count == 1);
  CHECK_SIZE(row.id, id);
  CHECK_CODE(row.code, RTCMSG_OK);
  rtcmsg_report_free(row.report);
  CHECK_CODE(rtcmsg_client_close(own, -1, &error), RTCMSG_OK);
  rtcmsg_client_free(own);
}

static void run_child(rtcmsg_client *parents) {
  int status = -1;
  pid_t child;
  fflush(stdout);
  child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    size_t failures_before = check_failures();
    the_parents_client_returns_forked(parents);
    rtcmsg_client_free(parents);
    a_new_client_submits_and_polls();
    fflush(stdout);
    /* Ends the child as another program, without a leak check: memory of the parent's other threads has no owner
     * here. */
    if (check_failures() == failures_before) execlp("true", "true", (char *)NULL);
    _exit(1);
  }
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int is_readable(ptrdiff_t handle) {
  struct pollfd fd;
  fd.fd = (int)handle;
  fd.events = POLLIN;
  return poll(&fd, 1, 0) == 1;
}

/* Answers `count` requests of a connection. The first one has already been read. */
struct answers {
  int connection;
  int count;
  pthread_t thread;
};

static void *answer(void *argument) {
  struct answers *answers = argument;
  int i;
  for (i = 0; i < answers->count; i++) {
    if (i > 0 && !listener_read_request(answers->connection)) break;
    listener_write(answers->connection, success);
  }
  return NULL;
}

static void a_fork_with_messages_done_in_flight_and_queued(void) {
  struct listener listener = listener_open();
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_message message = fixture_unicast();
  rtcmsg_completion rows[MESSAGES];
  struct answers answers;
  rtcmsg_client *client;
  ptrdiff_t handle;
  uint64_t id;
  size_t count;
  size_t polled = 0;
  size_t i;
  check_case("fork");
  client = fixture_client("volcengine.endpoint", listener.url, "worker.threads", "1", NULL);
  CHECK_CODE(rtcmsg_client_event_handle(client, &handle, &error), RTCMSG_OK);
  for (i = 0; i < MESSAGES; i++) CHECK_CODE(rtcmsg_client_submit(client, &message, NULL, &id, &error), RTCMSG_OK);
  answers.connection = listener_accept(&listener);
  for (i = 0; i < DONE; i++) {
    CHECK(listener_read_request(answers.connection));
    listener_write(answers.connection, success);
  }
  /* One message is in flight, and the others wait for it. */
  CHECK(listener_read_request(answers.connection));
  CHECK(is_readable(handle));
  run_child(client);
  check_case("the parent after the fork");
  CHECK(is_readable(handle));
  CHECK_SIZE(rtcmsg_client_pending(client), MESSAGES);
  answers.count = MESSAGES - DONE;
  REQUIRE(pthread_create(&answers.thread, NULL, answer, &answers) == 0);
  while (polled < MESSAGES) {
    CHECK_CODE(rtcmsg_client_poll(client, -1, &rows[polled], sizeof *rows, MESSAGES - polled, &count, &error),
               RTCMSG_OK);
    REQUIRE(count > 0);
    polled += count;
  }
  CHECK(pthread_join(answers.thread, NULL) == 0);
  for (i = 0; i < MESSAGES; i++) {
    CHECK_SIZE(rows[i].id, i + 1);
    CHECK_CODE(rows[i].code, RTCMSG_OK);
    CHECK_DELIVERY(rows[i].delivery, RTCMSG_DELIVERY_ACCEPTED);
    rtcmsg_report_free(rows[i].report);
  }
  CHECK(!is_readable(handle));
  CHECK_SIZE(rtcmsg_client_pending(client), 0);
  /* A fork while the client is idle, and then the close. */
  run_child(client);
  CHECK_CODE(rtcmsg_client_close(client, -1, &error), RTCMSG_OK);
  rtcmsg_client_free(client);
  tasks_wait_for_end_of("rtcmsg-");
  close(answers.connection);
  listener_close(&listener);
}

int main(void) {
  a_fork_with_messages_done_in_flight_and_queued();
  return check_summary();
}
