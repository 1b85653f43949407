// standards: c99 c11 c17

/* The binary interface: numbers and layouts that programs already built rely on. They are added to, never changed. */
#include <rtcmsg.h>

#include "check.h"

struct code {
  rtcmsg_code value;
  rtcmsg_code number;
  const char *name;
};

#define CODE(name, number) {name, number, #name}

static const struct code codes[] = {
    CODE(RTCMSG_OK, 0),
    CODE(RTCMSG_INVALID_ARGUMENT, -1),
    CODE(RTCMSG_UNSUPPORTED, -2),
    CODE(RTCMSG_NOT_CONFIGURED, -3),
    CODE(RTCMSG_QUEUE_FULL, -4),
    CODE(RTCMSG_RATE_LIMITED, -5),
    CODE(RTCMSG_EXPIRED, -6),
    CODE(RTCMSG_CANCELLED, -7),
    CODE(RTCMSG_CLOSED, -8),
    CODE(RTCMSG_FORKED, -9),
    CODE(RTCMSG_NOT_FOUND, -10),
    CODE(RTCMSG_BUFFER_TOO_SMALL, -11),
    CODE(RTCMSG_NO_RESOURCES, -12),
    CODE(RTCMSG_RESOLVE, -20),
    CODE(RTCMSG_CONNECT, -21),
    CODE(RTCMSG_TLS, -22),
    CODE(RTCMSG_DISCONNECTED, -23),
    CODE(RTCMSG_TIMEOUT, -24),
    CODE(RTCMSG_BAD_RESPONSE, -25),
    CODE(RTCMSG_PROXY, -26),
    CODE(RTCMSG_REJECTED, -40),
    CODE(RTCMSG_UNAUTHENTICATED, -41),
    CODE(RTCMSG_FORBIDDEN, -42),
    CODE(RTCMSG_THROTTLED, -43),
    CODE(RTCMSG_CLOCK, -44),
    CODE(RTCMSG_VENDOR_FAULT, -45),
    CODE(RTCMSG_UNDELIVERED, -46),
    CODE(RTCMSG_PARTIAL, -47),
    CODE(RTCMSG_INTERNAL, -99),
};

static const struct code deliveries[] = {
    CODE(RTCMSG_NOT_SENT, 1),  CODE(RTCMSG_NOT_DELIVERED, 2), CODE(RTCMSG_ACCEPTED, 3),
    CODE(RTCMSG_DELIVERED, 4), CODE(RTCMSG_UNKNOWN, 5),
};

static const struct code others[] = {
    CODE(RTCMSG_VOLCENGINE, 1),
    CODE(RTCMSG_ZEGO, 2),
    CODE(RTCMSG_VOLCENGINE_SEND_UNICAST, 101),
    CODE(RTCMSG_VOLCENGINE_SEND_ROOM_UNICAST, 102),
    CODE(RTCMSG_VOLCENGINE_BATCH_SEND_ROOM_UNICAST, 103),
    CODE(RTCMSG_VOLCENGINE_SEND_BROADCAST, 104),
    CODE(RTCMSG_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS, 111),
    CODE(RTCMSG_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL, 112),
    CODE(RTCMSG_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT, 113),
    CODE(RTCMSG_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS, 201),
    CODE(RTCMSG_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM, 202),
    CODE(RTCMSG_BINARY, 1),
    CODE(RTCMSG_PRIORITY_NORMAL, 0),
    CODE(RTCMSG_PRIORITY_URGENT, 1),
    CODE(RTCMSG_UNORDERED, 1),
    CODE(RTCMSG_NO_COMPLETION, 2),
    CODE(RTCMSG_LOG_ERROR, 1),
    CODE(RTCMSG_LOG_WARN, 2),
    CODE(RTCMSG_LOG_INFO, 3),
    CODE(RTCMSG_LOG_DEBUG, 4),
};

static void numbers_and_names_stay(void) {
  size_t i;
  for (i = 0; i < sizeof codes / sizeof *codes; i++) {
    check_case(codes[i].name);
    CHECK_INT(codes[i].value, codes[i].number);
    CHECK_TEXT(rtcmsg_code_name(codes[i].value), codes[i].name);
  }
  for (i = 0; i < sizeof deliveries / sizeof *deliveries; i++) {
    check_case(deliveries[i].name);
    CHECK_INT(deliveries[i].value, deliveries[i].number);
    CHECK_TEXT(rtcmsg_delivery_name((uint32_t)deliveries[i].value), deliveries[i].name);
  }
  for (i = 0; i < sizeof others / sizeof *others; i++) {
    check_case(others[i].name);
    CHECK_INT(others[i].value, others[i].number);
  }
}

static void a_number_that_is_none_has_a_name_too(void) {
  check_case("no such number");
  CHECK_TEXT(rtcmsg_code_name(1), "RTCMSG_?");
  CHECK_TEXT(rtcmsg_code_name(-1000), "RTCMSG_?");
  CHECK_TEXT(rtcmsg_code_name(INT32_MIN), "RTCMSG_?");
  CHECK_TEXT(rtcmsg_delivery_name(0), "RTCMSG_?");
  CHECK_TEXT(rtcmsg_delivery_name(6), "RTCMSG_?");
  CHECK_TEXT(rtcmsg_delivery_name(UINT32_MAX), "RTCMSG_?");
}

static void structs_stay_on_64_bit(void) {
  check_case("structs");
  if (sizeof(void *) != 8) return;
#define STRUCT(type, size) CHECK_SIZE(sizeof(type), (size));
#define FIELD(type, field, offset, size)       \
  CHECK_SIZE(offsetof(type, field), (offset)); \
  CHECK_SIZE(sizeof(((type *)0)->field), (size));
#include "abi_layout.h"
#undef STRUCT
#undef FIELD
}

static void init_sets_the_size_and_nothing_else(void) {
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_call call = RTCMSG_INIT(rtcmsg_call);
  rtcmsg_message zero;
  check_case("RTCMSG_INIT");
  memset(&zero, 0, sizeof zero);
  zero.struct_size = sizeof zero;
  CHECK_BYTES(&message, sizeof message, &zero, sizeof zero);
  CHECK_SIZE(error.struct_size, sizeof error);
  CHECK_SIZE(call.struct_size, sizeof call);
  CHECK(rtcmsg_text(NULL).data == NULL);
  CHECK_SIZE(rtcmsg_text(NULL).len, 0);
  CHECK_SIZE(rtcmsg_text("").len, 0);
  CHECK_SIZE(rtcmsg_text("abc").len, 3);
}

static void the_library_is_of_the_headers_version(void) {
  check_case("version");
  CHECK_SIZE(rtcmsg_version(), RTCMSG_VERSION);
}

int main(void) {
  numbers_and_names_stay();
  a_number_that_is_none_has_a_name_too();
  structs_stay_on_64_bit();
  init_sets_the_size_and_nothing_else();
  the_library_is_of_the_headers_version();
  return check_summary();
}
