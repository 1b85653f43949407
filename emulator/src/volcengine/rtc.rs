//! The four RTC sends. They also answer Success for absent users; only the inboxes show who got a message.
//! // VENDORS.md, The messages

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::answer::{Refusal, Success};
use crate::context::{Destination, RequestContext};
use crate::options::BinaryLimitCounts;
use crate::state::record::{Content, Outcome, Recipient};
use crate::vendor::UserScope;

const LIMIT_BYTES: usize = 64 * 1024;
const BATCH_LIMIT_BYTES: usize = 20 * 1024;
const BATCH_LIMIT_USERS: usize = 600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Send {
    Unicast,
    RoomUnicast,
    Broadcast,
    BatchRoomUnicast,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    app_id: Option<String>,
    room_id: Option<String>,
    from: Option<String>,
    to: Option<To>,
    binary: Option<bool>,
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum To {
    One(String),
    Many(Vec<String>),
}

pub(crate) fn serve(context: &mut RequestContext<'_>, send: Send) -> Result<Success, Refusal> {
    if context.exceeds_quota(1, |quotas| &mut quotas.rtc_sends) {
        return Err(Refusal::rtc_flow_limit());
    }
    let body = read_body(&context.request.body)?;
    context.observed.from.clone_from(&body.from);
    context.observed.room_id = body.room_id.clone().filter(|_| send != Send::Unicast);
    check_app(context, &body)?;
    check_ids(&body, send)?;
    let recipients = read_recipients(body.to.as_ref(), send)?;
    let content = read_content(context, &body, send)?;
    context.observed.payload = Some(content.payload.clone());
    deliver(context, send, recipients, &content);
    Ok(Success::Rtc { message: "Success" })
}

fn read_body(body: &[u8]) -> Result<Body, Refusal> {
    if body.trim_ascii().is_empty() {
        return Err(Refusal::invalid("InvalidParameter.BodyIsEmpty", "the body is empty"));
    }
    // serde would also accept an array for a struct.
    if !body.trim_ascii().starts_with(b"{") {
        return Err(Refusal::invalid(
            "InvalidParameter.Unmarshal",
            "the body is not a JSON object",
        ));
    }
    serde_json::from_slice(body).map_err(|error| Refusal::invalid("InvalidParameter.Unmarshal", error.to_string()))
}

fn check_app(context: &RequestContext<'_>, body: &Body) -> Result<(), Refusal> {
    let app_id = body.app_id.as_deref().unwrap_or_default();
    if !is_id(app_id) {
        return Err(Refusal::invalid(
            "InvalidParameter.IllegalAppId",
            "AppId is missing or malformed",
        ));
    }
    if app_id != context.options.volcengine.rtc_app_id {
        let message = format!("the app {app_id:?} does not exist");
        return Err(Refusal::invalid("InvalidParameter.NotExistAppId", message));
    }
    Ok(())
}

fn check_ids(body: &Body, send: Send) -> Result<(), Refusal> {
    if send != Send::Unicast && !body.room_id.as_deref().is_some_and(is_id) {
        return Err(illegal_id("InvalidParameter.IllegalRoomID", "RoomId"));
    }
    if !body.from.as_deref().is_some_and(is_id) {
        return Err(illegal_id("InvalidParameter.IllegalFrom", "From"));
    }
    Ok(())
}

/// The rule for all ids of the RTC service. // VENDORS.md, The messages
pub(crate) fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_@-.".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}

fn illegal_id(code: &'static str, field: &str) -> Refusal {
    Refusal::invalid(code, format!("{field} must be 1 to 128 of a-z A-Z 0-9 _ @ - ."))
}

/// The users named in the request. A broadcast names none and goes to the users in the room.
fn read_recipients(to: Option<&To>, send: Send) -> Result<Vec<String>, Refusal> {
    let wrong_type = |expected: &str| {
        Err(Refusal::invalid(
            "InvalidParameter.Unmarshal",
            format!("To must be {expected}"),
        ))
    };
    let users = match (send, to) {
        (Send::Broadcast, _) => return Ok(Vec::new()),
        (_, None) => return Err(illegal_id("InvalidParameter.IllegalTo", "To")),
        (Send::BatchRoomUnicast, Some(To::Many(users))) => users.clone(),
        (Send::BatchRoomUnicast, Some(To::One(_))) => return wrong_type("an array of strings"),
        (_, Some(To::One(user))) => vec![user.clone()],
        (_, Some(To::Many(_))) => return wrong_type("a string"),
    };
    if users.is_empty() || !users.iter().all(|user| is_id(user)) {
        return Err(illegal_id("InvalidParameter.IllegalTo", "To"));
    }
    if users.len() > BATCH_LIMIT_USERS {
        let message = format!("To has {} users, {BATCH_LIMIT_USERS} are allowed", users.len());
        return Err(Refusal::invalid("InvalidParameter.UserCountOverLimit", message));
    }
    Ok(users)
}

fn read_content(context: &RequestContext<'_>, body: &Body, send: Send) -> Result<Content, Refusal> {
    let Some(binary) = body.binary else {
        return Err(Refusal::invalid(
            "InvalidParameter.Unmarshal",
            "Binary is missing: true or false",
        ));
    };
    let Some(message) = body.message.as_deref().filter(|message| !message.is_empty()) else {
        return Err(Refusal::invalid(
            "InvalidParameter.BodyIsEmpty",
            "Message is missing or empty",
        ));
    };
    let content = if binary {
        let payload = STANDARD.decode(message);
        let payload = payload.map_err(|_| {
            Refusal::invalid(
                "InvalidParameter.Unmarshal",
                "Message is not base64, but Binary is true",
            )
        })?;
        Content {
            binary,
            payload: Bytes::from(payload),
        }
    } else {
        Content::text(message)
    };
    let counted = match context.options.binary_limit_counts {
        BinaryLimitCounts::Decoded => content.payload.len(),
        BinaryLimitCounts::Base64 => message.len(),
    };
    let limit = if send == Send::BatchRoomUnicast {
        BATCH_LIMIT_BYTES
    } else {
        LIMIT_BYTES
    };
    if counted > limit {
        let message = format!("Message has {counted} bytes, {limit} are allowed");
        return Err(Refusal::invalid("InvalidParameter.SizeOverLimit", message));
    }
    Ok(content)
}

fn deliver(context: &mut RequestContext<'_>, send: Send, named: Vec<String>, content: &Content) {
    let room = context.observed.room_id.clone().unwrap_or_default();
    let users = if send == Send::Broadcast {
        context.state.rtc.users_in_room(&room)
    } else {
        named
    };
    for user in users {
        let present = match send {
            Send::Unicast => context.state.rtc.is_logged_in(&user),
            _ => context.state.rtc.is_in_room(&room, &user),
        };
        if present {
            context.deliver(UserScope::Volcengine, &user, Destination::default(), content);
        }
        let outcome = if present { Outcome::Delivered } else { Outcome::Absent };
        context.observed.recipients.push(Recipient {
            user,
            outcome,
            code: Value::from(""),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_1_to_128_of_the_allowed_characters() {
        for id in ["a", "Az09_@-.", &"x".repeat(128)] {
            assert!(is_id(id), "{id:?}");
        }
        for id in ["", " ", "a b", "a/b", "你", "a\n", &"x".repeat(129)] {
            assert!(!is_id(id), "{id:?}");
        }
    }
}
