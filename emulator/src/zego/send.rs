//! ZEGO's sends into a room: the custom command, to some or all of its users, and the two room messages.

use serde_json::Value;

use super::answer::{Data, FailUser, Refusal, code};
use crate::context::{Destination, RequestContext};
use crate::request::Query;
use crate::state::record::{Content, Outcome, Recipient};
use crate::vendor::UserScope;

const ID_LIMIT_BYTES: usize = 128;
const CONTENT_LIMIT_BYTES: usize = 1024;
const LIMIT_USERS: usize = 10;

/// SendCustomCommand: to the users named by `ToUserId[]`, or to the whole room without it.
pub(crate) fn custom_command(context: &mut RequestContext<'_>, query: &Query) -> Result<Data, Refusal> {
    let room = required_id(query, "RoomId")?;
    context.observed.room_id = Some(room.to_owned());
    let sender = required_id(query, "FromUserId")?;
    context.observed.from = Some(sender.to_owned());
    let content = read_content(context, query, code::MESSAGE_TOO_LONG)?;
    let named = named_users(query)?;
    check_room(context, room)?;

    if named.is_empty() {
        deliver_to_room(context, room, sender, &content);
        return Ok(Data::CustomCommand { fail_users: Vec::new() });
    }
    let mut fail_users = Vec::new();
    for user in named {
        if let Some(code) = deliver_to_user(context, room, sender, user, &content) {
            fail_users.push(FailUser {
                uid: user.to_owned(),
                code,
            });
        }
    }
    Ok(Data::CustomCommand { fail_users })
}

/// SendBroadcastMessage and SendBarrageMessage: to the whole room.
pub(crate) fn room_message(context: &mut RequestContext<'_>, query: &Query) -> Result<Data, Refusal> {
    let room = required_id(query, "RoomId")?;
    context.observed.room_id = Some(room.to_owned());
    let sender = required_id(query, "UserId")?;
    context.observed.from = Some(sender.to_owned());
    if !matches!(query.text("MessageCategory"), Some("1" | "2")) {
        return Err(Refusal::new(code::BAD_PARAMETER, "MessageCategory must be 1 or 2"));
    }
    let content = read_content(context, query, code::TOO_LONG)?;
    check_room(context, room)?;
    deliver_to_room(context, room, sender, &content);
    Ok(Data::Message {
        message_id: context.sequence,
    })
}

fn required_id<'a>(query: &'a Query, name: &str) -> Result<&'a str, Refusal> {
    let value = query.text(name).unwrap_or_default();
    check_id(name, value)?;
    Ok(value)
}

/// ZEGO documents no rule for the characters of an id. // VENDORS.md, SendCustomCommand
fn check_id(name: &str, value: &str) -> Result<(), Refusal> {
    let fault = if value.is_empty() {
        "is missing, empty or not UTF-8".to_owned()
    } else if value.len() > ID_LIMIT_BYTES {
        format!("has {} bytes, {ID_LIMIT_BYTES} are allowed", value.len())
    } else if value.contains('\0') {
        "has a NUL".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::new(code::BAD_PARAMETER, format!("{name} {fault}")))
}

/// The values of `ToUserId[]`. A misspelt name is refused, because the message would go to the whole room otherwise.
fn named_users(query: &Query) -> Result<Vec<&str>, Refusal> {
    let near_miss = |name: &[u8]| name.starts_with(b"ToUserId") && name != b"ToUserId[]";
    if query.0.iter().any(|(name, _)| near_miss(name)) {
        return Err(Refusal::new(
            code::BAD_PARAMETER,
            "users are named by ToUserId[], repeated, and by nothing else",
        ));
    }
    let mut users = Vec::new();
    for value in query.all("ToUserId[]") {
        let user = std::str::from_utf8(value).unwrap_or_default();
        check_id("ToUserId[]", user)?;
        users.push(user);
    }
    if users.len() > LIMIT_USERS {
        let message = format!("ToUserId[] has {} users, {LIMIT_USERS} are allowed", users.len());
        return Err(Refusal::new(code::TOO_MANY_USERS, message));
    }
    Ok(users)
}

fn read_content(context: &mut RequestContext<'_>, query: &Query, too_long: i64) -> Result<Content, Refusal> {
    let Some(raw) = query.all("MessageContent").next().filter(|raw| !raw.is_empty()) else {
        return Err(Refusal::new(code::EMPTY_CONTENT, "MessageContent is missing or empty"));
    };
    let Ok(text) = std::str::from_utf8(raw) else {
        return Err(Refusal::new(code::BAD_PARAMETER, "MessageContent is not UTF-8"));
    };
    let content = Content::text(text);
    context.observed.payload = Some(content.payload.clone());
    if raw.len() > CONTENT_LIMIT_BYTES {
        let message = format!(
            "MessageContent has {} bytes, {CONTENT_LIMIT_BYTES} are allowed",
            raw.len()
        );
        return Err(Refusal::new(too_long, message));
    }
    Ok(content)
}

fn check_room(context: &RequestContext<'_>, room: &str) -> Result<(), Refusal> {
    if context.state.zego.users(room).is_none() {
        return Err(Refusal::new(
            code::NO_SUCH_ROOM,
            format!("the room {room:?} does not exist"),
        ));
    }
    Ok(())
}

/// A client with the sender's id does not get its own message.
fn deliver_to_room(context: &mut RequestContext<'_>, room: &str, sender: &str, content: &Content) {
    let users = context.state.zego.users(room).into_iter().flatten();
    let others: Vec<_> = users.filter(|user| *user != sender).cloned().collect();
    for user in others {
        context.deliver(UserScope::Zego, &user, Destination::default(), content);
        record_outcome(context, &user, Outcome::Delivered, 0);
    }
}

/// Delivers to one user, and returns the code if the answer must report a failure.
fn deliver_to_user(
    context: &mut RequestContext<'_>,
    room: &str,
    sender: &str,
    user: &str,
    content: &Content,
) -> Option<i64> {
    if let Some(code) = context.state.faults.on_named_user(&context.observed.action, user) {
        record_outcome(context, user, Outcome::Failed, code);
        return Some(code);
    }
    let zego = &context.state.zego;
    let present = zego.users(room).is_some_and(|users| users.contains(user));
    if present && user == sender {
        record_outcome(context, user, Outcome::Absent, 0);
        return None;
    }
    if present {
        context.deliver(UserScope::Zego, user, Destination::default(), content);
        record_outcome(context, user, Outcome::Delivered, 0);
        return None;
    }
    let code = if zego.knows(user) {
        code::USER_NOT_ONLINE
    } else {
        code::NO_SUCH_USER
    };
    record_outcome(context, user, Outcome::Failed, code);
    Some(code)
}

fn record_outcome(context: &mut RequestContext<'_>, user: &str, outcome: Outcome, code: i64) {
    context.observed.recipients.push(Recipient {
        user: user.to_owned(),
        outcome,
        code: Value::from(code),
    });
}
