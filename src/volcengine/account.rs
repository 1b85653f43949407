//! Where the requests of a client go, and for which apps.

use super::route::Route;
use crate::config::{self, Endpoint};
use crate::error::Error;

/// The settings of a client that do not change: where requests go, and for which apps.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Never empty.
    pub sites: Vec<Site>,
    pub service: String,
    pub rtc_app_id: String,
    pub rtc_version: String,
    pub im_app_id: Option<i64>,
}

/// A host, and the region for its signatures. Another host may have other data and accounts, so only listed hosts are tried.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub endpoint: Endpoint,
    pub region: String,
    /// One for each action that a message has.
    routes: Vec<Route>,
}

impl Site {
    /// `actions` are the names and versions of the actions that messages have.
    pub fn new(endpoint: Endpoint, region: String, actions: &[(&str, &str)]) -> Result<Site, Error> {
        let routes = actions
            .iter()
            .map(|(action, version)| Route::new(&endpoint, action, version))
            .collect::<Result<_, _>>()
            .map_err(|error| Error::invalid(config::VOLCENGINE_ENDPOINT.key, error.to_string()))?;
        Ok(Site {
            endpoint,
            region,
            routes,
        })
    }

    /// Whether the host is known to be overseas while the region is the default, mainland China. Then the vendor refuses every
    /// signature.
    pub fn has_doubtful_region(&self) -> bool {
        self.region == config::VOLCENGINE_REGION.default && is_overseas(self.endpoint.host())
    }

    /// The prepared route of this action, if it has one.
    pub(super) fn route(&self, action: &str, version: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.is_to(action, version))
    }
}

/// docs/VENDORS.md, Request: the hosts of BytePlus, and those of Volcengine whose names contain a region such as `ap-singapore-1`.
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
