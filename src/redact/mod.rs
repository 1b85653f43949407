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
/// What stands where a text was cut.
const CUT: &str = "…";
const SHORTEST_PAYLOAD: usize = 8;
/// No part that is looked for is longer: see [`Hidden::shortest_part`].
const LONGEST_PART: usize = 16;
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
            Hidden::Payload(_) => LONGEST_PART,
        }
    }
}

/// What the texts of one outcome hold of what is hidden. The work grows with the length of the texts and with that of what
/// is hidden, and not with their product: each form is made once, and looked up in the parts of all texts together.
pub(crate) struct Cleaner(Vec<Found>);

/// Parts of texts, of one length and as one writing folds them, that are parts of something hidden, too.
struct Found {
    writing: Writing,
    length: usize,
    parts: HashSet<u128>,
}

impl Cleaner {
    /// Each text comes with the length from which it is cut. Texts that hold nothing cost almost nothing: no memory, and a
    /// look at a few of the bytes to hide.
    pub fn new<'t>(texts: impl Iterator<Item = (&'t str, usize)> + Clone, hidden: &[Hidden]) -> Cleaner {
        let mut found = Vec::new();
        for writing in [Writing::Plain, Writing::Json, Writing::Query, Writing::Base64] {
            let texts = texts.clone().map(|(text, longest)| searched(text, longest));
            let texts = texts.filter(|text| writing.may_be_in(text));
            if texts.clone().next().is_none() {
                continue;
            }
            let mut search = Search::new(writing, texts);
            for hidden in hidden.iter().filter(|hidden| !hidden.bytes().is_empty()) {
                writing.each_form(hidden.bytes(), |form| search.add(form, hidden.shortest_part()));
            }
            found.extend(search.found);
        }
        Cleaner(found)
    }

    /// One of those texts, cut and without what is hidden; `None` if it stays as it is.
    pub fn cleaned(&self, text: &str, longest: usize) -> Option<String> {
        if self.0.is_empty() && text.len() <= longest {
            return None;
        }
        let searched = searched(text, longest);
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for found in self.0.iter().filter(|found| found.writing.may_be_in(searched)) {
            let bytes = searched.bytes().map(|byte| found.writing.folded(byte));
            for (start, _) in parts(bytes, found.length).filter(|(_, part)| found.parts.contains(part)) {
                let end = start + found.length;
                match ranges.last_mut() {
                    Some(last) if last.start <= start && start <= last.end => last.end = last.end.max(end),
                    _ => ranges.push(start..end),
                }
            }
        }
        taken_out(text, ranges, longest)
    }
}

/// As much of a text as is shown, and so much behind it that what is hidden and begins before the cut is recognized.
fn searched(text: &str, longest: usize) -> &str {
    let end = (longest.saturating_add(LONGEST_PART)..text.len()).find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(text.len())]
}

/// How a text may have been written. The bytes of a text, and of what is hidden, are compared as they are folded.
#[derive(Clone, Copy, Debug)]
enum Writing {
    Plain,
    /// Hexadecimal digits and the letters of escapes are compared without case.
    Json,
    Query,
    /// The alphabet for URLs is compared as the other one.
    Base64,
}

impl Writing {
    /// By the characters of the text.
    fn may_be_in(self, text: &str) -> bool {
        match self {
            Writing::Plain => true,
            Writing::Json => text.contains('\\'),
            Writing::Query => text.contains(['%', '+']),
            Writing::Base64 => may_be_base64(text),
        }
    }

    fn folded(self, byte: u8) -> u8 {
        match (self, byte) {
            (Writing::Json | Writing::Query, byte) => byte.to_ascii_lowercase(),
            (Writing::Base64, b'-') => b'+',
            (Writing::Base64, b'_') => b'/',
            (Writing::Plain | Writing::Base64, byte) => byte,
        }
    }

    /// Every form that the bytes have in this writing, folded.
    fn each_form(self, bytes: &[u8], mut take: impl FnMut(&[u8])) {
        let mut take_unless_plain = |mut form: String| {
            if form != shown(bytes) {
                form.make_ascii_lowercase();
                take(form.as_bytes());
            }
        };
        match self {
            Writing::Plain => take(shown(bytes).as_bytes()),
            Writing::Json => json_forms(&String::from_utf8_lossy(bytes))
                .into_iter()
                .for_each(take_unless_plain),
            Writing::Query => query_forms(bytes).into_iter().for_each(&mut take_unless_plain),
            Writing::Base64 if bytes.len() < SHORTEST_IN_BASE64 => {}
            Writing::Base64 => base64_forms(bytes).iter().for_each(|form| take(form.as_bytes())),
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

/// Looks for forms in all texts that may be written in one way.
struct Search<T> {
    writing: Writing,
    texts: T,
    /// The texts are so short together that each of them is compared with a form before anything is set up.
    are_short: bool,
    /// The bytes that the texts have.
    is_in: [bool; 256],
    /// The parts of the texts, by their length.
    parts: Vec<(usize, HashSet<u128>)>,
    found: Vec<Found>,
}

impl<'t, T: Iterator<Item = &'t str> + Clone> Search<T> {
    fn new(writing: Writing, texts: T) -> Search<T> {
        const SHORT: usize = 512;
        let bytes = texts.clone().flat_map(str::bytes);
        Search {
            writing,
            are_short: bytes.clone().take(SHORT + 1).count() <= SHORT,
            is_in: bytes_in(bytes.map(|byte| writing.folded(byte))),
            texts,
            parts: Vec::new(),
            found: Vec::new(),
        }
    }

    /// Finds every part of the texts that also stands in `form`, of at least `shortest` bytes, or the whole of a shorter form.
    fn add(&mut self, form: &[u8], shortest: usize) {
        let writing = self.writing;
        let length = shortest.min(form.len());
        if length == 0 || !has_run_of(&self.is_in, form, length) {
            return;
        }
        if self.are_short && !self.texts.clone().any(|text| may_share(writing, text, form, length)) {
            return;
        }
        if !self.parts.iter().any(|(of_length, _)| *of_length == length) {
            let folded = |text: &'t str| text.bytes().map(move |byte| writing.folded(byte));
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
                    writing,
                    length,
                    parts: HashSet::from([part]),
                }),
            }
        }
    }
}

/// Every part of this length, at most [`LONGEST_PART`], as a number, with the place where it begins.
fn parts(bytes: impl Iterator<Item = u8>, length: usize) -> impl Iterator<Item = (usize, u128)> {
    let mask = u128::MAX >> (8 * (LONGEST_PART - length));
    let mut part = 0;
    let ends = bytes.enumerate().map(move |(at, byte)| {
        part = (part << 8 | u128::from(byte)) & mask;
        (at + 1, part)
    });
    ends.filter_map(move |(end, part)| Some((end.checked_sub(length)?, part)))
}

/// The text without these ranges, cut where it is too long.
fn taken_out(text: &str, mut ranges: Vec<Range<usize>>, longest: usize) -> Option<String> {
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
        // A character is shown whole or not at all.
        let start = boundary_before(range.start);
        if start >= shown_to {
            break;
        }
        let end = (range.end..text.len())
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(text.len());
        if start > kept_to || kept_to == 0 {
            cleaned.push_str(&text[kept_to..start.max(kept_to)]);
            cleaned.push_str(GONE);
        }
        kept_to = kept_to.max(end);
    }
    cleaned.push_str(text.get(kept_to..shown_to).unwrap_or_default());
    if is_cut {
        cleaned.push_str(CUT);
    }
    Some(cleaned)
}

/// Whether the two may have so many bytes in a row in common. What this says no to has none.
fn may_share(writing: Writing, text: &str, form: &[u8], length: usize) -> bool {
    let bytes = text.bytes().map(|byte| writing.folded(byte));
    if text.len() < length || !has_run_of(&bytes_in(bytes), form, length) {
        return false;
    }
    // So many bytes in a row hold one whole block of half of them, wherever they begin.
    let mut blocks = text.as_bytes().chunks_exact(length.div_ceil(2));
    blocks.any(|block| {
        let mut folded = [0; LONGEST_PART];
        for (to, byte) in folded.iter_mut().zip(block) {
            *to = writing.folded(*byte);
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
