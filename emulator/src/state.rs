//! All that changes while the emulator runs, behind one lock, and the visit of one request to it.

use std::time::Duration;

use crate::faults::Faults;
use crate::moment::Moment;
use crate::options::Options;
use crate::presence::{ImPresence, RtcPresence, ZegoPresence};
use crate::quota::Quotas;
use crate::record::{Audience, Content, Delivery, Findings, Record};
use crate::request::Request;
use crate::zego::Nonces;

/// Everything that `POST /_emulator/reset` puts back to its beginning.
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

/// One request at a vendor's door: what the handlers read, what they may change, and what they note down on the way.
pub(crate) struct Visit<'a> {
    pub request: &'a Request,
    pub options: &'a Options,
    pub state: &'a mut State,
    pub now: Moment,
    pub sequence: u64,
    pub request_id: String,
    pub findings: Findings,
}

impl Visit<'_> {
    /// Puts a message into the inbox of a user who is there.
    pub fn deliver(&mut self, audience: Audience, user: &str, to: Destination, content: &Content) {
        let delivery = Delivery {
            sequence: self.sequence,
            action: self.findings.action.clone(),
            room_id: self.findings.room_id.clone().filter(|_| audience != Audience::Im),
            conversation_id: to.conversation_id,
            from: self.findings.from.clone().unwrap_or_default(),
            device: to.device,
            content: content.clone(),
            request_id: self.request_id.clone(),
        };
        self.state.record.deliver(audience, user, delivery);
    }

    /// Whether quotas hold and this one is used up.
    pub fn over_quota(
        &mut self,
        weight: usize,
        window: impl FnOnce(&mut Quotas) -> &mut crate::quota::SlidingWindow,
    ) -> bool {
        let now: Duration = self.now.steady;
        self.options.quota && !window(&mut self.state.quotas).admit(weight, now)
    }
}

/// What an IM delivery has beyond a room message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Destination {
    pub conversation_id: Option<i64>,
    pub device: Option<String>,
}
