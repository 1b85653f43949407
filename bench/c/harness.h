/* Every C program of the benchmark shares this: arguments, messages, threads, clocks and the line that it prints.
 *
 *   subject CASE URL THREADS COUNT
 *
 * sends COUNT messages in all from THREADS threads, after a warm-up that is not measured, and prints one line of JSON.
 * BENCH_CA is the CA file for https. Any error ends the program with a message on standard error, because a measurement of
 * failed sends would be useless. */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_WARM_UP 50 /* sends of each thread */

struct bench {
  const char *name; /* of the case */
  const char *url;  /* "http://127.0.0.1:8080" or with https */
  const char *host;
  int port;
  int is_tls;
  const char *ca; /* NULL without TLS */
  int threads;
  int count; /* measured sends, of all threads together */
};

/* The functions that each thread calls; `send` returns 0 if the answer was a success. */
struct bench_subject {
  void *(*open)(const struct bench *bench);
  int (*send)(void *state);
  void (*close)(void *state);
};

/* The messages of the cases, the same in every language. */
struct bench_message {
  const char *room; /* "" for none */
  const char *from;
  char **to;
  size_t to_count;
  char *payload;
  size_t payload_len;
};

struct bench_message bench_message(const char *name);

struct bench bench_arguments(int argc, char **argv);
int bench_run(const struct bench *bench, const struct bench_subject *subject);

/* For programs that do not use bench_run(). `nanoseconds` has one time per send. */
struct bench_totals {
  uint64_t wall_ns;
  uint64_t cpu_ns;
};
struct bench_totals bench_start(void);
struct bench_totals bench_since(struct bench_totals start);
void bench_print(uint64_t *nanoseconds, size_t count, struct bench_totals totals);

uint64_t bench_now_ns(void);
_Noreturn void bench_fail(const char *what, const char *why);
char *bench_file(const char *path, size_t *len); /* NUL-terminated */
void *bench_alloc(size_t size);

/* The sample at this share of the sorted samples; 0.5 is the median. */
uint64_t bench_quantile(const uint64_t *sorted, size_t count, double share);
void bench_sort(uint64_t *samples, size_t count);

#endif
