//! Readers of the vendors' JSON that do not rely on its types: there may be a number instead of a text, and a text instead
//! of a number.
//!
//! Each answer has two readers that fill the same structs. The strict one borrows from the body and accepts only what the
//! vendor's pages describe: [`parse_strict`]. The lenient one accepts everything, by a tree of values: [`parse_lenient`]. It
//! reads what the strict one does not accept. Codes decide what an answer means, so a damaged text must not make an answer
//! unreadable.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A value of an answer. Unlike that of `serde_json` it keeps all members of an object, also those of the same name.
#[derive(Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// An exact whole number.
    Whole(i128),
    /// A number that was read as a double, so its digits may differ from those of the vendor.
    Inexact,
    Text(String),
    List(Vec<Value>),
    Object(Object),
}

impl Value {
    /// Whether it is null, an empty text, an empty object, or a list of such values.
    pub fn is_blank(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Text(text) => text.is_empty(),
            Value::List(items) => items.iter().all(Value::is_blank),
            Value::Object(Object(members)) => members.is_empty(),
            Value::Bool(_) | Value::Whole(_) | Value::Inexact => false,
        }
    }
}

/// The members of an object, in their order.
#[derive(Debug, PartialEq)]
pub(crate) struct Object(Vec<(String, Value)>);

/// An object contains a name twice, misspelled or damaged, so its value is not known.
#[derive(Debug, PartialEq)]
pub(crate) struct Unclear;

impl Object {
    /// The value of this member; `None` if it is missing or null.
    ///
    /// # Errors
    /// The object contains the name twice, or a name that may mean this one, so neither value nor absence is certain.
    pub fn member(&self, name: &str) -> Result<Option<&Value>, Unclear> {
        let mut alike = self.0.iter().filter(|(key, _)| may_mean(key, name));
        match (alike.next(), alike.next()) {
            (None, _) => Ok(None),
            (Some((key, value)), None) if key == name => Ok(Some(value).filter(|value| !matches!(value, Value::Null))),
            _ => Err(Unclear),
        }
    }

    /// Whether a member of this name, or of one that may mean it, has a value that is not blank.
    pub fn says(&self, name: &str) -> bool {
        self.member(name)
            .map_or(true, |value| value.is_some_and(|value| !value.is_blank()))
    }

    /// A text that is only shown, and decides nothing. It is empty if the member is missing or unclear.
    pub fn text(&self, name: &str) -> Text<'static> {
        Text(text(self.member(name).ok().flatten()).into())
    }

    /// A number; `None` if the member is missing, not exact or unclear.
    pub fn integer(&self, name: &str) -> Option<i64> {
        integer(self.member(name).ok().flatten())
    }
}

/// Whether the name of a member may mean `name`: it has the same letters and digits in any case, or it is `name` with damaged
/// characters.
pub(crate) fn may_mean(key: &str, name: &str) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = u8> {
        let letters = text.bytes().filter(u8::is_ascii_alphanumeric);
        letters.map(|letter| letter.to_ascii_lowercase())
    }
    let is_damaged = || {
        let mut pairs = key.chars().zip(name.chars());
        key.contains('\u{FFFD}')
            && key.chars().count() == name.chars().count()
            && pairs.all(|(c, of_name)| c == '\u{FFFD}' || c.eq_ignore_ascii_case(&of_name))
    };
    letters(key).eq(letters(name)) || is_damaged()
}

/// The body of an answer as an object. Damaged texts in it are replaced: see [`repair`].
///
/// # Errors
/// A text that says why the body is not an object.
pub(crate) fn parse_lenient(body: &[u8]) -> Result<Object, &'static str> {
    if body.is_empty() {
        return Err("the body is empty");
    }
    match serde_json::from_str(&repair(body)) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("the body is JSON, but not an object"),
        Err(_) => Err("the body is not JSON"),
    }
}

/// The body with its texts made valid. Invalid UTF-8, half a surrogate pair and an unknown escape become U+FFFD, and a bare
/// control character becomes its escape. Between texts a byte order mark is removed, and a number that is too large for a double
/// is replaced by another inexact number. Nothing else is changed, so a body that is cut off or otherwise invalid stays invalid.
fn repair(body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    let mut repaired = String::with_capacity(body.len());
    let mut rest = &*body;
    let mut in_text = false;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            '"' => {
                in_text = !in_text;
                repaired.push(c);
            }
            '\\' if in_text => {
                let (escape, escape_length) = escape(rest);
                repaired.push_str(escape);
                length = escape_length;
            }
            '\0'..' ' if in_text => repaired.push_str(&format!("\\u{:04x}", u32::from(c))),
            '\u{FEFF}' if !in_text => {}
            '-' | '0'..='9' if !in_text => {
                let is_part = |c: char| matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9');
                length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                let number = &rest[..length];
                match finite(number) {
                    Some(number) => repaired.push_str(&number),
                    None => repaired.push_str(number),
                }
            }
            _ => repaired.push(c),
        }
        rest = &rest[length..];
    }
    repaired
}

/// The replacement of a number that is too large for a double; `None` if the number is not too large. The replacement fits
/// into a double, and is valid JSON only if the number is.
fn finite(number: &str) -> Option<String> {
    const MOST_DIGITS: usize = 20;
    number.parse().ok().filter(|number: &f64| number.is_infinite())?;
    let mantissa = number.split(['e', 'E']).next()?;
    let whole = mantissa.find('.').unwrap_or(mantissa.len());
    let (whole, fraction) = mantissa.split_at(whole);
    Some(format!("{}{fraction}e1", &whole[..whole.len().min(MOST_DIGITS)]))
}

/// The replacement of the escape at the beginning of `text`, and the length of that escape.
fn escape(text: &str) -> (&str, usize) {
    const LOST: &str = "\u{FFFD}";
    let unit = |from: usize| {
        let digits = text.get(from..from + 6)?.strip_prefix("\\u")?;
        let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        is_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    };
    match text.as_bytes().get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => (&text[..2], 2),
        Some(b'u') => match (unit(0), unit(6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (&text[..12], 12),
            (Some(0xD800..=0xDFFF), _) => (LOST, 6),
            (Some(_), _) => (&text[..6], 6),
            (None, _) => (LOST, 2),
        },
        _ => (LOST, 1),
    }
}

/// A text, a whole number or a boolean, as text. It is empty for any other value, and for an inexact number, whose digits would
/// not be those of the vendor. NUL is replaced by U+FFFD, since the texts of the C ABI end with NUL.
fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::Text(text)) => text.replace('\0', "\u{FFFD}"),
        Some(Value::Whole(number)) => number.to_string(),
        Some(Value::Bool(value)) => value.to_string(),
        _ => String::new(),
    }
}

/// An exact whole number, or its decimal digits as text.
fn integer(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Whole(number) => i64::try_from(*number).ok(),
        Value::Text(digits) => whole(digits),
        _ => None,
    }
}

/// The number in decimal digits.
pub(crate) fn whole(digits: &str) -> Option<i64> {
    digits.trim().parse().ok()
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
                Ok(Value::Whole(number.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
                Ok(Value::Whole(number.into()))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
                Ok(Value::Inexact)
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Value, E> {
                Ok(Value::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Value::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Value::Object(Object(members)))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// The body in one pass, if it has the form that the vendor's pages describe. `None` only means that [`parse_lenient`] has to
/// read it.
pub(crate) fn parse_strict<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// A text of an answer. It is borrowed unless it contains an escape, and empty if it is missing.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    /// The text for a report. It is not copied if it is one of these words.
    pub fn kept(&self, known: &[&'static str]) -> Cow<'static, str> {
        match known.iter().find(|word| **word == self.0) {
            Some(word) => Cow::Borrowed(word),
            None => Cow::Owned(self.0.to_string()),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Plain;
        impl<'de> Visitor<'de> for Plain {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                is_plain(text)
                    .then_some(Text(Cow::Borrowed(text)))
                    .ok_or_else(unexpected)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                is_plain(text)
                    .then(|| Text(Cow::Owned(text.to_owned())))
                    .ok_or_else(unexpected)
            }
        }
        deserializer.deserialize_str(Plain)
    }
}

/// Whether there is a value where the vendor's pages have none. The strict reader accepts only null there.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Misplaced(pub bool);

impl<'de> Deserialize<'de> for Misplaced {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Misplaced(false))
    }
}

/// Whether the text has no NUL, which would have to be replaced.
fn is_plain(text: &str) -> bool {
    !text.contains('\0')
}

fn unexpected<E: de::Error>() -> E {
    E::custom("unexpected text")
}

/// A value that no reader uses. It is checked as strictly as one that is used, so that an answer is readable as a whole or not
/// at all.
pub(crate) struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Ignored;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_unit<E>(self) -> Result<Ignored, E> {
                Ok(Ignored)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Ignored, E> {
                Ok(Ignored)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Ignored, E> {
                Ok(Ignored)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Ignored, E> {
                Ok(Ignored)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Ignored, E> {
                Ok(Ignored)
            }

            fn visit_str<E>(self, _: &str) -> Result<Ignored, E> {
                Ok(Ignored)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Ignored, A::Error> {
                while list.next_element::<Ignored>()?.is_some() {}
                Ok(Ignored)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ignored, A::Error> {
                while map.next_entry::<Text, Ignored>()?.is_some() {}
                Ok(Ignored)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// Defines a struct that is read only from an object, whose members have exactly the names that the vendor gives them. A missing
/// member has the default of its type. An object with a name that appears twice or is misspelled is not accepted. (A reader that
/// `serde` derives would also accept a list, and would ignore such names.)
macro_rules! shape {
    ($(#[$about:meta])* $of:ident<$a:lifetime> { $($name:literal => $field:ident: $type:ty,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Default, PartialEq)]
        struct $of<$a> {
            $($field: $type,)+
        }

        impl<'de: $a, $a> serde::de::Deserialize<'de> for $of<$a> {
            fn deserialize<D: serde::de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Members<$a>(std::marker::PhantomData<&$a ()>);
                impl<'de: $a, $a> serde::de::Visitor<'de> for Members<$a> {
                    type Value = $of<$a>;

                    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        $(let mut $field: Option<$type> = None;)+
                        while let Some(name) = map.next_key::<$crate::util::json::Text>()? {
                            let is_unclear = match &*name.0 {
                                $($name => $field.replace(map.next_value()?).is_some(),)+
                                other => {
                                    map.next_value::<$crate::util::json::Ignored>()?;
                                    [$($name),+].iter().any(|name| $crate::util::json::may_mean(other, name))
                                }
                            };
                            if is_unclear {
                                return Err(serde::de::Error::custom("a name appears twice or is misspelled"));
                            }
                        }
                        Ok($of { $($field: $field.unwrap_or_default(),)+ })
                    }
                }
                deserializer.deserialize_map(Members(std::marker::PhantomData))
            }
        }
    };
}
pub(crate) use shape;

/// All texts in this JSON except the names, repaired as those of an answer: see [`repair`]. It accepts all that [`members`]
/// accepts, also where no tree of values is possible: half a surrogate pair, a number out of range, unlimited depth.
pub(crate) fn texts(json: &str) -> Vec<String> {
    let json = repair(json.as_bytes());
    let mut texts = Vec::new();
    let mut rest = &*json;
    while let Some(start) = rest.find('"') {
        let mut is_escaped = false;
        let end = rest[start + 1..].bytes().position(|byte| {
            let is_end = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            is_end
        });
        let Some(length) = end else { break };
        let (text, behind) = rest[start..].split_at(length + 2);
        if !behind.trim_start().starts_with(':') {
            texts.extend(serde_json::from_str::<String>(text));
        }
        rest = behind;
    }
    texts
}

/// The members of a JSON object, in their order, with values as they are written. A name that appears twice is an error.
pub(crate) fn members(json: &str) -> Result<Vec<(String, &RawValue)>, String> {
    if !json.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(json).is_ok() {
        return Err("must be a JSON object".to_owned());
    }
    let members: Members = serde_json::from_str(json).map_err(|error| format!("is not a JSON object: {error}"))?;
    Ok(members.0)
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &'de RawValue)> = Vec::new();
                let mut names = std::collections::HashSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !names.insert(name.clone()) {
                        return Err(de::Error::custom(format_args!("the name {name:?} appears twice")));
                    }
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
pub(crate) mod tests;
