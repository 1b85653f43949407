// standards: c99 c11 c17

/* The header compiles as the first include, and may be included again later. */
#include <rtcmsg.h>
#include <rtcmsg.h>
#include <stdlib.h>
#include <string.h>

#include <rtcmsg.h>

#include "check.h"

int main(void) {
  rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
  rtcmsg_config *config = rtcmsg_config_new();
  CHECK(config != NULL);
  CHECK_CODE(rtcmsg_config_set(config, "zego.app_id", "1", &error), RTCMSG_OK);
  CHECK_SIZE(rtcmsg_str_from("text").len, 4);
  rtcmsg_config_free(config);
  return check_summary();
}
