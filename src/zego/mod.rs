//! ZEGO: a message and the project in, a signed GET out; an answer in, a report out.
//!
//! Pure: no I/O; time and nonce come in as arguments. The GET has a side effect: nothing may replay it.

pub(crate) mod actions;
pub(crate) mod answer;
mod codes;
pub mod sign;

use http::Request;
use http::header::HOST;
use time::UtcDateTime;

use crate::config::{self, Config, Endpoint};
use crate::error::Error;
use crate::percent;
use crate::secret::Secret;

/// What stays the same for a client.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    /// In the order they are tried; never empty.
    pub endpoints: Vec<Endpoint>,
    pub app_id: u32,
    /// The `IsTest` parameter; `None` leaves it out.
    pub is_test: Option<bool>,
}

/// What signs.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub server_secret: Secret,
}

impl Credentials {
    /// New credentials for a client that runs: a ServerSecret, and nothing else.
    pub fn new(key_id: &str, secret: &str, session_token: &str) -> Result<Credentials, Error> {
        for (field, value) in [("key_id", key_id), ("session_token", session_token)] {
            if !value.is_empty() {
                return Err(Error::invalid(
                    field,
                    "must be empty: ZEGO's credentials are the ServerSecret alone",
                ));
            }
        }
        config::check_credential("secret", secret, true)?;
        Ok(Credentials {
            server_secret: Secret::new(secret),
        })
    }
}

/// The project in a configuration, if this vendor is configured at all.
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
        endpoints: endpoints(config)?,
        app_id: app_id.ok_or_else(|| Error::invalid(config::ZEGO_APP_ID.key, "is no ZEGO AppId"))?,
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

fn endpoints(config: &Config) -> Result<Vec<Endpoint>, Error> {
    let without_region = |(endpoint, region): (Endpoint, Option<String>)| match region {
        None => Ok(endpoint),
        Some(_) => Err(Error::invalid(
            config::ZEGO_ENDPOINT.key,
            "ZEGO's endpoints have no region: leave out @ and what follows",
        )),
    };
    config
        .endpoints(&config::ZEGO_ENDPOINT)?
        .into_iter()
        .map(without_region)
        .collect()
}

/// The signed request: everything stands in the query. `nonce` is fresh for every attempt.
pub(crate) fn request(
    project: &Project,
    endpoint: &Endpoint,
    credentials: &Credentials,
    action: &str,
    parameters: &[(&str, &str)],
    now: UtcDateTime,
    nonce: &str,
) -> Result<Request<Vec<u8>>, http::Error> {
    let app_id = project.app_id.to_string();
    let timestamp = now.unix_timestamp().to_string();
    let signature = sign::signature(&app_id, nonce, &credentials.server_secret, &timestamp);
    let mut common = vec![
        ("Action", action),
        ("AppId", &app_id),
        ("SignatureNonce", nonce),
        ("Timestamp", &timestamp),
        ("Signature", &signature),
        ("SignatureVersion", "2.0"),
    ];
    if let Some(is_test) = project.is_test {
        common.push(("IsTest", if is_test { "true" } else { "false" }));
    }
    let query = percent::query(common.into_iter().chain(parameters.iter().copied()));
    Request::get(format!("{}/?{query}", endpoint.origin()))
        .header(HOST, endpoint.host_header())
        .body(Vec::new())
}
