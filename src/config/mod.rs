//! The configuration of a client: text by key, from calls or the environment.

mod credentials_file;
mod docs;
mod endpoint;
mod names;
mod proxy;
mod quote;
mod service_links;
mod settings;
mod values;

use std::collections::BTreeMap;
use std::fmt;

use crate::error::Error;
use crate::log::Logger;
use crate::secret::Secret;
use names::{find, key_of_variable};

pub(crate) use credentials_file::FileKeys;
pub use docs::configuration_md;
pub(crate) use endpoint::Endpoint;
pub(crate) use proxy::Proxy;
pub use settings::*;
pub(crate) use values::check_credential;

/// Settings on their way to a client: text by key, each checked as it is set.
#[derive(Clone, Default)]
pub struct Config {
    values: BTreeMap<&'static str, Secret>,
    pub(crate) logger: Logger,
}

impl Config {
    pub fn new() -> Config {
        Config::default()
    }

    /// Sets a key. An empty value sets it back to its default.
    ///
    /// # Errors
    /// `InvalidArgument` naming the key: unknown (with the nearest one), or a value it does not take.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let setting = find(key)?;
        if value.is_empty() {
            self.values.remove(setting.key);
            return Ok(());
        }
        setting.check(value)?;
        self.values.insert(setting.key, Secret::new(value));
        Ok(())
    }

    /// Takes settings from the environment: `RTCMSG_` and the key in capitals with `_` for `.`, as in
    /// `RTCMSG_ZEGO_APP_ID`, and the vendor's own `VOLC_ACCESSKEY` and `VOLC_SECRETKEY`, which give way to ours.
    /// An empty variable counts as not set. What is found replaces what was set before. The variables by which Kubernetes
    /// announces a Service whose name begins with `rtcmsg` are ignored.
    ///
    /// # Errors
    /// As for [`Config::set`]; a variable of ours with an unknown key is an error too. On an error nothing is taken.
    pub fn load_env(&mut self) -> Result<(), Error> {
        self.load_vars(std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))))
    }

    fn load_vars(&mut self, vars: impl Iterator<Item = (String, std::ffi::OsString)>) -> Result<(), Error> {
        const OFFICIAL: [(&str, Setting); 2] = [
            ("VOLC_ACCESSKEY", VOLCENGINE_ACCESS_KEY),
            ("VOLC_SECRETKEY", VOLCENGINE_SECRET_KEY),
        ];
        let mut official = Vec::new();
        let mut ours = Vec::new();
        for (name, value) in vars.filter(|(_, value)| !value.is_empty()) {
            let (list, key) = if let Some((_, setting)) = OFFICIAL.iter().find(|(official, _)| *official == name) {
                (&mut official, setting.key)
            } else if let Some(key) = key_of_variable(&name, value.to_str())? {
                (&mut ours, key)
            } else {
                continue;
            };
            let value = Secret::new(
                value
                    .into_string()
                    .map_err(|_| Error::invalid(key, format!("the variable {name} is not UTF-8")))?,
            );
            list.push((key, value));
        }
        let mut loaded = self.clone();
        for (key, value) in official.iter().chain(&ours) {
            loaded.set(key, value.expose())?;
        }
        *self = loaded;
        Ok(())
    }

    /// Where log lines go.
    pub fn set_logger(&mut self, logger: Logger) {
        self.logger = logger;
    }

    /// The value as set, or the default; empty means not given.
    pub(crate) fn text(&self, setting: &Setting) -> &str {
        self.values.get(setting.key).map_or(setting.default, Secret::expose)
    }

    pub(crate) fn secret(&self, setting: &Setting) -> Secret {
        Secret::new(self.text(setting))
    }

    /// `None` if not given. `set` has let only numbers in.
    pub(crate) fn optional_integer(&self, setting: &Setting) -> Option<i64> {
        self.text(setting).parse().ok()
    }

    /// For settings whose default is a number.
    pub(crate) fn integer(&self, setting: &Setting) -> u64 {
        let number = self.optional_integer(setting).unwrap_or_default();
        number.try_into().unwrap_or_default()
    }

    pub(crate) fn millis(&self, setting: &Setting) -> std::time::Duration {
        std::time::Duration::from_millis(self.integer(setting))
    }

    pub(crate) fn flag(&self, setting: &Setting) -> bool {
        self.text(setting) == "true"
    }

    /// Each with the region behind its `@`.
    pub(crate) fn endpoints(&self, setting: &Setting) -> Result<Vec<(Endpoint, Option<String>)>, Error> {
        Endpoint::parse_list(setting.key, self.text(setting))
    }

    /// The keys in the file of Volcengine's own tools, if the settings say that the keys come from there.
    pub(crate) fn volcengine_file_keys(&self) -> Result<Option<FileKeys>, Error> {
        match self.text(&VOLCENGINE_CREDENTIALS_SOURCE) {
            "file" => FileKeys::read().map(Some),
            _ => Ok(None),
        }
    }

    pub(crate) fn is_given(&self, setting: &Setting) -> bool {
        self.values.contains_key(setting.key)
    }
}

/// The keys that are set; values only where they are no secret.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (key, value) in &self.values {
            match find(key) {
                Ok(setting) if !setting.is_secret() => map.entry(key, &value.expose()),
                _ => map.entry(key, value),
            };
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests;
