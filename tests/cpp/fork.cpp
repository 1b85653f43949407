// standards: c++17
// modes: plain memcheck (AddressSanitizer of gcc 12 does not survive a fork while another thread allocates)
// flags: -Wconversion -Wshadow

// A fork while another thread holds the lock of the handlers: the child's calls return Code::forked without waiting,
// and the parent continues.
#include "fixtures.hpp"

#include <cstdio>
#include <mutex>
#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;
using rtcmsg::Client;
using rtcmsg::Code;
using rtcmsg::Completion;
using rtcmsg::Message;

namespace {

/* An explicit instantiation may name private members, which gives this test access to them. */
template <class Tag, typename Tag::Type member>
struct Opened {
  friend typename Tag::Type opened(Tag) { return member; }
};

struct StateOfClient {
  using Type = std::shared_ptr<rtcmsg::detail::ClientState> Client::*;
  friend Type opened(StateOfClient);
};
template struct Opened<StateOfClient, &Client::state_>;

struct MutexOfHandlers {
  using Type = std::mutex rtcmsg::detail::Handlers::*;
  friend Type opened(MutexOfHandlers);
};
template struct Opened<MutexOfHandlers, &rtcmsg::detail::Handlers::mutex_>;

Message to_alice() { return Message::send_unicast("server", "alice", "hello"); }

/* Ends the child as another program, without a leak check: memory of the parent's other threads has no owner there. */
[[noreturn]] void end_child(bool is_right) {
  std::fflush(stdout);
  if (is_right) execlp("true", "true", static_cast<char *>(nullptr));
  _exit(1);
}

template <class T>
void check_is_forked(const rtcmsg::Result<T> &result) {
  CHECK_IS(result.error().code(), Code::forked);
  CHECK_CONTAINS(result.error().message(), "fork");
}

void the_parents_client_returns_forked(Client &client) {
  const auto handler = [](const Completion &) { CHECK(false); };
  check_is_forked(client.try_submit(to_alice(), handler));
  check_is_forked(client.try_submit_and_forget(to_alice()));
  check_is_forked(client.try_poll(rtcmsg::forever));
  check_is_forked(client.try_check(to_alice()));
  check_is_forked(client.try_send(to_alice()));
  check_is_forked(client.try_event_handle());
  check_is_forked(client.try_cancel(1));
  check_is_forked(client.try_flush(rtcmsg::forever));
  check_is_forked(client.try_close(rtcmsg::forever));
  check_is_forked(client.try_warm_up());
  check_is_forked(client.try_stats());
  check_is_forked(client.try_next_log_line());
  CHECK_SIZE(client.pending(), 0);
}

void a_new_client_works() {
  Client own = fixture_client();
  int ran = 0;
  own.submit(to_alice(), [&ran](const Completion &done) { ran += done.ok(); });
  CHECK_SIZE(own.poll(60s), 1);
  CHECK_INT(ran, 1);
}

void a_fork_while_another_thread_is_in_submit() {
  Client client = fixture_client();
  auto held = std::make_shared<int>(0);
  client.submit(to_alice(), [held](const Completion &) { ++*held; });
  client.flush(60s);
  std::mutex &mutex = (client.*opened(StateOfClient()))->handlers().*opened(MutexOfHandlers());
  std::fflush(stdout);
  mutex.lock();
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    const std::size_t failures_before = check_failures();
    the_parents_client_returns_forked(client);
    client = Client();
    CHECK_INT(held.use_count(), 1);
    a_new_client_works();
    end_child(check_failures() == failures_before);
  }
  mutex.unlock();
  REQUIRE(child > 0);
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK_SIZE(client.poll(60s), 1);
  CHECK_INT(*held, 1);
  client.submit(to_alice(), [held](const Completion &) { ++*held; });
  CHECK_SIZE(client.poll(60s), 1);
  CHECK_INT(*held, 2);
}

}  // namespace

int main() {
  fixture_presence();
  a_fork_while_another_thread_is_in_submit();
  return fixture_summary();
}
