//! One pass over one BillingProvider: do its credentials work?

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::core::DeserializeGuard;
use tracing::info;

use crate::api;
use crate::api::conditions::{self, Condition, Statement, Status};
use crate::core::provider::ProviderError;
use crate::runtime::ObjectKey;
use crate::runtime::queue::Next;

use super::{LOOK_DEADLINE, Operator, Work, report};

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
    say(&mut after.conditions, &works, generation);
    after.observed_generation = Some(generation);
    report::write(&operator.namespaced::<api::BillingProvider>(key), &object.metadata, &before, &after).await?;
    if is_ready(&before) != is_ready(&after) {
        info!(provider = %key, ready = works.is_ok(), "the state of a BillingProvider has changed");
        let users = operator.index().of_provider(key);
        for subscription in users {
            operator.queue.add(Work::Subscription(subscription));
        }
        if let Err(error) = &works {
            report::warning(operator, &object, error.reason(), &error.to_string()).await;
        }
    }
    Ok(Next::After(pause(&after)))
}

/// Says whether the credentials work. What may pass by itself, and what one commit may still bring, is no reason to give up.
fn say(conditions: &mut Vec<Condition>, works: &Result<(), ProviderError>, generation: i64) {
    let now = Timestamp::now();
    let mut set = |type_, status, reason: &str, message: &str| {
        conditions::set(conditions, Statement { type_, status, reason, message }, generation, now);
    };
    let Err(error) = works else {
        set("Ready", Status::True, "CredentialsAccepted", "The credentials work.");
        conditions::remove(conditions, "Reconciling");
        conditions::remove(conditions, "Stalled");
        return;
    };
    let (reason, message) = (error.reason(), error.to_string());
    set("Ready", Status::False, reason, &message);
    let since = conditions::find(conditions, "Ready").map_or(now, |ready| ready.last_transition_time.0);
    let passes = matches!(error, ProviderError::Throttled { .. } | ProviderError::Transient { .. });
    let may_pass = passes || now.duration_since(since) < MAY_COME;
    let (holds, not) = if may_pass { ("Reconciling", "Stalled") } else { ("Stalled", "Reconciling") };
    conditions::set(
        conditions,
        Statement { type_: holds, status: Status::True, reason, message: &message },
        generation,
        now,
    );
    conditions::remove(conditions, not);
}

/// How long a Secret or a permission may be missing before nobody is expected to bring it.
const MAY_COME: SignedDuration = SignedDuration::from_mins(5);

/// The pause until the next check after one that ended with `status`.
pub fn pause(status: &api::BillingProviderStatus) -> Duration {
    if is_ready(status) == Some(true) { WORKING } else { FAILING }
}

fn is_ready(status: &api::BillingProviderStatus) -> Option<bool> {
    conditions::find(&status.conditions, "Ready").map(|ready| ready.status == "True")
}
