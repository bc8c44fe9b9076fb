//! Writes and reads of a user that are made again until the API server takes them: it is restarted now and then.

use std::time::Duration;

use kube::api::{ApiResource, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{DynamicObject, GroupVersionKind, Status};
use kube::{Api, Client};
use payg_api::GROUP;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// How long the API server may be away.
const PATIENCE: Duration = Duration::from_mins(2);

/// A user of the cluster.
#[derive(Clone)]
pub(crate) struct Cluster {
    client: Client,
}

impl Cluster {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// The API of one of our kinds, in a namespace or in the cluster.
    pub(crate) fn ours(&self, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
        self.api(GROUP, "v1alpha1", kind, namespace)
    }

    fn api(&self, group: &str, version: &str, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    fn api_of(&self, object: &Value, namespace: Option<&str>) -> Api<DynamicObject> {
        let api_version = object["apiVersion"].as_str().unwrap();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        self.api(group, version, object["kind"].as_str().unwrap(), namespace)
    }

    /// Creates `object`.
    pub(crate) async fn create(&self, namespace: Option<&str>, object: &Value) {
        let api = self.api_of(object, namespace);
        let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        insist(async || match api.create(&PostParams::default(), &object).await {
            // An earlier try was taken.
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            other => other.map(drop),
        })
        .await;
    }

    /// Changes the Subscription called `name`.
    pub(crate) async fn patch(&self, namespace: &str, name: &str, patch: &Value) {
        let api = self.ours("Subscription", Some(namespace));
        insist(async || api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)).await;
    }

    /// Deletes the object of `kind` called `name`.
    pub(crate) async fn delete(&self, kind: &str, namespace: &str, name: &str) {
        let api =
            if kind == "Secret" { self.api("", "v1", kind, Some(namespace)) } else { self.ours(kind, Some(namespace)) };
        insist(async || match api.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            other => other.map(drop),
        })
        .await;
    }

    /// All UpgradeRecords.
    pub(crate) async fn records(&self) -> Vec<Value> {
        let api = self.ours("UpgradeRecord", None);
        let list = insist(async || api.list(&ListParams::default()).await).await;
        list.items.into_iter().map(|record| serde_json::to_value(record).unwrap()).collect()
    }

    /// Frees the operators' Lease if `may_be_freed` accepts it as it is. Its holder finds out at its next renewal.
    pub(crate) async fn free_lease(&self, may_be_freed: impl Fn(&Value) -> bool) -> kube::Result<()> {
        let api = self.leases();
        let Some(lease) = api.get_opt(LEASE).await? else { return Ok(()) };
        if !may_be_freed(&lease.data) {
            return Ok(());
        }
        let patch =
            json!({"metadata": {"resourceVersion": lease.metadata.resource_version}, "spec": {"holderIdentity": ""}});
        api.patch(LEASE, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
    }

    /// The operators' Lease, if the API server returns it.
    pub(crate) async fn lease(&self) -> Option<Value> {
        self.leases().get_opt(LEASE).await.ok().flatten().map(|lease| lease.data)
    }

    fn leases(&self) -> Api<DynamicObject> {
        self.api("coordination.k8s.io", "v1", "Lease", Some("payg-operator"))
    }
}

const LEASE: &str = "payg-operator";

/// Does what `call` does until the API server is there and takes it. What it refuses is a mistake of the test.
async fn insist<T>(call: impl AsyncFn() -> kube::Result<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match call().await {
            Ok(done) => return done,
            Err(kube::Error::Api(status)) if is_refusal(&status) => panic!("the API server refused: {status}"),
            Err(error) if Instant::now() > deadline => panic!("the API server is away for too long: {error}"),
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Whether it would be refused again. An API server that has just been started knows neither all policies nor their
/// parameters, and lets nothing in that it cannot check.
fn is_refusal(status: &Status) -> bool {
    matches!(status.code, 400 | 422) && !status.message.contains("failed to configure")
}
