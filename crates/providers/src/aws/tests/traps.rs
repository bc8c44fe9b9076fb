//! Amazon's SDK by itself makes values up, repeats an upgrade, waits for ever, and signs for another region.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::aws::connector::Heard;
use crate::aws::failure::Failure;
use payg_core::provider::Outcome;

#[tokio::test]
async fn missing_members_are_not_made_up() {
    for (body, what) in [
        ("{}", "account id"),
        (r#"{"accountPlanType":"FREE","accountPlanStatus":"ACTIVE"}"#, "account id"),
        (r#"{"accountId":"123456789012","accountPlanStatus":"ACTIVE"}"#, "plan"),
        (r#"{"accountId":"123456789012","accountPlanType":"FREE"}"#, "status"),
    ] {
        let answered = json(200, body);
        let server = server(move |_, called| (called == "GetAccountPlanState").then(|| answered.clone())).await;
        let error = aws(&server, by_key()).observe(&account(), &Timestamp::now, DEADLINE).await.unwrap_err();
        assert!(matches!(&error, ProviderError::Protocol { detail } if detail.contains(what)), "{body}: {error}");
        let server = upgrading(json(200, body)).await;
        let error = upgrade(&aws(&server, by_key()), soon(), DEADLINE).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{body}: {error}");
    }
}

/// The SDK makes 0 of an amount that is not there.
#[tokio::test]
async fn an_amount_that_is_not_there_is_not_zero() {
    for credit in
        [r#"{"unit":"USD"}"#, r#"{"unit":"USD","amount":null}"#, r#"{"amount":57.31,"amount":0,"unit":"USD"}"#]
    {
        let body = free("57.31").replace(r#"{"amount":57.31,"unit":"USD"}"#, credit);
        let answered = json(200, &body);
        let server = server(move |_, called| (called == "GetAccountPlanState").then(|| answered.clone())).await;
        let seen = aws(&server, by_key()).observe(&account(), &Timestamp::now, DEADLINE).await;
        let error = seen.expect_err(&body);
        assert!(matches!(&error, ProviderError::Protocol { detail } if detail.contains("amount")), "{body}: {error}");
    }
}

#[tokio::test]
async fn an_upgrade_is_sent_once_whatever_the_answer() {
    let nothing = reply(200, "", "");
    let cut = Reply::Bytes(Vec::new());
    for (answer, outcome) in [
        (refusal(400, "ThrottlingException"), Outcome::NotSent),
        (refusal(500, "InternalServerException"), Outcome::Unknown),
        (refusal(503, "ServiceUnavailable"), Outcome::Unknown),
        (reply(502, "content-type: text/html\r\n", "<html>"), Outcome::Unknown),
        (refusal(400, "ValidationException"), Outcome::Rejected),
        (refusal(400, "AccessDeniedException"), Outcome::Rejected),
        (reply(307, "location: https://127.0.0.1:1/\r\n", ""), Outcome::Unknown),
        (cut, Outcome::Unknown),
        (nothing, Outcome::Unknown),
    ] {
        let server = upgrading(answer.clone()).await;
        let error = upgrade(&aws(&server, by_key()), soon(), DEADLINE).await.unwrap_err();
        assert_eq!((error.outcome(), calls(&server, "UpgradeAccountPlan")), (outcome, 1), "{answer:?}: {error}");
    }
}

#[tokio::test]
async fn a_read_is_sent_once_too_and_the_engine_backs_off() {
    for code in ["ThrottlingException", "InternalServerException"] {
        let status = if code.starts_with("Thr") { 400 } else { 500 };
        let server = server(move |_, called| (called == "GetAccountPlanState").then(|| refusal(status, code))).await;
        aws(&server, by_key()).observe(&account(), &Timestamp::now, DEADLINE).await.unwrap_err();
        assert_eq!(calls(&server, "GetAccountPlanState"), 1, "{code}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_not_waited_for_longer_than_the_deadline() {
    let (began, deadline) = (Instant::now(), Duration::from_secs(1));
    let server = upgrading(Reply::Nothing).await;
    let error = upgrade(&aws(&server, by_key()), soon(), deadline).await.unwrap_err();
    assert!(matches!(error, ProviderError::OutcomeUnknown { .. }), "{error}");
    let silent = super::server(|_, called| (called == "GetAccountPlanState").then_some(Reply::Nothing)).await;
    let error = aws(&silent, by_key()).observe(&account(), &Timestamp::now, deadline).await.unwrap_err();
    assert!(matches!(error, ProviderError::Transient { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[tokio::test]
async fn every_request_is_signed_for_the_one_region_whatever_the_endpoint() {
    let server =
        upgrading(json(200, r#"{"accountId":"123456789012","accountPlanType":"PAID","accountPlanStatus":"ACTIVE"}"#))
            .await;
    let aws = aws(&server, by_key());
    aws.observe(&account(), &Timestamp::now, DEADLINE).await.unwrap();
    upgrade(&aws, soon(), DEADLINE).await.unwrap();
    let scopes: Vec<_> = server.all_requests().iter().map(scope).collect();
    let service = |name: &str| format!("us-east-1/{name}/aws4_request");
    let expected = ["sts", "freetier", "account", "billing", "freetier"].map(service);
    assert_eq!(scopes, expected);
}

/// What a request is signed for: the region, the service and the kind of signature.
fn scope(request: &Request) -> String {
    let signature = request.header("authorization").unwrap();
    let (_, credential) = signature.split_once(&format!("Credential={KEY_ID}/")).unwrap();
    credential.split(',').next().unwrap().split_once('/').unwrap().1.to_owned()
}

#[tokio::test]
async fn nothing_is_sent_when_too_little_time_is_left() {
    let server = upgrading(refusal(500, "InternalServerException")).await;
    let aws_there = aws(&server, by_key());
    let late = Timestamp::now() + SignedDuration::from_secs(2);
    let error = upgrade(&aws_there, late, DEADLINE).await.unwrap_err();
    assert_eq!((error.outcome(), calls(&server, "UpgradeAccountPlan")), (Outcome::NotSent, 0), "{error}");
}

#[tokio::test]
async fn an_upgrade_that_nobody_listens_to_was_surely_not_sent() {
    let _ = rustls::crypto::ring::default_provider().install_default(); // or another test has
    let endpoint = Some("https://127.0.0.1:1/".parse().unwrap());
    let connections = Connections::new(Settings { endpoint, ..Settings::default() }).unwrap();
    let keys = aws_sdk_freetier::config::Credentials::new(KEY_ID, KEY, None, None, "test");
    let client = aws_sdk_freetier::Client::new(&connections.upgrading(keys, soon(), &Heard::default()));
    let error = client.upgrade_account_plan().account_plan_type("PAID".into()).send().await.unwrap_err();
    let failure = Failure::from(error);
    assert!(matches!(failure, Failure::NotSent(_)), "{failure:?}");
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_its_end() {
    let large = format!(r#"{{"accountId":"{}"}}"#, "1".repeat(2 << 20));
    let answered = json(200, &large);
    let server = server(move |_, called| (called == "GetAccountPlanState").then(|| answered.clone())).await;
    let error = aws(&server, by_key()).observe(&account(), &Timestamp::now, DEADLINE).await.unwrap_err();
    assert!(matches!(&error, ProviderError::Protocol { detail } if detail.contains("larger than")), "{error}");
}
