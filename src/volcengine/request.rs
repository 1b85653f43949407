//! A signed request.

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use time::UtcDateTime;

use super::account::{Account, Site};
use super::route::{self, CONTENT_SHA256, DATE, Route, SECURITY_TOKEN};
use super::sign;
use super::signer::Signer;

/// An action ready to be signed: the body's bytes are the ones sent.
pub(crate) struct UnsignedRequest<'a> {
    pub action: &'a str,
    pub version: &'a str,
    pub body: Vec<u8>,
}

/// The signed request. Fails only for a name or token that no header can carry, which settings do not let in.
pub(crate) fn request(
    account: &Account,
    site: &Site,
    signer: &Signer,
    call: UnsignedRequest,
    now: UtcDateTime,
) -> Result<Request<Vec<u8>>, http::Error> {
    let of_this_call;
    let route = match site.route(call.action, call.version) {
        Some(route) => route,
        None => {
            of_this_call = Route::new(&site.endpoint, call.action, call.version)?;
            &of_this_call
        }
    };
    let credentials = signer.credentials();
    let token = credentials.session_token.expose();
    let x_date = sign::x_date(now);
    let body_sha256 = sign::sha256_hex(&call.body);
    let (x_date, body_sha256) = (&*x_date, &*body_sha256);
    let key = signer.key(&x_date[..8], &site.region, &account.service);
    let authorization = route.authorization(credentials, &key, x_date, body_sha256);

    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(route::JSON));
    headers.insert(HOST, route.host.clone());
    headers.insert(
        const { HeaderName::from_static(CONTENT_SHA256) },
        HeaderValue::from_str(body_sha256)?,
    );
    headers.insert(const { HeaderName::from_static(DATE) }, HeaderValue::from_str(x_date)?);
    headers.insert(AUTHORIZATION, sensitive(HeaderValue::try_from(authorization)?));
    if !token.is_empty() {
        headers.insert(
            const { HeaderName::from_static(SECURITY_TOKEN) },
            sensitive(HeaderValue::from_str(token)?),
        );
    }
    let mut request = Request::new(call.body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = route.uri.clone();
    *request.headers_mut() = headers;
    Ok(request)
}

/// A header value that prints as `Sensitive`.
fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}
