#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static void give_up(const char *what) {
  fprintf(stderr, "listener: %s: %s\n", what, strerror(errno));
  exit(2);
}

struct listener listener_refusing(void) {
  struct listener listener;
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  listener.fd = socket(AF_INET, SOCK_STREAM, 0);
  if (listener.fd < 0) give_up("socket");
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener.fd, (struct sockaddr *)&address, sizeof address) != 0) give_up("bind");
  if (getsockname(listener.fd, (struct sockaddr *)&address, &size) != 0) give_up("getsockname");
  snprintf(listener.url, sizeof listener.url, "http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
  return listener;
}

struct listener listener_open(void) {
  struct listener listener = listener_refusing();
  if (listen(listener.fd, 16) != 0) give_up("listen");
  return listener;
}

/* Returns whether the connect succeeded. The caller closes `fd` in both cases. */
static int connects(int fd, const struct sockaddr_in *address) {
  struct pollfd waiting;
  int failure = 0;
  socklen_t size = sizeof failure;
  fcntl(fd, F_SETFL, O_NONBLOCK);
  if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0) return 1;
  if (errno != EINPROGRESS) give_up("connect");
  waiting.fd = fd;
  waiting.events = POLLOUT;
  if (poll(&waiting, 1, 300) != 1) return 0;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 && failure == 0;
}

struct listener_backlog listener_fill_backlog(const struct listener *listener) {
  struct listener_backlog backlog;
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  int came = 1;
  if (getsockname(listener->fd, (struct sockaddr *)&address, &size) != 0) give_up("getsockname");
  for (backlog.count = 0; came; backlog.count++) {
    if (backlog.count == LISTENER_MAX_BACKLOG) give_up("the backlog does not fill up");
    backlog.fds[backlog.count] = socket(AF_INET, SOCK_STREAM, 0);
    if (backlog.fds[backlog.count] < 0) give_up("socket");
    came = connects(backlog.fds[backlog.count], &address);
  }
  return backlog;
}

void listener_empty_backlog(struct listener_backlog *backlog) {
  while (backlog->count > 0) close(backlog->fds[--backlog->count]);
}

void listener_close(struct listener *listener) {
  close(listener->fd);
  listener->fd = -1;
}

int listener_accept(const struct listener *listener) {
  int connection;
  do connection = accept(listener->fd, NULL, NULL);
  while (connection < 0 && errno == EINTR);
  if (connection < 0) give_up("accept");
  return connection;
}

/* The length of the whole request, from its head; 0 while the head is incomplete. */
static size_t request_length(const char *data) {
  static const char name[] = "\r\ncontent-length:";
  const char *end = strstr(data, "\r\n\r\n");
  const char *at;
  if (!end) return 0;
  for (at = data; at < end; at++)
    if (strncasecmp(at, name, sizeof name - 1) == 0)
      return (size_t)(end - data) + 4 + (size_t)strtoul(at + sizeof name - 1, NULL, 10);
  return (size_t)(end - data) + 4;
}

int listener_read_request(int connection) {
  static const size_t room = 256 * 1024;
  char *data = calloc(room, 1);
  size_t len = 0;
  size_t wanted = 0;
  if (!data) give_up("memory");
  while (wanted == 0 || len < wanted) {
    ssize_t got = recv(connection, data + len, room - len - 1, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    len += (size_t)got;
    wanted = request_length(data);
  }
  free(data);
  return wanted > 0 && len >= wanted;
}

void listener_write(int connection, const char *text) {
  size_t len = strlen(text);
  while (len > 0) {
    ssize_t sent = send(connection, text, len, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return; /* The client closed the connection; the test checks its report. */
    text += sent;
    len -= (size_t)sent;
  }
}

static void *serve_once(void *argument) {
  struct listener_service *service = argument;
  int connection = listener_accept(service->listener);
  if (service->greeting) listener_write(connection, service->greeting);
  service->got_request = listener_read_request(connection);
  if (service->answer) listener_write(connection, service->answer);
  close(connection);
  return NULL;
}

static void start(struct listener_service *service, const struct listener *listener, const char *greeting,
                  const char *answer) {
  service->listener = listener;
  service->greeting = greeting;
  service->answer = answer;
  service->got_request = 0;
  errno = pthread_create(&service->thread, NULL, serve_once, service);
  if (errno != 0) give_up("thread");
}

void listener_serve_once(struct listener_service *service, const struct listener *listener, const char *answer) {
  start(service, listener, NULL, answer);
}

void listener_greet_once(struct listener_service *service, const struct listener *listener, const char *greeting) {
  start(service, listener, greeting, NULL);
}

int listener_join(struct listener_service *service) {
  pthread_join(service->thread, NULL);
  return service->got_request;
}
