//! What Azure answers, as far as it is read. States and kinds are texts here: Azure adds values to them without notice.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::document::decimal;
use payg_core::money::{Currency, Money};

/// `GET /subscriptions/{id}`, version 2022-12-01:
/// <https://learn.microsoft.com/rest/api/resources/subscriptions/get>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscription {
    /// The resource id, which ends with the same id.
    #[serde(rename = "id")]
    pub(super) path: Option<String>,
    #[serde(rename = "subscriptionId")]
    pub(super) id: String,
    pub(super) tenant_id: Option<String>,
    pub(super) state: String,
    #[serde(rename = "subscriptionPolicies")]
    pub(super) policies: Policies,
}

/// The terms that a subscription is under.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Policies {
    pub(super) quota_id: String,
    pub(super) spending_limit: Option<String>,
}

/// `GET /subscriptions/{id}/providers/Microsoft.Billing/billingProperty/default`, version 2024-04-01:
/// <https://learn.microsoft.com/rest/api/billing/billing-property/get>
#[derive(Debug, Deserialize)]
pub(super) struct BillingProperty {
    /// The resource id, which begins with the subscription's.
    pub(super) id: String,
    pub(super) properties: Billing,
}

/// The billing of a subscription. Which of the fields are filled depends on the agreement and on who asks.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Billing {
    #[serde(rename = "billingAccountAgreementType")]
    pub(super) agreement: Option<String>,
    /// The resource id of the billing profile.
    #[serde(rename = "billingProfileId")]
    pub(super) profile_id: Option<String>,
    /// Of the billing profile.
    #[serde(rename = "billingProfileSpendingLimit")]
    pub(super) spending_limit: Option<String>,
    #[serde(rename = "billingProfileSpendingLimitDetails")]
    pub(super) limits: Option<Vec<SpendingLimit>>,
    /// Why the billing profile is in its state.
    #[serde(rename = "billingProfileStatusReasonCode")]
    profile_reason: Option<String>,
    /// The state of the subscription by its billing.
    #[serde(rename = "subscriptionBillingStatus")]
    pub(super) status: Option<String>,
    /// Why the subscription is in its billing state.
    #[serde(rename = "subscriptionBillingStatusDetails")]
    pub(super) status_details: Option<Vec<StatusDetail>>,
    /// Whether the subscription is `Free` or `Paid`.
    #[serde(rename = "subscriptionBillingType")]
    pub(super) kind: Option<String>,
    /// The same by the billing profile itself.
    #[serde(skip)]
    own_profile_reason: Option<String>,
    /// Whether the billing profile itself was read too.
    #[serde(skip)]
    pub(super) completed: bool,
    /// Whether the limits were read from it.
    #[serde(skip)]
    pub(super) by_profile: bool,
}

impl Billing {
    /// Takes from the billing profile what the billing property does not say. Where both say something, both count: which of
    /// two is right is not known.
    pub(super) fn complete(&mut self, profile: ProfileProperties) {
        self.completed = true;
        self.by_profile = self.limits.as_ref().is_none_or(Vec::is_empty);
        self.limits.get_or_insert_default().extend(profile.limits.into_iter().flatten());
        self.spending_limit = match (self.spending_limit.take(), profile.spending_limit) {
            (Some(told), Some(own)) if told != own => {
                Some(format!("{told}, while the billing profile itself says {own}"))
            }
            (told, own) => told.or(own),
        };
        self.own_profile_reason = profile.reason;
    }

    /// Why the billing profile is in its state, from whichever field says it.
    pub(super) fn profile_reasons(&self) -> impl Iterator<Item = &str> {
        self.profile_reason.as_deref().into_iter().chain(self.own_profile_reason.as_deref())
    }
}

/// A billing profile, version 2024-04-01: <https://learn.microsoft.com/rest/api/billing/billing-profiles/get>
#[derive(Debug, Deserialize)]
pub(super) struct BillingProfile {
    pub(super) id: String,
    pub(super) properties: ProfileProperties,
}

/// What a billing profile says of its credit.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProfileProperties {
    pub(super) spending_limit: Option<String>,
    #[serde(rename = "spendingLimitDetails")]
    pub(super) limits: Option<Vec<SpendingLimit>>,
    #[serde(rename = "statusReasonCode")]
    pub(super) reason: Option<String>,
}

/// `GET {billing profile}/providers/Microsoft.Consumption/credits/balanceSummary`, version 2024-08-01:
/// <https://learn.microsoft.com/rest/api/consumption/credits/get>
#[derive(Debug, Deserialize)]
pub(super) struct BalanceSummary {
    pub(super) id: Option<String>,
    pub(super) properties: Balance,
}

/// How much of all credits of a billing profile is left.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Balance {
    #[serde(rename = "balanceSummary")]
    pub(super) summary: Option<Balances>,
    pub(super) credit_currency: Option<String>,
}

/// The balance with what was used since the last invoice, in the currency of the credit.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Balances {
    pub(super) estimated_balance: Option<Amount>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Amount {
    pub(super) currency: Option<String>,
    /// The digits as they were sent.
    pub(super) value: Option<Box<RawValue>>,
}

/// A credit among those of a billing profile, version 2024-08-01:
/// <https://learn.microsoft.com/rest/api/consumption/lots/list-by-billing-profile>
#[derive(Debug, Deserialize)]
pub(super) struct Lot {
    pub(super) properties: LotProperties,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LotProperties {
    pub(super) original_amount: Option<Amount>,
    pub(super) source: Option<String>,
    pub(super) status: Option<String>,
    pub(super) start_date: Option<String>,
    pub(super) expiration_date: Option<String>,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    /// Entries as they were sent.
    pub(super) value: Vec<Box<RawValue>>,
    /// Where the next page is; null or empty at the end.
    pub(super) next_link: Option<String>,
}

/// A credit, and how far it is used.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpendingLimit {
    /// The amount at the start: the digits as they were sent, so that no floating point touches them.
    pub(super) amount: Option<Box<RawValue>>,
    pub(super) currency: Option<String>,
    pub(super) start_date: Option<String>,
    pub(super) end_date: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) status: Option<String>,
}

/// Why a subscription is in its billing state.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusDetail {
    pub(super) effective_date: Option<String>,
    pub(super) reason: Option<String>,
}

/// When Azure became generally available: no date of a trial is before it. A date that is not set may arrive as year 1.
const FIRST_DAY: Timestamp = Timestamp::constant(1_264_982_400, 0);
/// 2100-01-01. No date of a trial is after it. A date that is not set may arrive as year 9999.
const LAST_DAY: Timestamp = Timestamp::constant(4_102_444_800, 0);

/// The money that `digits` and `currency` spell, exactly: what rounding would make nothing of is unknown.
pub(super) fn money(digits: Option<&RawValue>, currency: Option<&str>) -> Option<Money> {
    Money::new(decimal(digits?)?, Currency::parse(currency?)?)
}

/// The date of a lot: older versions write it as in the United States, without a zone.
pub(super) fn lot_date(text: Option<&str>) -> Option<Timestamp> {
    date(text).or_else(|| {
        let time = DateTime::strptime("%m/%d/%Y %H:%M:%S", text?).ok()?;
        TimeZone::UTC.to_timestamp(time).ok().filter(|date| (FIRST_DAY..LAST_DAY).contains(date))
    })
}

/// The date that `text` spells, if it can be one of a trial.
pub(super) fn date(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok().filter(|date| (FIRST_DAY..LAST_DAY).contains(date))
}
