//! Which requests are retried, after which pause, and how often: only what is safe, within a budget per client, so that
//! retries do not overload a vendor that already fails.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use crate::config::{self, Config};
use crate::error::Code;
use crate::report::{Delivery, Request};

/// Tokens are counted in hundredths.
const TOKEN: u32 = 100;
/// The most that a client may save up. It starts with this.
const MAX_TOKENS: u32 = 20 * TOKEN;

#[derive(Debug)]
pub(super) struct Retries {
    pub max_attempts: usize,
    on_unknown: bool,
    base: Duration,
    max: Duration,
    /// Each request earns a fraction of a token; each retry spends one.
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
            tokens: AtomicU32::new(MAX_TOKENS),
            earned: config.integer(&config::RETRY_BUDGET_PERCENT) as u32 * TOKEN / 100,
        }
    }

    /// Whether another attempt cannot deliver the message twice, or the caller has allowed that.
    pub fn is_safe(&self, request: &Request) -> bool {
        match (request.code, request.delivery) {
            (Code::NoResources | Code::Resolve | Code::Connect | Code::Timeout, Delivery::NotSent) => true,
            (Code::Throttled | Code::VendorFault, Delivery::NotDelivered) => true,
            (_, Delivery::Unknown) => self.on_unknown,
            _ => false,
        }
    }

    pub fn earn(&self) {
        let add = |tokens: u32| Some((tokens + self.earned).min(MAX_TOKENS));
        let _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Spends one retry of the budget. Returns false if the budget has none left.
    pub fn spend(&self) -> bool {
        self.tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| tokens.checked_sub(TOKEN))
            .is_ok()
    }

    /// How long to wait before the next attempt: exponential backoff with full jitter, at least as long as the vendor asks.
    pub fn pause(&self, attempts: usize, retry_after_ms: u32) -> Duration {
        let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
        let ceiling = self.base.saturating_mul(1 << doublings).min(self.max);
        let jittered = ceiling.mul_f64(random_share());
        jittered.max(Duration::from_millis(retry_after_ms.into()))
    }
}

/// A `Retry-After` in milliseconds, capped at `u32::MAX`. The header has seconds, to which some servers add a fraction, or
/// a date. 0 for anything else, and for a date in the past.
pub(super) fn after_ms(text: &str, now: SystemTime) -> u32 {
    let text = text.trim();
    let is_decimal = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match text.parse::<f64>() {
        // The cast saturates. A fraction of a millisecond is rounded up.
        Ok(seconds) if is_decimal => (seconds * 1000.0).ceil() as u32,
        _ => {
            let at = httpdate::parse_http_date(text).ok();
            let wait = at.and_then(|at| at.duration_since(now).ok()).unwrap_or_default();
            u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)
        }
    }
}

/// A random number from 0 to 1. It is 1, the longest pause, if the system has no random bytes.
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
    fn only_what_cannot_have_arrived_is_retried() {
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
        for attempts in 1..40 {
            let ceiling = Duration::from_millis((100u64 << (attempts - 1).min(16)).min(1000));
            for _ in 0..50 {
                assert!(retries.pause(attempts, 0) <= ceiling, "attempt {attempts}");
            }
            assert!(retries.pause(attempts, 3000) == Duration::from_secs(3));
        }
        let longest = (0..200).map(|_| retries.pause(9, 0)).max().unwrap();
        assert!(
            longest > Duration::from_millis(500),
            "jitter covers the whole range: {longest:?}"
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
