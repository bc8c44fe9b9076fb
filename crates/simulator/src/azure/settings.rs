//! What a test declares about an Azure account: its offer, its benefits, how it behaves.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::offer::Offer;
use crate::credit::Credit;
use crate::patch::merge;

/// A JSON document that does not describe an account.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("this is no account: {0}; see the simulator's documentation for the fields")]
    Shape(#[from] serde_json::Error),
    #[error("{field} {value:?} is no GUID; write it as 6f1a3c1e-0000-4a00-9000-00000000f7ee")]
    Guid { field: &'static str, value: String },
    #[error("{0} must not be negative")]
    Negative(&'static str),
    #[error("a pay-as-you-go account has no benefits: leave out credit and periodDays")]
    Benefits,
    #[error("billingCurrency.exchangeRate must be more than 0")]
    ExchangeRate,
}

/// The billing agreement of the account: Microsoft Online Services Program (classic) or Microsoft Customer Agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Agreement {
    Mosp,
    Mca,
}

/// Why the broker refuses an upgrade. These codes are ours: Microsoft has no such endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Rejection {
    NotAccountAdministrator,
    PaymentMethodRequired,
    PhoneVerificationRequired,
    OfferNotEligible,
}

/// What invoices are in, when that is another currency than the credit's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BillingCurrency {
    pub(crate) currency: String,
    /// How much of it one unit of the credit's currency is worth.
    pub(crate) exchange_rate: Decimal,
}

/// How the broker carries out what it accepts for an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Broker {
    /// From the acceptance until the upgrade is applied or has failed, on the wall clock.
    pub(crate) operation_seconds: u32,
    /// How operations end that do not succeed; `None`: they succeed.
    pub(crate) fails: Option<Failure>,
    /// What `Retry-After` says; `None`: the header is missing.
    pub(crate) retry_after_seconds: Option<u32>,
}

/// How an accepted operation ends without an upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Failure {
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) status: Unsuccessful,
}

/// The terminal states but `Succeeded`:
/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/async-api-reference.md>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unsuccessful {
    #[default]
    Failed,
    Canceled,
}

/// An account as declared. Ids are GUIDs in canonical lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) subscription_id: String,
    pub(crate) tenant_id: String,
    pub(crate) display_name: String,
    pub(crate) offer: Offer,
    /// The quotaId before an upgrade; `None`: the offer's.
    pub(crate) quota_id: Option<String>,
    /// The quotaId of the converted account; `None`: that of pay-as-you-go.
    pub(crate) converted_quota_id: Option<String>,
    pub(crate) agreement: Agreement,
    /// Accounts with the same owner, a GUID, share a billing account; `None`: it has its own.
    pub(crate) billing_owner: Option<String>,
    pub(crate) billing_currency: Option<BillingCurrency>,
    /// Whether the credit shows in `Microsoft.Consumption`.
    pub(crate) lots_listed: bool,
    /// How far the estimated balance lags behind, in billing seconds.
    pub(crate) balance_lag_seconds: u32,
    pub(crate) credit: Option<Credit>,
    /// Charges per day in the credit's currency; they accrue continuously.
    pub(crate) burn_per_day: Decimal,
    pub(crate) start_time: Timestamp,
    pub(crate) period_days: Option<u32>,
    /// From the upgrade of a disabled account until it works again, in billing seconds.
    pub(crate) reactivation_delay_seconds: u32,
    /// From `Disabled` to `Deleted`.
    pub(crate) grace_days: u32,
    /// Whether the account shows `Warned` in the last day of its benefits.
    pub(crate) warned: bool,
    /// From `PastDue` to `Warned`, and from there to `Disabled`, while an invoice is not paid.
    pub(crate) past_due_days: u32,
    pub(crate) unpaid_warned_days: u32,
    /// Whether there are resources, which stand in the way of a cancellation.
    pub(crate) has_resources: bool,
    pub(crate) reject_upgrade: Option<Rejection>,
    pub(crate) broker: Broker,
}

impl Settings {
    /// A new account: the defaults of its offer, overridden with what the request says.
    pub(crate) fn new(request: &Value, now: Timestamp) -> Result<Self, Invalid> {
        let offer = Offer::from(request["offer"].as_str().unwrap_or("FreeTrial").to_owned());
        let (credit, period_days) = match offer {
            Offer::FreeTrial => (json!({"amount": "200.00", "currency": "USD"}), json!(30)),
            Offer::Students => (json!({"amount": "100.00", "currency": "USD"}), json!(365)),
            Offer::Imagine => (Value::Null, json!(365)),
            Offer::PayAsYouGo | Offer::Quota(_) => (Value::Null, Value::Null),
        };
        let defaults = json!({
            "displayName": "Azure subscription 1",
            "offer": offer,
            "agreement": "MOSP",
            "credit": credit,
            "burnPerDay": "0",
            // In whole seconds, as Azure's dates are.
            "startTime": Timestamp::from_second(now.as_second()).unwrap_or(now),
            "periodDays": period_days,
            "reactivationDelaySeconds": 0,
            "graceDays": 90,
            "warned": false,
            "lotsListed": true,
            "balanceLagSeconds": 0,
            "pastDueDays": 7,
            "unpaidWarnedDays": 7,
            "hasResources": false,
            "broker": {"operationSeconds": 0, "retryAfterSeconds": 15},
        });
        Self::merged(defaults, request)
    }

    /// This account with the fields that a JSON merge patch (RFC 7386) names changed.
    pub(crate) fn patched(&self, patch: &Value) -> Result<Self, Invalid> {
        Self::merged(serde_json::to_value(self)?, patch)
    }

    fn merged(mut base: Value, patch: &Value) -> Result<Self, Invalid> {
        merge(&mut base, patch);
        let mut settings: Self = serde_json::from_value(base)?;
        settings.subscription_id = guid("subscriptionId", &settings.subscription_id)?;
        settings.tenant_id = guid("tenantId", &settings.tenant_id)?;
        settings.billing_owner = settings.billing_owner.map(|owner| guid("billingOwner", &owner)).transpose()?;
        if settings.billing_currency.as_ref().is_some_and(|currency| currency.exchange_rate <= Decimal::ZERO) {
            return Err(Invalid::ExchangeRate);
        }
        if settings.credit.as_ref().is_some_and(|credit| credit.amount.is_sign_negative()) {
            return Err(Invalid::Negative("credit.amount"));
        }
        if settings.burn_per_day.is_sign_negative() {
            return Err(Invalid::Negative("burnPerDay"));
        }
        if settings.offer == Offer::PayAsYouGo && (settings.credit.is_some() || settings.period_days.is_some()) {
            return Err(Invalid::Benefits);
        }
        Ok(settings)
    }
}

/// The canonical form of a GUID.
pub(crate) fn guid(field: &'static str, value: &str) -> Result<String, Invalid> {
    let id = Uuid::try_parse(value).map_err(|_| Invalid::Guid { field, value: value.to_owned() })?;
    Ok(id.to_string())
}
