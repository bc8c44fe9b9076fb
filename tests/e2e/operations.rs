//! Upgrades that the broker takes and does not finish at once: they take long, fail, or get lost on the way.

use jiff::{SignedDuration, Timestamp};
use payg_test_kit::world::{World, automatic, condition, message, provider};
use serde_json::{Value, json};

use crate::stories::approver;

/// An account whose trial is over after a day, and whose broker works as `broker` says. The provider waits longer before it
/// deletes the account than anybody here.
async fn account(world: &World, broker: Value) -> String {
    world.account(json!({"periodDays": 1, "graceDays": 1000, "broker": broker})).await
}

/// The requests about `account` to the broker: for the upgrade, and about its operation.
async fn asked(world: &World, account: &str) -> (Vec<Value>, usize) {
    let requests = world.requests(account).await;
    let polls = requests.iter().filter(|request| request["operation"] == "operationStatus").count();
    (requests.into_iter().filter(|request| request["operation"] == "upgrade").collect(), polls)
}

/// The attempts in the one record of `account`.
fn attempts(world: &World, account: &str) -> Vec<Value> {
    let records = world.records(account);
    assert_eq!(records.len(), 1, "{records:#?}");
    records[0]["status"]["attempts"].as_array().cloned().unwrap_or_default()
}

/// Jane's word that attempt `number` of the Subscription called `slow` may be made again.
fn retry(number: u32, subscription: &Value) -> Value {
    json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval", "metadata": {"name": format!("retry-{number}")},
        "spec": {"subscriptionName": "slow", "transitionHash": subscription["status"]["transition"]["hash"], "decision": "Retry",
            "recordAttempt": number, "approver": "jane", "reason": "put right",
            "expireTime": (Timestamp::now() + SignedDuration::from_hours(1)).to_string()}})
}

/// Waits until the Subscription called `slow` needs a person because of `why`.
async fn unresolved(world: &World, why: &str) -> Value {
    let because = async || {
        let told = world.subscription("slow");
        let is_it = condition(&told, "Ready")["reason"] == "UpgradeUnresolved" && message(&told).contains(why);
        is_it.then_some(told)
    };
    world.eventually(60, because).await.unwrap_or_else(|| panic!("{:#}", world.subscription("slow")["status"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_its_time_is_followed_and_asked_for_once() {
    let world = World::new().await;
    let unsaid = account(&world, json!({"operationSeconds": 20, "retryAfterSeconds": null})).await;
    world.subscribe("unsaid", &unsaid, automatic("BenefitsExhausted"));
    let account = account(&world, json!({"operationSeconds": 20, "retryAfterSeconds": 1})).await;
    world.subscribe("slow", &account, automatic("BenefitsExhausted"));
    let waiting = async || {
        let told = world.subscription("slow");
        message(&told).contains("The broker is still working on it").then_some(told)
    };
    let told = world.eventually(60, waiting).await.expect("what the broker says");
    assert_eq!(condition(&told, "Ready")["reason"], "VerifyingUpgrade");
    assert_eq!(world.ledger(&account).await, Vec::<Value>::new(), "it has only been taken");
    let kept = attempts(&world, &account)[0]["operation"].as_str().unwrap().to_owned();
    assert!(kept.starts_with(&format!("{}/broker/", world.stack.simulator.url())), "{kept}");
    world.until("slow", "OfferInPlace").await;
    let (upgrades, polls) = asked(&world, &account).await;
    assert_eq!((upgrades.len(), world.ledger(&account).await.len()), (1, 1));
    assert!(polls > 0);
    assert_eq!(world.records(&account)[0]["status"]["state"], "Confirmed");

    // A broker that does not say how long to wait is asked once a minute.
    world.until_within(120, "unsaid", "OfferInPlace").await;
    let (upgrades, polls) = asked(&world, &unsaid).await;
    assert_eq!((upgrades.len(), world.ledger(&unsaid).await.len()), (1, 1));
    assert!((1..=3).contains(&polls), "asked {polls} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_is_asked_for_again_when_a_person_says_so() {
    let world = World::new().await;
    let fails = json!({"operationSeconds": 1, "retryAfterSeconds": 1, "fails": {"code": "PaymentMethodDeclined"}});
    let account = account(&world, fails).await;
    let patch = async |change| world.stack.simulator.patch(&format!("accounts/{account}"), &change).await.unwrap();
    world.apply(&approver("jane"));
    world.subscribe("slow", &account, automatic("BenefitsExhausted"));

    let failed = unresolved(&world, "PaymentMethodDeclined").await;
    assert_eq!(condition(&failed, "Stalled")["status"], "True");
    assert!(message(&failed).contains("`recordAttempt: 1`"), "{}", message(&failed));
    patch(json!({"broker": {"fails": null}, "rejectUpgrade": "PhoneVerificationRequired"})).await;
    world.create_as("jane", &retry(1, &failed)).unwrap();

    // Now it refuses at once. It has taken a request before, so that takes a person again.
    let refused = unresolved(&world, "PhoneVerificationRequired").await;
    assert!(message(&refused).contains("`recordAttempt: 2`"), "{}", message(&refused));
    assert_eq!(world.ledger(&account).await, Vec::<Value>::new());
    patch(json!({"rejectUpgrade": null})).await;
    world.create_as("jane", &retry(2, &refused)).unwrap();

    world.until("slow", "OfferInPlace").await;
    let (upgrades, _) = asked(&world, &account).await;
    assert_eq!(upgrades.len(), 3);
    assert!(upgrades.iter().all(|request| request["idempotencyKey"] == upgrades[0]["idempotencyKey"]), "{upgrades:#?}");
    assert_eq!(world.ledger(&account).await.len(), 1);
    let attempts = attempts(&world, &account);
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["Accepted", "Rejected", "Accepted"]);
    assert_ne!(attempts[0]["operation"], attempts[2]["operation"], "a failure is not remembered");
    assert_eq!(attempts[2]["intent"]["approval"]["name"], "retry-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_answer_was_lost_is_found_again_by_its_key() {
    let world = World::new().await;
    // It goes on for longer than the operator waits before it asks again.
    let account = account(&world, json!({"operationSeconds": 150, "retryAfterSeconds": 1})).await;
    world.fault("upgrade", &account, Some(1), json!("appliedAnswerLost")).await;
    world.subscribe("slow", &account, automatic("BenefitsExhausted"));
    world.until_within(240, "slow", "OfferInPlace").await;
    let (upgrades, polls) = asked(&world, &account).await;
    assert_eq!((upgrades.len(), world.ledger(&account).await.len()), (2, 1), "asked twice, upgraded once");
    assert_eq!(upgrades[0]["idempotencyKey"], upgrades[1]["idempotencyKey"]);
    assert!(polls > 0);
    let attempts = attempts(&world, &account);
    assert_eq!((&attempts[0]["outcome"], &attempts[1]["outcome"]), (&json!("Unknown"), &json!("Accepted")));
    assert_eq!(attempts[0]["operation"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_subscription_is_deleted_is_followed_to_its_end() {
    let world = World::new().await;
    let fails = json!({"code": "StoppedByAgent", "status": "Canceled"});
    let account = account(&world, json!({"operationSeconds": 25, "retryAfterSeconds": 1, "fails": fails})).await;
    world.subscribe("slow", &account, automatic("BenefitsExhausted"));
    world.until("slow", "VerifyingUpgrade").await;
    world.kubectl(&["delete", "subscriptions.payg-operator.io", "slow"]).unwrap();
    assert_eq!(world.records(&account)[0]["status"]["state"], "Accepted", "nobody has closed it on the way");
    let closed = async || {
        let record = world.records(&account).remove(0);
        (record["status"]["state"] == "Unresolved").then_some(record)
    };
    let record = world.eventually(60, closed).await.expect("a record that is closed");
    let outcome = record["status"]["outcome"].as_str().unwrap();
    assert!(outcome.contains("Canceled: StoppedByAgent"), "{outcome}");
    assert_eq!(asked(&world, &account).await.0.len(), 1, "nothing is asked for on its behalf");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_account_no_provider_answers_about_is_told_of() {
    let world = World::new().await;
    let account = account(&world, json!({"operationSeconds": 3600, "retryAfterSeconds": 1})).await;
    world.subscribe("slow", &account, automatic("BenefitsExhausted"));
    world.until("slow", "VerifyingUpgrade").await;
    for name in ["azure-2", "azure-3", "azure-4", "azure-5"] {
        world.apply(&provider(name, "Broker"));
    }
    // One after the other, they would take longer than a reconcile may.
    world.fault("subscription", &account, None, json!({"latency": {"millis": 60_000}})).await;
    world.kubectl(&["delete", "subscriptions.payg-operator.io", "slow"]).unwrap();
    let name = world.records(&account)[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let about = format!("--field-selector=reason=RecordUnwatched,regarding.name={name}");
    let told = async || {
        let events = world.stack.kubectl(&["get", "events.events.k8s.io", "-n", "default", &about, "-o", "name"]);
        (!events.unwrap().is_empty()).then_some(())
    };
    world.eventually(90, told).await.expect("an Event about the record");
}
