//! One vendor request while it is handled: what the handlers read, what they may change, and what they record about it.

use std::time::Duration;

use bytes::Bytes;

use crate::moment::Moment;
use crate::options::Options;
use crate::request::Request;
use crate::state::State;
use crate::state::quota::{Quotas, SlidingWindow};
use crate::state::record::{Content, Delivery, Recipient};
use crate::vendor::UserScope;

/// What a vendor's handlers get for one request.
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
    /// Puts a message into the inbox of a present user.
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

    /// Whether the emulator enforces quotas and this request is above the limit of this one. A request below it is counted.
    pub fn exceeds_quota(&mut self, weight: usize, window: impl FnOnce(&mut Quotas) -> &mut SlidingWindow) -> bool {
        let now: Duration = self.now.steady;
        self.options.quota && !window(&mut self.state.quotas).admit(weight, now)
    }
}

/// The fields of an IM delivery that a room message does not have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Destination {
    pub conversation_id: Option<i64>,
    pub device: Option<String>,
}

/// What a vendor's handler has read from a request: for a refused request, only the fields before the refusal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    pub action: String,
    pub version: Option<String>,
    pub from: Option<String>,
    pub room_id: Option<String>,
    pub payload: Option<Bytes>,
    pub recipients: Vec<Recipient>,
    pub accepted: bool,
}
