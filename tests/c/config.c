/* Settings from the program and from the environment, the lines of the log, and that no secret is in a log line or an
 * error. */
#include <rtcmsg.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "control.h"
#include "fixtures.h"
#include "listener.h"

/* All lines of a log, in order, and the most verbose level among them. */
struct log {
  char text[256 * 1024];
  size_t len;
  size_t lines;
  int32_t most_verbose;
};

static struct log everything;

static void log_line(void *user_data, int32_t level, const char *text) {
  struct log *log = user_data;
  size_t len = strlen(text);
  log->lines++;
  if (level > log->most_verbose) log->most_verbose = level;
  if (level < RTCMSG_LOG_ERROR || len == 0 || strpbrk(text, "\r\n")) log->most_verbose = INT32_MAX;
  if (log->len + len + 2 > sizeof log->text) return;
  memcpy(log->text + log->len, text, len);
  log->len += len;
  log->text[log->len++] = '\n';
  log->text[log->len] = '\0';
}

/* Adds a text that a user can see to the log, so that both are searched for secrets. */
static void collect(const char *text) {
  size_t len = strlen(text);
  if (everything.len + len + 2 > sizeof everything.text) return;
  memcpy(everything.text + everything.len, text, len + 1);
  everything.len += len;
}

static rtcmsg_code set(rtcmsg_config *config, const char *key, const char *value, rtcmsg_error *error) {
  rtcmsg_code code = rtcmsg_config_set(config, key, value, error);
  CHECK_CODE(error->code, code);
  collect(error->field);
  collect(error->message);
  return code;
}

static rtcmsg_code load(rtcmsg_config *config, rtcmsg_error *error) {
  rtcmsg_code code = rtcmsg_config_load_env(config, error);
  CHECK_CODE(error->code, code);
  collect(error->field);
  collect(error->message);
  return code;
}

static void an_unknown_key_is_refused_with_the_nearest_one(void) {
  static const char *const slips[][2] = {{"zego.appid", "zego.app_id"},
                                         {"zego.app_id ", "zego.app_id"},
                                         {"volcengine.secret", "volcengine.secret_key"},
                                         {"volcengine.acces_key", "volcengine.access_key"},
                                         {"http.timeout", "http.timeout_ms"},
                                         {"tls.cafile", "tls.ca_file"}};
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  size_t i;
  for (i = 0; i < sizeof slips / sizeof *slips; i++) {
    check_case(slips[i][0]);
    CHECK_CODE(set(config, slips[i][0], "1", &error), RTCMSG_ERR_INVALID_ARGUMENT);
    CHECK_TEXT(error.field, slips[i][0]);
    CHECK_CONTAINS(error.message, slips[i][1]);
  }
  check_case("no similar key");
  CHECK_CODE(set(config, "!", "1", &error), RTCMSG_ERR_INVALID_ARGUMENT);
  CHECK_CONTAINS(error.message, "docs/CONFIGURATION.md");
  rtcmsg_config_free(config);
}

static void an_empty_value_resets_a_key(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = fixture_config();
  rtcmsg_client *client = NULL;
  check_case("reset to the default");
  CHECK_CODE(set(config, "zego.server_secret", "", &error), RTCMSG_OK);
  fixture_check_no_error(&error);
  CHECK_CODE(rtcmsg_client_new(config, &client, &error), RTCMSG_ERR_NOT_CONFIGURED);
  CHECK_TEXT(error.field, "zego.server_secret");
  CHECK(client == NULL);
  rtcmsg_config_free(config);
}

static void a_client_keeps_a_copy_of_its_configuration(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = fixture_config();
  rtcmsg_client *client = NULL;
  rtcmsg_message message = fixture_unicast();
  check_case("configuration changed and freed");
  CHECK_CODE(rtcmsg_client_new(config, &client, &error), RTCMSG_OK);
  CHECK_CODE(set(config, "volcengine.secret_key", "changed", &error), RTCMSG_OK);
  rtcmsg_config_free(config);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  rtcmsg_client_free(client);
}

static void a_later_set_overrides_the_environment(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  rtcmsg_client *client;
  rtcmsg_message message = fixture_unicast();
  check_case("set, load, set");
  CHECK_CODE(set(config, "volcengine.secret_key", "before", &error), RTCMSG_OK);
  CHECK_CODE(load(config, &error), RTCMSG_OK);
  fixture_check_no_error(&error);
  client = fixture_client_of(config);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  rtcmsg_client_free(client);

  client = fixture_client("volcengine.secret_key", "after", NULL);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_ERR_UNAUTHENTICATED));
  rtcmsg_client_free(client);
}

/* Unsets a variable and returns a copy of its value, for restore(). */
static char *save_and_unset(const char *variable) {
  const char *value = getenv(variable);
  char *kept = malloc(strlen(value) + 1);
  REQUIRE(kept != NULL);
  strcpy(kept, value);
  unsetenv(variable);
  return kept;
}

static void restore(const char *variable, char *kept) {
  setenv(variable, kept, 1);
  free(kept);
}

static void our_variables_override_the_vendors_own(void) {
  rtcmsg_client *client;
  rtcmsg_message message = fixture_unicast();
  char *access_key;
  char *secret_key;
  check_case("VOLC_ beside RTCMSG_");
  setenv("VOLC_ACCESSKEY", "AKLTother", 1);
  setenv("VOLC_SECRETKEY", "other", 1);
  client = fixture_client(NULL);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  rtcmsg_client_free(client);

  check_case("only VOLC_");
  access_key = save_and_unset("RTCMSG_VOLCENGINE_ACCESS_KEY");
  secret_key = save_and_unset("RTCMSG_VOLCENGINE_SECRET_KEY");
  client = fixture_client(NULL);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_ERR_UNAUTHENTICATED));
  rtcmsg_client_free(client);
  setenv("VOLC_ACCESSKEY", access_key, 1);
  setenv("VOLC_SECRETKEY", secret_key, 1);
  client = fixture_client(NULL);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  rtcmsg_client_free(client);

  restore("RTCMSG_VOLCENGINE_ACCESS_KEY", access_key);
  restore("RTCMSG_VOLCENGINE_SECRET_KEY", secret_key);
  unsetenv("VOLC_ACCESSKEY");
  unsetenv("VOLC_SECRETKEY");
}

/* Loads with one more variable, which must be refused. No setting may be loaded then. */
static void check_refused_variable(const char *variable, const char *value, const char *field, const char *part) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  rtcmsg_client *client = NULL;
  check_case(variable);
  setenv(variable, value, 1);
  CHECK_CODE(load(config, &error), RTCMSG_ERR_INVALID_ARGUMENT);
  CHECK_TEXT(error.field, field);
  CHECK_CONTAINS(error.message, part);
  unsetenv(variable);
  CHECK_CODE(rtcmsg_client_new(config, &client, &error), RTCMSG_ERR_NOT_CONFIGURED);
  rtcmsg_config_free(config);
}

static void an_invalid_variable_is_refused_and_no_setting_is_loaded(void) {
  check_refused_variable("RTCMSG_ZEGO_APPID", "1", "RTCMSG_ZEGO_APPID", "RTCMSG_ZEGO_APP_ID");
  check_refused_variable("RTCMSG_HTTP_TIMEOUT", "1", "RTCMSG_HTTP_TIMEOUT", "RTCMSG_HTTP_TIMEOUT_MS");
  check_refused_variable("RTCMSG_HTTP_TIMEOUT_MS", "soon", "http.timeout_ms", "86,400,000");
  check_refused_variable("RTCMSG_HTTP_MAX_IDLE_CONNECTIONS", "\xFF", "http.max_idle_connections", "UTF-8");
}

/* Kubernetes sets these in every pod of a namespace with the Services rtcmsg-worker, rtcmsg-tls and rtcmsg. */
static void kubernetes_service_links_are_ignored_and_misspelled_settings_are_not(void) {
  static const char *const links[][2] = {
      {"RTCMSG_WORKER_SERVICE_HOST", "10.0.0.7"},
      {"RTCMSG_WORKER_SERVICE_PORT", "80"},
      {"RTCMSG_WORKER_SERVICE_PORT_HTTP", "80"},
      {"RTCMSG_WORKER_PORT", "tcp://10.0.0.7:80"},
      {"RTCMSG_TLS_PORT_443_TCP", "tcp://10.0.0.8:443"},
      {"RTCMSG_TLS_PORT_443_TCP_PROTO", "tcp"},
      {"RTCMSG_TLS_PORT_443_TCP_PORT", "443"},
      {"RTCMSG_TLS_PORT_443_TCP_ADDR", "10.0.0.8"},
      {"RTCMSG_SERVICE_HOST", "10.0.0.9"},
      {"RTCMSG_PORT", "tcp://10.0.0.9:80"},
  };
  rtcmsg_message message = fixture_unicast();
  rtcmsg_client *client;
  size_t i;
  check_case("service links");
  for (i = 0; i < sizeof links / sizeof *links; i++) setenv(links[i][0], links[i][1], 1);
  client = fixture_client(NULL);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  rtcmsg_client_free(client);
  check_refused_variable("RTCMSG_WORKER_THREAD", "3", "RTCMSG_WORKER_THREAD", "RTCMSG_WORKER_THREADS");
  check_refused_variable("RTCMSG_HTTP_PROXY_PORT", "3128", "RTCMSG_HTTP_PROXY_PORT", "RTCMSG_HTTP_PROXY");
  for (i = 0; i < sizeof links / sizeof *links; i++) unsetenv(links[i][0]);
}

static void other_programs_variables_and_empty_ones_are_ignored(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  check_case("variables of other programs");
  setenv("RTCMSG_LIBRARY", "somewhere", 1);
  setenv("RTCMSG_HTTP_TIMEOUT_MS", "", 1);
  setenv("ZEGO_APP_ID", "not ours", 1);
  CHECK_CODE(load(config, &error), RTCMSG_OK);
  unsetenv("RTCMSG_LIBRARY");
  unsetenv("RTCMSG_HTTP_TIMEOUT_MS");
  unsetenv("ZEGO_APP_ID");
  rtcmsg_config_free(config);
}

static rtcmsg_message command(void) {
  static const rtcmsg_str alice = {"alice", 5};
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  message.action = RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS;
  message.room_id = rtcmsg_str_from("lobby");
  message.from = rtcmsg_str_from("server");
  message.to = &alice;
  message.to_count = 1;
  fixture_set_payload(&message, "payload-not-to-be-logged");
  return message;
}

static void check_not_configured(rtcmsg_client *client, const rtcmsg_message *message, const char *field) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_report *report = (rtcmsg_report *)&error;
  CHECK_CODE(rtcmsg_client_check(client, message, &error), RTCMSG_ERR_NOT_CONFIGURED);
  CHECK_TEXT(error.field, field);
  CHECK(error.message[0] != '\0');
  CHECK_CODE(rtcmsg_client_send(client, message, NULL, &report, &error), RTCMSG_ERR_NOT_CONFIGURED);
  CHECK_TEXT(error.field, field);
  CHECK(report == NULL);
  collect(error.message);
}

static void a_client_of_one_vendor_refuses_messages_of_the_other(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_client *client = fixture_client("zego.app_id", "", "zego.server_secret", "", NULL);
  rtcmsg_message zego = command();
  rtcmsg_message unicast = fixture_unicast();
  rtcmsg_report *report = NULL;
  check_case("only Volcengine");
  check_not_configured(client, &zego, "zego.app_id");
  CHECK_CODE(rtcmsg_client_call_action(client, RTCMSG_VENDOR_ZEGO, "SendBroadcastMessage", NULL, rtcmsg_str_from("{}"),
                                       NULL, &report, &error),
             RTCMSG_ERR_NOT_CONFIGURED);
  CHECK_TEXT(error.field, "zego.app_id");
  CHECK(report == NULL);
  rtcmsg_report_free(fixture_send(client, &unicast, RTCMSG_OK));
  rtcmsg_client_free(client);

  check_case("only ZEGO");
  client = fixture_client("volcengine.access_key", "", "volcengine.secret_key", "", "volcengine.rtc_app_id", "",
                          "volcengine.im_app_id", "", NULL);
  check_not_configured(client, &unicast, "volcengine.access_key");
  CHECK_CODE(rtcmsg_client_call_action(client, RTCMSG_VENDOR_VOLCENGINE, "P2PSendUserMessage", "2020-12-01",
                                       rtcmsg_str_from("{}"), NULL, &report, &error),
             RTCMSG_ERR_NOT_CONFIGURED);
  CHECK_TEXT(error.field, "volcengine.access_key");
  CHECK(report == NULL);
  rtcmsg_report_free(fixture_send(client, &zego, RTCMSG_OK));
  rtcmsg_client_free(client);

  check_case("without the RTC app");
  client = fixture_client("volcengine.rtc_app_id", "", NULL);
  check_not_configured(client, &unicast, "volcengine.rtc_app_id");
  rtcmsg_client_free(client);

  check_case("without the IM app");
  client = fixture_client("volcengine.im_app_id", "", NULL);
  unicast.action = RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL;
  unicast.from = rtcmsg_str_from(NULL);
  unicast.to = NULL;
  unicast.to_count = 0;
  unicast.conversation_id = unicast.sender_id = unicast.msg_type = 1;
  check_not_configured(client, &unicast, "volcengine.im_app_id");
  rtcmsg_client_free(client);
}

static rtcmsg_client *logging_client(struct log *log, int32_t max_level, const char *key, const char *value) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = fixture_config();
  if (key) CHECK_CODE(set(config, key, value, &error), RTCMSG_OK);
  CHECK_CODE(rtcmsg_config_set_log(config, log_line, log, max_level, &error), RTCMSG_OK);
  return fixture_client_of(config);
}

static void the_log_gets_the_lines_up_to_its_level(void) {
  static struct log logs[RTCMSG_LOG_DEBUG + 1];
  rtcmsg_message good = fixture_unicast();
  rtcmsg_message failing = command();
  int32_t level;
  failing.room_id = rtcmsg_str_from("no such room");
  for (level = RTCMSG_LOG_ERROR; level <= RTCMSG_LOG_DEBUG; level++) {
    rtcmsg_client *client = logging_client(&logs[level], level, NULL, NULL);
    check_case("log level");
    rtcmsg_report_free(fixture_send(client, &good, RTCMSG_OK));
    rtcmsg_report_free(fixture_send(client, &failing, RTCMSG_ERR_UNDELIVERED));
    rtcmsg_client_free(client);
    CHECK(logs[level].most_verbose <= level);
  }
  CHECK_SIZE(logs[RTCMSG_LOG_ERROR].lines, 0);
  CHECK_CONTAINS(logs[RTCMSG_LOG_WARN].text, "SendCustomCommand: RTCMSG_ERR_UNDELIVERED");
  CHECK_LACKS(logs[RTCMSG_LOG_WARN].text, "client made");
  CHECK_CONTAINS(logs[RTCMSG_LOG_INFO].text, "client made");
  CHECK_LACKS(logs[RTCMSG_LOG_INFO].text, "SendUnicast");
  CHECK_CONTAINS(logs[RTCMSG_LOG_DEBUG].text, "SendUnicast: accepted");
}

static void a_log_function_can_be_removed(void) {
  static struct log log;
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = fixture_config();
  rtcmsg_client *client;
  rtcmsg_message message = fixture_unicast();
  check_case("log function removed");
  CHECK_CODE(rtcmsg_config_set_log(config, log_line, &log, RTCMSG_LOG_DEBUG, &error), RTCMSG_OK);
  CHECK_CODE(rtcmsg_config_set_log(config, NULL, NULL, 0, &error), RTCMSG_OK);
  fixture_check_no_error(&error);
  client = fixture_client_of(config);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  rtcmsg_client_free(client);
  CHECK_SIZE(log.lines, 0);
}

static void send_and_collect(rtcmsg_client *client, const rtcmsg_message *message) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_report *report = NULL;
  const rtcmsg_request *request;
  rtcmsg_client_send(client, message, NULL, &report, &error);
  REQUIRE(report != NULL);
  request = rtcmsg_report_request(report, 0);
  collect(error.message);
  collect(rtcmsg_report_summary(report));
  collect(request->error_message);
  collect(request->vendor_message);
  rtcmsg_report_free(report);
}

/* Causes every kind of error while secrets are configured, with the most verbose log level. */
static void cause_every_error(void) {
  static const char *const refused[][2] = {
      {"volcengine.endpoint", "https://user:hunter2-endpoint@example.com"},
      {"zego.endpoint", "https://hunter2-endpoint@"},
      {"volcengine.secret_key", "hunter2-newline\n"},
      {"zego.server_secret", " hunter2-space"},
      {"volcengine.session_token", "hunter2-bell\a"},
      {"http.proxy", "socks5://user:hunter2-proxy@127.0.0.1:1"},
  };
  static const char *const changes[][2] = {
      {NULL, NULL},
      {"volcengine.secret_key", "hunter2-wrong"},
      {"zego.server_secret", "hunter2-wrong-with-32-characters"},
      {"volcengine.session_token", "hunter2-token"},
      {"http.proxy", "http://user:hunter2-proxy@127.0.0.1:1"},
  };
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  rtcmsg_client *client = NULL;
  struct listener refusing = listener_refusing();
  rtcmsg_message messages[2];
  size_t i;
  messages[0] = fixture_unicast();
  fixture_set_payload(&messages[0], "payload-not-to-be-logged");
  messages[1] = command();
  CHECK_CODE(rtcmsg_config_set_log(config, log_line, &everything, RTCMSG_LOG_DEBUG, &error), RTCMSG_OK);
  for (i = 0; i < sizeof refused / sizeof *refused; i++)
    CHECK_CODE(set(config, refused[i][0], refused[i][1], &error), RTCMSG_ERR_INVALID_ARGUMENT);
  /* A configuration that holds secrets, and that only rtcmsg_client_new() refuses. */
  CHECK_CODE(set(config, "volcengine.access_key", "AKLThunter2", &error), RTCMSG_OK);
  CHECK_CODE(set(config, "volcengine.secret_key", "hunter2-secret", &error), RTCMSG_OK);
  CHECK_CODE(set(config, "http.proxy", "http://user:hunter2-proxy@127.0.0.1:1", &error), RTCMSG_OK);
  CHECK_CODE(set(config, "tls.ca_file", "/nonexistent/ca.pem", &error), RTCMSG_OK);
  CHECK_CODE(rtcmsg_client_new(config, &client, &error), RTCMSG_ERR_INVALID_ARGUMENT);
  CHECK_TEXT(error.field, "tls.ca_file");
  CHECK(client == NULL);
  collect(error.message);
  rtcmsg_config_free(config);

  for (i = 0; i < sizeof changes / sizeof *changes; i++) {
    client = logging_client(&everything, RTCMSG_LOG_DEBUG, changes[i][0], changes[i][1]);
    send_and_collect(client, &messages[0]);
    send_and_collect(client, &messages[1]);
    rtcmsg_client_free(client);
  }
  client = logging_client(&everything, RTCMSG_LOG_DEBUG, "zego.endpoint", refusing.url);
  send_and_collect(client, &messages[1]);
  CHECK_CODE(rtcmsg_client_close(client, 0, &error), RTCMSG_OK);
  rtcmsg_client_free(client);
  listener_close(&refusing);
}

static void no_secret_and_no_payload_is_in_a_log_line_or_an_error(void) {
  check_case("secrets");
  cause_every_error();
  CHECK(everything.lines > 10);
  CHECK(everything.len > 1000 && everything.len + 4096 < sizeof everything.text);
  CHECK(everything.most_verbose == RTCMSG_LOG_DEBUG);
  CHECK_LACKS(everything.text, "hunter2");
  CHECK_LACKS(everything.text, "not-to-be-logged");
  CHECK_LACKS(everything.text, getenv("RTCMSG_VOLCENGINE_SECRET_KEY"));
  CHECK_LACKS(everything.text, getenv("RTCMSG_ZEGO_SERVER_SECRET"));
}

int main(void) {
  control_post("zego/join", "{\"room_id\":\"lobby\",\"user_id\":\"alice\"}");
  an_unknown_key_is_refused_with_the_nearest_one();
  an_empty_value_resets_a_key();
  a_client_keeps_a_copy_of_its_configuration();
  a_later_set_overrides_the_environment();
  our_variables_override_the_vendors_own();
  an_invalid_variable_is_refused_and_no_setting_is_loaded();
  kubernetes_service_links_are_ignored_and_misspelled_settings_are_not();
  other_programs_variables_and_empty_ones_are_ignored();
  a_client_of_one_vendor_refuses_messages_of_the_other();
  the_log_gets_the_lines_up_to_its_level();
  a_log_function_can_be_removed();
  no_secret_and_no_payload_is_in_a_log_line_or_an_error();
  return check_summary();
}
