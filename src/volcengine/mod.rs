//! Volcengine RTC and IM: a message and the account in, a signed HTTP request out; an answer in, a report out.
//!
//! Pure: no I/O, and time comes in as an argument, so every request can be checked byte for byte.

pub(crate) mod actions;
pub(crate) mod answer;
mod codes;
mod files;
mod midstate;
mod route;
pub mod sign;
mod signer;
#[cfg(test)]
mod tests;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use time::UtcDateTime;

use crate::config::{self, Config, Endpoint};
use crate::error::Error;
use crate::secret::Secret;
use route::Route;
pub(crate) use signer::Signer;

/// What stays the same for a client: where requests go and for which apps.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Never empty.
    pub sites: Vec<Site>,
    pub service: String,
    pub rtc_app_id: String,
    pub rtc_version: String,
    pub im_app_id: Option<i64>,
}

/// A host and the region that its signatures name. Another one has other data and accounts: it is tried only if listed.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub endpoint: Endpoint,
    pub region: String,
    /// To the actions that messages have.
    routes: Vec<Route>,
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
        &config::VOLCENGINE_CREDENTIALS_SOURCE,
    ];
    if !given.iter().any(|setting| config.is_given(setting)) {
        return Ok(None);
    }
    let credentials = match config.text(&config::VOLCENGINE_CREDENTIALS_SOURCE) {
        "file" => files::credentials()?,
        _ => Credentials {
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
    let rtc_version = config.text(&config::VOLCENGINE_RTC_VERSION);
    let site = |(endpoint, region): (Endpoint, Option<String>)| match region {
        Some(region) => Site::new(endpoint, region, rtc_version),
        None if is_list => {
            let text = format!(
                "{} is one of several and names no region: write it as URL@region",
                endpoint.origin()
            );
            Err(Error::invalid(key, text))
        }
        None => {
            let region = config.text(&config::VOLCENGINE_REGION).to_owned();
            Site::new(endpoint, region, rtc_version)
        }
    };
    listed.into_iter().map(site).collect()
}

impl Site {
    fn new(endpoint: Endpoint, region: String, rtc_version: &str) -> Result<Site, Error> {
        let routes = actions::names_and_versions(rtc_version)
            .into_iter()
            .map(|(action, version)| Route::new(&endpoint, action, version))
            .collect::<Result<_, _>>()
            .map_err(|error| Error::invalid(config::VOLCENGINE_ENDPOINT.key, error.to_string()))?;
        Ok(Site {
            endpoint,
            region,
            routes,
        })
    }

    /// Whether the host is known to be overseas while the region is the default, which is mainland China: the vendor then
    /// refuses every signature.
    pub fn has_doubtful_region(&self) -> bool {
        self.region == config::VOLCENGINE_REGION.default && is_overseas(self.endpoint.host())
    }

    fn route(&self, action: &str, version: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.is_to(action, version))
    }
}

/// docs/VENDORS.md, Request: BytePlus, and the hosts of Volcengine whose names hold a region such as `ap-singapore-1`.
fn is_overseas(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let is_in = |domain| {
        let below = host.strip_suffix(domain);
        below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
    };
    let names_region = host
        .split('.')
        .any(|label| label.starts_with("ap-") || label.contains("-ap-"));
    is_in("byteplusapi.com") || is_in("volcengineapi.com") && names_region
}

impl Credentials {
    /// New credentials for a client that runs.
    pub fn new(access_key: &str, secret_key: &str, session_token: &str) -> Result<Credentials, Error> {
        config::check_credential(&config::VOLCENGINE_ACCESS_KEY, "key_id", access_key)?;
        config::check_credential(&config::VOLCENGINE_SECRET_KEY, "secret", secret_key)?;
        config::VOLCENGINE_SESSION_TOKEN.check_as("session_token", session_token)?;
        let credentials = Credentials {
            access_key: access_key.to_owned(),
            secret_key: Secret::new(secret_key),
            session_token: Secret::new(session_token),
        };
        credentials.check_places("secret", "session_token")?;
        Ok(credentials)
    }

    /// Refuses keys that stand in each other's place, as far as their prefix tells: the secret would go out as an access
    /// key, in clear, and the vendor's answer would repeat it. The error names the field, and no value.
    fn check_places(&self, secret_key: &'static str, session_token: &'static str) -> Result<(), Error> {
        if is_access_key(&self.access_key) {
            return Ok(());
        }
        for (field, value) in [(secret_key, &self.secret_key), (session_token, &self.session_token)] {
            if is_access_key(value.expose()) {
                let text = "begins with AKLT or AKTP, as an access key does, but the access key does not: the two look exchanged";
                return Err(Error::invalid(field, text));
            }
        }
        Ok(())
    }
}

/// Access keys begin with AKLT, temporary ones with AKTP. One that does not is still taken: an emulator may have its own.
fn is_access_key(text: &str) -> bool {
    text.starts_with("AKLT") || text.starts_with("AKTP")
}

const CONTENT_SHA256: &str = "x-content-sha256";
const DATE: &str = "x-date";
const SECURITY_TOKEN: &str = "x-security-token";

/// The signed request. Fails only for a name or token that no header can carry, which settings do not let in.
pub(crate) fn request(
    account: &Account,
    site: &Site,
    signer: &Signer,
    call: Call,
    now: UtcDateTime,
) -> Result<Request<Vec<u8>>, http::Error> {
    let of_this_call;
    let route = match site.route(call.action, call.version) {
        Some(route) => route,
        None => {
            of_this_call = Route::new(&site.endpoint, call.action, call.version)?;
            &of_this_call
        }
    };
    let credentials = signer.credentials();
    let token = credentials.session_token.expose();
    let x_date = sign::x_date(now);
    let body_sha256 = sign::sha256_hex(&call.body);
    let (x_date, body_sha256) = (&*x_date, &*body_sha256);
    let key = signer.key(&x_date[..8], &site.region, &account.service);
    let authorization = route.authorization(credentials, &key, x_date, body_sha256);

    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(route::JSON));
    headers.insert(HOST, route.host.clone());
    headers.insert(
        const { HeaderName::from_static(CONTENT_SHA256) },
        HeaderValue::from_str(body_sha256)?,
    );
    headers.insert(const { HeaderName::from_static(DATE) }, HeaderValue::from_str(x_date)?);
    headers.insert(AUTHORIZATION, sensitive(HeaderValue::try_from(authorization)?));
    if !token.is_empty() {
        headers.insert(
            const { HeaderName::from_static(SECURITY_TOKEN) },
            sensitive(HeaderValue::from_str(token)?),
        );
    }
    let mut request = Request::new(call.body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = route.uri.clone();
    *request.headers_mut() = headers;
    Ok(request)
}

/// A header value that prints as `Sensitive`.
fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}
