//! Every setting, in one table: key, range, default and meaning. The keys are the same in C, C++, Python, Go, the
//! environment and docs/CONFIGURATION.md, which is generated from this table. Keys and defaults are part of the ABI.
//!
//! To add a setting: add one row, run `make header` for the page, and read the setting where it is used.

/// The values that a setting accepts.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any text without control characters, of at most 4,096 bytes.
    Text,
    /// The same, but only ASCII characters, since the value is part of headers or signatures.
    Ascii,
    /// The same as `Ascii`. The value is never shown.
    Secret,
    /// A secret with exactly this number of characters.
    FixedSecret(usize),
    /// A whole number in decimal digits, from `min` to `max`.
    Integer { min: i64, max: i64, unit: &'static str },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `env`, or the URL of a proxy. The URL may contain a password, so it is never shown.
    Proxy,
    /// One or more of `scheme://host[:port][@region]`, separated by commas.
    Endpoints,
}

/// One setting: a row of the table.
#[derive(Debug)]
pub struct Setting {
    pub key: &'static str,
    pub kind: Kind,
    /// The value if none is set. Empty means that the setting is not given.
    pub default: &'static str,
    pub doc: &'static str,
}

impl Setting {
    /// Whether the value must never be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret | Kind::FixedSecret(_) | Kind::Proxy)
    }
}

/// The longest value of a setting, in bytes.
pub(super) const MAX_TEXT: usize = 4096;
const BOOL: Kind = Kind::Choice(&["false", "true"]);

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
        "Timeout of one message: wait for quota, DNS, connect, TLS, responses, retries and all parts of a long list together. For a submitted message it starts with the first attempt, after the queue and the first wait for quota, which only `expires_in_ms` limits. Each send and submit can set its own timeout.";
    HTTP_CONNECT_TIMEOUT_MS: "http.connect_timeout_ms", Kind::Integer { min: 1, max: 86_400_000, unit: "ms" }, "3000",
        "Time limit of one attempt for DNS, and the same again for connect (to all addresses), the response of a proxy and TLS together. It leaves time for another attempt within `http.timeout_ms`.";
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
    HTTP_PROXY: "http.proxy", Kind::Proxy, "",
        "`http://[user:password@]host[:port]` of a CONNECT proxy, or `env`: see [Proxies](#proxies). If not set, no proxy is used, whatever the environment says.";
    RETRY_MAX_ATTEMPTS: "retry.max_attempts", Kind::Integer { min: 1, max: 100, unit: "attempts" }, "3",
        "Maximum number of attempts of a request, within its timeout; 1 disables retries. Only safe failures are retried: nothing was sent, the vendor throttled, or the vendor reported that it did not process the request.";
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
        "What happens to a message when the vendor's quota has no room. `wait`: a send waits within its timeout, a submitted message until it expires. `fail`: the message fails immediately with `RTCMSG_ERR_RATE_LIMITED`. `off`: requests are not paced.";
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
        "Clients of a process with the same scope share the quota; each applies its own `quota.*` limits to the common count. If not set, the scope is the access key, which identifies the account. If the vendor counts your quota by app, set the app's id.";
    QUOTA_ZEGO_SCOPE: "quota.zego_scope", Kind::Text, "",
        "The same for ZEGO. If not set, the scope is the AppId.";
    QUEUE_CAPACITY: "queue.capacity", Kind::Integer { min: 1, max: 1_000_000, unit: "messages" }, "10000",
        "How many messages a client holds at a time, from submit until their completion is polled; submit refuses more with `RTCMSG_ERR_QUEUE_FULL`.";
    QUEUE_MAX_BYTES: "queue.max_bytes", Kind::Integer { min: 1_024, max: 17_179_869_184, unit: "bytes" }, "67108864",
        "Total size of the messages that a client holds, from submit until their completion is polled: ids, payloads and 256 bytes for each message; submit refuses more with `RTCMSG_ERR_QUEUE_FULL`.";
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
