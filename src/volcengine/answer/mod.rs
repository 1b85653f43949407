//! What Volcengine's answers say: an error may stand inside HTTP 200, and Success means taken in, not arrived.
//! VENDORS.md, Response.

use std::borrow::Cow;
use std::collections::HashMap;

use super::codes;
use crate::error::Code;
use crate::message::{Message, Recipients};
use crate::report::{Delivery, Device, Flaw, Outcome, Recipient, Request, User};
use crate::util::json::{self, Misplaced, Object, Text, Unclear, Value};

json::shape! {
    /// What is read of an answer.
    Answer<'a> {
        "ResponseMetadata" => metadata: Option<Metadata<'a>>,
        "Result" => result: Option<Taken<'a>>,
        // It belongs into Result. Also set for what stands in another shape where the rows belong.
        "P2PResult" => misplaced: Misplaced,
    }
}

json::shape! {
    Metadata<'a> {
        "RequestId" => request_id: Text<'a>,
        "Action" => action: Text<'a>,
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
    flaw: Flaw,
    request_id: String,
}

/// What the answer has to fit.
#[derive(Clone, Copy)]
struct Asked<'a> {
    action: &'a str,
    recipients: Recipients<'a>,
    rows: Rows<'a>,
}

/// What rows of users (`P2PResult`) are in the answer to a request.
#[derive(Clone, Copy)]
enum Rows<'a> {
    /// IM gives one for each user and device, but none for those who are left out.
    Expected { left_out: &'a [i64] },
    /// RTC gives none: they are of another request.
    Unexpected,
    /// The caller of a raw call reads them.
    Passed,
}

impl<'a> Asked<'a> {
    fn by(message: &Message<'a>) -> Asked<'a> {
        let rows = match *message {
            Message::P2PSendMessageToUsers { .. } | Message::P2PSendMessageToAll { .. } => {
                Rows::Expected { left_out: &[] }
            }
            Message::P2PSendMessageToAllExcept { user_ids, .. } => Rows::Expected { left_out: user_ids },
            Message::SendUnicast { .. }
            | Message::SendRoomUnicast { .. }
            | Message::BatchSendRoomUnicast { .. }
            | Message::SendBroadcast { .. }
            | Message::SendCustomCommandToUsers { .. }
            | Message::SendCustomCommandToRoom { .. } => Rows::Unexpected,
        };
        Asked {
            action: message.action(),
            recipients: message.recipients(),
            rows,
        }
    }
}

/// The answer to a message: `status` and `body` as they came.
pub(crate) fn read(message: &Message, status: u16, body: &[u8]) -> Outcome {
    judged(Asked::by(message), status, answer_in(body))
}

/// The answer to a raw call of this action: whether it was accepted. The rest is the caller's to read.
pub(crate) fn read_call(action: &str, status: u16, body: &[u8]) -> Outcome {
    let asked = Asked {
        action,
        recipients: Recipients::Everybody,
        rows: Rows::Passed,
    };
    judged(asked, status, answer_in(body))
}

fn answer_in(body: &[u8]) -> Result<Answer<'_>, Unreadable> {
    match json::ordinary(body) {
        Some(answer) => Ok(answer),
        None => Answer::of_any(body),
    }
}

fn judged(asked: Asked, status: u16, answer: Result<Answer, Unreadable>) -> Outcome {
    let flawed = |flaw| Outcome::of_flaw(asked.recipients, status, flaw);
    let (mut outcome, request_id) = match answer {
        Err(Unreadable { flaw, request_id }) => (flawed(flaw), request_id),
        Ok(Answer { metadata: None, .. }) => (flawed(Flaw::NoEnvelope("no ResponseMetadata in it")), String::new()),
        Ok(Answer {
            metadata: Some(metadata),
            result,
            misplaced,
        }) => {
            let action = &*metadata.action.0;
            let result = result.unwrap_or_default();
            let outcome = match metadata.error {
                _ if !(action.is_empty() || action.eq_ignore_ascii_case(asked.action)) => {
                    of_another_request(asked, status, action)
                }
                Some(error) => refused(asked, status, error, result.speaks_of_users(&misplaced)),
                None if !(200..300).contains(&status) => {
                    flawed(Flaw::Unclear("no error in it, with a status that is no success"))
                }
                None => accepted(asked, status, result, &misplaced),
            };
            (outcome, metadata.request_id.0.into_owned())
        }
    };
    outcome.request.request_id = request_id;
    outcome
}

/// The action is compared without case, as the vendor may spell that of a raw call otherwise than its caller.
fn of_another_request(asked: Asked, status: u16, action: &str) -> Outcome {
    let text = format!("the answer belongs to {action}, but {} was sent", asked.action);
    let request = Request::failed(Code::BadResponse, Delivery::Unknown, status, text);
    Outcome {
        answers_another_request: true,
        ..Outcome::of(request, asked.recipients)
    }
}

fn refused(asked: Asked, status: u16, error: Refusal, speaks_of_users: bool) -> Outcome {
    let vendor_error = error.name.0.into_owned();
    // The number may stand where the name belongs.
    let number = error.number.or_else(|| json::whole(&vendor_error));
    let number = number.and_then(|n| i32::try_from(n).ok()).unwrap_or(0);
    let class = codes::classify(&vendor_error, number, status);
    let text = format!(
        "Volcengine refused: {}",
        if vendor_error.is_empty() {
            "no code given"
        } else {
            &vendor_error
        }
    );
    let mut request = Request {
        vendor_error,
        vendor_code: number,
        vendor_message: error.message.kept(&[]),
        ..Request::failed(class.code(), class.delivery(asked.recipients), status, text)
    };
    if !matches!(asked.rows, Rows::Passed) && speaks_of_users {
        request = request.left_unknown("the answer also says what became of users");
    }
    Outcome {
        concerns_all: class.concerns_all(),
        ..Outcome::of(request, asked.recipients)
    }
}

fn accepted(asked: Asked, status: u16, result: Taken, misplaced: &Misplaced) -> Outcome {
    let speaks_of_users = result.speaks_of_users(misplaced);
    let mut request = Request::failed(Code::Ok, Delivery::Accepted, status, "");
    request.vendor_message = result.message.kept(&["Success"]);
    match asked.rows {
        Rows::Expected { left_out } => {
            let mut rows = result.pushed.unwrap_or_default();
            if misplaced.0 {
                rows.push(Push::default());
            }
            pushed(asked.recipients, left_out, request, &rows)
        }
        Rows::Unexpected if speaks_of_users => {
            let request =
                request.left_unknown("the answer says what became of users, which this action's answers do not");
            Outcome::of(request, asked.recipients)
        }
        Rows::Unexpected | Rows::Passed => Outcome::of(request, asked.recipients),
    }
}

/// IM's rows, laid over those who were asked for.
fn pushed(asked: Recipients, left_out: &[i64], request: Request, rows: &[Push]) -> Outcome {
    let results = PushResults::of(rows, asked, left_out);
    let mut request = request;
    if results.has_stranger && results.leaves_somebody(asked) {
        request = request
            .left_unknown("the answer names a user who was not asked for, or who cannot be read, or two by one id");
    }
    Outcome {
        has_others: asked == Recipients::Everybody,
        ..Outcome::new(request, results.lay_over(asked))
    }
}

/// Any answer at all: each value as far as it can be read, and why it is none if it is none.
impl Answer<'static> {
    fn of_any(body: &[u8]) -> Result<Answer<'static>, Unreadable> {
        let no_answer = |flaw| Unreadable {
            flaw,
            request_id: String::new(),
        };
        let answer = json::object(body).map_err(|what| no_answer(Flaw::NoEnvelope(what)))?;
        let metadata = match answer.member("ResponseMetadata") {
            Ok(Some(Value::Object(metadata))) => metadata,
            Ok(_) => return Ok(Answer::default()),
            Err(Unclear) => {
                return Err(no_answer(Flaw::Unclear(
                    "its ResponseMetadata stands in it twice, or spelled otherwise",
                )));
            }
        };
        let request_id = metadata.text("RequestId");
        let unclear = |what| Unreadable {
            flaw: Flaw::Unclear(what),
            request_id: request_id.0.to_string(),
        };
        let error = match metadata.member("Error") {
            Ok(Some(Value::Object(error))) => Some(Refusal::of_any(error).map_err(unclear)?),
            Ok(None) => None,
            Ok(Some(_)) => return Err(unclear("an Error that is no object")),
            Err(Unclear) => return Err(unclear("its Error stands in it twice, or spelled otherwise")),
        };
        if metadata.member("Action").is_err() {
            return Err(unclear("its Action stands in it twice, or spelled otherwise"));
        }
        let action = metadata.text("Action");
        let result_is_odd = match answer.member("Result") {
            Ok(Some(Value::Object(result))) => Taken::is_odd(result),
            _ => answer.says("Result"),
        };
        Ok(Answer {
            misplaced: Misplaced(answer.says("P2PResult") || result_is_odd),
            metadata: Some(Metadata {
                request_id,
                action,
                error,
            }),
            result: match answer.member("Result") {
                Ok(Some(Value::Object(result))) => Some(Taken::of_any(result)),
                Ok(None) => None,
                _ => Some(Taken::of_another_shape()),
            },
        })
    }
}

impl Refusal<'static> {
    /// Or why it is unclear what the vendor refuses.
    fn of_any(error: &Object) -> Result<Refusal<'static>, &'static str> {
        if ["Code", "CodeN"].iter().any(|name| error.member(name) == Err(Unclear)) {
            return Err("the code of its Error stands in it twice, or spelled otherwise");
        }
        Ok(Refusal {
            name: error.text("Code"),
            number: error.integer("CodeN"),
            message: error.text("Message"),
        })
    }
}

impl Taken<'static> {
    fn of_any(result: &Object) -> Taken<'static> {
        Taken {
            message: result.text("Message"),
            pushed: match result.member("P2PResult") {
                Ok(None) => None,
                Ok(Some(Value::List(rows))) => Some(rows.iter().map(Push::of_any).collect()),
                _ => Taken::of_another_shape().pushed,
            },
        }
    }

    /// Whether something that says more than nothing stands where the rows belong, and is none.
    fn is_odd(result: &Object) -> bool {
        match result.member("P2PResult") {
            Ok(Some(Value::List(rows))) => rows.iter().any(Push::is_odd),
            _ => result.says("P2PResult"),
        }
    }

    /// As with a row that names nobody.
    fn of_another_shape() -> Taken<'static> {
        Taken {
            message: Text::default(),
            pushed: Some(vec![Push::default()]),
        }
    }
}

impl Taken<'_> {
    /// Whether it has rows that say something, or something stands where rows may have been meant.
    fn speaks_of_users(&self, misplaced: &Misplaced) -> bool {
        let rows = self.pushed.as_deref().unwrap_or_default();
        misplaced.0 || rows.iter().any(|row| *row != Push::default())
    }
}

impl Push<'static> {
    /// Whether it says something that cannot be read as a row.
    fn is_odd(row: &Value) -> bool {
        match row {
            Value::Object(members) => {
                Push::of_any(row) == Push::default()
                    && ["UserId", "Code", "DevicePlatform"]
                        .iter()
                        .any(|name| members.says(name))
            }
            row => !row.says_nothing(),
        }
    }

    fn of_any(row: &Value) -> Push<'static> {
        let Value::Object(row) = row else {
            return Push::default();
        };
        Push {
            user: row.integer("UserId"),
            word: row.text("Code"),
            platform: row.text("DevicePlatform"),
        }
    }
}

/// `P2PResult`: one row per user and device.
struct PushResults {
    /// In the order of the answer.
    users: Vec<(i64, Vec<Device>)>,
    /// Where each of them stands.
    places: HashMap<i64, usize>,
    /// A row names a user who was not asked for, or nobody that can be read, or the rows of a user do not go together:
    /// whoever is missing may be meant.
    has_stranger: bool,
}

impl PushResults {
    fn of(rows: &[Push], asked: Recipients, left_out: &[i64]) -> PushResults {
        let mut results = PushResults {
            users: Vec::with_capacity(rows.len()),
            places: HashMap::with_capacity(rows.len()),
            has_stranger: false,
        };
        for row in rows {
            // Ids are positive.
            let Some(id) = row.user.filter(|id| *id > 0) else {
                results.has_stranger = true;
                continue;
            };
            let place = *results.places.entry(id).or_insert_with(|| {
                results.users.push((id, Vec::with_capacity(1)));
                results.users.len() - 1
            });
            results.users[place].1.push(device(row));
        }
        results.has_stranger |= match asked {
            // The rows of a user may be those of two whose ids were rounded to one.
            Recipients::Ids(asked) => {
                results.count_of(asked) < results.users.len()
                    || results.users.iter().any(|(_, devices)| are_of_several(devices))
            }
            _ => results.count_of(left_out) > 0,
        };
        results
    }

    /// How many of these users have a row. Each stands in the list once.
    fn count_of(&self, ids: &[i64]) -> usize {
        ids.iter().filter(|id| self.places.contains_key(id)).count()
    }

    /// Whether somebody who was asked for has no row.
    fn leaves_somebody(&self, asked: Recipients) -> bool {
        match asked {
            Recipients::Ids(asked) => self.count_of(asked) < asked.len(),
            _ => true,
        }
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
            None if self.has_stranger => Recipient::new(User::Id(*id), Delivery::Unknown, Code::BadResponse),
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
        vendor_message: row.word.kept(&["SUCCESS", "Success", "NOT_ONLINE"]),
    }
}

/// Whether these cannot all be rows of one user. There is one row for each user and device, and `Default`, for a user who is
/// offline, stands alone. So ids that were rounded to the same one may have come together here.
fn are_of_several(devices: &[Device]) -> bool {
    if devices.len() < 2 {
        return false;
    }
    let mut platforms: Vec<String> = devices
        .iter()
        .map(|device| device.platform.to_ascii_lowercase())
        .collect();
    platforms.sort_unstable();
    platforms.iter().any(|platform| platform == "default") || platforms.windows(2).any(|pair| pair[0] == pair[1])
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
    let vendor_message = decisive.map_or(Cow::Borrowed(""), |device| device.vendor_message.clone());
    Recipient {
        vendor_message,
        devices,
        ..Recipient::new(User::Id(id), delivery, code)
    }
}

#[cfg(test)]
mod tests;
