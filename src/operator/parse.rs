//! From what was read to what decisions are made of. Whatever does not fit is said, never guessed.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use thiserror::Error;

use payg_api as api;
use payg_api::conditions;
use payg_core::account::{AccountId, AwsAccountId};
use payg_core::approval::{Approval, Decision};
use payg_core::desired::{ApprovalMode, Claimant, DeclaredTrial, Desired, Lapse, Limits, Sight, Suspension, When};
use payg_core::inputs::Previous;
use payg_core::money::Money;
use payg_core::observation::{Lifecycle, PastObservation, whole_second};
use payg_core::offer::{Benefit, BenefitKind, BenefitState, OfferClass};
use payg_core::provider::{Outcome, ProviderError};
use payg_core::reason::{ConditionType, Reason};
use payg_core::record::{Attempt, ProviderVersion, Record, RecordState, Requester};
use payg_core::source::Source;

/// Why an object cannot be worked with. Admission refuses such objects; one can still be there from before a rule was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{field}` {problem}")]
pub struct Invalid {
    pub field: &'static str,
    pub problem: &'static str,
}

const fn invalid(field: &'static str, problem: &'static str) -> Invalid {
    Invalid { field, problem }
}

/// The account that a Subscription names.
pub fn account(account: &api::Account) -> Result<AccountId, Invalid> {
    match account {
        api::Account::Azure(azure) => uuid::Uuid::parse_str(&azure.subscription_id)
            .map(AccountId::Azure)
            .map_err(|_| invalid("spec.account.azure.subscriptionId", "must be a GUID")),
        api::Account::Aws(aws) => AwsAccountId::parse(&aws.account_id)
            .map(AccountId::Aws)
            .ok_or(invalid("spec.account.aws.accountId", "must be 12 digits, in quotes")),
    }
}

/// What a Subscription asks for.
pub fn desired(subscription: &api::Subscription) -> Result<Desired, Invalid> {
    let spec = &subscription.spec;
    let api::DesiredOffer::PayAsYouGo = spec.offer;
    Ok(Desired {
        account: account(&spec.account)?,
        provider_name: spec.provider_name.clone(),
        when: when(&spec.upgrade)?,
        approval: match spec.upgrade.approval {
            api::ApprovalMode::Automatic => ApprovalMode::Automatic,
            api::ApprovalMode::Manual => ApprovalMode::Manual,
        },
        trial: spec.trial.as_ref().map_or(Ok(DeclaredTrial::default()), trial)?,
        suspend: suspension(subscription),
    })
}

fn suspension(subscription: &api::Subscription) -> Option<Suspension> {
    if subscription.metadata.deletion_timestamp.is_some() {
        return Some(Suspension::Deletion);
    }
    subscription.spec.suspend.unwrap_or(false).then_some(Suspension::Manifest)
}

fn when(upgrade: &api::Upgrade) -> Result<When, Invalid> {
    Ok(match upgrade.when {
        api::When::BenefitsExhausted => When::BenefitsExhausted,
        api::When::Immediately => When::Immediately,
        api::When::Never => When::Never,
        api::When::BeforeExhaustion => {
            let before = upgrade.before_exhaustion.as_ref();
            let before = before.ok_or(invalid("spec.upgrade.beforeExhaustion", "must be given with this `when`"))?;
            When::BeforeExhaustion(Limits {
                credit_below: before.credit_below.as_ref().map(money).transpose()?,
                time_left: before.time_left_seconds.map(SignedDuration::from_secs),
            })
        }
    })
}

fn trial(trial: &api::Trial) -> Result<DeclaredTrial, Invalid> {
    Ok(DeclaredTrial {
        start: trial.start_time.map(Timestamp::from),
        end: trial.end_time.map(Timestamp::from),
        credit: trial.credit.as_ref().map(money).transpose()?,
    })
}

fn money(money: &api::Money) -> Result<Money, Invalid> {
    Money::parse(&money.amount.to_string(), &money.currency)
        .ok_or(invalid("spec", "must name money as a decimal number and an ISO 4217 currency"))
}

/// The annotation by which people and tools ask for an observation of the account, each time by another value, such as the time.
pub const RECONCILE_REQUEST: &str = "payg-operator.io/requested-at";

/// The value of the annotation that asks for an observation, as far as status can hold it.
pub fn reconcile_request(subscription: &api::Subscription) -> Option<api::Text<128>> {
    subscription.annotations().get(RECONCILE_REQUEST).map(|reconcile_request| reconcile_request.as_str().into())
}

/// A Subscription as one that asks for its account.
pub fn claimant(subscription: &api::Subscription) -> Claimant {
    Claimant {
        namespace: subscription.namespace().unwrap_or_default(),
        name: subscription.name_any(),
        uid: subscription.uid().unwrap_or_default(),
        created: subscription.creation_timestamp().map_or(Timestamp::MAX, |time| time.0),
        yields: yields(subscription),
        sight: subscription.status.as_ref().map_or(Sight::Never, sight),
    }
}

/// What makes a Subscription claim nothing, whatever it has seen.
fn yields(subscription: &api::Subscription) -> Option<Lapse> {
    let observes = (subscription.spec.upgrade.when == api::When::Never).then_some(Lapse::Observes);
    suspension(subscription).map(Lapse::Suspended).or(observes)
}

fn sight(status: &api::SubscriptionStatus) -> Sight {
    let last = status.last_observed_time.map(Timestamp::from);
    match conditions::find(&status.conditions, ConditionType::Observed) {
        Some(observed) if observed.status == "True" => Sight::Clear { last },
        Some(observed) if last.is_some() => Sight::Lost { since: observed.last_transition_time.0 },
        None if last.is_some() => Sight::Clear { last },
        _ => Sight::Never,
    }
}

/// What a Subscription's status remembers of former passes.
pub fn previous(subscription: &api::Subscription) -> Previous {
    let Some(status) = &subscription.status else { return Previous::default() };
    let since = |type_, status_is: &str, reason: Option<Reason>| {
        conditions::find(&status.conditions, type_)
            .filter(|condition| condition.status == status_is && reason.is_none_or(|reason| condition.reason == reason))
            .map(|condition| condition.last_transition_time.0)
    };
    // A new spec may name another provider: its wait begins anew.
    let is_current = status.observed_generation == subscription.metadata.generation;
    let not_ready = Some(Reason::ProviderNotReady);
    Previous {
        observation: status.last_observed_time.map(|observed| PastObservation {
            benefits: status.benefits.iter().filter_map(|seen| benefit(seen, observed)).collect(),
            observed: whole(observed),
            eligible: was_eligible(status),
            closed: lifecycle(status) == Some(Lifecycle::Closed.name()),
            source: status.offer.as_ref().and_then(|offer| offer.source.as_deref()).map(Source::parse),
        }),
        restricted_since: restricted_since(status),
        exhausted_since: exhausted_since(status),
        burn_per_day: status.forecast.as_ref().and_then(|forecast| forecast.burn_per_day).map(api::Amount::decimal),
        accepted_since: status.upgrade.as_ref().and_then(|upgrade| upgrade.accept_time).map(Timestamp::from),
        // What is stalled by it has been so for long: the wait is over.
        not_ready_since: since(ConditionType::Reconciling, "True", not_ready)
            .or_else(|| since(ConditionType::Stalled, "True", not_ready).map(|_| Timestamp::MIN))
            .filter(|_| is_current),
        verifying_since: since(ConditionType::Reconciling, "True", Some(Reason::VerifyingUpgrade)),
        unobserved_since: since(ConditionType::Observed, "False", None),
    }
}

/// Whether the account that status remembers was one on a trial, in a state that is known and that nobody chose. If status
/// does not tell from what that was known, it may be less than was known before, so it does not count.
fn was_eligible(status: &api::SubscriptionStatus) -> bool {
    let works = [Lifecycle::Active, Lifecycle::Warned, Lifecycle::Restricted];
    let is_trial = |offer: &api::OfferInForce| &*offer.offer.class == OfferClass::FreeTrial.name();
    status.offer.as_ref().is_some_and(|offer| is_trial(offer) && offer.source.is_some())
        && works.iter().any(|known| lifecycle(status) == Some(known.name()))
}

/// A time in whole seconds, as an observation has it. Earlier versions wrote fractions, too.
fn whole(time: api::Time) -> Timestamp {
    whole_second(time.timestamp())
}

/// Since when the account has been restricted, if it was so when it was last observed.
fn restricted_since(status: &api::SubscriptionStatus) -> Option<Timestamp> {
    let account = status.account.as_ref().filter(|_| lifecycle(status) == Some(Lifecycle::Restricted.name()))?;
    account.restricted_time.or(account.as_of_time).map(whole)
}

/// When the benefits were exhausted, if they were so when they were last observed. Earlier versions forecast an end for such, too.
pub fn exhausted_since(status: &api::SubscriptionStatus) -> Option<Timestamp> {
    let (observed, since) = (status.last_observed_time?, status.forecast.as_ref()?.exhaustion_time?);
    let is_exhausted =
        |seen: &api::Benefit| benefit(seen, observed).is_some_and(|seen| seen.is_exhausted(whole(observed)));
    status.benefits.iter().any(is_exhausted).then(|| whole(since)).filter(|since| *since <= whole(observed))
}

/// The lifecycle of the account that status remembers.
fn lifecycle(status: &api::SubscriptionStatus) -> Option<&str> {
    status.account.as_ref()?.lifecycle.as_deref()
}

/// A benefit as status remembers it; `None` for a kind of another version.
fn benefit(seen: &api::Benefit, observed: api::Time) -> Option<Benefit> {
    let money = |amount: Option<api::Amount>| Money::parse(&amount?.to_string(), seen.currency.as_deref()?);
    Some(Benefit {
        kind: BenefitKind::parse(&seen.kind)?,
        state: BenefitState::parse(&seen.state),
        granted: money(seen.granted),
        remaining: money(seen.remaining),
        end: seen.end_time.map(whole),
        as_of: whole(seen.as_of_time.unwrap_or(observed)),
        source: Source::parse(&seen.source),
    })
}

/// What somebody said about an upgrade; `None` if it is taken back. Whatever keeps an object that is being deleted, it allows
/// nothing any more, and goes on forbidding until it is gone.
pub fn approval(approval: &api::UpgradeApproval) -> Option<Approval> {
    let spec = &approval.spec;
    let taken_back = approval.metadata.deletion_timestamp.is_some() && spec.decision != api::Decision::Deny;
    (!taken_back).then(|| Approval {
        expires: spec.expire_time.map(Timestamp::from),
        created: approval.creation_timestamp().map_or(Timestamp::MIN, |time| time.0),
        uid: approval.uid().unwrap_or_default(),
        name: approval.name_any(),
        approver: spec.approver.clone(),
        reason: spec.reason.clone(),
        transition_hash: spec.transition_hash.clone(),
        decision: match spec.decision {
            api::Decision::Approve => Decision::Approve,
            api::Decision::Deny => Decision::Deny,
            // No attempt has the number 0, so a Retry without one reopens nothing.
            api::Decision::Retry => Decision::Retry(spec.record_attempt.and_then(|n| n.try_into().ok()).unwrap_or(0)),
        },
    })
}

/// The ledger's entry. The first attempt's intent is in the spec, its outcome in the status; a first attempt without an
/// outcome may have been sent.
pub fn record(record: &api::UpgradeRecord) -> Record {
    let status = record.status.clone().unwrap_or_default();
    let mut attempts: Vec<_> = status.attempts.iter().map(|made| attempt(made, &record.spec)).collect();
    if !attempts.iter().any(|attempt| attempt.number == 1) {
        let first = api::Attempt { number: 1, ..api::Attempt::default() };
        attempts.insert(0, attempt(&first, &record.spec));
    }
    Record {
        name: record.name_any(),
        state: RecordState::parse(status.state.as_deref()),
        attempts,
        outcome: status.outcome.as_deref().map(str::to_owned),
    }
}

fn attempt(made: &api::Attempt, first: &api::UpgradeRecordSpec) -> Attempt {
    let intent = made.intent.as_ref().unwrap_or(&first.intent);
    Attempt {
        number: made.number.try_into().unwrap_or(0),
        not_after: intent.not_after_time.into(),
        endpoint: made.endpoint.clone().or_else(|| first.endpoint.clone()),
        outcome: Outcome::parse(made.outcome.as_deref()),
        sent: made.send_time.map(Timestamp::from),
        approval_uid: intent.approval.as_ref().map(|approval| approval.uid.clone()),
        message: made.message.as_deref().unwrap_or_default().to_owned(),
        operation: made.operation.clone(),
        requester: made.requester.as_ref().or((made.number == 1).then_some(&first.requester)).map(|by| Requester {
            namespace: by.namespace.clone(),
            name: by.name.clone(),
            uid: by.uid.clone(),
            provider: made.provider.as_ref().map(provider_version),
        }),
        lacked_rights: made.reason.as_deref().is_some_and(ProviderError::is_about_who_asks),
    }
}

fn provider_version(made: &api::AttemptProvider) -> ProviderVersion {
    ProviderVersion { uid: made.uid.clone(), generation: made.generation }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_without_a_wish_claim_no_account() {
        let subscription = |change: serde_json::Value| {
            let mut object = serde_json::json!({
                "apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription",
                "metadata": {"name": "sandbox", "namespace": "team-a"},
                "spec": {"providerName": "aws", "account": {"aws": {"accountId": "123456789012"}}, "offer": "PayAsYouGo",
                    "upgrade": {"when": "Immediately", "approval": "Automatic"}},
            });
            for (place, value) in change.as_object().unwrap() {
                *object.pointer_mut(place).unwrap() = value.clone();
            }
            claimant(&serde_json::from_value(object).unwrap()).yields
        };
        let upgrade = serde_json::json!({"when": "Never", "approval": "Automatic"});
        let deleted = serde_json::json!({"name": "sandbox", "deletionTimestamp": "2026-03-01T12:00:00Z"});
        assert_eq!(subscription(serde_json::json!({})), None);
        assert_eq!(subscription(serde_json::json!({"/spec/upgrade": upgrade})), Some(Lapse::Observes));
        assert_eq!(
            subscription(serde_json::json!({"/metadata": deleted})),
            Some(Lapse::Suspended(Suspension::Deletion))
        );
    }

    #[test]
    fn sight_is_what_status_remembers() {
        let then: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let told = |observed: Option<&str>, has_seen: bool| {
            let mut status =
                api::SubscriptionStatus { last_observed_time: has_seen.then(|| then.into()), ..Default::default() };
            if let Some(holds) = observed {
                let status_is = if holds == "True" { conditions::Status::True } else { conditions::Status::False };
                let said = conditions::Statement {
                    type_: ConditionType::Observed,
                    status: status_is,
                    reason: Reason::Observed,
                    message: "",
                };
                conditions::set(&mut status.conditions, said, 1, then);
            }
            sight(&status)
        };
        let last = Some(then);
        assert_eq!(told(Some("True"), true), Sight::Clear { last });
        assert_eq!(told(None, true), Sight::Clear { last }, "of an older version");
        assert_eq!(told(Some("True"), false), Sight::Clear { last: None });
        assert_eq!(told(Some("False"), true), Sight::Lost { since: then });
        assert_eq!(told(Some("False"), false), Sight::Never);
        assert_eq!(told(None, false), Sight::Never);
    }

    #[test]
    fn a_look_counts_only_if_status_tells_what_was_known() {
        let eligible = |source: Option<&str>, lifecycle: &str| {
            let offer = api::Offer { class: OfferClass::FreeTrial.name().into(), native: None };
            let status = api::SubscriptionStatus {
                offer: Some(api::OfferInForce { offer, source: source.map(Into::into), as_of_time: None }),
                account: Some(api::AccountStatus { lifecycle: Some(lifecycle.into()), ..Default::default() }),
                ..Default::default()
            };
            was_eligible(&status)
        };
        assert!(eligible(Some("subscription, billingProperty"), "Restricted"));
        assert!(!eligible(Some("subscription, billingProperty"), "Unknown"));
        assert!(!eligible(None, "Restricted"), "older CRDs, or an older operator, have dropped it");
    }
}
