// standards: c99 c11 c17

/* The C header compiles after the macros of engines, window systems and socket replacements. */
#define check(expr)                \
  do {                             \
    if (!(expr)) __builtin_trap(); \
  } while (0)
#define verify(expr)               \
  do {                             \
    if (!(expr)) __builtin_trap(); \
  } while (0)
#define TEXT(x) L##x
#define None 0L
#define Success 0
#define Status int
#define Bool int
#define True 1
#define False 0
#define Always 2
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define interface struct
#define IN
#define OUT
#define ERROR 0
#define small char
#define near
#define far
#define SendMessage SendMessageW
#define slots
#define signals public
#define emit
#define foreach(variable, container) for (variable : container)
#define forever for (;;)
#define error(...) __builtin_trap()
#define text(...) __builtin_trap()
#define poll(...) __builtin_trap()
#define send(a, b, c, d) __builtin_trap()
#define connect(a, b, c) __builtin_trap()
#define close(a) __builtin_trap()
#define read(a, b, c) __builtin_trap()
#define write(a, b, c) __builtin_trap()
#define malloc(size) __builtin_trap()
#define free(pointer) __builtin_trap()
#define internal static
#define unknown 0
#define T 5

#include <rtcmsg.h>

#include "check.h"

int main(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  CHECK_CODE(rtcmsg_config_set(config, "zego.app_id", "1", &error), RTCMSG_OK);
  CHECK_TEXT(error.message, "");
  check(min(1, 2) == 1 && max(1, 2) == 2 && T == 5);
  rtcmsg_config_free(config);
  return check_summary();
}
