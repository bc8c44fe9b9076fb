//! The control API: makes and changes accounts, moves the clock, injects faults, reports what happened. It asks for
//! no credentials.

mod accounts;
mod aws_clients;
pub(crate) mod clients;
pub(crate) mod refused;

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::Value;

use self::refused::{Answer, Refused};
use super::faults::Fault;
use super::operation::OperationName;
use super::patch::merge;
use super::world::Shared;

type Sim = State<Arc<Shared>>;
pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/accounts", post(accounts::create))
        .route("/accounts/{id}", get(accounts::show).patch(accounts::patch).delete(accounts::delete))
        .route("/accounts/{id}/spend", post(accounts::spend))
        .route("/accounts/{id}/portal-upgrade", post(accounts::portal_upgrade))
        .route("/accounts/{id}/cancel", post(accounts::cancel))
        .route("/accounts/{id}/leave-unpaid", post(accounts::leave_unpaid))
        .route("/accounts/{id}/pay", post(accounts::pay))
        .route("/clients", post(clients::create).delete(clients::delete_by_arn))
        .route("/clients/{id}", delete(clients::delete))
        .route("/ledger", get(ledger))
        .route("/requests", get(requests))
        .route("/settings", get(show_settings).post(set_settings))
        .route("/clock", get(show_clock).post(set_clock))
        .route("/faults", post(add_fault).delete(clear_faults))
        .fallback(async || Refused::Missing("such control call; see the simulator's documentation".into()))
}

async fn ledger(State(shared): Sim) -> Response {
    Json(&shared.world().ground.ledger).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    account: Option<String>,
    operation: Option<OperationName>,
}

async fn requests(State(shared): Sim, Query(wanted): Query<Wanted>) -> Response {
    let world = shared.world();
    let account = wanted.account.map(|id| id.to_lowercase());
    let requests = world.requests.iter().filter(|request| account.is_none() || request.account == account);
    let requests = requests.filter(|request| wanted.operation.is_none_or(|operation| request.operation == operation));
    Json(requests.collect::<Vec<_>>()).into_response()
}

async fn show_settings(State(shared): Sim) -> Response {
    Json(shared.world().azure.settings).into_response()
}

async fn set_settings(State(shared): Sim, Json(patch): Json<Value>) -> Answer {
    let mut world = shared.world();
    let wrong = |error: serde_json::Error| Refused::Wrong(format!("these are no settings: {error}"));
    let mut settings = serde_json::to_value(world.azure.settings).map_err(wrong)?;
    merge(&mut settings, &patch);
    world.azure.settings = serde_json::from_value(settings).map_err(wrong)?;
    Ok(Json(world.azure.settings).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClockChange {
    rate: Option<u32>,
    advance_seconds: Option<u32>,
}

async fn show_clock(State(shared): Sim) -> Response {
    Json(shared.world().ground.clock.read()).into_response()
}

async fn set_clock(State(shared): Sim, Json(change): Json<ClockChange>) -> Answer {
    let clock = &mut shared.world().ground.clock;
    match change.rate {
        Some(0) => return Err(Refused::Wrong("the rate must be at least 1".into())),
        Some(rate) => clock.set_rate(rate),
        None => {}
    }
    clock.advance(SignedDuration::from_secs(change.advance_seconds.unwrap_or(0).into()));
    Ok(Json(clock.read()).into_response())
}

async fn add_fault(State(shared): Sim, Json(mut fault): Json<Fault>) -> Answer {
    if let Some(problem) = fault.problem() {
        return Err(Refused::Wrong(problem.into()));
    }
    fault.account = fault.account.map(|id| id.to_lowercase());
    let faults = &mut shared.world().faults;
    faults.push(fault);
    Ok((StatusCode::CREATED, Json(&*faults)).into_response())
}

async fn clear_faults(State(shared): Sim) -> StatusCode {
    shared.world().faults.clear();
    StatusCode::NO_CONTENT
}
