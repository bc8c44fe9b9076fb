//! The credit of customer agreements, as Microsoft.Consumption has it:
//! <https://learn.microsoft.com/azure/cost-management-billing/manage/mca-check-azure-credits-balance>. Whether it lists
//! the credit of a free account is not documented; that is a setting.

use axum::http::StatusCode;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::account::Snapshot;
use super::arm::{self, Ask};
use super::billing::{self, Billed, HOLDER, number};
use super::errors::error;
use super::ids::derived;
use super::paging;
use super::settings::{Agreement, Settings};
use super::state::Azure;
use crate::credit::Credit;
use crate::message::{Call, Reply};

const OLD: &str = "2021-10-01";
const API_VERSIONS: [&str; 2] = [OLD, "2024-08-01"];
/// What the old version does not have of the properties.
const NEW: [&str; 3] = ["billingAccountId", "billingAccountDisplayName", "isEstimatedBalance"];

/// The credit of an account, as far as it is listed.
struct Balance<'w> {
    settings: &'w Settings,
    credit: &'w Credit,
    /// At the end of the last month, or as granted.
    closed: Decimal,
    /// What is left, as far as is known by now.
    left: Decimal,
    /// What was left when the period ended.
    expired: Decimal,
    /// The time that `left` is about.
    as_of: Timestamp,
}

/// `GET …/billingProfiles/{profile}/providers/Microsoft.Consumption/credits/balanceSummary`: 204 without a credit.
pub(crate) fn balance_summary(azure: &Azure<'_>, ask: &Ask<'_>, account: &str, profile: &str) -> Result<Reply, Reply> {
    let version = arm::api_version(ask.call, &API_VERSIONS)?;
    let (ids, snapshot) = billing::billed_by_profile(azure, ask, account, profile, "billingProfiles/read")?;
    let Some(balance) = balance(azure, &snapshot) else { return Ok(Reply::new(StatusCode::NO_CONTENT, Value::Null)) };
    let amount = |value| balance.amount(value);
    let mut summary = json!({
        "estimatedBalance": amount(balance.left),
        "currentBalance": amount(balance.closed),
    });
    if balance.settings.billing_currency.is_some() {
        summary["estimatedBalanceInBillingCurrency"] = balance.in_billing_currency(balance.left);
    }
    let mut body = json!({
        "id": format!("{}/providers/Microsoft.Consumption/credits/balanceSummary", ids.profile_path()),
        "name": "balanceSummary",
        "type": "Microsoft.Consumption/credits/balanceSummary",
        "eTag": null,
        "properties": {
            "balanceSummary": summary,
            "pendingCreditAdjustments": amount(Decimal::ZERO),
            "expiredCredit": amount(balance.expired),
            "pendingEligibleCharges": amount(balance.left + balance.expired - balance.closed),
            "creditCurrency": balance.credit.currency,
            "billingCurrency": billing::currency(balance.settings),
            "isEstimatedBalance": true,
        },
    });
    in_version(version, &mut body);
    Ok(Reply::new(StatusCode::OK, body))
}

/// Brings something of the newest shape into that of the version.
fn in_version(version: &str, body: &mut Value) {
    if let Some(properties) = body["properties"].as_object_mut().filter(|_| version == OLD) {
        properties.retain(|name, _| !NEW.contains(&name.as_str()));
    }
}

/// `GET …/providers/Microsoft.Consumption/lots` of a billing account, or of one profile.
pub(crate) fn lots(azure: &Azure<'_>, ask: &Ask<'_>, account: &str, profile: Option<&str>) -> Result<Reply, Reply> {
    let version = arm::api_version(ask.call, &API_VERSIONS)?;
    let billed = billing::in_scope(azure, ask, account, profile, "billingProfiles/read")?;
    let mut items: Vec<_> = billed.iter().filter_map(|billed| lot(azure, billed)).collect();
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (_, item) in &mut items {
        in_version(version, item);
    }
    Ok(Reply::new(StatusCode::OK, paging::page(azure, ask.call, &items)?))
}

/// `GET …/providers/Microsoft.Consumption/events?startDate=…&endDate=…`; the dates are required for a profile.
pub(crate) fn events(azure: &Azure<'_>, ask: &Ask<'_>, account: &str, profile: Option<&str>) -> Result<Reply, Reply> {
    let version = arm::api_version(ask.call, &API_VERSIONS)?;
    let (start, end) = (date(ask.call, "startDate")?, date(ask.call, "endDate")?);
    if profile.is_some() && (start.is_none() || end.is_none()) {
        return Err(error(400, "BadRequest", "The query parameters startDate and endDate are required."));
    }
    let billed = billing::in_scope(azure, ask, account, profile, "billingProfiles/read")?;
    let mut items: Vec<_> = billed.iter().flat_map(|billed| events_of(azure, billed)).collect();
    items.retain(|(_, day, _)| start.is_none_or(|start| start <= *day) && end.is_none_or(|end| *day <= end));
    let mut items: Vec<_> = items.into_iter().map(|(name, _, event)| (name, event)).collect();
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (_, item) in &mut items {
        in_version(version, item);
    }
    Ok(Reply::new(StatusCode::OK, paging::page(azure, ask.call, &items)?))
}

fn date(call: &Call, name: &str) -> Result<Option<Date>, Reply> {
    let parse = |text: String| text.get(..10).unwrap_or(&text).parse();
    let date = call.query(name).map(parse).transpose();
    date.map_err(|_| error(400, "BadRequest", &format!("The query parameter {name} must be a date as 2026-01-31.")))
}

fn balance<'w>(azure: &'w Azure<'_>, snapshot: &Snapshot<'w>) -> Option<Balance<'w>> {
    let settings = &snapshot.account.settings;
    let credit = settings.credit.as_ref().filter(|_| settings.lots_listed && settings.agreement == Agreement::Mca)?;
    let lag = SignedDuration::from_secs(settings.balance_lag_seconds.into());
    // Subtracting an absolute duration saturates; the error is for calendar units only.
    let as_of = snapshot.time.saturating_sub(lag).unwrap_or(snapshot.time);
    let left = |time| {
        let account = azure.state.account_at(&settings.subscription_id, time)?;
        if time < settings.start_time { Some(credit.amount) } else { account.credit_left(time) }
    };
    let closed = left(month_start(as_of)).unwrap_or(credit.amount);
    let left = left(as_of).unwrap_or_default();
    let over = snapshot.account.period_end().is_some_and(|end| end <= as_of);
    let (left, expired) = if over { (Decimal::ZERO, left) } else { (left, Decimal::ZERO) };
    Some(Balance { settings, credit, closed, left, expired, as_of })
}

impl Balance<'_> {
    fn amount(&self, value: Decimal) -> Value {
        json!({"currency": self.credit.currency, "value": number(value)})
    }

    fn in_billing_currency(&self, value: Decimal) -> Value {
        let rate = self.settings.billing_currency.as_ref().map_or(Decimal::ONE, |billing| billing.exchange_rate);
        json!({
            "currency": billing::currency(self.settings),
            "value": number(value.saturating_mul(rate).round_dp(2)),
            "exchangeRate": number(rate),
            "exchangeRateMonth": day(self.as_of).month(),
        })
    }

    fn status(&self) -> &'static str {
        if !self.left.is_zero() {
            "Active"
        } else if self.expired.is_zero() {
            "Complete"
        } else {
            "Expired"
        }
    }
}

fn lot(azure: &Azure<'_>, (ids, snapshot): &Billed<'_>) -> Option<(String, Value)> {
    let balance = balance(azure, snapshot)?;
    let settings = balance.settings;
    let name = derived(&settings.subscription_id, "lot");
    let mut properties = json!({
        "originalAmount": balance.amount(balance.credit.amount),
        "closedBalance": balance.amount(balance.closed),
        "source": "PromotionalCredit",
        "status": balance.status(),
        "startDate": settings.start_time,
        "purchasedDate": settings.start_time,
        "poNumber": "",
        "creditCurrency": balance.credit.currency,
        "billingCurrency": billing::currency(settings),
        "isEstimatedBalance": true,
    });
    if let Some(end) = snapshot.account.period_end() {
        properties["expirationDate"] = json!(end);
    }
    if settings.billing_currency.is_some() {
        properties["originalAmountInBillingCurrency"] = balance.in_billing_currency(balance.credit.amount);
        properties["closedBalanceInBillingCurrency"] = balance.in_billing_currency(balance.closed);
    }
    let body = json!({
        "id": format!("{}/providers/Microsoft.Consumption/lots/{name}", ids.profile_path()),
        "name": name,
        "type": "Microsoft.Consumption/lots",
        "eTag": null,
        "properties": properties,
    });
    Some((name, body))
}

/// What happened to the credit, with the day: granted, charged in each month, expired.
fn events_of(azure: &Azure<'_>, billed: &Billed<'_>) -> Vec<(String, Date, Value)> {
    let (_, snapshot) = billed;
    let Some(balance) = balance(azure, snapshot) else { return Vec::new() };
    let settings = balance.settings;
    let granted = balance.credit.amount;
    let mut events = vec![event(&balance, billed, settings.start_time, ("NewCredit", "newCredit", granted), granted)];
    let period_end = snapshot.account.period_end().unwrap_or(Timestamp::MAX);
    let mut left = granted;
    let mut month = settings.start_time;
    while month < period_end && next_month(month) <= balance.as_of {
        month = next_month(month);
        let then =
            azure.state.account_at(&settings.subscription_id, month).and_then(|account| account.credit_left(month));
        let then = then.unwrap_or(left);
        // The last second of the month or of the period.
        let closing = month.min(period_end) - SignedDuration::from_secs(1);
        if then != left {
            events.push(event(&balance, billed, closing, ("SettledCharges", "charges", then - left), then));
        }
        left = then;
    }
    let pending = balance.left + balance.expired;
    if pending < left {
        events.push(event(
            &balance,
            billed,
            balance.as_of.min(period_end),
            ("PendingCharges", "charges", pending - left),
            pending,
        ));
    }
    if !balance.expired.is_zero() {
        let what = ("CreditExpired", "creditExpired", -balance.expired);
        events.push(event(&balance, billed, period_end, what, Decimal::ZERO));
    }
    events
}

fn event(
    balance: &Balance<'_>,
    (ids, _): &Billed<'_>,
    time: Timestamp,
    (kind, field, value): (&str, &str, Decimal),
    closed: Decimal,
) -> (String, Date, Value) {
    let (settings, name) =
        (balance.settings, derived(&balance.settings.subscription_id, &format!("{kind}/{}", day(time))));
    // In the order of time, as pages are.
    let name = format!("{}-{name}", time.strftime("%Y%m%d%H%M%S"));
    let mut properties = json!({
        "transactionDate": time,
        "description": kind,
        "eventType": kind,
        "billingAccountId": ids.account_path(),
        "billingAccountDisplayName": HOLDER,
        "billingProfileId": ids.profile_path(),
        "billingProfileDisplayName": HOLDER,
        "lotId": derived(&settings.subscription_id, "lot"),
        "lotSource": "PromotionalCredit",
        "closedBalance": balance.amount(closed),
        "creditCurrency": balance.credit.currency,
        "billingCurrency": billing::currency(settings),
        "isEstimatedBalance": kind.starts_with("Pending"),
    });
    for field in ["newCredit", "adjustments", "creditExpired", "charges", "canceledCredit"] {
        properties[field] = balance.amount(Decimal::ZERO);
    }
    properties[field] = balance.amount(value);
    let body = json!({
        "id": format!("{}/providers/Microsoft.Consumption/events/{name}", ids.profile_path()),
        "name": name,
        "type": "Microsoft.Consumption/events",
        "eTag": null,
        "properties": properties,
    });
    (name, day(time), body)
}

fn day(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

fn month_start(time: Timestamp) -> Timestamp {
    midnight(day(time).first_of_month(), time)
}

fn next_month(time: Timestamp) -> Timestamp {
    day(time).last_of_month().tomorrow().map_or(Timestamp::MAX, |date| midnight(date, Timestamp::MAX))
}

fn midnight(date: Date, otherwise: Timestamp) -> Timestamp {
    date.to_zoned(TimeZone::UTC).map_or(otherwise, |zoned| zoned.timestamp())
}
