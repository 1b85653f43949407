//! Removes from a vendor's text what no report, error or log line may contain: secrets, and the payload of the message.
//!
//! A vendor's text may repeat all or part of what it was sent, unchanged or encoded as JSON, in a query or in base64. The
//! functions here are pure: their result depends only on the text and on what to hide.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// A value that a text must not show.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hidden<'a> {
    /// A secret: the whole of it, and each part of at least 8 bytes.
    Secret(&'a str),
    /// The payload of a message, if it has at least 8 bytes: the whole of it, and each part of at least 16 bytes.
    Payload(&'a [u8]),
}

/// The replacement of a removed part.
const REMOVED: &str = "***";
/// The end of a text that was cut.
const CUT: &str = "…";
const SHORTEST_PAYLOAD: usize = 8;
/// The greatest value of [`Hidden::shortest_part`].
const LONGEST_PART: usize = 16;
/// A shorter value has few characters in base64, so that any text may contain them by chance.
const SHORTEST_IN_BASE64: usize = 8;

impl<'a> Hidden<'a> {
    fn bytes(self) -> &'a [u8] {
        match self {
            Hidden::Secret(secret) => secret.as_bytes(),
            Hidden::Payload(payload) if payload.len() < SHORTEST_PAYLOAD => &[],
            Hidden::Payload(payload) => payload,
        }
    }

    /// The smallest length of a part that is removed, in any encoding.
    fn shortest_part(self) -> usize {
        match self {
            Hidden::Secret(_) => 8,
            Hidden::Payload(_) => LONGEST_PART,
        }
    }
}

/// The parts of the texts of one outcome that must be hidden. The work grows with the length of the texts plus the length of the
/// hidden values, not with their product: each encoded form is computed once, and looked up in a set with the parts of all texts.
pub(crate) struct Cleaner(Vec<Found>);

/// Parts of texts that are also parts of a hidden value. All have one length, and are folded for one encoding.
struct Found {
    encoding: Encoding,
    length: usize,
    parts: HashSet<u128>,
}

impl Cleaner {
    /// Each text comes with the length at which it is cut. Texts that contain no hidden value cost almost nothing: no allocation,
    /// and a read of a few hidden bytes.
    pub fn new<'t>(texts: impl Iterator<Item = (&'t str, usize)> + Clone, hidden: &[Hidden]) -> Cleaner {
        let mut found = Vec::new();
        for encoding in [Encoding::Plain, Encoding::Json, Encoding::Query, Encoding::Base64] {
            let texts = texts.clone().map(|(text, longest)| searched(text, longest));
            let texts = texts.filter(|text| encoding.may_be_in(text));
            if texts.clone().next().is_none() {
                continue;
            }
            let mut search = Search::new(encoding, texts);
            for hidden in hidden.iter().filter(|hidden| !hidden.bytes().is_empty()) {
                encoding.each_form(hidden.bytes(), |form| search.add(form, hidden.shortest_part()));
            }
            found.extend(search.found);
        }
        Cleaner(found)
    }

    /// One of those texts, cut and without the hidden parts; `None` if it does not change.
    pub fn cleaned(&self, text: &str, longest: usize) -> Option<String> {
        if self.0.is_empty() && text.len() <= longest {
            return None;
        }
        let searched = searched(text, longest);
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for found in self.0.iter().filter(|found| found.encoding.may_be_in(searched)) {
            let bytes = searched.bytes().map(|byte| found.encoding.folded(byte));
            for (start, _) in parts(bytes, found.length).filter(|(_, part)| found.parts.contains(part)) {
                let end = start + found.length;
                match ranges.last_mut() {
                    Some(last) if last.start <= start && start <= last.end => last.end = last.end.max(end),
                    _ => ranges.push(start..end),
                }
            }
        }
        remove(text, ranges, longest)
    }
}

/// The beginning of a text that is searched: the shown part, and the bytes after it that a hidden part may need that begins
/// before the cut.
fn searched(text: &str, longest: usize) -> &str {
    let end = (longest.saturating_add(LONGEST_PART)..text.len()).find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(text.len())]
}

/// An encoding that a text may use. The bytes of texts and of hidden values are folded before they are compared.
#[derive(Clone, Copy, Debug)]
enum Encoding {
    Plain,
    /// The case of hexadecimal digits and of the letters of escapes is ignored.
    Json,
    Query,
    /// The alphabet for URLs is folded to the standard alphabet.
    Base64,
}

impl Encoding {
    /// Whether the text has characters that this encoding needs.
    fn may_be_in(self, text: &str) -> bool {
        match self {
            Encoding::Plain => true,
            Encoding::Json => text.contains('\\'),
            Encoding::Query => text.contains(['%', '+']),
            Encoding::Base64 => may_be_base64(text),
        }
    }

    fn folded(self, byte: u8) -> u8 {
        match (self, byte) {
            (Encoding::Json | Encoding::Query, byte) => byte.to_ascii_lowercase(),
            (Encoding::Base64, b'-') => b'+',
            (Encoding::Base64, b'_') => b'/',
            (Encoding::Plain | Encoding::Base64, byte) => byte,
        }
    }

    /// Calls `take` with every form of the bytes in this encoding, folded.
    fn each_form(self, bytes: &[u8], mut take: impl FnMut(&[u8])) {
        let mut take_unless_plain = |mut form: String| {
            if form != shown(bytes) {
                form.make_ascii_lowercase();
                take(form.as_bytes());
            }
        };
        match self {
            Encoding::Plain => take(shown(bytes).as_bytes()),
            Encoding::Json => json_forms(&String::from_utf8_lossy(bytes))
                .into_iter()
                .for_each(take_unless_plain),
            Encoding::Query => query_forms(bytes).into_iter().for_each(&mut take_unless_plain),
            Encoding::Base64 if bytes.len() < SHORTEST_IN_BASE64 => {}
            Encoding::Base64 => base64_forms(bytes).iter().for_each(|form| take(form.as_bytes())),
        }
    }
}

/// The bytes as a text of an answer shows them: see `json::text`.
fn shown(bytes: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(bytes) {
        text if text.contains('\0') => text.replace('\0', "\u{FFFD}").into(),
        text => text,
    }
}

/// The escaped forms that JSON encoders produce: with the fewest escapes, with escapes of characters that HTML uses (Go), with
/// escapes of all characters outside ASCII (Python), with escapes of slashes as well (PHP), and JSON inside JSON.
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

/// The forms in a query: by RFC 3986, as browsers encode a part of an address or a whole address, and as forms are encoded, with
/// a plus for a space.
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

/// The forms in base64: of the value itself, and inside a longer value, where other bytes may share the first and last
/// characters.
fn base64_forms(bytes: &[u8]) -> [String; 4] {
    let within = |before: usize| {
        let encoded = STANDARD.encode([&[0; 2][..before], bytes].concat());
        let start = [0, 2, 3][before];
        let end = (before + bytes.len()) * 8 / 6;
        encoded[start.min(end)..end].to_owned()
    };
    [STANDARD.encode(bytes), within(0), within(1), within(2)]
}

/// Whether the text has a word that is long enough for base64. A word of hexadecimal digits does not count, since the vendors'
/// request ids have that form.
fn may_be_base64(text: &str) -> bool {
    const SHORTEST: usize = SHORTEST_IN_BASE64 * 8 / 6;
    let is_other = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_'));
    let is_hex = |b: u8| b.is_ascii_hexdigit() || b == b'-';
    let mut words = text.split(is_other);
    words.any(|word| word.len() >= SHORTEST && !word.bytes().all(is_hex))
}

/// The search for forms in all texts that may use one encoding.
struct Search<T> {
    encoding: Encoding,
    texts: T,
    /// Whether the texts are short, so that a form is compared with each of them before the set of parts is built.
    are_short: bool,
    /// The bytes that occur in the texts.
    is_in: [bool; 256],
    /// The parts of the texts, by their length.
    parts: Vec<(usize, HashSet<u128>)>,
    found: Vec<Found>,
}

impl<'t, T: Iterator<Item = &'t str> + Clone> Search<T> {
    fn new(encoding: Encoding, texts: T) -> Search<T> {
        const SHORT: usize = 512;
        let bytes = texts.clone().flat_map(str::bytes);
        Search {
            encoding,
            are_short: bytes.clone().take(SHORT + 1).count() <= SHORT,
            is_in: bytes_in(bytes.map(|byte| encoding.folded(byte))),
            texts,
            parts: Vec::new(),
            found: Vec::new(),
        }
    }

    /// Finds every part of the texts that is also in `form` and has at least `shortest` bytes, or is all of a shorter form.
    fn add(&mut self, form: &[u8], shortest: usize) {
        let encoding = self.encoding;
        let length = shortest.min(form.len());
        if length == 0 || !has_run_of(&self.is_in, form, length) {
            return;
        }
        if self.are_short && !self.texts.clone().any(|text| may_share(encoding, text, form, length)) {
            return;
        }
        if !self.parts.iter().any(|(of_length, _)| *of_length == length) {
            let folded = |text: &'t str| text.bytes().map(move |byte| encoding.folded(byte));
            let parts = self.texts.clone().flat_map(|text| parts(folded(text), length));
            self.parts.push((length, parts.map(|(_, part)| part).collect()));
        }
        let known = self.parts.iter().find(|(of_length, _)| *of_length == length);
        let Some((_, known)) = known else { return };
        for (_, part) in parts(form.iter().copied(), length).filter(|(_, part)| known.contains(part)) {
            match self.found.iter_mut().find(|found| found.length == length) {
                Some(found) => {
                    found.parts.insert(part);
                }
                None => self.found.push(Found {
                    encoding,
                    length,
                    parts: HashSet::from([part]),
                }),
            }
        }
    }
}

/// Every part of this length, at most [`LONGEST_PART`], as a number, with the index of its first byte.
fn parts(bytes: impl Iterator<Item = u8>, length: usize) -> impl Iterator<Item = (usize, u128)> {
    let mask = u128::MAX >> (8 * (LONGEST_PART - length));
    let mut part = 0;
    let ends = bytes.enumerate().map(move |(at, byte)| {
        part = (part << 8 | u128::from(byte)) & mask;
        (at + 1, part)
    });
    ends.filter_map(move |(end, part)| Some((end.checked_sub(length)?, part)))
}

/// The text without these ranges, cut at `longest`.
fn remove(text: &str, mut ranges: Vec<Range<usize>>, longest: usize) -> Option<String> {
    let boundary_before = |at: usize| (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let is_cut = text.len() > longest;
    if ranges.is_empty() && !is_cut {
        return None;
    }
    let shown_to = boundary_before(longest.min(text.len()));
    ranges.sort_by_key(|range| range.start);
    let mut cleaned = String::with_capacity(shown_to + CUT.len());
    let mut kept_to = 0;
    for range in ranges {
        // Only whole characters are shown.
        let start = boundary_before(range.start);
        if start >= shown_to {
            break;
        }
        let end = (range.end..text.len())
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(text.len());
        if start > kept_to || kept_to == 0 {
            cleaned.push_str(&text[kept_to..start.max(kept_to)]);
            cleaned.push_str(REMOVED);
        }
        kept_to = kept_to.max(end);
    }
    cleaned.push_str(text.get(kept_to..shown_to).unwrap_or_default());
    if is_cut {
        cleaned.push_str(CUT);
    }
    Some(cleaned)
}

/// Whether the two may have `length` bytes in a row in common. If the result is false, they have not.
fn may_share(encoding: Encoding, text: &str, form: &[u8], length: usize) -> bool {
    let bytes = text.bytes().map(|byte| encoding.folded(byte));
    if text.len() < length || !has_run_of(&bytes_in(bytes), form, length) {
        return false;
    }
    // A run of `length` bytes contains a whole block of half that length, wherever it begins.
    let mut blocks = text.as_bytes().chunks_exact(length.div_ceil(2));
    blocks.any(|block| {
        let mut folded = [0; LONGEST_PART];
        for (to, byte) in folded.iter_mut().zip(block) {
            *to = encoding.folded(*byte);
        }
        memmem::find(form, &folded[..block.len()]).is_some()
    })
}

fn bytes_in(text: impl Iterator<Item = u8>) -> [bool; 256] {
    let mut is_in = [false; 256];
    for byte in text {
        is_in[usize::from(byte)] = true;
    }
    is_in
}

/// Whether `form` has `length` bytes in a row that are all in the set. Each run is checked from its end, since a byte that is not
/// in the set excludes all runs that contain it.
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
