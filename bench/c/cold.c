/* The time to the first answer: `cold ours LIBRARY URL` or `cold curl LIBRARY URL` loads the library, sends one
 * SendUnicast of 100 B and prints how long that took. BENCH_REQUEST is the request for libcurl, as for curl.c. */
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static void *symbol(void *library, const char *name) {
  void *found = dlsym(library, name);
  if (found == NULL) bench_fail(name, "not in the library");
  return found;
}

/* A function of the loaded library, with the type that its header gives it. */
#define CALL(name) ((__typeof__(&name))symbol(library, #name))

static void ours(void *library, const char *url) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = CALL(rtcmsg_config_new)();
  const char *ca = strncmp(url, "https", 5) == 0 ? getenv("BENCH_CA") : "";
  const char *settings[] = {"volcengine.endpoint",   url,
                            "volcengine.access_key", "AKLTdemo",
                            "volcengine.secret_key", "demo-secret-key==",
                            "volcengine.rtc_app_id", "661e000000000000000demo1",
                            "tls.ca_file",           ca};
  for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i += 2) {
    if (CALL(rtcmsg_config_set)(config, settings[i], settings[i + 1], &error) != RTCMSG_OK)
      bench_fail(settings[i], error.message);
  }
  rtcmsg_client *client = NULL;
  if (CALL(rtcmsg_client_new)(config, &client, &error) != RTCMSG_OK) bench_fail("client", error.message);
  char payload[100];
  memset(payload, '0', sizeof payload);
  rtcmsg_str to = rtcmsg_str_from("user-0001");
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  message.action = RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST;
  message.from = rtcmsg_str_from("server");
  message.to = &to;
  message.to_count = 1;
  message.payload = payload;
  message.payload_len = sizeof payload;
  rtcmsg_report *report = NULL;
  if (CALL(rtcmsg_client_send)(client, &message, NULL, &report, &error) != RTCMSG_OK) bench_fail("send", error.message);
}

static size_t drop(char *bytes, size_t size, size_t count, void *user_data) {
  (void)bytes, (void)user_data;
  return size * count;
}

static void libcurl(void *library, const char *url) {
  size_t len;
  char *body = strstr(bench_file(getenv("BENCH_REQUEST"), &len), "\r\n\r\n") + 4;
  char whole[256];
  snprintf(whole, sizeof whole, "%s/?Action=SendUnicast&Version=2020-12-01", url);
  CALL(curl_global_init)(CURL_GLOBAL_DEFAULT);
  CURL *curl = CALL(curl_easy_init)();
  CALL(curl_easy_setopt)(curl, CURLOPT_URL, whole);
  CALL(curl_easy_setopt)(curl, CURLOPT_POSTFIELDS, body);
  CALL(curl_easy_setopt)(curl, CURLOPT_CAINFO, getenv("BENCH_CA"));
  CALL(curl_easy_setopt)(curl, CURLOPT_WRITEFUNCTION, drop);
  if (CALL(curl_easy_perform)(curl) != CURLE_OK) bench_fail("libcurl", "no answer");
}

int main(int argc, char **argv) {
  if (argc != 4) bench_fail(argv[0], "takes ours or curl, LIBRARY and URL");
  uint64_t start = bench_now_ns();
  void *library = dlopen(argv[2], RTLD_NOW);
  if (library == NULL) bench_fail(argv[2], dlerror());
  (strcmp(argv[1], "ours") == 0 ? ours : libcurl)(library, argv[3]);
  printf("{\"cold_ns\": %llu}\n", (unsigned long long)(bench_now_ns() - start));
  fflush(stdout);
  _Exit(0);
}
