use std::time::Duration;

use super::super::token::Tokens;
use super::server::{Reply, Server, json, reply};
use super::{DEADLINE, SECRET, TENANT, azure, settings};
use crate::azure::{Azure, AzureCloud, Connections, Credential, Settings, UpgradeMethod};
use payg_core::provider::ProviderError;

async fn check(answer: Reply) -> Result<(), ProviderError> {
    let server = Server::start(move |_| answer.clone()).await;
    let result = azure(settings(&server), UpgradeMethod::PortalHandoff).check(DEADLINE).await;
    assert_eq!(server.all_requests().len(), 1, "nothing below the engine tries again");
    let said = format!("{result:?}");
    assert!(!said.contains(SECRET), "{said}");
    result
}

fn refused(error: &str, code: u32) -> Reply {
    let description = format!("AADSTS{code}: the secret {SECRET} is no good. Trace ID: 1");
    json(401, &format!(r#"{{"error":"{error}","error_description":"{description}","error_codes":[{code}]}}"#))
}

#[tokio::test]
async fn a_token_is_asked_for_as_microsoft_entra_wants_it_and_kept() {
    let server = Server::granting(|_| Reply::Nothing).await;
    let azure = azure(settings(&server), UpgradeMethod::PortalHandoff);
    azure.check(DEADLINE).await.unwrap();
    azure.check(DEADLINE).await.unwrap();
    let requests = server.all_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].line, format!("POST /{TENANT}/oauth2/v2.0/token"));
    assert_eq!(requests[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    for field in [
        "client_id=00000000-0000-0000-0000-000000000011",
        "client_secret=the%7Esecret",
        "grant_type=client_credentials",
        "scope=https%3A%2F%2Fmanagement.azure.com%2F.default",
    ] {
        assert!(requests[0].body.split('&').any(|found| found == field), "{field}: {}", requests[0].body);
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let server = Server::start(|_| json(200, r#"{"token_type":"Bearer","expires_in":299,"access_token":"a"}"#)).await;
    let azure = azure(settings(&server), UpgradeMethod::PortalHandoff);
    azure.check(DEADLINE).await.unwrap();
    azure.check(DEADLINE).await.unwrap();
    assert_eq!(server.all_requests().len(), 2);
}

#[tokio::test]
async fn refused_credentials_are_explained_without_a_word_of_the_answer() {
    for (error, code, hint) in [
        ("invalid_client", 7_000_215, "invalid_client AADSTS7000215: the client secret is wrong"),
        ("invalid_client", 7_000_222, "the client secret has expired"),
        ("unauthorized_client", 700_016, "no such application"),
        ("invalid_request", 90_002, "there is no such tenant"),
        ("invalid_scope", 70_011, "check the scope"),
        ("invalid_client", 50_000, "https://login.microsoftonline.com/error?code=50000"),
        ("the~secret", 7_000_215, "error AADSTS7000215"),
    ] {
        let error = check(refused(error, code)).await.unwrap_err();
        assert_eq!(error.reason(), "Unauthenticated");
        assert!(error.to_string().contains(hint), "{error}");
    }
    let error = check(json(400, r#"{"error":"invalid_grant"}"#)).await.unwrap_err();
    assert_eq!(error.reason(), "Unauthenticated");
}

#[tokio::test]
async fn answers_without_a_token_are_told_apart() {
    let html = |status| reply(status, "content-type: text/html\r\n", "<html>the~secret</html>");
    let token = |rest: &str| json(200, &format!(r#"{{"token_type":"Bearer",{rest}}}"#));
    for (answer, reason) in [
        (reply(503, "", ""), "ProviderUnreachable"),
        (html(502), "ProviderUnreachable"),
        (reply(408, "", ""), "ProviderUnreachable"),
        (Reply::Bytes(Vec::new()), "ProviderUnreachable"),
        (Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec()), "ProviderUnreachable"),
        (html(200), "UnexpectedAnswer"),
        (html(403), "UnexpectedAnswer"),
        (reply(302, "location: https://example.com/the~secret\r\n", ""), "UnexpectedAnswer"),
        (json(200, "{"), "UnexpectedAnswer"),
        (token(r#""expires_in":3599"#), "UnexpectedAnswer"),
        (token(r#""access_token":"","expires_in":3599"#), "UnexpectedAnswer"),
        (token(r#""access_token":"the~secret\n","expires_in":3599"#), "UnexpectedAnswer"),
        (token(r#""access_token":"a","expires_in":-1"#), "UnexpectedAnswer"),
        (token(r#""access_token":"a","expires_in":"the~secret""#), "UnexpectedAnswer"),
        (token(r#""access_token":"a","expires_in":9223372036854775807"#), "UnexpectedAnswer"),
        (json(200, &" ".repeat(2 << 20)), "UnexpectedAnswer"),
    ] {
        let shown = format!("{answer:?}").chars().take(200).collect::<String>();
        assert_eq!(check(answer).await.unwrap_err().reason(), reason, "{shown}");
    }
    let error = check(reply(429, "retry-after: 17\r\n", "busy")).await.unwrap_err();
    assert_eq!(error, ProviderError::Throttled { retry_after: Some(Duration::from_secs(17)) });
    // The longest lifetime that fits is not odd, and nothing panics on it.
    check(token(r#""access_token":"a","expires_in":4294967295"#)).await.unwrap();
}

#[tokio::test]
async fn an_issuer_that_never_answers_is_left_at_the_deadline() {
    let server = Server::start(|_| Reply::Nothing).await;
    let azure = azure(settings(&server), UpgradeMethod::PortalHandoff);
    let error = azure.check(Duration::from_millis(200)).await.unwrap_err();
    assert_eq!(error.reason(), "ProviderUnreachable");
}

#[tokio::test]
async fn one_failure_is_an_answer_for_all_who_wait() {
    for (answer, reason, pause) in
        [(reply(429, "retry-after: 17\r\n", ""), "Throttled", 17), (reply(503, "", ""), "ProviderUnreachable", 5)]
    {
        let server = Server::start(move |_| answer.clone()).await;
        let azure = azure(settings(&server), UpgradeMethod::PortalHandoff);
        let (one, two, three) = tokio::join!(azure.check(DEADLINE), azure.check(DEADLINE), azure.check(DEADLINE));
        for result in [one, two, three, azure.check(DEADLINE).await] {
            assert_eq!(result.unwrap_err().reason(), reason);
        }
        assert_eq!(server.all_requests().len(), 1);
        // It is asked again when the pause is over.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(pause)).await;
        tokio::time::resume();
        azure.check(DEADLINE).await.unwrap_err();
        assert_eq!(server.all_requests().len(), 2);
    }
}

#[tokio::test]
async fn an_issuer_that_has_no_token_for_one_thing_is_asked_for_one_for_another() {
    let server = Server::start(|request| {
        if request.body.contains("broker") {
            return reply(429, "retry-after: 3600\r\n", "");
        }
        json(200, r#"{"token_type":"Bearer","expires_in":3599,"access_token":"a"}"#)
    })
    .await;
    let connections = Connections::new(settings(&server)).unwrap();
    let credential = Credential::ClientSecret { client_id: TENANT, secret: SECRET.into() };
    let authority = connections.authority(AzureCloud::Public);
    let tokens = Tokens::new(&connections, authority, TENANT, credential).unwrap();
    let (arm, broker) = ("https://management.azure.com/.default", "api://broker/.default");
    tokens.get(arm).await.unwrap();
    for _ in 0..2 {
        assert_eq!(tokens.get(broker).await.unwrap_err().reason(), "Throttled");
        tokens.get(arm).await.unwrap();
    }
    assert_eq!(server.all_requests().len(), 2, "each was asked for once");
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused() {
    let server = Server::granting(|_| Reply::Nothing).await;
    let secret = |secret: &'static str| Credential::ClientSecret { client_id: TENANT, secret: secret.into() };
    assert!(!format!("{:?}", secret(SECRET)).contains(SECRET));
    let connections = Connections::new(settings(&server)).unwrap();
    let empty = Azure::new(&connections, AzureCloud::Public, TENANT, secret(""), UpgradeMethod::Broker);
    assert!(empty.is_err_and(|error| error.reason() == "InvalidConfiguration"));
    for url in ["http://arm.example", "https://user:pass@arm.example", "https://arm.example/?a=b", "data:text/plain,"] {
        let broken = Settings { arm_endpoint: Some(url.parse().unwrap()), ..settings(&server) };
        let error = Connections::new(broken).unwrap_err();
        assert!(error.reason() == "InvalidConfiguration" && !error.to_string().contains("pass@"), "{error}");
    }
    for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let broken = Settings { trust_anchor_pem: Some(pem.into()), ..settings(&server) };
        assert_eq!(Connections::new(broken).unwrap_err().reason(), "InvalidConfiguration", "{pem}");
    }
}
