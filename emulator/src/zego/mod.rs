//! ZEGO's server API. All parameters are in the query of a GET, and every answer has HTTP status 200. // VENDORS.md, ZEGO

mod answer;
mod common;
mod send;

use serde::Serialize;
use serde_json::Value;

use self::answer::{Data, Refusal, code};
use crate::context::RequestContext;
use crate::faults::{ErrorAnswer, ErrorCode};
use crate::reply::Reply;
use crate::request::Request;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    CustomCommand,
    BroadcastMessage,
    BarrageMessage,
}

impl Action {
    fn find(name: &str) -> Option<Self> {
        match name {
            "SendCustomCommand" => Some(Self::CustomCommand),
            "SendBroadcastMessage" => Some(Self::BroadcastMessage),
            "SendBarrageMessage" => Some(Self::BarrageMessage),
            _ => None,
        }
    }
}

/// Answers a request, and records it in the context.
pub(crate) fn answer(context: &mut RequestContext<'_>) -> Reply {
    let query = context.request.query();
    let action = query.text("Action").unwrap_or_default().to_owned();
    context.observed.action.clone_from(&action);

    let verdict = common::check(context, &query).and_then(|parameters| {
        let Some(action) = Action::find(&action) else {
            return Err(Refusal::new(
                code::UNKNOWN_ACTION,
                format!("there is no action {action:?}"),
            ));
        };
        common::check_quota(context, parameters.is_test)?;
        match action {
            Action::CustomCommand => send::custom_command(context, &query),
            Action::BroadcastMessage | Action::BarrageMessage => send::room_message(context, &query),
        }
    });
    context.observed.accepted = verdict.is_ok();
    reply(context, Action::find(&action), verdict)
}

/// The answer of a fault, which replaces the answer to the request.
pub(crate) fn scripted(context: &mut RequestContext<'_>, error: &ErrorAnswer) -> Reply {
    let code = match error.code {
        ErrorCode::Number(code) => code,
        ErrorCode::Word(_) => code::FAILED,
    };
    let reply = refused(context, Refusal::new(code, error.message.as_str()));
    Reply {
        status: error.status.unwrap_or(reply.status),
        ..reply
    }
}

/// The answer to a request above its quota.
pub(crate) fn throttled(context: &mut RequestContext<'_>) -> Reply {
    refused(context, Refusal::new(code::TOO_MANY_REQUESTS, "a scripted throttle"))
}

fn refused(context: &mut RequestContext<'_>, refusal: Refusal) -> Reply {
    record_action(context);
    reply(context, Action::find(&context.observed.action), Err(refusal))
}

/// Records the action in the query. Of a request that is not processed, the ledger has only this.
pub(crate) fn record_action(context: &mut RequestContext<'_>) {
    let query = context.request.query();
    query
        .text("Action")
        .unwrap_or_default()
        .clone_into(&mut context.observed.action);
}

/// The users that a request names, if it is readable.
pub(crate) fn named_users(request: &Request) -> Vec<String> {
    let query = request.query();
    let users = query.all("ToUserId[]").map(String::from_utf8_lossy);
    users.map(std::borrow::Cow::into_owned).collect()
}

fn reply(context: &RequestContext<'_>, action: Option<Action>, verdict: Result<Data, Refusal>) -> Reply {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer<'a> {
        code: i64,
        message: &'a str,
        request_id: Value,
        data: Data,
    }
    let (code, message, data) = match verdict {
        Ok(data) => (0, "success".to_owned(), data),
        Err(refusal) => (refusal.code, refusal.message, Data::Nothing {}),
    };
    // The vendor writes it as a number in the answer of SendBroadcastMessage and as a string in the others.
    let request_id = match action {
        Some(Action::BroadcastMessage) => context.request_id.parse::<u64>().map_or(Value::Null, Value::from),
        _ => Value::from(context.request_id.as_str()),
    };
    let answer = Answer {
        code,
        message: &message,
        request_id,
        data,
    };
    Reply {
        status: 200,
        code: Value::from(code),
        body: serde_json::to_vec(&answer).expect("an answer holds nothing that JSON cannot"),
        headers: Vec::new(),
    }
}
