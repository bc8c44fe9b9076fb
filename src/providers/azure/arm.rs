//! Reads of Azure Resource Manager. Over `reqwest` itself: `azure_core`'s pipeline reads bodies of any size, retries below
//! the engine that backs off, and turns an answer into an error of its own before its headers can be read.

use azure_core::credentials::Secret;
use reqwest::header::ACCEPT_LANGUAGE;
use reqwest::{RequestBuilder, StatusCode};
use uuid::Uuid;

use super::http::{Answer, exchange};
use super::wire::{Billing, BillingProperty, Subscription};
use crate::core::provider::ProviderError;

const READ_SUBSCRIPTION: &str = "Microsoft.Resources/subscriptions/read";

/// What Azure Resource Manager says when an account has no billing to read: an offer with few services, a cloud without
/// this version, a provider that is not registered.
const NO_BILLING: [&str; 5] = [
    "DisallowedProvider",
    "DisallowedOperation",
    "NoRegisteredProviderFound",
    "InvalidResourceType",
    "MissingSubscriptionRegistration",
];

/// Azure Resource Manager, for one account and with one token.
#[derive(Clone, Copy)]
pub(super) struct Arm<'a> {
    pub(super) client: &'a reqwest::Client,
    pub(super) endpoint: &'a str,
    pub(super) token: &'a Secret,
    pub(super) id: Uuid,
}

impl Arm<'_> {
    /// The subscription, and the answer that it was in.
    pub(super) async fn subscription(&self) -> Result<(Subscription, Answer), ProviderError> {
        let answer = self.get("?api-version=2022-12-01").await?;
        match answer.status {
            StatusCode::OK => {
                let subscription: Subscription = answer.json().map_err(|what| self.odd(&what))?;
                self.is_ours(&subscription.id)?;
                Ok((subscription, answer))
            }
            // It may exist: <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-not-found>
            StatusCode::NOT_FOUND if answer.error().is_some() => Err(ProviderError::Forbidden {
                permission: READ_SUBSCRIPTION.to_owned(),
                detail: format!(
                    "Azure subscription {} is not visible to these credentials, which does not mean that it is deleted: \
                     check the id and tenantId, and grant the application Reader on the subscription",
                    self.id
                ),
            }),
            _ => Err(self.refused(&answer, READ_SUBSCRIPTION)),
        }
    }

    /// The billing of the subscription; `None` where it is not for these credentials or not there, so that less is known.
    pub(super) async fn billing(&self) -> Result<Option<Billing>, ProviderError> {
        let path = "/providers/Microsoft.Billing/billingProperty/default?api-version=2024-04-01";
        let answer = self.get(path).await?;
        if answer.status == StatusCode::OK {
            let property: BillingProperty = answer.json().map_err(|what| self.odd(&what))?;
            let mut segments = property.id.split('/').skip(1);
            return match (segments.next(), segments.next()) {
                (Some(kind), Some(id)) if kind.eq_ignore_ascii_case("subscriptions") => {
                    self.is_ours(id)?;
                    Ok(Some(property.properties))
                }
                _ => Err(self.odd("the billing property has the id of something else")),
            };
        }
        let error = answer.error();
        let no_billing = match answer.status.as_u16() {
            // The same token has just been good for the subscription, so that 401 is about billing too.
            401 | 403 | 404 => error.is_some(),
            400 | 409 => error.as_ref().is_some_and(|error| NO_BILLING.contains(&error.code.as_str())),
            _ => false,
        };
        if !no_billing {
            return Err(self.refused(&answer, "Microsoft.Billing/billingProperty/read"));
        }
        let said = error.map(|error| error.text()).unwrap_or_default();
        tracing::debug!(
            subscription = %self.id,
            said,
            "the billing property cannot be read; Microsoft.Billing/billingProperty/read, as in Cost Management Reader, \
             would tell more"
        );
        Ok(None)
    }

    async fn get(&self, path: &str) -> Result<Answer, ProviderError> {
        let url = format!("{}/subscriptions/{}{path}", self.endpoint, self.id);
        let request = with_headers(self.client.get(url), self.token);
        exchange(request).await.map_err(|lost| lost.of_read(&self.what()))
    }

    /// Whether the answer is about the account that was asked for.
    fn is_ours(&self, id: &str) -> Result<(), ProviderError> {
        match Uuid::try_parse(id) {
            Ok(found) if found == self.id => Ok(()),
            Ok(found) => {
                let found = format!("Azure subscription {found}, not {} which was asked for", self.id);
                Err(ProviderError::WrongAccount { found })
            }
            Err(_) => Err(self.odd("the answer has no subscription id")),
        }
    }

    fn what(&self) -> String {
        format!("reading Azure subscription {} at {}", self.id, self.endpoint)
    }

    fn odd(&self, what: &str) -> ProviderError {
        ProviderError::Protocol { detail: format!("{}: {what}", self.what()) }
    }

    /// The error of an answer that is not a success.
    fn refused(&self, answer: &Answer, permission: &str) -> ProviderError {
        let status = answer.status;
        let detail = |text: &str| format!("{}: HTTP {status} {text}", self.what());
        if status == StatusCode::TOO_MANY_REQUESTS {
            return ProviderError::Throttled { retry_after: answer.retry_after() };
        }
        if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
            return ProviderError::Transient { detail: detail("") };
        }
        // Anything on the way may answer like this too, but not in Azure Resource Manager's words.
        let Some(error) = answer.error().filter(|_| status.is_client_error()) else {
            return self
                .odd(&format!("HTTP {status} is not an answer of Azure Resource Manager; redirects are not followed"));
        };
        match status {
            StatusCode::UNAUTHORIZED => ProviderError::Unauthenticated { detail: detail(&error.text()) },
            StatusCode::FORBIDDEN => {
                ProviderError::Forbidden { permission: permission.to_owned(), detail: detail(&error.text()) }
            }
            _ => ProviderError::Precondition { detail: detail(&error.message()), code: error.code },
        }
    }
}

/// `request` with the token and what every request to Azure carries:
/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-details.md>
pub(super) fn with_headers(request: RequestBuilder, token: &Secret) -> RequestBuilder {
    request
        .bearer_auth(token.secret())
        .header("x-ms-client-request-id", Uuid::new_v4().to_string())
        .header("x-ms-return-client-request-id", "true")
        .header(ACCEPT_LANGUAGE, "en-US") // so that messages are the same everywhere
}
