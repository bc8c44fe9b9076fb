//! Whether the benefits are used up far enough for an upgrade. Only what a provider reports, or a date that it reported
//! or the user declared, counts; and it must show twice: in the observation that status remembers and in the one just made.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use super::desired::{Limits, When};
use super::money::Money;
use super::observation::{Lifecycle, Observation, PastObservation};
use super::offer::{Benefit, BenefitKind, BenefitState};

/// Why an upgrade is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No credit is left.
    CreditSpent,
    /// The trial's time is over.
    PeriodOver,
    /// The free services are used up.
    ServicesOver,
    /// Less credit is left than the manifest's limit.
    CreditBelowLimit,
    /// Less time is left than the manifest's limit.
    TimeBelowLimit,
    /// The manifest asks for it at once.
    Asked,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreditSpent => "the credit is spent",
            Self::PeriodOver => "the trial's period is over",
            Self::ServicesOver => "the free services are used up",
            Self::CreditBelowLimit => "less credit is left than `creditBelow`",
            Self::TimeBelowLimit => "less time is left than `timeLeftSeconds`",
            Self::Asked => "`when: Immediately` requests it",
        })
    }
}

/// The observation that justifies an upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Why.
    pub cause: Cause,
    /// When it was seen (billing clock).
    pub observed: Timestamp,
    /// What was seen, for people.
    pub summary: String,
}

/// Something that a trigger needs and that was not reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Neither an end nor an amount of any benefit.
    AnyEnd,
    /// The credit left.
    CreditLeft,
    /// The credit left in this currency: the provider counts in another one.
    CreditIn(Money),
    /// The end of the period.
    PeriodEnd,
    /// The benefit of this kind has a number that no benefit can have.
    Odd(BenefitKind),
    /// Which of two contradicting reports is right.
    Which(Contradiction),
}

/// Two reports that cannot both be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// The credit is used up by the provider's word, and this much is left by its figure.
    SpentWithCreditLeft(Money),
    /// The period is over by a word without a date, and this much of the credit is left.
    OverWithCreditLeft(Money),
    /// The period is over by the provider's word, and its end is still to come.
    OverBeforeItsEnd(Timestamp),
    /// The period is over by a word without a date, and the account works.
    OverWhileItWorks,
}

/// What the trigger says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriggerState {
    /// It is time, beyond doubt.
    Yes(Evidence),
    /// It is not time, or not beyond doubt.
    NotYet(NotYet),
    /// What the trigger needs is not known.
    Unknown(Vec<Missing>),
}

/// Why it is not time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotYet {
    /// There is something left.
    Left,
    /// It shows for the first time; a second read must confirm it.
    Unconfirmed(Cause),
    /// This observation follows so soon on the one before it that both may be one odd answer.
    TooSoon(Cause),
    /// This observation is older than the one before it: stale, or a clock went back.
    WentBack,
    /// The provider's clock and ours differ too much to trust a date.
    ClocksDiffer,
    /// The end has passed, and the provider does not say that the benefit is over: what it says of its state goes on.
    PastItsEnd,
}

/// The least between two observations that count as two (billing clock). What wakes a reconcile early, such as a change of the manifest,
/// does not make one odd answer of the provider two.
pub const MIN_OBSERVATION_GAP: SignedDuration = SignedDuration::from_secs(5);

/// From when on a difference of the clocks is said.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_hours(1);

/// What one observation says of the trigger.
enum Reading {
    Met(Cause),
    NotMet,
    Unknown(Vec<Missing>),
}

/// Whether `when` requests an upgrade, given the `previous` observation and the `observation` just made.
pub fn evaluate(when: &When, previous: Option<&PastObservation>, observation: &Observation) -> TriggerState {
    let limits = match when {
        // An account that somebody had stopped a moment ago is no trial because one observation does not show it.
        When::Immediately if previous.is_some_and(|past| !past.eligible) => {
            return TriggerState::NotYet(NotYet::Unconfirmed(Cause::Asked));
        }
        When::Immediately => return TriggerState::Yes(evidence(Cause::Asked, observation)),
        When::Never => return TriggerState::NotYet(NotYet::Left),
        When::BenefitsExhausted => None,
        When::BeforeExhaustion(limits) => Some(limits),
    };
    // A date has passed when it has by the provider's clock as well as by ours: neither alone ends a trial.
    let at = observation.provider_time.map_or(observation.observed, |theirs| theirs.min(observation.observed));
    if let Some(contradiction) = contradiction_of(observation) {
        return TriggerState::Unknown(vec![Missing::Which(contradiction)]);
    }
    let cause = match read(limits, &observation.benefits, at) {
        Reading::Met(cause) => cause,
        Reading::NotMet if by_our_clock_alone(limits, observation) => {
            return TriggerState::NotYet(NotYet::ClocksDiffer);
        }
        Reading::NotMet if observation.benefits.iter().any(|benefit| benefit.is_past_its_end(at)) => {
            return TriggerState::NotYet(NotYet::PastItsEnd);
        }
        Reading::NotMet => return TriggerState::NotYet(NotYet::Left),
        Reading::Unknown(missing) => return TriggerState::Unknown(missing),
    };
    match previous {
        Some(past) if went_back(past, observation) => TriggerState::NotYet(NotYet::WentBack),
        Some(past) if observation.observed.duration_since(past.observed) < MIN_OBSERVATION_GAP => {
            TriggerState::NotYet(NotYet::TooSoon(cause))
        }
        Some(past) if cause == Cause::CreditBelowLimit && is_same_credit(past, observation) => {
            TriggerState::NotYet(NotYet::Unconfirmed(cause))
        }
        Some(past)
            if past.eligible
                && contradiction(&past.benefits, past.observed).is_none()
                && matches!(read(limits, &past.benefits, past.observed), Reading::Met(_)) =>
        {
            TriggerState::Yes(evidence(cause, observation))
        }
        _ => TriggerState::NotYet(NotYet::Unconfirmed(cause)),
    }
}

/// What in `observation` contradicts what else is in it.
fn contradiction_of(observation: &Observation) -> Option<Contradiction> {
    // By the later clock: while one of them has passed a date, it is the clocks that differ.
    let latest = observation.provider_time.map_or(observation.observed, |theirs| theirs.max(observation.observed));
    let works = matches!(observation.lifecycle, Lifecycle::Active | Lifecycle::Warned);
    contradiction(&observation.benefits, latest).or_else(|| {
        let by_word = observation.benefits.iter().any(Benefit::is_over_by_word_alone);
        (works && by_word).then_some(Contradiction::OverWhileItWorks)
    })
}

/// Which two of the `benefits`' facts contradict each other at `latest`.
fn contradiction(benefits: &[Benefit], latest: Timestamp) -> Option<Contradiction> {
    let of = |kind| benefits.iter().find(|benefit| benefit.kind == kind);
    let credit = of(BenefitKind::Credit);
    let left = credit.and_then(|credit| credit.remaining).filter(|left| left.amount > Decimal::ZERO);
    if let (Some(BenefitState::Exhausted), Some(left)) = (credit.map(|credit| credit.state), left) {
        return Some(Contradiction::SpentWithCreditLeft(left));
    }
    let period = of(BenefitKind::Period).filter(|period| period.state == BenefitState::Exhausted)?;
    match (period.end, left) {
        (Some(end), _) => (end > latest).then_some(Contradiction::OverBeforeItsEnd(end)),
        (None, Some(left)) => Some(Contradiction::OverWithCreditLeft(left)),
        (None, None) => None,
    }
}

fn read(limits: Option<&Limits>, benefits: &[Benefit], at: Timestamp) -> Reading {
    if let Some(odd) = benefits.iter().find(|benefit| benefit.is_odd()) {
        return Reading::Unknown(vec![Missing::Odd(odd.kind)]);
    }
    // In a fixed order, so that the order of the list does not matter.
    let kinds = [
        (BenefitKind::Credit, Cause::CreditSpent),
        (BenefitKind::Period, Cause::PeriodOver),
        (BenefitKind::FreeServices, Cause::ServicesOver),
    ];
    for (kind, cause) in kinds {
        if benefits.iter().any(|benefit| benefit.kind == kind && benefit.is_exhausted(at)) {
            return Reading::Met(cause);
        }
    }
    match limits {
        Some(limits) => read_limits(limits, benefits, at),
        None if benefits.iter().any(Benefit::can_be_watched) => Reading::NotMet,
        None => Reading::Unknown(vec![Missing::AnyEnd]),
    }
}

fn read_limits(limits: &Limits, benefits: &[Benefit], at: Timestamp) -> Reading {
    let mut missing = Vec::new();
    if let Some(limit) = limits.credit_below {
        let left =
            benefits.iter().find(|benefit| benefit.kind == BenefitKind::Credit).and_then(|credit| credit.remaining);
        match left {
            Some(left) if left.currency != limit.currency => missing.push(Missing::CreditIn(limit)),
            Some(left) if left.amount < limit.amount => return Reading::Met(Cause::CreditBelowLimit),
            Some(_) => {}
            None => missing.push(Missing::CreditLeft),
        }
    }
    if let Some(limit) = limits.time_left {
        // An end that has passed without effect says nothing about how much time is left.
        let (past, ahead): (Vec<_>, Vec<_>) = benefits.iter().partition(|benefit| benefit.is_past_its_end(at));
        match ahead.iter().filter_map(|benefit| benefit.end).min() {
            Some(end) if end.duration_since(at) <= limit => return Reading::Met(Cause::TimeBelowLimit),
            Some(_) => {}
            None if !past.is_empty() => {}
            None => missing.push(Missing::PeriodEnd),
        }
    }
    if missing.is_empty() { Reading::NotMet } else { Reading::Unknown(missing) }
}

/// Whether the trigger is met by our clock, and the provider's is so far behind that somebody must look at one of them.
fn by_our_clock_alone(limits: Option<&Limits>, observation: &Observation) -> bool {
    observation.provider_time.is_some_and(|theirs| observation.observed.duration_since(theirs) > CLOCKS_DIFFER)
        && matches!(read(limits, &observation.benefits, observation.observed), Reading::Met(_))
}

fn went_back(past: &PastObservation, observation: &Observation) -> bool {
    observation.observed < past.observed
        || observation.benefits.iter().any(|benefit| {
            past.benefits.iter().any(|former| former.kind == benefit.kind && benefit.as_of < former.as_of)
        })
}

/// Whether the credit left is remembered from the observation before: one reading is not two.
fn is_same_credit(past: &PastObservation, observation: &Observation) -> bool {
    if !observation.lapsed {
        return false;
    }
    let former = past.benefits.iter().find(|benefit| benefit.kind == BenefitKind::Credit);
    observation.benefit(BenefitKind::Credit).zip(former).is_some_and(|(now, former)| now.as_of == former.as_of)
}

fn evidence(cause: Cause, observation: &Observation) -> Evidence {
    let mut seen: Vec<_> = observation.benefits.iter().map(describe).collect();
    seen.sort();
    let summary = format!(
        "{cause}; the account is {} on {} ({}); {}",
        observation.lifecycle.name(),
        observation.offer.class,
        observation.offer.native,
        if seen.is_empty() { "no benefits are reported".to_owned() } else { seen.join("; ") },
    );
    Evidence { cause, observed: observation.observed, summary }
}

fn describe(benefit: &Benefit) -> String {
    let left = benefit.remaining.map_or_else(String::new, |left| format!(", {left} left"));
    let end = benefit.end.map_or_else(String::new, |end| format!(", ends {end}"));
    let (kind, state) = (benefit.kind.name(), benefit.state.name());
    format!("{kind} {state}{left}{end} (as of {}, by {})", benefit.as_of, benefit.source.name())
}
