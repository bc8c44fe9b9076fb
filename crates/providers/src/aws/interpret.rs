//! What AWS's answers mean. What it does not publish, and what contradicts itself, is never acted on.

use jiff::{SignedDuration, Timestamp};
use rust_decimal::{Decimal, dec};

use super::plan::{Plan, PlanStatus, PlanType};
use payg_core::money::Money;
use payg_core::observation::{Acceptance, Lifecycle, Observation};
use payg_core::offer::{Benefit, BenefitKind, BenefitState, Offer, OfferClass};
use payg_core::source::Source;

/// How long an account whose Free plan has expired can still be upgraded:
/// <https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/free-tier-plans.html>
const GRACE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// A Free plan lasts six months, which are this at the longest: <https://aws.amazon.com/free/free-tier-faqs/>
const LONGEST: SignedDuration = SignedDuration::from_hours(184 * 24);
/// How much later than the time of an observation the end of an expired plan may be: clocks differ.
const SLACK: SignedDuration = SignedDuration::from_hours(24);
/// The least credit that counts as some, in its currency: a cent.
const SOME: Decimal = dec!(0.01);

/// What Account Management calls the state of an account:
/// <https://docs.aws.amazon.com/accounts/latest/reference/API_GetAccountInformation.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    PendingActivation,
    Active,
    Suspended,
    Closed,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::PendingActivation => "PENDING_ACTIVATION",
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Closed => "CLOSED",
        }
    }
}

/// When and how an observation was made.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    /// The billing time.
    pub(super) observed: Timestamp,
    /// The time by AWS's clock.
    pub(super) provider_time: Option<Timestamp>,
    pub(super) source: Source,
}

impl Stamp {
    /// The time by the earlier of both clocks.
    fn at(&self) -> Timestamp {
        self.provider_time.map_or(self.observed, |theirs| theirs.min(self.observed))
    }
}

/// The account as `plan` shows it, the `state` of the account where that may be read, and the credit that was `granted` in all
/// where that may be.
pub(super) fn observation(
    plan: Option<&Plan>,
    state: Option<State>,
    granted: Option<Money>,
    stamp: &Stamp,
) -> Observation {
    let mut remarks = Vec::new();
    let (class, native) = match plan.map(|plan| plan.kind) {
        Some(PlanType::Free) => (OfferClass::FreeTrial, "FREE"),
        Some(PlanType::Paid) => (OfferClass::PayAsYouGo, "PAID"),
        None => {
            remarks.push(NO_RECORD.to_owned());
            (OfferClass::Other, "no plan record")
        }
    };
    let free = plan.filter(|plan| plan.kind == PlanType::Free);
    let lifecycle = free.map_or(Lifecycle::Active, |plan| lifecycle(plan, state, stamp));
    let is_known = matches!(lifecycle, Lifecycle::Active | Lifecycle::Restricted);
    if granted.is_some_and(|granted| is_more_than(plan.and_then(|plan| plan.credit), granted)) {
        remarks.push("More credit is left than AWS lists as granted.".to_owned());
    }
    Observation {
        eligible: free.is_some() && is_known,
        lifecycle,
        offer: Offer { class, native: native.to_owned() },
        acceptance: Acceptance::NotAccepted,
        benefits: plan.map(|plan| benefits(plan, granted, stamp)).unwrap_or_default(),
        trial_length: free.map(|_| LONGEST),
        source: stamp.source.clone(),
        owner: None,
        observed: stamp.observed,
        provider_time: stamp.provider_time,
        unread: Vec::new(),
        remarks,
        lapsed: false,
        handoff: None,
        closes: free.is_some(),
        deadline: free.and_then(|plan| plan.expires).and_then(|end| end.checked_add(GRACE).ok()),
    }
}

const NO_RECORD: &str = "AWS has no plan record of this account: it is older than the plans of July 2025, or a member of an \
                         organization.";

/// An account that is closed while there is something left of its benefits was closed by somebody, whatever its plan says; one
/// whose benefits have ended was closed for that, and comes back by the upgrade. Whether AWS suspends an account whose plan has
/// expired is not published, so a suspended one is left alone.
fn lifecycle(plan: &Plan, state: Option<State>, stamp: &Stamp) -> Lifecycle {
    match (plan.status, state) {
        (PlanStatus::NotStarted, _) => Lifecycle::Unknown("FREE, NOT_STARTED".to_owned()),
        (_, Some(state @ (State::Suspended | State::PendingActivation))) => Lifecycle::Unknown(state.name().to_owned()),
        (_, Some(State::Closed)) if has_something_left(plan, stamp) => Lifecycle::Closed,
        // One of the two services knows of the end before the other.
        (PlanStatus::Active, Some(State::Closed)) => Lifecycle::Unknown("ACTIVE, of a CLOSED account".to_owned()),
        (PlanStatus::Active, None | Some(State::Active)) => Lifecycle::Active,
        (PlanStatus::Expired, _) if has_something_left(plan, stamp) => {
            Lifecycle::Unknown("EXPIRED, with credit and time left".to_owned())
        }
        (PlanStatus::Expired, _) if plan.credit.is_none() && has_time_left(plan, stamp) => {
            Lifecycle::Unknown("EXPIRED, with time left, and its remaining credit is not reported".to_owned())
        }
        (PlanStatus::Expired, _) if plan.expires.is_some_and(|end| stamp.at().duration_since(end) > GRACE) => {
            Lifecycle::Closed
        }
        (PlanStatus::Expired, None | Some(State::Active | State::Closed)) => Lifecycle::Restricted,
    }
}

/// Whether there is something left of all benefits.
fn has_something_left(plan: &Plan, stamp: &Stamp) -> bool {
    plan.credit.is_some_and(|left| left.amount >= SOME) && has_time_left(plan, stamp)
}

fn has_time_left(plan: &Plan, stamp: &Stamp) -> bool {
    plan.expires.is_some_and(|end| is_ahead(end, stamp))
}

fn is_ahead(end: Timestamp, stamp: &Stamp) -> bool {
    end.duration_since(stamp.at()) > SLACK
}

fn is_more_than(left: Option<Money>, granted: Money) -> bool {
    left.is_some_and(|left| left.amount > granted.amount)
}

fn benefits(plan: &Plan, granted: Option<Money>, stamp: &Stamp) -> Vec<Benefit> {
    let source = stamp.source.clone();
    let unknown = |kind| Benefit::unknown(kind, stamp.observed, source.clone());
    let credit = Benefit {
        state: match plan.credit.map(|left| left.amount) {
            Some(left) if left.is_zero() => BenefitState::Exhausted,
            Some(_) => BenefitState::Active,
            None => BenefitState::Unknown,
        },
        granted: granted.filter(|granted| !is_more_than(plan.credit, *granted)),
        remaining: plan.credit,
        ..unknown(BenefitKind::Credit)
    };
    let period = |state, end| Benefit { state, end, ..unknown(BenefitKind::Period) };
    match (plan.kind, plan.status) {
        // What is left of the credit is kept, and is no trial's any more.
        (PlanType::Paid, _) => plan.credit.filter(|left| !left.amount.is_zero()).map(|_| credit).into_iter().collect(),
        (PlanType::Free, PlanStatus::NotStarted) => vec![credit, period(BenefitState::Unknown, plan.expires)],
        // A plan that AWS calls active is not over by its date.
        (PlanType::Free, PlanStatus::Active) => vec![credit, period(BenefitState::Active, plan.expires)],
        (PlanType::Free, PlanStatus::Expired)
            if has_time_left(plan, stamp) && plan.credit.is_none_or(|left| left.amount >= SOME) =>
        {
            vec![credit, period(BenefitState::Unknown, plan.expires)]
        }
        // A date that is still ahead is not why it has expired, and an overdraft, or less than a cent, is what may have.
        (PlanType::Free, PlanStatus::Expired) => {
            let is_used_up = plan.credit.is_some_and(|left| !left.amount.is_zero() && left.amount < SOME);
            let credit = if is_used_up { unknown(BenefitKind::Credit) } else { credit };
            vec![credit, period(BenefitState::Exhausted, plan.expires.filter(|end| !is_ahead(*end, stamp)))]
        }
    }
}
