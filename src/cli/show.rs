//! What people are shown of a Subscription.

use std::fmt::Write;

use serde::Serialize;

use crate::operator::{OBSERVED, parse};
use payg_api::conditions::{self, Condition};
use payg_api::{
    Amount, ApprovalMode, Benefit, Decision, DesiredOffer, Offer, Subscription, SubscriptionStatus, Time, Transition,
    UpgradeApproval, When,
};
use payg_core::reason::ConditionType;
use payg_core::source::Source;

use super::Error;

/// How much is shown of a text, in characters.
const LONGEST: usize = 4096;

/// A line of its own about `what`.
pub fn row(what: &str, text: &str) -> String {
    format!("  {what:<11} {}\n", printable(text))
}

/// What can be shown on a line of a terminal: not all that is shown was written by friends.
pub fn printable(text: &str) -> String {
    payg_text::excerpt(text, LONGEST)
}

/// The same of text of several lines, such as an error with what to do about it.
pub fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// `value` for programs, in YAML or JSON. Characters that nobody would see are written as JSON escapes, which programs
/// undo; JSON is YAML, too.
pub fn document(value: &impl Serialize, is_yaml: bool) -> Result<String, Error> {
    if is_yaml {
        let yaml = serde_saphyr::to_string(value)?;
        if !yaml.chars().any(|letter| letter != '\n' && payg_text::is_hidden(letter)) {
            return Ok(yaml);
        }
    }
    let mut document = String::new();
    for letter in serde_json::to_string_pretty(value)?.chars() {
        if letter != '\n' && payg_text::is_hidden(letter) {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(document, "\\u{unit:04x}"); // a String takes all that is written to it
            }
        } else {
            document.push(letter);
        }
    }
    Ok(document + "\n")
}

/// The condition of this type.
pub fn condition(subscription: &Subscription, type_: ConditionType) -> Option<&Condition> {
    conditions::find(&subscription.status.as_ref()?.conditions, type_)
}

/// What the Ready condition says.
pub fn ready(subscription: &Subscription) -> String {
    condition(subscription, ConditionType::Ready).map_or_else(
        || "the operator has not reconciled the Subscription yet".to_owned(),
        |ready| format!("{}: {}", ready.reason, ready.message),
    )
}

/// What the last observation of the account could not read, or found odd.
pub fn remarks(subscription: &Subscription) -> Option<&str> {
    let observed = condition(subscription, ConditionType::Observed)?;
    observed.message.strip_prefix(OBSERVED).map(str::trim).filter(|remarks| !remarks.is_empty())
}

/// The account that a Subscription names.
pub fn account(subscription: &Subscription) -> String {
    match parse::account(&subscription.spec.account) {
        Ok(account) => format!("{} {}", account.cloud().name(), account.id()),
        Err(invalid) => invalid.to_string(),
    }
}

/// An amount to two digits.
pub fn money(amount: Amount, currency: Option<&str>) -> String {
    format!("{} {}", amount.decimal().round_dp(2).normalize(), currency.unwrap_or_default())
}

/// The account, what its upgrade would do, and what people have said about it.
pub fn situation(subscription: &Subscription, in_force: &Result<Vec<UpgradeApproval>, String>) -> String {
    let metadata = &subscription.metadata;
    let (name, namespace) = (metadata.name.as_deref(), metadata.namespace.as_deref());
    let mut text = format!("Subscription {} in namespace {}", name.unwrap_or_default(), namespace.unwrap_or_default());
    text = printable(&text) + "\n";
    let status = subscription.status.clone().unwrap_or_default();
    text += &row("account", &account(subscription));
    text += &row("wants", &wish(subscription));
    text += &row("through", &format!("BillingProvider {}", subscription.spec.provider_name));
    let now = status.offer.as_ref().map_or_else(|| "not seen".to_owned(), |seen| offer(&seen.offer));
    text += &row("offer", &format!("{now}; wanted: {}", wanted(subscription)));
    for left in &status.benefits {
        text += &row("benefit", &benefit(left));
    }
    if let Some(transition) = &status.transition {
        text += &terms(transition, &status);
    }
    text += &row("now", &ready(subscription));
    if let Some(remarks) = remarks(subscription) {
        text += &row("but", remarks);
    }
    let looked = status.last_observed_time.map_or_else(|| "never".to_owned(), |time| format!("{time:.0}"));
    text += &row("last read", &looked);
    match in_force {
        Ok(said) if said.is_empty() => text += &row("decisions", "none yet"),
        Ok(said) => text.extend(said.iter().map(|said| row("decision", &word(said)))),
        Err(why) => text += &row("decisions", &format!("cannot be read: {why}")),
    }
    if let Some(transition) = &status.transition {
        text += &row("hash", &transition.hash);
    }
    text
}

/// The offer that the manifest wants.
pub fn wanted(subscription: &Subscription) -> &'static str {
    match subscription.spec.offer {
        DesiredOffer::PayAsYouGo => "PayAsYouGo",
    }
}

/// When an account is to be upgraded, and with which approval.
pub fn wish(subscription: &Subscription) -> String {
    let upgrade = &subscription.spec.upgrade;
    let when = match upgrade.when {
        When::BenefitsExhausted => "BenefitsExhausted",
        When::BeforeExhaustion => "BeforeExhaustion",
        When::Immediately => "Immediately",
        When::Never => "Never",
    };
    let limits = upgrade.before_exhaustion.as_ref();
    let credit = limits.and_then(|limits| limits.credit_below.as_ref());
    let credit = credit.map_or_else(String::new, |money| format!(", below {} {}", money.amount, money.currency));
    let time = limits.and_then(|limits| limits.time_left_seconds);
    let time = time.map_or_else(String::new, |seconds| format!(", {seconds} seconds before the end"));
    let approval = match upgrade.approval {
        ApprovalMode::Manual => "approval: Manual",
        ApprovalMode::Automatic => "approval: Automatic, which takes no Approve",
    };
    format!("when: {when}{credit}{time}; {approval}")
}

/// When the benefits were used up, or are expected to be; and whether they are, which the last observation showed.
pub fn exhaustion(status: &SubscriptionStatus) -> Option<(Time, bool)> {
    let end = status.forecast.as_ref()?.exhaustion_time?;
    Some((end, parse::exhausted_since(status).is_some()))
}

fn terms(transition: &Transition, status: &SubscriptionStatus) -> String {
    let mut text = row("upgrade", &format!("{} -> {}", offer(&transition.from), offer(&transition.to)));
    if let Some(credit) = &transition.credit_after {
        text += &row("credit", &format!("remaining credit after the upgrade: {credit}"));
    }
    let forecast = status.forecast.clone().unwrap_or_default();
    let exhausted = match exhaustion(status) {
        Some((end, true)) => format!("since {end}"),
        Some((end, false)) => format!("by the forecast: {end}"),
        None => "by the forecast: not known".to_owned(),
    };
    text += &row("exhausted", &exhausted);
    if let Some(due) = forecast.due_time {
        text += &row("due", &format!("by the forecast: {due}"));
    }
    if let Some(deadline) = transition.deadline_time {
        text += &row("too late", &format!("after {deadline}"));
    }
    if let Some(cost) = &transition.cost_note {
        text += &row("cost", cost);
    }
    if transition.reversible != Some(true) {
        text += &row("undo", "impossible: an upgrade is IRREVERSIBLE");
    }
    text
}

/// An offer by its class and the name that the provider has for it.
pub fn offer(offer: &Offer) -> String {
    match &offer.native {
        Some(native) => format!("{} ({native})", &*offer.class),
        None => offer.class.to_string(),
    }
}

/// What is known of a benefit.
pub fn benefit(benefit: &Benefit) -> String {
    let mut text = format!("{}: {}", &*benefit.kind, &*benefit.state);
    let currency = benefit.currency.as_deref().unwrap_or_default();
    if let Some(left) = benefit.remaining {
        let _ = write!(text, ", {left} {currency} left");
    }
    if let Some(granted) = benefit.granted {
        let _ = write!(text, ", of {granted} {currency}");
    }
    if let Some(end) = benefit.end_time {
        let _ = write!(text, ", ends {end}");
    }
    if Source::parse(&benefit.source).is_declared() {
        text += " (DECLARED in spec.trial by whoever wrote the Subscription; the provider does not report it)";
    }
    text
}

/// What somebody has said about an upgrade.
pub fn word(said: &UpgradeApproval) -> String {
    let spec = &said.spec;
    let name = said.metadata.name.as_deref().unwrap_or_default();
    let (what, until) = match (spec.decision, spec.expire_time) {
        (Decision::Deny, _) => ("Deny", ", until it is deleted".to_owned()),
        (Decision::Approve, end) => ("Approve", end.map_or_else(String::new, |end| format!(", until {end}"))),
        (Decision::Retry, end) => ("Retry", end.map_or_else(String::new, |end| format!(", until {end}"))),
    };
    format!("{what} of {} by {}{until} ({name}): {}", spec.transition_hash, spec.approver, spec.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_values_are_marked() {
        let shown = |source: &str| {
            let end = "2026-03-01T00:00:00Z";
            let seen = serde_json::json!({"kind": "Period", "state": "Active", "endTime": end, "source": source});
            benefit(&serde_json::from_value(seen).unwrap())
        };
        assert!(shown("spec.trial").contains("DECLARED in spec.trial"), "{}", shown("spec.trial"));
        assert!(!shown("billingProperty").contains("DECLARED"), "{}", shown("billingProperty"));
    }

    #[test]
    fn unread_parts_of_an_observation_are_remarked_on() {
        let told = |message: &str| {
            let observed = serde_json::json!({"type": "Observed", "status": "True", "reason": "Observed", "message": message,
                "lastTransitionTime": "2026-01-01T00:00:00Z"});
            let azure = serde_json::json!({"subscriptionId": "6f1a3c1e-0000-4a00-9000-00000000f7ee"});
            let object = serde_json::json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription",
                "metadata": {"name": "sandbox"}, "status": {"conditions": [observed]},
                "spec": {"providerName": "azure", "account": {"azure": azure}, "offer": "PayAsYouGo",
                    "upgrade": {"when": "Never", "approval": "Manual"}}});
            situation(&serde_json::from_value(object).unwrap(), &Ok(Vec::new()))
        };
        let unread = told(&format!("{OBSERVED} The credentials may not read the diary."));
        assert!(unread.contains("\n  but         The credentials may not read the diary.\n"), "{unread}");
        for message in [OBSERVED, "The last read of the account failed."] {
            assert!(!told(message).contains("  but "), "{}", told(message));
        }
    }

    #[test]
    fn escape_sequences_cannot_overwrite_output() {
        assert_eq!(row("said", "yes\u{1b}[2K\rno"), "  said        yes\\u{1b}[2K\\rno\n");
        assert_eq!(
            row("said", "yes\n  hash 0\u{202e}1\u{e0041}"),
            "  said        yes\\n  hash 0\\u{202e}1\\u{e0041}\n"
        );
        for is_yaml in [false, true] {
            let said = serde_json::json!({"said": "yes\u{9b}2J\u{202e}\u{e0041}", "and": "öde"});
            let shown = document(&said, is_yaml).unwrap();
            assert!(shown.contains(r"yes\u009b2J\u202e\udb40\udc41") && shown.contains("öde"), "{shown}");
            assert_eq!(
                serde_saphyr::from_str::<serde_json::Value>(&document(&"a\u{202e}b", is_yaml).unwrap()).unwrap(),
                "a\u{202e}b"
            );
        }
        assert_eq!(document(&["öde\nx"], true).unwrap(), serde_saphyr::to_string(&["öde\nx"]).unwrap());
        assert_eq!(printable_lines("no\u{61c}\nask jane"), "no\\u{61c}\nask jane");
    }
}
