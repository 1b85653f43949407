//! What ZEGO's answers say: Code 0 with FailUsers is a partial failure. VENDORS.md, SendCustomCommand.

use std::collections::HashMap;

use serde_json::Value;

use super::codes;
use crate::error::Code;
use crate::json;
use crate::message::Recipients;
use crate::report::{Delivery, Outcome, Recipient, Request, User};

/// `status` and `body` are the answer as it came.
pub(crate) fn read(recipients: Recipients, status: u16, body: &[u8]) -> Outcome {
    match readable(recipients, status, body) {
        Ok(outcome) => outcome,
        Err(what) => Outcome::unreadable(recipients, status, what),
    }
}

fn readable(recipients: Recipients, status: u16, body: &[u8]) -> Result<Outcome, &'static str> {
    let answer = json::object(body)?;
    let code = json::integer(answer.get("Code"))
        .and_then(|code| i32::try_from(code).ok())
        .ok_or("no Code in it")?;
    let (mut request, concerns_all) = match code {
        0 if !(200..300).contains(&status) => return Err("Code 0 with a status that is no success"),
        0 => (
            Request::failed(Code::Ok, Delivery::Accepted, status, String::new()),
            false,
        ),
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
    request.vendor_text = json::text(answer.get("Message"));
    request.request_id = json::text(answer.get("RequestId"));
    let failed = FailUsers::read(answer.get("Data").and_then(|data| data.get("FailUsers")));
    let rows = recipients.users().map(|user| failed.row(user, &request)).collect();
    Ok(Outcome {
        concerns_all,
        ..Outcome::new(request, rows)
    })
}

/// Those the vendor says it did not reach.
#[derive(Default)]
struct FailUsers {
    codes: HashMap<String, i32>,
    /// A row named no user that can be read: whoever is not named may be that one.
    unreadable_row: bool,
}

impl FailUsers {
    fn read(value: Option<&Value>) -> FailUsers {
        let mut failed = FailUsers::default();
        let rows = match value {
            None | Some(Value::Null) => return failed,
            Some(Value::Array(rows)) => rows,
            Some(_) => {
                failed.unreadable_row = true;
                return failed;
            }
        };
        for row in rows {
            match json::text(row.get("Uid")) {
                uid if uid.is_empty() => failed.unreadable_row = true,
                uid => {
                    let code = json::integer(row.get("Code")).and_then(|code| i32::try_from(code).ok());
                    failed.codes.insert(uid, code.unwrap_or(0));
                }
            }
        }
        failed
    }

    fn row(&self, user: User, request: &Request) -> Recipient {
        let failed = match &user {
            User::Name(name) => self.codes.get(name).copied(),
            User::Id(_) => None,
        };
        let (delivery, code, vendor_code) = match failed {
            Some(vendor_code) if request.code == Code::Ok => (Delivery::NotDelivered, Code::Undelivered, vendor_code),
            Some(vendor_code) => (Delivery::NotDelivered, request.code, vendor_code),
            None if self.unreadable_row && request.delivery.is_success() => (Delivery::Unknown, Code::BadResponse, 0),
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
