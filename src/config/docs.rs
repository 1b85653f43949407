//! docs/CONFIGURATION.md, from the table.

use std::fmt::Write;

use super::names::variable_of;
use super::settings::{Kind, SETTINGS, Setting};
use crate::error::grouped;

/// The page as it is checked in; `make check` holds the two together.
pub fn configuration_md() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         Generated from `src/config/settings.rs` by `make header`; not to be edited by hand.\n\n\
         Settings are text by key: `rtcmsg_config_set(config, \"zego.app_id\", \"1234567890\", &error)`. An unknown key or a value \
         out of range is an error that names the key. An empty value sets a key back to its default. Keys and defaults are part \
         of the ABI.\n\n\
         `rtcmsg_config_load_env` takes every setting from the environment, under the name in the second column; an empty \
         variable counts as not set. The variables `VOLC_ACCESSKEY` and `VOLC_SECRETKEY` of Volcengine's own tools are taken \
         too, and give way to ours. A client reads its settings once, in `rtcmsg_client_new`.\n\n\
         An unknown variable that begins like one of ours is an error, with the nearest name in its text. The service links that \
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

Every request behind a proxy goes through a tunnel (CONNECT), also one to an `http://` endpoint; TLS is between the library and the \
vendor. The connection to the proxy itself is plain: proxies that are reached by TLS (`https://`) or SOCKS are not supported. Without a \
port it is 80. User and password are percent-encoded, above all `/`, `?`, `#`, `@`, `:` and `%`. The proxy looks up the vendor's name. \
A URL that cannot be used is refused by `rtcmsg_config_set`, and a variable of the environment by `rtcmsg_client_new`: the library never \
falls back to a direct connection.

With a URL in `http.proxy` every request goes through that proxy: the environment is not read, and `NO_PROXY` does not count.

With `http.proxy` = `env` these variables count when the client is made, the first that is set and not empty; the others are not looked at. A \
value may leave `http://` out.

| endpoint | variables |
|---|---|
| `https://` | `https_proxy`, `HTTPS_PROXY`, `all_proxy`, `ALL_PROXY` |
| `http://` | `http_proxy`, and then the same; not `HTTP_PROXY`, which a client of a web server sets under CGI |

The order is curl's, but for one addition: curl does not use `https_proxy` and `HTTPS_PROXY` for `http://` addresses.

`no_proxy` or else `NO_PROXY` lists the hosts that are reached directly, as for curl: entries are separated by commas or blanks, and the case of \
letters does not count. It is read only if one of the variables above names a proxy. Beyond curl an entry may be `*.corp.example`, have a \
port, or have brackets around an IPv6 address; curl passes these over.

| entry | reached directly |
|---|---|
| `corp.example`, `.corp.example`, `*.corp.example` | that host and every name below it |
| `10.1.2.3`, `2001:db8::1`, `[2001:db8::1]` | that address, where the endpoint is given as an address |
| `10.0.0.0/8`, `2001:db8::/32` | the addresses of that network, where the endpoint is given as an address |
| one of the first two and `:8443`; an IPv6 address in brackets | the same on that port alone |
| `*`, as the whole list | every host |

An entry that is none of these is passed over. A name is not looked up to compare it with addresses.
";

fn value_of(setting: &Setting) -> String {
    match setting.kind {
        Kind::Text => "text".to_owned(),
        Kind::Ascii => "text, ASCII".to_owned(),
        Kind::Secret => "text, ASCII, secret".to_owned(),
        Kind::Proxy => "URL or `env`, secret".to_owned(),
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
