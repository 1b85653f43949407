// standards: c++17 c++20
// flags: -fno-exceptions -fno-rtti -Wconversion -Wshadow

// The header works without exceptions and RTTI, as games are often built: each fallible function has a try_ form.
#include "fixtures.hpp"

#include <type_traits>

#ifndef RTCMSG_NO_EXCEPTIONS
#error "the header has not seen that there are no exceptions"
#endif

using namespace std::chrono_literals;
using rtcmsg::Code;
using rtcmsg::Message;

static void every_try_function_returns_a_result() {
  fixture_presence();
  rtcmsg::Config config;
  CHECK(config.try_load_env().ok());
  int lines = 0;
  CHECK(config.try_log_to(rtcmsg::LogLevel::info, [&lines](rtcmsg::LogLevel, std::string_view) { lines++; }).ok());
  CHECK_TEXT(config.try_set("nonsense", "1").error().field(), "nonsense");
  rtcmsg::Result<rtcmsg::Client> made = rtcmsg::Client::try_make(config);
  REQUIRE(made.ok());
  CHECK_INT(lines, 1);
  rtcmsg::Client client = *std::move(made);

  const auto sent = client.try_batch_send_room_unicast("lobby", "server", {"alice", "bob"}, "hello");
  CHECK(sent && sent->ok());
  CHECK_SIZE(sent->recipients().size(), 2);
  const auto refused = client.try_send_custom_command_to_users("lobby", "server", {}, "hello");
  CHECK(!refused);
  CHECK_TEXT(refused.error().field(), "to");
  CHECK((*refused).recipients().empty());

  int ran = 0;
  CHECK(client
            .try_submit(Message::send_broadcast("lobby", "server", "hello"),
                        [&ran](const rtcmsg::Completion &done) { ran += done.ok(); })
            .ok());
  CHECK(client.try_flush(60s).ok());
  CHECK_SIZE(*client.try_poll(), 1);
  CHECK_INT(ran, 1);
  CHECK(client.try_close(1s).ok());
  CHECK_IS(client.try_send_broadcast("lobby", "server", "hello").error().code(), Code::closed);
}

int main() {
  every_try_function_returns_a_result();
  return fixture_summary();
}
