//! One pass over one BillingProvider: do its credentials work?

use std::time::Duration;

use jiff::Timestamp;
use kube::Api;
use kube::core::DeserializeGuard;
use tracing::info;

use crate::api;
use crate::api::conditions::{self, Statement, Status};
use crate::runtime::ObjectKey;
use crate::runtime::queue::Next;

use super::{LOOK_DEADLINE, Operator, report};

/// The pause between two checks of credentials that work.
const WORKING: Duration = Duration::from_hours(1);
/// The pause between two checks of credentials that do not.
const FAILING: Duration = Duration::from_mins(1);

/// A pass over the BillingProvider at `key`.
pub async fn pass(operator: &Operator, key: &ObjectKey) -> kube::Result<Next> {
    let api: Api<DeserializeGuard<api::BillingProvider>> = operator.namespaced(key);
    let Some(DeserializeGuard(read)) = api.get_opt(&key.name).await? else {
        operator.providers.forget(key);
        return Ok(Next::OnChange);
    };
    // One that cannot be read is told of by the Subscriptions that use it.
    let Ok(object) = read else { return Ok(Next::OnChange) };
    let works = match operator.providers.get(key).await? {
        Ok(provider) => provider.client.check(LOOK_DEADLINE).await,
        Err(error) => Err(error),
    };
    let before = object.status.clone().unwrap_or_default();
    let mut after = before.clone();
    let generation = object.metadata.generation.unwrap_or_default();
    let (status, reason, message) = match &works {
        Ok(()) => (Status::True, "CredentialsAccepted", "The credentials work.".to_owned()),
        Err(error) => (Status::False, error.reason(), error.to_string()),
    };
    let statement = Statement { type_: "Ready", status, reason, message: &message };
    conditions::set(&mut after.conditions, statement, generation, Timestamp::now());
    match &works {
        Ok(()) => conditions::remove(&mut after.conditions, "Stalled"),
        Err(_) => {
            let statement = Statement { type_: "Stalled", status: Status::True, reason, message: &message };
            conditions::set(&mut after.conditions, statement, generation, Timestamp::now());
        }
    }
    after.observed_generation = Some(generation);
    report::write(&operator.namespaced::<api::BillingProvider>(key), &object.metadata, &before, &after).await?;
    if is_ready(&before) != is_ready(&after) {
        info!(provider = %key, ready = works.is_ok(), reason, "the state of a BillingProvider has changed");
        for subscription in operator.index().of_provider(key) {
            operator.queue.add(super::Work::Subscription(subscription));
        }
        if works.is_err() {
            report::warning(operator, &object, reason, &message).await;
        }
    }
    Ok(Next::After(pause(&after)))
}

/// The pause until the next check after one that ended with `status`.
pub fn pause(status: &api::BillingProviderStatus) -> Duration {
    if is_ready(status) == Some(true) { WORKING } else { FAILING }
}

fn is_ready(status: &api::BillingProviderStatus) -> Option<bool> {
    conditions::find(&status.conditions, "Ready").map(|ready| ready.status == "True")
}
