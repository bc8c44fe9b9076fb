//! What the Free Tier API says of an account's plan, checked: the SDK makes values up where required fields are missing, and lets
//! unknown ones pass.

use std::fmt;

use aws_sdk_freetier::operation::get_account_plan_state::GetAccountPlanStateOutput;
use aws_sdk_freetier::operation::upgrade_account_plan::UpgradeAccountPlanOutput;
use aws_sdk_freetier::primitives::DateTime;
use aws_sdk_freetier::types::{AccountPlanStatus, AccountPlanType, CurrencyCode, MonetaryAmount};
use jiff::Timestamp;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::core::account::AwsAccountId;
use crate::core::money::Money;
use crate::core::provider::ProviderError;
use crate::providers::http::excerpt;

/// A plan.
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
    /// The credit left.
    pub(super) credit: Option<Money>,
    /// When the Free plan ends at the latest.
    pub(super) expires: Option<Timestamp>,
}

impl Plan {
    /// The plan of `account` in an answer.
    pub(super) fn of(answer: &GetAccountPlanStateOutput, account: &AwsAccountId) -> Result<Self, ProviderError> {
        let (kind, status) =
            checked(&answer.account_id, &answer.account_plan_type, &answer.account_plan_status, account)?;
        let credit = answer.account_plan_remaining_credits.as_ref().map(credit).transpose();
        let expires = answer.account_plan_expiration_date.map(time).transpose();
        // Of a Paid plan nothing more is decided: an odd number in it does not keep an upgrade from being confirmed.
        if kind == PlanType::Paid {
            return Ok(Self { kind, status, credit: credit.unwrap_or(None), expires: expires.unwrap_or(None) });
        }
        Ok(Self { kind, status, credit: credit?, expires: expires? })
    }

    /// A text that changes when there is something new to see: the credit in whole units of its currency, too, so that one that
    /// is suddenly used up is looked at in minutes.
    pub(super) fn mark(&self) -> String {
        format!("{:?} {:?} {:?}", self.kind, self.status, self.credit.map(|left| left.amount.floor()))
    }

    /// The plan and its status, as the answer to an upgrade of `account` tells them.
    pub(super) fn upgraded(answer: &UpgradeAccountPlanOutput, account: &AwsAccountId) -> Result<(), ProviderError> {
        let (kind, _) = checked(&answer.account_id, &answer.account_plan_type, &answer.account_plan_status, account)?;
        match kind {
            PlanType::Paid => Ok(()),
            PlanType::Free => Err(odd("it accepts the upgrade and tells of a Free plan")),
        }
    }
}

/// What every answer about a plan tells, if all of it is there and known.
fn checked(
    id: &str,
    kind: &AccountPlanType,
    status: &AccountPlanStatus,
    account: &AwsAccountId,
) -> Result<(PlanType, PlanStatus), ProviderError> {
    match AwsAccountId::parse(id) {
        Some(found) if found == *account => {}
        Some(found) => return Err(ProviderError::WrongAccount { found: format!("AWS account {found}") }),
        None => return Err(odd(format_args!("its account id is {:?}", excerpt(id)))),
    }
    let kind = match kind {
        AccountPlanType::Free => PlanType::Free,
        AccountPlanType::Paid => PlanType::Paid,
        other => return Err(odd(format_args!("its plan is {:?}", excerpt(other.as_str())))),
    };
    let status = match status {
        AccountPlanStatus::NotStarted => PlanStatus::NotStarted,
        AccountPlanStatus::Active => PlanStatus::Active,
        AccountPlanStatus::Expired => PlanStatus::Expired,
        other => return Err(odd(format_args!("the status of its plan is {:?}", excerpt(other.as_str())))),
    };
    Ok((kind, status))
}

/// The credit, exactly as it was written: what is left must never read as nothing.
fn credit(credit: &MonetaryAmount) -> Result<Money, ProviderError> {
    if credit.unit != CurrencyCode::Usd {
        return Err(odd(format_args!("the currency of its credit is {:?}", excerpt(credit.unit.as_str()))));
    }
    // A float is displayed with the digits that tell it from every other, and without an exponent.
    let exact = Decimal::from_str_exact(&credit.amount.to_string()).ok();
    let amount = exact.or_else(|| residue(credit.amount));
    let money = amount.and_then(|amount| Money::parse(&amount.to_string(), "USD"));
    money.ok_or_else(|| odd(format_args!("its credit is {:e}", credit.amount)))
}

/// What is left by the inexactness of floating point has more digits than any amount of money: it is rounded upwards, and
/// something stays something.
fn residue(amount: f64) -> Option<Decimal> {
    if amount.is_nan() || amount.abs() >= 1.0 {
        return None;
    }
    let least = Decimal::new(1, 9);
    let rounded = Decimal::from_f64_retain(amount)?.round_dp_with_strategy(9, RoundingStrategy::ToPositiveInfinity);
    Some(if amount > 0.0 { rounded.max(least) } else { rounded.max(-least).min(Decimal::ZERO) })
}

/// A time of the SDK.
pub(super) fn time(time: DateTime) -> Result<Timestamp, ProviderError> {
    let nanoseconds = i32::try_from(time.subsec_nanos()).unwrap_or_default();
    Timestamp::new(time.secs(), nanoseconds).map_err(|_| odd("a date in it is beyond all calendars"))
}

fn odd(what: impl fmt::Display) -> ProviderError {
    ProviderError::Protocol { detail: format!("the Free Tier API's answer cannot be used: {what}") }
}
