//! Bad bodies: unexpected JSON of many kinds in valid HTTP answers. Each row has the expected code and delivery of the report
//! and the expected delivery of every recipient. The rows of a table share a client, so each row also shows that the client
//! still works after the previous one.

mod common;
#[path = "common/vendors.rs"]
mod vendors;

use std::collections::VecDeque;
use std::io::Write;

use common::{COMMAND, Peer, SIGNAL, UNICAST, client, outcome, read_request, send};
use rtcmsg::Delivery::{self, Accepted, Delivered, NotDelivered, Unknown};
use rtcmsg::{Code, Message};
use vendors::{ACCEPTED, Outcome, UNREADABLE};

/// Checks answers to one message, each on its own connection: a body with HTTP status 200, the expected outcome, and the expected
/// delivery of each recipient.
fn hold_bodies(what: &str, message: Message, rows: &[(&str, &[u8], Outcome, &[Delivery])]) {
    let mut bodies: VecDeque<Vec<u8>> = rows.iter().map(|row| row.1.to_vec()).collect();
    let peer = Peer::new(rows.len(), move |mut stream| {
        let body = bodies.pop_front().expect("a row");
        read_request(&mut stream);
        let head = format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), &body].concat()).expect("written");
    });
    let client = client(&peer.url);
    let mut wrongs = Vec::new();
    for (name, _, expected, deliveries) in rows {
        let report = send(&client, &message);
        let got: Vec<Delivery> = report.recipients().iter().map(|r| r.delivery).collect();
        if outcome(&report) != *expected || got != *deliveries || report.summary().contains(char::is_control) {
            wrongs.push(format!(
                "{name}: {got:?} for {deliveries:?}, not {expected:?}: {:?}",
                report.summary()
            ));
        }
    }
    peer.join();
    println!("{what}: {} rows", rows.len());
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}

const FAULT: Outcome = (Code::VendorFault, Unknown);
const SLOW_DOWN: Outcome = (Code::Throttled, NotDelivered);
const GOT_IT: Outcome = (Code::Ok, Delivered);
const SOME_UNKNOWN: Outcome = (Code::Partial, Unknown);

#[test]
fn unexpected_json_from_volcengine() {
    let deep = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"ResponseMetadata":{{"RequestId":"r"}},"Result":{open}{close}}}"#).into_bytes()
    };
    let (shallow, too_deep) = (deep(100), deep(100_000));
    let endless_objects = br#"{"ResponseMetadata":"#.repeat(10_000);
    let (taken, none, refused): (&[_], &[_], &[_]) = (&[Accepted], &[Unknown], &[NotDelivered]);
    #[rustfmt::skip]
    let rows: &[(&str, &[u8], Outcome, &[Delivery])] = &[
        ("100 lists deep", &shallow, ACCEPTED, taken),
        ("100,000 lists deep", &too_deep, UNREADABLE, none),
        ("10,000 objects deep, never closed", &endless_objects, UNREADABLE, none),
        ("a number beyond i64 as RequestId", br#"{"ResponseMetadata":{"RequestId":99999999999999999999999999}}"#, ACCEPTED, taken),
        ("a number beyond a double", br#"{"ResponseMetadata":{"RequestId":1e999}}"#, ACCEPTED, taken),
        ("no number", br#"{"ResponseMetadata":{"RequestId":NaN}}"#, UNREADABLE, none),
        ("RequestId a list", br#"{"ResponseMetadata":{"RequestId":["r"]}}"#, ACCEPTED, taken),
        ("RequestId of many lines", br#"{"ResponseMetadata":{"RequestId":"r\nINFO forged\r\u0000\u001b[2J"}}"#, ACCEPTED, taken),
        ("ResponseMetadata a list", br#"{"ResponseMetadata":[]}"#, UNREADABLE, none),
        ("ResponseMetadata a text", br#"{"ResponseMetadata":"{}"}"#, UNREADABLE, none),
        ("ResponseMetadata null", br#"{"ResponseMetadata":null}"#, UNREADABLE, none),
        ("ResponseMetadata in lower case", br#"{"responsemetadata":{}}"#, UNREADABLE, none),
        ("Error null", br#"{"ResponseMetadata":{"Error":null}}"#, ACCEPTED, taken),
        ("Error empty", br#"{"ResponseMetadata":{"Error":{}}}"#, FAULT, none),
        ("Error a text", br#"{"ResponseMetadata":{"Error":"FlowLimitExceeded"}}"#, UNREADABLE, none),
        ("Error a list", br#"{"ResponseMetadata":{"Error":[]}}"#, UNREADABLE, none),
        ("Error false", br#"{"ResponseMetadata":{"Error":false}}"#, UNREADABLE, none),
        ("Error 0", br#"{"ResponseMetadata":{"Error":0}}"#, UNREADABLE, none),
        ("CodeN a text", br#"{"ResponseMetadata":{"Error":{"CodeN":"100018"}}}"#, SLOW_DOWN, refused),
        ("CodeN beyond i64", br#"{"ResponseMetadata":{"Error":{"CodeN":99999999999999999999,"Code":"FlowLimitExceeded"}}}"#, SLOW_DOWN, refused),
        ("CodeN that wraps to 100018", br#"{"ResponseMetadata":{"Error":{"CodeN":4295067314}}}"#, FAULT, none),
        ("CodeN a fraction", br#"{"ResponseMetadata":{"Error":{"CodeN":100018.5}}}"#, FAULT, none),
        ("Code a number", br#"{"ResponseMetadata":{"Error":{"Code":7}}}"#, FAULT, none),
        ("Code a number, CodeN known", br#"{"ResponseMetadata":{"Error":{"Code":7,"CodeN":100018}}}"#, SLOW_DOWN, refused),
        ("Code of many lines", br#"{"ResponseMetadata":{"Error":{"Code":"Never\nSeen\u0000\u0085","Message":"a\nb"}}}"#, FAULT, none),
        ("Code in another case", br#"{"ResponseMetadata":{"Error":{"Code":"flowlimitexceeded"}}}"#, FAULT, none),
        ("Code a family without a member", br#"{"ResponseMetadata":{"Error":{"Code":"FlowLimitExceeded."}}}"#, SLOW_DOWN, refused),
        ("Message a number", br#"{"ResponseMetadata":{"Error":{"Code":"FlowLimitExceeded","Message":1}}}"#, SLOW_DOWN, refused),
        ("Message an object", br#"{"ResponseMetadata":{"Error":{"Code":"FlowLimitExceeded","Message":{}}}}"#, SLOW_DOWN, refused),
        ("two ResponseMetadata, the last an error", br#"{"ResponseMetadata":{},"ResponseMetadata":{"Error":{"Code":"FlowLimitExceeded"}}}"#, UNREADABLE, none),
        ("two ResponseMetadata, the first an error", br#"{"ResponseMetadata":{"Error":{"Code":"FlowLimitExceeded"}},"ResponseMetadata":{}}"#, UNREADABLE, none),
        ("two Codes", br#"{"ResponseMetadata":{"Error":{"Code":"NeverSeen","Code":"FlowLimitExceeded"}}}"#, UNREADABLE, none),
        ("an error in lower case", br#"{"ResponseMetadata":{"error":{"Code":"FlowLimitExceeded"}}}"#, UNREADABLE, none),
        ("rows of users, as IM has them", br#"{"ResponseMetadata":{},"Result":{"P2PResult":[{"UserId":1,"Code":"SUCCESS"}]}}"#, UNREADABLE, none),
        ("the action that was sent", br#"{"ResponseMetadata":{"Action":"SendUnicast"}}"#, ACCEPTED, taken),
        ("another action", br#"{"ResponseMetadata":{"Action":"SendBroadcast"}}"#, UNREADABLE, none),
        ("another action, refused", br#"{"ResponseMetadata":{"Action":"SendBroadcast","Error":{"Code":"FlowLimitExceeded"}}}"#, UNREADABLE, none),
        ("an Error beside the metadata", br#"{"ResponseMetadata":{},"Error":{"Code":"FlowLimitExceeded"}}"#, ACCEPTED, taken),
        ("Result a text", br#"{"ResponseMetadata":{},"Result":"Success"}"#, UNREADABLE, none),
        ("Result an empty text", br#"{"ResponseMetadata":{},"Result":""}"#, ACCEPTED, taken),
        ("Result a list of rows", br#"{"ResponseMetadata":{},"Result":[{"UserId":1,"Code":"NOT_ONLINE"}]}"#, UNREADABLE, none),
        ("P2PResult a row", br#"{"ResponseMetadata":{},"Result":{"P2PResult":{"UserId":1,"Code":"NOT_ONLINE"}}}"#, UNREADABLE, none),
        ("P2PResult beside Result", br#"{"ResponseMetadata":{},"P2PResult":[{"UserId":1,"Code":"NOT_ONLINE"}]}"#, UNREADABLE, none),
        ("Result null", br#"{"ResponseMetadata":{},"Result":null}"#, ACCEPTED, taken),
        ("something behind it", br#"{"ResponseMetadata":{}}}"#, UNREADABLE, none),
        ("two objects", br#"{"ResponseMetadata":{}}{"ResponseMetadata":{}}"#, UNREADABLE, none),
        ("one in a list", br#"[{"ResponseMetadata":{}}]"#, UNREADABLE, none),
        ("one in a text", br#""{\"ResponseMetadata\":{}}""#, UNREADABLE, none),
        ("a comma too many", br#"{"ResponseMetadata":{},}"#, UNREADABLE, none),
        ("a comment", br#"{"ResponseMetadata":{}/**/}"#, UNREADABLE, none),
        ("single quotes", br#"{'ResponseMetadata':{}}"#, UNREADABLE, none),
        ("half of it", br#"{"ResponseMetadata":{"#, UNREADABLE, none),
        ("no UTF-8", b"{\"ResponseMetadata\":{\"RequestId\":\"\xff\"}}", ACCEPTED, taken),
        ("half a surrogate", br#"{"ResponseMetadata":{"RequestId":"\ud83d"}}"#, ACCEPTED, taken),
        ("UTF-16", b"{\0}\0", UNREADABLE, none),
        ("NUL", b"\0", UNREADABLE, none),
        ("white space alone", b" \r\n\t ", UNREADABLE, none),
        ("true", b"true", UNREADABLE, none),
        ("0", b"0", UNREADABLE, none),
    ];
    hold_bodies("Volcengine RTC bodies", UNICAST, rows);
}

#[test]
fn unexpected_push_results() {
    /// Above 2^53, where a double cannot represent it exactly.
    const LARGE: i64 = 9_007_199_254_740_993;
    let message = Message::P2PSendMessageToUsers {
        signal: SIGNAL,
        user_ids: &[1, LARGE, i64::MAX],
    };
    let with = |rows: &str| format!(r#"{{"ResponseMetadata":{{"RequestId":"r"}},"Result":{{"P2PResult":{rows}}}}}"#);
    let wrong = |deliveries| (SOME_UNKNOWN, deliveries);
    let all = |outcome: Outcome| (outcome, [outcome.1; 3]);
    #[rustfmt::skip]
    let rows = [
        ("none", "[]", all(ACCEPTED)),
        ("null", "null", all(ACCEPTED)),
        ("an object", "{}", all(UNREADABLE)),
        ("a text", r#""SUCCESS""#, all(UNREADABLE)),
        ("a number", "0", all(UNREADABLE)),
        ("rows that are no objects", r#"[1,"SUCCESS",null,[]]"#, all(UNREADABLE)),
        ("a row of nothing", "[{}]", all(UNREADABLE)),
        ("a user without a word", r#"[{"UserId":1}]"#, wrong([Unknown, Accepted, Accepted])),
        ("a word that is a number", r#"[{"UserId":1,"Code":0}]"#, wrong([Unknown, Accepted, Accepted])),
        ("an unknown word", r#"[{"UserId":1,"Code":"PUSHED"}]"#, wrong([Unknown, Accepted, Accepted])),
        ("ids as texts", r#"[{"UserId":"1","Code":"SUCCESS"},{"UserId":"9007199254740993","Code":"success"},{"UserId":"9223372036854775807","Code":"Success"}]"#, all(GOT_IT)),
        ("an id's neighbour, as a double would have it", r#"[{"UserId":9007199254740992,"Code":"SUCCESS"}]"#, all(UNREADABLE)),
        ("an id as a double", r#"[{"UserId":1.0,"Code":"SUCCESS"}]"#, all(UNREADABLE)),
        ("an id beyond i64", r#"[{"UserId":9223372036854775808,"Code":"SUCCESS"}]"#, all(UNREADABLE)),
        ("an id that wraps to 1", r#"[{"UserId":18446744073709551617,"Code":"SUCCESS"}]"#, all(UNREADABLE)),
        ("an id with spaces", r#"[{"UserId":" 1 ","Code":"SUCCESS"}]"#, (GOT_IT_OR_TAKEN, [Delivered, Accepted, Accepted])),
        ("somebody else", r#"[{"UserId":5,"Code":"SUCCESS"}]"#, all(UNREADABLE)),
        ("somebody else beside one who was asked for", r#"[{"UserId":5,"Code":"SUCCESS"},{"UserId":1,"Code":"SUCCESS"}]"#, wrong([Delivered, Unknown, Unknown])),
        ("a user on two devices", r#"[{"UserId":1,"Code":"NOT_ONLINE","DevicePlatform":"IOS"},{"UserId":1,"Code":"SUCCESS","DevicePlatform":"Web"}]"#, (GOT_IT_OR_TAKEN, [Delivered, Accepted, Accepted])),
        ("a user twice without a device", r#"[{"UserId":1,"Code":"NOT_ONLINE"},{"UserId":1,"Code":"SUCCESS"}]"#, wrong([Delivered, Unknown, Unknown])),
        ("a user offline and on a device", r#"[{"UserId":1,"Code":"NOT_ONLINE","DevicePlatform":"Default"},{"UserId":1,"Code":"SUCCESS","DevicePlatform":"Web"}]"#, wrong([Delivered, Unknown, Unknown])),
        ("two users in a row", r#"[{"UserId":5,"UserId":1,"Code":"SUCCESS"}]"#, all(UNREADABLE)),
        ("an unreadable row among readable ones", r#"[{"UserId":1,"Code":"SUCCESS"},{"Code":"NOT_ONLINE"}]"#, wrong([Delivered, Unknown, Unknown])),
        ("a device that is a number", r#"[{"UserId":1,"Code":"SUCCESS","DevicePlatform":7}]"#, (GOT_IT_OR_TAKEN, [Delivered, Accepted, Accepted])),
    ];
    const GOT_IT_OR_TAKEN: Outcome = (Code::Ok, Accepted);
    let bodies: Vec<String> = rows.iter().map(|row| with(row.1)).collect();
    let held: Vec<(&str, &[u8], Outcome, &[Delivery])> = rows
        .iter()
        .zip(&bodies)
        .map(|((name, _, (outcome, deliveries)), body)| (*name, body.as_bytes(), *outcome, &deliveries[..]))
        .collect();
    hold_bodies("Volcengine IM bodies", message, &held);

    let to_all = Message::P2PSendMessageToAll { signal: SIGNAL };
    let body = |rows| with(rows).into_bytes();
    #[rustfmt::skip]
    let rows: &[(&str, &[u8], Outcome, &[Delivery])] = &[
        ("to all: somebody, and perhaps others", &body(r#"[{"UserId":1,"Code":"SUCCESS"}]"#), ACCEPTED, &[Delivered]),
        ("to all: only those who are offline", &body(r#"[{"UserId":1,"Code":"NOT_ONLINE"}]"#), (Code::Partial, NotDelivered), &[NotDelivered]),
        ("to all: nobody", &body("[]"), ACCEPTED, &[]),
        ("to all: rows that cannot be read", &body("[7]"), UNREADABLE, &[]),
        ("to all: no list", &body("{}"), UNREADABLE, &[]),
        ("to all: one row that cannot be read", &body(r#"[{"UserId":1,"Code":"SUCCESS"},{"UserId":1e30,"Code":"NOT_ONLINE"}]"#), SOME_UNKNOWN, &[Delivered]),
    ];
    hold_bodies("Volcengine IM bodies to all", to_all, rows);
}

#[test]
fn unexpected_json_from_zego() {
    let too_deep = format!(r#"{{"Code":0,"Data":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let to_room: &[Delivery] = &[];
    #[rustfmt::skip]
    let rows: &[(&str, &[u8], Outcome, &[Delivery])] = &[
        ("Code alone", br#"{"Code":0}"#, ACCEPTED, to_room),
        ("Code a text", br#"{"Code":"0"}"#, ACCEPTED, to_room),
        ("Code minus 0", br#"{"Code":-0}"#, UNREADABLE, to_room),
        ("Code a double", br#"{"Code":0.0}"#, UNREADABLE, to_room),
        ("Code false", br#"{"Code":false}"#, UNREADABLE, to_room),
        ("Code null", br#"{"Code":null}"#, UNREADABLE, to_room),
        ("Code a list", br#"{"Code":[0]}"#, UNREADABLE, to_room),
        ("Code empty", br#"{"Code":""}"#, UNREADABLE, to_room),
        ("Code missing", br#"{"Message":"success"}"#, UNREADABLE, to_room),
        ("code in lower case", br#"{"code":0}"#, UNREADABLE, to_room),
        ("Code that wraps to 0", br#"{"Code":4294967296}"#, UNREADABLE, to_room),
        ("Code that wraps to 0 twice", br#"{"Code":18446744073709551616}"#, UNREADABLE, to_room),
        ("Code beyond i32", br#"{"Code":9223372036854775807}"#, UNREADABLE, to_room),
        ("Code negative", br#"{"Code":-1}"#, FAULT, to_room),
        ("Code never seen", br#"{"Code":123456}"#, FAULT, to_room),
        ("Code 7 as text", br#"{"Code":"7"}"#, SLOW_DOWN, to_room),
        ("two Codes, the last an error", br#"{"Code":0,"Code":7}"#, UNREADABLE, to_room),
        ("two Codes, the first an error", br#"{"Code":7,"Code":0}"#, UNREADABLE, to_room),
        ("RequestId a number", br#"{"Code":0,"RequestId":3005402395393320157}"#, ACCEPTED, to_room),
        ("RequestId beyond u64", br#"{"Code":0,"RequestId":300540239539332015799}"#, ACCEPTED, to_room),
        ("RequestId of many lines", br#"{"Code":0,"RequestId":"r\nINFO forged"}"#, ACCEPTED, to_room),
        ("Message of many lines", br#"{"Code":7,"Message":"a\nb\u0000c"}"#, SLOW_DOWN, to_room),
        ("Message a number", br#"{"Code":7,"Message":1.5}"#, SLOW_DOWN, to_room),
        ("Data null", br#"{"Code":0,"Data":null}"#, ACCEPTED, to_room),
        ("100,000 lists deep", too_deep.as_bytes(), UNREADABLE, to_room),
        ("half of it", br#"{"Code":0"#, UNREADABLE, to_room),
        ("something behind it", br#"{"Code":0}0"#, UNREADABLE, to_room),
        ("one in a list", br#"[{"Code":0}]"#, UNREADABLE, to_room),
        ("no UTF-8", b"{\"Code\":0,\"Message\":\"\xff\"}", ACCEPTED, to_room),
        ("a list of users", br#"{"Code":0,"Data":{"FailUsers":[{"Uid":"alice","Code":50003}]}}"#, UNREADABLE, to_room),
        ("Data of another shape", br#"{"Code":0,"Data":[{"Uid":"alice"}]}"#, UNREADABLE, to_room),
        ("FailUsers beside Data", br#"{"Code":0,"Data":{},"FailUsers":[{"Uid":"alice","Code":50003}]}"#, UNREADABLE, to_room),
        ("data in lower case", br#"{"Code":0,"data":{}}"#, UNREADABLE, to_room),
        ("NUL", b"\0", UNREADABLE, to_room),
    ];
    hold_bodies("ZEGO bodies", COMMAND, rows);
}

#[test]
fn unexpected_fail_users() {
    let message = Message::SendCustomCommandToUsers {
        room_id: "lobby",
        from: "server",
        to: &["1111", "99999999999999999999", "名"],
        content: "hi",
    };
    let with =
        |users: &str| format!(r#"{{"Code":0,"Message":"success","RequestId":"r","Data":{{"FailUsers":{users}}}}}"#);
    let all = |outcome: Outcome| (outcome, [outcome.1; 3]);
    let first = ((Code::Partial, NotDelivered), [NotDelivered, Accepted, Accepted]);
    let first_and_unknown = (SOME_UNKNOWN, [NotDelivered, Unknown, Unknown]);
    #[rustfmt::skip]
    let rows = [
        ("none", "[]", all(ACCEPTED)),
        ("null", "null", all(ACCEPTED)),
        ("an object", "{}", all(UNREADABLE)),
        ("a text", r#""1111""#, all(UNREADABLE)),
        ("a number", "0", all(UNREADABLE)),
        ("false", "false", all(UNREADABLE)),
        ("names instead of rows", r#"["1111"]"#, all(UNREADABLE)),
        ("a row of nothing", "[{}]", all(UNREADABLE)),
        ("an empty Uid", r#"[{"Uid":"","Code":105}]"#, all(UNREADABLE)),
        ("a UserId", r#"[{"UserId":"1111","Code":"50003"}]"#, first),
        ("a Uid in lower case", r#"[{"uid":"1111","Code":50003}]"#, all(UNREADABLE)),
        ("a Uid that is a list", r#"[{"Uid":["1111"],"Code":105}]"#, all(UNREADABLE)),
        ("a Uid", r#"[{"Uid":"1111","Code":50003}]"#, first),
        ("a Uid as a number", r#"[{"Uid":1111,"Code":50003}]"#, first),
        ("a Uid as a double", r#"[{"Uid":1111.0,"Code":50003}]"#, all(UNREADABLE)),
        ("a Uid as a number beyond u64", r#"[{"Uid":99999999999999999999,"Code":50003}]"#, all(UNREADABLE)),
        ("a Uid of escapes", r#"[{"Uid":"\u540d","Code":50003}]"#, ((Code::Partial, NotDelivered), [Accepted, Accepted, NotDelivered])),
        ("a Uid without a Code", r#"[{"Uid":"1111"}]"#, first),
        ("a Code as text", r#"[{"Uid":"1111","Code":"50003"}]"#, first),
        ("a Code beyond i32", r#"[{"Uid":"1111","Code":4294967296}]"#, first),
        ("a Code of 0", r#"[{"Uid":"1111","Code":0}]"#, first),
        ("a Uid twice", r#"[{"Uid":"1111","Code":105},{"Uid":"1111","Code":50003}]"#, first),
        ("a readable row and one that is not", r#"[{"Uid":"1111","Code":105},7]"#, first_and_unknown),
        ("everybody", r#"[{"Uid":"1111","Code":105},{"Uid":"99999999999999999999","Code":105},{"Uid":"名","Code":105}]"#, all((Code::Undelivered, NotDelivered))),
    ];
    let bodies: Vec<String> = rows.iter().map(|row| with(row.1)).collect();
    let held: Vec<(&str, &[u8], Outcome, &[Delivery])> = rows
        .iter()
        .zip(&bodies)
        .map(|((name, _, (outcome, deliveries)), body)| (*name, body.as_bytes(), *outcome, &deliveries[..]))
        .collect();
    hold_bodies("ZEGO lists of users", message, &held);
}
