// standards: c++11 c++17 c++20
// flags: -fno-exceptions -fno-rtti

// C++ without exceptions and RTTI, as games are often built.
#include <rtcmsg.h>

#include <string>
#include <vector>

#include "check.h"

int main() {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  rtcmsg_client *client = nullptr;
  CHECK_CODE(rtcmsg_config_load_env(config, &error), RTCMSG_OK);
  CHECK_CODE(rtcmsg_client_new(config, &client, &error), RTCMSG_OK);
  rtcmsg_config_free(config);
  REQUIRE(client != nullptr);

  std::vector<std::string> users{"alice", "bob"};
  std::vector<rtcmsg_str> to;
  for (const std::string &user : users) to.push_back(rtcmsg_str{user.data(), user.size()});
  const std::string payload = "from a game";
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  message.action = RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST;
  message.room_id = rtcmsg_str_from("lobby");
  message.from = rtcmsg_str_from("server");
  message.to = to.data();
  message.to_count = to.size();
  message.payload = payload.data();
  message.payload_len = payload.size();

  rtcmsg_report *report = nullptr;
  CHECK_CODE(rtcmsg_client_send(client, &message, nullptr, &report, &error), RTCMSG_OK);
  CHECK_SIZE(rtcmsg_report_count_by_delivery(report, RTCMSG_DELIVERY_ACCEPTED), 2);
  CHECK_TEXT(rtcmsg_report_recipient(report, 1)->user, "bob");
  rtcmsg_report_free(report);

  message.to_count = 0;
  CHECK_CODE(rtcmsg_client_send(client, &message, nullptr, &report, &error), RTCMSG_ERR_INVALID_ARGUMENT);
  CHECK_TEXT(error.field, "to");
  CHECK(report == nullptr);
  rtcmsg_client_free(client);
  return check_summary();
}
