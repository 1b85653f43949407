//! Volcengine's server API: the gateway, and the RTC and IM services behind it. // VENDORS.md, Volcengine

mod answer;
mod gateway;
mod im;
mod rtc;
mod signature;

use serde_json::Value;

use self::answer::{Labels, Refusal, Success, envelope};
pub(crate) use self::rtc::is_id;
use crate::context::RequestContext;
use crate::faults::ErrorAnswer;
use crate::reply::Reply;
use crate::request::Request;

const DEFAULT_REGION: &str = "cn-north-1";

/// The actions that the emulator serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Rtc(rtc::Send),
    ImToConversation,
    ImToUsers,
}

impl Action {
    /// The action with this name in this version. IM has only version 2020-12-01.
    fn find(name: &str, version: &str) -> Option<Self> {
        let action = match name {
            "SendUnicast" => Self::Rtc(rtc::Send::Unicast),
            "SendRoomUnicast" => Self::Rtc(rtc::Send::RoomUnicast),
            "SendBroadcast" => Self::Rtc(rtc::Send::Broadcast),
            "BatchSendRoomUnicast" => Self::Rtc(rtc::Send::BatchRoomUnicast),
            "P2PSendMessage" => Self::ImToConversation,
            "P2PSendUserMessage" => Self::ImToUsers,
            _ => return None,
        };
        let known = match version {
            "2020-12-01" => true,
            "2023-07-20" => matches!(action, Self::Rtc(_)),
            _ => false,
        };
        known.then_some(action)
    }
}

/// Answers a request, and records it in the context.
pub(crate) fn answer(context: &mut RequestContext<'_>) -> Reply {
    record_action(context);
    let (action, version) = action_and_version(context);
    let mut region = DEFAULT_REGION.to_owned();
    let verdict = admit(context, &action, &version, &mut region).and_then(|action| serve(context, action));
    context.observed.accepted = verdict.is_ok();
    reply(context, &action, &version, &region, verdict)
}

/// The answer of a fault, which replaces the answer to the request.
pub(crate) fn scripted(context: &mut RequestContext<'_>, error: &ErrorAnswer) -> Reply {
    record_action(context);
    let (action, version) = action_and_version(context);
    reply(
        context,
        &action,
        &version,
        DEFAULT_REGION,
        Err(Refusal::scripted(error)),
    )
}

/// The answer to a request above its quota.
pub(crate) fn throttled(context: &mut RequestContext<'_>) -> Reply {
    record_action(context);
    let (action, version) = action_and_version(context);
    let refusal = match Action::find(&action, &version) {
        Some(Action::ImToConversation | Action::ImToUsers) => Refusal::im_flow_limit("a scripted throttle"),
        _ => Refusal::rtc_flow_limit(),
    };
    reply(context, &action, &version, DEFAULT_REGION, Err(refusal))
}

/// The users that a request names, if it is readable.
pub(crate) fn named_users(request: &Request) -> Vec<String> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let text = |user: &Value| user.as_str().map_or_else(|| user.to_string(), str::to_owned);
    let lists = ["To", "ReceiverUserId", "Receivers"].map(|field| match &body[field] {
        Value::Null => Vec::new(),
        Value::Array(users) => users.iter().map(text).collect(),
        user => vec![text(user)],
    });
    lists.concat()
}

/// Records the action in the query. Of a request that is not processed, the ledger has only this.
pub(crate) fn record_action(context: &mut RequestContext<'_>) {
    let query = context.request.query();
    let text = |name| query.text(name).map(str::to_owned);
    context.observed.action = text("Action").unwrap_or_default();
    context.observed.version = text("Version");
}

fn action_and_version(context: &RequestContext<'_>) -> (String, String) {
    let observed = &context.observed;
    (observed.action.clone(), observed.version.clone().unwrap_or_default())
}

fn reply(
    context: &RequestContext<'_>,
    action: &str,
    version: &str,
    region: &str,
    verdict: Result<Success, Refusal>,
) -> Reply {
    let from_service = verdict.as_ref().err().is_none_or(Refusal::is_by_service);
    let im = Action::find(action, version).is_some_and(|action| !matches!(action, Action::Rtc(_)));
    let (service, region) = if im && from_service { ("", "") } else { ("rtc", region) };
    let labels = Labels {
        request_id: &context.request_id,
        action,
        version,
        service,
        region,
    };
    Reply {
        status: verdict
            .as_ref()
            .map_or_else(|refusal| refusal.status(Some(version)), |_| 200),
        code: Value::from(verdict.as_ref().err().map_or("", |refusal| &*refusal.code)),
        body: envelope(&labels, &verdict),
        headers: Vec::new(),
    }
}

/// The checks of the gateway. A request that passes them has an existing action.
fn admit(context: &RequestContext<'_>, action: &str, version: &str, region: &mut String) -> Result<Action, Refusal> {
    for (name, value) in [("Action", action), ("Version", version)] {
        if value.is_empty() {
            return Err(Refusal::by_gateway(
                "MissingParameter",
                format!("the query has no {name}"),
            ));
        }
    }
    gateway::check(context, region)?;
    let Some(found) = Action::find(action, version) else {
        let message = format!("there is no action {action:?} in version {version:?}");
        return Err(Refusal::by_gateway("InvalidActionOrVersion", message));
    };
    if context.request.method != "POST" {
        let message = format!("{action} takes POST, not {}", context.request.method);
        return Err(Refusal::by_gateway("MethodNotAllowed", message));
    }
    Ok(found)
}

fn serve(context: &mut RequestContext<'_>, action: Action) -> Result<Success, Refusal> {
    match action {
        Action::Rtc(send) => rtc::serve(context, send),
        Action::ImToConversation => im::send_to_conversation(context),
        Action::ImToUsers => im::send_to_users(context),
    }
}
