//! One request of a simulated protocol: what it asks for, which fault meets it, what is answered, and the log of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::aws;
use super::azure::{self, arm, errors};
use super::faults::{self, Kind, LateAnswer, RetryAfter};
use super::message::{Call, JSON, Reply, known};
use super::operation::OperationName;
use super::tls::Peer;
use super::world::{Asked, Shared, World};

/// What a request asks for, of which cloud.
#[derive(Clone, Debug)]
enum Target {
    Azure(azure::Target),
    Aws(aws::Target),
}

impl Target {
    fn of(call: &Call) -> Self {
        let azure = || Self::Azure(azure::Target::of(&call.method, &call.path));
        aws::Target::of(call).map_or_else(azure, Self::Aws)
    }

    fn operation(&self) -> OperationName {
        match self {
            Self::Azure(target) => target.operation(),
            Self::Aws(target) => target.operation,
        }
    }

    fn account(&self, world: &World, call: &Call) -> Option<String> {
        match self {
            Self::Azure(target) => target.account(&world.azure, world.ground.clock.now()),
            Self::Aws(target) => target.account(&world.aws, call),
        }
    }

    /// Processes the request; reads show the account as it was `stale` billing seconds ago.
    fn process(&self, world: &mut World, call: &Call, stale: u32) -> Reply {
        match self {
            Self::Azure(target) => azure::process(&mut world.azure(), call, target, stale),
            Self::Aws(target) => aws::process(&mut world.aws(), call, target, stale),
        }
    }

    /// What a service says that fails with this status.
    fn failed(&self, world: &mut World, call: &Call, status: u16) -> Reply {
        match self {
            Self::Azure(_) => arm::finish(&mut world.ground, call, errors::failure(status)),
            Self::Aws(target) => aws::failed(&mut world.ground, target, status),
        }
    }

    fn throttled(&self, world: &mut World, call: &Call, retry_after: RetryAfter) -> Reply {
        match self {
            Self::Azure(target) => {
                let reply = azure::throttled(target, call, retry_after);
                arm::finish(&mut world.ground, call, reply)
            }
            Self::Aws(target) => aws::throttled(&mut world.ground, target),
        }
    }

    fn redirected(&self, world: &mut World, call: &Call, to: &str) -> Reply {
        let reply = Reply::new(StatusCode::TEMPORARY_REDIRECT, Value::Null).with("location", to);
        match self {
            Self::Azure(_) => arm::finish(&mut world.ground, call, reply),
            Self::Aws(_) => reply,
        }
    }
}

/// What goes over the wire in the end.
enum Delivery {
    Whole(Reply),
    /// The reply up to its middle.
    Truncated(Reply),
    Page(StatusCode),
    Oversized(u64),
    /// What a fault says.
    Other(StatusCode, BTreeMap<String, String>, String),
    Cut,
}

impl Delivery {
    fn status(&self) -> Option<u16> {
        match self {
            Self::Whole(reply) | Self::Truncated(reply) => Some(reply.status.as_u16()),
            Self::Page(status) | Self::Other(status, ..) => Some(status.as_u16()),
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
    let target = Target::of(&call);
    let (delivery, fault) = {
        let mut world = shared.world();
        let account = target.account(&world, &call);
        let fault = faults::take(&mut world.faults, target.operation(), account.as_deref());
        let delivery = deliver(&mut world, &call, &target, fault.as_ref());
        world.log(Asked {
            wall_time: payg_virtual_time::wall(),
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
    // Dates are decided on, so the time in the answer is that of the billing clock.
    let date = shared.world().ground.clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    response.headers_mut().insert(header::DATE, HeaderValue::try_from(date).unwrap_or(HeaderValue::from_static("")));
    response
}

/// Processes the request, or not, as the fault says.
fn deliver(world: &mut World, call: &Call, target: &Target, fault: Option<&Kind>) -> Delivery {
    let Some(fault) = fault else { return Delivery::Whole(target.process(world, call, 0)) };
    match fault {
        Kind::Latency { .. } => Delivery::Whole(target.process(world, call, 0)),
        Kind::Stale { seconds } => Delivery::Whole(target.process(world, call, *seconds)),
        Kind::Cut | Kind::AppliedLate { answer: LateAnswer::Cut, .. } => Delivery::Cut,
        Kind::AppliedLate { answer: LateAnswer::GatewayTimeout, .. } => {
            Delivery::Whole(target.failed(world, call, 504))
        }
        Kind::Status { code } => Delivery::Whole(target.failed(world, call, *code)),
        Kind::AppliedAnswerLost => {
            target.process(world, call, 0);
            Delivery::Cut
        }
        Kind::Throttle { retry_after_seconds: seconds, retry_after_date: date } => {
            Delivery::Whole(target.throttled(world, call, RetryAfter { seconds: *seconds, date: *date }))
        }
        Kind::Redirect { to } => Delivery::Whole(target.redirected(world, call, to)),
        Kind::HtmlPage { status } => Delivery::Page(StatusCode::from_u16(*status).unwrap_or_default()),
        Kind::OversizedBody { bytes } => Delivery::Oversized(*bytes),
        Kind::MalformedJson => Delivery::Truncated(target.process(world, call, 0)),
        Kind::ByteOrderMark => Delivery::Whole(target.process(world, call, 0).marked()),
        Kind::Answer { status, headers, body } => Delivery::Other(known(*status), headers.clone(), body.clone()),
        Kind::MissingField { name } => {
            let mut reply = target.process(world, call, 0);
            faults::remove(&mut reply.body, name);
            Delivery::Whole(reply)
        }
        Kind::ReplaceField { path, value } => {
            let mut reply = target.process(world, call, 0);
            faults::replace(&mut reply.body, path, value.clone());
            Delivery::Whole(reply)
        }
        Kind::RepeatField { path, value } => {
            let mut reply = target.process(world, call, 0);
            faults::repeat(&mut reply.body, path, value.clone());
            Delivery::Whole(reply.repeated())
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
            target.process(&mut shared.world(), &call, 0);
        };
        stop.run_until_cancelled(late).await;
    });
}

fn respond(delivery: Delivery, peer: &Peer) -> Response {
    let send = |reply: &Reply, text: Option<String>| match text {
        Some(text) => {
            (reply.status, reply.headers(), [(header::CONTENT_TYPE, reply.content_type)], text).into_response()
        }
        None => (reply.status, reply.headers()).into_response(),
    };
    match delivery {
        Delivery::Whole(reply) => send(&reply, reply.content()),
        Delivery::Truncated(reply) => {
            let half = |text: String| text.chars().take(text.chars().count() / 2).collect();
            send(&reply, reply.content().map(half))
        }
        Delivery::Page(status) => {
            let page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>";
            (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
        }
        Delivery::Other(status, headers, body) => {
            let pair = |(name, value): &(String, String)| Some((name.parse().ok()?, value.parse().ok()?));
            let headers: HeaderMap = headers.into_iter().filter_map(|header| pair(&header)).collect();
            (status, headers, Body::from(body)).into_response()
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
