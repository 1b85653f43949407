//! Signing alone: `sign ours COUNT` signs a SendUnicast of 100 B as a send does, `sign blocks COUNT` runs the SHA-256
//! compressions that no signer gets around, by the same crate. Each prints its nanoseconds.
//!
//! Those are the blocks of the body, of the canonical request, and of the two hashes of the last HMAC, whose key is the
//! same all day: what the key itself costs is spent once a day, and is not counted.

use std::hint::black_box;
use std::time::Instant;

use rtcmsg::Secret;
use rtcmsg::sign::volcengine::{RequestPrefix, SigningKey, canonical_query, sha256_hex, x_date};
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
    let (prefix, key) = (prefix(), key());
    let blocks = blocks();
    let start = Instant::now();
    for _ in 0..count {
        match what.as_str() {
            "ours" => drop(black_box(signed(black_box(BODY), &prefix, &key))),
            _ => compress(black_box(&blocks)),
        }
    }
    let nanoseconds = start.elapsed().as_nanos() as f64 / f64::from(count);
    println!("{{\"sign_ns\": {nanoseconds:.1}, \"blocks\": {}}}", blocks.len());
}

/// All that a send signs, from the clock to the header. A client keeps the prefix and the key of the day.
fn signed(body: &str, prefix: &RequestPrefix, key: &SigningKey) -> String {
    let x_date = x_date(UtcDateTime::now());
    let body_sha256 = sha256_hex(body.as_bytes());
    prefix.authorization("AKLTdemo", key, &x_date, &[&body_sha256, &x_date], &body_sha256)
}

fn prefix() -> RequestPrefix {
    let headers = [("content-type", "application/json"), ("host", HOST)];
    RequestPrefix::new("POST", "/", &query(), &headers, &["x-content-sha256", "x-date"])
}

fn key() -> SigningKey {
    let secret = Secret::new("demo-secret-key==");
    SigningKey::new(&secret, &x_date(UtcDateTime::now())[..8], "cn-north-1", "rtc")
}

fn query() -> String {
    canonical_query(&[("Action", "SendUnicast"), ("Version", "2020-12-01")])
}

fn compress(blocks: &[[u8; 64]]) {
    let mut state = [0; 8];
    sha2::block_api::compress256(&mut state, blocks);
    black_box(state);
}

/// As many as the texts of one signature fill.
fn blocks() -> Vec<[u8; 64]> {
    let (query, x_date, sha256) = (query(), x_date(UtcDateTime::now()), sha256_hex(BODY.as_bytes()));
    let lines = format!(
        "content-type:application/json\nhost:{HOST}\nx-content-sha256:{}\nx-date:{}\n",
        &*sha256, &*x_date
    );
    let names = "content-type;host;x-content-sha256;x-date";
    let canonical = format!("POST\n/\n{query}\n{lines}\n{names}\n{}", &*sha256);
    let scope_len = "YYYYMMDD/cn-north-1/rtc/request".len();
    let to_sign_len = "HMAC-SHA256\n".len() + x_date.len() + 1 + scope_len + 1 + sha256.len();
    // A text is followed by one byte and its length in eight. The outer hash of an HMAC takes the inner one.
    let blocks_of = |len: usize| (len + 9).div_ceil(64);
    let count = blocks_of(BODY.len()) + blocks_of(canonical.len()) + blocks_of(to_sign_len) + blocks_of(32);
    vec![[0x5a; 64]; count]
}
