//! Accounts of each cloud: made, changed, shown.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};

use super::refused::{Answer, Refused};
use crate::aws::{account as aws, settings as aws_settings};
use crate::azure::{account as azure, settings as azure_settings};
use crate::ground::By;
use crate::world::{Shared, World};

type Sim = State<Arc<Shared>>;

/// An account of one of the clouds.
enum Account {
    Azure(azure::Account),
    Aws(aws::Account),
}

impl Account {
    /// The account that a request describes.
    fn new(request: &Value, now: Timestamp) -> Result<Self, Refused> {
        if request.get("accountId").is_none() {
            return Ok(Self::Azure(azure::Account::new(azure_settings::Settings::new(request, now)?)));
        }
        Ok(Self::Aws(aws::Account::new(aws_settings::Settings::new(request, now)?, now)))
    }

    fn find(world: &World, id: &str) -> Result<Self, Refused> {
        let id = id.to_lowercase();
        let account = match world.aws.account(&id) {
            Some(account) => Some(Self::Aws(account.clone())),
            None => world.azure.account(&id).cloned().map(Self::Azure),
        };
        account.ok_or_else(|| Refused::Missing(format!("account {id}; POST /_sim/accounts makes one")))
    }

    fn id(&self) -> &str {
        match self {
            Self::Azure(account) => &account.settings.subscription_id,
            Self::Aws(account) => &account.settings.account_id,
        }
    }

    /// Records what it is from `now` on.
    fn put(self, world: &mut World, now: Timestamp) {
        match self {
            Self::Azure(account) => world.azure.put_account(account, now),
            Self::Aws(account) => world.aws.put_account(account, now),
        }
    }

    fn patch(&mut self, patch: &Value, now: Timestamp) -> Result<(), Refused> {
        let keeps = |name| Refused::Wrong(format!("an account keeps its {name}: create another account"));
        match self {
            Self::Azure(account) => {
                let settings = account.settings.patched(patch)?;
                if settings.subscription_id != account.settings.subscription_id {
                    return Err(keeps("subscriptionId"));
                }
                account.patch(settings, now);
            }
            Self::Aws(account) => {
                let settings = account.settings.patched(patch)?;
                if settings.account_id != account.settings.account_id {
                    return Err(keeps("accountId"));
                }
                account.patch(settings, now);
            }
        }
        Ok(())
    }

    /// Refuses what an account cannot have that has stopped.
    fn check_running(&self, now: Timestamp) -> Result<(), Refused> {
        let stopped = match self {
            Self::Azure(account) => {
                let state = account.at(now).state;
                (!state.is_running()).then(|| format!("{state:?}"))
            }
            Self::Aws(account) => {
                let state = account.at(now).state;
                (state != aws::State::Active).then(|| format!("{state:?}"))
            }
        };
        stopped.map_or(Ok(()), |state| Err(Refused::Conflict(format!("account {} is {state} already", self.id()))))
    }

    /// A person upgrades it.
    fn upgrade(self, world: &mut World, now: Timestamp) -> Result<(), Refused> {
        let by = By::Person(true);
        let id = self.id().to_owned();
        let cannot = |why| Refused::Conflict(format!("account {id} can not be upgraded: {why}"));
        match self {
            Self::Azure(account) => {
                account.can_upgrade(&by, now).map_err(|refusal| {
                    cannot(match refusal {
                        azure::Refusal::AlreadyUpgraded => "it is upgraded already",
                        azure::Refusal::Deleted => "it is deleted",
                        azure::Refusal::Rejected(_) => "its offer is not eligible, or it is cancelled",
                    })
                })?;
                world.azure().apply_upgrade(account, by, now);
            }
            Self::Aws(account) => {
                account.can_upgrade(&by, now).map_err(|refusal| {
                    cannot(match refusal {
                        aws::Refusal::AlreadyPaid => "it is on the paid plan already",
                        aws::Refusal::NoRecord => "it has no plan",
                        aws::Refusal::Closed => "its owner has closed it",
                        aws::Refusal::Gone => "it is gone",
                        aws::Refusal::Rejected(_) => "it is rejected",
                    })
                })?;
                world.aws().apply_upgrade(account, by, now);
            }
        }
        Ok(())
    }

    /// Everything about it, hidden from the protocols or not.
    fn truth(&self, now: Timestamp) -> Value {
        let (truth, settings) = match self {
            Self::Azure(account) => (of_azure(account, now), serde_json::to_value(&account.settings)),
            Self::Aws(account) => (of_aws(account, now), serde_json::to_value(&account.settings)),
        };
        // Settings are an object of plain values.
        let mut body = settings.unwrap_or_default();
        if let (Value::Object(body), Value::Object(truth)) = (&mut body, truth) {
            // What it is stands above what was declared: the quotaId is the one that is shown.
            body.extend(truth);
        }
        body
    }
}

fn of_azure(account: &azure::Account, now: Timestamp) -> Value {
    let snapshot = account.at(now);
    json!({
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
    })
}

fn of_aws(account: &aws::Account, now: Timestamp) -> Value {
    let snapshot = account.at(now);
    json!({
        "billingTime": now,
        "stage": snapshot.stage,
        "planType": snapshot.plan.map(|(plan, _)| plan.name()),
        "planStatus": snapshot.plan.map(|(_, status)| status.name()),
        "accountState": snapshot.state.name(),
        "creditLeft": account.credit_left(now),
        "periodEnd": account.plan_end(),
        "benefitsEnd": account.benefits_end(),
        "upgradedAt": account.upgrade.as_ref().map(|upgrade| upgrade.at),
        "upgradedBy": account.upgrade.as_ref().map(|upgrade| &upgrade.by),
    })
}

pub(super) async fn create(State(shared): Sim, Json(request): Json<Value>) -> Answer {
    let mut world = shared.world();
    let now = world.ground.clock.now();
    let account = Account::new(&request, now)?;
    if Account::find(&world, account.id()).is_ok() {
        return Err(Refused::Conflict(format!("account {} exists; PATCH or DELETE it", account.id())));
    }
    let body = account.truth(now);
    account.put(&mut world, now);
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

pub(super) async fn show(State(shared): Sim, Path(id): Path<String>) -> Answer {
    let world = shared.world();
    Ok(Json(Account::find(&world, &id)?.truth(world.ground.clock.now())).into_response())
}

pub(super) async fn patch(State(shared): Sim, Path(id): Path<String>, Json(patch): Json<Value>) -> Answer {
    change(&shared, &id, |account, now| account.patch(&patch, now))
}

pub(super) async fn delete(State(shared): Sim, Path(id): Path<String>) -> Answer {
    let mut world = shared.world();
    match Account::find(&world, &id)? {
        Account::Azure(account) => world.azure.remove_account(&account.settings.subscription_id),
        Account::Aws(account) => drop(world.aws.accounts.remove(&account.settings.account_id)),
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spend {
    amount: Decimal,
}

pub(super) async fn spend(State(shared): Sim, Path(id): Path<String>, Json(spend): Json<Spend>) -> Answer {
    if spend.amount <= Decimal::ZERO {
        return Err(Refused::Wrong("the amount must be more than 0".into()));
    }
    change(&shared, &id, |account, now| {
        account.check_running(now)?;
        match account {
            Account::Azure(account) => account.spend(spend.amount, now),
            Account::Aws(account) => account.spend(spend.amount, now),
        }
        Ok(())
    })
}

pub(super) async fn cancel(State(shared): Sim, Path(id): Path<String>) -> Answer {
    change(&shared, &id, |account, now| {
        account.check_running(now)?;
        match account {
            Account::Azure(account) => account.cancel(now),
            Account::Aws(account) => account.close(now),
        }
        Ok(())
    })
}

pub(super) async fn leave_unpaid(State(shared): Sim, Path(id): Path<String>) -> Answer {
    change(&shared, &id, |account, now| {
        let done = match account {
            Account::Azure(account) => account.leave_unpaid(now),
            Account::Aws(_) => false,
        };
        let conflict = || Refused::Conflict(format!("account {id} is not pay-as-you-go of Azure, or not Enabled"));
        done.then_some(()).ok_or_else(conflict)
    })
}

pub(super) async fn pay(State(shared): Sim, Path(id): Path<String>) -> Answer {
    change(&shared, &id, |account, now| {
        let done = match account {
            Account::Azure(account) => account.pay(now),
            Account::Aws(_) => false,
        };
        let conflict = || Refused::Conflict(format!("account {id} has no overdue invoice, or is deleted"));
        done.then_some(()).ok_or_else(conflict)
    })
}

pub(super) async fn portal_upgrade(State(shared): Sim, Path(id): Path<String>) -> Answer {
    let mut world = shared.world();
    let now = world.ground.clock.now();
    Account::find(&world, &id)?.upgrade(&mut world, now)?;
    Ok(Json(Account::find(&world, &id)?.truth(now)).into_response())
}

fn change(shared: &Shared, id: &str, f: impl FnOnce(&mut Account, Timestamp) -> Result<(), Refused>) -> Answer {
    let mut world = shared.world();
    let (mut account, now) = (Account::find(&world, id)?, world.ground.clock.now());
    f(&mut account, now)?;
    let body = account.truth(now);
    account.put(&mut world, now);
    Ok(Json::<Value>(body).into_response())
}
