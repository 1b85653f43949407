/* A host that uses OpenSSL before, between and after sends. The library has its own TLS implementation, and neither may
 * change the other's state. OpenSSL is loaded with dlopen, so that the test needs no headers. */
#include <dlfcn.h>
#include <rtcmsg.h>
#include <stdio.h>

#include "check.h"
#include "fixtures.h"
#include "listener.h"

/* Stores a symbol in a function pointer, for which ISO C has no cast. */
static void find(void *library, const char *name, void *function, size_t size) {
  void *symbol = dlsym(library, name);
  check_case(name);
  REQUIRE(symbol != NULL && size == sizeof symbol);
  memcpy(function, &symbol, size);
  check_case(NULL);
}
#define FIND(library, function) find(library, #function, &function, sizeof function)

static unsigned char *(*SHA256)(const unsigned char *data, size_t len, unsigned char *digest);
static int (*RAND_bytes)(unsigned char *out, int len);
static unsigned long (*ERR_peek_error)(void);
static const void *(*TLS_client_method)(void);
static void *(*SSL_CTX_new)(const void *method);
static void (*SSL_CTX_free)(void *context);
static void *(*SSL_new)(void *context);
static void (*SSL_free)(void *connection);

static void openssl_works(void) {
  static const unsigned char expected[4] = {0xba, 0x78, 0x16, 0xbf};
  unsigned char digest[32];
  unsigned char random[16] = {0};
  void *context = SSL_CTX_new(TLS_client_method());
  void *connection;
  REQUIRE(context != NULL);
  connection = SSL_new(context);
  CHECK(connection != NULL);
  SSL_free(connection);
  SSL_CTX_free(context);
  CHECK(SHA256((const unsigned char *)"abc", 3, digest) == digest);
  CHECK_BYTES(digest, sizeof expected, expected, sizeof expected);
  CHECK_INT(RAND_bytes(random, sizeof random), 1);
  CHECK_SIZE(ERR_peek_error(), 0);
}

static void a_failed_tls_send_leaves_openssls_error_queue_empty(void) {
  struct listener listener = listener_open();
  struct listener_service service;
  char url[80];
  rtcmsg_client *client;
  rtcmsg_message message = fixture_unicast();
  snprintf(url, sizeof url, "https%s", listener.url + strlen("http"));
  client = fixture_client("volcengine.endpoint", url, NULL);
  listener_greet_once(&service, &listener, "this is no TLS\r\n\r\n");
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_ERR_TLS));
  rtcmsg_client_free(client);
  listener_join(&service);
  listener_close(&listener);
}

int main(void) {
  rtcmsg_message message = fixture_unicast();
  rtcmsg_client *client;
  void *ssl = dlopen("libssl.so.3", RTLD_NOW | RTLD_GLOBAL);
  if (!ssl) printf("%s; on Debian it is in the package libssl3\n", dlerror());
  REQUIRE(ssl != NULL);
  FIND(ssl, SHA256);
  FIND(ssl, RAND_bytes);
  FIND(ssl, ERR_peek_error);
  FIND(ssl, TLS_client_method);
  FIND(ssl, SSL_CTX_new);
  FIND(ssl, SSL_CTX_free);
  FIND(ssl, SSL_new);
  FIND(ssl, SSL_free);
  openssl_works();
  client = fixture_client(NULL);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  openssl_works();
  a_failed_tls_send_leaves_openssls_error_queue_empty();
  openssl_works();
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  rtcmsg_client_free(client);
  openssl_works();
  return check_summary();
}
