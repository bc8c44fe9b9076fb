//! Tokens of Microsoft Entra. `azure_identity` makes the request, caches the token and renews it five minutes before it
//! expires. It gets its answers through a transport of ours, because it loses the status of an error without JSON, and
//! panics on a lifetime that no calendar holds; so it sees only tokens, and no text of an answer reaches an error.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, ClientOptions, HttpClient, Request, RetryOptions, Transport};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use reqwest::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use super::http::{Answer, exchange};
use crate::core::provider::ProviderError;

/// What the operator proves to Microsoft Entra with who it is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A client secret.
    ClientSecret {
        /// The id of the application (client).
        client_id: Uuid,
        /// The secret's value. Its `Debug` does not show it.
        secret: Secret,
    },
}

/// Where tokens come from, and the tokens that came.
pub(super) struct Tokens {
    credential: Arc<dyn TokenCredential>,
    authority: String,
}

impl Tokens {
    /// The tokens that `authority` issues for `credential` of `tenant`, over `client`.
    pub(super) fn new(
        client: &reqwest::Client,
        authority: String,
        tenant: Uuid,
        credential: Credential,
    ) -> Result<Self, ProviderError> {
        let mut custom = CustomConfiguration::default();
        custom.authority_host.clone_from(&authority);
        let client_options = ClientOptions {
            cloud: Some(Arc::new(CloudConfiguration::Custom(custom))),
            // Whoever asks for a token backs off; a retry in here would use up the deadline unseen.
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(Checked { client: client.clone(), authority: authority.clone() }))),
            ..ClientOptions::default()
        };
        let Credential::ClientSecret { client_id, secret } = credential;
        let options = ClientSecretCredentialOptions { client_options };
        let credential = ClientSecretCredential::new(&tenant.to_string(), client_id.to_string(), secret, Some(options))
            .map_err(|error| ProviderError::Config {
                detail: format!("the Azure credentials are not usable: {error}"),
            })?;
        Ok(Self { credential, authority })
    }

    /// A token for `scope` that is valid for five minutes at least.
    pub(super) async fn get(&self, scope: &str) -> Result<Secret, ProviderError> {
        match self.credential.get_token(&[scope], None).await {
            Ok(token) => Ok(token.token),
            Err(error) => Err(ours(&error).unwrap_or_else(|| odd(&self.authority, "no token came of it"))),
        }
    }
}

/// The error that [`Checked`] put in, beneath what `azure_identity` and `azure_core` put around it.
fn ours(error: &azure_core::Error) -> Option<ProviderError> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(ours) = error.downcast_ref::<ProviderError>() {
            return Some(ours.clone());
        }
        cause = error.source();
    }
    None
}

/// The transport: passes on an answer only if it is a token.
#[derive(Debug)]
struct Checked {
    client: reqwest::Client,
    authority: String,
}

#[async_trait]
impl HttpClient for Checked {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        match self.exchange(request).await {
            Ok(body) => Ok(AsyncRawResponse::from_bytes(azure_core::http::StatusCode::Ok, Headers::default(), body)),
            Err(error) => Err(azure_core::Error::new(ErrorKind::Other, error)),
        }
    }
}

impl Checked {
    async fn exchange(&self, request: &Request) -> Result<Vec<u8>, ProviderError> {
        let Body::Bytes(body) = request.body().clone() else {
            return Err(odd(&self.authority, "the request for it is a stream")); // never: it is a form
        };
        let headers = request.headers().iter();
        let ours = headers.fold(self.client.post(request.url().clone()), |ours, (name, value)| {
            ours.header(name.as_str(), value.as_str())
        });
        let answer =
            exchange(ours.body(body)).await.map_err(|lost| lost.of_read(&format!("a token of {}", self.authority)))?;
        check(&self.authority, answer)
    }
}

/// A token: <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#successful-response>
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    /// Seconds.
    expires_in: u32,
}

/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#error-response>
#[derive(Default, Deserialize)]
struct Refused {
    error: String,
    #[serde(default)]
    error_codes: Vec<u32>,
}

fn check(authority: &str, answer: Answer) -> Result<Vec<u8>, ProviderError> {
    let detail = |what: &str| format!("a token of {authority}: {what}");
    match answer.status {
        StatusCode::OK => match answer.json::<Granted>() {
            Ok(token)
                if !token.access_token.is_empty() && token.access_token.bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                tracing::debug!(authority, seconds = token.expires_in, "got a token");
                Ok(answer.body)
            }
            _ => Err(odd(authority, "the answer to the request for it is something else")),
        },
        StatusCode::TOO_MANY_REQUESTS => Err(ProviderError::Throttled { retry_after: answer.retry_after() }),
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            Err(ProviderError::Transient { detail: detail(&format!("the answer is HTTP {status}")) })
        }
        status if status.is_client_error() => Err(answer.json().map_or_else(
            |_| odd(authority, &format!("the answer is HTTP {status} and not from a token issuer")),
            |refused: Refused| unauthenticated(authority, &refused),
        )),
        status => Err(odd(authority, &format!("the answer is HTTP {status}, and redirects are not followed"))),
    }
}

fn odd(authority: &str, what: &str) -> ProviderError {
    ProviderError::Protocol { detail: format!("a token of {authority}: {what}; check the operator's authority host") }
}

/// Only codes are repeated: what is in a description is not known. The codes are those of
/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.
fn unauthenticated(authority: &str, refused: &Refused) -> ProviderError {
    let code = refused.error_codes.first().copied();
    let hint = match code {
        Some(7_000_215) => "the client secret is wrong: put its value, not its id, into the Secret".to_owned(),
        Some(7_000_222) => "the client secret has expired: make a new one and put its value into the Secret".to_owned(),
        Some(700_016) => "the tenant has no such application: check clientId and tenantId".to_owned(),
        Some(90_002 | 900_023) => "there is no such tenant: check tenantId and cloud".to_owned(),
        Some(7_000_112) => "the application is disabled: enable it in Microsoft Entra".to_owned(),
        Some(53_003) => "a Conditional Access policy of the tenant forbids it: exempt the application".to_owned(),
        Some(65_001 | 70_011 | 500_011 | 1_002_012) => {
            "the tenant does not know what the token is for: check the scope in the operator's configuration".to_owned()
        }
        Some(code) => format!("see https://login.microsoftonline.com/error?code={code}"),
        None => "check clientId, tenantId and the Secret".to_owned(),
    };
    // The name of an OAuth error is a word; anything else is not repeated.
    let word = refused.error.len() <= 40 && refused.error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let name = if word { refused.error.as_str() } else { "error" };
    let code = code.map_or_else(String::new, |code| format!(" AADSTS{code}"));
    ProviderError::Unauthenticated { detail: format!("{authority} says {name}{code}: {hint}") }
}
