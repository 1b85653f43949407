//! The signature of Volcengine's API: HMAC-SHA256 over a canonical request, like AWS V4 without its "AWS4" prefix.
//! VENDORS.md, Signature. Pure functions of request, credentials and time; held to the vendor's own signers by vectors.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use time::UtcDateTime;

use crate::percent;
use crate::secret::Secret;

/// What is signed. Header names are in lower case and sorted, values trimmed.
pub struct Signable<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// As [`canonical_query`] makes it, and as it stands in the URL.
    pub query: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body_sha256: &'a str,
}

/// What a signature is good for: a day, a region, a service.
pub struct Scope<'a> {
    /// `YYYYMMDDTHHMMSSZ`.
    pub x_date: &'a str,
    pub region: &'a str,
    pub service: &'a str,
}

impl Signable<'_> {
    pub fn canonical_request(&self) -> String {
        let headers: String = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        // `headers` ends in a line feed of its own, so an empty line stands before the names.
        [
            self.method,
            self.path,
            self.query,
            &headers,
            &self.signed_headers(),
            self.body_sha256,
        ]
        .join("\n")
    }

    fn signed_headers(&self) -> String {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        names.join(";")
    }

    pub fn signature(&self, secret_key: &Secret, scope: &Scope) -> String {
        let canonical = sha256_hex(self.canonical_request().as_bytes());
        let string_to_sign = ["HMAC-SHA256", scope.x_date, &scope.text(), &canonical].join("\n");
        hex(&hmac(&scope.signing_key(secret_key), &string_to_sign))
    }

    /// The value of the Authorization header.
    pub fn authorization(&self, access_key: &str, secret_key: &Secret, scope: &Scope) -> String {
        format!(
            "HMAC-SHA256 Credential={access_key}/{}, SignedHeaders={}, Signature={}",
            scope.text(),
            self.signed_headers(),
            self.signature(secret_key, scope)
        )
    }
}

impl Scope<'_> {
    fn date(&self) -> &str {
        self.x_date.get(..8).unwrap_or(self.x_date)
    }

    fn text(&self) -> String {
        format!("{}/{}/{}/request", self.date(), self.region, self.service)
    }

    /// The key of the day. The secret key looks like base64 but is used as it is.
    pub fn signing_key(&self, secret_key: &Secret) -> [u8; 32] {
        let date = hmac(secret_key.expose().as_bytes(), self.date());
        let region = hmac(&date, self.region);
        let service = hmac(&region, self.service);
        hmac(&service, "request")
    }
}

/// Percent-encoded, sorted by name.
pub fn canonical_query(pairs: &[(&str, &str)]) -> String {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    percent::query(sorted)
}

/// `YYYYMMDDTHHMMSSZ`.
pub fn x_date(now: UtcDateTime) -> String {
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        now.year(),
        u8::from(now.month()),
        now.day(),
        now.hour(),
        now.minute(),
        now.second()
    )
}

pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}
