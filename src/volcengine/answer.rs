//! What Volcengine's answers say: an error may stand inside HTTP 200, and Success means taken in, not arrived.
//! VENDORS.md, Response.

use serde_json::Value;

use super::codes;
use crate::error::Code;
use crate::json::{self, Object};
use crate::message::Recipients;
use crate::report::{Delivery, Device, Outcome, Recipient, Request, User};

/// `status` and `body` are the answer as it came.
pub(crate) fn read(recipients: Recipients, status: u16, body: &[u8]) -> Outcome {
    let unreadable = |what| Outcome::unreadable(recipients, status, what);
    let answer = match json::object(body) {
        Ok(answer) => answer,
        Err(what) => return unreadable(what),
    };
    let Some(Value::Object(metadata)) = answer.get("ResponseMetadata") else {
        return unreadable("no ResponseMetadata in it");
    };
    let mut outcome = match metadata.get("Error") {
        Some(Value::Object(error)) => refused(recipients, status, error),
        Some(value) if !value.is_null() => unreadable("an Error that is no object"),
        _ if !(200..300).contains(&status) => unreadable("no error in it"),
        _ => accepted(recipients, status, answer.get("Result").and_then(Value::as_object)),
    };
    outcome.request.request_id = json::text(metadata.get("RequestId"));
    outcome
}

fn refused(recipients: Recipients, status: u16, error: &Object) -> Outcome {
    let vendor_name = json::text(error.get("Code"));
    let number = json::integer(error.get("CodeN"))
        .and_then(|n| i32::try_from(n).ok())
        .unwrap_or(0);
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
        vendor_text: json::text(error.get("Message")),
        ..Request::failed(class.code(), class.delivery(recipients), status, text)
    };
    Outcome {
        concerns_all: class.concerns_all(),
        ..Outcome::of(request, recipients)
    }
}

fn accepted(recipients: Recipients, status: u16, result: Option<&Object>) -> Outcome {
    let mut request = Request::failed(Code::Ok, Delivery::Accepted, status, String::new());
    request.vendor_text = json::text(result.and_then(|result| result.get("Message")));
    let speaks_of_ids = matches!(recipients, Recipients::Ids(_) | Recipients::Everybody);
    let results = result.and_then(|result| result.get("P2PResult"));
    let results = match results.filter(|_| speaks_of_ids) {
        None | Some(Value::Null) => return Outcome::of(request, recipients),
        Some(Value::Array(rows)) => PushResults::read(rows),
        Some(_) => PushResults {
            users: Vec::new(),
            unreadable_row: true,
        },
    };
    if results.unreadable_row && recipients == Recipients::Everybody {
        // Nobody's row can say it, so the request does.
        request.code = Code::BadResponse;
        request.delivery = Delivery::Unknown;
        request.text = "the answer names a user that cannot be read".to_owned();
    }
    Outcome::new(request, results.lay_over(recipients))
}

/// `P2PResult`: one row per user and device.
struct PushResults {
    /// In the order of the answer.
    users: Vec<(i64, Vec<Device>)>,
    /// A row named no user that can be read: whoever is missing may be that one.
    unreadable_row: bool,
}

impl PushResults {
    fn read(rows: &[Value]) -> PushResults {
        let mut results = PushResults {
            users: Vec::new(),
            unreadable_row: false,
        };
        let mut places = std::collections::HashMap::new();
        for row in rows {
            let Some(id) = json::integer(row.get("UserId")) else {
                results.unreadable_row = true;
                continue;
            };
            let place = *places.entry(id).or_insert_with(|| {
                results.users.push((id, Vec::new()));
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
        let mut answered: std::collections::HashMap<i64, Vec<Device>> = self.users.drain(..).collect();
        let row_of = |id: &i64| match answered.remove(id) {
            Some(devices) => reached(*id, devices),
            None if self.unreadable_row => Recipient::new(User::Id(*id), Delivery::Unknown, Code::BadResponse),
            None => Recipient::new(User::Id(*id), Delivery::Accepted, Code::Ok),
        };
        asked.iter().map(row_of).collect()
    }
}

/// VENDORS.md: `SUCCESS`, `Success`, `NOT_ONLINE`; compared without case, and an unknown word leaves the user unknown.
fn device(row: &Value) -> Device {
    let vendor_text = json::text(row.get("Code"));
    let delivery = match vendor_text.to_ascii_uppercase().as_str() {
        "SUCCESS" => Delivery::Delivered,
        "NOT_ONLINE" => Delivery::NotDelivered,
        _ => Delivery::Unknown,
    };
    Device {
        platform: json::text(row.get("DevicePlatform")),
        delivery,
        vendor_text,
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
    let vendor_text = decisive.map_or_else(String::new, |device| device.vendor_text.clone());
    Recipient {
        vendor_text,
        devices,
        ..Recipient::new(User::Id(id), delivery, code)
    }
}

#[cfg(test)]
mod tests;
