//! The Billing API, as far as it lists the credits of an account.
//! <https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_billing_GetCredits.html>

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ring::digest;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::Account;
use super::errors::{Failure, Problem};
use super::free_tier::parse;
use super::principals::Caller;
use super::service::JSON_1_0;
use super::settings;
use super::state::Aws;
use crate::message::{Call, Reply};

/// How far back the period may begin. A year, and the day that clients may differ by.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 366);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    account_id: Option<String>,
    /// Seconds, perhaps with a fraction.
    start_date: Option<f64>,
    end_date: Option<f64>,
}

/// `GetCredits`. There are no organizations here: `payerAccountFlag` changes nothing.
pub(crate) fn get_credits(aws: &Aws<'_>, caller: &Caller, call: &Call, stale: u32) -> Result<Reply, Failure> {
    caller.check("billing:GetCredits")?;
    let request: Request = parse(call)?;
    let id = request.account_id.ok_or_else(|| invalid("accountId", "accountId is required."))?;
    if !settings::is_id(&id) {
        return Err(invalid("accountId", "accountId must have twelve digits."));
    }
    let now = aws.ground.clock.now();
    let start = request.start_date.map(time).ok_or_else(|| invalid("startDate", "startDate is required."))?;
    if start > now || now.duration_since(start) > LONGEST {
        return Err(invalid("startDate", "startDate must be in the past, at most one year before the current date."));
    }
    let end = request.end_date.map_or(now, time);
    if end > now || end < start {
        return Err(invalid("endDate", "endDate must not be in the future, nor before startDate."));
    }
    if id != caller.account {
        let text = format!("User: {} is not authorized to perform: billing:GetCredits on the account {id}", caller.arn);
        return Err(Failure::new(Problem::AccessDenied, text));
    }
    let account = aws.state.account_at(&id, aws.ground.ago(stale));
    let credit = account.and_then(|account| credit(aws, account, stale));
    let within = |(first, last): (Timestamp, Timestamp)| first <= end && last >= start;
    let listed = account.is_some_and(|account| account.settings.credits_listed && within(account.credit_period()));
    let credits: Vec<Value> = credit.filter(|_| listed).into_iter().collect();
    Ok(Reply::json_of(200, JSON_1_0, json!({"credits": credits})))
}

/// The credit of an account. Bills are final at the end of a month: `remainingAmount` is of then, `estimatedAmount` has
/// the open bill taken off.
fn credit(aws: &Aws<'_>, account: &Account, stale: u32) -> Option<Value> {
    let settings = &account.settings;
    let currency = &settings.credit.as_ref()?.currency;
    let behind = aws.ground.ago(stale.saturating_add(settings.credit_lag_seconds));
    let account = aws.state.account_at(&settings.account_id, behind)?;
    let amount =
        |amount: Decimal| json!({"currencyCode": currency, "currencyAmount": format!("{:.2}", amount.round_dp(2))});
    let granted = account.granted()?;
    let (first, last) = account.credit_period();
    let month = month_start(behind);
    let at_month = aws.state.account_at(&settings.account_id, month)?;
    let remaining = if month <= first { granted } else { at_month.credit_left(month)? };
    let mut credit = json!({
        "creditId": credit_id(&settings.account_id),
        "accountId": settings.account_id,
        "creditType": "Promotion",
        "initialAmount": amount(granted),
        "remainingAmount": amount(remaining.min(granted)),
        "estimatedAmount": amount(account.credit_left(behind)?),
        "description": "AWS Free Tier credits",
        "startDate": epoch(first),
        "endDate": epoch(last),
        "applicationType": "AFTER_DISCOUNTS",
        "shareableAccounts": [settings.account_id],
        "accountHasCreditSharingEnabled": true,
        "creditSharingType": "DEFAULT",
        "creditStatus": "ENABLED",
    });
    if let Some(spent) = account.spent_up(behind) {
        credit["exhaustDate"] = epoch(spent);
    }
    Some(credit)
}

fn invalid(field: &str, message: &str) -> Failure {
    Failure::new(Problem::Invalid, message)
        .with("reason", json!("fieldValidationFailed"))
        .with("fieldList", json!([{"name": field, "message": message}]))
}

/// An id of digits: made up, but always the same.
fn credit_id(account: &str) -> String {
    let hash = digest::digest(&digest::SHA256, account.as_bytes());
    hash.as_ref().iter().take(10).map(|byte| char::from(b'0' + byte % 10)).collect()
}

/// A time of the wire; one that no calendar has becomes the nearest that one has.
#[expect(clippy::cast_possible_truncation, reason = "a cast saturates")]
fn time(seconds: f64) -> Timestamp {
    let end = if seconds < 0.0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond((seconds * 1000.0) as i64).unwrap_or(end)
}

/// Seconds of Unix time, with a fraction only if there is one.
fn epoch(time: Timestamp) -> Value {
    match time.as_millisecond() % 1000 {
        0 => json!(time.as_second()),
        _ => json!(time.as_duration().as_secs_f64()),
    }
}

fn month_start(time: Timestamp) -> Timestamp {
    let first = time.to_zoned(TimeZone::UTC).first_of_month().and_then(|day| day.start_of_day());
    first.map_or(time, |zoned| zoned.timestamp())
}
