//! Access keys: long-lived ones of users, and temporary ones, which AWS takes only with the token of their session.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>

use aws_sdk_sts::config::Credentials;

use crate::Secret;
use payg_core::provider::ProviderError;

/// What the ids of temporary keys begin with.
const TEMPORARY: &str = "ASIA";
/// What the ids of users' own keys begin with.
const LONG_LIVED: &str = "AKIA";

/// An access key that AWS can take. Its `Debug` shows nothing secret.
#[derive(Clone, Debug)]
pub struct AccessKey {
    id: String,
    secret: Secret,
    session_token: Option<Secret>,
}

impl AccessKey {
    /// The key with this `id`, which is no secret, and the token of its session, if it has one. `origin` is where they are from,
    /// for people: what AWS cannot take is said by its name.
    pub fn new(origin: &str, id: String, secret: Secret, session_token: Option<Secret>) -> Result<Self, ProviderError> {
        let refused = |what: &str| Err(ProviderError::Config { detail: format!("{origin}: {what}") });
        let token = session_token.as_ref().map_or("", Secret::secret);
        let parts = [("accessKeyId", id.as_str()), ("secretAccessKey", secret.secret()), ("sessionToken", token)];
        let is_text = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if let Some((name, _)) = parts.into_iter().find(|(_, text)| !is_text(text)) {
            return refused(&format!("`{name}` is none: there is a space, a line break or a foreign letter in it"));
        }
        if id.starts_with(TEMPORARY) && session_token.is_none() {
            return refused(&format!(
                "the access key {id} is a temporary one, which AWS takes only with its session token: put that under \
                 `sessionToken` (a plan takes it from AWS_SESSION_TOKEN), or use `credentials.workloadIdentity`"
            ));
        }
        if id.starts_with(LONG_LIVED) && session_token.is_some() {
            return refused(&format!(
                "the access key {id} is a long-lived one, which has no session token: remove `sessionToken` (a plan takes it \
                 from AWS_SESSION_TOKEN), or put the temporary key there that it belongs to"
            ));
        }
        Ok(Self { id, secret, session_token })
    }

    /// As requests are signed with it. When a temporary one ends is not known.
    pub(super) fn credentials(&self) -> Credentials {
        let token = self.session_token.as_ref().map(|token| token.secret().to_owned());
        Credentials::new(self.id.clone(), self.secret.secret(), token, None, "BillingProvider")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: &str, secret: &str, token: Option<&str>) -> String {
        let token = token.map(|token| Secret::new(token.to_owned()));
        let key = AccessKey::new("the Secret `keys`", id.to_owned(), Secret::new(secret.to_owned()), token);
        key.map_or_else(|error| error.to_string(), |key| format!("{key:?}"))
    }

    /// <https://github.com/move-sqs/move-sqs/issues/129>, <https://github.com/kubernetes-sigs/prow/issues/331>: temporary keys were
    /// taken without their token, and AWS called them unknown.
    #[test]
    fn invalid_key_parts_are_named_without_the_secret() {
        for (id, secret, token, says) in [
            ("ASIATEMPORARY", "s3cr3t", None, "ASIATEMPORARY is a temporary one"),
            ("AKIALONGLIVED", "s3cr3t", Some("t0k3n"), "AKIALONGLIVED is a long-lived one"),
            ("ASIATEMPORARY", "s3cr3t", Some("t0k3n\nt0k3n"), "`sessionToken` is none"),
            ("ASIATEMPORARY", "s3cr3t s3cr3t", Some("t0k3n"), "`secretAccessKey` is none"),
            ("AKIA\u{2028}X", "s3cr3t", None, "`accessKeyId` is none"),
        ] {
            let told = told(id, secret, token);
            assert!(told.contains(says) && told.contains("the Secret `keys`"), "{id}: {told}");
            assert!(!told.contains("s3cr3t") && !told.contains("t0k3n"), "{told}");
        }
        for (id, token) in
            [("AKIALONGLIVED", None), ("ASIATEMPORARY", Some("t0k3n")), ("OTHER", None), ("OTHER", Some("x"))]
        {
            let told = told(id, "s3cr3t", token);
            assert!(told.starts_with("AccessKey {") && !told.contains("s3cr3t") && !told.contains("t0k3n"), "{told}");
        }
    }
}
