//! What is taken back, or goes with its namespace.

use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use payg_test_kit::world::{World, automatic, message, subscription};
use serde_json::json;
use tokio::time::sleep;

use super::{APPROVALS, Asking, HOUR, SUBSCRIPTIONS, assert_untouched};
use crate::approvals::word;
use crate::people::{APPROVER, EDITOR, user};

const PROVIDERS: &str = "billingproviders.payg-operator.io";

/// Has somebody's finalizer keep the object, and deletes it.
fn delete_and_keep(world: &World, resource: &str, name: &str) {
    let finalizer = json!({"metadata": {"finalizers": ["example.com/keeps"]}}).to_string();
    world.kubectl(&["patch", resource, name, "--type=merge", "-p", &finalizer]).unwrap();
    world.kubectl(&["delete", "--wait=false", resource, name]).unwrap();
}

fn let_go(world: &World, resource: &str, name: &str) {
    let nothing = r#"{"metadata": {"finalizers": null}}"#;
    world.kubectl(&["patch", resource, name, "--type=merge", "-p", nothing]).unwrap();
}

/// Waits until the trial of `account` is over.
async fn is_over(world: &World, account: &str) {
    let over = async || (world.account_now(account).await["state"] == "Disabled").then_some(());
    world.eventually(60, over).await.expect("the trial's end");
}

/// Class: a withdrawal that does not take effect. Source: Kubernetes' documentation of finalizers,
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/>: what is deleted stays while a finalizer does.
#[tokio::test(flavor = "multi_thread")]
async fn an_approve_that_is_taken_back_is_none_whatever_keeps_it() {
    let asking = Asking::new().await;
    let world = &asking.world;
    let jane = user(world, "jane", &[APPROVER]).await;
    // Taken back before it is due: the account is asked about only when the Subscription is let go on.
    world.kubectl(&["patch", SUBSCRIPTIONS, "asks", "--type=merge", "-p", r#"{"spec":{"suspend":true}}"#]).unwrap();
    world.until("asks", "Suspended").await;
    let mut kept = asking.word("go", "Approve", "jane");
    kept["metadata"]["finalizers"] = json!(["example.com/keeps"]);
    jane.create(&kept).unwrap();
    jane.kubectl(&["delete", "--wait=false", APPROVALS, "go"]).unwrap();
    world.kubectl(&["patch", SUBSCRIPTIONS, "asks", "--type=merge", "-p", r#"{"spec":{"suspend":false}}"#]).unwrap();
    world.until("asks", "AwaitingApproval").await;
    asking.assert_still_asks().await;
    let_go(world, APPROVALS, "go");
    // One that is not taken back counts.
    jane.create(&asking.word("again", "Approve", "jane")).unwrap();
    world.until("asks", "OfferInPlace").await;
    assert_eq!(world.ledger(&asking.account).await.len(), 1);
}

/// Class: a withdrawal that does not take effect. Source: CWE-672 (operation on a resource after expiration or release),
/// <https://cwe.mitre.org/data/definitions/672.html>.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_is_taken_back_is_none_whatever_keeps_it() {
    let world = World::new().await;
    let jane = user(&world, "jane", &[APPROVER]).await;
    let fails = json!({"operationSeconds": 1, "retryAfterSeconds": 1, "fails": {"code": "PaymentMethodDeclined"}});
    let account = world.account(json!({"periodDays": 1, "graceDays": 1000, "broker": fails})).await;
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    let told = world.until("sandbox", "UpgradeUnresolved").await;
    let requests = async || {
        let requests = world.requests(&account).await;
        requests.iter().filter(|request| request["operation"] == "upgrade").count()
    };
    assert_eq!(requests().await, 1);
    world.kubectl(&["patch", SUBSCRIPTIONS, "sandbox", "--type=merge", "-p", r#"{"spec":{"suspend":true}}"#]).unwrap();
    let suspended = async || (world.subscription("sandbox")["status"]["observedGeneration"] == 2).then_some(());
    world.eventually(60, suspended).await.expect("a pass over the suspended Subscription");
    let mut retry = word("again", "Retry", "sandbox", &told["status"]["transition"]["hash"], HOUR);
    retry["spec"]["recordAttempt"] = json!(1);
    retry["metadata"]["finalizers"] = json!(["example.com/keeps"]);
    jane.create(&retry).unwrap();
    jane.kubectl(&["delete", "--wait=false", APPROVALS, "again"]).unwrap();
    world.kubectl(&["patch", SUBSCRIPTIONS, "sandbox", "--type=merge", "-p", r#"{"spec":{"suspend":false}}"#]).unwrap();
    let current = async || (world.subscription("sandbox")["status"]["observedGeneration"] == 3).then_some(());
    world.eventually(60, current).await.expect("a pass that may look again");
    sleep(Duration::from_secs(5)).await;
    assert_eq!((requests().await, world.ledger(&account).await), (1, vec![]));
    let_go(&world, APPROVALS, "again");
}

/// Class: a veto that ends before it is gone. Source: Kubernetes' documentation of finalizers,
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/>: an object under deletion is still there.
#[tokio::test(flavor = "multi_thread")]
async fn a_deny_that_is_being_deleted_denies_until_it_is_gone() {
    let world = World::new().await;
    let jane = user(&world, "jane", &[APPROVER]).await;
    let mut deny = word("stop", "Deny", "sandbox", &json!("0".repeat(16)), HOUR);
    deny["metadata"]["finalizers"] = json!(["example.com/keeps"]);
    jane.create(&deny).unwrap();
    let account = world.account(json!({"periodDays": 6})).await;
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    world.until("sandbox", "UpgradeDenied").await;
    jane.kubectl(&["delete", "--wait=false", APPROVALS, "stop"]).unwrap();
    is_over(&world, &account).await;
    super::still_is(&world, "sandbox", "UpgradeDenied").await;
    assert_untouched(&world, &account).await;
    // Once it is gone, the manifest decides again.
    let_go(&world, APPROVALS, "stop");
    world.until("sandbox", "OfferInPlace").await;
    assert_eq!(world.ledger(&account).await.len(), 1);
}

/// Class: credentials that go on working after they were withdrawn. Source: CWE-613 (insufficient session expiration),
/// <https://cwe.mitre.org/data/definitions/613.html>.
#[tokio::test(flavor = "multi_thread")]
async fn a_billing_provider_that_is_being_deleted_upgrades_nothing() {
    let world = World::new().await;
    let ed = user(&world, "ed", &[EDITOR]).await;
    let account = world.account(json!({"periodDays": 8})).await;
    ed.create(&subscription("sandbox", &account, automatic("BenefitsExhausted"))).unwrap();
    world.until("sandbox", "WaitingForExhaustion").await;
    delete_and_keep(&world, PROVIDERS, "azure");
    let told = world.until("sandbox", "ProviderNotReady").await;
    assert!(message(&told).contains("is being deleted"), "{}", message(&told));
    is_over(&world, &account).await;
    sleep(Duration::from_secs(5)).await;
    assert_untouched(&world, &account).await;
    let_go(&world, PROVIDERS, "azure");
}

/// Class: race of a namespace's deletion. Source: CVE-2024-7598 and KEP-5080,
/// <https://github.com/kubernetes/kubernetes/issues/126587>.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_upgraded_in_a_namespace_that_is_being_deleted() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 8})).await;
    let mut kept = subscription("sandbox", &account, automatic("BenefitsExhausted"));
    kept["metadata"]["finalizers"] = json!(["example.com/keeps"]);
    world.apply(&kept);
    let other = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "kept", "finalizers": ["example.com/keeps"]}});
    world.apply(&other);
    world.until("sandbox", "WaitingForExhaustion").await;
    world.stack.kubectl(&["delete", "--wait=false", "namespace", &world.namespace]).unwrap();
    let told = world.until("sandbox", "Suspended").await;
    assert!(message(&told).contains("being deleted"), "{}", message(&told));
    is_over(&world, &account).await;
    sleep(Duration::from_secs(5)).await;
    assert_untouched(&world, &account).await;
    let_go(&world, SUBSCRIPTIONS, "sandbox");
    let_go(&world, "configmap", "kept");
}

/// How many other objects there are in the namespace. It takes the namespace controller seconds to remove them.
const OTHERS: usize = 1200;

/// Puts [`OTHERS`] into the namespace.
async fn fill(world: &World) {
    let api = Api::<ConfigMap>::namespaced(world.stack.control_plane.admin_client().unwrap(), &world.namespace);
    let made = (0..OTHERS).map(async |number| {
        let mut other = ConfigMap::default();
        other.metadata.name = Some(format!("other-{number}"));
        api.create(&PostParams::default(), &other).await.unwrap();
    });
    stream::iter(made).buffer_unordered(32).collect::<Vec<()>>().await;
}

/// Deletes a namespace with a Deny, a Subscription that would be upgraded without it, and [`OTHERS`]. Returns for how long the
/// Subscription was there without the Deny.
async fn deletion_with_a_deny() -> Duration {
    let world = World::new().await;
    let jane = user(&world, "jane", &[APPROVER]).await;
    let account = world.account(json!({"periodDays": 1, "graceDays": 1000})).await;
    jane.create(&word("stop", "Deny", "sandbox", &json!("0".repeat(16)), HOUR)).unwrap();
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    is_over(&world, &account).await;
    world.until("sandbox", "UpgradeDenied").await;
    fill(&world).await;
    world.stack.kubectl(&["delete", "--wait=false", "namespace", &world.namespace]).unwrap();

    let mut without = Duration::ZERO;
    let began = tokio::time::Instant::now();
    let mut since = None;
    let there = |resource: &str, name: &str| world.kubectl(&["get", resource, name]).is_ok();
    let gone = async || {
        // A change of the Subscription has it observed at once, so that the race is run as often as it can be.
        let touch = ["annotate", "--overwrite", SUBSCRIPTIONS, "sandbox"];
        let time = format!("payg-operator.io/requested-at={:?}", began.elapsed());
        let _ = world.kubectl(&[&touch[..], &[&time]].concat());
        match (there(SUBSCRIPTIONS, "sandbox"), there(APPROVALS, "stop")) {
            (true, false) => without = since.get_or_insert_with(tokio::time::Instant::now).elapsed(),
            (false, _) => return world.stack.kubectl(&["get", "namespace", &world.namespace]).is_err().then_some(()),
            (true, true) => {}
        }
        None
    };
    world.eventually(120, gone).await.expect("the namespace's end");
    sleep(Duration::from_secs(3)).await; // a request that was under way has arrived
    assert_untouched(&world, &account).await;
    without
}

/// Class: race of a namespace's deletion. Source: CVE-2024-7598 and KEP-5080,
/// <https://github.com/kubernetes/kubernetes/issues/126587>.
#[tokio::test(flavor = "multi_thread")]
async fn the_deletion_of_a_namespace_upgrades_nothing_that_a_deny_in_it_forbade() {
    for _ in 0..2 {
        let without = deletion_with_a_deny().await;
        println!("without its Deny for {without:?}");
    }
}

/// Class: race of a namespace's deletion. Source: CVE-2024-7598 and KEP-5080,
/// <https://github.com/kubernetes/kubernetes/issues/126587>.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make attacks"]
async fn the_deletion_of_many_namespaces_upgrades_nothing_that_a_deny_in_them_forbade() {
    let mut exposed = 0;
    for _ in 0..14 {
        let without = deletion_with_a_deny().await;
        println!("without its Deny for {without:?}");
        exposed += usize::from(without > Duration::ZERO);
    }
    println!("{exposed} of 14 Subscriptions outlived their Deny");
}
