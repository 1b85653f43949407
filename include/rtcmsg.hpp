/** @file
 * rtcmsg for C++17: server-side messages to the users of Volcengine RTC, Volcengine IM and ZEGO.
 *
 * @code{.cpp}
 * rtcmsg::Client client(rtcmsg::Config::from_env());
 * rtcmsg::Report report = client.send_custom_command_to_users("lobby", "server", {"alice", "bob"}, "dinner is ready");
 * for (rtcmsg::Recipient recipient : report.recipients())
 *   std::cout << recipient.user() << ": " << rtcmsg::name(recipient.delivery()) << '\n';
 *
 * client.submit(rtcmsg::Message::send_broadcast("lobby", "server", "round 2"),
 *               [](const rtcmsg::Completion &done) { std::cout << done.report().summary() << '\n'; });
 * client.poll();   // once a tick: calls the lambdas of the completed messages
 * @endcode
 *
 * Header only. rtcmsg.h describes each action, code and limit. Rules for all functions:
 * - Each fallible function has two forms: send_unicast() returns the value or throws an rtcmsg::Exception;
 *   try_send_unicast() returns an rtcmsg::Result. With -fno-exceptions, or RTCMSG_NO_EXCEPTIONS, only the try_ form
 *   exists.
 * - An error means that the message was not accepted, and nothing was sent. An accepted message always yields a Report,
 *   also if it failed; it does not throw, unless the program calls Report::or_throw().
 * - Input text is a Text, to which any string converts. It is borrowed for the call. A List is a braced list, or
 *   anything contiguous of Text or std::int64_t, for example a std::vector<rtcmsg::Text>. This header allocates no
 *   memory for a send; for a submit it allocates the memory that holds the lambda.
 * - Text, NulTerminatedText, List, Payload and Message only borrow. Make them in the call that uses them, not in a
 *   variable: a braced list is destroyed at the end of the statement, so that the message of
 *   `auto message = Message::send_custom_command_to_users("lobby", "server", {"alice", "bob"}, "x");` must not be used
 *   afterwards. Clang warns about this (-Wdangling, on by default); other compilers do not.
 * - Client, Config, Report and Completion are move-only. After a move the old object is empty: its functions return
 *   Code::invalid_argument, and its rows and texts are empty. Views (Recipient, Request, Attempt, Device,
 *   std::string_view) are valid as long as the report that they came from.
 * - Any number of threads may use a Client at once, but only one may make, move or destroy it. A Config or a Report is
 *   for one thread at a time.
 * - The library must have the header's major and minor version, and must not be older than the header: a program that
 *   was built with the header of 0.1.2 runs with 0.1.2 and 0.1.9, but not with 0.1.1 or 0.2.0. From 1.0 on, the minor
 *   version may also be higher. With another library, making a client fails with Code::unsupported; the error names
 *   both versions.
 * - The program may define macros such as check, send, min or Qt's forever before it includes this header, which sets
 *   them aside and restores them. They still replace words in the program's own code: write (client.send)(message),
 *   client.try_poll() or rtcmsg::Wait::without_end() there. The standard headers that this header includes are
 *   protected from the macros; standard headers that the program includes later are not. */
#ifndef RTCMSG_HPP
#define RTCMSG_HPP

/* Sets the program's macros aside; the last include restores them. The standard headers are included in between,
 * because some of them do not compile with such macros, and some undefine them. */
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

/* Marks the parameter that a borrowed type borrows from, so that clang warns if it is destroyed too early. A view is
 * not marked: it may be destroyed before the memory that it points to. */
#define RTCMSG_BORROWED
#ifdef __has_cpp_attribute
#if __has_cpp_attribute(clang::lifetimebound)
#undef RTCMSG_BORROWED
#define RTCMSG_BORROWED [[clang::lifetimebound]]
#endif
#endif

/** The C++ API of rtcmsg. */
namespace rtcmsg {

/** Codes. A newer library may return numbers that this header does not name; name() and text() accept every number. */
enum class Code : rtcmsg_code {
  /** Success. For a message: every recipient is accepted or delivered. */
  ok = RTCMSG_OK,
  /** A field, setting or argument is not allowed. The error names it and the limit. Nothing was sent. */
  invalid_argument = RTCMSG_ERR_INVALID_ARGUMENT,
  /** The library is older than this header, or does not support a field that is set. Nothing was sent. */
  unsupported = RTCMSG_ERR_UNSUPPORTED,
  /** The client lacks a setting that this message needs. The error names it. Nothing was sent. */
  not_configured = RTCMSG_ERR_NOT_CONFIGURED,
  /** The queue is full (queue.capacity, queue.max_bytes). The message was not accepted. */
  queue_full = RTCMSG_ERR_QUEUE_FULL,
  /** The rate limit would not admit the request before its deadline. Nothing was sent. */
  rate_limited = RTCMSG_ERR_RATE_LIMITED,
  /** The message expired before any byte was sent. */
  expired = RTCMSG_ERR_EXPIRED,
  /** The message was cancelled while it was queued. Nothing was sent. */
  cancelled = RTCMSG_ERR_CANCELLED,
  /** The client is closed. The report of a message that was in flight has its delivery. */
  closed = RTCMSG_ERR_CLOSED,
  /** The client was made before a fork; make a new one in the child process. Nothing was sent. */
  forked = RTCMSG_ERR_FORKED,
  /** No queued message has this id: it is in flight or completed. */
  not_found = RTCMSG_ERR_NOT_FOUND,
  /** Only functions of rtcmsg.h return it: the buffer is too small. */
  buffer_too_small = RTCMSG_ERR_BUFFER_TOO_SMALL,
  /** The operating system refused a thread, a file descriptor or memory. Nothing was sent. */
  no_resources = RTCMSG_ERR_NO_RESOURCES,
  /** The vendor's host name could not be resolved. Nothing was sent. */
  resolve = RTCMSG_ERR_RESOLVE,
  /** No connection to the vendor could be opened. Nothing was sent. */
  connect = RTCMSG_ERR_CONNECT,
  /** The TLS handshake failed: certificate, host name or protocol. Nothing was sent. */
  tls = RTCMSG_ERR_TLS,
  /** The connection ended before the response was complete. */
  disconnected = RTCMSG_ERR_DISCONNECTED,
  /** The deadline passed. The delivery says whether any request bytes had been sent. */
  timeout = RTCMSG_ERR_TIMEOUT,
  /** The response cannot be read as a response of this vendor. */
  bad_response = RTCMSG_ERR_BAD_RESPONSE,
  /** The proxy refused the connection to the vendor, or it is not an HTTP proxy. Nothing was sent. */
  proxy = RTCMSG_ERR_PROXY,
  /** The vendor rejected the request. */
  rejected = RTCMSG_ERR_REJECTED,
  /** The vendor does not accept the credentials or the signature. */
  unauthenticated = RTCMSG_ERR_UNAUTHENTICATED,
  /** The account is not allowed to do this. */
  forbidden = RTCMSG_ERR_FORBIDDEN,
  /** The vendor's rate limit was exceeded. */
  throttled = RTCMSG_ERR_THROTTLED,
  /** The clock of this machine differs too much from the vendor's. */
  clock = RTCMSG_ERR_CLOCK,
  /** The vendor's service failed. The delivery says whether the message may have been sent. */
  vendor_fault = RTCMSG_ERR_VENDOR_FAULT,
  /** No recipient got the message. */
  undelivered = RTCMSG_ERR_UNDELIVERED,
  /** Recipients differ: some got the message or may have got it, others did not. Send it again only to the others. */
  partial = RTCMSG_ERR_PARTIAL,
  /** A defect of this library. Please report it. */
  internal = RTCMSG_ERR_INTERNAL
};

/** What is known about the delivery to one recipient. */
enum class Delivery : std::uint32_t {
  /** The report or the row is empty. */
  none = 0,
  /** No byte of the request can have reached the vendor. Safe to send again. */
  not_sent = RTCMSG_DELIVERY_NOT_SENT,
  /** The vendor answered that this recipient did not get the message. Safe to send again. */
  not_delivered = RTCMSG_DELIVERY_NOT_DELIVERED,
  /** The vendor accepted the message and reports nothing more about this recipient. */
  accepted = RTCMSG_DELIVERY_ACCEPTED,
  /** The vendor reports that this recipient got the message. */
  delivered = RTCMSG_DELIVERY_DELIVERED,
  /** Request bytes were sent, and no response settles the result. Send again only if a duplicate is harmless. */
  unknown = RTCMSG_DELIVERY_UNKNOWN
};

/** Vendors. */
enum class Vendor : std::uint32_t {
  /** Volcengine RTC and Volcengine IM. */
  volcengine = RTCMSG_VENDOR_VOLCENGINE,
  /** ZEGO. */
  zego = RTCMSG_VENDOR_ZEGO
};

/** Log levels. */
enum class LogLevel : std::int32_t {
  /** A defect of the library, or a call that could not report its error. */
  error = RTCMSG_LOG_ERROR,
  /** A message failed, or a DNS lookup failed. */
  warn = RTCMSG_LOG_WARN,
  /** A client was made or closed. */
  info = RTCMSG_LOG_INFO,
  /** Every message. */
  debug = RTCMSG_LOG_DEBUG
};

/**
 * Returns the name of a code's constant in rtcmsg.h.
 *
 * @param code Any number.
 * @return Static text such as "RTCMSG_ERR_THROTTLED", never null; "RTCMSG_?" for an unknown number.
 */
inline const char *name(Code code) noexcept { return rtcmsg_code_name(static_cast<rtcmsg_code>(code)); }

/**
 * Returns the name of a delivery's constant in rtcmsg.h.
 *
 * @param delivery Any number.
 * @return Static text such as "RTCMSG_DELIVERY_ACCEPTED", never null; "RTCMSG_?" for an unknown number.
 */
inline const char *name(Delivery delivery) noexcept {
  return rtcmsg_delivery_name(static_cast<std::uint32_t>(delivery));
}

/**
 * Returns what a code means.
 *
 * @param code Any number.
 * @return A short English phrase such as "the vendor's rate limit was exceeded": static text, never null.
 */
inline const char *text(Code code) noexcept { return rtcmsg_code_text(static_cast<rtcmsg_code>(code)); }

/** Why a call failed: the code, the field that it is about, and one sentence. It owns its texts. */
class Error {
 public:
  /** Makes an error with Code::ok and empty texts. */
  Error() noexcept : raw_(RTCMSG_INIT(rtcmsg_error)) {}

  /**
   * Makes an error. Texts that are longer than those of rtcmsg_error are cut.
   *
   * @param code The code.
   * @param field The field, argument or setting, NUL-terminated; empty if the error is about nothing specific.
   * @param message One sentence for a person, NUL-terminated.
   */
  Error(Code code, const char *field, const char *message) noexcept : Error() {
    raw_.code = static_cast<rtcmsg_code>(code);
    std::strncpy(raw_.field, field, sizeof raw_.field - 1);
    std::strncpy(raw_.message, message, sizeof raw_.message - 1);
  }

  /** The code. */
  Code code() const noexcept { return static_cast<Code>(raw_.code); }
  /** The field, argument or setting that the error is about, such as "to[3]"; may be empty. */
  const char *field() const noexcept { return raw_.field; }
  /** One sentence for a person: what is wrong and what is allowed. */
  const char *message() const noexcept { return raw_.message; }

  /** All of it on one line: "RTCMSG_ERR_INVALID_ARGUMENT: to[1]: must not be empty". */
  std::string to_string() const {
    std::string line = name(code());
    for (const char *part : {field(), message()})
      if (*part != '\0') line.append(": ").append(part);
    return line;
  }

  /** The struct of rtcmsg.h, as an argument for its functions. */
  rtcmsg_error *raw() noexcept { return &raw_; }

 private:
  rtcmsg_error raw_;
};

#ifndef RTCMSG_NO_EXCEPTIONS
/** The exception of each function that has a try_ form. what() is Error::to_string(). */
class Exception : public std::runtime_error {
 public:
  /**
   * Makes an exception.
   *
   * @param error The error that it carries.
   */
  explicit Exception(const Error &error) : std::runtime_error(error.to_string()), error_(error) {}

  /** The error. */
  const Error &error() const noexcept { return error_; }
  /** The code of the error. */
  Code code() const noexcept { return error_.code(); }

 private:
  Error error_;
};
#endif

/**
 * The value that a call returned, or the error with which it failed. After an error the value is a default one.
 *
 * @tparam T Type of the value; it has a default constructor.
 */
template <class T>
class [[nodiscard]] Result {
 public:
  /**
   * Makes a success.
   *
   * @param value The value; it is moved.
   */
  Result(T &&value) noexcept(std::is_nothrow_move_constructible_v<T>) : value_(std::move(value)) {}

  /**
   * Makes a failure.
   *
   * @param error The error; its code must not be Code::ok.
   */
  Result(const Error &error) : error_(error) {}

  /** Whether the call succeeded. */
  bool ok() const noexcept { return error_.code() == Code::ok; }
  /** Whether the call succeeded. */
  explicit operator bool() const noexcept { return ok(); }
  /** The error; its code is Code::ok on success. */
  const Error &error() const & noexcept { return error_; }
  /** The error, as a copy, because this result is temporary. */
  Error error() && noexcept { return error_; }

  /** The value; a default one after a failure. */
  T &operator*() & noexcept { return value_; }
  /** The value; a default one after a failure. */
  const T &operator*() const & noexcept { return value_; }
  /** The value, to be moved; a default one after a failure. */
  T &&operator*() && noexcept { return std::move(value_); }
  /** Accesses a member of the value, a default one after a failure. */
  T *operator->() & noexcept { return &value_; }
  /** Accesses a member of the value, a default one after a failure. */
  const T *operator->() const & noexcept { return &value_; }
  /** Deleted: what a member returns would be destroyed together with this temporary result. */
  const T *operator->() const && = delete;

#ifndef RTCMSG_NO_EXCEPTIONS
  /**
   * Returns the value.
   *
   * @return The value.
   * @throws Exception The call failed.
   */
  T &value() & {
    throw_unless_ok();
    return value_;
  }

  /**
   * Returns the value.
   *
   * @return The value.
   * @throws Exception The call failed.
   */
  const T &value() const & {
    throw_unless_ok();
    return value_;
  }

  /**
   * Moves the value out.
   *
   * @return The value.
   * @throws Exception The call failed.
   */
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

/** The result of a call that returns no value. */
template <>
class [[nodiscard]] Result<void> {
 public:
  /** Makes a success. */
  Result() noexcept = default;

  /**
   * Makes a failure.
   *
   * @param error The error; its code must not be Code::ok.
   */
  Result(const Error &error) noexcept : error_(error) {}

  /** Whether the call succeeded. */
  bool ok() const noexcept { return error_.code() == Code::ok; }
  /** Whether the call succeeded. */
  explicit operator bool() const noexcept { return ok(); }
  /** The error; its code is Code::ok on success. */
  const Error &error() const & noexcept { return error_; }
  /** The error, as a copy, because this result is temporary. */
  Error error() && noexcept { return error_; }

#ifndef RTCMSG_NO_EXCEPTIONS
  /**
   * Does nothing if the call succeeded.
   *
   * @throws Exception The call failed.
   */
  void value() const {
    if (!ok()) throw Exception(error_);
  }
#endif

 private:
  Error error_;
};

/**
 * How long to wait: a duration, or #forever. A duration is rounded up to milliseconds, at most INT32_MAX of them. The
 * call refuses a negative one with Code::invalid_argument.
 */
class Wait {
 public:
  /** Do not wait. */
  constexpr Wait() noexcept = default;

  /**
   * Converts a duration.
   *
   * @param duration Any duration, for example `std::chrono::seconds(2)`.
   */
  template <class Rep, class Period>
  constexpr Wait(std::chrono::duration<Rep, Period> duration) noexcept : ms_(rounded(duration)) {}

  /** No limit: what #forever is. */
  static constexpr Wait without_end() noexcept {
    Wait wait;
    wait.ms_ = -1;
    return wait;
  }

  /** The time in milliseconds; -1 means "no limit", and a negative duration becomes -2 or less. */
  constexpr std::int32_t ms() const noexcept { return ms_; }

 private:
  /* -1 means "no limit" in rtcmsg.h, which a negative duration must not become. */
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

/** Waits without a limit. */
inline constexpr Wait forever = Wait::without_end();

/**
 * Borrowed text, UTF-8: any string converts to it. An array of Text is an array of rtcmsg_str. A default one means "not
 * given".
 */
class Text : public rtcmsg_str {
 public:
  /** Makes text that is not given. */
  constexpr Text() noexcept : rtcmsg_str{nullptr, 0} {}

  /**
   * Borrows a view.
   *
   * @param text The text; it needs no NUL at the end.
   */
  constexpr Text(std::string_view text) noexcept : rtcmsg_str{text.data(), text.size()} {}

  /**
   * Borrows a string.
   *
   * @param text The text.
   */
  Text(const std::string &text RTCMSG_BORROWED) noexcept : Text(std::string_view(text)) {}

  /**
   * Borrows a C string.
   *
   * @param text The text, NUL-terminated; null means "not given".
   */
  constexpr Text(const char *text RTCMSG_BORROWED) noexcept
      : Text(text == nullptr ? std::string_view() : std::string_view(text)) {}
};

static_assert(sizeof(Text) == sizeof(rtcmsg_str) && std::is_standard_layout_v<Text>,
              "a list of Text is passed to C as a list of rtcmsg_str");

/** Borrowed text that is NUL-terminated: a string literal or a std::string. */
class NulTerminatedText {
 public:
  /**
   * Borrows a C string.
   *
   * @param text The text, NUL-terminated.
   */
  NulTerminatedText(const char *text RTCMSG_BORROWED) noexcept : data_(text), is_whole_(true) {}

  /**
   * Borrows a string.
   *
   * @param text The text. The call refuses one that contains NUL.
   */
  NulTerminatedText(const std::string &text RTCMSG_BORROWED) noexcept
      : data_(text.c_str()), is_whole_(std::strlen(text.c_str()) == text.size()) {}

  /** The text. */
  const char *data() const noexcept { return data_; }

  /**
   * Checks that the text does not contain NUL: the library would read only the part before it.
   *
   * @param argument Name of the argument, for the error.
   * @return Code::invalid_argument if it contains NUL.
   */
  Result<void> checked(const char *argument) const {
    if (is_whole_) return {};
    return Error(Code::invalid_argument, argument, "contains a NUL character");
  }

 private:
  const char *data_;
  bool is_whole_;
};

namespace detail {

/* The pointer that data() of a container returns. */
template <class Container>
using Data = decltype(std::declval<const Container &>().data());

/* Whether the container only points to its elements, as std::span does. Such a type can be constructed from a pointer
 * and a size, and its destructor frees nothing. */
template <class Container, class = Data<Container>>
struct IsView : std::bool_constant<std::is_constructible_v<Container, Data<Container>, std::size_t> &&
                                   std::is_trivially_destructible_v<Container>> {};

}  // namespace detail

/**
 * A borrowed list: a braced list, or anything contiguous that has data() and size().
 *
 * @tparam T Type of an element: Text or std::int64_t.
 */
template <class T>
class List {
 public:
  /** Makes an empty list. */
  constexpr List() noexcept = default;

  /**
   * Borrows an array.
   *
   * @param data The first element.
   * @param size Number of elements.
   */
  constexpr List(const T *data RTCMSG_BORROWED, std::size_t size) noexcept : data_(data), size_(size) {}

  /**
   * Borrows a braced list, which lives until the end of the statement.
   *
   * @param list The elements.
   */
  constexpr List(std::initializer_list<T> list RTCMSG_BORROWED) noexcept : List(list.begin(), list.size()) {}

  /**
   * Borrows a container, such as a std::vector.
   *
   * @param list The container.
   */
  template <class Container, class = std::enable_if_t<std::is_convertible_v<detail::Data<Container>, const T *>>,
            class = decltype(std::declval<const Container &>().size()),
            std::enable_if_t<!detail::IsView<Container>::value, int> = 0>
  constexpr List(const Container &list RTCMSG_BORROWED) noexcept : List(list.data(), list.size()) {}

  /**
   * Borrows the elements of a view, such as a std::span. The view itself may be destroyed before the list.
   *
   * @param list The view.
   */
  template <class View, class = std::enable_if_t<std::is_convertible_v<detail::Data<View>, const T *>>,
            class = decltype(std::declval<const View &>().size()),
            std::enable_if_t<detail::IsView<View>::value, int> = 0>
  constexpr List(const View &list) noexcept : List(list.data(), list.size()) {}

  /** The first element. */
  constexpr const T *data() const noexcept { return data_; }
  /** Number of elements. */
  constexpr std::size_t size() const noexcept { return size_; }

 private:
  const T *data_ = nullptr;
  std::size_t size_ = 0;
};

/** Users of Volcengine RTC and ZEGO. */
using Users = List<Text>;
/** Users of Volcengine IM. */
using UserIds = List<std::int64_t>;

/** The borrowed content of a message of Volcengine RTC: text, to which any string converts, or bytes from binary(). */
class Payload {
 public:
  /**
   * Borrows text.
   *
   * @param text Anything that converts to Text.
   */
  template <class String, class = std::enable_if_t<std::is_convertible_v<const String &, Text>>>
  constexpr Payload(const String &text) noexcept : Payload(Text(text), 0) {}

  /**
   * Borrows a string.
   *
   * @param text The text.
   */
  Payload(const std::string &text RTCMSG_BORROWED) noexcept : Payload(Text(text), 0) {}

  /**
   * Borrows bytes. They are sent as base64 and arrive at the receiver's binary callback.
   *
   * @param data The first byte.
   * @param size Number of bytes.
   * @return The payload.
   */
  static Payload binary(const void *data RTCMSG_BORROWED, std::size_t size) noexcept {
    return Payload(Text(std::string_view(static_cast<const char *>(data), size)), RTCMSG_MESSAGE_BINARY);
  }

  /**
   * Borrows a container of bytes, such as a `std::vector<std::uint8_t>`.
   *
   * @param bytes The container.
   * @return The payload.
   */
  template <class Bytes, std::enable_if_t<!detail::IsView<Bytes>::value, int> = 0>
  static Payload binary(const Bytes &bytes RTCMSG_BORROWED) noexcept {
    static_assert(sizeof(*bytes.data()) == 1, "a binary payload is bytes");
    return binary(bytes.data(), bytes.size());
  }

  /**
   * Borrows the bytes of a view, such as a `std::span<std::byte>`. The view itself may be destroyed before the payload.
   *
   * @param bytes The view.
   * @return The payload.
   */
  template <class View, std::enable_if_t<detail::IsView<View>::value, int> = 0>
  static Payload binary(const View &bytes) noexcept {
    static_assert(sizeof(*bytes.data()) == 1, "a binary payload is bytes");
    return binary(bytes.data(), bytes.size());
  }

  /** The content, as rtcmsg.h has it. */
  const rtcmsg_str &bytes() const noexcept { return bytes_; }
  /** Flags for rtcmsg_message: 0 or RTCMSG_MESSAGE_BINARY. */
  std::uint32_t flags() const noexcept { return flags_; }

 private:
  constexpr Payload(Text bytes, std::uint32_t flags) noexcept : bytes_(bytes), flags_(flags) {}

  Text bytes_;
  std::uint32_t flags_;
};

/**
 * A message of one action. It borrows everything that it is made of, also a braced list: make it in the call of send(),
 * submit() or check().
 *
 * Limits are those of rtcmsg_message: ids of Volcengine RTC have 1 to 128 characters, ids of ZEGO up to
 * zego.max_id_length bytes, ids of Volcengine IM are numbers from 1. KB is 1,024 bytes. A list longer than the vendor's
 * limit is split into several requests, and an empty list is an error.
 */
class Message {
 public:
  /**
   * Volcengine RTC SendUnicast: to one user who is logged in, outside rooms.
   *
   * @param from The sender that receivers see; not the id of a real user.
   * @param to The recipient.
   * @param payload Text or bytes, up to 64 KB.
   * @return The message.
   */
  static Message send_unicast(Text from RTCMSG_BORROWED, Text to RTCMSG_BORROWED,
                              Payload payload RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST, payload).with_sender(from).with_user(to);
  }

  /**
   * Volcengine RTC SendRoomUnicast: to one user in a room.
   *
   * @param room_id The room.
   * @param from The sender that receivers see; not the id of a real user.
   * @param to The recipient.
   * @param payload Text or bytes, up to 64 KB.
   * @return The message.
   */
  static Message send_room_unicast(Text room_id RTCMSG_BORROWED, Text from RTCMSG_BORROWED, Text to RTCMSG_BORROWED,
                                   Payload payload RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST, payload)
        .with_room(room_id)
        .with_sender(from)
        .with_user(to);
  }

  /**
   * Volcengine RTC BatchSendRoomUnicast: to a list of users in a room.
   *
   * @param room_id The room.
   * @param from The sender that receivers see; not the id of a real user.
   * @param to The recipients, each once, 600 for each request.
   * @param payload Text or bytes, up to 20 KB.
   * @return The message.
   */
  static Message batch_send_room_unicast(Text room_id RTCMSG_BORROWED, Text from RTCMSG_BORROWED,
                                         Users to RTCMSG_BORROWED, Payload payload RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST, payload)
        .with_room(room_id)
        .with_sender(from)
        .with_users(to);
  }

  /**
   * Volcengine RTC SendBroadcast: to all users in a room.
   *
   * @param room_id The room.
   * @param from The sender that receivers see; not the id of a real user.
   * @param payload Text or bytes, up to 64 KB.
   * @return The message.
   */
  static Message send_broadcast(Text room_id RTCMSG_BORROWED, Text from RTCMSG_BORROWED,
                                Payload payload RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST, payload).with_room(room_id).with_sender(from);
  }

  /**
   * Volcengine IM P2PSendMessage: to some members of a conversation.
   *
   * @param conversation_id The conversation.
   * @param sender_id The sender, a member of the conversation.
   * @param msg_type The message type that the app's server and clients agreed on, 1 or more.
   * @param user_ids The recipients, each once, volcengine.p2p_max_users for each request.
   * @param content The text, up to volcengine.p2p_max_content.
   * @return The message.
   */
  static Message p2p_send_message_to_users(std::int64_t conversation_id, std::int64_t sender_id, std::int32_t msg_type,
                                           UserIds user_ids RTCMSG_BORROWED, Text content RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS, content)
        .with_signal(conversation_id, sender_id, msg_type)
        .with_user_ids(user_ids);
  }

  /**
   * Volcengine IM P2PSendMessage: to all members of a conversation.
   *
   * @param conversation_id The conversation.
   * @param sender_id The sender, a member of the conversation.
   * @param msg_type The message type that the app's server and clients agreed on, 1 or more.
   * @param content The text, up to volcengine.p2p_max_content.
   * @return The message.
   */
  static Message p2p_send_message_to_all(std::int64_t conversation_id, std::int64_t sender_id, std::int32_t msg_type,
                                         Text content RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL, content)
        .with_signal(conversation_id, sender_id, msg_type);
  }

  /**
   * Volcengine IM P2PSendMessage: to all members of a conversation except those in a list.
   *
   * @param conversation_id The conversation.
   * @param sender_id The sender, a member of the conversation.
   * @param msg_type The message type that the app's server and clients agreed on, 1 or more.
   * @param user_ids The members to leave out, each once, 1 to volcengine.p2p_max_users.
   * @param content The text, up to volcengine.p2p_max_content.
   * @return The message.
   */
  static Message p2p_send_message_to_all_except(std::int64_t conversation_id, std::int64_t sender_id,
                                                std::int32_t msg_type, UserIds user_ids RTCMSG_BORROWED,
                                                Text content RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT, content)
        .with_signal(conversation_id, sender_id, msg_type)
        .with_user_ids(user_ids);
  }

  /**
   * ZEGO SendCustomCommand: to a list of users in a room.
   *
   * @param room_id The room.
   * @param from The sender that receivers see; not the id of a real user.
   * @param to The recipients, each once, 10 for each request; `from` must not be one of them.
   * @param content The text, up to 1,024 bytes.
   * @return The message.
   */
  static Message send_custom_command_to_users(Text room_id RTCMSG_BORROWED, Text from RTCMSG_BORROWED,
                                              Users to RTCMSG_BORROWED, Text content RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS, content)
        .with_room(room_id)
        .with_sender(from)
        .with_users(to);
  }

  /**
   * ZEGO SendCustomCommand: to all users in a room, except a client whose id is `from`.
   *
   * @param room_id The room.
   * @param from The sender that receivers see; not the id of a real user.
   * @param content The text, up to 1,024 bytes.
   * @return The message.
   */
  static Message send_custom_command_to_room(Text room_id RTCMSG_BORROWED, Text from RTCMSG_BORROWED,
                                             Text content RTCMSG_BORROWED) noexcept {
    return Message(RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM, content).with_room(room_id).with_sender(from);
  }

  /** The struct of rtcmsg.h, for its functions. It is valid as long as this message and what the message borrows. */
  rtcmsg_message raw() const noexcept {
    rtcmsg_message raw = raw_;
    /* raw_ does not point to user_, so that a copy of this message does not point into the original. */
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

/**
 * The options that SendOptions and SubmitOptions share. Each function returns the options, so that calls can be
 * chained.
 *
 * @tparam Self The class that derives from this one.
 */
template <class Self>
class CommonOptions {
 public:
  /**
   * Sets the deadline for DNS, connect, TLS, responses, retries, all parts of a long list together, and the wait for
   * quota. For a submit it starts with the first attempt, after the first wait for quota. Without it, http.timeout_ms
   * is the deadline.
   *
   * @param wait Above 0, or #forever. With #forever, a vendor that never responds blocks the thread forever.
   * @return These options.
   */
  Self &timeout(Wait wait) noexcept {
    raw_.timeout_ms = wait.ms();
    has_timeout_ = true;
    return self();
  }

  /**
   * Sets the maximum time between the call and the first byte sent, including the wait for quota. A request that has
   * not started by then fails with Code::expired. Without it, the message does not expire.
   *
   * @param wait Above 0.
   * @return These options.
   */
  Self &expires_in(Wait wait) noexcept {
    raw_.expires_in_ms = wait.ms();
    has_expires_in_ = true;
    return self();
  }

  /**
   * Sends the message before normal ones that wait for the same quota or for a worker. At least one in nine sends is a
   * normal message, so they cannot starve.
   *
   * @param is_urgent Whether the message is urgent.
   * @return These options.
   */
  Self &urgent(bool is_urgent = true) noexcept {
    raw_.priority = is_urgent ? RTCMSG_PRIORITY_URGENT : RTCMSG_PRIORITY_NORMAL;
    return self();
  }

  /**
   * Checks the times; each call does it first. In rtcmsg.h a time of 0 means the default, which a time that has run out
   * must not become.
   *
   * @return Code::invalid_argument if a time is not allowed; the error names the field.
   */
  Result<void> checked() const noexcept {
    if (has_timeout_ && raw_.timeout_ms <= 0 && raw_.timeout_ms != forever.ms())
      return Error(Code::invalid_argument, "timeout_ms",
                   "must be above 0, or forever; without it http.timeout_ms is the limit");
    if (has_expires_in_ && raw_.expires_in_ms <= 0)
      return Error(Code::invalid_argument, "expires_in_ms", "must be above 0; without it the message does not expire");
    return {};
  }

  /** The struct of rtcmsg.h, for its functions. */
  const rtcmsg_send_options &raw() const noexcept { return raw_; }

 protected:
  /** The struct of rtcmsg.h. */
  rtcmsg_send_options raw_ = RTCMSG_INIT(rtcmsg_send_options);

 private:
  Self &self() noexcept { return static_cast<Self &>(*this); }

  bool has_timeout_ = false;
  bool has_expires_in_ = false;
};

/**
 * Options of one send or call_action(): `SendOptions().timeout(2s).urgent()`. Without options, the client's settings
 * apply.
 */
class SendOptions : public CommonOptions<SendOptions> {};

/** Options of one submit: `SubmitOptions().expires_in(500ms).order_key(7)`. */
class SubmitOptions : public CommonOptions<SubmitOptions> {
 public:
  /**
   * Sets the order of the message: messages with the same key are sent in order, each after the previous one has its
   * report.
   *
   * @param key The key. 0: the key is the destination (room and user, room, user, or conversation).
   * @return These options.
   */
  SubmitOptions &order_key(std::uint64_t key) noexcept {
    raw_.order_key = key;
    return *this;
  }

  /**
   * Sends the message without an order among the messages to its destination.
   *
   * @param is_unordered Whether the message is unordered.
   * @return These options.
   */
  SubmitOptions &unordered(bool is_unordered = true) noexcept {
    raw_.flags = is_unordered ? RTCMSG_SUBMIT_UNORDERED : 0;
    return *this;
  }
};

/**
 * The rows of a report, for example of its recipients. They are valid as long as the report. A row past the end is an
 * empty one.
 *
 * @tparam Row Recipient, Request, Attempt or Device.
 */
template <class Row>
class Rows {
 public:
  /** An input iterator over the rows. */
  class Iterator {
   public:
    /** Category of the iterator. */
    using iterator_category = std::input_iterator_tag;
    /** A row. */
    using value_type = Row;
    /** Distance of two iterators. */
    using difference_type = std::ptrdiff_t;
    /** None: rows are made on access. */
    using pointer = void;
    /** A row, by value. */
    using reference = Row;

    /** Makes an iterator of no report. */
    Iterator() noexcept = default;

    /**
     * Makes an iterator.
     *
     * @param report The report.
     * @param index Index of the row.
     */
    Iterator(const rtcmsg_report *report, std::size_t index) noexcept : report_(report), index_(index) {}

    /** The row. */
    Row operator*() const noexcept { return Row(report_, index_); }

    /** Goes to the next row. */
    Iterator &operator++() noexcept {
      ++index_;
      return *this;
    }

    /** Goes to the next row, and returns the iterator as it was. */
    Iterator operator++(int) noexcept {
      Iterator before = *this;
      ++index_;
      return before;
    }

    /** Whether both are at the same row of one report. */
    friend bool operator==(const Iterator &a, const Iterator &b) noexcept { return a.index_ == b.index_; }
    /** Whether they are at different rows of one report. */
    friend bool operator!=(const Iterator &a, const Iterator &b) noexcept { return a.index_ != b.index_; }

   private:
    const rtcmsg_report *report_ = nullptr;
    std::size_t index_ = 0;
  };

  /**
   * Makes a range of rows.
   *
   * @param report The report, or null.
   * @param first Index of the first row.
   * @param count Number of rows.
   */
  Rows(const rtcmsg_report *report, std::size_t first, std::size_t count) noexcept
      : report_(report), first_(first), count_(count) {}

  /** Number of rows. */
  std::size_t size() const noexcept { return count_; }
  /** Whether the range has no rows. */
  bool empty() const noexcept { return count_ == 0; }
  /** The first row. */
  Iterator begin() const noexcept { return Iterator(report_, first_); }
  /** The end, after the last row. */
  Iterator end() const noexcept { return Iterator(report_, first_ + count_); }

  /**
   * Returns a row.
   *
   * @param index 0 to size() - 1.
   * @return The row; an empty one if the index is out of range.
   */
  Row operator[](std::size_t index) const noexcept { return Row(index < count_ ? report_ : nullptr, first_ + index); }

 private:
  const rtcmsg_report *report_;
  std::size_t first_;
  std::size_t count_;
};

/** One attempt of a request. Valid as long as its report. */
class Attempt {
 public:
  /**
   * Makes the view of a row; programs get it from a Report.
   *
   * @param report The report, or null.
   * @param index Index of the row; an empty row if it is out of range.
   */
  Attempt(const rtcmsg_report *report, std::size_t index) noexcept : row_(rtcmsg_report_attempt(report, index)) {}

  /** Why the attempt failed, in one sentence; empty on success. */
  std::string_view error_message() const noexcept { return row_ ? row_->error_message : ""; }
  /** Code of the attempt. */
  Code code() const noexcept { return row_ ? static_cast<Code>(row_->code) : Code::ok; }
  /** Delivery of the attempt. */
  Delivery delivery() const noexcept { return row_ ? static_cast<Delivery>(row_->delivery) : Delivery::none; }
  /** HTTP status, 0 if no response was received. */
  std::uint32_t http_status() const noexcept { return row_ ? row_->http_status : 0; }

 private:
  const rtcmsg_attempt *row_;
};

/** One HTTP request, whether it was sent or not. Valid as long as its report. */
class Request {
 public:
  /**
   * Makes the view of a row; programs get it from a Report.
   *
   * @param report The report, or null.
   * @param index Index of the row; an empty row if it is out of range.
   */
  Request(const rtcmsg_report *report, std::size_t index) noexcept
      : report_(report), row_(rtcmsg_report_request(report, index)) {}

  /** The vendor's id of the request, for its support; empty if no response gave one. */
  std::string_view request_id() const noexcept { return row_ ? row_->request_id : ""; }
  /** The vendor's error code as text, such as "FlowLimitExceeded.QPSOverLimit"; may be empty. */
  std::string_view vendor_error() const noexcept { return row_ ? row_->vendor_error : ""; }
  /** The vendor's message; may be empty. */
  std::string_view vendor_message() const noexcept { return row_ ? row_->vendor_message : ""; }
  /** Why the request failed, in one sentence; empty on success. */
  std::string_view error_message() const noexcept { return row_ ? row_->error_message : ""; }
  /** The vendor's error code as a number, 0 if the response has no code. */
  std::int32_t vendor_code() const noexcept { return row_ ? row_->vendor_code : 0; }
  /** Code of the request. */
  Code code() const noexcept { return row_ ? static_cast<Code>(row_->code) : Code::ok; }
  /** Delivery of the request. */
  Delivery delivery() const noexcept { return row_ ? static_cast<Delivery>(row_->delivery) : Delivery::none; }
  /** HTTP status of the last response, 0 if no response was received. */
  std::uint32_t http_status() const noexcept { return row_ ? row_->http_status : 0; }
  /** Earliest time to retry, from the end of the request; 0 if unknown. */
  std::chrono::milliseconds retry_after() const noexcept {
    return std::chrono::milliseconds(row_ ? row_->retry_after_ms : 0);
  }
  /** The attempts; empty if the request was not attempted. */
  Rows<Attempt> attempts() const noexcept {
    return row_ ? Rows<Attempt>(report_, row_->first_attempt, row_->attempt_count) : Rows<Attempt>(nullptr, 0, 0);
  }

 private:
  const rtcmsg_report *report_;
  const rtcmsg_request *row_;
};

/** One device of a recipient (Volcengine IM). Valid as long as its report. */
class Device {
 public:
  /**
   * Makes the view of a row; programs get it from a Report.
   *
   * @param report The report, or null.
   * @param index Index of the row; an empty row if it is out of range.
   */
  Device(const rtcmsg_report *report, std::size_t index) noexcept : row_(rtcmsg_report_device(report, index)) {}

  /** "Android", "IOS", "Web", or "Default" for a user who is offline. */
  std::string_view platform() const noexcept { return row_ ? row_->platform : ""; }
  /** The vendor's message about this device, such as "SUCCESS". */
  std::string_view vendor_message() const noexcept { return row_ ? row_->vendor_message : ""; }
  /** Delivery to this device. */
  Delivery delivery() const noexcept { return row_ ? static_cast<Delivery>(row_->delivery) : Delivery::none; }

 private:
  const rtcmsg_device *row_;
};

/** One recipient. Valid as long as its report. */
class Recipient {
 public:
  /**
   * Makes the view of a row; programs get it from a Report.
   *
   * @param report The report, or null.
   * @param index Index of the row; an empty row if it is out of range.
   */
  Recipient(const rtcmsg_report *report, std::size_t index) noexcept
      : report_(report), row_(rtcmsg_report_recipient(report, index)) {}

  /** Volcengine RTC, ZEGO: the user; empty for Volcengine IM. */
  std::string_view user() const noexcept { return row_ && row_->user ? row_->user : ""; }
  /** Volcengine IM: the user; 0 for the others. */
  std::int64_t user_id() const noexcept { return row_ ? row_->user_id : 0; }
  /** Delivery to this recipient. */
  Delivery delivery() const noexcept { return row_ ? static_cast<Delivery>(row_->delivery) : Delivery::none; }
  /** Code of this recipient. */
  Code code() const noexcept { return row_ ? static_cast<Code>(row_->code) : Code::ok; }
  /** The vendor's code for this recipient, 0 if the response has no code. */
  std::int32_t vendor_code() const noexcept { return row_ ? row_->vendor_code : 0; }
  /** The vendor's message about this recipient, such as "NOT_ONLINE"; may be empty. */
  std::string_view vendor_message() const noexcept { return row_ ? row_->vendor_message : ""; }
  /** The request that contained this recipient. */
  Request request() const noexcept { return Request(row_ ? report_ : nullptr, row_ ? row_->request : 0); }
  /** Volcengine IM: the devices of the recipient. */
  Rows<Device> devices() const noexcept {
    return row_ ? Rows<Device>(report_, row_->first_device, row_->device_count) : Rows<Device>(nullptr, 0, 0);
  }

 private:
  const rtcmsg_report *report_;
  const rtcmsg_recipient *row_;
};

/**
 * The result of a message: what is known about each recipient. It owns its texts and rows, which are valid until it is
 * destroyed; functions that return them are deleted for a temporary report. One thread at a time. A default or
 * moved-from report is empty: its code is Code::invalid_argument.
 */
class [[nodiscard]] Report {
 public:
  /** Makes an empty report. */
  Report() noexcept = default;

  /**
   * Takes the ownership of a report of rtcmsg.h.
   *
   * @param report The report, or null.
   */
  explicit Report(rtcmsg_report *report) noexcept : report_(report) {}

  /** Whether every recipient is accepted or delivered. */
  bool ok() const noexcept { return code() == Code::ok; }
  /** Code of the whole message. */
  Code code() const noexcept { return static_cast<Code>(rtcmsg_report_code(raw())); }

  /**
   * The overall delivery: the least certain one of all recipients, in the order unknown, not sent, not delivered,
   * accepted, delivered. Members of a conversation that the response does not mention count as accepted.
   *
   * @return The delivery; Delivery::none for an empty report.
   */
  Delivery delivery() const noexcept { return static_cast<Delivery>(rtcmsg_report_delivery(raw())); }
  /** One line for a log, without secrets and payloads. */
  std::string_view summary() const & noexcept { return rtcmsg_report_summary(raw()); }
  /** Deleted: the text would be destroyed together with this temporary report. */
  std::string_view summary() const && = delete;

  /**
   * Returns the number of recipients with a given delivery.
   *
   * @param delivery The delivery.
   * @return The number.
   */
  std::size_t count(Delivery delivery) const noexcept {
    if (delivery == Delivery::none) return 0;
    return rtcmsg_report_count_by_delivery(raw(), static_cast<std::uint32_t>(delivery));
  }

  /**
   * Returns the recipients, in the order of the message's list. A message to a room has no recipients here. For an IM
   * message to all members, or to all but some, they are those that the response mentions, in its order.
   *
   * @return The recipients.
   */
  Rows<Recipient> recipients() const & noexcept {
    return Rows<Recipient>(raw(), 0, rtcmsg_report_recipient_count(raw()));
  }
  /** Deleted: the rows would be destroyed together with this temporary report. */
  Rows<Recipient> recipients() const && = delete;
  /** The HTTP requests that the message needed. */
  Rows<Request> requests() const & noexcept { return Rows<Request>(raw(), 0, rtcmsg_report_request_count(raw())); }
  /** Deleted: the rows would be destroyed together with this temporary report. */
  Rows<Request> requests() const && = delete;

  /**
   * Returns the raw response to call_action(). Unlike every other text of a report it is not cleaned: it may repeat
   * secrets and the request.
   *
   * @return The bytes; empty for other messages, and if no response was received.
   */
  std::string_view body() const & noexcept {
    std::size_t size = 0;
    const char *data = rtcmsg_report_body(raw(), &size);
    return data ? std::string_view(data, size) : std::string_view();
  }
  /** Deleted: the bytes would be destroyed together with this temporary report. */
  std::string_view body() const && = delete;

#ifndef RTCMSG_NO_EXCEPTIONS
  /**
   * Turns a failed message into an exception: `client.send(message).or_throw()`.
   *
   * @return This report, if it is ok().
   * @throws Failure A recipient is not accepted or delivered. The exception carries the report.
   */
  Report or_throw() &&;
#endif

  /** The handle of rtcmsg.h, for its functions; null if empty. The report keeps the ownership. */
  const rtcmsg_report *raw() const noexcept { return report_.get(); }

 private:
  struct Free {
    void operator()(rtcmsg_report *report) const noexcept { rtcmsg_report_free(report); }
  };

  std::unique_ptr<rtcmsg_report, Free> report_;
};

#ifndef RTCMSG_NO_EXCEPTIONS
/** The exception of Report::or_throw(): the message was accepted, and failed for at least one recipient. */
class Failure : public Exception {
 public:
  /**
   * Makes an exception.
   *
   * @param report The report that it carries.
   */
  explicit Failure(Report report)
      : Exception(Error(report.code(), "", std::string(report.summary()).c_str())),
        report_(std::make_shared<const Report>(std::move(report))) {}

  /** The report; valid as long as the exception or a copy of it. */
  const Report &report() const noexcept { return *report_; }

 private:
  /* Shared, because an exception must be copyable and a report is not. */
  std::shared_ptr<const Report> report_;
};

inline Report Report::or_throw() && {
  if (!ok()) throw Failure(std::move(*this));
  return std::move(*this);
}
#endif

/** The result of a submitted message. */
class Completion {
 public:
  /**
   * Takes the ownership of a row's report.
   *
   * @param row The row, from rtcmsg_client_poll().
   */
  explicit Completion(const rtcmsg_completion &row) noexcept : id_(row.id), report_(row.report) {}

  /** The id that the submit returned. */
  std::uint64_t id() const noexcept { return id_; }
  /** Whether every recipient is accepted or delivered. */
  bool ok() const noexcept { return report_.ok(); }
  /** The code of the report. */
  Code code() const noexcept { return report_.code(); }
  /** The delivery of the report. */
  Delivery delivery() const noexcept { return report_.delivery(); }
  /** The report; valid as long as this completion. */
  const Report &report() const & noexcept { return report_; }
  /** Moves the report out, to keep it. */
  Report report() && noexcept { return std::move(report_); }

 private:
  std::uint64_t id_;
  Report report_;
};

/** A buffered log line. */
struct LogLine {
  /** Its level. */
  LogLevel level = LogLevel::error;
  /** Its text, UTF-8 without line breaks, secrets and payloads. */
  std::string text;
};

namespace detail {

/* The handler of a submitted message, kept until poll() takes the completion. Its address is the message's user_data.
 * */
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

/* The handlers of all submitted messages whose completion was not polled yet: a linked list, so that adding a handler
 * allocates nothing else. */
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

  /* Removes a handler from the list. Returns nullptr if drop() has destroyed it. */
  std::unique_ptr<Handler> take(std::uint64_t key) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (are_dropped()) return nullptr;
    std::unique_ptr<Handler> taken(reinterpret_cast<Handler *>(static_cast<std::uintptr_t>(key)));
    if (taken->next != nullptr) taken->next->previous = taken->previous;
    (taken->previous != nullptr ? taken->previous->next : first_) = taken->next;
    return taken;
  }

  bool are_dropped() const noexcept { return are_dropped_.load(); }

  /* Destroys all handlers. It does so without the lock, because the destructor of a captured object may call the
   * client. The client was closed before, so that no handler is added afterwards. A forked child does not lock: the
   * thread that holds the lock may not exist there. */
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

/* What a Client owns. Each poll in progress shares the ownership, because a handler may destroy the Client that calls
 * it. */
class ClientState {
 public:
  ClientState(OwnedClient client, std::shared_ptr<void> log) noexcept
      : log_(std::move(log)), client_(std::move(client)) {}
  ClientState(const ClientState &) = delete;
  ClientState &operator=(const ClientState &) = delete;

  rtcmsg_client *client() const noexcept { return client_.get(); }
  Handlers &handlers() noexcept { return handlers_; }

  /* Closes the client with a timeout of 0 and drops the handlers. A poll in progress returns after its current handler.
   * */
  void end() noexcept {
    const rtcmsg_code closed = rtcmsg_client_close(client_.get(), 0, nullptr);
    handlers_.drop(closed == RTCMSG_ERR_FORKED);
  }

  /* Waits for a completion and calls its handler. Returns the number of handlers called: 0 if no completion came in
   * time, or if the handlers were dropped. */
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
  /* The order matters: the client is freed first, and it logs until then. */
  std::shared_ptr<void> log_;
  Handlers handlers_;
  OwnedClient client_;
};

template <class Function>
void log_line(void *user_data, std::int32_t level, const char *text) noexcept {
  (*static_cast<Function *>(user_data))(static_cast<LogLevel>(level), std::string_view(text));
}

/* Whether a program that was built with this header may use this library. In 0.x each minor version has its own ABI, as
 * the SONAME says. An older library lacks functions that a newer header may call. */
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
  const std::string text = "this program was built for rtcmsg " + version_text(header) +
                           ", the library that it found is " + version_text(library);
  return Error(Code::unsupported, "", text.c_str());
}

inline Result<void> done(rtcmsg_code code, const Error &error) noexcept {
  return code == RTCMSG_OK ? Result<void>() : Result<void>(error);
}

}  // namespace detail

/** The settings for a client; docs/CONFIGURATION.md lists them. One thread at a time. Clients keep their own copy. */
class Config {
 public:
  /** Makes an empty configuration. */
  Config() : config_(rtcmsg_config_new()) {}

  /**
   * Sets one setting: `try_set("zego.app_id", "1234567890")`.
   *
   * @param key Name of the setting.
   * @param value The value as text. An empty one sets the default.
   * @return Code::invalid_argument if the key is unknown (the error names the nearest one) or the value is not allowed.
   */
  Result<void> try_set(NulTerminatedText key, NulTerminatedText value) {
    if (Result<void> checked = key.checked("key"); !checked) return checked;
    if (Result<void> checked = value.checked("value"); !checked) return checked;
    Error error;
    return detail::done(rtcmsg_config_set(config_.get(), key.data(), value.data(), error.raw()), error);
  }

  /**
   * Reads settings from environment variables: RTCMSG_ZEGO_APP_ID sets zego.app_id. They replace what was set before.
   * rtcmsg_config_load_env() describes the names. No other thread may change the environment meanwhile.
   *
   * @return Code::invalid_argument if a value is not allowed or a variable names an unknown setting. The configuration
   *   is then unchanged.
   */
  Result<void> try_load_env() {
    Error error;
    return detail::done(rtcmsg_config_load_env(config_.get(), error.raw()), error);
  }

  /**
   * Makes a configuration from the environment only.
   *
   * @return The configuration, or the error of try_load_env().
   */
  static Result<Config> try_from_env() {
    Config config;
    if (Result<void> loaded = config.try_load_env(); !loaded) return loaded.error();
    return config;
  }

  /**
   * Sets the function that receives the log lines of clients made from this configuration. Without it, nothing is
   * logged.
   *
   * The caller's threads and the library's threads call it, also several at once. It must return soon, must not call
   * the client, and must not wait for a lock held by a thread that closes or destroys a client. An exception from it
   * terminates the program. It is kept until this configuration and all clients made from it are destroyed.
   *
   * @param max_level The most detailed level to log.
   * @param function Called as `function(LogLevel, std::string_view)`. The text is valid during the call.
   * @return Code::invalid_argument if `max_level` is not a LogLevel.
   */
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
  /**
   * Sets one setting: `config.set("zego.app_id", "1234567890").set("zego.server_secret", secret)`.
   *
   * @param key Name of the setting.
   * @param value The value as text. An empty one sets the default.
   * @return This configuration.
   * @throws Exception The error of try_set().
   */
  Config &set(NulTerminatedText key, NulTerminatedText value) {
    try_set(key, value).value();
    return *this;
  }

  /**
   * Reads settings from environment variables, as try_load_env() does.
   *
   * @return This configuration.
   * @throws Exception The error of try_load_env().
   */
  Config &load_env() {
    try_load_env().value();
    return *this;
  }

  /**
   * Makes a configuration from the environment only.
   *
   * @return The configuration.
   * @throws Exception The error of try_load_env().
   */
  static Config from_env() { return try_from_env().value(); }

  /**
   * Sets the function that receives log lines, as try_log_to() does.
   *
   * @param max_level The most detailed level to log.
   * @param function Called as `function(LogLevel, std::string_view)`; try_log_to() has the rules for it.
   * @return This configuration.
   * @throws Exception The error of try_log_to().
   */
  template <class Function>
  Config &log_to(LogLevel max_level, Function &&function) {
    try_log_to(max_level, std::forward<Function>(function)).value();
    return *this;
  }
#endif

  /** The handle of rtcmsg.h, for its functions. The configuration keeps the ownership. */
  const rtcmsg_config *raw() const noexcept { return config_.get(); }

 private:
  friend class Client;

  struct Free {
    void operator()(rtcmsg_config *config) const noexcept { rtcmsg_config_free(config); }
  };

  std::unique_ptr<rtcmsg_config, Free> config_;
  std::shared_ptr<void> log_;
};

/**
 * Sends messages. send() waits for the result; submit() returns at once, and poll() calls the handler of each completed
 * message.
 *
 * Any number of threads may call functions of one client at once. No thread may use a client while another thread
 * moves, assigns or destroys it. An empty client (default or moved-from) returns Code::invalid_argument.
 *
 * The destructor closes the client with a timeout of 0: queued messages are not sent, and handlers that were not called
 * are dropped. To lose nothing, stop submitting, flush, close, and poll until it returns 0.
 *
 * A handler may do anything with the client whose poll() calls it: submit, poll, close, move, assign to and destroy it.
 * A handler that owns its client, for example by a std::shared_ptr, keeps the client alive until the handler was
 * called.
 *
 * After fork(), a client belongs to the parent: in the child its functions return Code::forked.
 */
class Client {
 public:
  /** Makes an empty client. */
  Client() noexcept = default;

  /**
   * Moves a client with its handlers.
   *
   * @param other The client; it is empty afterwards.
   */
  Client(Client &&other) noexcept = default;

  /**
   * Moves a client with its handlers. The client that was here before is destroyed.
   *
   * @param other The client; it is empty afterwards.
   * @return This client.
   */
  Client &operator=(Client &&other) noexcept {
    Client moved(std::move(other));
    state_.swap(moved.state_);
    return *this;
  }

  /** Closes the client with a timeout of 0 and drops the handlers that were not called. */
  ~Client() {
    if (state_ != nullptr) state_->end();
  }

  /**
   * Makes a client. Copies the configuration and validates all of it, the CA file included. Does no network I/O.
   *
   * @param config The configuration. It may be destroyed after the call.
   * @return The client, or an error:
   * - Code::not_configured: the credentials of every vendor are missing, or those of one vendor are incomplete.
   * - Code::invalid_argument: a setting is not allowed; the error names it.
   * - Code::unsupported: the library does not fit this header; the error names both versions.
   */
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

  /**
   * Validates a message as send() and submit() do. Does no I/O.
   *
   * @param message The message.
   * @return Nothing if the message would be accepted, or an error:
   * - Code::invalid_argument: the error names the field and the limit.
   * - Code::unsupported: a field is set that the library does not support.
   * - Code::not_configured: the client lacks a setting that this message needs.
   * - Code::closed, Code::forked
   */
  Result<void> try_check(const Message &message) {
    Error error;
    const rtcmsg_message raw = message.raw();
    return detail::done(rtcmsg_client_check(native(), &raw, error.raw()), error);
  }

  /**
   * Sends a message and waits for the result, on the caller's thread. rtcmsg_client_send() describes retries, long
   * lists and the rate limit.
   *
   * @param message The message.
   * @param options Options of this message.
   * @return The report of an accepted message, also if it failed: look at the delivery of each recipient before you
   *   send again. Or an error, and nothing was sent:
   * - Code::invalid_argument, Code::unsupported, Code::not_configured: as for try_check(). Code::invalid_argument also
   *   for an option.
   * - Code::closed: the client was closed before the call.
   * - Code::forked
   */
  Result<Report> try_send(const Message &message, const SendOptions &options = {}) {
    if (Result<void> checked = options.checked(); !checked) return checked.error();
    Error error;
    rtcmsg_report *report = nullptr;
    const rtcmsg_message raw = message.raw();
    rtcmsg_client_send(native(), &raw, &options.raw(), &report, error.raw());
    if (report == nullptr) return error;
    return Report(report);
  }

  /**
   * Sends to one user who is logged in, outside rooms (Volcengine RTC SendUnicast).
   *
   * @param from The sender that receivers see; not the id of a real user.
   * @param to The recipient.
   * @param payload Text or bytes, up to 64 KB.
   * @param options Options of this message.
   * @return As try_send().
   */
  Result<Report> try_send_unicast(Text from, Text to, Payload payload, const SendOptions &options = {}) {
    return try_send(Message::send_unicast(from, to, payload), options);
  }

  /**
   * Sends to one user in a room (Volcengine RTC SendRoomUnicast).
   *
   * @param room_id The room.
   * @param from The sender that receivers see; not the id of a real user.
   * @param to The recipient.
   * @param payload Text or bytes, up to 64 KB.
   * @param options Options of this message.
   * @return As try_send().
   */
  Result<Report> try_send_room_unicast(Text room_id, Text from, Text to, Payload payload,
                                       const SendOptions &options = {}) {
    return try_send(Message::send_room_unicast(room_id, from, to, payload), options);
  }

  /**
   * Sends to a list of users in a room (Volcengine RTC BatchSendRoomUnicast).
   *
   * @param room_id The room.
   * @param from The sender that receivers see; not the id of a real user.
   * @param to The recipients, each once.
   * @param payload Text or bytes, up to 20 KB.
   * @param options Options of this message.
   * @return As try_send().
   */
  Result<Report> try_batch_send_room_unicast(Text room_id, Text from, Users to, Payload payload,
                                             const SendOptions &options = {}) {
    return try_send(Message::batch_send_room_unicast(room_id, from, to, payload), options);
  }

  /**
   * Sends to all users in a room (Volcengine RTC SendBroadcast).
   *
   * @param room_id The room.
   * @param from The sender that receivers see; not the id of a real user.
   * @param payload Text or bytes, up to 64 KB.
   * @param options Options of this message.
   * @return As try_send().
   */
  Result<Report> try_send_broadcast(Text room_id, Text from, Payload payload, const SendOptions &options = {}) {
    return try_send(Message::send_broadcast(room_id, from, payload), options);
  }

  /**
   * Sends to some members of a conversation (Volcengine IM P2PSendMessage).
   *
   * @param conversation_id The conversation.
   * @param sender_id The sender, a member of the conversation.
   * @param msg_type The message type that the app's server and clients agreed on, 1 or more.
   * @param user_ids The recipients, each once.
   * @param content The text, up to volcengine.p2p_max_content.
   * @param options Options of this message.
   * @return As try_send().
   */
  Result<Report> try_p2p_send_message_to_users(std::int64_t conversation_id, std::int64_t sender_id,
                                               std::int32_t msg_type, UserIds user_ids, Text content,
                                               const SendOptions &options = {}) {
    return try_send(Message::p2p_send_message_to_users(conversation_id, sender_id, msg_type, user_ids, content),
                    options);
  }

  /**
   * Sends to all members of a conversation (Volcengine IM P2PSendMessage).
   *
   * @param conversation_id The conversation.
   * @param sender_id The sender, a member of the conversation.
   * @param msg_type The message type that the app's server and clients agreed on, 1 or more.
   * @param content The text, up to volcengine.p2p_max_content.
   * @param options Options of this message.
   * @return As try_send().
   */
  Result<Report> try_p2p_send_message_to_all(std::int64_t conversation_id, std::int64_t sender_id,
                                             std::int32_t msg_type, Text content, const SendOptions &options = {}) {
    return try_send(Message::p2p_send_message_to_all(conversation_id, sender_id, msg_type, content), options);
  }

  /**
   * Sends to all members of a conversation except those in a list (Volcengine IM P2PSendMessage).
   *
   * @param conversation_id The conversation.
   * @param sender_id The sender, a member of the conversation.
   * @param msg_type The message type that the app's server and clients agreed on, 1 or more.
   * @param user_ids The members to leave out, each once, 1 to volcengine.p2p_max_users.
   * @param content The text, up to volcengine.p2p_max_content.
   * @param options Options of this message.
   * @return As try_send().
   */
  Result<Report> try_p2p_send_message_to_all_except(std::int64_t conversation_id, std::int64_t sender_id,
                                                    std::int32_t msg_type, UserIds user_ids, Text content,
                                                    const SendOptions &options = {}) {
    return try_send(Message::p2p_send_message_to_all_except(conversation_id, sender_id, msg_type, user_ids, content),
                    options);
  }

  /**
   * Sends to a list of users in a room (ZEGO SendCustomCommand).
   *
   * @param room_id The room.
   * @param from The sender that receivers see; not the id of a real user.
   * @param to The recipients, each once; `from` must not be one of them.
   * @param content The text, up to 1,024 bytes.
   * @param options Options of this message.
   * @return As try_send().
   */
  Result<Report> try_send_custom_command_to_users(Text room_id, Text from, Users to, Text content,
                                                  const SendOptions &options = {}) {
    return try_send(Message::send_custom_command_to_users(room_id, from, to, content), options);
  }

  /**
   * Sends to all users in a room, except a client whose id is `from` (ZEGO SendCustomCommand).
   *
   * @param room_id The room.
   * @param from The sender that receivers see; not the id of a real user.
   * @param content The text, up to 1,024 bytes.
   * @param options Options of this message.
   * @return As try_send().
   */
  Result<Report> try_send_custom_command_to_room(Text room_id, Text from, Text content,
                                                 const SendOptions &options = {}) {
    return try_send(Message::send_custom_command_to_room(room_id, from, content), options);
  }

  /**
   * Sends any other action of the vendors' APIs, signed, and waits for the response. rtcmsg_client_call_action() says
   * which actions are paced by their rate limits.
   *
   * @param vendor The vendor.
   * @param action The vendor's name of the action.
   * @param version Volcengine: the version of the action, such as "2020-12-01". ZEGO: empty.
   * @param json A JSON object. For Volcengine it is the body of the request and is sent byte for byte. For ZEGO its
   *   members become query parameters; a list becomes a repeated parameter `Name[]`.
   * @param options Options of this call.
   * @return As try_send(); Report::body() is the raw response. Code::invalid_argument also for an action that Message
   *   has a function for.
   */
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

  /**
   * Enqueues a copy of the message and returns immediately. It never blocks on network, DNS, quota or library threads.
   * Messages to the same destination are sent in order, see SubmitOptions.
   *
   * @param message The message. Everything is copied.
   * @param handler Called once as `handler(Completion)`, in the poll() that takes the completion, on the thread of that
   *   poll(). It is copied or moved into the client, and destroyed without a call if the submit fails or the client is
   *   destroyed first.
   * @param options Options of this message.
   * @return The id of the message, 1 or more, or an error:
   * - Code::queue_full: poll, or send less; the error names the setting.
   * - Code::no_resources: the operating system refused a thread for the queue. A later call tries again.
   * - Code::invalid_argument, Code::unsupported, Code::not_configured: as for try_send().
   * - Code::closed, Code::forked
   */
  template <class Function>
  Result<std::uint64_t> try_submit(const Message &message, Function &&handler, const SubmitOptions &options = {}) {
    static_assert(std::is_invocable_v<std::decay_t<Function> &, Completion &&>, "the handler takes a Completion");
    if (Result<void> checked = options.checked(); !checked) return checked.error();
    /* Checked before the list of handlers is locked: in a forked child the thread that holds the lock may not exist. A
     * message that is refused needs no handler. */
    if (Result<void> checked = try_check(message); !checked) return checked.error();
    rtcmsg_send_options raw = options.raw();
    detail::Handlers &handlers = state_->handlers();
    raw.user_data =
        handlers.add(std::make_unique<detail::HandlerOf<std::decay_t<Function>>>(std::forward<Function>(handler)));
    Result<std::uint64_t> queued = try_queue(message, raw);
    if (!queued) handlers.take(raw.user_data);
    return queued;
  }

  /**
   * Enqueues a copy of the message without a completion. A failure is only logged.
   *
   * @param message The message. Everything is copied.
   * @param options Options of this message.
   * @return As try_submit().
   */
  Result<std::uint64_t> try_submit_and_forget(const Message &message, const SubmitOptions &options = {}) {
    if (Result<void> checked = options.checked(); !checked) return checked.error();
    rtcmsg_send_options raw = options.raw();
    raw.flags |= RTCMSG_SUBMIT_NO_COMPLETION;
    return try_queue(message, raw);
  }

  /**
   * Calls the handlers of completed messages on this thread, in the order in which the messages completed.
   *
   * An exception from a handler leaves this function; the other handlers wait for the next poll. If a handler destroys
   * the client or assigns another one to it, poll returns, and the handlers that were not called are dropped. If a
   * handler moves or closes the client, poll continues with the handlers of the same client.
   *
   * @param wait How long to wait for the first completion. Without it, poll does not wait, as in a game tick.
   * @param max_count Maximum number of handlers to call.
   * @return The number of handlers called; 0 if no completion came in time, or if the client is closed and none will
   *   come. Or an error: Code::invalid_argument, Code::forked.
   */
  Result<std::size_t> try_poll(Wait wait = {}, std::size_t max_count = 1024) {
    /* A handler may destroy this client, so that only `state` is used below. */
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

  /**
   * Returns a file descriptor for epoll, kqueue, libuv or asio. It is readable exactly while a completion waits
   * (level-triggered).
   *
   * @return The file descriptor, the same one for each call. The client owns it: never read, write or close it. Or an
   *   error:
   * - Code::no_resources: the operating system refused a file descriptor.
   * - Code::invalid_argument, Code::closed, Code::forked
   */
  Result<std::intptr_t> try_event_handle() {
    Error error;
    std::intptr_t handle = 0;
    if (rtcmsg_client_event_handle(native(), &handle, error.raw()) != RTCMSG_OK) return error;
    return std::intptr_t(handle);
  }

  /**
   * Removes a message from the queue. Its completion has Code::cancelled and Delivery::not_sent.
   *
   * @param id The id from submit().
   * @return Nothing if the message was still queued, or an error:
   * - Code::not_found: no queued message has this id. A message in flight continues.
   * - Code::invalid_argument, Code::closed, Code::forked
   */
  Result<void> try_cancel(std::uint64_t id) {
    Error error;
    return detail::done(rtcmsg_client_cancel(native(), id, error.raw()), error);
  }

  /**
   * The number of submitted messages whose completion was not polled yet; queue.capacity limits it.
   *
   * @return The number; 0 for an empty client and in a forked child.
   */
  std::size_t pending() noexcept { return rtcmsg_client_pending(native()); }

  /**
   * Waits until no message is queued or in flight and warm_up() has ended. The completions stay for poll().
   *
   * @param wait How long to wait.
   * @return Nothing, or an error:
   * - Code::timeout: a message is still queued or in flight.
   * - Code::invalid_argument, Code::closed, Code::forked
   */
  Result<void> try_flush(Wait wait) {
    Error error;
    return detail::done(rtcmsg_client_flush(native(), wait.ms(), error.raw()), error);
  }

  /**
   * Stops accepting messages, waits for the accepted ones, then aborts the rest: queued messages are not sent, and
   * messages in flight end with Code::closed. rtcmsg_client_close() has the details. poll() still returns the
   * completions.
   *
   * @param wait How long to wait.
   * @return Nothing, or an error: Code::invalid_argument, Code::forked.
   */
  Result<void> try_close(Wait wait) {
    Error error;
    return detail::done(rtcmsg_client_close(native(), wait.ms(), error.raw()), error);
  }

  /**
   * Opens connections to each vendor in the background, TLS handshake included, so that the first messages find an open
   * connection. Returns immediately; flush() waits for the connections. A failure is logged.
   *
   * @param connections Number of connections for each vendor; 0: one per worker.
   * @return Nothing, or an error:
   * - Code::invalid_argument: `connections` is more than http.max_idle_connections.
   * - Code::no_resources: as for try_submit().
   * - Code::closed, Code::forked
   */
  Result<void> try_warm_up(std::uint32_t connections = 0) {
    Error error;
    return detail::done(rtcmsg_client_warm_up(native(), connections, error.raw()), error);
  }

  /**
   * Replaces a vendor's credentials while the client is in use. All of them change together. An attempt in progress
   * keeps the ones it was signed with.
   *
   * @param vendor The vendor.
   * @param key_id Volcengine: the access key. ZEGO: empty.
   * @param secret Volcengine: the secret key. ZEGO: the ServerSecret, 32 characters.
   * @param session_token Volcengine: the token of temporary keys, otherwise empty. ZEGO: empty.
   * @return Nothing, or an error:
   * - Code::invalid_argument: a value is missing or not allowed; the error names it.
   * - Code::not_configured: the client was not made for this vendor.
   * - Code::closed, Code::forked
   */
  Result<void> try_set_credentials(Vendor vendor, Text key_id, Text secret, Text session_token = {}) {
    Error error;
    return detail::done(rtcmsg_client_set_credentials(native(), static_cast<std::uint32_t>(vendor), key_id, secret,
                                                      session_token, error.raw()),
                        error);
  }

  /**
   * Returns the client's statistics. docs/METRICS.md names each figure. It also works after close().
   *
   * @return A JSON object, or an error: Code::invalid_argument, Code::forked.
   */
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

  /**
   * Takes the oldest buffered log line. The settings log.buffer_level and log.buffer_lines turn the buffer on. It also
   * works after close().
   *
   * @return The line, or an empty optional if no line is buffered. Or an error: Code::invalid_argument, Code::forked.
   */
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
  /**
   * Makes a client, as try_make() does.
   *
   * @param config The configuration. It may be destroyed after the call.
   * @throws Exception The error of try_make().
   */
  explicit Client(const Config &config) : Client(try_make(config).value()) {}

  /**
   * Validates a message as send() and submit() do. Does no I/O.
   *
   * @param message The message.
   * @throws Exception The message would not be accepted; the errors are those of try_check().
   */
  void check(const Message &message) { try_check(message).value(); }

  /**
   * Sends a message and waits for the result, as try_send() does.
   *
   * @param message The message.
   * @param options Options of this message.
   * @return The report, also if the message failed: look at the delivery of each recipient before you send again.
   * @throws Exception The message was not accepted; the errors are those of try_send().
   */
  Report send(const Message &message, const SendOptions &options = {}) { return try_send(message, options).value(); }

  /**
   * Sends to one user who is logged in, outside rooms (Volcengine RTC SendUnicast).
   *
   * @param from The sender that receivers see; not the id of a real user.
   * @param to The recipient.
   * @param payload Text or bytes, up to 64 KB.
   * @param options Options of this message.
   * @return The report, also if the message failed.
   * @throws Exception The message was not accepted; the errors are those of try_send().
   */
  Report send_unicast(Text from, Text to, Payload payload, const SendOptions &options = {}) {
    return try_send_unicast(from, to, payload, options).value();
  }

  /**
   * Sends to one user in a room (Volcengine RTC SendRoomUnicast).
   *
   * @param room_id The room.
   * @param from The sender that receivers see; not the id of a real user.
   * @param to The recipient.
   * @param payload Text or bytes, up to 64 KB.
   * @param options Options of this message.
   * @return The report, also if the message failed.
   * @throws Exception The message was not accepted; the errors are those of try_send().
   */
  Report send_room_unicast(Text room_id, Text from, Text to, Payload payload, const SendOptions &options = {}) {
    return try_send_room_unicast(room_id, from, to, payload, options).value();
  }

  /**
   * Sends to a list of users in a room (Volcengine RTC BatchSendRoomUnicast).
   *
   * @param room_id The room.
   * @param from The sender that receivers see; not the id of a real user.
   * @param to The recipients, each once.
   * @param payload Text or bytes, up to 20 KB.
   * @param options Options of this message.
   * @return The report, also if the message failed.
   * @throws Exception The message was not accepted; the errors are those of try_send().
   */
  Report batch_send_room_unicast(Text room_id, Text from, Users to, Payload payload, const SendOptions &options = {}) {
    return try_batch_send_room_unicast(room_id, from, to, payload, options).value();
  }

  /**
   * Sends to all users in a room (Volcengine RTC SendBroadcast).
   *
   * @param room_id The room.
   * @param from The sender that receivers see; not the id of a real user.
   * @param payload Text or bytes, up to 64 KB.
   * @param options Options of this message.
   * @return The report, also if the message failed.
   * @throws Exception The message was not accepted; the errors are those of try_send().
   */
  Report send_broadcast(Text room_id, Text from, Payload payload, const SendOptions &options = {}) {
    return try_send_broadcast(room_id, from, payload, options).value();
  }

  /**
   * Sends to some members of a conversation (Volcengine IM P2PSendMessage).
   *
   * @param conversation_id The conversation.
   * @param sender_id The sender, a member of the conversation.
   * @param msg_type The message type that the app's server and clients agreed on, 1 or more.
   * @param user_ids The recipients, each once.
   * @param content The text, up to volcengine.p2p_max_content.
   * @param options Options of this message.
   * @return The report, also if the message failed.
   * @throws Exception The message was not accepted; the errors are those of try_send().
   */
  Report p2p_send_message_to_users(std::int64_t conversation_id, std::int64_t sender_id, std::int32_t msg_type,
                                   UserIds user_ids, Text content, const SendOptions &options = {}) {
    return try_p2p_send_message_to_users(conversation_id, sender_id, msg_type, user_ids, content, options).value();
  }

  /**
   * Sends to all members of a conversation (Volcengine IM P2PSendMessage).
   *
   * @param conversation_id The conversation.
   * @param sender_id The sender, a member of the conversation.
   * @param msg_type The message type that the app's server and clients agreed on, 1 or more.
   * @param content The text, up to volcengine.p2p_max_content.
   * @param options Options of this message.
   * @return The report, also if the message failed.
   * @throws Exception The message was not accepted; the errors are those of try_send().
   */
  Report p2p_send_message_to_all(std::int64_t conversation_id, std::int64_t sender_id, std::int32_t msg_type,
                                 Text content, const SendOptions &options = {}) {
    return try_p2p_send_message_to_all(conversation_id, sender_id, msg_type, content, options).value();
  }

  /**
   * Sends to all members of a conversation except those in a list (Volcengine IM P2PSendMessage).
   *
   * @param conversation_id The conversation.
   * @param sender_id The sender, a member of the conversation.
   * @param msg_type The message type that the app's server and clients agreed on, 1 or more.
   * @param user_ids The members to leave out, each once, 1 to volcengine.p2p_max_users.
   * @param content The text, up to volcengine.p2p_max_content.
   * @param options Options of this message.
   * @return The report, also if the message failed.
   * @throws Exception The message was not accepted; the errors are those of try_send().
   */
  Report p2p_send_message_to_all_except(std::int64_t conversation_id, std::int64_t sender_id, std::int32_t msg_type,
                                        UserIds user_ids, Text content, const SendOptions &options = {}) {
    return try_p2p_send_message_to_all_except(conversation_id, sender_id, msg_type, user_ids, content, options).value();
  }

  /**
   * Sends to a list of users in a room (ZEGO SendCustomCommand).
   *
   * @param room_id The room.
   * @param from The sender that receivers see; not the id of a real user.
   * @param to The recipients, each once; `from` must not be one of them.
   * @param content The text, up to 1,024 bytes.
   * @param options Options of this message.
   * @return The report, also if the message failed.
   * @throws Exception The message was not accepted; the errors are those of try_send().
   */
  Report send_custom_command_to_users(Text room_id, Text from, Users to, Text content,
                                      const SendOptions &options = {}) {
    return try_send_custom_command_to_users(room_id, from, to, content, options).value();
  }

  /**
   * Sends to all users in a room, except a client whose id is `from` (ZEGO SendCustomCommand).
   *
   * @param room_id The room.
   * @param from The sender that receivers see; not the id of a real user.
   * @param content The text, up to 1,024 bytes.
   * @param options Options of this message.
   * @return The report, also if the message failed.
   * @throws Exception The message was not accepted; the errors are those of try_send().
   */
  Report send_custom_command_to_room(Text room_id, Text from, Text content, const SendOptions &options = {}) {
    return try_send_custom_command_to_room(room_id, from, content, options).value();
  }

  /**
   * Sends any other action of the vendors' APIs, signed, and waits for the response, as try_call_action() does.
   *
   * @param vendor The vendor.
   * @param action The vendor's name of the action.
   * @param version Volcengine: the version of the action, such as "2020-12-01". ZEGO: empty.
   * @param json A JSON object; try_call_action() describes it.
   * @param options Options of this call.
   * @return The report; Report::body() is the raw response.
   * @throws Exception Nothing was sent; the errors are those of try_call_action().
   */
  Report call_action(Vendor vendor, NulTerminatedText action, NulTerminatedText version, Text json,
                     const SendOptions &options = {}) {
    return try_call_action(vendor, action, version, json, options).value();
  }

  /**
   * Enqueues a copy of the message and returns immediately, as try_submit() does.
   *
   * @param message The message. Everything is copied.
   * @param handler Called once as `handler(Completion)`, in the poll() that takes the completion.
   * @param options Options of this message.
   * @return The id of the message, 1 or more.
   * @throws Exception The message was not accepted; the errors are those of try_submit().
   */
  template <class Function>
  std::uint64_t submit(const Message &message, Function &&handler, const SubmitOptions &options = {}) {
    return try_submit(message, std::forward<Function>(handler), options).value();
  }

  /**
   * Enqueues a copy of the message without a completion. A failure is only logged.
   *
   * @param message The message. Everything is copied.
   * @param options Options of this message.
   * @return The id of the message, 1 or more.
   * @throws Exception The message was not accepted; the errors are those of try_submit().
   */
  std::uint64_t submit_and_forget(const Message &message, const SubmitOptions &options = {}) {
    return try_submit_and_forget(message, options).value();
  }

  /**
   * Calls the handlers of completed messages on this thread, as try_poll() does.
   *
   * @param wait How long to wait for the first completion. Without it, poll does not wait, as in a game tick.
   * @param max_count Maximum number of handlers to call.
   * @return The number of handlers called; 0 if no completion came in time, or if the client is closed and none will
   *   come.
   * @throws Exception The error of try_poll(). An exception from a handler passes through as well.
   */
  std::size_t poll(Wait wait = {}, std::size_t max_count = 1024) { return try_poll(wait, max_count).value(); }

  /**
   * Returns a file descriptor that is readable exactly while a completion waits.
   *
   * @return The file descriptor; try_event_handle() describes it.
   * @throws Exception The error of try_event_handle().
   */
  std::intptr_t event_handle() { return try_event_handle().value(); }

  /**
   * Removes a message from the queue. Its completion has Code::cancelled and Delivery::not_sent.
   *
   * @param id The id from submit().
   * @return Whether it was still queued. A message in flight continues.
   * @throws Exception The error of try_cancel(), except Code::not_found.
   */
  bool cancel(std::uint64_t id) {
    Result<void> cancelled = try_cancel(id);
    if (!cancelled && cancelled.error().code() == Code::not_found) return false;
    std::move(cancelled).value();
    return true;
  }

  /**
   * Waits until no message is queued or in flight and warm_up() has ended. The completions stay for poll().
   *
   * @param wait How long to wait.
   * @throws Exception The error of try_flush(); Code::timeout if a message is still queued or in flight.
   */
  void flush(Wait wait) { try_flush(wait).value(); }

  /**
   * Stops accepting messages, waits for the accepted ones, then aborts the rest, as try_close() does.
   *
   * @param wait How long to wait.
   * @throws Exception The error of try_close().
   */
  void close(Wait wait) { try_close(wait).value(); }

  /**
   * Opens connections to each vendor in the background, as try_warm_up() does.
   *
   * @param connections Number of connections for each vendor; 0: one per worker.
   * @throws Exception The error of try_warm_up().
   */
  void warm_up(std::uint32_t connections = 0) { try_warm_up(connections).value(); }

  /**
   * Replaces a vendor's credentials while the client is in use, as try_set_credentials() does.
   *
   * @param vendor The vendor.
   * @param key_id Volcengine: the access key. ZEGO: empty.
   * @param secret Volcengine: the secret key. ZEGO: the ServerSecret, 32 characters.
   * @param session_token Volcengine: the token of temporary keys, otherwise empty. ZEGO: empty.
   * @throws Exception The error of try_set_credentials().
   */
  void set_credentials(Vendor vendor, Text key_id, Text secret, Text session_token = {}) {
    try_set_credentials(vendor, key_id, secret, session_token).value();
  }

  /**
   * Returns the client's statistics. docs/METRICS.md names each figure.
   *
   * @return A JSON object.
   * @throws Exception The error of try_stats().
   */
  std::string stats() { return try_stats().value(); }

  /**
   * Takes the oldest buffered log line, as try_next_log_line() does.
   *
   * @return The line, or an empty optional if no line is buffered.
   * @throws Exception The error of try_next_log_line().
   */
  std::optional<LogLine> next_log_line() { return try_next_log_line().value(); }
#endif

  /**
   * The handle of rtcmsg.h, for its functions except rtcmsg_client_submit(), rtcmsg_client_poll() and
   * rtcmsg_client_free(): completions belong to the handlers, and the client keeps the ownership. Null if empty.
   */
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
