//! The watches, and which objects each change concerns.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::{Api, ResourceExt};
use payg_api as api;
use payg_api::conditions;
use payg_core::account::AccountId;
use payg_core::provider::Outcome;
use payg_core::reason::{ConditionType, Reason};
use payg_core::record::Attempt;
use payg_runtime::ObjectKey;
use payg_runtime::queue::Place;
use payg_runtime::shutdown::Tasks;
use payg_runtime::watch::{Event, Watches};

use crate::operator::index::{Change, Entry, Request};
use crate::operator::notices;
use crate::operator::parse;
use crate::operator::reconcile::billing_provider;
use crate::operator::{Operator, Work};

/// Starts a watch of each kind.
pub fn start(operator: &Arc<Operator>, watches: &Watches, tasks: &mut Tasks<()>) {
    macro_rules! watch {
        ($name:literal, $handler:path) => {
            let handler = Arc::clone(operator);
            let watch = watches.watch($name, Api::all(operator.client.clone()), move |event| $handler(&handler, event));
            tasks.spawn($name, watch);
        };
    }
    watch!("subscriptions", on_subscription);
    watch!("billingproviders", on_provider);
    watch!("upgradeapprovals", on_approval);
    watch!("upgraderecords", on_record);
}

pub(super) fn on_subscription(operator: &Operator, event: Event<api::Subscription>) {
    match event {
        Event::Applied(subscription) => {
            let key = ObjectKey::of(&subscription.metadata);
            let Ok(account) = parse::account(&subscription.spec.account) else {
                return on_invalid(operator, key);
            };
            let namespace = key.namespace.as_deref().unwrap_or_default();
            let provider = ObjectKey::namespaced(namespace, &subscription.spec.provider_name);
            let version =
                (subscription.uid().unwrap_or_default(), subscription.metadata.generation.unwrap_or_default());
            let reconcile_request = parse::reconcile_request(&subscription);
            let place = place(&key, Some(&provider));
            let yields = parse::claimant(&subscription).yields.is_some();
            let claimed = operator.index().claims(&key);
            let change = operator
                .index()
                .put(&key, Entry { version, account: account.clone(), provider, reconcile_request, yields });
            operator.queue.assign(&Work::Subscription(key.clone()), &place);
            if claimed && yields {
                bring_others_forward(operator, &key, &account);
            }
            if let Change::Replaced(former) = &change {
                after(operator, former);
            }
            // After a restore the status can be gone, and shows nothing until the next observation.
            let is_told = subscription.status.as_ref().is_some_and(|status| !status.conditions.is_empty());
            if change == Change::ReconcileRequested {
                bring_forward(operator, key);
            } else if change != Change::None || !is_told {
                // After a restart, keep the times that status planned, so that not everything is observed at once.
                let work = Work::Subscription(key);
                match planned(operator, &subscription) {
                    Some(time) => {
                        let pause = operator.settings.clock.wall_until(time).min(LONGEST_PLAN);
                        operator.queue.add_after(work, pause);
                    }
                    None => operator.queue.add(work),
                }
            }
        }
        Event::Deleted(key) => {
            let gone = operator.index().remove(&key);
            if let Some(notices) = &operator.notices {
                notices.forget(&key, operator.wall());
            }
            operator.queue.forget(&Work::Subscription(key));
            if let Some(gone) = gone {
                after(operator, &gone.account);
            }
        }
        Event::Invalid { key, .. } => on_invalid(operator, key),
        Event::Synced => {}
    }
}

/// Handles a request to observe the account of the Subscription at `key`.
pub(super) fn bring_forward(operator: &Operator, key: ObjectKey) {
    let pause = operator.index().bring_forward(&key, operator.wall());
    let work = Work::Subscription(key);
    if pause.is_zero() {
        operator.queue.add(work);
    } else {
        operator.queue.add_after(work, pause);
    }
}

/// The claims to `account` have changed by the Subscription at `key`: whom that concerns is to look, and not more often than
/// somebody may ask for.
pub(super) fn bring_others_forward(operator: &Operator, key: &ObjectKey, account: &AccountId) {
    let others = operator.index().of_account(account);
    for other in others.into_iter().filter(|other| other != key) {
        bring_forward(operator, other);
    }
}

/// A Subscription that cannot be read looks after no account.
fn on_invalid(operator: &Operator, key: ObjectKey) {
    let former = operator.index().remove(&key);
    if let Some(former) = former {
        after(operator, &former.account);
    }
    let place = place(&key, None);
    let work = Work::Subscription(key);
    operator.queue.assign(&work, &place);
    operator.queue.add(work);
}

/// Where reconciles wait over the object at `key` that go through `provider`: in the turn of their namespace, and for what that
/// provider bears.
fn place(key: &ObjectKey, provider: Option<&ObjectKey>) -> Place {
    let lane = provider.map(|provider| Arc::clone(&provider.name));
    Place { group: key.namespace.clone().unwrap_or_default(), lane }
}

/// Brings forward what depends on `account` once a Subscription no longer has it: its record, and the Subscriptions that wait.
fn after(operator: &Operator, account: &AccountId) {
    operator.queue.add(Work::Record(account.upgrade_key().record_name()));
    let others = operator.index().of_account(account);
    for other in others {
        operator.queue.add(Work::Subscription(other));
    }
}

/// The longest plausible plan: a longer one was made with a wrong clock.
const LONGEST_PLAN: Duration = Duration::from_hours(24);

/// When status plans the next observation (billing clock), if it is about the current spec, nobody has requested one since, and
/// no notice waits for a receiver.
fn planned(operator: &Operator, subscription: &api::Subscription) -> Option<Timestamp> {
    let status = subscription.status.as_ref()?;
    let is_current = status.observed_generation == subscription.metadata.generation;
    // The older Subscription may have gone while nobody watched.
    let waits_for_another = conditions::find(&status.conditions, ConditionType::Ready)
        .is_some_and(|ready| ready.reason == Reason::AccountConflict);
    let reconcile_request = parse::reconcile_request(subscription);
    let is_requested = reconcile_request.is_some() && reconcile_request != status.last_handled_reconcile_at;
    let is_to_notify = operator.notices.is_some() && status.notices.as_ref().is_some_and(notices::is_waiting);
    let as_planned = is_current && !waits_for_another && !is_requested && !is_to_notify;
    status.next_check_time.filter(|_| as_planned).map(Timestamp::from)
}

fn on_provider(operator: &Operator, event: Event<api::BillingProvider>) {
    let (key, is_new, pause) = match event {
        Event::Applied(provider) => {
            let status = provider.status.unwrap_or_default();
            let is_new = status.observed_generation != provider.metadata.generation;
            let key = ObjectKey::of(&provider.metadata);
            operator.queue.assign(&Work::Provider(key.clone()), &place(&key, Some(&key)));
            (key, is_new, billing_provider::pause(&status, operator.settings.clock))
        }
        Event::Deleted(key) => {
            operator.queue.forget(&Work::Provider(key.clone()));
            (key, true, Duration::ZERO)
        }
        Event::Invalid { key, .. } => (key, true, Duration::ZERO),
        Event::Synced => return,
    };
    if is_new {
        let users = operator.index().of_provider(&key);
        for subscription in users {
            operator.queue.add(Work::Subscription(subscription));
        }
        operator.queue.add(Work::Provider(key));
    } else {
        // It was known before the restart: no hurry.
        operator.queue.add_after(Work::Provider(key), pause);
    }
}

fn on_approval(operator: &Operator, event: Event<api::UpgradeApproval>) {
    let (key, subscription) = match event {
        Event::Applied(approval) => {
            let key = ObjectKey::of(&approval.metadata);
            let namespace = key.namespace.as_deref().unwrap_or_default();
            let subscription = ObjectKey::namespaced(namespace, &approval.spec.subscription_name);
            operator.index().put_approval(key.clone(), subscription.clone());
            (key, Some(subscription))
        }
        Event::Deleted(key) | Event::Invalid { key, .. } => {
            let subscription = operator.index().remove_approval(&key);
            (key, subscription)
        }
        Event::Synced => return,
    };
    // One that could never be read names no Subscription, so it may be about any in its namespace.
    let concerned = subscription.map_or_else(|| operator.index().of_namespace(&key), |one| vec![one]);
    for subscription in concerned {
        operator.queue.add(Work::Subscription(subscription));
    }
}

fn on_record(operator: &Operator, event: Event<api::UpgradeRecord>) {
    match event {
        Event::Applied(record) => {
            let understood = parse::record(&record);
            let namespace = &record.spec.requester.namespace;
            operator
                .index()
                .put_requests(&understood.name, understood.attempts.iter().map(|made| request(made, namespace)));
            // Reconciles of the record count for the namespace that requested the upgrade.
            let group = (&*record.spec.requester.namespace).into();
            operator.queue.assign(&Work::Record(understood.name.clone()), &Place { group, lane: None });
            if understood.is_open() || understood.is_unresolved() {
                // Its Subscription reconciles it; if there is none, it must not be forgotten.
                let account = AccountId::parse(&record.spec.account.cloud, &record.spec.account.id);
                let has_claimant = account.is_some_and(|account| !operator.index().of_account(&account).is_empty());
                let pause = if has_claimant { OBSERVED_AFTER } else { Duration::ZERO };
                operator.queue.add_after(Work::Record(understood.name), pause);
            }
        }
        Event::Deleted(key) => {
            operator.index().remove_requests(&key.name);
            operator.queue.forget(&Work::Record(key.name.as_ref().to_owned()));
        }
        Event::Invalid { .. } | Event::Synced => {}
    }
}

/// An attempt for the cap per hour: for the namespace of its record where it does not say for whom.
fn request(made: &Attempt, namespace: &str) -> (u32, Request) {
    let namespace = made.requester.as_ref().map_or(namespace, |by| &by.namespace).to_owned();
    let may_be_taken = matches!(made.outcome, Outcome::Accepted | Outcome::Unknown);
    (made.number, Request { not_after: made.not_after, namespace, may_be_taken })
}

/// When a record with a Subscription is checked itself.
const OBSERVED_AFTER: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use kube::Client;
    use prometheus_client::registry::Registry;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};
    use tokio::time::timeout;

    use super::super::Settings;
    use super::*;
    use crate::operator::clouds::Clouds;
    use crate::operator::run::Replica;
    use payg_clock::Clock;
    use payg_core::record::RecordState;
    use payg_fixtures::given::record;
    use payg_providers::{aws, azure};

    fn object<K: DeserializeOwned>(kind: &str, namespace: Option<&str>, name: &str, spec: &Value) -> Event<K> {
        let metadata = json!({"namespace": namespace, "name": name, "uid": name, "generation": 1});
        let object =
            json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec});
        Event::Applied(serde_json::from_value(object).unwrap())
    }

    fn subscription(namespace: &str, number: u32) -> Event<api::Subscription> {
        let account = json!({"azure": {"subscriptionId": format!("{number:08x}-0000-4a00-9000-000000000000")}});
        let upgrade = json!({"when": "Never", "approval": "Manual"});
        let spec = json!({"providerName": "azure", "account": account, "offer": "PayAsYouGo", "upgrade": upgrade});
        object("Subscription", Some(namespace), &format!("{namespace}-{number}"), &spec)
    }

    #[tokio::test(start_paused = true)]
    async fn every_pass_waits_in_the_turn_of_its_namespace() {
        let _ = rustls::crypto::ring::default_provider().install_default(); // or another test has
        let client = Client::try_from(kube::Config::new("https://127.0.0.1:1".parse().unwrap())).unwrap();
        let azure = azure::Connections::new(azure::Settings::default()).unwrap();
        let aws = aws::Connections::new(aws::Settings::default()).unwrap();
        let settings = Settings { dry_run: false, upgrades_per_hour: 1, clock: Clock::real() };
        // So few workers that each namespace may hold one.
        let workers = 4;
        let clouds = Clouds { azure, aws, ambient_identity_namespaces: HashSet::new() };
        let mut registry = Registry::default();
        let operator = Replica::new(&client, clouds, None, settings, "test", workers, &mut registry).operator;
        let provider = json!({"azure": {"cloud": "Public", "tenantId": "72f988bf-0000-4a00-9000-0000000000aa",
            "upgradeMethod": "Broker", "credentials": {"secret": {"name": "a", "clientId": "b"}}}});
        on_provider(&operator, object("BillingProvider", Some("mallory"), "azure", &provider));
        for number in 0..10 {
            on_subscription(&operator, subscription("mallory", number));
        }
        let record = json!({"key": "aws/123456789012/PayAsYouGo", "account": {"cloud": "aws", "id": "123456789012"},
            "from": {"class": "FreeTrial", "native": "FREE"}, "to": {"class": "PayAsYouGo"},
            "requester": {"namespace": "mallory", "name": "mallory-1", "uid": "a"}, "endpoint": "https://aws.example",
            "intent": {"id": "0b0b2d2a-41f9-4a2f-8a35-1f5f2a7a9f10", "notAfterTime": "2026-11-23T12:00:30Z",
                "evidence": {"observedTime": "2026-11-23T12:00:00Z", "summary": "It is used up."}}});
        on_record(&operator, object("UpgradeRecord", None, "up-1", &record));
        on_subscription(&operator, subscription("jane", 77));
        let mut started = Vec::new();
        while let Ok(work) = timeout(Duration::from_mins(1), operator.queue.next()).await {
            started.push(work.to_string());
        }
        assert_eq!(started.len(), 2, "{started:?}");
        assert!(started.contains(&"Subscription jane/jane-77".to_owned()), "{started:?}");
    }

    #[test]
    fn requests_that_no_provider_accepted_do_not_count() {
        for (outcome, counts) in
            [(Outcome::Accepted, true), (Outcome::Unknown, true), (Outcome::Rejected, false), (Outcome::NotSent, false)]
        {
            let mut made = record(RecordState::Unknown, outcome, 0).attempts.remove(0);
            let (number, counted) = request(&made, "of-the-record");
            assert_eq!(
                (number, counted.may_be_taken, counted.namespace.as_str()),
                (1, counts, "team-a"),
                "{outcome:?}"
            );
            made.requester = None;
            assert_eq!(request(&made, "of-the-record").1.namespace, "of-the-record");
        }
    }
}
