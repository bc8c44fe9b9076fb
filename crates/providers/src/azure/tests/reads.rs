use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::server::{Reply, Request, Server, error, json, reply};
use super::{DEADLINE, ID, TENANT, TOKEN, account, azure, settings, time};
use crate::BillingProvider;
use crate::azure::UpgradeMethod;
use payg_core::account::AccountId;
use payg_core::observation::{Acceptance, Lifecycle, Observation};
use payg_core::offer::{BenefitKind, BenefitState, OfferClass};
use payg_core::provider::ProviderError;

const NOW: &str = "2025-02-02T03:04:06Z";
const SUBSCRIPTION: &str = r#"{"id":"/subscriptions/6f1a3c1e-0000-4a00-9000-00000000f7ee","authorizationSource":"RoleBased",
    "managedByTenants":[],"subscriptionId":"6F1A3C1E-0000-4A00-9000-00000000F7EE","displayName":"Free Trial",
    "tenantId":"72f988bf-0000-4a00-9000-0000000000aa","state":"Disabled","subscriptionPolicies":{
    "locationPlacementId":"Public_2014-09-01","quotaId":"FreeTrial_2014-09-01","spendingLimit":"On"},"new":{}}"#;
const BILLING: &str = r#"{"id":"/subscriptions/6f1a3c1e-0000-4a00-9000-00000000f7ee/providers/Microsoft.Billing/billingProperty/default",
    "name":"default","type":"Microsoft.Billing/billingProperty","properties":{"isAccountAdmin":false,
    "billingAccountAgreementType":"MicrosoftOnlineServicesProgram","subscriptionBillingType":"Free",
    "subscriptionBillingStatusDetails":[{"effectiveDate":"2025-02-01T00:00:00Z","reason":"SpendingLimitReached"}]}}"#;

async fn observe(server: &Server) -> Result<Observation, ProviderError> {
    let azure = azure(settings(server), UpgradeMethod::PortalHandoff);
    azure.observe(&account(), &|| time(NOW), DEADLINE).await
}

/// An observation of a subscription that is answered by `first`, and a billing property that is answered by `second`.
async fn read_account(first: Reply, second: Reply) -> (Result<Observation, ProviderError>, Vec<Request>) {
    let answer = move |request: &Request| {
        if request.line.contains("billingProperty") { second.clone() } else { first.clone() }
    };
    let server = Server::granting(answer).await;
    (observe(&server).await, server.requests())
}

#[tokio::test]
async fn an_account_is_read_from_two_answers() {
    let (seen, requests) = read_account(json(200, SUBSCRIPTION), json(200, BILLING)).await;
    let seen = seen.unwrap();
    assert_eq!(seen.lifecycle, Lifecycle::Restricted);
    assert_eq!((seen.offer.class, seen.offer.native.as_str()), (OfferClass::FreeTrial, "FreeTrial_2014-09-01"));
    assert_eq!(seen.acceptance, Acceptance::NotAccepted);
    assert_eq!(seen.benefit(BenefitKind::Credit).unwrap().state, BenefitState::Exhausted);
    assert_eq!(seen.owner.as_deref(), Some(TENANT.to_string().as_str()));
    assert_eq!((seen.observed, seen.provider_time), (time(NOW), Some(time("2025-02-02T03:04:05Z"))));
    let lines: Vec<_> = requests.iter().map(|request| request.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            format!("GET /subscriptions/{ID}?api-version=2022-12-01"),
            format!(
                "GET /subscriptions/{ID}/providers/Microsoft.Billing/billingProperty/default?api-version=2024-04-01"
            ),
        ]
    );
    for request in &requests {
        assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
        assert_eq!(request.header("user-agent"), Some(concat!("payg-operator/", env!("CARGO_PKG_VERSION"))));
        assert_eq!(request.header("accept-language"), Some("en-US"));
        assert_eq!(request.header("x-ms-return-client-request-id"), Some("true"));
    }
    let id = |index: usize, name: &str| requests[index].header(name).unwrap();
    assert_ne!(id(0, "x-ms-client-request-id"), id(1, "x-ms-client-request-id"), "one for each request");
    assert_eq!(id(0, "x-ms-correlation-request-id"), id(1, "x-ms-correlation-request-id"), "one for the look");
    assert_eq!(seen.unread, []);
}

#[tokio::test]
async fn an_azure_plan_whose_billing_tells_too_little_is_remarked_on() {
    let plan = SUBSCRIPTION.replace("FreeTrial_2014-09-01", "EnterpriseAgreement_2014-09-01");
    for (billing, remarked, unread) in [
        (json(200, BILLING), true, 0),
        (error(400, "NoRegisteredProviderFound"), true, 0),
        (json(200, &BILLING.replace("MicrosoftOnlineServicesProgram", "EnterpriseAgreement")), false, 0),
        // There a permission would tell.
        (error(403, "AuthorizationFailed"), false, 1),
    ] {
        let (seen, _) = read_account(json(200, &plan), billing).await;
        let seen = seen.unwrap();
        assert_eq!(seen.unread.len(), unread, "{seen:?}");
        assert_eq!(seen.remarks.iter().any(|remark| remark.contains("whether it is a trial")), remarked, "{seen:?}");
    }
    let (seen, _) =
        read_account(json(200, &SUBSCRIPTION.replace("FreeTrial_2014-09-01", "New_2031-01-01")), json(200, BILLING))
            .await;
    assert_eq!(seen.unwrap().remarks, Vec::<String>::new());
}

#[tokio::test]
async fn the_same_trouble_is_told_in_the_same_words_each_time() {
    let id = "0c4ab9f2-1c27-4f3a-9b0e-1a2b3c4d5e6f";
    let head = |id: &str| format!("content-type: application/json\r\nx-ms-request-id: {id}\r\n");
    let body = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"it said why"}}}}"#);
    let another = SUBSCRIPTION.replace("6F1A3C1E", "6F1A3C1F");
    for (status, body) in [
        (200, "{".to_owned()),
        (200, another),
        (302, String::new()),
        (400, body("BadRequest")),
        (401, body("InvalidAuthenticationToken")),
        (403, body("AuthorizationFailed")),
        (404, body("SubscriptionNotFound")),
        (503, body("ServerTimeout")),
    ] {
        let asked = AtomicUsize::new(0);
        let server = Server::granting(move |_| {
            let id = if asked.fetch_add(1, Ordering::Relaxed) == 0 { id } else { "0c4ab9f2; call 555-0100" };
            reply(status, &head(id), &body)
        })
        .await;
        let first = observe(&server).await.unwrap_err().to_string();
        let second = observe(&server).await.unwrap_err().to_string();
        assert_eq!(first, second, "{status}: a status would be written at every look");
        assert!(!first.contains(id) && !first.contains("555-0100"), "{status}: {first}");
    }
}

#[tokio::test]
async fn after_a_request_to_slow_down_nothing_is_asked_until_it_is_over() {
    let other = AccountId::parse("azure", "6f1a3c1e-0000-4a00-9000-000000000002").unwrap();
    let server = Server::granting(|_| reply(429, "retry-after: 100\r\n", "")).await;
    let azure = azure(settings(&server), UpgradeMethod::PortalHandoff);
    azure.observe(&account(), &|| time(NOW), DEADLINE).await.unwrap_err();
    // Each subscription is counted by itself, and so is the list.
    for (account, requests) in [(account(), 1), (other, 2)] {
        let error = azure.observe(&account, &|| time(NOW), DEADLINE).await.unwrap_err();
        let ProviderError::Throttled { retry_after: Some(left) } = error else { panic!("{error}") };
        assert!((90..=100).contains(&left.as_secs()), "{left:?}");
        assert_eq!(server.requests().len(), requests);
    }
    azure.survey(DEADLINE).await.unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn an_account_that_is_no_trial_needs_no_second_answer() {
    let paid = SUBSCRIPTION.replace("FreeTrial_2014-09-01", "PayAsYouGo_2014-09-01");
    let (seen, requests) = read_account(json(200, &paid), error(500, "InternalServerError")).await;
    assert_eq!(seen.unwrap().offer.class, OfferClass::PayAsYouGo);
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn every_answer_that_is_not_an_account_is_told_apart() {
    let html = |status| reply(status, "content-type: text/html\r\n", "<html>Sign in</html>");
    let without = |part: &str| json(200, &SUBSCRIPTION.replace(part, ""));
    let streamed =
        [b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n".to_vec(), vec![b' '; 2 << 20]].concat();
    for (name, answer, reason) in [
        ("a page", html(200), "UnexpectedAnswer"),
        ("no type", reply(200, "", SUBSCRIPTION), "UnexpectedAnswer"),
        ("another type", reply(200, "content-type: text/json\r\n", SUBSCRIPTION), "UnexpectedAnswer"),
        ("no JSON", json(200, "{"), "UnexpectedAnswer"),
        ("nothing", json(200, ""), "UnexpectedAnswer"),
        ("a list", json(200, "[]"), "UnexpectedAnswer"),
        ("no content", reply(204, "", ""), "UnexpectedAnswer"),
        ("no state", without(r#""state":"Disabled","#), "UnexpectedAnswer"),
        ("no offer", without(r#""quotaId":"FreeTrial_2014-09-01","#), "UnexpectedAnswer"),
        ("no id", without(r#""subscriptionId":"6F1A3C1E-0000-4A00-9000-00000000F7EE","#), "UnexpectedAnswer"),
        ("a state that is a number", json(200, &SUBSCRIPTION.replace(r#""Disabled""#, "1")), "UnexpectedAnswer"),
        ("an id that is none", json(200, &SUBSCRIPTION.replace("6F1A3C1E-0000-", "")), "UnexpectedAnswer"),
        ("another account", json(200, &SUBSCRIPTION.replace("6F1A3C1E", "6F1A3C1F")), "WrongAccount"),
        ("too large", json(200, &" ".repeat(2 << 20)), "UnexpectedAnswer"),
        ("too large, without a length", Reply::Bytes(streamed), "UnexpectedAnswer"),
        ("a redirect", reply(307, "location: https://127.0.0.1:1/\r\n", ""), "UnexpectedAnswer"),
        ("not modified", reply(304, "", ""), "UnexpectedAnswer"),
        ("401", error(401, "InvalidAuthenticationToken"), "Unauthenticated"),
        ("403", error(403, "AuthorizationFailed"), "Forbidden"),
        ("404", error(404, "SubscriptionNotFound"), "Forbidden"),
        ("404 of something else", html(404), "UnexpectedAnswer"),
        ("403 of something else", html(403), "UnexpectedAnswer"),
        ("400", error(400, "DisallowedOperation"), "PreconditionFailed"),
        ("408", reply(408, "", ""), "ProviderUnreachable"),
        ("429", html(429), "Throttled"),
        ("500", html(500), "ProviderUnreachable"),
        ("503", error(503, "ServerTimeout"), "ProviderUnreachable"),
        ("no HTTP", Reply::Bytes(b"SSH-2.0-OpenSSH\r\n".to_vec()), "ProviderUnreachable"),
        ("closed", Reply::Bytes(Vec::new()), "ProviderUnreachable"),
        ("cut", Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{".to_vec()), "ProviderUnreachable"),
    ] {
        let (seen, requests) = read_account(answer, Reply::Nothing).await;
        let error = seen.unwrap_err();
        assert_eq!(error.reason(), reason, "{name}: {error}");
        assert_eq!(requests.len(), 1, "{name}: nothing below the engine tries again");
        assert!(reason == "Throttled" || error.to_string().contains(ID), "{name}: {error}");
    }
}

#[tokio::test]
async fn an_account_that_cannot_be_seen_is_not_called_deleted() {
    let (seen, _) = read_account(error(404, "SubscriptionNotFound"), Reply::Nothing).await;
    let error = seen.unwrap_err();
    assert!(error.to_string().contains("grant the application Reader on the subscription"), "{error}");
    assert!(matches!(error, ProviderError::Forbidden { permission, .. } if permission.ends_with("subscriptions/read")));
}

#[tokio::test]
async fn a_pause_is_read_in_both_its_forms() {
    for (header, seconds) in [
        ("retry-after: 17\r\n", Some(17)),
        ("retry-after: Sun, 02 Feb 2025 03:05:05 GMT\r\n", Some(60)), // by the server's own clock
        ("retry-after: Sun, 02 Feb 2025 03:04:00 GMT\r\n", Some(0)),
        ("retry-after: 99999999999999999\r\n", Some(3600)),
        ("retry-after: 99999999999999999999999\r\n", Some(3600)),
        ("retry-after: Sunday, 02-Feb-25 03:05:05 GMT\r\n", Some(60)),
        ("retry-after: Sun Feb  2 03:05:05 2025\r\n", Some(60)),
        ("retry-after: Sun Feb  2 03:04:00 2025\r\n", Some(0)),
        ("retry-after: Fri, 01 Jan 9999 00:00:00 GMT\r\n", Some(3600)),
        // <https://github.com/microsoftgraph/microsoft-graph-docs-contrib/issues/17442>
        ("retry-after: 120.5\r\n", Some(120)),
        ("retry-after: 0.4\r\n", Some(0)),
        ("Retry-After:   17  \r\n", Some(17)),
        ("RETRY-AFTER: 17\r\n", Some(17)),
        ("retry-after-ms: 1500.9\r\n", Some(1)),
        ("retry-after-ms: -1\r\nretry-after: 17\r\n", Some(17)),
        ("retry-after: 120,5\r\n", None),
        ("retry-after: 1e3\r\n", None),
        ("retry-after: inf\r\n", None),
        ("retry-after: NaN\r\n", None),
        ("retry-after: .\r\n", None),
        ("retry-after: \r\n", None),
        ("retry-after: -0.5\r\n", None),
        ("retry-after: Sun, 32 Feb 2025 03:05:05 GMT\r\n", None),
        ("retry-after-ms: 1500\r\nretry-after: 17\r\n", Some(1)),
        ("x-ms-retry-after-ms: 2500\r\n", Some(2)),
        ("retry-after-ms: soon\r\nretry-after: 17\r\n", Some(17)),
        ("retry-after-ms: 99999999999999999\r\n", Some(3600)),
        ("x-ms-ratelimit-microsoft.consumption-retry-after: 9\r\n", Some(9)),
        ("retry-after: soon\r\n", None),
        ("retry-after: -5\r\n", None),
        ("", None),
    ] {
        let (seen, _) = read_account(reply(429, header, ""), Reply::Nothing).await;
        let ProviderError::Throttled { retry_after } = seen.unwrap_err() else { panic!("{header}") };
        assert_eq!(retry_after.map(|pause| pause.as_secs()), seconds, "{header}");
    }
}

#[tokio::test]
async fn where_the_billing_cannot_be_read_less_is_known() {
    for (answer, denied) in [
        (error(401, "NoClaims"), true),
        (error(403, "AuthorizationFailed"), true),
        (error(404, "NotFound"), true),
        // <https://github.com/Azure/azure-powershell/issues/10020>: billing does not always refuse in the words of Azure
        // Resource Manager.
        (json(401, r#""User is not authorized to access this resource.""#), true),
        (json(403, r#"{"Message":"User is not authorized."}"#), true),
        (json(403, "{"), true),
        (reply(401, "", ""), true),
        (reply(403, "content-type: text/html\r\n", "<html>"), true),
        (reply(403, "content-type: text/plain\r\n", "no"), true),
        // There is nothing to grant.
        (error(400, "DisallowedProvider"), false),
        (error(400, "DisallowedOperation"), false),
        (error(400, "InvalidResourceType"), false),
        (error(400, "NoRegisteredProviderFound"), false),
        (error(409, "MissingSubscriptionRegistration"), false),
    ] {
        let (seen, _) = read_account(json(200, SUBSCRIPTION), answer.clone()).await;
        let seen = seen.unwrap();
        let credit = seen.benefit(BenefitKind::Credit).unwrap();
        assert_eq!((credit.state, credit.source.name().as_str()), (BenefitState::Unknown, "subscription"));
        assert_eq!(!seen.unread.is_empty(), denied, "{answer:?}");
        let told = seen.unread.iter().all(|unread| {
            unread.permission == "Microsoft.Billing/billingProperty/read, as in the role Cost Management Reader"
        });
        assert!(told, "{:?}", seen.unread);
        // The Azure plan may be a free account, or anything else.
        let plan = SUBSCRIPTION.replace("FreeTrial_2014-09-01", "EnterpriseAgreement_2014-09-01");
        let (seen, _) = read_account(json(200, &plan), answer).await;
        let seen = seen.unwrap();
        assert_eq!((seen.offer.class, seen.eligible, !seen.unread.is_empty()), (OfferClass::Unknown, false, denied));
    }
}

#[tokio::test]
async fn trouble_with_the_billing_is_not_taken_for_less_knowledge() {
    for (name, answer, reason) in [
        ("500", error(500, "InternalServerError"), "ProviderUnreachable"),
        ("429", reply(429, "", ""), "Throttled"),
        ("400", error(400, "InvalidApiVersionParameter"), "PreconditionFailed"),
        ("404 of something else", reply(404, "content-type: text/html\r\n", "<html>"), "UnexpectedAnswer"),
        ("a page", reply(200, "content-type: text/html\r\n", "<html>"), "UnexpectedAnswer"),
        ("no properties", json(200, &BILLING.replace(r#""properties""#, r#""others""#)), "UnexpectedAnswer"),
        ("no id", json(200, &BILLING.replacen(r#""id""#, r#""ident""#, 1)), "UnexpectedAnswer"),
        ("an id of something else", json(200, &BILLING.replace("/subscriptions/", "/")), "UnexpectedAnswer"),
        ("another account", json(200, &BILLING.replace("6f1a3c1e", "6f1a3c1f")), "WrongAccount"),
        ("closed", Reply::Bytes(Vec::new()), "ProviderUnreachable"),
    ] {
        let (seen, requests) = read_account(json(200, SUBSCRIPTION), answer).await;
        assert_eq!(seen.unwrap_err().reason(), reason, "{name}");
        assert_eq!(requests.len(), 2, "{name}");
    }
}

#[tokio::test]
async fn foreign_texts_are_one_short_line() {
    let body = format!(r#"{{"error":{{"code":"AuthorizationFailed","message":"a\nb{}"}}}}"#, "é".repeat(100_000));
    let (seen, _) = read_account(json(403, &body), Reply::Nothing).await;
    let said = seen.unwrap_err().to_string();
    assert!(said.len() < 1500 && !said.contains('\n') && said.contains("AuthorizationFailed: a\\nb"), "{said}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_left_at_the_deadline() {
    let server = Server::granting(|_| Reply::Nothing).await;
    let azure = azure(settings(&server), UpgradeMethod::PortalHandoff);
    let seen = azure.observe(&account(), &|| time(NOW), Duration::from_millis(300)).await;
    assert_eq!(seen.unwrap_err().reason(), "ProviderUnreachable");
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_not_spoken_to() {
    let (server, other) = (Server::granting(|_| Reply::Nothing).await, Server::granting(|_| Reply::Nothing).await);
    let mut settings = settings(&server);
    settings.trust_anchor_pem = Some(other.certificate.clone().into_bytes());
    let azure = azure(settings, UpgradeMethod::PortalHandoff);
    let error = azure.observe(&account(), &|| time(NOW), DEADLINE).await.unwrap_err();
    assert_eq!(error.reason(), "ProviderUnreachable");
    assert!(server.all_requests().is_empty() && error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn an_account_of_another_cloud_is_refused() {
    let server = Server::granting(|_| Reply::Nothing).await;
    let azure = azure(settings(&server), UpgradeMethod::PortalHandoff);
    let aws = AccountId::parse("aws", "123456789012").unwrap();
    let seen = azure.observe(&aws, &|| time(NOW), DEADLINE).await;
    assert_eq!(seen.unwrap_err().reason(), "InvalidConfiguration");
    assert!(azure.capabilities(&aws).is_err() && server.all_requests().is_empty());
}
