//! Who the operator is to AWS.

use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;

use super::*;
use crate::Assertions;
use crate::aws::Role;
use payg_core::provider::Outcome;

const ROLE: &str = "arn:aws:iam::123456789012:role/payg-operator";
const TOKEN: &str = "e30.eyJpc3MiOiJodHRwczovL2NsdXN0ZXIuZXhhbXBsZSIsInN1YiI6InN5c3RlbTpzZXJ2aWNlYWNjb3VudDp0ZWFtLWE6cGF5Zy1iaWxsaW5nIiwiYXVkIjoic3RzLmFtYXpvbmF3cy5jb20ifQ.c2ln";

/// Credentials of a session that ends in so many seconds.
fn session(action: &str, seconds: i64) -> Reply {
    let end = Timestamp::now() + SignedDuration::from_secs(seconds);
    xml(
        200,
        &format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
             <AccessKeyId>ASIASESSION</AccessKeyId><SecretAccessKey>s3ss10n~key</SecretAccessKey>\
             <SessionToken>s3ss10n~token</SessionToken><Expiration>{}</Expiration></Credentials></{action}Result></{action}Response>",
            end.strftime("%Y-%m-%dT%H:%M:%SZ")
        ),
    )
}

fn sts_error(status: u16, code: &str) -> Reply {
    xml(
        status,
        &format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>said s3ss10n~token</Message></Error></ErrorResponse>"
        ),
    )
}

fn by_token() -> Credential {
    let assertions = Assertions::new(|| async { Ok(TOKEN.into()) });
    Credential::WebIdentity { role_arn: ROLE.to_owned(), assertions }
}

async fn read_account(aws: &Aws) -> Result<(), ProviderError> {
    aws.observe(&account(), &Timestamp::now, DEADLINE).await.map(|_| ())
}

#[tokio::test]
async fn credentials_of_another_account_stop_before_anything_is_asked() {
    let server = server(|_, called| (called == "GetCallerIdentity").then(|| caller(OTHER))).await;
    let aws = aws(&server, by_key());
    let seen = read_account(&aws).await.unwrap_err();
    assert!(matches!(&seen, ProviderError::WrongAccount { found } if found.contains(OTHER)), "{seen}");
    let asked = upgrade(&aws, soon(), DEADLINE).await.unwrap_err();
    assert!(asked.outcome() == Outcome::NotSent && asked.to_string().contains(OTHER), "{asked}");
    assert_eq!(server.all_requests().len(), 1, "{:?}", server.all_requests());
}

#[tokio::test]
async fn a_service_account_becomes_the_role_that_trusts_it() {
    let server = server(|request, called| {
        (called == "AssumeRoleWithWebIdentity").then(|| {
            assert!(request.header("authorization").is_none(), "it is signed by nobody");
            let form: Vec<_> = url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
            let has = |name: &str, value: &str| form.contains(&(name.to_owned(), value.to_owned()));
            assert!(has("RoleArn", ROLE) && has("WebIdentityToken", TOKEN) && has("RoleSessionName", "payg-operator"));
            session("AssumeRoleWithWebIdentity", 3600)
        })
    })
    .await;
    let aws = aws(&server, by_token());
    read_account(&aws).await.unwrap();
    read_account(&aws).await.unwrap();
    assert_eq!(calls(&server, "AssumeRoleWithWebIdentity"), 1, "the session is kept");
    assert_eq!(calls(&server, "GetCallerIdentity"), 1, "and so is whose it is");
    let signed = server.all_requests().into_iter().find(|request| called(request) == "GetAccountPlanState").unwrap();
    assert_eq!(signed.header("x-amz-security-token"), Some("s3ss10n~token"));
}

#[tokio::test]
async fn a_session_is_renewed_before_it_ends() {
    let server =
        server(|_, called| (called == "AssumeRoleWithWebIdentity").then(|| session("AssumeRoleWithWebIdentity", 240)))
            .await;
    let aws = aws(&server, by_token());
    read_account(&aws).await.unwrap();
    read_account(&aws).await.unwrap();
    assert_eq!(calls(&server, "AssumeRoleWithWebIdentity"), 2, "four minutes are too few");
}

#[tokio::test]
async fn a_role_is_assumed_with_its_external_id() {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let server = server(|request, called| {
        (called == "AssumeRole").then(|| {
            ASKED.fetch_add(1, Ordering::Relaxed);
            assert!(request.header("authorization").unwrap().contains(KEY_ID), "signed with the key");
            assert!(request.body.contains("ExternalId=team-a%40example"), "{}", request.body);
            session("AssumeRole", 3600)
        })
    })
    .await;
    let role = Some(Role { arn: ROLE.to_owned(), external_id: Some("team-a@example".to_owned()) });
    let credential = Credential::AccessKey { key: key(None), role };
    read_account(&aws(&server, credential)).await.unwrap();
    assert_eq!(ASKED.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_role_that_does_not_trust_a_service_account_is_told_what_to_trust() {
    for (status, code, what) in [
        (403, "AccessDenied", "trust policy"),
        (400, "InvalidIdentityToken", "OIDC identity provider"),
        (400, "IDPCommunicationError", "cannot reach the issuer"),
    ] {
        let server =
            server(move |_, called| (called == "AssumeRoleWithWebIdentity").then(|| sts_error(status, code))).await;
        let told = read_account(&aws(&server, by_token())).await.unwrap_err().to_string();
        for part in [what, "https://cluster.example", "system:serviceaccount:team-a:payg-billing", "sts.amazonaws.com"]
        {
            assert!(told.contains(part), "{code}: {part} is not in: {told}");
        }
        assert!(!told.contains(TOKEN), "{told}");
    }
}

#[tokio::test]
async fn refused_credentials_are_explained_without_a_word_of_the_answer() {
    for code in ["InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken"] {
        let server = server(move |_, called| (called == "GetCallerIdentity").then(|| sts_error(403, code))).await;
        let error = read_account(&aws(&server, by_key())).await.unwrap_err();
        assert!(matches!(error, ProviderError::Unauthenticated { .. }), "{code}: {error}");
        let told = error.to_string();
        assert!(told.contains(code) && !told.contains("s3ss10n") && !told.contains(KEY), "{told}");
    }
}

#[tokio::test]
async fn a_session_that_lacks_a_part_is_not_used() {
    for part in ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"] {
        let Reply::Bytes(bytes) = session("AssumeRoleWithWebIdentity", 3600) else { unreachable!() };
        let whole = String::from_utf8(bytes).unwrap();
        let body = whole.split_once("\r\n\r\n").unwrap().1;
        let (before, rest) = body.split_once(&format!("<{part}>")).unwrap();
        let (_, after) = rest.split_once(&format!("</{part}>")).unwrap();
        let answer = xml(200, &format!("{before}{after}"));
        let server = server(move |_, called| (called == "AssumeRoleWithWebIdentity").then(|| answer.clone())).await;
        let error = read_account(&aws(&server, by_token())).await.unwrap_err();
        assert!(matches!(error, ProviderError::Protocol { .. }), "{part}: {error}");
        assert_eq!(calls(&server, "GetCallerIdentity"), 0, "{part}");
    }
}

/// The SDK takes the last of two.
#[tokio::test]
async fn credentials_that_are_there_twice_or_in_other_letters_are_not_used() {
    let Reply::Bytes(bytes) = session("AssumeRoleWithWebIdentity", 3600) else { unreachable!() };
    let whole = String::from_utf8(bytes).unwrap().split_once("\r\n\r\n").unwrap().1.to_owned();
    for part in ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "Credentials"] {
        let (before, rest) = whole.split_once(&format!("<{part}>")).unwrap();
        let (inner, after) = rest.split_once(&format!("</{part}>")).unwrap();
        let element = |name: &str, inner: &str| format!("<{name}>{inner}</{name}>");
        let once = element(part, inner);
        for odd in [
            format!("{once}{once}"),
            format!("{}{once}", element(part, "")),
            element(&part.to_ascii_lowercase(), inner),
            element(part, ""),
            element(part, &element("x", inner)),
        ] {
            let answer = xml(200, &format!("{before}{odd}{after}"));
            let server = server(move |_, called| (called == "AssumeRoleWithWebIdentity").then(|| answer.clone())).await;
            let error = read_account(&aws(&server, by_token())).await.unwrap_err();
            assert!(matches!(error, ProviderError::Protocol { .. }), "{odd}: {error}");
            assert_eq!(calls(&server, "GetCallerIdentity"), 0, "{odd}");
        }
    }
}

#[tokio::test]
async fn an_identity_needs_an_account_and_a_matching_arn() {
    let result = |inner: &str| {
        xml(
            200,
            &format!(
                "<GetCallerIdentityResponse><GetCallerIdentityResult>{inner}</GetCallerIdentityResult></GetCallerIdentityResponse>"
            ),
        )
    };
    let (arn, account) = (format!("<Arn>arn:aws:iam::{ID}:user/payg</Arn>"), format!("<Account>{ID}</Account>"));
    let other = format!("<Account>{OTHER}</Account>");
    for odd in [
        arn.clone(),
        account.clone(),
        format!("{arn}<Account></Account>"),
        format!("{arn}{account}{account}"),
        format!("{arn}{other}{account}"),
        format!("{arn}<account>{ID}</account>"),
        format!("{arn}{}", account.replace('3', "x")),
        // The two contradict each other.
        format!("<Arn>arn:aws:iam::{OTHER}:user/payg</Arn>{account}"),
        format!("<Arn>payg</Arn>{account}"),
    ] {
        let answer = result(&odd);
        let server = server(move |_, called| (called == "GetCallerIdentity").then(|| answer.clone())).await;
        let error = read_account(&aws(&server, by_key())).await.unwrap_err();
        assert!(matches!(error, ProviderError::Protocol { .. }), "{odd}: {error}");
        assert_eq!(server.all_requests().len(), 1, "{odd}: nothing is asked with them");
    }
}

#[tokio::test]
async fn secrets_are_in_no_debug_text() {
    let text = format!("{:?} {:?}", by_key(), by_token());
    assert!(!text.contains(KEY) && !text.contains(TOKEN), "{text}");
}

#[tokio::test]
async fn a_temporary_key_signs_with_the_token_of_its_session() {
    let server = server(|_, _| None).await;
    read_account(&aws(&server, Credential::AccessKey { key: key(Some("s3ss10n~token")), role: None })).await.unwrap();
    let requests = server.all_requests();
    for request in &requests {
        assert_eq!(request.header("x-amz-security-token"), Some("s3ss10n~token"), "{}", called(request));
        assert!(request.header("authorization").unwrap().contains("ASIATEMPORARY"));
    }
    assert!(requests.len() >= 2, "{requests:?}");
}
