//! What the demo shows of a Subscription: no more than its status says.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use payg_api as api;
use payg_api::conditions::{self, Condition};
use payg_core::reason::ConditionType;
use payg_operator::cli::columns::{Cell, Style};
use payg_operator::cli::show;

/// The columns and their least widths, so that they do not move as their contents change.
const COLUMNS: [(&str, usize); 6] =
    [("NAME", 12), ("OFFER", 10), ("CREDIT", 15), ("ENDS", 6), ("READY", 5), ("REASON", 21)];

/// The headings of [`row`].
pub fn headings() -> Vec<Cell> {
    let heading = |(name, width): (&str, usize)| Cell::new(format!("{name:<width$}"), Style::Dim);
    COLUMNS.into_iter().chain([("MESSAGE", 0)]).map(heading).collect()
}

/// How wide a row is without its message.
pub fn width_without_message() -> usize {
    COLUMNS.iter().map(|(_, width)| width + 2).sum()
}

/// A Subscription as a row of the table.
pub fn row(name: &str, subscription: Option<&api::Subscription>) -> Vec<Cell> {
    let status = subscription.and_then(|subscription| subscription.status.as_ref());
    let ready = subscription.and_then(ready);
    let offer = subscription.map_or("-", offer);
    let ends = status.and_then(|status| status.forecast.as_ref()).and_then(|forecast| forecast.exhaustion_time);
    let of_ready = |field: fn(&Condition) -> &str| ready.map_or("-", field).to_owned();
    let style = match ready.map(|ready| ready.status.as_str()) {
        Some("True") => Style::Good,
        Some(_) => Style::Pending,
        None => Style::Dim,
    };
    vec![
        Cell::new(name, Style::Bold),
        Cell::new(offer, if offer == "PayAsYouGo" { Style::Good } else { Style::Plain }),
        Cell::plain(status.and_then(credit).unwrap_or_else(|| "-".to_owned())),
        Cell::plain(ends.map_or_else(|| "-".to_owned(), |ends| day(ends.into()))),
        Cell::new(of_ready(|ready| &ready.status), style),
        Cell::new(of_ready(|ready| &ready.reason), style),
        Cell::new(ready.map_or("", |ready| &ready.message), Style::Dim),
    ]
}

/// The Ready condition.
pub fn ready(subscription: &api::Subscription) -> Option<&Condition> {
    conditions::find(&subscription.status.as_ref()?.conditions, ConditionType::Ready)
}

/// The class of the offer in force.
pub fn offer(subscription: &api::Subscription) -> &str {
    subscription.status.as_ref().and_then(|status| status.offer.as_ref()).map_or("-", |offer| &offer.offer.class)
}

/// A date as the table shows it.
pub fn day(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%b %d").to_string()
}

/// What is known of the credit; not every provider reports how much is left.
fn credit(status: &api::SubscriptionStatus) -> Option<String> {
    let credit = status.benefits.iter().find(|benefit| &*benefit.kind == "Credit")?;
    let money = |amount| show::money(amount, credit.currency.as_deref());
    match (credit.remaining, credit.granted) {
        _ if &*credit.state == "Exhausted" => Some("spent".to_owned()),
        (Some(remaining), _) => Some(format!("{} left", money(remaining))),
        (None, Some(granted)) => Some(format!("{} granted", money(granted))),
        (None, None) => None,
    }
}
