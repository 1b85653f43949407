//! Where a vendor is reached: scheme, host and port, parsed once.

use std::net::{IpAddr, Ipv6Addr};

use http::Uri;

use super::quote::quoted;
use crate::error::Error;
use crate::util::host::{default_port, without_brackets};

/// `scheme://host[:port]`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    tls: bool,
    host: String,
    port: u16,
}

impl Endpoint {
    /// A list separated by commas, each with the region behind its `@`, if it has one.
    pub fn parse_list(key: &'static str, text: &str) -> Result<Vec<(Endpoint, Option<String>)>, Error> {
        let one = |item: &str| {
            let item = item.trim();
            match item.rsplit_once('@') {
                Some((url, region)) if is_region(region) => {
                    // Not repeated in the text: it may have been meant as a user and his password.
                    let endpoint = Endpoint::parse(key, url)
                        .map_err(|_| Error::invalid(key, format!("what stands before @{region} is no https://host")))?;
                    Ok((endpoint, Some(region.to_owned())))
                }
                _ => Ok((Endpoint::parse(key, item)?, None)),
            }
        };
        text.split(',').map(one).collect()
    }

    pub fn parse(key: &'static str, text: &str) -> Result<Endpoint, Error> {
        if text.contains('@') {
            // Not repeated in the text: what stands before the @ may be a password.
            return Err(Error::invalid(key, "an endpoint takes no user name and no password"));
        }
        let refuse = |why: &str| Error::invalid(key, format!("{} {why}", quoted(text)));
        if text.contains('#') {
            return Err(refuse("has a fragment"));
        }
        let uri: Uri = text
            .parse()
            .map_err(|_| refuse("is no URL: write https://host or https://host:port"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(refuse("does not begin with https:// or http://")),
        };
        let authority = uri.authority().ok_or_else(|| refuse("has no host"))?;
        if uri.path() != "/" && !uri.path().is_empty() || uri.query().is_some() {
            return Err(refuse(
                "has something behind the host: an endpoint is https://host or https://host:port",
            ));
        }
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        if host.is_empty() || host == "[]" {
            return Err(refuse("has no host"));
        }
        if !is_host(&host) {
            return Err(refuse("has a host that is neither a name nor an address"));
        }
        let behind_host = &authority.as_str()[authority.host().len()..];
        let named_port = !behind_host.is_empty();
        if named_port && !behind_host.starts_with(':') {
            return Err(refuse("has something between host and port"));
        }
        let port = match uri.port_u16() {
            Some(0) => return Err(refuse("has port 0")),
            Some(port) => port,
            None if named_port => return Err(refuse("has a port that is not from 1 to 65535")),
            None => default_port(tls),
        };
        Ok(Endpoint { tls, host, port })
    }

    /// What every URL of this endpoint begins with, without the `/` of the path.
    pub fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        match self.port {
            port if port == default_port(self.tls) => format!("{scheme}://{}", self.host),
            port => format!("{scheme}://{}:{port}", self.host),
        }
    }

    /// The Host header as the vendor signs it: the port is left out for 80 and 443 alone. VENDORS.md, Signature.
    pub fn host_header(&self) -> String {
        match self.port {
            80 | 443 => self.host.clone(),
            port => format!("{}:{port}", self.host),
        }
    }

    /// A name in lower case or an address; that of IPv6 stands in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn is_plaintext(&self) -> bool {
        !self.tls
    }

    pub fn is_loopback(&self) -> bool {
        match without_brackets(&self.host).parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host == "localhost",
        }
    }
}

/// As `cn-north-1`: no dot and no port, so that `user:password@host` is not taken for one.
fn is_region(text: &str) -> bool {
    text.contains('-') && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_host(text: &str) -> bool {
    match text.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Endpoint, Error> {
        Endpoint::parse("zego.endpoint", text)
    }

    #[test]
    fn an_endpoint_is_scheme_host_and_port() {
        for (text, origin, host) in [
            (
                "https://rtc.volcengineapi.com",
                "https://rtc.volcengineapi.com",
                "rtc.volcengineapi.com",
            ),
            (
                "https://rtc.volcengineapi.com:443/",
                "https://rtc.volcengineapi.com",
                "rtc.volcengineapi.com",
            ),
            ("http://127.0.0.1:8089", "http://127.0.0.1:8089", "127.0.0.1:8089"),
            ("http://[::1]:8089", "http://[::1]:8089", "[::1]:8089"),
            ("http://LOCALHOST", "http://localhost", "localhost"),
            ("https://example.com:80", "https://example.com:80", "example.com"),
        ] {
            let endpoint = parse(text).unwrap();
            assert_eq!(
                (endpoint.origin().as_str(), endpoint.host_header().as_str()),
                (origin, host),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_by_name() {
        for text in [
            "",
            "rtc.volcengineapi.com",
            "ftp://example.com",
            "https://",
            "https://:443",
            "https://host/path",
            "https://host?x=1",
            "https://host:0",
            "https://host:99999",
            "https://host:",
            "https://ho st",
            "not a url",
            "http://[::1",
            "/",
            "*",
            "https://host#fragment",
            "https://202[::1]3-07:1",
            "https://[::1]x:1",
            "https://a,b",
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.field, "zego.endpoint", "{text}");
        }
    }

    #[test]
    fn a_list_names_hosts_and_their_regions() {
        let list = Endpoint::parse_list("k", "https://a.example@cn-north-1, https://b.example:8443@ap-1").unwrap();
        let named: Vec<_> = list
            .iter()
            .map(|(endpoint, region)| (endpoint.origin(), region.as_deref()))
            .collect();
        assert_eq!(
            named,
            [
                ("https://a.example".to_owned(), Some("cn-north-1")),
                ("https://b.example:8443".to_owned(), Some("ap-1")),
            ]
        );
        for text in [
            "https://a.example,",
            ",",
            "https://a.example,nonsense",
            "https://a.example@cn_1",
            "https://a.example@",
        ] {
            Endpoint::parse_list("k", text).expect_err(text);
        }
        let error = Endpoint::parse_list("k", "https://user:hunter2@my-host").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn a_password_in_an_endpoint_is_refused_and_not_repeated() {
        let error = parse("https://user:hunter2@example.com").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn loopback_is_known_by_address_and_by_name() {
        for (text, loopback) in [
            ("http://127.0.0.1:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:1", true),
            ("http://localhost:1", true),
            ("http://localhost.example.com", false),
            ("http://192.168.0.1", false),
        ] {
            assert_eq!(parse(text).unwrap().is_loopback(), loopback, "{text}");
        }
    }
}
