//! One reconcile of one BillingProvider: do its credentials work, and which accounts do they see?

use std::time::Duration;

use jiff::Timestamp;
use kube::Api;
use kube::core::DeserializeGuard;
use payg_api as api;
use payg_api::conditions::{self, Condition, Statement, Status};
use payg_clock::Clock;
use payg_core::decide::billing_provider::{Failing, Wait, next_check, wait};
use payg_core::provider::ProviderError;
use payg_core::reason::{ConditionType, Reason};
use payg_core::schedule;
use payg_providers::{Sighting, Survey};
use payg_runtime::ObjectKey;
use payg_runtime::queue::Requeue;
use tracing::{debug, info};

use crate::operator::status::report;
use crate::operator::{OBSERVE_DEADLINE, Operator, Work};

/// The least between two checks of credentials that work (wall clock), however fast the billing clock runs.
const SHORTEST: Duration = Duration::from_secs(5);

/// A reconcile of the BillingProvider at `key`.
pub async fn reconcile(operator: &Operator, key: &ObjectKey) -> kube::Result<Requeue> {
    let api: Api<DeserializeGuard<api::BillingProvider>> = operator.namespaced(key);
    let Some(DeserializeGuard(read)) = api.get_opt(&key.name).await? else {
        operator.providers.forget(key);
        operator.index().remove_list(key);
        return Ok(Requeue::OnChange);
    };
    // If it cannot be read, the Subscriptions that use it report that.
    let Ok(object) = read else { return Ok(Requeue::OnChange) };
    let works = match operator.providers.get(key).await? {
        Ok(provider) => provider.client.survey(OBSERVE_DEADLINE).await.map(|survey| (provider.identity, survey)),
        Err(error) => Err(error),
    };
    if matches!(works, Err(ProviderError::Unauthenticated { .. })) {
        operator.providers.renew(key); // what was shown may have been kept from before somebody put it right
    }
    operator.metrics.survey(works.as_ref().map_or_else(ProviderError::reason, |(_, survey)| survey_reason(survey)));
    let before = object.status.clone().unwrap_or_default();
    let mut after = before.clone();
    let works = works.map(|(identity, survey)| {
        after.accounts = survey.accounts.as_deref().map(|accounts| seen(operator, accounts));
        hint(operator, key, survey.accounts);
        format!("The credentials ({identity}) work{}.", survey.seen)
    });
    let generation = object.metadata.generation.unwrap_or_default();
    say(&mut after.conditions, &works, generation, operator.wall());
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
    Ok(Requeue::After(pause(&after, operator.settings.clock)))
}

const fn survey_reason(survey: &Survey) -> Reason {
    if survey.accounts.is_some() { Reason::Listed } else { Reason::NotListed }
}

/// Which of the `accounts` in a list Subscriptions name.
fn seen(operator: &Operator, accounts: &[Sighting]) -> api::SeenAccounts {
    let mut undeclared: Vec<String> = {
        let index = operator.index();
        let is_undeclared = |seen: &&Sighting| index.of_account(&seen.account).is_empty();
        accounts.iter().filter(is_undeclared).map(|seen| seen.account.id()).collect()
    };
    undeclared.sort_unstable();
    let count = |accounts: usize| i64::try_from(accounts).unwrap_or(i64::MAX);
    let (all, without) = (accounts.len(), undeclared.len());
    undeclared.truncate(api::MOST_UNDECLARED);
    api::SeenAccounts {
        seen: count(all),
        declared: count(all.saturating_sub(without)),
        undeclared: count(without),
        undeclared_ids: undeclared,
    }
}

/// Has those Subscriptions look soon whose account shows differently than before. Nothing else follows from a list.
fn hint(operator: &Operator, key: &ObjectKey, accounts: Option<Vec<Sighting>>) {
    let changed = accounts.map(|accounts| operator.index().put_list(key, accounts)).unwrap_or_default();
    for subscription in changed {
        debug!(provider = %key, %subscription, "the list shows a change of the account");
        operator.queue.add(Work::Subscription(subscription));
    }
}

/// Says whether the credentials work, and what there is to say of them.
pub fn say(conditions: &mut Vec<Condition>, works: &Result<String, ProviderError>, generation: i64, now: Timestamp) {
    let error = match works {
        Err(error) => error,
        Ok(message) => {
            let (type_, reason) = (ConditionType::Ready, Reason::CredentialsAccepted);
            conditions::set(conditions, Statement { type_, status: Status::True, reason, message }, generation, now);
            conditions::remove(conditions, ConditionType::Reconciling);
            conditions::remove(conditions, ConditionType::Stalled);
            return;
        }
    };
    let (reason, message) = (error.reason(), error.to_string());
    let wait = wait(error, failing(conditions, reason, generation), now);
    if wait == Wait::Begins {
        conditions::remove(conditions, ConditionType::Reconciling); // whose wait is not this one
    }
    let (holds, not) = match wait {
        Wait::Begins | Wait::GoesOn => (ConditionType::Reconciling, ConditionType::Stalled),
        Wait::IsOver => (ConditionType::Stalled, ConditionType::Reconciling),
    };
    for (type_, status) in [(ConditionType::Ready, Status::False), (holds, Status::True)] {
        conditions::set(conditions, Statement { type_, status, reason, message: &message }, generation, now);
    }
    conditions::remove(conditions, not);
}

/// For how long the credentials have not worked, for this reason and with this spec.
fn failing(conditions: &[Condition], reason: Reason, generation: i64) -> Failing {
    let told = |type_| {
        conditions::find(conditions, type_)
            .filter(|told| told.reason == reason && told.observed_generation == Some(generation))
    };
    match (told(ConditionType::Reconciling), told(ConditionType::Stalled)) {
        (Some(waiting), _) => Failing::Since(waiting.last_transition_time.0),
        (None, Some(_)) => Failing::Stalled,
        (None, None) => Failing::Newly,
    }
}

/// The pause until the next check after one that ended with `status`.
pub fn pause(status: &api::BillingProviderStatus, clock: Clock) -> Duration {
    match next_check(is_ready(status) == Some(true), clock.billing()) {
        schedule::Requeue::At(time) => clock.wall_until(time).max(SHORTEST),
        schedule::Requeue::After(pause) => pause,
        schedule::Requeue::Backoff(at_least) => at_least.unwrap_or_default(),
        schedule::Requeue::OnChange => Duration::MAX,
    }
}

fn is_ready(status: &api::BillingProviderStatus) -> Option<bool> {
    conditions::find(&status.conditions, ConditionType::Ready).map(|ready| ready.status == "True")
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn missing() -> Result<String, ProviderError> {
        Err(ProviderError::Config { detail: "there is no Secret".to_owned() })
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    /// What kstatus reads, after each finding: minute, generation, whether the credentials work.
    fn read(told: &[(i64, i64, &Result<String, ProviderError>)]) -> Vec<&'static str> {
        let mut conditions = Vec::new();
        let tell = |&(minute, generation, works): &(i64, i64, &Result<String, ProviderError>)| {
            say(&mut conditions, works, generation, at(minute));
            let is = |type_| conditions::find(&conditions, type_).is_some_and(|condition| condition.status == "True");
            match (is(ConditionType::Reconciling), is(ConditionType::Stalled), is(ConditionType::Ready)) {
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
        let (missing, works) = (missing(), Ok(String::new()));
        let told = [(0, 1, &missing), (4, 1, &missing), (5, 1, &missing), (60, 1, &missing), (61, 2, &missing)];
        assert_eq!(read(&told), ["InProgress", "InProgress", "Failed", "Failed", "InProgress"]);
        assert_eq!(read(&[(0, 1, &missing), (9, 1, &missing), (10, 1, &works)])[2], "Current");
    }

    #[test]
    fn working_credentials_are_checked_by_the_billing_clock_and_not_too_often() {
        let mut ready = api::BillingProviderStatus::default();
        assert_eq!(pause(&ready, Clock::real()), Duration::from_mins(1));
        say(&mut ready.conditions, &Ok(String::new()), 1, at(0));
        let seconds = |clock| pause(&ready, clock).as_secs_f64().round();
        assert!((seconds(Clock::real()) - 300.0).abs() < 1.5);
        assert!((seconds(Clock::scaled(at(0), Timestamp::now(), 10)) - 30.0).abs() < 1.5);
        assert_eq!(pause(&ready, Clock::scaled(at(0), Timestamp::now(), 86_400)), SHORTEST);
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
