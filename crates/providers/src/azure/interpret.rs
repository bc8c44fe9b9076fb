//! What Azure's answers mean. Pure. Where two of them contradict each other the result is *unknown*, never *exhausted*.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::credit::Credit;
use super::http::excerpt;
use super::remaining::{Remaining, remaining};
use super::terms::{Terms, Trial, contradiction, current_limit, terms};
use super::wire::{Billing, SpendingLimit, Subscription, date, money};
use payg_core::money::Money;
use payg_core::observation::{Acceptance, Lifecycle, Observation};
use payg_core::offer::{Benefit, BenefitKind, BenefitState, Offer};
use payg_core::source::{Origin, Source};

/// When something was read, by our clock and by the provider's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub(super) observed: Timestamp,
    pub(super) provider_time: Option<Timestamp>,
}

/// What `subscription`, and `billing` and `credit` where they may be read, say about the account.
pub(super) fn observation(
    subscription: &Subscription,
    billing: Option<&Billing>,
    credit: &Credit,
    stamp: Stamp,
) -> Observation {
    let quota = &subscription.policies.quota_id;
    let terms = terms(quota, billing);
    let trial = terms.trial();
    let detail = trial.zip(billing).and_then(|(trial, billing)| current(trial, billing));
    let left = remaining(credit, detail.and_then(granted));
    Observation {
        lifecycle: lifecycle(subscription, billing.filter(|_| trial.is_some())),
        offer: Offer { class: terms.class(), native: excerpt(quota) },
        eligible: trial.is_some(),
        acceptance: trial.map_or(Acceptance::NotAccepted, |trial| acceptance(trial, subscription, billing)),
        benefits: trial
            .map_or_else(Vec::new, |trial| benefits(trial, subscription, billing, credit, &left, stamp.observed)),
        trial_length: trial.and_then(Trial::length),
        source: read(billing),
        owner: subscription.tenant_id.clone(),
        observed: stamp.observed,
        provider_time: stamp.provider_time,
        unread: Vec::new(),
        remarks: left.remark.into_iter().collect(),
        lapsed: credit.lapsed,
        handoff: None,
        closes: false,
        deadline: None,
    }
}

/// What the offer was read from. A billing property that contains the limits of the billing profile says no less than the
/// profile itself, and more than one that does not.
fn read(billing: Option<&Billing>) -> Source {
    let tells_limits = |billing: &Billing| billing.limits.as_ref().is_some_and(|limits| !limits.is_empty());
    match billing {
        None => Source::from([Origin::Subscription]),
        Some(billing) if billing.completed => {
            Source::from([Origin::Subscription, Origin::BillingProperty, Origin::BillingProfile])
        }
        Some(billing) if tells_limits(billing) => {
            Source::from([Origin::Subscription, Origin::BillingProperty, Origin::SpendingLimits])
        }
        Some(_) => Source::from([Origin::Subscription, Origin::BillingProperty]),
    }
}

/// Words by which billing says, of the account or of its billing profile, that somebody stopped it.
const STOPPED: [&str; 7] =
    ["Cancelled", "Suspended", "Deleted", "Transferred", "SuspiciousActivity", "UnusualActivity", "PolicyViolation"];
/// Words by which billing says of an account that is not enabled that nobody stopped it.
const NOT_STOPPED: [&str; 9] = [
    "None",
    "Active",
    "AutoRenew",
    "Disabled",
    "Expired",
    "Expiring",
    "SpendingLimitExpired",
    "SpendingLimitReached",
    "Warned",
];

/// The states are those of <https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-states>.
fn lifecycle(subscription: &Subscription, billing: Option<&Billing>) -> Lifecycle {
    let (state, quota) = (&subscription.state, &subscription.policies.quota_id);
    match (by_state(state), billing.and_then(|billing| stopped(state, billing))) {
        (Lifecycle::Closed, _) => Lifecycle::Closed,
        (_, Some(word)) => Lifecycle::Unknown(format!("{} ({})", excerpt(state), excerpt(word))),
        (known, None) => match billing.and_then(|billing| contradiction(quota, billing)) {
            Some(other) => Lifecycle::Unknown(format!(
                "{}, on {}, while its billing says {}",
                excerpt(state),
                excerpt(quota),
                excerpt(other)
            )),
            None => known,
        },
    }
}

/// The word by which billing says that somebody stopped the account, whatever date is with it. Who cancelled an account, or
/// was stopped for abuse, did not use up a trial: an upgrade would bring the account back. Of an account that does not work,
/// a word that is not understood may say so too.
fn stopped<'a>(state: &str, billing: &'a Billing) -> Option<&'a str> {
    let details = billing.status_details.iter().flatten().filter_map(|detail| detail.reason.as_deref());
    let mut words = details.chain(billing.profile_reasons()).chain(billing.status.as_deref());
    words.find(|word| STOPPED.contains(word) || (state != "Enabled" && !word.is_empty() && !NOT_STOPPED.contains(word)))
}

fn by_state(state: &str) -> Lifecycle {
    match state {
        "Enabled" => Lifecycle::Active,
        "Warned" | "PastDue" => Lifecycle::Warned,
        "Disabled" => Lifecycle::Restricted,
        "Deleted" => Lifecycle::Closed,
        other => Lifecycle::Unknown(excerpt(other)),
    }
}

/// Statuses of a trial's spending limit by which there still is one.
const LIMITED: [&str; 3] = ["Active", "LimitReached", "Expired"];

/// An upgrade is accepted by the removal of the spending limit; the offer changes when the benefits end:
/// <https://learn.microsoft.com/azure/cost-management-billing/manage/spending-limit>
fn acceptance(trial: Trial, subscription: &Subscription, billing: Option<&Billing>) -> Acceptance {
    let status = billing.and_then(|billing| current(trial, billing)).and_then(|detail| detail.status.as_deref());
    if status == Some("LimitRemoved") {
        return Acceptance::Accepted;
    }
    let policies = &subscription.policies;
    let limited = status.filter(|status| LIMITED.contains(status));
    let of_profile = billing.and_then(|billing| billing.spending_limit.as_deref());
    // On the Azure plan the limit is one of the billing profile; the subscription's own says nothing there.
    let limit = if Terms::is_azure_plan(&policies.quota_id) {
        of_profile.or(limited.map(|_| "On"))
    } else {
        policies.spending_limit.as_deref()
    };
    match limit {
        Some("On") => match of_profile.filter(|limit| *limit != "On") {
            Some(other) => Acceptance::Unclear(format!("On, while the billing profile's is {}", excerpt(other))),
            None => Acceptance::NotAccepted,
        },
        // An offer without credit needs no limit, so that its absence there proves nothing.
        Some("Off") if trial != Trial::Imagine => match (limited, of_profile) {
            (Some(status), _) => Acceptance::Unclear(format!("Off, while the trial's own is {status}")),
            (None, Some("On")) => Acceptance::Unclear("Off, while the billing profile's is On".to_owned()),
            _ => Acceptance::Accepted,
        },
        other => Acceptance::Unclear(excerpt(other.unwrap_or("no spending limit is reported"))),
    }
}

/// The spending limit in force, if it is one of `trial`.
fn current(trial: Trial, billing: &Billing) -> Option<&SpendingLimit> {
    current_limit(billing).filter(|limit| Trial::of_limit(limit) == Some(trial))
}

fn benefits(
    trial: Trial,
    subscription: &Subscription,
    billing: Option<&Billing>,
    credit: &Credit,
    left: &Remaining,
    observed: Timestamp,
) -> Vec<Benefit> {
    let detail = billing.and_then(|billing| current(trial, billing));
    let source = match billing {
        None => Origin::Subscription,
        Some(billing) if billing.by_profile => Origin::BillingProfile,
        Some(_) => Origin::BillingProperty,
    };
    let unknown = |kind, origin: Origin| Benefit::unknown(kind, observed, Source::from([origin]));
    if !trial.has_credit() {
        return vec![unknown(BenefitKind::FreeServices, source)]; // which the portal alone shows
    }
    let reasons = reasons(&subscription.state, billing, observed);
    let end = detail.and_then(end).or(left.end);
    let period = period_state(&reasons, detail, end, observed);
    let period = if is_in_doubt(period, subscription, detail, (credit, left), observed) {
        BenefitState::Unknown
    } else {
        period
    };
    let credit = credit_state(&reasons, detail);
    // The balance is an estimate that lags behind: once the account is off because the limit is reached, what seems to be
    // left is old news. While the account works, by either of the two who tell, it contradicts.
    let works = billing.and_then(|billing| billing.status.as_deref()).is_some_and(|status| WORKING.contains(&status));
    let is_off = credit == BenefitState::Exhausted && subscription.state == "Disabled" && !works;
    let remaining = left.left.filter(|left| !is_off || left.amount.is_zero());
    let by_lots = left.end.is_some() && detail.and_then(self::end).is_none();
    vec![
        Benefit {
            state: credit,
            granted: detail.and_then(granted).or(left.granted),
            remaining,
            ..unknown(BenefitKind::Credit, remaining.map_or(source.clone(), |_| Origin::BalanceSummary))
        },
        Benefit { state: period, end, ..unknown(BenefitKind::Period, if by_lots { Origin::Lots } else { source }) },
    ]
}

/// Words by which billing says that an account works.
const WORKING: [&str; 2] = ["Active", "AutoRenew"];

/// Whether the state of the period may be another one, as two who tell of it do not agree.
fn is_in_doubt(
    period: BenefitState,
    subscription: &Subscription,
    limit: Option<&SpendingLimit>,
    (credit, left): (&Credit, &Remaining),
    observed: Timestamp,
) -> bool {
    let has_passed = |end: Timestamp| end <= observed;
    let ends = (limit.and_then(end), left.end);
    // While the account works, a provider that still calls the trial active is right about its end, not we.
    let is_active = limit.is_some_and(|limit| limit.status.as_deref() == Some("Active"));
    let goes_on = subscription.state != "Disabled" && is_active && ends.0.or(ends.1).is_some_and(has_passed);
    let of_two = ends.0.zip(ends.1).is_some_and(|(one, other)| has_passed(one) != has_passed(other));
    // Credit left may contradict a state without a date. Where it is reported, the core compares the two.
    let is_untold = left.left.is_none() && (credit.balance.is_some() || !credit.remarks.is_empty());
    let by_word_alone = period == BenefitState::Exhausted && ends == (None, None);
    goes_on || of_two || (by_word_alone && is_untold)
}

/// A disabled account alone is not exhaustion: its owner may have cancelled it. Nor is a reason alone: of an account that
/// works it is old news.
fn credit_state(reasons: &[&str], detail: Option<&SpendingLimit>) -> BenefitState {
    let spent = reasons.contains(&"SpendingLimitReached");
    match detail.and_then(|detail| detail.status.as_deref()) {
        Some("LimitReached") => BenefitState::Exhausted,
        Some("Active") if !spent => BenefitState::Active,
        None if spent => BenefitState::Exhausted,
        _ => BenefitState::Unknown,
    }
}

/// The reason `Expired` ends nothing by itself: Microsoft also uses the word for accounts that were cancelled,
/// <https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-states>.
fn period_state(
    reasons: &[&str],
    detail: Option<&SpendingLimit>,
    end: Option<Timestamp>,
    observed: Timestamp,
) -> BenefitState {
    let over = reasons.contains(&"SpendingLimitExpired");
    match detail.and_then(|detail| detail.status.as_deref()) {
        _ if end.is_some_and(|end| end <= observed) => BenefitState::Exhausted,
        Some("Expired") => BenefitState::Exhausted,
        None if over => BenefitState::Exhausted,
        _ if over || reasons.contains(&"Expired") => BenefitState::Unknown,
        Some("Active") => BenefitState::Active,
        _ if end.is_some() => BenefitState::Active,
        _ => BenefitState::Unknown,
    }
}

/// Why the account does not work: the reason of its billing profile, and the last of its own that is in force. None of an
/// account that works.
fn reasons<'a>(state: &str, billing: Option<&'a Billing>, observed: Timestamp) -> Vec<&'a str> {
    let Some(billing) = billing.filter(|_| state != "Enabled") else { return Vec::new() };
    let details = billing.status_details.iter().flatten();
    let in_force: Vec<_> = details
        .filter_map(|detail| Some((detail.effective_date.as_deref(), detail.reason.as_deref()?)))
        .map(|(since, reason)| (since, date(since), reason))
        .filter(|(text, since, _)| text.is_none() || since.is_some_and(|since| since <= observed))
        .collect();
    let last = in_force.iter().map(|(_, since, _)| *since).max();
    let mut own = in_force.iter().filter(|(_, since, _)| Some(*since) == last).map(|(.., reason)| *reason);
    // Which of two at the same time counts is not known.
    let own = own.next().filter(|first| own.all(|reason| reason == *first));
    own.into_iter().chain(billing.profile_reasons()).collect()
}

fn granted(detail: &SpendingLimit) -> Option<Money> {
    money(detail.amount.as_deref(), detail.currency.as_deref()).filter(|money| money.amount > Decimal::ZERO)
}

fn end(detail: &SpendingLimit) -> Option<Timestamp> {
    let end = date(detail.end_date.as_deref())?;
    date(detail.start_date.as_deref()).is_none_or(|start| start < end).then_some(end)
}
