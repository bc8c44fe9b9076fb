//! Requests of a replica to the API server, and what becomes of them.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, StatusCode};
use kube::Client;
use payg_test_kit::fake_api::{Body as FakeBody, FakeApi};
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::BoxError;

use super::effect::Side;
use super::fault::Fault;
use super::witness;
use super::world::{Life, World};
use payg_runtime::client::over;
use payg_virtual_time::unskewed;

const CRDS: [&str; 4] = [
    include_str!("../../../crds/billingproviders.payg-operator.io.yaml"),
    include_str!("../../../crds/subscriptions.payg-operator.io.yaml"),
    include_str!("../../../crds/upgradeapprovals.payg-operator.io.yaml"),
    include_str!("../../../crds/upgraderecords.payg-operator.io.yaml"),
];
const POLICIES: &str = include_str!("../../../deploy/kustomize/base/admission.yaml");

/// What is there before anybody works with it: the kinds, the policies and the namespaces.
pub(super) fn install(api: &FakeApi) {
    for crd in CRDS {
        api.install_crds(crd);
    }
    api.apply_yaml(POLICIES).unwrap();
    for namespace in [super::workload::TEAM, super::workload::OTHER_TEAM] {
        api.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})).unwrap();
    }
}

type Answer = Result<Response<FakeBody>, BoxError>;

/// The client of a replica.
pub(super) fn client(world: &Arc<World>, life: Life) -> Client {
    let world = Arc::clone(world);
    over(tower::service_fn(move |request: Request<kube::client::Body>| {
        let world = Arc::clone(&world);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await?.to_vec();
            exchange(&world, life, Request::from_parts(parts, body)).await
        }
    }))
}

fn side(request: &Request<Vec<u8>>) -> Side {
    let path = request.uri().path();
    let is_of_all = path.starts_with("/apis/payg-operator.io/v1alpha1/") && path.matches('/').count() == 4;
    match *request.method() {
        // The engine lists and watches whole kinds; a reconcile reads one object, or what is in a namespace.
        Method::GET if is_of_all => Side::ApiWatch,
        Method::GET => Side::ApiRead,
        _ => Side::ApiWrite,
    }
}

async fn exchange(world: &Arc<World>, life: Life, request: Request<Vec<u8>>) -> Answer {
    let side = side(&request);
    let path = request.uri().path().to_owned();
    let fault = world.meet(life, side, format!("{} {path}", request.method())).await;
    if side == Side::ApiWrite {
        witness::sets_out(world, life, &request);
    }
    let answer = answer(world, life, request, fault).await;
    world.check_alive(life).await;
    if let Ok(answer) = &answer
        && let Some(body) = answer.body().whole()
        && side != Side::ApiWatch
        && let Ok(body) = serde_json::from_slice::<Value>(body)
    {
        world.state().witness.answered_by_api(life, &path, &body);
    }
    answer
}

async fn answer(world: &Arc<World>, life: Life, request: Request<Vec<u8>>, fault: Option<Fault>) -> Answer {
    let Some(fault) = fault else { return Ok(deliver(world, &request).await) };
    match fault {
        Fault::Unsent => Err("connection refused".into()),
        Fault::Cut => Err("connection reset".into()),
        Fault::Lost => pending().await,
        Fault::CrashAfter => {
            deliver(world, &request).await;
            world.crash(life);
            pending().await
        }
        Fault::DoneSilent => {
            deliver(world, &request).await;
            pending().await
        }
        Fault::DoneCut => {
            deliver(world, &request).await;
            Err("connection reset".into())
        }
        Fault::DoneStatus(status) => {
            deliver(world, &request).await;
            Ok(refusal(status))
        }
        Fault::Status(status) => Ok(refusal(status)),
        Fault::Late(seconds) => {
            let world = Arc::clone(world);
            tokio::spawn(async move {
                sleep(Duration::from_secs(seconds.into())).await;
                deliver(&world, &request).await;
            });
            pending().await
        }
        Fault::Garbled => {
            let answer = deliver(world, &request).await;
            let half = |body: FakeBody| {
                let bytes = body.whole().cloned().unwrap_or_default();
                FakeBody::Whole(bytes.slice(..bytes.len() / 2))
            };
            Ok(answer.map(half))
        }
        Fault::Stale => Ok(world.api.handle_at(world.api.revision() - 1, &request)),
        Fault::Old => Ok(world.api.handle_at(world.first_revision, &request)),
        // Not of this side, or done by the world before it comes to this.
        Fault::Huge | Fault::Redirect | Fault::Twice | Fault::CrashBefore | Fault::Pause(_) | Fault::World(_) => {
            Ok(deliver(world, &request).await)
        }
    }
}

async fn deliver(world: &World, request: &Request<Vec<u8>>) -> Response<FakeBody> {
    let is_write = request.method() != Method::GET;
    if is_write {
        witness::arrives(world, request);
    }
    let answer = unskewed(async { world.api.handle(request) }).await;
    if is_write {
        witness::is_done(world, request, &answer);
    }
    answer
}

fn refusal(code: u16) -> Response<FakeBody> {
    let reason = match code {
        403 => "Forbidden",
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        504 => "Timeout",
        _ => "InternalError",
    };
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "injected",
        "reason": reason, "code": code});
    let mut answer = Response::new(FakeBody::Whole(status.to_string().into_bytes().into()));
    *answer.status_mut() = StatusCode::from_u16(code).unwrap();
    answer.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    answer
}
