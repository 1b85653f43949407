/* Checks that count, print what differed and where, and continue, so that one run shows every failure of a program.
 *
 * They are not thread-safe: a thread passes its results to main, which checks them. */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>
#include <stdint.h>

#include <rtcmsg.h>

#define CHECK(condition) check_true(__FILE__, __LINE__, #condition, (condition) != 0)
#define CHECK_INT(actual, expected) check_int(__FILE__, __LINE__, #actual, (int64_t)(actual), (int64_t)(expected))
#define CHECK_SIZE(actual, expected) check_size(__FILE__, __LINE__, #actual, (uint64_t)(actual), (uint64_t)(expected))
#define CHECK_CODE(actual, expected) check_code(__FILE__, __LINE__, #actual, (actual), (expected))
#define CHECK_DELIVERY(actual, expected) check_delivery(__FILE__, __LINE__, #actual, (actual), (expected))
#define CHECK_TEXT(actual, expected) check_text(__FILE__, __LINE__, #actual, (actual), (expected))
#define CHECK_CONTAINS(actual, part) check_contains(__FILE__, __LINE__, #actual, (actual), (part), 1)
#define CHECK_LACKS(actual, part) check_contains(__FILE__, __LINE__, #actual, (actual), (part), 0)
#define CHECK_BYTES(actual, actual_len, expected, expected_len) \
  check_bytes(__FILE__, __LINE__, #actual, (actual), (actual_len), (expected), (expected_len))

/* Ends the program if the condition is false: the code after it depends on the condition. */
#define REQUIRE(condition) check_require(__FILE__, __LINE__, #condition, (condition) != 0)

#ifdef __cplusplus
extern "C" {
#endif

/* Sets the name that the next failures print, so that they show which row of a table failed. NULL sets no name. */
void check_case(const char *name);

/* Prints `checks: N, failures: N`, and returns the exit code for main. */
int check_summary(void);

/* The number of checks that have failed so far. */
size_t check_failures(void);

void check_true(const char *file, int line, const char *what, int holds);
void check_require(const char *file, int line, const char *what, int holds);
void check_int(const char *file, int line, const char *what, int64_t actual, int64_t expected);
void check_size(const char *file, int line, const char *what, uint64_t actual, uint64_t expected);
void check_code(const char *file, int line, const char *what, rtcmsg_code actual, rtcmsg_code expected);
void check_delivery(const char *file, int line, const char *what, uint32_t actual, uint32_t expected);
void check_text(const char *file, int line, const char *what, const char *actual, const char *expected);
void check_contains(const char *file, int line, const char *what, const char *actual, const char *part, int wanted);
void check_bytes(const char *file, int line, const char *what, const void *actual, size_t actual_len,
                 const void *expected, size_t expected_len);

#ifdef __cplusplus
}
#endif

#endif
