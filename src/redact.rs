//! Takes out of a vendor's text what no report, error or log line may hold: secrets, and what the message carries.
//!
//! A vendor's text may repeat what it was sent, whole or in part: as it was, or as JSON, a query or base64 write it.
//! Pure: a text and what to hide go in, the text without it comes out.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// What a text must not show.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hidden<'a> {
    /// Always, and each part of at least 8 bytes.
    Secret(&'a str),
    /// What a message carries, if it has at least 8 bytes, and each part of at least 16.
    Payload(&'a [u8]),
}

/// What stands where something was taken out.
const GONE: &str = "***";
const SHORTEST_PAYLOAD: usize = 8;
/// What is shorter has so few characters in base64 that any text may hold them.
const SHORTEST_IN_BASE64: usize = 8;

impl<'a> Hidden<'a> {
    fn bytes(self) -> &'a [u8] {
        match self {
            Hidden::Secret(secret) => secret.as_bytes(),
            Hidden::Payload(payload) if payload.len() < SHORTEST_PAYLOAD => &[],
            Hidden::Payload(payload) => payload,
        }
    }

    /// The length from which a part is taken out, in any encoding.
    fn shortest_part(self) -> usize {
        match self {
            Hidden::Secret(_) => 8,
            Hidden::Payload(_) => 16,
        }
    }
}

/// The text without what is hidden; `None` if it holds nothing of it. Texts that hold nothing cost almost nothing: no
/// memory, and a look at a few of the bytes to hide.
pub(crate) fn cleaned(text: &str, hidden: &[Hidden]) -> Option<String> {
    let mut found = Found::default();
    for hidden in hidden.iter().filter(|hidden| !hidden.bytes().is_empty()) {
        find(text, *hidden, &mut found);
    }
    found.taken_out_of(text)
}

/// Looks for the encodings that the text can hold, by its characters.
fn find(text: &str, hidden: Hidden, found: &mut Found) {
    let (bytes, shortest) = (hidden.bytes(), hidden.shortest_part());
    let as_text = shown(bytes);
    found.add(text.as_bytes(), as_text.as_bytes(), shortest);
    // Hexadecimal digits and the letters of escapes are compared without case.
    let mut add_without_case = |form: String| {
        if form == as_text {
            return;
        }
        let (text, form) = (text.to_ascii_lowercase(), form.to_ascii_lowercase());
        found.add(text.as_bytes(), form.as_bytes(), shortest);
    };
    if text.contains('\\') {
        json_forms(&String::from_utf8_lossy(bytes))
            .into_iter()
            .for_each(&mut add_without_case);
    }
    if text.contains(['%', '+']) {
        query_forms(bytes).into_iter().for_each(&mut add_without_case);
    }
    if bytes.len() >= SHORTEST_IN_BASE64 && may_be_base64(text) {
        // The alphabet for URLs is compared as the other one.
        let text = text.replace('-', "+").replace('_', "/");
        for form in base64_forms(bytes) {
            found.add(text.as_bytes(), form.as_bytes(), shortest);
        }
    }
}

/// As a text of an answer shows these bytes: see `json::text`.
fn shown(bytes: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(bytes) {
        text if text.contains('\0') => text.replace('\0', "\u{FFFD}").into(),
        text => text,
    }
}

/// As the writers of JSON escape it: only what must be, or also what HTML gives a meaning (Go), or all but ASCII (Python),
/// or slashes, too (PHP); and JSON within JSON.
fn json_forms(text: &str) -> [String; 5] {
    let plain = json_escaped(text, |_| false);
    let ascii = json_escaped(text, |c| !c.is_ascii());
    [
        json_escaped(&plain, |_| false),
        json_escaped(text, |c| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}')),
        ascii.replace('/', "\\/"),
        ascii,
        plain,
    ]
}

fn json_escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '\u{8}' => escaped.push_str("\\b"),
            '\u{c}' => escaped.push_str("\\f"),
            c if c < ' ' || is_escaped(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    escaped.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// As a query has it: by RFC 3986, as browsers write a part of an address or all of it, and as forms do, with a plus for a
/// space.
fn query_forms(bytes: &[u8]) -> [String; 4] {
    const RFC_3986: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    const OF_BROWSERS: &AsciiSet = &RFC_3986
        .remove(b'!')
        .remove(b'\'')
        .remove(b'(')
        .remove(b')')
        .remove(b'*');
    const OF_ADDRESSES: &AsciiSet = &OF_BROWSERS
        .remove(b';')
        .remove(b',')
        .remove(b'/')
        .remove(b'?')
        .remove(b':')
        .remove(b'@')
        .remove(b'&')
        .remove(b'=')
        .remove(b'+')
        .remove(b'$')
        .remove(b'#');
    const OF_FORMS: &AsciiSet = &RFC_3986.remove(b'*').add(b'~');
    [
        percent_encode(bytes, RFC_3986).to_string(),
        percent_encode(bytes, OF_BROWSERS).to_string(),
        percent_encode(bytes, OF_ADDRESSES).to_string(),
        percent_encode(bytes, OF_FORMS).to_string().replace("%20", "+"),
    ]
}

/// In base64, by itself and within something longer, where other bytes share a character at either end.
fn base64_forms(bytes: &[u8]) -> [String; 4] {
    let within = |before: usize| {
        let encoded = STANDARD.encode([&[0; 2][..before], bytes].concat());
        let start = [0, 2, 3][before];
        let end = (before + bytes.len()) * 8 / 6;
        encoded[start.min(end)..end].to_owned()
    };
    [STANDARD.encode(bytes), within(0), within(1), within(2)]
}

/// Whether the text has a word that is long enough for base64. One of hexadecimal digits is none: they are
/// the vendors' request ids.
fn may_be_base64(text: &str) -> bool {
    const SHORTEST: usize = SHORTEST_IN_BASE64 * 8 / 6;
    let is_other = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_'));
    let is_hex = |b: u8| b.is_ascii_hexdigit() || b == b'-';
    let mut words = text.split(is_other);
    words.any(|word| word.len() >= SHORTEST && !word.bytes().all(is_hex))
}

/// Where a text holds what is hidden.
#[derive(Default)]
struct Found(Vec<Range<usize>>);

impl Found {
    /// Every part of the text that also stands in `form`, of at least `shortest` bytes, or the whole of a shorter form.
    fn add(&mut self, text: &[u8], form: &[u8], shortest: usize) {
        let length = shortest.min(form.len());
        if length == 0 || text.len() < length || !may_share(text, form, length) {
            return;
        }
        let parts: HashSet<&[u8]> = form.windows(length).collect();
        for (start, part) in text.windows(length).enumerate() {
            if parts.contains(part) {
                match self.0.last_mut() {
                    Some(last) if last.start <= start && start <= last.end => last.end = last.end.max(start + length),
                    _ => self.0.push(start..start + length),
                }
            }
        }
    }

    fn taken_out_of(mut self, text: &str) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        self.0.sort_by_key(|range| range.start);
        let mut cleaned = String::with_capacity(text.len());
        let mut kept_to = 0;
        for range in self.0 {
            // A character is shown whole or not at all.
            let start = (0..=range.start)
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(0);
            let end = (range.end..text.len())
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(text.len());
            if start > kept_to || kept_to == 0 {
                cleaned.push_str(&text[kept_to..start.max(kept_to)]);
                cleaned.push_str(GONE);
            }
            kept_to = kept_to.max(end);
        }
        cleaned.push_str(&text[kept_to..]);
        Some(cleaned)
    }
}

/// Whether the two may have so many bytes in a row in common. What this says no to has none.
fn may_share(text: &[u8], form: &[u8], length: usize) -> bool {
    if !has_run_of(&bytes_in(text), form, length) {
        return false;
    }
    const SHORT: usize = 256;
    if text.len() > SHORT {
        return true;
    }
    // So many bytes in a row hold one whole block of half of them, wherever they begin.
    let mut blocks = text.chunks_exact(length.div_ceil(2));
    blocks.any(|block| memmem::find(form, block).is_some())
}

fn bytes_in(text: &[u8]) -> [bool; 256] {
    let mut is_in = [false; 256];
    for byte in text {
        is_in[usize::from(*byte)] = true;
    }
    is_in
}

/// Whether `form` has so many bytes in a row that are all in the set. It looks at the last of them first: one that is not
/// in the set rules out all runs across it.
fn has_run_of(is_in: &[bool; 256], form: &[u8], length: usize) -> bool {
    let mut start = 0;
    while let Some(run) = form.get(start..start + length) {
        match run.iter().rposition(|byte| !is_in[usize::from(*byte)]) {
            Some(at) => start += at + 1,
            None => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests;
