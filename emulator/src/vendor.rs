//! The vendors, and whose users a request is for.

use serde::{Deserialize, Serialize};

/// Which of the two protocols a request spoke.
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

/// Whose users an inbox belongs to: RTC, IM and ZEGO users are three different sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UserScope {
    Volcengine,
    Im,
    Zego,
}

impl UserScope {
    /// Whose users an action speaks to.
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
