//! Volcengine RTC and IM: a message and the account in, a signed HTTP request out; an answer in, a report out.
//!
//! Pure: no I/O, and time comes in as an argument, so every request can be checked byte for byte.

pub(crate) mod actions;
pub(crate) mod answer;
mod codes;
pub mod sign;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Request};
use time::UtcDateTime;

use crate::config::{self, Config, Endpoint};
use crate::error::Error;
use crate::secret::Secret;

/// What stays the same for a client: where requests go and for which apps.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub endpoint: Endpoint,
    pub region: String,
    pub service: String,
    pub rtc_app_id: String,
    pub rtc_version: String,
    pub im_app_id: Option<i64>,
}

/// What signs.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub access_key: String,
    pub secret_key: Secret,
    pub session_token: Secret,
}

/// An action ready to be signed: the body's bytes are the ones sent.
pub(crate) struct Call<'a> {
    pub action: &'a str,
    pub version: &'a str,
    pub body: Vec<u8>,
}

/// The account in a configuration, if this vendor is configured at all.
pub(crate) fn configured(config: &Config) -> Result<Option<(Account, Credentials)>, Error> {
    let given = [
        &config::VOLCENGINE_ACCESS_KEY,
        &config::VOLCENGINE_SECRET_KEY,
        &config::VOLCENGINE_SESSION_TOKEN,
        &config::VOLCENGINE_RTC_APP_ID,
        &config::VOLCENGINE_IM_APP_ID,
    ];
    if !given.iter().any(|setting| config.is_given(setting)) {
        return Ok(None);
    }
    for needed in [&config::VOLCENGINE_ACCESS_KEY, &config::VOLCENGINE_SECRET_KEY] {
        if !config.is_given(needed) {
            let text = "Volcengine needs volcengine.access_key and volcengine.secret_key; this one is not set";
            return Err(Error::not_configured(needed.key, text));
        }
    }
    for in_header in [
        &config::VOLCENGINE_ACCESS_KEY,
        &config::VOLCENGINE_SESSION_TOKEN,
        &config::VOLCENGINE_REGION,
        &config::VOLCENGINE_SERVICE,
    ] {
        if !config.text(in_header).is_ascii() {
            let text = "takes ASCII characters alone, since it stands in a header of every request";
            return Err(Error::invalid(in_header.key, text));
        }
    }
    let account = Account {
        endpoint: config.endpoint(&config::VOLCENGINE_ENDPOINT)?,
        region: config.text(&config::VOLCENGINE_REGION).to_owned(),
        service: config.text(&config::VOLCENGINE_SERVICE).to_owned(),
        rtc_app_id: config.text(&config::VOLCENGINE_RTC_APP_ID).to_owned(),
        rtc_version: config.text(&config::VOLCENGINE_RTC_VERSION).to_owned(),
        im_app_id: config.optional_integer(&config::VOLCENGINE_IM_APP_ID),
    };
    let credentials = Credentials {
        access_key: config.text(&config::VOLCENGINE_ACCESS_KEY).to_owned(),
        secret_key: config.secret(&config::VOLCENGINE_SECRET_KEY),
        session_token: config.secret(&config::VOLCENGINE_SESSION_TOKEN),
    };
    Ok(Some((account, credentials)))
}

const JSON: &str = "application/json";

/// The signed request. Fails only for a name or token that no header can carry, which settings do not let in.
pub(crate) fn request(
    account: &Account,
    credentials: &Credentials,
    call: Call,
    now: UtcDateTime,
) -> Result<Request<Vec<u8>>, http::Error> {
    let host = account.endpoint.host_header();
    let x_date = sign::x_date(now);
    let content_sha256 = sign::sha256_hex(&call.body);
    let query = sign::canonical_query(&[("Action", call.action), ("Version", call.version)]);

    let token = credentials.session_token.expose();
    let mut headers = vec![
        ("content-type", JSON),
        ("host", &host),
        ("x-content-sha256", &content_sha256),
        ("x-date", &x_date),
    ];
    if !token.is_empty() {
        headers.push(("x-security-token", token));
    }
    let signable = sign::Signable {
        method: "POST",
        path: "/",
        query: &query,
        headers: &headers,
        body_sha256: &content_sha256,
    };
    let scope = sign::Scope {
        x_date: &x_date,
        region: &account.region,
        service: &account.service,
    };
    let authorization = signable.authorization(&credentials.access_key, &credentials.secret_key, &scope);

    let mut request = Request::post(format!("{}/?{query}", account.endpoint.origin()))
        .header(CONTENT_TYPE, JSON)
        .header(HOST, &host)
        .header("x-content-sha256", &content_sha256)
        .header("x-date", &x_date)
        .header(AUTHORIZATION, secret_value(&authorization)?);
    if !token.is_empty() {
        request = request.header("x-security-token", secret_value(token)?);
    }
    request.body(call.body)
}

/// A header value that prints as `Sensitive`.
fn secret_value(text: &str) -> Result<HeaderValue, http::Error> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_header_can_carry_is_refused_by_name_when_the_client_is_made() {
        let set = |key, value| {
            let mut config = Config::new();
            config.set("volcengine.access_key", "AKLTdemo").unwrap();
            config.set("volcengine.secret_key", "schlüssel").unwrap();
            config.set(key, value).unwrap();
            configured(&config)
        };
        for key in [
            "volcengine.access_key",
            "volcengine.session_token",
            "volcengine.region",
            "volcengine.service",
        ] {
            let error = set(key, "schlüssel").map(drop).expect_err(key);
            assert_eq!(error.field, key);
            assert!(!error.text.contains("schlüssel"), "{error}");
        }
        assert!(set("volcengine.rtc_app_id", "über").is_ok());
    }
}
