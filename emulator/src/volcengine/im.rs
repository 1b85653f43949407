//! The two IM sends. Their answers have a row for each user and device, and report offline users. // VENDORS.md, The messages

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{ImRow, Refusal, Success};
use crate::context::{Destination, RequestContext};
use crate::state::presence::Devices;
use crate::state::record::{Content, Outcome, Recipient};
use crate::vendor::UserScope;

const USER_SEND_LIMIT_RECEIVERS: usize = 500;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConversationSend {
    app_id: Option<i64>,
    sender: Option<i64>,
    conversation_short_id: Option<i64>,
    msg_type: Option<i64>,
    content: Option<String>,
    receiver_user_id: Option<Vec<i64>>,
    ignore_user_ids: Option<Vec<i64>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserSend {
    app_id: Option<i64>,
    sender: Option<i64>,
    msg_type: Option<i64>,
    receivers: Option<Vec<i64>>,
    to_all_online_users: Option<bool>,
    content: Option<String>,
    create_time: Option<i64>,
    /// Receivers get it with the content. The emulator checks only its type.
    ext: Option<serde_json::Map<String, Value>>,
}

/// P2PSendMessage: to members of a conversation.
pub(crate) fn send_to_conversation(context: &mut RequestContext<'_>) -> Result<Success, Refusal> {
    if context.exceeds_quota(1, |quotas| &mut quotas.im_conversation_sends) {
        return Err(Refusal::im_flow_limit(
            "P2PSendMessage is above 100 requests per second",
        ));
    }
    let body: ConversationSend = read_body(&context.request.body)?;
    context.observed.from = body.sender.map(|sender| sender.to_string());
    context.observed.room_id = body.conversation_short_id.map(|id| id.to_string());
    let conversation = required("ConversationShortId", body.conversation_short_id)?;
    let (sender, content) = read_common(context, body.app_id, body.sender, body.msg_type, body.content)?;
    let chosen = positive_ids("ReceiverUserId", body.receiver_user_id)?;
    let ignored = positive_ids("IgnoreUserIds", body.ignore_user_ids)?;
    check_app(context, body.app_id)?;

    let Some(members) = context.state.im.members(conversation) else {
        return Err(Refusal::invalid(
            "ConversationNotFound",
            format!("the conversation {conversation} does not exist"),
        ));
    };
    if !members.contains_key(&sender) {
        let message = format!("the sender {sender} is not a member of conversation {conversation}");
        return Err(Refusal::invalid("ParticipantNotInConversation", message));
    }
    let receivers = if chosen.is_empty() {
        members.keys().copied().filter(|user| !ignored.contains(user)).collect()
    } else {
        chosen
    };
    let receivers: Vec<_> = receivers
        .into_iter()
        .map(|user| (user, members.get(&user).cloned()))
        .collect();
    let mut rows = Vec::new();
    for (user, devices) in receivers {
        match devices {
            Some(devices) => rows.extend(deliver(context, user, Some(conversation), devices, &content)),
            None => context.observed.recipients.push(recipient(user, Outcome::Absent, "")),
        }
    }
    Ok(Success::Im {
        rows,
        success_count: None,
    })
}

/// P2PSendUserMessage: to users outside conversations.
pub(crate) fn send_to_users(context: &mut RequestContext<'_>) -> Result<Success, Refusal> {
    if context.exceeds_quota(1, |quotas| &mut quotas.im_user_sends) {
        return Err(Refusal::im_flow_limit(
            "P2PSendUserMessage is above 100 requests per second",
        ));
    }
    let body: UserSend = read_body(&context.request.body)?;
    context.observed.from = body.sender.map(|sender| sender.to_string());
    let (_, content) = read_common(context, body.app_id, body.sender, body.msg_type, body.content)?;
    if body.create_time.is_some_and(|time| time < 0) {
        return Err(Refusal::invalid("InvalidParam", "CreateTime must not be negative"));
    }
    let _ = body.ext;
    let named = positive_ids("Receivers", body.receivers)?;
    check_app(context, body.app_id)?;
    let receivers = choose_receivers(context, named, body.to_all_online_users == Some(true))?;

    let mut rows = Vec::new();
    for user in receivers {
        let devices = context.state.im.devices_of(user);
        rows.extend(deliver(context, user, None, devices, &content));
    }
    let reached = context
        .observed
        .recipients
        .iter()
        .filter(|recipient| recipient.outcome == Outcome::Delivered)
        .count();
    Ok(Success::Im {
        rows,
        success_count: Some(reached.to_string()),
    })
}

fn choose_receivers(context: &mut RequestContext<'_>, named: Vec<i64>, to_all: bool) -> Result<Vec<i64>, Refusal> {
    if to_all {
        if context.exceeds_quota(1, |quotas| &mut quotas.im_sends_to_all) {
            return Err(Refusal::im_flow_limit("ToAllOnlineUsers is above 1 request per second"));
        }
        return Ok(context.state.im.online_users());
    }
    if named.is_empty() {
        return Err(Refusal::invalid(
            "InvalidParam",
            "Receivers is missing or empty, and ToAllOnlineUsers is not true",
        ));
    }
    if named.len() > USER_SEND_LIMIT_RECEIVERS {
        let message = format!(
            "Receivers has {} users, {USER_SEND_LIMIT_RECEIVERS} are allowed",
            named.len()
        );
        return Err(Refusal::invalid("InvalidParam", message));
    }
    if context.exceeds_quota(named.len(), |quotas| &mut quotas.im_user_receivers) {
        return Err(Refusal::im_flow_limit(
            "P2PSendUserMessage is above 25,000 receivers per minute",
        ));
    }
    Ok(named)
}

fn read_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    // serde would also accept an array for a struct.
    if !body.trim_ascii().starts_with(b"{") {
        return Err(Refusal::invalid("JsonParsingError", "the body is not a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| Refusal::invalid("JsonParsingError", error.to_string()))
}

/// Reads the fields that both sends require, and returns the sender and the content.
fn read_common(
    context: &mut RequestContext<'_>,
    app_id: Option<i64>,
    sender: Option<i64>,
    msg_type: Option<i64>,
    content: Option<String>,
) -> Result<(i64, Content), Refusal> {
    required("AppId", app_id)?;
    let sender = required("Sender", sender)?;
    required("MsgType", msg_type)?;
    let Some(content) = content.filter(|content| !content.is_empty()) else {
        return Err(Refusal::invalid("InvalidParam", "Content is missing or empty"));
    };
    let content = Content::text(&content);
    context.observed.payload = Some(content.payload.clone());
    Ok((sender, content))
}

fn check_app(context: &RequestContext<'_>, app_id: Option<i64>) -> Result<(), Refusal> {
    match app_id {
        Some(app_id) if app_id == context.options.volcengine.im_app_id => Ok(()),
        _ => Err(Refusal::invalid(
            "AppNotFound",
            format!("the app {} does not exist", app_id.unwrap_or_default()),
        )),
    }
}

fn required(field: &str, value: Option<i64>) -> Result<i64, Refusal> {
    value
        .filter(|value| *value > 0)
        .ok_or_else(|| Refusal::invalid("InvalidParam", format!("{field} is missing or not above 0")))
}

fn positive_ids(field: &str, ids: Option<Vec<i64>>) -> Result<Vec<i64>, Refusal> {
    let ids = ids.unwrap_or_default();
    if ids.iter().any(|id| *id <= 0) {
        return Err(Refusal::invalid(
            "InvalidParam",
            format!("{field} has an id that is not above 0"),
        ));
    }
    Ok(ids)
}

/// Delivers the message to every device of a user, and returns the rows of the answer.
fn deliver(
    context: &mut RequestContext<'_>,
    user: i64,
    conversation_id: Option<i64>,
    devices: Devices,
    content: &Content,
) -> Vec<ImRow> {
    if devices.is_empty() {
        context
            .observed
            .recipients
            .push(recipient(user, Outcome::Absent, "NOT_ONLINE"));
        return vec![ImRow {
            user_id: user,
            code: "NOT_ONLINE".to_owned(),
            device_platform: "Default".to_owned(),
        }];
    }
    let mut rows = Vec::with_capacity(devices.len());
    for device in devices {
        let code = context
            .state
            .faults
            .on_device(&context.observed.action, &user.to_string(), &device)
            .unwrap_or_else(|| "SUCCESS".to_owned());
        if outcome_of(&code) == Outcome::Delivered {
            let destination = Destination {
                conversation_id,
                device: Some(device.clone()),
            };
            context.deliver(UserScope::Im, &user.to_string(), destination, content);
        }
        rows.push(ImRow {
            user_id: user,
            code,
            device_platform: device,
        });
    }
    // A user counts as reached if one device got the message.
    let reached = rows.iter().find(|row| outcome_of(&row.code) == Outcome::Delivered);
    let code = reached.unwrap_or(&rows[0]).code.clone();
    context
        .observed
        .recipients
        .push(recipient(user, outcome_of(&code), &code));
    rows
}

/// The outcome by a row's code. The vendor documents more than one spelling. // VENDORS.md, The messages
fn outcome_of(code: &str) -> Outcome {
    if code.eq_ignore_ascii_case("SUCCESS") {
        Outcome::Delivered
    } else if code.eq_ignore_ascii_case("NOT_ONLINE") {
        Outcome::Absent
    } else {
        Outcome::Failed
    }
}

fn recipient(user: i64, outcome: Outcome, code: &str) -> Recipient {
    Recipient {
        user: user.to_string(),
        outcome,
        code: Value::from(code),
    }
}
