//! The control API: truth, logs, the clock, and what it refuses.

use super::*;

#[tokio::test]
async fn it_tells_the_truth() {
    let sim = Sim::start().await;
    let made = sim.account(json!({"burnPerDay": "5", "startTime": "2025-12-22T00:00:00Z"})).await;
    assert_eq!((&made["stage"], &made["offer"]), (&json!("TrialActive"), &json!("FreeTrial")));
    assert!(made["creditLeft"].as_str().unwrap().starts_with("149.99") || made["creditLeft"] == "150.0000", "{made}");
    assert_eq!(made["periodEnd"], "2026-01-21T00:00:00Z");
    assert_eq!(made["quotaId"], "FreeTrial_2014-09-01", "what Resource Manager shows");
    let path = format!("/accounts/{}", SUB.to_uppercase());
    let patched = sim.control(Method::PATCH, &path, json!({"displayName": "Sandbox"})).await;
    assert_eq!(patched["displayName"], "Sandbox");
    assert_eq!(sim.subscription().await["displayName"], "Sandbox");
    sim.control(Method::POST, &format!("{path}/portal-upgrade"), Value::Null).await;
    let truth = sim.control(Method::GET, &path, Value::Null).await;
    assert_eq!((&truth["stage"], &truth["upgradedBy"]), (&json!("UpgradePending"), &json!({"person": true})));
    let patched = sim.control(Method::PATCH, &path, json!({"quotaId": "Sponsored_2016-01-01"})).await;
    assert_eq!(patched["quotaId"], "Sponsored_2016-01-01");
    sim.control(Method::DELETE, &path, Value::Null).await;
    assert_eq!(sim.control_raw(Method::GET, &path, Value::Null).await.status(), 404);
    sim.account(json!({})).await;
    assert_eq!(sim.upgrade(KEY).send().await.unwrap().status(), 202, "the account is a new one");
    assert_eq!(sim.ledger().await.len(), 2);
}

#[tokio::test]
async fn a_deleted_account_takes_its_keys_along() {
    let sim = Sim::with_account(json!({})).await;
    sim.upgrade(KEY).send().await.unwrap();
    sim.control(Method::DELETE, &format!("/accounts/{SUB}"), Value::Null).await;
    sim.account(json!({})).await;
    assert_eq!(sim.upgrade(KEY).send().await.unwrap().status(), 202);
    assert_eq!(sim.ledger().await.len(), 2);
}

#[tokio::test]
async fn it_logs_every_request() {
    let sim = Sim::with_account(json!({})).await;
    sim.subscription().await;
    sim.fault(json!({"operation": "upgrade", "kind": "cut", "count": 1})).await;
    sim.upgrade(KEY).send().await.unwrap_err();
    sim.upgrade(KEY).send().await.unwrap();
    let log = sim.control(Method::GET, &format!("/requests?account={}", SUB.to_uppercase()), Value::Null).await;
    let seen: Vec<_> =
        log.as_array().unwrap().iter().map(|r| (&r["operation"], &r["status"], &r["idempotencyKey"])).collect();
    let (read, upgrade, key, cut) = (json!("subscription"), json!("upgrade"), json!(KEY), Value::Null);
    assert_eq!(seen, [(&read, &json!(200), &cut), (&upgrade, &cut, &key), (&upgrade, &json!(202), &key)]);
    assert_eq!((&log[0]["method"], &log[0]["account"]), (&json!("GET"), &json!(SUB)));
    let upgrades = sim.control(Method::GET, "/requests?operation=upgrade", Value::Null).await;
    assert_eq!(upgrades.as_array().unwrap()[..], log.as_array().unwrap()[1..]);
    let all = sim.control(Method::GET, "/requests", Value::Null).await;
    assert_eq!(all.as_array().unwrap().len(), 5, "two tokens and the above: {all}");
}

#[tokio::test]
async fn the_clock_can_be_moved() {
    let sim = Sim::start().await;
    let clock = sim.control(Method::POST, "/clock", json!({"advanceSeconds": DAY, "rate": 3600})).await;
    assert_eq!(clock["rate"], 3600);
    assert!(clock["billingTime"].as_str().unwrap().starts_with("2026-01-02T00:0"), "{clock}");
    assert!(sim.control(Method::GET, "/clock", Value::Null).await["wallTime"].is_string());
}

#[tokio::test]
async fn mistakes_are_told() {
    let sim = Sim::with_account(json!({})).await;
    let missing = format!("/accounts/{KEY}");
    let account = format!("/accounts/{SUB}");
    let ids = json!({"subscriptionId": SUB, "tenantId": TENANT});
    let client = |subscriptions| json!({"tenantId": TENANT, "clientId": CLIENT, "clientSecret": "s", "subscriptions": subscriptions});
    for (method, path, body, status) in [
        (Method::POST, "/accounts", ids, 409),
        (Method::POST, "/accounts", json!({"subscriptionId": "x", "tenantId": TENANT}), 400),
        (Method::POST, "/accounts", json!({"subscriptionId": KEY}), 400),
        (Method::GET, missing.as_str(), Value::Null, 404),
        (Method::PATCH, missing.as_str(), json!({}), 404),
        (Method::DELETE, missing.as_str(), Value::Null, 404),
        (Method::PATCH, account.as_str(), json!({"subscriptionId": KEY}), 400),
        (Method::POST, &format!("{account}/spend"), json!({"amount": "0"}), 400),
        (Method::POST, &format!("{missing}/cancel"), Value::Null, 404),
        (Method::POST, &format!("{missing}/portal-upgrade"), Value::Null, 404),
        (Method::POST, "/clients", client(json!("all")), 400),
        (Method::POST, "/clients", client(json!(["x"])), 400),
        (Method::DELETE, &format!("/clients/{KEY}"), Value::Null, 404),
        (Method::POST, "/clock", json!({"rate": 0}), 400),
        (Method::POST, "/faults", json!({"operation": "*", "kind": {"status": {"code": 1}}}), 400),
        (Method::GET, "/nothing", Value::Null, 404),
    ] {
        let response = sim.control_raw(method.clone(), path, body.clone()).await;
        assert_eq!(response.status(), status, "{method} {path} {body}");
        assert!(response.json::<Value>().await.unwrap()["error"].is_string());
    }
    sim.control(Method::POST, &format!("{account}/cancel"), Value::Null).await;
    for path in ["spend", "cancel", "portal-upgrade"] {
        let body = if path == "spend" { json!({"amount": "1"}) } else { Value::Null };
        assert_eq!(sim.control_raw(Method::POST, &format!("{account}/{path}"), body).await.status(), 409, "{path}");
    }
}
