//! A client's vendors: accounts, credentials, endpoints and clocks, and what is asked of them. A third vendor has its
//! place in the matches of this file.

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

/// A clock further off than this is not a clock that is off.
const MAX_SKEW: Duration = Duration::DAY;

/// One request to be made: a message, or any other action.
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

/// The credentials that an attempt was signed with. It keeps them while others replace them.
pub(super) enum Keys {
    Volcengine(Arc<volcengine::Signer>),
    Zego(Arc<zego::Credentials>),
}

#[derive(Debug)]
pub(super) struct Vendors {
    volcengine: Option<VendorState<volcengine::Account, volcengine::Signer>>,
    zego: Option<VendorState<zego::Project, zego::Credentials>>,
}

/// What a client has of one vendor.
#[derive(Debug)]
struct VendorState<A, C> {
    account: A,
    credentials: Swap<C>,
    /// The endpoint that worked last; the others are tried after it.
    site: AtomicUsize,
    site_count: usize,
    /// How far the vendor's clock is ahead of this machine's.
    skew_seconds: AtomicI64,
}

impl<A, C> VendorState<A, C> {
    fn new(account: A, credentials: C, site_count: usize) -> VendorState<A, C> {
        VendorState {
            account,
            credentials: Swap::new(credentials),
            site: AtomicUsize::new(0),
            site_count,
            skew_seconds: AtomicI64::new(0),
        }
    }

    fn places(&self) -> (usize, usize) {
        (self.site.load(Ordering::Relaxed), self.site_count)
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
        let volcengine = self.volcengine.iter().flat_map(|side| &side.account.sites);
        let zego = self.zego.iter().flat_map(|side| &side.account.sites);
        let volcengine = volcengine.map(|site| &site.endpoint);
        volcengine.chain(zego.map(|site| &site.endpoint)).collect()
    }

    pub fn names(&self) -> Vec<&'static str> {
        let volcengine = self.volcengine.as_ref().map(|_| "Volcengine");
        let zego = self.zego.as_ref().map(|_| "ZEGO");
        volcengine.into_iter().chain(zego).collect()
    }

    /// Logs what can be used but is probably a mistake.
    pub fn warn(&self, logger: &Logger) {
        let sites = self.volcengine.iter().flat_map(|side| &side.account.sites);
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

    /// What Volcengine counts quotas by: the account, of which the access key is what we know.
    pub fn volcengine_account(&self) -> Option<String> {
        self.volcengine
            .as_ref()
            .map(|side| side.credentials.load().credentials().access_key.clone())
    }

    /// What ZEGO counts quotas by.
    pub fn zego_account(&self) -> Option<String> {
        self.zego.as_ref().map(|side| side.account.app_id.clone())
    }

    /// Whether the client has what this message needs.
    pub fn check(&self, message: &Message) -> Result<(), Error> {
        match message.vendor() {
            Vendor::Volcengine => volcengine::actions::check_app(&self.volcengine()?.account, message),
            Vendor::Zego => self.zego().map(drop),
        }
    }

    /// An action without a message of its own, checked.
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

    /// The endpoints of a vendor, the one that worked last first.
    pub fn sites(&self, vendor: Vendor) -> impl Iterator<Item = usize> {
        let (first, count) = match vendor {
            Vendor::Volcengine => self.volcengine.as_ref().map(VendorState::places),
            Vendor::Zego => self.zego.as_ref().map(VendorState::places),
        }
        .unwrap_or_default();
        (0..count).map(move |offset| (first + offset) % count)
    }

    /// Where the next request to each vendor goes.
    pub fn endpoints(&self) -> Vec<http::Uri> {
        let of = |endpoint: &Endpoint| endpoint.origin().to_string().parse().ok();
        let volcengine = self
            .volcengine
            .as_ref()
            .and_then(|side| of(&side.account.sites[side.places().0].endpoint));
        let zego = self
            .zego
            .as_ref()
            .and_then(|side| of(&side.account.sites[side.places().0].endpoint));
        volcengine.into_iter().chain(zego).collect()
    }

    /// This endpoint works.
    pub fn remember(&self, vendor: Vendor, site: usize) {
        let place = match vendor {
            Vendor::Volcengine => self.volcengine.as_ref().map(|side| &side.site),
            Vendor::Zego => self.zego.as_ref().map(|side| &side.site),
        };
        if let Some(place) = place {
            place.store(site, Ordering::Relaxed);
        }
    }

    /// The request for an endpoint, signed with the credentials of this moment.
    pub fn signed(&self, api_request: &ApiRequest, site: usize) -> Result<(Request<Vec<u8>>, Keys), String> {
        let told = |error: Error| error.text;
        match api_request.vendor() {
            Vendor::Volcengine => {
                let side = self.volcengine().map_err(told)?;
                let call = match api_request {
                    ApiRequest::Message(message) => volcengine::actions::call(&side.account, message).map_err(told)?,
                    ApiRequest::VolcengineCall { action, version, json } => volcengine::UnsignedRequest {
                        action,
                        version,
                        body: json.as_bytes().to_vec(),
                    },
                    ApiRequest::ZegoCall { action, .. } => return Err(format!("{action} is no action of Volcengine")),
                };
                let site = &side.account.sites[site];
                let signer = side.credentials.load();
                let request = volcengine::request(&side.account, site, &signer, call, side.now());
                let request = request.map_err(|error| error.to_string())?;
                Ok((request, Keys::Volcengine(signer)))
            }
            Vendor::Zego => {
                let side = self.zego().map_err(told)?;
                let (action, parameters) = match api_request {
                    ApiRequest::Message(message) => (
                        message.action().name(),
                        zego::actions::parameters(message).map_err(told)?,
                    ),
                    ApiRequest::ZegoCall { action, parameters } => (
                        *action,
                        parameters.iter().map(|(name, value)| (&**name, &**value)).collect(),
                    ),
                    ApiRequest::VolcengineCall { action, .. } => return Err(format!("{action} is no action of ZEGO")),
                };
                let mut random = [0; 8];
                getrandom::getrandom(&mut random).map_err(|error| format!("no random bytes for the nonce: {error}"))?;
                let nonce = zego::sign::nonce(random);
                let site = &side.account.sites[site];
                let credentials = side.credentials.load();
                let request = zego::request(
                    &side.account,
                    site,
                    &credentials,
                    action,
                    &parameters,
                    side.now(),
                    &nonce,
                );
                let request = request.map_err(|error| error.to_string())?;
                Ok((request, Keys::Zego(credentials)))
            }
        }
    }

    /// After a refusal for the time: the answer's `Date` tells how far off this machine's clock is. Whether that helps.
    pub fn learn_clock(&self, vendor: Vendor, answer: &Answer, logger: &Logger) -> bool {
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
        let side = match vendor {
            Vendor::Volcengine => self.volcengine.as_ref().map(|side| &side.skew_seconds),
            Vendor::Zego => self.zego.as_ref().map(|side| &side.skew_seconds),
        };
        let Some(kept) = side else { return false };
        let seconds = skew.whole_seconds();
        if skew.abs() > MAX_SKEW {
            logger.log(Level::Error, || {
                format!("{vendor:?}'s clock differs by {seconds} s; more than a day is not followed")
            });
            return false;
        }
        kept.store(seconds, Ordering::Relaxed);
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
    /// Takes these secrets, and what the api_request carried, out of the texts of its outcome: a vendor, a gateway or a proxy may
    /// repeat what it was sent. The access key id is among them: where two keys were exchanged, it is the secret.
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

/// Any text of a raw call may be what it carries.
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
        self.message().map_or(Recipients::Everybody, Message::recipients)
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
    fn an_action_of_another_name_is_taken_and_one_with_a_message_is_not() {
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
