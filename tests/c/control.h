/* The control API of the emulator at EMULATOR_URL: it sets which users are present and returns what arrived.
 *
 * A failure here ends the program, because the test then shows nothing about the library. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stddef.h>
#include <stdint.h>

/* POST /_emulator/<path>, with a body that is formatted as by printf. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void control_post(const char *path, const char *json, ...);

/* The body of GET /_emulator/<path>, NUL-terminated; free() it. */
char *control_get(const char *path);

struct control_stats {
  uint64_t connections;
  uint64_t requests;
};

/* The number of vendor connections and requests since the emulator started. */
struct control_stats control_stats(void);

/* A message in a user's inbox. A text that the emulator omits is empty, and a number that it omits is 0. */
struct control_arrival {
  char action[32];
  char room_id[160];
  char from[160];
  char device[32];
  char request_id[64];
  int64_t conversation_id;
  int binary;
  unsigned char *payload;
  size_t payload_len;
};

struct control_inbox {
  size_t count;
  struct control_arrival *arrivals;
};

/* The messages that a user has received so far, in order; `vendor` is volcengine, im or zego. */
struct control_inbox control_inbox(const char *vendor, const char *user);
struct control_inbox control_inbox_of_id(int64_t user_id);
void control_inbox_free(struct control_inbox *inbox);

/* The decoded body of the latest vendor request; free() it. */
unsigned char *control_last_request_body(size_t *len);

#endif
