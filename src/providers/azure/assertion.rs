//! What an application shows to Microsoft Entra instead of a secret: a token that somebody signed whom it trusts.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::Secret;
use azure_core::error::ErrorKind;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;

use super::http::excerpt;
use crate::core::provider::ProviderError;

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
}

impl fmt::Debug for Assertions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertions")
    }
}

#[async_trait]
impl ClientAssertion for Assertions {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let assertion = (self.0)().await.map_err(carried)?;
        Ok(assertion.secret().to_owned())
    }
}

/// Our own error in the form in which `azure_identity` passes it on.
pub(super) fn carried(error: ProviderError) -> azure_core::Error {
    azure_core::Error::new(ErrorKind::Other, error)
}

/// What a federated credential of the application must match. None of it is secret.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: String,
    sub: String,
    aud: Value,
}

impl Claims {
    /// Those of the assertion in the body of a request for a token.
    pub(super) fn of_request(form: &[u8]) -> Option<Self> {
        let (_, assertion) = url::form_urlencoded::parse(form).find(|(name, _)| name == "client_assertion")?;
        let payload = BASE64_URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1)?).ok()?;
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
