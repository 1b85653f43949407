// standards: c++11 c++17 c++20

// The C header compiles as the first include of a C++ file, and when it is included twice.
#include <rtcmsg.h>
#include <rtcmsg.h>

#include <type_traits>

#include <rtcmsg.h>

#include "check.h"

// Programs in C and C++ share these structs.
static_assert(std::is_standard_layout<rtcmsg_message>::value, "rtcmsg_message");
static_assert(std::is_standard_layout<rtcmsg_error>::value, "rtcmsg_error");
static_assert(std::is_standard_layout<rtcmsg_send_options>::value, "rtcmsg_send_options");
static_assert(std::is_trivial<rtcmsg_str>::value, "rtcmsg_str");
static_assert(sizeof(void *) != 8 || sizeof(rtcmsg_message) == 120, "rtcmsg_message");
static_assert(sizeof(void *) != 8 || sizeof(rtcmsg_error) == 512, "rtcmsg_error");
static_assert(sizeof(void *) != 8 || sizeof(rtcmsg_send_options) == 40, "rtcmsg_send_options");
static_assert(sizeof(void *) != 8 || sizeof(rtcmsg_request) == 64, "rtcmsg_request");
static_assert(sizeof(void *) != 8 || sizeof(rtcmsg_recipient) == 48, "rtcmsg_recipient");
static_assert(sizeof(void *) != 8 || sizeof(rtcmsg_device) == 24, "rtcmsg_device");

static void a_message_is_sent_from_cpp() {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  rtcmsg_client *client = nullptr;
  CHECK_CODE(rtcmsg_config_load_env(config, &error), RTCMSG_OK);
  CHECK_CODE(rtcmsg_client_new(config, &client, &error), RTCMSG_OK);
  rtcmsg_config_free(config);

  const rtcmsg_str to[] = {rtcmsg_str_from("alice"), rtcmsg_str_from("bob")};
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  message.action = RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST;
  message.room_id = rtcmsg_str_from("room");
  message.from = rtcmsg_str_from("server");
  message.to = to;
  message.to_count = 2;
  message.payload = "hello";
  message.payload_len = 5;
  rtcmsg_report *report = nullptr;
  CHECK_CODE(rtcmsg_client_send(client, &message, nullptr, &report, &error), RTCMSG_OK);
  CHECK_SIZE(rtcmsg_report_count_by_delivery(report, RTCMSG_DELIVERY_ACCEPTED), 2);
  CHECK_TEXT(rtcmsg_report_recipient(report, 1)->user, "bob");
  rtcmsg_report_free(report);

  auto log = [](void *lines, int32_t, const char *) { ++*static_cast<int *>(lines); };
  int lines = 0;
  config = rtcmsg_config_new();
  CHECK_CODE(rtcmsg_config_set_log(config, log, &lines, RTCMSG_LOG_DEBUG, nullptr), RTCMSG_OK);
  rtcmsg_config_free(config);
  rtcmsg_client_free(client);
}

int main() {
  CHECK_SIZE(rtcmsg_version(), RTCMSG_VERSION);
  CHECK_TEXT(rtcmsg_code_name(RTCMSG_ERR_THROTTLED), "RTCMSG_ERR_THROTTLED");
  a_message_is_sent_from_cpp();
  return check_summary();
}
