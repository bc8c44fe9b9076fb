//! The Free Tier API: what plan an account is on, and the upgrade to the paid one.
//! <https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_Operations_AWS_Free_Tier.html>

use jiff::Timestamp;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::{PlanType, Refusal};
use super::errors::{Failure, Problem};
use super::principals::Caller;
use super::service::JSON_1_0;
use super::state::Aws;
use crate::ground::By;
use crate::message::{Call, Reply};

/// <https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_freetier_GetAccountPlanState.html>
pub(crate) fn get_account_plan_state(
    aws: &Aws<'_>,
    caller: &Caller,
    call: &Call,
    stale: u32,
) -> Result<Reply, Failure> {
    caller.check("freetier:GetAccountPlanState")?;
    parse::<Value>(call)?;
    let id = &caller.account;
    let time = aws.ground.ago(stale);
    let account = aws.state.account_at(id, time).ok_or_else(|| no_record(id))?;
    let now = account.at(time);
    let (plan, status) = now.plan.ok_or_else(|| no_record(id))?;
    let mut body = json!({"accountId": id, "accountPlanType": plan.name(), "accountPlanStatus": status.name()});
    if let Some(credit) = &account.settings.credit {
        let behind = aws.ground.ago(stale.saturating_add(account.settings.credit_lag_seconds));
        let left = aws.state.account_at(id, behind).and_then(|then| then.credit_left(behind)).unwrap_or_default();
        body["accountPlanRemainingCredits"] = json!({"amount": double(left), "unit": credit.currency});
    }
    if let Some(end) = account.plan_end().filter(|_| plan == PlanType::Free) {
        body["accountPlanExpirationDate"] = json!(iso_8601(end));
    }
    Ok(Reply::json_of(200, JSON_1_0, body))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Upgrade {
    account_plan_type: Option<String>,
}

/// <https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_freetier_UpgradeAccountPlan.html>: the answer
/// has the type that was asked for, and the status that the plan has now. What it answers on the paid plan, and to the
/// wish for the free one, is a guess.
pub(crate) fn upgrade_account_plan(aws: &mut Aws<'_>, caller: &Caller, call: &Call) -> Result<Reply, Failure> {
    caller.check("freetier:UpgradeAccountPlan")?;
    let wrong = |message: &str| Err(Failure::new(Problem::Invalid, message));
    match parse::<Upgrade>(call)?.account_plan_type.as_deref() {
        Some("PAID") => {}
        Some("FREE") => return wrong("An account plan can only be upgraded to PAID."),
        Some(other) => {
            return wrong(&format!(
                "1 validation error detected: Value '{other}' at 'accountPlanType' failed to satisfy constraint: Member \
                 must satisfy enum value set: [FREE, PAID]"
            ));
        }
        None => {
            return wrong(
                "1 validation error detected: Value at 'accountPlanType' failed to satisfy constraint: Member must not be \
                 null",
            );
        }
    }
    let (id, now) = (&caller.account, aws.ground.clock.now());
    let account = aws.state.account(id).cloned().ok_or_else(|| no_record(id))?;
    let by = By::Caller(caller.arn.clone());
    match account.can_upgrade(&by, now) {
        Ok(()) => aws.apply_upgrade(account, by, now),
        Err(Refusal::AlreadyPaid) => {}
        Err(Refusal::NoRecord | Refusal::Gone) => return Err(no_record(id)),
        Err(Refusal::Closed) => return wrong("The account is closed."),
        Err(Refusal::Rejected(rejection)) => {
            let status = if rejection.code == "InternalServerException" { 500 } else { 400 };
            return Err(Failure::other(status, &rejection.code, rejection.message));
        }
    }
    let (_, status) = aws.state.account(id).and_then(|account| account.at(now).plan).ok_or_else(|| no_record(id))?;
    let body = json!({"accountId": id, "accountPlanType": "PAID", "accountPlanStatus": status.name()});
    Ok(Reply::json_of(200, JSON_1_0, body))
}

/// What accounts older than the plans get, and members of organizations; the text is from users' reports.
fn no_record(id: &str) -> Failure {
    Failure::other(400, "ResourceNotFoundException", format!("Missing data for account: {id}"))
}

pub(crate) fn parse<T: for<'de> Deserialize<'de>>(call: &Call) -> Result<T, Failure> {
    let wrong = |_| Failure::new(Problem::Malformed, "The request body is not what the operation takes.");
    serde_json::from_slice(&call.body).map_err(wrong)
}

/// An amount of money as a number, to the cent.
fn double(amount: Decimal) -> f64 {
    amount.round_dp(2).to_f64().unwrap_or_default()
}

/// A time in UTC with milliseconds.
pub(crate) fn iso_8601(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
