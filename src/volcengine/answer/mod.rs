//! The outcome of a request from Volcengine's answer. An answer with HTTP 200 may contain an error, and Success means that the
//! vendor has accepted the message, not that it was delivered. VENDORS.md, Response.

use std::borrow::Cow;
use std::collections::HashMap;

use super::codes;
use crate::action::Api;
use crate::error::Code;
use crate::message::{Message, Recipients};
use crate::report::{Delivery, Device, Flaw, Outcome, Recipient, Request, User};
use crate::util::json::{self, Misplaced, Object, Text, Unclear, Value};

json::shape! {
    /// The parts of an answer that are read.
    Answer<'a> {
        "ResponseMetadata" => metadata: Option<Metadata<'a>>,
        "Result" => result: Option<ResultBody<'a>>,
        // This member belongs into Result. The lenient reader also sets it if the rows have an unexpected form.
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
    ResultBody<'a> {
        "Message" => message: Text<'a>,
        "P2PResult" => pushed: Option<Vec<Push<'a>>>,
    }
}

json::shape! {
    /// A row of P2PResult: a user and device to which the message was pushed.
    Push<'a> {
        "UserId" => user: Option<i64>,
        "Code" => word: Text<'a>,
        "DevicePlatform" => platform: Text<'a>,
    }
}

/// The reason why an answer cannot be read.
#[derive(Debug, PartialEq)]
struct Unreadable {
    flaw: Flaw,
    request_id: String,
}

/// The request, as far as its answer has to match it.
#[derive(Clone, Copy)]
struct Expectation<'a> {
    action: &'a str,
    recipients: Recipients<'a>,
    rows: Rows<'a>,
}

/// Whether the answer to a request has rows of users (`P2PResult`).
#[derive(Clone, Copy)]
enum Rows<'a> {
    /// An answer of IM has one for each user and device, but none for excluded users.
    Expected { left_out: &'a [i64] },
    /// An answer of RTC has none, so rows belong to another request.
    Unexpected,
    /// The caller of a raw action reads them.
    Ignored,
}

impl<'a> Expectation<'a> {
    fn of(message: &Message<'a>) -> Expectation<'a> {
        let rows = match message.action().spec().api {
            Api::VolcengineIm => Rows::Expected {
                left_out: message.left_out(),
            },
            Api::VolcengineRtc | Api::Zego => Rows::Unexpected,
        };
        Expectation {
            action: message.action().name(),
            recipients: message.recipients(),
            rows,
        }
    }
}

/// The outcome of a message, from the status and body of its answer.
pub(crate) fn read(message: &Message, status: u16, body: &[u8]) -> Outcome {
    judge(Expectation::of(message), status, parse(body))
}

/// The outcome of a raw action: only whether it was accepted. The caller reads the rest of the answer.
pub(crate) fn read_call(action: &str, status: u16, body: &[u8]) -> Outcome {
    let asked = Expectation {
        action,
        recipients: Recipients::All,
        rows: Rows::Ignored,
    };
    judge(asked, status, parse(body))
}

fn parse(body: &[u8]) -> Result<Answer<'_>, Unreadable> {
    match json::parse_strict(body) {
        Some(answer) => Ok(answer),
        None => Answer::parse_lenient(body),
    }
}

fn judge(asked: Expectation, status: u16, answer: Result<Answer, Unreadable>) -> Outcome {
    let flawed = |flaw| Outcome::of_flaw(asked.recipients, status, flaw);
    let (mut outcome, request_id) = match answer {
        Err(Unreadable { flaw, request_id }) => (flawed(flaw), request_id),
        Ok(Answer { metadata: None, .. }) => (flawed(Flaw::NoEnvelope("it has no ResponseMetadata")), String::new()),
        Ok(Answer {
            metadata: Some(metadata),
            result,
            misplaced,
        }) => {
            let action = &*metadata.action.0;
            let result = result.unwrap_or_default();
            let outcome = match metadata.error {
                _ if !(action.is_empty() || action.eq_ignore_ascii_case(asked.action)) => {
                    answer_to_another_request(asked, status, action)
                }
                Some(error) => refused(asked, status, error, result.names_users(&misplaced)),
                None if !(200..300).contains(&status) => {
                    flawed(Flaw::Unclear("it has no error, but its status is not a success"))
                }
                None => accepted(asked, status, result, &misplaced),
            };
            (outcome, metadata.request_id.0.into_owned())
        }
    };
    outcome.request.request_id = request_id;
    outcome
}

/// The case of the action is ignored, since the vendor and the caller of a raw action may spell it differently.
fn answer_to_another_request(asked: Expectation, status: u16, action: &str) -> Outcome {
    let text = format!("the answer belongs to {action}, but {} was sent", asked.action);
    let request = Request::failed(Code::BadResponse, Delivery::Unknown, status, text);
    Outcome {
        answers_another_request: true,
        ..Outcome::of(request, asked.recipients)
    }
}

fn refused(asked: Expectation, status: u16, error: Refusal, names_users: bool) -> Outcome {
    let vendor_error = error.name.0.into_owned();
    // The number may be in the place of the name.
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
    if !matches!(asked.rows, Rows::Ignored) && names_users {
        request = request.left_unknown("the answer also contains results of users");
    }
    Outcome {
        concerns_all: class.concerns_all(),
        ..Outcome::of(request, asked.recipients)
    }
}

fn accepted(asked: Expectation, status: u16, result: ResultBody, misplaced: &Misplaced) -> Outcome {
    let names_users = result.names_users(misplaced);
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
        Rows::Unexpected if names_users => {
            let request =
                request.left_unknown("the answer contains results of users, which answers to this action do not have");
            Outcome::of(request, asked.recipients)
        }
        Rows::Unexpected | Rows::Ignored => Outcome::of(request, asked.recipients),
    }
}

/// The outcome for the recipients of a message of IM, from the rows of the answer.
fn pushed(asked: Recipients, left_out: &[i64], request: Request, rows: &[Push]) -> Outcome {
    let results = PushResults::from_rows(rows, asked, left_out);
    let mut request = request;
    if results.has_unexpected_user && results.has_recipients_without_row(asked) {
        request = request.left_unknown(
            "the answer contains a user who is not a recipient, or whose id is unreadable, or two users with one id",
        );
    }
    Outcome {
        has_others: asked == Recipients::All,
        ..Outcome::new(request, results.into_recipients(asked))
    }
}

/// The lenient reader: it reads each value as far as possible.
impl Answer<'static> {
    fn parse_lenient(body: &[u8]) -> Result<Answer<'static>, Unreadable> {
        let no_answer = |flaw| Unreadable {
            flaw,
            request_id: String::new(),
        };
        let answer = json::parse_lenient(body).map_err(|what| no_answer(Flaw::NoEnvelope(what)))?;
        let metadata = match answer.member("ResponseMetadata") {
            Ok(Some(Value::Object(metadata))) => metadata,
            Ok(_) => return Ok(Answer::default()),
            Err(Unclear) => {
                return Err(no_answer(Flaw::Unclear(
                    "its ResponseMetadata appears twice or is misspelled",
                )));
            }
        };
        let request_id = metadata.text("RequestId");
        let unclear = |what| Unreadable {
            flaw: Flaw::Unclear(what),
            request_id: request_id.0.to_string(),
        };
        let error = match metadata.member("Error") {
            Ok(Some(Value::Object(error))) => Some(Refusal::from_object(error).map_err(unclear)?),
            Ok(None) => None,
            Ok(Some(_)) => return Err(unclear("its Error is not an object")),
            Err(Unclear) => return Err(unclear("its Error appears twice or is misspelled")),
        };
        if metadata.member("Action").is_err() {
            return Err(unclear("its Action appears twice or is misspelled"));
        }
        let action = metadata.text("Action");
        let result_is_unreadable = match answer.member("Result") {
            Ok(Some(Value::Object(result))) => ResultBody::has_unreadable_rows(result),
            _ => answer.says("Result"),
        };
        Ok(Answer {
            misplaced: Misplaced(answer.says("P2PResult") || result_is_unreadable),
            metadata: Some(Metadata {
                request_id,
                action,
                error,
            }),
            result: match answer.member("Result") {
                Ok(Some(Value::Object(result))) => Some(ResultBody::from_object(result)),
                Ok(None) => None,
                _ => Some(ResultBody::unreadable()),
            },
        })
    }
}

impl Refusal<'static> {
    /// # Errors
    /// The reason why the meaning of the error is unclear.
    fn from_object(error: &Object) -> Result<Refusal<'static>, &'static str> {
        if ["Code", "CodeN"].iter().any(|name| error.member(name) == Err(Unclear)) {
            return Err("the code of its Error appears twice or is misspelled");
        }
        Ok(Refusal {
            name: error.text("Code"),
            number: error.integer("CodeN"),
            message: error.text("Message"),
        })
    }
}

impl ResultBody<'static> {
    fn from_object(result: &Object) -> ResultBody<'static> {
        ResultBody {
            message: result.text("Message"),
            pushed: match result.member("P2PResult") {
                Ok(None) => None,
                Ok(Some(Value::List(rows))) => Some(rows.iter().map(Push::from_value).collect()),
                _ => ResultBody::unreadable().pushed,
            },
        }
    }

    /// Whether the place of the rows contains a value that is not blank and not a row.
    fn has_unreadable_rows(result: &Object) -> bool {
        match result.member("P2PResult") {
            Ok(Some(Value::List(rows))) => rows.iter().any(Push::has_unreadable_rows),
            _ => result.says("P2PResult"),
        }
    }

    /// A result whose rows have an unexpected form. It has one row without a user.
    fn unreadable() -> ResultBody<'static> {
        ResultBody {
            message: Text::default(),
            pushed: Some(vec![Push::default()]),
        }
    }
}

impl ResultBody<'_> {
    /// Whether it has rows that are not blank, or a misplaced value that may be rows.
    fn names_users(&self, misplaced: &Misplaced) -> bool {
        let rows = self.pushed.as_deref().unwrap_or_default();
        misplaced.0 || rows.iter().any(|row| *row != Push::default())
    }
}

impl Push<'static> {
    /// Whether this value is not blank, and is unreadable as a row.
    fn has_unreadable_rows(row: &Value) -> bool {
        match row {
            Value::Object(members) => {
                Push::from_value(row) == Push::default()
                    && ["UserId", "Code", "DevicePlatform"]
                        .iter()
                        .any(|name| members.says(name))
            }
            row => !row.is_blank(),
        }
    }

    fn from_value(row: &Value) -> Push<'static> {
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

/// The rows of `P2PResult` by user. The answer has one row for each user and device.
struct PushResults {
    /// The users in the order of the answer.
    users: Vec<(i64, Vec<Device>)>,
    /// The index of each user in `users`.
    places: HashMap<i64, usize>,
    /// Whether a row has a user who is not a recipient or whose id is unreadable, or the rows of one user do not match. Such a row
    /// may belong to any recipient without a row.
    has_unexpected_user: bool,
}

impl PushResults {
    fn from_rows(rows: &[Push], asked: Recipients, left_out: &[i64]) -> PushResults {
        let mut results = PushResults {
            users: Vec::with_capacity(rows.len()),
            places: HashMap::with_capacity(rows.len()),
            has_unexpected_user: false,
        };
        for row in rows {
            // Ids are positive.
            let Some(id) = row.user.filter(|id| *id > 0) else {
                results.has_unexpected_user = true;
                continue;
            };
            let place = *results.places.entry(id).or_insert_with(|| {
                results.users.push((id, Vec::with_capacity(1)));
                results.users.len() - 1
            });
            results.users[place].1.push(device(row));
        }
        results.has_unexpected_user |= match asked {
            // The rows of one user may belong to two users whose ids were rounded to the same number.
            Recipients::Ids(asked) => {
                results.count_of(asked) < results.users.len()
                    || results.users.iter().any(|(_, devices)| may_mix_users(devices))
            }
            _ => results.count_of(left_out) > 0,
        };
        results
    }

    /// The number of these users that have a row. The list has each user once.
    fn count_of(&self, ids: &[i64]) -> usize {
        ids.iter().filter(|id| self.places.contains_key(id)).count()
    }

    /// Whether a recipient has no row.
    fn has_recipients_without_row(&self, asked: Recipients) -> bool {
        match asked {
            Recipients::Ids(asked) => self.count_of(asked) < asked.len(),
            _ => true,
        }
    }

    fn into_recipients(mut self, recipients: Recipients) -> Vec<Recipient> {
        let Recipients::Ids(asked) = recipients else {
            return self
                .users
                .into_iter()
                .map(|(id, devices)| recipient_row(id, devices))
                .collect();
        };
        let row_of = |id: &i64| match self.places.remove(id) {
            Some(place) => recipient_row(*id, std::mem::take(&mut self.users[place].1)),
            None if self.has_unexpected_user => Recipient::new(User::Id(*id), Delivery::Unknown, Code::BadResponse),
            None => Recipient::new(User::Id(*id), Delivery::Accepted, Code::Ok),
        };
        asked.iter().map(row_of).collect()
    }
}

/// VENDORS.md: `SUCCESS`, `Success`, `NOT_ONLINE`. The case is ignored, and another word leaves the outcome unknown.
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

/// Whether these rows cannot all belong to one user. A user has one row for each device, or only the row `Default` while
/// offline. Otherwise the ids of several users may have been rounded to the same number.
fn may_mix_users(devices: &[Device]) -> bool {
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

/// The outcome for a user. One device that has received the message is enough.
fn recipient_row(id: i64, devices: Vec<Device>) -> Recipient {
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
