//! What a notice says: what has happened to the account, what to do about it, and the facts. Pure.

use jiff::{SignedDuration, Timestamp};
use payg_api as api;
use payg_api::{Delivery, conditions};
use payg_clock::Clock;
use payg_core::decide::Decision;
use payg_core::notice::{Due, Occasion, Severity, end_ahead};
use payg_core::offer::BenefitKind;
use payg_core::reason::ConditionType;
use payg_notify::{Contact, Notice};
use url::Url;

use crate::operator::parse;

/// The annotation with the contacts of an account: mail addresses and words, with commas between them.
pub const CONTACTS: &str = "payg-operator.io/contacts";

/// The notice that is `due` after `decision` on `subscription`, whose status is now `status`.
pub fn notice(
    subscription: &api::Subscription,
    status: &api::SubscriptionStatus,
    decision: &Decision,
    due: &Due,
    clock: Clock,
) -> Notice {
    let (contacts, problem) = contacts(subscription);
    let mut facts = facts(subscription, status, decision, clock.billing());
    facts.extend(problem.map(|problem| ("Contacts", problem)));
    let wall = clock.wall();
    let links = [status.upgrade.as_ref().and_then(|upgrade| upgrade.action_url.as_deref()), handoff(decision)];
    Notice {
        occasion: due.occasion,
        severity: due.severity,
        moot_after: due.until.and_then(|until| wall.checked_add(clock.wall_until(until)).ok()),
        contacts,
        title: title(subscription, decision, due.occasion, clock.billing()),
        text: text(subscription, decision, due.occasion),
        facts,
        command: Some(command(subscription, status, due.occasion)),
        link: links.into_iter().flatten().find_map(|link| Url::parse(link).ok()),
        ..about(subscription, wall)
    }
}

/// What routes go by.
pub fn outline(subscription: &api::Subscription, occasion: Occasion, severity: Severity) -> Notice {
    let contacts = contacts(subscription).0;
    Notice { occasion, severity, contacts, ..about(subscription, Timestamp::UNIX_EPOCH) }
}

/// That the notice of `delivery`, which the receiver has accepted, is over.
pub fn over(subscription: &api::Subscription, delivery: &Delivery, wall: Timestamp) -> Notice {
    let occasion = delivery.occasion.parse().unwrap_or(Occasion::PersonNeeded);
    let severity = delivery.severity.parse().unwrap_or(Severity::Info);
    let now =
        subscription.status.as_ref().and_then(|status| conditions::find(&status.conditions, ConditionType::Ready));
    let about = outline(subscription, occasion, severity);
    Notice {
        id: format!("{}/{}", about.uid, delivery.id),
        starts: delivery.accept_time.map_or(wall, Timestamp::from),
        ends: Some(wall),
        title: format!("No longer: {occasion} of {}", name(subscription)),
        text: now.map_or_else(String::new, |ready| ready.message.clone()),
        ..about
    }
}

/// A notice about `subscription` without anything in it.
fn about(subscription: &api::Subscription, wall: Timestamp) -> Notice {
    let metadata = subscription.metadata.clone();
    Notice {
        id: String::new(),
        occasion: Occasion::Test,
        severity: Severity::Info,
        starts: wall,
        ends: None,
        moot_after: None,
        namespace: metadata.namespace.unwrap_or_default(),
        name: metadata.name.unwrap_or_default(),
        uid: metadata.uid.unwrap_or_default(),
        labels: metadata.labels.unwrap_or_default(),
        contacts: Vec::new(),
        account: account(subscription),
        title: String::new(),
        text: String::new(),
        facts: Vec::new(),
        command: None,
        link: None,
        page: None,
    }
}

fn account(subscription: &api::Subscription) -> String {
    parse::account(&subscription.spec.account).map_or_else(|invalid| invalid.to_string(), |account| account.id())
}

/// As users know it: `NAMESPACE/NAME`.
fn name(subscription: &api::Subscription) -> String {
    let metadata = &subscription.metadata;
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("{}/{}", part(&metadata.namespace), part(&metadata.name))
}

/// The contacts, or what is wrong with them.
fn contacts(subscription: &api::Subscription) -> (Vec<Contact>, Option<String>) {
    let text = subscription.metadata.annotations.as_ref().and_then(|annotations| annotations.get(CONTACTS));
    match text.map_or_else(|| Ok(Vec::new()), |text| Contact::parse_list(text)) {
        Ok(contacts) => (contacts, None),
        Err(error) => (Vec::new(), Some(format!("none, because the annotation {CONTACTS} is wrong: {error}"))),
    }
}

fn handoff(decision: &Decision) -> Option<&str> {
    decision.seen.as_ref()?.handoff.as_ref().map(|handoff| handoff.url.as_str())
}

fn title(subscription: &api::Subscription, decision: &Decision, occasion: Occasion, now: Timestamp) -> String {
    let name = name(subscription);
    let left = |time: Option<Timestamp>| time.map_or_else(|| "soon".to_owned(), |time| left(time.duration_since(now)));
    let deadline = decision.seen.as_ref().and_then(|seen| seen.deadline);
    match occasion {
        Occasion::EndAhead => format!("The trial of {name} ends {}", left(end_ahead(decision))),
        Occasion::EndSooner => format!("The trial of {name} ends {}, sooner than expected", left(end_ahead(decision))),
        Occasion::ApprovalNeeded => format!("The upgrade of {name} waits for approval"),
        Occasion::PersonNeeded => format!("{name} waits for a person ({})", decision.facts().reason.name()),
        Occasion::Restricted => format!("{name} is restricted: what runs in it has stopped"),
        Occasion::DeadlineNear => format!("The last day to upgrade {name} is {}", left(deadline)),
        Occasion::Requested => format!("The upgrade of {name} was requested"),
        Occasion::Accepted => format!("The upgrade of {name} was accepted"),
        Occasion::Converted => format!("{name} is on pay-as-you-go"),
        Occasion::Refused => format!("The upgrade of {name} was refused"),
        Occasion::Unresolved => format!("It is unknown whether {name} was upgraded"),
        Occasion::CredentialsFailing => format!("{name} can no longer be read"),
        Occasion::Test => format!("A test for {name}"),
    }
}

fn text(subscription: &api::Subscription, decision: &Decision, occasion: Occasion) -> String {
    let mut text = decision.message();
    if matches!(occasion, Occasion::EndAhead | Occasion::EndSooner) {
        text.push(' ');
        text.push_str(then(subscription));
    }
    text
}

/// What happens at the end of the trial.
fn then(subscription: &api::Subscription) -> &'static str {
    let upgrade = &subscription.spec.upgrade;
    match (&upgrade.when, &upgrade.approval) {
        (api::When::Never, _) => {
            "The operator will not upgrade the account, because `when` is Never: at the end, what runs in it stops."
        }
        (_, api::ApprovalMode::Manual) => {
            "The upgrade needs an approval, which can be given now. Without one, what runs in the account stops at the end."
        }
        (_, api::ApprovalMode::Automatic) => "Then the operator has the account upgraded, unless somebody denies it.",
    }
}

fn facts(
    subscription: &api::Subscription,
    status: &api::SubscriptionStatus,
    decision: &Decision,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let account =
        parse::account(&subscription.spec.account).map_or_else(|invalid| invalid.to_string(), |id| id.to_string());
    let seen = decision.seen.as_ref();
    let credit = seen.and_then(|seen| seen.benefit(BenefitKind::Credit));
    let rate =
        decision.forecast.and_then(|forecast| forecast.burn_per_day).zip(credit.and_then(|credit| credit.remaining));
    let when = |time: Timestamp| format!("{time:.0} ({})", left(time.duration_since(now)));
    let transition = status.transition.as_ref();
    [
        ("Account", Some(account)),
        ("Offer", seen.map(|seen| format!("{} ({})", seen.offer.class.name(), seen.offer.native))),
        ("Credit left", credit.and_then(|credit| credit.remaining).map(|left| left.to_string())),
        ("Used per day", rate.map(|(rate, left)| format!("{rate:.2} {}", left.currency))),
        ("End", end_ahead(decision).map(when)),
        ("Deletion possible after", seen.and_then(|seen| seen.deadline).map(when)),
        ("After the upgrade", transition.map(|_| cost(decision))),
        ("Upgrade", transition.map(|upgrade| format!("{} to {}", upgrade.from.class, upgrade.to.class))),
        ("Upgrade's hash", transition.map(|upgrade| upgrade.hash.clone())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

/// What a day costs after the upgrade.
fn cost(decision: &Decision) -> String {
    let cost = decision.forecast.and_then(|forecast| forecast.cost_per_day);
    cost.map_or_else(|| "cost not known".to_owned(), |cost| format!("about {cost} a day without credit"))
}

/// The command that ends it, or that shows more.
fn command(subscription: &api::Subscription, status: &api::SubscriptionStatus, occasion: Occasion) -> String {
    let metadata = &subscription.metadata;
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    let of = format!("{} -n {}", part(&metadata.name), part(&metadata.namespace));
    let is_manual = subscription.spec.upgrade.approval == api::ApprovalMode::Manual
        && subscription.spec.upgrade.when != api::When::Never
        && status.transition.is_some();
    match occasion {
        Occasion::ApprovalNeeded => format!("payg approve {of} --reason TEXT"),
        Occasion::EndAhead | Occasion::EndSooner if is_manual => format!("payg approve {of} --reason TEXT"),
        _ => format!("payg explain {of}"),
    }
}

/// How long it is until then: in days, or in hours where it is less than two days.
fn left(left: SignedDuration) -> String {
    match left.as_hours() {
        ..0 => "already".to_owned(),
        0 => "in less than an hour".to_owned(),
        1 => "in 1 hour".to_owned(),
        hours @ 2..48 => format!("in {hours} hours"),
        hours => format!("in {} days", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use payg_core::decide::decide;
    use payg_core::notice::{Context, THRESHOLDS, due};
    use payg_fixtures::given::{self, Given as _};
    use serde_json::json;

    use super::*;
    use crate::operator::status::render;

    fn subscription(upgrade: &serde_json::Value) -> api::Subscription {
        serde_json::from_value(json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription",
            "metadata": {"name": "sandbox", "namespace": "team-a", "uid": "1", "annotations": {CONTACTS: "team-a, a b@c@d"}},
            "spec": {"providerName": "azure", "account": {"azure": {"subscriptionId": "6f1a3c1e-0000-4a00-9000-00000000f7ee"}},
                "offer": "PayAsYouGo", "upgrade": upgrade}}))
        .unwrap()
    }

    /// The first notice about a trial that ends in `hours`.
    fn first(upgrade: &serde_json::Value, hours: i64) -> Notice {
        let mut inputs = given::due();
        inputs.seen().lifecycle = payg_core::observation::Lifecycle::Active;
        inputs.seen().benefits = vec![given::credit("150"), given::period(given::ago(-hours))];
        let decision = decide(&inputs);
        let now = inputs.now.billing;
        let context = Context {
            record: None,
            armed: now,
            expected_before: None,
            converted: None,
            due_before: &[],
            thresholds: &THRESHOLDS,
            now,
        };
        let due = due(&decision, context).remove(0);
        let subscription = subscription(upgrade);
        let before = api::SubscriptionStatus::default();
        let status = render::status(
            &decision,
            render::Context {
                before: &before,
                uid: "1",
                generation: 1,
                record: None,
                notices: None,
                reconcile_request: None,
                next_check: None,
                billing: now,
                wall: now,
            },
        );
        notice(&subscription, &status, &decision, &due, Clock::with_wall(given::now))
    }

    #[test]
    fn a_notice_says_what_happens_and_what_to_do() {
        let manual = first(&json!({"when": "BenefitsExhausted", "approval": "Manual"}), 6 * 24);
        assert_eq!(manual.title, "The trial of team-a/sandbox ends in 6 days");
        assert_eq!(manual.command.as_deref(), Some("payg approve sandbox -n team-a --reason TEXT"));
        assert!(manual.text.ends_with("Without one, what runs in the account stops at the end."), "{}", manual.text);
        let facts: Vec<_> = manual.facts.iter().map(|(name, _)| *name).collect();
        let expected = [
            "Account",
            "Offer",
            "Credit left",
            "Used per day",
            "End",
            "After the upgrade",
            "Upgrade",
            "Upgrade's hash",
            "Contacts",
        ];
        assert_eq!(facts, expected, "the contacts are wrong, and it says so");
        assert_eq!(manual.moot_after, Some(given::ago(-3 * 24)));
        let never = first(&json!({"when": "Never", "approval": "Manual"}), 5);
        assert_eq!(never.title, "The trial of team-a/sandbox ends in 5 hours");
        assert_eq!(never.command.as_deref(), Some("payg explain sandbox -n team-a"));
    }
}
