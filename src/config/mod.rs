//! Every setting, in one table: key, range, default and meaning. The keys are the same in C, C++, Python, Go, the
//! environment and docs/CONFIGURATION.md, which is generated from this table; keys and defaults are part of the ABI.
//!
//! To add a setting: one constant, its line in [`SETTINGS`], `make header` for the page, and a reader of it.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::{Error, grouped};
use crate::log::Logger;
use crate::secret::Secret;

mod docs;
mod endpoint;
mod service_links;

pub use docs::configuration_md;
pub(crate) use endpoint::Endpoint;

/// What a setting's text may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any text without control characters, of at most 4,096 bytes.
    Text,
    /// The same of ASCII alone: it stands in headers or signatures.
    Ascii,
    /// The same, and never shown.
    Secret,
    /// A secret that always has this many characters.
    FixedSecret(usize),
    /// A whole number in decimal digits, both ends included.
    Integer { min: i64, max: i64, unit: &'static str },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One or more of `scheme://host[:port][@region]`, separated by commas.
    Endpoints,
}

/// One setting: a row of the table.
#[derive(Debug)]
pub struct Setting {
    pub key: &'static str,
    pub kind: Kind,
    /// The value when none is set; empty means not given.
    pub default: &'static str,
    pub doc: &'static str,
}

const BOOL: Kind = Kind::Choice(&["false", "true"]);
const MAX_TEXT: usize = 4096;

macro_rules! settings {
    ($($name:ident: $key:literal, $kind:expr, $default:literal, $doc:literal;)+) => {
        $(pub const $name: Setting = Setting { key: $key, kind: $kind, default: $default, doc: $doc };)+

        /// The table.
        pub const SETTINGS: &[Setting] = &[$($name),+];
    };
}

settings! {
    VOLCENGINE_ACCESS_KEY: "volcengine.access_key", Kind::Ascii, "",
        "Access key id of the account. `rtcmsg_config_load_env` also takes it from `VOLC_ACCESSKEY`, the name of the vendor's own tools.";
    VOLCENGINE_SECRET_KEY: "volcengine.secret_key", Kind::Secret, "",
        "Secret key of the account, as the console shows it. `rtcmsg_config_load_env` also takes it from `VOLC_SECRETKEY`. A key that begins with AKLT or AKTP is refused unless the access key also begins with one of these: the two were probably exchanged.";
    VOLCENGINE_SESSION_TOKEN: "volcengine.session_token", Kind::Secret, "",
        "Session token, if the two keys are temporary keys of STS.";
    VOLCENGINE_CREDENTIALS_SOURCE: "volcengine.credentials_source", Kind::Choice(&["settings", "file"]), "settings",
        "Source of the keys: the settings above, or the files of the vendor's own tools, `~/.volc/credentials` (section `default`), then `~/.volc/config`. The client reads the files when it is created.";
    VOLCENGINE_RTC_APP_ID: "volcengine.rtc_app_id", Kind::Ascii, "",
        "AppId of the RTC app, which the four RTC sends need. It is not the AppId of the IM app.";
    VOLCENGINE_IM_APP_ID: "volcengine.im_app_id", Kind::Integer { min: 1, max: i64::MAX, unit: "" }, "",
        "AppId of the IM app, a number, which P2PSendMessage needs. It is not the AppId of the RTC app.";
    VOLCENGINE_ENDPOINT: "volcengine.endpoint", Kind::Endpoints, "https://rtc.volcengineapi.com",
        "Where requests are sent. Another host is another region, with its own data and accounts: set `volcengine.region` with it. A list, such as `https://host@region,https://host@region`, is tried in order as long as nothing could be sent.";
    VOLCENGINE_REGION: "volcengine.region", Kind::Ascii, "cn-north-1",
        "Region in the signature. The default is mainland China; a client that uses it with a known overseas host logs a warning.";
    VOLCENGINE_SERVICE: "volcengine.service", Kind::Ascii, "rtc",
        "Service in the signature; `rtc` for both RTC and IM.";
    VOLCENGINE_RTC_VERSION: "volcengine.rtc_version", Kind::Choice(&["2020-12-01", "2023-07-20"]), "2020-12-01",
        "API version of the four RTC sends. IM only has `2020-12-01`.";
    VOLCENGINE_PAYLOAD_LIMIT_COUNTS: "volcengine.payload_limit_counts", Kind::Choice(&["decoded", "base64"]), "decoded",
        "What the limit of a binary payload (64 KB, batch 20 KB) counts: the bytes, or their base64. The vendor does not say.";
    VOLCENGINE_P2P_MAX_CONTENT: "volcengine.p2p_max_content", Kind::Integer { min: 1, max: 16_777_216, unit: "bytes" }, "65536",
        "Longest content of a P2PSendMessage. The vendor states no limit.";
    VOLCENGINE_P2P_MAX_USERS: "volcengine.p2p_max_users", Kind::Integer { min: 1, max: 100_000, unit: "users" }, "500",
        "Longest list in one P2PSendMessage. The vendor states no limit; its sibling action accepts 500. A longer list of receivers is split; a longer list of users to leave out is refused.";
    ZEGO_APP_ID: "zego.app_id", Kind::Integer { min: 1, max: u32::MAX as i64, unit: "" }, "",
        "AppId of the ZEGO project.";
    ZEGO_SERVER_SECRET: "zego.server_secret", Kind::FixedSecret(32), "",
        "ServerSecret of the ZEGO project. Not its AppSign, which has 64 characters.";
    ZEGO_ENDPOINT: "zego.endpoint", Kind::Endpoints, "https://rtc-api.zego.im",
        "Where requests are sent. The default serves any region; `https://rtc-api-sha.zego.im` and its siblings (`hkg`, `fra`, `lax`, `bom`, `sgp`) serve one each. A list, separated by commas, is tried in order as long as nothing could be sent; the client remembers the one that works.";
    ZEGO_IS_TEST: "zego.is_test", Kind::Choice(&["omit", "false", "true"]), "omit",
        "The `IsTest` parameter. Only projects created up to 2021-11-16 need it.";
    ZEGO_PAYLOAD_LIMIT_COUNTS: "zego.payload_limit_counts", Kind::Choice(&["decoded", "encoded"]), "decoded",
        "What the limit of 1,024 bytes counts: the content, or its URL encoding. The vendor does not say.";
    ZEGO_MAX_ID_LENGTH: "zego.max_id_length", Kind::Integer { min: 1, max: 1024, unit: "bytes" }, "128",
        "Longest room or user id, in UTF-8 bytes. The vendor's page of SendCustomCommand states no limit.";
    HTTP_TIMEOUT_MS: "http.timeout_ms", Kind::Integer { min: 1, max: 86_400_000, unit: "ms" }, "10000",
        "Timeout of one message: wait for quota, DNS, connect, TLS, answers, retries and all parts of a long list together. For a submitted message it starts with the first attempt, after the first wait for quota. A send can set its own.";
    HTTP_CONNECT_TIMEOUT_MS: "http.connect_timeout_ms", Kind::Integer { min: 1, max: 86_400_000, unit: "ms" }, "3000",
        "Time limit of one attempt for DNS, and the same again for connect (to all addresses), the answer of a proxy and TLS together. It leaves time for another attempt within `http.timeout_ms`.";
    HTTP_MAX_IDLE_CONNECTIONS: "http.max_idle_connections", Kind::Integer { min: 1, max: 10_000, unit: "connections" }, "64",
        "Idle connections kept per host. Set it to the number of threads that send at the same time; more threads still work, but reconnect.";
    HTTP_IDLE_TIMEOUT_MS: "http.idle_timeout_ms", Kind::Integer { min: 0, max: 3_600_000, unit: "ms" }, "30000",
        "A connection that was idle for longer is not used again. If its server announced a shorter time by `Keep-Alive`, that time counts.";
    HTTP_MAX_CONNECTION_AGE_MS: "http.max_connection_age_ms", Kind::Integer { min: 1_000, max: 86_400_000, unit: "ms" }, "300000",
        "A connection is replaced at this age, so that changes in DNS take effect.";
    HTTP_DNS_TTL_MS: "http.dns_ttl_ms", Kind::Integer { min: 0, max: 86_400_000, unit: "ms" }, "60000",
        "Addresses older than this are looked up again in the background; the old addresses are used until that succeeds.";
    HTTP_ALLOW_PLAINTEXT: "http.allow_plaintext", BOOL, "false",
        "Allows `http://` endpoints that are not on this machine's loopback. Signatures and messages can then be read in transit.";
    HTTP_PROXY: "http.proxy", Kind::Secret, "",
        "`http://[user:password@]host[:port]` of a CONNECT proxy, or `env`: see [Proxies](#proxies). If not set, no proxy is used, whatever the environment says.";
    RETRY_MAX_ATTEMPTS: "retry.max_attempts", Kind::Integer { min: 1, max: 100, unit: "attempts" }, "3",
        "Maximum number of attempts of a request, within its timeout; 1 disables retries. Only safe failures are retried: nothing was sent, the vendor throttled, or the vendor answered that it did not process the request.";
    RETRY_ON_UNKNOWN: "retry.on_unknown", BOOL, "false",
        "Also retries requests that may have arrived. A recipient can then get the message twice.";
    RETRY_BACKOFF_MS: "retry.backoff_ms", Kind::Integer { min: 0, max: 60_000, unit: "ms" }, "100",
        "Maximum pause before the first retry; it doubles with each further retry. The pause is a random time up to this maximum, and never shorter than the vendor's `Retry-After`.";
    RETRY_BACKOFF_MAX_MS: "retry.backoff_max_ms", Kind::Integer { min: 0, max: 600_000, unit: "ms" }, "2000",
        "Upper limit of the maximum pause before a retry.";
    RETRY_BUDGET_PERCENT: "retry.budget_percent", Kind::Integer { min: 0, max: 100, unit: "%" }, "20",
        "Retries that a client makes for each hundred requests, so that a vendor with problems does not get several times as many requests. Up to 20 unused retries are saved.";
    SPLIT_CONCURRENCY: "split.concurrency", Kind::Integer { min: 1, max: 64, unit: "requests" }, "4",
        "How many parts of one long list are in flight at a time; above 1 the library uses its own threads for them.";
    SPLIT_MAX_RECIPIENTS: "split.max_recipients", Kind::Integer { min: 1, max: 1_000_000, unit: "recipients" }, "100000",
        "Longest list of one message.";
    QUOTA_MODE: "quota.mode", Kind::Choice(&["wait", "fail", "off"]), "wait",
        "What happens to a message when the vendor's quota has no room: it waits, within its timeout (`wait`); it fails immediately with `RTCMSG_ERR_RATE_LIMITED` (`fail`); or requests are not paced (`off`).";
    QUOTA_JITTER_MS: "quota.jitter_ms", Kind::Integer { min: 0, max: 10_000, unit: "ms" }, "30",
        "Margin for network jitter: the window of the rate limit is one second plus this, so that late packets cannot push more than the limit into one second. 30 ms cost 3 % of the throughput.";
    QUOTA_RTC_PER_SECOND: "quota.rtc_per_second", Kind::Integer { min: 1, max: 1_000_000, unit: "requests" }, "500",
        "Quota of Volcengine's four RTC sends together.";
    QUOTA_IM_PER_SECOND: "quota.im_per_second", Kind::Integer { min: 1, max: 1_000_000, unit: "requests" }, "100",
        "Quota of P2PSendMessage.";
    QUOTA_IM_USER_PER_SECOND: "quota.im_user_per_second", Kind::Integer { min: 1, max: 1_000_000, unit: "requests" }, "100",
        "Quota of P2PSendUserMessage, sent by `rtcmsg_client_call_action`.";
    QUOTA_IM_USER_RECEIVERS_PER_MINUTE: "quota.im_user_receivers_per_minute", Kind::Integer { min: 1, max: 100_000_000, unit: "receivers" }, "25000",
        "Quota of P2PSendUserMessage in receivers, over all its requests.";
    QUOTA_IM_USER_TO_ALL_PER_SECOND: "quota.im_user_to_all_per_second", Kind::Integer { min: 1, max: 1_000_000, unit: "requests" }, "1",
        "Quota of P2PSendUserMessage with `ToAllOnlineUsers`.";
    QUOTA_ZEGO_PER_SECOND: "quota.zego_per_second", Kind::Integer { min: 1, max: 1_000_000, unit: "requests" }, "",
        "Quota of SendCustomCommand together with SendBroadcastMessage and SendBarrageMessage by `rtcmsg_client_call_action`. If not set: 100, or 10 with `zego.is_test` = `true`.";
    QUOTA_ROOM_PER_SECOND: "quota.room_per_second", Kind::Integer { min: 1, max: 1_000_000, unit: "requests" }, "",
        "Quota of each Volcengine RTC room, over all its senders. If not set, rooms are not limited. The vendor states 100, and 80 from 500 users up.";
    QUOTA_BATCH_COST: "quota.batch_cost", Kind::Choice(&["request", "recipient"]), "request",
        "What a BatchSendRoomUnicast counts in the quota: one request, or one per recipient, as an old page of the vendor says. With `recipient` its parts are at most as long as the quota of one second.";
    QUOTA_VOLCENGINE_SCOPE: "quota.volcengine_scope", Kind::Text, "",
        "Clients of a process with the same scope share the quota. If not set, the scope is the access key, which identifies the account. If the vendor counts your quota by app, set the app's id.";
    QUOTA_ZEGO_SCOPE: "quota.zego_scope", Kind::Text, "",
        "The same for ZEGO. If not set, the scope is the AppId.";
    QUEUE_CAPACITY: "queue.capacity", Kind::Integer { min: 1, max: 1_000_000, unit: "messages" }, "10000",
        "How many messages a client holds at a time, from submit until their completion is polled; submit refuses more with `RTCMSG_ERR_QUEUE_FULL`.";
    QUEUE_MAX_BYTES: "queue.max_bytes", Kind::Integer { min: 1_024, max: 17_179_869_184, unit: "bytes" }, "67108864",
        "Total size of the messages that a client holds, ids and payloads, from submit until their completion is polled.";
    WORKER_THREADS: "worker.threads", Kind::Integer { min: 1, max: 1_024, unit: "threads" }, "8",
        "How many submitted messages are in flight at a time, each on a thread of the library. The threads start when there is work.";
    WORKER_STACK_BYTES: "worker.stack_bytes", Kind::Integer { min: 262_144, max: 67_108_864, unit: "bytes" }, "1048576",
        "Stack size of each of these threads. The log function also runs on it.";
    LOG_BUFFER_LEVEL: "log.buffer_level", Kind::Choice(&["off", "error", "warn", "info", "debug"]), "off",
        "Keeps log lines up to this level for `rtcmsg_client_next_log_line`, for programs whose runtime cannot handle calls from foreign threads.";
    LOG_BUFFER_LINES: "log.buffer_lines", Kind::Integer { min: 1, max: 1_000_000, unit: "lines" }, "1000",
        "How many lines are kept. A new line then replaces the oldest one, and a line says how many were lost.";
    TLS_CA_FILE: "tls.ca_file", Kind::Text, "",
        "PEM file with the only root certificates to trust, with or without a UTF-8 byte order mark. If not set, the client trusts the Mozilla roots that are built into the library.";
}

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

impl Setting {
    /// Whether its value must never be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret | Kind::FixedSecret(_))
    }

    fn check(&self, value: &str) -> Result<(), Error> {
        self.check_as(self.key, value)
    }

    /// The same check for a value that does not come through [`Config::set`]: an error names `field`.
    pub(crate) fn check_as(&self, field: &'static str, value: &str) -> Result<(), Error> {
        if value.contains('\0') {
            return Err(Error::invalid(field, "the value contains a NUL character"));
        }
        if value.len() > MAX_TEXT {
            let text = format!(
                "the value is {} bytes long, at most {} are taken",
                grouped(value.len()),
                grouped(MAX_TEXT)
            );
            return Err(Error::invalid(field, text));
        }
        match self.kind {
            Kind::Text => printable(field, value),
            Kind::Ascii | Kind::Secret => ascii(field, value),
            Kind::FixedSecret(length) => {
                ascii(field, value)?;
                check_length(field, value, length)
            }
            Kind::Integer { min, max, unit } => check_integer(field, value, min, max, unit),
            Kind::Choice(words) if words.contains(&value) => Ok(()),
            Kind::Choice(words) => Err(Error::invalid(
                field,
                format!("{} is none of {}", shown(value), words.join(", ")),
            )),
            Kind::Endpoints => {
                printable(field, value)?;
                Endpoint::parse_list(field, value).map(drop)
            }
        }
    }
}

/// Texts of settings end up in headers, URLs and paths: control characters have no place in any of them.
fn printable(key: &'static str, value: &str) -> Result<(), Error> {
    match value.chars().find(|c| c.is_control()) {
        Some(c) => Err(Error::invalid(
            key,
            format!("the value contains the control character {}", c.escape_unicode()),
        )),
        None if value.trim() != value => Err(Error::invalid(key, "the value begins or ends with a space")),
        None => Ok(()),
    }
}

/// A key or secret that does not come through [`Config::set`] and must be given.
pub(crate) fn check_credential(setting: &Setting, field: &'static str, value: &str) -> Result<(), Error> {
    if value.is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    setting.check_as(field, value)
}

/// For values that are ASCII already, so that bytes are characters.
fn check_length(key: &'static str, value: &str, length: usize) -> Result<(), Error> {
    if value.len() == length {
        return Ok(());
    }
    let text = format!(
        "the value has {} characters, but it must have {length}",
        grouped(value.len())
    );
    Err(Error::invalid(key, text))
}

fn ascii(key: &'static str, value: &str) -> Result<(), Error> {
    if !value.is_ascii() {
        return Err(Error::invalid(key, "the value contains a character outside ASCII"));
    }
    printable(key, value)
}

/// A value in an error. A long one may be a secret in the wrong place, so only its length is told.
fn shown(value: &str) -> String {
    const MOST: usize = 20;
    let is_url = value.starts_with("https://") || value.starts_with("http://");
    match value.chars().count() {
        0..=MOST => format!("\"{}\"", value.escape_debug()),
        _ if is_url => format!(
            "\"{}\"",
            value.chars().take(128).flat_map(char::escape_debug).collect::<String>()
        ),
        length => format!("a value of {length} characters"),
    }
}

fn check_integer(key: &'static str, value: &str, min: i64, max: i64, unit: &str) -> Result<(), Error> {
    let in_digits = value.bytes().all(|b| b.is_ascii_digit());
    match value.parse::<i64>() {
        Ok(number) if in_digits && (min..=max).contains(&number) => Ok(()),
        _ => {
            let (min, max) = (grouped(min), grouped(max));
            let range = format!("a whole number from {min} to {max} {unit}");
            Err(Error::invalid(
                key,
                format!("{} is not {}", shown(value), range.trim_end()),
            ))
        }
    }
}

fn find(key: &str) -> Result<&'static Setting, Error> {
    SETTINGS
        .iter()
        .find(|setting| setting.key == key)
        .ok_or_else(|| unknown_key(key, nearest(key, SETTINGS.iter().map(|setting| setting.key.to_owned()))))
}

fn unknown_key(key: &str, nearest: Option<String>) -> Error {
    let shown: String = key.chars().take(64).flat_map(char::escape_debug).collect();
    let text = match nearest {
        Some(nearest) => format!("unknown setting \"{shown}\"; did you mean {nearest}?"),
        None => format!("unknown setting \"{shown}\"; docs/CONFIGURATION.md lists them"),
    };
    Error::invalid(shown, text)
}

fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    if name.len() > 128 {
        return None; // Too far from every key; the distance is not worth its cost.
    }
    let name = name.to_lowercase();
    known
        .map(|candidate| (strsim::jaro_winkler(&name, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

fn variable_of(setting: &Setting) -> String {
    format!("RTCMSG_{}", setting.key.to_uppercase().replace('.', "_"))
}

/// The key that a variable sets. Names outside our sections (`RTCMSG_LIBRARY`) belong to others and are ignored, and so
/// are the service links of Kubernetes.
fn key_of_variable(name: &str, value: Option<&str>) -> Result<Option<&'static str>, Error> {
    if let Some(setting) = SETTINGS.iter().find(|setting| variable_of(setting) == name) {
        return Ok(Some(setting.key));
    }
    let is_ours = SETTINGS.iter().any(|setting| {
        let section = setting.key.split('.').next().unwrap_or_default();
        name.starts_with(&format!("RTCMSG_{}_", section.to_uppercase()))
    });
    if is_ours && !value.is_some_and(|value| service_links::is_service_link(name, value)) {
        return Err(unknown_key(name, nearest(name, SETTINGS.iter().map(variable_of))));
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
