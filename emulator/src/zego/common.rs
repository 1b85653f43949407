//! ZEGO's common parameters: signature, time and nonce. // VENDORS.md, ZEGO, Request

use md5::{Digest, Md5};

use super::answer::{Refusal, code};
use crate::context::RequestContext;
use crate::hex::lower_hex;
use crate::request::Query;

/// How far `Timestamp` may be before or after the vendor's clock.
const SIGNATURE_LIFE_SECONDS: i64 = 600;

/// The common parameters that do not belong to the signature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Common {
    pub is_test: bool,
}

/// Checks the common parameters, in the gateway's order.
pub(crate) fn check(context: &mut RequestContext<'_>, query: &Query) -> Result<Common, Refusal> {
    if context.request.method != "GET" {
        let message = format!("this API takes GET, not {}", context.request.method);
        return Err(Refusal::new(code::COMMON_PARAMETER_MALFORMED, message));
    }
    for name in [
        "Action",
        "AppId",
        "SignatureNonce",
        "Timestamp",
        "Signature",
        "SignatureVersion",
    ] {
        if query.all(name).next().is_none_or(<[u8]>::is_empty) {
            return Err(Refusal::new(
                code::COMMON_PARAMETER_MISSING,
                format!("the parameter {name} is missing"),
            ));
        }
    }
    let text = |name| query.text(name).unwrap_or_default();
    if text("SignatureVersion") != "2.0" {
        return Err(Refusal::new(code::SIGNATURE_VERSION, "SignatureVersion must be 2.0"));
    }
    let app_id: u32 = decimal(text("AppId")).ok_or_else(|| malformed("AppId", "a decimal number up to 2^32 - 1"))?;
    let timestamp: i64 = decimal(text("Timestamp")).ok_or_else(|| malformed("Timestamp", "Unix seconds"))?;
    let nonce = parse_nonce(text("SignatureNonce")).ok_or_else(|| malformed("SignatureNonce", "16 hex digits"))?;
    let is_test = match query.all("IsTest").next() {
        None | Some(b"false") => false,
        Some(b"true") => true,
        Some(_) => return Err(malformed("IsTest", "true or false")),
    };
    if app_id != context.options.zego.app_id {
        return Err(Refusal::new(
            code::UNKNOWN_APP,
            format!("the app {app_id} does not exist"),
        ));
    }
    check_timestamp(context.now.unix_seconds, timestamp)?;
    let secret = context.options.zego.server_secret.expose();
    if text("Signature") != signature(text("AppId"), text("SignatureNonce"), secret, text("Timestamp")) {
        return Err(Refusal::new(code::BAD_SIGNATURE, "the signature is wrong"));
    }
    check_nonce(context, nonce, timestamp)?;
    Ok(Common { is_test })
}

pub(crate) fn check_quota(context: &mut RequestContext<'_>, is_test: bool) -> Result<(), Refusal> {
    let (limit, over) = if is_test {
        (10, context.exceeds_quota(1, |quotas| &mut quotas.zego_test))
    } else {
        (100, context.exceeds_quota(1, |quotas| &mut quotas.zego))
    };
    if over {
        return Err(Refusal::new(
            code::TOO_MANY_REQUESTS,
            format!("the app is above {limit} requests per second"),
        ));
    }
    Ok(())
}

fn check_timestamp(now: i64, timestamp: i64) -> Result<(), Refusal> {
    let skew = now.saturating_sub(timestamp);
    if skew.unsigned_abs() > SIGNATURE_LIFE_SECONDS.unsigned_abs() {
        let side = if skew > 0 { "old" } else { "ahead" };
        let message = format!(
            "Timestamp is {} s {side}, at most {SIGNATURE_LIFE_SECONDS} s are allowed",
            skew.unsigned_abs()
        );
        return Err(Refusal::new(code::SIGNATURE_EXPIRED, message));
    }
    Ok(())
}

/// ZEGO requires a fresh nonce for each request and documents no code for a reused one: this code is an assumption.
fn check_nonce(context: &mut RequestContext<'_>, nonce: u64, timestamp: i64) -> Result<(), Refusal> {
    if context.options.allow_nonce_reuse {
        return Ok(());
    }
    let last_second = timestamp.saturating_add(SIGNATURE_LIFE_SECONDS);
    if !context
        .state
        .nonces
        .insert(nonce, last_second, context.now.unix_seconds)
    {
        return Err(Refusal::new(
            code::BAD_SIGNATURE,
            "SignatureNonce was reused: every request needs a fresh one",
        ));
    }
    Ok(())
}

/// The MD5 of the three parameters as they were sent, and the secret.
fn signature(app_id: &str, nonce: &str, server_secret: &str, timestamp: &str) -> String {
    lower_hex(&Md5::digest([app_id, nonce, server_secret, timestamp].concat()))
}

fn decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn parse_nonce(text: &str) -> Option<u64> {
    let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

fn malformed(name: &str, expected: &str) -> Refusal {
    Refusal::new(code::COMMON_PARAMETER_MALFORMED, format!("{name} must be {expected}"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        app_id: u32,
        signature_nonce: String,
        server_secret: String,
        timestamp: i64,
        signature: String,
    }

    #[test]
    fn the_vectors_that_zego_published_are_met() {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../../tests/vectors/zego-sign.json")).unwrap();
        assert!(!vectors.is_empty());
        for vector in vectors {
            let (app_id, timestamp) = (vector.app_id.to_string(), vector.timestamp.to_string());
            let computed = signature(&app_id, &vector.signature_nonce, &vector.server_secret, &timestamp);
            assert_eq!(computed, vector.signature, "{}", vector.name);
        }
    }

    #[test]
    fn a_decimal_is_digits_and_nothing_else() {
        assert_eq!(decimal::<u32>("4294967295"), Some(u32::MAX));
        for text in ["", "+1", "-1", " 1", "1.0", "4294967296", "0x1"] {
            assert_eq!(decimal::<u32>(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_nonce_has_16_hex_digits() {
        assert_eq!(parse_nonce("00000000000000ff"), Some(255));
        for text in ["", "ff", "00000000000000fg", "+0000000000000ff", "000000000000000ff"] {
            assert_eq!(parse_nonce(text), None, "{text:?}");
        }
    }
}
