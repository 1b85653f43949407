//! The signature of Volcengine's API: HMAC-SHA256 over a canonical request, like AWS Signature Version 4 without its "AWS4"
//! prefix. VENDORS.md, Signature. All functions are pure; test vectors from the vendor's own signers check them.
//!
//! What stays the same is hashed once: a [`RequestPrefix`] for an action at a host, a [`SigningKey`] for a day. The canonical
//! request is never built as one text. Its pieces go into the hash one after the other, without an allocation.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use time::UtcDateTime;
use zeroize::Zeroizing;

use super::midstate::{Hasher, Midstate};
use crate::secret::Secret;
use crate::util::ascii::Ascii;
use crate::util::percent;

/// The hash of a canonical request up to the first value that differs between requests, and the texts between these values.
///
/// The names of headers are in lower case and sorted; values have no spaces around them.
#[derive(Clone)]
pub struct RequestPrefix {
    hash: Midstate,
    /// The text before each varying value except the first, for example `\nx-date:`.
    separators: Vec<String>,
    /// The list of headers in a canonical request: `content-type;host;x-date`.
    signed_headers: String,
    /// The text between the last value and the hash of the body.
    suffix: String,
}

impl RequestPrefix {
    /// `fixed` are the first headers with their values, `varying` the names of the others. There is at least one varying
    /// header, since X-Date changes. `query` comes from [`canonical_query`], and is the same as in the URL.
    pub fn new(method: &str, path: &str, query: &str, fixed: &[(&str, &str)], varying: &[&str]) -> RequestPrefix {
        let mut text = format!("{method}\n{path}\n{query}\n");
        for (name, value) in fixed {
            text += &format!("{name}:{value}\n");
        }
        let (first, others) = varying.split_first().expect("at least one header varies");
        text += &format!("{first}:");
        let names: Vec<&str> = fixed.iter().map(|(name, _)| name).chain(varying).copied().collect();
        let signed_headers = names.join(";");
        RequestPrefix {
            hash: Midstate::new(text.as_bytes()),
            separators: others.iter().map(|name| format!("\n{name}:")).collect(),
            // This ends the line of the last header, and adds an empty line.
            suffix: format!("\n\n{signed_headers}\n"),
            signed_headers,
        }
    }

    /// The hash of the whole canonical request. `values` are those of the varying headers.
    pub fn canonical_sha256(&self, values: &[&str], body_sha256: &str) -> Ascii<64> {
        debug_assert_eq!(values.len(), self.separators.len() + 1);
        // All but a request with a session token fit into one pass.
        let mut hasher = self.hash.hasher::<7>();
        let before = std::iter::once("").chain(self.separators.iter().map(String::as_str));
        for (before, value) in before.zip(values) {
            hasher.update(before.as_bytes());
            hasher.update(value.as_bytes());
        }
        hasher.update(self.suffix.as_bytes());
        hasher.update(body_sha256.as_bytes());
        Ascii::hex(&hasher.finalize())
    }

    /// The value of the Authorization header. `x_date` is the value of the header of that name.
    pub fn authorization(
        &self,
        access_key: &str,
        key: &SigningKey,
        x_date: &str,
        values: &[&str],
        body_sha256: &str,
    ) -> String {
        let signature = key.signature(x_date, &self.canonical_sha256(values, body_sha256));
        // The capacity is the exact length, so that the header value needs no copy.
        [
            "HMAC-SHA256 Credential=",
            access_key,
            "/",
            key.scope(),
            ", SignedHeaders=",
            &self.signed_headers,
            ", Signature=",
            &signature,
        ]
        .concat()
    }
}

/// The key for signatures of one day, region and service.
///
/// It is stored as the two hash states with which HMAC begins, which saves a third of the work for such short texts. The states
/// are wiped when dropped, since they can sign for the rest of the day.
pub struct SigningKey {
    /// `YYYYMMDD/region/service/request` as a line, with the line break before it.
    scope_line: String,
    /// This state includes the first line of the string to sign, which is always the same.
    inner: Midstate,
    outer: Midstate,
}

impl SigningKey {
    /// `date` is `YYYYMMDD`. The secret key looks like base64, but its bytes are used without decoding.
    pub fn new(secret_key: &Secret, date: &str, region: &str, service: &str) -> SigningKey {
        let mut key = Zeroizing::new(secret_key.expose().as_bytes().to_vec());
        for text in [date, region, service, "request"] {
            let mut hmac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
            hmac.update(text.as_bytes());
            key = Zeroizing::new(hmac.finalize().into_bytes().to_vec());
        }
        // RFC 2104: a key that is shorter than a block is padded with zeros, and is hashed first.
        let keyed = |pad: u8| {
            // The vector has room for what is added below, since a vector that grows leaves a copy in memory.
            let mut block = Zeroizing::new(Vec::with_capacity(128));
            block.resize(64, pad);
            block.iter_mut().zip(&*key).for_each(|(byte, key)| *byte ^= key);
            block
        };
        let mut beginning = keyed(0x36);
        beginning.extend_from_slice(b"HMAC-SHA256\n");
        SigningKey {
            scope_line: format!("\n{date}/{region}/{service}/request\n"),
            inner: Midstate::new(&beginning),
            outer: Midstate::new(&keyed(0x5c)),
        }
    }

    /// Whether this is the key of that day, region and service.
    pub fn is_for(&self, date: &str, region: &str, service: &str) -> bool {
        let mut rest = Some(self.scope());
        for part in [date, "/", region, "/", service] {
            rest = rest.and_then(|rest| rest.strip_prefix(part));
        }
        rest == Some("/request")
    }

    pub fn is_of_day(&self, date: &str) -> bool {
        self.scope().split('/').next() == Some(date)
    }

    fn scope(&self) -> &str {
        self.scope_line.trim_matches('\n')
    }

    /// The signature of the hash of a canonical request. `x_date` is a time of this day: `YYYYMMDDTHHMMSSZ`.
    pub fn signature(&self, x_date: &str, canonical_sha256: &str) -> Ascii<64> {
        let mut inner = self.inner.hasher::<4>();
        for piece in [x_date, &self.scope_line, canonical_sha256] {
            inner.update(piece.as_bytes());
        }
        let mut outer = self.outer.hasher::<2>();
        outer.update(&inner.finalize());
        Ascii::hex(&outer.finalize())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The query with percent-encoded pairs, sorted by name.
pub fn canonical_query(pairs: &[(&str, &str)]) -> String {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    percent::query(sorted)
}

/// The time as `YYYYMMDDTHHMMSSZ`.
pub fn x_date(now: UtcDateTime) -> Ascii<16> {
    // A year before 0 cannot occur.
    let year = u32::try_from(now.year()).unwrap_or(0);
    Ascii::new(b"YYYYMMDDTHHMMSSZ")
        .with_digits(0..4, year)
        .with_digits(4..6, u8::from(now.month()).into())
        .with_digits(6..8, now.day().into())
        .with_digits(9..11, now.hour().into())
        .with_digits(11..13, now.minute().into())
        .with_digits(13..15, now.second().into())
}

pub fn sha256_hex(bytes: &[u8]) -> Ascii<64> {
    let mut hasher = Hasher::<5>::new();
    hasher.update(bytes);
    Ascii::hex(&hasher.finalize())
}
