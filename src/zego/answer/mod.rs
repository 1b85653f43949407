//! What ZEGO's answers say: Code 0 with FailUsers is a partial failure. VENDORS.md, SendCustomCommand.

use std::collections::HashMap;

use super::codes;
use crate::error::Code;
use crate::message::Recipients;
use crate::report::{Delivery, Flaw, Outcome, Recipient, Request, User};
use crate::util::json::{self, Misplaced, Text, Unclear, Value};

json::shape! {
    /// What is read of an answer.
    Answer<'a> {
        "Code" => code: Option<i64>,
        "Message" => message: Text<'a>,
        "RequestId" => request_id: Text<'a>,
        "Data" => data: Option<Data<'a>>,
        // It belongs into Data.
        "FailUsers" => misplaced: Misplaced,
    }
}

json::shape! {
    Data<'a> {
        "FailUsers" => fail_users: Option<Vec<FailUser<'a>>>,
    }
}

json::shape! {
    /// The page calls the user `Uid`; ZEGO's other answers say `UserId`.
    FailUser<'a> {
        "Uid" => uid: Text<'a>,
        "UserId" => user_id: Text<'a>,
        "Code" => code: Option<i64>,
    }
}

/// What the answer has to fit.
#[derive(Clone, Copy)]
struct Asked<'a> {
    recipients: Recipients<'a>,
    /// What is in the answer beyond its code is the caller's to read.
    is_call: bool,
}

/// The answer to a message: `status` and `body` as they came.
pub(crate) fn read(recipients: Recipients, status: u16, body: &[u8]) -> Outcome {
    let asked = Asked {
        recipients,
        is_call: false,
    };
    judged(asked, status, answer_in(body))
}

/// The answer to a raw call: whether it was accepted. The rest is the caller's to read.
pub(crate) fn read_call(status: u16, body: &[u8]) -> Outcome {
    let asked = Asked {
        recipients: Recipients::Everybody,
        is_call: true,
    };
    judged(asked, status, answer_in(body))
}

fn answer_in(body: &[u8]) -> Result<Answer<'_>, Flaw> {
    match json::ordinary(body) {
        Some(answer) => Ok(answer),
        None => Answer::of_any(body),
    }
}

fn judged(asked: Asked, status: u16, answer: Result<Answer, Flaw>) -> Outcome {
    answer
        .and_then(|answer| readable(asked, status, answer))
        .unwrap_or_else(|flaw| Outcome::of_flaw(asked.recipients, status, flaw))
}

fn readable(asked: Asked, status: u16, answer: Answer) -> Result<Outcome, Flaw> {
    let recipients = asked.recipients;
    let code = answer.code.and_then(|code| i32::try_from(code).ok());
    let code = code.ok_or(Flaw::NoEnvelope("no Code in it"))?;
    let (mut request, concerns_all) = match code {
        0 if !(200..300).contains(&status) => return Err(Flaw::Unclear("Code 0 with a status that is no success")),
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
        fail_users.extend(FailUser::of_another_shape());
    }
    let failed = Failed::of(&fail_users, recipients);
    let rows = recipients.users().map(|user| failed.row(user, &request)).collect();
    Ok(Outcome {
        concerns_all,
        ..Outcome::new(failed.judge(request), rows)
    })
}

/// Any answer at all: each value as far as it can be read, and why it is none if it is none.
impl Answer<'static> {
    fn of_any(body: &[u8]) -> Result<Answer<'static>, Flaw> {
        let answer = json::object(body).map_err(Flaw::NoEnvelope)?;
        let data = match answer.member("Data") {
            Ok(None) => None,
            Ok(Some(Value::Object(data))) => match data.member("FailUsers") {
                Ok(None) => None,
                Ok(Some(Value::List(rows))) => Some(rows.iter().map(FailUser::of_any).collect()),
                _ => Some(FailUser::of_another_shape()),
            },
            _ => Some(FailUser::of_another_shape()),
        };
        if answer.member("Code") == Err(Unclear) {
            return Err(Flaw::Unclear("its Code stands in it twice, or spelled otherwise"));
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
    fn of_any(row: &Value) -> FailUser<'static> {
        let Value::Object(row) = row else {
            return FailUser::default();
        };
        FailUser {
            uid: row.text("Uid"),
            user_id: row.text("UserId"),
            code: row.integer("Code"),
        }
    }

    /// As with a row that names nobody.
    fn of_another_shape() -> Vec<FailUser<'static>> {
        vec![FailUser::default()]
    }
}

impl FailUser<'_> {
    /// Who it is; empty if that cannot be read, or the two names say different things.
    fn name(&self) -> &str {
        let name = match (&*self.uid.0, &*self.user_id.0) {
            (uid, "") => uid,
            ("", user_id) => user_id,
            (uid, user_id) if uid == user_id => uid,
            _ => "",
        };
        // With a character lost on the way it may be anybody's.
        if name.contains('\u{FFFD}') { "" } else { name }
    }
}

/// Those the vendor says it did not reach.
struct Failed<'a> {
    codes: HashMap<&'a str, i32>,
    /// A row names nobody who was asked for, or nobody that can be read: whoever is not named may be that one.
    has_stranger: bool,
    /// Everybody who was asked for has a row.
    is_about_all: bool,
}

impl<'a> Failed<'a> {
    fn of(rows: &'a [FailUser], asked: Recipients) -> Failed<'a> {
        let code_of = |row: &FailUser| row.code.and_then(|code| i32::try_from(code).ok()).unwrap_or(0);
        let codes: HashMap<&str, i32> = rows.iter().map(|row| (row.name(), code_of(row))).collect();
        // Each was asked for once.
        let known = match asked {
            Recipients::One(name) => usize::from(codes.contains_key(name)),
            Recipients::Names(names) => names.iter().filter(|name| codes.contains_key(**name)).count(),
            Recipients::Everybody | Recipients::Ids(_) => 0,
        };
        Failed {
            has_stranger: known < codes.len(),
            is_about_all: known > 0 && known == asked.len(),
            codes,
        }
    }

    /// Why those whom it does not name are unknown, if they are.
    fn leaves_unknown(&self, request: &Request) -> Option<&'static str> {
        match () {
            () if self.is_about_all => None,
            () if self.has_stranger => Some("the answer names a user who was not asked for, or who cannot be read"),
            // A refusal concerns all of them; one that names some does not say what became of the others.
            () if request.code != Code::Ok && !self.codes.is_empty() => {
                Some("the answer names some of the users, and refuses all")
            }
            () => None,
        }
    }

    fn judge(&self, request: Request) -> Request {
        match self.leaves_unknown(&request) {
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
            None if self.leaves_unknown(request).is_some() => (Delivery::Unknown, Code::BadResponse, 0),
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
