// standards: c99 c11 c17

/* The binary interface: existing programs depend on these numbers and layouts. New ones may be added, but none may
 * change. */
#include <rtcmsg.h>

#include <stdio.h>

#include "check.h"

struct code {
  rtcmsg_code value;
  rtcmsg_code number;
  const char *name;
};

#define CODE(name, number) {name, number, #name}

static const struct code codes[] = {
    CODE(RTCMSG_OK, 0),
    CODE(RTCMSG_ERR_INVALID_ARGUMENT, -1),
    CODE(RTCMSG_ERR_UNSUPPORTED, -2),
    CODE(RTCMSG_ERR_NOT_CONFIGURED, -3),
    CODE(RTCMSG_ERR_QUEUE_FULL, -4),
    CODE(RTCMSG_ERR_RATE_LIMITED, -5),
    CODE(RTCMSG_ERR_EXPIRED, -6),
    CODE(RTCMSG_ERR_CANCELLED, -7),
    CODE(RTCMSG_ERR_CLOSED, -8),
    CODE(RTCMSG_ERR_FORKED, -9),
    CODE(RTCMSG_ERR_NOT_FOUND, -10),
    CODE(RTCMSG_ERR_BUFFER_TOO_SMALL, -11),
    CODE(RTCMSG_ERR_NO_RESOURCES, -12),
    CODE(RTCMSG_ERR_RESOLVE, -20),
    CODE(RTCMSG_ERR_CONNECT, -21),
    CODE(RTCMSG_ERR_TLS, -22),
    CODE(RTCMSG_ERR_DISCONNECTED, -23),
    CODE(RTCMSG_ERR_TIMEOUT, -24),
    CODE(RTCMSG_ERR_BAD_RESPONSE, -25),
    CODE(RTCMSG_ERR_PROXY, -26),
    CODE(RTCMSG_ERR_REJECTED, -40),
    CODE(RTCMSG_ERR_UNAUTHENTICATED, -41),
    CODE(RTCMSG_ERR_FORBIDDEN, -42),
    CODE(RTCMSG_ERR_THROTTLED, -43),
    CODE(RTCMSG_ERR_CLOCK, -44),
    CODE(RTCMSG_ERR_VENDOR_FAULT, -45),
    CODE(RTCMSG_ERR_UNDELIVERED, -46),
    CODE(RTCMSG_ERR_PARTIAL, -47),
    CODE(RTCMSG_ERR_INTERNAL, -99),
};

static const struct code deliveries[] = {
    CODE(RTCMSG_DELIVERY_NOT_SENT, 1),  CODE(RTCMSG_DELIVERY_NOT_DELIVERED, 2), CODE(RTCMSG_DELIVERY_ACCEPTED, 3),
    CODE(RTCMSG_DELIVERY_DELIVERED, 4), CODE(RTCMSG_DELIVERY_UNKNOWN, 5),
};

static const struct code others[] = {
    CODE(RTCMSG_VENDOR_VOLCENGINE, 1),
    CODE(RTCMSG_VENDOR_ZEGO, 2),
    CODE(RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST, 101),
    CODE(RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST, 102),
    CODE(RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST, 103),
    CODE(RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST, 104),
    CODE(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS, 111),
    CODE(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL, 112),
    CODE(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT, 113),
    CODE(RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS, 201),
    CODE(RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM, 202),
    CODE(RTCMSG_MESSAGE_BINARY, 1),
    CODE(RTCMSG_PRIORITY_NORMAL, 0),
    CODE(RTCMSG_PRIORITY_URGENT, 1),
    CODE(RTCMSG_SUBMIT_UNORDERED, 256),
    CODE(RTCMSG_SUBMIT_NO_COMPLETION, 512),
    CODE(RTCMSG_LOG_ERROR, 1),
    CODE(RTCMSG_LOG_WARN, 2),
    CODE(RTCMSG_LOG_INFO, 3),
    CODE(RTCMSG_LOG_DEBUG, 4),
};

static void numbers_and_names_are_unchanged(void) {
  size_t i;
  for (i = 0; i < sizeof codes / sizeof *codes; i++) {
    check_case(codes[i].name);
    CHECK_INT(codes[i].value, codes[i].number);
    CHECK_TEXT(rtcmsg_code_name(codes[i].value), codes[i].name);
    CHECK(strlen(rtcmsg_code_text(codes[i].value)) > 5 &&
          strcmp(rtcmsg_code_text(codes[i].value), "unknown code") != 0);
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

static void an_unknown_number_has_a_name(void) {
  check_case("unknown number");
  CHECK_TEXT(rtcmsg_code_name(1), "RTCMSG_?");
  CHECK_TEXT(rtcmsg_code_name(-1000), "RTCMSG_?");
  CHECK_TEXT(rtcmsg_code_name(INT32_MIN), "RTCMSG_?");
  CHECK_TEXT(rtcmsg_code_text(1), "unknown code");
  CHECK_TEXT(rtcmsg_code_text(INT32_MIN), "unknown code");
  CHECK_TEXT(rtcmsg_code_text(RTCMSG_ERR_THROTTLED), "the vendor's rate limit was exceeded");
  CHECK_TEXT(rtcmsg_delivery_name(0), "RTCMSG_?");
  CHECK_TEXT(rtcmsg_delivery_name(6), "RTCMSG_?");
  CHECK_TEXT(rtcmsg_delivery_name(UINT32_MAX), "RTCMSG_?");
}

static void struct_layouts_are_unchanged_on_64_bit(void) {
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
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  rtcmsg_message zero;
  check_case("RTCMSG_INIT");
  memset(&zero, 0, sizeof zero);
  zero.struct_size = sizeof zero;
  CHECK_BYTES(&message, sizeof message, &zero, sizeof zero);
  CHECK_SIZE(error.struct_size, sizeof error);
  CHECK_SIZE(options.struct_size, sizeof options);
  CHECK(rtcmsg_str_from(NULL).data == NULL);
  CHECK_SIZE(rtcmsg_str_from(NULL).len, 0);
  CHECK_SIZE(rtcmsg_str_from("").len, 0);
  CHECK_SIZE(rtcmsg_str_from("abc").len, 3);
}

static void the_library_has_the_version_of_the_header(void) {
  check_case("version");
  char text[32];
  CHECK_SIZE(rtcmsg_version(), RTCMSG_VERSION);
  CHECK_SIZE(RTCMSG_VERSION, RTCMSG_VERSION_MAJOR << 16 | RTCMSG_VERSION_MINOR << 8 | RTCMSG_VERSION_PATCH);
  snprintf(text, sizeof text, "%d.%d.%d", RTCMSG_VERSION_MAJOR, RTCMSG_VERSION_MINOR, RTCMSG_VERSION_PATCH);
  CHECK_TEXT(rtcmsg_version_string(), text);
}

int main(void) {
  numbers_and_names_are_unchanged();
  an_unknown_number_has_a_name();
  struct_layouts_are_unchanged_on_64_bit();
  init_sets_the_size_and_nothing_else();
  the_library_has_the_version_of_the_header();
  return check_summary();
}
