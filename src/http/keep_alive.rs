//! `Keep-Alive`: how long a server keeps an idle connection, by its own word (RFC 2068 section 19.7.1.1).

use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
/// The server may close a connection at the end of its time, while a request is on the way: the last second is not used.
const MARGIN: Duration = Duration::from_secs(1);

/// For how long after this answer its connection may serve another request; `None` if the server does not say. What
/// cannot be understood is ignored.
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
        // How many more requests the connection takes.
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
