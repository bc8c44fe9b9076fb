//! Bodies as they come: with a byte order mark, and with numbers as texts. What Azure, Microsoft Entra and the machine answer
//! means the same with and without.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::super::http::Answer;
use super::super::token::{self, Tokens};
use super::credit::{Answers, read_account, well, without_details};
use super::server::{Reply, Server, json};
use super::{CLIENT, SECRET, TENANT, azure, settings};
use crate::azure::{AzureCloud, Connections, Credential, UpgradeMethod};
use payg_core::provider::ProviderError;

/// The same answer with a byte order mark before its body.
fn marked(answer: &Reply) -> Reply {
    let Reply::Bytes(bytes) = answer else { return answer.clone() };
    let text = String::from_utf8(bytes.clone()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length = |count: usize| format!("content-length: {count}");
    let head = head.replace(&length(body.len()), &length(body.len() + 3));
    Reply::Bytes(format!("{head}\r\n\r\n\u{feff}{body}").into_bytes())
}

/// <https://github.com/Azure/azure-rest-api-specs/issues/42472>, <https://github.com/Azure/azure-sdk-for-js/issues/6780>: a byte
/// order mark before the JSON of Azure Resource Manager.
#[tokio::test]
async fn a_byte_order_mark_changes_nothing() {
    let refused = || super::server::error(403, "AuthorizationFailed");
    for (name, answers) in [
        ("all is read", well()),
        ("by the profile", without_details()),
        ("no balance", Answers { balance: refused(), ..well() }),
        ("no lots", Answers { lots: refused(), ..well() }),
        ("no profile", Answers { profile: refused(), ..without_details() }),
    ] {
        let (seen, lines) = read_account(answers.clone()).await;
        let server = Server::start({
            let answers = answers.clone();
            move |request| {
                let granted = json(200, super::GRANTED);
                marked(&if request.is_for_a_token() { granted } else { answers.to(request) })
            }
        })
        .await;
        let azure = azure(settings(&server), UpgradeMethod::PortalHandoff);
        let with_marks = super::credit::observe(&azure).await;
        assert_eq!(with_marks.unwrap(), seen.unwrap(), "{name}");
        assert_eq!(server.requests().len(), lines.len(), "{name}");
    }
}

/// The token that comes of `answer`, and how often it was asked for when it was needed twice.
async fn token(answer: &str, credential: Credential) -> (Result<String, ProviderError>, usize) {
    let answer = json(200, answer);
    let server = Server::start(move |_| answer.clone()).await;
    let connections = Connections::new(settings(&server)).unwrap();
    let authority = server.url("").as_str().trim_end_matches('/').to_owned();
    let tokens = Tokens::new(&connections, authority, TENANT, credential).unwrap();
    let first = tokens.get(AzureCloud::Public.scope()).await;
    let _ = tokens.get(AzureCloud::Public.scope()).await;
    (first.map(|token| token.secret().to_owned()), server.all_requests().len())
}

/// <https://github.com/MicrosoftDocs/azure-docs/issues/54997>, <https://github.com/ramosbugs/oauth2-rs/issues/191>: `expires_in` as
/// a text. A token is kept until five minutes before its end, and none is kept for longer than the issuer says.
#[tokio::test]
async fn the_lifetime_of_a_token_is_read_as_issuers_write_it() {
    let secret = || Credential::ClientSecret { client_id: CLIENT, secret: SECRET.into() };
    for (lifetime, asked) in [
        (r#","expires_in":3599"#, 1),
        (r#","expires_in":"3599""#, 1),
        (r#","expires_in":3599.0"#, 1),
        (r#","expires_in":"3599.9""#, 1),
        (r#","expires_in":3.599e3"#, 1),
        ("", 1),
        (r#","expires_in":null"#, 1),
        (r#","expires_in":"299""#, 2),
        (r#","expires_in":299.9"#, 2),
        (r#","expires_in":"0""#, 2),
    ] {
        let granted = format!(r#"{{"token_type":"Bearer","access_token":"the.token"{lifetime}}}"#);
        let (token, requests) = token(&granted, secret()).await;
        assert_eq!((token, requests), (Ok("the.token".to_owned()), asked), "{lifetime}");
    }
    for odd in [r#""""#, r#""soon""#, "-1", r#""-1""#, "true", "[3599]", "1e30", r#""4294967296""#, "0.5e400"] {
        let granted = format!(r#"{{"token_type":"Bearer","access_token":"the.token","expires_in":{odd}}}"#);
        assert!(matches!(token(&granted, secret()).await.0, Err(ProviderError::Protocol { .. })), "{odd}");
    }
}

/// What is passed on to whoever keeps the token.
#[test]
fn a_token_of_unsaid_lifetime_counts_for_minutes() {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let body = br#"{"token_type":"Bearer","access_token":"the.token"}"#.to_vec();
    let taken = token::check("https://login.example", &Answer { status: StatusCode::OK, headers, body }, None).unwrap();
    let taken: serde_json::Value = serde_json::from_slice(&taken).unwrap();
    assert_eq!(taken["expires_in"], 600);
}

#[tokio::test]
async fn the_end_of_a_machines_token_is_read_as_a_text_and_as_a_number() {
    let end = jiff::Timestamp::now() + Duration::from_hours(1);
    let end = end.as_second();
    for written in [format!("\"{end}\""), end.to_string(), format!("{end}.0"), format!("\"{end}.5\"")] {
        let granted = format!(
            r#"{{"access_token":"the.token","expires_on":{written},"token_type":"Bearer","resource":"https://management.azure.com"}}"#
        );
        let (token, requests) = token(&granted, Credential::ManagedIdentity { client_id: None }).await;
        assert_eq!((token, requests), (Ok("the.token".to_owned()), 1), "{written}");
    }
}
