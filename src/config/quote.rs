//! A value of a setting in the text of an error.

/// A value in quotes. A long value may be a secret in the wrong setting, so only its length is shown.
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
