//! The vendors, and the sets of users that they have.

use serde::{Deserialize, Serialize};

/// The vendor whose protocol a request uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Vendor {
    Volcengine,
    Zego,
}

impl Vendor {
    pub fn name(self) -> &'static str {
        match self {
            Self::Volcengine => "volcengine",
            Self::Zego => "zego",
        }
    }
}

/// A set of users. RTC, IM and ZEGO users are three different sets; the same id in two of them is two users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UserScope {
    Volcengine,
    Im,
    Zego,
}

impl UserScope {
    /// The users that an action sends to.
    pub fn of(vendor: Vendor, action: &str) -> Self {
        match vendor {
            Vendor::Zego => Self::Zego,
            Vendor::Volcengine if matches!(action, "P2PSendMessage" | "P2PSendUserMessage") => Self::Im,
            Vendor::Volcengine => Self::Volcengine,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Volcengine => "volcengine",
            Self::Im => "im",
            Self::Zego => "zego",
        }
    }
}
