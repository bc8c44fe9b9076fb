//! What a provider said about an account, and when.

use jiff::{SignedDuration, Timestamp};

use super::offer::{Benefit, BenefitKind, BenefitState, Offer, OfferClass, Source};

/// Whether the account works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// It works.
    Active,
    /// It works for now; the provider has warned.
    Warned,
    /// Machines are off or writes refused; it can come back.
    Restricted,
    /// Deleted, or closed for good.
    Closed,
    /// A state in which nothing is done: one that this version does not know, or one that somebody chose, such as a
    /// cancellation; as the provider calls it.
    Unknown(String),
}

impl Lifecycle {
    /// The name in status.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Warned => "Warned",
            Self::Restricted => "Restricted",
            Self::Closed => "Closed",
            Self::Unknown(_) => "Unknown",
        }
    }
}

/// How far an upgrade has come, as the account itself shows it. (*Converted* is the offer's class.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// No upgrade has been accepted.
    NotAccepted,
    /// The provider took an upgrade; the offer changes later.
    Accepted,
    /// A value that this version does not know, verbatim.
    Unclear(String),
}

/// One look at an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Whether the account works.
    pub lifecycle: Lifecycle,
    /// The offer in force.
    pub offer: Offer,
    /// Whether there is a way from this offer to pay-as-you-go.
    pub eligible: bool,
    /// How far an upgrade has come.
    pub acceptance: Acceptance,
    /// What is granted for free, at most one of each kind. It is used up as soon as one of them is.
    pub benefits: Vec<Benefit>,
    /// How long a trial of this offer lasts by its published terms, to complete a declared start.
    pub trial_length: Option<SignedDuration>,
    /// The tenant or organisation that owns the account.
    pub owner: Option<String>,
    /// The billing time of this look.
    pub observed: Timestamp,
    /// The time by the provider's own clock, where it told.
    pub provider_time: Option<Timestamp>,
}

/// What a user declares about a trial because the provider does not report it: `spec.trial`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredTrial {
    /// When the trial began.
    pub start: Option<Timestamp>,
    /// When it ends.
    pub end: Option<Timestamp>,
    /// The credit at the start.
    pub credit: Option<super::money::Money>,
}

impl Observation {
    /// This observation, with the user's declaration where the provider is silent. What a provider reports always wins;
    /// what was declared of a trial says nothing of the offer after it.
    #[must_use]
    pub fn completed_by(mut self, declared: &DeclaredTrial) -> Self {
        if self.offer.class == OfferClass::PayAsYouGo {
            return self;
        }
        let end = declared.end.or_else(|| declared.start?.checked_add(self.trial_length?).ok());
        if let Some(end) = end {
            self.declare_end(end);
        }
        if let Some(credit) = self.benefits.iter_mut().find(|benefit| benefit.kind == BenefitKind::Credit) {
            credit.granted = credit.granted.or(declared.credit);
        }
        self
    }

    fn declare_end(&mut self, end: Timestamp) {
        if self.benefits.iter().any(|benefit| benefit.kind == BenefitKind::Period && benefit.end.is_some()) {
            return;
        }
        // What the provider said about the state without a date stays, unless it said nothing.
        let reported =
            self.benefits.iter().find(|benefit| benefit.kind == BenefitKind::Period).map(|period| period.state);
        let state = match reported {
            Some(BenefitState::Exhausted) => return,
            // The provider says that it goes on: the declaration must be wrong.
            Some(BenefitState::Active) if end <= self.observed => BenefitState::Unknown,
            _ if end <= self.observed => BenefitState::Exhausted,
            _ => BenefitState::Active,
        };
        self.benefits.retain(|benefit| benefit.kind != BenefitKind::Period);
        let unknown = Benefit::unknown(BenefitKind::Period, self.observed, Source::Declared);
        self.benefits.push(Benefit { state, end: Some(end), ..unknown });
    }

    /// When a benefit ends at the latest, by the earliest end known.
    pub fn period_end(&self) -> Option<Timestamp> {
        self.benefits.iter().filter_map(|benefit| benefit.end).min()
    }

    /// The benefit of `kind`.
    pub fn benefit(&self, kind: BenefitKind) -> Option<&Benefit> {
        self.benefits.iter().find(|benefit| benefit.kind == kind)
    }
}
