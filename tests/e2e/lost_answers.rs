//! Upgrades whose answer does not tell what happened: settled by observation, never made twice.

use payg_test_kit::world::{World, automatic};
use serde_json::{Value, json};

/// An account whose upgrade meets `fault` once, upgraded; with its applied upgrades and its record.
async fn upgraded_despite(fault: Value) -> (Vec<Value>, Value) {
    let world = World::new().await;
    // The provider waits longer before it deletes the account than the operator waits before it asks again.
    let account = world.account(json!({"periodDays": 1, "graceDays": 1000})).await;
    world.fault("upgrade", &account, Some(1), fault).await;
    world.subscribe("unlucky", &account, automatic("BenefitsExhausted"));
    // The settle time is of the wall clock, and is not made shorter for tests.
    world.until_within(240, "unlucky", "OfferInPlace").await;
    let records = world.records(&account);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["status"]["state"], "Confirmed");
    (world.ledger(&account).await, records[0]["status"]["attempts"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn applied_and_the_answer_lost() {
    let (ledger, attempts) = upgraded_despite(json!("appliedAnswerLost")).await;
    assert_eq!(ledger.len(), 1);
    assert_eq!(attempts.as_array().unwrap().len(), 1, "the account showed it: {attempts:#}");
    assert_eq!(attempts[0]["outcome"], "Unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn applied_late_after_a_gateway_timeout() {
    let (ledger, attempts) =
        upgraded_despite(json!({"appliedLate": {"millis": 5000, "answer": "gatewayTimeout"}})).await;
    assert_eq!(ledger.len(), 1);
    assert_eq!(attempts.as_array().unwrap().len(), 1, "{attempts:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_on_the_way_and_asked_again_with_the_same_key() {
    let (ledger, attempts) = upgraded_despite(json!("cut")).await;
    assert_eq!(ledger.len(), 1);
    let outcomes: Vec<_> = attempts.as_array().unwrap().iter().map(|attempt| &attempt["outcome"]).collect();
    assert_eq!(outcomes, ["Unknown", "Accepted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_that_cannot_be_read_is_no_success() {
    let (ledger, attempts) = upgraded_despite(json!("malformedJson")).await;
    assert_eq!(ledger.len(), 1);
    assert_eq!(attempts[0]["outcome"], "Unknown");
    assert_eq!(attempts.as_array().unwrap().len(), 1, "{attempts:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_fails_is_only_later() {
    let world = World::new().await;
    let faults = [
        ("throttled", json!({"throttle": {"retryAfterSeconds": 1}})),
        ("failing", json!({"status": {"code": 503}})),
        ("cut", json!("cut")),
    ];
    let mut accounts = Vec::new();
    for (name, fault) in faults {
        let account = world.account(json!({"periodDays": 1, "graceDays": 1000})).await;
        for operation in ["subscription", "billingProperty"] {
            world.fault(operation, &account, Some(2), fault.clone()).await;
        }
        world.subscribe(name, &account, automatic("BenefitsExhausted"));
        accounts.push((name, account));
    }
    for (name, account) in accounts {
        world.until(name, "OfferInPlace").await;
        assert_eq!(world.ledger(&account).await.len(), 1, "{name}");
    }
}
