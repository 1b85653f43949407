//! The URL of a proxy, checked once: `http.proxy` is refused where it is set.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;

use super::endpoint::Endpoint;
use super::settings::{HTTP_PROXY, MAX_TEXT};
use crate::error::Error;
use crate::secret::Secret;

/// A CONNECT proxy, reached by plain HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    host: String,
    port: u16,
    /// The value of `Proxy-Authorization`, if the proxy has a user.
    authorization: Option<Secret>,
}

impl Proxy {
    /// Reads a value of the setting `http.proxy` that is a URL. An error names `field`.
    pub fn from_setting(field: &'static str, url: &str) -> Result<Proxy, Error> {
        Proxy::parse(url).map_err(|why| {
            let text = format!("must be env or http://[user:password@]host[:port]: {why}");
            Error::invalid(field, text)
        })
    }

    /// Parses `http://[user[:password]@]host[:port]`. The text may contain a password, so the error repeats no part of it.
    pub fn parse(url: &str) -> Result<Proxy, &'static str> {
        if url.len() > MAX_TEXT {
            return Err("it is longer than 4,096 bytes");
        }
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it contains a blank, a control character or a character outside ASCII");
        }
        let (scheme, rest) = url.split_once("://").ok_or("it does not begin with http://")?;
        check_scheme(scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, behind) = rest.split_at(end);
        if behind.contains('@') {
            return Err("its user or password contains / or ? or #, which must be percent-encoded");
        }
        if !matches!(behind, "" | "/") {
            return Err("it has text after the host");
        }
        let (user_and_password, address) = match authority.rsplit_once('@') {
            Some((user_and_password, address)) => (user_and_password, address),
            None => ("", authority),
        };
        let endpoint = Endpoint::parse(HTTP_PROXY.key, &format!("http://{address}"))
            .map_err(|_| "its host or port is not valid")?;
        Ok(Proxy {
            host: endpoint.host().to_owned(),
            port: endpoint.port(),
            authorization: authorization(user_and_password)?,
        })
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of `Proxy-Authorization`.
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_ref().map(Secret::expose)
    }
}

fn check_scheme(scheme: &str) -> Result<(), &'static str> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Ok(()),
        "https" => Err("a proxy that is reached by TLS (https://) is not supported"),
        scheme if scheme.starts_with("socks") => Err("a SOCKS proxy is not supported"),
        _ => Err("its scheme is not supported"),
    }
}

/// The value of `Proxy-Authorization` for `user[:password]`, both percent-encoded: RFC 7617.
fn authorization(user_and_password: &str) -> Result<Option<Secret>, &'static str> {
    if user_and_password.is_empty() {
        return Ok(None);
    }
    let (user, password) = user_and_password.split_once(':').unwrap_or((user_and_password, ""));
    let user = decoded(user)?;
    if user.contains(&b':') {
        return Err("its user contains a colon, which Basic authentication does not allow");
    }
    let mut plain = user;
    plain.push(b':');
    plain.extend(decoded(password)?);
    let value = format!("Basic {}", BASE64_STANDARD.encode(&plain));
    drop(zeroize::Zeroizing::new(plain));
    Ok(Some(Secret::new(value)))
}

fn decoded(text: &str) -> Result<Vec<u8>, &'static str> {
    let is_encoding = |behind: &str| {
        let digits = behind.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_encoding) {
        return Err("its user or password has a % without two hexadecimal digits: write %25 for a % itself");
    }
    Ok(percent_decode_str(text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_proxy_is_refused_and_its_password_is_not_repeated() {
        for (url, why) in [
            ("http://corpuser:77/34SECRET@proxy:3128", "percent-encoded"),
            ("http://localhost:9/SECRET@proxy:3128", "percent-encoded"),
            ("http://localhost:9?SECRET@proxy:3128", "percent-encoded"),
            ("http://localhost:9#SECRET@proxy:3128", "percent-encoded"),
            ("http://user:SECRET/@proxy:3128", "percent-encoded"),
            ("http://user:SECRET %@proxy:3128", "blank"),
            ("http://user:SECRET%4@proxy:3128", "%25"),
            ("http://user:SECRET%zz@proxy:3128", "%25"),
            ("http://user%3ASECRET:x@proxy:3128", "colon"),
            ("http://user:SECRET\u{e9}@proxy:3128", "ASCII"),
            ("https://user:SECRET@proxy:3128", "https://"),
            ("socks5://user:SECRET@proxy:3128", "SOCKS"),
            ("SECRET://user:SECRET@proxy:3128", "scheme"),
            ("user:SECRET@proxy:3128", "http://"),
            ("http://user:SECRET@", "host or port"),
            ("http://user:SECRET@proxy:SECRET", "host or port"),
            ("http://user:SECRET@proxy:0", "host or port"),
            ("http://user:SECRET@proxy:3128/SECRET", "after the host"),
            ("http://proxy:3128/?SECRET", "after the host"),
            (&format!("http://{}@proxy", "SECRET".repeat(700)), "4,096"),
        ] {
            let error = Proxy::from_setting("http.proxy", url).expect_err(url);
            assert_eq!(error.field, "http.proxy");
            assert!(error.message.contains(why), "{url}: {error}");
            assert!(!error.message.contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn user_and_password_are_decoded_once() {
        let authorization = |url: &str| {
            let proxy = Proxy::parse(url).unwrap();
            assert!(!format!("{proxy:?}").contains("Basic"));
            proxy.authorization().map(str::to_owned)
        };
        for (user_and_password, plain) in [
            ("user:pass@", "user:pass"),
            ("corpuser:77%2F34%40%25%3A@", "corpuser:77/34@%:"),
            ("user:a+b%2520:c@", "user:a+b%20:c"),
            ("user:p@ss@", "user:p@ss"),
            ("user@", "user:"),
            (":pass@", ":pass"),
            ("%E4%BD%A0:%ff@", "\u{4f60}:\u{fffd}"),
        ] {
            let value = authorization(&format!("http://{user_and_password}proxy:3128")).unwrap();
            let sent = BASE64_STANDARD.decode(value.strip_prefix("Basic ").unwrap()).unwrap();
            assert_eq!(String::from_utf8_lossy(&sent), plain);
        }
        assert_eq!(authorization("http://proxy"), None);
        assert_eq!(authorization("http://@proxy"), None);
    }
}
