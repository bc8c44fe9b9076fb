//! Client assertions: a JSON Web Token in the place of a client secret. Signed by a certificate of the application's own
//! (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>), or by another issuer that a federated
//! credential of the application names (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation>).
//! There, Microsoft has tested RS256 only.

use std::collections::HashMap;

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, VerificationAlgorithm};

use super::client::{Certificate, Client};
use super::errors::Refusal;
use crate::jwt::{CLOCK_SKEW, Federated, Token};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const LEARN: &str = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation";

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
    let shown = header.sha256.as_ref().or(header.sha1.as_ref());
    let thumbprint = shown.map(|shown| base64url(shown));
    let registered = |certificate: &&Certificate| {
        thumbprint.as_ref().is_some_and(|shown| certificate.thumbprints.iter().any(|own| own == shown))
    };
    let Some(certificate) = client.certificates.iter().find(registered) else {
        return refuse(
            700_027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application. \
                 [Reason - The key was not found., Thumbprint of key used by client: '{}', Please visit the Azure \
                 Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '{}'.]",
                shown.map_or("", String::as_str),
                client.id
            ),
        );
    };
    let wrong = |reason: &str| format!("Client assertion contains an invalid signature. [Reason - {reason}]");
    if !certificate.valid.contains(&payg_virtual_time::wall().as_second()) {
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
    check_time(token)?;
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

/// A thumbprint in base64url, however it was written: Microsoft's SDK for Python pads it, and that for Go uses the standard
/// alphabet.
fn base64url(thumbprint: &str) -> String {
    thumbprint.trim_end_matches('=').replace('+', "-").replace('/', "_")
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
    check_time(token)
}

fn check_time(token: &Token) -> Result<(), Refusal> {
    let now = payg_virtual_time::wall().as_duration().as_secs_f64();
    if token.claims.exp > now && token.claims.nbf <= now + CLOCK_SKEW {
        return Ok(());
    }
    let message = format!(
        "Client assertion is not within its valid time range. Current time: {now:.0}, expiry time of assertion: {}.",
        token.claims.exp
    );
    Err(Refusal::new(401, "invalid_client", 700_024, message))
}
