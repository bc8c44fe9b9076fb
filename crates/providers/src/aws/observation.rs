//! One observation of an account: what is read of it, and in which order.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_billing::primitives::DateTime;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::Deserialize;
use tokio::time::timeout;

use super::connector::Heard;
use super::failure::{Failure, NO_RECORD};
use super::interpret::{self, Stamp, State};
use super::plan::{Plan, PlanType};
use crate::document;
use crate::http::excerpt;
use payg_core::account::AwsAccountId;
use payg_core::money::{Currency, Money};
use payg_core::observation::{Observation, Unread};
use payg_core::provider::ProviderError;
use payg_core::source::{Origin, Source};

const READ_PLAN: &str = "freetier:GetAccountPlanState";
const READ_STATE: &str = "account:GetAccountInformation";
const READ_CREDITS: &str = "billing:GetCredits";
/// How far back credits are asked for; AWS lists those of a year at most, by its own clock.
const CREDITS_SINCE: SignedDuration = SignedDuration::from_hours(360 * 24);

/// How long that may take: the observation does not wait longer for it.
const GRANTED_WITHIN: Duration = Duration::from_secs(5);

/// What the credentials may not tell.
enum Seen<T> {
    Yes(T),
    Denied,
}

/// Looks at `account`, which the credentials in `config` belong to; its answers are `heard`.
pub(super) async fn at(
    config: &SdkConfig,
    heard: &Heard,
    account: &AwsAccountId,
    now: &(dyn Fn() -> Timestamp + Sync),
) -> Result<Observation, ProviderError> {
    let plan = plan(config, heard, account).await?;
    let (observed, provider_time) = (now(), heard.date());
    let mut stamp = Stamp { observed, provider_time, source: Source::from([Origin::GetAccountPlanState]) };
    // Of an account that is not on the Free plan nothing more is decided.
    if plan.as_ref().is_none_or(|plan| plan.kind != PlanType::Free) {
        return Ok(interpret::observation(plan.as_ref(), None, None, &stamp));
    }
    let (mut unread, mut remarks) = (Vec::new(), Vec::new());
    let state = match state(config, heard, account).await? {
        Seen::Yes(state) => {
            stamp.source = Source::from([Origin::GetAccountPlanState, Origin::GetAccountInformation]);
            Some(state)
        }
        Seen::Denied => {
            unread.push(Unread { what: "the account's state".to_owned(), permission: READ_STATE.to_owned() });
            None
        }
    };
    // It is shown, and nothing is decided on it: the observation does not fail for it.
    let granted = timeout(GRANTED_WITHIN, granted(config, heard, account, observed)).await;
    let granted = granted.unwrap_or_else(|_| Err(format!("{READ_CREDITS}: no answer in time"))).unwrap_or_else(|why| {
        remarks.push(format!("The amount of credit granted is not known: {why}."));
        None
    });
    let mut seen = interpret::observation(plan.as_ref(), state, granted, &stamp);
    seen.unread.append(&mut unread);
    seen.remarks.append(&mut remarks);
    Ok(seen)
}

/// The plan record of `account`, where there is one.
/// <https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_freetier_GetAccountPlanState.html>
pub(super) async fn plan(
    config: &SdkConfig,
    heard: &Heard,
    account: &AwsAccountId,
) -> Result<Option<Plan>, ProviderError> {
    match aws_sdk_freetier::Client::new(config).get_account_plan_state().send().await.map_err(Failure::from) {
        Ok(_) => Plan::of(&heard.document(), account).map(Some),
        Err(failure) if failure.code() == Some(NO_RECORD) => Ok(None),
        Err(failure) => Err(failure.of_read(READ_PLAN)),
    }
}

/// <https://docs.aws.amazon.com/accounts/latest/reference/API_GetAccountInformation.html>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Information {
    account_id: Option<String>,
    account_state: Option<String>,
}

async fn state(config: &SdkConfig, heard: &Heard, account: &AwsAccountId) -> Result<Seen<State>, ProviderError> {
    match aws_sdk_account::Client::new(config).get_account_information().send().await.map_err(Failure::from) {
        Ok(_) => {}
        Err(failure) if failure.is_forbidden() => return Ok(Seen::Denied),
        Err(failure) => return Err(failure.of_read(READ_STATE)),
    }
    told(&heard.document(), account).map(Seen::Yes)
}

/// The state of `account` in the `answer` of Account Management.
pub(super) fn told(answer: &[u8], account: &AwsAccountId) -> Result<State, ProviderError> {
    let odd = |what| ProviderError::Protocol { detail: format!("the answer to {READ_STATE} cannot be used: {what}") };
    let told: Information =
        document::read(answer).map_err(|error| odd(format!("it is malformed: {}", excerpt(&error.to_string()))))?;
    match told.account_id.as_deref().map(AwsAccountId::parse) {
        Some(Some(found)) if found == *account => {}
        Some(Some(found)) => return Err(ProviderError::WrongAccount { found: format!("AWS account {found}") }),
        _ => return Err(odd("it names no account".to_owned())),
    }
    match told.account_state.as_deref() {
        Some("PENDING_ACTIVATION") => Ok(State::PendingActivation),
        Some("ACTIVE") => Ok(State::Active),
        Some("SUSPENDED") => Ok(State::Suspended),
        Some("CLOSED") => Ok(State::Closed),
        Some(other) => Err(odd(format!("the account's state is {:?}", excerpt(other)))),
        None => Err(odd("the account has no state".to_owned())),
    }
}

/// <https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_billing_GetCredits.html>
#[derive(Deserialize)]
struct Credits {
    credits: Option<Vec<Credit>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credit {
    account_id: Option<String>,
    #[serde(rename = "creditStatus")]
    status: Option<String>,
    initial_amount: Option<Amount>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Amount {
    currency_code: Option<String>,
    /// A decimal, as text.
    currency_amount: Option<String>,
}

/// The sum of the credits that the account was granted, if that is known; or why it is not.
async fn granted(
    config: &SdkConfig,
    heard: &Heard,
    account: &AwsAccountId,
    now: Timestamp,
) -> Result<Option<Money>, String> {
    let since = DateTime::from_secs(now.saturating_sub(CREDITS_SINCE).unwrap_or(now).as_second());
    let request = aws_sdk_billing::Client::new(config).get_credits().account_id(account.to_string()).start_date(since);
    request.send().await.map_err(|error| match Failure::from(error) {
        failure if failure.is_forbidden() => format!("the credentials lack {READ_CREDITS}"),
        failure => failure.of_read(READ_CREDITS).to_string(),
    })?;
    sum(&heard.document(), account)
}

/// What the credits of `account` in the `answer` of Billing sum up to.
pub(super) fn sum(answer: &[u8], account: &AwsAccountId) -> Result<Option<Money>, String> {
    let told: Credits = document::read(answer)
        .map_err(|error| format!("the answer to {READ_CREDITS} is malformed: {}", excerpt(&error.to_string())))?;
    let mut sum = None;
    for credit in told.credits.ok_or("AWS does not list the credits")? {
        let owner = credit.account_id.as_deref().ok_or("AWS does not report the owner of a credit")?;
        match credit.status.as_deref() {
            _ if owner != account.to_string() => continue,
            Some("ENABLED") => {}
            Some("DISABLED") => continue,
            _ => return Err("AWS does not report whether a credit may be used".to_owned()),
        }
        let amount =
            credit.initial_amount.as_ref().and_then(usd).ok_or("AWS reports a credit that is not an amount in USD")?;
        sum = Some(sum.unwrap_or(Decimal::ZERO).checked_add(amount).ok_or("AWS reports credits too large to add up")?);
    }
    Ok(sum.and_then(|sum| Money::new(sum, Currency::parse("USD")?)))
}

fn usd(amount: &Amount) -> Option<Decimal> {
    let text = amount.currency_amount.as_deref().filter(|_| amount.currency_code.as_deref() == Some("USD"))?;
    Decimal::from_str_exact(text).ok().filter(|amount| *amount >= Decimal::ZERO)
}
