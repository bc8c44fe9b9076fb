//! The UpgradeRecords and Subscriptions as they change: the ledger that a kill may cut short, and what users see.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;
use tokio::sync::watch;

use crate::cluster::Cluster;
use crate::verdict::{Attempt, Record};

/// What watches have reported.
pub(crate) struct Seen {
    /// By account.
    records: Mutex<HashMap<String, Value>>,
    /// By namespace and name.
    subscriptions: Mutex<HashMap<(String, String), Value>>,
    attempts: watch::Sender<usize>,
}

impl Seen {
    /// Begins to watch. The tasks end with the runtime.
    pub(crate) fn watch(cluster: &Cluster) -> Arc<Self> {
        let seen = Arc::new(Self {
            records: Mutex::default(),
            subscriptions: Mutex::default(),
            attempts: watch::Sender::new(0),
        });
        for (kind, put) in
            [("UpgradeRecord", Self::put_record as fn(&Self, Value)), ("Subscription", Self::put_subscription)]
        {
            let (told, api) = (Arc::clone(&seen), cluster.ours(kind, None));
            tokio::spawn(async move {
                let mut changes = watcher(api, watcher::Config::default()).default_backoff().applied_objects().boxed();
                while let Some(change) = changes.next().await {
                    // An API server that is away comes back.
                    let Ok(object) = change else { continue };
                    put(&told, serde_json::to_value(object).unwrap());
                }
            });
        }
        seen
    }

    fn put_record(&self, record: Value) {
        let attempts = understood(&record).attempts.len();
        let account = record["spec"]["account"]["id"].as_str().unwrap().to_owned();
        let before = self.records.lock().unwrap().insert(account, record);
        let more = attempts.saturating_sub(before.map_or(0, |before| understood(&before).attempts.len()));
        self.attempts.send_if_modified(|count| {
            *count += more;
            more > 0
        });
    }

    fn put_subscription(&self, subscription: Value) {
        let part = |name: &str| subscription["metadata"][name].as_str().unwrap().to_owned();
        let key = (part("namespace"), part("name"));
        self.subscriptions.lock().unwrap().insert(key, subscription);
    }

    /// The record of `account` as last seen.
    pub(crate) fn record(&self, account: &str) -> Option<Value> {
        self.records.lock().unwrap().get(account).cloned()
    }

    /// The Subscription as last seen, even if it is deleted meanwhile.
    pub(crate) fn subscription(&self, namespace: &str, name: &str) -> Option<Value> {
        self.subscriptions.lock().unwrap().get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// How many attempts were made; it changes with each intent.
    pub(crate) fn attempts(&self) -> watch::Receiver<usize> {
        self.attempts.subscribe()
    }
}

/// What a record says.
pub(crate) fn understood(record: &Value) -> Record {
    let status = &record["status"];
    let mut attempts: Vec<_> = status["attempts"].as_array().cloned().unwrap_or_default();
    attempts.sort_by_key(|attempt| attempt["number"].as_i64());
    if attempts.is_empty() {
        attempts.push(Value::Null);
    }
    // The intent of the first attempt is in the spec.
    let not_after = |attempt: &Value| {
        let intent = if attempt["intent"].is_null() { &record["spec"]["intent"] } else { &attempt["intent"] };
        intent["notAfterTime"].as_str().unwrap().parse().unwrap()
    };
    let understood = |attempt: &Value| Attempt {
        not_after: not_after(attempt),
        outcome: attempt["outcome"].as_str().map(str::to_owned),
    };
    Record {
        state: status["state"].as_str().unwrap_or_default().to_owned(),
        attempts: attempts.iter().map(understood).collect(),
    }
}
