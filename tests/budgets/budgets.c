/* The program that tools/budgets.py measures: `budgets MODE CASE THREADS COUNT` sends COUNT messages with the settings
 * of the environment, after some that warm it up. MODE is send or submit, CASE is unicast or command. Prints the
 * largest number of library threads that it saw. */
#include <dirent.h>
#include <pthread.h>
#include <rtcmsg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP 20
#define USERS 10

static rtcmsg_client *client;
static rtcmsg_message message;
static pthread_barrier_t barrier;
static int each;
static long most_threads;

static void fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static void count_threads(void) {
  long found = 0;
  DIR *tasks = opendir("/proc/self/task");
  if (tasks == NULL) fail("/proc/self/task", "cannot be read");
  struct dirent *task;
  while ((task = readdir(tasks)) != NULL) {
    char path[300], name[16] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
    FILE *comm = fopen(path, "r");
    if (comm == NULL) continue;
    if (fgets(name, sizeof name, comm) != NULL && strncmp(name, "rtcmsg-", 7) == 0) found++;
    fclose(comm);
  }
  closedir(tasks);
  if (found > most_threads) most_threads = found;
}

static void send_many(int count) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  for (int i = 0; i < count; i++) {
    rtcmsg_report *report = NULL;
    if (rtcmsg_client_send(client, &message, NULL, &report, &error) != RTCMSG_OK) fail("send", error.message);
    rtcmsg_report_free(report);
  }
}

static void *sender(void *first) {
  send_many(WARM_UP);
  /* All threads are connected before any continues, so that no connection is made later. */
  pthread_barrier_wait(&barrier);
  send_many(each);
  if (first != NULL) count_threads();
  return NULL;
}

static void send_from(int threads) {
  pthread_t *running = calloc((size_t)threads, sizeof *running);
  if (running == NULL) fail("memory", "calloc failed");
  pthread_barrier_init(&barrier, NULL, (unsigned)threads);
  for (int i = 0; i < threads; i++) {
    if (pthread_create(&running[i], NULL, sender, i == 0 ? &client : NULL) != 0) fail("thread", "cannot be started");
  }
  for (int i = 0; i < threads; i++) pthread_join(running[i], NULL);
  free(running);
}

/* Keeps `at_once` messages in the queue. */
static void submit_many(int count, int at_once) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  options.flags = RTCMSG_SUBMIT_UNORDERED;
  int begun = 0, done = 0;
  while (done < count) {
    for (; begun < count && begun - done < at_once; begun++) {
      uint64_t id;
      if (rtcmsg_client_submit(client, &message, &options, &id, &error) != RTCMSG_OK) fail("submit", error.message);
    }
    rtcmsg_completion rows[16];
    size_t found;
    if (rtcmsg_client_poll(client, -1, rows, sizeof rows[0], 16, &found, &error) != RTCMSG_OK)
      fail("poll", error.message);
    for (size_t i = 0; i < found; i++) {
      if (rows[i].code != RTCMSG_OK) fail("completion", rtcmsg_report_summary(rows[i].report));
      rtcmsg_report_free(rows[i].report);
    }
    done += (int)found;
  }
}

int main(int argc, char **argv) {
  if (argc != 5) fail(argv[0], "takes MODE CASE THREADS COUNT");
  int threads = atoi(argv[3]), count = atoi(argv[4]);
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  if (rtcmsg_config_load_env(config, &error) != RTCMSG_OK || rtcmsg_client_new(config, &client, &error) != RTCMSG_OK) {
    fail(error.field, error.message);
  }
  rtcmsg_config_free(config);

  rtcmsg_str to[USERS];
  char names[USERS][8], payload[100];
  for (int i = 0; i < USERS; i++) {
    snprintf(names[i], sizeof names[i], "user-%d", i);
    to[i] = rtcmsg_str_from(names[i]);
  }
  memset(payload, 'x', sizeof payload);
  int is_command = strcmp(argv[2], "command") == 0;
  message = (rtcmsg_message)RTCMSG_INIT(rtcmsg_message);
  message.action = is_command ? RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS : RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST;
  if (is_command) message.room_id = rtcmsg_str_from("lobby");
  message.from = rtcmsg_str_from("server");
  message.to = to;
  message.to_count = is_command ? USERS : 1;
  message.payload = payload;
  message.payload_len = sizeof payload;

  each = count / threads;
  if (strcmp(argv[1], "submit") == 0) {
    submit_many(WARM_UP * threads, threads);
    submit_many(count, threads);
    count_threads();
  } else {
    send_from(threads);
  }
  rtcmsg_client_free(client);
  printf("%ld\n", most_threads);
  return 0;
}
