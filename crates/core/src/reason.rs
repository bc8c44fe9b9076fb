//! The words that programs read: the types of conditions, and the reasons of conditions, Events and metrics. Each has one
//! spelling, here. Dashboards and scripts depend on them.

use strum::{EnumIter, EnumString, IntoStaticStr};

/// The type of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
pub enum ConditionType {
    /// All is as it should be, waiting included.
    Ready,
    /// Something is in progress and ends by itself.
    Reconciling,
    /// Somebody must act.
    Stalled,
    /// The account was read.
    Observed,
    /// Whether the Subscription has the account, if several name it.
    Claimed,
    /// The account is on the desired offer.
    Upgraded,
    /// A person could upgrade the account now.
    UpgradeAvailable,
}

/// Why a condition has its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, EnumString, IntoStaticStr)]
#[expect(missing_docs, reason = "docs/reference/conditions.md describes each")]
pub enum Reason {
    // The verdicts on a Subscription, in the order of the rows.
    Suspended,
    ProviderNotReady,
    WrongAccount,
    AccountConflict,
    Pending,
    ObservationStale,
    AccountClosed,
    OfferInPlace,
    UpgradeAccepted,
    ConversionOverdue,
    VerifyingUpgrade,
    UpgradeUnresolved,
    UpgradeContradicted,
    Observing,
    NotEligible,
    UpgradeDenied,
    BenefitsUnknown,
    WaitingForExhaustion,
    AwaitingApproval,
    ApprovalPolicyMissing,
    AwaitingPortalUpgrade,
    UpgradeRejected,
    UpgradeHeld,
    Upgrading,
    LedgerUnavailable,
    // A Subscription that nothing can be decided on.
    InvalidSpec,
    // The claim to the account.
    ClaimLapsed,
    ClaimTakenOver,
    // An UpgradeRecord.
    RecordUnwatched,
    // An observation, or a check of credentials.
    Observed,
    CredentialsAccepted,
    Listed,
    NotListed,
    Throttled,
    ProviderUnreachable,
    OutcomeUnknown,
    Unauthenticated,
    Forbidden,
    PreconditionFailed,
    ProviderConflict,
    Unsupported,
    UnexpectedAnswer,
    InvalidConfiguration,
}

impl ConditionType {
    /// Its name in the condition.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Reason {
    /// Its name in conditions, Events and metrics.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The row of the decision table whose verdict has this reason; `None` if it is not the reason of a verdict.
    pub const fn row(self) -> Option<u8> {
        Some(match self {
            Self::Suspended => 1,
            Self::ProviderNotReady => 2,
            Self::WrongAccount => 3,
            Self::AccountConflict => 4,
            Self::Pending | Self::ObservationStale => 5,
            Self::AccountClosed => 6,
            Self::OfferInPlace => 7,
            Self::UpgradeAccepted | Self::ConversionOverdue => 8,
            Self::VerifyingUpgrade => 9,
            Self::UpgradeUnresolved => 10,
            Self::UpgradeContradicted => 11,
            Self::Observing => 12,
            Self::NotEligible => 13,
            Self::UpgradeDenied => 14,
            Self::BenefitsUnknown => 15,
            Self::WaitingForExhaustion => 16,
            Self::AwaitingApproval | Self::ApprovalPolicyMissing => 17,
            Self::AwaitingPortalUpgrade => 18,
            Self::UpgradeRejected => 19,
            Self::UpgradeHeld => 20,
            Self::Upgrading | Self::LedgerUnavailable => 21,
            Self::InvalidSpec
            | Self::ClaimLapsed
            | Self::ClaimTakenOver
            | Self::RecordUnwatched
            | Self::Observed
            | Self::CredentialsAccepted
            | Self::Listed
            | Self::NotListed
            | Self::Throttled
            | Self::ProviderUnreachable
            | Self::OutcomeUnknown
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::PreconditionFailed
            | Self::ProviderConflict
            | Self::Unsupported
            | Self::UnexpectedAnswer
            | Self::InvalidConfiguration => return None,
        })
    }
}

/// A reason as it is read: it may be one of another version.
impl PartialEq<Reason> for String {
    fn eq(&self, other: &Reason) -> bool {
        self == other.name()
    }
}

impl PartialEq<&str> for Reason {
    fn eq(&self, other: &&str) -> bool {
        self.name() == *other
    }
}
