//! Signature Version 4: what is accepted, and how each mistake is reported in each protocol.

use reqwest::header::HeaderValue;

use super::*;

/// The same mistake at the Free Tier API, at Account Management and at STS.
async fn refused(sim: &Sim, keys: &Keys, change: impl Fn(Ask) -> Ask, [json, sts]: [&str; 2], says: &str) {
    for (ask, status, code) in
        [(Ask::plan_state(), 400, json), (Ask::information(), 403, json), (Ask::identity(), 403, sts)]
    {
        sim.send(keys, &change(ask)).await.unwrap().assert_error(status, code, says);
    }
}

#[tokio::test]
async fn a_good_signature_is_accepted_by_every_service() {
    let sim = Sim::aws(json!({})).await;
    let credits = Ask::credits(&json!({"accountId": ID, "startDate": 1_767_225_600}));
    for ask in [Ask::plan_state(), Ask::information(), credits, Ask::identity()] {
        assert_eq!(sim.ask(ask.clone()).await.status, 200, "{ask:?}");
        for minutes in [-14, 14] {
            let time = Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
            assert_eq!(sim.ask(Ask { time, ..ask.clone() }).await.status, 200, "{minutes}");
        }
    }
    let mut spaced = Ask::plan_state();
    spaced.headers.push(("x-amz-note", "one two".into()));
    let note = |headers: &mut HeaderMap| drop(headers.insert("x-amz-note", HeaderValue::from_static("one   two")));
    assert_eq!(sim.send_with(&user(), &spaced, note).await.unwrap().status, 200, "spaces are one");
}

#[tokio::test]
async fn a_wrong_secret_is_found() {
    let sim = Sim::aws(json!({})).await;
    let keys = Keys { secret: "another".into(), ..user() };
    let codes = ["InvalidSignatureException", "SignatureDoesNotMatch"];
    refused(&sim, &keys, |ask| ask, codes, "The request signature we calculated does not match").await;
}

#[tokio::test]
async fn an_unknown_key_is_refused() {
    let sim = Sim::aws(json!({})).await;
    let keys = Keys { id: "AKIANOBODYNOBODYNOBO".into(), ..user() };
    let codes = ["UnrecognizedClientException", "InvalidClientTokenId"];
    let says = "The security token included in the request is invalid.";
    refused(&sim, &keys, |ask| ask, codes, says).await;
    let keys = Keys { token: Some("a token that a user has not".into()), ..user() };
    refused(&sim, &keys, |ask| ask, codes, says).await;
}

#[tokio::test]
async fn another_scope_is_refused() {
    let sim = Sim::aws(json!({})).await;
    let codes = ["InvalidSignatureException", "SignatureDoesNotMatch"];
    let elsewhere = |ask| Ask { region: "eu-central-1", ..ask };
    refused(&sim, &user(), elsewhere, codes, "Credential should be scoped to a valid region, not 'eu-central-1'.")
        .await;
    let other = |ask| Ask { service: "s3", ..ask };
    refused(&sim, &user(), other, codes, "Credential should be scoped to correct service: '").await;
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told() {
    let sim = Sim::aws(json!({})).await;
    let codes = ["InvalidSignatureException", "SignatureDoesNotMatch"];
    for (minutes, says) in [(-16, "Signature expired: "), (16, "Signature not yet current: ")] {
        let time = Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
        refused(&sim, &user(), |ask| Ask { time, ..ask }, codes, says).await;
    }
}

#[tokio::test]
async fn a_request_without_a_signature_is_refused() {
    let sim = Sim::aws(json!({})).await;
    for (ask, status, code, says) in [
        (Ask::plan_state(), 400, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        (Ask::information(), 403, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        (Ask::identity(), 403, "MissingAuthenticationToken", "Request is missing Authentication Token"),
    ] {
        let unsigned = |headers: &mut HeaderMap| drop(headers.remove("authorization"));
        sim.send_with(&user(), &ask, unsigned).await.unwrap().assert_error(status, code, says);
    }
}

#[tokio::test]
async fn unsigned_requests_are_refused() {
    let sim = Sim::aws(json!({})).await;
    let mismatch = "The request signature we calculated does not match";
    let set = |name: &'static str, value: &'static str| {
        move |headers: &mut HeaderMap| drop(headers.insert(name, HeaderValue::from_static(value)))
    };
    let send = async |tamper: Box<dyn FnOnce(&mut HeaderMap)>| {
        sim.send_with(&user(), &Ask::plan_state(), tamper).await.unwrap()
    };
    let wrong = "InvalidSignatureException";
    let upgrade = set("x-amz-target", "AWSFreeTierService.UpgradeAccountPlan");
    send(Box::new(upgrade)).await.assert_error(400, wrong, mismatch);
    send(Box::new(set("content-type", "application/json"))).await.assert_error(400, wrong, mismatch);
    send(Box::new(set("x-amz-extra", "1"))).await.assert_error(400, wrong, "'x-amz-extra' must be a 'SignedHeader'");
    let mut hashed = Ask::plan_state();
    hashed.headers.push(("x-amz-content-sha256", "0".repeat(64)));
    sim.ask(hashed).await.assert_error(400, wrong, "x-amz-content-sha256");
    assert!(sim.ledger().await.is_empty());

    let host = sim.running.url().trim_start_matches("https://");
    let headers = signed(&user(), &Ask::upgrade(), host);
    let body = json!({"accountPlanType": "PAID", "more": true}).to_string();
    let response = sim.request(Method::POST, "/").headers(headers).body(body).send().await.unwrap();
    Answer::of(response).await.assert_error(400, wrong, mismatch);
}

#[tokio::test]
async fn a_header_that_cannot_be_understood_is_told() {
    let sim = Sim::aws(json!({})).await;
    for (header, code, says) in [
        ("Bearer abc", "IncompleteSignatureException", "Unsupported AWS 'algorithm'"),
        (
            "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0",
            "IncompleteSignatureException",
            "5 slash-delimited",
        ),
        ("AWS4-HMAC-SHA256 SignedHeaders=host, Signature=0", "IncompleteSignatureException", "'Credential'"),
        ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=0", "IncompleteSignatureException", "'SignedHeaders'"),
        (
            "AWS4-HMAC-SHA256 Credential=a/b/us-east-1/freetier/x, SignedHeaders=a, Signature=0",
            "InvalidSignatureException",
            "terminator",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20150830/us-east-1/freetier/aws4_request, SignedHeaders=host, Signature=0",
            "InvalidSignatureException",
            "Date in Credential scope does not match",
        ),
    ] {
        let set = |headers: &mut HeaderMap| drop(headers.insert("authorization", HeaderValue::from_static(header)));
        sim.send_with(&user(), &Ask::plan_state(), set).await.unwrap().assert_error(400, code, says);
    }
    let no_date = |headers: &mut HeaderMap| drop(headers.remove("x-amz-date"));
    let answer = sim.send_with(&user(), &Ask::plan_state(), no_date).await.unwrap();
    answer.assert_error(400, "IncompleteSignatureException", "ISO-8601 'basic format'");
}

#[tokio::test]
async fn operations_that_are_not_served_are_unknown() {
    let sim = Sim::aws(json!({})).await;
    for target in ["AWSFreeTierService.GetFreeTierUsage", "AWSBilling.ListBillingViews", "Other.Thing"] {
        let service = if target.starts_with("AWSBilling") { "billing" } else { "freetier" };
        let answer = sim.ask(Ask::json(service, target, &json!({}))).await;
        answer.assert_error(400, "UnknownOperationException", "There is no operation");
    }
    let answer = sim.ask(Ask::sts(&[("Action", "GetSessionToken")])).await;
    answer.assert_error(400, "InvalidAction", "Could not find operation GetSessionToken for version 2011-06-15");
    assert!(answer.text.contains("<Type>Sender</Type>"), "{}", answer.text);
}

#[tokio::test]
async fn requests_without_permission_are_denied() {
    let sim = Sim::aws(json!({})).await;
    sim.user(json!({"allow": ["freetier:GetAccountPlanState"]})).await;
    sim.plan().await;
    let says = |action: &str| {
        format!(
            "User: {USER} is not authorized to perform: {action} because no identity-based policy allows the {action} action"
        )
    };
    sim.ask(Ask::upgrade()).await.assert_error(400, "AccessDeniedException", &says("freetier:UpgradeAccountPlan"));
    let credits = Ask::credits(&json!({"accountId": ID, "startDate": 1_767_225_600}));
    sim.ask(credits).await.assert_error(400, "AccessDeniedException", &says("billing:GetCredits"));
    let information = sim.ask(Ask::information()).await;
    information.assert_error(403, "AccessDeniedException", &says("account:GetAccountInformation"));
    assert_eq!(sim.ask(Ask::identity()).await.status, 200, "that is always allowed");
    assert!(sim.ledger().await.is_empty());
}
