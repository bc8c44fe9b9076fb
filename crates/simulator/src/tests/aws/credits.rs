//! The Billing API.

use super::*;

/// 2026-01-01T00:00:00Z
const NEW_YEAR: i64 = 1_767_225_600;

fn of(start: i64) -> Ask {
    Ask::credits(&json!({"accountId": ID, "startDate": start}))
}

async fn credit(sim: &Sim) -> Value {
    let body = sim.ask(of(NEW_YEAR)).await.good();
    assert_eq!(body["credits"].as_array().unwrap().len(), 1, "{body}");
    body["credits"][0].clone()
}

#[tokio::test]
async fn it_tells_what_was_granted_and_what_is_left() {
    let sim = Sim::aws(json!({"burnPerDay": "2", "startTime": "2025-12-22T00:00:00Z", "upgradeBonus": "20"})).await;
    let dollars = |amount: &str| json!({"currencyCode": "USD", "currencyAmount": amount});
    let new = credit(&sim).await;
    assert_eq!(new["initialAmount"], dollars("100.00"));
    assert_eq!((&new["remainingAmount"], &new["estimatedAmount"]), (&dollars("80.00"), &dollars("80.00")));
    assert_eq!((&new["startDate"], &new["endDate"]), (&json!(NEW_YEAR - 10 * 86_400), &json!(1_797_897_600)));
    assert_eq!((&new["accountId"], &new["creditStatus"]), (&json!(ID), &json!("ENABLED")));
    assert!(new["creditId"].as_str().unwrap().bytes().all(|c| c.is_ascii_digit()));
    assert!(new.get("exhaustDate").is_none());

    sim.advance(10 * DAY).await;
    let later = credit(&sim).await;
    assert_eq!((&later["remainingAmount"], &later["estimatedAmount"]), (&dollars("80.00"), &dollars("60.00")));
    sim.advance(30 * DAY).await;
    let spent = credit(&sim).await;
    assert_eq!((&spent["remainingAmount"], &spent["estimatedAmount"]), (&dollars("18.00"), &dollars("0.00")));
    let day = spent["exhaustDate"].as_i64().unwrap();
    assert!((day - (NEW_YEAR + 40 * 86_400)).abs() < 60, "{day}");

    sim.ask(Ask::upgrade()).await.good();
    let more = credit(&sim).await;
    assert_eq!((&more["initialAmount"], &more["estimatedAmount"]), (&dollars("120.00"), &dollars("20.00")));
    assert!(more.get("exhaustDate").is_none());
}

#[tokio::test]
async fn it_lists_what_the_period_has() {
    let sim = Sim::aws(json!({"startTime": "2025-12-22T00:00:00Z"})).await;
    let period = |start: i64, end: i64| Ask::credits(&json!({"accountId": ID, "startDate": start, "endDate": end}));
    let listed = async |ask: Ask| sim.ask(ask).await.good()["credits"].as_array().unwrap().len();
    assert_eq!(listed(period(NEW_YEAR - 20 * 86_400, NEW_YEAR - 15 * 86_400)).await, 0, "before there was one");
    assert_eq!(listed(period(NEW_YEAR - 20 * 86_400, NEW_YEAR)).await, 1);
    let path = format!("/accounts/{ID}");
    sim.control(Method::PATCH, &path, json!({"creditsListed": false})).await;
    assert_eq!(listed(of(NEW_YEAR)).await, 0);
    sim.control(Method::PATCH, &path, json!({"creditsListed": true, "credit": null})).await;
    assert_eq!(listed(of(NEW_YEAR)).await, 0);
}

#[tokio::test]
async fn it_wants_an_account_and_a_period() {
    let sim = Sim::aws(json!({})).await;
    for (fields, field) in [
        (json!({}), "accountId"),
        (json!({"accountId": "1", "startDate": NEW_YEAR}), "accountId"),
        (json!({"accountId": ID}), "startDate"),
        (json!({"accountId": ID, "startDate": NEW_YEAR + 86_400}), "startDate"),
        (json!({"accountId": ID, "startDate": NEW_YEAR - 367 * 86_400}), "startDate"),
        (json!({"accountId": ID, "startDate": NEW_YEAR, "endDate": NEW_YEAR + 86_400}), "endDate"),
        (json!({"accountId": ID, "startDate": NEW_YEAR, "endDate": NEW_YEAR - 1}), "endDate"),
    ] {
        let answer = sim.ask(Ask::credits(&fields)).await;
        answer.assert_error(400, "ValidationException", field);
        let body = answer.json();
        assert_eq!((&body["reason"], &body["fieldList"][0]["name"]), (&json!("fieldValidationFailed"), &json!(field)));
        assert_eq!(body["__type"], "com.amazonaws.billing#ValidationException");
    }
    let other = Ask::credits(&json!({"accountId": OTHER, "startDate": NEW_YEAR}));
    sim.ask(other).await.assert_error(400, "AccessDeniedException", "billing:GetCredits");
}
