//! The errors of the emulator itself, as opposed to a vendor's: `{"error": "..."}`.

use std::fmt::Display;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// An error answer of the emulator itself.
pub(crate) fn json_error(status: StatusCode, message: &str) -> Response {
    let body = serde_json::json!({ "error": message }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Invalid input to the control API. The text names the field.
pub(crate) struct BadInput(pub String);

impl BadInput {
    pub fn field(name: &str, fault: impl Display) -> Self {
        Self(format!("{name} {fault}"))
    }
}

impl IntoResponse for BadInput {
    fn into_response(self) -> Response {
        json_error(StatusCode::BAD_REQUEST, &self.0)
    }
}
