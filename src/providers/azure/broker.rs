//! The upgrade by a broker. Azure has no interface for it; this protocol is our own, in the manner of Azure Resource Manager:
//!
//! ```text
//! POST {broker}/subscriptions/{id}/providers/PaygOperator.Broker/upgrade?api-version=2026-11-01
//! Authorization: Bearer {a token of Microsoft Entra for the broker's scope}
//! Idempotency-Key: {the same UUID for every attempt at the upgrade of this subscription, for ever}
//!
//! {"properties": {"targetOffer": "PayAsYouGo", "acceptCharges": true}}
//! ```
//!
//! - 200, 201 or 202 with a JSON object, or 202 with `Content-Length: 0`: accepted. The broker remembers the key for ever
//!   and answers it with the same upgrade; that the account is upgraded is seen on the account.
//! - 400, 401, 403, 404, 410 or 422 with `{"error": {"code": …, "message": …}}`: rejected. Nothing was done and nothing will
//!   be; the broker does not remember the key.
//! - Anything else, and no answer: not known.

use std::time::Duration;

use azure_core::credentials::Secret;
use jiff::Timestamp;
use reqwest::StatusCode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::arm::with_headers;
use super::http::{Answer, NoAnswer, exchange};
use super::settings::CONNECT_TIMEOUT;
use crate::core::provider::ProviderError;
use crate::providers::{Accepted, UpgradeRequest};

/// The request for one upgrade.
pub(super) struct Call<'a> {
    pub(super) client: &'a reqwest::Client,
    pub(super) url: &'a str,
    pub(super) token: &'a Secret,
    pub(super) id: Uuid,
    pub(super) request: UpgradeRequest<'a>,
}

impl Call<'_> {
    /// Sends the request, once, unless it is too late. The answer may take as long as `left`.
    pub(super) async fn send(&self, left: Duration) -> Result<Accepted, ProviderError> {
        let Self { client, url, token, id, request } = self;
        let url = format!("{url}/subscriptions/{id}/providers/PaygOperator.Broker/upgrade?api-version=2026-11-01");
        let body = json!({"properties": {"targetOffer": request.transition.to.name(), "acceptCharges": true}});
        let post = with_headers(client.post(url), token).header("Idempotency-Key", request.key.to_string()).json(&body);
        // The first byte is written when there is a connection, which takes no longer than this.
        let in_time = Duration::try_from(request.not_after.duration_since(Timestamp::now()));
        if !in_time.is_ok_and(|in_time| in_time >= CONNECT_TIMEOUT) {
            return Err(self.not_sent(&format!("too little time is left until {}", request.not_after)));
        }
        match tokio::time::timeout(left, exchange(post)).await {
            Ok(Ok(answer)) => self.classify(&answer),
            Ok(Err(NoAnswer::NotConnected(detail))) => Err(self.not_sent(&detail)),
            Ok(Err(lost)) => Err(self.unknown(&lost.detail())),
            Err(_) => Err(self.unknown(&format!("no answer in {} s", left.as_secs_f32()))),
        }
    }

    /// What the answer proves. Whatever is not listed proves nothing.
    fn classify(&self, answer: &Answer) -> Result<Accepted, ProviderError> {
        let status = answer.status;
        let accepted = || Accepted { message: format!("the broker answered HTTP {status}") };
        match status.as_u16() {
            202 if answer.is_declared_empty() => Ok(accepted()),
            200..=202 => match answer.json::<Map<String, Value>>() {
                Ok(_) => Ok(accepted()),
                Err(odd) => Err(self.unknown(&format!("HTTP {status}, but {odd}"))),
            },
            400 | 401 | 403 | 404 | 410 | 422 => Err(self.rejected(answer)),
            _ => Err(self
                .unknown(&format!("HTTP {status} {}", answer.error().map(|error| error.text()).unwrap_or_default()))),
        }
    }

    fn rejected(&self, answer: &Answer) -> ProviderError {
        let (status, what) = (answer.status, self.what());
        let error = answer.error().unwrap_or_default();
        let said = format!("{what}: HTTP {status} {}", error.text());
        match status {
            StatusCode::UNAUTHORIZED => ProviderError::Unauthenticated { detail: said },
            StatusCode::FORBIDDEN => {
                ProviderError::Forbidden { permission: "the broker's permission to upgrade".to_owned(), detail: said }
            }
            _ if error.code.is_empty() => {
                ProviderError::Precondition { code: format!("HTTP {}", status.as_u16()), detail: what }
            }
            _ => ProviderError::Precondition { detail: format!("{what}: {}", error.message()), code: error.code },
        }
    }

    /// Nothing was written to a socket.
    fn not_sent(&self, why: &str) -> ProviderError {
        ProviderError::Transient { detail: format!("{} was not sent: {why}", self.what()) }
    }

    fn unknown(&self, why: &str) -> ProviderError {
        ProviderError::OutcomeUnknown { detail: format!("{}: {why}", self.what()) }
    }

    fn what(&self) -> String {
        format!("the request to {} for the upgrade of Azure subscription {}", self.url, self.id)
    }
}
