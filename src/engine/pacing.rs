//! When a request may be sent: the rate limits of this client, and the buckets that it shares with the other clients of
//! its accounts.

use std::sync::Arc;
use std::time::Duration;

use super::active_calls::ActiveCalls;
use super::in_flight::unsent;
use super::options::ResolvedOptions;
use super::vendors::ApiRequest;
use crate::action::{Cost, Limits, QuotaClass, RawActionSpec, Vendor, raw_action};
use crate::config::{self, Config};
use crate::error::Code;
use crate::http::SendPermit;
use crate::message::Message;
use crate::quota::{Admission, Demand, Limit, Load, Place, Priority, Refusal, SharedBucket, Slot, bucket_of};
use crate::report::Request;
use crate::util::sync::{Mutex, lock};
use crate::volcengine::{self, actions::Receivers};

/// By how much the span of a limit per minute is longer than that of a limit per second.
const MINUTE_MINUS_A_SECOND: u64 = 59_000_000_000;

/// The rate limits of a client. A class that is `None` has no limit.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    rtc: Option<Arc<RateClass>>,
    im: Option<Arc<RateClass>>,
    im_user: Option<Arc<RateClass>>,
    im_user_receivers: Option<Arc<RateClass>>,
    im_user_to_all: Option<Arc<RateClass>>,
    zego: Option<Arc<RateClass>>,
    room: Option<Limit>,
    batch_costs_its_recipients: bool,
    /// `quota.mode` is `wait`: a request waits for its slot instead of failing.
    waits: bool,
}

#[derive(Debug)]
struct RateClass {
    class: QuotaClass,
    bucket: SharedBucket,
    limit: Limit,
}

/// The permits of one request, over all its attempts.
///
/// They are acquired before an attempt, moved to the time of its first byte, and given back if nothing was sent. Dropping
/// the permit gives back slots that were not used.
#[derive(Debug)]
pub(super) struct RatePermit {
    /// Acquired in this order. Most requests have one claim.
    claims: [Option<Claim>; 2],
    waits: bool,
    options: ResolvedOptions,
    calls: Arc<ActiveCalls>,
    /// Locked by the thread of the attempt, also while it waits. No other thread locks it.
    state: Mutex<PermitState>,
}

/// What a request needs of one bucket.
#[derive(Debug)]
struct Claim {
    class: Arc<RateClass>,
    demand: Demand,
}

#[derive(Debug, Default)]
struct PermitState {
    claims: [ClaimState; 2],
    has_waited: bool,
}

/// What a request has of one bucket.
#[derive(Debug, Default)]
struct ClaimState {
    /// Kept when a slot is given back: a retry waits at the same place in the order.
    place: Option<Place>,
    slot: Option<Slot>,
}

impl Pacing {
    /// `volcengine` and `zego` are the accounts of the vendors that are configured.
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
        let rate_class = |class, scope: &str, limit| {
            let bucket = bucket_of(class, scope);
            Arc::new(RateClass { class, bucket, limit })
        };
        let volcengine = volcengine.map(|account| scope(&config::QUOTA_VOLCENGINE_SCOPE, account));
        let zego = zego.map(|account| scope(&config::QUOTA_ZEGO_SCOPE, account));
        let zego_rate = config.optional_integer(&config::QUOTA_ZEGO_PER_SECOND).map_or_else(
            // docs/VENDORS.md, SendCustomCommand: a test project has a tenth of the rate.
            || {
                if config.text(&config::ZEGO_IS_TEST) == "true" {
                    10
                } else {
                    100
                }
            },
            |rate| rate.unsigned_abs(),
        );
        let per_second = |setting| limit(config.integer(setting));
        let volcengine_class = |class, limit| {
            let scope = volcengine.as_deref()?;
            Some(rate_class(class, scope, limit))
        };
        let mut receivers = limit(config.integer(&config::QUOTA_IM_USER_RECEIVERS_PER_MINUTE));
        receivers.span += MINUTE_MINUS_A_SECOND;
        let room_rate = config.optional_integer(&config::QUOTA_ROOM_PER_SECOND);
        Pacing {
            rtc: volcengine_class(QuotaClass::VolcengineRtc, per_second(&config::QUOTA_RTC_PER_SECOND)),
            im: volcengine_class(QuotaClass::VolcengineIm, per_second(&config::QUOTA_IM_PER_SECOND)),
            im_user: volcengine_class(
                QuotaClass::VolcengineImUser,
                per_second(&config::QUOTA_IM_USER_PER_SECOND),
            ),
            im_user_receivers: volcengine_class(QuotaClass::VolcengineImUserReceivers, receivers),
            im_user_to_all: volcengine_class(
                QuotaClass::VolcengineImUserToAll,
                per_second(&config::QUOTA_IM_USER_TO_ALL_PER_SECOND),
            ),
            zego: zego
                .as_deref()
                .map(|scope| rate_class(QuotaClass::Zego, scope, limit(zego_rate))),
            room: room_rate.map(|rate| limit(rate.unsigned_abs())),
            batch_costs_its_recipients: config.text(&config::QUOTA_BATCH_COST) == "recipient",
            waits: config.text(&config::QUOTA_MODE) == "wait",
        }
    }

    /// The most permits that one request may need: one that needs more than the quota of a second would never be sent.
    pub fn max_permits(&self) -> usize {
        let rtc = self.rtc.as_ref().filter(|_| self.batch_costs_its_recipients);
        let permits = rtc.map(|rtc| usize::try_from(rtc.limit.permits));
        permits.and_then(Result::ok).unwrap_or(usize::MAX)
    }

    pub fn bucket(&self, class: QuotaClass) -> Option<&SharedBucket> {
        self.class(class).map(|class| &class.bucket)
    }

    /// The limit per second of a class, and its current load.
    pub fn load(&self, class: QuotaClass) -> Option<(u64, Load)> {
        self.class(class)
            .map(|class| (class.limit.permits, class.bucket.load()))
    }

    fn class(&self, class: QuotaClass) -> Option<&Arc<RateClass>> {
        match class {
            QuotaClass::VolcengineRtc => self.rtc.as_ref(),
            QuotaClass::VolcengineIm => self.im.as_ref(),
            QuotaClass::VolcengineImUser => self.im_user.as_ref(),
            QuotaClass::VolcengineImUserReceivers => self.im_user_receivers.as_ref(),
            QuotaClass::VolcengineImUserToAll => self.im_user_to_all.as_ref(),
            QuotaClass::Zego => self.zego.as_ref(),
        }
    }

    /// The quota that a queued message needs for its first request; `None` if it needs none.
    pub fn demand_in_queue(
        &self,
        message: &Message,
        priority: Priority,
        limits: &Limits,
    ) -> Option<(QuotaClass, Demand)> {
        let most = message.action().spec().recipients_per_request(limits);
        let claim = self.claim(message, most, priority).filter(|_| self.waits)?;
        Some((claim.class.class, claim.demand))
    }

    /// `None` if no rate limit applies to this request.
    pub fn permit(
        &self,
        api_request: &ApiRequest,
        options: &ResolvedOptions,
        calls: &Arc<ActiveCalls>,
    ) -> Option<Arc<RatePermit>> {
        let priority = options.priority;
        let claims = match api_request {
            ApiRequest::Message(message) => [self.claim(message, usize::MAX, priority), None],
            ApiRequest::VolcengineCall { action, json, .. } => {
                self.raw_claims(raw_action(Vendor::Volcengine, action), json, priority)
            }
            ApiRequest::ZegoCall { action, .. } => self.raw_claims(raw_action(Vendor::Zego, action), "", priority),
        };
        claims.iter().any(Option::is_some).then(|| {
            Arc::new(RatePermit {
                claims,
                waits: self.waits,
                options: *options,
                calls: calls.clone(),
                state: Mutex::default(),
            })
        })
    }

    /// A raw call is paced where its quota is known. The claim that may wait longer comes first.
    fn raw_claims(&self, spec: Option<&RawActionSpec>, json: &str, priority: Priority) -> [Option<Claim>; 2] {
        let Some(spec) = spec else { return [None, None] };
        let request = Claim::of(self.class(spec.quota), 1, None, priority);
        let Some(quota) = spec.receivers else {
            return [request, None];
        };
        let (class, permits) = match volcengine::actions::receivers(json) {
            Receivers::AllOnline => (quota.all_online, 1),
            Receivers::Listed(count) => (quota.listed, count),
        };
        [Claim::of(self.class(class), permits, None, priority), request]
    }

    /// The permits of a request to the first `most` recipients of a message.
    fn claim(&self, message: &Message, most: usize, priority: Priority) -> Option<Claim> {
        let fields = message.fields();
        let quota = fields.action.spec().quota;
        let permits = match quota.cost {
            Cost::OneOrRecipients if self.batch_costs_its_recipients => fields.users.len().min(most) as u64,
            Cost::One | Cost::OneOrRecipients => 1,
        };
        let room = self.room.filter(|_| quota.counts_in_room);
        let room = room.map(|limit| (fields.room_id, limit));
        Claim::of(self.class(quota.class), permits, room, priority)
    }

    /// Wakes every waiting thread, so that those of an aborted client stop waiting.
    pub fn wake(&self) {
        for class in QuotaClass::ALL.into_iter().filter_map(|class| self.class(class)) {
            class.bucket.wake();
        }
    }
}

impl Claim {
    fn of(
        class: Option<&Arc<RateClass>>,
        permits: u64,
        room: Option<(&str, Limit)>,
        priority: Priority,
    ) -> Option<Claim> {
        let class = class?.clone();
        let demand = Demand {
            permits,
            limit: class.limit,
            room: room.map(|(room, limit)| (room.into(), limit)),
            priority,
        };
        Some(Claim { class, demand })
    }
}

impl RatePermit {
    /// Uses the slot with which a queued message was admitted.
    pub fn adopt(&self, slot: Slot, place: Place) {
        lock(&self.state).claims[0] = ClaimState {
            place: Some(place),
            slot: Some(slot),
        };
    }

    /// The next attempt is admitted before messages that have not been sent yet.
    pub fn prepare_retry(&self) {
        for claim in &mut lock(&self.state).claims {
            claim.place = claim.place.map(Place::for_retry);
        }
    }

    pub fn has_waited(&self) -> bool {
        lock(&self.state).has_waited
    }

    pub fn throttled(&self) {
        for claim in self.claims.iter().flatten() {
            claim.class.bucket.throttled(claim.demand.limit.span);
        }
    }

    pub fn succeeded(&self) {
        for claim in self.claims.iter().flatten() {
            claim.class.bucket.succeeded(claim.demand.limit.span);
        }
    }

    /// Gives the claim a slot of this moment: the one it has, if that still counts, or a new one. Returns whether the
    /// thread had to wait.
    fn acquire_one(&self, claim: &Claim, state: &mut ClaimState) -> Result<bool, Box<Request>> {
        let bucket = &claim.class.bucket;
        if state.slot.as_mut().is_some_and(|slot| bucket.renew(slot)) {
            return Ok(false);
        }
        state.slot = None;
        let wait = if self.waits {
            self.options.latest_start().remaining()
        } else {
            Some(Duration::ZERO)
        };
        let wait = wait.map(|wait| wait.as_nanos().try_into().unwrap_or(u64::MAX));
        let admitted = bucket.acquire(&claim.demand, state.place, wait, || self.calls.is_aborted());
        let Admission {
            slot,
            place,
            has_waited,
        } = admitted.map_err(|refusal| self.refused(refusal))?;
        *state = ClaimState {
            place: Some(place),
            slot: Some(slot),
        };
        Ok(has_waited)
    }

    fn refused(&self, refusal: Refusal) -> Box<Request> {
        let Refusal::TooLate { possible_in } = refusal else {
            return unsent(Code::Closed, "the client was closed before it was sent").into();
        };
        let retry_after_ms = u32::try_from(possible_in.div_ceil(1_000_000)).unwrap_or(u32::MAX);
        let is_by_expiry = self.waits && self.options.latest_start() != self.options.deadline;
        let (code, what) = if is_by_expiry {
            (Code::Expired, "it would expire before its turn in the quota")
        } else {
            (Code::RateLimited, "the quota is used up")
        };
        let request = unsent(code, &format!("{what}; possible in {retry_after_ms} ms"));
        Box::new(Request {
            retry_after_ms,
            ..request
        })
    }
}

impl SendPermit for RatePermit {
    fn acquire(&self) -> Result<bool, Box<Request>> {
        let mut state = lock(&self.state);
        let PermitState { claims, has_waited } = &mut *state;
        let mut waited = false;
        // While the thread waited for one slot, the other one may have become too old.
        loop {
            let mut waits_now = false;
            for (claim, state) in self.claims.iter().zip(claims.iter_mut()) {
                if let Some(claim) = claim {
                    waits_now |= self.acquire_one(claim, state)?;
                }
            }
            waited |= waits_now;
            *has_waited |= waits_now;
            if !waits_now || self.claims[1].is_none() {
                return Ok(waited);
            }
        }
    }

    fn mark_used(&self) {
        lock(&self.state).claims.iter_mut().for_each(|claim| claim.slot = None);
    }

    fn release(&self) {
        let mut state = lock(&self.state);
        for (claim, state) in self.claims.iter().zip(state.claims.iter_mut()) {
            if let Some((claim, slot)) = claim.as_ref().zip(state.slot.take()) {
                claim.class.bucket.give_back(&slot);
            }
        }
    }
}

impl Drop for RatePermit {
    fn drop(&mut self) {
        self.release();
    }
}
