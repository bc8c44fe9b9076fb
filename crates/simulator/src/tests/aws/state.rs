//! All of AWS is in the saved state.

use super::*;

#[tokio::test]
async fn another_simulator_goes_on_from_a_saved_state() {
    let sim = Sim::aws(json!({"burnPerDay": "1"})).await;
    sim.role(json!({"trust": {"principals": [USER], "externalId": "x1"}})).await;
    sim.control(Method::POST, "/clients", json!({"podIdentity": {"token": "t", "roleArn": ROLE}})).await;
    let session = sim.ask(Ask::assume(ROLE, &[("ExternalId", "x1")])).await.keys();
    sim.advance(DAY).await;
    sim.send(&session, &Ask::upgrade()).await.unwrap().good();
    sim.fault(json!({"operation": "getCredits", "kind": "cut", "count": 3})).await;
    let saved = sim.control(Method::GET, "/state", Value::Null).await;
    let text = sim.running.stop().await;

    let other = Sim::start().await;
    other.running.restore(&text).unwrap();
    assert_eq!(other.truth().await["stage"], "Converted");
    assert_eq!(other.ledger().await.len(), 1);
    other.send(&session, &Ask::plan_state()).await.unwrap().good();
    other.ask(Ask::assume(ROLE, &[("ExternalId", "x1")])).await.keys();
    let pod = other.request(Method::GET, "/v1/credentials").header("authorization", "t").send().await.unwrap();
    assert_eq!(pod.status(), 200);
    other.fault(json!({"operation": "getAccountPlanState", "kind": {"stale": {"seconds": 3600}}, "count": 1})).await;
    assert_eq!(other.plan().await["accountPlanType"], "FREE", "it has its past");

    other.control(Method::PUT, "/state", saved.clone()).await;
    let mut again = other.control(Method::GET, "/state", Value::Null).await;
    let mut saved = saved;
    for state in [&mut again, &mut saved] {
        state["clock"] = Value::Null;
    }
    assert_eq!(again, saved, "nothing is lost");

    let mut older = saved.clone();
    older.as_object_mut().unwrap().remove("aws");
    older["clock"] = other.control(Method::GET, "/clock", Value::Null).await;
    let mut past = older.clone();
    past["aws"] =
        json!({"accounts": {OTHER: saved["aws"]["accounts"][ID]}, "roles": [], "clients": [], "sessions": []});
    assert_eq!(other.control_raw(Method::PUT, "/state", past).await.status(), 400, "that is another account's");
    other.control(Method::PUT, "/state", older).await;
    assert_eq!(other.control_raw(Method::GET, &format!("/accounts/{ID}"), Value::Null).await.status(), 404);
}

#[tokio::test]
async fn the_same_requests_get_the_same_keys() {
    let keys = async || {
        let sim = Sim::aws(json!({})).await;
        sim.role(json!({"trust": {"principals": [USER]}})).await;
        sim.ask(Ask::assume(ROLE, &[])).await.keys()
    };
    let (one, other) = (keys().await, keys().await);
    assert_eq!((one.id, one.secret, one.token), (other.id, other.secret, other.token));
}
