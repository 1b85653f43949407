/* A game server's loop: 60 ticks a second, 200 players in one room, and no tick that ever waits for the network.
 *
 * Each second the server announces the time to the room; every third tick one player gets a whisper; every tenth tick the
 * server sends a signal that is worthless when it is late, and expires. Lambdas run in poll(), once a tick, on the thread
 * of the loop: they need no lock. The program ends after two seconds of ticks, and prints the results of all messages.
 *
 * Settings come from the environment (docs/CONFIGURATION.md). */
#include <chrono>
#include <cstdio>
#include <rtcmsg.hpp>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using rtcmsg::Delivery;
using rtcmsg::Message;

constexpr int ticks_per_second = 60;
constexpr int ticks = 2 * ticks_per_second;
constexpr int player_count = 200;
constexpr auto tick_length = std::chrono::nanoseconds(1s) / ticks_per_second;

/* The number of messages of one kind, by result. */
struct Tally {
  int submitted = 0;
  int arrived = 0;
  int expired = 0;
  int failed = 0;

  void count(const rtcmsg::Completion &done) {
    if (done.ok())
      arrived++;
    else if (done.code() == rtcmsg::Code::expired)
      expired++;
    else
      failed++;
  }

  void print(const char *name) const {
    std::printf("%s: submitted %d, accepted %d, expired %d, failed %d\n", name, submitted, arrived, expired, failed);
  }
};

class Match {
 public:
  explicit Match(rtcmsg::Client &client) : client_(client) {
    for (int i = 0; i < player_count; i++) players_.push_back("player-" + std::to_string(i));
  }

  void tick(int number) {
    if (number % ticks_per_second == 0) announce(number / ticks_per_second);
    if (number % 3 == 0) whisper(players_[static_cast<std::size_t>(number / 3) % players_.size()], number);
    if (number % 10 == 0) signal(number);
    client_.poll();
  }

  /* Shutdown: the server submits nothing more, waits for the remaining messages, and runs every lambda. If the flush times
   * out, close ends the remaining messages, and their lambdas run with that result. */
  void end() {
    (void)client_.try_flush(30s);
    (void)client_.try_close(1s);
    while (client_.poll() > 0) continue;
  }

  int print() const {
    announcements_.print("announcements");
    whispers_.print("whispers");
    signals_.print("signals");
    std::printf("pending: %zu\n", client_.pending());
    return announcements_.failed + whispers_.failed + signals_.failed == 0 ? 0 : 1;
  }

 private:
  void announce(int second) {
    const std::string text = "second " + std::to_string(second);
    announcements_.submitted++;
    client_.submit(Message::send_broadcast("match", "server", text),
                   [this](const rtcmsg::Completion &done) { announcements_.count(done); });
  }

  void whisper(const std::string &player, int tick) {
    const std::string text = "whisper of tick " + std::to_string(tick);
    whispers_.submitted++;
    client_.submit(Message::send_room_unicast("match", "server", player, text),
                   [this, player](rtcmsg::Completion done) {
                     whispers_.count(done);
                     if (done.delivery() == Delivery::unknown)
                       std::printf("%s may have got it or not\n", player.c_str());
                   });
  }

  /* An old position of a player is useless, so it expires. Unordered: it does not wait for the announcements. */
  void signal(int tick) {
    const auto options = rtcmsg::SubmitOptions().expires_in(250ms).urgent().unordered();
    signals_.submitted++;
    client_.submit(
        Message::send_broadcast("match", "server", "signal of tick " + std::to_string(tick)),
        [this](const rtcmsg::Completion &done) { signals_.count(done); }, options);
  }

  rtcmsg::Client &client_;
  std::vector<std::string> players_;
  Tally announcements_;
  Tally whispers_;
  Tally signals_;
};

int main() {
  try {
    rtcmsg::Client client(rtcmsg::Config::from_env());
    client.warm_up();
    Match match(client);
    auto next = std::chrono::steady_clock::now();
    for (int number = 0; number < ticks; number++) {
      match.tick(number);
      std::this_thread::sleep_until(next += tick_length);
    }
    match.end();
    return match.print();
  } catch (const rtcmsg::Exception &exception) {
    std::fprintf(stderr, "%s\n", exception.what());
    return 1;
  }
}
