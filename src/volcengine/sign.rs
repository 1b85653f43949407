//! The signature of Volcengine's API: HMAC-SHA256 over a canonical request, like AWS V4 without its "AWS4" prefix.
//! VENDORS.md, Signature. Pure functions of request, credentials and time; held to the vendor's own signers by vectors.
//!
//! What stays the same is hashed once: an [`Opening`] for an action at a host, a [`DayKey`] for a day. The canonical
//! request itself is never put together: its pieces go into the hash one after the other, and nothing is allocated.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use time::UtcDateTime;
use zeroize::Zeroizing;

use super::midstate::{Midstate, Text};
use crate::secret::Secret;
use crate::util::ascii::Ascii;
use crate::util::percent;

/// A canonical request up to the first value that is another in every message, hashed; and the texts between the values.
///
/// Headers have names in lower case, sorted, and values without space around them.
#[derive(Clone)]
pub struct Opening {
    hash: Midstate,
    /// As `\nx-date:`, before every value that comes later but the first.
    between: Vec<String>,
    /// As the canonical request lists the headers: `content-type;host;x-date`.
    signed_headers: String,
    /// What stands between the last value and the body's hash.
    closing: String,
}

impl Opening {
    /// The headers of `known` begin the list, those named by `later` end it, and are one at least: X-Date changes.
    /// `query` is as [`canonical_query`] makes it, and as it stands in the URL.
    pub fn new(method: &str, path: &str, query: &str, known: &[(&str, &str)], later: &[&str]) -> Opening {
        let mut text = format!("{method}\n{path}\n{query}\n");
        for (name, value) in known {
            text += &format!("{name}:{value}\n");
        }
        let (first, others) = later.split_first().expect("a header whose value changes");
        text += &format!("{first}:");
        let names: Vec<&str> = known.iter().map(|(name, _)| name).chain(later).copied().collect();
        let signed_headers = names.join(";");
        Opening {
            hash: Midstate::new(text.as_bytes()),
            between: others.iter().map(|name| format!("\n{name}:")).collect(),
            // The line of the last header ends, an empty one follows.
            closing: format!("\n\n{signed_headers}\n"),
            signed_headers,
        }
    }

    /// The hash of the whole canonical request, with the values of the headers that were named as later ones.
    pub fn canonical_sha256(&self, values: &[&str], body_sha256: &str) -> Ascii<64> {
        debug_assert_eq!(values.len(), self.between.len() + 1);
        // Enough for all but a session token.
        let mut text = self.hash.text::<7>();
        let before = std::iter::once("").chain(self.between.iter().map(String::as_str));
        for (before, value) in before.zip(values) {
            text.push(before.as_bytes());
            text.push(value.as_bytes());
        }
        text.push(self.closing.as_bytes());
        text.push(body_sha256.as_bytes());
        Ascii::hex(&text.finish())
    }

    /// The value of the Authorization header. `x_date` is the value of the header of that name.
    pub fn authorization(
        &self,
        access_key: &str,
        key: &DayKey,
        x_date: &str,
        values: &[&str],
        body_sha256: &str,
    ) -> String {
        let signature = key.signature(x_date, &self.canonical_sha256(values, body_sha256));
        // Joined in memory of exactly this length: a header value takes it over as it is.
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

/// What a signature is good for, and the key that makes it: a day, a region, a service.
///
/// The key is kept as the two hashes that HMAC begins with, which is a third of its work on so short a text. It is wiped
/// when dropped: it signs for the rest of its day.
pub struct DayKey {
    /// `YYYYMMDD/region/service/request`, as a line and the end of the one before it.
    scope_line: String,
    /// The string to sign is begun: its first line is always the same.
    inner: Midstate,
    outer: Midstate,
}

impl DayKey {
    /// `date` is `YYYYMMDD`. The secret key looks like base64 but is used as it is.
    pub fn new(secret_key: &Secret, date: &str, region: &str, service: &str) -> DayKey {
        let mut key = Zeroizing::new(secret_key.expose().as_bytes().to_vec());
        for text in [date, region, service, "request"] {
            let mut hmac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
            hmac.update(text.as_bytes());
            key = Zeroizing::new(hmac.finalize().into_bytes().to_vec());
        }
        // RFC 2104: a key shorter than a block is filled up with zeros, and goes into the hash before all else.
        let keyed = |pad: u8| {
            // Room for what is added, or a copy would be left where it was.
            let mut block = Zeroizing::new(Vec::with_capacity(128));
            block.resize(64, pad);
            block.iter_mut().zip(&*key).for_each(|(byte, key)| *byte ^= key);
            block
        };
        let mut beginning = keyed(0x36);
        beginning.extend_from_slice(b"HMAC-SHA256\n");
        DayKey {
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

    /// Over the hash of a canonical request, at a time of this day: `YYYYMMDDTHHMMSSZ`.
    pub fn signature(&self, x_date: &str, canonical_sha256: &str) -> Ascii<64> {
        let mut inner = self.inner.text::<4>();
        for piece in [x_date, &self.scope_line, canonical_sha256] {
            inner.push(piece.as_bytes());
        }
        let mut outer = self.outer.text::<2>();
        outer.push(&inner.finish());
        Ascii::hex(&outer.finish())
    }
}

impl fmt::Debug for DayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
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
    let mut text = Text::<5>::new();
    text.push(bytes);
    Ascii::hex(&text.finish())
}
