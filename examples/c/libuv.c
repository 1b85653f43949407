/* An event loop of libuv: submits a few messages and handles their completions in a callback of the loop.
 *
 * Settings come from the environment (docs/CONFIGURATION.md). */
#include <inttypes.h>
#include <rtcmsg.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { MESSAGES = 3 };

typedef struct app {
  rtcmsg_client *client;
  size_t done;
} app;

static void give_up(const rtcmsg_error *error) {
  fprintf(stderr, "%s: %s: %s\n", rtcmsg_code_name(error->code), error->field, error->message);
  exit(1);
}

/* libuv calls this as long as the handle is readable, so one batch for each call is enough. */
static void on_readable(uv_poll_t *watcher, int status, int events) {
  app *self = watcher->data;
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_completion rows[16];
  size_t count;
  size_t i;
  (void)events;
  if (status < 0) return;
  if (rtcmsg_client_poll(self->client, 0, rows, sizeof *rows, 16, &count, &error) != RTCMSG_OK) give_up(&error);
  for (i = 0; i < count; i++) {
    printf("message %" PRIu64 ": %s\n", rows[i].user_data, rtcmsg_delivery_name(rows[i].delivery));
    rtcmsg_report_free(rows[i].report);
    self->done++;
  }
  /* Closing the watcher leaves the descriptor open: the client owns it. */
  if (self->done == MESSAGES) uv_close((uv_handle_t *)watcher, NULL);
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

int main(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  app self = {client_from_environment(), 0};
  uv_loop_t *loop = uv_default_loop();
  uv_poll_t watcher;
  uint64_t number;
  intptr_t handle;
  if (rtcmsg_client_event_handle(self.client, &handle, &error) != RTCMSG_OK) give_up(&error);
  watcher.data = &self;
  if (uv_poll_init(loop, &watcher, (int)handle) != 0) return 1;
  if (uv_poll_start(&watcher, UV_READABLE, on_readable) != 0) return 1;
  for (number = 1; number <= MESSAGES; number++) submit(self.client, number);
  uv_run(loop, UV_RUN_DEFAULT);
  uv_loop_close(loop);
  rtcmsg_client_free(self.client);
  return 0;
}
