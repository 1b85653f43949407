//! Settings with any key and value, as lines of `key=value`, through rtcmsg_config_set and rtcmsg_client_new. If they make
//! a client, they must also make requests.

#![no_main]

use std::ffi::CString;
use std::ptr;

use libfuzzer_sys::fuzz_target;
use rtcmsg::{SETTINGS, Setting};
use rtcmsg_fuzz::abi::*;

const MARKER: &str = "S3CRET";

fuzz_target!(|input: &[u8]| {
    let mut same = rtcmsg::Config::new();
    let mut secrets: Vec<String> = Vec::new();
    // SAFETY: the header's rules.
    unsafe {
        let config = rtcmsg_config_new();
        if input.first() == Some(&b'+') {
            for (key, value) in DEMO {
                assert_eq!(
                    rtcmsg_config_set(config, key.as_ptr(), value.as_ptr(), ptr::null_mut()),
                    OK
                );
                same.set(key.to_str().unwrap(), value.to_str().unwrap()).unwrap();
            }
        }
        for line in input.split(|byte| *byte == b'\n') {
            let at = line.iter().position(|byte| *byte == b'=').unwrap_or(line.len());
            let (key, value) = (&line[..at], line.get(at + 1..).unwrap_or_default());
            let (Ok(key), Ok(value)) = (CString::new(key), CString::new(value)) else {
                continue;
            };
            if key.as_c_str() == c"tls.ca_file" && value.to_bytes().starts_with(b"/") {
                continue; // Skips files of the machine, because some have no end.
            }
            let mut error = Error::dirty();
            let code = rtcmsg_config_set(config, key.as_ptr(), value.as_ptr(), &mut error);
            let (field, text) = error.checked(code);
            let setting = SETTINGS.iter().find(|setting| setting.key.as_bytes() == key.to_bytes());
            match code {
                OK => {
                    assert!(setting.is_some(), "{key:?} is not a setting");
                    same.set(key.to_str().unwrap(), value.to_str().unwrap()).unwrap();
                }
                code => {
                    assert_eq!(code, INVALID_ARGUMENT);
                    let by_name = setting.is_none_or(|setting| field == setting.key || value.to_str().is_err());
                    assert!(by_name, "{field}: {text}");
                }
            }
            // No text contains a secret. The marker is not a word that the library's own texts contain.
            let is_secret = setting.is_some_and(Setting::is_secret);
            if let Some(value) = value.to_str().ok().filter(|value| is_secret && value.contains(MARKER)) {
                assert!(!text.contains(value), "{text}");
                secrets.push(value.to_owned());
            }
        }
        let (mut client, mut error) = (ptr::null_mut(), Error::dirty());
        let code = rtcmsg_client_new(config, &mut client, &mut error);
        let (field, text) = error.checked(code);
        assert_eq!(client.is_null(), code != OK);
        assert!(matches!(code, OK | INVALID_ARGUMENT | NOT_CONFIGURED), "{code}: {text}");
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
        assert!(
            code != INVALID_ARGUMENT || SETTINGS.iter().any(|setting| setting.key == field),
            "{field}: {text}"
        );
        rtcmsg_client_free(client);
        rtcmsg_config_free(config);
        if code == OK {
            rtcmsg::fuzzing::requests(&same).expect("settings that make a client also make requests");
        }
    }
});
