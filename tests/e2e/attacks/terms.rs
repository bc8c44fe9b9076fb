//! Terms that change under an approval.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use payg_test_kit::world::{World, automatic, message, provider, subscription};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::approvals::word;
use crate::people::{APPROVER, EDITOR, User, user};

const HOUR: Duration = Duration::from_hours(1);
const AUTOMATIC: &str = "payg-operator.io/automatic=needs-approve";
const SECOND_PERSON: &str = "payg-operator.io/second-person=required";

fn manual(when: &str) -> Value {
    json!({"when": when, "approval": "Manual"})
}

fn hash(subscription: &Value) -> String {
    subscription["status"]["transition"]["hash"].as_str().unwrap().to_owned()
}

/// A namespace with these labels, and from when on approvals count there.
async fn labelled(labels: &[&str]) -> World {
    let world = World::new().await;
    if !labels.is_empty() {
        world.stack.kubectl(&[&["label", "namespace", &world.namespace], labels].concat()).unwrap();
        tokio::time::sleep(Duration::from_secs(62)).await;
    }
    world
}

fn as_user(user: &User, world: &World, arguments: &[&str]) -> Result<String, String> {
    let kubeconfig = format!("--kubeconfig={}", user.kubeconfig.display());
    world.kubectl(&[&[kubeconfig.as_str()], arguments].concat())
}

fn patch(user: &User, world: &World, kind: &str, name: &str, patch: &Value) -> Result<String, String> {
    let resource = format!("{kind}.payg-operator.io");
    as_user(user, world, &["patch", &resource, name, "--type=merge", "-p", &patch.to_string()])
}

/// Whatever is observed in the next days, nothing was upgraded, and no record says that it was to be.
async fn never_upgraded(world: &World, account: &str) {
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!((world.ledger(account).await, world.records(account)), (vec![], vec![]));
}

/// An editor moves the declared end of a trial into the past, after somebody has approved the upgrade at its end.
async fn the_declared_end_is_moved(labels: &[&str]) {
    let world = labelled(labels).await;
    let (ed, _jane) = (user(&world, "ed", &[EDITOR]).await, user(&world, "jane", &[APPROVER]).await);
    let account = world.account(json!({"agreement": "MOSP", "periodDays": 3000})).await;
    let mut declared = subscription("sandbox", &account, manual("BenefitsExhausted"));
    let day = |days: i64| (world.stack.clock.now() + SignedDuration::from_hours(24 * days)).round(jiff::Unit::Second);
    declared["spec"]["trial"] = json!({"endTime": day(2000).unwrap().to_string()});
    as_user(&ed, &world, &["create", "-f", &world.file(&declared)]).unwrap();
    let waiting = world.until("sandbox", "WaitingForExhaustion").await;
    world.create_as("jane", &word("ahead", "Approve", "sandbox", &json!(hash(&waiting)), HOUR)).unwrap();

    let moved = json!({"spec": {"trial": {"endTime": day(-1).unwrap().to_string()}}});
    patch(&ed, &world, "subscriptions", "sandbox", &moved).unwrap();
    let asking = world.until("sandbox", "AwaitingApproval").await;
    assert_ne!(hash(&asking), hash(&waiting));
    never_upgraded(&world, &account).await;
}

/// Class: time of check to time of use. Source: CWE-367.
#[tokio::test(flavor = "multi_thread")]
async fn a_declared_end_moved_after_the_approval() {
    the_declared_end_is_moved(&[]).await;
}

/// Class: time of check to time of use. Source: CWE-367.
#[tokio::test(flavor = "multi_thread")]
async fn a_declared_end_moved_after_the_approval_where_both_labels_are_set() {
    the_declared_end_is_moved(&[AUTOMATIC, SECOND_PERSON]).await;
}

/// Class: time of check to time of use. Source: CWE-367.
#[tokio::test(flavor = "multi_thread")]
async fn a_declared_credit_or_start_added_after_the_approval() {
    let world = labelled(&[]).await;
    let (ed, _jane) = (user(&world, "ed", &[EDITOR]).await, user(&world, "jane", &[APPROVER]).await);
    let account = world.account(json!({"agreement": "MOSP", "periodDays": 3000})).await;
    world.subscribe("sandbox", &account, manual("Immediately"));
    let asking = world.until("sandbox", "AwaitingApproval").await;
    let mut hashes = vec![hash(&asking)];
    for trial in [json!({"credit": {"amount": "5", "currency": "USD"}}), json!({"startTime": "2024-01-01T00:00:00Z"})] {
        patch(&ed, &world, "subscriptions", "sandbox", &json!({"spec": {"trial": trial}})).unwrap();
        let another = async || Some(hash(&world.subscription("sandbox"))).filter(|hash| !hashes.contains(hash));
        let another = world.eventually(60, another).await.expect("another transition");
        hashes.push(another);
    }
    world.create_as("jane", &word("given", "Approve", "sandbox", &json!(hashes[0]), HOUR)).unwrap();
    never_upgraded(&world, &account).await;
}

/// Class: confused deputy by reference. Source: CWE-441 (what is approved is a name).
#[tokio::test(flavor = "multi_thread")]
async fn another_way_of_upgrading_behind_an_approved_name() {
    let world = labelled(&[]).await;
    let (ed, _jane) = (user(&world, "ed", &[EDITOR]).await, user(&world, "jane", &[APPROVER]).await);
    let account = world.account(json!({})).await;
    world.apply(&provider("by-hand", "PortalHandoff"));
    let mut by_hand = subscription("sandbox", &account, manual("Immediately"));
    by_hand["spec"]["providerName"] = json!("by-hand");
    world.apply(&by_hand);
    let asking = world.until("sandbox", "AwaitingApproval").await;
    world.create_as("jane", &word("by-hand", "Approve", "sandbox", &json!(hash(&asking)), HOUR)).unwrap();
    world.until("sandbox", "AwaitingPortalUpgrade").await;

    let broker = json!({"spec": {"azure": {"upgradeMethod": "Broker"}}});
    patch(&ed, &world, "billingproviders", "by-hand", &broker).unwrap();
    world.until("sandbox", "AwaitingApproval").await;
    never_upgraded(&world, &account).await;
}

/// Class: confused deputy by reference. Source: CWE-441.
#[tokio::test(flavor = "multi_thread")]
async fn other_credentials_behind_an_approved_name() {
    let world = labelled(&[]).await;
    let (ed, _jane) = (user(&world, "ed", &[EDITOR]).await, user(&world, "jane", &[APPROVER]).await);
    let account = world.account(json!({})).await;
    world.subscribe("sandbox", &account, manual("Immediately"));
    let asking = world.until("sandbox", "AwaitingApproval").await;
    world.lend_secret("other-credentials", json!({"clientSecret": "s3cr3t-value"}));
    let other = json!({"spec": {"azure": {"credentials": {"secret": {"name": "other-credentials"}}}}});
    patch(&ed, &world, "billingproviders", "azure", &other).unwrap();
    let another = async || Some(world.subscription("sandbox")).filter(|told| hash(told) != hash(&asking));
    world.eventually(60, another).await.expect("another transition");
    world.create_as("jane", &word("given", "Approve", "sandbox", &json!(hash(&asking)), HOUR)).unwrap();
    never_upgraded(&world, &account).await;
}

/// Class: indirection under an approved object. Source: CWE-441.
#[tokio::test(flavor = "multi_thread")]
async fn the_provider_of_an_automatic_subscription_where_automatic_needs_the_verb() {
    let world = labelled(&[]).await;
    world.apply(&provider("by-hand", "PortalHandoff"));
    world.stack.kubectl(&["label", "namespace", &world.namespace, AUTOMATIC]).unwrap();
    let ed = user(&world, "ed", &[EDITOR]).await;
    let jane = user(&world, "jane", &[EDITOR, APPROVER]).await;
    let account = world.account(json!({})).await;
    let mut by_hand = subscription("sandbox", &account, automatic("Immediately"));
    by_hand["spec"]["providerName"] = json!("by-hand");
    let by_hand = world.file(&by_hand);
    let created = async || as_user(&jane, &world, &["create", "-f", &by_hand]).ok();
    world.eventually(30, created).await.expect("an approver may write Automatic");

    let broker = provider("by-hand", "Broker");
    let why = "to create a BillingProvider or to change its spec needs the verb `approve` on all Subscriptions";
    let changed = json!({"spec": {"azure": {"upgradeMethod": "Broker"}}});
    let refused = patch(&ed, &world, "billingproviders", "by-hand", &changed).unwrap_err();
    assert!(refused.contains(why), "{refused}");
    let apply = ["apply", "--server-side", "--force-conflicts", "-f", &world.file(&broker)];
    assert!(as_user(&ed, &world, &apply).unwrap_err().contains(why));
    as_user(&ed, &world, &["delete", "billingproviders.payg-operator.io", "by-hand"]).unwrap();
    let create = ["create", "-f", &world.file(&broker)];
    assert!(as_user(&ed, &world, &create).unwrap_err().contains(why));
    // Nothing that changes no spec is refused.
    as_user(&ed, &world, &["label", "billingproviders.payg-operator.io", "azure", "team=a"]).unwrap();
    never_upgraded(&world, &account).await;
}

/// Class: a guard that does not cover every field. Source: CWE-862.
#[tokio::test(flavor = "multi_thread")]
async fn suspend_lifted_where_automatic_needs_the_verb() {
    let world = labelled(&[]).await;
    world.stack.kubectl(&["label", "namespace", &world.namespace, AUTOMATIC]).unwrap();
    let ed = user(&world, "ed", &[EDITOR]).await;
    let account = world.account(json!({})).await;
    let mut suspended = subscription("sandbox", &account, automatic("Immediately"));
    suspended["spec"]["suspend"] = json!(true);
    world.apply(&suspended);
    world.until("sandbox", "Suspended").await;
    let why = "in this namespace `approval: Automatic`, and every change under it, needs the verb `approve`";
    let lifted = |lift: Value| {
        let refused = patch(&ed, &world, "subscriptions", "sandbox", &json!({"spec": lift})).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    };
    lifted(json!({"suspend": false}));
    lifted(json!({"suspend": null}));
    let taken_away = json!([{"op": "remove", "path": "/spec/suspend"}]).to_string();
    let json_patch = ["patch", "subscriptions.payg-operator.io", "sandbox", "--type=json", "-p", &taken_away];
    assert!(as_user(&ed, &world, &json_patch).unwrap_err().contains(why));

    // To stop takes no right, and what is stopped may be changed; to go on takes it.
    patch(&ed, &world, "subscriptions", "sandbox", &json!({"spec": {"upgrade": {"when": "Never"}}})).unwrap();
    patch(&ed, &world, "subscriptions", "sandbox", &json!({"spec": {"suspend": false}})).unwrap();
    lifted(json!({"upgrade": {"when": "Immediately"}}));
    patch(&ed, &world, "subscriptions", "sandbox", &json!({"spec": {"upgrade": {"approval": "Manual"}}})).unwrap();
    never_upgraded(&world, &account).await;
}

/// Class: replay of an approval of an older version. Source: CWE-294.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_by_the_hash_of_an_older_version() {
    let world = labelled(&[]).await;
    let _jane = user(&world, "jane", &[APPROVER]).await;
    let account = world.account(json!({})).await;
    world.subscribe("sandbox", &account, manual("Immediately"));
    let asking = world.until("sandbox", "AwaitingApproval").await;
    let from = &asking["status"]["transition"]["from"];
    let fields =
        ["azure", &account, "FreeTrial", from["native"].as_str().unwrap(), "PayAsYouGo", "Broker", "Immediately", ""];
    let text = fields.iter().fold("transition/1".to_owned(), |text, field| format!("{text}\n{}:{field}", field.len()));
    let digest = Sha256::digest(text);
    let former = digest[..16].iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    world.create_as("jane", &word("former", "Approve", "sandbox", &json!(former), HOUR)).unwrap();
    let told = async || {
        message(&world.subscription("sandbox")).contains("UpgradeApproval former does not count").then_some(())
    };
    world.eventually(60, told).await.expect("the operator says so");
    never_upgraded(&world, &account).await;
}

/// Class: approval of what its approver cannot see. Source: CWE-451.
#[tokio::test(flavor = "multi_thread")]
async fn a_declared_end_is_shown_as_declared_to_whoever_approves() {
    let world = labelled(&[]).await;
    let jane = user(&world, "jane", &[APPROVER]).await;
    let account = world.account(json!({"agreement": "MOSP", "periodDays": 3000})).await;
    let mut declared = subscription("sandbox", &account, manual("BenefitsExhausted"));
    let end: Timestamp = world.stack.clock.now() + SignedDuration::from_hours(24 * 2000);
    declared["spec"]["trial"] = json!({"endTime": end.round(jiff::Unit::Second).unwrap().to_string()});
    world.apply(&declared);
    world.until("sandbox", "WaitingForExhaustion").await;
    let shown = jane.payg(&["approve", "sandbox", "--reason", "a look"]);
    let shown = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(shown.contains("DECLARED in spec.trial by whoever wrote the Subscription"), "{shown}");
    assert!(shown.contains("through     BillingProvider azure"), "{shown}");
}
