//! A value of a setting in the text of an error.

/// A value in an error. A long one may be a secret in the wrong place, so only its length is told.
pub(super) fn quoted(value: &str) -> String {
    const MOST: usize = 20;
    let is_url = value.starts_with("https://") || value.starts_with("http://");
    match value.chars().count() {
        0..=MOST => format!("\"{}\"", value.escape_debug()),
        _ if is_url => format!(
            "\"{}\"",
            value.chars().take(128).flat_map(char::escape_debug).collect::<String>()
        ),
        length => format!("a value of {length} characters"),
    }
}
