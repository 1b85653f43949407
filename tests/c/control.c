#include "control.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void give_up(const char *what, const char *more) {
  fprintf(stderr, "control API: %s: %s\n", what, more);
  exit(2);
}

static void *memory(void *grown) {
  if (!grown) give_up("memory", "malloc failed");
  return grown;
}

static uint16_t emulator_port(void) {
  const char *url = getenv("EMULATOR_URL");
  unsigned port = 0;
  if (!url || sscanf(url, "http://127.0.0.1:%u", &port) != 1 || port == 0 || port > 65535)
    give_up("EMULATOR_URL must be http://127.0.0.1:PORT", url ? url : "not set");
  return (uint16_t)port;
}

static int connected(void) {
  struct sockaddr_in address;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) give_up("socket", strerror(errno));
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons(emulator_port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) give_up("connect", strerror(errno));
  return fd;
}

static void send_all(int fd, const char *data, size_t len) {
  while (len > 0) {
    ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) give_up("send", strerror(errno));
    data += sent;
    len -= (size_t)sent;
  }
}

static char *read_all(int fd) {
  size_t len = 0;
  size_t room = 16384;
  char *data = memory(malloc(room));
  for (;;) {
    ssize_t got = recv(fd, data + len, room - len - 1, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) give_up("recv", strerror(errno));
    if (got == 0) break;
    len += (size_t)got;
    if (room - len < 8192) data = memory(realloc(data, room *= 2));
  }
  data[len] = '\0';
  return data;
}

/* Returns the body of the response; a status other than 200 ends the program. The server closes the connection after
 * the response, so that the end of the connection is the end of the body. */
static char *exchange(const char *method, const char *path, const char *body) {
  char head[1024];
  char *answer;
  char *content;
  int fd = connected();
  int len = snprintf(head, sizeof head,
                     "%s /_emulator/%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     method, path, (unsigned)emulator_port(), strlen(body));
  if (len < 0 || (size_t)len >= sizeof head) give_up("the path is too long", path);
  send_all(fd, head, (size_t)len);
  send_all(fd, body, strlen(body));
  answer = read_all(fd);
  close(fd);
  content = strstr(answer, "\r\n\r\n");
  if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0 || !content) give_up(path, answer);
  content += 4;
  memmove(answer, content, strlen(content) + 1);
  return answer;
}

void control_post(const char *path, const char *json, ...) {
  char body[4096];
  va_list arguments;
  int len;
  va_start(arguments, json);
  len = vsnprintf(body, sizeof body, json, arguments);
  va_end(arguments);
  if (len < 0 || (size_t)len >= sizeof body) give_up("the body is too long", path);
  free(exchange("POST", path, body));
}

char *control_get(const char *path) { return exchange("GET", path, ""); }

/* The text after `"name":` in the emulator's JSON, which has no spaces; NULL if the name is missing. */
static const char *member(const char *json, const char *name) {
  char key[64];
  const char *found;
  snprintf(key, sizeof key, "\"%s\":", name);
  found = strstr(json, key);
  return found ? found + strlen(key) : NULL;
}

static uint64_t number(const char *json, const char *name) {
  const char *value = member(json, name);
  if (!value) give_up("no such member", name);
  return strtoull(value, NULL, 10);
}

/* Ids and base64 contain no characters that JSON escapes, so the value ends at the next quote. */
static void text(const char *json, const char *name, char *out, size_t size) {
  const char *value = member(json, name);
  size_t len;
  out[0] = '\0';
  if (!value || value[0] != '"') return;
  len = strcspn(value + 1, "\"");
  if (len >= size) give_up("a text is too long", name);
  memcpy(out, value + 1, len);
  out[len] = '\0';
}

static int base64_digit(char c) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *found = c ? strchr(digits, c) : NULL;
  return found ? (int)(found - digits) : -1;
}

static unsigned char *decoded(const char *json, const char *name, size_t *len) {
  const char *value = member(json, name);
  unsigned char *bytes;
  uint32_t held = 0;
  int bits = 0;
  if (!value || value[0] != '"') give_up("no such text", name);
  bytes = memory(malloc(strcspn(value + 1, "\"") + 1));
  *len = 0;
  for (value++; base64_digit(*value) >= 0; value++) {
    held = held << 6 | (uint32_t)base64_digit(*value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[(*len)++] = (unsigned char)(held >> bits);
    }
  }
  return bytes;
}

struct control_stats control_stats(void) {
  struct control_stats stats;
  char *json = control_get("stats");
  stats.connections = number(json, "connections");
  stats.requests = number(json, "requests");
  free(json);
  return stats;
}

static struct control_arrival arrival(const char *json) {
  struct control_arrival arrival;
  const char *conversation_id = member(json, "conversation_id");
  const char *binary = member(json, "binary");
  memset(&arrival, 0, sizeof arrival);
  text(json, "action", arrival.action, sizeof arrival.action);
  text(json, "room_id", arrival.room_id, sizeof arrival.room_id);
  text(json, "from", arrival.from, sizeof arrival.from);
  text(json, "device", arrival.device, sizeof arrival.device);
  text(json, "request_id", arrival.request_id, sizeof arrival.request_id);
  arrival.conversation_id = conversation_id ? strtoll(conversation_id, NULL, 10) : 0;
  arrival.binary = binary && strncmp(binary, "true", 4) == 0;
  arrival.payload = decoded(json, "payload_base64", &arrival.payload_len);
  return arrival;
}

struct control_inbox control_inbox(const char *vendor, const char *user) {
  /* A quote in a text is escaped in JSON, so only an entry begins with this. */
  static const char beginning[] = "{\"sequence\":";
  struct control_inbox inbox = {0, NULL};
  char path[512];
  size_t len = (size_t)snprintf(path, sizeof path, "inbox?vendor=%s&user=", vendor);
  char *json;
  char *entry;
  for (; *user && len + 4 < sizeof path; user++) len += (size_t)sprintf(path + len, "%%%02X", (unsigned char)*user);
  json = control_get(path);
  entry = strstr(json, beginning);
  while (entry) {
    char *next = strstr(entry + 1, beginning);
    if (next) next[-1] = '\0';
    inbox.arrivals = memory(realloc(inbox.arrivals, (inbox.count + 1) * sizeof *inbox.arrivals));
    inbox.arrivals[inbox.count++] = arrival(entry);
    entry = next;
  }
  free(json);
  return inbox;
}

struct control_inbox control_inbox_of_id(int64_t user_id) {
  char user[32];
  snprintf(user, sizeof user, "%" PRId64, user_id);
  return control_inbox("im", user);
}

void control_inbox_free(struct control_inbox *inbox) {
  size_t i;
  for (i = 0; i < inbox->count; i++) free(inbox->arrivals[i].payload);
  free(inbox->arrivals);
  inbox->arrivals = NULL;
  inbox->count = 0;
}

unsigned char *control_last_request_body(size_t *len) {
  char *json = control_get("requests");
  char *last = json;
  char *found;
  unsigned char *body;
  for (found = json; (found = strstr(found, "{\"sequence\":")) != NULL; found++) last = found;
  body = decoded(last, "body_base64", len);
  free(json);
  return body;
}
