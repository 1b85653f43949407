//! The signature of Volcengine's API: HMAC-SHA256 over a canonical request, like AWS V4 without its "AWS4" prefix.
//! VENDORS.md, Signature. Pure functions of request, credentials and time; held to the vendor's own signers by vectors.
//!
//! What stays the same is hashed once: an [`Opening`] for an action at a host, a [`DayKey`] for a day. The canonical
//! request itself is never put together: its pieces go into the hash one after the other, and nothing is allocated.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use time::UtcDateTime;

use crate::ascii::Ascii;
use crate::percent;
use crate::secret::Secret;

/// Names and values of headers: names in lower case and sorted, values trimmed.
pub type Headers<'a> = [(&'a str, &'a str)];

/// A canonical request up to the first header whose value is another in every message, hashed.
#[derive(Clone)]
pub struct Opening {
    hash: Sha256,
    /// The headers so far, as the canonical request lists them.
    names: String,
}

impl Opening {
    /// `query` is as [`canonical_query`] makes it, and as it stands in the URL. At least one header: Host is always signed.
    pub fn new(method: &str, path: &str, query: &str, headers: &Headers) -> Opening {
        let mut hash = Sha256::new();
        for line in [method, path, query] {
            hash.update(line);
            hash.update("\n");
        }
        add_headers(&mut hash, headers);
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        Opening {
            hash,
            names: names.join(";"),
        }
    }

    /// The hash of the whole canonical request: this opening, the other headers and the body's hash.
    pub fn canonical_sha256(&self, headers: &Headers, body_sha256: &str) -> Ascii<64> {
        let mut hash = self.hash.clone();
        add_headers(&mut hash, headers);
        hash.update("\n");
        for piece in self.signed_headers(headers) {
            hash.update(piece);
        }
        hash.update("\n");
        hash.update(body_sha256);
        Ascii::hex(&hash.finalize())
    }

    /// The value of the Authorization header. `x_date` is the value of the header of that name.
    pub fn authorization(
        &self,
        access_key: &str,
        key: &DayKey,
        x_date: &str,
        headers: &Headers,
        body_sha256: &str,
    ) -> String {
        let signature = key.signature(x_date, &self.canonical_sha256(headers, body_sha256));
        let before = [
            "HMAC-SHA256 Credential=",
            access_key,
            "/",
            &key.scope,
            ", SignedHeaders=",
        ];
        let behind = [", Signature=", &signature];
        let pieces = || before.into_iter().chain(self.signed_headers(headers)).chain(behind);
        // Of exactly this length: a header value takes it over as it is, and would allocate again for a longer one.
        let mut value = String::with_capacity(pieces().map(str::len).sum());
        value.extend(pieces());
        value
    }

    /// `content-type;host;x-date`, in pieces.
    fn signed_headers<'a>(&'a self, headers: &'a Headers) -> impl Iterator<Item = &'a str> {
        let more = headers.iter().flat_map(|(name, _)| [";", name]);
        std::iter::once(&*self.names).chain(more)
    }
}

fn add_headers(hash: &mut Sha256, headers: &Headers) {
    for (name, value) in headers {
        for piece in [name, ":", value, "\n"] {
            hash.update(piece);
        }
    }
}

/// What a signature is good for, and the key that makes it: a day, a region, a service.
///
/// The key is kept as the two hashes that HMAC begins with, which is half of an HMAC's work on so short a text.
pub struct DayKey {
    /// `YYYYMMDD/region/service/request`.
    scope: String,
    keyed: Hmac<Sha256>,
}

impl DayKey {
    /// `date` is `YYYYMMDD`. The secret key looks like base64 but is used as it is.
    pub fn new(secret_key: &Secret, date: &str, region: &str, service: &str) -> DayKey {
        let mut key = keyed(secret_key.expose().as_bytes());
        for text in [date, region, service, "request"] {
            key.update(text.as_bytes());
            key = keyed(&key.finalize().into_bytes());
        }
        DayKey {
            scope: [date, region, service, "request"].join("/"),
            keyed: key,
        }
    }

    /// Whether this is the key of that day, region and service.
    pub fn is_for(&self, date: &str, region: &str, service: &str) -> bool {
        let rest = self.scope.strip_prefix(date).and_then(|rest| rest.strip_prefix('/'));
        let rest = rest.and_then(|rest| rest.strip_prefix(region)?.strip_prefix('/'));
        rest.and_then(|rest| rest.strip_prefix(service)) == Some("/request")
    }

    pub fn is_of_day(&self, date: &str) -> bool {
        self.scope.split('/').next() == Some(date)
    }

    /// Over the hash of a canonical request, at a time of this day: `YYYYMMDDTHHMMSSZ`.
    pub fn signature(&self, x_date: &str, canonical_sha256: &str) -> Ascii<64> {
        let mut hmac = self.keyed.clone();
        for piece in ["HMAC-SHA256\n", x_date, "\n", &self.scope, "\n", canonical_sha256] {
            hmac.update(piece.as_bytes());
        }
        Ascii::hex(&hmac.finalize().into_bytes())
    }
}

impl Drop for DayKey {
    /// Wipes the key: it signs for the rest of its day.
    fn drop(&mut self) {
        self.keyed = keyed(&[]);
        // Or the compiler leaves out a store that nobody reads.
        std::hint::black_box(&self.keyed);
    }
}

impl fmt::Debug for DayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// Percent-encoded, sorted by name.
pub fn canonical_query(pairs: &[(&str, &str)]) -> String {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    percent::query(sorted)
}

/// `YYYYMMDDTHHMMSSZ`.
pub fn x_date(now: UtcDateTime) -> Ascii<16> {
    // No clock that anybody signs by shows a year before Christ.
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
    Ascii::hex(&Sha256::digest(bytes))
}
