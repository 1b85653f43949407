/* The same program with the C++ header. */
#include <cstdio>
#include <rtcmsg.hpp>

int main() {
  try {
    rtcmsg::Client client(rtcmsg::Config::from_env());
    const rtcmsg::Report report = client.send_custom_command_to_users("lobby", "server", {"alice"}, "from C++");
    std::printf("%06x %s\n", static_cast<unsigned>(rtcmsg_version()), rtcmsg::name(report.delivery()));
  } catch (const rtcmsg::Exception &exception) {
    std::fprintf(stderr, "%s\n", exception.what());
    return 1;
  }
}
