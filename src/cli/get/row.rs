//! A Subscription as a row of the table, from its status alone.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kube::ResourceExt;
use kube::api::DynamicObject;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::super::columns::{Cell, Style};
use super::super::show;
use crate::operator::parse;
use payg_api::{Benefit, Subscription, SubscriptionStatus};
use payg_core::reason::ConditionType;

/// The columns; the first one is left out within a namespace, those from [`NARROW`] on without `-o wide`.
pub const HEADINGS: [&str; 13] = [
    "NAMESPACE",
    "NAME",
    "OFFER",
    "CREDIT LEFT",
    "DAYS LEFT",
    "USED UP",
    "STATUS",
    "",
    "ACCOUNT",
    "WANTED",
    "COST AFTER",
    "HASH",
    "MESSAGE",
];
/// Their least widths while rows are printed one by one.
pub const WIDTHS: [usize; HEADINGS.len()] = [9, 20, 11, 28, 9, 11, 21, 11, 42, 30, 15, 32, 0];
/// How many of them are shown without `-o wide`.
pub const NARROW: usize = 8;

/// How many characters the bar of a credit has.
const BAR: usize = 8;

/// The cells of a Subscription at `now` (billing clock).
pub fn row(object: &DynamicObject, now: Timestamp) -> Vec<Cell> {
    let name = Cell::new(show::printable(&object.name_any()), Style::Bold);
    let namespace = Cell::plain(object.namespace().unwrap_or_default());
    let Ok(subscription) = object.clone().try_parse::<Subscription>() else {
        let unread =
            ["-", "-", "-", "-", "cannot be read by this version", "", "-", "-", "-", "-", "-"].map(Cell::plain);
        return [namespace, name].into_iter().chain(unread).collect();
    };
    let status = subscription.status.clone().unwrap_or_default();
    let text = |text: String| Cell::plain(show::printable(&text));
    let (verdict, style) = verdict(&subscription);
    vec![
        namespace,
        name,
        offer(&status),
        text(credit(&status).unwrap_or_else(dash)),
        text(days_left(&status, now).unwrap_or_else(dash)),
        text(used_up(&status).unwrap_or_else(dash)),
        Cell::new(show::printable(&verdict), style),
        mark(&subscription),
        text(show::account(&subscription)),
        text(show::wish(&subscription)),
        text(cost(&status).unwrap_or_else(dash)),
        text(status.transition.as_ref().map_or_else(dash, |transition| transition.hash.clone())),
        text(
            show::condition(&subscription, ConditionType::Ready)
                .map_or_else(String::new, |ready| ready.message.clone()),
        ),
    ]
}

fn dash() -> String {
    "-".to_owned()
}

fn offer(status: &SubscriptionStatus) -> Cell {
    let class = status.offer.as_ref().map_or("-", |offer| &*offer.offer.class);
    Cell::new(show::printable(class), if class == "PayAsYouGo" { Style::Good } else { Style::Plain })
}

/// The reason of Ready, with a remark if it is about an earlier manifest.
fn verdict(subscription: &Subscription) -> (String, Style) {
    let Some(ready) = show::condition(subscription, ConditionType::Ready) else {
        return ("not seen yet".to_owned(), Style::Dim);
    };
    let stalled = show::condition(subscription, ConditionType::Stalled).is_some_and(|stalled| stalled.status == "True");
    let style = match ready.status.as_str() {
        "True" => Style::Good,
        _ if stalled => Style::Bad,
        _ => Style::Pending,
    };
    let is_current = ready.observed_generation == subscription.metadata.generation;
    let changed = if is_current { "" } else { " (before the last change)" };
    (format!("{}{changed}", ready.reason), if is_current { style } else { Style::Pending })
}

/// What the portal shows beside an account that can be upgraded now.
fn mark(subscription: &Subscription) -> Cell {
    let available =
        show::condition(subscription, ConditionType::UpgradeAvailable).is_some_and(|said| said.status == "True");
    if available { Cell::new("Upgrade now", Style::Bold) } else { Cell::plain("") }
}

fn benefit<'a>(status: &'a SubscriptionStatus, kind: &str) -> Option<&'a Benefit> {
    status.benefits.iter().find(|benefit| &*benefit.kind == kind)
}

/// The credit left, with a bar; not every provider reports how much that is.
fn credit(status: &SubscriptionStatus) -> Option<String> {
    let credit = benefit(status, "Credit")?;
    let money = |amount| show::money(amount, credit.currency.as_deref());
    match (credit.remaining, credit.granted) {
        // Spent only if state and amount agree. If they contradict each other, the amount is shown.
        (None, _) if &*credit.state == "Exhausted" => Some(format!("{} spent", bar(Decimal::ZERO))),
        (Some(left), _) if &*credit.state == "Exhausted" && left.decimal().is_zero() => {
            Some(format!("{} spent", bar(Decimal::ZERO)))
        }
        (Some(remaining), Some(granted)) if !granted.decimal().is_zero() => {
            let share = remaining.decimal().checked_div(granted.decimal()).unwrap_or_default();
            Some(format!("{} {} of {}", bar(share), remaining.decimal().round_dp(2).normalize(), money(granted)))
        }
        (Some(remaining), _) => Some(format!("{} left", money(remaining))),
        (None, Some(granted)) => Some(format!("{} granted", money(granted))),
        (None, None) => None,
    }
}

/// A bar that is full where `share` is 1. As long as there is something left, it is not empty.
fn bar(share: Decimal) -> String {
    let full = (share * Decimal::from(BAR)).ceil().to_usize().unwrap_or(0).min(BAR);
    "█".repeat(full) + &"░".repeat(BAR - full)
}

/// How many days of the trial are left, begun ones included. None are once a benefit is used up.
fn days_left(status: &SubscriptionStatus, now: Timestamp) -> Option<String> {
    let period = benefit(status, "Period")?;
    if parse::exhausted_since(status).is_some() || &*period.state == "Exhausted" {
        return Some("0".to_owned());
    }
    let left = Timestamp::from(period.end_time?).duration_since(now);
    let days = left.as_secs().div_euclid(86_400) + i64::from(left.as_secs().rem_euclid(86_400) > 0);
    Some(days.max(0).to_string())
}

/// What a day costs after the upgrade, by the forecast.
fn cost(status: &SubscriptionStatus) -> Option<String> {
    let cost = status.forecast.as_ref()?.cost_per_day.as_ref()?;
    Some(format!("{}/day", show::money(cost.amount, Some(&cost.currency))))
}

/// When the benefits were used up, or will be by the forecast.
fn used_up(status: &SubscriptionStatus) -> Option<String> {
    let end = Timestamp::from(status.forecast.as_ref()?.exhaustion_time?);
    Some(end.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn cells(status: &Value) -> Vec<String> {
        let object = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription",
            "metadata": {"name": "sandbox", "namespace": "team-a", "generation": 2}, "status": status,
            "spec": {"providerName": "azure", "account": {"azure": {"subscriptionId": "6f1a3c1e-0000-4a00-9000-00000000f7ee"}},
                "offer": "PayAsYouGo", "upgrade": {"when": "BenefitsExhausted", "approval": "Manual"}}});
        let object = serde_json::from_value(object).unwrap();
        row(&object, "2026-03-10T12:00:00Z".parse().unwrap()).into_iter().map(|cell| cell.text).collect()
    }

    fn credit(benefit: &Value) -> String {
        cells(&json!({"benefits": [benefit]}))[3].clone()
    }

    fn days(benefit: &Value) -> String {
        cells(&json!({"benefits": [benefit]}))[4].clone()
    }

    #[test]
    fn credit_is_shown_as_far_as_it_is_known() {
        let known = |remaining: &str, granted: &str| {
            json!({"kind": "Credit", "state": "Available", "remaining": remaining, "granted": granted, "currency": "USD",
                "source": "lots"})
        };
        assert_eq!(credit(&known("161.403", "200")), "███████░ 161.4 of 200 USD");
        assert_eq!(credit(&known("0.01", "200")), "█░░░░░░░ 0.01 of 200 USD");
        assert_eq!(credit(&known("300", "200")), "████████ 300 of 200 USD");
        assert_eq!(credit(&known("-3", "200")), "░░░░░░░░ -3 of 200 USD");
        assert_eq!(credit(&known("5", "0")), "5 USD left");
        let of = |fields: &Value| {
            let mut benefit = json!({"kind": "Credit", "state": "Available", "currency": "USD", "source": "lots"});
            benefit.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            credit(&benefit)
        };
        assert_eq!(of(&json!({"remaining": "5"})), "5 USD left");
        assert_eq!(of(&json!({"granted": "200"})), "200 USD granted");
        assert_eq!(of(&json!({"state": "Exhausted"})), "░░░░░░░░ spent");
        assert_eq!(of(&json!({})), "-");
        assert_eq!(cells(&json!({}))[3], "-");
    }

    #[test]
    fn days_are_counted_to_the_end_and_no_further() {
        let period = |end: &str| json!({"kind": "Period", "state": "Available", "endTime": end, "source": "declared"});
        assert_eq!(days(&period("2026-03-20T12:00:00Z")), "10");
        assert_eq!(days(&period("2026-03-20T12:00:01Z")), "11");
        assert_eq!(days(&period("2026-03-10T12:00:01Z")), "1");
        assert_eq!(days(&period("2026-03-01T12:00:00Z")), "0");
        assert_eq!(days(&json!({"kind": "Period", "state": "Available", "source": "declared"})), "-");
    }

    #[test]
    fn statuses_of_older_generations_are_marked() {
        let ready = |generation: i32| {
            let ready = json!({"type": "Ready", "status": "True", "reason": "OfferInPlace", "message": "It is.",
                "observedGeneration": generation, "lastTransitionTime": "2026-03-01T12:00:00Z"});
            cells(&json!({"conditions": [ready]}))[6].clone()
        };
        assert_eq!(ready(2), "OfferInPlace");
        assert_eq!(ready(1), "OfferInPlace (before the last change)");
        assert_eq!(cells(&json!({"observedGeneration": -1}))[6], "not seen yet");
    }

    #[test]
    fn unreadable_subscriptions_are_listed() {
        let object = json!({"apiVersion": "payg-operator.io/v2", "kind": "Subscription",
            "metadata": {"name": "newer", "namespace": "team-a"}, "spec": {"offer": "Something"}});
        let cells = row(&serde_json::from_value(object).unwrap(), Timestamp::now());
        assert_eq!((cells.len(), cells[1].text.as_str()), (HEADINGS.len(), "newer"));
    }
}
