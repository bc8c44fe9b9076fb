//! JSON Web Tokens (RFC 7519) of other issuers, and the keys that they are checked with: for the clouds that take them in
//! the place of a secret.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use serde::Deserialize;

/// By how much clocks may differ, in seconds.
pub(crate) const CLOCK_SKEW: f64 = 300.0;

/// Whose tokens are taken, and the keys that those are signed with. Clouds fetch the keys from the issuer; here they are
/// declared.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Federated {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audience: String,
    pub(crate) jwks: KeySet,
}

/// RFC 7517
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct KeySet {
    pub(crate) keys: Vec<Key>,
}

/// RFC 7517 and 7518; members that are not of a key's own kind are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Key {
    kty: String,
    pub(crate) kid: String,
    n: String,
    e: String,
    crv: String,
    x: String,
    y: String,
}

#[derive(Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    #[serde(default)]
    pub(crate) kid: String,
    #[serde(rename = "x5t#S256")]
    pub(crate) sha256: Option<String>,
    #[serde(rename = "x5t")]
    pub(crate) sha1: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: Audience,
    /// Seconds, perhaps with a fraction (RFC 7519, section 2): some SDKs write one.
    pub(crate) exp: f64,
    #[serde(default)]
    pub(crate) nbf: f64,
    pub(crate) jti: Option<String>,
}

/// RFC 7519, section 4.1.3
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    pub(crate) fn is(&self, wanted: &str) -> bool {
        match self {
            Self::One(audience) => audience == wanted,
            Self::Several(audiences) => audiences.iter().any(|audience| audience == wanted),
        }
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Self::One(audience) => audience.clone(),
            Self::Several(audiences) => audiences.join(","),
        }
    }
}

/// A token, taken apart.
pub(crate) struct Token<'a> {
    pub(crate) header: Header,
    pub(crate) claims: Claims,
    pub(crate) signed: &'a str,
    pub(crate) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
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

    pub(crate) fn is_signed_by(&self, algorithm: &'static dyn VerificationAlgorithm, public_key: &[u8]) -> bool {
        UnparsedPublicKey::new(algorithm, public_key).verify(self.signed.as_bytes(), &self.signature).is_ok()
    }
}

impl Key {
    /// Whether this key made the token's signature, by RS256, or ES256, which test clusters sign with.
    pub(crate) fn has_signed(&self, token: &Token) -> bool {
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        match (token.header.alg.as_str(), self.kty.as_str()) {
            ("RS256", "RSA") => {
                let key = RsaPublicKeyComponents { n: decode(&self.n), e: decode(&self.e) };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, token.signed.as_bytes(), &token.signature).is_ok()
            }
            ("ES256", "EC") if self.crv == "P-256" => {
                let point = [vec![4], decode(&self.x), decode(&self.y)].concat();
                token.is_signed_by(&ECDSA_P256_SHA256_FIXED, &point)
            }
            _ => false,
        }
    }
}
