// standards: c++17
// flags: -Wconversion -Wshadow

// An object that was moved from is empty: its functions return an error or nothing. The new object owns what it owned.
#include "fixtures.hpp"

#include <memory>

using namespace std::chrono_literals;
using rtcmsg::Client;
using rtcmsg::Code;
using rtcmsg::Message;

namespace {

template <class T>
void check_is_refused(const rtcmsg::Result<T> &result, const char *field) {
  CHECK(!result.ok());
  CHECK_IS(result.error().code(), Code::invalid_argument);
  CHECK_TEXT(result.error().field(), field);
  CHECK(result.error().message()[0] != '\0');
}

void check_is_empty(Client &client) {
  const Message message = Message::send_unicast("server", "alice", "hello");
  const auto handler = [](const rtcmsg::Completion &) { CHECK(false); };
  check_is_refused(client.try_check(message), "client");
  check_is_refused(client.try_send(message), "client");
  check_is_refused(client.try_send_unicast("server", "alice", "hello"), "client");
  check_is_refused(client.try_send_room_unicast("lobby", "server", "alice", "hello"), "client");
  check_is_refused(client.try_batch_send_room_unicast("lobby", "server", {"alice"}, "hello"), "client");
  check_is_refused(client.try_send_broadcast("lobby", "server", "hello"), "client");
  check_is_refused(client.try_p2p_send_message_to_users(7, 10008, 1, {10001}, "hello"), "client");
  check_is_refused(client.try_p2p_send_message_to_all(7, 10008, 1, "hello"), "client");
  check_is_refused(client.try_p2p_send_message_to_all_except(7, 10008, 1, {10001}, "hello"), "client");
  check_is_refused(client.try_send_custom_command_to_users("lobby", "server", {"alice"}, "hello"), "client");
  check_is_refused(client.try_send_custom_command_to_room("lobby", "server", "hello"), "client");
  check_is_refused(client.try_call_action(rtcmsg::Vendor::zego, "DescribeUsers", nullptr, "{}"), "client");
  check_is_refused(client.try_submit(message, handler), "client");
  check_is_refused(client.try_submit_and_forget(message), "client");
  check_is_refused(client.try_poll(), "client");
  check_is_refused(client.try_event_handle(), "client");
  check_is_refused(client.try_cancel(1), "client");
  check_is_refused(client.try_flush(1s), "client");
  check_is_refused(client.try_close(1s), "client");
  check_is_refused(client.try_warm_up(), "client");
  check_is_refused(client.try_set_credentials(rtcmsg::Vendor::zego, {}, "secret"), "client");
  check_is_refused(client.try_stats(), "client");
  check_is_refused(client.try_next_log_line(), "client");
  CHECK_SIZE(client.pending(), 0);
  CHECK(client.raw() == nullptr);
  bool has_thrown = false;
  try {
    (void)client.send(message);
  } catch (const rtcmsg::Exception &exception) {
    has_thrown = exception.code() == Code::invalid_argument;
  }
  CHECK(has_thrown);
}

void a_client_that_was_moved_from_is_empty() {
  Client client = fixture_client();
  Client other = std::move(client);
  check_is_empty(client);
  CHECK(other.send_unicast("server", "alice", "hello").ok());
  client = std::move(other);
  check_is_empty(other);
  CHECK(client.send_unicast("server", "alice", "hello").ok());
  Client empty;
  check_is_empty(empty);
}

void a_client_that_is_assigned_to_itself_is_unchanged() {
  Client client = fixture_client();
  Client &same = client;
  client = std::move(same);
  CHECK(client.send_unicast("server", "alice", "hello").ok());
}

/* The log function and the handlers move with the client. A client that is replaced still logs that it was closed. */
void the_log_and_the_handlers_move_with_the_client() {
  auto lines = std::make_shared<int>(0);
  rtcmsg::Config config = rtcmsg::Config::from_env();
  config.log_to(rtcmsg::LogLevel::debug, [lines](rtcmsg::LogLevel, std::string_view) { ++*lines; });
  Client client(config);
  config = rtcmsg::Config();
  int ran = 0;
  client.submit(Message::send_unicast("server", "alice", "hello"), [&ran](const rtcmsg::Completion &) { ran++; });
  Client other = std::move(client);
  CHECK_SIZE(other.poll(60s), 1);
  CHECK_INT(ran, 1);
  CHECK(*lines > 0);
  CHECK_INT(lines.use_count(), 2);
  other = Client();
  CHECK_INT(lines.use_count(), 1);
}

void a_config_that_was_moved_from_is_empty() {
  rtcmsg::Config config = rtcmsg::Config::from_env();
  const rtcmsg::Config other = std::move(config);
  check_is_refused(config.try_set("zego.app_id", "1"), "config");
  check_is_refused(config.try_load_env(), "config");
  check_is_refused(config.try_log_to(rtcmsg::LogLevel::info, [](rtcmsg::LogLevel, std::string_view) {}), "config");
  check_is_refused(Client::try_make(config), "config");
  CHECK(Client::try_make(other).ok());
}

void a_report_that_was_moved_from_is_empty() {
  Client client = fixture_client();
  rtcmsg::Report report = client.send_unicast("server", "alice", "hello");
  const rtcmsg::Report other = std::move(report);
  CHECK(!report.ok());
  CHECK_IS(report.code(), Code::invalid_argument);
  CHECK_IS(report.delivery(), rtcmsg::Delivery::none);
  CHECK_STRING(report.summary(), "");
  CHECK_STRING(report.body(), "");
  CHECK_SIZE(report.count(rtcmsg::Delivery::accepted), 0);
  CHECK(report.recipients().empty());
  CHECK(report.requests().empty());
  CHECK_STRING(report.recipients()[0].user(), "");
  for (const rtcmsg::Recipient recipient : report.recipients()) CHECK_STRING(recipient.user(), "nobody");
  CHECK(other.ok());
  CHECK_STRING(other.recipients()[0].user(), "alice");
}

void a_completion_gives_its_report_away_once() {
  Client client = fixture_client();
  rtcmsg::Report kept;
  client.submit(Message::send_unicast("server", "alice", "hello"), [&kept](rtcmsg::Completion done) {
    kept = std::move(done).report();
    CHECK(!done.ok());
    CHECK_IS(done.delivery(), rtcmsg::Delivery::none);
  });
  CHECK_SIZE(client.poll(60s), 1);
  CHECK(kept.ok());
}

}  // namespace

int main() {
  fixture_presence();
  a_client_that_was_moved_from_is_empty();
  a_client_that_is_assigned_to_itself_is_unchanged();
  the_log_and_the_handlers_move_with_the_client();
  a_config_that_was_moved_from_is_empty();
  a_report_that_was_moved_from_is_empty();
  a_completion_gives_its_report_away_once();
  return fixture_summary();
}
