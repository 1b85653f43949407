use std::ffi::OsString;

use super::names::variable_of;
use super::*;
use crate::error::Code;

fn refusal(key: &str, value: &str) -> Error {
    Config::new().set(key, value).expect_err(&format!("{key}={value}"))
}

fn load(config: &mut Config, vars: &[(&str, &str)]) -> Result<(), Error> {
    config.load_vars(
        vars.iter()
            .map(|(name, value)| (name.to_string(), OsString::from(value))),
    )
}

#[test]
fn every_default_is_a_valid_value_of_its_setting() {
    let mut keys = std::collections::HashSet::new();
    for setting in SETTINGS {
        assert!(keys.insert(setting.key), "{} twice", setting.key);
        if !setting.default.is_empty() {
            setting.check(setting.default).unwrap();
        }
    }
}

#[test]
fn an_unknown_key_is_refused_and_the_nearest_is_named() {
    let error = refusal("zego.appid", "1");
    assert_eq!(error.code, Code::InvalidArgument);
    assert_eq!(error.field, "zego.appid");
    assert!(error.message.contains("did you mean zego.app_id?"), "{error}");
    assert!(
        refusal("ZEGO.APP_ID", "1")
            .message
            .contains("did you mean zego.app_id?")
    );
    assert!(refusal("xyzzy", "1").message.contains("docs/CONFIGURATION.md"));
}

#[test]
fn a_value_out_of_range_is_refused_with_the_range() {
    let error = refusal("http.timeout_ms", "0");
    assert_eq!(error.field, "http.timeout_ms");
    assert_eq!(error.message, "\"0\" is not a whole number from 1 to 86,400,000 ms");
    for value in ["-1", "+5", " 5", "5s", "5.0", "0x10", "99999999999999999999", "٣"] {
        refusal("http.timeout_ms", value);
    }
    refusal("zego.app_id", "4294967296");
    refusal("http.allow_plaintext", "yes");
    refusal("volcengine.rtc_version", "2021-01-01");
}

#[test]
fn control_characters_and_outer_spaces_are_refused_in_texts() {
    refusal("volcengine.access_key", "a\r\nX-Evil: 1");
    refusal("volcengine.secret_key", "a\0b");
    refusal("volcengine.secret_key", "key\n");
    refusal("volcengine.region", " cn-north-1");
    refusal("volcengine.access_key", &"a".repeat(4097));
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let secret = "0123456789abcdef0123456789abcdef";
    for key in [
        "zego.app_id",
        "http.timeout_ms",
        "zego.is_test",
        "zego.endpoint",
        "http.allow_plaintext",
    ] {
        let error = refusal(key, secret);
        assert!(error.message.contains("a value of 32 characters"), "{error}");
        assert!(!error.to_string().contains(secret), "{error}");
    }
    assert!(refusal("zego.app_id", "12x").message.contains("\"12x\""));
}

#[test]
fn what_goes_into_headers_is_ascii() {
    for key in [
        "volcengine.access_key",
        "volcengine.secret_key",
        "volcengine.region",
        "zego.server_secret",
    ] {
        refusal(key, "clé");
    }
    Config::new().set("tls.ca_file", "/clés/ca.pem").unwrap();
}

#[test]
fn an_empty_value_is_the_default_again() {
    let mut config = Config::new();
    config.set("http.timeout_ms", "5").unwrap();
    assert_eq!(config.integer(&HTTP_TIMEOUT_MS), 5);
    config.set("http.timeout_ms", "").unwrap();
    assert_eq!(config.integer(&HTTP_TIMEOUT_MS), 10_000);
}

#[test]
fn the_largest_ids_are_exact() {
    let mut config = Config::new();
    config.set("volcengine.im_app_id", "9223372036854775807").unwrap();
    assert_eq!(config.optional_integer(&VOLCENGINE_IM_APP_ID), Some(i64::MAX));
    refusal("volcengine.im_app_id", "9223372036854775808");
}

#[test]
fn the_environment_gives_settings_and_ours_win_over_the_vendors_names() {
    let mut config = Config::new();
    load(
        &mut config,
        &[
            ("RTCMSG_VOLCENGINE_ACCESS_KEY", "ours"),
            ("VOLC_ACCESSKEY", "theirs"),
            ("VOLC_SECRETKEY", "secret"),
            ("RTCMSG_ZEGO_APP_ID", ""),
            ("RTCMSG_LIBRARY", "/usr/lib/librtcmsg.so"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    assert_eq!(config.text(&VOLCENGINE_ACCESS_KEY), "ours");
    assert_eq!(config.text(&VOLCENGINE_SECRET_KEY), "secret");
    assert_eq!(config.optional_integer(&ZEGO_APP_ID), None);
}

#[test]
fn a_misspelt_variable_is_an_error_and_nothing_is_taken() {
    let mut config = Config::new();
    let error = load(
        &mut config,
        &[("RTCMSG_VOLCENGINE_SECRET_KEY", "x"), ("RTCMSG_ZEGO_APPID", "1")],
    )
    .unwrap_err();
    assert!(error.message.contains("did you mean RTCMSG_ZEGO_APP_ID?"), "{error}");
    assert!(!config.is_given(&VOLCENGINE_SECRET_KEY));
}

#[test]
fn service_links_of_kubernetes_are_ignored() {
    let mut config = Config::new();
    load(
        &mut config,
        &[
            ("RTCMSG_WORKER_SERVICE_HOST", "10.0.0.7"),
            ("RTCMSG_WORKER_SERVICE_PORT", "80"),
            ("RTCMSG_WORKER_SERVICE_PORT_HTTP", "80"),
            ("RTCMSG_WORKER_PORT", "tcp://10.0.0.7:80"),
            ("RTCMSG_TLS_PORT_443_TCP", "tcp://10.0.0.7:443"),
            ("RTCMSG_TLS_PORT_443_TCP_PROTO", "tcp"),
            ("RTCMSG_TLS_PORT_443_TCP_PORT", "443"),
            ("RTCMSG_TLS_PORT_443_TCP_ADDR", "10.0.0.7"),
            ("RTCMSG_SERVICE_HOST", "10.0.0.8"),
            ("RTCMSG_PORT", "tcp://10.0.0.8:80"),
            ("RTCMSG_WORKER_THREADS", "3"),
        ],
    )
    .unwrap();
    assert_eq!(config.integer(&WORKER_THREADS), 3);
    assert_eq!(config.values.len(), 1);
}

#[test]
fn a_setting_is_read_where_a_service_link_has_almost_its_name() {
    let mut config = Config::new();
    load(
        &mut config,
        &[
            ("RTCMSG_VOLCENGINE_SERVICE", "rtc"),
            ("RTCMSG_VOLCENGINE_SERVICE_HOST", "10.0.0.7"),
            ("RTCMSG_VOLCENGINE_SERVICE_PORT", "443"),
        ],
    )
    .unwrap();
    assert_eq!(config.values.len(), 1);
    assert!(config.is_given(&VOLCENGINE_SERVICE));
    let mistyped = load(&mut config, &[("RTCMSG_HTTP_PROXY_PORT", "3128")]).unwrap_err();
    assert!(
        mistyped.message.contains("did you mean RTCMSG_HTTP_PROXY?"),
        "{mistyped}"
    );
}

#[test]
fn a_server_secret_has_32_characters() {
    Config::new().set("zego.server_secret", &"a".repeat(32)).unwrap();
    let app_sign = "0123456789abcdef".repeat(4);
    for value in ["s", &"a".repeat(31), &"a".repeat(33), &app_sign] {
        let error = refusal("zego.server_secret", value);
        assert_eq!(error.field, "zego.server_secret");
        let expected = format!("the value has {} characters, but it must have 32", value.len());
        assert_eq!(error.message, expected);
    }
}

#[test]
fn debug_output_shows_no_secret() {
    let mut config = Config::new();
    config.set("volcengine.secret_key", "hunter2").unwrap();
    config
        .set("zego.server_secret", "hunter2-of-exactly-32-characters")
        .unwrap();
    config.set("http.proxy", "http://user:hunter2@proxy:3128").unwrap();
    config.set("zego.app_id", "1").unwrap();
    let text = format!("{config:?}");
    assert!(
        !text.contains("hunter2") && text.contains("***") && text.contains("\"1\""),
        "{text}"
    );
}

#[test]
fn the_page_names_every_setting_and_its_variable() {
    let page = configuration_md();
    for setting in SETTINGS {
        assert!(
            page.contains(&format!("| `{}` | `{}` |", setting.key, variable_of(setting))),
            "{}",
            setting.key
        );
    }
}
