//! The errors of Azure Resource Manager and of Microsoft Entra.

use axum::http::StatusCode;
use serde_json::json;

use crate::ground::Ground;
use crate::message::Reply;

pub(crate) fn error(status: u16, code: &str, message: &str) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Reply::new(status, json!({"error": {"code": code, "message": message}}))
}

/// The error of a service that fails with this status.
pub(crate) fn failure(status: u16) -> Reply {
    let (code, message) = match status {
        404 => ("NotFound", "The resource could not be found."),
        502 => ("BadGateway", "The server received an invalid response from an upstream server."),
        503 => ("ServiceUnavailable", "The service is unavailable. Please try again later."),
        504 => ("GatewayTimeout", "The gateway did not receive a response from the service within the time limit."),
        _ => ("InternalServerError", "The server encountered an error. Please try again later."),
    };
    error(status, code, message)
}

/// An error of the token endpoint.
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    code: u32,
    message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, error: &'static str, code: u32, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Self { status, error, code, message: message.into() }
    }

    pub(super) fn reply(self, ground: &mut Ground) -> Reply {
        let (trace, correlation) = (ground.uuid(), ground.uuid());
        let time = payg_virtual_time::wall().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let (code, message) = (self.code, self.message);
        let body = json!({
            "error": self.error,
            "error_description":
                format!("AADSTS{code}: {message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}"),
            "error_codes": [code],
            "timestamp": time,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("{}/error?code={code}", ground.url),
        });
        Reply::new(self.status, body)
    }
}
