// standards: c++17
// modes: plain asan (memcheck puts its own operator new in place of a program's)
// flags: -Wconversion -Wshadow

// The header allocates no memory for a send, and one block for a submit, which holds the lambda.
#include "fixtures.hpp"

#include <array>
#include <cstdlib>
#include <new>
#include <optional>

using namespace std::chrono_literals;

static std::size_t news = 0;

void *operator new(std::size_t size) {
  news++;
  if (void *memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }

namespace {

template <class Function>
std::size_t news_of(Function &&function) {
  const std::size_t before = news;
  function();
  return news - before;
}

}  // namespace

int main() {
  fixture_presence();
  std::optional<rtcmsg::Client> kept = fixture_client();
  rtcmsg::Client &client = *kept;
  const std::array<rtcmsg::Text, 2> users{"alice", "bob"};
  std::size_t reached = 0;
  CHECK(news_of([] { delete new int; }) == 1);
  CHECK_SIZE(news_of([&] { reached += client.send_unicast("server", "alice", "hello").ok(); }), 0);
  CHECK_SIZE(news_of([&] { reached += client.batch_send_room_unicast("lobby", "server", users, "hello").ok(); }), 0);
  CHECK_SIZE(news_of([&] { reached += client.send_custom_command_to_users("lobby", "server", {"alice"}, "hi").ok(); }),
             0);
  CHECK_SIZE(news_of([&] { reached += client.p2p_send_message_to_users(7, 10008, 1, {10001}, "hello").ok(); }), 0);
  CHECK_SIZE(news_of([&] { reached += !client.try_send_unicast("", "alice", "hello").ok(); }), 0);
  CHECK_SIZE(news_of([&] {
               const rtcmsg::Report report = client.send_unicast("server", "alice", "hello");
               for (const rtcmsg::Recipient recipient : report.recipients()) reached += recipient.user() == "alice";
             }),
             0);
  CHECK_SIZE(reached, 6);
  const auto message = rtcmsg::Message::send_unicast("server", "alice", "hello");
  CHECK_SIZE(
      news_of([&] { client.submit(message, [&reached](const rtcmsg::Completion &done) { reached += done.ok(); }); }),
      1);
  CHECK_SIZE(news_of([&] { client.submit_and_forget(message); }), 0);
  const auto refused = rtcmsg::Message::send_unicast("", "alice", "hello");
  CHECK_SIZE(news_of([&] { reached += !client.try_submit(refused, [](const rtcmsg::Completion &) {}).ok(); }), 0);
  client.flush(60s);
  CHECK_SIZE(news_of([&] { client.poll(); }), 0);
  CHECK_SIZE(reached, 8);
  kept.reset();
  return fixture_summary();
}
