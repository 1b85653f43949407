#include "client.h"

#include <stdio.h>

static void set(rtcmsg_config *config, const char *key, const char *value) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  if (rtcmsg_config_set(config, key, value, &error) != RTCMSG_OK) bench_fail(key, error.message);
}

rtcmsg_client *client_for(const struct bench *bench, const char *const *settings) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  set(config, "volcengine.endpoint", bench->url);
  set(config, "volcengine.access_key", "AKLTdemo");
  set(config, "volcengine.secret_key", "demo-secret-key==");
  set(config, "volcengine.rtc_app_id", "661e000000000000000demo1");
  set(config, "zego.endpoint", bench->url);
  set(config, "zego.app_id", "1234567890");
  set(config, "zego.server_secret", "0123456789abcdef0123456789abcdef");
  set(config, "quota.mode", "off");
  if (bench->ca) set(config, "tls.ca_file", bench->ca);
  for (; settings != NULL && settings[0] != NULL; settings += 2) set(config, settings[0], settings[1]);
  rtcmsg_client *client = NULL;
  if (rtcmsg_client_new(config, &client, &error) != RTCMSG_OK) bench_fail(error.field, error.message);
  rtcmsg_config_free(config);
  return client;
}

rtcmsg_message client_message(const char *name) {
  struct bench_message plain = bench_message(name);
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  if (name[0] == 'u') message.action = RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST;
  if (name[0] == 'b') message.action = RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST;
  if (name[0] == 'c') message.action = RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS;
  if (plain.room[0]) message.room_id = rtcmsg_str_from(plain.room);
  message.from = rtcmsg_str_from(plain.from);
  rtcmsg_str *to = bench_alloc(plain.to_count * sizeof *to);
  for (size_t i = 0; i < plain.to_count; i++) to[i] = rtcmsg_str_from(plain.to[i]);
  message.to = to;
  message.to_count = plain.to_count;
  message.payload = plain.payload;
  message.payload_len = plain.payload_len;
  return message;
}
