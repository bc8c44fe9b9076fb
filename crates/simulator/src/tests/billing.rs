//! What billing reports, and to whom.

use super::subscriptions::pages;
use super::*;

/// A simulator with an account under a customer agreement, and a client with a role on its billing account; with the
/// path of its billing profile.
async fn customer_agreement(mut account: Value) -> (Sim, String) {
    account["agreement"] = json!("MCA");
    account["startTime"] = json!("2026-01-01T00:00:00Z");
    let sim = Sim::with_account(account).await;
    sim.client(json!({"subscriptions": "*", "broker": true, "billing": "Reader"})).await;
    let profile = sim.billing().await["billingProfileId"].as_str().unwrap().to_owned();
    (sim, profile)
}

async fn get(sim: &Sim, path: &str) -> Value {
    let response = sim.read(path).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.json().await.unwrap()
}

fn billing(path: &str) -> String {
    format!("{path}?api-version=2024-04-01")
}

fn consumption(scope: &str, path: &str) -> String {
    format!("{scope}/providers/Microsoft.Consumption/{path}?api-version=2024-08-01")
}

#[tokio::test]
async fn a_service_principal_is_blind_to_classic_billing_accounts() {
    let sim = Sim::with_account(json!({})).await;
    let accounts = billing("/providers/Microsoft.Billing/billingAccounts");
    let account = sim.billing().await["billingAccountId"].as_str().unwrap().to_owned();
    for role in ["None", "Reader"] {
        sim.client(json!({"subscriptions": "*", "billing": role})).await;
        assert_eq!(get(&sim, &accounts).await, json!({"value": []}));
        let refused = sim.read(&billing(&account)).send().await.unwrap();
        assert_eq!(refusal(refused).await, (401, "Unauthorized".into()));
    }
    sim.client(json!({"subscriptions": "*", "billing": "AccountAdministrator"})).await;
    let seen = get(&sim, &accounts).await;
    assert_eq!(seen["value"][0]["id"], account);
    assert_eq!(seen["value"][0]["properties"]["agreementType"], "MicrosoftOnlineServicesProgram");
    let path = format!("{account}/billingSubscriptions");
    let subscriptions = get(&sim, &billing(&path)).await;
    let properties = &subscriptions["value"][0]["properties"];
    assert_eq!((&properties["offerId"], &properties["status"]), (&json!("MS-AZR-0044P"), &json!("Active")));
    assert_eq!(get(&sim, &billing(&format!("{account}/billingProfiles"))).await, json!({"value": []}));
    assert_eq!(get(&sim, &consumption(&account, "lots")).await, json!({"value": []}));
    assert_eq!(sim.billing().await["isAccountAdmin"], true);
}

#[tokio::test]
async fn a_customer_agreement_is_for_those_with_a_billing_role() {
    let (sim, profile) = customer_agreement(json!({})).await;
    let (account, _) = profile.split_once("/billingProfiles").unwrap();
    let accounts = get(&sim, &billing("/providers/Microsoft.Billing/billingAccounts")).await;
    assert_eq!(accounts["value"][0]["id"], account);
    assert_eq!(accounts["value"][0], get(&sim, &billing(&account.replace(':', "%3A"))).await);
    let body = get(&sim, &billing(&profile)).await;
    assert_eq!(get(&sim, &billing(&format!("{account}/billingProfiles"))).await["value"], json!([body]));
    assert_eq!(body["properties"]["spendingLimit"], "On");
    assert_eq!(body["properties"]["spendingLimitDetails"], sim.billing().await["billingProfileSpendingLimitDetails"]);
    let subscriptions = get(&sim, &billing(&format!("{account}/billingSubscriptions"))).await;
    let properties = &subscriptions["value"][0]["properties"];
    assert_eq!((&properties["skuId"], &properties["subscriptionId"]), (&json!("0001"), &json!(SUB)));
    assert!(properties.get("offerId").is_none());
    assert_eq!(get(&sim, &billing(&format!("{profile}/billingSubscriptions"))).await, subscriptions);
    let one = get(&sim, &billing(&format!("{account}/billingSubscriptions/{SUB}"))).await;
    assert_eq!(one, subscriptions["value"][0]);

    sim.control(Method::POST, &format!("/accounts/{SUB}/spend"), json!({"amount": "200"})).await;
    let reached = get(&sim, &billing(&profile)).await;
    assert_eq!(reached["properties"]["status"], "Disabled");
    assert_eq!(reached["properties"]["statusReasonCode"], "SpendingLimitReached");

    let none = format!("{account}/billingSubscriptions/{KEY}");
    for path in [&profile[..profile.len() - 1], &account[..account.len() - 1], &none] {
        assert_eq!(refusal(sim.read(&billing(path)).send().await.unwrap()).await, (404, "NotFound".into()));
    }
    sim.client(json!({"subscriptions": "*"})).await;
    assert_eq!(get(&sim, &billing("/providers/Microsoft.Billing/billingAccounts")).await, json!({"value": []}));
    let forbidden = (403, "AuthorizationFailed".to_owned());
    for path in [billing(&profile), consumption(&profile, "credits/balanceSummary"), consumption(account, "lots")] {
        assert_eq!(refusal(sim.read(&path).send().await.unwrap()).await, forbidden, "{path}");
    }
}

#[tokio::test]
async fn a_reader_may_lack_the_billing_property() {
    let sim = Sim::with_account(json!({})).await;
    sim.client(json!({"subscriptions": "*", "billingProperty": false})).await;
    let response = sim.read(&billing_path(SUB)).send().await.unwrap();
    assert_eq!(response.status(), 403);
    let body: Value = response.json().await.unwrap();
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("'Microsoft.Billing/billingProperty/read' over scope '/subscriptions/"), "{message}");
    assert_eq!(sim.subscription().await["state"], "Enabled");
}

#[tokio::test]
async fn the_balance_follows_the_credit() {
    let currency = json!({"currency": "EUR", "exchangeRate": "0.9196"});
    let (sim, profile) =
        customer_agreement(json!({"burnPerDay": "4", "balanceLagSeconds": DAY, "billingCurrency": currency})).await;
    let balance = async || get(&sim, &consumption(&profile, "credits/balanceSummary")).await["properties"].clone();
    sim.advance(6 * DAY).await;
    let early = balance().await;
    let left = &early["balanceSummary"]["estimatedBalance"];
    assert_eq!(left["currency"], "USD");
    let value = left["value"].as_f64().unwrap();
    assert!(value <= 180.0 && value > 179.9, "a day behind: {value}");
    assert_eq!(early["balanceSummary"]["currentBalance"]["value"], 200);
    let converted = &early["balanceSummary"]["estimatedBalanceInBillingCurrency"];
    assert_eq!((&converted["currency"], &converted["exchangeRateMonth"]), (&json!("EUR"), &json!(1)));
    assert!(converted["exchangeRate"].as_f64().unwrap() > 0.919 && early["billingCurrency"] == "EUR", "{early}");
    let pending = early["pendingEligibleCharges"]["value"].as_f64().unwrap();
    assert!(pending <= -20.0 && pending > -20.1, "{pending}");
    let lot = get(&sim, &consumption(&profile, "lots")).await["value"][0]["properties"].clone();
    assert_eq!((&lot["status"], &lot["originalAmount"]["value"]), (&json!("Active"), &json!(200)));
    assert_eq!(lot["expirationDate"], "2026-01-31T00:00:00Z");

    sim.advance(29 * DAY).await;
    let late = balance().await;
    assert_eq!(late["balanceSummary"]["estimatedBalance"]["value"], 0);
    assert_eq!(late["expiredCredit"]["value"], 80);
    assert_eq!(get(&sim, &consumption(&profile, "lots")).await["value"][0]["properties"]["status"], "Expired");
    let events =
        get(&sim, &format!("{}&startDate=2026-01-01&endDate=2026-12-31", consumption(&profile, "events"))).await;
    let seen: Vec<_> = events["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["properties"])
        .map(|event| format!("{} {}", event["eventType"].as_str().unwrap(), event["closedBalance"]["value"]))
        .collect();
    assert_eq!(seen, ["NewCredit 200", "SettledCharges 80", "CreditExpired 0"]);
    let dateless = sim.read(&consumption(&profile, "events")).send().await.unwrap();
    assert_eq!(refusal(dateless).await, (400, "BadRequest".into()));
}

#[tokio::test]
async fn the_credit_may_not_be_listed() {
    let (sim, profile) = customer_agreement(json!({"lotsListed": false})).await;
    let response = sim.read(&consumption(&profile, "credits/balanceSummary")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.text().await.unwrap()), (204, String::new()));
    assert_eq!(get(&sim, &consumption(&profile, "lots")).await, json!({"value": []}));
}

#[tokio::test]
async fn one_billing_account_can_pay_for_several_subscriptions() {
    let (sim, profile) = customer_agreement(json!({"billingOwner": KEY})).await;
    let other = "6f1a3c1e-0000-4a00-9000-00000000f7ef";
    sim.account(json!({"subscriptionId": other, "agreement": "MCA", "billingOwner": KEY})).await;
    sim.control(Method::POST, "/settings", json!({"pageSize": 1})).await;
    let (account, _) = profile.split_once("/billingProfiles").unwrap();
    let (account, escaped) = (account.to_owned(), account.replace(':', "%3A"));
    assert_eq!(pages(&sim, &billing("/providers/Microsoft.Billing/billingAccounts")).await.len(), 1);
    for path in [
        billing(&format!("{account}/billingProfiles")),
        billing(&format!("{escaped}/billingSubscriptions")),
        consumption(&escaped, "lots"),
        consumption(&account, "events"),
    ] {
        let pages = pages(&sim, &path).await;
        assert_eq!(pages.len(), 2, "{path}");
        assert_ne!(pages[0]["value"], pages[1]["value"], "{path}");
    }
    sim.fault(json!({"operation": "balanceSummary", "account": SUB, "kind": {"throttle": {"retryAfterSeconds": 7}}}))
        .await;
    let throttled = sim.read(&consumption(&profile, "credits/balanceSummary")).send().await.unwrap();
    assert_eq!(throttled.headers()["x-ms-ratelimit-microsoft.consumption-retry-after"], "7");
    assert_eq!(throttled.status(), 429);
}
