// standards: c++17
// flags: -Wconversion -Wshadow
// emulator: --no-quota

// One client, many threads: the lambda of each submit runs exactly once, in the poll() of any thread, and concurrent
// sends get their reports.
#include "fixtures.hpp"

#include <array>
#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using rtcmsg::Completion;
using rtcmsg::Message;

namespace {

constexpr std::size_t submitters = 4;
constexpr std::size_t pollers = 3;
constexpr std::size_t senders = 2;

std::size_t messages_per_thread() { return std::string_view(std::getenv("TEST_MODE")) == "memcheck" ? 50 : 400; }

void every_lambda_runs_once() {
  fixture_presence();
  rtcmsg::Client client = fixture_client();
  const std::size_t each = messages_per_thread();
  const std::size_t all = submitters * each;
  std::vector<std::atomic<int>> ran(all);
  std::atomic<std::size_t> done{0};
  std::atomic<std::size_t> polled{0};
  std::atomic<std::size_t> failures{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < submitters; t++)
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < each; i++) {
        const std::size_t number = t * each + i;
        const auto options = rtcmsg::SubmitOptions().unordered();
        const auto submitted = client.try_submit(
            Message::send_unicast("server", "alice", std::to_string(number)),
            [&, number](const Completion &completion) {
              ran[number]++;
              if (!completion.ok()) failures++;
              done++;
            },
            options);
        if (!submitted) failures++;
      }
    });
  for (std::size_t t = 0; t < pollers; t++)
    threads.emplace_back([&] {
      while (done < all && failures == 0) polled += client.poll(10ms, 7);
    });
  for (std::size_t t = 0; t < senders; t++)
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < each / 4; i++)
        if (!client.send_custom_command_to_room("lobby", "server", "hello").ok()) failures++;
    });
  for (std::thread &thread : threads) thread.join();
  CHECK_SIZE(failures, 0);
  CHECK_SIZE(polled, all);
  for (const std::atomic<int> &count : ran) CHECK_INT(count, 1);
  CHECK_SIZE(fixture_arrived("volcengine", "alice"), all);
  CHECK_SIZE(fixture_arrived("zego", "alice"), senders * (each / 4));
}

void close_from_another_thread_ends_each_send_with_a_report_or_an_error() {
  fixture_presence();
  control_post("faults", "%s", R"({"stall":true,"vendor":"volcengine"})");
  rtcmsg::Client client = fixture_client();
  std::atomic<int> ended{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++)
    threads.emplace_back([&] {
      const rtcmsg::Result<rtcmsg::Report> report = client.try_send_unicast("server", "alice", "hello");
      const bool is_cut = report ? !report->ok() : report.error().code() == rtcmsg::Code::closed;
      if (is_cut) ended++;
    });
  client.close(50ms);
  for (std::thread &thread : threads) thread.join();
  CHECK_INT(ended, 4);
  fixture_presence();
}

}  // namespace

int main() {
  every_lambda_runs_once();
  close_from_another_thread_ends_each_send_with_a_report_or_an_error();
  return fixture_summary();
}
