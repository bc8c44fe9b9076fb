//! What kstatus itself reads in every status that the operator writes, and Flux's own rules for conditions.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::examples::{examples, expected};
use crate::programs;

/// What flux-status says of an object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Judged {
    kstatus: String,
    end: String,
    going_on: String,
    end_warnings: String,
    going_on_warnings: String,
}

fn judged(objects: &[Value]) -> Vec<Judged> {
    serde_json::from_value(programs::run("flux-status", &[], &[], &json!(objects)).unwrap()).unwrap()
}

#[test]
fn kstatus_reads_every_status_as_it_must() {
    let (examples, expected) = (examples(), expected());
    let objects: Vec<_> = examples.values().cloned().collect();
    for ((kind, name), judged) in examples.keys().zip(judged(&objects)) {
        assert_eq!(judged.kstatus, expected[kind][name][0], "{kind} {name}");
    }
    assert_eq!(examples.len(), expected.values().map(BTreeMap::len).sum::<usize>(), "a file is missing");
}

#[test]
fn objects_under_deletion_are_terminating() {
    let deleted = |mut object: Value| {
        object["metadata"]["deletionTimestamp"] = json!("2026-03-01T12:00:00Z");
        object
    };
    let objects: Vec<_> = examples().into_values().map(deleted).collect();
    let all = judged(&objects);
    assert!(!all.is_empty() && all.iter().all(|judged| judged.kstatus == "Terminating"), "{all:#?}");
}

#[test]
fn every_status_that_is_written_keeps_fluxs_own_rules() {
    let mut examples = examples();
    // Nobody has written a status for the spec of these yet.
    examples.retain(|(_, name), _| !["fresh", "no-status", "changed-since"].contains(&name.as_str()));
    let objects: Vec<_> = examples.values().cloned().collect();
    for ((key, object), judged) in examples.iter().zip(judged(&objects)) {
        let conditions = object["status"]["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
        let found = match ready["status"].as_str().unwrap() {
            "Unknown" => judged.going_on + &judged.going_on_warnings,
            _ => judged.end + &judged.end_warnings,
        };
        assert_eq!(found, "", "{key:?}");
    }
}

/// The same file as for the rules in `src/operator/tests/flux.rs`, which run over all that can be decided.
#[test]
fn flux_finds_broken_what_our_own_form_of_its_rules_does() {
    let cases: Vec<Value> = serde_saphyr::from_str(include_str!("broken.yaml")).unwrap();
    let objects: Vec<_> = cases.iter().map(|case| case["object"].clone()).collect();
    for (case, judged) in cases.iter().zip(judged(&objects)) {
        let found = if case["rules"] == "GoingOn" { judged.going_on } else { judged.end };
        let says = case["says"].as_str().unwrap();
        assert!(found.contains(says), "{case:#} {found}");
        assert_eq!(case["breaks"] == "", found.is_empty(), "{case:#} {found}");
    }
}
