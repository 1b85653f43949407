//! Volcengine RTC and IM. This folder makes signed HTTP requests of messages, and outcomes of answers.
//!
//! It is pure: it does no I/O, and the time is an argument, so that tests can check every byte of a request.

mod account;
pub(crate) mod actions;
pub(crate) mod answer;
mod codes;
mod credentials;
mod midstate;
mod request;
mod route;
pub mod sign;
mod signer;
#[cfg(test)]
mod tests;

use crate::config::{self, Config, Endpoint, FileKeys};
use crate::error::Error;

pub(crate) use account::{Account, Site};
pub(crate) use credentials::Credentials;
pub(crate) use request::{UnsignedRequest, request};
pub(crate) use signer::Signer;

/// The account and credentials in a configuration; `None` if it has no setting of this vendor. `file_keys` are the keys from
/// the file of the vendor's tools, if the settings name that as their source.
pub(crate) fn configured(
    config: &Config,
    file_keys: Option<FileKeys>,
) -> Result<Option<(Account, Credentials)>, Error> {
    let given = [
        &config::VOLCENGINE_ACCESS_KEY,
        &config::VOLCENGINE_SECRET_KEY,
        &config::VOLCENGINE_SESSION_TOKEN,
        &config::VOLCENGINE_RTC_APP_ID,
        &config::VOLCENGINE_IM_APP_ID,
        &config::VOLCENGINE_CREDENTIALS_SOURCE,
    ];
    if !given.iter().any(|setting| config.is_given(setting)) {
        return Ok(None);
    }
    let credentials = match file_keys {
        Some(keys) => Credentials::from_file(&keys)?,
        None => Credentials {
            access_key: config.text(&config::VOLCENGINE_ACCESS_KEY).to_owned(),
            secret_key: config.secret(&config::VOLCENGINE_SECRET_KEY),
            session_token: config.secret(&config::VOLCENGINE_SESSION_TOKEN),
        },
    };
    let needed = [
        (&config::VOLCENGINE_ACCESS_KEY, credentials.access_key.is_empty()),
        (&config::VOLCENGINE_SECRET_KEY, credentials.secret_key.is_empty()),
    ];
    if let Some((missing, _)) = needed.into_iter().find(|(_, is_missing)| *is_missing) {
        let text = "Volcengine needs volcengine.access_key and volcengine.secret_key; this one is not set";
        return Err(Error::not_configured(missing.key, text));
    }
    credentials.check_places(config::VOLCENGINE_SECRET_KEY.key, config::VOLCENGINE_SESSION_TOKEN.key)?;
    let account = Account {
        sites: sites(config)?,
        service: config.text(&config::VOLCENGINE_SERVICE).to_owned(),
        rtc_app_id: config.text(&config::VOLCENGINE_RTC_APP_ID).to_owned(),
        rtc_version: config.text(&config::VOLCENGINE_RTC_VERSION).to_owned(),
        im_app_id: config.optional_integer(&config::VOLCENGINE_IM_APP_ID),
    };
    Ok(Some((account, credentials)))
}

fn sites(config: &Config) -> Result<Vec<Site>, Error> {
    let key = config::VOLCENGINE_ENDPOINT.key;
    let listed = config.endpoints(&config::VOLCENGINE_ENDPOINT)?;
    let is_list = listed.len() > 1;
    let actions = actions::names_and_versions(config.text(&config::VOLCENGINE_RTC_VERSION));
    let site = |(endpoint, region): (Endpoint, Option<String>)| match region {
        Some(region) => Site::new(endpoint, region, &actions),
        None if is_list => {
            let text = format!(
                "{} is one of several endpoints and has no region: write it as URL@region",
                endpoint.origin()
            );
            Err(Error::invalid(key, text))
        }
        None => {
            let region = config.text(&config::VOLCENGINE_REGION).to_owned();
            Site::new(endpoint, region, &actions)
        }
    };
    listed.into_iter().map(site).collect()
}
