//! The names of settings: keys, variables of the environment, and the nearest key to an unknown one.

use super::service_links;
use super::settings::{SETTINGS, Setting};
use crate::error::Error;

pub(super) fn find(key: &str) -> Result<&'static Setting, Error> {
    SETTINGS
        .iter()
        .find(|setting| setting.key == key)
        .ok_or_else(|| unknown_key(key, nearest(key, SETTINGS.iter().map(|setting| setting.key.to_owned()))))
}

fn unknown_key(key: &str, nearest: Option<String>) -> Error {
    let shown: String = key.chars().take(64).flat_map(char::escape_debug).collect();
    let text = match nearest {
        Some(nearest) => format!("unknown setting \"{shown}\"; did you mean {nearest}?"),
        None => format!("unknown setting \"{shown}\"; docs/CONFIGURATION.md lists them"),
    };
    Error::invalid(shown, text)
}

fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    if name.len() > 128 {
        return None; // Too far from every key; the distance is not worth its cost.
    }
    let name = name.to_lowercase();
    known
        .map(|candidate| (strsim::jaro_winkler(&name, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

pub(super) fn variable_of(setting: &Setting) -> String {
    format!("RTCMSG_{}", setting.key.to_uppercase().replace('.', "_"))
}

/// The key that a variable sets. Names outside our sections (`RTCMSG_LIBRARY`) belong to others and are ignored, and so
/// are the service links of Kubernetes.
pub(super) fn key_of_variable(name: &str, value: Option<&str>) -> Result<Option<&'static str>, Error> {
    if let Some(setting) = SETTINGS.iter().find(|setting| variable_of(setting) == name) {
        return Ok(Some(setting.key));
    }
    let is_ours = SETTINGS.iter().any(|setting| {
        let section = setting.key.split('.').next().unwrap_or_default();
        name.starts_with(&format!("RTCMSG_{}_", section.to_uppercase()))
    });
    if is_ours && !value.is_some_and(|value| service_links::is_service_link(name, value)) {
        return Err(unknown_key(name, nearest(name, SETTINGS.iter().map(variable_of))));
    }
    Ok(None)
}
