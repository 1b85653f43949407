/* The README's program: sends a command to two users and prints the result for each; then submits a broadcast. Settings
 * come from the environment. */
#include <iostream>
#include <rtcmsg.hpp>

int main() {
  try {
    rtcmsg::Client client(rtcmsg::Config::from_env());
    const auto report = client.send_custom_command_to_users("lobby", "server", {"alice", "bob"}, "dinner is ready");
    for (rtcmsg::Recipient recipient : report.recipients())
      std::cout << recipient.user() << ": " << rtcmsg::name(recipient.delivery()) << "\n";

    // From a thread that must not wait: the lambda runs in poll(), which a game calls once a tick.
    client.submit(rtcmsg::Message::send_broadcast("lobby", "server", "round 2 begins"),
                  [](const rtcmsg::Completion &done) { std::clog << done.report().summary() << "\n"; });
    client.poll(rtcmsg::forever);  // Waits until the broadcast has its report.
  } catch (const rtcmsg::Exception &exception) {
    std::cerr << exception.what() << "\n";
    return 1;
  }
}
