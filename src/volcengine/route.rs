//! A route: the parts of a request that are the same for every request of one action to one site. They are computed once.

use std::fmt;

use http::{HeaderValue, Uri};

use super::credentials::Credentials;
use super::sign::{self, RequestPrefix, SigningKey};
use crate::config::Endpoint;

pub(super) const JSON: &str = "application/json";
pub(super) const CONTENT_SHA256: &str = "x-content-sha256";
pub(super) const DATE: &str = "x-date";
pub(super) const SECURITY_TOKEN: &str = "x-security-token";

#[derive(Clone)]
pub(super) struct Route {
    action: String,
    version: String,
    pub uri: Uri,
    pub host: HeaderValue,
    without_token: RequestPrefix,
    with_token: RequestPrefix,
}

impl Route {
    /// It fails only if the action is too long for a URL.
    pub fn new(endpoint: &Endpoint, action: &str, version: &str) -> Result<Route, http::Error> {
        let query = sign::canonical_query(&[("Action", action), ("Version", version)]);
        let host = endpoint.host_header();
        let headers = [("content-type", JSON), ("host", &*host)];
        Ok(Route {
            action: action.to_owned(),
            version: version.to_owned(),
            uri: Uri::try_from(format!("{}/?{query}", endpoint.origin()))?,
            without_token: RequestPrefix::new("POST", "/", &query, &headers, &[CONTENT_SHA256, DATE]),
            with_token: RequestPrefix::new("POST", "/", &query, &headers, &[CONTENT_SHA256, DATE, SECURITY_TOKEN]),
            host: HeaderValue::try_from(host)?,
        })
    }

    /// The Authorization header of a request on this route.
    pub fn authorization(
        &self,
        credentials: &Credentials,
        key: &SigningKey,
        x_date: &str,
        body_sha256: &str,
    ) -> String {
        let access_key = &credentials.access_key;
        let values = [body_sha256, x_date, credentials.session_token.expose()];
        let (prefix, values) = match credentials.session_token.is_empty() {
            true => (&self.without_token, &values[..2]),
            false => (&self.with_token, &values[..]),
        };
        prefix.authorization(access_key, key, x_date, values, body_sha256)
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
