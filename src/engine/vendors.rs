//! The vendors of a client: accounts, credentials, endpoints and clocks. Every choice between vendors that the engine makes
//! is a `match` in this file, where a third vendor would be added.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::SystemTime;

use http::Request;
use time::{Duration, UtcDateTime};

use crate::action::{Action, Vendor};
use crate::config::{self, Config, Endpoint, Setting};
use crate::error::Error;
use crate::http::Answer;
use crate::log::{Level, Logger};
use crate::message::{Message, Recipients};
use crate::redact::{Cleaner, Hidden};
use crate::report::Outcome;
use crate::util::json;
use crate::util::swap::Swap;
use crate::util::sync::Arc;
use crate::{volcengine, zego};

/// A larger difference between the clocks is not corrected: the answer's date is more likely to be wrong.
const MAX_SKEW: Duration = Duration::DAY;

/// One request to an API of a vendor: a message, or an action that has no [`Message`].
#[derive(Debug)]
pub(super) enum ApiRequest<'a> {
    Message(Message<'a>),
    VolcengineCall {
        action: &'a str,
        version: &'a str,
        json: &'a str,
    },
    ZegoCall {
        action: &'a str,
        parameters: Vec<(String, String)>,
    },
}

/// The credentials that an exchange was signed with. They stay the same when the client's credentials are replaced.
pub(super) enum Keys {
    Volcengine(Arc<volcengine::Signer>),
    Zego(Arc<zego::Credentials>),
}

#[derive(Debug)]
pub(super) struct Vendors {
    volcengine: Option<VendorState<volcengine::Account, volcengine::Signer>>,
    zego: Option<VendorState<zego::Project, zego::Credentials>>,
}

/// What a client knows of one vendor.
#[derive(Debug)]
struct VendorState<A, C> {
    account: A,
    credentials: Swap<C>,
    /// The endpoint that worked last. It is tried first.
    preferred: AtomicUsize,
    endpoint_count: usize,
    /// By how much the vendor's clock is ahead of this machine's.
    skew_seconds: AtomicI64,
}

impl<A, C> VendorState<A, C> {
    fn new(account: A, credentials: C, endpoint_count: usize) -> VendorState<A, C> {
        VendorState {
            account,
            credentials: Swap::new(credentials),
            preferred: AtomicUsize::new(0),
            endpoint_count,
            skew_seconds: AtomicI64::new(0),
        }
    }

    /// The endpoint that is tried first, and how many there are.
    fn endpoints(&self) -> (usize, usize) {
        (self.preferred.load(Ordering::Relaxed), self.endpoint_count)
    }

    fn now(&self) -> UtcDateTime {
        let skew = Duration::seconds(self.skew_seconds.load(Ordering::Relaxed));
        UtcDateTime::now().checked_add(skew).unwrap_or_else(UtcDateTime::now)
    }
}

impl Vendors {
    pub fn new(config: &Config) -> Result<Vendors, Error> {
        let volcengine = volcengine::configured(config, config.volcengine_file_keys()?)?;
        let zego = zego::configured(config)?;
        if volcengine.is_none() && zego.is_none() {
            let text = "no vendor is configured: set volcengine.access_key and volcengine.secret_key, or zego.app_id and zego.server_secret";
            return Err(Error::not_configured("", text));
        }
        if let Some((account, _)) = &volcengine {
            for site in &account.sites {
                refuse_plaintext(config, &config::VOLCENGINE_ENDPOINT, &site.endpoint)?;
            }
        }
        if let Some((project, _)) = &zego {
            for site in &project.sites {
                refuse_plaintext(config, &config::ZEGO_ENDPOINT, &site.endpoint)?;
            }
        }
        Ok(Vendors {
            volcengine: volcengine.map(|(account, credentials)| {
                let sites = account.sites.len();
                VendorState::new(account, volcengine::Signer::new(credentials), sites)
            }),
            zego: zego.map(|(project, credentials)| {
                let sites = project.sites.len();
                VendorState::new(project, credentials, sites)
            }),
        })
    }

    /// Every endpoint that requests may go to.
    pub fn all_endpoints(&self) -> Vec<&Endpoint> {
        let volcengine = self.volcengine.iter().flat_map(|state| &state.account.sites);
        let zego = self.zego.iter().flat_map(|state| &state.account.sites);
        let volcengine = volcengine.map(|site| &site.endpoint);
        volcengine.chain(zego.map(|site| &site.endpoint)).collect()
    }

    pub fn names(&self) -> Vec<&'static str> {
        let volcengine = self.volcengine.as_ref().map(|_| "Volcengine");
        let zego = self.zego.as_ref().map(|_| "ZEGO");
        volcengine.into_iter().chain(zego).collect()
    }

    /// Logs settings that are valid but probably a mistake.
    pub fn log_warnings(&self, logger: &Logger) {
        let sites = self.volcengine.iter().flat_map(|state| &state.account.sites);
        for site in sites.filter(|site| site.has_doubtful_region()) {
            logger.log(Level::Warn, || {
                format!(
                    "{} is overseas, but its requests are signed for the default region {}, which is mainland China: set {}",
                    site.endpoint.origin(),
                    site.region,
                    config::VOLCENGINE_REGION.key
                )
            });
        }
    }

    /// Volcengine counts quotas per account, which the access key identifies here.
    pub fn volcengine_account(&self) -> Option<String> {
        self.volcengine
            .as_ref()
            .map(|state| state.credentials.load().credentials().access_key.clone())
    }

    /// ZEGO counts quotas per app.
    pub fn zego_account(&self) -> Option<String> {
        self.zego.as_ref().map(|state| state.account.app_id.clone())
    }

    /// Fails if the client lacks an account or a setting that this message needs.
    pub fn check(&self, message: &Message) -> Result<(), Error> {
        match message.vendor() {
            Vendor::Volcengine => volcengine::actions::check_app(&self.volcengine()?.account, message),
            Vendor::Zego => self.zego().map(drop),
        }
    }

    /// The checked request for an action that has no [`Message`].
    pub fn api_request<'a>(
        &self,
        vendor: Vendor,
        action: &'a str,
        version: &'a str,
        json: &'a str,
    ) -> Result<ApiRequest<'a>, Error> {
        check_action(action)?;
        match vendor {
            Vendor::Volcengine => {
                self.volcengine()?;
                check_version(version)?;
                json::members(json).map_err(|why| Error::invalid("json", why))?;
                Ok(ApiRequest::VolcengineCall { action, version, json })
            }
            Vendor::Zego => {
                self.zego()?;
                if !version.is_empty() {
                    return Err(Error::invalid("version", "ZEGO's actions have none: leave it out"));
                }
                Ok(ApiRequest::ZegoCall {
                    action,
                    parameters: zego::actions::parameters_of_json(json)?,
                })
            }
        }
    }

    pub fn set_credentials(&self, vendor: Vendor, key_id: &str, secret: &str, token: &str) -> Result<(), Error> {
        match vendor {
            Vendor::Volcengine => {
                let credentials = volcengine::Credentials::new(key_id, secret, token)?;
                let signer = volcengine::Signer::new(credentials);
                self.volcengine()?.credentials.store(signer);
            }
            Vendor::Zego => {
                let credentials = zego::Credentials::new(key_id, secret, token)?;
                self.zego()?.credentials.store(credentials);
            }
        }
        Ok(())
    }

    /// The endpoints of a vendor in the order in which they are tried: first the one that worked last.
    pub fn endpoint_order(&self, vendor: Vendor) -> impl Iterator<Item = usize> {
        let (first, count) = match vendor {
            Vendor::Volcengine => self.volcengine.as_ref().map(VendorState::endpoints),
            Vendor::Zego => self.zego.as_ref().map(VendorState::endpoints),
        }
        .unwrap_or_default();
        (0..count).map(move |offset| (first + offset) % count)
    }

    /// The endpoint of each vendor that the next request is sent to.
    pub fn endpoints(&self) -> Vec<http::Uri> {
        let of = |endpoint: &Endpoint| endpoint.origin().to_string().parse().ok();
        let volcengine = self
            .volcengine
            .as_ref()
            .and_then(|state| of(&state.account.sites[state.endpoints().0].endpoint));
        let zego = self
            .zego
            .as_ref()
            .and_then(|state| of(&state.account.sites[state.endpoints().0].endpoint));
        volcengine.into_iter().chain(zego).collect()
    }

    /// Later requests try this endpoint first, because it works.
    pub fn prefer_endpoint(&self, vendor: Vendor, endpoint: usize) {
        let preferred = match vendor {
            Vendor::Volcengine => self.volcengine.as_ref().map(|state| &state.preferred),
            Vendor::Zego => self.zego.as_ref().map(|state| &state.preferred),
        };
        if let Some(preferred) = preferred {
            preferred.store(endpoint, Ordering::Relaxed);
        }
    }

    /// The request for one endpoint, signed with the current credentials.
    pub fn sign(&self, api_request: &ApiRequest, endpoint: usize) -> Result<(Request<Vec<u8>>, Keys), String> {
        let text_of = |error: Error| error.message;
        match api_request.vendor() {
            Vendor::Volcengine => {
                let state = self.volcengine().map_err(text_of)?;
                let call = match api_request {
                    ApiRequest::Message(message) => {
                        volcengine::actions::call(&state.account, message).map_err(text_of)?
                    }
                    ApiRequest::VolcengineCall { action, version, json } => volcengine::UnsignedRequest {
                        action,
                        version,
                        body: json.as_bytes().to_vec(),
                    },
                    ApiRequest::ZegoCall { action, .. } => {
                        return Err(format!("{action} is not an action of Volcengine"));
                    }
                };
                let site = &state.account.sites[endpoint];
                let signer = state.credentials.load();
                let request = volcengine::request(&state.account, site, &signer, call, state.now());
                let request = request.map_err(|error| error.to_string())?;
                Ok((request, Keys::Volcengine(signer)))
            }
            Vendor::Zego => {
                let state = self.zego().map_err(text_of)?;
                let (action, parameters) = match api_request {
                    ApiRequest::Message(message) => (
                        message.action().name(),
                        zego::actions::parameters(message).map_err(text_of)?,
                    ),
                    ApiRequest::ZegoCall { action, parameters } => (
                        *action,
                        parameters.iter().map(|(name, value)| (&**name, &**value)).collect(),
                    ),
                    ApiRequest::VolcengineCall { action, .. } => {
                        return Err(format!("{action} is not an action of ZEGO"));
                    }
                };
                let mut random = [0; 8];
                getrandom::getrandom(&mut random).map_err(|error| format!("no random bytes for the nonce: {error}"))?;
                let nonce = zego::sign::nonce(random);
                let site = &state.account.sites[endpoint];
                let credentials = state.credentials.load();
                let request = zego::request(
                    &state.account,
                    site,
                    &credentials,
                    action,
                    &parameters,
                    state.now(),
                    &nonce,
                );
                let request = request.map_err(|error| error.to_string())?;
                Ok((request, Keys::Zego(credentials)))
            }
        }
    }

    /// Corrects the clock that requests are signed with, by the `Date` of an answer that refused a request for its time.
    /// Returns whether the correction makes a retry useful.
    pub fn correct_clock(&self, vendor: Vendor, answer: &Answer, logger: &Logger) -> bool {
        let date = answer
            .headers()
            .get(http::header::DATE)
            .and_then(|value| value.to_str().ok());
        let Some(theirs) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
            return false;
        };
        let skew = match theirs.duration_since(SystemTime::now()) {
            Ok(ahead) => Duration::try_from(ahead).unwrap_or(Duration::MAX),
            Err(behind) => -Duration::try_from(behind.duration()).unwrap_or(Duration::MAX),
        };
        let skew_seconds = match vendor {
            Vendor::Volcengine => self.volcengine.as_ref().map(|state| &state.skew_seconds),
            Vendor::Zego => self.zego.as_ref().map(|state| &state.skew_seconds),
        };
        let Some(skew_seconds) = skew_seconds else { return false };
        let seconds = skew.whole_seconds();
        if skew.abs() > MAX_SKEW {
            logger.log(Level::Error, || {
                format!("{vendor:?}'s clock differs by {seconds} s; more than a day is not followed")
            });
            return false;
        }
        skew_seconds.store(seconds, Ordering::Relaxed);
        logger.log(Level::Warn, || {
            format!("{vendor:?}'s clock differs by {seconds} s; requests are signed by its time")
        });
        true
    }

    fn volcengine(&self) -> Result<&VendorState<volcengine::Account, volcengine::Signer>, Error> {
        self.volcengine.as_ref().ok_or_else(|| {
            let text = "this client has no Volcengine credentials: set volcengine.access_key and volcengine.secret_key";
            Error::not_configured(config::VOLCENGINE_ACCESS_KEY.key, text)
        })
    }

    fn zego(&self) -> Result<&VendorState<zego::Project, zego::Credentials>, Error> {
        self.zego.as_ref().ok_or_else(|| {
            let text = "this client has no ZEGO credentials: set zego.app_id and zego.server_secret";
            Error::not_configured(config::ZEGO_APP_ID.key, text)
        })
    }
}

impl Keys {
    /// Removes these secrets and the payload of the request from the texts of its outcome: a vendor, a gateway or a proxy
    /// may repeat what it received. The access key id is removed as well, because a program may have swapped the two keys.
    pub fn redact(&self, api_request: &ApiRequest, outcome: &mut Outcome) {
        let [first, second, third] = self.secrets().map(Hidden::Secret);
        match api_request {
            ApiRequest::Message(message) => {
                clean(outcome, &[first, second, third, Hidden::Payload(message.payload())]);
            }
            ApiRequest::VolcengineCall { json, .. } => {
                let texts = json::texts(json);
                let texts = texts.iter().map(String::as_str).chain([*json]);
                let hidden: Vec<Hidden> = [first, second, third].into_iter().chain(texts.map(payload)).collect();
                clean(outcome, &hidden);
            }
            ApiRequest::ZegoCall { parameters, .. } => {
                let texts = parameters.iter().map(|(_, value)| value.as_str());
                let hidden: Vec<Hidden> = [first, second, third].into_iter().chain(texts.map(payload)).collect();
                clean(outcome, &hidden);
            }
        }
    }

    fn secrets(&self) -> [&str; 3] {
        match self {
            Keys::Volcengine(signer) => {
                let credentials = signer.credentials();
                let (secret_key, token) = (&credentials.secret_key, &credentials.session_token);
                [&credentials.access_key, secret_key.expose(), token.expose()]
            }
            Keys::Zego(credentials) => [credentials.server_secret.expose(), "", ""],
        }
    }
}

fn clean(outcome: &mut Outcome, hidden: &[Hidden]) {
    let cleaner = Cleaner::new(outcome.texts(), hidden);
    outcome.change_texts(|text, longest| cleaner.cleaned(text, longest));
}

/// Any text in the JSON of an action without a message may be its payload.
fn payload(text: &str) -> Hidden<'_> {
    Hidden::Payload(text.as_bytes())
}

impl<'a> ApiRequest<'a> {
    pub fn vendor(&self) -> Vendor {
        match self {
            ApiRequest::Message(message) => message.vendor(),
            ApiRequest::VolcengineCall { .. } => Vendor::Volcengine,
            ApiRequest::ZegoCall { .. } => Vendor::Zego,
        }
    }

    pub fn message(&self) -> Option<&Message<'a>> {
        match self {
            ApiRequest::Message(message) => Some(message),
            ApiRequest::VolcengineCall { .. } | ApiRequest::ZegoCall { .. } => None,
        }
    }

    pub fn recipients(&self) -> Recipients<'a> {
        self.message().map_or(Recipients::All, Message::recipients)
    }

    pub fn read(&self, status: u16, body: &[u8]) -> Outcome {
        match self {
            ApiRequest::Message(message) => match message.vendor() {
                Vendor::Volcengine => volcengine::answer::read(message, status, body),
                Vendor::Zego => zego::answer::read(message.recipients(), status, body),
            },
            ApiRequest::VolcengineCall { action, .. } => volcengine::answer::read_call(action, status, body),
            ApiRequest::ZegoCall { .. } => zego::answer::read_call(status, body),
        }
    }
}

fn refuse_plaintext(config: &Config, setting: &Setting, endpoint: &Endpoint) -> Result<(), Error> {
    if endpoint.is_plaintext() && !endpoint.is_loopback() && !config.flag(&config::HTTP_ALLOW_PLAINTEXT) {
        let text = format!(
            "{} is not encrypted and not on this machine: use https://, or set http.allow_plaintext to true",
            endpoint.origin()
        );
        return Err(Error::invalid(setting.key, text));
    }
    Ok(())
}

fn check_action(action: &str) -> Result<(), Error> {
    if let Some(known) = Action::named(action).map(Action::name) {
        return Err(Error::invalid(
            "action",
            format!("{known} has a message of its own: send it with that"),
        ));
    }
    let is_name = (1..=64).contains(&action.len()) && action.bytes().all(|b| b.is_ascii_alphanumeric());
    if !is_name {
        return Err(Error::invalid(
            "action",
            "must be 1 to 64 letters and digits, as the vendor spells it",
        ));
    }
    Ok(())
}

fn check_version(version: &str) -> Result<(), Error> {
    let is_date = version.len() == 10
        && version.bytes().enumerate().all(|(at, b)| {
            if at == 4 || at == 7 {
                b == b'-'
            } else {
                b.is_ascii_digit()
            }
        });
    if !is_date {
        return Err(Error::invalid(
            "version",
            "must be the date that the vendor gives the action's version, as 2020-12-01",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_without_a_message_is_accepted_and_one_with_a_message_is_refused() {
        check_action("P2PSendUserMessage").unwrap();
        for action in [
            "P2PSendMessage",
            "SendCustomCommand",
            "sendUnicast",
            "SENDROOMUNICAST",
            "batchsendroomunicast",
            "",
            "a b",
            "a&b=c",
            " SendUnicast",
            "SendUnicast\t",
            "Send%55nicast",
            "SendUnicast\0",
            "\u{FF33}endUnicast",
            &"a".repeat(65),
        ] {
            assert_eq!(check_action(action).expect_err(action).field, "action");
        }
    }

    #[test]
    fn a_version_is_a_date() {
        check_version("2020-12-01").unwrap();
        for version in ["", "2020-12-1", "2020/12/01", "2020-12-01 ", "2020-12-0x"] {
            check_version(version).expect_err(version);
        }
    }
}
