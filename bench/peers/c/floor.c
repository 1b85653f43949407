/* The floor: ready-made bytes to a socket, the answer read to its end, nothing else. BENCH_REQUEST names the bytes. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

struct connection {
  int socket;
  SSL *tls;
  char *request;
  size_t request_len;
  char answer[16384];
};

static SSL_CTX *context;
static pthread_once_t context_once = PTHREAD_ONCE_INIT;
static const char *ca_file;

static void make_context(void) {
  context = SSL_CTX_new(TLS_client_method());
  if (SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1) bench_fail(ca_file, "no CA file");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
}

static void *open_connection(const struct bench *bench) {
  struct connection *connection = bench_alloc(sizeof *connection);
  connection->request = bench_file(getenv("BENCH_REQUEST"), &connection->request_len);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)bench->port)};
  inet_pton(AF_INET, bench->host, &address.sin_addr);
  connection->socket = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(connection->socket, (struct sockaddr *)&address, sizeof address) != 0)
    bench_fail(bench->url, "no connection");
  int on = 1;
  setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (bench->is_tls) {
    ca_file = bench->ca;
    pthread_once(&context_once, make_context);
    connection->tls = SSL_new(context);
    SSL_set_fd(connection->tls, connection->socket);
    if (SSL_connect(connection->tls) != 1) bench_fail(bench->url, "no TLS");
  }
  return connection;
}

static int write_all(struct connection *connection) {
  size_t done = 0;
  while (done < connection->request_len) {
    const char *rest = connection->request + done;
    size_t left = connection->request_len - done;
    long wrote = connection->tls ? SSL_write(connection->tls, rest, (int)left) : write(connection->socket, rest, left);
    if (wrote <= 0) return -1;
    done += (size_t)wrote;
  }
  return 0;
}

static int exchange(void *state) {
  struct connection *connection = state;
  if (write_all(connection) != 0) return -1;
  size_t have = 0, whole = 0;
  while (whole == 0 || have < whole) {
    char *end = connection->answer + have;
    size_t room = sizeof connection->answer - 1 - have;
    long got = connection->tls ? SSL_read(connection->tls, end, (int)room) : read(connection->socket, end, room);
    if (got <= 0) return -1;
    have += (size_t)got;
    connection->answer[have] = 0;
    char *body = whole == 0 ? strstr(connection->answer, "\r\n\r\n") : NULL;
    char *length = body ? strstr(connection->answer, "Content-Length: ") : NULL;
    if (length != NULL) whole = (size_t)(body + 4 - connection->answer) + strtoul(length + 16, NULL, 10);
  }
  return memcmp(connection->answer, "HTTP/1.1 200", 12);
}

static void close_connection(void *state) {
  struct connection *connection = state;
  if (connection->tls) SSL_free(connection->tls);
  close(connection->socket);
}

int main(int argc, char **argv) {
  struct bench bench = bench_arguments(argc, argv);
  struct bench_subject subject = {open_connection, exchange, close_connection};
  return bench_run(&bench, &subject);
}
