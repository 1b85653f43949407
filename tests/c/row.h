/* Rows of bad input: what each of them is held to. */
#ifndef ROW_H
#define ROW_H

#include <rtcmsg.h>

/* Something that is not NULL and that no call may leave in an out-param. */
extern void *const row_untouched;

/* Counts a row, and names it in its failures. */
void row_begin(const char *what);

/* The error is that of `code`, names the field, and has `text` in its sentence. */
void row_check_error(const rtcmsg_error *error, rtcmsg_code actual, rtcmsg_code code, const char *field,
                     const char *text);

/* No connection and no request has reached the emulator since the group began. */
void row_check_no_traffic(void);

/* Check says what it must; send says the same, and gives no report. A message that is RTCMSG_OK is not sent. */
void row_check_message(rtcmsg_client *client, const rtcmsg_message *message, rtcmsg_code code, const char *field,
                       const char *text);

/* The first group begins; later ones begin where the one before ends. */
void row_begin_group(void);

/* The client is still good: it sends. */
void row_end_group(rtcmsg_client *client);

/* Prints the number of rows and the summary, and gives what main returns. */
int row_summary(void);

#endif
