//! Hosts and ports of URLs.

use http::Uri;

/// The host of a URL without the brackets that enclose an IPv6 address.
pub(crate) fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

/// The port of a URL that names none.
pub(crate) fn default_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

/// The port that a request to this URL goes to.
pub(crate) fn port(uri: &Uri) -> u16 {
    let is_https = uri.scheme_str() == Some("https");
    uri.port_u16().unwrap_or_else(|| default_port(is_https))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pair_of_brackets_is_removed() {
        for (host, expected) in [
            ("[::1]", "::1"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::1", "[::1"),
            ("a.example", "a.example"),
        ] {
            assert_eq!(without_brackets(host), expected);
        }
    }

    #[test]
    fn a_url_without_a_port_has_that_of_its_scheme() {
        for (uri, expected) in [
            ("https://a.example/x", 443),
            ("http://a.example", 80),
            ("http://[::1]:8089", 8089),
            ("https://a.example:80", 80),
        ] {
            assert_eq!(port(&Uri::from_static(uri)), expected, "{uri}");
        }
    }
}
