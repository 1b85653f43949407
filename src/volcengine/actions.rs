//! The bodies of Volcengine's actions, field names as the vendor spells them. VENDORS.md, The messages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::{Account, Call};
use crate::config;
use crate::error::Error;
use crate::message::{Message, Payload, Signal};

/// IM knows this version alone.
const IM_VERSION: &str = "2020-12-01";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RtcBody<'a> {
    app_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<&'a str>,
    from: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<To<'a>>,
    binary: bool,
    message: std::borrow::Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum To<'a> {
    One(&'a str),
    Many(&'a [&'a str]),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ImBody<'a> {
    app_id: i64,
    sender: i64,
    conversation_short_id: i64,
    msg_type: i32,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    receiver_user_id: Option<&'a [i64]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignore_user_ids: Option<&'a [i64]>,
}

/// The action as the vendor takes it.
///
/// # Errors
/// `NotConfigured` if the account lacks the app this action needs; `Unsupported` for a message of another vendor.
pub(crate) fn call<'a>(account: &'a Account, message: &Message<'a>) -> Result<Call<'a>, Error> {
    let action = message.action();
    let rtc = |room_id, from, to, payload| -> Result<Call<'a>, Error> {
        let app_id = rtc_app_id(account, action)?;
        let (binary, message) = match payload {
            Payload::Text(text) => (false, text.into()),
            Payload::Binary(bytes) => (true, STANDARD.encode(bytes).into()),
        };
        let body = RtcBody {
            app_id,
            room_id,
            from,
            to,
            binary,
            message,
        };
        Ok(Call {
            action,
            version: &account.rtc_version,
            body: json(&body)?,
        })
    };
    let im = |signal: Signal<'a>, receiver_user_id, ignore_user_ids| -> Result<Call<'a>, Error> {
        let body = ImBody {
            app_id: im_app_id(account, action)?,
            sender: signal.sender_id,
            conversation_short_id: signal.conversation_id,
            msg_type: signal.msg_type,
            content: signal.content,
            receiver_user_id,
            ignore_user_ids,
        };
        Ok(Call {
            action,
            version: IM_VERSION,
            body: json(&body)?,
        })
    };
    match *message {
        Message::SendUnicast { from, to, payload } => rtc(None, from, Some(To::One(to)), payload),
        Message::SendRoomUnicast {
            room_id,
            from,
            to,
            payload,
        } => rtc(Some(room_id), from, Some(To::One(to)), payload),
        Message::BatchSendRoomUnicast {
            room_id,
            from,
            to,
            payload,
        } => rtc(Some(room_id), from, Some(To::Many(to)), payload),
        Message::SendBroadcast { room_id, from, payload } => rtc(Some(room_id), from, None, payload),
        Message::P2PSendMessageToUsers { signal, user_ids } => im(signal, Some(user_ids), None),
        Message::P2PSendMessageToAll { signal } => im(signal, None, None),
        Message::P2PSendMessageToAllExcept { signal, user_ids } => im(signal, None, Some(user_ids)),
        Message::SendCustomCommandToUsers { .. } | Message::SendCustomCommandToRoom { .. } => Err(Error::new(
            crate::error::Code::Unsupported,
            "action",
            format!("{action} is no action of Volcengine"),
        )),
    }
}

/// Whether the account has the app that an action needs.
pub(crate) fn check_app(account: &Account, message: &Message) -> Result<(), Error> {
    match message.action() {
        action @ "P2PSendMessage" => im_app_id(account, action).map(drop),
        action => rtc_app_id(account, action).map(drop),
    }
}

fn rtc_app_id<'a>(account: &'a Account, action: &str) -> Result<&'a str, Error> {
    if account.rtc_app_id.is_empty() {
        let key = config::VOLCENGINE_RTC_APP_ID.key;
        return Err(Error::not_configured(
            key,
            format!("{action} needs the id of the RTC app; it is not set"),
        ));
    }
    Ok(&account.rtc_app_id)
}

fn im_app_id(account: &Account, action: &str) -> Result<i64, Error> {
    account.im_app_id.ok_or_else(|| {
        let key = config::VOLCENGINE_IM_APP_ID.key;
        Error::not_configured(key, format!("{action} needs the id of the IM app; it is not set"))
    })
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(body).map_err(|error| Error::new(crate::error::Code::Internal, "", error.to_string()))
}
