/* Shared by the C++ tests: the parts that are written in C, and clients with the runner's settings. */
#ifndef FIXTURES_HPP
#define FIXTURES_HPP

#include <rtcmsg.hpp>

#include <initializer_list>
#include <string>
#include <utility>

#include "check.h"

/* In a C header a function may have the name of its struct. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "control.h"
#include "tasks.h"
}
#pragma GCC diagnostic pop

#define CHECK_STRING(actual, expected) CHECK_TEXT(std::string(actual).c_str(), std::string(expected).c_str())
#define CHECK_IS(actual, expected) CHECK_INT(static_cast<std::int64_t>(actual), static_cast<std::int64_t>(expected))

using Settings = std::initializer_list<std::pair<const char *, const char *>>;

/* Makes a client from the environment and changes these settings. */
inline rtcmsg::Client fixture_client(Settings settings = {}) {
  rtcmsg::Result<rtcmsg::Config> config = rtcmsg::Config::try_from_env();
  REQUIRE(config.ok());
  for (const auto &setting : settings) REQUIRE(config->try_set(setting.first, setting.second).ok());
  rtcmsg::Result<rtcmsg::Client> client = rtcmsg::Client::try_make(*config);
  if (!client) CHECK_STRING(client.error().to_string(), "");
  REQUIRE(client.ok());
  return *std::move(client);
}

/* Alice is in the lobby of both vendors, and 10001 in conversation 7 of 10008. */
inline void fixture_presence() {
  control_post("reset", "%s", "");
  control_post("volcengine/join", "%s", R"({"room_id":"lobby","user_id":"alice"})");
  control_post("zego/join", "%s", R"({"room_id":"lobby","user_id":"alice"})");
  control_post("im/join", "%s", R"({"conversation_id":7,"user_id":10008,"devices":[]})");
  control_post("im/join", "%s", R"({"conversation_id":7,"user_id":10001,"devices":["Web","IOS"]})");
}

/* The exit code of main. It waits for the threads of destroyed clients, which memcheck would otherwise report. */
inline int fixture_summary() {
  tasks_wait_for_end_of("rtcmsg-");
  return check_summary();
}

inline std::size_t fixture_arrived(const char *vendor, const char *user) {
  struct control_inbox inbox = control_inbox(vendor, user);
  const std::size_t count = inbox.count;
  control_inbox_free(&inbox);
  return count;
}

#endif
