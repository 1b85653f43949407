//! The proxy of a request, from the setting `http.proxy`, the variables of the environment and `NO_PROXY`. All of them are read
//! and checked once, when a client is made.
//!
//! The order of the variables and the rules of `NO_PROXY` are those of curl, with these additions: `https_proxy` and
//! `HTTPS_PROXY` also apply to `http://` endpoints, and an entry of `NO_PROXY` may be `*.corp.example`, have a port, or have
//! brackets around an IPv6 address. docs/CONFIGURATION.md describes the same rules.

use std::ffi::OsString;
use std::net::IpAddr;

use http::Uri;

use crate::config::{self, Endpoint, Proxy};
use crate::error::Error;
use crate::util::host::{self, without_brackets};

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
    /// The proxies that the setting `http.proxy` selects for these endpoints. The environment is read only for `env`.
    pub fn new(setting: &str, endpoints: &[&Endpoint], variable: Variable) -> Result<Proxies, Error> {
        match setting {
            "" => Ok(Proxies::default()),
            "env" => Proxies::of_environment(endpoints, variable),
            url => {
                let proxy = Proxy::from_setting(config::HTTP_PROXY.key, url)?;
                Ok(Proxies {
                    for_https: Some(proxy.clone()),
                    for_http: Some(proxy),
                    no_proxy: NoProxy::default(),
                })
            }
        }
    }

    /// A variable that no endpoint needs is not checked, so that it cannot make the client fail.
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

    /// The proxy for requests to this URI; `None` if they go directly to the vendor.
    pub fn of(&self, uri: &Uri) -> Option<&Proxy> {
        let is_https = uri.scheme_str() == Some("https");
        let proxy = if is_https { &self.for_https } else { &self.for_http };
        let is_direct = uri
            .host()
            .is_some_and(|name| self.no_proxy.covers(name, host::port(uri)));
        proxy.as_ref().filter(|_| !is_direct)
    }
}

/// The variables that name the proxy for `https://` endpoints. The first one that is set counts.
const HTTPS_VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// The same for `http://` endpoints. `HTTP_PROXY` is not one of them, since under CGI a client of the web server sets it. curl
/// does not use `https_proxy` and `HTTPS_PROXY` for these endpoints.
const HTTP_VARIABLES: [&str; 5] = ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

fn named_proxy(names: &[&'static str], variable: Variable) -> Result<Option<Proxy>, Error> {
    let Some((name, value)) = first_set(names, variable) else {
        return Ok(None);
    };
    let value = value.into_string().map_err(|_| refused(name, "it is not UTF-8"))?;
    // The value of a variable may lack the scheme.
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

fn refused(variable: &str, why: &str) -> Error {
    let text = format!("{variable} must be http://[user:password@]host[:port]: {why}");
    Error::invalid(config::HTTP_PROXY.key, text)
}

/// The hosts that `NO_PROXY` lists. Requests to them go directly to the vendor.
#[derive(Clone, Debug, Default)]
struct NoProxy(Vec<Exception>);

#[derive(Clone, Debug)]
struct Exception {
    hosts: Hosts,
    /// The port that the entry names; `None` is every port.
    port: Option<u16>,
}

#[derive(Clone, Debug)]
enum Hosts {
    All,
    /// A domain in lower case, with all names below it.
    Domain(String),
    /// The addresses that begin with the same bits as `address`.
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
            let text = format!("{name} must be a list of hosts with commas between them: it is not UTF-8");
            Error::invalid(config::HTTP_PROXY.key, text)
        })?;
        Ok(NoProxy::parse(&list))
    }

    /// Entries are separated by commas or blanks. An invalid entry is ignored. `*` means every host only if the list contains
    /// nothing else, not even a blank.
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

/// The port of an entry, if it has one. An IPv6 address with a port has brackets around it.
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
        // curl ignores `*.corp.example`.
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
    // A prefix of 0 bits means every address of the family.
    let same_prefix = |a: u128, b: u128| (a ^ b).checked_shr(width(host) - bits).unwrap_or(0) == 0;
    match (host, network) {
        (IpAddr::V4(host), IpAddr::V4(network)) => same_prefix(host.to_bits().into(), network.to_bits().into()),
        (IpAddr::V6(host), IpAddr::V6(network)) => same_prefix(host.to_bits(), network.to_bits()),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
