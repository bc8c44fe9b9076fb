//! Reads of Azure Resource Manager. Over `reqwest` itself: `azure_core`'s pipeline reads bodies of any size, retries below
//! the engine that backs off, and turns an answer into an error of its own before its headers can be read.

use reqwest::header::ACCEPT_LANGUAGE;
use reqwest::{RequestBuilder, StatusCode};
use uuid::Uuid;

use super::http::{Answer, Client, excerpt};

use super::limits::{Limits, Scope};
use super::wire::{Billing, BillingProperty, Subscription};
use crate::Secret;
use crate::http::LARGEST_BODY;
use payg_core::observation::Unread;
use payg_core::provider::ProviderError;

pub(super) const READ_SUBSCRIPTION: &str = "Microsoft.Resources/subscriptions/read";
const READ_BILLING: &str = "Microsoft.Billing/billingProperty/read, as in the role Cost Management Reader";

/// What Azure Resource Manager says when an account has no billing to read: an offer with few services, a cloud without
/// this version, a provider that is not registered.
const NO_BILLING: [&str; 5] = [
    "DisallowedProvider",
    "DisallowedOperation",
    "NoRegisteredProviderFound",
    "InvalidResourceType",
    "MissingSubscriptionRegistration",
];

/// Azure Resource Manager, with one token, for one observation.
#[derive(Clone, Copy)]
pub(super) struct Arm<'a> {
    pub(super) client: &'a Client,
    pub(super) endpoint: &'a str,
    pub(super) token: &'a Secret,
    pub(super) limits: &'a Limits,
    /// The same for all requests of the observation.
    pub(super) correlation: Uuid,
}

/// What came of a read that not everybody may make, and for which not every account has something.
#[derive(Debug)]
pub(super) enum Seen<T> {
    Yes(T),
    /// There is nothing to read.
    Nothing,
    /// The credentials may not read it.
    Denied(Unread),
}

impl Arm<'_> {
    /// The subscription `id`, and the answer that it was in.
    pub(super) async fn subscription(&self, id: Uuid) -> Result<(Subscription, Answer), ProviderError> {
        let read = self.read(Scope::Subscription(id), format!("Azure subscription {id}"));
        let answer = read.get(&format!("/subscriptions/{id}?api-version=2022-12-01")).await?;
        match answer.status {
            StatusCode::OK => {
                let subscription: Subscription = read.json(&answer)?;
                read.is_about(id, &subscription.id, &answer)?;
                if let Some(path) = &subscription.path {
                    read.is_about(id, path.rsplit('/').next().unwrap_or_default(), &answer)?;
                }
                Ok((subscription, answer))
            }
            // It may exist: <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-not-found>
            StatusCode::NOT_FOUND if answer.error().is_some() => {
                read.log(&answer);
                Err(ProviderError::Forbidden {
                    permission: READ_SUBSCRIPTION.to_owned(),
                    detail: format!(
                        "Azure subscription {id} is not visible to these credentials, which does not mean that it is \
                         deleted: check the id and tenantId, and grant the application Reader on the subscription"
                    ),
                })
            }
            _ => Err(read.refused(&answer, READ_SUBSCRIPTION)),
        }
    }

    /// The billing of the subscription `id`.
    pub(super) async fn billing(&self, id: Uuid) -> Result<Seen<Billing>, ProviderError> {
        let read = self.read(Scope::BillingProperty(id), format!("the billing property of Azure subscription {id}"));
        let path = format!("/subscriptions/{id}/providers/Microsoft.Billing/billingProperty/default");
        let answer = read.get(&format!("{path}?api-version=2024-04-01")).await?;
        if answer.status != StatusCode::OK {
            return read.nothing(
                &answer,
                Unread { what: "the billing property".to_owned(), permission: READ_BILLING.to_owned() },
            );
        }
        let property: BillingProperty = read.json(&answer)?;
        let mut segments = property.id.split('/').skip(1);
        match (segments.next(), segments.next()) {
            (Some(kind), Some(found)) if kind.eq_ignore_ascii_case("subscriptions") => {
                read.is_about(id, found, &answer)?;
                Ok(Seen::Yes(property.properties))
            }
            _ => Err(read.odd(&answer, "the billing property has the id of something else")),
        }
    }

    /// A read of `what`.
    pub(super) fn read(&self, scope: Scope, what: String) -> Read<'_> {
        Read { arm: self, scope, what }
    }
}

/// The read of one thing.
pub(super) struct Read<'a> {
    arm: &'a Arm<'a>,
    scope: Scope,
    what: String,
}

impl Read<'_> {
    /// The answer at `path` of Azure Resource Manager.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, ProviderError> {
        self.get_url(&format!("{}{path}", self.arm.endpoint), LARGEST_BODY).await
    }

    /// The answer at `url`, which must be Azure Resource Manager's: it gets the token. It may have `largest` bytes.
    pub(super) async fn get_url(&self, url: &str, largest: usize) -> Result<Answer, ProviderError> {
        self.arm.limits.pass(self.scope).await?;
        let request = with_headers(self.arm.client.get(url), self.arm.token)
            .header("x-ms-correlation-request-id", self.arm.correlation.to_string());
        let answer =
            self.arm.client.exchange_up_to(largest, request).await.map_err(|lost| lost.of_read(&self.what()))?;
        self.arm.limits.learn(self.scope, &answer);
        Ok(answer)
    }

    /// What the answer holds.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, answer: &Answer) -> Result<T, ProviderError> {
        answer.json().map_err(|what| self.odd(answer, &what))
    }

    /// Whether the answer is about the account that was asked for.
    fn is_about(&self, id: Uuid, found: &str, answer: &Answer) -> Result<(), ProviderError> {
        match Uuid::try_parse(found) {
            Ok(found) if found == id => Ok(()),
            Ok(found) => {
                self.log(answer);
                let found = format!("Azure subscription {found}, not {id} which was asked for");
                Err(ProviderError::WrongAccount { found })
            }
            Err(_) => Err(self.odd(answer, "the answer has no subscription id")),
        }
    }

    fn what(&self) -> String {
        format!("reading {} at {}", self.what, self.arm.endpoint)
    }

    /// Logs what Azure's support finds a request by. Errors do not tell it: it differs each time, and a status would be
    /// written anew at every observation that fails.
    fn log(&self, answer: &Answer) {
        let (status, correlation, request) = (answer.status.as_u16(), self.arm.correlation, answer.request_id());
        tracing::info!(status, %correlation, request, "{}: no answer to go by", self.what());
    }

    /// The error of an answer that breaks the protocol.
    pub(super) fn odd(&self, answer: &Answer, what: &str) -> ProviderError {
        self.log(answer);
        ProviderError::Protocol { detail: format!("{}: {what}", self.what()) }
    }

    /// What is known less, if the answer says no more than that there is nothing for these credentials.
    pub(super) fn nothing<T>(&self, answer: &Answer, unread: Unread) -> Result<Seen<T>, ProviderError> {
        let error = answer.error();
        let seen = match answer.status.as_u16() {
            // The same token has just been good for the subscription, so that 401 is about billing too. Billing does not say
            // it in Azure Resource Manager's words: a text, a page or nothing is as much of a refusal.
            401 | 403 => Seen::Denied(unread),
            404 if error.is_some() => Seen::Denied(unread),
            400 | 409 if error.as_ref().is_some_and(|error| NO_BILLING.contains(&error.code.as_str())) => Seen::Nothing,
            _ => return Err(self.refused(answer, &unread.permission)),
        };
        let said = error.map_or_else(|| excerpt(&String::from_utf8_lossy(&answer.body)), |error| error.text());
        tracing::debug!(said, "{}: there is nothing for these credentials", self.what());
        Ok(seen)
    }

    /// The error of an answer that is not a success.
    pub(super) fn refused(&self, answer: &Answer, permission: &str) -> ProviderError {
        let status = answer.status;
        let detail = |text: &str| format!("{}: HTTP {status} {text}", self.what());
        self.log(answer);
        if status == StatusCode::TOO_MANY_REQUESTS {
            return ProviderError::Throttled { retry_after: answer.retry_after() };
        }
        if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
            return ProviderError::Transient { detail: detail("") };
        }
        // Anything on the way may answer like this too, but not in Azure Resource Manager's words.
        let Some(error) = answer.error().filter(|_| status.is_client_error()) else {
            let what = format!("HTTP {status} is not an answer of Azure Resource Manager; redirects are not followed");
            return self.odd(answer, &what);
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
