//! The statuses that the operator writes, as other tools read them: a file for each verdict in `deploy/argocd`, which kstatus,
//! Flux and Argo CD themselves judge in `tests/gitops/`, and Flux's rules over all that can be decided.

mod providers;
mod verdicts;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};

use self::verdicts::{names, situation};
use crate::cli::get::row::row;
use crate::operator::parse;
use crate::operator::status::render::{self, Context};
use crate::operator::status::report;
use payg_api as api;
use payg_api::conditions;
use payg_clock::Clock;
use payg_core::account::AccountId;
use payg_core::decide::{Decision, decide};
use payg_core::desired::ApprovalMode;
use payg_core::inputs::Inputs;
use payg_core::observation::Lifecycle;
use payg_core::provider::Outcome;
use payg_core::reason::ConditionType;
use payg_core::record::RecordState;
use payg_core::verdict::Verdict;
use payg_fixtures::arbitrary::any_inputs;
use payg_fixtures::flux;
use payg_fixtures::given::{Given, ago, now, period, record};

/// The generation of the examples' specs. The one before is what an operator has seen that is behind.
const GENERATION: i64 = 2;
/// Where Argo CD's own repository would have the files.
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/argocd/resource_customizations/payg-operator.io");
/// What tools must make of them.
const EXPECTED: &str = include_str!("../../../tests/gitops/expected.yaml");

/// The status after `decision`, as the reconcile writes it.
fn after(
    before: &api::SubscriptionStatus,
    generation: i64,
    inputs: &Inputs,
    decision: &Decision,
) -> api::SubscriptionStatus {
    let wall = inputs.now.wall;
    let next_check = report::next_check(decision.next, wall, Clock::real());
    let record = inputs.record.as_ref();
    let (billing, uid) = (inputs.now.billing, inputs.subject.uid.as_str());
    render::status(
        decision,
        Context { before, uid, generation, record, notices: None, reconcile_request: None, next_check, billing, wall },
    )
}

/// As the API server stores what has no status yet.
fn fresh() -> api::SubscriptionStatus {
    api::SubscriptionStatus { observed_generation: Some(-1), ..Default::default() }
}

/// The status of a trial that waited, an hour before the situations of `verdicts`.
fn waiting(generation: i64) -> api::SubscriptionStatus {
    let (mut inputs, decision) = situation("waiting-for-exhaustion");
    inputs.now.wall -= SignedDuration::from_hours(1);
    inputs.now.billing -= SignedDuration::from_hours(1);
    after(&fresh(), generation, &inputs, &decision)
}

/// The Subscription that leads to `inputs`, with `status`.
fn subscription(inputs: &Inputs, status: impl serde::Serialize) -> Value {
    let AccountId::Azure(id) = inputs.desired.account else { panic!("not of Azure") };
    let approval = if inputs.desired.approval == ApprovalMode::Manual { "Manual" } else { "Automatic" };
    let mut object = json!({
        "apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription",
        "metadata": {"name": "sandbox", "namespace": "team-a", "uid": "7f1d8a52-0000-4a00-9000-0000000000d1",
            "creationTimestamp": "2026-01-18T20:00:00Z", "generation": GENERATION},
        "spec": {"providerName": "azure", "account": {"azure": {"subscriptionId": id.to_string()}}, "offer": "PayAsYouGo",
            "upgrade": {"when": inputs.desired.when.name(), "approval": approval}},
        "status": status,
    });
    if inputs.desired.suspend.is_some() {
        object["spec"]["suspend"] = json!(true);
    }
    object
}

/// The examples of Subscriptions by name.
fn subscriptions() -> BTreeMap<String, Value> {
    let mut examples: BTreeMap<_, _> = names()
        .into_iter()
        .map(|name| {
            let (inputs, decision) = situation(&name);
            let before = if name == "pending" { fresh() } else { waiting(GENERATION) };
            (name, subscription(&inputs, after(&before, GENERATION, &inputs, &decision)))
        })
        .collect();
    let (inputs, _) = situation("waiting-for-exhaustion");
    let (unseen, decision) = situation("not-observed-lately");
    let mut without = subscription(&inputs, ());
    without.as_object_mut().unwrap().remove("status");
    let message = report::invalid_message("`spec.account.azure.subscriptionId` must be a GUID");
    for (name, example) in [
        ("fresh", subscription(&inputs, fresh())),
        ("no-status", without),
        ("changed-since", subscription(&inputs, waiting(GENERATION - 1))),
        (
            "changed-and-not-observed",
            subscription(&unseen, after(&waiting(GENERATION - 1), GENERATION, &unseen, &decision)),
        ),
        ("invalid-spec", subscription(&inputs, report::status_of_invalid(&message, GENERATION, now()))),
    ] {
        examples.insert(name.to_owned(), example);
    }
    examples
}

/// `text` is what is in the file, which is written with `BLESS=1`.
fn check(file: &Path, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let stored = std::fs::read_to_string(file).unwrap_or_default();
    assert_eq!(stored, text, "{} is not what the operator writes: run `make testdata`", file.display());
}

fn yaml(value: &Value) -> String {
    serde_saphyr::to_string(value).unwrap()
}

/// The files of `kind` are the examples, and no others. The health that Argo CD is to tell is the one expected, with a message.
fn check_all(kind: &str, examples: &BTreeMap<String, Value>) {
    let dir = Path::new(FILES).join(kind);
    let expected: BTreeMap<String, BTreeMap<String, [String; 2]>> = serde_saphyr::from_str(EXPECTED).unwrap();
    let mut tests = Vec::new();
    for (name, example) in examples {
        let path = format!("testdata/{name}.yaml");
        check(&dir.join(&path), &yaml(example));
        let Some([_, health]) = expected[kind].get(name) else { panic!("nothing is expected of {name}") };
        let health = json!({"status": health, "message": health_message(kind, example)});
        tests.push(json!({"inputPath": path, "healthStatus": health}));
    }
    check(&dir.join("health_test.yaml"), &yaml(&json!({"tests": tests})));
    let stored = std::fs::read_dir(dir.join("testdata")).unwrap().map(|file| file.unwrap().path());
    let mut stored: Vec<_> = stored.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    stored.sort();
    assert!(stored.iter().eq(examples.keys()), "files that no example is of, in {}: {stored:?}", dir.display());
}

fn health_message(kind: &str, example: &Value) -> String {
    let status = &example["status"];
    if kind == "BillingProvider" && status["observedGeneration"] != GENERATION {
        return "Waiting for payg-operator to check the credentials".to_owned();
    }
    if !status["conditions"].is_array() {
        return "Waiting for payg-operator to reconcile the Subscription".to_owned();
    }
    if status["observedGeneration"] != GENERATION {
        return "Waiting for payg-operator to reconcile the changed Subscription".to_owned();
    }
    let ready = status["conditions"].as_array().unwrap().iter().find(|condition| condition["type"] == "Ready");
    ready.unwrap()["message"].as_str().unwrap().to_owned()
}

#[test]
fn the_files_of_subscriptions_are_what_the_operator_writes() {
    let examples = subscriptions();
    check_all("Subscription", &examples);
    let mut reconciled = examples["waiting-for-exhaustion"].clone();
    reconciled["metadata"]["annotations"] = json!({"payg-operator.io/requested-at": "0001-01-01T00:00:00Z"});
    check(&Path::new(FILES).join("Subscription/actions/testdata/reconciled.yaml"), &yaml(&reconciled));
}

#[test]
fn the_files_of_billing_providers_are_what_the_operator_writes() {
    check_all("BillingProvider", &providers::examples());
}

#[test]
fn the_examples_keep_the_rules_of_flux() {
    let all = subscriptions().into_iter().chain(providers::examples());
    for (name, example) in all.filter(|(name, _)| !["fresh", "no-status", "changed-since"].contains(&&**name)) {
        assert_eq!(flux::broken(&example), [""; 0], "{name}");
    }
}

#[test]
fn while_another_attempt_is_held_nobody_knows_of_the_one_before() {
    for held in ["upgrade-held-cap", "upgrade-held-dry-run", "approval-policy-missing", "waiting-for-clocks"] {
        let (mut inputs, _) = situation(held);
        inputs.record = Some(record(RecordState::Unknown, Outcome::Unknown, 9));
        if held == "waiting-for-clocks" {
            inputs.seen().benefits = vec![period(ago(2))];
            inputs.previous.observation.as_mut().unwrap().benefits = vec![period(ago(3))];
            inputs.seen().provider_time = Some(ago(3));
        }
        let mut decision = decide(&inputs);
        assert_eq!(verdicts::name(&decision), held, "{:?}", decision.verdict);
        let status = after(&waiting(GENERATION), GENERATION, &inputs, &decision);
        assert_eq!(conditions::find(&status.conditions, ConditionType::Upgraded).unwrap().status, "Unknown", "{held}");
        // The record of another attempt cannot be written.
        decision.verdict = Verdict::LedgerUnavailable { detail: "upgraderecords is forbidden".to_owned() };
        let status = after(&waiting(GENERATION), GENERATION, &inputs, &decision);
        assert_eq!(conditions::find(&status.conditions, ConditionType::Upgraded).unwrap().status, "Unknown");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Whatever is decided after whatever, of the same spec or of another: nobody is shown a transition of a former spec as
    /// one of the spec that status is about.
    #[test]
    fn every_status_keeps_flux_rules_and_shows_only_the_current_transition(
        reconciles in prop::collection::vec((any_inputs(), prop::bool::weighted(0.3)), 1..4),
    ) {
        let (mut status, mut generation, mut looked) = (fresh(), 1, None);
        for (inputs, spec_changes) in reconciles {
            if spec_changes {
                (generation, looked) = (generation + 1, None);
            }
            let decision = decide(&inputs);
            if decision.seen.is_some() {
                looked = decision.transition.as_ref().map(|transition| transition.hash.clone());
            }
            status = after(&status, generation, &inputs, &decision);
            let object = json!({"metadata": {"generation": generation}, "status": &status});
            prop_assert_eq!(flux::broken(&object), [""; 0], "{:#}", object);
            if status.observed_generation == Some(generation) {
                prop_assert_eq!(status.transition.as_ref().map(|transition| &transition.hash), looked.as_ref());
            }
        }
    }

    /// What is decided of an account that is switched off never reads as healthy, and says so.
    #[test]
    fn a_restricted_account_is_never_ready(inputs in any_inputs()) {
        let decision = decide(&inputs);
        let restricted = decision.seen.as_ref().is_some_and(|seen| seen.lifecycle == Lifecycle::Restricted);
        let status = after(&fresh(), GENERATION, &inputs, &decision);
        let ready = conditions::find(&status.conditions, ConditionType::Ready).unwrap();
        if restricted {
            prop_assert_ne!(&ready.status, "True", "{:?}", decision.verdict);
            prop_assert!(ready.message.contains("what runs in it has stopped"), "{}", ready.message);
            prop_assert!(status.account.unwrap().restricted_time.is_some());
        } else if decision.seen.is_some() {
            prop_assert_eq!(status.account.unwrap().restricted_time, None);
        }
    }

    /// Benefits, forecast and the table of `payg get` agree, whatever was observed: what is exhausted is so since a moment that
    /// has passed and stays, and nothing else is.
    #[test]
    fn benefits_and_forecast_agree(first in any_inputs(), hours in 0_i64..100) {
        let mut inputs = first;
        let decision = decide(&inputs);
        let Some(seen) = &decision.seen else { return Ok(()) };
        let is_over = seen.benefits.iter().any(|benefit| benefit.is_exhausted(seen.observed));
        let status = after(&fresh(), GENERATION, &inputs, &decision);
        let since = parse::exhausted_since(&status);
        prop_assert_eq!(since.is_some(), is_over);
        let object = serde_json::from_value(subscription(&inputs, &status)).unwrap();
        let cells: Vec<String> = row(&object, inputs.now.billing).into_iter().map(|cell| cell.text).collect();
        if !is_over {
            prop_assert!(!cells[3].contains("spent"), "{:?}", cells);
            return Ok(());
        }
        prop_assert_eq!(decision.forecast.and_then(|forecast| forecast.exhaustion), since);
        prop_assert!(since <= Some(seen.observed), "{:?}", since);
        prop_assert!(["-", "0"].contains(&cells[4].as_str()), "{:?}", cells);
        inputs.now.billing += SignedDuration::from_hours(hours);
        inputs.seen().observed = inputs.now.billing;
        inputs.previous.exhausted_since = since;
        if let Some(forecast) = decide(&inputs).forecast {
            prop_assert_eq!(forecast.exhaustion, since, "it stays");
        }
    }
}
