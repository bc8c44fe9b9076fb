//! What a provider said about an account, and when.

use jiff::{SignedDuration, Timestamp};

use super::desired::DeclaredTrial;
use super::offer::{Benefit, BenefitKind, BenefitState, Offer, OfferClass};
use super::source::{Origin, Source};

/// Whether the account works.
#[derive(Clone, Debug, PartialEq, Eq, strum::IntoStaticStr)]
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
    pub fn name(&self) -> &'static str {
        self.into()
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

/// Something that the credentials may not read, so that less is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// What it is, such as "the billing property".
    pub what: String,
    /// What to grant, such as a permission and a role that has it.
    pub permission: String,
}

/// How a person upgrades an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handoff {
    /// Where.
    pub url: String,
    /// What the person needs: their role, a payment card, a phone.
    pub needs: String,
}

/// One observation of an account.
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
    /// The APIs that reported the account's state and offer.
    pub source: Source,
    /// The tenant or organisation that owns the account.
    pub owner: Option<String>,
    /// The billing time of this observation.
    pub observed: Timestamp,
    /// The time by the provider's own clock, where it reported one.
    pub provider_time: Option<Timestamp>,
    /// What could not be read for lack of a permission.
    pub unread: Vec<Unread>,
    /// What else was odd or could not be read, for people: a sentence each. Nothing is decided on it.
    pub remarks: Vec<String>,
    /// Whether the credit left could not be read this time, and may be at another.
    pub lapsed: bool,
    /// How a person upgrades the account, where one can.
    pub handoff: Option<Handoff>,
    /// Whether the provider closes the account when its benefits are used up, so that an upgrade after that comes late.
    pub closes: bool,
    /// Until when an account that has stopped can be upgraded, where the provider publishes that (billing clock).
    pub deadline: Option<Timestamp>,
}

/// What a former pass saw, as status remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastObservation {
    /// The benefits as they were.
    pub benefits: Vec<Benefit>,
    /// When (billing clock).
    pub observed: Timestamp,
    /// Whether the account was on a trial, and in a state that this version knows and nobody chose. What an observation shows of
    /// any other account is no evidence.
    pub eligible: bool,
    /// Whether the account was closed for good.
    pub closed: bool,
    /// The APIs that reported the account's state and offer, where that was remembered.
    pub source: Option<Source>,
}

/// The whole second in which `time` is.
pub fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

const NEARLY_A_SECOND: SignedDuration = SignedDuration::from_nanos(999_999_999);

/// For how long the credit left is remembered while it cannot be read.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

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

    /// This observation, with its times in whole seconds, as status remembers them: the same answer read twice is not newer.
    #[must_use]
    pub fn in_whole_seconds(mut self) -> Self {
        self.observed = whole_second(self.observed);
        self.provider_time = self.provider_time.map(whole_second);
        self.deadline = self.deadline.map(whole_second);
        for benefit in &mut self.benefits {
            benefit.as_of = whole_second(benefit.as_of);
            // Never over before it is.
            benefit.end = benefit.end.map(|end| whole_second(end.saturating_add(NEARLY_A_SECOND).unwrap_or(end)));
        }
        self
    }

    /// This observation, with what `past` showed and it cannot show.
    ///
    /// An account that was closed is closed until it works again: that somebody closed it does not show any more once its
    /// benefits have ended as well. And the credit left is as it was if it could not be read this time: for a day, as billing
    /// data is often as old. It keeps its time, so that it is not taken for a second observation of it.
    #[must_use]
    pub fn remembering(mut self, past: &PastObservation) -> Self {
        let works =
            matches!(self.lifecycle, Lifecycle::Active | Lifecycle::Warned) && self.offer.class != OfferClass::Other;
        if past.closed && !works && self.offer.class != OfferClass::PayAsYouGo {
            self.lifecycle = Lifecycle::Closed;
        }
        let of_credit = |benefit: &&Benefit| benefit.kind == BenefitKind::Credit && benefit.remaining.is_some();
        let Some(past) = past.benefits.iter().find(of_credit).filter(|_| self.lapsed) else { return self };
        let is_old = self.observed.duration_since(past.as_of) > REMEMBERED;
        // A benefit that is over does not come back because an earlier reading had some left.
        let is_off = self.lifecycle == Lifecycle::Restricted;
        let credit = self.benefits.iter_mut().find(|benefit| benefit.kind == BenefitKind::Credit);
        let missing = credit.filter(|credit| credit.remaining.is_none() && !is_old);
        if let Some(credit) = missing.filter(|credit| credit.state != BenefitState::Exhausted || !is_off) {
            (credit.remaining, credit.as_of, credit.source) = (past.remaining, past.as_of, past.source.clone());
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
        let unknown = Benefit::unknown(BenefitKind::Period, self.observed, Source::from([Origin::Declared]));
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
