//! The gateway before Volcengine's services, which checks signatures and their dates. // VENDORS.md, Signature

use super::answer::Refusal;
use super::signature::{self, Authorization, Unreadable};
use crate::context::RequestContext;
use crate::moment::Civil;

/// How far `X-Date` may be before or after the vendor's clock.
const SIGNATURE_LIFE_SECONDS: u64 = 900;

/// Checks the signature of a request, in the gateway's order. The signed region is stored in `region` as soon as it is known,
/// because refusals name it.
pub(crate) fn check(context: &RequestContext<'_>, region: &mut String) -> Result<(), Refusal> {
    let authorization = read_authorization(context)?;
    region.clone_from(&authorization.scope.region);
    if authorization.access_key != context.options.volcengine.access_key {
        let message = format!("the access key {:?} does not exist", authorization.access_key);
        return Err(Refusal::by_gateway("InvalidAccessKey", message));
    }
    let x_date = check_date(context)?;
    check_session_token(context, &authorization)?;
    check_scope(context, &authorization, &x_date)?;
    check_signature(context, &authorization, &x_date)
}

fn read_authorization(context: &RequestContext<'_>) -> Result<Authorization, Refusal> {
    let Some(header) = context.request.header("authorization") else {
        return Err(Refusal::by_gateway(
            "MissingAuthenticationToken",
            "the request has no Authorization header",
        ));
    };
    Authorization::parse(&header).map_err(|unreadable| match unreadable {
        Unreadable::Form => Refusal::by_gateway(
            "InvalidAuthorization",
            "Authorization must be: HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...",
        ),
        Unreadable::Credential => Refusal::by_gateway(
            "InvalidCredential",
            "Credential must be: access key/YYYYMMDD/region/service/request",
        ),
        Unreadable::Signature => Refusal::by_gateway("MissingSignature", "Authorization has no Signature"),
    })
}

fn check_date(context: &RequestContext<'_>) -> Result<String, Refusal> {
    let Some(x_date) = context.request.header("x-date") else {
        return Err(Refusal::by_gateway(
            "InvalidTimestamp",
            "the request has no X-Date header",
        ));
    };
    let Some(date) = Civil::from_x_date(&x_date) else {
        return Err(Refusal::by_gateway(
            "InvalidTimestamp",
            "X-Date must be of the form YYYYMMDDTHHMMSSZ",
        ));
    };
    let skew = context.now.unix_seconds - date.unix_seconds();
    if skew.unsigned_abs() > SIGNATURE_LIFE_SECONDS {
        let side = if skew > 0 { "old" } else { "ahead" };
        let message = format!(
            "X-Date is {} s {side}, at most {SIGNATURE_LIFE_SECONDS} s are allowed",
            skew.unsigned_abs()
        );
        return Err(Refusal::by_gateway("InvalidTimestamp", message));
    }
    Ok(x_date)
}

fn check_session_token(context: &RequestContext<'_>, authorization: &Authorization) -> Result<(), Refusal> {
    let Some(token) = context.request.header("x-security-token") else {
        return Ok(());
    };
    if token != context.options.volcengine.session_token.expose() {
        return Err(Refusal::by_gateway(
            "InvalidSecretToken",
            "X-Security-Token is not the token of this access key",
        ));
    }
    if !authorization.signs("x-security-token") {
        return Err(Refusal::by_gateway(
            "InvalidSecretToken",
            "X-Security-Token must be among the SignedHeaders",
        ));
    }
    Ok(())
}

fn check_scope(context: &RequestContext<'_>, authorization: &Authorization, x_date: &str) -> Result<(), Refusal> {
    let scope = &authorization.scope;
    let wanted = context.options.volcengine.region.as_deref();
    let fault = if scope.date != x_date[..8] {
        format!(
            "Credential has the date {:?}, X-Date has {:?}",
            scope.date,
            &x_date[..8]
        )
    } else if scope.region.is_empty() {
        "Credential has an empty region".to_owned()
    } else if let Some(wanted) = wanted.filter(|wanted| *wanted != scope.region) {
        format!("Credential has the region {:?}, this is {wanted:?}", scope.region)
    } else if scope.service != "rtc" {
        format!("Credential has the service {:?}, this is \"rtc\"", scope.service)
    } else if scope.terminator != "request" {
        format!("Credential must end in \"request\", not in {:?}", scope.terminator)
    } else {
        return Ok(());
    };
    Err(Refusal::by_gateway("InvalidCredential", fault))
}

fn check_signature(context: &RequestContext<'_>, authorization: &Authorization, x_date: &str) -> Result<(), Refusal> {
    let mismatch = |message: String| Refusal::by_gateway("SignatureDoesNotMatch", message);
    for required in ["host", "x-date"] {
        if !authorization.signs(required) {
            return Err(mismatch(format!("{required} must be among the SignedHeaders")));
        }
    }
    if let Some(claimed) = context.request.header("x-content-sha256") {
        if claimed != signature::sha256_hex(&context.request.body) {
            return Err(mismatch(
                "X-Content-Sha256 is not the hash of the received body".to_owned(),
            ));
        }
    }
    let canonical = signature::canonical_request(context.request, &authorization.signed_headers)
        .map_err(|missing| mismatch(format!("the signed header {missing:?} did not arrive")))?;
    let key = signature::signing_key(context.options.volcengine.secret_key.expose(), &authorization.scope);
    let expected = signature::signature(&key, x_date, &authorization.scope, &canonical);
    if authorization.signature != expected {
        let hash = signature::sha256_hex(canonical.as_bytes());
        return Err(mismatch(format!(
            "the signature is not that of the received request; the sha256 of its canonical form is {hash}"
        )));
    }
    Ok(())
}
