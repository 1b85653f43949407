//! The answer to a vendor request.

use axum::http::{HeaderName, HeaderValue, header};
use serde_json::Value;

/// What goes back to the client, and the vendor's code in it: 0 or an empty text when all is well.
pub(crate) struct Reply {
    pub status: u16,
    pub code: Value,
    pub body: Vec<u8>,
    /// In place of those that every answer has, or beside them.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    pub fn with_retry_after(mut self, value: Option<&HeaderValue>) -> Self {
        self.headers
            .extend(value.map(|value| (header::RETRY_AFTER, value.clone())));
        self
    }
}
