//! The stories that the operator is for.

use jiff::SignedDuration;
use payg_test_kit::world::{World, automatic, condition, holding, message, provider, subscription};
use serde_json::{Value, json};

/// The one upgrade of `account`: applied under our key, with one record that is confirmed.
async fn assert_upgraded_once(world: &World, account: &str) -> Value {
    let ledger = world.ledger(account).await;
    assert_eq!(ledger.len(), 1, "{ledger:#?}");
    assert!(ledger[0]["by"]["key"].is_string(), "{ledger:#?}");
    // The record is closed by the observation that shows the offer, the status written right after it.
    let records = world.records(account);
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0]["status"]["state"], "Confirmed", "{:#}", records[0]);
    assert_eq!(records[0]["status"]["attempts"].as_array().unwrap().len(), 1);
    records[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_whose_credit_runs_out_is_upgraded_once() {
    let world = World::new().await;
    let account = world.account(json!({"credit": {"amount": "200.00", "currency": "USD"}, "burnPerDay": "50"})).await;
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    let waiting = world.until("sandbox", "WaitingForExhaustion").await;
    assert_eq!(holding(&waiting), ["Observed", "Ready"], "a healthy trial is settled");
    assert_eq!(waiting["status"]["transition"]["to"]["class"], "PayAsYouGo", "known ahead, so that it can be approved");
    let upgraded = world.until("sandbox", "OfferInPlace").await;
    let offer = &upgraded["status"]["offer"];
    assert_eq!((&offer["class"], &offer["native"]), (&json!("PayAsYouGo"), &json!("PayAsYouGo_2014-09-01")));
    assert_eq!(offer["source"], "subscription");
    assert_eq!(holding(&upgraded), ["Observed", "Ready", "Upgraded"]);
    assert_eq!(upgraded["status"]["observedGeneration"], upgraded["metadata"]["generation"]);
    let record = assert_upgraded_once(&world, &account).await;
    let evidence = record["spec"]["intent"]["evidence"]["summary"].as_str().unwrap();
    assert!(evidence.starts_with("the credit is spent"), "{evidence}");
    let events = world.events("sandbox").join("\n");
    for reason in ["WaitingForExhaustion", "Upgrading", "OfferInPlace"] {
        assert!(events.contains(reason), "{events}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_whose_days_run_out_with_credit_left_is_upgraded_once() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 4})).await;
    world.subscribe("sandbox", &account, automatic("BenefitsExhausted"));
    world.until("sandbox", "WaitingForExhaustion").await;
    world.until("sandbox", "OfferInPlace").await;
    let record = assert_upgraded_once(&world, &account).await;
    let evidence = record["spec"]["intent"]["evidence"]["summary"].as_str().unwrap();
    assert!(evidence.starts_with("the trial's period is over"), "{evidence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_microsoft_imagine_subscription_is_upgraded_at_its_declared_end() {
    let world = World::new().await;
    let account = world.account(json!({"offer": "Imagine", "agreement": "MOSP"})).await;
    let mut imagine = subscription("imagine", &account, automatic("BenefitsExhausted"));
    world.apply(&imagine);
    let unknown = world.until("imagine", "BenefitsUnknown").await;
    assert!(message(&unknown).contains("spec.trial.endTime"), "{}", message(&unknown));
    imagine["spec"]["trial"] =
        json!({"endTime": (world.stack.clock.now() + SignedDuration::from_hours(72)).to_string()});
    world.apply(&imagine);
    world.until("imagine", "WaitingForExhaustion").await;
    world.until("imagine", "OfferInPlace").await;
    assert_upgraded_once(&world, &account).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_immediate_upgrade_leaves_the_benefits_usable_and_then_converts() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 20})).await;
    world.subscribe("eager", &account, automatic("Immediately"));
    let accepted = world.until("eager", "UpgradeAccepted").await;
    assert_eq!(accepted["status"]["offer"]["class"], "FreeTrial");
    assert_eq!(condition(&accepted, "Ready")["status"], "True");
    assert_eq!(condition(&accepted, "Upgraded")["status"], "False");
    assert!(accepted["status"]["upgrade"]["acceptTime"].is_string());
    let converted = world.until("eager", "OfferInPlace").await;
    assert!(converted["status"]["upgrade"]["convertTime"].is_string());
    assert_upgraded_once(&world, &account).await;
}

pub(crate) fn approver(user: &str) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "approvers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "payg-approver"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]})
}

fn word(name: &str, decision: &str, hash: &Value, approver: &str) -> Value {
    let mut word = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval", "metadata": {"name": name},
        "spec": {"subscriptionName": "asks", "transitionHash": hash, "decision": decision, "approver": approver, "reason": "test"}});
    if decision == "Approve" {
        word["spec"]["expireTime"] = json!((jiff::Timestamp::now() + SignedDuration::from_hours(1)).to_string());
    }
    word
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manual_upgrade_waits_for_somebody_who_may_approve() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 1})).await;
    world.subscribe("asks", &account, json!({"when": "BenefitsExhausted", "approval": "Manual"}));
    let asking = world.until("asks", "AwaitingApproval").await;
    assert_eq!(condition(&asking, "UpgradeAvailable")["status"], "True");
    let hash = &asking["status"]["transition"]["hash"];
    world.apply(&approver("jane"));
    let refusal = world.create_as("mallory", &word("forged", "Approve", hash, "jane")).unwrap_err();
    assert!(refusal.contains("forbidden"), "{refusal}");

    world.create_as("jane", &word("stop", "Deny", hash, "jane")).unwrap();
    let denied = world.until("asks", "UpgradeDenied").await;
    assert!(message(&denied).contains("jane denied the upgrade"), "{}", message(&denied));
    world.create_as("jane", &word("go", "Approve", hash, "jane")).unwrap();
    world.kubectl(&["delete", "upgradeapprovals.payg-operator.io", "stop"]).unwrap();

    world.until("asks", "OfferInPlace").await;
    let record = assert_upgraded_once(&world, &account).await;
    assert_eq!(record["spec"]["intent"]["approval"]["approver"], "jane");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_upgrade_is_a_persons_and_has_no_record() {
    let world = World::new().await;
    world.apply(&provider("azure", "PortalHandoff"));
    let account = world.account(json!({"periodDays": 1})).await;
    world.subscribe("by-hand", &account, automatic("BenefitsExhausted"));
    let asking = world.until("by-hand", "AwaitingPortalUpgrade").await;
    let link = asking["status"]["upgrade"]["actionUrl"].as_str().unwrap();
    assert!(link.starts_with("https://portal.azure.com/") && link.contains(&account), "{link}");
    assert!(message(&asking).contains(link), "{}", message(&asking));
    assert_eq!(condition(&asking, "Stalled")["status"], "True", "its machines are off");
    world.stack.simulator.post(&format!("accounts/{account}/portal-upgrade"), &json!({})).await.unwrap();
    let done = world.until("by-hand", "OfferInPlace").await;
    assert_eq!(done["status"]["upgrade"]["actionUrl"], Value::Null);
    assert_eq!(world.records(&account), Vec::<Value>::new());
    assert_eq!(world.ledger(&account).await[0]["by"], json!({"person": true}));
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_in_place_suspended_or_observed_are_never_upgraded() {
    let world = World::new().await;
    let paid = world.account(json!({"offer": "PayAsYouGo", "agreement": "MOSP"})).await;
    let (left_alone, watched) =
        (world.account(json!({"periodDays": 1})).await, world.account(json!({"periodDays": 1})).await);
    world.subscribe("paid", &paid, automatic("Immediately"));
    world.subscribe("watched", &watched, automatic("Never"));
    let mut suspended = subscription("left-alone", &left_alone, automatic("Immediately"));
    suspended["spec"]["suspend"] = json!(true);
    world.apply(&suspended);
    world.until("paid", "OfferInPlace").await;
    let suspended = world.until("left-alone", "Suspended").await;
    assert_eq!(holding(&suspended), ["Ready"]);
    world.until("watched", "Observing").await;
    let restricted =
        || async { (world.subscription("watched")["status"]["account"]["lifecycle"] == "Restricted").then_some(()) };
    world.eventually(60, restricted).await.expect("the trial's end is seen");
    // Who asks for an observation of it is answered, and the account is left alone.
    let reconcile_request =
        ["annotate", "subscriptions.payg-operator.io", "left-alone", "payg-operator.io/requested-at=today"];
    world.kubectl(&reconcile_request).unwrap();
    let answered =
        async || (world.subscription("left-alone")["status"]["lastHandledReconcileAt"] == "today").then_some(());
    world.eventually(60, answered).await.expect("the annotation is answered");
    for account in [&paid, &left_alone, &watched] {
        assert_eq!((world.ledger(account).await, world.records(account)), (vec![], vec![]));
    }
    assert_eq!(world.requests(&left_alone).await, Vec::<Value>::new(), "a suspended account is not even looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_its_owner_cancelled_is_not_exhausted() {
    let world = World::new().await;
    let mut accounts = Vec::new();
    for (name, agreement) in [("classic", "MOSP"), ("modern", "MCA")] {
        let account = world.account(json!({"agreement": agreement, "periodDays": 15})).await;
        let mut cancelled = subscription(name, &account, automatic("BenefitsExhausted"));
        // A customer agreement states its own end.
        if agreement == "MOSP" {
            let end = world.stack.clock.now() + SignedDuration::from_hours(15 * 24);
            cancelled["spec"]["trial"] = json!({"endTime": end.to_string()});
        }
        world.apply(&cancelled);
        accounts.push((name, account));
    }
    for (name, account) in &accounts {
        world.until(name, "WaitingForExhaustion").await;
        world.stack.simulator.post(&format!("accounts/{account}/cancel"), &json!({})).await.unwrap();
    }
    for (name, _) in &accounts {
        let told = world.until(name, "NotEligible").await;
        assert!(message(&told).contains("Cancelled"), "{name}: {}", message(&told));
    }
    let end = json!(world.stack.clock.now() + SignedDuration::from_hours(16 * 24));
    for (name, account) in &accounts {
        let is_over =
            async || (world.subscription(name)["status"]["lastObservedTime"].as_str() > end.as_str()).then_some(());
        world.eventually(60, is_over).await.expect("looks after the end");
        assert_eq!((world.ledger(account).await, world.records(account)), (vec![], vec![]), "{name}");
    }
}
