//! What ZEGO's answers say: Code 0 with FailUsers is a partial failure. VENDORS.md, SendCustomCommand.

use std::collections::HashMap;

use serde_json::Value;

use super::codes;
use crate::error::Code;
use crate::json::{self, Text};
use crate::message::Recipients;
use crate::report::{Delivery, Outcome, Recipient, Request, User};

json::shape! {
    /// What is read of an answer.
    Answer<'a> {
        "Code" => code: Option<i64>,
        "Message" => message: Text<'a>,
        "RequestId" => request_id: Text<'a>,
        "Data" => data: Option<Data<'a>>,
    }
}

json::shape! {
    Data<'a> {
        "FailUsers" => fail_users: Option<Vec<FailUser<'a>>>,
    }
}

json::shape! {
    FailUser<'a> {
        "Uid" => uid: Text<'a>,
        "Code" => code: Option<i64>,
    }
}

/// `status` and `body` are the answer as it came.
pub(crate) fn read(recipients: Recipients, status: u16, body: &[u8]) -> Outcome {
    let answer = match json::ordinary(body) {
        Some(answer) => Ok(answer),
        None => Answer::of_any(body),
    };
    judged(recipients, status, answer)
}

fn judged(recipients: Recipients, status: u16, answer: Result<Answer, &'static str>) -> Outcome {
    answer
        .and_then(|answer| readable(recipients, status, answer))
        .unwrap_or_else(|what| Outcome::unreadable(recipients, status, what))
}

fn readable(recipients: Recipients, status: u16, answer: Answer) -> Result<Outcome, &'static str> {
    let code = answer.code.and_then(|code| i32::try_from(code).ok());
    let code = code.ok_or("no Code in it")?;
    let (mut request, concerns_all) = match code {
        0 if !(200..300).contains(&status) => return Err("Code 0 with a status that is no success"),
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
    request.vendor_text = answer.message.kept(&["success"]);
    request.request_id = answer.request_id.0.into_owned();
    let fail_users = answer.data.and_then(|data| data.fail_users).unwrap_or_default();
    let failed = Failed::of(&fail_users, recipients);
    let rows = recipients.users().map(|user| failed.row(user, &request)).collect();
    Ok(Outcome {
        concerns_all,
        ..Outcome::new(request, rows)
    })
}

/// Any answer at all: each value as far as it can be read, and why it is none if it is none.
impl Answer<'static> {
    fn of_any(body: &[u8]) -> Result<Answer<'static>, &'static str> {
        let answer = json::object(body)?;
        let fail_users = match answer.get("Data").and_then(|data| data.get("FailUsers")) {
            None | Some(Value::Null) => None,
            Some(Value::Array(rows)) => Some(rows.iter().map(FailUser::of_any).collect()),
            // As a row that names nobody.
            Some(_) => Some(vec![FailUser::default()]),
        };
        Ok(Answer {
            code: json::integer(answer.get("Code")),
            message: Text::of(answer.get("Message")),
            request_id: Text::of(answer.get("RequestId")),
            data: Some(Data { fail_users }),
        })
    }
}

impl FailUser<'static> {
    fn of_any(row: &Value) -> FailUser<'static> {
        FailUser {
            uid: Text::of(row.get("Uid")),
            code: json::integer(row.get("Code")),
        }
    }
}

/// Those the vendor says it did not reach.
struct Failed<'a> {
    codes: HashMap<&'a str, i32>,
    /// A row names none of those who were asked for, or nobody that can be read: whoever is not named may be that one.
    has_stranger: bool,
}

impl<'a> Failed<'a> {
    fn of(rows: &'a [FailUser], asked: Recipients) -> Failed<'a> {
        let code_of = |row: &FailUser| row.code.and_then(|code| i32::try_from(code).ok()).unwrap_or(0);
        let codes: HashMap<&str, i32> = rows.iter().map(|row| (&*row.uid.0, code_of(row))).collect();
        // Each was asked for once.
        let known = match asked {
            Recipients::One(name) => usize::from(codes.contains_key(name)),
            Recipients::Names(names) => names.iter().filter(|name| codes.contains_key(**name)).count(),
            Recipients::Everybody | Recipients::Ids(_) => 0,
        };
        let has_stranger = known < codes.len();
        Failed { codes, has_stranger }
    }

    fn row(&self, user: User, request: &Request) -> Recipient {
        let failed = match &user {
            User::Name(name) => self.codes.get(&**name).copied(),
            User::Id(_) => None,
        };
        let (delivery, code, vendor_code) = match failed {
            Some(vendor_code) if request.code == Code::Ok => (Delivery::NotDelivered, Code::Undelivered, vendor_code),
            Some(vendor_code) => (Delivery::NotDelivered, request.code, vendor_code),
            None if self.has_stranger && request.delivery.is_success() => (Delivery::Unknown, Code::BadResponse, 0),
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
