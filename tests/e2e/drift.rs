//! What is in Git and what is in the cluster do not drift apart: the operator writes status and nothing else, whoever applies and
//! however; and deleting a Subscription asks nothing of the cloud.

use payg_test_kit::world::{World, condition, provider, subscription};
use serde_json::{Value, json};

use crate::hooks::hooked;

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

/// What `kubectl diff` says; an error if there is a difference. It reads the object twice, and an observation in between is a difference
/// to it. So it is asked until there is none.
async fn diff(world: &World, resource: &str, name: &str, arguments: &[&str]) -> Result<String, String> {
    let version = || world.get(resource, name)["metadata"]["resourceVersion"].clone();
    let undisturbed = async || {
        let before = version();
        let told = world.kubectl(&[&["diff"], arguments].concat());
        (version() == before).then_some(told)
    };
    world.eventually(60, undisturbed).await.expect("a moment between two looks")
}

/// That `kubectl diff` finds nothing, now and after some more observations, and that all the operator has written is status.
async fn assert_nothing_drifts(world: &World, manifest: &Value, arguments: &[&str]) {
    let file = world.file(manifest);
    let looked_at = || world.subscription(NAME)["status"]["lastObservedTime"].clone();
    for _ in 0..3 {
        assert_eq!(diff(world, RESOURCE, NAME, &[&["-f", &file], arguments].concat()).await.as_deref(), Ok(""));
        let before = looked_at();
        world.touch("azure");
        let again = async || (looked_at() != before).then_some(());
        world.eventually(30, again).await.expect("another look");
    }
    let object = assert_only_status_is_ours(world, RESOURCE, NAME);
    assert_eq!((&object["spec"], &object["metadata"]["labels"]), (&manifest["spec"], &manifest["metadata"]["labels"]));
    assert_eq!(object["metadata"].get("finalizers"), None);
}

/// That the operator has written status, and nothing else. Returns the object.
fn assert_only_status_is_ours(world: &World, resource: &str, name: &str) -> Value {
    let object = world.kubectl(&["get", resource, name, "-o", "json", "--show-managed-fields"]).unwrap();
    let object: Value = serde_json::from_str(&object).unwrap();
    let managers = object["metadata"]["managedFields"].as_array().unwrap();
    let ours: Vec<_> = managers.iter().filter(|entry| entry["manager"] == "payg-operator").collect();
    assert!(!ours.is_empty(), "{managers:#?}");
    for entry in ours {
        let fields: Vec<_> = entry["fieldsV1"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!((&entry["subresource"], fields), (&json!("status"), vec!["f:status"]));
    }
    object
}

async fn account(world: &World) -> String {
    world.account(json!({"periodDays": 3000})).await
}

/// Where an observation comes only when there is a reason for it, so that one does not come into every comparison.
async fn calm() -> World {
    World::on(&hooked().await.stack).await
}

/// Applies, changes, takes a label out and applies again, all with these arguments.
async fn a_life(arguments: &[&str]) {
    let world = &calm().await;
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
    a_life(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_drifts_under_server_side_apply() {
    a_life(&["--server-side"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_drifts_of_a_billing_provider() {
    const PROVIDERS: &str = "billingproviders.payg-operator.io";
    let world = calm().await;
    for (name, arguments) in [("by-client", &[][..]), ("by-server", &["--server-side"][..])] {
        for method in ["Broker", "PortalHandoff"] {
            let manifest = provider(name, method);
            let file = world.file(&manifest);
            let arguments = [&["-f", &file], arguments].concat();
            world.kubectl(&[&["apply"], &arguments[..]].concat()).unwrap();
            let looked = async || {
                let object = world.get(PROVIDERS, name);
                let is_ready = condition(&object, "Ready")["status"] == "True";
                (is_ready && object["status"]["observedGeneration"] == object["metadata"]["generation"]).then_some(())
            };
            world.eventually(60, looked).await.expect("credentials that work");
            assert_eq!(diff(&world, PROVIDERS, name, &arguments).await.as_deref(), Ok(""));
            assert_eq!(assert_only_status_is_ours(&world, PROVIDERS, name)["spec"], manifest["spec"]);
        }
    }
}

/// Flux takes over what a person applied: it renames the person's entries in managedFields to its own, and applies by the server.
/// What the person had and Git has not is gone then; what the operator wrote is not.
#[tokio::test(flavor = "multi_thread")]
async fn flux_takeover_keeps_status() {
    let world = calm().await;
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

    let owner = || world.subscription(NAME)["status"]["account"]["ownerTenantId"].clone();
    let before = owner();
    assert!(before.is_string());
    let in_git = manifest(&account, "Never", json!({"team": "a"}));
    let by_flux = ["--server-side", FLUX, "--force-conflicts"];
    apply(&world, &in_git, &by_flux).await;
    assert_eq!((&world.subscription(NAME)["metadata"]["labels"], owner()), (&json!({"team": "a"}), before));
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
        world.assert_left_alone(&account).await;
    }
}
