//! The control API, `/_emulator/...`: presence, what arrived, faults, clock and reset. README.md describes it for users.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json_error::{BadInput, json_error};
use crate::faults::FaultRule;
use crate::json::read_object;
use crate::request::Query;
use crate::service::Service;
use crate::state::connection::Connection;
use crate::vendor::UserScope;
use crate::volcengine::is_id;

type App = State<Arc<Service>>;

pub(crate) fn router() -> Router<Arc<Service>> {
    Router::new()
        .route("/health", get(health))
        .route("/volcengine/login", post(volcengine_login))
        .route("/volcengine/logout", post(volcengine_logout))
        .route("/volcengine/join", post(volcengine_join))
        .route("/volcengine/leave", post(volcengine_leave))
        .route("/im/join", post(im_join))
        .route("/im/leave", post(im_leave))
        .route("/zego/join", post(zego_join))
        .route("/zego/leave", post(zego_leave))
        .route("/zego/known", post(zego_known))
        .route("/inbox", get(inbox))
        .route("/ledger", get(ledger))
        .route("/requests", get(requests))
        .route("/connections", get(connections))
        .route("/stats", get(stats))
        .route("/faults", get(faults).post(add_fault).delete(remove_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/clock", post(set_clock))
        .route("/reset", post(reset))
        .method_not_allowed_fallback(async || {
            json_error(
                StatusCode::METHOD_NOT_ALLOWED,
                "method not allowed for this path, see the README",
            )
        })
        .layer(axum::middleware::map_request(count_request))
}

/// A connection whose first request is a control request is not a vendor connection.
async fn count_request(Extension(connection): Extension<Arc<Connection>>, request: Request) -> Request {
    connection.count_request();
    request
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    user_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserInRoom {
    room_id: String,
    user_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    conversation_id: i64,
    user_id: i64,
    devices: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FormerMember {
    conversation_id: i64,
    user_id: i64,
}

async fn health() -> Response {
    json(&serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

async fn volcengine_login(State(service): App, body: Bytes) -> Answer {
    let user = volcengine_user(&body)?;
    service.state().rtc.log_in(&user);
    done()
}

async fn volcengine_logout(State(service): App, body: Bytes) -> Answer {
    let user = volcengine_user(&body)?;
    service.state().rtc.log_out(&user);
    done()
}

async fn volcengine_join(State(service): App, body: Bytes) -> Answer {
    let UserInRoom { room_id, user_id } = volcengine_user_in_room(&body)?;
    service.state().rtc.join(&room_id, &user_id);
    done()
}

async fn volcengine_leave(State(service): App, body: Bytes) -> Answer {
    let UserInRoom { room_id, user_id } = volcengine_user_in_room(&body)?;
    service.state().rtc.leave(&room_id, &user_id);
    done()
}

async fn im_join(State(service): App, body: Bytes) -> Answer {
    let Member {
        conversation_id,
        user_id,
        devices,
    } = read(&body)?;
    check_positive("conversation_id", conversation_id)?;
    check_positive("user_id", user_id)?;
    if devices.iter().any(String::is_empty) {
        return Err(BadInput::field("devices", "must not hold an empty name"));
    }
    service.state().im.join(conversation_id, user_id, devices);
    done()
}

async fn im_leave(State(service): App, body: Bytes) -> Answer {
    let FormerMember {
        conversation_id,
        user_id,
    } = read(&body)?;
    service.state().im.leave(conversation_id, user_id);
    done()
}

async fn zego_join(State(service): App, body: Bytes) -> Answer {
    let UserInRoom { room_id, user_id } = zego_user_in_room(&body)?;
    service.state().zego.join(&room_id, &user_id);
    done()
}

async fn zego_leave(State(service): App, body: Bytes) -> Answer {
    let UserInRoom { room_id, user_id } = zego_user_in_room(&body)?;
    service.state().zego.leave(&room_id, &user_id);
    done()
}

async fn zego_known(State(service): App, body: Bytes) -> Answer {
    let User { user_id } = read(&body)?;
    check_zego_id("user_id", &user_id)?;
    service.state().zego.make_known(&user_id);
    done()
}

async fn inbox(State(service): App, request: Request) -> Answer {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let scope = match query.text("vendor") {
        Some("volcengine") => UserScope::Volcengine,
        Some("im") => UserScope::Im,
        Some("zego") => UserScope::Zego,
        _ => return Err(BadInput::field("vendor", "must be volcengine, im or zego")),
    };
    let user = query.text("user").filter(|user| !user.is_empty());
    let user = user.ok_or_else(|| BadInput::field("user", "is missing or empty"))?;
    Ok(json(&service.state().record.inbox(scope, user)))
}

async fn ledger(State(service): App) -> Response {
    json(&service.state().record.ledger)
}

async fn requests(State(service): App) -> Response {
    json(&service.state().record.captures)
}

async fn stats(State(service): App) -> Response {
    json(&serde_json::json!({
        "connections": service.vendor_connections.load(Ordering::Relaxed),
        "requests": service.requests(),
        "uptime_ms": u64::try_from(service.now().steady.as_millis()).unwrap_or(u64::MAX),
    }))
}

async fn connections(State(service): App) -> Response {
    let connections = service.connections();
    let of_vendors = connections.values().filter(|connection| !connection.is_only_control());
    json(&of_vendors.map(Arc::as_ref).collect::<Vec<_>>())
}

async fn faults(State(service): App) -> Response {
    json(&service.state().faults.list())
}

async fn add_fault(State(service): App, body: Bytes) -> Answer {
    let rule: Value = serde_json::from_slice(&body).map_err(|error| BadInput(error.to_string()))?;
    let rule = FaultRule::read(rule).map_err(|error| BadInput(error.to_string()))?;
    let id = service.state().faults.add(rule);
    Ok(json(&serde_json::json!({ "id": id })))
}

async fn remove_faults(State(service): App) -> Answer {
    service.state().faults.clear();
    done()
}

async fn remove_fault(State(service): App, Path(id): Path<String>) -> Answer {
    let found = id.parse().is_ok_and(|id| service.state().faults.remove(id));
    if !found {
        return Ok(json_error(StatusCode::NOT_FOUND, "no fault has this id"));
    }
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clock {
    offset_s: i64,
}

/// Ten years forward or back: more than a real clock is wrong, and all dates remain valid.
const CLOCK_OFFSET_LIMIT_SECONDS: u64 = 315_360_000;

async fn set_clock(State(service): App, body: Bytes) -> Answer {
    let Clock { offset_s } = read(&body)?;
    if offset_s.unsigned_abs() > CLOCK_OFFSET_LIMIT_SECONDS {
        return Err(BadInput::field("offset_s", "must be within ten years, 315,360,000 s"));
    }
    service.set_clock_offset(offset_s);
    done()
}

async fn reset(State(service): App) -> Answer {
    service.reset();
    done()
}

type Answer = Result<Response, BadInput>;

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadInput> {
    read_object(body).map_err(BadInput)
}

fn volcengine_user(body: &[u8]) -> Result<String, BadInput> {
    let User { user_id } = read(body)?;
    check_volcengine_id("user_id", &user_id)?;
    Ok(user_id)
}

fn volcengine_user_in_room(body: &[u8]) -> Result<UserInRoom, BadInput> {
    let user: UserInRoom = read(body)?;
    check_volcengine_id("room_id", &user.room_id)?;
    check_volcengine_id("user_id", &user.user_id)?;
    Ok(user)
}

fn zego_user_in_room(body: &[u8]) -> Result<UserInRoom, BadInput> {
    let user: UserInRoom = read(body)?;
    check_zego_id("room_id", &user.room_id)?;
    check_zego_id("user_id", &user.user_id)?;
    Ok(user)
}

fn check_volcengine_id(field: &str, id: &str) -> Result<(), BadInput> {
    let fault = "must be 1 to 128 of a-z A-Z 0-9 _ @ - .";
    is_id(id).then_some(()).ok_or_else(|| BadInput::field(field, fault))
}

fn check_zego_id(field: &str, id: &str) -> Result<(), BadInput> {
    let usable = (1..=128).contains(&id.len()) && !id.contains('\0');
    usable
        .then_some(())
        .ok_or_else(|| BadInput::field(field, "must be 1 to 128 bytes without NUL"))
}

fn check_positive(field: &str, id: i64) -> Result<(), BadInput> {
    (id > 0)
        .then_some(())
        .ok_or_else(|| BadInput::field(field, "must be above 0"))
}

fn done() -> Answer {
    Ok(json(&serde_json::json!({ "ok": true })))
}

fn json(value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("the record holds nothing that JSON cannot");
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
