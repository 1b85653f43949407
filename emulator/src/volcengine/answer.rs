//! The answers of Volcengine: the envelope, and every refusal with its code and status. // VENDORS.md, Response

use std::borrow::Cow;

use serde::Serialize;

use crate::faults::{ErrorAnswer, ErrorCode};

/// A refused request. The gateway sets the HTTP status; the service behind it sets it only in version 2023-07-20.
#[derive(Debug)]
pub(crate) struct Refusal {
    layer: Layer,
    status: u16,
    code_n: Option<u32>,
    pub code: Cow<'static, str>,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Gateway,
    Service,
}

impl Refusal {
    /// A refusal by the gateway. Some of its codes have no number.
    pub fn by_gateway(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let code = code.into();
        let (code_n, status) = match &*code {
            "MissingParameter" => (Some(100_002), 400),
            "MissingAuthenticationToken" => (Some(100_003), 401),
            "MissingSignature" => (Some(100_005), 401),
            "InvalidTimestamp" => (Some(100_006), 400),
            "InvalidActionOrVersion" => (Some(100_008), 404),
            "InvalidAccessKey" => (Some(100_009), 401),
            "SignatureDoesNotMatch" => (Some(100_010), 401),
            "MethodNotAllowed" => (Some(100_020), 405),
            "InvalidSecretToken" => (None, 401),
            _ => (None, 400),
        };
        Self {
            layer: Layer::Gateway,
            status,
            code_n,
            code,
            message: message.into(),
        }
    }

    /// A refusal by the service, of an invalid request.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            layer: Layer::Service,
            status: 400,
            code_n: None,
            code: code.into(),
            message: message.into(),
        }
    }

    /// A request above an RTC quota.
    pub fn rtc_flow_limit() -> Self {
        let message = "the four RTC sends together are above 500 requests per second";
        Self {
            layer: Layer::Service,
            status: 429,
            code_n: None,
            code: "FlowLimitExceeded.QPSOverLimit".into(),
            message: message.to_owned(),
        }
    }

    /// A request above an IM quota.
    pub fn im_flow_limit(message: &str) -> Self {
        Self {
            layer: Layer::Service,
            status: 429,
            code_n: Some(100_018),
            code: "FlowLimitExceeded".into(),
            message: message.to_owned(),
        }
    }

    /// A refusal by a fault. Fields that the rule does not set have the vendor's values for this code.
    pub fn scripted(error: &ErrorAnswer) -> Self {
        let code = match &error.code {
            ErrorCode::Word(word) => word.clone(),
            ErrorCode::Number(number) => number.to_string(),
        };
        let (layer, status, code_n) = match code.as_str() {
            "UndefinedError" => (Layer::Gateway, 500, Some(100_001)),
            "MissingRequestInfo" => (Layer::Gateway, 400, Some(100_004)),
            "ServiceNotFound" => (Layer::Gateway, 404, Some(100_007)),
            "ServiceShouldCallSelfApi" => (Layer::Gateway, 403, Some(100_011)),
            "LackPolicy" => (Layer::Gateway, 403, Some(100_012)),
            "AccessDenied" => (Layer::Gateway, 403, Some(100_013)),
            "InternalError" => (Layer::Gateway, 500, Some(100_014)),
            "FailToConnect" => (Layer::Gateway, 502, Some(100_015)),
            "InternalServiceError" => (Layer::Gateway, 502, None),
            "InternalServiceTimeout" => (Layer::Gateway, 504, Some(100_016)),
            "FlowLimitExceeded" => (Layer::Gateway, 429, Some(100_018)),
            "ServiceUnavailableTemp" => (Layer::Gateway, 503, Some(100_019)),
            "AccountFlowLimitExceeded" => (Layer::Gateway, 429, Some(100_027)),
            "MissingParameter"
            | "MissingAuthenticationToken"
            | "MissingSignature"
            | "InvalidTimestamp"
            | "InvalidActionOrVersion"
            | "InvalidAccessKey"
            | "SignatureDoesNotMatch"
            | "MethodNotAllowed"
            | "InvalidAuthorization"
            | "InvalidCredential"
            | "InvalidSecretToken" => {
                let known = Self::by_gateway(code.clone(), "");
                (Layer::Gateway, known.status, known.code_n)
            }
            code if code.starts_with("InternalError.") => (Layer::Service, 500, None),
            code if code.starts_with("FlowLimitExceeded.") => (Layer::Service, 429, None),
            code if code.starts_with("AccessDenied.") => (Layer::Service, 403, None),
            _ => (Layer::Service, 400, None),
        };
        Self {
            // The status of the rule applies in every version, so the refusal counts as one by the gateway.
            layer: error.status.map_or(layer, |_| Layer::Gateway),
            status: error.status.unwrap_or(status),
            code_n: error.code_n.or(code_n),
            code: code.into(),
            message: error.message.clone(),
        }
    }

    pub fn status(&self, version: Option<&str>) -> u16 {
        match self.layer {
            Layer::Service if version != Some("2023-07-20") => 200,
            _ => self.status,
        }
    }

    pub fn is_by_service(&self) -> bool {
        self.layer == Layer::Service
    }
}

/// The `Result` of an accepted send.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "PascalCase")]
pub(crate) enum Success {
    Rtc {
        message: &'static str,
    },
    Im {
        #[serde(rename = "P2PResult")]
        rows: Vec<ImRow>,
        /// A string on the wire, and only in the answer of P2PSendUserMessage.
        #[serde(skip_serializing_if = "Option::is_none")]
        success_count: Option<String>,
    },
}

/// The outcome of an IM message for one user on one device.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ImRow {
    pub user_id: i64,
    pub code: String,
    pub device_platform: String,
}

/// The names in an envelope.
#[derive(Debug)]
pub(crate) struct Labels<'a> {
    pub request_id: &'a str,
    pub action: &'a str,
    pub version: &'a str,
    pub service: &'a str,
    pub region: &'a str,
}

/// The body of an answer.
pub(crate) fn envelope(labels: &Labels<'_>, verdict: &Result<Success, Refusal>) -> Vec<u8> {
    let envelope = Envelope {
        response_metadata: Metadata {
            request_id: labels.request_id,
            action: labels.action,
            version: labels.version,
            service: labels.service,
            region: labels.region,
            error: verdict.as_ref().err().map(|refusal| ErrorPart {
                code_n: refusal.code_n,
                code: &refusal.code,
                message: &refusal.message,
            }),
        },
        result: verdict.as_ref().ok(),
    };
    serde_json::to_vec(&envelope).expect("an envelope holds nothing that JSON cannot")
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    response_metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Success>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    request_id: &'a str,
    action: &'a str,
    version: &'a str,
    service: &'a str,
    region: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorPart<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorPart<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    code_n: Option<u32>,
    code: &'a str,
    message: &'a str,
}
