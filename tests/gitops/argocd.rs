//! What `deploy/argocd` adds to Argo CD, by Argo CD's own Lua engine and its own reading of argocd-cm.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use payg_test_kit::world::World;
use serde_json::{Value, json};

use crate::examples::{argocd, examples, expected};
use crate::programs;

const SERVICE_ACCOUNT: &str = "argocd-server";

fn config_map() -> String {
    argocd().join("argocd-cm.yaml").to_str().unwrap().to_owned()
}

/// What the action called `name` does to `object`.
fn action(object: &Value, name: &str, parameters: &[&str], environment: &[(&str, &str)]) -> Result<Value, String> {
    let config_map = config_map();
    let arguments = [&["action", &config_map, name], parameters].concat();
    programs::run("argocd-lua", &arguments, environment, object)
}

/// `text`, each line of it that is not empty further to the right.
fn indented(text: &str, by: usize) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{:by$}{line}\n", "") };
    text.lines().map(line).collect()
}

/// The argocd-cm that has in it what is in the Lua files.
fn generated() -> String {
    let lua =
        |path: &str| fs::read_to_string(argocd().join("resource_customizations/payg-operator.io").join(path)).unwrap();
    let mut text = String::from(
        "# Written by `make testdata` from resource_customizations/. Merge it into the argocd-cm of Argo CD: see README.md.\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: argocd-cm\n  labels:\n    app.kubernetes.io/name: argocd-cm\n    \
         app.kubernetes.io/part-of: argocd\ndata:\n",
    );
    for kind in ["Subscription", "BillingProvider"] {
        let health = indented(&lua(&format!("{kind}/health.lua")), 4);
        write!(text, "  resource.customizations.health.payg-operator.io_{kind}: |\n{health}").unwrap();
        // Each observation changes it. A change of health counts in any case.
        let status = "    jsonPointers:\n    - /status\n";
        write!(text, "  resource.customizations.ignoreResourceUpdates.payg-operator.io_{kind}: |\n{status}").unwrap();
    }
    text += "  resource.customizations.actions.payg-operator.io_Subscription: |\n    discovery.lua: |\n";
    text += &indented(&lua("Subscription/actions/discovery.lua"), 6);
    text += "    definitions:\n";
    for action in ["approve", "deny", "reconcile"] {
        let script = indented(&lua(&format!("Subscription/actions/{action}/action.lua")), 8);
        write!(text, "    - name: {action}\n      action.lua: |\n{script}").unwrap();
    }
    text
}

#[test]
fn the_config_map_is_what_the_lua_files_say() {
    let file = argocd().join("argocd-cm.yaml");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, generated()).unwrap();
    }
    let stored = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(stored, generated(), "deploy/argocd/argocd-cm.yaml is not up to date: run `make testdata`");
}

/// How many entries a test file has under `name`.
fn entries(path: &Path, name: &str) -> usize {
    let tests: Value = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    tests[name].as_array().map_or(0, Vec::len)
}

#[test]
fn argo_cds_own_tests_pass_on_all_statuses_and_actions() {
    let dir = argocd().join("resource_customizations");
    let config_map = config_map();
    let arguments = ["test", &config_map, dir.to_str().unwrap()];
    let passed = programs::run("argocd-lua", &arguments, &[], &Value::Null).unwrap_or_else(|error| panic!("{error}"));
    let subscription = dir.join("payg-operator.io/Subscription");
    let actions = subscription.join("actions/action_test.yaml");
    let all = entries(&subscription.join("health_test.yaml"), "tests")
        + entries(&dir.join("payg-operator.io/BillingProvider/health_test.yaml"), "tests")
        + entries(&actions, "discoveryTests")
        + entries(&actions, "actionTests");
    assert_eq!(passed.as_array().unwrap().len(), all);
}

#[test]
fn argo_cd_tells_the_health_of_every_status_as_it_must() {
    let (examples, expected) = (examples(), expected());
    let objects = json!(examples.values().collect::<Vec<_>>());
    let told = programs::run("argocd-lua", &["health", &config_map()], &[], &objects).unwrap();
    for (((kind, name), _), told) in examples.iter().zip(told.as_array().unwrap()) {
        assert_eq!(told["status"], expected[kind][name][1], "{kind} {name}");
    }
}

#[test]
fn an_approval_ends_after_a_day_in_every_time_zone() {
    let object = &examples()[&("Subscription".to_owned(), "awaiting-approval".to_owned())];
    for zone in ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"] {
        let created = action(object, "approve", &[], &[("TZ", zone)]).unwrap();
        let approval = &created[0]["resource"];
        let ends: Timestamp = approval["spec"]["expireTime"].as_str().unwrap().parse().unwrap();
        let lasts = ends.duration_since(Timestamp::now());
        // At a change of summer time it may be an hour more or less.
        assert!((lasts - SignedDuration::from_hours(24)).abs() < SignedDuration::from_mins(61), "{zone}: {lasts}");
    }
}

#[test]
fn a_request_to_look_now_is_the_time_in_utc() {
    let object = &examples()[&("Subscription".to_owned(), "observing".to_owned())];
    let patched = action(object, "reconcile", &[], &[("TZ", "Asia/Kolkata")]).unwrap();
    let at = patched[0]["resource"]["metadata"]["annotations"]["payg-operator.io/requested-at"].as_str().unwrap();
    let age = Timestamp::now().duration_since(at.parse().unwrap());
    assert!(age < SignedDuration::from_mins(1) && !age.is_negative(), "{at}");
}

/// What the API server says to `created` by an action, as the ServiceAccount of Argo CD's API server.
async fn create(world: &World, created: &Value) -> Result<String, String> {
    assert_eq!((created[0]["operation"].as_str(), created.as_array().unwrap().len()), (Some("create"), 1));
    let account = world.stack.control_plane.service_account_kubeconfig("argocd", SERVICE_ACCOUNT).await.unwrap();
    let kubeconfig = format!("--kubeconfig={}", account.display());
    let mut object = created[0]["resource"].clone();
    object["metadata"]["name"] = json!("created"); // of the file, in which it is none
    let file = world.file(&object);
    object["metadata"].as_object_mut().unwrap().remove("name");
    fs::write(&file, object.to_string()).unwrap();
    world.kubectl(&[&kubeconfig, "create", "-f", &file])
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_by_argo_cd_count_if_it_holds_the_verb() {
    let _policies = crate::repository::POLICIES.lock().await;
    let world = World::new().await;
    let _ = world.stack.kubectl(&["create", "namespace", "argocd"]);
    let _ = world.stack.kubectl(&["create", "serviceaccount", SERVICE_ACCOUNT, "--namespace=argocd"]);
    let account = world.account(json!({"periodDays": 3000})).await;
    world.subscribe("sandbox", &account, json!({"when": "Immediately", "approval": "Manual"}));
    let asking = world.until("sandbox", "AwaitingApproval").await;

    let denial = action(&asking, "deny", &[], &[]).unwrap();
    let refused = create(&world, &denial).await.unwrap_err();
    assert!(refused.contains("cannot create resource"), "{refused}");
    let role = fs::read_to_string(argocd().join("approve.yaml")).unwrap();
    let mut binding: Value = serde_saphyr::from_str(&role).unwrap();
    binding["metadata"].as_object_mut().unwrap().remove("namespace");
    world.apply(&binding);

    create(&world, &denial).await.unwrap();
    world.until("sandbox", "UpgradeDenied").await;
    world.kubectl(&["delete", "upgradeapprovals.payg-operator.io", "--all"]).unwrap();
    let asking = world.until("sandbox", "AwaitingApproval").await;

    let approved = action(
        &asking,
        "approve",
        &["reason=it goes on", "approver=system:serviceaccount:kube-system:argocd-manager"],
        &[],
    );
    let refused = create(&world, &approved.unwrap()).await.unwrap_err();
    assert!(refused.contains("system:serviceaccount:argocd:argocd-server"), "it tells the right name: {refused}");
    world.wait_until_approvals_count();
    create(&world, &action(&asking, "approve", &["reason=it goes on"], &[]).unwrap()).await.unwrap();
    world.until("sandbox", "UpgradeAccepted").await;
    let records = world.records(&account);
    assert_eq!(records[0]["spec"]["intent"]["approval"]["reason"], "it goes on", "{records:#?}");
}
