//! The answers of ZEGO: its codes, a refusal, and the `Data` of an accepted request.

use serde::Serialize;

/// The codes of ZEGO. // VENDORS.md, SendCustomCommand
pub(crate) mod code {
    pub const FAILED: i64 = 1;
    pub const BAD_PARAMETER: i64 = 2;
    pub const TOO_LONG: i64 = 3;
    pub const TOO_MANY_REQUESTS: i64 = 7;
    pub const NO_SUCH_ROOM: i64 = 104;
    pub const NO_SUCH_USER: i64 = 105;
    pub const EMPTY_CONTENT: i64 = 1008;
    pub const USER_NOT_ONLINE: i64 = 50_003;
    pub const TOO_MANY_USERS: i64 = 50_011;
    pub const MESSAGE_TOO_LONG: i64 = 50_012;
    pub const COMMON_PARAMETER_MISSING: i64 = 100_000_001;
    pub const COMMON_PARAMETER_MALFORMED: i64 = 100_000_002;
    pub const SIGNATURE_VERSION: i64 = 100_000_003;
    pub const SIGNATURE_EXPIRED: i64 = 100_000_004;
    pub const BAD_SIGNATURE: i64 = 100_000_005;
    pub const UNKNOWN_ACTION: i64 = 100_000_007;
    pub const UNKNOWN_APP: i64 = 100_000_010;
}

/// A refused request.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub code: i64,
    pub message: String,
}

impl Refusal {
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// The `Data` of an answer.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "PascalCase")]
pub(crate) enum Data {
    CustomCommand { fail_users: Vec<FailUser> },
    Message { message_id: u64 },
    Nothing {},
}

/// A recipient that the message did not reach.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FailUser {
    pub uid: String,
    pub code: i64,
}
