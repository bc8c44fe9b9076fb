//! From the `credentials` of a BillingProvider to what a cloud is shown. All of it is read live and is of the namespace of
//! the BillingProvider, but for the identity of the operator's own machine, which is for the namespaces that the operator's
//! administrator names.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use payg_api::{self as api, AwsCredentials, AzureCredentials};
use payg_clock::Clock;
use payg_core::provider::ProviderError;
use payg_providers::{Assertions, Secret as Hidden, aws, azure};
use tokio::sync::Mutex;
use uuid::Uuid;

/// What the credentials of a BillingProvider come to: a `C`.
pub struct Found<C> {
    /// What the cloud is shown.
    pub credential: C,
    /// The version of the object that it was read from; without one it cannot change.
    pub version: Option<String>,
    /// Who that is, for people.
    pub identity: String,
}

/// Why nothing is found.
pub enum Missing {
    /// Something is to be put right.
    Said(ProviderError),
    /// The API server has not answered.
    Cluster(kube::Error),
}

impl Missing {
    /// What to put right as a result, and the API server's silence as an error.
    pub fn told<T>(self) -> kube::Result<Result<T, ProviderError>> {
        match self {
            Self::Said(error) => Ok(Err(error)),
            Self::Cluster(error) => Err(error),
        }
    }
}

impl From<ProviderError> for Missing {
    fn from(error: ProviderError) -> Self {
        Self::Said(error)
    }
}

impl From<kube::Error> for Missing {
    fn from(error: kube::Error) -> Self {
        Self::Cluster(error)
    }
}

/// Where credentials are looked for.
pub struct Place<'a> {
    pub client: &'a Client,
    pub clock: Clock,
    /// The namespace of the BillingProvider.
    pub namespace: &'a str,
    /// The namespaces that may use the identity of the operator's own machine.
    pub ambient: &'a HashSet<String>,
}

impl Place<'_> {
    /// What `spec` says to show to Azure.
    pub async fn azure(&self, spec: &api::AzureProvider) -> Result<Found<azure::Credential>, Missing> {
        match &spec.credentials {
            AzureCredentials::WorkloadIdentity(identity) => {
                let audience = crate::operator::clouds::azure_cloud(spec.cloud).exchange_audience();
                self.workload_identity(identity, audience).await
            }
            AzureCredentials::ManagedIdentity(identity) => self.machine(identity),
            AzureCredentials::Certificate(reference) => self.certificate(reference).await,
            AzureCredentials::Secret(reference) => self.client_secret(reference).await,
        }
    }

    async fn client_secret(&self, reference: &api::AzureSecret) -> Result<Found<azure::Credential>, Missing> {
        let client_id = client_id("secret", &reference.client_id)?;
        let secret = self.secret(&reference.name).await?;
        let value = self.text(&secret, reference.key.as_deref().unwrap_or(api::AZURE_SECRET_KEY))?;
        Ok(Found {
            credential: azure::Credential::ClientSecret { client_id, secret: Hidden::new(value) },
            version: secret.resource_version(),
            identity: format!("application {client_id} with the client secret in the Secret `{}`", reference.name),
        })
    }

    async fn certificate(&self, reference: &api::AzureCertificate) -> Result<Found<azure::Credential>, Missing> {
        let client_id = client_id("certificate", &reference.client_id)?;
        let secret = self.secret(&reference.name).await?;
        let certificate = azure::Certificate {
            origin: self.origin(&secret),
            certificate_pem: self.text(&secret, "tls.crt")?,
            key_pem: Hidden::new(self.text(&secret, "tls.key")?),
        };
        Ok(Found {
            credential: azure::Credential::Certificate { client_id, certificate },
            version: secret.resource_version(),
            identity: format!("application {client_id} with the certificate in the Secret `{}`", reference.name),
        })
    }

    fn machine(&self, identity: &api::AzureManagedIdentity) -> Result<Found<azure::Credential>, Missing> {
        self.check_ambient("credentials.workloadIdentity")?;
        let id = identity.client_id.as_deref().map(|id| client_id("managedIdentity", id)).transpose()?;
        let identity = id.map_or_else(|| "the system-assigned identity".to_owned(), |id| format!("the identity {id}"));
        Ok(Found {
            credential: azure::Credential::ManagedIdentity { client_id: id },
            version: None,
            identity: format!("{identity} of the operator's machine"),
        })
    }

    async fn workload_identity(
        &self,
        identity: &api::AzureWorkloadIdentity,
        audience: &'static str,
    ) -> Result<Found<azure::Credential>, Missing> {
        let client_id = client_id("workloadIdentity", &identity.client_id)?;
        let name = &identity.service_account_name;
        let (assertions, version) = self.service_account(name, audience).await?;
        Ok(Found {
            credential: azure::Credential::Federated { client_id, assertions },
            version,
            identity: format!("application {client_id} through the ServiceAccount `{name}`"),
        })
    }

    /// What `spec` says to show to AWS.
    pub async fn aws(&self, spec: &api::AwsProvider) -> Result<Found<aws::Credential>, Missing> {
        let id = match (&spec.role_arn, &spec.role_name) {
            (Some(_), Some(_)) => {
                let detail = "`spec.aws` has both `roleArn` and `roleName`: keep the first for one account, or the second for \
                              the role of that name in each account";
                return Err(config(detail.to_owned()));
            }
            (Some(arn), None) => Some(aws::RoleId::Arn(arn.clone())),
            (None, Some(name)) => Some(aws::RoleId::Name(name.clone())),
            (None, None) => None,
        };
        match &spec.credentials {
            AwsCredentials::WorkloadIdentity(identity) => {
                let role = id.ok_or_else(|| {
                    config(
                        "`spec.aws` has neither `roleArn` nor `roleName`: it is the role that trusts the ServiceAccount"
                            .to_owned(),
                    )
                })?;
                self.web_identity(&identity.service_account_name, role).await
            }
            AwsCredentials::PodIdentity(_) => self.pod(id),
            AwsCredentials::Secret(reference) => {
                let role = id.map(|id| aws::Role { id, external_id: spec.external_id.clone() });
                self.access_key(reference, role).await
            }
        }
    }

    async fn web_identity(&self, name: &str, role: aws::RoleId) -> Result<Found<aws::Credential>, Missing> {
        let (assertions, version) = self.service_account(name, AWS_AUDIENCE).await?;
        let identity = format!("{role} through the ServiceAccount `{name}`");
        Ok(Found { credential: aws::Credential::WebIdentity { role, assertions }, version, identity })
    }

    /// The external id says on whose behalf the role is assumed, so that no namespace has another's role assumed:
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html>
    fn pod(&self, id: Option<aws::RoleId>) -> Result<Found<aws::Credential>, Missing> {
        self.check_ambient("credentials.workloadIdentity")?;
        let external_id = format!("payg-operator:{}", self.namespace);
        let identity = id.as_ref().map_or_else(
            || "the identity of the operator's pod".to_owned(),
            |id| format!("{id} through the operator's pod, with the external id `{external_id}`"),
        );
        let role = id.map(|id| aws::Role { id, external_id: Some(external_id) });
        Ok(Found { credential: aws::Credential::Pod { role }, version: None, identity })
    }

    async fn access_key(
        &self,
        reference: &api::AwsSecret,
        role: Option<aws::Role>,
    ) -> Result<Found<aws::Credential>, Missing> {
        let secret = self.secret(&reference.name).await?;
        let id = self.text(&secret, "accessKeyId")?;
        let key = Hidden::new(self.text(&secret, "secretAccessKey")?);
        let token = self.text_if_any(&secret, "sessionToken")?.map(Hidden::new);
        let key = aws::AccessKey::new(&self.origin(&secret), id, key, token)?;
        let of = format!("the access key in the Secret `{}`", reference.name);
        let identity = role.as_ref().map_or_else(|| of.clone(), |role| format!("{} through {of}", role.id));
        Ok(Found { credential: aws::Credential::AccessKey { key, role }, version: secret.resource_version(), identity })
    }

    /// Tokens for `audience` of the ServiceAccount called `name`, and its uid. It is read so that one that is deleted, or
    /// made anew by somebody else, is not served by tokens from before.
    async fn service_account(
        &self,
        name: &str,
        audience: &'static str,
    ) -> Result<(Assertions, Option<String>), Missing> {
        let namespace = self.namespace;
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let account = match api.get_opt(name).await {
            Ok(Some(account)) => account,
            Ok(None) => return Err(no_service_account(namespace, name).into()),
            Err(kube::Error::Api(status)) if status.is_forbidden() => return Err(no_tokens(namespace, name).into()),
            Err(error) => return Err(error.into()),
        };
        let tokens = Arc::new(Tokens {
            api,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            audience,
            clock: self.clock,
            kept: Mutex::default(),
        });
        let assertions = Assertions::new(move || {
            let tokens = Arc::clone(&tokens);
            async move { tokens.get().await }
        });
        Ok((assertions, account.uid()))
    }

    /// Whether the namespace may use the identity of the operator's own machine or pod; `instead` is what it can use
    /// otherwise.
    fn check_ambient(&self, instead: &str) -> Result<(), Missing> {
        let namespace = self.namespace;
        if self.ambient.contains(namespace) {
            return Ok(());
        }
        Err(config(format!(
            "the namespace {namespace} may not use the identity of the operator's own machine: the operator's \
             administrator can allow it (`--ambient-identity-namespaces`), or the BillingProvider can use `{instead}`"
        )))
    }

    /// A Secret of the namespace.
    async fn secret(&self, name: &str) -> Result<Secret, Missing> {
        let namespace = self.namespace;
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        match api.get_opt(name).await {
            Ok(Some(secret)) => Ok(secret),
            Ok(None) => Err(config(format!("there is no Secret `{name}` in the namespace {namespace}; create it"))),
            Err(kube::Error::Api(status)) if status.is_forbidden() => Err(ProviderError::Forbidden {
                permission: format!("`get` on the Secret `{name}` in the namespace {namespace}"),
                detail: "the operator reads only the Secrets that a namespace lets it read: add a Role and a \
                         RoleBinding for the operator's ServiceAccount there, as in deploy/samples"
                    .to_owned(),
            }
            .into()),
            Err(error) => Err(error.into()),
        }
    }

    /// What is in `secret` under `entry`.
    fn text(&self, secret: &Secret, entry: &str) -> Result<String, Missing> {
        let text = self.text_if_any(secret, entry)?;
        text.ok_or_else(|| config(format!("{} has no text under `{entry}`", self.origin(secret))))
    }

    /// What is in `secret` under `entry`, if there is something.
    fn text_if_any(&self, secret: &Secret, entry: &str) -> Result<Option<String>, Missing> {
        let Some(value) = secret.data.as_ref().and_then(|data| data.get(entry)) else { return Ok(None) };
        match std::str::from_utf8(&value.0).map(str::trim) {
            Ok(text) => Ok(Some(text.to_owned()).filter(|text| !text.is_empty())),
            Err(_) => Err(config(format!("{} has no text under `{entry}`", self.origin(secret)))),
        }
    }

    fn origin(&self, secret: &Secret) -> String {
        format!("the Secret `{}` in the namespace {}", secret.name_any(), self.namespace)
    }
}

fn client_id(member: &str, text: &str) -> Result<Uuid, ProviderError> {
    crate::operator::clouds::guid(text, &format!("credentials.{member}.clientId"))
}

fn config(detail: String) -> Missing {
    ProviderError::Config { detail }.into()
}

fn no_service_account(namespace: &str, name: &str) -> ProviderError {
    ProviderError::Config {
        detail: format!("there is no ServiceAccount `{name}` in the namespace {namespace}; create it"),
    }
}

fn no_tokens(namespace: &str, name: &str) -> ProviderError {
    ProviderError::Forbidden {
        permission: format!(
            "`get` on the ServiceAccount `{name}` or `create` on its `serviceaccounts/token` in the namespace {namespace}"
        ),
        detail: format!(
            "the operator may ask for tokens of ServiceAccounts called `{SERVICE_ACCOUNT}` everywhere, and of others where \
             a namespace lets it: use that name, or add a Role with these two permissions and a RoleBinding for the \
             operator's ServiceAccount there, as in deploy/samples"
        ),
    }
}

/// The name of ServiceAccounts whose tokens the operator may ask for in every namespace: it is in its ClusterRole.
const SERVICE_ACCOUNT: &str = "payg-billing";

/// What a token of a ServiceAccount must be for to be taken by AWS:
/// <https://docs.aws.amazon.com/eks/latest/userguide/iam-roles-for-service-accounts.html>
const AWS_AUDIENCE: &str = "sts.amazonaws.com";

/// How long a token of a ServiceAccount is asked for. The API server gives no shorter ones than 10 minutes.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// How long before its end a token is no longer shown: clocks differ.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// Tokens of one ServiceAccount, kept while they are valid.
struct Tokens {
    api: Api<ServiceAccount>,
    namespace: String,
    name: String,
    audience: &'static str,
    clock: Clock,
    /// A token, and its end.
    kept: Mutex<Option<(Hidden, Timestamp)>>,
}

impl Tokens {
    async fn get(&self) -> Result<Hidden, ProviderError> {
        let mut kept = self.kept.lock().await;
        if let Some((token, _)) = kept.as_ref().filter(|(_, end)| end.duration_since(self.clock.wall()) > MARGIN) {
            return Ok(token.clone());
        }
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: vec![self.audience.to_owned()],
                expiration_seconds: Some(LIFETIME.as_secs()),
                bound_object_ref: None,
            },
            ..TokenRequest::default()
        };
        let answer = self.api.create_token_request(&self.name, &PostParams::default(), &request).await;
        let status = answer.map_err(|error| self.told(&error))?.status.ok_or_else(|| self.odd())?;
        if status.token.is_empty() {
            return Err(self.odd());
        }
        let token = Hidden::new(status.token);
        *kept = Some((token.clone(), status.expiration_timestamp.0));
        Ok(token)
    }

    fn told(&self, error: &kube::Error) -> ProviderError {
        let (namespace, name) = (&self.namespace, &self.name);
        match error {
            kube::Error::Api(status) if status.is_not_found() => no_service_account(namespace, name),
            kube::Error::Api(status) if status.is_forbidden() => no_tokens(namespace, name),
            error => ProviderError::Transient {
                detail: format!("the API server issued no token for the ServiceAccount `{name}`: {error}"),
            },
        }
    }

    fn odd(&self) -> ProviderError {
        let detail = format!("the API server's answer contains no token for the ServiceAccount `{}`", self.name);
        ProviderError::Transient { detail }
    }
}
