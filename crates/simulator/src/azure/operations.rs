//! What the broker accepted: operations that go on for a while, and then have upgraded an account or not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::settings::{Broker, Unsuccessful};

/// An upgrade that was accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(super) key: String,
    /// Billing time.
    pub(crate) started: Timestamp,
    /// When it is carried out, on the wall clock.
    pub(super) due: Timestamp,
    /// The account's settings when it was accepted.
    pub(crate) broker: Broker,
    pub(crate) end: Option<End>,
}

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

    /// Takes up an operation that is not carried out yet.
    pub(super) fn begin(&mut self, operation: Operation) {
        self.by_key.insert(operation.key.clone(), operation.id.clone());
        self.running.insert((operation.due, operation.id.clone()));
        self.by_id.insert(operation.id.clone(), operation);
    }

    /// Takes the first operation that is due at a time of the wall clock.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<Operation> {
        let first = self.running.first().filter(|(due, _)| *due <= now).cloned()?;
        self.running.remove(&first);
        self.get(&first.1).cloned()
    }

    pub(super) fn end(&mut self, operation: &Operation, end: End) {
        self.running.remove(&(operation.due, operation.id.clone()));
        if end.failure.is_some() {
            self.by_key.remove(&operation.key);
        }
        if let Some(operation) = self.by_id.get_mut(&operation.id) {
            operation.end = Some(end);
        }
    }

    /// Forgets the operations of an account.
    pub(crate) fn forget(&mut self, account: &str) {
        self.by_id.retain(|_, operation| operation.account != account);
        self.by_key.retain(|_, id| self.by_id.contains_key(id));
        self.running.retain(|(_, id)| self.by_id.contains_key(id));
    }
}
