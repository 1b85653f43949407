/* rtcmsg for C++17: server-side messages to the users of Volcengine RTC, Volcengine IM and ZEGO.
 *
 *   rtcmsg::Client client(rtcmsg::Config::from_env());
 *   rtcmsg::Report report = client.send_custom_command_to_users("lobby", "server", {"alice", "bob"}, "dinner is ready");
 *   for (rtcmsg::Recipient recipient : report.recipients())
 *     std::cout << recipient.user() << ": " << rtcmsg::name(recipient.delivery()) << '\n';
 *
 *   client.submit(rtcmsg::Message::send_broadcast("lobby", "server", "round 2"),
 *                 [](const rtcmsg::Completion &done) { std::cout << done.report().summary() << '\n'; });
 *   client.poll();   // once a tick: runs the lambdas of what is done
 *
 * Header only, over rtcmsg.h, which has the meaning of each message, code and limit. What is added here:
 * - What fails exists twice: try_send_unicast() gives a Result, send_unicast() gives the value or throws an Exception.
 *   Without exceptions (-fno-exceptions, or RTCMSG_NO_EXCEPTIONS) there are the try_ functions alone.
 * - An error is what was not taken in. What was has a Report, which says what became of it: failed messages do not
 *   throw, unless asked to by Report::or_throw().
 * - Text goes in as rtcmsg::Text, which any string becomes, and is borrowed for the call. A list is a braced list or
 *   anything contiguous of Text or int64_t: for names, std::vector<rtcmsg::Text>. Sending allocates nothing here; submit
 *   allocates what its lambda needs.
 * - Text, NulTerminatedText, List, Payload and Message own nothing. Make them where they are handed over, not in a variable: the
 *   list of `auto message = Message::send_custom_command_to_users("lobby", "server", {"alice", "bob"}, "x");` is gone
 *   when the line ends. Clang says so (-Wdangling, on by default), other compilers do not.
 * - Owners are move-only. One that was moved from is empty: calls give RTCMSG_ERR_INVALID_ARGUMENT, rows and texts are empty.
 *   Views (Recipient, Request, Attempt, Device, std::string_view) live as long as the report they came from.
 * - Any number of threads may use one Client; making, moving and destroying it is for one. A Config or Report serves one
 *   thread at a time.
 * - The library must have the header's first two numbers and be at least as new: with the header of 0.1.2, 0.1.2 and 0.1.9
 *   are fit, 0.1.1 and 0.2.0 are not (from 1.0 the first number alone, and as new). Otherwise making a client gives
 *   Code::unsupported, which names both versions.
 * - Macros of the host, such as check, send, min or Qt's forever, may be defined before this header, and stay as they are.
 *   They still replace words in the host's own code: there write (client.send)(message), client.try_poll() or
 *   rtcmsg::Wait::without_end(). The standard headers that this one includes are safe from them as well; others that
 *   follow are not. */
#ifndef RTCMSG_HPP
#define RTCMSG_HPP

/* Sets the host's macros aside; they come back at the end. The standard headers stand in between, because some of them
 * break under such macros, and some undefine them. */
#include "rtcmsg_macros_push.h"

#include "rtcmsg.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#if !defined(RTCMSG_NO_EXCEPTIONS) && !defined(__cpp_exceptions)
#define RTCMSG_NO_EXCEPTIONS
#endif

#ifndef RTCMSG_NO_EXCEPTIONS
#include <stdexcept>
#endif

/* On what a borrowed type borrows from. Only on what owns its memory: a view that ends early harms nobody. */
#define RTCMSG_BORROWED
#ifdef __has_cpp_attribute
#if __has_cpp_attribute(clang::lifetimebound)
#undef RTCMSG_BORROWED
#define RTCMSG_BORROWED [[clang::lifetimebound]]
#endif
#endif

namespace rtcmsg {

/* What a call came to. Numbers that this header does not know can come from a newer library. */
enum class Code : rtcmsg_code {
  ok = RTCMSG_OK,
  invalid_argument = RTCMSG_ERR_INVALID_ARGUMENT,
  unsupported = RTCMSG_ERR_UNSUPPORTED,
  not_configured = RTCMSG_ERR_NOT_CONFIGURED,
  queue_full = RTCMSG_ERR_QUEUE_FULL,
  rate_limited = RTCMSG_ERR_RATE_LIMITED,
  expired = RTCMSG_ERR_EXPIRED,
  cancelled = RTCMSG_ERR_CANCELLED,
  closed = RTCMSG_ERR_CLOSED,
  forked = RTCMSG_ERR_FORKED,
  not_found = RTCMSG_ERR_NOT_FOUND,
  buffer_too_small = RTCMSG_ERR_BUFFER_TOO_SMALL,
  no_resources = RTCMSG_ERR_NO_RESOURCES,
  resolve = RTCMSG_ERR_RESOLVE,
  connect = RTCMSG_ERR_CONNECT,
  tls = RTCMSG_ERR_TLS,
  disconnected = RTCMSG_ERR_DISCONNECTED,
  timeout = RTCMSG_ERR_TIMEOUT,
  bad_response = RTCMSG_ERR_BAD_RESPONSE,
  proxy = RTCMSG_ERR_PROXY,
  rejected = RTCMSG_ERR_REJECTED,
  unauthenticated = RTCMSG_ERR_UNAUTHENTICATED,
  forbidden = RTCMSG_ERR_FORBIDDEN,
  throttled = RTCMSG_ERR_THROTTLED,
  clock = RTCMSG_ERR_CLOCK,
  vendor_fault = RTCMSG_ERR_VENDOR_FAULT,
  undelivered = RTCMSG_ERR_UNDELIVERED,
  partial = RTCMSG_ERR_PARTIAL,
  internal = RTCMSG_ERR_INTERNAL
};

/* What became of a message for one recipient; `none` where there is no report. */
enum class Delivery : std::uint32_t {
  none = 0,
  not_sent = RTCMSG_DELIVERY_NOT_SENT,
  not_delivered = RTCMSG_DELIVERY_NOT_DELIVERED,
  accepted = RTCMSG_DELIVERY_ACCEPTED,
  delivered = RTCMSG_DELIVERY_DELIVERED,
  unknown = RTCMSG_DELIVERY_UNKNOWN
};

enum class Vendor : std::uint32_t { volcengine = RTCMSG_VENDOR_VOLCENGINE, zego = RTCMSG_VENDOR_ZEGO };

enum class LogLevel : std::int32_t {
  error = RTCMSG_LOG_ERROR,
  warn = RTCMSG_LOG_WARN,
  info = RTCMSG_LOG_INFO,
  debug = RTCMSG_LOG_DEBUG
};

/* The constant's name in rtcmsg.h, such as "RTCMSG_ERR_THROTTLED"; static text. */
inline const char *name(Code code) noexcept { return rtcmsg_code_name(static_cast<rtcmsg_code>(code)); }
inline const char *name(Delivery delivery) noexcept {
  return rtcmsg_delivery_name(static_cast<std::uint32_t>(delivery));
}

/* What a code means, in a short sentence such as "the vendor's rate limit was exceeded"; static text. */
inline const char *text(Code code) noexcept { return rtcmsg_code_text(static_cast<rtcmsg_code>(code)); }

/* Why a call failed: the code, the field it is about (empty if none), and a sentence for a person. */
class Error {
 public:
  Error() noexcept : raw_(RTCMSG_INIT(rtcmsg_error)) {}

  Error(Code code, const char *field, const char *message) noexcept : Error() {
    raw_.code = static_cast<rtcmsg_code>(code);
    std::strncpy(raw_.field, field, sizeof raw_.field - 1);
    std::strncpy(raw_.message, message, sizeof raw_.message - 1);
  }

  Code code() const noexcept { return static_cast<Code>(raw_.code); }
  const char *field() const noexcept { return raw_.field; }
  const char *message() const noexcept { return raw_.message; }

  /* One line: "RTCMSG_ERR_INVALID_ARGUMENT: to[1]: must not be empty". */
  std::string to_string() const {
    std::string line = name(code());
    for (const char *part : {field(), message()})
      if (*part != '\0') line.append(": ").append(part);
    return line;
  }

  /* For the functions of rtcmsg.h. */
  rtcmsg_error *raw() noexcept { return &raw_; }

 private:
  rtcmsg_error raw_;
};

#ifndef RTCMSG_NO_EXCEPTIONS
/* Thrown by every function without try_ in its name. */
class Exception : public std::runtime_error {
 public:
  explicit Exception(const Error &error) : std::runtime_error(error.to_string()), error_(error) {}

  const Error &error() const noexcept { return error_; }
  Code code() const noexcept { return error_.code(); }

 private:
  Error error_;
};
#endif

/* A value, or the error why there is none: then the value is an empty one. */
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T &&value) noexcept(std::is_nothrow_move_constructible_v<T>) : value_(std::move(value)) {}
  Result(const Error &error) : error_(error) {}

  bool ok() const noexcept { return error_.code() == Code::ok; }
  explicit operator bool() const noexcept { return ok(); }
  const Error &error() const & noexcept { return error_; }
  Error error() && noexcept { return error_; }

  T &operator*() & noexcept { return value_; }
  const T &operator*() const & noexcept { return value_; }
  T &&operator*() && noexcept { return std::move(value_); }
  T *operator->() & noexcept { return &value_; }
  const T *operator->() const & noexcept { return &value_; }
  /* Of one that is not kept, what this gives would not live to be used. */
  const T *operator->() const && = delete;

#ifndef RTCMSG_NO_EXCEPTIONS
  /* The value, or an Exception. */
  T &value() & {
    throw_unless_ok();
    return value_;
  }
  const T &value() const & {
    throw_unless_ok();
    return value_;
  }
  T value() && {
    throw_unless_ok();
    return std::move(value_);
  }
#endif

 private:
#ifndef RTCMSG_NO_EXCEPTIONS
  void throw_unless_ok() const {
    if (!ok()) throw Exception(error_);
  }
#endif

  T value_{};
  Error error_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() noexcept = default;
  Result(const Error &error) noexcept : error_(error) {}

  bool ok() const noexcept { return error_.code() == Code::ok; }
  explicit operator bool() const noexcept { return ok(); }
  const Error &error() const & noexcept { return error_; }
  Error error() && noexcept { return error_; }

#ifndef RTCMSG_NO_EXCEPTIONS
  void value() const {
    if (!ok()) throw Exception(error_);
  }
#endif

 private:
  Error error_;
};

/* How long to wait: a duration, rounded up to milliseconds, or `forever`. A negative one is refused by the call. */
class Wait {
 public:
  constexpr Wait() noexcept = default;

  template <class Rep, class Period>
  constexpr Wait(std::chrono::duration<Rep, Period> duration) noexcept : ms_(rounded(duration)) {}

  static constexpr Wait without_end() noexcept {
    Wait wait;
    wait.ms_ = -1;
    return wait;
  }

  constexpr std::int32_t ms() const noexcept { return ms_; }

 private:
  /* -1 is "without limit" in rtcmsg.h: a duration that came out negative must not turn into that. */
  template <class Rep, class Period>
  static constexpr std::int32_t rounded(std::chrono::duration<Rep, Period> duration) noexcept {
    using Wide = std::chrono::duration<long double, std::milli>;
    constexpr std::int32_t longest = std::numeric_limits<std::int32_t>::max();
    const long double ms = Wide(duration).count();
    if (!(ms < static_cast<long double>(longest))) return longest;
    if (ms <= -static_cast<long double>(longest)) return -longest;
    const auto whole = static_cast<std::int32_t>(ms);
    if (ms < 0) return whole < -2 ? whole : -2;
    return static_cast<long double>(whole) < ms ? whole + 1 : whole;
  }

  std::int32_t ms_ = 0;
};

inline constexpr Wait forever = Wait::without_end();

/* Borrowed text that goes in. Any string becomes one; an array of them is one of rtcmsg_str. */
class Text : public rtcmsg_str {
 public:
  constexpr Text() noexcept : rtcmsg_str{nullptr, 0} {}
  constexpr Text(std::string_view text) noexcept : rtcmsg_str{text.data(), text.size()} {}
  Text(const std::string &text RTCMSG_BORROWED) noexcept : Text(std::string_view(text)) {}
  constexpr Text(const char *text RTCMSG_BORROWED) noexcept
      : Text(text == nullptr ? std::string_view() : std::string_view(text)) {}
};

static_assert(sizeof(Text) == sizeof(rtcmsg_str) && std::is_standard_layout_v<Text>, "lists of Text go to C as they are");

/* Borrowed text that C reads up to its NUL: a string literal or a std::string. */
class NulTerminatedText {
 public:
  NulTerminatedText(const char *text RTCMSG_BORROWED) noexcept : data_(text), is_whole_(true) {}
  NulTerminatedText(const std::string &text RTCMSG_BORROWED) noexcept
      : data_(text.c_str()), is_whole_(std::strlen(text.c_str()) == text.size()) {}

  const char *data() const noexcept { return data_; }

  Result<void> checked(const char *argument) const {
    if (is_whole_) return {};
    return Error(Code::invalid_argument, argument, "contains a NUL character");
  }

 private:
  const char *data_;
  bool is_whole_;
};

namespace detail {

/* What data() of something contiguous gives. */
template <class Container>
using Data = decltype(std::declval<const Container &>().data());

/* Whether it only points to its elements, as std::span does: it can be made of such a pointer, and has nothing to free. */
template <class Container, class = Data<Container>>
struct IsView : std::bool_constant<std::is_constructible_v<Container, Data<Container>, std::size_t> &&
                                   std::is_trivially_destructible_v<Container>> {};

}  // namespace detail

/* A borrowed list: a braced one, or anything contiguous with data() and size(). */
template <class T>
class List {
 public:
  constexpr List() noexcept = default;
  constexpr List(const T *data RTCMSG_BORROWED, std::size_t size) noexcept : data_(data), size_(size) {}
  constexpr List(std::initializer_list<T> list RTCMSG_BORROWED) noexcept : List(list.begin(), list.size()) {}

  template <class Container, class = std::enable_if_t<std::is_convertible_v<detail::Data<Container>, const T *>>,
            class = decltype(std::declval<const Container &>().size()),
            std::enable_if_t<!detail::IsView<Container>::value, int> = 0>
  constexpr List(const Container &list RTCMSG_BORROWED) noexcept : List(list.data(), list.size()) {}

  template <class View, class = std::enable_if_t<std::is_convertible_v<detail::Data<View>, const T *>>,
            class = decltype(std::declval<const View &>().size()),
            std::enable_if_t<detail::IsView<View>::value, int> = 0>
  constexpr List(const View &list) noexcept : List(list.data(), list.size()) {}

  constexpr const T *data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }

 private:
  const T *data_ = nullptr;
  std::size_t size_ = 0;
};

using Users = List<Text>;
using UserIds = List<std::int64_t>;

/* What a message of Volcengine RTC carries: text, or Payload::binary(). Borrowed. */
class Payload {
 public:
  template <class String, class = std::enable_if_t<std::is_convertible_v<const String &, Text>>>
  constexpr Payload(const String &text) noexcept : Payload(Text(text), 0) {}
  Payload(const std::string &text RTCMSG_BORROWED) noexcept : Payload(Text(text), 0) {}

  static Payload binary(const void *data RTCMSG_BORROWED, std::size_t size) noexcept {
    return Payload(Text(std::string_view(static_cast<const char *>(data), size)), RTCMSG_MESSAGE_BINARY);
  }

  /* Anything contiguous of bytes: std::vector<std::uint8_t>, std::array<std::byte, N>, ... */
  template <class Bytes, std::enable_if_t<!detail::IsView<Bytes>::value, int> = 0>
  static Payload binary(const Bytes &bytes RTCMSG_BORROWED) noexcept {
    static_assert(sizeof(*bytes.data()) == 1, "a binary payload is bytes");
    return binary(bytes.data(), bytes.size());
  }

  template <class View, std::enable_if_t<detail::IsView<View>::value, int> = 0>
  static Payload binary(const View &bytes) noexcept {
    static_assert(sizeof(*bytes.data()) == 1, "a binary payload is bytes");
    return binary(bytes.data(), bytes.size());
  }

  const rtcmsg_str &bytes() const noexcept { return bytes_; }
  std::uint32_t flags() const noexcept { return flags_; }

 private:
  constexpr Payload(Text bytes, std::uint32_t flags) noexcept : bytes_(bytes), flags_(flags) {}

  Text bytes_;
  std::uint32_t flags_;
};

/* A message of one action, which borrows all it is made of, a braced list too: hand it to send(), submit() or check()
 * where it is made. */
class Message {
 public:
  static Message send_unicast(Text from RTCMSG_BORROWED, Text to RTCMSG_BORROWED,
                              Payload payload RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST, payload).with_sender(from).with_user(to);
  }

  static Message send_room_unicast(Text room_id RTCMSG_BORROWED, Text from RTCMSG_BORROWED, Text to RTCMSG_BORROWED,
                                   Payload payload RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST, payload).with_room(room_id).with_sender(from).with_user(to);
  }

  static Message batch_send_room_unicast(Text room_id RTCMSG_BORROWED, Text from RTCMSG_BORROWED,
                                         Users to RTCMSG_BORROWED, Payload payload RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST, payload).with_room(room_id).with_sender(from).with_users(to);
  }

  static Message send_broadcast(Text room_id RTCMSG_BORROWED, Text from RTCMSG_BORROWED,
                                Payload payload RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST, payload).with_room(room_id).with_sender(from);
  }

  static Message p2p_send_message_to_users(std::int64_t conversation_id, std::int64_t sender_id, std::int32_t msg_type,
                                           UserIds user_ids RTCMSG_BORROWED, Text content RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS, content)
        .with_signal(conversation_id, sender_id, msg_type)
        .with_user_ids(user_ids);
  }

  static Message p2p_send_message_to_all(std::int64_t conversation_id, std::int64_t sender_id, std::int32_t msg_type,
                                         Text content RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL, content)
        .with_signal(conversation_id, sender_id, msg_type);
  }

  static Message p2p_send_message_to_all_except(std::int64_t conversation_id, std::int64_t sender_id,
                                                std::int32_t msg_type, UserIds user_ids RTCMSG_BORROWED,
                                                Text content RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT, content)
        .with_signal(conversation_id, sender_id, msg_type)
        .with_user_ids(user_ids);
  }

  static Message send_custom_command_to_users(Text room_id RTCMSG_BORROWED, Text from RTCMSG_BORROWED,
                                              Users to RTCMSG_BORROWED, Text content RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS, content).with_room(room_id).with_sender(from).with_users(to);
  }

  static Message send_custom_command_to_room(Text room_id RTCMSG_BORROWED, Text from RTCMSG_BORROWED,
                                             Text content RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM, content).with_room(room_id).with_sender(from);
  }

  /* For the functions of rtcmsg.h. The one user of a unicast stands in the message itself, so a copy points to its own. */
  rtcmsg_message raw() const noexcept {
    rtcmsg_message raw = raw_;
    if (has_one_user_) {
      raw.to = &user_;
      raw.to_count = 1;
    }
    return raw;
  }

 private:
  Message(std::uint32_t action, Payload payload) noexcept : raw_(RTCMSG_INIT(rtcmsg_message)) {
    raw_.action = action;
    raw_.flags = payload.flags();
    raw_.payload = payload.bytes().data;
    raw_.payload_len = payload.bytes().len;
  }

  Message &with_room(Text room_id) noexcept {
    raw_.room_id = room_id;
    return *this;
  }

  Message &with_sender(Text from) noexcept {
    raw_.from = from;
    return *this;
  }

  Message &with_user(Text to) noexcept {
    user_ = to;
    has_one_user_ = true;
    return *this;
  }

  Message &with_users(Users to) noexcept {
    raw_.to = to.data();
    raw_.to_count = to.size();
    return *this;
  }

  Message &with_signal(std::int64_t conversation_id, std::int64_t sender_id, std::int32_t msg_type) noexcept {
    raw_.conversation_id = conversation_id;
    raw_.sender_id = sender_id;
    raw_.msg_type = msg_type;
    return *this;
  }

  Message &with_user_ids(UserIds user_ids) noexcept {
    raw_.user_ids = user_ids.data();
    raw_.user_id_count = user_ids.size();
    return *this;
  }

  rtcmsg_message raw_;
  Text user_;
  bool has_one_user_ = false;
};

template <class Self>
class CommonOptions {
 public:
  /* send: the deadline of all; submit: from the first attempt on. Above 0, or `forever`. Without this: http.timeout_ms. */
  Self &timeout(Wait wait) noexcept {
    raw_.timeout_ms = wait.ms();
    has_timeout_ = true;
    return self();
  }

  /* From the call to the first byte, waiting for quota included. Above 0. Without this it does not expire. */
  Self &expires_in(Wait wait) noexcept {
    raw_.expires_in_ms = wait.ms();
    has_expires_in_ = true;
    return self();
  }

  /* Before all that are normal and wait for the same quota. */
  Self &urgent(bool is_urgent = true) noexcept {
    raw_.priority = is_urgent ? RTCMSG_PRIORITY_URGENT : RTCMSG_PRIORITY_NORMAL;
    return self();
  }

  /* What the calls ask first. In rtcmsg.h 0 is "as if not given": a time that has run out must not turn into that. */
  Result<void> checked() const noexcept {
    if (has_timeout_ && raw_.timeout_ms <= 0 && raw_.timeout_ms != forever.ms())
      return Error(Code::invalid_argument, "timeout_ms", "must be above 0, or forever; without it http.timeout_ms holds");
    if (has_expires_in_ && raw_.expires_in_ms <= 0)
      return Error(Code::invalid_argument, "expires_in_ms", "must be above 0; without it the message does not expire");
    return {};
  }

  /* For the functions of rtcmsg.h. */
  const rtcmsg_send_options &raw() const noexcept { return raw_; }

 protected:
  Self &self() noexcept { return static_cast<Self &>(*this); }

  rtcmsg_send_options raw_ = RTCMSG_INIT(rtcmsg_send_options);
  bool has_timeout_ = false;
  bool has_expires_in_ = false;
};

/* How one send differs from the client's settings: SendOptions().timeout(2s).urgent() */
class SendOptions : public CommonOptions<SendOptions> {};

/* The same for a submit. */
class SubmitOptions : public CommonOptions<SubmitOptions> {
 public:
  /* Messages of one key leave one after another. 0: the destination is the key. */
  SubmitOptions &order_key(std::uint64_t key) noexcept {
    raw_.order_key = key;
    return *this;
  }

  /* Frees the message from its destination's order. */
  SubmitOptions &unordered(bool is_unordered = true) noexcept {
    raw_.flags = is_unordered ? RTCMSG_SUBMIT_UNORDERED : 0;
    return *this;
  }
};

/* Rows of a report, by index. A row past the end is an empty one. */
template <class Row>
class Rows {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Row;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = Row;

    Iterator() noexcept = default;
    Iterator(const rtcmsg_report *report, std::size_t index) noexcept : report_(report), index_(index) {}

    Row operator*() const noexcept { return Row(report_, index_); }

    Iterator &operator++() noexcept {
      ++index_;
      return *this;
    }

    Iterator operator++(int) noexcept {
      Iterator before = *this;
      ++index_;
      return before;
    }

    friend bool operator==(const Iterator &a, const Iterator &b) noexcept { return a.index_ == b.index_; }
    friend bool operator!=(const Iterator &a, const Iterator &b) noexcept { return a.index_ != b.index_; }

   private:
    const rtcmsg_report *report_ = nullptr;
    std::size_t index_ = 0;
  };

  Rows(const rtcmsg_report *report, std::size_t first, std::size_t count) noexcept
      : report_(report), first_(first), count_(count) {}

  std::size_t size() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }
  Iterator begin() const noexcept { return Iterator(report_, first_); }
  Iterator end() const noexcept { return Iterator(report_, first_ + count_); }
  Row operator[](std::size_t index) const noexcept {
    return Row(index < count_ ? report_ : nullptr, first_ + index);
  }

 private:
  const rtcmsg_report *report_;
  std::size_t first_;
  std::size_t count_;
};

/* One try of a request, and why it ended. */
class Attempt {
 public:
  Attempt(const rtcmsg_report *report, std::size_t index) noexcept : row_(rtcmsg_report_attempt(report, index)) {}

  /* In a sentence; empty on success. */
  std::string_view error_message() const noexcept { return row_ ? row_->error_message : ""; }
  Code code() const noexcept { return row_ ? static_cast<Code>(row_->code) : Code::ok; }
  Delivery delivery() const noexcept { return row_ ? static_cast<Delivery>(row_->delivery) : Delivery::none; }
  /* 0 if no answer came. */
  std::uint32_t http_status() const noexcept { return row_ ? row_->http_status : 0; }

 private:
  const rtcmsg_attempt *row_;
};

/* One HTTP request, sent or given up. */
class Request {
 public:
  Request(const rtcmsg_report *report, std::size_t index) noexcept
      : report_(report), row_(rtcmsg_report_request(report, index)) {}

  /* The vendor's id of it, for its support; empty if no answer gave one. */
  std::string_view request_id() const noexcept { return row_ ? row_->request_id : ""; }
  /* The vendor's error code as text, such as "FlowLimitExceeded.QPSOverLimit"; empty if none. */
  std::string_view vendor_error() const noexcept { return row_ ? row_->vendor_error : ""; }
  /* What the vendor says of it; empty if nothing. */
  std::string_view vendor_message() const noexcept { return row_ ? row_->vendor_message : ""; }
  /* Why it ended like this, in a sentence; empty on success. */
  std::string_view error_message() const noexcept { return row_ ? row_->error_message : ""; }
  /* The vendor's error code as a number, 0 if none. */
  std::int32_t vendor_code() const noexcept { return row_ ? row_->vendor_code : 0; }
  Code code() const noexcept { return row_ ? static_cast<Code>(row_->code) : Code::ok; }
  Delivery delivery() const noexcept { return row_ ? static_cast<Delivery>(row_->delivery) : Delivery::none; }
  /* 0 if no answer came. */
  std::uint32_t http_status() const noexcept { return row_ ? row_->http_status : 0; }
  /* When it may be tried again; 0 if nobody says. */
  std::chrono::milliseconds retry_after() const noexcept {
    return std::chrono::milliseconds(row_ ? row_->retry_after_ms : 0);
  }
  Rows<Attempt> attempts() const noexcept {
    return row_ ? Rows<Attempt>(report_, row_->first_attempt, row_->attempt_count)
                : Rows<Attempt>(nullptr, 0, 0);
  }

 private:
  const rtcmsg_report *report_;
  const rtcmsg_request *row_;
};

/* One device of a recipient (IM). */
class Device {
 public:
  Device(const rtcmsg_report *report, std::size_t index) noexcept : row_(rtcmsg_report_device(report, index)) {}

  /* "Android", "IOS", "Web", or "Default" for a user who is offline. */
  std::string_view platform() const noexcept { return row_ ? row_->platform : ""; }
  /* The vendor's word, such as "SUCCESS". */
  std::string_view vendor_message() const noexcept { return row_ ? row_->vendor_message : ""; }
  Delivery delivery() const noexcept { return row_ ? static_cast<Delivery>(row_->delivery) : Delivery::none; }

 private:
  const rtcmsg_device *row_;
};

/* One recipient. */
class Recipient {
 public:
  Recipient(const rtcmsg_report *report, std::size_t index) noexcept
      : report_(report), row_(rtcmsg_report_recipient(report, index)) {}

  /* Volcengine RTC, ZEGO: the user; empty for IM. */
  std::string_view user() const noexcept { return row_ && row_->user ? row_->user : ""; }
  /* IM: the user; 0 for the others. */
  std::int64_t user_id() const noexcept { return row_ ? row_->user_id : 0; }
  Delivery delivery() const noexcept { return row_ ? static_cast<Delivery>(row_->delivery) : Delivery::none; }
  Code code() const noexcept { return row_ ? static_cast<Code>(row_->code) : Code::ok; }
  /* The vendor's code for this recipient, 0 if none. */
  std::int32_t vendor_code() const noexcept { return row_ ? row_->vendor_code : 0; }
  /* The vendor's word for this recipient, such as "NOT_ONLINE"; empty if none. */
  std::string_view vendor_message() const noexcept { return row_ ? row_->vendor_message : ""; }
  /* The request that carried it. */
  Request request() const noexcept { return Request(row_ ? report_ : nullptr, row_ ? row_->request : 0); }
  /* IM: the recipient's devices. */
  Rows<Device> devices() const noexcept {
    return row_ ? Rows<Device>(report_, row_->first_device, row_->device_count)
                : Rows<Device>(nullptr, 0, 0);
  }

 private:
  const rtcmsg_report *report_;
  const rtcmsg_recipient *row_;
};

/* What became of a message. Ignoring it is ignoring whether anybody got the message. Texts and rows are its own: they
 * are not to be had of a report that is not kept. */
class [[nodiscard]] Report {
 public:
  Report() noexcept = default;
  /* Takes over a report of rtcmsg.h. */
  explicit Report(rtcmsg_report *report) noexcept : report_(report) {}

  /* Whether every recipient is accepted or delivered. */
  bool ok() const noexcept { return code() == Code::ok; }
  Code code() const noexcept { return static_cast<Code>(rtcmsg_report_code(raw())); }
  /* That of its least certain part: unknown, not sent, not delivered, accepted, delivered. Members of a conversation who
   * have no row count as accepted. */
  Delivery delivery() const noexcept { return static_cast<Delivery>(rtcmsg_report_delivery(raw())); }
  /* One line for a log. */
  std::string_view summary() const & noexcept { return rtcmsg_report_summary(raw()); }
  std::string_view summary() const && = delete;
  /* How many recipients there are of that delivery. */
  std::size_t count(Delivery delivery) const noexcept {
    return delivery == Delivery::none ? 0 : rtcmsg_report_count_by_delivery(raw(), static_cast<std::uint32_t>(delivery));
  }
  /* In the caller's order; none for a room. */
  Rows<Recipient> recipients() const & noexcept {
    return Rows<Recipient>(raw(), 0, rtcmsg_report_recipient_count(raw()));
  }
  Rows<Recipient> recipients() const && = delete;
  Rows<Request> requests() const & noexcept {
    return Rows<Request>(raw(), 0, rtcmsg_report_request_count(raw()));
  }
  Rows<Request> requests() const && = delete;
  /* The raw answer to call(), as it came, with whatever it repeats; empty if there is none. */
  std::string_view body() const & noexcept {
    std::size_t size = 0;
    const char *data = rtcmsg_report_body(raw(), &size);
    return data ? std::string_view(data, size) : std::string_view();
  }
  std::string_view body() const && = delete;

#ifndef RTCMSG_NO_EXCEPTIONS
  /* The report if it is ok(), else a Failure that carries it. */
  Report or_throw() &&;
#endif

  const rtcmsg_report *raw() const noexcept { return report_.get(); }

 private:
  struct Free {
    void operator()(rtcmsg_report *report) const noexcept { rtcmsg_report_free(report); }
  };

  std::unique_ptr<rtcmsg_report, Free> report_;
};

#ifndef RTCMSG_NO_EXCEPTIONS
/* Thrown by Report::or_throw(). */
class Failure : public Exception {
 public:
  explicit Failure(Report report)
      : Exception(Error(report.code(), "", std::string(report.summary()).c_str())),
        report_(std::make_shared<const Report>(std::move(report))) {}

  const Report &report() const noexcept { return *report_; }

 private:
  /* Exceptions are copied. */
  std::shared_ptr<const Report> report_;
};

inline Report Report::or_throw() && {
  if (!ok()) throw Failure(std::move(*this));
  return std::move(*this);
}
#endif

/* What a submit came to: the id that it gave, and the report. */
class Completion {
 public:
  explicit Completion(const rtcmsg_completion &row) noexcept : id_(row.id), report_(row.report) {}

  std::uint64_t id() const noexcept { return id_; }
  bool ok() const noexcept { return report_.ok(); }
  Code code() const noexcept { return report_.code(); }
  Delivery delivery() const noexcept { return report_.delivery(); }
  const Report &report() const & noexcept { return report_; }
  Report report() && noexcept { return std::move(report_); }

 private:
  std::uint64_t id_;
  Report report_;
};

/* A line that log.buffer_level has kept. */
struct LogLine {
  LogLevel level = LogLevel::error;
  std::string text;
};

namespace detail {

/* A submit's lambda, on its way to poll(). Its address is the user_data. */
class Handler {
 public:
  Handler() noexcept = default;
  Handler(const Handler &) = delete;
  Handler &operator=(const Handler &) = delete;
  virtual ~Handler() = default;
  virtual void run(Completion &&completion) = 0;

  Handler *next = nullptr;
  Handler *previous = nullptr;
};

template <class Function>
class HandlerOf final : public Handler {
 public:
  template <class Given>
  explicit HandlerOf(Given &&function) : function_(std::forward<Given>(function)) {}

  void run(Completion &&completion) override { function_(std::move(completion)); }

 private:
  Function function_;
};

/* The handlers of all that is submitted and not yet polled. */
class Handlers {
 public:
  Handlers() = default;
  Handlers(const Handlers &) = delete;
  Handlers &operator=(const Handlers &) = delete;
  ~Handlers() { destroy_from(first_); }

  std::uint64_t add(std::unique_ptr<Handler> handler) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Handler *added = handler.release();
    added->next = first_;
    if (first_ != nullptr) first_->previous = added;
    first_ = added;
    return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(added));
  }

  /* nullptr: it was dropped with all others. */
  std::unique_ptr<Handler> take(std::uint64_t key) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (are_dropped()) return nullptr;
    std::unique_ptr<Handler> taken(reinterpret_cast<Handler *>(static_cast<std::uintptr_t>(key)));
    if (taken->next != nullptr) taken->next->previous = taken->previous;
    (taken->previous != nullptr ? taken->previous->next : first_) = taken->next;
    return taken;
  }

  bool are_dropped() const noexcept { return are_dropped_.load(); }

  /* Destroys them without the lock: the destructor of what a lambda holds may call the client. That is closed before, so
   * that nothing is added any more. In a forked child the thread that would unlock the list may not exist. */
  void drop(bool is_forked) {
    std::unique_lock<std::mutex> lock(mutex_, std::defer_lock);
    if (!is_forked) lock.lock();
    are_dropped_.store(true);
    Handler *first = std::exchange(first_, nullptr);
    if (!is_forked) lock.unlock();
    destroy_from(first);
  }

 private:
  static void destroy_from(Handler *first) {
    while (first != nullptr) delete std::exchange(first, first->next);
  }

  std::mutex mutex_;
  Handler *first_ = nullptr;
  std::atomic<bool> are_dropped_{false};
};

struct FreeClient {
  void operator()(rtcmsg_client *client) const noexcept { rtcmsg_client_free(client); }
};

using OwnedClient = std::unique_ptr<rtcmsg_client, FreeClient>;

/* What a Client owns. Each poll that runs holds it too, because a handler may destroy the Client that runs it. */
class ClientState {
 public:
  ClientState(OwnedClient client, std::shared_ptr<void> log) noexcept
      : log_(std::move(log)), client_(std::move(client)) {}
  ClientState(const ClientState &) = delete;
  ClientState &operator=(const ClientState &) = delete;

  rtcmsg_client *client() const noexcept { return client_.get(); }
  Handlers &handlers() noexcept { return handlers_; }

  /* Closes the client at once and drops the handlers. A poll that still runs ends after its present handler. */
  void end() noexcept {
    const rtcmsg_code closed = rtcmsg_client_close(client_.get(), 0, nullptr);
    handlers_.drop(closed == RTCMSG_ERR_FORKED);
  }

  /* Waits for the first completion and runs its handler. 0: there was none in time, or the client was destroyed. */
  Result<std::size_t> run_one(Wait wait) {
    Error error;
    rtcmsg_completion row{};
    std::size_t count = 0;
    if (rtcmsg_client_poll(client_.get(), wait.ms(), &row, sizeof row, 1, &count, error.raw()) != RTCMSG_OK)
      return error;
    if (count == 0) return std::size_t(0);
    Completion completion(row);
    const std::unique_ptr<Handler> handler = handlers_.take(row.user_data);
    if (handler == nullptr) return std::size_t(0);
    handler->run(std::move(completion));
    return std::size_t(1);
  }

 private:
  /* In this order: the client is freed first, and until then it logs. */
  std::shared_ptr<void> log_;
  Handlers handlers_;
  OwnedClient client_;
};

template <class Function>
void log_line(void *user_data, std::int32_t level, const char *text) noexcept {
  (*static_cast<Function *>(user_data))(static_cast<LogLevel>(level), std::string_view(text));
}

/* While the version is 0.x, each minor is an ABI of its own, as the SONAME says; and an older library lacks what a newer
 * header may use of it. */
constexpr bool versions_fit(std::uint32_t header, std::uint32_t library) noexcept {
  const unsigned shift = header >> 16 == 0 ? 8 : 16;
  return header >> shift == library >> shift && library >= header;
}

inline std::string version_text(std::uint32_t version) {
  return std::to_string(version >> 16) + '.' + std::to_string(version >> 8 & 0xff) + '.' +
         std::to_string(version & 0xff);
}

inline Result<void> check_versions(std::uint32_t header, std::uint32_t library) {
  if (versions_fit(header, library)) return {};
  const std::string text = "this program was built for rtcmsg " + version_text(header) + ", the library that it found is " +
                           version_text(library);
  return Error(Code::unsupported, "", text.c_str());
}

inline Result<void> done(rtcmsg_code code, const Error &error) noexcept {
  return code == RTCMSG_OK ? Result<void>() : Result<void>(error);
}

}  // namespace detail

/* Settings on their way to a client; docs/CONFIGURATION.md lists them. */
class Config {
 public:
  Config() : config_(rtcmsg_config_new()) {}

  /* Sets a setting: try_set("zego.app_id", "1234567890"). An empty value sets it back to its default. */
  Result<void> try_set(NulTerminatedText key, NulTerminatedText value) {
    if (Result<void> checked = key.checked("key"); !checked) return checked;
    if (Result<void> checked = value.checked("value"); !checked) return checked;
    Error error;
    return detail::done(rtcmsg_config_set(config_.get(), key.data(), value.data(), error.raw()), error);
  }

  /* Takes settings from the environment: RTCMSG_ZEGO_APP_ID and so on. No other thread may change it meanwhile. */
  Result<void> try_load_env() {
    Error error;
    return detail::done(rtcmsg_config_load_env(config_.get(), error.raw()), error);
  }

  /* The settings of the environment alone. */
  static Result<Config> try_from_env() {
    Config config;
    if (Result<void> loaded = config.try_load_env(); !loaded) return loaded.error();
    return config;
  }

  /* Where log lines go: function(LogLevel, std::string_view), called by any thread, by several at once, also by the
   * library's. It must return soon, must not call the client, and ends the program if it throws. It lives as long as
   * every client made from this configuration. */
  template <class Function>
  Result<void> try_log_to(LogLevel max_level, Function &&function) {
    using Stored = std::decay_t<Function>;
    auto stored = std::make_shared<Stored>(std::forward<Function>(function));
    Error error;
    const rtcmsg_code code = rtcmsg_config_set_log(config_.get(), &detail::log_line<Stored>, stored.get(),
                                                   static_cast<std::int32_t>(max_level), error.raw());
    if (code == RTCMSG_OK) log_ = std::move(stored);
    return detail::done(code, error);
  }

#ifndef RTCMSG_NO_EXCEPTIONS
  Config &set(NulTerminatedText key, NulTerminatedText value) {
    try_set(key, value).value();
    return *this;
  }

  Config &load_env() {
    try_load_env().value();
    return *this;
  }

  static Config from_env() { return try_from_env().value(); }

  template <class Function>
  Config &log_to(LogLevel max_level, Function &&function) {
    try_log_to(max_level, std::forward<Function>(function)).value();
    return *this;
  }
#endif

  const rtcmsg_config *raw() const noexcept { return config_.get(); }

 private:
  friend class Client;

  struct Free {
    void operator()(rtcmsg_config *config) const noexcept { rtcmsg_config_free(config); }
  };

  std::unique_ptr<rtcmsg_config, Free> config_;
  std::shared_ptr<void> log_;
};

/* Sends messages. When it is destroyed it closes at once: queued messages are not sent, and lambdas that have not run are
 * dropped without being run. To lose nothing: stop submitting, flush, close, and poll until it gives 0.
 *
 * A lambda may do anything with the client whose poll runs it: submit, poll, close, move, assign to and destroy it. A
 * lambda that owns its client, as by a std::shared_ptr, keeps it alive until the lambda has run. */
class Client {
 public:
  /* An empty one. */
  Client() noexcept = default;

  Client(Client &&other) noexcept = default;

  Client &operator=(Client &&other) noexcept {
    Client moved(std::move(other));
    state_.swap(moved.state_);
    return *this;
  }

  ~Client() {
    if (state_ != nullptr) state_->end();
  }

  /* Checks all settings and makes a client; no network I/O. */
  static Result<Client> try_make(const Config &config) {
    if (Result<void> checked = detail::check_versions(RTCMSG_VERSION, rtcmsg_version()); !checked)
      return checked.error();
    Error error;
    rtcmsg_client *raw = nullptr;
    if (rtcmsg_client_new(config.raw(), &raw, error.raw()) != RTCMSG_OK) return error;
    Client client;
    client.state_ = std::make_shared<detail::ClientState>(detail::OwnedClient(raw), config.log_);
    return client;
  }

  /* Whether send() would take this message in. No I/O. */
  Result<void> try_check(const Message &message) {
    Error error;
    const rtcmsg_message raw = message.raw();
    return detail::done(rtcmsg_client_check(native(), &raw, error.raw()), error);
  }

  /* Sends a message and waits for what became of it, on this thread. An error: it was not taken in. */
  Result<Report> try_send(const Message &message, const SendOptions &options = {}) {
    if (Result<void> checked = options.checked(); !checked) return checked.error();
    Error error;
    rtcmsg_report *report = nullptr;
    const rtcmsg_message raw = message.raw();
    rtcmsg_client_send(native(), &raw, &options.raw(), &report, error.raw());
    if (report == nullptr) return error;
    return Report(report);
  }

  /* Volcengine RTC, one user who is logged in, outside rooms. */
  Result<Report> try_send_unicast(Text from, Text to, Payload payload, const SendOptions &options = {}) {
    return try_send(Message::send_unicast(from, to, payload), options);
  }

  /* Volcengine RTC, one user in a room. */
  Result<Report> try_send_room_unicast(Text room_id, Text from, Text to, Payload payload,
                                       const SendOptions &options = {}) {
    return try_send(Message::send_room_unicast(room_id, from, to, payload), options);
  }

  /* Volcengine RTC, users in a room. */
  Result<Report> try_batch_send_room_unicast(Text room_id, Text from, Users to, Payload payload,
                                             const SendOptions &options = {}) {
    return try_send(Message::batch_send_room_unicast(room_id, from, to, payload), options);
  }

  /* Volcengine RTC, everybody in a room. */
  Result<Report> try_send_broadcast(Text room_id, Text from, Payload payload, const SendOptions &options = {}) {
    return try_send(Message::send_broadcast(room_id, from, payload), options);
  }

  /* Volcengine IM, some members of a conversation. */
  Result<Report> try_p2p_send_message_to_users(std::int64_t conversation_id, std::int64_t sender_id,
                                               std::int32_t msg_type, UserIds user_ids, Text content,
                                               const SendOptions &options = {}) {
    return try_send(Message::p2p_send_message_to_users(conversation_id, sender_id, msg_type, user_ids, content), options);
  }

  /* Volcengine IM, every member of a conversation. */
  Result<Report> try_p2p_send_message_to_all(std::int64_t conversation_id, std::int64_t sender_id,
                                             std::int32_t msg_type, Text content, const SendOptions &options = {}) {
    return try_send(Message::p2p_send_message_to_all(conversation_id, sender_id, msg_type, content), options);
  }

  /* Volcengine IM, every member but those in user_ids. */
  Result<Report> try_p2p_send_message_to_all_except(std::int64_t conversation_id, std::int64_t sender_id,
                                                    std::int32_t msg_type, UserIds user_ids, Text content,
                                                    const SendOptions &options = {}) {
    return try_send(Message::p2p_send_message_to_all_except(conversation_id, sender_id, msg_type, user_ids, content),
                    options);
  }

  /* ZEGO, users in a room. */
  Result<Report> try_send_custom_command_to_users(Text room_id, Text from, Users to, Text content,
                                                  const SendOptions &options = {}) {
    return try_send(Message::send_custom_command_to_users(room_id, from, to, content), options);
  }

  /* ZEGO, everybody in a room. */
  Result<Report> try_send_custom_command_to_room(Text room_id, Text from, Text content,
                                                 const SendOptions &options = {}) {
    return try_send(Message::send_custom_command_to_room(room_id, from, content), options);
  }

  /* Any other action, signed. `json` is an object: Volcengine's body, ZEGO's parameters; see rtcmsg_client_call_action(). */
  Result<Report> try_call_action(Vendor vendor, NulTerminatedText action, NulTerminatedText version, Text json,
                          const SendOptions &options = {}) {
    if (Result<void> checked = action.checked("action"); !checked) return checked.error();
    if (Result<void> checked = version.checked("version"); !checked) return checked.error();
    if (Result<void> checked = options.checked(); !checked) return checked.error();
    Error error;
    rtcmsg_report *report = nullptr;
    rtcmsg_client_call_action(native(), static_cast<std::uint32_t>(vendor), action.data(), version.data(), json,
                       &options.raw(), &report, error.raw());
    if (report == nullptr) return error;
    return Report(report);
  }

  /* Queues a copy of the message, and gives its id. Never waits. handler(rtcmsg::Completion) runs once, within the
   * poll() that finds it done; not at all after an error. */
  template <class Function>
  Result<std::uint64_t> try_submit(const Message &message, Function &&handler, const SubmitOptions &options = {}) {
    static_assert(std::is_invocable_v<std::decay_t<Function> &, Completion &&>, "the handler takes a Completion");
    if (Result<void> checked = options.checked(); !checked) return checked.error();
    /* Before the list of handlers is locked: in a forked child the one who would unlock it may not exist. And what is
     * refused needs no handler. */
    if (Result<void> checked = try_check(message); !checked) return checked.error();
    rtcmsg_send_options raw = options.raw();
    detail::Handlers &handlers = state_->handlers();
    raw.user_data =
        handlers.add(std::make_unique<detail::HandlerOf<std::decay_t<Function>>>(std::forward<Function>(handler)));
    Result<std::uint64_t> queued = try_queue(message, raw);
    if (!queued) handlers.take(raw.user_data);
    return queued;
  }

  /* The same without a completion: what becomes of it goes to the log alone. */
  Result<std::uint64_t> try_submit_and_forget(const Message &message, const SubmitOptions &options = {}) {
    if (Result<void> checked = options.checked(); !checked) return checked.error();
    rtcmsg_send_options raw = options.raw();
    raw.flags |= RTCMSG_SUBMIT_NO_COMPLETION;
    return try_queue(message, raw);
  }

  /* Runs the handlers of what is done, on this thread, and gives how many it ran: `max_count` at most. Waits for the first.
   * What a handler throws comes out of here; the others wait for the next poll.
   *
   * After a handler that destroyed the client, or assigned another one to it, poll returns, and the handlers that have
   * not run are dropped. After one that moved or closed the client, poll goes on with that client's handlers. */
  Result<std::size_t> try_poll(Wait wait = {}, std::size_t max_count = 1024) {
    /* From here on `this` may be gone. */
    const std::shared_ptr<detail::ClientState> state = state_;
    if (state == nullptr) return Error(Code::invalid_argument, "client", "is empty: it was moved from");
    std::size_t ran = 0;
    while (ran < max_count && !state->handlers().are_dropped()) {
      Result<std::size_t> one = state->run_one(ran == 0 ? wait : Wait());
      if (!one && ran == 0) return one.error();
      if (*one == 0) break;
      ++ran;
    }
    return std::size_t(ran);
  }

  /* A file descriptor for epoll and its like, readable while a completion waits. The client's own: never read or close it. */
  Result<std::intptr_t> try_event_handle() {
    Error error;
    std::intptr_t handle = 0;
    if (rtcmsg_client_event_handle(native(), &handle, error.raw()) != RTCMSG_OK) return error;
    return std::intptr_t(handle);
  }

  /* Takes back what is still queued: its completion says cancelled. Code::not_found: it is in flight or done. */
  Result<void> try_cancel(std::uint64_t id) {
    Error error;
    return detail::done(rtcmsg_client_cancel(native(), id, error.raw()), error);
  }

  /* How much is submitted and not yet polled: what queue.capacity bounds. */
  std::size_t pending() noexcept { return rtcmsg_client_pending(native()); }

  /* Waits until nothing is queued or in flight; Code::timeout if it is not by then. Completions stay for poll(). */
  Result<void> try_flush(Wait wait) {
    Error error;
    return detail::done(rtcmsg_client_flush(native(), wait.ms(), error.raw()), error);
  }

  /* Ends intake, waits for what is under way, then cuts it. */
  Result<void> try_close(Wait wait) {
    Error error;
    return detail::done(rtcmsg_client_close(native(), wait.ms(), error.raw()), error);
  }

  /* Opens connections ahead, in the background; 0: as many as worker.threads. */
  Result<void> try_warm_up(std::uint32_t connections = 0) {
    Error error;
    return detail::done(rtcmsg_client_warm_up(native(), connections, error.raw()), error);
  }

  /* Replaces a vendor's credentials on a client that runs. */
  Result<void> try_set_credentials(Vendor vendor, Text key_id, Text secret, Text session_token = {}) {
    Error error;
    return detail::done(rtcmsg_client_set_credentials(native(), static_cast<std::uint32_t>(vendor), key_id, secret,
                                                      session_token, error.raw()),
                        error);
  }

  /* Counters, as JSON. */
  Result<std::string> try_stats() {
    std::string json(1024, '\0');
    for (;;) {
      Error error;
      std::size_t needed = 0;
      const rtcmsg_code code = rtcmsg_client_stats(native(), json.data(), json.size(), &needed, error.raw());
      if (code == RTCMSG_OK) {
        json.resize(std::strlen(json.c_str()));
        return json;
      }
      if (code != RTCMSG_ERR_BUFFER_TOO_SMALL) return error;
      json.assign(needed, '\0');
    }
  }

  /* Takes the oldest line that log.buffer_level has kept; nothing if there is none. */
  Result<std::optional<LogLine>> try_next_log_line() {
    LogLine line;
    line.text.assign(512, '\0');
    for (;;) {
      Error error;
      std::int32_t level = 0;
      std::size_t needed = 0;
      const rtcmsg_code code =
          rtcmsg_client_next_log_line(native(), &level, line.text.data(), line.text.size(), &needed, error.raw());
      if (code == RTCMSG_OK) {
        line.level = static_cast<LogLevel>(level);
        line.text.resize(std::strlen(line.text.c_str()));
        return std::optional<LogLine>(std::move(line));
      }
      if (code == RTCMSG_ERR_NOT_FOUND) return std::optional<LogLine>();
      if (code != RTCMSG_ERR_BUFFER_TOO_SMALL) return error;
      line.text.assign(needed, '\0');
    }
  }

#ifndef RTCMSG_NO_EXCEPTIONS
  explicit Client(const Config &config) : Client(try_make(config).value()) {}

  void check(const Message &message) { try_check(message).value(); }

  Report send(const Message &message, const SendOptions &options = {}) { return try_send(message, options).value(); }

  Report send_unicast(Text from, Text to, Payload payload, const SendOptions &options = {}) {
    return try_send_unicast(from, to, payload, options).value();
  }

  Report send_room_unicast(Text room_id, Text from, Text to, Payload payload, const SendOptions &options = {}) {
    return try_send_room_unicast(room_id, from, to, payload, options).value();
  }

  Report batch_send_room_unicast(Text room_id, Text from, Users to, Payload payload, const SendOptions &options = {}) {
    return try_batch_send_room_unicast(room_id, from, to, payload, options).value();
  }

  Report send_broadcast(Text room_id, Text from, Payload payload, const SendOptions &options = {}) {
    return try_send_broadcast(room_id, from, payload, options).value();
  }

  Report p2p_send_message_to_users(std::int64_t conversation_id, std::int64_t sender_id, std::int32_t msg_type,
                                   UserIds user_ids, Text content, const SendOptions &options = {}) {
    return try_p2p_send_message_to_users(conversation_id, sender_id, msg_type, user_ids, content, options).value();
  }

  Report p2p_send_message_to_all(std::int64_t conversation_id, std::int64_t sender_id, std::int32_t msg_type,
                                 Text content, const SendOptions &options = {}) {
    return try_p2p_send_message_to_all(conversation_id, sender_id, msg_type, content, options).value();
  }

  Report p2p_send_message_to_all_except(std::int64_t conversation_id, std::int64_t sender_id, std::int32_t msg_type,
                                        UserIds user_ids, Text content, const SendOptions &options = {}) {
    return try_p2p_send_message_to_all_except(conversation_id, sender_id, msg_type, user_ids, content, options).value();
  }

  Report send_custom_command_to_users(Text room_id, Text from, Users to, Text content,
                                      const SendOptions &options = {}) {
    return try_send_custom_command_to_users(room_id, from, to, content, options).value();
  }

  Report send_custom_command_to_room(Text room_id, Text from, Text content, const SendOptions &options = {}) {
    return try_send_custom_command_to_room(room_id, from, content, options).value();
  }

  Report call_action(Vendor vendor, NulTerminatedText action, NulTerminatedText version, Text json, const SendOptions &options = {}) {
    return try_call_action(vendor, action, version, json, options).value();
  }

  template <class Function>
  std::uint64_t submit(const Message &message, Function &&handler, const SubmitOptions &options = {}) {
    return try_submit(message, std::forward<Function>(handler), options).value();
  }

  std::uint64_t submit_and_forget(const Message &message, const SubmitOptions &options = {}) {
    return try_submit_and_forget(message, options).value();
  }

  std::size_t poll(Wait wait = {}, std::size_t max_count = 1024) { return try_poll(wait, max_count).value(); }
  std::intptr_t event_handle() { return try_event_handle().value(); }

  /* Whether it was still queued. */
  bool cancel(std::uint64_t id) {
    Result<void> cancelled = try_cancel(id);
    if (!cancelled && cancelled.error().code() == Code::not_found) return false;
    std::move(cancelled).value();
    return true;
  }

  void flush(Wait wait) { try_flush(wait).value(); }
  void close(Wait wait) { try_close(wait).value(); }
  void warm_up(std::uint32_t connections = 0) { try_warm_up(connections).value(); }

  void set_credentials(Vendor vendor, Text key_id, Text secret, Text session_token = {}) {
    try_set_credentials(vendor, key_id, secret, session_token).value();
  }

  std::string stats() { return try_stats().value(); }
  std::optional<LogLine> next_log_line() { return try_next_log_line().value(); }
#endif

  /* For the functions of rtcmsg.h, but submit and poll: completions belong to the handlers. */
  rtcmsg_client *raw() noexcept { return native(); }

 private:
  rtcmsg_client *native() const noexcept { return state_ != nullptr ? state_->client() : nullptr; }

  Result<std::uint64_t> try_queue(const Message &message, const rtcmsg_send_options &options) {
    Error error;
    std::uint64_t id = 0;
    const rtcmsg_message raw = message.raw();
    if (rtcmsg_client_submit(native(), &raw, &options, &id, error.raw()) != RTCMSG_OK) return error;
    return std::uint64_t(id);
  }

  std::shared_ptr<detail::ClientState> state_;
};

}  // namespace rtcmsg

#undef RTCMSG_BORROWED

#include "rtcmsg_macros_pop.h"

#endif
