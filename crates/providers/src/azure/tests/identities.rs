//! What the operator signs in with, other than a client secret.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use azure_core::http::{HttpClient, Method, Request as Asked};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use payg_test_kit::RsaCertificate;
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::server::{Reply, Request, Server, json as answer, reply};
use super::{CLIENT, DEADLINE, GRANTED, TENANT, settings};
use crate::azure::imds::Imds;
use crate::azure::{Azure, AzureCloud, Certificate, Connections, Credential, Settings, UpgradeMethod};
use crate::{Assertions, Secret};
use payg_core::provider::ProviderError;

const ORIGIN: &str = "the Secret `tls` in the namespace team-a";

/// A server whose answer can be changed, and connections to it.
struct Issuer {
    server: Server,
    answer: Arc<Mutex<Reply>>,
    connections: Connections,
}

impl Issuer {
    async fn answering(answer: Reply) -> Self {
        let answer = Arc::new(Mutex::new(answer));
        let current = Arc::clone(&answer);
        let server = Server::start(move |_| current.lock().unwrap().clone()).await;
        let connections = Connections::new(settings(&server)).unwrap();
        Self { server, answer, connections }
    }

    fn answers(&self, answer: Reply) {
        *self.answer.lock().unwrap() = answer;
    }

    fn azure(&self, cloud: AzureCloud, credential: Credential) -> Result<Azure, ProviderError> {
        Azure::new(&self.connections, cloud, TENANT, credential, UpgradeMethod::PortalHandoff)
    }

    fn requests(&self) -> Vec<Request> {
        self.server.all_requests()
    }
}

/// The fields of the form in a request for a token.
fn form(request: &Request) -> Vec<(String, String)> {
    url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect()
}

fn field(request: &Request, name: &str) -> Option<String> {
    form(request).into_iter().find(|(found, _)| found == name).map(|(_, value)| value)
}

fn part(token: &str, number: usize) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(number).unwrap()).unwrap()
}

/// A token of the ServiceAccount team-a/payg-billing as a cluster makes them, with nothing for a signature.
fn service_account_token() -> String {
    let claims = json!({"iss": "https://oidc.example/1", "sub": "system:serviceaccount:team-a:payg-billing",
        "aud": ["api://AzureADTokenExchange"]});
    format!("aGVhZA.{}.the~signature", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn federated() -> Credential {
    let assertions = Assertions::new(|| async { Ok(Secret::new(service_account_token())) });
    Credential::Federated { client_id: CLIENT, assertions }
}

#[tokio::test]
async fn a_token_of_a_service_account_takes_the_place_of_a_secret() {
    let issuer = Issuer::answering(answer(200, GRANTED)).await;
    let azure = issuer.azure(AzureCloud::Public, federated()).unwrap();
    azure.check(DEADLINE).await.unwrap();
    azure.check(DEADLINE).await.unwrap();
    let requests = issuer.requests();
    assert_eq!(requests.len(), 1, "the token is kept");
    assert_eq!(requests[0].line, format!("POST /{TENANT}/oauth2/v2.0/token"));
    let mut fields = form(&requests[0]);
    fields.sort();
    let expected = [
        ("client_assertion", service_account_token()),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
        ("client_id", CLIENT.to_string()),
        ("grant_type", "client_credentials".to_owned()),
        ("scope", "https://management.azure.com/.default".to_owned()),
    ];
    assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value)));
}

#[tokio::test]
async fn a_new_assertion_is_asked_for_with_each_new_token() {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let issuer = Issuer::answering(answer(200, r#"{"token_type":"Bearer","expires_in":299,"access_token":"a"}"#)).await;
    let assertions =
        Assertions::new(|| async { Ok(Secret::new(format!("a.{}.c", ASKED.fetch_add(1, Ordering::Relaxed)))) });
    let credential = Credential::Federated { client_id: CLIENT, assertions };
    let azure = issuer.azure(AzureCloud::Public, credential).unwrap();
    azure.check(DEADLINE).await.unwrap();
    azure.check(DEADLINE).await.unwrap();
    let shown: Vec<_> = issuer.requests().iter().map(|request| field(request, "client_assertion")).collect();
    assert_eq!(shown, [Some("a.0.c".to_owned()), Some("a.1.c".to_owned())]);
}

#[tokio::test]
async fn assertion_failures_are_reported_unchanged() {
    let issuer = Issuer::answering(answer(200, GRANTED)).await;
    let why = ProviderError::Forbidden { permission: "`create`".to_owned(), detail: "ask".to_owned() };
    let error = why.clone();
    let assertions = Assertions::new(move || std::future::ready(Err(error.clone())));
    let credential = Credential::Federated { client_id: CLIENT, assertions };
    assert_eq!(issuer.azure(AzureCloud::Public, credential).unwrap().check(DEADLINE).await, Err(why));
    assert_eq!(issuer.requests().len(), 0);
}

#[tokio::test]
async fn a_service_account_that_is_not_trusted_is_told_what_to_register() {
    let issuer = Issuer::answering(Reply::Nothing).await;
    for code in [70_021, 70_025, 700_211, 700_212, 700_213, 7_002_138] {
        let said = format!(
            r#"{{"error":"invalid_client","error_description":"AADSTS{code}: the~signature","error_codes":[{code}]}}"#
        );
        issuer.answers(answer(401, &said));
        let error = issuer.azure(AzureCloud::Public, federated()).unwrap().check(DEADLINE).await.unwrap_err();
        let told = error.to_string();
        for part in [
            &format!("AADSTS{code}"),
            "issuer `https://oidc.example/1`",
            "subject `system:serviceaccount:team-a:payg-billing`",
            "audience `api://AzureADTokenExchange`",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(error.reason() == "Unauthenticated" && !format!("{error:?}").contains("the~signature"), "{error:?}");
    }
}

/// The key of all certificates here but for one.
static PAIR: LazyLock<RsaCertificate> = LazyLock::new(|| RsaCertificate::new(2020..2100));

fn certificate(certificate_pem: &str, key_pem: &str) -> Credential {
    let certificate = Certificate {
        origin: ORIGIN.to_owned(),
        certificate_pem: certificate_pem.to_owned(),
        key_pem: Secret::new(key_pem.to_owned()),
    };
    Credential::Certificate { client_id: CLIENT, certificate }
}

#[tokio::test]
async fn a_certificate_signs_what_microsoft_entra_wants_to_see() {
    let issuer = Issuer::answering(answer(200, r#"{"token_type":"Bearer","expires_in":299,"access_token":"a"}"#)).await;
    let pair = &*PAIR;
    let mut ids = Vec::new();
    for key in [&pair.key_pem, &pair.pkcs1_pem] {
        let credential = certificate(&format!("{0}{0}", pair.certificate_pem), key);
        assert!(!format!("{credential:?}").contains(key.lines().nth(1).unwrap()));
        issuer.azure(AzureCloud::Public, credential).unwrap().check(DEADLINE).await.unwrap();
        let request = issuer.requests().pop().unwrap();
        let token = field(&request, "client_assertion").unwrap();
        assert_eq!(field(&request, "client_secret"), None);

        let der = CertificateDer::from_pem_slice(pair.certificate_pem.as_bytes()).unwrap();
        let header: Value = serde_json::from_slice(&part(&token, 0)).unwrap();
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&der));
        assert_eq!(header, json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint}));

        let claims: Value = serde_json::from_slice(&part(&token, 1)).unwrap();
        let audience = issuer.server.url(&format!("/{TENANT}/oauth2/v2.0/token"));
        assert_eq!(claims["aud"], audience.as_str());
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!(CLIENT.to_string()), &json!(CLIENT.to_string())));
        let now = Timestamp::now().as_second();
        let at = |name: &str| claims[name].as_i64().unwrap();
        assert!(at("nbf") <= now && at("iat") <= now && at("exp") > now && at("exp") <= now + 300, "{claims}");
        ids.push(claims["jti"].clone());

        let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
        let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &*parsed.public_key().subject_public_key.data);
        let (signed, _) = token.rsplit_once('.').unwrap();
        key.verify(signed.as_bytes(), &part(&token, 2)).unwrap();
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_certificate_that_cannot_work_is_explained() {
    let issuer = Issuer::answering(answer(200, GRANTED)).await;
    let (pair, other) = (&*PAIR, RsaCertificate::new(2020..2100));
    let (old, early) = (pair.renewed(2020..2021), pair.renewed(2090..2100));
    let elliptic = rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap();
    let elliptic_key = elliptic.signing_key.serialize_pem();
    for (certificate_pem, key_pem, says) in [
        ("nonsense", pair.key_pem.as_str(), "tls.crt is not a certificate in PEM"),
        (&pair.key_pem, &pair.key_pem, "tls.crt is not a certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &pair.key_pem, "that can be read"),
        (&elliptic.cert.pem(), &elliptic_key, "takes no other"),
        (&pair.certificate_pem, "nonsense", "tls.key is not an unencrypted RSA key in PEM"),
        (&pair.certificate_pem, &elliptic_key, "tls.key is not an RSA key"),
        (&pair.certificate_pem, &other.key_pem, "tls.key is not the key of the certificate in tls.crt"),
        (&old.certificate_pem, &old.key_pem, "has expired at 2021-01-01T00:00:00Z"),
        (&early.certificate_pem, &early.key_pem, "is not valid before 2090-01-01T00:00:00Z"),
    ] {
        let error = match issuer.azure(AzureCloud::Public, certificate(certificate_pem, key_pem)) {
            Ok(azure) => azure.check(DEADLINE).await.unwrap_err(),
            Err(error) => error,
        };
        let told = error.to_string();
        assert_eq!(error.reason(), "InvalidConfiguration", "{told}");
        assert!(told.starts_with(ORIGIN) && told.contains(says), "{says}: {told}");
        let leaks = key_pem.lines().any(|line| !line.starts_with('-') && line != "nonsense" && told.contains(line));
        assert!(!leaks, "{told}");
    }
    assert_eq!(issuer.requests().len(), 0);
}

#[tokio::test]
async fn every_cloud_has_its_own_scope_and_audience() {
    let issuer = Issuer::answering(answer(200, GRANTED)).await;
    let microsofts = Connections::new(Settings::default()).unwrap();
    for (cloud, scope, exchange, authority, arm) in [
        (
            AzureCloud::Public,
            "https://management.azure.com/.default",
            "api://AzureADTokenExchange",
            "https://login.microsoftonline.com",
            "https://management.azure.com",
        ),
        (
            AzureCloud::UsGovernment,
            "https://management.core.usgovcloudapi.net/.default",
            "api://AzureADTokenExchangeUSGov",
            "https://login.microsoftonline.us",
            "https://management.usgovcloudapi.net",
        ),
        (
            AzureCloud::China,
            "https://management.chinacloudapi.cn/.default",
            "api://AzureADTokenExchangeChina",
            "https://login.chinacloudapi.cn",
            "https://management.chinacloudapi.cn",
        ),
    ] {
        issuer.azure(cloud, federated()).unwrap().check(DEADLINE).await.unwrap();
        assert_eq!(field(issuer.requests().last().unwrap(), "scope").as_deref(), Some(scope));
        let machine = Credential::ManagedIdentity { client_id: None };
        let _ = issuer.azure(cloud, machine).unwrap().check(DEADLINE).await; // what is answered is no token of IMDS
        let resource = scope.trim_end_matches("/.default").replace(':', "%3A").replace('/', "%2F");
        assert!(issuer.requests().last().unwrap().line.contains(&format!("&resource={resource}")));
        assert_eq!((microsofts.authority(cloud).as_str(), microsofts.arm(cloud).as_str()), (authority, arm));
        assert_eq!(cloud.exchange_audience(), exchange);
    }
}

/// What the metadata service answers when all is well, with a token that is valid until then (seconds since 1970).
fn of_machine(until: i64) -> Reply {
    let body = json!({"access_token": "the.token", "client_id": CLIENT.to_string(), "expires_in": "86399",
        "expires_on": until.to_string(), "not_before": "0", "resource": "https://management.azure.com",
        "token_type": "Bearer"});
    answer(200, &body.to_string())
}

#[tokio::test]
async fn a_machine_is_asked_for_the_token_of_its_identity() {
    for client_id in [None, Some(CLIENT)] {
        let issuer = Issuer::answering(of_machine(Timestamp::now().as_second() + 3600)).await;
        let azure = issuer.azure(AzureCloud::Public, Credential::ManagedIdentity { client_id }).unwrap();
        azure.check(DEADLINE).await.unwrap();
        azure.check(DEADLINE).await.unwrap();
        let requests = issuer.requests();
        assert_eq!(requests.len(), 1, "the token is kept");
        let own = client_id.map_or_else(String::new, |id| format!("&client_id={id}"));
        let expected = format!(
            "GET /metadata/identity/oauth2/token?api-version=2019-08-01&resource=https%3A%2F%2Fmanagement.azure.com{own}"
        );
        assert_eq!(requests[0].line, expected);
        assert_eq!(requests[0].header("metadata"), Some("true"));
        assert_eq!(requests[0].header("x-identity-header"), None);
    }
    let issuer = Issuer::answering(of_machine(Timestamp::now().as_second() + 299)).await;
    let azure = issuer.azure(AzureCloud::Public, Credential::ManagedIdentity { client_id: None }).unwrap();
    azure.check(DEADLINE).await.unwrap();
    azure.check(DEADLINE).await.unwrap();
    assert_eq!(issuer.requests().len(), 2, "it is renewed before it expires");
}

#[tokio::test]
async fn metadata_service_errors_are_told_apart() {
    let refused = |description: &str| {
        answer(400, &json!({"error": "invalid_request", "error_description": description}).to_string())
    };
    let html = |status| reply(status, "content-type: text/html\r\n", "<html>the~secret</html>");
    let issuer = Issuer::answering(Reply::Nothing).await;
    for (answer, reason, says) in [
        (refused("Identity not found"), "Unauthenticated", "does not have this identity"),
        (refused("Multiple user assigned identities exist, ..."), "Unauthenticated", "name one in"),
        (refused("the~secret"), "Unauthenticated", "check the identities"),
        (reply(404, "", ""), "ProviderUnreachable", "HTTP 404"),
        (reply(410, "", ""), "ProviderUnreachable", "HTTP 410"),
        (reply(500, "", ""), "ProviderUnreachable", "HTTP 500"),
        (reply(429, "", ""), "Throttled", "rate limiting"),
        (Reply::Bytes(Vec::new()), "ProviderUnreachable", "a token of https://127.0.0.1"),
        (reply(302, "location: https://example.com/the~secret\r\n", ""), "UnexpectedAnswer", "HTTP 302"),
        (html(200), "UnexpectedAnswer", "something else"),
        (html(400), "UnexpectedAnswer", "HTTP 400"),
        (html(403), "UnexpectedAnswer", "HTTP 403"),
        (answer(200, GRANTED), "UnexpectedAnswer", "something else"),
        (
            answer(200, r#"{"access_token":"a","expires_on":"soon","token_type":"Bearer","resource":"a"}"#),
            "UnexpectedAnswer",
            "something else",
        ),
        (of_machine(i64::MAX), "UnexpectedAnswer", "something else"),
    ] {
        let shown = format!("{answer:?}").chars().take(200).collect::<String>();
        let before = issuer.requests().len();
        issuer.answers(answer);
        let azure = issuer.azure(AzureCloud::Public, Credential::ManagedIdentity { client_id: None }).unwrap();
        let error = azure.check(DEADLINE).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{shown}: {error}");
        assert!(error.to_string().contains(says), "{shown}: {error}");
        assert!(!format!("{error:?}").contains("the~secret"), "{error:?}");
        assert_eq!(issuer.requests().len(), before + 1, "nothing below the engine tries again: {shown}");
    }
}

#[tokio::test]
async fn the_environment_cannot_lead_to_another_metadata_service() {
    let issuer = Issuer::answering(of_machine(Timestamp::now().as_second() + 3600)).await;
    let imds = Imds { client: issuer.connections.imds.clone(), endpoint: issuer.connections.imds() };
    for url in [
        "http://169.254.169.254/metadata/instance",
        "http://169.254.169.254:8080/metadata/identity/oauth2/token?resource=a",
        "http://169.254.169.254@example.com/metadata/identity/oauth2/token",
        "https://169.254.169.254/metadata/identity/oauth2/token",
        "http://127.0.0.1/metadata/identity/oauth2/token",
    ] {
        let asked = Asked::new(url.parse().unwrap(), Method::Get);
        let error = format!("{:?}", imds.execute_request(&asked).await.unwrap_err());
        assert!(error.contains("IDENTITY_ENDPOINT"), "{url}: {error}");
    }
    assert_eq!(issuer.requests().len(), 0);
    let mut asked =
        Asked::new("http://169.254.169.254/metadata/identity/oauth2/token?resource=a".parse().unwrap(), Method::Get);
    asked.insert_header("x-identity-header", "the~secret");
    imds.execute_request(&asked).await.unwrap();
    assert!(!issuer.requests()[0].head.contains("the~secret"));
}

#[tokio::test]
async fn variables_of_the_pod_send_nothing_elsewhere() {
    const TEST: &str = "azure::tests::identities::variables_of_the_pod_send_nothing_elsewhere";
    const MARK: &str = "PAYG_TEST_HAS_VARIABLES";
    let issuer = Issuer::answering(of_machine(Timestamp::now().as_second() + 3600)).await;
    if std::env::var_os(MARK).is_some() {
        let azure = issuer.azure(AzureCloud::Public, Credential::ManagedIdentity { client_id: None });
        let error = match azure {
            Ok(azure) => azure.check(DEADLINE).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(error.to_string().contains("IDENTITY_ENDPOINT"), "{error}");
        return;
    }
    // Variables belong to a process: each case has one of its own.
    let somewhere = issuer.server.url("/metadata/identity/oauth2/token");
    for names in [
        ["IDENTITY_ENDPOINT", "IDENTITY_HEADER"].as_slice(),
        &["IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT"],
        &["IDENTITY_ENDPOINT", "IMDS_ENDPOINT"],
        &["MSI_ENDPOINT"],
        &["MSI_ENDPOINT", "MSI_SECRET"],
    ] {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", TEST]).env(MARK, "1").envs(names.iter().map(|name| (name, somewhere.as_str())));
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{names:?}: {said}");
    }
    assert_eq!(issuer.requests().len(), 0);
}

#[tokio::test]
async fn only_the_machines_own_metadata_service_may_do_without_tls() {
    let server = Server::granting(|_| Reply::Nothing).await;
    let with = |url: &str| Settings { imds_endpoint: Some(url.parse().unwrap()), ..settings(&server) };
    for refused in ["http://127.0.0.1:1", "http://169.254.169.253/", "http://169.254.169.254:80/a"] {
        let error = Connections::new(with(refused)).unwrap_err();
        assert!(error.to_string().contains("metadata service must be https://"), "{refused}: {error}");
    }
    let own = Connections::new(with("http://169.254.169.254")).unwrap();
    assert_eq!(own.imds(), "http://169.254.169.254");
    let elsewhere = Connections::new(settings(&server)).unwrap();
    let plain = elsewhere.imds.get("http://127.0.0.1:1/").send().await.unwrap_err();
    assert!(plain.is_builder(), "the client of another one speaks TLS only: {plain:?}");
}
