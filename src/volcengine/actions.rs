//! The bodies of Volcengine's actions, with field names as the vendor spells them. VENDORS.md, The messages.

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::account::Account;
use super::request::UnsignedRequest;
use crate::action::{Action, ActionSpec, Api, Vendor, Version};
use crate::config;
use crate::error::{Code, Error};
use crate::message::{Message, Payload, Signal};
use crate::util::json;

/// To whom a P2PSendUserMessage goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receivers {
    /// All users who are online.
    AllOnline,
    /// A list of this many users.
    Listed(u64),
}

/// The receivers of a P2PSendUserMessage with this body.
pub(crate) fn receivers(json: &str) -> Receivers {
    let members = json::members(json).unwrap_or_default();
    let member = |name: &str| {
        let found = members.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.get())
    };
    if member("ToAllOnlineUsers").is_some_and(|value| !matches!(value, "false" | "null" | "0" | "\"\"")) {
        return Receivers::AllOnline;
    }
    let receivers = member("Receivers").and_then(|list| serde_json::from_str::<Vec<&RawValue>>(list).ok());
    // A list that cannot be counted has at least one entry.
    let count = receivers.map_or(1, |list| list.len().max(1) as u64);
    Receivers::Listed(count)
}

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
    #[serde(serialize_with = "text_or_base64")]
    message: Payload<'a>,
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

/// Every action of a typed message, as it is sent: its name and version, each pair once.
pub(super) fn names_and_versions(rtc_version: &str) -> Vec<(&'static str, &str)> {
    let mut pairs = Vec::new();
    for action in Action::ALL
        .iter()
        .filter(|action| action.vendor() == Vendor::Volcengine)
    {
        let pair = (action.name(), version(action.spec(), rtc_version));
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    pairs
}

fn version<'a>(spec: &ActionSpec, rtc_version: &'a str) -> &'a str {
    match spec.version {
        Version::RtcSetting => rtc_version,
        Version::Fixed(version) => version,
        Version::Unversioned => "",
    }
}

/// The request of a message, which is not signed yet.
///
/// # Errors
/// `NotConfigured` if the account lacks the app that this action needs; `Unsupported` for a message of another vendor.
pub(crate) fn call<'a>(account: &'a Account, message: &Message<'a>) -> Result<UnsignedRequest<'a>, Error> {
    let spec = message.action().spec();
    let (action, version) = (spec.name, version(spec, &account.rtc_version));
    let rtc = |room_id, from, to: Option<To<'a>>, payload| -> Result<UnsignedRequest<'a>, Error> {
        let app_id = rtc_app_id(account, action)?;
        let payload_len = match payload {
            Payload::Text(text) => text.len(),
            Payload::Binary(bytes) => bytes.len().div_ceil(3) * 4,
        };
        let to_len = match to {
            Some(To::Many(ids)) => ids.iter().map(|id| id.len() + r#""","#.len()).sum(),
            _ => 0,
        };
        let body = RtcBody {
            app_id,
            room_id,
            from,
            to,
            binary: matches!(payload, Payload::Binary(_)),
            message: payload,
        };
        Ok(UnsignedRequest {
            action,
            version,
            body: json(&body, payload_len + to_len)?,
        })
    };
    let im = |signal: Signal<'a>,
              receiver_user_id: Option<&'a [i64]>,
              ignore_user_ids|
     -> Result<UnsignedRequest<'a>, Error> {
        let ids = receiver_user_id.or(ignore_user_ids).unwrap_or_default().len();
        let body = ImBody {
            app_id: im_app_id(account, action)?,
            sender: signal.sender_id,
            conversation_short_id: signal.conversation_id,
            msg_type: signal.msg_type,
            content: signal.content,
            receiver_user_id,
            ignore_user_ids,
        };
        Ok(UnsignedRequest {
            action,
            version,
            body: json(&body, signal.content.len() + ids * DIGITS)?,
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
        Message::SendCustomCommandToUsers { .. } | Message::SendCustomCommandToRoom { .. } => Err(other_vendor(action)),
    }
}

/// Checks that the account has the app that the message needs.
pub(crate) fn check_app(account: &Account, message: &Message) -> Result<(), Error> {
    let spec = message.action().spec();
    match spec.api {
        Api::VolcengineRtc => rtc_app_id(account, spec.name).map(drop),
        Api::VolcengineIm => im_app_id(account, spec.name).map(drop),
        Api::Zego => Err(other_vendor(spec.name)),
    }
}

fn other_vendor(action: &str) -> Error {
    let text = format!("{action} is not an action of Volcengine");
    Error::new(Code::Unsupported, "action", text)
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

/// The length of an id in a list, with its comma.
const DIGITS: usize = 20;

/// The body as JSON. `long` is the length of its long fields, so that one allocation is enough unless many characters must
/// be escaped.
fn json(body: &impl Serialize, long: usize) -> Result<Vec<u8>, Error> {
    const OTHER_FIELDS: usize = 512;
    let mut bytes = Vec::with_capacity(long + OTHER_FIELDS);
    serde_json::to_writer(&mut bytes, body).map_err(|error| Error::new(Code::Internal, "", error.to_string()))?;
    Ok(bytes)
}

fn text_or_base64<S: Serializer>(payload: &Payload, serializer: S) -> Result<S::Ok, S::Error> {
    match payload {
        Payload::Text(text) => serializer.serialize_str(text),
        Payload::Binary(bytes) => serializer.collect_str(&Base64Display::new(bytes, &STANDARD)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_receivers_of_a_raw_call_are_counted() {
        for (json, counted) in [
            (r#"{"Receivers":[1,2,3]}"#, Receivers::Listed(3)),
            (
                r#"{"receivers":["1","2"],"ToAllOnlineUsers":false}"#,
                Receivers::Listed(2),
            ),
            (r#"{"Receivers":[]}"#, Receivers::Listed(1)),
            (r#"{"Receivers":7}"#, Receivers::Listed(1)),
            ("{}", Receivers::Listed(1)),
            (r#"{"Receivers":[1],"ToAllOnlineUsers":true}"#, Receivers::AllOnline),
        ] {
            assert_eq!(receivers(json), counted, "{json}");
        }
    }

    #[test]
    fn each_name_and_version_is_there_once() {
        let expected = [
            ("SendUnicast", "2023-11-01"),
            ("SendRoomUnicast", "2023-11-01"),
            ("BatchSendRoomUnicast", "2023-11-01"),
            ("SendBroadcast", "2023-11-01"),
            ("P2PSendMessage", "2020-12-01"),
        ];
        assert_eq!(names_and_versions("2023-11-01"), expected);
    }
}
