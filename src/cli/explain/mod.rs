//! `payg explain`: why a Subscription is not upgraded yet, by each row of the decision table, with what is known.

mod rows;

use std::cmp::Ordering;
use std::process::ExitCode;

use kube::{Api, Client};

use crate::operator::parse;
use payg_api::{BillingProvider, Delivery, Subscription, UpgradeApproval, UpgradeRecord};
use payg_core::decide::{ROWS, Row};
use payg_core::reason::{ConditionType, Reason};

use super::cluster::{self, ClusterArgs};
use super::columns::{Paint, Style};
use super::{Error, show};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the Subscription
    name: String,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// All that is known; what cannot be read says why.
struct Known {
    subscription: Subscription,
    provider: Result<Option<BillingProvider>, String>,
    record: Result<Option<UpgradeRecord>, String>,
    said: Result<Vec<UpgradeApproval>, String>,
}

pub async fn run(args: Args) -> ExitCode {
    cluster::told(explain(&args).await)
}

async fn explain(args: &Args) -> Result<(), Error> {
    let (client, namespace) = args.cluster.connect()?;
    let subscription = cluster::subscription(&client, &namespace, &args.name, refusal).await?;
    let known = Known {
        provider: provider(&client, &namespace, &subscription).await.map_err(|error| unreadable(&error)),
        record: record(&client, &subscription).await.map_err(|error| unreadable(&error)),
        said: cluster::said(&client, &namespace, &args.name).await.map_err(|error| unreadable(&error)),
        subscription,
    };
    cluster::print(&text(&known, Paint::of_stdout()))
}

async fn provider(
    client: &Client,
    namespace: &str,
    subscription: &Subscription,
) -> kube::Result<Option<BillingProvider>> {
    Api::namespaced(client.clone(), namespace).get_opt(&subscription.spec.provider_name).await
}

/// The ledger's entry, which is cluster-scoped and not readable for everybody.
async fn record(client: &Client, subscription: &Subscription) -> kube::Result<Option<UpgradeRecord>> {
    let Ok(account) = parse::account(&subscription.spec.account) else { return Ok(None) };
    Api::all(client.clone()).get_opt(&account.upgrade_key().record_name()).await
}

fn refusal(error: kube::Error) -> Error {
    cluster::refusal(error, "Ask an administrator for read access, for example through the ClusterRole payg-viewer.")
}

fn unreadable(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 403 => "you may not read it".to_owned(),
        error => format!("it cannot be read: {error}"),
    }
}

/// The mark of row `number` and how it is painted, where the decision ended at row `end`.
fn mark(number: u8, end: u8, known: &Known) -> (&'static str, Style) {
    let is_asked = show::condition(&known.subscription, ConditionType::Ready)
        .is_some_and(|ready| ready.reason == Reason::Upgrading);
    match number.cmp(&end) {
        // The record is of the request that followed.
        Ordering::Less if is_asked => HOLDS,
        Ordering::Equal if usize::from(end) == ROWS.len() => HOLDS,
        Ordering::Less => match rows::holds(number, known) {
            Some(true) => HOLDS,
            Some(false) => FAILS,
            None => (UNCLEAR, Style::Bold),
        },
        Ordering::Equal => FAILS,
        Ordering::Greater => ("·", Style::Dim),
    }
}

const HOLDS: (&str, Style) = ("✓", Style::Good);
const FAILS: (&str, Style) = ("✗", Style::Bold);
const UNCLEAR: &str = "?";

fn text(known: &Known, paint: Paint) -> String {
    let Known { subscription, .. } = known;
    let metadata = &subscription.metadata;
    let mut text = format!(
        "Subscription {} in namespace {}: {}\n",
        metadata.name.as_deref().unwrap_or_default(),
        metadata.namespace.as_deref().unwrap_or_default(),
        show::account(subscription)
    );
    text = show::printable(text.trim_end()) + "\n";
    let ready = show::condition(subscription, ConditionType::Ready);
    let row = ready.and_then(|ready| ready.reason.parse::<Reason>().ok()?.row());
    let style = match ready.map(|ready| ready.status.as_str()) {
        Some("True") => Style::Good,
        Some("False") => Style::Bad,
        _ => Style::Pending,
    };
    text += &paint.paint(style, &show::printable(&show::ready(subscription)));
    text += "\n";
    if ready.is_some_and(|ready| ready.observed_generation != metadata.generation) {
        text += "This describes the Subscription before its last change.\n";
    }
    let Some(row) = row else { return text };
    text += "\n";
    let mut is_unclear = false;
    for (Row { number, name, .. }, evidence) in ROWS.iter().zip(rows::EVIDENCE) {
        let (mark, style) = mark(*number, row, known);
        is_unclear |= mark == UNCLEAR;
        text += &paint.paint(style, &format!("{number:>2} {mark} {name}"));
        text += "\n";
        for line in evidence(known) {
            text += &paint.paint(Style::Dim, &format!("       {}", show::printable(&line)));
            text += "\n";
        }
    }
    text += "\n✓ holds   ✗ does not hold   · not reached";
    if is_unclear {
        text += "   ? unknown, as something cannot be read";
    }
    text += "\n";
    text += &notices(subscription, paint);
    text
}

/// Who was notified of what, and what still waits for a receiver.
fn notices(subscription: &Subscription, paint: Paint) -> String {
    let Some(notices) = subscription.status.as_ref().and_then(|status| status.notices.as_ref()) else {
        return String::new();
    };
    let line = |one: &Delivery| {
        let ended = if one.ended == Some(true) { ", and that it is over" } else { "" };
        let time = one.accept_time.map_or_else(|| "not accepted yet    ".to_owned(), |time| format!("{time:.0}"));
        format!("{time}  {} to {}{ended}  ({})", one.occasion, one.receiver, one.id)
    };
    let lines: Vec<String> = notices.deliveries.iter().map(line).collect();
    if lines.is_empty() {
        return String::new();
    }
    let lines = lines.iter().map(|line| format!("  {}\n", paint.paint(Style::Dim, &show::printable(line))));
    "\nNotices:\n".to_owned() + &lines.collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn known(status: &Value) -> Known {
        let subscription = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription",
            "metadata": {"name": "sandbox", "namespace": "team-a", "generation": 2}, "status": status,
            "spec": {"providerName": "azure", "account": {"azure": {"subscriptionId": "6f1a3c1e-0000-4a00-9000-00000000f7ee"}},
                "offer": "PayAsYouGo", "upgrade": {"when": "BenefitsExhausted", "approval": "Manual"}}});
        Known {
            subscription: serde_json::from_value(subscription).unwrap(),
            provider: Ok(None),
            record: Err("you may not read it".to_owned()),
            said: Ok(Vec::new()),
        }
    }

    fn told(reason: &str, status: &str) -> Vec<String> {
        let ready = json!({"type": "Ready", "status": status, "reason": reason, "message": "The message.",
            "observedGeneration": 2, "lastTransitionTime": "2026-03-01T12:00:00Z"});
        let benefit = json!({"kind": "Credit", "state": "Available", "remaining": "161.40", "granted": "200",
            "currency": "USD", "source": "lots", "asOfTime": "2026-03-01T00:00:00Z"});
        let status = json!({"observedGeneration": 2, "conditions": [ready], "benefits": [benefit],
            "lastObservedTime": "2026-03-01T12:00:00Z"});
        text(&known(&status), Paint { coloured: false }).lines().map(str::to_owned).collect()
    }

    fn marked(lines: &[String], mark: char) -> Vec<usize> {
        let is_marked = |line: &&String| line.chars().nth(3) == Some(mark) && line[..2].trim().parse::<usize>().is_ok();
        lines.iter().filter(is_marked).map(|line| line[..2].trim().parse().unwrap()).collect()
    }

    #[test]
    fn the_row_that_it_stands_at_is_marked_and_so_are_those_before_and_after_it() {
        let lines = told("WaitingForExhaustion", "True");
        assert!(lines[1].contains("WaitingForExhaustion: The message."), "{lines:#?}");
        assert_eq!(marked(&lines, '✗'), [16]);
        assert_eq!(marked(&lines, '✓'), (1..16).collect::<Vec<_>>());
        assert_eq!(marked(&lines, '·'), (17..=21).collect::<Vec<_>>());
        assert_eq!(marked(&told("Upgrading", "False"), '✓'), (1..=21).collect::<Vec<_>>());
    }

    /// The account's record, in this state.
    fn record(state: &str) -> UpgradeRecord {
        let time = "2026-03-01T12:00:00Z";
        let record = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeRecord", "metadata": {"name": "up-1"},
            "spec": {"key": "1", "account": {"cloud": "azure", "id": "6f1a3c1e-0000-4a00-9000-00000000f7ee"},
                "from": {"class": "FreeTrial"}, "to": {"class": "PayAsYouGo"},
                "requester": {"namespace": "team-a", "name": "sandbox", "uid": "1"},
                "intent": {"id": "1", "notAfterTime": time, "evidence": {"observedTime": time, "summary": "spent"}}},
            "status": {"state": state}});
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn a_row_that_the_decision_went_past_is_not_said_to_hold() {
        let told = |reason: &str, record: Result<Option<UpgradeRecord>, String>, suspend: bool| {
            let condition = |type_: &str, status: &str| {
                json!({"type": type_, "status": status, "reason": reason, "message": "The message.",
                    "observedGeneration": 2, "lastTransitionTime": "2026-03-01T12:00:00Z"})
            };
            let conditions = [condition("Ready", "True"), condition("Upgraded", "Unknown")];
            let mut known = known(&json!({"observedGeneration": 2, "conditions": conditions}));
            known.record = record;
            known.subscription.spec.suspend = Some(suspend);
            text(&known, Paint { coloured: false }).lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let suspended = told("VerifyingUpgrade", Ok(Some(record("Unknown"))), true);
        assert_eq!(marked(&suspended, '✗'), [1, 9], "it is looked at all the same");
        let held = told("UpgradeHeld", Ok(Some(record("Unknown"))), false);
        assert_eq!(marked(&held, '✗'), [9, 20], "another attempt is held");
        let retry = told("ApprovalPolicyMissing", Ok(Some(record("Unresolved"))), false);
        assert_eq!(marked(&retry, '✗'), [10, 17], "a Retry is not vouched for");
        let refused = told("LedgerUnavailable", Ok(Some(record("Unresolved"))), false);
        assert_eq!(marked(&refused, '✗'), [10], "the record of a Retry cannot be written");
        let unread = told("UpgradeHeld", Err("you may not read it".to_owned()), false);
        assert_eq!((marked(&unread, '?'), marked(&unread, '✗')), (vec![9, 10], vec![20]));
        assert!(unread.last().unwrap().contains("? unknown"), "{unread:#?}");
    }

    #[test]
    fn facts_stand_below_their_row() {
        let lines = told("WaitingForExhaustion", "True");
        let at = lines.iter().position(|line| line.starts_with("16 ✗")).unwrap();
        assert!(lines[at + 1].contains("when: BenefitsExhausted"), "{lines:#?}");
        assert!(lines[at + 2].contains("161.40 USD left, of 200 USD"), "{lines:#?}");
        assert!(lines[at + 2].contains("by lots, as of 2026-03-01T00:00:00Z"), "{lines:#?}");
        let at = lines.iter().position(|line| line.starts_with(" 9 ✓")).unwrap();
        assert!(lines[at + 1].contains("you may not read it"), "{lines:#?}");
    }

    #[test]
    fn who_was_notified_of_what_stands_at_the_end() {
        let ready = json!({"type": "Ready", "status": "True", "reason": "Observing", "message": "The message.",
            "observedGeneration": 2, "lastTransitionTime": "2026-03-01T12:00:00Z"});
        let delivery = |id: &str, occasion: &str, time: Option<&str>| json!({"id": id, "occasion": occasion, "severity": "warning", "receiver": "chat", "acceptTime": time});
        let deliveries = [
            delivery("End/7d/17", "EndAhead", Some("2026-03-01T12:00:00Z")),
            delivery("ApprovalNeeded/ab/since18", "ApprovalNeeded", None),
        ];
        let notices = json!({"deliveries": deliveries});
        let status = json!({"observedGeneration": 2, "conditions": [ready], "notices": notices});
        let text = text(&known(&status), Paint { coloured: false });
        let told = text.split_once("\nNotices:\n").unwrap().1;
        let expected = "  2026-03-01T12:00:00Z  EndAhead to chat  (End/7d/17)\n  not accepted yet      ApprovalNeeded to chat  (ApprovalNeeded/ab/since18)\n";
        assert_eq!(told, expected);
    }

    #[test]
    fn payg_get_reports_unobserved_subscriptions() {
        let text = text(&known(&json!({"observedGeneration": -1})), Paint { coloured: false });
        assert!(text.ends_with("the operator has not reconciled the Subscription yet\n"), "{text}");
    }
}
