//! Requests of a replica to the clouds, and what becomes of them.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::service_fn;

use super::effect::Side;
use super::fault::Fault;
use super::witness;
use super::workload::Cloud;
use super::world::{Life, World};
use payg_providers::{NoAnswer, Transport};

/// How far behind a stale answer is, in seconds.
const STALE: u32 = 120;
/// More than any body may have, in bytes.
const HUGE: usize = 40 << 20;

type Answer = Result<Response<Vec<u8>>, Lost>;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// There was no connection.
    NotConnected,
    /// It broke off.
    Broken,
}

/// What the requests of `life` go through.
pub(super) fn transport(world: &Arc<World>, life: Life) -> Transport {
    let world = Arc::clone(world);
    Transport::new(service_fn(move |request: reqwest::Request| {
        let world = Arc::clone(&world);
        async move {
            match exchange(&world, life, plain(request)).await {
                Ok(answer) => Ok(answer.map(reqwest::Body::from).into()),
                Err(Lost::NotConnected) => Err(NoAnswer::NotConnected("connection refused".to_owned())),
                Err(Lost::Broken) => Err(NoAnswer::Broken("connection reset".to_owned())),
            }
        }
    }))
}

/// The request as it would be sent: what is signed has the host.
fn plain(request: reqwest::Request) -> Request<Vec<u8>> {
    let request: Request<reqwest::Body> = request.try_into().unwrap();
    let mut request = request.map(|body| body.as_bytes().unwrap_or_default().to_vec());
    let host = request.uri().authority().map(|host| host.as_str().try_into().unwrap());
    request.headers_mut().extend(host.map(|host| (HOST, host)));
    request
}

fn is_upgrade(request: &Request<Vec<u8>>) -> bool {
    let target = request.headers().get("x-amz-target").map(HeaderValue::as_bytes).unwrap_or_default();
    request.uri().path().ends_with("PaygOperator.Broker/upgrade") || target.ends_with(b"UpgradeAccountPlan")
}

/// Whether a request reads the state of the account that is upgraded.
fn is_of_account(world: &World, request: &Request<Vec<u8>>) -> bool {
    match world.workload.cloud {
        Cloud::Azure => request.uri().path().contains(world.workload.account()),
        Cloud::Aws => what(request).contains("GetAccountPlanState"),
    }
}

fn what(request: &Request<Vec<u8>>) -> String {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    format!("{} {} {target}", request.method(), request.uri().path()).trim_end().to_owned()
}

async fn exchange(world: &Arc<World>, life: Life, request: Request<Vec<u8>>) -> Answer {
    let is_upgrade = is_upgrade(&request);
    let side = if is_upgrade { Side::Upgrade } else { Side::CloudRead };
    let fault = world.meet(life, side, what(&request)).await;
    let is_of_account = is_of_account(world, &request);
    let attempt = is_upgrade.then(|| witness::asked(world, life, &request));
    let answer = answer(world, life, request, fault).await;
    world.check_alive(life).await;
    if let Some(attempt) = attempt {
        world.state().witness.answered(attempt, world.began.elapsed(), &answer);
    } else if is_of_account && answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
        world.state().witness.looked(life, world.began.elapsed());
    }
    answer
}

async fn answer(world: &Arc<World>, life: Life, request: Request<Vec<u8>>, fault: Option<Fault>) -> Answer {
    let Some(fault) = fault else { return deliver(world, request).await };
    match fault {
        Fault::Unsent => Err(Lost::NotConnected),
        Fault::Cut => Err(Lost::Broken),
        Fault::Lost => pending().await,
        Fault::CrashAfter => {
            let _ = deliver(world, request).await;
            world.crash(life);
            pending().await
        }
        Fault::DoneSilent => {
            let _ = deliver(world, request).await;
            pending().await
        }
        Fault::DoneCut => {
            let _ = deliver(world, request).await;
            Err(Lost::Broken)
        }
        Fault::DoneStatus(status) => {
            let _ = deliver(world, request).await;
            Ok(refusal(status))
        }
        Fault::Status(status) => Ok(refusal(status)),
        Fault::Late(seconds) => {
            let world = Arc::clone(world);
            tokio::spawn(async move {
                sleep(Duration::from_secs(seconds.into())).await;
                let _ = deliver(&world, request).await;
            });
            pending().await
        }
        Fault::Garbled => {
            deliver(world, request).await.map(|answer| answer.map(|body| body[..body.len() / 2].to_vec()))
        }
        Fault::Huge => deliver(world, request).await.map(|answer| answer.map(|_| vec![b' '; HUGE])),
        Fault::Redirect => {
            let mut answer = refusal(307);
            answer.headers_mut().insert("location", HeaderValue::from_static("https://elsewhere.example/"));
            Ok(answer)
        }
        Fault::Twice => {
            let _ = deliver(world, request.clone()).await;
            deliver(world, request).await
        }
        Fault::Stale | Fault::Old => {
            let fault = json!({"operation": "*", "count": 1, "kind": {"stale": {"seconds": STALE}}});
            world.cloud.control("POST", "/faults", fault).await;
            let answer = deliver(world, request).await;
            world.cloud.control("DELETE", "/faults", Value::Null).await;
            answer
        }
        // Done by the world before it comes to this.
        Fault::CrashBefore | Fault::Pause(_) | Fault::World(_) => deliver(world, request).await,
    }
}

async fn deliver(world: &World, request: Request<Vec<u8>>) -> Answer {
    world.cloud.answer(request).await.ok_or(Lost::Broken)
}

/// An answer that both clouds and everything on the way to them could give.
fn refusal(status: u16) -> Response<Vec<u8>> {
    let body = json!({"error": {"code": "Injected", "message": "injected"}, "__type": "InjectedException", "message": "injected"});
    let mut answer = Response::new(body.to_string().into_bytes());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    if status == 429 {
        answer.headers_mut().insert("retry-after", HeaderValue::from_static("5"));
    }
    answer
}
