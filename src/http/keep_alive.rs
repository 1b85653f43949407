//! The header `Keep-Alive`, by which a server announces how long it keeps an idle connection (RFC 2068 section 19.7.1.1).

use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
/// The last second is not used, since the server may close the connection while a request is in transit.
const MARGIN: Duration = Duration::from_secs(1);

/// The time after this answer during which its connection may serve another request; `None` if the server announces none.
/// Invalid parameters are ignored.
pub(super) fn reuse_limit(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(KEEP_ALIVE);
    let values = values.iter().filter_map(|value| value.to_str().ok());
    let parameters = values.flat_map(|value| value.split(','));
    parameters.filter_map(limit_of).min()
}

fn limit_of(parameter: &str) -> Option<Duration> {
    let (name, value) = parameter.split_once('=')?;
    let value: u64 = value.trim().trim_matches('"').parse().ok()?;
    match name.trim().to_ascii_lowercase().as_str() {
        "timeout" => Some(Duration::from_secs(value).saturating_sub(MARGIN)),
        // The number of further requests that the server accepts on this connection.
        "max" => (value == 0).then_some(Duration::ZERO),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announced_time_counts_without_its_last_second() {
        #[rustfmt::skip]
        let rows: [(&[&str], Option<u64>); 20] = [
            (&[], None),
            (&["timeout=5"], Some(4)),
            (&["timeout=5, max=100"], Some(4)),
            (&["max=100,TimeOut = 5"], Some(4)),
            (&["timeout=\"5\""], Some(4)),
            (&["timeout=1"], Some(0)),
            (&["timeout=0"], Some(0)),
            (&["max=0"], Some(0)),
            (&["timeout=60, max=0"], Some(0)),
            (&["max=1"], None),
            (&["timeout=60", "timeout=3"], Some(2)),
            (&["timeout=18446744073709551615"], Some(u64::MAX - 1)),
            (&["timeout=18446744073709551616"], None),
            (&["timeout=-1"], None),
            (&["timeout=1.5"], None),
            (&["timeout=5s"], None),
            (&["timeout"], None),
            (&["timeout="], None),
            (&[",;=,"], None),
            (&["idle=5"], None),
        ];
        for (values, expected) in rows {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("Keep-Alive", value.parse().unwrap());
            }
            assert_eq!(reuse_limit(&headers), expected.map(Duration::from_secs), "{values:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append("Keep-Alive", http::HeaderValue::from_bytes(b"timeout=\xff").unwrap());
        assert_eq!(reuse_limit(&headers), None);
    }
}
