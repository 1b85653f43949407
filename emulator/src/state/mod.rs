//! The state that changes while the emulator runs. One lock protects it.

pub(crate) mod connection;
mod nonces;
pub(crate) mod presence;
pub(crate) mod quota;
pub(crate) mod record;

use self::nonces::Nonces;
use self::presence::{ImPresence, RtcPresence, ZegoPresence};
use self::quota::Quotas;
use self::record::Record;
use crate::faults::Faults;

/// The state that `POST /_emulator/reset` resets.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub rtc: RtcPresence,
    pub im: ImPresence,
    pub zego: ZegoPresence,
    pub nonces: Nonces,
    pub quotas: Quotas,
    pub record: Record,
    pub faults: Faults,
}

impl State {
    pub fn reset(&mut self) {
        self.faults.clear();
        *self = Self {
            faults: std::mem::take(&mut self.faults),
            ..Self::default()
        };
    }
}
