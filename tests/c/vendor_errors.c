/* Messages that the vendors refuse: the code, the delivery, and the vendor's own error. */
#include <rtcmsg.h>
#include <stdlib.h>

#include "check.h"
#include "control.h"
#include "fixtures.h"

static const rtcmsg_str alice = {"alice", 5};
static const int64_t member = 10008;

/* Checks that the vendor refused the whole message: there is one request, and every recipient has the same outcome. */
static void check_refused(rtcmsg_client *client, const rtcmsg_message *message, rtcmsg_code code, uint32_t http_status,
                          const char *vendor_error, int32_t vendor_code) {
  rtcmsg_report *report = fixture_send(client, message, code);
  const rtcmsg_request *request = rtcmsg_report_request(report, 0);
  size_t named = message->to_count + message->user_id_count;
  size_t i;
  CHECK_DELIVERY(rtcmsg_report_delivery(report), RTCMSG_DELIVERY_NOT_DELIVERED);
  CHECK_CODE(request->code, code);
  CHECK_DELIVERY(request->delivery, RTCMSG_DELIVERY_NOT_DELIVERED);
  CHECK_SIZE(request->http_status, http_status);
  CHECK_TEXT(request->vendor_error, vendor_error);
  CHECK_INT(request->vendor_code, vendor_code);
  CHECK(request->vendor_message[0] != '\0');
  CHECK(request->request_id[0] != '\0');
  CHECK_CONTAINS(rtcmsg_report_summary(report), rtcmsg_code_name(code));
  CHECK_CONTAINS(rtcmsg_report_summary(report), request->request_id);
  CHECK_SIZE(rtcmsg_report_recipient_count(report), named);
  CHECK_SIZE(rtcmsg_report_count_by_delivery(report, RTCMSG_DELIVERY_NOT_DELIVERED), named);
  for (i = 0; i < named; i++) CHECK_CODE(rtcmsg_report_recipient(report, i)->code, code);
  rtcmsg_report_free(report);
}

static rtcmsg_message command(const char *room_id) {
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  message.action = RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS;
  message.room_id = rtcmsg_str_from(room_id);
  message.from = rtcmsg_str_from("server");
  message.to = &alice;
  message.to_count = 1;
  fixture_set_payload(&message, "hello");
  return message;
}

static rtcmsg_message signal_from(int64_t sender_id, int64_t conversation_id) {
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  message.action = RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS;
  message.conversation_id = conversation_id;
  message.sender_id = sender_id;
  message.msg_type = 1;
  message.user_ids = &member;
  message.user_id_count = 1;
  fixture_set_payload(&message, "hello");
  return message;
}

static void wrong_volcengine_keys_are_reported_as_unauthenticated(void) {
  rtcmsg_message unicast = fixture_unicast();
  rtcmsg_message signal = signal_from(member, 1);
  rtcmsg_client *client = fixture_client("volcengine.secret_key", "wrong", NULL);
  check_case("wrong secret key");
  check_refused(client, &unicast, RTCMSG_ERR_UNAUTHENTICATED, 401, "SignatureDoesNotMatch", 100010);
  check_refused(client, &signal, RTCMSG_ERR_UNAUTHENTICATED, 401, "SignatureDoesNotMatch", 100010);
  rtcmsg_client_free(client);

  check_case("unknown access key");
  client = fixture_client("volcengine.access_key", "AKLTnobody", NULL);
  check_refused(client, &unicast, RTCMSG_ERR_UNAUTHENTICATED, 401, "InvalidAccessKey", 100009);
  rtcmsg_client_free(client);

  check_case("another service");
  client = fixture_client("volcengine.service", "vod", NULL);
  check_refused(client, &unicast, RTCMSG_ERR_UNAUTHENTICATED, 400, "InvalidCredential", 0);
  rtcmsg_client_free(client);
}

static void a_session_token_is_signed_and_sent(void) {
  rtcmsg_message unicast = fixture_unicast();
  rtcmsg_client *client = fixture_client("volcengine.session_token", getenv("TEST_SESSION_TOKEN"), NULL);
  check_case("session token");
  rtcmsg_report_free(fixture_send(client, &unicast, RTCMSG_OK));
  rtcmsg_client_free(client);

  check_case("wrong session token");
  client = fixture_client("volcengine.session_token", "expired", NULL);
  check_refused(client, &unicast, RTCMSG_ERR_UNAUTHENTICATED, 401, "InvalidSecretToken", 0);
  rtcmsg_client_free(client);
}

static void an_error_inside_http_200_is_an_error(void) {
  rtcmsg_message unicast = fixture_unicast();
  rtcmsg_client *client = fixture_client("volcengine.rtc_app_id", "nosuchapp", NULL);
  check_case("unknown app, 2020-12-01");
  check_refused(client, &unicast, RTCMSG_ERR_REJECTED, 200, "InvalidParameter.NotExistAppId", 0);
  rtcmsg_client_free(client);

  check_case("unknown app, 2023-07-20");
  client = fixture_client("volcengine.rtc_app_id", "nosuchapp", "volcengine.rtc_version", "2023-07-20", NULL);
  check_refused(client, &unicast, RTCMSG_ERR_REJECTED, 400, "InvalidParameter.NotExistAppId", 0);
  rtcmsg_client_free(client);
}

static void an_im_error_names_what_is_missing(void) {
  rtcmsg_client *client = fixture_client(NULL);
  rtcmsg_message message = signal_from(member, INT64_C(7221856821303361536));
  check_case("unknown conversation");
  check_refused(client, &message, RTCMSG_ERR_UNDELIVERED, 200, "ConversationNotFound", 0);

  check_case("the sender is not a member");
  control_post("im/join", "{\"conversation_id\":1,\"user_id\":10008,\"devices\":[\"Web\"]}");
  message = signal_from(10009, 1);
  check_refused(client, &message, RTCMSG_ERR_UNDELIVERED, 200, "ParticipantNotInConversation", 0);
  message.action = RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL;
  message.user_ids = NULL;
  message.user_id_count = 0;
  check_refused(client, &message, RTCMSG_ERR_UNDELIVERED, 200, "ParticipantNotInConversation", 0);
  rtcmsg_client_free(client);

  check_case("unknown IM app");
  client = fixture_client("volcengine.im_app_id", "1", NULL);
  message = signal_from(member, 1);
  check_refused(client, &message, RTCMSG_ERR_REJECTED, 200, "AppNotFound", 0);
  rtcmsg_client_free(client);
}

static void zego_error_numbers_become_codes(void) {
  rtcmsg_client *client = fixture_client(NULL);
  rtcmsg_message message = command("no such room");
  check_case("unknown room");
  check_refused(client, &message, RTCMSG_ERR_UNDELIVERED, 200, "", 104);
  message.action = RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM;
  message.to = NULL;
  message.to_count = 0;
  check_refused(client, &message, RTCMSG_ERR_UNDELIVERED, 200, "", 104);
  rtcmsg_client_free(client);

  message = command("lobby");
  check_case("wrong server secret");
  client = fixture_client("zego.server_secret", "a-wrong-secret-of-32-characters.", NULL);
  check_refused(client, &message, RTCMSG_ERR_UNAUTHENTICATED, 200, "", 100000005);
  rtcmsg_client_free(client);

  check_case("unknown app");
  client = fixture_client("zego.app_id", "4294967295", NULL);
  check_refused(client, &message, RTCMSG_ERR_UNAUTHENTICATED, 200, "", 100000010);
  rtcmsg_client_free(client);
}

static void an_id_beyond_the_vendors_limit_is_refused_by_the_vendor(void) {
  static char id[129];
  rtcmsg_client *client = fixture_client("zego.max_id_length", "1024", NULL);
  rtcmsg_message message = command("lobby");
  check_case("an id that only the settings allow");
  memset(id, 'x', sizeof id);
  message.from.data = id;
  message.from.len = sizeof id;
  check_refused(client, &message, RTCMSG_ERR_REJECTED, 200, "", 2);
  rtcmsg_client_free(client);
}

static void a_failed_send_needs_no_error_struct(void) {
  rtcmsg_client *client = fixture_client("volcengine.secret_key", "wrong", NULL);
  rtcmsg_message unicast = fixture_unicast();
  rtcmsg_report *report = NULL;
  check_case("NULL for the error");
  CHECK_CODE(rtcmsg_client_send(client, &unicast, NULL, &report, NULL), RTCMSG_ERR_UNAUTHENTICATED);
  CHECK_CODE(rtcmsg_report_code(report), RTCMSG_ERR_UNAUTHENTICATED);
  rtcmsg_report_free(report);
  rtcmsg_client_free(client);
}

static void an_error_is_cleared_by_the_next_success(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_client *client = fixture_client(NULL);
  rtcmsg_message unknown_room = command("no such room");
  rtcmsg_message unicast = fixture_unicast();
  rtcmsg_report *report = NULL;
  check_case("one error for two calls");
  CHECK_CODE(rtcmsg_client_send(client, &unknown_room, NULL, &report, &error), RTCMSG_ERR_UNDELIVERED);
  CHECK_CODE(error.code, RTCMSG_ERR_UNDELIVERED);
  rtcmsg_report_free(report);
  CHECK_CODE(rtcmsg_client_send(client, &unicast, NULL, &report, &error), RTCMSG_OK);
  fixture_check_no_error(&error);
  rtcmsg_report_free(report);
  rtcmsg_client_free(client);
}

int main(void) {
  control_post("volcengine/login", "{\"user_id\":\"alice\"}");
  control_post("zego/join", "{\"room_id\":\"lobby\",\"user_id\":\"alice\"}");
  wrong_volcengine_keys_are_reported_as_unauthenticated();
  a_session_token_is_signed_and_sent();
  an_error_inside_http_200_is_an_error();
  an_im_error_names_what_is_missing();
  zego_error_numbers_become_codes();
  an_id_beyond_the_vendors_limit_is_refused_by_the_vendor();
  a_failed_send_needs_no_error_struct();
  an_error_is_cleared_by_the_next_success();
  return check_summary();
}
