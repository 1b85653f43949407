#include "harness.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

_Noreturn void bench_fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

void *bench_alloc(size_t size) {
  void *memory = calloc(1, size);
  if (memory == NULL) bench_fail("memory", "malloc failed");
  return memory;
}

uint64_t bench_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

char *bench_file(const char *path, size_t *len) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) bench_fail(path, "cannot be read");
  size_t room = 1 << 20;
  char *bytes = bench_alloc(room);
  *len = fread(bytes, 1, room - 1, file);
  fclose(file);
  return bytes;
}

struct bench bench_arguments(int argc, char **argv) {
  if (argc != 5) bench_fail(argv[0], "takes CASE URL THREADS COUNT");
  struct bench bench = {.name = argv[1], .url = argv[2], .threads = atoi(argv[3]), .count = atoi(argv[4])};
  char *host = bench_alloc(256);
  char scheme[8];
  if (sscanf(bench.url, "%7[a-z]://%255[^:]:%d", scheme, host, &bench.port) != 3)
    bench_fail(bench.url, "no URL with a port");
  bench.host = host;
  bench.is_tls = strcmp(scheme, "https") == 0;
  bench.ca = bench.is_tls ? getenv("BENCH_CA") : NULL;
  if (bench.threads < 1 || bench.count < bench.threads) bench_fail(argv[0], "too few sends for the threads");
  return bench;
}

static char *payload_of(size_t len) {
  char *payload = bench_alloc(len + 1);
  for (size_t i = 0; i < len; i++) payload[i] = (char)('0' + i % 10);
  return payload;
}

struct bench_message bench_message(const char *name) {
  size_t users = 1, len = 100;
  struct bench_message message = {.room = "", .from = "server"};
  if (strcmp(name, "unicast-60k") == 0) {
    len = 60 * 1024;
  } else if (strcmp(name, "batch-600") == 0) {
    users = 600;
    message.room = "lobby";
  } else if (strcmp(name, "command-10") == 0) {
    users = 10;
    message.room = "lobby";
  } else if (strcmp(name, "unicast-100") != 0) {
    bench_fail(name, "no case");
  }
  message.payload = payload_of(len);
  message.payload_len = len;
  message.to_count = users;
  message.to = bench_alloc(users * sizeof *message.to);
  for (size_t i = 0; i < users; i++) {
    message.to[i] = bench_alloc(16);
    snprintf(message.to[i], 16, "user-%04u", (unsigned)(i + 1) % 10000u);
  }
  return message;
}

static int by_size(const void *left, const void *right) {
  uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
  return (a > b) - (a < b);
}

void bench_sort(uint64_t *samples, size_t count) { qsort(samples, count, sizeof *samples, by_size); }

uint64_t bench_quantile(const uint64_t *sorted, size_t count, double share) {
  return sorted[(size_t)(share * (double)(count - 1) + 0.5)];
}

static uint64_t cpu_ns(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000000u +
         ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) * 1000u;
}

struct bench_totals bench_start(void) { return (struct bench_totals){bench_now_ns(), cpu_ns()}; }

struct bench_totals bench_since(struct bench_totals start) {
  return (struct bench_totals){bench_now_ns() - start.wall_ns, cpu_ns() - start.cpu_ns};
}

/* ru_maxrss may be the value of the program that started this one. */
static long peak_kb(void) {
  char line[256];
  long kb = 0;
  FILE *status = fopen("/proc/self/status", "r");
  while (status != NULL && fgets(line, sizeof line, status) != NULL) {
    if (sscanf(line, "VmHWM: %ld", &kb) == 1) break;
  }
  if (status != NULL) fclose(status);
  return kb;
}

void bench_print(uint64_t *nanoseconds, size_t count, struct bench_totals totals) {
  long peak = peak_kb();
  bench_sort(nanoseconds, count);
  printf(
      "{\"p50_ns\": %llu, \"p99_ns\": %llu, \"wall_ns\": %.1f, \"cpu_ns\": %.1f, \"peak_kb\": %ld, \"sends\": %zu}\n",
      (unsigned long long)bench_quantile(nanoseconds, count, 0.5),
      (unsigned long long)bench_quantile(nanoseconds, count, 0.99), (double)totals.wall_ns / (double)count,
      (double)totals.cpu_ns / (double)count, peak, count);
}

struct sender {
  const struct bench *bench;
  const struct bench_subject *subject;
  pthread_barrier_t *barrier;
  uint64_t *samples;
  int count;
  pthread_t thread;
};

static void *send_all(void *argument) {
  struct sender *sender = argument;
  void *state = sender->subject->open(sender->bench);
  for (int i = 0; i < BENCH_WARM_UP; i++) {
    if (sender->subject->send(state) != 0) bench_fail("warm-up", "a send failed");
  }
  pthread_barrier_wait(sender->barrier); /* all are warm */
  pthread_barrier_wait(sender->barrier); /* the clocks are read */
  for (int i = 0; i < sender->count; i++) {
    uint64_t start = bench_now_ns();
    if (sender->subject->send(state) != 0) bench_fail("measured", "a send failed");
    sender->samples[i] = bench_now_ns() - start;
  }
  pthread_barrier_wait(sender->barrier); /* all are done */
  sender->subject->close(state);
  return NULL;
}

int bench_run(const struct bench *bench, const struct bench_subject *subject) {
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, NULL, (unsigned)bench->threads + 1);
  size_t each = (size_t)(bench->count / bench->threads);
  uint64_t *samples = bench_alloc(each * (size_t)bench->threads * sizeof *samples);
  struct sender *senders = bench_alloc((size_t)bench->threads * sizeof *senders);
  for (int i = 0; i < bench->threads; i++) {
    senders[i] = (struct sender){bench, subject, &barrier, samples + each * (size_t)i, (int)each, 0};
    if (pthread_create(&senders[i].thread, NULL, send_all, &senders[i]) != 0) bench_fail("thread", "cannot be started");
  }
  pthread_barrier_wait(&barrier);
  struct bench_totals start = bench_start();
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  struct bench_totals totals = bench_since(start);
  for (int i = 0; i < bench->threads; i++) pthread_join(senders[i].thread, NULL);
  bench_print(samples, each * (size_t)bench->threads, totals);
  return 0;
}
