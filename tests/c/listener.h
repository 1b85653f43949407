/* Servers on loopback that misbehave. A failure to set one up ends the program. */
#ifndef LISTENER_H
#define LISTENER_H

#include <pthread.h>

struct listener {
  int fd;
  char url[64];
};

/* A port that accepts connections into its backlog and does nothing else. */
struct listener listener_open(void);

/* A port that is bound but not listening: it refuses connections until it is closed. */
struct listener listener_refusing(void);

enum { LISTENER_MAX_BACKLOG = 64 };

/* The connections that fill a backlog. */
struct listener_backlog {
  int fds[LISTENER_MAX_BACKLOG];
  int count;
};

/* Connects until the backlog is full. After that a connect neither succeeds nor fails. */
struct listener_backlog listener_fill_backlog(const struct listener *listener);
void listener_empty_backlog(struct listener_backlog *crowd);

void listener_close(struct listener *listener);

/* Accepts a connection. */
int listener_accept(const struct listener *listener);

/* Reads a request to its end. Returns whether the request was complete. */
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

/* Writes before it reads, and closes after a request or at the end of the connection. */
void listener_greet_once(struct listener_service *service, const struct listener *listener, const char *greeting);

/* Waits until the thread ends. Returns whether it read a complete request. */
int listener_join(struct listener_service *service);

#endif
