//! Credentials together with the signing keys that are derived from them, so that both are replaced at once.

use super::credentials::Credentials;
use super::sign::SigningKey;
use crate::util::swap::Swap;
use crate::util::sync::Arc;

#[derive(Debug)]
pub(crate) struct Signer {
    credentials: Credentials,
    /// The keys of one day, one for each region.
    keys: Swap<Vec<Arc<SigningKey>>>,
}

impl Signer {
    pub fn new(credentials: Credentials) -> Signer {
        Signer {
            credentials,
            keys: Swap::new(Vec::new()),
        }
    }

    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The key of this day (`YYYYMMDD`), which is derived if it is not stored. Threads that derive it at the same time get equal
    /// keys.
    pub fn key(&self, date: &str, region: &str, service: &str) -> Arc<SigningKey> {
        let keys = self.keys.load();
        if let Some(key) = keys.iter().find(|key| key.is_for(date, region, service)) {
            return key.clone();
        }
        let key = Arc::new(SigningKey::new(&self.credentials.secret_key, date, region, service));
        // The keys of other days are removed, since they are not used again.
        let others = keys.iter().filter(|key| key.is_of_day(date));
        self.keys.store(others.chain([&key]).cloned().collect());
        key
    }
}
