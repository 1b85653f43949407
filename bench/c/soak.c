/* The growth of a process in a long run: `soak URL COUNT` sends COUNT messages of all cases except the longest from 16
 * threads, and prints the heap, threads and descriptors of the process before and after. */
#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

#define THREADS 16
#define KINDS 3

static rtcmsg_client *client;
static rtcmsg_message messages[KINDS];
static pthread_barrier_t barrier;
static long each;

static void send_many(long count) {
  for (long i = 0; i < count; i++) {
    rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
    rtcmsg_report *report = NULL;
    if (rtcmsg_client_send(client, &messages[i % KINDS], NULL, &report, &error) != RTCMSG_OK)
      bench_fail("send", error.message);
    rtcmsg_report_free(report);
  }
}

static void *work(void *nothing) {
  send_many(1000);
  pthread_barrier_wait(&barrier); /* warm */
  pthread_barrier_wait(&barrier); /* counted */
  send_many(each);
  pthread_barrier_wait(&barrier); /* done */
  pthread_barrier_wait(&barrier); /* counted */
  return nothing;
}

static long entries(const char *path) {
  long count = 0;
  DIR *directory = opendir(path);
  while (directory != NULL && readdir(directory) != NULL) count++;
  if (directory != NULL) closedir(directory);
  return count - 2; /* . and .. */
}

static void look(const char *when) {
  printf("\"heap_%s\": %zu, \"threads_%s\": %ld, \"descriptors_%s\": %ld", when, mallinfo2().uordblks, when,
         entries("/proc/self/task"), when, entries("/proc/self/fd"));
}

int main(int argc, char **argv) {
  if (argc != 3) bench_fail(argv[0], "takes URL COUNT");
  const char *cases[KINDS] = {"unicast-100", "batch-600", "command-10"};
  for (int i = 0; i < KINDS; i++) messages[i] = client_message(cases[i]);
  each = atol(argv[2]) / THREADS;
  struct bench bench = {.url = argv[1], .ca = strncmp(argv[1], "https", 5) == 0 ? getenv("BENCH_CA") : NULL};
  client = client_for(&bench, NULL);
  pthread_barrier_init(&barrier, NULL, THREADS + 1);
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, NULL);
  pthread_barrier_wait(&barrier);
  printf("{");
  look("before");
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  printf(", ");
  look("after");
  printf(", \"sends\": %ld}\n", each * THREADS);
  pthread_barrier_wait(&barrier);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  rtcmsg_client_free(client);
  return 0;
}
