//! What the operator makes of approvals: each counts for what it was given for, and for nothing else.

use std::time::Duration;

use jiff::Timestamp;
use payg_test_kit::world::{World, automatic, condition, message, subscription};
use serde_json::{Value, json};

use crate::stories::approver;

/// What `jane` says about the transition with `hash` of the Subscription called `subscription`, for the next `lasts`.
pub(crate) fn word(name: &str, decision: &str, subscription: &str, hash: &Value, lasts: Duration) -> Value {
    let mut word = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval", "metadata": {"name": name},
        "spec": {"subscriptionName": subscription, "transitionHash": hash, "decision": decision, "approver": "jane",
            "reason": "the project goes on"}});
    if decision != "Deny" {
        word["spec"]["expireTime"] = json!((Timestamp::now() + lasts).to_string());
    }
    word
}

const HOUR: Duration = Duration::from_hours(1);

fn manual(when: &str) -> Value {
    json!({"when": when, "approval": "Manual"})
}

fn hash(subscription: &Value) -> &Value {
    &subscription["status"]["transition"]["hash"]
}

/// Waits for an observation of the Subscription called `name` that is made after now, and returns it.
async fn observed_again(world: &World, name: &str) -> Value {
    let now = world.stack.clock.now();
    let later = async || {
        let subscription = world.subscription(name);
        let observed: Timestamp = subscription["status"]["lastObservedTime"].as_str()?.parse().unwrap();
        (observed > now).then_some(subscription)
    };
    world.eventually(60, later).await.unwrap_or_else(|| panic!("{name} is not looked at any more"))
}

/// The next observation finds the upgrade waiting for an approval, and nothing was ever requested.
async fn still_asks(world: &World, name: &str, account: &str) {
    let told = observed_again(world, name).await;
    assert_eq!(condition(&told, "Ready")["reason"], "AwaitingApproval", "{:#}", told["status"]);
    assert_eq!((world.ledger(account).await, world.records(account)), (vec![], vec![]));
}

/// How often the provider was asked for the upgrade of `account`.
async fn asked(world: &World, account: &str) -> usize {
    world.requests(account).await.iter().filter(|request| request["operation"] == "upgrade").count()
}

fn remove(world: &World, kind: &str, name: &str) {
    world.kubectl(&["delete", &format!("{kind}.payg-operator.io"), name]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_of_no_use_to_another_subscription() {
    let world = World::new().await;
    world.apply(&approver("jane"));
    let (one, two) = (world.account(json!({})).await, world.account(json!({})).await);
    world.subscribe("one", &one, manual("Immediately"));
    world.subscribe("two", &two, manual("Immediately"));
    let asking = world.until("one", "AwaitingApproval").await;
    world.until("two", "AwaitingApproval").await;

    world.create_as("jane", &word("replayed", "Approve", "two", hash(&asking), HOUR)).unwrap();
    still_asks(&world, "two", &two).await;
    still_asks(&world, "one", &one).await;

    let given = word("given", "Approve", "one", hash(&asking), HOUR);
    world.create_as("jane", &given).unwrap();
    world.until("one", "OfferInPlace").await;
    still_asks(&world, "two", &two).await;

    let (stored, records) = (world.get("upgradeapprovals.payg-operator.io", "given"), world.records(&one));
    let copied = json!({"name": "given", "uid": stored["metadata"]["uid"], "approver": "jane",
        "reason": "the project goes on", "createTime": stored["metadata"]["creationTimestamp"],
        "expireTime": given["spec"]["expireTime"]});
    assert_eq!((records.len(), &records[0]["spec"]["intent"]["approval"]), (1, &copied));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_has_expired_does_not_count() {
    let world = World::new().await;
    world.wait_until_approvals_count(); // or the trial is over before
    world.apply(&approver("jane"));
    let account = world.account(json!({"periodDays": 15, "graceDays": 1000})).await;
    world.subscribe("asks", &account, manual("BenefitsExhausted"));
    let waiting = world.until("asks", "WaitingForExhaustion").await;
    // It ends some days before the trial does.
    let short = word("short", "Approve", "asks", hash(&waiting), Duration::from_secs(3));
    world.create_as("jane", &short).unwrap();
    world.until("asks", "AwaitingApproval").await;
    still_asks(&world, "asks", &account).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_that_change_after_the_approval_take_another_one() {
    let world = World::new().await;
    world.apply(&approver("jane"));
    let account = world.account(json!({"periodDays": 3000})).await;
    world.subscribe("flipped", &account, manual("BenefitsExhausted"));
    let waiting = world.until("flipped", "WaitingForExhaustion").await;
    world.create_as("jane", &word("ahead", "Approve", "flipped", hash(&waiting), HOUR)).unwrap();

    world.subscribe("flipped", &account, manual("Immediately"));
    let asking = world.until("flipped", "AwaitingApproval").await;
    assert_ne!(hash(&asking), hash(&waiting));
    still_asks(&world, "flipped", &account).await;
    // What the operator asks for is not what was approved either after a change of the way of upgrading.
    world.apply(&payg_test_kit::world::provider("azure", "PortalHandoff"));
    let by_portal = async || Some(world.subscription("flipped")).filter(|told| hash(told) != hash(&asking));
    world.eventually(60, by_portal).await.expect("another transition");
    still_asks(&world, "flipped", &account).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_made_again_has_the_approval_of_the_same_transition_alone_and_once() {
    let world = World::new().await;
    world.wait_until_approvals_count(); // or the trial is over before
    world.apply(&approver("jane"));
    let (account, another) = (
        world.account(json!({"periodDays": 25, "graceDays": 1000})).await,
        world.account(json!({"periodDays": 1, "graceDays": 1000})).await,
    );
    world.subscribe("sandbox", &account, manual("BenefitsExhausted"));
    let waiting = world.until("sandbox", "WaitingForExhaustion").await;
    world.create_as("jane", &word("ahead", "Approve", "sandbox", hash(&waiting), HOUR)).unwrap();

    for (account, when) in [(&another, "BenefitsExhausted"), (&account, "Immediately")] {
        remove(&world, "subscriptions", "sandbox");
        world.subscribe("sandbox", account, manual(when));
        world.until("sandbox", "AwaitingApproval").await;
        still_asks(&world, "sandbox", account).await;
    }
    for _ in 0..2 {
        remove(&world, "subscriptions", "sandbox");
        world.subscribe("sandbox", &account, manual("BenefitsExhausted"));
        world.until("sandbox", "OfferInPlace").await;
    }
    assert_eq!((world.ledger(&account).await.len(), asked(&world, &account).await), (1, 1));
    let (records, uid) = (world.records(&account), world.get("upgradeapprovals.payg-operator.io", "ahead"));
    assert_eq!((records.len(), &records[0]["spec"]["intent"]["approval"]["uid"]), (1, &uid["metadata"]["uid"]));
    assert_eq!(world.ledger(&another).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deny_during_the_request_calls_nothing_back_and_lets_none_follow() {
    let world = World::new().await;
    world.apply(&approver("jane"));
    let (taken, lost) =
        (world.account(json!({"graceDays": 1000})).await, world.account(json!({"graceDays": 1000})).await);
    world.fault("upgrade", &taken, Some(1), json!({"latency": {"millis": 8000}})).await;
    world.fault("upgrade", &lost, Some(1), json!("cut")).await;
    for (name, account) in [("taken", &taken), ("lost", &lost)] {
        world.subscribe(name, account, automatic("Immediately"));
        let sent = async || (asked(&world, account).await == 1).then_some(());
        world.eventually(60, sent).await.expect("the request");
        // A Deny counts whatever the transition.
        let stop = word(&format!("stop-{name}"), "Deny", name, &json!("0".repeat(32)), HOUR);
        world.create_as("jane", &stop).unwrap();
    }
    world.until("taken", "OfferInPlace").await;
    assert_eq!((world.ledger(&taken).await.len(), asked(&world, &taken).await), (1, 1));

    let told = world.until_within(240, "lost", "UpgradeUnresolved").await;
    assert!(message(&told).contains("the approvals or the account no longer allow"), "{}", message(&told));
    // Nor does one follow when the Deny is lifted: now somebody has to look first.
    remove(&world, "upgradeapprovals", "stop-lost");
    let told = observed_again(&world, "lost").await;
    assert_eq!(condition(&told, "Ready")["reason"], "UpgradeUnresolved");
    assert_eq!((world.ledger(&lost).await.len(), asked(&world, &lost).await), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_is_used_up_does_not_ask_again() {
    let world = World::new().await;
    world.apply(&approver("jane"));
    let broker = json!({"operationSeconds": 1, "retryAfterSeconds": 1, "fails": {"code": "PaymentMethodDeclined"}});
    let account = world.account(json!({"graceDays": 1000, "broker": broker})).await;
    world.subscribe("once", &account, manual("Immediately"));
    let asking = world.until("once", "AwaitingApproval").await;
    world.create_as("jane", &word("go", "Approve", "once", hash(&asking), HOUR)).unwrap();
    world.until("once", "UpgradeUnresolved").await;
    // Neither the one that was used nor a further one: the record takes a Retry.
    world.create_as("jane", &word("go-on", "Approve", "once", hash(&asking), HOUR)).unwrap();
    let told = observed_again(&world, "once").await;
    assert_eq!(condition(&told, "Ready")["reason"], "UpgradeUnresolved");
    assert_eq!((world.ledger(&account).await.len(), asked(&world, &account).await), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_are_deleted_with_their_namespace() {
    let name = format!("leaving-{}", Timestamp::now().as_second());
    let world = World::named(&name).await;
    if !world.stack.control_plane.has_controller_manager() {
        println!("skipped: without a kube-controller-manager no namespace ever goes");
        return;
    }
    world.apply(&approver("jane"));
    world.wait_until_approvals_count(); // or the trial is over before
    let account = world.account(json!({"periodDays": 45, "graceDays": 1000})).await;
    world.subscribe("asks", &account, manual("BenefitsExhausted"));
    let waiting = world.until("asks", "WaitingForExhaustion").await;
    for (name, decision) in [("go", "Approve"), ("stop", "Deny")] {
        world.create_as("jane", &word(name, decision, "asks", hash(&waiting), HOUR)).unwrap();
    }
    world.until("asks", "UpgradeDenied").await;
    world.stack.kubectl(&["delete", "namespace", &name, "--timeout=60s"]).unwrap();

    let again = World::named(&name).await;
    again.apply(&subscription("asks", &account, manual("BenefitsExhausted")));
    let asking = again.until("asks", "AwaitingApproval").await;
    assert_eq!(hash(&asking), hash(&waiting), "it is the transition that was approved before");
    still_asks(&again, "asks", &account).await;
}
