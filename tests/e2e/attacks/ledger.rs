//! What one tenant's attempts do to another's.

use std::time::Duration;

use payg_test_kit::world::{RATE, World, automatic, condition, message, subscription};
use payg_test_kit::{Process, Stack, payg_dev};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use crate::aws::OBSERVE;
use crate::people::{EDITOR, stdout, user};

const SUBSCRIPTIONS: &str = "subscriptions.payg-operator.io";

/// The attempts in the record of `account`.
fn attempts(world: &World, account: &str) -> Vec<Value> {
    let records = world.records(account);
    records.iter().flat_map(|record| record["status"]["attempts"].as_array().cloned().unwrap_or_default()).collect()
}

/// All that members of the namespace of `world` can read of the Subscription called `name`.
async fn readable(world: &World, name: &str) -> String {
    let reader = user(world, "ed", &[EDITOR]).await;
    let told = world.subscription(name).to_string();
    [told, world.events(name).join("\n"), stdout(&reader.payg(&["explain", name]))].join("\n")
}

/// Waits until `account` is upgraded in the simulator, and returns how many seconds that took.
async fn upgraded(world: &World, name: &str, account: &str) -> f64 {
    let begun = Instant::now();
    let applied = async || (!world.ledger(account).await.is_empty()).then_some(());
    let applied = world.eventually(150, applied).await;
    applied.unwrap_or_else(|| panic!("{name} is not upgraded: {:#}", world.subscription(name)["status"]));
    let seconds = begun.elapsed().as_secs_f64();
    println!("{name}: upgraded after {seconds:.1} s");
    seconds
}

/// Mallory may look and not upgrade, and fails as the first one of the account. Then she goes.
///
/// Class: poisoning of a shared record (denial of service by another's failure). Source: CWE-645 (overly restrictive lockout);
/// https://github.com/flyteorg/flytepropeller/pull/37 (a back-off per namespace and not for all).
#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_without_permissions_holds_back_nobody_on_azure() {
    let (mallorys, owners) = (World::new().await, World::new().await);
    user(&mallorys, "mallory", &[EDITOR]).await;
    user(&owners, "ed", &[EDITOR]).await;
    let account = owners.account(json!({"graceDays": 1000, "periodDays": 3000})).await;
    let powerless = mallorys.application(json!({"broker": false})).await;
    mallorys.apply(&powerless);
    mallorys.create_as("mallory", &subscription("fails", &account, automatic("Immediately"))).unwrap();
    let told = mallorys.until("fails", "UpgradeRejected").await;
    let said = attempts(&owners, &account)[0]["message"].as_str().unwrap().to_owned();
    assert!(message(&told).contains(&said), "whose attempt it was reads why: {}", message(&told));
    mallorys.kubectl_as("mallory", &["delete", SUBSCRIPTIONS, "fails"]).unwrap();

    owners.create_as("ed", &subscription("owns", &account, automatic("Immediately"))).unwrap();
    let seconds = upgraded(&owners, "owns", &account).await;
    assert!(seconds < 45.0, "it waits for another's pause: {seconds} s");
    assert_eq!(owners.ledger(&account).await.len(), 1);
    let text = readable(&owners, "owns").await;
    let client = powerless["spec"]["azure"]["credentials"]["secret"]["clientId"].as_str().unwrap();
    assert!(!text.contains(client) && !text.contains(&said), "{text}");
    let made = attempts(&owners, &account);
    assert_eq!(made[1]["requester"]["namespace"], json!(owners.namespace), "{made:#?}");
    assert!(made[1]["provider"]["uid"].is_string(), "{made:#?}");
}

/// A BillingProvider `aws` in `world` for the user called `name` in `account`, who may do what is in `allow`.
async fn aws_user(world: &World, account: &str, name: &str, allow: &[&str]) {
    let key = format!("AKIA{}{account}", name.to_uppercase());
    let client = json!({"accountId": account, "accessKeyId": key, "secretAccessKey": "s3cr3t-value", "userName": name,
        "allow": allow});
    world.stack.simulator.post("clients", &client).await.unwrap();
    world.lend_secret("aws", json!({"accessKeyId": key, "secretAccessKey": "s3cr3t-value"}));
    world.apply(
        &json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "BillingProvider", "metadata": {"name": "aws"},
        "spec": {"aws": {"credentials": {"secret": {"name": "aws"}}}}}),
    );
}

fn aws_subscription(name: &str, account: &str) -> Value {
    json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription", "metadata": {"name": name},
        "spec": {"providerName": "aws", "account": {"aws": {"accountId": account}}, "offer": "PayAsYouGo",
            "upgrade": automatic("Immediately")}})
}

/// The same on AWS, where a refusal is an hour's pause, and its text names the IAM user who asked.
///
/// Class: poisoning of a shared record; information exposure through an error message. Source: CWE-209;
/// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html (the message names the principal).
#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_without_permissions_holds_back_nobody_on_aws() {
    let (mallorys, owners) = (World::new().await, World::new().await);
    user(&mallorys, "mallory", &[EDITOR]).await;
    user(&owners, "ed", &[EDITOR]).await;
    let account = owners.aws_account(json!({})).await;
    aws_user(&mallorys, &account, "mallory", &OBSERVE).await;
    mallorys.create_as("mallory", &aws_subscription("fails", &account)).unwrap();
    let told = mallorys.until("fails", "UpgradeRejected").await;
    assert!(message(&told).contains("user/mallory"), "she reads her own name: {}", message(&told));
    assert_eq!(attempts(&owners, &account)[0]["reason"], "Forbidden");
    sleep(Duration::from_secs(2)).await; // creation times have whole seconds

    // While she is there and alive she goes first. Then she lets go, and stays.
    let all = [&OBSERVE[..], &["freetier:UpgradeAccountPlan"]].concat();
    aws_user(&owners, &account, "owner", &all).await;
    owners.create_as("ed", &aws_subscription("owns", &account)).unwrap();
    owners.until("owns", "AccountConflict").await;
    let suspend = r#"{"spec":{"suspend":true}}"#;
    mallorys.kubectl_as("mallory", &["patch", SUBSCRIPTIONS, "fails", "--type=merge", "-p", suspend]).unwrap();
    let seconds = upgraded(&owners, "owns", &account).await;
    assert!(seconds < 90.0, "it waits for another's hour: {seconds} s");
    assert_eq!(owners.ledger(&account).await.len(), 1);
    let text = readable(&owners, "owns").await;
    assert!(!text.contains("user/mallory"), "{text}");
}

/// Whoever puts right what was refused need not wait for the hour to end.
///
/// Class: lockout of the legitimate user. Source: CWE-645 (overly restrictive lockout).
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_provider_tries_at_once() {
    let world = World::new().await;
    user(&world, "ed", &[EDITOR]).await;
    let account = world.aws_account(json!({})).await;
    aws_user(&world, &account, "poor", &OBSERVE).await;
    world.create_as("ed", &aws_subscription("owns", &account)).unwrap();
    world.until("owns", "UpgradeRejected").await;
    // Another Secret with another user's key, and the BillingProvider names it.
    let all = [&OBSERVE[..], &["freetier:UpgradeAccountPlan"]].concat();
    let key = format!("AKIARICH{account}");
    let client = json!({"accountId": account, "accessKeyId": key, "secretAccessKey": "s3cr3t-value", "userName": "rich",
        "allow": all});
    world.stack.simulator.post("clients", &client).await.unwrap();
    world.lend_secret("aws-rich", json!({"accessKeyId": key, "secretAccessKey": "s3cr3t-value"}));
    let patch = json!({"spec": {"aws": {"credentials": {"secret": {"name": "aws-rich"}}}}}).to_string();
    let patched = ["patch", "billingproviders.payg-operator.io", "aws", "--type=merge", "-p", &patch];
    world.kubectl_as("ed", &patched).unwrap();
    let seconds = upgraded(&world, "owns", &account).await;
    assert!(seconds < 45.0, "it waits for the hour of the former one: {seconds} s");
    assert_eq!(world.ledger(&account).await.len(), 1);
}

/// What lets the one try at once lets nobody hammer: mallory changes her BillingProvider, and makes her Subscription anew, again
/// and again.
///
/// Class: evasion of a back-off by renewing one's identity. Source: CWE-799 (improper control of interaction frequency), CWE-307.
#[tokio::test(flavor = "multi_thread")]
async fn a_recreated_subscription_does_not_hammer_the_provider() {
    let world = World::new().await;
    user(&world, "mallory", &[EDITOR]).await;
    let account = world.aws_account(json!({})).await;
    aws_user(&world, &account, "mallory", &OBSERVE).await;
    let begun = Instant::now();
    for round in 0..12 {
        world.create_as("mallory", &aws_subscription("fails", &account)).unwrap();
        world.until("fails", "UpgradeRejected").await;
        let role = json!({"spec": {"aws": {"roleArn": null, "externalId": null}}, "metadata": {"annotations": {"round": round.to_string()}}});
        world
            .kubectl_as(
                "mallory",
                &["patch", "billingproviders.payg-operator.io", "aws", "--type=merge", "-p", &role.to_string()],
            )
            .unwrap();
        world.kubectl_as("mallory", &["delete", SUBSCRIPTIONS, "fails"]).unwrap();
        world.kubectl_as("mallory", &["delete", "billingproviders.payg-operator.io", "aws"]).unwrap();
        aws_user(&world, &account, "mallory", &OBSERVE).await;
    }
    let asked = world.requests(&account).await;
    let asked = asked.iter().filter(|request| request["operation"] == "upgradeAccountPlan").count();
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    println!("asked {asked} times in {minutes:.1} minutes");
    // At once for the first change, then after 1, 2, 4 … minutes.
    let most = 2 + usize::from(minutes >= 1.0) + usize::from(minutes >= 3.0) + usize::from(minutes >= 7.0);
    assert!((1..=most).contains(&asked), "asked {asked} times in {minutes} minutes");
}

/// An operator with a cap that a test can reach, and a control plane of its own.
async fn capped() -> &'static Stack {
    static STACK: OnceCell<(Stack, Process)> = OnceCell::const_new();
    let start = async || {
        let stack = Stack::start(payg_dev(), RATE).await.unwrap();
        let operator = stack.operator("capped", &["--max-upgrades-per-hour", "4"]).await.unwrap();
        (stack, operator)
    };
    &STACK.get_or_init(start).await.0
}

/// How many of `accounts` were upgraded in the simulator.
async fn applied(world: &World, accounts: &[String]) -> usize {
    let mut upgraded = 0;
    for account in accounts {
        upgraded += world.ledger(account).await.len();
    }
    upgraded
}

/// Mallory's requests never reach anybody, and then they do: neither uses up what the others need.
///
/// Class: exhaustion of a shared quota. Source: CWE-770; OWASP API4:2023 (unrestricted resource consumption);
/// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/ (shares that others cannot use up).
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane for itself: make attacks"]
async fn no_namespace_uses_up_the_cap() {
    let stack = capped().await;
    let (mallorys, owners) = (World::on(stack).await, World::on(stack).await);
    user(&mallorys, "mallory", &[EDITOR]).await;
    user(&owners, "ed", &[EDITOR]).await;
    let waits = owners.account(json!({"periodDays": 3000})).await;
    owners.create_as("ed", &subscription("waits", &waits, automatic("BenefitsExhausted"))).unwrap();
    owners.until("waits", "WaitingForExhaustion").await;

    // More attempts than the cap that are never sent.
    let powerless = mallorys.application(json!({"broker": false})).await;
    mallorys.apply(&powerless);
    for number in 0..6 {
        let account = mallorys.account(json!({"graceDays": 1000, "periodDays": 3000})).await;
        let name = format!("fails-{number}");
        mallorys.create_as("mallory", &subscription(&name, &account, automatic("Immediately"))).unwrap();
        let told = mallorys.until(&name, "UpgradeRejected").await;
        assert!(!message(&told).contains("within the last hour"), "{}", message(&told));
    }
    mallorys.kubectl(&["delete", SUBSCRIPTIONS, "--all"]).unwrap();

    // More good ones than her share.
    mallorys.apply(&payg_test_kit::world::provider("azure", "Broker"));
    let mut accounts = Vec::new();
    for number in 0..5 {
        let account = mallorys.account(json!({"graceDays": 1000, "periodDays": 3000})).await;
        let good = subscription(&format!("good-{number}"), &account, automatic("Immediately"));
        mallorys.create_as("mallory", &good).unwrap();
        accounts.push(account);
    }
    let held = |told: &Value| condition(told, "Ready")["reason"] == "UpgradeHeld";
    let told = || (0..5).map(|number| mallorys.subscription(&format!("good-{number}"))).collect::<Vec<_>>();
    let all = async || Some(told()).filter(|told| told.iter().filter(|told| held(told)).count() == 3);
    let told = mallorys.eventually(60, all).await.expect("three that are held");
    let message = message(told.iter().find(|told| held(told)).unwrap());
    assert!(message.contains("waits until 20") && message.contains("one namespace may request half"), "{message}");
    assert_eq!(applied(&mallorys, &accounts).await, 2, "half of the cap of 4");

    // The owner, who comes last, finds something left; and all together stay within the cap.
    let mut owned = Vec::new();
    for number in 0..3 {
        let account = owners.account(json!({"graceDays": 1000, "periodDays": 3000})).await;
        let owns = subscription(&format!("owns-{number}"), &account, automatic("Immediately"));
        owners.create_as("ed", &owns).unwrap();
        owned.push(account);
    }
    owners
        .eventually(60, async || (applied(&owners, &owned).await == 1).then_some(()))
        .await
        .expect("the owner's share");
    sleep(Duration::from_secs(5)).await;
    let (theirs, all) = (applied(&owners, &owned).await, applied(&owners, &[accounts, owned].concat()).await);
    assert!(theirs >= 1 && all <= 4, "{theirs} of the owner's, {all} in all");
}
