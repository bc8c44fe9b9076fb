//! The commercial terms in force, and what they grant for free.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::money::Money;
use super::source::Source;

/// What kind of terms an account is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::Display, strum::IntoStaticStr)]
pub enum OfferClass {
    /// A trial whose benefits end.
    FreeTrial,
    /// Pay for what is used.
    PayAsYouGo,
    /// An enterprise or other agreement with a commitment.
    Commitment,
    /// Known, and none of the above.
    Other,
    /// Not known to this version.
    Unknown,
}

impl OfferClass {
    /// The name in status and records.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The offer that an account is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What decisions are made on.
    pub class: OfferClass,
    /// The provider's own id of the offer, verbatim, such as `FreeTrial_2014-09-01`.
    pub native: String,
}

/// What a benefit is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, strum::EnumString, strum::IntoStaticStr)]
pub enum BenefitKind {
    /// An amount of money to spend.
    Credit,
    /// A number of days.
    Period,
    /// Quotas of services that cost nothing.
    FreeServices,
}

impl BenefitKind {
    /// The name in status.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The kind that status calls `name`.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// How far a benefit is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::EnumString, strum::IntoStaticStr)]
pub enum BenefitState {
    /// Granted and not used up.
    Active,
    /// Used up or over: the provider says so, or a date that it reported or the user declared has passed.
    Exhausted,
    /// Not reported.
    Unknown,
}

impl BenefitState {
    /// The name in status.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The state that status calls `name`; a name of another version is `Unknown`.
    pub fn parse(name: &str) -> Self {
        name.parse().unwrap_or(Self::Unknown)
    }
}

/// Something that is granted for free and ends. There is at most one of each kind; several of one kind are summed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Benefit {
    /// What it is made of.
    pub kind: BenefitKind,
    /// How far it is used.
    pub state: BenefitState,
    /// The credit at the start, where known.
    pub granted: Option<Money>,
    /// The credit left, where known. A negative amount is odd, and blocks every action.
    pub remaining: Option<Money>,
    /// When it ends at the latest, where known (billing clock).
    pub end: Option<Timestamp>,
    /// The billing time that the values are of.
    pub as_of: Timestamp,
    /// The APIs that reported it.
    pub source: Source,
}

impl Benefit {
    /// A benefit with only its kind and source known.
    pub fn unknown(kind: BenefitKind, as_of: Timestamp, source: Source) -> Self {
        Self { kind, state: BenefitState::Unknown, granted: None, remaining: None, end: None, as_of, source }
    }

    /// Whether it is used up at `now`, beyond doubt. A contradiction is doubt.
    pub fn is_exhausted(&self, now: Timestamp) -> bool {
        self.state == BenefitState::Exhausted
            && self.remaining.is_none_or(|left| left.amount == Decimal::ZERO)
            && (self.kind != BenefitKind::Period || self.end.is_none_or(|end| end <= now))
    }

    /// Whether it is a period that the provider calls over, without an end date.
    pub fn is_over_by_word_alone(&self) -> bool {
        self.kind == BenefitKind::Period && self.state == BenefitState::Exhausted && self.end.is_none()
    }

    /// Whether its end has passed at `now`, but the provider says that it goes on, or does not say that it
    /// is over.
    pub fn is_past_its_end(&self, now: Timestamp) -> bool {
        self.state != BenefitState::Exhausted && self.end.is_some_and(|end| end <= now)
    }

    /// Whether it has a number that no benefit can have.
    pub fn is_odd(&self) -> bool {
        self.remaining.is_some_and(|left| left.amount < Decimal::ZERO)
    }

    /// Whether it has something that shows when it will be used up: an end, or an amount that can be watched.
    pub fn can_be_watched(&self) -> bool {
        !self.is_odd() && (self.end.is_some() || self.remaining.is_some())
    }
}
