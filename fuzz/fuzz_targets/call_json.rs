//! Action, version and JSON of rtcmsg_client_call_action: a first line of `volcengine Action 2020-12-01` or `zego Action`, and
//! the JSON. The deadline has passed before the call, so an accepted call ends without I/O.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use rtcmsg::{Client, Code, Config, Delivery, SendOptions, SendTimeout, Vendor};
use rtcmsg_fuzz::{abi::DEMO, head_and_rest};
use serde_json::Value;

static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let mut config = Config::new();
    for (key, value) in DEMO {
        config.set(key.to_str().unwrap(), value.to_str().unwrap()).unwrap();
    }
    Client::new(&config).unwrap()
});

const OVER: SendOptions = SendOptions {
    timeout: SendTimeout::After(Duration::ZERO),
    expires: None,
    urgent: false,
};

fuzz_target!(|input: &[u8]| {
    let (head, json) = head_and_rest(input);
    let Ok(json) = std::str::from_utf8(json) else {
        return; // The C ABI refuses it before this.
    };
    let mut words = head.splitn(3, ' ');
    let vendor = match words.next() {
        Some("zego") => Vendor::Zego,
        _ => Vendor::Volcengine,
    };
    let (action, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let value = serde_json::from_str::<Value>(json).ok();
    match CLIENT.call_action(vendor, action, version, json, &OVER) {
        Ok(report) => {
            assert_eq!(
                (report.code(), report.delivery()),
                (Code::Timeout, Delivery::NotSent),
                "{}",
                report.summary()
            );
            assert!(report.body().is_empty() && report.recipients().is_empty());
            assert!(!action.is_empty() && action.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            assert_eq!(version.is_empty(), vendor == Vendor::Zego);
            // A number that does not fit a double is accepted as it is written; then there is no value to compare with.
            assert!(value.as_ref().is_none_or(Value::is_object), "{json}");
        }
        Err(error) => {
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(["action", "version", "json"].contains(&&*error.field), "{error}");
            assert!(!error.message.contains(char::is_control), "{error:?}");
        }
    }
    // The query parameters for ZEGO contain every member of the object, and texts are the same as in the JSON.
    if let (Ok(parameters), Some(Value::Object(members))) = (rtcmsg::fuzzing::zego_parameters(json), value) {
        let count = |value: &Value| value.as_array().map_or(1, Vec::len);
        assert_eq!(parameters.len(), members.values().map(count).sum::<usize>(), "{json}");
        for (name, value) in &members {
            if let Value::String(text) = value {
                assert!(
                    parameters.iter().any(|pair| pair.0 == *name && pair.1 == *text),
                    "{name}"
                );
            }
        }
        assert!(
            parameters
                .iter()
                .all(|(name, _)| name != "Signature" && name != "Action")
        );
    }
});
