//! What the simulator knows can be saved and gone on with; the same seed and the same requests give the same ids.

use super::*;

/// What the simulator reports about itself; its clock and the times of its tokens are those of the wall.
async fn state(sim: &Sim) -> Value {
    sim.control(Method::GET, "/state", Value::Null).await
}

/// Does a bit of everything, and collects the ids of the answers.
async fn ids(sim: &Sim) -> Vec<String> {
    sim.account(json!({"agreement": "MCA", "broker": {"operationSeconds": 0}})).await;
    let mut ids = Vec::new();
    for response in [
        sim.read(&subscription_path(SUB)).send().await.unwrap(),
        sim.read(&subscription_path(KEY)).send().await.unwrap(),
        sim.upgrade(KEY).send().await.unwrap(),
        sim.read(&billing_path(SUB)).send().await.unwrap(),
    ] {
        ids.push(response.headers()["x-ms-request-id"].to_str().unwrap().to_owned());
        let body: Value = response.json().await.unwrap();
        ids.extend(
            ["/name", "/id", "/properties/billingProfileId"]
                .iter()
                .filter_map(|path| Some(body.pointer(path)?.as_str()?.to_owned())),
        );
    }
    ids.push(state(sim).await["random"].as_str().unwrap().to_owned());
    ids
}

#[tokio::test]
async fn the_same_requests_get_the_same_ids() {
    let one = ids(&Sim::start().await).await;
    assert_eq!(one, ids(&Sim::start().await).await);
    assert!(one.len() >= 10, "{one:?}");
    let unique: std::collections::BTreeSet<_> = one.iter().collect();
    assert!(unique.len() > one.len() / 2, "{one:?}");
}

#[tokio::test]
async fn another_simulator_goes_on_from_a_saved_state() {
    let sim = Sim::with_account(json!({"agreement": "MCA", "burnPerDay": "10"})).await;
    sim.client(json!({"subscriptions": [SUB], "billing": "Reader", "role": "Contributor", "broker": true})).await;
    sim.advance(DAY).await;
    sim.control(Method::POST, &format!("/accounts/{SUB}/spend"), json!({"amount": "12.5"})).await;
    sim.control(Method::POST, "/settings", json!({"pageSize": 7})).await;
    sim.fault(json!({"operation": "billingProfile", "kind": "cut", "count": 3})).await;
    sim.advance(DAY).await;
    let operation = sim.upgrade(KEY).send().await.unwrap().json::<Value>().await.unwrap();
    let truth = |sim: Value| -> Value {
        let mut truth = sim;
        truth.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "billingTime" | "creditLeft"));
        truth
    };
    let path = format!("/accounts/{SUB}");
    let before = sim.control(Method::GET, &path, Value::Null).await;
    let saved = state(&sim).await;
    let saved_at_stop = {
        let (arm, broker) = (sim.arm.clone(), sim.broker.clone());
        let text = sim.running.stop().await;
        (arm, broker, text)
    };
    let (arm, broker, text) = saved_at_stop;

    let mut other = Sim::start().await;
    other.running.restore(&text).unwrap();
    (other.arm, other.broker) = (arm, broker);
    let after = other.control(Method::GET, &path, Value::Null).await;
    assert_eq!(truth(after), truth(before), "the account is the same");
    assert_eq!(
        other.upgrade(KEY).send().await.unwrap().json::<Value>().await.unwrap(),
        operation,
        "so is the operation"
    );
    assert_eq!(other.ledger().await.len(), 1);
    assert_eq!(other.subscription().await["subscriptionPolicies"]["spendingLimit"], "Off", "its token is good");
    other.token(ARM).await;
    let stale = json!({"operation": "subscription", "kind": {"stale": {"seconds": 3600}}});
    other.fault(stale).await;
    assert_eq!(other.subscription().await["subscriptionPolicies"]["spendingLimit"], "On", "it has its past");

    other.control(Method::PUT, "/state", saved.clone()).await;
    let mut again = state(&other).await;
    let mut saved = saved;
    for state in [&mut again, &mut saved] {
        state["clock"] = Value::Null;
    }
    assert_eq!(again, saved, "nothing is lost");
}

#[tokio::test]
async fn an_invalid_state_file_is_refused() {
    let sim = Sim::with_account(json!({})).await;
    let good = state(&sim).await;
    let mut past = good.clone();
    past["accounts"][KEY] = json!([]);
    let mut clients = good.clone();
    clients["clients"][0]["tenantId"] = json!("x");
    let mut random = good.clone();
    random["random"] = json!("x");
    for bad in [json!({}), json!([]), past, clients, random] {
        let refused = sim.control_raw(Method::PUT, "/state", bad).await;
        assert_eq!(refused.status(), 400);
        assert!(refused.json::<Value>().await.unwrap()["error"].as_str().unwrap().contains("no state of a simulator"));
    }
    assert_eq!(sim.subscription().await["state"], "Enabled", "nothing changed");
}
