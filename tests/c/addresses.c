// emulator: --no-quota

/* A host name with several addresses. Only the last one is the emulator's. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <rtcmsg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "control.h"
#include "interposed_lookup.h"
#include "fixtures.h"
#include "listener.h"

/* More addresses than ureq keeps. */
#define MANY 20

static void an_address_that_answers_is_found_behind_addresses_that_refuse(void) {
  char url[128];
  rtcmsg_message message = fixture_unicast();
  rtcmsg_client *client;
  check_case("addresses that refuse");
  put_addresses_before(MANY);
  named_emulator_url(url, sizeof url);
  client = fixture_client("volcengine.endpoint", url, NULL);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  rtcmsg_client_free(client);
}

static void require(int is_true, const char *what) {
  if (is_true) return;
  perror(what);
  exit(2);
}

/* A listener on the first address, at the emulator's port. */
static struct listener listener_at_first_address(void) {
  struct listener listener;
  struct sockaddr_in address;
  const char *colon = strrchr(getenv("EMULATOR_URL"), ':');
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
  address.sin_port = htons((unsigned short)atoi(colon + 1));
  listener.url[0] = '\0';
  listener.fd = socket(AF_INET, SOCK_STREAM, 0);
  require(listener.fd >= 0, "socket");
  require(bind(listener.fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
  require(listen(listener.fd, 1) == 0, "listen");
  return listener;
}

static int has_connection(const struct listener *listener) {
  struct pollfd waiting;
  waiting.fd = listener->fd;
  waiting.events = POLLIN;
  return poll(&waiting, 1, 0) == 1;
}

static void an_address_that_did_not_answer_is_not_tried_first_again(void) {
  char url[128];
  rtcmsg_message message = fixture_unicast();
  struct listener silent = listener_at_first_address();
  struct listener_backlog backlog = listener_fill_backlog(&silent);
  rtcmsg_client *client;
  check_case("an address that does not answer");
  put_addresses_before(1);
  named_emulator_url(url, sizeof url);
  /* No connection is kept, so that each send makes one. */
  client = fixture_client("volcengine.endpoint", url, "http.idle_timeout_ms", "0", NULL);
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  listener_empty_backlog(&backlog);
  while (has_connection(&silent)) close(listener_accept(&silent));
  /* The first address would now accept a connection, but send no answer. */
  rtcmsg_report_free(fixture_send(client, &message, RTCMSG_OK));
  CHECK(!has_connection(&silent));
  rtcmsg_client_free(client);
  listener_close(&silent);
}

int main(void) {
  control_post("reset", "%s", "");
  an_address_that_answers_is_found_behind_addresses_that_refuse();
  an_address_that_did_not_answer_is_not_tried_first_again();
  return check_summary();
}
