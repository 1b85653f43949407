//! Every setting, in one table: key, range, default and meaning. The keys are the same in C, C++, Python, Go, the
//! environment and docs/CONFIGURATION.md, which is generated from this table. Keys and defaults are part of the ABI.
//!
//! To add a setting: add one row, run `make header` for the page, and read the setting where it is used.

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
    /// `env`, or the URL of a proxy, which may hold a password and is never shown.
    Proxy,
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

impl Setting {
    /// Whether its value must never be shown.
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
        "Secret key of the account, as the console shows it. `rtcmsg_config_load_env` also takes it from `VOLC_SECRETKEY`. One that begins with AKLT or AKTP is refused unless the access key begins so, too: the two look exchanged.";
    VOLCENGINE_SESSION_TOKEN: "volcengine.session_token", Kind::Secret, "",
        "Session token, when the two keys are temporary ones of STS.";
    VOLCENGINE_CREDENTIALS_SOURCE: "volcengine.credentials_source", Kind::Choice(&["settings", "file"]), "settings",
        "Where the keys come from: the settings above, or the files of the vendor's own tools, `~/.volc/credentials` (section `default`), then `~/.volc/config`, read when the client is made.";
    VOLCENGINE_RTC_APP_ID: "volcengine.rtc_app_id", Kind::Ascii, "",
        "AppId of the RTC app: needed by the four RTC sends. Not the IM app's.";
    VOLCENGINE_IM_APP_ID: "volcengine.im_app_id", Kind::Integer { min: 1, max: i64::MAX, unit: "" }, "",
        "AppId of the IM app, a number: needed by P2PSendMessage. Not the RTC app's.";
    VOLCENGINE_ENDPOINT: "volcengine.endpoint", Kind::Endpoints, "https://rtc.volcengineapi.com",
        "Where requests go. Another host is another region, with its own data and accounts: set `volcengine.region` with it. Several, as `https://host@region,https://host@region`, are tried in order while nothing could be sent.";
    VOLCENGINE_REGION: "volcengine.region", Kind::Ascii, "cn-north-1",
        "Region in the signature. The default is mainland China; a client that uses it with a known overseas host logs a warning.";
    VOLCENGINE_SERVICE: "volcengine.service", Kind::Ascii, "rtc",
        "Service in the signature; `rtc` for RTC and IM alike.";
    VOLCENGINE_RTC_VERSION: "volcengine.rtc_version", Kind::Choice(&["2020-12-01", "2023-07-20"]), "2020-12-01",
        "API version of the four RTC sends. IM has `2020-12-01` alone.";
    VOLCENGINE_PAYLOAD_LIMIT_COUNTS: "volcengine.payload_limit_counts", Kind::Choice(&["decoded", "base64"]), "decoded",
        "What the limit of a binary payload (64 KB, batch 20 KB) counts: the bytes, or their base64. The vendor does not say.";
    VOLCENGINE_P2P_MAX_CONTENT: "volcengine.p2p_max_content", Kind::Integer { min: 1, max: 16_777_216, unit: "bytes" }, "65536",
        "Longest content of a P2PSendMessage. The vendor states none.";
    VOLCENGINE_P2P_MAX_USERS: "volcengine.p2p_max_users", Kind::Integer { min: 1, max: 100_000, unit: "users" }, "500",
        "Longest list in one P2PSendMessage. The vendor states none; its sibling action takes 500. A longer list of receivers is split; one of those to leave out is refused.";
    ZEGO_APP_ID: "zego.app_id", Kind::Integer { min: 1, max: u32::MAX as i64, unit: "" }, "",
        "AppId of the ZEGO project.";
    ZEGO_SERVER_SECRET: "zego.server_secret", Kind::FixedSecret(32), "",
        "ServerSecret of the ZEGO project. Not its AppSign, which has 64 characters.";
    ZEGO_ENDPOINT: "zego.endpoint", Kind::Endpoints, "https://rtc-api.zego.im",
        "Where requests go. The default serves any region; `https://rtc-api-sha.zego.im` and its siblings (`hkg`, `fra`, `lax`, `bom`, `sgp`) one each. Several, separated by commas, are tried in order while nothing could be sent; the one that works is remembered.";
    ZEGO_IS_TEST: "zego.is_test", Kind::Choice(&["omit", "false", "true"]), "omit",
        "The `IsTest` parameter: only projects made up to 2021-11-16 need it.";
    ZEGO_PAYLOAD_LIMIT_COUNTS: "zego.payload_limit_counts", Kind::Choice(&["decoded", "encoded"]), "decoded",
        "What the limit of 1,024 bytes counts: the content, or its URL encoding. The vendor does not say.";
    ZEGO_MAX_ID_LENGTH: "zego.max_id_length", Kind::Integer { min: 1, max: 1024, unit: "bytes" }, "128",
        "Longest room or user id, in UTF-8 bytes. The page of SendCustomCommand states none.";
    HTTP_TIMEOUT_MS: "http.timeout_ms", Kind::Integer { min: 1, max: 86_400_000, unit: "ms" }, "10000",
        "Deadline of one call: waiting for quota, DNS, connect, TLS, answers, retries and all parts of a long list together; for a submitted message it begins with the first attempt, after its turn in the quota. A call can set its own.";
    HTTP_CONNECT_TIMEOUT_MS: "http.connect_timeout_ms", Kind::Integer { min: 1, max: 86_400_000, unit: "ms" }, "3000",
        "The most of the deadline that one try spends on DNS, and again on connect (to all addresses), the answer of a proxy and TLS together, so that there is time for another.";
    HTTP_MAX_IDLE_CONNECTIONS: "http.max_idle_connections", Kind::Integer { min: 1, max: 10_000, unit: "connections" }, "64",
        "Idle connections kept per host. Set it to the number of threads that send at once; more threads still work, but reconnect.";
    HTTP_IDLE_TIMEOUT_MS: "http.idle_timeout_ms", Kind::Integer { min: 0, max: 3_600_000, unit: "ms" }, "30000",
        "An idle connection older than this is not used again, nor one whose server announced a shorter time by `Keep-Alive`.";
    HTTP_MAX_CONNECTION_AGE_MS: "http.max_connection_age_ms", Kind::Integer { min: 1_000, max: 86_400_000, unit: "ms" }, "300000",
        "A connection is replaced at this age, so that changes in DNS are followed.";
    HTTP_DNS_TTL_MS: "http.dns_ttl_ms", Kind::Integer { min: 0, max: 86_400_000, unit: "ms" }, "60000",
        "Addresses older than this are looked up again, in the background: until that succeeds the old ones serve.";
    HTTP_ALLOW_PLAINTEXT: "http.allow_plaintext", BOOL, "false",
        "Allows `http://` endpoints that are not on this machine's loopback. Signatures and messages can then be read on the way.";
    HTTP_PROXY: "http.proxy", Kind::Proxy, "",
        "`http://[user:password@]host[:port]` of a CONNECT proxy, or `env`: see [Proxies](#proxies). Not given: no proxy, whatever the environment says.";
    RETRY_MAX_ATTEMPTS: "retry.max_attempts", Kind::Integer { min: 1, max: 100, unit: "attempts" }, "3",
        "How often a request is tried in all, within its deadline; 1 is once. Only what is safe is repeated: nothing was sent, the vendor throttled, or it says that it did not process.";
    RETRY_ON_UNKNOWN: "retry.on_unknown", BOOL, "false",
        "Repeats also what may have arrived. A recipient can then get the message twice.";
    RETRY_BACKOFF_MS: "retry.backoff_ms", Kind::Integer { min: 0, max: 60_000, unit: "ms" }, "100",
        "The longest pause before the first retry; it doubles with each. The pause is drawn between 0 and that, and is never shorter than the vendor's `Retry-After`.";
    RETRY_BACKOFF_MAX_MS: "retry.backoff_max_ms", Kind::Integer { min: 0, max: 600_000, unit: "ms" }, "2000",
        "What the longest pause grows to.";
    RETRY_BUDGET_PERCENT: "retry.budget_percent", Kind::Integer { min: 0, max: 100, unit: "%" }, "20",
        "How many retries a client makes for each hundred requests, so that a vendor in trouble is not asked several times as much. Up to 20 are saved up.";
    SPLIT_CONCURRENCY: "split.concurrency", Kind::Integer { min: 1, max: 64, unit: "requests" }, "4",
        "How many parts of one long list are in flight at a time; above 1 the library uses threads of its own for them.";
    SPLIT_MAX_RECIPIENTS: "split.max_recipients", Kind::Integer { min: 1, max: 1_000_000, unit: "recipients" }, "100000",
        "Longest list of one message.";
    QUOTA_MODE: "quota.mode", Kind::Choice(&["wait", "fail", "off"]), "wait",
        "What happens to a message for which the vendor's quota has no room: it waits, within its deadline; it fails at once with `RTCMSG_ERR_RATE_LIMITED`; or nothing is paced at all.";
    QUOTA_JITTER_MS: "quota.jitter_ms", Kind::Integer { min: 0, max: 10_000, unit: "ms" }, "30",
        "By how much delays on the way to the vendor may differ without more than its limit arriving in any second. It costs that share of the quota.";
    QUOTA_RTC_PER_SECOND: "quota.rtc_per_second", Kind::Integer { min: 1, max: 1_000_000, unit: "requests" }, "500",
        "Quota of Volcengine's four RTC sends in sum.";
    QUOTA_IM_PER_SECOND: "quota.im_per_second", Kind::Integer { min: 1, max: 1_000_000, unit: "requests" }, "100",
        "Quota of P2PSendMessage.";
    QUOTA_IM_USER_PER_SECOND: "quota.im_user_per_second", Kind::Integer { min: 1, max: 1_000_000, unit: "requests" }, "100",
        "Quota of P2PSendUserMessage, sent by `rtcmsg_client_call_action`.";
    QUOTA_IM_USER_RECEIVERS_PER_MINUTE: "quota.im_user_receivers_per_minute", Kind::Integer { min: 1, max: 100_000_000, unit: "receivers" }, "25000",
        "Quota of P2PSendUserMessage in receivers, all its requests together.";
    QUOTA_IM_USER_TO_ALL_PER_SECOND: "quota.im_user_to_all_per_second", Kind::Integer { min: 1, max: 1_000_000, unit: "requests" }, "1",
        "Quota of P2PSendUserMessage with `ToAllOnlineUsers`.";
    QUOTA_ZEGO_PER_SECOND: "quota.zego_per_second", Kind::Integer { min: 1, max: 1_000_000, unit: "requests" }, "",
        "Quota of SendCustomCommand, and of SendBroadcastMessage and SendBarrageMessage by `rtcmsg_client_call_action`, in sum. Not given: 100, or 10 with `zego.is_test` = `true`.";
    QUOTA_ROOM_PER_SECOND: "quota.room_per_second", Kind::Integer { min: 1, max: 1_000_000, unit: "requests" }, "",
        "Quota of each Volcengine RTC room, all its senders together. Not given: none. The vendor names 100, and 80 from 500 users up.";
    QUOTA_BATCH_COST: "quota.batch_cost", Kind::Choice(&["request", "recipient"]), "request",
        "What a BatchSendRoomUnicast counts in the quota: one, or one per recipient, as an old page has it; its parts are then no longer than a second allows.";
    QUOTA_VOLCENGINE_SCOPE: "quota.volcengine_scope", Kind::Text, "",
        "Clients of a process with the same scope share the quota. Not given: the access key, for the account. Where your account counts by app, set the app's id.";
    QUOTA_ZEGO_SCOPE: "quota.zego_scope", Kind::Text, "",
        "The same for ZEGO. Not given: the AppId.";
    QUEUE_CAPACITY: "queue.capacity", Kind::Integer { min: 1, max: 1_000_000, unit: "messages" }, "10000",
        "How many messages a client holds at a time, from submit until their completion is polled; the next is refused with `RTCMSG_ERR_QUEUE_FULL`.";
    QUEUE_MAX_BYTES: "queue.max_bytes", Kind::Integer { min: 1_024, max: 17_179_869_184, unit: "bytes" }, "67108864",
        "How many bytes the messages in the queue take together, ids and payloads, from submit until their completion is polled.";
    WORKER_THREADS: "worker.threads", Kind::Integer { min: 1, max: 1_024, unit: "threads" }, "8",
        "How many submitted messages are on their way at a time, each on a thread of the library. They are started when there is something to do.";
    WORKER_STACK_BYTES: "worker.stack_bytes", Kind::Integer { min: 262_144, max: 67_108_864, unit: "bytes" }, "1048576",
        "Stack of each of these threads; the log function runs on it, too.";
    LOG_BUFFER_LEVEL: "log.buffer_level", Kind::Choice(&["off", "error", "warn", "info", "debug"]), "off",
        "Keeps log lines up to this level for `rtcmsg_client_next_log_line`: for callers whose runtime takes no calls from foreign threads.";
    LOG_BUFFER_LINES: "log.buffer_lines", Kind::Integer { min: 1, max: 1_000_000, unit: "lines" }, "1000",
        "How many lines are kept; then the oldest gives way, and a line says how many did.";
    TLS_CA_FILE: "tls.ca_file", Kind::Text, "",
        "PEM file with the only root certificates to trust, with or without a UTF-8 byte order mark. Not given: the Mozilla roots built into the library.";
}
