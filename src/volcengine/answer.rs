//! What Volcengine's answers say: an error may stand inside HTTP 200, and Success means taken in, not arrived.
//! VENDORS.md, Response.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use super::codes;
use crate::error::Code;
use crate::json::{self, Object, Text};
use crate::message::Recipients;
use crate::report::{Delivery, Device, Outcome, Recipient, Request, User};

json::shape! {
    /// What is read of an answer.
    Answer<'a> {
        "ResponseMetadata" => metadata: Option<Metadata<'a>>,
        "Result" => result: Option<Taken<'a>>,
    }
}

json::shape! {
    Metadata<'a> {
        "RequestId" => request_id: Text<'a>,
        "Error" => error: Option<Refusal<'a>>,
    }
}

json::shape! {
    Refusal<'a> {
        "Code" => name: Text<'a>,
        "CodeN" => number: Option<i64>,
        "Message" => message: Text<'a>,
    }
}

json::shape! {
    Taken<'a> {
        "Message" => message: Text<'a>,
        "P2PResult" => pushed: Option<Vec<Push<'a>>>,
    }
}

json::shape! {
    /// A user and device that it was pushed to.
    Push<'a> {
        "UserId" => user: Option<i64>,
        "Code" => word: Text<'a>,
        "DevicePlatform" => platform: Text<'a>,
    }
}

/// Why an answer is none.
#[derive(Debug, PartialEq)]
struct Unreadable {
    what: &'static str,
    request_id: String,
}

/// `status` and `body` are the answer as it came.
pub(crate) fn read(recipients: Recipients, status: u16, body: &[u8]) -> Outcome {
    let answer = match json::ordinary(body) {
        Some(answer) => Ok(answer),
        None => Answer::of_any(body),
    };
    judged(recipients, status, answer)
}

fn judged(recipients: Recipients, status: u16, answer: Result<Answer, Unreadable>) -> Outcome {
    let unreadable = |what| Outcome::unreadable(recipients, status, what);
    let (mut outcome, request_id) = match answer {
        Err(Unreadable { what, request_id }) => (unreadable(what), request_id),
        Ok(Answer { metadata: None, .. }) => (unreadable("no ResponseMetadata in it"), String::new()),
        Ok(Answer {
            metadata: Some(metadata),
            result,
        }) => {
            let outcome = match metadata.error {
                Some(error) => refused(recipients, status, error),
                None if !(200..300).contains(&status) => unreadable("no error in it"),
                None => accepted(recipients, status, result.unwrap_or_default()),
            };
            (outcome, metadata.request_id.0.into_owned())
        }
    };
    outcome.request.request_id = request_id;
    outcome
}

fn refused(recipients: Recipients, status: u16, error: Refusal) -> Outcome {
    let vendor_name = error.name.0.into_owned();
    let number = error.number.and_then(|n| i32::try_from(n).ok()).unwrap_or(0);
    let class = codes::classify(&vendor_name, number, status);
    let text = format!(
        "Volcengine refused: {}",
        if vendor_name.is_empty() {
            "no code given"
        } else {
            &vendor_name
        }
    );
    let request = Request {
        vendor_name,
        vendor_code: number,
        vendor_text: error.message.kept(&[]),
        ..Request::failed(class.code(), class.delivery(recipients), status, text)
    };
    Outcome {
        concerns_all: class.concerns_all(),
        ..Outcome::of(request, recipients)
    }
}

fn accepted(recipients: Recipients, status: u16, taken: Taken) -> Outcome {
    let mut request = Request::failed(Code::Ok, Delivery::Accepted, status, "");
    request.vendor_text = taken.message.kept(&["Success"]);
    let speaks_of_ids = matches!(recipients, Recipients::Ids(_) | Recipients::Everybody);
    let Some(pushed) = taken.pushed.filter(|_| speaks_of_ids) else {
        return Outcome::of(request, recipients);
    };
    let results = PushResults::of(&pushed);
    if results.unreadable_row && recipients == Recipients::Everybody {
        // Nobody's row can say it, so the request does.
        request.code = Code::BadResponse;
        request.delivery = Delivery::Unknown;
        request.text = "the answer names a user that cannot be read".into();
    }
    Outcome::new(request, results.lay_over(recipients))
}

/// Any answer at all: each value as far as it can be read, and why it is none if it is none.
impl Answer<'static> {
    fn of_any(body: &[u8]) -> Result<Answer<'static>, Unreadable> {
        let no_answer = |what| Unreadable {
            what,
            request_id: String::new(),
        };
        let answer = json::object(body).map_err(no_answer)?;
        let Some(Value::Object(metadata)) = answer.get("ResponseMetadata") else {
            return Ok(Answer::default());
        };
        let request_id = Text::of(metadata.get("RequestId"));
        let error = match metadata.get("Error") {
            Some(Value::Object(error)) => Some(Refusal::of_any(error)),
            None | Some(Value::Null) => None,
            Some(_) => {
                return Err(Unreadable {
                    what: "an Error that is no object",
                    request_id: request_id.0.into_owned(),
                });
            }
        };
        Ok(Answer {
            metadata: Some(Metadata { request_id, error }),
            result: answer.get("Result").and_then(Value::as_object).map(Taken::of_any),
        })
    }
}

impl Refusal<'static> {
    fn of_any(error: &Object) -> Refusal<'static> {
        Refusal {
            name: Text::of(error.get("Code")),
            number: json::integer(error.get("CodeN")),
            message: Text::of(error.get("Message")),
        }
    }
}

impl Taken<'static> {
    fn of_any(result: &Object) -> Taken<'static> {
        Taken {
            message: Text::of(result.get("Message")),
            pushed: match result.get("P2PResult") {
                None | Some(Value::Null) => None,
                Some(Value::Array(rows)) => Some(rows.iter().map(Push::of_any).collect()),
                // As a row that names nobody.
                Some(_) => Some(vec![Push::default()]),
            },
        }
    }
}

impl Push<'static> {
    fn of_any(row: &Value) -> Push<'static> {
        Push {
            user: json::integer(row.get("UserId")),
            word: Text::of(row.get("Code")),
            platform: Text::of(row.get("DevicePlatform")),
        }
    }
}

/// `P2PResult`: one row per user and device.
struct PushResults {
    /// In the order of the answer.
    users: Vec<(i64, Vec<Device>)>,
    /// Where each of them stands.
    places: HashMap<i64, usize>,
    /// A row named no user that can be read: whoever is missing may be that one.
    unreadable_row: bool,
}

impl PushResults {
    fn of(rows: &[Push]) -> PushResults {
        let mut results = PushResults {
            users: Vec::with_capacity(rows.len()),
            places: HashMap::with_capacity(rows.len()),
            unreadable_row: false,
        };
        for row in rows {
            let Some(id) = row.user else {
                results.unreadable_row = true;
                continue;
            };
            let place = *results.places.entry(id).or_insert_with(|| {
                results.users.push((id, Vec::with_capacity(1)));
                results.users.len() - 1
            });
            results.users[place].1.push(device(row));
        }
        results
    }

    fn lay_over(mut self, recipients: Recipients) -> Vec<Recipient> {
        let Recipients::Ids(asked) = recipients else {
            return self
                .users
                .into_iter()
                .map(|(id, devices)| reached(id, devices))
                .collect();
        };
        let row_of = |id: &i64| match self.places.remove(id) {
            Some(place) => reached(*id, std::mem::take(&mut self.users[place].1)),
            None if self.unreadable_row => Recipient::new(User::Id(*id), Delivery::Unknown, Code::BadResponse),
            None => Recipient::new(User::Id(*id), Delivery::Accepted, Code::Ok),
        };
        asked.iter().map(row_of).collect()
    }
}

/// VENDORS.md: `SUCCESS`, `Success`, `NOT_ONLINE`; compared without case, and an unknown word leaves the user unknown.
fn device(row: &Push) -> Device {
    let is = |word| row.word.0.eq_ignore_ascii_case(word);
    let delivery = if is("SUCCESS") {
        Delivery::Delivered
    } else if is("NOT_ONLINE") {
        Delivery::NotDelivered
    } else {
        Delivery::Unknown
    };
    Device {
        platform: row.platform.kept(&["Default", "Android", "IOS", "Web"]),
        delivery,
        vendor_text: row.word.kept(&["SUCCESS", "Success", "NOT_ONLINE"]),
    }
}

/// One device that has it is enough.
fn reached(id: i64, devices: Vec<Device>) -> Recipient {
    let is = |delivery| devices.iter().find(|device: &&Device| device.delivery == delivery);
    let decisive = is(Delivery::Delivered)
        .or_else(|| is(Delivery::Unknown))
        .or(devices.first());
    let delivery = decisive.map_or(Delivery::Accepted, |device| device.delivery);
    let code = match delivery {
        Delivery::Unknown => Code::BadResponse,
        Delivery::NotDelivered => Code::Undelivered,
        _ => Code::Ok,
    };
    let vendor_text = decisive.map_or(Cow::Borrowed(""), |device| device.vendor_text.clone());
    Recipient {
        vendor_text,
        devices,
        ..Recipient::new(User::Id(id), delivery, code)
    }
}

#[cfg(test)]
mod tests;
