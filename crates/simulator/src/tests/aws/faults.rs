//! Faults as clients of AWS meet them.

use std::time::Duration;

use super::*;

async fn with_fault(sim: &Sim, operation: &str, kind: Value, ask: Ask) -> reqwest::Result<Answer> {
    sim.fault(json!({"operation": operation, "account": ID, "kind": kind, "count": 1})).await;
    sim.send(&user(), &ask).await
}

#[tokio::test]
async fn every_operation_fails_in_the_shape_of_its_protocol() {
    let sim = Sim::aws(json!({})).await;
    sim.role(json!({"trust": {"principals": [USER]}})).await;
    let credits = || Ask::credits(&json!({"accountId": ID, "startDate": 1_767_225_600}));
    for (name, ask, internal, throttled) in [
        ("getAccountPlanState", Ask::plan_state(), "InternalServerException", (400, "ThrottlingException")),
        ("upgradeAccountPlan", Ask::upgrade(), "InternalServerException", (400, "ThrottlingException")),
        ("getCredits", credits(), "InternalServerException", (400, "ThrottlingException")),
        ("getAccountInformation", Ask::information(), "InternalServerException", (429, "TooManyRequestsException")),
        ("getCallerIdentity", Ask::identity(), "InternalFailure", (400, "Throttling")),
        ("assumeRole", Ask::assume(ROLE, &[]), "InternalFailure", (400, "Throttling")),
    ] {
        let failed = with_fault(&sim, name, json!({"status": {"code": 500}}), ask.clone()).await.unwrap();
        failed.assert_error(500, internal, "An internal error has occurred.");
        let kind = json!({"throttle": {"retryAfterSeconds": 7}});
        let answer = with_fault(&sim, name, kind, ask.clone()).await.unwrap();
        answer.assert_error(throttled.0, throttled.1, "Rate exceeded");
        assert!(!answer.headers.contains_key("retry-after"), "AWS does not tell");
        assert_eq!(sim.ask(ask).await.status, 200, "{name}");
        let log = sim.control(Method::GET, &format!("/requests?account={ID}"), Value::Null).await;
        let last = log.as_array().unwrap().last().unwrap();
        assert_eq!((&last["operation"], &last["method"], &last["status"]), (&json!(name), &json!("POST"), &json!(200)));
    }
    let unavailable = with_fault(&sim, "*", json!({"status": {"code": 503}}), Ask::plan_state()).await.unwrap();
    unavailable.assert_error(503, "ServiceUnavailableException", "unavailable");
    assert_eq!(sim.ledger().await.len(), 1);
}

#[tokio::test]
async fn answers_can_be_spoilt() {
    let sim = Sim::aws(json!({})).await;
    let spoilt = async |kind: Value, ask: Ask| with_fault(&sim, "*", kind, ask).await.unwrap();
    let half = spoilt(json!("malformedJson"), Ask::plan_state()).await;
    assert!(serde_json::from_str::<Value>(&half.text).is_err(), "{}", half.text);
    let half = spoilt(json!("malformedJson"), Ask::identity()).await;
    assert!(half.status == 200 && !half.text.contains("</GetCallerIdentityResponse>"), "{}", half.text);
    let missing = spoilt(json!({"missingField": {"name": "accountId"}}), Ask::plan_state()).await;
    assert!(missing.good().get("accountId").is_none());
    let unit = json!({"replaceField": {"path": "accountPlanRemainingCredits.unit", "value": "EUR"}});
    assert_eq!(spoilt(unit, Ask::plan_state()).await.good()["accountPlanRemainingCredits"]["unit"], "EUR");
    let twice = json!({"repeatField": {"path": "accountPlanRemainingCredits.amount", "value": 0}});
    let twice = spoilt(twice, Ask::plan_state()).await;
    assert!(twice.text.contains(r#""amount":100.0,"amount":0"#), "{}", twice.text);
    let page = spoilt(json!({"htmlPage": {"status": 502}}), Ask::upgrade()).await;
    assert_eq!((page.status, page.text.starts_with("<!DOCTYPE html>")), (502, true));
    let away = spoilt(json!({"redirect": {"to": "https://example.com/"}}), Ask::identity()).await;
    assert_eq!((away.status, &away.headers["location"]), (307, &"https://example.com/".parse().unwrap()));
    assert!(spoilt(json!({"oversizedBody": {"bytes": 100_000}}), Ask::plan_state()).await.text.len() > 90_000);
    assert!(with_fault(&sim, "*", json!("cut"), Ask::plan_state()).await.unwrap_err().is_request());
    assert!(sim.ledger().await.is_empty());

    let fault = json!({"operation": "getCallerIdentity", "kind": {"missingField": {"name": "Account"}}});
    assert_eq!(sim.control_raw(Method::POST, "/faults", fault).await.status(), 400, "that is XML");
    sim.fault(json!({"operation": "*", "kind": {"missingField": {"name": "accountId"}}, "count": 1})).await;
    assert_eq!(sim.ask(Ask::identity()).await.status, 200);
    assert!(sim.plan().await.get("accountId").is_none(), "it waited for JSON");
}

#[tokio::test]
async fn an_upgrade_can_be_applied_and_the_answer_lost() {
    let sim = Sim::aws(json!({})).await;
    with_fault(&sim, "*", json!("appliedAnswerLost"), Ask::upgrade()).await.unwrap_err();
    assert_eq!(sim.plan().await["accountPlanType"], "PAID");
    sim.ask(Ask::upgrade()).await.good();
    assert_eq!(sim.ledger().await.len(), 1);
}

#[tokio::test]
async fn an_upgrade_can_be_applied_late() {
    let sim = Sim::aws(json!({})).await;
    let late = |kind: Value| json!({"appliedLate": kind});
    let never =
        with_fault(&sim, "upgradeAccountPlan", late(json!({"millis": 3_600_000})), Ask::upgrade()).await.unwrap();
    never.assert_error(504, "InternalServerException", "timed out");
    assert!(sim.ledger().await.is_empty());
    let soon = late(json!({"millis": 50, "answer": "cut"}));
    with_fault(&sim, "upgradeAccountPlan", soon, Ask::upgrade()).await.unwrap_err();
    let applied = async {
        while sim.ledger().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), applied).await.unwrap();
    assert_eq!(sim.plan().await["accountPlanType"], "PAID");
}

#[tokio::test]
async fn a_stale_read_shows_the_past() {
    let sim = Sim::aws(json!({"startTime": "2026-01-01T00:00:00Z"})).await;
    sim.advance(DAY).await;
    sim.to_account("spend", json!({"amount": "100"})).await;
    sim.advance(600).await;
    sim.ask(Ask::upgrade()).await.good();
    let stale = |seconds: u32| json!({"stale": {"seconds": seconds}});
    let plan = async |seconds: u32| {
        let body = with_fault(&sim, "*", stale(seconds), Ask::plan_state()).await.unwrap().good();
        format!(
            "{} {} {}",
            body["accountPlanType"].as_str().unwrap(),
            body["accountPlanStatus"].as_str().unwrap(),
            body["accountPlanRemainingCredits"]["amount"]
        )
    };
    assert_eq!(plan(0).await, "PAID ACTIVE 0.0");
    assert_eq!(plan(300).await, "FREE EXPIRED 0.0");
    assert_eq!(plan(900).await, "FREE ACTIVE 100.0");
    let information = with_fault(&sim, "getAccountInformation", stale(300), Ask::information()).await.unwrap();
    assert_eq!(information.good()["AccountState"], "CLOSED");
    let credits = Ask::credits(&json!({"accountId": ID, "startDate": 1_767_225_600}));
    let body = with_fault(&sim, "getCredits", stale(900), credits).await.unwrap().good();
    assert_eq!(body["credits"][0]["estimatedAmount"]["currencyAmount"], "100.00");
    sim.fault(json!({"operation": "*", "kind": stale(900)})).await;
    assert_eq!(sim.ask(Ask::identity()).await.status, 200, "it is for reads of accounts");
}
