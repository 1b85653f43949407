//! Reading vendors' JSON without trusting its types: a number where text belongs, text where a number belongs.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

pub(crate) type Object = Map<String, Value>;

/// The whole body as an object, or why it is none.
pub(crate) fn object(body: &[u8]) -> Result<Object, &'static str> {
    if body.is_empty() {
        return Err("an empty body");
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("JSON, but no object"),
        Err(_) => Err("no JSON"),
    }
}

/// Text, or a whole number or truth value as text; empty for anything else, a number too large to be kept exactly among
/// it: its digits would be others than the vendor's. NUL, which C cannot hold, becomes U+FFFD.
pub(crate) fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.replace('\0', "\u{FFFD}"),
        Some(Value::Number(number)) if number.is_f64() => String::new(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        _ => String::new(),
    }
}

/// An exact whole number, or its decimal digits as text.
pub(crate) fn integer(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(digits) => digits.trim().parse().ok(),
        _ => None,
    }
}

/// The members of a JSON object, in order, values as written; a name twice is an error.
pub(crate) fn members(json: &str) -> Result<Vec<(String, &RawValue)>, String> {
    if !json.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(json).is_ok() {
        return Err("is JSON, but no object".to_owned());
    }
    let members: Members = serde_json::from_str(json).map_err(|error| format!("is no JSON object: {error}"))?;
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
                        return Err(de::Error::custom(format_args!("{name:?} stands in it twice")));
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
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_are_read_across_types_and_never_rounded() {
        assert_eq!(text(Some(&json!(3005402395393320157i64))), "3005402395393320157");
        let beyond: Value = serde_json::from_str("99999999999999999999").unwrap();
        assert_eq!(text(Some(&beyond)), "", "not 100000000000000000000");
        assert_eq!(text(Some(&json!("a\0b"))), "a\u{FFFD}b");
        assert_eq!(text(Some(&json!(["a"]))), "");
        assert_eq!(text(None), "");
        assert_eq!(integer(Some(&json!("7221856821303361536"))), Some(7221856821303361536));
        assert_eq!(integer(Some(&json!(7221856821303361536i64))), Some(7221856821303361536));
        for not_exact in [
            json!(1.0),
            json!(1e3),
            json!(u64::MAX),
            json!("1.0"),
            json!(true),
            json!(null),
        ] {
            assert_eq!(integer(Some(&not_exact)), None, "{not_exact}");
        }
    }

    #[test]
    fn what_is_no_object_says_why() {
        assert_eq!(object(b"").unwrap_err(), "an empty body");
        assert_eq!(object(b"[]").unwrap_err(), "JSON, but no object");
        assert_eq!(object(b"<html>").unwrap_err(), "no JSON");
        assert_eq!(object(&b"[".repeat(100_000)).unwrap_err(), "no JSON");
        assert!(object(b"{}").is_ok());
    }
}
