//! Percent-encoding of RFC 3986: all characters except `A-Za-z0-9-_.~` are encoded, and a space is `%20`. The queries of both
//! vendors use it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// `a=1&b=2`, in the given order.
pub(crate) fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = String::new();
    for (name, value) in pairs {
        push_pair(&mut query, name, value);
    }
    query
}

/// Adds `name=value` to a query, which may have the path and its `?` before it.
pub(crate) fn push_pair(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() && !query.ends_with('?') {
        query.push('&');
    }
    query.extend(utf8_percent_encode(name, RESERVED));
    query.push('=');
    query.extend(utf8_percent_encode(value, RESERVED));
}

/// The greatest possible length of these pairs in a query.
pub(crate) fn longest(pairs: &[(&str, &str)]) -> usize {
    pairs
        .iter()
        .map(|(name, value)| (name.len() + value.len()) * 3 + 2)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay_as_they_are() {
        assert_eq!(encode("AZaz09-_.~"), "AZaz09-_.~");
        assert_eq!(encode("a b+c/d=e&f%g*"), "a%20b%2Bc%2Fd%3De%26f%25g%2A");
        assert_eq!(encode("你好\0"), "%E4%BD%A0%E5%A5%BD%00");
        assert_eq!(query([("ToUserId[]", "u 1"), ("b", "")]), "ToUserId%5B%5D=u%201&b=");
    }
}
