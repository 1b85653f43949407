/* Replaces pthread_create of libc: it can refuse threads, as the system does when it has too many.
 *
 * It defines functions, so only one source file of a program may include it. That file defines _GNU_SOURCE. */
#ifndef INTERPOSED_THREADS_H
#define INTERPOSED_THREADS_H

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

static struct {
  pthread_mutex_t mutex;
  int granted; /* the number of next threads that are created */
  int refused; /* the number of threads after those that are refused */
} threads = {PTHREAD_MUTEX_INITIALIZER, 0, 0};

typedef int pthread_create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static int next_thread_is_refused(void) {
  int is_refused = 0;
  pthread_mutex_lock(&threads.mutex);
  if (threads.granted > 0) {
    threads.granted--;
  } else if (threads.refused > 0) {
    threads.refused--;
    is_refused = 1;
  }
  pthread_mutex_unlock(&threads.mutex);
  return is_refused;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
  pthread_create_fn *real;
  void *found;
  if (next_thread_is_refused()) return EAGAIN;
  found = dlsym(RTLD_NEXT, "pthread_create");
  memcpy(&real, &found, sizeof real);
  return real(thread, attributes, start, argument);
}

/* Creates the next `granted` threads and refuses the `refused` ones after them. */
static void refuse_threads(int granted, int refused) {
  pthread_mutex_lock(&threads.mutex);
  threads.granted = granted;
  threads.refused = refused;
  pthread_mutex_unlock(&threads.mutex);
}

#endif
