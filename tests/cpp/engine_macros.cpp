// standards: c++17 c++20

// The header compiles and works after the macros of engines, window systems and sockets, and leaves them unchanged.

/* Unreal Engine, and AssertMacros.h of Apple. */
#define check(expr)                \
  do {                             \
    if (!(expr)) __builtin_trap(); \
  } while (0)
#define verify(expr)               \
  do {                             \
    if (!(expr)) __builtin_trap(); \
  } while (0)
#define require(expr)              \
  do {                             \
    if (!(expr)) __builtin_trap(); \
  } while (0)
#define ensure(expr) (!!(expr))
#define TEXT(x) L##x
/* Xlib. */
#define None 0L
#define Success 0
#define Status int
#define Bool int
#define True 1
#define False 0
#define Always 2
/* windows.h. */
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
#define GetMessage GetMessageW
/* Qt. */
#define slots
#define signals public
#define emit
#define foreach(variable, container) for (variable : container)
#define forever for (;;)
/* Replacements of sockets and files, as in lwIP; an allocator that replaces malloc. */
#define error(...) __builtin_trap()
#define poll(...) __builtin_trap()
#define send(a, b, c, d) __builtin_trap()
#define connect(a, b, c) __builtin_trap()
#define close(a) __builtin_trap()
#define read(a, b, c) __builtin_trap()
#define write(a, b, c) __builtin_trap()
#define malloc(size) __builtin_trap()
#define free(pointer) __builtin_trap()
/* Words that a program may define itself. */
#define internal static
#define unknown 0
#define call(f) f()

#include <rtcmsg.hpp>

#include "check.h"

namespace {

constexpr bool is_text(const char *a, const char *b) {
  for (; *a != '\0' && *a == *b; ++a) ++b;
  return *a == *b;
}

#define QUOTED(...) #__VA_ARGS__
#define EXPANDED(...) QUOTED(__VA_ARGS__)
#define IS_STILL(macro, text) static_assert(is_text(EXPANDED(macro), text), #macro)

IS_STILL(check(1), "do { if (!(1)) __builtin_trap(); } while (0)");
IS_STILL(verify(1), "do { if (!(1)) __builtin_trap(); } while (0)");
IS_STILL(require(1), "do { if (!(1)) __builtin_trap(); } while (0)");
IS_STILL(ensure(1), "(!!(1))");
IS_STILL(TEXT("x"), "L\"x\"");
IS_STILL(None, "0L");
IS_STILL(Success, "0");
IS_STILL(Status, "int");
IS_STILL(Bool, "int");
IS_STILL(True, "1");
IS_STILL(False, "0");
IS_STILL(Always, "2");
IS_STILL(min(1, 2), "((1) < (2) ? (1) : (2))");
IS_STILL(max(1, 2), "((1) > (2) ? (1) : (2))");
IS_STILL(interface, "struct");
IS_STILL(IN, "");
IS_STILL(OUT, "");
IS_STILL(ERROR, "0");
IS_STILL(small, "char");
IS_STILL(near, "");
IS_STILL(far, "");
IS_STILL(SendMessage, "SendMessageW");
IS_STILL(GetMessage, "GetMessageW");
IS_STILL(slots, "");
IS_STILL(signals, "public");
IS_STILL(emit, "");
IS_STILL(foreach (x, y), "for (x : y)");
IS_STILL(forever, "for (;;)");
IS_STILL(error(), "__builtin_trap()");
IS_STILL(poll(), "__builtin_trap()");
IS_STILL(send(1, 2, 3, 4), "__builtin_trap()");
IS_STILL(connect(1, 2, 3), "__builtin_trap()");
IS_STILL(close(1), "__builtin_trap()");
IS_STILL(read(1, 2, 3), "__builtin_trap()");
IS_STILL(write(1, 2, 3), "__builtin_trap()");
IS_STILL(malloc(1), "__builtin_trap()");
IS_STILL(free(1), "__builtin_trap()");
IS_STILL(internal, "static");
IS_STILL(unknown, "0");
IS_STILL(call(f), "f()");

/* As the header says: a name in parentheses does not call the macro. */
void the_functions_can_be_called_beside_the_macros() {
  using rtcmsg::Message;
  rtcmsg::Client client(rtcmsg::Config::from_env());
  (client.check)(Message::send_broadcast("room", "server", "hello"));
  const rtcmsg::Report report = (client.send)(Message::send_broadcast("room", "server", "hello"));
  CHECK(report.ok());
  int ran = 0;
  client.submit(Message::send_broadcast("room", "server", "hello"), [&](const rtcmsg::Completion &) { ran++; });
  CHECK_SIZE((client.poll)(rtcmsg::Wait::without_end()), 1);
  CHECK_INT(ran, 1);
  const auto refused = client.try_send(Message::send_broadcast("", "server", "hello"));
  CHECK_TEXT((refused.error)().field(), "room_id");
  CHECK_SIZE(*client.try_poll(), 0);
  (client.close)(rtcmsg::Wait::without_end());
}

}  // namespace

int main() {
  the_functions_can_be_called_beside_the_macros();
  return check_summary();
}
