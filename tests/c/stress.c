// emulator: --no-quota
// ledger: completions.txt

/* Four threads submit all nine actions, two poll, one cancels and one changes the credentials, while the emulator
 * causes random faults from fixed seeds. The client is closed in the middle of this.
 *
 * STRESS_MESSAGES is the number of messages that are accepted before the close; the default is what an unoptimized
 * library handles in a short time. Each message has a number, which is in its payload and is its user_data. The outcome
 * of each one is written to a file, which the runner compares with the emulator's ledger. */
#include <inttypes.h>
#include <pthread.h>
#include <rtcmsg.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "control.h"
#include "fixtures.h"
#include "tasks.h"

enum { SUBMITTERS = 4, POLLERS = 2, ROWS = 64, CLOSE_MS = 5, DESTINATIONS = 200 };

/* A message as its submitter and the pollers see it. */
struct entry {
  uint64_t id; /* 0 if the message was not accepted */
  uint64_t completed_id;
  unsigned completions;
  int without_completion;
  rtcmsg_code code;
  uint32_t delivery;
  /* The number of its requests with each delivery. */
  unsigned done;
  unsigned unknown;
  unsigned refused;
};

static rtcmsg_client *client;
static struct entry *entries;
static unsigned char *cancelled; /* indexed by id */
static size_t wanted;            /* the number of messages accepted before the close */
static size_t room;
static size_t next_number;
static uint64_t submitted_count;
static uint64_t latest_id;
static uint64_t unexpected_completions; /* completions without a message, repeated ones, and wrong ones */
static int is_over;

static uint64_t load(const uint64_t *from) { return __atomic_load_n(from, __ATOMIC_SEQ_CST); }

/* xorshift: the same sequence in every run. */
static uint32_t next_random(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

static void sleep_us(long microseconds) {
  struct timespec time = {0, 0};
  time.tv_nsec = microseconds * 1000;
  nanosleep(&time, NULL);
}

/* A message of any action, which depends only on its number. The message points into this struct. */
struct draft {
  char room_id[32];
  char user[32];
  char payload[96];
  rtcmsg_str to[12];
  int64_t ids[2];
  rtcmsg_message message;
  rtcmsg_send_options options;
};

static const uint32_t actions[] = {
    RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST,
    RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST,
    RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST,
    RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST,
    RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS,
    RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL,
    RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT,
    RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS,
    RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM,
};

static void set_recipients(struct draft *draft, uint32_t random) {
  static const char *const crowd[] = {"u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9", "u10", "u11"};
  rtcmsg_message *message = &draft->message;
  size_t i;
  int is_im = message->action / 10 == 11;
  int is_for_all = message->action == RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST ||
                   message->action == RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM;
  if (is_im) {
    message->conversation_id = 1 + random % 2;
    message->sender_id = 1;
    message->msg_type = 100;
    draft->ids[0] = 2;
    draft->ids[1] = 3;
    message->user_ids = draft->ids;
    if (message->action == RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS) message->user_id_count = 2;
    if (message->action == RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT) message->user_id_count = 1;
    if (message->user_id_count == 0) message->user_ids = NULL;
    return;
  }
  message->from = rtcmsg_str_from("server");
  snprintf(draft->room_id, sizeof draft->room_id, "room-%u", (unsigned)(random % DESTINATIONS));
  snprintf(draft->user, sizeof draft->user, "user-%u", (unsigned)(random / 7 % DESTINATIONS));
  if (message->action != RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST) message->room_id = rtcmsg_str_from(draft->room_id);
  if (is_for_all) return;
  message->to = draft->to;
  message->to_count = 1;
  draft->to[0] = rtcmsg_str_from(draft->user);
  if (message->action == RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST) {
    draft->to[1] = rtcmsg_str_from("u1");
    message->to_count = 2;
  }
  if (message->action == RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS) {
    /* All users are in one room. Some lists are longer than the limit of one request. */
    message->room_id = rtcmsg_str_from("crowd");
    message->to_count = random % 16 == 0 ? 12 : 1;
    for (i = 0; i < message->to_count; i++) draft->to[i] = rtcmsg_str_from(crowd[(random / 16 + i) % 12]);
  }
}

static void compose(struct draft *draft, size_t number) {
  static const rtcmsg_message no_message = RTCMSG_INIT(rtcmsg_message);
  static const rtcmsg_send_options no_options = RTCMSG_INIT(rtcmsg_send_options);
  uint32_t random = (uint32_t)number * 2654435761u + 1;
  next_random(&random);
  draft->message = no_message;
  draft->options = no_options;
  draft->message.action = actions[number % 9];
  set_recipients(draft, next_random(&random));
  snprintf(draft->payload, sizeof draft->payload, "number %zu %.*s", number, (int)(random % 60),
           "............................................................");
  fixture_set_payload(&draft->message, draft->payload);
  if (draft->message.action <= RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST && next_random(&random) % 4 == 0)
    draft->message.flags = RTCMSG_MESSAGE_BINARY;
  draft->options.user_data = number;
  draft->options.priority = next_random(&random) % 4 == 0 ? RTCMSG_PRIORITY_URGENT : RTCMSG_PRIORITY_NORMAL;
  if (next_random(&random) % 16 == 0) draft->options.expires_in_ms = (int32_t)(1 + random / 16 % 30);
  if (next_random(&random) % 64 == 0) draft->options.timeout_ms = (int32_t)(1 + random / 64 % 4);
  switch (next_random(&random) % 8) {
    case 0:
    case 1:
      draft->options.flags |= RTCMSG_SUBMIT_UNORDERED;
      break;
    case 2:
      draft->options.order_key = 1 + random / 8 % 50;
      break;
    default:
      break;
  }
  if (next_random(&random) % 32 == 0) draft->options.flags |= RTCMSG_SUBMIT_NO_COMPLETION;
}

/* Submits until the client is closed or all numbers are used. Stores a code that is not expected in *argument. */
static void *submit(void *argument) {
  rtcmsg_code *wrong = argument;
  struct draft draft;
  for (;;) {
    size_t number = __atomic_fetch_add(&next_number, 1, __ATOMIC_SEQ_CST);
    struct entry *entry = &entries[number];
    rtcmsg_code code;
    if (number >= room) return NULL;
    compose(&draft, number);
    entry->without_completion = (draft.options.flags & RTCMSG_SUBMIT_NO_COMPLETION) != 0;
    while ((code = rtcmsg_client_submit(client, &draft.message, &draft.options, &entry->id, NULL)) ==
           RTCMSG_ERR_QUEUE_FULL)
      sleep_us(200);
    if (code != RTCMSG_OK) {
      if (code != RTCMSG_ERR_CLOSED) *wrong = code;
      return NULL;
    }
    __atomic_store_n(&latest_id, entry->id, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&submitted_count, 1, __ATOMIC_SEQ_CST);
  }
}

static void record(const rtcmsg_completion *row) {
  struct entry *entry = &entries[row->user_data];
  size_t i;
  if (row->user_data >= room || __atomic_fetch_add(&entry->completions, 1, __ATOMIC_SEQ_CST) > 0) {
    __atomic_fetch_add(&unexpected_completions, 1, __ATOMIC_SEQ_CST);
    return;
  }
  entry->completed_id = row->id;
  entry->code = row->code;
  entry->delivery = row->delivery;
  if (row->code != rtcmsg_report_code(row->report) || row->delivery != rtcmsg_report_delivery(row->report))
    __atomic_fetch_add(&unexpected_completions, 1, __ATOMIC_SEQ_CST);
  for (i = 0; i < rtcmsg_report_request_count(row->report); i++) {
    uint32_t delivery = rtcmsg_report_request(row->report, i)->delivery;
    entry->done += delivery == RTCMSG_DELIVERY_ACCEPTED || delivery == RTCMSG_DELIVERY_DELIVERED;
    entry->unknown += delivery == RTCMSG_DELIVERY_UNKNOWN;
    entry->refused += delivery == RTCMSG_DELIVERY_NOT_DELIVERED;
  }
}

/* Polls until the client is closed and no completions are left. */
static void *poll_all(void *argument) {
  rtcmsg_code *wrong = argument;
  rtcmsg_completion rows[ROWS];
  size_t count;
  size_t i;
  do {
    rtcmsg_code code = rtcmsg_client_poll(client, -1, rows, sizeof *rows, ROWS, &count, NULL);
    if (code != RTCMSG_OK) *wrong = code;
    for (i = 0; i < count; i++) {
      record(&rows[i]);
      rtcmsg_report_free(rows[i].report);
    }
  } while (count > 0);
  return NULL;
}

static void *cancel_some(void *argument) {
  rtcmsg_code *wrong = argument;
  uint32_t random = 20200101;
  while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
    uint64_t latest = load(&latest_id);
    uint64_t back = next_random(&random) % 2000;
    rtcmsg_code code;
    if (latest > back) {
      code = rtcmsg_client_cancel(client, latest - back, NULL);
      if (code == RTCMSG_OK) cancelled[latest - back] = 1;
      if (code != RTCMSG_OK && code != RTCMSG_ERR_NOT_FOUND && code != RTCMSG_ERR_CLOSED) *wrong = code;
    }
    sleep_us(500);
  }
  return NULL;
}

/* The emulator accepts the keys with and without the session token. */
static void *change_credentials(void *argument) {
  rtcmsg_code *wrong = argument;
  rtcmsg_str key = rtcmsg_str_from(getenv("RTCMSG_VOLCENGINE_ACCESS_KEY"));
  rtcmsg_str secret = rtcmsg_str_from(getenv("RTCMSG_VOLCENGINE_SECRET_KEY"));
  rtcmsg_str token = rtcmsg_str_from(getenv("TEST_SESSION_TOKEN"));
  rtcmsg_str server_secret = rtcmsg_str_from(getenv("RTCMSG_ZEGO_SERVER_SECRET"));
  rtcmsg_str none = rtcmsg_str_from(NULL);
  int turn;
  for (turn = 0; !__atomic_load_n(&is_over, __ATOMIC_SEQ_CST); turn++) {
    rtcmsg_code code = turn % 3 == 2
                           ? rtcmsg_client_set_credentials(client, RTCMSG_VENDOR_ZEGO, none, server_secret, none, NULL)
                           : rtcmsg_client_set_credentials(client, RTCMSG_VENDOR_VOLCENGINE, key, secret,
                                                           turn % 3 ? token : none, NULL);
    if (code != RTCMSG_OK && code != RTCMSG_ERR_CLOSED) *wrong = code;
    sleep_us(700);
  }
  return NULL;
}

static void fill_rooms(void) {
  int i;
  for (i = 0; i < 12; i++) control_post("zego/join", "{\"room_id\":\"crowd\",\"user_id\":\"u%d\"}", i);
  for (i = 0; i < 8; i++)
    control_post("im/join", "{\"conversation_id\":%d,\"user_id\":%d,\"devices\":[\"Web\"]}", 1 + i / 4, 1 + i % 4);
  for (i = 0; i < DESTINATIONS; i++) control_post("zego/join", "{\"room_id\":\"room-%d\",\"user_id\":\"u0\"}", i);
}

/* The fault at accept is added last, because it also affects connections to the control API. */
static void add_faults(void) {
  static const char *const faults[] = {
      "\"probability\":0.01,\"seed\":1,\"throttle\":true",
      "\"probability\":0.02,\"seed\":2,\"latency_ms\":4",
      "\"probability\":0.01,\"seed\":3,\"answer_latency_ms\":3",
      "\"probability\":0.01,\"seed\":4,\"status\":500",
      "\"probability\":0.01,\"seed\":5,\"status\":502,\"html\":true",
      "\"probability\":0.005,\"seed\":6,\"status\":504,\"processed\":true",
      "\"probability\":0.005,\"seed\":7,\"cut_answer_after\":0",
      "\"probability\":0.005,\"seed\":8,\"cut_answer_after\":60,\"reset\":true",
      "\"probability\":0.005,\"seed\":9,\"cut_request_after\":120",
      "\"probability\":0.005,\"seed\":10,\"cut_request_after\":0,\"reset\":true",
      "\"probability\":0.01,\"seed\":11,\"close_idle_after_answer\":true",
      "\"probability\":0.02,\"seed\":12,\"count\":300,\"reset_on_accept\":true",
  };
  size_t i;
  for (i = 0; i < sizeof faults / sizeof *faults; i++) control_post("faults", "{%s}", faults[i]);
}

static void check_entries(void) {
  uint64_t completed = 0;
  uint64_t with_completion = 0;
  uint64_t accepted = 0;
  uint64_t wrong_id = 0;
  uint64_t twice_or_never = 0;
  uint64_t wrong_cancel = 0;
  uint64_t wrong_unsent = 0;
  uint64_t by_delivery[6] = {0};
  uint64_t closed = 0;
  size_t number;
  for (number = 0; number < room; number++) {
    const struct entry *entry = &entries[number];
    accepted += entry->id != 0;
    with_completion += entry->id != 0 && !entry->without_completion;
    completed += entry->completions;
    if (entry->completions != (entry->id != 0 && !entry->without_completion)) twice_or_never++;
    if (entry->completions == 0) continue;
    by_delivery[entry->delivery % 6]++;
    closed += entry->code == RTCMSG_ERR_CLOSED;
    wrong_id += entry->completed_id != entry->id;
    wrong_cancel += cancelled[entry->id] != (entry->code == RTCMSG_ERR_CANCELLED);
    wrong_unsent += (entry->code == RTCMSG_ERR_CANCELLED) && entry->delivery != RTCMSG_DELIVERY_NOT_SENT;
  }
  printf("accepted %" PRIu64 ", completed %" PRIu64 ", closed %" PRIu64 "; not sent %" PRIu64 ", not delivered %" PRIu64
         ", accepted %" PRIu64 ", delivered %" PRIu64 ", unknown %" PRIu64 "\n",
         accepted, completed, closed, by_delivery[RTCMSG_DELIVERY_NOT_SENT], by_delivery[RTCMSG_DELIVERY_NOT_DELIVERED],
         by_delivery[RTCMSG_DELIVERY_ACCEPTED], by_delivery[RTCMSG_DELIVERY_DELIVERED],
         by_delivery[RTCMSG_DELIVERY_UNKNOWN]);
  CHECK(accepted >= wanted);
  CHECK_SIZE(accepted, submitted_count);
  CHECK_SIZE(completed, with_completion);
  CHECK_SIZE(unexpected_completions, 0);
  CHECK_SIZE(wrong_id, 0);
  CHECK_SIZE(twice_or_never, 0);
  CHECK_SIZE(wrong_cancel, 0);
  CHECK_SIZE(wrong_unsent, 0);
  CHECK(by_delivery[RTCMSG_DELIVERY_ACCEPTED] > 0 && by_delivery[RTCMSG_DELIVERY_DELIVERED] > 0 &&
        by_delivery[RTCMSG_DELIVERY_UNKNOWN] > 0 && by_delivery[RTCMSG_DELIVERY_NOT_SENT] > 0);
}

/* Writes a line for each accepted message: its number, the number of its completions, and its requests by delivery. */
static void write_entries(void) {
  FILE *file = fopen("completions.txt", "w");
  size_t number;
  REQUIRE(file != NULL);
  for (number = 0; number < room; number++) {
    const struct entry *entry = &entries[number];
    if (entry->id == 0) continue;
    fprintf(file, "%zu %u %u %u %u\n", number, entry->completions, entry->done, entry->unknown, entry->refused);
  }
  CHECK(fclose(file) == 0);
}

static void check_stats(void) {
  static char json[8192];
  char submitted[64];
  size_t needed;
  CHECK_CODE(rtcmsg_client_stats(client, json, sizeof json, &needed, NULL), RTCMSG_OK);
  CHECK_SIZE(needed, strlen(json) + 1);
  snprintf(submitted, sizeof submitted, "\"submitted\":%" PRIu64, submitted_count);
  CHECK_CONTAINS(json, submitted);
  CHECK_CONTAINS(json, "\"bytes\":0,");
  CHECK_CONTAINS(json, "\"depth\":0,");
  CHECK_CONTAINS(json, "\"in_flight\":0,");
}

int main(void) {
  pthread_t submitters[SUBMITTERS];
  pthread_t pollers[POLLERS];
  pthread_t others[2];
  rtcmsg_code wrong[SUBMITTERS + POLLERS + 2] = {RTCMSG_OK};
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  int i;
  wanted = strcmp(getenv("TEST_MODE"), "plain") == 0 ? 20000 : 3000;
  if (getenv("STRESS_MESSAGES")) wanted = strtoul(getenv("STRESS_MESSAGES"), NULL, 10);
  room = wanted * 2;
  entries = calloc(room + SUBMITTERS, sizeof *entries);
  cancelled = calloc(room + SUBMITTERS, 1);
  REQUIRE(entries && cancelled);
  fill_rooms();
  add_faults();
  client = fixture_client("queue.capacity", "2000", "retry.max_attempts", "3", "retry.backoff_ms", "1",
                          "retry.backoff_max_ms", "4", NULL);
  for (i = 0; i < POLLERS; i++) REQUIRE(pthread_create(&pollers[i], NULL, poll_all, &wrong[SUBMITTERS + i]) == 0);
  for (i = 0; i < SUBMITTERS; i++) REQUIRE(pthread_create(&submitters[i], NULL, submit, &wrong[i]) == 0);
  REQUIRE(pthread_create(&others[0], NULL, cancel_some, &wrong[SUBMITTERS + POLLERS]) == 0);
  REQUIRE(pthread_create(&others[1], NULL, change_credentials, &wrong[SUBMITTERS + POLLERS + 1]) == 0);
  while (load(&submitted_count) < wanted) sleep_us(1000);
  CHECK_CODE(rtcmsg_client_close(client, CLOSE_MS, &error), RTCMSG_OK);
  fixture_check_no_error(&error);
  for (i = 0; i < SUBMITTERS; i++) CHECK(pthread_join(submitters[i], NULL) == 0);
  for (i = 0; i < POLLERS; i++) CHECK(pthread_join(pollers[i], NULL) == 0);
  __atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);
  for (i = 0; i < 2; i++) CHECK(pthread_join(others[i], NULL) == 0);
  for (i = 0; i < SUBMITTERS + POLLERS + 2; i++) CHECK_CODE(wrong[i], RTCMSG_OK);
  CHECK_SIZE(rtcmsg_client_pending(client), 0);
  check_stats();
  check_entries();
  write_entries();
  rtcmsg_client_free(client);
  tasks_wait_for_end_of("rtcmsg-");
  free(entries);
  free(cancelled);
  return check_summary();
}
