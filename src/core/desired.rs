//! What the manifest asks for.

use jiff::{SignedDuration, Timestamp};

use super::account::AccountId;
use super::money::Money;
use super::observation::DeclaredTrial;

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

/// Why an account is neither looked at nor upgraded.
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub const fn name(&self) -> &'static str {
        match self {
            Self::BenefitsExhausted => "BenefitsExhausted",
            Self::BeforeExhaustion(_) => "BeforeExhaustion",
            Self::Immediately => "Immediately",
            Self::Never => "Never",
        }
    }
}

/// Who says yes to an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalMode {
    /// The manifest itself.
    Automatic,
    /// An `UpgradeApproval`.
    Manual,
}

/// A Subscription that asks for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// When it was created.
    pub created: Timestamp,
    /// Whether it has itself seen the account: its credentials are good for it.
    pub has_observed: bool,
}

impl Claimant {
    /// Whether this claim goes before `other`'s: the older one, by uid when they are of the same second.
    pub fn precedes(&self, other: &Self) -> bool {
        (self.created, &self.uid) < (other.created, &other.uid)
    }
}
