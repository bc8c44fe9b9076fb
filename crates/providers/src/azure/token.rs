//! Tokens of Microsoft Entra. `azure_identity` makes the request, caches the token and renews it five minutes before it
//! expires. It gets its answers through a transport of ours, because it loses the status of an error without JSON, and
//! panics on a lifetime that no calendar holds; so it sees only tokens, and no text of an answer reaches an error.
//!
//! Whom it asks for them, and with what, is up to the [`Credential`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::TokenCredential;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, ClientOptions, HttpClient, Request, RetryOptions, Transport};
use azure_identity::{
    ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::assertion::{carried, claims_of_request};
use super::certificate::{Certificate, Signer};
use super::http::{Answer, Client};
use super::imds::{self, Imds};
use super::settings::Connections;
use crate::assertion::Claims;
use crate::{Assertions, Secret, document};
use payg_core::provider::ProviderError;

/// What the operator proves to Microsoft Entra with who it is.
#[derive(Clone, Debug)]
pub enum Credential {
    ClientSecret {
        /// The id of the application (client).
        client_id: Uuid,
        /// The secret's value. Its `Debug` does not show it.
        secret: Secret,
    },
    /// Tokens by which another issuer, such as a Kubernetes cluster, says who somebody is. The application trusts them.
    Federated {
        /// The id of the application (client), or of a user-assigned managed identity.
        client_id: Uuid,
        assertions: Assertions,
    },
    /// A certificate that is registered with the application.
    Certificate {
        /// The id of the application (client).
        client_id: Uuid,
        /// The certificate and its key.
        certificate: Certificate,
    },
    /// An identity of the machine that this process runs on.
    ManagedIdentity {
        /// The id of a user-assigned one; without it, the system-assigned one.
        client_id: Option<Uuid>,
    },
}

/// Where tokens come from, and the tokens that came.
pub(super) struct Tokens {
    credential: Arc<dyn TokenCredential>,
    issuer: String,
    /// For each scope the last temporary failure, and the time until which no token is requested.
    failed: Mutex<HashMap<String, (Instant, ProviderError)>>,
}

/// For how long a failure answers for the issuer where that does not say how long to wait.
const PAUSE: Duration = Duration::from_secs(5);

impl Tokens {
    /// The tokens that `authority`, or the metadata service, issues for `credential` of `tenant`.
    pub(super) fn new(
        connections: &Connections,
        authority: String,
        tenant: Uuid,
        credential: Credential,
    ) -> Result<Self, ProviderError> {
        let mut custom = CustomConfiguration::default();
        custom.authority_host.clone_from(&authority);
        let checked = Checked { client: connections.tokens.clone(), authority: authority.clone() };
        let client_options =
            ClientOptions { cloud: Some(Arc::new(CloudConfiguration::Custom(custom))), ..options(Arc::new(checked)) };
        let audience = format!("{authority}/{tenant}/oauth2/v2.0/token");
        let tenant = tenant.to_string();
        let asserting = ClientAssertionCredentialOptions { client_options: client_options.clone() };
        let credential: azure_core::Result<Arc<dyn TokenCredential>> = match credential {
            Credential::ClientSecret { client_id, secret } => {
                let options = ClientSecretCredentialOptions { client_options };
                ClientSecretCredential::new(&tenant, client_id.to_string(), secret, Some(options)).map(|made| made as _)
            }
            Credential::Federated { client_id, assertions } => {
                ClientAssertionCredential::new(tenant, client_id.to_string(), assertions, Some(asserting))
                    .map(|made| made as _)
            }
            Credential::Certificate { client_id, certificate } => {
                let signer = Signer::new(&certificate, client_id, audience, connections.clock())?;
                ClientAssertionCredential::new(tenant, client_id.to_string(), signer, Some(asserting))
                    .map(|made| made as _)
            }
            Credential::ManagedIdentity { client_id } => return Self::of_machine(connections, client_id),
        };
        let credential = credential.map_err(|error| ProviderError::Config {
            detail: format!("the Azure credentials are not usable: {error}"),
        })?;
        Ok(Self { credential, issuer: authority, failed: Mutex::default() })
    }

    /// The tokens for an identity of the machine.
    fn of_machine(connections: &Connections, client_id: Option<Uuid>) -> Result<Self, ProviderError> {
        let issuer = connections.imds();
        let imds = Imds { client: connections.imds.clone(), endpoint: issuer.clone() };
        let options = ManagedIdentityCredentialOptions {
            user_assigned_id: client_id.map(|id| UserAssignedId::ClientId(id.to_string())),
            client_options: options(Arc::new(imds)),
        };
        let credential = ManagedIdentityCredential::new(Some(options)).map_err(|_| imds::diverted())?;
        Ok(Self { credential, issuer, failed: Mutex::default() })
    }

    /// A token for `scope` that is valid for five minutes at least. All accounts wait for one request: where it fails, they
    /// need not fail one after the other, nor ask an issuer that wants a pause. Another scope may have a token that is valid.
    pub(super) async fn get(&self, scope: &str) -> Result<Secret, ProviderError> {
        let mut failed = self.failed.lock().await;
        if let Some((until, error)) = failed.get(scope) {
            let left = until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                return Err(match error {
                    ProviderError::Throttled { .. } => ProviderError::Throttled { retry_after: Some(left) },
                    other => other.clone(),
                });
            }
        }
        let result = self.ask(scope).await;
        let pause = match &result {
            Err(ProviderError::Throttled { retry_after }) => retry_after.or(Some(PAUSE)),
            Err(ProviderError::Transient { .. }) => Some(PAUSE),
            _ => None,
        };
        match (pause, &result) {
            (Some(pause), Err(error)) => {
                failed.insert(scope.to_owned(), (Instant::now() + pause, error.clone()));
            }
            _ => {
                failed.remove(scope);
            }
        }
        result
    }

    async fn ask(&self, scope: &str) -> Result<Secret, ProviderError> {
        match self.credential.get_token(&[scope], None).await {
            Ok(token) => Ok(token.token),
            Err(error) => Err(ours(&error).unwrap_or_else(|| odd(&self.issuer, "it returned no token"))),
        }
    }
}

/// With `transport`. Whoever asks for a token backs off; a retry in here would use up the deadline unseen. (For managed
/// identities `azure_identity` sets retries of its own, which are for statuses and connections, and sees neither.)
fn options(transport: Arc<dyn HttpClient>) -> ClientOptions {
    ClientOptions {
        retry: RetryOptions::none(),
        transport: Some(Transport::new(transport)),
        ..ClientOptions::default()
    }
}

/// The error that a transport or an assertion put in, beneath what `azure_identity` and `azure_core` put around it.
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

/// The transport: reconciles on an answer only if it is a token.
#[derive(Debug)]
struct Checked {
    client: Client,
    authority: String,
}

#[async_trait]
impl HttpClient for Checked {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let body = self.exchange(request).await.map_err(carried)?;
        Ok(AsyncRawResponse::from_bytes(azure_core::http::StatusCode::Ok, Headers::default(), body))
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
        let shown = claims_of_request(&body);
        let answer = self.client.exchange(ours.body(body)).await;
        let answer = answer.map_err(|lost| lost.of_read(&format!("a token of {}", self.authority)))?;
        check(&self.authority, &answer, shown.as_ref())
    }
}

/// A token: <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#successful-response>
#[derive(Deserialize)]
struct Granted {
    token_type: String,
    access_token: String,
    /// Seconds. Some issuers write them as a text or with a fraction, and OAuth lets them leave it out.
    expires_in: Option<Box<RawValue>>,
}

/// For how long, in seconds, a token is taken to be valid whose issuer does not say it (RFC 6749, section 5.1): a short while,
/// as one that is refused is asked for anew.
const UNSAID_LIFETIME: u32 = 600;

impl Granted {
    /// What `azure_identity` reads of it, written as it wants it, and the seconds; nothing if it is not a token.
    fn document(&self) -> Option<(Vec<u8>, u32)> {
        let Self { token_type, access_token, expires_in } = self;
        let seconds = expires_in.as_deref().map_or(Some(UNSAID_LIFETIME), document::seconds)?;
        let document = json!({"token_type": token_type, "access_token": access_token, "expires_in": seconds});
        (is_token(access_token) && is_bearer(token_type)).then(|| (document.to_string().into_bytes(), seconds))
    }
}

/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#error-response>
#[derive(Default, Deserialize)]
struct Refused {
    error: String,
    #[serde(default)]
    error_codes: Vec<u32>,
}

/// Whether a text can be a token: nothing in it breaks a header.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether who has such a token may use it: RFC 6750. Its kind may be in any letters: RFC 6749, section 5.1.
pub(super) fn is_bearer(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("Bearer")
}

/// The `answer` of `authority`, if it is a token; `shown` is what was asked with.
pub(super) fn check(authority: &str, answer: &Answer, shown: Option<&Claims>) -> Result<Vec<u8>, ProviderError> {
    let detail = |what: &str| format!("a token of {authority}: {what}");
    match answer.status {
        StatusCode::OK => {
            let token = answer.json::<Granted>().ok().and_then(|granted| granted.document());
            let (token, seconds) =
                token.ok_or_else(|| odd(authority, "the answer to the request is something else"))?;
            tracing::debug!(authority, seconds, "got a token");
            Ok(token)
        }
        StatusCode::TOO_MANY_REQUESTS => Err(ProviderError::Throttled { retry_after: answer.retry_after() }),
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            Err(ProviderError::Transient { detail: detail(&format!("the answer is HTTP {status}")) })
        }
        status if status.is_client_error() => Err(answer.json().map_or_else(
            |_| odd(authority, &format!("the answer is HTTP {status} and not from a token issuer")),
            |refused: Refused| unauthenticated(authority, &refused, shown),
        )),
        status => Err(odd(authority, &format!("the answer is HTTP {status}, and redirects are not followed"))),
    }
}

fn odd(authority: &str, what: &str) -> ProviderError {
    ProviderError::Protocol { detail: format!("a token of {authority}: {what}; check the operator's authority host") }
}

/// Only codes are repeated: what is in a description is not known. The codes are those of
/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.
fn unauthenticated(authority: &str, refused: &Refused, shown: Option<&Claims>) -> ProviderError {
    let code = refused.error_codes.first().copied();
    let hint = match code {
        Some(7_000_215) => "the client secret is wrong: put its value, not its id, in the Secret".to_owned(),
        Some(7_000_222) => "the client secret has expired: create a new one and put its value in the Secret".to_owned(),
        Some(70_021 | 70_025 | 700_211 | 700_212 | 700_213 | 7_002_137 | 7_002_138) => {
            let trusted = shown.map_or_else(|| "what was shown".to_owned(), Claims::to_trust);
            format!(
                "the application does not trust this ServiceAccount: give it a federated credential with exactly {trusted}"
            )
        }
        Some(50_013 | 50_166 | 90_061 | 5_000_811) => {
            "Microsoft Entra cannot verify the token of the ServiceAccount: the cluster's issuer and its keys must be \
             public, and the keys RSA"
                .to_owned()
        }
        Some(700_024) => {
            "what was shown is not valid at this time: check the clocks of the operator's machine and of the API server"
                .to_owned()
        }
        Some(700_027) => {
            "the application does not know this certificate: register tls.crt with it, and again after each renewal"
                .to_owned()
        }
        Some(700_016) => "the tenant has no such application: check clientId and tenantId".to_owned(),
        Some(90_002 | 900_023) => "there is no such tenant: check tenantId and cloud".to_owned(),
        Some(7_000_112) => "the application is disabled: enable it in Microsoft Entra".to_owned(),
        Some(53_003) => "a Conditional Access policy of the tenant forbids it: exempt the application".to_owned(),
        Some(65_001 | 70_011 | 500_011 | 1_002_012) => {
            "the tenant does not know what the token is for: check the scope in the operator's configuration".to_owned()
        }
        Some(code) => format!("see https://login.microsoftonline.com/error?code={code}"),
        None => "check clientId, tenantId and the credentials".to_owned(),
    };
    // The name of an OAuth error is a word; anything else is not repeated.
    let word = refused.error.len() <= 40 && refused.error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let name = if word { refused.error.as_str() } else { "error" };
    let code = code.map_or_else(String::new, |code| format!(" AADSTS{code}"));
    ProviderError::Unauthenticated { detail: format!("{authority} says {name}{code}: {hint}") }
}
