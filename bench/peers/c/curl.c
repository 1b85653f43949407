/* libcurl as a careful user calls it: one easy handle per thread, kept; headers prepared and signed in advance;
 * sequential requests on a persistent connection. BENCH_REQUEST names the request in the form that it has on the
 * wire. */
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

struct handle {
  CURL *curl;
  struct curl_slist *headers;
  char *request;
  char answer[16384];
  size_t answer_len;
};

static size_t take(char *bytes, size_t size, size_t count, void *user_data) {
  struct handle *handle = user_data;
  size_t len = size * count;
  if (handle->answer_len + len > sizeof handle->answer) return 0;
  memcpy(handle->answer + handle->answer_len, bytes, len);
  handle->answer_len += len;
  return len;
}

/* The handle posts what the request says: its target, its headers, its body. */
static void set_request(struct handle *handle, const char *base) {
  size_t len;
  handle->request = bench_file(getenv("BENCH_REQUEST"), &len);
  char *body = strstr(handle->request, "\r\n\r\n");
  *body = 0;
  body += 4;
  char *line_state, *word_state;
  char *line = strtok_r(handle->request, "\r\n", &line_state);
  const char *method = strtok_r(line, " ", &word_state);
  const char *target = strtok_r(NULL, " ", &word_state);
  char *url = bench_alloc(strlen(base) + strlen(target) + 1);
  sprintf(url, "%s%s", base, target);
  curl_easy_setopt(handle->curl, CURLOPT_URL, url);
  free(url);
  while ((line = strtok_r(NULL, "\r\n", &line_state)) != NULL) {
    if (strncmp(line, "content-length:", 15) != 0) handle->headers = curl_slist_append(handle->headers, line);
  }
  handle->headers = curl_slist_append(handle->headers, "Expect:");
  handle->headers = curl_slist_append(handle->headers, "Accept:");
  curl_easy_setopt(handle->curl, CURLOPT_HTTPHEADER, handle->headers);
  if (strcmp(method, "POST") == 0) {
    curl_easy_setopt(handle->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(handle->request + len - body));
    curl_easy_setopt(handle->curl, CURLOPT_POSTFIELDS, body);
  }
}

static void *open_handle(const struct bench *bench) {
  struct handle *handle = bench_alloc(sizeof *handle);
  handle->curl = curl_easy_init();
  curl_easy_setopt(handle->curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle->curl, CURLOPT_TIMEOUT_MS, 10000L);
  curl_easy_setopt(handle->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(handle->curl, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(handle->curl, CURLOPT_WRITEDATA, handle);
  if (bench->ca) curl_easy_setopt(handle->curl, CURLOPT_CAINFO, bench->ca);
  set_request(handle, bench->url);
  return handle;
}

static int perform(void *state) {
  struct handle *handle = state;
  handle->answer_len = 0;
  CURLcode code = curl_easy_perform(handle->curl);
  long status = 0;
  curl_easy_getinfo(handle->curl, CURLINFO_RESPONSE_CODE, &status);
  if (code != CURLE_OK) fprintf(stderr, "%s\n", curl_easy_strerror(code));
  return code != CURLE_OK || status != 200 || handle->answer_len == 0;
}

static void close_handle(void *state) {
  struct handle *handle = state;
  curl_easy_cleanup(handle->curl);
  curl_slist_free_all(handle->headers);
}

int main(int argc, char **argv) {
  struct bench bench = bench_arguments(argc, argv);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  struct bench_subject subject = {open_handle, perform, close_handle};
  return bench_run(&bench, &subject);
}
