// standards: c++17
// flags: -Wconversion -Wshadow

// Runs every case of tests/conformance.json through the typed functions that throw, those that return a Result, and
// submit with a lambda. The results are the same as in C.
#include "conformance_table.h"

#include <cstdio>
#include <cstdlib>

#include "fixtures.hpp"

using rtcmsg::Client;
using rtcmsg::Message;
using rtcmsg::Payload;
using rtcmsg::Report;
using rtcmsg::Result;
using rtcmsg::Text;

namespace {

Text text(const rtcmsg_str &str) { return Text(std::string_view(str.data, str.len)); }

/* The arguments of the typed functions, from a message of the table. */
struct Arguments {
  explicit Arguments(const rtcmsg_message &m)
      : room_id(text(m.room_id)),
        from(text(m.from)),
        /* An array of rtcmsg_str is an array of Text. */
        to(static_cast<const Text *>(m.to), m.to_count),
        user_ids(m.user_ids, m.user_id_count),
        content(std::string_view(static_cast<const char *>(m.payload), m.payload_len)),
        payload((m.flags & RTCMSG_MESSAGE_BINARY) != 0 ? Payload::binary(m.payload, m.payload_len) : Payload(content)) {
  }

  Text one_user() const { return to.data()[0]; }

  Text room_id;
  Text from;
  rtcmsg::Users to;
  rtcmsg::UserIds user_ids;
  Text content;
  Payload payload;
};

Result<Report> try_send(Client &client, const rtcmsg_message &m) {
  const Arguments a(m);
  switch (m.action) {
    case RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST:
      return client.try_send_unicast(a.from, a.one_user(), a.payload);
    case RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST:
      return client.try_send_room_unicast(a.room_id, a.from, a.one_user(), a.payload);
    case RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST:
      return client.try_batch_send_room_unicast(a.room_id, a.from, a.to, a.payload);
    case RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST:
      return client.try_send_broadcast(a.room_id, a.from, a.payload);
    case RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS:
      return client.try_p2p_send_message_to_users(m.conversation_id, m.sender_id, m.msg_type, a.user_ids, a.content);
    case RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL:
      return client.try_p2p_send_message_to_all(m.conversation_id, m.sender_id, m.msg_type, a.content);
    case RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT:
      return client.try_p2p_send_message_to_all_except(m.conversation_id, m.sender_id, m.msg_type, a.user_ids,
                                                       a.content);
    case RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS:
      return client.try_send_custom_command_to_users(a.room_id, a.from, a.to, a.content);
    case RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM:
      return client.try_send_custom_command_to_room(a.room_id, a.from, a.content);
    default:
      std::abort();
  }
}

Report send(Client &client, const rtcmsg_message &m) {
  const Arguments a(m);
  switch (m.action) {
    case RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST:
      return client.send_unicast(a.from, a.one_user(), a.payload);
    case RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST:
      return client.send_room_unicast(a.room_id, a.from, a.one_user(), a.payload);
    case RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST:
      return client.batch_send_room_unicast(a.room_id, a.from, a.to, a.payload);
    case RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST:
      return client.send_broadcast(a.room_id, a.from, a.payload);
    case RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS:
      return client.p2p_send_message_to_users(m.conversation_id, m.sender_id, m.msg_type, a.user_ids, a.content);
    case RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL:
      return client.p2p_send_message_to_all(m.conversation_id, m.sender_id, m.msg_type, a.content);
    case RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT:
      return client.p2p_send_message_to_all_except(m.conversation_id, m.sender_id, m.msg_type, a.user_ids, a.content);
    case RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS:
      return client.send_custom_command_to_users(a.room_id, a.from, a.to, a.content);
    case RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM:
      return client.send_custom_command_to_room(a.room_id, a.from, a.content);
    default:
      std::abort();
  }
}

Message message(const rtcmsg_message &m) {
  const Arguments a(m);
  switch (m.action) {
    case RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST:
      return Message::send_unicast(a.from, a.one_user(), a.payload);
    case RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST:
      return Message::send_room_unicast(a.room_id, a.from, a.one_user(), a.payload);
    case RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST:
      return Message::batch_send_room_unicast(a.room_id, a.from, a.to, a.payload);
    case RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST:
      return Message::send_broadcast(a.room_id, a.from, a.payload);
    case RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS:
      return Message::p2p_send_message_to_users(m.conversation_id, m.sender_id, m.msg_type, a.user_ids, a.content);
    case RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL:
      return Message::p2p_send_message_to_all(m.conversation_id, m.sender_id, m.msg_type, a.content);
    case RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT:
      return Message::p2p_send_message_to_all_except(m.conversation_id, m.sender_id, m.msg_type, a.user_ids, a.content);
    case RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS:
      return Message::send_custom_command_to_users(a.room_id, a.from, a.to, a.content);
    case RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM:
      return Message::send_custom_command_to_room(a.room_id, a.from, a.content);
    default:
      std::abort();
  }
}

void set_up_emulator(const conformance_case &c) {
  control_post("reset", "%s", "");
  for (const conformance_pair &request : conformance_world) control_post(request.first, "%s", request.second);
  for (std::size_t i = 0; i < c.fault_count; i++) control_post("faults", "%s", c.faults[i]);
}

Client client_of(const conformance_case &c) {
  set_up_emulator(c);
  rtcmsg::Config config = rtcmsg::Config::from_env();
  for (std::size_t i = 0; i < c.setting_count; i++) config.set(c.settings[i].first, c.settings[i].second);
  return Client(config);
}

void check_error(const conformance_case &c, const rtcmsg::Error &error) {
  CHECK_IS(error.code(), c.code);
  CHECK(c.error_message != nullptr);
  if (c.error_message == nullptr) return;
  CHECK_TEXT(error.field(), c.error_field);
  CHECK_TEXT(error.message(), c.error_message);
}

void check_recipient(const rtcmsg::Recipient &recipient, const conformance_recipient &expected) {
  CHECK_STRING(recipient.user(), expected.user ? expected.user : "");
  CHECK_INT(recipient.user_id(), expected.user_id);
  CHECK_IS(recipient.delivery(), expected.delivery);
  CHECK_IS(recipient.code(), expected.code);
  CHECK_INT(recipient.vendor_code(), expected.vendor_code);
  CHECK_STRING(recipient.vendor_message(), expected.vendor_message);
  CHECK_SIZE(recipient.devices().size(), expected.device_count);
  const conformance_device *device = expected.devices;
  if (recipient.devices().size() != expected.device_count) return;
  for (const rtcmsg::Device row : recipient.devices()) {
    CHECK_STRING(row.platform(), device->platform);
    CHECK_STRING(row.vendor_message(), device->vendor_message);
    CHECK_IS(row.delivery(), device->delivery);
    device++;
  }
}

void check_report(const conformance_case &c, const Report &report) {
  CHECK(c.error_message == nullptr);
  CHECK_IS(report.code(), c.code);
  CHECK_IS(report.delivery(), c.delivery);
  CHECK(report.ok() == (c.code == RTCMSG_OK));
  CHECK_SIZE(report.recipients().size(), c.recipient_count);
  const conformance_recipient *expected = c.recipients;
  if (report.recipients().size() == c.recipient_count)
    for (const rtcmsg::Recipient recipient : report.recipients()) check_recipient(recipient, *expected++);
  CHECK_SIZE(report.requests().size(), c.requests);
  std::size_t attempts = 0;
  for (const rtcmsg::Request request : report.requests()) attempts += request.attempts().size();
  CHECK_SIZE(attempts, c.attempts);
  if (c.vendor_error != nullptr) CHECK_STRING(report.requests()[0].vendor_error(), c.vendor_error);
  if (c.vendor_code >= 0) CHECK_INT(report.requests()[0].vendor_code(), c.vendor_code);
  if (c.http_status >= 0) CHECK_INT(report.requests()[0].http_status(), c.http_status);
}

void check_arrivals(const conformance_case &c) {
  for (std::size_t i = 0; i < c.arrival_count; i++) {
    struct control_inbox inbox = control_inbox(c.arrivals[i].vendor, c.arrivals[i].user);
    CHECK_SIZE(inbox.count, c.arrivals[i].count);
    for (std::size_t k = 0; k < inbox.count; k++)
      CHECK_BYTES(inbox.arrivals[k].payload, inbox.arrivals[k].payload_len, c.message.payload, c.message.payload_len);
    control_inbox_free(&inbox);
  }
}

void check_try_send(const conformance_case &c) {
  Client client = client_of(c);
  const Result<Report> report = try_send(client, c.message);
  CHECK(report.ok() == (c.error_message == nullptr));
  if (!report) return check_error(c, report.error());
  check_report(c, *report);
  check_arrivals(c);
}

void check_send(const conformance_case &c) {
  Client client = client_of(c);
  try {
    check_report(c, send(client, c.message));
  } catch (const rtcmsg::Exception &exception) {
    check_error(c, exception.error());
  }
}

void check_submit(const conformance_case &c) {
  Client client = client_of(c);
  int ran = 0;
  const Result<std::uint64_t> id = client.try_submit(message(c.message), [&](const rtcmsg::Completion &done) {
    ran++;
    check_report(c, done.report());
  });
  if (!id) {
    check_error(c, id.error());
    check_error(c, client.try_check(message(c.message)).error());
    return;
  }
  CHECK_SIZE(client.poll(std::chrono::seconds(60)), 1);
  CHECK_INT(ran, 1);
  check_arrivals(c);
}

void run(const conformance_case &c, const char *how, void (*test)(const conformance_case &)) {
  const std::string name = std::string(c.name) + ", " + how;
  check_case(name.c_str());
  test(c);
  check_case(nullptr);
}

}  // namespace

int main() {
  for (const conformance_case &c : conformance_cases) {
    run(c, "tried", check_try_send);
    run(c, "sent", check_send);
    run(c, "submitted", check_submit);
  }
  std::printf("rows: %zu\n", sizeof conformance_cases / sizeof *conformance_cases);
  return fixture_summary();
}
