//! What may become of an account on Azure, and what the operator makes of it.

use payg_test_kit::world::{World, automatic, benefit, condition, message, provider, subscription};
use serde_json::{Value, json};

/// The requests for an upgrade of `account` that reached the broker.
async fn asked(world: &World, account: &str) -> usize {
    let requests = world.requests(account).await;
    requests.iter().filter(|request| request["operation"] == "upgrade").count()
}

/// The observations of `account`.
async fn looks(world: &World, account: &str) -> usize {
    let requests = world.requests(account).await;
    requests.iter().filter(|request| request["operation"] == "subscription").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn leftover_credit_stays_usable_after_an_upgrade_and_nothing_is_asked_twice() {
    let world = World::new().await;
    let account = world.account(json!({"burnPerDay": "3", "periodDays": 60})).await;
    world.subscribe("early", &account, automatic("Immediately"));
    let accepted = world.until("early", "UpgradeAccepted").await;
    let credit = benefit(&accepted, "Credit");
    assert_eq!((credit["granted"].as_str(), credit["currency"].as_str()), (Some("200"), Some("USD")), "{credit}");
    assert!(credit["remaining"].is_string(), "{credit}");
    // The offer id stays that of the trial for days: <https://learn.microsoft.com/azure/cost-management-billing/manage/upgrade-azure-subscription>.
    let later = async || {
        let seen = world.subscription("early");
        (looks(&world, &account).await > 4 && seen["status"]["offer"]["class"] == "FreeTrial").then_some(())
    };
    world.eventually(50, later).await.expect("looks at an account that is accepted and not converted");
    // Reads may be older than the acceptance. The record remembers that.
    let before = looks(&world, &account).await;
    let stale = json!({"stale": {"seconds": 365 * 86_400}});
    for operation in ["subscription", "billingProperty", "billingProfile"] {
        world.fault(operation, &account, Some(5), stale.clone()).await;
    }
    let fresh_again = async || (looks(&world, &account).await > before + 5).then_some(());
    world.eventually(50, fresh_again).await.expect("looks that are stale, and then one that is not");
    world.until_within(120, "early", "OfferInPlace").await;
    let said = world.events("early");
    assert!(said.iter().any(|event| event.starts_with("VerifyingUpgrade")), "the stale looks were believed: {said:#?}");
    assert_eq!((asked(&world, &account).await, world.ledger(&account).await.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_is_no_exhaustion() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 3000})).await;
    let warned = json!({"replaceField": {"path": "state", "value": "Warned"}});
    world.fault("subscription", &account, None, warned).await;
    world.subscribe("warned", &account, automatic("BenefitsExhausted"));
    let seen = world.until("warned", "WaitingForExhaustion").await;
    assert_eq!(seen["status"]["account"]["lifecycle"], "Warned");
    let before = looks(&world, &account).await;
    let observed_again = async || (looks(&world, &account).await >= before + 4).then_some(());
    world.eventually(30, observed_again).await.expect("a warned account is looked at again and again");
    assert_eq!(condition(&world.subscription("warned"), "Ready")["reason"], "WaitingForExhaustion");
    assert_eq!((asked(&world, &account).await, world.ledger(&account).await.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_takes_long_to_come_back_is_told_of_and_asked_for_once() {
    let world = World::new().await;
    // Microsoft says up to 24 hours: <https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-disabled>.
    let account =
        world.account(json!({"periodDays": 1, "reactivationDelaySeconds": 20 * 86_400, "graceDays": 365})).await;
    world.subscribe("slow", &account, automatic("BenefitsExhausted"));
    let overdue = world.until("slow", "ConversionOverdue").await;
    assert_eq!(overdue["status"]["account"]["lifecycle"], "Restricted", "its machines are still off");
    world.until("slow", "OfferInPlace").await;
    assert_eq!((asked(&world, &account).await, world.ledger(&account).await.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_is_never_upgraded() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 1, "graceDays": 1})).await;
    let mut late = subscription("late", &account, automatic("Immediately"));
    late["spec"]["suspend"] = json!(true);
    world.apply(&late);
    world.until("late", "Suspended").await;
    let gone = async || (world.account_now(&account).await["stage"] == "Gone").then_some(());
    world.eventually(30, gone).await.expect("the provider deletes it");
    late["spec"]["suspend"] = json!(false);
    world.apply(&late);
    // Azure Resource Manager knows it no more, which might also be a matter of permission.
    let told = world.until("late", "ProviderNotReady").await;
    assert!(message(&told).contains("does not mean that it is deleted"), "{}", message(&told));
    assert_eq!((asked(&world, &account).await, world.records(&account).len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_shown_as_deleted_is_closed() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 1, "graceDays": 1000})).await;
    world.fault("subscription", &account, None, json!({"replaceField": {"path": "state", "value": "Deleted"}})).await;
    world.subscribe("closed", &account, automatic("BenefitsExhausted"));
    let told = world.until("closed", "AccountClosed").await;
    assert_eq!(condition(&told, "Stalled")["status"], "True");
    assert_eq!((asked(&world, &account).await, world.records(&account).len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_odd_look_upgrades_nothing() {
    let world = World::new().await;
    // With its credit listed, what is left of it would contradict, and one observation more would not matter.
    let account = world.account(json!({"periodDays": 20, "lotsListed": false})).await;
    let status = "properties.billingProfileSpendingLimitDetails.0.status";
    let reached = json!({"replaceField": {"path": status, "value": "LimitReached"}});
    world.fault("billingProperty", &account, Some(1), reached).await;
    world.subscribe("odd", &account, automatic("BenefitsExhausted"));
    world.until("odd", "OfferInPlace").await;
    let (ledger, end) = (world.ledger(&account).await, world.account_now(&account).await["periodEnd"].clone());
    assert_eq!(ledger.len(), 1);
    assert!(ledger[0]["billingTime"].as_str() >= end.as_str(), "{ledger:?} before {end}");
    let said = world.events("odd");
    assert!(said.iter().any(|event| event.contains("a second read must confirm it")), "{said:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_may_finish_it_in_the_portal_before_it_is_due() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 15})).await;
    world.subscribe("by-hand", &account, automatic("BenefitsExhausted"));
    world.until("by-hand", "WaitingForExhaustion").await;
    world.stack.simulator.post(&format!("accounts/{account}/portal-upgrade"), &json!({})).await.unwrap();
    world.until("by-hand", "UpgradeAccepted").await;
    world.until("by-hand", "OfferInPlace").await;
    assert_eq!((asked(&world, &account).await, world.records(&account)), (0, Vec::<Value>::new()));
    assert_eq!(world.ledger(&account).await[0]["by"], json!({"person": true}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_lifted_for_this_month_only_is_no_upgrade() {
    let world = World::new().await;
    let account = world.account(json!({"agreement": "MOSP", "periodDays": 1})).await;
    let limit = json!({"replaceField": {"path": "subscriptionPolicies.spendingLimit", "value": "CurrentPeriodOff"}});
    world.fault("subscription", &account, None, limit).await;
    world.subscribe("lifted", &account, automatic("Immediately"));
    let told = world.until("lifted", "NotEligible").await;
    assert!(message(&told).contains("CurrentPeriodOff"), "{}", message(&told));
    assert_eq!((asked(&world, &account).await, world.records(&account).len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaid_invoice_is_none_of_the_operators_business() {
    let world = World::new().await;
    let account = world.account(json!({"offer": "PayAsYouGo", "agreement": "MOSP"})).await;
    world.subscribe("paid", &account, automatic("Immediately"));
    world.until("paid", "OfferInPlace").await;
    world.stack.simulator.post(&format!("accounts/{account}/leave-unpaid"), &json!({})).await.unwrap();
    for lifecycle in ["Warned", "Restricted"] {
        let shows = async || {
            let seen = world.subscription("paid");
            (seen["status"]["account"]["lifecycle"] == lifecycle).then_some(seen)
        };
        let seen = world.eventually(60, shows).await.unwrap_or_else(|| panic!("it is never {lifecycle}"));
        assert_eq!(condition(&seen, "Ready")["reason"], "OfferInPlace");
    }
    assert_eq!((asked(&world, &account).await, world.records(&account).len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_nobody_may_see_is_not_taken_for_deleted() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 1})).await;
    let credentials = world.application(json!({"subscriptions": []})).await;
    world.apply(&provider("azure", "Broker"));
    world.apply(&credentials);
    world.subscribe("unseen", &account, automatic("BenefitsExhausted"));
    let told = world.until("unseen", "ProviderNotReady").await;
    assert!(message(&told).contains("Microsoft.Resources/subscriptions/read"), "{}", message(&told));
    assert_eq!((asked(&world, &account).await, world.records(&account).len()), (0, 0));
}
