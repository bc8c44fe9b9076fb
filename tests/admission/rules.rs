//! How rules are checked: tables of changes to valid objects, and what is expected of each.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use payg_api::crds;
use serde_json::{Value, json};

use crate::{
    approvals,
    cluster::{Cluster, Outcome, merged},
    providers, records, subscriptions,
};

/// What is expected of a request.
#[derive(Clone, Copy)]
pub(crate) enum Expected {
    /// It does what it says.
    Accepted,
    /// It is refused, with a message that names this field and says this.
    Refused(&'static str, &'static str),
}

/// Changes, as merge patches, to a valid object that is about to be created.
pub(crate) type Creations = Vec<(Value, Expected)>;

/// Pairs of what an existing object (or its status) has beyond the valid one, and a change to that.
pub(crate) type Changes = Vec<(Value, Value, Expected)>;

/// How the message about a time begins.
pub(crate) const TIME_PATTERN: &str = "should match '^20[0-9]{2}-[01][0-9]-[0-3][0-9]T";

pub(crate) async fn check_creations(cluster: &Cluster, valid: &Value, cases: Creations) {
    for (change, expected) in cases {
        let object = merged(valid.clone(), &change);
        check(cluster.try_create(&object).await, expected, &change);
        check_offline(&object, expected);
    }
}

/// `payg plan --offline` must come to what the API server comes to, at the same field.
fn check_offline(object: &Value, expected: Expected) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payg"));
    command.args(["plan", "--offline", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    running.stdin.take().unwrap().write_all(object.to_string().as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    match expected {
        Expected::Accepted => assert_eq!(output.status.code(), Some(0), "{object:#}: {told}"),
        Expected::Refused(field, _) => {
            assert_eq!(output.status.code(), Some(1), "{object:#} is taken offline");
            assert!(told.contains(field), "{field} is not named: {told}");
        }
    }
}

pub(crate) async fn check_changes(cluster: &Cluster, valid: &Value, cases: Changes) {
    for (number, (before, change, expected)) in cases.into_iter().enumerate() {
        let object = numbered(&merged(valid.clone(), &before), number);
        cluster.create(&object).await.unwrap();
        check(cluster.patch(&object, &change).await, expected, &change);
    }
}

pub(crate) async fn check_statuses(cluster: &Cluster, valid: &Value, cases: Changes) {
    for (number, (before, change, expected)) in cases.into_iter().enumerate() {
        let object = numbered(valid, 100 + number);
        cluster.create(&object).await.unwrap();
        cluster.patch_status(&object, &json!({"status": before})).await.unwrap();
        check(cluster.patch_status(&object, &json!({"status": change})).await, expected, &change);
    }
}

/// The same object under a name of its own.
fn numbered(object: &Value, number: usize) -> Value {
    match object["kind"].as_str() {
        Some("UpgradeRecord") => records::numbered(object, number),
        _ => merged(object.clone(), &json!({"metadata": {"name": format!("case-{number}")}})),
    }
}

#[track_caller]
fn check(outcome: Outcome, expected: Expected, change: &Value) {
    match (outcome, expected) {
        (Ok(_), Expected::Accepted) => {}
        (Ok(_), Expected::Refused(_, why)) => panic!("{change} was accepted, and should be refused: {why}"),
        (Err(message), Expected::Accepted) => panic!("{change} was refused: {message}"),
        (Err(message), Expected::Refused(field, why)) => {
            let field = if field.is_empty() { String::new() } else { format!("{field}: ") };
            let as_expected = message.contains(&field) && message.contains(why);
            assert!(as_expected, "{change} was refused, but not at {field:?} because it {why}: {message}");
        }
    }
}

/// A rule that is added to a type must be added to the tables.
#[test]
fn no_rule_and_no_pattern_goes_untested() {
    let creations = [subscriptions::creations(), providers::creations(), approvals::creations(), records::creations()];
    let changes = [
        subscriptions::changes(),
        subscriptions::statuses(),
        providers::changes(),
        approvals::changes(),
        records::changes(),
        records::statuses(),
    ];
    let creations = creations.into_iter().flatten().map(|(_, expected)| expected);
    let changes = changes.into_iter().flatten().map(|(_, _, expected)| expected);
    let reasons: BTreeSet<_> = creations
        .chain(changes)
        .filter_map(|expected| match expected {
            Expected::Accepted => None,
            Expected::Refused(_, why) => Some(why),
        })
        .collect();
    let mut untested = Vec::new();
    for crd in crds() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        for_each_constraint(&schema, &mut |message| {
            if !reasons.iter().any(|why| message.starts_with(why)) {
                untested.push(message);
            }
        });
    }
    assert!(untested.is_empty(), "{untested:#?}");
}

fn for_each_constraint(schema: &Value, visit: &mut impl FnMut(String)) {
    if let Some(pattern) = schema["pattern"].as_str() {
        visit(format!("should match '{pattern}'"));
    }
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        visit(rule["message"].as_str().unwrap().to_owned());
    }
    match schema {
        Value::Object(members) => members.values().for_each(|member| for_each_constraint(member, visit)),
        Value::Array(items) => items.iter().for_each(|item| for_each_constraint(item, visit)),
        _ => {}
    }
}
