/* Invalid messages are refused before any I/O. The error names the field and the limit, and the client can still be
 * used. Rows with RTCMSG_OK are at a limit and within it. */
#include <rtcmsg.h>
#include <stdio.h>

#include "check.h"
#include "fixtures.h"
#include "row.h"

/* A row of a table may set a field twice; the second value counts. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define KB 1024
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define STR(text) {text, sizeof(text) - 1}
#define INVALID RTCMSG_ERR_INVALID_ARGUMENT

static rtcmsg_client *client;

/* The fields and rules of an action. */
enum {
  ROOM = 1,
  FROM = 2,
  ONE = 4,  /* exactly one recipient */
  MANY = 8, /* a list of recipients */
  IM = 16,
  IDS = 32,
  BYTES = 64,
  RTC = 128, /* Volcengine's rule for ids */
  ZEGO = 256,
  BATCH = 512,
  EXCLUDES = 1024, /* its list contains the users to leave out, and is never split */
};

static const rtcmsg_str to_alice[] = {STR("alice")};
static const rtcmsg_str to_two[] = {STR("alice"), STR("bob")};
static const int64_t two_ids[] = {10008, 10009};

#define GOOD(name) \
  .struct_size = sizeof(rtcmsg_message), .action = RTCMSG_ACTION_##name, .payload = "hi", .payload_len = 2
#define SERVER .from = STR("server")
#define SIGNAL .conversation_id = 1, .sender_id = 2, .msg_type = 3

struct action {
  const char *name;
  unsigned has;
  rtcmsg_message good;
};

static const struct action actions[] = {
    {"SendUnicast", FROM | ONE | BYTES | RTC, {GOOD(VOLCENGINE_SEND_UNICAST), SERVER, .to = to_alice, .to_count = 1}},
    {"SendRoomUnicast",
     ROOM | FROM | ONE | BYTES | RTC,
     {GOOD(VOLCENGINE_SEND_ROOM_UNICAST), SERVER, .room_id = STR("room"), .to = to_alice, .to_count = 1}},
    {"BatchSendRoomUnicast",
     ROOM | FROM | MANY | BYTES | RTC | BATCH,
     {GOOD(VOLCENGINE_BATCH_SEND_ROOM_UNICAST), SERVER, .room_id = STR("room"), .to = to_two, .to_count = 2}},
    {"SendBroadcast", ROOM | FROM | BYTES | RTC, {GOOD(VOLCENGINE_SEND_BROADCAST), SERVER, .room_id = STR("room")}},
    {"P2PSendMessage to users",
     IM | IDS,
     {GOOD(VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS), SIGNAL, .user_ids = two_ids, .user_id_count = 2}},
    {"P2PSendMessage to all", IM, {GOOD(VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL), SIGNAL}},
    {"P2PSendMessage to all except",
     IM | IDS | EXCLUDES,
     {GOOD(VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT), SIGNAL, .user_ids = two_ids, .user_id_count = 2}},
    {"SendCustomCommand to users",
     ROOM | FROM | MANY | ZEGO,
     {GOOD(ZEGO_SEND_CUSTOM_COMMAND_TO_USERS), SERVER, .room_id = STR("room"), .to = to_two, .to_count = 2}},
    {"SendCustomCommand to the room",
     ROOM | FROM | ZEGO,
     {GOOD(ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM), SERVER, .room_id = STR("room")}},
};

static char id_of_128[128];
static char id_of_129[129];
static char id_of_130_in_65[130]; /* 65 characters of two bytes */
static char large[64 * KB + 1];
static char names[601][8];
static rtcmsg_str users[601];
static int64_t ids[501];
static int64_t two_zeros[2];

static const rtcmsg_str id128 = {id_of_128, sizeof id_of_128};
static const rtcmsg_str id129 = {id_of_129, sizeof id_of_129};
static const rtcmsg_str id130 = {id_of_130_in_65, sizeof id_of_130_in_65};
static const rtcmsg_str no_utf8 = STR("ab\xC3(");
static const rtcmsg_str with_nul = STR("a\0b");
static const rtcmsg_str with_space = STR("a b");
static const rtcmsg_str with_slash = STR("a/b");
static const rtcmsg_str with_newline = STR("a\nb");
static const rtcmsg_str chinese = STR("\xE6\xBC\xA2");
static const rtcmsg_str empty = {"", 0};
static const rtcmsg_str null_of_4 = {NULL, 4};
static const rtcmsg_str of_size_max = {"room", SIZE_MAX};

static rtcmsg_str one_user;
static rtcmsg_str second_user[2];
static int64_t second_id[2];

static void fill_the_tables(void) {
  size_t i;
  memset(id_of_128, 'x', sizeof id_of_128);
  memset(id_of_129, 'x', sizeof id_of_129);
  memset(large, 'x', sizeof large);
  for (i = 0; i < 65; i++) memcpy(id_of_130_in_65 + 2 * i, "\xC3\xA9", 2);
  for (i = 0; i < COUNT(users); i++) {
    snprintf(names[i], sizeof names[i], "u%u", (unsigned)i);
    users[i] = rtcmsg_str_from(names[i]);
  }
  for (i = 0; i < COUNT(ids); i++) ids[i] = (int64_t)i + 1;
}

static void set_only_user(rtcmsg_message *m, rtcmsg_str user) {
  one_user = user;
  m->to = &one_user;
  m->to_count = 1;
}

static void set_second_user(rtcmsg_message *m, rtcmsg_str user) {
  second_user[0] = to_alice[0];
  second_user[1] = user;
  m->to = second_user;
  m->to_count = 2;
}

static void set_users(rtcmsg_message *m, size_t count) {
  m->to = users;
  m->to_count = count;
}

static void set_second_id(rtcmsg_message *m, int64_t id) {
  second_id[0] = 10008;
  second_id[1] = id;
  m->user_ids = second_id;
  m->user_id_count = 2;
}

static void set_ids(rtcmsg_message *m, const int64_t *list, size_t count) {
  m->user_ids = list;
  m->user_id_count = count;
}

static void set_payload(rtcmsg_message *m, const void *payload, size_t len) {
  m->payload = payload;
  m->payload_len = len;
}

/* Sets a binary payload of this length. */
static void set_bytes(rtcmsg_message *m, size_t len) {
  m->flags = RTCMSG_MESSAGE_BINARY;
  set_payload(m, large, len);
}

static const void *misaligned(void) { return (const char *)two_zeros + 1; }

#define CHANGE(name, statement) \
  static void name(rtcmsg_message *m) { statement; }

CHANGE(unchanged, (void)m)
CHANGE(size_0, m->struct_size = 0)
CHANGE(size_8, m->struct_size = 8)
CHANGE(size_short, m->struct_size = sizeof *m - 1)
CHANGE(size_huge, m->struct_size = 4097)
CHANGE(size_max, m->struct_size = SIZE_MAX)
CHANGE(action_0, m->action = 0)
CHANGE(action_100, m->action = 100)
CHANGE(action_max, m->action = UINT32_MAX)
CHANGE(flag_2, m->flags = 2)
CHANGE(flag_high, m->flags = 0x80000000u | RTCMSG_MESSAGE_BINARY)
CHANGE(flag_unordered, m->flags = RTCMSG_SUBMIT_UNORDERED)
CHANGE(flag_no_completion, m->flags = RTCMSG_MESSAGE_BINARY | RTCMSG_SUBMIT_NO_COMPLETION)
CHANGE(flag_binary, m->flags = RTCMSG_MESSAGE_BINARY)
CHANGE(reserved_set, m->reserved = 1)

CHANGE(payload_none, set_payload(m, NULL, 0))
CHANGE(payload_empty, set_payload(m, "hi", 0))
CHANGE(payload_null_of_5, set_payload(m, NULL, 5))
CHANGE(payload_of_size_max, set_payload(m, "hi", SIZE_MAX))
CHANGE(payload_no_utf8, set_payload(m, no_utf8.data, no_utf8.len))
CHANGE(payload_cut, set_payload(m, "a\xE6\xBC", 3))
CHANGE(payload_surrogate, set_payload(m, "\xED\xA0\x80", 3))
CHANGE(payload_nul, set_payload(m, "a\0b", 3))
CHANGE(payload_any_bytes, m->flags = RTCMSG_MESSAGE_BINARY; set_payload(m, "\xFF\xFE\0", 3))
CHANGE(payload_64k, set_payload(m, large, 64 * KB))
CHANGE(payload_64k_1, set_payload(m, large, 64 * KB + 1))
CHANGE(bytes_64k, set_bytes(m, 64 * KB))
CHANGE(bytes_64k_1, set_bytes(m, 64 * KB + 1))
CHANGE(payload_20k, set_payload(m, large, 20 * KB))
CHANGE(payload_20k_1, set_payload(m, large, 20 * KB + 1))
CHANGE(bytes_20k, set_bytes(m, 20 * KB))
CHANGE(bytes_20k_1, set_bytes(m, 20 * KB + 1))
CHANGE(payload_1k, set_payload(m, large, KB))
CHANGE(payload_1k_1, set_payload(m, large, KB + 1))

CHANGE(room_given, m->room_id = rtcmsg_str_from("room"))
CHANGE(room_none, m->room_id = rtcmsg_str_from(NULL))
CHANGE(room_empty, m->room_id = empty)
CHANGE(room_null_of_4, m->room_id = null_of_4)
CHANGE(room_of_size_max, m->room_id = of_size_max)
CHANGE(room_no_utf8, m->room_id = no_utf8)
CHANGE(room_nul, m->room_id = with_nul)
CHANGE(room_space, m->room_id = with_space)
CHANGE(room_slash, m->room_id = with_slash)
CHANGE(room_newline, m->room_id = with_newline)
CHANGE(room_chinese, m->room_id = chinese)
CHANGE(room_all_allowed, m->room_id = rtcmsg_str_from("azAZ09_@-."))
CHANGE(room_128, m->room_id = id128)
CHANGE(room_129, m->room_id = id129)
CHANGE(room_130, m->room_id = id130)

CHANGE(from_given, m->from = rtcmsg_str_from("server"))
CHANGE(from_none, m->from = rtcmsg_str_from(NULL))
CHANGE(from_empty, m->from = empty)
CHANGE(from_null_of_4, m->from = null_of_4)
CHANGE(from_of_size_max, m->from = of_size_max)
CHANGE(from_no_utf8, m->from = no_utf8)
CHANGE(from_nul, m->from = with_nul)
CHANGE(from_space, m->from = with_space)
CHANGE(from_slash, m->from = with_slash)
CHANGE(from_chinese, m->from = chinese)
CHANGE(from_128, m->from = id128)
CHANGE(from_129, m->from = id129)
CHANGE(from_130, m->from = id130)

CHANGE(to_given, m->to = to_alice; m->to_count = 1)
CHANGE(to_none, m->to = NULL; m->to_count = 0)
CHANGE(to_empty, m->to_count = 0)
CHANGE(to_null_of_1, m->to = NULL; m->to_count = 1)
CHANGE(to_of_size_max, m->to = to_alice; m->to_count = SIZE_MAX)
CHANGE(to_misaligned, m->to = misaligned(); m->to_count = 1)
CHANGE(to_2, m->to = to_two; m->to_count = 2)
CHANGE(to_first_no_utf8, set_only_user(m, no_utf8))
CHANGE(to_first_empty, set_only_user(m, empty))
CHANGE(to_first_null_of_4, set_only_user(m, null_of_4))
CHANGE(to_first_of_size_max, set_only_user(m, of_size_max))
CHANGE(to_first_space, set_only_user(m, with_space))
CHANGE(to_first_128, set_only_user(m, id128))
CHANGE(to_first_129, set_only_user(m, id129))
CHANGE(to_second_no_utf8, set_second_user(m, no_utf8))
CHANGE(to_second_empty, set_second_user(m, empty))
CHANGE(to_second_none, set_second_user(m, rtcmsg_str_from(NULL)))
CHANGE(to_second_null_of_4, set_second_user(m, null_of_4))
CHANGE(to_second_of_size_max, set_second_user(m, of_size_max))
CHANGE(to_second_nul, set_second_user(m, with_nul))
CHANGE(to_second_space, set_second_user(m, with_space))
CHANGE(to_second_slash, set_second_user(m, with_slash))
CHANGE(to_second_chinese, set_second_user(m, chinese))
CHANGE(to_second_128, set_second_user(m, id128))
CHANGE(to_second_129, set_second_user(m, id129))
CHANGE(to_second_130, set_second_user(m, id130))
CHANGE(to_twice, set_second_user(m, to_alice[0]))
CHANGE(to_sender, set_second_user(m, m->from))
CHANGE(to_600, set_users(m, 600))
CHANGE(to_601, set_users(m, 601))
CHANGE(to_10, set_users(m, 10))
CHANGE(to_11, set_users(m, 11))

CHANGE(conversation_given, m->conversation_id = 1)
CHANGE(conversation_0, m->conversation_id = 0)
CHANGE(conversation_negative, m->conversation_id = -1)
CHANGE(conversation_min, m->conversation_id = INT64_MIN)
CHANGE(conversation_max, m->conversation_id = INT64_MAX)
CHANGE(sender_given, m->sender_id = -1)
CHANGE(sender_0, m->sender_id = 0)
CHANGE(sender_negative, m->sender_id = -1)
CHANGE(sender_min, m->sender_id = INT64_MIN)
CHANGE(sender_max, m->sender_id = INT64_MAX)
CHANGE(type_given, m->msg_type = 1)
CHANGE(type_0, m->msg_type = 0)
CHANGE(type_negative, m->msg_type = -1)
CHANGE(type_min, m->msg_type = INT32_MIN)
CHANGE(type_max, m->msg_type = INT32_MAX)
CHANGE(ids_given, set_ids(m, two_ids, 2))
CHANGE(ids_none, set_ids(m, NULL, 0))
CHANGE(ids_empty, set_ids(m, two_ids, 0))
CHANGE(ids_null_of_1, set_ids(m, NULL, 1))
CHANGE(ids_of_size_max, set_ids(m, two_ids, SIZE_MAX))
CHANGE(ids_misaligned, set_ids(m, misaligned(), 1))
CHANGE(ids_second_0, set_second_id(m, 0))
CHANGE(ids_second_negative, set_second_id(m, -5))
CHANGE(ids_second_min, set_second_id(m, INT64_MIN))
CHANGE(ids_second_max, set_second_id(m, INT64_MAX))
CHANGE(ids_twice, set_second_id(m, 10008))
CHANGE(ids_500, set_ids(m, ids, 500))
CHANGE(ids_501, set_ids(m, ids, 501))

/* A valid message with one change, and the expected error. It applies to each action that has all of `has` and none of
 * `lacks`. */
struct changed {
  const char *what;
  unsigned has;
  unsigned lacks;
  void (*change)(rtcmsg_message *message);
  rtcmsg_code code;
  const char *field;
  const char *text;
};

static const struct changed changed[] = {
    {"unchanged", 0, 0, unchanged, RTCMSG_OK, "", ""},
    {"struct_size 0", 0, 0, size_0, INVALID, "struct_size", "struct_size is 0, but must be at least"},
    {"struct_size 8", 0, 0, size_8, INVALID, "struct_size", "initialize the struct with RTCMSG_INIT"},
    {"struct_size one byte too small", 0, 0, size_short, INVALID, "struct_size", "at least"},
    {"struct_size 4097", 0, 0, size_huge, INVALID, "struct_size", "at most 4096"},
    {"struct_size SIZE_MAX", 0, 0, size_max, INVALID, "struct_size", "at most 4096"},
    {"action 0", 0, 0, action_0, INVALID, "action", "unknown action 0"},
    {"action 100", 0, 0, action_100, INVALID, "action", "unknown action 100"},
    {"action UINT32_MAX", 0, 0, action_max, INVALID, "action", "unknown action 4294967295"},
    {"flag 2", 0, 0, flag_2, INVALID, "flags", "unknown flag 0x2; rtcmsg_message takes RTCMSG_MESSAGE_BINARY"},
    {"a flag beside RTCMSG_MESSAGE_BINARY", 0, 0, flag_high, INVALID, "flags", "unknown flag 0x80000000"},
    {"RTCMSG_SUBMIT_UNORDERED", 0, 0, flag_unordered, INVALID, "flags",
     "RTCMSG_SUBMIT_UNORDERED is a flag of rtcmsg_send_options, not of rtcmsg_message"},
    {"RTCMSG_SUBMIT_NO_COMPLETION", 0, 0, flag_no_completion, INVALID, "flags",
     "RTCMSG_SUBMIT_NO_COMPLETION is a flag of rtcmsg_send_options, not of rtcmsg_message"},
    {"RTCMSG_MESSAGE_BINARY for text", 0, BYTES, flag_binary, INVALID, "flags", "only accepts text"},
    {"RTCMSG_MESSAGE_BINARY", BYTES, 0, flag_binary, RTCMSG_OK, "", ""},
    {"reserved", 0, 0, reserved_set, INVALID, "reserved", "must be 0"},

    {"no payload", 0, 0, payload_none, INVALID, "payload", "empty"},
    {"empty payload", 0, 0, payload_empty, INVALID, "payload", "empty"},
    {"payload NULL with a length", 0, 0, payload_null_of_5, INVALID, "payload", "NULL with a length of 5"},
    {"payload of SIZE_MAX", 0, 0, payload_of_size_max, INVALID, "payload", "18446744073709551615"},
    {"payload is not UTF-8", 0, 0, payload_no_utf8, INVALID, "payload", "not UTF-8 at byte 2"},
    {"payload ends within a character", 0, 0, payload_cut, INVALID, "payload", "not UTF-8 at byte 1"},
    {"payload contains a surrogate", 0, 0, payload_surrogate, INVALID, "payload", "not UTF-8 at byte 0"},
    {"payload contains NUL", 0, 0, payload_nul, RTCMSG_OK, "", ""},
    {"any bytes", BYTES, 0, payload_any_bytes, RTCMSG_OK, "", ""},
    {"64 KB", RTC, BATCH, payload_64k, RTCMSG_OK, "", ""},
    {"64 KB and a byte", RTC, BATCH, payload_64k_1, INVALID, "payload", "65,537 bytes"},
    {"64 KB of bytes", RTC, BATCH, bytes_64k, RTCMSG_OK, "", ""},
    {"64 KB of bytes and one", RTC, BATCH, bytes_64k_1, INVALID, "payload", "accepts at most 65,536"},
    {"20 KB", BATCH, 0, payload_20k, RTCMSG_OK, "", ""},
    {"20 KB and a byte", BATCH, 0, payload_20k_1, INVALID, "payload", "20,481 bytes"},
    {"20 KB of bytes", BATCH, 0, bytes_20k, RTCMSG_OK, "", ""},
    {"20 KB of bytes and one", BATCH, 0, bytes_20k_1, INVALID, "payload", "accepts at most 20,480"},
    {"1 KB", ZEGO, 0, payload_1k, RTCMSG_OK, "", ""},
    {"1 KB and a byte", ZEGO, 0, payload_1k_1, INVALID, "payload", "message too long: 1,025 bytes"},
    {"1 KB and a byte, the limit", ZEGO, 0, payload_1k_1, INVALID, "payload",
     "SendCustomCommand accepts at most 1,024"},
    {"p2p_max_content", IM, 0, payload_64k, RTCMSG_OK, "", ""},
    {"p2p_max_content and a byte", IM, 0, payload_64k_1, INVALID, "payload", "65,536"},

    {"room_id for an action without it", 0, ROOM, room_given, INVALID, "room_id", "not allowed for"},
    {"no room_id", ROOM, 0, room_none, INVALID, "room_id", "must not be empty"},
    {"empty room_id", ROOM, 0, room_empty, INVALID, "room_id", "must not be empty"},
    {"room_id NULL with a length", 0, 0, room_null_of_4, INVALID, "room_id", "NULL with a length of 4"},
    {"room_id of SIZE_MAX", 0, 0, room_of_size_max, INVALID, "room_id", "18446744073709551615"},
    {"room_id is not UTF-8", 0, 0, room_no_utf8, INVALID, "room_id", "not UTF-8 at byte 2"},
    {"NUL in room_id", ROOM | RTC, 0, room_nul, INVALID, "room_id", "'\\0'"},
    {"NUL in room_id", ROOM | ZEGO, 0, room_nul, INVALID, "room_id", "NUL"},
    {"space in room_id", ROOM | RTC, 0, room_space, INVALID, "room_id", "' '"},
    {"space in room_id", ROOM | ZEGO, 0, room_space, RTCMSG_OK, "", ""},
    {"slash in room_id", ROOM | RTC, 0, room_slash, INVALID, "room_id", "letters, digits, _ @ - and ."},
    {"slash in room_id", ROOM | ZEGO, 0, room_slash, RTCMSG_OK, "", ""},
    {"line break in room_id", ROOM | RTC, 0, room_newline, INVALID, "room_id", "'\\n'"},
    {"line break in room_id", ROOM | ZEGO, 0, room_newline, RTCMSG_OK, "", ""},
    {"Chinese in room_id", ROOM | RTC, 0, room_chinese, INVALID, "room_id", "\xE6\xBC\xA2"},
    {"Chinese in room_id", ROOM | ZEGO, 0, room_chinese, RTCMSG_OK, "", ""},
    {"every kind of allowed character", ROOM, 0, room_all_allowed, RTCMSG_OK, "", ""},
    {"room_id of 128", ROOM, 0, room_128, RTCMSG_OK, "", ""},
    {"room_id of 129", ROOM | RTC, 0, room_129, INVALID, "room_id",
     "129 characters long; Volcengine ids have at most 128"},
    {"room_id of 129", ROOM | ZEGO, 0, room_129, INVALID, "room_id", "129 bytes long, zego.max_id_length is 128"},
    {"room_id of 130 bytes", ROOM | ZEGO, 0, room_130, INVALID, "room_id", "130 bytes"},

    {"from for an action without it", 0, FROM, from_given, INVALID, "from", "not allowed for"},
    {"no from", FROM, 0, from_none, INVALID, "from", "must not be empty"},
    {"empty from", FROM, 0, from_empty, INVALID, "from", "must not be empty"},
    {"from NULL with a length", 0, 0, from_null_of_4, INVALID, "from", "NULL with a length of 4"},
    {"from of SIZE_MAX", 0, 0, from_of_size_max, INVALID, "from", "18446744073709551615"},
    {"from is not UTF-8", 0, 0, from_no_utf8, INVALID, "from", "not UTF-8 at byte 2"},
    {"NUL in from", FROM | RTC, 0, from_nul, INVALID, "from", "'\\0'"},
    {"NUL in from", FROM | ZEGO, 0, from_nul, INVALID, "from", "NUL"},
    {"space in from", FROM | RTC, 0, from_space, INVALID, "from", "' '"},
    {"space in from", FROM | ZEGO, 0, from_space, RTCMSG_OK, "", ""},
    {"slash in from", FROM | RTC, 0, from_slash, INVALID, "from", "'/'"},
    {"slash in from", FROM | ZEGO, 0, from_slash, RTCMSG_OK, "", ""},
    {"Chinese in from", FROM | RTC, 0, from_chinese, INVALID, "from", "\xE6\xBC\xA2"},
    {"Chinese in from", FROM | ZEGO, 0, from_chinese, RTCMSG_OK, "", ""},
    {"from of 128", FROM, 0, from_128, RTCMSG_OK, "", ""},
    {"from of 129", FROM | RTC, 0, from_129, INVALID, "from", "at most 128"},
    {"from of 129", FROM | ZEGO, 0, from_129, INVALID, "from", "is 128"},
    {"from of 130 bytes", FROM | ZEGO, 0, from_130, INVALID, "from", "130 bytes"},

    {"to for an action without it", 0, ONE | MANY, to_given, INVALID, "to", "not allowed for"},
    {"to NULL with a count", ONE | MANY, 0, to_null_of_1, INVALID, "to", "NULL with a length of 1"},
    {"to of SIZE_MAX", ONE, 0, to_of_size_max, INVALID, "to", "18,446,744,073,709,551,615 recipients"},
    {"to of SIZE_MAX", MANY, 0, to_of_size_max, INVALID, "to", "accepts at most 100,000"},
    {"to is not aligned", ONE | MANY, 0, to_misaligned, INVALID, "to", "not aligned"},
    {"no to", ONE, 0, to_none, INVALID, "to", "0 recipients"},
    {"empty to", ONE, 0, to_empty, INVALID, "to", "needs exactly 1"},
    {"two recipients for an action that takes one", ONE, 0, to_2, INVALID, "to", "2 recipients"},
    {"empty recipient", ONE, 0, to_first_empty, INVALID, "to", "must not be empty"},
    {"recipient with a space", ONE, 0, to_first_space, INVALID, "to", "' '"},
    {"recipient of 128", ONE, 0, to_first_128, RTCMSG_OK, "", ""},
    {"recipient of 129", ONE, 0, to_first_129, INVALID, "to", "at most 128"},
    {"recipient is not UTF-8", ONE, 0, to_first_no_utf8, INVALID, "to[0]", "not UTF-8 at byte 2"},
    {"recipient NULL with a length", ONE, 0, to_first_null_of_4, INVALID, "to[0]", "NULL with a length of 4"},
    {"recipient of SIZE_MAX", ONE, 0, to_first_of_size_max, INVALID, "to[0]", "18446744073709551615"},
    {"no to", MANY, 0, to_none, INVALID, "to", "the list is empty"},
    {"empty to", MANY, 0, to_empty, INVALID, "to", "a separate action sends to all"},
    {"second is empty", MANY, 0, to_second_empty, INVALID, "to[1]", "must not be empty"},
    {"second is not given", MANY, 0, to_second_none, INVALID, "to[1]", "must not be empty"},
    {"second is NULL with a length", MANY, 0, to_second_null_of_4, INVALID, "to[1]", "NULL with a length of 4"},
    {"second is of SIZE_MAX", MANY, 0, to_second_of_size_max, INVALID, "to[1]", "18446744073709551615"},
    {"second is not UTF-8", MANY, 0, to_second_no_utf8, INVALID, "to[1]", "not UTF-8 at byte 2"},
    {"NUL in the second", MANY | RTC, 0, to_second_nul, INVALID, "to[1]", "'\\0'"},
    {"NUL in the second", MANY | ZEGO, 0, to_second_nul, INVALID, "to[1]", "NUL"},
    {"space in the second", MANY | RTC, 0, to_second_space, INVALID, "to[1]", "' '"},
    {"space in the second", MANY | ZEGO, 0, to_second_space, RTCMSG_OK, "", ""},
    {"slash in the second", MANY | RTC, 0, to_second_slash, INVALID, "to[1]", "'/'"},
    {"slash in the second", MANY | ZEGO, 0, to_second_slash, RTCMSG_OK, "", ""},
    {"Chinese second", MANY | RTC, 0, to_second_chinese, INVALID, "to[1]", "letters, digits"},
    {"Chinese second", MANY | ZEGO, 0, to_second_chinese, RTCMSG_OK, "", ""},
    {"second of 128", MANY, 0, to_second_128, RTCMSG_OK, "", ""},
    {"second of 129", MANY | RTC, 0, to_second_129, INVALID, "to[1]", "at most 128"},
    {"second of 129", MANY | ZEGO, 0, to_second_129, INVALID, "to[1]", "is 128"},
    {"second of 130 bytes", MANY | ZEGO, 0, to_second_130, INVALID, "to[1]", "130 bytes"},
    {"a recipient twice", MANY, 0, to_twice, INVALID, "to[1]", "twice"},
    {"the sender among them", MANY | ZEGO, 0, to_sender, INVALID, "to[1]", "sender"},
    {"600 recipients", BATCH, 0, to_600, RTCMSG_OK, "", ""},
    {"601 recipients", BATCH, 0, to_601, RTCMSG_OK, "", ""},
    {"10 recipients", MANY | ZEGO, 0, to_10, RTCMSG_OK, "", ""},
    {"11 recipients", MANY | ZEGO, 0, to_11, RTCMSG_OK, "", ""},

    {"conversation_id for an action without it", 0, IM, conversation_given, INVALID, "conversation_id",
     "not allowed for"},
    {"conversation_id 0", IM, 0, conversation_0, INVALID, "conversation_id", "must be 1 or more"},
    {"conversation_id -1", IM, 0, conversation_negative, INVALID, "conversation_id", "is -1"},
    {"conversation_id INT64_MIN", IM, 0, conversation_min, INVALID, "conversation_id", "-9223372036854775808"},
    {"conversation_id INT64_MAX", IM, 0, conversation_max, RTCMSG_OK, "", ""},
    {"sender_id for an action without it", 0, IM, sender_given, INVALID, "sender_id", "not allowed for"},
    {"sender_id 0", IM, 0, sender_0, INVALID, "sender_id", "must be 1 or more"},
    {"sender_id -1", IM, 0, sender_negative, INVALID, "sender_id", "is -1"},
    {"sender_id INT64_MIN", IM, 0, sender_min, INVALID, "sender_id", "-9223372036854775808"},
    {"sender_id INT64_MAX", IM, 0, sender_max, RTCMSG_OK, "", ""},
    {"msg_type for an action without it", 0, IM, type_given, INVALID, "msg_type", "not allowed for"},
    {"msg_type 0", IM, 0, type_0, INVALID, "msg_type", "must be 1 or more"},
    {"msg_type -1", IM, 0, type_negative, INVALID, "msg_type", "is -1"},
    {"msg_type INT32_MIN", IM, 0, type_min, INVALID, "msg_type", "-2147483648"},
    {"msg_type INT32_MAX", IM, 0, type_max, RTCMSG_OK, "", ""},
    {"user_ids for an action without it", 0, IDS, ids_given, INVALID, "user_ids", "not allowed for"},
    {"user_ids NULL with a count", IDS, 0, ids_null_of_1, INVALID, "user_ids", "NULL with a length of 1"},
    {"user_ids of SIZE_MAX", IDS, 0, ids_of_size_max, INVALID, "user_ids", "18,446,744,073,709,551,615 recipients"},
    {"user_ids not aligned", IDS, 0, ids_misaligned, INVALID, "user_ids", "not aligned"},
    {"no user_ids", IDS, 0, ids_none, INVALID, "user_ids", "the list is empty"},
    {"empty user_ids", IDS, 0, ids_empty, INVALID, "user_ids", "a separate action sends to all"},
    {"second id 0", IDS, 0, ids_second_0, INVALID, "user_ids[1]", "is 0"},
    {"second id negative", IDS, 0, ids_second_negative, INVALID, "user_ids[1]", "is -5; it must be 1 or more"},
    {"second id INT64_MIN", IDS, 0, ids_second_min, INVALID, "user_ids[1]", "-9223372036854775808"},
    {"second id INT64_MAX", IDS, 0, ids_second_max, RTCMSG_OK, "", ""},
    {"an id twice", IDS, 0, ids_twice, INVALID, "user_ids[1]", "twice"},
    {"p2p_max_users", IDS, 0, ids_500, RTCMSG_OK, "", ""},
    {"p2p_max_users and one", IDS, EXCLUDES, ids_501, RTCMSG_OK, "", ""},
    {"p2p_max_users and one left out", EXCLUDES, 0, ids_501, INVALID, "user_ids",
     "501 recipients; P2PSendMessage accepts at most 500"},
};

static void invalid_messages(void) {
  size_t a;
  size_t s;
  for (a = 0; a < COUNT(actions); a++) {
    for (s = 0; s < COUNT(changed); s++) {
      const struct changed *row = &changed[s];
      rtcmsg_message message = actions[a].good;
      char what[128];
      if ((actions[a].has & row->has) != row->has || (actions[a].has & row->lacks) != 0) continue;
      snprintf(what, sizeof what, "%s: %s", actions[a].name, row->what);
      row_begin(what);
      row->change(&message);
      row_check_message(client, &message, row->code, row->field, row->text);
    }
    row_end_group(client);
  }
}

/* A message at a limit that a setting changes. */
struct limited {
  const char *what;
  const char *key;
  const char *value;
  size_t action;
  void (*change)(rtcmsg_message *message);
  rtcmsg_code code;
  const char *field;
  const char *text;
};

enum { UNICAST = 0, BATCH_UNICAST = 2, TO_USERS = 4, ALL_EXCEPT = 6, COMMAND = 7 };

CHANGE(bytes_48k, set_bytes(m, 48 * KB))
CHANGE(bytes_48k_1, set_bytes(m, 48 * KB + 1))
CHANGE(bytes_15k, set_bytes(m, 15 * KB))
CHANGE(bytes_15k_1, set_bytes(m, 15 * KB + 1))
CHANGE(payload_3, set_payload(m, "abc", 3))
CHANGE(user_of_6, set_second_user(m, rtcmsg_str_from("server")); m->from = rtcmsg_str_from("s"))

static char spaces[342];

CHANGE(spaces_341, memset(spaces, ' ', sizeof spaces); set_payload(m, spaces, 341))
CHANGE(spaces_342, memset(spaces, ' ', sizeof spaces); set_payload(m, spaces, 342))

static const struct limited limited[] = {
    {"base64 of 48 KB is 64 KB", "volcengine.payload_limit_counts", "base64", UNICAST, bytes_48k, RTCMSG_OK, "", ""},
    {"base64 of a byte more", "volcengine.payload_limit_counts", "base64", UNICAST, bytes_48k_1, INVALID, "payload",
     "65,540"},
    {"text is not base64", "volcengine.payload_limit_counts", "base64", UNICAST, payload_64k, RTCMSG_OK, "", ""},
    {"base64 of 15 KB is 20 KB", "volcengine.payload_limit_counts", "base64", BATCH_UNICAST, bytes_15k, RTCMSG_OK, "",
     ""},
    {"base64 of a byte more", "volcengine.payload_limit_counts", "base64", BATCH_UNICAST, bytes_15k_1, INVALID,
     "payload", "20,480"},
    {"341 spaces encoded", "zego.payload_limit_counts", "encoded", COMMAND, spaces_341, RTCMSG_OK, "", ""},
    {"342 spaces encoded", "zego.payload_limit_counts", "encoded", COMMAND, spaces_342, INVALID, "payload", "1,026"},
    {"a lower p2p_max_content", "volcengine.p2p_max_content", "2", TO_USERS, unchanged, RTCMSG_OK, "", ""},
    {"above a lower p2p_max_content", "volcengine.p2p_max_content", "2", TO_USERS, payload_3, INVALID, "payload", "3"},
    {"a lower p2p_max_users", "volcengine.p2p_max_users", "2", ALL_EXCEPT, unchanged, RTCMSG_OK, "", ""},
    {"above a lower p2p_max_users", "volcengine.p2p_max_users", "1", ALL_EXCEPT, unchanged, INVALID, "user_ids",
     "accepts at most 1"},
    {"a higher p2p_max_users", "volcengine.p2p_max_users", "501", ALL_EXCEPT, ids_501, RTCMSG_OK, "", ""},
    {"a lower max_id_length", "zego.max_id_length", "6", COMMAND, unchanged, RTCMSG_OK, "", ""},
    {"above a lower max_id_length", "zego.max_id_length", "5", COMMAND, user_of_6, INVALID, "to[1]", "is 5"},
    {"a higher max_id_length", "zego.max_id_length", "129", COMMAND, room_129, RTCMSG_OK, "", ""},
    {"no RTC app", "volcengine.rtc_app_id", "", UNICAST, unchanged, RTCMSG_ERR_NOT_CONFIGURED, "volcengine.rtc_app_id",
     "SendUnicast needs"},
    {"no IM app", "volcengine.im_app_id", "", TO_USERS, unchanged, RTCMSG_ERR_NOT_CONFIGURED, "volcengine.im_app_id",
     "P2PSendMessage needs"},
};

static void messages_beyond_limits_from_settings(void) {
  size_t i;
  for (i = 0; i < COUNT(limited); i++) {
    const struct limited *row = &limited[i];
    rtcmsg_client *by = fixture_client(row->key, row->value, NULL);
    rtcmsg_message message = actions[row->action].good;
    row_begin(row->what);
    row->change(&message);
    row_check_message(by, &message, row->code, row->field, row->text);
    rtcmsg_client_free(by);
  }
  row_end_group(client);
}

int main(void) {
  fill_the_tables();
  client = fixture_client(NULL);
  row_begin_group();
  invalid_messages();
  messages_beyond_limits_from_settings();
  rtcmsg_client_free(client);
  return row_summary();
}
