//! What requests are signed with. Credentials are asked for as the BillingProvider says, kept while they are valid, and asked
//! whose they are before anything is done with them. The SDK's own chain is not used: it takes a leftover key out of the
//! environment before anything else.

use std::fmt;
use std::sync::{self, Arc, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::config::{Credentials, ProvideCredentials};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::access_key::AccessKey;
use super::connector::Heard;
use super::failure::Failure;
use super::settings::Connections;
use super::xml;
use crate::assertion::Claims;
use crate::http::excerpt;
use crate::{Assertions, document};
use payg_clock::Clock;
use payg_core::account::AwsAccountId;
use payg_core::provider::ProviderError;

/// What the name of sessions is in AWS's own audit log.
const SESSION: &str = "payg-operator";
/// From how much time before their end on credentials are not used any more: clocks differ, and a reconcile takes a while.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// How many accounts' credentials one BillingProvider keeps. Those that were used least recently are asked for again.
const MOST_KEPT: usize = 1024;

/// What the operator proves to AWS with who it is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Tokens by which a Kubernetes cluster says who somebody is. The role trusts them.
    WebIdentity {
        role: RoleId,
        /// Where the tokens come from. They are for the audience `sts.amazonaws.com`.
        assertions: Assertions,
    },
    /// What EKS Pod Identity gives the pod that this process runs in.
    Pod {
        /// The role to assume with it; without one it is used itself.
        role: Option<Role>,
    },
    AccessKey {
        key: AccessKey,
        /// The role to assume with it; without one it is used itself.
        role: Option<Role>,
    },
}

impl Credential {
    /// The role that it assumes, if it assumes one.
    const fn role(&self) -> Option<&RoleId> {
        match self {
            Self::WebIdentity { role, .. }
            | Self::Pod { role: Some(Role { id: role, .. }) }
            | Self::AccessKey { role: Some(Role { id: role, .. }), .. } => Some(role),
            Self::Pod { role: None } | Self::AccessKey { role: None, .. } => None,
        }
    }
}

/// Which role is assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleId {
    /// This one, whichever account is asked about.
    Arn(String),
    /// The one of this name, after its path if it has one, in the account that is asked about.
    Name(String),
}

impl RoleId {
    /// Its ARN, when `account` is asked about. Only the partition `aws` has a Free plan.
    fn arn(&self, account: Option<&AwsAccountId>) -> Result<String, ProviderError> {
        match (self, account) {
            (Self::Arn(arn), _) => Ok(arn.clone()),
            (Self::Name(name), Some(account)) => Ok(format!("arn:aws:iam::{account}:role/{name}")),
            (Self::Name(name), None) => Err(ProviderError::Config {
                detail: format!("no account is named whose role `{name}` is to be assumed"),
            }),
        }
    }
}

impl fmt::Display for RoleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arn(arn) => write!(f, "the role {arn}"),
            Self::Name(name) => write!(f, "the role `{name}` of each account"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub id: RoleId,
    /// What its trust policy asks for, so that nobody else can have it assumed.
    pub external_id: Option<String>,
}

/// Credentials, and whose they are.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) credentials: Credentials,
    pub(super) caller: Caller,
}

/// Who AWS says that somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) account: AwsAccountId,
    pub(super) arn: String,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AWS account {} ({})", self.account, self.arn)
    }
}

/// Credentials of one account. One at a time asks for them; the others wait for what comes of it.
type Slot = Arc<Mutex<Option<Keys>>>;

/// The credentials of one BillingProvider.
pub(super) struct KeyRing {
    connections: Connections,
    credential: Credential,
    /// By account, or of all of them; the one that was used last is the last. The lock is never held while anything is asked,
    /// so that an account that is slow delays no other.
    slots: sync::Mutex<Vec<(Option<AwsAccountId>, Slot)>>,
}

impl KeyRing {
    pub(super) fn new(connections: &Connections, credential: Credential) -> Self {
        Self { connections: connections.clone(), credential, slots: sync::Mutex::default() }
    }

    /// Whether there is a role for each account, or credentials of one account only.
    pub(super) const fn is_of_each_account(&self) -> bool {
        matches!(self.credential.role(), Some(RoleId::Name(_)))
    }

    /// Credentials that are valid now and belong to `account`.
    pub(super) async fn of(&self, account: &AwsAccountId) -> Result<Keys, ProviderError> {
        let keys = self.kept(self.is_of_each_account().then_some(account)).await?;
        if keys.caller.account == *account {
            return Ok(keys);
        }
        Err(ProviderError::WrongAccount { found: format!("the credentials belong to {}", keys.caller) })
    }

    /// Credentials that are valid now, of the one account that they are for.
    pub(super) async fn of_one(&self) -> Result<Keys, ProviderError> {
        self.kept(None).await
    }

    /// Who is to assume the role in each account, as far as that can be known without one: a ServiceAccount is nobody to AWS
    /// before it has assumed a role.
    pub(super) async fn first_caller(&self) -> Result<Option<Caller>, ProviderError> {
        let first = match &self.credential {
            Credential::WebIdentity { assertions, .. } => return assertions.get().await.map(|_| None),
            Credential::Pod { .. } => self.pod().await?,
            Credential::AccessKey { key, .. } => key.credentials(),
        };
        self.caller(first).await.map(Some)
    }

    async fn kept(&self, account: Option<&AwsAccountId>) -> Result<Keys, ProviderError> {
        let slot = self.slot(account);
        let mut kept = slot.lock().await;
        if let Some(keys) = kept.as_ref().filter(|keys| is_valid(&keys.credentials, self.connections.clock)) {
            return Ok(keys.clone());
        }
        *kept = None;
        let credentials = self.ask(account).await?;
        let caller = self.caller(credentials.clone()).await?;
        Ok(kept.insert(Keys { credentials, caller }).clone())
    }

    fn slot(&self, account: Option<&AwsAccountId>) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let found = slots.iter().position(|(of, _)| of.as_ref() == account).map(|at| slots.remove(at));
        let (of, slot) = found.unwrap_or_else(|| (account.cloned(), Slot::default()));
        if slots.len() >= MOST_KEPT {
            slots.remove(0);
        }
        slots.push((of, Arc::clone(&slot)));
        slot
    }

    async fn ask(&self, account: Option<&AwsAccountId>) -> Result<Credentials, ProviderError> {
        let (first, role) = match &self.credential {
            Credential::WebIdentity { role, assertions } => {
                return self.web_identity(&role.arn(account)?, assertions).await;
            }
            Credential::Pod { role } => (self.pod().await?, role),
            Credential::AccessKey { key, role } => (key.credentials(), role),
        };
        match role {
            Some(role) => self.assume(&role.id.arn(account)?, role.external_id.clone(), first).await,
            None => Ok(first),
        }
    }

    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>
    async fn web_identity(&self, arn: &str, assertions: &Assertions) -> Result<Credentials, ProviderError> {
        let token = assertions.get().await?;
        let heard = Heard::default();
        let request = self
            .sts(None, &heard)
            .assume_role_with_web_identity()
            .role_arn(arn)
            .role_session_name(SESSION)
            .web_identity_token(token.secret());
        let action = format!("sts:AssumeRoleWithWebIdentity on {arn}");
        request.send().await.map_err(|error| untrusted(error.into(), &action, token.secret()))?;
        issued(&heard, "AssumeRoleWithWebIdentity", &action)
    }

    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
    async fn assume(
        &self,
        arn: &str,
        external_id: Option<String>,
        first: Credentials,
    ) -> Result<Credentials, ProviderError> {
        let heard = Heard::default();
        let request = self
            .sts(Some(first), &heard)
            .assume_role()
            .role_arn(arn)
            .role_session_name(SESSION)
            .set_external_id(external_id);
        let action = format!("sts:AssumeRole on {arn}");
        request.send().await.map_err(|error| Failure::from(error).of_read(&action))?;
        issued(&heard, "AssumeRole", &action)
    }

    /// <https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html>
    async fn pod(&self) -> Result<Credentials, ProviderError> {
        let heard = Heard::default();
        let config = ProviderConfig::without_region().with_http_client(self.connections.agent(&heard));
        let pod = EcsCredentialsProvider::builder().configure(&config).build();
        pod.provide_credentials().await.map_err(|error| match error {
            CredentialsError::CredentialsNotLoaded(_) => ProviderError::Config {
                detail: "the operator's pod has no EKS Pod Identity: its administrator can make a pod identity association \
                         for its ServiceAccount, or the BillingProvider can use `credentials.workloadIdentity`"
                    .to_owned(),
            },
            CredentialsError::InvalidConfiguration(_) => ProviderError::Config {
                detail: "the address of the EKS Pod Identity agent in the environment of the operator's pod is not one that \
                         may be asked"
                    .to_owned(),
            },
            _ => ProviderError::Transient { detail: "the EKS Pod Identity agent returned no credentials".to_owned() },
        })?;
        // The error may repeat what is secret.
        let sent: OfPod = document::read(&heard.document()).map_err(|_| lacking(AGENT))?;
        made(sent.access_key_id, sent.secret_access_key, sent.token, sent.expiration, AGENT)
    }

    /// Whose `credentials` are. It takes no permission:
    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
    async fn caller(&self, credentials: Credentials) -> Result<Caller, ProviderError> {
        const ACTION: &str = "sts:GetCallerIdentity";
        let heard = Heard::default();
        let answer = self.sts(Some(credentials), &heard).get_caller_identity().send().await;
        answer.map_err(|error| Failure::from(error).of_read(ACTION))?;
        let path = ["GetCallerIdentityResponse", "GetCallerIdentityResult"];
        let mut sent = xml::texts(&heard.document(), &path).unwrap_or_default();
        let (account, arn) = (sent.remove("Account"), sent.remove("Arn"));
        match (account.as_deref().and_then(AwsAccountId::parse), arn) {
            // The ARN names the account too: arn:aws:iam::123456789012:user/name
            (Some(account), Some(arn)) if arn.split(':').nth(4) == Some(account.to_string().as_str()) => {
                Ok(Caller { account, arn: excerpt(&arn) })
            }
            (Some(_), Some(arn)) if !arn.is_empty() => {
                Err(odd(ACTION, "the account and the ARN in it belong to different accounts"))
            }
            _ => Err(odd(ACTION, "it does not name the owner of the credentials")),
        }
    }

    fn sts(&self, credentials: Option<Credentials>, heard: &Heard) -> aws_sdk_sts::Client {
        let config: SdkConfig = self.connections.reading(credentials, heard);
        aws_sdk_sts::Client::new(&config)
    }
}

fn is_valid(credentials: &Credentials, clock: Clock) -> bool {
    let Some(expiry) = credentials.expiry() else { return true };
    let left = expiry.duration_since(clock.wall().into()).unwrap_or(Duration::ZERO);
    SignedDuration::try_from(left).is_ok_and(|left| left > MARGIN)
}

/// Who gives credentials to pods.
const AGENT: &str = "the EKS Pod Identity agent";

/// What the agent of EKS answers: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfPod {
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    token: Option<String>,
    expiration: Option<String>,
}

/// The credentials of a session, in the answer to `operation` that was `heard`.
fn issued(heard: &Heard, operation: &str, action: &str) -> Result<Credentials, ProviderError> {
    let path = [format!("{operation}Response"), format!("{operation}Result"), "Credentials".to_owned()];
    let sent = xml::texts(&heard.document(), &path.each_ref().map(String::as_str));
    let mut sent = sent.ok_or_else(|| odd(action, "it holds no credentials"))?;
    let [id, secret, token, end] =
        ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"].map(|name| sent.remove(name));
    made(id, secret, token, end, action)
}

/// The credentials that these are, if all are there.
fn made(
    id: Option<String>,
    secret: Option<String>,
    token: Option<String>,
    end: Option<String>,
    action: &str,
) -> Result<Credentials, ProviderError> {
    let end = end.and_then(|end| end.parse::<Timestamp>().ok()).filter(|end| *end > Timestamp::UNIX_EPOCH);
    let [id, secret, token] = [id, secret, token].map(|text| text.filter(|text| !text.is_empty()));
    match (id, secret, token, end) {
        (Some(id), Some(secret), Some(token), Some(end)) => {
            Ok(Credentials::new(id, secret, Some(token), Some(end.into()), SESSION))
        }
        _ => Err(lacking(action)),
    }
}

fn lacking(action: &str) -> ProviderError {
    odd(action, "its credentials lack a part")
}

/// Why a token of a ServiceAccount is not taken: the trust is to be registered, with what is in the token.
fn untrusted(failure: Failure, action: &str, token: &str) -> ProviderError {
    let trust = Claims::of(token).map(|claims| claims.to_trust()).unwrap_or_default();
    match failure.code() {
        Some(code @ ("InvalidIdentityToken" | "IDPRejectedClaim")) => ProviderError::Unauthenticated {
            detail: format!("{action}: {code} (the AWS account must have an IAM OIDC identity provider for {trust})"),
        },
        Some("IDPCommunicationError") => ProviderError::Transient {
            detail: format!("{action}: AWS cannot reach the issuer of the token, for {trust}"),
        },
        _ if failure.is_forbidden() => ProviderError::Forbidden {
            permission: action.to_owned(),
            detail: format!("the role's trust policy must allow it for {trust}"),
        },
        _ => failure.of_read(action),
    }
}

fn odd(action: &str, what: &str) -> ProviderError {
    ProviderError::Protocol { detail: format!("the answer to {action} cannot be used: {what}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Settings;

    #[test]
    fn the_credentials_of_the_account_that_was_used_least_recently_go_first() {
        let _ = rustls::crypto::ring::default_provider().install_default(); // or another test has
        let ring = KeyRing::new(&Connections::new(Settings::default()).unwrap(), Credential::Pod { role: None });
        let account = |number: usize| AwsAccountId::parse(&format!("{number:012}")).unwrap();
        let slots: Vec<_> = (0..MOST_KEPT).map(|number| ring.slot(Some(&account(number)))).collect();
        assert!(Arc::ptr_eq(&ring.slot(Some(&account(0))), &slots[0]), "it is kept, and used again");
        ring.slot(Some(&account(MOST_KEPT)));
        assert_eq!(ring.slots.lock().unwrap().len(), MOST_KEPT);
        assert!(Arc::ptr_eq(&ring.slot(Some(&account(0))), &slots[0]));
        assert!(!Arc::ptr_eq(&ring.slot(Some(&account(1))), &slots[1]), "it was used least recently");
    }
}
