//! The way to an action at a site: what is the same in every request that goes there, made once.

use std::fmt;

use http::{HeaderValue, Uri};

use super::sign;
use crate::config::Endpoint;

pub(super) const JSON: &str = "application/json";

#[derive(Clone)]
pub(super) struct Route {
    action: String,
    version: String,
    pub uri: Uri,
    pub host: HeaderValue,
    /// Up to the header `x-content-sha256`.
    pub opening: sign::Opening,
}

impl Route {
    /// Fails only for an action too long for a URL.
    pub fn new(endpoint: &Endpoint, action: &str, version: &str) -> Result<Route, http::Error> {
        let query = sign::canonical_query(&[("Action", action), ("Version", version)]);
        let host = endpoint.host_header();
        let headers = [("content-type", JSON), ("host", &*host)];
        Ok(Route {
            action: action.to_owned(),
            version: version.to_owned(),
            uri: Uri::try_from(format!("{}/?{query}", endpoint.origin()))?,
            opening: sign::Opening::new("POST", "/", &query, &headers),
            host: HeaderValue::try_from(host)?,
        })
    }

    pub fn is_to(&self, action: &str, version: &str) -> bool {
        self.action == action && self.version == version
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Route({})", self.uri)
    }
}
