//! What is in Git and what is in the cluster do not drift apart: the operator writes status and nothing else, whoever applies and
//! however; and deleting a Subscription asks nothing of the cloud.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::{World, condition, subscription};

const NAME: &str = "sandbox";
const RESOURCE: &str = "subscriptions.payg-operator.io";
/// Who Flux applies as.
const FLUX: &str = "--field-manager=kustomize-controller";

/// What is in Git: two fields that will be changed, and one that will be taken out.
fn manifest(account: &str, when: &str, labels: Value) -> Value {
    let mut manifest = subscription(NAME, account, json!({"when": when, "approval": "Manual"}));
    manifest["metadata"]["labels"] = labels;
    manifest
}

/// Applies `manifest` with these arguments, and waits until the operator has looked with it.
async fn apply(world: &World, manifest: &Value, arguments: &[&str]) {
    let file = world.file(manifest);
    world.kubectl(&[&["apply", "-f", &file], arguments].concat()).unwrap();
    let looked = async || {
        let object = world.subscription(NAME);
        let is_told = condition(&object, "Ready")["reason"].is_string();
        (is_told && object["status"]["observedGeneration"] == object["metadata"]["generation"]).then_some(())
    };
    world.eventually(60, looked).await.expect("a look with what was applied");
}

/// That `kubectl diff` finds nothing, now and after some more looks, and that all the operator has written is status.
async fn assert_nothing_drifts(world: &World, manifest: &Value, arguments: &[&str]) {
    let file = world.file(manifest);
    let looked_at = || world.subscription(NAME)["status"]["lastObservedTime"].clone();
    for _ in 0..3 {
        // It ends with 1 if there is a difference.
        let diff = world.kubectl(&[&["diff", "-f", &file], arguments].concat());
        assert_eq!(diff.as_deref(), Ok(""));
        let before = looked_at();
        let again = async || (looked_at() != before).then_some(());
        world.eventually(30, again).await.expect("another look");
    }
    let object = world.kubectl(&["get", RESOURCE, NAME, "-o", "json", "--show-managed-fields"]).unwrap();
    let object: Value = serde_json::from_str(&object).unwrap();
    let managers = object["metadata"]["managedFields"].as_array().unwrap();
    let ours: Vec<_> = managers.iter().filter(|entry| entry["manager"] == "payg-operator").collect();
    assert!(!ours.is_empty(), "{managers:#?}");
    for entry in ours {
        let fields: Vec<_> = entry["fieldsV1"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!((&entry["subresource"], fields), (&json!("status"), vec!["f:status"]));
    }
    assert_eq!((&object["spec"], &object["metadata"]["labels"]), (&manifest["spec"], &manifest["metadata"]["labels"]));
    assert_eq!(object["metadata"].get("finalizers"), None);
}

async fn account(world: &World) -> String {
    world.account(json!({"periodDays": 3000})).await
}

/// Applies, changes, takes a label out and applies again, all with these arguments.
async fn a_life(world: &World, arguments: &[&str]) {
    let account = account(world).await;
    for manifest in [
        manifest(&account, "Never", json!({"team": "a", "cost": "low"})),
        manifest(&account, "BenefitsExhausted", json!({"team": "b"})),
    ] {
        apply(world, &manifest, arguments).await;
        assert_nothing_drifts(world, &manifest, arguments).await;
        apply(world, &manifest, arguments).await;
        assert_nothing_drifts(world, &manifest, arguments).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_drifts_under_client_side_apply() {
    a_life(&World::new().await, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_drifts_under_server_side_apply() {
    a_life(&World::new().await, &["--server-side"]).await;
}

/// Flux takes over what a person applied: it renames the person's entries in managedFields to its own, and applies by the server.
/// What the person had and Git has not is gone then; what the operator wrote is not.
#[tokio::test(flavor = "multi_thread")]
async fn what_flux_takes_over_from_a_person_keeps_its_status() {
    let world = World::new().await;
    let account = account(&world).await;
    let theirs = manifest(&account, "Never", json!({"team": "a", "by": "hand"}));
    apply(&world, &theirs, &[]).await;
    let text = world.kubectl(&["get", RESOURCE, NAME, "-o", "json", "--show-managed-fields"]).unwrap();
    let mut managers = serde_json::from_str::<Value>(&text).unwrap()["metadata"]["managedFields"].clone();
    let mut renamed = 0;
    for entry in managers.as_array_mut().unwrap() {
        if entry["manager"].as_str().unwrap().starts_with("kubectl") && entry["subresource"].is_null() {
            entry["manager"] = json!("kustomize-controller");
            entry["operation"] = json!("Apply");
            renamed += 1;
        }
    }
    assert_eq!(renamed, 1, "{managers:#}");
    let patch = json!([{"op": "replace", "path": "/metadata/managedFields", "value": managers}]).to_string();
    world.kubectl(&["patch", RESOURCE, NAME, "--type=json", "-p", &patch]).unwrap();

    let transition = world.subscription(NAME)["status"]["account"].clone();
    let in_git = manifest(&account, "Never", json!({"team": "a"}));
    let by_flux = ["--server-side", FLUX, "--force-conflicts"];
    apply(&world, &in_git, &by_flux).await;
    let after = world.subscription(NAME);
    assert_eq!((&after["metadata"]["labels"], &after["status"]["account"]), (&json!({"team": "a"}), &transition));
    assert_nothing_drifts(&world, &in_git, &by_flux).await;
    let changed = manifest(&account, "BenefitsExhausted", json!({"team": "a"}));
    apply(&world, &changed, &by_flux).await;
    assert_nothing_drifts(&world, &changed, &by_flux).await;
}

/// At the wire: whoever deletes a Subscription, suspended or not, sends nothing to the cloud by it.
#[tokio::test(flavor = "multi_thread")]
async fn deletion_touches_no_cloud() {
    let world = World::new().await;
    for suspended in [false, true] {
        let account = account(&world).await;
        let mut wanted = subscription(NAME, &account, json!({"when": "BenefitsExhausted", "approval": "Automatic"}));
        world.apply(&wanted);
        world.until(NAME, "WaitingForExhaustion").await;
        if suspended {
            wanted["spec"]["suspend"] = json!(true);
            world.apply(&wanted);
            world.until(NAME, "Suspended").await;
        }
        world.kubectl(&["delete", RESOURCE, NAME, "--timeout=10s"]).unwrap();
        sleep(Duration::from_secs(2)).await; // a look that was under way is over
        let before = world.requests(&account).await;
        sleep(Duration::from_secs(5)).await; // some days, each of which has a look while there is a Subscription
        let after = world.requests(&account).await;
        assert_eq!(after.len(), before.len(), "{after:#?}");
        assert!(!after.is_empty() && after.iter().all(|request| request["method"] == "GET"), "{after:#?}");
        assert_eq!((world.ledger(&account).await, world.records(&account)), (vec![], vec![]));
        assert_eq!(world.account_now(&account).await["state"], "Enabled");
    }
}
