//! Roles for tokens of a cluster. The signatures are real, as their checks are.

use super::super::assertions::{by_ec, ec_jwk, ec_key, in_seconds, unsigned};
use super::*;

const ISSUER: &str = "https://oidc.example/1";
const SUBJECT: &str = "system:serviceaccount:team-a:payg";
const AUDIENCE: &str = "sts.amazonaws.com";

fn claims() -> Value {
    json!({"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "exp": in_seconds(600)})
}

/// Asks as clients do: without a signature.
async fn ask(sim: &Sim, role: &str, token: &str) -> Answer {
    let fields = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("RoleArn", role),
        ("RoleSessionName", "test"),
        ("WebIdentityToken", token),
    ];
    let unsigned = |headers: &mut HeaderMap| drop(headers.remove("authorization"));
    sim.send_with(&user(), &Ask::sts(&fields), unsigned).await.unwrap()
}

#[tokio::test]
async fn a_role_takes_the_tokens_that_it_names() {
    let sim = Sim::aws(json!({})).await;
    let (key, stranger) = (ec_key(), ec_key());
    let provider = |subject: &str| json!({"issuer": ISSUER, "subject": subject, "audience": AUDIENCE, "jwks": {"keys": [ec_jwk(&key)]}});
    sim.role(json!({"trust": {"federated": [provider(SUBJECT)]}})).await;
    for good in [claims(), with(claims(), &json!({"aud": AUDIENCE}))] {
        let answer = ask(&sim, ROLE, &by_ec(&key, &good)).await;
        let keys = answer.keys();
        assert_eq!(answer.xml("SubjectFromWebIdentityToken"), SUBJECT);
        assert_eq!((answer.xml("Audience"), answer.xml("Provider")), (AUDIENCE.into(), ISSUER.into()));
        sim.send(&keys, &Ask::plan_state()).await.unwrap().good();
    }
    let not_allowed = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
    for (members, status, code, says) in [
        (
            json!({"iss": "https://oidc.example/2"}),
            400,
            "InvalidIdentityToken",
            "No OpenIDConnect provider found in your account for https://oidc.example/2",
        ),
        (json!({"sub": "system:serviceaccount:team-b:payg"}), 403, "AccessDenied", not_allowed),
        (json!({"aud": ["https://kubernetes.default.svc"]}), 400, "InvalidIdentityToken", "Incorrect token audience"),
        (json!({"exp": in_seconds(-1)}), 400, "ExpiredTokenException", "Token expired: current date/time "),
        (json!({"nbf": in_seconds(3600)}), 400, "InvalidIdentityToken", "not yet valid"),
    ] {
        ask(&sim, ROLE, &by_ec(&key, &with(claims(), &members))).await.assert_error(status, code, says);
    }
    let no_key = "Couldn't retrieve verification key from your identity provider";
    ask(&sim, ROLE, &by_ec(&stranger, &claims())).await.assert_error(400, "InvalidIdentityToken", no_key);
    let none = format!("{}.", unsigned(&json!({"alg": "none", "kid": "ec"}), &claims()));
    ask(&sim, ROLE, &none).await.assert_error(400, "InvalidIdentityToken", no_key);
    ask(&sim, ROLE, "no.token.this").await.assert_error(400, "InvalidIdentityToken", "is not a valid JWT");
    ask(&sim, ROLE, "x").await.assert_error(400, "ValidationError", "webIdentityToken");
    let other = "arn:aws:iam::123456789012:role/other";
    ask(&sim, other, &by_ec(&key, &claims())).await.assert_error(403, "AccessDenied", not_allowed);
    // The account knows the provider, but this role does not trust its tokens.
    sim.role(json!({"roleArn": other, "trust": {"principals": ["*"]}})).await;
    ask(&sim, other, &by_ec(&key, &claims())).await.assert_error(403, "AccessDenied", not_allowed);
    sim.ask(Ask::assume(ROLE, &[])).await.assert_error(403, "AccessDenied", "sts:AssumeRole");
    let log = sim.control(Method::GET, &format!("/requests?account={ID}"), Value::Null).await;
    assert!(log.as_array().unwrap().iter().any(|asked| asked["operation"] == "assumeRoleWithWebIdentity"));
}
