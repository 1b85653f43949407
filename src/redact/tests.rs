use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngSeed, TestRunner};

use super::*;

fn cleaned(text: &str, hidden: &[Hidden]) -> Option<String> {
    cut_and_cleaned(text, usize::MAX, hidden)
}

fn cut_and_cleaned(text: &str, longest: usize, hidden: &[Hidden]) -> Option<String> {
    Cleaner::new([(text, longest)].into_iter(), hidden).cleaned(text, longest)
}

fn of_payload(text: &str, payload: &str) -> String {
    cleaned(text, &[Hidden::Payload(payload.as_bytes())]).unwrap_or_else(|| text.to_owned())
}

fn of_secret(text: &str, secret: &str) -> String {
    cleaned(text, &[Hidden::Secret(secret)]).unwrap_or_else(|| text.to_owned())
}

type Encoder = fn(&[u8]) -> String;

/// The encodings of an echo. Where another encoder exists, the test uses that one instead of the tested one.
fn encoders() -> Vec<(&'static str, Encoder)> {
    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }
    fn json_body(bytes: &[u8]) -> String {
        let json = serde_json::to_string(&text(bytes)).expect("JSON");
        json[1..json.len() - 1].to_owned()
    }
    fn python(bytes: &[u8]) -> String {
        let escape = |c: char| match c.is_ascii() {
            true => c.to_string(),
            false => c
                .encode_utf16(&mut [0; 2])
                .iter()
                .map(|unit| format!("\\u{unit:04X}"))
                .collect(),
        };
        json_body(bytes).chars().map(escape).collect()
    }
    vec![
        ("as it is", text),
        ("JSON", json_body),
        ("JSON in JSON", |bytes| json_body(json_body(bytes).as_bytes())),
        ("JSON in ASCII", python),
        ("JSON with slashes", |bytes| python(bytes).replace('/', "\\/")),
        ("JSON for HTML", |bytes| {
            let html = json_body(bytes).replace('<', "\\u003c").replace('>', "\\u003e");
            html.replace('&', "\\u0026")
        }),
        ("a query", |bytes| {
            percent_encoding::percent_encode(bytes, NON_ALPHANUMERIC)
                .to_string()
                .replace("%2D", "-")
                .replace("%5F", "_")
                .replace("%2E", ".")
                .replace("%7E", "~")
        }),
        ("a query in lower case", |bytes| {
            crate::util::percent::encode(&text(bytes)).to_ascii_lowercase()
        }),
        ("a form", |bytes| {
            crate::util::percent::encode(&text(bytes))
                .replace("%20", "+")
                .replace("%2A", "*")
                .replace('~', "%7E")
        }),
        ("an address", |bytes| {
            let kept = [
                ";", ",", "/", "?", ":", "@", "&", "=", "+", "$", "#", "!", "'", "(", ")", "*",
            ];
            let encoded = crate::util::percent::encode(&text(bytes));
            kept.iter().fold(encoded, |encoded, sign| {
                encoded.replace(&crate::util::percent::encode(sign), sign)
            })
        }),
        ("base64", |bytes| STANDARD.encode(bytes)),
        ("base64 without padding", |bytes| STANDARD_NO_PAD.encode(bytes)),
        ("base64 for URLs", |bytes| URL_SAFE_NO_PAD.encode(bytes)),
    ]
}

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: 400,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_201_201),
        ..ProptestConfig::default()
    }
}

fn hold<S: Strategy>(strategy: S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    if let Err(failure) = TestRunner::new(cases()).run(&strategy, property) {
        panic!("{failure}");
    }
}

/// Typical payloads: JSON, Chinese, HTML, addresses, control characters.
fn payloads() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{8,120}",
        "[一-龥 a-z0-9/<>&]{8,60}",
        r#"\{"type":[0-9]{1,3},"text":"[ a-z你好🎉]{4,40}","url":"https://[a-z]{3,9}\.example/[a-z~*!]{1,9}\?a=b&c=d"\}"#,
        "[\u{1}-\u{1f}a-z\"\\\\]{8,40}",
    ]
}

/// The common parts of these two that have at least this length.
fn in_common(one: &str, other: &str, length: usize) -> bool {
    one.as_bytes()
        .windows(length)
        .any(|part| memmem::find(other.as_bytes(), part).is_some())
}

#[test]
fn no_part_of_a_payload_of_16_bytes_stays_in_any_encoding() {
    let encoders = encoders();
    hold(
        (payloads(), any::<Index>(), any::<Index>(), 0..encoders.len()),
        |(payload, from, to, encoder)| {
            let (name, encode) = encoders[encoder];
            let whole = encode(payload.as_bytes());
            let boundary = |at: Index| {
                (0..=at.index(whole.len() + 1))
                    .rev()
                    .find(|at| whole.is_char_boundary(*at))
                    .unwrap_or(0)
            };
            let (from, to) = (boundary(from), boundary(to));
            let cut = &whole[from.min(to)..from.max(to)];
            for repeated in [whole.as_str(), cut] {
                let text = of_payload(&format!("invalid: [{repeated}] is refused"), &payload);
                let shortest = if repeated.len() == whole.len() {
                    whole.len().min(16)
                } else {
                    16
                };
                prop_assert!(
                    repeated.len() < shortest || !in_common(&text, repeated, shortest),
                    "{name}: {text:?} still holds some of {repeated:?}"
                );
            }
            Ok(())
        },
    );
}

#[test]
fn binary_payloads_are_found_in_base64_wherever_they_stand_in_it() {
    // A byte that is not hexadecimal in base64, so that the word does not look like a request id.
    let bytes = proptest::collection::vec(0x60..=0xffu8, 8..100);
    hold((bytes, 0..3usize, "[a-z]{0,9}"), |(bytes, before, after)| {
        let longer = [&vec![b'x'; before][..], &bytes, after.as_bytes()].concat();
        for encoded in [STANDARD.encode(&longer), URL_SAFE_NO_PAD.encode(&longer)] {
            let text = cleaned(&format!("body {encoded}"), &[Hidden::Payload(&bytes)]);
            prop_assert!(text.as_ref().is_some_and(|text| text.contains(REMOVED)), "{encoded}");
        }
        Ok(())
    });
}

#[test]
fn a_text_that_holds_nothing_of_it_stays_as_it_is() {
    hold(("[g-z ,.%+\\\\-]{0,400}", "[0-9]{1,90}"), |(text, hidden)| {
        prop_assert_eq!(
            cleaned(&text, &[Hidden::Payload(hidden.as_bytes()), Hidden::Secret(&hidden)]),
            None
        );
        Ok(())
    });
}

#[test]
fn short_payloads_and_short_parts_stay() {
    assert_eq!(of_payload("got: 1234567", "1234567"), "got: 1234567");
    assert_eq!(of_payload("got: 12345678!", "12345678"), "got: ***!");
    let payload = "the parameter room id was wrong";
    assert_eq!(of_payload("the parameter r", payload), "the parameter r");
    assert_eq!(of_payload("the parameter ro", payload), "***");
    assert_eq!(
        of_payload("x the parameter room id was y wrong", payload),
        "x ***y wrong"
    );
}

#[test]
fn secrets_go_whole_at_any_length_and_in_parts_of_8_bytes() {
    let secret = "WkRobE1tSTRZVGt5";
    assert_eq!(of_secret("key abc.", "abc"), "key ***.");
    assert_eq!(of_secret("key WkRobE1tSTRZVGt5!", secret), "key ***!");
    assert_eq!(of_secret("key WkRobE1t...", secret), "key ***...");
    assert_eq!(of_secret("key WkRobE1...", secret), "key WkRobE1...");
    assert_eq!(
        of_secret("key %57kRobE1t", "WkRobE1t"),
        "key %57kRobE1t",
        "not how anybody writes it"
    );
    assert_eq!(of_secret("token a%2Bb%3d%3D", "a+b=="), "token ***");
    assert_eq!(of_secret("nothing", ""), "nothing");
}

#[test]
fn what_is_taken_out_leaves_whole_characters_and_one_mark_for_what_is_together() {
    assert_eq!(of_payload("说：你好你好你好。", "你好你好你好"), "说：***。");
    assert_eq!(of_payload("说今天天气很好", "今天天气很好"), "说***");
    // The last byte of the first character is the same in both, and makes it 16 in a row.
    assert_eq!(of_payload("(洊今天天气很)", "啊今天天气很"), "(***)");
    let both = [
        Hidden::Secret("secret-key-0"),
        Hidden::Payload(b"key-0 and the payload"),
    ];
    assert_eq!(cleaned("<secret-key-0 and the payload>", &both).unwrap(), "<***>");
    assert_eq!(cleaned("secret-key-0 secret-key-0", &both).unwrap(), "*** ***");
}

#[test]
fn the_longest_texts_and_payloads_are_cleaned() {
    let payload = "a".repeat(64 * 1024);
    let text = format!("{}b", "a".repeat(1024 * 1024));
    assert_eq!(of_payload(&text, &payload), "***b");
}

#[test]
fn a_text_that_is_too_long_is_cut_at_a_character_and_shows_nothing_that_the_cut_divides() {
    let secret = [Hidden::Secret("secret")];
    let cut = |text: &str, longest| cut_and_cleaned(text, longest, &secret);
    assert_eq!(cut("0123456789", 10), None);
    assert_eq!(cut("0123456789x", 10).unwrap(), "0123456789…");
    assert_eq!(cut("012345678你x", 10).unwrap(), "012345678…");
    assert_eq!(cut("01234secret, and more of it", 10).unwrap(), "01234***…");
    assert_eq!(cut("0123secret, and more of it", 10).unwrap(), "0123***…");
    assert_eq!(cut("0123456789secret, and more of it", 10).unwrap(), "0123456789…");
    let payload = [Hidden::Payload(b"the 16 bytes of it")];
    let text = "0123456789the 16 bytes of it";
    for longest in 11..text.len() {
        assert_eq!(cut_and_cleaned(text, longest, &payload).unwrap(), "0123456789***…");
    }
}

/// The test would not end if the payload were searched for each of the texts.
#[test]
fn many_texts_that_repeat_a_long_payload_are_cleaned() {
    let numbers: Vec<String> = (0..150_000).map(|number| format!("{number:07}")).collect();
    let payload = numbers.concat();
    let texts: Vec<&str> = (0..20_000).map(|row| &payload[row * 50..row * 50 + 16]).collect();
    let cleaner = Cleaner::new(
        texts.iter().map(|text| (*text, 64)),
        &[Hidden::Payload(payload.as_bytes())],
    );
    assert!(
        texts
            .iter()
            .all(|text| cleaner.cleaned(text, 64).as_deref() == Some(REMOVED))
    );
}

/// The same for the texts of a raw action.
#[test]
fn long_texts_are_cleaned_of_many_texts_of_a_raw_call() {
    let sent: Vec<String> = (0..20_000).map(|number| format!("text number {number:07}")).collect();
    let hidden: Vec<Hidden> = sent.iter().map(|text| Hidden::Payload(text.as_bytes())).collect();
    let text = format!("{}\\ %20", sent[..200].join("\u{1}"));
    let cleaned = cut_and_cleaned(&text, 4096, &hidden).unwrap();
    assert!(memmem::find(cleaned.as_bytes(), b"text number").is_none(), "{cleaned}");
}
