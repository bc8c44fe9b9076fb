//! What was decided, and how to say it. A verdict is data; reason, readiness and message follow from it.

use jiff::Timestamp;

use super::approval::{Approval, Untrusted};
use super::desired::{Claimant, Lapse, Suspension};
use super::observation::Unread;
use super::offer::Offer;
use super::provider::{Operation, ProviderError};
use super::reason::Reason;
use super::trigger::{Missing, NotYet};

/// The outcome of a decision: a row of the decision table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Hands off, as the manifest asks or because what would allow an upgrade is being deleted.
    Suspended(Suspension),
    /// The provider object, its credentials or a permission is missing.
    ProviderNotReady {
        /// What is missing.
        problem: ProviderError,
        /// Whether it has been so for longer than one commit takes to arrive.
        stalled: bool,
    },
    /// The credentials or the answer are of another account.
    WrongAccount {
        /// Whose they are.
        found: String,
    },
    /// An older Subscription has the account.
    AccountConflict(Claimant),
    /// No observation of the account succeeded in this reconcile.
    Unobserved {
        /// Why not.
        error: ProviderError,
        /// For how long.
        since: Unobserved,
    },
    /// The account is deleted or closed for good.
    AccountClosed,
    /// The account is on the desired offer.
    OfferInPlace(Offer),
    /// The provider has accepted the upgrade; the offer changes when the benefits end.
    UpgradeAccepted {
        /// When they end, where known.
        end: Option<Timestamp>,
    },
    /// The offer should have changed by now.
    ConversionOverdue {
        /// Since when the upgrade has been accepted.
        since: Timestamp,
    },
    /// A call may have been made; the account is being watched.
    VerifyingUpgrade {
        record: String,
        /// Until when it is only watched (wall clock).
        settled_at: Timestamp,
        /// Whether the provider took the request, so far as is known.
        accepted: bool,
        /// How far it has come by the provider's word, where it was asked.
        operation: Option<Operation>,
    },
    /// A person must decide.
    UpgradeUnresolved {
        record: String,
        /// The attempt that a Retry must name.
        attempt: u32,
        /// Why: the rest of a sentence that begins with "because".
        why: Option<String>,
        /// The transition to name in a Retry, where there is one.
        hash: Option<String>,
    },
    /// A person has said Retry, and something else keeps the upgrade from being asked for again.
    RetryHeld {
        record: String,
        /// What keeps it.
        by: Box<Verdict>,
    },
    /// The ledger says that the account was upgraded, and the account says that it was not.
    UpgradeContradicted { record: String },
    /// The manifest asks only to look.
    Observing,
    /// There is no way from the offer in force to the desired one.
    NotEligible {
        /// Why not.
        why: NotEligible,
        /// What might tell more.
        unread: Vec<Unread>,
    },
    /// A Deny stands.
    UpgradeDenied(Approval),
    /// What the trigger needs is not known.
    BenefitsUnknown {
        /// What it is.
        missing: Vec<Missing>,
        /// What might tell more.
        unread: Vec<Unread>,
    },
    /// There is something left to use.
    WaitingForExhaustion {
        /// Why it is not time.
        not_yet: NotYet,
        /// When the trigger is expected to be met, where known.
        expected: Option<Timestamp>,
        /// Whether the provider closes the account before the upgrade, as the manifest asks for it.
        closes: bool,
    },
    /// Somebody must say yes.
    AwaitingApproval {
        /// To the transition with this hash.
        hash: String,
        /// The name of an Approve of the same transition by a hash of a former format, which does not count.
        former: Option<String>,
    },
    /// Somebody may have said yes, but nothing made sure that it was who it says, and that they may.
    ApprovalPolicyMissing(Untrusted),
    /// A person must do it in the provider's portal.
    AwaitingPortalUpgrade {
        /// Where.
        url: String,
        /// What they need.
        needs: String,
    },
    /// The provider refused the last attempt.
    UpgradeRejected {
        /// What it said to this Subscription, or that another one was refused.
        message: String,
        /// When the next attempt is due (wall clock); `None` if this namespace makes no more.
        next: Option<Timestamp>,
    },
    /// All is clear, and the operator's own settings hold it back.
    UpgradeHeld(Held),
    /// All clear.
    Upgrading,
    /// All clear, and the ledger cannot be written, without which nothing is asked for.
    LedgerUnavailable {
        /// What the API server said.
        detail: String,
    },
}

/// For how long no observation has succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unobserved {
    /// None has ever.
    Always,
    /// Not for long.
    Lately,
    /// For longer than a status may be believed.
    TooLong,
}

/// Why there is no way to the desired offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotEligible {
    /// The offer is not known to this version.
    UnknownOffer(String),
    /// The offer is known, and cannot be upgraded.
    Offer(Offer),
    /// The account is in a state that this version does not know, or that somebody chose, such as a cancellation.
    UnknownState(String),
    /// It is unclear whether an upgrade has been accepted.
    UnclearAcceptance(String),
}

/// What holds an upgrade back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The operator runs dry.
    DryRun,
    /// The cap on upgrades per hour is reached.
    Cap {
        /// The cap.
        per_hour: u32,
        /// Until when (wall clock), if the passing of time helps.
        until: Option<Timestamp>,
    },
    /// The namespace's share of the cap is used up.
    Share {
        /// How many it may request.
        share: u32,
        /// The cap.
        per_hour: u32,
        /// Until when (wall clock), if the passing of time helps.
        until: Option<Timestamp>,
    },
}

/// Which of several Subscriptions has the account that all of them name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is nothing to say: there is no other, or this one goes first anyway.
    Unsaid,
    /// As it was: nothing was seen of the account in this reconcile.
    Unchanged,
    /// An older one has it.
    Second(Claimant),
    /// This one has it in place of an older one, whose claim has lapsed.
    InPlaceOf(Claimant, Lapse),
    /// This one's own claim has lapsed, and another one has the account.
    Lapsed(Lapse),
}

/// The status of the Ready condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// All is as it should be, waiting included.
    True,
    /// Something is not.
    False,
    /// Nobody knows yet.
    Unknown,
    /// As it was before: this reconcile learnt nothing.
    Unchanged,
}

/// Whether waiting helps, as kstatus reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is going on.
    Settled,
    /// It will change by itself soon: the condition `Reconciling`.
    Reconciling,
    /// It will not: the condition `Stalled`.
    Stalled,
    /// As it was before.
    Unchanged,
}

/// What a verdict means to programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The reason of the Ready condition, the Events and the metrics.
    pub reason: Reason,
    /// The status of the Ready condition.
    pub ready: Ready,
    /// Whether waiting helps.
    pub progress: Progress,
    /// Whether the account is on the desired offer; `None` where a call may have been made whose effect is unknown.
    pub upgraded: Option<bool>,
    /// Whether a person could upgrade the account now: what the portal shows as "Upgrade now".
    pub upgrade_available: bool,
}

/// All is as it should be.
const fn current(reason: Reason) -> Facts {
    facts(reason, Ready::True, Progress::Settled)
}

/// It will change by itself.
const fn in_progress(reason: Reason) -> Facts {
    facts(reason, Ready::False, Progress::Reconciling)
}

/// Somebody must act.
const fn failed(reason: Reason) -> Facts {
    facts(reason, Ready::False, Progress::Stalled)
}

const fn facts(reason: Reason, ready: Ready, progress: Progress) -> Facts {
    Facts { reason, ready, progress, upgraded: Some(false), upgrade_available: false }
}

impl Facts {
    const fn available(self) -> Self {
        Self { upgrade_available: true, ..self }
    }

    const fn in_doubt(self) -> Self {
        Self { upgraded: None, ..self }
    }
}

impl Verdict {
    /// What this verdict means to programs while the account works ([`super::outage`] says what it means otherwise): each has
    /// its line here.
    pub const fn facts(&self) -> Facts {
        match self {
            Self::Suspended(_) => current(Reason::Suspended),
            Self::ProviderNotReady { stalled: false, .. } => in_progress(Reason::ProviderNotReady),
            Self::ProviderNotReady { stalled: true, .. } => failed(Reason::ProviderNotReady),
            Self::WrongAccount { .. } => failed(Reason::WrongAccount),
            Self::AccountConflict(_) => failed(Reason::AccountConflict),
            Self::Unobserved { since: Unobserved::Always, .. } => {
                facts(Reason::Pending, Ready::Unknown, Progress::Reconciling)
            }
            Self::Unobserved { since: Unobserved::Lately, .. } => {
                facts(Reason::ObservationStale, Ready::Unchanged, Progress::Unchanged)
            }
            Self::Unobserved { since: Unobserved::TooLong, .. } => {
                facts(Reason::ObservationStale, Ready::Unknown, Progress::Reconciling)
            }
            Self::AccountClosed => failed(Reason::AccountClosed),
            Self::OfferInPlace(_) => Facts { upgraded: Some(true), ..current(Reason::OfferInPlace) },
            Self::UpgradeAccepted { .. } => current(Reason::UpgradeAccepted),
            Self::ConversionOverdue { .. } => failed(Reason::ConversionOverdue),
            Self::VerifyingUpgrade { .. } => in_progress(Reason::VerifyingUpgrade).in_doubt(),
            Self::UpgradeUnresolved { .. } | Self::RetryHeld { .. } => failed(Reason::UpgradeUnresolved).in_doubt(),
            Self::UpgradeContradicted { .. } => failed(Reason::UpgradeContradicted).in_doubt(),
            Self::Observing => current(Reason::Observing),
            Self::NotEligible { .. } => failed(Reason::NotEligible),
            Self::UpgradeDenied(_) => current(Reason::UpgradeDenied),
            Self::BenefitsUnknown { .. } => failed(Reason::BenefitsUnknown),
            Self::WaitingForExhaustion { .. } => current(Reason::WaitingForExhaustion),
            Self::AwaitingApproval { .. } => current(Reason::AwaitingApproval).available(),
            Self::ApprovalPolicyMissing(_) => failed(Reason::ApprovalPolicyMissing).available(),
            Self::AwaitingPortalUpgrade { .. } => current(Reason::AwaitingPortalUpgrade).available(),
            Self::UpgradeRejected { .. } => failed(Reason::UpgradeRejected).available(),
            Self::UpgradeHeld(_) => current(Reason::UpgradeHeld).available(),
            Self::Upgrading => in_progress(Reason::Upgrading).in_doubt().available(),
            Self::LedgerUnavailable { .. } => in_progress(Reason::LedgerUnavailable).available(),
        }
    }
}
