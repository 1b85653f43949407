//! When a request may leave: the client's rates, and the buckets it shares with the other clients of its account.

use std::sync::Arc;
use std::time::Duration;

use super::active_calls::ActiveCalls;
use super::vendors::ApiRequest;
use super::{ResolvedOptions, unsent};
use crate::action::{Cost, Limits, QuotaClass, RawActionSpec, Vendor, raw_action};
use crate::config::{self, Config};
use crate::error::Code;
use crate::http::SendPermit;
use crate::message::Message;
use crate::quota::{Admission, Demand, Limit, Load, Place, Priority, Refusal, SharedBucket, Slot, bucket_of};
use crate::report::Request;
use crate::util::sync::{Mutex, lock};
use crate::volcengine::{self, actions::Receivers};

/// What a limit of a minute lies above one of a second.
const MINUTE_MINUS_A_SECOND: u64 = 59_000_000_000;

/// Without a bucket, nothing is paced.
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
    waits: bool,
}

#[derive(Debug)]
struct RateClass {
    class: QuotaClass,
    bucket: SharedBucket,
    limit: Limit,
}

/// The permits of one request, over all its attempts: taken, moved to the moment at which its bytes leave, or given back.
/// Dropped with a slot that was not used, it gives that back.
#[derive(Debug)]
pub(super) struct RatePermit {
    /// What it takes, one after the other; one in most cases.
    claims: [Option<Claim>; 2],
    /// Whether it waits for a slot, or goes without.
    waits: bool,
    options: ResolvedOptions,
    calls: Arc<ActiveCalls>,
    /// Only the thread of the attempt locks it, also for the time of a wait.
    state: Mutex<PermitState>,
}

#[derive(Debug)]
struct Claim {
    class: Arc<RateClass>,
    demand: Demand,
}

#[derive(Debug, Default)]
struct PermitState {
    /// For each claim.
    held: [ClaimState; 2],
    /// Whether it had to wait for its quota.
    has_waited: bool,
}

#[derive(Debug, Default)]
struct ClaimState {
    /// Kept when a slot is given back, so that the message waits at its own place again.
    place: Option<Place>,
    slot: Option<Slot>,
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
        let im_user_rate = config.integer(&config::QUOTA_IM_USER_PER_SECOND);
        let im_user_to_all_rate = config.integer(&config::QUOTA_IM_USER_TO_ALL_PER_SECOND);
        let receivers = |scope: &str| {
            let mut limit = limit(config.integer(&config::QUOTA_IM_USER_RECEIVERS_PER_MINUTE));
            limit.span += MINUTE_MINUS_A_SECOND;
            let class = QuotaClass::VolcengineImUserReceivers;
            let bucket = bucket_of(class, scope);
            Arc::new(RateClass { class, bucket, limit })
        };
        let room_rate = config.optional_integer(&config::QUOTA_ROOM_PER_SECOND);
        Pacing {
            rtc: volcengine
                .as_deref()
                .map(|scope| class(QuotaClass::VolcengineRtc, scope, rtc_rate)),
            im: volcengine
                .as_deref()
                .map(|scope| class(QuotaClass::VolcengineIm, scope, im_rate)),
            im_user: volcengine
                .as_deref()
                .map(|scope| class(QuotaClass::VolcengineImUser, scope, im_user_rate)),
            im_user_receivers: volcengine.as_deref().map(receivers),
            im_user_to_all: volcengine
                .as_deref()
                .map(|scope| class(QuotaClass::VolcengineImUserToAll, scope, im_user_to_all_rate)),
            zego: zego.as_deref().map(|scope| class(QuotaClass::Zego, scope, zego_rate)),
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

    /// What a class may send in a second, and how it stands.
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

    /// `None` if nothing paces this request.
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

    /// Wakes all who wait, so that those of a closed client leave.
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
    /// The slot that a queued message was admitted with.
    pub fn adopt(&self, slot: Slot, place: Place) {
        lock(&self.state).held[0] = ClaimState {
            place: Some(place),
            slot: Some(slot),
        };
    }

    /// The next attempt goes before the messages that were not sent yet.
    pub fn prepare_retry(&self) {
        for held in &mut lock(&self.state).held {
            held.place = held.place.map(Place::for_retry);
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

    /// Leaves the claim with a slot of this moment: the one it had, if that still counts, or another one. Whether it had
    /// to wait.
    fn acquire_one(&self, claim: &Claim, held: &mut ClaimState) -> Result<bool, Box<Request>> {
        let bucket = &claim.class.bucket;
        if held.slot.as_mut().is_some_and(|slot| bucket.renew(slot)) {
            return Ok(false);
        }
        held.slot = None;
        let wait = if self.waits {
            self.options.by().remaining()
        } else {
            Some(Duration::ZERO)
        };
        let wait = wait.map(|wait| wait.as_nanos().try_into().unwrap_or(u64::MAX));
        let admitted = bucket.acquire(&claim.demand, held.place, wait, || self.calls.is_aborted());
        let Admission {
            slot,
            place,
            has_waited,
        } = admitted.map_err(|refusal| self.refused(refusal))?;
        *held = ClaimState {
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
        let is_by_expiry = self.waits && self.options.by() != self.options.deadline;
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
        let PermitState { held, has_waited } = &mut *state;
        let mut waited = false;
        // A wait for one slot makes the others old.
        loop {
            let mut waits_now = false;
            for (claim, held) in self.claims.iter().zip(held.iter_mut()) {
                if let Some(claim) = claim {
                    waits_now |= self.acquire_one(claim, held)?;
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
        lock(&self.state).held.iter_mut().for_each(|held| held.slot = None);
    }

    fn release(&self) {
        let mut state = lock(&self.state);
        for (claim, held) in self.claims.iter().zip(state.held.iter_mut()) {
            if let Some((claim, slot)) = claim.as_ref().zip(held.slot.take()) {
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
