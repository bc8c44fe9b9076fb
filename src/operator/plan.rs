//! What the operator would make of Subscriptions: its own reconciles, for as long as it takes to decide, without a request for an
//! upgrade.

use std::collections::HashSet;

use kube::Client;
use prometheus_client::registry::Registry;
use tokio::time::sleep;

use payg_api as api;
use payg_api::conditions;
use payg_clock::Clock;
use payg_core::provider::ProviderError;
use payg_core::reason::{ConditionType, Reason};
use payg_core::trigger::MIN_OBSERVATION_GAP;
use payg_providers::{Survey, aws, azure};
use payg_runtime::ObjectKey;
use payg_runtime::rate_limit::RateLimit;
use payg_runtime::watch::Event;

use crate::operator::clouds::{Clouds, OBSERVE_RATE, Providers};
use crate::operator::reconcile::subscription;
use crate::operator::run::Replica;
use crate::operator::watches;
use crate::operator::{OBSERVE_DEADLINE, Settings};

/// What the credentials of the BillingProvider at `key`, as `client` serves it, see.
pub async fn survey(
    client: &Client,
    clouds: (azure::Connections, aws::Connections),
    clock: Clock,
    key: &ObjectKey,
) -> kube::Result<Result<Survey, ProviderError>> {
    let clouds = Clouds { azure: clouds.0, aws: clouds.1, ambient_identity_namespaces: HashSet::new() };
    Ok(match Providers::new(client.clone(), clouds, clock).get(key).await? {
        Ok(provider) => provider.client.survey(OBSERVE_DEADLINE).await,
        Err(error) => Err(error),
    })
}

/// Makes reconciles of `subscriptions` as `client` serves them, and leaves in their statuses what they come to. Two where one
/// look proves nothing yet. Nothing is requested of the `clouds`: where the operator would, the verdict is `UpgradeHeld`.
pub async fn plan(
    client: &Client,
    clouds: (azure::Connections, aws::Connections),
    clock: Clock,
    subscriptions: &[api::Subscription],
) -> kube::Result<()> {
    let settings = Settings { dry_run: true, upgrades_per_hour: u32::MAX, clock };
    let mut registry = Registry::default();
    let clouds = Clouds { azure: clouds.0, aws: clouds.1, ambient_identity_namespaces: HashSet::new() };
    let Replica { operator, .. } = Replica::new(client, clouds, None, settings, "plan", 1, &mut registry);
    // No queue does it here.
    let rate_limit = RateLimit::new(OBSERVE_RATE);
    for subscription in subscriptions {
        watches::on_subscription(&operator, Event::Applied(subscription.clone()));
    }
    let keys: Vec<_> = subscriptions.iter().map(|subscription| ObjectKey::of(&subscription.metadata)).collect();
    for key in &keys {
        rate_limit.wait().await;
        Box::pin(subscription::reconcile(&operator, key)).await?;
    }
    let mut waiting = Vec::new();
    for key in keys {
        let Some(subscription) = operator.namespaced::<api::Subscription>(&key).get_opt(&key.name).await? else {
            continue;
        };
        let status = subscription.status.unwrap_or_default();
        let ready = conditions::find(&status.conditions, ConditionType::Ready);
        if ready.is_some_and(|ready| ready.reason == Reason::WaitingForExhaustion) {
            waiting.push(key);
        }
    }
    if !waiting.is_empty() {
        sleep(MIN_OBSERVATION_GAP.unsigned_abs()).await;
    }
    for key in &waiting {
        rate_limit.wait().await;
        Box::pin(subscription::reconcile(&operator, key)).await?;
    }
    Ok(())
}
