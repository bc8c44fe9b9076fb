//! What is in `crds/` and in the chart is what the types in `crates/api` say.

use std::fs;

use payg_api::{crd_files, crds, crds_yaml};
use serde_json::Value;

use crate::root;

#[test]
fn the_files_are_what_the_types_generate() {
    // A copy and no link: what packs a repository for GitOps, such as Flux's source-controller, leaves links out.
    for (folder, others) in [("crds", 1), ("deploy/chart/files/crds", 0)] {
        let dir = root().join(folder);
        for (name, generated) in crd_files() {
            let stored = fs::read_to_string(dir.join(&name)).unwrap_or_default();
            assert!(stored == generated, "{folder}/{name} is not what crates/api generates: run `make crds`");
        }
        let files = fs::read_dir(&dir).unwrap().count();
        assert_eq!(files, crd_files().len() + others, "{folder}: a file per kind, and kustomization.yaml in crds/");
    }
}

#[test]
fn the_yaml_stream_holds_every_definition() {
    let stream: Vec<Value> = serde_saphyr::from_multiple(&crds_yaml()).unwrap();
    let definitions: Vec<Value> = crds().iter().map(|crd| serde_json::to_value(crd).unwrap()).collect();
    assert_eq!(normal(&stream.into()), normal(&definitions.into()));
}

#[test]
fn every_field_is_explained_bounded_and_without_surprises() {
    let mut complaints = Vec::new();
    for crd in crds() {
        let root = crd.spec.versions[0].schema.clone().unwrap().open_api_v3_schema.unwrap();
        inspect(&crd.spec.names.kind, &serde_json::to_value(root).unwrap(), &mut complaints);
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// Complains about fields without what users need: an explanation and bounds; and with what surprises them: null,
/// defaults.
fn inspect(path: &str, schema: &Value, complaints: &mut Vec<String>) {
    let mut complain = |about: &str| complaints.push(format!("{path}: {about}"));
    if !path.ends_with("[]") && schema["description"].as_str().is_none_or(str::is_empty) {
        complain("no description");
    }
    if schema.get("nullable").is_some() {
        complain("nullable");
    }
    let is_status = path == "Subscription.status" || path == "BillingProvider.status";
    if schema.get("default").is_some() != is_status {
        complain("only those two statuses have a default");
    }
    match schema["type"].as_str() {
        Some("string") if schema.get("maxLength").is_none() && schema.get("enum").is_none() => complain("no maxLength"),
        Some("array") if schema.get("maxItems").is_none() => complain("no maxItems"),
        Some("array") if schema.get("x-kubernetes-list-type").is_none() => complain("no list type"),
        Some("integer") if schema.get("minimum").is_none() => complain("no minimum"),
        Some("string" | "array" | "integer" | "boolean" | "object") => {}
        other => complain(&format!("type {other:?}")),
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        inspect(&format!("{path}.{name}"), property, complaints);
    }
    if let Some(items) = schema.get("items") {
        inspect(&format!("{path}[]"), items, complaints);
    }
}

/// With all numbers as the floating point numbers that the typed schema holds.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), normal(member))).collect(),
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Number(number) => number.as_f64().into(),
        other => other.clone(),
    }
}
