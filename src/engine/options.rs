//! What one send may override, and the same after the client's settings have filled in the rest.

use std::time::Duration;

use crate::quota::Priority;
use crate::util::deadline::Deadline;

/// How one send differs from the client's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendOptions {
    pub timeout: SendTimeout,
    /// Maximum time between the call and the first byte sent, including the wait for quota. A request that has not started
    /// by then fails with `Expired`. `None`: the message does not expire.
    pub expires: Option<Duration>,
    /// Sent before normal messages that wait for the same quota.
    pub urgent: bool,
}

/// The deadline of one send. Quota, DNS, connect, TLS, answers and retries share it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SendTimeout {
    /// `http.timeout_ms`.
    #[default]
    Default,
    After(Duration),
    /// No limit. A vendor that never answers then blocks the thread forever.
    Never,
}

/// The options of a send that begins now, with points in time instead of durations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResolvedOptions {
    pub priority: Priority,
    pub deadline: Deadline,
    /// No attempt writes its first byte after this.
    pub expires: Deadline,
}

impl SendOptions {
    pub(crate) fn priority(&self) -> Priority {
        if self.urgent {
            Priority::Urgent
        } else {
            Priority::Normal
        }
    }

    pub(crate) fn resolve(&self, default_timeout: Duration, expires: Deadline) -> ResolvedOptions {
        ResolvedOptions {
            priority: self.priority(),
            deadline: Deadline::after(match self.timeout {
                SendTimeout::Default => Some(default_timeout),
                SendTimeout::After(timeout) => Some(timeout),
                SendTimeout::Never => None,
            }),
            expires,
        }
    }
}

impl ResolvedOptions {
    /// The latest time at which a request may start.
    pub fn latest_start(&self) -> Deadline {
        self.deadline.or_sooner(self.expires)
    }
}
