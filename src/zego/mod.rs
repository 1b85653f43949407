//! ZEGO. This folder makes signed GET requests of messages, and outcomes of answers.
//!
//! It is pure: it does no I/O, and time and nonce are arguments. The GET has a side effect, so nothing may repeat it.

pub(crate) mod actions;
pub(crate) mod answer;
mod codes;
pub mod sign;

use std::fmt::Write as _;

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Uri};
use time::UtcDateTime;

use crate::config::{self, Config, Endpoint};
use crate::error::Error;
use crate::secret::Secret;
use crate::util::percent;

/// The settings of a client that do not change.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    /// The sites in the order in which they are tried; never empty.
    pub sites: Vec<Site>,
    /// The AppId in decimal digits, as it is signed and sent.
    pub app_id: String,
    /// The `IsTest` parameter; `None` omits it.
    pub is_test: Option<bool>,
}

/// An endpoint, and the parts that all requests to it share.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub endpoint: Endpoint,
    root: Uri,
    host: HeaderValue,
}

/// The secret that signs requests.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub server_secret: Secret,
}

impl Credentials {
    /// Credentials that replace those of a client while it runs. ZEGO only has a ServerSecret.
    pub fn new(key_id: &str, secret: &str, session_token: &str) -> Result<Credentials, Error> {
        for (field, value) in [("key_id", key_id), ("session_token", session_token)] {
            if !value.is_empty() {
                return Err(Error::invalid(
                    field,
                    "must be empty: ZEGO's only credential is the ServerSecret",
                ));
            }
        }
        config::check_credential(&config::ZEGO_SERVER_SECRET, "secret", secret)?;
        Ok(Credentials {
            server_secret: Secret::new(secret),
        })
    }
}

/// The project and credentials in a configuration; `None` if it has no setting of this vendor.
pub(crate) fn configured(config: &Config) -> Result<Option<(Project, Credentials)>, Error> {
    let needed = [&config::ZEGO_APP_ID, &config::ZEGO_SERVER_SECRET];
    if !needed.iter().any(|setting| config.is_given(setting)) {
        return Ok(None);
    }
    for setting in needed {
        if !config.is_given(setting) {
            let text = "ZEGO needs zego.app_id and zego.server_secret; this one is not set";
            return Err(Error::not_configured(setting.key, text));
        }
    }
    let app_id = config
        .optional_integer(&config::ZEGO_APP_ID)
        .and_then(|id| u32::try_from(id).ok());
    let project = Project {
        sites: sites(config)?,
        app_id: app_id
            .ok_or_else(|| Error::invalid(config::ZEGO_APP_ID.key, "must be a ZEGO AppId"))?
            .to_string(),
        is_test: match config.text(&config::ZEGO_IS_TEST) {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
    };
    Ok(Some((
        project,
        Credentials {
            server_secret: config.secret(&config::ZEGO_SERVER_SECRET),
        },
    )))
}

fn sites(config: &Config) -> Result<Vec<Site>, Error> {
    let key = config::ZEGO_ENDPOINT.key;
    let site = |(endpoint, region): (Endpoint, Option<String>)| match region {
        None => Site::new(endpoint).map_err(|error| Error::invalid(key, error.to_string())),
        Some(_) => Err(Error::invalid(
            key,
            "endpoints of ZEGO have no region: remove @ and the text after it",
        )),
    };
    config
        .endpoints(&config::ZEGO_ENDPOINT)?
        .into_iter()
        .map(site)
        .collect()
}

impl Site {
    fn new(endpoint: Endpoint) -> Result<Site, http::Error> {
        Ok(Site {
            root: Uri::try_from(endpoint.origin())?,
            host: HeaderValue::try_from(endpoint.host_header())?,
            endpoint,
        })
    }

    fn uri(&self, path_and_query: String) -> Result<Uri, http::Error> {
        let mut parts = self.root.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(path_and_query)?);
        Ok(Uri::from_parts(parts)?)
    }
}

/// The signed request. All parameters are in the query. `nonce` must be new for every attempt.
pub(crate) fn request(
    project: &Project,
    site: &Site,
    credentials: &Credentials,
    action: &str,
    parameters: &[(&str, &str)],
    now: UtcDateTime,
    nonce: &str,
) -> Result<Request<Vec<u8>>, http::Error> {
    const COMMON: usize = 256;
    let mut query = String::with_capacity(COMMON + percent::longest(parameters));
    query.push_str("/?");
    for (name, value) in [
        ("Action", action),
        ("AppId", &*project.app_id),
        ("SignatureNonce", nonce),
        ("Timestamp", ""),
    ] {
        percent::push_pair(&mut query, name, value);
    }
    let from = query.len();
    write!(query, "{}", now.unix_timestamp()).expect("a write to a String cannot fail");
    let signature = sign::signature(&project.app_id, nonce, &credentials.server_secret, &query[from..]);
    percent::push_pair(&mut query, "Signature", &signature);
    percent::push_pair(&mut query, "SignatureVersion", "2.0");
    if let Some(is_test) = project.is_test {
        percent::push_pair(&mut query, "IsTest", if is_test { "true" } else { "false" });
    }
    for (name, value) in parameters {
        percent::push_pair(&mut query, name, value);
    }
    let mut headers = HeaderMap::with_capacity(1);
    headers.insert(HOST, site.host.clone());
    let mut request = Request::new(Vec::new());
    *request.uri_mut() = site.uri(query)?;
    *request.headers_mut() = headers;
    Ok(request)
}
