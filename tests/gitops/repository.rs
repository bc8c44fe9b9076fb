//! Flux without a Git server: the example of `deploy/flux` as a repository of a test's own, each push of which is announced in
//! the status of its GitRepository, and the real kustomize-controller that applies it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::routing::get;
use jiff::Timestamp;
use payg_test_kit::Process;
use payg_test_kit::world::{World, condition, provider};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

use crate::programs;

/// Held by a test that has Flux take the policies over, which counts as a change of them, and by those that approve.
pub(crate) static POLICIES: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
static CONTROLLER: OnceCell<Process> = OnceCell::const_new();

/// The kinds of Flux, and its controller.
fn start(world: &World) -> Process {
    let crds = programs::DIRECTORY.join("crds");
    world.stack.kubectl(&["apply", "--server-side", "-f", crds.to_str().unwrap()]).unwrap();
    world.stack.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).unwrap();
    let dir = world.stack.control_plane.dir();
    let mut command = Command::new(programs::DIRECTORY.join("kustomize-controller"));
    command.args(["--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0", "--requeue-dependency=1s"]);
    command.arg("--concurrent=40"); // one that waits keeps a worker busy
    command.env("KUBECONFIG", world.stack.control_plane.admin_kubeconfig()).env("RUNTIME_NAMESPACE", "default");
    command.env("HOME", dir);
    Process::spawn("kustomize-controller", &command, &dir.join("logs/kustomize-controller.log")).unwrap()
}

type Served = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// The repository of the team whose namespace is that of `world`, or one of the platform's beside it.
pub(crate) struct Repository<'a> {
    world: &'a World,
    /// That of the GitRepository.
    name: &'static str,
    /// The namespace of the GitRepository and of the Kustomizations.
    namespace: String,
    /// The files by path.
    pub(crate) files: BTreeMap<String, String>,
    served: Served,
    url: String,
    /// The last revision that was pushed.
    revision: String,
    pushes: usize,
}

impl<'a> Repository<'a> {
    /// The example, with `accounts` in place of those of the example, and with the BillingProvider of this test. The platform
    /// has applied its own part.
    pub(crate) async fn new(world: &'a World, accounts: &[&str]) -> Self {
        let mut files = BTreeMap::new();
        for dir in ["team-a", "team-a-paid"] {
            for file in fs::read_dir(example(dir)).unwrap().map(|entry| entry.unwrap().path()) {
                let path = format!("{dir}/{}", file.file_name().unwrap().to_str().unwrap());
                let mut text = fs::read_to_string(&file).unwrap();
                for (number, account) in (1..).zip(accounts) {
                    text = text.replace(&format!("6f1a3c1e-0000-4a00-9000-{number:012}"), account);
                }
                // The example asks first. In these tests Git alone decides.
                files.insert(path, text.replace("approval: Manual", "approval: Automatic"));
            }
        }
        files.insert("team-a/billing-provider.yaml".to_owned(), provider("azure", "Broker").to_string());
        let repository = Self::of(world, "accounts", files).await;
        repository.platform("cluster/team-a.yaml");
        repository
    }

    /// The operator's own repository, so far as Flux applies it. The Deployment is not waited for: there is no kubelet here.
    pub(crate) async fn of_the_operator(world: &'a World) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = BTreeMap::new();
        for dir in ["crds", "deploy/kustomize/base", "deploy/kustomize/default"] {
            for file in fs::read_dir(root.join(dir)).unwrap().map(|entry| entry.unwrap().path()) {
                let path = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(path, fs::read_to_string(&file).unwrap());
            }
        }
        let repository = Self::of(world, "payg-operator", files).await;
        repository.platform("cluster/payg-operator.yaml");
        repository
    }

    /// The platform's repository of approvals, which Flux applies as an account of the platform's.
    pub(crate) async fn of_approvals(world: &'a World) -> Self {
        let mut repository = Self::of(world, "approvals", BTreeMap::new()).await;
        repository.namespace = format!("{}-approvals", world.namespace);
        let _ = world.stack.kubectl(&["create", "namespace", &repository.namespace]);
        repository.platform("approve-by-pull-request.yaml");
        repository
    }

    /// What the GitRepository called `name` has.
    async fn of(world: &'a World, name: &'static str, files: BTreeMap<String, String>) -> Self {
        CONTROLLER.get_or_init(async || start(world)).await;
        let served = Served::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().route("/{revision}", get(serve)).with_state(Arc::clone(&served));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { world, name, namespace: world.namespace.clone(), files, served, url, revision: String::new(), pushes: 0 }
    }

    /// What kubectl prints for the administrator, in the namespace of the GitRepository.
    fn kubectl(&self, arguments: &[&str]) -> String {
        self.world.stack.kubectl(&[&["--namespace", &self.namespace], arguments].concat()).unwrap()
    }

    fn get(&self, resource: &str, name: &str) -> Value {
        serde_json::from_str(&self.kubectl(&["get", resource, name, "-o", "json"])).unwrap()
    }

    /// Applies a file of the example in the namespaces of this test.
    pub(crate) fn platform(&self, file: &str) {
        let text = fs::read_to_string(example(file)).unwrap();
        let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for mut object in objects.into_iter().filter(|object| object["kind"] != "Namespace") {
            let here = |namespace: &Value| match namespace.as_str() {
                Some("payg-approvals") => json!(self.namespace),
                _ => json!(self.world.namespace),
            };
            object["metadata"]["namespace"] = here(&object["metadata"]["namespace"]);
            if object["spec"]["targetNamespace"].is_string() {
                object["spec"]["targetNamespace"] = json!(self.world.namespace);
            }
            if object["metadata"]["name"] == "payg-operator" && object["kind"] == "Kustomization" {
                object["spec"]["wait"] = json!(false);
            }
            if let Some(subjects) = object["subjects"].as_array_mut() {
                subjects[0]["namespace"] = here(&subjects[0]["namespace"]);
            }
            self.world.stack.kubectl(&["apply", "-f", &self.world.file(&object)]).unwrap();
        }
    }

    /// Changes a file.
    pub(crate) fn edit(&mut self, file: &str, from: &str, to: &str) {
        let text = self.files.get_mut(file).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        *text = text.replace(from, to);
    }

    /// Announces what is in the files as a new revision.
    pub(crate) fn push(&mut self) {
        self.pushes += 1;
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in &self.files {
            let file = dir.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let packed = Command::new("tar").args(["-czf", "-", "-C"]).arg(dir.path()).arg(".").output().unwrap();
        assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
        let digest = Sha256::digest(&packed.stdout)
            .iter()
            .fold("sha256:".to_owned(), |digest, byte| format!("{digest}{byte:02x}"));
        self.revision = format!("main@sha1:{:040}", self.pushes);
        let path = format!("{}.tgz", self.pushes);
        self.served.lock().unwrap().insert(path.clone(), packed.stdout);
        let generation = &self.get("gitrepositories.source.toolkit.fluxcd.io", self.name)["metadata"]["generation"];
        let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap().to_string();
        let status = json!({"status": {"observedGeneration": generation,
            "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored",
                "lastTransitionTime": now, "observedGeneration": generation}],
            "artifact": {"url": format!("{}/{path}", self.url), "path": path, "revision": self.revision,
                "digest": digest, "lastUpdateTime": now}}});
        let announce = [
            "patch",
            "gitrepositories.source.toolkit.fluxcd.io",
            self.name,
            "--subresource=status",
            "--type=merge",
            "-p",
        ];
        self.kubectl(&[&announce[..], &[&status.to_string()]].concat());
    }

    /// The Kustomization called `name`.
    pub(crate) fn kustomization(&self, name: &str) -> Value {
        self.get("kustomizations.kustomize.toolkit.fluxcd.io", name)
    }

    /// Whether the Kustomization is ready, and with the last revision.
    pub(crate) fn is_ready(&self, kustomization: &Value) -> bool {
        let ready = condition(kustomization, "Ready");
        ready["status"] == "True" && kustomization["status"]["lastAppliedRevision"] == self.revision.as_str()
    }

    /// Waits until the Kustomization called `name` is ready with the last revision.
    pub(crate) async fn until_ready(&self, name: &str) -> Value {
        self.until(name, "ready", |kustomization| self.is_ready(kustomization)).await
    }

    /// Waits until the Kustomization called `name` has failed with the last revision, and returns what it says.
    pub(crate) async fn until_failed(&self, name: &str) -> String {
        let failed = |kustomization: &Value| {
            let attempted = kustomization["status"]["lastAttemptedRevision"] == self.revision.as_str();
            attempted && condition(kustomization, "Ready")["status"] == "False"
        };
        let failed = self.until(name, "failed", failed).await;
        condition(&failed, "Ready")["message"].as_str().unwrap().to_owned()
    }

    async fn until(&self, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let found = async || Some(self.kustomization(name)).filter(|kustomization| is_so(kustomization));
        let found = self.world.eventually(100, found).await;
        found.unwrap_or_else(|| {
            let log = CONTROLLER.get().unwrap().log_tail(20);
            panic!("{name} is never {what} with {}: {:#}\n{log}", self.revision, self.kustomization(name)["status"])
        })
    }
}

/// The controller would bring back what `World` deletes.
impl Drop for Repository<'_> {
    fn drop(&mut self) {
        let all = ["delete", "kustomizations.kustomize.toolkit.fluxcd.io", "--all", "--wait=false", "--namespace"];
        let _ = self.world.stack.kubectl(&[&all[..], &[&self.namespace]].concat());
    }
}

fn example(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/flux").join(path)
}

async fn serve(State(served): State<Served>, UrlPath(path): UrlPath<String>) -> Result<Vec<u8>, StatusCode> {
    served.lock().unwrap().get(&path).cloned().ok_or(StatusCode::NOT_FOUND)
}
