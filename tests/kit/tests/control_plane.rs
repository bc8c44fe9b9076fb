//! One control plane for all the tests of this file, in a `static` as other tests have it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::{collections::BTreeMap, process::Command, time::Duration};

use k8s_openapi::api::{
    authentication::v1::SelfSubjectReview,
    core::v1::{ConfigMap, Namespace, ServiceAccount},
    rbac::v1::RoleBinding,
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams},
};
use payg_test_kit::{ControlPlane, Error, client};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

async fn control_plane() -> &'static ControlPlane {
    static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
    SHARED
        .get_or_init(async || {
            let begin = Instant::now();
            let control_plane = ControlPlane::start().await.unwrap_or_else(|error| panic!("{error}"));
            println!("ready after {:?}", begin.elapsed());
            control_plane
        })
        .await
}

fn object<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

async fn eventually(what: &str, probe: impl AsyncFn() -> bool) {
    for _ in 0..500 {
        if probe().await {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("not after 10 s: {what}");
}

/// A namespace of its own for one test.
async fn namespace(client: &Client, name: &str) {
    let namespace = object(json!({"metadata": {"name": name}}));
    Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
}

#[tokio::test]
async fn objects_are_stored_and_kubectl_sees_them() {
    let control_plane = control_plane().await;
    let client = control_plane.admin_client().unwrap();
    namespace(&client, "objects").await;
    let api = Api::<ConfigMap>::namespaced(client, "objects");
    let config_map = object(json!({"metadata": {"name": "a"}, "data": {"key": "value"}}));
    api.create(&PostParams::default(), &config_map).await.unwrap();

    let output = Command::new(control_plane.kubectl())
        .arg("--kubeconfig")
        .arg(control_plane.admin_kubeconfig())
        .args(["get", "configmap", "a", "--namespace=objects", "--output=jsonpath={.data.key}"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "value", "{output:?}");
}

#[tokio::test]
async fn a_service_account_may_only_do_what_it_is_allowed_to() {
    let control_plane = control_plane().await;
    let admin = control_plane.admin_client().unwrap();
    namespace(&admin, "rbac").await;
    let account: ServiceAccount = object(json!({"metadata": {"name": "robot"}}));
    let accounts = Api::<ServiceAccount>::namespaced(admin.clone(), "rbac");
    accounts.create(&PostParams::default(), &account).await.unwrap();

    let kubeconfig = control_plane.service_account_kubeconfig("rbac", "robot").await.unwrap();
    let robot = Api::<ConfigMap>::default_namespaced(client(&kubeconfig).await.unwrap());
    let Err(kube::Error::Api(refusal)) = robot.list(&ListParams::default()).await else {
        panic!("a service account without a role must be refused");
    };
    assert_eq!(refusal.code, 403, "{refusal:?}");

    // Not `view`: without the controller manager that role has no rules.
    let binding: RoleBinding = object(json!({
        "metadata": {"name": "robot"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": "rbac"}],
    }));
    Api::namespaced(admin, "rbac").create(&PostParams::default(), &binding).await.unwrap();
    eventually("the role works", async || robot.list(&ListParams::default()).await.is_ok()).await;
}

#[tokio::test]
async fn a_service_account_that_does_not_exist_gets_no_token() {
    let error = control_plane().await.service_account_kubeconfig("default", "nobody").await.unwrap_err();
    assert!(error.to_string().contains("service account default/nobody"), "{error}");
}

#[tokio::test]
async fn a_user_is_who_the_certificate_says() {
    let control_plane = control_plane().await;
    let kubeconfig = control_plane.user_kubeconfig("jane:doe", &["ops", "finance"]).unwrap();
    let api = Api::<SelfSubjectReview>::all(client(&kubeconfig).await.unwrap());
    let review = api.create(&PostParams::default(), &SelfSubjectReview::default()).await.unwrap();
    let user = review.status.unwrap().user_info.unwrap();
    assert_eq!(user.username.as_deref(), Some("jane:doe"));
    assert_eq!(user.groups.unwrap(), ["ops", "finance", "system:authenticated"]);

    let error = control_plane.user_kubeconfig("jane", &["a", "b", "c"]).unwrap_err();
    assert!(matches!(error, Error::TooManyGroups(3)), "{error}");
}

#[tokio::test]
async fn objects_written_to_etcd_are_served() {
    let control_plane = control_plane().await;
    let client = control_plane.admin_client().unwrap();
    let smuggled = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "smuggled", "namespace": "default", "uid": "0"}, "data": {"key": "value"},
    });
    let key = "/registry/configmaps/default/smuggled";
    control_plane.etcd_put(key, smuggled.to_string().as_bytes()).await.unwrap();
    let found = Api::<ConfigMap>::namespaced(client, "default").get("smuggled").await.unwrap();
    assert_eq!(found.data, Some(BTreeMap::from([("key".to_owned(), "value".to_owned())])));

    let error = control_plane.etcd_put("", b"").await.unwrap_err();
    assert!(matches!(error, Error::Etcd { .. }), "{error}");
}

#[tokio::test]
async fn namespaces_are_deleted() {
    let control_plane = control_plane().await;
    if !control_plane.has_controller_manager() {
        println!("skipped: there is no kube-controller-manager");
        return;
    }
    let client = control_plane.admin_client().unwrap();
    namespace(&client, "short-lived").await;
    let namespaces = Api::<Namespace>::all(client);
    namespaces.delete("short-lived", &DeleteParams::default()).await.unwrap();
    eventually("it is gone", async || namespaces.get_opt("short-lived").await.unwrap().is_none()).await;
}
