//! An account's life over the wire.

use reqwest::Method;
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn a_trial_is_exhausted_upgraded_and_converted() {
    let sim = Sim::with_account(json!({"burnPerDay": "20", "reactivationDelaySeconds": 3600})).await;
    let expected = json!({
        "id": format!("/subscriptions/{SUB}"), "authorizationSource": "RoleBased", "managedByTenants": [],
        "subscriptionId": SUB, "tenantId": TENANT, "displayName": "Azure subscription 1", "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01", "quotaId": "FreeTrial_2014-09-01", "spendingLimit": "On",
        },
    });
    assert_eq!(sim.subscription().await, expected);

    sim.advance(11 * DAY).await;
    let disabled = sim.subscription().await;
    assert_eq!(disabled["state"], "Disabled");
    assert_eq!(disabled["subscriptionPolicies"], expected["subscriptionPolicies"]);

    let response = sim.upgrade(KEY).header("x-ms-client-request-id", "c1").send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (202, &"15".parse().unwrap()));
    let status_url = response.headers()["azure-asyncoperation"].to_str().unwrap().to_owned();
    let result_url = response.headers()["location"].to_str().unwrap().to_owned();
    let accepted: Value = response.json().await.unwrap();
    assert_eq!(accepted["status"], "InProgress");
    let get = async |url: &str| sim.http.get(url).bearer_auth(&sim.broker).send().await.unwrap();
    let status: Value = get(&status_url).await.json().await.unwrap();
    assert_eq!((&status["id"], &status["status"]), (&accepted["id"], &json!("InProgress")));
    assert_eq!(get(&result_url).await.status(), 202);
    let accepted = sim.subscription().await;
    assert_eq!(
        (&accepted["state"], &accepted["subscriptionPolicies"]["spendingLimit"]),
        (&json!("Disabled"), &json!("Off"))
    );

    sim.advance(3600).await;
    let status: Value = get(&status_url).await.json().await.unwrap();
    assert_eq!((&status["status"], &status["percentComplete"]), (&json!("Succeeded"), &json!(100)));
    assert!(status["endTime"].is_string());
    assert_eq!(get(&result_url).await.json::<Value>().await.unwrap(), json!({"properties": {"status": "Converted"}}));
    let converted = sim.subscription().await;
    assert_eq!(converted["state"], "Enabled");
    assert_eq!(converted["subscriptionPolicies"]["quotaId"], "PayAsYouGo_2014-09-01");
    assert_eq!(sim.billing().await["subscriptionBillingType"], "Paid");

    let ledger = sim.ledger().await;
    assert_eq!(ledger.len(), 1);
    assert_eq!((&ledger[0]["account"], &ledger[0]["by"]), (&json!(SUB), &json!({"key": KEY})));
    assert!(ledger[0]["billingTime"].as_str().unwrap().starts_with("2026-01-12T00:0"), "{ledger:?}");
}

#[tokio::test]
async fn one_key_is_one_operation_for_ever() {
    let sim = Sim::with_account(json!({})).await;
    let first: Value = sim.upgrade(KEY).send().await.unwrap().json().await.unwrap();
    sim.advance(60 * DAY).await;
    let again = sim.upgrade(&KEY.to_uppercase()).send().await.unwrap();
    assert_eq!(again.status(), 202);
    assert_eq!(again.json::<Value>().await.unwrap(), first);
    let other = sim.upgrade("0b1f9c6e-0000-5a00-9000-000000000002").send().await.unwrap();
    assert_eq!(other.status(), 200);
    assert_eq!(other.json::<Value>().await.unwrap(), json!({"status": "AlreadyConverted"}));
    assert_eq!(sim.ledger().await.len(), 1);
}

#[tokio::test]
async fn a_rejection_is_not_remembered() {
    let sim = Sim::with_account(json!({})).await;
    for (code, status) in [
        ("NotAccountAdministrator", 403),
        ("PaymentMethodRequired", 422),
        ("PhoneVerificationRequired", 422),
        ("OfferNotEligible", 422),
    ] {
        sim.control(Method::PATCH, &format!("/accounts/{SUB}"), json!({"rejectUpgrade": code})).await;
        assert_eq!(refusal(sim.upgrade(KEY).send().await.unwrap()).await, (status, code.into()));
    }
    sim.control(Method::PATCH, &format!("/accounts/{SUB}"), json!({"rejectUpgrade": null})).await;
    assert!(sim.ledger().await.is_empty());
    assert_eq!(sim.upgrade(KEY).send().await.unwrap().status(), 202);
}

#[tokio::test]
async fn the_end_of_an_account() {
    let sim = Sim::with_account(json!({"graceDays": 1})).await;
    sim.advance(31 * DAY).await;
    assert_eq!(sim.subscription().await["state"], "Deleted");
    assert_eq!(sim.billing().await["subscriptionBillingStatus"], "Deleted");
    let deleted = (410, "SubscriptionDeleted".to_owned());
    assert_eq!(refusal(sim.upgrade(KEY).send().await.unwrap()).await, deleted);
    sim.advance(DAY).await;
    let gone = (404, "SubscriptionNotFound".to_owned());
    assert_eq!(refusal(sim.read(&subscription_path(SUB)).send().await.unwrap()).await, gone);
    assert_eq!(refusal(sim.read(&billing_path(SUB)).send().await.unwrap()).await, gone);
    assert_eq!(refusal(sim.upgrade(KEY).send().await.unwrap()).await, deleted);
}

#[tokio::test]
async fn a_classic_account_shows_no_credit() {
    let sim = Sim::with_account(json!({})).await;
    let active = sim.billing().await;
    assert_eq!(active["billingAccountAgreementType"], "MicrosoftOnlineServicesProgram");
    assert_eq!(active["subscriptionBillingType"], "Free");
    assert_eq!(active["subscriptionBillingStatusDetails"], json!([]));
    assert!(active.get("billingProfileSpendingLimitDetails").is_none());

    sim.control(Method::POST, &format!("/accounts/{SUB}/spend"), json!({"amount": "200"})).await;
    let spent = sim.billing().await;
    assert_eq!(spent["subscriptionBillingStatus"], "Disabled");
    assert_eq!(spent["subscriptionBillingStatusDetails"][0]["reason"], "SpendingLimitReached");
    assert!(!spent.to_string().contains("200"), "{spent}");
}

#[tokio::test]
async fn a_customer_agreement_shows_the_credit() {
    let sim = Sim::with_account(json!({"agreement": "MCA", "startTime": "2026-01-01T00:00:00Z"})).await;
    let details = |status: &str| {
        json!([{
            "amount": 200, "currency": "USD", "type": "FreeAccount", "status": status,
            "startDate": "2026-01-01T00:00:00Z", "endDate": "2026-01-31T00:00:00Z",
        }])
    };
    let active = sim.billing().await;
    assert_eq!(active["billingProfileSpendingLimitDetails"], details("Active"));
    assert_eq!(
        (&active["billingProfileStatus"], &active["billingProfileSpendingLimit"]),
        (&json!("Active"), &json!("On"))
    );

    sim.advance(30 * DAY).await;
    let over = sim.billing().await;
    assert_eq!(over["billingProfileSpendingLimitDetails"], details("Expired"));
    assert_eq!(over["billingProfileStatus"], "Disabled");
    assert_eq!(over["billingProfileStatusReasonCode"], "SpendingLimitExpired");
    assert_eq!(over["subscriptionBillingStatusDetails"][0]["reason"], "Expired");

    sim.control(Method::POST, &format!("/accounts/{SUB}/portal-upgrade"), Value::Null).await;
    let upgraded = sim.billing().await;
    assert_eq!(upgraded["billingProfileSpendingLimitDetails"], details("LimitRemoved"));
    assert_eq!(upgraded["subscriptionBillingType"], "Paid");
    assert!(upgraded.get("billingProfileStatusReasonCode").is_none());
    assert_eq!(sim.ledger().await[0]["by"], json!({"person": true}));
}

#[tokio::test]
async fn a_spent_limit_and_a_cancellation_differ() {
    let sim = Sim::with_account(json!({"agreement": "MCA"})).await;
    let other = "6f1a3c1e-0000-4a00-9000-00000000f7ef";
    sim.account(json!({"agreement": "MCA", "subscriptionId": other, "credit": {"amount": "57.31"}})).await;
    sim.control(Method::POST, &format!("/accounts/{SUB}/cancel"), Value::Null).await;
    sim.control(Method::POST, &format!("/accounts/{other}/spend"), json!({"amount": "60"})).await;
    let cancelled = sim.billing().await;
    assert_eq!(sim.subscription().await["state"], "Disabled");
    assert_eq!(cancelled["billingProfileSpendingLimitDetails"][0]["status"], "Active");
    assert_eq!(cancelled["subscriptionBillingStatusDetails"][0]["reason"], "Cancelled");
    let spent: Value = sim.read(&billing_path(other)).send().await.unwrap().json().await.unwrap();
    let details = &spent["properties"]["billingProfileSpendingLimitDetails"][0];
    assert_eq!((details["amount"].to_string(), &details["status"]), ("57.31".into(), &json!("LimitReached")));
    assert_eq!(spent["properties"]["billingProfileStatusReasonCode"], "SpendingLimitReached");
}

#[tokio::test]
async fn imagine_may_not_use_other_providers() {
    let sim = Sim::with_account(json!({"offer": "Imagine"})).await;
    let path = |namespace| format!("/subscriptions/{SUB}/providers/{namespace}/things?api-version=2024-08-01");
    let ask = async |namespace| refusal(sim.read(&path(namespace)).send().await.unwrap()).await;
    assert_eq!(ask("Microsoft.Consumption").await, (400, "DisallowedProvider".into()));
    let body: Value = sim.read(&path("Microsoft.Consumption")).send().await.unwrap().json().await.unwrap();
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("The operation is not permitted for namespace 'Microsoft.Consumption'. "), "{message}");
    assert_eq!(ask("Microsoft.Web").await, (404, "InvalidResourceType".into()));
    assert_eq!(sim.billing().await["subscriptionBillingType"], "Free");
    assert_eq!(sim.upgrade(KEY).send().await.unwrap().status(), 202);
    assert_eq!(sim.subscription().await["subscriptionPolicies"]["quotaId"], "PayAsYouGo_2014-09-01");
    assert_eq!(ask("Microsoft.Consumption").await, (404, "InvalidResourceType".into()));
}
