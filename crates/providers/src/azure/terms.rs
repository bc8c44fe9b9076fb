//! Which offer an account is on. Azure reports the quota id, which stands for one offer or several: the table of
//! <https://learn.microsoft.com/azure/cost-management-billing/costs/understand-cost-mgt-data>. Under a Microsoft Customer
//! Agreement an account on the Azure plan may be a free one or a paid one, which only its billing shows.

use jiff::SignedDuration;

use super::wire::{Billing, SpendingLimit, date};
use payg_core::offer::OfferClass;

/// The quota id of enterprise agreements and of the Azure plan.
const AZURE_PLAN: &str = "EnterpriseAgreement_2014-09-01";

/// An offer from which there is a way to pay-as-you-go:
/// <https://learn.microsoft.com/azure/cost-management-billing/manage/upgrade-azure-subscription>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trial {
    /// Azure free account, MS-AZR-0044P: a credit for 30 days.
    Free,
    /// Azure for Students, MS-AZR-0170P: a credit for 12 months.
    Students,
    /// Azure for Students Starter, formerly Microsoft Imagine and DreamSpark, MS-AZR-0144P: free services, no credit.
    Imagine,
}

impl Trial {
    /// How long it lasts by the published terms: 30 days <https://azure.microsoft.com/pricing/offers/ms-azr-0044p/>, 12
    /// months <https://azure.microsoft.com/pricing/offers/ms-azr-0170p/>. Free services without a credit are not used up by
    /// the time that has passed: <https://azure.microsoft.com/pricing/offers/ms-azr-0144p/>.
    pub(super) const fn length(self) -> Option<SignedDuration> {
        match self {
            Self::Free => Some(SignedDuration::from_hours(30 * 24)),
            Self::Students => Some(SignedDuration::from_hours(365 * 24)),
            Self::Imagine => None,
        }
    }

    /// Whether there is an amount to spend.
    pub(super) const fn has_credit(self) -> bool {
        !matches!(self, Self::Imagine)
    }

    /// The trial that a spending limit is of.
    pub(super) fn of_limit(limit: &SpendingLimit) -> Option<Self> {
        match limit.kind.as_deref() {
            Some("FreeAccount") => Some(Self::Free),
            Some("AzureForStudents") => Some(Self::Students),
            Some("AzureForStudentsStarter") => Some(Self::Imagine),
            _ => None,
        }
    }
}

/// The terms in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Terms {
    Trial(Trial),
    PayAsYouGo,
    Commitment,
    Other,
    Unknown,
}

impl Terms {
    pub(super) const fn class(self) -> OfferClass {
        match self {
            Self::Trial(_) => OfferClass::FreeTrial,
            Self::PayAsYouGo => OfferClass::PayAsYouGo,
            Self::Commitment => OfferClass::Commitment,
            Self::Other => OfferClass::Other,
            Self::Unknown => OfferClass::Unknown,
        }
    }

    pub(super) const fn trial(self) -> Option<Trial> {
        match self {
            Self::Trial(trial) => Some(trial),
            _ => None,
        }
    }

    /// Whether `quota` is that of the Azure plan.
    pub(super) fn is_azure_plan(quota: &str) -> bool {
        quota == AZURE_PLAN
    }
}

/// Whether billing has anything to add to this `quota` id.
pub(super) fn depend_on_billing(quota: &str) -> bool {
    Terms::is_azure_plan(quota) || of_quota(quota).trial().is_some()
}

/// Whether the account is under a Microsoft Customer Agreement.
pub(super) fn is_customer_agreement(billing: &Billing) -> bool {
    billing.agreement.as_deref() == Some("MicrosoftCustomerAgreement")
}

/// The terms of an account with this `quota` id and `billing`.
pub(super) fn terms(quota: &str, billing: Option<&Billing>) -> Terms {
    let by_quota = of_quota(quota);
    let Some(billing) = billing.filter(|_| depend_on_billing(quota)) else { return by_quota };
    match billing.agreement.as_deref() {
        Some("EnterpriseAgreement") if Terms::is_azure_plan(quota) => Terms::Commitment,
        Some("MicrosoftPartnerAgreement") if Terms::is_azure_plan(quota) => Terms::Other,
        Some("MicrosoftCustomerAgreement") => {
            match (billing.kind.as_deref(), current_limit(billing).and_then(Trial::of_limit)) {
                (Some("Paid"), _) => Terms::PayAsYouGo,
                (Some("Free"), Some(trial)) => Terms::Trial(trial),
                _ => by_quota,
            }
        }
        _ => by_quota,
    }
}

/// The spending limit in force: of those of trials the one that began last. Azure for Students is renewed every year. Of two
/// that began at the same time and are not in the same state it is not known.
pub(super) fn current_limit(billing: &Billing) -> Option<&SpendingLimit> {
    let began = |limit: &SpendingLimit| date(limit.start_date.as_deref());
    let limits = || billing.limits.iter().flatten().filter(|limit| Trial::of_limit(limit).is_some());
    let last = limits().max_by_key(|limit| began(limit))?;
    let state = |limit: &SpendingLimit| (Trial::of_limit(limit), limit.status.clone(), date(limit.end_date.as_deref()));
    limits().all(|limit| began(limit) != began(last) || state(limit) == state(last)).then_some(last)
}

/// What `billing` calls an account that is a trial by its `quota` id, if it calls it something else.
pub(super) fn contradiction<'a>(quota: &str, billing: &'a Billing) -> Option<&'a str> {
    let trial = of_quota(quota).trial()?;
    let other = |limit: &&SpendingLimit| Trial::of_limit(limit).is_some_and(|of_limit| of_limit != trial);
    let limit = current_limit(billing).filter(other).and_then(|limit| limit.kind.as_deref());
    let paid = billing.kind.as_deref().filter(|kind| ["Paid", "PrePaid"].contains(kind));
    let agreements = ["EnterpriseAgreement", "MicrosoftPartnerAgreement"];
    limit.or(paid).or(billing.agreement.as_deref().filter(|agreement| agreements.contains(agreement)))
}

fn of_quota(quota: &str) -> Terms {
    match quota {
        "FreeTrial_2014-09-01" => Terms::Trial(Trial::Free),
        "AzureForStudents_2018-01-01" => Terms::Trial(Trial::Students),
        "DreamSpark_2015-02-01" => Terms::Trial(Trial::Imagine),
        "PayAsYouGo_2014-09-01" => Terms::PayAsYouGo,
        "LegacyMonetaryCommitment_2014-09-01" | "MonetaryCommitment_2015-05-01" => Terms::Commitment,
        "AAD_2015-09-01"
        | "AzureDynamics_2014-09-01"
        | "AzureInOpen_2014-09-01"
        | "AzurePass_2014-09-01"
        | "BackupStorage_2014-09-01"
        | "BizSparkPlus_2014-09-01"
        | "BizSpark_2014-09-01"
        | "CSPDEVTEST_2018-05-01"
        | "CSP_2015-05-01"
        | "CSP_MG_2017-12-01"
        | "Default_2014-09-01"
        | "DevEssentials_2016-01-01"
        | "Internal_2014-09-01"
        | "LightweightTrial_2016-09-01"
        | "MPN_2014-09-01"
        | "MSDNDevTest_2014-09-01"
        | "MSDN_2014-09-01"
        | "Sponsored_2016-01-01" => Terms::Other,
        // Also the Azure plan: without its billing it may be anything from free to a commitment.
        _ => Terms::Unknown,
    }
}
