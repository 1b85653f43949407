/* Invalid settings are refused when they are set or loaded, or when the client is made. */
#include <rtcmsg.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "fixtures.h"
#include "row.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define INVALID RTCMSG_ERR_INVALID_ARGUMENT
#define NOT_CONFIGURED RTCMSG_ERR_NOT_CONFIGURED

static char text_of_4096[4097];
static char text_of_4097[4098];
static char key_of_10000[10001];

static void fill_the_texts(void) {
  memset(text_of_4096, 'x', sizeof text_of_4096 - 1);
  memset(text_of_4097, 'x', sizeof text_of_4097 - 1);
  memset(key_of_10000, 'k', sizeof key_of_10000 - 1);
}

struct setting {
  const char *key;
  const char *value;
  rtcmsg_code code;
  const char *field;
  const char *text;
};

#define PROXY_URL(value, text) {"http.proxy", value, INVALID, "http.proxy", text}
#define ENDPOINT(value, text) {"volcengine.endpoint", value, INVALID, "volcengine.endpoint", text}

static const struct setting settings[] = {
    {"zego.appid", "1", INVALID, "zego.appid", "did you mean zego.app_id?"},
    {"", "1", INVALID, "", "unknown setting \"\""},
    {"volcengine", "1", INVALID, "volcengine", "unknown setting"},
    {"zego.app_id.", "1", INVALID, "zego.app_id.", "did you mean zego.app_id?"},
    {" zego.app_id", "1", INVALID, " zego.app_id", "did you mean zego.app_id?"},
    {"line\nbreak", "1", INVALID, "line\\nbreak", "unknown setting"},
    {"zego.app_id\xFF", "1", INVALID, "key", "not UTF-8 at byte 11"},
    {"zego.app_id", "\xFF", INVALID, "value", "not UTF-8 at byte 0"},
    {key_of_10000, "1", INVALID, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", "unknown setting"},
    {"zego.app_id", "x", INVALID, "zego.app_id", "a whole number from 1 to 4,294,967,295"},
    {"zego.app_id", "0", INVALID, "zego.app_id", "from 1"},
    {"zego.app_id", "-1", INVALID, "zego.app_id", "from 1"},
    {"zego.app_id", "+1", INVALID, "zego.app_id", "\"+1\" is not"},
    {"zego.app_id", " 1", INVALID, "zego.app_id", "whole number"},
    {"zego.app_id", "1 ", INVALID, "zego.app_id", "whole number"},
    {"zego.app_id", "1.0", INVALID, "zego.app_id", "whole number"},
    {"zego.app_id", "1e3", INVALID, "zego.app_id", "whole number"},
    {"zego.app_id", "0x10", INVALID, "zego.app_id", "whole number"},
    {"zego.app_id", "\xD9\xA1", INVALID, "zego.app_id", "whole number"},
    {"zego.app_id", "4294967296", INVALID, "zego.app_id", "4,294,967,295"},
    {"zego.app_id", "4294967295", RTCMSG_OK, "", ""},
    {"volcengine.im_app_id", "0", INVALID, "volcengine.im_app_id", "from 1"},
    {"volcengine.im_app_id", "9223372036854775807", RTCMSG_OK, "", ""},
    {"volcengine.im_app_id", "9223372036854775808", INVALID, "volcengine.im_app_id", "9,223,372,036,854,775,807"},
    {"http.timeout_ms", "0", INVALID, "http.timeout_ms", "from 1 to 86,400,000 ms"},
    {"http.timeout_ms", "1", RTCMSG_OK, "", ""},
    {"http.timeout_ms", "86400000", RTCMSG_OK, "", ""},
    {"http.timeout_ms", "86400001", INVALID, "http.timeout_ms", "86,400,000 ms"},
    {"http.max_idle_connections", "0", INVALID, "http.max_idle_connections", "10,000"},
    {"http.max_idle_connections", "10001", INVALID, "http.max_idle_connections", "10,000"},
    {"http.idle_timeout_ms", "3600001", INVALID, "http.idle_timeout_ms", "3,600,000"},
    {"http.max_connection_age_ms", "999", INVALID, "http.max_connection_age_ms", "1,000"},
    {"http.dns_ttl_ms", "86400001", INVALID, "http.dns_ttl_ms", "86,400,000"},
    {"volcengine.p2p_max_content", "0", INVALID, "volcengine.p2p_max_content", "16,777,216 bytes"},
    {"volcengine.p2p_max_users", "100001", INVALID, "volcengine.p2p_max_users", "100,000 users"},
    {"zego.max_id_length", "1025", INVALID, "zego.max_id_length", "1,024 bytes"},
    {"volcengine.rtc_version", "2021-01-01", INVALID, "volcengine.rtc_version", "2020-12-01, 2023-07-20"},
    {"volcengine.payload_limit_counts", "encoded", INVALID, "volcengine.payload_limit_counts", "decoded, base64"},
    {"zego.payload_limit_counts", "base64", INVALID, "zego.payload_limit_counts", "decoded, encoded"},
    {"zego.is_test", "yes", INVALID, "zego.is_test", "omit, false, true"},
    {"http.allow_plaintext", "TRUE", INVALID, "http.allow_plaintext", "false, true"},
    {"http.allow_plaintext", "1", INVALID, "http.allow_plaintext", "false, true"},
    {"volcengine.rtc_app_id", text_of_4096, RTCMSG_OK, "", ""},
    {"volcengine.rtc_app_id", text_of_4097, INVALID, "volcengine.rtc_app_id", "4,097 bytes long; at most 4,096"},
    {"volcengine.secret_key", text_of_4097, INVALID, "volcengine.secret_key", "4,096"},
    {"volcengine.access_key", "AK\n", INVALID, "volcengine.access_key", "control character"},
    {"volcengine.access_key", "AK\x7F", INVALID, "volcengine.access_key", "control character"},
    {"volcengine.access_key", " AK", INVALID, "volcengine.access_key", "space"},
    {"volcengine.access_key", "AK ", INVALID, "volcengine.access_key", "space"},
    {"volcengine.session_token", "STS\r\nX-Injected: 1", INVALID, "volcengine.session_token", "control character"},
    {"zego.server_secret", "a\tb", INVALID, "zego.server_secret", "control character"},
    {"zego.server_secret", "short", INVALID, "zego.server_secret", "5 characters, but it must have 32"},
    {"zego.server_secret", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", INVALID,
     "zego.server_secret", "64 characters, but it must have 32"},
    ENDPOINT("rtc.volcengineapi.com", "https://"),
    ENDPOINT("not a url", "is not a URL"),
    ENDPOINT("ftp://example.com", "https:// or http://"),
    ENDPOINT("https://", ""),
    ENDPOINT("https://:443", ""),
    ENDPOINT("https://host/path", "after the host"),
    ENDPOINT("https://host//", "after the host"),
    ENDPOINT("https://host?x=1", "after the host"),
    ENDPOINT("https://host#fragment", ""),
    ENDPOINT("https://host:0", "port 0"),
    ENDPOINT("https://host:99999", "1 to 65535"),
    ENDPOINT("https://host:", "1 to 65535"),
    ENDPOINT("https://host:port", ""),
    ENDPOINT("https://ho st", "is not a URL"),
    ENDPOINT("https://host\n", ""),
    ENDPOINT("https://[::1", ""),
    ENDPOINT("https://[]", ""),
    ENDPOINT("https://ho\\st", ""),
    ENDPOINT("https://user:password@host", "must not contain a user name"),
    ENDPOINT("/", ""),
    ENDPOINT("*", ""),
    ENDPOINT(text_of_4097, "4,096"),
    {"zego.endpoint", "zego", INVALID, "zego.endpoint", "https://"},
    PROXY_URL("socks5://127.0.0.1:1", "host[:port]"),
    PROXY_URL("127.0.0.1:3128", "host[:port]"),
    PROXY_URL("http://", "host[:port]"),
    PROXY_URL("http://proxy:99999", "host[:port]"),
    PROXY_URL("https://proxy:3128", "not supported"),
    PROXY_URL("http://corpuser:77/34SECRET@proxy:3128", "percent-encoded"),
    PROXY_URL("http://localhost:9/rest@proxy:3128", "percent-encoded"),
    PROXY_URL("http://localhost:9?rest@proxy:3128", "percent-encoded"),
    PROXY_URL("http://localhost:9#rest@proxy:3128", "percent-encoded"),
};

static void invalid_settings(rtcmsg_client *client) {
  size_t i;
  for (i = 0; i < COUNT(settings); i++) {
    const struct setting *row = &settings[i];
    rtcmsg_config *config = rtcmsg_config_new();
    rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
    char what[128];
    snprintf(what, sizeof what, "%.60s = %.60s", row->key, row->value);
    row_begin(what);
    row_check_error(&error, rtcmsg_config_set(config, row->key, row->value, &error), row->code, row->field, row->text);
    row_check_no_traffic();
    rtcmsg_config_free(config);
  }
  row_end_group(client);
}

static const struct setting variables[] = {
    {"RTCMSG_ZEGO_APPID", "1", INVALID, "RTCMSG_ZEGO_APPID", "did you mean RTCMSG_ZEGO_APP_ID?"},
    {"RTCMSG_TLS_CERT", "x", INVALID, "RTCMSG_TLS_CERT", "unknown setting"},
    {"RTCMSG_ZEGO_IS_TEST", "maybe", INVALID, "zego.is_test", "omit, false, true"},
    {"RTCMSG_ZEGO_ENDPOINT", "zego", INVALID, "zego.endpoint", "https://"},
    {"RTCMSG_HTTP_PROXY", "\xFF", INVALID, "http.proxy", "RTCMSG_HTTP_PROXY is not UTF-8"},
    {"VOLC_ACCESSKEY", "\xFF", INVALID, "volcengine.access_key", "VOLC_ACCESSKEY is not UTF-8"},
    {"VOLC_SECRETKEY", "a\nb", INVALID, "volcengine.secret_key", "control character"},
};

static void invalid_variables(rtcmsg_client *client) {
  size_t i;
  for (i = 0; i < COUNT(variables); i++) {
    const struct setting *row = &variables[i];
    rtcmsg_config *config = rtcmsg_config_new();
    rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
    const char *before = getenv(row->key);
    char kept[256];
    snprintf(kept, sizeof kept, "%s", before ? before : "");
    row_begin(row->key);
    setenv(row->key, row->value, 1);
    row_check_error(&error, rtcmsg_config_load_env(config, &error), row->code, row->field, row->text);
    if (before)
      setenv(row->key, kept, 1);
    else
      unsetenv(row->key);
    row_check_no_traffic();
    rtcmsg_config_free(config);
  }
  row_end_group(client);
}

/* A client that is made with only these settings. */
struct candidates {
  const char *what;
  const char *pairs[6][2];
  rtcmsg_code code;
  const char *field;
  const char *text;
};

#define ZEGO_KEYS {"zego.app_id", "1"}, {"zego.server_secret", "0123456789abcdef0123456789abcdef"}
#define VOLCENGINE_KEYS {"volcengine.access_key", "a"}, {"volcengine.secret_key", "s"}
#define CA(name)                       \
  {                                    \
    ZEGO_KEYS, { "tls.ca_file", name } \
  }
#define PROXY(value)                   \
  {                                    \
    ZEGO_KEYS, { "http.proxy", value } \
  }
#define ZEGO_AT(value)                    \
  {                                       \
    ZEGO_KEYS, { "zego.endpoint", value } \
  }

static const struct candidates candidates[] = {
    {"no setting", {{NULL, NULL}}, NOT_CONFIGURED, "", "no vendor is configured"},
    {"no credentials", {{"http.timeout_ms", "5"}}, NOT_CONFIGURED, "", "zego.app_id and zego.server_secret"},
    {"only the access key", {{"volcengine.access_key", "a"}}, NOT_CONFIGURED, "volcengine.secret_key", "not set"},
    {"only the secret key", {{"volcengine.secret_key", "s"}}, NOT_CONFIGURED, "volcengine.access_key", "not set"},
    {"only the token", {{"volcengine.session_token", "t"}}, NOT_CONFIGURED, "volcengine.access_key", "not set"},
    {"only the RTC app", {{"volcengine.rtc_app_id", "x"}}, NOT_CONFIGURED, "volcengine.access_key", "not set"},
    {"only the IM app", {{"volcengine.im_app_id", "1"}}, NOT_CONFIGURED, "volcengine.access_key", "not set"},
    {"only the ZEGO app", {{"zego.app_id", "1"}}, NOT_CONFIGURED, "zego.server_secret", "not set"},
    {"only the server secret",
     {{"zego.server_secret", "0123456789abcdef0123456789abcdef"}},
     NOT_CONFIGURED,
     "zego.app_id",
     "not set"},
    {"one vendor complete and one incomplete",
     {ZEGO_KEYS, {"volcengine.access_key", "a"}},
     NOT_CONFIGURED,
     "volcengine.secret_key",
     "not set"},
    {"exchanged keys",
     {{"volcengine.access_key", "WkR0b2tlbg=="}, {"volcengine.secret_key", "AKLTYWJj"}},
     INVALID,
     "volcengine.secret_key",
     "seem to be exchanged"},
    {"exchanged temporary keys",
     {{"volcengine.access_key", "WkR0b2tlbg=="}, {"volcengine.secret_key", "AKTPYWJj"}},
     INVALID,
     "volcengine.secret_key",
     "seem to be exchanged"},
    {"ZEGO", {ZEGO_KEYS}, RTCMSG_OK, "", ""},
    {"Volcengine without apps", {VOLCENGINE_KEYS}, RTCMSG_OK, "", ""},
    {"plain HTTP by address", ZEGO_AT("http://192.0.2.1"), INVALID, "zego.endpoint", "not encrypted"},
    {"plain HTTP by name", ZEGO_AT("http://example.com:8080"), INVALID, "zego.endpoint", "http.allow_plaintext"},
    {"plain HTTP to all addresses", ZEGO_AT("http://0.0.0.0:80"), INVALID, "zego.endpoint", "not on this machine"},
    {"a name that begins like loopback", ZEGO_AT("http://localhost.example.com"), INVALID, "zego.endpoint", "https://"},
    {"a name that ends like loopback", ZEGO_AT("http://example.localhost.com"), INVALID, "zego.endpoint", "https://"},
    {"an address in a name", ZEGO_AT("http://127.0.0.1.example.com"), INVALID, "zego.endpoint", "https://"},
    {"plain HTTP by IPv6", ZEGO_AT("http://[2001:db8::1]"), INVALID, "zego.endpoint", "https://"},
    {"plain HTTP for Volcengine",
     {VOLCENGINE_KEYS, {"volcengine.endpoint", "http://rtc.volcengineapi.com"}},
     INVALID,
     "volcengine.endpoint",
     "http.allow_plaintext"},
    {"plain HTTP allowed",
     {ZEGO_KEYS, {"zego.endpoint", "http://192.0.2.1"}, {"http.allow_plaintext", "true"}},
     RTCMSG_OK,
     "",
     ""},
    {"loopback by address", ZEGO_AT("http://127.1.2.3:80"), RTCMSG_OK, "", ""},
    {"loopback by IPv6", ZEGO_AT("http://[::1]:80"), RTCMSG_OK, "", ""},
    {"loopback by name", ZEGO_AT("http://LocalHost"), RTCMSG_OK, "", ""},
    {"proxy of the environment", PROXY("env"), RTCMSG_OK, "", ""},
    {"CA file that is missing", CA("missing.pem"), INVALID, "tls.ca_file", "missing.pem"},
    {"CA file that is a directory", CA("."), INVALID, "tls.ca_file", ".: "},
    {"CA file that is empty", CA("empty.pem"), INVALID, "tls.ca_file", "no certificate"},
    {"CA file that is text", CA("text.pem"), INVALID, "tls.ca_file", "no certificate"},
    {"CA file that is not base64", CA("broken.pem"), INVALID, "tls.ca_file", "PEM"},
    {"CA file that ends early", CA("cut.pem"), INVALID, "tls.ca_file", "PEM"},
    {"CA file with only a key", CA("key.pem"), INVALID, "tls.ca_file", "no certificate"},
    {"CA file with an invalid certificate", CA("hollow.pem"), INVALID, "tls.ca_file", "hollow.pem"},
    {"CA file for Volcengine",
     {VOLCENGINE_KEYS, {"tls.ca_file", "missing.pem"}},
     INVALID,
     "tls.ca_file",
     "missing.pem"},
};

static void write_file(const char *name, const char *text) {
  FILE *file = fopen(name, "wb");
  REQUIRE(file != NULL);
  REQUIRE(fputs(text, file) >= 0);
  REQUIRE(fclose(file) == 0);
}

static void write_ca_files(void) {
  write_file("empty.pem", "");
  write_file("text.pem", "hello\n");
  write_file("broken.pem", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
  write_file("cut.pem", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n");
  write_file("key.pem", "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n");
  write_file("hollow.pem", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n");
}

static void invalid_configurations(rtcmsg_client *client) {
  size_t i;
  size_t k;
  for (i = 0; i < COUNT(candidates); i++) {
    const struct candidates *row = &candidates[i];
    rtcmsg_config *config = rtcmsg_config_new();
    rtcmsg_error error = RTCMSG_INIT(rtcmsg_error);
    rtcmsg_client *made = row_untouched;
    row_begin(row->what);
    for (k = 0; row->pairs[k][0]; k++)
      CHECK_CODE(rtcmsg_config_set(config, row->pairs[k][0], row->pairs[k][1], NULL), RTCMSG_OK);
    row_check_error(&error, rtcmsg_client_new(config, &made, &error), row->code, row->field, row->text);
    CHECK_INT(made != NULL, row->code == RTCMSG_OK);
    row_check_no_traffic();
    rtcmsg_client_free(made);
    rtcmsg_config_free(config);
  }
  row_end_group(client);
}

int main(void) {
  rtcmsg_client *client = fixture_client(NULL);
  fill_the_texts();
  write_ca_files();
  row_begin_group();
  invalid_settings(client);
  invalid_variables(client);
  invalid_configurations(client);
  rtcmsg_client_free(client);
  return row_summary();
}
