//! The outcome of a request from ZEGO's answer. Code 0 with FailUsers is a partial failure. VENDORS.md, SendCustomCommand.

use std::collections::HashMap;

use super::codes;
use crate::error::Code;
use crate::message::Recipients;
use crate::report::{Delivery, Flaw, Outcome, Recipient, Request, User};
use crate::util::json::{self, Misplaced, Text, Unclear, Value};

json::shape! {
    /// The parts of an answer that are read.
    Answer<'a> {
        "Code" => code: Option<i64>,
        "Message" => message: Text<'a>,
        "RequestId" => request_id: Text<'a>,
        "Data" => data: Option<Data<'a>>,
        // This member belongs into Data.
        "FailUsers" => misplaced: Misplaced,
    }
}

json::shape! {
    Data<'a> {
        "FailUsers" => fail_users: Option<Vec<FailUser<'a>>>,
    }
}

json::shape! {
    /// The page names the user `Uid`; other answers of ZEGO use `UserId`.
    FailUser<'a> {
        "Uid" => uid: Text<'a>,
        "UserId" => user_id: Text<'a>,
        "Code" => code: Option<i64>,
    }
}

/// The request, as far as its answer has to match it.
#[derive(Clone, Copy)]
struct Expectation<'a> {
    recipients: Recipients<'a>,
    /// It is a raw action: the caller reads all of the answer except its code.
    is_call: bool,
}

/// The outcome of a message, from the status and body of its answer.
pub(crate) fn read(recipients: Recipients, status: u16, body: &[u8]) -> Outcome {
    let asked = Expectation {
        recipients,
        is_call: false,
    };
    judge(asked, status, parse(body))
}

/// The outcome of a raw action: only whether it was accepted. The caller reads the rest of the answer.
pub(crate) fn read_call(status: u16, body: &[u8]) -> Outcome {
    let asked = Expectation {
        recipients: Recipients::All,
        is_call: true,
    };
    judge(asked, status, parse(body))
}

fn parse(body: &[u8]) -> Result<Answer<'_>, Flaw> {
    match json::parse_strict(body) {
        Some(answer) => Ok(answer),
        None => Answer::parse_lenient(body),
    }
}

fn judge(asked: Expectation, status: u16, answer: Result<Answer, Flaw>) -> Outcome {
    answer
        .and_then(|answer| readable(asked, status, answer))
        .unwrap_or_else(|flaw| Outcome::of_flaw(asked.recipients, status, flaw))
}

fn readable(asked: Expectation, status: u16, answer: Answer) -> Result<Outcome, Flaw> {
    let recipients = asked.recipients;
    let code = answer.code.and_then(|code| i32::try_from(code).ok());
    let code = code.ok_or(Flaw::NoEnvelope("it has no Code"))?;
    let (mut request, concerns_all) = match code {
        0 if !(200..300).contains(&status) => {
            return Err(Flaw::Unclear("its Code is 0, but its status is not a success"));
        }
        0 => (Request::failed(Code::Ok, Delivery::Accepted, status, ""), false),
        code => {
            let class = codes::classify(code, status);
            let text = format!("ZEGO refused: code {code}");
            (
                Request::failed(class.code(), class.delivery(recipients), status, text),
                class.concerns_all(),
            )
        }
    };
    request.vendor_code = code;
    request.vendor_message = answer.message.kept(&["success"]);
    request.request_id = answer.request_id.0.into_owned();
    let fail_users = answer.data.and_then(|data| data.fail_users);
    let mut fail_users = fail_users.filter(|_| !asked.is_call).unwrap_or_default();
    if answer.misplaced.0 && !asked.is_call {
        fail_users.extend(FailUser::unreadable());
    }
    let failed = FailUsers::from_rows(&fail_users, recipients);
    let rows = recipients.users().map(|user| failed.row(user, &request)).collect();
    Ok(Outcome {
        concerns_all,
        ..Outcome::new(failed.judge(request), rows)
    })
}

/// The lenient reader: it reads each value as far as possible.
impl Answer<'static> {
    fn parse_lenient(body: &[u8]) -> Result<Answer<'static>, Flaw> {
        let answer = json::parse_lenient(body).map_err(Flaw::NoEnvelope)?;
        let data = match answer.member("Data") {
            Ok(None) => None,
            Ok(Some(Value::Object(data))) => match data.member("FailUsers") {
                Ok(None) => None,
                Ok(Some(Value::List(rows))) => Some(rows.iter().map(FailUser::from_value).collect()),
                _ => Some(FailUser::unreadable()),
            },
            _ => Some(FailUser::unreadable()),
        };
        if answer.member("Code") == Err(Unclear) {
            return Err(Flaw::Unclear("its Code appears twice or is misspelled"));
        }
        Ok(Answer {
            code: answer.integer("Code"),
            message: answer.text("Message"),
            request_id: answer.text("RequestId"),
            data: Some(Data { fail_users: data }),
            misplaced: Misplaced(answer.says("FailUsers")),
        })
    }
}

impl FailUser<'static> {
    fn from_value(row: &Value) -> FailUser<'static> {
        let Value::Object(row) = row else {
            return FailUser::default();
        };
        FailUser {
            uid: row.text("Uid"),
            user_id: row.text("UserId"),
            code: row.integer("Code"),
        }
    }

    /// A list with an unexpected form. It has one row without a user.
    fn unreadable() -> Vec<FailUser<'static>> {
        vec![FailUser::default()]
    }
}

impl FailUser<'_> {
    /// The user; empty if it is unreadable, or if the two names differ.
    fn name(&self) -> &str {
        let name = match (&*self.uid.0, &*self.user_id.0) {
            (uid, "") => uid,
            ("", user_id) => user_id,
            (uid, user_id) if uid == user_id => uid,
            _ => "",
        };
        // A name with a damaged character may belong to any recipient.
        if name.contains('\u{FFFD}') { "" } else { name }
    }
}

/// The users that the vendor did not reach, according to its answer.
struct FailUsers<'a> {
    codes: HashMap<&'a str, i32>,
    /// Whether a row has a user who is not a recipient, or no readable user. Such a row may belong to any recipient without a row.
    has_unexpected_user: bool,
    /// Whether every recipient has a row.
    covers_all: bool,
}

impl<'a> FailUsers<'a> {
    fn from_rows(rows: &'a [FailUser], asked: Recipients) -> FailUsers<'a> {
        let code_of = |row: &FailUser| row.code.and_then(|code| i32::try_from(code).ok()).unwrap_or(0);
        let codes: HashMap<&str, i32> = rows.iter().map(|row| (row.name(), code_of(row))).collect();
        // The list of recipients has each user once.
        let known = match asked {
            Recipients::One(name) => usize::from(codes.contains_key(name)),
            Recipients::Names(names) => names.iter().filter(|name| codes.contains_key(**name)).count(),
            Recipients::All | Recipients::Ids(_) => 0,
        };
        FailUsers {
            has_unexpected_user: known < codes.len(),
            covers_all: known > 0 && known == asked.len(),
            codes,
        }
    }

    /// The reason why the outcome for recipients without a row is unknown, if it is.
    fn unknown_reason(&self, request: &Request) -> Option<&'static str> {
        match () {
            () if self.covers_all => None,
            () if self.has_unexpected_user => {
                Some("the answer contains a user who is not a recipient, or whose id is unreadable")
            }
            // A refusal concerns all recipients. If it names some of them, the outcome for the others is unknown.
            () if request.code != Code::Ok && !self.codes.is_empty() => {
                Some("the answer refuses all users, but names only some")
            }
            () => None,
        }
    }

    fn judge(&self, request: Request) -> Request {
        match self.unknown_reason(&request) {
            Some(why) => request.left_unknown(why),
            None => request,
        }
    }

    fn row(&self, user: User, request: &Request) -> Recipient {
        let failed = match &user {
            User::Name(name) => self.codes.get(&**name).copied(),
            User::Id(_) => None,
        };
        let (delivery, code, vendor_code) = match failed {
            Some(vendor_code) if request.code == Code::Ok => (Delivery::NotDelivered, Code::Undelivered, vendor_code),
            Some(vendor_code) => (Delivery::NotDelivered, request.code, vendor_code),
            None if self.unknown_reason(request).is_some() => (Delivery::Unknown, Code::BadResponse, 0),
            None => (request.delivery, request.code, 0),
        };
        Recipient {
            vendor_code,
            ..Recipient::new(user, delivery, code)
        }
    }
}

#[cfg(test)]
mod tests;
