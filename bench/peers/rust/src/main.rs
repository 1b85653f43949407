//! A well-known signer of the same family, AWS V4, as its documentation uses it: `bench-peer-signer COUNT` signs the
//! request of bench/sign.rs and prints its nanoseconds.

use std::hint::black_box;
use std::time::{Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;

const BODY: &str = concat!(
    r#"{"AppId":"661e000000000000000demo1","From":"server","To":"user-0001","Binary":false,"Message":""#,
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    r#""}"#
);
const URL: &str = "https://rtc.volcengineapi.com/?Action=SendUnicast&Version=2020-12-01";

fn main() {
    let count: u32 = std::env::args().nth(1).and_then(|count| count.parse().ok()).expect("takes COUNT");
    let identity = Credentials::new("AKLTdemo", "demo-secret-key==", None, None, "bench").into();
    let start = Instant::now();
    for _ in 0..count {
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("cn-north-1")
            .name("rtc")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .expect("parameters")
            .into();
        let headers = std::iter::once(("content-type", "application/json"));
        let body = SignableBody::Bytes(black_box(BODY).as_bytes());
        let request = SignableRequest::new("POST", URL, headers, body).expect("a request");
        let (instructions, _) = sign(request, &params).expect("a signature").into_parts();
        let mut request = http::Request::post(URL).body(()).expect("a request");
        instructions.apply_to_request_http1x(&mut request);
        black_box(request);
    }
    let nanoseconds = start.elapsed().as_nanos() as f64 / f64::from(count);
    println!("{{\"sign_ns\": {nanoseconds:.1}}}");
}
