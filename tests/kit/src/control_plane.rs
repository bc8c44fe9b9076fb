//! Starts the three processes and hands out the ways to reach them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{Namespace, ServiceAccount},
};
use kube::{Api, Client, Config, api::PostParams};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    Error, Process,
    assets::Assets,
    certs::Authority,
    etcd, kubeconfig,
    launch::{self, Ports},
    work_dir::WorkDir,
};

const API_SERVER: &str = "kube-apiserver";
const ATTEMPTS: usize = 5;
const START_TIMEOUT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(20);
/// How long one observation of the API server may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
const TOKEN_SECONDS: i64 = 86_400; // a demo may be left running

/// A running control plane. Dropping it stops everything and removes the files.
pub struct ControlPlane {
    /// In the order in which they were started.
    processes: Mutex<Vec<Process>>,
    assets: Assets,
    authority: Authority,
    ports: Ports,
    admin_kubeconfig: PathBuf,
    admin: Config,
    /// How many kubeconfigs were handed out, for their file names.
    kubeconfigs: AtomicU32,
    dir: WorkDir,
}

impl ControlPlane {
    /// Starts etcd, kube-apiserver and, where there is one, kube-controller-manager, and waits until they are ready.
    ///
    /// The programs are those in `$KUBEBUILDER_ASSETS`, or else those that `make control-plane` builds.
    pub async fn start() -> Result<Self, Error> {
        let assets = Assets::find().await?;
        let mut attempts_left = ATTEMPTS;
        loop {
            attempts_left -= 1;
            let control_plane = Self::prepare(&assets).await?;
            match control_plane.launch().await {
                Ok(()) => return Ok(control_plane),
                Err(error) if error.is_port_taken() && attempts_left > 0 => {}
                Err(error) => {
                    control_plane.keep_logs();
                    return Err(error);
                }
            }
        }
    }

    /// The path of kubectl.
    pub fn kubectl(&self) -> &Path {
        &self.assets.kubectl
    }

    /// The administrator's kubeconfig file (group `system:masters`).
    pub fn admin_kubeconfig(&self) -> &Path {
        &self.admin_kubeconfig
    }

    /// A new client for the administrator. It lives as long as the tokio runtime it was made in.
    pub fn admin_client(&self) -> Result<Client, Error> {
        kubeconfig::to_client(self.admin.clone())
    }

    /// A kubeconfig file with a client certificate for `user` in at most two `groups`.
    pub fn user_kubeconfig(&self, user: &str, groups: &[&str]) -> Result<PathBuf, Error> {
        let certificate = self.authority.client(user, groups)?;
        self.write_kubeconfig("default", &kubeconfig::certificate(&certificate))
    }

    /// A kubeconfig file with the certificate authority and a token, valid for a day, of an existing service account.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf, Error> {
        let spec = TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let token = Api::<ServiceAccount>::namespaced(self.admin_client()?, namespace)
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .map_err(|source| Error::kube(format!("get a token for service account {namespace}/{name}"), source))?;
        let token = token.status.ok_or(Error::NoToken)?.token;
        self.write_kubeconfig(namespace, &kubeconfig::token(&token))
    }

    /// Whether there is garbage collection, namespace deletion and everything else that kube-controller-manager does.
    pub fn has_controller_manager(&self) -> bool {
        self.assets.controller_manager.is_some()
    }

    /// The directory of all the files: the processes' logs are in `logs/` below it, and the caller's may be there too.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Keeps the logs when everything else is removed, and says where on standard error. A panic anywhere in this
    /// process does the same by itself.
    pub fn keep_logs(&self) {
        self.dir.keep_logs();
    }

    /// Kills kube-apiserver, starts another at the same address and on the same etcd, and waits until it is ready.
    pub async fn restart_api_server(&self) -> Result<(), Error> {
        self.processes().retain(|process| process.name() != API_SERVER); // dropping it kills it
        self.spawn(API_SERVER, &launch::api_server(&self.assets, &self.dir.state(), &self.ports))?;
        self.wait_for_api_server(&self.admin_client()?).await
    }

    /// Starts a further kube-apiserver on the same etcd, as a control plane of several machines has them, and returns its URL:
    /// the `--server` of kubectl.
    pub async fn another_api_server(&self) -> Result<String, Error> {
        let ports = Ports { etcd: self.ports.etcd, ..Ports::free()? };
        let name = format!("kube-apiserver-{}", ports.api_server);
        self.spawn(&name, &launch::api_server(&self.assets, &self.dir.state(), &ports))?;
        let mut admin = self.admin.clone();
        admin.cluster_url = ports.api_server_url().parse().map_err(|source| Error::Kubectl(format!("{source}")))?;
        self.wait_for_api_server(&kubeconfig::to_client(admin)?).await?;
        Ok(ports.api_server_url())
    }

    /// Writes a value straight into etcd, where the API server then finds it unchecked. The key of a custom resource
    /// is `/registry/<group>/<plural>/<namespace>/<name>`, and its value JSON.
    pub async fn etcd_put(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        etcd::put(&self.ports.etcd_address(), key, value).await
    }

    /// What ServiceAccounts (but not those of kube-system) have asked of the API server so far, in order: audit Events
    /// of the level Metadata, each with the decision of RBAC and its reason.
    pub fn audit(&self) -> Result<Vec<Value>, Error> {
        let path = self.dir.state().join(launch::AUDIT_LOG);
        let failed = |source| Error::io(format!("cannot read {}", path.display()), source);
        let log = fs::read_to_string(&path).map_err(failed)?;
        // The last line may be half written.
        Ok(log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    fn write_kubeconfig(&self, namespace: &str, credentials: &Value) -> Result<PathBuf, Error> {
        let number = self.kubeconfigs.fetch_add(1, Ordering::Relaxed);
        let content = kubeconfig::render(&self.ports.api_server_url(), &self.authority.pem(), namespace, credentials);
        self.dir.write(&format!("{number}.kubeconfig"), &content)
    }
}

/// The start.
impl ControlPlane {
    async fn prepare(assets: &Assets) -> Result<Self, Error> {
        let dir = WorkDir::create()?;
        let authority = Authority::new()?;
        let ports = Ports::free()?;
        let admin_kubeconfig = launch::write_files(&dir, &ports, &authority)?;
        Ok(Self {
            processes: Mutex::default(),
            assets: assets.clone(),
            authority,
            ports,
            admin: kubeconfig::config(&admin_kubeconfig).await?,
            admin_kubeconfig,
            kubeconfigs: AtomicU32::new(0),
            dir,
        })
    }

    async fn launch(&self) -> Result<(), Error> {
        let (assets, state) = (&self.assets, self.dir.state());
        let client = self.admin_client()?;
        let namespaces = Api::<Namespace>::all(client.clone());
        let service_accounts = Api::<ServiceAccount>::namespaced(client.clone(), "default");

        self.spawn("etcd", &launch::etcd(assets, &state, &self.ports))?;
        self.spawn(API_SERVER, &launch::api_server(assets, &state, &self.ports))?;
        self.wait_for_api_server(&client).await?;
        self.wait_for("namespace default", async || namespaces.get("default").await.is_ok()).await?;

        if let Some(program) = &assets.controller_manager {
            self.spawn("kube-controller-manager", &launch::controller_manager(program, &state, &self.ports))?;
            self.wait_for("service account default", async || service_accounts.get("default").await.is_ok()).await?;
        }
        Ok(())
    }

    async fn wait_for_api_server(&self, client: &Client) -> Result<(), Error> {
        self.wait_for("an \"ok\" from /readyz", async || {
            let request = http::Request::get("/readyz").body(Vec::new());
            let Ok(request) = request else { return false };
            client.request_text(request).await.is_ok_and(|body| body == "ok")
        })
        .await
    }

    fn processes(&self) -> MutexGuard<'_, Vec<Process>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, name: &str, command: &Command) -> Result<(), Error> {
        let log = self.dir.logs().join(name).with_extension("log");
        let process = Process::spawn(name, command, &log)?;
        self.processes().push(process);
        Ok(())
    }

    /// Waits until `probe` says yes; fails as soon as one of the processes has ended.
    async fn wait_for(&self, waited_for: &'static str, probe: impl AsyncFn() -> bool) -> Result<(), Error> {
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            self.check_processes()?;
            if timeout(PROBE_TIMEOUT, probe()).await.unwrap_or(false) {
                return Ok(());
            }
            sleep(POLL).await;
        }
        Err(Error::NotReady { waited_for, seconds: START_TIMEOUT.as_secs(), logs: self.dir.logs() })
    }

    fn check_processes(&self) -> Result<(), Error> {
        for process in &mut *self.processes() {
            if let Some(status) = process.try_wait()? {
                let name = process.name().to_owned();
                return Err(Error::Exited { name, status, log_tail: process.log_tail(20), logs: self.dir.logs() });
            }
        }
        Ok(())
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // Whoever needs another goes first.
        let mut processes = self.processes();
        while let Some(process) = processes.pop() {
            drop(process);
        }
    }
}
