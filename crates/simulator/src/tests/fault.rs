//! Every kind of fault, as a client meets it.

use std::time::{Duration, Instant};

use super::*;

/// Injects a fault once, and reads the subscription.
async fn read_with(sim: &Sim, kind: Value) -> reqwest::Result<Response> {
    sim.fault(json!({"operation": "subscription", "account": SUB.to_uppercase(), "kind": kind, "count": 1})).await;
    sim.read(&subscription_path(SUB)).send().await
}

#[tokio::test]
async fn a_read_can_fail_in_every_way() {
    let sim = Sim::with_account(json!({})).await;
    let begin = Instant::now();
    assert_eq!(read_with(&sim, json!({"latency": {"millis": 200}})).await.unwrap().status(), 200);
    assert!(begin.elapsed() >= Duration::from_millis(200));

    let throttled = read_with(&sim, json!({"throttle": {"retryAfterSeconds": 7}})).await.unwrap();
    assert_eq!(throttled.headers()["retry-after"], "7");
    assert_eq!(throttled.headers()["x-ms-ratelimit-remaining-subscription-reads"], "0");
    assert_eq!(refusal(throttled).await, (429, "SubscriptionRequestsThrottled".into()));

    let dated = json!({"throttle": {"retryAfterSeconds": 7, "retryAfterDate": true}});
    let throttled = read_with(&sim, dated).await.unwrap();
    let date = throttled.headers()["retry-after"].to_str().unwrap();
    let date = jiff::fmt::rfc2822::parse(date).unwrap().timestamp();
    let wait = date.duration_since(Timestamp::now()).as_secs();
    assert!((1..=7).contains(&wait), "by the wall clock: {date}");

    for (status, code) in
        [(500, "InternalServerError"), (502, "BadGateway"), (503, "ServiceUnavailable"), (504, "GatewayTimeout")]
    {
        let failed = read_with(&sim, json!({"status": {"code": status}})).await.unwrap();
        assert_eq!(refusal(failed).await, (status, code.into()));
    }

    assert!(read_with(&sim, json!("cut")).await.unwrap_err().is_request(), "no answer");

    let malformed = read_with(&sim, json!("malformedJson")).await.unwrap();
    assert_eq!(malformed.status(), 200);
    assert!(malformed.json::<Value>().await.unwrap_err().is_decode());

    let marked = read_with(&sim, json!("byteOrderMark")).await.unwrap();
    let body = marked.bytes().await.unwrap();
    let read: Value = serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap()).unwrap();
    assert_eq!(read["subscriptionId"], SUB);

    let headers = json!({"Retry-After": "120.5", "content-type": "application/json"});
    let own = json!({"answer": {"status": 429, "headers": headers, "body": "\"slow down\""}});
    let told = read_with(&sim, own).await.unwrap();
    assert_eq!((told.status().as_u16(), &told.headers()["retry-after"]), (429, &"120.5".parse().unwrap()));
    assert_eq!(told.text().await.unwrap(), "\"slow down\"");

    for (kind, status) in [(json!({"htmlPage": {}}), 200), (json!({"htmlPage": {"status": 502}}), 502)] {
        let page = read_with(&sim, kind).await.unwrap();
        assert_eq!(
            (page.status().as_u16(), &page.headers()["content-type"]),
            (status, &"text/html; charset=utf-8".parse().unwrap())
        );
    }

    let big = read_with(&sim, json!({"oversizedBody": {"bytes": 3_000_000}})).await.unwrap();
    let text = big.text().await.unwrap();
    assert!(text.len() > 2_990_000 && text.len() < 3_000_100, "{}", text.len());
    assert!(serde_json::from_str::<Value>(&text).is_ok());

    let redirect = read_with(&sim, json!({"redirect": {"to": "https://example.com/"}})).await.unwrap();
    assert_eq!(
        (redirect.status().as_u16(), &redirect.headers()["location"]),
        (307, &"https://example.com/".parse().unwrap())
    );

    let missing = read_with(&sim, json!({"missingField": {"name": "subscriptionPolicies.quotaId"}})).await.unwrap();
    let missing: Value = missing.json().await.unwrap();
    assert!(missing["subscriptionPolicies"].get("quotaId").is_none() && missing["state"] == "Enabled", "{missing}");

    let replace = json!({"replaceField": {"path": "subscriptionPolicies.quotaId", "value": "Foo_2031-01-01"}});
    let replaced: Value = read_with(&sim, replace).await.unwrap().json().await.unwrap();
    assert_eq!(replaced["subscriptionPolicies"]["quotaId"], "Foo_2031-01-01");

    assert_eq!(sim.subscription().await["state"], "Enabled", "each fired once");
}

#[tokio::test]
async fn a_stale_read_shows_the_past() {
    let sim = Sim::with_account(json!({"agreement": "MCA"})).await;
    sim.advance(DAY).await;
    sim.control(Method::POST, &format!("/accounts/{SUB}/spend"), json!({"amount": "200"})).await;
    sim.advance(600).await;
    sim.control(Method::POST, &format!("/accounts/{SUB}/portal-upgrade"), Value::Null).await;
    let stale = async |seconds: u32| {
        let body: Value = read_with(&sim, json!({"stale": {"seconds": seconds}})).await.unwrap().json().await.unwrap();
        (
            body["state"].as_str().unwrap().to_owned(),
            body["subscriptionPolicies"]["spendingLimit"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(stale(0).await, ("Enabled".into(), "Off".into()));
    assert_eq!(stale(300).await, ("Disabled".into(), "On".into()));
    assert_eq!(stale(900).await, ("Enabled".into(), "On".into()));
    sim.fault(json!({"operation": "billingProperty", "kind": {"stale": {"seconds": 300}}})).await;
    for _ in 0..2 {
        assert_eq!(sim.billing().await["billingProfileSpendingLimitDetails"][0]["status"], "LimitReached");
    }
    sim.control(Method::DELETE, "/faults", Value::Null).await;
    assert_eq!(sim.billing().await["billingProfileSpendingLimitDetails"][0]["status"], "LimitRemoved");
}

#[tokio::test]
async fn every_operation_can_fail_by_its_name() {
    let sim = Sim::with_account(json!({"agreement": "MCA"})).await;
    sim.client(json!({"subscriptions": "*", "broker": true, "role": "Contributor", "billing": "Reader"})).await;
    let profile = sim.billing().await["billingProfileId"].as_str().unwrap().to_owned();
    let (account, _) = profile.split_once("/billingProfiles").unwrap();
    let operation = sim.upgrade(KEY).send().await.unwrap().json::<Value>().await.unwrap();
    let operation = operation["id"].as_str().unwrap().to_owned();
    let subscription = format!("/subscriptions/{SUB}");
    for (name, method, path) in [
        ("tenantList", Method::GET, "/tenants".to_owned()),
        ("subscriptionList", Method::GET, "/subscriptions".to_owned()),
        ("subscription", Method::GET, subscription.clone()),
        ("cancel", Method::POST, format!("{subscription}/providers/Microsoft.Subscription/cancel")),
        ("rename", Method::POST, format!("{subscription}/providers/Microsoft.Subscription/rename")),
        ("enable", Method::POST, format!("{subscription}/providers/Microsoft.Subscription/enable")),
        ("billingProperty", Method::GET, format!("{subscription}/providers/Microsoft.Billing/billingProperty/default")),
        ("billingAccountList", Method::GET, "/providers/Microsoft.Billing/billingAccounts".to_owned()),
        ("billingAccount", Method::GET, account.to_owned()),
        ("billingProfileList", Method::GET, format!("{account}/billingProfiles")),
        ("billingProfile", Method::GET, profile.clone()),
        ("billingSubscriptionList", Method::GET, format!("{account}/billingSubscriptions")),
        ("billingSubscription", Method::GET, format!("{account}/billingSubscriptions/{SUB}")),
        ("balanceSummary", Method::GET, format!("{profile}/providers/Microsoft.Consumption/credits/balanceSummary")),
        ("lots", Method::GET, format!("{profile}/providers/Microsoft.Consumption/lots")),
        ("events", Method::GET, format!("{account}/providers/Microsoft.Consumption/events")),
        ("operationStatus", Method::GET, format!("/broker{operation}")),
        ("other", Method::GET, format!("{subscription}/providers/Microsoft.Web/sites")),
    ] {
        sim.fault(json!({"operation": name, "kind": {"status": {"code": 503}}, "count": 1})).await;
        let response = sim.request(method, &path).bearer_auth(&sim.arm).send().await.unwrap();
        assert_eq!(response.status(), 503, "{name}");
        let log = sim.control(Method::GET, "/requests", Value::Null).await;
        let last = log.as_array().unwrap().last().unwrap();
        assert_eq!(last["operation"], name);
        let of_account = !["tenantList", "subscriptionList", "billingAccountList"].contains(&name);
        assert_eq!(last["account"].as_str(), of_account.then_some(SUB), "{name}");
    }
}

#[tokio::test]
async fn billing_can_be_behind_too() {
    let sim = Sim::with_account(json!({"agreement": "MCA"})).await;
    sim.client(json!({"subscriptions": "*", "billing": "Reader"})).await;
    let profile = sim.billing().await["billingProfileId"].as_str().unwrap().to_owned();
    let balance = format!("{profile}/providers/Microsoft.Consumption/credits/balanceSummary?api-version=2024-08-01");
    sim.advance(DAY).await;
    sim.control(Method::POST, &format!("/accounts/{SUB}/spend"), json!({"amount": "150"})).await;
    let left = async || {
        let body: Value = sim.read(&balance).send().await.unwrap().json().await.unwrap();
        body["properties"]["balanceSummary"]["estimatedBalance"]["value"].clone()
    };
    sim.fault(json!({"operation": "balanceSummary", "kind": {"stale": {"seconds": 3600}}, "count": 1})).await;
    assert_eq!((left().await, left().await), (json!(200), json!(50)));
    sim.control(Method::POST, &format!("/accounts/{SUB}/cancel"), Value::Null).await;
    sim.fault(json!({"operation": "subscriptionList", "kind": {"stale": {"seconds": 3600}}, "count": 1})).await;
    let list = async || {
        let body: Value = sim.read("/subscriptions?api-version=2022-12-01").send().await.unwrap().json().await.unwrap();
        body["value"][0]["state"].clone()
    };
    assert_eq!((list().await, list().await), (json!("Enabled"), json!("Disabled")));
}

#[tokio::test]
async fn an_upgrade_can_be_applied_and_the_answer_lost() {
    let sim = Sim::with_account(json!({})).await;
    sim.fault(json!({"operation": "*", "kind": "cut", "count": 1, "account": TENANT})).await;
    sim.fault(json!({"operation": "*", "kind": "appliedAnswerLost", "count": 1})).await;
    assert_eq!(sim.subscription().await["state"], "Enabled", "it is for upgrades");
    sim.upgrade(KEY).send().await.unwrap_err();
    assert_eq!(sim.subscription().await["subscriptionPolicies"]["spendingLimit"], "Off");
    assert_eq!(sim.upgrade(KEY).send().await.unwrap().status(), 202);
    assert_eq!(sim.ledger().await.len(), 1);
}

#[tokio::test]
async fn an_upgrade_can_be_applied_late() {
    let sim = Sim::with_account(json!({})).await;
    let late = |kind: Value| json!({"operation": "upgrade", "kind": {"appliedLate": kind}, "count": 1});
    sim.fault(late(json!({"millis": 3_600_000}))).await;
    assert_eq!(refusal(sim.upgrade(KEY).send().await.unwrap()).await, (504, "GatewayTimeout".into()));
    assert!(sim.ledger().await.is_empty());
    sim.fault(late(json!({"millis": 50, "answer": "cut"}))).await;
    sim.upgrade(KEY).send().await.unwrap_err();
    upgraded(&sim).await;
    assert_eq!(sim.upgrade(KEY).send().await.unwrap().status(), 202);
}

#[tokio::test]
async fn a_client_that_gives_up_does_not_undo_an_upgrade() {
    let sim = Sim::with_account(json!({})).await;
    sim.fault(json!({"operation": "upgrade", "kind": {"latency": {"millis": 3_600_000}}, "count": 1})).await;
    let call = tokio::spawn(sim.upgrade(KEY).send());
    upgraded(&sim).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled(), "it had no answer");
    assert_eq!(sim.upgrade(KEY).send().await.unwrap().status(), 202);
    assert_eq!(sim.ledger().await.len(), 1);
}

/// Returns when an upgrade was applied.
async fn upgraded(sim: &Sim) {
    let applied = async {
        while sim.ledger().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), applied).await.unwrap();
}

#[tokio::test]
async fn the_token_endpoint_fails_too() {
    let sim = Sim::start().await;
    sim.fault(json!({"operation": "token", "kind": {"status": {"code": 503}}, "count": 1})).await;
    assert_eq!(sim.ask_token(TENANT, &[]).await.status(), 503);
    assert_eq!(sim.ask_token(TENANT, &[]).await.status(), 200);
}
