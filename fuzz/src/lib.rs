//! The targets share this: the format of inputs, and checks that are true for every report and every error.
//!
//! Inputs are text where possible, so that people can read and write the corpus: the first line describes the call, the
//! rest is its data.

pub mod abi;

use rtcmsg::{Code, Delivery, Recipients, Report, User};
use serde_json::Value;

/// An answer: `200 ids`, a line feed, the body. The second word selects the recipients of the message.
pub struct Answer<'a> {
    pub status: u16,
    pub recipients: Recipients<'static>,
    pub body: &'a [u8],
}

impl<'a> Answer<'a> {
    pub fn read(input: &'a [u8]) -> Answer<'a> {
        let (head, body) = head_and_rest(input);
        let mut words = head.split(' ');
        let status = words.next().and_then(|status| status.parse().ok());
        let recipients = match words.next() {
            Some("one") => Recipients::One("alice"),
            Some("names") => Recipients::Names(&["alice", "1111", "99999999999999999999", "名"]),
            Some("ids") => Recipients::Ids(&[10001, 10008, 9_007_199_254_740_993, i64::MAX]),
            _ => Recipients::All,
        };
        Answer {
            // The statuses that ureq returns for an answer.
            status: status.filter(|status| (200..1000).contains(status)).unwrap_or(200),
            recipients,
            body,
        }
    }

    /// The body as JSON, read with serde_json only; `None` if it is not an object.
    pub fn object(&self) -> Option<Value> {
        let body = with_normalized_texts(&String::from_utf8_lossy(self.body));
        serde_json::from_str(&body).ok().filter(Value::is_object)
    }
}

/// The same JSON, with each text as `serde_json` writes it, and without byte order marks between tokens.
fn with_normalized_texts(json: &str) -> String {
    let mut written = String::new();
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {}
            '\u{FEFF}' => continue,
            c => {
                written.push(c);
                continue;
            }
        }
        let mut units: Vec<u16> = Vec::new();
        let has_end = loop {
            let Some(c) = chars.next() else { break false };
            match c {
                '"' => break true,
                '\\' => match chars.peek() {
                    Some('u') => {
                        chars.next();
                        let mut ahead = chars.clone();
                        let digits: String = ahead.by_ref().take(4).collect();
                        let is_hex = digits.len() == 4 && digits.chars().all(|c| c.is_ascii_hexdigit());
                        if is_hex {
                            chars = ahead;
                        }
                        units.push(if is_hex {
                            u16::from_str_radix(&digits, 16).unwrap()
                        } else {
                            0xFFFD
                        });
                    }
                    Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => units.push(match chars.next() {
                        Some('b') => 8,
                        Some('f') => 12,
                        Some('n') => 10,
                        Some('r') => 13,
                        Some('t') => 9,
                        other => other.unwrap() as u16,
                    }),
                    _ => units.push(0xFFFD),
                },
                c => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
            }
        };
        let text = String::from_utf16_lossy(&units);
        if !has_end {
            return String::new();
        }
        // A name that has a special meaning for the values of serde_json.
        let text = text.replace("$serde_json", "serde_json");
        written.push_str(&serde_json::to_string(&text).unwrap());
    }
    written
}

/// The first line, empty if it is not UTF-8, and the rest.
pub fn head_and_rest(input: &[u8]) -> (&str, &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let head = std::str::from_utf8(&input[..end]).unwrap_or_default();
    (head, input.get(end + 1..).unwrap_or_default())
}

/// Least certain first.
const CERTAINTY: [Delivery; 5] = [
    Delivery::Unknown,
    Delivery::NotSent,
    Delivery::NotDelivered,
    Delivery::Accepted,
    Delivery::Delivered,
];

fn certainty(delivery: Delivery) -> usize {
    CERTAINTY
        .iter()
        .position(|other| *other == delivery)
        .expect("one of them")
}

/// Checks what is true for every report that has an answer.
pub fn check_report(report: &Report, answer: &Answer) {
    let rows = report.recipients();
    let [request] = report.requests() else {
        panic!("{} requests", report.requests().len());
    };
    assert_eq!(request.http_status, answer.status);

    // Exactly one row for each recipient, in the caller's order.
    let asked: Vec<User> = match answer.recipients {
        Recipients::All => rows.iter().map(|row| row.user.clone()).collect(),
        Recipients::One(name) => vec![User::Name(name.into())],
        Recipients::Names(names) => names.iter().map(|name| User::Name((*name).into())).collect(),
        Recipients::Ids(ids) => ids.iter().map(|id| User::Id(*id)).collect(),
    };
    assert!(rows.iter().map(|row| &row.user).eq(&asked), "{rows:?}");
    for (index, row) in rows.iter().enumerate() {
        assert!(
            rows[..index].iter().all(|other| other.user != row.user),
            "{:?} twice",
            row.user
        );
    }

    // Code and delivery agree, for the whole report and for each part.
    let agree = |code: Code, delivery: Delivery| (code == Code::Ok) == delivery.is_success();
    assert!(agree(report.code(), report.delivery()), "{}", report.summary());
    assert!(agree(request.code, request.delivery), "{request:?}");
    assert!(rows.iter().all(|row| agree(row.code, row.delivery)), "{rows:?}");
    assert_eq!(
        report.error().map(|error| error.code),
        (report.code() != Code::Ok).then(|| report.code())
    );

    // The delivery of the whole report equals that of a part, and no recipient has a less certain one.
    let parts = || rows.iter().map(|row| row.delivery).chain([request.delivery]);
    assert!(
        rows.iter()
            .all(|row| certainty(report.delivery()) <= certainty(row.delivery))
    );
    assert!(parts().any(|part| part == report.delivery()), "{}", report.summary());
    let counted: usize = CERTAINTY.iter().map(|delivery| report.count(*delivery)).sum();
    assert_eq!(counted, rows.len());

    // There is an answer, so something was sent. Only a status of 2xx is a success.
    assert!(parts().all(|part| part != Delivery::NotSent));
    if !(200..300).contains(&answer.status) || answer.object().is_none() {
        assert!(!report.delivery().is_success(), "{}", report.summary());
        assert!(parts().all(|part| !part.is_success()), "{}", report.summary());
    }
    // If the body is not JSON, only the status counts.
    if answer.object().is_none() {
        let settled = (300..500).contains(&answer.status) && !matches!(answer.status, 408 | 409 | 499);
        let expected = if settled {
            Delivery::NotDelivered
        } else {
            Delivery::Unknown
        };
        assert_eq!(report.delivery(), expected, "{}", report.summary());
    }

    // Texts without NUL for C, and without control characters for a log.
    let devices = || rows.iter().flat_map(|row| &row.devices);
    let texts = [
        &*request.request_id,
        &*request.vendor_error,
        &*request.vendor_message,
        &*request.error_message,
    ];
    let texts = texts.into_iter().chain(rows.iter().map(|row| &*row.vendor_message));
    let mut texts = texts.chain(devices().flat_map(|device| [&*device.platform, &*device.vendor_message]));
    assert!(texts.all(|text| !text.contains('\0')));
    assert!(!report.summary().contains(char::is_control), "{:?}", report.summary());
}

/// Whether any string in this value equals the word; the case of letters does not matter.
pub fn contains_word(value: &Value, word: &str) -> bool {
    match value {
        Value::String(text) => text.eq_ignore_ascii_case(word),
        Value::Array(items) => items.iter().any(|item| contains_word(item, word)),
        Value::Object(members) => members.values().any(|member| contains_word(member, word)),
        _ => false,
    }
}
