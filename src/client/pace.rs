//! When a request may leave: the client's rates, and the buckets it shares with the other clients of its account.

use std::sync::Arc;
use std::time::Duration;

use super::calls::Calls;
use super::{SendTerms, unsent};
use crate::config::{self, Config};
use crate::error::Code;
use crate::http::SendPermit;
use crate::message::Message;
use crate::quota::{Admission, Class, Demand, Limit, Load, Place, Priority, Refusal, SharedBucket, Slot, bucket_of};
use crate::report::Request;
use crate::sync::{Mutex, lock};

/// Without a bucket, nothing is paced.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    rtc: Option<Arc<RateClass>>,
    im: Option<Arc<RateClass>>,
    zego: Option<Arc<RateClass>>,
    room: Option<Limit>,
    batch_costs_its_recipients: bool,
    waits: bool,
}

#[derive(Debug)]
struct RateClass {
    class: Class,
    bucket: SharedBucket,
    limit: Limit,
}

/// The permits of one request, over all its attempts: taken, moved to the moment at which its bytes leave, or given back.
/// Dropped with a slot that was not used, it gives that back.
#[derive(Debug)]
pub(super) struct RatePermit {
    class: Arc<RateClass>,
    demand: Demand,
    /// Whether it waits for a slot, or goes without.
    waits: bool,
    terms: SendTerms,
    calls: Arc<Calls>,
    state: Mutex<PermitState>,
}

#[derive(Debug, Default)]
struct PermitState {
    /// Kept when a slot is given back, so that the message waits at its own place again.
    place: Option<Place>,
    slot: Option<Slot>,
    /// How often it had to wait.
    waits: u64,
}

impl Pacing {
    /// `volcengine` and `zego` name the accounts of the vendors that are configured.
    pub fn new(config: &Config, volcengine: Option<&str>, zego: Option<&str>) -> Pacing {
        if config.text(&config::QUOTA_MODE) == "off" {
            return Pacing::default();
        }
        let span = Duration::from_secs(1) + config.millis(&config::QUOTA_JITTER_MS);
        let limit = |permits| Limit {
            permits,
            span: span.as_nanos() as u64,
        };
        let scope = |setting, account: &str| match config.text(setting) {
            "" => account.to_owned(),
            scope => scope.to_owned(),
        };
        let class = |class, scope: &str, rate| {
            let (bucket, limit) = (bucket_of(class, scope), limit(rate));
            Arc::new(RateClass { class, bucket, limit })
        };
        let volcengine = volcengine.map(|account| scope(&config::QUOTA_VOLCENGINE_SCOPE, account));
        let zego = zego.map(|account| scope(&config::QUOTA_ZEGO_SCOPE, account));
        let zego_rate = config.optional_integer(&config::QUOTA_ZEGO_PER_SECOND).map_or_else(
            // docs/VENDORS.md, SendCustomCommand: a tenth of it in test projects.
            || {
                if config.text(&config::ZEGO_IS_TEST) == "true" {
                    10
                } else {
                    100
                }
            },
            |rate| rate.unsigned_abs(),
        );
        let rtc_rate = config.integer(&config::QUOTA_RTC_PER_SECOND);
        let im_rate = config.integer(&config::QUOTA_IM_PER_SECOND);
        let room_rate = config.optional_integer(&config::QUOTA_ROOM_PER_SECOND);
        Pacing {
            rtc: volcengine
                .as_deref()
                .map(|scope| class(Class::VolcengineRtc, scope, rtc_rate)),
            im: volcengine
                .as_deref()
                .map(|scope| class(Class::VolcengineIm, scope, im_rate)),
            zego: zego.as_deref().map(|scope| class(Class::Zego, scope, zego_rate)),
            room: room_rate.map(|rate| limit(rate.unsigned_abs())),
            batch_costs_its_recipients: config.text(&config::QUOTA_BATCH_COST) == "recipient",
            waits: config.text(&config::QUOTA_MODE) == "wait",
        }
    }

    /// The most recipients a batch may have: one that weighs more than a second allows would never leave.
    pub fn largest_batch(&self) -> Option<usize> {
        let rtc = self.rtc.as_ref().filter(|_| self.batch_costs_its_recipients)?;
        usize::try_from(rtc.limit.permits).ok()
    }

    pub fn bucket(&self, class: Class) -> Option<&SharedBucket> {
        self.class(class).map(|class| &class.bucket)
    }

    /// What a class may send in a second, and how it stands.
    pub fn load(&self, class: Class) -> Option<(u64, Load)> {
        self.class(class)
            .map(|class| (class.limit.permits, class.bucket.load()))
    }

    fn class(&self, class: Class) -> Option<&Arc<RateClass>> {
        match class {
            Class::VolcengineRtc => self.rtc.as_ref(),
            Class::VolcengineIm => self.im.as_ref(),
            Class::Zego => self.zego.as_ref(),
        }
    }

    /// What a message has to wait for in a queue, before its first request; `None` if for nothing.
    pub fn demand_in_queue(&self, message: &Message, priority: Priority, batch: usize) -> Option<(Class, Demand)> {
        let first = match *message {
            Message::BatchSendRoomUnicast {
                room_id,
                from,
                to,
                payload,
            } => Message::BatchSendRoomUnicast {
                room_id,
                from,
                to: &to[..to.len().min(batch)],
                payload,
            },
            whole => whole,
        };
        let (class, demand) = self.demand(&first, priority).filter(|_| self.waits)?;
        Some((class.class, demand))
    }

    /// `None` if nothing paces this message.
    pub fn permit(&self, message: &Message, terms: &SendTerms, calls: &Arc<Calls>) -> Option<Arc<RatePermit>> {
        let (class, demand) = self.demand(message, terms.priority)?;
        Some(Arc::new(RatePermit {
            class: class.clone(),
            demand,
            waits: self.waits,
            terms: *terms,
            calls: calls.clone(),
            state: Mutex::default(),
        }))
    }

    fn demand(&self, message: &Message, priority: Priority) -> Option<(&Arc<RateClass>, Demand)> {
        let (class, room, permits) = match *message {
            Message::SendUnicast { .. } => (&self.rtc, None, 1),
            Message::SendRoomUnicast { room_id, .. } | Message::SendBroadcast { room_id, .. } => {
                (&self.rtc, Some(room_id), 1)
            }
            Message::BatchSendRoomUnicast { room_id, to, .. } => {
                let permits = if self.batch_costs_its_recipients {
                    to.len() as u64
                } else {
                    1
                };
                (&self.rtc, Some(room_id), permits)
            }
            Message::P2PSendMessageToUsers { .. }
            | Message::P2PSendMessageToAll { .. }
            | Message::P2PSendMessageToAllExcept { .. } => (&self.im, None, 1),
            Message::SendCustomCommandToUsers { .. } | Message::SendCustomCommandToRoom { .. } => (&self.zego, None, 1),
        };
        let class = class.as_ref()?;
        let room = room.zip(self.room).map(|(room, limit)| (room.into(), limit));
        let demand = Demand {
            permits,
            limit: class.limit,
            room,
            priority,
        };
        Some((class, demand))
    }

    /// Wakes all who wait, so that those of a closed client leave.
    pub fn wake(&self) {
        for class in [&self.rtc, &self.im, &self.zego].into_iter().flatten() {
            class.bucket.wake();
        }
    }
}

impl RatePermit {
    /// The slot that a queued message was admitted with.
    pub fn adopt(&self, slot: Slot, place: Place) {
        let mut state = lock(&self.state);
        state.place = Some(place);
        state.slot = Some(slot);
    }

    /// The request was sent with it.
    pub fn was_used(&self) {
        lock(&self.state).slot = None;
    }

    /// The next attempt goes before the messages that were not sent yet.
    pub fn prepare_retry(&self) {
        let mut state = lock(&self.state);
        state.place = state.place.map(Place::for_retry);
    }

    /// How often it had to wait.
    pub fn waits(&self) -> u64 {
        lock(&self.state).waits
    }

    pub fn throttled(&self) {
        self.class.bucket.throttled(self.demand.limit.span);
    }

    pub fn succeeded(&self) {
        self.class.bucket.succeeded(self.demand.limit.span);
    }

    fn refused(&self, refusal: Refusal) -> Request {
        let Refusal::TooLate { possible_in } = refusal else {
            return unsent(Code::Closed, "the client was closed before it was sent");
        };
        let retry_after_ms = u32::try_from(possible_in.div_ceil(1_000_000)).unwrap_or(u32::MAX);
        let is_by_expiry = self.waits && self.terms.by() != self.terms.deadline;
        let (code, what) = if is_by_expiry {
            (Code::Expired, "it would expire before its turn in the quota")
        } else {
            (Code::RateLimited, "the quota is used up")
        };
        let request = unsent(code, &format!("{what}; possible in {retry_after_ms} ms"));
        Request {
            retry_after_ms,
            ..request
        }
    }
}

impl SendPermit for RatePermit {
    fn acquire(&self) -> Result<bool, Box<Request>> {
        let mut state = lock(&self.state);
        if state.slot.as_mut().is_some_and(|slot| self.class.bucket.renew(slot)) {
            return Ok(false);
        }
        state.slot = None;
        let wait = if self.waits {
            self.terms.by().remaining()
        } else {
            Some(Duration::ZERO)
        };
        let wait = wait.map(|wait| wait.as_nanos().try_into().unwrap_or(u64::MAX));
        let bucket = &self.class.bucket;
        let admitted = bucket.acquire(&self.demand, state.place, wait, || self.calls.is_abandoned());
        let Admission {
            slot,
            place,
            has_waited,
        } = admitted.map_err(|refusal| self.refused(refusal))?;
        state.place = Some(place);
        state.slot = Some(slot);
        state.waits += u64::from(has_waited);
        Ok(has_waited)
    }

    fn give_back(&self) {
        if let Some(slot) = lock(&self.state).slot.take() {
            self.class.bucket.give_back(&slot);
        }
    }
}

impl Drop for RatePermit {
    fn drop(&mut self) {
        self.give_back();
    }
}
