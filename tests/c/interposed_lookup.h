/* Replaces getaddrinfo of libc: it counts the lookups, returns 127.0.0.1, with other addresses before it if a test asks
 * for them, and can be held so that no lookup returns.
 *
 * It defines functions, so only one source file of a program may include it. */
#ifndef INTERPOSED_LOOKUP_H
#define INTERPOSED_LOOKUP_H

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int lookups; /* the number of lookups that have begun */
  int is_held; /* whether lookups wait instead of returning */
  int waiting; /* the number of lookups that wait now */
  int before;  /* the number of addresses before 127.0.0.1; the first one is 127.0.0.2 */
} lookup = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, 0};

struct found_address {
  struct addrinfo info;
  struct sockaddr_in address;
};

int getaddrinfo(const char *restrict host, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict found) {
  struct found_address *all;
  int count;
  int i;
  (void)host;
  (void)service;
  pthread_mutex_lock(&lookup.mutex);
  lookup.lookups++;
  lookup.waiting++;
  pthread_cond_broadcast(&lookup.changed);
  while (lookup.is_held) pthread_cond_wait(&lookup.changed, &lookup.mutex);
  lookup.waiting--;
  count = lookup.before + 1;
  pthread_mutex_unlock(&lookup.mutex);
  all = calloc((size_t)count, sizeof *all);
  if (!all) return EAI_MEMORY;
  for (i = 0; i < count; i++) {
    int is_last = i == count - 1;
    all[i].address.sin_family = AF_INET;
    all[i].address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (is_last ? 0 : 1 + (uint32_t)i));
    all[i].info.ai_family = AF_INET;
    all[i].info.ai_socktype = hints ? hints->ai_socktype : SOCK_STREAM;
    all[i].info.ai_addrlen = sizeof all[i].address;
    all[i].info.ai_addr = (struct sockaddr *)&all[i].address;
    all[i].info.ai_next = is_last ? NULL : &all[i + 1].info;
  }
  *found = &all[0].info;
  return 0;
}

void freeaddrinfo(struct addrinfo *info) { free(info); }

static inline int lookups(void) {
  int count;
  pthread_mutex_lock(&lookup.mutex);
  count = lookup.lookups;
  pthread_mutex_unlock(&lookup.mutex);
  return count;
}

/* From the next lookup on, `count` addresses come before 127.0.0.1. */
static inline void put_addresses_before(int count) {
  pthread_mutex_lock(&lookup.mutex);
  lookup.before = count;
  pthread_mutex_unlock(&lookup.mutex);
}

static inline void hold_lookups(int held) {
  pthread_mutex_lock(&lookup.mutex);
  lookup.is_held = held;
  pthread_cond_broadcast(&lookup.changed);
  pthread_mutex_unlock(&lookup.mutex);
}

/* Waits until a lookup has begun and is held. */
static inline void wait_for_held_lookup(void) {
  pthread_mutex_lock(&lookup.mutex);
  while (lookup.waiting == 0) pthread_cond_wait(&lookup.changed, &lookup.mutex);
  pthread_mutex_unlock(&lookup.mutex);
}

/* The emulator's URL with a host name in place of the address. */
static inline void named_emulator_url(char *url, size_t size) {
  const char *colon = strrchr(getenv("EMULATOR_URL"), ':');
  strcpy(url, "http://localhost");
  strncat(url, colon, size - strlen(url) - 1);
}

#endif
