//! A running emulator with clocks held in hand, and the smallest client that can talk to it. The signing here is a reading of its
//! own, by the vendors' description: it shares nothing with what it tests.

#![allow(dead_code, reason = "every test program uses a part of it")]

pub mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use rtcmsg_emulator::{Emulator, Options};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use ureq::http;

/// The wall clock of every lab at its start: 2026-01-02T03:04:05Z.
pub const START: u64 = 1_767_323_045;
pub const START_X_DATE: &str = "20260102T030405Z";

pub struct Lab {
    pub emulator: Emulator,
    agent: ureq::Agent,
    wall_seconds: Arc<AtomicU64>,
    steady_nanoseconds: Arc<AtomicU64>,
    nonces: AtomicU64,
}

pub struct Answer {
    pub status: u16,
    pub date: String,
    pub headers: http::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// CodeN, or 0 without it, and Code of a Volcengine answer: 0 and an empty text when it is no error.
    pub fn error(&self) -> (u64, &str) {
        let error = &self.body["ResponseMetadata"]["Error"];
        (
            error["CodeN"].as_u64().unwrap_or(0),
            error["Code"].as_str().unwrap_or(""),
        )
    }

    /// The code of a ZEGO answer.
    pub fn code(&self) -> i64 {
        self.body["Code"].as_i64().expect("a ZEGO answer has a Code")
    }
}

impl Lab {
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    pub fn with(change: impl FnOnce(&mut Options)) -> Self {
        let wall_seconds = Arc::new(AtomicU64::new(START));
        let steady_nanoseconds = Arc::new(AtomicU64::new(0));
        let (wall, steady) = (Arc::clone(&wall_seconds), Arc::clone(&steady_nanoseconds));
        let mut options = Options {
            clock: Arc::new(move || UNIX_EPOCH + Duration::from_secs(wall.load(Ordering::SeqCst))),
            steady_clock: Arc::new(move || Duration::from_nanos(steady.load(Ordering::SeqCst))),
            ..Options::default()
        };
        change(&mut options);
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .build();
        Self {
            emulator: Emulator::start(options).expect("the emulator starts"),
            agent: agent.into(),
            wall_seconds,
            steady_nanoseconds,
            nonces: AtomicU64::new(1),
        }
    }

    /// Puts the emulator's wall clock so many seconds from the start.
    pub fn set_wall(&self, seconds_from_start: i64) {
        self.wall_seconds
            .store(START.saturating_add_signed(seconds_from_start), Ordering::SeqCst);
    }

    pub fn set_steady(&self, since_start: Duration) {
        self.steady_nanoseconds
            .store(u64::try_from(since_start.as_nanos()).unwrap(), Ordering::SeqCst);
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.emulator.port())
    }

    pub fn run(&self, method: &str, target: &str, headers: &[(String, String)], body: &[u8]) -> Answer {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{target}", self.emulator.url()));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut response = if body.is_empty() && method == "GET" {
            self.agent.run(request.body(()).unwrap()).unwrap()
        } else {
            self.agent.run(request.body(body).unwrap()).unwrap()
        };
        let headers = response.headers().clone();
        let text = response.body_mut().read_to_string().unwrap();
        Answer {
            status: response.status().as_u16(),
            date: response.headers()["date"].to_str().unwrap().to_owned(),
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }

    /// Posts to the control API, which must be content.
    pub fn control(&self, path: &str, body: Value) {
        let answer = self.run("POST", &format!("/_emulator/{path}"), &[], body.to_string().as_bytes());
        assert_eq!(answer.body, json!({ "ok": true }), "{path} {body}");
    }

    pub fn look(&self, path: &str) -> Value {
        let answer = self.run("GET", &format!("/_emulator/{path}"), &[], b"");
        assert_eq!(answer.status, 200, "{path}");
        answer.body
    }

    pub fn inbox(&self, vendor: &str, user: &str) -> Vec<Value> {
        self.look(&format!("inbox?vendor={vendor}&user={user}"))
            .as_array()
            .unwrap()
            .clone()
    }

    pub fn last_ledger_entry(&self) -> Value {
        self.look("ledger").as_array().unwrap().last().unwrap().clone()
    }

    /// Sends a properly signed Volcengine request.
    pub fn volcengine(&self, action: &str, version: &str, body: &Value) -> Answer {
        VolcengineRequest::new(action, version, body).send(self)
    }

    /// Sends a properly signed ZEGO request; the parameters are a raw query.
    pub fn zego(&self, action: &str, parameters: &str) -> Answer {
        let common = self.zego_common();
        self.run("GET", &format!("/?Action={action}&{common}&{parameters}"), &[], b"")
    }

    /// ZEGO's common parameters, with a fresh nonce.
    pub fn zego_common(&self) -> String {
        let nonce = format!("{:016x}", self.nonces.fetch_add(1, Ordering::SeqCst));
        let signature = zego_signature("1234567890", &nonce, "0123456789abcdef0123456789abcdef", START);
        format!("AppId=1234567890&SignatureNonce={nonce}&Timestamp={START}&Signature={signature}&SignatureVersion=2.0")
    }
}

pub fn zego_signature(app_id: &str, nonce: &str, secret: &str, timestamp: u64) -> String {
    hex(&Md5::digest(format!("{app_id}{nonce}{secret}{timestamp}")))
}

/// A Volcengine request, right unless a test bends it.
#[derive(Clone)]
pub struct VolcengineRequest {
    pub method: String,
    pub query: String,
    pub body: Vec<u8>,
    pub access_key: String,
    pub secret_key: String,
    pub x_date: String,
    pub scope: String,
    pub session_token: Option<String>,
    pub signed_headers: Vec<&'static str>,
    /// Headers put in place of the signed ones, after signing; an empty value takes the header away.
    pub after_signing: Vec<(&'static str, String)>,
}

impl VolcengineRequest {
    pub fn new(action: &str, version: &str, body: &Value) -> Self {
        Self {
            method: "POST".to_owned(),
            query: format!("Action={action}&Version={version}"),
            body: body.to_string().into_bytes(),
            access_key: "AKLTdemo".to_owned(),
            secret_key: "demo-secret-key==".to_owned(),
            x_date: START_X_DATE.to_owned(),
            scope: "20260102/cn-north-1/rtc/request".to_owned(),
            session_token: None,
            signed_headers: vec!["content-type", "host", "x-content-sha256", "x-date"],
            after_signing: Vec::new(),
        }
    }

    pub fn with_body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    pub fn send(&self, lab: &Lab) -> Answer {
        lab.run(
            &self.method,
            &format!("/?{}", self.query),
            &self.headers(lab),
            &self.body,
        )
    }

    /// The request as it is on the wire.
    pub fn bytes(&self, lab: &Lab) -> Vec<u8> {
        let headers = self.headers(lab).into_iter();
        let headers: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = self.body.len();
        let head = format!(
            "{} /?{} HTTP/1.1\r\n{headers}content-length: {length}\r\n\r\n",
            self.method, self.query
        );
        [head.as_bytes(), &self.body].concat()
    }

    fn headers(&self, lab: &Lab) -> Vec<(String, String)> {
        let hash = hex(&Sha256::digest(&self.body));
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("host".to_owned(), lab.host()),
            ("x-content-sha256".to_owned(), hash.clone()),
            ("x-date".to_owned(), self.x_date.clone()),
        ];
        headers.extend(
            self.session_token
                .iter()
                .map(|token| ("x-security-token".to_owned(), token.clone())),
        );
        let names = self.signed_headers.join(";");
        let signed = headers
            .iter()
            .filter(|(name, _)| self.signed_headers.contains(&name.as_str()));
        let signed: String = signed.map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("{}\n/\n{}\n{signed}\n{names}\n{hash}", self.method, self.query);
        let signature = self.signature(&canonical);
        let authorization = format!(
            "HMAC-SHA256 Credential={}/{}, SignedHeaders={names}, Signature={signature}",
            self.access_key, self.scope
        );
        headers.push(("authorization".to_owned(), authorization));
        for (name, value) in &self.after_signing {
            headers.retain(|(candidate, _)| candidate != name);
            if !value.is_empty() {
                headers.push(((*name).to_owned(), value.clone()));
            }
        }
        headers
    }

    fn signature(&self, canonical: &str) -> String {
        let mut key = self.secret_key.clone().into_bytes();
        for part in self.scope.split('/') {
            key = hmac(&key, part);
        }
        let hash = hex(&Sha256::digest(canonical));
        hex(&hmac(
            &key,
            &format!("HMAC-SHA256\n{}\n{}\n{hash}", self.x_date, self.scope),
        ))
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn send_unicast() -> Value {
    json!({ "AppId": "661e000000000000000demo1", "From": "server", "To": "alice", "Binary": false, "Message": "hello" })
}

pub fn send_room_unicast() -> Value {
    with(send_unicast(), "RoomId", json!("room"))
}

pub fn send_broadcast() -> Value {
    without(send_room_unicast(), "To")
}

pub fn batch_send_room_unicast() -> Value {
    with(send_room_unicast(), "To", json!(["alice", "bob"]))
}

pub fn p2p_send_message() -> Value {
    json!({
        "AppId": 666_675, "Sender": 10_008, "ConversationShortId": 7_221_856_821_303_361_536_i64, "MsgType": 10_013,
        "Content": "hello", "ReceiverUserId": [], "IgnoreUserIds": [],
    })
}

pub fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

pub fn without(mut body: Value, field: &str) -> Value {
    body.as_object_mut().unwrap().remove(field);
    body
}
