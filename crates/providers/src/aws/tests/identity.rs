//! Who the operator is to AWS.

use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;

use super::*;
use crate::Assertions;
use crate::aws::{Role, RoleId};
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
    Credential::WebIdentity { role: RoleId::Arn(ROLE.to_owned()), assertions }
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
    let role = Some(Role { id: RoleId::Arn(ROLE.to_owned()), external_id: Some("team-a@example".to_owned()) });
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

/// The form fields of a call of STS.
fn field(request: &Request, name: &str) -> Option<String> {
    let form = url::form_urlencoded::parse(request.body.as_bytes()).into_owned();
    form.into_iter().find(|(found, _)| found == name).map(|(_, value)| value)
}

/// STS to which every role is open, and whose sessions belong to the account of the role.
fn in_each_account(request: &Request, called: &str) -> Option<Reply> {
    let of_role = |arn: &str| arn.split(':').nth(4).unwrap().to_owned();
    match called {
        "AssumeRole" | "AssumeRoleWithWebIdentity" => {
            let Reply::Bytes(bytes) = session(called, 3600) else { unreachable!() };
            let account = of_role(&field(request, "RoleArn").unwrap());
            Some(Reply::Bytes(
                String::from_utf8(bytes).unwrap().replace("ASIASESSION", &format!("ASIA{account:x<16}")).into_bytes(),
            ))
        }
        "GetCallerIdentity" => {
            let signed = request.header("authorization").unwrap();
            Some(caller(
                [ID, OTHER].into_iter().find(|id| signed.contains(&format!("ASIA{id}"))).unwrap_or("999999999999"),
            ))
        }
        "GetAccountPlanState" if request.header("authorization").unwrap().contains(&format!("ASIA{OTHER}")) => {
            Some(json(200, &free("57.31").replace(ID, OTHER)))
        }
        _ => None,
    }
}

fn by_name(external_id: Option<&str>) -> Credential {
    let id = RoleId::Name("billing/payg-operator".to_owned());
    Credential::AccessKey { key: key(None), role: Some(Role { id, external_id: external_id.map(str::to_owned) }) }
}

async fn read_one(aws: &Aws, id: &str) -> Result<(), ProviderError> {
    let account = AccountId::parse("aws", id).unwrap();
    aws.observe(&account, &Timestamp::now, DEADLINE).await.map(|_| ())
}

#[tokio::test]
async fn a_role_by_name_is_the_one_of_each_account_and_its_session_is_kept() {
    let assertions = Assertions::new(|| async { Ok(TOKEN.into()) });
    let id = RoleId::Name("billing/payg-operator".to_owned());
    for (credential, action) in [
        (by_name(Some("agreed")), "AssumeRole"),
        (Credential::WebIdentity { role: id, assertions }, "AssumeRoleWithWebIdentity"),
    ] {
        let server = server(in_each_account).await;
        let aws = aws(&server, credential);
        for id in [ID, OTHER, ID, OTHER] {
            read_one(&aws, id).await.unwrap();
        }
        let asked: Vec<_> = server.all_requests().into_iter().filter(|request| called(request) == action).collect();
        let roles: Vec<_> = asked.iter().map(|request| field(request, "RoleArn").unwrap()).collect();
        assert_eq!(roles, [ID, OTHER].map(|id| format!("arn:aws:iam::{id}:role/billing/payg-operator")), "{action}");
        if action == "AssumeRole" {
            assert!(asked.iter().all(|request| field(request, "ExternalId").as_deref() == Some("agreed")));
        }
    }
}

#[tokio::test]
async fn a_session_of_another_account_is_not_used() {
    let server = server(|request, called| match called {
        "GetCallerIdentity" => Some(caller(OTHER)),
        _ => in_each_account(request, called),
    })
    .await;
    let seen = read_one(&aws(&server, by_name(None)), ID).await.unwrap_err();
    assert!(matches!(&seen, ProviderError::WrongAccount { found } if found.contains(OTHER)), "{seen}");
    assert_eq!(calls(&server, "GetAccountPlanState"), 0);
}

#[tokio::test]
async fn a_survey_of_a_role_by_name_is_one_call_and_lists_no_account() {
    let server = server(in_each_account).await;
    let aws = aws(&server, by_name(None));
    read_one(&aws, ID).await.unwrap();
    read_one(&aws, OTHER).await.unwrap();
    let before = server.all_requests().len();
    let survey = aws.survey(DEADLINE).await.unwrap();
    assert_eq!(survey.accounts, None);
    assert!(survey.seen.contains("AWS account 999999999999"), "{}", survey.seen);
    let asked = server.all_requests().split_off(before);
    assert_eq!(asked.iter().map(called).collect::<Vec<_>>(), ["GetCallerIdentity"]);
}

#[tokio::test]
async fn a_survey_of_a_role_by_name_by_token_asks_aws_nothing_and_fails_without_a_token() {
    let server = server(|_, _| panic!("asked")).await;
    let role = || RoleId::Name("payg-operator".to_owned());
    let assertions = Assertions::new(|| async { Ok(TOKEN.into()) });
    let survey = aws(&server, Credential::WebIdentity { role: role(), assertions }).survey(DEADLINE).await.unwrap();
    assert!(survey.seen.contains("without an account"), "{}", survey.seen);
    let none = Assertions::new(|| async { Err(ProviderError::Config { detail: "no token".to_owned() }) });
    let error = aws(&server, Credential::WebIdentity { role: role(), assertions: none }).survey(DEADLINE).await;
    assert!(matches!(error, Err(ProviderError::Config { .. })), "{error:?}");
    assert!(server.all_requests().is_empty());
}

/// STS never answers for one account.
#[tokio::test]
async fn an_account_that_is_slow_or_refuses_delays_no_other() {
    let server = server(|request, called| match called {
        "AssumeRole" if request.body.contains(ID) => Some(Reply::Nothing),
        "AssumeRole" if request.body.contains("111111111111") => Some(sts_error(403, "AccessDenied")),
        _ => in_each_account(request, called),
    })
    .await;
    let aws = aws(&server, by_name(None));
    let (slow, refused, other) = tokio::join!(
        tokio::time::timeout(Duration::from_secs(3), read_one(&aws, ID)),
        read_one(&aws, "111111111111"),
        tokio::time::timeout(Duration::from_secs(2), read_one(&aws, OTHER)),
    );
    assert!(slow.is_err(), "it is still waiting: {slow:?}");
    other.expect("it does not wait for the other account").unwrap();
    let told = refused.unwrap_err();
    let arn = "arn:aws:iam::111111111111:role/billing/payg-operator";
    assert!(matches!(&told, ProviderError::Forbidden { permission, .. } if permission.contains(arn)), "{told}");
}

#[tokio::test]
async fn two_who_ask_for_one_account_at_once_have_its_role_assumed_once() {
    let server = server(in_each_account).await;
    let aws = aws(&server, by_name(None));
    let (one, two) = tokio::join!(read_one(&aws, ID), read_one(&aws, ID));
    one.and(two).unwrap();
    assert_eq!(calls(&server, "AssumeRole"), 1);
}
