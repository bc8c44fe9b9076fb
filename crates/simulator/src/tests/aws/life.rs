//! An account's life over the wire.

use super::*;

#[tokio::test]
async fn a_free_plan_is_used_up_and_upgraded() {
    let sim = Sim::aws(json!({"burnPerDay": "10", "startTime": "2026-01-01T00:00:00Z"})).await;
    let active = json!({
        "accountId": ID, "accountPlanType": "FREE", "accountPlanStatus": "ACTIVE",
        "accountPlanRemainingCredits": {"amount": 100.0, "unit": "USD"},
        "accountPlanExpirationDate": "2026-07-01T00:00:00.000Z",
    });
    assert_eq!(sim.plan().await, active);

    sim.advance(10 * DAY).await;
    let expired = sim.plan().await;
    let members = json!({
        "accountPlanStatus": "EXPIRED", "accountPlanRemainingCredits": {"amount": 0.0, "unit": "USD"},
    });
    assert_eq!(expired, with(active, &members));
    assert_eq!(sim.ask(Ask::information()).await.good()["AccountState"], "CLOSED");
    assert_eq!(sim.truth().await["stage"], "Expired");

    let upgraded = sim.ask(Ask::upgrade()).await;
    assert_eq!(upgraded.headers["content-type"], "application/x-amz-json-1.0");
    let paid = json!({"accountId": ID, "accountPlanType": "PAID", "accountPlanStatus": "ACTIVE"});
    assert_eq!(upgraded.good(), paid);
    let seen = with(paid.clone(), &json!({"accountPlanRemainingCredits": {"amount": 0.0, "unit": "USD"}}));
    assert_eq!(sim.plan().await, seen, "no date any more");
    assert_eq!(sim.ask(Ask::information()).await.good()["AccountState"], "ACTIVE");

    assert_eq!(sim.ask(Ask::upgrade()).await.good(), paid, "it is wished for, and so already");
    let ledger = sim.ledger().await;
    assert_eq!(ledger.len(), 1);
    assert_eq!((&ledger[0]["account"], &ledger[0]["by"]), (&json!(ID), &json!({"caller": USER})));
    assert!(ledger[0]["billingTime"].as_str().unwrap().starts_with("2026-01-11T00:0"), "{ledger:?}");
    let truth = sim.truth().await;
    assert_eq!((&truth["stage"], &truth["upgradedBy"]), (&json!("Converted"), &json!({"caller": USER})));
}

#[tokio::test]
async fn an_upgrade_shows_late_if_so_declared() {
    let sim = Sim::aws(json!({"upgradeSeconds": 600})).await;
    assert_eq!(sim.ask(Ask::upgrade()).await.good()["accountPlanType"], "PAID");
    let pending = sim.plan().await;
    assert_eq!((&pending["accountPlanType"], &pending["accountPlanStatus"]), (&json!("FREE"), &json!("ACTIVE")));
    assert_eq!(sim.truth().await["stage"], "UpgradePending");
    sim.ask(Ask::upgrade()).await.good();
    sim.advance(600).await;
    assert_eq!(sim.plan().await["accountPlanType"], "PAID");
    assert_eq!(sim.ledger().await.len(), 1);
}

#[tokio::test]
async fn an_upgrade_answers_the_status_that_the_plan_has() {
    let answered = async |account: Value, advance: u32| {
        let sim = Sim::aws(account).await;
        sim.advance(advance).await;
        let answer = sim.ask(Ask::upgrade()).await.good();
        assert_eq!((&answer["accountId"], &answer["accountPlanType"]), (&json!(ID), &json!("PAID")));
        let status = answer["accountPlanStatus"].as_str().unwrap().to_owned();
        assert_eq!(sim.plan().await["accountPlanStatus"], status);
        status
    };
    assert_eq!(answered(json!({}), 0).await, "ACTIVE");
    assert_eq!(answered(json!({"plan": "Paid"}), 0).await, "ACTIVE");
    let expired = json!({"burnPerDay": "100", "upgradeSeconds": 600});
    assert_eq!(answered(expired, 2 * DAY).await, "EXPIRED", "until the upgrade shows");
    assert_eq!(answered(json!({"burnPerDay": "100"}), 2 * DAY).await, "ACTIVE", "it shows at once");
    let early = json!({"startTime": "2026-02-01T00:00:00Z", "upgradeSeconds": 600});
    assert_eq!(answered(early, 0).await, "NOT_STARTED");
}

#[tokio::test]
async fn an_account_without_a_record_has_no_plan() {
    let sim = Sim::aws(json!({"plan": "None"})).await;
    for ask in [Ask::plan_state(), Ask::upgrade()] {
        let answer = sim.ask(ask).await;
        answer.assert_error(400, "ResourceNotFoundException", &format!("Missing data for account: {ID}"));
        assert_eq!(answer.json()["__type"], "com.amazonaws.freetier#ResourceNotFoundException");
    }
    assert_eq!(sim.truth().await["planType"], Value::Null);
    assert!(sim.ledger().await.is_empty());
}

#[tokio::test]
async fn other_accounts() {
    let sim = Sim::aws(json!({"plan": "Paid", "credit": null})).await;
    let expected = json!({"accountId": ID, "accountPlanType": "PAID", "accountPlanStatus": "ACTIVE"});
    assert_eq!(sim.plan().await, expected, "no credit, no figure");
    sim.ask(Ask::upgrade()).await.good();
    assert!(sim.ledger().await.is_empty(), "there was nothing to do");

    let sim = Sim::aws(json!({"startTime": "2026-02-01T00:00:00Z"})).await;
    assert_eq!(sim.plan().await["accountPlanStatus"], "NOT_STARTED");
}

#[tokio::test]
async fn the_figures_can_be_behind() {
    let sim = Sim::aws(json!({"creditLagSeconds": DAY})).await;
    sim.advance(2 * DAY).await;
    sim.to_account("spend", json!({"amount": "12.345"})).await;
    let left = async || sim.plan().await["accountPlanRemainingCredits"]["amount"].clone();
    assert_eq!(left().await, json!(100.0));
    sim.advance(DAY).await;
    assert_eq!(left().await, json!(87.66), "to the cent");
    assert_eq!(sim.truth().await["creditLeft"], "87.655");
}

#[tokio::test]
async fn an_upgrade_that_is_refused_is_not_applied() {
    let sim =
        Sim::aws(json!({"rejectUpgrade": {"code": "ValidationException", "message": "No payment method."}})).await;
    sim.ask(Ask::upgrade()).await.assert_error(400, "ValidationException", "No payment method.");
    assert!(sim.ledger().await.is_empty());
    assert_eq!(sim.plan().await["accountPlanType"], "FREE");
    let path = format!("/accounts/{ID}");
    sim.control(Method::PATCH, &path, json!({"rejectUpgrade": null})).await;
    for (plan, says) in [("FREE", "only be upgraded"), ("GOLD", "enum value set")] {
        let ask = Ask::json("freetier", "AWSFreeTierService.UpgradeAccountPlan", &json!({"accountPlanType": plan}));
        sim.ask(ask).await.assert_error(400, "ValidationException", says);
    }
    let ask = Ask::json("freetier", "AWSFreeTierService.UpgradeAccountPlan", &json!({}));
    sim.ask(ask).await.assert_error(400, "ValidationException", "must not be null");
    sim.ask(Ask::upgrade()).await.good();
}

#[tokio::test]
async fn an_account_that_is_gone_has_no_principals() {
    let sim = Sim::aws(json!({"graceDays": 1})).await;
    sim.role(json!({"trust": {"principals": ["*"]}})).await;
    let session = sim.ask(Ask::assume(ROLE, &[])).await.keys();
    sim.aws_account(json!({"accountId": OTHER})).await;
    let other = json!({"accountId": OTHER, "accessKeyId": "AKIAOTHEROTHEROTHER2", "allow": ["*"]});
    sim.user(other).await;
    let other = Keys { id: "AKIAOTHEROTHEROTHER2".into(), ..user() };
    sim.send(&other, &Ask::assume(ROLE, &[])).await.unwrap().keys();

    sim.to_account("spend", json!({"amount": "100"})).await;
    sim.plan().await;
    sim.advance(DAY).await;
    assert_eq!(sim.truth().await["stage"], "Gone");
    for keys in [user(), session] {
        let answer = sim.send(&keys, &Ask::plan_state()).await.unwrap();
        answer.assert_error(
            400,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        );
        sim.send(&keys, &Ask::identity()).await.unwrap().assert_error(403, "InvalidClientTokenId", "invalid");
    }
    sim.send(&other, &Ask::assume(ROLE, &[])).await.unwrap().assert_error(403, "AccessDenied", "sts:AssumeRole");
}

#[tokio::test]
async fn people_close_and_upgrade_accounts() {
    let sim = Sim::aws(json!({})).await;
    let upgraded = sim.to_account("portal-upgrade", Value::Null).await;
    assert_eq!((&upgraded["stage"], &upgraded["upgradedBy"]), (&json!("Converted"), &json!({"person": true})));
    assert_eq!(sim.ledger().await[0]["by"], json!({"person": true}));
    sim.aws_account(json!({"accountId": OTHER})).await;
    let path = format!("/accounts/{OTHER}");
    let closed = sim.control(Method::POST, &format!("{path}/cancel"), Value::Null).await;
    assert_eq!((&closed["stage"], &closed["accountState"]), (&json!("Closed"), &json!("CLOSED")));
    for (method, path, body, status) in [
        (Method::POST, format!("/accounts/{ID}/portal-upgrade"), Value::Null, 409),
        (Method::POST, format!("{path}/portal-upgrade"), Value::Null, 409),
        (Method::POST, format!("{path}/cancel"), Value::Null, 409),
        (Method::POST, format!("{path}/spend"), json!({"amount": "1"}), 409),
        (Method::POST, format!("{path}/leave-unpaid"), Value::Null, 409),
        (Method::POST, "/accounts".into(), json!({"accountId": ID}), 409),
        (Method::POST, "/accounts".into(), json!({"accountId": "1"}), 400),
        (Method::PATCH, path.clone(), json!({"accountId": ID}), 400),
        (Method::PATCH, path.clone(), json!({"planMonths": "x"}), 400),
        (Method::GET, "/accounts/000000000000".into(), Value::Null, 404),
    ] {
        let response = sim.control_raw(method.clone(), &path, body.clone()).await;
        assert_eq!(response.status(), status, "{method} {path} {body}");
        assert!(response.json::<Value>().await.unwrap()["error"].is_string());
    }
    sim.control(Method::DELETE, &path, Value::Null).await;
    assert_eq!(sim.control_raw(Method::GET, &path, Value::Null).await.status(), 404);
}
