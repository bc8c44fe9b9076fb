//! The operations of all simulated protocols.

use serde::{Deserialize, Serialize};

/// The operations of the simulated protocols, as faults and the log name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum OperationName {
    Token,
    Discovery,
    TenantList,
    SubscriptionList,
    Subscription,
    Cancel,
    Rename,
    Enable,
    BillingProperty,
    BillingAccountList,
    BillingAccount,
    BillingProfileList,
    BillingProfile,
    BillingSubscriptionList,
    BillingSubscription,
    BalanceSummary,
    Lots,
    Events,
    Upgrade,
    OperationStatus,
    GetAccountPlanState,
    UpgradeAccountPlan,
    GetCredits,
    GetAccountInformation,
    GetCallerIdentity,
    AssumeRole,
    AssumeRoleWithWebIdentity,
    PodIdentity,
    Other,
}

impl OperationName {
    /// Whether it shows what an account is, so that it can show what one was.
    pub(crate) const fn reads_accounts(self) -> bool {
        match self {
            Self::SubscriptionList
            | Self::Subscription
            | Self::BillingProperty
            | Self::BillingAccountList
            | Self::BillingAccount
            | Self::BillingProfileList
            | Self::BillingProfile
            | Self::BillingSubscriptionList
            | Self::BillingSubscription
            | Self::BalanceSummary
            | Self::Lots
            | Self::Events
            | Self::OperationStatus
            | Self::GetAccountPlanState
            | Self::GetCredits
            | Self::GetAccountInformation => true,
            Self::Token
            | Self::Discovery
            | Self::TenantList
            | Self::Cancel
            | Self::Rename
            | Self::Enable
            | Self::Upgrade
            | Self::UpgradeAccountPlan
            | Self::GetCallerIdentity
            | Self::AssumeRole
            | Self::AssumeRoleWithWebIdentity
            | Self::PodIdentity
            | Self::Other => false,
        }
    }

    /// Whether it changes an account.
    pub(crate) const fn changes_accounts(self) -> bool {
        matches!(self, Self::Upgrade | Self::Cancel | Self::Rename | Self::Enable | Self::UpgradeAccountPlan)
    }

    /// Whether its answers are XML, whose fields cannot be changed by a path.
    pub(crate) const fn answers_in_xml(self) -> bool {
        matches!(self, Self::GetCallerIdentity | Self::AssumeRole | Self::AssumeRoleWithWebIdentity)
    }
}
