//! Credentials with the keys of the day that are made of them: whoever replaces the ones replaces the others.

use super::credentials::Credentials;
use super::sign::SigningKey;
use crate::util::swap::Swap;
use crate::util::sync::Arc;

#[derive(Debug)]
pub(crate) struct Signer {
    credentials: Credentials,
    /// Of one day, one for each region that was signed for.
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

    /// The key of that day (`YYYYMMDD`), made if it is not at hand. Threads that make it at the same time make the same.
    pub fn key(&self, date: &str, region: &str, service: &str) -> Arc<SigningKey> {
        let keys = self.keys.load();
        if let Some(key) = keys.iter().find(|key| key.is_for(date, region, service)) {
            return key.clone();
        }
        let key = Arc::new(SigningKey::new(&self.credentials.secret_key, date, region, service));
        // The keys of other days go: the clock does not come back to them.
        let others = keys.iter().filter(|key| key.is_of_day(date));
        self.keys.store(others.chain([&key]).cloned().collect());
        key
    }
}
