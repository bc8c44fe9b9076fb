//! From a BillingProvider object to the cloud behind it: credentials are read live, and clients are kept for as long as
//! neither the object nor its Secret changes, so that tokens are not asked for again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::core::DeserializeGuard;
use kube::{Api, Client, ResourceExt};
use uuid::Uuid;

use crate::api::{self, AzureCredentials, BillingProviderSpec};
use crate::core::provider::ProviderError;
use crate::providers::BillingProvider;
use crate::providers::azure::{self, Azure};
use crate::runtime::ObjectKey;
use crate::runtime::pace::Pace;

/// How many looks a second the accounts of one BillingProvider get, and how many at once. Azure lets a principal read 25
/// times a second: <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>;
/// a look is two reads.
const LOOKS: (u32, Duration) = (10, Duration::from_millis(100));

/// A cloud through one BillingProvider.
#[derive(Clone)]
pub struct Provider {
    /// The cloud.
    pub client: Arc<dyn BillingProvider>,
    pace: Arc<Pace>,
}

impl Provider {
    /// Waits until another look does no harm.
    pub async fn pace(&self) {
        self.pace.wait().await;
    }
}

/// What a client was made from: when one of these changes, it is made anew.
type Version = (Option<String>, Option<i64>, Option<String>);

/// A client, what it was made from, and when.
struct Kept {
    version: Version,
    made: Instant,
    provider: Provider,
}

/// A client that is younger than this is not made anew for tokens that are refused: its own are as new.
const NEW: Duration = Duration::from_mins(1);

/// The clouds of all BillingProviders.
pub struct Providers {
    client: Client,
    azure: azure::Connections,
    kept: Mutex<HashMap<ObjectKey, Kept>>,
}

impl Providers {
    /// None made yet.
    pub fn new(client: Client, azure: azure::Connections) -> Self {
        Self { client, azure, kept: Mutex::default() }
    }

    /// Forgets the one at `key`.
    pub fn forget(&self, key: &ObjectKey) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Has the client of the one at `key` made anew, without the tokens that it keeps, unless that was done just now.
    pub fn renew(&self, key: &ObjectKey) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.get_mut(key).filter(|kept| kept.made.elapsed() > NEW) {
            kept.version = Version::default();
        }
    }

    /// The cloud through the BillingProvider at `key`, or what is missing.
    pub async fn get(&self, key: &ObjectKey) -> kube::Result<Result<Provider, ProviderError>> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let api: Api<DeserializeGuard<api::BillingProvider>> = Api::namespaced(self.client.clone(), namespace);
        let object = match api.get_opt(&key.name).await? {
            Some(DeserializeGuard(Ok(object))) => object,
            Some(DeserializeGuard(Err(invalid))) => {
                return Ok(config(format!("BillingProvider {key} cannot be read: {}", invalid.error)));
            }
            None => {
                let detail =
                    format!("there is no BillingProvider `{}` in the namespace {namespace}; create it", key.name);
                return Ok(config(detail));
            }
        };
        match &object.spec {
            BillingProviderSpec::Azure(spec) => self.azure(key, &object, spec).await,
            BillingProviderSpec::Aws(_) => Ok(Err(ProviderError::Unsupported {
                detail: "this version does not support AWS yet; use a BillingProvider with `azure`".to_owned(),
            })),
        }
    }

    async fn azure(
        &self,
        key: &ObjectKey,
        object: &api::BillingProvider,
        spec: &api::AzureProvider,
    ) -> kube::Result<Result<Provider, ProviderError>> {
        let AzureCredentials::Secret(reference) = &spec.credentials else {
            return Ok(Err(ProviderError::Unsupported {
                detail: "this version supports `credentials.secret` only; workload and managed identities are to come"
                    .to_owned(),
            }));
        };
        let (secret, version) = match self.secret(key, reference).await? {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let version = (object.uid(), object.metadata.generation, version);
        Ok(self.made_once(key, version, || {
            let guid = |text: &str, field: &str| {
                Uuid::parse_str(text)
                    .map_err(|_| ProviderError::Config { detail: format!("`spec.azure.{field}` must be a GUID") })
            };
            let client_id = guid(&reference.client_id, "credentials.secret.clientId")?;
            let credential = azure::Credential::ClientSecret { client_id, secret: azure::Secret::new(secret) };
            let tenant = guid(&spec.tenant_id, "tenantId")?;
            let azure = Azure::new(&self.azure, spec_cloud(spec), tenant, credential, spec_method(spec))?;
            Ok(Arc::new(azure) as Arc<dyn BillingProvider>)
        }))
    }

    /// The client secret, and the version of the object that it is in.
    async fn secret(
        &self,
        key: &ObjectKey,
        reference: &api::AzureSecret,
    ) -> kube::Result<Result<(String, Option<String>), ProviderError>> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let name = &reference.name;
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = match api.get_opt(name).await {
            Ok(Some(secret)) => secret,
            Ok(None) => {
                return Ok(config(format!("there is no Secret `{name}` in the namespace {namespace}; create it")));
            }
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                return Ok(Err(ProviderError::Forbidden {
                    permission: format!("`get` on the Secret `{name}` in the namespace {namespace}"),
                    detail: "the operator reads only the Secrets that a namespace lets it read: add a Role and a \
                             RoleBinding for the operator's ServiceAccount there, as in deploy/samples"
                        .to_owned(),
                }));
            }
            Err(error) => return Err(error),
        };
        let entry = reference.key.as_deref().unwrap_or(api::AZURE_SECRET_KEY);
        let value = secret.data.as_ref().and_then(|data| data.get(entry));
        let text = value.and_then(|value| String::from_utf8(value.0.clone()).ok());
        Ok(match text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) {
            Some(text) => Ok((text, secret.resource_version())),
            None => config(format!("the Secret `{name}` in the namespace {namespace} has no text under `{entry}`")),
        })
    }

    fn made_once(
        &self,
        key: &ObjectKey,
        version: Version,
        make: impl FnOnce() -> Result<Arc<dyn BillingProvider>, ProviderError>,
    ) -> Result<Provider, ProviderError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = match kept.get(key) {
            Some(kept) if kept.version == version => return Ok(kept.provider.clone()),
            Some(kept) => Arc::clone(&kept.provider.pace),
            None => Arc::new(Pace::new(LOOKS.0, LOOKS.1)),
        };
        let provider = Provider { client: make()?, pace };
        kept.insert(key.clone(), Kept { version, made: Instant::now(), provider: provider.clone() });
        Ok(provider)
    }
}

fn config<T>(detail: String) -> Result<T, ProviderError> {
    Err(ProviderError::Config { detail })
}

fn spec_cloud(spec: &api::AzureProvider) -> azure::AzureCloud {
    match spec.cloud {
        api::AzureCloud::Public => azure::AzureCloud::Public,
        api::AzureCloud::UsGovernment => azure::AzureCloud::UsGovernment,
        api::AzureCloud::China => azure::AzureCloud::China,
    }
}

fn spec_method(spec: &api::AzureProvider) -> azure::UpgradeMethod {
    match spec.upgrade_method {
        api::UpgradeMethod::PortalHandoff => azure::UpgradeMethod::PortalHandoff,
        api::UpgradeMethod::Broker => azure::UpgradeMethod::Broker,
    }
}
