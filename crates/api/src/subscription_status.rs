//! The status of a `Subscription`: what the operator observed, expects and did.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::money::{Amount, CURRENCY, Money};
use super::notices::Notices;
use super::offer::Offer;
use super::schema::map_list;
use super::text::Text;
use super::time::Time;
use super::{conditions, lenient};

/// What the operator reports about an account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct SubscriptionStatus {
    /// The metadata.generation that this status is about; -1 until the operator has seen the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// The conditions. Ready is the summary: it is True while a trial waits for its benefits to be used up.
    #[serde(default, deserialize_with = "lenient::items", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
    /// What the provider reports about the account itself.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountStatus>,
    /// The offer in force.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub offer: Option<OfferInForce>,
    /// The trial's benefits and what is left of them, one item per kind. Several credits are added up.
    #[serde(default, deserialize_with = "lenient::items", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), transform = map_list("kind"))]
    pub benefits: Vec<Benefit>,
    /// When the benefits are expected to be exhausted. This is an estimate: it never causes an upgrade.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// What an upgrade would do. It is written as soon as it is known, so that it can be approved in advance.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
    /// The progress of the upgrade.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<UpgradeProgress>,
    /// The notices about the account, if the operator has receivers for them.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub notices: Option<Notices>,
    /// When the account was last observed successfully.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub last_observed_time: Option<Time>,
    /// When the account will be observed next, unless something changes before.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub next_check_time: Option<Time>,
    /// The last value of the annotation payg-operator.io/requested-at that the operator acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<Text<128>>,
}

/// What a provider reports about an account itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountStatus {
    /// Whether the account works. Active: it does. Warned: it does for now. Restricted: machines are off or changes are
    /// refused, and it can come back. Closed: it is deleted, or closed for good. Unknown: the provider reported a state
    /// that the operator does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Text<32>>,
    /// The Microsoft Entra tenant that the account belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_tenant_id: Option<Text<64>>,
    /// The provider's APIs that reported this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Text<256>>,
    /// When the account was read.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub as_of_time: Option<Time>,
    /// When the account was first observed to be Restricted, while it is.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub restricted_time: Option<Time>,
}

/// The offer that the account is on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferInForce {
    /// The terms.
    #[serde(flatten)]
    pub offer: Offer,
    /// The provider's APIs that reported this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Text<256>>,
    /// When the account was read.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub as_of_time: Option<Time>,
}

/// Something that a trial includes and that runs out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Benefit {
    /// Credit (money), Period (a time), or FreeServices (amounts of services that are free for a while).
    pub kind: Text<32>,
    /// Whether anything is left: Active, Exhausted or Unknown.
    pub state: Text<32>,
    /// The credit that was granted, in whole units of the currency.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub granted: Option<Amount>,
    /// The credit that is left, in whole units of the currency.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub remaining: Option<Amount>,
    /// The currency of the credit, as its ISO 4217 code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 3), regex(pattern = CURRENCY))]
    pub currency: Option<String>,
    /// When the benefit ends, whether it is used up or not.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Time>,
    /// The point in time that the provider's answer is about. Billing data is often hours old.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub as_of_time: Option<Time>,
    /// The provider's API that reported this, or spec.trial for what the manifest declares.
    pub source: Text<64>,
}

/// An estimate of the future.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// When the benefits were first observed to be exhausted, or ended, if they are. Otherwise when they end, or are expected
    /// to be used up at the current rate, whichever comes first.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub exhaustion_time: Option<Time>,
    /// The credit used per day at the current rate, in whole units of the credit's currency.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub burn_per_day: Option<Amount>,
    /// What a day costs after the upgrade, without credit and at the current rate of use. Absent if the rate is not known.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub cost_per_day: Option<Money>,
    /// The same for a month of 30 days.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub cost_per_month: Option<Money>,
    /// When the trigger in spec.upgrade.when is expected to be met.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub due_time: Option<Time>,
}

/// What an upgrade would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    /// The hash that an UpgradeApproval must name. It changes with every term of the upgrade: all fields of the spec, the
    /// spec of the BillingProvider, the offer in force and the way of upgrading. It does not change with the credit left,
    /// observed dates or prices.
    #[schemars(length(max = 64), regex(pattern = TRANSITION_HASH))]
    pub hash: String,
    /// The offer before the upgrade.
    pub from: Offer,
    /// The offer after the upgrade.
    pub to: Offer,
    /// Whether the upgrade could be undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reversible: Option<bool>,
    /// What happens to the remaining credit: Kept, Lost or Unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_after: Option<Text<32>>,
    /// What the upgrade costs, and an estimate of what the account costs after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_note: Option<Text<1024>>,
    /// When it will be too late to upgrade, if the provider reports it.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub deadline_time: Option<Time>,
}

/// The pattern of [`Transition::hash`], which an approval names.
pub(super) const TRANSITION_HASH: &str = "^[0-9a-f]{16,64}$";

/// The progress of an upgrade.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeProgress {
    /// The name of the UpgradeRecord that holds the details.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub record_name: Option<String>,
    /// When the upgrade was requested from the provider.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub request_time: Option<Time>,
    /// When the provider accepted the request.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub accept_time: Option<Time>,
    /// When the account was first observed on the new offer.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub convert_time: Option<Time>,
    /// What the provider answered about the upgrade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Text<1024>>,
    /// The page on which a person can make the upgrade, if only a person can.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = "^https://"))]
    pub action_url: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn an_unreadable_status_part_hides_no_other_part() {
        let status: SubscriptionStatus = from_value(json!({
            "observedGeneration": 3,
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "Observing", "message": "", "lastTransitionTime": "soon"},
                {"type": "Observed", "status": "True", "reason": "Observed", "message": "",
                    "lastTransitionTime": "2026-11-23T12:00:00Z"},
            ],
            "benefits": [
                {"kind": "Credit", "state": "Active", "source": "x", "remaining": "lots", "granted": "200.00"},
                7,
            ],
            "forecast": {"exhaustionTime": "9999-12-31T23:59:59Z", "burnPerDay": "1.5"},
            "transition": {"hash": 7},
            "upgrade": {"recordName": "up-1", "requestTime": ""},
            "nextCheckTime": "2026-11-23T13:00:00Z",
            "ofANewerVersion": true,
        }))
        .unwrap();
        assert_eq!(status.conditions.len(), 1);
        assert_eq!(status.benefits.len(), 1);
        assert_eq!((status.benefits[0].remaining, status.benefits[0].granted.is_some()), (None, true));
        assert!(
            status
                .forecast
                .is_some_and(|forecast| forecast.exhaustion_time.is_none() && forecast.burn_per_day.is_some())
        );
        assert_eq!(status.transition, None);
        assert_eq!(status.upgrade.and_then(|upgrade| upgrade.record_name).as_deref(), Some("up-1"));
        assert!(status.next_check_time.is_some());
    }
}
