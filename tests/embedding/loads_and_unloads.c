// links: shared (a static library cannot be unloaded)
// dlopen: yes

/* A host that loads the library at run time, as a plugin or a scripting language does, unloads it while a client
 * still lives, and loads it again. -z nodelete keeps the code where threads, the fork handler and the panic hook
 * expect it. */
#include <dlfcn.h>
#include <rtcmsg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t checks;
static size_t failures;

static void check(int line, const char *what, int holds) {
  checks++;
  if (holds) return;
  failures++;
  printf("%s:%d: not true: %s\n", __FILE__, line, what);
}
#define CHECK(condition) check(__LINE__, #condition, (condition) != 0)

static struct {
  void *library;
  uint32_t (*version)(void);
  rtcmsg_config *(*config_new)(void);
  rtcmsg_code (*config_load_env)(rtcmsg_config *config, rtcmsg_error *error);
  void (*config_free)(rtcmsg_config *config);
  rtcmsg_code (*client_new)(const rtcmsg_config *config, rtcmsg_client **client, rtcmsg_error *error);
  rtcmsg_code (*client_send)(rtcmsg_client *client, const rtcmsg_message *message, const rtcmsg_send_options *options,
                             rtcmsg_report **report, rtcmsg_error *error);
  void (*client_free)(rtcmsg_client *client);
  void (*report_free)(rtcmsg_report *report);
} api;

static void find(const char *name, void *function) {
  void *symbol = dlsym(api.library, name);
  if (!symbol) {
    printf("%s is missing\n", name);
    exit(1);
  }
  memcpy(function, &symbol, sizeof symbol);
}

static void load(void) {
  memset(&api, 0, sizeof api);
  api.library = dlopen(getenv("TEST_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
  if (!api.library) {
    printf("%s\n", dlerror());
    exit(1);
  }
  find("rtcmsg_version", &api.version);
  find("rtcmsg_config_new", &api.config_new);
  find("rtcmsg_config_load_env", &api.config_load_env);
  find("rtcmsg_config_free", &api.config_free);
  find("rtcmsg_client_new", &api.client_new);
  find("rtcmsg_client_send", &api.client_send);
  find("rtcmsg_client_free", &api.client_free);
  find("rtcmsg_report_free", &api.report_free);
  CHECK(api.version() == RTCMSG_VERSION);
}

static void unload(void) { CHECK(dlclose(api.library) == 0); }

static rtcmsg_client *new_client(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = api.config_new();
  rtcmsg_client *client = NULL;
  CHECK(api.config_load_env(config, &error) == RTCMSG_OK);
  CHECK(api.client_new(config, &client, &error) == RTCMSG_OK);
  api.config_free(config);
  return client;
}

static void send_one(rtcmsg_client *client) {
  static const rtcmsg_str alice = {"alice", 5};
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  rtcmsg_report *report = NULL;
  message.action = RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST;
  message.from = rtcmsg_str_from("server");
  message.to = &alice;
  message.to_count = 1;
  message.payload = "loaded";
  message.payload_len = 6;
  CHECK(api.client_send(client, &message, NULL, &report, &error) == RTCMSG_OK);
  if (error.code != RTCMSG_OK) printf("%s: %s\n", error.field, error.message);
  api.report_free(report);
}

static void fork_after_unload(void) {
  int status = -1;
  pid_t child = fork();
  if (child == 0) execlp("true", "true", (char *)NULL);
  CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

int main(void) {
  rtcmsg_client *first;
  rtcmsg_client *second;
  int i;
  load();
  first = new_client();
  send_one(first);
  unload();
  /* The fork handler is still loaded. */
  fork_after_unload();
  load();
  second = new_client();
  send_one(second);
  send_one(first);
  api.client_free(first);
  api.client_free(second);
  unload();
  for (i = 0; i < 20; i++) {
    load();
    first = new_client();
    send_one(first);
    api.client_free(first);
    unload();
  }
  printf("checks: %zu, failures: %zu\n", checks, failures);
  return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
