// standards: c++17
// flags: -Wconversion -Wshadow

// The lambda of each submit runs once, in poll(), on the thread that polls. It is dropped if it cannot run.
#include "fixtures.hpp"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using rtcmsg::Client;
using rtcmsg::Code;
using rtcmsg::Completion;
using rtcmsg::Delivery;
using rtcmsg::Message;
using rtcmsg::SubmitOptions;

namespace {

/* Longer than any request to the emulator in this file takes. */
constexpr auto generous = 60s;

Message to_alice(const char *text = "hello") { return Message::send_unicast("server", "alice", text); }

/* The emulator stops responding, so that messages stay in flight while the test checks them. */
void hold_answers() { control_post("faults", "%s", R"({"stall":true,"vendor":"volcengine"})"); }

/* Waits until the emulator has applied the only fault. */
void wait_for_the_fault() {
  for (bool has_struck = false; !has_struck;) {
    char *faults = control_get("faults");
    has_struck = std::strstr(faults, "\"fired\":1") != nullptr;
    std::free(faults);
  }
}

void the_lambda_runs_in_poll_on_the_thread_that_polls() {
  Client client = fixture_client();
  std::thread::id thread;
  std::uint64_t completed = 0;
  const std::uint64_t id = client.submit(to_alice(), [&](const Completion &done) {
    thread = std::this_thread::get_id();
    completed = done.id();
    CHECK(done.ok());
    CHECK_IS(done.delivery(), Delivery::accepted);
    CHECK_STRING(done.report().recipients()[0].user(), "alice");
  });
  CHECK(id != 0);
  client.flush(generous);
  CHECK_SIZE(client.pending(), 1);
  CHECK_INT(completed, 0);
  CHECK_SIZE(client.poll(), 1);
  CHECK_INT(completed, id);
  CHECK(thread == std::this_thread::get_id());
  CHECK_SIZE(client.pending(), 0);
  CHECK_SIZE(client.poll(), 0);
}

void arguments_are_copied() {
  Client client = fixture_client();
  std::string text = "first";
  std::vector<std::string> names{"alice"};
  {
    const std::vector<rtcmsg::Text> to(names.begin(), names.end());
    client.submit(Message::batch_send_room_unicast("lobby", "server", to, text),
                  [](const Completion &done) { CHECK_STRING(done.report().recipients()[0].user(), "alice"); });
  }
  text.assign("other");
  names[0].assign("mouse");
  CHECK_SIZE(client.poll(generous), 1);
}

void a_lambda_may_capture_a_value_that_cannot_be_copied() {
  Client client = fixture_client();
  auto held = std::make_unique<int>(7);
  int seen = 0;
  client.submit(to_alice(), [held = std::move(held), &seen](Completion) mutable { seen = std::exchange(*held, 0); });
  const auto named = [&seen](const Completion &) { seen++; };
  client.submit(to_alice(), named);
  client.flush(generous);
  CHECK_SIZE(client.poll(), 2);
  CHECK_INT(seen, 8);
}

void poll_runs_at_most_the_given_number() {
  Client client = fixture_client();
  int ran = 0;
  for (int i = 0; i < 5; i++) client.submit(to_alice(), [&ran](const Completion &) { ran++; });
  client.flush(generous);
  CHECK_SIZE(client.poll(0s, 2), 2);
  CHECK_INT(ran, 2);
  CHECK_SIZE(client.pending(), 3);
  CHECK_SIZE(client.poll(0s, 0), 0);
  CHECK_SIZE(client.poll(), 3);
  CHECK_INT(ran, 5);
}

void an_exception_of_a_lambda_leaves_poll_and_loses_no_other_completion() {
  Client client = fixture_client();
  int ran = 0;
  for (int i = 0; i < 3; i++)
    client.submit(to_alice(std::to_string(i).c_str()), [&ran](const Completion &) {
      if (++ran == 2) throw std::logic_error("from a lambda");
    });
  client.flush(generous);
  bool has_thrown = false;
  try {
    client.poll();
  } catch (const std::logic_error &error) {
    has_thrown = true;
    CHECK_STRING(error.what(), "from a lambda");
  }
  CHECK(has_thrown);
  CHECK_INT(ran, 2);
  CHECK_SIZE(client.poll(), 1);
  CHECK_INT(ran, 3);
}

void a_lambda_may_submit() {
  Client client = fixture_client();
  int ran = 0;
  client.submit(to_alice(), [&](const Completion &) {
    ran++;
    client.submit(to_alice(), [&](const Completion &) { ran++; });
  });
  while (client.pending() > 0) client.poll(generous);
  CHECK_INT(ran, 2);
}

void a_lambda_that_cannot_run_is_dropped() {
  auto held = std::make_shared<int>(0);
  {
    Client client = fixture_client();
    const auto refused =
        client.try_submit(Message::send_unicast("", "alice", "x"), [held](const Completion &) { ++*held; });
    CHECK_TEXT(refused.error().field(), "from");
    CHECK_INT(held.use_count(), 1);
    for (int i = 0; i < 3; i++) client.submit(to_alice(), [held](const Completion &) { ++*held; });
    client.flush(generous);
    CHECK_SIZE(client.poll(0s, 1), 1);
    CHECK_INT(held.use_count(), 3);
  }
  CHECK_INT(held.use_count(), 1);
  CHECK_INT(*held, 1);
}

void a_message_without_completion_is_sent_and_never_polled() {
  fixture_presence();
  Client client = fixture_client();
  CHECK(client.submit_and_forget(to_alice(), SubmitOptions().urgent()) != 0);
  client.flush(generous);
  CHECK_SIZE(client.poll(), 0);
  CHECK_SIZE(client.pending(), 0);
  CHECK_SIZE(fixture_arrived("volcengine", "alice"), 1);
}

/* The only worker waits for the response to the first message, so that the second one is still queued. */
void a_queued_message_can_be_cancelled() {
  fixture_presence();
  hold_answers();
  Client client = fixture_client({{"worker.threads", "1"}});
  Code first = Code::ok;
  Code second = Code::ok;
  client.submit(to_alice("first"), [&](const Completion &done) { first = done.code(); });
  const std::uint64_t id = client.submit(to_alice("second"), [&](const Completion &done) {
    second = done.code();
    CHECK_IS(done.delivery(), Delivery::not_sent);
  });
  CHECK(client.cancel(id));
  CHECK(!client.cancel(id));
  CHECK(!client.cancel(id + 1000));
  CHECK_IS(client.try_cancel(id).error().code(), Code::not_found);
  CHECK_SIZE(client.poll(generous), 1);
  CHECK_IS(second, Code::cancelled);
  client.close(0s);
  while (client.pending() > 0) client.poll(generous);
  CHECK(first == Code::closed || first == Code::disconnected);
  fixture_presence();
}

void a_late_message_expires() {
  fixture_presence();
  hold_answers();
  Client client = fixture_client({{"worker.threads", "1"}, {"http.timeout_ms", "1000"}});
  Code code = Code::ok;
  client.submit(to_alice("held"), [](const Completion &done) { CHECK_IS(done.code(), Code::timeout); });
  client.submit(to_alice("late"), [&](const Completion &done) { code = done.code(); }, SubmitOptions().expires_in(1ms));
  while (client.pending() > 0) client.poll(generous);
  CHECK_IS(code, Code::expired);
  CHECK_SIZE(fixture_arrived("volcengine", "alice"), 0);
  fixture_presence();
}

void a_full_queue_returns_an_error_and_keeps_no_lambda() {
  fixture_presence();
  hold_answers();
  auto held = std::make_shared<int>(0);
  Client client = fixture_client({{"queue.capacity", "2"}});
  const auto handler = [held](const Completion &) {};
  CHECK(client.try_submit(to_alice(), handler).ok());
  CHECK(client.try_submit(to_alice(), handler).ok());
  const long before = held.use_count();
  CHECK_IS(client.try_submit(to_alice(), handler).error().code(), Code::queue_full);
  CHECK_INT(held.use_count(), before);
  CHECK_SIZE(client.pending(), 2);
  CHECK_IS(client.try_flush(1ms).error().code(), Code::timeout);
  client.close(0s);
  fixture_presence();
}

/* The messages go to six users, and the first one is slow. Only the key makes the others wait for it. */
void messages_of_one_key_are_sent_in_order() {
  fixture_presence();
  control_post("faults", "%s", R"({"latency_ms":200,"count":1,"vendor":"volcengine"})");
  Client client = fixture_client();
  std::string order;
  const auto options = SubmitOptions().order_key(42);
  for (const char *user : {"a", "b", "c", "d", "e", "f"})
    client.submit(
        Message::send_unicast("server", user, "hello"), [&order, user](const Completion &) { order += user; }, options);
  while (client.pending() > 0) client.poll(generous);
  CHECK_STRING(order, "abcdef");
}

/* The first message to alice gets no response. The ordered message to her waits for it, the unordered one does not. */
void an_unordered_message_does_not_wait_for_its_destination() {
  fixture_presence();
  control_post("faults", "%s", R"({"stall":true,"count":1,"vendor":"volcengine"})");
  Client client = fixture_client({{"worker.threads", "2"}});
  std::string order;
  const auto log = [&order](const char *text) { return [&order, text](const Completion &) { order += text; }; };
  client.submit(to_alice(), log("first "));
  wait_for_the_fault();
  client.submit(to_alice(), log("second "));
  client.submit(to_alice(), log("unordered "), SubmitOptions().unordered());
  CHECK_SIZE(client.poll(generous), 1);
  CHECK_STRING(order, "unordered ");
  CHECK_SIZE(client.pending(), 2);
  client.close(0s);
  while (client.pending() > 0) client.poll(generous);
  fixture_presence();
}

bool is_readable(std::intptr_t handle) {
  pollfd row{static_cast<int>(handle), POLLIN, 0};
  return ::poll(&row, 1, 0) == 1;
}

void the_event_handle_is_readable_while_a_completion_waits() {
  Client client = fixture_client();
  const std::intptr_t handle = client.event_handle();
  CHECK_INT(client.event_handle(), handle);
  CHECK(!is_readable(handle));
  client.submit(to_alice(), [](const Completion &) {});
  client.submit(to_alice(), [](const Completion &) {});
  pollfd row{static_cast<int>(handle), POLLIN, 0};
  CHECK_INT(::poll(&row, 1, 60000), 1);
  client.flush(generous);
  CHECK_SIZE(client.poll(0s, 1), 1);
  CHECK(is_readable(handle));
  CHECK_SIZE(client.poll(), 1);
  CHECK(!is_readable(handle));
}

void flush_and_close_complete_every_message() {
  Client client = fixture_client();
  int ran = 0;
  client.warm_up(2);
  for (int i = 0; i < 50; i++) client.submit(to_alice(), [&ran](const Completion &) { ran++; });
  client.flush(generous);
  client.close(1s);
  while (client.poll() > 0) continue;
  CHECK_INT(ran, 50);
  CHECK_SIZE(client.pending(), 0);
}

void stats_and_buffered_log_lines_are_text() {
  Client client = fixture_client({{"log.buffer_level", "debug"}});
  client.submit_and_forget(to_alice("a secret payload"));
  client.flush(generous);
  const std::string stats = client.stats();
  CHECK(!stats.empty() && stats.front() == '{' && stats.back() == '}');
  CHECK_SIZE(std::strlen(stats.c_str()), stats.size());
  int lines = 0;
  while (const std::optional<rtcmsg::LogLine> line = client.next_log_line()) {
    CHECK(!line->text.empty());
    CHECK_LACKS(line->text.c_str(), "a secret payload");
    CHECK(line->level >= rtcmsg::LogLevel::error && line->level <= rtcmsg::LogLevel::debug);
    lines++;
  }
  CHECK(lines > 0);
  client.close(0s);
  while (client.next_log_line()) continue;
  CHECK(client.try_next_log_line().ok());
}

}  // namespace

int main() {
  fixture_presence();
  the_lambda_runs_in_poll_on_the_thread_that_polls();
  arguments_are_copied();
  a_lambda_may_capture_a_value_that_cannot_be_copied();
  poll_runs_at_most_the_given_number();
  an_exception_of_a_lambda_leaves_poll_and_loses_no_other_completion();
  a_lambda_may_submit();
  a_lambda_that_cannot_run_is_dropped();
  a_message_without_completion_is_sent_and_never_polled();
  a_queued_message_can_be_cancelled();
  a_late_message_expires();
  a_full_queue_returns_an_error_and_keeps_no_lambda();
  messages_of_one_key_are_sent_in_order();
  an_unordered_message_does_not_wait_for_its_destination();
  the_event_handle_is_readable_while_a_completion_waits();
  flush_and_close_complete_every_message();
  stats_and_buffered_log_lines_are_text();
  return fixture_summary();
}
