//! What the broker accepted: operations that go on for a while, and then have upgraded an account or not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::account::Refusal;
use super::settings::{Broker, Rejection, Unsuccessful};
use super::state::Azure;
use crate::ground::By;

/// An upgrade that was accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) account: String,
    /// Its idempotency key.
    key: String,
    /// Billing time.
    pub(crate) started: Timestamp,
    /// When it is carried out, on the wall clock.
    due: Timestamp,
    /// The account's settings when it was accepted.
    pub(crate) broker: Broker,
    pub(crate) end: Option<End>,
}

/// How an operation ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct End {
    /// Billing time.
    pub(crate) at: Timestamp,
    /// `None`: the account is upgraded.
    pub(crate) failure: Option<Failed>,
}

/// Why an operation did not upgrade the account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failed {
    pub(crate) status: Unsuccessful,
    pub(crate) code: String,
}

/// All operations.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Operations {
    by_id: BTreeMap<String, Operation>,
    /// The operation that a key gets; a key of one that failed is forgotten.
    by_key: BTreeMap<String, String>,
    /// Those that are not carried out yet, by when they are due on the wall clock.
    running: BTreeSet<(Timestamp, String)>,
}

impl Operations {
    pub(crate) fn get(&self, id: &str) -> Option<&Operation> {
        self.by_id.get(id)
    }

    pub(crate) fn of_key(&self, key: &str) -> Option<&Operation> {
        self.get(self.by_key.get(key)?)
    }

    /// Whether an operation on the account is not carried out yet.
    pub(crate) fn is_running(&self, account: &str) -> bool {
        self.running.iter().filter_map(|(_, id)| self.get(id)).any(|operation| operation.account == account)
    }

    /// Forgets the operations of an account.
    pub(crate) fn forget(&mut self, account: &str) {
        self.by_id.retain(|_, operation| operation.account != account);
        self.by_key.retain(|_, id| self.by_id.contains_key(id));
        self.running.retain(|(_, id)| self.by_id.contains_key(id));
    }
}

/// Accepts an upgrade, and carries it out when it is due: perhaps at once. The answer is its id.
pub(crate) fn accept(azure: &mut Azure<'_>, account: &str, key: &str, broker: &Broker, now: Timestamp) -> String {
    let id = azure.ground.uuid();
    let due = payg_virtual_time::wall() + SignedDuration::from_secs(broker.operation_seconds.into());
    let (key, account) = (key.to_owned(), account.to_owned());
    let operation =
        Operation { id: id.clone(), account, key: key.clone(), started: now, due, broker: broker.clone(), end: None };
    azure.state.operations.by_id.insert(id.clone(), operation);
    azure.state.operations.by_key.insert(key, id.clone());
    azure.state.operations.running.insert((due, id.clone()));
    if broker.operation_seconds == 0 {
        carry_out(azure, due, &id, now);
    }
    id
}

/// Carries out what is due.
pub(crate) fn settle(azure: &mut Azure<'_>) {
    let now = payg_virtual_time::wall();
    while let Some((due, id)) = azure.state.operations.running.first().filter(|(due, _)| *due <= now).cloned() {
        let time = azure.ground.clock.at(due);
        carry_out(azure, due, &id, time);
    }
}

/// Ends an operation at a billing time.
fn carry_out(azure: &mut Azure<'_>, due: Timestamp, id: &str, time: Timestamp) {
    azure.state.operations.running.remove(&(due, id.to_owned()));
    let Some(operation) = azure.state.operations.get(id).cloned() else { return };
    let failure = match &operation.broker.fails {
        Some(failure) => Some(Failed { status: failure.status, code: failure.code.clone() }),
        None => upgrade(azure, &operation, time).map(|code| Failed { status: Unsuccessful::Failed, code }),
    };
    if failure.is_some() {
        azure.state.operations.by_key.remove(&operation.key);
    }
    if let Some(operation) = azure.state.operations.by_id.get_mut(id) {
        operation.end = Some(End { at: time, failure });
    }
}

/// Upgrades the account, or tells why that is not possible any more.
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
