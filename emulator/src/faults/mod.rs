//! Scripted faults: the rules, and which of them fire for a connection, a request, or a recipient.
//!
//! Each rule is evaluated at one moment, which depends on its fault, and counts its matches there: connections for the faults at
//! accept, request lines for `cut_request_after`, recipients for the scripted outcomes, and whole requests for all others.

mod parse;
mod rng;
mod rule;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use self::rng::Rng;
pub(crate) use self::rule::{Cut, ErrorAnswer, ErrorCode, Fault, NO_ANSWER};
pub use self::rule::{FaultError, FaultRule};
use crate::request::RequestLine;
use crate::vendor::UserScope;

/// All rules by id. Ids start at 1 and are never reused.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: BTreeMap<u64, ActiveRule>,
    last_id: u64,
}

#[derive(Debug)]
struct ActiveRule {
    rule: FaultRule,
    rng: Rng,
    matched: u64,
    fired: u64,
}

/// A rule and its counters, as the control API shows them.
#[derive(Debug, Serialize)]
pub(crate) struct RuleStatus<'a> {
    id: u64,
    matched: u64,
    fired: u64,
    spent: bool,
    rule: &'a Value,
}

/// The properties of a whole request that rules match, before the vendor handles it.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub vendor: UserScope,
    pub action: &'a str,
    pub users: &'a [String],
}

/// The faults for one request.
#[derive(Debug, Default)]
pub(crate) struct FaultPlan {
    pub latency: Duration,
    pub answer_latency: Duration,
    pub fault: Option<Fault>,
    /// The ids of the rules that fired.
    pub rules: Vec<u64>,
}

impl ActiveRule {
    /// Counts a match, and returns whether the rule fires for it.
    fn fires(&mut self) -> bool {
        if self.is_spent() {
            return false;
        }
        self.matched += 1;
        let fires = self.matched > self.rule.skip && self.rng.random_bool(self.rule.probability);
        self.fired += u64::from(fires);
        fires
    }

    fn is_spent(&self) -> bool {
        self.rule.count.is_some_and(|count| self.fired >= count)
    }

    fn is_for(&self, vendor: Option<UserScope>, action: &str) -> bool {
        let matcher = &self.rule.matcher;
        matcher.vendor.is_none_or(|wanted| vendor == Some(wanted))
            && matcher.action.as_deref().is_none_or(|wanted| wanted == action)
            && vendor.is_none_or(|vendor| self.rule.fault.is_for(vendor))
    }

    fn is_for_user(&self, users: &[impl AsRef<str>]) -> bool {
        let wanted = self.rule.matcher.user.as_deref();
        wanted.is_none_or(|wanted| users.iter().any(|user| user.as_ref() == wanted))
    }
}

impl Faults {
    pub fn add(&mut self, rule: FaultRule) -> u64 {
        self.last_id += 1;
        let active = ActiveRule {
            rng: Rng::new(rule.seed),
            rule,
            matched: 0,
            fired: 0,
        };
        self.rules.insert(self.last_id, active);
        self.last_id
    }

    /// Removes a rule; false if no rule has this id.
    pub fn remove(&mut self, id: u64) -> bool {
        self.rules.remove(&id).is_some()
    }

    pub fn clear(&mut self) {
        self.rules.clear();
    }

    pub fn list(&self) -> Vec<RuleStatus<'_>> {
        let mut list = Vec::with_capacity(self.rules.len());
        for (id, active) in &self.rules {
            list.push(RuleStatus {
                id: *id,
                matched: active.matched,
                fired: active.fired,
                spent: active.is_spent(),
                rule: &active.rule.source,
            });
        }
        list
    }

    /// The fault that ends a new connection before its first byte or in its TLS handshake.
    pub fn on_accept(&mut self, tls: bool) -> Option<Fault> {
        self.first_of(|fault| match fault {
            Fault::CutOnAccept { .. } => true,
            Fault::CutHandshake { .. } => tls,
            _ => false,
        })
    }

    fn first_of(&mut self, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut candidates = self.rules.values_mut().filter(|active| wanted(&active.rule.fault));
        candidates.find_map(|active| active.fires().then(|| active.rule.fault.clone()))
    }

    /// The cut of a connection within a request of which only the first line is known.
    pub fn on_request_line(&mut self, line: &RequestLine) -> Option<Cut> {
        self.rules.values_mut().find_map(|active| {
            let Fault::CutRequest(cut) = active.rule.fault else {
                return None;
            };
            (active.is_for(line.vendor, &line.action) && active.fires()).then_some(cut)
        })
    }

    /// Whether any rule needs the users of a request.
    pub fn need_users(&self) -> bool {
        self.rules.values().any(|active| active.rule.matcher.user.is_some())
    }

    /// The faults for a whole request: all latencies that fire, and the first of the other faults that fire.
    pub fn on_request(&mut self, subject: &Subject<'_>) -> FaultPlan {
        let mut plan = FaultPlan::default();
        for (id, active) in &mut self.rules {
            let combines = match active.rule.fault {
                Fault::Latency(_) | Fault::AnswerLatency(_) => true,
                Fault::Throttle { .. }
                | Fault::Status(_)
                | Fault::Error(_)
                | Fault::CutAnswer(_)
                | Fault::CloseIdleAfterAnswer
                | Fault::Stall { .. } => false,
                _ => continue,
            };
            let allowed = combines || plan.fault.is_none();
            let matches = active.is_for(Some(subject.vendor), subject.action) && active.is_for_user(subject.users);
            if !(allowed && matches && active.fires()) {
                continue;
            }
            plan.rules.push(*id);
            match &active.rule.fault {
                Fault::Latency(latency) => plan.latency = plan.latency.saturating_add(*latency),
                Fault::AnswerLatency(latency) => plan.answer_latency = plan.answer_latency.saturating_add(*latency),
                fault => plan.fault = Some(fault.clone()),
            }
        }
        plan
    }

    /// The scripted code of an IM user's device, which replaces SUCCESS.
    pub fn on_device(&mut self, action: &str, user: &str, platform: &str) -> Option<String> {
        self.rules.values_mut().find_map(|active| {
            let Fault::DeviceCode { code, device } = &active.rule.fault else {
                return None;
            };
            let code = code.clone();
            let matches = device.as_deref().is_none_or(|device| device == platform);
            let matches = matches && active.is_for(Some(UserScope::Im), action) && active.is_for_user(&[user]);
            (matches && active.fires()).then_some(code)
        })
    }

    /// The scripted code of a user that a ZEGO command names.
    pub fn on_named_user(&mut self, action: &str, user: &str) -> Option<i64> {
        self.rules.values_mut().find_map(|active| {
            let Fault::FailUserCode(code) = active.rule.fault else {
                return None;
            };
            let matches = active.is_for(Some(UserScope::Zego), action) && active.is_for_user(&[user]);
            (matches && active.fires()).then_some(code)
        })
    }
}
