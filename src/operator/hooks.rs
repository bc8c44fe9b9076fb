//! Webhooks for messages that the clouds send by themselves, such as that a budget is spent. A delivery is a hint. It brings the
//! next observation of an account forward, once a minute at most, and the observation alone says what is true.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::time::timeout;
use tracing::{debug, info, warn};
use url::form_urlencoded;

use payg_core::account::AccountId;
use payg_providers::{aws, azure};

use super::{Operator, watches};

/// Where deliveries are accepted, and the token that senders need.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The file with the token that senders must know.
    pub token_file: PathBuf,
}

/// Why the token cannot be used.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("the token for webhooks cannot be read from {path}: {source}", path = .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// It can be guessed.
    #[error("the token for webhooks in {path} is shorter than {SHORTEST_TOKEN} characters; put a longer one there", path = .0.display())]
    Short(PathBuf),
}

const SHORTEST_TOKEN: usize = 16;
/// The largest delivery, in bytes. A budget alert has some thousand.
const LARGEST: usize = 256 << 10;
/// How long a delivery may take to arrive and to be answered. SNS is asked within it.
const DEADLINE: Duration = Duration::from_secs(10);
/// When senders should retry a delivery to a replica that does not lead, in seconds.
const SEND_AGAIN: &str = "5";

pub(super) struct Hooks {
    operator: Arc<Operator>,
    aws: aws::Connections,
    token_file: PathBuf,
    /// Whether this replica leads.
    leads: Arc<AtomicBool>,
}

impl Hooks {
    /// Accepts deliveries with the token in `token_file`, once `leads` is true.
    pub(super) async fn new(
        operator: Arc<Operator>,
        aws: aws::Connections,
        token_file: PathBuf,
        leads: Arc<AtomicBool>,
    ) -> Result<Self, TokenError> {
        token(&token_file).await?;
        Ok(Self { operator, aws, token_file, leads })
    }

    fn answer(&self, outcome: &'static str, answer: impl IntoResponse) -> Response {
        self.operator.metrics.delivery(outcome);
        answer.into_response()
    }

    /// Brings the next observation of the `accounts` forward. The answer does not reveal whether there are such accounts.
    fn hint(&self, accounts: &BTreeSet<AccountId>) -> Response {
        if !self.leads.load(Ordering::Relaxed) {
            let answer = (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, SEND_AGAIN)], "another replica is active\n");
            return self.answer("not_leader", answer);
        }
        for account in accounts {
            let subscriptions = self.operator.index().of_account(account);
            for subscription in subscriptions {
                debug!(%subscription, "a cloud hints at it");
                watches::bring_forward(&self.operator, subscription);
            }
        }
        self.answer("taken", StatusCode::ACCEPTED)
    }

    fn unreadable(&self) -> Response {
        let message = "this is neither a budget alert nor a known event: see docs/operate/hooks.md\n";
        self.answer("unreadable", (StatusCode::BAD_REQUEST, message))
    }
}

/// `/hooks/azure` and `/hooks/aws`.
pub(super) fn router(hooks: Hooks) -> Router {
    let hooks = Arc::new(hooks);
    Router::new()
        .route("/hooks/azure", post(from_azure).options(permit))
        .route("/hooks/aws", post(from_aws))
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(middleware::from_fn_with_state(Arc::clone(&hooks), policy_check)) // before any body is read
        .with_state(hooks)
}

/// Lets requests with the token through.
async fn policy_check(State(hooks): State<Arc<Hooks>>, request: Request, next: Next) -> Response {
    let answer = async {
        match token(&hooks.token_file).await {
            Ok(token) if knows(&request, &token) => next.run(request).await,
            Ok(_) => hooks.answer("refused", (StatusCode::UNAUTHORIZED, "the token is missing or wrong\n")),
            Err(error) => {
                warn!(%error, "webhooks are closed");
                hooks.answer("refused", (StatusCode::SERVICE_UNAVAILABLE, "there is no token to compare with\n"))
            }
        }
    };
    let late = |_| hooks.answer("refused", (StatusCode::REQUEST_TIMEOUT, "this took too long\n"));
    timeout(DEADLINE, answer).await.unwrap_or_else(late)
}

/// The token, read anew each time, so that it can be changed while the operator runs.
async fn token(path: &Path) -> Result<String, TokenError> {
    let read = tokio::fs::read_to_string(path).await;
    let token = read.map_err(|source| TokenError::Unreadable { path: path.to_owned(), source })?;
    let token = token.trim();
    if token.len() < SHORTEST_TOKEN { Err(TokenError::Short(path.to_owned())) } else { Ok(token.to_owned()) }
}

/// Whether a request shows the token, in its header or, as action groups and SNS can set none, in its address.
fn knows(request: &Request, token: &str) -> bool {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let header = header.and_then(|value| value.trim().split_once(' '));
    // The name of a scheme may be in any letters: RFC 9110, section 11.1.
    let header =
        header.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer")).map(|(_, shown)| shown.trim().to_owned());
    let query = request.uri().query().unwrap_or_default();
    let query = || form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token");
    let shown = header.or_else(|| query().map(|(_, value)| value.into_owned()));
    // The time that a comparison of hashes takes reveals nothing about the token.
    shown.is_some_and(|shown| Sha256::digest(shown) == Sha256::digest(token))
}

async fn from_azure(State(hooks): State<Arc<Hooks>>, body: Bytes) -> Response {
    match azure::hook::read(&body) {
        Some(azure::hook::Delivery::Hint(accounts)) => hooks.hint(&accounts),
        Some(azure::hook::Delivery::Validation(code)) => {
            info!("Event Grid was told that its events are wanted");
            hooks.answer("handshake", axum::Json(json!({"validationResponse": code})))
        }
        None => hooks.unreadable(),
    }
}

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
/// The deliveries per minute that it may send.
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// What Event Grid asks before it sends CloudEvents.
/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection>
async fn permit(State(hooks): State<Arc<Hooks>>, headers: HeaderMap) -> Response {
    match headers.get(REQUEST_ORIGIN) {
        Some(origin) => hooks
            .answer("handshake", [(ALLOWED_ORIGIN, origin.clone()), (ALLOWED_RATE, HeaderValue::from_static("60"))]),
        None => hooks.unreadable(),
    }
}

async fn from_aws(State(hooks): State<Arc<Hooks>>, body: Bytes) -> Response {
    match aws::hook::read(&body) {
        Some(aws::hook::Delivery::Hint(accounts)) => hooks.hint(&accounts),
        Some(aws::hook::Delivery::Confirmation(confirmation)) => match hooks.aws.confirm(&confirmation).await {
            Ok(()) => {
                info!(topic = confirmation.topic(), "SNS was told that the messages of a topic are wanted");
                hooks.answer("handshake", StatusCode::OK)
            }
            Err(error) => {
                warn!(topic = confirmation.topic(), %error, "SNS could not be told that the messages of a topic are wanted");
                hooks.answer("unconfirmed", (StatusCode::BAD_GATEWAY, "SNS did not take the confirmation\n"))
            }
        },
        None => hooks.unreadable(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "a-token-that-nobody-guesses";

    fn shown(name: &str, value: &str, query: &str) -> bool {
        let request = axum::http::Request::post(format!("/hooks/azure{query}")).header(name, value);
        knows(&request.body(axum::body::Body::empty()).unwrap(), TOKEN)
    }

    /// <https://github.com/hyperium/headers/issues/141>: the scheme in small letters was not taken for it.
    #[test]
    fn the_token_is_known_by_whatever_letters_its_scheme_has() {
        for scheme in ["Bearer ", "bearer ", "BEARER ", "bEaReR   ", " Bearer "] {
            for name in ["authorization", "Authorization", "AUTHORIZATION"] {
                assert!(shown(name, &format!("{scheme}{TOKEN}"), ""), "{name}: {scheme}");
                assert!(!shown(name, &format!("{scheme}{TOKEN}x"), ""), "{name}: {scheme}");
            }
        }
        for scheme in ["", "Basic ", "Bearer", "Bearer: ", "Token "] {
            assert!(!shown("authorization", &format!("{scheme}{TOKEN}"), ""), "{scheme}");
        }
        assert!(shown("x-other", "", &format!("?a=b&token={TOKEN}")));
        assert!(shown("authorization", "Basic eA==", &format!("?token={TOKEN}")), "a proxy's own");
        assert!(!shown("authorization", "Bearer wrong", &format!("?token={TOKEN}")));
        assert!(!shown("x-other", "", "?Token=") && !shown("x-other", "", ""));
    }
}
