/* Sends each message of both vendors once and prints the result for every recipient.
 *
 * Settings come from the environment (docs/CONFIGURATION.md). `make demo` runs this against the emulator, where alice is
 * online, bob is offline and ghost does not exist. */
#include <array>
#include <cstdio>
#include <rtcmsg.hpp>
#include <string>

using rtcmsg::Payload;
using rtcmsg::Report;

static void print_row(const char *name, const std::string &recipient, rtcmsg::Delivery delivery,
                      std::string_view vendor_message) {
  std::printf("%-28s %-14s %-29s %.*s\n", name, recipient.c_str(), rtcmsg::name(delivery),
              static_cast<int>(vendor_message.size()), vendor_message.data());
}

/* A row for each recipient, or one row named `everybody` if the vendor names no recipient. */
static void print(const char *name, const char *everybody, const Report &report) {
  if (report.recipients().empty()) print_row(name, everybody, report.delivery(), "");
  for (rtcmsg::Recipient recipient : report.recipients()) {
    const std::string user =
        recipient.user().empty() ? std::to_string(recipient.user_id()) : std::string(recipient.user());
    print_row(name, user, recipient.delivery(), recipient.vendor_message());
  }
}

static void send_everything(rtcmsg::Client &client) {
  const std::array<rtcmsg::Text, 3> users{"alice", "bob", "ghost"};
  const std::int64_t conversation = 7221856821303361536;
  const std::array<unsigned char, 4> bytes{0x00, 0x01, 0xfe, 0xff};

  print("SendUnicast", "", client.send_unicast("server", "alice", "unicast: you have mail"));
  print("SendRoomUnicast", "", client.send_room_unicast("lobby", "server", "alice", "room unicast: your turn"));
  print("BatchSendRoomUnicast", "", client.batch_send_room_unicast("lobby", "server", users, Payload::binary(bytes)));
  print("SendBroadcast", "(room lobby)", client.send_broadcast("lobby", "server", "broadcast: round 2 begins"));

  print("P2PSendMessage", "",
        client.p2p_send_message_to_users(conversation, 10008, 10013, {10001, 10002, 10003}, "{\"type\":1000}"));
  print("P2PSendMessage to all", "(conversation)",
        client.p2p_send_message_to_all(conversation, 10008, 10013, "{\"type\":1001}"));
  print("P2PSendMessage to all except", "(conversation)",
        client.p2p_send_message_to_all_except(conversation, 10008, 10013, {10002}, "{\"type\":1002}"));

  print("SendCustomCommand", "", client.send_custom_command_to_users("lobby", "server", users, "命令: 你好 a+b"));
  print("SendCustomCommand to room", "(room lobby)",
        client.send_custom_command_to_room("lobby", "server", "command: everybody up"));
}

int main() {
  try {
    rtcmsg::Client client(rtcmsg::Config::from_env());
    send_everything(client);
  } catch (const rtcmsg::Exception &exception) {
    std::fprintf(stderr, "%s\n", exception.what());
    return 1;
  }
}
