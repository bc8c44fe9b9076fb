//! What the owner of an account can do with it, and what becomes of one that is not paid for.

use super::*;

async fn owned(account: Value) -> Sim {
    let sim = Sim::with_account(account).await;
    sim.client(json!({"subscriptions": "*", "role": "Contributor", "broker": true})).await;
    sim
}

fn path(action: &str) -> String {
    format!("/subscriptions/{SUB}/providers/Microsoft.Subscription/{action}")
}

impl Sim {
    async fn act(&self, action: &str, body: Value) -> Response {
        let path = match action.split_once('?') {
            Some((action, query)) => format!("{}?{query}&api-version=2021-10-01", path(action)),
            None => format!("{}?api-version=2021-10-01", path(action)),
        };
        let request = self.request(Method::POST, &path).bearer_auth(&self.arm);
        if body.is_null() { request } else { request.json(&body) }.send().await.unwrap()
    }

    async fn state(&self) -> String {
        self.subscription().await["state"].as_str().unwrap().to_owned()
    }

    async fn on_account(&self, action: &str) {
        self.control(Method::POST, &format!("/accounts/{SUB}/{action}"), Value::Null).await;
    }
}

/// The code of an error that has it twice.
async fn odd_refusal(response: Response) -> String {
    assert_eq!(response.status(), 400);
    let body: Value = response.json().await.unwrap();
    assert_eq!((&body["error"]["code"], &body["error"]["message"]), (&body["code"], &body["message"]), "{body}");
    body["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_owner_cancels_renames_and_enables() {
    let sim = owned(json!({"offer": "PayAsYouGo", "hasResources": true})).await;
    let done = sim.act("rename", json!({"subscriptionName": "Sandbox"})).await;
    assert_eq!(done.json::<Value>().await.unwrap(), json!({"subscriptionId": SUB}));
    assert_eq!(sim.subscription().await["displayName"], "Sandbox");
    assert_eq!(odd_refusal(sim.act("rename", json!({})).await).await, "InvalidRequestContent");
    assert_eq!(odd_refusal(sim.act("enable", Value::Null).await).await, "ReactivationNotAllowed");

    assert_eq!(odd_refusal(sim.act("cancel", Value::Null).await).await, "ResourcesExistingOnSubscription");
    assert_eq!(sim.act("cancel?IgnoreResourceCheck=true", Value::Null).await.status(), 200);
    assert_eq!(sim.state().await, "Disabled");
    assert_eq!(odd_refusal(sim.act("cancel", Value::Null).await).await, "SubscriptionNotActive");
    let renamed = sim.act("rename", json!({"subscriptionName": "x"})).await;
    assert_eq!(refusal(renamed).await, (409, "ReadOnlyDisabledSubscription".into()));
    assert_eq!(sim.act("enable", Value::Null).await.status(), 200);
    assert_eq!(sim.state().await, "Enabled");
}

#[tokio::test]
async fn a_cancellation_can_be_applied_and_the_answer_lost() {
    let sim = owned(json!({})).await;
    sim.fault(json!({"operation": "cancel", "kind": "appliedAnswerLost", "count": 1})).await;
    let request = sim.request(Method::POST, &format!("{}?api-version=2021-10-01", path("cancel")));
    request.bearer_auth(&sim.arm).send().await.unwrap_err();
    assert_eq!(sim.state().await, "Disabled");
}

#[tokio::test]
async fn a_trial_can_not_be_enabled() {
    let sim = owned(json!({})).await;
    assert_eq!(sim.act("cancel", Value::Null).await.status(), 200);
    assert_eq!(odd_refusal(sim.act("enable", Value::Null).await).await, "ReactivationNotAllowed");
    assert_eq!(sim.billing().await["subscriptionBillingStatusDetails"][0]["reason"], "Cancelled");
    let sim = owned(json!({})).await;
    sim.advance(31 * DAY).await;
    assert_eq!(odd_refusal(sim.act("enable", Value::Null).await).await, "ReactivationNotAllowed");
}

#[tokio::test]
async fn a_reader_may_not_write_and_a_disabled_account_can_not_be_written_to() {
    let sim = owned(json!({})).await;
    let site = format!("/subscriptions/{SUB}/resourceGroups/a/providers/Microsoft.Web/sites/a?api-version=2024-04-01");
    let write = async |method: Method| sim.request(method, &site).bearer_auth(&sim.arm).send().await.unwrap();
    assert_eq!(refusal(write(Method::PUT).await).await, (404, "InvalidResourceType".into()));
    sim.advance(31 * DAY).await;
    for method in [Method::PUT, Method::PATCH, Method::POST] {
        assert_eq!(refusal(write(method).await).await, (409, "ReadOnlyDisabledSubscription".into()));
    }
    let group = format!("/subscriptions/{SUB}/resourcegroups/a?api-version=2024-11-01");
    let group = sim.request(Method::PUT, &group).bearer_auth(&sim.arm).send().await.unwrap();
    assert_eq!(refusal(group).await, (409, "ReadOnlyDisabledSubscription".into()));
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(refusal(write(method).await).await, (404, "InvalidResourceType".into()), "these are allowed");
    }
    sim.client(json!({"subscriptions": "*"})).await;
    assert_eq!(refusal(write(Method::PUT).await).await, (403, "AuthorizationFailed".into()));
    assert_eq!(refusal(sim.act("cancel", Value::Null).await).await, (403, "AuthorizationFailed".into()));
    assert_eq!(refusal(write(Method::GET).await).await, (404, "InvalidResourceType".into()));
}

#[tokio::test]
async fn an_unpaid_invoice_stops_the_account() {
    let days =
        json!({"offer": "PayAsYouGo", "agreement": "MCA", "pastDueDays": 3, "unpaidWarnedDays": 2, "graceDays": 4});
    let sim = owned(days).await;
    sim.on_account("leave-unpaid").await;
    assert_eq!(sim.state().await, "PastDue");
    sim.advance(3 * DAY).await;
    assert_eq!(sim.state().await, "Warned");
    assert_eq!(sim.billing().await["billingProfileStatusReasonCode"], "PastDue");
    sim.advance(2 * DAY).await;
    assert_eq!(sim.state().await, "Disabled");
    assert_eq!(sim.billing().await["subscriptionBillingStatusDetails"][0]["reason"], "PastDue");
    sim.on_account("pay").await;
    assert_eq!(sim.state().await, "Enabled");
    for (action, status) in [("pay", 409), ("leave-unpaid", 200), ("leave-unpaid", 409)] {
        let response = sim.control_raw(Method::POST, &format!("/accounts/{SUB}/{action}"), Value::Null).await;
        assert_eq!(response.status(), status, "{action}");
    }
    sim.advance(9 * DAY).await;
    assert_eq!(sim.state().await, "Deleted");
    let late = sim.control_raw(Method::POST, &format!("/accounts/{SUB}/pay"), Value::Null).await;
    assert_eq!(late.status(), 409);
}

#[tokio::test]
async fn an_upgraded_account_can_be_left_unpaid_too() {
    let sim = owned(json!({"graceDays": 1})).await;
    sim.on_account("portal-upgrade").await;
    let refused = sim.control_raw(Method::POST, &format!("/accounts/{SUB}/leave-unpaid"), Value::Null).await;
    assert_eq!(refused.status(), 409, "its benefits are not used up");
    sim.advance(30 * DAY).await;
    sim.on_account("leave-unpaid").await;
    sim.advance(14 * DAY).await;
    assert_eq!(sim.state().await, "Disabled");
    sim.advance(2 * DAY).await;
    assert_eq!(sim.read(&subscription_path(SUB)).send().await.unwrap().status(), 404);
}
