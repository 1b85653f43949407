/* The delivery of a message when the network fails: not sent if no byte can have been sent, and unknown otherwise. */
#include <rtcmsg.h>
#include <stdio.h>

#include "check.h"
#include "fixtures.h"
#include "listener.h"

/* Long enough for a resolver that tries every server twice. No test waits until it ends. */
#define GENEROUS_MS 120000

static rtcmsg_str to_two[2];

static rtcmsg_message batch(void) {
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  to_two[0] = rtcmsg_str_from("alice");
  to_two[1] = rtcmsg_str_from("bob");
  message.action = RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST;
  message.room_id = rtcmsg_str_from("room");
  message.from = rtcmsg_str_from("server");
  message.to = to_two;
  message.to_count = 2;
  fixture_set_payload(&message, "a payload that no log may hold");
  return message;
}

static rtcmsg_message command(void) {
  rtcmsg_message message = batch();
  message.action = RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS;
  return message;
}

static rtcmsg_client *client_at(const char *url) {
  return fixture_client("volcengine.endpoint", url, "zego.endpoint", url, NULL);
}

/* Sends with a deadline, and checks that all parts of the report agree. */
static void check_fails(rtcmsg_client *client, const rtcmsg_message *message, int32_t timeout_ms, rtcmsg_code code,
                        uint32_t delivery, uint32_t http_status) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  rtcmsg_report *report = NULL;
  const rtcmsg_request *request;
  size_t i;
  options.timeout_ms = timeout_ms;
  CHECK_CODE(rtcmsg_client_send(client, message, &options, &report, &error), code);
  REQUIRE(report != NULL);
  fixture_check_agreement(report, &error, rtcmsg_report_code(report));
  if (rtcmsg_report_code(report) != code) printf("  %s\n", error.message);
  CHECK_DELIVERY(rtcmsg_report_delivery(report), delivery);
  request = rtcmsg_report_request(report, 0);
  CHECK_CODE(request->code, code);
  CHECK_DELIVERY(request->delivery, delivery);
  CHECK_SIZE(request->http_status, http_status);
  CHECK_TEXT(request->request_id, "");
  CHECK_TEXT(request->vendor_error, "");
  CHECK_INT(request->vendor_code, 0);
  CHECK(request->error_message[0] != '\0');
  CHECK_SIZE(rtcmsg_report_recipient_count(report), message->to_count);
  CHECK_SIZE(rtcmsg_report_count_by_delivery(report, delivery), message->to_count);
  for (i = 0; i < message->to_count; i++) {
    const rtcmsg_recipient *recipient = rtcmsg_report_recipient(report, i);
    CHECK_BYTES(recipient->user, strlen(recipient->user), message->to[i].data, message->to[i].len);
    CHECK_CODE(recipient->code, code);
  }
  /* The URL of a ZEGO request contains the message. */
  CHECK_LACKS(error.message, "payload");
  CHECK_LACKS(rtcmsg_report_summary(report), "payload");
  rtcmsg_report_free(report);
}

static void check_both_vendors_fail(const char *url, int32_t timeout_ms, rtcmsg_code code, uint32_t delivery) {
  rtcmsg_client *client = client_at(url);
  rtcmsg_message message = batch();
  check_fails(client, &message, timeout_ms, code, delivery, 0);
  message = command();
  check_fails(client, &message, timeout_ms, code, delivery, 0);
  rtcmsg_client_free(client);
}

static void a_refused_connection_is_not_sent(void) {
  struct listener refusing = listener_refusing();
  check_case("connection refused");
  check_both_vendors_fail(refusing.url, GENEROUS_MS, RTCMSG_ERR_CONNECT, RTCMSG_DELIVERY_NOT_SENT);
  listener_close(&refusing);
}

/* Doubles a deadline of 300 ms until this machine can send the request before it: only then the delivery is unknown
 * when the deadline ends. */
static int32_t deadline_for(rtcmsg_client *client, const rtcmsg_message *message) {
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  uint32_t delivery = RTCMSG_DELIVERY_NOT_SENT;
  for (options.timeout_ms = 300; delivery == RTCMSG_DELIVERY_NOT_SENT && options.timeout_ms < GENEROUS_MS;
       options.timeout_ms *= 2) {
    rtcmsg_report *report = NULL;
    CHECK_CODE(rtcmsg_client_send(client, message, &options, &report, NULL), RTCMSG_ERR_TIMEOUT);
    delivery = rtcmsg_report_delivery(report);
    rtcmsg_report_free(report);
  }
  return options.timeout_ms / 2;
}

static void a_server_that_never_answers_gives_unknown(void) {
  struct listener silent = listener_open();
  rtcmsg_client *client = client_at(silent.url);
  rtcmsg_message messages[2];
  size_t i;
  check_case("never answers");
  messages[0] = batch();
  messages[1] = command();
  for (i = 0; i < 2; i++) {
    int32_t deadline_ms = deadline_for(client, &messages[i]);
    check_fails(client, &messages[i], deadline_ms, RTCMSG_ERR_TIMEOUT, RTCMSG_DELIVERY_UNKNOWN, 0);
  }
  rtcmsg_client_free(client);
  listener_close(&silent);
}

static void the_clients_timeout_applies_to_a_send_without_one(void) {
  struct listener silent = listener_open();
  rtcmsg_client *client = client_at(silent.url);
  rtcmsg_message message = batch();
  char timeout_ms[16];
  check_case("http.timeout_ms");
  snprintf(timeout_ms, sizeof timeout_ms, "%d", (int)deadline_for(client, &message));
  rtcmsg_client_free(client);
  client = fixture_client("volcengine.endpoint", silent.url, "http.timeout_ms", timeout_ms, NULL);
  check_fails(client, &message, 0, RTCMSG_ERR_TIMEOUT, RTCMSG_DELIVERY_UNKNOWN, 0);
  rtcmsg_client_free(client);
  listener_close(&silent);
}

static void a_server_that_closes_after_the_request_gives_unknown(void) {
  struct listener listener = listener_open();
  rtcmsg_client *client = client_at(listener.url);
  rtcmsg_message messages[2];
  size_t i;
  check_case("closes after the request");
  messages[0] = batch();
  messages[1] = command();
  for (i = 0; i < 2; i++) {
    struct listener_service service;
    listener_serve_once(&service, &listener, NULL);
    check_fails(client, &messages[i], GENEROUS_MS, RTCMSG_ERR_DISCONNECTED, RTCMSG_DELIVERY_UNKNOWN, 0);
    CHECK(listener_join(&service));
  }
  rtcmsg_client_free(client);
  listener_close(&listener);
}

static void a_host_without_an_address_is_not_sent(void) {
  check_case("no such host");
  check_both_vendors_fail("https://name.invalid", GENEROUS_MS, RTCMSG_ERR_RESOLVE, RTCMSG_DELIVERY_NOT_SENT);
}

static void a_server_without_tls_is_not_sent(void) {
  struct listener listener = listener_open();
  struct listener_service service;
  rtcmsg_message message = batch();
  char url[sizeof listener.url + 1];
  rtcmsg_client *client;
  check_case("no TLS");
  snprintf(url, sizeof url, "https%s", listener.url + strlen("http"));
  client = client_at(url);
  listener_greet_once(&service, &listener, "220 mail.example.com ESMTP\r\n");
  check_fails(client, &message, GENEROUS_MS, RTCMSG_ERR_TLS, RTCMSG_DELIVERY_NOT_SENT, 0);
  CHECK(!listener_join(&service));
  rtcmsg_client_free(client);
  listener_close(&listener);
}

struct answer {
  const char *name;
  const char *text;
  rtcmsg_code code;
  uint32_t delivery;
  uint32_t http_status;
};

#define HTML "Content-Type: text/html\r\nContent-Length: 15\r\n\r\n<html>hi</html>"

static const struct answer answers[] = {
    {"HTML 502", "HTTP/1.1 502 Bad Gateway\r\n" HTML, RTCMSG_ERR_BAD_RESPONSE, RTCMSG_DELIVERY_UNKNOWN, 502},
    {"HTML 500", "HTTP/1.1 500 Internal Server Error\r\n" HTML, RTCMSG_ERR_BAD_RESPONSE, RTCMSG_DELIVERY_UNKNOWN, 500},
    {"HTML 200", "HTTP/1.1 200 OK\r\n" HTML, RTCMSG_ERR_BAD_RESPONSE, RTCMSG_DELIVERY_UNKNOWN, 200},
    {"no body 204", "HTTP/1.1 204 No Content\r\n\r\n", RTCMSG_ERR_BAD_RESPONSE, RTCMSG_DELIVERY_UNKNOWN, 204},
    {"HTML 404", "HTTP/1.1 404 Not Found\r\n" HTML, RTCMSG_ERR_REJECTED, RTCMSG_DELIVERY_NOT_DELIVERED, 404},
    {"HTML 400", "HTTP/1.1 400 Bad Request\r\n" HTML, RTCMSG_ERR_REJECTED, RTCMSG_DELIVERY_NOT_DELIVERED, 400},
    {"HTML 401", "HTTP/1.1 401 Unauthorized\r\n" HTML, RTCMSG_ERR_UNAUTHENTICATED, RTCMSG_DELIVERY_NOT_DELIVERED, 401},
    {"HTML 403", "HTTP/1.1 403 Forbidden\r\n" HTML, RTCMSG_ERR_FORBIDDEN, RTCMSG_DELIVERY_NOT_DELIVERED, 403},
    {"HTML 429", "HTTP/1.1 429 Too Many Requests\r\n" HTML, RTCMSG_ERR_THROTTLED, RTCMSG_DELIVERY_NOT_DELIVERED, 429},
    {"301", "HTTP/1.1 301 Moved Permanently\r\nLocation: http://127.0.0.1:1/\r\n" HTML, RTCMSG_ERR_REJECTED,
     RTCMSG_DELIVERY_NOT_DELIVERED, 301},
    {"a body cut off", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"ResponseMetadata\":", RTCMSG_ERR_DISCONNECTED,
     RTCMSG_DELIVERY_UNKNOWN, 200},
    {"not HTTP", "hello\r\n\r\n", RTCMSG_ERR_BAD_RESPONSE, RTCMSG_DELIVERY_UNKNOWN, 0},
};

static void an_answer_that_is_not_the_vendors_is_classified_by_its_status(void) {
  struct listener listener = listener_open();
  rtcmsg_client *client = client_at(listener.url);
  rtcmsg_message messages[2];
  size_t i;
  messages[0] = batch();
  messages[1] = command();
  for (i = 0; i < 2 * sizeof answers / sizeof *answers; i++) {
    const struct answer *answer = &answers[i / 2];
    struct listener_service service;
    check_case(answer->name);
    listener_serve_once(&service, &listener, answer->text);
    check_fails(client, &messages[i % 2], GENEROUS_MS, answer->code, answer->delivery, answer->http_status);
    CHECK(listener_join(&service));
  }
  rtcmsg_client_free(client);
  listener_close(&listener);
}

static void retry_after_is_reported(void) {
  struct listener listener = listener_open();
  rtcmsg_client *client = client_at(listener.url);
  rtcmsg_message message = batch();
  struct listener_service service;
  rtcmsg_report *report;
  check_case("Retry-After");
  listener_serve_once(&service, &listener, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\n" HTML);
  report = fixture_send(client, &message, RTCMSG_ERR_THROTTLED);
  CHECK_SIZE(rtcmsg_report_request(report, 0)->retry_after_ms, 3000);
  CHECK(listener_join(&service));
  rtcmsg_report_free(report);
  rtcmsg_client_free(client);
  listener_close(&listener);
}

static void a_connection_closed_while_idle_loses_no_message(void) {
  struct listener listener = listener_open();
  rtcmsg_client *client = client_at(listener.url);
  rtcmsg_message message = batch();
  int i;
  check_case("closed while idle");
  for (i = 0; i < 3; i++) {
    struct listener_service service;
    listener_serve_once(&service, &listener,
                        "HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n{\"ResponseMetadata\":{\"RequestId\":\"id-1\"}}");
    rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
    /* The server's thread has ended, so it has closed the connection before the next send begins. */
    CHECK(listener_join(&service));
  }
  rtcmsg_client_free(client);
  listener_close(&listener);
}

int main(void) {
  a_refused_connection_is_not_sent();
  a_server_that_never_answers_gives_unknown();
  the_clients_timeout_applies_to_a_send_without_one();
  a_server_that_closes_after_the_request_gives_unknown();
  a_host_without_an_address_is_not_sent();
  a_server_without_tls_is_not_sent();
  an_answer_that_is_not_the_vendors_is_classified_by_its_status();
  retry_after_is_reported();
  a_connection_closed_while_idle_loses_no_message();
  return check_summary();
}
