//! From a BillingProvider object to the cloud behind it: credentials are read live, and clients are kept for as long as
//! neither the object nor what it names changes, so that tokens are not asked for again and again.

mod credentials;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::{Api, Client, ResourceExt};
use tokio::time::Instant;
use uuid::Uuid;

use payg_api::{self as api, BillingProviderSpec};
use payg_clock::Clock;
use payg_core::provider::{ProviderError, ProviderObject};
use payg_core::record::ProviderVersion;
use payg_providers::BillingProvider;
use payg_providers::aws::{self, Aws};
use payg_providers::azure::{self, Azure};
use payg_runtime::ObjectKey;
use payg_runtime::rate_limit::{Rate, RateLimit};

use self::credentials::Place;

/// How often reconciles go through one BillingProvider, each with one observation. The queue sees to it. Azure lets a principal read 25
/// times a second: <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>;
/// of the reads of an observation of most three count for the tenant.
pub const OBSERVE_RATE: Rate = Rate { burst: 8, interval: Duration::from_millis(125) };

/// A cloud through one BillingProvider.
#[derive(Clone)]
pub struct Provider {
    pub client: Arc<dyn BillingProvider>,
    /// Who it is used as, for people.
    pub identity: Arc<str>,
    object: Object,
    /// What the object says, for the terms of an upgrade.
    pub terms: ProviderObject,
    rate_limit: Arc<RateLimit>,
}

/// The uid and the generation of a BillingProvider.
type Object = (Option<String>, Option<i64>);

impl Provider {
    /// The BillingProvider that it was made from, as records name it.
    pub fn version(&self) -> ProviderVersion {
        let (uid, generation) = &self.object;
        ProviderVersion { uid: uid.clone().unwrap_or_default(), generation: generation.unwrap_or_default() }
    }

    /// Waits until another observation does no harm: for observations of reconciles that do not wait for this BillingProvider in the queue.
    pub async fn rate_limit(&self) {
        self.rate_limit.wait().await;
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

/// The way to the clouds.
#[derive(Clone, Debug)]
pub struct Clouds {
    pub azure: azure::Connections,
    pub aws: aws::Connections,
    /// The namespaces that may use the identity of the machine that this process runs on.
    pub ambient_identity_namespaces: HashSet<String>,
}

/// The clouds of all BillingProviders.
pub struct Providers {
    client: Client,
    clouds: Clouds,
    clock: Clock,
    kept: Mutex<HashMap<ObjectKey, Kept>>,
}

impl Providers {
    /// None made yet.
    pub fn new(client: Client, clouds: Clouds, clock: Clock) -> Self {
        Self { client, clouds, clock, kept: Mutex::default() }
    }

    /// Forgets the one at `key`.
    pub fn forget(&self, key: &ObjectKey) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Has the client of the one at `key` made anew, without the tokens that it keeps, unless it is new or is to be made
    /// anew already. Returns whether that is news.
    pub fn renew(&self, key: &ObjectKey) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let old = |kept: &&mut Kept| kept.made.elapsed() > NEW && kept.version != Version::default();
        kept.get_mut(key).filter(old).map(|kept| kept.version = Version::default()).is_some()
    }

    /// The cloud through the BillingProvider at `key`, or what is missing.
    pub async fn get(&self, key: &ObjectKey) -> kube::Result<Result<Provider, ProviderError>> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let api: Api<DeserializeGuard<api::BillingProvider>> = Api::namespaced(self.client.clone(), namespace);
        let object = match api.get_opt(&key.name).await? {
            // Whatever keeps it, it is as good as gone.
            Some(DeserializeGuard(Ok(object))) if object.metadata.deletion_timestamp.is_some() => {
                let detail = format!("BillingProvider {key} is being deleted; create it again once it is gone");
                return Ok(config(detail));
            }
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
            BillingProviderSpec::Aws(spec) => self.aws(key, &object, spec).await,
        }
    }

    /// Whether the BillingProvider at `key` is the one that `provider` was made from, unchanged and not being deleted.
    pub async fn is_still(&self, key: &ObjectKey, provider: &Provider) -> kube::Result<bool> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let api: Api<api::BillingProvider> = Api::namespaced(self.client.clone(), namespace);
        let now = api.get_metadata_opt(&key.name).await?.map(|now| now.metadata);
        Ok(now.is_some_and(|now| now.deletion_timestamp.is_none() && (now.uid, now.generation) == provider.object))
    }

    /// Where the credentials of the BillingProvider at `key` are looked for.
    fn place<'a>(&'a self, key: &'a ObjectKey) -> Place<'a> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        Place { client: &self.client, clock: self.clock, namespace, ambient: &self.clouds.ambient_identity_namespaces }
    }

    async fn azure(
        &self,
        key: &ObjectKey,
        object: &api::BillingProvider,
        spec: &api::AzureProvider,
    ) -> kube::Result<Result<Provider, ProviderError>> {
        let found = match self.place(key).azure(spec).await {
            Ok(found) => found,
            Err(missing) => return missing.told(),
        };
        let version = (object.uid(), object.metadata.generation, found.version);
        Ok(self.made_once(key, version, &found.identity, understood(object)?, || {
            let (cloud, tenant) = (azure_cloud(spec.cloud), guid(&spec.tenant_id, "tenantId")?);
            let azure = Azure::new(&self.clouds.azure, cloud, tenant, found.credential, spec_method(spec))?;
            Ok(Arc::new(azure) as Arc<dyn BillingProvider>)
        }))
    }

    async fn aws(
        &self,
        key: &ObjectKey,
        object: &api::BillingProvider,
        spec: &api::AwsProvider,
    ) -> kube::Result<Result<Provider, ProviderError>> {
        let found = match self.place(key).aws(spec).await {
            Ok(found) => found,
            Err(missing) => return missing.told(),
        };
        let version = (object.uid(), object.metadata.generation, found.version);
        let make = || Ok(Arc::new(Aws::new(&self.clouds.aws, found.credential)) as Arc<dyn BillingProvider>);
        Ok(self.made_once(key, version, &found.identity, understood(object)?, make))
    }

    fn made_once(
        &self,
        key: &ObjectKey,
        version: Version,
        identity: &str,
        terms: ProviderObject,
        make: impl FnOnce() -> Result<Arc<dyn BillingProvider>, ProviderError>,
    ) -> Result<Provider, ProviderError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let rate_limit = match kept.get(key) {
            Some(kept) if kept.version == version => return Ok(kept.provider.clone()),
            Some(kept) => Arc::clone(&kept.provider.rate_limit),
            None => Arc::new(RateLimit::new(OBSERVE_RATE)),
        };
        let object = (version.0.clone(), version.1);
        let provider = Provider { client: make()?, identity: identity.into(), object, terms, rate_limit };
        kept.insert(key.clone(), Kept { version, made: Instant::now(), provider: provider.clone() });
        Ok(provider)
    }
}

/// What the object says, for the terms of an upgrade through it.
fn understood(object: &api::BillingProvider) -> kube::Result<ProviderObject> {
    // By way of a value, whose members are in order.
    let spec = serde_json::to_value(&object.spec).map_err(kube::Error::SerdeError)?.to_string();
    let created = object.creation_timestamp().map_or(Timestamp::MAX, |time| time.0);
    Ok(ProviderObject { spec, created })
}

fn config<T>(detail: String) -> Result<T, ProviderError> {
    Err(ProviderError::Config { detail })
}

/// The GUID in the field `spec.azure.FIELD`.
pub fn guid(text: &str, field: &str) -> Result<Uuid, ProviderError> {
    Uuid::parse_str(text).map_err(|_| ProviderError::Config { detail: format!("`spec.azure.{field}` must be a GUID") })
}

/// The cloud that a BillingProvider names.
pub fn azure_cloud(cloud: api::AzureCloud) -> azure::AzureCloud {
    match cloud {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_is_renewed_once_and_not_while_it_is_new() {
        let _ = rustls::crypto::ring::default_provider().install_default(); // or another test has
        let cluster = kube::Config::new("https://127.0.0.1:1".parse().unwrap());
        let azure = azure::Connections::new(azure::Settings::default()).unwrap();
        let aws = aws::Connections::new(aws::Settings::default()).unwrap();
        let clouds = Clouds { azure, aws, ambient_identity_namespaces: HashSet::new() };
        let providers = Providers::new(Client::try_from(cluster).unwrap(), clouds, Clock::real());
        let key = ObjectKey::namespaced("team-a", "azure");
        assert!(!providers.renew(&key), "there is none");
        let version = (Some("uid".to_owned()), Some(1), None);
        let make = || {
            let machine = azure::Credential::ManagedIdentity { client_id: None };
            let azure = Azure::new(
                &providers.clouds.azure,
                azure::AzureCloud::Public,
                Uuid::nil(),
                machine,
                azure::UpgradeMethod::Broker,
            )?;
            Ok(Arc::new(azure) as Arc<dyn BillingProvider>)
        };
        let terms = ProviderObject { spec: String::new(), created: Timestamp::MIN };
        providers.made_once(&key, version.clone(), "somebody", terms.clone(), make).unwrap();
        assert!(!providers.renew(&key), "its tokens are as new");
        let age = |providers: &Providers| {
            let mut kept = providers.kept.lock().unwrap();
            kept.get_mut(&key).unwrap().made -= 2 * NEW;
        };
        age(&providers);
        assert!(providers.renew(&key));
        assert!(!providers.renew(&key), "it is to be made anew already");
        providers.made_once(&key, version, "somebody", terms, make).unwrap();
        assert!(!providers.renew(&key), "it was made anew");
    }
}
