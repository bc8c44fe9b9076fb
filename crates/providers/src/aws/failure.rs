//! What went wrong with a call of Amazon's SDK, and what that proves. The codes are those of the services' own models and of
//! <https://docs.aws.amazon.com/awssupport/latest/APIReference/CommonErrors.html>.

use std::error::Error;

use aws_sdk_freetier::config::http::HttpResponse;
use aws_sdk_freetier::error::{ProvideErrorMetadata, SdkError};

use super::connector::Lost;
use crate::http::excerpt;
use payg_core::provider::ProviderError;

/// The credentials are not taken. Their messages may repeat what was signed, the session's token among it, so none is repeated.
const UNAUTHENTICATED: [&str; 13] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidIdentityToken",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];
/// They are taken, and may not do this.
const FORBIDDEN: [&str; 3] = ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"];
/// Too many requests; this one was not processed.
const THROTTLED: [&str; 4] = ["Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"];
/// The account cannot have what is asked for: <https://docs.aws.amazon.com/awssupport/latest/APIReference/CommonErrors.html>
const NOT_FOR_THE_ACCOUNT: [&str; 2] = ["OptInRequired", "SubscriptionRequiredException"];
/// No plan record, as an answer of the Free Tier API.
pub(super) const NO_RECORD: &str = "ResourceNotFoundException";

/// Why a call has no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nothing was written to a socket.
    NotSent(String),
    /// There was no answer.
    Lost(String),
    /// There was one that is none of the service's.
    Odd(String),
    /// The service said no.
    Refused {
        status: u16,
        /// The service's own code.
        code: String,
        /// What it said, in a line.
        message: String,
    },
}

impl<E: ProvideErrorMetadata + Error> From<SdkError<E, HttpResponse>> for Failure {
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        match &error {
            SdkError::ConstructionFailure(_) => Self::NotSent("the request could not be made".to_owned()),
            SdkError::TimeoutError(_) => Self::Lost("there was no answer in time".to_owned()),
            SdkError::DispatchFailure(failure) => {
                let lost = failure.as_connector_error().and_then(Error::source).and_then(|why| why.downcast_ref());
                match lost {
                    Some(Lost::NotSent(why)) => Self::NotSent(why.clone()),
                    Some(Lost::Broken(why)) => Self::Lost(why.clone()),
                    Some(Lost::TooLarge(why)) => Self::Odd(why.clone()),
                    None => Self::Lost("the exchange broke off".to_owned()),
                }
            }
            SdkError::ServiceError(refusal) => {
                let status = refusal.raw().status().as_u16();
                match refusal.err().code() {
                    Some(code) if !code.is_empty() => Self::Refused {
                        status,
                        code: excerpt(code),
                        message: excerpt(refusal.err().message().unwrap_or("it said nothing more")),
                    },
                    _ if status >= 500 => Self::Lost(format!("HTTP {status}, without an error of AWS")),
                    _ if (200..300).contains(&status) => {
                        Self::Odd(format!("HTTP {status}, and the answer is malformed"))
                    }
                    _ => Self::Odd(format!("HTTP {status}, without an error of AWS")),
                }
            }
            SdkError::ResponseError(answer) => {
                let status = answer.raw().status().as_u16();
                Self::Odd(format!("HTTP {status}, and the answer is malformed"))
            }
            // The SDK may add more.
            _ => Self::Lost("the exchange failed".to_owned()),
        }
    }
}

impl Failure {
    /// The code of a refusal.
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the credentials may not do it.
    pub(super) fn is_forbidden(&self) -> bool {
        self.code().is_some_and(|code| FORBIDDEN.contains(&code))
    }

    /// The error of a read that takes the permission `action`.
    pub(super) fn of_read(self, action: &str) -> ProviderError {
        match self {
            Self::NotSent(why) | Self::Lost(why) => ProviderError::Transient { detail: format!("{action}: {why}") },
            Self::Odd(odd) => ProviderError::Protocol { detail: format!("{action}: {odd}") },
            Self::Refused { status, code, message } => match known(action, status, &code, &message) {
                Some(error) => error,
                None if status >= 500 => ProviderError::Transient { detail: format!("{action}: {code}: {message}") },
                None => ProviderError::Protocol { detail: format!("{action}: HTTP {status} {code}: {message}") },
            },
        }
    }

    /// The error of an upgrade. What is not a refusal that the service documents proves nothing.
    pub(super) fn of_upgrade(self, action: &str) -> ProviderError {
        match self {
            Self::NotSent(why) => ProviderError::Transient { detail: format!("{action} was not sent: {why}") },
            Self::Lost(why) | Self::Odd(why) => ProviderError::OutcomeUnknown { detail: format!("{action}: {why}") },
            Self::Refused { status, code, message } => match (known(action, status, &code, &message), code.as_str()) {
                (Some(error), _) => error,
                (None, "ValidationException" | NO_RECORD) if is_client_error(status) => {
                    ProviderError::Precondition { code, detail: message }
                }
                _ => ProviderError::OutcomeUnknown { detail: format!("{action}: HTTP {status} {code}: {message}") },
            },
        }
    }
}

/// The refusals that mean the same of every call: none of them was carried out.
fn known(action: &str, status: u16, code: &str, message: &str) -> Option<ProviderError> {
    if !is_client_error(status) {
        return None;
    }
    if THROTTLED.contains(&code) {
        return Some(ProviderError::Throttled { retry_after: None });
    }
    if UNAUTHENTICATED.contains(&code) {
        return Some(ProviderError::Unauthenticated { detail: format!("{action}: {code}{}", remedy(code)) });
    }
    if FORBIDDEN.contains(&code) {
        return Some(ProviderError::Forbidden { permission: action.to_owned(), detail: message.to_owned() });
    }
    let (code, detail) = (code.to_owned(), message.to_owned());
    NOT_FOR_THE_ACCOUNT.contains(&code.as_str()).then_some(ProviderError::Precondition { code, detail })
}

const fn is_client_error(status: u16) -> bool {
    status >= 400 && status < 500
}

/// What to do about credentials that are not taken.
fn remedy(code: &str) -> &'static str {
    match code.as_bytes() {
        b"ExpiredToken" | b"ExpiredTokenException" => {
            " (they have expired: the operator requests new ones, but credentials in a Secret must be replaced there)"
        }
        b"UnrecognizedClientException" | b"InvalidClientTokenId" | b"InvalidAccessKeyId" => {
            " (AWS does not know the access key: it was deleted or deactivated, or the account is gone)"
        }
        b"InvalidSignatureException" | b"SignatureDoesNotMatch" | b"RequestExpired" => {
            " (the secret access key is not that of the access key id, or the clock of the operator's node is wrong)"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use payg_core::provider::Outcome;

    fn refused(status: u16, code: &str) -> Failure {
        Failure::Refused { status, code: code.to_owned(), message: "said why".to_owned() }
    }

    #[test]
    fn only_a_documented_refusal_proves_that_nothing_was_upgraded() {
        let outcome = |failure: Failure| failure.of_upgrade("freetier:UpgradeAccountPlan").outcome();
        for (status, code, expected) in [
            (400, "AccessDeniedException", Outcome::Rejected),
            (400, "ValidationException", Outcome::Rejected),
            (400, "ResourceNotFoundException", Outcome::Rejected),
            (400, "UnrecognizedClientException", Outcome::Rejected),
            (400, "SubscriptionRequiredException", Outcome::Rejected),
            (400, "ThrottlingException", Outcome::NotSent),
            (400, "ConflictException", Outcome::Unknown),
            (500, "InternalServerException", Outcome::Unknown),
            (500, "ValidationException", Outcome::Unknown),
            (503, "ThrottlingException", Outcome::Unknown),
            (503, "ServiceUnavailable", Outcome::Unknown),
        ] {
            assert_eq!(outcome(refused(status, code)), expected, "{status} {code}");
        }
        assert_eq!(outcome(Failure::NotSent(String::new())), Outcome::NotSent);
        assert_eq!(outcome(Failure::Lost(String::new())), Outcome::Unknown);
        assert_eq!(outcome(Failure::Odd(String::new())), Outcome::Unknown);
    }

    #[test]
    fn a_refusal_of_credentials_repeats_nothing_that_was_signed() {
        let failure = Failure::Refused {
            status: 403,
            code: "SignatureDoesNotMatch".to_owned(),
            message: "The canonical request should have been x-amz-security-token:s3ss10n".to_owned(),
        };
        let told = failure.of_read("sts:GetCallerIdentity").to_string();
        assert!(told.contains("SignatureDoesNotMatch") && !told.contains("s3ss10n"), "{told}");
    }

    #[test]
    fn a_read_tells_what_to_do() {
        let told = |failure: Failure| failure.of_read("freetier:GetAccountPlanState");
        assert_eq!(told(refused(400, "ThrottlingException")), ProviderError::Throttled { retry_after: None });
        assert!(matches!(told(refused(500, "InternalServerException")), ProviderError::Transient { .. }));
        assert!(matches!(told(refused(400, "ValidationException")), ProviderError::Protocol { .. }));
        let permission = "freetier:GetAccountPlanState".to_owned();
        let forbidden = ProviderError::Forbidden { permission, detail: "said why".to_owned() };
        assert_eq!(told(refused(400, "AccessDeniedException")), forbidden);
    }
}
