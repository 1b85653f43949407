/* Servers that do not behave, on loopback. What cannot be set up ends the program. */
#ifndef LISTENER_H
#define LISTENER_H

#include <pthread.h>

struct listener {
  int fd;
  char url[64];
};

/* A port that takes connections, into its backlog, and does no more. */
struct listener listener_open(void);

/* A port that is taken, and on which nothing listens: it refuses connections as long as it is open. */
struct listener listener_refusing(void);

enum { LISTENER_MAX_BACKLOG = 64 };

/* Connections that fill a backlog. */
struct listener_backlog {
  int fds[LISTENER_MAX_BACKLOG];
  int count;
};

/* Connects until nobody gets through any more: from then on no connect comes to an end. */
struct listener_backlog listener_fill_backlog(const struct listener *listener);
void listener_empty_backlog(struct listener_backlog *crowd);

void listener_close(struct listener *listener);

/* Accepts a connection. */
int listener_accept(const struct listener *listener);

/* Reads a request to its end. Whether a whole one came. */
int listener_read_request(int connection);

void listener_write(int connection, const char *text);

/* One connection, served on a thread. */
struct listener_service {
  const struct listener *listener;
  const char *greeting;
  const char *answer;
  int got_request;
  pthread_t thread;
};

/* Reads one request, writes `answer` if it is not NULL, and closes. */
void listener_serve_once(struct listener_service *service, const struct listener *listener, const char *answer);

/* Writes before it reads, and closes when a request or the connection has ended. */
void listener_greet_once(struct listener_service *service, const struct listener *listener, const char *greeting);

/* Waits for the service's end. Whether it got a whole request. */
int listener_join(struct listener_service *service);

#endif
