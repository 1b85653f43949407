/* An event loop on epoll: submits a few messages and handles their completions as an event of the loop.
 *
 * Settings come from the environment (docs/CONFIGURATION.md). Linux. */
#include <inttypes.h>
#include <rtcmsg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { MESSAGES = 3 };

static void give_up(const rtcmsg_error *error) {
  fprintf(stderr, "%s: %s: %s\n", rtcmsg_code_name(error->code), error->field, error->message);
  exit(1);
}

static rtcmsg_client *client_from_environment(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  rtcmsg_client *client = NULL;
  if (rtcmsg_config_load_env(config, &error) != RTCMSG_OK || rtcmsg_client_new(config, &client, &error) != RTCMSG_OK)
    give_up(&error);
  rtcmsg_config_free(config);
  return client;
}

/* The completion returns the number, which identifies the message. */
static void submit(rtcmsg_client *client, uint64_t number) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  char text[32];
  uint64_t id;
  message.action = RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST;
  message.room_id = rtcmsg_str_from("lobby");
  message.from = rtcmsg_str_from("server");
  message.payload = text;
  message.payload_len = (size_t)snprintf(text, sizeof text, "message %" PRIu64, number);
  options.user_data = number;
  if (rtcmsg_client_submit(client, &message, &options, &id, &error) != RTCMSG_OK) give_up(&error);
}

/* Handles the available completions without waiting, and returns their number. */
static size_t handle_completions(rtcmsg_client *client) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_completion rows[16];
  size_t count;
  size_t i;
  if (rtcmsg_client_poll(client, 0, rows, sizeof *rows, 16, &count, &error) != RTCMSG_OK) give_up(&error);
  for (i = 0; i < count; i++) {
    printf("message %" PRIu64 ": %s\n", rows[i].user_data, rtcmsg_delivery_name(rows[i].delivery));
    rtcmsg_report_free(rows[i].report);
  }
  return count;
}

int main(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_client *client = client_from_environment();
  struct epoll_event interest = {.events = EPOLLIN};
  size_t done = 0;
  uint64_t number;
  intptr_t handle;
  int loop = epoll_create1(EPOLL_CLOEXEC);
  if (rtcmsg_client_event_handle(client, &handle, &error) != RTCMSG_OK) give_up(&error);
  if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, (int)handle, &interest) != 0) {
    perror("epoll");
    return 1;
  }
  for (number = 1; number <= MESSAGES; number++) submit(client, number);

  /* The handle is readable as long as a completion waits, so a completion that arrives meanwhile is not missed. */
  while (done < MESSAGES) {
    struct epoll_event event;
    if (epoll_wait(loop, &event, 1, -1) == 1) done += handle_completions(client);
  }
  rtcmsg_client_free(client);
  close(loop);
  return 0;
}
