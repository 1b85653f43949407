// standards: c++17 c++20
// flags: -Wconversion -Wshadow

// Both error styles: errors in a Result, errors that are thrown, and accepted messages, which fail with a report.
#include "fixtures.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <vector>

using namespace std::chrono_literals;
using rtcmsg::Client;
using rtcmsg::Code;
using rtcmsg::Delivery;
using rtcmsg::Message;
using rtcmsg::Payload;
using rtcmsg::Wait;

namespace {

static_assert(!std::is_copy_constructible_v<Client> && std::is_nothrow_move_constructible_v<Client>);
static_assert(!std::is_copy_constructible_v<rtcmsg::Config> && !std::is_copy_constructible_v<rtcmsg::Report>);
static_assert(!std::is_copy_constructible_v<rtcmsg::Completion>);
static_assert(std::is_convertible_v<std::vector<rtcmsg::Text>, rtcmsg::Users>);
static_assert(!std::is_convertible_v<std::vector<std::string>, rtcmsg::Users> &&
              !std::is_convertible_v<int, rtcmsg::Users>);

template <class Function>
rtcmsg::Error thrown_by(Function &&function) {
  try {
    function();
  } catch (const rtcmsg::Exception &exception) {
    CHECK_STRING(exception.what(), exception.error().to_string());
    return exception.error();
  }
  return rtcmsg::Error();
}

void check_same(const rtcmsg::Error &error, const rtcmsg::Error &thrown, Code code, const char *field,
                const char *text) {
  CHECK_IS(error.code(), code);
  CHECK_TEXT(error.field(), field);
  CHECK_CONTAINS(error.message(), text);
  CHECK_IS(thrown.code(), code);
  CHECK_TEXT(thrown.field(), field);
  CHECK_TEXT(thrown.message(), error.message());
}

void a_message_that_is_not_accepted_is_an_error_in_both_styles() {
  Client client = fixture_client();
  check_same(client.try_send_unicast("server", "", "hello").error(),
             thrown_by([&] { (void)client.send_unicast("server", "", "hello"); }), Code::invalid_argument, "to",
             "must not be empty");
  check_same(client.try_batch_send_room_unicast("lobby", "server", {}, "hello").error(),
             thrown_by([&] { (void)client.batch_send_room_unicast("lobby", "server", {}, "hello"); }),
             Code::invalid_argument, "to", "the list is empty");
  check_same(client.try_send_unicast("server", "alice", "bad \xff").error(),
             thrown_by([&] { (void)client.send_unicast("server", "alice", "bad \xff"); }), Code::invalid_argument,
             "payload", "UTF-8");
  check_same(client.try_check(Message::p2p_send_message_to_all(0, 1, 1, "x")).error(),
             thrown_by([&] { client.check(Message::p2p_send_message_to_all(0, 1, 1, "x")); }), Code::invalid_argument,
             "conversation_id", "is 0");
  check_same(
      client.try_submit(Message::send_broadcast("", "server", "x"), [](const rtcmsg::Completion &) {}).error(),
      thrown_by([&] { client.submit(Message::send_broadcast("", "server", "x"), [](const rtcmsg::Completion &) {}); }),
      Code::invalid_argument, "room_id", "must not be empty");
  check_same(client.try_submit_and_forget(Message::send_broadcast("lobby", "", "x")).error(),
             thrown_by([&] { client.submit_and_forget(Message::send_broadcast("lobby", "", "x")); }),
             Code::invalid_argument, "from", "must not be empty");
  CHECK(client.try_check(Message::send_unicast("server", "alice", "hello")).ok());
  client.check(Message::send_unicast("server", "alice", "hello"));
}

void a_message_that_failed_is_a_report_and_throws_only_when_asked_to() {
  fixture_presence();
  Client client = fixture_client();
  const rtcmsg::Report report = client.send_custom_command_to_users("lobby", "server", {"ghost"}, "hello");
  CHECK(!report.ok());
  CHECK_IS(report.code(), Code::undelivered);
  CHECK_IS(report.delivery(), Delivery::not_delivered);
  CHECK_SIZE(report.count(Delivery::not_delivered), 1);
  CHECK_SIZE(report.count(Delivery::none), 0);
  bool has_thrown = false;
  try {
    (void)client.send_custom_command_to_users("lobby", "server", {"ghost"}, "hello").or_throw();
  } catch (const rtcmsg::Failure &failure) {
    const rtcmsg::Failure copied = failure;
    has_thrown = true;
    CHECK_IS(copied.code(), Code::undelivered);
    CHECK_INT(copied.report().recipients()[0].vendor_code(), 105);
    CHECK_CONTAINS(copied.what(), "RTCMSG_ERR_UNDELIVERED");
  }
  CHECK(has_thrown);
  CHECK(client.send_custom_command_to_users("lobby", "server", {"alice"}, "hello").or_throw().ok());
}

void settings_are_checked_in_both_styles() {
  rtcmsg::Config config;
  check_same(config.try_set("zego.app", "1").error(), thrown_by([&] { config.set("zego.app", "1"); }),
             Code::invalid_argument, "zego.app", "zego.app_id");
  check_same(config.try_set("zego.app_id", std::string("12\0z", 4)).error(),
             thrown_by([&] { config.set("zego.app_id", std::string("12\0z", 4)); }), Code::invalid_argument, "value",
             "contains a NUL character");
  check_same(config.try_set(std::string("a\0b", 3), "1").error(),
             thrown_by([&] { config.set(std::string("a\0b", 3), "1"); }), Code::invalid_argument, "key",
             "contains a NUL character");
  const char *no_text = nullptr;
  check_same(config.try_set(no_text, "1").error(), thrown_by([&] { config.set(no_text, "1"); }), Code::invalid_argument,
             "key", "NULL");
  check_same(Client::try_make(config).error(), thrown_by([&] { const Client client(config); }), Code::not_configured,
             "", "");
  CHECK(config.set("zego.app_id", "1").try_set("zego.server_secret", "0123456789abcdef0123456789abcdef").ok());
  CHECK(Client::try_make(config).ok());
}

void a_closed_client_returns_closed() {
  Client client = fixture_client();
  client.close(0s);
  check_same(client.try_send_unicast("server", "alice", "hello").error(),
             thrown_by([&] { (void)client.send_unicast("server", "alice", "hello"); }), Code::closed, "", "closed");
  check_same(
      client.try_submit(Message::send_unicast("server", "alice", "x"), [](const rtcmsg::Completion &) {}).error(),
      thrown_by(
          [&] { client.submit(Message::send_unicast("server", "alice", "x"), [](const rtcmsg::Completion &) {}); }),
      Code::closed, "", "closed");
  check_same(client.try_flush(1s).error(), thrown_by([&] { client.flush(1s); }), Code::closed, "", "closed");
  check_same(client.try_cancel(1).error(), thrown_by([&] { client.cancel(1); }), Code::closed, "", "closed");
  check_same(client.try_warm_up().error(), thrown_by([&] { client.warm_up(); }), Code::closed, "", "closed");
  CHECK_SIZE(client.poll(), 0);
  CHECK_SIZE(client.pending(), 0);
}

void a_duration_is_rounded_up_and_never_becomes_no_limit() {
  CHECK_INT(Wait().ms(), 0);
  CHECK_INT(Wait(0s).ms(), 0);
  CHECK_INT(Wait(1ns).ms(), 1);
  CHECK_INT(Wait(1500us).ms(), 2);
  CHECK_INT(Wait(2s).ms(), 2000);
  CHECK_INT(Wait(std::chrono::duration<double>(0.25)).ms(), 250);
  CHECK_INT(Wait(std::chrono::hours(24 * 365)).ms(), INT32_MAX);
  CHECK_INT(Wait(std::chrono::hours::max()).ms(), INT32_MAX);
  CHECK_INT(Wait(std::chrono::hours::min()).ms(), -INT32_MAX);
  CHECK_INT(Wait(-1ns).ms(), -2);
  CHECK_INT(Wait(-1ms).ms(), -2);
  CHECK_INT(Wait(-5s).ms(), -5000);
  CHECK_INT(rtcmsg::forever.ms(), -1);
  Client client = fixture_client();
  CHECK_TEXT(client.try_poll(-1ms).error().field(), "timeout_ms");
  CHECK_TEXT(client.try_close(-1ms).error().field(), "timeout_ms");
  CHECK_TEXT(client.try_flush(-1ms).error().field(), "timeout_ms");
}

/* In C, 0 means "not given". In C++ a remaining time that has reached 0 is refused: it must not become no limit. */
void a_time_that_has_run_out_is_refused() {
  fixture_presence();
  Client client = fixture_client();
  const auto refused = [&client](const rtcmsg::SendOptions &send, const rtcmsg::SubmitOptions &submit,
                                 const char *field) {
    const Message message = Message::send_unicast("server", "alice", "hello");
    const auto handler = [](const rtcmsg::Completion &) {};
    check_same(client.try_send(message, send).error(), thrown_by([&] { (void)client.send(message, send); }),
               Code::invalid_argument, field, "must be above 0");
    check_same(client.try_submit(message, handler, submit).error(),
               thrown_by([&] { client.submit(message, handler, submit); }), Code::invalid_argument, field,
               "must be above 0");
    check_same(client.try_submit_and_forget(message, submit).error(),
               thrown_by([&] { client.submit_and_forget(message, submit); }), Code::invalid_argument, field,
               "must be above 0");
    CHECK_TEXT(client.try_call_action(rtcmsg::Vendor::zego, "DescribeUsers", nullptr, "{}", send).error().field(),
               field);
  };
  for (const Wait wait : {Wait(0s), Wait(-1ns), Wait(-5s), Wait(std::chrono::hours::min())}) {
    refused(rtcmsg::SendOptions().timeout(wait), rtcmsg::SubmitOptions().timeout(wait), "timeout_ms");
    refused(rtcmsg::SendOptions().expires_in(wait), rtcmsg::SubmitOptions().expires_in(wait), "expires_in_ms");
  }
  refused(rtcmsg::SendOptions().expires_in(rtcmsg::forever), rtcmsg::SubmitOptions().expires_in(rtcmsg::forever),
          "expires_in_ms");
  CHECK_SIZE(client.pending(), 0);
  CHECK_SIZE(fixture_arrived("volcengine", "alice"), 0);
  CHECK(client.send_unicast("server", "alice", "x", rtcmsg::SendOptions().timeout(rtcmsg::forever)).ok());
  CHECK(client.send_unicast("server", "alice", "x", rtcmsg::SendOptions().timeout(0s).timeout(60s)).ok());
  CHECK(client.send_unicast("server", "alice", "x", rtcmsg::SendOptions().expires_in(60s)).ok());
}

void reading_a_result_does_not_move_its_value_out() {
  Client client = fixture_client();
  rtcmsg::Result<rtcmsg::Report> sent = client.try_send_unicast("server", "alice", "hello");
  CHECK(sent.value().ok());
  CHECK_STRING(sent.value().recipients()[0].user(), "alice");
  CHECK(&sent.value() == &*sent);
  const rtcmsg::Result<rtcmsg::Report> refused = client.try_send_unicast("server", "", "hello");
  CHECK_TEXT(thrown_by([&] { (void)refused.value(); }).field(), "to");
  const rtcmsg::Result<void> checked = client.try_check(Message::send_unicast("server", "", "hello"));
  CHECK_TEXT(thrown_by([&] { checked.value(); }).field(), "to");
  const rtcmsg::Report taken = std::move(sent).value();
  CHECK(taken.ok());
}

void every_kind_of_text_list_and_payload_is_accepted() {
  fixture_presence();
  Client client = fixture_client();
  const std::string name = "alice";
  const std::vector<std::string> names{"alice", "bob"};
  const std::vector<rtcmsg::Text> texts(names.begin(), names.end());
  const std::array<rtcmsg::Text, 1> array{name};
  const std::vector<std::byte> bytes{std::byte{0}, std::byte{255}};
  const std::vector<std::int64_t> ids{10001};
  CHECK(client.send_unicast("server", name, std::string_view("view")).ok());
  CHECK(client.send_unicast(std::string("server"), std::string_view(name), name).ok());
  CHECK(client.send_unicast("server", name, Payload::binary("\0\1", 2)).ok());
  CHECK(client.batch_send_room_unicast("lobby", "server", texts, Payload::binary(bytes)).ok());
  CHECK(client.batch_send_room_unicast("lobby", "server", array, "text").ok());
  CHECK(client.batch_send_room_unicast("lobby", "server", {name, "bob"}, "text").ok());
  CHECK(client.batch_send_room_unicast("lobby", "server", rtcmsg::Users(texts.data(), 1), "text").ok());
  CHECK(client.p2p_send_message_to_users(7, 10008, 1, ids, "text").ok());
  CHECK(client.p2p_send_message_to_users(7, 10008, 1, {10001}, "text").ok());
  CHECK_SIZE(fixture_arrived("volcengine", "alice"), 7);
  CHECK_SIZE(fixture_arrived("im", "10001"), 4);
  CHECK_TEXT(client.try_send_unicast("server", static_cast<const char *>(nullptr), "x").error().message(),
             client.try_send_unicast("server", "", "x").error().message());
}

void rows_past_the_end_are_empty() {
  fixture_presence();
  Client client = fixture_client();
  const rtcmsg::Report report = client.p2p_send_message_to_users(7, 10008, 1, {10001, 10008}, "text");
  CHECK_STRING(report.recipients()[1].devices()[0].platform(), "Default");
  const rtcmsg::Recipient missing = report.recipients()[2];
  CHECK_STRING(missing.user(), "");
  CHECK_INT(missing.user_id(), 0);
  CHECK_IS(missing.delivery(), Delivery::none);
  CHECK_STRING(missing.vendor_message(), "");
  CHECK(missing.devices().empty());
  CHECK_STRING(missing.request().request_id(), "");
  CHECK(missing.request().attempts().empty());
  CHECK_STRING(report.recipients()[0].devices()[2].platform(), "");
  CHECK_STRING(report.recipients()[0].devices()[1].platform(), "IOS");
  CHECK_IS(report.requests()[SIZE_MAX].delivery(), Delivery::none);
  CHECK_IS(report.requests()[0].attempts()[0].delivery(), Delivery::accepted);
  CHECK_INT(report.requests()[0].attempts()[0].http_status(), 200);
  CHECK_STRING(report.requests()[0].attempts()[1].error_message(), "");
  CHECK_STRING(report.recipients()[0].request().request_id(), report.requests()[0].request_id());
  CHECK(report.body().empty());
}

void another_action_gives_its_raw_answer() {
  fixture_presence();
  Client client = fixture_client();
  const char *action = "SendBroadcastMessage";
  const char *json = R"({"RoomId":"lobby","UserId":"server","MessageCategory":1,"MessageContent":"hello"})";
  const rtcmsg::Report report = client.call_action(rtcmsg::Vendor::zego, action, nullptr, json);
  CHECK(report.ok());
  CHECK_CONTAINS(std::string(report.body()).c_str(), "MessageId");
  check_same(client.try_call_action(rtcmsg::Vendor::volcengine, std::string("a\0b", 3), "2020-12-01", "{}").error(),
             thrown_by([&] {
               (void)client.call_action(rtcmsg::Vendor::volcengine, std::string("a\0b", 3), "2020-12-01", "{}");
             }),
             Code::invalid_argument, "action", "contains a NUL character");
  CHECK_TEXT(client.try_call_action(rtcmsg::Vendor::zego, action, nullptr, "[]").error().field(), "json");
}

/* The flags of rtcmsg.h, assigned in C++: a flag of the other struct is refused, and the error names it. */
void a_flag_of_the_other_struct_is_refused_by_name() {
  Client client = fixture_client();
  const rtcmsg_str to = rtcmsg_str_from("alice");
  rtcmsg_message message = RTCMSG_INIT(rtcmsg_message);
  message.action = RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST;
  message.from = rtcmsg_str_from("server");
  message.to = &to;
  message.to_count = 1;
  message.payload = "hi";
  message.payload_len = 2;
  rtcmsg_send_options options = RTCMSG_INIT(rtcmsg_send_options);
  rtcmsg::Error error;
  std::uint64_t id = 7;
  for (const char *name : {"RTCMSG_SUBMIT_UNORDERED", "RTCMSG_SUBMIT_NO_COMPLETION"}) {
    const bool is_first = name == std::string("RTCMSG_SUBMIT_UNORDERED");
    message.flags = is_first ? RTCMSG_SUBMIT_UNORDERED : RTCMSG_SUBMIT_NO_COMPLETION;
    CHECK_INT(rtcmsg_client_submit(client.raw(), &message, &options, &id, error.raw()), RTCMSG_ERR_INVALID_ARGUMENT);
    CHECK_TEXT(error.field(), "flags");
    CHECK_STRING(error.message(), name + std::string(" is a flag of rtcmsg_send_options, not of rtcmsg_message"));
  }
  message.flags = 0;
  options.flags = RTCMSG_SUBMIT_UNORDERED | RTCMSG_SUBMIT_NO_COMPLETION;
  options.flags |= RTCMSG_MESSAGE_BINARY;
  CHECK_INT(rtcmsg_client_submit(client.raw(), &message, &options, &id, error.raw()), RTCMSG_ERR_INVALID_ARGUMENT);
  CHECK_TEXT(error.field(), "flags");
  CHECK_TEXT(error.message(), "RTCMSG_MESSAGE_BINARY is a flag of rtcmsg_message, not of rtcmsg_send_options");
  CHECK_SIZE(id, 0);
}

void new_credentials_are_accepted_or_refused() {
  fixture_presence();
  Client client = fixture_client();
  client.set_credentials(rtcmsg::Vendor::zego, {}, "a-wrong-secret-of-32-characters.");
  CHECK_IS(client.send_custom_command_to_room("lobby", "server", "hello").code(), Code::unauthenticated);
  client.set_credentials(rtcmsg::Vendor::zego, {}, std::getenv("RTCMSG_ZEGO_SERVER_SECRET"));
  CHECK(client.send_custom_command_to_room("lobby", "server", "hello").ok());
  check_same(client.try_set_credentials(rtcmsg::Vendor::volcengine, "key", "").error(),
             thrown_by([&] { client.set_credentials(rtcmsg::Vendor::volcengine, "key", ""); }), Code::invalid_argument,
             "secret", "");
}

void a_library_of_another_version_is_refused() {
  using rtcmsg::detail::versions_fit;
  CHECK(versions_fit(0x000100, 0x000100));
  CHECK(versions_fit(0x000100, 0x000101));
  CHECK(!versions_fit(0x000101, 0x000100));
  CHECK(!versions_fit(0x000100, 0x000200));
  CHECK(!versions_fit(0x000200, 0x000100));
  CHECK(!versions_fit(0x000100, 0x010000));
  CHECK(versions_fit(0x010000, 0x010203));
  CHECK(!versions_fit(0x010100, 0x010003));
  CHECK(!versions_fit(0x010000, 0x020000));
  const rtcmsg::Error error = rtcmsg::detail::check_versions(0x000102, 0x000203).error();
  CHECK_IS(error.code(), Code::unsupported);
  CHECK_TEXT(error.message(), "this program was built for rtcmsg 0.1.2, the library that it found is 0.2.3");
  CHECK(rtcmsg::detail::check_versions(RTCMSG_VERSION, rtcmsg_version()).ok());
}

/* A code that exists in the library and not in the header would be counted, but would not be in the list. */
void every_code_and_delivery_has_its_enumerator() {
  const Code codes[] = {
      Code::ok,           Code::invalid_argument, Code::unsupported,      Code::not_configured, Code::queue_full,
      Code::rate_limited, Code::expired,          Code::cancelled,        Code::closed,         Code::forked,
      Code::not_found,    Code::no_resources,     Code::buffer_too_small, Code::resolve,        Code::connect,
      Code::tls,          Code::disconnected,     Code::timeout,          Code::bad_response,   Code::proxy,
      Code::rejected,     Code::unauthenticated,  Code::forbidden,        Code::throttled,      Code::clock,
      Code::vendor_fault, Code::undelivered,      Code::partial,          Code::internal};
  std::size_t known = 0;
  for (int number = -1000; number <= 0; number++)
    known += std::strcmp(rtcmsg::name(static_cast<Code>(number)), "RTCMSG_?") != 0;
  CHECK_SIZE(known, sizeof codes / sizeof *codes);
  for (const Code code : codes) CHECK_LACKS(rtcmsg::name(code), "?");
  std::size_t deliveries = 0;
  for (std::uint32_t number = 0; number < 100; number++)
    deliveries += std::strcmp(rtcmsg::name(static_cast<Delivery>(number)), "RTCMSG_?") != 0;
  CHECK_SIZE(deliveries, 5);
  CHECK_TEXT(rtcmsg::name(Code::throttled), "RTCMSG_ERR_THROTTLED");
  CHECK_TEXT(rtcmsg::name(Delivery::unknown), "RTCMSG_DELIVERY_UNKNOWN");
}

}  // namespace

int main() {
  a_message_that_is_not_accepted_is_an_error_in_both_styles();
  a_message_that_failed_is_a_report_and_throws_only_when_asked_to();
  settings_are_checked_in_both_styles();
  a_closed_client_returns_closed();
  a_duration_is_rounded_up_and_never_becomes_no_limit();
  a_time_that_has_run_out_is_refused();
  reading_a_result_does_not_move_its_value_out();
  every_kind_of_text_list_and_payload_is_accepted();
  rows_past_the_end_are_empty();
  another_action_gives_its_raw_answer();
  a_flag_of_the_other_struct_is_refused_by_name();
  new_credentials_are_accepted_or_refused();
  a_library_of_another_version_is_refused();
  every_code_and_delivery_has_its_enumerator();
  return fixture_summary();
}
