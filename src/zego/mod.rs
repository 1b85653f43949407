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
    pub endpoint: Endpoint,
    pub app_id: u32,
    /// The `IsTest` parameter; `None` leaves it out.
    pub is_test: Option<bool>,
}

/// The project in a configuration, if this vendor is configured at all.
pub(crate) fn configured(config: &Config) -> Result<Option<(Project, Secret)>, Error> {
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
        endpoint: config.endpoint(&config::ZEGO_ENDPOINT)?,
        app_id: app_id.ok_or_else(|| Error::invalid(config::ZEGO_APP_ID.key, "is no ZEGO AppId"))?,
        is_test: match config.text(&config::ZEGO_IS_TEST) {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
    };
    Ok(Some((project, config.secret(&config::ZEGO_SERVER_SECRET))))
}

/// The signed request: everything stands in the query. `nonce` is fresh for every attempt.
pub(crate) fn request(
    project: &Project,
    server_secret: &Secret,
    action: &str,
    parameters: &[(&str, &str)],
    now: UtcDateTime,
    nonce: &str,
) -> Result<Request<Vec<u8>>, http::Error> {
    let app_id = project.app_id.to_string();
    let timestamp = now.unix_timestamp().to_string();
    let signature = sign::signature(&app_id, nonce, server_secret, &timestamp);
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
    Request::get(format!("{}/?{query}", project.endpoint.origin()))
        .header(HOST, project.endpoint.host_header())
        .body(Vec::new())
}
