//! Account Management.

use super::*;

#[tokio::test]
async fn it_tells_whether_an_account_is_open() {
    let sim = Sim::aws(json!({"displayName": "Sandbox", "startTime": "2025-12-24T17:57:11.079Z"})).await;
    let answer = sim.ask(Ask::information()).await;
    assert_eq!(answer.headers["content-type"], "application/json");
    let open = json!({
        "AccountId": ID, "AccountName": "Sandbox", "AccountCreatedDate": "2025-12-24T17:57:11.079Z",
        "AccountState": "ACTIVE",
    });
    assert_eq!(answer.good(), open);
    sim.to_account("cancel", Value::Null).await;
    assert_eq!(sim.ask(Ask::information()).await.good(), with(open, &json!({"AccountState": "CLOSED"})));
    assert_eq!(sim.plan().await["accountPlanStatus"], "ACTIVE", "the plan goes on");
    sim.ask(Ask::upgrade()).await.assert_error(400, "ValidationException", "closed");
    sim.advance(90 * DAY).await;
    sim.ask(Ask::information()).await.assert_error(403, "UnrecognizedClientException", "invalid");
}

#[tokio::test]
async fn it_tells_nothing_of_other_accounts() {
    let sim = Sim::aws(json!({})).await;
    let other = |id: &str| Ask { body: json!({"AccountId": id}).to_string(), ..Ask::information() };
    for id in [ID, OTHER] {
        sim.ask(other(id)).await.assert_error(403, "AccessDeniedException", "account:GetAccountInformation");
    }
    let wrong = sim.ask(other("12")).await;
    wrong.assert_error(400, "ValidationException", "twelve digits");
    assert_eq!(wrong.json()["reason"], "fieldValidationFailed");
    let empty = Ask { body: String::new(), ..Ask::information() };
    sim.ask(empty).await.good();
    let broken = Ask { body: "{".into(), ..Ask::information() };
    sim.ask(broken).await.assert_error(400, "SerializationException", "not what the operation takes");
}
