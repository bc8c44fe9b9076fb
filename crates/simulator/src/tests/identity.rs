//! What the identity libraries of other languages ask for beside what that of Python asks: without it they get no token,
//! or do not believe the one they got.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::*;

/// The claims of an access token.
async fn claims(response: Response) -> Value {
    let body: Value = response.json().await.unwrap();
    let token = body["access_token"].as_str().unwrap_or_else(|| panic!("no token: {body}"));
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn the_configuration_has_all_that_openid_connect_requires() {
    let sim = Sim::start().await;
    let get = async |path: &str| sim.request(Method::GET, path).send().await.unwrap();
    let configuration: Value =
        get(&format!("/{TENANT}/v2.0/.well-known/openid-configuration")).await.json().await.unwrap();
    for member in ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"] {
        let address = configuration[member].as_str().unwrap_or_else(|| panic!("no {member}: {configuration}"));
        assert!(address.starts_with(&format!("{}/{TENANT}/", sim.running.url())), "{member}: {address}");
    }
    for member in ["response_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported"] {
        assert!(!configuration[member].as_array().unwrap().is_empty(), "{member}");
    }
    let keys = configuration["jwks_uri"].as_str().unwrap().strip_prefix(sim.running.url()).unwrap();
    assert_eq!(keys, format!("/{TENANT}/discovery/v2.0/keys"));
    let keys = get(keys).await;
    assert_eq!(keys.status(), 200);
    assert_eq!(keys.json::<Value>().await.unwrap(), json!({"keys": []}), "no token is signed");
}

#[tokio::test]
async fn scopes_of_openid_connect_beside_a_resource_change_nothing() {
    let sim = Sim::start().await;
    for scope in [
        "https://management.azure.com/.default openid offline_access profile",
        "openid profile offline_access https://management.azure.com/.default",
        "openid email https://management.azure.com/.default",
    ] {
        let claims = claims(sim.ask_token(TENANT, &[("scope", scope)]).await).await;
        assert_eq!(claims["aud"], "https://management.azure.com", "{scope}");
    }
    for (scope, code) in [
        ("openid offline_access profile", 1_002_012),
        ("https://management.azure.com/.default User.Read", 70_011),
        ("https://management.azure.com/.default api://payg-broker/.default", 70_011),
        ("https://management.azure.com/.default https://vault.azure.net/.default", 70_011),
    ] {
        let response = sim.ask_token(TENANT, &[("scope", scope)]).await;
        assert_eq!(response.status(), 400, "{scope}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(
            (&body["error"], &body["error_codes"]),
            (&json!("invalid_scope"), &json!([code])),
            "{scope}: {body}"
        );
    }
}

#[tokio::test]
async fn a_token_says_who_it_is_about() {
    let sim = Sim::start().await;
    for scope in [ARM, BROKER] {
        let claims = claims(sim.ask_token(TENANT, &[("scope", scope)]).await).await;
        assert!(claims["sub"].is_string(), "{claims}");
        assert_eq!(claims["sub"], claims["oid"], "of an application both are its service principal");
    }
}

#[tokio::test]
async fn a_token_of_another_tenant_is_from_the_wrong_issuer() {
    const OTHERS: &str = "72f988bf-0000-4a00-9000-0000000000ab";
    let sim = Sim::start().await;
    let (theirs, gone) = ("6f1a3c1e-0000-4a00-9000-0000000000ff", "6f1a3c1e-0000-4a00-9000-0000000000fe");
    sim.account(json!({"subscriptionId": theirs, "tenantId": OTHERS})).await;
    let ended =
        json!({"subscriptionId": gone, "tenantId": OTHERS, "startTime": "2025-01-01T00:00:00Z", "graceDays": 1});
    sim.account(ended).await;
    let cancel = "providers/Microsoft.Subscription/cancel?api-version=2021-10-01";
    for (method, path) in [
        (Method::GET, subscription_path(theirs)),
        (Method::GET, billing_path(theirs)),
        (Method::POST, format!("/subscriptions/{theirs}/{cancel}")),
        (Method::GET, format!("/subscriptions/{theirs}/providers/Microsoft.Compute/disks?api-version=2023-01-01")),
    ] {
        let response = sim.request(method, &path).bearer_auth(&sim.arm).send().await.unwrap();
        let challenge = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        let expected = format!(
            "Bearer authorization_uri=\"{}/{OTHERS}\", error=\"invalid_token\", error_description=\"The access token is \
             from the wrong issuer. It must match the tenant associated with this subscription. Please use correct \
             authority to get the token.\"",
            sim.running.url()
        );
        assert_eq!(challenge, Some(expected), "{path}");
        assert_eq!(response.status(), 401);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["code"], "InvalidAuthenticationTokenTenant", "{path}");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("'https://sts.windows.net/{TENANT}/'")), "{message}");
        assert!(message.contains(&format!("'https://sts.windows.net/{OTHERS}/'")), "{message}");
    }
    let response = sim.read(&subscription_path(gone)).send().await.unwrap();
    assert_eq!(refusal(response).await, (404, "SubscriptionNotFound".into()), "nobody's any more");
}
