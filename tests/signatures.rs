//! Our signatures compared with the vendors' own. The vectors are data: some are published, others come from the vendors' signers.

use rtcmsg::Secret;
use rtcmsg::sign::{volcengine, zego};
use serde_json::Value;

fn vectors(json: &str) -> Vec<Value> {
    serde_json::from_str(json).expect("vectors are a JSON list")
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap_or_else(|| panic!("{name} in {vector}"))
}

#[test]
fn volcengine_requests_are_signed_as_the_vendor_signs_them() {
    for vector in vectors(include_str!("vectors/volcengine-sign.json")) {
        let name = text(&vector, "name");
        let query: Vec<(String, String)> = serde_json::from_value(vector["query"].clone()).expect("query");
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (&**name, &**value)).collect();
        let headers: std::collections::BTreeMap<String, String> =
            serde_json::from_value(vector["signed_headers"].clone()).expect("signed_headers");
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let body_sha256 = volcengine::sha256_hex(text(&vector, "body").as_bytes());
        let query = volcengine::canonical_query(&query);
        let secret = Secret::new(text(&vector, "secret_key"));
        let x_date = text(&vector, "x_date");
        let (region, service) = (text(&vector, "region"), text(&vector, "service"));
        let key = volcengine::DayKey::new(&secret, &x_date[..8], region, service);
        // The number of headers that are hashed in advance must not matter.
        for known in 0..headers.len() {
            let (known, later) = headers.split_at(known);
            let (later, values): (Vec<_>, Vec<_>) = later.iter().copied().unzip();
            let opening =
                volcengine::Opening::new(text(&vector, "method"), text(&vector, "path"), &query, known, &later);
            let canonical = opening.canonical_sha256(&values, &body_sha256);
            assert_eq!(&*canonical, text(&vector, "canonical_request_sha256"), "{name}");
            let signature = text(&vector, "signature");
            assert_eq!(&*key.signature(x_date, &canonical), signature, "{name}");
            let authorization = opening.authorization("AK", &key, x_date, &values, &body_sha256);
            assert!(authorization.ends_with(&format!(", Signature={signature}")), "{name}");
        }
    }
}

#[test]
fn zego_requests_are_signed_as_the_vendor_signs_them() {
    for vector in vectors(include_str!("vectors/zego-sign.json")) {
        let signature = zego::signature(
            &vector["app_id"].to_string(),
            text(&vector, "signature_nonce"),
            &Secret::new(text(&vector, "server_secret")),
            &vector["timestamp"].to_string(),
        );
        assert_eq!(&*signature, text(&vector, "signature"), "{}", text(&vector, "name"));
    }
}

#[test]
fn a_nonce_is_sixteen_hex_digits() {
    assert_eq!(
        &*zego::nonce([0x4f, 0xd2, 0x46, 0x87, 0x29, 0x6d, 0xd9, 0xf3]),
        "4fd24687296dd9f3"
    );
    assert_eq!(&*zego::nonce([0; 8]), "0000000000000000");
}
