//! Errors as each protocol of AWS writes them.
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html#operation-error-serialization>,
//! <https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization>,
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#operation-error-serialization>. What is the same for all
//! services: <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>.

use serde_json::{Value, json};

use super::service::{JSON_1_0, Service};
use super::xml;
use crate::message::Reply;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    MissingAuthentication,
    IncompleteSignature,
    /// The key is of nobody.
    UnknownClient,
    ExpiredToken,
    BadSignature,
    AccessDenied,
    Throttled,
    Invalid,
    /// The document cannot be read.
    Malformed,
    UnknownOperation,
    /// The service fails with this status.
    Failed(u16),
    /// An error of one operation.
    Other(u16, String),
}

/// An error to answer with.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    problem: Problem,
    message: String,
    /// More members of the document.
    members: Vec<(&'static str, Value)>,
}

impl Failure {
    pub(crate) fn new(problem: Problem, message: impl Into<String>) -> Self {
        Self { problem, message: message.into(), members: Vec::new() }
    }

    pub(crate) fn other(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self::new(Problem::Other(status, code.to_owned()), message)
    }

    pub(crate) fn with(mut self, name: &'static str, value: Value) -> Self {
        self.members.push((name, value));
        self
    }

    /// A failure of the service itself.
    pub(crate) fn of_status(status: u16) -> Self {
        let message = match status {
            403 => "Forbidden",
            404 => "Not found",
            429 => return Self::throttled(),
            503 => "Service is unavailable.",
            504 => "Endpoint request timed out",
            400..500 => "Bad request",
            _ => "An internal error has occurred.",
        };
        Self::new(Problem::Failed(status), message)
    }

    pub(crate) fn throttled() -> Self {
        Self::new(Problem::Throttled, "Rate exceeded")
    }

    /// The answer of `service`.
    pub(crate) fn reply(self, service: Service, request_id: &str) -> Reply {
        let (status, code) = self.problem.name(service);
        let mut body = json!({"message": self.message});
        for (name, value) in self.members {
            body[name] = value;
        }
        match service {
            Service::Sts => {
                let side = if status < 500 { "Sender" } else { "Receiver" };
                Reply::xml(status, xml::error(side, &code, &self.message, request_id))
            }
            Service::PodIdentity => Reply::text(status, &self.message),
            Service::Account => Reply::json_of(status, "application/json", body).with("x-amzn-errortype", &code),
            Service::FreeTier | Service::Billing => {
                let namespace = match self.problem {
                    Problem::Other(..) | Problem::Invalid if service == Service::Billing => "com.amazonaws.billing",
                    Problem::Other(..) | Problem::Invalid => "com.amazonaws.freetier",
                    _ => "com.amazon.coral.service",
                };
                body["__type"] = json!(format!("{namespace}#{code}"));
                Reply::json_of(status, JSON_1_0, body)
            }
        }
    }
}

impl Problem {
    /// The status and the code that a service has for it.
    fn name(&self, service: Service) -> (u16, String) {
        let query = service == Service::Sts;
        // AWS has no one status for these: 400 with the older JSON protocols, 403 elsewhere.
        let refused = if matches!(service, Service::FreeTier | Service::Billing) { 400 } else { 403 };
        let (status, of_json, of_query) = match self {
            Self::MissingAuthentication => {
                (refused, "MissingAuthenticationTokenException", "MissingAuthenticationToken")
            }
            Self::IncompleteSignature => (400, "IncompleteSignatureException", "IncompleteSignature"),
            Self::UnknownClient => (refused, "UnrecognizedClientException", "InvalidClientTokenId"),
            Self::ExpiredToken => (refused, "ExpiredTokenException", "ExpiredToken"),
            Self::BadSignature => (refused, "InvalidSignatureException", "SignatureDoesNotMatch"),
            Self::AccessDenied => (refused, "AccessDeniedException", "AccessDenied"),
            Self::Throttled if service == Service::Account => (429, "TooManyRequestsException", ""),
            Self::Throttled if service == Service::PodIdentity => (429, "", ""),
            Self::Throttled => (400, "ThrottlingException", "Throttling"),
            Self::Invalid => (400, "ValidationException", "ValidationError"),
            Self::Malformed => (400, "SerializationException", "MalformedInput"),
            Self::UnknownOperation => (400, "UnknownOperationException", "InvalidAction"),
            Self::Failed(status) => match status {
                403 => (*status, "AccessDeniedException", "AccessDenied"),
                404 => (*status, "ResourceNotFoundException", "NotFound"),
                503 => (*status, "ServiceUnavailableException", "ServiceUnavailable"),
                400..500 => (*status, "ValidationException", "ValidationError"),
                _ => (*status, "InternalServerException", "InternalFailure"),
            },
            Self::Other(status, code) => return (*status, code.clone()),
        };
        (status, if query { of_query } else { of_json }.to_owned())
    }
}
