//! The routes: the control API under its own prefix, and the vendors for everything else.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderValue, StatusCode, Uri, header, request::Parts};
use axum::response::Response;
use bytes::Bytes;

use super::control;
use super::json_error::json_error;
use crate::faults::{Cut, NO_ANSWER};
use crate::reply::Reply;
use crate::request::Request;
use crate::service::Service;
use crate::state::connection::Connection;
use crate::vendor::Vendor;

/// More than any message needs, even if each of its characters is escaped.
const BODY_LIMIT_BYTES: usize = 4 * 1024 * 1024;

pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .nest("/_emulator", control::router())
        .fallback(serve_vendor)
        .with_state(service)
}

async fn serve_vendor(
    State(service): State<Arc<Service>>,
    Extension(connection): Extension<Arc<Connection>>,
    request: axum::extract::Request,
) -> Response {
    let request_on_connection = connection.count_request();
    let (parts, body) = request.into_parts();
    let body = match axum::body::to_bytes(body, BODY_LIMIT_BYTES).await {
        Ok(body) => body,
        Err(_) => return json_error(StatusCode::PAYLOAD_TOO_LARGE, "the body is cut short or above 4 MiB"),
    };
    if let Some(cut) = connection.complete_request() {
        connection.cut_answer(Cut { after: 0, ..cut });
        return Response::default();
    }
    let request = received(&parts, body);
    let Some(vendor) = request.vendor() else {
        return json_error(StatusCode::NOT_FOUND, &not_found_message(&request));
    };
    if request_on_connection == 1 {
        service.vendor_connections.fetch_add(1, Ordering::Relaxed);
    }
    let Some(reply) = service
        .handle(&connection, vendor, request_on_connection, request)
        .await
    else {
        connection.cut_answer(NO_ANSWER);
        return Response::default();
    };
    response(&service, vendor, reply)
}

fn response(service: &Service, vendor: Vendor, reply: Reply) -> Response {
    let content_type = match vendor {
        Vendor::Volcengine => "application/json; charset=utf-8",
        Vendor::Zego => "application/json",
    };
    // The date is that of the emulator's clock, not of the machine's, because clients compute their clock skew from it.
    let date = service.now().civil().http_date();
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.extend(HeaderValue::try_from(date).ok().map(|date| (header::DATE, date)));
    for (name, value) in reply.headers {
        headers.insert(name, value);
    }
    response
}

fn received(parts: &Parts, body: Bytes) -> Request {
    let value = |value: &axum::http::HeaderValue| Bytes::copy_from_slice(value.as_bytes());
    Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        raw_query: raw_query(&parts.uri).to_owned(),
        headers: parts
            .headers
            .iter()
            .map(|(name, line)| (name.as_str().to_owned(), value(line)))
            .collect(),
        body,
    }
}

fn raw_query(uri: &Uri) -> &str {
    uri.query().unwrap_or_default()
}

fn not_found_message(request: &Request) -> String {
    if request.path == "/" {
        return "not a request to Volcengine (no Action and Version in the query) or ZEGO (no common parameters)"
            .to_owned();
    }
    format!(
        "unknown path {:?}: the vendors are at /, the control API is at /_emulator/",
        request.path
    )
}
