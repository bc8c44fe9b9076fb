//! What the credentials see, and what they may not.

use payg_test_kit::world::{World, benefit, condition, message, subscription};
use serde_json::{Value, json};

/// A BillingProvider called `other` through an application of its own that sees `subscriptions`, with this role on billing.
async fn other_provider(world: &World, subscriptions: Value, billing: &str) {
    let mut other = world.application(json!({"subscriptions": subscriptions, "billing": billing})).await;
    other["metadata"]["name"] = json!("other");
    other["spec"]["azure"]["upgradeMethod"] = json!("PortalHandoff");
    world.apply(&other);
}

async fn told(world: &World, says: &str) {
    let mut last = Value::Null;
    let found = world
        .eventually(60, async || {
            last = world.get("billingproviders.payg-operator.io", "other");
            let ready = condition(&last, "Ready");
            (ready["status"] == "True" && message(&last).contains(says)).then_some(())
        })
        .await;
    found.unwrap_or_else(|| panic!("{says:?} is never said; the status is {:#}", last["status"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_billing_provider_tells_how_many_subscriptions_its_credentials_see() {
    let world = World::new().await;
    other_provider(&world, json!([]), "None").await;
    told(&world, "and see no subscription: grant the application Reader").await;
    let (one, two) = (world.account(json!({})).await, world.account(json!({})).await);
    other_provider(&world, json!([one]), "None").await;
    told(&world, ") work and see 1 subscription.").await;
    other_provider(&world, json!([one, two]), "None").await;
    told(&world, ") work and see 2 subscriptions.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credit_left_is_watched_where_the_billing_profile_may_be_read() {
    let world = World::new().await;
    let account = world
        .account(json!({"credit": {"amount": "200", "currency": "USD"}, "burnPerDay": "3", "periodDays": 300}))
        .await;
    other_provider(&world, json!([account]), "None").await;
    let before = json!({"creditBelow": {"amount": "100", "currency": "USD"}});
    let upgrade = json!({"when": "BeforeExhaustion", "beforeExhaustion": before, "approval": "Automatic"});
    let mut trial = subscription("trial", &account, upgrade);
    trial["spec"]["providerName"] = json!("other");
    world.apply(&trial);
    let unknown = world.until("trial", "BenefitsUnknown").await;
    assert!(benefit(&unknown, "Credit")["remaining"].is_null(), "{:#}", unknown["status"]);
    let looked = condition(&unknown, "Observed")["message"].as_str().unwrap().to_owned();
    assert!(looked.contains("Microsoft.Billing/billingAccounts/billingProfiles/read"), "{looked}");
    other_provider(&world, json!([account]), "Reader").await;
    let waiting = world.until("trial", "WaitingForExhaustion").await;
    let seen = benefit(&waiting, "Credit");
    assert_eq!((&seen["source"], &seen["currency"]), (&json!("balanceSummary"), &json!("USD")), "{seen:#}");
    assert!(seen["remaining"].is_number() || seen["remaining"].is_string(), "{seen:#}");
    let due = world.until("trial", "AwaitingPortalUpgrade").await;
    assert_eq!(due["status"]["account"]["lifecycle"], "Active", "before the credit is spent");
}
