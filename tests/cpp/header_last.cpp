// standards: c++11 c++17 c++20

// The C header compiles as the last include, and in a program with a part in C (check.c) that also includes it. Its
// names are in the global namespace.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>

#include <rtcmsg.h>

#include "check.h"

#include <rtcmsg.h>

int main() {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  const std::string key = "zego.app_idd";
  CHECK_CODE(rtcmsg_config_set(config, key.c_str(), "1", &error), RTCMSG_ERR_INVALID_ARGUMENT);
  CHECK_TEXT(error.field, "zego.app_idd");
  CHECK_CONTAINS(error.message, "zego.app_id?");
  rtcmsg_config_free(config);

  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  CHECK_SIZE(options.struct_size, sizeof(rtcmsg_send_options));
  CHECK_INT(options.timeout_ms, 0);
  return check_summary();
}
