/* What most programs share: clients from the runner's settings, and sends whose report and error must agree. */
#ifndef FIXTURES_H
#define FIXTURES_H

#include <rtcmsg.h>

/* A configuration from the environment, which the runner has set up for the emulator. */
rtcmsg_config *fixture_config(void);

/* A client of that configuration, changed by pairs of key and value up to a NULL. */
rtcmsg_client *fixture_client(const char *key, ...);

/* Frees the configuration, and ends the program if it makes no client. */
rtcmsg_client *fixture_client_of(rtcmsg_config *config);

/* Sends and checks what holds for every message that is taken in: the code is the expected one, the report is there,
 * and report, error and returned code say the same. The report is the caller's. */
rtcmsg_report *fixture_send(rtcmsg_client *client, const rtcmsg_message *message, rtcmsg_code expected);

/* The same for rtcmsg_client_call_action(). */
rtcmsg_report *fixture_call(rtcmsg_client *client, uint32_t vendor, const char *action, const char *version,
                            const char *json, rtcmsg_code expected);

/* Checks that the report of one attempt, its error and its code agree. */
void fixture_check_agreement(const rtcmsg_report *report, const rtcmsg_error *error, rtcmsg_code code);

/* Checks that an error is that of a success. */
void fixture_check_no_error(const rtcmsg_error *error);

/* A small SendUnicast to alice, which any client of the environment can send. */
rtcmsg_message fixture_unicast(void);

/* Puts a text into a message. */
void fixture_set_payload(rtcmsg_message *message, const char *text);

#endif
