//! `docs/reference/azure-protocol.md` and `docs/reference/aws-protocol.md` name the tests of each thing that is relied on, and
//! `docs/develop/published-bugs.md` those of each bug: they must exist. So must those of `docs/operate/threat-model.md`, which has every attack. What `docs/use/aws.md` shows of `deploy/aws/` must be what is there.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use payg_core::transition::TERMS;
use serde_json::Value;

use crate::root;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The names of all tests in Rust and Python.
fn tests() -> HashSet<String> {
    let mut found = HashSet::new();
    for path in ["src", "crates", "tests"].into_iter().flat_map(|dir| files(&root().join(dir))) {
        let (keyword, is_python) = match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => ("fn ", false),
            Some("py") => ("def ", true),
            _ => continue,
        };
        let mut is_marked = false;
        for line in fs::read_to_string(&path).unwrap().lines() {
            is_marked |= line.trim().starts_with("#[test]") || line.trim().starts_with("#[tokio::test");
            let Some((name, _)) = line.split_once(keyword).and_then(|(_, rest)| rest.split_once('(')) else { continue };
            let is_test = if is_python { name.starts_with("test_") } else { std::mem::take(&mut is_marked) };
            if is_test {
                found.insert(name.to_owned());
            }
        }
    }
    found
}

#[test]
fn every_test_that_the_tables_name_exists() {
    let tests = tests();
    let tables = [
        ("docs/reference/azure-protocol.md", 50),
        ("docs/reference/aws-protocol.md", 50),
        ("docs/develop/published-bugs.md", 20),
    ];
    for (table, least) in tables {
        let text = read(table);
        let is_head = |line: &str| ["| ---", "| What |", "| Bug |"].iter().any(|head| line.starts_with(head));
        let rows = text.lines().filter(|line| line.starts_with("| ") && !is_head(line));
        let mut count = 0;
        for row in rows {
            let last = row.trim_end_matches('|').rsplit('|').next().unwrap();
            let names: Vec<_> = last.split('`').skip(1).step_by(2).collect();
            assert!(!names.is_empty(), "{table}: no test is named: {row}");
            for name in names {
                assert!(tests.contains(name), "{table}: there is no test `{name}`: {row}");
                count += 1;
            }
        }
        assert!(count > least, "{table} was not read: {count}");
    }
}

/// The fields of `schema` that have no fields of their own, or only those of an amount of money.
fn leaves(schema: &Value, path: &str, found: &mut Vec<String>) {
    let members = schema["properties"].as_object().filter(|members| !members.contains_key("amount"));
    match members {
        Some(members) if path != "spec.account" => {
            members.iter().for_each(|(name, member)| leaves(member, &format!("{path}.{name}"), found));
        }
        _ => found.push(path.to_owned()),
    }
}

#[test]
fn every_field_of_a_subscription_is_a_term_and_every_term_is_documented() {
    let crd: Value = serde_saphyr::from_str(&read("crds/subscriptions.payg-operator.io.yaml")).unwrap();
    let mut fields = Vec::new();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    leaves(&schema["properties"]["spec"], "spec", &mut fields);
    fields.sort();
    let terms: Vec<_> = TERMS.iter().filter(|term| term.starts_with("spec.")).map(ToString::to_string).collect();
    assert_eq!(
        terms, fields,
        "what is written in a Subscription and is not in the hash could be changed under an approval"
    );
    let text = read("docs/reference/decisions.md");
    for term in TERMS {
        assert!(text.contains(term), "docs/reference/decisions.md does not name {term}");
    }
    // The policies guard the whole spec of both kinds, so whatever is a term.
    let policies = read("deploy/kustomize/base/admission.yaml");
    let guards = policies.matches(r#"expression: "oldObject == null || object.spec != oldObject.spec""#).count();
    assert_eq!(guards, 2, "of Subscriptions, and of BillingProviders");
}

/// The tests in `tests/e2e/attacks/` as the threat model names them, each with its doc comment.
fn attacks() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in files(&root().join("tests/e2e/attacks")) {
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (mut comment, mut is_test) = (String::new(), false);
        for line in fs::read_to_string(&path).unwrap().lines().map(str::trim) {
            if let Some(text) = line.strip_prefix("///") {
                comment = comment + text.trim() + " ";
            } else if line.starts_with("#[") {
                is_test |= line.starts_with("#[tokio::test") || line.starts_with("#[test]");
            } else {
                let name = line.split_once("fn ").and_then(|(_, rest)| rest.split_once('(')).map(|(name, _)| name);
                if let Some(name) = name.filter(|_| is_test) {
                    found.push((format!("attacks::{module}::{name}"), comment));
                }
                (comment, is_test) = (String::new(), false);
            }
        }
    }
    found
}

#[test]
fn every_attack_names_its_source_and_is_in_the_threat_model() {
    let (attacks, tests) = (attacks(), tests());
    let text = read("docs/operate/threat-model.md");
    let is_head = |line: &str| line.starts_with("| Attack |") || line.starts_with("| ---");
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| ") && !is_head(line)).collect();
    let mut named = HashSet::new();
    for row in &rows {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert!(cells.len() == 4 && cells.iter().all(|cell| !cell.is_empty()), "not a row of four: {row}");
        let path = cells[3].split('`').nth(1).unwrap_or_else(|| panic!("no test is named: {row}"));
        let (module, name) = path.rsplit_once("::").unwrap_or_else(|| panic!("no path of a test: {row}"));
        assert!(tests.contains(name), "there is no test `{path}`: {row}");
        let is_there = !module.starts_with("attacks::") || attacks.iter().any(|(attack, _)| attack == path);
        assert!(is_there, "there is no `{path}`: {row}");
        named.insert(path);
    }
    for (attack, comment) in &attacks {
        let said = comment.split_once("Class: ").and_then(|(_, rest)| rest.split_once(". Source: "));
        let is_said = said.is_some_and(|(class, source)| !class.is_empty() && source.trim().len() > 3);
        assert!(is_said, "{attack} does not say `Class: … . Source: …`: {comment}");
        assert!(named.contains(attack.as_str()), "{attack} is not in docs/operate/threat-model.md");
    }
    assert!(rows.len() >= 60, "only {} cases", rows.len());
}

#[test]
fn the_policies_in_the_documentation_are_those_that_are_shipped() {
    let text = read("docs/use/aws.md");
    for name in ["observe-and-upgrade-policy", "trust-web-identity", "trust-pod-identity"] {
        let shipped = read(&format!("deploy/aws/{name}.json"));
        assert!(text.contains(&format!("```json\n{shipped}```")), "docs/use/aws.md does not show {name} as it is");
    }
}

fn actions(policy: &str) -> Vec<String> {
    let policy: Value = serde_json::from_str(&read(policy)).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let granted = statements.iter().map(|statement| &statement["Action"]);
    let each = granted.flat_map(|action| action.as_array().cloned().unwrap_or_else(|| vec![action.clone()]));
    each.map(|action| action.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_action_that_is_granted_is_one_that_the_operator_asks_for() {
    let code = read("crates/providers/src/aws/observation.rs") + &read("crates/providers/src/aws/mod.rs");
    let (observe, upgrade) =
        (actions("deploy/aws/observe-policy.json"), actions("deploy/aws/observe-and-upgrade-policy.json"));
    for action in &upgrade {
        assert!(code.contains(&format!("\"{action}\"")), "{action} is granted for nothing");
    }
    let more: Vec<_> = upgrade.iter().filter(|action| !observe.contains(action)).collect();
    assert_eq!(more, ["freetier:UpgradeAccountPlan"]);
}
