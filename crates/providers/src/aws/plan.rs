//! What the Free Tier API says of an account's plan, read from the document as it was sent and checked: the SDK makes values up
//! where required ones are missing, and lets unknown ones pass.

use std::fmt;

use jiff::Timestamp;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::document::{self, decimal};
use crate::http::excerpt;
use payg_core::account::AwsAccountId;
use payg_core::money::Money;
use payg_core::provider::ProviderError;

/// What every answer about a plan contains:
/// <https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_freetier_UpgradeAccountPlan.html>
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "accountId")]
    id: Option<String>,
    #[serde(rename = "accountPlanType")]
    kind: Option<String>,
    #[serde(rename = "accountPlanStatus")]
    status: Option<String>,
    #[serde(rename = "accountPlanRemainingCredits")]
    credit: Option<Box<RawValue>>,
    #[serde(rename = "accountPlanExpirationDate")]
    expires: Option<Box<RawValue>>,
}

/// An amount of money, with its digits as they were sent.
#[derive(Deserialize)]
struct Amount {
    amount: Option<Box<RawValue>>,
    unit: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlanType {
    Free,
    Paid,
}

/// Where a plan is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlanStatus {
    NotStarted,
    Active,
    Expired,
}

/// The plan record of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) kind: PlanType,
    pub(super) status: PlanStatus,
    pub(super) credit: Option<Money>,
    /// When the Free plan ends at the latest.
    pub(super) expires: Option<Timestamp>,
}

impl Plan {
    /// The plan of `account` in the `answer` of the Free Tier API.
    pub(super) fn of(answer: &[u8], account: &AwsAccountId) -> Result<Self, ProviderError> {
        let told: Told = document::read(answer).map_err(|error| malformed(&error))?;
        let (kind, status) = checked(&told, account)?;
        let credit = told.credit.as_deref().map(credit).transpose();
        let expires = told.expires.as_deref().map(time).transpose();
        // Of a Paid plan nothing more is decided: an odd number in it does not keep an upgrade from being confirmed.
        if kind == PlanType::Paid {
            return Ok(Self { kind, status, credit: credit.unwrap_or(None), expires: expires.unwrap_or(None) });
        }
        Ok(Self { kind, status, credit: credit?, expires: expires? })
    }

    /// A text that changes when there is something new to see: the credit in whole units of its currency, too, so that one that
    /// is suddenly used up is observed in minutes.
    pub(super) fn mark(&self) -> String {
        format!("{:?} {:?} {:?}", self.kind, self.status, self.credit.map(|left| left.amount.floor()))
    }

    /// Checks that the answer to an upgrade of `account` is about it, in a known status, and names the Paid plan.
    pub(super) fn upgraded(answer: &[u8], account: &AwsAccountId) -> Result<(), ProviderError> {
        let told: Told = document::read(answer).map_err(|error| malformed(&error))?;
        match checked(&told, account)?.0 {
            PlanType::Paid => Ok(()),
            PlanType::Free => Err(odd("it accepts the upgrade but reports a Free plan")),
        }
    }
}

/// The plan of `account` and its status, if both are there and known.
fn checked(told: &Told, account: &AwsAccountId) -> Result<(PlanType, PlanStatus), ProviderError> {
    let id = told.id.as_deref().ok_or_else(|| odd("its account id is missing"))?;
    match AwsAccountId::parse(id) {
        Some(found) if found == *account => {}
        Some(found) => return Err(ProviderError::WrongAccount { found: format!("AWS account {found}") }),
        None => return Err(odd(format_args!("its account id is {:?}", excerpt(id)))),
    }
    let kind = match told.kind.as_deref() {
        Some("FREE") => PlanType::Free,
        Some("PAID") => PlanType::Paid,
        Some(other) => return Err(odd(format_args!("its plan is {:?}", excerpt(other)))),
        None => return Err(odd("its plan is missing")),
    };
    let status = match told.status.as_deref() {
        Some("NOT_STARTED") => PlanStatus::NotStarted,
        Some("ACTIVE") => PlanStatus::Active,
        Some("EXPIRED") => PlanStatus::Expired,
        Some(other) => return Err(odd(format_args!("the status of its plan is {:?}", excerpt(other)))),
        None => return Err(odd("the status of its plan is missing")),
    };
    Ok((kind, status))
}

/// The credit, exactly as it was written: what is left must never read as nothing.
fn credit(sent: &RawValue) -> Result<Money, ProviderError> {
    let Amount { amount, unit } = part(sent)?;
    match unit.as_deref() {
        Some("USD") => {}
        Some(other) => return Err(odd(format_args!("the currency of its credit is {:?}", excerpt(other)))),
        None => return Err(odd("the currency of its credit is missing")),
    }
    let amount = amount.ok_or_else(|| odd("the amount of its credit is missing"))?;
    let exact = decimal(&amount).or_else(|| residue(amount.get()));
    let money = exact.and_then(|amount| Money::parse(&amount.to_string(), "USD"));
    money.ok_or_else(|| odd(format_args!("the amount of its credit is {}", excerpt(amount.get()))))
}

/// What is left by the inexactness of floating point has more digits than any amount of money: it is rounded upwards, and
/// something stays something.
fn residue(digits: &str) -> Option<Decimal> {
    let size = digits.parse::<f64>().ok().filter(|size| size.abs() < 1.0)?;
    let least = Decimal::new(1, 9);
    let rounded = Decimal::from_f64_retain(size)?.round_dp_with_strategy(9, RoundingStrategy::ToPositiveInfinity);
    Some(if digits.starts_with('-') { rounded.max(-least).min(Decimal::ZERO) } else { rounded.max(least) })
}

/// A date and time: RFC 3339.
fn time(sent: &RawValue) -> Result<Timestamp, ProviderError> {
    let text: String = part(sent)?;
    text.parse().map_err(|_| odd(format_args!("its expiration date is {:?}", excerpt(&text))))
}

fn part<T: DeserializeOwned>(sent: &RawValue) -> Result<T, ProviderError> {
    document::part(sent).map_err(|error| malformed(&error))
}

fn malformed(error: &serde_json::Error) -> ProviderError {
    odd(format_args!("it is malformed: {}", excerpt(&error.to_string())))
}

fn odd(what: impl fmt::Display) -> ProviderError {
    ProviderError::Protocol { detail: format!("the Free Tier API's answer cannot be used: {what}") }
}
