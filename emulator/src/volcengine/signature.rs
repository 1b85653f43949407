//! The signature of Volcengine, checked over the received request. // VENDORS.md, Signature
//!
//! It follows the vendor's description and shares no code with any client, so that two implementations check each other.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::hex::lower_hex;
use crate::request::{Query, Request};

const ALGORITHM: &str = "HMAC-SHA256";

/// The parts of an `Authorization` header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub access_key: String,
    pub scope: Scope,
    /// In lower case and sorted, in whatever order the request names them.
    pub signed_headers: Vec<String>,
    pub signature: String,
}

/// The credential scope of a signing key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub date: String,
    pub region: String,
    pub service: String,
    pub terminator: String,
}

/// Why an `Authorization` header cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// The scheme is another one, or a part is missing.
    Form,
    /// `Credential` is not `<access key>/<date>/<region>/<service>/request`.
    Credential,
    /// There is no `Signature`.
    Signature,
}

impl Authorization {
    pub fn parse(header: &str) -> Result<Self, Unreadable> {
        let rest = header
            .strip_prefix(ALGORITHM)
            .filter(|rest| rest.starts_with(' '))
            .ok_or(Unreadable::Form)?;
        let part = |name: &str| {
            let mut parts = rest.split(',').filter_map(|part| part.trim().split_once('='));
            parts
                .find(|(candidate, _)| *candidate == name)
                .map(|(_, value)| value)
                .filter(|value| !value.is_empty())
        };
        let (access_key, scope) =
            parse_credential(part("Credential").ok_or(Unreadable::Form)?).ok_or(Unreadable::Credential)?;
        let mut signed_headers: Vec<_> = part("SignedHeaders")
            .ok_or(Unreadable::Form)?
            .split(';')
            .map(str::to_ascii_lowercase)
            .collect();
        signed_headers.sort_unstable();
        let signature = part("Signature").ok_or(Unreadable::Signature)?.to_owned();
        Ok(Self {
            access_key,
            scope,
            signed_headers,
            signature,
        })
    }

    pub fn signs(&self, header: &str) -> bool {
        self.signed_headers.iter().any(|signed| signed == header)
    }
}

/// Splits a credential from its end: everything before the scope is the access key, which may have slashes.
fn parse_credential(credential: &str) -> Option<(String, Scope)> {
    let mut parts = credential.rsplitn(5, '/').map(str::to_owned);
    let terminator = parts.next()?;
    let service = parts.next()?;
    let region = parts.next()?;
    let date = parts.next()?;
    let access_key = parts.next()?;
    Some((
        access_key,
        Scope {
            date,
            region,
            service,
            terminator,
        },
    ))
}

/// The canonical form of a request, or the name of a signed header that the request does not have.
pub(crate) fn canonical_request(request: &Request, signed_headers: &[String]) -> Result<String, String> {
    let mut headers = String::new();
    for name in signed_headers {
        let value = request.header(name).ok_or_else(|| name.clone())?;
        let value = if name == "host" {
            without_default_port(value.trim())
        } else {
            value.trim()
        };
        headers += &format!("{name}:{value}\n");
    }
    let query = canonical_query(&request.query());
    let Request { method, path, body, .. } = request;
    Ok([
        method,
        path,
        &query,
        &headers,
        &signed_headers.join(";"),
        &sha256_hex(body),
    ]
    .map(String::as_str)
    .join("\n"))
}

/// The vendor's signers omit the ports 80 and 443 even if the `Host` header has them.
fn without_default_port(host: &str) -> &str {
    host.strip_suffix(":80")
        .or_else(|| host.strip_suffix(":443"))
        .unwrap_or(host)
}

fn canonical_query(query: &Query) -> String {
    let mut pairs: Vec<_> = query.0.iter().collect();
    pairs.sort_by(|left, right| left.0.cmp(&right.0));
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| escaped(name) + "=" + &escaped(value))
        .collect();
    pairs.join("&")
}

fn escaped(bytes: &[u8]) -> String {
    let escape = |byte: &u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(*byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    bytes.iter().map(escape).collect()
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    lower_hex(&Sha256::digest(bytes))
}

pub(crate) fn signing_key(secret_key: &str, scope: &Scope) -> [u8; 32] {
    let date = hmac_sha256(secret_key.as_bytes(), &scope.date);
    let region = hmac_sha256(&date, &scope.region);
    let service = hmac_sha256(&region, &scope.service);
    hmac_sha256(&service, &scope.terminator)
}

pub(crate) fn signature(signing_key: &[u8; 32], x_date: &str, scope: &Scope, canonical_request: &str) -> String {
    let Scope {
        date,
        region,
        service,
        terminator,
    } = scope;
    let hash = sha256_hex(canonical_request.as_bytes());
    let string_to_sign = format!("{ALGORITHM}\n{x_date}\n{date}/{region}/{service}/{terminator}\n{hash}");
    lower_hex(&hmac_sha256(signing_key, &string_to_sign))
}

fn hmac_sha256(key: &[u8], message: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        secret_key: String,
        region: String,
        service: String,
        x_date: String,
        method: String,
        path: String,
        query: Vec<(String, String)>,
        signed_headers: BTreeMap<String, String>,
        body: String,
        canonical_request_sha256: String,
        signing_key: Option<String>,
        signature: String,
    }

    #[test]
    fn the_vectors_of_the_vendors_signers_are_met() {
        let vectors = include_str!("../../../tests/vectors/volcengine-sign.json");
        let vectors: Vec<Vector> = serde_json::from_str(vectors).unwrap();
        assert!(!vectors.is_empty());
        for vector in vectors {
            let scope = Scope {
                date: vector.x_date[..8].to_owned(),
                region: vector.region,
                service: vector.service,
                terminator: "request".to_owned(),
            };
            let headers = vector.signed_headers.into_iter();
            let query: Vec<_> = vector
                .query
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let request = Request {
                method: vector.method,
                path: vector.path,
                raw_query: query.join("&"),
                headers: headers.map(|(name, value)| (name, Bytes::from(value))).collect(),
                body: Bytes::from(vector.body),
            };
            let names: Vec<_> = request.headers.iter().map(|(name, _)| name.clone()).collect();
            let canonical = canonical_request(&request, &names).unwrap();
            assert_eq!(
                sha256_hex(canonical.as_bytes()),
                vector.canonical_request_sha256,
                "{}",
                vector.name
            );
            let key = signing_key(&vector.secret_key, &scope);
            if let Some(expected) = vector.signing_key {
                assert_eq!(lower_hex(&key), expected, "{}", vector.name);
            }
            assert_eq!(
                signature(&key, &vector.x_date, &scope, &canonical),
                vector.signature,
                "{}",
                vector.name
            );
        }
    }

    #[test]
    fn a_query_is_signed_sorted_by_name_and_escaped_anew() {
        let query = Query::parse("Version=1&b=%7e+&Action=a%2fb&b=%e4%bd%a0");
        assert_eq!(canonical_query(&query), "Action=a%2Fb&Version=1&b=~%20&b=%E4%BD%A0");
    }

    #[test]
    fn the_default_ports_are_not_signed() {
        assert_eq!(without_default_port("a.example:443"), "a.example");
        assert_eq!(without_default_port("a.example:80"), "a.example");
        assert_eq!(without_default_port("a.example:8080"), "a.example:8080");
    }

    #[test]
    fn an_authorization_is_taken_apart() {
        let header =
            "HMAC-SHA256 Credential=AK/x/20260102/cn-north-1/rtc/request, SignedHeaders=x-date;Host, Signature=ab12";
        let authorization = Authorization::parse(header).unwrap();
        assert_eq!(authorization.access_key, "AK/x");
        assert_eq!(authorization.scope.region, "cn-north-1");
        assert_eq!(authorization.signed_headers, ["host", "x-date"]);
        assert_eq!(authorization.signature, "ab12");
    }

    #[test]
    fn an_unreadable_authorization_says_which_part_is_wrong() {
        let table = [
            ("Bearer abc", Unreadable::Form),
            ("HMAC-SHA256 SignedHeaders=host, Signature=ab", Unreadable::Form),
            (
                "HMAC-SHA256 Credential=AK/20260102/rtc/request, SignedHeaders=host, Signature=ab",
                Unreadable::Credential,
            ),
            (
                "HMAC-SHA256 Credential=AK/20260102/r/rtc/request, Signature=ab",
                Unreadable::Form,
            ),
            (
                "HMAC-SHA256 Credential=AK/20260102/r/rtc/request, SignedHeaders=host",
                Unreadable::Signature,
            ),
        ];
        for (header, unreadable) in table {
            assert_eq!(Authorization::parse(header), Err(unreadable), "{header}");
        }
    }
}
