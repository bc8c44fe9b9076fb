//! Tokens of somebody whom a cloud trusts, in the place of a secret.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;

use super::Secret;
use super::http::excerpt;
use payg_core::provider::ProviderError;

/// Where assertions come from: it is asked for one whenever a token is, so it should keep what is valid.
#[derive(Clone)]
pub struct Assertions(Arc<dyn Fn() -> BoxFuture<'static, Result<Secret, ProviderError>> + Send + Sync>);

impl Assertions {
    /// Those that `get` gets.
    pub fn new<F>(get: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Secret, ProviderError>> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(get())))
    }

    /// One that is valid now.
    pub(super) async fn get(&self) -> Result<Secret, ProviderError> {
        (self.0)().await
    }
}

impl fmt::Debug for Assertions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertions")
    }
}

/// What the cloud must be told to trust. None of it is secret.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: String,
    sub: String,
    aud: Value,
}

impl Claims {
    /// Those of `token`, a JSON Web Token.
    pub(super) fn of(token: &str) -> Option<Self> {
        let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        serde_json::from_slice(&payload).ok()
    }

    /// What to enter where, for people.
    pub(super) fn to_trust(&self) -> String {
        let audience = match &self.aud {
            Value::Array(several) => several.first().and_then(Value::as_str),
            one => one.as_str(),
        };
        let (issuer, subject) = (excerpt(&self.iss), excerpt(&self.sub));
        let audience = excerpt(audience.unwrap_or_default());
        format!("issuer `{issuer}`, subject `{subject}` and audience `{audience}`")
    }
}
