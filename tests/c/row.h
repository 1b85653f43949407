/* Rows of invalid input, and what is checked for each row. */
#ifndef ROW_H
#define ROW_H

#include <rtcmsg.h>

/* A pointer that is not NULL, and that no call may leave in an out-param. */
extern void *const row_untouched;

/* Counts a row, and sets the name that its failures print. */
void row_begin(const char *what);

/* Checks that the error has this code and field, and that its message contains `text`. */
void row_check_error(const rtcmsg_error *error, rtcmsg_code actual, rtcmsg_code code, const char *field,
                     const char *text);

/* Checks that no connection and no request has reached the emulator since the group began. */
void row_check_no_traffic(void);

/* Checks that rtcmsg_client_check() returns this error, and that rtcmsg_client_send() returns the same one and no
 * report. A message that is RTCMSG_OK is not sent. */
void row_check_message(rtcmsg_client *client, const rtcmsg_message *message, rtcmsg_code code, const char *field,
                       const char *text);

/* Begins the first group. A later group begins when the previous one ends. */
void row_begin_group(void);

/* Checks that the client can still send, and ends the group. */
void row_end_group(rtcmsg_client *client);

/* Prints the number of rows and the summary, and returns the exit code for main. */
int row_summary(void);

#endif
