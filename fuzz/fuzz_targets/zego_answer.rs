//! An answer of ZEGO, of any status and body, into a report.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcmsg::fuzzing::zego_report;
use rtcmsg::{Code, Delivery, User};
use rtcmsg_fuzz::{Answer, check_report};
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let answer = Answer::read(input);
    let report = zego_report(answer.recipients, answer.status, answer.body);
    check_report(&report, &answer);
    // ZEGO never confirms a delivery.
    assert!(
        report
            .recipients()
            .iter()
            .all(|row| row.delivery != Delivery::Delivered && row.devices.is_empty())
    );
    let object = answer.object().unwrap_or_default();
    if report.code() == Code::Ok {
        let zero = object["Code"] == 0 || object["Code"].as_str().is_some_and(|code| code.trim().parse() == Ok(0));
        assert!(zero, "{}", report.summary());
    }
    // A user in FailUsers did not get the message, and a row that cannot be read may belong to any recipient.
    let Value::Array(failed) = &object["Data"]["FailUsers"] else {
        return;
    };
    for row in report.recipients() {
        let User::Name(name) = &row.user else { continue };
        let is_named = failed.iter().any(|user| {
            ["Uid", "UserId"].iter().any(|key| match &user[key] {
                Value::String(uid) => *uid == **name,
                Value::Number(uid) => uid.to_string() == **name,
                _ => false,
            })
        });
        assert!(!is_named || !row.delivery.is_success(), "{row:?}");
        let is_unreadable = |value: &Value| matches!(value, Value::Null | Value::Array(_) | Value::Object(_));
        let unreadable = failed
            .iter()
            .any(|user| is_unreadable(&user["Uid"]) && is_unreadable(&user["UserId"]));
        assert!(!unreadable || !row.delivery.is_success(), "{row:?}");
    }
});
