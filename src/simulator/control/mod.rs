//! The control API: makes and changes accounts, moves the clock, injects faults, tells what really happened. It asks for
//! no credentials.

pub(crate) mod clients;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};

use super::azure::account::{Account, Refusal};
use super::azure::settings::{Invalid, Settings};
use super::faults::Fault;
use super::patch::merge;
use super::state::{self, State as Saved};
use super::world::{By, Shared, World};

type Sim = State<Arc<Shared>>;
type Answer = Result<Response, Refused>;

/// Why a control request is not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    State(#[from] state::Invalid),
    #[error("{0}")]
    Wrong(String),
    #[error("there is no {0}")]
    Missing(String),
    #[error("{0}")]
    Conflict(String),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Invalid(_) | Self::State(_) | Self::Wrong(_) => StatusCode::BAD_REQUEST,
            Self::Missing(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
        };
        (status, Json(json!({"error": self.to_string()}))).into_response()
    }
}

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/accounts", post(create_account))
        .route("/accounts/{id}", get(show_account).patch(patch_account).delete(delete_account))
        .route("/accounts/{id}/spend", post(spend))
        .route("/accounts/{id}/portal-upgrade", post(portal_upgrade))
        .route("/accounts/{id}/cancel", post(cancel))
        .route("/accounts/{id}/leave-unpaid", post(leave_unpaid))
        .route("/accounts/{id}/pay", post(pay))
        .route("/clients", post(clients::create))
        .route("/clients/{id}", delete(clients::delete))
        .route("/ledger", get(ledger))
        .route("/requests", get(requests))
        .route("/state", get(show_state).put(set_state).layer(DefaultBodyLimit::disable()))
        .route("/settings", get(show_settings).post(set_settings))
        .route("/clock", get(show_clock).post(set_clock))
        .route("/faults", post(add_fault).delete(clear_faults))
        .fallback(async || Refused::Missing("such control call; see the simulator's documentation".into()))
}

async fn create_account(State(shared): Sim, Json(request): Json<Value>) -> Answer {
    let mut world = shared.world();
    let now = world.clock.now();
    let settings = Settings::new(&request, now)?;
    let id = settings.subscription_id.clone();
    if world.account(&id).is_some() {
        return Err(Refused::Conflict(format!("account {id} exists; PATCH or DELETE it")));
    }
    let account = Account::new(settings);
    let body = truth(&account, now);
    world.put_account(account, now);
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

async fn show_account(State(shared): Sim, Path(id): Path<String>) -> Answer {
    let world = shared.world();
    let account = find(&world, &id)?;
    Ok(Json(truth(&account, world.clock.now())).into_response())
}

async fn patch_account(State(shared): Sim, Path(id): Path<String>, Json(patch): Json<Value>) -> Answer {
    change(&shared, &id, |account, now| {
        let settings = account.settings.patched(&patch)?;
        if settings.subscription_id != account.settings.subscription_id {
            return Err(Refused::Wrong("an account keeps its subscriptionId: create another account".into()));
        }
        account.patch(settings, now);
        Ok(())
    })
}

async fn delete_account(State(shared): Sim, Path(id): Path<String>) -> Answer {
    let mut world = shared.world();
    let id = find(&world, &id)?.settings.subscription_id;
    world.remove_account(&id);
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spend {
    amount: Decimal,
}

async fn spend(State(shared): Sim, Path(id): Path<String>, Json(spend): Json<Spend>) -> Answer {
    if spend.amount <= Decimal::ZERO {
        return Err(Refused::Wrong("the amount must be more than 0".into()));
    }
    change(&shared, &id, |account, now| {
        check_running(account, now)?;
        account.spend(spend.amount, now);
        Ok(())
    })
}

async fn cancel(State(shared): Sim, Path(id): Path<String>) -> Answer {
    change(&shared, &id, |account, now| {
        check_running(account, now)?;
        account.cancel(now);
        Ok(())
    })
}

async fn leave_unpaid(State(shared): Sim, Path(id): Path<String>) -> Answer {
    change(&shared, &id, |account, now| {
        let conflict = || Refused::Conflict(format!("account {id} is not pay-as-you-go, or not Enabled"));
        account.leave_unpaid(now).then_some(()).ok_or_else(conflict)
    })
}

async fn pay(State(shared): Sim, Path(id): Path<String>) -> Answer {
    change(&shared, &id, |account, now| {
        let conflict = || Refused::Conflict(format!("account {id} has no overdue invoice, or is deleted"));
        account.pay(now).then_some(()).ok_or_else(conflict)
    })
}

async fn portal_upgrade(State(shared): Sim, Path(id): Path<String>) -> Answer {
    let mut world = shared.world();
    let (account, by, now) = (find(&world, &id)?, By::Person(true), world.clock.now());
    account.can_upgrade(&by, now).map_err(|refusal| {
        let why = match refusal {
            Refusal::AlreadyUpgraded => "it is upgraded already",
            Refusal::Deleted => "it is deleted",
            Refusal::Rejected(_) => "its offer is not eligible, or it is cancelled",
        };
        Refused::Conflict(format!("account {id} can not be upgraded: {why}"))
    })?;
    world.apply_upgrade(account, by, now);
    Ok(Json(truth(&find(&world, &id)?, now)).into_response())
}

async fn ledger(State(shared): Sim) -> Response {
    Json(&shared.world().ledger).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfAccount {
    account: Option<String>,
}

async fn requests(State(shared): Sim, Query(of): Query<OfAccount>) -> Response {
    let world = shared.world();
    let wanted = of.account.map(|id| id.to_lowercase());
    let requests = world.requests.iter().filter(|request| wanted.is_none() || request.account == wanted);
    Json(requests.collect::<Vec<_>>()).into_response()
}

async fn show_settings(State(shared): Sim) -> Response {
    Json(shared.world().settings).into_response()
}

async fn set_settings(State(shared): Sim, Json(patch): Json<Value>) -> Answer {
    let mut world = shared.world();
    let wrong = |error: serde_json::Error| Refused::Wrong(format!("these are no settings: {error}"));
    let mut settings = serde_json::to_value(world.settings).map_err(wrong)?;
    merge(&mut settings, &patch);
    world.settings = serde_json::from_value(settings).map_err(wrong)?;
    Ok(Json(world.settings).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClockChange {
    rate: Option<u32>,
    advance_seconds: Option<u32>,
}

async fn show_clock(State(shared): Sim) -> Response {
    Json(shared.world().clock.read()).into_response()
}

async fn set_clock(State(shared): Sim, Json(change): Json<ClockChange>) -> Answer {
    let clock = &mut shared.world().clock;
    match change.rate {
        Some(0) => return Err(Refused::Wrong("the rate must be at least 1".into())),
        Some(rate) => clock.set_rate(rate),
        None => {}
    }
    clock.advance(SignedDuration::from_secs(change.advance_seconds.unwrap_or(0).into()));
    Ok(Json(clock.read()).into_response())
}

async fn show_state(State(shared): Sim) -> Response {
    Json(Saved::of(&shared.world())).into_response()
}

async fn set_state(State(shared): Sim, text: String) -> Answer {
    shared.restore(&text)?;
    Ok(StatusCode::NO_CONTENT.into_response())
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

fn find(world: &World, id: &str) -> Result<Account, Refused> {
    let account = world.account(&id.to_lowercase()).cloned();
    account.ok_or_else(|| Refused::Missing(format!("account {id}; POST /_sim/accounts makes one")))
}

fn change(shared: &Shared, id: &str, f: impl FnOnce(&mut Account, Timestamp) -> Result<(), Refused>) -> Answer {
    let mut world = shared.world();
    let (mut account, now) = (find(&world, id)?, world.clock.now());
    f(&mut account, now)?;
    let body = truth(&account, now);
    world.put_account(account, now);
    Ok(Json(body).into_response())
}

fn check_running(account: &Account, now: Timestamp) -> Result<(), Refused> {
    let state = account.at(now).state;
    if state.is_running() {
        return Ok(());
    }
    Err(Refused::Conflict(format!("account {} is {state:?} already", account.settings.subscription_id)))
}

/// Everything about an account, hidden from the protocols or not.
fn truth(account: &Account, now: Timestamp) -> Value {
    let snapshot = account.at(now);
    let mut body = json!({
        "billingTime": now,
        "stage": snapshot.stage(),
        "state": format!("{:?}", snapshot.state),
        "quotaId": snapshot.quota_id(),
        "spendingLimit": if snapshot.limited() { "On" } else { "Off" },
        "creditLeft": account.credit_left(now),
        "periodEnd": account.period_end(),
        "benefitsEnd": account.benefits_end().map(|end| end.at),
        "stoppedAt": snapshot.stopped.map(|stop| stop.at),
        "stoppedBecause": snapshot.stopped.map(|stop| format!("{:?}", stop.cause)),
        "upgradedAt": account.upgrade.as_ref().map(|upgrade| upgrade.at),
        "upgradedBy": account.upgrade.as_ref().map(|upgrade| &upgrade.by),
    });
    // Settings are an object of plain values.
    if let (Value::Object(body), Ok(Value::Object(settings))) = (&mut body, serde_json::to_value(&account.settings)) {
        body.extend(settings);
    }
    body
}
