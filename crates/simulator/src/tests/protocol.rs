//! Tokens, headers, and every error body.

use super::*;

#[tokio::test]
async fn the_token_endpoint_refuses_as_entra_does() {
    let sim = Sim::start().await;
    let no_broker = "11111111-0000-4a00-9000-000000000002";
    sim.client(json!({"clientId": no_broker, "subscriptions": []})).await;
    for (tenant, fields, status, error, code) in [
        (TENANT, vec![("client_secret", "wrong")], 401, "invalid_client", 7_000_215),
        (TENANT, vec![("client_id", "22222222-0000-4a00-9000-000000000001")], 400, "unauthorized_client", 700_016),
        ("72f988bf-0000-4a00-9000-0000000000ab", vec![], 400, "invalid_request", 90_002),
        (TENANT, vec![("scope", "")], 400, "invalid_request", 900_144),
        (TENANT, vec![("client_secret", "")], 401, "invalid_client", 7_000_216),
        (TENANT, vec![("grant_type", "password")], 400, "unsupported_grant_type", 70_003),
        (TENANT, vec![("scope", "https://management.azure.com/")], 400, "invalid_scope", 1_002_012),
        (TENANT, vec![("scope", "https://vault.azure.net/.default")], 400, "invalid_resource", 500_011),
        (TENANT, vec![("client_id", no_broker), ("scope", BROKER)], 400, "invalid_grant", 501_051),
    ] {
        let response = sim.ask_token(tenant, &fields).await;
        assert_eq!(response.status(), status, "{fields:?}");
        let body: Value = response.json().await.unwrap();
        assert_eq!((&body["error"], &body["error_codes"]), (&json!(error), &json!([code])), "{body}");
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("AADSTS{code}: ")), "{description}");
        assert!(body["trace_id"].is_string() && body["correlation_id"].is_string() && body["timestamp"].is_string());
    }
}

#[tokio::test]
async fn entra_is_discovered() {
    let sim = Sim::start().await;
    let get = async |path: &str| sim.request(Method::GET, path).send().await.unwrap().json::<Value>().await.unwrap();
    let url = sim.running.url();
    let instance = get("/common/discovery/instance?api-version=1.1").await;
    assert_eq!(instance["metadata"][0]["aliases"][0], url.trim_start_matches("https://"));
    let configuration = get(&format!("/{TENANT}/v2.0/.well-known/openid-configuration")).await;
    assert_eq!(configuration["token_endpoint"], format!("{url}/{TENANT}/oauth2/v2.0/token"));
    assert_eq!(configuration["issuer"], format!("{url}/{TENANT}/v2.0"));
}

#[tokio::test]
async fn resource_manager_wants_a_valid_token() {
    let sim = Sim::with_account(json!({})).await;
    sim.client(json!({
        "clientId": "11111111-0000-4a00-9000-000000000002", "subscriptions": "*", "tokenLifetimeSeconds": 0,
    }))
    .await;
    let expired = sim.ask_token(TENANT, &[("client_id", "11111111-0000-4a00-9000-000000000002")]).await;
    let expired: Value = expired.json().await.unwrap();
    for (authorization, code) in [
        (None, "AuthenticationFailed"),
        (Some("Bearer a.b.c".into()), "InvalidAuthenticationToken"),
        (Some(format!("Basic {}", sim.arm)), "InvalidAuthenticationToken"),
        (Some(format!("Bearer {}", sim.broker)), "InvalidAuthenticationTokenAudience"),
        (Some(format!("Bearer {}", expired["access_token"].as_str().unwrap())), "ExpiredAuthenticationToken"),
    ] {
        let mut request = sim.request(Method::GET, &subscription_path(SUB));
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let response = request.send().await.unwrap();
        let challenge = response.headers()["www-authenticate"].to_str().unwrap().to_owned();
        let authority = format!("Bearer authorization_uri=\"{}/{TENANT}\", error=\"invalid_token\"", sim.running.url());
        assert!(challenge.starts_with(&authority), "{challenge}");
        assert_eq!(refusal(response).await, (401, code.into()));
    }
    let classic = sim.token("https://management.core.windows.net//.default").await;
    let response = sim.request(Method::GET, &subscription_path(SUB)).bearer_auth(classic).send().await.unwrap();
    assert_eq!(response.status(), 200);
    sim.control(Method::DELETE, &format!("/clients/{CLIENT}"), Value::Null).await;
    let response = sim.read(&subscription_path(SUB)).send().await.unwrap();
    assert_eq!(refusal(response).await, (401, "InvalidAuthenticationToken".into()));
}

#[tokio::test]
async fn every_answer_is_dated_by_the_billing_clock() {
    let sim = Sim::with_account(json!({})).await;
    sim.control(Method::POST, "/clock", json!({"advanceSeconds": 10 * DAY})).await;
    for response in [sim.read(&subscription_path(SUB)).send().await.unwrap(), sim.ask_token(TENANT, &[]).await] {
        let date = response.headers()["date"].to_str().unwrap();
        assert!(date.starts_with("Sun, 11 Jan 2026 00:0") && date.ends_with(" GMT"), "{date}");
    }
}

#[tokio::test]
async fn resource_manager_shows_what_the_client_may_read() {
    let sim = Sim::with_account(json!({})).await;
    let hidden = "6f1a3c1e-0000-4a00-9000-0000000000ef";
    sim.account(json!({"subscriptionId": hidden})).await;
    sim.client(json!({"subscriptions": [SUB.to_uppercase()], "broker": true})).await;
    let read = async |path: String| sim.read(&path).send().await.unwrap();
    assert_eq!(read(subscription_path(&SUB.to_uppercase()).replace("/subs", "/Subs")).await.status(), 200);
    assert_eq!(read(billing_path(SUB).to_lowercase()).await.status(), 200);
    for path in [subscription_path(hidden), billing_path(hidden)] {
        assert_eq!(refusal(read(path).await).await, (403, "AuthorizationFailed".into()));
    }
    for path in [subscription_path(KEY), billing_path(KEY)] {
        assert_eq!(refusal(read(path).await).await, (404, "SubscriptionNotFound".into()));
    }
    assert_eq!(refusal(read(subscription_path("x")).await).await, (400, "InvalidSubscriptionId".into()));
    let response: Value = read(subscription_path(hidden)).await.json().await.unwrap();
    let message = response["error"]["message"].as_str().unwrap();
    assert!(message.contains("'Microsoft.Resources/subscriptions/read'") && message.contains(hidden), "{message}");
}

#[tokio::test]
async fn resource_manager_wants_an_api_version() {
    let sim = Sim::with_account(json!({})).await;
    for path in [subscription_path(SUB), billing_path(SUB), format!("/subscriptions/{SUB}/providers/A.B/c?x=y")] {
        let (path, query) = path.split_once('?').unwrap();
        let missing = sim.read(path).send().await.unwrap();
        assert_eq!(refusal(missing).await, (400, "MissingApiVersionParameter".into()));
        if query.starts_with("api-version") {
            let unknown = sim.read(&format!("{path}?api-version=1999-01-01")).send().await.unwrap();
            assert_eq!(refusal(unknown).await, (400, "InvalidApiVersionParameter".into()));
        }
    }
    assert_eq!(refusal(sim.read("/nowhere").send().await.unwrap()).await, (404, "NotFound".into()));
}

#[tokio::test]
async fn answers_carry_ids() {
    let sim = Sim::with_account(json!({})).await;
    let plain = sim.read(&subscription_path(SUB)).header("x-ms-client-request-id", "c1").send().await.unwrap();
    assert!(!plain.headers().contains_key("x-ms-client-request-id"), "only when asked for");
    assert!(plain.headers().contains_key("x-ms-request-id"));
    assert!(plain.headers().contains_key("x-ms-ratelimit-remaining-subscription-reads"));
    let request = sim.read(&subscription_path(KEY)).header("x-ms-client-request-id", "c1");
    let request = request.header("x-ms-return-client-request-id", "true").header("x-ms-correlation-request-id", "r1");
    let echoed = request.send().await.unwrap();
    assert_eq!(echoed.status(), 404);
    assert_eq!(echoed.headers()["x-ms-client-request-id"], "c1");
    assert_eq!(echoed.headers()["x-ms-correlation-request-id"], "r1");
}

#[tokio::test]
async fn the_broker_is_strict() {
    let sim = Sim::with_account(json!({})).await;
    let post = |body: Value| {
        sim.request(Method::POST, &upgrade_path(SUB))
            .bearer_auth(&sim.broker)
            .header("idempotency-key", KEY)
            .json(&body)
    };
    let good = json!({"properties": {"targetOffer": "PayAsYouGo", "acceptCharges": true}});
    let keyless = sim.request(Method::POST, &upgrade_path(SUB)).bearer_auth(&sim.broker).json(&good);
    let invalid = (400, "InvalidRequestContent".to_owned());
    for request in [
        keyless,
        sim.upgrade("no uuid"),
        post(json!({})),
        post(json!({"properties": {"targetOffer": "PayAsYouGo"}})),
        post(json!({"properties": {"targetOffer": "PayAsYouGo", "acceptCharges": false}})),
        post(json!({"properties": {"targetOffer": "EnterpriseAgreement", "acceptCharges": true}})),
    ] {
        assert_eq!(refusal(request.send().await.unwrap()).await, invalid);
    }
    let with_arm_token = sim.request(Method::POST, &upgrade_path(SUB)).bearer_auth(&sim.arm).json(&good);
    assert_eq!(refusal(with_arm_token.send().await.unwrap()).await.0, 401);
    let missing = sim.request(Method::POST, &upgrade_path(TENANT)).bearer_auth(&sim.broker);
    let missing = missing.header("idempotency-key", KEY).json(&good).send().await.unwrap();
    assert_eq!(refusal(missing).await, (404, "SubscriptionNotFound".into()));
    assert!(sim.ledger().await.is_empty());

    assert_eq!(post(good.clone()).send().await.unwrap().status(), 202);
    sim.account(json!({"subscriptionId": TENANT})).await;
    let reused = sim.request(Method::POST, &upgrade_path(TENANT)).bearer_auth(&sim.broker);
    let reused = reused.header("idempotency-key", KEY).json(&good).send().await.unwrap();
    assert_eq!(refusal(reused).await, invalid);
    let path = upgrade_path(SUB).replace("/upgrade", "/operationStatuses/none");
    let status = sim.request(Method::GET, &path).bearer_auth(&sim.broker).send().await.unwrap();
    assert_eq!(refusal(status).await, (404, "OperationNotFound".into()));

    sim.client(json!({"subscriptions": "*", "broker": false})).await;
    assert_eq!(refusal(post(good).send().await.unwrap()).await, (403, "AuthorizationFailed".into()));
}
