//! Managed identities: tokens from the Instance Metadata Service, which each machine in Azure has at the same address.
//! <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>
//!
//! It speaks plain HTTP. So `azure_identity` gets a transport that asks that one address, whatever the environment says.

use async_trait::async_trait;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::assertion::carried;
use super::http::{Answer, Client};
use super::settings::IMDS;
use super::token::{is_bearer, is_token};
use crate::document;
use payg_core::provider::ProviderError;

const PATH: &str = "/metadata/identity/oauth2/token";

/// The transport: reconciles on an answer only if it is a token.
#[derive(Debug)]
pub(super) struct Imds {
    pub(super) client: Client,
    /// Without a slash at the end.
    pub(super) endpoint: String,
}

#[async_trait]
impl HttpClient for Imds {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let body = self.exchange(request).await.map_err(carried)?;
        Ok(AsyncRawResponse::from_bytes(azure_core::http::StatusCode::Ok, Headers::default(), body))
    }
}

impl Imds {
    async fn exchange(&self, request: &Request) -> Result<Vec<u8>, ProviderError> {
        let url = request.url();
        // Variables such as IDENTITY_ENDPOINT make `azure_identity` ask somebody else.
        let asked = url.as_str().split('?').next().unwrap_or_default();
        if asked != format!("{IMDS}{PATH}") {
            return Err(diverted());
        }
        let query = url.query().unwrap_or_default();
        // No header of the request is passed on: one may hold IDENTITY_HEADER, a secret.
        let ours = self.client.get(format!("{}{PATH}?{query}", self.endpoint)).header("metadata", "true");
        let answer =
            self.client.exchange(ours).await.map_err(|lost| lost.of_read(&format!("a token of {}", self.endpoint)))?;
        self.check(&answer)
    }

    pub(super) fn check(&self, answer: &Answer) -> Result<Vec<u8>, ProviderError> {
        let endpoint = &self.endpoint;
        let status = answer.status;
        match status {
            StatusCode::OK => {
                let token = answer.json::<Granted>().ok().and_then(|granted| granted.document());
                let (token, expires) =
                    token.ok_or_else(|| odd(endpoint, "the answer to the request is something else"))?;
                tracing::debug!(endpoint, expires, "got a token");
                Ok(token)
            }
            StatusCode::TOO_MANY_REQUESTS => Err(ProviderError::Throttled { retry_after: answer.retry_after() }),
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::REQUEST_TIMEOUT => Err(transient(endpoint, status)),
            _ if status.is_server_error() => Err(transient(endpoint, status)),
            StatusCode::BAD_REQUEST => Err(answer
                .json()
                .map_or_else(|_| odd(endpoint, "the answer is HTTP 400 without a reason"), |said| refused(&said))),
            status => Err(odd(endpoint, &format!("the answer is HTTP {status}"))),
        }
    }
}

/// <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#get-a-token-using-http>;
/// `azure_identity` wants all of it.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    /// Seconds since 1970, as a text, which some write as a number.
    expires_on: Box<RawValue>,
    token_type: String,
    resource: String,
}

impl Granted {
    /// What `azure_identity` reads of it, written as it wants it, and the end; nothing if it is not a token.
    fn document(&self) -> Option<(Vec<u8>, u32)> {
        let Self { access_token, expires_on, token_type, resource } = self;
        let end = document::seconds(expires_on)?;
        let document = json!({"access_token": access_token, "expires_on": end.to_string(), "token_type": token_type,
            "resource": resource});
        (is_token(access_token) && is_bearer(token_type)).then(|| (document.to_string().into_bytes(), end))
    }
}

/// <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#error-handling>
#[derive(Deserialize)]
struct Refused {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Of the answer only what is known is repeated.
fn refused(said: &Refused) -> ProviderError {
    let hint = if said.error_description == "Identity not found" {
        "the machine that the operator runs on does not have this identity: assign it to the machine (with AKS: to the \
         scale set of the nodes), or check `credentials.managedIdentity.clientId`"
    } else if said.error_description.starts_with("Multiple user assigned identities") {
        "the machine has several identities: name one in `credentials.managedIdentity.clientId`"
    } else if matches!(said.error.as_str(), "invalid_resource" | "invalid_scope") {
        "the tenant does not know what the token is for: check `cloud`, and the scope in the operator's configuration"
    } else {
        "check the identities of the machine that the operator runs on"
    };
    ProviderError::Unauthenticated { detail: format!("the metadata service issued no token: {hint}") }
}

fn transient(endpoint: &str, status: StatusCode) -> ProviderError {
    ProviderError::Transient { detail: format!("a token of {endpoint}: the answer is HTTP {status}") }
}

fn odd(endpoint: &str, what: &str) -> ProviderError {
    ProviderError::Protocol { detail: format!("a token of {endpoint}: {what}; does the operator run in Azure?") }
}

/// The environment leads away from the metadata service.
pub(super) fn diverted() -> ProviderError {
    let detail = "the operator's pod has variables such as IDENTITY_ENDPOINT or MSI_ENDPOINT, and this operator asks the \
                  metadata service of the machine for tokens and nobody else: its administrator must remove them";
    ProviderError::Config { detail: detail.to_owned() }
}
