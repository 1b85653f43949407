use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngSeed, TestRunner};

use super::*;

/// Replacements of a name or a value.
#[rustfmt::skip]
const VALUES: &[&str] = &[
    "null", "true", "0", "-0", "7", "-1", "1.0", "1e3", "1e999", "010", "2147483648", "9007199254740993",
    "9223372036854775807", "9223372036854775808", "18446744073709551616", "100018", "50003", "10008",
    "\"\"", "\"7\"", "\" 50003\"", "\"alice\"", "\"1111\"", "\"Success\"", "\"not_online\"", "\"字\"", "\"\u{85}\"", "\"\n\"",
    r#""a\u0000b""#, r#""\u0041""#, r#""\ud800""#, r#""\ud83d\ude00""#, r#""Co\u0064e""#, "\"Code\"", "\"Message\"", "\"Error\"",
    "[]", "{}", "[7]", r#"{"Code":7}"#, r#"{"$serde_json::private::RawValue":"{}"}"#,
];
/// Members that are added to an object.
const MEMBERS: &[&str] = &[
    r#""New":[1,-2,1.5,{"a":"b\n"},null,true],"#,
    r#""New":["\ud800"],"#,
    r#""error":{},"#,
    r#""data":{},"#,
    r#""Action":"SendBroadcast","#,
    r#""New":1e999,"#,
    r#""New":{"New":1,"New":2,"$serde_json::private::RawValue":3},"#,
    r#""$serde_json::private::RawValue":"{}","#,
    r#""Code":7,"#,
    r#""Error":null,"#,
    r#""Message":"m","#,
    r#""UserId":7,"#,
];
/// Characters that are inserted where there should be none.
const SIGNS: &[&str] = &[
    "", "{", "}", "[", "]", ",", ":", " ", "\n", "\u{FEFF}", "/**/", "\"", "\0",
];

#[derive(Clone, Debug)]
enum Change {
    Value(&'static str),
    Member(&'static str),
    Sign(&'static str),
    Swap(Index),
    Byte(u8),
}

/// Changed copies of these answers: names and values are exchanged or replaced, members are added, and sometimes a character
/// or a byte is wrong.
fn unexpected_answers(pages: &[&'static str]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let change = prop_oneof![
        12 => select(VALUES).prop_map(Change::Value),
        6 => select(MEMBERS).prop_map(Change::Member),
        2 => any::<Index>().prop_map(Change::Swap),
        1 => select(SIGNS).prop_map(Change::Sign),
        1 => any::<u8>().prop_map(Change::Byte),
    ];
    (select(pages.to_vec()), vec((any::<Index>(), change), 1..4)).prop_map(|(page, changes)| {
        let mut pieces: Vec<Vec<u8>> = pieces(page)
            .into_iter()
            .map(|piece| piece.as_bytes().to_vec())
            .collect();
        let places = |pieces: &[Vec<u8>], is_one: fn(&[u8]) -> bool| -> Vec<usize> {
            (0..pieces.len()).filter(|place| is_one(&pieces[*place])).collect()
        };
        let is_value: fn(&[u8]) -> bool =
            |piece| piece.first().is_some_and(|c| *c == b'"' || c.is_ascii_alphanumeric());
        for (place, change) in changes {
            let values = places(&pieces, is_value);
            let objects = places(&pieces, |piece| piece == b"{");
            let anywhere = place.index(pieces.len());
            match change {
                Change::Value(value) if !values.is_empty() => pieces[*place.get(&values)] = value.into(),
                Change::Member(member) if !objects.is_empty() => pieces[*place.get(&objects)].extend(member.bytes()),
                Change::Swap(other) if !values.is_empty() => pieces.swap(*place.get(&values), *other.get(&values)),
                Change::Value(sign) | Change::Member(sign) | Change::Sign(sign) => pieces[anywhere] = sign.into(),
                Change::Byte(byte) => pieces[anywhere] = vec![byte],
                Change::Swap(_) => {}
            }
        }
        pieces.concat()
    })
}

/// The texts, numbers, words and punctuation characters of a page.
fn pieces(page: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = page;
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
            _ => match rest.find(|c: char| !c.is_ascii_alphanumeric()) {
                None => rest.len(),
                Some(0) => first.len_utf8(),
                Some(end) => end,
            },
        };
        let (piece, behind) = rest.split_at(len);
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// Checks that the strict reader accepts these pages, and that it says the same as the lenient one about every answer that it
/// accepts, also about unexpected ones. The strict reader returns `None` for an answer that it does not accept.
pub(crate) fn hold_readers_together<T: PartialEq + fmt::Debug>(
    pages: &[&'static str],
    strict: impl Fn(&[u8]) -> Option<T>,
    lenient: impl Fn(&[u8]) -> T,
) {
    for page in pages {
        assert_eq!(strict(page.as_bytes()), Some(lenient(page.as_bytes())), "{page}");
    }
    const CASES: u32 = 5_000;
    let config = ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_201_201),
        ..ProptestConfig::default()
    };
    let accepted = Cell::new(0);
    let holds = TestRunner::new(config).run(&unexpected_answers(pages), |body| {
        if let Some(answer) = strict(&body) {
            accepted.set(accepted.get() + 1);
            prop_assert_eq!(answer, lenient(&body), "{}", String::from_utf8_lossy(&body));
        }
        Ok(())
    });
    if let Err(failure) = holds {
        panic!("{failure}");
    }
    assert!(accepted.get() > CASES / 10, "only {} were accepted", accepted.get());
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

#[test]
fn scalars_are_read_across_types_and_never_rounded() {
    for (json, expected) in [
        ("3005402395393320157", "3005402395393320157"),
        ("18446744073709551615", "18446744073709551615"),
        ("99999999999999999999", ""),
        (r#""a\u0000b""#, "a\u{FFFD}b"),
        (r#"["a"]"#, ""),
        ("true", "true"),
        ("null", ""),
    ] {
        assert_eq!(text(Some(&value(json))), expected, "{json}");
    }
    assert_eq!(text(None), "");
    for exact in ["7221856821303361536", r#""7221856821303361536""#] {
        assert_eq!(integer(Some(&value(exact))), Some(7221856821303361536), "{exact}");
    }
    for not_exact in ["1.0", "1e3", "18446744073709551615", r#""1.0""#, "true", "null"] {
        assert_eq!(integer(Some(&value(not_exact))), None, "{not_exact}");
    }
}

#[test]
fn what_is_no_object_says_why() {
    assert_eq!(parse_lenient(b"").unwrap_err(), "the body is empty");
    assert_eq!(parse_lenient(b"[]").unwrap_err(), "the body is JSON, but not an object");
    assert_eq!(parse_lenient(b"<html>").unwrap_err(), "the body is not JSON");
    assert_eq!(
        parse_lenient(&b"[".repeat(100_000)).unwrap_err(),
        "the body is not JSON"
    );
    assert!(parse_lenient(b"{}").is_ok());
}

#[test]
fn a_member_is_certain_only_under_its_name_and_once() {
    let member = |json: &str| match value(json) {
        Value::Object(object) => object.member("P2PResult").map(|value| value.is_some()),
        other => panic!("{other:?}"),
    };
    for json in ["{}", r#"{"P2PResult":null}"#, r#"{"Result":1,"\ufffd":2}"#] {
        assert_eq!(member(json), Ok(false), "{json}");
    }
    assert_eq!(member(r#"{"New":1,"P2PResult":2,"New":3}"#), Ok(true));
    for json in [
        r#"{"P2PResult":1,"P2PResult":1}"#,
        r#"{"P2PResult":1,"p2presult":1}"#,
        r#"{"p2pResult":1}"#,
        r#"{"p2p_result":1}"#,
        r#"{" P2PResult":1}"#,
        r#"{"\ufeffP2PResult":1}"#,
        r#"{"P2\ufffdResult":1}"#,
    ] {
        assert_eq!(member(json), Err(Unclear), "{json}");
    }
}

/// The text of this answer as it is shown; `None` if the answer is not readable.
fn shown(body: &[u8]) -> Option<String> {
    let object = parse_lenient(body).ok()?;
    assert_eq!(object.integer("Code"), Some(7), "{}", String::from_utf8_lossy(body));
    Some(object.text("Message").0.into_owned())
}

#[test]
fn a_damaged_text_is_shown_with_replacement_characters_and_hides_nothing_beside_it() {
    for (text, expected) in [
        (&br"a\ud83db"[..], "a\u{FFFD}b"),
        (br"a\ude00b", "a\u{FFFD}b"),
        (br"\ud83d\ud83d\ude00", "\u{FFFD}😀"),
        (br"\ud83d\u0041", "\u{FFFD}A"),
        (br"\\ud83d", r"\ud83d"),
        (b"\xE4\xBD", "\u{FFFD}"),
        (
            b"\xED\xA0\x80\xFF\xC0\xAF",
            "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
        ),
        (br"\x41\u12\'", "\u{FFFD}x41\u{FFFD}12\u{FFFD}'"),
        (b"a\nb\x01\tc", "a\nb\u{1}\tc"),
        (b"a\0b\\u0000", "a\u{FFFD}b\u{FFFD}"),
        ("a\u{FEFF}b".as_bytes(), "a\u{FEFF}b"),
        (br#"\"\\\/\b\f\n\r\t\u00e9"#, "\"\\/\u{8}\u{c}\n\r\té"),
    ] {
        let body = [br#"{"Message":""#, text, br#"","Code":7}"#].concat();
        assert_eq!(shown(&body).as_deref(), Some(expected), "{}", text.escape_ascii());
    }
    let mark = "\u{FEFF}";
    for body in [
        format!("{mark}{{\"Message\":\"\",\"Code\":7}}"),
        format!(" {mark}{mark}{{{mark}\"Message\" : {mark}\"\",{mark}\"Code\":7{mark}}} {mark}"),
    ] {
        assert_eq!(shown(body.as_bytes()).as_deref(), Some(""), "{body:?}");
    }
}

#[test]
fn an_answer_that_is_cut_off_stays_unreadable() {
    let whole = "{\"Message\":\"x \\ud83d \u{4f60}\",\"Code\":7}";
    for end in 1..whole.len() {
        assert_eq!(shown(&whole.as_bytes()[..end]), None, "{end}");
    }
    for body in [
        &b"{\0}\0"[..],
        b"\xFF{}",
        br#"{"Code":7}}"#,
        br#"{'Code':7}"#,
        br#"{"Message":"a"b","Code":7}"#,
    ] {
        assert_eq!(
            parse_lenient(body).unwrap_err(),
            "the body is not JSON",
            "{}",
            body.escape_ascii()
        );
    }
}

#[test]
fn the_texts_of_whatever_is_taken_as_an_object_are_found() {
    let deep = format!("{}\"inmost\"{}", "[".repeat(1000), "]".repeat(1000));
    for (value, expected) in [
        (
            r#""one", "b": ["two", {"name" : "three"}], "c": {}"#,
            &["one", "two", "three"][..],
        ),
        (r#""say \"a\": \\", "b": "\u4f60""#, &["say \"a\": \\", "你"]),
        (r#""before\ud800", "b": "behind""#, &["before\u{FFFD}", "behind"]),
        (r#"1e999, "b": "behind""#, &["behind"]),
        (&deep, &["inmost"]),
    ] {
        let json = format!("{{\"a\": {value}}}");
        members(&json).unwrap();
        assert_eq!(texts(&json), expected, "{json}");
    }
    for nothing in ["", "\"", "{\"a\": \"\\", "12"] {
        assert_eq!(texts(nothing), [""; 0], "{nothing}");
    }
}

#[test]
fn a_number_beyond_a_double_does_not_hide_the_code_beside_it() {
    let nines = "9".repeat(400);
    let beyond = [
        "1e400".to_owned(),
        "-1e400".to_owned(),
        "1E+400".to_owned(),
        "1.5e400".to_owned(),
        "0.1e999999999999999999999".to_owned(),
        nines.clone(),
        format!("-{nines}"),
        format!("{nines}.5"),
        format!("1{}", "0".repeat(400)),
        format!("{nines}e-1"),
    ];
    for number in &beyond {
        for body in [
            format!("{{\"New\":{number},\"Code\":7}}"),
            format!("{{\"Code\":7,\"New\":[{number},{{\"a\":{number}}}]}}"),
            format!("{{\"Code\":7,\"Message\":{number}}}"),
        ] {
            let answer = parse_lenient(body.as_bytes()).expect("JSON");
            assert_eq!(answer.integer("Code"), Some(7), "{body}");
            assert_eq!(answer.text("Message").0, "", "{body}");
        }
        let as_code = parse_lenient(format!("{{\"Code\":{number}}}").as_bytes()).expect("JSON");
        assert_eq!(as_code.member("Code"), Ok(Some(&Value::Inexact)), "{number}");
        let text = parse_lenient(format!("{{\"Message\":\"{number}\"}}").as_bytes()).expect("JSON");
        assert_eq!(text.text("Message").0, number.as_str());
        assert_eq!(
            parse_lenient(format!("{{\"Code\":{number}").as_bytes()).unwrap_err(),
            "the body is not JSON"
        );
    }
    for number in [
        "01e400",
        "1.e400",
        "-.5e400",
        "1e400e400",
        "1e",
        "--1e400",
        "1e400 1",
        "1e400x",
        "+1e400",
    ] {
        let body = format!("{{\"Code\":{number}}}");
        assert_eq!(
            parse_lenient(body.as_bytes()).unwrap_err(),
            "the body is not JSON",
            "{body}"
        );
    }
    // A number that a double can express does not change.
    let whole = parse_lenient(br#"{"Code":9007199254740993,"CodeN":18446744073709551615}"#).expect("JSON");
    assert_eq!(whole.integer("Code"), Some(9007199254740993));
    assert_eq!(whole.member("CodeN"), Ok(Some(&Value::Whole(u64::MAX.into()))));
}
