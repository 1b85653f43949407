use super::*;

const A: &str = "http://127.0.0.1:3128";

/// The route of a request.
#[derive(Debug, PartialEq)]
enum Route {
    Direct,
    Proxy(&'static str),
    /// The client cannot be made: the error contains this text.
    Refused(&'static str),
}

use Route::{Direct, Refused};

/// Variables, an endpoint, and the route of its requests.
type Row<'a> = (&'a [(&'a str, &'a str)], &'a str, Route);

fn environment(variables: &[(&str, &str)], endpoint: &str) -> Result<Option<String>, Error> {
    let variable = |name: &str| {
        let set = variables.iter().find(|(known, _)| *known == name);
        set.map(|(_, value)| OsString::from(value))
    };
    let endpoint = Endpoint::parse("zego.endpoint", endpoint).unwrap();
    let proxies = Proxies::new("env", &[&endpoint], &variable)?;
    let uri = format!("{}/?Action=x", endpoint.origin()).parse().unwrap();
    Ok(proxies
        .of(&uri)
        .map(|proxy| format!("{}:{}", proxy.host(), proxy.port())))
}

fn check(variables: &[(&str, &str)], endpoint: &str, expected: &Route) {
    let found = environment(variables, endpoint);
    match (&found, expected) {
        (Ok(None), Direct) => {}
        (Ok(Some(proxy)), Route::Proxy(expected)) if proxy == expected => {}
        (Err(error), Refused(text)) if error.message.contains(text) => {
            assert_eq!(error.field, "http.proxy", "{error}");
            assert!(!error.message.contains("ss word"), "{error}");
        }
        _ => panic!("{variables:?} {endpoint}: {found:?} instead of {expected:?}"),
    }
}

#[test]
fn the_variables_say_which_proxy_it_is() {
    const HTTPS: &str = "https://vendor.test";
    const HTTP: &str = "http://vendor.test";
    const B: &str = "http://127.0.0.2:3128";
    let through_a = || Route::Proxy("127.0.0.1:3128");
    let through_b = || Route::Proxy("127.0.0.2:3128");
    #[rustfmt::skip]
    let rows: &[Row] = &[
        // Desktop tools set variables like these: the specific one counts, and the general one is ignored.
        (&[("https_proxy", A), ("http_proxy", A), ("all_proxy", "socks5://127.0.0.1:1")], HTTPS, through_a()),
        (&[("https_proxy", A), ("http_proxy", A), ("all_proxy", "socks5://127.0.0.1:1")], HTTP, through_a()),
        (&[("https_proxy", A), ("http_proxy", A), ("all_proxy", "socks4://127.0.0.1:1")], HTTPS, through_a()),
        (&[("https_proxy", A), ("http_proxy", A), ("all_proxy", "socks://127.0.0.1:1")], HTTPS, through_a()),
        // A proxy that cannot be used is never ignored.
        (&[("all_proxy", "socks5h://127.0.0.1:1")], HTTPS, Refused("all_proxy must be http://[user:password@]host[:port]: a SOCKS")),
        (&[("HTTPS_PROXY", "socks5://127.0.0.1:1"), ("ALL_PROXY", A)], HTTPS, Refused("HTTPS_PROXY must be")),
        (&[("HTTPS_PROXY", "https://127.0.0.1:1")], HTTPS, Refused("by TLS (https://) is not supported")),
        (&[("HTTPS_PROXY", "ftp://127.0.0.1:1")], HTTPS, Refused("scheme is not supported")),
        (&[("HTTPS_PROXY", "http://u:p@ss word@h:1")], HTTPS, Refused("HTTPS_PROXY must be http://[user:password@]host[:port]: it contains a blank")),
        (&[("HTTPS_PROXY", " ")], HTTPS, Refused("it contains a blank")),
        (&[("HTTPS_PROXY", "http://")], HTTPS, Refused("host or port")),
        // The specific variable counts first, and the name in lower case before that in capitals, as in curl. An empty one is not set.
        (&[("HTTPS_PROXY", A), ("ALL_PROXY", B)], HTTPS, through_a()),
        (&[("HTTPS_PROXY", A), ("all_proxy", B)], HTTPS, through_a()),
        (&[("https_proxy", A), ("HTTPS_PROXY", B)], HTTPS, through_a()),
        (&[("all_proxy", A), ("ALL_PROXY", B)], HTTPS, through_a()),
        (&[("https_proxy", ""), ("HTTPS_PROXY", ""), ("ALL_PROXY", A)], HTTPS, through_a()),
        (&[("https_proxy", "")], HTTPS, Direct),
        (&[], HTTPS, Direct),
        // For http:// endpoints.
        (&[("http_proxy", A), ("HTTPS_PROXY", B)], HTTP, through_a()),
        (&[("http_proxy", A), ("HTTPS_PROXY", B)], HTTPS, through_b()),
        (&[("http_proxy", A)], HTTPS, Direct),
        (&[("HTTPS_PROXY", A), ("ALL_PROXY", B)], HTTP, through_a()),
        (&[("ALL_PROXY", A)], HTTP, through_a()),
        (&[("HTTP_PROXY", A)], HTTP, Direct),
        (&[("HTTP_PROXY", A)], HTTPS, Direct),
        (&[("http_proxy", A), ("HTTPS_PROXY", "socks5://127.0.0.1:1")], HTTP, through_a()),
        // The value of a variable may lack the scheme.
        (&[("HTTPS_PROXY", "127.0.0.1:3128")], HTTPS, through_a()),
        (&[("HTTPS_PROXY", "user:p%40ss@127.0.0.1:3128")], HTTPS, through_a()),
        (&[("HTTPS_PROXY", "HTTP://127.0.0.1:3128/")], HTTPS, through_a()),
        // If no request uses a proxy, the variables are not checked.
        (&[("HTTPS_PROXY", "socks5://127.0.0.1:1"), ("NO_PROXY", "vendor.test")], HTTPS, Direct),
    ];
    for (variables, endpoint, expected) in rows {
        check(variables, endpoint, expected);
    }
}

#[test]
fn no_proxy_follows_the_rules_of_curl_and_takes_stars_before_domains_and_ports_too() {
    let through = || Route::Proxy("127.0.0.1:3128");
    #[rustfmt::skip]
    let rows: &[(&str, &str, Route)] = &[
        ("corp.test", "https://a.corp.test", Direct),
        ("corp.test", "https://corp.test", Direct),
        (".corp.test", "https://corp.test", Direct),
        (".corp.test", "https://b.a.corp.test", Direct),
        ("*.corp.test", "https://a.corp.test", Direct),
        ("CORP.test.", "https://A.Corp.TEST", Direct),
        ("corp.test", "https://a.corp.test.", Direct),
        ("corp.test", "https://acorp.test", through()),
        ("corp.test", "https://corp.test.example", through()),
        ("corp.test", "https://a-corp.test", through()),
        ("a.corp.test", "https://corp.test", through()),
        ("*", "https://vendor.test", Direct),
        ("x, *", "https://vendor.test", through()),
        ("*,", "https://vendor.test", through()),
        (" *", "https://vendor.test", through()),
        ("*:443", "https://vendor.test", through()),
        ("*corp.test", "https://a.corp.test", through()),
        ("x, localhost", "https://localhost", Direct),
        ("x localhost", "https://localhost", Direct),
        ("  x\t,,localhost , ", "https://localhost", Direct),
        ("x, localhost", "https://vendor.test", through()),
        ("", "https://localhost", through()),
        (" , ,", "https://localhost", through()),
        (".", "https://localhost", through()),
        ("corp.test:443", "https://a.corp.test", Direct),
        ("corp.test:8443", "https://a.corp.test:8443", Direct),
        ("corp.test:8443", "https://a.corp.test", through()),
        ("corp.test:x", "https://corp.test", through()),
        ("corp.test:80", "http://corp.test", Direct),
        ("10.0.0.0/8", "https://10.1.2.3", Direct),
        ("10.0.0.0/8", "https://11.1.2.3", through()),
        ("10.0.0.0/8", "https://name10.0.0.test", through()),
        ("0.0.0.0/0", "https://11.1.2.3", Direct),
        ("0.0.0.0/0", "https://[2001:db8::1]", through()),
        ("10.1.2.3", "https://10.1.2.3", Direct),
        ("10.1.2.3/32", "https://10.1.2.3", Direct),
        ("10.1.2.3/32", "https://10.1.2.2", through()),
        ("10.1.2.3/33", "https://10.1.2.3", through()),
        ("10.1.2.3/", "https://10.1.2.3", through()),
        ("10.1.2.3:443", "https://10.1.2.3", Direct),
        ("10.1.2.3:444", "https://10.1.2.3", through()),
        ("2.3", "https://10.1.2.3", through()),
        ("172.16.0.0/12", "https://172.31.255.255", Direct),
        ("172.16.0.0/12", "https://172.32.0.0", through()),
        ("2001:db8::1", "https://[2001:db8::1]", Direct),
        ("[2001:db8::1]", "https://[2001:db8::1]", Direct),
        ("[2001:db8::1]:443", "https://[2001:db8::1]", Direct),
        ("[2001:db8::1]:444", "https://[2001:db8::1]", through()),
        ("2001:db8::/32", "https://[2001:db8:1::1]", Direct),
        ("2001:db8::/32", "https://[2001:db9::1]", through()),
        ("::/0", "https://[2001:db9::1]", Direct),
        ("2001:db8::/129", "https://[2001:db8::1]", through()),
    ];
    for (list, endpoint, expected) in rows {
        check(&[("HTTPS_PROXY", A), ("NO_PROXY", list)], endpoint, expected);
    }
    check(
        &[("ALL_PROXY", A), ("no_proxy", "localhost"), ("NO_PROXY", "vendor.test")],
        "https://vendor.test",
        &through(),
    );
}

fn of_setting(url: &str) -> Result<Proxies, Error> {
    let nothing_is_read = |name: &str| panic!("{name} is read");
    Proxies::new(url, &[], &nothing_is_read)
}

#[test]
fn a_setting_serves_every_endpoint_and_needs_no_environment() {
    let proxies = of_setting("http://[2001:db8::1]").unwrap();
    for uri in ["https://vendor.test", "http://localhost:8089", "https://10.0.0.1"] {
        let proxy = proxies.of(&uri.parse().unwrap()).expect(uri);
        assert_eq!((proxy.host(), proxy.port()), ("[2001:db8::1]", 80));
    }
    assert!(
        of_setting("")
            .unwrap()
            .of(&Uri::from_static("https://vendor.test"))
            .is_none()
    );
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let variable = |name: &str| (name == "HTTPS_PROXY").then(|| OsString::from_vec(vec![0xff]));
    let endpoint = Endpoint::parse("zego.endpoint", "https://vendor.test").unwrap();
    let error = Proxies::new("env", &[&endpoint], &variable).unwrap_err();
    assert!(
        error.message.contains("HTTPS_PROXY") && error.message.contains("UTF-8"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn a_list_that_is_not_utf_8_is_refused_by_its_own_text_and_only_if_a_proxy_is_named() {
    use std::os::unix::ffi::OsStringExt;
    for list in ["no_proxy", "NO_PROXY"] {
        for (proxy, endpoint, is_refused) in [
            ("", "https://vendor.test", false),
            ("HTTPS_PROXY", "https://vendor.test", true),
            ("HTTPS_PROXY", "http://vendor.test", true),
            ("http_proxy", "https://vendor.test", false),
            ("http_proxy", "http://vendor.test", true),
        ] {
            let variable = |name: &str| match name {
                name if name == list => Some(OsString::from_vec(vec![0xff])),
                name if name == proxy => Some(OsString::from(A)),
                _ => None,
            };
            let endpoint = Endpoint::parse("zego.endpoint", endpoint).unwrap();
            let refused = Proxies::new("env", &[&endpoint], &variable).err();
            assert_eq!(refused.is_some(), is_refused, "{proxy} {list}");
            let expected = format!("{list} must be a list of hosts");
            assert!(refused.is_none_or(|error| error.message.starts_with(&expected)));
        }
    }
}
