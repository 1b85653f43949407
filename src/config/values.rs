//! The check of a setting's value, for the kind that the table gives it.

use super::endpoint::Endpoint;
use super::proxy::Proxy;
use super::quote::quoted;
use super::settings::{Kind, MAX_TEXT, Setting};
use crate::error::{Error, grouped};

impl Setting {
    pub(super) fn check(&self, value: &str) -> Result<(), Error> {
        self.check_as(self.key, value)
    }

    /// The same check for a value that does not come through [`Config::set`](super::Config::set): an error names `field`.
    pub(crate) fn check_as(&self, field: &'static str, value: &str) -> Result<(), Error> {
        if value.contains('\0') {
            return Err(Error::invalid(field, "the value contains a NUL character"));
        }
        if value.len() > MAX_TEXT {
            let text = format!(
                "the value is {} bytes long, at most {} are taken",
                grouped(value.len()),
                grouped(MAX_TEXT)
            );
            return Err(Error::invalid(field, text));
        }
        match self.kind {
            Kind::Text => printable(field, value),
            Kind::Ascii | Kind::Secret => ascii(field, value),
            Kind::FixedSecret(length) => {
                ascii(field, value)?;
                check_length(field, value, length)
            }
            Kind::Integer { min, max, unit } => check_integer(field, value, min, max, unit),
            Kind::Choice(words) if words.contains(&value) => Ok(()),
            Kind::Choice(words) => Err(Error::invalid(
                field,
                format!("{} is none of {}", quoted(value), words.join(", ")),
            )),
            Kind::Proxy => {
                ascii(field, value)?;
                match value {
                    "env" => Ok(()),
                    url => Proxy::from_setting(field, url).map(drop),
                }
            }
            Kind::Endpoints => {
                printable(field, value)?;
                Endpoint::parse_list(field, value).map(drop)
            }
        }
    }
}

/// Texts of settings end up in headers, URLs and paths: control characters have no place in any of them.
fn printable(key: &'static str, value: &str) -> Result<(), Error> {
    match value.chars().find(|c| c.is_control()) {
        Some(c) => Err(Error::invalid(
            key,
            format!("the value contains the control character {}", c.escape_unicode()),
        )),
        None if value.trim() != value => Err(Error::invalid(key, "the value begins or ends with a space")),
        None => Ok(()),
    }
}

/// A key or secret that does not come through [`Config::set`](super::Config::set) and must be given.
pub(crate) fn check_credential(setting: &Setting, field: &'static str, value: &str) -> Result<(), Error> {
    if value.is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    setting.check_as(field, value)
}

/// For values that are ASCII already, so that bytes are characters.
fn check_length(key: &'static str, value: &str, length: usize) -> Result<(), Error> {
    if value.len() == length {
        return Ok(());
    }
    let text = format!(
        "the value has {} characters, but it must have {length}",
        grouped(value.len())
    );
    Err(Error::invalid(key, text))
}

fn ascii(key: &'static str, value: &str) -> Result<(), Error> {
    if !value.is_ascii() {
        return Err(Error::invalid(key, "the value contains a character outside ASCII"));
    }
    printable(key, value)
}

fn check_integer(key: &'static str, value: &str, min: i64, max: i64, unit: &str) -> Result<(), Error> {
    let in_digits = value.bytes().all(|b| b.is_ascii_digit());
    match value.parse::<i64>() {
        Ok(number) if in_digits && (min..=max).contains(&number) => Ok(()),
        _ => {
            let (min, max) = (grouped(min), grouped(max));
            let range = format!("a whole number from {min} to {max} {unit}");
            Err(Error::invalid(
                key,
                format!("{} is not {}", quoted(value), range.trim_end()),
            ))
        }
    }
}
