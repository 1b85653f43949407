//! All that changes while the emulator runs, behind one lock, and the context of one request to it.

use std::time::Duration;

use crate::faults::Faults;
use crate::moment::Moment;
use crate::options::Options;
use crate::presence::{ImPresence, RtcPresence, ZegoPresence};
use crate::quota::Quotas;
use crate::record::{Content, Delivery, Observed, Record, UserScope};
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
pub(crate) struct RequestContext<'a> {
    pub request: &'a Request,
    pub options: &'a Options,
    pub state: &'a mut State,
    pub now: Moment,
    pub sequence: u64,
    pub request_id: String,
    pub observed: Observed,
}

impl RequestContext<'_> {
    /// Puts a message into the inbox of a user who is there.
    pub fn deliver(&mut self, scope: UserScope, user: &str, to: Destination, content: &Content) {
        let delivery = Delivery {
            sequence: self.sequence,
            action: self.observed.action.clone(),
            room_id: self.observed.room_id.clone().filter(|_| scope != UserScope::Im),
            conversation_id: to.conversation_id,
            from: self.observed.from.clone().unwrap_or_default(),
            device: to.device,
            content: content.clone(),
            request_id: self.request_id.clone(),
        };
        self.state.record.deliver(scope, user, delivery);
    }

    /// Whether quotas hold and this one is used up.
    pub fn exceeds_quota(
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
