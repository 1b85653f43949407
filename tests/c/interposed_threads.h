/* The program's own pthread_create, in the place of libc's: it can refuse threads, as the system does at its limit of them.
 *
 * Defines functions: for one source file of a program that wants it, which defines _GNU_SOURCE. */
#ifndef INTERPOSED_THREADS_H
#define INTERPOSED_THREADS_H

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

static struct {
  pthread_mutex_t mutex;
  int granted; /* the next threads that are made all the same */
  int refused; /* how many of those after that are refused */
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

/* After so many threads, so many are refused. */
static void refuse_threads(int granted, int refused) {
  pthread_mutex_lock(&threads.mutex);
  threads.granted = granted;
  threads.refused = refused;
  pthread_mutex_unlock(&threads.mutex);
}

#endif
