//! Client assertions: a JSON Web Token in the place of a client secret. Signed by a certificate of the application's own
//! (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>), or by another issuer that a federated
//! credential of the application names (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation>).

use std::collections::HashMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::digest;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::{Deserialize, Deserializer};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::entra::{Client, Refusal};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const LEARN: &str = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation";

/// A federated credential of an application: whose tokens it takes, and the keys that those are signed with. Microsoft
/// Entra fetches the keys from the issuer; here they are declared.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Federated {
    issuer: String,
    subject: String,
    audience: String,
    jwks: KeySet,
}

/// RFC 7517
#[derive(Clone, Debug, Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

/// RFC 7517 and 7518; members that are not of a key's own kind are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Key {
    kty: String,
    kid: String,
    n: String,
    e: String,
    crv: String,
    x: String,
    y: String,
}

/// A certificate that is registered with an application.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// By SHA-256 and by SHA-1.
    thumbprints: [String; 2],
    public_key: Vec<u8>,
    valid: std::ops::RangeInclusive<i64>,
}

impl<'de> Deserialize<'de> for Certificate {
    /// From PEM.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || serde::de::Error::custom("a certificate must be X.509 in PEM");
        let pem = String::deserialize(deserializer)?;
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| wrong())?;
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).map_err(|_| wrong())?;
        let thumbprint = |algorithm| BASE64_URL_SAFE_NO_PAD.encode(digest::digest(algorithm, &der));
        let validity = certificate.validity();
        Ok(Self {
            thumbprints: [thumbprint(&digest::SHA256), thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY)],
            public_key: certificate.public_key().subject_public_key.data.to_vec(),
            valid: validity.not_before.timestamp()..=validity.not_after.timestamp(),
        })
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: String,
    #[serde(rename = "x5t#S256")]
    sha256: Option<String>,
    #[serde(rename = "x5t")]
    sha1: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    /// Seconds, perhaps with a fraction (RFC 7519, section 2): Microsoft's SDK for Python writes one.
    exp: f64,
    #[serde(default)]
    nbf: f64,
    jti: Option<String>,
}

/// RFC 7519, section 4.1.3
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn is(&self, wanted: &str) -> bool {
        match self {
            Self::One(audience) => audience == wanted,
            Self::Several(audiences) => audiences.iter().any(|audience| audience == wanted),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::One(audience) => audience.clone(),
            Self::Several(audiences) => audiences.join(","),
        }
    }
}

/// A token, taken apart.
struct Token<'a> {
    header: Header,
    claims: Claims,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        Some(Self {
            header: serde_json::from_slice(&decode(header)?).ok()?,
            claims: serde_json::from_slice(&decode(claims)?).ok()?,
            signed,
            signature: decode(signature)?,
        })
    }

    fn is_signed_by(&self, algorithm: &'static dyn VerificationAlgorithm, public_key: &[u8]) -> bool {
        UnparsedPublicKey::new(algorithm, public_key).verify(self.signed.as_bytes(), &self.signature).is_ok()
    }

    fn check_time(&self) -> Result<(), Refusal> {
        let now = Timestamp::now().as_duration().as_secs_f64();
        if self.claims.exp > now && self.claims.nbf <= now + CLOCK_SKEW {
            return Ok(());
        }
        let message = format!(
            "Client assertion is not within its valid time range. Current time: {now:.0}, expiry time of assertion: {}.",
            self.claims.exp
        );
        Err(Refusal::new(401, "invalid_client", 700_024, message))
    }
}

/// By how much clocks may differ, in seconds.
const CLOCK_SKEW: f64 = 300.0;

/// Whether the assertion in the form proves that the sender is `client`. `endpoint` is the address it was sent to.
pub(super) fn check(
    client: &Client,
    form: &HashMap<String, String>,
    assertion: &str,
    endpoint: &str,
) -> Result<(), Refusal> {
    if form.get("client_assertion_type").is_none_or(|found| found != TYPE) {
        let message = "The request body must contain the following parameter: 'client_assertion_type'.";
        return Err(Refusal::new(400, "invalid_request", 900_144, message));
    }
    let malformed = || Refusal::new(400, "invalid_request", 50_027, "JWT token is invalid or malformed.");
    let token = Token::parse(assertion).ok_or_else(malformed)?;
    if token.claims.iss == client.id { check_own(client, &token, endpoint) } else { check_federated(client, &token) }
}

/// An assertion that the application has signed itself.
fn check_own(client: &Client, token: &Token, endpoint: &str) -> Result<(), Refusal> {
    let refuse = |code, message: String| Err(Refusal::new(401, "invalid_client", code, message));
    let Token { header, claims, .. } = token;
    // Microsoft's SDK for Python pads it.
    let shown = header.sha256.as_ref().or(header.sha1.as_ref()).map(|shown| shown.trim_end_matches('='));
    let registered =
        |certificate: &&Certificate| shown.is_some_and(|shown| certificate.thumbprints.iter().any(|own| own == shown));
    let Some(certificate) = client.certificates.iter().find(registered) else {
        return refuse(
            700_027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application. \
                 [Reason - The key was not found., Thumbprint of key used by client: '{}', Please visit the Azure \
                 Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '{}'.]",
                shown.unwrap_or_default(),
                client.id
            ),
        );
    };
    let wrong = |reason: &str| format!("Client assertion contains an invalid signature. [Reason - {reason}]");
    if !certificate.valid.contains(&Timestamp::now().as_second()) {
        return refuse(700_027, wrong("The key used is expired."));
    }
    let algorithm: &dyn VerificationAlgorithm = match header.alg.as_str() {
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        _ => return refuse(700_027, wrong("The algorithm is not supported.")),
    };
    if !token.is_signed_by(algorithm, &certificate.public_key) {
        return refuse(700_027, wrong("The key was found, but it did not make the signature."));
    }
    token.check_time()?;
    if !claims.aud.is(endpoint) {
        let message = "Client assertion audience claim does not match Realm issuer.".to_owned();
        return refuse(700_023, message);
    }
    if claims.sub != client.id || claims.jti.as_ref().is_none_or(String::is_empty) {
        let message = "Client assertion application identifier doesn't match 'client_id' parameter.".to_owned();
        return refuse(700_021, message);
    }
    Ok(())
}

/// An assertion of another issuer. Comparisons are case-sensitive, as Microsoft Entra's are.
fn check_federated(client: &Client, token: &Token) -> Result<(), Refusal> {
    let refuse = |code, message: String| Err(Refusal::new(401, "invalid_client", code, message));
    let Token { header, claims, .. } = token;
    if client.federated.is_empty() {
        let message = format!("The client '{}' has no configured federated identity credentials.", client.id);
        return refuse(70_025, message);
    }
    let no_match = |code, what: &str, found: &str| {
        refuse(
            code,
            format!(
                "No matching federated identity record found for presented assertion {what} '{found}'. Check your \
                 federated identity credential Subject, Audience and Issuer against the presented assertion. {LEARN}"
            ),
        )
    };
    let mut trusted: Vec<&Federated> = client.federated.iter().filter(|one| one.issuer == claims.iss).collect();
    if trusted.is_empty() {
        return no_match(700_211, "issuer", &claims.iss);
    }
    trusted.retain(|one| one.subject == claims.sub);
    if trusted.is_empty() {
        return no_match(700_213, "subject", &claims.sub);
    }
    trusted.retain(|one| claims.aud.is(&one.audience));
    if trusted.is_empty() {
        return no_match(700_212, "audience", &claims.aud.text());
    }
    let mut keys = trusted.iter().flat_map(|one| &one.jwks.keys).filter(|key| key.kid == header.kid).peekable();
    if keys.peek().is_none() {
        let message =
            "Unable to verify token signature. The signing key identifier does not match any valid registered keys.";
        return refuse(5_000_811, message.to_owned());
    }
    if !keys.any(|key| key.has_signed(token)) {
        return refuse(50_013, "Assertion failed signature validation.".to_owned());
    }
    token.check_time()
}

impl Key {
    fn has_signed(&self, token: &Token) -> bool {
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        match (token.header.alg.as_str(), self.kty.as_str()) {
            ("RS256", "RSA") => {
                let key = RsaPublicKeyComponents { n: decode(&self.n), e: decode(&self.e) };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, token.signed.as_bytes(), &token.signature).is_ok()
            }
            // Not what Microsoft has tested; what test clusters sign with.
            ("ES256", "EC") if self.crv == "P-256" => {
                let point = [vec![4], decode(&self.x), decode(&self.y)].concat();
                token.is_signed_by(&ECDSA_P256_SHA256_FIXED, &point)
            }
            _ => false,
        }
    }
}
