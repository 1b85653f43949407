//! Which proxy a request goes through: the setting `http.proxy`, the variables of the environment, and `NO_PROXY`. All of
//! it is read and checked once, when a client is made; the result of that check is what connections use.
//!
//! The order of the variables and the rules of `NO_PROXY` are those of curl, and beyond curl: `https_proxy` and `HTTPS_PROXY`
//! serve `http://` endpoints, too, and an entry of `NO_PROXY` may be `*.corp.example`, have a port, or have brackets around an
//! IPv6 address. docs/CONFIGURATION.md says so, too.

use std::ffi::OsString;
use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Uri;
use percent_encoding::percent_decode_str;

use crate::config::{self, Endpoint};
use crate::error::Error;
use crate::secret::Secret;
use crate::util::host::{self, without_brackets};

/// A CONNECT proxy, reached by plain HTTP.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    host: String,
    port: u16,
    /// The value of `Proxy-Authorization`, if the proxy has a user.
    authorization: Option<Secret>,
}

impl Proxy {
    /// Reads `http://[user[:password]@]host[:port]`. The text may hold a password, so the reason of a refusal repeats
    /// nothing of it.
    fn parse(url: &str) -> Result<Proxy, &'static str> {
        if url.len() > MAX_URL {
            return Err("it is longer than 4,096 bytes");
        }
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it has a blank, a control character or a character outside ASCII");
        }
        let (scheme, rest) = url.split_once("://").ok_or("it does not begin with http://")?;
        check_scheme(scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, behind) = rest.split_at(end);
        if behind.contains('@') {
            return Err("its user or password has one of / ? #, which have to be percent-encoded");
        }
        if !matches!(behind, "" | "/") {
            return Err("it has something behind the host");
        }
        let (user_and_password, address) = match authority.rsplit_once('@') {
            Some((user_and_password, address)) => (user_and_password, address),
            None => ("", authority),
        };
        let endpoint = Endpoint::parse(config::HTTP_PROXY.key, &format!("http://{address}"))
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

/// The longest value of a setting, which holds for a variable too.
const MAX_URL: usize = 4096;

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
        return Err("its user has a colon, which Basic authentication cannot express");
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
        return Err("its user or password has a % without two hexadecimal digits: a % itself is written %25");
    }
    Ok(percent_decode_str(text).collect())
}

/// The proxies of a client, by the scheme of the endpoint.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies {
    for_https: Option<Proxy>,
    for_http: Option<Proxy>,
    no_proxy: NoProxy,
}

/// The value of an environment variable, if it is set.
type Variable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl Proxies {
    /// What `http.proxy` says, for these endpoints. The environment is read only if the setting says `env`.
    pub fn new(setting: &str, endpoints: &[&Endpoint], variable: Variable) -> Result<Proxies, Error> {
        match setting {
            "" => Ok(Proxies::default()),
            "env" => Proxies::of_environment(endpoints, variable),
            url => {
                let proxy = Proxy::parse(url).map_err(|why| refused("", why))?;
                Ok(Proxies {
                    for_https: Some(proxy.clone()),
                    for_http: Some(proxy),
                    no_proxy: NoProxy::default(),
                })
            }
        }
    }

    /// A variable that no endpoint needs is not looked at, so that it cannot stop a client.
    fn of_environment(endpoints: &[&Endpoint], variable: Variable) -> Result<Proxies, Error> {
        let names_proxy = |names: &[&'static str], plaintext: bool| {
            let mut of_scheme = endpoints.iter().filter(|endpoint| endpoint.is_plaintext() == plaintext);
            of_scheme.next().is_some() && first_set(names, variable).is_some()
        };
        let no_proxy = match names_proxy(&HTTPS_VARIABLES, false) || names_proxy(&HTTP_VARIABLES, true) {
            true => NoProxy::of_environment(variable)?,
            false => NoProxy::default(),
        };
        let needs_proxy = |plaintext: bool| {
            endpoints.iter().any(|endpoint| {
                endpoint.is_plaintext() == plaintext && !no_proxy.covers(endpoint.host(), endpoint.port())
            })
        };
        let named = |names: &[&'static str], is_needed: bool| match is_needed {
            true => named_proxy(names, variable),
            false => Ok(None),
        };
        Ok(Proxies {
            for_https: named(&HTTPS_VARIABLES, needs_proxy(false))?,
            for_http: named(&HTTP_VARIABLES, needs_proxy(true))?,
            no_proxy,
        })
    }

    /// The proxy for requests to this URI; `None` if they go directly.
    pub fn of(&self, uri: &Uri) -> Option<&Proxy> {
        let is_https = uri.scheme_str() == Some("https");
        let proxy = if is_https { &self.for_https } else { &self.for_http };
        let is_direct = uri
            .host()
            .is_some_and(|name| self.no_proxy.covers(name, host::port(uri)));
        proxy.as_ref().filter(|_| !is_direct)
    }
}

/// The first of these that is set says which proxy serves `https://` endpoints.
const HTTPS_VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// The same for `http://` endpoints. `HTTP_PROXY` is not among them: under CGI a client of the web server sets it. For curl
/// `https_proxy` and `HTTPS_PROXY` are not among them either.
const HTTP_VARIABLES: [&str; 5] = ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

fn named_proxy(names: &[&'static str], variable: Variable) -> Result<Option<Proxy>, Error> {
    let Some((name, value)) = first_set(names, variable) else {
        return Ok(None);
    };
    let value = value.into_string().map_err(|_| refused(name, "it is not UTF-8"))?;
    // A variable may leave the scheme out.
    let url = match value.contains("://") {
        true => value,
        false => format!("http://{value}"),
    };
    Proxy::parse(&url).map(Some).map_err(|why| refused(name, why))
}

/// The first of these variables that is set and not empty, with its name.
fn first_set(names: &[&'static str], variable: Variable) -> Option<(&'static str, OsString)> {
    names.iter().find_map(|name| {
        let value = variable(name).filter(|value| !value.is_empty())?;
        Some((*name, value))
    })
}

/// `variable` is empty if the setting itself is refused.
fn refused(variable: &str, why: &str) -> Error {
    let text = match variable {
        "" => format!("takes http://[user:password@]host[:port] or env: {why}"),
        variable => format!("{variable} takes http://[user:password@]host[:port]: {why}"),
    };
    Error::invalid(config::HTTP_PROXY.key, text)
}

/// The hosts that are reached directly, as `NO_PROXY` lists them.
#[derive(Clone, Debug, Default)]
struct NoProxy(Vec<Exception>);

#[derive(Clone, Debug)]
struct Exception {
    hosts: Hosts,
    /// The one port that is meant; `None` is every port.
    port: Option<u16>,
}

#[derive(Clone, Debug)]
enum Hosts {
    All,
    /// A domain in lower case, with everything below it.
    Domain(String),
    /// The addresses that begin with the same bits.
    Network {
        address: IpAddr,
        bits: u32,
    },
}

impl NoProxy {
    fn of_environment(variable: Variable) -> Result<NoProxy, Error> {
        let Some((name, list)) = first_set(&["no_proxy", "NO_PROXY"], variable) else {
            return Ok(NoProxy::default());
        };
        let list = list.into_string().map_err(|_| {
            let text =
                format!("{name} takes the hosts that are reached directly, with commas between them: it is not UTF-8");
            Error::invalid(config::HTTP_PROXY.key, text)
        })?;
        Ok(NoProxy::parse(&list))
    }

    /// Entries are separated by commas or blanks. What cannot be read as an entry covers nothing. `*` is every host only if
    /// nothing else is in the list, not even a blank.
    fn parse(list: &str) -> NoProxy {
        if list == "*" {
            let every_host = Exception {
                hosts: Hosts::All,
                port: None,
            };
            return NoProxy(vec![every_host]);
        }
        let entries = list.split(|c: char| c == ',' || c.is_whitespace());
        NoProxy(entries.filter_map(Exception::parse).collect())
    }

    fn covers(&self, host: &str, port: u16) -> bool {
        let host = without_brackets(host);
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let is_covered =
            |exception: &Exception| exception.port.is_none_or(|only| only == port) && exception.hosts.contain(&host);
        self.0.iter().any(is_covered)
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Exception> {
        let (host, port) = split_port(entry)?;
        Some(Exception {
            hosts: Hosts::parse(without_brackets(host))?,
            port,
        })
    }
}

/// A bare IPv6 address has colons and no port: with a port it stands in brackets.
fn split_port(entry: &str) -> Option<(&str, Option<u16>)> {
    let is_bare_ipv6 = !entry.starts_with('[') && entry.matches(':').count() > 1;
    match entry.rsplit_once(':') {
        Some((host, port)) if !is_bare_ipv6 && !port.ends_with(']') => Some((host, Some(port.parse().ok()?))),
        _ => Some((entry, None)),
    }
}

impl Hosts {
    fn parse(entry: &str) -> Option<Hosts> {
        if let Some((address, bits)) = entry.split_once('/') {
            let (address, bits) = (without_brackets(address).parse().ok()?, bits.parse().ok()?);
            return (bits <= width(&address)).then_some(Hosts::Network { address, bits });
        }
        if let Ok(address) = entry.parse() {
            let bits = width(&address);
            return Some(Hosts::Network { address, bits });
        }
        // For curl `*.corp.example` covers nothing.
        let domain = entry.strip_prefix("*.").or(entry.strip_prefix('.')).unwrap_or(entry);
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        (!domain.is_empty() && !domain.contains('*')).then(|| Hosts::Domain(domain.to_ascii_lowercase()))
    }

    /// `host` is in lower case, without brackets and without the dot of a full name.
    fn contain(&self, host: &str) -> bool {
        match (self, host.parse::<IpAddr>()) {
            (Hosts::All, _) => true,
            (Hosts::Domain(domain), Err(_)) => host
                .strip_suffix(domain.as_str())
                .is_some_and(|before| before.is_empty() || before.ends_with('.')),
            (Hosts::Network { address, bits }, Ok(host)) => is_in_network(&host, address, *bits),
            (Hosts::Domain(_), Ok(_)) | (Hosts::Network { .. }, Err(_)) => false,
        }
    }
}

fn width(address: &IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn is_in_network(host: &IpAddr, network: &IpAddr, bits: u32) -> bool {
    // A shift by the whole width is of no bit: then every address of the family is meant.
    let same_prefix = |a: u128, b: u128| (a ^ b).checked_shr(width(host) - bits).unwrap_or(0) == 0;
    match (host, network) {
        (IpAddr::V4(host), IpAddr::V4(network)) => same_prefix(host.to_bits().into(), network.to_bits().into()),
        (IpAddr::V6(host), IpAddr::V6(network)) => same_prefix(host.to_bits(), network.to_bits()),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
