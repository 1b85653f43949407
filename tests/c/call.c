/* rtcmsg_client_call_action() signs the vendors' other actions and returns the raw answer. It refuses invalid calls. */
#include <rtcmsg.h>
#include <stdlib.h>

#include "check.h"
#include "control.h"
#include "fixtures.h"

static rtcmsg_client *client;

static void check_body_holds(const rtcmsg_report *report, const char *part) {
  size_t len = 0;
  const char *body = rtcmsg_report_body(report, &len);
  char *text = calloc(len + 1, 1);
  REQUIRE(body != NULL && text != NULL);
  CHECK(rtcmsg_report_body(report, NULL) == body);
  memcpy(text, body, len);
  CHECK_SIZE(strlen(text), len);
  CHECK_CONTAINS(text, part);
  free(text);
}

static void check_accepted(const rtcmsg_report *report) {
  const rtcmsg_request *request = rtcmsg_report_request(report, 0);
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_ACCEPTED);
  CHECK_SIZE(rtcmsg_report_recipient_count(report), 0);
  CHECK_SIZE(request->http_status, 200);
  CHECK(request->request_id[0] != '\0');
}

static void p2p_send_user_message_is_sent_byte_for_byte(void) {
  /* Spaces, order and numbers are unchanged: the request has the bytes that the caller wrote. */
  static const char json[] =
      "{ \"Sender\": 1,  \"AppId\": 666675, \"MsgType\": 10013,\n \"Receivers\": [7221856821303361536, 404],"
      " \"Content\": \"caf\xC3\xA9 \\u00e9\" }";
  struct control_inbox inbox;
  unsigned char *sent;
  size_t len = 0;
  rtcmsg_report *report;
  check_case("P2PSendUserMessage");
  control_post("im/join", "{\"conversation_id\":1,\"user_id\":7221856821303361536,\"devices\":[\"IOS\"]}");
  report = fixture_call(client, RTCMSG_VENDOR_VOLCENGINE, "P2PSendUserMessage", "2020-12-01", json, RTCMSG_OK);
  check_accepted(report);
  CHECK_CONTAINS(rtcmsg_report_summary(report), "P2PSendUserMessage");
  check_body_holds(report, "\"P2PResult\":[{\"UserId\":7221856821303361536,\"Code\":\"SUCCESS\"");
  check_body_holds(report, "\"SuccessCount\":\"1\"");
  check_body_holds(report, rtcmsg_report_request(report, 0)->request_id);
  sent = control_last_request_body(&len);
  CHECK_BYTES(sent, len, json, sizeof json - 1);
  free(sent);
  inbox = control_inbox("im", "7221856821303361536");
  CHECK_SIZE(inbox.count, 1);
  if (inbox.count == 1) {
    CHECK_TEXT(inbox.arrivals[0].action, "P2PSendUserMessage");
    CHECK_BYTES(inbox.arrivals[0].payload, inbox.arrivals[0].payload_len, "caf\xC3\xA9 \xC3\xA9", 8);
  }
  control_inbox_free(&inbox);
  rtcmsg_report_free(report);
}

static void send_broadcast_message_becomes_a_query(void) {
  struct control_inbox inbox;
  rtcmsg_report *report;
  check_case("SendBroadcastMessage");
  control_post("zego/join", "{\"room_id\":\"lobby\",\"user_id\":\"alice\"}");
  report = fixture_call(client, RTCMSG_VENDOR_ZEGO, "SendBroadcastMessage", NULL,
                        "{\"RoomId\":\"lobby\",\"UserId\":\"server\",\"MessageCategory\":1,"
                        "\"MessageContent\":\"a & b = \\\"c\\\" + \\u6f22\"}",
                        RTCMSG_OK);
  check_accepted(report);
  check_body_holds(report, "\"MessageId\":");
  inbox = control_inbox("zego", "alice");
  CHECK_SIZE(inbox.count, 1);
  if (inbox.count == 1) {
    static const char expected[] = "a & b = \"c\" + \xE6\xBC\xA2";
    CHECK_TEXT(inbox.arrivals[0].action, "SendBroadcastMessage");
    CHECK_TEXT(inbox.arrivals[0].room_id, "lobby");
    CHECK_TEXT(inbox.arrivals[0].from, "server");
    CHECK_BYTES(inbox.arrivals[0].payload, inbox.arrivals[0].payload_len, expected, sizeof expected - 1);
  }
  control_inbox_free(&inbox);
  rtcmsg_report_free(report);
}

static void a_call_that_the_vendor_refuses_has_a_report_with_the_raw_answer(void) {
  rtcmsg_report *report;
  check_case("unknown action of Volcengine");
  report = fixture_call(client, RTCMSG_VENDOR_VOLCENGINE, "NoSuchAction", "2020-12-01", "{}", RTCMSG_ERR_REJECTED);
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_NOT_DELIVERED);
  CHECK_TEXT(rtcmsg_report_request(report, 0)->vendor_error, "InvalidActionOrVersion");
  CHECK_SIZE(rtcmsg_report_request(report, 0)->http_status, 404);
  check_body_holds(report, "\"Code\":\"InvalidActionOrVersion\"");
  rtcmsg_report_free(report);

  check_case("unknown version of Volcengine");
  report =
      fixture_call(client, RTCMSG_VENDOR_VOLCENGINE, "P2PSendUserMessage", "1999-12-31", "{}", RTCMSG_ERR_REJECTED);
  check_body_holds(report, "\"Code\":\"InvalidActionOrVersion\"");
  rtcmsg_report_free(report);

  check_case("unknown action of ZEGO");
  report = fixture_call(client, RTCMSG_VENDOR_ZEGO, "NoSuchAction", NULL, "{}", RTCMSG_ERR_REJECTED);
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_NOT_DELIVERED);
  CHECK_INT(rtcmsg_report_request(report, 0)->vendor_code, 100000007);
  check_body_holds(report, "\"Code\":100000007");
  rtcmsg_report_free(report);

  check_case("a body that the vendor refuses");
  report =
      fixture_call(client, RTCMSG_VENDOR_VOLCENGINE, "P2PSendUserMessage", "2020-12-01", "{}", RTCMSG_ERR_REJECTED);
  CHECK_TEXT(rtcmsg_report_request(report, 0)->vendor_error, "InvalidParam");
  rtcmsg_report_free(report);
}

static void a_list_becomes_a_repeated_parameter(void) {
  rtcmsg_report *report;
  check_case("ZEGO list");
  report =
      fixture_call(client, RTCMSG_VENDOR_ZEGO, "SendBarrageMessage", NULL,
                   "{\"RoomId\":\"lobby\",\"UserId\":\"server\",\"MessageCategory\":\"2\",\"MessageContent\":\"x\","
                   "\"Extra\":[\"a b\",2,true],\"More[]\":[7221856821303361536]}",
                   RTCMSG_OK);
  rtcmsg_report_free(report);
  {
    char *requests = control_get("requests");
    CHECK_CONTAINS(requests, "Extra%5B%5D=a%20b&Extra%5B%5D=2&Extra%5B%5D=true&More%5B%5D=7221856821303361536");
    free(requests);
  }
}

/* Checks that a call is refused: the error names the field, and there is no report. */
static void check_refused(uint32_t vendor, const char *action, const char *version, const char *json,
                          const char *field) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_report *report = (rtcmsg_report *)&error;
  rtcmsg_code code =
      rtcmsg_client_call_action(client, vendor, action, version, rtcmsg_str_from(json), NULL, &report, &error);
  CHECK_CODE(code, RTCMSG_ERR_INVALID_ARGUMENT);
  CHECK_CODE(error.code, RTCMSG_ERR_INVALID_ARGUMENT);
  CHECK_TEXT(error.field, field);
  CHECK(error.message[0] != '\0');
  CHECK(report == NULL);
}

static void actions_with_a_message_of_their_own_are_refused(void) {
  static const char *const volcengine[] = {"SendUnicast",    "SendRoomUnicast", "BatchSendRoomUnicast", "SendBroadcast",
                                           "P2PSendMessage", "sendUnicast",     "SENDBROADCAST"};
  struct control_stats before = control_stats();
  struct control_stats after;
  size_t i;
  for (i = 0; i < sizeof volcengine / sizeof *volcengine; i++) {
    check_case(volcengine[i]);
    check_refused(RTCMSG_VENDOR_VOLCENGINE, volcengine[i], "2020-12-01", "{}", "action");
  }
  check_case("SendCustomCommand");
  check_refused(RTCMSG_VENDOR_ZEGO, "SendCustomCommand", NULL, "{}", "action");
  check_refused(RTCMSG_VENDOR_ZEGO, "sendcustomcommand", NULL, "{}", "action");
  after = control_stats();
  CHECK_SIZE(after.requests, before.requests);
}

static void an_invalid_version_or_json_is_refused(void) {
  static const char *const versions[] = {NULL, "", "2020-12-1", "2020/12/01", "20201201", "2020-12-01&X=1"};
  static const char *const json[] = {NULL, "", "[]", "1", "\"text\"", "{", "{}x", "{\"a\":1,\"a\":2}", "{\"a\":NaN}"};
  static const char *const zego_json[] = {
      "{\"UserId\":[]}",     "{\"UserId[]\":[]}",     "{\"UserId\":null}", "{\"UserId\":{}}",    "{\"UserId\":[[1]]}",
      "{\"UserId\":[null]}", "{\"Signature\":\"x\"}", "{\"AppId\":1}",     "{\"Action\":\"x\"}", "{\"action\":\"x\"}"};
  struct control_stats before = control_stats();
  struct control_stats after;
  size_t i;
  for (i = 0; i < sizeof versions / sizeof *versions; i++) {
    check_case(versions[i]);
    check_refused(RTCMSG_VENDOR_VOLCENGINE, "P2PSendUserMessage", versions[i], "{}", "version");
  }
  check_case("a version for ZEGO");
  check_refused(RTCMSG_VENDOR_ZEGO, "SendBroadcastMessage", "2020-12-01", "{}", "version");
  for (i = 0; i < sizeof json / sizeof *json; i++) {
    check_case(json[i]);
    check_refused(RTCMSG_VENDOR_VOLCENGINE, "P2PSendUserMessage", "2020-12-01", json[i], "json");
    check_refused(RTCMSG_VENDOR_ZEGO, "SendBroadcastMessage", NULL, json[i], "json");
  }
  for (i = 0; i < sizeof zego_json / sizeof *zego_json; i++) {
    check_case(zego_json[i]);
    check_refused(RTCMSG_VENDOR_ZEGO, "SendBroadcastMessage", NULL, zego_json[i], "json");
  }
  after = control_stats();
  CHECK_SIZE(after.requests, before.requests);
}

int main(void) {
  client = fixture_client(NULL);
  p2p_send_user_message_is_sent_byte_for_byte();
  send_broadcast_message_becomes_a_query();
  a_list_becomes_a_repeated_parameter();
  a_call_that_the_vendor_refuses_has_a_report_with_the_raw_answer();
  actions_with_a_message_of_their_own_are_refused();
  an_invalid_version_or_json_is_refused();
  rtcmsg_client_free(client);
  return check_summary();
}
