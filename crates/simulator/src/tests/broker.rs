//! Operations of the broker that take their time, and may fail.

use std::time::Duration;

use super::*;

impl Sim {
    async fn broker(&self, broker: Value) {
        self.control(Method::PATCH, &format!("/accounts/{SUB}"), json!({"broker": broker})).await;
    }

    async fn poll(&self, url: &str) -> Response {
        self.http.get(url).bearer_auth(&self.broker).send().await.unwrap()
    }
}

fn url(response: &Response, header: &str) -> String {
    response.headers()[header].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_operation_can_fail() {
    let sim = Sim::with_account(json!({})).await;
    for (fails, status, code) in [
        (json!({"code": "PaymentMethodRequired"}), "Failed", "PaymentMethodRequired"),
        (json!({"code": "StoppedByOperator", "status": "Canceled"}), "Canceled", "StoppedByOperator"),
    ] {
        sim.broker(json!({"fails": fails})).await;
        let response = sim.upgrade(KEY).send().await.unwrap();
        assert_eq!(response.status(), 202);
        let body: Value = sim.poll(&url(&response, "azure-asyncoperation")).await.json().await.unwrap();
        assert_eq!((&body["status"], &body["error"]["code"]), (&json!(status), &json!(code)), "{body}");
        assert!(body["endTime"].is_string() && body["error"]["message"].is_string());
        assert_eq!(refusal(sim.poll(&url(&response, "location")).await).await, (422, code.into()));
    }
    assert!(sim.ledger().await.is_empty());
    assert_eq!(sim.subscription().await["subscriptionPolicies"]["spendingLimit"], "On");

    let failed = sim.upgrade(KEY).send().await.unwrap();
    sim.broker(json!({"fails": null})).await;
    let succeeded = sim.upgrade(KEY).send().await.unwrap();
    assert_ne!(url(&failed, "location"), url(&succeeded, "location"), "the key of a failed operation is forgotten");
    let again = sim.upgrade(KEY).send().await.unwrap();
    assert_eq!(url(&again, "location"), url(&succeeded, "location"));
    let body: Value = sim.poll(&url(&failed, "azure-asyncoperation")).await.json().await.unwrap();
    assert_eq!(body["status"], "Canceled", "what failed stays failed");
    assert_eq!(sim.ledger().await.len(), 1);
}

#[tokio::test]
async fn an_operation_takes_its_time() {
    let sim = Sim::with_account(json!({"broker": {"operationSeconds": 1, "retryAfterSeconds": null}})).await;
    let response = sim.upgrade(KEY).send().await.unwrap();
    assert!(!response.headers().contains_key("retry-after"));
    let (status, result) = (url(&response, "azure-asyncoperation"), url(&response, "location"));
    let state = async || sim.poll(&status).await.json::<Value>().await.unwrap()["status"].clone();
    let end = async {
        while state().await == "InProgress" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), end).await.unwrap();
    assert_eq!(state().await, "Succeeded");
    assert_eq!(sim.poll(&result).await.json::<Value>().await.unwrap(), json!({"properties": {"status": "Accepted"}}));
    assert_eq!(sim.ledger().await[0]["by"], json!({"key": KEY}));
    assert_eq!(sim.subscription().await["subscriptionPolicies"]["spendingLimit"], "Off");
}

#[tokio::test]
async fn nothing_is_upgraded_while_an_operation_goes_on() {
    let sim = Sim::with_account(json!({"broker": {"operationSeconds": 3600, "retryAfterSeconds": 7}})).await;
    let response = sim.upgrade(KEY).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (202, &"7".parse().unwrap()));
    let again = sim.upgrade(KEY).send().await.unwrap();
    assert_eq!(url(&again, "location"), url(&response, "location"));
    let other = sim.upgrade("0b1f9c6e-0000-5a00-9000-000000000002").send().await.unwrap();
    assert_eq!(refusal(other).await, (409, "OperationInProgress".into()));
    let status = sim.poll(&url(&response, "azure-asyncoperation")).await;
    assert_eq!(status.headers()["retry-after"], "7");
    assert_eq!(status.json::<Value>().await.unwrap()["status"], "InProgress");
    assert_eq!(sim.poll(&url(&response, "location")).await.status(), 202);
    assert!(sim.ledger().await.is_empty());
    assert_eq!(sim.subscription().await["subscriptionPolicies"]["spendingLimit"], "On");

    sim.advance(600).await;
    let stale = json!({"operation": "operationStatus", "kind": {"stale": {"seconds": 3600}}, "count": 1});
    sim.fault(stale).await;
    let behind = sim.poll(&url(&response, "azure-asyncoperation")).await;
    assert_eq!(refusal(behind).await, (404, "OperationNotFound".into()), "it does not know of it yet");
    assert_eq!(sim.poll(&url(&response, "azure-asyncoperation")).await.status(), 200);
}
