/* Most programs share these: clients with the runner's settings, and sends that check that report and error agree. */
#ifndef FIXTURES_H
#define FIXTURES_H

#include <rtcmsg.h>

/* A configuration from the environment, which the runner has prepared for the emulator. */
rtcmsg_config *fixture_config(void);

/* A client with that configuration and these settings: pairs of key and value, ended by NULL. */
rtcmsg_client *fixture_client(const char *key, ...);

/* Makes a client and frees the configuration. Ends the program if there is no client. */
rtcmsg_client *fixture_client_of(rtcmsg_config *config);

/* Sends, and checks what is true for every accepted message: the code is the expected one, there is a report, and
 * report, error and returned code agree. The caller frees the report. */
rtcmsg_report *fixture_send(rtcmsg_client *client, const rtcmsg_message *message, rtcmsg_code expected);

/* The same for rtcmsg_client_call_action(). */
rtcmsg_report *fixture_call(rtcmsg_client *client, uint32_t vendor, const char *action, const char *version,
                            const char *json, rtcmsg_code expected);

/* Checks that the report of one attempt, its error and its code agree. */
void fixture_check_agreement(const rtcmsg_report *report, const rtcmsg_error *error, rtcmsg_code code);

/* Checks that an error has the values of a success. */
void fixture_check_no_error(const rtcmsg_error *error);

/* A small SendUnicast to alice, which any client of the environment can send. */
rtcmsg_message fixture_unicast(void);

/* Sets the payload of a message to a text. */
void fixture_set_payload(rtcmsg_message *message, const char *text);

#endif
