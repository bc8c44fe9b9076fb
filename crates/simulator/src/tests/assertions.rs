//! Client assertions and managed identities. The signatures are real, as their checks are.

use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use payg_test_kit::RsaCertificate;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
    RsaKeyPair,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use super::*;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ISSUER: &str = "https://oidc.example/1";
const SUBJECT: &str = "system:serviceaccount:team-a:payg-billing";
const AUDIENCE: &str = "api://AzureADTokenExchange";

static RSA: LazyLock<RsaCertificate> = LazyLock::new(|| RsaCertificate::new(2020..2100));

fn rsa_key() -> RsaKeyPair {
    let der = PrivatePkcs8KeyDer::from_pem_slice(RSA.key_pem.as_bytes()).unwrap();
    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap()
}

pub(super) fn ec_key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random).unwrap()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(header.to_string()), encode(claims.to_string()))
}

pub(super) fn by_ec(key: &EcdsaKeyPair, claims: &Value) -> String {
    let signed = unsigned(&json!({"alg": "ES256", "kid": "ec"}), claims);
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", encode(signature))
}

fn by_rsa(padding: &'static dyn RsaEncoding, header: &Value, claims: &Value) -> String {
    let (key, signed) = (rsa_key(), unsigned(header, claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", encode(signature))
}

/// The public part of a key.
pub(super) fn ec_jwk(key: &EcdsaKeyPair) -> Value {
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    json!({"kty": "EC", "kid": "ec", "use": "sig", "alg": "ES256", "crv": "P-256", "x": encode(x), "y": encode(y)})
}

pub(super) fn in_seconds(seconds: i64) -> i64 {
    Timestamp::now().as_second() + seconds
}

async fn ask(sim: &Sim, assertion: &str) -> (u16, Value) {
    let fields = [("client_secret", ""), ("client_assertion_type", JWT_BEARER), ("client_assertion", assertion)];
    let response = sim.ask_token(TENANT, &fields).await;
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn assert_refused(sim: &Sim, assertion: &str, code: u32) {
    let (status, body) = ask(sim, assertion).await;
    assert_eq!(body["error_codes"], json!([code]), "{body}");
    let expected = if code == 50_027 { (400, "invalid_request") } else { (401, "invalid_client") };
    assert_eq!((status, body["error"].as_str().unwrap()), expected, "{body}");
}

#[tokio::test]
async fn a_federated_credential_takes_the_tokens_that_it_names() {
    let sim = Sim::with_account(json!({})).await;
    let (ec, rsa) = (ec_key(), rsa_key());
    let claims = || json!({"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "exp": in_seconds(3600)});
    assert_refused(&sim, &by_ec(&ec, &claims()), 70_025).await;
    let public: PublicKeyComponents<Vec<u8>> = rsa.public().into();
    let jwks = json!({"keys": [
        ec_jwk(&ec),
        {"kty": "RSA", "kid": "rsa", "use": "sig", "alg": "RS256", "n": encode(public.n), "e": encode(public.e)},
    ]});
    let federated = json!({"issuer": ISSUER, "subject": SUBJECT, "audience": AUDIENCE, "jwks": jwks});
    sim.client(json!({"subscriptions": "*", "federated": [federated]})).await;

    let rs256 = json!({"alg": "RS256", "kid": "rsa"});
    for good in [
        by_ec(&ec, &claims()),
        by_ec(&ec, &with(claims(), &json!({"aud": AUDIENCE}))),
        by_rsa(&RSA_PKCS1_SHA256, &rs256, &claims()),
    ] {
        let (status, body) = ask(&sim, &good).await;
        assert_eq!(status, 200, "{body}");
        let read = sim.request(Method::GET, &subscription_path(SUB));
        assert_eq!(read.bearer_auth(body["access_token"].as_str().unwrap()).send().await.unwrap().status(), 200);
    }
    for (members, code) in [
        (json!({"iss": "https://oidc.example/2"}), 700_211),
        (json!({"sub": "system:serviceaccount:team-b:payg-billing"}), 700_213),
        (json!({"sub": SUBJECT.to_uppercase()}), 700_213),
        (json!({"aud": ["https://kubernetes.default.svc"]}), 700_212),
        (json!({"exp": in_seconds(-1)}), 700_024),
        (json!({"nbf": in_seconds(3600)}), 700_024),
    ] {
        assert_refused(&sim, &by_ec(&ec, &with(claims(), &members)), code).await;
    }
    assert_refused(&sim, &by_ec(&ec_key(), &claims()), 50_013).await;
    assert_refused(&sim, &by_rsa(&RSA_PKCS1_SHA256, &json!({"alg": "ES256", "kid": "ec"}), &claims()), 50_013).await;
    assert_refused(&sim, &by_rsa(&RSA_PKCS1_SHA256, &json!({"alg": "RS256", "kid": "?"}), &claims()), 5_000_811).await;
    let none = format!("{}.", unsigned(&json!({"alg": "none", "kid": "rsa"}), &claims()));
    assert_refused(&sim, &none, 50_013).await;
    assert_refused(&sim, "not.a.token", 50_027).await;
    assert_refused(&sim, "", 7_000_216).await;

    let untyped = [("client_secret", ""), ("client_assertion", none.as_str())];
    let body: Value = sim.ask_token(TENANT, &untyped).await.json().await.unwrap();
    assert_eq!(body["error_codes"], json!([900_144]));
}

#[tokio::test]
async fn an_application_may_sign_with_its_own_certificate() {
    let sim = Sim::with_account(json!({})).await;
    let audience = format!("{}/{TENANT}/oauth2/v2.0/token", sim.running.url());
    let claims = || json!({"iss": CLIENT, "sub": CLIENT, "aud": audience, "jti": "1", "exp": in_seconds(300), "nbf": in_seconds(0)});
    let thumbprint = |certificate: &RsaCertificate, algorithm| {
        let der = rustls::pki_types::CertificateDer::from_pem_slice(certificate.certificate_pem.as_bytes()).unwrap();
        encode(ring::digest::digest(algorithm, &der))
    };
    let ps256 = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint(&RSA, &ring::digest::SHA256)});
    let sign = |claims: &Value| by_rsa(&RSA_PSS_SHA256, &ps256, claims);
    assert_refused(&sim, &sign(&claims()), 700_027).await;

    let old = RSA.renewed(2020..2021);
    sim.client(json!({"subscriptions": "*", "certificates": [RSA.certificate_pem, old.certificate_pem]})).await;
    let rs256 = json!({"alg": "RS256", "x5t": thumbprint(&RSA, &ring::digest::SHA1_FOR_LEGACY_USE_ONLY)});
    for good in [sign(&claims()), by_rsa(&RSA_PKCS1_SHA256, &rs256, &claims())] {
        let (status, body) = ask(&sim, &good).await;
        assert_eq!(status, 200, "{body}");
    }
    for (members, code) in [
        (json!({"aud": "https://login.microsoftonline.com"}), 700_023),
        (json!({"sub": "somebody else"}), 700_021),
        (json!({"jti": ""}), 700_021),
        (json!({"exp": in_seconds(0)}), 700_024),
    ] {
        assert_refused(&sim, &sign(&with(claims(), &members)), code).await;
    }
    let expired = json!({"alg": "PS256", "x5t#S256": thumbprint(&old, &ring::digest::SHA256)});
    assert_refused(&sim, &by_rsa(&RSA_PSS_SHA256, &expired, &claims()), 700_027).await;
    // The padding is not the one that the header says, or the claims are not those that were signed.
    assert_refused(&sim, &by_rsa(&RSA_PKCS1_SHA256, &ps256, &claims()), 700_027).await;
    let good = sign(&claims());
    let forged =
        format!("{}.{}", unsigned(&ps256, &with(claims(), &json!({"jti": "2"}))), good.rsplit_once('.').unwrap().1);
    assert_refused(&sim, &forged, 700_027).await;

    let wrong = json!({"tenantId": TENANT, "clientId": CLIENT, "subscriptions": "*", "certificates": ["nonsense"]});
    assert!(sim.control_raw(Method::POST, "/clients", wrong).await.status().is_client_error());
}

/// Each SDK writes thumbprints in its own way: that of Go in standard base64, that of Python with padding.
#[tokio::test]
async fn a_thumbprint_counts_in_every_alphabet_of_base64() {
    let sim = Sim::with_account(json!({})).await;
    sim.client(json!({"subscriptions": "*", "certificates": [RSA.certificate_pem]})).await;
    let audience = format!("{}/{TENANT}/oauth2/v2.0/token", sim.running.url());
    let claims = json!({"iss": CLIENT, "sub": CLIENT, "aud": audience, "jti": "1", "exp": in_seconds(300)});
    let der = rustls::pki_types::CertificateDer::from_pem_slice(RSA.certificate_pem.as_bytes()).unwrap();
    for (member, algorithm) in [("x5t#S256", &ring::digest::SHA256), ("x5t", &ring::digest::SHA1_FOR_LEGACY_USE_ONLY)] {
        let digest = ring::digest::digest(algorithm, &der);
        let mut other = digest.as_ref().to_vec();
        other[0] ^= 1;
        for engine in [BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD] {
            let sign = |thumbprint: &[u8]| {
                let header = json!({"alg": "RS256", "typ": "JWT", member: engine.encode(thumbprint)});
                by_rsa(&RSA_PKCS1_SHA256, &header, &claims)
            };
            let (status, body) = ask(&sim, &sign(digest.as_ref())).await;
            assert_eq!(status, 200, "{member} {body}");
            assert_refused(&sim, &sign(&other), 700_027).await;
        }
        let none = json!({"alg": "RS256", "typ": "JWT", member: "not base64!"});
        assert_refused(&sim, &by_rsa(&RSA_PKCS1_SHA256, &none, &claims), 700_027).await;
    }
}

#[tokio::test]
async fn a_machine_gives_tokens_of_its_identities() {
    const USER: &str = "22222222-0000-4a00-9000-000000000001";
    let sim = Sim::with_account(json!({})).await;
    let get = async |query: &str, metadata: &str| {
        let path = format!("/metadata/identity/oauth2/token?api-version=2018-02-01{query}");
        let response = sim.request(Method::GET, &path).header("metadata", metadata).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let resource = "&resource=https%3A%2F%2Fmanagement.azure.com%2F";
    let assert_refused = async |query: &str, metadata: &str, says: &str| {
        let (status, body) = get(query, metadata).await;
        let text = format!("{}: {}", body["error"].as_str().unwrap(), body["error_description"].as_str().unwrap());
        assert!(status == 400 && text.starts_with(says), "{text}");
    };
    assert_refused(resource, "true", "invalid_request: Identity not found").await;
    sim.client(json!({"subscriptions": "*", "managedIdentity": "userAssigned"})).await;
    sim.client(json!({"clientId": USER, "subscriptions": [], "managedIdentity": "userAssigned"})).await;
    assert_refused(resource, "true", "invalid_request: Multiple user assigned identities").await;
    sim.client(json!({"subscriptions": "*", "managedIdentity": "systemAssigned"})).await;

    let (status, body) = get(resource, "true").await;
    assert_eq!((status, &body["client_id"], &body["expires_in"]), (200, &json!(CLIENT), &json!("3599")), "{body}");
    let until: i64 = body["expires_on"].as_str().unwrap().parse().unwrap();
    assert!((until - in_seconds(3599)).abs() < 10);
    let read = sim.request(Method::GET, &subscription_path(SUB));
    assert_eq!(read.bearer_auth(body["access_token"].as_str().unwrap()).send().await.unwrap().status(), 200);
    let (_, body) = get(&format!("{resource}&client_id={USER}"), "true").await;
    assert_eq!(body["client_id"], USER);

    assert_refused(&format!("{resource}&client_id={TENANT}"), "true", "invalid_request: Identity not found").await;
    assert_refused(resource, "false", "invalid_request: Required metadata header").await;
    assert_refused("", "true", "invalid_request: Required query variable").await;
    assert_refused("&resource=https%3A%2F%2Fvault.azure.net", "true", "invalid_resource: AADSTS500011").await;
}
