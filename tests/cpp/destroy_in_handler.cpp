// standards: c++17
// flags: -Wconversion -Wshadow

// A handler may do anything with the client whose poll() calls it: destroy, move, assign, close, poll, submit, throw.
#include "fixtures.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

using namespace std::chrono_literals;
using rtcmsg::Client;
using rtcmsg::Code;
using rtcmsg::Completion;
using rtcmsg::Message;

namespace {

/* Longer than any request to the emulator in this file takes. */
constexpr auto generous = 60s;

Message hello() { return Message::send_broadcast("room", "server", "hello"); }

std::unique_ptr<Client> new_client() { return std::make_unique<Client>(fixture_client()); }

/* Submits three messages with this handler and waits until all three have completed. */
template <class Handler>
void submit_three(Client &client, const Handler &handler) {
  for (int i = 0; i < 3; i++) client.submit(hello(), handler);
  client.flush(generous);
}

void a_handler_that_destroys_the_client_is_the_last_that_runs() {
  auto client = new_client();
  auto held = std::make_shared<int>(0);
  submit_three(*client, [&client, held](const Completion &done) {
    ++*held;
    client.reset();
    CHECK(done.ok());
    CHECK_SIZE(done.report().requests().size(), 1);
  });
  CHECK_SIZE(client.get()->poll(), 1);
  CHECK_INT(*held, 1);
  CHECK_INT(held.use_count(), 1);
}

void try_poll_returns_the_number_of_handlers_that_ran() {
  auto client = new_client();
  submit_three(*client, [&](const Completion &) { client.reset(); });
  const rtcmsg::Result<std::size_t> ran = client.get()->try_poll(rtcmsg::forever);
  CHECK(ran.ok());
  CHECK_SIZE(*ran, 1);
}

/* The second message gets no response: the handler of a message in flight is also dropped. */
void messages_in_flight_end_when_a_handler_destroys_the_client() {
  fixture_presence();
  auto client = new_client();
  auto held = std::make_shared<int>(0);
  client->submit(hello(), [&](const Completion &) { client.reset(); });
  client->flush(generous);
  control_post("faults", "%s", R"({"stall":true,"vendor":"volcengine"})");
  client->submit(hello(), [held](const Completion &) { ++*held; });
  CHECK_SIZE(client.get()->poll(generous), 1);
  CHECK_INT(*held, 0);
  CHECK_INT(held.use_count(), 1);
  fixture_presence();
}

void after_a_close_poll_runs_the_other_handlers() {
  Client client = fixture_client();
  int ran = 0;
  submit_three(client, [&](const Completion &) {
    ran++;
    client.close(0s);
    CHECK_IS(client.try_submit(hello(), [](const Completion &) {}).error().code(), Code::closed);
  });
  CHECK_SIZE(client.poll(), 3);
  CHECK_INT(ran, 3);
  CHECK_SIZE(client.poll(), 0);
}

void after_a_move_poll_runs_the_other_handlers() {
  auto client = new_client();
  std::optional<Client> other;
  int ran = 0;
  submit_three(*client, [&](const Completion &) {
    if (ran++ > 0) return;
    other.emplace(std::move(*client));
    CHECK_IS(client->try_submit(hello(), [](const Completion &) {}).error().code(), Code::invalid_argument);
    client.reset();
  });
  CHECK_SIZE(client.get()->poll(), 3);
  CHECK_INT(ran, 3);
  CHECK_SIZE(other->pending(), 0);
  other->submit(hello(), [&](const Completion &) { ran++; });
  CHECK_SIZE(other->poll(generous), 1);
  CHECK_INT(ran, 4);
}

void after_an_assignment_the_handlers_of_the_old_client_are_dropped() {
  Client client = fixture_client();
  auto held = std::make_shared<int>(0);
  submit_three(client, [&client, held](const Completion &) {
    ++*held;
    client = fixture_client();
    client.submit(hello(), [held](const Completion &) { *held += 10; });
  });
  CHECK_SIZE(client.poll(), 1);
  CHECK_INT(*held, 1);
  CHECK_INT(held.use_count(), 2);
  CHECK_SIZE(client.poll(generous), 1);
  CHECK_INT(*held, 11);
  CHECK_INT(held.use_count(), 1);
}

void a_self_assignment_changes_nothing() {
  Client client = fixture_client();
  Client &same = client;
  int ran = 0;
  submit_three(client, [&](const Completion &) {
    ran++;
    client = std::move(same);
  });
  CHECK_SIZE(client.poll(), 3);
  CHECK_INT(ran, 3);
}

void a_handler_may_poll() {
  Client client = fixture_client();
  int ran = 0;
  std::size_t inner = 0;
  submit_three(client, [&](const Completion &) {
    if (ran++ == 0) inner = client.poll();
  });
  CHECK_SIZE(client.poll(), 1);
  CHECK_SIZE(inner, 2);
  CHECK_INT(ran, 3);
}

void each_poll_returns_its_own_number_when_an_inner_poll_destroys_the_client() {
  auto client = new_client();
  int ran = 0;
  std::size_t inner = 0;
  submit_three(*client, [&](const Completion &) {
    if (ran++ == 0)
      inner = client.get()->poll();
    else
      client.reset();
  });
  CHECK_SIZE(client.get()->poll(), 1);
  CHECK_SIZE(inner, 1);
  CHECK_INT(ran, 2);
}

void a_handler_may_destroy_the_client_and_throw() {
  auto client = new_client();
  auto held = std::make_shared<int>(0);
  submit_three(*client, [&client, held](const Completion &) {
    ++*held;
    client.reset();
    throw std::logic_error("from a handler");
  });
  bool has_thrown = false;
  try {
    client.get()->poll();
  } catch (const std::logic_error &) {
    has_thrown = true;
  }
  CHECK(has_thrown);
  CHECK_INT(*held, 1);
  CHECK_INT(held.use_count(), 1);
}

/* The client is destroyed together with the captures of the last handler, after that handler has returned. */
void a_handler_may_be_the_only_owner_of_its_client() {
  auto client = std::make_shared<Client>(fixture_client());
  const std::weak_ptr<Client> watched = client;
  int ran = 0;
  client->submit(hello(), [client, &ran](const Completion &) {
    ran++;
    CHECK_SIZE(client->pending(), 0);
  });
  Client *const raw = client.get();
  raw->flush(generous);
  client.reset();
  CHECK_SIZE(raw->poll(), 1);
  CHECK_INT(ran, 1);
  CHECK(watched.expired());
}

void a_handler_may_destroy_the_function_that_it_was_copied_from() {
  auto client = new_client();
  auto held = std::make_shared<int>(0);
  std::function<void(const Completion &)> handler = [&handler, &client, held](const Completion &) {
    handler = nullptr;
    client.reset();
    ++*held;
  };
  submit_three(*client, handler);
  CHECK_SIZE(client.get()->poll(), 1);
  CHECK_INT(*held, 1);
  CHECK_INT(held.use_count(), 1);
}

void another_thread_may_destroy_the_client_that_a_handler_gives_it() {
  Client client = fixture_client();
  int ran = 0;
  submit_three(client, [&](const Completion &) {
    ran++;
    std::thread([taken = std::move(client)] {}).join();
  });
  CHECK_SIZE(client.poll(), 1);
  CHECK_INT(ran, 1);
}

/* Its destructor calls the client, as the destructor of a captured guard may. */
class CallsWhenDestroyed {
 public:
  CallsWhenDestroyed(Client &client, int &calls) : client_(&client), calls_(&calls) {}
  CallsWhenDestroyed(CallsWhenDestroyed &&other) noexcept
      : client_(std::exchange(other.client_, nullptr)), calls_(other.calls_) {}

  ~CallsWhenDestroyed() {
    if (client_ == nullptr) return;
    ++*calls_;
    CHECK_IS(client_->try_submit(hello(), [](const Completion &) {}).error().code(), Code::closed);
    CHECK_SIZE(*client_->try_poll(), 0);
    CHECK(client_->try_close(0s).ok());
  }

 private:
  Client *client_;
  int *calls_;
};

void captures_of_a_dropped_handler_may_call_the_client_while_it_is_destroyed() {
  int calls = 0;
  {
    Client client = fixture_client();
    for (int i = 0; i < 3; i++)
      client.submit(hello(), [guard = CallsWhenDestroyed(client, calls)](const Completion &) { CHECK(false); });
    client.flush(generous);
  }
  CHECK_INT(calls, 3);
}

/* The submit fails because the queue is full. This destroys the handler and the client, which it owns. */
void a_refused_handler_may_be_the_only_owner_of_the_client() {
  fixture_presence();
  control_post("faults", "%s", R"({"stall":true,"vendor":"volcengine"})");
  auto client = std::make_shared<Client>(fixture_client({{"queue.capacity", "1"}}));
  const std::weak_ptr<Client> watched = client;
  client->submit(hello(), [](const Completion &) { CHECK(false); });
  Client *const raw = client.get();
  const auto refused = raw->try_submit(hello(), [owner = std::move(client)](const Completion &) { CHECK(false); });
  CHECK_IS(refused.error().code(), Code::queue_full);
  CHECK(watched.expired());
  fixture_presence();
}

}  // namespace

int main() {
  fixture_presence();
  a_handler_that_destroys_the_client_is_the_last_that_runs();
  try_poll_returns_the_number_of_handlers_that_ran();
  messages_in_flight_end_when_a_handler_destroys_the_client();
  after_a_close_poll_runs_the_other_handlers();
  after_a_move_poll_runs_the_other_handlers();
  after_an_assignment_the_handlers_of_the_old_client_are_dropped();
  a_self_assignment_changes_nothing();
  a_handler_may_poll();
  each_poll_returns_its_own_number_when_an_inner_poll_destroys_the_client();
  a_handler_may_destroy_the_client_and_throw();
  a_handler_may_be_the_only_owner_of_its_client();
  a_handler_may_destroy_the_function_that_it_was_copied_from();
  another_thread_may_destroy_the_client_that_a_handler_gives_it();
  captures_of_a_dropped_handler_may_call_the_client_while_it_is_destroyed();
  a_refused_handler_may_be_the_only_owner_of_the_client();
  return fixture_summary();
}
