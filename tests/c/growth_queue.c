// modes: plain (a sanitizer's and memcheck's heaps are not the one that mallinfo2 counts)

/* Twenty thousand messages that are submitted and polled do not make the heap grow by memory that is still reachable,
 * which a leak check does not report. The vendor is a child process, so that only the library's heap is counted. */
#include <malloc.h>
#include <pthread.h>
#include <rtcmsg.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fixtures.h"
#include "listener.h"

enum { THREADS = 4, WARM_UP = 1000, MESSAGES = 5000, ROWS = 16 };

/* Each worker has a connection, which may have input and output buffers of 16 KiB in one measurement and none in the
 * other. A leak of the smallest block in each message is larger. */
enum { CONNECTION_BUFFERS = 8 * 2 * 16 * 1024 };

static const char success[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 41\r\n\r\n"
    "{\"ResponseMetadata\":{\"RequestId\":\"id-1\"}}";

static void *answer_all(void *argument) {
  int connection = (int)(intptr_t)argument;
  while (listener_read_request(connection)) listener_write(connection, success);
  close(connection);
  return NULL;
}

static pid_t start_vendor(const struct listener *listener) {
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child > 0) return child;
  for (;;) {
    pthread_t thread;
    int connection = listener_accept(listener);
    if (pthread_create(&thread, NULL, answer_all, (void *)(intptr_t)connection) != 0) _exit(1);
    pthread_detach(thread);
  }
}

struct caller {
  rtcmsg_client *client;
  int messages;
  int good;
  int refused;
  pthread_t thread;
};

static int poll_some(rtcmsg_client *client) {
  rtcmsg_completion rows[ROWS];
  size_t count;
  size_t i;
  int good = 0;
  rtcmsg_client_poll(client, 0, rows, sizeof *rows, ROWS, &count, NULL);
  for (i = 0; i < count; i++) {
    good += rows[i].code == RTCMSG_OK;
    rtcmsg_report_free(rows[i].report);
  }
  return good;
}

/* Submits all messages and polls in between, also for messages of other threads. Each message has an expiry time that
 * it does not reach, because the queue keeps messages that can expire separately. */
static void *submit_and_poll(void *argument) {
  struct caller *caller = argument;
  rtcmsg_message message = fixture_unicast();
  rtcmsg_str to;
  int i;
  message.to = &to;
  for (i = 0; i < caller->messages; i++) {
    rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
    char user[16];
    uint64_t id;
    snprintf(user, sizeof user, "user-%d", i % 100);
    to = rtcmsg_str_from(user);
    options.expires_in_ms = 600000;
    while (rtcmsg_client_submit(caller->client, &message, &options, &id, NULL) != RTCMSG_OK) {
      caller->refused++;
      caller->good += poll_some(caller->client);
      sched_yield();
    }
    caller->good += poll_some(caller->client);
  }
  return NULL;
}

static void submit_from_all_threads(rtcmsg_client *client, int messages) {
  struct caller callers[THREADS];
  int good = 0;
  int i;
  for (i = 0; i < THREADS; i++) {
    callers[i].client = client;
    callers[i].messages = messages;
    callers[i].good = callers[i].refused = 0;
    REQUIRE(pthread_create(&callers[i].thread, NULL, submit_and_poll, &callers[i]) == 0);
  }
  for (i = 0; i < THREADS; i++) {
    CHECK(pthread_join(callers[i].thread, NULL) == 0);
    good += callers[i].good;
  }
  CHECK_CODE(rtcmsg_client_flush(client, -1, NULL), RTCMSG_OK);
  while (rtcmsg_client_pending(client) > 0) good += poll_some(client);
  CHECK_INT(good, THREADS * messages);
}

static int64_t heap(void) {
  struct mallinfo2 info = mallinfo2();
  return (int64_t)(info.uordblks + info.hblkhd);
}

static void twenty_thousand_messages_leave_no_memory_behind(void) {
  struct listener listener = listener_open();
  pid_t vendor = start_vendor(&listener);
  rtcmsg_client *client = fixture_client("volcengine.endpoint", listener.url, "queue.capacity", "500", NULL);
  int64_t warm;
  int64_t grown;
  check_case("growth");
  submit_from_all_threads(client, WARM_UP);
  warm = heap();
  submit_from_all_threads(client, MESSAGES);
  grown = heap() - warm;
  printf("heap: %lld bytes after the warm-up, %+lld after %d more messages\n", (long long)warm, (long long)grown,
         THREADS * MESSAGES);
  CHECK(grown <= CONNECTION_BUFFERS);
  rtcmsg_client_free(client);
  kill(vendor, SIGKILL);
  waitpid(vendor, NULL, 0);
  listener_close(&listener);
}

int main(void) {
  twenty_thousand_messages_leave_no_memory_behind();
  return check_summary();
}
