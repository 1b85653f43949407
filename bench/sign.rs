//! Signing alone: `sign ours COUNT` signs a SendUnicast of 100 B as a send does, `sign blocks COUNT` runs the SHA-256
//! compressions that no signer gets around, by the same crate. Each prints its nanoseconds.
//!
//! Those are the blocks of the body, of the canonical request, and of the two hashes of the last HMAC, whose key is the
//! same all day: what the key itself costs is spent once a day, and is not counted.

use std::hint::black_box;
use std::time::Instant;

use rtcmsg::Secret;
use rtcmsg::sign::volcengine::{Scope, Signable, canonical_query, sha256_hex, x_date};
use time::UtcDateTime;

const BODY: &str = concat!(
    r#"{"AppId":"661e000000000000000demo1","From":"server","To":"user-0001","Binary":false,"Message":""#,
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    r#""}"#
);
const HOST: &str = "rtc.volcengineapi.com";

fn main() {
    let arguments: Vec<String> = std::env::args().filter(|argument| argument != "--bench").collect();
    let [_, what, count] = &arguments[..] else {
        // `cargo bench` runs every target by itself; this one is half of a measurement.
        eprintln!("takes ours or blocks, and COUNT; `make bench` gives them");
        return;
    };
    let count: u32 = count.parse().expect("a number");
    let secret = Secret::new("demo-secret-key==");
    let blocks = blocks();
    let start = Instant::now();
    for _ in 0..count {
        match what.as_str() {
            "ours" => drop(black_box(signed(black_box(BODY), &secret))),
            _ => compress(black_box(&blocks)),
        }
    }
    let nanoseconds = start.elapsed().as_nanos() as f64 / f64::from(count);
    println!("{{\"sign_ns\": {nanoseconds:.1}, \"blocks\": {}}}", blocks.len());
}

/// All that a send signs, from the clock to the header.
fn signed(body: &str, secret: &Secret) -> String {
    let x_date = x_date(UtcDateTime::now());
    let query = canonical_query(&[("Action", "SendUnicast"), ("Version", "2020-12-01")]);
    let body_sha256 = sha256_hex(body.as_bytes());
    let headers = headers(&body_sha256, &x_date);
    let scope = scope(&x_date);
    signable(&query, &headers, &body_sha256).authorization("AKLTdemo", secret, &scope)
}

fn headers<'a>(body_sha256: &'a str, x_date: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("content-type", "application/json"),
        ("host", HOST),
        ("x-content-sha256", body_sha256),
        ("x-date", x_date),
    ]
}

fn signable<'a>(query: &'a str, headers: &'a [(&'a str, &'a str)], body_sha256: &'a str) -> Signable<'a> {
    Signable {
        method: "POST",
        path: "/",
        query,
        headers,
        body_sha256,
    }
}

fn scope(x_date: &str) -> Scope<'_> {
    Scope {
        x_date,
        region: "cn-north-1",
        service: "rtc",
    }
}

fn compress(blocks: &[[u8; 64]]) {
    let mut state = [0; 8];
    sha2::block_api::compress256(&mut state, blocks);
    black_box(state);
}

/// As many as the texts of one signature fill.
fn blocks() -> Vec<[u8; 64]> {
    let x_date = x_date(UtcDateTime::now());
    let body_sha256 = sha256_hex(BODY.as_bytes());
    let query = canonical_query(&[("Action", "SendUnicast"), ("Version", "2020-12-01")]);
    let headers = headers(&body_sha256, &x_date);
    let canonical = signable(&query, &headers, &body_sha256).canonical_request();
    let scope_len = "YYYYMMDD/cn-north-1/rtc/request".len();
    let to_sign_len = "HMAC-SHA256\n".len() + x_date.len() + 1 + scope_len + 1 + body_sha256.len();
    // A text is followed by one byte and its length in eight. The outer hash of an HMAC takes the inner one.
    let blocks_of = |len: usize| (len + 9).div_ceil(64);
    let count = blocks_of(BODY.len()) + blocks_of(canonical.len()) + blocks_of(to_sign_len) + blocks_of(32);
    vec![[0x5a; 64]; count]
}
