//! The request for an upgrade, and what the answer proves:
//!
//! - 200, 201 or 202 with a JSON object, or 202 with `Content-Length: 0`: accepted. The broker remembers the key for ever
//!   and answers it with the same upgrade; that the account is upgraded is seen on the account.
//! - 400, 401, 403, 404, 410 or 422 with `{"error": {"code": …, "message": …}}`: rejected. Nothing was done and nothing will
//!   be; the broker does not remember the key.
//! - Anything else, and no answer: not known.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::operation;
use crate::azure::arm::with_headers;
use crate::azure::http::{Answer, ArmError, Client, NoAnswer, excerpt};
use crate::http::CONNECT_TIMEOUT;
use crate::{Accepted, Secret, UpgradeRequest};
use payg_clock::Clock;
use payg_core::provider::ProviderError;

/// The request for one upgrade.
pub(crate) struct Call<'a> {
    pub(crate) client: &'a Client,
    pub(crate) clock: Clock,
    pub(crate) broker: &'a Url,
    pub(crate) token: &'a Secret,
    pub(crate) id: Uuid,
    pub(crate) request: UpgradeRequest<'a>,
}

impl Call<'_> {
    /// Sends the request, once, unless it is too late. The answer may take as long as `left`.
    pub(crate) async fn send(&self, left: Duration) -> Result<Accepted, ProviderError> {
        let Self { client, token, id, request, .. } = self;
        let url = format!(
            "{}/subscriptions/{id}/providers/PaygOperator.Broker/upgrade?api-version=2026-11-01",
            self.address()
        );
        let body = json!({"properties": {"targetOffer": request.transition.to.name(), "acceptCharges": true}});
        let post = with_headers(client.post(url), token).header("Idempotency-Key", request.key.to_string()).json(&body);
        // The first byte is written when there is a connection, which takes no longer than this.
        let in_time = Duration::try_from(request.not_after.duration_since(self.clock.wall()));
        if !in_time.is_ok_and(|in_time| in_time >= CONNECT_TIMEOUT) {
            return Err(self.not_sent(&format!("too little time is left until {}", request.not_after)));
        }
        match tokio::time::timeout(left, client.exchange(post)).await {
            Ok(Ok(answer)) => self.classify(&answer),
            Ok(Err(NoAnswer::NotConnected(detail))) => Err(self.not_sent(&detail)),
            Ok(Err(lost)) => Err(self.unknown(&lost.detail())),
            Err(_) => Err(self.unknown(&format!("no answer in {} s", left.as_secs_f32()))),
        }
    }

    /// What the answer proves. Whatever is not listed proves nothing.
    fn classify(&self, answer: &Answer) -> Result<Accepted, ProviderError> {
        let status = answer.status;
        match status.as_u16() {
            202 if answer.is_declared_empty() => Ok(self.accepted(answer, &Map::new())),
            200..=202 => match answer.json::<Map<String, Value>>() {
                Ok(body) => Ok(self.accepted(answer, &body)),
                Err(odd) => Err(self.unknown(&format!("HTTP {status}, but {odd}"))),
            },
            code => Err(match answer.error() {
                Some(error) if matches!(code, 400 | 401 | 403 | 404 | 410 | 422) => self.rejected(status, error),
                Some(error) => self.unknown(&format!("HTTP {status} {}", error.text())),
                // Whoever is on the way may answer so, also after the broker took the request.
                None => self.unknown(&format!("HTTP {status}, without an error of the broker")),
            }),
        }
    }

    /// The broker took it. Whatever state the answer names, it proves no more than that.
    fn accepted(&self, answer: &Answer, body: &Map<String, Value>) -> Accepted {
        let state =
            body.get("status").and_then(Value::as_str).map(|state| format!(" with the status {:?}", excerpt(state)));
        let said = format!("the broker answered HTTP {}{}", answer.status, state.unwrap_or_default());
        if answer.status != StatusCode::ACCEPTED {
            return Accepted { message: said, ..Accepted::default() };
        }
        let (operation, message) = match operation::address(&answer.headers, self.broker) {
            Ok(operation) => (operation.map(String::from), said),
            Err(odd) => (None, format!("{said}; how far the upgrade comes cannot be asked: {odd}")),
        };
        Accepted { message, operation, retry_after: answer.retry_after() }
    }

    fn rejected(&self, status: StatusCode, error: ArmError) -> ProviderError {
        let what = self.what();
        let said = format!("{what}: HTTP {status} {}", error.text());
        match status {
            StatusCode::UNAUTHORIZED => ProviderError::Unauthenticated { detail: said },
            StatusCode::FORBIDDEN => {
                ProviderError::Forbidden { permission: "the broker's permission to upgrade".to_owned(), detail: said }
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
        format!("the request to {} for the upgrade of Azure subscription {}", self.address(), self.id)
    }

    /// The broker's address, without a slash at its end.
    fn address(&self) -> &str {
        self.broker.as_str().trim_end_matches('/')
    }
}
