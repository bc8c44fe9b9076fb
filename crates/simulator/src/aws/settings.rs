//! What a test declares about an AWS account: its plan, its credit, how it behaves.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::credit::Credit;
use crate::patch::merge;

/// A JSON document that does not describe an account.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("this is no account: {0}; see the simulator's documentation for the fields")]
    Shape(#[from] serde_json::Error),
    #[error("accountId {0:?} must have twelve digits; write it as 123456789012")]
    Id(String),
    #[error("{0} must not be negative")]
    Negative(&'static str),
    #[error("displayName must have 1 to 50 characters of ASCII, without < and >")]
    Name,
    #[error("credit.currency must be a code of three capital letters, such as USD")]
    Currency,
    #[error("rejectUpgrade.code is empty; write it as ValidationException")]
    Rejection,
}

/// The plan that an account starts with.
/// <https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/free-tier-plans.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Plan {
    Free,
    Paid,
    /// There is no record of a plan: the account is older than the plans, or a member of an organization.
    None,
}

/// What `UpgradeAccountPlan` is refused with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Rejection {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// An account as declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) account_id: String,
    pub(crate) display_name: String,
    pub(crate) plan: Plan,
    pub(crate) credit: Option<Credit>,
    /// Charges per day in the credit's currency; they accrue continuously.
    pub(crate) burn_per_day: Decimal,
    pub(crate) start_time: Timestamp,
    /// How long the free plan lasts, in months of the calendar.
    pub(crate) plan_months: u32,
    /// From the end of the free plan until the account is gone.
    pub(crate) grace_days: u32,
    /// Whether the end of the free plan closes the account at once.
    pub(crate) closes_at_once: bool,
    /// Whether `GetCredits` reports the credit.
    pub(crate) credits_listed: bool,
    /// How far all figures of the credit lag behind, in billing seconds.
    pub(crate) credit_lag_seconds: u32,
    /// From an upgrade until it shows, in billing seconds.
    pub(crate) upgrade_seconds: u32,
    /// What an upgrade adds to the credit.
    pub(crate) upgrade_bonus: Decimal,
    pub(crate) reject_upgrade: Option<Rejection>,
}

impl Settings {
    /// A new account: the defaults of its plan, overridden with what the request says.
    pub(crate) fn new(request: &Value, now: Timestamp) -> Result<Self, Invalid> {
        let credit = match request["plan"].as_str() {
            Some("None") => Value::Null,
            _ => json!({"amount": "100.00", "currency": "USD"}),
        };
        let defaults = json!({
            "displayName": "AWS account 1",
            "plan": "Free",
            "credit": credit,
            "burnPerDay": "0",
            // In whole milliseconds, as AWS's dates are.
            "startTime": Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now),
            "planMonths": 6,
            "graceDays": 90,
            "closesAtOnce": true,
            "creditsListed": true,
            "creditLagSeconds": 0,
            "upgradeSeconds": 0,
            "upgradeBonus": "0",
        });
        Self::merged(defaults, request)
    }

    /// This account with the fields that a JSON merge patch (RFC 7386) names changed.
    pub(crate) fn patched(&self, patch: &Value) -> Result<Self, Invalid> {
        Self::merged(serde_json::to_value(self)?, patch)
    }

    fn merged(mut base: Value, patch: &Value) -> Result<Self, Invalid> {
        merge(&mut base, patch);
        let settings: Self = serde_json::from_value(base)?;
        check_id(&settings.account_id)?;
        let name = &settings.display_name;
        if !(1..=50).contains(&name.len()) || !name.bytes().all(|c| (b' '..=b'~').contains(&c) && !b"<>".contains(&c)) {
            return Err(Invalid::Name);
        }
        if let Some(credit) = &settings.credit {
            if credit.amount.is_sign_negative() {
                return Err(Invalid::Negative("credit.amount"));
            }
            if credit.currency.len() != 3 || !credit.currency.bytes().all(|c| c.is_ascii_uppercase()) {
                return Err(Invalid::Currency);
            }
        }
        for (field, amount) in [("burnPerDay", settings.burn_per_day), ("upgradeBonus", settings.upgrade_bonus)] {
            if amount.is_sign_negative() {
                return Err(Invalid::Negative(field));
            }
        }
        if settings.reject_upgrade.as_ref().is_some_and(|rejection| rejection.code.is_empty()) {
            return Err(Invalid::Rejection);
        }
        Ok(settings)
    }
}

/// Whether this is the id of an account of AWS, and not of another cloud.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|c| c.is_ascii_digit())
}

pub(crate) fn check_id(text: &str) -> Result<(), Invalid> {
    if is_id(text) { Ok(()) } else { Err(Invalid::Id(text.to_owned())) }
}
