//! The parameters of ZEGO's actions, with names as the vendor spells them. VENDORS.md, SendCustomCommand.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::error::{Code, Error};
use crate::message::Message;

/// Names and values, in the order in which they are sent.
pub(crate) type Parameters<'a> = Vec<(&'a str, &'a str)>;

/// The parameters of a message.
///
/// # Errors
/// `Unsupported` for a message of another vendor.
pub(crate) fn parameters<'a>(message: &Message<'a>) -> Result<Parameters<'a>, Error> {
    let (room_id, from, to, content) = match *message {
        Message::SendCustomCommandToUsers {
            room_id,
            from,
            to,
            content,
        } => (room_id, from, to, content),
        Message::SendCustomCommandToRoom { room_id, from, content } => (room_id, from, &[][..], content),
        Message::SendUnicast { .. }
        | Message::SendRoomUnicast { .. }
        | Message::BatchSendRoomUnicast { .. }
        | Message::SendBroadcast { .. }
        | Message::P2PSendMessageToUsers { .. }
        | Message::P2PSendMessageToAll { .. }
        | Message::P2PSendMessageToAllExcept { .. } => {
            let text = format!("{} is not an action of ZEGO", message.action().name());
            return Err(Error::new(Code::Unsupported, "action", text));
        }
    };
    let mut parameters = Vec::with_capacity(3 + to.len());
    parameters.extend([("RoomId", room_id), ("FromUserId", from)]);
    parameters.extend(to.iter().map(|id| ("ToUserId[]", *id)));
    parameters.push(("MessageContent", content));
    Ok(parameters)
}

/// The members of a JSON object as query parameters. A value is text, a number, which is sent as it is written, a Boolean,
/// or a list of them, whose name is repeated with `[]`.
///
/// # Errors
/// `InvalidArgument` naming the member: an empty list (ZEGO would send to all users), a nested value, a member that is
/// there twice, or one that the library sets itself.
pub(crate) fn parameters_of_json(json: &str) -> Result<Vec<(String, String)>, Error> {
    const OWN: [&str; 7] = [
        "Action",
        "AppId",
        "SignatureNonce",
        "Timestamp",
        "Signature",
        "SignatureVersion",
        "IsTest",
    ];
    let members = crate::util::json::members(json).map_err(|why| Error::invalid("json", why))?;
    let mut parameters: Vec<(String, String)> = Vec::new();
    for (name, value) in members {
        let refuse = |why: &str| Error::invalid("json", format!("\"{}\" {why}", name.escape_debug()));
        let bare = name.strip_suffix("[]").unwrap_or(&name);
        // Case and an index in brackets are ignored, because the vendor may read `action` or `Action[0]` as `Action`.
        let stem = bare.split('[').next().unwrap_or_default();
        if OWN.iter().any(|own| own.eq_ignore_ascii_case(stem)) {
            return Err(refuse("is set by the library"));
        }
        match serde_json::from_str::<Vec<&RawValue>>(value.get()) {
            Ok(items) if items.is_empty() => {
                return Err(refuse("is an empty list, which ZEGO would send to all users"));
            }
            Ok(items) => {
                for item in items {
                    let item = scalar(item)
                        .ok_or_else(|| refuse("contains an item that is not text, a number, true or false"))?;
                    parameters.push((format!("{bare}[]"), item.into_owned()));
                }
            }
            Err(_) => {
                let value =
                    scalar(value).ok_or_else(|| refuse("must be text, a number, true, false or a list of these"))?;
                parameters.push((name, value.into_owned()));
            }
        }
    }
    Ok(parameters)
}

fn scalar(value: &RawValue) -> Option<Cow<'_, str>> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str::<String>(text).ok().map(Cow::Owned),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_members_become_parameters_with_numbers_as_written() {
        let json = r#"{"RoomId":"r\u00e9","Id":7221856821303361536,"Rate":1.50,"Flag":true,"UserId[]":["a",2]}"#;
        let parameters = parameters_of_json(json).unwrap();
        let expected = [
            ("RoomId", "ré"),
            ("Id", "7221856821303361536"),
            ("Rate", "1.50"),
            ("Flag", "true"),
            ("UserId[]", "a"),
            ("UserId[]", "2"),
        ];
        assert_eq!(
            parameters,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn a_member_that_cannot_be_a_parameter_is_refused_by_name() {
        for (json, named) in [
            (r#"{"ToUserId":[]}"#, "ToUserId"),
            (r#"{"ToUserId":null}"#, "ToUserId"),
            (r#"{"ToUserId":{}}"#, "ToUserId"),
            (r#"{"ToUserId":[["a"]]}"#, "ToUserId"),
            (r#"{"Signature":"x"}"#, "Signature"),
            (r#"{"action":"SendCustomCommand"}"#, "action"),
            (r#"{"Action[]":["SendCustomCommand"]}"#, "Action"),
            (r#"{"ACTION[0]":"SendCustomCommand"}"#, "ACTION[0]"),
            (r#"{"A":1,"A":2}"#, "A"),
            ("[]", "object"),
            ("{", "JSON"),
            ("", "JSON"),
        ] {
            let error = parameters_of_json(json).expect_err(json);
            assert_eq!(error.field, "json");
            assert!(error.message.contains(named), "{json}: {error}");
        }
    }
}
