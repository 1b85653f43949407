//! Signed HTTP requests.

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use time::UtcDateTime;

use super::account::{Account, Site};
use super::route::{self, CONTENT_SHA256, DATE, Route, SECURITY_TOKEN};
use super::sign;
use super::signer::Signer;

/// An action that is ready to be signed and sent. The body is sent byte for byte.
pub(crate) struct UnsignedRequest<'a> {
    pub action: &'a str,
    pub version: &'a str,
    pub body: Vec<u8>,
}

/// The signed request. It fails only if a header cannot contain one of the values, which the checks of the settings exclude.
pub(crate) fn request(
    account: &Account,
    site: &Site,
    signer: &Signer,
    unsigned: UnsignedRequest,
    now: UtcDateTime,
) -> Result<Request<Vec<u8>>, http::Error> {
    let new_route;
    let route = match site.route(unsigned.action, unsigned.version) {
        Some(route) => route,
        None => {
            new_route = Route::new(&site.endpoint, unsigned.action, unsigned.version)?;
            &new_route
        }
    };
    let credentials = signer.credentials();
    let token = credentials.session_token.expose();
    let x_date = sign::x_date(now);
    let body_sha256 = sign::sha256_hex(&unsigned.body);
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
    let mut request = Request::new(unsigned.body);
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
