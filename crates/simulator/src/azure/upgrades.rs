//! What the broker does: it accepts upgrades, and carries them out when they are due.

use jiff::{SignedDuration, Timestamp};

use super::account::Refusal;
use super::operations::{End, Failed, Operation};
use super::settings::{Broker, Rejection, Unsuccessful};
use super::state::Azure;
use crate::ground::By;

/// Accepts an upgrade, and carries it out when it is due: perhaps at once. The answer is its id.
pub(crate) fn accept(azure: &mut Azure<'_>, account: &str, key: &str, broker: &Broker, now: Timestamp) -> String {
    let id = azure.ground.uuid();
    let due = payg_virtual_time::wall() + SignedDuration::from_secs(broker.operation_seconds.into());
    let (key, account) = (key.to_owned(), account.to_owned());
    let operation = Operation { id: id.clone(), account, key, started: now, due, broker: broker.clone(), end: None };
    azure.state.operations.begin(operation.clone());
    if broker.operation_seconds == 0 {
        carry_out(azure, &operation, now);
    }
    id
}

/// Carries out what is due.
pub(crate) fn settle(azure: &mut Azure<'_>) {
    let now = payg_virtual_time::wall();
    while let Some(operation) = azure.state.operations.take_due(now) {
        let time = azure.ground.clock.at(operation.due);
        carry_out(azure, &operation, time);
    }
}

/// Ends an operation at a billing time.
fn carry_out(azure: &mut Azure<'_>, operation: &Operation, time: Timestamp) {
    let failure = match &operation.broker.fails {
        Some(failure) => Some(Failed { status: failure.status, code: failure.code.clone() }),
        None => upgrade(azure, operation, time).map(|code| Failed { status: Unsuccessful::Failed, code }),
    };
    azure.state.operations.end(operation, End { at: time, failure });
}

/// Upgrades the account, or returns why that is not possible any more.
fn upgrade(azure: &mut Azure<'_>, operation: &Operation, time: Timestamp) -> Option<String> {
    let by = By::Key(operation.key.clone());
    let Some(account) = azure.state.account(&operation.account).cloned() else {
        return Some("SubscriptionNotFound".into());
    };
    match account.can_upgrade(&by, time) {
        Ok(()) => azure.apply_upgrade(account, by, time),
        Err(Refusal::AlreadyUpgraded) => {}
        Err(Refusal::Deleted) => return Some("SubscriptionDeleted".into()),
        Err(Refusal::Rejected(rejection)) => return Some(rejection_code(rejection)),
    }
    None
}

pub(crate) fn rejection_code(rejection: Rejection) -> String {
    format!("{rejection:?}")
}
