//! HTTP: the accept loop, the bytes of each connection, the vendors' endpoint and the control API.

pub(crate) mod control;
mod json_error;
pub(crate) mod router;
pub(crate) mod server;
mod stream;
pub(crate) mod tls;
