/* An event loop of Asio: submits a few messages and runs the handlers of the finished ones on the thread of the loop.
 *
 * Settings come from the environment (docs/CONFIGURATION.md). */
#include <asio.hpp>
#include <iostream>
#include <rtcmsg.hpp>
#include <string>
#include <system_error>

/* Runs client.poll() each time a completion waits. The client must live longer than this. */
class Completions {
 public:
  Completions(asio::io_context &loop, rtcmsg::Client &client)
      : client_(client), handle_(loop, static_cast<int>(client.event_handle())) {
    wait();
  }
  Completions(const Completions &) = delete;
  Completions &operator=(const Completions &) = delete;

  /* release(), because the client owns the descriptor: the destructor of the stream would close it. */
  ~Completions() { stop(); }

  void stop() {
    if (handle_.is_open()) handle_.release();
  }

 private:
  void wait() {
    handle_.async_wait(asio::posix::stream_descriptor::wait_read, [this](std::error_code failed) {
      if (failed) return;
      client_.poll();
      if (handle_.is_open()) wait();
    });
  }

  rtcmsg::Client &client_;
  asio::posix::stream_descriptor handle_;
};

int main() {
  try {
    rtcmsg::Client client(rtcmsg::Config::from_env());
    asio::io_context loop;
    Completions completions(loop, client);
    int left = 3;
    for (int number = 1; number <= 3; number++) {
      const std::string text = "message " + std::to_string(number);
      client.submit(rtcmsg::Message::send_broadcast("lobby", "server", text),
                    [&, text](const rtcmsg::Completion &done) {
                      std::cout << text << ": " << rtcmsg::name(done.delivery()) << "\n";
                      if (--left == 0) completions.stop();
                    });
    }
    loop.run();
  } catch (const std::exception &exception) {
    std::cerr << exception.what() << "\n";
    return 1;
  }
}
