//! The error codes of Volcengine as a table: VENDORS.md, the code table and the codes of RTC and IM below it.

use crate::report::ErrorClass;
use crate::report::ErrorClass::*;

/// A code, its number if it has one, and its class. A name that ends in `.*` matches all names with that beginning.
struct Row(&'static str, i32, ErrorClass);

const NO_NUMBER: i32 = 0;

const ROWS: &[Row] = &[
    Row("MissingParameter", 100002, InvalidRequest),
    Row("MissingRequestInfo", 100004, InvalidRequest),
    Row("MissingAuthenticationToken", 100003, Authentication),
    Row("MissingSignature", 100005, Authentication),
    Row("InvalidAccessKey", 100009, Authentication),
    Row("SignatureDoesNotMatch", 100010, Authentication),
    Row("InvalidAuthorization", NO_NUMBER, Authentication),
    Row("InvalidCredential", NO_NUMBER, Authentication),
    Row("InvalidSecretToken", NO_NUMBER, Authentication),
    Row("InvalidTimestamp", 100006, Clock),
    Row("ServiceNotFound", 100007, Configuration),
    Row("InvalidActionOrVersion", 100008, Configuration),
    Row("MethodNotAllowed", 100020, Configuration),
    Row("ServiceShouldCallSelfApi", 100011, Permission),
    Row("LackPolicy", 100012, Permission),
    Row("AccessDenied", 100013, Permission),
    Row("InternalError", 100014, OutcomeUnknown),
    Row("UndefinedError", 100001, OutcomeUnknown),
    Row("FailToConnect", 100015, NotProcessed),
    Row("InternalServiceError", NO_NUMBER, OutcomeUnknown),
    Row("InternalServiceTimeout", 100016, OutcomeUnknown),
    Row("FlowLimitExceeded", 100018, Throttled),
    Row("AccountFlowLimitExceeded", 100027, Throttled),
    Row("ServiceUnavailableTemp", 100019, NotProcessed),
    // RTC: dotted codes.
    Row("InvalidParameter.*", NO_NUMBER, InvalidRequest),
    Row("FlowLimitExceeded.*", NO_NUMBER, Throttled),
    Row("AccessDenied.*", NO_NUMBER, Permission),
    Row("InternalError.*", NO_NUMBER, OutcomeUnknown),
    // IM.
    Row("JsonParsingError", NO_NUMBER, InvalidRequest),
    Row("InvalidParam", NO_NUMBER, InvalidRequest),
    Row("ConversationNotFound", NO_NUMBER, NotDelivered),
    Row("ParticipantNotInConversation", NO_NUMBER, NotDelivered),
    Row("ParticipantNotFound", NO_NUMBER, NotDelivered),
    Row("AppNotFound", NO_NUMBER, Configuration),
    Row("AppStatusException", NO_NUMBER, Configuration),
    Row("NoAuth", NO_NUMBER, Permission),
];

/// The class of an error: by its name, then by its number, then by the HTTP status.
pub(super) fn classify(name: &str, number: i32, status: u16) -> ErrorClass {
    let by_name = ROWS.iter().find(|row| row.0 == name).or_else(|| {
        let family = name.split('.').next();
        ROWS.iter()
            .find(|row| row.0.strip_suffix(".*").is_some_and(|rows| Some(rows) == family))
    });
    let by_number = || ROWS.iter().find(|row| row.1 == number && number != NO_NUMBER);
    match by_name.or_else(by_number) {
        Some(row) => row.2,
        None => ErrorClass::by_status(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_by_name_then_by_family_then_by_number_then_by_status() {
        for (name, number, status, class) in [
            ("SignatureDoesNotMatch", 0, 200, Authentication),
            ("FlowLimitExceeded.QPSOverLimit", 0, 200, Throttled),
            ("InvalidParameter.NeverSeenBefore", 0, 200, InvalidRequest),
            ("InternalError.Whatever", 0, 200, OutcomeUnknown),
            ("", 100019, 503, NotProcessed),
            ("NewName", 100018, 200, Throttled),
            ("NewName", 7, 200, OutcomeUnknown),
            ("NewName", 0, 400, InvalidRequest),
            ("NewName", 0, 401, Authentication),
            ("NewName", 0, 503, OutcomeUnknown),
            ("InvalidParameter", 0, 200, InvalidRequest),
            ("InvalidParameterized.X", 0, 200, OutcomeUnknown),
        ] {
            assert_eq!(classify(name, number, status), class, "{name} {number} {status}");
        }
    }

    #[test]
    fn every_code_is_in_the_table_once() {
        let names: std::collections::HashSet<_> = ROWS.iter().map(|row| row.0).collect();
        assert_eq!(names.len(), ROWS.len());
        let numbers: Vec<_> = ROWS.iter().map(|row| row.1).filter(|n| *n != NO_NUMBER).collect();
        assert_eq!(
            numbers.len(),
            numbers.iter().collect::<std::collections::HashSet<_>>().len()
        );
    }
}
