/* The program's own getaddrinfo, in the place of libc's: it counts, knows one address, and can be held.
 *
 * Defines functions: for one source file of a program that wants it. */
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
  int lookups;   /* begun so far */
  int is_held;   /* no lookup returns */
  int waiting;   /* lookups that are held now */
} lookup = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0};

struct found_address {
  struct addrinfo info;
  struct sockaddr_in address;
};

int getaddrinfo(const char *restrict host, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict found) {
  struct found_address *one;
  (void)host;
  (void)service;
  pthread_mutex_lock(&lookup.mutex);
  lookup.lookups++;
  lookup.waiting++;
  pthread_cond_broadcast(&lookup.changed);
  while (lookup.is_held) pthread_cond_wait(&lookup.changed, &lookup.mutex);
  lookup.waiting--;
  pthread_mutex_unlock(&lookup.mutex);
  one = calloc(1, sizeof *one);
  if (!one) return EAI_MEMORY;
  one->address.sin_family = AF_INET;
  one->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  one->info.ai_family = AF_INET;
  one->info.ai_socktype = hints ? hints->ai_socktype : SOCK_STREAM;
  one->info.ai_addrlen = sizeof one->address;
  one->info.ai_addr = (struct sockaddr *)&one->address;
  *found = &one->info;
  return 0;
}

void freeaddrinfo(struct addrinfo *info) { free(info); }

static int lookups(void) {
  int count;
  pthread_mutex_lock(&lookup.mutex);
  count = lookup.lookups;
  pthread_mutex_unlock(&lookup.mutex);
  return count;
}

static void hold_lookups(int held) {
  pthread_mutex_lock(&lookup.mutex);
  lookup.is_held = held;
  pthread_cond_broadcast(&lookup.changed);
  pthread_mutex_unlock(&lookup.mutex);
}

/* Returns once a lookup has begun and is held. */
static void wait_for_held_lookup(void) {
  pthread_mutex_lock(&lookup.mutex);
  while (lookup.waiting == 0) pthread_cond_wait(&lookup.changed, &lookup.mutex);
  pthread_mutex_unlock(&lookup.mutex);
}

/* The emulator's URL with a host name for the address. */
static void named_emulator_url(char *url, size_t size) {
  const char *colon = strrchr(getenv("EMULATOR_URL"), ':');
  strcpy(url, "http://localhost");
  strncat(url, colon, size - strlen(url) - 1);
}

#endif
