//! Strict reading of JSON from users. An error names the field.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a JSON object. Plain serde would also accept an array for a struct, and would not name a field of the wrong type.
pub(crate) fn read_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    if !bytes.trim_ascii().starts_with(b"{") {
        return Err("the body must be a JSON object".to_owned());
    }
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut source).map_err(with_path)?;
    source.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// Reads an object that is already parsed.
pub(crate) fn read_value<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    if !value.is_object() {
        return Err("must be a JSON object".to_owned());
    }
    serde_path_to_error::deserialize(value).map_err(with_path)
}

fn with_path(error: serde_path_to_error::Error<serde_json::Error>) -> String {
    let path = error.path().to_string();
    let fault = error.into_inner();
    if path == "." {
        fault.to_string()
    } else {
        format!("{path}: {fault}")
    }
}
