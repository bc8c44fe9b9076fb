//! What the manifest asks for.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::account::AccountId;
use super::inputs::Now;
use super::money::Money;

/// The spec of a Subscription, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// The account. The offer that it should be on is pay-as-you-go: there is no other yet.
    pub account: AccountId,
    /// The name of the BillingProvider.
    pub provider_name: String,
    /// When to upgrade.
    pub when: When,
    /// Who says yes.
    pub approval: ApprovalMode,
    /// What the user declares about the trial.
    pub trial: DeclaredTrial,
    /// Hands off, and why.
    pub suspend: Option<Suspension>,
}

/// What a user declares about a trial because the provider does not report it: `spec.trial`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredTrial {
    /// When the trial began.
    pub start: Option<Timestamp>,
    /// When it ends.
    pub end: Option<Timestamp>,
    /// The credit at the start.
    pub credit: Option<Money>,
}

/// Why an account is neither observed nor upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspension {
    /// The manifest asks for it.
    Manifest,
    /// The Subscription is being deleted: who deletes it has withdrawn the wish, whatever keeps the object.
    Deletion,
    /// Its namespace is being deleted, and with it, in any order, what people have said about the upgrade.
    NamespaceDeletion,
}

/// When to upgrade.
#[derive(Clone, Debug, PartialEq, Eq, strum::IntoStaticStr)]
pub enum When {
    /// Once the benefits are used up.
    BenefitsExhausted,
    /// Shortly before: whichever limit is reached first.
    BeforeExhaustion(Limits),
    /// At once; the provider keeps what is left of the benefits.
    Immediately,
    /// Only look.
    Never,
}

/// How little may be left before an upgrade. At least one limit is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Upgrade when less credit than this is left.
    pub credit_below: Option<Money>,
    /// Upgrade when less time than this is left.
    pub time_left: Option<SignedDuration>,
}

impl When {
    /// The name in a manifest.
    pub fn name(&self) -> &'static str {
        self.into()
    }
}

/// Who says yes to an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
pub enum ApprovalMode {
    /// The manifest itself.
    Automatic,
    /// An `UpgradeApproval`.
    Manual,
}

/// A Subscription that asks for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// When it was created.
    pub created: Timestamp,
    /// What in its manifest, or of its end, makes it claim nothing.
    pub yields: Option<Lapse>,
    /// Whether its own credentials show it the account.
    pub sight: Sight,
}

/// Whether a Subscription sees its account, according to its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// No observation has succeeded yet.
    Never,
    /// The last observation succeeded.
    Clear {
        /// When the account was seen last (billing clock); `None` if nothing of it was kept, as another one has the account.
        last: Option<Timestamp>,
    },
    /// Looks succeeded once and fail now.
    Lost {
        /// Since when they fail (wall clock).
        since: Timestamp,
    },
}

/// Why a Subscription that names an account does not claim it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// It is suspended, or it or its namespace is being deleted.
    Suspended(Suspension),
    /// It only observes: `when: Never`.
    Observes,
    /// It has never seen the account, so it never had a claim.
    NeverSeen,
    /// Its observations have failed for too long.
    ObservationsFail,
    /// It has not been observed for too long.
    NotObserved,
}

/// For how long a claim outlives observations that fail (wall clock): as long as a status is believed without an observation.
pub const CLAIM_WITHOUT_SIGHT: Duration = Duration::from_hours(1);
/// How old the last observation behind a claim may be (billing clock). Planned ones are a day apart at most, so something keeps the
/// operator from making them, or from writing what it has seen.
const CLAIM_WITHOUT_OBSERVATIONS: Duration = Duration::from_hours(7 * 24);

impl Claimant {
    /// Whether this claim goes before `other`'s: the older one, by uid when they are of the same second.
    pub fn precedes(&self, other: &Self) -> bool {
        (self.created, &self.uid) < (other.created, &other.uid)
    }

    /// Why it does not claim the account at `now`; `None` if it does.
    pub fn lapse(&self, now: Now) -> Option<Lapse> {
        let is_over = |since: Timestamp, bound, now| since.saturating_add(bound).is_ok_and(|end| end <= now);
        match self.sight {
            Sight::Never | Sight::Clear { last: None } => Some(Lapse::NeverSeen),
            Sight::Clear { last: Some(last) } => {
                self.yields.or(is_over(last, CLAIM_WITHOUT_OBSERVATIONS, now.billing).then_some(Lapse::NotObserved))
            }
            Sight::Lost { since } => {
                self.yields.or(is_over(since, CLAIM_WITHOUT_SIGHT, now.wall).then_some(Lapse::ObservationsFail))
            }
        }
    }

    /// Whether it would have the account if nobody went before it: it wants it, and its last observation succeeded.
    pub const fn is_able(&self) -> bool {
        self.yields.is_none() && matches!(self.sight, Sight::Clear { .. })
    }
}
