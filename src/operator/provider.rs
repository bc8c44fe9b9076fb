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
    say(&mut after.conditions, &works, generation, Timestamp::now());
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
fn say(conditions: &mut Vec<Condition>, works: &Result<(), ProviderError>, generation: i64, now: Timestamp) {
    let Err(error) = works else {
        let message = "The credentials work.";
        let statement = Statement { type_: "Ready", status: Status::True, reason: "CredentialsAccepted", message };
        conditions::set(conditions, statement, generation, now);
        conditions::remove(conditions, "Reconciling");
        conditions::remove(conditions, "Stalled");
        return;
    };
    let (reason, message) = (error.reason(), error.to_string());
    let passes = matches!(error, ProviderError::Throttled { .. } | ProviderError::Transient { .. });
    let (holds, not) = match since(conditions, reason, generation) {
        Since::GivenUp if !passes => ("Stalled", "Reconciling"),
        Since::Time(began) if !passes && now.duration_since(began) >= MAY_COME => ("Stalled", "Reconciling"),
        Since::Time(_) => ("Reconciling", "Stalled"),
        Since::GivenUp | Since::Now => {
            conditions::remove(conditions, "Reconciling"); // whose wait is not this one
            ("Reconciling", "Stalled")
        }
    };
    for (type_, status) in [("Ready", Status::False), (holds, Status::True)] {
        conditions::set(conditions, Statement { type_, status, reason, message: &message }, generation, now);
    }
    conditions::remove(conditions, not);
}

/// Since when the credentials have not worked, for one reason and with one spec.
enum Since {
    /// They have from this time on, and are waited for.
    Time(Timestamp),
    /// For so long that nobody waits any more.
    GivenUp,
    /// It is news.
    Now,
}

fn since(conditions: &[Condition], reason: &str, generation: i64) -> Since {
    let told = |type_| {
        conditions::find(conditions, type_)
            .filter(|told| told.reason == reason && told.observed_generation == Some(generation))
    };
    match (told("Reconciling"), told("Stalled")) {
        (Some(waiting), _) => Since::Time(waiting.last_transition_time.0),
        (None, Some(_)) => Since::GivenUp,
        (None, None) => Since::Now,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn missing() -> Result<(), ProviderError> {
        Err(ProviderError::Config { detail: "there is no Secret".to_owned() })
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    /// What kstatus reads, after each of `told`: minute, generation, whether the credentials work.
    fn read(told: &[(i64, i64, &Result<(), ProviderError>)]) -> Vec<&'static str> {
        let mut conditions = Vec::new();
        let tell = |&(minute, generation, works): &(i64, i64, &Result<(), ProviderError>)| {
            say(&mut conditions, works, generation, at(minute));
            let is = |type_| conditions::find(&conditions, type_).is_some_and(|condition| condition.status == "True");
            match (is("Reconciling"), is("Stalled"), is("Ready")) {
                (true, false, false) => "InProgress",
                (false, true, false) => "Failed",
                (false, false, true) => "Current",
                other => panic!("{other:?}"),
            }
        };
        told.iter().map(tell).collect()
    }

    #[test]
    fn a_missing_secret_is_waited_for_five_minutes_with_each_spec() {
        let (missing, works) = (missing(), Ok(()));
        let told = [(0, 1, &missing), (4, 1, &missing), (5, 1, &missing), (60, 1, &missing), (61, 2, &missing)];
        assert_eq!(read(&told), ["InProgress", "InProgress", "Failed", "Failed", "InProgress"]);
        assert_eq!(read(&[(0, 1, &missing), (9, 1, &missing), (10, 1, &works)])[2], "Current");
    }

    #[test]
    fn an_outage_is_no_reason_to_give_up() {
        let down = Err(ProviderError::Transient { detail: "connection refused".to_owned() });
        assert_eq!(read(&[(0, 1, &down), (600, 1, &down)]), ["InProgress", "InProgress"]);
        // Nor does the time of one reason count for another.
        let missing = missing();
        assert_eq!(read(&[(0, 1, &down), (600, 1, &missing)]), ["InProgress", "InProgress"]);
    }
}
