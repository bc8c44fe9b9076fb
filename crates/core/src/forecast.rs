//! When the benefits are expected to be used up. An estimate: it schedules the next observation and never authorises anything.

use jiff::{SignedDuration, Timestamp};
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, dec};

use super::desired::When;
use super::inputs::Previous;
use super::money::Money;
use super::observation::Observation;
use super::offer::BenefitKind;

/// An estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// When the benefits were exhausted, if they are; otherwise when they end or are expected to be used up (billing clock).
    pub exhaustion: Option<Timestamp>,
    /// How much credit a day is used up, in the credit's currency.
    pub burn_per_day: Option<Decimal>,
    /// What a day costs after the upgrade, without credit and at the current rate of use.
    pub cost_per_day: Option<Money>,
    /// When the trigger is expected to be met (billing clock).
    pub due: Option<Timestamp>,
}

impl Forecast {
    /// The same for a month of 30 days.
    pub fn cost_per_month(&self) -> Option<Money> {
        let day = self.cost_per_day?;
        Some(Money { amount: day.amount.checked_mul(DAYS_PER_MONTH)?, ..day })
    }
}

const DAYS_PER_MONTH: Decimal = dec!(30);

const SECONDS_PER_DAY: i64 = 86_400;
/// The least between two readings of the credit that tell how fast it is used up. In less, the last digit of an amount would
/// make a fortune a day, or nothing.
const LEAST_SECONDS: i64 = 5 * 60;

/// The forecast from this observation and the one before it, for a Subscription that waits for the trigger `when`.
pub fn forecast(previous: &Previous, seen: &Observation, when: Option<&When>) -> Option<Forecast> {
    let burn_per_day = burn(previous, seen).map(|burn| burn.round_dp(4));
    let exhaustion = exhausted_at(previous, seen).or_else(|| {
        let spent = burn_per_day.and_then(|burn| spent_at(seen, Decimal::ZERO, burn));
        seen.period_end().into_iter().chain(spent).min()
    });
    let due = when.and_then(|when| due(when, seen, exhaustion, burn_per_day));
    let currency = seen.benefit(BenefitKind::Credit).and_then(|credit| credit.remaining).map(|left| left.currency);
    // The credit is charged at the prices that hold after it.
    let cost_per_day = burn_per_day.zip(currency).map(|(amount, currency)| Money { amount, currency });
    let is_known = exhaustion.is_some() || burn_per_day.is_some();
    is_known.then_some(Forecast { exhaustion, burn_per_day, cost_per_day, due })
}

/// When the benefits were exhausted, if they are: as status remembers it; otherwise the end that has passed, or now.
fn exhausted_at(previous: &Previous, seen: &Observation) -> Option<Timestamp> {
    let exhausted = seen.benefits.iter().filter(|benefit| benefit.is_exhausted(seen.observed));
    let first = exhausted.map(|benefit| benefit.end.map_or(seen.observed, |end| end.min(seen.observed))).min()?;
    Some(previous.exhausted_since.map_or(first, |since| since.min(seen.observed)))
}

fn due(when: &When, seen: &Observation, exhaustion: Option<Timestamp>, burn: Option<Decimal>) -> Option<Timestamp> {
    let limits = match when {
        When::BenefitsExhausted => return exhaustion,
        When::BeforeExhaustion(limits) => limits,
        When::Immediately | When::Never => return None,
    };
    let by_time = limits.time_left.zip(seen.period_end()).and_then(|(left, end)| end.checked_sub(left).ok());
    let left = seen.benefit(BenefitKind::Credit).and_then(|credit| credit.remaining);
    let limit = limits.credit_below.filter(|limit| left.is_some_and(|left| left.currency == limit.currency));
    let by_credit = limit.zip(burn).and_then(|(limit, burn)| spent_at(seen, limit.amount, burn));
    [exhaustion, by_time, by_credit].into_iter().flatten().min()
}

/// The credit used up a day between the two observations, averaged with the former estimate.
fn burn(previous: &Previous, seen: &Observation) -> Option<Decimal> {
    let credit = seen.benefit(BenefitKind::Credit)?;
    let left = credit.remaining?;
    let former = previous.observation.as_ref()?.benefits.iter().find(|benefit| benefit.kind == BenefitKind::Credit)?;
    let before = former.remaining.filter(|before| before.currency == left.currency)?;
    let seconds = credit.as_of.duration_since(former.as_of).as_secs();
    // Without credit, nothing shows how fast it would be used up.
    let is_spent = before.amount <= Decimal::ZERO && left.amount <= Decimal::ZERO;
    if seconds < LEAST_SECONDS || is_spent {
        return previous.burn_per_day;
    }
    let used = before.amount.checked_sub(left.amount)?;
    let rate =
        used.checked_mul(Decimal::from(SECONDS_PER_DAY))?.checked_div(Decimal::from(seconds))?.max(Decimal::ZERO);
    match previous.burn_per_day {
        Some(former) => rate.checked_add(former)?.checked_div(Decimal::TWO),
        None => Some(rate),
    }
}

/// When no more than `limit` of the credit is left.
fn spent_at(seen: &Observation, limit: Decimal, burn: Decimal) -> Option<Timestamp> {
    let credit = seen.benefit(BenefitKind::Credit)?;
    let above = credit.remaining?.amount.checked_sub(limit)?;
    let seconds = above.checked_mul(Decimal::from(SECONDS_PER_DAY))?.checked_div(burn)?.to_i64()?;
    credit.as_of.checked_add(SignedDuration::from_secs(seconds.max(0))).ok()
}
