//! The credentials that sign requests.

use crate::config::{self, FileKeys};
use crate::error::Error;
use crate::secret::Secret;

/// The keys of an account.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub access_key: String,
    pub secret_key: Secret,
    pub session_token: Secret,
}

impl Credentials {
    /// Credentials that replace those of a client while it runs.
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

    /// The keys in the file of the vendor's own tools.
    pub fn from_file(keys: &FileKeys) -> Result<Credentials, Error> {
        let credentials = Credentials {
            access_key: keys.access_key.clone(),
            secret_key: keys.secret_key.clone(),
            session_token: Secret::default(),
        };
        credentials
            .check_places("secret key", "session token")
            .map_err(|error| keys.refusal(&error))?;
        Ok(credentials)
    }

    /// Refuses keys that were set in each other's place, where their prefix shows it. The library would send the secret as an
    /// access key, in clear text, and the vendor's answer would repeat it. The error names the field, and no value.
    pub(super) fn check_places(&self, secret_key: &'static str, session_token: &'static str) -> Result<(), Error> {
        if is_access_key(&self.access_key) {
            return Ok(());
        }
        for (field, value) in [(secret_key, &self.secret_key), (session_token, &self.session_token)] {
            if is_access_key(value.expose()) {
                let text = "begins with AKLT or AKTP like an access key, but the access key does not: the two seem to be exchanged";
                return Err(Error::invalid(field, text));
            }
        }
        Ok(())
    }
}

/// Whether this is an access key of the vendor: those begin with AKLT, and temporary ones with AKTP. Other access keys are
/// accepted, since an emulator may have its own.
fn is_access_key(text: &str) -> bool {
    text.starts_with("AKLT") || text.starts_with("AKTP")
}
