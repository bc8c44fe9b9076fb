//! One control plane for all tests of this process, with the kinds, the admission policies and the roles in it.

use std::{
    path::Path,
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};

use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use payg_api::{GROUP, VERSION};
use payg_test_kit::ControlPlane;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// The user name of the administrator's client.
pub(crate) const ADMIN: &str = "admin";

/// What a request came to: the object, or the message that the user sees.
pub(crate) type Outcome = Result<Value, String>;

static CONTROL_PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
static NAMESPACES: AtomicU32 = AtomicU32::new(0);

/// A namespace of the control plane that nobody else uses, and somebody to act in it.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) control_plane: &'static ControlPlane,
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Cluster {
    /// The administrator, in a new namespace.
    pub(crate) async fn new() -> Self {
        let control_plane = CONTROL_PLANE.get_or_init(start).await;
        let namespace = format!("test-{}", NAMESPACES.fetch_add(1, Ordering::Relaxed));
        let cluster = Self { control_plane, client: control_plane.admin_client().unwrap(), namespace };
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cluster.namespace}});
        cluster.create(&object).await.unwrap();
        cluster
    }

    /// Another user in the same namespace.
    pub(crate) async fn user(&self, name: &str) -> Self {
        let kubeconfig = self.control_plane.user_kubeconfig(name, &[]).unwrap();
        Self { client: payg_test_kit::client(&kubeconfig).await.unwrap(), ..self.clone() }
    }

    /// The same user in another's namespace.
    pub(crate) fn within(&self, other: &Self) -> Self {
        Self { namespace: other.namespace.clone(), ..self.clone() }
    }

    pub(crate) async fn create(&self, object: &Value) -> Outcome {
        self.post(object, false).await
    }

    /// Everything that a create does, except that nothing is stored.
    pub(crate) async fn try_create(&self, object: &Value) -> Outcome {
        self.post(object, true).await
    }

    async fn post(&self, object: &Value, dry_run: bool) -> Outcome {
        let params = PostParams { dry_run, ..PostParams::default() };
        let dynamic = serde_json::from_value(object.clone()).unwrap();
        outcome(self.api(object).create(&params, &dynamic).await)
    }

    /// Changes an object by a merge patch.
    pub(crate) async fn patch(&self, object: &Value, change: &Value) -> Outcome {
        outcome(self.api(object).patch(name(object), &strict(), &Patch::Merge(change)).await)
    }

    /// Changes the status of an object by a merge patch.
    pub(crate) async fn patch_status(&self, object: &Value, change: &Value) -> Outcome {
        outcome(self.api(object).patch_status(name(object), &strict(), &Patch::Merge(change)).await)
    }

    pub(crate) async fn get(&self, object: &Value) -> Outcome {
        outcome(self.api(object).get(name(object)).await)
    }

    pub(crate) async fn delete(&self, object: &Value) -> Result<(), String> {
        self.api(object).delete(name(object), &DeleteParams::default()).await.map(|_| ()).map_err(message)
    }

    /// What kubectl prints for the administrator, or complains about.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        kubectl(self.control_plane, &[&["--namespace", &self.namespace], arguments].concat())
    }

    /// The API of an object's kind: in the namespace that the object names, or else in this one.
    fn api(&self, object: &Value) -> Api<DynamicObject> {
        let (kind, api_version) = (object["kind"].as_str().unwrap(), object["apiVersion"].as_str().unwrap());
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        match kind {
            "Namespace" | "UpgradeRecord" | "ValidatingAdmissionPolicy" | "ValidatingAdmissionPolicyBinding" => {
                Api::all_with(self.client.clone(), &resource)
            }
            _ => Api::namespaced_with(self.client.clone(), &self.namespace, &resource),
        }
    }
}

/// An object of one of our kinds.
pub(crate) fn object(kind: &str, name: &str, spec: Value) -> Value {
    let mut object = json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind, "metadata": {"name": name}});
    object["spec"] = spec;
    object
}

/// A JSON merge patch (RFC 7396), applied.
pub(crate) fn merged(mut target: Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    if !target.is_object() {
        target = json!({});
    }
    for (name, change) in changes {
        if change.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            target[name] = merged(target[name].take(), change);
        }
    }
    target
}

/// A file of this repository.
pub(crate) fn file(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

async fn start() -> ControlPlane {
    let control_plane = ControlPlane::start().await.unwrap();
    let run = |arguments: &[&str]| kubectl(&control_plane, arguments).unwrap();
    run(&["apply", "--server-side", "-k", &file("crds")]);
    run(&["wait", "--for=condition=Established", "crd", "--all"]);
    run(&["apply", "--server-side", "-f", &file("deploy/kustomize/base/admission.yaml")]);
    run(&["apply", "--server-side", "-f", &file("deploy/kustomize/base/bounds.yaml")]);
    run(&["apply", "--server-side", "-f", &file("deploy/kustomize/base/roles.yaml")]);
    control_plane
}

fn kubectl(control_plane: &ControlPlane, arguments: &[&str]) -> Result<String, String> {
    let Output { status, stdout, stderr } = command(control_plane.kubectl(), control_plane.admin_kubeconfig())
        .args(arguments)
        .output()
        .expect("kubectl can be run");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if status.success() { Ok(text(&stdout)) } else { Err(text(&stderr)) }
}

fn command(program: &Path, kubeconfig: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("--kubeconfig").arg(kubeconfig);
    command
}

fn outcome(result: kube::Result<DynamicObject>) -> Outcome {
    result.map(|object| serde_json::to_value(object).unwrap()).map_err(message)
}

fn message(error: kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message,
        other => panic!("{other}"),
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

/// As the operator writes: what is not in the schema is refused and not dropped.
fn strict() -> PatchParams {
    PatchParams { field_validation: Some(kube::api::ValidationDirective::Strict), ..PatchParams::default() }
}
