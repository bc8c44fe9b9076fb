//! One request of a simulated protocol: what it asks for, which fault meets it, what is answered, and the log of it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::azure::{self, Target, arm};
use super::faults::{self, Kind, LateAnswer, RetryAfter};
use super::tls::Peer;
use super::world::{Asked, Shared, World};

/// The largest request body that is read, in bytes.
const REQUEST_LIMIT: usize = 1 << 20;

/// The operations of the simulated protocols, as faults and the log name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum OperationName {
    Token,
    Discovery,
    TenantList,
    SubscriptionList,
    Subscription,
    Cancel,
    Rename,
    Enable,
    BillingProperty,
    BillingAccountList,
    BillingAccount,
    BillingProfileList,
    BillingProfile,
    BillingSubscriptionList,
    BillingSubscription,
    BalanceSummary,
    Lots,
    Events,
    Upgrade,
    OperationStatus,
    Other,
}

impl OperationName {
    /// Whether it tells what an account is, so that it can tell what one was.
    pub(crate) const fn reads_accounts(self) -> bool {
        match self {
            Self::SubscriptionList
            | Self::Subscription
            | Self::BillingProperty
            | Self::BillingAccountList
            | Self::BillingAccount
            | Self::BillingProfileList
            | Self::BillingProfile
            | Self::BillingSubscriptionList
            | Self::BillingSubscription
            | Self::BalanceSummary
            | Self::Lots
            | Self::Events
            | Self::OperationStatus => true,
            Self::Token
            | Self::Discovery
            | Self::TenantList
            | Self::Cancel
            | Self::Rename
            | Self::Enable
            | Self::Upgrade
            | Self::Other => false,
        }
    }

    /// Whether it changes an account.
    pub(crate) const fn changes_accounts(self) -> bool {
        matches!(self, Self::Upgrade | Self::Cancel | Self::Rename | Self::Enable)
    }
}

/// A request, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    async fn read(request: Request) -> Result<Self, axum::Error> {
        let (parts, body) = request.into_parts();
        Ok(Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body: to_bytes(body, REQUEST_LIMIT).await?,
        })
    }

    /// A query parameter; names are case-insensitive, as Azure's are.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        self.query_pairs().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
    }

    pub(crate) fn query_pairs(&self) -> url::form_urlencoded::Parse<'_> {
        url::form_urlencoded::parse(self.query.as_bytes())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// An answer of a simulated service.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    headers: Vec<(&'static str, String)>,
    /// `Null`: no body.
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.headers.push((name, value.to_owned()));
    }

    /// The headers to send. A value that no header can hold (an echo of garbage) is left out.
    fn headers(&self) -> HeaderMap {
        let pair = |(name, value): &(&'static str, String)| {
            Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
        };
        self.headers.iter().filter_map(pair).collect()
    }
}

/// What goes over the wire in the end.
enum Delivery {
    Json(Reply),
    /// The JSON of the reply up to its middle.
    Truncated(Reply),
    Page(StatusCode),
    Oversized(u64),
    Cut,
}

impl Delivery {
    fn status(&self) -> Option<u16> {
        match self {
            Self::Json(reply) | Self::Truncated(reply) => Some(reply.status.as_u16()),
            Self::Page(status) => Some(status.as_u16()),
            Self::Oversized(_) => Some(200),
            Self::Cut => None,
        }
    }
}

/// Answers any request that is not for the control API.
pub(crate) async fn serve(State(shared): State<Arc<Shared>>, peer: ConnectInfo<Peer>, request: Request) -> Response {
    let call = match Call::read(request).await {
        Ok(call) => call,
        Err(error) => return (StatusCode::PAYLOAD_TOO_LARGE, error.to_string()).into_response(),
    };
    let target = Target::of(&call.method, &call.path);
    let (delivery, fault) = {
        let mut world = shared.world();
        let account = target.account(&world);
        let fault = faults::take(&mut world.faults, target.operation(), account.as_deref());
        let delivery = deliver(&mut world, &call, &target, fault.as_ref());
        world.log(Asked {
            wall_time: Timestamp::now(),
            operation: target.operation(),
            account,
            method: call.method.to_string(),
            path: call.path.clone(),
            status: delivery.status(),
            idempotency_key: call.header("idempotency-key").map(str::to_owned),
        });
        (delivery, fault)
    };
    match fault {
        Some(Kind::Latency { millis }) => tokio::time::sleep(Duration::from_millis(millis)).await,
        Some(Kind::AppliedLate { millis, .. }) => process_later(Arc::clone(&shared), call, target, millis),
        _ => {}
    }
    let mut response = respond(delivery, &peer);
    // Dates are decided on, so the clock that the answer tells is the billing clock.
    let date = shared.world().clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    response.headers_mut().insert(header::DATE, HeaderValue::try_from(date).unwrap_or(HeaderValue::from_static("")));
    response
}

/// Processes the request, or not, as the fault says.
fn deliver(world: &mut World, call: &Call, target: &Target, fault: Option<&Kind>) -> Delivery {
    let Some(fault) = fault else { return Delivery::Json(azure::process(world, call, target, 0)) };
    let failed = |world: &mut World, status| Delivery::Json(arm::finish(world, call, arm::failure(status)));
    match fault {
        Kind::Latency { .. } => Delivery::Json(azure::process(world, call, target, 0)),
        Kind::Stale { seconds } => Delivery::Json(azure::process(world, call, target, *seconds)),
        Kind::Cut | Kind::AppliedLate { answer: LateAnswer::Cut, .. } => Delivery::Cut,
        Kind::AppliedLate { answer: LateAnswer::GatewayTimeout, .. } => failed(world, 504),
        Kind::Status { code } => failed(world, *code),
        Kind::AppliedAnswerLost => {
            azure::process(world, call, target, 0);
            Delivery::Cut
        }
        Kind::Throttle { retry_after_seconds: seconds, retry_after_date: date } => {
            let reply = azure::throttled(target, call, RetryAfter { seconds: *seconds, date: *date });
            Delivery::Json(arm::finish(world, call, reply))
        }
        Kind::Redirect { to } => Delivery::Json(arm::finish(
            world,
            call,
            Reply::new(StatusCode::TEMPORARY_REDIRECT, Value::Null).with("location", to),
        )),
        Kind::HtmlPage { status } => Delivery::Page(StatusCode::from_u16(*status).unwrap_or_default()),
        Kind::OversizedBody { bytes } => Delivery::Oversized(*bytes),
        Kind::MalformedJson => Delivery::Truncated(azure::process(world, call, target, 0)),
        Kind::MissingField { name } => {
            let mut reply = azure::process(world, call, target, 0);
            faults::remove(&mut reply.body, name);
            Delivery::Json(reply)
        }
        Kind::ReplaceField { path, value } => {
            let mut reply = azure::process(world, call, target, 0);
            faults::replace(&mut reply.body, path, value.clone());
            Delivery::Json(reply)
        }
    }
}

/// Processes the request when `millis` of the wall clock have passed, unless the simulator stops before. Nobody gets
/// the answer.
fn process_later(shared: Arc<Shared>, call: Call, target: Target, millis: u64) {
    tokio::spawn(async move {
        let stop = shared.stop.clone();
        let late = async {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            azure::process(&mut shared.world(), &call, &target, 0);
        };
        stop.run_until_cancelled(late).await;
    });
}

fn respond(delivery: Delivery, peer: &Peer) -> Response {
    const JSON: &str = "application/json; charset=utf-8";
    let json = |reply: &Reply, text: String| {
        (reply.status, reply.headers(), [(header::CONTENT_TYPE, JSON)], text).into_response()
    };
    match delivery {
        Delivery::Json(reply) if reply.body.is_null() => (reply.status, reply.headers()).into_response(),
        Delivery::Json(reply) => json(&reply, reply.body.to_string()),
        Delivery::Truncated(reply) => {
            let text = reply.body.to_string();
            let half = text.chars().count() / 2;
            json(&reply, text.chars().take(half).collect())
        }
        Delivery::Page(status) => {
            let page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>";
            (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
        }
        Delivery::Oversized(bytes) => ([(header::CONTENT_TYPE, JSON)], oversized(bytes)).into_response(),
        Delivery::Cut => {
            peer.cut();
            StatusCode::NO_CONTENT.into_response() // never written
        }
    }
}

/// A JSON document of about `bytes` bytes, made as it is read.
fn oversized(bytes: u64) -> Body {
    const ITEM: &str = "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789\",";
    let items = bytes / (ITEM.len() as u64);
    let middle = (0..items).map(|_| ITEM);
    let chunks = std::iter::once("{\"value\":[").chain(middle).chain(std::iter::once("\"\"]}"));
    Body::from_stream(futures::stream::iter(chunks.map(Ok::<_, std::convert::Infallible>)))
}
