//! Notices: what is due goes to the receivers of the administrator's file, and what they have accepted into the status.

mod build;
mod deliveries;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::Api;
use payg_api as api;
use payg_clock::Clock;
use payg_core::decide::Decision;
use payg_core::notice::{self, Context, Due};
use payg_core::record::Record;
use payg_notify::{Config, ConfigError, Delivery, Dispatcher, MakeReceiver, Notice, Outcome, ReceiverName};
use payg_runtime::ObjectKey;
use thiserror::Error;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::operator::Operator;
use crate::operator::parse;
use crate::operator::status::report;

pub use build::CONTACTS;
pub use deliveries::is_waiting;

/// How often the administrator's file is read again. Kubernetes takes about a minute to bring a change of a ConfigMap to it.
const REREAD: Duration = Duration::from_secs(10);
/// How often it is tried to write into the status what a receiver has accepted, and the pause between two tries.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);

/// Why the administrator's file is no good.
#[derive(Debug, Error)]
pub enum FileError {
    #[error("the file of --notify-config, {}, cannot be read: {error}", .file.display())]
    Unreadable { file: PathBuf, error: io::Error },
    #[error("the file of --notify-config, {}, is wrong: {error} (docs/operate/notices.md)", .file.display())]
    Wrong { file: PathBuf, error: ConfigError },
}

/// Reads the administrator's file.
pub fn read(file: &Path) -> Result<Config, FileError> {
    let text = fs::read_to_string(file).map_err(|error| FileError::Unreadable { file: file.to_owned(), error })?;
    Config::parse(&text).map_err(|error| FileError::Wrong { file: file.to_owned(), error })
}

/// The receivers, and what is on its way to them.
#[derive(Debug)]
pub struct Notices {
    dispatcher: Dispatcher,
    config: Mutex<Arc<Config>>,
    /// What was offered and has no outcome yet, by the uid of its Subscription.
    on_the_way: Mutex<HashMap<String, Vec<OnTheWay>>>,
}

#[derive(Debug)]
struct OnTheWay {
    notice: Notice,
    receiver: ReceiverName,
}

/// What is due after a reconcile.
#[derive(Clone, Debug)]
pub struct Dues {
    /// Since when the thresholds are armed, if that is known (billing clock).
    pub armed: Option<Timestamp>,
    pub due: Vec<Due>,
    /// Whether all others are over.
    pub others_end: bool,
}

impl Notices {
    /// Starts to deliver by `config`. Somebody must [`record`] the outcomes.
    pub fn start(config: Config, clock: Clock) -> (Self, UnboundedReceiver<Outcome>) {
        Self::start_with(config, clock, None)
    }

    /// The same with a stand-in for each receiver, for tests.
    pub fn start_with(
        config: Config,
        clock: Clock,
        stand_in: Option<MakeReceiver>,
    ) -> (Self, UnboundedReceiver<Outcome>) {
        let (dispatcher, outcomes) = Dispatcher::start_with(config.clone(), clock, stand_in);
        (Self { dispatcher, config: Mutex::new(Arc::new(config)), on_the_way: Mutex::default() }, outcomes)
    }

    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a route depends on the label of Subscriptions with this name.
    pub fn routes_by_label(&self, name: &str) -> bool {
        self.config().routes_by_label(name)
    }

    /// What is due after `decision` on `subscription` at `now` (billing clock).
    pub fn due(
        &self,
        subscription: &api::Subscription,
        decision: &Decision,
        record: Option<&Record>,
        now: Timestamp,
    ) -> Dues {
        let before = subscription.status.as_ref();
        let remembered = before.and_then(|status| status.notices.as_ref());
        let armed_before = remembered.and_then(|notices| notices.armed_time).map(Timestamp::from);
        let past = parse::previous(subscription).observation;
        let armed =
            decision.seen.as_ref().map(|seen| notice::armed(armed_before, past.as_ref(), seen)).or(armed_before);
        let forecast = before.and_then(|status| status.forecast.as_ref());
        let times = forecast.into_iter().flat_map(|forecast| [forecast.exhaustion_time, forecast.due_time]);
        let upgrade = before.and_then(|status| status.upgrade.as_ref());
        let config = self.config();
        let context = Context {
            record,
            armed: armed.unwrap_or(now),
            expected_before: times.flatten().map(Timestamp::from).min(),
            converted: upgrade.and_then(|upgrade| upgrade.convert_time).map(Timestamp::from),
            due_before: remembered.map_or(&[], |notices| &notices.due),
            thresholds: config.thresholds(),
            now,
        };
        Dues { armed, due: notice::due(decision, context), others_end: notice::ends_others(decision) }
    }

    /// The notices in the status of `subscription` after a reconcile that found `dues`.
    pub fn status(&self, subscription: &api::Subscription, dues: &Dues) -> api::Notices {
        let config = self.config();
        let routes = |due: &Due| {
            let notice = build::outline(subscription, due.occasion, due.severity);
            let receivers = config.routes(&notice).into_iter();
            receivers.filter_map(|receiver| Some((receiver.as_str(), config.delivery(receiver)?))).collect()
        };
        let before = subscription.status.as_ref().and_then(|status| status.notices.as_ref());
        deliveries::status(before, dues, routes, |receiver| delivery(&config, receiver))
    }

    /// Offers what is due after `decision` on `subscription` to its receivers, and that other notices are over to those that
    /// learn this. `status` is that of `subscription` now.
    pub fn offer(
        &self,
        subscription: &api::Subscription,
        status: &api::SubscriptionStatus,
        decision: &Decision,
        dues: &Dues,
        clock: Clock,
    ) {
        let Some(remembered) = &status.notices else { return };
        let (config, wall) = (self.config(), clock.wall());
        for due in &dues.due {
            let notice = build::notice(subscription, status, decision, due, clock);
            for one in deliveries::to_make(remembered, due, |receiver| delivery(&config, receiver), wall) {
                let Some(receiver) = ReceiverName::parse(&one.receiver) else { continue };
                let mut notice = notice.clone();
                // An alert is known by its labels, and they stay as they were.
                notice.occasion = one.occasion.parse().unwrap_or(due.occasion);
                notice.starts = one.accept_time.map_or(wall, Timestamp::from);
                notice.id = format!("{}/{}", notice.uid, one.id);
                self.send(&notice, &receiver);
            }
        }
        for one in deliveries::to_end(remembered) {
            let Some(receiver) = ReceiverName::parse(&one.receiver) else { continue };
            self.send(&build::over(subscription, one, wall), &receiver);
        }
        let uid = subscription.metadata.uid.as_deref().unwrap_or_default();
        let prefix = format!("{uid}/");
        let is_over =
            |notice: &Notice| notice.id.strip_prefix(&prefix).is_none_or(|id| !deliveries::is_due(remembered, id));
        self.withdraw(|notice| notice.uid == uid && is_over(notice), wall);
    }

    /// Offers `notice`, unless it is on its way.
    fn send(&self, notice: &Notice, receiver: &ReceiverName) {
        let Some(delivery) = self.config().delivery(receiver) else { return };
        let mut all = self.on_the_way.lock().unwrap_or_else(PoisonError::into_inner);
        let of_subscription = all.entry(notice.uid.clone()).or_default();
        let is_same = |other: &OnTheWay| {
            other.receiver == *receiver
                && other.notice.id == notice.id
                && other.notice.ends.is_some() == notice.ends.is_some()
        };
        if !of_subscription.iter().any(is_same) {
            of_subscription.retain(|other| other.receiver != *receiver || other.notice.id != notice.id);
            // An end that people do not learn of has no outcome.
            if notice.ends.is_none() || delivery != Delivery::Message {
                of_subscription.push(OnTheWay { notice: notice.clone(), receiver: receiver.clone() });
            }
            if of_subscription.is_empty() {
                all.remove(&notice.uid);
            }
            drop(all);
            self.dispatcher.offer(notice, receiver);
        }
    }

    /// The Subscription at `key` is gone: nothing about it is sent any more.
    pub fn forget(&self, key: &ObjectKey, wall: Timestamp) {
        self.withdraw(
            |notice| key.namespace.as_deref() == Some(notice.namespace.as_str()) && *key.name == *notice.name,
            wall,
        );
    }

    /// What is on its way and chosen by `which` has ended.
    fn withdraw(&self, which: impl Fn(&Notice) -> bool, wall: Timestamp) {
        let all = self.on_the_way.lock().unwrap_or_else(PoisonError::into_inner);
        let chosen = all.values().flatten().filter(|one| one.notice.ends.is_none() && which(&one.notice));
        let ended = |one: &OnTheWay| (Notice { ends: Some(wall), ..one.notice.clone() }, one.receiver.clone());
        let chosen: Vec<_> = chosen.map(ended).collect();
        drop(all);
        for (notice, receiver) in chosen {
            self.send(&notice, &receiver);
        }
    }

    /// `outcome` is known, so it may be offered again if it is still due.
    fn arrived(&self, outcome: &Outcome) {
        let mut all = self.on_the_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_subscription) = all.get_mut(&outcome.notice.uid) {
            of_subscription.retain(|one| one.receiver != outcome.receiver || one.notice != *outcome.notice);
            if of_subscription.is_empty() {
                all.remove(&outcome.notice.uid);
            }
        }
    }

    /// What each receiver has done since the start.
    pub fn counts(&self) -> Vec<(ReceiverName, payg_notify::Counts)> {
        self.dispatcher.counts()
    }

    /// Goes on with the content of `file` whenever it changes, for ever. A file that is wrong changes nothing.
    pub async fn reread(&self, file: &Path) {
        let mut complaint = String::new();
        loop {
            sleep(REREAD).await;
            match read(file) {
                Ok(config) if config != *self.config() => {
                    // The queues first: what is offered to a receiver without one would be lost.
                    self.dispatcher.reload(config.clone());
                    *self.config.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                    complaint.clear();
                    info!(file = %file.display(), "the receivers of notices were read again");
                }
                Ok(_) => complaint.clear(),
                Err(error) => {
                    let text = error.to_string();
                    if text != complaint {
                        warn!(%error, "the receivers of notices stay as they were");
                    }
                    complaint = text;
                }
            }
        }
    }
}

/// How the receiver with this name is notified, if there still is one.
fn delivery(config: &Config, receiver: &str) -> Option<Delivery> {
    config.delivery(&ReceiverName::parse(receiver)?)
}

/// Writes what receivers accept into the status of its Subscription, for ever.
pub(super) async fn record(operator: &Operator, notices: &Notices, mut outcomes: UnboundedReceiver<Outcome>) {
    while let Some(outcome) = outcomes.recv().await {
        if outcome.result.is_ok() {
            remember(operator, &outcome).await;
        }
        notices.arrived(&outcome);
    }
}

/// Writes that the receiver has accepted the notice, unless the Subscription is gone.
async fn remember(operator: &Operator, outcome: &Outcome) {
    let Outcome { notice, receiver, .. } = outcome;
    let key = ObjectKey::namespaced(&notice.namespace, &notice.name);
    let api: Api<api::Subscription> = operator.namespaced(&key);
    for _ in 0..TRIES {
        let written = async {
            let there = api.get_opt(&notice.name).await?;
            let there = there.filter(|there| there.metadata.uid.as_ref() == Some(&notice.uid));
            let Some(api::Subscription { metadata, status, .. }) = there else { return Ok(()) };
            let before = status.unwrap_or_default();
            let after = deliveries::accepted(&before, notice, receiver.as_str(), operator.wall());
            report::write(&api, &metadata, &before, &after).await
        };
        match written.await {
            Ok(()) => return,
            Err(kube::Error::Api(status)) if status.is_conflict() => {}
            Err(error) => {
                warn!(subscription = %key, %error, "an accepted notice could not be written into the status; trying again");
                sleep(PAUSE).await;
            }
        }
    }
    warn!(subscription = %key, notice = notice.id, "an accepted notice is not in the status; it will be sent again");
}
