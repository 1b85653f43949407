// modes: plain (a sanitizer's and memcheck's heaps are not the one that mallinfo2 counts)

/* A hundred thousand sends do not make the heap grow by memory that is still reachable, which a leak check does not
 * report.
 *
 * The vendor is a child process that answers with a fixed text, so that no other heap is counted. */
#include <malloc.h>
#include <pthread.h>
#include <rtcmsg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fixtures.h"
#include "listener.h"

enum { THREADS = 8, WARM_UP_SENDS = 250, SENDS = 12500 };

/* The number of connections in the pool may differ between the two measurements by one for each thread, and each
 * connection may have input and output buffers of 16 KiB. A leak of the smallest block in each send is twelve times as
 * large. */
enum { CONNECTION_BUFFERS = THREADS * 2 * 16 * 1024 };

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

struct sender {
  rtcmsg_client *client;
  int sends;
  int good;
  pthread_t thread;
};

static void *send_many(void *argument) {
  struct sender *sender = argument;
  rtcmsg_message message = fixture_unicast();
  int i;
  for (i = 0; i < sender->sends; i++) {
    rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
    rtcmsg_report *report = NULL;
    rtcmsg_code code = rtcmsg_client_send(sender->client, &message, NULL, &report, &error);
    sender->good += code == RTCMSG_OK && rtcmsg_report_count_by_delivery(report, RTCMSG_DELIVERY_ACCEPTED) == 1;
    rtcmsg_report_free(report);
  }
  return NULL;
}

static void send_from_all_threads(rtcmsg_client *client, int sends) {
  struct sender senders[THREADS];
  int i;
  for (i = 0; i < THREADS; i++) {
    senders[i].client = client;
    senders[i].sends = sends;
    senders[i].good = 0;
    REQUIRE(pthread_create(&senders[i].thread, NULL, send_many, &senders[i]) == 0);
  }
  for (i = 0; i < THREADS; i++) {
    CHECK(pthread_join(senders[i].thread, NULL) == 0);
    CHECK_INT(senders[i].good, sends);
  }
}

static int64_t heap(void) {
  struct mallinfo2 info = mallinfo2();
  return (int64_t)(info.uordblks + info.hblkhd);
}

static void a_hundred_thousand_sends_leave_no_memory_behind(void) {
  struct listener listener = listener_open();
  pid_t vendor = start_vendor(&listener);
  rtcmsg_client *client = fixture_client("volcengine.endpoint", listener.url, NULL);
  int64_t warm;
  int64_t grown;
  check_case("growth");
  send_from_all_threads(client, WARM_UP_SENDS);
  warm = heap();
  send_from_all_threads(client, SENDS);
  grown = heap() - warm;
  printf("heap: %lld bytes after the warm-up, %+lld after %d more sends\n", (long long)warm, (long long)grown,
         THREADS * SENDS);
  CHECK(grown <= CONNECTION_BUFFERS);
  rtcmsg_client_free(client);
  kill(vendor, SIGKILL);
  waitpid(vendor, NULL, 0);
  listener_close(&listener);
}

int main(void) {
  a_hundred_thousand_sends_leave_no_memory_behind();
  return check_summary();
}
