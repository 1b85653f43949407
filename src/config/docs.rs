//! docs/CONFIGURATION.md, from the table.

use std::fmt::Write;

use super::{Kind, SETTINGS, Setting, variable_of};
use crate::error::grouped;

/// The page as it is checked in; `make check` holds the two together.
pub fn configuration_md() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         Generated from `src/config/mod.rs` by `make header`; do not edit it by hand.\n\n\
         A setting has a key and a text value: `rtcmsg_config_set(config, \"zego.app_id\", \"1234567890\", &error)`. An unknown \
         key or a value out of range is an error that names the key. An empty value resets a key to its default. Keys and \
         defaults are part of the ABI.\n\n\
         `rtcmsg_config_load_env` reads every setting from the environment, under the name in the second column; an empty \
         variable counts as not set. It also reads `VOLC_ACCESSKEY` and `VOLC_SECRETKEY`, the variables of Volcengine's own \
         tools; the variables in the table replace them. A client reads its settings once, in `rtcmsg_client_new`.\n\n\
         A variable that begins like one in the table (`RTCMSG_ZEGO_`) and has an unknown name is an error, with the nearest \
         name in its message. The service links that \
         Kubernetes sets in every pod for a Service whose name begins with `rtcmsg`, such as \
         `RTCMSG_WORKER_SERVICE_HOST=10.0.0.7` and `RTCMSG_WORKER_PORT=tcp://10.0.0.7:80`, are ignored.\n\n\
         A vendor is configured when any of its credentials or app ids is set; then its credentials must be complete.\n\n\
         | key | variable | value | default | meaning |\n|---|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let default = if setting.default.is_empty() {
            "–".to_owned()
        } else {
            format!("`{}`", setting.default)
        };
        let _ = writeln!(
            page,
            "| `{}` | `{}` | {} | {default} | {} |",
            setting.key,
            variable_of(setting),
            value_of(setting),
            setting.doc
        );
    }
    page.push_str(PROXIES);
    page
}

const PROXIES: &str = "
## Proxies

Every request through a proxy uses a tunnel (CONNECT), also a request to an `http://` endpoint; TLS is between the library and the \
vendor. The connection to the proxy itself is not encrypted: proxies that need TLS (`https://`) or SOCKS are not supported. The default \
port is 80. User and password must be percent-encoded, above all `/`, `?`, `#`, `@`, `:` and `%`. The proxy looks up the vendor's name. \
`rtcmsg_client_new` refuses a proxy that it cannot use; the client never connects directly instead.

With a URL in `http.proxy` every request uses that proxy: the client does not read the environment, and ignores `NO_PROXY`.

With `http.proxy` = `env` the client reads these variables when it is created. The first one that is set and not empty counts. A \
value may omit `http://`.

| endpoint | variables |
|---|---|
| `https://` | `https_proxy`, `HTTPS_PROXY`, `all_proxy`, `ALL_PROXY` |
| `http://` | `http_proxy`, and then the same; not `HTTP_PROXY`, which a client of a web server can set under CGI |

The order is curl's, with one addition: curl does not use `https_proxy` and `HTTPS_PROXY` for `http://` addresses.

`no_proxy`, or else `NO_PROXY`, lists the hosts that the client connects to directly, as for curl: entries are separated by commas or blanks, \
and case does not count. The client reads it only if one of the variables above names a proxy. Unlike in curl, which ignores such entries, an \
entry may be `*.corp.example`, have a port, or have brackets around an IPv6 address.

| entry | direct connections |
|---|---|
| `corp.example`, `.corp.example`, `*.corp.example` | that host and every name below it |
| `10.1.2.3`, `2001:db8::1`, `[2001:db8::1]` | that address, if the endpoint is an address |
| `10.0.0.0/8`, `2001:db8::/32` | the addresses of that network, if the endpoint is an address |
| one of the first two and `:8443`; an IPv6 address in brackets | the same, only on that port |
| `*`, as the whole list | every host |

Other entries are ignored. The client does not look up a name to compare it with addresses.
";

fn value_of(setting: &Setting) -> String {
    match setting.kind {
        Kind::Text => "text".to_owned(),
        Kind::Ascii => "text, ASCII".to_owned(),
        Kind::Secret => "text, ASCII, secret".to_owned(),
        Kind::FixedSecret(length) => format!("{length} characters, ASCII, secret"),
        Kind::Integer { min, max, unit } => format!("{} to {} {unit}", grouped(min), grouped(max))
            .trim_end()
            .to_owned(),
        Kind::Choice(words) => words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", "),
        Kind::Endpoints => "URL: scheme, host, port".to_owned(),
    }
}
