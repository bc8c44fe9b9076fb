//! The credit of a trial: as a test declares it, and how charges use it up.

use jiff::{SignedDuration, Timestamp};
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, dec};
use serde::{Deserialize, Serialize};

const SECONDS_PER_DAY: i64 = 86_400;
const MILLIS_PER_DAY: Decimal = dec!(86_400_000);

/// The amount of money that an account starts with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Credit {
    pub(crate) amount: Decimal,
    pub(crate) currency: String,
}

/// What a meter runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// `None`: there is no credit.
    pub(crate) granted: Option<Decimal>,
    pub(crate) burn_per_day: Decimal,
}

/// What was charged.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Meter {
    spent: Decimal,
    /// The time that `spent` is about.
    spent_as_of: Timestamp,
    /// When the credit was used up.
    spent_up_at: Option<Timestamp>,
}

impl Meter {
    /// A meter that charges nothing before `start`.
    pub(crate) fn new(start: Timestamp) -> Self {
        Self { spent: Decimal::ZERO, spent_as_of: start, spent_up_at: None }
    }

    /// When the credit is used up if charges go on as they do; `None`: never.
    pub(crate) fn end(&self, terms: Terms) -> Option<Timestamp> {
        let granted = terms.granted?;
        if self.spent_up_at.is_some() {
            return self.spent_up_at;
        }
        let left = granted - self.spent;
        if left <= Decimal::ZERO {
            return Some(self.spent_as_of);
        }
        let days = left.checked_div(terms.burn_per_day)?;
        let seconds = days.checked_mul(SECONDS_PER_DAY.into())?.ceil().to_i64()?;
        Some(seconds_later(self.spent_as_of, seconds))
    }

    /// What is left of the credit, to the hundredth of a cent; `None`: there is none.
    pub(crate) fn left(&self, terms: Terms) -> Option<Decimal> {
        Some((terms.granted? - self.spent).max(Decimal::ZERO).round_dp(4))
    }

    /// When the credit was used up, if it is.
    pub(crate) fn spent_up_at(&self) -> Option<Timestamp> {
        self.spent_up_at
    }

    /// Brings the charges up to `now`. Nothing is charged after `until`.
    pub(crate) fn settle(&mut self, terms: Terms, until: Timestamp, now: Timestamp) {
        self.spent_up_at = self.end(terms).filter(|end| *end <= until);
        if let (Some(_), Some(granted)) = (self.spent_up_at, terms.granted) {
            self.spent = granted;
        } else if until > self.spent_as_of {
            let days = Decimal::from(until.as_millisecond() - self.spent_as_of.as_millisecond()) / MILLIS_PER_DAY;
            self.spent = self.spent.saturating_add(terms.burn_per_day.saturating_mul(days));
        }
        self.spent_as_of = self.spent_as_of.max(now);
    }

    /// Charges `amount` at `now`, up to which it is settled.
    pub(crate) fn charge(&mut self, terms: Terms, amount: Decimal, now: Timestamp) {
        self.spent = self.spent.saturating_add(amount);
        self.spent_up_at = self.end(terms).filter(|end| *end <= now);
    }

    /// Takes note of other terms: a credit that was used up can come back.
    pub(crate) fn revise(&mut self, terms: Terms) {
        if terms.granted.is_none_or(|granted| self.spent < granted) {
            self.spent_up_at = None;
        }
    }
}

pub(crate) fn days_later(time: Timestamp, days: u32) -> Timestamp {
    seconds_later(time, i64::from(days) * SECONDS_PER_DAY)
}

pub(crate) fn seconds_later(time: Timestamp, seconds: i64) -> Timestamp {
    // Adding an absolute duration saturates; the error is for calendar units only.
    time.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(time)
}
