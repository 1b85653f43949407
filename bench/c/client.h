/* An rtcmsg client for the benchmark's server, and the message of a case. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <rtcmsg.h>

#include "harness.h"

/* `settings` are pairs of key and value, ended by NULL; NULL for none. */
rtcmsg_client *client_for(const struct bench *bench, const char *const *settings);
rtcmsg_message client_message(const char *name);

#endif
