//! What an application shows to Microsoft Entra instead of a secret: a token that somebody signed whom it trusts.

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;

use crate::Assertions;
use crate::assertion::Claims;
use payg_core::provider::ProviderError;

#[async_trait]
impl ClientAssertion for Assertions {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let assertion = self.get().await.map_err(carried)?;
        Ok(assertion.secret().to_owned())
    }
}

/// Our own error in the form in which `azure_identity` passes it on.
pub(super) fn carried(error: ProviderError) -> azure_core::Error {
    azure_core::Error::new(ErrorKind::Other, error)
}

/// The claims of the assertion in the body of a request for a token.
pub(super) fn claims_of_request(form: &[u8]) -> Option<Claims> {
    let (_, assertion) = url::form_urlencoded::parse(form).find(|(name, _)| name == "client_assertion")?;
    Claims::of(&assertion)
}
