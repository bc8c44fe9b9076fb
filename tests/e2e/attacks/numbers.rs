//! What a provider leaves out, doubles or contradicts. Each Subscription says `approval: Automatic` and is made by a user who may
//! edit; each account has credit and time left, so that every upgrade in the simulator's ledger is one too many.

use std::time::Duration;

use payg_test_kit::world::{World, automatic, condition, holding, message, subscription};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::aws::{Account, OBSERVE};
use crate::people::{EDITOR, user};

fn before(limits: Value) -> Value {
    json!({"when": "BeforeExhaustion", "approval": "Automatic", "beforeExhaustion": limits})
}

fn credit_below(amount: &str) -> Value {
    before(json!({"creditBelow": {"amount": amount, "currency": "USD"}}))
}

/// Creates `object` as somebody who may edit and no more.
async fn create(world: &World, object: &Value) {
    let editor = format!("ed-{}", world.number);
    user(world, &editor, &[EDITOR]).await;
    world.create_as(&editor, object).unwrap();
}

/// Days pass, each with an observation; then that nothing was ever requested of `account`.
async fn assert_left_as_it_is(world: &World, account: &str) {
    sleep(Duration::from_secs(3)).await;
    assert_eq!((world.ledger(account).await, world.records(account)), (Vec::<Value>::new(), Vec::new()));
}

/// Has AWS answer `GetAccountPlanState` with this fault for an account that has 100 USD and months left, and sees it refused,
/// with a message in which this is `said`, whatever the manifest waits for.
async fn plan_is_refused(world: &World, name: &'static str, fault: Value, said: &str) {
    let allow = [&OBSERVE[..], &["freetier:UpgradeAccountPlan"]].concat();
    let account = Account::new(world, name, json!({}), &allow).await;
    world.fault("getAccountPlanState", &account.id, None, fault).await;
    create(world, &account.subscription(automatic("BenefitsExhausted"))).await;
    let told = account.until("Pending").await;
    let observed = condition(&told, "Observed");
    assert_eq!(observed["reason"], "UnexpectedAnswer", "{observed}");
    assert!(message(&told).contains(said), "{}", message(&told));
    assert_left_as_it_is(world, &account.id).await;
    world.apply(&account.subscription(credit_below("5.00")));
    assert_left_as_it_is(world, &account.id).await;
    assert_eq!(account.asked("upgradeAccountPlan").await, 0);
}

/// Class: a default in the place of a required number that is not there. Source: smithy-lang/smithy-rs#2991 (generated clients fill in 0), smithy-lang/smithy-python#702 (a service that leaves required members out).
#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_aws_leaves_out_is_not_zero() {
    let world = World::new().await;
    let fault = json!({"missingField": {"name": "accountPlanRemainingCredits.amount"}});
    plan_is_refused(&world, "missing", fault, "the amount of its credit is missing").await;
}

/// Class: null in the place of a number. Source: Smithy 2.0, client error correction (https://smithy.io/2.0/spec/aggregate-types.html#client-error-correction).
#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_is_null_is_not_zero() {
    let world = World::new().await;
    let fault = json!({"replaceField": {"path": "accountPlanRemainingCredits.amount", "value": null}});
    plan_is_refused(&world, "null", fault, "the amount of its credit is missing").await;
}

/// Class: a value of another type than the member's. Source: CWE-1287, improper validation of specified type of input.
#[tokio::test(flavor = "multi_thread")]
async fn an_amount_of_another_type_is_not_zero() {
    let world = World::new().await;
    for (name, value) in [("text", json!("0")), ("empty", json!("")), ("false", json!(false)), ("object", json!({}))] {
        let fault = json!({"replaceField": {"path": "accountPlanRemainingCredits.amount", "value": value}});
        plan_is_refused(&world, name, fault, "malformed").await;
    }
}

/// Class: a member that is there twice, of which two readers take different ones. Source: CVE-2017-12635 (`CouchDB`: of two `roles` the second was checked and the first was in force), RFC 8259 section 4.
#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_amount_is_ignored() {
    let world = World::new().await;
    let fault = json!({"repeatField": {"path": "accountPlanRemainingCredits.amount", "value": 0}});
    plan_is_refused(&world, "amount-twice", fault, "is there twice").await;
    let fault = json!({"repeatField": {"path": "accountPlanStatus", "value": "EXPIRED"}});
    plan_is_refused(&world, "status-twice", fault, "is there twice").await;
}

/// Class: a member in other letters beside the right one, for a reader that does not tell them apart. Source: golang/go#14750 (encoding/json takes names in any letters, and the last of them).
#[tokio::test(flavor = "multi_thread")]
async fn a_member_in_other_letters_is_not_taken_for_it() {
    let world = World::new().await;
    let nothing = json!({"amount": 0, "unit": "USD"});
    let fault = json!({"replaceField": {"path": "AccountPlanRemainingCredits", "value": nothing}});
    plan_is_refused(&world, "letters", fault, "is there twice").await;
}

/// Class: the state of a plan against its date, where the figure that would explain it is left out. Source: AWS Free Tier API, `AccountPlanStatus` (https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_freetier_GetAccountPlanState.html): the credit and the date are not required members.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_expired_before_its_date_without_a_word_of_its_credit_is_left_alone() {
    let world = World::new().await;
    let allow = [&OBSERVE[..], &["freetier:UpgradeAccountPlan"]].concat();
    let account = Account::new(&world, "untold", json!({"credit": null}), &allow).await;
    let fault = json!({"replaceField": {"path": "accountPlanStatus", "value": "EXPIRED"}});
    world.fault("getAccountPlanState", &account.id, None, fault).await;
    create(&world, &account.subscription(automatic("BenefitsExhausted"))).await;
    let told = account.until("NotEligible").await;
    assert!(message(&told).contains("EXPIRED, with time left"), "{}", message(&told));
    assert_left_as_it_is(&world, &account.id).await;
}

/// An account of Azure that is off by its state, and whose limit reads so; the list of credits shows no end.
async fn expired(world: &World, end: Value) -> String {
    let account = world.account(json!({"credit": {"amount": "200", "currency": "USD"}, "periodDays": 3000})).await;
    world.fault("subscription", &account, None, json!({"replaceField": {"path": "state", "value": "Disabled"}})).await;
    let limit = json!([{"amount": 200, "currency": "USD", "type": "FreeAccount", "status": "Expired",
        "startDate": "2025-01-02T00:00:00Z", "endDate": end}]);
    let fault = json!({"replaceField": {"path": "properties.billingProfileSpendingLimitDetails", "value": limit}});
    world.fault("billingProperty", &account, None, fault).await;
    let fault = json!({"missingField": {"name": "value.0.properties.expirationDate"}});
    world.fault("lots", &account, None, fault).await;
    account
}

/// Class: two sources of one fact that disagree. Source: Azure/azure-sdk-for-python#39933 and #9393 (dates such as `0001-01-01T00:00:00Z` in the answers of billing).
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_expired_not_when_beside_credit_that_is_left_is_a_contradiction() {
    let world = World::new().await;
    for (name, end) in [("year-one", json!("0001-01-01T00:00:00Z")), ("no-end", json!(null))] {
        let account = expired(&world, end).await;
        create(&world, &subscription(name, &account, automatic("BenefitsExhausted"))).await;
        let told = world.until(name, "BenefitsUnknown").await;
        for part in
            ["period is over, without saying since when", "200.00 USD of the credit is left", "contradict each other"]
        {
            assert!(message(&told).contains(part), "{name}: {}", message(&told));
        }
        assert!(holding(&told).contains(&"Stalled".to_owned()), "{name}: {told:#}");
        assert_left_as_it_is(&world, &account).await;
    }
}

/// Class: the figure that contradicts is taken away. Source: CWE-636, not failing securely; Azure/azure-sdk-for-python#39933.
#[tokio::test(flavor = "multi_thread")]
async fn a_balance_that_cannot_be_read_contradicts_too() {
    let world = World::new().await;
    for (name, fault) in [
        ("missing", json!({"missingField": {"name": "properties.balanceSummary.estimatedBalance.value"}})),
        ("null", json!({"replaceField": {"path": "properties.balanceSummary", "value": null}})),
        ("twice", json!({"repeatField": {"path": "properties.balanceSummary.estimatedBalance.value", "value": 0}})),
        ("down", json!({"status": {"code": 500}})),
    ] {
        let account = expired(&world, json!(null)).await;
        world.fault("balanceSummary", &account, None, fault).await;
        create(&world, &subscription(name, &account, automatic("BenefitsExhausted"))).await;
        world.until(name, "BenefitsUnknown").await;
        assert_left_as_it_is(&world, &account).await;
    }
}

/// Class: a list in the place of an object, for a reader that takes its entries in the order of the members. Source: serde-rs/serde#1587 (a struct can be deserialized from a sequence).
#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_not_taken_for_a_balance() {
    let world = World::new().await;
    let account = world.account(json!({"credit": {"amount": "200", "currency": "USD"}, "periodDays": 3000})).await;
    let fault = json!({"replaceField": {"path": "properties.balanceSummary.estimatedBalance", "value": ["USD", 1]}});
    world.fault("balanceSummary", &account, None, fault).await;
    create(&world, &subscription("list", &account, credit_below("5.00"))).await;
    let told = world.until("list", "BenefitsUnknown").await;
    assert!(message(&told).contains("`creditBelow` needs the remaining credit"), "{}", message(&told));
    assert_left_as_it_is(&world, &account).await;
}

/// Class: a declaration against a report. Source: CWE-345, insufficient verification of data authenticity: what a tenant writes about an account does not go before what its provider says.
#[tokio::test(flavor = "multi_thread")]
async fn a_declared_end_does_not_end_a_trial_that_azure_says_goes_on() {
    let world = World::new().await;
    let account = world.account(json!({"credit": {"amount": "200", "currency": "USD"}, "periodDays": 3000})).await;
    let fault = json!({"missingField": {"name": "properties.billingProfileSpendingLimitDetails.0.endDate"}});
    world.fault("billingProperty", &account, None, fault).await;
    let fault = json!({"missingField": {"name": "value.0.properties.expirationDate"}});
    world.fault("lots", &account, None, fault).await;
    for (name, upgrade) in
        [("exhausted", automatic("BenefitsExhausted")), ("before", before(json!({"timeLeftSeconds": 86_400})))]
    {
        let mut object = subscription(name, &account, upgrade);
        object["spec"]["trial"] = json!({"endTime": "2026-01-01T00:00:00Z"});
        create(&world, &object).await;
        let told = world.until(name, "WaitingForExhaustion").await;
        assert!(message(&told).contains("does not report the trial as over"), "{name}: {}", message(&told));
        assert_left_as_it_is(&world, &account).await;
        world.kubectl(&["delete", "subscriptions.payg-operator.io", name, "--wait=true"]).unwrap();
    }
}

/// Class: two answers of one provider that name different terms. Source: MicrosoftDocs/azure-docs#11854 (an account that was upgraded is still reported as a free trial).
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_two_trials_or_paid_for_already_is_left_alone() {
    let world = World::new().await;
    for (name, path, value, said) in [
        ("prepaid", "properties.subscriptionBillingType", json!("PrePaid"), "PrePaid"),
        ("enterprise", "properties.billingAccountAgreementType", json!("EnterpriseAgreement"), "EnterpriseAgreement"),
        ("limit-off", "properties.billingProfileSpendingLimit", json!("Off"), "Off"),
    ] {
        let account = world.account(json!({"periodDays": 3000})).await;
        world.fault("billingProperty", &account, None, json!({"replaceField": {"path": path, "value": value}})).await;
        create(&world, &subscription(name, &account, automatic("Immediately"))).await;
        let told = world.until(name, "NotEligible").await;
        assert!(message(&told).contains(said), "{name}: {}", message(&told));
        assert_left_as_it_is(&world, &account).await;
    }
}
