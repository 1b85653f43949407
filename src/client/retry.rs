//! What is safe to repeat is repeated, nothing else; and never so much that it makes a vendor's trouble worse.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use crate::config::{self, Config};
use crate::error::Code;
use crate::report::{Delivery, Request};

/// Tokens are counted in hundredths.
const TOKEN: u32 = 100;
/// What a client may save up, and begins with.
const MOST_TOKENS: u32 = 20 * TOKEN;

#[derive(Debug)]
pub(super) struct Retries {
    pub max_attempts: usize,
    on_unknown: bool,
    base: Duration,
    max: Duration,
    /// Each message earns a part of a token, each retry spends one.
    tokens: AtomicU32,
    earned: u32,
}

impl Retries {
    pub fn new(config: &Config) -> Retries {
        Retries {
            max_attempts: config.integer(&config::RETRY_MAX_ATTEMPTS) as usize,
            on_unknown: config.flag(&config::RETRY_ON_UNKNOWN),
            base: config.millis(&config::RETRY_BACKOFF_MS),
            max: config.millis(&config::RETRY_BACKOFF_MAX_MS),
            tokens: AtomicU32::new(MOST_TOKENS),
            earned: config.integer(&config::RETRY_BUDGET_PERCENT) as u32 * TOKEN / 100,
        }
    }

    /// Whether a second try can do no harm.
    pub fn is_safe(&self, request: &Request) -> bool {
        match (request.code, request.delivery) {
            (Code::NoResources | Code::Resolve | Code::Connect | Code::Timeout, Delivery::NotSent) => true,
            (Code::Throttled | Code::VendorFault, Delivery::NotDelivered) => true,
            (_, Delivery::Unknown) => self.on_unknown,
            _ => false,
        }
    }

    pub fn earn(&self) {
        let add = |tokens: u32| Some((tokens + self.earned).min(MOST_TOKENS));
        let _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Whether the budget has a retry left; it is spent then.
    pub fn spend(&self) -> bool {
        self.tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| tokens.checked_sub(TOKEN))
            .is_ok()
    }

    /// How long to wait before the next try: full jitter, and no less than the vendor asks for.
    pub fn pause(&self, tries: usize, retry_after_ms: u32) -> Duration {
        let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
        let ceiling = self.base.saturating_mul(1 << doublings).min(self.max);
        let jittered = ceiling.mul_f64(random_share());
        jittered.max(Duration::from_millis(retry_after_ms.into()))
    }
}

/// A `Retry-After` in milliseconds: seconds, which some servers give with a fraction, or a date. 0 for anything else, and
/// for a date that has passed; at most what fits.
pub(super) fn after_ms(text: &str, now: SystemTime) -> u32 {
    let text = text.trim();
    let is_decimal = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match text.parse::<f64>() {
        // A float becomes the nearest integer that there is. A part of a millisecond is waited for.
        Ok(seconds) if is_decimal => (seconds * 1000.0).ceil() as u32,
        _ => {
            let at = httpdate::parse_http_date(text).ok();
            let wait = at.and_then(|at| at.duration_since(now).ok()).unwrap_or_default();
            u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)
        }
    }
}

/// From 0 to 1. Without randomness the whole ceiling: later is harmless.
fn random_share() -> f64 {
    let mut bytes = [0; 4];
    match getrandom::getrandom(&mut bytes) {
        Ok(()) => f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retries(settings: &[(&str, &str)]) -> Retries {
        let mut config = Config::new();
        for (key, value) in settings {
            config.set(key, value).unwrap();
        }
        Retries::new(&config)
    }

    #[test]
    fn only_what_cannot_have_arrived_is_repeated() {
        let careful = retries(&[]);
        let bold = retries(&[("retry.on_unknown", "true")]);
        for (code, delivery, safe) in [
            (Code::NoResources, Delivery::NotSent, true),
            (Code::Resolve, Delivery::NotSent, true),
            (Code::Connect, Delivery::NotSent, true),
            (Code::Timeout, Delivery::NotSent, true),
            (Code::Tls, Delivery::NotSent, false),
            (Code::Proxy, Delivery::NotSent, false),
            (Code::Closed, Delivery::NotSent, false),
            (Code::Throttled, Delivery::NotDelivered, true),
            (Code::VendorFault, Delivery::NotDelivered, true),
            (Code::Rejected, Delivery::NotDelivered, false),
            (Code::Undelivered, Delivery::NotDelivered, false),
            (Code::Ok, Delivery::Accepted, false),
            (Code::Ok, Delivery::Delivered, false),
        ] {
            let request = Request::failed(code, delivery, 0, String::new());
            assert_eq!(
                (careful.is_safe(&request), bold.is_safe(&request)),
                (safe, safe),
                "{code} {delivery:?}"
            );
        }
        for code in [Code::Timeout, Code::Disconnected, Code::BadResponse, Code::VendorFault] {
            let request = Request::failed(code, Delivery::Unknown, 0, String::new());
            assert_eq!(
                (careful.is_safe(&request), bold.is_safe(&request)),
                (false, true),
                "{code}"
            );
        }
    }

    #[test]
    fn pauses_grow_up_to_their_ceiling_and_honour_the_vendor() {
        let retries = retries(&[("retry.backoff_ms", "100"), ("retry.backoff_max_ms", "1000")]);
        for tries in 1..40 {
            let ceiling = Duration::from_millis((100u64 << (tries - 1).min(16)).min(1000));
            for _ in 0..50 {
                assert!(retries.pause(tries, 0) <= ceiling, "try {tries}");
            }
            assert!(retries.pause(tries, 3000) == Duration::from_secs(3));
        }
        let longest = (0..200).map(|_| retries.pause(9, 0)).max().unwrap();
        assert!(
            longest > Duration::from_millis(500),
            "jitter goes the whole way: {longest:?}"
        );
    }

    #[test]
    fn a_retry_after_is_seconds_also_in_parts_or_a_date_to_come() {
        let now = httpdate::parse_http_date("Wed, 25 Nov 2026 12:00:00 GMT").unwrap();
        for (text, expected) in [
            ("0", 0),
            ("3", 3_000),
            ("1.5", 1_500),
            (" 1.5 ", 1_500),
            ("0.0001", 1),
            ("2.", 2_000),
            ("4294967", 4_294_967_000),
            ("4294968", u32::MAX),
            ("99999999999999999999999", u32::MAX),
            ("-1", 0),
            ("-1.5", 0),
            ("+1", 0),
            ("", 0),
            (" ", 0),
            (".", 0),
            ("1.5.0", 0),
            ("1e3", 0),
            ("1,5", 0),
            ("inf", 0),
            ("NaN", 0),
            ("soon", 0),
            ("Wed, 25 Nov 2026 12:00:07 GMT", 7_000),
            ("Wed, 25 Nov 2026 11:59:59 GMT", 0),
            ("Fri, 31 Dec 9999 23:59:59 GMT", u32::MAX),
        ] {
            assert_eq!(after_ms(text, now), expected, "{text:?}");
        }
    }

    #[test]
    fn the_budget_ends_retries_when_most_messages_fail() {
        let retries = retries(&[("retry.budget_percent", "10")]);
        let mut granted = 0;
        for _ in 0..1000 {
            retries.earn();
            granted += usize::from(retries.spend());
        }
        assert!(
            (119..=121).contains(&granted),
            "20 saved up and a tenth of 1,000, not {granted}"
        );
    }
}
