//! The agent of EKS Pod Identity.

use super::*;

async fn credentials(sim: &Sim, token: &str) -> Answer {
    let request = sim.request(Method::GET, "/v1/credentials");
    let request = if token.is_empty() { request } else { request.header("authorization", token) };
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_pod_gets_the_credentials_of_its_role() {
    let sim = Sim::aws(json!({"graceDays": 1})).await;
    sim.role(json!({"sessionSeconds": 1800})).await;
    sim.control(Method::POST, "/clients", json!({"podIdentity": {"token": "a.pods.token", "roleArn": ROLE}})).await;
    let answer = credentials(&sim, "a.pods.token").await;
    let body = answer.good();
    assert_eq!(
        (&answer.headers["content-type"], &body["AccountId"]),
        (&"application/json".parse().unwrap(), &json!(ID))
    );
    let left = body["Expiration"].as_str().unwrap().parse::<Timestamp>().unwrap().duration_since(Timestamp::now());
    assert!((1790..=1800).contains(&left.as_secs()), "{left}");
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    let keys = Keys { id: text("AccessKeyId"), secret: text("SecretAccessKey"), token: Some(text("Token")) };
    let identity = sim.send(&keys, &Ask::identity()).await.unwrap();
    let arn = identity.xml("Arn");
    assert!(arn.starts_with("arn:aws:sts::123456789012:assumed-role/payg-operator/eks-"), "{arn}");

    let refused = async |token: &str, says: &str| {
        let answer = credentials(&sim, token).await;
        assert!(answer.status == 400 && answer.text.contains(says), "{answer:?}");
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    };
    refused("", "Service account token cannot be empty").await;
    refused("another.pods.token", "(InvalidTokenException): ").await;
    let log = sim.control(Method::GET, &format!("/requests?account={ID}"), Value::Null).await;
    assert_eq!(log[0]["operation"], "podIdentity");
    sim.to_account("spend", json!({"amount": "100"})).await;
    sim.advance(DAY).await;
    refused("a.pods.token", "(AccessDeniedException): ").await;
    sim.control(Method::DELETE, &format!("/clients?arn={ROLE}"), Value::Null).await;
    refused("a.pods.token", "(InvalidTokenException): ").await;
}
