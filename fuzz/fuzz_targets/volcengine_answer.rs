//! An answer of Volcengine, of any status and body, into a report.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcmsg::fuzzing::volcengine_report;
use rtcmsg::{Code, Delivery, Recipients};
use rtcmsg_fuzz::{Answer, check_report, contains_word};
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let answer = Answer::read(input);
    let report = volcengine_report(answer.recipients, answer.status, answer.body);
    check_report(&report, &answer);
    let object = answer.object().unwrap_or_default();
    let metadata = &object["ResponseMetadata"];
    for row in report.recipients() {
        // A recipient is DELIVERED only if the answer says so for this user.
        let is_named = row
            .devices
            .iter()
            .any(|device| device.vendor_message.eq_ignore_ascii_case("SUCCESS"));
        assert_eq!(row.delivery == Delivery::Delivered, is_named, "{row:?}");
        assert!(
            !is_named || contains_word(&object["Result"]["P2PResult"], "SUCCESS"),
            "{row:?}"
        );
    }
    assert!(report.delivery() != Delivery::Delivered || !report.recipients().is_empty());
    // An error inside HTTP 200 is an error.
    let has_error = !matches!(metadata["Error"], Value::Null);
    assert!(!has_error || report.code() != Code::Ok, "{}", report.summary());
    assert!(
        metadata.is_object() || report.code() != Code::Ok,
        "{}",
        report.summary()
    );
    // The answer of another action is not a result of this one.
    let sent = match answer.recipients {
        Recipients::One(_) => "SendUnicast",
        Recipients::Names(_) => "BatchSendRoomUnicast",
        Recipients::Ids(_) | Recipients::All => "P2PSendMessage",
    };
    let action = metadata["Action"].as_str().unwrap_or_default();
    if !action.is_empty() && !action.eq_ignore_ascii_case(sent) {
        assert_ne!(report.code(), Code::Ok, "{}", report.summary());
    }
    // If a row names a user that the message was not sent to, every recipient needs a row of its own.
    if let (Value::Array(rows), Recipients::Ids(ids)) = (&object["Result"]["P2PResult"], answer.recipients) {
        let is_unexpected = |row: &Value| !ids.iter().any(|id| is_id(&row["UserId"], *id));
        if report.code() == Code::Ok && rows.iter().any(is_unexpected) {
            let named = |id: &i64| rows.iter().any(|row| is_id(&row["UserId"], *id));
            assert!(ids.iter().all(named), "{}", report.summary());
        }
    }
    // A row that cannot be read may belong to any recipient.
    if let Value::Array(rows) = &object["Result"]["P2PResult"] {
        let unreadable = rows
            .iter()
            .any(|row| matches!(row["UserId"], Value::Null | Value::Bool(_)));
        if unreadable && report.code() == Code::Ok {
            let Recipients::Ids(ids) = answer.recipients else {
                // RTC sends have no such rows: they are not read.
                assert_ne!(answer.recipients, Recipients::All, "{}", report.summary());
                return;
            };
            let named = |id: &i64| rows.iter().any(|row| is_id(&row["UserId"], *id));
            assert!(ids.iter().all(named), "{}", report.summary());
        }
    }
});

fn is_id(value: &Value, id: i64) -> bool {
    value.as_i64() == Some(id) || value.as_str().is_some_and(|text| text.trim().parse() == Ok(id))
}
