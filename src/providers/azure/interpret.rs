//! What Azure's answers mean. Pure. Where two of them contradict each other the result is *unknown*, never *exhausted*.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::terms::{Terms, Trial, current_limit, terms};
use super::wire::{Billing, SpendingLimit, Subscription, date};
use crate::core::money::{Currency, Money};
use crate::core::observation::{Acceptance, Lifecycle, Observation};
use crate::core::offer::{Benefit, BenefitKind, BenefitState, Offer, Source};

/// When and by whose clocks something was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) observed: Timestamp,
    pub(super) provider_time: Option<Timestamp>,
}

/// What `subscription`, and `billing` where it may be read, say about the account.
pub(super) fn observation(subscription: &Subscription, billing: Option<&Billing>, look: Look) -> Observation {
    let quota = &subscription.policies.quota_id;
    let terms = terms(quota, billing);
    let trial = terms.trial();
    Observation {
        lifecycle: lifecycle(&subscription.state, billing, look.observed),
        offer: Offer { class: terms.class(), native: quota.clone() },
        eligible: trial.is_some(),
        acceptance: trial.map_or(Acceptance::NotAccepted, |trial| acceptance(trial, subscription, billing)),
        benefits: trial.map_or_else(Vec::new, |trial| benefits(trial, subscription, billing, look.observed)),
        trial_length: trial.map(Trial::length),
        owner: subscription.tenant_id.clone(),
        observed: look.observed,
        provider_time: look.provider_time,
    }
}

/// The states are those of <https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-states>.
fn lifecycle(state: &str, billing: Option<&Billing>, observed: Timestamp) -> Lifecycle {
    // Who cancelled an account, or was stopped for abuse, did not use up a trial: an upgrade would bring the account back.
    let stopped = ["Cancelled", "SuspiciousActivity", "PolicyViolation", "Transferred"]
        .into_iter()
        .find(|reason| billing.is_some_and(|billing| is_reason(billing, reason, observed)));
    match (state, stopped) {
        ("Disabled" | "Warned", Some(reason)) => Lifecycle::Unknown(format!("{state} ({reason})")),
        (state, _) => by_state(state),
    }
}

fn by_state(state: &str) -> Lifecycle {
    match state {
        "Enabled" => Lifecycle::Active,
        "Warned" | "PastDue" => Lifecycle::Warned,
        "Disabled" => Lifecycle::Restricted,
        "Deleted" => Lifecycle::Closed,
        other => Lifecycle::Unknown(other.to_owned()),
    }
}

/// An upgrade is accepted by the removal of the spending limit; the offer changes when the benefits end:
/// <https://learn.microsoft.com/azure/cost-management-billing/manage/spending-limit>
fn acceptance(trial: Trial, subscription: &Subscription, billing: Option<&Billing>) -> Acceptance {
    let detail = billing.and_then(|billing| current(trial, billing));
    if detail.is_some_and(|detail| detail.status.as_deref() == Some("LimitRemoved")) {
        return Acceptance::Accepted;
    }
    let policies = &subscription.policies;
    // On the Azure plan the limit is one of the billing profile; the subscription's own says nothing there.
    let of_profile = billing
        .filter(|_| Terms::is_azure_plan(&policies.quota_id))
        .and_then(|billing| billing.spending_limit.as_deref());
    match of_profile.or(policies.spending_limit.as_deref()) {
        Some("On") => Acceptance::NotAccepted,
        // An offer without credit needs no limit, so that its absence there proves nothing.
        Some("Off") if trial != Trial::Imagine => Acceptance::Accepted,
        other => Acceptance::Unclear(other.unwrap_or("no spending limit is reported").to_owned()),
    }
}

/// The spending limit in force, if it is one of `trial`.
fn current(trial: Trial, billing: &Billing) -> Option<&SpendingLimit> {
    current_limit(billing).filter(|limit| Trial::of_limit(limit) == Some(trial))
}

fn benefits(trial: Trial, subscription: &Subscription, billing: Option<&Billing>, observed: Timestamp) -> Vec<Benefit> {
    let source = Source::Provider(billing.map_or("subscription", |_| "billingProperty").to_owned());
    let unknown = |kind| Benefit::unknown(kind, observed, source.clone());
    if trial == Trial::Imagine {
        return vec![unknown(BenefitKind::FreeServices)]; // which the portal alone shows
    }
    let detail = billing.and_then(|billing| current(trial, billing));
    let end = detail.and_then(end);
    // While the account works, a provider that still calls the trial active is right about its end, not we.
    let goes_on =
        subscription.state == "Enabled" && detail.is_some_and(|detail| detail.status.as_deref() == Some("Active"));
    let has_ended = end.is_some_and(|end| end <= observed);
    let period =
        if has_ended && goes_on { BenefitState::Unknown } else { period_state(billing, detail, end, observed) };
    vec![
        Benefit {
            state: credit_state(billing, detail, observed),
            granted: detail.and_then(granted),
            ..unknown(BenefitKind::Credit)
        },
        Benefit { state: period, end, ..unknown(BenefitKind::Period) },
    ]
}

/// A disabled account alone is not exhaustion: its owner may have cancelled it.
fn credit_state(billing: Option<&Billing>, detail: Option<&SpendingLimit>, observed: Timestamp) -> BenefitState {
    let spent = billing.is_some_and(|billing| {
        billing.profile_reason.as_deref() == Some("SpendingLimitReached")
            || is_reason(billing, "SpendingLimitReached", observed)
    });
    match detail.and_then(|detail| detail.status.as_deref()) {
        Some("LimitReached") => BenefitState::Exhausted,
        Some("Active") if !spent => BenefitState::Active,
        Some("Active") => BenefitState::Unknown,
        _ if spent => BenefitState::Exhausted,
        _ => BenefitState::Unknown,
    }
}

fn period_state(
    billing: Option<&Billing>,
    detail: Option<&SpendingLimit>,
    end: Option<Timestamp>,
    observed: Timestamp,
) -> BenefitState {
    let over = billing.is_some_and(|billing| {
        billing.profile_reason.as_deref() == Some("SpendingLimitExpired")
            || is_reason(billing, "SpendingLimitExpired", observed)
            || is_reason(billing, "Expired", observed)
    });
    match detail.and_then(|detail| detail.status.as_deref()) {
        _ if end.is_some_and(|end| end <= observed) => BenefitState::Exhausted,
        Some("Expired") => BenefitState::Exhausted,
        Some("Active") if over => BenefitState::Unknown,
        _ if over => BenefitState::Exhausted,
        Some("Active") => BenefitState::Active,
        _ if end.is_some() => BenefitState::Active,
        _ => BenefitState::Unknown,
    }
}

/// Whether the account's billing state has `reason`, and has it already.
fn is_reason(billing: &Billing, reason: &str, observed: Timestamp) -> bool {
    let in_force = |since: Option<&str>| since.is_none() || date(since).is_some_and(|since| since <= observed);
    let mut details = billing.status_details.iter().flatten();
    details.any(|detail| detail.reason.as_deref() == Some(reason) && in_force(detail.effective_date.as_deref()))
}

fn granted(detail: &SpendingLimit) -> Option<Money> {
    let digits = detail.amount.as_deref()?.get();
    let amount = Decimal::from_str_exact(digits).or_else(|_| Decimal::from_scientific(digits)).ok()?;
    let money = Money::new(amount, Currency::parse(detail.currency.as_deref()?)?)?;
    (money.amount > Decimal::ZERO).then_some(money)
}

fn end(detail: &SpendingLimit) -> Option<Timestamp> {
    let end = date(detail.end_date.as_deref())?;
    date(detail.start_date.as_deref()).is_none_or(|start| start < end).then_some(end)
}
