//! What Azure answers, as far as it is read. States and kinds are texts here: Azure adds values to them without notice.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

/// `GET /subscriptions/{id}`, version 2022-12-01:
/// <https://learn.microsoft.com/rest/api/resources/subscriptions/get>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscription {
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
    /// Of the billing profile.
    #[serde(rename = "billingProfileSpendingLimit")]
    pub(super) spending_limit: Option<String>,
    #[serde(rename = "billingProfileSpendingLimitDetails")]
    pub(super) limits: Option<Vec<SpendingLimit>>,
    /// Why the billing profile is in its state.
    #[serde(rename = "billingProfileStatusReasonCode")]
    pub(super) profile_reason: Option<String>,
    /// Why the subscription is in its billing state.
    #[serde(rename = "subscriptionBillingStatusDetails")]
    pub(super) status_details: Option<Vec<StatusDetail>>,
    /// Whether the subscription is `Free` or `Paid`.
    #[serde(rename = "subscriptionBillingType")]
    pub(super) kind: Option<String>,
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

/// The date that `text` spells, if it can be one of a trial.
pub(super) fn date(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok().filter(|date| (FIRST_DAY..LAST_DAY).contains(date))
}
