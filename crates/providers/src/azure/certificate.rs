//! Client certificates: the application signs an assertion with the key of a certificate that is registered with it.
//! <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>. Ours, because the certificates of
//! `azure_identity` need OpenSSL.

use std::fmt;

use async_trait::async_trait;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PSS_SHA256;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use x509_parser::oid_registry::OID_PKCS1_RSAENCRYPTION;

use super::assertion::carried;
use crate::Secret;
use payg_clock::Clock;
use payg_core::provider::ProviderError;

/// How long an assertion can be used. Microsoft asks for 5 to 10 minutes at most.
const LIFETIME: SignedDuration = SignedDuration::from_mins(5);

/// A certificate and its key, as they are stored.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Where they are, for people.
    pub origin: String,
    /// The certificate (PEM); others may follow it.
    pub certificate_pem: String,
    /// The key (PEM). Its `Debug` does not show it.
    pub key_pem: Secret,
}

pub(super) struct Signer {
    key: KeyPair,
    thumbprint: String,
    origin: String,
    valid: (Timestamp, Timestamp),
    client_id: Uuid,
    audience: String,
    clock: Clock,
}

impl Signer {
    /// A signer for the application `client_id` at the token endpoint `audience`.
    pub(super) fn new(
        stored: &Certificate,
        client_id: Uuid,
        audience: String,
        clock: Clock,
    ) -> Result<Self, ProviderError> {
        let unusable = |what: &str| ProviderError::Config { detail: format!("{}: {what}", stored.origin) };
        let der = CertificateDer::from_pem_slice(stored.certificate_pem.as_bytes())
            .map_err(|_| unusable("tls.crt is not a certificate in PEM"))?;
        let (_, certificate) = x509_parser::parse_x509_certificate(&der)
            .map_err(|_| unusable("tls.crt is not an X.509 certificate that can be read"))?;
        let public = certificate.public_key();
        if public.algorithm.algorithm != OID_PKCS1_RSAENCRYPTION {
            return Err(unusable(
                "the key of the certificate is not RSA, and Microsoft Entra takes no other: make one with an RSA key of \
                 2048 bits (with cert-manager: `privateKey.algorithm: RSA`)",
            ));
        }
        let key = match PrivateKeyDer::from_pem_slice(stored.key_pem.secret().as_bytes()) {
            Ok(PrivateKeyDer::Pkcs8(key)) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
            Ok(PrivateKeyDer::Pkcs1(key)) => KeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(unusable("tls.key is not an unencrypted RSA key in PEM")),
        };
        let key = key.map_err(|_| unusable("tls.key is not an RSA key of 2048 to 4096 bits"))?;
        if key.public().as_ref() != &*public.subject_public_key.data {
            return Err(unusable("tls.key is not the key of the certificate in tls.crt"));
        }
        let time = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp()).map_err(|_| unusable("tls.crt contains invalid dates"))
        };
        let validity = certificate.validity();
        Ok(Self {
            key,
            thumbprint: BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&der)),
            origin: stored.origin.clone(),
            valid: (time(validity.not_before)?, time(validity.not_after)?),
            client_id,
            audience,
            clock,
        })
    }

    /// An assertion made at `now` (wall clock).
    fn sign(&self, now: Timestamp) -> Result<String, ProviderError> {
        let config = |what: String| Err(ProviderError::Config { detail: format!("{}: {what}", self.origin) });
        let (from, until) = self.valid;
        if now >= until {
            return config(format!(
                "the certificate has expired at {until}: put a new one there, and register it with the application"
            ));
        }
        if now < from {
            return config(format!("the certificate is not valid before {from}: wait, or check the clocks"));
        }
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint});
        let claims = json!({
            "aud": self.audience,
            "iss": self.client_id.to_string(),
            "sub": self.client_id.to_string(),
            "jti": Uuid::new_v4().to_string(),
            "iat": now.as_second(),
            "nbf": now.as_second(),
            "exp": now.as_second() + LIFETIME.as_secs(),
        });
        let encode = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let mut signature = vec![0; self.key.public().modulus_len()];
        match self.key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature) {
            Ok(()) => Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))),
            Err(_) => config("nothing can be signed with the key".to_owned()),
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("origin", &self.origin).finish_non_exhaustive()
    }
}

#[async_trait]
impl ClientAssertion for Signer {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        self.sign(self.clock.wall()).map_err(carried)
    }
}
