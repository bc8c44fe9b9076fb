use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::server::{Reply, Request, Server, error, json, reply};
use super::{DEADLINE, ID, TENANT, TOKEN, account, azure, settings};
use crate::azure::terms::Trial;
use crate::azure::{AzureCloud, Settings, UpgradeMethod, portal};
use crate::{Accepted, BillingProvider, UpgradeRequest};
use payg_core::observation::Lifecycle;
use payg_core::provider::{Method, Outcome, ProviderError};
use payg_core::transition::Transition;
use payg_fixtures::given::{Given, due};

pub(super) fn transition() -> Transition {
    due().transition()
}

pub(super) fn seconds_from_now(seconds: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + seconds).unwrap()
}

pub(super) async fn upgrade_with(
    settings: Settings,
    not_after: Timestamp,
    deadline: Duration,
) -> Result<Accepted, ProviderError> {
    let (transition, key) = (transition(), account().upgrade_key().idempotency_key());
    let request = UpgradeRequest { transition: &transition, key, not_after, deadline };
    azure(settings, UpgradeMethod::Broker).upgrade(&account(), request).await
}

async fn upgrade(answer: Reply) -> (Result<Accepted, ProviderError>, Vec<Request>) {
    let server = Server::granting(move |_| answer.clone()).await;
    (upgrade_with(settings(&server), seconds_from_now(30), DEADLINE).await, server.requests())
}

fn with_status(status: u16) -> Reply {
    if status < 300 { json(status, r#"{"properties":{}}"#) } else { error(status, "SomeCode") }
}

#[tokio::test]
async fn an_upgrade_is_one_request() {
    let (result, requests) = upgrade(with_status(202)).await;
    assert!(result.unwrap().message.contains("202"));
    let [request] = &requests[..] else { panic!("{requests:?}") };
    let target = format!("/broker/subscriptions/{ID}/providers/PaygOperator.Broker/upgrade?api-version=2026-11-01");
    assert_eq!(request.line, format!("POST {target}"));
    assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    let key = account().upgrade_key().idempotency_key().to_string();
    assert_eq!(request.header("idempotency-key"), Some(key.as_str()));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert!(request.header("x-ms-client-request-id").is_some());
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(body, serde_json::json!({"properties": {"targetOffer": "PayAsYouGo", "acceptCharges": true}}));
}

#[tokio::test]
async fn every_status_has_its_meaning() {
    let status = Arc::new(AtomicU16::new(0));
    let said = Arc::clone(&status);
    let server = Server::granting(move |_| with_status(said.load(Ordering::Relaxed))).await;
    let azure = azure(settings(&server), UpgradeMethod::Broker);
    let (transition, key) = (transition(), account().upgrade_key().idempotency_key());
    let codes = [200..209, 226..227, 300..309, 400..432, 451..452, 499..512, 599..600];
    for (sent, code) in codes.into_iter().flatten().enumerate() {
        status.store(code, Ordering::Relaxed);
        let not_after = seconds_from_now(30);
        let request = UpgradeRequest { transition: &transition, key, not_after, deadline: DEADLINE };
        let result = azure.upgrade(&account(), request).await;
        assert_eq!(server.requests().len(), sent + 1, "{code}: sent more than once");
        let reason = result.map_err(|error| error.reason());
        match code {
            200..=202 => assert!(reason.is_ok(), "{code}: {reason:?}"),
            400 | 404 | 410 | 422 => assert_eq!(reason.unwrap_err(), "PreconditionFailed", "{code}"),
            401 => assert_eq!(reason.unwrap_err(), "Unauthenticated"),
            403 => assert_eq!(reason.unwrap_err(), "Forbidden"),
            _ => assert_eq!(reason.unwrap_err(), "OutcomeUnknown", "{code}"),
        }
    }
}

#[tokio::test]
async fn a_rejection_says_why() {
    let (result, _) = upgrade(error(422, "PaymentMethodRequired")).await;
    let Err(ProviderError::Precondition { code, detail }) = result else { panic!("{result:?}") };
    assert_eq!(code, "PaymentMethodRequired");
    assert!(detail.contains("it said why") && detail.contains(ID) && detail.contains("/broker"), "{detail}");
}

/// A gateway may answer so although the broker took the request.
#[tokio::test]
async fn only_the_brokers_own_error_rejects() {
    for status in [400, 401, 403, 404, 410, 422] {
        for answer in [
            reply(status, "content-type: text/html\r\n", "<html>"),
            reply(status, "", ""),
            json(status, "{}"),
            json(status, r#"{"error": "no"}"#),
            json(status, r#"{"error": {"code": "", "message": "no"}}"#),
        ] {
            let (result, _) = upgrade(answer).await;
            assert!(matches!(result, Err(ProviderError::OutcomeUnknown { .. })), "{status}: {result:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_proves_nothing_leaves_the_outcome_unknown() {
    let cut = |text: &str| Reply::Bytes(text.as_bytes().to_vec());
    let json_head = "HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\n";
    for (name, answer) in [
        ("nothing at all", cut("")),
        ("half a head", cut("HTTP/1.1 202 Acc")),
        ("no HTTP", cut("SSH-2.0-OpenSSH\r\n")),
        ("a head", cut(&format!("{json_head}content-length: 20\r\n\r\n"))),
        ("half a body", cut(&format!("{json_head}content-length: 20\r\n\r\n{{\"prop"))),
        ("half a chunk", cut(&format!("{json_head}transfer-encoding: chunked\r\n\r\n14\r\n{{\"prop"))),
        ("half a body, without a length", cut(&format!("{json_head}\r\n{{\"prop"))),
        ("no body, without a length", cut(&format!("{json_head}\r\n"))),
        ("a page", reply(200, "content-type: text/html\r\n", "<html>Sign in</html>")),
        ("no JSON", json(200, "ok")),
        ("a list", json(201, "[]")),
        ("no body", json(200, "")),
        ("no content", reply(204, "", "")),
        ("a redirect", reply(307, "location: https://127.0.0.1:1/\r\n", "")),
        ("half a rejection", cut("HTTP/1.1 422 No\r\ncontent-length: 20\r\n\r\n{")),
        ("too large", json(200, &" ".repeat(2 << 20))),
        ("conflict", error(409, "OperationInProgress")),
        ("slow down", reply(429, "retry-after: 1\r\n", "")),
    ] {
        let (result, requests) = upgrade(answer).await;
        let error = result.expect_err(name);
        assert_eq!(error.reason(), "OutcomeUnknown", "{name}: {error}");
        assert!(error.to_string().contains(ID), "{name}: {error}");
        assert_eq!(requests.len(), 1, "{name}: sent more than once");
    }
    let (result, _) = upgrade(reply(202, "", "")).await;
    assert!(result.is_ok(), "an empty body that is declared is not a lost one");
}

#[tokio::test]
async fn a_broker_that_never_answers_is_left_at_the_deadline() {
    let server = Server::granting(|_| Reply::Nothing).await;
    let began = std::time::Instant::now();
    let result = upgrade_with(settings(&server), seconds_from_now(30), Duration::from_secs(1)).await;
    assert_eq!(result.unwrap_err().reason(), "OutcomeUnknown");
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn without_a_connection_nothing_is_sent() {
    let server = Server::granting(|_| with_status(202)).await;
    // A port on which nobody listens, and one on which somebody hangs up.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rude = listener.local_addr().unwrap().port();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let untrusted = Server::granting(|_| with_status(202)).await;
    for port in [closed, rude, untrusted.url("").port().unwrap()] {
        let mut settings = settings(&server);
        settings.broker.as_mut().unwrap().url.set_port(Some(port)).unwrap();
        let error = upgrade_with(settings, seconds_from_now(30), DEADLINE).await.unwrap_err();
        assert_eq!(error.reason(), "ProviderUnreachable", "{error}");
        assert!(error.to_string().contains("was not sent"), "{error}");
    }
    assert!(untrusted.all_requests().is_empty());
}

#[tokio::test]
async fn nothing_is_sent_when_it_is_too_late() {
    let server = Server::granting(|_| with_status(202)).await;
    // Also when the connection may take until it is too late.
    for seconds in [-3600, -1, 0, 4] {
        let error = upgrade_with(settings(&server), seconds_from_now(seconds), DEADLINE).await.unwrap_err();
        assert_eq!(error.reason(), "ProviderUnreachable", "{seconds}");
        assert!(error.to_string().contains("was not sent"), "{error}");
    }
    assert!(server.requests().is_empty());
    assert!(!server.all_requests().is_empty(), "the token comes before the last look at the clock");
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    for (answer, reason) in [
        (json(401, r#"{"error":"invalid_client","error_codes":[7000222]}"#), "ProviderUnreachable"),
        (reply(429, "", ""), "Throttled"),
        (reply(503, "", ""), "ProviderUnreachable"),
        (json(200, "{}"), "ProviderUnreachable"),
        (Reply::Nothing, "ProviderUnreachable"),
    ] {
        let server = Server::start(move |_| answer.clone()).await;
        let result = upgrade_with(settings(&server), seconds_from_now(30), Duration::from_secs(1)).await;
        let error = result.unwrap_err();
        assert_eq!(error.reason(), reason);
        assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
        assert!(server.requests().is_empty());
        assert!(server.all_requests()[0].body.contains("scope=api%3A%2F%2Fbroker%2F.default"));
    }
}

#[tokio::test]
async fn the_portal_is_a_persons() {
    let server = Server::granting(|_| Reply::Nothing).await;
    let azure = azure(settings(&server), UpgradeMethod::PortalHandoff);
    let capabilities = azure.capabilities(&account()).unwrap();
    assert_eq!((capabilities.method, capabilities.endpoint.as_str()), (Method::Portal, "https://portal.azure.com"));
    let (transition, key) = (transition(), account().upgrade_key().idempotency_key());
    let not_after = seconds_from_now(30);
    let request = UpgradeRequest { transition: &transition, key, not_after, deadline: DEADLINE };
    assert_eq!(azure.upgrade(&account(), request).await.unwrap_err().reason(), "Unsupported");
    assert!(server.all_requests().is_empty());
}

#[test]
fn each_trial_has_its_page_and_its_needs() {
    let handoff = |cloud, trial, lifecycle: Lifecycle| {
        portal::handoff(cloud, TENANT, Uuid::parse_str(ID).unwrap(), trial, &lifecycle)
    };
    let support = "blade/Microsoft_Azure_Support/HelpAndSupportBlade/newsupportrequest";
    for (cloud, host) in [
        (AzureCloud::Public, "https://portal.azure.com"),
        (AzureCloud::UsGovernment, "https://portal.azure.us"),
        (AzureCloud::China, "https://portal.azure.cn"),
    ] {
        let limit = format!("blade/Microsoft_Azure_Billing/RemoveSpendingLimitBlade/subscriptionId/{ID}");
        for (trial, url, needs) in [
            (Trial::Free, format!("{host}/{TENANT}#{limit}"), "neither virtual nor prepaid"),
            (Trial::Students, format!("{host}/#@{TENANT}/resource/subscriptions/{ID}/overview"), support),
            (Trial::Imagine, format!("{host}/{TENANT}#{support}"), "a request to Azure support"),
        ] {
            let works = handoff(cloud, trial, Lifecycle::Active);
            assert_eq!(works.url, url);
            assert!(works.needs.contains(needs) && works.needs.contains("account administrator"), "{}", works.needs);
            assert!(!works.needs.contains("come back") && !works.needs.ends_with('.'), "{}", works.needs);
            let restricted = handoff(cloud, trial, Lifecycle::Restricted);
            assert!(restricted.needs.contains("come back with the upgrade, and are charged"), "{}", restricted.needs);
        }
    }
}

#[tokio::test]
async fn a_broker_must_be_configured() {
    let server = Server::granting(|_| Reply::Nothing).await;
    let with = azure(settings(&server), UpgradeMethod::Broker);
    let capabilities = with.capabilities(&account()).unwrap();
    assert_eq!((capabilities.method, capabilities.endpoint), (Method::Broker, server.url("/broker/").to_string()));
    let without = azure(Settings { broker: None, ..settings(&server) }, UpgradeMethod::Broker);
    let error = without.capabilities(&account()).unwrap_err();
    assert_eq!(error.reason(), "InvalidConfiguration");
    assert!(error.to_string().contains("--azure-broker-url"), "{error}");
}
