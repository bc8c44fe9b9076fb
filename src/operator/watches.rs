//! What the watches tell, and whom it concerns.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::{Api, ResourceExt};

use crate::api;
use crate::core::account::AccountId;
use crate::core::record::RecordState;
use crate::runtime::ObjectKey;
use crate::runtime::shutdown::Tasks;
use crate::runtime::watch::{Event, Watches};

use super::index::Entry;
use super::{Operator, Work, parse, provider};

/// Starts a watch of each kind.
pub fn start<T: Send + 'static>(operator: &Arc<Operator>, watches: &Watches, tasks: &mut Tasks<T>, ended: fn(()) -> T) {
    macro_rules! watch {
        ($name:literal, $handler:path) => {
            let handler = Arc::clone(operator);
            let watch = watches.watch($name, Api::all(operator.client.clone()), move |event| $handler(&handler, event));
            tasks.spawn($name, async move { ended(watch.await) });
        };
    }
    watch!("subscriptions", on_subscription);
    watch!("billingproviders", on_provider);
    watch!("upgradeapprovals", on_approval);
    watch!("upgraderecords", on_record);
}

fn on_subscription(operator: &Operator, event: Event<api::Subscription>) {
    match event {
        Event::Applied(subscription) => {
            let key = ObjectKey::of(&subscription.metadata);
            let Ok(account) = parse::account(&subscription.spec.account) else {
                return operator.queue.add(Work::Subscription(key));
            };
            let namespace = key.namespace.as_deref().unwrap_or_default();
            let provider = ObjectKey::namespaced(namespace, &subscription.spec.provider_name);
            let version =
                (subscription.uid().unwrap_or_default(), subscription.metadata.generation.unwrap_or_default());
            if operator.index().put(&key, Entry { version, account, provider }) {
                // After a restart what status planned still holds, so that not everything is looked at at once.
                let work = Work::Subscription(key);
                match planned(&subscription) {
                    Some(time) => operator.queue.add_after(work, operator.settings.clock.wall_until(time)),
                    None => operator.queue.add(work),
                }
            }
        }
        Event::Deleted(key) => {
            let Some(gone) = operator.index().remove(&key) else { return };
            operator.queue.add(Work::Record(gone.account.upgrade_key().record_name()));
            for other in operator.index().of_account(&gone.account) {
                operator.queue.add(Work::Subscription(other));
            }
        }
        Event::Invalid { key, .. } => operator.queue.add(Work::Subscription(key)),
        Event::Synced => {}
    }
}

/// When status plans the next look (billing clock), if it is about the spec as it is.
fn planned(subscription: &api::Subscription) -> Option<Timestamp> {
    let status = subscription.status.as_ref()?;
    let is_current = status.observed_generation == subscription.metadata.generation;
    status.next_check_time.filter(|_| is_current).map(Timestamp::from)
}

fn on_provider(operator: &Operator, event: Event<api::BillingProvider>) {
    let (key, is_new, pause) = match event {
        Event::Applied(provider) => {
            let status = provider.status.unwrap_or_default();
            let is_new = status.observed_generation != provider.metadata.generation;
            (ObjectKey::of(&provider.metadata), is_new, provider::pause(&status))
        }
        Event::Deleted(key) | Event::Invalid { key, .. } => (key, true, Duration::ZERO),
        Event::Synced => return,
    };
    if is_new {
        for subscription in operator.index().of_provider(&key) {
            operator.queue.add(Work::Subscription(subscription));
        }
        operator.queue.add(Work::Provider(key));
    } else {
        // Known before a restart: no hurry.
        operator.queue.add_after(Work::Provider(key), pause);
    }
}

fn on_approval(operator: &Operator, event: Event<api::UpgradeApproval>) {
    let subscription = match event {
        Event::Applied(approval) => {
            let key = ObjectKey::of(&approval.metadata);
            let namespace = key.namespace.as_deref().unwrap_or_default();
            let subscription = ObjectKey::namespaced(namespace, &approval.spec.subscription_name);
            operator.index().put_approval(key, subscription.clone());
            Some(subscription)
        }
        Event::Deleted(key) => operator.index().remove_approval(&key),
        Event::Invalid { .. } | Event::Synced => None,
    };
    if let Some(subscription) = subscription {
        operator.queue.add(Work::Subscription(subscription));
    }
}

fn on_record(operator: &Operator, event: Event<api::UpgradeRecord>) {
    match event {
        Event::Applied(record) => {
            let understood = parse::record(&record);
            let not_after = understood.attempts.iter().map(|attempt| attempt.not_after).collect();
            operator.index().put_requests(&understood.name, not_after);
            let account = AccountId::parse(&record.spec.account.cloud, &record.spec.account.id);
            let has_claimant = account.is_some_and(|account| !operator.index().of_account(&account).is_empty());
            let is_settled = matches!(understood.state, RecordState::Confirmed | RecordState::Rejected);
            if !is_settled && !has_claimant {
                operator.queue.add(Work::Record(understood.name));
            }
        }
        Event::Deleted(key) => operator.index().remove_requests(&key.name),
        Event::Invalid { .. } | Event::Synced => {}
    }
}
