//! The gateway of Volcengine: each fault of a signature has its own code, and a correct signature is accepted.

mod fixtures;

use fixtures::{Fixture, START_X_DATE, VolcengineRequest, p2p_send_message, send_room_unicast, send_unicast};
use serde_json::json;

fn request() -> VolcengineRequest {
    VolcengineRequest::new("SendUnicast", "2020-12-01", &send_unicast())
}

#[test]
fn a_signed_request_is_answered_in_the_envelope() {
    let fixture = Fixture::new();
    let answer = request().send(&fixture);
    assert_eq!(answer.status, 200);
    let metadata = &answer.body["ResponseMetadata"];
    assert!(metadata["RequestId"].as_str().unwrap().starts_with("20260102030405"));
    assert_eq!(metadata["Action"], "SendUnicast");
    assert_eq!(metadata["Version"], "2020-12-01");
    assert_eq!(metadata["Service"], "rtc");
    assert_eq!(metadata["Region"], "cn-north-1");
    assert_eq!(metadata.get("Error"), None);
    assert_eq!(answer.body["Result"], json!({ "Message": "Success" }));
}

#[test]
fn each_fault_of_a_signature_has_its_own_code() {
    type Bend = fn(&mut VolcengineRequest);
    let table: [(&str, Bend, u16, u64, &str); 25] = [
        (
            "no Version",
            |r| r.query = "Action=SendUnicast".into(),
            400,
            100_002,
            "MissingParameter",
        ),
        (
            "no Action",
            |r| r.query = "Version=2020-12-01".into(),
            400,
            100_002,
            "MissingParameter",
        ),
        (
            "no Authorization",
            |r| replace(r, "authorization", ""),
            401,
            100_003,
            "MissingAuthenticationToken",
        ),
        (
            "another scheme",
            |r| replace(r, "authorization", "Bearer x"),
            400,
            0,
            "InvalidAuthorization",
        ),
        (
            "no SignedHeaders",
            |r| replace(r, "authorization", "HMAC-SHA256 Credential=a/b/c/d/e"),
            400,
            0,
            "InvalidAuthorization",
        ),
        (
            "a short credential",
            |r| r.scope = "20260102/rtc/request".into(),
            400,
            0,
            "InvalidCredential",
        ),
        (
            "no signature",
            |r| {
                replace(
                    r,
                    "authorization",
                    "HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host",
                )
            },
            401,
            100_005,
            "MissingSignature",
        ),
        (
            "another access key",
            |r| r.access_key = "AKLTother".into(),
            401,
            100_009,
            "InvalidAccessKey",
        ),
        (
            "no X-Date",
            |r| replace(r, "x-date", ""),
            400,
            100_006,
            "InvalidTimestamp",
        ),
        (
            "X-Date in another form",
            |r| r.x_date = "2026-01-02T03:04:05Z".into(),
            400,
            100_006,
            "InvalidTimestamp",
        ),
        (
            "another token",
            |r| r.session_token = Some("other".into()),
            401,
            0,
            "InvalidSecretToken",
        ),
        (
            "an unsigned token",
            |r| r.session_token = Some("demo-session-token".into()),
            401,
            0,
            "InvalidSecretToken",
        ),
        (
            "the scope of another day",
            |r| r.scope = "20260103/cn-north-1/rtc/request".into(),
            400,
            0,
            "InvalidCredential",
        ),
        (
            "the scope of another region",
            |r| r.scope = "20260102/ap-singapore-1/rtc/request".into(),
            400,
            0,
            "InvalidCredential",
        ),
        (
            "the scope of another service",
            |r| r.scope = "20260102/cn-north-1/iam/request".into(),
            400,
            0,
            "InvalidCredential",
        ),
        (
            "another end of the scope",
            |r| r.scope = "20260102/cn-north-1/rtc/aws4_request".into(),
            400,
            0,
            "InvalidCredential",
        ),
        (
            "no region",
            |r| r.scope = "20260102//rtc/request".into(),
            400,
            0,
            "InvalidCredential",
        ),
        (
            "an unsigned host",
            |r| r.signed_headers = vec!["x-date"],
            401,
            100_010,
            "SignatureDoesNotMatch",
        ),
        (
            "an unsigned date",
            |r| r.signed_headers = vec!["host"],
            401,
            100_010,
            "SignatureDoesNotMatch",
        ),
        (
            "another hash of the body",
            |r| replace(r, "x-content-sha256", "00"),
            401,
            100_010,
            "SignatureDoesNotMatch",
        ),
        (
            "a signed header that did not arrive",
            |r| replace(r, "x-content-sha256", ""),
            401,
            100_010,
            "SignatureDoesNotMatch",
        ),
        (
            "another secret",
            |r| r.secret_key = "other".into(),
            401,
            100_010,
            "SignatureDoesNotMatch",
        ),
        (
            "a signed header changed on the way",
            |r| replace(r, "content-type", "text/plain"),
            401,
            100_010,
            "SignatureDoesNotMatch",
        ),
        (
            "an unknown action",
            |r| r.query = "Action=SendNothing&Version=2020-12-01".into(),
            404,
            100_008,
            "InvalidActionOrVersion",
        ),
        (
            "GET",
            |r| {
                r.method = "GET".into();
                r.body.clear();
            },
            405,
            100_020,
            "MethodNotAllowed",
        ),
    ];
    let fixture = Fixture::new();
    fixture.control("volcengine/login", json!({ "user_id": "alice" }));
    for (name, bend, status, code_n, code) in table {
        let mut request = request();
        bend(&mut request);
        let answer = request.send(&fixture);
        assert_eq!((answer.status, answer.error()), (status, (code_n, code)), "{name}");
        let entry = fixture.last_ledger_entry();
        assert_eq!(
            (&entry["status"], &entry["code"], &entry["accepted"]),
            (&json!(status), &json!(code), &json!(false)),
            "{name}"
        );
    }
    assert_eq!(fixture.inbox("volcengine", "alice"), Vec::<serde_json::Value>::new());
}

fn replace(request: &mut VolcengineRequest, header: &'static str, value: &str) {
    request.after_signing.push((header, value.to_owned()));
}

#[test]
fn a_signature_is_valid_900_seconds_before_and_after_its_date() {
    let fixture = Fixture::new();
    for (offset, code) in [
        (-901, "InvalidTimestamp"),
        (-900, ""),
        (900, ""),
        (901, "InvalidTimestamp"),
    ] {
        fixture.set_wall(offset);
        assert_eq!(request().send(&fixture).error().1, code, "{offset} s");
    }
}

#[test]
fn the_date_header_is_that_of_the_emulators_clock() {
    let fixture = Fixture::new();
    assert_eq!(request().send(&fixture).date, "Fri, 02 Jan 2026 03:04:05 GMT");
    fixture.set_wall(86_400);
    assert_eq!(request().send(&fixture).date, "Sat, 03 Jan 2026 03:04:05 GMT");
}

#[test]
fn a_signed_session_token_is_accepted() {
    let mut request = request();
    request.session_token = Some("demo-session-token".to_owned());
    request.signed_headers.push("x-security-token");
    assert_eq!(request.send(&Fixture::new()).error(), (0, ""));
}

#[test]
fn the_region_of_the_options_is_accepted_and_named_in_the_answer() {
    for region in [Some("ap-singapore-1".to_owned()), None] {
        let fixture = Fixture::with(|options| options.volcengine.region = region);
        let mut request = request();
        request.scope = "20260102/ap-singapore-1/rtc/request".to_owned();
        let answer = request.send(&fixture);
        assert_eq!(answer.error(), (0, ""));
        assert_eq!(answer.body["ResponseMetadata"]["Region"], "ap-singapore-1");
    }
}

#[test]
fn the_default_region_is_refused_where_the_options_name_another() {
    let fixture = Fixture::with(|options| options.volcengine.region = Some("ap-singapore-1".to_owned()));
    let answer = request().send(&fixture);
    assert_eq!((answer.status, answer.error()), (400, (0, "InvalidCredential")));
    let message = answer.body["ResponseMetadata"]["Error"]["Message"].as_str().unwrap();
    assert!(
        message.contains("cn-north-1") && message.contains("ap-singapore-1"),
        "{message}"
    );
}

#[test]
fn the_four_rtc_sends_have_both_versions_and_im_has_one() {
    let fixture = Fixture::new();
    for action in [
        "SendUnicast",
        "SendRoomUnicast",
        "SendBroadcast",
        "BatchSendRoomUnicast",
    ] {
        for version in ["2020-12-01", "2023-07-20"] {
            let body = if action == "BatchSendRoomUnicast" {
                fixtures::batch_send_room_unicast()
            } else {
                send_room_unicast()
            };
            assert_eq!(
                fixture.volcengine(action, version, &body).error(),
                (0, ""),
                "{action} {version}"
            );
        }
        assert_eq!(
            fixture.volcengine(action, "2021-01-01", &send_unicast()).error().1,
            "InvalidActionOrVersion",
            "{action}"
        );
    }
    let answer = fixture.volcengine("P2PSendMessage", "2023-07-20", &p2p_send_message());
    assert_eq!(
        (answer.status, answer.error()),
        (404, (100_008, "InvalidActionOrVersion"))
    );
    assert_eq!(answer.body["ResponseMetadata"]["Service"], "rtc");
}

#[test]
fn the_services_errors_set_the_status_only_in_the_newer_version() {
    let fixture = Fixture::new();
    for (version, status) in [("2020-12-01", 200), ("2023-07-20", 400)] {
        let answer = fixture.volcengine(
            "SendUnicast",
            version,
            &fixtures::with(send_unicast(), "From", json!("a b")),
        );
        assert_eq!(
            (answer.status, answer.error()),
            (status, (0, "InvalidParameter.IllegalFrom")),
            "{version}"
        );
    }
}

#[test]
fn a_connections_requests_are_numbered() {
    let fixture = Fixture::new();
    request().send(&fixture);
    request().send(&fixture);
    let ledger = fixture.get("ledger");
    assert_eq!(ledger[0]["connection"], ledger[1]["connection"]);
    assert_eq!(
        (&ledger[0]["request_on_connection"], &ledger[1]["request_on_connection"]),
        (&json!(1), &json!(2))
    );
    let stats = fixture.get("stats");
    assert_eq!((&stats["connections"], &stats["requests"]), (&json!(1), &json!(2)));
}

#[test]
fn a_capture_shows_the_request_as_it_was_received() {
    let fixture = Fixture::new();
    request().send(&fixture);
    let capture = &fixture.get("requests")[0];
    assert_eq!(capture["method"], "POST");
    assert_eq!(capture["target"], "/?Action=SendUnicast&Version=2020-12-01");
    assert!(
        capture["headers"]
            .as_array()
            .unwrap()
            .contains(&json!(["x-date", START_X_DATE]))
    );
}
