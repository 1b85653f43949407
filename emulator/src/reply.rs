//! The answer to a vendor request.

use axum::http::{HeaderName, HeaderValue, header};
use serde_json::Value;

/// The answer to send, and the vendor's code in it: 0 (ZEGO) or an empty text (Volcengine) on success.
pub(crate) struct Reply {
    pub status: u16,
    pub code: Value,
    pub body: Vec<u8>,
    /// Headers to add. They replace those of the same name that every answer has.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    pub fn with_retry_after(mut self, value: Option<&HeaderValue>) -> Self {
        self.headers
            .extend(value.map(|value| (header::RETRY_AFTER, value.clone())));
        self
    }
}
